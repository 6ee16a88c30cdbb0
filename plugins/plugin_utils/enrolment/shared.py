# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates that several servers share: who requests one, and how the others come by it.

One member of a pool requests the certificate for A/V authentication; the others take it over with its private key.
Where keys are moved, each member that has the certificate moves the key of its own copy, and the others take it over.
The OAuth certificate is assigned once for the deployment; the Central Management store brings it to the other servers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from .needs import Need, State, common_names

Peers = Mapping[str, Sequence[Mapping[str, Any]]]
"""The needs of the servers of a play, as results hold them, by inventory name and in the order of the play."""


def resolved(
    need: Need, host: str, peers: Peers, store: AbstractSet[str], unfit: AbstractSet[str] = frozenset()
) -> Need:
    """A need with its source and, when it is shared and the source is another server, the state that follows.

    Args:
        need: as the host by itself has it.
        host: the inventory name of the host.
        peers: what is known of the other servers; the host itself may be among them.
        store: the thumbprints of the host's own store My.
        unfit: those of them that cannot be assigned while their key is where it is.
    """
    if need.shared is None:
        return need
    members = _members(need, host, peers)
    source = next(
        (name for has in (_placed, _converted) for name, other in members.items() if has(other)), next(iter(members))
    )
    need = replace(need, source_host=source)
    if source == host:
        return need
    thumbprint = _placed(members[source])
    converted = _converted(members[source])
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
        own_copy = need.state == "convert" and need.convert == converted
        if own_copy or need.state == members[source].get("state") == "blocked":
            return need
        step = f"{source} is to {'move its key' if converted else 'request it'} for the pool."
        return replace(need, state="waits", successor=None, convert=None, reasons=(*need.reasons, step))
    if need.state == "satisfied" and need.current == thumbprint:
        return need
    why = need.reasons or (f"The pool's certificate is {thumbprint}, which {source} has.",)
    if need.convert == thumbprint:
        return replace(need, state="convert", reasons=why)
    if thumbprint in unfit:
        told = (
            f"The pool's certificate {thumbprint}, which {source} has, is here with its key in another provider."
            " Move the key (repair: convert, or winpki.keyprovider.certificate_convert), or remove the certificate, so"
            " that it is taken over."
        )
        return replace(need, state="blocked", successor=None, convert=None, reasons=(*need.reasons, told))
    state: State = "assign" if thumbprint in store else "transfer"
    return replace(need, state=state, successor=thumbprint, convert=None, reasons=why)


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


def _converted(need: Mapping[str, Any]) -> str | None:
    """The thumbprint of the certificate whose key a server is to move for its need."""
    return need.get("convert") if need.get("state") == "convert" else None
