# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The PowerShell remoting endpoint of one host: MS-PSRP over WS-Management, as far as one script at a time needs it.

Create carries the opening of the runspace pool, Command the pipeline, Send its input and Receive its output, all as
fragments of PSRP messages. psrpcore reads and writes the messages; the host runs the script.

As in recordings of Server 2016 (the test responses of pypsrp) two Receives open a pool, a pipeline that starts sends
no state, and the last output comes together with CommandState Done and exit code 0: the script's own exit code
travels as a call of the client's host (SetShouldExit). The lab runs a script as one call of the host: there is no
output before its end, and an interrupted script runs on unseen. Pipelines of anything but one script without
arguments, host calls that want an answer, key exchange and reconnection are refused.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from psrpcore import (
    Command,
    CreatePipelineEvent,
    EndOfPipelineInputEvent,
    InitRunspacePoolEvent,
    PipelineInputEvent,
    PSRPEvent,
    PSRPPayload,
    ServerPipeline,
    ServerRunspacePool,
    SessionCapabilityEvent,
    StreamType,
)
from psrpcore.types import (
    ErrorCategory,
    ErrorCategoryInfo,
    ErrorRecord,
    HostMethodIdentifier,
    InvocationInfo,
    NETException,
    PipelineState,
    PSCustomObject,
    PSInvocationState,
    PSRPMessageType,
    PSVersion,
    SessionCapability,
)

from . import soap, wsmanfault
from .host import Runspace, ScriptError, ScriptResult
from .service import OpenShell, ShellsOfOneKind, command_response, command_state, stream
from .soap import POWERSHELL, SHELL, Envelope

FRAGMENT = 32768
"""Bytes; DefaultFragmentSize of the transport manager (PowerShell source, BaseTransportManager)."""

_SMALLEST_FRAGMENT = 22
"""Bytes; a fragment's header has 21 (MS-PSRP 2.2.4)."""

_SOME_ID = f' CommandId="{uuid.UUID(int=0)}"'.encode()

_PROTOCOLS = {"2.0": "2.1", "3.0": "2.2", "4.0": "2.2", "5.1": "2.3"}
"""The protocol version of each PowerShell (MS-PSRP 2.2.2.1 and the products that its appendix names)."""

_CATEGORY = re.compile(r"(\w+): \((.*):(.*)\) \[(.*)\], (.*)", re.DOTALL)

_log = logging.getLogger(__name__)


@dataclass
class Outlet:
    """What waits for the client to receive it: for each reply the fragments."""

    replies: deque[list[bytes]] = field(default_factory=deque)


@dataclass
class Pipeline(Outlet):
    """One pipeline of a pool."""

    server: ServerPipeline | None = None
    script: str = ""
    local_scope: bool = False
    values: list[object] = field(default_factory=list)
    run: asyncio.Task[ScriptResult] | None = None
    delivered: bool = False


@dataclass
class Pool(OpenShell):
    """A runspace pool and its pipelines by their id."""

    runspace: Runspace
    server: ServerRunspacePool
    own: Outlet = field(default_factory=Outlet)
    pipelines: dict[uuid.UUID, Pipeline] = field(default_factory=dict)


class RunspaceService(ShellsOfOneKind[Pool]):
    """All runspace pools of one host."""

    uri = soap.POWERSHELL_URI
    streams = ("stdin pr", "stdout")

    def _open(self, envelope: Envelope, user: str) -> Pool:
        runspace = self._host.open_runspace(user)
        protocol, serialization = PSVersion(_PROTOCOLS[runspace.powershell]), PSVersion("1.1.0.1")
        versions = {
            "PSVersion": PSVersion(runspace.powershell),
            "PSRemotingProtocolVersion": protocol,
            "SerializationVersion": serialization,
        }
        server = ServerRunspacePool(application_private_data={"PSVersionTable": versions})
        server.our_capability = SessionCapability(
            PSVersion=PSVersion("2.0"), protocolversion=protocol, SerializationVersion=serialization
        )
        pool = Pool(user, runspace, server)
        self._feed(pool, envelope.element("Shell").findtext(f"{{{POWERSHELL}}}creationXml"))
        return pool

    def _command(self, envelope: Envelope, shell: Pool) -> bytes:
        element = envelope.element("CommandLine")
        command_id = element.get("CommandId", "").upper() or soap.new_id()
        # psrpcore takes the message that creates a pipeline only when it knows the pipeline.
        identifier = _identifier(command_id)
        shell.pipelines[identifier] = Pipeline(server=ServerPipeline(shell.server, identifier))
        self._feed(shell, element.findtext(f"{{{SHELL}}}Arguments"))
        return command_response(command_id)

    def _send(self, envelope: Envelope, shell: Pool) -> bytes:
        for sent in envelope.element("Send").iterfind(f"{{{SHELL}}}Stream"):
            if sent.get("CommandId"):
                self._find(shell, sent.get("CommandId", ""))
            self._feed(shell, sent.text)
        return b"<rsp:SendResponse/>"

    async def _receive(self, envelope: Envelope, shell: Pool) -> bytes:
        wanted = envelope.element("Receive").find(f"{{{SHELL}}}DesiredStream")
        command_id = "" if wanted is None else wanted.get("CommandId", "")
        pipeline = self._find(shell, command_id) if command_id else None
        if pipeline is not None and pipeline.run is not None and not pipeline.delivered:
            await asyncio.wait((pipeline.run,), timeout=envelope.timeout)
            self._deliver(shell, pipeline)
        outlet = shell.own if pipeline is None else pipeline
        if not outlet.replies and not (pipeline is not None and pipeline.delivered):
            if pipeline is None or pipeline.run is None:
                await asyncio.sleep(envelope.timeout)
            raise wsmanfault.timed_out()
        identity = f" CommandId={soap.attribute(command_id)}".encode() if command_id else b""
        return self._reply(envelope, outlet, identity)

    def _signal(self, envelope: Envelope, shell: Pool) -> bytes:
        element = envelope.element("Signal")
        command_id = element.get("CommandId", "")
        pipeline = self._find(shell, command_id)
        code = (element.findtext(f"{{{SHELL}}}Code") or "").strip()
        name = code.rpartition("/")[2].lower()
        if name not in ("terminate", "ctrl_c"):
            raise wsmanfault.invalid_body(f"signal {code!r} is neither powershell/signal/ctrl_c nor terminate")
        assert pipeline.server is not None
        if name == "ctrl_c" and not pipeline.delivered:
            pipeline.server.state = PSInvocationState.Running
            pipeline.server.stop()
            self._collect(shell)
            pipeline.delivered = True
        else:
            pipeline.server.state = PSInvocationState.Completed
            pipeline.server.close()
            del shell.pipelines[_identifier(command_id)]
        return b"<rsp:SignalResponse/>"

    def _find(self, shell: Pool, command_id: str) -> Pipeline:
        pipeline = shell.pipelines.get(_identifier(command_id))
        if pipeline is None:
            raise wsmanfault.command_not_found(command_id)
        return pipeline

    def _feed(self, shell: Pool, encoded: str | None) -> None:
        """Take fragments and act on the messages that they complete."""
        try:
            data = base64.b64decode(encoded or "", validate=True)
            shell.server.receive_data(PSRPPayload(data, StreamType.default, None))
            events = iter(shell.server.next_event, None)
            while (event := next(events, None)) is not None:
                self._react(shell, event)
                self._collect(shell)
        except wsmanfault.WSManFault:
            raise
        except Exception as exc:
            # psrpcore lets the exceptions of its parsers through: struct, XML, enumerations, missing properties.
            raise wsmanfault.invalid_body(f"not PSRP: {type(exc).__name__}: {exc}") from exc

    def _react(self, shell: Pool, event: PSRPEvent[Any, Any]) -> None:
        if isinstance(event, SessionCapabilityEvent | InitRunspacePoolEvent):
            return
        if not isinstance(event, CreatePipelineEvent | PipelineInputEvent | EndOfPipelineInputEvent):
            raise wsmanfault.unsupported_feature(f"The lab does not answer {type(event).__name__}.")
        pipeline = self._find(shell, str(event.pipeline_id))
        if isinstance(event, CreatePipelineEvent):
            command = _only_script(event.pipeline.commands)
            pipeline.script, pipeline.local_scope = command.command_text, bool(command.use_local_scope)
            if event.pipeline.no_input:
                self._start(shell, pipeline)
        elif isinstance(event, PipelineInputEvent):
            pipeline.values.append(_plain(event.data))
        else:
            self._start(shell, pipeline)

    def _start(self, shell: Pool, pipeline: Pipeline) -> None:
        if pipeline.run is not None:
            raise wsmanfault.invalid_body("The input of the pipeline has ended already.")
        self._counters.commands += 1
        pipeline.run = asyncio.get_running_loop().create_task(
            self._in_turn(lambda: shell.runspace.run(pipeline.script, pipeline.values, pipeline.local_scope))
        )

    def _deliver(self, shell: Pool, pipeline: Pipeline) -> None:
        """Turn what an ended script left into messages."""
        if pipeline.delivered or pipeline.run is None or not pipeline.run.done():
            return
        failure = pipeline.run.exception()
        if failure is not None:
            _log.error("%s: %s", self._host.name, pipeline.script, exc_info=failure)
            raise wsmanfault.host_failed(f"{type(failure).__name__}: {failure}")
        assert pipeline.server is not None
        _write(pipeline.server, pipeline.run.result())
        self._collect(shell)
        pipeline.delivered = True

    def _collect(self, shell: Pool) -> None:
        """Sort the messages that are ready to their receivers; those for one receiver are one reply."""
        room = self._room(None, _frame(_SOME_ID))
        size = FRAGMENT if room is None else min(FRAGMENT, max(room // 4 * 3, _SMALLEST_FRAGMENT))
        fresh: dict[uuid.UUID | None, list[bytes]] = {}
        while (payload := shell.server.data_to_send(size)) is not None:
            fresh.setdefault(payload.pipeline_id, []).append(payload.data)
        for identifier, fragments in fresh.items():
            outlet = shell.own if identifier is None else shell.pipelines[identifier]
            outlet.replies.append(fragments)

    def _reply(self, envelope: Envelope, outlet: Outlet, identity: bytes) -> bytes:
        """The next reply; with a limit to its size as many fragments of it as fit, at least one."""
        fragments = outlet.replies.popleft() if outlet.replies else []
        room = self._room(envelope.max_envelope, command_state(identity, 0))
        elements: list[bytes] = []
        for number, fragment in enumerate(fragments):
            element = stream("stdout", identity, base64.b64encode(fragment))
            if room is not None and elements and sum(map(len, elements)) + len(element) > room:
                outlet.replies.appendleft(fragments[number:])
                break
            elements.append(element)
        if isinstance(outlet, Pipeline):
            done = outlet.delivered and not outlet.replies
            elements.append(command_state(identity, 0 if done else None))
        return b"<rsp:ReceiveResponse>" + b"".join(elements) + b"</rsp:ReceiveResponse>"


def _frame(identity: bytes) -> bytes:
    return stream("stdout", identity, b"-") + command_state(identity, 0)


def _identifier(command_id: str) -> uuid.UUID:
    try:
        return uuid.UUID(command_id)
    except ValueError as exc:
        raise wsmanfault.command_not_found(command_id) from exc


def _only_script(commands: list[Command]) -> Command:
    if len(commands) != 1 or not commands[0].is_script or commands[0].parameters:
        raise wsmanfault.unsupported_feature("The lab runs pipelines of one script without arguments.")
    return commands[0]


def _plain(value: object) -> object:
    """A value without what psrpcore knows of its .NET type."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return bytes(value)
    if isinstance(value, int):
        return value if isinstance(value, bool) else int(value)
    raise wsmanfault.unsupported_feature(f"The lab takes no {type(value).__name__} as input of a pipeline.")


def _write(server: ServerPipeline, result: ScriptResult) -> None:
    server.state = PSInvocationState.Running
    for value in result.output:
        server.write_output(value)
    for error in result.errors:
        server.prepare_message(_record(error), PSRPMessageType.ErrorRecord)
    for line in result.host_lines:
        server.host_call(HostMethodIdentifier.WriteLine2, [line])
    if result.exit_code is not None:
        server.host_call(HostMethodIdentifier.SetShouldExit, [result.exit_code])
    if result.failure is None:
        server.complete()
    else:
        state = PSInvocationState.Failed
        server.prepare_message(PipelineState(PipelineState=int(state), ExceptionAsErrorRecord=_record(result.failure)))
        server.state = state


class _Category(ErrorCategoryInfo):
    """A category with the colon that Windows writes behind its name and psrpcore does not."""

    def __str__(self) -> str:
        return super().__str__().replace(" ", ": ", 1)


def _record(error: ScriptError) -> ErrorRecord:
    parts = _CATEGORY.fullmatch(error.category)
    name, target, kind, activity, reason = parts.groups() if parts else ("NotSpecified", "", "", "", "")
    category = getattr(ErrorCategory, name, ErrorCategory.NotSpecified)
    record = ErrorRecord(
        Exception=NETException(Message=error.message),
        CategoryInfo=_Category(Category=category, TargetName=target, TargetType=kind, Activity=activity, Reason=reason),
        FullyQualifiedErrorId=error.error_id,
    )
    if error.command or error.position:
        command = PSCustomObject(Name=error.command) if error.command else None
        record.InvocationInfo = InvocationInfo(MyCommand=command, PositionMessage=error.position)
        record.serialize_extended_info = True
    return record
