# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""CMC full responses, written here by RFC 5272 and MS-WCCE 3.2.1.4.2.1.4.8.2."""

from __future__ import annotations

import base64
import hashlib
import textwrap
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.errors import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.response import read_response
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

STATUS_INFO = "1.3.6.1.5.5.7.7.1"
STATUS_INFO_V2 = "1.3.6.1.5.5.7.7.25"
ADD_ATTRIBUTES = "1.3.6.1.4.1.311.10.10.1"
ISSUED_HASH = "1.3.6.1.4.1.311.21.17"
PKI_RESPONSE = "1.3.6.1.5.5.7.12.3"
SIGNED_DATA = "1.2.840.113549.1.7.2"


def tlv(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(digits)]) + digits + content


def sequence(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    return tlv(0x31, *parts)


def integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(value):
    return tlv(0x04, value)


def oid(dotted):
    first, second, *rest = map(int, dotted.split("."))
    content = b""
    for number in (40 * first + second, *rest):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        content += bytes(reversed(digits))
    return tlv(0x06, content)


def pend_info(token):
    return sequence(octets(token), tlv(0x18, b"20250301120000.5Z"))


def status_control(number, message=None, other=b"", *, kind=STATUS_INFO):
    text = b"" if message is None else tlv(0x0C, message.encode())
    info = sequence(integer(number), sequence(integer(1)), text, other)
    return sequence(integer(1), oid(kind), set_of(info))


def hash_control(digest, *, kind=ADD_ATTRIBUTES):
    attribute = sequence(oid(ISSUED_HASH), set_of(octets(digest)))
    return sequence(integer(2), oid(kind), set_of(sequence(integer(0), sequence(integer(1)), set_of(attribute))))


def response(*controls, certificates=(), content_type=PKI_RESPONSE, body=None):
    if body is None:
        body = sequence(sequence(*controls), sequence(), sequence())
    signed = sequence(
        integer(3),
        set_of(sequence(oid("2.16.840.1.101.3.4.2.1"), b"\x05\x00")),
        sequence(oid(content_type), tlv(0xA0, octets(body))),
        tlv(0xA0, *certificates) if certificates else b"",
        set_of(),
    )
    return sequence(oid(SIGNED_DATA), tlv(0xA0, signed))


def make_certificate(name):
    key = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime(2025, 3, 1, tzinfo=timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=365))
        .sign(key, None)
        .public_bytes(serialization.Encoding.DER)
    )


LEAF = make_certificate("pool01.contoso.example")
CA = make_certificate("Contoso Issuing CA 1")
DIGEST = hashlib.sha1(LEAF).digest()
PENDING = response(status_control(3, "Taken Under Submission", pend_info(b"\x2a\x01\x00\x00")))
ISSUED = response(status_control(0, "Issued"), hash_control(DIGEST), certificates=(CA, LEAF))


def pem(der, label="CERTIFICATE"):
    body = "\r\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {label}-----\r\n{body}\r\n-----END {label}-----\r\n".encode()


def failure(data):
    with pytest.raises(EnrolmentError) as caught:
        read_response(data)
    assert caught.value.remedy
    return caught.value


def test_an_issued_certificate_is_the_one_of_the_hash():
    read = read_response(ISSUED)
    assert read.status == "issued"
    assert read.certificate == LEAF
    assert set(read.certificates) == {LEAF, CA}
    assert read.request_id is None
    assert read.message == "Issued"


def test_a_pending_request_tells_its_id_in_little_endian():
    read = read_response(PENDING)
    assert (read.status, read.request_id) == ("pending", 298)
    assert read.message == "Taken Under Submission"
    assert read.certificate is None


def test_a_denial_tells_its_message():
    read = read_response(response(status_control(2, "Denied by Policy Module  0x80094800, not\r\nsupported.")))
    assert (read.status, read.request_id, read.certificates) == ("denied", None, ())
    assert read.message == "Denied by Policy Module 0x80094800, not supported."
    assert read.hresult == 0x80094800
    assert read_response(response(status_control(2, "Denied by CONTOSO\\manager"))).hresult is None


def test_a_code_in_the_message_of_an_issued_certificate_is_no_failure():
    message = "Issued  0x80094004, The Enrollee has no E-Mail name"
    read = read_response(response(status_control(0, message), hash_control(DIGEST), certificates=(LEAF,)))
    assert (read.status, read.hresult) == ("issued", None)


def test_a_failure_code_of_another_ca_is_read():
    assert read_response(response(status_control(2, None, integer(11)))).fail_info == 11


def test_the_second_version_of_the_status_is_read_too():
    read = read_response(response(status_control(3, None, pend_info(b"\x07\0\0\0"), kind=STATUS_INFO_V2)))
    assert (read.status, read.request_id) == ("pending", 7)


@pytest.mark.parametrize("wrap", [pem, lambda der: pem(der, "CMC"), base64.b64encode, base64.encodebytes, bytes])
def test_every_wrapping_is_read(wrap):
    assert read_response(wrap(ISSUED)).certificate == LEAF
    assert read_response(wrap(PENDING)).request_id == 298


def test_text_in_utf_16_is_read():
    assert read_response(pem(PENDING).decode().encode("utf-16")).request_id == 298


def test_without_a_hash_a_single_certificate_is_the_issued_one():
    assert read_response(response(status_control(0), certificates=(LEAF,))).certificate == LEAF
    several = read_response(response(status_control(0), certificates=(LEAF, CA)))
    assert several.certificate is None
    assert len(several.certificates) == 2


def test_the_hash_is_found_in_plain_attributes_too():
    attributes = set_of(sequence(oid(ISSUED_HASH), set_of(octets(DIGEST))))
    control = sequence(integer(2), oid(ADD_ATTRIBUTES), set_of(attributes))
    assert read_response(response(status_control(0), control, certificates=(CA, LEAF))).certificate == LEAF


BROKEN = [
    (b"", "empty"),
    (b"\x00" * 40, "no CMC response"),
    (b"Certificate Request Processor: error", "no CMC response"),
    (LEAF, "certificate"),
    (pem(LEAF), "certificate"),
    (pem(LEAF) + pem(CA), "no CMC response"),
    (response(content_type="1.2.840.113549.1.7.1", body=b"hello"), "1.2.840.113549.1.7.1"),
    (response(status_control(0, "Issued"), hash_control(DIGEST)), "holds none"),
    (response(status_control(0), hash_control(DIGEST), certificates=(CA,)), DIGEST.hex().upper()),
    (response(hash_control(DIGEST), certificates=(LEAF,)), "no status"),
    (response(status_control(1)), "status 1"),
    (response(status_control(7)), "status 7"),
    (response(status_control(3, "Taken Under Submission")), "request id"),
    (response(status_control(3, None, pend_info(b"\x01\x02"))), "2 bytes"),
    (response(status_control(0), status_control(2), certificates=(LEAF,)), "contradict"),
    (response(body=b"not asn.1"), "ASN.1"),
    (response(body=sequence()), "controlSequence"),
]


@pytest.mark.parametrize(("data", "words"), BROKEN, ids=[words for data, words in BROKEN])
def test_what_is_no_response_is_told(data, words):
    assert words in failure(data).message


def test_a_request_is_not_taken_for_a_response():
    data = response(content_type="1.3.6.1.5.5.7.12.2", body=sequence(sequence(), sequence(), sequence(), sequence()))
    assert "cmc" in failure(data).message


@pytest.mark.parametrize("whole", [ISSUED, PENDING], ids=["issued", "pending"])
def test_a_response_that_was_cut_short_is_told(whole):
    for size in range(len(whole)):
        with pytest.raises(EnrolmentError):
            read_response(whole[:size])


@given(st.data())
def test_damage_never_escapes_as_another_exception(data):
    whole = bytearray(PENDING)
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] = data.draw(st.integers(0, 255))
    try:
        read = read_response(bytes(whole))
    except EnrolmentError:
        return
    assert read.status in ("issued", "pending", "denied")
