# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one entry: which format a content is, whatever its name says, and what happens when it is none."""

from __future__ import annotations

import base64
from datetime import datetime, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence import formats
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.formats import FORMATS, detect, read
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import EvidenceError
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.formats.pfx import write_pfx
from lab.formats.request import armoured, cmc, pkcs10
from lab.formats.serialized import element, key_prov_info, reg_export, reg_query, sst
from lab.pki import KeyPool, Wanted, self_signed

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
WEB = self_signed(
    Wanted(
        "CN=web.contoso.example", datetime(2025, 1, 1, tzinfo=timezone.utc), datetime(2027, 1, 1, tzinfo=timezone.utc)
    ),
    KeyPool(1),
)
REQUEST = pkcs10(WEB.key, WEB.certificate.subject, provider=SCHANNEL)
PFX = write_pfx(WEB.key, WEB.certificate, password="x", provider=SCHANNEL, machine_keyset=True)
KEY = WEB.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
CERTIFICATE = armoured(WEB.der, "CERTIFICATE")

STORE = f"""\
My "Personal"
================ Certificate 0 ================
Serial Number: {WEB.certificate.serial_number:x}
Issuer: CN=web.contoso.example
Cert Hash(sha1): {WEB.thumbprint.lower()}
  Key Container = le-1
  Provider = {SCHANNEL}
Encryption test passed
CertUtil: -store command completed successfully.
"""
ROWS = f"""\
Row 1:
  Request ID: 0x4 (4)
  Binary Request:
{armoured(REQUEST).strip()}

  Request Disposition: 0x14 (20) -- Issued
"""
SCHEMA = """\
Schema:
  Column Name                   Localized Name                Type    MaxLength
  ----------------------------  ----------------------------  ------  ---------
  Request.RequestID             Request ID                    Long    4 -- Indexed
  Request.RawRequest            Binary Request                Binary  65536

"""

PROPERTY_2 = key_prov_info("le-1", SCHANNEL, 12, 0x20, 1)
BLOB = element([(2, PROPERTY_2)], WEB.der)
ENTRIES = {WEB.thumbprint: BLOB}
EXPORT = reg_export(ENTRIES)
QUERY = reg_query(ENTRIES).encode()

CONTENTS = [
    pytest.param(BLOB, "blob", id="registry blob"),
    pytest.param(sst([BLOB]), "sst", id="store file"),
    pytest.param(b"regf" + bytes(4096), "hive", id="hive"),
    pytest.param(EXPORT, "reg_export", id="reg export in UTF-16"),
    pytest.param(EXPORT.decode("utf-16").encode(), "reg_export", id="reg export in UTF-8"),
    pytest.param(b"REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\X]\r\n", "reg_export", id="REGEDIT4"),
    pytest.param(b"# from fe01\r\n" + EXPORT.decode("utf-16").encode(), "reg_export", id="commented reg export"),
    pytest.param(QUERY, "reg_query", id="reg query"),
    pytest.param(QUERY.decode().encode("utf-16"), "reg_query", id="reg query in UTF-16"),
    pytest.param(b"C:\\>reg query HKLM\\X /s\r\n\r\n" + QUERY, "reg_query", id="reg query behind a prompt"),
    pytest.param(STORE.encode(), "certutil", id="certutil -store"),
    pytest.param(STORE.encode("utf-16"), "certutil", id="certutil -store in UTF-16"),
    pytest.param(b"# from fe01\n\nPS C:\\> certutil -store My\n" + STORE.encode(), "certutil", id="behind a prompt"),
    pytest.param(STORE.replace("Certificate 0", "証明書 0").encode(), "certutil", id="certutil in Japanese"),
    pytest.param(f"  Anbieter = {SCHANNEL}\n".encode(), "certutil", id="a line of certutil"),
    pytest.param((STORE + CERTIFICATE).encode(), "certutil", id="certutil before PEM"),
    pytest.param(ROWS.encode(), "ca_view", id="rows with PEM blocks"),
    pytest.param((SCHEMA + ROWS).encode(), "ca_view", id="rows with a schema"),
    pytest.param(ROWS.replace("Row 1:", "Zeile 1:").encode(), "ca_view", id="rows in German"),
    pytest.param(SCHEMA.encode(), "ca_view", id="a schema without rows"),
    pytest.param(b"# from ca01\n" + ROWS.encode(), "ca_view", id="commented rows"),
    pytest.param(b'"Request ID","Serial Number"\r\n"0x4 (4)","61"\r\n', "ca_view", id="rows as CSV"),
    pytest.param(REQUEST, "csr", id="PKCS#10 in DER"),
    pytest.param(armoured(REQUEST).encode(), "csr", id="PKCS#10 in PEM"),
    pytest.param(cmc(REQUEST, WEB.key), "csr", id="CMC in DER"),
    pytest.param(armoured(cmc(REQUEST, WEB.key)).encode("utf-16"), "csr", id="CMC in PEM and UTF-16"),
    pytest.param(base64.b64encode(REQUEST), "csr", id="PKCS#10 in base64"),
    pytest.param(KEY + armoured(REQUEST, "CERTIFICATE REQUEST").encode(), "csr", id="request beside its key"),
    pytest.param(PFX, "pfx", id="PFX"),
    pytest.param(PFX[:100], "pfx", id="PFX cut off"),
    pytest.param(base64.encodebytes(PFX), "pfx", id="PFX in base64"),
    pytest.param(WEB.der, "pem", id="certificate in DER"),
    pytest.param(CERTIFICATE.encode(), "pem", id="certificate in PEM"),
    pytest.param(b"Serial Number: 61\n" + CERTIFICATE.encode(), "pem", id="certificate below its text"),
    pytest.param(pkcs7.serialize_certificates([WEB.certificate], Encoding.DER), "pem", id="PKCS#7"),
    pytest.param(KEY, "pem", id="private key"),
    pytest.param(b"", None, id="nothing"),
    pytest.param(b"   \r\n", None, id="blanks"),
    pytest.param(b"Lorem ipsum dolor sit amet", None, id="prose"),
    pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(range(256)), None, id="picture"),
    pytest.param(b"[section]\nkey = value\n", None, id="ini file"),
    pytest.param(b'{"key": "value"}\n', None, id="JSON"),
]


@pytest.mark.parametrize(("data", "expected"), CONTENTS)
@pytest.mark.parametrize("name", ["", "evidence.txt", "C:\\temp\\evidence"])
def test_the_content_decides(data: bytes, expected: str | None, name: str):
    assert detect(data, name) == expected


@pytest.mark.parametrize("name", ["x.pfx", "x.csr", "x.sst", "x.reg"])
def test_the_ending_does_not_outweigh_the_content(name: str):
    assert detect(CERTIFICATE.encode(), name) == "pem"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("fe01.PFX", "pfx"),
        ("C:\\t\\a.req", "csr"),
        ("a.reg", "reg_export"),
        ("a.sst", "sst"),
        ("a.cer", "pem"),
        ("a.txt", None),
    ],
)
def test_the_ending_helps_when_the_content_fits_nothing(name: str, expected: str | None):
    assert detect(b"damaged beyond recognition", name) == expected


def test_the_ending_of_a_damaged_file_leads_to_a_problem_of_that_format():
    (problem,) = read(b"damaged beyond recognition", "/tmp/fe01.pfx").problems
    assert "not a PFX file" in problem.message


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(*parameters.values, id=parameters.id)
        for parameters in CONTENTS
        if parameters.values[1]
        in ("blob", "sst", "reg_export", "reg_query", "certutil", "ca_view", "csr", "pfx", "pem")
    ],
)
def test_what_is_recognized_is_read_by_the_reader_of_that_format(data: bytes, expected: str):
    reading = read(data, "evidence", password="x")
    sources = {record.source.format for record in (*reading.certificates, *reading.requests)}
    assert sources <= {expected}
    assert sources or reading.problems or data == SCHEMA.encode()


def test_the_password_reaches_the_pfx_reader():
    (certificate,) = read(PFX, "web.pfx", password="x").certificates
    assert certificate.thumbprint == WEB.thumbprint


def test_a_file_with_requests_and_certificates_yields_both():
    broken = armoured(REQUEST).replace("MI", "M!", 1)
    reading = read((armoured(REQUEST) + CERTIFICATE + broken).encode(), "both.pem")
    assert len(reading.requests) == 1
    assert len(reading.certificates) == 1
    assert len(reading.problems) == 1


def test_a_damaged_certificate_beside_a_request_is_told():
    reading = read((armoured(REQUEST) + CERTIFICATE.replace("MI", "M!", 1)).encode(), "both.pem")
    assert len(reading.requests) == 1
    assert reading.problems[0].message.startswith("The CERTIFICATE block")


@pytest.mark.parametrize("data", [b"", b"\r\n \t"])
@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_file_is_a_problem_whatever_the_format(data: bytes, format: str):
    (problem,) = read(data, "empty.txt", format=format).problems
    assert problem.origin == "empty.txt"
    assert problem.remedy


def test_unknown_content_names_the_formats():
    (problem,) = read(b"Lorem ipsum", "x.txt").problems
    assert "none of the known kinds" in problem.message
    assert "reg_query" in problem.remedy


def test_an_unknown_format_names_the_known_ones():
    (problem,) = read(CERTIFICATE.encode(), "x.txt", format="p12").problems
    assert "'p12'" in problem.message
    assert all(name in problem.remedy for name in FORMATS)


@pytest.mark.parametrize("format", FORMATS[1:])
def test_a_forced_format_that_does_not_fit_is_a_problem_and_no_record(format: str):
    reading = read(b"Lorem ipsum dolor sit amet, consectetur", "x.txt", format=format)
    assert reading.certificates == ()
    assert reading.requests == ()
    assert all(problem.origin == "x.txt" and problem.remedy for problem in reading.problems)
    assert reading.problems


def test_a_forced_format_outweighs_the_content():
    reading = read((STORE + CERTIFICATE).encode(), "x.txt", format="pem")
    assert [certificate.source.format for certificate in reading] == ["pem"]


def test_an_error_of_a_reader_becomes_a_problem(monkeypatch: pytest.MonkeyPatch):
    def refuse(data: bytes, origin: str) -> None:
        raise EvidenceError("It is broken.", place="offset 7", remedy="Mend it.")

    monkeypatch.setitem(formats._READERS, "hive", refuse)
    (problem,) = read(b"regf", "SOFTWARE").problems
    assert str(problem) == "SOFTWARE, offset 7: It is broken. Mend it."


def test_the_public_formats_are_those_of_the_interface():
    assert FORMATS == (
        "auto", "certutil", "reg_query", "reg_export", "sst", "blob", "hive", "csr", "pfx", "pem", "ca_view",
    )  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_nothing_raises(data: st.DataObject):
    start = data.draw(
        st.sampled_from([b"", b"regf", b"\0\0\0\0CERT", BLOB[:40], b"0\x82", b"HKEY_X\\\n", b'"a"', PFX[:60]])
    )
    content = start + data.draw(st.binary(max_size=120))
    detect(content)
    for problem in read(content, "fuzz").problems:
        assert problem.message
        assert problem.remedy
