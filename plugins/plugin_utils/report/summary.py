# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count certificates by verdict and by kind of key: the ``summary`` of every result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from ..record import KeyKind

STATUSES = ("unsuitable", "undetermined", "warning", "suitable")
"""The possible verdicts, worst first."""

KINDS: tuple[str, ...] = get_args(KeyKind)


def status_of(certificate: Mapping[str, Any]) -> str:
    """The verdict on a certificate; without one that is known here, it is ``undetermined``."""
    status = (certificate.get("verdict") or {}).get("status")
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
