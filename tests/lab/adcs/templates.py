# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate templates and enrolment services as the CA finds them in the directory, read anew for each request.

A real CA keeps a copy that follows the directory with delay (MS-WCCE 3.2.2.8); this one sees changes at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ..directory import descriptors, names
from ..directory.model import Directory, Object
from ..powershell.errors import NotSimulated

ENROLLEE_SUPPLIES_SUBJECT = 0x00000001
SUBJECT_ALT_REQUIRE_DNS = 0x08000000
PEND_ALL_REQUESTS = 0x00000002
_NOT_SIMULATED_FLAGS = {"msPKI-RA-Signature": "signatures of enrolment agents"}
"""Attributes whose value other than 0 the lab does not have."""

_TEMPLATE_ATTRIBUTES = (
    *("cn", "displayName", "revision", "nTSecurityDescriptor", "pKIExtendedKeyUsage", "pKIKeyUsage"),
    *("pKIExpirationPeriod", "pKICriticalExtensions", "msPKI-Cert-Template-OID", "msPKI-Certificate-Name-Flag"),
    *("msPKI-Enrollment-Flag", "msPKI-Minimal-Key-Size", "msPKI-Template-Schema-Version"),
    *("msPKI-Template-Minor-Revision", "msPKI-Certificate-Application-Policy", "msPKI-RA-Signature"),
)


@dataclass(frozen=True)
class CertificateTemplate:
    """What the CA needs of a template (MS-CRTD 2)."""

    name: str
    display_name: str
    oid: str | None
    schema: int
    version: tuple[int, int]
    minimum_key_size: int
    name_flag: int
    enrollment_flag: int
    validity: timedelta
    usages: Sequence[str]
    policies: Sequence[str]
    key_usage: bytes
    critical: Sequence[str]
    descriptor: bytes

    @property
    def enrollee_supplies_subject(self) -> bool:
        """CT_FLAG_ENROLLEE_SUPPLIES_SUBJECT (MS-CRTD 2.28)."""
        return bool(self.name_flag & ENROLLEE_SUPPLIES_SUBJECT)

    @property
    def pends(self) -> bool:
        """CT_FLAG_PEND_ALL_REQUESTS (MS-CRTD 2.26)."""
        return bool(self.enrollment_flag & PEND_ALL_REQUESTS)


class TemplateTable:
    """The templates of a directory."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._services = f"CN=Public Key Services,CN=Services,{directory.configuration}"

    @property
    def domain_sid(self) -> str:
        """The SID of the domain."""
        base = names.domain_dn(self._directory.domain)
        found = self._directory.search(self._directory.administrator, base, "base", "(objectClass=*)", ["objectSid"])
        return descriptors.sid_text(found[0].attributes["objectSid"][0])

    def all(self) -> list[CertificateTemplate]:
        """Every template."""
        found = self._search("Certificate Templates", "pKICertificateTemplate", _TEMPLATE_ATTRIBUTES)
        return [_template(entry) for entry in found]

    def offered(self, ca: str) -> list[str]:
        """The names of the templates that a CA is configured to issue (MS-WCCE 2.2.2.11.2), in any case."""
        for entry in self._search("Enrollment Services", "pKIEnrollmentService", ("cn", "certificateTemplates")):
            if _texts(entry.attributes, "cn")[0].casefold() == ca.casefold():
                return _texts(entry.attributes, "certificateTemplates")
        return []

    def _search(self, container: str, kind: str, attributes: Sequence[str]) -> list[Object]:
        base = f"CN={container},{self._services}"
        return self._directory.search(
            self._directory.administrator, base, "one", f"(objectClass={kind})", list(attributes)
        )


def _template(entry: Object) -> CertificateTemplate:
    held = entry.attributes
    for attribute, what in _NOT_SIMULATED_FLAGS.items():
        if _number(held, attribute):
            raise NotSimulated(f"{attribute} of {entry.dn}: {what}")
    period = int.from_bytes(held["pKIExpirationPeriod"][0], "little", signed=True)
    return CertificateTemplate(
        name=_texts(held, "cn")[0],
        display_name=next(iter(_texts(held, "displayName")), _texts(held, "cn")[0]),
        oid=next(iter(_texts(held, "msPKI-Cert-Template-OID")), None),
        schema=_number(held, "msPKI-Template-Schema-Version") or 1,
        version=(_number(held, "revision"), _number(held, "msPKI-Template-Minor-Revision")),
        minimum_key_size=_number(held, "msPKI-Minimal-Key-Size"),
        name_flag=_number(held, "msPKI-Certificate-Name-Flag"),
        enrollment_flag=_number(held, "msPKI-Enrollment-Flag"),
        # A negative number of 100-nanosecond intervals (MS-CRTD 2.11; the sign as in every AD export).
        validity=timedelta(microseconds=-period // 10),
        usages=_texts(held, "pKIExtendedKeyUsage"),
        policies=_texts(held, "msPKI-Certificate-Application-Policy"),
        key_usage=next(iter(held.get("pKIKeyUsage", ())), b""),
        critical=_texts(held, "pKICriticalExtensions"),
        descriptor=next(iter(held.get("nTSecurityDescriptor", ())), b""),
    )


def _texts(attributes: Mapping[str, Sequence[bytes]], name: str) -> list[str]:
    return [value.decode("utf-8") for value in attributes.get(name, ())]


def _number(attributes: Mapping[str, Sequence[bytes]], name: str) -> int:
    """A number, its 32 bits without sign; 0 when it is not there."""
    values = _texts(attributes, name)
    return int(values[0]) & 0xFFFFFFFF if values else 0
