# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PFX files of Windows, OpenSSL and others: what is readable without, with and with a wrong password."""

from __future__ import annotations

import base64
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence import pbe
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.pfx import read_pfx
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Certificate, Reading
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.formats.asn1 import element, integer, octets, oid, sequence
from lab.formats.pfx import Encryption, Entry, write_entries, write_pfx
from lab.pki import Issued, KeyPool, Wanted, self_signed

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
PASSWORD = "Sehr geheim ü1"
POOL = KeyPool(3)


def issued(name: str, kind: str = "rsa2048") -> Issued:
    wanted = Wanted(
        f"CN={name}",
        datetime(2025, 1, 1, tzinfo=timezone.utc),
        datetime(2027, 1, 1, tzinfo=timezone.utc),
        key=kind,
    )
    return self_signed(wanted, POOL)


FRONT_END = issued("fe01.contoso.example")
EDGE = issued("edge.contoso.example")
ROOT = issued("Contoso Root CA", "p256")


def windows_pfx(**changes: Any) -> bytes:
    options: dict[str, Any] = {
        "password": PASSWORD,
        "provider": SCHANNEL,
        "machine_keyset": True,
        "friendly_name": "Lync default",
        "container": "le-6d1a",
        **changes,
    }
    return write_pfx(FRONT_END.key, FRONT_END.certificate, **options)


def only(reading: Reading) -> Certificate:
    (certificate,) = reading.certificates
    return certificate


def assert_no_secret(reading: Reading, *issues: Issued) -> None:
    """Neither the password nor any private key stands in any record or problem, in any usual notation."""
    told = repr(reading) + repr([certificate.as_dict() for certificate in reading])
    assert PASSWORD not in told
    for entry in issues or (FRONT_END,):
        der = entry.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        secret = der[40:80]
        assert secret.hex() not in told.lower()
        assert repr(secret)[2:-1] not in told
        assert base64.b64encode(der)[40:80].decode() not in told


@pytest.mark.parametrize("encryption", ["aes256-sha256", "tripledes-sha1"])
@pytest.mark.parametrize("encrypt_key_safe", [False, True])
def test_with_the_password_key_and_certificate_are_one_record(encryption: Encryption, encrypt_key_safe: bool):
    data = windows_pfx(encryption=encryption, encrypt_key_safe=encrypt_key_safe)
    reading = read_pfx(data, "fe01.pfx", PASSWORD)
    certificate = only(reading)
    assert reading.problems == ()
    assert certificate.thumbprint == FRONT_END.thumbprint
    assert certificate.friendly_name == "Lync default"
    assert (certificate.key.kind, certificate.key.provider) == ("csp", SCHANNEL)
    assert certificate.key.container == "le-6d1a"
    assert certificate.key.machine_keyset is True
    assert certificate.key.present is True
    assert certificate.notes == ()
    assert_no_secret(reading)


@pytest.mark.parametrize("password", [None, "wrong"])
@pytest.mark.parametrize("encryption", ["aes256-sha256", "tripledes-sha1"])
def test_without_a_fitting_password_the_provider_is_still_read(password: str | None, encryption: Encryption):
    reading = read_pfx(windows_pfx(encryption=encryption), "fe01.pfx", password)
    certificate = only(reading)
    assert (certificate.key.kind, certificate.key.provider, certificate.key.flags) == ("csp", SCHANNEL, 0x20)
    assert certificate.thumbprint is None
    assert certificate.key.present is None
    assert any("without its password" in note for note in certificate.notes)
    (problem,) = reading.problems
    assert problem.origin == "fe01.pfx"
    assert "password" in problem.message
    assert "'password'" in problem.remedy
    assert ("no password was given" in problem.message) == (password is None)


@pytest.mark.parametrize("password", [None, "wrong"])
def test_an_encrypted_key_safe_without_a_fitting_password_yields_a_problem_only(password: str | None):
    reading = read_pfx(windows_pfx(encrypt_key_safe=True), "fe01.pfx", password)
    assert reading.certificates == ()
    assert "password" in reading.problems[0].message


def test_a_cng_key_is_a_ksp_and_not_a_machine_key():
    certificate = only(read_pfx(windows_pfx(provider=SOFTWARE_KSP, machine_keyset=False), "x", PASSWORD))
    assert (certificate.key.kind, certificate.key.flags, certificate.key.machine_keyset) == ("ksp", None, None)


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_a_file_without_provider_is_unrecorded_and_says_what_an_import_does(password: str | None):
    certificate = only(read_pfx(windows_pfx(provider=None), "x", password))
    assert (certificate.key.kind, certificate.key.provider) == ("unrecorded", None)
    assert any("Microsoft Enhanced Cryptographic Provider v1.0" in note for note in certificate.notes)


@pytest.mark.parametrize("local_key_ids", [True, False])
def test_several_keys_find_their_own_certificates(local_key_ids: bool):
    data = write_entries(
        [
            Entry(FRONT_END.key, FRONT_END.certificate, SCHANNEL),
            Entry(EDGE.key, EDGE.certificate, SOFTWARE_KSP),
        ],
        password=PASSWORD,
        local_key_ids=local_key_ids,
        chain=[ROOT.certificate],
    )
    reading = read_pfx(data, "two.pfx", PASSWORD)
    assert reading.problems == ()
    found = {certificate.thumbprint: certificate for certificate in reading}
    assert found[FRONT_END.thumbprint].key.provider == SCHANNEL
    assert found[EDGE.thumbprint].key.provider == SOFTWARE_KSP
    assert found[ROOT.thumbprint].key.kind == "unrecorded"
    assert found[ROOT.thumbprint].notes == ("The file holds no private key for this certificate.",)
    assert len(found) == 3
    assert_no_secret(reading, FRONT_END, EDGE)


def test_several_keys_are_several_records_without_the_password_too():
    data = write_entries(
        [Entry(FRONT_END.key, FRONT_END.certificate, SCHANNEL), Entry(EDGE.key, EDGE.certificate, SOFTWARE_KSP)],
        password=PASSWORD,
    )
    assert [certificate.key.provider for certificate in read_pfx(data, "two.pfx")] == [SCHANNEL, SOFTWARE_KSP]


def test_the_public_key_outweighs_a_wrong_link():
    data = write_entries(
        [
            Entry(FRONT_END.key, EDGE.certificate, SCHANNEL),
            Entry(EDGE.key, FRONT_END.certificate, SOFTWARE_KSP),
        ],
        password=PASSWORD,
    )
    found = {certificate.thumbprint: certificate.key.provider for certificate in read_pfx(data, "x", PASSWORD)}
    assert found == {FRONT_END.thumbprint: SCHANNEL, EDGE.thumbprint: SOFTWARE_KSP}


def test_a_key_without_certificate_is_told():
    data = write_pfx(FRONT_END.key, None, password=PASSWORD, provider=SCHANNEL, machine_keyset=True)
    certificate = only(read_pfx(data, "x", PASSWORD))
    assert (certificate.thumbprint, certificate.key.provider) == (None, SCHANNEL)
    assert certificate.notes


def test_an_empty_password_is_a_password():
    reading = read_pfx(windows_pfx(password=""), "x", "")
    assert only(reading).thumbprint == FRONT_END.thumbprint
    assert reading.problems == ()


def test_a_pfx_of_the_library_is_read_without_and_with_password():
    data = pkcs12.serialize_key_and_certificates(
        b"web", FRONT_END.key, FRONT_END.certificate, [ROOT.certificate], BestAvailableEncryption(PASSWORD.encode())
    )
    assert only(read_pfx(data, "x")).key.kind == "unrecorded"
    first, second = read_pfx(data, "x", PASSWORD).certificates
    assert (first.thumbprint, first.friendly_name, first.key.present) == (FRONT_END.thumbprint, "web", True)
    assert second.thumbprint == ROOT.thumbprint


def test_a_file_without_any_encryption_needs_no_password():
    data = pkcs12.serialize_key_and_certificates(None, FRONT_END.key, FRONT_END.certificate, None, NoEncryption())
    reading = read_pfx(data, "x")
    assert only(reading).thumbprint == FRONT_END.thumbprint
    assert reading.problems == ()
    assert_no_secret(reading)


def test_pem_armour_and_base64_are_taken_off():
    data = windows_pfx()
    armoured = b"-----BEGIN CERTIFICATE-----\r\n" + base64.encodebytes(data) + b"-----END CERTIFICATE-----\r\n"
    assert only(read_pfx(armoured, "x", PASSWORD)).key.provider == SCHANNEL
    assert only(read_pfx(base64.encodebytes(data), "x", PASSWORD)).key.provider == SCHANNEL


def test_indefinite_lengths_are_read():
    """The outer structures as Bouncy Castle and NSS write them: BER without lengths, octet strings in pieces."""
    key_safe = _first_safe(windows_pfx())
    pieces = b"".join(octets(key_safe[at : at + 1000]) for at in range(0, len(key_safe), 1000))
    inner = _open_ended(
        0x30, _open_ended(0x30, oid("1.2.840.113549.1.7.1"), _open_ended(0xA0, _open_ended(0x24, pieces)))
    )
    content = _open_ended(0x24, octets(inner[:700]), octets(inner[700:]))
    info = _open_ended(0x30, oid("1.2.840.113549.1.7.1"), _open_ended(0xA0, content))
    data = _open_ended(0x30, integer(3), info)
    certificate = only(read_pfx(data, "nss.p12"))
    assert (certificate.key.provider, certificate.key.container) == (SCHANNEL, "le-6d1a")


@pytest.mark.usefixtures("openssl")
def test_certificates_encrypted_with_rc2_as_by_older_windows_are_read(tmp_path: Path):
    key, crt, out = tmp_path / "k.pem", tmp_path / "c.pem", tmp_path / "x.pfx"
    _write_pems(key, crt)
    try:
        _openssl("pkcs12", "-export", "-legacy", "-inkey", key, "-in", crt, "-out", out, "-passout", "pass:x")
    except subprocess.CalledProcessError:
        pytest.skip("this openssl cannot encrypt with RC2")
    reading = read_pfx(out.read_bytes(), "rc2.pfx", "x")
    assert only(reading).thumbprint == FRONT_END.thumbprint
    assert reading.problems == ()


def test_a_key_safe_that_only_the_library_can_decrypt_leaves_the_provider_unrecorded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pbe, "_PKCS12_TRIPLE_DES", "no such algorithm")
    data = windows_pfx(encrypt_key_safe=True, encryption="tripledes-sha1")
    reading = read_pfx(data, "x.pfx", PASSWORD)
    certificate = only(reading)
    assert (certificate.thumbprint, certificate.key.kind) == (FRONT_END.thumbprint, "unrecorded")
    assert any("could not be decrypted" in note for note in certificate.notes)
    assert "1.2.840.113549.1.12.1.3" in reading.problems[0].message


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([], id="default"),
        pytest.param(["-certpbe", "NONE"], id="certificates in clear"),
        pytest.param(["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"], id="3DES"),
        pytest.param(["-keypbe", "AES-128-CBC", "-certpbe", "AES-192-CBC"], id="AES"),
        pytest.param(["-keypbe", "NONE", "-nomaciter"], id="key in clear"),
    ],
)
@pytest.mark.usefixtures("openssl")
def test_what_openssl_writes_with_csp_and_lmk_is_read(tmp_path: Path, options: list[str]):
    key, crt, out = tmp_path / "k.pem", tmp_path / "c.pem", tmp_path / "x.pfx"
    _write_pems(key, crt)
    _openssl(
        "pkcs12", "-export", "-inkey", key, "-in", crt, "-out", out, "-passout", "pass:x", "-CSP", SCHANNEL, "-LMK",
        "-name", "front end", *options,
    )  # fmt: skip
    without = only(read_pfx(out.read_bytes(), "x.pfx"))
    assert (without.key.kind, without.key.provider, without.key.flags) == ("csp", SCHANNEL, 0x20)
    reading = read_pfx(out.read_bytes(), "x.pfx", "x")
    certificate = only(reading)
    assert reading.problems == ()
    assert certificate.thumbprint == FRONT_END.thumbprint
    assert certificate.friendly_name == "front end"
    assert (certificate.key.provider, certificate.key.present) == (SCHANNEL, True)


@pytest.mark.usefixtures("openssl")
def test_openssl_reads_what_the_lab_writes(tmp_path: Path):
    """The fixture itself is held to another implementation."""
    out = tmp_path / "x.pfx"
    out.write_bytes(windows_pfx(password="x", encrypt_key_safe=True, encryption="tripledes-sha1"))
    told = _openssl("pkcs12", "-in", out, "-passin", "pass:x", "-noenc")
    assert f"Microsoft CSP Name: {SCHANNEL}" in told
    assert "Microsoft Local Key set" in told


def test_absurd_iteration_counts_are_refused():
    salt_and_count = sequence(octets(b"12345678"), integer(pbe.MOST_ITERATIONS + 1))
    with pytest.raises(pbe.UnsupportedEncryption, match="iterations"):
        pbe.decrypt(sequence(oid("1.2.840.113549.1.12.1.3"), salt_and_count), bytes(16), "x")


@pytest.mark.parametrize("data", [b"", b"no pfx", FRONT_END.der])
def test_what_is_no_pfx_is_a_problem(data: bytes):
    reading = read_pfx(data, "x.pfx", PASSWORD)
    assert reading.certificates == ()
    assert "not a PFX" in reading.problems[0].message


def test_a_file_protected_by_a_signature_is_refused():
    signed = sequence(integer(3), sequence(oid("1.2.840.113549.1.7.2"), element(0xA0, sequence())))
    assert "signature" in read_pfx(signed, "x").problems[0].message


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("password", [None, PASSWORD])
def test_a_cut_off_file_is_a_problem(part: float, password: str | None):
    data = windows_pfx()
    reading = read_pfx(data[: int(len(data) * part)], "cut.pfx", password)
    assert reading.certificates == ()
    assert reading.problems[-1].origin == "cut.pfx"


WHOLE = windows_pfx()
CLEAR = pkcs12.serialize_key_and_certificates(b"x", FRONT_END.key, FRONT_END.certificate, None, NoEncryption())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_never_raises_and_never_leaks_the_key(data: st.DataObject):
    damaged = bytearray(data.draw(st.sampled_from([WHOLE, CLEAR])))
    for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=3)):
        damaged[position] = data.draw(st.integers(0, 255))
    reading = read_pfx(bytes(damaged), "fuzz", data.draw(st.sampled_from([None, PASSWORD])))
    assert reading.certificates or reading.problems
    assert_no_secret(reading)


@pytest.mark.parametrize("algorithm", ["1.2.840.113549.1.5.13", "1.2.840.113549.1.5.12"])
def test_an_encryption_or_derivation_without_parameters_is_a_problem(algorithm):
    """Each is the name of a SEQUENCE that follows it; the damage makes that an empty one."""
    at = WHOLE.index(oid(algorithm)) + len(oid(algorithm))
    assert WHOLE[at] == 0x30
    damaged = WHOLE[: at + 1] + b"\0" + WHOLE[at + 2 :]
    for password in (None, PASSWORD):
        assert read_pfx(damaged, "damaged", password).problems


def _first_safe(data: bytes) -> bytes:
    """The SafeContents of the first safe, found as the octet string that begins with the first bag."""
    start = data.index(b"\x30", data.index(oid("1.2.840.113549.1.12.10.1.2")) - 8)
    for at in range(start - 8, start + 1):
        if data[at] == 0x30 and data[at + 1] == 0x82 and data[at + 4] == 0x30:
            return data[at : at + 4 + int.from_bytes(data[at + 2 : at + 4], "big")]
    raise AssertionError("no safe found")


def _open_ended(tag: int, *parts: bytes) -> bytes:
    return bytes([tag, 0x80]) + b"".join(parts) + b"\0\0"


def _write_pems(key: Path, crt: Path) -> None:
    key.write_bytes(FRONT_END.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    crt.write_bytes(FRONT_END.certificate.public_bytes(Encoding.PEM))


def _openssl(*arguments: object) -> str:
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
