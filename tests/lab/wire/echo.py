# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host without Windows: it answers every command alike. For tests and measurements of the wire."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from .host import Execution, ScriptResult


@dataclass
class EchoHost:
    """Answers ``answer``, or the command line and the stdin when there is none; remembers what it was asked."""

    name: str
    accounts: dict[str, str] = field(default_factory=lambda: {"admin": "Secret-1"})
    answer: Execution | None = None
    script_answer: ScriptResult | None = None
    powershell: str = "5.1"
    seconds: float = 0.0
    """How long a command or a script takes."""
    calls: list[tuple[str, bytes, str]] = field(default_factory=list)

    def password_of(self, user: str) -> str | None:
        """Accounts are known by exactly the name they are listed under."""
        return self.accounts.get(user)

    def execute(self, command_line: str, stdin: bytes, user: str) -> Execution:
        """Remember the call and answer."""
        self.calls.append((command_line, stdin, user))
        time.sleep(self.seconds)
        return self.answer or Execution(command_line.encode() + b"\n" + stdin, b"", 0)

    def open_runspace(self, user: str) -> EchoRunspace:
        """A runspace that answers ``script_answer``, or the script and its input."""
        return EchoRunspace(self)


@dataclass
class EchoRunspace:
    """A runspace of such a host."""

    host: EchoHost

    @property
    def powershell(self) -> str:
        """The version."""
        return self.host.powershell

    def run(self, script: str, values: Sequence[object], local_scope: bool) -> ScriptResult:
        """Answer."""
        time.sleep(self.host.seconds)
        return self.host.script_answer or ScriptResult([script, *(repr(value) for value in values)])
