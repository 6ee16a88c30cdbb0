# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a template is for a product."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import builtin_names, load
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.judge import judge_template

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
DH = "Microsoft DH SChannel Cryptographic Provider"
STRONG = "Microsoft Strong Cryptographic Provider"
DSS = "Microsoft Base DSS Cryptographic Provider"
CARD = "Microsoft Base Smart Card Crypto Provider"
SOFTWARE = "Microsoft Software Key Storage Provider"
SERVER = "1.3.6.1.5.5.7.3.1"
CLIENT = "1.3.6.1.5.5.7.3.2"
ANY = "2.5.29.37.0"

KSP = {"msPKI-Private-Key-Flag": 0x06060000, "pKIDefaultCSPs": []}


def listed(*names):
    return {"pKIDefaultCSPs": [f"{number},{name}" for number, name in enumerate(names, start=1)]}


def algorithm(name):
    return {"msPKI-RA-Application-Policies": f"msPKI-Asymmetric-Algorithm`PZPWSTR`{name}`"}


@pytest.fixture
def result_of(make_template):
    """One result on a template with some attributes given anew; ``None`` when the requirement is left out."""

    def result_of(name, attributes=None, profile="lync_2013"):
        verdict = judge_template(make_template(attributes), load(profile))
        return next((result for result in verdict.requirements if result.name == name), None)

    return result_of


@pytest.mark.parametrize("profile", builtin_names())
def test_the_pinned_template_is_good_for_every_product(make_template, profile):
    usages = [SERVER, CLIENT]
    template = make_template({"pKIExtendedKeyUsage": usages, "msPKI-Certificate-Application-Policy": usages})
    verdict = judge_template(template, load(profile))
    assert verdict.status == "suitable"
    assert verdict.profile == profile
    for result in verdict.requirements:
        assert result.reason is None
        assert result.remedy is None


def test_the_results_stand_in_the_order_of_the_profile(make_template):
    verdict = judge_template(make_template(), load("lync_2013"))
    assert [result.name for result in verdict.requirements] == [
        "key_provider",
        "key_algorithm",
        "key_size",
        "enhanced_key_usage",
        "key_spec",
    ]


@pytest.mark.parametrize(
    ("attributes", "status", "part"),
    [
        (listed(SCHANNEL), "met", None),
        (listed(SCHANNEL.upper()), "met", None),
        (listed(STRONG), "warning", repr(STRONG)),
        (listed(SCHANNEL, DH), "warning", repr(DH)),
        (listed("Fabrikam HSM CSP"), "warning", "not known here"),
        (listed(SCHANNEL, "Fabrikam HSM CSP"), "warning", "'Fabrikam HSM CSP'"),
        (listed(CARD), "warning", "smart card"),
        (listed(), "warning", "any legacy CSP"),
        (KSP, "unmet", "any key storage provider"),
        ({**KSP, **listed(SOFTWARE)}, "unmet", SOFTWARE),
        ({"msPKI-Template-Schema-Version": 3, **listed()}, "unmet", "any key storage provider"),
        ({**KSP, **listed(SCHANNEL)}, "unmet", "contradicts itself"),
        (listed(SOFTWARE), "unmet", "contradicts itself"),
        (listed(SCHANNEL, "Fabrikam Key Storage Provider"), "unmet", "contradicts itself"),
    ],
)
def test_the_provider(result_of, attributes, status, part):
    result = result_of("key_provider", attributes)
    assert result.status == status
    if part:
        assert part in result.reason
        assert result.remedy
    else:
        assert result.reason is None
        assert result.remedy is None


@pytest.mark.parametrize(
    ("profile", "attributes", "status"),
    [
        ("configmgr", KSP, "met"),
        ("configmgr", {**KSP, **listed("Microsoft Smart Card Key Storage Provider")}, "warning"),
        ("sfb_2019", KSP, "warning"),
        ("exchange", KSP, "unmet"),
        ("exchange", listed(STRONG), "met"),
        ("exchange", listed(), "warning"),
        ("configmgr", {**KSP, **listed(SCHANNEL)}, "unmet"),
    ],
)
def test_the_provider_follows_the_profile(result_of, profile, attributes, status):
    assert result_of("key_provider", attributes, profile).status == status


def test_status_source_and_confidence_are_those_of_the_finding(result_of):
    requirement = load("sfb_2019").requirement("key_provider")
    finding = requirement.findings["ksp"]
    result = result_of("key_provider", KSP, "sfb_2019")
    assert (result.status, result.source, result.confidence) == (finding.status, finding.source, finding.confidence)
    assert result.expected == requirement.expected


@pytest.mark.parametrize(
    ("attributes", "parts"),
    [
        (KSP, ["If certificates for this product are enrolled by it, run winpki.keyprovider.template,"]),
        ({"msPKI-Template-Schema-Version": 3, **listed()}, ["schema_3: supersede", "schema_3: downgrade"]),
        ({"msPKI-Template-Schema-Version": 1, **listed(STRONG)}, ["cannot be edited", "duplicate it"]),
        ({**KSP, "msPKI-Private-Key-Flag": 0x06062400}, ["TPM", "another template"]),
        ({**KSP, "msPKI-Private-Key-Flag": 0x06260000}, ["Hello", "another template"]),
    ],
)
def test_the_remedy_fits_the_template(result_of, attributes, parts):
    remedy = result_of("key_provider", attributes).remedy
    assert all(part in remedy for part in parts), remedy


@pytest.mark.parametrize(
    ("attributes", "status", "actual"),
    [
        ({}, "met", "RSA"),
        ({**KSP, **algorithm("RSA")}, "met", "RSA"),
        ({**KSP, **algorithm("ECDH_P256")}, "warning", "ECDH_P256"),
        ({**KSP, **algorithm("ECDSA_P521")}, "warning", "ECDSA_P521"),
        ({**KSP, **algorithm("DSA")}, "unmet", "DSA"),
        (algorithm("ECDH_P256"), "met", "RSA"),
        (listed(DSS), "unmet", "DSA"),
        (listed(DH), "unmet", "DH"),
        (listed(SCHANNEL, DSS), "met", "RSA"),
    ],
)
def test_the_algorithm(result_of, attributes, status, actual):
    result = result_of("key_algorithm", attributes)
    assert (result.status, result.actual) == (status, actual)


@pytest.mark.parametrize(
    ("profile", "size", "status"),
    [
        ("lync_2013", 2048, "met"),
        ("lync_2013", 4096, "met"),
        ("lync_2013", 1024, "warning"),
        ("lync_2013", 512, "warning"),
        ("lync_2013", 3072, "warning"),
        ("lync_2013", None, "unknown"),
        ("lync_2013", 0, "unknown"),
        ("scom", 1024, "warning"),
    ],
)
def test_the_size(result_of, profile, size, status):
    result = result_of("key_size", {"msPKI-Minimal-Key-Size": size}, profile)
    assert result.status == status
    if status != "met":
        assert "template" in result.reason
        assert "minimum_key_size: 2048" in result.remedy


def test_the_size_of_a_curve_is_not_that_of_an_rsa_key(result_of):
    result = result_of("key_size", {**KSP, **algorithm("ECDH_P256"), "msPKI-Minimal-Key-Size": 256})
    assert result.status == "unknown"
    assert result.actual == "EC, at least 256 bits"


@pytest.mark.parametrize(
    ("profile", "key_spec", "finding", "actual"),
    [
        ("lync_2013", 1, "exchange", "AT_KEYEXCHANGE (1)"),
        ("lync_2013", 2, "signature", "AT_SIGNATURE (2)"),
        ("adfs", 2, "signature", "AT_SIGNATURE (2)"),
        ("lync_2013", 0, "other", "KeySpec 0"),
        ("lync_2013", 7, "other", "KeySpec 7"),
        ("lync_2013", None, "not_shown", None),
    ],
)
def test_the_key_specification(result_of, profile, key_spec, finding, actual):
    result = result_of("key_spec", {"pKIDefaultKeySpec": key_spec}, profile)
    assert result.status == load(profile).requirement("key_spec").findings[finding].status
    assert result.actual == actual


def test_keys_of_a_ksp_have_no_specification(result_of):
    assert result_of("key_spec", {**KSP, "pKIDefaultKeySpec": 2}) is None


@pytest.mark.parametrize(
    ("usages", "policies", "status"),
    [
        ([SERVER], [SERVER], "met"),
        ([CLIENT, SERVER], None, "met"),
        (None, [SERVER], "met"),
        ([CLIENT], [SERVER], "met"),
        ([CLIENT], [CLIENT], "unmet"),
        ([ANY], [ANY], "warning"),
        (None, None, "warning"),
    ],
)
def test_the_extended_key_usage(result_of, usages, policies, status):
    attributes = {"pKIExtendedKeyUsage": usages, "msPKI-Certificate-Application-Policy": policies}
    result = result_of("enhanced_key_usage", attributes)
    assert result.status == status
    if status != "met":
        assert "template" in result.reason


def test_a_change_that_schema_version_1_does_not_allow_is_not_advised(result_of):
    old = {"msPKI-Template-Schema-Version": 1, "msPKI-Minimal-Key-Size": 1024, "pKIExtendedKeyUsage": [CLIENT]}
    old = {**old, "msPKI-Certificate-Application-Policy": None, "pKIDefaultKeySpec": 2}
    for name in ("key_size", "enhanced_key_usage", "key_spec"):
        assert result_of(name, old).remedy.startswith("A template of schema version 1 cannot be edited"), name


def test_an_unmet_provider_decides(make_template):
    assert judge_template(make_template(KSP), load("lync_2013")).status == "unsuitable"
    assert judge_template(make_template(listed(SCHANNEL, DH)), load("lync_2013")).status == "warning"
