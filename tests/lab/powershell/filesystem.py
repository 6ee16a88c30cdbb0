# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cmdlets on files and directories: ``Test-Path`` and ``Remove-Item``, on absolute paths."""

from __future__ import annotations

from ..host import files
from .commands import Bound, Invocation, command
from .errors import NotSimulated
from .values import items_of, to_text


def _paths(bound: Bound, invocation: Invocation) -> list[str]:
    if "literalpath" in bound.named:
        return [to_text(item) for item in items_of(bound.named["literalpath"])]
    given = bound.named.get("path", bound.rest[0] if bound.rest else invocation.input)
    paths = [to_text(item) for item in items_of(given)]
    if any(character in path for path in paths for character in "*?[]`"):
        raise NotSimulated(f"{invocation.name} with wildcards")
    return paths


@command("Test-Path")
def _test_path(invocation: Invocation) -> None:
    bound = invocation.bind(["path", "literalpath", "pathtype"])
    machine = invocation.session.machine
    kind = bound.text("pathtype", "any").lower()
    if kind not in ("any", "leaf", "container"):
        raise NotSimulated(f"Test-Path -PathType {kind}")
    for path in _paths(bound, invocation):
        is_file = kind != "container" and files.exists(machine, path)
        invocation.sink.emit(is_file or (kind != "leaf" and files.directory_exists(machine, path)))


@command("Remove-Item")
def _remove_item(invocation: Invocation) -> None:
    """A directory with something in it needs -Recurse: else PowerShell asks, which it cannot do here."""
    bound = invocation.bind(["path", "literalpath"], ["recurse", "force"])
    machine = invocation.session.machine
    for path in _paths(bound, invocation):
        if files.exists(machine, path):
            files.remove(machine, path)
        elif files.directory_exists(machine, path):
            try:
                files.remove_directory(machine, path, recursive=bound.flag("recurse"))
            except files.FileFault as fault:
                raise NotSimulated("Remove-Item of a directory that is not empty, without -Recurse") from fault
        else:
            invocation.fail(
                f"Cannot find path '{path}' because it does not exist.",
                "PathNotFound,Microsoft.PowerShell.Commands.RemoveItemCommand",
                f"ObjectNotFound: ({path}:String) [{{0}}], ItemNotFoundException",
            )
