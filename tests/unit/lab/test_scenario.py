# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenario files: the ones that come with the lab, the inventory, and complaints about wrong ones."""

from __future__ import annotations

import json
import os
import re
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab.host.machine import Machine
from lab.runtime import SCENARIOS, Lab
from lab.scenario import Scenario, ScenarioError, load, parse


def _one_host(**values: Any) -> Scenario:
    return parse({"lab": {"password": "x"}, "hosts": [{"name": "a", **values}]}, "test.yml")


def _key_info(machine: Machine, store: str = "MY") -> dict[str, tuple[Any, ...] | None]:
    """Type, flags and key spec in property 2 of each blob, read here without the lab's help."""
    found: dict[str, tuple[Any, ...] | None] = {}
    for certificate in machine.stores[store]:
        offset, value = 0, None
        while offset + 12 <= len(certificate.blob):
            number, _between, length = struct.unpack_from("<3I", certificate.blob, offset)
            if number == 2:
                value = certificate.blob[offset + 12 : offset + 12 + length]
            offset += 12 + length
        found[certificate.identifier] = struct.unpack_from("<7I", value) if value else None
    return found


def _type_flags_spec(value: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    return value and (value[2], value[3], value[6])


@pytest.fixture(scope="module")
def demo() -> Scenario:
    return load(SCENARIOS / "demo.yml")


def _machine(scenario: Scenario, name: str) -> Machine:
    return next(plan.machine for plan in scenario.hosts if plan.machine.name == name)


def test_the_demo_has_every_kind_of_holder(demo: Scenario) -> None:
    providers = {
        certificate.key.provider if certificate.key.recorded else "unrecorded"
        for plan in demo.hosts
        for certificate in plan.machine.stores["MY"]
        if certificate.key
    }
    assert {
        "Microsoft Software Key Storage Provider",
        "Microsoft RSA SChannel Cryptographic Provider",
        "Microsoft Strong Cryptographic Provider",
        "Microsoft Base Smart Card Crypto Provider",
        "Microsoft Platform Crypto Provider",
        "unrecorded",
        None,
    } <= providers
    assert {plan.machine.language for plan in demo.hosts} == {"en", "de", "ja"}
    assert {plan.machine.powershell for plan in demo.hosts} >= {"2.0", "4.0"}
    assert sum("lync_frontends" in plan.groups for plan in demo.hosts) == 3


def test_blobs_say_what_the_scenario_says(demo: Scenario) -> None:
    front = _key_info(_machine(demo, "fe01"))
    assert _type_flags_spec(front["pool"]) == (12, 0x20, 1)
    assert _type_flags_spec(front["web"]) == (0, 0x20, 0)
    director = _key_info(_machine(demo, "dir01"))
    assert director["director"]
    assert director["director"][1] == 0, "a null provider name"
    assert _type_flags_spec(director["director"]) == (1, 0x20, 1)
    assert _type_flags_spec(director["logon"]) == (1, 0, 1), "a user's key"
    assert _key_info(_machine(demo, "fe03"))["unrecorded"] is None


def test_assignments_name_thumbprints_of_the_store(demo: Scenario) -> None:
    machine = _machine(demo, "fe01")
    assert machine.lync
    assert [use for use, _other in machine.lync.assignments] == [
        "Default",
        "WebServicesInternal",
        "WebServicesExternal",
        "OAuthTokenIssuer",
    ]
    assert all(machine.find(thumbprint) for _other, thumbprint in machine.lync.assignments)


def test_faults_scenario() -> None:
    scenario = load(SCENARIOS / "faults.yml")
    assert len(_machine(scenario, "large").stores["MY"]) == 1000
    assert "MY" not in _machine(scenario, "nostore").stores
    assert _machine(scenario, "emptystore").stores["MY"] == []
    damaged = {one.identifier: one for one in _machine(scenario, "damagedblobs").stores["MY"]}
    assert damaged["truncated"].issued is None
    assert damaged["misnamed"].key_name == "0" * 40
    assert damaged["empty"].blob == b""
    plans = {plan.machine.name: plan for plan in scenario.hosts}
    assert plans["cut"].faults[0].kind == "cut_before"
    assert plans["wrongpassword"].password != plans["wrongpassword"].machine.accounts["auditor"].password


def test_the_fleet_scenario_makes_its_hosts_and_certificates() -> None:
    scenario = load(SCENARIOS / "fleet.yml")
    assert [len(plan.machine.stores["MY"]) for plan in scenario.hosts] == [40] * 50
    assert len({plan.address for plan in scenario.hosts}) == 50


@pytest.mark.parametrize(
    ("host", "complaint"),
    [
        ({"langauge": "de"}, "unknown here: langauge"),
        ({"language": "xx"}, "language is 'xx'"),
        ({"powershell": "6.0"}, "powershell is '6.0'"),
        ({"stores": {"My": [{"key": {"holder": "nowhere"}}]}}, "holder is 'nowhere'"),
        ({"stores": {"My": [{"colour": 1}]}}, "unknown here: colour"),
        ({"stores": {"My": [{"validity": [5, 1]}]}}, "ends before it begins"),
        ({"stores": {"My": [{"defect": "odd"}]}}, "defect is 'odd'"),
        ({"stores": {"My": [{"assigned": ["Default"]}]}}, "the host has no lync"),
        ({"stores": {"My": [{"issuer": "other"}]}}, "issuer 'other'"),
        ({"faults": [{"kind": "explode"}]}, "kind 'explode'"),
        ({"count": 2}, "needs {n}"),
        ({"deny": ["everything"]}, "deny holds 'everything'"),
    ],
)
def test_complaints_name_the_place(host: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(complaint)) as caught:
        _one_host(**host)
    assert str(caught.value).startswith("test.yml: hosts[0]")


def test_two_hosts_of_one_name() -> None:
    with pytest.raises(ScenarioError, match="two hosts have the name 'a'"):
        parse({"hosts": [{"name": "a"}, {"name": "a"}]}, "test.yml")


def test_a_file_that_is_no_scenario(tmp_path: Path) -> None:
    (tmp_path / "x.yml").write_text("just text")
    with pytest.raises(ScenarioError, match="must be a mapping"):
        load(tmp_path / "x.yml")
    with pytest.raises(ScenarioError, match=r"missing\.yml"):
        load(tmp_path / "missing.yml")


def test_a_running_lab_answers_a_winrm_client(demo: Scenario) -> None:
    winrm = pytest.importorskip("winrm", reason="needs pywinrm")
    with Lab.from_scenario(Path("demo")) as lab:
        inventory = yaml.safe_load(lab.inventory_path.read_text("utf-8"))["all"]
        assert set(inventory["children"]["lync"]["children"]) == {"lync_frontends", "lync_directors", "edge"}
        for group, name in (("lync_frontends", "fe02"), ("edge", "edge01"), ("ca", "ca01")):
            host = inventory["children"][group]["hosts"][name]
            protocol = winrm.Protocol(
                f"{host['ansible_winrm_scheme']}://{host['ansible_host']}:{host['ansible_port']}/wsman",
                transport=host["ansible_winrm_transport"],
                username=host["ansible_user"],
                password=host["ansible_password"],
                server_cert_validation="ignore",
            )
            shell = protocol.open_shell(codepage=65001)
            command = protocol.run_command(shell, "certutil", ["-store", "Nowhere"])
            stdout, _between, code = protocol.get_command_output(shell, command)
            assert code == 0x80070002
            assert b"0x80070002" in stdout
            protocol.close_shell(shell)
            assert lab.counters(name)["commands"] == 1


def test_the_command_prints_an_inventory_and_stops_on_a_signal(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.yml"
    environment = {**os.environ, "PYTHONPATH": str(SCENARIOS.parents[1])}
    command = [sys.executable, "-m", "lab", "demo", "--inventory", str(inventory)]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        assert "7 hosts are up" in process.stderr.readline()
        assert json.loads(json.dumps(yaml.safe_load(inventory.read_text("utf-8"))))["all"]["children"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    failing = subprocess.run(
        [sys.executable, "-m", "lab", "nowhere.yml"], env=environment, capture_output=True, text=True, check=False
    )
    assert failing.returncode == 2
    assert "Traceback" not in failing.stderr
