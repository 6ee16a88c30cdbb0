# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role and the modules in plays that users write: batches, profiles by host, wrong variables, exit codes."""

from __future__ import annotations

import json
import re
import textwrap

import pytest


@pytest.fixture
def play(controller):
    """Run a playbook of the user's own."""

    def run(lab, text, *arguments, **environment):
        (controller.directory / "site.yml").write_text(textwrap.dedent(text), encoding="utf-8")
        return controller.run("ansible-playbook", "-i", str(lab.inventory_path), "site.yml", *arguments, **environment)

    return run


def inventory_of(controller, **hosts):
    """A second inventory, with variables by host."""
    path = controller.directory / "more.json"
    path.write_text(json.dumps({"all": {"hosts": hosts}}), encoding="utf-8")
    return "-i", str(path)


def host_statuses(done):
    return {host["host"]: host["status"] for host in done.report()["hosts"]}


SERIAL = """
    - hosts: lync
      gather_facts: false
      serial: 2
      roles: [winpki.keyprovider.lync_certificates]
"""


def test_a_play_in_batches_ends_with_a_report_of_all_hosts(play, demo):
    done = play(demo, SERIAL)
    assert done.exit_code == 0, done.output
    assert set(host_statuses(done).values()) == {"ok"}
    assert "UNREACHABLE" not in done.stderr
    assert "SKIPPED  The turn of the host has not come" in done.stderr


def test_hosts_that_a_stopped_play_never_came_to_are_skipped_and_not_unreachable(play, demo):
    done = play(demo, SERIAL, "-e", "lync_certificates_fail_on=unsuitable")
    assert done.exit_code == 2
    assert host_statuses(done) == {
        "fe01": "ok",
        "fe02": "ok",
        "fe03": "skipped",
        "dir01": "skipped",
        "edge01": "skipped",
    }


def test_the_reports_tell_the_profile_of_each_host(controller, demo):
    more = inventory_of(controller, edge01={"lync_certificates_profile": "lync_2010"})
    done = controller.audit(demo, *more, "-l", "edge01,fe01")
    assert done.exit_code == 0, done.output
    document = done.report()
    assert {host["host"]: host["profile"] for host in document["hosts"]} == {"fe01": "lync_2013", "edge01": "lync_2010"}
    assert document["product"] == "Lync Server 2010, Lync Server 2013"
    for name in ("fe01", "edge01"):
        profile = "lync_2010" if name == "edge01" else "lync_2013"
        assert f"{profile}: {name}" in done.stderr
        assert f'classname="{profile}.{name}"' in done.report("junit.xml")
        assert f",{profile}," in next(row for row in done.report("report.csv").splitlines() if f",{name}," in row)
    assert "cannot be used by the product of their host" in done.report("report.html")


def test_a_wrong_profile_of_the_first_host_does_not_cost_the_report_of_the_others(controller, demo):
    more = inventory_of(controller, fe01={"lync_certificates_profile": "lync_2031"})
    done = controller.audit(demo, *more, "-l", "fe01,fe02")
    assert done.exit_code == 2
    assert host_statuses(done) == {"fe01": "failed", "fe02": "ok"}
    assert done.report()["product"] == "Lync Server 2013"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("lync_certificates_thumbprints", ["zz"], "'zz' is not the SHA-1 thumbprint of a certificate"),
        ("lync_certificates_thumbprints", "", "'' is not the SHA-1 thumbprint of a certificate"),
        ("lync_certificates_report_dir", "", "option 'dest' is empty"),
        ("lync_certificates_report_dir", "occupied", "occupied: it is not a directory"),
        ("lync_certificates_profile", "lync_2031", "Did you mean lync_2013?"),
        ("lync_certificates_store", "LocalMachine\\My", "store in LocalMachine alone"),
    ],
)
def test_a_wrong_value_stops_the_pipeline_and_is_named(controller, demo, variable, value, said):
    (controller.directory / "occupied").write_text("")
    done = controller.audit(demo, "-l", "edge01", "-e", json.dumps({variable: value}))
    assert done.exit_code == 2
    assert said in done.stdout
    assert "Traceback" not in done.output


def test_a_directory_that_cannot_be_written_does_not_cost_the_table(controller, demo):
    (controller.directory / "occupied").write_text("")
    done = controller.audit(demo, "-l", "edge01", "-e", "lync_certificates_report_dir=occupied")
    assert "edge01" in done.stderr
    assert "report.html" not in done.stderr


def test_the_playbook_waits_for_the_last_host_whatever_the_strategy(controller, demo):
    done = controller.audit(demo, ANSIBLE_STRATEGY="free")
    assert done.exit_code == 0, done.output
    assert done.stderr.count("Key providers of certificates:") == 1
    assert set(host_statuses(done).values()) == {"ok"}


def test_no_log_keeps_the_table_from_the_terminal(play, demo):
    done = play(
        demo,
        """
        - hosts: fe01
          gather_facts: false
          no_log: true
          roles: [winpki.keyprovider.lync_certificates]
        """,
    )
    assert done.exit_code == 0, done.output
    assert "UNSUITABLE" not in done.output
    assert done.report()["summary"]["certificates"]["total"] == 4


REPORTS = """
    - hosts: fe01,edge01
      gather_facts: false
      tasks:
        - winpki.keyprovider.certificate_info:
            store: "{{ item }}"
          loop: [My, Root]
          register: stores
        - ansible.builtin.set_fact:
            other: {stdout: text}
        - winpki.keyprovider.certificate_report:
            register: "{{ name }}"
            hosts: "{{ named | default(omit) }}"
            dest: certificate_reports
            fail_on: unsuitable
          run_once: true
"""


def test_a_loop_over_stores_is_reported_store_by_store(play, demo):
    done = play(demo, REPORTS, "-e", "name=stores")
    assert done.exit_code == 0, done.output
    found = [(host["host"], host["store"], len(host["certificates"])) for host in done.report()["hosts"]]
    roots = {name: len(demo.machine(name).stores["ROOT"]) for name in ("fe01", "edge01")}
    assert found == [
        ("fe01", "My", 4),
        ("fe01", "Root", roots["fe01"]),
        ("edge01", "My", 2),
        ("edge01", "Root", roots["edge01"]),
    ]
    assert roots["fe01"] != roots["edge01"]


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"name": "stors"}, "No host has the variable 'stors'"),
        ({"name": "stores", "named": ["nosuch"]}, "The inventory has no host 'nosuch'"),
        ({"name": "stores", "named": []}, "There is no host to report"),
    ],
)
def test_a_report_of_nothing_is_an_error(play, demo, extra, said):
    done = play(demo, REPORTS, "-e", json.dumps(extra))
    assert done.exit_code == 2
    assert said in done.stdout
    assert "Traceback" not in done.output


def test_a_variable_that_is_no_result_does_not_look_like_an_empty_store(play, demo):
    done = play(demo, REPORTS, "-e", "name=other")
    assert host_statuses(done) == {"fe01": "failed", "edge01": "failed"}
    assert "is no result of certificate_info" in done.stderr


def test_probing_without_being_administrator_is_a_problem(controller, lab_of):
    lab = lab_of(
        """
        lab: {domain: fabrikam.example, user: auditor, password: Lab-Pass-2026!}
        cas: [{id: fabrikam, subject: "CN=Fabrikam CA", crl: "http://pki.fabrikam.example/ca.crl"}]
        hosts:
          - name: plain
            user: reader
            accounts: {reader: {password: Reader-Pass-2026!, administrator: false}}
            stores: {My: [{id: web, key: {holder: schannel}}]}
        """
    )
    _done, result = controller.module("certificate_info", "plain", {"probe_keys": True}, "-i", str(lab.inventory_path))
    assert result["certificates"][0]["key"]["present"] is None
    assert "could not be probed" in result["problems"][0]["message"]


def test_expressions_can_work_with_a_result(play, demo):
    done = play(
        demo,
        """
        - hosts: fe01
          gather_facts: false
          module_defaults:
            group/winpki.keyprovider.all: {profile: sfb_2015}
          tasks:
            - winpki.keyprovider.certificate_info: {}
              register: audit
            - winpki.keyprovider.certificate_info: {store: Root}
              register: other
            - ansible.builtin.set_fact:
                web: "{{ audit.certificates | selectattr('friendly_name', 'equalto', 'Lync web 2026') | first }}"
            - ansible.builtin.assert:
                that:
                  - audit.profile == 'sfb_2015'
                  - (audit.certificates + other.certificates) | length > 5
                  - audit.certificates | to_json | from_json == audit.certificates
                  - audit.certificates | to_nice_yaml | from_yaml == audit.certificates
                  - audit.certificates | subelements('verdict.requirements') | length > 40
                  - web is winpki.keyprovider.ksp
                  - web.key is not winpki.keyprovider.csp
                  - web is not winpki.keyprovider.suitable_for('lync_2013')
                  - ((web | winpki.keyprovider.verdict).requirements + web.verdict.requirements) | length > 20
                  - audit.certificates | select('winpki.keyprovider.ksp') | list == [web]
        """,
    )
    assert done.exit_code == 0, done.output


def test_every_host_unreachable_still_gives_reports_and_exit_code_2(controller, lab_of):
    lab = lab_of(
        """
        lab: {domain: fabrikam.example, user: auditor, password: Lab-Pass-2026!}
        cas: [{id: fabrikam, subject: "CN=Fabrikam CA", crl: "http://pki.fabrikam.example/ca.crl"}]
        hosts:
          - {name: one, offline: true, stores: {My: [{id: web, key: {holder: schannel}}]}}
          - {name: two, offline: true, stores: {My: [{id: web, key: {holder: schannel}}]}}
        """
    )
    done = controller.audit(lab)
    assert done.exit_code == 2
    assert host_statuses(done) == {"one": "unreachable", "two": "unreachable"}
    assert re.search(r'errors="2"', done.report("junit.xml"))


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["-i", "nosuch.yml"], {"ANSIBLE_INVENTORY_UNPARSED_FAILED": "true"}),
        (["-i", "a,", "-e", "lync_certificates_hosts=nosuch"], {"ANSIBLE_HOST_PATTERN_MISMATCH": "error"}),
    ],
)
def test_the_documented_settings_make_an_audit_of_no_host_an_error(controller, arguments, environment):
    done = controller.run("ansible-playbook", *arguments, "winpki.keyprovider.audit", **environment)
    assert done.exit_code == 1
