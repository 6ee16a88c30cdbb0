# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""needs.csv: one row for each certificate that a host should have for its Lync usages; as report.csv."""

from __future__ import annotations

from collections.abc import Iterable

from .csv_report import csv_text
from .needs import PROGRESS_WORDS, Need

NEED_COLUMNS = (
    "host",
    "usages",
    "progress",
    "state",
    "current",
    "successor",
    "source_host",
    "request_id",
    "ca",
    "csr_path",
    "reason",
    "repair",
    "convert",
    "provider",
)
"""The header. ``state`` is as in report.json, ``progress`` the words of the page; columns are only added at the end."""


def render_needs_csv(needs: Iterable[Need]) -> str:
    """Render needs.csv, to be written as :func:`csv_report.render_csv` says."""
    return csv_text(
        NEED_COLUMNS,
        (
            {
                "host": need.host,
                "usages": need.types,
                "progress": PROGRESS_WORDS[need.progress],
                "state": need.state,
                "current": need.current,
                "successor": need.successor,
                "source_host": need.source_host,
                "request_id": need.pending and need.pending.request_id,
                "ca": need.pending and need.pending.ca,
                "csr_path": need.pending and need.pending.csr_path,
                "reason": " ".join(need.told),
                "repair": need.repair,
                "convert": need.convert,
                "provider": need.provider,
            }
            for need in needs
        ),
    )
