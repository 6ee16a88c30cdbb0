# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to objects of a directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Modification:
    """Values taken from an attribute and values given to it, in this order, within one modify.

    The directory refuses the whole modify (noSuchAttribute, 16) when a value to be taken is not there: with the value
    that was read before, this is an optimistic lock.
    """

    attribute: str
    delete: tuple[bytes, ...] = ()
    add: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Modify:
    """A modify operation: all of it is done or nothing (RFC 4511, 4.6)."""

    dn: str
    modifications: tuple[Modification, ...]


@dataclass(frozen=True)
class Add:
    """A new object."""

    dn: str
    attributes: tuple[tuple[str, tuple[bytes, ...]], ...]
    """Name and values, ``objectClass`` among them."""


Change = Modify | Add


def replaced(attribute: str, old: Sequence[bytes], new: Sequence[bytes]) -> Modification:
    """All old values out, all new ones in; fails when one of the old values is no longer there."""
    return Modification(attribute, tuple(old), tuple(new))


def adjusted(attribute: str, old: Sequence[bytes], new: Sequence[bytes]) -> Modification:
    """Only what differs, for an attribute that others write too: their values stay."""
    return Modification(
        attribute,
        tuple(value for value in old if value not in new),
        tuple(value for value in new if value not in old),
    )
