# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes PFX files as Windows exports them, with the provider and the keyset as bag attributes.

Evidence: RFC 7292; published exports of Windows, which carry 1.3.6.1.4.1.311.17.1 (BMPString) and, for machine keys,
17.2 (an empty set) on the shrouded key bag, in a safe that is not encrypted itself.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Sequence
from typing import Literal, NamedTuple

from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ..pki import PrivateKey
from .asn1 import attribute, bmp, element, integer, octets, oid, sequence, set_of

Encryption = Literal["aes256-sha256", "tripledes-sha1"]

_DATA = "1.2.840.113549.1.7.1"
_ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
_KEY, _IV, _MAC = 1, 2, 3
_ITERATIONS = 2000
"""What Windows writes."""


class Entry(NamedTuple):
    """One key of a PFX file with its certificate."""

    key: PrivateKey
    certificate: x509.Certificate | None
    provider: str | None
    machine_keyset: bool = False
    friendly_name: str | None = None
    """Friendly name of the certificate."""
    container: str | None = None
    """Friendly name of the key bag, where Windows puts the name of the key container."""


def write_pfx(
    key: PrivateKey,
    certificate: x509.Certificate | None,
    *,
    password: str,
    provider: str | None,
    machine_keyset: bool,
    friendly_name: str | None = None,
    encrypt_key_safe: bool = False,
    encryption: Encryption = "aes256-sha256",
    chain: Sequence[x509.Certificate] = (),
    container: str | None = None,
    local_key_ids: bool = True,
) -> bytes:
    """A PFX file with one key; see :func:`write_entries`."""
    entry = Entry(key, certificate, provider, machine_keyset, friendly_name, container)
    return write_entries(
        [entry],
        password=password,
        encrypt_key_safe=encrypt_key_safe,
        encryption=encryption,
        chain=chain,
        local_key_ids=local_key_ids,
    )


def write_entries(
    entries: Sequence[Entry],
    *,
    password: str,
    encrypt_key_safe: bool = False,
    encryption: Encryption = "aes256-sha256",
    chain: Sequence[x509.Certificate] = (),
    local_key_ids: bool = True,
) -> bytes:
    """A PFX file in DER.

    :param entries: the keys with their certificates.
    :param password: encrypts keys and certificates, and authenticates the file.
    :param encrypt_key_safe: encrypt the safe around the key bags too, which hides the attributes; Windows does not.
    :param encryption: the two kinds that Windows writes.
    :param chain: certificates without a key.
    :param local_key_ids: link keys and certificates by localKeyID.
    """
    key_bags, cert_bags = [], []
    for number, entry in enumerate(entries, 1):
        link = [attribute("1.2.840.113549.1.9.21", octets(number.to_bytes(4, "little")))] if local_key_ids else []
        key_bags.append(_key_bag(entry, link, password, encryption))
        if entry.certificate is not None:
            cert_bags.append(_cert_bag(entry.certificate, [*link, *_friendly_name(entry.friendly_name)]))
    cert_bags += [_cert_bag(certificate, []) for certificate in chain]
    key_safe = sequence(*key_bags)
    safes = [_encrypted(key_safe, password, encryption) if encrypt_key_safe else _content_info(_DATA, octets(key_safe))]
    if cert_bags:
        safes.append(_encrypted(sequence(*cert_bags), password, encryption))
    authenticated_safe = sequence(*safes)
    return sequence(
        integer(3),
        _content_info(_DATA, octets(authenticated_safe)),
        _mac(authenticated_safe, password, "sha256" if encryption == "aes256-sha256" else "sha1"),
    )


def pkcs12_kdf(
    digest: str, password: str, salt: bytes, purpose: int, size: int, iterations: int = _ITERATIONS
) -> bytes:
    """The key derivation of RFC 7292 appendix B.2 for digests with blocks of 64 bytes."""
    secret = password.encode("utf-16-be") + b"\0\0"
    salt_part = (salt * 64)[: 64 * -(-len(salt) // 64)]
    secret_part = (secret * 64)[: 64 * -(-len(secret) // 64)]
    blocks = [(salt_part + secret_part)[at : at + 64] for at in range(0, len(salt_part + secret_part), 64)]
    result = b""
    while True:
        value = bytes([purpose]) * 64 + b"".join(blocks)
        for _round in range(iterations):
            value = hashlib.new(digest, value).digest()
        result += value
        if len(result) >= size:
            return result[:size]
        step = int.from_bytes((value * 4)[:64], "big") + 1
        blocks = [((int.from_bytes(block, "big") + step) & ((1 << 512) - 1)).to_bytes(64, "big") for block in blocks]


def _key_bag(entry: Entry, link: list[bytes], password: str, encryption: Encryption) -> bytes:
    attributes = [*link, *_friendly_name(entry.container)]
    if entry.provider is not None:
        attributes.append(attribute("1.3.6.1.4.1.311.17.1", bmp(entry.provider)))
    if entry.machine_keyset:
        attributes.append(attribute("1.3.6.1.4.1.311.17.2"))
    plain = entry.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    algorithm, ciphertext = _encrypt(plain, password, encryption)
    return _bag("1.2.840.113549.1.12.10.1.2", sequence(algorithm, octets(ciphertext)), attributes)


def _cert_bag(certificate: x509.Certificate, attributes: list[bytes]) -> bytes:
    encoded = octets(certificate.public_bytes(Encoding.DER))
    value = sequence(oid("1.2.840.113549.1.9.22.1"), element(0xA0, encoded))
    return _bag("1.2.840.113549.1.12.10.1.3", value, attributes)


def _bag(kind: str, value: bytes, attributes: list[bytes]) -> bytes:
    return sequence(oid(kind), element(0xA0, value), set_of(*attributes) if attributes else b"")


def _friendly_name(name: str | None) -> list[bytes]:
    return [] if name is None else [attribute("1.2.840.113549.1.9.20", bmp(name))]


def _content_info(kind: str, content: bytes) -> bytes:
    return sequence(oid(kind), element(0xA0, content))


def _encrypted(plain: bytes, password: str, encryption: Encryption) -> bytes:
    algorithm, ciphertext = _encrypt(plain, password, encryption)
    info = sequence(oid(_DATA), algorithm, element(0x80, ciphertext))
    return _content_info(_ENCRYPTED_DATA, sequence(integer(0), info))


def _encrypt(plain: bytes, password: str, encryption: Encryption) -> tuple[bytes, bytes]:
    """The encoded AlgorithmIdentifier and the ciphertext."""
    salt = os.urandom(8)
    if encryption == "tripledes-sha1":
        key, vector = (pkcs12_kdf("sha1", password, salt, purpose, size) for purpose, size in ((_KEY, 24), (_IV, 8)))
        parameters = sequence(octets(salt), integer(_ITERATIONS))
        algorithm = sequence(oid("1.2.840.113549.1.12.1.3"), parameters)
        cipher = Cipher(TripleDES(key), modes.CBC(vector))
        block = 8
    else:
        vector = os.urandom(16)
        prf = sequence(oid("1.2.840.113549.2.9"), b"\x05\x00")
        derivation = sequence(oid("1.2.840.113549.1.5.12"), sequence(octets(salt), integer(_ITERATIONS), prf))
        scheme = sequence(oid("2.16.840.1.101.3.4.1.42"), octets(vector))
        algorithm = sequence(oid("1.2.840.113549.1.5.13"), sequence(derivation, scheme))
        cipher = Cipher(
            algorithms.AES(hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS, 32)), modes.CBC(vector)
        )
        block = 16
    fill = block - len(plain) % block
    encryptor = cipher.encryptor()
    return algorithm, encryptor.update(plain + bytes([fill]) * fill) + encryptor.finalize()


def _mac(content: bytes, password: str, digest: Literal["sha1", "sha256"]) -> bytes:
    salt = os.urandom(20)
    key = pkcs12_kdf(digest, password, salt, _MAC, hashlib.new(digest).digest_size)
    algorithm = sequence(oid({"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1"}[digest]), b"\x05\x00")
    value = octets(hmac.digest(key, content, digest))
    return sequence(sequence(algorithm, value), octets(salt), integer(_ITERATIONS))
