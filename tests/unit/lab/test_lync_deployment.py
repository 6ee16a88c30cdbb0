# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lync deployment of a scenario: global certificates and their keys, and the journal of what stopped working."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from lab.host.machine import Machine
from lab.runtime import Lab
from lab.scenario import ScenarioError, SimulatedHost, parse

CALL = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "


def _lab(**defaults: Any) -> Lab:
    host: dict[str, Any] = {"lync": {"version": 2013, "pool": "pool01.contoso.example"}}
    own = [
        {"id": "good", "key": {"holder": "schannel"}, "assigned": ["Default"]},
        {"id": "spare", "subject": "CN=spare", "key": {"holder": "schannel", "exportable": True}},
        {"id": "sealed", "subject": "CN=sealed", "key": {"holder": "schannel"}},
    ]
    oauth = {"id": "oauth", "subject": "CN=oauth", "key": {"exportable": True}, "assigned": ["OAuthTokenIssuer"]}
    first = {"name": "fe01", **host, "stores": {"My": [*own, oauth]}}
    second = {"name": "fe02", **host, "stores": {"My": own}}
    edge = {
        "name": "edge01",
        "lync": {"version": 2010},
        "stores": {"My": [{"id": "cng", "key": {"holder": "cng"}, "assigned": ["Internal"]}]},
    }
    other = {"name": "ca01"}
    data = {
        "lab": {"user": "Administrator", "password": "x", **defaults},
        "cas": [{"id": "c", "subject": "CN=Contoso CA"}],
        "hosts": [first, second, edge, other],
    }
    return Lab(parse(data, "test"))


def _run(machine: Machine, script: str) -> list[str]:
    module = "Import-Module Lync\n" if machine.lync else ""
    encoded = base64.b64encode((module + script).encode("utf-16-le")).decode()
    execution = SimulatedHost(machine).execute(CALL + encoded, b"", "Administrator")
    assert (execution.stderr, execution.exit_code) == (b"", 0)
    return execution.stdout.decode().splitlines()


def _thumbprint(machine: Machine, identifier: str) -> str:
    return next(
        one.issued.thumbprint for one in machine.stores["MY"] if one.identifier == identifier and one.issued is not None
    )


def _assign(
    machine: Machine, identifier: str, use: str = "OAuthTokenIssuer", more: str = "-Identity global"
) -> list[str]:
    call = f"Set-CsCertificate -Type {use} -Thumbprint {_thumbprint(machine, identifier)} {more} -Confirm:$false"
    return _run(machine, "$WarningPreference='SilentlyContinue';try{" + call + ' -ErrorAction Stop}catch{"$_"}')


GLOBAL = "(Get-CsCertificate -Type OAuthTokenIssuer).Thumbprint"


class TestReplication:
    def test_a_global_certificate_reaches_every_server_with_its_key(self) -> None:
        lab = _lab()
        first, second = lab.machine("fe01"), lab.machine("fe02")
        thumbprint = _thumbprint(first, "spare")
        # Both hosts have certificates of their own; the same subject does not make them the same.
        assert second.find(thumbprint) is None
        assert _assign(first, "spare") == []
        assert _run(second, GLOBAL) == [thumbprint]
        stored = second.find(thumbprint)
        assert stored is not None
        container = second.container_of(stored.key)
        assert container is not None
        source = first.find(thumbprint)
        assert source is not None
        original = first.container_of(source.key)
        assert original is not None
        assert (container.public_key, container.exportable) == (original.public_key, True)
        assert container.name != original.name
        assert lab.deployment.journal.violations == []

    def test_it_can_be_held(self) -> None:
        lab = _lab(replication="held")
        first, second = lab.machine("fe01"), lab.machine("fe02")
        before = _thumbprint(first, "oauth")
        assert _run(second, GLOBAL) == [before]
        _assign(first, "spare")
        assert _run(first, GLOBAL) == [_thumbprint(first, "spare")]
        assert _run(second, GLOBAL) == [before]
        assert _run(second, "(Get-CsCertificate -Identity global).Thumbprint") == [_thumbprint(first, "spare")]
        lab.deployment.replicate()
        assert _run(second, GLOBAL) == [_thumbprint(first, "spare")]

    def test_without_the_option_a_server_begins_with_what_it_has(self) -> None:
        lab = _lab()
        count = "@(Get-CsCertificate -Type OAuthTokenIssuer).Count"
        assert [_run(lab.machine(name), count) for name in ("fe01", "fe02")] == [["1"], ["0"]]

    def test_2010_knows_none(self) -> None:
        lab = _lab(replication="immediate")
        edge = lab.machine("edge01").lync
        assert edge is not None
        assert [use for use, _thumbprint in edge.assignments] == ["Internal"]

    def test_it_must_be_said_that_it_is_global(self) -> None:
        lab = _lab()
        (line,) = _assign(lab.machine("fe01"), "spare", more="")
        assert "global" in line
        assert _run(lab.machine("fe01"), GLOBAL) == [_thumbprint(lab.machine("fe01"), "oauth")]

    def test_a_key_that_cannot_travel_is_refused(self) -> None:
        (line,) = _assign(_lab().machine("fe01"), "sealed")
        assert line == "Command execution failed: Key not valid for use in specified state."

    def test_another_word_is_refused(self) -> None:
        with pytest.raises(ScenarioError, match="replication"):
            _lab(replication="late")


class TestJournal:
    def test_what_stops_working_is_written_down_once(self) -> None:
        lab = _lab()
        machine = lab.machine("fe01")
        _run(machine, "1")
        container = machine.container_of(machine.stores["MY"][0].key)
        assert container is not None
        machine.containers.remove(container.provider, container.name)
        for _round in range(2):
            _run(machine, "2")
        (violation,) = lab.deployment.journal.violations
        assert violation.host == "fe01"
        assert violation.use == "Default"
        assert violation.thumbprint == _thumbprint(machine, "good")
        assert violation.reason == "the key container is gone"
        assert violation.command == 2
        machine.containers.add(container)
        _run(machine, "3")
        machine.stores["MY"].pop(0)
        _run(machine, "4")
        assert [one.reason for one in lab.deployment.journal.violations[1:]] == [
            "the certificate is not in the store My"
        ]

    def test_a_certificate_that_expires(self) -> None:
        lab = _lab()
        machine = lab.machine("fe01")
        _run(machine, "1")
        machine.clock = machine.clock.replace(year=machine.clock.year + 5)
        _run(machine, "2")
        assert {one.reason for one in lab.deployment.journal.violations} == {
            "the certificate is not valid at this time"
        }

    def test_what_never_worked_is_no_violation(self) -> None:
        lab = _lab()
        machine = lab.machine("edge01")
        _run(machine, "1")
        machine.stores["MY"].clear()
        _run(machine, "2")
        assert lab.deployment.journal.violations == []

    def test_a_change_to_another_working_certificate_is_none(self) -> None:
        lab = _lab()
        machine = lab.machine("fe02")
        assert _assign(machine, "spare", "Default", "") == []
        machine.stores["MY"].pop(0)
        _run(machine, "1")
        assert lab.deployment.journal.violations == []
        assert lab.deployment.journal.commands == {"fe02": 2}

    def test_scripts_of_the_remoting_endpoint_count(self) -> None:
        lab = _lab()
        machine = lab.machine("fe01")
        SimulatedHost(machine).open_runspace("Administrator").run("1", [], True)
        machine.stores["MY"].clear()
        SimulatedHost(machine).open_runspace("Administrator").run("1", [], True)
        assert {one.use for one in lab.deployment.journal.violations} == {"Default", "OAuthTokenIssuer"}
