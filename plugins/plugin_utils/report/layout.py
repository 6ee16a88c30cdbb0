# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of a terminal: how wide texts are, and how they are fitted, cut and wrapped."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from .wording import one_line

GAP = "  "
"""Stands between two columns."""


def display_width(text: str) -> int:
    """How many columns a terminal takes for a text: two for a wide character, none for a combining one."""
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def listed(names: Sequence[str], width: int) -> str:
    """The names on one line, or as many as there is room for and the number of the others; ``-`` for none."""
    names = [one_line(name) for name in names] or ["-"]
    for kept in range(len(names), 0, -1):
        text = ", ".join(names[:kept]) + (f" +{len(names) - kept}" if kept < len(names) else "")
        if display_width(text) <= width:
            return text
    more = f" +{len(names) - 1}" if len(names) > 1 else ""
    return cut(names[0], width - len(more)) + more


def fit(header: Sequence[str], smallest: Sequence[int], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """How wide each column of a table is to be; what is too much is taken from those that have most to spare.

    Args:
        header: the titles of the columns.
        smallest: what each column keeps at least; together with the gaps not more than ``width``.
        rows: the cells.
        width: of the terminal.
    """
    widths = [max(display_width(row[index]) for row in (header, *rows)) for index in range(len(header))]
    over = sum(widths) + len(GAP) * (len(widths) - 1) - width
    for _column in range(max(over, 0)):
        most = max(range(len(widths)), key=lambda index: widths[index] - smallest[index])
        widths[most] -= 1
    return widths


def table_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """One row of a table, each cell in its column."""
    return GAP.join(_pad(cell, width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def cut(text: str, width: int) -> str:
    """The text, or its beginning with two dots where it is wider than ``width`` columns."""
    if display_width(text) <= width:
        return text
    kept, used = "", 0
    for character in text:
        used += _character_width(character)
        if used > width - 2:
            break
        kept += character
    return kept + ".."


def wrap(lead: str, text: str, width: int) -> list[str]:
    """Wrap a text behind its lead, in columns and not in characters."""
    text = one_line(text)
    if display_width(lead) > width // 2:
        lead = _pad(lead, width // 2 - len(GAP)) + GAP
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


def _pad(text: str, width: int) -> str:
    text = cut(text, width)
    return text + " " * (width - display_width(text))
