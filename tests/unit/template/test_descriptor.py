# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may enrol by a template, read from its security descriptor."""

from __future__ import annotations

import base64
import struct
from dataclasses import replace

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import DirectoryError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.descriptor import (
    EnrollmentRights,
    enrollment_rights,
    is_low_privileged,
    permissions_alone,
    well_known,
)
from hypothesis import given
from hypothesis import strategies as st

ENROLL = "0e10c968-78fb-11d2-90d4-00c04f79dc55"
AUTO_ENROLL = "a05b8cc2-17bc-4802-a710-e7c15ab866a2"
OTHER_RIGHT = "00299570-246d-11d0-a768-00aa006e0529"
DOMAIN = "S-1-5-21-1004336348-1177238915-682003330"
USERS = f"{DOMAIN}-513"
SERVERS = f"{DOMAIN}-1104"
EVERYONE = "S-1-1-0"

CONTROL = 0x100
FULL = 0xF01FF

# Written by Samba 4.17 (samba.dcerpc.security) from the permissions of a Web Server duplicate that Domain Users may
# enrol by, with an audit entry: O:EAG:EAD:PAI(OA;;RPWPCR;ENROLL;;DA)(OA;;RPWPCR;ENROLL;;DU)(OA;;RPWPCR;ENROLL;;EA)
# (A;;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;;CCDCLCSWRPWPDTLOSDRCWDWO;;;EA)(A;;LCRPLORC;;;AU)S:AI(AU;SAFA;WPWDWO;;;WD)
SAMBA = base64.b64decode(
    "AQAUnBQAAAAwAAAATAAAAGgAAAABBQAAAAAABRUAAADc9Nw7gz0rRoKLpigHAgAAAQUAAAAAAAUVAAAA3PTcO4M9K0aCi6YoBwIAAAQAHAABAAAA"
    "AsAUACAADAABAQAAAAAAAQAAAAAEAAwBBgAAAAUAOAAwAQAAAQAAAGjJEA77eNIRkNQAwE953FUBBQAAAAAABRUAAADc9Nw7gz0rRoKLpigAAgAA"
    "BQA4ADABAAABAAAAaMkQDvt40hGQ1ADAT3ncVQEFAAAAAAAFFQAAANz03DuDPStGgoumKAECAAAFADgAMAEAAAEAAABoyRAO+3jSEZDUAMBPedxV"
    "AQUAAAAAAAUVAAAA3PTcO4M9K0aCi6YoBwIAAAAAJAD/AA8AAQUAAAAAAAUVAAAA3PTcO4M9K0aCi6YoAAIAAAAAJAD/AA8AAQUAAAAAAAUVAAAA"
    "3PTcO4M9K0aCi6YoBwIAAAAAFACUAAIAAQEAAAAAAAULAAAA"
)


def test_permissions_that_another_program_wrote():
    admins = (f"{DOMAIN}-512", f"{DOMAIN}-519")
    assert enrollment_rights(SAMBA) == EnrollmentRights(
        owner=f"{DOMAIN}-519",
        enroll=(f"{DOMAIN}-512", USERS, f"{DOMAIN}-519"),
        autoenroll=(),
        write=admins,
    )


@pytest.mark.parametrize(
    ("mask", "right", "enrolls", "autoenrolls"),
    [
        (CONTROL, ENROLL, True, False),
        (CONTROL, AUTO_ENROLL, False, True),
        (CONTROL, OTHER_RIGHT, False, False),
        (CONTROL, None, True, True),
        (CONTROL, "00000000-0000-0000-0000-000000000000", True, True),
        (FULL, None, True, True),
        (0x10000000, None, True, True),
        (0x10000000, ENROLL, True, False),
        (0x40000000, None, False, False),
        (0x20094, None, False, False),
        (0x30, ENROLL, False, False),
    ],
)
def test_what_means_enroll(make_descriptor, make_ace, mask, right, enrolls, autoenrolls):
    rights = enrollment_rights(make_descriptor([make_ace(SERVERS, mask, right)]))
    assert rights.enroll == ((SERVERS,) if enrolls else ())
    assert rights.autoenroll == ((SERVERS,) if autoenrolls else ())


@pytest.mark.parametrize(
    ("mask", "right", "writes"),
    [
        (0x20, None, True),
        (0x40000, None, True),
        (0x80000, None, True),
        (0x40000000, None, True),
        (0x10000000, None, True),
        (FULL, None, True),
        (0x20, "1ef6336e-3b9e-11d2-90cc-00c04fd91ab1", False),
        (0x130, ENROLL, False),
        (0x20094, None, False),
    ],
)
def test_what_means_write(make_descriptor, make_ace, mask, right, writes):
    rights = enrollment_rights(make_descriptor([make_ace(SERVERS, mask, right)]))
    assert rights.write == ((SERVERS,) if writes else ())


def test_an_entry_with_the_type_of_inheriting_objects_is_read(make_descriptor, make_ace):
    aces = [make_ace(SERVERS, CONTROL, ENROLL, inherited=True), make_ace(USERS, CONTROL, inherited=True)]
    assert enrollment_rights(make_descriptor(aces)).enroll == (SERVERS, USERS)


def test_who_is_denied_may_not(make_descriptor, make_ace):
    aces = [
        make_ace(USERS, CONTROL, ENROLL, deny=True),
        make_ace(USERS, CONTROL),
        make_ace(SERVERS, CONTROL, ENROLL),
    ]
    rights = enrollment_rights(make_descriptor(aces))
    assert rights.enroll == (SERVERS,)
    assert rights.autoenroll == (USERS,)


def test_the_first_entry_decides(make_descriptor, make_ace):
    aces = [make_ace(USERS, CONTROL, ENROLL), make_ace(USERS, CONTROL, deny=True)]
    assert enrollment_rights(make_descriptor(aces)).enroll == (USERS,)


def test_what_is_denied_to_everyone_is_denied_to_all(make_descriptor, make_ace):
    aces = [make_ace(EVERYONE, CONTROL, deny=True), make_ace(USERS, CONTROL, ENROLL)]
    assert enrollment_rights(make_descriptor(aces)).enroll == ()


def test_an_entry_for_children_alone_counts_for_nothing(make_descriptor, make_ace):
    aces = [make_ace(USERS, CONTROL, flags=0x0B), make_ace(SERVERS, CONTROL, flags=0x10)]
    assert enrollment_rights(make_descriptor(aces)).enroll == (SERVERS,)


def test_an_entry_of_an_unknown_type_is_passed_over(make_descriptor, make_ace):
    unknown = struct.pack("<BBHI", 0x13, 0, 8, 0xFFFFFFFF)
    assert enrollment_rights(make_descriptor([unknown, make_ace(USERS, CONTROL)])).enroll == (USERS,)


def test_an_empty_list_allows_nobody(make_descriptor):
    assert enrollment_rights(make_descriptor([])) == EnrollmentRights("S-1-5-21-1-2-3-519", (), (), ())


def test_without_a_list_everyone_may(make_descriptor):
    assert enrollment_rights(make_descriptor(None, owner=None)) == EnrollmentRights(
        None, (EVERYONE,), (EVERYONE,), (EVERYONE,)
    )


def test_only_the_list_of_permissions_is_kept():
    plain = permissions_alone(SAMBA)
    control, owner, group, sacl, dacl = struct.unpack_from("<HIIII", plain, 2)
    assert control == 0x9404  # self-relative, protected, inheritance marked, list present
    assert (owner, group, sacl) == (0, 0, 0)
    assert plain[dacl:] == SAMBA[0x68:]
    assert permissions_alone(plain) == plain
    kept, given = enrollment_rights(plain), enrollment_rights(SAMBA)
    assert (kept.enroll, kept.autoenroll, kept.write) == (given.enroll, given.autoenroll, given.write)


def test_the_parts_that_are_absent_stay_absent(make_descriptor):
    assert permissions_alone(make_descriptor(None, owner=None)) == make_descriptor(None, owner=None)


def owner_of(sid):
    """The owner of a descriptor that holds nothing but this SID."""
    return enrollment_rights(struct.pack("<BBHIIII", 1, 0, 0x8000, 20, 0, 0, 0) + sid).owner


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("010100000000000100000000", EVERYONE),
        ("01020000000000052000000021020000", "S-1-5-32-545"),
        ("010000000000000f", "S-1-15"),
        ("01010123456789ab07000000", "S-1-0x0123456789AB-7"),
        (
            "010500000000000515000000ffffffff0100000002000000f4010000",
            "S-1-5-21-4294967295-1-2-500",
        ),
    ],
)
def test_a_sid_as_text(octets, text):
    assert owner_of(bytes.fromhex(octets)) == text


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "0101",
        "020100000000000100000000",
        "0102000000000001000000",
        "0110" + "00" * 70,
    ],
)
def test_no_sid(octets):
    with pytest.raises(DirectoryError) as raised:
        owner_of(bytes.fromhex(octets))
    assert "offset" in str(raised.value.place)


@pytest.mark.parametrize(
    ("sid", "name", "low"),
    [
        (EVERYONE, "Everyone", True),
        ("S-1-5-7", "Anonymous", True),
        ("S-1-5-11", "Authenticated Users", True),
        ("S-1-5-32-545", "Users", True),
        ("S-1-5-32-546", "Guests", True),
        (USERS, "Domain Users", True),
        (f"{DOMAIN}-514", "Domain Guests", True),
        (f"{DOMAIN}-515", "Domain Computers", True),
        (f"{DOMAIN}-512", "Domain Admins", False),
        (f"{DOMAIN}-516", "Domain Controllers", False),
        ("S-1-5-9", "Enterprise Domain Controllers", False),
        ("S-1-5-32-544", "Administrators", False),
        (SERVERS, None, False),
        ("S-1-5-32-513", None, False),
        ("S-1-5-80-1-2-3-513", None, False),
    ],
)
def test_names_and_privilege(sid, name, low):
    assert well_known(sid) == name
    assert is_low_privileged(sid) is low


@pytest.mark.parametrize(
    ("start", "octets", "offset"),
    [
        (0, "02", 0),
        (3, "1c", 0),
        (4, "00ffffff", 0xFFFFFF00),
        (16, "ff0f0000", 0xFFF),
        (16, "04000000", 4),
        (0x6A, "ffff", 0x68),
        (0x6A, "0400", 0x68),
        (0x6C, "ff00", 0x174),
        (0x72, "0200", 0x70),
        (0x72, "ffff", 0x70),
        (0x72, "0a00", 0x78),
        (0x72, "1800", 0x7C),
        (0x8C, "09", 0x8C),
        (0x8D, "06", 0x8C),
    ],
)
def test_damage_is_told_with_its_offset(start, octets, offset):
    damaged = bytearray(SAMBA)
    part = bytes.fromhex(octets)
    damaged[start : start + len(part)] = part
    with pytest.raises(DirectoryError) as raised:
        enrollment_rights(bytes(damaged))
    assert raised.value.place == f"nTSecurityDescriptor, offset {offset}"
    assert raised.value.remedy


@given(st.integers(0, len(SAMBA) - 1))
def test_a_descriptor_that_is_cut_off(length):
    with pytest.raises(DirectoryError):
        enrollment_rights(SAMBA[:length])
    with pytest.raises(DirectoryError):
        permissions_alone(SAMBA[:length])


def readable(read, data):
    """Whether it could be read; anything but a DirectoryError escapes."""
    try:
        read(data)
    except DirectoryError:
        return False
    return True


@given(st.lists(st.tuples(st.integers(0, len(SAMBA) - 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_descriptor_with_changed_octets_is_read_or_refused(changes):
    changed = bytearray(SAMBA)
    for position, value in changes:
        changed[position] = value
    if readable(enrollment_rights, bytes(changed)) and readable(permissions_alone, bytes(changed)):
        kept = enrollment_rights(permissions_alone(bytes(changed)))
        assert kept == replace(enrollment_rights(bytes(changed)), owner=None)


@given(st.binary(max_size=200))
def test_any_octets_are_refused_if_they_do_not_begin_like_a_descriptor(data):
    for read in (enrollment_rights, permissions_alone):
        assert not readable(read, data) or data[0] == 1
    assert not readable(owner_of, data) or data[:1] == b"\x01"
