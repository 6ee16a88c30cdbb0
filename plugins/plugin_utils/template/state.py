# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a certificate template: what its attributes say about the key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ..directory.entry import Entry
from ..directory.errors import DirectoryError
from ..providers.catalogue import KSP_NAME_ENDING, lookup
from . import flags, schema
from .policies import ASYMMETRIC_ALGORITHM, IssuancePolicies, parse
from .wanted import RSA_SCHANNEL

Category = Literal["csp", "ksp"]
Label = Literal["legacy-pinned", "legacy-listed", "legacy-any", "ksp-listed", "ksp-any"]

CATEGORY_TEXTS: dict[Category, str] = {
    "csp": "legacy cryptographic service provider",
    "ksp": "key storage provider",
}
"""What the Certificate Templates console calls the categories."""


@dataclass(frozen=True)
class TemplateState:
    """A template as the directory holds it. Numbers are signed 32-bit, as the directory keeps them."""

    entry: Entry
    name: str
    """The common name (cn), by which CAs publish it."""
    display_name: str | None
    oid: str | None
    """msPKI-Cert-Template-OID; templates of schema version 1 may have none."""
    schema_version: int
    category: Category
    """By CTPKIsCNGTemplate (certca.h): KSP for schema 3, and for 4 and later without USE_LEGACY_PROVIDER."""
    providers: tuple[str, ...]
    """Names in the order of their priority."""
    providers_clear: bool
    """Whether the list can be read in one way only: each value ``N,Name``, no N twice."""
    inconsistencies: tuple[str, ...]
    """What contradicts itself, each a sentence: names of the other kind, unreadable values, left-over properties."""
    consistent: bool
    """False when the list holds a provider that is known, or presumed by its name, to be of the other kind: clients
    are not expected to be able to enrol."""
    key_spec: int | None
    minimum_key_size: int | None
    algorithm: str
    """``RSA`` unless the properties of a KSP template name another, such as ``ECDH_P256`` or ``DSA``."""
    key_usage: bytes
    private_key_flags: int
    enrollment_flags: int
    name_flags: int
    general_flags: int
    major_revision: int
    minor_revision: int
    extended_key_usage: tuple[str, ...]
    application_policies: tuple[str, ...]
    issuance: IssuancePolicies
    """msPKI-RA-Application-Policies, whichever of its two syntaxes."""
    signatures_required: int
    supersedes: tuple[str, ...]

    @property
    def dn(self) -> str:
        """The distinguished name."""
        return self.entry.dn

    @property
    def any_provider(self) -> bool:
        """Whether the template lists no provider, and so allows any of its category."""
        return not self.providers

    @property
    def label(self) -> Label:
        """The state in one word; ``legacy-pinned`` has Microsoft RSA SChannel Cryptographic Provider alone."""
        if self.category == "ksp":
            return "ksp-any" if self.any_provider else "ksp-listed"
        if self.any_provider:
            return "legacy-any"
        pinned = [name.casefold() for name in self.providers] == [RSA_SCHANNEL.casefold()]
        return "legacy-pinned" if pinned else "legacy-listed"

    @property
    def purposes(self) -> tuple[str, ...]:
        """The OIDs of pKIExtendedKeyUsage and of msPKI-Certificate-Application-Policy; none stands for any purpose."""
        return tuple(dict.fromkeys((*self.extended_key_usage, *self.application_policies)))

    @property
    def is_attested(self) -> bool:
        """Whether a flag asks for the attestation of the key by a TPM."""
        return bool(self.private_key_flags & flags.ATTESTATION)

    @property
    def is_hello(self) -> bool:
        """Whether a flag asks for a key of Windows Hello."""
        return bool(self.private_key_flags & flags.HELLO)

    @property
    def enrollee_supplies_subject(self) -> bool:
        """Whether the subject or the alternative names come from the request (MS-CRTD 2.28)."""
        supplied = flags.ENROLLEE_SUPPLIES_SUBJECT | flags.ENROLLEE_SUPPLIES_SUBJECT_ALT_NAME
        return bool(self.name_flags & supplied)

    @property
    def requires_approval(self) -> bool:
        """Whether a CA manager approves every request (MS-CRTD 2.26)."""
        return bool(self.enrollment_flags & flags.PEND_ALL_REQUESTS)

    def as_dict(self) -> dict[str, Any]:
        """The template as results show it."""
        private_key_flags = {
            **flags.describe(self.private_key_flags, flags.PRIVATE_KEY_FLAGS),
            "minimum_ca": flags.minimum_ca(self.private_key_flags),
            "minimum_client": flags.minimum_client(self.private_key_flags),
        }
        return {
            "name": self.name,
            "display_name": self.display_name,
            "dn": self.dn,
            "oid": self.oid,
            "schema_version": self.schema_version,
            "category": self.category,
            "providers": list(self.providers),
            "any_provider": self.any_provider,
            "consistent": self.consistent,
            "inconsistencies": list(self.inconsistencies),
            "key_spec": self.key_spec,
            "minimum_key_size": self.minimum_key_size,
            "key_algorithm": self.algorithm,
            "key_usage": list(flags.key_usage_names(self.key_usage)),
            "private_key_flags": private_key_flags,
            "enrollment_flags": flags.describe(self.enrollment_flags, flags.ENROLLMENT_FLAGS),
            "subject_name_flags": flags.describe(self.name_flags, flags.SUBJECT_NAME_FLAGS),
            "general_flags": flags.describe(self.general_flags, flags.GENERAL_FLAGS),
            "revision": {"major": self.major_revision, "minor": self.minor_revision},
            "extended_key_usage": list(self.extended_key_usage),
            "application_policies": list(self.application_policies),
            "issuance": {
                "application_policies": list(self.issuance.oids),
                "properties": dict(self.issuance.properties),
            },
            "signatures_required": self.signatures_required,
            "supersedes": list(self.supersedes),
        }


def category_of(schema_version: int, private_key_flags: int) -> Category:
    """Which kind of provider a template asks for (CTPKIsCNGTemplate, certca.h)."""
    legacy = bool(private_key_flags & flags.USE_LEGACY_PROVIDER)
    return "ksp" if schema_version == 3 or (schema_version >= 4 and not legacy) else "csp"


def template_of(entry: Entry) -> TemplateState:
    """The state of a template.

    Raises:
        DirectoryError: an attribute cannot be read as what the schema says it is.
    """
    name = entry.text("cn")
    if not name:
        raise DirectoryError(
            "The template has no common name (cn).",
            place=entry.dn,
            remedy="Read the object with an account that may read its attributes.",
        )
    given_version = entry.integer(schema.SCHEMA_VERSION)
    schema_version = 1 if given_version is None else given_version  # templates of Windows 2000 lack the attribute
    private_key_flags = entry.integer(schema.PRIVATE_KEY_FLAG) or 0
    category = category_of(schema_version, private_key_flags)
    providers, unreadable = _providers(entry.texts(schema.DEFAULT_CSPS))
    foreign = tuple(_foreign_providers(providers, category))
    issuance = parse(entry.texts(schema.RA_APPLICATION_POLICIES))
    extended_key_usage = entry.texts(schema.EXTENDED_KEY_USAGE)
    application_policies = entry.texts(schema.APPLICATION_POLICY)
    contradictions = (
        *_version_contradictions(schema_version, private_key_flags),
        *_issuance_contradictions(issuance, category),
        *_usage_contradictions(extended_key_usage, application_policies),
    )
    algorithm = issuance.properties.get(ASYMMETRIC_ALGORITHM) if category == "ksp" else None
    return TemplateState(
        entry=entry,
        name=name,
        display_name=entry.text("displayName"),
        oid=entry.text(schema.TEMPLATE_OID),
        schema_version=schema_version,
        category=category,
        providers=providers,
        providers_clear=not unreadable,
        inconsistencies=(*foreign, *unreadable, *contradictions, *issuance.notes),
        consistent=not foreign,
        key_spec=entry.integer(schema.DEFAULT_KEY_SPEC),
        minimum_key_size=entry.integer(schema.MINIMAL_KEY_SIZE),
        algorithm=algorithm or "RSA",
        key_usage=entry.value(schema.KEY_USAGE) or b"",
        private_key_flags=private_key_flags,
        enrollment_flags=entry.integer("msPKI-Enrollment-Flag") or 0,
        name_flags=entry.integer("msPKI-Certificate-Name-Flag") or 0,
        general_flags=entry.integer(schema.GENERAL_FLAGS) or 0,
        major_revision=entry.integer(schema.MAJOR_REVISION) or 0,
        minor_revision=entry.integer(schema.MINOR_REVISION) or 0,
        extended_key_usage=extended_key_usage,
        application_policies=application_policies,
        issuance=issuance,
        signatures_required=entry.integer("msPKI-RA-Signature") or 0,
        supersedes=entry.texts(schema.SUPERSEDES),
    )


# MS-CRTD 2.8 writes a space after the comma; no real value has one.
_ELEMENT = re.compile(r"\s*([0-9]{1,10})\s*,(.*)", re.DOTALL)


def _providers(values: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Names by their priority, those without one last, and sentences about values that are not ``N,Name``."""
    numbered: list[tuple[int, str]] = []
    unnumbered: list[str] = []
    sentences: list[str] = []
    for value in values:
        match = _ELEMENT.fullmatch(value)
        name = (match[2] if match else value).strip()
        if not name:
            sentences.append(f"{schema.DEFAULT_CSPS} holds {value!r}, which names no provider.")
        elif match:
            numbered.append((int(match[1]), name))
        else:
            sentences.append(f"{schema.DEFAULT_CSPS} holds {value!r} without a priority before it; it is listed last.")
            unnumbered.append(name)
    numbered.sort(key=lambda element: element[0])
    priorities = [number for number, name in numbered]
    for number in sorted({each for each in priorities if priorities.count(each) > 1}):
        sentences.append(
            f"{schema.DEFAULT_CSPS} gives the priority {number} more than once; which comes first is open."
        )
    return (*(name for number, name in numbered), *unnumbered), sentences


def _foreign_providers(providers: Sequence[str], category: Category) -> Iterator[str]:
    for name in providers:
        known = lookup(name)
        if known and known.kind != category:
            what = f"which is a {CATEGORY_TEXTS[known.kind]}"
        elif known is None and category == "csp" and name.casefold().endswith(KSP_NAME_ENDING):
            what = f"which is presumed by its name to be a {CATEGORY_TEXTS['ksp']}"
        else:
            continue
        # What clients do then is not documented; a published script calls such a template one that does not work.
        yield (
            f"The template asks for a {CATEGORY_TEXTS[category]}, but lists {name!r}, {what}: clients are not expected "
            "to be able to enrol with it."
        )


def _version_contradictions(schema_version: int, private_key_flags: int) -> Iterator[str]:
    if not 1 <= schema_version <= 4:
        yield f"The schema version {schema_version} is not known; 1 to 4 are (MS-CRTD 2.16)."
    elif schema_version < 4 and private_key_flags & flags.USE_LEGACY_PROVIDER:
        yield (
            f"{schema.PRIVATE_KEY_FLAG} has USE_LEGACY_PROVIDER set, which means nothing in a template of schema "
            f"version {schema_version}."
        )


def _issuance_contradictions(issuance: IssuancePolicies, category: Category) -> Iterator[str]:
    if issuance.has_properties and category == "csp":
        yield (
            f"{schema.RA_APPLICATION_POLICIES} holds properties of a {CATEGORY_TEXTS['ksp']} template in a legacy "
            "template, where it is a list of object identifiers (MS-CRTD 2.23.1)."
        )
    elif issuance.has_plain_values and category == "ksp":
        yield (
            f"{schema.RA_APPLICATION_POLICIES} holds a plain value in a {CATEGORY_TEXTS['ksp']} template, where it is "
            "a text of properties (MS-CRTD 2.23.2)."
        )


def _usage_contradictions(extended_key_usage: Sequence[str], application_policies: Sequence[str]) -> Iterator[str]:
    if extended_key_usage and application_policies and set(extended_key_usage) != set(application_policies):
        yield (
            f"{schema.EXTENDED_KEY_USAGE} and {schema.APPLICATION_POLICY} differ; the Certificate Templates console "
            "writes the same into both."
        )
