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


MOVES = replace(POOL, state="convert", repair="convert", convert="OLD")


def states(known, **needs):
    """State, certificate to move and source of each server."""
    return {
        host: (need.state, need.convert, need.source_host)
        for host, need in ((host, resolved(need, host, known, {"OLD", "NEW"}, {"OLD"})) for host, need in needs.items())
    }


def test_each_member_of_a_pool_moves_the_key_of_its_own_copy():
    known = peers(edge01=MOVES, edge02=MOVES)

    assert states(known, edge01=MOVES, edge02=MOVES) == {
        "edge01": ("convert", "OLD", "edge01"),
        "edge02": ("convert", "OLD", "edge01"),
    }


@pytest.mark.parametrize("repair", ["convert", "request_or_convert"])
def test_a_member_moves_its_copy_when_another_has_moved_its_own(repair):
    done = replace(POOL, state="satisfied", current="OLD")
    own = replace(MOVES, repair=repair, state="convert" if repair == "convert" else "request")

    assert states(peers(edge01=done, edge02=own), edge02=own) == {"edge02": ("convert", "OLD", "edge01")}


def test_a_member_without_the_certificate_takes_it_over_once_its_key_is_moved():
    without = replace(POOL, state="blocked", repair="convert", current="X", reasons=("Its key is in the TPM.",))
    done = replace(POOL, state="satisfied", current="OLD")

    waits = resolved(without, "edge01", peers(edge01=without, edge02=MOVES), {"X"})
    takes = resolved(without, "edge01", peers(edge01=without, edge02=done), {"X"})

    assert (waits.state, waits.source_host) == ("waits", "edge02")
    assert waits.reasons[-1] == "edge02 is to move its key for the pool."
    assert (takes.state, takes.successor, takes.source_host) == ("transfer", "OLD", "edge02")


def test_no_member_requests_while_another_moves_a_key():
    requests = replace(POOL, repair="request_or_convert")

    assert states(peers(edge01=requests, edge02=MOVES), edge01=requests, edge02=MOVES) == {
        "edge01": ("waits", None, "edge02"),
        "edge02": ("convert", "OLD", "edge02"),
    }


def test_a_pool_moves_the_key_of_one_certificate_when_its_members_have_several():
    other = replace(MOVES, current="X", convert="X")

    assert states(peers(edge01=MOVES, edge02=other), edge01=MOVES, edge02=other) == {
        "edge01": ("convert", "OLD", "edge01"),
        "edge02": ("waits", None, "edge01"),
    }


def test_a_good_certificate_of_a_member_comes_before_a_conversion():
    done = replace(POOL, state="satisfied", current="NEWER")

    need = resolved(MOVES, "edge02", peers(edge01=done, edge02=MOVES), {"OLD"})

    assert (need.state, need.successor, need.convert) == ("transfer", "NEWER", None)


def test_what_is_there_with_its_key_elsewhere_is_neither_assigned_nor_taken_over():
    done = replace(POOL, state="satisfied", current="OLD")

    need = resolved(POOL, "edge02", peers(edge01=done, edge02=POOL), {"OLD"}, {"OLD"})

    assert (need.state, need.successor) == ("blocked", None)
    assert "OLD, which edge01 has, is here with its key in another provider. Move the key" in need.reasons[-1]


def test_members_that_cannot_go_on_do_not_wait_for_each_other():
    blocked = replace(POOL, state="blocked", repair="convert", reasons=("Its key is in the TPM.",))

    need = resolved(blocked, "edge02", peers(edge01=blocked, edge02=blocked), {"OLD"})

    assert (need.state, need.reasons) == ("blocked", ("Its key is in the TPM.",))
