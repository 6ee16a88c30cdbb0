# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One object of a directory, as it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import DirectoryError


@dataclass(frozen=True)
class Entry:
    """An object: its distinguished name, and the values of its attributes as bytes in the order they came."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]
    """By the name as the directory spells it."""
    _folded: dict[str, tuple[bytes, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in self.attributes.items():
            self._folded[name.casefold()] = values

    def values(self, name: str) -> tuple[bytes, ...]:
        """The values of an attribute, its name in any case; none when it is absent."""
        return self._folded.get(name.casefold(), ())

    def value(self, name: str) -> bytes | None:
        """The value of a single-valued attribute; ``None`` when it is absent.

        Raises:
            DirectoryError: it has several.
        """
        values = self.values(name)
        if len(values) > 1:
            raise DirectoryError(
                f"The attribute {name} has {len(values)} values; one is expected.",
                place=self.dn,
                remedy="Look at the object with an LDAP editor.",
            )
        return values[0] if values else None

    def texts(self, name: str) -> tuple[str, ...]:
        """The values as text.

        Raises:
            DirectoryError: one is not UTF-8, as LDAP demands (RFC 4517, Directory String).
        """
        try:
            return tuple(value.decode("utf-8") for value in self.values(name))
        except UnicodeDecodeError as exc:
            raise DirectoryError(
                f"The attribute {name} holds a value that is not UTF-8.", place=self.dn, remedy="Correct the value."
            ) from exc

    def text(self, name: str) -> str | None:
        """The only value as text; ``None`` when the attribute is absent.

        Raises:
            DirectoryError: there are several, or it is not UTF-8.
        """
        self.value(name)
        texts = self.texts(name)
        return texts[0] if texts else None

    def integer(self, name: str) -> int | None:
        """The only value as a signed 32-bit number; ``None`` when the attribute is absent.

        Values above 0x7FFFFFFF are taken for the same bits as signed: tools write them, and Samba turns them round.

        Raises:
            DirectoryError: there are several, or it is no such number.
        """
        text = self.text(name)
        if text is None:
            return None
        try:
            number = int(text)
        except ValueError:
            number = 1 << 32
        if not -(1 << 31) <= number < 1 << 32:
            raise DirectoryError(
                f"The attribute {name} holds {text!r}, which is not a 32-bit number.",
                place=self.dn,
                remedy="Correct the value.",
            )
        return number - (1 << 32) if number > 0x7FFFFFFF else number
