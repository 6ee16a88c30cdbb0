# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in the files that certreq and certutil take: DER, base64 with or without PEM lines, SignedData.

Of a PEM file with several blocks the first is read, as CryptStringToBinary does with CRYPT_STRING_BASE64HEADER (its
documentation speaks of one header; that the rest is passed over is unverified for these tools).
"""

from __future__ import annotations

import base64
import binascii
import re

from ..adcs.der import SEQUENCE, NotDer, elements, only
from ..formats.asn1 import oid

_PEM = re.compile(rb"-----BEGIN [A-Z0-9 ]+-----(.*?)-----END [A-Z0-9 ]+-----", re.S)
_SIGNED_DATA = oid("1.2.840.113549.1.7.2")
_TAGGED_0 = 0xA0
_BIT_STRING = 0x03


class NoCertificates(Exception):
    """The data is neither a certificate nor a SignedData."""


def decoded(data: bytes) -> bytes:
    """DER from DER, PEM or bare base64.

    Raises:
        NoCertificates: it is none of these.
    """
    if data[:1] == b"\x30":
        return data
    found = _PEM.search(data)
    try:
        return base64.b64decode(re.sub(rb"\s", b"", found[1] if found else data), validate=True)
    except binascii.Error as exc:
        raise NoCertificates from exc


def certificates(data: bytes) -> list[bytes]:
    """The certificates of a file, DER, in its order: of a SignedData (PKCS #7, a CMC full response) all it carries.

    Raises:
        NoCertificates: it holds none.
    """
    der = decoded(data)
    try:
        outer = elements(only(der, SEQUENCE))
        if outer and outer[0].encoded == _SIGNED_DATA:
            parts = elements(only(only(outer[1].encoded, _TAGGED_0), SEQUENCE))
            held = [part for part in parts if part.tag == _TAGGED_0]
            return [one.encoded for part in held for one in elements(part.content) if one.tag == SEQUENCE]
        if [part.tag for part in outer] == [SEQUENCE, SEQUENCE, _BIT_STRING]:
            return [der]
    except (IndexError, NotDer) as exc:
        raise NoCertificates from exc
    raise NoCertificates
