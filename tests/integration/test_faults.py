# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong on one host is told, and hides nothing of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.runtime import Lab

SCENARIO = Path(__file__).parents[1] / "lab/scenarios/faults.yml"


@pytest.fixture(scope="module")
def faulty():
    with Lab.from_scenario(SCENARIO) as lab:
        yield lab


@pytest.fixture(scope="module")
def audited(faulty, new_controller):
    return new_controller().audit(faulty, "-e", "lync_certificates_probe_keys=false")


@pytest.fixture(scope="module")
def hosts(audited):
    return {host["host"]: host for host in audited.report()["hosts"]}


def test_the_play_fails_and_the_reports_are_written(audited, hosts):
    assert audited.exit_code == 2
    assert len(hosts) == 12


def test_no_traceback_reaches_the_user(audited):
    assert "Traceback" not in audited.output
    assert "An exception occurred" not in audited.output


@pytest.mark.parametrize(
    ("host", "status", "said"),
    [
        ("cut", "unreachable", "connection to the host broke"),
        ("offline", "unreachable", "winrm quickconfig"),
        ("wrongpassword", "unreachable", "credentials"),
        ("denied", "failed", "permissions of HKLM"),
        ("nostore", "failed", "It has: CA, REQUEST, ROOT"),
    ],
)
def test_a_host_without_result_says_why_and_what_to_do(hosts, host, status, said):
    assert hosts[host]["status"] == status
    assert said in hosts[host]["message"]
    assert hosts[host]["certificates"] == []


def test_the_others_are_audited_all_the_same(hosts):
    assert hosts["healthy"]["summary"]["suitable"] == 1


def test_a_damaged_blob_hides_no_other_and_is_named_by_its_key(hosts):
    host = hosts["damagedblobs"]
    names = {one["friendly_name"] for one in host["certificates"]}
    assert {"before", "after"} <= names
    assert len(host["problems"]) == 4
    assert all("Certificates\\" in problem["place"] and problem["remedy"] for problem in host["problems"])


def test_a_key_name_that_differs_from_the_thumbprint_is_noted(hosts):
    misnamed = next(one for one in hosts["damagedblobs"]["certificates"] if one["subject"] == "CN=misnamed")
    assert "0000000000" in " ".join(misnamed["notes"])


def test_a_name_and_a_type_that_contradict_each_other_are_never_suitable(hosts):
    one = next(one for one in hosts["damagedblobs"]["certificates"] if one["subject"] == "CN=contradictory")
    assert (one["key"]["kind"], one["verdict"]["status"]) == ("contradictory", "undetermined")


def test_an_assigned_certificate_that_is_gone_is_a_problem(hosts):
    assert "A" * 40 in hosts["missingkeys"]["problems"][0]["message"]


def test_who_may_not_ask_lync_still_sees_the_store(hosts):
    assert hosts["plainuser"]["summary"]["suitable"] == 1
    assert "RTCUniversalServerAdmins" in hosts["plainuser"]["problems"][0]["remedy"]


def test_an_empty_store_is_an_answer(hosts):
    assert (hosts["emptystore"]["status"], hosts["emptystore"]["summary"]["total"]) == ("ok", 0)


def test_a_thousand_certificates_take_one_command(hosts, faulty):
    assert hosts["large"]["summary"]["total"] == 1000
    assert faulty.counters("large")["commands"] == 1


def test_a_key_that_is_gone_is_found_by_an_administrator_only(controller, faulty):
    inventory = str(faulty.inventory_path)
    _done, result = controller.module("certificate_info", "missingkeys", {"probe_keys": True}, "-i", inventory)
    gone = {one["friendly_name"]: one for one in result["certificates"]}
    assert gone["csp"]["key"]["present"] is False
    assert gone["csp"]["verdict"]["status"] == "unsuitable"
    _done, result = controller.module("certificate_info", "plainuser", {"probe_keys": True}, "-i", inventory)
    assert result["certificates"][0]["key"]["present"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"store": "WebHosting"}, "no certificate store 'WebHosting'"),
        ({"store": "My\\Certificates"}, "not the name of a certificate store"),
        ({"store": "My", "source": "certutil", "profile": "lync_2031"}, "Did you mean lync_20"),
        ({"thumbprints": ["AA BB CC"]}, "40 hexadecimal digits"),
        ({"stor": "My"}, "winpki.keyprovider.certificate_info"),
        ({"source": "registri"}, "registry, certutil"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_right(controller, faulty, arguments, said):
    done, result = controller.module("certificate_info", "healthy", arguments, "-i", str(faulty.inventory_path))
    assert done.exit_code == 2
    assert said in result["msg"]
    assert "Traceback" not in done.output


def test_a_thumbprint_that_is_not_there_is_a_problem(controller, faulty):
    wanted = {"thumbprints": ["\u200e" + "AA " * 20]}
    _done, result = controller.module("certificate_info", "healthy", wanted, "-i", str(faulty.inventory_path))
    assert result["certificates"] == []
    assert "no certificate with the thumbprint" in result["problems"][0]["message"]


def test_a_thumbprint_copied_from_the_certificate_dialogue_is_understood(controller, faulty):
    stored = faulty.machine("healthy").stores["MY"][0].issued.thumbprint.lower()
    wanted = "\u200e" + " ".join(stored[i : i + 2] for i in range(0, 40, 2))
    _done, result = controller.module(
        "certificate_info", "healthy", {"thumbprints": [wanted]}, "-i", str(faulty.inventory_path)
    )
    assert [one["thumbprint"] for one in result["certificates"]] == [stored.upper()]


def test_a_host_that_is_not_windows_is_told_so(controller):
    done, result = controller.module("certificate_info", "localhost", {}, "-i", "localhost,", "-c", "local")
    assert done.exit_code == 2
    assert "not Windows" in result["msg"]


@pytest.mark.parametrize("request_number", range(1, 6))
@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_a_cut_at_any_request_ends_in_a_host_without_result_or_a_whole_one(controller, lab_of, kind, request_number):
    lab = lab_of(
        f"""
lab: {{user: Administrator, password: lab-only}}
cas: [{{id: c, subject: CN=CA, crl: "http://pki.contoso.example/ca.crl"}}]
hosts:
  - name: fe01
    faults: [{{kind: {kind}, at: {request_number}, times: 1000}}]
    stores: {{My: [{{subject: CN=one, key: {{holder: cng}}}}]}}
"""
    )
    done = controller.audit(lab)
    host = done.report()["hosts"][0]
    assert "Traceback" not in done.output
    if host["status"] == "ok":
        assert host["summary"]["unsuitable"] == 1
    else:
        assert host["status"] == "unreachable"
        assert done.exit_code != 0
        assert host["message"]
