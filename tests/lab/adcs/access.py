# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who belongs to which group of the domain, and what a template's security descriptor grants him.

The rule of memberships, for the whole lab: everybody is in Everyone and Authenticated Users; a computer account is in
Domain Computers; a user is in Domain Users; the administrators of the directory (``directory: administrators``) are
in Domain Admins too, and the account Administrator in Enterprise Admins. A local administrator of a host is nothing
more than a Domain User.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Collection

from ..directory import descriptors
from ..host.machine import bare_name

_ALLOWED, _DENIED, _ALLOWED_OBJECT, _DENIED_OBJECT = 0, 1, 5, 6
_CONTROL_ACCESS = 0x00000100
_DACL_PRESENT = 0x0004
_OBJECT_TYPE_PRESENT, _INHERITED_TYPE_PRESENT = 1, 2


def groups(requester: str, computer: bool, administrators: Collection[str], domain_sid: str) -> frozenset[str]:
    """The SIDs of an account and of the groups that it is in.

    :param requester: with or without its domain.
    :param administrators: accounts that administer the directory.
    """
    names = ["Everyone", "Authenticated Users", "Domain Computers" if computer else "Domain Users"]
    bare = bare_name(requester).casefold()
    if not computer and bare in {name.casefold() for name in administrators}:
        names.append("Domain Admins")
        if bare == "administrator":
            names += ["Administrator", "Enterprise Admins"]
    return frozenset(descriptors.principal(name, domain_sid) for name in names)


def grants(descriptor: bytes, right: uuid.UUID, who: Collection[str]) -> bool:
    """Whether an extended right is granted: the first entry that matches decides (MS-DTYP 2.5.3.2; MS-CRTD 2.5.1).

    An entry matches that names one of the SIDs and has the bit ADS_RIGHT_DS_CONTROL_ACCESS, and the right's GUID or
    none. Without a DACL everything is granted.
    """
    control, start = struct.unpack_from("<H", descriptor, 2)[0], struct.unpack_from("<I", descriptor, 16)[0]
    if not control & _DACL_PRESENT or not start:
        return True
    count = struct.unpack_from("<H", descriptor, start + 4)[0]
    at = start + 8
    for _number in range(count):
        kind, _flags, size, mask = struct.unpack_from("<BBHI", descriptor, at)
        entry = descriptor[at + 8 : at + size]
        at += size
        if mask & _CONTROL_ACCESS and kind in (_ALLOWED, _DENIED, _ALLOWED_OBJECT, _DENIED_OBJECT):
            if kind in (_ALLOWED_OBJECT, _DENIED_OBJECT):
                given, entry = _object_type(entry)
                if given not in (None, right):
                    continue
            if descriptors.sid_text(entry) in who:
                return kind in (_ALLOWED, _ALLOWED_OBJECT)
    return False


def _object_type(entry: bytes) -> tuple[uuid.UUID | None, bytes]:
    """The object type of an object entry, and its SID."""
    present = struct.unpack_from("<I", entry)[0]
    at = 4
    found = None
    if present & _OBJECT_TYPE_PRESENT:
        found, at = uuid.UUID(bytes_le=entry[at : at + 16]), at + 16
    if present & _INHERITED_TYPE_PRESENT:
        at += 16
    return found, entry[at:]
