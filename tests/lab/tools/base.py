# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a simulated native tool takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..host.machine import Machine


@dataclass(frozen=True)
class Call:
    """A tool started with arguments, as its C runtime hands them over."""

    machine: Machine
    arguments: Sequence[str]
    user: str
    stdin: bytes = b""


@dataclass(frozen=True)
class Result:
    """What the tool wrote, as text, and its exit code (a 32-bit number, signed as a process returns it)."""

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0
