# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys of a simulated host, in the containers of its providers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..pki import PrivateKey


@dataclass(frozen=True)
class KeyContainer:
    """One container of a provider with its key."""

    provider: str
    """As the provider is called; compared in any case."""
    name: str
    key: PrivateKey
    key_spec: int
    exportable: bool = False
    machine: bool = True

    @property
    def public_key(self) -> bytes:
        """The SubjectPublicKeyInfo of the key."""
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class KeyContainers:
    """All containers of a host."""

    held: dict[tuple[str, str], KeyContainer] = field(default_factory=dict)

    def add(self, container: KeyContainer) -> None:
        """Put a container in; one of the same provider and name is replaced."""
        self.held[container.provider.casefold(), container.name.casefold()] = container

    def find(self, provider: str | None, name: str | None) -> KeyContainer | None:
        """The container of a provider by its name."""
        return self.held.get(((provider or "").casefold(), (name or "").casefold()))

    def remove(self, provider: str, name: str) -> bool:
        """Delete a container; False when there is none."""
        return self.held.pop((provider.casefold(), name.casefold()), None) is not None

    def __iter__(self) -> Iterator[KeyContainer]:
        """All containers."""
        return iter(list(self.held.values()))
