# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a test scripts: each strikes at counted requests, so that a run can be repeated exactly."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

Kind = Literal["cut_before", "cut_after", "delay", "http_500", "quota"]


@dataclass(frozen=True)
class Fault:
    """One scripted fault of one host.

    kind:
        ``cut_before`` closes the connection before the host acts, ``cut_after`` after it acted and before the reply,
        ``delay`` waits ``seconds`` before the host acts, ``http_500`` answers 500 without a body and without acting,
        ``quota`` answers the fault 0x803381A6 (maximum number of operations) without acting.
    at:
        The first request that is struck, counted from 1 since the fault was scripted.
    times:
        How many requests in a row are struck.
    operation:
        Count only requests of this operation (a key of the counters' ``operations``); all requests when ``None``.
    """

    kind: Kind
    at: int = 1
    times: int = 1
    operation: str | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"kind {self.kind!r} is none of {', '.join(get_args(Kind))}")
        if self.at < 1 or self.times < 1 or self.seconds < 0:
            raise ValueError("at and times begin at 1, seconds at 0")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Fault:
        """Build from JSON. Raises ValueError."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"unknown field {unknown[0]!r}; known are {', '.join(sorted(known))}")
        try:
            return cls(**values)
        except TypeError as exc:
            raise ValueError(str(exc)) from exc


class FaultScript:
    """The scripted faults of one host."""

    def __init__(self) -> None:
        self._armed: list[tuple[Fault, list[int]]] = []

    def add(self, fault: Fault) -> None:
        """Count requests for this fault from now on."""
        self._armed.append((fault, [0]))

    def clear(self) -> None:
        """Forget all faults."""
        self._armed.clear()

    def due(self, operation: str) -> list[Fault]:
        """The faults that strike this request; to be asked exactly once for each."""
        struck = []
        for fault, seen in self._armed:
            if fault.operation in (None, operation):
                seen[0] += 1
                if fault.at <= seen[0] < fault.at + fault.times:
                    struck.append(fault)
        return struck
