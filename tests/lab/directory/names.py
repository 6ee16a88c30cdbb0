# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinguished names: taken apart, compared and put together (RFC 4514; MS-ADTS 3.1.1.1.5 for the escapes)."""

from __future__ import annotations

_SPECIAL = frozenset(',+"\\<>;=')
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")

Key = tuple[tuple[str, str], ...]
"""A name to compare by: (attribute, value) of each part in lower case, the most specific first."""


class NameFault(ValueError):
    """A text that is no distinguished name."""


def parts(dn: str) -> list[tuple[str, str]]:
    """(attribute, value) of each part, unescaped.

    Raises:
        NameFault: it cannot be taken apart. Parts of several values (``+``) are refused; AD does not make them.
    """
    return [_pair(piece) for piece in _split(dn)] if dn.strip() else []


def _split(dn: str) -> list[str]:
    pieces, piece, at = [], "", 0
    while at < len(dn):
        if dn[at] == "\\":
            piece += dn[at : at + 2]
            at += 2
            continue
        if dn[at] == ",":
            pieces.append(piece)
            piece = ""
        else:
            piece += dn[at]
        at += 1
    return [*pieces, piece]


def _pair(piece: str) -> tuple[str, str]:
    attribute, equals, value = piece.strip(" \r\n").partition("=")
    if not equals or not attribute.strip() or "+" in value.replace("\\+", ""):
        raise NameFault(f"{piece!r} is no part of a distinguished name")
    stripped = value.lstrip(" ")
    if piece.endswith("\\ "):
        stripped = stripped.rstrip(" ") + " "
    return attribute.strip(), _unescaped(stripped)


def _unescaped(value: str) -> str:
    data = b""
    at = 0
    while at < len(value):
        pair = value[at + 1 : at + 3]
        if value[at] == "\\" and len(pair) == 2 and set(pair) <= _HEXADECIMAL:
            data += bytes.fromhex(pair)
            at += 3
        elif value[at] == "\\":
            data += value[at + 1 : at + 2].encode()
            at += 2
        else:
            data += value[at].encode()
            at += 1
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise NameFault(f"{value!r} holds escaped bytes that are not UTF-8") from exc


def rdn(attribute: str, value: str) -> str:
    """One part with its value escaped."""
    escaped = ""
    last = len(value) - 1
    for position, character in enumerate(value):
        outer = character == " " and position in (0, last)
        if character in _SPECIAL or outer or (position == 0 and character == "#"):
            escaped += f"\\{character}"
        elif ord(character) < 0x20:
            escaped += f"\\{ord(character):02X}"
        else:
            escaped += character
    return f"{attribute}={escaped}"


def join(pairs: list[tuple[str, str]]) -> str:
    """A distinguished name as AD returns it."""
    return ",".join(rdn(attribute, value) for attribute, value in pairs)


def key(dn: str) -> Key:
    """A name to compare by.

    Raises:
        NameFault: it cannot be taken apart.
    """
    return tuple((attribute.lower(), value.casefold()) for attribute, value in parts(dn))


def domain_dn(domain: str) -> str:
    """``DC=corp,DC=example`` of ``corp.example``."""
    return ",".join(f"DC={label}" for label in domain.split("."))
