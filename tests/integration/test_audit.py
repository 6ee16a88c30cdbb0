# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit playbook over real WinRM against the fleet of the demo."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

# What the scenario says, judged by hand: friendly name, kind, provider, verdict for Lync Server 2013, of the edge 2010.
EXPECTED = {
    "fe01": {
        "Lync pool default 2026": ("csp", "Microsoft RSA SChannel Cryptographic Provider", "suitable"),
        "Lync web 2026": ("ksp", "Microsoft Software Key Storage Provider", "unsuitable"),
        "Lync OAuth": ("csp", "Microsoft RSA SChannel Cryptographic Provider", "suitable"),
        None: ("csp", "Microsoft Enhanced Cryptographic Provider v1.0", "unsuitable"),
    },
    "fe02": {
        "Lync-Pool \u201eStandard\u201c": ("csp", "Microsoft Strong Cryptographic Provider", "warning"),
        "Lync Web PSS": ("csp", "Microsoft RSA SChannel Cryptographic Provider", "unsuitable"),
        "Lync-Pool alt": ("csp", "Microsoft RSA SChannel Cryptographic Provider", "unsuitable"),
    },
    "fe03": {
        "会議サーバー証明書": ("csp", "Microsoft RSA SChannel Cryptographic Provider", "suitable"),
        "Lync 2024": ("csp", "Microsoft RSA SChannel Cryptographic Provider", "unsuitable"),
        "no provider recorded": ("unrecorded", None, "undetermined"),
        "restored without its key": ("csp", "Microsoft RSA SChannel Cryptographic Provider", "suitable"),
    },
    "dir01": {
        "Director": ("csp", None, "warning"),
        "Smart card logon": ("csp", "Microsoft Base Smart Card Crypto Provider", "unsuitable"),
        "Device identity": ("ksp", "Microsoft Platform Crypto Provider", "unsuitable"),
    },
    "edge01": {
        "Edge external": ("csp", "Microsoft RSA SChannel Cryptographic Provider", "suitable"),
        "Edge internal": ("csp", "Microsoft Enhanced Cryptographic Provider v1.0", "unsuitable"),
    },
}

ASSIGNED = {
    "Lync pool default 2026": ["Default"],
    "Lync web 2026": ["WebServicesInternal", "WebServicesExternal"],
    "Lync OAuth": ["OAuthTokenIssuer"],
    "Director": ["Default", "WebServicesInternal", "WebServicesExternal"],
    "Edge external": ["AccessEdgeExternal", "DataEdgeExternal", "AudioVideoAuthentication"],
}

# Likewise of the templates: schema version, category, the CAs that offer it, verdict.
TEMPLATES = {
    "LyncWebServer": (4, "ksp", ["Contoso Issuing CA 1", "Contoso Issuing CA 2"], "unsuitable"),
    "LyncWeb2008": (3, "ksp", ["Contoso Issuing CA 1"], "unsuitable"),
    "WebServer": (1, "csp", ["Contoso Issuing CA 1"], "warning"),
    "LyncWebServer2": (4, "csp", ["Contoso Issuing CA 2"], "suitable"),
    "LyncEdge": (4, "ksp", [], "unsuitable"),
}
WITH_TEMPLATES = ("-e", "lync_certificates_directory_host=dc01")


@pytest.fixture(scope="module")
def audited(demo, new_controller):
    demo.reset_counters()
    done = new_controller().audit(demo, *WITH_TEMPLATES)
    done.counters = {name: demo.counters(name) for name in EXPECTED}
    return done


@pytest.fixture(scope="module")
def by_name(audited):
    assert audited.exit_code == 0, audited.output
    return {
        host["host"]: {one["friendly_name"]: one for one in host["certificates"]}
        for host in audited.report()["hosts"]
        if host["host"] in EXPECTED
    }


@pytest.mark.parametrize("host", EXPECTED)
def test_each_certificate_gets_its_provider_and_verdict(by_name, host):
    found = {
        name: (one["key"]["kind"], one["key"]["provider"], one["verdict"]["status"])
        for name, one in by_name[host].items()
    }
    assert found == EXPECTED[host]


def test_what_lync_uses_each_for_is_told(by_name):
    found = {name: one["assignments"] for host in by_name.values() for name, one in host.items()}
    assert {name: found[name] for name in ASSIGNED} == ASSIGNED
    assert found["Lync-Pool alt"] == []


def test_the_templates_of_the_forest_are_told_beside_them(audited):
    section = audited.report()["templates"]
    assert section["problems"] == []
    found = {
        one["name"]: (one["schema_version"], one["category"], one["published_on"], one["verdict"]["status"])
        for one in section["items"]
    }
    assert found == TEMPLATES
    assert "forest contoso.example, read from dc01.contoso.example" in audited.stderr
    assert "LyncEdge" not in audited.stderr, "no CA offers it"
    for name in ("report.html", "templates.csv", "junit.xml"):
        assert set(TEMPLATES) <= set(re.findall(r"\w+", audited.report(name))), name


def test_certificates_name_the_templates_that_led_to_their_keys(audited, by_name):
    categories = {one["oid"]: one["category"] for one in audited.report()["templates"]["items"]}
    by_oid = {
        name: categories[one["template"]["oid"]]
        for host in by_name.values()
        for name, one in host.items()
        if (one["template"] or {}).get("oid") in categories
    }
    assert by_oid == {
        "Lync pool default 2026": "ksp",
        "Lync web 2026": "ksp",
        "会議サーバー証明書": "csp",
        "no provider recorded": "ksp",
    }


def test_a_host_costs_five_requests_with_basic(audited):
    basic = ("fe01", "fe02", "fe03", "edge01")
    assert {name: audited.counters[name]["requests"] for name in basic} == dict.fromkeys(basic, 5)


def test_each_host_ran_one_command(audited):
    assert {counted["commands"] for counted in audited.counters.values()} == {1}


def test_the_play_changes_nothing(audited):
    assert audited.stdout.count("changed=0") == 7
    assert "changed=1" not in audited.stdout


def test_the_terminal_shows_the_table(audited):
    assert "UNSUITABLE" in audited.stderr
    assert "fe01" in audited.stderr
    assert "report.html" in audited.stderr


def test_every_certificate_is_in_every_report(audited, by_name):
    thumbprints = {one["thumbprint"] for host in by_name.values() for one in host.values()}
    rows = list(csv.DictReader(io.StringIO(audited.report("report.csv"))))
    assert thumbprints <= {row["thumbprint"] for row in rows}
    junit = ET.fromstring(audited.report("junit.xml").encode())
    names = " ".join(case.get("name", "") for case in junit.iter("testcase"))
    page = audited.report("report.html")
    for thumbprint in thumbprints:
        assert thumbprint[:8] in names
        assert thumbprint in page


def test_an_unsuitable_certificate_does_not_stop_a_play_that_did_not_ask(audited):
    assert "failed=1" not in audited.stdout


def test_a_gate_stops_after_the_reports(controller, demo):
    done = controller.audit(demo, "-e", "lync_certificates_fail_on=unsuitable")
    assert done.exit_code == 2
    assert done.report()["summary"]["certificates"]["unsuitable"] >= 7
    assert "failed=1" in done.stdout
    assert "The buffer supplied to a function was too small" in done.stdout


def only(lab, host, identifier):
    """Limit a play to one certificate of one host."""
    thumbprint = next(one.issued.thumbprint for one in lab.machine(host).stores["MY"] if one.identifier == identifier)
    return ("-l", host, "-e", json.dumps({"lync_certificates_thumbprints": [thumbprint]}))


@pytest.mark.parametrize(
    ("host", "identifier", "fail_on", "exit_code"),
    [
        ("edge01", "external", "warning", 0),
        ("fe02", "pool", "unsuitable", 0),
        ("fe02", "pool", "undetermined", 0),
        ("fe02", "pool", "warning", 2),
        ("fe03", "unrecorded", "unsuitable", 0),
        ("fe03", "unrecorded", "undetermined", 2),
        ("fe01", "web", "unsuitable", 2),
        ("fe01", "web", "never", 0),
    ],
)
def test_a_gate_stops_at_its_verdict_and_those_worse(controller, demo, host, identifier, fail_on, exit_code):
    done = controller.audit(demo, *only(demo, host, identifier), "-e", f"lync_certificates_fail_on={fail_on}")
    assert done.exit_code == exit_code, done.output
    assert done.report()["summary"]["certificates"]["total"] == 1


def test_check_mode_reads_the_same_and_still_reports(controller, demo, audited):
    done = controller.audit(demo, *WITH_TEMPLATES, "--check", "--diff")
    assert done.exit_code == 0, done.output
    assert done.report()["summary"] == audited.report()["summary"]
    assert done.report()["templates"] == audited.report()["templates"]


def test_a_profile_may_differ_by_host(controller, demo):
    done = controller.audit(demo, "-l", "fe01", "-e", "lync_certificates_profile=sfb_2019")
    certificates = done.report()["hosts"][0]["certificates"]
    web = next(one for one in certificates if one["friendly_name"] == "Lync web 2026")
    assert (web["verdict"]["profile"], web["verdict"]["status"]) == ("sfb_2019", "warning")


@pytest.mark.parametrize("host", ["fe01", "fe02", "fe03", "edge01"])
def test_certutil_as_source_agrees_about_the_provider(controller, demo, host, by_name):
    _done, result = controller.module("certificate_info", host, {"source": "certutil"}, "-i", str(demo.inventory_path))
    recorded = {one["thumbprint"]: one["key"]["provider"] for one in by_name[host].values()}
    assert {one["thumbprint"]: one["key"]["provider"] for one in result["certificates"]} == recorded
    assert all(one["verdict"]["status"] != "suitable" for one in result["certificates"])


def test_probing_finds_the_key_that_is_gone(controller, demo):
    for host, gone in (("fe01", set()), ("edge01", set()), ("fe03", {"restored without its key"})):
        done, result = controller.module("certificate_info", host, {"probe_keys": True}, "-i", str(demo.inventory_path))
        assert done.exit_code == 0, result
        absent = {one["friendly_name"] for one in result["certificates"] if one["key"]["present"] is not True}
        assert gone <= absent, host
        assert all(
            one["verdict"]["status"] != "suitable" for one in result["certificates"] if one["friendly_name"] in gone
        )


def demo_script(tmp_path, *arguments, **environment):
    directories = {f"lync_certificates_{name}": str(tmp_path / name) for name in ("report_dir", "template_backup_dir")}
    return subprocess.run(
        [Path(__file__).parents[2] / "tools/demo.sh", "-e", json.dumps(directories), *arguments],
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "ANSIBLE_HOME": str(tmp_path / ".ansible"),
            "ANSIBLE_NOCOLOR": "true",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_what_the_demo_says_comes_next_works(tmp_path):
    def demo(**environment):
        done = demo_script(tmp_path, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads((tmp_path / "report_dir/report.json").read_text("utf-8"))
        templates = {one["name"]: one["verdict"]["status"] for one in report["templates"]["items"]}
        in_use = {
            (host["host"], usage): certificate["verdict"]["status"]
            for host in report["hosts"]
            for certificate in host["certificates"]
            for usage in certificate["assignments"]
        }
        return done, templates, in_use

    first, templates, in_use = demo()
    told = re.search(r"^Next: make demo (\w+)=(\w+) .* the template (\w+) right", first.stdout, re.M)
    variable, value, name = told.groups()
    unusable = {place for place, status in in_use.items() if status == "unsuitable"}
    assert (templates[name], len(unusable)) == ("unsuitable", 5)
    then, templates, in_use = demo(**{variable: value})
    assert templates[name] == "suitable"
    assert {place: in_use[place] for place in unusable} == dict.fromkeys(unusable, "suitable")
    assert "+pKIDefaultCSPs: 1,Microsoft RSA SChannel Cryptographic Provider" in then.stdout
    assert len(list((tmp_path / "template_backup_dir").iterdir())) == 2
    assert "Next:" not in then.stdout
    assert f"\n5 of {len(in_use)} usages of Lync have another certificate now:\n" in then.stdout
    assert f"\n0 of {len(in_use)} usages have a certificate that the product cannot use." in then.stdout


def test_the_demo_of_conversions_looks_converts_and_tells_what_is_left(tmp_path):
    done = demo_script(tmp_path, CONVERT="1")
    assert done.returncode == 0, done.stdout + done.stderr
    planned, converted = done.stdout.split("\nThe conversion:\n")
    assert "6 of 9 certificates for Lync usages are not in place: 6 to convert\n" in planned
    assert "9 certificates for Lync usages: all in place\n" in converted
    assert "\n11 of 14 usages of Lync have the same certificate with its key in another provider now:\n" in converted
    assert "another certificate now" not in converted
    assert "\n0 of 14 usages have a certificate that the product cannot use.\n" in converted
    [former] = re.findall(
        r"\n6 former keys are still on the servers, .*:\n((?:\w+: .* Key Storage Provider\n)+)", converted
    )
    assert sorted(line.partition(":")[0] for line in former.splitlines()) == [
        "de01", "edge01", "edge02", "fe01", "fe01", "old01",
    ]  # fmt: skip


def test_a_gate_on_the_command_line_stops_after_the_work(tmp_path):
    done = demo_script(tmp_path, "-e", "lync_certificates_fail_on=unsuitable", ENFORCE="1")
    assert done.returncode == 2, done.stdout + done.stderr
    report = json.loads((tmp_path / "report_dir/report.json").read_text("utf-8"))
    in_use = [one for host in report["hosts"] for one in host["certificates"] if one["assignments"]]
    assert "unsuitable" not in {one["verdict"]["status"] for one in in_use}


def test_the_demo_says_why_it_could_not_enforce(tmp_path):
    done = demo_script(tmp_path, TEMPLATE="LyncWeb2008")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "schema version 3" in done.stdout
    assert done.stdout.rstrip().endswith("say why and what to do.")
