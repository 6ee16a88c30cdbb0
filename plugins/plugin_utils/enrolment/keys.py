# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which key a request or a certificate is for: the one thing that a request, its stand-in and its answer share."""

from __future__ import annotations

from ..evidence.der import members
from .wish import EnrolmentError

_VERSION = 0xA0
_BIT_STRING = 0x03
_REQUEST_PARTS = 4
"""Version, subject, key and attributes of a CertificationRequestInfo; a TBSCertificate has six at least."""


def public_key_of(der: bytes) -> bytes:
    """The SubjectPublicKeyInfo of a PKCS #10 request (RFC 2986) or a certificate (RFC 5280), as it stands there.

    The stand-in of a pending request in the store REQUEST is a certificate too. Only the elements are told apart, so
    that one with an algorithm or a signature that no library reads still tells its key.

    Args:
        der: the request or the certificate.

    Raises:
        EnrolmentError: it is neither.
    """
    try:
        body = members(members(der, 0)[0], 0)
        versioned = body[0][0] == _VERSION
        key = body[2] if len(body) <= _REQUEST_PARTS else body[6 if versioned else 5]
        _algorithm, bits = members(key, 0)
        if bits[0] != _BIT_STRING:
            raise ValueError("no BIT STRING")
    except (ValueError, IndexError) as exc:
        raise EnrolmentError(
            f"The {len(der)} bytes are neither a PKCS #10 request nor a certificate: no public key is found in them.",
            remedy="Obtain the file again.",
        ) from exc
    return key


def same_key(first: bytes, second: bytes) -> bool:
    """Whether two requests or certificates, DER, have the same public key.

    Raises:
        EnrolmentError: one of them is neither.
    """
    return public_key_of(first) == public_key_of(second)
