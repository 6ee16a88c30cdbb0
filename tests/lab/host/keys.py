# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys of a simulated host, in the containers of its providers.

A new key of the machine is for SYSTEM and Administrators. ``D:P(A;;0xd01f01ff;;;CO)(A;;0xd01f01ff;;;SY)
(A;;0xd01f01ff;;;BA)`` was read from fresh keys of the Software KSP by another project, through the property of the
key; ``D:PAI(A;;0xd01f01ff;;;SY)(A;;0xd01f01ff;;;BA)`` stands in many published scripts for keys of CSPs. Unverified:
that the file of a key shows the generic rights (0xd0000000), too, that an administrator who makes a key gets no entry
of their own, and what the import of a PFX gives. Keys of users are left out of this.

Microsoft's RSA CSPs have one set of containers: programs open a key of type 1 or 12 as one of type 24 by the same name
(RSACryptoServiceProviderProxy of the identity model extensions for .NET). The Software KSP has its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..pki import PrivateKey

SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
RSA_SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
PLATFORM_KSP = "Microsoft Platform Crypto Provider"
SMART_CARD_PROVIDERS = ("Microsoft Base Smart Card Crypto Provider", "Microsoft Smart Card Key Storage Provider")
PASSPORT_KSP = "Microsoft Passport Key Storage Provider"

ALLOW_EXPORT, ALLOW_PLAINTEXT_EXPORT = 1, 2
"""NCRYPT_ALLOW_EXPORT_FLAG and NCRYPT_ALLOW_PLAINTEXT_EXPORT_FLAG ("Key Storage Property Identifiers")."""

FRESH_CNG = "D:P(A;;0xd01f01ff;;;CO)(A;;0xd01f01ff;;;SY)(A;;0xd01f01ff;;;BA)"
FRESH_LEGACY = "D:PAI(A;;0xd01f01ff;;;SY)(A;;0xd01f01ff;;;BA)"

_SHARING = (
    "microsoft base cryptographic provider v1.0",
    "microsoft strong cryptographic provider",
    "microsoft enhanced cryptographic provider v1.0",
    RSA_SCHANNEL.casefold(),
    "microsoft enhanced rsa and aes cryptographic provider",
)
_IN_HARDWARE = tuple(name.casefold() for name in (PLATFORM_KSP, *SMART_CARD_PROVIDERS, PASSPORT_KSP))


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
    plaintext: bool = False
    """AllowPlaintextExport, too; an exportable key of a request from the certificate console has AllowExport alone."""
    isolated: bool = False
    """Held by virtualization-based security."""
    access: str = ""
    """Who may use it, SDDL; empty: as a new key has it."""

    def __post_init__(self) -> None:
        if not self.access:
            object.__setattr__(self, "access", FRESH_LEGACY if self.key_spec else FRESH_CNG)

    @property
    def public_key(self) -> bytes:
        """The SubjectPublicKeyInfo of the key."""
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def in_hardware(self) -> bool:
        """Whether its provider keeps keys in a TPM or on a smart card; of providers that are not Microsoft's the lab
        takes no notice.
        """
        return self.provider.casefold() in _IN_HARDWARE

    @property
    def export_policy(self) -> int:
        """CngExportPolicies; 0 for keys in hardware and isolated ones, whatever was asked for."""
        if not self.exportable or self.in_hardware or self.isolated:
            return 0
        return ALLOW_EXPORT | (ALLOW_PLAINTEXT_EXPORT if self.plaintext else 0)


@dataclass
class KeyContainers:
    """All containers of a host."""

    held: dict[tuple[str, str], KeyContainer] = field(default_factory=dict)

    def add(self, container: KeyContainer) -> None:
        """Put a container in; one of the same name is replaced where the provider finds it."""
        self.held[_place(container.provider, container.name)] = container

    def find(self, provider: str | None, name: str | None) -> KeyContainer | None:
        """The container of a provider by its name."""
        return self.held.get(_place(provider or "", name or ""))

    def remove(self, provider: str, name: str) -> bool:
        """Delete a container; False when there is none."""
        return self.held.pop(_place(provider, name), None) is not None

    def name_for(self, provider: str, wished: str | None, *, overwrite: bool = False) -> str:
        """The name of the container for a key that is imported.

        That of the friendly name of the key bag when no container has it, or when that one may be overwritten
        (PKCS12_ALLOW_OVERWRITE_KEY), else a GUID: measured with PFXImportCertStore and the Enhanced provider by another
        project, said of Windows by a maintainer of .NET. That KSPs do the same is unverified.
        """
        if wished and (overwrite or self.find(provider, wished) is None):
            return wished
        return f"{{{str(uuid.uuid4()).upper()}}}"

    def give(self, container: KeyContainer, access: str) -> KeyContainer:
        """Change who may use a key."""
        changed = replace(container, access=access)
        self.add(changed)
        return changed

    def __iter__(self) -> Iterator[KeyContainer]:
        """All containers."""
        return iter(list(self.held.values()))


def _place(provider: str, name: str) -> tuple[str, str]:
    known = provider.casefold()
    return "" if known in _SHARING else known, name.casefold()
