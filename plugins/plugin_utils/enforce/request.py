# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a key and a request on a host with certreq, once: a request that is pending already is found and used again.

The host keeps the request file; the store REQUEST keeps a stand-in certificate with the public key of the request and
the record of its private key, until an answer is installed (certreq reference, ``-accept``). Both together are a
request that can be answered; whether it is what was asked for is compared before it leaves the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from ..audit.store import is_administrator
from ..enrolment.hresult import explain, shown
from ..enrolment.inf import identity, request_inf
from ..enrolment.installed import Holdings, key_faults, with_key
from ..enrolment.keys import public_key_of
from ..enrolment.requested import check_csr, only_request, request_pem, same_subject
from ..enrolment.wish import (
    EnrolmentError,
    RequestWish,
    advice,
    checked,
    friendly_name_from,
    provider_of,
)
from ..host.connection import HostError, WindowsHost
from ..host.courier import KEPT, Answer, complaint_of, locked
from ..record import Certificate
from .holdings import QUERY_STORES, read_holdings, stores_of
from .installation import differences, interrupted, run, text_of
from .removal import RemovalWish, remove

E_ACCESSDENIED = 0x80070005

_STEP = "certreq -new"

_DIRECTORY = "$d=[IO.Path]::Combine([IO.Path]::Combine({kept},'requests'),'{identity}')\n"
_FILES = "$i=$d+'\\request.inf'\n$q=$d+'\\request.req'\n"
_UNMADE = "if([IO.File]::Exists($q)){throw 'Another run made the request meanwhile'}\n"
# A request file of an earlier run goes first: certreq must not be able to leave it as its own.
_REPLACED = "if([IO.File]::Exists($q)){[IO.File]::Delete($q)}\n"
_NEW = """\
$b=[Convert]::FromBase64String((@($input) -join ''))
[IO.File]::WriteAllBytes($i,$b)
'keyprovider started'
& 'certreq.exe' '-new' '-machine' '-q' '-f' $i $q
'keyprovider exitnew '+$LASTEXITCODE
if([IO.File]::Exists($q)){'keyprovider req '+[Convert]::ToBase64String([IO.File]::ReadAllBytes($q))}
"""
_WITHOUT_REQUEST = "if(-not [IO.File]::Exists($q)){[IO.Directory]::Delete($d,$true)}\n"


class Pending(NamedTuple):
    """A request that waits for its answer."""

    der: bytes
    """PKCS #10."""
    entry: Certificate
    """Its stand-in in the store REQUEST."""


def request_certificate(
    host: WindowsHost,
    name: str,
    wish: RequestWish,
    *,
    check: bool,
    at: datetime,
    force_provider: bool = False,
    remove_leftovers: bool = False,
) -> dict[str, Any]:
    """Make a request, or find it again, and return the result of ``certificate_request``.

    Args:
        host: where the key is to live.
        name: its name, for messages.
        wish: what is asked for.
        check: plan only.
        at: the controller's clock; its date goes into the friendly name.
        force_provider: accept a key storage provider.
        remove_leftovers: remove pending requests of the same subject that nothing can answer.

    Raises:
        EnrolmentError: the wish is not allowed, certreq failed, or the request is not what was asked for; tells what
            was done and what is left.
        HostError: the host could not be read, or the connection broke.
    """
    try:
        wish = checked(wish, force_provider=force_provider)
    except EnrolmentError as exc:
        raise _with_state(exc, f"Nothing was done on {name}.") from exc
    before = read_holdings(host, name)
    found = _found(before, identity(wish))
    leftovers = _leftovers(before, wish)
    if found:
        _refuse_other(host, name, found, wish, check=check)
        friendly_name = found.entry.friendly_name
    else:
        friendly_name = _unique(friendly_name_from(wish, f"{at:%Y-%m-%d}"), (*before.my, *before.pending))
        wish = replace(wish, friendly_name=friendly_name)
    others = [] if found else _others(before, wish)
    removed = leftovers if remove_leftovers else []
    kept = [each for each in leftovers if each not in removed]
    if not check:
        for leftover in removed:
            remove(host, name, _removal(leftover), check_mode=False)
    pending = found if found or check else _make(host, name, wish, before)
    return {
        "changed": found is None or bool(removed),
        "csr": request_pem(pending.der) if pending else None,
        "request_thumbprint": pending.entry.thumbprint if pending else None,
        "key": pending.entry.key.as_dict() if pending else None,
        "identity": identity(wish),
        "friendly_name": friendly_name,
        "reused": found is not None,
        "leftovers": [_leftover(each) for each in kept],
        "removed": [_leftover(each) for each in removed],
        "subject": wish.subject,
        "subject_alt_names": list(wish.subject_alt_names),
        "template": wish.template,
        "problems": [problem.as_dict() for problem in before.problems],
        "warnings": [*advice(wish), *(_told(entry, name) for entry in others), *(_lost(entry, name) for entry in kept)],
        "diff": _diff(wish, removed, new=found is None),
    }


def _found(holdings: Holdings, name: str) -> Pending | None:
    """The saved request of an identity, when it is still pending. What was saved and cannot be read is replaced."""
    saved = (holdings.saved or {}).get(name)
    if saved is None:
        return None
    try:
        der = only_request(saved)
        entry = with_key(holdings.pending, public_key_of(der))
    except EnrolmentError:
        return None
    return Pending(der, entry) if entry else None


def _leftovers(holdings: Holdings, wish: RequestWish) -> list[Certificate]:
    """Pending requests of the same subject that have a key, but no request file that could still be submitted."""
    return [
        entry
        for entry in holdings.pending
        if entry.der is not None
        and entry.key.kind != "unrecorded"
        and same_subject(entry.subject, wish.subject)
        and not holdings.saved_of(public_key_of(entry.der))
    ]


def _others(holdings: Holdings, wish: RequestWish) -> list[Certificate]:
    """Pending requests of the same subject that were made with other options, and could still be answered."""
    return [
        entry
        for entry in holdings.pending
        if entry.der is not None
        and same_subject(entry.subject, wish.subject)
        and holdings.saved_of(public_key_of(entry.der))
    ]


def _told(entry: Certificate, name: str) -> str:
    return (
        f"Another request for {entry.subject} is pending on {name}: {entry.thumbprint}, with its key in"
        f" {entry.key.container!r} of {entry.key.provider}. When nobody waits for its answer any more, remove it"
        " (winpki.keyprovider.certificate_install with this thumbprint, store Request and state absent)."
    )


def _lost(entry: Certificate, name: str) -> str:
    return (
        f"A request for {entry.subject} is left over on {name}, whose file is not there any more: {entry.thumbprint},"
        f" with its key in {entry.key.container!r} of {entry.key.provider}. 'remove_leftovers' removes it."
    )


def _unique(base: str, certificates: Iterable[Certificate]) -> str:
    """A friendly name that no certificate has; Lync wants each to be unique in the computer's store."""
    taken = {held.friendly_name.casefold() for held in certificates if held.friendly_name}
    name, number = base, 1
    while name.casefold() in taken:
        number += 1
        name = f"{base} ({number})"
    return name


def _make(host: WindowsHost, name: str, wish: RequestWish, before: Holdings) -> Pending:
    """Let certreq make a key and a request.

    Raises:
        EnrolmentError: it did not, or the request is not what was asked for; what was made is removed again.
        HostError: the connection broke.
    """
    saved = identity(wish) in (before.saved or {})
    script = locked(
        _DIRECTORY.format(kept=KEPT, identity=identity(wish)) + _FILES,
        (_REPLACED if saved else _UNMADE) + _NEW + QUERY_STORES,
        afterwards=_WITHOUT_REQUEST,
    )
    answer = run(host, name, script, request_inf(wish), "Whether a request was made is not known")
    code = answer.codes.get("exitnew")
    if answer.error or code is None:
        state = "Nothing was made."
        if "started" in answer.told:
            state = "Whether a key was made is not known: a second run finds the request or names what is left of it."
        raise interrupted(name, answer, _STEP, state)
    after = stores_of(host, name, answer)
    known = {entry.thumbprint for entry in before.pending}
    new = [
        entry for entry in after.pending if entry.thumbprint not in known and same_subject(entry.subject, wish.subject)
    ]
    data = answer.told.get("req")
    if code or data is None:
        raise _failed(host, name, code, answer, new)
    try:
        der = only_request(data)
    except EnrolmentError as exc:
        raise _with_state(exc, _undone(host, name, new)) from exc
    entry = with_key(after.pending, public_key_of(der))
    if entry is None:
        raise EnrolmentError(
            f"certreq -new wrote a request on {name}, but the store REQUEST holds no entry with its key, without which "
            f"an answer cannot be installed. {_undone(host, name, new)}",
            place=_STEP,
            remedy="Look into the store with certutil -store REQUEST on the host, then run it again.",
        )
    made = Pending(der, entry)
    _refuse_other(host, name, made, wish, check=False)
    return made


def _refuse_other(host: WindowsHost, name: str, pending: Pending, wish: RequestWish, *, check: bool) -> None:
    """A request that is not what was asked for does not leave the host; its key is removed.

    Raises:
        EnrolmentError: it is not.
    """
    try:
        check_csr(pending.der, wish)
        faults = _key_faults(pending.entry, wish)
        if faults:
            raise EnrolmentError(
                f"The key of the request is not where it was asked for. {' '.join(faults)}",
                place="reading the pending request back",
                remedy=f"Check that {wish.provider} works on the host (certutil -csptest), then run it again.",
            )
    except EnrolmentError as exc:
        state = "Nothing was changed." if check else _undone(host, name, [pending.entry])
        raise _with_state(exc, state) from exc


def _key_faults(entry: Certificate, wish: RequestWish) -> list[str]:
    key = entry.key
    wanted = provider_of(wish)
    if wanted.kind == "csp":
        return key_faults(key, wanted.name)
    faults = []
    if key.kind != "ksp" or (key.provider or "").casefold() != wanted.name.casefold():
        faults.append(f"Its key is in {key.provider or 'no provider'} (kind {key.kind}), not in {wanted.name}.")
    if not key.machine_keyset:
        faults.append("Its key belongs to a user and not to the computer.")
    return faults


def _failed(host: WindowsHost, name: str, code: int, answer: Answer, new: Sequence[Certificate]) -> EnrolmentError:
    """The error of a certreq that made no request."""
    ended = f"ended with {shown(code)} on {name}" if code else f"ended without an error on {name}, but wrote no request"
    meaning, remedy = explain(code) if code else ("", "")
    if code == E_ACCESSDENIED:
        meaning = "Access was denied."
        remedy = "Use an account that is a local administrator of the host: only such ones make keys of the computer."
        if is_administrator(host):
            remedy = "The account is a local administrator: look at the permissions of the machine keys on the host."
    return EnrolmentError(
        " ".join(filter(None, (f"It {ended}.", meaning, _complaint(answer), _undone(host, name, new)))),
        place=_STEP,
        remedy=remedy or "Read what certreq said, and the event log of the host.",
    )


def _complaint(answer: Answer) -> str:
    """What certreq said, without the stores that were printed behind it."""
    return complaint_of(answer.said.partition("HKEY_LOCAL_MACHINE\\")[0])


def _undone(host: WindowsHost, name: str, entries: Sequence[Certificate]) -> str:
    """Remove what was made just now; what came of it, as sentences."""
    told = [] if entries else ["No pending request was left."]
    for entry in entries:
        try:
            notes = remove(host, name, _removal(entry), check_mode=False)["warnings"]
        except (EnrolmentError, HostError) as exc:
            key = entry.key
            told.append(
                f"What was made could not be removed ({exc.message.rstrip('.')}): the pending request "
                f"{entry.thumbprint} with the container {key.container!r} of {key.provider}. On the host, "
                f'certutil -csp "{key.provider}" -delkey "{key.container}" and then certutil -delstore REQUEST '
                f"{entry.thumbprint} remove it."
            )
        else:
            told += [
                "The request was removed again." if notes else "The request and its key were removed again.",
                *notes,
            ]
    return " ".join(told)


def _removal(entry: Certificate) -> RemovalWish:
    return RemovalWish(entry.thumbprint or "", store="Request")


def _with_state(error: EnrolmentError, state: str) -> EnrolmentError:
    return EnrolmentError(f"{error.message} {state}", place=error.place, remedy=error.remedy)


def _leftover(entry: Certificate) -> Mapping[str, Any]:
    return {
        "thumbprint": entry.thumbprint,
        "subject": entry.subject,
        "friendly_name": entry.friendly_name,
        "provider": entry.key.provider,
        "container": entry.key.container,
    }


def _diff(wish: RequestWish, removed: Sequence[Certificate], *, new: bool) -> list[dict[str, str]]:
    found = []
    if new:
        header = f"request {identity(wish)}"
        lines = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(wish).items()}
        text = "".join(f"{key}: {value}\n" for key, value in lines.items())
        found.append({"before_header": header, "after_header": header, "before": "", "after": text})
    for entry in removed:
        found += differences(entry.thumbprint or "", text_of(entry), "", [], "Request")
    return found
