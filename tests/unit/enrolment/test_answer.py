# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate that answers a request: found in any form, with its chain, and checked."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.answer import (
    check_answer,
    chosen,
    has_key,
    pkcs7,
    read_certificates,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.errors import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.keys import public_key_of
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

NOW = datetime(2025, 3, 1, 12, tzinfo=timezone.utc)
YEAR = timedelta(days=365)


def key(name):
    return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def name(common_name, organization=None):
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def certificate(subject, signer, holder, *, issuer=None, names=(), begin=NOW - YEAR, end=NOW + YEAR):
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or name(signer))
        .public_key(key(holder).public_key())
        .serial_number(int.from_bytes(hashlib.sha256(f"{subject}{holder}{end}".encode()).digest()[:8], "big"))
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(text) for text in names]), False)
    return builder.sign(key(signer), None).public_bytes(Encoding.DER)


def request(subject, *names, holder="server"):
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(text) for text in names]), False)
    return builder.sign(key(holder), None).public_bytes(Encoding.DER)


POOL = "pool01.contoso.example"
FRONT_END = "fe01.contoso.example"
ROOT = certificate(name("root"), "root", "root")
SUB = certificate(name("sub"), "root", "sub")
LEAF = certificate(name(POOL), "sub", "server", names=(POOL, FRONT_END))
OTHER = certificate(name("other.contoso.example"), "sub", "other")
CSR = request(name(POOL), POOL, FRONT_END)


def pem(*certificates):
    return b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in certificates)


def refused(leaf, csr=CSR, *, chain=(), at=NOW):
    with pytest.raises(EnrolmentError) as caught:
        check_answer(leaf, csr, at=at, chain=chain)
    assert caught.value.remedy
    return caught.value.message


@pytest.mark.parametrize(
    "data",
    [
        pem(LEAF, SUB, ROOT),
        b"subject=CN = x\r\n" + pem(LEAF, SUB, ROOT).replace(b"\n", b"\r\n"),
        pkcs7([LEAF, SUB, ROOT]),
        base64.encodebytes(pkcs7([LEAF, SUB, ROOT])),
        b"-----BEGIN PKCS7-----\n" + base64.encodebytes(pkcs7([LEAF, SUB, ROOT])) + b"-----END PKCS7-----\n",
        b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(pkcs7([LEAF, SUB, ROOT])) + b"-----END CERTIFICATE-----",
        pem(LEAF, LEAF, SUB, ROOT),
        pem(LEAF, SUB, ROOT).decode().encode("utf-16"),
    ],
    ids=["pem", "pem with text", "pkcs7", "bare base64", "PKCS7 label", "CERTIFICATE label", "twice", "utf-16"],
)
def test_certificates_are_read_in_every_form(data):
    found = read_certificates(data)
    assert len(found) == 3
    assert set(found) == {LEAF, SUB, ROOT}


@pytest.mark.parametrize("data", [LEAF, base64.b64encode(LEAF), pem(LEAF)], ids=["der", "base64", "pem"])
def test_a_single_certificate_is_read(data):
    assert read_certificates(data) == (LEAF,)


@pytest.mark.parametrize("data", [b"", b"hello", CSR, LEAF[:-9], b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_file_without_a_certificate_is_told(data):
    with pytest.raises(EnrolmentError) as caught:
        read_certificates(data)
    assert caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("order", [(LEAF, SUB, ROOT), (ROOT, OTHER, SUB, LEAF), (SUB, LEAF, ROOT)])
def test_the_chain_goes_from_issuer_to_issuer(order):
    assert chosen(order, public_key_of(CSR)) == (LEAF, (SUB, ROOT))


def test_the_chain_goes_as_far_as_it_is_there():
    assert chosen((LEAF, ROOT), public_key_of(CSR)) == (LEAF, ())
    assert chosen((SUB, LEAF), public_key_of(CSR)) == (LEAF, (SUB,))


def test_a_ca_of_the_same_name_with_another_key_is_no_issuer():
    impostor = certificate(name("sub"), "root", "impostor", end=NOW + 5 * YEAR)
    assert chosen((LEAF, impostor, SUB, ROOT), public_key_of(CSR)) == (LEAF, (SUB, ROOT))


def test_of_a_ca_renewed_with_its_key_the_certificate_that_is_valid_longest_is_taken():
    renewed = certificate(name("sub"), "root", "sub", end=NOW + 3 * YEAR)
    assert chosen((LEAF, SUB, renewed), public_key_of(CSR)) == (LEAF, (renewed,))


def test_cross_certificates_end_nowhere_else_than_at_a_root():
    one = certificate(name("one"), "two", "one", issuer=name("two"))
    two = certificate(name("two"), "one", "two", issuer=name("one"))
    leaf = certificate(name(POOL), "one", "server")
    assert chosen((leaf, one, two), public_key_of(CSR)) == (leaf, (one, two))


def test_of_several_answers_the_one_that_is_valid_longest_is_taken():
    longer = certificate(name(POOL), "sub", "server", end=NOW + 2 * YEAR)
    assert chosen((LEAF, longer, SUB), public_key_of(CSR))[0] == longer
    assert chosen((longer, LEAF, SUB), public_key_of(CSR))[0] == longer


def test_without_an_answer_what_was_seen_is_told():
    with pytest.raises(EnrolmentError, match=r"other\.contoso\.example"):
        chosen((OTHER, SUB), public_key_of(CSR))
    with pytest.raises(EnrolmentError, match="none"):
        chosen((), public_key_of(CSR))


def test_a_chain_becomes_pkcs7():
    read = read_certificates(pkcs7((LEAF, SUB)))
    assert set(read) == {LEAF, SUB}


def test_a_key_is_compared_as_it_stands():
    assert has_key(LEAF, public_key_of(CSR))
    assert not has_key(OTHER, public_key_of(CSR))
    assert not has_key(b"nonsense", public_key_of(CSR))


def test_what_was_asked_for_needs_no_word():
    assert check_answer(LEAF, CSR, at=NOW, chain=(SUB, ROOT)) == []


def test_names_are_compared_as_sets_without_their_case():
    csr = request(name(POOL), FRONT_END.upper(), POOL.title())
    assert check_answer(LEAF, csr, at=NOW) == []


def test_a_certificate_for_another_key_is_refused():
    assert "public key" in refused(OTHER)


@pytest.mark.parametrize("given", [(), (POOL,), (POOL, "fe02.contoso.example")])
def test_a_certificate_that_lacks_names_is_refused(given):
    message = refused(certificate(name(POOL), "sub", "server", names=given))
    assert f"dns:{FRONT_END}" in message


def test_the_common_name_counts_as_a_name_that_was_asked_for():
    answered = certificate(name("www.contoso.example"), "sub", "server", names=("www.contoso.example",))
    assert f"dns:{POOL}" in refused(answered, request(name(POOL)))
    moved = certificate(name(None, "Contoso"), "sub", "server", names=(POOL,))
    assert "changed the subject" in check_answer(moved, request(name(POOL)), at=NOW)[0]


def test_what_a_ca_adds_or_changes_is_told():
    answered = certificate(name(POOL), "sub", "server", names=(POOL, FRONT_END, "www.contoso.example"))
    notes = check_answer(answered, request(name(POOL, "Contoso"), POOL, FRONT_END), at=NOW)
    assert len(notes) == 2
    assert "dns:www.contoso.example" in notes[0]
    assert "O=Contoso" in notes[1]


def test_the_common_name_among_the_alternative_names_is_no_addition():
    assert check_answer(certificate(name(POOL), "sub", "server", names=(POOL,)), request(name(POOL)), at=NOW) == []


def test_a_certificate_from_the_future_tells_both_clocks():
    leaf = certificate(name(POOL), "sub", "server", names=(POOL, FRONT_END), begin=NOW + timedelta(minutes=6))
    message = refused(leaf)
    assert "2025-03-01 12:06:00 UTC" in message
    assert "2025-03-01 12:00:00 UTC" in message
    assert check_answer(leaf, CSR, at=NOW + timedelta(minutes=1)) == []


def test_an_expired_certificate_is_refused():
    assert "expired" in refused(LEAF, at=NOW + YEAR)
    assert check_answer(LEAF, CSR, at=NOW + YEAR - timedelta(seconds=1)) == []


def test_an_expired_ca_is_refused():
    old = certificate(name("sub"), "root", "sub", end=NOW - timedelta(seconds=1))
    message = refused(LEAF, chain=(old, ROOT))
    assert "CN=sub" in message
    assert "expired" in message


@pytest.mark.parametrize("broken", [b"", b"nonsense", LEAF[:-5]])
def test_broken_input_is_told(broken):
    with pytest.raises(EnrolmentError):
        check_answer(broken, CSR, at=NOW)
    with pytest.raises(EnrolmentError):
        check_answer(LEAF, broken, at=NOW)
