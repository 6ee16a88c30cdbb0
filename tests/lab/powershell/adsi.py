# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``[ADSI]``: System.DirectoryServices.DirectoryEntry on the root DSE.

The path is bound when a member is asked for, not before. When that fails, a property is null and nothing is said:
PowerShell drops the exceptions of a property that is read (PowerShell source, Binders.cs, WrapGetMemberInTry, which
says that it is so since 2.0; not seen on 2.0). A method tells it: ``RefreshCache()`` with the identifier
``CatchFromBaseGetMember`` and the text of the HRESULT, which ends with a line end, as comments in public scripts quote
it. The root DSE is read without credentials (RFC 4512, 5.1; MS-ADTS 3.1.1.3.2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..directory.model import Directory
from ..host.machine import Machine
from .errors import ErrorRecord, NotSimulated, PSError
from .values import Instance, PSObject, Value

COLLECTION = "System.DirectoryServices.PropertyValueCollection"

_ROOT = re.compile(r"LDAP://(?:([^/]+)/)?(?i:RootDSE)")
_NO_DOMAIN = "The specified domain either does not exist or could not be contacted.\r\n"
"""ERROR_NO_SUCH_DOMAIN (0x8007054B), as COMException of scripts outside a domain show it."""


class DirectoryEntry(Instance):
    """The root DSE of a domain controller."""

    type_name = "System.DirectoryServices.DirectoryEntry"

    def __init__(self, machine: Machine, path: str) -> None:
        found = _ROOT.fullmatch(path)
        if not found:
            raise NotSimulated(f"the ADSI path {path!r}")
        self._machine = machine
        self._server: str | None = found.group(1)

    def property(self, name: str) -> Value:
        """An attribute: a collection of its values, here of one; null without a domain controller."""
        directory = self._directory()
        if directory is None:
            return None
        base = ",".join(f"DC={label}" for label in directory.domain.split("."))
        known = {
            "configurationnamingcontext": directory.configuration,
            "defaultnamingcontext": base,
            "rootdomainnamingcontext": base,
            "dnshostname": directory.server,
        }
        if name.lower() not in known:
            return super().property(name)
        text = known[name.lower()]
        return PSObject(COLLECTION, {"Value": text, "Count": 1}, text)

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """``RefreshCache()``: bind and read."""
        if name.lower() != "refreshcache" or arguments:
            return super().call(name, arguments)
        if self._directory() is None:
            message = f'The following exception occurred while retrieving member "{name}": "{_NO_DOMAIN}"'
            category = "NotSpecified: (:) [], ExtendedTypeSystemException"
            raise PSError(ErrorRecord(message, "", "CatchFromBaseGetMember", category))
        return None

    def _directory(self) -> Directory | None:
        """The directory behind the path; None where the host has none and the path names no server."""
        role = self._machine.directory
        if role is None and self._server is None:
            return None
        if role is not None:
            server = role.directory.server.lower()
            names = (server, server.partition(".")[0], role.directory.domain.lower())
            if self._server is None or self._server.lower() in names:
                return role.directory
        raise NotSimulated(f"the directory of {self._server}")
