# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writer of serialized stores against bytes laid out by hand and against real ones."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest
from lab.formats import serialized

SAMPLES = os.environ.get("KEYPROVIDER_SAMPLES")


def _records(blob: bytes) -> list[tuple[int, bytes]]:
    """The properties of an element, walked here without the writer's help."""
    found = []
    offset = 0
    while offset < len(blob):
        number, reserved, length = struct.unpack_from("<3I", blob, offset)
        assert reserved == 1
        found.append((number, blob[offset + 12 : offset + 12 + length]))
        offset += 12 + length
    return found


def test_key_prov_info_pads_each_string_to_eight_bytes() -> None:
    value = serialized.key_prov_info("abc", "Provider", 12, 0x20, 1)
    assert value == (
        bytes.fromhex("1c000000 24000000 0c000000 20000000 00000000 00000000 01000000")
        + "abc\0".encode("utf-16-le")
        + "Provider\0\0\0\0".encode("utf-16-le")
    )


def test_null_names_have_no_offset() -> None:
    assert serialized.key_prov_info(None, None, 1, 0, 2) == bytes.fromhex(
        "00000000 00000000 01000000 00000000 00000000 00000000 02000000"
    )


def test_parameters_stand_before_the_names_and_their_data_after() -> None:
    value = serialized.key_prov_info("c", "p", 1, 0x40, 1, [(32, b"1234", 0), (33, b"", 1)])
    assert struct.unpack_from("<7I", value) == (60, 68, 1, 0x40, 2, 28, 1)
    assert struct.unpack_from("<8I", value, 28) == (32, 76, 4, 0, 33, 0, 0, 1)
    assert value[76:] == b"1234\0\0\0\0"


def test_an_element_ends_with_the_certificate() -> None:
    assert serialized.element([(11, b"xy")], b"DER") == bytes.fromhex(
        "0b000000 01000000 02000000 7879 20000000 01000000 03000000 444552"
    )


def test_a_store_file_has_signature_and_end_record() -> None:
    assert serialized.sst([b"one", b"two"]) == b"\0\0\0\0CERTonetwo" + bytes(12)


def test_reg_query_prints_one_line_a_blob() -> None:
    root = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SystemCertificates\\MY\\Certificates\\"
    assert serialized.reg_query({"AA": b"\x0a\xff", "BB": b""}) == (
        f"\r\n{root}AA\r\n    Blob    REG_BINARY    0AFF\r\n\r\n{root}BB\r\n    Blob    REG_BINARY    \r\n\r\n"
    )


@pytest.mark.samples
@pytest.mark.skipif(not SAMPLES, reason="KEYPROVIDER_SAMPLES does not name the general corpus")
class TestAgainstTheCorpus:
    folder = Path(SAMPLES or ".") / "certstore"

    def test_property_2_is_written_as_in_windows_like_blobs(self) -> None:
        truth = json.loads((self.folder / "winlike" / "truth.json").read_text("utf-8"))
        compared = 0
        for thumbprint, expected in truth.items():
            records = _records((self.folder / "winlike" / f"{thumbprint}.bin").read_bytes())
            for number, value in records:
                if number != 2:
                    continue
                parameters = [(32, b"1234", 0), (33, b"", 1)] if expected["n_provider_params"] else []
                fields = (expected[key] for key in ("container", "provider", "provider_type", "flags", "key_spec"))
                assert serialized.key_prov_info(*fields, parameters=parameters) == value, expected["id"]
                compared += 1
        assert compared == 12

    def test_property_2_is_written_as_in_real_blobs(self) -> None:
        expected = json.loads((self.folder / "real" / "expect.json").read_text("utf-8"))
        compared = 0
        for name, fields in expected.items():
            for number, value in _records((self.folder / "real" / name).read_bytes()):
                if number == 2:
                    values = (fields[key] for key in ("container", "provider", "provider_type", "flags", "key_spec"))
                    assert serialized.key_prov_info(*values) == value, name
                    compared += 1
        assert compared == 3

    def test_elements_are_packed_again_byte_for_byte(self) -> None:
        for path in sorted(self.folder.glob("*/*.bin")):
            blob = path.read_bytes()
            *properties, (number, der) = _records(blob)
            assert number == 32
            assert serialized.element(properties, der) == blob, path

    def test_whole_dumps_are_written_alike(self) -> None:
        folder = self.folder / "winlike"
        entries = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.bin"))}
        assert serialized.reg_query(entries).encode() == (folder / "reg_query.txt").read_bytes()
        assert serialized.reg_export(entries) == (folder / "reg_export.reg").read_bytes()

    def test_a_store_file_is_written_alike(self) -> None:
        stored = (self.folder / "golden" / "store.sst").read_bytes()
        elements: list[bytes] = []
        properties: list[tuple[int, bytes]] = []
        for number, value in _records(stored[8:-12]):
            if number == 32:
                elements.append(serialized.element(properties, value))
                properties = []
            else:
                properties.append((number, value))
        assert len(elements) == 14
        assert serialized.sst(elements) == stored
