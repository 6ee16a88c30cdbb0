# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real X.509 certificates for simulated hosts, quickly: keys come from a small pool that certificates share.

``cryptography`` refuses to sign certificates with SHA-1 and MD5; such a certificate is signed here over a body that
``cryptography`` encoded, by exchanging the algorithm identifier (both have the same length) and signing anew.
"""

from __future__ import annotations

import hashlib
import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import AuthorityInformationAccessOID, ObjectIdentifier

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"

TEMPLATE_NAME = ObjectIdentifier("1.3.6.1.4.1.311.20.2")
APPLICATION_POLICIES = ObjectIdentifier("1.3.6.1.4.1.311.21.10")
TEMPLATE_INFORMATION = ObjectIdentifier("1.3.6.1.4.1.311.21.7")

_CURVES: dict[str, type[ec.EllipticCurve]] = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}
_HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_WEAK_HASHES: dict[str, hashes.HashAlgorithm] = {"md5": hashes.MD5(), "sha1": hashes.SHA1()}
_SHA256_WITH_RSA = bytes.fromhex("06092a864886f70d01010b")
_WEAK_WITH_RSA = {"md5": bytes.fromhex("06092a864886f70d010104"), "sha1": bytes.fromhex("06092a864886f70d010105")}

KEY_KINDS = ("rsa1024", "rsa2048", "rsa3072", "rsa4096", "p256", "p384", "p521", "dsa1024")
SIGNATURES = (*_WEAK_HASHES, *_HASHES, *(f"pss-{name}" for name in _HASHES))


class KeyPool:
    """Private keys by kind, made when first asked for; each kind holds a few and gives them in turn."""

    def __init__(self, size: int = 3) -> None:
        self._size = size
        self._keys: dict[str, list[PrivateKey]] = {}
        self._next: dict[str, int] = {}

    def take(self, kind: str) -> PrivateKey:
        """A key of ``kind`` (:data:`KEY_KINDS`). Larger RSA keys are slow to make, so there is one of each."""
        held = self._keys.setdefault(kind, [])
        size = 1 if kind in ("rsa3072", "rsa4096", "dsa1024") else self._size
        if len(held) < size:
            held.append(_make(kind))
            return held[-1]
        position = self._next.get(kind, 0)
        self._next[kind] = position + 1
        return held[position % len(held)]


def _make(kind: str) -> PrivateKey:
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    if kind.startswith("dsa"):
        return dsa.generate_private_key(int(kind[3:]))
    return rsa.generate_private_key(65537, int(kind[3:]))


@dataclass(frozen=True)
class Template:
    """A certificate template as it stands in a certificate: a v1 template is named, a later one has an OID."""

    name: str
    display_name: str | None = None
    oid: str | None = None
    major: int = 100
    minor: int = 0


@dataclass(frozen=True)
class Wanted:
    """What a certificate shall hold. Times are aware."""

    subject: str
    """RFC 4514; empty for no subject."""
    not_before: datetime
    not_after: datetime
    key: str = "rsa2048"
    signature: str = "sha256"
    subject_alt_names: tuple[str, ...] = ()
    """DNS names; an IP address is written as one."""
    extended_key_usage: tuple[str, ...] | None = (SERVER_AUTH,)
    crl_distribution_points: tuple[str, ...] = ()
    template: Template | None = None
    is_ca: bool = False


@dataclass(frozen=True)
class Issued:
    """A certificate with its private key."""

    der: bytes
    certificate: x509.Certificate
    key: PrivateKey

    @property
    def thumbprint(self) -> str:
        """SHA-1 over the certificate, as Windows names it: upper-case hexadecimal."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest().upper()


class Authority:
    """A certification authority. Serial numbers have the form of AD CS: the request number stands in them twice."""

    def __init__(self, subject: str, pool: KeyPool, *, not_before: datetime, not_after: datetime) -> None:
        self._pool = pool
        self._requests = 0
        self.name = x509.Name.from_rfc4514_string(subject)
        wanted = Wanted(subject, not_before, not_after, extended_key_usage=None, is_ca=True)
        self._issued = _build(wanted, _make("rsa2048"), self.name, None, serial=0x2637 << 112 | 1)

    @property
    def certificate(self) -> Issued:
        """The authority's own certificate, self-signed."""
        return self._issued

    def issue(self, wanted: Wanted, key: PrivateKey | None = None) -> Issued:
        """A certificate signed by this authority, of a key of its pool unless one is given."""
        self._requests += 1
        key = key or self._pool.take(wanted.key)
        return _build(wanted, key, self.name, self._issued.key, _serial(wanted, self._requests))


def self_signed(wanted: Wanted, pool: KeyPool, key: PrivateKey | None = None) -> Issued:
    """A certificate that is its own issuer."""
    name = x509.Name.from_rfc4514_string(wanted.subject)
    digest = hashlib.sha256(wanted.subject.encode()).digest()[:15]
    return _build(wanted, key or pool.take(wanted.key), name, None, serial=int.from_bytes(digest, "big"))


def _serial(wanted: Wanted, number: int) -> int:
    middle = hashlib.sha256(f"{wanted.subject}/{number}".encode()).digest()[:8]
    return int.from_bytes(b"\x44" + struct.pack(">I", number) + middle + struct.pack(">HI", 0, number), "big")


def _build(wanted: Wanted, key: PrivateKey, issuer: x509.Name, signer: PrivateKey | None, serial: int) -> Issued:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name.from_rfc4514_string(wanted.subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(_utc(wanted.not_before))
        .not_valid_after(_utc(wanted.not_after))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )
    for extension, critical in _extensions(wanted):
        builder = builder.add_extension(extension, critical)
    if signer:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(identifier, False)
    signer = signer or key
    scheme, _between, name = wanted.signature.rpartition("-")
    if name in _WEAK_WITH_RSA:
        der = _sign_weakly(builder, signer, name)
    elif scheme == "pss" and isinstance(signer, rsa.RSAPrivateKey):
        algorithm = _HASHES[name]
        pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        der = builder.sign(signer, algorithm, rsa_padding=pss).public_bytes(Encoding.DER)
    else:
        der = builder.sign(signer, _HASHES[name]).public_bytes(Encoding.DER)
    return Issued(der, x509.load_der_x509_certificate(der), key)


def _sign_weakly(builder: x509.CertificateBuilder, signer: PrivateKey, name: str) -> bytes:
    if not isinstance(signer, rsa.RSAPrivateKey):
        raise ValueError(f"{name} signatures are made with RSA keys only")
    strong = builder.sign(signer, hashes.SHA256())
    body = strong.tbs_certificate_bytes.replace(_SHA256_WITH_RSA, _WEAK_WITH_RSA[name], 1)
    signature = signer.sign(body, padding.PKCS1v15(), _WEAK_HASHES[name])
    identifier = der_tlv(0x30, _WEAK_WITH_RSA[name] + b"\x05\x00")
    return der_tlv(0x30, body + identifier + der_tlv(0x03, b"\0" + signature))


def _extensions(wanted: Wanted) -> Sequence[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if wanted.is_ca:
        found.append((x509.BasicConstraints(True, None), True))
    if wanted.subject_alt_names:
        names = [_general_name(name) for name in wanted.subject_alt_names]
        found.append((x509.SubjectAlternativeName(names), not wanted.subject))
    if wanted.extended_key_usage is not None:
        found.append((x509.ExtendedKeyUsage([ObjectIdentifier(oid) for oid in wanted.extended_key_usage]), False))
    if wanted.crl_distribution_points:
        found.append((distribution_points(*wanted.crl_distribution_points), False))
        found.append((issuer_access(*wanted.crl_distribution_points), False))
    if wanted.template:
        # What a CA of Server 2022 was seen to add to a certificate from a template (certutil -view).
        found.append((template_extension(wanted.template), False))
        found.append((_key_usage(wanted.is_ca), True))
        if wanted.template.oid and wanted.extended_key_usage:
            found.append((application_policies(wanted.extended_key_usage), False))
    return found


def _key_usage(is_ca: bool) -> x509.KeyUsage:
    """Digital signature and key encipherment (a0) for computers; the signing of certificates and lists for a CA."""
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not is_ca,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )


def distribution_points(*urls: str) -> x509.CRLDistributionPoints:
    """Where a CA publishes its revocation lists, one point for each address."""
    return x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in urls]
    )


def issuer_access(*urls: str) -> x509.AuthorityInformationAccess:
    """Where the certificate of a CA lies: beside its revocation list, with the ending crt."""
    issuers = [
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(url.removesuffix(".crl") + ".crt")
        )
        for url in urls
    ]
    return x509.AuthorityInformationAccess(issuers)


def application_policies(usages: Sequence[str]) -> x509.UnrecognizedExtension:
    """The usages once more as certificate policies (szOID_APPLICATION_CERT_POLICIES)."""
    policies = b"".join(der_tlv(0x30, der_oid(usage)) for usage in usages)
    return x509.UnrecognizedExtension(APPLICATION_POLICIES, der_tlv(0x30, policies))


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def template_extension(template: Template) -> x509.UnrecognizedExtension:
    """MS-WCCE 2.2.2.7.7.1 (name of a v1 template, BMPString) and 2.2.2.7.7.2 (OID and version of a later one)."""
    if template.oid is None:
        return x509.UnrecognizedExtension(TEMPLATE_NAME, der_tlv(0x1E, template.name.encode("utf-16-be")))
    parts = der_oid(template.oid) + b"".join(
        der_tlv(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))
        for number in (template.major, template.minor)
    )
    return x509.UnrecognizedExtension(TEMPLATE_INFORMATION, der_tlv(0x30, parts))


def der_tlv(tag: int, content: bytes) -> bytes:
    """One DER element."""
    if len(content) < 128:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def der_oid(dotted: str) -> bytes:
    """An object identifier in DER."""
    first, second, *others = (int(part) for part in dotted.split("."))
    body = b""
    for number in (first * 40 + second, *others):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.insert(0, number & 0x7F | 0x80)
        body += bytes(digits)
    return der_tlv(0x06, body)


def template_oid(name: str) -> str:
    """An OID of the form that AD CS gives to templates, the same for the same name."""
    digest = hashlib.sha256(name.encode()).digest()
    arcs = [int.from_bytes(digest[place : place + 3], "big") for place in range(0, 21, 3)]
    return "1.3.6.1.4.1.311.21.8." + ".".join(str(arc) for arc in arcs)


def public_key_der(certificate: x509.Certificate) -> bytes:
    """The SubjectPublicKeyInfo of a certificate."""
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_bits(certificate: x509.Certificate) -> int:
    """The size of the public key."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey | dsa.DSAPublicKey | ec.EllipticCurvePublicKey):
        return key.key_size
    return 0


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(timezone.utc).replace(microsecond=0)
