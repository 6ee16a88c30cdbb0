# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a Lync server and tell which certificates it needs and what the next steps are. Nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..audit.certificates import Observed, Wish, observe_store
from ..enrolment.conversion import checked_target, target_key
from ..enrolment.needs import Held, Need, Terms, flaws, has_key_in, plan_needs, superseded, unmet
from ..enrolment.needs_repair import repaired
from ..enrolment.shared import Peers, in_use_elsewhere, resolved
from ..host.connection import HostError, WindowsHost
from ..profiles.judge import judge_all
from ..profiles.model import Profile
from ..profiles.verdict import Verdict
from .conversion_scripts import FORMER, QUERY_ASIDE, STAGED
from .holdings import read_holdings, store_of

_STEPS = {
    "satisfied": "nothing to do.",
    "assign": "{successor} is to be assigned.",
    "convert": "the key of {convert} is to be moved into {provider}.",
    "request": "a new certificate is needed.",
    "transfer": "{successor} is to be taken over from {source_host}.",
    "waits": "waits for {source_host}.",
    "blocked": "no certificate can be requested.",
}
_NO_KEY_TO_MOVE = "no key can be moved into {provider}."
_OR_CONVERT = (
    "a new certificate is needed; if none can be requested, the key of {convert} is to be moved into {provider}."
)


def plan_host(
    host: WindowsHost, name: str, terms: Terms, profile: Profile, peers: Peers, *, at: datetime
) -> dict[str, Any]:
    """The result of ``lync_certificate_plan``. One command on the host, two when a conversion is thought of.

    Args:
        host: the Lync server.
        name: its inventory name.
        terms: what holds for all its certificates.
        profile: by which certificates are judged.
        peers: the needs of the other servers of the play, as earlier results had them.
        at: now, aware.

    Raises:
        HostError: the store or the assignments could not be read.
        EnrolmentError: what is asked for contradicts itself, or no key can be moved into the provider.
    """
    seen = observe_store(host, name, Wish(assignments=True), profile, at=at)
    refused = [problem for problem in seen.problems if problem.place == "Get-CsCertificate"]
    if not seen.lync and refused:
        raise HostError(refused[0].message, remedy=refused[0].remedy, place=refused[0].place)
    if not seen.lync and terms.asked:
        raise HostError(
            "Certificates are asked for Lync usages, but the host has no Lync cmdlets.",
            place="Get-CsCertificate",
            remedy="Install the administrative tools of Lync Server on it, or leave it out.",
        )
    order = {thumbprint: place for place, thumbprint in enumerate(seen.usages)}
    held = sorted(
        (
            Held(certificate, verdict, tuple(seen.usages.get(certificate.thumbprint or "", ())), converted)
            for certificate, verdict, converted in zip(
                seen.certificates, seen.verdicts, _converted(seen, terms, profile, at), strict=True
            )
        ),
        key=lambda one: order.get(one.certificate.thumbprint or "", len(order)),
    )
    store = frozenset(one.certificate.thumbprint or "" for one in held)
    unfit = frozenset(
        one.certificate.thumbprint or ""
        for one in held
        if flaws(one, terms, at) and not has_key_in(one.certificate, terms.provider)
    )
    planned = [repaired(need, held, terms, at=at) for need in plan_needs(held, terms, at=at)]
    needs = [resolved(need, name, peers, store, unfit) for need in planned]
    old = superseded(held, needs, in_use_elsewhere(name, peers), terms, at=at)
    staged, former = _moved_before(host, name, held, terms)
    return {
        "lync": seen.lync,
        "needs": [need.as_dict() for need in needs],
        "superseded": list(old),
        "unfinished": staged,
        "former_keys": former,
        "problems": [problem.as_dict() for problem in seen.problems],
        "lines": _lines(needs, held, old),
    }


def _converted(seen: Observed, terms: Terms, profile: Profile, at: datetime) -> Sequence[Verdict | None]:
    """The verdicts on the certificates with their keys in the wished provider, when a conversion is thought of.

    All are judged together, because the friendly names of a store are counted.
    """
    if not terms.converts:
        return [None] * len(seen.certificates)
    key = target_key(checked_target(terms.provider))
    moved = [replace(certificate, key=key) for certificate in seen.certificates]
    return judge_all(moved, profile, at=at, assignments=seen.usages)


def _moved_before(host: WindowsHost, name: str, held: Sequence[Held], terms: Terms) -> tuple[list[str], list[str]]:
    """The certificates whose key is in the wished provider by a conversion that a cut left unfinished, and those whose
    former key is still there. Looked for when a conversion is thought of.

    Raises:
        HostError: the host could not be read.
    """
    if not terms.converts:
        return [], []
    there = {one.certificate.thumbprint for one in held if has_key_in(one.certificate, terms.provider)}
    recorded: dict[str, set[str]] = {STAGED.casefold(): set(), FORMER.casefold(): set()}
    for one in read_holdings(host, name, QUERY_ASIDE).aside:
        if one.thumbprint and one.thumbprint in there:
            recorded.setdefault(store_of(one), set()).add(one.thumbprint)
    return sorted(recorded[STAGED.casefold()]), sorted(recorded[FORMER.casefold()])


def _lines(needs: Sequence[Need], held: Sequence[Held], old: Sequence[str]) -> list[str]:
    """What a person reads: one line for each need."""
    lines = []
    for need in needs:
        step = _step(need).format(
            successor=_short(need.successor),
            source_host=need.source_host,
            convert=_short(need.convert),
            provider=need.provider,
        )
        now = f" (now {_short(need.current)})" if need.current else ""
        lines.append(" ".join((f"{', '.join(need.types)}{now}: {step}", *_short_reasons(need, held))))
    return [*lines, *(f"{_short(thumbprint)} has been replaced." for thumbprint in old)]


def _step(need: Need) -> str:
    """What comes next, with names to be filled in."""
    if need.state == "blocked" and need.repair == "convert":
        return _NO_KEY_TO_MOVE
    return _OR_CONVERT if need.state == "request" and need.convert else _STEPS[need.state]


def _short_reasons(need: Need, held: Sequence[Held]) -> list[str]:
    """The reasons of a need, with what was found in place of why a product cannot use it."""
    reasons = list(need.reasons)
    for one in held:
        named = any(one.certificate.thumbprint in reason for reason in reasons if one.certificate.thumbprint)
        used = need.state != "blocked" or need.repair == "convert"
        if not (named or (used and set(one.usages) & set(need.types))):
            continue
        for result in one.verdict.requirements:
            if result.actual:
                reasons = [reason.replace(unmet(result), f"{result.name}: {result.actual}.") for reason in reasons]
    return reasons


def _short(thumbprint: str | None) -> str:
    """Enough of a thumbprint to find the certificate; the table of the reports shows as much."""
    return f"{thumbprint[:8]}..." if thumbprint else ""
