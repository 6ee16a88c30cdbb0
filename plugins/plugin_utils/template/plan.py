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
    IS_DEFAULT,
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
    _refuse_new_name(state, wanted)
    changes, notes = legacy_changes(state, wanted, version)
    if not changes:
        return Plan(state, (), notes)
    refuse_bound_keys(state)
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
    if not _lists(state, wanted.providers):
        change(
            schema.DEFAULT_CSPS,
            [f"{place},{name}".encode() for place, name in enumerate(wanted.providers, 1)],
            "Clients use exactly these providers, in this order (MS-CRTD 2.8).",
        )
    if state.issuance.has_properties:
        _refuse_unread_policies(state)
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
    return tuple(changes), _notes(state, wanted, flags)


def _plan_schema_1(state: TemplateState, wanted: Wanted) -> Plan:
    """Schema 1 is for legacy providers always and cannot be edited: it is accepted as it is, or refused."""
    given = tuple(map(str.casefold, state.providers))
    exportable = bool(state.private_key_flags & EXPORTABLE_KEY)
    wrong = []
    if given[: len(wanted.providers)] != tuple(map(str.casefold, wanted.providers)):
        wrong.append(f"it allows {', '.join(state.providers) or 'any legacy provider'}")
    if state.key_spec not in (None, 1) and any(_is_schannel(name) for name in wanted.providers):
        wrong.append(f"its key specification is {state.key_spec}, which SChannel providers do not have")
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


def _refuse_new_name(state: TemplateState, wanted: Wanted) -> None:
    """Who names a new template expects that this one stays as it is."""
    if wanted.new_name and wanted.new_name.strip().casefold() != state.name.casefold():
        raise TemplateError(
            f"The template {state.name!r} (schema version {state.schema_version}) would be changed itself: a new "
            f"one, such as {wanted.new_name!r}, is made only from schema version 3, with schema_3=supersede.",
            place="option 'new_name'",
            remedy="Leave new_name out to change the template itself. To keep it as it is, duplicate it in the "
            "Certificate Templates console and name the duplicate here.",
        )


def refuse_bound_keys(state: TemplateState) -> None:
    """Refuse a template for keys that only a TPM or Windows Hello can give.

    Raises:
        TemplateError: it is one.
    """
    bound = state.private_key_flags & (ATTESTATION | HELLO)
    if bound and state.schema_version >= 2:
        raise TemplateError(
            f"The template {state.name!r} asks for keys in a TPM or of Windows Hello "
            f"({', '.join(flag_names(bound, PRIVATE_KEY_FLAGS))}), which no legacy provider can give.",
            place=state.dn,
            remedy="Use another template for the product, or have the owner of this one turn attestation off first.",
        )


def _refuse_unread_policies(state: TemplateState) -> None:
    """What a signature on a request must carry is taken over whole or not at all: less would let in more."""
    if state.signatures_required > 0 and state.issuance.notes:
        raise TemplateError(
            f"Requests by the template {state.name!r} must be signed, and what {schema.RA_APPLICATION_POLICIES} "
            f"demands of the signature cannot be read for certain: {' '.join(state.issuance.notes)}",
            place=state.dn,
            remedy="Set the issuance requirements anew in the Certificate Templates console.",
        )


def _lists(state: TemplateState, providers: Sequence[str]) -> bool:
    """Whether a template lists these providers in this order, beyond doubt."""
    return state.providers_clear and [*map(str.casefold, state.providers)] == [*map(str.casefold, providers)]


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
    smallest = _DEFAULT_RSA_SIZE if _is_elliptic(state) else SMALLEST_KEY
    if state.minimum_key_size < smallest:
        meant = "was meant for another algorithm" if _is_elliptic(state) else "is too small for an RSA key"
        return _DEFAULT_RSA_SIZE, f"{state.minimum_key_size} bits ({state.algorithm}) {meant}."
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


def _notes(state: TemplateState, wanted: Wanted, new_flags: int) -> tuple[str, ...]:
    notes = []
    lost = {
        "msPKI-Key-Security-Descriptor": "The permissions that new keys were given are",
        "msPKI-Hash-Algorithm": "The hash that clients sign their requests with (certificates have that of the CA) is",
        "msPKI-Symmetric-Algorithm": "The symmetric algorithm of key archival is",
    }
    for name, meaning in lost.items():
        if name in state.issuance.properties:
            notes.append(f"{meaning} no longer set by the template: {name} was {state.issuance.properties[name]!r}.")
    if state.private_key_flags & REQUIRE_SAME_KEY_RENEWAL and state.schema_version >= 4 and state.category == "ksp":
        notes.append(
            "The template demands renewal with the same key (REQUIRE_SAME_KEY_RENEWAL): renewed certificates keep "
            "their key in the key storage provider. Have the holders enrol for a new certificate."
        )
    if wanted.minimum_key_size and wanted.minimum_key_size < (state.minimum_key_size or 0):
        notes.append(
            f"The smallest key goes down from {state.minimum_key_size} to {wanted.minimum_key_size} bits, as asked."
        )
    if _is_elliptic(state):
        notes.append(f"Keys were {state.algorithm} of {state.minimum_key_size} bits; legacy SChannel keys are RSA.")
        if state.key_usage and not state.key_usage[0] & (_KEY_ENCIPHERMENT | _KEY_AGREEMENT):
            notes.append("The key usage has no key encipherment, which TLS with RSA key exchange needs; it stays so.")
    if state.general_flags & IS_DEFAULT and state.schema_version > 1:
        notes.append(
            "The template is one that Windows installs (IS_DEFAULT). Such templates should not be modified "
            "(MS-CRTD 2.4): a duplicate of it is the better place for changes."
        )
    if client := minimum_client(new_flags):
        kept = client == minimum_client(state.private_key_flags)
        notes.append(
            f"By its compatibility settings only {client} and later enrol by the template; "
            f"{'they stay as they are' if kept else 'schema version 4 asks for that'}."
        )
    return tuple(notes)


def _is_elliptic(state: TemplateState) -> bool:
    """Whether keys were elliptic curve or DSA ones: by the algorithm, else by a size that only curves have."""
    return state.algorithm.upper() != "RSA" or state.minimum_key_size in (256, 384, 521)


def _is_schannel(name: str) -> bool:
    known = lookup(name)
    return bool(known and known.schannel)


def _number(value: int) -> bytes:
    return str(value).encode("ascii")
