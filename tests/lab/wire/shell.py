# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text-based command shell of one host: Create, Command, Send, Receive, Signal, Delete (MS-WSMV 3.1.4).

A command that says WINRS_CONSOLEMODE_STDIN FALSE starts when its stdin has ended; any other starts at once, without
stdin. The lab runs a command as one call of the host: there is no output before its end, a terminated command runs
on unseen, and environment, working directory, code page and idle time-outs of the shell have no effect.

No measurement on a real host is at hand of a Receive after the last one (here: Done again, without output).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from dataclasses import dataclass, field

from . import soap, wsmanfault
from .host import Execution
from .service import OpenShell, ShellsOfOneKind, command_response, command_state, stream
from .soap import SHELL, Envelope

CONTROL_C_EXIT = 0xC000013A
"""STATUS_CONTROL_C_EXIT: the exit code of a process that ended by Ctrl+C."""

_SIGNAL = SHELL + "/signal/"

_log = logging.getLogger(__name__)


@dataclass
class Command:
    """One command of a shell."""

    command_id: str
    line: str
    user: str
    stdin: bytearray = field(default_factory=bytearray)
    run: asyncio.Task[Execution] | None = None
    interrupted: bool = False
    sent_stdout: int = 0
    sent_stderr: int = 0


@dataclass
class Shell(OpenShell):
    """A shell and its commands by their upper-case id."""

    commands: dict[str, Command] = field(default_factory=dict)


class ShellService(ShellsOfOneKind[Shell]):
    """All command shells of one host."""

    uri = soap.SHELL_URI
    streams = ("stdin", "stdout stderr")

    def _open(self, envelope: Envelope, user: str) -> Shell:
        return Shell(user)

    def _command(self, envelope: Envelope, shell: Shell) -> bytes:
        element = envelope.element("CommandLine")
        words = [element.findtext(f"{{{SHELL}}}Command") or ""]
        words += [node.text or "" for node in element.iterfind(f"{{{SHELL}}}Arguments")]
        if envelope.options.get("WINRS_SKIP_CMD_SHELL", "FALSE").upper() == "TRUE":
            raise wsmanfault.unsupported_feature("The lab runs every command through cmd.exe (WINRS_SKIP_CMD_SHELL).")
        command_id = element.get("CommandId", "").upper() or soap.new_id()
        command = Command(command_id, " ".join(words), shell.user)
        shell.commands[command_id] = command
        if envelope.options.get("WINRS_CONSOLEMODE_STDIN", "TRUE").upper() != "FALSE":
            self._start(command)
        return command_response(command_id)

    def _send(self, envelope: Envelope, shell: Shell) -> bytes:
        for sent in envelope.element("Send").iterfind(f"{{{SHELL}}}Stream"):
            command = self._find(shell, sent.get("CommandId", ""))
            if command.run is not None:
                raise wsmanfault.unsupported_feature(
                    "The command has started. The lab takes stdin when WINRS_CONSOLEMODE_STDIN is FALSE, up to its end."
                )
            try:
                command.stdin += base64.b64decode(sent.text or "", validate=True)
            except binascii.Error as exc:
                raise wsmanfault.invalid_body(f"stdin is not base64: {exc}") from exc
            if sent.get("End", "").lower() in ("true", "1"):
                self._start(command)
        return b"<rsp:SendResponse/>"

    async def _receive(self, envelope: Envelope, shell: Shell) -> bytes:
        wanted = envelope.element("Receive").find(f"{{{SHELL}}}DesiredStream")
        command = self._find(shell, "" if wanted is None else wanted.get("CommandId", ""))
        execution = await self._result(command, envelope.timeout)
        stdout, stderr, done = self._next_part(command, execution, envelope.max_envelope)
        return _output(command.command_id, execution, stdout, stderr, done)

    def _signal(self, envelope: Envelope, shell: Shell) -> bytes:
        element = envelope.element("Signal")
        command = self._find(shell, element.get("CommandId", ""))
        code = (element.findtext(f"{{{SHELL}}}Code") or "").strip()
        name = code.rpartition("/")[2].lower()
        if name == "terminate":
            del shell.commands[command.command_id]
        elif name in ("ctrl_c", "ctrl_break"):
            command.interrupted = command.run is None or not command.run.done()
        else:
            raise wsmanfault.invalid_body(f"signal {code!r} is none of {_SIGNAL}terminate, ctrl_c and ctrl_break")
        return b"<rsp:SignalResponse/>"

    def _find(self, shell: Shell, command_id: str) -> Command:
        command = shell.commands.get(command_id.upper())
        if command is None:
            raise wsmanfault.command_not_found(command_id)
        return command

    def _start(self, command: Command) -> None:
        self._counters.commands += 1
        command.run = asyncio.get_running_loop().create_task(self._execute(command))

    async def _execute(self, command: Command) -> Execution:
        return await self._in_turn(lambda: self._host.execute(command.line, bytes(command.stdin), command.user))

    async def _result(self, command: Command, timeout: float) -> Execution:
        """What the command left; a fault when it has not ended within ``timeout`` seconds or the host broke."""
        if command.run is not None and not command.interrupted:
            await asyncio.wait((command.run,), timeout=timeout)
        elif not command.interrupted:
            await asyncio.sleep(timeout)
        if command.interrupted:
            return Execution(b"", b"", CONTROL_C_EXIT)
        if command.run is None or not command.run.done():
            raise wsmanfault.timed_out()
        failure = command.run.exception()
        if failure is not None:
            _log.error("%s: %s", self._host.name, command.line, exc_info=failure)
            raise wsmanfault.host_failed(f"{type(failure).__name__}: {failure}")
        return command.run.result()

    def _next_part(self, command: Command, execution: Execution, client_limit: int | None) -> tuple[bytes, bytes, bool]:
        """The output that the next reply carries, and whether it is the last of it."""
        stdout, stderr = execution.stdout[command.sent_stdout :], execution.stderr[command.sent_stderr :]
        frame = _output(command.command_id, Execution(b"", b"", -1), b"-", b"-", done=True)
        room = self._room(client_limit, frame)
        if room is not None:
            size = max(room // 4 * 3 - 6, 1)
            stdout = stdout[:size]
            stderr = stderr[: size - len(stdout)]
        command.sent_stdout += len(stdout)
        command.sent_stderr += len(stderr)
        done = command.sent_stdout >= len(execution.stdout) and command.sent_stderr >= len(execution.stderr)
        return stdout, stderr, done


def _output(command_id: str, execution: Execution, stdout: bytes, stderr: bytes, done: bool) -> bytes:
    """The body of a ReceiveResponse (MS-WSMV 2.2.4.27)."""
    identity = f" CommandId={soap.attribute(command_id)}".encode()
    parts = [
        stream(name, identity, base64.b64encode(data))
        for name, data in (("stdout", stdout), ("stderr", stderr))
        if data
    ]
    if done:
        parts += [stream(name, identity, b"") for name in ("stdout", "stderr")]
    parts.append(command_state(identity, execution.exit_code if done else None))
    return b"<rsp:ReceiveResponse>" + b"".join(parts) + b"</rsp:ReceiveResponse>"
