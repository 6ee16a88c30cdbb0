# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who requests a shared certificate, and how the other servers come by it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.needs import Need
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.shared import in_use_elsewhere, resolved

POOL = Need(
    name="audiovideoauthentication",
    types=("AudioVideoAuthentication",),
    subject="CN=edge.contoso.example",
    subject_alt_names=("edge.contoso.example",),
    template=None,
    template_oid=None,
    provider="Microsoft RSA SChannel Cryptographic Provider",
    key_length=2048,
    hash_algorithm="SHA256",
    exportable=True,
    friendly_name=None,
    extended_key_usage=("1.3.6.1.5.5.7.3.1",),
    state="request",
    current="OLD",
    shared="pool",
)
GLOBAL = replace(POOL, types=("OAuthTokenIssuer",), shared="global")


def peers(**needs):
    return {host: [need.as_dict()] for host, need in needs.items()}


def test_a_certificate_of_ones_own_has_no_source():
    need = replace(POOL, shared=None)

    assert resolved(need, "edge01", {}, set()) == need


@pytest.mark.parametrize("need", [POOL, GLOBAL])
def test_the_first_server_of_the_play_requests(need):
    known = peers(edge01=need, edge02=need)

    first, second = (resolved(need, host, known, set()) for host in ("edge01", "edge02"))

    assert (first.state, first.source_host) == ("request", "edge01")
    assert (second.state, second.source_host) == ("waits", "edge01")


@pytest.mark.parametrize(
    "there", [replace(POOL, state="assign", successor="NEW"), replace(POOL, state="satisfied", current="NEW")]
)
def test_the_others_take_over_what_one_has(there):
    known = peers(edge01=POOL, edge02=there)

    need = resolved(POOL, "edge01", known, {"OLD"})

    assert (need.state, need.successor, need.source_host) == ("transfer", "NEW", "edge02")


def test_what_was_taken_over_is_assigned():
    known = peers(edge01=replace(POOL, state="satisfied", current="NEW"))

    need = resolved(POOL, "edge02", known, {"OLD", "NEW"})

    assert (need.state, need.successor) == ("assign", "NEW")


def test_a_member_with_another_good_certificate_takes_over_the_pools():
    good = replace(POOL, state="satisfied", current="NEW")
    known = peers(edge01=good, edge02=replace(good, current="OTHER"))

    need = resolved(replace(good, current="OTHER"), "edge02", known, {"OTHER"})

    assert (need.state, need.successor) == ("transfer", "NEW")
    assert need.reasons == ("The pool's certificate is NEW, which edge01 has.",)


def test_members_with_the_same_good_certificate_need_nothing():
    good = replace(POOL, state="satisfied", current="NEW")

    assert resolved(good, "edge02", peers(edge01=good, edge02=good), {"NEW"}).state == "satisfied"


def test_a_pool_of_other_names_is_another_pool():
    other = replace(POOL, subject="CN=edge.fabrikam.example", subject_alt_names=())

    assert resolved(POOL, "edge02", peers(edge01=other), set()).source_host == "edge02"


def test_the_deployment_waits_for_replication():
    placed = replace(GLOBAL, state="satisfied", current="NEW")

    need = resolved(GLOBAL, "fe02", peers(fe01=placed), {"NEW"})

    assert (need.state, need.successor, need.source_host) == ("waits", None, "fe01")
    assert resolved(placed, "fe02", peers(fe01=placed), {"NEW"}).state == "satisfied"


def test_certificates_of_other_servers_are_in_use():
    assert in_use_elsewhere("fe01", peers(fe01=POOL, fe02=replace(POOL, current="X"))) == {"X"}
