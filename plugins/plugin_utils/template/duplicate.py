# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new template for legacy providers that supersedes one for key storage providers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from ..directory.change import Add
from ..directory.entry import Entry
from ..directory.naming import rdn
from . import schema
from .descriptor import permissions_alone
from .flags import IS_DEFAULT, IS_MODIFIED, signed
from .forest import Forest
from .plan import AttributeChange, changed_entry, legacy_changes, refuse_bound_keys
from .state import TemplateState, template_of
from .wanted import TemplateError, Wanted, writable

FIRST_REVISION = (100, 2)
"""What a duplicate starts with that the Certificate Templates console makes: 100.2 in dumps of such templates."""

_LONGEST_NAME = 64
_LONGEST_DISPLAY_NAME = 256
"""rangeUpper of the attributes cn and displayName (MS-ADA1)."""


@dataclass(frozen=True)
class Duplicate:
    """A new template, not yet in the directory."""

    source: TemplateState
    state: TemplateState
    adds: tuple[Add, ...]
    """The registration of its OID, unless it is there, then the template."""
    notes: tuple[str, ...]


def new_name_of(source: TemplateState, wanted: Wanted) -> str:
    """The common name of the duplicate.

    Raises:
        TemplateError: it cannot be one, or is that of the source.
    """
    name = (wanted.new_name or f"{source.name}LegacyCSP").strip()
    if not name or not writable(name) or len(name) > _LONGEST_NAME or name.casefold() == source.name.casefold():
        raise TemplateError(
            f"{name!r} cannot be the name of the new template.",
            place="option 'new_name'",
            remedy=f"Give 1 to {_LONGEST_NAME} characters, other than the name of the template it supersedes.",
        )
    return name


def plan_duplicate(forest: Forest, source: TemplateState, wanted: Wanted) -> Duplicate:
    """The duplicate of a template as schema 2 or 4 for legacy providers: its ACL copied, its OID its own.

    The OID is derived from the forest's arc and the new name, so that a run that was cut off half way finds what it
    has made already.

    Raises:
        TemplateError: the ACL or an object of the new name cannot be read, the forest has no arc of its own, a name
            cannot be used, or the keys are those of a TPM.
    """
    name = new_name_of(source, wanted)
    display_name = _display_name(forest, source, wanted)
    forest.refuse_unreadable(name)
    refuse_bound_keys(source)
    descriptor = source.entry.value(schema.SECURITY_DESCRIPTOR)
    if descriptor is None:
        raise TemplateError(
            f"The permissions of the template {source.name!r} cannot be read, so they cannot be copied to a duplicate.",
            place=source.dn,
            remedy="Use an account that may read them; over WinRM that is an administrator of the domain controller.",
        )
    if forest.oid_root is None:
        raise TemplateError(
            "The forest has no object identifier of its own, which a new template needs.",
            place=forest.oid_container,
            remedy="Open the Certificate Templates console once as Enterprise Admin: it makes one.",
        )
    oid, registration = _object_identifier(forest, name)
    dn = f"{rdn('CN', name)},{forest.templates_container}"
    copied = _copied(source)
    entry = Entry(
        dn,
        {
            **copied,
            "objectClass": (b"top", schema.TEMPLATE_CLASS.encode()),
            "cn": (name.encode(),),
            "displayName": (display_name.encode(),),
            schema.TEMPLATE_OID: (oid.encode(),),
            schema.MAJOR_REVISION: (str(FIRST_REVISION[0]).encode(),),
            schema.MINOR_REVISION: (str(FIRST_REVISION[1]).encode(),),
            schema.SUPERSEDES: (source.name.encode(),),
            schema.SCHEMA_VERSION: (str(source.schema_version).encode(),),
        },
    )
    changes, notes = legacy_changes(template_of(entry), wanted, wanted.new_schema_version)
    permissions = AttributeChange(schema.SECURITY_DESCRIPTOR, (), (permissions_alone(descriptor),), "")
    outcome = changed_entry(entry, (*changes, permissions))
    adds = [Add(dn, tuple(sorted(outcome.attributes.items(), key=lambda pair: pair[0] != "objectClass")))]
    if oid not in forest.oids:
        adds.insert(0, Add(f"{rdn('CN', registration)},{forest.oid_container}", _registration(oid, display_name)))
    superseding = (
        f"The new template supersedes {source.name!r}: once a CA offers it, autoenrolment replaces the certificates of "
        "all holders who may autoenrol."
    )
    return Duplicate(source, template_of(outcome), tuple(adds), (superseding, *notes))


def _display_name(forest: Forest, source: TemplateState, wanted: Wanted) -> str:
    name = (wanted.new_display_name or "").strip() or f"{source.display_name or source.name} (legacy CSP)"
    if not writable(name) or len(name) > _LONGEST_DISPLAY_NAME:
        raise TemplateError(
            f"{name!r} cannot be the display name of the new template.",
            place="option 'new_display_name'",
            remedy=f"Give 1 to {_LONGEST_DISPLAY_NAME} characters.",
        )
    same = next((state for state in forest.templates if (state.display_name or "").casefold() == name.casefold()), None)
    if same:
        raise TemplateError(
            f"The template {same.name!r} has the display name {name!r} already; people could not tell the two apart.",
            place="option 'new_display_name'",
            remedy="Give another.",
        )
    return name


def _copied(source: TemplateState) -> Mapping[str, tuple[bytes, ...]]:
    copied = {name: source.entry.values(name) for name in schema.COPIED if source.entry.values(name)}
    # IS_DEFAULT is for what Windows installs, IS_MODIFIED for what an administrator made (certca.h).
    copied[schema.GENERAL_FLAGS] = (str(signed(source.general_flags & ~IS_DEFAULT | IS_MODIFIED)).encode(),)
    # The console writes both attributes of the key's purposes together; an absent one follows the other.
    usages = copied.get(schema.EXTENDED_KEY_USAGE) or copied.get(schema.APPLICATION_POLICY)
    if usages:
        copied.setdefault(schema.EXTENDED_KEY_USAGE, usages)
        copied.setdefault(schema.APPLICATION_POLICY, usages)
    return copied


def _registration(oid: str, display_name: str) -> tuple[tuple[str, tuple[bytes, ...]], ...]:
    return (
        ("objectClass", (b"top", schema.OID_CLASS.encode())),
        ("flags", (b"1",)),
        ("displayName", (display_name.encode(),)),
        (schema.TEMPLATE_OID, (oid.encode(),)),
    )


def _object_identifier(forest: Forest, name: str) -> tuple[str, str]:
    """An OID below the forest's arc that no other template has, and the name of the object that registers it."""
    taken = {state.oid for state in forest.templates}
    for attempt in range(16):
        digest = hashlib.sha256(f"{forest.oid_root}/{name.casefold()}/{attempt}".encode()).digest()
        first, second = int.from_bytes(digest[:3], "big"), int.from_bytes(digest[3:6], "big")
        oid = f"{forest.oid_root}.{first}.{second}"
        if oid not in taken:
            return oid, f"{second}.{digest[6:22].hex().upper()}"
    raise TemplateError(
        f"No free object identifier was found for the template {name!r}.",
        place=forest.oid_container,
        remedy="Give another new_name.",
    )
