# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts as a table for a terminal: one line a certificate, then what to do, the totals last."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

from .model import Host, Item, Report
from .steps import Step, steps
from .summary import STATUSES
from .wording import certificate_name, headline, one_line, plural, short_provider

NARROWEST, WIDEST = 80, 200
"""Columns that a table takes at least and at most."""

_HEADER = ("Host", "Verdict", "Provider", "Certificate", "Thumb", "Used for", "Do")
_SMALLEST = (8, 12, 12, 14, 8, 8, 5)
"""What each column keeps in a narrow terminal; together with the gaps less than the narrowest one."""
_GAP = "  "
MOST_ROWS = 200
"""With more certificates the table shows the worst of them; the reports hold all."""
_MOST_HOSTS = 3
_WORDS = {status: status.upper() for status in STATUSES} | {"suitable": "suitable"}


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
    lines = [_cut(one_line(f"{report.title}: {report.profile}, {report.generated_at:%Y-%m-%d %H:%M} UTC"), width)]
    lines += [*_judged_by(report, width), ""]
    widths = _fit(rows, width)
    if widths[0] < max((display_width(row[0]) for row in rows), default=0):
        _shorten_hosts(rows)
        widths = _fit(rows, width)
    for row, item in zip(rows, items, strict=True):
        row[5] = _uses(item.assignments, widths[5])
    if rows:
        lines += [_line(_HEADER, widths), _line(["-" * column for column in widths], widths)]
    remaining = {item.number: row for row, item in zip(rows, items, strict=True)}
    for host in report.hosts:
        lines += [_line(remaining[item.number], widths) for item in host.items if item.number in remaining]
        lines += _left_out([item for item in host.items if item.number not in remaining], one_line(host.name), width)
        lines += _host_lines(host, width)
    if todo:
        lines += ["", "What to do:"]
        for number, step in enumerate(todo, 1):
            lines += _wrap(f"{number:>2}. ", f"{step.remedy} ({_extent(step)})", width)
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
    lines += ["", *_wrap("", headline(report), width), *_wrap("", f"{of}: {', '.join(totals)}", width)]
    return "\n".join(lines) + "\n"


def display_width(text: str) -> int:
    """How many columns a terminal takes for a text: two for a wide character, none for a combining one."""
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


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
    return _wrap(
        f"{name}{_GAP}", f"{plural(len(items), 'certificate')} left out here, all in the reports: {told}", width
    )


def _judged_by(report: Report, width: int) -> list[str]:
    """Which hosts were judged by which profile, when they differ."""
    if len(report.profiles) == 1:
        return []
    lines: list[str] = []
    for profile in report.profiles:
        names = list(dict.fromkeys(one_line(host.name) for host in report.hosts if host.profile == profile))
        lines += _wrap(f"{one_line(profile)}: ", ", ".join(names), width)
    return lines


def _row(item: Item, numbers: str) -> list[str]:
    return [
        one_line(item.host),
        _WORDS[item.status],
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
        lines += _wrap(f"{name}{_GAP}{host.status.upper()}{_GAP}", host.message or "", width)
    elif not host.items and not host.troubles:
        lines += _wrap(f"{name}{_GAP}no certificates{_GAP}", f"store {host.store}" if host.store else "", width)
    for trouble in host.troubles:
        where = ", ".join(part for part in (trouble.origin, trouble.place) if part and part != host.name)
        told = " ".join(part for part in (f"{where}:" if where else "", trouble.message, trouble.remedy) if part)
        lines += _wrap(f"{name}{_GAP}PROBLEM{_GAP}", told, width)
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


def _uses(assignments: Sequence[str], width: int) -> str:
    """The usages, or as many as there is room for and the number of the others."""
    names = [one_line(usage) for usage in assignments] or ["-"]
    for kept in range(len(names), 0, -1):
        text = ", ".join(names[:kept]) + (f" +{len(names) - kept}" if kept < len(names) else "")
        if display_width(text) <= width:
            return text
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    return _cut(names[0], width - len(more)) + more


def _fit(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    widths = [max(display_width(row[index]) for row in (_HEADER, *rows)) for index in range(len(_HEADER))]
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    for _column in range(max(over, 0)):
        most = max(range(len(widths)), key=lambda index: widths[index] - _SMALLEST[index])
        widths[most] -= 1
    return widths


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(_pad(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _pad(text: str, width: int) -> str:
    text = _cut(text, width)
    return text + " " * (width - display_width(text))


def _cut(text: str, width: int) -> str:
    if display_width(text) <= width:
        return text
    kept, used = "", 0
    for character in text:
        used += _character_width(character)
        if used > width - 2:
            break
        kept += character
    return kept + ".."


def _wrap(lead: str, text: str, width: int) -> list[str]:
    """Wrap a text behind its lead, in columns and not in characters."""
    text = one_line(text)
    if display_width(lead) > width // 2:
        lead = _pad(lead, width // 2 - len(_GAP)) + _GAP
    indent = " " * min(display_width(lead), 4)
    lines, line, fresh = [], lead, True
    for word in text.split():
        while word:
            room = width - display_width(line) - (0 if fresh else 1)
            if display_width(word) <= room:
                line, word, fresh = line + ("" if fresh else " ") + word, "", False
            elif not fresh:
                lines.append(line)
                line, fresh = indent, True
            else:
                head = word
                while display_width(head) > room:
                    head = head[:-1]
                lines.append(line + head)
                line, word = indent, word[len(head) :]
    return [*lines, line.rstrip()]
