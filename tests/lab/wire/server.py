# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's WinRM server: one listener per simulated host, all in one event loop in a background thread.

    with LabServer([ListenerSpec(host, address="127.0.1.1")]) as server:
        address, port, scheme = server.endpoints[host.name]

pywinrm sends the same To header to every host, so hosts are told apart by the address and port they listen on.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from . import tls
from .control import ControlServer
from .faults import Fault
from .host import Host
from .listener import Listener

T = TypeVar("T")

_WORKERS = 64
"""Commands that may run at once; threads come into being only when they are needed."""


class Endpoint(NamedTuple):
    """Where a host listens."""

    address: str
    port: int
    scheme: str


@dataclass(frozen=True)
class ListenerSpec:
    """How one host listens.

    port:
        0 takes a free one.
    basic, negotiate:
        The authentication schemes that are offered.
    allow_unencrypted:
        The WinRM setting of this name: whether unencrypted messages are taken over http.
    max_envelope:
        None, or the bytes to which a Receive is split; see ``lab.wire.shell``.
    product_version:
        What Identify tells: version of Windows, service pack, version of the WinRM stack (2.0 on Server 2008 R2 as
        installed, 3.0 later).
    """

    host: Host
    address: str = "127.0.0.1"
    port: int = 0
    tls: bool = False
    basic: bool = True
    negotiate: bool = True
    allow_unencrypted: bool = True
    max_envelope: int | None = None
    product_version: str = "OS: 10.0.17763 SP: 0.0 Stack: 3.0"


class LabServer:
    """Serves the hosts from ``start`` to ``stop``; usable as a context manager.

    ``endpoints`` holds an entry for each host by its name, ``control_url`` the address of the control endpoint,
    ``certificate_file`` the PEM file that a client of the https listeners may trust (None without such listeners).
    """

    def __init__(self, listeners: Iterable[ListenerSpec], *, control_port: int = 0) -> None:
        specs = list(listeners)
        self._specs = {spec.host.name: spec for spec in specs}
        if len(self._specs) != len(specs):
            raise ValueError("two listeners have the same host name")
        self._control_port = control_port
        self._listeners: dict[str, Listener] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="lab", daemon=True)
        self._executor = ThreadPoolExecutor(_WORKERS, thread_name_prefix="lab-host")
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._control = ControlServer(
            {
                ("GET", "/endpoints"): lambda _: {name: list(end) for name, end in self.endpoints.items()},
                ("GET", "/counters"): lambda _: self._read_counters(),
                ("POST", "/counters/reset"): lambda _: self._reset(),
                ("POST", "/faults"): self._add_fault,
                ("POST", "/faults/clear"): lambda _: self._clear_faults(),
            }
        )
        self.endpoints: dict[str, Endpoint] = {}
        self.control_url = ""
        self.certificate_file: Path | None = None

    def start(self) -> LabServer:
        """Listen. Raises OSError when an address or port cannot be had."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Close every connection and forget all shells. A server cannot be started again."""
        if not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._executor.shutdown(wait=False, cancel_futures=True)
        if self._directory is not None:
            self._directory.cleanup()

    def __enter__(self) -> LabServer:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def counters(self) -> dict[str, dict[str, Any]]:
        """The counts of each host by its name: ``Counters.as_dict``."""
        return self._call(self._read_counters)

    def reset_counters(self) -> None:
        """Begin all counts at zero."""
        self._call(self._reset)

    def script_fault(self, host: str, fault: Fault) -> None:
        """Let a fault strike a host; its requests count for it from now on. Raises KeyError for an unknown host."""
        self._call(lambda: self._listeners[host].faults.add(fault))

    def clear_faults(self) -> None:
        """Forget the scripted faults of all hosts."""
        self._call(self._clear_faults)

    async def _start(self) -> None:
        context = None
        secured = [spec for spec in self._specs.values() if spec.tls]
        if secured:
            self._directory = tempfile.TemporaryDirectory(prefix="lab-tls-")
            self.certificate_file, key = tls.write_certificate(
                Path(self._directory.name), (spec.host.name for spec in secured), (spec.address for spec in secured)
            )
            context = tls.server_context(self.certificate_file, key)
        for name, spec in self._specs.items():
            listener = self._listeners[name] = Listener(
                spec.host,
                self._executor,
                basic=spec.basic,
                negotiate=spec.negotiate,
                allow_unencrypted=spec.allow_unencrypted,
                max_envelope=spec.max_envelope,
                product_version=spec.product_version,
            )
            port = await listener.start(spec.address, spec.port, context if spec.tls else None)
            self.endpoints[name] = Endpoint(spec.address, port, "https" if spec.tls else "http")
        self.control_url = f"http://127.0.0.1:{await self._control.start(self._control_port)}"

    async def _stop(self) -> None:
        self._control.close()
        for listener in self._listeners.values():
            listener.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _call(self, function: Callable[[], T]) -> T:
        """Run a function in the event loop, where all state lives."""

        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _read_counters(self) -> dict[str, dict[str, Any]]:
        return {name: listener.counters.as_dict() for name, listener in self._listeners.items()}

    def _reset(self) -> None:
        for listener in self._listeners.values():
            listener.counters.reset()

    def _clear_faults(self) -> None:
        for listener in self._listeners.values():
            listener.faults.clear()

    def _add_fault(self, values: dict[str, Any]) -> None:
        name = values.pop("host", None)
        if name not in self._listeners:
            raise ValueError(f"host {name!r} is none of {', '.join(sorted(self._listeners))}")
        self._listeners[name].faults.add(Fault.from_dict(values))
