# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in the stores of a machine, the keys they point to, and the bytes that the registry holds of them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ..formats import serialized
from ..pki import Issued, Template, key_bits, public_key_der

CRYPT_MACHINE_KEYSET = 0x20


@dataclass(frozen=True)
class KeyReference:
    """The key of a certificate: what property 2 says of it, and whether the key is really there."""

    provider: str | None
    provider_type: int
    key_spec: int
    container: str | None
    flags: int = CRYPT_MACHINE_KEYSET
    recorded: bool = True
    """False: the store holds no property 2."""
    missing: bool = False
    """True: the container is gone."""
    exportable: bool = False
    parameters: Sequence[tuple[int, bytes, int]] = ()

    @property
    def is_cng(self) -> bool:
        """Type 0 is a key storage provider (CRYPT_KEY_PROV_INFO documentation)."""
        return self.provider_type == 0

    def property_value(self) -> bytes:
        """The value of property 2."""
        return serialized.key_prov_info(
            self.container, self.provider, self.provider_type, self.flags, self.key_spec, self.parameters
        )


@dataclass(frozen=True)
class StoredCertificate:
    """One subkey of a store's ``Certificates`` key."""

    identifier: str
    """The name in the scenario."""
    key_name: str
    """The name of the registry key: the thumbprint, unless the scenario damages it."""
    blob: bytes
    issued: Issued | None
    """None for a blob that Windows cannot read; tools then do not list it."""
    key: KeyReference | None = None
    template: Template | None = None
    archived: bool = False


def blob_of(
    issued: Issued,
    key: KeyReference | None,
    *,
    friendly_name: str | None = None,
    originator: str | None = None,
    archived: bool = False,
    further: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """The registry blob of a certificate, with the properties in the order of blobs from real Windows."""
    certificate = issued.certificate
    spki = public_key_der(certificate)
    identifier = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    properties = [
        (serialized.MD5_HASH, hashlib.md5(issued.der, usedforsecurity=False).digest()),
        (serialized.SIGNATURE_HASH, _signature_hash(certificate)),
        (serialized.KEY_IDENTIFIER, identifier),
        (serialized.SUBJECT_PUBLIC_KEY_MD5, hashlib.md5(spki, usedforsecurity=False).digest()),
        (serialized.SHA1_HASH, bytes.fromhex(issued.thumbprint)),
        (serialized.PUBLIC_KEY_BITS, key_bits(certificate).to_bytes(4, "little")),
    ]
    if key and key.recorded:
        properties.append((serialized.KEY_PROV_INFO, key.property_value()))
    if originator:
        properties.append((serialized.REQUEST_ORIGINATOR, serialized.text(originator)))
    if archived:
        properties.append((serialized.ARCHIVED, b""))
    if friendly_name is not None:
        properties.append((serialized.FRIENDLY_NAME, serialized.text(friendly_name)))
    return serialized.element([*properties, *further], issued.der)


def _signature_hash(certificate: x509.Certificate) -> bytes:
    algorithm = certificate.signature_hash_algorithm or hashes.SHA256()
    return hashlib.new(algorithm.name, certificate.tbs_certificate_bytes, usedforsecurity=False).digest()


def unique_name(container: str, machine_guid: uuid.UUID) -> str:
    """The file name of a key container: a hash of its name, an underscore and the machine's GUID.

    The form is that of certutil's ``Unique container name`` and of ``Key Container`` for CSPs, as in transcripts of
    Server 2019 and 2022.
    """
    digest = hashlib.md5(container.lower().encode(), usedforsecurity=False).hexdigest()
    return f"{digest}_{machine_guid}"


def damaged(blob: bytes, defect: str) -> bytes:
    """A blob with a defect.

    ``truncated`` ends within the certificate, ``flipped`` has a wrong length in its first record, ``garbled`` has
    wrong bytes within the certificate, ``empty`` has none.

    Raises:
        ValueError: the defect is unknown.

    """
    if defect == "truncated":
        return blob[: len(blob) * 2 // 3]
    if defect == "flipped":
        return blob[:8] + bytes([blob[8] ^ 0xFF, blob[9] ^ 0xFF]) + blob[10:]
    if defect == "garbled":
        start = len(blob) - 300
        return blob[:start] + bytes(byte ^ 0x5A for byte in blob[start:])
    if defect == "empty":
        return b""
    raise ValueError(f"unknown defect {defect!r}")
