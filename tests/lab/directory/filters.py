# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Search filters (RFC 4515), as far as AD needs them for certificate templates.

``&``, ``|``, ``!``, equality, presence, substrings, ``>=``, ``<=``, and the two bitwise rules of AD
(MS-ADTS 3.1.1.3.4.4). An attribute that the schema does not know makes a comparison Undefined, which no negation
turns into a match (RFC 4511, 4.5.1.7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import names, schema
from .model import DirectoryFault

FILTER_ERROR = 87
"""LDAP_FILTER_ERROR of winldap.h: the client library refuses the filter before anything is sent."""

_BIT_AND, _BIT_OR = "1.2.840.113556.1.4.803", "1.2.840.113556.1.4.804"

Values = Callable[[str], Sequence[bytes]]
"""The values of an attribute of the object that is looked at."""
Verdict = bool | None
Match = Callable[[Values], Verdict]
"""True, False, or None for Undefined."""


def compiled(text: str) -> Match:
    """A filter as a function.

    Raises:
        DirectoryFault: it cannot be read (87).
    """
    reader = _Reader(text.strip())
    match = reader.filter() if reader.text.startswith("(") else reader.item(reader.text)
    if reader.text.startswith("(") and reader.at != len(reader.text):
        raise _bad()
    return match


def _bad() -> DirectoryFault:
    return DirectoryFault(FILTER_ERROR, "")


@dataclass
class _Reader:
    text: str
    at: int = 0

    def filter(self) -> Match:
        self._take("(")
        head = self.text[self.at : self.at + 1]
        if head in ("&", "|"):
            self.at += 1
            inner = []
            while self.text[self.at : self.at + 1] == "(":
                inner.append(self.filter())
            if not inner:
                raise _bad()
            match = _all(inner) if head == "&" else _any(inner)
        elif head == "!":
            self.at += 1
            match = _not(self.filter())
        else:
            end = self.text.find(")", self.at)
            if end < 0:
                raise _bad()
            match = self.item(self.text[self.at : end])
            self.at = end
        self._take(")")
        return match

    def _take(self, character: str) -> None:
        if self.text[self.at : self.at + 1] != character:
            raise _bad()
        self.at += 1

    def item(self, text: str) -> Match:
        left, equals, right = text.partition("=")
        operator = "="
        if left[-1:] in ("<", ">", "~", ":"):
            left, operator = left[:-1], left[-1] + "="
        attribute, colon, rule = left.partition(":")
        name = attribute.strip()
        if not equals or not name or "(" in text or not all(part.isalnum() for part in name.split("-")):
            raise _bad()
        if operator == ":=":
            if rule not in (_BIT_AND, _BIT_OR):
                return lambda _values: None
            return _bitwise(name, rule, self._value(right))
        if colon:
            raise _bad()
        if operator in ("=", "~=") and right == "*":
            return lambda values: bool(values(name)) if schema.attribute(name) else None
        if operator in ("=", "~=") and "*" in right:
            return _substring(name, [self._value(piece) for piece in right.split("*")])
        return _compared(name, operator, self._value(right))

    def _value(self, text: str) -> bytes:
        data = b""
        at = 0
        while at < len(text):
            if text[at] == "\\":
                try:
                    data += bytes.fromhex(text[at + 1 : at + 3])
                except ValueError as exc:
                    raise _bad() from exc
                if len(text) < at + 3:
                    raise _bad()
                at += 3
            else:
                data += text[at].encode()
                at += 1
        return data


def _all(inner: Sequence[Match]) -> Match:
    def match(values: Values) -> Verdict:
        verdicts = [one(values) for one in inner]
        return False if False in verdicts else None if None in verdicts else True

    return match


def _any(inner: Sequence[Match]) -> Match:
    def match(values: Values) -> Verdict:
        verdicts = [one(values) for one in inner]
        return True if True in verdicts else None if None in verdicts else False

    return match


def _not(inner: Match) -> Match:
    def match(values: Values) -> Verdict:
        verdict = inner(values)
        return None if verdict is None else not verdict

    return match


def _compared(name: str, operator: str, wanted: bytes) -> Match:
    known = schema.attribute(name)
    if known is None:
        return lambda _values: None
    if known.name == "objectCategory" and b"=" not in wanted:
        # A class name stands for its category (MS-ADTS 3.1.1.3.1.3.5).
        category = schema.CLASSES.get(wanted.decode("utf-8", "replace").lower(), "")
        return lambda values: any(
            names.parts(value.decode())[0][1].lower() == category.lower() for value in values(name)
        )
    given = known.matched(wanted)
    if operator in ("=", "~="):
        return lambda values: any(known.matched(value) == given for value in values(name))

    def ordered(values: Values) -> Verdict:
        found = [known.matched(value) for value in values(name)]
        if isinstance(given, int):
            numbers = [one for one in found if isinstance(one, int)]
            return any(one >= given if operator == ">=" else one <= given for one in numbers)
        texts = [one for one in found if isinstance(one, str)]
        return isinstance(given, str) and any(one >= given if operator == ">=" else one <= given for one in texts)

    return ordered


def _substring(name: str, pieces: Sequence[bytes]) -> Match:
    known = schema.attribute(name)
    if known is None:
        return lambda _values: None
    if known.syntax not in ("unicode", "oid"):
        # Undefined for other syntaxes, names among them (MS-ADTS 3.1.1.3.1.3.1).
        return lambda _values: None
    first, *middle, last = [piece.decode("utf-8", "replace").casefold() for piece in pieces]

    def one(value: bytes) -> bool:
        text = value.decode("utf-8", "replace").casefold()
        if not text.startswith(first):
            return False
        text = text[len(first) :]
        for piece in middle:
            before, found, text = text.partition(piece)
            if piece and not found:
                return False
            text = text if piece else before
        return text.endswith(last)

    return lambda values: any(one(value) for value in values(name))


def _bitwise(name: str, rule: str, wanted: bytes) -> Match:
    known = schema.attribute(name)
    mask = schema.number(wanted)
    if known is None or known.syntax != "int" or mask is None:
        return lambda _values: None

    def one(value: bytes) -> bool:
        bits = int(value) & mask & 0xFFFFFFFF
        return bits == mask & 0xFFFFFFFF if rule == _BIT_AND else bits != 0

    return lambda values: any(one(value) for value in values(name))
