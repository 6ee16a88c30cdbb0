# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates, and what certificates and requests have in common: from DER to records.

The library ``cryptography`` loads and checks them. Serial number, names and extensions are taken from the DER in one
walk, for the library's objects cost several times the loading, and for the library refuses what real stores hold:
names in Latin-1, and all extensions when one of them is damaged.
"""

from __future__ import annotations

import hashlib
import warnings
from functools import lru_cache
from typing import Any, NamedTuple

from ..record import Certificate, Details, Enrolment, EvidenceError, Key, PublicKey, Source
from .der import dotted, encode_oid, members, span
from .der import name as rfc4514
from .extensions import (
    BASIC_CONSTRAINTS,
    CRL_DISTRIBUTION_POINTS,
    EXTENDED_KEY_USAGE,
    KEY_USAGE,
    SUBJECT_ALT_NAME,
    Extensions,
    read_extensions,
    reason,
    template_of,
)

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.utils import CryptographyDeprecationWarning
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None

__all__ = [
    "certificate_from_der",
    "describe",
    "extensions_of",
    "require_cryptography",
    "template_of",
]

_NO_KEY = Key()
_NO_EXTENSIONS = Extensions({}, {})

_EXTENSION_REQUESTS = (encode_oid("1.2.840.113549.1.9.14"), encode_oid("1.3.6.1.4.1.311.2.1.14"))
"""PKCS #9 extensionRequest and its Microsoft predecessor szOID_CERT_EXTENSIONS."""

_KEY_ALGORITHMS = {"1.2.840.113549.1.1.1": "RSA", "1.2.840.10045.2.1": "EC", "1.2.840.10040.4.1": "DSA"}

_NULL = b"\x05\x00"
_PKCS1 = bytes.fromhex("2a864886f70d0101")
RSASSA_PSS = "1.2.840.113549.1.1.10"

_SIGNATURES: dict[str, tuple[str, str | None]] = {
    "1.2.840.113549.1.1.2": ("md2WithRSAEncryption", "MD2"),
    "1.2.840.113549.1.1.3": ("md4WithRSAEncryption", "MD4"),
    "1.2.840.113549.1.1.4": ("md5WithRSAEncryption", "MD5"),
    "1.2.840.113549.1.1.5": ("sha1WithRSAEncryption", "SHA1"),
    "1.3.14.3.2.29": ("sha1WithRSASignature", "SHA1"),
    "1.2.840.113549.1.1.14": ("sha224WithRSAEncryption", "SHA224"),
    "1.2.840.113549.1.1.11": ("sha256WithRSAEncryption", "SHA256"),
    "1.2.840.113549.1.1.12": ("sha384WithRSAEncryption", "SHA384"),
    "1.2.840.113549.1.1.13": ("sha512WithRSAEncryption", "SHA512"),
    "1.2.840.10040.4.3": ("dsa-with-sha1", "SHA1"),
    "2.16.840.1.101.3.4.3.2": ("dsa-with-sha256", "SHA256"),
    "1.2.840.10045.4.1": ("ecdsa-with-SHA1", "SHA1"),
    "1.2.840.10045.4.3.1": ("ecdsa-with-SHA224", "SHA224"),
    "1.2.840.10045.4.3.2": ("ecdsa-with-SHA256", "SHA256"),
    "1.2.840.10045.4.3.3": ("ecdsa-with-SHA384", "SHA384"),
    "1.2.840.10045.4.3.4": ("ecdsa-with-SHA512", "SHA512"),
    "1.3.101.112": ("Ed25519", None),
    "1.3.101.113": ("Ed448", None),
    "2.16.840.1.101.3.4.3.17": ("ML-DSA-44", None),
    "2.16.840.1.101.3.4.3.18": ("ML-DSA-65", None),
    "2.16.840.1.101.3.4.3.19": ("ML-DSA-87", None),
}
"""Signature algorithms with their digest (RFC 3279, 4055, 5758, 8410, 9881)."""


def certificate_from_der(
    der: bytes,
    *,
    source: Source,
    key: Key = _NO_KEY,
    friendly_name: str | None = None,
    archived: bool | None = None,
    notes: tuple[str, ...] = (),
    enrolment: Enrolment | None = None,
) -> Certificate:
    """Read one certificate and join it with what its evidence says about it.

    Args:
        der: the certificate.
        source: where it was found.
        key: where its private key is recorded to live.
        friendly_name: the name that a person gave it in the store.
        archived: whether the store has it as archived.
        notes: defects of the evidence seen by the caller.
        enrolment: what is known about its enrolment.

    Raises:
        EvidenceError: the bytes are not a certificate, or the library ``cryptography`` is missing.
    """
    require_cryptography()
    try:
        parts = _parts(der)
        encoded = _load_quietly(der) if parts.irregular else x509.load_der_x509_certificate(der)
        return Certificate(
            key=key,
            source=source,
            thumbprint=hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(),
            subject=rfc4514(parts.subject),
            issuer=rfc4514(parts.issuer),
            serial_number=parts.serial_number,
            not_before=encoded.not_valid_before_utc,
            not_after=encoded.not_valid_after_utc,
            friendly_name=friendly_name,
            archived=archived,
            template=template_of(parts.extensions.readable),
            details=_details(encoded, parts.extensions, parts.issuer == parts.subject),
            enrolment=enrolment,
            notes=notes + parts.extensions.notes if parts.extensions.unreadable else notes,
            der=der,
        )
    except (ValueError, IndexError, x509.InvalidVersion) as exc:
        raise EvidenceError(
            f"The {len(der)} bytes are not a readable X.509 certificate: {reason(exc)}.",
            remedy="Export the certificate again and compare the files.",
        ) from exc


def require_cryptography() -> None:
    """Check that X.509 can be read at all.

    Raises:
        EvidenceError: the library ``cryptography`` is missing.
    """
    if IMPORT_ERROR is not None:
        raise EvidenceError(
            f"The Python library cryptography is missing on the controller ({IMPORT_ERROR}).",
            remedy="Install it for the Python that runs Ansible: pip install cryptography",
        )


def describe(
    encoded: x509.Certificate | x509.CertificateSigningRequest, extensions: Extensions | None = None
) -> Details:
    """What a certificate or a request tells beside names, dates and template.

    Args:
        encoded: the certificate or request as the library loaded it.
        extensions: what :func:`extensions_of` gave for it, when the caller has it already.

    """
    self_signed = isinstance(encoded, x509.Certificate) and encoded.issuer == encoded.subject
    return _details(encoded, extensions or extensions_of(encoded), self_signed)


def extensions_of(encoded: x509.Certificate | x509.CertificateSigningRequest) -> Extensions:
    """The extensions that matter here; those that cannot be read, or occur twice, are kept apart.

    Raises:
        ValueError: a request whose attributes are damaged.
    """
    if isinstance(encoded, x509.Certificate):
        return _parts(encoded.public_bytes(Encoding.DER)).extensions
    return _requested_extensions(encoded)


def _load_quietly(der: bytes) -> x509.Certificate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return x509.load_der_x509_certificate(der)


def _details(
    encoded: x509.Certificate | x509.CertificateSigningRequest, extensions: Extensions, self_signed: bool
) -> Details:
    values = extensions.values()
    oid = encoded.signature_algorithm_oid.dotted_string
    name, digest = _SIGNATURES.get(oid, (oid, None))
    if oid == RSASSA_PSS:
        name, digest = "RSASSA-PSS", _pss_digest(encoded)
    return Details(
        public_key=_public_key(encoded),
        signature_algorithm=name,
        signature_oid=oid,
        signature_hash=digest,
        subject_alt_names=values.get(SUBJECT_ALT_NAME, ()),
        extended_key_usage=values.get(EXTENDED_KEY_USAGE),
        key_usage=values.get(KEY_USAGE),
        crl_distribution_points=values.get(CRL_DISTRIBUTION_POINTS, ()),
        is_ca=values.get(BASIC_CONSTRAINTS, False),
        self_signed=self_signed,
    )


def _public_key(encoded: x509.Certificate | x509.CertificateSigningRequest) -> PublicKey:
    try:
        key = encoded.public_key()
    except (ValueError, UnsupportedAlgorithm):
        # Explicit curve parameters, and algorithms that the library does not have.
        key = None
    if isinstance(key, rsa.RSAPublicKey):
        return _rsa(key.key_size)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return PublicKey("EC", key.key_size, key.curve.name)
    if isinstance(key, dsa.DSAPublicKey):
        return PublicKey("DSA", key.key_size)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return PublicKey("Ed25519", 256)
    if isinstance(key, ed448.Ed448PublicKey):
        return PublicKey("Ed448", 456)
    oid = _key_algorithm(encoded)
    return PublicKey(_KEY_ALGORITHMS.get(oid, oid))


@lru_cache(maxsize=64)
def _rsa(size: int) -> PublicKey:
    return PublicKey("RSA", size)


def _key_algorithm(encoded: x509.Certificate | x509.CertificateSigningRequest) -> str:
    if isinstance(encoded, x509.Certificate):
        return encoded.public_key_algorithm_oid.dotted_string
    _version, _subject, key, *_attributes = members(encoded.tbs_certrequest_bytes, 0)
    return dotted(members(members(key, 0)[0], 0)[0][2:])


def _pss_digest(encoded: x509.Certificate | x509.CertificateSigningRequest) -> str | None:
    try:
        digest = encoded.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return None
    return None if digest is None else digest.name.upper()


class _Parts(NamedTuple):
    """What of an encoded certificate the library gives only after a conversion."""

    serial_number: str
    """All bytes, as certutil prints them."""
    issuer: bytes
    subject: bytes
    extensions: Extensions
    irregular: bool
    """Whether the library warns of it: a serial number that is not positive, or a NULL where none belongs.

    Real roots have both. To silence warnings for each of thousands would cost as much as to load them.
    """


def _parts(der: bytes) -> _Parts:
    at, end = span(der, span(der, 0)[0])
    start, after = span(der, at)
    if der[at] == 0xA0:
        start, after = span(der, after)
    serial_number = der[start:after].hex()
    algorithm_at = after
    issuer = span(der, after)[1]
    issuer_end = span(der, issuer)[1]
    subject = span(der, issuer_end)[1]
    subject_end = span(der, subject)[1]
    at = span(der, subject_end)[1]
    while at < end:
        start, after = span(der, at)
        if der[at] == 0xA3:
            extensions = read_extensions(der, start)
            break
        at = after
    else:
        extensions = _NO_EXTENSIONS
    not_positive = serial_number[:1] > "7" or not serial_number.strip("0")
    irregular = not_positive or (der[issuer - 2 : issuer] == _NULL and _PKCS1 not in der[algorithm_at:issuer])
    return _Parts(serial_number, der[issuer:issuer_end], der[subject:subject_end], extensions, irregular)


def _requested_extensions(request: x509.CertificateSigningRequest) -> Extensions:
    readable: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    for part in members(request.tbs_certrequest_bytes, 0):
        if part[0] != 0xA0:
            continue
        for attribute in members(part, 0):
            oid, values = members(attribute, 0)
            if oid in _EXTENSION_REQUESTS:
                for requested in members(values, 0):
                    extensions = read_extensions(requested, 0)
                    readable.update(extensions.readable)
                    unreadable.update(extensions.unreadable)
    return Extensions(readable, unreadable)
