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
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    return "".join(chr(byte) if byte in _SAFE_IN_FILTER else f"\\{byte:02x}" for byte in data)


def equals(attribute: str, value: str | bytes) -> str:
    """A filter: the attribute has this value."""
    return f"({attribute}={filter_value(value)})"


def any_of(*filters: str) -> str:
    """A filter: one of these matches."""
    return filters[0] if len(filters) == 1 else f"(|{''.join(filters)})"


def rdn(attribute: str, value: str) -> str:
    r"""A relative distinguished name with its value escaped (RFC 4514, 2.4), control characters as ``\xx``."""
    escaped = ""
    last = len(value) - 1
    for position, character in enumerate(value):
        if (
            character in _SPECIAL_IN_DN
            or (position == 0 and character in " #")
            or (position == last and character == " ")
        ):
            escaped += f"\\{character}"
        elif ord(character) < 0x20 or ord(character) == 0x7F:
            escaped += f"\\{ord(character):02x}"
        else:
            escaped += character
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


def canonical(dn: str) -> tuple[str, ...]:
    r"""The relative names of a distinguished name, escapes undone and in one case, for comparing.

    Servers escape differently: ``\,`` and ``\2C``, ``\"`` and ``\22`` are the same (RFC 4514, 2.4).
    """
    found: list[str] = []
    rest = dn
    while rest:
        following = parent(rest)
        own = rest[: len(rest) - len(following) - 1] if following else rest
        found.append(_unescaped(_trimmed(own)).casefold())
        rest = following
    return tuple(found)


def _trimmed(text: str) -> str:
    """Without the spaces around it, but with a last one that is escaped."""
    trimmed = text.strip(" ")
    backslashes = len(trimmed) - len(trimmed.rstrip("\\"))
    return f"{trimmed} " if backslashes % 2 and text.endswith(" ") else trimmed


def _unescaped(text: str) -> str:
    data = bytearray()
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\" and position + 1 < len(text):
            pair = text[position + 1 : position + 3]
            if len(pair) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in pair):
                data.append(int(pair, 16))
                position += 3
                continue
            position += 1
            character = text[position]
        data += character.encode("utf-8", "surrogatepass")
        position += 1
    return data.decode("utf-8", "replace")
