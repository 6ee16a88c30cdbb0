# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flag words of templates: names, hexadecimal, and the versions within."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template import flags
from hypothesis import given
from hypothesis import strategies as st

TABLES = {
    "private key": flags.PRIVATE_KEY_FLAGS,
    "enrollment": flags.ENROLLMENT_FLAGS,
    "subject name": flags.SUBJECT_NAME_FLAGS,
    "general": flags.GENERAL_FLAGS,
}


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (0x06060100, ["USE_LEGACY_PROVIDER"]),
        (0x06060010, ["EXPORTABLE_KEY"]),
        (0x05060080, ["REQUIRE_SAME_KEY_RENEWAL"]),
        (0x06060E00, ["EK_TRUST_ON_USE", "EK_VALIDATE_CERT", "EK_VALIDATE_KEY"]),
        (0x06067000, ["ATTEST_PREFERRED", "ATTEST_REQUIRED", "ATTEST_WITHOUT_POLICY"]),
        (0x00300000, ["HELLO_KSP_KEY", "HELLO_LOGON_KEY"]),
        (0, []),
    ],
)
def test_private_key_flags_by_name(value, names):
    assert flags.flag_names(value, flags.PRIVATE_KEY_FLAGS) == names


def test_a_bit_without_a_name_is_shown_as_a_number():
    assert flags.flag_names(0x00800110, flags.PRIVATE_KEY_FLAGS) == [
        "EXPORTABLE_KEY",
        "USE_LEGACY_PROVIDER",
        "0x00800000",
    ]


def test_a_negative_word_names_its_highest_bit():
    # The Administrator template, as certutil -v -dstemplate prints it in MS-CRTD 3.
    assert flags.flag_names(-1509949440, flags.SUBJECT_NAME_FLAGS) == [
        "SUBJECT_ALT_REQUIRE_UPN",
        "SUBJECT_ALT_REQUIRE_EMAIL",
        "SUBJECT_REQUIRE_EMAIL",
        "SUBJECT_REQUIRE_DIRECTORY_PATH",
    ]


def test_the_published_example_of_the_other_words():
    assert flags.flag_names(41, flags.ENROLLMENT_FLAGS) == [
        "INCLUDE_SYMMETRIC_ALGORITHMS",
        "PUBLISH_TO_DS",
        "AUTO_ENROLLMENT",
    ]
    assert flags.flag_names(66106, flags.GENERAL_FLAGS) == [
        "ADD_EMAIL",
        "PUBLISH_TO_DS",
        "EXPORTABLE_KEY",
        "AUTO_ENROLLMENT",
        "ADD_TEMPLATE_NAME",
        "IS_DEFAULT",
    ]


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
@given(value=st.integers(-(1 << 31), (1 << 32) - 1))
def test_no_bit_is_lost(table, value):
    bits = {name: bit for bit, name in table.items()}
    rebuilt = sum(bits[name] if name in bits else int(name, 16) for name in flags.flag_names(value, table))
    if table is flags.PRIVATE_KEY_FLAGS:
        rebuilt |= flags.unsigned(value) & 0x0F0F0000
    assert rebuilt == flags.unsigned(value)


@given(value=st.integers(-(1 << 31), (1 << 32) - 1))
def test_signed_and_unsigned_have_the_same_bits(value):
    assert -(1 << 31) <= flags.signed(value) < 1 << 31
    assert 0 <= flags.unsigned(value) < 1 << 32
    assert flags.unsigned(flags.signed(value)) == flags.unsigned(value)
    assert (flags.signed(value) - flags.unsigned(value)) % (1 << 32) == 0


@pytest.mark.parametrize(
    ("value", "ca", "client"),
    [
        (0x06060100, "Windows Server 2016", "Windows 10 or Windows Server 2016"),
        (0x04050000, "Windows Server 2012 R2", "Windows 8 or Windows Server 2012"),
        (0x01010000, "Windows Server 2003", "Windows XP or Windows Server 2003"),
        (0x09000000, None, "unknown (9)"),
        (0x000A0000, "unknown (10)", None),
        (0x100, None, None),
    ],
)
def test_the_oldest_ca_and_client(value, ca, client):
    assert flags.minimum_ca(value) == ca
    assert flags.minimum_client(value) == client


def test_a_word_is_described_as_signed_and_in_hexadecimal():
    assert flags.describe(0x06060100, flags.PRIVATE_KEY_FLAGS) == {
        "value": 101056768,
        "hex": "0x06060100",
        "names": ["USE_LEGACY_PROVIDER"],
    }
    described = flags.describe(2181038080, flags.SUBJECT_NAME_FLAGS)
    assert (described["value"], described["hex"]) == (-2113929216, "0x82000000")


@pytest.mark.parametrize(
    ("octets", "names"),
    [
        (b"\xa0\x00", ("digitalSignature", "keyEncipherment")),
        (b"\xa0", ("digitalSignature", "keyEncipherment")),
        (b"\x88", ("digitalSignature", "keyAgreement")),
        (b"\xe0", ("digitalSignature", "nonRepudiation", "keyEncipherment")),
        (b"\x86\x00", ("digitalSignature", "keyCertSign", "cRLSign")),
        (b"\x11\x80", ("dataEncipherment", "encipherOnly", "decipherOnly")),
        (b"", ()),
    ],
)
def test_key_usage_by_name(octets, names):
    assert flags.key_usage_names(octets) == names
