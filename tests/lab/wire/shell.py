# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text-based command shell of one host: Create, Command, Send, Receive, Signal, Delete (MS-WSMV 3.1.4).

A command that says WINRS_CONSOLEMODE_STDIN FALSE starts when its stdin has ended; any other starts at once, without
stdin. The lab runs a command as one call of the host: there is no output before its end, a terminated command runs
on unseen, and environment, working directory, code page and idle time-outs of the shell have no effect.

Splitting of output. MS-WSMV 3.1.4.1.7 lets a reply be no larger than the client's MaxEnvelopeSize, and no larger than
the server's MaxEnvelopeSizekb. Into how many Receives a real host splits its output depends on this and on how the
process writes; no measurement on a real host is at hand, nor of a Receive after the last one (here: Done again,
without output). ``max_envelope`` None gives all output in one Receive, however
large; a number of bytes keeps every envelope within the smaller of it and the client's MaxEnvelopeSize.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from . import soap, wsmanfault
from .counters import Counters
from .host import Execution, Host
from .soap import SHELL, TRANSFER, Envelope

MINIMUM_ENVELOPE = 8192
"""Octets; a smaller MaxEnvelopeSize is refused (MS-WSMV 3.1.4.1.7)."""

CONTROL_C_EXIT = 0xC000013A
"""STATUS_CONTROL_C_EXIT: the exit code of a process that ended by Ctrl+C."""

_STATE = SHELL + "/CommandState/"
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
class Shell:
    """An open shell and its commands by their upper-case id."""

    user: str
    commands: dict[str, Command] = field(default_factory=dict)


class ShellService:
    """All shells of one host."""

    def __init__(self, host: Host, executor: Executor, counters: Counters, max_envelope: int | None) -> None:
        self._host = host
        self._executor = executor
        self._counters = counters
        self._max_envelope = max_envelope
        self._shells: dict[str, Shell] = {}
        self._busy = asyncio.Lock()
        self._handlers: dict[str, Callable[[Envelope, Shell], bytes]] = {
            "Command": self._command,
            "Send": self._send,
            "Signal": self._signal,
        }

    async def handle(self, envelope: Envelope, user: str) -> bytes:
        """Carry out one request. Raises WSManFault and MalformedEnvelope."""
        if envelope.operation not in soap.OPERATIONS.values():
            raise wsmanfault.unknown_action(envelope.action)
        if envelope.resource_uri != soap.SHELL_URI:
            raise wsmanfault.unknown_resource(envelope.resource_uri)
        if envelope.max_envelope is not None and envelope.max_envelope < MINIMUM_ENVELOPE:
            raise wsmanfault.envelope_too_small(envelope.max_envelope)
        if envelope.operation == "Create":
            return self._create(envelope, user)
        shell_id = envelope.selectors.get("ShellId", "")
        shell = self._shells.get(shell_id.upper())
        if shell is None:
            raise wsmanfault.shell_not_found(shell_id)
        if shell.user.lower() != user.lower():
            raise wsmanfault.access_denied()
        if envelope.operation == "Delete":
            del self._shells[shell_id.upper()]
            return soap.reply(TRANSFER + "/DeleteResponse", envelope.message_id, b"")
        if envelope.operation == "Receive":
            return await self._receive(envelope, shell)
        return self._handlers[envelope.operation](envelope, shell)

    def _create(self, envelope: Envelope, user: str) -> bytes:
        shell_id = envelope.element("Shell").get("ShellId", "").upper() or soap.new_id()
        self._shells[shell_id] = Shell(user)
        quoted = escape(shell_id)
        body = (
            f"<x:ResourceCreated><a:Address>http://windows-host:5985/wsman</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{soap.SHELL_URI}</w:ResourceURI><w:SelectorSet>"
            f'<w:Selector Name="ShellId">{quoted}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
            f"</x:ResourceCreated><rsp:Shell><rsp:ShellId>{quoted}</rsp:ShellId>"
            f"<rsp:ResourceUri>{soap.SHELL_URI}</rsp:ResourceUri><rsp:Owner>{escape(user)}</rsp:Owner>"
            "<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
        )
        return soap.reply(TRANSFER + "/CreateResponse", envelope.message_id, body.encode())

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
        body = f"<rsp:CommandResponse><rsp:CommandId>{escape(command_id)}</rsp:CommandId></rsp:CommandResponse>"
        return soap.reply(SHELL + "/CommandResponse", envelope.message_id, body.encode())

    def _send(self, envelope: Envelope, shell: Shell) -> bytes:
        for stream in envelope.element("Send").iterfind(f"{{{SHELL}}}Stream"):
            command = self._find(shell, stream.get("CommandId", ""))
            if command.run is not None:
                raise wsmanfault.unsupported_feature(
                    "The command has started. The lab takes stdin when WINRS_CONSOLEMODE_STDIN is FALSE, up to its end."
                )
            try:
                command.stdin += base64.b64decode(stream.text or "", validate=True)
            except binascii.Error as exc:
                raise wsmanfault.invalid_body(f"stdin is not base64: {exc}") from exc
            if stream.get("End", "").lower() in ("true", "1"):
                self._start(command)
        return soap.reply(SHELL + "/SendResponse", envelope.message_id, b"<rsp:SendResponse/>")

    async def _receive(self, envelope: Envelope, shell: Shell) -> bytes:
        wanted = envelope.element("Receive").find(f"{{{SHELL}}}DesiredStream")
        command = self._find(shell, "" if wanted is None else wanted.get("CommandId", ""))
        execution = await self._result(command, envelope.timeout)
        stdout, stderr, done = self._next_part(command, execution, envelope.max_envelope)
        return soap.reply(
            SHELL + "/ReceiveResponse",
            envelope.message_id,
            _output(command.command_id, execution, stdout, stderr, done),
        )

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
        return soap.reply(SHELL + "/SignalResponse", envelope.message_id, b"<rsp:SignalResponse/>")

    def _find(self, shell: Shell, command_id: str) -> Command:
        command = shell.commands.get(command_id.upper())
        if command is None:
            raise wsmanfault.command_not_found(command_id)
        return command

    def _start(self, command: Command) -> None:
        self._counters.commands += 1
        command.run = asyncio.get_running_loop().create_task(self._execute(command))

    async def _execute(self, command: Command) -> Execution:
        async with self._busy:
            return await asyncio.get_running_loop().run_in_executor(
                self._executor, self._host.execute, command.line, bytes(command.stdin), command.user
            )

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
        stdout, stderr = execution.stdout, execution.stderr
        if command.sent_stdout or command.sent_stderr or self._max_envelope is not None:
            stdout, stderr = stdout[command.sent_stdout :], stderr[command.sent_stderr :]
        if self._max_envelope is not None:
            room = _room(min(self._max_envelope, client_limit or self._max_envelope), command.command_id)
            stdout = stdout[:room]
            stderr = stderr[: room - len(stdout)]
        command.sent_stdout += len(stdout)
        command.sent_stderr += len(stderr)
        done = command.sent_stdout >= len(execution.stdout) and command.sent_stderr >= len(execution.stderr)
        return stdout, stderr, done


def _output(command_id: str, execution: Execution, stdout: bytes, stderr: bytes, done: bool) -> bytes:
    """The body of a ReceiveResponse (MS-WSMV 2.2.4.27)."""
    identity = f"CommandId={soap.attribute(command_id)}".encode()
    parts = [b"<rsp:ReceiveResponse>"]
    for name, data in ((b"stdout", stdout), (b"stderr", stderr)):
        if data:
            parts += [
                b'<rsp:Stream Name="%b" %b>' % (name, identity),
                base64.b64encode(data),
                b"</rsp:Stream>",
            ]
    if done:
        parts += [
            b'<rsp:Stream Name="%b" %b End="true"></rsp:Stream>' % (name, identity) for name in (b"stdout", b"stderr")
        ]
        parts.append(
            b'<rsp:CommandState %b State="%bDone"><rsp:ExitCode>%d</rsp:ExitCode></rsp:CommandState>'
            % (identity, _STATE.encode(), execution.exit_code & 0xFFFFFFFF)
        )
    else:
        parts.append(b'<rsp:CommandState %b State="%bRunning"/>' % (identity, _STATE.encode()))
    parts.append(b"</rsp:ReceiveResponse>")
    return b"".join(parts)


def _room(envelope: int, command_id: str) -> int:
    """How many bytes of output fit into an envelope of this size beside everything else; at least one."""
    frame = soap.reply(SHELL + "/ReceiveResponse", "uuid:" + soap.new_id(), b"")
    empty = _output(command_id, Execution(b"", b"", -1), b"-", b"-", done=True)
    return max((envelope - len(frame) - len(empty)) // 4 * 3 - 6, 1)
