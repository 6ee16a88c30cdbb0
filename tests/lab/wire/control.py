# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's control endpoint: JSON over HTTP on loopback, for tests and benchmarks in other processes.

GET /endpoints, GET /counters, POST /counters/reset, POST /faults (the fields of Fault, and ``host``), POST
/faults/clear.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from . import http

Route = Callable[[dict[str, Any]], Any]


class ControlServer:
    """Answers each route with what its function returns; a ValueError or KeyError of it becomes a 400."""

    def __init__(self, routes: dict[tuple[str, str], Route]) -> None:
        self._routes = routes
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> int:
        """Listen on 127.0.0.1; returns the port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while (request := await http.read_request(reader, writer)) is not None:
                    status, answer = self._answer(request)
                    body = json.dumps(answer).encode()
                    writer.write(http.response(status, body, content_type="application/json"))
                    await writer.drain()
        except http.MalformedRequest as exc:
            writer.write(http.response(exc.status, str(exc).encode(), content_type="text/plain"))
        finally:
            writer.close()

    def _answer(self, request: http.Request) -> tuple[int, Any]:
        route = self._routes.get((request.method, request.path))
        if route is None:
            return 404, {"error": "known are " + ", ".join(" ".join(key) for key in self._routes)}
        try:
            values = json.loads(request.body or b"{}")
            if not isinstance(values, dict):
                raise ValueError("the body is no JSON object")
            return 200, route(values)
        except (ValueError, KeyError) as exc:
            return 400, {"error": str(exc)}
