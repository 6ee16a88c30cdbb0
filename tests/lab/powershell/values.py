# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a script and how PowerShell turns them into text, truth values and each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ..host.messages import general_time
from .errors import ErrorRecord, NotSimulated
from .nodes import Block

Value = Any


@dataclass(frozen=True)
class PSObject:
    """An object with properties, in order."""

    type_name: str
    properties: Mapping[str, Value] = field(default_factory=dict)
    text: str | None = None

    def get(self, name: str) -> Value:
        """A property by its name in any case.

        Raises:
            KeyError: there is none.

        """
        for held, value in self.properties.items():
            if held.lower() == name.lower():
                return value
        raise KeyError(name)


class Instance:
    """An object of a .NET type that has a state, or members that can fail."""

    type_name: str

    def property(self, name: str) -> Value:
        """A property, by its name as the script has it."""
        raise NotSimulated(f"the property {name} of {self.type_name}")

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """A method, by its name as the script has it; one without a result gives None."""
        raise NotSimulated(f"the method {name} of {self.type_name} with {len(arguments)} arguments")


@dataclass(frozen=True)
class DateTime:
    """A .NET DateTime: a moment, shown in the time zone that it carries."""

    moment: datetime
    is_universal: bool = False
    """Its kind: Utc, else Local."""

    def universal(self) -> DateTime:
        """The same moment in UTC."""
        return DateTime(self.moment.astimezone(timezone.utc), True)

    def formatted(self, pattern: str) -> str:
        """``ToString(pattern)`` for the patterns ``o`` and ``s`` and the plain sortable ones."""
        if pattern in ("o", "O"):
            offset = self.moment.strftime("%z")
            offset = "Z" if self.is_universal else f"{offset[:3]}:{offset[3:]}"
            return self.moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.moment.microsecond:06}0" + offset
        known = {"s": "%Y-%m-%dT%H:%M:%S", "u": "%Y-%m-%d %H:%M:%SZ", "yyyy-MM-dd": "%Y-%m-%d"}
        known["yyyy-MM-ddTHH:mm:ssZ"] = "%Y-%m-%dT%H:%M:%SZ"
        if pattern not in known:
            raise NotSimulated(f"the date format {pattern!r}")
        return self.moment.strftime(known[pattern])


@dataclass(frozen=True)
class TypeReference:
    """A type literal such as ``[string]``."""

    name: str


@dataclass(frozen=True)
class Script:
    """A script block as a value."""

    body: Block


def to_text(value: Value) -> str:
    """A value in an expandable string or as a string argument: the invariant culture."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, list):
        return " ".join(to_text(item) for item in value)
    if isinstance(value, bytes):
        return " ".join(str(byte) for byte in value)
    if isinstance(value, DateTime):
        return value.moment.strftime("%m/%d/%Y %H:%M:%S")
    if isinstance(value, PSObject):
        return value.text if value.text is not None else _members(value)
    if isinstance(value, dict):
        return "System.Collections.Hashtable"
    if isinstance(value, str | int | ErrorRecord):
        return str(value)
    raise NotSimulated(f"the text of {value!r}")


def _members(value: PSObject) -> str:
    inner = "; ".join(f"{name}={to_text(item)}" for name, item in value.properties.items())
    return f"@{{{inner}}}"


def to_culture_text(value: Value, language: str) -> str:
    """A value as ``-f``, ``ToString()`` and the formatting of output show it: the culture of the host."""
    if isinstance(value, DateTime):
        return general_time(value.moment, language)
    return to_text(value)


def truth(value: Value) -> bool:
    """The truth value (about_Booleans)."""
    if isinstance(value, list | bytes):
        return len(value) > 1 or (len(value) == 1 and truth(value[0]))
    if value is None or isinstance(value, bool | int | str):
        return bool(value)
    return True


def items_of(value: Value) -> list[Value]:
    """What a value gives to a pipeline: an array its items, null one null."""
    return list(value) if isinstance(value, list | bytes) else [value]


def collapse(items: list[Value]) -> Value:
    """What a pipeline gives to a variable: nothing is null, one item is itself, more are an array."""
    if not items:
        return None
    return items[0] if len(items) == 1 else items


def to_integer(value: Value) -> int:
    """A value as a number."""
    if value is None:
        return 0
    if isinstance(value, bool | int):
        return int(value)
    if isinstance(value, str):
        text = value.strip()
        try:
            return int(text, 16 if text[:2].lower() == "0x" else 10) if text else 0
        except ValueError as exc:
            raise NotSimulated(f"the number {value!r}") from exc
    raise NotSimulated(f"the number {value!r}")


def to_bytes(value: Value) -> bytes:
    """A value as a byte array: one, or an array of numbers."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, list):
        numbers = [to_integer(item) for item in value]
        if all(0 <= number <= 255 for number in numbers):
            return bytes(numbers)
    raise NotSimulated(f"the byte array {value!r}")
