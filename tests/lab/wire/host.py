# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the wire asks of a simulated Windows host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class NetworkLogon(str):
    """The name of a user who proved himself without giving the host his password (NTLM, Kerberos without delegation).

    What he starts there has no credentials for a third machine; wherever a user is asked for, this name may stand.
    """

    __slots__ = ()


@dataclass(frozen=True)
class Execution:
    """What one command left behind.

    ``exit_code`` may be signed or unsigned; the wire sends the unsigned 32-bit decimal, as Windows does (a failed
    process shows as 2147942501, not as -2147024795, in rgl/packer-plugin-windows-update issue 78).
    """

    stdout: bytes
    stderr: bytes
    exit_code: int


@dataclass(frozen=True)
class ScriptError:
    """An error record of a script."""

    message: str
    command: str = ""
    """The command that failed."""
    error_id: str = "RuntimeException"
    category: str = "NotSpecified: (:) [], RuntimeException"
    position: str = ""


@dataclass(frozen=True)
class ScriptResult:
    """What one script left behind in its runspace.

    ``exit_code`` is None unless the script said ``exit``; ``failure`` is the error that ended it.
    """

    output: Sequence[str | int] = ()
    errors: Sequence[ScriptError] = ()
    host_lines: Sequence[str] = ()
    """What it wrote past the pipeline to the host of the client."""
    exit_code: int | None = None
    failure: ScriptError | None = None


class Runspace(Protocol):
    """A PowerShell session that runs one script after the other."""

    @property
    def powershell(self) -> str:
        """The version, such as ``4.0``."""

    def run(self, script: str, values: Sequence[object], local_scope: bool) -> ScriptResult:
        """Run a script; ``values`` is what ``$input`` gives it: texts, numbers and byte arrays.

        In a local scope the script's variables end with it.
        """


class Host(Protocol):
    """A simulated host.

    The wire never runs two commands or scripts of one host at the same time. ``execute`` and ``Runspace.run`` run in
    worker threads, the others in the thread of the server; an exception of ``execute`` or ``run`` reaches the client
    as a WS-Management fault.
    """

    name: str

    def password_of(self, user: str) -> str | None:
        r"""The password of the account, or ``None`` when there is no such account.

        ``user`` is what the client sent: ``DOMAIN\user``, ``user@domain`` or ``user``.
        """

    def execute(self, command_line: str, stdin: bytes, user: str) -> Execution:
        """Run the command line that cmd.exe gets behind ``/c``: Command and Arguments, joined by single blanks.

        ``stdin`` is everything that was sent, up to the end of the stream.
        """

    def open_runspace(self, user: str) -> Runspace:
        """A new session of the PowerShell remoting endpoint."""
