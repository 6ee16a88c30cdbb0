# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory in memory that answers as Active Directory does, as far as certificate templates are concerned.

One domain that is its own forest. Everyone who binds may read; the administrators may write below
``CN=Public Key Services`` and nowhere else; the anonymous caller gets rootDSE. A security descriptor is returned only
when it is asked for by name (MS-ADTS 3.1.1.3.4.1.11), and then with all its parts, which takes the right to read the
audit list: administrators have it, others get no value (inferred).
"""

from __future__ import annotations

import secrets
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from ..host.machine import DOMAIN_SID, bare_name
from . import descriptors, diagnostics, filters, names, schema
from .model import Caller, Object, Operation
from .population import OID_ROOT

_CONTAINERS = ("AIA", "CDP", "Certificate Templates", "Certification Authorities", "Enrollment Services", "KRA", "OID")

_FIXED = ("objectClass", "distinguishedName", "instanceType", "name", "cn")
"""What a new object gets from its name and class, whatever is given."""

Attributes = dict[str, list[bytes]]
"""By the name as the schema spells it."""


@dataclass
class _Entry:
    dn: str
    attributes: Attributes

    def values(self, name: str) -> Sequence[bytes]:
        known = schema.attribute(name)
        return self.attributes.get(known.name, ()) if known else ()


class EmbeddedDirectory:
    """The ``Directory`` of :mod:`lab.directory.model` in memory."""

    def __init__(
        self,
        domain: str = "contoso.example",
        *,
        server: str | None = None,
        administrators: Iterable[str] = ("Administrator",),
        accounts: Mapping[str, str] | None = None,
    ) -> None:
        """An empty directory.

        :param server: full name of the domain controller; default: dc01 of the domain.
        :param administrators: accounts that may change what is below Public Key Services.
        :param accounts: password by name; without it every name with any password may bind.
        """
        self.domain = domain.lower()
        self.root = names.domain_dn(self.domain)
        self.configuration = f"CN=Configuration,{self.root}"
        self.server = server or f"dc01.{self.domain}"
        self.administrator = Caller("SYSTEM", secrets.token_hex(16))
        self.before_change: Callable[[], None] | None = None
        self._administrators = {name.casefold() for name in administrators}
        self._accounts = None if accounts is None else {name.casefold(): word for name, word in accounts.items()}
        self._entries: dict[names.Key, _Entry] = {}
        self._counter = 4096
        self._lock = threading.RLock()
        self._services = f"CN=Public Key Services,CN=Services,{self.configuration}"
        self._found()

    def _found(self) -> None:
        """What a forest has from the start."""
        self._create(self.root, {"objectClass": [b"top", b"domainDNS"]})
        self._entries[names.key(self.root)].attributes["objectSid"] = [descriptors.sid(DOMAIN_SID)]
        self._create(self.configuration, {"objectClass": [b"top", b"configuration"]})
        container = {"objectClass": [b"top", b"container"]}
        self._create(f"CN=Services,{self.configuration}", container)
        self._create(self._services, container)
        for name in _CONTAINERS:
            self._create(f"CN={name},{self._services}", container)
        oid_container = self._entries[names.key(f"CN=OID,{self._services}")]
        oid_container.attributes["msPKI-Cert-Template-OID"] = [OID_ROOT.encode()]

    def search(
        self, caller: Caller, base: str, scope: str, filter_text: str, attributes: Sequence[str] | None
    ) -> list[Object]:
        """Objects; scope is ``base``, ``one`` or ``sub``; all readable attributes for ``None``.

        Raises:
            DirectoryFault: as a domain controller answers.
        """
        match = filters.compiled(filter_text)
        if not base and scope == "base":
            return [self._root_dse(attributes)]
        rights = self._bound(caller)
        with self._lock:
            start = self._key(base)
            if start not in self._entries:
                raise diagnostics.no_object(self._best_match(start))
            inside = [entry for key, entry in self._entries.items() if _in_scope(key, start, scope)]
            return [_shown(entry, attributes, rights) for entry in inside if match(entry.values)]

    def modify(self, caller: Caller, dn: str, operations: Sequence[Operation]) -> None:
        """One atomic modify.

        Raises:
            DirectoryFault: as a domain controller answers; nothing has changed then.
        """
        with self._lock:
            rights = self._changing(caller)
            entry = self._find(dn)
            self._check_write(rights, dn)
            changed = {name: list(values) for name, values in entry.attributes.items()}
            for kind, name, values in operations:
                _apply(changed, kind, _writable(name), values)
            entry.attributes = {name: values for name, values in changed.items() if values}
            self._stamp(entry)

    def add(self, caller: Caller, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> None:
        """A new object.

        Raises:
            DirectoryFault: as a domain controller answers.
        """
        with self._lock:
            rights = self._changing(caller)
            key = self._key(dn)
            if key[1:] not in self._entries:
                raise diagnostics.no_object(self._best_match(key))
            self._check_write(rights, dn)
            if key in self._entries:
                raise diagnostics.object_exists()
            made: Attributes = {}
            for name, values in attributes.items():
                _apply(made, "add", _settable(name), values)
            self._create(dn, made)

    def delete(self, caller: Caller, dn: str) -> None:
        """Remove an object without children.

        Raises:
            DirectoryFault: as a domain controller answers.
        """
        with self._lock:
            rights = self._changing(caller)
            self._find(dn)
            self._check_write(rights, dn)
            key = self._key(dn)
            if any(len(other) > len(key) and other[-len(key) :] == key for other in self._entries):
                raise diagnostics.has_children()
            del self._entries[key]

    def _bound(self, caller: Caller) -> bool:
        """Whether a caller is an administrator. Raises DirectoryFault for one that is nobody."""
        if not caller.user:
            raise diagnostics.not_bound()
        if caller == self.administrator:
            return True
        name = bare_name(caller.user).casefold()
        if self._accounts is not None and self._accounts.get(name) != caller.password:
            raise diagnostics.wrong_password()
        return name in self._administrators

    def _changing(self, caller: Caller) -> bool:
        rights = self._bound(caller)
        if self.before_change and caller != self.administrator:
            hook, self.before_change = self.before_change, None
            hook()
        return rights

    def _check_write(self, rights: bool, dn: str) -> None:
        inner = self._key(dn)
        outer = names.key(self._services)
        if not rights or len(inner) <= len(outer) or inner[-len(outer) :] != outer:
            raise diagnostics.denied()

    def _key(self, dn: str) -> names.Key:
        try:
            return names.key(dn)
        except names.NameFault as exc:
            raise diagnostics.bad_name(dn) from exc

    def _find(self, dn: str) -> _Entry:
        key = self._key(dn)
        if key not in self._entries:
            raise diagnostics.no_object(self._best_match(key))
        return self._entries[key]

    def _best_match(self, key: names.Key) -> str:
        while key and key not in self._entries:
            key = key[1:]
        return self._entries[key].dn if key else ""

    def _create(self, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> None:
        pairs = names.parts(dn)
        parent = self._entries.get(names.key(names.join(pairs[1:])))
        dn = f"{names.rdn(*pairs[0])},{parent.dn}" if parent else names.join(pairs)
        classes = [value.decode("utf-8", "replace") for value in attributes.get("objectClass", ())]
        category = schema.CLASSES.get(classes[-1].lower()) if classes else None
        if category is None:
            raise diagnostics.wrong_class()
        naming, value = pairs[0][0].lower(), pairs[0][1]
        if any(one.decode("utf-8", "replace") != value for one in attributes.get(naming, ())):
            raise diagnostics.wrong_naming_value()
        made: Attributes = {
            "objectClass": [one.encode() for one in (classes if "top" in classes else ["top", *classes])],
            naming: [value.encode()],
            "distinguishedName": [dn.encode()],
            "instanceType": [b"4"],
            "whenCreated": [_now()],
            "name": [value.encode()],
            "objectGUID": [uuid.uuid5(uuid.NAMESPACE_X500, f"{dn}/{self._counter}").bytes_le],
            "objectCategory": [f"CN={category},CN=Schema,{self.configuration}".encode()],
            "nTSecurityDescriptor": [descriptors.template_descriptor(DOMAIN_SID, ())],
        }
        given = {name: list(values) for name, values in attributes.items() if name not in _FIXED}
        entry = _Entry(dn, {**made, **given})
        self._stamp(entry)
        entry.attributes["uSNCreated"] = list(entry.attributes["uSNChanged"])
        self._entries[names.key(dn)] = entry

    def _stamp(self, entry: _Entry) -> None:
        self._counter += 1
        entry.attributes["whenChanged"] = [_now()]
        entry.attributes["uSNChanged"] = [str(self._counter).encode()]

    def _root_dse(self, attributes: Sequence[str] | None) -> Object:
        schema_context = f"CN=Schema,{self.configuration}"
        held = {
            "defaultNamingContext": [self.root],
            "rootDomainNamingContext": [self.root],
            "configurationNamingContext": [self.configuration],
            "schemaNamingContext": [schema_context],
            "namingContexts": [self.root, self.configuration, schema_context],
            "dnsHostName": [self.server],
            "supportedLDAPVersion": ["3", "2"],
        }
        wanted = None if attributes is None or "*" in attributes else {name.lower() for name in attributes}
        shown = {
            name: [value.encode() for value in values]
            for name, values in held.items()
            if wanted is None or name.lower() in wanted
        }
        return Object("", shown)


def _now() -> bytes:
    return datetime.now(timezone.utc).strftime("%Y%m%d%H%M%S.0Z").encode()


def _in_scope(key: names.Key, start: names.Key, scope: str) -> bool:
    if scope == "base":
        return key == start
    below = len(key) - len(start)
    return key[below:] == start and (below == 1 if scope == "one" else below >= 0)


def _shown(entry: _Entry, attributes: Sequence[str] | None, rights: bool) -> Object:
    every = attributes is None or "*" in attributes
    wanted = {name.lower() for name in attributes or ()}
    shown = {}
    for name, values in entry.attributes.items():
        secret = name == "nTSecurityDescriptor"
        if (name.lower() in wanted or (every and not secret)) and (rights or not secret):
            shown[name] = list(values)
    return Object(entry.dn, shown)


def _writable(name: str) -> schema.Attribute:
    """An attribute that a modify may change."""
    known = schema.attribute(name)
    if known is None:
        raise diagnostics.unknown_attribute()
    if known.name in ("cn", "dc"):
        raise diagnostics.naming_attribute(known.name)
    if known.system or known.name == "objectClass":
        raise diagnostics.system_only(known.name)
    return known


def _settable(name: str) -> schema.Attribute:
    """An attribute that a new object may be given. What an export holds of ``distinguishedName``, ``instanceType`` and
    ``name`` is taken (such files are imported in practice), other attributes of the system are refused.
    """
    known = schema.attribute(name)
    if known is None:
        raise diagnostics.unknown_attribute()
    if known.system and known.name not in _FIXED:
        raise diagnostics.system_only(known.name)
    return known


def _apply(held: Attributes, kind: str, known: schema.Attribute, values: Sequence[bytes]) -> None:
    """One part of a modify; ``held`` is changed."""
    if not all(known.fits(value) for value in values):
        raise diagnostics.wrong_syntax()
    matched = [known.matched(value) for value in values]
    present = held.get(known.name, [])
    if kind == "delete":
        if not present:
            raise diagnostics.missing_attribute(known.name)
        left = [value for value in present if values and known.matched(value) not in matched]
        if values and len(left) != len(present) - len(values):
            raise diagnostics.missing_value(known.name)
        held[known.name] = left
        return
    if kind == "replace":
        present = []
    if len(set(matched)) != len(matched) or {known.matched(value) for value in present} & set(matched):
        raise diagnostics.present_value(known.name)
    if known.single and len(values) > 1:
        raise diagnostics.several_values(known.name)
    if known.single and present and values:
        raise diagnostics.single_value(known.name)
    held[known.name] = [*present, *values]
