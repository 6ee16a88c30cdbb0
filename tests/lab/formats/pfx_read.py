# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads PFX files as Windows imports them (RFC 7292): keys with the provider that their bags name, and certificates.

Encryption: PBE with SHA-1 and Triple-DES, and PBES2 with AES-256; what else there is, Windows refuses or the lab does
not have. A PFX without password is not read here.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import load_der_private_key

from ..pki import PrivateKey
from .asn1 import oid
from .pfx import pkcs12_kdf

_DATA, _ENCRYPTED_DATA = oid("1.2.840.113549.1.7.1"), oid("1.2.840.113549.1.7.6")
_KEY_BAG, _SHROUDED_KEY_BAG = oid("1.2.840.113549.1.12.10.1.1"), oid("1.2.840.113549.1.12.10.1.2")
_CERT_BAG = oid("1.2.840.113549.1.12.10.1.3")
_PROVIDER, _MACHINE_KEYSET = oid("1.3.6.1.4.1.311.17.1"), oid("1.3.6.1.4.1.311.17.2")
_FRIENDLY_NAME, _KEY_USAGE = oid("1.2.840.113549.1.9.20"), oid("2.5.29.15")
_TRIPLE_DES, _PBES2 = oid("1.2.840.113549.1.12.1.3"), oid("1.2.840.113549.1.5.13")
_AES256, _HMAC_SHA256 = oid("2.16.840.1.101.3.4.1.42"), oid("1.2.840.113549.2.9")
_DIGESTS = {oid("1.3.14.3.2.26"): "sha1", oid("2.16.840.1.101.3.4.2.1"): "sha256"}
_KEY, _IV, _MAC = 1, 2, 3


class NoPfx(ValueError):
    """The bytes are no PFX file."""


class WrongPassword(ValueError):
    """The password does not fit, or Windows cannot tell whether it does."""


class PfxKey(NamedTuple):
    """A key with what its bag says of it."""

    key: PrivateKey
    provider: str | None
    machine_keyset: bool
    usage: int | None
    """The first octet of the key usage attribute (2.5.29.15)."""
    container: str | None = None
    """The friendly name of the key bag, where Windows writes the name of the container."""


class PfxCertificate(NamedTuple):
    """A certificate with its friendly name."""

    der: bytes
    friendly_name: str | None


class PfxContent(NamedTuple):
    """All of a file."""

    keys: list[PfxKey]
    certificates: list[PfxCertificate]


class _Node(NamedTuple):
    tag: int
    content: bytes
    whole: bytes

    def inner(self) -> list[_Node]:
        return list(_nodes(self.content))


def _nodes(data: bytes) -> Iterator[_Node]:
    at = 0
    while at < len(data):
        if at + 2 > len(data):
            raise NoPfx("a header is cut off")
        length, start = data[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            if not count:
                raise NoPfx("an indefinite length")
            length = int.from_bytes(data[start : start + count], "big")
            start += count
        if start + length > len(data):
            raise NoPfx("an element is cut off")
        yield _Node(data[at], data[start : start + length], data[at : start + length])
        at = start + length


def read_pfx(data: bytes, password: str, *, aes: bool) -> PfxContent:
    """Read a file.

    :param aes: whether this Windows knows AES-256 with SHA-256 (1709 and Server 2019 on).

    Raises:
        NoPfx: it is none.
        WrongPassword: it cannot be opened; Windows says the same of encryption that it does not know.
    """
    try:
        return _read(data, password, aes)
    except (NoPfx, WrongPassword):
        raise
    except (IndexError, StopIteration, ValueError) as exc:
        raise NoPfx(str(exc)) from exc


def _read(data: bytes, password: str, aes: bool) -> PfxContent:
    top = list(_nodes(data))
    if len(top) != 1 or top[0].tag != 0x30:
        raise NoPfx("not one sequence")
    version, content, *authentication = top[0].inner()
    if version.whole != b"\x02\x01\x03" or content.inner()[0].whole != _DATA:
        raise NoPfx("not version 3 with a password")
    safe = content.inner()[1].inner()[0].content
    _check_mac(authentication, safe, password, aes)
    found = PfxContent([], [])
    for info in next(iter(_nodes(safe))).inner():
        kind, wrapped = info.inner()
        if kind.whole == _DATA:
            bags = wrapped.inner()[0].content
        elif kind.whole == _ENCRYPTED_DATA:
            _version, encrypted = wrapped.inner()[0].inner()
            _kind, algorithm, ciphertext = encrypted.inner()
            bags = _decrypt(algorithm, ciphertext.content, password, aes)
        else:
            raise NoPfx("a safe of another kind")
        for bag in next(iter(_nodes(bags))).inner():
            _take(found, bag, password, aes)
    return found


def _check_mac(authentication: list[_Node], safe: bytes, password: str, aes: bool) -> None:
    if not authentication:
        raise NoPfx("no MAC")
    info, salt, *count = authentication[0].inner()
    algorithm, digest = info.inner()
    name = _DIGESTS.get(algorithm.inner()[0].whole)
    if name is None or (name == "sha256" and not aes):
        raise WrongPassword("the MAC's digest")
    rounds = int.from_bytes(count[0].content, "big") if count else 1
    key = pkcs12_kdf(name, password, salt.content, _MAC, hashlib.new(name).digest_size, rounds)
    if not hmac.compare_digest(hmac.digest(key, safe, name), digest.content):
        raise WrongPassword("the MAC")


def _decrypt(algorithm: _Node, ciphertext: bytes, password: str, aes: bool) -> bytes:
    kind, parameters = algorithm.inner()
    if kind.whole == _TRIPLE_DES:
        salt, count = parameters.inner()
        rounds = int.from_bytes(count.content, "big")
        key, vector = (
            pkcs12_kdf("sha1", password, salt.content, purpose, size, rounds)
            for purpose, size in ((_KEY, 24), (_IV, 8))
        )
        cipher: Cipher[modes.CBC] = Cipher(TripleDES(key), modes.CBC(vector))
    elif kind.whole == _PBES2 and aes:
        derivation, scheme = parameters.inner()
        salt, count, *options = derivation.inner()[1].inner()
        scheme_kind, vector_node = scheme.inner()
        if scheme_kind.whole != _AES256 or not any(
            one.tag == 0x30 and one.inner()[0].whole == _HMAC_SHA256 for one in options
        ):
            raise WrongPassword("PBES2 with another cipher or digest")
        rounds = int.from_bytes(count.content, "big")
        key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt.content, rounds, 32)
        cipher = Cipher(algorithms.AES(key), modes.CBC(vector_node.content))
    else:
        raise WrongPassword("the encryption")
    decryptor = cipher.decryptor()
    plain = decryptor.update(ciphertext) + decryptor.finalize()
    return plain[: -plain[-1]]


def _take(found: PfxContent, bag: _Node, password: str, aes: bool) -> None:
    kind, wrapped, *attributes = bag.inner()
    value = wrapped.inner()[0]
    held = {one.inner()[0].whole: one.inner()[1].inner() for one in (attributes[0].inner() if attributes else [])}
    if kind.whole == _CERT_BAG:
        der = value.inner()[1].inner()[0].content
        x509.load_der_x509_certificate(der)
        found.certificates.append(PfxCertificate(der, _text(held.get(_FRIENDLY_NAME))))
        return
    if kind.whole == _SHROUDED_KEY_BAG:
        algorithm, ciphertext = value.inner()
        plain = _decrypt(algorithm, ciphertext.content, password, aes)
    elif kind.whole == _KEY_BAG:
        plain = value.whole
    else:
        raise NoPfx("a bag of another kind")
    key = load_der_private_key(plain, None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey):
        raise NoPfx("a key of another kind")
    usage = held.get(_KEY_USAGE)
    first = usage[0].content[1] if usage and len(usage[0].content) > 1 else None
    provider, container = _text(held.get(_PROVIDER)), _text(held.get(_FRIENDLY_NAME))
    found.keys.append(PfxKey(key, provider, _MACHINE_KEYSET in held, first, container))


def _text(values: list[_Node] | None) -> str | None:
    return values[0].content.decode("utf-16-be").rstrip("\0") if values else None
