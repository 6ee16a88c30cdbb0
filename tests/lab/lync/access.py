# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of a Lync server may use the keys of its certificates.

Set-CsCertificate gives the services the right to read the key: the reference of Remove-CsCertificate says that it
revokes permissions, and what is known of them elsewhere is that the Network Service and local groups of the product
(RTC) have them. Which of the groups get it is unverified; the lab takes those under whose names services run. That the
right stays on the key of a certificate which another replaces follows from Set-CsCertificate saying nothing of it,
unverified, too. A new right is stored with the generic bit that belongs to it, as for any key (see
:mod:`lab.host.keys`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..host.access import parse

if TYPE_CHECKING:
    from ..host.keys import KeyContainer
    from ..host.machine import Machine

NETWORK_SERVICE = "S-1-5-20"

_GROUPS = ("RTC Component Local Group", "RTC Server Local Group")
_READ = 0x80120089
_OF_EVERY_SERVICE = ("S-1-1-0", "S-1-5-11", "S-1-5-6", "S-1-5-32-545")


def services(machine: Machine) -> dict[str, str]:
    """The SIDs of those that use the keys, by name."""
    groups = machine.local_groups
    return {"NETWORK SERVICE": NETWORK_SERVICE, **{name: groups[name] for name in _GROUPS}}


def grant(machine: Machine, container: KeyContainer | None) -> None:
    """Let the services of a server use a key."""
    if container is not None:
        access = parse(container.access).allowing(list(services(machine).values()), _READ)
        machine.containers.give(container, str(access))


def unusable(machine: Machine) -> list[str]:
    """For each assigned certificate whose key a service cannot use: who cannot."""
    found = []
    assigned = machine.lync.assigned() if machine.lync else []
    for use, one in assigned:
        thumbprint = one.in_force(machine.clock)
        stored = machine.find(thumbprint)
        container = machine.container_of(stored.key) if stored else None
        for name, sid in services(machine).items():
            if container is None or not machine.may_use(container, sid, *_OF_EVERY_SERVICE):
                found.append(f"{use}: {name} cannot use the key of {thumbprint}")
    return found
