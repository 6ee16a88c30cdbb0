# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``hostname.exe`` and ``whoami.exe``.

``whoami /fo csv`` as in public transcripts of English Windows; group names are translated on other Windows, the SIDs
are the same everywhere. A network logon of an administrator has the full token. The names of a German or Japanese
host are left in English (unverified), SIDs are what callers should read.
"""

from __future__ import annotations

from ..powershell.errors import NotSimulated
from .base import Call, Result

_PLAIN = "Mandatory group, Enabled by default, Enabled group"


def hostname(call: Call) -> Result:
    """The NetBIOS name, in the case in which it was given at setup."""
    if call.arguments:
        raise NotSimulated("hostname with arguments")
    return Result(call.machine.name + "\r\n")


def whoami(call: Call) -> Result:
    """``whoami``, ``whoami /user`` and ``whoami /groups``, the latter two with ``/fo csv`` and ``/nh``."""
    words = [word.lower() for word in call.arguments]
    machine = call.machine
    bare = call.user.rpartition("\\")[2].partition("@")[0].lower()
    name = f"{machine.netbios_domain.lower()}\\{bare}"
    if not words:
        return Result(name + "\r\n")
    headless = "/nh" in words
    rest = [word for word in words if word != "/nh"]
    if rest == ["/user", "/fo", "csv"]:
        return _csv(("User Name", "SID"), [(name, machine.user_sid(call.user))], headless)
    if rest == ["/groups", "/fo", "csv"]:
        return _csv(("Group Name", "Type", "SID", "Attributes"), _groups(call), headless)
    raise NotSimulated("whoami " + " ".join(call.arguments))


def _csv(header: tuple[str, ...], rows: list[tuple[str, ...]], headless: bool) -> Result:
    lines = rows if headless else [header, *rows]
    return Result("".join(",".join(f'"{cell}"' for cell in line) + "\r\n" for line in lines))


def _groups(call: Call) -> list[tuple[str, ...]]:
    machine = call.machine
    account = machine.account(call.user)
    administrator = machine.is_administrator(call.user)
    level, label = ("High", 12288) if administrator else ("Medium", 8192)
    rows: list[tuple[str, ...]] = [("Everyone", "Well-known group", "S-1-1-0", _PLAIN)]
    if administrator:
        rows.append(("BUILTIN\\Administrators", "Alias", "S-1-5-32-544", _PLAIN + ", Group owner"))
    rows += [
        ("BUILTIN\\Users", "Alias", "S-1-5-32-545", _PLAIN),
        ("NT AUTHORITY\\NETWORK", "Well-known group", "S-1-5-2", _PLAIN),
        ("NT AUTHORITY\\Authenticated Users", "Well-known group", "S-1-5-11", _PLAIN),
    ]
    if account and account.lync_administrator and machine.lync:
        name = f"{machine.netbios_domain}\\RTCUniversalServerAdmins"
        rows.append((name, "Group", machine.group_sid(1131), _PLAIN))
    rows.append((f"Mandatory Label\\{level} Mandatory Level", "Label", f"S-1-16-{label}", ""))
    return rows
