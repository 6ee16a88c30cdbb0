# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to do, grouped by remedy, and certificates or templates grouped by what was found about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from .model import VERDICT_OF, Finding, Item, Judged, Report, Trouble
from .summary import STATUSES
from .wording import one_line

MOST_REASONS = 4
"""Certificates with the same requirements not met are told apart by their reasons when there are at most so many."""

MOST_FOUND = 3
"""A shared reason names what was found when there are at most so many different things."""

SEE_TABLE = "(see the table)"
"""Stands in a shared reason for what was found and differs too much."""

J = TypeVar("J", bound=Judged)


@dataclass(frozen=True)
class Step:
    """One thing to do, and for what."""

    remedy: str
    status: str
    """The worst verdict that it mends; ``undetermined`` when it mends problems alone."""
    items: tuple[Item, ...]
    troubles: tuple[Trouble, ...]

    def hosts(self) -> tuple[str, ...]:
        """The names of the hosts where it is to be done, each once, in the order of the report."""
        named: dict[int, str] = {}
        for item in self.items:
            named[item.host_number] = item.host
        for trouble in self.troubles:
            named[trouble.host_number] = trouble.host
        return tuple(dict.fromkeys(named[number] for number in sorted(named)))


def steps(report: Report) -> tuple[Step, ...]:
    """All remedies, each once: those for unsuitable certificates first, then what concerns most of those in use."""
    items: dict[str, dict[int, Item]] = {}
    troubles: dict[str, list[Trouble]] = {}
    statuses: dict[str, set[str]] = {}
    for item in report.items:
        for finding in item.findings:
            if finding.remedy:
                remedy = one_line(finding.remedy)
                items.setdefault(remedy, {})[item.number] = item
                statuses.setdefault(remedy, set()).add(VERDICT_OF[finding.status])
    for trouble in report.troubles:
        if trouble.remedy:
            remedy = one_line(trouble.remedy)
            troubles.setdefault(remedy, []).append(trouble)
            statuses.setdefault(remedy, set()).add("undetermined")
    found = [
        Step(
            remedy=remedy,
            status=min(seen, key=STATUSES.index),
            items=tuple(items.get(remedy, {}).values()),
            troubles=tuple(troubles.get(remedy, ())),
        )
        for remedy, seen in statuses.items()
    ]
    return tuple(
        sorted(
            found, key=lambda step: (STATUSES.index(step.status), -in_use(step.items), -len(step.items), step.remedy)
        )
    )


@dataclass(frozen=True)
class Group(Generic[J]):
    """Certificates, or templates, whose verdict comes from the same requirements."""

    status: str
    findings: tuple[Finding, ...]
    """The deciding findings as all of them share them. A text that differs between them is ``None``; a reason that
    differs by what was found alone names all that was found, or has :data:`SEE_TABLE` in its place."""
    items: tuple[J, ...]


def groups(report: Report) -> tuple[Group[Item], ...]:
    """The certificates by what was found, worst verdict first, then by how many of them are in use."""
    return tuple(
        sorted(
            alike(report.items),
            key=lambda group: (STATUSES.index(group.status), -in_use(group.items), -len(group.items)),
        )
    )


def alike(items: Iterable[J]) -> tuple[Group[J], ...]:
    """Certificates or templates by what was found, worst verdict first, then the largest group."""
    together: dict[tuple[str, ...], list[J]] = {}
    for item in items:
        together.setdefault((item.status, *(finding.name for finding in item.deciding)), []).append(item)
    found = [Group(part[0].status, _shared(part), tuple(part)) for same in together.values() for part in _parts(same)]
    return tuple(sorted(found, key=lambda group: (STATUSES.index(group.status), -len(group.items))))


def in_use(items: Iterable[Item]) -> int:
    """How many of the certificates the product uses now."""
    return sum(1 for item in items if item.assignments)


def shared_reason(finding: Finding) -> str | None:
    """The reason with what was found taken out of it."""
    if finding.reason and finding.actual:
        return finding.reason.replace(finding.actual, SEE_TABLE)
    return finding.reason


def _parts(items: list[J]) -> list[list[J]]:
    by_reason: dict[tuple[str | None, ...], list[J]] = {}
    for item in items:
        by_reason.setdefault(tuple(map(shared_reason, item.deciding)), []).append(item)
    return list(by_reason.values()) if len(by_reason) <= MOST_REASONS else [items]


def _shared(items: Sequence[Judged]) -> tuple[Finding, ...]:
    return tuple(_common(findings) for findings in zip(*(item.deciding for item in items), strict=True))


def _common(findings: Sequence[Finding]) -> Finding:
    def common(texts: Iterable[str | None]) -> str | None:
        values = set(texts)
        return values.pop() if len(values) == 1 else None

    reason = common(finding.reason for finding in findings)
    if reason is None and (reason := common(map(shared_reason, findings))):
        found = list(dict.fromkeys(finding.actual for finding in findings if finding.actual))
        if len(found) <= MOST_FOUND:
            reason = reason.replace(SEE_TABLE, " or ".join(found))
    return Finding(
        name=findings[0].name,
        status=findings[0].status,
        expected=common(finding.expected for finding in findings),
        actual=common(finding.actual for finding in findings),
        reason=reason,
        remedy=common(finding.remedy for finding in findings),
        source=common(finding.source for finding in findings),
        confidence=common(finding.confidence for finding in findings),
    )
