# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate that the CA makes of a request.

Extensions, their order and their flags as in a certificate of a Server 2022 CA (published with the CA's response in
the repository tokentimerch/tokentimer-core) and in the ``certutil -view`` of another: key usage, subject key
identifier and alternative names first, then what policy module and server add. Not simulated: the filter and the
re-encoding of the requested subject (SubjectTemplate), certificate policies, S/MIME capabilities.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID, NameOID, ObjectIdentifier

from .. import pki
from ..host.machine import bare_name
from ..powershell.errors import NotSimulated
from .policy import BAD_REQUESTSUBJECT, Denied
from .request import Request
from .templates import SUBJECT_ALT_REQUIRE_DNS, CertificateTemplate

CLOCK_SKEW = timedelta(minutes=10)
"""How long before the moment of issue a certificate begins to be valid (MS-WCCE 3.2.1.4.2.1.4.7,
Config_CA_Clock_Skew_Minutes; about ten minutes were measured by the same repository)."""
LONGEST_VALIDITY = timedelta(days=730)
"""ValidityPeriod of an enterprise CA as it is installed: two years."""


@dataclass(frozen=True)
class Order:
    """What a certificate is made of beside request and template."""

    number: int
    """The request id."""
    requester: str
    computer: bool
    domain: str
    """The DNS name of the domain."""
    moment: datetime
    alternative_names: str | None = None
    """The SAN request attribute; None unless the CA accepts it (EDITF_ATTRIBUTESUBJECTALTNAME2)."""
    key: CertificatePublicKeyTypes | None = None
    """Another key than the request's: a scripted fault."""
    subject: x509.Name | None = None
    """Another subject than the right one, and no alternative names: a scripted fault."""


@dataclass(frozen=True)
class Made:
    """An issued certificate."""

    certificate: x509.Certificate
    shortened: bool
    """Its validity is shorter than the template's."""

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)


def make(ca: pki.Issued, crl: str | None, request: Request, template: CertificateTemplate, order: Order) -> Made:
    """Make and sign a certificate with SHA-256.

    :param crl: where the CA publishes its list; the CA's certificate lies beside it.

    Raises:
        Denied: neither subject nor alternative names are there.
    """
    first = (order.moment - CLOCK_SKEW).replace(microsecond=0)
    last = min(first + min(template.validity, LONGEST_VALIDITY), ca.certificate.not_valid_after_utc)
    subject, names = _names(request, template, order)
    if not list(subject) and names is None:
        raise Denied(BAD_REQUESTSUBJECT)
    key = order.key or request.pkcs10.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(ca.certificate.subject)
        .public_key(key)
        .serial_number(_serial(ca, key, order.number))
        .not_valid_before(first)
        .not_valid_after(last)
    )
    for extension, critical in _extensions(ca, crl, template, key, names):
        builder = builder.add_extension(extension, critical)
    return Made(builder.sign(ca.key, hashes.SHA256()), last < first + template.validity)


_Extension = tuple[x509.ExtensionType, bool]


def _extensions(
    ca: pki.Issued,
    crl: str | None,
    template: CertificateTemplate,
    key: CertificatePublicKeyTypes,
    names: _Extension | None,
) -> list[_Extension]:
    found: list[_Extension] = []
    if template.key_usage:
        usage = x509.UnrecognizedExtension(ExtensionOID.KEY_USAGE, _named_bits(template.key_usage))
        found.append((usage, ExtensionOID.KEY_USAGE.dotted_string in template.critical))
    found.append((x509.SubjectKeyIdentifier.from_public_key(key), False))
    if names:
        found.append(names)
    identifier = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    found.append((x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False))
    if crl:
        found.append((pki.distribution_points(crl), False))
        found.append((pki.issuer_access(crl), False))
    oid = template.oid if template.schema > 1 else None
    found.append((pki.template_extension(pki.Template(template.name, None, oid, *template.version)), False))
    if template.usages:
        found.append((x509.ExtendedKeyUsage([ObjectIdentifier(usage) for usage in template.usages]), False))
    if template.schema > 1 and template.policies:
        found.append((pki.application_policies(template.policies), False))
    return found


def _named_bits(value: bytes) -> bytes:
    """A BIT STRING of named bits in DER: octets and bits that are 0 at its end do not stand in it (X.690 11.2.2)."""
    octets = value.rstrip(b"\x00")
    unused = (octets[-1] & -octets[-1]).bit_length() - 1 if octets else 0
    return pki.der_tlv(0x03, bytes([unused]) + octets)


def _names(request: Request, template: CertificateTemplate, order: Order) -> tuple[x509.Name, _Extension | None]:
    """Subject and alternative names.

    Where the template does not take them from the request, they are built from the account, simplified: a computer's
    DNS name and a user's logon name as common name, whatever else the template's name flags ask for; of these flags
    only the DNS name of a computer is heeded (MS-WCCE 3.2.2.6.2.1.4.5.9).
    """
    if order.subject is not None:
        return order.subject, None
    requested = request.extension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string)
    names: _Extension | None = None
    if template.enrollee_supplies_subject:
        subject = request.pkcs10.subject
        if requested:
            names = (
                x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, requested.value),
                requested.critical,
            )
    else:
        bare = bare_name(order.requester)
        host = f"{bare.removesuffix('$')}.{order.domain}".lower()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host if order.computer else bare)])
        if order.computer and template.name_flag & SUBJECT_ALT_REQUIRE_DNS:
            names = x509.SubjectAlternativeName([x509.DNSName(host)]), False
    if order.alternative_names:
        names = x509.SubjectAlternativeName([_name(part) for part in order.alternative_names.split("&")]), False
    return subject, names


def _name(part: str) -> x509.GeneralName:
    """One ``type=value`` of the SAN attribute (MS-WCCE 3.2.1.4.2.1.2)."""
    kind, _equals, value = part.strip().partition("=")
    if kind.casefold() == "dns":
        return x509.DNSName(value)
    if kind.casefold() == "ipaddress":
        return x509.IPAddress(ipaddress.ip_address(value))
    raise NotSimulated(f"the alternative name {part}")


def _serial(ca: pki.Issued, key: CertificatePublicKeyTypes, number: int) -> int:
    """A serial number of the default form of MS-WCCE 3.2.1.4.2.1.4.6.2: a constant octet of the CA, the request id,
    8 octets that a real CA takes at random (here from the key, so that they are the same again), the index of the CA's
    certificate and the request id again.
    """
    constant = 0x10 | hashlib.sha256(ca.der).digest()[0] & 0x7F
    arbitrary = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()[:8]
    identifier = number.to_bytes(4, "big")
    return int.from_bytes(bytes([constant]) + identifier + arbitrary + b"\0\0" + identifier, "big")
