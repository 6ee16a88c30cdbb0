# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that several servers share: who requests one, and how the others come by it.

One member of a pool requests the certificate for A/V authentication; the others take it over with its private key. The
OAuth certificate is assigned once for the deployment; the Central Management store brings it to the other servers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from .needs import Need, State, common_names

Peers = Mapping[str, Sequence[Mapping[str, Any]]]
"""The needs of the servers of a play, as results hold them, by inventory name and in the order of the play."""


def resolved(need: Need, host: str, peers: Peers, store: AbstractSet[str]) -> Need:
    """A need with its source and, when it is shared and the source is another server, the state that follows.

    Args:
        need: as the host by itself has it.
        host: the inventory name of the host.
        peers: what is known of the other servers; the host itself may be among them.
        store: the thumbprints of the host's own store My.
    """
    if need.shared is None:
        return need
    members = _members(need, host, peers)
    source = next((name for name, other in members.items() if _placed(other)), next(iter(members)))
    need = replace(need, source_host=source)
    if source == host:
        return need
    thumbprint = _placed(members[source])
    if need.shared == "global":
        if need.state == "satisfied":
            return need
        return replace(
            need,
            state="waits",
            successor=None,
            reasons=(*need.reasons, f"{source} assigns it for all servers; replication brings it here."),
        )
    if thumbprint is None:
        return replace(
            need, state="waits", successor=None, reasons=(*need.reasons, f"{source} is to request it for the pool.")
        )
    if need.state == "satisfied" and need.current == thumbprint:
        return need
    why = need.reasons or (f"The pool's certificate is {thumbprint}, which {source} has.",)
    state: State = "assign" if thumbprint in store else "transfer"
    return replace(need, state=state, successor=thumbprint, reasons=why)


def in_use_elsewhere(host: str, peers: Peers) -> frozenset[str]:
    """The thumbprints that other servers have assigned."""
    return frozenset(
        str(other["current"])
        for name, needs in peers.items()
        if name != host
        for other in needs
        if other.get("current")
    )


def _members(need: Need, host: str, peers: Peers) -> dict[str, Mapping[str, Any]]:
    """The servers that share a need, in the order of the play, each with its own."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, needs in peers.items():
        if name == host:
            found[host] = need.as_dict()
        elif (other := next((one for one in needs if _same(need, one)), None)) is not None:
            found[name] = other
    found.setdefault(host, need.as_dict())
    return found


def _same(need: Need, other: Mapping[str, Any]) -> bool:
    """Whether another server has the same need: the same names in a pool, any in a deployment."""
    if other.get("shared") != need.shared:
        return False
    names = {*common_names(str(other.get("subject"))), *(str(name) for name in other.get("subject_alt_names") or ())}
    return need.shared == "global" or names == need.names


def _placed(need: Mapping[str, Any]) -> str | None:
    """The thumbprint of the certificate with which a server's need is met or can be."""
    if need.get("state") == "satisfied":
        return need.get("current")
    return need.get("successor") if need.get("state") == "assign" else None
