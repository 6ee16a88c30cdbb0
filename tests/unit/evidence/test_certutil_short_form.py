# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What certutil -store prints for each certificate: its key, its template and what it says about the key."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.certutil import read_certutil
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Template
from unit.evidence.printouts import (
    FILE_NAME,
    ISSUER,
    KSP_KEY,
    SCHANNEL,
    SCHANNEL_KEY,
    SERIAL,
    SHA1,
    SMART_CARD_CSP,
    SOFTWARE_KSP,
    STRONG,
    SUBJECT,
    THUMBPRINT,
    certificate,
    only,
    store,
)


def test_the_short_form_tells_certificate_key_and_place():
    found = only(store(certificate(*SCHANNEL_KEY)))
    assert (found.thumbprint, found.serial_number) == (THUMBPRINT, SERIAL)
    assert (found.issuer, found.subject) == (ISSUER, SUBJECT)
    assert (found.not_before, found.not_after) == (None, None)
    assert found.template == Template(name="ContosoWeb", display_name="Contoso Web Server")
    assert found.archived is False
    assert (found.source.format, found.source.origin, found.source.place) == ("certutil", "fe01.txt", "line 2")
    assert (found.key.kind, found.key.provider, found.key.provider_type) == ("csp", SCHANNEL, None)
    assert (found.key.container, found.key.unique_container) == ("te-ContosoWeb-42", FILE_NAME)
    assert (found.key.exportable, found.key.present) == (False, True)
    assert found.notes == ()


def test_a_cng_key_names_its_container_the_other_way_round():
    key = only(store(certificate(*KSP_KEY))).key
    assert (key.kind, key.provider) == ("ksp", SOFTWARE_KSP)
    assert (key.container, key.unique_container) == ("te-ContosoWeb-42", FILE_NAME)
    assert (key.exportable, key.present) == (True, True)


@pytest.mark.parametrize(
    ("provider", "container", "unique"),
    [
        pytest.param("Contoso SChannel Cryptographic Provider", "second", "first", id="labelled simple"),
        pytest.param(SMART_CARD_CSP, "second", "first", id="CSP"),
        pytest.param("Contoso Key Storage Provider", "first", "second", id="KSP"),
    ],
)
def test_container_names_without_the_form_of_a_file_name_go_by_the_kind_of_provider(provider, container, unique):
    label = "Simple container name" if "Contoso S" in provider else "Anderer Name"
    lines = ("  Container = first", f"  {label}: second", f"  Provider = {provider}")
    key = only(store(certificate(*lines))).key
    assert (key.container, key.unique_container) == (container, unique)


def test_a_machine_that_prints_a_csp_key_the_cng_way_is_understood():
    lines = ("  Key Container = {AB12}", f"  Unique container name: {FILE_NAME}", f"  Provider = {STRONG}")
    key = only(store(certificate(*lines))).key
    assert (key.kind, key.container, key.unique_container) == ("csp", "{AB12}", FILE_NAME)


def test_silence_about_export_means_nothing_for_a_hardware_provider():
    key = only(store(certificate(f"  Provider = {SMART_CARD_CSP}", "Encryption test passed"))).key
    assert (key.exportable, key.present) == (None, True)


def test_a_key_that_leaves_encrypted_only_is_exportable():
    key = only(
        store(certificate(*KSP_KEY[:3], "Private key is NOT plain text exportable", "Signature test passed"))
    ).key
    assert (key.exportable, key.present) == (True, True)


def test_a_missing_keyset_is_not_taken_for_a_lost_key():
    found = only(store(certificate(*SCHANNEL_KEY[:3], "Missing stored keyset")))
    assert (found.key.kind, found.key.present, found.key.exportable) == ("csp", None, None)
    assert "Missing stored keyset" in found.notes[0]
    assert "elevated" in found.notes[0]


@pytest.mark.parametrize(
    ("provider", "line", "present"),
    [
        pytest.param(SCHANNEL, "Missing stored keyset", False, id="gone"),
        pytest.param(SMART_CARD_CSP, "Missing stored keyset", None, id="the card may be elsewhere"),
        pytest.param(SCHANNEL, "Cannot find the certificate and private key for decryption.", None, id="signature key"),
        pytest.param(SCHANNEL, "Encryption test passed", True, id="there"),
    ],
)
def test_an_administrator_who_does_not_find_a_key_knows_that_it_is_gone(provider, line, present):
    text = store(certificate("  Key Container = x", f"  Provider = {provider}", line))
    (found,) = read_certutil(text, "x", elevated=True).certificates
    assert found.key.present is present


def test_a_failed_test_is_told_and_a_passed_one_settles_it():
    failed = "Encryption test FAILED: Access is denied. 0x80070005 (WIN32: 5)"
    assert failed in only(store(certificate(*SCHANNEL_KEY[:3], failed))).notes[0]
    assert only(store(certificate(*SCHANNEL_KEY[:3], failed, "Signature test passed"))).notes == ()


def test_a_certificate_without_provider_is_unrecorded():
    lines = ("No key provider information", "Cannot find the certificate and private key for decryption.")
    key = only(store(certificate(*lines))).key
    assert (key.kind, key.provider, key.present) == ("unrecorded", None, None)


def test_a_key_found_without_a_record_is_ambiguous_and_explained():
    lines = (
        "No key provider information",
        f"  Provider = {SCHANNEL}",
        "  Simple container name: x",
        "Signature test passed",
    )
    found = only(store(certificate(*lines)))
    assert found.key.kind == "ambiguous"
    assert [(key.kind, key.provider) for key in found.key.candidates] == [("unrecorded", None), ("csp", SCHANNEL)]
    assert "-repairstore" in found.notes[0]


def test_a_key_used_without_any_provider_is_told():
    found = only(store(certificate("No key provider information", "Signature test passed")))
    assert (found.key.kind, found.key.present) == ("unrecorded", True)
    assert "records no key provider" in found.notes[0]


def test_an_unknown_provider_is_found_by_its_place_and_not_classified():
    found = only(store(certificate("  Schlüsselcontainer = c1", "  Anbieter = Fabrikam Token CSP")))
    assert (found.key.kind, found.key.provider, found.key.container) == ("ambiguous", "Fabrikam Token CSP", "c1")
    assert "Fabrikam Token CSP" in found.notes[0]


def test_an_unknown_provider_alone_is_found_by_the_label_of_its_neighbours():
    reading = read_certutil(
        store(
            certificate("  Behälter = c1", f"  Anbieter = {SCHANNEL}"),
            certificate("  Anbieter = Fabrikam Key Storage Provider", number=1),
            certificate("  Behälter = c2", number=2),
        ),
        "x",
    )
    keys = [(found.key.kind, found.key.provider, found.key.container) for found in reading]
    assert keys == [("csp", SCHANNEL, "c1"), ("ksp", "Fabrikam Key Storage Provider", None), ("unrecorded", None, "c2")]


def test_the_key_specification_of_newer_releases_is_read_and_repeated_tests_are_one_key():
    found = only(
        store(
            certificate(
                *SCHANNEL_KEY[:3],
                f"{SCHANNEL}: KeySpec=1",
                "AES256+RSAES_OAEP(RSA:AT_KEYEXCHANGE) test passed",
                "Encryption test passed",
                "================ Begin force NCrypt ================",
                f"  Provider = {SOFTWARE_KSP}",
                "Encryption test passed (CNG)",
                "----------------  End force NCrypt  ----------------",
            )
        )
    )
    assert (found.key.kind, found.key.provider, found.key.key_spec) == ("csp", SCHANNEL, 1)
    assert found.key.exportable is True


def test_several_certificates_keep_their_keys_and_places():
    reading = read_certutil(store(certificate(*SCHANNEL_KEY), certificate(*KSP_KEY, number=1)), "x")
    assert [(found.key.provider, found.source.place) for found in reading] == [
        (SCHANNEL, "line 2"),
        (SOFTWARE_KSP, "line 17"),
    ]


@pytest.mark.parametrize(
    ("kind", "template", "expected"),
    [
        pytest.param(("Non-root Certificate",), "", None, id="empty"),
        pytest.param(("Non-root Certificate",), None, None, id="absent"),
        pytest.param(("CA Version: V0.0",), None, None, id="CA version alone"),
        pytest.param(
            ("Non-root Certificate",), "1.3.6.1.4.1.311.21.8.1.2", Template(oid="1.3.6.1.4.1.311.21.8.1.2"), id="OID"
        ),
        pytest.param(
            ("Non-root Certificate",),
            "1.3.6.1.4.1.311.21.8.1.2, Contoso Web",
            Template(oid="1.3.6.1.4.1.311.21.8.1.2", display_name="Contoso Web"),
            id="OID and name",
        ),
        pytest.param(
            ("Certificate Template Name (Certificate Type): SubCA", "CA Version: V1.0", "Non-root Certificate"),
            None,
            Template(name="SubCA"),
            id="version 1 only",
        ),
    ],
)
def test_the_template_is_found_by_its_place(kind, template, expected):
    assert only(store(certificate(*SCHANNEL_KEY, kind=kind, template=template))).template == expected


@pytest.mark.parametrize(
    ("template", "expected"), [(None, None), ("CA, Root", Template(name="CA", display_name="Root"))]
)
def test_the_line_that_calls_a_root_a_root_is_no_template(template, expected):
    kind = ("CA Version: V0.0", "Signature matches Public Key", "Root Certificate: Subject matches Issuer")
    found = only(store(certificate("No key provider information", subject=ISSUER, kind=kind, template=template)))
    assert found.template == expected


def test_a_certificate_without_subject_is_read():
    found = only(store(certificate(*SCHANNEL_KEY, subject="EMPTY (DNS Name=pool01.contoso.example)")))
    assert (found.issuer, found.subject) == (ISSUER, None)


def test_a_hash_of_the_wrong_length_gives_no_thumbprint_but_a_note():
    found = only(store(certificate(*SCHANNEL_KEY, sha1=SHA1 + "a")))
    assert found.thumbprint is None
    assert "41 characters" in found.notes[0]
    assert found.key.kind == "csp"
