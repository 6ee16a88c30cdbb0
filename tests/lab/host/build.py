# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of a scenario: from a store's list to what the registry holds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone

from .. import pki
from .access import BadSddl, parse
from .fields import Fields, ScenarioError
from .keys import FRESH_CNG, FRESH_LEGACY, PASSPORT_KSP, PLATFORM_KSP, SMART_CARD_PROVIDERS, SOFTWARE_KSP
from .store import CRYPT_MACHINE_KEYSET, KeyReference, StoredCertificate, blob_of, damaged

HOLDERS: dict[str, tuple[str, int, int]] = {
    "base": ("Microsoft Base Cryptographic Provider v1.0", 1, 1),
    "strong": ("Microsoft Strong Cryptographic Provider", 1, 1),
    "enhanced": ("Microsoft Enhanced Cryptographic Provider v1.0", 1, 1),
    "smart_card": (SMART_CARD_PROVIDERS[0], 1, 1),
    "schannel": ("Microsoft RSA SChannel Cryptographic Provider", 12, 1),
    "dss": ("Microsoft Enhanced DSS and Diffie-Hellman Cryptographic Provider", 13, 2),
    "aes": ("Microsoft Enhanced RSA and AES Cryptographic Provider", 24, 1),
    "cng": (SOFTWARE_KSP, 0, 0),
    "vsm": (SOFTWARE_KSP, 0, 0),
    "tpm": (PLATFORM_KSP, 0, 0),
    "smart_card_ksp": (SMART_CARD_PROVIDERS[1], 0, 0),
    "passport": (PASSPORT_KSP, 0, 0),
    "hsm": ("nCipher Security World Key Storage Provider", 0, 0),
}
"""Short names of key holders: provider, provider type and the usual key spec (``certutil -csplist`` transcripts)."""

DEFECTS = ("truncated", "flipped", "garbled", "empty")
_NAMES = (
    *("id", "subject", "san", "key", "template", "validity", "signature", "eku", "cdp", "friendly_name"),
    *("archived", "assigned", "defect", "issuer", "key_name", "algorithm", "shared", "shared_key"),
)
_V1_TEMPLATES = ("WebServer", "Machine", "DomainController", "User", "SubCA", "Administrator", "EFS")


@dataclass(frozen=True)
class Workshop:
    """What certificates of all hosts are made with."""

    authorities: Mapping[str, tuple[pki.Authority, str | None]]
    """By identifier: the authority and its CRL distribution point."""
    pool: pki.KeyPool
    clock: datetime
    shared: dict[str, pki.Issued] = field(default_factory=dict)
    """Certificates that several hosts have, by the name in the scenario."""
    shared_keys: dict[str, pki.PrivateKey] = field(default_factory=dict)
    """Keys that several certificates have."""


@dataclass(frozen=True)
class Made:
    """A certificate in its store, and the Lync usages that it is assigned to."""

    stored: StoredCertificate
    assigned: Sequence[str]
    services: bool | None
    """Whether the services of Lync may use the key; None: when it is assigned."""


def certificates(workshop: Workshop, entries: Sequence[Fields], fqdn: str) -> Iterator[Made]:
    """All certificates of a store's list; ``generate: N`` makes N of one entry, ``{n}`` in texts is their number."""
    for entry in entries:
        count = entry.number("generate", 1)
        holders = entry.texts("holders", among=tuple(HOLDERS))
        raw = {name: entry.take(name) for name in _NAMES if name in entry}
        entry.done()
        for number in range(1, count + 1):
            values = _numbered(raw, number)
            assert isinstance(values, dict)
            if holders:
                values["key"] = {**(values.get("key") or {}), "holder": holders[(number - 1) % len(holders)]}
            yield _certificate(workshop, Fields(values, entry.place), fqdn, number)


def _numbered(value: object, number: int) -> object:
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, list):
        return [_numbered(item, number) for item in value]
    if isinstance(value, dict):
        return {key: _numbered(item, number) for key, item in value.items()}
    return value


def _certificate(workshop: Workshop, entry: Fields, fqdn: str, number: int) -> Made:
    identifier = entry.text("id", "")
    subject = entry.text("subject", f"CN={fqdn}")
    template = _template(entry)
    issuer = entry.text("issuer", next(iter(workshop.authorities), "self"))
    if issuer != "self" and issuer not in workshop.authorities:
        raise ScenarioError(f"{entry.place}: issuer {issuer!r} is none of self, {', '.join(workshop.authorities)}")
    authority, crl = workshop.authorities[issuer] if issuer != "self" else (None, None)
    not_before, not_after = _validity(entry, workshop.clock)
    wanted = pki.Wanted(
        subject=subject,
        not_before=not_before,
        not_after=not_after,
        key=entry.text("algorithm", "rsa2048", among=pki.KEY_KINDS),
        signature=entry.text("signature", "sha256", among=pki.SIGNATURES),
        subject_alt_names=entry.texts("san"),
        extended_key_usage=_usages(entry),
        crl_distribution_points=entry.texts("cdp", (crl,) if crl else ()),
        template=template,
    )
    try:
        issued = _issued(entry, workshop, authority, wanted)
    except ValueError as exc:
        raise ScenarioError(f"{entry.place}: {exc}") from exc
    key, services = _key(entry, identifier or subject, fqdn, number, template)
    archived = entry.flag("archived")
    blob = blob_of(issued, key, friendly_name=entry.optional_text("friendly_name"), originator=fqdn, archived=archived)
    defect = entry.optional_text("defect")
    if defect is not None and defect not in DEFECTS:
        raise ScenarioError(f"{entry.place}: defect is {defect!r}; it must be one of {', '.join(DEFECTS)}")
    made = StoredCertificate(
        identifier=identifier,
        key_name=entry.text("key_name", issued.thumbprint),
        blob=damaged(blob, defect) if defect else blob,
        issued=None if defect else issued,
        key=key,
        template=template,
        archived=archived,
    )
    assigned = entry.texts("assigned")
    entry.done()
    return Made(made, assigned, services)


def _issued(entry: Fields, workshop: Workshop, authority: pki.Authority | None, wanted: pki.Wanted) -> pki.Issued:
    """``shared``: the certificate of this name that another host has; ``shared_key``: one of the key of this name."""
    name, key_name = entry.optional_text("shared"), entry.optional_text("shared_key")
    if name and name in workshop.shared:
        return workshop.shared[name]
    key = workshop.shared_keys.get(key_name) if key_name else None
    issued = authority.issue(wanted, key) if authority else pki.self_signed(wanted, workshop.pool, key)
    if name:
        workshop.shared[name] = issued
    if key_name:
        workshop.shared_keys[key_name] = issued.key
    return issued


def _usages(entry: Fields) -> tuple[str, ...] | None:
    """OIDs; ``null`` for a certificate without the extension."""
    value = entry.take("eku", [pki.SERVER_AUTH])
    return None if value is None else Fields({"eku": value}, entry.place).texts("eku")


def _validity(entry: Fields, clock: datetime) -> tuple[datetime, datetime]:
    """Two moments: days from the clock, or dates."""
    value = entry.take("validity", [-30, 335])
    if not isinstance(value, list) or len(value) != 2:
        raise ScenarioError(f"{entry.place}: validity must be two dates or two numbers of days, not {value!r}")
    first, last = (_moment(item, clock, entry.place) for item in value)
    if first >= last:
        raise ScenarioError(f"{entry.place}: validity ends before it begins")
    return first, last


def _moment(value: object, clock: datetime, place: str) -> datetime:
    if isinstance(value, int):
        return clock + timedelta(days=value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
    raise ScenarioError(f"{place}: {value!r} is neither a date nor a number of days")


def _template(entry: Fields) -> pki.Template | None:
    value = entry.take("template")
    if value is None:
        return None
    if isinstance(value, str):
        if value in _V1_TEMPLATES:
            return pki.Template(value)
        return pki.Template(value, oid=pki.template_oid(value))
    given = Fields(value, f"{entry.place}: template")
    name = given.text("name")
    oid = given.text("oid", pki.template_oid(name))
    display = given.optional_text("display_name")
    template = pki.Template(name, display, oid, given.number("major", 100), given.number("minor", 0))
    given.done()
    return template


def _key(
    entry: Fields, name: str, fqdn: str, number: int, template: pki.Template | None
) -> tuple[KeyReference | None, bool | None]:
    """The key of a certificate: ``null`` for none, else a mapping; without either the key is in the SChannel CSP.

    And whether the services of Lync may use it, see :class:`Made`.
    """
    given = entry.inner("key") if "key" in entry else Fields({}, f"{entry.place}: key")
    if given is None:
        return None, None
    holder = given.text("holder", "schannel", among=tuple(HOLDERS))
    provider, kind, spec = HOLDERS[holder]
    place = entry.place.rpartition(": ")[2]
    guid = uuid.uuid5(uuid.NAMESPACE_URL, f"{fqdn}/{place}/{name}/{number}")
    container = f"te-{template.name}-{guid}" if template else f"{{{str(guid).upper()}}}"
    flags = CRYPT_MACHINE_KEYSET if given.flag("machine", True) else 0
    exportable = given.take("exportable", False)
    if exportable not in (True, False, "plaintext"):
        raise ScenarioError(f"{given.place}: exportable must be true, false or plaintext, not {exportable!r}")
    access, services = _access(given, spec)
    reference = KeyReference(
        provider=_nullable(given, "provider", provider),
        provider_type=given.number("type", kind),
        key_spec=given.number("spec", spec),
        container=_nullable(given, "container", container),
        flags=given.number("flags", flags),
        recorded=given.flag("recorded", True),
        missing=given.flag("missing"),
        exportable=bool(exportable),
        plaintext=exportable == "plaintext",
        isolated=holder == "vsm",
        access=access,
    )
    given.done()
    return reference, services


def _access(given: Fields, spec: int) -> tuple[str, bool | None]:
    """``lync``, ``default`` or SDDL; without it the services of Lync may use the key of an assigned certificate."""
    access = given.optional_text("access")
    if access in (None, "lync"):
        return "", True if access else None
    if access == "default":
        return FRESH_LEGACY if spec else FRESH_CNG, False
    try:
        return str(parse(str(access))), False
    except BadSddl as exc:
        raise ScenarioError(f"{given.place}: access is {access!r}; it must be lync, default or SDDL") from exc


def _nullable(given: Fields, name: str, default: str) -> str | None:
    """A text, or ``null`` for a null name in the store."""
    return given.optional_text(name) if name in given else default
