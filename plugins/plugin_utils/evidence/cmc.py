# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CMS SignedData: the certificates it carries, and the PKCS#10 requests within a CMC request.

Structures: SignedData (RFC 5652 section 5.1), PKIData (RFC 5272 section 3.2). What Windows puts into them: MS-WCCE
2.2.2.6 (nested requests for renewals), control 1.3.6.1.4.1.311.10.10.1 with attributes for single requests, and
id-cmc-regInfo with percent-encoded name-value pairs.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl

from ..record import EvidenceError
from . import asn1
from .armour import kind_of
from .asn1 import Attribute

SIGNED_DATA = "1.2.840.113549.1.7.2"
PKI_DATA = "1.3.6.1.5.5.7.12.2"
_DATA = "1.2.840.113549.1.7.1"
_CMC_ADD_ATTRIBUTES = "1.3.6.1.4.1.311.10.10.1"
_REG_INFO = "1.3.6.1.5.5.7.7.18"
_TCR = 0xA0
_DEEPEST_NESTING = 4
_REMEDY = "Create the request again with certreq -new, or obtain the file again."


class SignedData(NamedTuple):
    """What matters of a CMS SignedData. Its signatures are not checked."""

    content_type: str
    content: bytes
    certificates: tuple[bytes, ...]


class Enclosed(NamedTuple):
    """A PKCS#10 request found within a CMC request, with what stands about it outside of it."""

    pkcs10: bytes
    body_part: int | None
    attributes: tuple[Attribute, ...] = ()
    """Attributes that a control of the CMC request adds to this one."""
    name_values: tuple[tuple[str, str], ...] = ()
    """Name-value pairs of the registration info, for example CertificateTemplate."""


class Requests(NamedTuple):
    """The requests of a CMC request, and what could not be read of it."""

    enclosed: tuple[Enclosed, ...]
    errors: tuple[EvidenceError, ...]


def signed_data(encoded: bytes) -> SignedData:
    """Take a ContentInfo with SignedData apart.

    :raises EvidenceError: it is something else, or damaged.
    """
    outer = asn1.elements(encoded, "The ContentInfo")
    content_type = asn1.oid(asn1.only(outer, 0, "The content type"), "The content type")
    if content_type != SIGNED_DATA:
        raise EvidenceError(f"The content type is {content_type}, not SignedData ({SIGNED_DATA}).", remedy=_REMEDY)
    (signed,) = asn1.elements(asn1.only(outer, 1, "The SignedData"), "The content of the ContentInfo")[:1] or (b"",)
    parts = asn1.elements(signed, "The SignedData")
    inner = asn1.elements(asn1.only(parts, 2, "The encapsulated content"), "The encapsulated content")
    content = b""
    if len(inner) > 1:
        wrapped = asn1.elements(inner[1], "The encapsulated content")
        content = asn1.octets(asn1.only(wrapped, 0, "The encapsulated content"), "The encapsulated content")
    certificates: list[bytes] = []
    if len(parts) > 3 and parts[3][0] == 0xA0:
        certificates = asn1.elements(parts[3], "The certificates")
    return SignedData(
        asn1.oid(asn1.only(inner, 0, "The content type"), "The content type"), content, tuple(certificates)
    )


def requests_within(encoded: bytes, depth: int = 0) -> Requests:
    """All PKCS#10 requests within a CMC request, or within a PKCS#7 that renews a certificate.

    :raises EvidenceError: the outer structure cannot be read. A single request that cannot be is in ``errors``.
    """
    if depth > _DEEPEST_NESTING:
        raise EvidenceError(f"Requests are nested deeper than {_DEEPEST_NESTING} levels.", remedy=_REMEDY)
    signed = signed_data(encoded)
    if signed.content_type == PKI_DATA:
        return _pki_data(signed.content, depth)
    if signed.content_type == _DATA and kind_of(signed.content) == "pkcs10":
        return Requests((Enclosed(signed.content, None),), ())
    raise EvidenceError(
        f"The signed content is of type {signed.content_type}, which is no certificate request.",
        remedy="Give the request (.req) and not the response (.rsp) of the certification authority.",
    )


def _pki_data(encoded: bytes, depth: int) -> Requests:
    parts = asn1.elements(encoded, "The PKIData")
    errors: list[EvidenceError] = []
    added: list[tuple[set[int], list[Attribute]]] = []
    name_values: list[tuple[str, str]] = []
    for control in asn1.elements(asn1.only(parts, 0, "The controlSequence"), "The controlSequence"):
        try:
            _read_control(control, added, name_values)
        except EvidenceError as error:
            errors.append(error)
    enclosed: list[Enclosed] = []
    for number, tagged in enumerate(asn1.elements(asn1.only(parts, 1, "The reqSequence"), "The reqSequence"), 1):
        try:
            if tagged[0] != _TCR:
                raise EvidenceError(
                    f"Request {number} of the CMC request is not a PKCS#10 but of another form.",
                    remedy="Requests of CRMF and other forms name no Windows provider; create it with certreq.",
                )
            fields = asn1.elements(tagged, f"Request {number} of the CMC request")
            body_part = asn1.integer(asn1.only(fields, 0, "The body part"), "The body part")
            pkcs10 = asn1.only(fields, 1, f"The PKCS#10 in request {number}")
            extra = [attribute for parts_, found in added if body_part in parts_ for attribute in found]
            enclosed.append(Enclosed(pkcs10, body_part, tuple(extra), tuple(name_values)))
        except EvidenceError as error:
            errors.append(error)
    for nested in asn1.elements(parts[2], "The cmsSequence") if len(parts) > 2 else []:
        try:
            fields = asn1.elements(nested, "A member of the cmsSequence")
            inner = requests_within(asn1.only(fields, 1, "The nested request"), depth + 1)
            enclosed += inner.enclosed
            errors += inner.errors
        except EvidenceError as error:
            errors.append(error)
    return Requests(tuple(enclosed), tuple(errors))


def _read_control(
    control: bytes, added: list[tuple[set[int], list[Attribute]]], name_values: list[tuple[str, str]]
) -> None:
    fields = asn1.elements(control, "A control of the CMC request")
    kind = asn1.oid(asn1.only(fields, 1, "The type of a control"), "The type of a control")
    if kind not in (_CMC_ADD_ATTRIBUTES, _REG_INFO):
        return
    for value in asn1.elements(asn1.only(fields, 2, f"The value of control {kind}"), f"The value of control {kind}"):
        if kind == _REG_INFO:
            pairs = asn1.octets(value, "The registration info")
            name_values += parse_qsl(pairs.decode("utf-8", "replace"), keep_blank_values=True)
        else:
            what = "The control with added attributes"
            members = asn1.elements(value, what)
            body_parts = {asn1.integer(part, what) for part in asn1.elements(asn1.only(members, 1, what), what)}
            added.append((body_parts, asn1.attributes(asn1.only(members, 2, what), what)))
