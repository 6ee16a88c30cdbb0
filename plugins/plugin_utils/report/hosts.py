# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of each host's audit task, as reports want it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_WAY_OUT = "Check address, port and credentials of the inventory, and that WinRM listens there (winrm quickconfig)."


def host_entry(name: str, result: Mapping[str, Any] | None, groups: Sequence[str] = ()) -> dict[str, Any]:
    """One host for ``build_report`` from the registered result of its audit task.

    ``None`` is a host that never ran the task; it counts as unreachable, because Ansible drops such a host.
    """
    entry: dict[str, Any] = {"host": name, "groups": list(groups)}
    if result is None:
        return {
            **entry,
            "status": "unreachable",
            "message": "The host left the play before its audit. See the output of the play.",
        }
    if result.get("unreachable"):
        return {**entry, "status": "unreachable", "message": f"{_message(result).rstrip('.')}. {_WAY_OUT}"}
    if result.get("failed"):
        return {**entry, "status": "failed", "message": _message(result)}
    if result.get("skipped"):
        return {**entry, "status": "skipped", "message": _message(result)}
    return {
        **entry,
        "status": "ok",
        "store": result.get("store"),
        "certificates": result.get("certificates", []),
        "problems": result.get("problems", []),
    }


def _message(result: Mapping[str, Any]) -> str:
    return str(result.get("msg") or result.get("skip_reason") or "No message.")
