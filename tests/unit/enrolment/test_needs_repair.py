# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which needs are met by moving a key, with which certificate, and why not when they are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.conversion import target_key
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.needs import (
    Asked,
    Held,
    Terms,
    plan_needs,
    superseded,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.needs_repair import repaired
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.judge import judge_all
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.providers.catalogue import classify, lookup
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import (
    Certificate,
    Details,
    Key,
    PublicKey,
    Source,
    Template,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
STRONG = "Microsoft Strong Cryptographic Provider"
KSP = "Microsoft Software Key Storage Provider"
TPM = "Microsoft Platform Crypto Provider"
OID = "1.3.6.1.4.1.311.21.8.1.2.3"
POOL = ("pool01.contoso.example", "fe01.contoso.example")


def certificate(thumbprint, provider=KSP, *, names=POOL, days=(-30, 335), flags=0x20, archived=False, **changes):
    """A certificate of the store My; its validity is in days from now."""
    known = lookup(provider)
    kind = known.provider_type if known else 0
    details = Details(
        PublicKey(changes.get("algorithm", "RSA"), 2048),
        "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.11",
        "SHA256",
        subject_alt_names=tuple(f"dns:{name}" for name in names),
        extended_key_usage=("1.3.6.1.5.5.7.3.1",),
        key_usage=("digitalSignature", "keyEncipherment"),
        crl_distribution_points=changes.get("cdp", ("http://pki.contoso.example/ca.crl",)),
    )
    return Certificate(
        key=Key(classify(provider, kind), provider, kind, 1 if kind else 0, f"container-{thumbprint}", flags=flags),
        source=Source("registry", "fe01"),
        thumbprint=thumbprint,
        subject=f"CN={names[0]},O=Contoso",
        issuer="CN=Contoso CA",
        not_before=NOW + timedelta(days=days[0]),
        not_after=NOW + timedelta(days=days[1]),
        friendly_name=f"name of {thumbprint}",
        archived=archived,
        template=Template(oid=OID),
        details=details,
    )


def hold(*certificates, **used):
    """A store with its verdicts, and what each usage is assigned to."""
    usages = {one.thumbprint: tuple(use for use, of in used.items() if of == one.thumbprint) for one in certificates}
    moved = [replace(one, key=target_key(SCHANNEL)) for one in certificates]
    verdicts = [judge_all(each, load("lync_2013"), at=NOW, assignments=usages) for each in (certificates, moved)]
    return [
        Held(one, now, usages[one.thumbprint], then) for one, now, then in zip(certificates, *verdicts, strict=True)
    ]


def needs(held, repair="convert", **terms):
    given = Terms(repair=repair, **terms)
    return [repaired(need, held, given, at=NOW) for need in plan_needs(held, given, at=NOW)]


def test_the_key_of_a_certificate_in_use_is_moved_when_the_key_is_its_only_fault():
    [need] = needs(hold(certificate("A"), Default="A"))

    assert (need.state, need.convert, need.successor, need.repair) == ("convert", "A", None, "convert")
    assert any("key_provider" in reason for reason in need.reasons)


def test_unless_it_is_asked_for_nothing_is_moved():
    [need] = needs(hold(certificate("A"), Default="A"), repair="request")

    assert (need.state, need.convert) == ("request", None)


def test_where_a_new_certificate_comes_first_the_state_stays():
    [need] = needs(hold(certificate("A"), Default="A"), repair="request_or_convert")

    assert (need.state, need.convert) == ("request", "A")


@pytest.mark.parametrize("repair", ["request", "convert", "request_or_convert"])
def test_what_lies_ready_in_the_store_is_assigned_all_the_same(repair):
    [need] = needs(hold(certificate("A"), certificate("B", SCHANNEL), Default="A"), repair)

    assert (need.state, need.successor, need.convert) == ("assign", "B", None)


def test_each_usage_may_have_its_own_way():
    held = hold(certificate("A"), certificate("B", names=("web.contoso.example",)), Default="A", External="B")

    [default, external] = needs(held, "request", asked=(Asked(("External",), repair="convert"),))

    assert (default.state, default.convert) == ("request", None)
    assert (external.state, external.convert) == ("convert", "B")


def test_one_in_use_comes_before_a_younger_one_that_is_not():
    held = hold(certificate("A"), certificate("B", days=(-2, 300)), certificate("C", days=(-3, 300)), Default="A")

    assert needs(held)[0].convert == "A"


def test_of_those_that_are_not_in_use_the_youngest_is_taken():
    short = certificate("A", names=POOL[:1])
    held = hold(short, certificate("B", days=(-2, 300)), certificate("C", days=(-3, 300)), Default="A")

    [need] = needs(held, asked=(Asked(("Default",), subject_alt_names=POOL),))

    assert (need.state, need.convert) == ("convert", "B")


def test_what_other_usages_have_is_not_taken_for_these():
    held = hold(certificate("A", days=(-500, -2)), certificate("B"), Default="A", External="B")

    [default, external] = needs(held)

    assert (default.state, default.convert) == ("blocked", None)
    assert external.convert == "B"


def test_a_key_of_another_legacy_provider_is_moved_when_its_warning_counts():
    [need] = needs(hold(certificate("A", STRONG), Default="A"), replace_warnings=True)

    assert (need.state, need.convert) == ("convert", "A")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"provider": TPM}, "The key of A cannot be moved into Microsoft RSA SChannel Cryptographic Provider. "),
        ({"flags": 0}, "belongs to a user"),
        ({"algorithm": "EC"}, "It is no RSA key (EC)"),
        ({"archived": True}, "It is archived"),
        ({"days": (-400, -3)}, "a conversion keeps the certificate as it is: validity: "),
        ({"cdp": ()}, "a conversion keeps the certificate as it is: crl_distribution_point: "),
    ],
    ids=["tpm", "user", "ecc", "archived", "expired", "cdp"],
)
def test_where_no_key_can_be_moved_the_reasons_tell_why_and_what_to_do(changes, told):
    held = hold(certificate("A", **changes), Default="A")

    [need] = needs(held)
    [or_convert] = needs(held, "request_or_convert")

    assert (need.state, need.convert) == ("blocked", None)
    assert told in need.reasons[-1]
    assert "equest a new" in need.reasons[-1] or "archived" in told
    assert (or_convert.state, or_convert.convert) == ("request", None)
    assert or_convert.reasons == need.reasons[:-1]


def test_a_certificate_that_ends_soon_is_not_helped_by_another_provider():
    [need] = needs(hold(certificate("A", days=(-330, 20)), Default="A"), renew_before_days=30)

    assert need.state == "blocked"
    assert need.reasons[-1].count("It ends on 2026-12-12, in 20 days.") == 1


def test_the_one_that_lacks_least_is_named():
    held = hold(
        certificate("A", days=(-500, -3), cdp=()), certificate("B", days=(-400, -2)), certificate("C", TPM), Default="A"
    )

    assert "The key of C cannot be moved" in needs(held)[0].reasons[-1]
    assert "Moving the key of B into" in needs(held[:2])[0].reasons[-1]


def test_without_any_certificate_there_is_no_key_to_move():
    [need] = needs([], asked=(Asked(("XmppServer",), subject="CN=xmpp.contoso.example"),))

    assert need.state == "blocked"
    assert need.reasons[-1].startswith("No certificate of the store holds all of its names")


@pytest.mark.parametrize(("repair", "state"), [("convert", "convert"), ("request_or_convert", "convert")])
def test_where_another_request_would_yield_the_same_a_key_is_moved(repair, state):
    held = hold(certificate("A"), certificate("B", SCHANNEL, days=(-1, 300), cdp=()), Default="A")

    assert needs(held, "request")[0].state == "blocked"
    assert (needs(held, repair)[0].state, needs(held, repair)[0].convert) == (state, "A")


def test_what_the_deployment_shares_is_requested():
    held = hold(certificate("A"), OAuthTokenIssuer="A")

    [need], [or_convert] = needs(held), needs(held, "request_or_convert")

    assert (need.state, need.convert, or_convert.convert) == ("request", None, None)
    assert "A conversion is not offered for OAuthTokenIssuer" in need.reasons[-1]
    assert "not offered" not in or_convert.reasons[-1]


def test_a_certificate_whose_key_is_to_be_moved_is_not_retired():
    held = hold(
        certificate("A", SCHANNEL, days=(-1, 300)),
        certificate("B", days=(-90, 300)),
        certificate("C", names=POOL[:1], days=(-10, 300)),
        Default="A",
        External="C",
    )
    template = Asked(("External",), subject_alt_names=POOL, template_oid=OID, repair="convert")
    [default, external] = needs([held[0], *held[1:]], "request", asked=(template,))

    assert default.state == "satisfied"
    assert external.state == "assign"
    chosen = replace(external, state="convert", successor=None, convert="B")
    assert superseded(held, [default, external], frozenset(), Terms(), at=NOW) == ("B",)
    assert superseded(held, [default, chosen], frozenset(), Terms(), at=NOW) == ()


def test_after_the_conversion_nothing_is_left_to_do_and_nothing_to_retire():
    done = replace(certificate("A"), key=replace(target_key(SCHANNEL), container="te-new"))
    held = hold(done, certificate("B", days=(-2, 300)), Default="A")

    found = needs(held)

    assert [need.state for need in found] == ["satisfied"]
    assert superseded(held, found, frozenset(), Terms(), at=NOW) == ()


def test_one_that_was_not_in_use_is_assigned_after_the_conversion():
    short = certificate("A", names=POOL[:1])
    done = replace(certificate("B"), key=replace(target_key(SCHANNEL), container="te-new"))

    [need] = needs(hold(short, done, Default="A"))

    assert (need.state, need.successor) == ("assign", "B")
