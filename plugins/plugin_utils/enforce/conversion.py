# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move the key of a certificate into another provider, on the host itself.

The certificate of My is the last thing that changes: until its new key is in the right provider, has proven that it
signs for this certificate and can be used by those who could use the old one, it points to the old key. What a run that
was cut has left stands in two stores beside My, where the next run finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from ..enrolment.conversion import (
    Aside,
    checked_target,
    hindrance,
    in_provider,
    reference_text,
    same_container,
    target_key,
)
from ..enrolment.installed import Holdings, find, removable_key, sharers, shown
from ..enrolment.key_access import accounts, parse_access
from ..enrolment.wish import RSA_SCHANNEL, EnrolmentError
from ..host.connection import HostError, WindowsHost
from ..profiles.model import Profile
from ..record import Certificate, Key
from .conversion_scripts import FORMER, QUERY_ASIDE, STAGED
from .conversion_steps import (
    aside_of,
    copy,
    drop,
    give_up,
    grant,
    link,
    look,
    record,
    unlink,
    wanted_access,
)
from .holdings import read_holdings
from .installation import differences, text_of
from .proof import Proof, prove
from .removal import refuse_used

_STEP = "conversion of the key"
_NOT_EXPORTABLE = (
    "Request a new certificate whose key is made in the wished provider. A key that was made as not exportable stays"
    " so: no setting of Windows changes that afterwards."
)
_RESTART = "Services that have the former key of a certificate open may go on with it until they are restarted."


@dataclass(frozen=True, kw_only=True)
class ConversionWish:
    """What is asked for."""

    thumbprint: str
    """40 upper-case hexadecimal digits."""
    profile: Profile
    provider: str = RSA_SCHANNEL
    exportable: bool = True
    retire_source_key: bool = False
    readers: tuple[str, ...] = ()
    """Accounts that are to use the key instead of those that can use it now, as names or SIDs."""


@dataclass
class _Run:
    """A conversion under way."""

    host: WindowsHost
    name: str
    wish: ConversionWish
    provider: str
    at: datetime
    before: Holdings
    after: Holdings
    proof: Proof | None = None
    access: dict[str, Any] = field(default_factory=lambda: {"before": None, "after": None})
    warnings: list[str] = field(default_factory=list)
    left: list[tuple[Key, Literal["retired", "shared", "kept"]]] = field(default_factory=list)
    """Former keys that it uses and knows no more, with what became of each."""
    spares: bool = False
    """Whether the new key is one that an earlier conversion kept, which no failure takes away."""

    @property
    def held(self) -> Certificate:
        """The certificate as My has it now.

        Raises:
            EnrolmentError: it is not there.
        """
        found = find(self.after.my, self.wish.thumbprint)
        if found is None:
            raise EnrolmentError(
                f"The store My of {self.name} holds no certificate {self.wish.thumbprint}.",
                place=_STEP,
                remedy="Correct the option 'thumbprint'; certificate_info lists the certificates of the host.",
            )
        return found

    @property
    def aside(self) -> tuple[Aside, ...]:
        """The other keys of the certificate that are recorded."""
        return aside_of(self.after, self.wish.thumbprint)

    @property
    def others(self) -> tuple[Aside, ...]:
        """Those of them that it does not use."""
        return tuple(one for one in self.aside if not same_container(one.key, self.held.key))


def convert(host: WindowsHost, name: str, wish: ConversionWish, *, check: bool, at: datetime) -> dict[str, Any]:
    """Move the key of a certificate of My into a provider and return the result of ``certificate_convert``.

    Args:
        host: the host that has it.
        name: its name, for messages.
        wish: what is asked for.
        check: look only.
        at: now, aware.

    Raises:
        EnrolmentError: the key cannot be moved, or a step failed; tells what the certificate uses now.
        HostError: the host could not be read, or the connection broke.
    """
    provider = checked_target(wish.provider)
    before = read_holdings(host, name, QUERY_ASIDE)
    run = _Run(host, name, wish, provider, at, before, before)
    held = run.held
    if not in_provider(held.key, provider):
        if not check:
            run.proof = _proven(run)
            _tidy(run)
        return _result(run, planned=None, check=check)
    _refuse_hindrance(run)
    if target_key(provider).kind == "ksp":
        try:
            run.warnings += refuse_used(host, name, wish.thumbprint, at=at)
        except EnrolmentError as exc:
            told = f"A key is not moved into CNG while Lync uses its certificate. {exc.message}"
            raise EnrolmentError(told, place=_STEP, remedy=exc.remedy) from exc
    facts = look(host, name, held)
    run.access["before"] = accounts(parse_access(facts.access)) if facts.access else None
    sddl = wanted_access(host, name, wish.readers, facts, held)
    candidate = _candidate(run)
    _refuse_third_key(run, candidate)
    if candidate is None and not facts.exportable:
        raise EnrolmentError(
            f"The key of {wish.thumbprint} ({held.subject}) in {held.key.provider} of {name} may not be exported, so"
            f" that it cannot be moved into {provider}. Nothing was changed.",
            place=_STEP,
            remedy=_NOT_EXPORTABLE,
        )
    if check:
        run.access["after"] = accounts(parse_access(sddl))
        return _result(run, planned=replace(held, key=target_key(provider)), check=True)
    _move(run, candidate, sddl)
    run.warnings.append(_RESTART)
    _tidy(run)
    return _result(run, planned=None, check=False)


def _refuse_hindrance(run: _Run) -> None:
    obstacle = hindrance(run.held)
    if obstacle:
        raise EnrolmentError(
            f"The key of {run.wish.thumbprint} ({run.held.subject or 'no subject'}) on {run.name} cannot be moved into"
            f" {run.provider}. {obstacle.reason} Nothing was changed.",
            place=_STEP,
            remedy=obstacle.remedy,
        )
    # The way back needs it written, too.
    reference_text(run.held.key)


def _candidate(run: _Run) -> Aside | None:
    """A key in the wished provider that an earlier run, or an earlier conversion, has left."""
    return next((one for one in run.others if not in_provider(one.key, run.provider)), None)


def _refuse_third_key(run: _Run, candidate: Aside | None) -> None:
    """Each store holds one key of a certificate: one that is neither the present nor the new one must go first.

    What a cut run staged in a wrong provider is no such key: the present key was recorded before.
    """
    under_way = any(one.store == FORMER and same_container(one.key, run.held.key) for one in run.aside)
    for one in run.others:
        if one == candidate or (one.store == STAGED and under_way):
            continue
        raise EnrolmentError(
            f"The certificate {run.wish.thumbprint} on {run.name} has another key from an earlier conversion already"
            f" ({one.key.container} of {one.key.provider}), and there can be one besides the one that it uses. Nothing"
            " was changed.",
            place=_STEP,
            remedy=f"Remove that one first: certificate_convert with provider: {run.held.key.provider} and"
            " retire_source_key: true.",
        )


def _move(run: _Run, candidate: Aside | None, sddl: str) -> None:
    held = run.held
    if candidate is None:
        candidate = _copied(run)
    elif not any(same_container(one.key, held.key) for one in run.aside):
        run.spares = True
        record(run.host, run.name, run.wish.thumbprint, FORMER if candidate.store == STAGED else STAGED)
    try:
        prove(run.host, run.name, candidate.certificate, candidate.store, cng=candidate.key.kind == "ksp")
        run.access["after"] = accounts(parse_access(grant(run.host, run.name, candidate, sddl)))
        run.after = link(run.host, run.name, held, candidate.certificate, run.provider)
    except EnrolmentError as exc:
        raise _given_up(run, exc) from exc
    try:
        run.proof = _proven(run)
    except EnrolmentError as exc:
        state = unlink(run.host, run.name, held)
        told = EnrolmentError(f"{exc.message} {state}", place=exc.place, remedy=exc.remedy)
        raise _given_up(run, told) from exc


def _copied(run: _Run) -> Aside:
    """A new copy of the key, in the wished provider.

    Raises:
        EnrolmentError: there is none; what was made is removed again.
        HostError: the connection broke.
    """
    staged = [one for one in run.aside if one.store == STAGED]
    if staged:
        gone = [(one, not same_container(one.key, run.held.key) and _fate(run, one) == "retired") for one in staged]
        run.after = drop(run.host, run.name, run.wish.thumbprint, gone)
    run.after = copy(run.host, run.name, run.held, run.provider, exportable=run.wish.exportable)
    made = next(one for one in run.aside if one.store == STAGED)
    faults = in_provider(made.key, run.provider)
    if faults:
        told = EnrolmentError(
            f"The copy of the key of {run.wish.thumbprint} on {run.name} did not come out as wished. {' '.join(faults)}"
            " The certificate uses its former key as before.",
            place="certutil -importPFX",
            remedy=f"Check that {run.provider} is installed on the host (certutil -csplist), and run it again.",
        )
        raise _given_up(run, told)
    return made


def _given_up(run: _Run, error: EnrolmentError) -> EnrolmentError:
    """The error of a step, after what the run had made was removed. The certificate must not use it."""
    try:
        run.after = read_holdings(run.host, run.name, QUERY_ASIDE)
        held = run.held
    except (EnrolmentError, HostError) as exc:
        return EnrolmentError(
            f"{error.message} What is left is not known: {exc.message}", place=error.place, remedy=error.remedy
        )
    copies = [one for one in run.others if one.store == STAGED and not run.spares]
    records = [one for one in run.aside if same_container(one.key, held.key)]
    state = give_up(run.host, run.name, run.wish.thumbprint, copies, records)
    return EnrolmentError(f"{error.message} {state}".strip(), place=error.place, remedy=error.remedy)


def _proven(run: _Run) -> Proof:
    return prove(run.host, run.name, run.held, cng=run.held.key.kind == "ksp")


def _tidy(run: _Run) -> None:
    """Remove the record of the key that is in use, and the former key with its record when that is asked for.

    A key that is another certificate's as well loses its record alone: the last one that had it takes it away.
    """
    keys = [(one, False) for one in run.aside if same_container(one.key, run.held.key)]
    if run.wish.retire_source_key:
        fates = [(one, _fate(run, one)) for one in run.others]
        keys += [(one, fate == "retired") for one, fate in fates if fate != "kept"]
        run.left += [(one.key, fate) for one, fate in fates if fate != "kept"]
    if keys:
        run.after = drop(run.host, run.name, run.wish.thumbprint, keys)


def _fate(run: _Run, key: Aside) -> Literal["retired", "shared", "kept"]:
    """What becomes of a key that is not needed any more; a warning tells why it stays."""
    container, note = removable_key(key.key)
    shared = sharers(key.certificate, replace(run.after, my=(*run.after.my, *run.after.aside)))
    if shared:
        note = (
            f"The former key of {run.wish.thumbprint} on {run.name} ({key.key.container} of {key.key.provider}) stays,"
            f" because it is or was also the key of {', '.join(other.thumbprint or '?' for other in shared)}."
        )
    run.warnings += [note] if note else []
    if shared:
        return "shared"
    return "retired" if container else "kept"


def _former(run: _Run, *, check: bool) -> dict[str, Any]:
    """The key that the certificate used before: what became of it, or would."""
    former = (Aside("My", run.held),) if check and in_provider(run.held.key, run.provider) else run.others
    if run.left:
        key, state = run.left[0]
    elif former:
        key = former[0].key
        state = _fate(run, former[0]) if check and run.wish.retire_source_key else "kept"
    else:
        return {"provider": None, "container": None, "state": "none"}
    return {"provider": key.provider, "container": key.container, "state": state}


def _result(run: _Run, *, planned: Certificate | None, check: bool) -> dict[str, Any]:
    thumbprint = run.wish.thumbprint
    was = find(run.before.my, thumbprint)
    became = planned or run.held
    others: Sequence[Certificate] = [one for one in run.after.my if one.thumbprint != thumbprint]
    former = _former(run, check=check)
    would_retire = check and former["state"] in ("retired", "shared")
    leftover = {(one.store, one.key.container) for one in aside_of(run.before, thumbprint)}
    moved = text_of(was) != text_of(became)
    dropped = not check and leftover != {(one.store, one.key.container) for one in run.aside}
    lines = text_of(became) + (f"former key: {former['state']}\n" if former["state"] != "none" else "")
    old = text_of(was) + ("former key: kept\n" if not moved and leftover else "")
    [before] = shown(run.before.my, thumbprint, run.wish.profile, at=run.at)
    [after] = shown([*others, became], thumbprint, run.wish.profile, at=run.at)
    changed = moved or dropped or would_retire
    return {
        "changed": changed,
        "thumbprint": thumbprint,
        "before": before,
        "after": after,
        "proof": run.proof.as_dict() if run.proof else None,
        "key_access": run.access,
        "former_key": former,
        "problems": [problem.as_dict() for problem in run.after.problems],
        "diff": differences(thumbprint, old, lines, []) if changed else [],
        "warnings": run.warnings,
    }
