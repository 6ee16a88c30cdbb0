# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether Lync had a working certificate for each usage after every command: what stopped working is written down.

Looked at is the certificate that is in force. What did not work before the first command is no violation, nor is what
stays broken; a usage that works again and breaks again is.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..pki import public_key_der
from . import rules

if TYPE_CHECKING:
    from ..host.machine import Machine
    from ..host.store import StoredCertificate


@dataclass(frozen=True)
class Violation:
    """A usage that worked before a command and does not after it."""

    host: str
    use: str
    thumbprint: str
    reason: str
    command: int
    """The number of the command on that host, from 1 on; 0 before the first."""


class Journal:
    """What happened in a deployment."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.commands: dict[str, int] = {}
        """How many commands were run on each host."""
        self._working: dict[str, dict[str, str]] = {}
        """By host: the usages that work, with their thumbprints."""
        self._lock = threading.Lock()

    def begin(self, machine: Machine) -> None:
        """Note what works on a host; the first call for it counts."""
        if machine.lync and machine.name not in self._working:
            self._working[machine.name] = {use: thumbprint for use, thumbprint, flaw in states(machine) if flaw is None}

    def end(self, machine: Machine) -> None:
        """A command has been run on a host."""
        self.commands[machine.name] = self.commands.get(machine.name, 0) + 1
        self.look(machine)

    def look(self, machine: Machine) -> None:
        """Compare a host with what worked on it."""
        if not machine.lync:
            return
        with self._lock:
            found = {use: (thumbprint, flaw) for use, thumbprint, flaw in states(machine)}
            before = self._working.get(machine.name, {})
            for use, known in before.items():
                thumbprint, flaw = found.get(use, (known, "nothing is assigned any more"))
                if flaw is not None:
                    number = self.commands.get(machine.name, 0)
                    self.violations.append(Violation(machine.name, use, thumbprint, flaw, number))
            self._working[machine.name] = {use: thumbprint for use, (thumbprint, flaw) in found.items() if flaw is None}


@contextmanager
def commanded(machine: Machine) -> Iterator[None]:
    """Around a command on a host: look at its certificates before the first and after each."""
    journal = machine.lync.deployment.journal if machine.lync else None
    if journal:
        journal.begin(machine)
    try:
        yield
    finally:
        if journal:
            journal.end(machine)


def states(machine: Machine) -> list[tuple[str, str, str | None]]:
    """(usage, thumbprint in force, why it does not work) of a host; None where it works."""
    assigned = machine.lync.assigned() if machine.lync else []
    pairs = [(use, one.in_force(machine.clock)) for use, one in assigned]
    return [(use, thumbprint, flaw(machine, thumbprint)) for use, thumbprint in pairs]


def flaw(machine: Machine, thumbprint: str) -> str | None:
    """Why Lync cannot work with a certificate of its server; None when it can."""
    stored = _stored(machine, thumbprint)
    if stored is None or stored.issued is None:
        return "the certificate is not in the store My"
    certificate = stored.issued.certificate
    if not certificate.not_valid_before_utc <= machine.clock <= certificate.not_valid_after_utc:
        return "the certificate is not valid at this time"
    if stored.key is None or not stored.key.recorded:
        return "the certificate has no private key"
    if machine.lync and stored.key.is_cng and not rules.takes_cng(machine.lync.version):
        return "the key is held by a key storage provider"
    container = machine.container_of(stored.key)
    if container is None:
        return "the key container is gone"
    if container.public_key != public_key_der(certificate):
        return "the key container holds another key"
    return None


def _stored(machine: Machine, thumbprint: str) -> StoredCertificate | None:
    """The registry key of a certificate bears its thumbprint, which spares hashing a large store."""
    held = machine.store("My")
    for stored in held[1] if held else []:
        if stored.key_name.upper() == thumbprint and stored.issued:
            return stored
    return machine.find(thumbprint)
