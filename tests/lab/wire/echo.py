# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host without Windows: it answers every command alike. For tests and measurements of the wire."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from .host import Execution


@dataclass
class EchoHost:
    """Answers ``answer``, or the command line and the stdin when there is none; remembers what it was asked."""

    name: str
    accounts: dict[str, str] = field(default_factory=lambda: {"admin": "Secret-1"})
    answer: Execution | None = None
    seconds: float = 0.0
    """How long a command takes."""
    calls: list[tuple[str, bytes, str]] = field(default_factory=list)

    def password_of(self, user: str) -> str | None:
        """Accounts are known by exactly the name they are listed under."""
        return self.accounts.get(user)

    def execute(self, command_line: str, stdin: bytes, user: str) -> Execution:
        """Remember the call and answer."""
        self.calls.append((command_line, stdin, user))
        time.sleep(self.seconds)
        return self.answer or Execution(command_line.encode() + b"\n" + stdin, b"", 0)
