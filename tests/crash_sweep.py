# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The crash sweep: cut the enforce run at one HTTP request, run it again undisturbed, and look what is left.

``make test`` takes a few of the cases, ``make sweep`` all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lab.host.machine import Machine
from lab.runtime import Lab
from lab.wire.faults import Fault

TOP = Path(__file__).parents[1]
SCENARIO = TOP / "tests/lab/scenarios/enrolment.yml"
AUTHORITY = "Contoso Issuing CA 1"
SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SETTINGS: dict[str, Any] = {
    "lync_certificates_directory_host": "dc01",
    "lync_certificates_ca_host": "ca01",
    "lync_certificates_template": "LyncWebServer",
    "lync_certificates_old": "remove",
}
FLOWS = {"front_end": ("fe01",), "pool": ("edge01", "edge02")}
"""The servers of each flow: one with a certificate of its own, and two that share one with its key."""
ISSUED = 20
"""A row's disposition in the CA's database."""

Kind = Literal["cut_before", "cut_after"]


@dataclass(frozen=True)
class Case:
    """One cut: at which request of which host, before or after the host acted."""

    flow: str
    host: str
    number: int
    kind: Kind

    def __str__(self) -> str:
        return f"{self.flow}-{self.host}-{self.number}-{self.kind}"


@dataclass(frozen=True)
class Run:
    """A playbook that ended."""

    exit_code: int
    output: str

    @property
    def changed(self) -> int:
        """How many tasks changed something, over all hosts."""
        recap = self.output.rpartition("PLAY RECAP")[2]
        return sum(int(word.partition("=")[2]) for word in recap.split() if word.startswith("changed="))


def enforce(lab: Lab, directory: Path, flow: str = "front_end", **settings: Any) -> Run:
    """Run the enforce playbook for a flow as a user does, in a directory of its own."""
    return play(lab, directory, "enforce", {"lync_certificates_hosts": ",".join(FLOWS[flow]), **SETTINGS, **settings})


def play(lab: Lab, directory: Path, playbook: str, settings: Mapping[str, Any]) -> Run:
    """Run a playbook of the collection."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment.update(
        ANSIBLE_COLLECTIONS_PATH=os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(TOP / ".build/collections")),
        ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_NOCOLOR="true",
        ANSIBLE_HOME=str(directory / ".ansible"),
    )
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            f"--inventory={lab.inventory_path}",
            f"winpki.keyprovider.{playbook}",
            "--extra-vars",
            json.dumps(settings),
        ],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Run(done.returncode, done.stdout + done.stderr)


def requests(lab: Lab, flow: str = "front_end") -> dict[str, int]:
    """How many HTTP requests each host of a flow has had since the counters were reset."""
    return {host: int(lab.counters(host)["requests"]) for host in ("dc01", "ca01", *FLOWS[flow])}


def cases(flow: str, counted: dict[str, int]) -> list[Case]:
    """All cuts of a run with so many requests."""
    kinds: tuple[Kind, ...] = ("cut_before", "cut_after")
    return [
        Case(flow, host, number, kind)
        for host, requests_of_it in counted.items()
        for number in range(1, requests_of_it + 1)
        for kind in kinds
    ]


def swept(case: Case, directory: Path) -> tuple[Run, Run, list[str]]:
    """The run that is cut, the one after it, and what is wrong then; nothing is when the list is empty."""
    with Lab.from_scenario(SCENARIO) as lab:
        lab.server.script_fault(case.host, Fault(case.kind, at=case.number))
        first = enforce(lab, directory, case.flow)
        lab.server.clear_faults()
        second = enforce(lab, directory, case.flow)
        wrong = violations(lab, case.flow)
        if second.exit_code:
            wrong.insert(0, f"the second run ended with {second.exit_code}")
        return first, second, wrong


def violations(lab: Lab, flow: str = "front_end") -> list[str]:
    """What must not be after a cut run and an undisturbed one."""
    servers = [lab.machine(name) for name in FLOWS[flow]]
    journal = [one for one in lab.deployment.journal.violations if one.host in FLOWS[flow]]
    wrong = [text for machine in servers for text in (*_assignments(machine), *_leftovers(machine))]
    return [*wrong, *map(str, journal), *_shared(servers), *_issued(lab), *_leftovers(lab.machine("ca01"))]


def _shared(servers: list[Machine]) -> list[str]:
    """All servers have the same certificate for A/V authentication."""
    thumbprints = {
        thumbprint
        for machine in servers
        for use, thumbprint in (machine.lync.assignments if machine.lync else ())
        if use == "AudioVideoAuthentication"
    }
    return [f"the pool has {len(thumbprints)} certificates for A/V authentication"] if len(thumbprints) > 1 else []


def _assignments(machine: Machine) -> list[str]:
    """Each usage has a certificate in the store whose key is there and in the wanted provider."""
    wrong = []
    assert machine.lync is not None
    for use, thumbprint in machine.lync.assignments:
        stored = machine.find(thumbprint)
        key = stored.key if stored else None
        if stored is None or key is None:
            wrong.append(f"{use} is assigned to {thumbprint}, which is not there with a key")
        elif key.provider != SCHANNEL:
            wrong.append(f"{use} has its key in {key.provider}")
        elif machine.containers.find(key.provider, key.container) is None:
            wrong.append(f"{use} has no key container")
    return wrong


def _issued(lab: Lab) -> list[str]:
    """The CA issued one certificate, and nothing else was asked of it."""
    rows = [row.disposition for row in lab.authority(AUTHORITY).rows]
    return [] if rows == [ISSUED] else [f"the CA has requests with the dispositions {rows}"]


def _leftovers(machine: Machine) -> list[str]:
    """No pending request, no key without a certificate, no file of ours that is not known to stay."""
    wrong = []
    pending = machine.store("REQUEST")
    if pending and pending[1]:
        wrong.append(f"{machine.name} has {len(pending[1])} pending requests")
    named = {
        ((one.key.provider or "").casefold(), (one.key.container or "").casefold())
        for held in machine.stores.values()
        for one in held
        if one.key
    }
    for container in machine.containers:
        if (container.provider.casefold(), container.name.casefold()) not in named:
            wrong.append(f"{machine.name} has the key container {container.name} without a certificate")
    for path in machine.files:
        beneath = path.lower().partition("\\winpki.keyprovider\\requests\\")[2]
        if "keyprovider-" in path.lower() or beneath:
            wrong.append(f"{machine.name} has the file {path}")
    return wrong
