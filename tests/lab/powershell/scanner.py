# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Characters and small tokens. What a token is depends on where it stands: the parser asks for what it expects."""

from __future__ import annotations

import re

from .errors import NotSimulated, SyntaxFault

SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
"""PowerShell takes the typographic single quotes for the plain one (PowerShell's CharTraits.cs)."""
DOUBLE_QUOTES = '"\u201c\u201d\u201e'
DASHES = "-\u2013\u2014\u2015"

_VARIABLE = re.compile(r"\$(?:\{([^}]+)\}|((?:env|script|global|local):\w+|\w+|[?^$]))", re.I)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_NUMBER = re.compile(r"(0x[0-9a-f]+|\d+)(kb|mb|gb|l)?(?!\w|\.\d)", re.I)
_MULTIPLES = {None: 1, "l": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}


class Scanner:
    """A script and a place in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def peek(self, length: int = 1) -> str:
        """The next characters."""
        return self.text[self.at : self.at + length]

    def accept(self, literal: str) -> bool:
        """Pass over ``literal`` if it stands here."""
        if self.text.startswith(literal, self.at):
            self.at += len(literal)
            return True
        return False

    def expect(self, literal: str) -> None:
        """Pass over ``literal``, which must stand here."""
        if not self.accept(literal):
            raise SyntaxFault(f"Missing '{literal}'.", self.at)

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Match a pattern here and pass over it."""
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def blanks(self, *, lines: bool = False) -> None:
        """Pass over blanks, escaped line ends and comments; with ``lines`` over line ends too."""
        while True:
            character = self.peek()
            if character and (character in " \t\u00a0" or (lines and character in "\r\n")):
                self.at += 1
            elif self.peek(2) == "`\n" or self.peek(3) == "`\r\n":
                self.at = self.text.index("\n", self.at) + 1
            elif character == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            elif self.peek(2) == "<#":
                end = self.text.find("#>", self.at)
                if end < 0:
                    raise SyntaxFault("The terminator '#>' is missing from the multiline comment.", self.at)
                self.at = end + 2
            else:
                return

    def single_quoted(self) -> str:
        """A single-quoted string; any two single quotes in it stand for the second of them."""
        start = self.at
        self.at += 1
        value = ""
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 1
            if character not in SINGLE_QUOTES:
                value += character
            elif self.peek() and self.peek() in SINGLE_QUOTES:
                value += self.peek()
                self.at += 1
            else:
                return value
        raise SyntaxFault("The string is missing the terminator: '.", start)

    def here_string(self) -> str | None:
        """A single-quoted here-string, if one stands here."""
        if not (self.peek() == "@" and self.text[self.at + 1 : self.at + 2] in tuple(SINGLE_QUOTES)):
            return None
        head = re.compile(r"@['\u2018-\u201b][ \t]*\r?\n(.*?)\r?\n['\u2018-\u201b]@", re.S)
        found = self.match(head) or self.match(re.compile(r"@['\u2018-\u201b][ \t]*\r?\n()['\u2018-\u201b]@"))
        if not found:
            raise SyntaxFault("The string is missing the terminator: '@.", self.at)
        return found.group(1)

    def escaped(self) -> str:
        """The character that a backtick escapes; the backtick is passed already."""
        character = self.peek()
        self.at += 1
        return _ESCAPES.get(character, character)

    def variable(self) -> str | None:
        """The name of a variable, in lower case and without scope, if one stands here."""
        found = self.match(_VARIABLE)
        if not found:
            return None
        name = (found.group(1) or found.group(2)).lower()
        scope, _between, rest = name.partition(":")
        return rest if rest and scope in ("script", "global", "local") else name

    def number(self) -> int | None:
        """An integer with an optional multiplier, if one stands here."""
        start = self.at
        found = self.match(_NUMBER)
        if not found:
            if re.compile(r"\d+\.\d").match(self.text, start):
                raise NotSimulated("fractions")
            return None
        suffix = (found.group(2) or "").lower() or None
        return int(found.group(1), 0 if found.group(1)[:2].lower() == "0x" else 10) * _MULTIPLES[suffix]

    def position(self, at: int) -> tuple[int, int, str]:
        """Line, column and text of the line of a place."""
        before = self.text[:at]
        line = before.count("\n") + 1
        column = at - (before.rfind("\n") + 1) + 1
        return line, column, self.text.split("\n")[line - 1].rstrip("\r")
