# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host that watches for misuse writes down of the processes and scripts that run on it.

Security event 4688 says that a process was created, with its whole command line where the policy "Include command line
in process creation events" is on. Event 4104 of Microsoft-Windows-PowerShell/Operational is the text of a script block
before it runs for the first time: of ``-EncodedCommand`` the decoded text, and each text that a script makes a script
block of or invokes as an expression ("Turn on PowerShell Script Block Logging"). PowerShell 5.0 and later write it;
the lab keeps it of every release, which shows more than a real old host would. What a process reads from its standard
input is in neither. Event 4103 (module logging) is left out: what it tells of native commands is unverified.
"""

from __future__ import annotations

from dataclasses import dataclass

PROCESS_CREATED = 4688
SCRIPT_BLOCK = 4104


@dataclass(frozen=True)
class Event:
    """One event, as far as secrets can be in it."""

    id: int
    text: str
    """The command line, or the script."""
    user: str

    @classmethod
    def process(cls, command_line: str, user: str) -> Event:
        """A process was created."""
        return cls(PROCESS_CREATED, command_line, user)

    @classmethod
    def script(cls, text: str, user: str) -> Event:
        """A script block runs."""
        return cls(SCRIPT_BLOCK, text, user)
