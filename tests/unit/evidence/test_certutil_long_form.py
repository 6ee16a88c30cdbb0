# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole record of a key, as certutil -v prints it."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Template
from unit.evidence.printouts import (
    FILE_NAME,
    ISSUER,
    SCHANNEL,
    SERIAL,
    SHA1,
    SOFTWARE_KSP,
    STRONG,
    SUBJECT,
    THUMBPRINT,
    only,
    verbose,
)


def test_the_long_form_tells_the_whole_record_of_one_key():
    found = only(verbose())
    assert (found.thumbprint, found.serial_number, found.friendly_name) == (THUMBPRINT, SERIAL, "Contoso pool 2026")
    assert (found.issuer, found.subject) == (ISSUER, SUBJECT)
    assert found.template == Template("1.3.6.1.4.1.311.21.8.7.8.9", None, "Contoso Web", 100, 5)
    key = found.key
    assert (key.kind, key.provider, key.provider_type, key.key_spec) == ("csp", SCHANNEL, 12, 1)
    assert (key.flags, key.machine_keyset) == (0x20, True)
    assert (key.container, key.unique_container) == ("te-ContosoWeb-42", FILE_NAME)
    assert (key.exportable, key.present) == (False, True)
    assert key.candidates == ()


def test_the_long_form_is_read_without_the_property_that_repeats_the_hash():
    text = verbose().decode().replace(f"  CERT_SHA1_HASH_PROP_ID(3):\n    {SHA1}\n", "")
    assert only(text.encode()).thumbprint == THUMBPRINT


def test_the_long_form_without_its_banner_is_one_certificate():
    text = verbose().decode().partition("\n")[2]
    found = only(text.encode())
    assert (found.thumbprint, found.serial_number, found.key.provider_type) == (THUMBPRINT, SERIAL, 12)


def test_translated_labels_of_the_long_form_do_not_matter():
    text = verbose().decode()
    for english, other in (
        ("Key Container", "密钥容器"),
        ("Simple container name", "简单容器名称"),
        ("ProviderType", "提供程序类型"),
        ("Provider ", "提供程序 "),
        ("Flags = 20", "标志 = 20"),
        ("Cert Hash", "证书哈希"),
        ("Issuer:", "颁发者:"),
        ("Subject:", "使用者:"),
    ):
        text = text.replace(english, other)
    found = only(text.encode("utf-16"))
    assert (found.thumbprint, found.issuer, found.subject) == (THUMBPRINT, ISSUER, SUBJECT)
    key = found.key
    assert (key.provider, key.provider_type, key.flags, key.key_spec) == (SCHANNEL, 12, 0x20, 1)
    assert (key.container, key.unique_container, key.exportable) == ("te-ContosoWeb-42", FILE_NAME, False)


@pytest.mark.parametrize(
    ("provider", "printed", "provider_type", "kind"),
    [
        pytest.param(SCHANNEL, "c", 12, "csp", id="old release"),
        pytest.param(SCHANNEL, "12", 12, "csp", id="copied in decimal"),
        pytest.param("Microsoft DH SChannel Cryptographic Provider", "12", 18, "csp", id="hexadecimal 12 is 18"),
        pytest.param("Microsoft Enhanced RSA and AES Cryptographic Provider", "18 (24)", 24, "csp", id="AES"),
        pytest.param("Fabrikam Token CSP", "18", 24, "csp", id="unknown name"),
        pytest.param("Fabrikam Token Thing", "0", 0, "ksp", id="unknown name, type 0"),
        pytest.param(SOFTWARE_KSP, "1", 1, "contradictory", id="KSP with a type"),
    ],
)
def test_the_provider_type_is_hexadecimal(provider, printed, provider_type, kind):
    key = only(verbose(provider, printed)).key
    assert (key.kind, key.provider, key.provider_type, key.flags) == (kind, provider, provider_type, 0x20)


def test_a_key_opened_with_another_type_than_recorded_is_ambiguous():
    key = only(verbose(STRONG, "1", again="0")).key
    assert (key.kind, [other.kind for other in key.candidates]) == ("ambiguous", ["csp", "contradictory"])


def test_a_key_opened_in_another_provider_than_recorded_is_ambiguous():
    found = only(verbose(opened=SOFTWARE_KSP, again="0"))
    assert found.key.kind == "ambiguous"
    assert [key.provider for key in found.key.candidates] == [SCHANNEL, SOFTWARE_KSP]
    assert SCHANNEL in found.notes[0]


@pytest.mark.parametrize(("permissions", "exportable"), [("3f (63)", True), ("3b", False)])
def test_key_permissions_tell_whether_a_csp_key_can_be_exported(permissions, exportable):
    assert only(verbose(permissions=permissions)).key.exportable is exportable


@pytest.mark.parametrize(
    ("flag", "exportable"), [("NCRYPT_ALLOW_EXPORT_FLAG -- 1", True), ("(NCRYPT_ALLOW_EXPORT_FLAG -- 1)", False)]
)
def test_the_export_policy_tells_whether_a_cng_key_can_be_exported(flag, exportable):
    text = verbose(SOFTWARE_KSP, "0").decode().replace("KP_PERMISSIONS = 3b (59)", flag)
    assert only(text.encode()).key.exportable is exportable


def test_a_long_form_that_is_cut_before_the_hash_has_no_thumbprint():
    text = verbose().decode()
    found = only(text[: text.index("Key Id Hash(md5)")].encode())
    assert found.thumbprint is None
    assert found.key.kind == "unrecorded"
    assert "ends within" in found.notes[0]


def test_a_record_without_provider_name_keeps_its_type():
    text = verbose(number="1").decode().replace(f"    Provider = {SCHANNEL}\n", "").replace("  Provider = ", "  RSA")
    key = only(text.encode()).key
    assert (key.kind, key.provider, key.provider_type) == ("csp", None, 1)
