# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a Lync server and tell which certificates it needs and what the next steps are. Nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ..audit.certificates import Wish, observe_store
from ..enrolment.needs import Held, Need, Terms, plan_needs, superseded, unmet
from ..enrolment.shared import Peers, in_use_elsewhere, resolved
from ..host.connection import HostError, WindowsHost
from ..profiles.model import Profile

_STEPS = {
    "satisfied": "nothing to do.",
    "assign": "{successor} is to be assigned.",
    "request": "a new certificate is needed.",
    "transfer": "{successor} is to be taken over from {source_host}.",
    "waits": "waits for {source_host}.",
    "blocked": "no certificate can be requested.",
}


def plan_host(
    host: WindowsHost, name: str, terms: Terms, profile: Profile, peers: Peers, *, at: datetime
) -> dict[str, Any]:
    """The result of ``lync_certificate_plan``. One command on the host.

    Args:
        host: the Lync server.
        name: its inventory name.
        terms: what holds for all its certificates.
        profile: by which certificates are judged.
        peers: the needs of the other servers of the play, as earlier results had them.
        at: now, aware.

    Raises:
        HostError: the store or the assignments could not be read.
        EnrolmentError: what is asked for contradicts itself.
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
            Held(certificate, verdict, tuple(seen.usages.get(certificate.thumbprint or "", ())))
            for certificate, verdict in zip(seen.certificates, seen.verdicts, strict=True)
        ),
        key=lambda one: order.get(one.certificate.thumbprint or "", len(order)),
    )
    store = frozenset(one.certificate.thumbprint or "" for one in held)
    needs = [resolved(need, name, peers, store) for need in plan_needs(held, terms, at=at)]
    old = superseded(held, needs, in_use_elsewhere(name, peers), terms, at=at)
    return {
        "lync": seen.lync,
        "needs": [need.as_dict() for need in needs],
        "superseded": list(old),
        "problems": [problem.as_dict() for problem in seen.problems],
        "lines": _lines(needs, held, old),
    }


def _lines(needs: Sequence[Need], held: Sequence[Held], old: Sequence[str]) -> list[str]:
    """What a person reads: one line for each need."""
    lines = []
    for need in needs:
        step = _STEPS[need.state].format(successor=_short(need.successor), source_host=need.source_host)
        now = f" (now {_short(need.current)})" if need.current else ""
        lines.append(" ".join((f"{', '.join(need.types)}{now}: {step}", *_short_reasons(need, held))))
    return [*lines, *(f"{_short(thumbprint)} has been replaced." for thumbprint in old)]


def _short_reasons(need: Need, held: Sequence[Held]) -> list[str]:
    """The reasons of a need, with what was found in place of why a product cannot use it."""
    reasons = list(need.reasons)
    for one in held:
        named = any(one.certificate.thumbprint in reason for reason in reasons if one.certificate.thumbprint)
        if not (named if need.state == "blocked" else set(one.usages) & set(need.types)):
            continue
        for result in one.verdict.requirements:
            if result.actual:
                reasons = [reason.replace(unmet(result), f"{result.name}: {result.actual}.") for reason in reasons]
    return reasons


def _short(thumbprint: str | None) -> str:
    """Enough of a thumbprint to find the certificate; the table of the reports shows as much."""
    return f"{thumbprint[:8]}..." if thumbprint else ""
