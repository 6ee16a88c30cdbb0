# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and answers through a directory of the controller."""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.exchange import (
    LARGEST_ANSWER,
    exchange_request,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.errors import EnrolmentError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from cryptography.x509.oid import NameOID

NOW = datetime(2025, 3, 1, 12, tzinfo=timezone.utc)
YEAR = timedelta(days=365)
POOL = "pool01.contoso.example"


def key(name):
    return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def make_name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def make_request(holder="server"):
    builder = x509.CertificateSigningRequestBuilder().subject_name(make_name(POOL))
    return builder.sign(key(holder), None).public_bytes(Encoding.PEM).decode()


def make_certificate(holder="server", *, subject=POOL, issuer="ca", end=NOW + YEAR):
    return (
        x509.CertificateBuilder()
        .subject_name(make_name(subject))
        .issuer_name(make_name(issuer))
        .public_key(key(holder).public_key())
        .serial_number(int.from_bytes(hashlib.sha256(f"{holder}{subject}{end}".encode()).digest()[:8], "big"))
        .not_valid_before(NOW - YEAR)
        .not_valid_after(end)
        .sign(key(issuer), None)
    )


CSR = make_request()
LEAF = make_certificate()
CA = make_certificate("ca", subject="ca")


def pem(*certificates):
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def exchange(directory, csr=CSR, *, name="fe01-default", check=False, at=NOW):
    return exchange_request(csr, directory, name, check=check, at=at)


def refused(directory, **options):
    with pytest.raises(EnrolmentError) as caught:
        exchange(directory, **options)
    assert caught.value.remedy
    return caught.value


def test_a_request_is_laid_out_and_pending(tmp_path):
    directory = tmp_path / "a" / "b"
    result = exchange(directory)
    assert (result["status"], result["changed"], result["certificate"]) == ("pending", True, None)
    path = Path(result["csr_path"])
    assert path == directory / "fe01-default.csr"
    assert path.read_text() == CSR
    assert "fe01-default.csr" in result["reason"]
    assert result["diff"][0]["after"] == CSR
    assert os.listdir(directory) == ["fe01-default.csr"]


def test_the_second_run_changes_nothing(tmp_path):
    exchange(tmp_path)
    before = (tmp_path / "fe01-default.csr").stat()
    result = exchange(tmp_path)
    assert (result["status"], result["changed"], result["diff"], result["problems"]) == ("pending", False, [], [])
    assert (tmp_path / "fe01-default.csr").stat() == before


def test_the_mode_of_the_file_follows_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        exchange(tmp_path)
    finally:
        os.umask(old)
    assert (tmp_path / "fe01-default.csr").stat().st_mode & 0o777 == 0o640


def test_check_mode_writes_nothing(tmp_path):
    directory = tmp_path / "new"
    result = exchange(directory, check=True)
    assert (result["changed"], result["status"]) == (True, "pending")
    assert not directory.exists()


@pytest.mark.parametrize(
    "data",
    [
        pem(LEAF, CA),
        LEAF.public_bytes(Encoding.DER),
        pkcs7.serialize_certificates([CA, LEAF], Encoding.DER),
        pkcs7.serialize_certificates([CA, LEAF], Encoding.PEM),
        base64.encodebytes(LEAF.public_bytes(Encoding.DER)),
    ],
    ids=["pem", "der", "pkcs7", "pkcs7 pem", "base64"],
)
def test_an_answer_is_found_by_its_key_under_any_name(tmp_path, data):
    exchange(tmp_path)
    (tmp_path / "order 4711.txt").write_bytes(data)
    (tmp_path / "other.crt").write_bytes(pem(make_certificate("other")))
    result = exchange(tmp_path)
    assert (result["status"], result["changed"], result["reason"]) == ("issued", False, None)
    assert ssl.PEM_cert_to_DER_cert(result["certificate"]) == LEAF.public_bytes(Encoding.DER)
    assert result["answer"] == str(tmp_path / "order 4711.txt")


def test_issuers_may_come_in_files_of_their_own(tmp_path):
    (tmp_path / "a.crt").write_bytes(pem(CA))
    (tmp_path / "b.crt").write_bytes(pem(LEAF))
    result = exchange(tmp_path)
    assert result["chain"] == [pem(CA).decode()]
    assert result["changed"] is True


def test_of_several_answers_the_one_that_is_valid_longest_is_taken(tmp_path):
    longer = make_certificate(end=NOW + 2 * YEAR)
    (tmp_path / "a.crt").write_bytes(pem(longer))
    (tmp_path / "b.crt").write_bytes(pem(LEAF))
    assert exchange(tmp_path)["answer"] == str(tmp_path / "a.crt")


def test_an_answer_without_the_names_gives_way_to_one_with_them(tmp_path):
    (tmp_path / "a.crt").write_bytes(pem(make_certificate(subject="other.contoso.example", end=NOW + 2 * YEAR)))
    error = refused(tmp_path)
    assert POOL in error.message
    assert error.place == str(tmp_path / "a.crt")
    (tmp_path / "b.crt").write_bytes(pem(LEAF))
    assert exchange(tmp_path)["answer"] == str(tmp_path / "b.crt")


def test_an_expired_answer_is_told(tmp_path):
    (tmp_path / "a.crt").write_bytes(pem(LEAF))
    assert "expired" in refused(tmp_path, at=NOW + 2 * YEAR).message


def test_another_request_of_the_same_name_is_never_replaced(tmp_path):
    exchange(tmp_path)
    other = make_request("renewed")
    for changed in (True, False):
        result = exchange(tmp_path, other)
        path = Path(result["csr_path"])
        assert path.name.startswith("fe01-default-")
        assert result["changed"] is changed
        assert path.read_text() == other
    assert (tmp_path / "fe01-default.csr").read_text() == CSR
    assert len(list(tmp_path.iterdir())) == 2


def test_the_other_request_is_named_when_the_file_is_written(tmp_path):
    exchange(tmp_path)
    other = make_request("renewed")
    assert "fe01-default.csr holds another request" in exchange(tmp_path, other)["warnings"][0]
    assert exchange(tmp_path, other)["warnings"] == []


def test_what_cannot_be_read_is_a_problem(tmp_path):
    (tmp_path / "big.cer").write_bytes(b"x" * (LARGEST_ANSWER + 1))
    (tmp_path / "broken.cer").write_bytes(pem(LEAF)[:-60])
    (tmp_path / "README").write_text("Put answers here.")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "directory").mkdir()
    (tmp_path / "gone.cer").symlink_to(tmp_path / "nowhere")
    (tmp_path / "fe02.csr").write_text(make_request("fe02"))
    private = key("x").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "server.key").write_bytes(private)
    (tmp_path / "good.crt").write_bytes(pem(LEAF))
    result = exchange(tmp_path)
    assert result["status"] == "issued"
    assert sorted(Path(problem["origin"]).name for problem in result["problems"]) == ["README", "big.cer", "broken.cer"]
    assert all(problem["remedy"] for problem in result["problems"])
    assert "PRIVATE" not in str(result)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\\b", "a b", "x\n", "a" * 121, "x.", "-x"])
def test_a_name_cannot_leave_the_directory(tmp_path, name):
    assert refused(tmp_path / "new", name=name).place == "the option 'name'"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("csr", ["", "hello", pem(LEAF).decode()])
def test_what_is_no_request_is_refused(tmp_path, csr):
    assert refused(tmp_path / "new", csr=csr).place == "the option 'csr'"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("place", ["file", "file/below", "nul\0"])
def test_a_directory_that_cannot_be_used_is_told(tmp_path, place):
    (tmp_path / "file").write_text("x")
    assert refused(tmp_path / place).place == "the option 'path'"
