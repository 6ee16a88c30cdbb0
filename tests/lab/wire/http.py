# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much HTTP/1.1 as WinRM clients use: bodies with Content-Length, kept-open connections, 100-continue."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

STREAM_LIMIT = 1 << 20
"""Bytes that a stream may hold before it stops reading from the socket."""


class MalformedRequest(Exception):
    """The peer does not speak HTTP/1.1 as this server reads it; ``status`` says how to answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Request:
    """One HTTP request; header names are in lower case, ``size`` counts head and body in bytes."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    size: int

    @property
    def keeps_open(self) -> bool:
        """Whether the client wants to send more on this connection."""
        return self.headers.get("connection", "").lower() != "close"


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Request | None:
    """The next request, or ``None`` when the client closed the connection between requests.

    Raises MalformedRequest, and asyncio.IncompleteReadError when the connection ends inside a request.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as exc:
        if exc.partial:
            raise
        return None
    except asyncio.LimitOverrunError as exc:
        raise MalformedRequest(431, "the request head is too long") from exc
    start, *lines = head[:-4].decode("latin-1").split("\r\n")
    parts = start.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise MalformedRequest(400, f"not an HTTP/1.1 request line: {start[:100]!r}")
    headers = {name.strip().lower(): value.strip() for name, _between, value in (line.partition(":") for line in lines)}
    if "transfer-encoding" in headers:
        raise MalformedRequest(411, "a body needs Content-Length")
    declared = headers.get("content-length", "0")
    if not declared.isdecimal():
        raise MalformedRequest(400, f"Content-Length is no number: {declared!r}")
    length = int(declared)
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await reader.readexactly(length) if length else b""
    return Request(parts[0], parts[1], headers, body, len(head) + length)


def response(
    status: int,
    body: bytes = b"",
    *,
    content_type: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
) -> bytes:
    """The bytes of a response, with the Server and Date headers of http.sys."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    lines += [f"{name}: {value}" for name, value in headers]
    lines += ["Server: Microsoft-HTTPAPI/2.0", f"Date: {formatdate(usegmt=True)}", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
