# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Offline hives: stores in all places, and hives that are dirty, damaged, cut short or of another kind."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.hive import read_hive
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Source
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.formats.hive import HiveKey, checksum, hive, software_hive
from programs import program

MY = "Microsoft\\SystemCertificates\\MY\\Certificates"


def certificates(entries: dict[str, bytes]) -> HiveKey:
    keys = {name: HiveKey({"Blob": blob}) for name, blob in entries.items()}
    return HiveKey(subkeys={"Certificates": HiveKey(subkeys=keys), "CRLs": HiveKey(), "CTLs": HiveKey()})


def nested(path: str, key: HiveKey) -> HiveKey:
    for name in reversed(path.split("\\")):
        key = HiveKey(subkeys={name: key})
    return key


def resealed(data: bytearray) -> bytes:
    struct.pack_into("<I", data, 508, checksum(bytes(data[:508])))
    return bytes(data)


def test_a_software_hive(store: dict[str, bytes]) -> None:
    reading = read_hive(software_hive(store), "SOFTWARE")
    assert reading.problems == ()
    assert [certificate.thumbprint for certificate in reading] == sorted(store)
    assert [certificate.key.kind for certificate in reading] == ["csp"] * 3
    assert [certificate.notes for certificate in reading] == [()] * 3
    assert reading.certificates[0].source == Source("hive", "SOFTWARE", f"{MY}\\{min(store)}")


def test_another_reader_of_hives_finds_the_same_in_the_fixture(store: dict[str, bytes], tmp_path: Path) -> None:
    path = tmp_path / "SOFTWARE"
    path.write_bytes(software_hive(store))
    hivexget = program("hivexget", package="libhivex-bin")
    for name, blob in store.items():
        told = subprocess.run([hivexget, path, f"{MY}\\{name}", "Blob"], capture_output=True, check=True).stdout
        assert told == blob


def test_a_blob_so_large_that_the_hive_divides_it(issue: Callable[..., bytes], blob: Callable[..., bytes]) -> None:
    large = blob(issue(), more=((60000, bytes(range(256)) * 200),))
    assert len(large) > 3 * 16344
    (certificate,) = read_hive(software_hive({"AB" * 20: large}), "SOFTWARE")
    assert certificate.key.kind == "csp"
    assert certificate.notes[0].startswith("The registry key is named ABAB")


def test_one_store_or_all(store: dict[str, bytes]) -> None:
    first, second, third = ({name: blob} for name, blob in store.items())
    root = HiveKey(
        subkeys={
            "Microsoft": HiveKey(
                subkeys={
                    "SystemCertificates": HiveKey(subkeys={"MY": certificates(first), "CA": certificates(second)}),
                    "Windows": HiveKey({"Blob": b"not a certificate"}),
                }
            ),
            "Policies": nested("Microsoft\\SystemCertificates\\Root", certificates(third)),
        }
    )
    data = hive(root)
    assert [certificate.thumbprint for certificate in read_hive(data, "SOFTWARE")] == list(first)
    assert [certificate.thumbprint for certificate in read_hive(data, "SOFTWARE", "ca")] == list(second)
    assert {certificate.thumbprint for certificate in read_hive(data, "SOFTWARE", None)} == set(store)
    (problem,) = read_hive(data, "SOFTWARE", "WebHosting").problems
    assert problem.message == "The hive has no certificate store WebHosting. It has: CA, MY, Root."


def test_an_empty_store_is_an_answer() -> None:
    for key in (certificates({}), HiveKey()):
        reading = read_hive(hive(nested("Microsoft\\SystemCertificates\\MY", key)), "SOFTWARE")
        assert (reading.certificates, reading.problems) == ((), ())


def test_hives_that_reg_save_makes_of_a_part(store: dict[str, bytes]) -> None:
    parts = {
        "MY": certificates(store),
        "SystemCertificates": HiveKey(subkeys={"MY": certificates(store), "CA": certificates({})}),
    }
    for name, key in parts.items():
        reading = read_hive(hive(key, name=name), "my.hiv")
        assert len(reading.certificates) == 3, name
        assert reading.problems == ()
        assert (reading.certificates[0].source.place or "").startswith("MY\\Certificates\\")


def test_a_damaged_blob_names_its_key_and_hides_no_other(store: dict[str, bytes]) -> None:
    first, second, third = sorted(store)
    damaged = {first: store[first], second: store[second][:100], third: store[third]}
    reading = read_hive(software_hive(damaged), "SOFTWARE")
    assert [certificate.thumbprint for certificate in reading] == [first, third]
    (problem,) = reading.problems
    assert problem.place == f"{MY}\\{second}, offset 0"


@pytest.mark.parametrize("values", [{}, {"Other": b"x" * 20}, {"Blob": b"abc"}])
def test_a_key_without_a_blob(values: dict[str, bytes]) -> None:
    tree = nested(f"{MY}\\{'AB' * 20}", HiveKey(values))
    (problem,) = read_hive(hive(tree), "SOFTWARE").problems
    assert (problem.place or "").startswith(f"{MY}\\ABAB")


def test_a_dirty_hive_is_read_and_told(store: dict[str, bytes]) -> None:
    data = bytearray(software_hive(store))
    struct.pack_into("<I", data, 4, 8)
    reading = read_hive(resealed(data), "SOFTWARE")
    assert len(reading.certificates) == 3
    (problem,) = reading.problems
    assert "log files" in problem.message
    assert "reg save" in problem.remedy


def test_a_wrong_checksum_is_told(store: dict[str, bytes]) -> None:
    data = bytearray(software_hive(store))
    data[508] ^= 1
    assert [problem.place for problem in read_hive(bytes(data), "SOFTWARE").problems] == ["offset 508"]


def test_a_hive_of_another_kind_says_what_it_calls_itself() -> None:
    data = hive(HiveKey(subkeys={"ControlSet001": HiveKey(), "Select": HiveKey()}), name="SYSTEM")
    (problem,) = read_hive(data, "x.hiv").problems
    assert problem.message == "The hive holds no certificate stores of a machine. It calls itself SYSTEM."
    assert "SOFTWARE" in problem.remedy


@pytest.mark.parametrize("data", [b"", b"regf", b"MZ" * 4000, b"regf" + bytes(8000)])
def test_what_is_no_hive(data: bytes) -> None:
    (problem,) = read_hive(data, "x.hiv").problems
    assert "not a registry hive" in problem.message


def test_subkeys_that_cannot_be_read_are_counted(store: dict[str, bytes]) -> None:
    data = software_hive(store)
    leaf = data.rindex(b"lf\x03\x00")
    for broken in (data[:leaf] + b"xx" + data[leaf + 2 :], data[: leaf + 12] + b"\xf0\xff\xff\x7f" + data[leaf + 16 :]):
        problems = [str(problem) for problem in read_hive(broken, "SOFTWARE").problems]
        assert any(f"{MY}: Of 3 subkeys " in problem for problem in problems), problems


def test_a_truncated_hive_is_told(store: dict[str, bytes]) -> None:
    data = software_hive(store)
    reading = read_hive(data[:-5000], "SOFTWARE")
    assert any("cut short" in problem.message for problem in reading.problems)


@settings(max_examples=100, derandomize=True, database=None, deadline=None)
@given(data=st.data())
def test_a_damaged_hive_never_raises(store: dict[str, bytes], data: st.DataObject) -> None:
    changed = bytearray(software_hive(store))
    end = data.draw(st.sampled_from([64, 512, 5200, len(changed)]))
    for _round in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.just(len(changed)) | st.integers(0, len(changed)))
    reading = read_hive(bytes(changed[:cut]), "fuzz", data.draw(st.sampled_from(["MY", None])))
    assert len(reading.certificates) == 3 or reading.problems


def run(program: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)


READ = (
    "from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.hive import read_hive\n"
    "from lab.formats.hive import software_hive\n"
    "data = software_hive({'AB' * 20: b'x' * 100})\n"
    "data = data.replace(b'vk', b'xx')\n"
    "print(read_hive(data, 'SOFTWARE').problems[0])\n"
)


def test_the_library_is_silent_about_damage() -> None:
    answer = run(READ)
    assert "no readable binary value Blob" in answer.stdout
    assert answer.stderr == ""


def test_without_the_library_the_module_loads_and_says_what_is_missing() -> None:
    answer = run("import sys; sys.modules['regipy'] = sys.modules['regipy.registry'] = None\n" + READ)
    assert "pip install regipy" in answer.stdout
