# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Printouts of certutil as they come from a console: wrapped, copied, cut, failed, damaged, or of something else."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.certutil import read_certutil
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Template
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.evidence.printouts import (
    DONE,
    FILE_NAME,
    ISSUER,
    KSP_KEY,
    SCHANNEL,
    SCHANNEL_KEY,
    SERIAL,
    SHA1,
    SOFTWARE_KSP,
    SPACED,
    SUBJECT,
    THUMBPRINT,
    certificate,
    only,
    store,
    verbose,
)

PFX = f"""\
Enter PFX password:
================ Certificate 0 ================
================ Begin Nesting Level 1 ================
Element 0:
Serial Number: {SERIAL}
Issuer: {ISSUER}
 NotBefore: 1/2/2026 8:00 AM
 NotAfter: 1/2/2028 8:00 AM
Subject: {SUBJECT}
Non-root Certificate
Cert Hash(sha1): {SHA1}
----------------  End Nesting Level 1  ----------------
  Provider = Fabrikam Key Storage Provider
Private key is NOT plain text exportable
Signature test passed

================ Certificate 1 ================
================ Begin Nesting Level 1 ================
Element 1:
Serial Number: 01
Issuer: {ISSUER}
 NotBefore: 1/2/2026 8:00 AM
 NotAfter: 1/2/2028 8:00 AM
Subject: {ISSUER}
Signature matches Public Key
Root Certificate: Subject matches Issuer
Cert Hash(sha1): {SHA1[::-1]}
----------------  End Nesting Level 1  ----------------
No key provider information
Cannot find the certificate and private key for decryption.
CertUtil: -dump command completed successfully.
"""


def test_banners_of_nesting_are_no_certificates():
    reading = read_certutil(PFX.encode(), "x.txt")
    assert reading.problems == ()
    assert [(found.thumbprint, found.key.kind, found.key.provider) for found in reading] == [
        (THUMBPRINT, "ksp", "Fabrikam Key Storage Provider"),
        (SHA1[::-1].upper(), "unrecorded", None),
    ]
    assert reading.certificates[0].key.container is None


def test_translated_banners_of_nesting_are_no_certificates_either():
    text = (
        PFX.replace("Begin Nesting Level", "开始嵌套等级")
        .replace("Certificate ", "证书 ")
        .replace("End Nesting", "结束")
    )
    assert [found.source.place for found in read_certutil(text.encode(), "x")] == ["line 2", "line 17"]


def test_revocation_lists_of_a_store_are_no_certificates():
    crl = f"""================ CRL 0 ================
Issuer: {ISSUER}
 ThisUpdate: 1/2/2026 8:00 AM
CRL Entries: 1
  Serial Number: 1b5190f73724399c9254cd424637996a
CRL Hash(sha1): {SHA1}"""
    other = crl.replace("CRL 0", "Sperrliste 1").replace("CRL Hash", "Hash der Liste").replace("CRL Entries", "Zahl")
    reading = read_certutil(store(certificate("No key provider information"), crl, other), "x")
    assert len(reading.certificates) == 1
    assert reading.problems == ()


LONG_ISSUER = "CN=Contoso Issuing Certification Authority Nr 1, OU=Trust Services, O=Contoso Ltd, C=DE"
LONG_OID = "1.3.6.1.4.1.311.21.8.1234567.1234567.12345678.1234567.1234567.123.1234567.12345678"


def console(text: str, columns: int) -> bytes:
    """The text as a console of that width gives it when it is copied."""
    lines = [line[at : at + columns] for line in text.splitlines() for at in range(0, max(len(line), 1), columns)]
    return "\r\n".join(lines).encode()


WRAPPED = console(
    store(certificate(*SCHANNEL_KEY, issuer=LONG_ISSUER, template=f"{LONG_OID}, Contoso Web", sha1=SPACED)).decode(), 80
)


def test_lines_that_a_console_wrapped_are_whole_again():
    found = only(WRAPPED)
    assert found.issuer == LONG_ISSUER
    assert found.template == Template(oid=LONG_OID, display_name="Contoso Web")
    assert (found.key.container, found.key.unique_container) == ("te-ContosoWeb-42", FILE_NAME)


def test_a_line_of_80_columns_is_left_alone_where_longer_lines_stand():
    subject = "CN=" + "x" * 68
    found = only(store(certificate(*SCHANNEL_KEY, subject=subject)))
    assert len(f"Subject: {subject}") == 80
    assert found.subject == subject


def test_prompts_comments_and_a_second_command_do_not_disturb():
    text = "\n".join(
        [
            "# copied by hand",
            "PS C:\\Windows\\system32> certutil -store My",
            certificate(*SCHANNEL_KEY),
            DONE,
            "*Evil-WinRM* PS C:\\Users\\jens> certutil -store -user My",
            'My "Personal"',
            certificate(*KSP_KEY),
            DONE,
        ]
    )
    assert [found.key.kind for found in read_certutil(text.encode(), "x")] == ["csp", "ksp"]


def test_lost_indentation_and_added_blank_lines_do_not_disturb():
    text = "\n\n".join(line.strip() for line in certificate(*SCHANNEL_KEY).splitlines())
    key = only(text.encode()).key
    assert (key.kind, key.container, key.unique_container, key.exportable) == (
        "csp",
        "te-ContosoWeb-42",
        FILE_NAME,
        False,
    )


def test_lines_without_banners_are_split_where_the_serial_number_repeats():
    lines = f"Serial Number: {SERIAL}\n  Provider = {SCHANNEL}\nSerial Number: 02\n  Provider = {SOFTWARE_KSP}\n"
    reading = read_certutil(lines.encode(), "x")
    assert [(found.serial_number, found.key.kind) for found in reading] == [(SERIAL, "csp"), ("02", "ksp")]


def test_a_dump_that_is_cut_within_a_certificate_says_so():
    (found,) = read_certutil(store(certificate(), last=""), "x").certificates
    assert "ends within" in found.notes[0]


def test_a_banner_with_nothing_under_it_is_a_problem_that_hides_nothing():
    reading = read_certutil(store(certificate(*SCHANNEL_KEY), "================ Certificate 1 ====="), "x")
    assert len(reading.certificates) == 1
    (problem,) = reading.problems
    assert problem.place == "line 17"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (
            "CertUtil: -store command FAILED: 0x80090011 (-2146893807 NTE_NOT_FOUND)",
            "0x80090011",
            "nothing in the store",
        ),
        ("CertUtil: -store-Befehl ist fehlgeschlagen: 0x80070002 (WIN32: 2)", "0x80070002", "does not exist"),
        ("CertUtil: -store コマンド エラーです: 0x80070005 (WIN32: 5)", "0x80070005", "denied"),
        ("CertUtil: -store failed: 0x8000FFFF (E_UNEXPECTED)", "0x8000ffff", "certutil -error"),
    ],
)
def test_a_failed_command_is_told_by_its_code(line, code, words):
    reading = read_certutil(f'My "Personal"\n{line}\nCertUtil: because.\n'.encode(), "fe01")
    assert reading.certificates == ()
    (problem,) = reading.problems
    assert code in problem.message
    assert words in str(problem)
    assert (problem.origin, problem.place) == ("fe01", "line 2")


def test_an_empty_store_is_neither_certificate_nor_problem():
    for last in (DONE, "CertUtil: -store-Befehl wurde erfolgreich ausgeführt.", "CertUtil: -store 命令成功完成。"):
        reading = read_certutil(f'My "Personal"\n{last}\n'.encode(), "x")
        assert (reading.certificates, reading.problems) == ((), ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("Directory of C:\\\n\n01/02/2026  08:00 AM  <DIR>  pki\n", "no output of certutil"),
        ("CertUtil: -ping command completed successfully.\n", "certutil -ping"),
        ("CertUtil: No local Certification Authority; use -config option\n", "No local Certification Authority"),
        ("ChainFlags = NOTHING (0x40000000)\n  Element.dwInfoStatus = SOME (0x100)\n", "no output of certutil"),
        (f"PKCS10 Certificate Request:\n  Provider = {SCHANNEL}\n  KeySpec = 1\n", "request"),
        ("Hash de cert(sha1): \nProveedor = \n", "neither which certificate"),
        ("\x00\x01\x02\x03", "no output of certutil"),
    ],
)
def test_a_text_without_certificates_is_one_problem_with_the_command_to_run(text, words):
    reading = read_certutil(text.encode(), "x.txt")
    assert reading.certificates == ()
    (problem,) = reading.problems
    assert words in problem.message
    assert "certutil -store My" in problem.remedy


def test_a_request_that_was_accepted_is_no_dump_of_a_store():
    text = f"Installed Certificate:\n  Serial Number: {SERIAL}\n  Subject: {SUBJECT}\n  Thumbprint: {SHA1}\n"
    assert read_certutil(text.encode(), "x").certificates == ()


def test_the_dump_of_a_certificate_file_says_that_it_cannot_tell_the_key():
    text = certificate().replace("================ Certificate 0 ================\n", "X509 Certificate:\n")
    found = only((text + "\nCertUtil: -dump command completed successfully.\n").encode())
    assert found.key.kind == "unrecorded"
    assert "certificate file" in found.notes[0]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damage_never_raises_and_never_gives_a_key_another_known_provider(data):
    text = bytearray(data.draw(st.sampled_from([store(certificate(*SCHANNEL_KEY)), verbose(), PFX.encode(), WRAPPED])))
    for _round in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text) - 1))
        if data.draw(st.booleans()):
            text[at] = data.draw(st.integers(0, 255))
        else:
            del text[at : at + data.draw(st.integers(1, 200))]
        if not text:
            break
    for found in read_certutil(bytes(text), "x"):
        assert found.key.provider != SOFTWARE_KSP
        assert found.as_dict()


_PIECES = st.sampled_from(
    [
        "=====",
        " = ",
        ": ",
        "(sha1)",
        "CN=",
        "0x80070002",
        "CertUtil: -store",
        SCHANNEL,
        "CERT_KEY_PROV_INFO_PROP_ID(2):",
        "\n",
        "  ",
        "20 (32)",
        SHA1,
        "-----",
        "KeySpec=1",
        "\r\n",
        "Certificate 0",
        "\u00a0",
        "1",
    ]
)


@given(st.one_of(st.binary(max_size=300), st.lists(_PIECES, max_size=60).map(lambda parts: "".join(parts).encode())))
@settings(max_examples=300, deadline=None)
def test_noise_never_raises(noise):
    for problem in read_certutil(noise, "x").problems:
        assert problem.message
        assert problem.remedy
