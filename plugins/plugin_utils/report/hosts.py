# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each host's audit task, as reports want it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ..record import EvidenceError

Place = Literal["batch", "waiting", "gone"]
"""Where a host is in the play: in the batch that runs now, in one that is still to come, or dropped from the play."""

_WAY_OUT = "Check address, port and credentials of the inventory, and that WinRM listens there (winrm quickconfig)."
_GIVE_ITS_NAME = "Give the name under which the result of certificate_info is registered (option 'register')."

_WITHOUT_RESULT: Mapping[Place, tuple[str, str]] = {
    "batch": ("failed", "The host has not run its audit yet: it has no variable {register!r}. " + _GIVE_ITS_NAME),
    "waiting": ("skipped", "The turn of the host has not come: the play runs in batches (serial)."),
    "gone": ("unreachable", "The host left the play before its audit. See the output of the play."),
}


def play_entries(register: str, names: Sequence[str] | None, task_vars: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The hosts of a play for ``build_report``.

    Args:
        register: the name of the variable that holds each host's result.
        names: the hosts to report; all of the play when ``None``.
        task_vars: the variables of a task of the play.

    Raises:
        EvidenceError: there is no such host, no host at all, or none that has the variable.
    """
    hostvars = task_vars["hostvars"]
    batch, in_play = task_vars.get("ansible_play_batch", ()), task_vars.get("ansible_play_hosts", ())
    if names is None:
        names = task_vars.get("ansible_play_hosts_all", ())
    unknown = [name for name in names if name not in hostvars]
    if unknown or not names:
        raise EvidenceError(
            f"The inventory has no host {', '.join(map(repr, unknown))}." if unknown else "There is no host to report.",
            remedy="Correct the option 'hosts'.",
        )
    entries: list[dict[str, Any]] = []
    registered = False
    for name in dict.fromkeys(names):
        variables = hostvars[name]
        result = variables.get(register)
        registered = registered or result is not None
        place: Place = "batch" if name in batch else "waiting" if name in in_play else "gone"
        entries += host_entries(name, result, variables.get("group_names", []), register=register, place=place)
    if not registered and any(name in batch for name in names):
        raise EvidenceError(f"No host has the variable {register!r}.", remedy=_GIVE_ITS_NAME)
    return entries


def host_entries(
    name: str, result: Any, groups: Sequence[str] = (), *, register: str, place: Place = "gone"
) -> list[dict[str, Any]]:
    """One host for ``build_report`` from the registered result of its audit task; of a loop, one entry for each turn.

    Args:
        name: the name of the host in the inventory.
        result: the value of the variable; ``None`` when the host has none.
        groups: the groups of the host.
        register: the name of the variable.
        place: where a host without the variable is in the play.
    """
    entry: dict[str, Any] = {"host": name, "groups": list(groups)}
    if result is None:
        status, message = _WITHOUT_RESULT[place]
        return [{**entry, "status": status, "message": message.format(register=register)}]
    if not isinstance(result, Mapping):
        return [_not_a_result(entry, register, f"it is a value of the type {type(result).__name__}")]
    turns = result.get("results")
    if isinstance(turns, (list, tuple)) and turns:
        return [found for turn in turns for found in host_entries(name, turn, groups, register=register, place=place)]
    if outcome := not_done(result):
        status, message = outcome
        return [{**entry, "status": status, "message": message}]
    if not isinstance(result.get("certificates"), (list, tuple)):
        return [_not_a_result(entry, register, "it has no 'certificates'")]
    return [
        {
            **entry,
            "status": "ok",
            "store": result.get("store"),
            "profile": result.get("profile"),
            "product": result.get("product"),
            "certificates": result["certificates"],
            "problems": result.get("problems", []),
        }
    ]


def _not_a_result(entry: Mapping[str, Any], register: str, why: str) -> dict[str, Any]:
    message = f"The variable {register!r} of the host is no result of certificate_info: {why}. {_GIVE_ITS_NAME}"
    return {**entry, "status": "failed", "message": message}


def not_done(result: Mapping[str, Any]) -> tuple[str, str] | None:
    """The status of a task that did not give what it was run for, and why; ``None`` when it did.

    The status is one of :data:`model.HOST_STATUSES` but for ``ok``.
    """
    message = str(result.get("msg") or result.get("skip_reason") or "No message.")
    if result.get("unreachable"):
        return "unreachable", f"{message.rstrip('.')}. {_WAY_OUT}"
    return next(((status, message) for status in ("failed", "skipped") if result.get(status)), None)
