# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The native tools of a simulated host. Each is a function from a :class:`Call` to a :class:`Result`."""

from __future__ import annotations

from collections.abc import Callable

from .base import Call, Result
from .certutil import certutil
from .identity import hostname, whoami
from .registry import reg

__all__ = ["Call", "Result", "Tool", "find_tool", "is_windows_tool"]

Tool = Callable[[Call], Result]

_TOOLS: dict[str, Tool] = {"reg": reg, "certutil": certutil, "hostname": hostname, "whoami": whoami}
_SYSTEM_FOLDERS = (r"c:\windows\system32", r"c:\windows\sysnative", r"%systemroot%\system32", r"%windir%\system32")
_NOT_SIMULATED = (
    *("certreq", "ldifde", "csvde", "cmd", "net", "net1", "netsh", "sc", "wmic", "ipconfig", "icacls", "takeown"),
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


def find_tool(name: str) -> Tool | None:
    r"""The tool that a command name calls: ``reg``, ``reg.exe``, ``C:\\Windows\\System32\\reg.exe``, in any case."""
    return _TOOLS.get(_bare(name) or "")


def is_windows_tool(name: str) -> bool:
    """Whether Windows has a tool of this name that the lab does not simulate."""
    bare = _bare(name)
    return bare in _NOT_SIMULATED
