# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""certificate_convert as a user runs it: keys of every class, over each connection, on hosts old and German."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from lab.host.access import parse
from lab.lync.access import NETWORK_SERVICE
from lab.runtime import Lab
from sweep_flows import CONVERSION, CREATOR_OWNER, SCHANNEL, STORAGE, Standing, standing, working

CONNECTIONS = {"basic": ("winrm", "basic"), "ntlm": ("winrm", "ntlm"), "psrp": ("psrp", "ntlm")}
SERVERS = ("fe01", "old01", "de01", "edge01", "edge02")
TYPE = "winpki.keyprovider.certificate_convert"
PROOF = {"signed": True, "provider": SCHANNEL, "provider_type": 12, "key_spec": 1}

MOVED = ("cng", "plaintext", "base", "strong", "enhanced", "aes", "guarded")
WORDS = {
    "kept": "may not be exported",
    "vsm": "may not be exported",
    "tpm": "in the TPM",
    "card-ksp": "in a smart card, or in a virtual one",
    "card-csp": "in a smart card, or in a virtual one",
    "hsm": "in hardware (nCipher",
    "passport": "in hardware (Microsoft Passport",
    "ecc": "no RSA key (EC)",
    "dss": "no RSA key (DSA)",
    "gone": "could not be opened",
    "archived": "archived",
    "bare": "no private key",
    "unrecorded": "no private key",
    "user": "belongs to a user",
    "locked": "could not be opened",
}
"""Keys that cannot be moved, with the reason that is told."""

Results = dict[str, dict[str, Any]]


@dataclass
class Done:
    """What was done over one connection."""

    lab: Lab
    before: Mapping[str, Standing]
    servers: dict[str, Results]
    """The steps by server."""
    keys: dict[str, Results]
    """The steps by the certificates of keys01."""


def task(thumbprint: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
    return {TYPE: {"thumbprint": thumbprint, **arguments}, "diff": True, "check_mode": check}


def in_cng(lab: Lab, server: str) -> str:
    """The certificate of a server that is to be converted; of fe01 the first."""
    machine = lab.machine(server)
    return next(one.issued.thumbprint for one in machine.stores["MY"] if one.key and one.key.is_cng and one.issued)


def everywhere(
    controller: Any, lab: Lab, tasks: Mapping[str, Sequence[dict[str, Any]]], *options: str
) -> dict[str, list[dict[str, Any]]]:
    """Run the tasks of each host, each whatever became of those before it; the results by host."""
    plays = []
    for host, wanted in tasks.items():
        names = [f"r{number}" for number in range(len(wanted))]
        keep = {
            "ansible.builtin.copy": {
                "content": f"{{{{ [{', '.join(names)}] | to_json }}}}",
                "dest": str(controller.directory / f"{host}.json"),
            },
            "delegate_to": "localhost",
            "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
            "check_mode": False,
            "diff": False,
        }
        goes_on = {"ignore_errors": True, "ignore_unreachable": True}
        listed = [{**each, "register": name, **goes_on} for each, name in zip(wanted, names, strict=True)]
        plays.append({"hosts": host, "gather_facts": False, "tasks": [*listed, keep]})
    playbook = controller.directory / "conversions.yml"
    playbook.write_text(json.dumps(plays), encoding="utf-8")
    done = controller.run("ansible-playbook", "-i", str(lab.inventory_path), str(playbook), *options)
    assert done.exit_code == 0, done.output
    assert "Traceback" not in done.output, done.output
    return {host: json.loads((controller.directory / f"{host}.json").read_text("utf-8")) for host in tasks}


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Start the lab with other settings; it is stopped at the end."""
    running: list[Lab] = []

    def begin(connection: str = "basic", change: Callable[[dict[str, Any]], None] = lambda _host: None) -> Lab:
        scenario = yaml.safe_load(CONVERSION.read_text("utf-8"))
        plugin, transport = CONNECTIONS[connection]
        scenario["lab"].update(connection=plugin, transport=transport)
        for host in scenario["hosts"]:
            change(host)
        path = tmp_path_factory.mktemp("conversion") / "scenario.yml"
        path.write_text(yaml.safe_dump(scenario), encoding="utf-8")
        running.append(Lab.from_scenario(path).start())
        return running[-1]

    yield begin
    for lab in running:
        lab.stop()


def german_2008_r2(host: dict[str, Any]) -> None:
    """old01 is German over psrp and NTLM."""
    if host["name"] == "old01":
        host["language"] = "de"


@pytest.fixture(scope="module", params=list(CONNECTIONS))
def done(request, start, new_controller) -> Done:
    lab = start(request.param, german_2008_r2 if request.param != "basic" else lambda _host: None)
    before = {name: standing(lab.machine(name)) for name in (*SERVERS, "keys01")}
    steps = {
        "planned": {"check": True},
        "done": {},
        "again": {},
        "end_planned": {"check": True, "retire_source_key": True},
        "ended": {"retire_source_key": True},
        "at_rest": {"retire_source_key": True},
    }
    of_keys = {
        "planned": {"check": True},
        "done": {},
        "again": {},
        "back": {},
        "at_rest": {},
    }
    wanted = {server: [task(in_cng(lab, server), **values) for values in steps.values()] for server in SERVERS}
    held = {one.identifier: one for one in lab.machine("keys01").stores["MY"]}
    for one in held.values():
        home = {"provider": one.key.provider} if one.key and one.identifier in MOVED else {}
        steps_of_it = {**of_keys, "back": home, "at_rest": home}
        wanted.setdefault("keys01", []).extend(task(one.issued.thumbprint, **values) for values in steps_of_it.values())
    found = everywhere(new_controller(), lab, wanted)
    several = found.pop("keys01")
    keys = {name: dict(zip(of_keys, several[len(of_keys) * at :], strict=False)) for at, name in enumerate(held)}
    return Done(lab, before, {host: dict(zip(steps, each, strict=True)) for host, each in found.items()}, keys)


@pytest.mark.parametrize("server", SERVERS)
def test_the_key_moves_and_signs_and_the_certificate_stays(done, server):
    planned, result = done.servers[server]["planned"], done.servers[server]["done"]
    assert (planned["changed"], planned["proof"], planned["former_key"]["state"]) == (True, None, "kept")
    for told in (planned, result):
        [difference] = told["diff"]
        assert f"provider: {STORAGE}\n" in difference["before"]
        assert f"provider: {SCHANNEL}\n" in difference["after"]
    assert (result["changed"], result["proof"]) == (True, PROOF)
    assert result["before"]["key"]["provider"] == STORAGE
    assert result["after"]["key"]["provider"] == SCHANNEL
    assert result["after"]["verdict"]["status"] == "suitable"
    for name in ("thumbprint", "friendly_name", "assignments"):
        assert result["before"].get(name) == result["after"].get(name)
    machine = done.lab.machine(server)
    assert working(machine, done.before[server], result["thumbprint"]) == []
    assert machine.find(result["thumbprint"]).key.provider == SCHANNEL
    assert frozenset(machine.lync.assignments) == done.before[server].assignments


@pytest.mark.parametrize("server", SERVERS)
def test_a_second_run_changes_nothing_and_the_former_key_goes_when_that_is_asked_for(done, server):
    steps = done.servers[server]
    assert [steps[name]["changed"] for name in ("again", "end_planned", "ended", "at_rest")] == [
        *(False, True, True, False)
    ]
    assert not steps["again"].get("diff")
    assert not steps["at_rest"].get("diff")
    assert [steps[name]["former_key"]["state"] for name in steps] == ["kept"] * 3 + ["retired"] * 2 + ["none"]
    machine = done.lab.machine(server)
    assert not [name for name in machine.stores if name.upper().startswith("KEYPROVIDER")]
    moved = [one for one in machine.containers if one.provider == STORAGE]
    assert len(moved) == len(done.before[server].in_cng) - 1  # of fe01 one more is left


@pytest.mark.parametrize("server", SERVERS)
def test_those_who_could_use_the_key_are_told_and_can_use_it(done, server):
    told = done.servers[server]["done"]["key_access"]
    before, after = ({entry["sid"] for entry in told[when]} - {CREATOR_OWNER} for when in ("before", "after"))
    assert before == after
    assert {NETWORK_SERVICE, *done.lab.machine(server).local_groups.values()} & after


def test_a_former_key_of_lync_is_not_the_way_back(done, controller):
    [result] = everywhere(
        controller, done.lab, {"de01": [task(done.servers["de01"]["done"]["thumbprint"], provider=STORAGE)]}
    )["de01"]
    assert result["failed"]
    assert "Lync" in result["msg"]
    assert done.lab.machine("de01").find(done.servers["de01"]["done"]["thumbprint"]).key.provider == SCHANNEL


@pytest.mark.parametrize("name", MOVED)
def test_keys_of_software_providers_move_there_and_back(done, name):
    steps = done.keys[name]
    assert [steps[step]["changed"] for step in ("planned", "done", "again", "back", "at_rest")] == [
        *(True, True, False, True, False)
    ]
    assert steps["done"]["proof"] == PROOF
    machine = done.lab.machine("keys01")
    home = steps["planned"]["before"]["key"]
    known = {"provider": home["provider"], "provider_type": home["provider_type"], "key_spec": home["key_spec"]}
    if home["kind"] == "ksp":
        known |= {"provider_type": None, "key_spec": None}
    assert steps["back"]["proof"] == {"signed": True, **known}
    assert steps["back"]["after"]["key"] == home  # its own container, which was kept
    assert working(machine, done.before["keys01"], steps["done"]["thumbprint"]) == []


@pytest.mark.parametrize("name", WORDS)
def test_a_key_that_cannot_be_moved_is_refused_with_the_reason_and_the_way_out(done, name):
    for step in ("planned", "done"):
        result = done.keys[name][step]
        assert result["failed"]
        assert WORDS[name] in result["msg"]
        assert "Nothing was changed." in result["msg"]
        assert result["msg"].split("Nothing was changed.")[1].strip()


def test_a_key_in_the_wished_provider_is_proven_and_left(done):
    for name in ("schannel", "schannel-kept"):
        assert (done.keys[name]["done"]["changed"], done.keys[name]["done"]["proof"]) == (False, PROOF)


def test_a_key_that_two_certificates_use_is_moved_for_one_and_stays_for_the_other(done):
    assert done.keys["first"]["done"]["changed"]
    assert done.keys["second"]["done"]["changed"]
    for name in ("first", "second"):
        assert working(done.lab.machine("keys01"), done.before["keys01"], done.keys[name]["done"]["thumbprint"]) == []


def test_what_stood_in_no_way_was_not_touched(done):
    machine = done.lab.machine("keys01")
    for name in WORDS:
        stored = next(one for one in machine.stores["MY"] if one.identifier == name)
        container = machine.container_of(stored.key)
        was = done.before["keys01"].readers.get(stored.issued.thumbprint)
        assert (container is None) == (was is None)
        assert container is None or was <= standing(machine).readers[stored.issued.thumbprint]


def test_no_file_is_left_and_each_lay_where_administrators_alone_could_read_it(done):
    for server in (*SERVERS, "keys01"):
        machine = done.lab.machine(server)
        assert not [path for path in machine.files if path.lower().endswith(".pfx")]
        written = [one for one in machine.written if one.path.lower().endswith(".pfx")]
        assert written
        for one in written:
            allowed = {entry.sid for entry in parse(one.access).entries if entry.allows}
            assert allowed <= {"S-1-5-18", "S-1-5-32-544"}


def test_named_readers_take_the_place_of_those_who_could(start, controller):
    lab = start()
    group = lab.machine("fe01").local_groups["RTC Component Local Group"]
    thumbprint = in_cng(lab, "fe01")
    readers = ["S-1-5-20", "RTC Component Local Group"]
    unknown, done = everywhere(
        controller,
        lab,
        {"fe01": [task(thumbprint, readers=[*readers, "CONTOSO\\nobody"]), task(thumbprint, readers=readers)]},
    )["fe01"]
    assert unknown["failed"]
    assert "nobody" in unknown["msg"]
    assert {entry["sid"] for entry in done["key_access"]["after"]} == {
        *("S-1-5-18", "S-1-5-32-544", NETWORK_SERVICE, group)
    }
    machine = lab.machine("fe01")
    container = machine.container_of(machine.find(thumbprint).key)
    assert machine.may_use(container, group)
    assert not machine.may_use(container, machine.local_groups["RTC Server Local Group"])


def test_one_who_is_no_administrator_and_a_host_that_is_away_are_told(start, controller):
    def change(host: dict[str, Any]) -> None:
        host["accounts"] = {"auditor": {"password": "Audit-2026!", "administrator": False}}
        if host["name"] == "edge02":
            host["offline"] = True

    lab = start("basic", change)
    before = standing(lab.machine("de01"))
    options = ("-e", json.dumps({"ansible_user": "auditor", "ansible_password": "Audit-2026!"}))
    wanted = {host: [task(in_cng(lab, host), retire_source_key=True)] for host in ("de01", "edge02")}
    results = everywhere(controller, lab, wanted, *options)
    [refused] = results["de01"]
    assert refused["failed"]
    assert "local administrator" in refused["msg"]
    assert results["edge02"][0].get("unreachable"), results["edge02"]
    assert standing(lab.machine("de01")) == before
