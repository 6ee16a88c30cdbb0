# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""INF files, and the names in them."""

from __future__ import annotations

import pytest
from lab.powershell.errors import NotSimulated
from lab.tools import inf
from lab.tools.x500 import BadName, alternative_names, distinguished_name


def _line(text: str, key: str = "Key", encoding: str = "cp1252") -> inf.Line | None:
    return inf.parse(f"[Section]\r\n{text}\r\n".encode(encoding), "cp1252").line("section", key)


@pytest.mark.parametrize(
    ("text", "value", "quoted"),
    [
        ("Key = value ; comment", "value", False),
        ("KEY=value", "value", False),
        ('key = " a ; b ""c"" " ; comment', ' a ; b "c" ', True),
        ('Key = "100%%"', "100%", True),
        ('Key = "CN=a,O=b"', "CN=a,O=b", True),
        ("Key = one\\\r\n two", "one two", False),
        ('Key = "C:\\"', "C:\\", True),
        ("Key =", "", False),
        ("%Name% = x\r\n[Strings]\r\nName = Key", "x", False),
        ('Key = "a %name% b %other%"\r\n[Strings]\r\nNAME = "text"', "a text b %other%", True),
        ('Key = "{text}"\r\n_continue_ = "dns=a&"\r\n_Continue_ = "dns=b"\r\nNext = "c"', "{text}dns=a&dns=b", True),
    ],
)
def test_a_line(text, value, quoted):
    line = _line(text)
    assert line is not None
    assert (line.text, line.quoted) == (value, quoted)


def test_sections_of_one_name_are_one_and_keys_may_repeat():
    file = inf.parse(b"[A]\r\nOID=1\r\n[B]\r\nOID=2\r\n[a]\r\nOID=3\r\n; [c]\r\n", "cp1252")
    assert [line.text for line in file.lines("A")] == ["1", "3"]
    assert list(file.sections) == ["a", "b"]


def test_an_encoding_is_utf_16_with_its_mark_or_the_ansi_code_page():
    text = '[Section]\r\nKey = "Größe"\r\n'
    for data in (text.encode("utf-16"), text.encode("cp1252")):
        line = inf.parse(data, "cp1252").line("Section", "Key")
        assert line is not None
        assert line.text == "Größe"
    damaged = _line('Key = "Größe"', encoding="utf-8")
    assert damaged is not None
    assert damaged.text == "GrÃ¶ÃŸe", "UTF-8 is read as ANSI"


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"Key = 1\r\n", 0xE0000000), (b"[Section\r\n", 0xE0000001), (b'[S]\r\nKey = "open\r\n', 0xE0000003)],
)
def test_what_does_not_parse(data, code):
    with pytest.raises(inf.InfFault) as caught:
        inf.parse(data, "cp1252")
    assert caught.value.code == code


def test_what_is_quoted_in_part_is_not_known():
    with pytest.raises(NotSimulated):
        _line('Key = "a" b')


def test_a_name_is_encoded_with_its_first_part_last():
    assert distinguished_name('CN=a.example,O="Fabrikam, ""Inc""",C=DE').rfc4514_string() == (
        'CN=a.example,O=Fabrikam\\, \\"Inc\\",C=DE'
    )
    assert distinguished_name("CN=a,b;O=c", semicolons=True).rfc4514_string() == "CN=a\\,b,O=c"
    assert distinguished_name("CN=a+b", plus=False).rfc4514_string() == "CN=a\\+b"
    assert distinguished_name("2.5.4.3=a").rfc4514_string() == "CN=a"
    assert not list(distinguished_name(""))


@pytest.mark.parametrize("text", ["a.example", "XX=a", "C=Germany", 'CN="a" b', "CN="])
def test_what_is_no_name(text):
    with pytest.raises(BadName):
        distinguished_name(text)


def test_alternative_names_are_divided_by_every_ampersand():
    names = alternative_names("dns=a.example&dns=b&ipaddress=10.0.0.1&upn=u@x&")
    assert [getattr(name, "value", "") for name in names][:2] == ["a.example", "b"]
    assert len(list(names)) == 4
    for wrong in ("a.example", "dn=a", "ipaddress=10.0.0", "dns=ä"):
        with pytest.raises(BadName):
            alternative_names(wrong)
