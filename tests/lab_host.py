# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated host without the wire: scripts run at once, and a connection can be cut around any of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import (
    SCRIPT_LIMIT,
    Completed,
    HostUnreachable,
    native_call,
)
from lab.host.machine import Machine
from lab.powershell.process import run_script
from lab.scenario import parse

USER = "Administrator"


class LabHost:
    """What the host side of a module needs of a connection, on a machine of the lab."""

    def __init__(self, machine: Machine, user: str = USER) -> None:
        self.machine = machine
        self.user = user
        self.scripts: list[str] = []
        self.inputs: list[bytes] = []
        self.cut: Callable[[int, str], str | None] = lambda number, script: None
        """Says of each script, by its number from 1 on, whether the connection breaks ``before`` or ``after`` it."""
        self.meanwhile: Callable[[int, str], None] = lambda number, script: None
        """Called before each script."""

    def run(self, *arguments: str) -> Completed:
        """One native command."""
        return self.run_script(native_call(*arguments) + "\nexit $LASTEXITCODE")

    def run_script(self, script: str, stdin: bytes | None = None) -> Completed:
        """One script."""
        assert len(script) <= SCRIPT_LIMIT
        self.scripts.append(script)
        self.inputs.append(stdin or b"")
        number = len(self.scripts)
        when = self.cut(number, script)
        if when == "before":
            raise HostUnreachable("The connection broke.", remedy="Run it again.")
        self.meanwhile(number, script)
        execution = run_script(self.machine, script, stdin or b"", self.user)
        assert b"not simulated" not in execution.stderr, execution.stderr.decode()
        if when == "after":
            raise HostUnreachable("The connection broke.", remedy="Run it again.")
        return Completed(execution.exit_code & 0xFFFFFFFF, execution.stdout, execution.stderr)


def machine_with(*certificates: dict[str, Any], **host: Any) -> Machine:
    """A machine with these certificates in My, described as in a scenario file."""
    entry = {"name": "fe01", "stores": {"My": list(certificates)}, **host}
    data = {
        "lab": {"domain": "contoso.example", "user": USER, "password": "x"},
        "cas": [{"id": "contoso", "subject": "CN=Contoso Issuing CA", "crl": "http://pki.contoso.example/ca.crl"}],
        "hosts": [entry],
    }
    return parse(data, "the test").hosts[0].machine
