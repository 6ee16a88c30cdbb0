# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate stores out of the registry as text: the output of ``reg query /s`` and the files of ``reg export``.

Windows keeps each certificate of a machine's store in a key of its own, named by its SHA-1, in the value ``Blob``.
Neither tool translates key names, value names or types, so the text is the same in all display languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ..record import Certificate, EvidenceError, Problem, Reading, Source
from .serialized import REMEDY, read_entry
from .text import decode

_CERTIFICATE_KEY = re.compile(r"\\(?:System|Enterprise)Certificates\\[^\\]+\\Certificates\\([^\\]+)\Z", re.IGNORECASE)
_STORE_KEY = re.compile(r"\\(?:System|Enterprise)Certificates\\[^\\]+(?:\\Certificates)?\Z", re.IGNORECASE)
_QUERIED_KEY = re.compile(r"(?:\\\\[^\\]+\\)?HKEY_[A-Z_]+(?:\\|\Z)", re.IGNORECASE)
_QUERIED_VALUE = re.compile(r"\s*(\S.*?)(?:\s{2,}|\t)(REG_[A-Z_]+)(?:\s+(.*))?\Z")
_EXPORTED_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"=(hex(?:\([0-9a-f]+\))?:)?(.*)\Z', re.IGNORECASE)
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+\Z")
_NOT_HEXADECIMAL = re.compile(r"[^0-9A-Fa-f]")

_QUERY = "reg query HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\MY\\Certificates /s"
_EXPORT = "reg export HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\MY my.reg"


class _Value(NamedTuple):
    """A key with its value ``Blob``, as far as the text has one."""

    key: str
    digits: str | None
    """Hexadecimal digits, when they are what they should be; ``None`` without a value of that name."""
    defect: str | None = None


def read_reg_query(data: bytes | str, origin: str) -> Reading:
    """Read what ``reg query KEY /s`` printed, for any number of stores. Never raises."""
    text = data if isinstance(data, str) else decode(data)
    return _reading(list(_queried(text.splitlines())), "reg_query", origin, _QUERY)


def read_reg_export(data: bytes | str, origin: str) -> Reading:
    """Read a .reg file, of version 5 (UTF-16) or 4 (ANSI), with any number of stores. Never raises."""
    text = data if isinstance(data, str) else decode(data)
    return _reading(list(_exported(text.splitlines())), "reg_export", origin, _EXPORT)


def _queried(lines: Iterable[str]) -> Iterator[_Value]:
    """Keys with their blobs. Lines that a console has wrapped are joined, of key names and of digits."""
    key = ""
    digits: list[str] | None = None
    defect: str | None = None
    unbroken = False
    for line in lines:
        stripped = line.strip()
        if not stripped:
            unbroken = False
            continue
        value = _QUERIED_VALUE.match(line) if "REG_" in line else None
        if _QUERIED_KEY.match(stripped) and not value:
            if key:
                yield _Value(key, None if digits is None else "".join(digits), defect)
            key, digits, defect, unbroken = stripped, None, None, True
        elif value:
            unbroken = False
            if value[1].lower() == "blob":
                digits, defect, unbroken = ["".join((value[3] or "").split())], _wrong_type(value[2]), True
            elif digits is not None:
                digits, defect = ["".join(digits)], defect
        elif digits is not None:
            if unbroken or _HEXADECIMAL.match(stripped):
                digits.append(stripped)
        elif unbroken:
            key += stripped
    if key:
        yield _Value(key, None if digits is None else "".join(digits), defect)


def _wrong_type(name: str) -> str | None:
    return None if name == "REG_BINARY" else f"The value Blob has the type {name} instead of REG_BINARY."
