# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a certificate template: what its attributes say about the key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..directory.entry import Entry
from .policies import IssuancePolicies

Category = Literal["csp", "ksp"]


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
    inconsistencies: tuple[str, ...]
    """What contradicts itself, each a sentence: names of the other kind, unreadable values, left-over properties."""
    consistent: bool
    """False when the list holds a provider that is known to be of the other kind: clients cannot enrol."""
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

    def as_dict(self) -> dict[str, Any]:
        """The template as results show it."""
        raise NotImplementedError


def template_of(entry: Entry) -> TemplateState:
    """The state of a template.

    Raises:
        DirectoryError: an attribute cannot be read as what the schema says it is.
    """
    raise NotImplementedError
