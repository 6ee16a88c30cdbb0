# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces that the sections of report.html share: escaped text, verdicts, groups and their findings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .model import Finding
from .steps import Group, J
from .wording import plural, printable

MOST_OPEN = 25
"""A list with more entries is folded on the screen; print shows all of it."""

MOST_NAMED = 3
"""How many requirements the title of a group names."""

CLASSES = {"unsuitable": "u", "undetermined": "q", "warning": "w", "suitable": "s"}
"""The classes of the style sheet for the verdicts."""

SIGNS = {"unsuitable": "×", "undetermined": "?", "warning": "!", "suitable": "✓"}
"""What tells the verdicts apart without a colour."""

_ABBREVIATION = re.compile(r"\b(?:crl|cng|csp|ksp|san)\b")
_URL = re.compile(r"https?://[^\s<>\"'()]+[^\s<>\"'().,;:!?]")


def e(text: object) -> str:
    """Escaped text, for content and for attributes in double quotes."""
    return escape(printable(str(text)))


def linked(text: str) -> str:
    """The text with its http(s) addresses as links; nothing else ever becomes one."""
    text = printable(text)
    parts: list[str] = []
    end = 0
    for match in _URL.finditer(text):
        address = escape(match.group())
        parts += [escape(text[end : match.start()]), f'<a href="{address}" rel="noreferrer">{address}</a>']
        end = match.end()
    return "".join(parts) + escape(text[end:])


def verdict(status: str) -> str:
    """A verdict with its sign."""
    return f'<span class="v {CLASSES[status]}">{SIGNS[status]} {status}</span>'


def folded(content: str, count: int, noun: str, *, most_open: int = MOST_OPEN) -> str:
    """A list that is folded on the screen when it has more than so many entries."""
    if count <= most_open:
        return content
    return f"<details>\n<summary>Show the {plural(count, noun)}</summary>\n{content}\n</details>"


def listing(names: Sequence[str]) -> str:
    """The names as a sentence has them: ``a, b and c``."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def words(name: str) -> str:
    """The name of a requirement in words: ``CRL distribution point``."""
    return _ABBREVIATION.sub(lambda match: match.group().upper(), name.replace("_", " ").strip())


def requirement(name: str) -> str:
    """The name of a requirement in words, as a title."""
    title = words(name)
    return title[:1].upper() + title[1:]


def article(group: Group[J], number: int, anchor: str, table: str) -> str:
    """A group with its number, its findings and the table of its members."""
    names = [requirement(finding.name) for finding in group.findings]
    if len(names) > MOST_NAMED:
        names = [*names[: MOST_NAMED - 1], f"{len(names) - MOST_NAMED + 1} more"]
    return (
        f'<article class="card group {CLASSES[group.status]}" id="{anchor}{number}">\n'
        f"<h4>{number}. {e(listing(names) or 'All requirements met')}</h4>\n{panel(group.findings)}{table}\n</article>"
    )


def panel(findings: Sequence[Finding]) -> str:
    """The shared findings of a group; those with the same texts together."""
    alike: dict[tuple[str | None, ...], list[Finding]] = {}
    for finding in findings:
        texts = (finding.reason, finding.remedy, finding.source, finding.confidence)
        alike.setdefault(texts, []).append(finding)
    parts = []
    for same in alike.values():
        first = same[0]
        name = f"<b>{e(listing([requirement(finding.name) for finding in same]))}:</b> " if len(findings) > 1 else ""
        lines = [f"<p>{name}{e(first.reason)}</p>"] if first.reason else []
        if first.remedy:
            lines.append(f"<p><b>What to do:</b> {e(first.remedy)}</p>")
        backing = (
            ("Required", "; ".join(finding.expected for finding in same if finding.expected)),
            ("Source", first.source),
            ("Confidence", first.confidence),
        )
        told = "<br>".join(f"{label}: {linked(text)}" for label, text in backing if text)
        if told:
            lines.append(f'<p class="soft">{told}</p>')
        parts.append(f'<div class="finding">{"".join(lines)}</div>\n')
    return "".join(parts)


def labelled(*facts: tuple[str, object]) -> str:
    """Facts in small print, a line each, without those that are empty. Labels are not escaped."""
    return "".join(f"<small>{label}{e(value)}</small>" for label, value in facts if value)


def validity(certificate: Mapping[str, Any]) -> str:
    """From when to when a certificate is valid."""
    ends = [str(certificate.get(name) or "")[:10] for name in ("not_before", "not_after")]
    if not any(ends):
        return '<span class="zero">validity unknown</span>'
    return f"{e(ends[0] or '?')} to {e(ends[1] or '?')}"
