# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count by verdict and by kind: the ``summary`` of every result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from ..record import KeyKind

STATUSES = ("unsuitable", "undetermined", "warning", "suitable")
"""The possible verdicts, worst first."""

CATEGORIES = ("csp", "ksp")
"""The kinds of provider that a template may ask for."""

KINDS: tuple[str, ...] = get_args(KeyKind)


def status_of(judged: Mapping[str, Any]) -> str:
    """The verdict on a certificate or a template; without one that is known here, it is ``undetermined``."""
    status = (judged.get("verdict") or {}).get("status")
    return status if status in STATUSES else "undetermined"


def kind_of(certificate: Mapping[str, Any]) -> str:
    """The kind of a certificate's key; ``unrecorded`` when the certificate does not say."""
    kind = (certificate.get("key") or {}).get("kind")
    return kind if kind in KINDS else "unrecorded"


def summary(certificates: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Count certificates as they stand in results, with their verdicts.

    Returns:
        ``total``, one count for each verdict, and ``by_kind`` with one count for each kind of key. Every
        count is there, zero included, and the verdicts add up to the total, as the kinds do.
    """
    seen = [(status_of(certificate), kind_of(certificate)) for certificate in certificates]
    statuses = Counter(status for status, _kind in seen)
    kinds = Counter(kind for _status, kind in seen)
    result: dict[str, Any] = {"total": len(seen)}
    result.update((status, statuses[status]) for status in reversed(STATUSES))
    result["by_kind"] = {kind: kinds[kind] for kind in KINDS}
    return result


def template_summary(templates: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Count templates as they stand in results: by verdict and category, the exposed and those that no CA offers."""
    seen = list(templates)
    statuses = Counter(map(status_of, seen))
    categories = Counter(template["category"] for template in seen)
    return {
        "total": len(seen),
        **{status: statuses[status] for status in reversed(STATUSES)},
        "by_category": {category: categories[category] for category in CATEGORIES},
        "exposed": sum(bool(template.get("exposures")) for template in seen),
        "unpublished": sum(not template["published_on"] for template in seen),
    }
