# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The native tools of a simulated host. Each is a function from a :class:`Call` to a :class:`Result`."""

from __future__ import annotations

from collections.abc import Callable

from ..host.machine import Machine
from .base import Call, Result
from .certreq import certreq
from .certutil import certutil
from .identity import hostname, whoami
from .ldifde import ldifde
from .registry import reg

__all__ = ["Call", "Result", "Tool", "find_tool", "is_windows_tool"]

Tool = Callable[[Call], Result]

_TOOLS: dict[str, Tool] = {
    "reg": reg,
    "certutil": certutil,
    "certreq": certreq,
    "hostname": hostname,
    "whoami": whoami,
}
_DIRECTORY_TOOLS: dict[str, Tool] = {"ldifde": ldifde}
"""On domain controllers and where the AD DS tools are installed."""
_SYSTEM_FOLDERS = (r"c:\windows\system32", r"c:\windows\sysnative", r"%systemroot%\system32", r"%windir%\system32")
_NOT_SIMULATED = (
    *("csvde", "cmd", "net", "net1", "netsh", "sc", "wmic", "ipconfig", "icacls", "takeown"),
    *("schtasks", "tasklist", "taskkill", "systeminfo", "nltest", "dsquery", "setspn", "gpupdate", "gpresult", "find"),
    *("findstr", "robocopy", "xcopy", "bcdedit", "wevtutil", "cscript", "wscript", "nslookup", "ping", "chcp", "where"),
    *(
        "msiexec",
        "shutdown",
        "query",
        "auditpol",
        "klist",
        "certmgr",
        "winrm",
        "curl",
        "tar",
        "bitsadmin",
        "more",
        "sort",
    ),
)


def _bare(name: str) -> str | None:
    """The name of a tool without folder and ending, if the folder is one where Windows keeps its tools."""
    lower = name.lower().replace("/", "\\")
    folder, _between, file = lower.rpartition("\\")
    if folder and folder not in _SYSTEM_FOLDERS:
        return None
    return file.removesuffix(".exe")


def find_tool(name: str, machine: Machine | None = None) -> Tool | None:
    r"""The tool that a command name calls: ``reg``, ``reg.exe``, ``C:\\Windows\\System32\\reg.exe``, in any case.

    :param machine: the host, for tools that not every Windows has; without it they are not found.
    """
    bare = _bare(name) or ""
    if machine is not None and machine.directory is not None and bare in _DIRECTORY_TOOLS:
        return _DIRECTORY_TOOLS[bare]
    return _TOOLS.get(bare)


def is_windows_tool(name: str) -> bool:
    """Whether Windows has a tool of this name that the lab does not simulate."""
    bare = _bare(name)
    return bare in _NOT_SIMULATED
