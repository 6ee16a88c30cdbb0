# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request a certificate through Lync itself, and see in the stores what came of it.

Request-CsCertificate takes names from the topology and leaves the key provider to the template. It returns nothing
(reference), so the stores are compared: a certificate that is new in My was issued, one that is new in REQUEST is a
pending request. That the cmdlet keeps pending requests in REQUEST, with their friendly names, is unverified.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

from ..enrolment.hresult import explain
from ..enrolment.installed import Holdings
from ..enrolment.names import is_oid
from ..host.connection import HostError, WindowsHost
from ..host.courier import Answer, carry
from ..lync.assignments import ADMINISTRATION, check, said_by_lync
from ..lync.cmdlets import (
    REQUEST_VALUES,
    looking_script,
    request_input,
    requesting_script,
    retrieving_script,
)
from ..lync.usages import checked_types
from ..record import Certificate
from .assignment import key_words
from .holdings import QUERY_STORES, stores_of

KEY_LENGTHS = (1024, 2048, 4096)
"""What Request-CsCertificate takes as -KeySize (reference)."""

_STEP = "Request-CsCertificate"
_AUTHORITY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?\\[^\\/:*?\"<>|\x00-\x1f\x7f]{1,64}")
_TEMPLATE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._()-]{0,63}")
_NAME = re.compile(r"(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}))*")
_HRESULT = re.compile(r"\b0x(8[0-9a-f]{7})\b", re.IGNORECASE)
_NOT_REACHED = (0x80070005, 0x800704DC, 0x800706BA, 0x80070721)
"""E_ACCESSDENIED, ERROR_NOT_AUTHENTICATED, RPC_S_SERVER_UNAVAILABLE, RPC_S_SEC_PKG_ERROR."""
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_SECOND_HOP = (
    "When access is denied or the CA is not found, the account did not reach the CA or the Central Management store: "
    "Windows hands the account of a WinRM session on to another computer only with CredSSP or Kerberos delegation (the "
    "double hop). Connect with one of them, or let the role relay the request (winpki.keyprovider.certificate_request "
    "and winpki.keyprovider.adcs_certificate), which needs no second hop."
)


@dataclass(frozen=True)
class LyncRequestWish:
    """What a task asks for, as it was given."""

    types: tuple[str, ...]
    ca: str
    template: str | None = None
    friendly_name: str | None = None
    domain_names: tuple[str, ...] = ()
    key_length: int | None = None
    exportable: bool | None = None

    @property
    def values(self) -> tuple[str, ...]:
        """The texts in the order of :data:`~..lync.cmdlets.REQUEST_VALUES`."""
        return (self.ca, self.template or "", self.friendly_name or "", ",".join(self.domain_names))


def request_through_lync(
    host: WindowsHost, name: str, wish: LyncRequestWish, *, check_only: bool, at: datetime
) -> dict[str, Any]:
    """Do it and return the result of ``lync_certificate_request``. Two commands.

    A pending request with the same friendly name is fetched and not made again. Without a given name it is one made of
    the wish, so that a second run finds the request of the first.

    Args:
        host: the Lync server.
        name: its inventory name.
        wish: what is asked for.
        check_only: look only.
        at: now, aware.

    Raises:
        HostError: the wish is not valid, Lync refused it, or the new key is of no use to Lync; the message tells what
            is left behind.
        HostUnreachable: the connection broke; whether a certificate was requested is not known then.
    """
    types = checked_types(wish.types)
    _check(wish)
    answer = carry(host, name, QUERY_STORES + looking_script())
    check(answer, name)
    _refuse_unknown_parameters(name, answer, wish)
    before = stores_of(host, name, answer)
    if wish.friendly_name is None:
        wish = replace(wish, friendly_name=_name_for(wish, types, before))
    waiting = [one for one in before.pending if one.friendly_name == wish.friendly_name]
    if check_only:
        return {"changed": True, "status": None, "thumbprint": None, "key": None, "report": None}
    kind = "retrieve" if waiting else "request"
    report = f"{kind}-{at.astimezone(timezone.utc).strftime('%Y%m%dT%H%M%SZ')}.html"
    if waiting:
        script, data = retrieving_script(report), None
    else:
        given = [parameter for parameter, value in zip(REQUEST_VALUES, wish.values, strict=True) if value]
        script = requesting_script(types, given, report, key_length=wish.key_length, exportable=wish.exportable)
        data = request_input(wish.values)
    said = ""
    try:
        answer = carry(host, name, f"{script}\n{QUERY_STORES}", data)
        said = f" {said_by_lync(answer)}" if "failure" in answer.told else ""
        check(answer, name)
        after = stores_of(host, name, answer)
    except HostError as exc:
        raise type(exc)(
            f"{exc.message} Lync was requesting a certificate; whether it did is not known.{said}",
            place=_STEP,
            remedy=f"{exc.remedy} Before another request, look for a new certificate or a pending request on {name} "
            "(winpki.keyprovider.certificate_info for the stores My and REQUEST).",
        ) from exc
    return _outcome(name, wish, before, after, answer, waiting=waiting)


def _check(wish: LyncRequestWish) -> None:
    """Nothing may stand in a value that would make it two, or another parameter's.

    Raises:
        HostError: a value is not valid; the host was not asked.
    """
    if not _AUTHORITY.fullmatch(wish.ca):
        raise HostError(
            f"{wish.ca!r} does not name a CA.",
            remedy="Write 'ca' as certutil shows it, HOST\\CA name, such as ca01.contoso.example\\Contoso CA 1.",
        )
    if wish.template is not None and is_oid(wish.template):
        raise HostError(
            f"Request-CsCertificate takes a template by its name, and {wish.template!r} is an OID, which is all that a"
            " certificate tells of a later template.",
            remedy="Give the name (cn) of the template in 'template' (of the role: lync_certificates_request_template);"
            " winpki.keyprovider.template_info shows it.",
        )
    if wish.template is not None and not _TEMPLATE.fullmatch(wish.template):
        raise HostError(
            f"{wish.template!r} is not the name of a certificate template.",
            remedy="Give the name (cn) of the template in 'template', not its display name.",
        )
    if wish.friendly_name is not None and (not wish.friendly_name.strip() or _UNPRINTABLE.search(wish.friendly_name)):
        raise HostError(
            f"{wish.friendly_name!r} cannot be a friendly name.", remedy="Correct the option 'friendly_name'."
        )
    wrong = [one for one in wish.domain_names if not _NAME.fullmatch(one) or len(one) > 255]
    if wrong:
        raise HostError(
            f"{', '.join(repr(one) for one in wrong)} is not a DNS name.",
            remedy="Correct the option 'domain_names': one name an element, without blanks and commas.",
        )
    if wish.key_length is not None and wish.key_length not in KEY_LENGTHS:
        raise HostError(
            f"Request-CsCertificate makes no key of {wish.key_length} bits.",
            remedy=f"Give one of {', '.join(str(size) for size in KEY_LENGTHS)} in 'key_length'.",
        )


def _name_for(wish: LyncRequestWish, types: tuple[str, ...], before: Holdings) -> str:
    """A friendly name that follows from the wish, with a number when the store My has the name already: each has to be
    unique in the computer store (Lync Server 2013, certificate infrastructure requirements).
    """
    text = "\n".join([*sorted(types), *sorted(wish.domain_names), str(wish.key_length), str(wish.exportable)])
    digest = hashlib.sha256(f"{wish.ca}\n{wish.template}\n{text}".casefold().encode()).hexdigest()
    name = f"Lync {types[0]} {digest[:8]}"
    taken = {one.friendly_name for one in before.my}
    numbered = (f"{name} ({number})" for number in itertools.count(2))
    return next(each for each in itertools.chain([name], numbered) if each not in taken)


def _refuse_unknown_parameters(name: str, answer: Answer, wish: LyncRequestWish) -> None:
    known = {parameter.casefold() for parameter in answer.text("parameters").split()}
    wanted = {
        "New": True,
        "CA": True,
        "Template": wish.template is not None,
        "FriendlyName": True,
        "DomainName": bool(wish.domain_names),
        "KeySize": wish.key_length is not None,
        "PrivateKeyExportable": wish.exportable is not None,
    }
    missing = [f"-{parameter}" for parameter, used in wanted.items() if used and parameter.casefold() not in known]
    if missing:
        version = f" ({answer.text('version').strip()})" if answer.text("version").strip() else ""
        raise HostError(
            f"The version of Lync on {name}{version} does not know {', '.join(missing)}. Nothing was requested.",
            place=_STEP,
            remedy="Leave out what this version lacks.",
        )


def _outcome(
    name: str, wish: LyncRequestWish, before: Holdings, after: Holdings, answer: Answer, *, waiting: list[Certificate]
) -> dict[str, Any]:
    known = {one.thumbprint for one in (*before.my, *before.pending)}
    issued = [one for one in after.my if one.thumbprint not in known]
    pending = [one for one in after.pending if one.thumbprint not in known]
    if not issued and not pending:
        waiting_for = {one.thumbprint for one in waiting}
        pending = [one for one in after.pending if one.thumbprint in waiting_for]
    report = answer.text("report")
    said = said_by_lync(answer)
    where = f" Lync's own report is {report} on the host." if report and report not in said else ""
    found = _own(issued, wish) or _own(pending, wish)
    if found is None or "failure" in answer.told:
        left = _left_behind(issued, pending)
        # A number that Lync passes on is the same in every language.
        code = int(found_code[1], 16) if (found_code := _HRESULT.search(said)) else 0
        meaning, remedy = explain(code)
        if not remedy or code in _NOT_REACHED:
            remedy = f"Read Lync's report. {ADMINISTRATION}, that may enrol with the template. {_SECOND_HOP}"
        raise HostError(
            " ".join(filter(None, (f"Lync did not get a certificate from {wish.ca} on {name}. {said}", meaning, left)))
            + where,
            place=_STEP,
            remedy=remedy,
        )
    if found.key.kind == "ksp":
        raise HostError(
            f"The certificate that Lync requested from {wish.ca} on {name} has {key_words(found.key)}, which Lync "
            f"cannot use: Request-CsCertificate leaves the provider to the template{_named(wish)}. It was not assigned."
            f" {_left_behind(issued, pending)}{where}",
            place=_STEP,
            remedy="Make the template one for legacy providers with winpki.keyprovider.template, request again, and "
            "remove the certificate that was left behind (winpki.keyprovider.certificate_install with state absent).",
        )
    result: dict[str, Any] = {
        "changed": found.thumbprint not in known,
        "status": "issued" if found in issued else "pending",
        "thumbprint": found.thumbprint,
        "key": found.key.as_dict(),
        "report": report or None,
    }
    if warnings := [f"{_STEP} on {name} warned: {line}" for line in answer.text("warnings").splitlines() if line]:
        result["warnings"] = warnings
    return result


def _named(wish: LyncRequestWish) -> str:
    return f" {wish.template!r}" if wish.template else ", here Lync's default"


def _own(found: list[Certificate], wish: LyncRequestWish) -> Certificate | None:
    """The one that was asked for: somebody else may have enrolled meanwhile."""
    if len(found) == 1:
        return found[0]
    named = [one for one in found if one.friendly_name == wish.friendly_name]
    return named[0] if len(named) == 1 else None


def _left_behind(issued: list[Certificate], pending: list[Certificate]) -> str:
    left = [f"certificate {one.thumbprint} ({one.subject}) in the store My" for one in issued]
    left += [f"request {one.thumbprint} ({one.subject}) in the store REQUEST" for one in pending]
    return f"New on the host: {'; '.join(left)}." if left else "Nothing new is in the stores My and REQUEST."
