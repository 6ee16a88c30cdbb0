# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of CA databases with real certificates and requests in them; all names are invented."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime, timezone
from functools import lru_cache

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.ca_view import ENROLMENT_ONLY, read_ca_view
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Certificate, Enrolment, Request, Template
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.formats.request import armoured, cmc, pkcs10
from lab.pki import Issued, KeyPool, Wanted, self_signed

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
CLIENT = (5, "fe01.contoso.example", "CONTOSO\\jens", "MMC.EXE")
OID = "1.3.6.1.4.1.311.21.8.1.2.3"
POOL = KeyPool(1)
DONE = "CertUtil: -view command completed successfully."

COLUMNS = {
    "Request.RequestID": ("Request ID", "Anforderungs-ID"),
    "Request.RawRequest": ("Binary Request", "Binäre Anforderung"),
    "Request.RawOldCertificate": ("Old Certificate", "Altes Zertifikat"),
    "Request.RequestAttributes": ("Request Attributes", "Anforderungsattribute"),
    "Request.RequestType": ("Request Type", "Anforderungstyp"),
    "Request.Disposition": ("Request Disposition", "Disposition der Anforderung"),
    "Request.RequesterName": ("Requester Name", "Name"),
    "RawCertificate": ("Binary Certificate", "Binäres Zertifikat"),
    "CertificateHash": ("Certificate Hash", "Zertifikathash"),
    "CertificateTemplate": ("Certificate Template", "Zertifikatvorlage"),
    "SerialNumber": ("Serial Number", "Seriennummer"),
    "CommonName": ("Issued Common Name", "Name"),
}
"""Two columns share the German name, as translations do."""


@lru_cache
def issued() -> Issued:
    moment = datetime(2026, 1, 2, tzinfo=timezone.utc)
    return self_signed(Wanted("CN=pool01.contoso.example", moment, moment.replace(year=2028)), POOL)


@lru_cache
def old() -> Issued:
    moment = datetime(2024, 1, 2, tzinfo=timezone.utc)
    return self_signed(Wanted("CN=old.contoso.example", moment, moment.replace(year=2026)), POOL)


@lru_cache
def request(provider: str | None = SCHANNEL, *, form: str = "pkcs10") -> str:
    key = POOL.take("rsa2048")
    subject = x509.Name.from_rfc4514_string("CN=pool01.contoso.example")
    der = pkcs10(key, subject, provider=provider, key_spec=1, client=CLIENT)
    return armoured(cmc(der, key, client=CLIENT) if form == "cmc" else der)


def pem(certificate: Issued) -> str:
    return armoured(certificate.der, "CERTIFICATE")


def full(provider: str | None = SCHANNEL, **changes: str) -> dict[str, str]:
    """A row as a CA that issued a certificate has it."""
    return {
        "Request.RequestID": "0xb (11)",
        "Request.RawRequest": request(),
        "Request.RawOldCertificate": "EMPTY",
        "Request.RequestAttributes": '"\nrmd:fe01.contoso.example\n\nccm:fe01.contoso.example"',
        "Request.RequestType": "0x40100 (262400) -- PKCS10",
        "Request.Disposition": "0x14 (20) -- Issued",
        "Request.RequesterName": '"CONTOSO\\FE01$"',
        "RawCertificate": pem(issued()),
        "CertificateHash": f'"{issued().thumbprint.lower()}"',
        "CertificateTemplate": f'"{OID}" Contoso Web',
        "SerialNumber": '"6100000002"',
        "CommonName": '"pool01.contoso.example"',
        **({"RequestCSPProvider": f'"{provider}"', "RequestOSVersion": '"10.0.17763.2"'} if provider else {}),
    } | changes


def view(
    *rows: dict[str, str], german: bool = False, schema: bool = True, columns: Iterable[str] = tuple(COLUMNS)
) -> bytes:
    """The list form of ``certutil -view`` with these columns."""
    names = {column: COLUMNS[column][german] for column in columns}
    word = "Zeile" if german else "Row"
    lines = []
    if schema:
        lines += ["Schema:", "  Column Name                   Localized Name                Type    MaxLength"]
        lines += ["  ----------------------------  ----------------------------  ------  ---------"]
        lines += [f"  {column:28}  {name:28}  String  8192 -- Indexed" for column, name in names.items()] + [""]
    for number, row in enumerate(rows, 1):
        lines.append(f"{word} {number}:")
        for column, name in names.items():
            value = row[column]
            lines += [f"  {name}:", value, ""] if value.startswith("-----") else [f"  {name}: {value}"]
        attributes = [name for name in ("RequestOSVersion", "RequestCSPProvider") if name in row]
        if attributes:
            lines += ["", "  Attribute:", *(f"    {name}: {row[name]}" for name in attributes), ""]
            lines += ["  Erweiterungen:", "    2.5.29.37: Flags = 20000(Origin=Policy), Length = c", "    Text", ""]
        lines.append("")
    lines += [f"Maximum Row Index: {len(rows)}", "", f"{len(rows)} Rows", "  1 Row Properties, Total Size = 1", DONE]
    return "\r\n".join(line.replace("\r\n", "\n").replace("\n", "\r\n") for line in lines).encode("utf-8")


def only(data: bytes) -> Certificate:
    reading = read_ca_view(data, "ca.txt")
    assert (reading.problems, reading.requests) == ((), ())
    (found,) = reading.certificates
    return found


def only_request(data: bytes) -> Request:
    reading = read_ca_view(data, "ca.txt")
    assert (reading.problems, reading.certificates) == ((), ())
    (found,) = reading.requests
    return found


@pytest.mark.parametrize("german", [False, True])
def test_a_whole_row_tells_certificate_key_and_enrolment(german):
    found = only(view(full(), german=german))
    assert found.thumbprint == issued().thumbprint
    assert found.subject == "CN=pool01.contoso.example"
    assert found.not_after == datetime(2028, 1, 2, tzinfo=timezone.utc)
    assert (found.source.format, found.source.origin, found.source.place) == ("ca_view", "ca.txt", "row 1")
    assert (found.key.kind, found.key.provider, found.key.key_spec) == ("csp", SCHANNEL, 1)
    assert (found.key.present, found.key.exportable) == (None, None)
    assert found.template == Template(oid=OID, display_name="Contoso Web")
    assert found.enrolment == Enrolment(
        request_id=11,
        disposition=20,
        requester="CONTOSO\\FE01$",
        machine="fe01.contoso.example",
        user="CONTOSO\\jens",
        process="MMC.EXE",
        os_version="10.0.17763.2",
    )
    assert found.notes == (ENROLMENT_ONLY,)


def test_the_text_may_be_utf_16():
    assert only(view(full()).decode().encode("utf-16")).key.provider == SCHANNEL


def test_a_cmc_request_in_the_row_is_read():
    found = only(view(full(**{"Request.RawRequest": request(form="cmc")})))
    assert (found.key.kind, found.key.key_spec) == ("csp", 1)


def test_a_provider_that_differs_from_the_request_is_ambiguous():
    found = only(view(full(SOFTWARE_KSP)))
    assert found.key.kind == "ambiguous"
    assert [key.provider for key in found.key.candidates] == [SOFTWARE_KSP, SCHANNEL]
    assert SOFTWARE_KSP in found.notes[0]


def test_the_attribute_alone_names_the_provider():
    found = only(view(full(SOFTWARE_KSP, **{"Request.RawRequest": "EMPTY"})))
    assert (found.key.kind, found.key.provider, found.key.key_spec) == ("ksp", SOFTWARE_KSP, None)


def test_the_request_alone_names_the_provider():
    found = only(view(full(None)))
    assert (found.key.kind, found.key.provider) == ("csp", SCHANNEL)
    assert found.notes == (ENROLMENT_ONLY,)


def test_a_row_without_any_provider_is_unrecorded():
    found = only(view(full(None, **{"Request.RawRequest": request(None)})))
    assert (found.key.kind, found.notes) == ("unrecorded", ("The request names no provider.",))


def test_the_certificate_that_was_renewed_is_not_taken_for_the_new_one():
    rows = full(**{"Request.RawOldCertificate": pem(old())})
    assert only(view(rows)).thumbprint == issued().thumbprint
    assert only(view(rows, german=True, schema=False)).thumbprint == issued().thumbprint


def test_without_the_schema_what_is_not_translated_is_still_found():
    found = only(view(full(), german=True, schema=False))
    assert (found.key.provider, found.key.key_spec) == (SCHANNEL, 1)
    assert found.enrolment is not None
    assert found.enrolment.request_id is None


def test_selected_columns_give_what_they_hold():
    columns = (
        "Request.RequestID",
        "Request.RequesterName",
        "CertificateHash",
        "SerialNumber",
        "CertificateTemplate",
        "CommonName",
    )
    spaced = " ".join(issued().thumbprint.lower()[at : at + 2] for at in range(0, 40, 2))
    found = only(view(full(None, CertificateHash=f'"{spaced}"'), german=True, columns=columns))
    assert (found.thumbprint, found.serial_number) == (issued().thumbprint, "6100000002")
    assert (found.subject, found.key.kind) == ("CN=pool01.contoso.example", "unrecorded")
    assert "Request.RawRequest" in found.notes[0]
    assert found.enrolment == Enrolment(request_id=11, requester="CONTOSO\\FE01$")


@pytest.mark.parametrize(("value", "expected"), [('"SubCA"', Template(name="SubCA")), ("EMPTY", None)])
def test_a_template_of_version_1_is_a_name(value, expected):
    assert only(view(full(CertificateTemplate=value))).template == expected


@pytest.mark.parametrize(
    ("disposition", "number"), [("0x9 (9) -- Taken Under Submission", 9), ("0x1f (31) -- Denied", 31)]
)
def test_a_row_that_got_no_certificate_is_a_request(disposition, number):
    rows = full(RawCertificate="EMPTY", CertificateHash="EMPTY", SerialNumber="EMPTY")
    found = only_request(view(rows | {"Request.Disposition": disposition}))
    assert (found.key.kind, found.key.provider) == ("csp", SCHANNEL)
    assert (found.form, found.source.format, found.source.place) == ("pkcs10", "ca_view", "row 1")
    assert found.enrolment is not None
    assert (found.enrolment.request_id, found.enrolment.disposition) == (11, number)
    assert found.template == Template(oid=OID, display_name="Contoso Web")


def test_the_request_type_tells_the_form():
    changes = {
        "RawCertificate": "EMPTY",
        "Request.Disposition": "0x9",
        "Request.RequestType": "0x40400 (263168) -- CMC",
    }
    assert only_request(view(full(**changes))).form == "cmc"


def test_one_row_that_cannot_be_read_hides_no_other():
    damaged = full(RawCertificate=pem(issued()).replace("M", "!", 5))
    reading = read_ca_view(view(full(), damaged, full()), "ca.txt")
    assert [found.thumbprint for found in reading] == [issued().thumbprint] * 3  # row 2 by its column
    assert [found.details is None for found in reading] == [False, True, False]
    (problem,) = reading.problems
    assert problem.place == "row 2"
    assert "base64" in problem.message


def test_a_request_that_cannot_be_read_is_a_note_of_its_certificate():
    found = only(view(full(**{"Request.RawRequest": armoured(b"\x30\x03\x02\x01\x00")})))
    assert found.key.provider == SCHANNEL
    assert "row 1" in found.notes[0]


def test_a_pending_row_with_an_unreadable_request_is_a_problem():
    changes = {
        "RawCertificate": "EMPTY",
        "Request.Disposition": "0x9",
        "Request.RawRequest": armoured(b"\x30\x03\x02\x01\x00"),
    }
    reading = read_ca_view(view(full(**changes)), "ca.txt")
    assert (reading.certificates, reading.requests) == ((), ())
    assert reading.problems[0].place == "row 1"


def test_text_of_a_requester_cannot_pass_for_a_row_or_a_column():
    forged = '"\nrmd:x\n\nRow 2:\n  Certificate Hash: "' + "00" * 20 + '"\n  Serial Number: 01\nend"'
    found = only(view(full(**{"Request.RequestAttributes": forged.replace('"\n  Serial', "\n  Serial")})))
    assert found.thumbprint == issued().thumbprint


def test_rows_that_hold_nothing_are_one_problem():
    reading = read_ca_view(view(full(), full(), columns=("Request.RequestID",)), "ca.txt")
    (problem,) = reading.problems
    assert "2 row(s)" in problem.message
    assert reading.certificates == ()


def test_a_database_without_rows_is_no_problem():
    reading = read_ca_view(view(), "ca.txt")
    assert (reading.certificates, reading.requests, reading.problems) == ((), (), ())


def test_csv_is_read_by_its_english_heading():
    columns = [column for column in COLUMNS if column != "Request.RawOldCertificate"]
    row = full(None, **{"Request.RequestID": "11"})
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow([COLUMNS[column][0] for column in columns])
    writer.writerow([row[column].strip('"') for column in columns])
    found = only(out.getvalue().encode())
    assert found.thumbprint == issued().thumbprint
    assert (found.key.provider, found.key.key_spec) == (SCHANNEL, 1)
    assert found.enrolment is not None
    assert (found.enrolment.request_id, found.enrolment.disposition) == (11, 20)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ('My "Personal"\n', "no output of certutil -view"),
        ('"a","b"\n"1","2"\n', "no output of certutil -view"),
        ("CertUtil: -view command FAILED: 0x800706BA (WIN32: 1722 RPC_S_SERVER_UNAVAILABLE)\n", "0x800706ba"),
    ],
)
def test_another_text_is_one_problem(text, words):
    reading = read_ca_view(text.encode(), "x")
    assert reading.certificates == ()
    (problem,) = reading.problems
    assert words in problem.message
    assert problem.remedy


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damage_never_raises(data):
    text = bytearray(view(full(), full(None), german=data.draw(st.booleans())))
    for _round in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(text) - 1))
        del text[at : at + data.draw(st.integers(1, 400))]
        text[at:at] = data.draw(
            st.sampled_from([b"", b'"', b"\n", b"-----BEGIN CERTIFICATE-----", b"Row 9:\n  x: 1\n"])
        )
    for found in read_ca_view(bytes(text), "x"):
        assert found.key.provider in (SCHANNEL, None) or found.key.kind == "ambiguous"


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_noise_never_raises(noise):
    assert read_ca_view(noise, "x").problems
