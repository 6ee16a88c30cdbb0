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
    key: list[str] = []
    blob: list[str] | None = None
    wrapped: list[str] | None = None
    kind = ""
    unbroken = False
    for line in lines:
        stripped = line.strip()
        value = _QUERIED_VALUE.match(line) if "REG_" in line else None
        if not stripped:
            unbroken = False
        elif value:
            wrapped = None
            unbroken = True
            if value[1].lower() == "blob":
                kind = value[2]
                blob = wrapped = ["".join((value[3] or "").split())]
        elif _QUERIED_KEY.match(stripped):
            if key:
                yield _value(key, blob, kind)
            key = wrapped = [stripped]
            blob = None
            unbroken = True
        elif wrapped is not None and (unbroken or _HEXADECIMAL.match(stripped)):
            wrapped.append(stripped)
    if key:
        yield _value(key, blob, kind)


def _value(key: list[str], blob: list[str] | None, kind: str) -> _Value:
    defect = f"The value Blob has the type {kind} instead of REG_BINARY." if blob and kind != "REG_BINARY" else None
    return _Value("".join(key), None if blob is None else "".join(blob), defect)


def _exported(lines: Iterable[str]) -> Iterator[_Value]:
    """Keys with their blobs. A backslash at the end of a line continues it; keys to be deleted are passed over."""
    key = ""
    digits: list[str] | None = None
    defect: str | None = None
    continues = collecting = False
    for line in (*lines, "[]"):
        stripped = line.strip()
        if continues and stripped and not stripped.startswith("["):
            continues = stripped.endswith("\\")
            if collecting and digits is not None:
                digits.append(stripped.rstrip("\\"))
            continue
        if continues and collecting:
            defect = "The value Blob ends with a backslash that no line follows: the file is cut short."
        continues = collecting = False
        if stripped.startswith("["):
            if key:
                yield _Value(key, None if digits is None else "".join(digits).replace(",", ""), defect)
            key = "" if stripped.startswith("[-") else stripped[1:].rpartition("]")[0]
            digits = defect = None
            continue
        value = _EXPORTED_VALUE.match(stripped)
        if value:
            continues = stripped.endswith("\\")
            if value[1].lower() == "blob":
                collecting = True
                digits = [value[3].rstrip("\\")] if value[2] else []
                if (value[2] or "").lower() not in ("hex:", "hex(3):"):
                    defect = "The value Blob is not binary (hex:)."


def _reading(values: list[_Value], form: str, origin: str, command: str) -> Reading:
    found = [(value, match[1]) for value in values if (match := _CERTIFICATE_KEY.search(value.key))]
    if not found:
        return _without_certificates(values, form, origin, command)
    certificates: list[Certificate] = []
    problems: list[Problem] = []
    if all(value.digits is None for value, _name in found):
        message = f"None of the {len(found)} keys of certificates has a value Blob."
        return Reading(problems=(Problem(origin, message, f"Obtain the values too: {command}", found[0][0].key),))
    for value, name in found:
        try:
            element = read_entry(_bytes(value), Source(form, origin, value.key), name)
        except EvidenceError as error:
            problems.append(error.as_problem(origin, within=value.key))
            continue
        certificates.append(element.certificate)
        if element.defect:
            problems.append(element.defect.as_problem(origin, within=value.key))
    return Reading(tuple(certificates), problems=tuple(problems))


def _bytes(value: _Value) -> bytes:
    if value.defect:
        raise EvidenceError(value.defect, remedy=REMEDY)
    if not value.digits:
        missing = "has no value Blob" if value.digits is None else "has an empty value Blob"
        raise EvidenceError(f"The key of the certificate {missing}.", remedy=REMEDY)
    try:
        return bytes.fromhex(value.digits)
    except ValueError:
        wrong = _NOT_HEXADECIMAL.search(value.digits)
        if wrong:
            message = f"The value Blob holds {wrong[0]!r}, which is no hexadecimal digit."
            raise EvidenceError(message, place=f"offset {wrong.start() // 2}", remedy=REMEDY) from None
        raise EvidenceError(
            "The value Blob ends in the middle of a byte: the text is cut short.",
            place=f"offset {len(value.digits) // 2}",
            remedy=REMEDY,
        ) from None


def _without_certificates(values: list[_Value], form: str, origin: str, command: str) -> Reading:
    """Tell an empty store, which is an answer, from a text that is none."""
    stores = [value.key for value in values if _STORE_KEY.search(value.key)]
    # Without /s, reg query lists the keys directly below a store, CRLs and CTLs beside Certificates.
    if stores and (form == "reg_export" or len(stores) == len(values)):
        return Reading()
    return Reading(
        problems=(
            Problem(
                origin,
                "The text holds no key of a certificate (...\\SystemCertificates\\STORE\\Certificates\\THUMBPRINT).",
                f"Run: {command}",
                values[0].key if values else None,
            ),
        )
    )
