# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of providers, and how a recorded name and type become a kind of key."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.providers import catalogue

MICROSOFT = {
    "Microsoft Base Cryptographic Provider v1.0": 1,
    "Microsoft Strong Cryptographic Provider": 1,
    "Microsoft Enhanced Cryptographic Provider v1.0": 1,
    "Microsoft Base Smart Card Crypto Provider": 1,
    "Microsoft RSA Signature Cryptographic Provider": 2,
    "Microsoft Base DSS Cryptographic Provider": 3,
    "Microsoft Exchange Cryptographic Provider v1.0": 5,
    "Microsoft RSA SChannel Cryptographic Provider": 12,
    "Microsoft Base DSS and Diffie-Hellman Cryptographic Provider": 13,
    "Microsoft Enhanced DSS and Diffie-Hellman Cryptographic Provider": 13,
    "Microsoft DH SChannel Cryptographic Provider": 18,
    "Microsoft Enhanced RSA and AES Cryptographic Provider": 24,
    "Microsoft Software Key Storage Provider": None,
    "Microsoft Platform Crypto Provider": None,
    "Microsoft Smart Card Key Storage Provider": None,
    "Microsoft Passport Key Storage Provider": None,
}


def test_every_microsoft_provider_is_known_with_its_type():
    found = {name: catalogue.lookup(name).provider_type for name in catalogue.names() if name.startswith("Microsoft ")}
    assert found == MICROSOFT


def test_a_ksp_has_no_type_and_a_csp_has_one():
    for provider in catalogue.PROVIDERS:
        assert (provider.provider_type is None) == (provider.kind == "ksp"), provider.name


def test_names_of_one_kind_are_those_of_that_kind():
    assert set(catalogue.names("csp")) | set(catalogue.names("ksp")) == set(catalogue.names())
    assert "Microsoft Platform Crypto Provider" in catalogue.names("ksp")
    assert "Microsoft Platform Crypto Provider" not in catalogue.names("csp")


def test_names_are_unique_and_every_provider_says_where_it_was_seen():
    assert len({name.casefold() for name in catalogue.names()}) == len(catalogue.names())
    assert all(provider.source for provider in catalogue.PROVIDERS)


def test_only_types_made_for_schannel_count_as_schannel():
    assert {provider.name for provider in catalogue.PROVIDERS if provider.schannel} == {
        "Microsoft RSA SChannel Cryptographic Provider",
        "Microsoft DH SChannel Cryptographic Provider",
        "Luna SChannel Cryptographic Services for Microsoft Windows",
    }


@pytest.mark.parametrize(
    ("name", "hardware", "token"),
    [
        ("Microsoft Software Key Storage Provider", False, False),
        ("Microsoft Platform Crypto Provider", True, False),
        ("Microsoft Smart Card Key Storage Provider", True, True),
        ("Microsoft Base Smart Card Crypto Provider", True, True),
        ("Microsoft Passport Key Storage Provider", True, True),
        ("nCipher Security World Key Storage Provider", True, False),
        ("eToken Base Cryptographic Provider", True, True),
    ],
)
def test_hardware_and_tokens_are_told_apart(name, hardware, token):
    provider = catalogue.lookup(name)
    assert (provider.hardware, provider.token) == (hardware, token)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Microsoft RSA Schannel Cryptographic Provider", "Microsoft RSA SChannel Cryptographic Provider"),
        ("microsoft software key storage provider", "Microsoft Software Key Storage Provider"),
        (" Microsoft Strong Cryptographic Provider ", "Microsoft Strong Cryptographic Provider"),
        (
            "Microsoft Enhanced RSA and AES Cryptographic Provider (Prototype)",
            "Microsoft Enhanced RSA and AES Cryptographic Provider",
        ),
    ],
)
def test_a_provider_is_found_however_it_is_written(written, meant):
    assert catalogue.lookup(written).name == meant


@pytest.mark.parametrize("name", ["", "Contoso Cryptographic Provider", "Microsoft"])
def test_an_unknown_name_is_not_found(name):
    assert catalogue.lookup(name) is None


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "CNG"),
        (1, "PROV_RSA_FULL"),
        (2, "PROV_RSA_SIG"),
        (3, "PROV_DSS"),
        (12, "PROV_RSA_SCHANNEL"),
        (13, "PROV_DSS_DH"),
        (18, "PROV_DH_SCHANNEL"),
        (24, "PROV_RSA_AES"),
        (77, "type 77"),
    ],
)
def test_types_are_named_as_in_wincrypt(number, name):
    assert catalogue.provider_type_name(number) == name


def test_a_provider_names_its_type():
    assert catalogue.lookup("Microsoft RSA SChannel Cryptographic Provider").provider_type_name == "PROV_RSA_SCHANNEL"
    assert catalogue.lookup("Microsoft Software Key Storage Provider").provider_type_name is None


@pytest.mark.parametrize(
    ("provider", "provider_type", "kind"),
    [
        (None, None, "unrecorded"),
        ("", None, "unrecorded"),
        # The type decides where it is recorded,
        (None, 0, "ksp"),
        ("", 0, "ksp"),
        ("Microsoft Software Key Storage Provider", 0, "ksp"),
        ("Microsoft Platform Crypto Provider", 0, "ksp"),
        ("Contoso Provider", 0, "ksp"),
        (None, 1, "csp"),
        (None, 12, "csp"),
        ("Microsoft RSA SChannel Cryptographic Provider", 12, "csp"),
        ("Microsoft RSA Schannel Cryptographic Provider", 12, "csp"),
        ("Contoso Provider", 12, "csp"),
        ("Contoso Key Storage Provider", 1, "csp"),
        ("Contoso Provider", 77, "csp"),
        # a known name of the other kind contradicts it,
        ("Microsoft RSA SChannel Cryptographic Provider", 0, "contradictory"),
        ("Microsoft Software Key Storage Provider", 1, "contradictory"),
        ("microsoft platform crypto provider", 24, "contradictory"),
        # and without a type the name has to do.
        ("Microsoft Strong Cryptographic Provider", None, "csp"),
        ("Microsoft Platform Crypto Provider", None, "ksp"),
        ("Contoso HSM Key Storage Provider", None, "ksp"),
        ("CONTOSO KEY STORAGE PROVIDER ", None, "ksp"),
        ("Contoso Cryptographic Provider", None, "ambiguous"),
        ("Key Storage Provider of Contoso", None, "ambiguous"),
    ],
)
def test_name_and_type_decide_the_kind(provider, provider_type, kind):
    assert catalogue.classify(provider, provider_type) == kind


@pytest.fixture(name="samples")
def fixture_samples() -> Path:
    folder = os.environ.get("KEYPROVIDER_SAMPLES")
    if not folder:
        pytest.skip("KEYPROVIDER_SAMPLES does not name the general corpus")
    return Path(folder)


@pytest.mark.samples
@pytest.mark.parametrize("name", ["28_csplist.txt", "29_csplist_ncipher_win8era.txt"])
def test_what_windows_lists_is_in_the_catalogue(samples, name):
    text = (samples / "certreq" / name).read_text(encoding="utf-8")
    listed = re.findall(r"Provider Name: (.+?)\s*\n(?:Provider Type: (\d+))?", text)
    assert len(listed) > 10
    for provider, number in listed:
        assert catalogue.lookup(provider).provider_type == (int(number) if number else None), provider


@pytest.mark.samples
def test_the_true_kind_of_every_golden_blob_is_found(samples):
    truth = json.loads((samples / "certstore" / "golden" / "truth.json").read_text(encoding="utf-8"))
    kinds = {"csp": "csp", "cng": "ksp", "none": "unrecorded"}
    assert len(truth) == 14
    for entry in truth.values():
        assert catalogue.classify(entry["provider"], entry["provider_type"]) == kinds[entry["class"]], entry["id"]
