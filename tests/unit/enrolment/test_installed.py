# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks around an installation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.installed import (
    Holdings,
    check_clocks,
    checked_provider,
    friendly_name_for,
    key_faults,
    leaf_of,
    removable_key,
    sharers,
    with_key,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.keys import public_key_of
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.x509 import certificate_from_der
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Key, Source
from installed_host import AT, IDENTITY, KSP, SCHANNEL, authority, csr_of, issued

CSP = Key("csp", SCHANNEL, 12, 1, "te-1", flags=0x20)


def record(certificate=None, key=CSP, **values):
    return certificate_from_der((certificate or issued()).der, source=Source("blob", "fe01"), key=key, **values)


def named(name, host="other.contoso.example"):
    return record(issued(host), friendly_name=name)


def test_a_key_as_wished_has_no_faults():
    assert key_faults(CSP, SCHANNEL) == []
    assert key_faults(replace(CSP, provider=SCHANNEL.upper()), SCHANNEL) == []
    assert key_faults(replace(CSP, provider="Fabrikam CSP", provider_type=1), "Fabrikam CSP") == []


@pytest.mark.parametrize(
    ("key", "word"),
    [
        (Key(), "No private key"),
        (Key("ksp", KSP, 0, 0, "te-1", flags=0x20), KSP),
        (Key("contradictory", SCHANNEL, 0, 1, "te-1", flags=0x20), "contradictory"),
        (replace(CSP, provider="Microsoft Strong Cryptographic Provider", provider_type=1), "not in Microsoft RSA"),
        (replace(CSP, provider_type=1), "type 1, not 12"),
        (replace(CSP, key_spec=2), "specification is 2"),
        (replace(CSP, flags=0), "belongs to a user"),
    ],
)
def test_every_fault_of_a_key_is_told(key, word):
    assert any(word in fault for fault in key_faults(key, SCHANNEL))


def test_a_provider_is_spelled_as_windows_does():
    assert checked_provider(SCHANNEL.lower()) == SCHANNEL
    assert checked_provider("Fabrikam CSP") == "Fabrikam CSP"
    for name in (KSP, "Fabrikam Key Storage Provider", " "):
        with pytest.raises(EnrolmentError):
            checked_provider(name)


def test_the_leaf_is_the_one_with_the_key_of_a_pending_request():
    pending = record(friendly_name="Pool")
    given = (authority().certificate.der, issued("other.contoso.example").der, issued().der)
    leaf, chain = leaf_of(given, Holdings(pending=(pending,)))
    assert (leaf, chain) == (issued().der, (authority().certificate.der,))


def test_the_leaf_may_be_installed_already_but_not_without_its_key():
    assert leaf_of((issued().der,), Holdings(my=(record(),)))[0] == issued().der
    with pytest.raises(EnrolmentError, match="answers no pending request"):
        leaf_of((issued().der,), Holdings(my=(record(key=Key()),)))


def test_saved_requests_are_found_by_their_key():
    saved = {
        IDENTITY: csr_of(issued()),
        "f" * 32: csr_of(issued("other.contoso.example")),
        "e" * 32: b"damaged",
        "not an identity": csr_of(issued()),
    }
    assert list(Holdings(saved=saved).saved_of(public_key_of(issued().der))) == [IDENTITY]
    assert Holdings().saved_of(b"") == {}


def test_a_certificate_that_cannot_be_loaded_hides_no_other():
    damaged = replace(record(), der=b"\x30\x00")
    assert with_key((damaged, record()), public_key_of(issued().der)) == record()


@pytest.mark.parametrize(
    ("has", "wished", "others", "expected"),
    [
        (None, None, (), "fe01.contoso.example"),
        ("Pool", None, (), None),
        ("Pool", None, ("pool",), "Pool (2)"),
        ("Pool", None, ("Pool", "POOL (2)"), "Pool (3)"),
        ("Pool (2)", None, ("Pool",), None),
        ("Pool", "Pool", (), None),
        ("Pool (2)", "Pool", ("Pool",), None),
        ("Pool (2)", "Pool", (), None),
        ("Pool (old)", "Pool", (), "Pool"),
        ("Pool", "Lync", (), "Lync"),
        ("Pool", "Lync", ("LYNC",), "Lync (2)"),
        ('Pool "A" 100%', None, ('Pool "A" 100%',), "Pool A 100"),
    ],
)
def test_friendly_names_become_unique(has, wished, others, expected):
    certificate = record(friendly_name=has)
    my = [certificate, *(named(name, f"h{number}.contoso.example") for number, name in enumerate(others))]
    assert friendly_name_for(certificate, wished, my) == expected


def test_a_certificate_without_a_common_name_is_named_by_its_first_dns_name():
    certificate = replace(record(), subject="O=Contoso")
    assert friendly_name_for(certificate, None, []) == "fe01.contoso.example"
    assert friendly_name_for(replace(certificate, details=None), None, []) == f"Certificate {issued().thumbprint[:8]}"


def test_clocks_may_differ_a_little():
    certificate = record()
    begins, ends = certificate.not_before, certificate.not_after
    check_clocks(certificate, at=begins - timedelta(minutes=4), host=None)
    check_clocks(certificate, at=ends, host=ends)
    for at, host in ((begins - timedelta(minutes=6), None), (AT, ends + timedelta(seconds=1))):
        with pytest.raises(EnrolmentError, match="the controller's clock says"):
            check_clocks(certificate, at=at, host=host)


def test_sharers_use_the_same_container_of_the_same_provider():
    same = record(issued("a.contoso.example"), replace(CSP, container="TE-1"))
    elsewhere = record(issued("b.contoso.example"), replace(CSP, provider="Fabrikam CSP"))
    ambiguous = record(issued("c.contoso.example"), Key("ambiguous", candidates=(CSP, Key())))
    keyless = record(issued("d.contoso.example"), Key())
    holdings = Holdings(my=(record(), same, elsewhere, keyless), pending=(ambiguous,))
    assert sharers(record(), holdings) == [same, ambiguous]


def test_only_keys_in_software_of_the_computer_may_be_deleted():
    assert removable_key(CSP) == ((SCHANNEL, "te-1"), "")
    assert removable_key(Key("ksp", KSP, 0, 0, "te-1", flags=0x20))[0] == (KSP, "te-1")
    assert removable_key(Key()) == (None, "")
    for key in (
        replace(CSP, flags=0),
        replace(CSP, flags=None),
        replace(CSP, container=None),
        Key("ksp", "Microsoft Platform Crypto Provider", 0, 0, "te-1", flags=0x20),
        Key("ksp", "Fabrikam Key Storage Provider", 0, 0, "te-1", flags=0x20),
        Key("ambiguous", candidates=(CSP,)),
    ):
        container, note = removable_key(key)
        assert container is None
        assert note.endswith(".")
