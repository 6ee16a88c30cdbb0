# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run Ansible as a user would: its own process, its own directory, the installed collection."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lab.directory import samba_dc
from lab.runtime import Lab
from programs import missing

TOP = Path(__file__).parents[2]
SCENARIOS = TOP / "tests/lab/scenarios"


@dataclass
class Finished:
    """An Ansible command that ended."""

    exit_code: int
    stdout: str
    stderr: str
    directory: Path

    @property
    def output(self) -> str:
        return self.stdout + self.stderr

    def changed_on(self, host: str) -> int:
        """How many tasks of a playbook changed something on a host."""
        recap = self.output.rpartition("PLAY RECAP")[2]
        [number] = re.findall(rf"^{re.escape(host)} .*\bchanged=(\d+)", recap, re.MULTILINE)
        return int(number)

    def failures(self, host: str) -> list[str]:
        """The messages of a host's tasks that failed, in order."""
        told = rf"^(?:fatal|failed): \[{re.escape(host)}(?: -> [^\]]*)?\].*? => (\{{.*\}})$"
        return [json.loads(result)["msg"] for result in re.findall(told, self.output, re.MULTILINE)]

    def report(self, name: str = "report.json") -> Any:
        text = (self.directory / "certificate_reports" / name).read_text(encoding="utf-8")
        return json.loads(text) if name.endswith(".json") else text


class Controller:
    """A controller in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, program: str, *arguments: str, **environment: str) -> Finished:
        base = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        base.update(
            ANSIBLE_COLLECTIONS_PATH=os.environ.get("ANSIBLE_COLLECTIONS_PATH", str(TOP / ".build/collections")),
            ANSIBLE_LOCALHOST_WARNING="false",
            ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
            ANSIBLE_NOCOLOR="true",
            ANSIBLE_HOME=str(self.directory / ".ansible"),
            **environment,
        )
        done = subprocess.run(
            [str(Path(sys.executable).with_name(program)), *arguments],
            cwd=self.directory,
            env=base,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr, self.directory)

    def audit(self, lab: Lab, *arguments: str, **environment: str) -> Finished:
        """Run the playbook that users run."""
        return self.run(
            "ansible-playbook", "-i", str(lab.inventory_path), "winpki.keyprovider.audit", *arguments, **environment
        )

    def module(
        self, name: str, pattern: str, arguments: dict[str, Any], *options: str
    ) -> tuple[Finished, dict[str, Any]]:
        """Run one module ad hoc; return its result."""
        done = self.run(
            "ansible",
            pattern,
            "-m",
            f"winpki.keyprovider.{name}",
            *(("-a", json.dumps(arguments)) if arguments else ()),
            *options,
            ANSIBLE_LOAD_CALLBACK_PLUGINS="true",
            ANSIBLE_STDOUT_CALLBACK="ansible.builtin.oneline",
        )
        assert " => " in done.stdout, done.output
        return done, json.loads(done.stdout.split(" => ", 1)[1])

    def tasks(self, lab: Lab, host: str, tasks: Sequence[dict[str, Any]], *options: str) -> list[dict[str, Any]]:
        """Run tasks of one play, each whatever became of those before it; return their results.

        The result of the first task is the variable ``r0`` of the others, and so on. Modules of the collection may go
        without its name.
        """
        results = self.directory / "results.json"
        play = [_as_task(task, number) for number, task in enumerate(tasks)]
        keep = {
            "ansible.builtin.copy": {
                "content": f"{{{{ [{', '.join(f'r{number}' for number in range(len(tasks)))}] | to_json }}}}",
                "dest": str(results),
            },
            "delegate_to": "localhost",
            "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
            "check_mode": False,
            "diff": False,
        }
        playbook = self.directory / "tasks.yml"
        playbook.write_text(json.dumps([{"hosts": host, "gather_facts": False, "tasks": [*play, keep]}]))
        done = self.run("ansible-playbook", "-i", str(lab.inventory_path), str(playbook), *options)
        assert done.exit_code == 0, done.output
        assert "Traceback" not in done.output, done.output
        found: list[dict[str, Any]] = json.loads(results.read_text(encoding="utf-8"))
        return found

    def enforce(self, lab: Lab, hosts: str, *options: str, **variables: Any) -> Finished:
        """Run the playbook that replaces certificates; the names of variables go without ``lync_certificates_``."""
        given = {f"lync_certificates_{name}": value for name, value in {"hosts": hosts, **variables}.items()}
        arguments = ("-i", str(lab.inventory_path), "winpki.keyprovider.enforce", "-e", json.dumps(given), *options)
        return self.run("ansible-playbook", *arguments)


def _as_task(task: dict[str, Any], number: int) -> dict[str, Any]:
    """A task that lets the play go on."""
    modules = {path.stem for path in (TOP / "plugins/modules").glob("*.py")}
    named = {f"winpki.keyprovider.{key}" if key in modules else key: value for key, value in task.items()}
    return {**named, "register": f"r{number}", "ignore_errors": True, "ignore_unreachable": True}


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    return Controller(tmp_path)


@pytest.fixture(scope="session")
def new_controller(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Controller]:
    """For fixtures that live longer than a test."""
    return lambda: Controller(tmp_path_factory.mktemp("controller"))


@pytest.fixture(scope="session")
def demo() -> Any:
    """The lab of the demo; tests leave it as they found it."""
    with Lab.from_scenario(SCENARIOS / "demo.yml") as lab:
        yield lab


@pytest.fixture
def lab_of(tmp_path: Path) -> Any:
    """Start a lab from the text of a scenario."""
    running: list[Lab] = []

    def start(text: str) -> Lab:
        path = tmp_path / f"scenario{len(running)}.yml"
        path.write_text(text, encoding="utf-8")
        lab = Lab.from_scenario(path)
        lab.__enter__()
        running.append(lab)
        return lab

    yield start
    for lab in running:
        lab.__exit__(None, None, None)


@pytest.fixture(scope="session")
def samba(tmp_path_factory: pytest.TempPathFactory) -> Iterator[samba_dc.SambaDomainController]:
    """A real domain controller; tests leave its directory as they found it.

    ``reader`` is a plain user of the domain, ``editor`` one who may write certificate templates.
    """
    if reason := samba_dc.reason_missing():
        missing(reason, "samba")
    accounts = [
        samba_dc.Account("reader", "Reader-Passw0rd"),
        samba_dc.Account("editor", "Editor-Passw0rd", ("Enterprise Admins",)),
    ]
    with samba_dc.SambaDomainController(tmp_path_factory.mktemp("samba"), accounts=accounts) as controller:
        yield controller


@pytest.fixture(scope="session")
def python_ldap() -> None:
    """The library that the way over LDAP needs."""
    try:
        importlib.import_module("ldap")
    except ImportError as exc:
        missing(f"python-ldap is not installed ({exc})", "python-ldap")
