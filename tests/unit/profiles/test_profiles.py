# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles as files: the built-in ones, those that a user writes, and what is said of a wrong one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles import library
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.checks import CHECKS
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.kinds import KINDS
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.model import (
    ProfileError,
    profile_from_mapping,
)

BUILTIN = (
    "adfs",
    "configmgr",
    "exchange",
    "lync_2010",
    "lync_2013",
    "scom",
    "sfb_2015",
    "sfb_2019",
    "sql_server",
)

LYNC_REQUIREMENTS = [
    "key_provider",
    "private_key",
    "key_algorithm",
    "key_size",
    "signature_algorithm",
    "enhanced_key_usage",
    "crl_distribution_point",
    "validity",
    "friendly_name",
    "key_spec",
    "machine_keyset",
    "archived",
]


def write(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_built_in_profiles_are_those_of_the_interface():
    assert library.builtin_names() == BUILTIN


@pytest.mark.parametrize("name", BUILTIN)
def test_every_requirement_of_a_built_in_profile_has_a_source_and_a_confidence(name):
    profile = library.load(name)
    assert profile.name == name
    assert profile.title
    assert profile.products
    assert profile.requirements
    for requirement in profile.requirements:
        assert requirement.expected
        for said in (requirement, *requirement.findings.values()):
            assert said.confidence in ("high", "medium", "low")
            assert said.source
            assert not said.source.endswith(".yml"), f"{requirement.name} names its own file as source"


@pytest.mark.parametrize("name", BUILTIN)
def test_every_warning_and_refusal_says_why_and_what_to_do(name):
    for requirement in library.load(name).requirements:
        for finding, meaning in requirement.findings.items():
            if meaning.status != "met":
                result = requirement.result(finding, "FOUND")
                assert result.reason, (requirement.name, finding)
                assert result.remedy, (requirement.name, finding)
                assert "{" not in result.reason + result.remedy, (requirement.name, finding)


@pytest.mark.parametrize("name", ["lync_2010", "lync_2013", "sfb_2015", "sfb_2019"])
def test_the_lync_family_makes_every_documented_requirement(name):
    assert [requirement.name for requirement in library.load(name).requirements] == LYNC_REQUIREMENTS


def test_every_requirement_has_a_check():
    assert list(CHECKS) == list(KINDS)


@pytest.mark.parametrize(
    ("profile", "finding", "status", "confidence", "words"),
    [
        ("lync_2010", "ksp", "unmet", "medium", "0x80090028"),
        ("lync_2013", "ksp", "unmet", "medium", "The buffer supplied to a function was too small"),
        ("lync_2013", "ksp", "unmet", "medium", "ECDH_P256"),
        ("lync_2013", "csp", "warning", "low", "Microsoft Strong Cryptographic Provider"),
        ("sfb_2015", "ksp", "unmet", "medium", "does not support CNG"),
        ("sfb_2015", "ksp", "unmet", "medium", "ECDH_P256"),
        ("sfb_2019", "ksp", "warning", "low", "No statement on CNG was found"),
        ("sfb_2019", "presumed_ksp", "warning", "low", "by its name alone"),
        ("exchange", "ksp", "unmet", "high", "EdgeSync"),
        ("exchange", "presumed_ksp", "unmet", "low", "by its name alone"),
        ("adfs", "ksp", "unmet", "high", "From Windows Server 2016 on"),
        ("scom", "ksp", "unmet", "high", "key storage provider"),
        ("sql_server", "ksp", "unmet", "high", "Observed otherwise: SQL Server 2019"),
        ("configmgr", "ksp", "met", "high", "enrollment proxy point"),
        ("configmgr", "presumed_ksp", "warning", "low", "by its name alone"),
    ],
)
def test_the_rule_on_cng_says_what_is_known_and_how_well(profile, finding, status, confidence, words):
    meaning = library.load(profile).requirement("key_provider").findings[finding]
    assert (meaning.status, meaning.confidence) == (status, confidence)
    assert words in meaning.reason


def test_a_requirement_that_is_not_made_is_none():
    assert library.load("configmgr").requirement("crl_distribution_point") is None


@pytest.mark.parametrize(
    ("profile", "document"),
    [
        ("lync_2010", "gg398094"),
        ("lync_2013", "lync-server-2013-certificate-infrastructure-requirements"),
        ("sfb_2015", "SfbServer/plan-your-deployment"),
        ("sfb_2019", "SfBServer2019/plan/system-requirements.md"),
    ],
)
def test_each_lync_version_cites_its_own_document(profile, document):
    cited = {requirement.name for requirement in library.load(profile).requirements if document in requirement.source}
    assert cited - {"key_provider"} == {
        "private_key",
        "key_algorithm",
        "key_size",
        "signature_algorithm",
        "enhanced_key_usage",
        "crl_distribution_point",
        "friendly_name",
    }


@pytest.mark.parametrize(
    ("requirement", "finding", "status"),
    [("key_size", "too_small_for_usage", "unmet"), ("friendly_name", "shared", "warning")],
)
def test_what_a_profile_leaves_out_has_a_meaning(requirement, finding, status):
    profile = profile_from_mapping({"name": "x", "requirements": [{"name": requirement}]}, origin="test")
    assert profile.requirement(requirement).findings[finding].status == status


USER_PROFILE = """
title: Lync at Contoso
extends: lync_2013
omit: [crl_distribution_point]
requirements:
  - name: key_size
    sizes: [2048, 4096]
    minimum: 2048
    source: Contoso PKI policy 4.2
    confidence: high
  - name: key_provider
    findings:
      csp: {status: unmet, reason: "Policy: {actual} is not {expected}."}
"""


def test_a_user_profile_extends_a_built_in_one(tmp_path):
    profile = library.load(write(tmp_path, "contoso.yml", USER_PROFILE))
    base = library.load("lync_2013")

    assert profile.name == "contoso"
    assert profile.title == "Lync at Contoso"
    assert profile.requirement("crl_distribution_point") is None
    size = profile.requirement("key_size")
    assert size.parameters["minimum"] == 2048
    assert size.parameters["recommended"] == base.requirement("key_size").parameters["recommended"]
    assert size.source == "Contoso PKI policy 4.2"
    provider = profile.requirement("key_provider")
    assert provider.parameters == base.requirement("key_provider").parameters
    assert provider.result("csp", "X").reason == "Policy: X is not Microsoft RSA SChannel Cryptographic Provider."
    assert provider.findings["ksp"].reason == base.requirement("key_provider").findings["ksp"].reason


def test_a_changed_rule_does_not_keep_the_source_of_the_old_one(tmp_path):
    path = write(tmp_path, "contoso.yml", USER_PROFILE)
    assert library.load(path).requirement("key_provider").findings["csp"].source == path


def test_extending_leaves_the_built_in_profile_alone(tmp_path):
    library.load(write(tmp_path, "contoso.yml", USER_PROFILE))
    assert library.load("lync_2013").requirement("key_size").parameters["minimum"] == 1024
    assert library.load("lync_2013").requirement("crl_distribution_point")


def test_a_user_profile_may_be_json_and_stand_alone(tmp_path):
    mapping = {"name": "mine", "title": "Mine", "requirements": [{"name": "validity", "warning_days": 7}]}
    profile = library.load(write(tmp_path, "mine.json", json.dumps(mapping)))
    assert [requirement.name for requirement in profile.requirements] == ["validity"]
    assert profile.requirement("validity").expected == "valid now and for 7 days more"


def test_a_profile_file_that_changed_is_read_again(tmp_path):
    path = write(tmp_path, "mine.yml", "requirements: [{name: validity, warning_days: 7}]")
    assert library.load(path).requirement("validity").parameters["warning_days"] == 7
    write(tmp_path, "mine.yml", "requirements: [{name: validity, warning_days: 10}]")
    os.utime(path, (1, 1))
    assert library.load(path).requirement("validity").parameters["warning_days"] == 10


def test_an_unchanged_profile_is_read_once(tmp_path):
    path = write(tmp_path, "mine.yml", "requirements: [{name: validity}]")
    assert library.load(path) is library.load(path)
    assert library.load("lync_2013") is library.load("lync_2013")


def test_an_unknown_profile_lists_the_known_ones_and_the_nearest():
    with pytest.raises(ProfileError) as caught:
        library.load("lync2013")
    assert "'lync2013'" in caught.value.message
    assert "Did you mean lync_2013?" in caught.value.remedy
    assert all(name in caught.value.remedy for name in BUILTIN)


def test_a_missing_profile_file_is_named():
    with pytest.raises(ProfileError, match=r"/nowhere/mine\.yml"):
        library.load("/nowhere/mine.yml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("requirements: [", ["not YAML", "line 2"]),
        ("title: 2024-99-99", ["not YAML"]),
        ("- a list", ["keys and values", "a list"]),
        ("", ["keys and values", "nothing"]),
        ("title: X", ["without a requirement"]),
        ("requirements: validity", ["requirements", "Expected a list", "'validity'"]),
        ("requirements: [validity]", ["element 1", "keys and values", "'validity'"]),
        ("requirements: [{warning_days: 3}]", ["element 1, name", "Expected a text"]),
        ("requirements: [{name: validty}]", ["'validty'", "Allowed: key_provider,", "Did you mean 'validity'?"]),
        ("requirement: []", ["'requirement'", "Did you mean 'requirements'?"]),
        ("requirements: [{name: validity, days: 3}]", ["validity", "'days'", "warning_days"]),
        ("requirements: [{name: validity, warning_days: soon}]", ["validity, warning_days", "whole number", "'soon'"]),
        ("requirements: [{name: validity, warning_days: true}]", ["validity, warning_days", "whole number"]),
        ("requirements: [{name: validity, warning_days: -1}]", ["validity, warning_days", "zero or more"]),
        ("requirements: [{name: key_size, sizes: 2048}]", ["key_size, sizes", "Expected a list"]),
        ("requirements: [{name: key_size, minimum_by_usage: {A: b}}]", ["key_size, minimum_by_usage, A"]),
        ("requirements: [{name: key_provider, providers: [1]}]", ["key_provider, providers", "texts"]),
        ("requirements: [{name: validity, confidence: sure}]", ["confidence", "'sure'", "high, medium, low"]),
        ("requirements: [{name: enhanced_key_usage, match: some}]", ["match", "'some'", "all, any"]),
        ("requirements: [{name: validity, findings: {old: {}}}]", ["findings", "'old'", "expired"]),
        ("requirements: [{name: validity, findings: {expired: unmet}}]", ["findings, expired", "keys and values"]),
        (
            "requirements: [{name: validity, findings: {expired: {status: bad}}}]",
            ["findings, expired, status", "'bad'", "met, warning, unmet, unknown"],
        ),
        (
            "requirements: [{name: validity, findings: {expired: {reason: '{when}'}}}]",
            ["findings, expired, reason", "'when'", "{actual}"],
        ),
        (
            "requirements: [{name: key_provider, findings: {unrecorded: {status: met}}}]",
            ["findings, unrecorded, status", "Allowed: unknown, unmet."],
        ),
        ("extends: lync_2031\nrequirements: []", ["'lync_2031'", "Did you mean lync_2013?"]),
        ("extends: lync_2013\nomit: [names]", ["omit", "'names'", "friendly_name"]),
    ],
)
def test_a_wrong_profile_is_refused_with_the_place_and_what_is_allowed(tmp_path, text, words):
    path = write(tmp_path, "mine.yml", text)
    with pytest.raises(ProfileError) as caught:
        library.load(path)
    message = str(caught.value)
    for word in words:
        assert word in message
    assert path in message


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(ProfileError, match=r"mine\.yml"):
        library.load(str(path))


def test_broken_json_is_refused(tmp_path):
    with pytest.raises(ProfileError, match=r"mine\.json.*not JSON"):
        library.load(write(tmp_path, "mine.json", "{"))


def test_a_mapping_alone_cannot_extend():
    with pytest.raises(ProfileError, match="extended"):
        profile_from_mapping({"name": "x", "extends": "lync_2013"}, origin="test")


def test_a_profile_from_a_mapping_needs_a_name():
    with pytest.raises(ProfileError, match="name"):
        profile_from_mapping({"requirements": [{"name": "validity"}], "title": "X"}, origin="test")


@pytest.mark.parametrize(
    ("given", "presumed"), [("met", "warning"), ("warning", "warning"), ("unmet", "unmet"), ("unknown", "unknown")]
)
def test_a_presumed_ksp_is_judged_like_a_ksp_but_never_better_than_a_warning(given, presumed):
    profile = profile_from_mapping(
        {"name": "x", "requirements": [{"name": "key_provider", "findings": {"ksp": {"status": given}}}]},
        origin="test",
    )
    assert profile.requirement("key_provider").findings["presumed_ksp"].status == presumed


def test_a_note_stands_with_every_warning_and_refusal():
    profile = profile_from_mapping(
        {"name": "x", "requirements": [{"name": "validity", "note": "Ask PKI."}]}, origin="test"
    )
    findings = profile.requirement("validity").findings
    assert findings["expired"].reason.endswith(" Ask PKI.")
    assert findings["expiring"].reason.endswith(" Ask PKI.")
    assert findings["valid"].reason is None
