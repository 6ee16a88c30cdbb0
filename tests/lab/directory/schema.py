# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the schema of Active Directory that certificate templates, their OIDs and CAs need.

Syntax, number of values and classes: MS-ADA1 to MS-ADA3 and MS-ADSC, schema of Server 2012 R2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from . import names

Syntax = Literal["int", "large", "unicode", "octet", "oid", "sd", "dn", "bool", "time", "sid"]

INT32 = range(-(1 << 31), 1 << 31)


@dataclass(frozen=True)
class Attribute:
    """An attribute of the schema, named as ``lDAPDisplayName`` spells it."""

    name: str
    syntax: Syntax
    single: bool
    system: bool = False
    """Only the directory itself writes it."""

    def matched(self, value: bytes) -> str | int | bytes | names.Key:
        """A value as comparisons take it: text without regard to case, numbers by value, names part by part."""
        if self.syntax in ("octet", "sd", "sid"):
            return value
        text = value.decode("utf-8", "replace")
        if self.syntax in ("int", "large"):
            parsed = number(value)
            return text if parsed is None else parsed
        if self.syntax == "dn":
            try:
                return names.key(text)
            except names.NameFault:
                return text.casefold()
        return text.casefold()

    def fits(self, value: bytes) -> bool:
        """Whether a value is of the syntax. A number has to lie in the range of a signed one of 32 bits; what AD
        does with an unsigned one is not known (Samba 4.17 takes it and stores the signed number of the same bits).
        """
        if self.syntax in ("octet", "sd", "sid"):
            return True
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            return False
        if self.syntax == "int":
            parsed = number(value)
            return parsed is not None and parsed in INT32
        if self.syntax == "large":
            return number(value) is not None
        if self.syntax == "bool":
            return text in ("TRUE", "FALSE")
        if self.syntax == "dn":
            try:
                return bool(names.parts(text))
            except names.NameFault:
                return False
        return bool(text)


def number(value: bytes) -> int | None:
    """A whole number in decimal; ``None`` for anything else."""
    digits = value.removeprefix(b"-")
    return int(value) if digits.isdigit() and digits.isascii() else None


def _named(syntax: Syntax, listed: str, *, single: bool = True, system: bool = False) -> dict[str, Attribute]:
    return {name.lower(): Attribute(name, syntax, single, system) for name in listed.split()}


ATTRIBUTES: Mapping[str, Attribute] = {
    **_named("oid", "objectClass", single=False),
    **_named("octet", "objectGUID", system=True),
    **_named("octet", "pKIKeyUsage pKIExpirationPeriod pKIOverlapPeriod certificateRevocationList"),
    **_named("octet", "cACertificate authorityRevocationList userCertificate deltaRevocationList", single=False),
    **_named("octet", "crossCertificatePair", single=False),
    **_named("sid", "objectSid", system=True),
    **_named("sd", "nTSecurityDescriptor"),
    **_named("sd", "pKIEnrollmentAccess", single=False),
    **_named("int", "instanceType", system=True),
    **_named("large", "uSNCreated uSNChanged", system=True),
    **_named("time", "whenCreated whenChanged", system=True),
    **_named("time", "dSCorePropagationData", single=False, system=True),
    **_named("bool", "showInAdvancedViewOnly"),
    **_named("dn", "objectCategory msDS-OIDToGroupLink"),
    **_named("dn", "distinguishedName", system=True),
    **_named("unicode", "name", system=True),
    **_named("unicode", "cn dc ou displayName adminDisplayName dNSHostName cACertificateDN msPKI-Cert-Template-OID"),
    **_named("unicode", "signatureAlgorithms enrollmentProviders msPKI-Site-Name wWWHomePage"),
    **_named("unicode", "description url pKIDefaultCSPs pKIExtendedKeyUsage pKICriticalExtensions", single=False),
    **_named("unicode", "msPKI-RA-Policies msPKI-RA-Application-Policies msPKI-Supersede-Templates", single=False),
    **_named("unicode", "msPKI-Certificate-Policy msPKI-Certificate-Application-Policy", single=False),
    **_named("unicode", "certificateTemplates msPKI-Enrollment-Servers", single=False),
    **_named("unicode", "msPKI-OID-CPS msPKI-OID-User-Notice msPKI-OIDLocalizedName", single=False),
    **_named("int", "flags revision pKIDefaultKeySpec pKIMaxIssuingDepth msPKI-OID-Attribute"),
    **_named("int", "msPKI-RA-Signature msPKI-Template-Schema-Version msPKI-Template-Minor-Revision"),
    **_named("int", "msPKI-Private-Key-Flag msPKI-Minimal-Key-Size msPKI-Enrollment-Flag msPKI-Certificate-Name-Flag"),
}
"""By the name in lower case."""

CLASSES: Mapping[str, str] = {
    "container": "Container",
    "configuration": "Configuration",
    "domaindns": "Domain-DNS",
    "pkicertificatetemplate": "PKI-Certificate-Template",
    "pkienrollmentservice": "PKI-Enrollment-Service",
    "mspki-enterprise-oid": "ms-PKI-Enterprise-Oid",
    "certificationauthority": "Certification-Authority",
    "mspki-privatekeyrecoveryagent": "ms-PKI-Private-Key-Recovery-Agent",
}
"""Classes in lower case and the cn of their class object, which is also the category of their objects."""


def attribute(name: str) -> Attribute | None:
    """An attribute by its name in any case."""
    return ATTRIBUTES.get(name.lower())
