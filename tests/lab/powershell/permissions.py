# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access control of .NET: FileSecurity, DirectorySecurity, SecurityIdentifier and NTAccount.

Exceptions: ObjectSecurity, NativeObjectSecurity and FileSystemSecurity of the .NET Framework, whose
FileNotFoundException has the path as its message and nothing else. A list that was not changed is not written. Names of
accounts are looked up as the display language of Windows spells them (LookupAccountName): "Configure Windows Service
Accounts and Permissions", SQL Server, has a table of them, which is the source of those here; Everyone, Users and
CREATOR OWNER are known in English and German alone. A name in another language ends with IdentityNotMappedException.

Unverified: that a new owner and group of the file of a key are Administrators and SYSTEM; that LookupAccountName takes
no SIDs; that a user who is no administrator cannot read the list of any file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..host import files
from ..host.access import Access, BadSddl, parse, sid_of
from ..host.machine import Machine, bare_name
from .errors import DotNetError, NotSimulated
from .session import Session
from .values import Instance, PSObject, TypeReference, Value, to_text

Method = Callable[[Session, Sequence[Value]], Value]

_SECTIONS = ("access", "all", "owner", "group")
_OWNER_AND_GROUP = "O:BAG:SY"

_SYSTEM, _LOCAL_SERVICE, _NETWORK_SERVICE = "S-1-5-18", "S-1-5-19", "S-1-5-20"
_ADMINISTRATORS, _USERS, _EVERYONE, _CREATOR = "S-1-5-32-544", "S-1-5-32-545", "S-1-1-0", "S-1-3-0"

_ENGLISH = {
    **{r"NT AUTHORITY\SYSTEM": _SYSTEM, r"NT AUTHORITY\LOCAL SERVICE": _LOCAL_SERVICE},
    **{r"NT AUTHORITY\NETWORK SERVICE": _NETWORK_SERVICE, r"BUILTIN\Administrators": _ADMINISTRATORS},
    **{r"BUILTIN\Users": _USERS, "Everyone": _EVERYONE, "CREATOR OWNER": _CREATOR},
}
_NAMES: dict[str, dict[str, str]] = {
    "en": _ENGLISH,
    "ja": _ENGLISH,
    "zh": _ENGLISH,
    "de": {
        **{r"NT-AUTORITÄT\SYSTEM": _SYSTEM, r"NT-AUTORITÄT\LOKALER DIENST": _LOCAL_SERVICE},
        **{r"NT-AUTORITÄT\NETZWERKDIENST": _NETWORK_SERVICE, r"VORDEFINIERT\Administratoren": _ADMINISTRATORS},
        **{r"VORDEFINIERT\Benutzer": _USERS, "Jeder": _EVERYONE, "ERSTELLER-BESITZER": _CREATOR},
    },
    "fr": {
        **{r"AUTORITE NT\SYSTEM": _SYSTEM, r"AUTORITE NT\SERVICE LOCAL": _LOCAL_SERVICE},
        **{r"AUTORITE NT\SERVICE RÉSEAU": _NETWORK_SERVICE, r"BUILTIN\Administrators": _ADMINISTRATORS},
    },
    "es": {
        **{r"NT AUTHORITY\SYSTEM": _SYSTEM, r"NT AUTHORITY\SERVICIO LOC": _LOCAL_SERVICE},
        **{r"NT AUTHORITY\SERVICIO DE RED": _NETWORK_SERVICE, r"BUILTIN\Administradores": _ADMINISTRATORS},
    },
}


class FileSystemSecurity(Instance):
    """FileSecurity or DirectorySecurity: a list apart from any file."""

    def __init__(self, access: Access | None = None, *, container: bool = False) -> None:
        kind = "Directory" if container else "File"
        self.type_name = f"System.Security.AccessControl.{kind}Security"
        self.container = container
        self.access = (access or Access()).ordered(container=container)
        self.changed = False

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """The two methods that go through SDDL."""
        lower = name.lower()
        if lower == "getsecuritydescriptorsddlform" and len(arguments) == 1:
            sections = _sections(arguments[0])
            shown = str(self.access) if sections & {"access", "all"} else ""
            return (_OWNER_AND_GROUP if "all" in sections else "") + shown
        if lower == "setsecuritydescriptorsddlform" and len(arguments) in (1, 2):
            sections = _sections(arguments[1]) if len(arguments) == 2 else {"all"}
            if not sections & {"access", "all"}:
                raise NotSimulated("SetSecurityDescriptorSddlForm without the access control list")
            self.access = _parsed(arguments[0]).ordered(container=self.container)
            self.changed = True
            return None
        return super().call(name, arguments)


def _sections(value: Value) -> set[str]:
    found = {part.strip().lower() for part in to_text(value).split(",")}
    if not found <= set(_SECTIONS) or found & {"owner", "group"}:
        raise NotSimulated(f"AccessControlSections {to_text(value)}")
    return found


def _parsed(value: Value) -> Access:
    if value is None:
        raise DotNetError("ArgumentNullException", "Value cannot be null.\r\nParameter name: sddlForm")
    try:
        return parse(to_text(value))
    except BadSddl as fault:
        message = "The SDDL form of a security descriptor object is invalid."
        if fault.account:
            message = "The SDDL string contains an invalid sid or a sid that cannot be translated."
        raise DotNetError("ArgumentException", f"{message}\r\nParameter name: sddlForm") from fault


def _existing(session: Session, path: str) -> str:
    """The full path of a file or directory that is there and whose list the caller may read and change."""
    machine, full = session.machine, files.full_path(path)
    if not files.exists(machine, full) and not files.directory_exists(machine, full):
        if not files.directory_exists(machine, full.rpartition("\\")[0] + "\\"):
            raise DotNetError("InvalidOperationException", "Method failed with unexpected error code 3.")
        raise DotNetError("FileNotFoundException", full)
    if not machine.is_administrator(session.user):
        raise DotNetError("UnauthorizedAccessException", "Attempted to perform an unauthorized operation.")
    return full


def _get(session: Session, arguments: Sequence[Value]) -> Value:
    full = _existing(session, to_text(arguments[0]))
    if len(arguments) == 2 and not _sections(arguments[1]) & {"access", "all"}:
        raise NotSimulated("GetAccessControl without the access control list")
    if not files.exists(session.machine, full):
        raise NotSimulated("[IO.File]::GetAccessControl of a directory")
    return FileSystemSecurity(parse(files.access_of(session.machine, full)))


def _get_directory(session: Session, arguments: Sequence[Value]) -> Value:
    full = _existing(session, to_text(arguments[0]))
    if not files.directory_exists(session.machine, full):
        raise NotSimulated("[IO.Directory]::GetAccessControl of a file")
    return FileSystemSecurity(parse(files.access_of(session.machine, full)), container=True)


def _set(session: Session, arguments: Sequence[Value]) -> Value:
    security = arguments[1]
    if not isinstance(security, FileSystemSecurity) or security.container:
        raise NotSimulated("[IO.File]::SetAccessControl with something other than a FileSecurity")
    full = _existing(session, to_text(arguments[0]))
    if security.changed:
        files.set_access(session.machine, full, security.access)


def _create_directory(session: Session, arguments: Sequence[Value]) -> Value:
    security = arguments[1]
    if not isinstance(security, FileSystemSecurity) or not security.container:
        raise NotSimulated("[IO.Directory]::CreateDirectory with something other than a DirectorySecurity")
    path = files.full_path(to_text(arguments[0]))
    files.make_directory(session.machine, path, str(security.access.of_file()))
    name = path.rpartition("\\")[2]
    return PSObject("System.IO.DirectoryInfo", {"FullName": path, "Name": name, "Exists": True}, path)


class Identity(Instance):
    """NTAccount or SecurityIdentifier."""

    def __init__(self, session: Session, kind: str, value: str) -> None:
        self.type_name = f"System.Security.Principal.{kind}"
        self._session = session
        self._kind = kind
        self._value = value

    def property(self, name: str) -> Value:
        """``Value``."""
        return self._value if name.lower() == "value" else super().property(name)

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """``Translate([Security.Principal.SecurityIdentifier])`` and ``ToString()``."""
        lower = name.lower()
        if lower == "tostring" and not arguments:
            return self._value
        target = arguments[0].name.lower() if arguments and isinstance(arguments[0], TypeReference) else ""
        if lower != "translate" or not target.endswith("security.principal.securityidentifier"):
            return super().call(name, arguments)
        if self._kind == "SecurityIdentifier":
            return self
        sid = sid_of_name(self._session.machine, self._value)
        if sid is None:
            message = "Some or all identity references could not be translated."
            raise DotNetError("IdentityNotMappedException", message)
        return Identity(self._session, "SecurityIdentifier", sid)


def sid_of_name(machine: Machine, name: str) -> str | None:
    """The SID of an account by its name on this host, in any case; the names of well-known ones also alone."""
    wanted = name.casefold()
    for known, sid in _NAMES[machine.language].items():
        if wanted in (known.casefold(), known.rpartition("\\")[2].casefold()):
            return sid
    place, _backslash, bare = name.rpartition("\\")
    for group, sid in machine.local_groups.items():
        if bare.casefold() == group.casefold() and place.casefold() in ("", machine.name.casefold()):
            return sid
    domain = (place or name.partition("@")[2]).casefold()
    ours = domain in ("", machine.domain.casefold(), machine.netbios_domain.casefold())
    return machine.user_sid(bare_name(name)) if ours and machine.account(name) else None


def construct(type_name: str, arguments: Sequence[Value], session: Session) -> Value:
    """A new object, by the name of its type in lower case without ``System``; None for another type.

    Raises:
        DotNetError: the constructor fails.
    """
    if type_name in ("security.accesscontrol.filesecurity", "security.accesscontrol.directorysecurity"):
        if arguments:
            raise NotSimulated(f"New-Object {type_name} with {len(arguments)} arguments")
        return FileSystemSecurity(container="directory" in type_name)
    if type_name not in ("security.principal.ntaccount", "security.principal.securityidentifier"):
        return None
    if len(arguments) != 1:
        raise NotSimulated(f"New-Object {type_name} with {len(arguments)} arguments")
    text = to_text(arguments[0])
    if type_name.endswith("ntaccount"):
        if not text:
            raise DotNetError("ArgumentException", "String cannot be of zero length.\r\nParameter name: name")
        return Identity(session, "NTAccount", text)
    sid = sid_of(text)
    if sid is None:
        raise DotNetError("ArgumentException", "Value was invalid.\r\nParameter name: sddlForm")
    return Identity(session, "SecurityIdentifier", sid)


METHODS: dict[tuple[str, str, int], Method] = {
    **{("io.file", "getaccesscontrol", count): _get for count in (1, 2)},
    **{("io.directory", "getaccesscontrol", count): _get_directory for count in (1, 2)},
    ("io.file", "setaccesscontrol", 2): _set,
    ("io.directory", "createdirectory", 2): _create_directory,
}
"""Static methods by type, name and number of arguments."""
