# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes certificate requests as certreq and the enrolment API of Windows do: PKCS#10 and CMC.

Evidence: MS-WCCE 2.2.2.6 and 2.2.2.7; 41 decoded requests of Windows 10 to Server 2025, whose attributes stand in the
order of DER and whose CMC form is a SignedData of version 3 signed by the key of the request itself.
"""

from __future__ import annotations

import base64
import hashlib
import textwrap
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..pki import PrivateKey
from .asn1 import attribute, bmp, element, ia5, integer, octets, oid, sequence, set_of, utf8

CLIENT_ID_CERTREQ = 9
CLIENT_ID_DEFAULT = 5

_SHA1 = sequence(oid("1.3.14.3.2.26"), b"\x05\x00")
_DATA_OF_PKI = oid("1.3.6.1.5.5.7.12.2")
_HASHES: dict[str, tuple[hashes.HashAlgorithm, str]] = {
    "sha1": (hashes.SHA1(), "1.2.840.113549.1.1.5"),
    "sha256": (hashes.SHA256(), "1.2.840.113549.1.1.11"),
    "sha384": (hashes.SHA384(), "1.2.840.113549.1.1.12"),
    "sha512": (hashes.SHA512(), "1.2.840.113549.1.1.13"),
}
"""The hash and the object identifier of an RSA signature with it."""
HASH_NAMES = tuple(_HASHES)
_SIGNATURE_OIDS = {
    ec.EllipticCurvePrivateKey: ("1.2.840.10045.4.3.2", b""),
    dsa.DSAPrivateKey: ("2.16.840.1.101.3.4.3.2", b""),
}


def provider_attribute(provider: str, key_spec: int) -> bytes:
    """The attribute 1.3.6.1.4.1.311.13.2.2: key specification, provider and an empty signature."""
    return attribute("1.3.6.1.4.1.311.13.2.2", sequence(integer(key_spec), bmp(provider), b"\x03\x01\x00"))


def client_attribute(client_id: int, machine: str, user: str, process: str) -> bytes:
    """The attribute 1.3.6.1.4.1.311.21.20, which tells who made the request, where and with what."""
    return attribute("1.3.6.1.4.1.311.21.20", sequence(integer(client_id), utf8(machine), utf8(user), utf8(process)))


def pkcs10(
    key: PrivateKey,
    subject: x509.Name,
    *,
    provider: str | None,
    key_spec: int = 1,
    os_version: str | None = "10.0.20348.2",
    client: tuple[int, str, str, str] | None = None,
    extensions: Iterable[x509.Extension[x509.ExtensionType]] = (),
    name_values: Mapping[str, str] | None = None,
    extra_attributes: Iterable[bytes] = (),
    hash_name: str = "sha256",
) -> bytes:
    """A signed PKCS#10 request in DER with the attributes that Windows writes.

    :param key: the key to certify, which signs.
    :param subject: the requested name.
    :param provider: name of the CSP or KSP; ``None`` leaves the attribute out, as other programs than Windows do.
    :param key_spec: 0 for CNG keys, 1 AT_KEYEXCHANGE, 2 AT_SIGNATURE.
    :param os_version: version of the client's Windows; ``None`` leaves it out.
    :param client: client id, machine, user and process; ``None`` leaves it out.
    :param extensions: the requested extensions.
    :param name_values: name-value pairs such as CertificateTemplate.
    :param extra_attributes: further encoded attributes.
    :param hash_name: one of :data:`HASH_NAMES`; keys other than RSA sign with SHA-256.
    """
    attributes = list(extra_attributes)
    if os_version is not None:
        attributes.append(attribute("1.3.6.1.4.1.311.13.2.3", ia5(os_version)))
    if client is not None:
        attributes.append(client_attribute(*client))
    if provider is not None:
        attributes.append(provider_attribute(provider, key_spec))
    for name, value in (name_values or {}).items():
        attributes.append(attribute("1.3.6.1.4.1.311.13.2.1", sequence(bmp(name), bmp(value))))
    encoded = [_extension(extension) for extension in extensions]
    if encoded:
        attributes.append(attribute("1.2.840.113549.1.9.14", sequence(*encoded)))
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    body = sequence(
        integer(0), subject.public_bytes(), public, element(0xA0, *sorted(attributes)) if attributes else b"\xa0\x00"
    )
    return sequence(body, _signature_algorithm(key, hash_name), element(0x03, b"\x00", sign(key, body, hash_name)))


def cmc(
    pkcs10_der: bytes,
    key: PrivateKey,
    *,
    client: tuple[int, str, str, str] | None = None,
    reg_info: Mapping[str, str] | None = None,
    added_attributes: Iterable[bytes] = (),
) -> bytes:
    """A full CMC request in DER around one PKCS#10.

    :param pkcs10_der: the request, which becomes body part 1.
    :param key: the key of the request, which signs the message (subject key identifier form).
    :param client: repeated in the control with added attributes, as Windows does.
    :param reg_info: name-value pairs of the registration info control.
    :param added_attributes: further encoded attributes that the control adds to the request.
    """
    controls = []
    added = [*([client_attribute(*client)] if client else []), *added_attributes]
    if added:
        value = sequence(integer(0), sequence(integer(1)), set_of(*added))
        controls.append(sequence(integer(2), oid("1.3.6.1.4.1.311.10.10.1"), set_of(value)))
    if reg_info:
        pairs = "".join(f"{name}={quote(value, safe='')}&" for name, value in reg_info.items())
        controls.append(sequence(integer(3), oid("1.3.6.1.5.5.7.7.18"), set_of(octets(pairs.encode()))))
    tagged = element(0xA0, integer(1), pkcs10_der)
    return signed_data(_DATA_OF_PKI, sequence(sequence(*controls), sequence(tagged), sequence(), sequence()), key)


def nested_cmc(inner: bytes, key: PrivateKey) -> bytes:
    """A CMC request that holds another CMC request, as renewals and enrolments on behalf of others do."""
    content = sequence(sequence(), sequence(), sequence(sequence(integer(1), inner)), sequence())
    return signed_data(_DATA_OF_PKI, content, key)


def signed_data(content_type: bytes, content: bytes, key: PrivateKey, certificates: Iterable[bytes] = ()) -> bytes:
    """A CMS SignedData of version 3; the signer is named by subject key identifier."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest
    signed_attributes = (
        attribute("1.2.840.113549.1.9.3", content_type),
        attribute("1.2.840.113549.1.9.4", octets(hashlib.sha1(content, usedforsecurity=False).digest())),
    )
    signer = sequence(
        integer(3),
        element(0x80, identifier),
        _SHA1,
        element(0xA0, *sorted(signed_attributes)),
        _signature_algorithm(key),
        octets(sign(key, set_of(*signed_attributes))),
    )
    encoded = list(certificates)
    body = sequence(
        integer(3),
        set_of(_SHA1),
        sequence(content_type, element(0xA0, octets(content))),
        element(0xA0, *encoded) if encoded else b"",
        set_of(signer),
    )
    return sequence(oid("1.2.840.113549.1.7.2"), element(0xA0, body))


def sign(key: PrivateKey, body: bytes, hash_name: str = "sha256") -> bytes:
    """The signature over ``body``; keys other than RSA sign with SHA-256."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(body, padding.PKCS1v15(), _HASHES[hash_name][0])
    if isinstance(key, dsa.DSAPrivateKey):
        return key.sign(body, hashes.SHA256())
    return key.sign(body, ec.ECDSA(hashes.SHA256()))


def armoured(der: bytes, label: str = "NEW CERTIFICATE REQUEST") -> str:
    """PEM as certreq writes it: 64 columns and CRLF."""
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\r\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def _signature_algorithm(key: PrivateKey, hash_name: str = "sha256") -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return sequence(oid(_HASHES[hash_name][1]), b"\x05\x00")
    for kind, (dotted, parameters) in _SIGNATURE_OIDS.items():
        if isinstance(key, kind):
            return sequence(oid(dotted), parameters)
    raise TypeError(f"no signature algorithm for {type(key).__name__}")


def _extension(extension: x509.Extension[x509.ExtensionType]) -> bytes:
    critical = b"\x01\x01\xff" if extension.critical else b""
    return sequence(oid(extension.oid.dotted_string), critical, octets(extension.value.public_bytes()))
