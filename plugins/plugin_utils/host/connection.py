# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run native Windows commands over any Ansible connection, with ``exec_command`` alone.

``put_file``, ``fetch_file`` and Ansible's remote temporary directory need a newer PowerShell on the target
than Lync servers have (5.1 from ansible-core 2.19 on); ``exec_command`` has no such gate on any release.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.release import __version__

RELEASE = tuple(int(part) for part in __version__.split(".")[:2])
"""Major and minor number of ansible-core."""

SCRIPT_LIMIT = 2900
"""Characters of script that fit in cmd.exe's 8,191 once encoded as UTF-16LE and base64 (3 x 8/3, less the call)."""

_TAKES_ENCODED = {"psrp": (2, 16), "ssh": (2, 18), "winrm": (2, 19)}
"""From which ansible-core on a connection plugin hands on a script that is encoded already.

Releases before encode it themselves; encoded twice, it would exceed cmd.exe's limit. A script that is not encoded goes
to whatever shell sshd starts (ssh from 2.18 on), gets bytes for text as its input (psrp), and is taken for a command
line of cmd.exe when it holds the word -EncodedCommand (winrm from 2.21 on).
"""

_POWERSHELL = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
"""What Ansible's shell plugins write; winrm and psrp know an encoded script by it (ansible-core up to 2.20)."""

_SINGLE_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")
_FORBIDDEN = re.compile('[\x00-\x1f\x7f"\u201c\u201d\u201e]')


class Connection(Protocol):
    """What is needed of an Ansible connection plugin."""

    transport: str
    _shell: Any

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command; return exit code, standard output and standard error."""


class HostError(Exception):
    """A host that could not do what was asked. ``remedy`` is the way out, a whole sentence; ``facts`` stand in the
    result beside the message.
    """

    def __init__(
        self, message: str, *, remedy: str = "", place: str | None = None, facts: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.place = place
        self.facts = facts or {}


class HostUnreachable(HostError):
    """The connection to the host broke."""


@dataclass(frozen=True)
class Completed:
    """A command that ran to its end."""

    exit_code: int
    """The unsigned 32-bit exit code: an HRESULT for certutil and certreq, 0 or 1 for reg.exe."""
    stdout: bytes
    stderr: bytes

    @property
    def complaint(self) -> str:
        """What the command said when it failed, in the language of the host, on one line.

        In a runspace (psrp) a native command's standard error becomes an error record; of that, the message stays
        and the position in the script and the category go.
        """
        lines = (self.stderr.strip() or self.stdout.strip()).decode("utf-8", "replace").splitlines()
        marked = next((number for number, line in enumerate(lines) if line.lstrip().startswith("+ ")), None)
        if marked is not None:
            # The line before the first mark says where it was; the category may stand without a position.
            lines = lines[: marked if "CategoryInfo" in lines[marked] else max(marked - 1, 1)]
        return " ".join(" ".join(lines).split())[:500]


def quote(argument: str) -> str:
    """Quote one native argument for a PowerShell script.

    PowerShell takes four typographic quotes for the single quote; doubling escapes each of them. An embedded
    double quote is lost and an empty argument is dropped on the way from Windows PowerShell 5.1 and older to
    a native command, so neither is accepted.

    Raises:
        HostError: the argument is empty, or holds a double quote or a control character.
    """
    if not argument:
        raise HostError("An empty argument cannot be passed to a native Windows command.")
    if _FORBIDDEN.search(argument):
        raise HostError(
            f"{argument!r} holds a double quote or a control character, which cannot be passed to a native Windows "
            "command.",
            remedy="Correct the value.",
        )
    return "'" + _SINGLE_QUOTES.sub(r"\1\1", argument) + "'"


def native_call(*arguments: str) -> str:
    """The PowerShell statement that calls a native command.

    Raises:
        HostError: an argument cannot be passed.
    """
    return "& " + " ".join(quote(argument) for argument in arguments)


class WindowsHost:
    """A Windows host behind an Ansible connection."""

    def __init__(self, connection: Connection) -> None:
        """Take the connection of a task.

        Raises:
            HostError: the connection's shell is not one of Windows.
        """
        shell = connection._shell
        if not getattr(shell, "_IS_WINDOWS", False):
            raise HostError(
                f"The host is reached with the shell {getattr(shell, 'SHELL_FAMILY', 'unknown')!r} over "
                f"{connection.transport!r}, which is not Windows.",
                remedy="Leave the host out of the play, or set ansible_connection to winrm or psrp (with ssh: "
                "ansible_shell_type to powershell or cmd).",
            )
        self._connection = connection

    def run(self, *arguments: str) -> Completed:
        """Run one native command and return its own exit code.

        ``exit $LASTEXITCODE`` is needed because PowerShell flattens a native command's exit code to 0 or 1.
        A command that does not exist leaves ``$LASTEXITCODE`` empty, so it ends with exit code 0 and no output:
        callers must not take silence for success.

        Raises:
            HostError: an argument cannot be passed.
        """
        return self.run_script(native_call(*arguments) + "\nexit $LASTEXITCODE")

    def run_script(self, script: str, stdin: bytes | None = None) -> Completed:
        """Run a PowerShell script of at most :data:`SCRIPT_LIMIT` characters.

        The script reads ``stdin``, which must be ASCII text, with ``$input``: line by line, but over psrp as one text
        with ansible-core up to 2.18. It has no limit of length and stays off the command line.

        Raises:
            HostError: the script is too long for cmd.exe.
            HostUnreachable: the host could not be reached, or the connection broke.
            AnsibleError: the connection plugin could not run the command for another reason.
        """
        if len(script) > SCRIPT_LIMIT:
            raise HostError(f"A script of {len(script)} characters exceeds cmd.exe's limit of 8,191 once encoded.")
        command = script
        since = _TAKES_ENCODED.get(self._connection.transport.rpartition(".")[2])
        if since and since <= RELEASE:
            command = _POWERSHELL + base64.b64encode(script.encode("utf-16-le")).decode("ascii")
        try:
            exit_code, stdout, stderr = self._connection.exec_command(command, in_data=stdin, sudoable=False)
        except AnsibleConnectionFailure as exc:
            # The ssh plugin says so of a connection that breaks while a command runs, too.
            raise HostUnreachable(
                str(exc), remedy="Check the address, the account and the network of the host, then run it again."
            ) from exc
        except AnsibleError as exc:
            if stdin is None:
                raise
            # The winrm plugin says so, with all that the command had printed, when a Send got no answer; the command
            # may have run to its end (seen with ansible-core 2.18).
            reason = str(exc).partition(";")[0].strip()
            raise HostUnreachable(
                f"The connection to the host broke while a command was given its input: {reason}.",
                remedy="Check the network and the WinRM service of the host, then run it again.",
            ) from exc
        except Exception as exc:
            # The winrm plugin lets the exceptions of requests and pywinrm through when a connection breaks later than
            # at its first message (seen with ansible-core 2.18: requests.exceptions.ConnectionError).
            raise HostUnreachable(
                f"The connection to the host broke while a command ran: {exc or type(exc).__name__}.",
                remedy="Check the network and the WinRM service of the host, then run it again.",
            ) from exc
        return Completed(exit_code & 0xFFFFFFFF, stdout, stderr)
