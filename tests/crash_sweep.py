# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The crash sweep: disturb a run at one place, run it again undisturbed, and look what is left.

A place is an HTTP request whose connection is cut, or a statement of a script at which its process ends.
``make test`` takes a few of the cases, ``make sweep`` all of them.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from lab.runtime import Lab
from lab.wire.faults import Fault
from sweep_flows import AUTHORITY, FLOWS, ISSUED, SCENARIO, SCHANNEL, SETTINGS, TOP, Flow, standings, violations
from sweep_kills import Watch, watched

__all__ = [
    "AUTHORITY",
    "FLOWS",
    "ISSUED",
    "SCENARIO",
    "SCHANNEL",
    "SETTINGS",
    "Case",
    "Run",
    "Undisturbed",
    "violations",
]

_FOR_GOOD = 1_000_000
_OF_THE_DEAD = re.compile(r" has the file .*\\Temp\\keyprovider-[0-9a-f]{32}\\(properties\.inf)?$")
"""A process that ends leaves its temporary directory, here with a file in which no secret stands."""
_COUNTS = ("requests", "commands")

Kind = Literal["cut_before", "cut_after", "killed", "crashed"]
"""The connection breaks before or after the host acted; the process ends; the process ends and the connection is gone
from then on.
"""


@dataclass(frozen=True)
class Case:
    """One disturbance: at which request, or at which statement, of which host."""

    flow: str
    host: str
    number: int
    kind: Kind

    @property
    def kills(self) -> bool:
        """Whether a process ends."""
        return self.kind in ("killed", "crashed")

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


@dataclass(frozen=True)
class Undisturbed:
    """A flow that ran twice without a disturbance, each time to a good end."""

    flow: str
    requests: Mapping[str, int]
    """The HTTP requests of the first run, by host."""
    commands: Mapping[str, int]
    """Its commands, by host."""
    statements: Mapping[str, int]
    """The statements of its scripts, by server."""


def enforce(lab: Lab, directory: Path, flow: str = "front_end", **settings: Any) -> Run:
    """Run the playbook of a flow as a user does, in a directory of its own."""
    chosen = FLOWS[flow]
    return play(lab, directory, _playbook(chosen, directory), {**chosen.variables, **settings})


def _playbook(flow: Flow, directory: Path) -> str:
    if not flow.tasks:
        return "enforce"
    path = directory / "site.yml"
    path.write_text(json.dumps([{"hosts": ",".join(flow.servers), "gather_facts": False, "tasks": [*flow.tasks]}]))
    return str(path)


def play(lab: Lab, directory: Path, playbook: str, settings: Mapping[str, Any]) -> Run:
    """Run a playbook: one of the collection by its name, another by its path."""
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
            playbook if "/" in playbook else f"winpki.keyprovider.{playbook}",
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


def undisturbed(flow: str, directory: Path) -> Undisturbed:
    """Run a flow twice. It ends well each time, and the second run changes nothing.

    Raises:
        AssertionError: it does not.
    """
    chosen = FLOWS[flow]
    with Lab.from_scenario(chosen.scenario) as lab, ExitStack() as stack:
        before = standings(lab, chosen)
        watches = {host: stack.enter_context(watched(lab.machine(host), Watch())) for host in chosen.servers}
        lab.reset_counters()
        first = enforce(lab, directory, flow)
        counted = {host: lab.counters(host) for host in (*chosen.asked, *chosen.servers)}
        statements = {host: watch.statements for host, watch in watches.items()}
        assert (first.exit_code, chosen.ended(lab, chosen, before)) == (0, []), first.output
        second = enforce(lab, directory, flow)
        assert (second.exit_code, second.changed) == (0, 0), second.output
        assert chosen.ended(lab, chosen, before) == []
    requests, commands = ({host: int(counts[name]) for host, counts in counted.items()} for name in _COUNTS)
    return Undisturbed(flow, requests, commands, statements)


def cases(found: Undisturbed, kinds: Sequence[Kind] = ("cut_before", "cut_after")) -> list[Case]:
    """All disturbances of these kinds: those at statements, then those at requests, by host and number."""
    totals = (("killed", "crashed"), found.statements), (("cut_before", "cut_after"), found.requests)
    return [
        Case(found.flow, host, number, kind)
        for chosen, numbers in totals
        for host, total in numbers.items()
        for number in range(1, total + 1)
        for kind in kinds
        if kind in chosen
    ]


def swept(case: Case, directory: Path, *, thrice: bool = False) -> tuple[Run, Run, list[str]]:
    """The run that is disturbed, the one after it, and what is wrong then; nothing is when the list is empty.

    :param thrice: run it once more, which must change nothing.
    """
    flow = FLOWS[case.flow]
    with Lab.from_scenario(flow.scenario) as lab:
        before = standings(lab, flow)
        with _disturbed(lab, case):
            first = enforce(lab, directory, case.flow)
        wrong = [f"after the first run: {text}" for text in flow.cut(lab, flow, before)]
        second = enforce(lab, directory, case.flow)
        if second.exit_code:
            wrong.append(f"the second run ended with {second.exit_code}")
        wrong += [text for text in flow.ended(lab, flow, before) if not (case.kills and _OF_THE_DEAD.search(text))]
        if thrice and not wrong:
            third = enforce(lab, directory, case.flow)
            if (third.exit_code, third.changed) != (0, 0):
                wrong.append(f"the third run ended with {third.exit_code} and {third.changed} changes")
        return first, second, wrong


def lose(lab: Lab, host: str) -> None:
    """Let no request reach a host any more."""
    lab.server.script_fault(host, Fault("cut_before", times=_FOR_GOOD))


@contextmanager
def _disturbed(lab: Lab, case: Case) -> Iterator[None]:
    if case.kills:
        gone = partial(lose, lab, case.host) if case.kind == "crashed" else None
        with watched(lab.machine(case.host), Watch(case.number, then=gone)):
            yield
    else:
        lab.server.script_fault(case.host, Fault(case.kind, at=case.number))
        yield
    lab.server.clear_faults()
