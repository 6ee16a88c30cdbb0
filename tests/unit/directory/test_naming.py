# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and filters into which no value can break."""

from __future__ import annotations

import re

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.naming import (
    any_of,
    canonical,
    equals,
    filter_value,
    parent,
    rdn,
)
from hypothesis import given
from hypothesis import strategies as st

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("WebServer-2_a.b", "WebServer-2_a.b"),
        ("a*)(cn=*", "a\\2a\\29\\28cn\\3d\\2a"),
        ("back\\slash", "back\\5cslash"),
        ("ü", "\\c3\\bc"),
        ("a b", "a\\20b"),
        ("\x00", "\\00"),
        (b"\xa0\x00", "\\a0\\00"),
        ('it\'s "x"', "it\\27s\\20\\22x\\22"),
    ],
)
def test_a_value_in_a_filter_is_only_a_value(value, escaped):
    assert filter_value(value) == escaped


@given(texts)
def test_a_filter_value_means_the_value_and_is_one_plain_word(value):
    escaped = filter_value(value)
    assert re.fullmatch(r"(?:[A-Za-z0-9._-]|\\[0-9a-f]{2})+", escaped)
    data = re.sub(r"\\(..)", lambda match: chr(int(match[1], 16)), escaped).encode("latin-1")
    assert data.decode("utf-8") == value


def test_filters_are_put_together():
    one, two = equals("cn", "A"), equals("cn", "(B)")
    assert any_of(one) == "(cn=A)"
    assert any_of(one, two) == "(|(cn=A)(cn=\\28B\\29))"


def test_text_that_is_no_unicode_gives_a_filter_and_no_traceback():
    assert filter_value("\ud800") == "\\ed\\a0\\80"


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("Web Server", "Web Server"),
        ("Sales, EMEA", "Sales\\, EMEA"),
        (" a ", "\\ a\\ "),
        (" ", "\\ "),
        ("  ", "\\ \\ "),
        ("#1", "\\#1"),
        ("a#1", "a#1"),
        ('q"u', 'q\\"u'),
        ("a+b=c;d<e>f", "a\\+b\\=c\\;d\\<e\\>f"),
        ("a\\", "a\\\\"),
        ("a\\ ", "a\\\\\\ "),
        ("a\nb\x00", "a\\0ab\\00"),
        ("Prüfung", "Prüfung"),
    ],
)
def test_a_relative_name_is_escaped(value, escaped):
    assert rdn("CN", value) == f"CN={escaped}"


@given(texts, texts)
def test_the_parent_of_an_escaped_name_is_what_stands_behind_it(value, above):
    container = rdn("CN", above)
    assert parent(f"{rdn('CN', value)},{container}") == container
    assert parent(container) == ""


@given(texts | st.text(" \\\\,#a", min_size=1))
def test_an_escaped_name_means_the_value(value):
    (found,) = canonical(rdn("CN", value))
    assert found == f"CN={value}".casefold()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CN=a\\,b,DC=x", "cn=A\\2Cb,dc=X"),
        ('CN=\\"q\\",DC=x', "CN=\\22q\\22,DC=x"),
        ("CN=Pr\\C3\\BCfung,DC=x", "CN=Prüfung,DC=x"),
        ("CN=a\\ ,DC=x", "CN=a\\20,DC=x"),
        ("CN=a, DC=x", "CN=a,DC=x"),
    ],
)
def test_names_that_are_the_same_compare_equal(one, other):
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"), [("CN=a,CN=b", "CN=a\\,CN=b"), ("CN=a,DC=x", "CN=a"), ("CN=a\\ ,DC=x", "CN=a,DC=x")]
)
def test_names_that_differ_do_not(one, other):
    assert canonical(one) != canonical(other)
