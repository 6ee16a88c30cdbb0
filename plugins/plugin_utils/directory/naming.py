# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in LDAP: distinguished names and search filters, with every value escaped."""

from __future__ import annotations

_SAFE_IN_FILTER = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")
_SPECIAL_IN_DN = frozenset(',+"\\<>;=')


def filter_value(value: str | bytes) -> str:
    r"""A value for a search filter (RFC 4515): everything but letters, digits, ``-``, ``.`` and ``_`` as ``\xx``.

    More than the RFC demands, so that the filter is also one word of plain characters for any shell.
    """
    data = value.encode("utf-8") if isinstance(value, str) else value
    return "".join(chr(byte) if byte in _SAFE_IN_FILTER else f"\\{byte:02x}" for byte in data)


def equals(attribute: str, value: str | bytes) -> str:
    """A filter: the attribute has this value."""
    return f"({attribute}={filter_value(value)})"


def any_of(*filters: str) -> str:
    """A filter: one of these matches."""
    return filters[0] if len(filters) == 1 else f"(|{''.join(filters)})"


def all_of(*filters: str) -> str:
    """A filter: all of these match."""
    return filters[0] if len(filters) == 1 else f"(&{''.join(filters)})"


def rdn(attribute: str, value: str) -> str:
    r"""A relative distinguished name with its value escaped (RFC 4514, 2.4), control characters as ``\xx``."""
    escaped = ""
    for position, character in enumerate(value):
        if character in _SPECIAL_IN_DN or (position == 0 and character in " #"):
            escaped += f"\\{character}"
        elif ord(character) < 0x20 or ord(character) == 0x7F:
            escaped += f"\\{ord(character):02x}"
        else:
            escaped += character
    if escaped.endswith(" ") and not escaped.endswith("\\ "):
        escaped = escaped[:-1] + "\\ "
    return f"{attribute}={escaped}"


def parent(dn: str) -> str:
    """The distinguished name of the container: all after the first comma that is not escaped."""
    position = 0
    while position < len(dn):
        if dn[position] == "\\":
            position += 2
            continue
        if dn[position] == ",":
            return dn[position + 1 :]
        position += 1
    return ""
