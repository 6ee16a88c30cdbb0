# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may use a private key, read from the access control list of its file."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.key_access import (
    AccessEntry,
    accounts,
    for_readers,
    locked_out,
    parse_access,
    same_access,
    taken_over,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from hypothesis import given
from hypothesis import strategies as st

RTC = "S-1-5-21-1000-2000-3000-1108"
USUAL = f"D:AI(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;;FR;;;NS)(A;;0x1200a9;;;{RTC})"


@pytest.mark.parametrize(
    ("sddl", "words"),
    [
        ("", "cannot be read"),
        ("O:BAG:SY", "cannot be read"),
        ("D:", "is empty"),
        ("D:PAI", "is empty"),
        ("D:(A;OICIIO;FA;;;SY)", "is empty"),
        ("D:NO_ACCESS_CONTROL", "everybody may use"),
        ("D:PNO_ACCESS_CONTROL", "everybody may use"),
        ('D:(XA;;FR;;;WD;(@User.Title=="Admin"))', "cannot be read"),
        ("D:(XA;;FR;;;SY;x)", "of a kind"),
        ("D:(A;;FR;;;SY;)", "of a kind"),
        ("D:(OA;;CR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;SY)", "of a kind"),
        ("D:(A;;CR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;SY)", "of a kind"),
        ("D:(AU;;FA;;;SY)", "of a kind"),
        ("D:(A;;FA;SY)", "of a kind"),
        ("D:(A;;FA;;)", "cannot be read"),
        ("D:(A;SAFA;FA;;;SY)", "cannot be read"),
        ("D:(A;;FAX;;;SY)", "cannot be read"),
        ("D:(A;;;;;SY)", "cannot be read"),
        ("D:(A;;0x100000000;;;SY)", "cannot be read"),
        ("D:(A;;FA;;;SYSTEM)", "cannot be read"),
        ("D:(A;;FA;;;S-2-5-18)", "cannot be read"),
        ("D:(A;;FA;;;SY)(A;;FA", "cannot be read"),
        ("(A;;FA;;;SY)", "cannot be read"),
    ],
)
def test_a_list_that_does_not_tell_is_refused(sddl, words):
    with pytest.raises(EnrolmentError, match=words) as caught:
        parse_access(sddl)
    assert caught.value.place == "access to the private key"
    assert "'readers'" in caught.value.remedy


def test_a_list_is_read_in_its_order():
    access = parse_access(f"O:{RTC}G:DUD:AI(D;;FR;;;BG)(A;ID;FA;;;SY)S:AI(AU;SAFA;FA;;;WD)")
    assert access.entries == (AccessEntry("D", "", "FR", "BG"), AccessEntry("A", "ID", "FA", "SY"))


def test_the_new_key_gets_the_same_entries_and_hears_of_no_directory():
    assert taken_over(parse_access(USUAL)) == f"D:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;NS)(A;;0x1200a9;;;{RTC})"


def test_an_entry_for_children_alone_does_not_become_one_for_the_key():
    assert taken_over(parse_access("D:(A;;FA;;;SY)(A;OICIIOID;GA;;;WD)")) == "D:PAI(A;;FA;;;SY)"


@pytest.mark.parametrize("stand_in", ["CO", "CG", "S-1-3-0"])
def test_an_entry_for_whoever_creates_a_key_says_nothing_of_who_may_use_it(stand_in):
    access = parse_access(f"D:P(A;;0xd01f01ff;;;{stand_in})(A;;0xd01f01ff;;;SY)(A;;FR;;;OW)")
    assert taken_over(access) == "D:PAI(A;;0xd01f01ff;;;SY)(A;;FR;;;OW)"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("D:(A;;FR;;;NS)", "D:PAI(A;ID;0x120089;;;S-1-5-20)"),
        ("D:(A;;FA;;;SY)(A;;FR;;;NS)", "D:(A;;FR;;;NS)(A;;0x1F01FF;;;SY)"),
        ("D:(A;;FR;;;NS)(A;;FW;;;NS)", "D:(A;;0x12019f;;;NS)"),
        ("D:(A;;CCSWLORC;;;NS)", "D:(A;;0x20089;;;NS)"),
        ("D:(A;;0x80120089;;;NS)", "D:(A;;FR;;;NS)"),
        ("D:(A;;0xd01f01ff;;;SY)", "D:(A;;FA;;;SY)"),
        ("D:(A;;FA;;;DA)", "D:(A;;FA;;;DA)"),
    ],
)
def test_the_forms_in_which_windows_writes_the_same(first, second):
    assert same_access(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("D:(A;;FR;;;NS)", "D:(A;;FR;;;LS)"),
        ("D:(A;;FR;;;NS)", "D:(A;;FA;;;NS)"),
        ("D:(A;;FR;;;NS)", "D:(D;;FR;;;NS)"),
        ("D:(A;;FA;;;SY)(A;;FR;;;NS)", "D:(A;;FA;;;SY)"),
        ("D:(D;;FR;;;BG)(A;;FR;;;NS)", "D:(A;;FR;;;NS)(D;;FR;;;BG)"),
        ("D:(A;;FR;;;NS)", "D:(A;;0x120088;;;NS)"),
    ],
)
def test_other_rights_are_other_rights(first, second):
    assert not same_access(first, second)


def test_what_cannot_be_read_is_not_compared():
    with pytest.raises(EnrolmentError, match="is empty"):
        same_access(USUAL, "D:P")


ENTRIES = st.lists(
    st.tuples(
        st.sampled_from("AD"),
        st.sampled_from(["", "ID", "OICI", "OICIID", "NP"]),
        st.one_of(
            st.lists(st.sampled_from(["FA", "FR", "FW", "FX", "RC", "SD", "GR"]), min_size=1, max_size=3).map("".join),
            st.integers(1, 0xFFFFFFFF).map(hex),
        ),
        st.sampled_from(["SY", "BA", "NS", "S-1-5-20", "WD", "DA", RTC]),
    ),
    min_size=1,
    max_size=6,
)


def written(entries, head="D:AI", marks=True):
    return head + "".join(f"({kind};{flags if marks else ''};{rights};;;{sid})" for kind, flags, rights, sid in entries)


@given(ENTRIES)
def test_what_is_taken_over_gives_the_same_access(entries):
    made = taken_over(parse_access(written(entries)))
    assert same_access(made, written(entries, "D:", marks=False))
    assert made.startswith("D:PAI(")
    assert all(entry.flags == "" for entry in parse_access(made).entries)


@given(ENTRIES, st.data())
def test_an_entry_more_is_noticed(entries, data):
    extra = data.draw(st.sampled_from(["(A;;FR;;;LS)", "(D;;FR;;;LS)"]))
    assert not same_access(written(entries), written(entries) + extra)


def test_readers_read_and_administrators_manage():
    made = for_readers(["S-1-5-20", RTC, " S-1-5-20 ", "S-1-5-18", "S-1-5-32-544"])
    assert made == f"D:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;FR;;;S-1-5-20)(A;;FR;;;{RTC})"
    assert for_readers([]) == "D:PAI(A;;FA;;;SY)(A;;FA;;;BA)"
    assert not locked_out(parse_access(made))


@pytest.mark.parametrize(
    "text", ["", "NS", "NETWORK SERVICE", "s-1-5-20", "S-1-5", "S-1-5-20)(A;;FA;;;WD", "S-1-5-4294967296", "S-2-5-20"]
)
def test_a_reader_must_be_a_sid(text):
    with pytest.raises(EnrolmentError, match="is no SID") as caught:
        for_readers(["S-1-5-20", text])
    assert caught.value.place == "the option 'readers'"


@pytest.mark.parametrize(
    ("sid", "name"),
    [
        ("S-1-1-0", "Everyone"),
        ("S-1-5-11", "Authenticated Users"),
        ("S-1-5-7", "ANONYMOUS LOGON"),
        ("S-1-5-2", "NETWORK"),
        ("S-1-5-32-545", "Users"),
        ("S-1-5-32-546", "Guests"),
        ("S-1-5-21-1-2-3-513", "Domain Users"),
        ("S-1-5-21-1-2-3-515", "Domain Computers"),
    ],
)
def test_a_private_key_is_not_for_everybody(sid, name):
    with pytest.raises(EnrolmentError, match=rf"{sid} \({name}\)"):
        for_readers([sid])


@pytest.mark.parametrize(
    ("sddl", "locked"),
    [
        (USUAL, False),
        ("D:(A;;FR;;;BA)", False),
        ("D:(A;;GA;;;SY)", False),
        ("D:(A;;FR;;;NS)", True),
        ("D:(A;;RCWD;;;BA)(A;;FR;;;NS)", True),
        ("D:(D;;FR;;;SY)(D;;FA;;;BA)(A;;FA;;;SY)(A;;FA;;;BA)", True),
        ("D:(D;;FR;;;WD)(A;;FA;;;SY)", True),
        ("D:(D;;WD;;;WD)(A;;FA;;;SY)", False),
        ("D:(A;;FA;;;SY)(D;;FR;;;WD)", False),
    ],
)
def test_whether_those_who_manage_the_host_are_locked_out(sddl, locked):
    assert locked_out(parse_access(sddl)) is locked


def test_accounts_are_told_by_sid_and_name():
    access = parse_access(f"D:(D;;FW;;;BG)(A;;0xd01f01ff;;;SY)(A;;0x80120089;;;NS)(A;;0x1200a9;;;{RTC})(A;;FA;;;DA)")
    assert accounts(access) == [
        {"sid": "S-1-5-32-546", "name": "Guests", "rights": "FW", "type": "deny"},
        {"sid": "S-1-5-18", "name": "SYSTEM", "rights": "full", "type": "allow"},
        {"sid": "S-1-5-20", "name": "NETWORK SERVICE", "rights": "read", "type": "allow"},
        {"sid": RTC, "name": None, "rights": "0x1200a9", "type": "allow"},
        {"sid": "DA", "name": "Domain Admins", "rights": "full", "type": "allow"},
    ]
