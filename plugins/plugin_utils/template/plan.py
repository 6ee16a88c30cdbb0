# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the state of a template and the wanted one to the least that has to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..directory.change import Modify, replaced
from ..directory.entry import Entry
from ..providers.catalogue import lookup
from . import schema
from .flags import (
    ATTESTATION,
    EXPORTABLE_KEY,
    HELLO,
    MINIMUM_CA,
    MINIMUM_CLIENT,
    PRIVATE_KEY_FLAGS,
    REQUIRE_ALTERNATE_SIGNATURE_ALGORITHM,
    REQUIRE_SAME_KEY_RENEWAL,
    USE_LEGACY_PROVIDER,
    flag_names,
    minimum_client,
    signed,
)
from .state import TemplateState
from .wanted import SMALLEST_KEY, TemplateError, Wanted

LARGEST_REVISION = 0x7FFFFFFF

_CA_2012 = 0x00040000
_CLIENT_8 = 0x04000000
_KEY_ENCIPHERMENT = 0x20
_KEY_AGREEMENT = 0x08
"""Bits of the first byte of pKIKeyUsage, as in the certificate extension (RFC 5280, 4.2.1.3)."""
_DEFAULT_RSA_SIZE = 2048


@dataclass(frozen=True)
class AttributeChange:
    """One attribute that has to change, and why."""

    attribute: str
    old: tuple[bytes, ...]
    new: tuple[bytes, ...]
    reason: str


@dataclass(frozen=True)
class Plan:
    """What has to be done to one template that exists; nothing when ``changes`` is empty."""

    state: TemplateState
    changes: tuple[AttributeChange, ...]
    notes: tuple[str, ...]
    """What the change costs and what it does not reach, each a sentence."""

    @property
    def modify(self) -> Modify:
        """The changes as one atomic operation; the old values are its optimistic lock."""
        return Modify(
            self.state.dn,
            tuple(replaced(change.attribute, change.old, change.new) for change in self.changes),
        )

    @property
    def outcome(self) -> Entry:
        """The object as it is to be afterwards."""
        return changed_entry(self.state.entry, self.changes)


def changed_entry(entry: Entry, changes: Sequence[AttributeChange]) -> Entry:
    """An object with some of its attributes changed."""
    names = {change.attribute.casefold() for change in changes}
    kept = {name: values for name, values in entry.attributes.items() if name.casefold() not in names}
    return Entry(entry.dn, {**kept, **{change.attribute: change.new for change in changes if change.new}})


def plan_template(state: TemplateState, wanted: Wanted) -> Plan:
    """The least change that makes a template one for legacy providers, in place.

    Schema 4 gets USE_LEGACY_PROVIDER and schema 3 becomes 2, when that is asked for; schema 2 is for legacy providers
    as it is (CTPKIsCNGTemplate, certca.h). The list of providers, the key specification and what only CNG providers
    understand follow. Everything else stays.

    Raises:
        TemplateError: the template may not or cannot be changed so; says what to do instead.
    """
    if state.schema_version == 1:
        return _plan_schema_1(state, wanted)
    version = _new_schema_version(state, wanted)
    changes, notes = legacy_changes(state, wanted, version)
    if not changes:
        return Plan(state, (), notes)
    _refuse_bound_keys(state)
    return Plan(state, (*changes, *_revised(state, wanted)), notes)


def legacy_changes(
    state: TemplateState, wanted: Wanted, version: int
) -> tuple[tuple[AttributeChange, ...], tuple[str, ...]]:
    """What has to change, but for the revision, for a legacy template of a schema version; with notes."""
    changes: list[AttributeChange] = []

    def change(attribute: str, new: Sequence[bytes], reason: str) -> None:
        old = state.entry.values(attribute)
        if tuple(new) != old:
            changes.append(AttributeChange(attribute, old, tuple(new), reason))

    flags, reasons = _private_key_flags(state, wanted, version)
    if reasons:
        change(schema.PRIVATE_KEY_FLAG, [_number(flags)], " ".join(reasons))
    if tuple(map(str.casefold, state.providers)) != tuple(map(str.casefold, wanted.providers)):
        change(
            schema.DEFAULT_CSPS,
            [f"{place},{name}".encode() for place, name in enumerate(wanted.providers, 1)],
            "Clients use exactly these providers, in this order (MS-CRTD 2.8).",
        )
    if state.issuance.has_properties:
        change(
            schema.RA_APPLICATION_POLICIES,
            [oid.encode() for oid in state.issuance.oids],
            "Properties of CNG keys have no place in a legacy template: the CA would take them for an OID "
            "(MS-CRTD 2.23). Policies that were among them stay.",
        )
    if state.key_spec != 1 and any(_is_schannel(name) for name in wanted.providers):
        change(
            schema.DEFAULT_KEY_SPEC,
            [b"1"],
            "SChannel providers have no AT_SIGNATURE keys (MS-WCCE 3.1.2.4.2.2.1.6).",
        )
    size, reason = _key_size(state, wanted)
    if size is not None:
        change(schema.MINIMAL_KEY_SIZE, [_number(size)], reason)
    usage = _key_usage(state)
    if usage is not None:
        change(schema.KEY_USAGE, [usage], "RSA keys encipher keys; they do not agree on them (RFC 3279, 2.3.1).")
    if version != state.schema_version:
        change(
            schema.SCHEMA_VERSION,
            [_number(version)],
            f"Schema {state.schema_version} is for key storage providers only (CTPKIsCNGTemplate, certca.h).",
        )
    return tuple(changes), _notes(state, wanted)


def _plan_schema_1(state: TemplateState, wanted: Wanted) -> Plan:
    """Schema 1 is for legacy providers always and cannot be edited: it is accepted as it is, or refused."""
    given = tuple(map(str.casefold, state.providers))
    exportable = bool(state.private_key_flags & EXPORTABLE_KEY)
    wrong = []
    if given[: len(wanted.providers)] != tuple(map(str.casefold, wanted.providers)):
        wrong.append(f"its providers are {', '.join(state.providers) or 'any legacy provider'}")
    if wanted.minimum_key_size not in (None, state.minimum_key_size):
        wrong.append(f"its smallest key has {state.minimum_key_size} bits")
    if wanted.exportable not in (None, exportable):
        wrong.append(f"its keys are {'exportable' if exportable else 'not exportable'}")
    if wrong:
        raise TemplateError(
            f"The template {state.name!r} has schema version 1, which cannot be edited (certca.h, CT_FLAG_IS_DEFAULT), "
            f"and it is not as asked: {'; '.join(wrong)}.",
            place=state.dn,
            remedy="Duplicate it in the Certificate Templates console (compatibility Windows Server 2003 gives schema "
            "version 2), then name the duplicate here.",
        )
    notes = ["The template has schema version 1: it is for legacy providers always and cannot be edited."]
    if further := state.providers[len(wanted.providers) :]:
        notes.append(f"It also allows {', '.join(further)}, after the wanted ones; that cannot be taken away.")
    return Plan(state, (), tuple(notes))


def _new_schema_version(state: TemplateState, wanted: Wanted) -> int:
    if state.schema_version in (2, 4):
        return state.schema_version
    if state.schema_version != 3:
        raise TemplateError(
            f"The template {state.name!r} has the schema version {state.schema_version}, which nobody documents.",
            place=state.dn,
            remedy="Change it in the Certificate Templates console.",
        )
    if wanted.schema_3 == "downgrade":
        return 2
    raise TemplateError(
        f"The template {state.name!r} has schema version 3, which is for key storage providers only: it cannot be made "
        "one for legacy providers as it is.",
        place=state.dn,
        remedy="With schema_3=supersede a duplicate of schema 2 or 4 is made that supersedes it, and the template "
        "stays as it is (recommended). With schema_3=downgrade the template itself becomes schema 2.",
    )


def _refuse_bound_keys(state: TemplateState) -> None:
    bound = state.private_key_flags & (ATTESTATION | HELLO)
    if bound and state.schema_version >= 3:
        raise TemplateError(
            f"The template {state.name!r} asks for keys in a TPM or of Windows Hello "
            f"({', '.join(flag_names(bound, PRIVATE_KEY_FLAGS))}), which no legacy provider can give.",
            place=state.dn,
            remedy="Use another template for the product, or have the owner of this one turn attestation off first.",
        )


def _private_key_flags(state: TemplateState, wanted: Wanted, version: int) -> tuple[int, list[str]]:
    flags = state.private_key_flags
    reasons = []
    if version >= 4 and not flags & USE_LEGACY_PROVIDER:
        flags |= USE_LEGACY_PROVIDER
        reasons.append("USE_LEGACY_PROVIDER makes clients take a legacy provider (certca.h).")
    if state.schema_version < 4 <= version:
        raised = max(flags & MINIMUM_CA, _CA_2012) | max(flags & MINIMUM_CLIENT, _CLIENT_8)
        flags = flags & ~(MINIMUM_CA | MINIMUM_CLIENT) | raised
        reasons.append("Schema 4 needs a CA of Windows Server 2012 and clients of Windows 8 (MS-CRTD 2.27).")
    if state.schema_version >= 3 and flags & REQUIRE_ALTERNATE_SIGNATURE_ALGORITHM:
        flags &= ~REQUIRE_ALTERNATE_SIGNATURE_ALGORITHM
        reasons.append("Legacy providers do not make the alternate signature format (MS-CRTD 2.27).")
    if wanted.exportable is not None and wanted.exportable != bool(flags & EXPORTABLE_KEY):
        flags = flags | EXPORTABLE_KEY if wanted.exportable else flags & ~EXPORTABLE_KEY
        reasons.append(f"Keys are to be {'exportable' if wanted.exportable else 'not exportable'}.")
    return signed(flags), reasons


def _key_size(state: TemplateState, wanted: Wanted) -> tuple[int | None, str]:
    if wanted.minimum_key_size is not None:
        return wanted.minimum_key_size, "As asked."
    if state.minimum_key_size is None:
        return None, ""
    if _is_elliptic(state) or state.minimum_key_size < SMALLEST_KEY:
        return _DEFAULT_RSA_SIZE, f"{state.minimum_key_size} bits ({state.algorithm}) is no size of an RSA key."
    return None, ""


def _key_usage(state: TemplateState) -> bytes | None:
    if not _is_elliptic(state) or not state.key_usage or not state.key_usage[0] & _KEY_AGREEMENT:
        return None
    first = state.key_usage[0] & ~_KEY_AGREEMENT | _KEY_ENCIPHERMENT
    return bytes([first]) + state.key_usage[1:]


def _revised(state: TemplateState, wanted: Wanted) -> tuple[AttributeChange, ...]:
    """The revision that follows: minor plus one as after any edit, major plus one to have all holders enrol again."""
    major, minor = state.entry.values(schema.MAJOR_REVISION), state.entry.values(schema.MINOR_REVISION)
    attribute = schema.MAJOR_REVISION if wanted.reenroll_holders else schema.MINOR_REVISION
    number = state.major_revision if wanted.reenroll_holders else state.minor_revision
    if number >= LARGEST_REVISION:
        raise TemplateError(
            f"The attribute {attribute} is {number} and cannot be raised.", place=state.dn, remedy="Correct the value."
        )
    if not wanted.reenroll_holders:
        return (
            AttributeChange(
                schema.MINOR_REVISION, minor, (_number(number + 1),), "Every edit raises the minor revision."
            ),
        )
    raised = AttributeChange(
        schema.MAJOR_REVISION,
        major,
        (_number(number + 1),),
        "Autoenrolment replaces the certificates of all holders when the major revision rises.",
    )
    if minor == (b"0",):
        # Nothing to take back, and the value stays the lock against other edits.
        return (raised, AttributeChange(schema.MINOR_REVISION, minor, minor, "The minor revision starts at 0 again."))
    return (
        raised,
        AttributeChange(schema.MINOR_REVISION, minor, (b"0",), "The minor revision starts at 0 again."),
    )


def _notes(state: TemplateState, wanted: Wanted) -> tuple[str, ...]:
    notes = []
    lost = {
        "msPKI-Key-Security-Descriptor": "the permissions that new keys were given",
        "msPKI-Hash-Algorithm": "the hash that requests were signed with",
        "msPKI-Symmetric-Algorithm": "the symmetric algorithm of key archival",
    }
    for name, meaning in lost.items():
        if name in state.issuance.properties:
            notes.append(f"{meaning[0].upper()}{meaning[1:]} is lost: {name} was {state.issuance.properties[name]!r}.")
    if state.private_key_flags & REQUIRE_SAME_KEY_RENEWAL and state.schema_version >= 4 and state.category == "ksp":
        notes.append(
            "The template demands renewal with the same key (REQUIRE_SAME_KEY_RENEWAL): renewed certificates keep "
            "their key in the key storage provider. Have the holders enrol for a new certificate."
        )
    if _is_elliptic(state):
        notes.append(f"Keys were {state.algorithm} of {state.minimum_key_size} bits; legacy SChannel keys are RSA.")
        if state.key_usage and not state.key_usage[0] & (_KEY_ENCIPHERMENT | _KEY_AGREEMENT):
            notes.append("The key usage has no key encipherment, which TLS with RSA key exchange needs; it stays so.")
    if client := minimum_client(state.private_key_flags):
        notes.append(
            f"By its compatibility settings only {client} and later enrol by the template; they stay as they are."
        )
    return tuple(notes)


def _is_elliptic(state: TemplateState) -> bool:
    """Whether keys were elliptic curve or DSA ones: by the algorithm, else by a size that only curves have."""
    return state.algorithm != "RSA" or state.minimum_key_size in (256, 384, 521)


def _is_schannel(name: str) -> bool:
    known = lookup(name)
    return bool(known and known.schannel)


def _number(value: int) -> bytes:
    return str(value).encode("ascii")
