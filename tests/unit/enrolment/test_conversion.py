# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys can be moved, and how a key reference is written."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.conversion import (
    checked_target,
    hindrance,
    in_provider,
    reference_text,
    same_container,
    target_key,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.inf import properties_inf
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.x509 import certificate_from_der
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Key, Source
from lab import pki

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
KSP = "Microsoft Software Key Storage Provider"
CNG = Key("ksp", KSP, 0, 0, container="te-1", flags=0x20)
NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)


def certificate(key: Key = CNG, algorithm: str = "rsa2048", *, archived: bool = False):
    wanted = pki.Wanted("CN=fe01.contoso.example", NOW, NOW + timedelta(days=9), algorithm)
    der = pki.self_signed(wanted, pki.KeyPool()).der
    return certificate_from_der(der, source=Source("registry", "fe01"), key=key, archived=archived)


@pytest.mark.parametrize("container", ["te-1", "{7A3B0001-0000-4000-8000-000000000001}", "tq-LyncWebServer-9f"])
def test_a_software_key_of_the_computer_can_be_moved(container):
    assert hindrance(certificate(replace(CNG, container=container))) is None


def test_a_legacy_key_can_be_moved_as_well():
    strong = Key("csp", "Microsoft Strong Cryptographic Provider", 1, 1, container="c", flags=0x20)
    assert hindrance(certificate(strong)) is None


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (replace(CNG, provider="Microsoft Platform Crypto Provider"), "in the TPM"),
        (replace(CNG, provider="Microsoft Smart Card Key Storage Provider"), "virtual one in the TPM"),
        (Key("csp", "Microsoft Base Smart Card Crypto Provider", 1, 1, container="c", flags=0x20), "smart card"),
        (replace(CNG, provider="nCipher Security World Key Storage Provider"), "in hardware"),
        (replace(CNG, provider="Microsoft Passport Key Storage Provider"), "in hardware"),
        (replace(CNG, provider="Fabrikam Vault Key Storage Provider"), "not known here"),
        (replace(CNG, flags=0), "belongs to a user"),
        (replace(CNG, container=None), "does not identify"),
        (Key(), "records no private key"),
        (replace(CNG, kind="contradictory"), "does not identify"),
    ],
)
def test_why_a_key_cannot_be_moved_and_what_to_do(key, reason):
    obstacle = hindrance(certificate(key))
    assert obstacle is not None
    assert reason in obstacle.reason
    assert "new certificate" in obstacle.remedy


def test_a_key_on_an_elliptic_curve_is_no_key_for_legacy_providers():
    obstacle = hindrance(certificate(algorithm="p256"))
    assert obstacle is not None
    assert "take RSA" in obstacle.reason


def test_an_archived_certificate_is_left():
    obstacle = hindrance(certificate(archived=True))
    assert obstacle is not None
    assert "archived" in obstacle.reason


def test_the_target_is_spelled_as_windows_spells_it():
    assert checked_target(SCHANNEL.upper()) == SCHANNEL
    assert checked_target(KSP) == KSP


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Contoso Provider",
        "Microsoft Platform Crypto Provider",
        "Microsoft Base Smart Card Crypto Provider",
        "Microsoft DH SChannel Cryptographic Provider",
        "Microsoft Base DSS Cryptographic Provider",
        "Microsoft RSA Signature Cryptographic Provider",
    ],
)
def test_a_provider_that_takes_no_rsa_key_from_a_file_is_refused(name):
    with pytest.raises(EnrolmentError, match="provider"):
        checked_target(name)


def test_what_is_wrong_with_a_copy():
    good = replace(target_key(SCHANNEL), container="c")
    assert not in_provider(good, SCHANNEL)
    assert "not in" in in_provider(replace(good, provider="Microsoft Strong Cryptographic Provider"), SCHANNEL)[0]
    assert "type 1" in in_provider(replace(good, provider_type=1), SCHANNEL)[0]
    assert "specification is 2" in in_provider(replace(good, key_spec=2), SCHANNEL)[0]
    assert "to a user" in in_provider(replace(good, flags=0), SCHANNEL)[0]
    assert "kind ksp" in in_provider(CNG, SCHANNEL)[0]
    assert not in_provider(CNG, KSP)
    assert not in_provider(replace(CNG, key_spec=0xFFFFFFFF), KSP)
    assert "no private key" in in_provider(Key(), SCHANNEL)[0].lower()


def test_a_reference_is_written_as_certutil_documents_it():
    key = replace(target_key(SCHANNEL), container="{7A3B0001-0000-4000-8000-000000000001}")
    lines = properties_inf(key=reference_text(key)).decode().split("\r\n")
    at = lines.index('2 = "{text}"')
    assert lines[at + 1 : at + 6] == [
        '_continue_ = "Container={7A3B0001-0000-4000-8000-000000000001}&"',
        '_continue_ = "Provider=Microsoft RSA SChannel Cryptographic Provider&"',
        '_continue_ = "ProviderType=12&"',
        '_continue_ = "Flags=0x20&"',
        '_continue_ = "KeySpec=1"',
    ]


@pytest.mark.parametrize("container", ["a&Provider=x", 'a"b', "a%b", "a\r\n19 = Empty", "a;b", ""])
def test_a_container_that_could_end_the_value_is_refused(container):
    with pytest.raises(EnrolmentError, match="cannot be written"):
        reference_text(replace(CNG, container=container))


def test_containers_are_compared_in_any_case():
    assert same_container(CNG, replace(CNG, container="TE-1", provider=KSP.lower()))
    assert not same_container(CNG, replace(CNG, container="te-2"))
    assert not same_container(CNG, replace(CNG, provider=SCHANNEL))
    strong = Key("csp", "Microsoft Strong Cryptographic Provider", 1, 1, container="te-1", flags=32)
    assert same_container(strong, replace(strong, provider=SCHANNEL, provider_type=12))
    assert not same_container(strong, replace(strong, provider="Microsoft Base Smart Card Crypto Provider"))
    assert not same_container(strong, replace(strong, provider="Fabrikam Provider"))
