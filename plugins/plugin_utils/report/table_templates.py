# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate templates as a table for a terminal: one line a template that a CA offers, then what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .layout import GAP, fit, listed, table_line, wrap
from .model import Judged
from .steps import SEE_TABLE
from .summary import STATUSES
from .templates import Advice, TemplateItem, TemplateSection, advice, numbers_by_template
from .wording import one_line, plural, short_provider

STATUS_WORDS = {status: status.upper() for status in STATUSES} | {"suitable": "suitable"}
"""The verdicts as tables show them: what is in order stands back."""

_HEADER = ("Verdict", "Template", "Kind", "Providers", "Rev", "Bits", "Published on", "Do")
_SMALLEST = (12, 16, 6, 10, 6, 4, 7, 5)
"""What each column keeps in a narrow terminal; together with the gaps less than the narrowest one."""
MOST_TEMPLATES = 100
"""With more templates the table shows the worst of them; the reports hold all."""
_MOST_NAMED = 3
_MOST_REASONS = 2


def template_lines(section: TemplateSection, width: int) -> list[str]:
    """The table with its title and with what to do, after an empty line. No line is wider than ``width`` columns.

    ``Kind`` holds the category with the schema version, ``Rev`` the major and minor revision. Templates that no CA
    offers are counted only, unless no CA offers any.
    """
    title = "Certificate templates" + (f" ({section.origin})" if section.origin else "")
    lines = ["", *wrap("", title + (f": {section.profile}" if section.profile else ""), width)]
    if section.status != "ok":
        return [*lines, *wrap(f"{section.status.upper()}{GAP}", section.message or "", width)]
    items = sorted(
        section.published or section.items, key=lambda item: (STATUSES.index(item.status), item.name.casefold())
    )
    todo = advice(items, exposures=True)
    items, left_out = items[:MOST_TEMPLATES], items[MOST_TEMPLATES:]
    lines += ["", *_table(items, numbers_by_template(todo), width)]
    lines += _counted("more", left_out, width)
    if section.published:
        lines += _counted("that no CA offers", section.unpublished, width)
    for problem in section.problems:
        where = ", ".join(part for part in (problem.origin, problem.place) if part)
        lines += wrap(f"PROBLEM{GAP}", f"{where}: {problem.message} {problem.remedy}", width)
    if todo:
        lines += ["", "What to do about the templates:"]
        for number, entry in enumerate(todo, 1):
            lines += wrap(f"{number:>2}. ", f"{_why(entry)} {entry.remedy} ({_extent(entry)})", width)
        lines += wrap("", _LIMITS, width)
    return lines


_LIMITS = (
    "Leave templates of other products as they are. Certificates that exist keep their keys until they are enrolled"
    " anew."
)


def template_totals(section: TemplateSection) -> str:
    """The templates in numbers, on one line; of those that a CA offers by verdict."""
    if section.status != "ok":
        return "No certificate templates: they could not be read"
    shown, every = section.published, plural(len(section.items), "certificate template")
    of = f"{len(shown)} of {every} published" if shown else f"{every}, none published"
    told = [count for count in (_counts(shown or section.items), _exposed(shown or section.items)) if count]
    if section.problems:
        told.append(plural(len(section.problems), "problem"))
    return f"{of}: {', '.join(told)}" if told else of


def _table(items: Sequence[TemplateItem], numbers: Mapping[int, Sequence[int]], width: int) -> list[str]:
    if not items:
        return ["No template was read."]
    rows = [_row(item, ",".join(map(str, numbers.get(item.number, ()))) or "-") for item in items]
    widths = fit(_HEADER, _SMALLEST, rows, width)
    lines = [table_line(_HEADER, widths), table_line(["-" * column for column in widths], widths)]
    for row, item in zip(rows, items, strict=True):
        row[3] = listed(_providers(item), widths[3])
        row[6] = listed(item.published_on, widths[6])
        lines.append(table_line(row, widths))
        name = one_line(item.name)
        for exposure in item.exposures:
            who = f", open to {', '.join(exposure.principals)}" if exposure.principals else ""
            lines += wrap(f"EXPOSED{GAP}", f"{name}: {exposure.title}{who}", width)
        for sentence in item.inconsistencies:
            lines += wrap(f"INCONSISTENT{GAP}", f"{name}: {sentence}", width)
    return lines


def _row(item: TemplateItem, numbers: str) -> list[str]:
    version = item.template.get("schema_version")
    return [
        STATUS_WORDS[item.status],
        one_line(item.name),
        item.category.upper() + (f" v{version}" if version else ""),
        ", ".join(_providers(item)),
        item.revision or "-",
        str(item.template.get("minimum_key_size") or "-"),
        one_line(", ".join(item.published_on)) or "-",
        numbers,
    ]


def _providers(item: TemplateItem) -> list[str]:
    """Short names; the kind stands in a column of its own."""
    return [short_provider({"provider": name}) for name in item.providers] or ["any"]


def _counted(which: str, items: Sequence[TemplateItem], width: int) -> list[str]:
    if not items:
        return []
    told = ", ".join(part for part in (_counts(items), _exposed(items)) if part)
    return wrap("", f"Not shown: {plural(len(items), 'template')} {which} ({told}); the reports have all", width)


def _counts(items: Sequence[Judged]) -> str:
    counted = {status: sum(1 for item in items if item.status == status) for status in STATUSES}
    return ", ".join(f"{count} {status}" for status, count in counted.items() if count)


def _exposed(items: Sequence[TemplateItem]) -> str:
    count = sum(1 for item in items if item.exposures)
    return f"{count} exposed" if count else ""


def _why(entry: Advice) -> str:
    """The reasons, of many the first."""
    more = len(entry.reasons) - _MOST_REASONS
    told = [reason.replace(SEE_TABLE, "(see the reports)") for reason in entry.reasons[:_MOST_REASONS]]
    return " ".join([*told, f"And {plural(more, 'more reason')}, see the reports." if more > 0 else ""])


def _extent(entry: Advice) -> str:
    names = [one_line(item.name) for item in entry.items]
    return ", ".join(names) if len(names) <= _MOST_NAMED else plural(len(names), "template")
