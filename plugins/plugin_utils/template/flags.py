# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flag words of a certificate template: names of their bits, and what else they hold.

Names are those of MS-CRTD and certca.h without their prefixes (``CT_FLAG_``, ``CTPRIVATEKEY_FLAG_``). Words are signed
in the directory (attribute syntax Integer); all functions take them either way. pKIKeyUsage, which is
octets and not a number, is read here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# msPKI-Private-Key-Flag (MS-CRTD 2.27; HELLO_KSP_KEY from certutil -v -dsTemplate)
REQUIRE_PRIVATE_KEY_ARCHIVAL = 0x1
EXPORTABLE_KEY = 0x10
STRONG_KEY_PROTECTION_REQUIRED = 0x20
REQUIRE_ALTERNATE_SIGNATURE_ALGORITHM = 0x40
REQUIRE_SAME_KEY_RENEWAL = 0x80
USE_LEGACY_PROVIDER = 0x100
EK_TRUST_ON_USE = 0x200
EK_VALIDATE_CERT = 0x400
EK_VALIDATE_KEY = 0x800
ATTEST_PREFERRED = 0x1000
ATTEST_REQUIRED = 0x2000
ATTEST_WITHOUT_POLICY = 0x4000
HELLO_KSP_KEY = 0x100000
HELLO_LOGON_KEY = 0x200000

MINIMUM_CA = 0x000F0000
"""The bits of msPKI-Private-Key-Flag that hold the oldest CA that may issue (MS-WCCE 3.2.2.6.2.1.4.5.7)."""
MINIMUM_CLIENT = 0x0F000000
"""The bits that hold the oldest client that may enrol (MS-WCCE 3.1.2.4.2.2.2.8)."""

ATTESTATION = (
    EK_TRUST_ON_USE | EK_VALIDATE_CERT | EK_VALIDATE_KEY | ATTEST_PREFERRED | ATTEST_REQUIRED | ATTEST_WITHOUT_POLICY
)
"""Everything that has to do with the attestation of a key by a TPM."""
HELLO = HELLO_KSP_KEY | HELLO_LOGON_KEY
"""Keys of Windows Hello."""

# msPKI-Enrollment-Flag (MS-CRTD 2.26)
PEND_ALL_REQUESTS = 0x2
AUTO_ENROLLMENT = 0x20

# msPKI-Certificate-Name-Flag (MS-CRTD 2.28)
ENROLLEE_SUPPLIES_SUBJECT = 0x1
ENROLLEE_SUPPLIES_SUBJECT_ALT_NAME = 0x10000

# flags (MS-CRTD 2.4)
MACHINE_TYPE = 0x40
IS_CA = 0x80
IS_DEFAULT = 0x10000
IS_MODIFIED = 0x20000

PRIVATE_KEY_FLAGS: dict[int, str] = {
    REQUIRE_PRIVATE_KEY_ARCHIVAL: "REQUIRE_PRIVATE_KEY_ARCHIVAL",
    EXPORTABLE_KEY: "EXPORTABLE_KEY",
    STRONG_KEY_PROTECTION_REQUIRED: "STRONG_KEY_PROTECTION_REQUIRED",
    REQUIRE_ALTERNATE_SIGNATURE_ALGORITHM: "REQUIRE_ALTERNATE_SIGNATURE_ALGORITHM",
    REQUIRE_SAME_KEY_RENEWAL: "REQUIRE_SAME_KEY_RENEWAL",
    USE_LEGACY_PROVIDER: "USE_LEGACY_PROVIDER",
    EK_TRUST_ON_USE: "EK_TRUST_ON_USE",
    EK_VALIDATE_CERT: "EK_VALIDATE_CERT",
    EK_VALIDATE_KEY: "EK_VALIDATE_KEY",
    ATTEST_PREFERRED: "ATTEST_PREFERRED",
    ATTEST_REQUIRED: "ATTEST_REQUIRED",
    ATTEST_WITHOUT_POLICY: "ATTEST_WITHOUT_POLICY",
    HELLO_KSP_KEY: "HELLO_KSP_KEY",
    HELLO_LOGON_KEY: "HELLO_LOGON_KEY",
}
"""msPKI-Private-Key-Flag without its two versions (MS-CRTD 2.27, certca.h)."""

ENROLLMENT_FLAGS: dict[int, str] = {
    0x1: "INCLUDE_SYMMETRIC_ALGORITHMS",
    PEND_ALL_REQUESTS: "PEND_ALL_REQUESTS",
    0x4: "PUBLISH_TO_KRA_CONTAINER",
    0x8: "PUBLISH_TO_DS",
    0x10: "AUTO_ENROLLMENT_CHECK_USER_DS_CERTIFICATE",
    AUTO_ENROLLMENT: "AUTO_ENROLLMENT",
    0x40: "PREVIOUS_APPROVAL_VALIDATE_REENROLLMENT",
    0x100: "USER_INTERACTION_REQUIRED",
    0x400: "REMOVE_INVALID_CERTIFICATE_FROM_PERSONAL_STORE",
    0x800: "ALLOW_ENROLL_ON_BEHALF_OF",
    0x1000: "ADD_OCSP_NOCHECK",
    0x2000: "ENABLE_KEY_REUSE_ON_NT_TOKEN_KEYSET_STORAGE_FULL",
    0x4000: "NOREVOCATIONINFOINISSUEDCERTS",
    0x8000: "INCLUDE_BASIC_CONSTRAINTS_FOR_EE_CERTS",
    0x10000: "ALLOW_PREVIOUS_APPROVAL_KEYBASEDRENEWAL_VALIDATE_REENROLLMENT",
    0x20000: "ISSUANCE_POLICIES_FROM_REQUEST",
    0x40000: "SKIP_AUTO_RENEWAL",
    0x80000: "NO_SECURITY_EXTENSION",
}
"""msPKI-Enrollment-Flag (MS-CRTD 2.26)."""

SUBJECT_NAME_FLAGS: dict[int, str] = {
    ENROLLEE_SUPPLIES_SUBJECT: "ENROLLEE_SUPPLIES_SUBJECT",
    0x8: "OLD_CERT_SUPPLIES_SUBJECT_AND_ALT_NAME",
    ENROLLEE_SUPPLIES_SUBJECT_ALT_NAME: "ENROLLEE_SUPPLIES_SUBJECT_ALT_NAME",
    0x400000: "SUBJECT_ALT_REQUIRE_DOMAIN_DNS",
    0x800000: "SUBJECT_ALT_REQUIRE_SPN",
    0x1000000: "SUBJECT_ALT_REQUIRE_DIRECTORY_GUID",
    0x2000000: "SUBJECT_ALT_REQUIRE_UPN",
    0x4000000: "SUBJECT_ALT_REQUIRE_EMAIL",
    0x8000000: "SUBJECT_ALT_REQUIRE_DNS",
    0x10000000: "SUBJECT_REQUIRE_DNS_AS_CN",
    0x20000000: "SUBJECT_REQUIRE_EMAIL",
    0x40000000: "SUBJECT_REQUIRE_COMMON_NAME",
    0x80000000: "SUBJECT_REQUIRE_DIRECTORY_PATH",
}
"""msPKI-Certificate-Name-Flag (MS-CRTD 2.28)."""

GENERAL_FLAGS: dict[int, str] = {
    0x2: "ADD_EMAIL",
    0x8: "PUBLISH_TO_DS",
    0x10: "EXPORTABLE_KEY",
    0x20: "AUTO_ENROLLMENT",
    MACHINE_TYPE: "MACHINE_TYPE",
    IS_CA: "IS_CA",
    0x200: "ADD_TEMPLATE_NAME",
    0x800: "IS_CROSS_CA",
    0x1000: "DONOTPERSISTINDB",
    IS_DEFAULT: "IS_DEFAULT",
    IS_MODIFIED: "IS_MODIFIED",
}
"""flags (MS-CRTD 2.4)."""

_VERSIONED = MINIMUM_CA | MINIMUM_CLIENT

_CA_VERSIONS = {
    1: "Windows Server 2003",
    2: "Windows Server 2008",
    3: "Windows Server 2008 R2",
    4: "Windows Server 2012",
    5: "Windows Server 2012 R2",
    6: "Windows Server 2016",
}
_CLIENT_VERSIONS = {
    1: "Windows XP or Windows Server 2003",
    2: "Windows Vista or Windows Server 2008",
    3: "Windows 7 or Windows Server 2008 R2",
    4: "Windows 8 or Windows Server 2012",
    5: "Windows 8.1 or Windows Server 2012 R2",
    6: "Windows 10 or Windows Server 2016",
}


def unsigned(value: int) -> int:
    """A flag word as the number from 0 to 0xFFFFFFFF with the same bits."""
    return value & 0xFFFFFFFF


def signed(value: int) -> int:
    """A flag word as the directory keeps it: the signed 32-bit number with the same bits."""
    bits = unsigned(value)
    return bits - (1 << 32) if bits > 0x7FFFFFFF else bits


def flag_names(value: int, table: Mapping[int, str]) -> list[str]:
    """The names of the bits that are set, lowest first; a bit without a name as ``0x00800000``.

    The two versions within msPKI-Private-Key-Flag are no flags and are left out; :func:`minimum_ca` and
    :func:`minimum_client` read them.
    """
    bits = unsigned(value)
    if table is PRIVATE_KEY_FLAGS:
        bits &= ~_VERSIONED
    single = (1 << position for position in range(32))
    return [table.get(bit) or f"0x{bit:08x}" for bit in single if bits & bit]


def describe(value: int, table: Mapping[int, str]) -> dict[str, Any]:
    """A flag word as results show it: ``value`` (signed), ``hex`` (``0x06060100``) and ``names``."""
    return {"value": signed(value), "hex": f"0x{unsigned(value):08x}", "names": flag_names(value, table)}


def minimum_ca(value: int) -> str | None:
    """The oldest CA that may issue by the template, from msPKI-Private-Key-Flag; ``None`` when any may."""
    return _version((unsigned(value) & MINIMUM_CA) >> 16, _CA_VERSIONS)


def minimum_client(value: int) -> str | None:
    """The oldest client that may enrol by the template, from msPKI-Private-Key-Flag; ``None`` when any may."""
    return _version((unsigned(value) & MINIMUM_CLIENT) >> 24, _CLIENT_VERSIONS)


def _version(number: int, names: Mapping[int, str]) -> str | None:
    return names.get(number, f"unknown ({number})") if number else None


_KEY_USAGE_BITS: dict[str, tuple[int, int]] = {
    "digitalSignature": (0, 0x80),
    "nonRepudiation": (0, 0x40),
    "keyEncipherment": (0, 0x20),
    "dataEncipherment": (0, 0x10),
    "keyAgreement": (0, 0x08),
    "keyCertSign": (0, 0x04),
    "cRLSign": (0, 0x02),
    "encipherOnly": (0, 0x01),
    "decipherOnly": (1, 0x80),
}
"""Position of the octet and the bit in it (RFC 5280 4.2.1.3: the bits of a BIT STRING count from the highest)."""


def key_usage_names(octets: bytes) -> tuple[str, ...]:
    """The usages in pKIKeyUsage, named as in RFC 5280 (MS-CRTD 2.13); it has 1 octet or 2."""
    return tuple(name for name, (octet, bit) in _KEY_USAGE_BITS.items() if octet < len(octets) and octets[octet] & bit)
