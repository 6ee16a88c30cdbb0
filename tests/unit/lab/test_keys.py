# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Key containers of simulated hosts, and the registry blobs that point to them."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from lab.host.keys import KeyContainer, KeyContainers
from lab.host.machine import Machine
from lab.host.store import KeyReference
from lab.pki import KeyPool, public_key_der
from lab.scenario import parse

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
STORES = {
    "My": [
        {"id": "one", "key": {"holder": "schannel", "exportable": True}},
        {"id": "two", "key": {"holder": "cng"}, "friendly_name": "Two"},
        {"id": "gone", "key": {"holder": "strong", "missing": True}},
        {"id": "bare", "key": None},
        {"id": "user", "key": {"holder": "enhanced", "machine": False}},
        {"id": "unrecorded", "key": {"holder": "cng", "recorded": False}},
        {"subject": "CN=same"},
        {"subject": "CN=same"},
    ]
}


def _machine(**values: Any) -> Machine:
    scenario = parse(
        {
            "cas": [{"id": "main", "subject": "CN=Main"}, {"id": "other", "subject": "CN=Other"}],
            "hosts": [{"name": "fe01", "stores": STORES, **values}],
        },
        "test",
    )
    return scenario.hosts[0].machine


@pytest.fixture(scope="module")
def machine() -> Machine:
    return _machine()


def _properties(blob: bytes) -> dict[int, bytes]:
    found, at = {}, 0
    while at < len(blob):
        number, _reserved, length = struct.unpack_from("<3I", blob, at)
        found[number] = blob[at + 12 : at + 12 + length]
        at += 12 + length
    return found


def test_each_certificate_of_a_scenario_has_its_own_key_in_its_container(machine):
    held = {stored.identifier: machine.container_of(stored.key) for stored in machine.stores["MY"]}
    assert {name for name, container in held.items() if container is None} == {"gone", "bare"}
    one = held["one"]
    assert (one.provider, one.key_spec, one.exportable, one.machine) == (SCHANNEL, 1, True, True)
    assert (held["two"].key_spec, held["two"].exportable, held["user"].machine) == (0, False, False)
    for stored in machine.stores["MY"]:
        container = machine.container_of(stored.key)
        assert container is None or container.public_key == public_key_der(stored.issued.certificate)
    assert len(list(machine.containers)) == 6, "no two share a container"


def test_a_container_is_found_by_provider_and_name_in_any_case():
    containers = KeyContainers()
    containers.add(KeyContainer(SCHANNEL, "te-1", KeyPool().take("p256"), 1))
    assert containers.find(SCHANNEL.upper(), "TE-1") is not None
    assert containers.find("Microsoft Strong Cryptographic Provider", "te-1") is not None, "Microsoft's RSA CSPs share"
    assert containers.find("Microsoft Software Key Storage Provider", "te-1") is None
    assert (containers.remove(SCHANNEL, "Te-1"), containers.remove(SCHANNEL, "te-1")) == (True, False)


def test_a_changed_property_changes_the_blob_and_nothing_else(machine):
    two = next(stored for stored in machine.stores["MY"] if stored.identifier == "two")
    before = _properties(two.blob)
    assert two.friendly_name == "Two"
    renamed = two.changed(11, "Drei".encode("utf-16-le") + b"\0\0")
    assert renamed.friendly_name == "Drei"
    assert {**before, 11: renamed.value_of(11)} == _properties(renamed.blob)
    archived = two.changed(19, b"")
    assert (archived.archived, list(_properties(archived.blob))[-2:]) == (True, [19, 32])
    assert archived.changed(19, None) == two
    assert two.changed(127, None) == two


def test_another_key_is_another_property_2(machine):
    two = next(stored for stored in machine.stores["MY"] if stored.identifier == "two")
    moved = two.with_key(KeyReference(SCHANNEL, 12, 1, "lr-1"))
    value = _properties(moved.blob)[2]
    assert struct.unpack_from("<7I", value)[2:4] == (12, 0x20)
    assert SCHANNEL.encode("utf-16-le") in value
    assert 2 not in _properties(moved.with_key(None).blob)
    assert moved.with_key(two.key) == two


def test_the_stores_hold_the_roots_of_the_scenario():
    machine = _machine(untrusted=["other"])
    assert [stored.issued.certificate.subject.rfc4514_string() for stored in machine.stores["ROOT"]] == ["CN=Main"]
    assert list(machine.stores) == ["CA", "MY", "REQUEST", "ROOT"]


def test_the_clock_of_a_host_may_be_wrong():
    early, late = _machine(clock_offset=-400), _machine()
    assert (late.clock - early.clock).days in (399, 400)
    assert early.stores["MY"][0].issued.certificate.not_valid_after_utc > late.clock
