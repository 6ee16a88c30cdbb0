# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate request as the CA reads it: PKCS#10, or one PKCS#10 within CMC (MS-WCCE 2.2.2.6, 3.2.1.4.2.1.4).

Of a CMC request only the signature of the PKCS#10 is checked, not the one around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.x509.oid import SignatureAlgorithmOID

from ..powershell.errors import NotSimulated
from . import der

SIGNED_DATA = "1.2.840.113549.1.7.2"
PKI_DATA = "1.3.6.1.5.5.7.12.2"
_EXTENSION_LISTS = ("1.2.840.113549.1.9.14", "1.3.6.1.4.1.311.2.1.14")
_NAME_VALUE_PAIR = "1.3.6.1.4.1.311.13.2.1"
_CMC_ADD_ATTRIBUTES = "1.3.6.1.4.1.311.10.10.1"
_REG_INFO = "1.3.6.1.5.5.7.7.18"
_TEMPLATE_NAME = "1.3.6.1.4.1.311.20.2"
_TEMPLATE_OID = "1.3.6.1.4.1.311.21.7"


class RequestedExtension(NamedTuple):
    """An extension that the request asks for, its value in DER."""

    oid: str
    critical: bool
    value: bytes


class TemplateVersion(NamedTuple):
    """What the extension 1.3.6.1.4.1.311.21.7 says (MS-WCCE 2.2.2.7.7.2)."""

    oid: str
    major: int
    minor: int


@dataclass(frozen=True)
class Request:
    """What a request holds."""

    pkcs10: x509.CertificateSigningRequest
    extensions: Sequence[RequestedExtension]
    name_values: Mapping[str, str]
    """Enrolment name-value pairs of the PKCS#10 and the registration info of CMC, by name in lower case."""

    def extension(self, oid: str) -> RequestedExtension | None:
        """A requested extension."""
        return next((one for one in self.extensions if one.oid == oid), None)

    @property
    def template_name(self) -> str | None:
        """The template of the extension 1.3.6.1.4.1.311.20.2 (MS-WCCE 2.2.2.7.7.1).

        Raises:
            NotDer: its value is no text.
        """
        found = self.extension(_TEMPLATE_NAME)
        return der.text(der.elements(found.value)[0]) if found else None

    @property
    def template_version(self) -> TemplateVersion | None:
        """The template of the extension 1.3.6.1.4.1.311.21.7; versions that are left out are 0.

        Raises:
            NotDer: its value is something else.
        """
        found = self.extension(_TEMPLATE_OID)
        if found is None:
            return None
        parts = der.elements(der.only(found.value, der.SEQUENCE))
        numbers = [der.integer(part) for part in parts[1:3]]
        return TemplateVersion(der.oid(parts[0]), *[*numbers, 0, 0][:2])

    @property
    def key_bits(self) -> int:
        """The size of the public key."""
        key = self.pkcs10.public_key()
        return key.key_size if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey) else 0

    @property
    def proves_possession(self) -> bool:
        """Whether the request is signed by the key that it asks a certificate for, be it with SHA-1, which requests of
        real MMC and certreq have and ``is_signature_valid`` does not know.
        """
        request, key = self.pkcs10, self.pkcs10.public_key()
        try:
            algorithm = request.signature_hash_algorithm
            signed = (request.signature, request.tbs_certrequest_bytes)
            if algorithm is None or request.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS:
                return request.is_signature_valid
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(*signed, padding.PKCS1v15(), algorithm)
            elif isinstance(key, dsa.DSAPublicKey):
                key.verify(*signed, algorithm)
            elif isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(*signed, ec.ECDSA(algorithm))
            else:
                return request.is_signature_valid
        except (InvalidSignature, UnsupportedAlgorithm, ValueError):
            return False
        return True


def read(data: bytes) -> Request:
    """Read a request.

    Raises:
        NotDer: it cannot be read.
        NotSimulated: a renewal or another request within a request.
    """
    parts = der.elements(der.only(data, der.SEQUENCE))
    if not parts:
        raise der.NotDer("the request is empty")
    if parts[0].tag == 0x06:
        return _of_cmc(parts)
    return _of_pkcs10(data, [], {})


def _of_pkcs10(data: bytes, added: Sequence[der.Element], pairs: dict[str, str]) -> Request:
    try:
        request = x509.load_der_x509_csr(data)
        request.public_key()
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise der.NotDer(str(exc)) from exc
    body = der.elements(request.tbs_certrequest_bytes)
    held = [part for part in der.members(body[0]) if part.tag == 0xA0]
    extensions: list[RequestedExtension] = []
    for attribute in [*(der.elements(held[0].content) if held else []), *added]:
        kind, values = der.members(attribute)
        for value in der.members(values, der.SET):
            if der.oid(kind) in _EXTENSION_LISTS:
                extensions += [_extension(one) for one in der.members(value)]
            elif der.oid(kind) == _NAME_VALUE_PAIR:
                name, content = der.members(value)
                pairs[der.text(name).casefold()] = der.text(content)
    return Request(request, tuple(extensions), pairs)


def _extension(element: der.Element) -> RequestedExtension:
    parts = der.members(element)
    critical = len(parts) == 3 and parts[1].content != b"\x00"
    if parts[-1].tag != 0x04:
        raise der.NotDer("the value of an extension is no OCTET STRING")
    return RequestedExtension(der.oid(parts[0]), critical, parts[-1].content)


def _of_cmc(parts: Sequence[der.Element]) -> Request:
    """RFC 5272 section 3.2: controls, requests, nested messages. Windows adds attributes by a control of its own."""
    if der.oid(parts[0]) != SIGNED_DATA:
        raise der.NotDer("a CMS message that is no SignedData")
    signed = der.members(der.elements(der.members(parts[1], 0xA0)[0].encoded)[0])
    kind, wrapped = der.members(signed[2])
    if der.oid(kind) != PKI_DATA:
        raise NotSimulated("a renewal: PKCS#7 around a request")
    content = der.members(wrapped, 0xA0)[0]
    body = der.elements(der.only(content.content, der.SEQUENCE))
    added: list[der.Element] = []
    pairs: dict[str, str] = {}
    for control in der.members(body[0]):
        _number, control_type, values = der.members(control)
        for value in der.members(values, der.SET):
            if der.oid(control_type) == _CMC_ADD_ATTRIBUTES:
                added += der.members(der.members(value)[2], der.SET)
            elif der.oid(control_type) == _REG_INFO:
                pairs |= {name.casefold(): text for name, text in parse_qsl(value.content.decode("utf-8", "replace"))}
    requests = der.members(body[1])
    if not requests:
        raise NotSimulated("a CMC request around another message")
    if len(requests) > 1 or requests[0].tag != 0xA0:
        raise der.NotDer("a CMC request without exactly one PKCS#10")
    return _of_pkcs10(der.members(requests[0], 0xA0)[1].encoded, added, pairs)
