# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a pipeline stop after an audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .model import Host, Report
from .wording import certificate_name, one_line, plural

FAIL_ON = ("never", "unsuitable", "undetermined", "warning")
"""The choices, from lenient to strict; each stops on what the one before stops on, and on more."""

_MOST_TOLD = 10


def failing_statuses(fail_on: str) -> tuple[str, ...]:
    """The verdicts that stop a pipeline.

    Raises:
        ValueError: ``fail_on`` is none of :data:`FAIL_ON`.
    """
    if fail_on not in FAIL_ON:
        raise ValueError(f"fail_on is {fail_on!r}: choose one of {', '.join(FAIL_ON)}.")
    return FAIL_ON[1 : FAIL_ON.index(fail_on) + 1]


def exceeds(report_or_counts: Report | Mapping[str, Any], fail_on: str) -> list[str]:
    """Say what makes a pipeline stop, one sentence for each cause; empty when it may go on.

    A host that failed or could not be reached stops it with every choice but ``never``. Evidence that could not be
    read (``problems``) counts as undetermined. Skipped hosts never stop it.

    Args:
        report_or_counts: a report, or the ``summary`` of a result (then ``problems`` may stand in it as a number).
        fail_on: one of :data:`FAIL_ON`.

    Raises:
        ValueError: ``fail_on`` is none of :data:`FAIL_ON`.
    """
    failing = failing_statuses(fail_on)
    if not isinstance(report_or_counts, Report):
        return _exceeding_counts(report_or_counts, failing)
    if not failing:
        return []
    return [f"{one_line(host.name)}: {cause}" for host in report_or_counts.hosts for cause in _causes(host, failing)]


def stops(report: Report, fail_on: str) -> dict[str, str]:
    """Say for each host that a play must fail why it must, by the host's name.

    A host that failed or could not be reached is among them with every choice: a play that went on after the failure
    to write the reports has to fail the host in the end.

    Raises:
        ValueError: ``fail_on`` is none of :data:`FAIL_ON`.
    """
    failing = failing_statuses(fail_on)
    told: dict[str, list[str]] = {}
    for host in report.hosts:
        told.setdefault(host.name, []).extend(_causes(host, failing))
    return {name: _joined(causes) for name, causes in told.items() if causes}


def _joined(causes: list[str]) -> str:
    more = len(causes) - _MOST_TOLD
    return " ".join(causes[:_MOST_TOLD]) + (f" And {more} more: see the reports." if more > 0 else "")


def _causes(host: Host, failing: tuple[str, ...]) -> list[str]:
    causes = []
    if host.status in ("failed", "unreachable"):
        causes.append(one_line(f"No result ({host.status}): {host.message}"))
    for status in failing:
        for item in host.items:
            if item.status == status:
                thumbprint = item.certificate.get("thumbprint") or "no thumbprint"
                reason = next((finding.reason for finding in item.findings if finding.reason), "")
                causes.append(
                    one_line(f"Certificate {certificate_name(item.certificate)} ({thumbprint}) is {status}. {reason}")
                )
    if "undetermined" in failing:
        for trouble in host.troubles:
            place = f", {trouble.place}" if trouble.place else ""
            causes.append(one_line(f"Not read: {trouble.origin}{place}: {trouble.message} {trouble.remedy or ''}"))
    return causes


def _exceeding_counts(counts: Mapping[str, Any], failing: tuple[str, ...]) -> list[str]:
    causes = [f"{plural(counts[status], 'certificate')} {status}." for status in failing if counts.get(status)]
    if "undetermined" in failing and counts.get("problems"):
        causes.append(f"{plural(counts['problems'], 'problem')} with the evidence.")
    return causes
