# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates in DER: what the record says against what the library says, and what the library refuses."""

from __future__ import annotations

import hashlib
import ipaddress
import subprocess
import sys
import warnings
from collections.abc import Callable
from datetime import datetime, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence import der as encoding
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence import x509 as reader
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import (
    Certificate,
    EvidenceError,
    Key,
    PublicKey,
    Source,
    Template,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from lab import pki
from lab.pki import der_oid, der_tlv

SOURCE = Source("pem", "test.cer")
ORDINARY_KEY = ec.generate_private_key(ec.SECP256R1())
SPKI = ORDINARY_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
SHA256_WITH_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")

EXPLICIT_CURVE = der_tlv(
    0x30,
    b"\x02\x01\x01"
    + der_tlv(0x30, der_oid("1.2.840.10045.1.1") + der_tlv(0x02, b"\x61" * 32))
    + der_tlv(0x30, der_tlv(0x04, b"\x02" * 32) + der_tlv(0x04, b"\x03" * 32))
    + der_tlv(0x04, b"\x04" + b"\x05" * 64)
    + der_tlv(0x02, b"\x60" * 32)
    + b"\x02\x01\x01",
)
"""SpecifiedECDomain of RFC 3279 section 2.3.5, of a curve that nobody uses."""


def read(der: bytes) -> Certificate:
    return reader.certificate_from_der(der, source=SOURCE)


def name(*attributes: tuple[str, int, bytes]) -> bytes:
    return der_tlv(
        0x30,
        b"".join(der_tlv(0x31, der_tlv(0x30, der_oid(oid) + der_tlv(tag, value))) for oid, tag, value in attributes),
    )


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    return der_tlv(0x30, der_oid(oid) + (b"\x01\x01\xff" if critical else b"") + der_tlv(0x04, value))


def certificate(
    *extensions: bytes,
    serial: bytes = b"\x01",
    subject: bytes = name(("2.5.4.3", 0x0C, b"odd.contoso.example")),
    spki: bytes = SPKI,
    algorithm: bytes = SHA256_WITH_RSA,
    version: int | None = 2,
) -> bytes:
    """A certificate in any shape, with a signature of no worth."""
    body = (
        (der_tlv(0xA0, bytes((2, 1, version))) if version is not None else b"")
        + der_tlv(0x02, serial)
        + algorithm
        + name(("2.5.4.3", 0x0C, b"Fabrikam CA"))
        + der_tlv(0x30, der_tlv(0x17, b"250301083000Z") + der_tlv(0x18, b"20270301083000Z"))
        + subject
        + spki
        + (der_tlv(0xA3, der_tlv(0x30, b"".join(extensions))) if extensions else b"")
    )
    return der_tlv(0x30, der_tlv(0x30, body) + algorithm + b"\x03\x02\x00\x01")


def test_the_record_says_what_the_certificate_says(issue: Callable[..., bytes]) -> None:
    der = issue(
        "sip.contoso.example",
        subject_alt_names=("sip.contoso.example", "192.0.2.7", "2001:db8::7"),
        extended_key_usage=(pki.SERVER_AUTH, pki.CLIENT_AUTH),
        crl_distribution_points=("http://pki.contoso.example/ca.crl",),
        template=pki.Template("LyncServer", oid="1.3.6.1.4.1.311.21.8.7.7", major=100, minor=12),
    )
    expected = x509.load_der_x509_certificate(der)
    found = reader.certificate_from_der(
        der, source=SOURCE, key=Key("csp"), friendly_name="Lync", archived=False, notes=("A note.",)
    )
    assert found.thumbprint == expected.fingerprint(hashes.SHA1()).hex().upper()
    assert found.subject == expected.subject.rfc4514_string() == "CN=sip.contoso.example,O=Contoso"
    assert found.issuer == expected.issuer.rfc4514_string() == "CN=Contoso Issuing CA 1,DC=contoso,DC=example"
    assert int(found.serial_number or "", 16) == expected.serial_number
    assert found.not_before == datetime(2025, 3, 1, 8, 30, tzinfo=timezone.utc)
    assert found.not_after == datetime(2027, 3, 1, 8, 30, tzinfo=timezone.utc)
    assert (found.key, found.friendly_name, found.archived, found.notes) == (Key("csp"), "Lync", False, ("A note.",))
    assert found.template == Template(oid="1.3.6.1.4.1.311.21.8.7.7", major_version=100, minor_version=12)
    assert found.der == der
    details = found.details
    assert details is not None
    assert details.public_key == PublicKey("RSA", 2048)
    assert (details.signature_algorithm, details.signature_hash) == ("sha256WithRSAEncryption", "SHA256")
    assert details.subject_alt_names == ("dns:sip.contoso.example", "ip:192.0.2.7", "ip:2001:db8::7")
    assert details.extended_key_usage == (pki.SERVER_AUTH, pki.CLIENT_AUTH)
    assert details.crl_distribution_points == ("http://pki.contoso.example/ca.crl",)
    assert details.key_usage == ("digitalSignature", "keyEncipherment")
    assert (details.is_ca, details.self_signed) == (False, False)


def test_describe_of_a_loaded_certificate_is_the_same(issue: Callable[..., bytes], authority: pki.Authority) -> None:
    for der in (issue(crl_distribution_points=("http://pki.contoso.example/ca.crl",)), authority.certificate.der):
        loaded = x509.load_der_x509_certificate(der)
        assert reader.describe(loaded) == read(der).details


def test_describe_and_extensions_of_a_request() -> None:
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("pool.contoso.example")]), critical=False)
        .add_extension(x509.MSCertificateTemplate(x509.ObjectIdentifier("1.2.3.4"), 100, None), critical=False)
        .sign(ORDINARY_KEY, hashes.SHA384())
    )
    details = reader.describe(request)
    assert details.subject_alt_names == ("dns:pool.contoso.example",)
    assert details.public_key == PublicKey("EC", 256, "secp256r1")
    assert (details.signature_algorithm, details.signature_hash) == ("ecdsa-with-SHA384", "SHA384")
    assert not details.self_signed
    template = reader.template_of(reader.extensions_of(request).readable)
    assert template == Template(oid="1.2.3.4", major_version=100)


def test_a_certification_authority_is_its_own_issuer(authority: pki.Authority) -> None:
    details = read(authority.certificate.der).details
    assert details is not None
    assert (details.is_ca, details.self_signed, details.extended_key_usage) == (True, True, None)


@pytest.mark.parametrize(
    ("signature", "algorithm", "digest"),
    [
        ("md5", "md5WithRSAEncryption", "MD5"),
        ("sha1", "sha1WithRSAEncryption", "SHA1"),
        ("sha512", "sha512WithRSAEncryption", "SHA512"),
        ("pss-sha256", "RSASSA-PSS", "SHA256"),
        ("pss-sha512", "RSASSA-PSS", "SHA512"),
    ],
)
def test_signature_algorithms(issue: Callable[..., bytes], signature: str, algorithm: str, digest: str) -> None:
    details = read(issue(signature=signature)).details
    assert details is not None
    assert (details.signature_algorithm, details.signature_hash) == (algorithm, digest)


def test_an_unknown_signature_algorithm_is_a_dotted_oid_without_digest() -> None:
    details = read(certificate(algorithm=der_tlv(0x30, der_oid("1.3.6.1.4.1.99999.7")))).details
    assert details is not None
    assert (details.signature_algorithm, details.signature_oid, details.signature_hash) == (
        "1.3.6.1.4.1.99999.7",
        "1.3.6.1.4.1.99999.7",
        None,
    )


@pytest.mark.parametrize(("kind", "curve"), [("p256", "secp256r1"), ("p384", "secp384r1"), ("p521", "secp521r1")])
def test_elliptic_curves(issue: Callable[..., bytes], kind: str, curve: str) -> None:
    details = read(issue(key=kind)).details
    assert details is not None
    assert details.public_key == PublicKey("EC", int(kind[1:]), curve)


def test_dsa_and_edwards_keys(issue: Callable[..., bytes]) -> None:
    edwards = ed25519.Ed25519PrivateKey.generate().public_key()
    spki = edwards.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    keys = [read(der).details for der in (issue(key="dsa1024"), certificate(spki=spki))]
    assert [details.public_key for details in keys if details] == [PublicKey("DSA", 1024), PublicKey("Ed25519", 256)]


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (der_oid("1.3.6.1.4.1.99999.8"), PublicKey("1.3.6.1.4.1.99999.8")),
        (der_oid("1.2.840.10045.2.1") + EXPLICIT_CURVE, PublicKey("EC")),
        (der_oid("1.2.840.113549.1.1.1") + b"\x05\x00", PublicKey("RSA")),
        (der_oid("2.16.840.1.101.3.4.3.18"), PublicKey("2.16.840.1.101.3.4.3.18")),
    ],
    ids=["unknown", "explicit curve parameters", "RSA without a key", "ML-DSA-65"],
)
def test_public_keys_that_the_library_refuses(algorithm: bytes, expected: PublicKey) -> None:
    spki = der_tlv(0x30, der_tlv(0x30, algorithm) + b"\x03\x02\x00\x01")
    details = read(certificate(spki=spki)).details
    assert details is not None
    assert details.public_key == expected


@pytest.mark.parametrize(
    ("serial", "expected"), [(b"\xf0\x01", "f001"), (b"\x00", "00"), (b"\x00\xc1\x00\x8b", "00c1008b"), (b"\x05", "05")]
)
def test_serial_numbers_keep_all_bytes_and_cause_no_warning(serial: bytes, expected: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read(certificate(serial=serial)).serial_number == expected


def test_a_certificate_of_version_1() -> None:
    found = read(certificate(version=None))
    assert found.subject == "CN=odd.contoso.example"
    assert found.details is not None
    assert found.details.extended_key_usage is None


def test_names_in_all_string_types() -> None:
    subject = name(
        ("2.5.4.6", 0x13, b"DE"),
        ("2.5.4.10", 0x14, "Müller, Söhne".encode("latin-1")),
        ("2.5.4.11", 0x1E, "東京".encode("utf-16-be")),
        ("1.2.840.113549.1.9.1", 0x16, b"ca@contoso.example"),
        ("2.5.4.3", 0x0C, b"#odd+name "),
        ("2.5.4.45", 0x03, b"\x00\xaa"),
    )
    assert read(certificate(subject=subject)).subject == (
        "2.5.4.45=#00aa,CN=\\#odd\\+name\\ ,1.2.840.113549.1.9.1=ca@contoso.example,OU=東京,O=Müller\\, Söhne,C=DE"
    )


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["2.5.4.3", "2.5.4.10", "2.5.4.5", "0.9.2342.19200300.100.1.25", "1.3.6.1.4.1.99999.1"]),
            st.text(st.characters(codec="utf-8") | st.sampled_from(' #\\"+,;<>\0='), min_size=1, max_size=12),
        ),
        max_size=4,
    )
)
def test_names_are_rendered_as_the_library_does(attributes: list[tuple[str, str]]) -> None:
    expected = x509.Name(
        [x509.NameAttribute(x509.ObjectIdentifier(oid), value, _validate=False) for oid, value in attributes]
    )
    assert encoding.name(expected.public_bytes()) == expected.rfc4514_string()


def test_a_component_with_two_attributes() -> None:
    both = x509.RelativeDistinguishedName(
        [
            x509.NameAttribute(x509.NameOID.COMMON_NAME, "ada"),
            x509.NameAttribute(x509.NameOID.USER_ID, "1815"),
        ]
    )
    expected = x509.Name([both])
    assert encoding.name(expected.public_bytes()) == expected.rfc4514_string()


def test_all_kinds_of_alternative_names() -> None:
    upn = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), der_tlv(0x0C, b"ada@contoso.example"))
    names: list[x509.GeneralName] = [
        x509.DNSName("*.contoso.example"),
        x509.RFC822Name("ada@contoso.example"),
        x509.UniformResourceIdentifier("https://contoso.example/x"),
        x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
        x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ada")])),
        upn,
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.840.5")),
    ]
    details = read(certificate(extension("2.5.29.17", x509.SubjectAlternativeName(names).public_bytes()))).details
    assert details is not None
    assert details.subject_alt_names == (
        "dns:*.contoso.example",
        "email:ada@contoso.example",
        "uri:https://contoso.example/x",
        "ip:192.0.2.1",
        "dirname:CN=ada",
        "upn:ada@contoso.example",
        "other:1.2.3",
        "rid:1.2.840.5",
    )


def test_a_name_kind_that_the_library_refuses_hides_no_other() -> None:
    names = der_tlv(0x30, der_tlv(0xA5, der_tlv(0xA1, der_tlv(0x0C, b"x"))) + der_tlv(0x82, b"a.contoso.example"))
    found = read(certificate(extension("2.5.29.17", names)))
    assert found.details is not None
    assert found.details.subject_alt_names == ("other:[5]", "dns:a.contoso.example")
    assert found.notes == ()


def test_key_usage() -> None:
    usage = x509.KeyUsage(True, True, False, True, True, False, True, True, False)
    details = read(certificate(extension("2.5.29.15", usage.public_bytes(), critical=True))).details
    assert details is not None
    assert details.key_usage == (
        "digitalSignature",
        "nonRepudiation",
        "dataEncipherment",
        "keyAgreement",
        "cRLSign",
        "encipherOnly",
    )


def test_a_distribution_point_without_url_counts_as_empty() -> None:
    here = x509.UniformResourceIdentifier("ldap:///CN=Contoso%20CA")
    there = x509.UniformResourceIdentifier("http://pki.contoso.example/ca.crl")
    directory = x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "CRL1")]))
    points = x509.CRLDistributionPoints(
        [x509.DistributionPoint(names, None, None, None) for names in ([here, there], [directory])]
    )
    details = read(certificate(extension("2.5.29.31", points.public_bytes()))).details
    assert details is not None
    assert details.crl_distribution_points == ("ldap:///CN=Contoso%20CA", "http://pki.contoso.example/ca.crl", "")


@pytest.mark.parametrize(("tag", "codec"), [(0x1E, "utf-16-be"), (0x0C, "utf-8")])
def test_the_name_of_a_version_1_template(tag: int, codec: str) -> None:
    found = read(certificate(extension("1.3.6.1.4.1.311.20.2", der_tlv(tag, "WebServer".encode(codec)))))
    assert found.template == Template(name="WebServer")


def test_a_template_with_oid_and_name() -> None:
    versioned = x509.MSCertificateTemplate(x509.ObjectIdentifier("1.2.3.4"), None, None).public_bytes()
    named = der_tlv(0x1E, "WebServer".encode("utf-16-be"))
    found = read(certificate(extension("1.3.6.1.4.1.311.21.7", versioned), extension("1.3.6.1.4.1.311.20.2", named)))
    assert found.template == Template(oid="1.2.3.4", name="WebServer")


@pytest.mark.parametrize(
    "oid",
    ["2.5.29.17", "2.5.29.15", "2.5.29.19", "2.5.29.31", "2.5.29.37", "1.3.6.1.4.1.311.21.7", "1.3.6.1.4.1.311.20.2"],
)
def test_an_unreadable_extension_is_noted_and_permits_nothing(oid: str) -> None:
    good = "2.5.29.37" if oid != "2.5.29.37" else "2.5.29.17"
    value = (
        der_tlv(0x30, der_oid(pki.SERVER_AUTH)) if good == "2.5.29.37" else der_tlv(0x30, der_tlv(0x82, b"a.example"))
    )
    found = read(certificate(extension(oid, b"\x30\x05\x01"), extension(good, value)))
    details = found.details
    assert details is not None
    assert len(found.notes) == 1
    assert oid in found.notes[0]
    assert found.template is None
    assert details.is_ca is False
    assert details.crl_distribution_points == ()
    if oid == "2.5.29.37":
        assert details.extended_key_usage == ()
        assert details.subject_alt_names == ("dns:a.example",)
    else:
        assert details.extended_key_usage == (pki.SERVER_AUTH,)
        assert details.subject_alt_names == ()
        assert details.key_usage == (() if oid == "2.5.29.15" else None)


def test_an_extension_that_occurs_twice_is_unreadable() -> None:
    server = extension("2.5.29.37", der_tlv(0x30, der_oid(pki.SERVER_AUTH)))
    client = extension("2.5.29.37", der_tlv(0x30, der_oid(pki.CLIENT_AUTH)))
    found = read(certificate(server, client, server))
    assert found.details is not None
    assert found.details.extended_key_usage == ()
    assert found.notes == ("The extension 2.5.29.37 (extKeyUsage) cannot be read: it occurs more than once.",)


@pytest.mark.parametrize("cut", [0, 1, 2, 5, 40, 200, -1])
def test_a_damaged_certificate_is_an_evidence_error(issue: Callable[..., bytes], cut: int) -> None:
    with pytest.raises(EvidenceError, match="not a readable X") as caught:
        read(issue()[:cut])
    assert caught.value.remedy


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@given(st.data())
def test_changed_bytes_never_raise_anything_else(issue: Callable[..., bytes], data: st.DataObject) -> None:
    der = bytearray(issue("fuzz.contoso.example"))
    for _round in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = read(bytes(der))
    except EvidenceError:
        return
    assert found.thumbprint == hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def test_without_the_library_the_module_loads_and_says_what_is_missing() -> None:
    program = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence import serialized\n"
        "from lab.formats import serialized as lab\n"
        "print(serialized.read_blob(lab.element([], b'x'), 'a.blob').problems[0])\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment()
    )
    assert "pip install cryptography" in answer.stdout


def environment() -> dict[str, str]:
    return {"PYTHONPATH": ":".join(path for path in sys.path if path)}


def test_rsa_keys_of_any_size() -> None:
    spki = (
        rsa.generate_private_key(65537, 1024).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    details = read(certificate(spki=spki)).details
    assert details is not None
    assert details.public_key == PublicKey("RSA", 1024)
