# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate templates, their OID objects and enrolment services, written into any directory of the lab."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..pki import template_oid
from . import descriptors, names
from .model import Directory, DirectoryFault

OID_ROOT = "1.3.6.1.4.1.311.21.8.2718281.8284590.4523536.287471.3526624"
"""A forest's arc for its own OIDs, of the form that AD makes at random."""

USE_LEGACY_PROVIDER = 0x100
RSA_KEY_PROPERTIES = (
    "msPKI-Asymmetric-Algorithm`PZPWSTR`RSA`msPKI-Hash-Algorithm`PZPWSTR`SHA256`msPKI-Key-Usage`DWORD`16777215`"
)
"""What the console stores for the key of a KSP template (MS-CRTD 2.23.2)."""

_CONTAINERS = ("Certificate Templates", "OID", "Enrollment Services")
_YEAR, _SIX_WEEKS = bytes.fromhex("004039872ee1feff"), bytes.fromhex("0080a60affdeffff")
"""Negative FILETIME spans (MS-CRTD 2.11 and 2.12)."""
_FLAGS_V1, _FLAGS = 0x10241, 0x20241
"""IS_DEFAULT or IS_MODIFIED, with ADD_TEMPLATE_NAME, MACHINE_TYPE and the lowest bit, as real templates have them."""
_PRIVATE_KEY_FLAGS = {1: 0, 2: 0x01010000, 3: 0x02020000, 4: 0x06060000}
"""What the console stores by schema version."""


@dataclass(frozen=True)
class TemplatePlan:
    """A template. ``attributes`` replaces or removes (``None``) what the other fields give."""

    name: str
    display_name: str | None = None
    oid: str | None = None
    schema: int | None = 4
    private_key_flags: int | None = None
    providers: Sequence[str] = ()
    """In their order."""
    minimum_key_size: int = 2048
    key_spec: int = 1
    eku: Sequence[str] = ("1.3.6.1.5.5.7.3.1",)
    revision: tuple[int, int] = (100, 1)
    enroll: Sequence[str] | None = None
    """Who may enroll; None: the directory's own descriptor."""
    attributes: Mapping[str, Sequence[bytes] | None] = field(default_factory=dict)


@dataclass(frozen=True)
class CaPlan:
    """An enrolment service and the templates that it offers."""

    name: str
    host: str
    templates: Sequence[str] = ()


@dataclass(frozen=True)
class DirectoryPlan:
    """What a directory shall hold."""

    domain: str
    administrators: Sequence[str] = ("Administrator",)
    templates: Sequence[TemplatePlan] = ()
    cas: Sequence[CaPlan] = ()


def populate(directory: Directory, plan: DirectoryPlan) -> None:
    """Put templates, OID objects and enrolment services into a directory, in the place of those that are there.

    Raises:
        DirectoryFault: the directory refuses an object; the diagnostic begins with its name.
        UnknownPrincipal: ``enroll`` names a group that the lab does not know.
    """
    services = f"CN=Public Key Services,CN=Services,{directory.configuration}"
    boss = directory.administrator
    for container in _CONTAINERS:
        for found in directory.search(boss, f"CN={container},{services}", "one", "(objectClass=*)", ["cn"]):
            directory.delete(boss, found.dn)
    oids = f"CN=OID,{services}"
    if not directory.search(boss, oids, "base", "(msPKI-Cert-Template-OID=*)", ["cn"]):
        directory.modify(boss, oids, [("replace", "msPKI-Cert-Template-OID", [OID_ROOT.encode()])])
    domain_sid = _domain_sid(directory) if any(one.enroll is not None for one in plan.templates) else ""
    for template in plan.templates:
        oid = template.oid or template_oid(template.name)
        twin = f"{oid.rpartition('.')[2]}.{hashlib.md5(oid.encode(), usedforsecurity=False).hexdigest().upper()}"
        _add(directory, f"CN={twin},{oids}", oid_attributes(template, oid))
        dn = f"{names.rdn('CN', template.name)},CN=Certificate Templates,{services}"
        _add(directory, dn, template_attributes(template, domain_sid))
    for ca in plan.cas:
        dn = f"{names.rdn('CN', ca.name)},CN=Enrollment Services,{services}"
        _add(directory, dn, _ca_attributes(ca, directory))


def _domain_sid(directory: Directory) -> str:
    base = names.domain_dn(directory.domain)
    found = directory.search(directory.administrator, base, "base", "(objectClass=*)", ["objectSid"])
    return descriptors.sid_text(found[0].attributes["objectSid"][0])


def _add(directory: Directory, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> None:
    try:
        directory.add(directory.administrator, dn, attributes)
    except DirectoryFault as fault:
        raise DirectoryFault(fault.code, f"{dn}: {fault.diagnostic}") from fault


def template_attributes(template: TemplatePlan, domain_sid: str = "") -> dict[str, list[bytes]]:
    """The attributes of a template; a descriptor only where ``enroll`` is given.

    Raises:
        UnknownPrincipal: ``enroll`` names a group that the lab does not know.
    """
    version = template.schema or 1
    flags = template.private_key_flags
    if flags is None:
        flags = _PRIVATE_KEY_FLAGS[version]
    texts: dict[str, Sequence[str | int]] = {
        "objectClass": ["top", "pKICertificateTemplate"],
        "cn": [template.name],
        "displayName": [template.display_name or template.name],
        "showInAdvancedViewOnly": ["TRUE"],
        "flags": [_FLAGS_V1 if version == 1 else _FLAGS],
        "revision": [template.revision[0]],
        "pKIDefaultKeySpec": [template.key_spec],
        "pKIMaxIssuingDepth": [0],
        "pKICriticalExtensions": ["2.5.29.15"],
        "pKIExtendedKeyUsage": template.eku,
        # AD returns values in no order that means anything; here the last comes first, as in many exports.
        "pKIDefaultCSPs": [f"{place},{name}" for place, name in enumerate(template.providers, start=1)][::-1],
        "msPKI-RA-Signature": [0],
        "msPKI-Enrollment-Flag": [0],
        "msPKI-Private-Key-Flag": [signed(flags)],
        "msPKI-Certificate-Name-Flag": [1],
        "msPKI-Minimal-Key-Size": [template.minimum_key_size],
        "msPKI-Template-Schema-Version": [] if template.schema is None else [template.schema],
        "msPKI-Template-Minor-Revision": [template.revision[1]],
        "msPKI-Cert-Template-OID": [template.oid or template_oid(template.name)],
        "msPKI-Certificate-Application-Policy": template.eku if version >= 2 else [],
    }
    if version == 3 or (version >= 4 and not flags & USE_LEGACY_PROVIDER):
        texts["msPKI-RA-Application-Policies"] = [RSA_KEY_PROPERTIES]
    made = {name: [str(value).encode() for value in values] for name, values in texts.items()}
    made |= {"pKIKeyUsage": [b"\xa0\x00"], "pKIExpirationPeriod": [_YEAR], "pKIOverlapPeriod": [_SIX_WEEKS]}
    if template.enroll is not None:
        made["nTSecurityDescriptor"] = [descriptors.template_descriptor(domain_sid, template.enroll)]
    spelled = {name.lower(): name for name in made}
    for name, values in template.attributes.items():
        made[spelled.get(name.lower(), name)] = list(values or ())
    return {name: values for name, values in made.items() if values}


def oid_attributes(template: TemplatePlan, oid: str) -> dict[str, list[bytes]]:
    """The attributes of a template's OID object: ``flags`` 1 says that the OID is a template's."""
    return {
        "objectClass": [b"top", b"msPKI-Enterprise-Oid"],
        "displayName": [(template.display_name or template.name).encode()],
        "flags": [b"1"],
        "msPKI-Cert-Template-OID": [oid.encode()],
    }


def _ca_attributes(ca: CaPlan, directory: Directory) -> dict[str, list[bytes]]:
    made = {
        "objectClass": [b"top", b"pKIEnrollmentService"],
        "displayName": [ca.name.encode()],
        "flags": [b"10"],
        "dNSHostName": [ca.host.encode()],
        "cACertificateDN": [f"CN={ca.name}, {names.domain_dn(directory.domain).replace(',', ', ')}".encode()],
        "certificateTemplates": [name.encode() for name in ca.templates],
    }
    return {name: values for name, values in made.items() if values}


def signed(number: int) -> int:
    """A flag word as AD keeps it: the signed number of the same 32 bits."""
    return number - (1 << 32) if number > 0x7FFFFFFF else number


def many_templates(count: int = 80) -> list[TemplatePlan]:
    """As many templates, of the four kinds in turn: KSP, legacy and pinned, legacy with a list, and schema 2."""
    schannel, dh = "Microsoft RSA SChannel Cryptographic Provider", "Microsoft DH SChannel Cryptographic Provider"
    kinds: Sequence[tuple[int, int, Sequence[str]]] = (
        (4, 0x06060000, ["Microsoft Software Key Storage Provider"]),
        (4, 0x06060100, [schannel]),
        (4, 0x06060110, [schannel, dh]),
        (2, 0x01010000, [schannel, dh]),
    )
    made = []
    for number in range(1, count + 1):
        version, flags, providers = kinds[number % len(kinds)]
        made.append(
            TemplatePlan(
                name=f"Department{number:03}Web",
                display_name=f"Department {number:03} Web",
                schema=version,
                private_key_flags=flags,
                providers=providers,
            )
        )
    return made
