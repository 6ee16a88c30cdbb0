# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The corpus of serialized stores: written by crypt32 of Wine, in the shape of real Windows, and real bytes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.hive import read_hive
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.registry import (
    read_reg_export,
    read_reg_query,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.serialized import read_blob, read_sst
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Certificate, Reading
from lab.formats.hive import software_hive

SAMPLES = os.environ.get("KEYPROVIDER_SAMPLES")
pytestmark = [
    pytest.mark.samples,
    pytest.mark.skipif(not SAMPLES, reason="KEYPROVIDER_SAMPLES does not name the corpus"),
]
ROOT = Path(SAMPLES or ".", "certstore")
KINDS = {"none": "unrecorded", "csp": "csp", "cng": "ksp"}


def truth(folder: str, name: str = "truth.json") -> dict[str, dict[str, Any]]:
    content: dict[str, dict[str, Any]] = json.loads((ROOT / folder / name).read_text("utf-8"))
    return content


def check(found: Certificate, expected: dict[str, Any]) -> None:
    assert found.key.kind == KINDS[expected["class"]]
    for field in ("provider", "provider_type", "container", "flags", "key_spec"):
        assert getattr(found.key, field) == expected.get(field), field
    assert found.friendly_name == expected.get("friendly_name")
    assert found.notes == ()
    assert found.der is not None
    assert found.thumbprint == hashlib.sha1(found.der, usedforsecurity=False).hexdigest().upper()


def check_all(reading: Reading, expected: dict[str, dict[str, Any]]) -> None:
    assert reading.problems == ()
    assert sorted(certificate.thumbprint or "" for certificate in reading) == sorted(expected)
    for certificate in reading:
        fields = expected[certificate.thumbprint or ""]
        check(certificate, fields)
        assert f"CN={fields['subject_cn']}" in (certificate.subject or "")
        assert certificate.details is not None
        key = certificate.details.public_key
        assert fields["key"] in (f"{key.algorithm.lower()}{key.size}", f"p{key.size}", key.algorithm.lower())


@pytest.mark.parametrize("folder", ["golden", "winlike"])
def test_blobs(folder: str) -> None:
    expected = truth(folder)
    for path in sorted((ROOT / folder).glob("*.bin")):
        check_all(read_blob(path.read_bytes(), path.name), {path.stem: expected[path.stem]})


@pytest.mark.parametrize("folder", ["golden", "winlike"])
def test_reg_query(folder: str) -> None:
    check_all(read_reg_query((ROOT / folder / "reg_query.txt").read_bytes(), folder), truth(folder))


@pytest.mark.parametrize("folder", ["golden", "winlike"])
def test_reg_export(folder: str) -> None:
    check_all(read_reg_export((ROOT / folder / "reg_export.reg").read_bytes(), folder), truth(folder))


def test_store_file() -> None:
    check_all(read_sst((ROOT / "golden" / "store.sst").read_bytes(), "store.sst"), truth("golden"))


@pytest.mark.parametrize("folder", ["golden", "winlike"])
def test_hive_made_of_the_blobs(folder: str) -> None:
    blobs = {path.stem: path.read_bytes() for path in (ROOT / folder).glob("*.bin")}
    check_all(read_hive(software_hive(blobs), "SOFTWARE"), truth(folder))


def test_real_blobs() -> None:
    expected = truth("real", "expect.json")
    assert sorted(expected) == sorted(path.name for path in (ROOT / "real").glob("*.bin"))
    for name, fields in expected.items():
        reading = read_blob((ROOT / "real" / name).read_bytes(), name)
        assert reading.problems == ()
        (certificate,) = reading.certificates
        check(certificate, fields)


@pytest.mark.parametrize(
    ("name", "subject", "serial_number"),
    [
        ("7b863375e6.sst", "CN=VBA Code Signing", "167a86813a746bbf4dc39f98e17a2de3"),
        ("e2863183b4.sst", "CN=JK Cert", "827a6404e29ad391492e74bb4cbd110e"),
    ],
)
def test_real_store_files_hold_one_self_signed_certificate_without_provider(
    name: str, subject: str, serial_number: str
) -> None:
    reading = read_sst((ROOT / "real" / name).read_bytes(), name)
    assert reading.problems == ()
    (certificate,) = reading.certificates
    assert (certificate.subject, certificate.issuer, certificate.serial_number) == (subject, subject, serial_number)
    assert certificate.key.kind == "unrecorded"
    assert certificate.notes == ()
