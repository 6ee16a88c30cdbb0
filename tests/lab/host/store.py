# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in the stores of a machine, the keys they point to, and the bytes that the registry holds of them."""

from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from ..formats import serialized
from ..pki import Issued, Template, key_bits, public_key_der

CRYPT_MACHINE_KEYSET = 0x20


@dataclass(frozen=True)
class KeyReference:
    """The key of a certificate as property 2 says it. Whether it is there is up to the containers of the machine."""

    provider: str | None
    provider_type: int
    key_spec: int
    container: str | None
    flags: int = CRYPT_MACHINE_KEYSET
    recorded: bool = True
    """False: the store holds no property 2."""
    missing: bool = False
    """True: the scenario gives the certificate no container."""
    exportable: bool = False
    """Of the container that the scenario gives the certificate, as the three that follow."""
    plaintext: bool = False
    isolated: bool = False
    access: str = ""
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
class Received:
    """A certificate that came without a private key: an answer of a CA, a certificate of its chain."""

    der: bytes
    certificate: x509.Certificate

    @classmethod
    def read(cls, der: bytes) -> Received:
        """Decode a certificate.

        Raises:
            ValueError: it is none.
        """
        return cls(der, x509.load_der_x509_certificate(der))

    @property
    def thumbprint(self) -> str:
        """SHA-1 over the certificate: upper-case hexadecimal."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest().upper()


@dataclass(frozen=True)
class StoredCertificate:
    """One subkey of a store's ``Certificates`` key."""

    identifier: str
    """The name in the scenario."""
    key_name: str
    """The name of the registry key: the thumbprint, unless the scenario damages it."""
    blob: bytes
    issued: Issued | Received | None
    """None for a blob that Windows cannot read; tools then do not list it."""
    key: KeyReference | None = None
    template: Template | None = None
    archived: bool = False

    def value_of(self, number: int) -> bytes | None:
        """The value of a property, None when the certificate does not have it."""
        return dict(_records(self.blob)).get(number)

    @property
    def friendly_name(self) -> str | None:
        """Property 11."""
        value = self.value_of(serialized.FRIENDLY_NAME)
        return None if value is None else value.decode("utf-16-le", "replace").rstrip("\0")

    def changed(self, number: int, value: bytes | None) -> StoredCertificate:
        """A copy with another value of a property other than 2, or without it."""
        blob = _with_property(self.blob, number, value)
        return replace(self, blob=blob, archived=value is not None if number == serialized.ARCHIVED else self.archived)

    def with_key(self, key: KeyReference | None) -> StoredCertificate:
        """A copy with another property 2, or without it."""
        value = key.property_value() if key and key.recorded else None
        return replace(self, blob=_with_property(self.blob, serialized.KEY_PROV_INFO, value), key=key)


def without_key(identifier: str, issued: Issued | Received) -> StoredCertificate:
    """A certificate as it lies in a store of CAs."""
    return StoredCertificate(identifier, issued.thumbprint, blob_of(issued, None), issued)


def _records(blob: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(blob):
        number, _reserved, length = struct.unpack_from("<3I", blob, at)
        yield number, blob[at + 12 : at + 12 + length]
        at += 12 + length


def _with_property(blob: bytes, number: int, value: bytes | None) -> bytes:
    """A property keeps its place; a new one stands behind the others, before the certificate."""
    records = list(_records(blob))
    properties = [(known, held) for known, held in records if known != serialized.CERTIFICATE]
    der = dict(records)[serialized.CERTIFICATE]
    if value is None:
        properties = [(known, held) for known, held in properties if known != number]
    elif any(known == number for known, _held in properties):
        properties = [(known, value if known == number else held) for known, held in properties]
    else:
        properties.append((number, value))
    return serialized.element(properties, der)


def blob_of(
    issued: Issued | Received,
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
    properties = [
        (serialized.MD5_HASH, hashlib.md5(issued.der, usedforsecurity=False).digest()),
        (serialized.SIGNATURE_HASH, _signature_hash(certificate)),
        (serialized.KEY_IDENTIFIER, _key_identifier(certificate)),
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


def _key_identifier(certificate: x509.Certificate) -> bytes:
    """The extension, and SHA-1 over the public key without it (CERT_KEY_IDENTIFIER_PROP_ID)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _signature_hash(certificate: x509.Certificate) -> bytes:
    algorithm = certificate.signature_hash_algorithm or hashes.SHA256()
    return hashlib.new(algorithm.name, certificate.tbs_certificate_bytes, usedforsecurity=False).digest()


def unique_name(container: str, machine_guid: uuid.UUID, *, cng: bool) -> str:
    """The file name of a key container: a hash of its name, an underscore and the machine's GUID.

    The hash is MD5 over the name in lower case with its terminating null, in UTF-16 for the Software KSP, each four
    bytes of it turned round: computed for all fifteen pairs of names in certutil transcripts of Windows 7 to Server
    2022 (``Unique container name``, or ``Key Container`` for CSPs).
    """
    name = f"{container.lower()}\0".encode("utf-16-le" if cng else "utf-8")
    words = struct.unpack("<4I", hashlib.md5(name, usedforsecurity=False).digest())
    return f"{struct.pack('>4I', *words).hex()}_{machine_guid}"


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
