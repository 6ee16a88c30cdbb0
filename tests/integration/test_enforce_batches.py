# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The enforce playbook on several servers: what they share, and what one that breaks off means for the others."""

from __future__ import annotations

import re

import pytest
from crash_sweep import AUTHORITY, ISSUED, SCENARIO, SCHANNEL
from lab.runtime import Lab
from lab.wire.faults import Fault

AV = "AudioVideoAuthentication"
FOR_GOOD = 100000
MIDDLE = 24
"""A request of a server's well after the first look at it and well before the last."""


@pytest.fixture
def lab():
    with Lab.from_scenario(SCENARIO) as running:
        yield running


@pytest.fixture
def edge_pool(lab):
    """The lab, with one certificate on both edge servers, as pools have it; its thumbprint."""
    first, second = lab.machine("edge01"), lab.machine("edge02")
    shared = first.find(dict(first.lync.assignments)[AV])
    own = dict(second.lync.assignments)[AV]
    for store in second.stores.values():
        store[:] = [shared if held.issued.thumbprint == own else held for held in store]
    second.hold_key(shared)
    second.lync.assignments = tuple(
        (use, {own: shared.issued.thumbprint}.get(of, of)) for use, of in second.lync.assignments
    )
    return lab, shared.issued.thumbprint


def used(lab, host, use="Default"):
    """The certificate of a usage."""
    machine = lab.machine(host)
    return machine.find(dict(machine.lync.assignments)[use])


@pytest.mark.parametrize("serial", [1, 2])
def test_a_pool_replaces_and_retires_what_it_shares_in_one_run(edge_pool, controller, serial):
    lab, old = edge_pool
    done = controller.enforce(lab, "edge", ca_host="ca01", old="remove", serial=serial)
    assert done.exit_code == 0, done.output
    first, second = used(lab, "edge01", AV), used(lab, "edge02", AV)
    assert first.issued.thumbprint == second.issued.thumbprint != old
    assert {first.key.provider, second.key.provider} == {SCHANNEL}
    assert [row.disposition for row in lab.authority(AUTHORITY).rows] == [ISSUED]
    assert (lab.machine("edge01").find(old), lab.machine("edge02").find(old)) == (None, None)
    again = controller.enforce(lab, "edge", ca_host="ca01", old="remove", serial=serial)
    assert (again.exit_code, again.changed_on("edge01"), again.changed_on("edge02")) == (0, 0, 0), again.output


def test_no_output_holds_the_key_that_is_handed_on(lab, controller):
    # With one more v the winrm plugin of ansible-core 2.16 prints all output of hosts, whatever no_log says.
    done = controller.enforce(lab, "edge", "-vvvv", "--diff", ca_host="ca01")
    assert done.exit_code == 0, done.output
    assert used(lab, "edge02", AV).key.provider == SCHANNEL
    assert "keyprovider pfx" not in done.output
    words = set(re.findall(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9]{40}(?![A-Za-z0-9+/=])", done.output))
    assert [word for word in words if not re.fullmatch("[0-9A-F]+|[0-9a-f]+", word)] == []
    # PFX ::= SEQUENCE { version INTEGER (3), authSafe SEQUENCE... in base64.
    assert not re.search(r"MI[I-L]..[AQgw]IBAz", done.output)


def test_one_that_breaks_off_stops_later_batches_and_nothing_else(lab, controller):
    lab.server.script_fault("fe01", Fault("cut_before", at=MIDDLE, times=FOR_GOOD))
    done = controller.enforce(lab, "lync", ca_host="ca01", serial=2)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    [*_earlier, told] = done.failures("fe01")
    assert re.match(r"[A-Z][\w ]+: .*Check the address", told)
    assert used(lab, "fe01").key.provider != SCHANNEL
    assert used(lab, "fe02").key.provider == SCHANNEL
    for name in ("edge01", "edge02"):
        assert done.failures(name) == ["Not begun, because an earlier batch failed (fe01)."]
        assert used(lab, name, AV).key.provider != SCHANNEL
    assert {host["host"]: host["status"] for host in done.report()["hosts"]} == {
        **dict.fromkeys(("fe02", "edge01", "edge02"), "ok"),
        "fe01": "unreachable",
    }
    assert lab.deployment.journal.violations == []


def test_a_server_that_is_away_from_the_beginning_stops_no_batch_and_keeps_the_others_from_retiring(lab, controller):
    lab.server.script_fault("fe01", Fault("cut_before", times=FOR_GOOD))
    old = used(lab, "fe02").issued.thumbprint
    done = controller.enforce(lab, "lync_frontends", ca_host="ca01", serial=1, old="remove")
    assert done.exit_code == 2, done.output
    assert used(lab, "fe02").key.provider == SCHANNEL
    assert lab.machine("fe02").find(old)
    assert "The certificates that were replaced stay: what fe01 uses is not known." in done.output
    lab.server.clear_faults()
    again = controller.enforce(lab, "lync_frontends", ca_host="ca01", serial=1, old="remove")
    assert again.exit_code == 0, again.output
    assert lab.machine("fe02").find(old) is None


def test_a_ca_that_is_away_fails_each_server_and_names_the_host_of_the_ca(lab, controller):
    lab.server.script_fault("ca01", Fault("cut_before", times=FOR_GOOD))
    done = controller.enforce(lab, "lync_frontends", ca_host="ca01")
    assert done.exit_code == 2, done.output
    for name in ("fe01", "fe02"):
        assert done.failures(name)[-1].startswith("Submit the request to AD CS, or see what became of it: ca01: ")
    assert done.report()["summary"]["hosts"]["ok"] == 2
