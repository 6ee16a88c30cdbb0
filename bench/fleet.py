# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab in a process of its own, and playbooks run against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from lab.scenario import parse

TOP = Path(__file__).parents[1]
_TASKS: dict[str, dict[str, Any]] = {
    "raw": {"ansible.builtin.raw": "hostname"},
    "audit": {"winpki.keyprovider.certificate_info": {}},
}


def scenario(*, hosts: int, certificates: int, transport: str, max_envelope: int | None = None) -> dict[str, Any]:
    """Hosts with certificates of four kinds of key, half of them assigned to nothing."""
    host: dict[str, Any] = {
        "name": "fe{n}" if hosts > 1 else "fe01",
        "count": hosts,
        "roles": ["lync"],
        "lync": {"version": "2013"},
        "stores": {
            "My": [
                {
                    "generate": certificates,
                    "subject": "CN=server{n}.contoso.example",
                    "san": ["pool.contoso.example", "sip.contoso.example"],
                    "template": {"name": "LyncWebServer", "display_name": "Lync Web Server"},
                    "holders": ["schannel", "cng", "strong", "schannel"],
                }
            ]
        },
    }
    if max_envelope:
        host["max_envelope"] = max_envelope
    return {
        "lab": {"user": "Administrator", "password": "bench-only", "transport": transport},
        "cas": [{"id": "contoso", "subject": "CN=Contoso Issuing CA", "crl": "http://crl.contoso.example/ca.crl"}],
        "hosts": [host],
    }


def blobs(count: int) -> list[tuple[bytes, bytes]]:
    """Serialized certificates, each different, with the certificate in each."""
    built = parse(scenario(hosts=1, certificates=count, transport="basic"), "bench")
    stored = built.hosts[0].machine.stores["MY"]
    return [(one.blob, one.issued.der) for one in stored if one.issued]


@contextmanager
def _lab(directory: Path, definition: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    path, inventory = directory / "scenario.yml", directory / "inventory.yml"
    path.write_text(yaml.safe_dump(definition))
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", str(path), "--inventory", str(inventory)],
        cwd=TOP / "tests",
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        if "control at " not in line:
            raise SystemExit(line + process.stderr.read())
        yield inventory, line.rpartition("control at ")[2].strip()
    finally:
        process.terminate()
        process.wait()


def playbook(path: Path, task: Mapping[str, Any]) -> Path:
    """Write a playbook of one task for all hosts."""
    path.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [dict(task)]}]), "utf-8")
    return path


def run(directory: Path, *arguments: str) -> float:
    """Run ansible-playbook; the seconds that it took."""
    environment = {**os.environ, "ANSIBLE_HOME": str(directory / ".ansible"), "ANSIBLE_FORKS": "10"}
    started = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    elapsed = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return elapsed


def audit_once(directory: Path, definition: dict[str, Any]) -> dict[str, Any]:
    """Run the playbook of users against a lab of one host; its counters."""
    with _lab(directory, definition) as (inventory, control):
        run(directory, "-i", str(inventory), "winpki.keyprovider.audit")
        with urllib.request.urlopen(f"{control}/counters") as answer:
            counters: dict[str, Any] = json.load(answer)
    return next(iter(counters.values()))


def compare(directory: Path, definition: dict[str, Any], *, rounds: int) -> dict[str, list[float]]:
    """Seconds of a playbook with one raw task and of the same with one audit task, in turns."""
    with _lab(directory, definition) as (inventory, _control):
        return in_turns(directory, inventory, _TASKS, rounds=rounds)


def in_turns(
    directory: Path, inventory: Path, tasks: Mapping[str, Mapping[str, Any]], *, rounds: int
) -> dict[str, list[float]]:
    """Seconds of playbooks of one task each, in turns, after a run of each that does not count."""
    playbooks = {name: playbook(directory / f"{name}.yml", task) for name, task in tasks.items()}
    times: dict[str, list[float]] = {name: [] for name in playbooks}
    for number in range(rounds + 1):
        for name, path in playbooks.items():
            seconds = run(directory, "-i", str(inventory), str(path))
            if number:
                times[name].append(seconds)
    return times
