# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each rule says of a certificate, product by product."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.judge import judge
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.verdict import RequirementResult
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import (
    Certificate,
    Details,
    Key,
    PublicKey,
    Source,
)

AT = datetime(2026, 6, 1, 12, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)

SERVER = "1.3.6.1.5.5.7.3.1"
CLIENT = "1.3.6.1.5.5.7.3.2"
ANY = "2.5.29.37.0"

SCHANNEL = Key(
    kind="csp",
    provider="Microsoft RSA SChannel Cryptographic Provider",
    provider_type=12,
    key_spec=1,
    container="lync-7f3a",
    flags=0x20,
)
STRONG = replace(SCHANNEL, provider="Microsoft Strong Cryptographic Provider", provider_type=1)
ENHANCED = replace(SCHANNEL, provider="Microsoft Enhanced Cryptographic Provider v1.0", provider_type=1)
SMART_CARD = replace(SCHANNEL, provider="Microsoft Base Smart Card Crypto Provider", provider_type=1)
DSS = replace(SCHANNEL, provider="Microsoft Base DSS Cryptographic Provider", provider_type=3, key_spec=2)
SOFTWARE_KSP = replace(
    SCHANNEL, kind="ksp", provider="Microsoft Software Key Storage Provider", provider_type=0, key_spec=0
)
TPM = replace(SOFTWARE_KSP, provider="Microsoft Platform Crypto Provider")
SMART_CARD_KSP = replace(SOFTWARE_KSP, provider="Microsoft Smart Card Key Storage Provider")
UNKNOWN_KSP = replace(SOFTWARE_KSP, provider="Contoso Keys")
PRESUMED_KSP = replace(SOFTWARE_KSP, provider="Contoso Key Storage Provider", provider_type=None)
UNKNOWN_CSP = replace(SCHANNEL, provider="Contoso SChannel Provider")
DEFAULT_CSP = replace(SCHANNEL, provider=None)
WRONG_TYPE = replace(SCHANNEL, provider_type=1)
UNTYPED = replace(SCHANNEL, provider="Microsoft RSA Schannel Cryptographic Provider", provider_type=None)
NO_RECORD = Key()
AMBIGUOUS = Key(kind="ambiguous", key_spec=1, candidates=(SCHANNEL, SOFTWARE_KSP))
NAME_ONLY = Key(kind="ambiguous", provider="Contoso Provider", key_spec=1)
CONTRADICTORY = replace(SCHANNEL, kind="contradictory", provider_type=0)

DETAILS = Details(
    public_key=PublicKey("RSA", 2048),
    signature_algorithm="sha256WithRSAEncryption",
    signature_oid="1.2.840.113549.1.1.11",
    signature_hash="SHA256",
    subject_alt_names=("dns:fe01.contoso.example",),
    extended_key_usage=(SERVER, CLIENT),
    key_usage=("digitalSignature", "keyEncipherment"),
    crl_distribution_points=("http://pki.contoso.example/ca.crl",),
)

GOOD = Certificate(
    key=SCHANNEL,
    source=Source("blob", "fe01"),
    thumbprint="A" * 40,
    subject="CN=fe01.contoso.example",
    not_before=AT - 100 * DAY,
    not_after=AT + 300 * DAY,
    friendly_name="Lync Default",
    archived=False,
    details=DETAILS,
)

PRODUCTS = ("adfs", "configmgr", "exchange", "lync_2010", "lync_2013", "scom", "sfb_2015", "sfb_2019", "sql_server")
LYNC = ("lync_2010", "lync_2013", "sfb_2015", "sfb_2019")


def with_details(**changes):
    return replace(GOOD, details=replace(DETAILS, **changes))


def verdict_on(certificate, profile="lync_2013", **keywords):
    return judge(certificate, load(profile), at=AT, **keywords)


def result_of(verdict, name) -> RequirementResult | None:
    return next((result for result in verdict.requirements if result.name == name), None)


def status_of(certificate, name, profile="lync_2013", **keywords):
    result = result_of(verdict_on(certificate, profile, **keywords), name)
    return result.status if result else None


@pytest.mark.parametrize("profile", PRODUCTS)
def test_a_good_certificate_is_suitable_everywhere(profile):
    verdict = verdict_on(GOOD, profile)
    assert verdict.status == "suitable", [result for result in verdict.requirements if result.status != "met"]
    assert all(result.remedy is None for result in verdict.requirements)


# The columns: Lync 2010, 2013 and SfB 2015; SfB 2019; Exchange, AD FS and SQL Server; SCOM; Configuration Manager.
PROVIDERS = [
    (SCHANNEL, "met", "met", "met", "met", "met"),
    (UNTYPED, "met", "met", "met", "met", "met"),
    (STRONG, "warning", "warning", "met", "warning", "met"),
    (ENHANCED, "warning", "warning", "met", "met", "met"),
    (DSS, "warning", "warning", "met", "warning", "met"),
    (SMART_CARD, "warning", "warning", "warning", "warning", "warning"),
    (UNKNOWN_CSP, "warning", "warning", "warning", "warning", "warning"),
    (DEFAULT_CSP, "warning", "warning", "warning", "warning", "warning"),
    (WRONG_TYPE, "warning", "warning", "warning", "warning", "warning"),
    (SOFTWARE_KSP, "unmet", "warning", "unmet", "unmet", "met"),
    (TPM, "unmet", "warning", "unmet", "unmet", "met"),
    (UNKNOWN_KSP, "unmet", "warning", "unmet", "unmet", "met"),
    (SMART_CARD_KSP, "unmet", "warning", "unmet", "unmet", "warning"),
    (PRESUMED_KSP, "unmet", "warning", "unmet", "unmet", "warning"),
    (NO_RECORD, "unknown", "unknown", "unknown", "unknown", "unknown"),
    (AMBIGUOUS, "unknown", "unknown", "unknown", "unknown", "unknown"),
    (NAME_ONLY, "unknown", "unknown", "unknown", "unknown", "unknown"),
    (CONTRADICTORY, "unknown", "unknown", "unknown", "unknown", "unknown"),
]
COLUMNS = (
    ("lync_2010", "lync_2013", "sfb_2015"),
    ("sfb_2019",),
    ("exchange", "adfs", "sql_server"),
    ("scom",),
    ("configmgr",),
)


@pytest.mark.parametrize("row", PROVIDERS, ids=lambda row: f"{row[0].kind}-{row[0].provider}-{row[0].provider_type}")
def test_each_product_judges_each_provider_as_documented(row):
    key, *expected = row
    certificate = replace(GOOD, key=key)
    found = [{status_of(certificate, "key_provider", profile) for profile in column} for column in COLUMNS]
    assert found == [{status} for status in expected]


def test_a_key_in_a_ksp_makes_the_certificate_unsuitable_and_the_reason_quotes_the_error():
    verdict = verdict_on(replace(GOOD, key=SOFTWARE_KSP))
    result = result_of(verdict, "key_provider")
    assert verdict.status == "unsuitable"
    assert result.actual == "Microsoft Software Key Storage Provider (type 0, CNG)"
    assert "The buffer supplied to a function was too small" in result.reason
    assert "0x80090028" in result.reason
    assert "Microsoft Software Key Storage Provider" in result.reason
    assert "certutil -csp" in result.remedy


def test_no_record_is_not_taken_for_no_key():
    verdict = verdict_on(replace(GOOD, key=NO_RECORD))
    assert verdict.status == "undetermined"
    assert "does not prove that there is no private key" in result_of(verdict, "key_provider").reason
    assert result_of(verdict, "private_key").status == "unknown"


def test_records_that_contradict_each_other_are_both_shown():
    actual = result_of(verdict_on(replace(GOOD, key=AMBIGUOUS)), "key_provider").actual
    assert "Microsoft RSA SChannel Cryptographic Provider (type 12" in actual
    assert "Microsoft Software Key Storage Provider (type 0" in actual


def test_a_pair_of_provider_and_type_that_windows_refuses_is_told():
    result = result_of(verdict_on(replace(GOOD, key=WRONG_TYPE)), "key_provider")
    assert "0x8009001B" in result.reason
    assert result.confidence == "high"


@pytest.mark.parametrize(
    ("key", "status", "actual"),
    [
        (SCHANNEL, "met", "recorded, not opened"),
        (replace(SCHANNEL, present=True), "met", "the key was opened"),
        (replace(SCHANNEL, present=False), "unmet", "the recorded key was not found"),
        (replace(NO_RECORD, present=True), "met", "the key was opened"),
        (NO_RECORD, "unknown", None),
        (AMBIGUOUS, "unknown", None),
        (CONTRADICTORY, "unknown", None),
    ],
)
def test_private_key(key, status, actual):
    result = result_of(verdict_on(replace(GOOD, key=key)), "private_key")
    assert (result.status, result.actual) == (status, actual)


@pytest.mark.parametrize("profile", PRODUCTS)
def test_a_missing_key_is_unsuitable_everywhere(profile):
    assert verdict_on(replace(GOOD, key=replace(SCHANNEL, present=False)), profile).status == "unsuitable"


@pytest.mark.parametrize(
    ("public_key", "lync", "only_csp", "strict"),
    [
        (PublicKey("RSA", 2048), "met", "met", "met"),
        (PublicKey("EC", 256, "secp256r1"), "warning", "unmet", "unmet"),
        (PublicKey("DSA", 1024), "unmet", "warning", "unmet"),
        (PublicKey("Ed25519"), "unmet", "warning", "unmet"),
        (PublicKey("1.2.3.4"), "unmet", "warning", "unmet"),
    ],
)
def test_key_algorithm(public_key, lync, only_csp, strict):
    certificate = with_details(public_key=public_key)
    assert {status_of(certificate, "key_algorithm", profile) for profile in LYNC} == {lync}
    assert {status_of(certificate, "key_algorithm", name) for name in ("exchange", "adfs", "sql_server")} == {only_csp}
    assert {status_of(certificate, "key_algorithm", name) for name in ("scom", "configmgr")} == {strict}


def test_the_contradiction_on_elliptic_curves_is_told():
    result = result_of(verdict_on(with_details(public_key=PublicKey("EC", 256, "secp256r1"))), "key_algorithm")
    assert result.actual == "EC secp256r1"
    assert "ECDH_P256" in result.reason
    assert "CNG" in result.reason


@pytest.mark.parametrize(
    ("size", "lync", "scom"),
    [
        (512, "unmet", "unmet"),
        (1023, "unmet", "unmet"),
        (1024, "warning", "unmet"),
        (2047, "warning", "unmet"),
        (2048, "met", "met"),
        (3072, "warning", "warning"),
        (4096, "met", "met"),
        (8192, "warning", "warning"),
        (None, "unknown", "unknown"),
    ],
)
def test_key_size(size, lync, scom):
    certificate = with_details(public_key=PublicKey("RSA", size))
    assert {status_of(certificate, "key_size", profile) for profile in LYNC} == {lync}
    assert status_of(certificate, "key_size", "scom") == scom
    assert status_of(certificate, "key_size", "exchange") is None


def test_a_supported_size_and_an_undocumented_one_get_different_reasons():
    small = result_of(verdict_on(with_details(public_key=PublicKey("RSA", 1024))), "key_size")
    odd = result_of(verdict_on(with_details(public_key=PublicKey("RSA", 3072))), "key_size")
    assert "recommended 2048 or more" in small.reason
    assert "not among the documented sizes" in odd.reason


def test_the_sizes_of_rsa_are_not_applied_to_other_keys():
    assert status_of(with_details(public_key=PublicKey("EC", 256)), "key_size") == "unknown"


@pytest.mark.parametrize(
    ("profile", "status"),
    [("lync_2010", "warning"), ("lync_2013", "warning"), ("sfb_2015", "unmet"), ("sfb_2019", "unmet")],
)
def test_the_oauth_certificate_needs_a_longer_key(profile, status):
    short = with_details(public_key=PublicKey("RSA", 1024))
    assert status_of(short, "key_size", profile, assignments=["Default", "OAuthTokenIssuer"]) == status
    assert status_of(GOOD, "key_size", profile, assignments=["OAuthTokenIssuer"]) == "met"
    if profile != "lync_2010":
        reason = result_of(verdict_on(short, profile, assignments=["OAuthTokenIssuer"]), "key_size").reason
        assert "OAuthTokenIssuer" in reason


@pytest.mark.parametrize(
    ("algorithm", "oid", "digest", "lync", "adfs", "scom"),
    [
        ("sha1WithRSAEncryption", "1.2.840.113549.1.1.5", "SHA1", "met", "met", "warning"),
        ("sha224WithRSAEncryption", "1.2.840.113549.1.1.14", "SHA224", "met", "warning", "warning"),
        ("sha256WithRSAEncryption", "1.2.840.113549.1.1.11", "SHA256", "met", "met", "met"),
        ("sha384WithRSAEncryption", "1.2.840.113549.1.1.12", "SHA384", "met", "met", "warning"),
        ("sha512WithRSAEncryption", "1.2.840.113549.1.1.13", "sha-512", "met", "met", "warning"),
        ("md5WithRSAEncryption", "1.2.840.113549.1.1.4", "MD5", "unmet", "unmet", "unmet"),
        ("md2WithRSAEncryption", "1.2.840.113549.1.1.2", "MD2", "unmet", "unmet", "unmet"),
        ("RSASSA-PSS", "1.2.840.113549.1.1.10", "SHA256", "unmet", "warning", "warning"),
        ("RSASSA-PSS", "1.2.840.113549.1.1.10", None, "unmet", "warning", "warning"),
        ("ecdsa-with-SHA256", "1.2.840.10045.4.3.2", "SHA256", "met", "met", "met"),
        ("Ed25519", "1.3.101.112", None, "warning", "warning", "warning"),
        ("1.2.3.4", "1.2.3.4", "SHA3-256", "warning", "warning", "warning"),
    ],
)
def test_signature_algorithm(algorithm, oid, digest, lync, adfs, scom):
    certificate = with_details(signature_algorithm=algorithm, signature_oid=oid, signature_hash=digest)
    assert {status_of(certificate, "signature_algorithm", profile) for profile in LYNC} == {lync}
    assert status_of(certificate, "signature_algorithm", "adfs") == adfs
    assert status_of(certificate, "signature_algorithm", "scom") == scom
    assert status_of(certificate, "signature_algorithm", "exchange") is None


def test_sha1_is_met_with_a_word_on_its_weakness():
    result = result_of(verdict_on(with_details(signature_hash="SHA1")), "signature_algorithm")
    assert (result.status, result.remedy) == ("met", None)
    assert "weak" in result.reason


@pytest.mark.parametrize(
    ("usages", "lync", "exchange", "scom", "configmgr"),
    [
        ((SERVER,), "met", "met", "unmet", "met"),
        ((CLIENT, SERVER), "met", "met", "met", "met"),
        ((CLIENT,), "unmet", "unmet", "unmet", "met"),
        ((ANY,), "warning", "warning", "warning", "warning"),
        ((CLIENT, ANY), "warning", "warning", "warning", "met"),
        ((SERVER, ANY), "met", "met", "warning", "met"),
        (("1.3.6.1.4.1.311.10.3.4",), "unmet", "unmet", "unmet", "unmet"),
        ((), "unmet", "unmet", "unmet", "unmet"),
        (None, "warning", "met", "warning", "warning"),
    ],
)
def test_enhanced_key_usage(usages, lync, exchange, scom, configmgr):
    certificate = with_details(extended_key_usage=usages)
    assert {status_of(certificate, "enhanced_key_usage", profile) for profile in LYNC} == {lync}
    assert status_of(certificate, "enhanced_key_usage", "exchange") == exchange
    assert status_of(certificate, "enhanced_key_usage", "scom") == scom
    assert status_of(certificate, "enhanced_key_usage", "configmgr") == configmgr
    expected = {"met": "met", "unmet": "unmet", "warning": "warning"}[lync]
    assert {status_of(certificate, "enhanced_key_usage", name) for name in ("adfs", "sql_server")} == {expected}


def test_usages_are_shown_with_their_names():
    actual = result_of(verdict_on(GOOD), "enhanced_key_usage").actual
    assert actual == f"{SERVER} (server authentication), {CLIENT} (client authentication)"


@pytest.mark.parametrize("usages", [None, (SERVER,), ()])
def test_a_ca_certificate_is_judged_the_same_and_called_one(usages):
    plain = with_details(extended_key_usage=usages)
    of_a_ca = with_details(extended_key_usage=usages, is_ca=True)
    assert status_of(of_a_ca, "enhanced_key_usage") == status_of(plain, "enhanced_key_usage")
    assert "certification authority" in result_of(verdict_on(of_a_ca), "enhanced_key_usage").actual
    assert "certification authority" not in result_of(verdict_on(plain), "enhanced_key_usage").actual


@pytest.mark.parametrize(
    ("points", "status", "actual"),
    [
        (("http://pki.contoso.example/ca.crl",), "met", "http://pki.contoso.example/ca.crl"),
        (("", "ldap:///CN=CA"), "met", "ldap:///CN=CA"),
        (("",), "met", "a distribution point without a URL"),
        ((), "unmet", "none"),
    ],
)
def test_crl_distribution_point(points, status, actual):
    for profile in LYNC:
        result = result_of(verdict_on(with_details(crl_distribution_points=points), profile), "crl_distribution_point")
        assert (result.status, result.actual) == (status, actual)


@pytest.mark.parametrize(
    ("first", "last", "status"),
    [
        (-100 * DAY, 300 * DAY, "met"),
        (-100 * DAY, 30 * DAY, "met"),
        (-100 * DAY, 30 * DAY - timedelta(seconds=1), "warning"),
        (-100 * DAY, 0 * DAY, "warning"),
        (-100 * DAY, -timedelta(seconds=1), "unmet"),
        (0 * DAY, 300 * DAY, "met"),
        (timedelta(seconds=1), 300 * DAY, "unmet"),
    ],
)
@pytest.mark.parametrize("profile", PRODUCTS)
def test_validity(profile, first, last, status):
    certificate = replace(GOOD, not_before=AT + first, not_after=AT + last)
    assert status_of(certificate, "validity", profile) == status


@pytest.mark.parametrize(
    ("first", "last", "status"),
    [
        (None, None, "unknown"),
        (None, AT - DAY, "unmet"),
        (AT + DAY, None, "unmet"),
        (None, AT + 300 * DAY, "unknown"),
        (AT - DAY, None, "unknown"),
    ],
)
def test_dates_that_are_not_shown_never_make_a_certificate_valid(first, last, status):
    assert status_of(replace(GOOD, not_before=first, not_after=last), "validity") == status


def test_the_remaining_days_are_told():
    result = result_of(verdict_on(replace(GOOD, not_after=AT + 12 * DAY)), "validity")
    assert result.actual == "valid until 2026-06-13T12:00:00Z, 12 days left"
    assert result.actual in result.reason


@pytest.mark.parametrize(
    ("spec", "lync", "adfs", "strict"),
    [
        (1, "met", "met", "met"),
        (2, "warning", "warning", "unmet"),
        (0, "warning", "unmet", "unmet"),
        (0xFFFFFFFF, "warning", "unmet", "unmet"),
        (None, "unknown", "unknown", "unknown"),
    ],
)
def test_key_spec_of_a_csp_key(spec, lync, adfs, strict):
    certificate = replace(GOOD, key=replace(SCHANNEL, key_spec=spec))
    assert {status_of(certificate, "key_spec", profile) for profile in LYNC} == {lync}
    assert status_of(certificate, "key_spec", "adfs") == adfs
    assert {status_of(certificate, "key_spec", name) for name in ("scom", "sql_server")} == {strict}
    assert {status_of(certificate, "key_spec", name) for name in ("exchange", "configmgr")} == {None}


@pytest.mark.parametrize("spec", [0, 1, 2, 0xFFFFFFFF, None])
def test_a_ksp_key_is_not_judged_by_its_key_spec(spec):
    certificate = replace(GOOD, key=replace(SOFTWARE_KSP, key_spec=spec))
    assert {status_of(certificate, "key_spec", profile) for profile in PRODUCTS} == {None}


@pytest.mark.parametrize(
    ("flags", "lync", "scom"), [(0x20, "met", "met"), (0x60, "met", "met"), (0, "warning", "unmet"), (None, None, None)]
)
def test_machine_keyset(flags, lync, scom):
    certificate = replace(GOOD, key=replace(SCHANNEL, flags=flags))
    for profile in (*LYNC, "exchange", "adfs"):
        assert status_of(certificate, "machine_keyset", profile) == lync
    assert status_of(certificate, "machine_keyset", "scom") == scom


@pytest.mark.parametrize(("archived", "status"), [(False, "met"), (True, "warning"), (None, None)])
@pytest.mark.parametrize("profile", PRODUCTS)
def test_archived(profile, archived, status):
    assert status_of(replace(GOOD, archived=archived), "archived", profile) == status


TEXT = replace(GOOD, details=None, not_before=None, not_after=None, friendly_name=None, archived=None)


@pytest.mark.parametrize("profile", PRODUCTS)
def test_text_evidence_is_never_enough_to_call_a_certificate_suitable(profile):
    certificate = replace(TEXT, key=replace(SCHANNEL, provider_type=None, key_spec=None, flags=None))
    verdict = verdict_on(certificate, profile, friendly_names={})
    assert verdict.status == "undetermined"
    assert result_of(verdict, "key_provider").status == "met"
    for result in verdict.requirements:
        if result.status == "unknown":
            assert "evidence" in result.reason
            assert "registry" in result.remedy


@pytest.mark.parametrize(
    "name",
    [
        "key_algorithm",
        "key_size",
        "signature_algorithm",
        "enhanced_key_usage",
        "crl_distribution_point",
        "validity",
        "friendly_name",
    ],
)
def test_what_text_evidence_does_not_show_is_unknown(name):
    assert status_of(TEXT, name, friendly_names={}) == "unknown"


def test_text_evidence_of_a_ksp_is_enough_to_refuse():
    assert verdict_on(replace(TEXT, key=SOFTWARE_KSP)).status == "unsuitable"
