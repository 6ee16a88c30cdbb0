# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do for the Lync usages, for a terminal: a paragraph for each certificate that is not in place."""

from __future__ import annotations

from collections.abc import Sequence

from .layout import GAP, wrap
from .needs import PROGRESS_WORDS, SHORT, Need
from .wording import plural

MOST_NEEDS = 100
"""With more the terminal shows the most urgent of them; the reports hold all."""


def need_lines(left: Sequence[Need], width: int) -> list[str]:
    """What is left, after an empty line and a title; nothing when nothing is. No line is wider than ``width`` columns.

    Args:
        left: what is not in place, as :meth:`model.Report.left` gives it.
        width: of the terminal.
    """
    if not left:
        return []
    lines = ["", "Lync usages, what is left:"]
    for need in left[:MOST_NEEDS]:
        lead = f"{PROGRESS_WORDS[need.progress].upper()}{GAP}"
        lines += wrap(lead, f"{need.host}: {need.usages} ({_change(need)}): {' '.join(need.told)}", width)
    if (more := len(left) - MOST_NEEDS) > 0:
        lines += wrap("", f"Not shown: {plural(more, 'certificate')}; the reports have all", width)
    return lines


def _change(need: Need) -> str:
    target = (need.follows or "")[:SHORT] or need.target
    return f"{(need.current or 'nothing')[:SHORT]}{f' -> {target}' if target else ''}"
