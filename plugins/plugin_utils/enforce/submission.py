# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Submit a request to an AD CS CA, resume what an earlier run began, and retrieve what was issued."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ..enrolment.errors import EnrolmentError
from ..enrolment.hresult import explain, shown
from ..enrolment.response import Response, read_response
from ..enrolment.submission import (
    Asked,
    InDatabase,
    Kept,
    SubmissionOrder,
    asked,
    attributes,
    check_config,
    find_rows,
    issued,
    local_config,
    next_step,
    request_id_of,
    restriction,
    same_ca,
    usable_response,
)
from ..host.connection import WindowsHost
from ..host.courier import Answer
from .submission_scripts import DENIALS, NOTHING_DONE, UNKNOWN_REQUEST, SubmissionHost, kept_of

_LOOKED_UP_NEXT = (
    "Whether the CA took the request is not known; the next run looks it up in the CA's database before it submits"
    " anything."
)
_BY_HAND = (
    "Run the task on the CA host with an account that may read the CA's database; or look there for the request (failed"
    " and pending requests, issued certificates) and give its request_id; or, when the CA does not have it, set"
    " 'resubmit: true' for one run."
)


def submit_request(
    host: WindowsHost,
    name: str,
    order: SubmissionOrder,
    *,
    check: bool,
    at: datetime,
    pause: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Bring a request to its certificate, or as far as it comes now; return the result of the module.

    Args:
        host: from which the CA is asked; it keeps what the CA answered.
        name: the host's name, for messages.
        order: what is asked for.
        check: change nothing and ask no CA for anything but its database.
        at: the moment, UTC, against which validity is judged.
        pause: waits for a number of seconds.

    Raises:
        EnrolmentError: the order is wrong, or the answer cannot be taken.
        HostError: the host or the CA failed; the message tells what is left behind.
    """
    return _Submission(host, name, order, asked(order), at).run(check=check, pause=pause)


class _Submission:
    """One run of one order."""

    def __init__(self, host: WindowsHost, name: str, order: SubmissionOrder, request: Asked, at: datetime) -> None:
        self._order = order
        self._request = request
        self._at = at
        self._host = SubmissionHost(host, name, request.identity, admin_force_machine=order.admin_force_machine)
        self._ca: str | None = None
        self._saved: str | None = None
        self._kept = Kept(directory=False)
        self._before: str | None = None
        self._code = 0
        """What certreq ended with."""

    def run(self, *, check: bool, pause: Callable[[float], None]) -> dict[str, Any]:
        first = self._host.read(local_ca=self._order.ca is None)
        self._saved = first.text("directory")
        self._kept = kept_of(first, directory="kept" in first.told)
        step, response = next_step(self._kept, self._order, self._request)
        self._before = response.status if response else None
        if step != "submit":
            self._refuse_other_ca()
        if step == "return" and response is not None:
            self._ca = self._kept.ca
            return self._result(response, changed=False)
        ca = self._ca = self._authority(first, submits=step == "submit")
        number = self._order.request_id or (response.request_id if response else None)
        if step == "look":
            row = self._look(ca)
            if check:
                return self._planned(row)
            number = row.request_id if row else None
        if check:
            waits = response is not None and step == "retrieve"
            return self._result(response, changed=False) if response and waits else self._planned(None)
        if number is None:
            return self._wait(self._submit(ca), ca, pause, submitted=True)
        return self._wait(self._retrieve(number, ca), ca, pause, submitted=False)

    def _authority(self, first: Answer, *, submits: bool) -> str:
        """The CA to ask: that of an earlier run, the one given, or the one on the host."""
        begun = self._kept.ca
        if begun and not submits:
            return check_config(begun)
        found = self._order.ca or local_config(first.text("computer"), first.said)
        if not found:
            raise self._host.failure(
                "There is no CA on this host, and 'ca' is not given.",
                r"Run the task on the CA host (delegate_to), or give 'ca' as HOST\CA name.",
                "choice of the CA",
            )
        return found

    def _refuse_other_ca(self) -> None:
        """What was submitted to one CA is not asked of another.

        Raises:
            HostError: an earlier run submitted it to another CA than the one given.
        """
        begun, given = self._kept.ca, self._order.ca
        if begun and given and not same_ca(begun, given):
            raise self._host.failure(
                f"The request was submitted to {begun} by an earlier run, and 'ca' is {given}.",
                f"Set 'ca' to {begun}; or remove {self._saved} on the host, and the next run asks the other CA.",
                "choice of the CA",
            )

    def _submit(self, ca: str) -> Response:
        answered = self._kept.response is not None
        answer = self._host.submit(self._request.der, ca, attributes(self._order.template), answered=answered)
        code = answer.codes.get("exit")
        if answer.error and code is None and "begun" not in answer.told:
            raise self._host.failure(
                f"The request was not submitted: {_sentence(answer.error)} Nothing was submitted by this run.",
                "Wait until other runs with this request have ended, and check that the account may write"
                f" {self._saved}; then run it again.",
                "submission",
            )
        if answer.error and code is None:
            self._host.remove()
            raise self._host.failure(
                f"The request could not be submitted: {_sentence(answer.error)} Nothing was submitted.",
                f"Check that the host has certreq.exe and free space, and that the account may write {self._saved};"
                " then run it again.",
                "submission",
                "not_submitted",
            )
        if code is None or answer.error:
            raise self._host.failure(
                f"The script around certreq.exe did not run to its end: {_sentence(answer.error or 'it broke off')}"
                f" {answer.complaint} {_LOOKED_UP_NEXT}",
                "Check the free space of the host and its event log, then run it again.",
                "submission",
            )
        self._code = code
        self._kept = replace(kept_of(answer, directory=True), ca=ca)
        if self._kept.response is not None:
            return self._read(self._kept.response)
        # With the id of a row in the CA's database the code is of what came after it, such as a file not written.
        if code in NOTHING_DONE and request_id_of(answer.said) is None:
            self._host.remove()
            left = "Nothing was submitted."
            raise self._host.refused(f"{ca} took no request", code, answer, left, status="not_submitted")
        if code in DENIALS:
            return self._denied_without_response(answer, request_id_of(answer.said), forget=True)
        if code:
            raise self._host.refused("certreq.exe wrote no response file", code, answer, _LOOKED_UP_NEXT)
        raise self._host.failure(
            f"certreq.exe ended without an error, but wrote no response file. {answer.complaint} {_LOOKED_UP_NEXT}",
            "Run it again; if it stays so, look at the request on the CA.",
            "submission",
        )

    def _retrieve(self, request_id: int, ca: str) -> Response:
        by_hand = request_id == self._order.request_id
        answer = self._host.retrieve(request_id, ca, known=self._kept.ca is not None, by_hand=by_hand)
        self._code = answer.codes.get("exit", 0)
        if "retrieved" not in answer.told and self._code in DENIALS:
            return self._denied_without_response(answer, request_id, forget=not (by_hand and self._kept.directory))
        what = f"Request {request_id} could not be retrieved from {ca}"
        left = "Nothing was changed." if by_hand else "It stays as it is on the CA; the next run asks again."
        if self._code == UNKNOWN_REQUEST and not by_hand:
            left = f"The next run asks again; to have the request submitted anew, remove {self._saved}."
        if "retrieved" not in answer.told and self._code and not answer.error:
            if not self._kept.directory:
                self._host.remove()
            raise self._host.refused(what, self._code, answer, left, "retrieval")
        if "retrieved" not in answer.told or answer.error:
            raise self._host.failure(
                f"{what}: {_sentence(answer.error or 'certreq.exe wrote no response file')} {answer.complaint} {left}",
                "Check the free space of the host, then run it again.",
                "retrieval",
            )
        earlier = self._kept
        self._kept = replace(kept_of(answer, directory=True), ca=ca)
        response = self._read(self._kept.response or b"")
        if by_hand and response.status == "issued" and usable_response(self._kept, self._request) is None:
            if not earlier.directory:
                self._host.remove()
            raise self._host.failure(
                f"Request {request_id} of {ca} was made with another key: its certificate does not answer 'csr'.",
                "Give the request id that belongs to the request, or leave 'request_id' out.",
                "retrieval",
            )
        return replace(response, request_id=request_id)

    def _denied_without_response(self, answer: Answer, request_id: int | None, *, forget: bool) -> Response:
        """A denial is not kept, so that the next run submits the request again: ``forget`` what is."""
        if forget:
            self._host.remove()
            self._saved = None
        return Response("denied", request_id, None, (), answer.complaint, None)

    def _look(self, ca: str) -> InDatabase | None:
        """What the CA's database has of a request whose submission was cut."""
        unknown = (
            f"An earlier run began to submit this request to {ca}, and its outcome is not known: {self._saved} holds"
            " no usable response."
        )
        common_name = self._request.common_name
        if common_name is None:
            raise self._host.failure(
                f"{unknown} The CA's database cannot be searched, for the request has no plain common name.",
                _BY_HAND,
                "CA database",
            )
        answer = self._host.look(ca, restriction(common_name))
        code = answer.codes.get("exit")
        try:
            if answer.error or code is None:
                raise EnrolmentError(_sentence(answer.error or "certutil.exe did not run to its end"))
            if code:
                raise EnrolmentError(f"certutil.exe ended with {shown(code)}. {explain(code)[0]}".rstrip())
            return find_rows(answer.said, self._request)
        except EnrolmentError as exc:
            raise self._host.failure(
                f"{unknown} The CA's database could not be read: {exc.message} {answer.complaint}",
                _BY_HAND,
                "CA database",
            ) from exc

    def _wait(self, response: Response, ca: str, pause: Callable[[float], None], *, submitted: bool) -> dict[str, Any]:
        waited = 0
        while response.status == "pending" and response.request_id is not None and waited < self._order.wait:
            step = min(self._order.poll, self._order.wait - waited)
            pause(step)
            waited += step
            self._at += timedelta(seconds=step)
            response = self._retrieve(response.request_id, ca)
        return self._result(response, changed=submitted or response.status != self._before)

    def _read(self, data: bytes) -> Response:
        try:
            return read_response(data)
        except EnrolmentError as exc:
            raise self._unusable(exc) from exc

    def _unusable(self, exc: EnrolmentError) -> EnrolmentError:
        return EnrolmentError(
            f"{exc.message} What {self._ca or 'the CA'} answered is kept in {self._saved}; the request is not submitted"
            " again.",
            place=", ".join(filter(None, (self._host.name, exc.place))),
            remedy=f"{exc.remedy} To have the request submitted anew, remove that directory on {self._host.name}.",
        )

    def _result(self, response: Response, *, changed: bool) -> dict[str, Any]:
        number = response.request_id or request_id_of(self._kept.output)
        result = self._keys(response.status, number, changed=changed)
        if response.status == "pending":
            result["reason"] = (
                f"Request {number} waits for a manager of {self._ca}; run it again once it is issued."
                f" {_sentence(response.message)}"
            ).strip()
        elif response.status == "denied":
            result |= self._denial(response, number)
        else:
            try:
                found = issued(self._kept, response, self._request, at=self._at)
            except EnrolmentError as exc:
                raise self._unusable(exc) from exc
            result["certificate"] = ssl.DER_cert_to_PEM_cert(found.certificate)
            result["chain"] = [ssl.DER_cert_to_PEM_cert(issuer) for issuer in found.chain]
            result["warnings"] = list(found.notes)
        return result

    def _denial(self, response: Response, number: int | None) -> dict[str, Any]:
        code = self._code or response.hresult
        meaning, remedy = explain(code) if code else ("", "")
        which = f"request {number}" if number else "the request"
        parts = (f"{self._ca} denied {which}{f' ({shown(code)})' if code else ''}.", meaning)
        return {
            "hresult": f"0x{code:08x}" if code else None,
            "reason": " ".join(filter(None, (*parts, _sentence(response.message)))),
            "remedy": remedy or "Ask the managers of the CA for the reason.",
        }

    def _planned(self, row: InDatabase | None) -> dict[str, Any]:
        """What check mode tells: what would be done, and the outcome as far as the CA's database knows it."""
        if row is None:
            return self._keys("not_submitted", None, changed=True)
        return self._keys(row.disposition, row.request_id, changed=True)

    def _keys(self, status: str, number: int | None, *, changed: bool) -> dict[str, Any]:
        header = f"submission of request {self._request.identity}"
        after = "submitted" if status == "not_submitted" else status
        lines = [f"status: {self._before or 'not_submitted'}\n", f"status: {after}\n"]
        return {
            "changed": changed,
            "status": status,
            "request_id": number,
            "certificate": None,
            "chain": [],
            "hresult": None,
            "reason": None,
            "remedy": None,
            "ca": self._ca,
            "saved": self._saved,
            "diff": [{"before_header": header, "after_header": header, "before": lines[0], "after": lines[1]}]
            if changed
            else [],
        }


def _sentence(text: str) -> str:
    words = " ".join(text.split())
    return words if not words or words.endswith((".", "!", "?")) else f"{words}."
