# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge certificates and requests by a profile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from ..record import Certificate, Request
from .checks import CHECKS, Context
from .model import Profile
from .verdict import Verdict, overall_status


def judge(
    certificate: Certificate,
    profile: Profile,
    *,
    at: datetime,
    friendly_names: Mapping[str, int] | None = None,
    assignments: Sequence[str] = (),
) -> Verdict:
    """Judge one certificate.

    Args:
        certificate: as a reader yielded it.
        profile: what the product requires.
        at: the moment to judge the validity at; aware.
        friendly_names: how many certificates of the store have each friendly name; ``None`` when the store is not
            known, and then the uniqueness of the name is left out.
        assignments: the usages that the product has assigned the certificate to.

    Returns:
        the verdict; :func:`~.verdict.overall_status` says how it follows from the results.

    """
    return _judged(certificate, profile, Context(at, friendly_names, assignments))


def judge_all(
    certificates: Sequence[Certificate],
    profile: Profile,
    *,
    at: datetime,
    assignments: Mapping[str, Sequence[str]] | None = None,
) -> list[Verdict]:
    """Judge certificates in their order, friendly names counted among those of the same file or host.

    Args:
        certificates: as readers yielded them. The same certificate found twice counts once.
        profile: what the product requires.
        at: the moment to judge the validity at; aware.
        assignments: the usages assigned to a certificate, by thumbprint.

    """
    contexts = {origin: Context(at, names) for origin, names in _friendly_names(certificates).items()}
    verdicts = []
    for certificate in certificates:
        context = contexts[certificate.source.origin]
        usages = assignments.get(certificate.thumbprint or "") if assignments else None
        if usages:
            context = Context(at, context.friendly_names, usages)
        verdicts.append(_judged(certificate, profile, context))
    return verdicts


def judge_request(request: Request, profile: Profile, *, at: datetime) -> Verdict:
    """Judge a request by those requirements that a request can answer.

    These are the key: its provider, algorithm, size and key specification, and the extended key usage where the
    request names it. The rest is the CA's decision or the computer's, and is left out.
    """
    return _judged(request, profile, Context(at))


def _judged(record: Certificate | Request, profile: Profile, context: Context) -> Verdict:
    results = []
    for requirement in profile.requirements:
        found = CHECKS[requirement.name](record, requirement, context)
        if found is not None:
            results.append(requirement.result(*found))
    return Verdict(profile.name, overall_status(results), tuple(results))


def _friendly_names(certificates: Sequence[Certificate]) -> dict[str, dict[str, int]]:
    """How many different certificates have each friendly name, by origin."""
    holders: dict[str, dict[str, set[object]]] = {}
    for number, certificate in enumerate(certificates):
        names = holders.setdefault(certificate.source.origin, {})
        if certificate.friendly_name:
            names.setdefault(certificate.friendly_name, set()).add(certificate.thumbprint or number)
    return {origin: {name: len(each) for name, each in names.items()} for origin, names in holders.items()}
