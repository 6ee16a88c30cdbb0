# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request that differs from what was wished does not leave the host."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cache
from ipaddress import ip_address

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.keys import public_key_of, same_key
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.requested import (
    check_csr,
    only_request,
    request_pem,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import (
    EnrolmentError,
    RequestWish,
    checked,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.der import encode
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lab.formats.request import armoured, cmc, pkcs10
from lab.pki import KeyPool, Template, Wanted, self_signed, template_extension

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
TEMPLATE_OID = "1.3.6.1.4.1.311.21.8.1.2.3"
SERVER, CLIENT = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"
NAMES = ("fe01.contoso.example", "10.0.0.1", "2001:db8::1")
WISH = checked(RequestWish(r"CN=pool01.contoso.example,O=Contoso\, Ltd.,C=GB", NAMES))


@cache
def key(kind="rsa2048"):
    return KeyPool(1).take(kind)


def general_name(name):
    return x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)


def made(
    kind="rsa2048", *, subject=WISH.subject, names=NAMES, purposes=(SERVER,), more=(), provider=SCHANNEL, **values
):
    extensions = list(more)
    if names:
        alternative = x509.SubjectAlternativeName([general_name(name) for name in names])
        extensions.append(x509.Extension(alternative.oid, False, alternative))
    if purposes:
        usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier(purpose) for purpose in purposes])
        extensions.append(x509.Extension(usage.oid, False, usage))
    name = x509.Name.from_rfc4514_string(subject)
    return pkcs10(key(kind), name, provider=provider, extensions=extensions, **values)


def differs(der, wish=WISH):
    with pytest.raises(EnrolmentError) as caught:
        check_csr(der, wish)
    assert caught.value.place
    assert caught.value.remedy
    return caught.value.message


def test_a_request_as_it_was_wished():
    check_csr(made(), WISH)


def test_neither_order_nor_case_of_names_matters():
    turned = x509.Name(list(reversed(list(x509.Name.from_rfc4514_string(WISH.subject))))).rfc4514_string()
    check_csr(made(subject=turned, names=tuple(name.upper() for name in reversed(NAMES))), WISH)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"provider": None}, "does not tell the provider", id="no provider"),
        pytest.param({"provider": SOFTWARE_KSP, "key_spec": 0}, SOFTWARE_KSP, id="a KSP"),
        pytest.param({"provider": "Microsoft Strong Cryptographic Provider"}, "Strong", id="another CSP"),
        pytest.param({"key_spec": 2}, "key specification is 2", id="signature key"),
        pytest.param({"kind": "rsa1024"}, "1024 bits", id="a shorter key"),
        pytest.param({"kind": "p256"}, "EC", id="elliptic curve"),
        pytest.param({"hash_name": "sha1"}, "sha1WithRSAEncryption", id="another digest"),
        pytest.param({"subject": "CN=pool01.contoso.example"}, "subject", id="fewer components"),
        pytest.param({"subject": WISH.subject.replace("pool01", "pool02")}, "pool02", id="another name"),
        pytest.param({"names": NAMES[:2]}, "alternative names", id="fewer alternative names"),
        pytest.param({"names": (*NAMES, "evil.example")}, "evil.example", id="more alternative names"),
        pytest.param({"names": ()}, "are none", id="no alternative names"),
        pytest.param({"purposes": (SERVER, CLIENT)}, CLIENT, id="more purposes"),
        pytest.param({"purposes": ()}, "are none", id="no purposes"),
        pytest.param({"name_values": {"CertificateTemplate": "User"}}, "User", id="a template"),
    ],
)
def test_each_difference_is_told(changes, said):
    assert said in differs(made(**changes))


def test_all_differences_are_told_at_once():
    message = differs(made("rsa1024", names=(), provider=SOFTWARE_KSP))
    assert all(said in message for said in ("1024 bits", "alternative names", SOFTWARE_KSP))


def test_the_template_by_oid_must_be_in_it():
    wish = checked(replace(WISH, template=TEMPLATE_OID))
    value = template_extension(Template("WebServer", oid=TEMPLATE_OID))
    check_csr(made(more=[x509.Extension(value.oid, False, value)]), wish)
    assert TEMPLATE_OID in differs(made(), wish)


def test_a_forced_provider_is_compared_too():
    wish = checked(replace(WISH, provider=SOFTWARE_KSP), force_provider=True)
    check_csr(made(provider=SOFTWARE_KSP, key_spec=0), wish)
    assert SCHANNEL in differs(made(), wish)


def test_the_request_of_a_ca_is_refused():
    value = x509.BasicConstraints(ca=True, path_length=None)
    assert "CA" in differs(made(more=[x509.Extension(value.oid, True, value)]))


def test_an_altered_request_is_refused():
    der = bytearray(made())
    der[-1] ^= 1
    assert "signature" in differs(bytes(der))


def test_a_signature_of_another_scheme_is_refused():
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name.from_rfc4514_string(WISH.subject))
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    der = builder.sign(key(), hashes.SHA256(), rsa_padding=scheme).public_bytes(Encoding.DER)
    assert "PSS" in differs(der)
    ed25519_request = builder.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.DER)
    assert "Ed25519" in differs(ed25519_request)


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"garbage", b"\x30\x82\xff\xff", made()[:300]])
def test_what_is_no_request_is_refused(data):
    differs(data)


def test_a_cmc_request_is_refused():
    message = cmc(made(), key())
    assert "form" in differs(message)
    with pytest.raises(EnrolmentError, match="holds cmc"):
        only_request(armoured(message).encode())


def test_the_file_of_certreq_holds_one_request():
    der = made()
    assert only_request(armoured(der).encode()) == der
    assert only_request(der) == der
    with pytest.raises(EnrolmentError, match="pkcs10, pkcs10"):
        only_request(armoured(der).encode() * 2)
    with pytest.raises(EnrolmentError, match="nothing"):
        only_request(b"")


def test_the_request_is_given_out_as_pem():
    pem = request_pem(made())
    assert x509.load_pem_x509_csr(pem.encode()).public_bytes(Encoding.DER) == made()
    assert pem.startswith("-----BEGIN CERTIFICATE REQUEST-----\n")
    assert pem.endswith("-----END CERTIFICATE REQUEST-----\n")
    assert max(map(len, pem.splitlines())) == 64


@pytest.mark.parametrize("kind", ["rsa2048", "p256"])
def test_request_and_certificate_tell_the_same_key(kind):
    begins = datetime(2026, 11, 22, tzinfo=timezone.utc)
    certificate = self_signed(Wanted("CN=a", begins, begins + timedelta(days=1), kind), KeyPool(1))
    expected = certificate.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    request = pkcs10(certificate.key, x509.Name([]), provider=None, os_version=None)
    assert public_key_of(request) == public_key_of(certificate.der) == expected
    assert same_key(request, certificate.der)
    assert not same_key(made(), certificate.der)


@pytest.mark.parametrize("version", [1, 3])
def test_a_certificate_without_a_version_tells_its_key_too(version):
    name, other, public = b"\x30\x00", b"\x30\x00", b"\x30\x05\x30\x00\x03\x01\x00"
    parts = (b"\xa0\x03\x02\x01\x02" if version == 3 else b"", b"\x02\x01\x01", other, name, other, name, public)
    body = encode(0x30, *parts)
    assert public_key_of(encode(0x30, body, other, b"\x03\x01\x00")) == public


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"\x30\x03\x30\x01\x02", b"text", made()[:200]])
def test_what_has_no_key_is_refused(data):
    with pytest.raises(EnrolmentError):
        public_key_of(data)
