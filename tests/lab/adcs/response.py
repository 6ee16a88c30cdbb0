# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the CA sends back: the CMC full response and the certificate chain.

MS-WCCE 3.2.1.4.2.1.4.8 with RFC 5272 sections 3.2 and 6.1, and three responses of a Server 2022 CA to certreq (issued,
pending, denied by a manager; repository tokentimerch/tokentimer-core), whose structure this is, member by member:

- SignedData of version 3, digest SHA-256, content type id-cct-PKIResponse.
- Control 1, id-cmc-statusInfo: status, body list {1}, the disposition message as UTF8String; while the request is
  pending, PendInfo with the request id in 4 octets, little endian, and the time of its submission. A failure has no
  failInfo: its reason is only in the exit code of certreq.
- Control 2, only with a certificate: 1.3.6.1.4.1.311.10.10.1 with the attribute 1.3.6.1.4.1.311.21.17, the SHA-1 of
  the certificate.
- Certificates only with a certificate: the chain in the order of DER. Else there are none, although the document
  wants the CA's to be there always.
- One signer, named by issuer and serial number, with rsaEncryption as signature algorithm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timezone

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .. import pki
from ..formats.asn1 import attribute, element, integer, octets, oid, sequence, set_of, utf8

SUCCESS, FAILED, PENDING = 0, 2, 3
"""CMCStatus of RFC 5272 section 6.1.1."""

_SIGNED_DATA = oid("1.2.840.113549.1.7.2")
_DATA = oid("1.2.840.113549.1.7.1")
_PKI_RESPONSE = oid("1.3.6.1.5.5.7.12.3")
_SHA256 = sequence(oid("2.16.840.1.101.3.4.2.1"), b"\x05\x00")
_RSA = sequence(oid("1.2.840.113549.1.1.1"), b"\x05\x00")
_BODY_LIST = sequence(integer(1))


def full_response(
    ca: pki.Issued,
    status: int,
    message: str,
    *,
    certificate: bytes | None = None,
    chain: Sequence[bytes] = (),
    pending: tuple[int, datetime] | None = None,
) -> bytes:
    """A CMC full response in DER, signed by the CA.

    :param status: :data:`SUCCESS`, :data:`FAILED` or :data:`PENDING`.
    :param chain: the certificate and those above it.
    :param pending: the request id, and when the request came.

    Raises:
        ValueError: the key of the CA is not RSA.
    """
    other = sequence(octets(pending[0].to_bytes(4, "little")), _time(pending[1])) if pending else b""
    info = sequence(integer(status), _BODY_LIST, utf8(message), other)
    controls = [sequence(integer(1), oid("1.3.6.1.5.5.7.7.1"), set_of(info))]
    if certificate is not None:
        digest = hashlib.sha1(certificate, usedforsecurity=False).digest()
        added = sequence(integer(0), _BODY_LIST, set_of(attribute("1.3.6.1.4.1.311.21.17", octets(digest))))
        controls.append(sequence(integer(2), oid("1.3.6.1.4.1.311.10.10.1"), set_of(added)))
    content = sequence(sequence(*controls), sequence(), sequence())
    body = sequence(
        integer(3),
        set_of(_SHA256),
        sequence(_PKI_RESPONSE, element(0xA0, octets(content))),
        element(0xA0, *sorted(chain)) if chain else b"",
        set_of(_signer(ca, content)),
    )
    return sequence(_SIGNED_DATA, element(0xA0, body))


def chain_file(certificates: Sequence[bytes]) -> bytes:
    """The CMS of a certificate chain: a SignedData without content and signers (MS-WCCE 3.2.1.4.2.1.4.8.1)."""
    body = sequence(integer(1), set_of(), sequence(_DATA), element(0xA0, *sorted(certificates)), set_of())
    return sequence(_SIGNED_DATA, element(0xA0, body))


def _signer(ca: pki.Issued, content: bytes) -> bytes:
    if not isinstance(ca.key, rsa.RSAPrivateKey):
        raise ValueError("the CA signs with a key that is not RSA")
    attributes = (
        attribute("1.2.840.113549.1.9.3", _PKI_RESPONSE),
        attribute("1.2.840.113549.1.9.4", octets(hashlib.sha256(content).digest())),
    )
    certificate = ca.certificate
    return sequence(
        integer(1),
        sequence(certificate.issuer.public_bytes(), integer(certificate.serial_number)),
        _SHA256,
        element(0xA0, *sorted(attributes)),
        _RSA,
        octets(ca.key.sign(set_of(*attributes), padding.PKCS1v15(), hashes.SHA256())),
    )


def _time(moment: datetime) -> bytes:
    """A GeneralizedTime in UTC; a fraction without zeros at its end."""
    utc = moment.astimezone(timezone.utc)
    fraction = f".{utc.microsecond:06}".rstrip("0").removesuffix(".")
    return element(0x18, f"{utc:%Y%m%d%H%M%S}{fraction}Z".encode())
