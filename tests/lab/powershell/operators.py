# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary operators (about_Comparison_Operators, about_Arithmetic_Operators, about_Join, about_Split)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

from .errors import ErrorRecord, NotSimulated, PSError
from .values import DateTime, PSObject, Value, items_of, to_culture_text, to_integer, to_text

_FORMAT_ITEM = re.compile(r"\{\{|\}\}|\{(\d+)(?:,(-?\d+))?(?::([^}]*))?\}")


def apply(operator: str, left: Value, right: Value, language: str, version: tuple[int, int]) -> Value:
    """The result of a binary operator other than the logical ones.

    Raises:
        NotSimulated: the operands are outside what the lab knows.
        PSError: PowerShell would raise an error.

    """
    if isinstance(left, bytes):
        left = items_of(left)
    sensitive = len(operator) > 2 and operator[0] == "c" and operator[1:] in _COMPARISONS
    name = operator[1:] if sensitive else operator
    if name in ("in", "notin"):
        if version < (3, 0):
            raise PSError(ErrorRecord(f"Unexpected token '-{name}' in expression or statement."))
        found = any(_equal(item, left, sensitive) for item in items_of(right))
        return found == (name == "in")
    if name in ("contains", "notcontains"):
        found = any(_equal(item, right, sensitive) for item in items_of(left))
        return found == (name == "contains")
    if name in _COMPARISONS:
        compare = _COMPARISONS[name]
        if isinstance(left, list):
            return [item for item in left if compare(item, right, sensitive)]
        return compare(left, right, sensitive)
    if name == "join":
        return to_text(right).join(to_text(item) for item in items_of(left))
    if name == "split":
        return re.split(to_text(items_of(right)[0]), to_text(left), flags=re.I)
    if name == "replace":
        return _replace(left, items_of(right))
    if name == "f":
        return format_text(to_text(left), items_of(right), language)
    if name == "..":
        first, last = to_integer(left), to_integer(right)
        step = 1 if first <= last else -1
        return list(range(first, last + step, step))
    return _arithmetic(name, left, right)


def format_text(pattern: str, values: list[Value], language: str) -> str:
    """The operator ``-f``."""

    def item(match: re.Match[str]) -> str:
        if match.group() in ("{{", "}}"):
            return match.group()[0]
        index = int(match.group(1))
        if index >= len(values):
            message = (
                "Error formatting a string: Index (zero based) must be greater than or equal to zero and less than "
                "the size of the argument list.."
            )
            raise PSError(ErrorRecord(message, error_id="FormatError"))
        value, shape = values[index], match.group(3)
        if shape is None:
            text = to_culture_text(value, language)
        elif isinstance(value, DateTime):
            text = value.formatted(shape)
        elif isinstance(value, int) and re.fullmatch(r"[xX]\d*", shape):
            text = f"{value & 0xFFFFFFFF:0{shape[1:] or 1}{shape[0]}}"
        elif isinstance(value, int) and re.fullmatch(r"[dD]\d+", shape):
            text = f"{value:0{shape[1:]}d}"
        else:
            raise NotSimulated(f"the format {shape!r}")
        width = int(match.group(2) or 0)
        return text.rjust(width) if width >= 0 else text.ljust(-width)

    return _FORMAT_ITEM.sub(item, pattern)


def _replace(left: Value, right: list[Value]) -> Value:
    pattern, replacement = to_text(right[0]), to_text(right[1]) if len(right) > 1 else ""
    if "$" in replacement:
        raise NotSimulated("-replace with groups")
    results = [re.sub(pattern, lambda _: replacement, to_text(item), flags=re.I) for item in items_of(left)]
    return results if isinstance(left, list) else results[0]


def _arithmetic(name: str, left: Value, right: Value) -> Value:
    if name == "+":
        if isinstance(left, list):
            return left + items_of(right)
        if isinstance(left, str):
            return left + to_text(right)
        if left is None:
            return right
    if name == "*" and isinstance(left, str):
        return left * to_integer(right)
    if isinstance(left, bool | int) or left is None:
        first, second = to_integer(left), to_integer(right)
        if name == "+":
            return first + second
        if name == "-":
            return first - second
        if name == "*":
            return first * second
        if name == "%" and second:
            return first % second
        if name == "/" and second and first % second == 0:
            return first // second
    raise NotSimulated(f"the operator {name} between {left!r} and {right!r}")


def _equal(left: Value, right: Value, sensitive: bool) -> bool:
    if left is None or right is None:
        return left is None and right is None
    if isinstance(left, str):
        text = to_text(right)
        return left == text if sensitive else left.lower() == text.lower()
    if isinstance(left, bool):
        return left == bool(right)
    if isinstance(left, int):
        return left == to_integer(right)
    if isinstance(left, DateTime) and isinstance(right, DateTime):
        return left.moment == right.moment
    if isinstance(left, PSObject) and left.text is not None and isinstance(right, str):
        return left.text.lower() == right.lower()
    raise NotSimulated(f"a comparison of {left!r} with {right!r}")


def _order(left: Value, right: Value, sensitive: bool) -> int:
    if isinstance(left, str):
        first, second = left, to_text(right)
        if not sensitive:
            first, second = first.lower(), second.lower()
        return (first > second) - (first < second)
    if isinstance(left, DateTime) and isinstance(right, DateTime):
        return (left.moment > right.moment) - (left.moment < right.moment)
    number, other = to_integer(left), to_integer(right)
    return (number > other) - (number < other)


def _like(left: Value, right: Value, sensitive: bool) -> bool:
    text, pattern = to_text(left), to_text(right)
    if not sensitive:
        text, pattern = text.lower(), pattern.lower()
    return fnmatch.fnmatchcase(text, pattern)


def _match(left: Value, right: Value, sensitive: bool) -> bool:
    return re.search(to_text(right), to_text(left), 0 if sensitive else re.I) is not None


_COMPARISONS: dict[str, Callable[[Value, Value, bool], bool]] = {
    "eq": _equal,
    "ne": lambda left, right, sensitive: not _equal(left, right, sensitive),
    "gt": lambda left, right, sensitive: _order(left, right, sensitive) > 0,
    "ge": lambda left, right, sensitive: _order(left, right, sensitive) >= 0,
    "lt": lambda left, right, sensitive: _order(left, right, sensitive) < 0,
    "le": lambda left, right, sensitive: _order(left, right, sensitive) <= 0,
    "like": _like,
    "notlike": lambda left, right, sensitive: not _like(left, right, sensitive),
    "match": _match,
    "notmatch": lambda left, right, sensitive: not _match(left, right, sensitive),
}
