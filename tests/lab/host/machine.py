# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a simulated Windows host."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import NamedTuple
from weakref import WeakValueDictionary

from ..adcs.model import Authorities
from ..directory.model import DirectoryRole
from ..lync.role import LOCAL_GROUPS, LyncRole
from ..pki import Issued
from .access import READ_DATA, parse
from .events import Event
from .keys import RSA_SCHANNEL, SOFTWARE_KSP, KeyContainer, KeyContainers
from .store import CRYPT_MACHINE_KEYSET, KeyReference, StoredCertificate

OEM_CODE_PAGES = {"en": "cp437", "de": "cp850", "fr": "cp850", "es": "cp850", "ja": "cp932", "zh": "cp936"}
"""The OEM code page of each display language's usual system locale."""

ANSI_CODE_PAGES = {"en": "cp1252", "de": "cp1252", "fr": "cp1252", "es": "cp1252", "ja": "cp932", "zh": "cp936"}
"""The ANSI code page of each display language's usual system locale."""

SUPPORTED_POWERSHELL = ("2.0", "3.0", "4.0", "5.1")

DOMAIN_SID = "S-1-5-21-2718281828-3141592653-1618033988"
"""Of every domain of the lab."""


_SHIPPED: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...] = (
    *(((10, 0, 20348), (4, 8)), ((10, 0, 17763), (4, 7, 2)), ((10, 0, 14393), (4, 6, 2))),
    *(((6, 3), (4, 5, 1)), ((6, 2), (4, 5))),
)
"""The .NET Framework that a release of Windows has from its setup."""


def bare_name(user: str) -> str:
    r"""A logon name without its domain: ``user`` of ``DOMAIN\\user`` and ``user@domain``."""
    return user.rpartition("\\")[2].partition("@")[0]


@dataclass(frozen=True)
class Account:
    """A user who may log on."""

    password: str
    administrator: bool = True
    lync_administrator: bool = True
    """A member of RTCUniversalServerAdmins."""


class Written(NamedTuple):
    """What was written to a file."""

    path: str
    data: bytes
    access: str
    """Who could read it then, SDDL."""


@dataclass
class Machine:
    """One host. ``stores`` maps a store name, in the case of its registry key, to its certificates in order."""

    name: str
    domain: str = "contoso.example"
    os_version: str = "6.3.9600"
    language: str = "en"
    powershell: str = "4.0"
    accounts: dict[str, Account] = field(default_factory=dict)
    clock: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    utc_offset: int = 0
    """Hours east of Greenwich."""
    stores: dict[str, list[StoredCertificate]] = field(default_factory=dict)
    user_stores: dict[tuple[str, str], list[StoredCertificate]] = field(default_factory=dict)
    """The stores of users, by the name of the user and that of the store, both in lower case."""
    lync: LyncRole | None = None
    roles: Sequence[str] = ()
    deny: frozenset[str] = frozenset()
    """What is refused to every account: ``registry``, ``certutil``, ``lync``, ``keys`` (their creation)."""
    disk_full: bool = False
    """True: no file and no key can be written."""
    oem_console: bool = False
    """True: console tools print in the OEM code page although the client asked for 65001."""
    files: dict[str, bytes] = field(default_factory=dict)
    access: dict[str, str] = field(default_factory=dict)
    """The access control lists that were set on files and directories, SDDL, by path in lower case."""
    written: list[Written] = field(default_factory=list)
    """Everything that was written to a file, in order; what files that are gone held is still here."""
    locked: WeakValueDictionary[str, object] = field(default_factory=WeakValueDictionary)
    """The streams that keep a file for themselves, by its path in lower case; a process that ends lets go of them."""
    no_profile: frozenset[str] = frozenset()
    """Users for whom Windows has no profile, in lower case."""
    containers: KeyContainers = field(default_factory=KeyContainers)
    directory: DirectoryRole | None = None
    """None: no domain controller and no AD DS tools."""
    authorities: Authorities | None = None
    """The CAs within its reach."""
    events: list[Event] = field(default_factory=list)
    """What the host recorded of processes and scripts, the latest last."""
    framework: str = ""
    """The .NET Framework, such as ``4.8`` or, for a host with PowerShell 2.0 and without 3.5, ``2.0``; empty: see
    :attr:`dotnet`."""
    importing_provider: str | None = None
    """A fault, nothing that Windows is known to do: ``certutil -importPFX`` puts every key into this provider."""
    repair_ignores_key: bool = False
    """A fault, nothing that Windows is known to do: ``certutil -repairstore`` passes over property 2 of its file."""
    ksp_reaches_legacy: bool = False
    """A fault, nothing that Windows is known to do: the Software KSP finds containers of CSPs, too, where it has none
    of that name."""

    def __post_init__(self) -> None:
        for certificates in self.stores.values():
            for stored in certificates:
                self.hold_key(stored)

    def hold_key(self, stored: StoredCertificate) -> None:
        """Put the private key that came with a certificate of the scenario into the container that it names."""
        key, issued = stored.key, stored.issued
        if key is None or key.missing or not isinstance(issued, Issued):
            return
        provider, container = key.provider or "", key.container or ""
        machine = bool(key.flags & CRYPT_MACHINE_KEYSET)
        self.containers.add(
            KeyContainer(
                *(provider, container, issued.key, key.key_spec, key.exportable),
                machine=machine,
                plaintext=key.plaintext,
                isolated=key.isolated,
                access=key.access,
            )
        )

    def container_of(self, key: KeyReference | None) -> KeyContainer | None:
        """The container that a certificate's key is in, None when it is gone."""
        return self.containers.find(key.provider, key.container) if key else None

    def container_named(self, provider: str, name: str) -> KeyContainer | None:
        """The container that a provider opens by its name."""
        found = self.containers.find(provider, name)
        if found is None and self.ksp_reaches_legacy and provider.casefold() == SOFTWARE_KSP.casefold():
            return self.containers.find(RSA_SCHANNEL, name)
        return found

    @property
    def fqdn(self) -> str:
        """The full DNS name."""
        return f"{self.name}.{self.domain}".lower()

    @property
    def netbios_domain(self) -> str:
        """The domain as whoami prints it."""
        return self.domain.split(".", maxsplit=1)[0].upper()

    @property
    def guid(self) -> uuid.UUID:
        """The MachineGuid; it ends the names of key container files."""
        return uuid.uuid5(uuid.NAMESPACE_DNS, self.fqdn)

    @property
    def os_release(self) -> tuple[int, ...]:
        """The version number of Windows."""
        return tuple(int(part) for part in self.os_version.split("."))

    @property
    def powershell_release(self) -> tuple[int, int]:
        """The version number of Windows PowerShell."""
        major, minor = self.powershell.split(".")
        return int(major), int(minor)

    @property
    def dotnet(self) -> tuple[int, ...]:
        """The .NET Framework of a PowerShell process.

        PowerShell 2.0 runs on the .NET Framework 2.0 with what 3.5 adds, later releases on 4.x: 4.5 and 4.5.1 came with
        Server 2012 and 2012 R2, 4.6.2 with 2016, 4.7.2 with 2019, 4.8 with 2022 (".NET Framework versions and
        dependencies"); PowerShell 5.1 needs 4.5.2. Of 2008 R2 the lab takes 4.5.2 where its PowerShell is newer.
        """
        if self.framework:
            return tuple(int(part) for part in self.framework.split("."))
        if self.powershell_release < (3, 0):
            return (3, 5)
        shipped = next((version for release, version in _SHIPPED if self.os_release >= release), (4, 5, 2))
        return max(shipped, (4, 5, 2)) if self.powershell_release >= (5, 1) else shipped

    @property
    def reads_aes_pfx(self) -> bool:
        """Whether it opens PFX files in AES-256 with SHA-256: Windows 10 1709, of servers 1709 and 2019."""
        return self.os_release >= (10, 0, 16299)

    @property
    def console_encoding(self) -> str:
        """What console tools write. A WinRS client chooses the code page of the shell's console (WINRS_CODEPAGE,
        MS-WSMV); Ansible's winrm plugin and pywinrm choose 65001, UTF-8.
        """
        return OEM_CODE_PAGES.get(self.language, "cp850") if self.oem_console else "utf-8"

    def local(self, moment: datetime) -> datetime:
        """A moment in the time zone of the host."""
        return moment.astimezone(timezone(timedelta(hours=self.utc_offset)))

    def account(self, user: str) -> Account | None:
        r"""The account of a logon name: ``user``, ``DOMAIN\\user`` or ``user@domain``, in any case."""
        bare = bare_name(user).casefold()
        return next((account for name, account in self.accounts.items() if name.casefold() == bare), None)

    def is_administrator(self, user: str) -> bool:
        """Whether the user is a member of the local group Administrators."""
        account = self.account(user)
        return bool(account and account.administrator)

    def user_sid(self, user: str) -> str:
        """The SID of an account; 500 is the built-in administrator's relative identifier."""
        names = [name.casefold() for name in self.accounts]
        bare = bare_name(user).casefold()
        number = (
            500 if bare in ("administrator", "administrateur") else 1104 + (names.index(bare) if bare in names else 0)
        )
        return f"{DOMAIN_SID}-{number}"

    @property
    def sid(self) -> str:
        """The SID of the computer, of which those of its local accounts are made."""
        parts = [self.guid.int >> shift & 0xFFFFFFFF for shift in (96, 48, 0)]
        return "S-1-5-21-" + "-".join(str(part) for part in parts)

    @property
    def local_groups(self) -> dict[str, str]:
        """The SIDs of the local groups that a product made, by name."""
        return {name: f"{self.sid}-{1001 + number}" for number, name in enumerate(LOCAL_GROUPS if self.lync else ())}

    def sids_of(self, user: str) -> frozenset[str]:
        """The account of a logged-on user and the groups that every list may name; rights of a domain are left out."""
        groups = ["S-1-1-0", "S-1-5-11", "S-1-5-2", "S-1-5-32-545"]
        if self.is_administrator(user):
            groups.append("S-1-5-32-544")
        return frozenset((self.user_sid(user), *groups))

    def may_use(self, container: KeyContainer, *sids: str) -> bool:
        """Whether somebody with these SIDs may use a key: reading its file is what it takes."""
        return parse(container.access).grants(sids, READ_DATA)

    def group_sid(self, relative: int) -> str:
        """The SID of a group of the domain."""
        return f"{DOMAIN_SID}-{relative}"

    def store(self, name: str) -> tuple[str, list[StoredCertificate]] | None:
        """A store by name in any case, with the name of its registry key."""
        for stored, certificates in self.stores.items():
            if stored.casefold() == name.casefold():
                return stored, certificates
        return None

    def user_store(self, user: str, name: str) -> list[StoredCertificate]:
        """A store of a user; it is made when it is first asked for."""
        return self.user_stores.setdefault((bare_name(user).lower(), name.lower()), [])

    def find(self, thumbprint: str) -> StoredCertificate | None:
        """A certificate of the store My by its thumbprint."""
        held = self.store("My")
        for certificate in held[1] if held else []:
            if certificate.issued and certificate.issued.thumbprint == thumbprint.upper():
                return certificate
        return None
