# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""msPKI-RA-Application-Policies in its two syntaxes, and in none."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.policies import parse
from hypothesis import given
from hypothesis import strategies as st

AGENT = "1.3.6.1.4.1.311.20.2.1"
SIGNING = "1.3.6.1.4.1.311.10.3.8"
NAME = "msPKI-RA-Application-Policies"

ECDH = "msPKI-Asymmetric-Algorithm`PZPWSTR`ECDH_P256`msPKI-Hash-Algorithm`PZPWSTR`SHA256`msPKI-Key-Usage`DWORD`2"


def test_nothing_is_nothing():
    read = parse([])
    assert (read.oids, dict(read.properties), read.has_properties, read.has_plain_values, read.notes) == (
        (),
        {},
        False,
        False,
        (),
    )


def test_a_list_of_object_identifiers():
    read = parse([AGENT, SIGNING])
    assert read.oids == (AGENT, SIGNING)
    assert not read.has_properties
    assert read.notes == ()


@pytest.mark.parametrize("end", ["", "`"])
def test_properties_with_and_without_the_last_delimiter(end):
    read = parse([ECDH + end])
    assert read.properties == {
        "msPKI-Asymmetric-Algorithm": "ECDH_P256",
        "msPKI-Hash-Algorithm": "SHA256",
        "msPKI-Key-Usage": "2",
    }
    assert read.has_properties
    assert not read.has_plain_values
    assert read.oids == ()
    assert read.notes == ()


def test_object_identifiers_among_the_properties():
    read = parse([f"{NAME}`PZPWSTR`{AGENT},{SIGNING}`{ECDH}`"])
    assert read.oids == (AGENT, SIGNING)
    assert NAME not in read.properties
    assert read.properties["msPKI-Asymmetric-Algorithm"] == "ECDH_P256"
    assert read.notes == ()


def test_a_security_descriptor_keeps_its_commas_and_semicolons():
    sddl = "D:P(A;;FA;;;BA)(A;;GR;;;S-1-5-80-1-2)"
    assert parse([f"msPKI-Key-Security-Descriptor`PZPWSTR`{sddl}`"]).properties == {
        "msPKI-Key-Security-Descriptor": sddl
    }


def test_both_syntaxes_at_once():
    read = parse([SIGNING, f"{ECDH}`", AGENT, f"{NAME}`PZPWSTR`{AGENT}`"])
    assert read.oids == (SIGNING, AGENT)
    assert read.has_properties
    assert read.has_plain_values
    assert len(read.properties) == 3


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ("not an identifier", "'not an identifier'"),
        ("", "''"),
        (f"{AGENT},{SIGNING}", "no object identifier"),
        (f"{ECDH}`left", "'left'"),
        ("msPKI-Surprise`PZPWSTR`1`", "'msPKI-Surprise'"),
        ("msPKI-Key-Usage`PZPWSTR`2`", "DWORD is expected"),
        ("msPKI-Key-Usage`DWORD`two`", "'two'"),
        (f"{ECDH}`{ECDH}`", "given twice"),
        (f"{NAME}`PZPWSTR`{AGENT},oops`", "'oops'"),
        ("x" * 5000, "..."),
    ],
)
def test_what_cannot_be_read_becomes_a_note(value, part):
    notes = parse([value]).notes
    assert any(part in note for note in notes), notes
    assert all(len(note) < 300 for note in notes)


def test_what_can_be_read_beside_it_is_read():
    read = parse([f"{ECDH}`left", "oops", AGENT])
    assert read.properties["msPKI-Hash-Algorithm"] == "SHA256"
    assert read.oids == (AGENT,)
    assert len(read.notes) == 2


def test_of_two_values_of_a_property_the_first_is_kept():
    read = parse(["msPKI-Hash-Algorithm`PZPWSTR`SHA256`msPKI-Hash-Algorithm`PZPWSTR`SHA1`"])
    assert read.properties == {"msPKI-Hash-Algorithm": "SHA256"}


@given(st.lists(st.text(alphabet=st.sampled_from("`,. 1269DWORDPZSTmspki-\x00\u00fc\u0661"), max_size=60), max_size=5))
def test_anything_is_read_or_noted(values):
    read = parse(values)
    assert read.has_properties == any("`" in value for value in values)
    assert read.has_plain_values == any("`" not in value for value in values)
    assert all(oid.isascii() for oid in read.oids)
    if values and not read.oids and not read.properties:
        assert read.notes or all(set(value) == {"`"} and len(value) == 1 for value in values)
