# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a listener counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

HANDSHAKE = "Handshake"
"""The operation of a request that was answered 401, and of the empty request that ends a Negotiate handshake."""

UNKNOWN = "Unknown"
"""The operation of a request that is none of WS-Management's."""


@dataclass
class Counters:
    """Counts since the start or the last reset. Each HTTP request counts once under ``operations``."""

    operations: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    bytes_in: int = 0
    """HTTP heads and bodies, without TLS."""
    bytes_out: int = 0
    authentications: int = 0
    """With Basic one for each request, with Negotiate one for each handshake."""
    rejected: int = 0
    """Requests with wrong credentials."""
    commands: int = 0
    """Commands handed to the host."""
    faults: int = 0
    """Scripted faults that took effect."""

    def as_dict(self) -> dict[str, Any]:
        """All counts, and ``requests``, the sum over the operations."""
        return {
            "requests": self.operations.total(),
            "operations": dict(self.operations),
            "connections": self.connections,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "authentications": self.authentications,
            "rejected": self.rejected,
            "commands": self.commands,
            "faults": self.faults,
        }

    def reset(self) -> None:
        """Begin again at zero."""
        vars(self).update(vars(Counters()))
