# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What judging a certificate yields: one result for each requirement, and the verdict that follows from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Confidence = Literal["high", "medium", "low"]
RequirementStatus = Literal["met", "warning", "unmet", "unknown"]
VerdictStatus = Literal["suitable", "warning", "unsuitable", "undetermined"]

DECISIVE = "key_provider"
"""The requirement without which nothing else matters."""


@dataclass(frozen=True)
class RequirementResult:
    """How a certificate stands to one requirement of a profile."""

    name: str
    status: RequirementStatus
    expected: str
    actual: str | None
    """What was found; ``None`` when the evidence does not show it."""
    reason: str | None
    """Why the status is what it is; may be ``None`` when the requirement is met."""
    remedy: str | None
    """What to do; ``None`` when the requirement is met."""
    source: str
    """The document that the requirement comes from."""
    confidence: Confidence

    def as_dict(self) -> dict[str, Any]:
        """One element of ``requirements`` of the public interface."""
        return {
            "name": self.name,
            "status": self.status,
            "expected": self.expected,
            "actual": self.actual,
            "reason": self.reason,
            "remedy": self.remedy,
            "source": self.source,
            "confidence": self.confidence,
        }


@dataclass(frozen=True)
class Verdict:
    """Whether a product can use a certificate, with the results that say why."""

    profile: str
    status: VerdictStatus
    requirements: tuple[RequirementResult, ...]

    def as_dict(self) -> dict[str, Any]:
        """The ``verdict`` mapping of the public interface."""
        return {
            "profile": self.profile,
            "status": self.status,
            "requirements": [requirement.as_dict() for requirement in self.requirements],
        }


def overall_status(results: Iterable[RequirementResult]) -> VerdictStatus:
    """The verdict that follows from the results, by the first of these that holds.

    1. A requirement is unmet: ``unsuitable``, whatever else is unknown.
    2. The key provider is unknown: ``undetermined``. The product refuses or takes the certificate for its provider,
       so a warning about anything else would only distract from finding it out.
    3. A requirement warns: ``warning``. It is told even where other facts are missing.
    4. A requirement is unknown, or there is no result at all: ``undetermined``. Nothing with an unknown is suitable.
    5. ``suitable``.
    """
    seen = set()
    decisive_unknown = False
    for result in results:
        seen.add(result.status)
        if result.status == "unknown" and result.name == DECISIVE:
            decisive_unknown = True
    if "unmet" in seen:
        return "unsuitable"
    if decisive_unknown:
        return "undetermined"
    if "warning" in seen:
        return "warning"
    return "suitable" if seen == {"met"} else "undetermined"
