# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a pipeline stop after an audit."""

from __future__ import annotations

from .model import Host, Report
from .wording import certificate_name, one_line

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


def stops(report: Report, fail_on: str) -> dict[str, str]:
    """Say for each host that a play must fail why it must, by the host's name.

    A host that failed or could not be reached is among them with every choice: a play that went on after the failure
    to write the reports has to fail the host in the end. Evidence that could not be read counts as undetermined.
    Skipped hosts never stop it.

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
        told = ""
        for item in host.items:
            if item.status == status:
                thumbprint = item.certificate.get("thumbprint") or "no thumbprint"
                reason = next((finding.reason for finding in item.findings if finding.reason), "")
                why = " for the same reason." if reason and reason == told else f". {reason}"
                told = reason
                causes.append(
                    one_line(f"Certificate {certificate_name(item.certificate)} ({thumbprint}) is {status}{why}")
                )
    if "undetermined" in failing:
        for trouble in host.troubles:
            place = f", {trouble.place}" if trouble.place else ""
            causes.append(one_line(f"Not read: {trouble.origin}{place}: {trouble.message} {trouble.remedy or ''}"))
    return causes
