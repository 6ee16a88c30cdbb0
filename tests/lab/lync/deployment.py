# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Lync servers of a scenario share: the Central Management store with the global certificates.

A certificate that is assigned with ``-Identity global`` is stored there with its key and copied to every server, by
scheduled tasks that replication makes ("Assign a server-to-server authentication certificate", "Stage AV and OAuth
certificates", MicrosoftDocs/OfficeDocs-SkypeForBusiness). Unverified: that the copied key is exportable, and that it
lies in a provider of the same name as before. Lync Server 2010 has no global certificates.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ..directory.model import Directory
from ..host.keys import KeyContainer
from ..host.store import StoredCertificate
from .access import grant
from .journal import Journal

if TYPE_CHECKING:
    from ..host.machine import Machine
    from .role import Assigned

GLOBAL_USAGES = ("oauthtokenissuer",)
"""In lower case."""

Replication = Literal["immediate", "held"]


@dataclass(frozen=True)
class GlobalCertificate:
    """A usage of the whole deployment."""

    use: str
    assigned: Assigned
    certificate: StoredCertificate | None
    key: KeyContainer | None


class Deployment:
    """The deployment. ``replication`` is ``held`` when :meth:`replicate` is to be called by a test."""

    def __init__(self, replication: Replication = "immediate") -> None:
        self.replication: Replication = replication
        self.members: list[Machine] = []
        self.journal = Journal()
        self.directory: Directory | None = None
        """Where templates are looked up."""
        self._globals: dict[str, GlobalCertificate] = {}
        self._lock = threading.Lock()

    def join(self, machine: Machine) -> None:
        """Take a server in. What it has for a global usage becomes the global one, unless there is one already."""
        if any(member is machine for member in self.members):
            return
        self.members.append(machine)
        for use, assigned in machine.lync.assigned() if machine.lync else []:
            if use.lower() in GLOBAL_USAGES and use.lower() not in self._globals:
                self._globals[use.lower()] = self._global(machine, use, assigned)

    @staticmethod
    def _global(machine: Machine, use: str, assigned: Assigned) -> GlobalCertificate:
        stored = machine.find(assigned.thumbprint)
        return GlobalCertificate(use, assigned, stored, machine.container_of(stored.key) if stored else None)

    def global_assignments(self) -> list[tuple[str, Assigned]]:
        """What the Central Management store holds."""
        return [(held.use, held.assigned) for held in self._globals.values()]

    def assign(self, machine: Machine, use: str, assigned: Assigned) -> None:
        """Assign globally on one server. It has it at once, the others when replication has run."""
        self.join(machine)
        with self._lock:
            self._globals[use.lower()] = self._global(machine, use, assigned)
        if machine.lync:
            machine.lync.assign(use, assigned)
        if self.replication == "immediate":
            self.replicate()

    def replicate(self) -> None:
        """Copy the global certificates with their keys to all servers that know such certificates."""
        with self._lock:
            for machine in self.members:
                if machine.lync and machine.lync.version != "2010":
                    self.journal.begin(machine)
                    for held in self._globals.values():
                        _copy(machine, held)
                        machine.lync.assign(held.use, held.assigned)
                        stored = machine.find(held.assigned.thumbprint)
                        grant(machine, machine.container_of(stored.key) if stored else None)
                    self.journal.look(machine)


def form(machines: Sequence[Machine], replication: Replication | None, directory: Directory | None) -> Deployment:
    """The deployment of all machines with Lync.

    :param replication: given, what is global at the start is replicated first; else each server has its own at first.
    """
    deployment = Deployment(replication or "immediate")
    deployment.directory = directory
    for machine in machines:
        if machine.lync:
            machine.lync.deployment = deployment
            deployment.join(machine)
    if replication:
        deployment.replicate()
    return deployment


def _copy(machine: Machine, held: GlobalCertificate) -> None:
    stored, key = held.certificate, held.key
    if stored is None or stored.key is None or key is None or machine.find(held.assigned.thumbprint):
        return
    container = f"{{{str(uuid.uuid4()).upper()}}}"
    machine.containers.add(replace(key, name=container, exportable=True, machine=True, access=""))
    reference = replace(stored.key, container=container, exportable=True, missing=False)
    found = machine.store("My")
    certificates = found[1] if found else machine.stores.setdefault("MY", [])
    certificates.append(replace(stored.with_key(reference), identifier=""))
