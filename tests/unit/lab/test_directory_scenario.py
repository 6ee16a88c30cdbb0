# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenarios with a directory: what comes with the lab, complaints, and ldifde through a real WinRM client."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from lab.directory.embedded import EmbeddedDirectory
from lab.directory.model import Caller
from lab.runtime import SCENARIOS, Lab
from lab.scenario import Scenario, ScenarioError, load, parse


def _scenario(directory: dict[str, Any] | None, **host: Any) -> Scenario:
    data: dict[str, Any] = {"lab": {"password": "x"}, "hosts": [{"name": "dc01", **host}]}
    return parse(data if directory is None else {**data, "directory": directory}, "test.yml")


def _template(**values: Any) -> Scenario:
    return _scenario({"templates": [{"name": "Web", **values}]}, domain_controller=True)


@pytest.fixture(scope="module")
def lab() -> Any:
    with Lab.from_scenario(Path("templates")) as running:
        yield running


def _all(lab: Lab, kind: str) -> dict[str, dict[str, list[bytes]]]:
    directory = lab.directory
    found = directory.search(directory.administrator, directory.configuration, "sub", f"(objectClass={kind})", None)
    return {entry.attributes["cn"][0].decode(): entry.attributes for entry in found}


def test_the_templates_scenario_covers_the_kinds(lab: Lab) -> None:
    templates = _all(lab, "pKICertificateTemplate")
    versions = {held.get("msPKI-Template-Schema-Version", [b"absent"])[0] for held in templates.values()}
    assert versions == {b"1", b"2", b"3", b"4", b"absent"}
    assert any(set('",()*\\ü') <= set(name) for name in templates)
    assert len({held["displayName"][0] for held in templates.values()}) == len(templates) - 1
    assert int(templates["LyncPinned"]["msPKI-Private-Key-Flag"][0]) & 0x100
    assert int(templates["AttestedDevice"]["msPKI-Private-Key-Flag"][0]) & 0x2000
    assert all(-(1 << 31) <= int(held["msPKI-Certificate-Name-Flag"][0]) < 1 << 31 for held in templates.values())
    offered = _all(lab, "pKIEnrollmentService")
    assert len(offered) == 2
    assert {name.decode() for held in offered.values() for name in held["certificateTemplates"]} <= set(templates)


def test_certificates_name_the_templates_of_the_directory(lab: Lab) -> None:
    held = _all(lab, "pKICertificateTemplate")["LyncWebServer"]["msPKI-Cert-Template-OID"]
    (stored,) = lab.machine("fe01").stores["MY"]
    assert stored.template
    assert [str(stored.template.oid).encode()] == held


def test_roles_of_hosts(lab: Lab) -> None:
    roles = {name: lab.machine(name).directory for name in ("dc01", "admin01", "fe01")}
    assert {name: role and role.controller for name, role in roles.items()} == {
        "dc01": True,
        "admin01": False,
        "fe01": None,
    }
    assert lab.directory.server == "dc01.corp.example.test"


def _ldifde(lab: Lab, name: str, transport: str, *arguments: str) -> tuple[str, int]:
    winrm = pytest.importorskip("winrm", reason="needs pywinrm")
    inventory = yaml.safe_load(lab.inventory)["all"]["children"]
    host = next(group["hosts"][name] for group in inventory.values() if name in group.get("hosts", {}))
    protocol = winrm.Protocol(
        f"http://{host['ansible_host']}:{host['ansible_port']}/wsman",
        transport=transport,
        username=host["ansible_user"],
        password=host["ansible_password"],
    )
    shell = protocol.open_shell(codepage=65001)
    stdout, _stderr, code = protocol.get_command_output(shell, protocol.run_command(shell, "ldifde", arguments))
    protocol.close_shell(shell)
    return stdout.decode(), code


@pytest.mark.parametrize(
    ("host", "transport", "code"),
    [
        ("dc01", "basic", 0),
        ("dc01", "ntlm", 0),
        ("admin01", "basic", 0),
        ("admin01", "ntlm", 8224),
        ("fe01", "basic", 1),
    ],
)
def test_what_the_wire_knows_decides_on_the_second_hop(lab: Lab, host: str, transport: str, code: int) -> None:
    options = ("-f", "con", "-d", "#configurationNamingContext", "-r", "(cn=LyncWebServer)", "-l", "cn")
    stdout, ended = _ldifde(lab, host, transport, *options)
    assert ended == code
    assert ("cn: LyncWebServer\r\n" in stdout) is (code == 0)


def test_a_directory_of_ones_own_is_filled() -> None:
    own = EmbeddedDirectory("other.example", accounts={"boss": "y"}, administrators=["boss"])
    with Lab.from_scenario(Path("templates"), directory=own) as lab:
        assert lab.directory is own
        found = own.search(
            Caller("boss", "y"), own.configuration, "sub", "(objectClass=pKICertificateTemplate)", ["cn"]
        )
        planned = load(SCENARIOS / "templates.yml").directory
        assert planned
        assert len(found) == len(planned.templates)
        role = lab.machine("admin01").directory
        assert role
        assert role.directory is own


def test_a_lab_without_a_directory() -> None:
    lab = Lab(_scenario(None))
    with pytest.raises(LookupError):
        assert lab.directory
    lab.stop()


def test_variables_of_a_host() -> None:
    inventory = _scenario(None, variables={"pool": "pool01", "sizes": [1, 2]}).inventory({})
    assert inventory["all"]["children"]["ungrouped"]["hosts"]["dc01"]["sizes"] == [1, 2]


def test_attributes_of_a_template() -> None:
    scenario = _template(
        schema=None,
        private_key_flags=0x82000000,
        attributes={"flags": None, "pKIKeyUsage": {"base64": "iA=="}, "description": ["a", 1, True]},
    )
    (held,) = _all(Lab(scenario), "pKICertificateTemplate").values()
    assert held["msPKI-Private-Key-Flag"] == [b"-2113929216"]
    assert held["pKIKeyUsage"] == [b"\x88"]
    assert held["description"] == [b"a", b"1", b"TRUE"]
    assert not {"flags", "msPKI-Template-Schema-Version"} & set(held)


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ({"schema": 5}, "schema is 5"),
        ({"colour": 1}, "unknown here: colour"),
        ({"revision": [1]}, "revision must be two numbers"),
        ({"enroll": ["Nobody"]}, "enroll: 'Nobody'"),
        ({"attributes": {"flags": {"hex": "1"}}}, "attributes: flags: {'hex': '1'}"),
        ({"attributes": {"pKIKeyUsage": {"base64": "*"}}}, "is not base64"),
    ],
)
def test_complaints_name_the_place(template: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(complaint)) as caught:
        _template(**template)
    assert str(caught.value).startswith("test.yml: directory: templates[0]")


def test_what_the_directory_refuses_is_told_with_the_object() -> None:
    with pytest.raises(ScenarioError, match=r"directory: 21: CN=Web,CN=Certificate Templates.*attribute conversion"):
        Lab(_template(attributes={"revision": "x"}))


def test_other_complaints() -> None:
    with pytest.raises(ScenarioError, match="needs a directory section"):
        _scenario(None, ad_tools=True)
    with pytest.raises(ScenarioError, match="two have the name 'Web'"):
        _scenario({"templates": [{"name": "Web"}, {"name": "web"}]})
