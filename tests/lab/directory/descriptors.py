# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Self-relative security descriptors of certificate templates (MS-DTYP 2.4.6; the rights: MS-CRTD 2.5)."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterable

ENROLL = uuid.UUID("0e10c968-78fb-11d2-90d4-00c04f79dc55")
AUTO_ENROLL = uuid.UUID("a05b8cc2-17bc-4802-a710-e7c15ab866a2")

DOMAIN_ADMINS = 512
ENTERPRISE_ADMINS = 519

WELL_KNOWN = {
    "everyone": "S-1-1-0",
    "authenticated users": "S-1-5-11",
    "enterprise domain controllers": "S-1-5-9",
}
RELATIVE = {
    "administrator": 500,
    "domain admins": DOMAIN_ADMINS,
    "domain users": 513,
    "domain guests": 514,
    "domain computers": 515,
    "domain controllers": 516,
    "cert publishers": 517,
    "enterprise admins": ENTERPRISE_ADMINS,
}
"""Relative identifiers within the domain (MS-DTYP 2.4.2.4)."""

_SELF_RELATIVE = 0x8000
_DACL_PRESENT = 0x0004
_DACL_AUTO_INHERITED = 0x0400
_FULL_CONTROL = 0x000F01FF
_GENERIC_READ = 0x00020094
_CONTROL_ACCESS = 0x00000100
_OBJECT_TYPE_PRESENT = 1


class UnknownPrincipal(ValueError):
    """A name that is none of the well-known groups."""


def sid(text: str) -> bytes:
    """A SID in its binary form (MS-DTYP 2.4.2.2)."""
    revision, authority, *rest = (int(part) for part in text.removeprefix("S-").split("-"))
    return struct.pack("<BB", revision, len(rest)) + authority.to_bytes(6, "big") + struct.pack(f"<{len(rest)}I", *rest)


def sid_text(data: bytes) -> str:
    """A binary SID as text."""
    count = data[1]
    rest = struct.unpack_from(f"<{count}I", data, 8)
    return "-".join(["S", str(data[0]), str(int.from_bytes(data[2:8], "big")), *(str(part) for part in rest)])


def principal(name: str, domain_sid: str) -> str:
    """The SID of a well-known group, or of one that is given as a SID.

    Raises:
        UnknownPrincipal: the lab does not know the name.
    """
    folded = name.casefold()
    if folded.startswith("s-1-"):
        return name.upper()
    if folded in WELL_KNOWN:
        return WELL_KNOWN[folded]
    if folded in RELATIVE:
        return f"{domain_sid}-{RELATIVE[folded]}"
    known = ", ".join([*WELL_KNOWN, *RELATIVE])
    raise UnknownPrincipal(f"{name!r} is no SID and none of {known}")


def template_descriptor(domain_sid: str, enroll: Iterable[str], auto_enroll: Iterable[str] = ()) -> bytes:
    """The descriptor that the console gives to a template: full control for the administrators, reading for all who
    are authenticated, and the extended rights Enroll and AutoEnroll.

    Raises:
        UnknownPrincipal: a name that the lab does not know.
    """
    owner = sid(f"{domain_sid}-{ENTERPRISE_ADMINS}")
    entries = [_object_ace(ENROLL, sid(principal(name, domain_sid))) for name in enroll]
    entries += [_object_ace(AUTO_ENROLL, sid(principal(name, domain_sid))) for name in auto_enroll]
    entries += [_ace(_FULL_CONTROL, sid(f"{domain_sid}-{number}")) for number in (DOMAIN_ADMINS, ENTERPRISE_ADMINS)]
    entries.append(_ace(_GENERIC_READ, sid(WELL_KNOWN["authenticated users"])))
    body = b"".join(entries)
    acl = struct.pack("<BBHHH", 4, 0, 8 + len(body), len(entries), 0) + body
    control = _SELF_RELATIVE | _DACL_PRESENT | _DACL_AUTO_INHERITED
    start = 20
    header = struct.pack("<BBHIIII", 1, 0, control, start + len(acl), start + len(acl) + len(owner), 0, start)
    return header + acl + owner + owner


def _ace(mask: int, who: bytes) -> bytes:
    """ACCESS_ALLOWED_ACE (MS-DTYP 2.4.4.2)."""
    return struct.pack("<BBHI", 0, 0, 8 + len(who), mask) + who


def _object_ace(right: uuid.UUID, who: bytes) -> bytes:
    """ACCESS_ALLOWED_OBJECT_ACE for an extended right (MS-DTYP 2.4.4.3)."""
    body = struct.pack("<II", _CONTROL_ACCESS, _OBJECT_TYPE_PRESENT) + right.bytes_le + who
    return struct.pack("<BBH", 5, 0, 4 + len(body)) + body
