# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers and CAs on which enrolment fails, each in its own way, and the way out of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import yaml
from crash_sweep import ISSUED, SCHANNEL
from lab.host.machine import Account
from lab.host.store import without_key
from lab.runtime import Lab

PASSWORD = "Lab-Pass-2026!"
STORAGE = "Microsoft Software Key Storage Provider"
DENIED, FAILED = 31, 30
"""Dispositions of the CA database."""

CAS: dict[str, dict[str, Any]] = {
    "good": {},
    "response": {"garbage": "response"},
    "certificate": {"garbage": "certificate"},
    "otherkey": {"garbage": "other_key"},
    "othername": {"garbage": "other_name"},
    "ahead": {"clock_offset": 2},
    "expired": {"expired": True},
    "unreachable": {"unreachable": True},
    "full": {},
    "manager": {"pend": True},
}
"""The CAs, and what is wrong with each."""


def account(**rights: bool) -> dict[str, Any]:
    return {"accounts": {"Administrator": {"password": PASSWORD, **rights}}}


SERVERS: dict[str, dict[str, Any]] = {
    "healthy": {},
    **{name: {"ca": name} for name in CAS if name != "good"},
    "nospace": {"disk_full": True},
    "nokeys": {"deny": ["keys"]},
    "plainuser": account(administrator=False),
    "nolync": account(administrator=True, lync_administrator=False),
    "untrusting": {"untrusted": ["good"]},
    "behind": {"clock_offset": -3},
    "unpublished": {"template": "Unpublished"},
    "restricted": {"template": "Restricted"},
    "shortkey": {"template": "LongKeys"},
    "doublehop": {"direct": True, "transport": "ntlm"},
    "storagekey": {"provider": STORAGE},
}
"""The servers, and what is wrong with each. The CA is the good one unless another is named."""

TOLD = {
    # the step, the state that is left, the way out
    "response": ("ca-response, response of the CA", "is kept in C:\\", "remove that directory on ca-response"),
    "certificate": ("ca-certificate, response of the CA", "is kept in C:\\", "remove that directory on ca-certificate"),
    "otherkey": ("ca-otherkey, answer of the CA", "not submitted again", "remove that directory on ca-otherkey"),
    "othername": ("ca-othername, answer of the CA", "not submitted again", "'Supply in the request'"),
    "ahead": ("ca-ahead, answer of the CA", "the certificate is kept", "Set the clocks of the CA"),
    "expired": ("ca-expired, submission", "denied request 1 (0x800b0101", "validity of the CA's certificate"),
    "unreachable": ("ca-unreachable, submission", "Nothing was submitted", "Check that the CA host is up"),
    "full": ("ca-full, submission", "Nothing was submitted", "free space"),
    "nospace": ("certreq -new", "on nospace: ", "Check the free space"),
    "nokeys": ("certreq -new", "No pending request was left", "permissions of the machine keys"),
    "plainuser": ("certreq -new", "No pending request was left", "a local administrator of the host"),
    "nolync": ("Set-CsCertificate: ", "Nothing was changed", "RTCUniversalServerAdmins"),
    "untrusting": ("certreq -accept", "The request is still pending", "the root in Root"),
    "behind": ("validity of the certificate", "Nothing was installed", "w32tm /resync"),
    "unpublished": ("ca-good, submission", "0x80094800 CERTSRV_E_UNSUPPORTED_CERT_TYPE", "Publish the template"),
    "restricted": ("ca-good, submission", "0x80094012 CERTSRV_E_TEMPLATE_DENIED", "Grant Enroll"),
    "shortkey": ("ca-good, submission", "0x80094811 CERTSRV_E_KEY_LENGTH", "a greater key_length"),
    "doublehop": ("doublehop, submission", "Nothing was submitted", "the double hop"),
    "storagekey": ("the pending request", "Nothing was installed; the request is still pending", SCHANNEL),
}
NO_REQUEST = ("nospace", "nokeys", "plainuser")
"""Servers on which not even a request is made."""
NOT_MENDED = {"expired", "manager", "storagekey"}
DONE = {"healthy", "nolync"}
"""Servers whose certificate is installed: a play without a plan would request another one."""

PLAY = {
    "hosts": "lync_frontends",
    "gather_facts": False,
    "tasks": [
        {
            "winpki.keyprovider.certificate_request": {
                "subject": "CN=pool01.contoso.example,O=Contoso",
                "subject_alt_names": ["pool01.contoso.example", "{{ inventory_hostname }}.contoso.example"],
                "template": "{{ template }}",
                "provider": "{{ provider }}",
                "force_provider": True,
                "key_length": "{{ key_length }}",
            },
            "register": "made",
        },
        {
            "winpki.keyprovider.adcs_certificate": {
                "csr": "{{ made.csr }}",
                "template": "{{ template }}",
                "ca": "{{ ca | default(omit) }}",
                "admin_force_machine": "{{ machine | default(false) }}",
            },
            "delegate_to": "{{ ca_host }}",
            "register": "submitted",
        },
        {
            "winpki.keyprovider.certificate_install": {
                "certificate": "{{ submitted.certificate }}",
                "chain": "{{ submitted.chain }}",
            },
            "when": "submitted.status == 'issued'",
            "register": "installed",
        },
        {
            "winpki.keyprovider.lync_certificate": {
                "types": ["Default", "WebServicesInternal"],
                "thumbprint": "{{ installed.thumbprint }}",
            },
            "when": "submitted.status == 'issued'",
        },
    ],
}


def server(
    name: str,
    *,
    ca: str = "good",
    template: str = "LyncWebServer",
    provider: str = SCHANNEL,
    direct: bool = False,
    **more: Any,
) -> dict[str, Any]:
    variables = {"ca_host": f"ca-{ca}", "template": template, "provider": provider, "key_length": 2048}
    if direct:
        variables |= {"ca_host": name, "ca": f"ca-{ca}.contoso.example\\CA {ca}"}
    pool = {
        "subject": "CN=pool01.contoso.example,O=Contoso",
        "san": ["pool01.contoso.example", f"{name}.contoso.example"],
        "issuer": "good",
        "template": {"name": "LyncWebServer"},
        "friendly_name": "Lync pool 2026",
        "key": {"holder": "cng"},
        "assigned": ["Default", "WebServicesInternal"],
    }
    return {
        "name": name,
        "roles": ["lync_frontends"],
        "lync": {"version": 2013, "pool": "pool01.contoso.example", "roles": ["Registrar"]},
        "variables": variables | {"lync_certificates_ca_host": variables["ca_host"]},
        "stores": {"My": [pool]},
        **more,
    }


def scenario() -> str:
    compliant = {
        "private_key_flags": 0x06060110,
        "providers": [SCHANNEL],
        "enroll": ["Domain Users", "Domain Computers"],
    }
    templates: dict[str, dict[str, Any]] = {
        "LyncWebServer": {},
        "Unpublished": {},
        "Restricted": {"enroll": ["Domain Admins"]},
        "LongKeys": {"minimum_key_size": 4096},
    }
    published = [name for name in templates if name != "Unpublished"]
    return yaml.safe_dump(
        {
            "lab": {"domain": "contoso.example", "user": "Administrator", "password": PASSWORD},
            "cas": [
                {
                    "id": name,
                    "subject": f"CN=CA {name},DC=contoso,DC=example",
                    "crl": "http://pki.contoso.example/ca.crl",
                }
                for name in CAS
            ],
            "directory": {
                "administrators": ["root"],
                "templates": [{"name": name, **compliant, **more} for name, more in templates.items()],
                "cas": [
                    {"name": f"CA {name}", "host": f"ca-{name}.contoso.example", "templates": published} for name in CAS
                ],
            },
            "adcs": [{"id": name, "host": f"ca-{name}", **wrong} for name, wrong in CAS.items()],
            "hosts": [
                *({"name": f"ca-{name}", "roles": ["cas"], "disk_full": name == "full"} for name in CAS),
                *(server(name, **wrong) for name, wrong in SERVERS.items()),
            ],
        }
    )


@dataclass
class Left:
    """What a server has."""

    assignments: Any
    pending: int
    containers: dict[str, str]
    """Their providers, by their names."""
    files: list[str]


@dataclass
class Fleet:
    """The servers before and after a play, and after it was played again when what the messages say was done."""

    lab: Lab
    before: dict[str, Left]
    after: dict[str, Left]
    at_last: dict[str, Left]
    rows: dict[str, list[int]]
    """The dispositions of the CAs' requests after the first play."""
    first: Any
    second: Any


def left(lab: Lab) -> dict[str, Left]:
    found = {}
    for name in SERVERS:
        machine = lab.machine(name)
        kept = [path for path in machine.files if "\\winpki.keyprovider\\requests\\" in path.lower()]
        found[name] = Left(
            machine.lync.assignments,
            len(machine.store("REQUEST")[1]),
            {container.name: container.provider for container in machine.containers},
            [path for path in kept if not path.lower().endswith("\\requests\\")],
        )
    return found


def mend(lab: Lab) -> None:
    """Do what the messages say."""
    for name in CAS:
        authority, machine = lab.authority(f"CA {name}"), lab.machine(f"ca-{name}")
        authority.garbage, authority.unreachable, authority.clock_offset = None, False, timedelta()
        machine.disk_full = False
        if name in ("otherkey", "othername", "ahead"):
            for path in [path for path in machine.files if "\\submissions\\" in path.lower()]:
                del machine.files[path]
    for request in lab.authority("CA manager").rows:
        lab.authority("CA manager").deny(request.request_id)
    lab.machine("nospace").disk_full = False
    lab.machine("nokeys").deny = frozenset()
    lab.machine("plainuser").accounts["Administrator"] = Account(PASSWORD)
    lab.machine("untrusting").stores["ROOT"].append(without_key("", lab.authority("CA good").identity))
    lab.machine("behind").clock += timedelta(days=3)
    inventory = yaml.safe_load(lab.inventory_path.read_text("utf-8"))
    hosts = inventory["all"]["children"]["lync_frontends"]["hosts"]
    for name in ("unpublished", "restricted"):
        hosts[name]["template"] = "LyncWebServer"
    hosts["shortkey"]["key_length"] = 4096
    hosts["doublehop"]["machine"] = True
    lab.inventory_path.write_text(yaml.safe_dump(inventory), "utf-8")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("failures") / "scenario.yml"
    path.write_text(scenario(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def fleet(path, new_controller):
    controller = new_controller()
    playbook = controller.directory / "play.yml"
    playbook.write_text(json.dumps([PLAY]), encoding="utf-8")
    with Lab.from_scenario(path) as lab:
        before = left(lab)
        arguments = ("-i", str(lab.inventory_path), str(playbook))
        first = controller.run("ansible-playbook", *arguments)
        after = left(lab)
        rows = {name: [row.disposition for row in lab.authority(f"CA {name}").rows] for name in CAS}
        mend(lab)
        others = ":".join(["all", *(f"!{name}" for name in DONE)])
        second = controller.run("ansible-playbook", *arguments, "--limit", others)
        yield Fleet(lab, before, after, left(lab), rows, first, second)


def test_who_fails_makes_the_play_fail_and_the_others_are_done(fleet):
    assert fleet.first.exit_code == 2
    assert [name for name in SERVERS if not fleet.first.failures(name)] == ["healthy", "manager"]
    assert fleet.after["healthy"].assignments != fleet.before["healthy"].assignments
    assert "Traceback" not in fleet.first.output + fleet.second.output


@pytest.mark.parametrize("name", TOLD)
def test_the_message_names_host_and_step_and_state_and_the_way_out(fleet, name):
    [message] = fleet.first.failures(name)
    for part in TOLD[name]:
        assert part in message
    assert len(message) < 1300


@pytest.mark.parametrize("name", [name for name in SERVERS if name != "healthy"])
def test_lync_keeps_what_it_has(fleet, name):
    assert fleet.after[name].assignments == fleet.before[name].assignments


@pytest.mark.parametrize("name", NO_REQUEST)
def test_where_no_request_is_made_nothing_is_left(fleet, name):
    assert fleet.after[name] == fleet.before[name]


def test_where_the_answer_fails_the_request_waits(fleet):
    waiting = set(SERVERS) - {*NO_REQUEST} - DONE
    assert {name for name in SERVERS if fleet.after[name].pending == 1} == waiting
    for name in waiting:
        assert len(fleet.after[name].containers) == len(fleet.before[name].containers) + 1


def test_nothing_is_submitted_to_a_ca_that_takes_nothing(fleet):
    assert fleet.rows["unreachable"] == fleet.rows["full"] == []
    assert fleet.rows["expired"] == [FAILED]
    assert sorted(fleet.rows["good"]) == [ISSUED] * 5 + [DENIED] * 3


@pytest.mark.parametrize("name", sorted(set(SERVERS) - NOT_MENDED - DONE))
def test_when_the_cause_is_mended_the_next_run_goes_on(fleet, name):
    assert fleet.second.failures(name) == []
    machine = fleet.lab.machine(name)
    for _use, thumbprint in machine.lync.assignments:
        assert machine.find(thumbprint).key.provider == SCHANNEL
    if name != "shortkey":
        assert fleet.at_last[name].pending == 0
        assert fleet.at_last[name].files == []
        assert len(fleet.at_last[name].containers) == 2


def test_no_request_is_submitted_twice_but_after_a_denial_or_a_cleared_directory(fleet):
    rows = {name: [row.disposition for row in fleet.lab.authority(f"CA {name}").rows] for name in CAS}
    for name in ("response", "certificate", "unreachable", "full"):
        assert rows[name] == [ISSUED]
    for name in ("otherkey", "othername", "ahead"):
        assert rows[name] == [ISSUED, ISSUED]
    assert rows["manager"] == [DENIED]


def test_a_request_that_other_options_made_obsolete_is_named(fleet):
    [stand_in] = fleet.lab.machine("shortkey").store("REQUEST")[1]
    told = " ".join(fleet.second.output.split())
    assert f"is pending on shortkey: {stand_in.key_name}" in told
    assert stand_in.key.container in told


def test_a_manager_who_denies_is_told_with_the_number(fleet):
    [message] = fleet.second.failures("manager")
    for part in (
        "denied request 1",
        "0x80094014",
        "A manager of the CA denied the request",
        "submits the request again",
    ):
        assert part in message


def test_lync_never_lost_a_certificate_that_worked(fleet):
    assert fleet.lab.deployment.journal.violations == []


@pytest.fixture(scope="module")
def enforced(path, new_controller):
    with Lab.from_scenario(path) as lab:
        before = left(lab)
        run = new_controller().enforce(lab, "healthy,othername,nospace,untrusting", fail_on_pending=True)
        yield run, before, left(lab)


def test_the_playbook_ends_with_the_step_that_failed(enforced):
    run, before, after = enforced
    assert run.exit_code == 2
    assert "Traceback" not in run.output
    for name, step in (
        ("othername", "Submit the request to AD CS"),
        ("nospace", "Create the key and the request"),
        ("untrusting", "Install the certificate and prove its key"),
    ):
        assert run.failures(name)[-1].startswith(step)
        assert TOLD[name][0] in run.failures(name)[-1]
        assert after[name].assignments == before[name].assignments
    assert run.failures("healthy") == []
    assert after["healthy"].assignments != before["healthy"].assignments


def test_the_reports_tell_what_is_after_failures_too(enforced):
    statuses = {
        host["host"]: {one["verdict"]["status"] for one in host["certificates"] if one["assignments"]}
        for host in enforced[0].report()["hosts"]
    }
    assert statuses == {
        "healthy": {"suitable"},
        "othername": {"unsuitable"},
        "nospace": {"unsuitable"},
        "untrusting": {"unsuitable"},
    }
