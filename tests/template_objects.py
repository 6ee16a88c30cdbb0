# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of a forest for unit tests, and a directory in memory that holds them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access.model import Found
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.change import Add, Change
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.entry import Entry
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import (
    INSUFFICIENT_ACCESS_RIGHTS,
    NO_SUCH_ATTRIBUTE,
    NO_SUCH_OBJECT,
    DirectoryError,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.naming import rdn

CONFIGURATION = "CN=Configuration,DC=corp,DC=example,DC=test"
SERVICES = f"CN=Public Key Services,CN=Services,{CONFIGURATION}"
SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"

RSA_PROPERTIES = (
    "msPKI-Asymmetric-Algorithm`PZPWSTR`RSA`msPKI-Hash-Algorithm`PZPWSTR`SHA256`msPKI-Key-Usage`DWORD`16777215`"
)

ADMINISTRATORS_ONLY = base64.b64decode(
    # O:BAD:(A;;FA...;;;BA) as a self-relative descriptor: owner and full control for BUILTIN\\Administrators.
    "AQAEgBQAAAAAAAAAAAAAACQAAAABAgAAAAAABSAAAAAgAgAAAgAgAAEAAAAAABgA/wEPAAECAAAAAAAFIAAAACACAAA="
)


def values(value: Any) -> tuple[bytes, ...]:
    """Attribute values from what is handy to write."""
    if value is None:
        return ()
    if isinstance(value, (list, tuple)):
        return tuple(one for item in value for one in values(item))
    return (value if isinstance(value, bytes) else str(value).encode(),)


def template_entry(name: str = "LyncWebServer", **attributes: Any) -> Entry:
    """A template of schema 4 for the Software KSP, unless the attributes (``-`` written as ``_``) say otherwise."""
    held: dict[str, Any] = {
        "objectClass": ["top", "pKICertificateTemplate"],
        "cn": name,
        "displayName": f"{name} (display)",
        "flags": 131649,
        "revision": 100,
        "msPKI-Template-Minor-Revision": 4,
        "msPKI-Template-Schema-Version": 4,
        "msPKI-Private-Key-Flag": 0x06060000,
        "pKIDefaultCSPs": f"1,{SOFTWARE_KSP}",
        "msPKI-RA-Application-Policies": RSA_PROPERTIES,
        "msPKI-RA-Signature": 0,
        "pKIDefaultKeySpec": 1,
        "pKIKeyUsage": b"\xa0\x00",
        "msPKI-Minimal-Key-Size": 2048,
        "msPKI-Enrollment-Flag": 0,
        "msPKI-Certificate-Name-Flag": 1,
        "pKIExtendedKeyUsage": "1.3.6.1.5.5.7.3.1",
        "msPKI-Certificate-Application-Policy": "1.3.6.1.5.5.7.3.1",
        "msPKI-Cert-Template-OID": f"1.3.6.1.4.1.311.21.8.1.2.3.{sum(name.encode())}",
        "nTSecurityDescriptor": ADMINISTRATORS_ONLY,
    }
    held.update({key.replace("_", "-"): value for key, value in attributes.items()})
    return Entry(
        f"{rdn('CN', name)},CN=Certificate Templates,{SERVICES}",
        {key: values(value) for key, value in held.items() if values(value)},
    )


def sample_entry(sample: Mapping[str, Any]) -> Entry:
    """A template of the corpus's index, which lists attributes by name and octets as base64."""
    attributes = {
        name: base64.b64decode(value) if name == "pKIKeyUsage" else value for name, value in sample["attrs"].items()
    }
    name = sample["name"].replace("/", " ")
    return Entry(
        f"CN={name},CN=Certificate Templates,{SERVICES}",
        {
            "objectClass": (b"top", b"pKICertificateTemplate"),
            "cn": (name.encode(),),
            **{key: values(value) for key, value in attributes.items() if values(value)},
        },
    )


def service_entry(name: str, host: str, templates: Sequence[str] = ()) -> Entry:
    """A CA of the forest."""
    attributes = {
        "objectClass": values(["top", "pKIEnrollmentService"]),
        "cn": values(name),
        "dNSHostName": values(host),
        "certificateTemplates": values(list(templates)),
    }
    return Entry(f"CN={name},CN=Enrollment Services,{SERVICES}", attributes)


def oid_container() -> Entry:
    """The container of OIDs with the forest's own arc."""
    attributes = {
        "objectClass": values(["top", "msPKI-Enterprise-Oid"]),
        "cn": values("OID"),
        "msPKI-Cert-Template-OID": values("1.3.6.1.4.1.311.21.8.11.12.13.14.15.16"),
    }
    return Entry(f"CN=OID,{SERVICES}", attributes)


class MemoryDirectory:
    """A directory that does what LDAP says of modify and add, and can be told to go wrong."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self.entries = {entry.dn: entry for entry in entries}
        self.searches = 0
        self.applied: list[Change] = []
        self.before_apply: Callable[[], None] = lambda: None
        self.refuses = False

    def search(self, filter_text: str, attributes: Sequence[str]) -> Found:
        self.searches += 1
        return Found(tuple(self.entries.values()), CONFIGURATION, "dc01.corp.example.test")

    def apply(self, changes: Sequence[Change]) -> None:
        self.before_apply()
        for change in changes:
            if self.refuses:
                raise DirectoryError("Refused.", place=change.dn, code=INSUFFICIENT_ACCESS_RIGHTS)
            if isinstance(change, Add):
                self.entries[change.dn] = Entry(change.dn, dict(change.attributes))
            else:
                self.modify(change.dn, [(row.attribute, row.delete, row.add) for row in change.modifications])
            self.applied.append(change)

    def modify(self, dn: str, rows: Sequence[tuple[str, Sequence[bytes], Sequence[bytes]]]) -> None:
        """One atomic modify."""
        entry = self.entries.get(dn)
        if entry is None:
            raise DirectoryError("There is no such object.", place=dn, code=NO_SUCH_OBJECT)
        attributes = {name: list(held) for name, held in entry.attributes.items()}
        for attribute, delete, add in rows:
            held = attributes.setdefault(attribute, [])
            if set(delete) - set(held):
                raise DirectoryError("There is no such value.", place=dn, code=NO_SUCH_ATTRIBUTE)
            attributes[attribute] = [value for value in held if value not in delete] + list(add)
        self.entries[dn] = Entry(dn, {name: tuple(held) for name, held in attributes.items() if held})

    def close(self) -> None:
        pass
