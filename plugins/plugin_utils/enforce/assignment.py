# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assign one certificate to Lync usages: look, compare, assign, read back.

What counts is what Get-CsCertificate tells afterwards, not that Set-CsCertificate was silent. Usages that are kept in
the Central Management store need another call than those of the computer; both are made when both are asked for, those
of the computer first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..audit.certificates import normalise_thumbprint
from ..enrolment.errors import EnrolmentError
from ..enrolment.installed import find
from ..host.connection import HostError, WindowsHost
from ..host.courier import Answer, carry
from ..lync.assignments import ADMINISTRATION, DOUBLE_HOP, Assigned, LyncState, check, said_by_lync, state_of
from ..lync.cmdlets import assigning_script, reading_script
from ..lync.usages import GLOBAL_TYPES, checked_types
from ..record import Certificate, EvidenceError, Key
from .holdings import QUERY_STORES, stores_of
from .proof import prove

_STEP = "Set-CsCertificate"


@dataclass(frozen=True)
class AssignmentWish:
    """What a task asks for, as it was given."""

    types: tuple[str, ...]
    thumbprint: str
    identity: str | None = None
    """``global``, or ``None`` for what fits the types."""
    effective_date: str | None = None
    """ISO 8601 with a zone."""
    roll: bool = False


@dataclass(frozen=True)
class _Work:
    """The wish, checked, with what was found."""

    name: str
    types: tuple[str, ...]
    certificate: Certificate
    thumbprint: str
    effective_date: datetime | None
    roll: bool
    before: LyncState
    at: datetime

    def holds(self, state: LyncState, name: str, *, afterwards: bool = False) -> bool:
        """Whether a usage has the certificate as it is wanted.

        A date that Lync has accepted is not compared again ``afterwards``.
        """
        rows = [one for one in state.of([name]) if name not in GLOBAL_TYPES or one.identity == "global"]
        mine = [one for one in rows if one.thumbprint == self.thumbprint]
        if self.effective_date is None:
            # Beside another certificate, one with a date to come is not in force yet.
            return any(len(mine) == len(rows) or not _is_later(one.effective_date, self.at) for one in mine)
        return any(
            afterwards or not _is_later(one.effective_date, self.at) or one.effective_date == self.effective_date
            for one in mine
        )

    @property
    def pending(self) -> tuple[str, ...]:
        """The usages that have to be assigned."""
        return tuple(name for name in self.types if not self.holds(self.before, name))


def assign_certificate(
    host: WindowsHost, name: str, wish: AssignmentWish, *, check_only: bool, at: datetime
) -> dict[str, Any]:
    """Do it and return the result of ``lync_certificate``. One command to look, and one for each call.

    Args:
        host: the Lync server.
        name: its inventory name.
        wish: what is asked for.
        check_only: look and compare only.
        at: now, aware.

    Raises:
        EnrolmentError: the key of the certificate cannot be used; nothing was changed.
        HostError: the wish cannot be fulfilled, and nothing was changed; or Lync did not assign the certificate, and
            the message tells what is assigned now.
        HostUnreachable: the connection broke; whether the certificate was assigned is not known then.
    """
    work = _look(host, name, wish, at)
    result: dict[str, Any] = {
        "changed": bool(work.pending),
        "version": work.before.version,
        "before": _shown(work.before, work.types),
        "report": None,
    }
    after, warnings = work.before, _warnings(work)
    if work.pending and check_only:
        after = _expected(work)
    elif work.pending:
        _prove(host, work)
        for types in _calls(work.pending):
            after, answer = _assign(host, work, types)
            result["report"] = answer.text("report") or None
            warnings += [f"{_STEP} on {name} warned: {line}" for line in answer.text("warnings").splitlines() if line]
        warnings += _lagging(work, after)
    result["after"] = _shown(after, work.types)
    header = f"Lync certificates of {name}"
    result["diff"] = [
        {
            "before_header": header,
            "after_header": header,
            "before": _lines(work.before, work.types),
            "after": _lines(after, work.types),
        }
    ]
    if warnings:
        result["warnings"] = warnings
    return result


def _look(host: WindowsHost, name: str, wish: AssignmentWish, at: datetime) -> _Work:
    """Check the wish, read the host, and refuse what cannot be done.

    Raises:
        HostError: it cannot be done; nothing was changed.
    """
    types = checked_types(wish.types)
    thumbprint = _thumbprint(wish.thumbprint)
    date = _date(wish.effective_date) if wish.effective_date else None
    if wish.roll and date is None:
        raise HostError(
            "Without a date there is nothing to roll to: -Roll works with -EffectiveDate only.",
            place=_STEP,
            remedy="Give 'effective_date', or leave 'roll' out.",
        )
    local = [one for one in types if one not in GLOBAL_TYPES]
    if wish.identity and local:
        raise HostError(
            f"{', '.join(local)} cannot be assigned globally; only {', '.join(GLOBAL_TYPES)} can.",
            place=_STEP,
            remedy="Leave 'identity' out: what is global is found by its type.",
        )
    answer = carry(host, name, QUERY_STORES + reading_script())
    try:
        check(answer, name)
        before = state_of(answer, name)
    except HostError as exc:
        raise type(exc)(f"{exc.message} Nothing was changed.", place=_STEP, remedy=exc.remedy) from exc
    _refuse_unknown_parameters(name, before, types, date, roll=wish.roll)
    certificate = find(stores_of(host, name, answer).my, thumbprint)
    if certificate is None:
        raise HostError(
            f"{name} has no certificate {thumbprint} in LocalMachine\\My, where Lync looks for it. "
            f"{_now(before, types)}",
            place=_STEP,
            remedy="Install the certificate with its private key first (winpki.keyprovider.certificate_install), or "
            "correct the option 'thumbprint'.",
        )
    work = _Work(name, types, certificate, thumbprint, date, wish.roll, before, at)
    if date is not None and work.pending and not _is_later(date, at):
        raise HostError(
            f"The date {_iso(date)} has passed, so nothing can take effect from then on. {_now(before, types)}",
            place=_STEP,
            remedy="Give an 'effective_date' to come, or leave it out to assign the certificate at once; compare the "
            "clock of the controller if the date should be one to come.",
        )
    if date is not None and certificate.not_after is not None and date >= certificate.not_after:
        raise HostError(
            f"The certificate {thumbprint} ends on {_iso(certificate.not_after)}, before the date {_iso(date)} from "
            f"which on it is to count. {_now(before, types)}",
            place=_STEP,
            remedy="Give an earlier 'effective_date', or a certificate that is valid then.",
        )
    if before.global_error and any(one in GLOBAL_TYPES for one in types):
        raise HostError(
            f"What is assigned globally could not be read on {name}. Lync said: {before.global_error.rstrip('.')}. "
            "Nothing was changed.",
            place="Get-CsCertificate -Identity global",
            remedy=f"{DOUBLE_HOP} {ADMINISTRATION}.",
        )
    return work


def _prove(host: WindowsHost, work: _Work) -> None:
    """What works is given up for nothing whose key is not proven: the run that installed it may have ended before.

    A key that is in no legacy provider is left to Lync, which says itself that it cannot use it.

    Raises:
        EnrolmentError: the key cannot be used, or is not that of the certificate; nothing was assigned.
    """
    if work.certificate.key.kind != "csp":
        return
    try:
        prove(host, work.name, work.certificate)
    except EnrolmentError as exc:
        raise EnrolmentError(
            f"{exc.message} Nothing was assigned. {_now(work.before, work.types)}", place=exc.place, remedy=exc.remedy
        ) from exc


def key_words(key: Key) -> str:
    """Where a key is recorded to live, as the object of a sentence."""
    if key.kind == "unrecorded":
        return "no recorded key provider"
    kind = {"csp": " (CSP)", "ksp": " (a key storage provider, CNG)"}.get(key.kind, f" ({key.kind})")
    return f"its key in {key.provider or 'a provider without a name'!r}{kind}"


def _thumbprint(text: str) -> str:
    try:
        return normalise_thumbprint(text)
    except EvidenceError as exc:
        raise HostError(exc.message, remedy="Correct the option 'thumbprint'.") from exc


def _date(text: str) -> datetime:
    remedy = (
        "Write 'effective_date' as ISO 8601 with a zone, such as 2026-07-31T06:00:00+02:00 or 2026-07-31T04:00:00Z."
    )
    try:
        moment = datetime.fromisoformat(text.strip().upper().replace("Z", "+00:00"))
        if moment.tzinfo is None:
            raise HostError(f"The date {text!r} has no zone, so it is not clear which moment it is.", remedy=remedy)
        return moment.astimezone(timezone.utc).replace(microsecond=0)
    except (ValueError, OverflowError) as exc:
        raise HostError(f"{text!r} is not a date.", remedy=remedy) from exc


def _refuse_unknown_parameters(
    name: str, state: LyncState, types: Sequence[str], date: datetime | None, *, roll: bool
) -> None:
    """Lync 2010 has no -Identity, -EffectiveDate and -Roll ("Applicable" lines of the reference)."""
    needed = {
        "Identity": any(one in GLOBAL_TYPES for one in types),
        "EffectiveDate": date is not None,
        "Roll": roll,
    }
    missing = [f"-{parameter}" for parameter, wanted in needed.items() if wanted and not state.has(parameter)]
    if missing:
        version = f" ({state.version})" if state.version else ""
        raise HostError(
            f"The version of Lync on {name}{version} does not know {', '.join(missing)}. Nothing was changed.",
            place=_STEP,
            remedy="Leave out what this version lacks ('effective_date', 'roll', the type OAuthTokenIssuer); Lync "
            "Server 2013 is the first to have it.",
        )


def _calls(types: Sequence[str]) -> list[tuple[str, ...]]:
    """The usages of the computer, and those that are global; each part is one call."""
    parts = (
        tuple(one for one in types if one not in GLOBAL_TYPES),
        tuple(one for one in types if one in GLOBAL_TYPES),
    )
    return [part for part in parts if part]


def _assign(host: WindowsHost, work: _Work, types: tuple[str, ...]) -> tuple[LyncState, Answer]:
    everywhere = types[0] in GLOBAL_TYPES
    moment = work.at.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    script = assigning_script(
        types,
        work.thumbprint,
        f"assign-{moment}-{work.thumbprint[:8]}{'-global' if everywhere else ''}.html",
        everywhere=everywhere,
        effective_date=work.effective_date,
        roll=work.roll,
    )
    what = f"certificate {work.thumbprint} to {', '.join(types)}"
    said = ""
    try:
        answer = carry(host, work.name, script)
        said = f" {said_by_lync(answer)}" if "failure" in answer.told else ""
        check(answer, work.name)
        after = state_of(answer, work.name)
    except HostError as exc:
        raise type(exc)(
            f"{exc.message} It was to assign {what}; whether it did is not known.{said}",
            place=_STEP,
            remedy=f"{exc.remedy} A second run finds what was done and goes on.",
        ) from exc
    if all(work.holds(after, one, afterwards=True) for one in types):
        return after, answer
    raise _failure(work, types, after, answer)


def _failure(work: _Work, types: Sequence[str], after: LyncState, answer: Answer) -> HostError:
    """What was asked, what Lync said, what is assigned now, and the way out."""
    report, said = answer.text("report"), said_by_lync(answer)
    told = [
        f"Lync did not assign certificate {work.thumbprint} to {', '.join(types)} on {work.name}.",
        f"The certificate ({work.certificate.subject}) has {key_words(work.certificate.key)}.",
        said,
        _now(after, work.types, work.before),
        f"Lync's own report is {report} on the host." if report and report not in said else "",
    ]
    if after.global_error and types[0] in GLOBAL_TYPES:
        told.insert(3, f"What is global could not be read again: {after.global_error.rstrip('.')}.")
    if work.certificate.key.kind == "ksp":
        remedy = (
            "Lync opens keys through CryptoAPI, which does not reach a key storage provider (CNG); it tells so with "
            "'The buffer supplied to a function was too small' or 'Invalid provider type specified'. Request the "
            "certificate anew with a key in 'Microsoft RSA SChannel Cryptographic Provider' "
            "(winpki.keyprovider.certificate_request)."
        )
    else:
        remedy = f"Read Lync's report. {ADMINISTRATION}."
    if types[0] in GLOBAL_TYPES:
        remedy = (
            "The key of a certificate that is global has to be exportable, for Lync copies it to all servers:"
            f" request it with exportable: true. {remedy} {DOUBLE_HOP}"
        )
    return HostError(" ".join(text for text in told if text), place=_STEP, remedy=remedy)


def _now(state: LyncState, types: Sequence[str], before: LyncState | None = None) -> str:
    """What is assigned, in words; with ``before`` also whether that is what it was."""
    told = []
    for name in types:
        rows = _thumbprints(state, name)
        if not rows:
            told.append(f"{name} has no certificate")
        elif before is not None and rows == _thumbprints(before, name):
            told.append(f"{name} is still assigned to {' and '.join(rows)}")
        else:
            told.append(f"{name} is {'now ' if before else ''}assigned to {' and '.join(rows)}")
    return f"{'; '.join(told)}."


def _thumbprints(state: LyncState, name: str) -> list[str]:
    return [f"{one.thumbprint} (global)" if one.identity else one.thumbprint for one in state.of([name])]


def _warnings(work: _Work) -> list[str]:
    found = []
    if work.certificate.key.kind == "ksp":
        found.append(
            f"The certificate {work.thumbprint} has {key_words(work.certificate.key)}; Lync Server and Skype for "
            "Business Server 2015 cannot use such keys."
        )
    if work.effective_date is None:
        found += [
            f"{one.type} has the certificate {one.thumbprint} with effect from {_iso(one.effective_date)} only."
            for one in work.before.of(work.types)
            if one.thumbprint == work.thumbprint
            and one.type not in work.pending
            and _is_later(one.effective_date, work.at)
        ]
    return found


def _lagging(work: _Work, after: LyncState) -> list[str]:
    return [
        f"{one.type} is assigned globally, but {work.name} still has {one.thumbprint}: the Central Management store is "
        "not replicated to it yet."
        for one in after.of(GLOBAL_TYPES)
        if one.type in work.pending and one.identity is None and one.thumbprint != work.thumbprint
    ]


def _expected(work: _Work) -> LyncState:
    """What would be assigned."""
    details = work.certificate.details
    names = details.subject_alt_names if details else ()
    kept = [one for one in work.before.assigned if one.type not in work.pending]
    new = [
        Assigned(
            one,
            work.thumbprint,
            subject=work.certificate.subject,
            issuer=work.certificate.issuer,
            serial_number=work.certificate.serial_number,
            alternative_names=tuple(name[4:] for name in names if name.startswith("dns:")),
            not_before=work.certificate.not_before,
            not_after=work.certificate.not_after,
            effective_date=work.effective_date,
            previous_thumbprint=next((old.thumbprint for old in work.before.of([one])), None) if work.roll else None,
            identity="global" if one in GLOBAL_TYPES else None,
        )
        for one in work.pending
    ]
    return LyncState(work.before.version, work.before.parameters, (*kept, *new))


def _shown(state: LyncState, types: Sequence[str]) -> list[dict[str, Any]]:
    return [one.as_dict() for one in state.of(types)]


def _lines(state: LyncState, types: Sequence[str]) -> str:
    lines = []
    for name in types:
        for one in state.of([name]):
            date = f" from {_iso(one.effective_date)}" if one.effective_date else ""
            scope = f" ({one.identity})" if one.identity else ""
            lines.append(f"{name}{scope}: {one.thumbprint}{date}\n")
    return "".join(lines)


def _is_later(moment: datetime | None, at: datetime) -> bool:
    return moment is not None and moment > at


def _iso(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
