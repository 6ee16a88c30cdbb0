# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One WinRM listener: from the HTTP request through authentication and encryption to the shell, and back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from concurrent.futures import Executor
from dataclasses import dataclass

from . import encryption, http, soap, wsmanfault
from .auth import Authenticator, Schemes
from .counters import HANDSHAKE, UNKNOWN, Counters
from .faults import FaultScript
from .host import Host
from .psrp import RunspaceService
from .service import Service
from .shell import ShellService

_log = logging.getLogger(__name__)

PATH = "/wsman"


@dataclass(frozen=True)
class Message:
    """What is left of a request when HTTP, authentication and encryption are taken off.

    ``envelope`` waits to be carried out for ``user``; without an envelope ``answer`` is status and body of the reply.
    """

    operation: str
    headers: list[tuple[str, str]]
    answer: tuple[int, bytes] = (400, b"")
    envelope: soap.Envelope | None = None
    user: str = ""
    encrypted: bool = False


class Listener:
    """Serves one host at one address."""

    def __init__(
        self,
        host: Host,
        executor: Executor,
        *,
        basic: bool = True,
        negotiate: bool = True,
        allow_unencrypted: bool = True,
        max_envelope: int | None = None,
        product_version: str = "",
    ) -> None:
        self.counters = Counters()
        self.faults = FaultScript()
        self._host = host
        self._schemes = Schemes(basic, negotiate)
        self._allow_unencrypted = allow_unencrypted
        self._product_version = product_version
        busy = asyncio.Lock()
        self._services: dict[str, Service] = {
            soap.SHELL_URI: ShellService(host, executor, self.counters, busy, max_envelope),
            soap.POWERSHELL_URI: RunspaceService(host, executor, self.counters, busy, max_envelope),
        }
        self._server: asyncio.Server | None = None
        self._secure = False
        self._address = ""

    async def start(self, address: str, port: int, context: ssl.SSLContext | None = None) -> int:
        """Listen, with TLS when there is a context; returns the port."""
        self._secure = context is not None
        self._address = address
        self._server = await asyncio.start_server(self._serve, address, port, ssl=context, limit=http.STREAM_LIMIT)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening; open connections end with their tasks."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.counters.connections += 1
        try:
            # Cancelled means that the server stops; a task of a stream that ends so is logged by Python 3.11.
            with contextlib.suppress(
                ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError
            ):
                await self._converse(reader, writer)
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        authenticator = Authenticator(self._host, self._schemes)
        try:
            while (request := await http.read_request(reader, writer)) is not None:
                reply = await self._answer(authenticator, request)
                if reply is None:
                    writer.transport.abort()
                    return
                self._write(writer, reply)
                await writer.drain()
                if not request.keeps_open:
                    return
        except http.MalformedRequest as exc:
            self.counters.operations[UNKNOWN] += 1
            self._write(writer, http.response(exc.status, str(exc).encode(), content_type="text/plain"))

    def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        self.counters.bytes_out += len(data)
        writer.write(data)

    async def _answer(self, authenticator: Authenticator, request: http.Request) -> bytes | None:
        """The response to one request; None to cut the connection."""
        self.counters.bytes_in += request.size
        message = self._open(authenticator, request)
        self.counters.operations[message.operation] += 1
        struck = self.faults.due(message.operation)
        self.counters.faults += len(struck)
        for fault in struck:
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
        kinds = {fault.kind for fault in struck}
        if "cut_before" in kinds:
            return None
        if "http_500" in kinds:
            return http.response(500)
        if message.envelope is None:
            status, body = message.answer
        elif "quota" in kinds:
            status, body = self._fault(message.envelope, wsmanfault.quota_exceeded())
        else:
            status, body = await self._act(message.envelope, message.user)
        if "cut_after" in kinds:
            return None
        content_type = soap.CONTENT_TYPE if body else None
        if body and message.encrypted and authenticator.context is not None:
            body, content_type = encryption.encrypt(authenticator.context, body), encryption.CONTENT_TYPE
        return http.response(status, body, content_type=content_type, headers=message.headers)

    def _open(self, authenticator: Authenticator, request: http.Request) -> Message:
        if request.path.partition("?")[0].rstrip("/").lower() != PATH:
            return Message(UNKNOWN, [], (404, b""))
        if request.method != "POST":
            return Message(UNKNOWN, [], (405, b""))
        if request.headers.get("wsmanidentify", "").lower() == "unauthenticated":
            return Message("Identify", [], (200, soap.identify_reply("OS: 0.0.0 SP: 0.0 Stack: 3.0")))
        try:
            outcome = authenticator.check(request.headers.get("authorization"))
        except ValueError as exc:
            _log.error("%s: %s", self._host.name, exc)
            return Message(HANDSHAKE, [], (500, b""))
        self.counters.rejected += outcome.rejected
        self.counters.authentications += outcome.fresh
        if outcome.user is None:
            return Message(HANDSHAKE, outcome.headers, (401, b""))
        if not request.body:
            return Message(HANDSHAKE, outcome.headers, (200, b""))
        return self._unwrap(authenticator, request, outcome.user, outcome.headers)

    def _unwrap(
        self, authenticator: Authenticator, request: http.Request, user: str, headers: list[tuple[str, str]]
    ) -> Message:
        encrypted = encryption.is_encrypted(request.headers.get("content-type", ""))
        body = request.body
        if encrypted:
            if authenticator.context is None:
                return Message(UNKNOWN, headers)
            try:
                body = encryption.decrypt(authenticator.context, body)
            except encryption.DecryptionError as exc:
                _log.info("%s: %s", self._host.name, exc)
                return Message(UNKNOWN, headers)
        elif not self._secure and not self._allow_unencrypted:
            # Windows answers 500 without a SOAP fault (diyan/pywinrm issues 129 and 208).
            return Message(UNKNOWN, headers, (500, b""))
        try:
            envelope = soap.parse(body)
        except soap.MalformedEnvelope as exc:
            _log.info("%s: %s", self._host.name, exc)
            return Message(UNKNOWN, headers)
        return Message(envelope.operation or UNKNOWN, headers, envelope=envelope, user=user, encrypted=encrypted)

    async def _act(self, envelope: soap.Envelope, user: str) -> tuple[int, bytes]:
        """Status and SOAP envelope of the reply."""
        if envelope.operation == "Identify":
            return 200, soap.identify_reply(self._product_version)
        try:
            if envelope.operation not in soap.OPERATIONS.values():
                raise wsmanfault.unknown_action(envelope.action)
            if envelope.resource_uri not in self._services:
                raise wsmanfault.unknown_resource(envelope.resource_uri)
            return 200, await self._services[envelope.resource_uri].handle(envelope, user)
        except wsmanfault.WSManFault as exc:
            return self._fault(envelope, exc)
        except soap.MalformedEnvelope as exc:
            return self._fault(envelope, wsmanfault.invalid_body(str(exc)))

    def _fault(self, envelope: soap.Envelope, fault: wsmanfault.WSManFault) -> tuple[int, bytes]:
        return 500, fault.render(envelope.message_id, self._address)
