# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the shells of both kinds have in common: who may use them, how they begin and end, and who runs when.

Splitting of output. MS-WSMV 3.1.4.1.7 lets a reply be no larger than the client's MaxEnvelopeSize, and no larger than
the server's MaxEnvelopeSizekb. Into how many Receives a real host splits its output depends on this and on how the
process writes; no measurement on a real host is at hand. ``max_envelope`` None gives all output in one Receive,
however large; a number of bytes keeps every envelope within the smaller of it and the client's MaxEnvelopeSize.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar
from xml.sax.saxutils import escape

from . import soap, wsmanfault
from .counters import Counters
from .host import Host
from .soap import SHELL, TRANSFER, Envelope

MINIMUM_ENVELOPE = 8192
"""Octets; a smaller MaxEnvelopeSize is refused (MS-WSMV 3.1.4.1.7)."""

T = TypeVar("T")


class Service(Protocol):
    """Serves one resource URI of one host."""

    async def handle(self, envelope: Envelope, user: str) -> bytes:
        """Carry out one request of a known operation. Raises WSManFault and MalformedEnvelope."""


@dataclass
class OpenShell:
    """An open shell; it belongs to the user who created it."""

    user: str


S = TypeVar("S", bound=OpenShell)


class ShellsOfOneKind(ABC, Generic[S]):
    """All shells of one host that have the same resource URI."""

    uri: ClassVar[str]
    streams: ClassVar[tuple[str, str]]
    """The names of the input streams, and of the output streams."""

    def __init__(
        self, host: Host, executor: Executor, counters: Counters, busy: asyncio.Lock, max_envelope: int | None
    ) -> None:
        self._host = host
        self._executor = executor
        self._counters = counters
        self._busy = busy
        self._max_envelope = max_envelope
        self._shells: dict[str, S] = {}

    async def handle(self, envelope: Envelope, user: str) -> bytes:
        """Carry out one request of a known operation. Raises WSManFault and MalformedEnvelope."""
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
            body = await self._receive(envelope, shell)
        else:
            handlers = {"Command": self._command, "Send": self._send, "Signal": self._signal}
            body = handlers[envelope.operation](envelope, shell)
        return soap.reply(f"{SHELL}/{envelope.operation}Response", envelope.message_id, body)

    def _create(self, envelope: Envelope, user: str) -> bytes:
        shell_id = envelope.element("Shell").get("ShellId", "").upper() or soap.new_id()
        self._shells[shell_id] = self._open(envelope, user)
        quoted = escape(shell_id)
        body = (
            f"<x:ResourceCreated><a:Address>http://windows-host:5985/wsman</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{self.uri}</w:ResourceURI><w:SelectorSet>"
            f'<w:Selector Name="ShellId">{quoted}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
            f"</x:ResourceCreated><rsp:Shell><rsp:ShellId>{quoted}</rsp:ShellId>"
            f"<rsp:ResourceUri>{self.uri}</rsp:ResourceUri><rsp:Owner>{escape(user)}</rsp:Owner>"
            f"<rsp:InputStreams>{self.streams[0]}</rsp:InputStreams>"
            f"<rsp:OutputStreams>{self.streams[1]}</rsp:OutputStreams></rsp:Shell>"
        )
        return soap.reply(TRANSFER + "/CreateResponse", envelope.message_id, body.encode())

    @abstractmethod
    def _open(self, envelope: Envelope, user: str) -> S:
        """A new shell."""

    @abstractmethod
    def _command(self, envelope: Envelope, shell: S) -> bytes:
        """The body of a CommandResponse."""

    @abstractmethod
    def _send(self, envelope: Envelope, shell: S) -> bytes:
        """The body of a SendResponse."""

    @abstractmethod
    async def _receive(self, envelope: Envelope, shell: S) -> bytes:
        """The body of a ReceiveResponse."""

    @abstractmethod
    def _signal(self, envelope: Envelope, shell: S) -> bytes:
        """The body of a SignalResponse."""

    async def _in_turn(self, function: Callable[[], T]) -> T:
        """Let the host work; one thing at a time."""
        async with self._busy:
            return await asyncio.get_running_loop().run_in_executor(self._executor, function)

    def _room(self, client_limit: int | None, frame: bytes) -> int | None:
        """How many octets of XML fit into the body of a Receive beside a frame, at least one; None: any number."""
        if self._max_envelope is None:
            return None
        limit = min(self._max_envelope, client_limit or self._max_envelope)
        around = soap.reply(SHELL + "/ReceiveResponse", "uuid:" + soap.new_id(), frame)
        return max(limit - len(around), 1)


def command_response(command_id: str) -> bytes:
    """The body of a CommandResponse."""
    return f"<rsp:CommandResponse><rsp:CommandId>{escape(command_id)}</rsp:CommandId></rsp:CommandResponse>".encode()


def stream(name: str, identity: bytes, data: bytes) -> bytes:
    """A stream element; ``identity`` is empty or `` CommandId="..."``, ``data`` base64 or empty for the end."""
    end = b"" if data else b' End="true"'
    return b'<rsp:Stream Name="%b"%b%b>%b</rsp:Stream>' % (name.encode(), identity, end, data)


def command_state(identity: bytes, exit_code: int | None) -> bytes:
    """A CommandState element: done with an exit code, or running."""
    state = SHELL.encode() + b"/CommandState/"
    if exit_code is None:
        return b'<rsp:CommandState%b State="%bRunning"/>' % (identity, state)
    return b'<rsp:CommandState%b State="%bDone"><rsp:ExitCode>%d</rsp:ExitCode></rsp:CommandState>' % (
        identity,
        state,
        exit_code & 0xFFFFFFFF,
    )
