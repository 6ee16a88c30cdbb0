# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every way to a directory offers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..directory.change import Change
from ..directory.entry import Entry

PUBLIC_KEY_SERVICES = "CN=Public Key Services,CN=Services"
"""Below the configuration naming context: where a forest keeps its templates, their OIDs and its enrolment services
(MS-WCCE 2.2.2.11)."""


@dataclass(frozen=True)
class Found:
    """What a search gave."""

    entries: tuple[Entry, ...]
    configuration: str
    """The distinguished name of the configuration naming context."""
    server: str
    """The domain controller that answered, as a person would name it."""


class Directory(Protocol):
    """A forest's directory, as far as certificate templates need it."""

    def search(self, filter_text: str, attributes: Sequence[str]) -> Found:
        """All objects below :data:`PUBLIC_KEY_SERVICES` that match a filter (RFC 4515).

        Raises:
            DirectoryError: the directory could not be reached or read, or gave what cannot be parsed.
        """

    def apply(self, changes: Sequence[Change]) -> None:
        """Do changes one after the other; the first that fails ends it.

        Raises:
            DirectoryError: with the LDAP result code where one is known; ``place`` is the object's name.
        """

    def close(self) -> None:
        """Give up the connection, if there is one."""
