# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lab asks of a directory, whoever keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


class DirectoryFault(Exception):
    """An LDAP operation that did not succeed: result code (RFC 4511, appendix A) and the server's diagnostic."""

    def __init__(self, code: int, diagnostic: str) -> None:
        super().__init__(f"{code}: {diagnostic}")
        self.code = code
        self.diagnostic = diagnostic


@dataclass
class Object:
    """An object with its attributes, named as the schema spells them."""

    dn: str
    attributes: dict[str, list[bytes]] = field(default_factory=dict)


@dataclass(frozen=True)
class Caller:
    """Who asks: an account of the domain, without the domain's name. An empty name is the anonymous caller."""

    user: str
    password: str


Operation = tuple[str, str, Sequence[bytes]]
"""``add``, ``delete`` or ``replace``; the attribute; the values (none with delete and replace: all of them)."""


class Directory(Protocol):
    """A directory of one domain that is its own forest."""

    domain: str
    """DNS name."""
    configuration: str
    """Distinguished name of the configuration naming context."""
    server: str
    """Full DNS name of the domain controller."""
    administrator: Caller
    """Who may do everything; for fixtures."""
    before_change: Callable[[], None] | None
    """Called once before the next add, modify or delete of anyone but the administrator, then forgotten: for a test
    that changes something between a reader's look and his change."""

    def search(
        self, caller: Caller, base: str, scope: str, filter_text: str, attributes: Sequence[str] | None
    ) -> list[Object]:
        """Objects; scope is ``base``, ``one`` or ``sub``; all readable attributes for ``None``."""

    def modify(self, caller: Caller, dn: str, operations: Sequence[Operation]) -> None:
        """One atomic modify."""

    def add(self, caller: Caller, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> None:
        """A new object."""

    def delete(self, caller: Caller, dn: str) -> None:
        """Remove an object without children."""


@dataclass(frozen=True)
class DirectoryRole:
    """What a host has to do with the directory."""

    directory: Directory
    controller: bool
    """True: the host is the domain controller. False: a member that has the AD DS tools; without credentials
    of its own to hand on (NTLM, Kerberos without delegation) its user is anonymous to the domain controller."""
