# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts as a table for a terminal: one line a certificate, what to do, the templates; the totals come last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .layout import GAP, cut, display_width, fit, listed, table_line, wrap
from .model import Host, Item, Report
from .steps import Step, steps
from .summary import STATUSES
from .table_needs import need_lines
from .table_templates import STATUS_WORDS, template_lines, template_totals
from .wording import certificate_name, headline, one_line, plural, short_provider

NARROWEST, WIDEST = 80, 200
"""Columns that a table takes at least and at most."""

_HEADER = ("Host", "Verdict", "Provider", "Certificate", "Thumb", "Used for", "Do")
_SMALLEST = (8, 12, 12, 14, 8, 8, 5)
"""What each column keeps in a narrow terminal; together with the gaps less than the narrowest one."""
MOST_ROWS = 200
"""With more certificates the table shows the worst of them; the reports hold all."""
_MOST_HOSTS = 3


def render_table(report: Report, width: int) -> str:
    """Render the table. No line is wider than ``width`` columns (80 to 200; other values are brought into that).

    Everything that is not a name from the evidence is ASCII; ``Do`` holds the numbers of the steps below the table.
    """
    width = max(NARROWEST, min(WIDEST, width))
    todo = steps(report)
    numbers: dict[int, list[str]] = {}
    for number, step in enumerate(todo, 1):
        for item in step.items:
            numbers.setdefault(item.number, []).append(str(number))
    items = _shown(report.items)
    rows = [_row(item, ",".join(numbers.get(item.number, ("-",)))) for item in items]
    lines = [cut(one_line(f"{report.title}: {report.profile}, {report.generated_at:%Y-%m-%d %H:%M} UTC"), width)]
    lines += [*_judged_by(report, width), ""]
    widths = fit(_HEADER, _SMALLEST, rows, width)
    if widths[0] < max((display_width(row[0]) for row in rows), default=0):
        _shorten_hosts(rows)
        widths = fit(_HEADER, _SMALLEST, rows, width)
    for row, item in zip(rows, items, strict=True):
        row[5] = listed(item.assignments, widths[5])
    if rows:
        lines += [table_line(_HEADER, widths), table_line(["-" * column for column in widths], widths)]
    remaining = {item.number: row for row, item in zip(rows, items, strict=True)}
    for host in report.hosts:
        lines += [table_line(remaining[item.number], widths) for item in host.items if item.number in remaining]
        lines += _left_out([item for item in host.items if item.number not in remaining], one_line(host.name), width)
        lines += _host_lines(host, width)
    if todo:
        lines += ["", "What to do:"]
        for number, step in enumerate(todo, 1):
            lines += wrap(f"{number:>2}. ", f"{step.remedy} ({_extent(step)})", width)
    lines += need_lines(report.left(), width)
    if report.templates:
        lines += template_lines(report.templates, width)
    counts = report.counts()
    missing = len(report.without_result())
    totals = [f"{counts[status]} {status}" for status in STATUSES]
    if report.troubles:
        totals.append(plural(len(report.troubles), "problem"))
    if missing:
        totals.append(f"{plural(missing, 'host')} without result")
    if skipped := sum(1 for host in report.hosts if host.status == "skipped"):
        totals.append(f"{plural(skipped, 'host')} skipped")
    of = f"{plural(counts['total'], 'certificate')} on {plural(len(report.hosts), 'host')}"
    lines += ["", *wrap("", headline(report), width), *wrap("", f"{of}: {', '.join(totals)}", width)]
    if report.needs:
        lines += wrap("", report.needs_sentence().rstrip("."), width)
    if report.templates:
        lines += wrap("", template_totals(report.templates), width)
    return "\n".join(lines) + "\n"


def _shown(items: Sequence[Item]) -> list[Item]:
    """The certificates that have a line: all, or of very many the worst, those in use first, of each host as many."""
    if len(items) <= MOST_ROWS:
        return list(items)
    seen: Counter[tuple[int, int, bool]] = Counter()
    ranks: dict[int, tuple[int, bool, int]] = {}
    for item in items:
        severity, unused = STATUSES.index(item.status), not item.assignments
        seen[item.host_number, severity, unused] += 1
        ranks[item.number] = (severity, unused, seen[item.host_number, severity, unused])
    worst = sorted(items, key=lambda item: ranks[item.number])[:MOST_ROWS]
    return sorted(worst, key=lambda item: item.number)


def _left_out(items: Sequence[Item], name: str, width: int) -> list[str]:
    if not items:
        return []
    counts = Counter(item.status for item in items)
    told = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    return wrap(f"{name}{GAP}", f"{plural(len(items), 'certificate')} left out here, all in the reports: {told}", width)


def _judged_by(report: Report, width: int) -> list[str]:
    """Which hosts were judged by which profile, when they differ."""
    if len(report.profiles) == 1:
        return []
    lines: list[str] = []
    for profile in report.profiles:
        names = list(dict.fromkeys(one_line(host.name) for host in report.hosts if host.profile == profile))
        lines += wrap(f"{one_line(profile)}: ", ", ".join(names), width)
    return lines


def _row(item: Item, numbers: str) -> list[str]:
    return [
        one_line(item.host),
        STATUS_WORDS[item.status],
        short_provider(item.certificate.get("key")),
        one_line(certificate_name(item.certificate)),
        one_line(str(item.certificate.get("thumbprint") or "-"))[:8],
        one_line(", ".join(item.assignments)) or "-",
        numbers,
    ]


def _host_lines(host: Host, width: int) -> list[str]:
    name = one_line(host.name)
    lines: list[str] = []
    if host.status != "ok":
        lines += wrap(f"{name}{GAP}{host.status.upper()}{GAP}", host.message or "", width)
    elif not host.items and not host.troubles:
        lines += wrap(f"{name}{GAP}no certificates{GAP}", f"store {host.store}" if host.store else "", width)
    for trouble in host.troubles:
        where = ", ".join(part for part in (trouble.origin, trouble.place) if part and part != host.name)
        told = " ".join(part for part in (f"{where}:" if where else "", trouble.message, trouble.remedy) if part)
        lines += wrap(f"{name}{GAP}PROBLEM{GAP}", told, width)
    return lines


def _extent(step: Step) -> str:
    parts = [plural(len(step.items), "certificate")] if step.items else []
    if step.troubles:
        parts.append(plural(len(step.troubles), "problem"))
    hosts = step.hosts()
    return f"{', '.join(parts)}; {', '.join(hosts) if len(hosts) <= _MOST_HOSTS else plural(len(hosts), 'host')}"


def _shorten_hosts(rows: Sequence[list[str]]) -> None:
    """Leave the domains out where the first labels alone tell the hosts apart."""
    names = {row[0] for row in rows}
    labels = {name: name.partition(".")[0] for name in names}
    if len(set(labels.values())) == len(names) and not any(label.isdigit() for label in labels.values()):
        for row in rows:
            row[0] = labels[row[0]]
