# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate files: what they hold, and that they never tell a provider."""

from __future__ import annotations

import base64
from datetime import datetime, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.pem import read_pem
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.formats.asn1 import oid, sequence
from lab.formats.request import armoured, pkcs10, signed_data
from lab.pki import Issued, KeyPool, Wanted, self_signed

POOL = KeyPool(1)


def issued(name: str) -> Issued:
    moments = datetime(2025, 1, 1, tzinfo=timezone.utc), datetime(2027, 1, 1, tzinfo=timezone.utc)
    return self_signed(Wanted(f"CN={name}", *moments), POOL)


WEB = issued("web.contoso.example")
ROOT = issued("Contoso Root CA")
KEY = WEB.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def pem(entry: Issued, label: str = "CERTIFICATE") -> str:
    return armoured(entry.der, label)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(WEB.der, id="DER"),
        pytest.param(pem(WEB).encode(), id="PEM"),
        pytest.param(pem(WEB).encode("utf-16"), id="UTF-16"),
        pytest.param(b"subject=CN = web\nissuer=CN = web\n" + pem(WEB).encode(), id="text before"),
        pytest.param(base64.b64encode(WEB.der), id="bare base64"),
        pytest.param(pem(WEB, "X509 CERTIFICATE").encode(), id="old label"),
        pytest.param(pkcs7.serialize_certificates([WEB.certificate], Encoding.DER), id="p7b DER"),
        pytest.param(pkcs7.serialize_certificates([WEB.certificate], Encoding.PEM), id="p7b PEM"),
        pytest.param(
            armoured(signed_data(oid("1.3.6.1.5.5.7.12.3"), sequence(), WEB.key, [WEB.der])).encode(), id="rsp"
        ),
    ],
)
def test_every_encoding_yields_the_certificate_without_a_provider(data: bytes):
    reading = read_pem(data, "web.cer")
    (certificate,) = reading.certificates
    assert reading.problems == ()
    assert certificate.thumbprint == WEB.thumbprint
    assert certificate.subject == "CN=web.contoso.example"
    assert (certificate.key.kind, certificate.key.provider) == ("unrecorded", None)
    assert any("does not tell which provider" in note for note in certificate.notes)
    assert certificate.source.format == "pem"


def test_all_certificates_of_a_bundle_are_read_in_their_order_and_placed():
    reading = read_pem((pem(WEB) + "# the root\r\n" + pem(ROOT)).encode(), "bundle.pem")
    assert [certificate.thumbprint for certificate in reading] == [WEB.thumbprint, ROOT.thumbprint]
    assert reading.certificates[0].source.place == "PEM block at line 1"
    assert reading.certificates[1].source.place != reading.certificates[0].source.place


def test_both_certificates_of_a_pkcs7_bag_are_read():
    data = pkcs7.serialize_certificates([WEB.certificate, ROOT.certificate], Encoding.DER)
    reading = read_pem(data, "chain.p7b")
    assert {certificate.thumbprint for certificate in reading} == {WEB.thumbprint, ROOT.thumbprint}
    assert {certificate.source.place for certificate in reading} == {"certificate 1 of 2", "certificate 2 of 2"}


def test_a_private_key_is_noted_and_never_read():
    reading = read_pem((KEY + pem(WEB)).encode(), "web.pem")
    (certificate,) = reading.certificates
    assert "The file also holds a private key, which was not read." in certificate.notes
    assert "".join(KEY.splitlines()[2:4]) not in repr(reading)
    assert reading.problems == ()


def test_a_file_with_a_private_key_alone_is_a_problem_without_the_key():
    reading = read_pem(KEY.encode(), "key.pem")
    (problem,) = reading.problems
    assert "no certificate" in problem.message
    assert "private key" in problem.message
    assert KEY.splitlines()[1] not in repr(reading)


def test_other_blocks_are_passed_over():
    request = armoured(pkcs10(WEB.key, WEB.certificate.subject, provider=None))
    reading = read_pem((request + armoured(b"\x30\x03\x02\x01\x05", "X509 CRL") + pem(WEB)).encode(), "x.pem")
    assert [certificate.thumbprint for certificate in reading] == [WEB.thumbprint]
    assert reading.problems == ()


@pytest.mark.parametrize("broken", [pem(WEB).replace("MI", "M!", 1), armoured(WEB.der[:200], "CERTIFICATE")])
def test_a_damaged_certificate_does_not_hide_the_next(broken: str):
    reading = read_pem((broken + pem(ROOT)).encode(), "x.pem")
    assert [certificate.thumbprint for certificate in reading] == [ROOT.thumbprint]
    (problem,) = reading.problems
    assert problem.place == "PEM block at line 1"
    assert problem.remedy


def test_a_block_without_an_end_is_told_though_another_begins():
    unfinished = pem(WEB).split("-----END")[0]
    reading = read_pem((unfinished + pem(ROOT)).encode(), "x.pem")
    assert [certificate.thumbprint for certificate in reading] == [ROOT.thumbprint]
    assert "no END line" in reading.problems[0].message


def test_a_damaged_certificate_in_a_bag_does_not_hide_the_other():
    bag = signed_data(oid("1.2.840.113549.1.7.1"), b"", WEB.key, [sequence(sequence()), ROOT.der])
    reading = read_pem(bag, "chain.p7b")
    assert [certificate.thumbprint for certificate in reading] == [ROOT.thumbprint]
    assert reading.problems[0].place == "certificate 1 of 2"


@pytest.mark.parametrize("data", [b"", b"nothing here", b"\x30\x03\x02\x01\x05"])
def test_a_file_without_certificate_says_so(data: bytes):
    reading = read_pem(data, "x.cer")
    assert reading.certificates == ()
    assert reading.problems[0].origin == "x.cer"
    assert "no certificate" in reading.problems[0].message


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_never_raises(data: st.DataObject):
    whole = data.draw(st.sampled_from([WEB.der, pkcs7.serialize_certificates([WEB.certificate], Encoding.DER)]))
    damaged = bytearray(whole)
    for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[position] = data.draw(st.integers(0, 255))
    reading = read_pem(bytes(damaged), "fuzz")
    assert reading.certificates or reading.problems
