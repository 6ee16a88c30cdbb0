# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serialized certificates and store files: the key provider, the traps of the format, and damage of all kinds."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.serialized import (
    read_blob,
    read_element,
    read_entry,
    read_sst,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import EvidenceError, Key, Source
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.formats import serialized

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
SOURCE = Source("blob", "test.blob")

FUZZ = settings(max_examples=100, derandomize=True, database=None, deadline=None)


def record(identifier: int, value: bytes, *, reserved: int = 1, length: int | None = None) -> bytes:
    return struct.pack("<3I", identifier, reserved, len(value) if length is None else length) + value


@pytest.fixture(scope="module")
def der(issue: Callable[..., bytes]) -> bytes:
    return issue("store.contoso.example")


def test_a_csp_key_of_the_machine(der: bytes, blob: Callable[..., bytes]) -> None:
    found = read_element(blob(der, serialized.key_prov_info("le-Web-1", SCHANNEL, 12, 0x20, 1)), SOURCE)
    assert found.key == Key("csp", SCHANNEL, 12, 1, "le-Web-1", flags=0x20)
    assert found.key.machine_keyset is True
    assert (found.friendly_name, found.archived, found.notes) == ("Lync", False, ())
    assert found.subject == "CN=store.contoso.example,O=Contoso"
    assert found.source == SOURCE


@pytest.mark.parametrize("key_spec", [0, 1, 2, 0xFFFFFFFF])
def test_type_0_is_a_ksp_whatever_the_key_spec(der: bytes, blob: Callable[..., bytes], key_spec: int) -> None:
    key = read_element(blob(der, serialized.key_prov_info("{1}", SOFTWARE_KSP, 0, 0, key_spec)), SOURCE).key
    assert key == Key("ksp", SOFTWARE_KSP, 0, key_spec, "{1}", flags=0)
    assert key.machine_keyset is False


def test_no_property_2_is_unrecorded(der: bytes, blob: Callable[..., bytes]) -> None:
    assert read_element(blob(der, None), SOURCE).key == Key("unrecorded")


def test_a_null_provider_name_is_the_default_csp_of_its_type(der: bytes, blob: Callable[..., bytes]) -> None:
    key = read_element(blob(der, serialized.key_prov_info("c", None, 1, 0x20, 1)), SOURCE).key
    assert key == Key("csp", None, 1, 1, "c", flags=0x20)


def test_a_ksp_name_with_a_csp_type_is_contradictory(der: bytes, blob: Callable[..., bytes]) -> None:
    assert read_element(blob(der, serialized.key_prov_info("c", SOFTWARE_KSP, 12, 0, 1)), SOURCE).key.kind == (
        "contradictory"
    )


def test_two_differing_properties_2_are_ambiguous_and_both_told(der: bytes, blob: Callable[..., bytes]) -> None:
    other = serialized.key_prov_info("c", SOFTWARE_KSP, 0, 0x20, 0)
    key = read_element(blob(der, more=((2, other),)), SOURCE).key
    assert key.kind == "ambiguous"
    assert key.provider is None
    assert [candidate.provider for candidate in key.candidates] == [SCHANNEL, SOFTWARE_KSP]


def test_two_equal_properties_2_are_one(der: bytes, blob: Callable[..., bytes]) -> None:
    value = serialized.key_prov_info("c", SCHANNEL, 12, 0x20, 1)
    key = read_element(blob(der, value, more=((2, value + bytes(8)),)), SOURCE).key
    assert (key.kind, key.candidates) == ("csp", ())


def test_strings_in_any_order_with_any_padding_and_characters_beyond_the_plane(
    der: bytes, blob: Callable[..., bytes]
) -> None:
    container = "\u0100\u4e00key🔑".encode("utf-16-le") + b"\0\0"
    provider = SCHANNEL.encode("utf-16-le") + b"\0\0"
    at = 28 + 40
    header = struct.pack("<7I", at + len(provider) + 6, at, 12, 0, 0, 0, 1)
    key = read_element(blob(der, header + b"\xff" * 40 + provider + bytes(6) + container + b"junk"), SOURCE).key
    assert (key.kind, key.provider, key.container) == ("csp", SCHANNEL, "\u0100\u4e00key🔑")


def test_provider_parameters_are_passed_over(der: bytes, blob: Callable[..., bytes]) -> None:
    value = serialized.key_prov_info("c", SCHANNEL, 12, 0, 1, [(32, b"1234", 0), (33, b"", 0)])
    assert read_element(blob(der, value), SOURCE).key == Key("csp", SCHANNEL, 12, 1, "c", flags=0)


def test_properties_in_any_order_unknown_ones_and_padding(der: bytes) -> None:
    data = (
        record(32, der)
        + record(60001, b"unknown")
        + record(2, serialized.key_prov_info("c", SCHANNEL, 12, 0, 1))
        + record(19, b"")
        + record(11, "Büro-Zertifikat 🔒\0rest".encode("utf-16-le"))
        + bytes(20)
    )
    found = read_element(data, SOURCE)
    assert (found.key.kind, found.archived, found.friendly_name) == ("csp", True, "Büro-Zertifikat 🔒")
    assert found.notes == ()


def test_an_empty_friendly_name_is_not_a_missing_one(der: bytes, blob: Callable[..., bytes]) -> None:
    assert read_element(blob(der, friendly_name=""), SOURCE).friendly_name == ""
    assert read_element(blob(der, friendly_name=None), SOURCE).friendly_name is None


def test_names_and_hashes_that_differ_from_the_certificate_are_noted(der: bytes) -> None:
    data = record(3, b"\xaa" * 20) + record(32, der, reserved=7)
    found = read_entry(data, SOURCE, "00" * 20).certificate
    assert [note.split(",")[0] for note in found.notes] == [
        f"The store records the SHA-1 {'AA' * 20}",
        f"The registry key is named {'00' * 20}",
        "The reserved field of a record is not 1",
    ]
    assert all(found.thumbprint in note for note in found.notes[:2] if found.thumbprint)


def test_a_key_name_in_lower_case_is_no_defect(der: bytes, blob: Callable[..., bytes]) -> None:
    thumbprint = read_element(blob(der), SOURCE).thumbprint or ""
    assert read_entry(blob(der), SOURCE, thumbprint.lower()).certificate.notes == ()


PROPERTY_2 = serialized.key_prov_info("container", SCHANNEL, 12, 0x20, 1)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        PROPERTY_2[:27],
        PROPERTY_2[:-10],
        struct.pack("<I", 4) + PROPERTY_2[4:],
        PROPERTY_2[:4] + struct.pack("<I", 0xFFFFFFF0) + PROPERTY_2[8:],
        PROPERTY_2[:16] + struct.pack("<2I", 9999, 28) + PROPERTY_2[24:],
        PROPERTY_2[:16] + struct.pack("<2I", 1, 0) + PROPERTY_2[24:],
        struct.pack("<7I", 0, 28, 12, 0, 0, 0, 1) + b"\x00\xd8\0\0",
    ],
    ids=[
        "empty",
        "short header",
        "name without end",
        "offset into the header",
        "offset outside",
        "too many parameters",
        "parameters in the header",
        "not UTF-16",
    ],
)
def test_a_damaged_property_2_leaves_the_certificate_and_is_told(
    der: bytes, blob: Callable[..., bytes], value: bytes
) -> None:
    reading = read_blob(blob(der, value), "test.blob")
    (certificate,) = reading.certificates
    (problem,) = reading.problems
    assert certificate.key == Key("unrecorded")
    assert "key provider information cannot be read" in certificate.notes[0]
    assert problem.origin == "test.blob"
    assert (problem.place or "").startswith("offset ")
    assert "property 2" in problem.message


def test_one_damaged_property_2_makes_a_sound_one_unusable(der: bytes, blob: Callable[..., bytes]) -> None:
    assert read_blob(blob(der, more=((2, b"\x01"),)), "x").certificates[0].key == Key("unrecorded")


@pytest.mark.parametrize("cut", [1, 11, 12, 60, 400, -1])
def test_a_truncated_blob_names_the_offset(der: bytes, blob: Callable[..., bytes], cut: int) -> None:
    with pytest.raises(EvidenceError) as caught:
        read_element(blob(der)[:cut], SOURCE)
    assert (caught.value.place or "").startswith("offset ")
    assert caught.value.remedy


def test_a_record_longer_than_the_data(der: bytes) -> None:
    (problem,) = read_blob(record(3, b"x" * 20) + record(11, b"abc", length=0xFFFFFFFF), "a.blob").problems
    assert problem.place == "offset 32"
    assert problem.message == "The record of property 11 claims 4294967295 bytes, of which 3 are there."


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "no certificate (property 32)"),
        (record(3, b"x" * 20), "no certificate (property 32)"),
        (record(33, b"crl"), "a CRL and no certificate"),
        (record(32, b"x") + record(34, b"ctl"), "A second content"),
        (record(32, b"x") + b"trailing", "Here begins no whole record"),
        (record(32, b"\x30\x03\x02\x01\x01"), "not a readable X.509 certificate"),
    ],
    ids=["nothing", "no certificate", "CRL", "two contents", "trailing", "not a certificate"],
)
def test_a_blob_without_a_readable_certificate(data: bytes, expected: str) -> None:
    reading = read_blob(data, "a.blob")
    (problem,) = reading.problems
    assert reading.certificates == ()
    assert expected in problem.message
    assert (problem.place or "").startswith("offset ")


def test_a_store_file_with_other_elements_in_between(store: dict[str, bytes]) -> None:
    first, second, third = store.values()
    crl, ctl, key_identifier = record(3, b"x" * 20) + record(33, b"crl"), record(34, b"ctl"), record(35, b"id")
    reading = read_sst(serialized.sst([first, crl, key_identifier, second, ctl, third]), "my.sst")
    assert [certificate.thumbprint for certificate in reading] == list(store)
    assert [certificate.key.kind for certificate in reading] == ["csp"] * 3
    assert reading.problems == ()
    place = f"element 4 at offset {8 + len(first) + len(crl) + len(key_identifier)}"
    assert reading.certificates[1].source == Source("sst", "my.sst", place)


def test_a_key_identifier_does_not_lend_its_key_to_the_next_certificate(der: bytes, blob: Callable[..., bytes]) -> None:
    (found,) = read_sst(serialized.sst([record(2, PROPERTY_2) + record(35, b"id"), blob(der, None)]), "my.sst")
    assert found.key == Key("unrecorded")


def test_a_store_of_other_things_says_what_it_holds() -> None:
    reading = read_sst(serialized.sst([record(33, b"a"), record(34, b"b"), record(33, b"c")]), "my.sst")
    (problem,) = reading.problems
    assert problem.message == "The store holds no certificate, only 2 CRLs, 1 CTL."


def test_an_empty_store_is_an_answer() -> None:
    reading = read_sst(serialized.sst([]), "my.sst")
    assert (reading.certificates, reading.problems) == ((), ())


def test_a_bad_certificate_in_a_store_hides_no_other(store: dict[str, bytes], der: bytes) -> None:
    first, second, third = store.values()
    bad = record(3, b"x" * 20) + record(32, der[:-9])
    no_key = record(2, b"\x00") + record(32, der)
    reading = read_sst(serialized.sst([first, bad, second, no_key, third]), "my.sst")
    assert len(reading.certificates) == 4
    assert [(problem.place or "").split(" at ")[0] for problem in reading.problems] == ["element 2", "element 4"]


def test_a_store_cut_short_keeps_what_came_before(store: dict[str, bytes]) -> None:
    whole = serialized.sst(list(store.values()))
    for cut in (len(whole) - 1, len(whole) - 12, len(whole) - 40):
        reading = read_sst(whole[:cut], "my.sst")
        assert len(reading.certificates) == (3 if cut > len(whole) - 40 else 2)
        (problem,) = reading.problems
        assert "offset" in (problem.place or "")


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0CER", b"\1\0\0\0CERT" + bytes(12), b"MZ"])
def test_what_is_no_store_file(data: bytes) -> None:
    (problem,) = read_sst(data, "my.sst").problems
    assert "not a serialized certificate store" in problem.message
    assert problem.remedy


def damaged(data: st.DataObject, whole: bytes) -> bytes:
    changed = bytearray(whole)
    for _round in range(data.draw(st.integers(0, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    return bytes(changed[: data.draw(st.integers(0, len(changed)) | st.just(len(changed)))])


@FUZZ
@given(data=st.data())
def test_a_damaged_blob_is_a_certificate_or_a_problem(store: dict[str, bytes], data: st.DataObject) -> None:
    reading = read_blob(damaged(data, next(iter(store.values()))), "fuzz.blob")
    assert len(reading.certificates) + len(reading.problems) > 0
    for certificate in reading:
        assert certificate.key.kind != "unrecorded" or certificate.notes or certificate.key == Key()


@FUZZ
@given(data=st.data())
def test_a_truncated_property_2_never_yields_a_provider_of_another_name(
    der: bytes, blob: Callable[..., bytes], data: st.DataObject
) -> None:
    value = PROPERTY_2[: data.draw(st.integers(0, len(PROPERTY_2)))]
    (certificate,) = read_blob(blob(der, value), "fuzz.blob")
    assert certificate.key.provider in (None, SCHANNEL)
    assert certificate.key.kind == ("csp" if certificate.key.provider else "unrecorded")


@FUZZ
@given(data=st.data())
def test_a_damaged_store_never_raises(store: dict[str, bytes], data: st.DataObject) -> None:
    whole = serialized.sst(list(store.values()))
    changed = damaged(data, whole)
    reading = read_sst(changed, "fuzz.sst")
    assert len(reading.certificates) == 3 or reading.problems or changed != whole


@FUZZ
@given(st.binary(max_size=200))
def test_random_bytes_never_raise(data: bytes) -> None:
    assert read_blob(data, "random").problems
    assert read_sst(data, "random").problems
    read_sst(b"\0\0\0\0CERT" + data, "random")
