# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PFX files of OpenSSL are opened, and OpenSSL reads what is made of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.pfx import Encryption, open_pfx, rebuilt
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from lab.pki import Authority, KeyPool, Wanted
from programs import missing, program

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
STRONG = "Microsoft Strong Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
BEGIN, END = datetime(2025, 1, 1, tzinfo=timezone.utc), datetime(2027, 1, 1, tzinfo=timezone.utc)
ISSUER = Authority("CN=Contoso Issuing CA", KeyPool(1), not_before=BEGIN, not_after=END)
LEAF = ISSUER.issue(Wanted("CN=fe01.contoso.example", BEGIN, END))
OLD_WINDOWS = ["-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"]
TRIPLE_DES = ["-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1"]

FILES = {
    "default": [],
    "csp": ["-CSP", STRONG],
    "csp and machine": ["-CSP", SOFTWARE_KSP, "-LMK", "-name", "front end"],
    "exchange": ["-keyex", "-CSP", STRONG],
    "signature": ["-keysig", "-CSP", SCHANNEL, "-LMK"],
    "triple des": TRIPLE_DES,
    "triple des of the option": ["-legacy", "-descert"],
    "as old Windows": OLD_WINDOWS,
    "rc2 for the key too": ["-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-RC2-40"],
    "rc2 in pbes2": ["-legacy", "-certpbe", "RC2-40-CBC", "-keypbe", "PBE-SHA1-3DES"],
    "rc4": ["-legacy", "-certpbe", "PBE-SHA1-RC4-128", "-keypbe", "PBE-SHA1-RC4-128"],
    "aes 128": ["-certpbe", "AES-128-CBC", "-keypbe", "AES-192-CBC"],
    "nothing encrypted": ["-certpbe", "NONE", "-keypbe", "NONE"],
    "sha 512": ["-macalg", "sha512"],
    "no iterations": ["-noiter", "-nomaciter"],
    "no mac": ["-nomac"],
}


class OpenSSL:
    """The program, with the password in its environment."""

    def __init__(self, path: str, directory: Path) -> None:
        self._path = path
        self._directory = directory
        self.key, self.crt, self.ca = (directory / name for name in ("key.pem", "crt.pem", "ca.pem"))
        self.key.write_bytes(LEAF.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.crt.write_bytes(LEAF.certificate.public_bytes(Encoding.PEM))
        self.ca.write_bytes(ISSUER.certificate.certificate.public_bytes(Encoding.PEM))

    def run(self, *arguments: object, password: str) -> str:
        """What it prints, on both outputs.

        -info tells the algorithms on the standard error output.
        """
        done = subprocess.run(
            [self._path, *map(str, arguments)],
            env={**os.environ, "SECRET": password},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout + done.stderr

    def write(self, *options: str, password: str = "secret") -> bytes:
        """A PFX of the leaf and its issuer."""
        out = self._directory / "made.pfx"
        try:
            self.run(
                "pkcs12", "-export", "-inkey", self.key, "-in", self.crt, "-certfile", self.ca, "-out", out,
                "-passout", "env:SECRET", *options, password=password,
            )  # fmt: skip
        except subprocess.CalledProcessError as exc:
            if "-legacy" not in options:
                raise
            missing(f"this openssl has no legacy provider: {exc.stderr.strip()}", "openssl")
        return out.read_bytes()

    def read(self, data: bytes, *options: str, password: str = "secret") -> str:
        """All that it tells of a PFX, with the key in clear."""
        path = self._directory / "read.pfx"
        path.write_bytes(data)
        return self.run("pkcs12", "-info", "-nodes", "-in", path, "-passin", "env:SECRET", *options, password=password)


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSSL:
    return OpenSSL(program("openssl", package="openssl"), tmp_path)


@pytest.mark.parametrize("options", FILES.values(), ids=FILES.keys())
def test_a_file_of_openssl_is_opened_and_openssl_reads_what_is_made_of_it(openssl: OpenSSL, options: list[str]):
    opened = open_pfx(openssl.write(*options), "secret")
    assert (opened.leaf.thumbprint, opened.chain, opened.others) == (LEAF.thumbprint, (ISSUER.certificate.der,), ())
    assert opened.leaf.key.provider == (options[options.index("-CSP") + 1] if "-CSP" in options else None)
    assert bool(opened.leaf.key.machine_keyset) == ("-LMK" in options)
    told = openssl.read(rebuilt(opened, password="secret", provider=SCHANNEL, encryption="tripledes-sha1"))
    assert f"Microsoft CSP Name: {SCHANNEL}" in told
    assert told.count("Microsoft CSP Name") == 1
    assert "Microsoft Local Key set" in told
    assert "X509v3 Key Usage: 10" in told
    assert told.count("X509v3 Key Usage") == 1
    assert openssl.key.read_text().strip() in told
    for certificate in (openssl.crt, openssl.ca):
        assert certificate.read_text().strip() in told
    assert told.count("friendlyName") == ("-name" in options)


@pytest.mark.parametrize(
    ("encryption", "named"),
    [
        ("tripledes-sha1", ("MAC: sha1", "pbeWithSHA1And3-KeyTripleDES-CBC")),
        ("aes256-sha256", ("MAC: sha256", "PBES2, PBKDF2, AES-256-CBC", "PRF hmacWithSHA256")),
    ],
)
def test_keys_and_certificates_are_encrypted_as_wished(
    openssl: OpenSSL, encryption: Encryption, named: tuple[str, ...]
):
    opened = open_pfx(openssl.write(), "secret")
    made = rebuilt(opened, password="Ünïcode €", provider=SCHANNEL, machine_keyset=False, encryption=encryption)
    told = openssl.read(made, password="Ünïcode €")
    for name in named:
        assert name in told
    assert told.count(named[1]) == 2
    assert "Local Key" not in told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "aes256-sha256"),
        (TRIPLE_DES, "tripledes-sha1"),
        (OLD_WINDOWS, "RC2-40 and TripleDES; MAC with sha1"),
        (["-macalg", "sha1"], "AES-256 (PBES2, sha256); MAC with sha1"),
        (["-nomac"], "AES-256 (PBES2, sha256) and no encryption; no MAC"),
        ([*TRIPLE_DES, "-certpbe", "NONE"], "TripleDES and no encryption; MAC with sha1"),
        (["-keypbe", "AES-128-CBC"], "AES-128 (PBES2, sha256) and AES-256 (PBES2, sha256); MAC with sha256"),
    ],
)
def test_it_is_told_how_a_file_is_encrypted(openssl: OpenSSL, options: list[str], said: str):
    assert open_pfx(openssl.write(*options), "secret").encryption == said


@pytest.mark.parametrize(("option", "key_spec"), [("-keysig", 2), ("-keyex", 1)])
def test_what_the_key_is_for_is_read_and_becomes_key_exchange(openssl: OpenSSL, option: str, key_spec: int):
    """OpenSSL puts the usage into the encrypted key ("Key Attributes")."""
    opened = open_pfx(openssl.write(option, "-CSP", STRONG), "secret")
    assert opened.leaf.key.key_spec == key_spec
    made = rebuilt(opened, password="secret", provider=STRONG, encryption="aes256-sha256")
    assert open_pfx(made, "secret").leaf.key.key_spec == 1


@pytest.mark.parametrize("password", ["", "Ünïcode €", "𝄞 clef", "x" * 900])
@pytest.mark.parametrize("options", [[], TRIPLE_DES], ids=["AES", "3DES"])
def test_passwords_of_all_kinds_open(openssl: OpenSSL, password: str, options: list[str]):
    assert open_pfx(openssl.write(*options, password=password), password).leaf.thumbprint == LEAF.thumbprint


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
def test_the_mac_is_computed_as_openssl_does(openssl: OpenSSL, digest: str, monkeypatch: pytest.MonkeyPatch):
    data = openssl.write("-macalg", digest)

    def unread(*_arguments: object) -> None:
        raise ValueError("Invalid password or PKCS12 data")

    monkeypatch.setattr(pkcs12, "load_pkcs12", unread)
    with pytest.raises(EnrolmentError, match="The password fits"):
        open_pfx(data, "secret")
    with pytest.raises(EnrolmentError, match="does not open"):
        open_pfx(data, "other")


def test_rc2_without_the_legacy_provider_is_named(openssl: OpenSSL, tmp_path: Path):
    """As on a controller whose OpenSSL has none; the library then says no more than that the password is wrong."""
    path = tmp_path / "old.pfx"
    path.write_bytes(openssl.write(*OLD_WINDOWS))
    script = (
        "import json, sys\n"
        f"from {open_pfx.__module__} import open_pfx\n"
        f"from {EnrolmentError.__module__} import EnrolmentError\n"
        "told = []\n"
        "for password in ('secret', 'other'):\n"
        "    try:\n"
        "        told.append(open_pfx(open(sys.argv[1], 'rb').read(), password).encryption)\n"
        "    except EnrolmentError as error:\n"
        "        told.append(error.message)\n"
        "print(json.dumps(told))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        env={
            **os.environ,
            "CRYPTOGRAPHY_OPENSSL_NO_LEGACY": "1",
            "PYTHONPATH": os.pathsep.join(one for one in sys.path if one),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    fitting, wrong = json.loads(done.stdout)
    assert "RC2-40" in fitting
    assert "The password fits" in fitting
    assert "does not open" in wrong
