# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stores out of the registry as text, as the tools print it and as it comes back from consoles and mails."""

from __future__ import annotations

import textwrap

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.registry import (
    read_reg_export,
    read_reg_query,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Reading, Source
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.formats import serialized

MY = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SystemCertificates\\MY\\Certificates"
FUZZ = settings(max_examples=60, derandomize=True, database=None, deadline=None)


def whole(reading: Reading, store: dict[str, bytes]) -> bool:
    found = [certificate.thumbprint for certificate in reading]
    keys = {certificate.key.kind for certificate in reading}
    return found == list(store) and keys == {"csp"} and not reading.problems


def test_reg_query(store: dict[str, bytes]) -> None:
    reading = read_reg_query(serialized.reg_query(store).encode("ascii"), "lync01")
    assert whole(reading, store)
    first = next(iter(store))
    assert reading.certificates[0].source == Source("reg_query", "lync01", f"{MY}\\{first}")
    assert [certificate.notes for certificate in reading] == [()] * 3


def test_reg_export(store: dict[str, bytes]) -> None:
    reading = read_reg_export(serialized.reg_export(store), "my.reg")
    assert whole(reading, store)
    assert reading.certificates[2].source == Source("reg_export", "my.reg", f"{MY}\\{list(store)[2]}")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-8-sig", "ascii"])
def test_reg_query_in_the_encodings_that_a_redirection_writes(store: dict[str, bytes], encoding: str) -> None:
    assert whole(read_reg_query(serialized.reg_query(store).encode(encoding), "a.txt"), store)


def test_decoded_text_is_read_too(store: dict[str, bytes]) -> None:
    assert whole(read_reg_query(serialized.reg_query(store), "a"), store)
    assert whole(read_reg_export(serialized.reg_export(store).decode("utf-16"), "a"), store)


def test_key_names_in_lower_case_are_no_defect(store: dict[str, bytes]) -> None:
    reading = read_reg_query(serialized.reg_query({name.lower(): blob for name, blob in store.items()}), "a")
    assert whole(reading, store)
    assert [certificate.notes for certificate in reading] == [()] * 3


def test_another_key_name_is_noted(store: dict[str, bytes]) -> None:
    blob = next(iter(store.values()))
    (certificate,) = read_reg_export(serialized.reg_export({"0" * 40: blob}), "a")
    assert "The registry key is named 0000" in certificate.notes[0]


@pytest.mark.parametrize("width", [80, 119, 120])
def test_lines_that_a_console_has_wrapped(store: dict[str, bytes], width: int) -> None:
    lines = [
        line[at : at + width]
        for line in serialized.reg_query(store).split("\r\n")
        for at in range(0, max(len(line), 1), width)
    ]
    assert whole(read_reg_query("\r\n".join(lines), "a"), store)
    spaced = read_reg_query("\r\r\n".join(lines), "a")
    assert whole(spaced, store)
    assert [certificate.notes for certificate in spaced] == [()] * 3


def test_wrapped_lines_of_a_narrow_console_and_damage_in_one(store: dict[str, bytes]) -> None:
    lines = textwrap.wrap(serialized.reg_query(store).strip().split("\r\n")[0], 40, break_on_hyphens=False)
    (name, blob), *_rest = store.items()
    digits = textwrap.wrap(blob.hex(), 40)
    text = "\r\n".join([*lines, "    Blob    REG_BINARY    ", *digits])
    assert whole(read_reg_query(text, "a"), {name: blob})
    digits[3] = digits[3][:-1] + "?"
    (problem,) = read_reg_query("\r\n".join([*lines, "    Blob    REG_BINARY    ", *digits]), "a").problems
    assert problem.place == f"{MY}\\{name}, offset 79"
    assert "'?'" in problem.message


def test_other_values_and_other_keys_are_passed_over(store: dict[str, bytes]) -> None:
    (name, blob), *_rest = store.items()
    text = (
        f"\r\n{MY.removesuffix('Certificates')}CRLs\\AB\r\n    Blob    REG_BINARY    00\r\n"
        "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Vendor\\Certificates\\CD\r\n    Blob    REG_BINARY    00\r\n"
        f"\r\n{MY}\\{name}\r\n    (Standard)    REG_SZ    (Wert nicht gesetzt)\r\n    Note    REG_SZ    \r\n"
        f"    bLOB    REG_BINARY    {blob.hex()}\r\n    Other    REG_BINARY    FFFF\r\nABCD\r\n\r\n"
        "Ende der Suche: 5 Übereinstimmungen gefunden.\r\n"
    )
    reading = read_reg_query(text, "a")
    assert whole(reading, {name: blob})


@pytest.mark.parametrize(
    "parent",
    [
        "HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\SystemCertificates\\CA\\Certificates",
        "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\EnterpriseCertificates\\Root\\Certificates",
        "hkey_local_machine\\software\\microsoft\\systemcertificates\\remote desktop\\certificates",
    ],
)
def test_stores_of_policy_and_enterprise_and_any_case(store: dict[str, bytes], parent: str) -> None:
    text = serialized.reg_query(store).replace(MY, parent)
    assert whole(read_reg_query(text, "a"), store)
    exported = serialized.reg_export(store).decode("utf-16").replace(MY, parent)
    assert whole(read_reg_export(exported.encode("utf-16"), "a"), store)


def test_several_stores_in_one_text(store: dict[str, bytes]) -> None:
    text = serialized.reg_query(store) + serialized.reg_query(store, store="REQUEST")
    reading = read_reg_query(text, "a")
    assert len(reading.certificates) == 6
    assert "\\REQUEST\\" in (reading.certificates[3].source.place or "")


def test_a_damaged_blob_names_key_and_offset_and_hides_no_other(store: dict[str, bytes]) -> None:
    first, second, third = store
    damaged = {first: store[first], second: store[second][:40], third: store[third]}
    for reading in (
        read_reg_query(serialized.reg_query(damaged), "lync01"),
        read_reg_export(serialized.reg_export(damaged), "lync01"),
    ):
        assert [certificate.thumbprint for certificate in reading] == [first, third]
        (problem,) = reading.problems
        assert problem.origin == "lync01"
        assert problem.place == f"{MY}\\{second}, offset 0"
        assert problem.remedy


def test_a_damaged_property_2_names_the_registry_key(store: dict[str, bytes]) -> None:
    (name, blob), *_rest = store.items()
    length = int.from_bytes(blob[8:12], "little")
    broken = blob[:12] + b"\xff" * 8 + blob[20 : 12 + length] + blob[12 + length :]
    reading = read_reg_query(serialized.reg_query({name: broken}), "a")
    assert reading.certificates[0].key.kind == "unrecorded"
    assert (reading.problems[0].place or "").startswith(f"{MY}\\{name}, offset ")


@pytest.mark.parametrize(
    ("digits", "expected", "place"),
    [
        ("0B0", "middle of a byte", ", offset 1"),
        ("0B00XX", "'X'", ", offset 2"),
        ("", "empty value Blob", ""),
    ],
)
def test_bad_digits(store: dict[str, bytes], digits: str, expected: str, place: str) -> None:
    good = next(iter(store))
    text = serialized.reg_query({good: store[good]}) + f"{MY}\\{'AB' * 20}\r\n    Blob    REG_BINARY    {digits}\r\n"
    reading = read_reg_query(text, "a")
    assert len(reading.certificates) == 1
    (problem,) = reading.problems
    assert expected in problem.message
    assert problem.place == f"{MY}\\{'AB' * 20}{place}"


def test_a_blob_of_another_type(store: dict[str, bytes]) -> None:
    query = serialized.reg_query(store).replace("REG_BINARY", "REG_SZ", 1)
    export = serialized.reg_export(store).decode("utf-16").replace("=hex:", "=hex(7):", 1)
    for reading in (read_reg_query(query, "a"), read_reg_export(export, "a")):
        assert len(reading.certificates) == 2
        assert "The value Blob" in reading.problems[0].message


def test_a_certificate_key_without_blob(store: dict[str, bytes]) -> None:
    text = serialized.reg_query(store) + f"{MY}\\{'AB' * 20}\r\n"
    reading = read_reg_query(text, "a")
    assert len(reading.certificates) == 3
    assert [problem.message for problem in reading.problems] == ["The key of the certificate has no value Blob."]


def test_a_listing_without_values_is_one_problem() -> None:
    text = "".join(f"\r\n{MY}\\{number:040X}" for number in range(30))
    (problem,) = read_reg_query(text, "a").problems
    assert "30 keys" in problem.message
    assert "/s" in problem.remedy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ERROR: The system was unable to find the specified registry key or value.\r\n",
        "HKEY_LOCAL_MACHINE\\SOFTWARE\\Vendor\r\n    Blob    REG_BINARY    00\r\n",
        f"{MY}\r\n{MY.removesuffix('Certificates')}CRLs\r\n",
    ],
)
def test_text_without_certificates_says_what_to_run(text: str) -> None:
    (problem,) = read_reg_query(text, "a.txt").problems
    assert "no key of a certificate" in problem.message
    assert "reg query HKLM\\" in problem.remedy
    (problem,) = read_reg_export("Windows Registry Editor Version 5.00\r\n", "a.reg").problems
    assert "reg export HKLM\\" in problem.remedy


def test_an_empty_store_is_an_answer() -> None:
    assert read_reg_query(f"\r\n{MY}\r\n", "a") == Reading()
    assert read_reg_export(serialized.reg_export({}), "a") == Reading()


def test_reg_export_of_version_4_and_keys_to_delete(store: dict[str, bytes]) -> None:
    text = serialized.reg_export(store).decode("utf-16").replace("Windows Registry Editor Version 5.00", "REGEDIT4")
    first = next(iter(store))
    text = text.replace(f"[{MY}\\{first}]", f"[-{MY}\\{first}]", 1).replace("=hex:", "=hex(3):")
    reading = read_reg_export(text.encode("cp1252"), "a.reg")
    assert whole(reading, dict(list(store.items())[1:]))


def test_reg_export_cut_short_in_a_continuation(store: dict[str, bytes]) -> None:
    lines = serialized.reg_export(store).decode("utf-16").split("\r\n")
    reading = read_reg_export("\r\n".join(lines[:-5]), "a.reg")
    assert len(reading.certificates) == 2
    assert "cut short" in reading.problems[0].message


def test_a_thousand_certificates_are_all_read(store: dict[str, bytes]) -> None:
    blob = next(iter(store.values()))
    many = {f"{number:040X}": blob for number in range(1000)}
    assert len(read_reg_query(serialized.reg_query(many), "a").certificates) == 1000
    many = dict(list(many.items())[:100])
    assert len(read_reg_export(serialized.reg_export(many), "a").certificates) == 100


@FUZZ
@given(data=st.data())
def test_damaged_text_never_raises(store: dict[str, bytes], data: st.DataObject) -> None:
    for text, read in (
        (serialized.reg_query(store), read_reg_query),
        (serialized.reg_export(store).decode("utf-16"), read_reg_export),
    ):
        characters = list(text)
        for _round in range(data.draw(st.integers(0, 4))):
            place = data.draw(st.integers(0, len(characters) - 1))
            characters[place] = data.draw(st.sampled_from('\0\r\n \\[]"=,0FfgZ\ud800'))
        read("".join(characters[: data.draw(st.integers(0, len(characters)))]), "fuzz")


@FUZZ
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_never_raises(text: str | bytes) -> None:
    if isinstance(text, str):
        text = textwrap.fill(f"{MY}\\{text}", 60)
    read_reg_query(text, "fuzz")
    read_reg_export(text, "fuzz")
