# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests: what each form, encoding and attribute of Windows tells about the key."""

from __future__ import annotations

import base64
from functools import lru_cache

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.csr import read_csr
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Request
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.formats.asn1 import attribute, bmp, element, integer, oid, sequence
from lab.formats.request import armoured, cmc, nested_cmc, pkcs10, provider_attribute, signed_data
from lab.pki import KeyPool, PrivateKey

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
CLIENT = (9, "fe01.contoso.example", "CONTOSO\\jens", "certreq")
SUBJECT = x509.Name.from_rfc4514_string("CN=pool.contoso.example,O=Contoso")
POOL = KeyPool(1)


@lru_cache
def key(kind: str = "rsa2048") -> PrivateKey:
    return POOL.take(kind)


@lru_cache
def plain() -> bytes:
    return pkcs10(key(), SUBJECT, provider=SCHANNEL, key_spec=1, client=CLIENT)


def only(data: bytes) -> Request:
    reading = read_csr(data, "a.req")
    assert reading.problems == ()
    (request,) = reading.requests
    return request


def test_a_request_tells_provider_key_specification_and_origin():
    request = only(plain())
    assert (request.key.kind, request.key.provider, request.key.key_spec) == ("csp", SCHANNEL, 1)
    assert request.form == "pkcs10"
    assert request.subject == "CN=pool.contoso.example,O=Contoso"
    assert request.enrolment is not None
    assert request.enrolment.machine == "fe01.contoso.example"
    assert request.enrolment.user == "CONTOSO\\jens"
    assert request.enrolment.process == "certreq"
    assert request.enrolment.os_version == "10.0.20348.2"
    assert request.notes == ()
    assert request.details is not None
    assert request.details.public_key.as_dict() == {"algorithm": "RSA", "size": 2048, "curve": None}


def test_a_cng_request_carries_its_ksp():
    request = only(pkcs10(key("p256"), SUBJECT, provider=SOFTWARE_KSP, key_spec=0))
    assert (request.key.kind, request.key.provider, request.key.key_spec) == ("ksp", SOFTWARE_KSP, 0)


@pytest.mark.parametrize(
    "wrapped",
    [
        pytest.param(lambda der: der, id="DER"),
        pytest.param(lambda der: armoured(der).encode(), id="certreq PEM with CRLF"),
        pytest.param(lambda der: armoured(der, "CERTIFICATE REQUEST").encode(), id="OpenSSL PEM"),
        pytest.param(lambda der: armoured(der, "CERTIFICATE").encode(), id="certutil -encode"),
        pytest.param(lambda der: armoured(der).encode("utf-16"), id="UTF-16 with mark"),
        pytest.param(lambda der: armoured(der).encode("utf-16-le"), id="UTF-16 without mark"),
        pytest.param(lambda der: b"# made on fe01\r\n# by jens\r\n" + armoured(der).encode(), id="comments"),
        pytest.param(base64.b64encode, id="bare base64"),
        pytest.param(lambda der: b"# x\r\n" + base64.encodebytes(der), id="bare base64 in lines"),
        pytest.param(lambda der: b"C:\\> type a.req\r\n  " + armoured(der).encode(), id="console"),
    ],
)
@pytest.mark.parametrize("form", ["pkcs10", "cmc"])
def test_every_encoding_is_read(form, wrapped):
    der = plain() if form == "pkcs10" else cmc(plain(), key())
    request = only(wrapped(der))
    assert request.form == form
    assert request.key.provider == SCHANNEL


def test_several_requests_in_one_file_are_all_read_and_placed():
    other = pkcs10(key("p256"), SUBJECT, provider=SOFTWARE_KSP, key_spec=0)
    reading = read_csr((armoured(plain()) + armoured(other)).encode(), "two.req")
    assert [request.key.kind for request in reading.requests] == ["csp", "ksp"]
    lines = armoured(plain()).count("\r\n")
    assert [request.source.place for request in reading.requests] == [
        "PEM block at line 1",
        f"PEM block at line {lines + 1}",
    ]


def test_a_cmc_request_adds_client_information_and_template_from_its_controls():
    inner = pkcs10(key(), SUBJECT, provider=SCHANNEL)
    request = only(cmc(inner, key(), client=CLIENT, reg_info={"CertificateTemplate": "Web Server&Co"}))
    assert request.form == "cmc"
    assert request.enrolment is not None
    assert request.enrolment.user == "CONTOSO\\jens"
    assert request.template is not None
    assert request.template.name == "Web Server&Co"
    assert request.source.place == "CMC body part 1"


def test_a_nested_cmc_request_is_read():
    request = only(nested_cmc(cmc(plain(), key()), key()))
    assert request.key.provider == SCHANNEL


def test_a_renewal_in_pkcs7_form_is_read_as_the_pkcs10_within():
    request = only(signed_data(oid("1.2.840.113549.1.7.1"), plain(), key()))
    assert (request.form, request.key.provider) == ("pkcs10", SCHANNEL)


def test_a_cmc_response_is_refused_with_the_way_out():
    response = signed_data(oid("1.3.6.1.5.5.7.12.3"), sequence(), key())
    reading = read_csr(armoured(response).encode(), "a.rsp")
    assert reading.requests == ()
    assert "1.3.6.1.5.5.7.12.3, which is no certificate request" in reading.problems[0].message
    assert ".rsp" in reading.problems[0].remedy


def test_two_differing_provider_attributes_are_ambiguous():
    twice = pkcs10(
        key(), SUBJECT, provider=SCHANNEL, key_spec=1, extra_attributes=[provider_attribute(SOFTWARE_KSP, 0)]
    )
    request = only(twice)
    assert request.key.kind == "ambiguous"
    assert request.key.provider is None
    assert {candidate.provider for candidate in request.key.candidates} == {SCHANNEL, SOFTWARE_KSP}


def test_a_provider_that_a_cmc_control_adds_counts_as_well():
    request = only(cmc(plain(), key(), added_attributes=[provider_attribute(SOFTWARE_KSP, 0)]))
    assert request.key.kind == "ambiguous"


def test_the_same_provider_twice_is_no_contradiction():
    twice = pkcs10(key(), SUBJECT, provider=SCHANNEL, extra_attributes=[provider_attribute(SCHANNEL, 1)])
    assert only(twice).key.kind == "csp"


def test_a_request_without_provider_is_unrecorded():
    made = x509.CertificateSigningRequestBuilder().subject_name(SUBJECT).sign(key(), hashes.SHA256())
    request = only(made.public_bytes(Encoding.PEM))
    assert (request.key.kind, request.key.provider) == ("unrecorded", None)
    assert request.enrolment is None


def test_an_unreadable_provider_attribute_is_never_passed_over():
    damaged = attribute("1.3.6.1.4.1.311.13.2.2", sequence(bmp("no number")))
    alone = only(pkcs10(key(), SUBJECT, provider=None, extra_attributes=[damaged]))
    beside = only(pkcs10(key(), SUBJECT, provider=SCHANNEL, extra_attributes=[damaged]))
    assert alone.key.kind == "unrecorded"
    assert beside.key.kind == "ambiguous"
    for request in (alone, beside):
        assert any("1.3.6.1.4.1.311.13.2.2 cannot be read" in note for note in request.notes)


def test_an_empty_provider_name_is_unrecorded_and_told():
    request = only(pkcs10(key(), SUBJECT, provider="", key_spec=1))
    assert (request.key.kind, request.key.provider) == ("unrecorded", None)
    assert request.notes == ("The provider attribute holds an empty name.",)


@pytest.mark.parametrize(
    ("value", "name", "dotted"),
    [("LyncWebServer", "LyncWebServer", None), ("1.3.6.1.4.1.311.21.8.1.2.3", None, "1.3.6.1.4.1.311.21.8.1.2.3")],
)
def test_the_template_of_a_name_value_pair_is_a_name_or_an_oid(value, name, dotted):
    request = only(pkcs10(key(), SUBJECT, provider=SCHANNEL, name_values={"certificatetemplate": value}))
    assert request.template is not None
    assert (request.template.name, request.template.oid) == (name, dotted)


def test_extensions_give_template_and_names():
    extensions = [
        x509.Extension(
            x509.SubjectAlternativeName.oid, False, x509.SubjectAlternativeName([x509.DNSName("sip.contoso.example")])
        ),
        x509.Extension(
            x509.MSCertificateTemplate.oid,
            False,
            x509.MSCertificateTemplate(x509.ObjectIdentifier("1.3.6.1.4.1.311.21.8.7.7"), 100, 4),
        ),
    ]
    request = only(pkcs10(key(), SUBJECT, provider=SCHANNEL, extensions=extensions, name_values={"Other": "x"}))
    assert request.details is not None
    assert request.details.subject_alt_names == ("dns:sip.contoso.example",)
    assert request.template is not None
    assert (request.template.oid, request.template.major_version, request.template.minor_version) == (
        "1.3.6.1.4.1.311.21.8.7.7",
        100,
        4,
    )


def test_a_broken_signature_is_a_note():
    broken = bytearray(plain())
    broken[-3] ^= 0xFF
    request = only(bytes(broken))
    assert request.key.provider == SCHANNEL
    assert any("signature does not verify" in note for note in request.notes)


@pytest.mark.parametrize("holds", [True, False])
def test_a_sha1_signature_is_checked_too(holds: bool):
    """The library alone refuses each of them, and Windows signs most CMC requests so."""
    body = x509.load_der_x509_csr(plain()).tbs_certrequest_bytes
    signer = key()
    assert isinstance(signer, rsa.RSAPrivateKey)
    signature = signer.sign(body if holds else b"other", padding.PKCS1v15(), hashes.SHA1())
    algorithm = sequence(oid("1.2.840.113549.1.1.5"), b"\x05\x00")
    request = only(sequence(body, algorithm, element(0x03, b"\x00", signature)))
    assert any("signature does not verify" in note for note in request.notes) is not holds


@pytest.mark.parametrize("kind", ["p384", "dsa1024"])
def test_signatures_of_other_keys_verify(kind):
    assert only(pkcs10(key(kind), SUBJECT, provider=SCHANNEL)).notes == ()


def test_a_key_that_the_library_does_not_know_still_has_a_provider():
    unknown = sequence(sequence(oid("1.3.6.1.4.1.99999.1")), b"\x03\x03\x00\x01\x02")
    body = sequence(
        integer(0),
        SUBJECT.public_bytes(),
        unknown,
        element(0xA0, provider_attribute(SOFTWARE_KSP, 0)),
    )
    request = only(sequence(body, sequence(oid("1.3.6.1.4.1.99999.2")), b"\x03\x02\x00\x01"))
    assert (request.key.kind, request.key.provider) == ("ksp", SOFTWARE_KSP)
    assert request.details is not None
    assert request.details.public_key.algorithm == "1.3.6.1.4.1.99999.1"


def test_what_the_library_refuses_is_read_for_its_attributes():
    body = sequence(
        integer(0),
        sequence(element(0x31, sequence(oid("2.5.4.3"), bmp("x")))),
        sequence(),
        element(0xA0, provider_attribute(SCHANNEL, 1)),
    )
    request = only(sequence(body, sequence(), b"\x03\x01\x00"))
    assert request.key.provider == SCHANNEL
    assert request.details is None
    assert any("cannot be read" in note for note in request.notes)


def test_a_damaged_block_does_not_hide_the_next():
    text = armoured(plain()).replace("MII", "M*I", 1) + armoured(plain())
    reading = read_csr(text.encode(), "a.req")
    assert len(reading.requests) == 1
    assert reading.problems[0].place == "PEM block at line 1"
    assert "not valid base64" in reading.problems[0].message


@pytest.mark.parametrize("make", [plain, lambda: cmc(plain(), key())])
def test_a_cut_off_request_is_a_problem_with_origin_and_remedy(make):
    whole = make()
    reading = read_csr(whole[: len(whole) // 2], "cut.req")
    assert reading.requests == ()
    (problem,) = reading.problems
    assert problem.origin == "cut.req"
    assert problem.remedy


def test_a_block_without_its_end_is_a_problem():
    reading = read_csr(armoured(plain()).rsplit("-----END", 1)[0].encode(), "cut.req")
    assert reading.requests == ()
    assert reading.problems[0].place == "PEM block at line 1"


@pytest.mark.parametrize("data", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_without_request_says_so(data):
    reading = read_csr(data, "x.txt")
    assert reading.requests == ()
    assert "no certificate request" in reading.problems[0].message


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_never_raises_and_never_changes_the_provider_silently(data):
    der = bytearray(data.draw(st.sampled_from([plain(), cmc(plain(), key(), client=CLIENT)])))
    for position in data.draw(st.lists(st.integers(0, len(der) - 1), min_size=1, max_size=4)):
        der[position] = data.draw(st.integers(0, 255))
    reading = read_csr(bytes(der), "fuzz")
    assert reading.requests or reading.problems


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_noise_never_raises(noise):
    assert read_csr(noise, "noise").requests == ()
    read_csr(b"\x30\x80\x30" + noise, "noise")
