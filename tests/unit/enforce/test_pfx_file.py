# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PFX files rewritten on the controller: what changes, what does not, and what is left when it fails."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce import pfx_file
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.pfx_file import (
    FileWish,
    convert_file,
    permissions,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment import pfx
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.pfx import open_pfx
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from lab.formats.pfx import write_pfx
from lab.formats.pfx_read import read_pfx
from lab.pki import KeyPool, Wanted, self_signed

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
PASSWORD, NEW_PASSWORD = "Th1s-is-old", "Th1s-is-new"
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=timezone.utc)
POOL = KeyPool(2)
LEAF, OTHER = (
    self_signed(
        Wanted(f"CN={name}", datetime(2025, 1, 1, tzinfo=timezone.utc), datetime(2027, 1, 1, tzinfo=timezone.utc)), POOL
    )
    for name in ("fe01.contoso.example", "edge.contoso.example")
)


def cng_file(**changes: Any) -> bytes:
    options: dict[str, Any] = {
        "password": PASSWORD,
        "provider": SOFTWARE_KSP,
        "machine_keyset": False,
        "friendly_name": "Lync",
        "container": "le-6d1a",
        **changes,
    }
    return write_pfx(LEAF.key, LEAF.certificate, **options)


@pytest.fixture
def given(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "fe01.pfx"
    path.parent.mkdir()
    path.write_bytes(cng_file())
    return path


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    path = tmp_path / "out" / "fe01.pfx"
    path.parent.mkdir()
    return path


def convert(given: Path | str, *, check: bool = False, **changes: Any) -> dict[str, Any]:
    options: dict[str, Any] = {
        "password": PASSWORD,
        "provider": SCHANNEL,
        "machine_keyset": True,
        "encryption": "tripledes-sha1",
        **changes,
    }
    result = convert_file(given, FileWish(**options), check=check, at=NOW)
    told = repr({name: value for name, value in result.items() if name != "content"})
    assert PASSWORD not in told
    assert NEW_PASSWORD not in told
    return result


def provider_in(data: bytes, password: str = PASSWORD) -> tuple[str | None, bool]:
    [key] = read_pfx(data, password, aes=True).keys
    return key.provider, key.machine_keyset


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """Whatever a test did, no temporary file lies anywhere."""
    yield
    assert not list(tmp_path.rglob(".*"))


def test_a_file_is_written_once_and_then_left_alone(given: Path, dest: Path):
    result = convert(given, dest=dest)
    assert result["changed"] is True
    assert provider_in(dest.read_bytes()) == (SCHANNEL, True)
    assert stat.S_IMODE(dest.stat().st_mode) == 0o600
    written = dest.read_bytes(), dest.stat().st_ino
    again = convert(given, dest=dest)
    assert again["changed"] is False
    assert "diff" not in again
    assert (dest.read_bytes(), dest.stat().st_ino) == written
    assert names(dest.parent) == ["fe01.pfx"]
    assert given.read_bytes() != dest.read_bytes()


def test_the_result_tells_before_and_after(given: Path, dest: Path):
    result = convert(given, dest=dest)
    assert result["thumbprint"] == LEAF.thumbprint
    [certificate] = result["certificates"]
    assert (certificate["friendly_name"], certificate["key"]["provider"]) == ("Lync", SOFTWARE_KSP)
    assert result["before"] == {"provider": SOFTWARE_KSP, "machine_keyset": False, "encryption": "aes256-sha256"}
    assert result["after"] == {"provider": SCHANNEL, "machine_keyset": True, "encryption": "tripledes-sha1"}
    assert (result["dest"], result["backup_file"]) == (str(dest), None)
    assert "content" not in result
    [difference] = result["diff"]
    assert (difference["before_header"], difference["after_header"]) == (str(given), str(dest))
    assert difference["before"].splitlines()[:2] == [f"provider: {SOFTWARE_KSP}", "machine_keyset: False"]
    assert difference["after"].splitlines() == [
        f"provider: {SCHANNEL}",
        "machine_keyset: True",
        "encryption: tripledes-sha1",
        "friendly_name: Lync",
        "mode: 0600",
    ]


def test_check_mode_tells_the_same_and_writes_nothing(given: Path, dest: Path):
    planned = convert(given, dest=dest, check=True)
    assert names(dest.parent) == []
    assert planned == convert(given, dest=dest)
    dest.chmod(0o640)
    assert convert(given, dest=dest, check=True)["changed"] is True
    assert stat.S_IMODE(dest.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({}, {"provider": SOFTWARE_KSP}),
        ({}, {"machine_keyset": False}),
        ({"machine_keyset": False}, {}),
        ({}, {"encryption": "aes256-sha256"}),
        ({}, {"new_password": NEW_PASSWORD}),
        ({"new_password": NEW_PASSWORD}, {}),
        ({}, {"friendly_name": "Edge"}),
        ({"friendly_name": "Edge"}, {}),
    ],
)
def test_each_difference_is_a_change(given: Path, dest: Path, first: dict[str, Any], second: dict[str, Any]):
    assert convert(given, dest=dest, **first)["changed"] is True
    assert convert(given, dest=dest, **first)["changed"] is False
    result = convert(given, dest=dest, **second)
    assert result["changed"] is True
    assert result["diff"][0]["before"] != result["diff"][0]["after"]
    assert convert(given, dest=dest, **second)["changed"] is False


@pytest.mark.parametrize("first", [{"new_password": NEW_PASSWORD}, {"friendly_name": "Edge"}])
def test_the_diff_of_a_file_in_place_shows_what_else_changes(given: Path, first: dict[str, Any]):
    convert(given, dest=given)
    [difference] = convert(given, dest=given, **first)["diff"]
    changed = {*difference["after"].splitlines()} - {*difference["before"].splitlines()}
    assert changed == {"password: (the new)" if "new_password" in first else "friendly_name: Edge"}
    assert PASSWORD not in difference["before"] + difference["after"]
    [difference] = convert(given, dest=given, mode=0o640, **first)["diff"]
    assert {*difference["after"].splitlines()} - {*difference["before"].splitlines()} == {"mode: 0640"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"chain": [OTHER.certificate]}, id="another certificate beside it"),
        pytest.param({"machine_keyset": False}, id="no machine mark"),
        pytest.param({"provider": None}, id="no provider"),
    ],
)
def test_another_file_at_the_destination_is_replaced(given: Path, dest: Path, changes: dict[str, Any]):
    right = {"provider": SCHANNEL, "machine_keyset": True, "encryption": "tripledes-sha1"}
    dest.write_bytes(cng_file(**right))
    dest.chmod(0o600)
    assert convert(given, dest=dest)["changed"] is False
    dest.write_bytes(cng_file(**{**right, **changes}))
    assert convert(given, dest=dest)["changed"] is True
    assert provider_in(dest.read_bytes()) == (SCHANNEL, True)


def test_the_file_of_another_key_at_the_destination_is_replaced(given: Path, dest: Path):
    dest.write_bytes(write_pfx(OTHER.key, OTHER.certificate, password=PASSWORD, provider=SCHANNEL, machine_keyset=True))
    assert convert(given, dest=dest)["changed"] is True
    assert open_pfx(dest.read_bytes(), PASSWORD).leaf.thumbprint == LEAF.thumbprint


def test_a_key_for_signatures_alone_at_the_destination_is_replaced(
    given: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
):
    opened = open_pfx(given.read_bytes(), PASSWORD)
    with monkeypatch.context() as patched:
        patched.setattr(pfx, "_KEY_EXCHANGE", bytes.fromhex("03020780"))
        dest.write_bytes(pfx.rebuilt(opened, password=PASSWORD, provider=SCHANNEL, encryption="tripledes-sha1"))
    assert convert(given, dest=dest)["changed"] is True
    assert open_pfx(dest.read_bytes(), PASSWORD).leaf.key.key_spec == 1


def test_another_name_of_another_certificate_is_a_change(given: Path, dest: Path):
    for name in ("Contoso Edge", "Fabrikam Edge"):
        others = [pkcs12.PKCS12Certificate(OTHER.certificate, name.encode())]
        protection = BestAvailableEncryption(PASSWORD.encode())
        given.write_bytes(
            pkcs12.serialize_key_and_certificates(b"Lync", LEAF.key, LEAF.certificate, others, protection)
        )
        assert convert(given, dest=dest)["changed"] is True
        assert convert(given, dest=dest)["changed"] is False


def test_a_wrapped_file_is_no_file_for_windows(given: Path):
    """Windows imports DER; a right file in base64 is rewritten."""
    convert(given, dest=given)
    given.write_bytes(base64.encodebytes(given.read_bytes()))
    assert convert(given, dest=given)["changed"] is True
    assert given.read_bytes()[0] == 0x30


def test_in_place_with_a_new_password_runs_again(given: Path):
    assert convert(given, dest=given, new_password=NEW_PASSWORD)["changed"] is True
    assert provider_in(given.read_bytes(), NEW_PASSWORD) == (SCHANNEL, True)
    assert convert(given, dest=given, new_password=NEW_PASSWORD)["changed"] is False
    assert convert(given, dest=given, new_password=NEW_PASSWORD, machine_keyset=False)["changed"] is True
    with pytest.raises(EnrolmentError, match="does not open"):
        convert(given, dest=given, new_password="neither")


def test_a_link_is_followed(given: Path, dest: Path):
    link = dest.with_name("link.pfx")
    link.symlink_to(given)
    assert convert(given, dest=link)["changed"] is True
    assert link.is_symlink()
    assert provider_in(given.read_bytes()) == (SCHANNEL, True)
    assert convert(given, dest=link)["changed"] is False


def test_permissions_are_set_without_rewriting(given: Path, dest: Path):
    convert(given, dest=dest)
    before = dest.read_bytes()
    result = convert(given, dest=dest, mode=0o640)
    assert result["changed"] is True
    [difference] = result["diff"]
    assert (difference["before_header"], difference["after_header"]) == (str(dest), str(dest))
    assert difference["before"].replace("mode: 0600", "mode: 0640") == difference["after"]
    assert stat.S_IMODE(dest.stat().st_mode) == 0o640
    assert dest.read_bytes() == before


def test_a_copy_of_what_is_overwritten_is_kept_when_asked_for(given: Path):
    before = given.read_bytes()
    given.chmod(0o644)
    result = convert(given, dest=given, backup=True)
    copy = Path(result["backup_file"])
    assert copy.parent == given.parent
    assert copy.read_bytes() == before
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert convert(given, dest=given, backup=True)["backup_file"] is None
    assert len(names(given.parent)) == 2


def test_nothing_to_overwrite_is_nothing_to_keep(given: Path, dest: Path):
    assert convert(given, dest=dest, backup=True)["backup_file"] is None
    assert names(dest.parent) == ["fe01.pfx"]


@pytest.mark.parametrize("backup", [True, False])
def test_a_write_that_fails_leaves_the_file_and_nothing_else(
    given: Path, monkeypatch: pytest.MonkeyPatch, backup: bool
):
    before = given.read_bytes()
    replace = os.replace

    def full(source: str, target: Path) -> None:
        if Path(target) == given:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(EnrolmentError, match=r"No space left on device\. It is as it was before"):
        convert(given, dest=given, backup=backup)
    assert given.read_bytes() == before
    assert names(given.parent) == ["fe01.pfx"]


def test_nobody_else_can_read_the_file_while_it_is_written(given: Path, dest: Path, monkeypatch: pytest.MonkeyPatch):
    seen = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
    )  # fmt: skip
    convert(given, dest=dest, mode=0o644)
    assert seen == [0o600]
    assert stat.S_IMODE(dest.stat().st_mode) == 0o644


def test_a_new_file_that_does_not_hold_the_same_is_not_written(
    given: Path, dest: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pfx_file, "rebuilt", lambda *_arguments, **_options: cng_file())
    with pytest.raises(EnrolmentError, match="not written"):
        convert(given, dest=dest)
    assert names(dest.parent) == []


def test_without_a_destination_the_file_is_in_the_result(given: Path):
    content = base64.b64encode(given.read_bytes()).decode()
    result = convert(content)
    assert (result["changed"], result["dest"]) == (True, None)
    assert provider_in(base64.b64decode(result["content"])) == (SCHANNEL, True)
    assert "mode" not in result["diff"][0]["after"]
    again = convert(result["content"])
    assert (again["changed"], again["content"]) == (False, result["content"])
    assert convert(given)["content"]
    assert names(given.parent) == ["fe01.pfx"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing/fe01.pfx", "no directory"),
        ("in", "is a directory"),
        ("in/fe01.pfx/below", "no directory"),
        ("in/nul\0", "null byte"),
        ("pipe", "no regular file"),
        ("in/huge", "is no PFX"),
    ],
)
def test_a_destination_that_cannot_be_is_refused(tmp_path: Path, given: Path, path: str, said: str):
    os.mkfifo(tmp_path / "pipe")
    with open(given.with_name("huge"), "wb") as huge:
        huge.truncate(pfx_file.LARGEST_PFX + 1)
    before = given.read_bytes()
    with pytest.raises(EnrolmentError, match=said) as error:
        convert(given, dest=tmp_path / path)
    assert error.value.place == "the option 'dest'"
    assert given.read_bytes() == before


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("in/none.pfx", "No such file"),
        ("in", "is a directory"),
        ("pipe", "no regular file"),
        ("in/huge", "bytes"),
        ("in/nul\0", "null byte"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, given: Path, dest: Path, path: str, said: str):
    os.mkfifo(tmp_path / "pipe")
    with open(given.with_name("huge"), "wb") as huge:
        huge.truncate(pfx_file.LARGEST_PFX + 1)
    with pytest.raises(EnrolmentError, match=said) as error:
        convert(tmp_path / path, dest=dest)
    assert error.value.place == "the option 'path'"
    assert names(dest.parent) == []


def test_a_wrong_password_names_the_file_and_writes_nothing(given: Path, dest: Path):
    with pytest.raises(EnrolmentError, match="does not open") as error:
        convert(given, dest=dest, password="wrong")
    assert error.value.place == str(given)
    assert names(dest.parent) == []


def test_an_empty_password_needs_a_new_one(tmp_path: Path, dest: Path):
    given = tmp_path / "open.pfx"
    given.write_bytes(cng_file(password=""))
    with pytest.raises(EnrolmentError, match="empty") as error:
        convert(given, dest=dest, password="")
    assert "'new_password'" in error.value.remedy
    assert convert(given, dest=dest, password="", new_password=NEW_PASSWORD)["changed"] is True
    assert provider_in(dest.read_bytes(), NEW_PASSWORD) == (SCHANNEL, True)


@pytest.mark.parametrize(("value", "mode"), [("0600", 0o600), ("640", 0o640), (0o400, 0o400), ("0o644", 0o644)])
def test_permissions_are_octal(value: int | str, mode: int):
    assert permissions(value) == mode


@pytest.mark.parametrize("value", ["u=rw", "9", "", "4755", -1, 600, True, None, ["0600"]])
def test_what_are_no_permissions_is_refused(value: Any):
    with pytest.raises(EnrolmentError, match="permissions"):
        permissions(value)
