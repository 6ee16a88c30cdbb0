# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Needs that are met without a new certificate: the key of one that is there is moved into the wished provider.

A conversion keeps the certificate as it is, so it helps where the key is the only fault. Whether the key may be
exported is not in the store; the conversion itself asks the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from .conversion import hindrance
from .needs import Held, Need, Terms, faults, has_names_and_template, moment_of

_REQUEST_ANEW = "Request a new certificate (repair: request)."
_GLOBAL = (
    "A conversion is not offered for {types}: the Central Management store hands certificate and key on to all servers,"
    " and what it makes of a copy whose key was moved on one of them is not known."
)


def repaired(need: Need, held: Sequence[Held], terms: Terms, *, at: datetime) -> Need:
    """A need with the certificate whose key can be moved so that it is met, as far as its ``repair`` wants that.

    With ``convert`` its state becomes ``convert``, or ``blocked`` when there is no such certificate. With
    ``request_or_convert`` it stays ``request``; the certificate is there for when no other can be requested.

    Args:
        need: as :func:`~.needs.plan_needs` has it.
        held: the certificates of the store, each with its verdict after a conversion.
        terms: what holds for all needs.
        at: now, aware.
    """
    if need.repair == "request" or need.state not in ("request", "blocked"):
        return need
    if need.shared == "global":
        told = _GLOBAL.format(types=", ".join(need.types))
        return replace(need, reasons=(*need.reasons, told)) if need.repair == "convert" else need
    obstacles = [(one, _obstacles(one, need, terms, at)) for one in held if _comes_into_question(one, need)]
    ready = [one for one, found in obstacles if not found]
    if ready:
        # Assignments are by thumbprint: those of a certificate in use go on working.
        best = max(ready, key=lambda one: _rank(one, need)).certificate.thumbprint
        converts = need.repair == "convert" or need.state == "blocked"
        return replace(need, state="convert" if converts else need.state, convert=best)
    if need.repair == "request_or_convert":
        return need
    told = f"No certificate of the store holds all of its names, so that there is no key to move. {_REQUEST_ANEW}"
    if obstacles:
        fewest = min(len(found) for _one, found in obstacles)
        nearest, found = max(
            (pair for pair in obstacles if len(pair[1]) == fewest), key=lambda pair: _rank(pair[0], need)
        )
        told = _why_not(nearest, found, need)
    return replace(need, state="blocked", reasons=(*need.reasons, told))


def _comes_into_question(one: Held, need: Need) -> bool:
    """Whether a certificate is assigned to usages of a need, or to nothing and issued for it. What other usages have
    is for their own needs to decide.
    """
    if one.usages:
        return _serves(one, need)
    return not one.certificate.archived and has_names_and_template(one.certificate, need)


def _serves(one: Held, need: Need) -> bool:
    return bool(set(one.usages) & set(need.types))


def _rank(one: Held, need: Need) -> tuple[bool, datetime, str]:
    return _serves(one, need), moment_of(one.certificate.not_before), one.certificate.thumbprint or ""


def _obstacles(one: Held, need: Need, terms: Terms, at: datetime) -> list[str]:
    """Why the need is not met by moving the key of a certificate; whole sentences."""
    obstacle = hindrance(one.certificate)
    if obstacle:
        return [f"{obstacle.reason} {obstacle.remedy}"]
    return faults(replace(one, verdict=one.converted or one.verdict), need, terms, at)


def _why_not(one: Held, found: Sequence[str], need: Need) -> str:
    thumbprint = one.certificate.thumbprint
    if hindrance(one.certificate):
        return f"The key of {thumbprint} cannot be moved into {need.provider}. {found[0]}"
    return (
        f"Moving the key of {thumbprint} into {need.provider} would not do, because a conversion keeps the certificate"
        f" as it is: {' '.join(found)} {_REQUEST_ANEW}"
    )
