# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection does over winrm it does over Ansible's psrp connection too."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from lab.runtime import Lab

SCENARIO = """
lab: {{user: Administrator, password: lab-only, connection: {connection}}}
cas: [{{id: c, subject: CN=CA, crl: "http://pki.contoso.example/ca.crl"}}]
hosts:
  - name: basichttp
    lync: {{version: 2013}}
    stores: &stores
      My:
        - {{subject: CN=pool, friendly_name: pool, key: {{holder: schannel}}, assigned: [Default]}}
        - {{subject: CN=web, friendly_name: web, key: {{holder: cng}}, assigned: [WebServicesInternal]}}
        - {{subject: CN=gone, friendly_name: gone, key: {{holder: schannel, missing: true}}}}
  - {{name: ntlmhttp, transport: ntlm, powershell: "2.0", os: 6.1.7601, lync: {{version: 2010}}, stores: *stores}}
  - {{name: basichttps, tls: true, powershell: "3.0", os: 6.2.9200, lync: {{version: 2013}}, stores: *stores}}
  - {{name: ntlmhttps, tls: true, transport: ntlm, powershell: "5.1", os: 10.0.17763, lync: {{version: 2019}},
     stores: *stores}}
  - name: german
    language: de
    stores: {{My: [{{subject: "CN=Zürich,O=Größe", friendly_name: Prüfung, key: {{holder: cng}}}}]}}
  - {{name: nolync, stores: {{My: [{{subject: CN=one, key: {{holder: cng}}}}]}}}}
  - name: denied
    deny: [registry, lync]
    lync: {{version: 2013}}
    stores: {{My: [{{subject: CN=one, key: {{holder: cng}}, assigned: [Default]}}]}}
"""

TRANSPORTS = ("basichttp", "ntlmhttp", "basichttps", "ntlmhttps")
READABLE = (*TRANSPORTS, "german", "nolync")


@pytest.fixture(scope="module")
def labs(tmp_path_factory):
    """The same hosts behind each connection plugin."""
    directory = tmp_path_factory.mktemp("psrp")
    running = {}
    for connection in ("psrp", "winrm"):
        path: Path = directory / f"{connection}.yml"
        path.write_text(SCENARIO.format(connection=connection), encoding="utf-8")
        running[connection] = Lab.from_scenario(path).start()
    yield running
    for lab in running.values():
        lab.stop()


def hosts(labs, controller, connection, *options):
    labs[connection].reset_counters()
    done = controller.audit(labs[connection], *options)
    assert "Traceback" not in done.output
    assert "An exception occurred" not in done.output
    return {host["host"]: host for host in done.report()["hosts"]}


@pytest.fixture(scope="module")
def audited(labs, new_controller):
    found = {name: hosts(labs, new_controller(), name) for name in ("psrp", "winrm")}
    found["counters"] = {name: labs["psrp"].counters(name) for name in READABLE}
    return found


def facts(host):
    """What was found, without thumbprints and dates, which differ from lab to lab."""
    fields = ("subject", "friendly_name", "assignments", "notes")
    return sorted(
        [
            {name: one[name] for name in fields}
            | {"key": one["key"] | {"container": None}, "verdict": one["verdict"]["status"]}
            for one in host["certificates"]
        ],
        key=lambda one: one["subject"],
    )


def test_the_hosts_are_reached_by_the_psrp_plugin(labs):
    inventory = yaml.safe_load(labs["psrp"].inventory)["all"]["children"]["ungrouped"]["hosts"]
    reached = {
        name: (inventory[name]["ansible_psrp_protocol"], inventory[name]["ansible_psrp_auth"]) for name in TRANSPORTS
    }
    assert {one["ansible_connection"] for one in inventory.values()} == {"psrp"}
    assert reached == {
        "basichttp": ("http", "basic"),
        "ntlmhttp": ("http", "ntlm"),
        "basichttps": ("https", "basic"),
        "ntlmhttps": ("https", "ntlm"),
    }


@pytest.mark.parametrize("name", TRANSPORTS)
def test_providers_verdicts_and_assignments_are_found(audited, name):
    host = audited["psrp"][name]
    assert (host["status"], host["problems"]) == ("ok", [])
    found = {
        one["friendly_name"]: (one["key"]["provider"], one["verdict"]["status"], one["assignments"])
        for one in host["certificates"]
    }
    assert found == {
        "pool": ("Microsoft RSA SChannel Cryptographic Provider", "suitable", ["Default"]),
        "web": ("Microsoft Software Key Storage Provider", "unsuitable", ["WebServicesInternal"]),
        "gone": ("Microsoft RSA SChannel Cryptographic Provider", "suitable", []),
    }


@pytest.mark.parametrize("name", READABLE)
def test_the_result_is_that_of_winrm(audited, name):
    assert facts(audited["psrp"][name]) == facts(audited["winrm"][name])


def test_a_host_that_may_not_be_read_says_why_and_what_to_do(audited):
    host = audited["psrp"]["denied"]
    assert host["status"] == "failed"
    assert "ERROR: Access is denied." in host["message"]
    assert "CategoryInfo" not in host["message"]
    assert "permissions of HKLM" in host["message"]


def test_a_host_costs_one_script_and_six_requests_with_basic(audited):
    assert {counted["commands"] for counted in audited["counters"].values()} == {1}
    basic = ("basichttp", "basichttps", "german", "nolync")
    assert {audited["counters"][name]["requests"] for name in basic} == {6}


@pytest.mark.parametrize("name", TRANSPORTS)
def test_probing_finds_the_key_that_is_gone(labs, controller, name):
    inventory = str(labs["psrp"].inventory_path)
    _done, result = controller.module("certificate_info", name, {"probe_keys": True}, "-i", inventory)
    found = {one["friendly_name"]: (one["key"]["present"], one["verdict"]["status"]) for one in result["certificates"]}
    assert found == {"pool": (True, "suitable"), "web": (True, "unsuitable"), "gone": (False, "unsuitable")}
    assert result["problems"] == []


@pytest.mark.parametrize("name", TRANSPORTS)
def test_certutil_as_source_agrees_about_the_provider(labs, controller, audited, name):
    inventory = str(labs["psrp"].inventory_path)
    _done, result = controller.module("certificate_info", name, {"source": "certutil"}, "-i", inventory)
    recorded = {one["thumbprint"]: one["key"]["provider"] for one in audited["psrp"][name]["certificates"]}
    assert {one["thumbprint"]: one["key"]["provider"] for one in result["certificates"]} == recorded


def test_certutil_is_understood_although_its_umlauts_arrive_garbled(labs, controller, audited):
    inventory = str(labs["psrp"].inventory_path)
    _done, result = controller.module("certificate_info", "german", {"source": "certutil"}, "-i", inventory)
    (one,), (recorded,) = result["certificates"], audited["psrp"]["german"]["certificates"]
    assert recorded["subject"] == "CN=Zürich,O=Größe"
    assert (one["thumbprint"], one["key"]["provider"]) == (recorded["thumbprint"], recorded["key"]["provider"])
    assert one["verdict"]["status"] == "unsuitable"


@pytest.mark.parametrize("source", ["registry", "certutil"])
@pytest.mark.parametrize("name", ["basichttp", "ntlmhttp", "german"])
def test_the_exit_code_of_a_native_command_is_its_own(labs, controller, name, source):
    """reg.exe ends with 1 and certutil with an HRESULT when there is no such store; both become one clear message."""
    inventory = str(labs["psrp"].inventory_path)
    arguments = {"store": "WebHosting", "source": source}
    done, result = controller.module("certificate_info", name, arguments, "-i", inventory)
    assert done.exit_code == 2
    assert "no certificate store 'WebHosting'" in result["msg"]
    assert "It has: CA, MY, REQUEST, ROOT" in result["msg"]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("reg.exe query HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\None", 1),
        ("certutil.exe -store None", 0x80070002 - (1 << 32)),
        ("reg.exe query HKLM\\SOFTWARE\\Microsoft\\SystemCertificates", 0),
    ],
)
def test_a_raw_command_ends_with_the_exit_code_of_the_tool(labs, controller, script, code):
    done = controller.run(
        "ansible", "basichttp", "-m", "ansible.builtin.raw", "-a", script, "-i", str(labs["psrp"].inventory_path)
    )
    assert f"rc={code} " in done.stdout, done.output


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("inventory_password: wrong", "Failed to authenticate the user Administrator with basic"),
        ("inventory_password: wrong, transport: ntlm", "Failed to authenticate the user Administrator with ntlm"),
        ("inventory_password: wrong, transport: ntlm, tls: true", "Failed to authenticate"),
        ("offline: true", "Connection refused"),
    ],
)
def test_a_host_that_cannot_be_reached_is_unreachable(controller, lab_of, settings, said):
    lab = lab_of(
        f"lab: {{user: Administrator, password: right, connection: psrp}}\nhosts: [{{name: fe01, {settings}}}]\n"
    )
    done = controller.audit(lab)
    (host,) = done.report()["hosts"]
    assert done.exit_code == 2
    assert host["status"] == "unreachable"
    assert said in host["message"]
    assert "winrm quickconfig" in host["message"]
    assert "Traceback" not in done.output


def test_a_cut_at_any_request_ends_in_a_host_without_result_or_a_whole_one(controller, lab_of):
    kinds = ("cut_before", "cut_after", "http_500", "quota")
    listed = "\n".join(
        f"  - {{name: {kind}{at}, faults: [{{kind: {kind}, at: {at}, times: 1000}}], "
        "stores: {My: [{subject: CN=one, key: {holder: cng}}]}}"
        for kind in kinds
        for at in range(1, 7)
    )
    lab = lab_of(
        "lab: {user: Administrator, password: lab-only, connection: psrp}\n"
        f'cas: [{{id: c, subject: CN=CA, crl: "http://pki.contoso.example/ca.crl"}}]\nhosts:\n{listed}\n'
    )
    done = controller.audit(lab, "-f", "6")
    assert "Traceback" not in done.output
    assert "An exception occurred" not in done.output
    seen = {host["host"]: host for host in done.report()["hosts"]}
    whole = {f"{kind}6" for kind in kinds}  # the sixth request closes the runspace; the result is there by then
    assert {name for name, host in seen.items() if host["status"] == "ok"} == whole
    assert {seen[name]["summary"]["unsuitable"] for name in whole} == {1}
    assert {host["status"] for name, host in seen.items() if name not in whole} == {"unreachable"}


def test_a_large_store_in_many_receives(controller, lab_of):
    lab = lab_of(
        """
lab: {user: Administrator, password: lab-only, connection: psrp}
cas: [{id: c, subject: CN=CA, crl: "http://pki.contoso.example/ca.crl"}]
hosts:
  - name: large
    max_envelope: 153600
    stores: {My: [{generate: 300, subject: "CN=bulk{n}", holders: [schannel, cng]}]}
"""
    )
    done = controller.audit(lab)
    assert done.report()["hosts"][0]["summary"]["total"] == 300
    assert lab.counters("large")["commands"] == 1
    assert lab.counters("large")["operations"]["Receive"] > 5
