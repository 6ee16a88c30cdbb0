# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""INF files as certreq and certutil read them.

Reference: Microsoft, "General Syntax Rules for INF Files" and "INF Strings Section": names in any case, sections of
the same name are one, ``;`` begins a comment outside quotes, a backslash at the end of a line continues it, a quote
within quotes is doubled, ``%name%`` stands for a text of [Strings] and ``%%`` for a percent sign. ``_continue_`` is
certreq's own: the text is added to that of the line before.

A file is UTF-16LE when it begins with that byte order mark; any other is in the ANSI code page, UTF-8 with or without
a mark too (unverified for certreq: what is not ASCII in it becomes other characters).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..powershell.errors import NotSimulated

_STRING_KEY = re.compile(r"%(?P<name>[^%\r\n]*)%")


class InfFault(Exception):
    """A file that does not parse. ``code`` is of setupapi.h."""

    def __init__(self, code: int) -> None:
        super().__init__(f"0x{code:08x}")
        self.code = code


EXPECTED_SECTION_NAME = 0xE0000000
BAD_SECTION_NAME_LINE = 0xE0000001
GENERAL_SYNTAX = 0xE0000003


@dataclass(frozen=True)
class Line:
    """One line of a section."""

    key: str
    text: str
    quoted: bool
    """Whether all of the text stood in quotes."""


@dataclass(frozen=True)
class Inf:
    """The sections of a file by their names in lower case."""

    sections: Mapping[str, Sequence[Line]]

    def lines(self, section: str) -> list[Line]:
        """The lines of a section, each with what its ``_continue_`` lines add to it."""
        found: list[Line] = []
        for line in self.sections.get(section.lower(), ()):
            if line.key.lower() == "_continue_" and found:
                last = found.pop()
                line = Line(last.key, last.text + line.text, last.quoted and line.quoted)
            found.append(line)
        return found

    def line(self, section: str, key: str) -> Line | None:
        """The first line of a key."""
        return next((line for line in self.lines(section) if line.key.lower() == key.lower()), None)


def parse(data: bytes, code_page: str) -> Inf:
    """Read a file.

    :param code_page: the ANSI code page of the host, as Python calls it.

    Raises:
        InfFault: it does not parse.
    """
    sections: dict[str, list[Line]] = {}
    current: list[Line] | None = None
    for pieces in _logical_lines(_decoded(data, code_page)):
        bare = "".join(piece for piece, _quoted in pieces).strip()
        if not bare:
            continue
        if bare.startswith("["):
            if not bare.endswith("]"):
                raise InfFault(BAD_SECTION_NAME_LINE)
            current = sections.setdefault(bare[1:-1].strip().lower(), [])
        elif current is None:
            raise InfFault(EXPECTED_SECTION_NAME)
        else:
            current.append(_line(pieces))
    strings = {line.key.lower(): line.text for line in sections.get("strings", ())}
    return Inf(
        {
            name: lines if name == "strings" else [_substituted(line, strings) for line in lines]
            for name, lines in sections.items()
        }
    )


def _decoded(data: bytes, code_page: str) -> str:
    if data.startswith(codecs.BOM_UTF16_LE):
        return data[2:].decode("utf-16-le", "replace")
    if data.startswith(codecs.BOM_UTF16_BE):
        raise NotSimulated("an INF file in UTF-16BE")
    return data.decode(code_page, "replace")


_Piece = tuple[str, bool]
"""Text, and whether it stood in quotes."""


def _logical_lines(text: str) -> Iterator[list[_Piece]]:
    """Lines without comments, the continued ones joined, in pieces within and without quotes."""
    held: list[_Piece] = []
    for physical in re.split(r"\r\n|\r|\n", text):
        pieces, continued = _pieces(physical)
        held += pieces
        if not continued:
            yield held
            held = []
    if held:
        yield held


def _pieces(line: str) -> tuple[list[_Piece], bool]:
    found: list[_Piece] = []
    at = 0
    while at < len(line):
        if line[at] == ";":
            break
        if line[at] == '"':
            inside, at = _within_quotes(line, at + 1)
            found.append((inside, True))
            continue
        end = min((place for place in (line.find(";", at), line.find('"', at)) if place >= 0), default=len(line))
        found.append((line[at:end], False))
        at = end
    if found and not found[-1][1] and found[-1][0].rstrip().endswith("\\"):
        found[-1] = (found[-1][0].rstrip()[:-1], False)
        return found, True
    return found, False


def _within_quotes(line: str, at: int) -> tuple[str, int]:
    inside = ""
    while at < len(line):
        if line[at] != '"':
            inside += line[at]
            at += 1
        elif line[at + 1 : at + 2] == '"':
            inside += '"'
            at += 2
        else:
            return inside, at + 1
    raise InfFault(GENERAL_SYNTAX)


def _line(pieces: Sequence[_Piece]) -> Line:
    """The first equals sign outside quotes divides key and text; without one all is text."""
    for number, (piece, in_quotes) in enumerate(pieces):
        if not in_quotes and "=" in piece:
            before, _sign, after = piece.partition("=")
            key = "".join(text for text, _quoted in pieces[:number]) + before
            return Line(key.strip(), *_text([(after, False), *pieces[number + 1 :]]))
    return Line("", *_text(pieces))


def _text(pieces: Sequence[_Piece]) -> tuple[str, bool]:
    """Blanks around the text fall away, those within quotes stay."""
    kept = [piece for piece in pieces if piece[1] or piece[0].strip()]
    if kept and all(quoted for _piece, quoted in kept):
        return "".join(piece for piece, _quoted in kept), True
    if not any(quoted for _piece, quoted in kept):
        return "".join(piece for piece, _quoted in kept).strip(), False
    raise NotSimulated("an INF value that is quoted in part")


def _substituted(line: Line, strings: Mapping[str, str]) -> Line:
    def exchanged(match: re.Match[str]) -> str:
        name = match["name"]
        return "%" if not name else strings.get(name.lower(), match[0])

    return Line(_STRING_KEY.sub(exchanged, line.key), _STRING_KEY.sub(exchanged, line.text), line.quoted)
