# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes of an object as what they are, and changes to them."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.change import (
    Modification,
    adjusted,
    replaced,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.entry import Entry
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import DirectoryError


def holding(*values):
    return Entry("CN=a", {"msPKI-Private-Key-Flag": values})


def test_an_attribute_is_found_whatever_its_case():
    found = holding(b"16")
    assert found.values("mspki-private-key-FLAG") == (b"16",)
    assert found.value("MSPKI-PRIVATE-KEY-FLAG") == b"16"
    assert found.integer("mspki-Private-Key-Flag") == 16


def test_an_absent_attribute_has_no_value():
    found = Entry("CN=a", {})
    assert found.values("flags") == ()
    assert found.texts("flags") == ()
    assert (found.value("flags"), found.text("flags"), found.integer("flags")) == (None, None, None)


def test_an_empty_value_is_not_an_absent_one():
    assert Entry("CN=a", {"cn": (b"",)}).text("cn") == ""


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"0", 0),
        (b"101056784", 0x06060110),
        (b"2147483647", 0x7FFFFFFF),
        (b"-2113929216", -2113929216),
        (b"2181038080", -2113929216),
        (b"4294967295", -1),
        (b"-2147483648", -0x80000000),
    ],
)
def test_numbers_are_signed_32_bit(text, number):
    assert holding(text).integer("msPKI-Private-Key-Flag") == number


@pytest.mark.parametrize("text", [b"4294967296", b"-2147483649", b"0x10", b"", b"one", b"1.0"])
def test_what_is_no_such_number_is_told_with_its_object(text):
    with pytest.raises(DirectoryError, match="not a 32-bit number") as caught:
        holding(text).integer("msPKI-Private-Key-Flag")
    assert caught.value.place == "CN=a"


@pytest.mark.parametrize("read", ["value", "text", "integer"])
def test_several_values_where_one_is_expected_are_told(read):
    with pytest.raises(DirectoryError, match="has 2 values"):
        getattr(holding(b"1", b"2"), read)("msPKI-Private-Key-Flag")


def test_text_that_is_not_utf_8_is_told():
    with pytest.raises(DirectoryError, match="not UTF-8"):
        holding(b"\xa0\x00").texts("msPKI-Private-Key-Flag")


def test_entries_are_equal_by_their_content():
    assert holding(b"1") == holding(b"1")
    assert holding(b"1") != holding(b"2")


def test_a_replacement_takes_the_old_values_as_its_lock():
    assert replaced("cn", [b"a", b"b"], [b"b"]) == Modification("cn", (b"a", b"b"), (b"b",))


def test_an_adjustment_leaves_the_values_of_others():
    assert adjusted("certificateTemplates", [b"A", b"B"], [b"B", b"C"]) == Modification(
        "certificateTemplates", (b"A",), (b"C",)
    )
