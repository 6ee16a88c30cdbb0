# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""nTSecurityDescriptor of a template: who may enrol, and who may change it.

A self-relative security descriptor (MS-DTYP 2.4.6) with its access control lists (2.4.5) and entries (2.4.4). Rights
are those of Active Directory (MS-ADTS 5.1.3.2); which of them mean Enroll is MS-CRTD 2.5.
"""

from __future__ import annotations

import re
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from ..directory.errors import DirectoryError

ENROLL = uuid.UUID("0e10c968-78fb-11d2-90d4-00c04f79dc55")
AUTO_ENROLL = uuid.UUID("a05b8cc2-17bc-4802-a710-e7c15ab866a2")

EVERYONE = "S-1-1-0"

# MS-ADTS 5.1.3.2, MS-DTYP 2.4.3
WRITE_PROPERTY = 0x20
CONTROL_ACCESS = 0x100
WRITE_DAC = 0x40000
WRITE_OWNER = 0x80000
FULL_CONTROL = 0xF01FF
GENERIC_ALL = 0x10000000
GENERIC_WRITE = 0x40000000

_HEADER = struct.Struct("<BBHIIII")
_ACL_HEADER = struct.Struct("<BBHHH")
_ACE_HEADER = struct.Struct("<BBH")
_UINT32 = struct.Struct("<I")

_SELF_RELATIVE = 0x8000
_DACL_PRESENT = 0x4
_SACL_BITS = 0x2A30
"""Of the control word: present, defaulted, inheritance required, inherited, protected (MS-DTYP 2.4.6)."""

_OWNER_AND_GROUP_BITS = 0x3
"""That they are by default."""

_INHERIT_ONLY = 0x8
_OBJECT_TYPE_PRESENT = 0x1
_INHERITED_OBJECT_TYPE_PRESENT = 0x2
_MOST_SUB_AUTHORITIES = 15

_ALLOWED, _DENIED, _ALLOWED_OBJECT, _DENIED_OBJECT = 0, 1, 5, 6

_NAMES = {
    EVERYONE: "Everyone",
    "S-1-3-0": "Creator Owner",
    "S-1-5-7": "Anonymous",
    "S-1-5-9": "Enterprise Domain Controllers",
    "S-1-5-10": "Self",
    "S-1-5-11": "Authenticated Users",
    "S-1-5-18": "Local System",
    "S-1-5-32-544": "Administrators",
    "S-1-5-32-545": "Users",
    "S-1-5-32-546": "Guests",
}
_DOMAIN_NAMES = {
    498: "Enterprise Read-only Domain Controllers",
    500: "Administrator",
    501: "Guest",
    512: "Domain Admins",
    513: "Domain Users",
    514: "Domain Guests",
    515: "Domain Computers",
    516: "Domain Controllers",
    517: "Cert Publishers",
    518: "Schema Admins",
    519: "Enterprise Admins",
    521: "Read-only Domain Controllers",
    553: "RAS and IAS Servers",
}
"""By the last part of the SID of a domain (MS-DTYP 2.4.2.4)."""
_DOMAIN_SID = re.compile(r"S-1-5-21-[0-9]+-[0-9]+-[0-9]+-([0-9]+)")

_LOW_PRIVILEGED = frozenset({EVERYONE, "S-1-5-7", "S-1-5-11", "S-1-5-32-545", "S-1-5-32-546"})
_LOW_PRIVILEGED_IN_DOMAIN = frozenset({513, 514, 515})


@dataclass(frozen=True)
class EnrollmentRights:
    """Who may do what with a template, as SIDs in the order of the list. Memberships of groups are not known here."""

    owner: str | None
    """May always change the permissions."""
    enroll: tuple[str, ...]
    autoenroll: tuple[str, ...]
    write: tuple[str, ...]
    """May change all attributes, the permissions or the owner."""


@dataclass(frozen=True)
class _Entry:
    """An access control entry that allows or denies."""

    allows: bool
    mask: int
    object_type: uuid.UUID | None
    sid: str

    def covers(self, right: int, object_type: uuid.UUID | None) -> bool:
        """Whether the entry is about a right; an entry for one object type is about no other."""
        mask = self.mask
        if mask & GENERIC_ALL:
            mask |= FULL_CONTROL
        if mask & GENERIC_WRITE:
            mask |= WRITE_PROPERTY
        return bool(mask & right) and self.object_type in (None, object_type)


def enrollment_rights(descriptor: bytes) -> EnrollmentRights:
    """Who may enrol by a template and who may change it.

    For one SID the first entry about a right decides, be it an allowing or a denying one; what is denied to Everyone
    is denied to all. Entries that only child objects inherit and entries of unknown types count for nothing. Without
    an access control list, everyone may do everything (MS-DTYP 2.4.6).

    Raises:
        DirectoryError: it is damaged; names the offset.
    """
    parts = _parts(descriptor)
    owner = _sid_at(descriptor, parts.owner, len(descriptor))[0] if parts.owner else None
    if not parts.dacl:
        return EnrollmentRights(owner, (EVERYONE,), (EVERYONE,), (EVERYONE,))
    entries = tuple(_entries(descriptor, parts.dacl))
    sids = tuple(dict.fromkeys(entry.sid for entry in entries if entry.allows))

    def holders(*rights: int, object_type: uuid.UUID | None = None) -> tuple[str, ...]:
        return tuple(sid for sid in sids if any(_allowed(entries, sid, right, object_type) for right in rights))

    return EnrollmentRights(
        owner=owner,
        enroll=holders(CONTROL_ACCESS, object_type=ENROLL),
        autoenroll=holders(CONTROL_ACCESS, object_type=AUTO_ENROLL),
        write=holders(WRITE_PROPERTY, WRITE_DAC, WRITE_OWNER),
    )


def permissions_alone(descriptor: bytes) -> bytes:
    """The descriptor with nothing but its discretionary access control list.

    The system list and an owner other than the caller may be written by holders of a privilege only, and an owner may
    always change the permissions; the directory gives a new object the owner that is due to it (MS-ADTS 6.1.3.5 and
    6.1.3.7).

    Raises:
        DirectoryError: it is damaged; names the offset.
    """
    parts = _parts(descriptor)
    control = parts.control & ~(_SACL_BITS | _OWNER_AND_GROUP_BITS)
    dacl = descriptor[parts.dacl : _acl_end(descriptor, parts.dacl)] if parts.dacl else b""
    return _HEADER.pack(descriptor[0], descriptor[1], control, 0, 0, 0, _HEADER.size if dacl else 0) + dacl


def well_known(sid: str) -> str | None:
    """The English name of a SID that is the same everywhere or in every domain; ``None`` for others."""
    return _NAMES.get(sid) or _DOMAIN_NAMES.get(_rid(sid))


def is_low_privileged(sid: str) -> bool:
    """Whether a SID stands for everybody, all users, all guests or all computers, of a domain or at all."""
    return sid in _LOW_PRIVILEGED or _rid(sid) in _LOW_PRIVILEGED_IN_DOMAIN


def _rid(sid: str) -> int:
    match = _DOMAIN_SID.fullmatch(sid)
    return int(match[1]) if match else -1


def _allowed(entries: tuple[_Entry, ...], sid: str, right: int, object_type: uuid.UUID | None) -> bool:
    for entry in entries:
        concerned = entry.sid == sid or (entry.sid == EVERYONE and not entry.allows)
        if concerned and entry.covers(right, object_type):
            return entry.allows
    return False


@dataclass(frozen=True)
class _Parts:
    """The control word, and the offsets of the parts; 0 for one that is not there."""

    control: int
    owner: int
    group: int
    dacl: int


def _parts(data: bytes) -> _Parts:
    if len(data) < _HEADER.size:
        raise _damaged(len(data), "it ends within its header")
    revision, _sbz, control, owner, group, _sacl, dacl = _HEADER.unpack_from(data)
    if revision != 1 or not control & _SELF_RELATIVE:
        raise _damaged(0, "it does not begin like a self-relative one of revision 1")
    return _Parts(control, owner, group, dacl if control & _DACL_PRESENT else 0)


def _entries(data: bytes, offset: int) -> Iterator[_Entry]:
    end = _acl_end(data, offset)
    _revision, _sbz1, _size, count, _sbz2 = _ACL_HEADER.unpack_from(data, offset)
    position = offset + _ACL_HEADER.size
    for _number in range(count):
        if position + _ACE_HEADER.size > end:
            raise _damaged(position, "an access control entry lies outside of its list")
        kind, flags, size = _ACE_HEADER.unpack_from(data, position)
        if size < _ACE_HEADER.size or position + size > end:
            raise _damaged(position, f"an access control entry gives its size as {size}")
        if kind in (_ALLOWED, _DENIED, _ALLOWED_OBJECT, _DENIED_OBJECT) and not flags & _INHERIT_ONLY:
            yield _entry(data, position, position + size)
        position += size


def _entry(data: bytes, start: int, end: int) -> _Entry:
    kind = data[start]
    position = start + _ACE_HEADER.size
    mask = _uint32(data, position, end)
    position += _UINT32.size
    object_type = None
    if kind in (_ALLOWED_OBJECT, _DENIED_OBJECT):
        present = _uint32(data, position, end)
        position += _UINT32.size
        if present & _OBJECT_TYPE_PRESENT:
            object_type = _guid(data, position, end)
            position += 16
        if present & _INHERITED_OBJECT_TYPE_PRESENT:
            position += 16
    sid, _end = _sid_at(data, position, end)
    return _Entry(kind in (_ALLOWED, _ALLOWED_OBJECT), mask, object_type, sid)


def _uint32(data: bytes, position: int, end: int) -> int:
    if position + _UINT32.size > end:
        raise _damaged(position, "an access control entry ends too early")
    return int.from_bytes(data[position : position + _UINT32.size], "little")


def _guid(data: bytes, position: int, end: int) -> uuid.UUID | None:
    """An object type; the GUID of zeros stands for none, as in the text forms of entries."""
    if position + 16 > end:
        raise _damaged(position, "an access control entry ends too early")
    guid = uuid.UUID(bytes_le=data[position : position + 16])
    return guid if guid.int else None


def _acl_end(data: bytes, offset: int) -> int:
    if not _HEADER.size <= offset <= len(data) - _ACL_HEADER.size:
        raise _damaged(offset, "the access control list lies outside of it")
    size = int.from_bytes(data[offset + 2 : offset + 4], "little")
    if size < _ACL_HEADER.size or offset + size > len(data):
        raise _damaged(offset, f"the access control list gives its size as {size}")
    return offset + size


def _sid_at(data: bytes, offset: int, end: int) -> tuple[str, int]:
    """The SID at an offset, and the offset after it."""
    if offset + 8 > end:
        raise _damaged(offset, "a SID lies outside of it")
    revision, count = data[offset], data[offset + 1]
    after = offset + 8 + 4 * count
    if revision != 1 or count > _MOST_SUB_AUTHORITIES or after > end:
        raise _damaged(offset, "there is no SID where one should be")
    authority = int.from_bytes(data[offset + 2 : offset + 8], "big")
    numbers = struct.unpack_from(f"<{count}I", data, offset + 8)
    # MS-DTYP 2.4.2.1: an authority of 2^32 or more is written in hexadecimal digits.
    first = str(authority) if authority < 1 << 32 else f"0x{authority:012X}"
    return "-".join(("S-1", first, *map(str, numbers))), after


def _damaged(offset: int, what: str) -> DirectoryError:
    return DirectoryError(
        f"The security descriptor is damaged: {what}.",
        place=f"nTSecurityDescriptor, offset {offset}",
        remedy="Look at the Security tab of the template.",
    )
