# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report makes of the variables of a play."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import EvidenceError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.hosts import play_entries


def play(variables, *, batch=None, in_play=None):
    names = list(variables)
    return {
        "hostvars": {name: {"group_names": ["lync"], **own} for name, own in variables.items()},
        "ansible_play_hosts_all": names,
        "ansible_play_hosts": names if in_play is None else in_play,
        "ansible_play_batch": names if batch is None else batch,
    }


def good(store="My", profile="lync_2013"):
    return {"store": store, "profile": profile, "product": profile.title(), "certificates": [], "problems": []}


def outcome(entries):
    return [(entry["host"], entry["status"]) for entry in entries]


def test_a_host_without_result_is_told_by_its_place_in_the_play():
    variables = {"done": {"audit": good()}, "now": {}, "later": {}, "gone": {}}
    entries = play_entries("audit", None, play(variables, batch=["done", "now"], in_play=["done", "now", "later"]))
    assert outcome(entries) == [("done", "ok"), ("now", "failed"), ("later", "skipped"), ("gone", "unreachable")]
    assert "no variable 'audit'" in entries[1]["message"]
    assert "serial" in entries[2]["message"]


def test_each_turn_of_a_loop_is_an_entry():
    turns = {"results": [good("My"), good("Root"), {"failed": True, "msg": "No store."}], "failed": True, "msg": "One."}
    entries = play_entries("audit", None, play({"a": {"audit": turns}}))
    assert [(entry["status"], entry.get("store")) for entry in entries] == [
        ("ok", "My"),
        ("ok", "Root"),
        ("failed", None),
    ]
    assert entries[2]["message"] == "No store."


@pytest.mark.parametrize("value", ["text", 5, [1], {"stdout": "x"}, {"results": [{"stdout": "x"}]}])
def test_a_variable_that_is_no_result_never_looks_like_an_empty_store(value):
    (entry,) = play_entries("audit", None, play({"a": {"audit": value}}))
    assert entry["status"] == "failed"
    assert "'audit' of the host is no result of certificate_info" in entry["message"]
    assert "option 'register'" in entry["message"]


@pytest.mark.parametrize(
    ("register", "hosts", "said"),
    [
        ("audti", None, "No host has the variable 'audti'"),
        ("audit", ["a", "nosuch"], "no host 'nosuch'"),
        ("audit", [], "no host to report"),
    ],
)
def test_a_wrong_option_is_named(register, hosts, said):
    with pytest.raises(EvidenceError, match=said) as caught:
        play_entries(register, hosts, play({"a": {"audit": good()}}))
    assert "option" in caught.value.remedy


def test_a_host_that_is_named_twice_is_reported_once():
    assert outcome(play_entries("audit", ["a", "a"], play({"a": {"audit": good()}}))) == [("a", "ok")]
