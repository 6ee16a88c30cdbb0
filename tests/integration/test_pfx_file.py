# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""certificate_file_convert on the command line: files of the controller alone, no host."""

from __future__ import annotations

import base64
import stat
from datetime import datetime, timezone

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lab.formats.pfx import write_pfx
from lab.formats.pfx_read import read_pfx
from lab.pki import KeyPool, Wanted, self_signed

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
PASSWORD, NEW_PASSWORD = "Th1s-must-not-appear", "N0r-must-this"


@pytest.fixture(scope="module")
def leaf():
    begin, end = (datetime(year, 1, 1, tzinfo=timezone.utc) for year in (2025, 2030))
    return self_signed(Wanted("CN=fe01.contoso.example", begin, end), KeyPool(1))


@pytest.fixture
def given(controller, leaf):
    path = controller.directory / "fe01.pfx"
    path.write_bytes(
        write_pfx(
            leaf.key,
            leaf.certificate,
            password=PASSWORD,
            provider=SOFTWARE_KSP,
            machine_keyset=False,
            encryption="tripledes-sha1",
        )
    )
    return path


def convert(controller, *options, **arguments):
    return controller.module("certificate_file_convert", "localhost", {"password": PASSWORD, **arguments}, *options)


def assert_secret(done, leaf):
    """Neither a password nor the key is in any output."""
    secret = leaf.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    for text in (PASSWORD, NEW_PASSWORD, secret[60:90].hex(), base64.b64encode(secret)[60:90].decode()):
        assert text not in done.output


def test_a_file_is_rewritten_once_at_full_verbosity_without_a_secret(controller, given, leaf):
    arguments = {"path": "fe01.pfx", "dest": "out.pfx", "new_password": NEW_PASSWORD}
    checked, planned = convert(controller, "--check", "--diff", **arguments)
    assert (checked.exit_code, planned["changed"]) == (0, True)
    assert not (controller.directory / "out.pfx").exists()
    done, result = convert(controller, "--diff", "-vvvv", **arguments)
    assert (done.exit_code, result["changed"]) == (0, True)
    assert (result["before"]["provider"], result["after"]["provider"]) == (SOFTWARE_KSP, SCHANNEL)
    assert result["certificates"][0]["thumbprint"] == result["thumbprint"] == leaf.thumbprint
    assert f"provider: {SOFTWARE_KSP}" in result["diff"][0]["before"]
    assert f"provider: {SCHANNEL}" in result["diff"][0]["after"]
    out = controller.directory / "out.pfx"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    [key] = read_pfx(out.read_bytes(), NEW_PASSWORD, aes=False).keys
    assert (key.provider, key.machine_keyset) == (SCHANNEL, True)
    written = out.read_bytes()
    again, result = convert(controller, **arguments)
    assert (result["changed"], out.read_bytes()) == (False, written)
    for run in (checked, done, again):
        assert_secret(run, leaf)


def test_content_goes_in_and_comes_out(controller, given, leaf):
    content = base64.b64encode(given.read_bytes()).decode()
    given.unlink()
    done, result = convert(controller, content=content, encryption="aes256-sha256", machine_keyset=False)
    assert (done.exit_code, result["changed"]) == (0, True)
    [key] = read_pfx(base64.b64decode(result["content"]), PASSWORD, aes=True).keys
    assert (key.provider, key.machine_keyset) == (SCHANNEL, False)
    assert not [path for path in controller.directory.iterdir() if path.name != ".ansible"]
    assert_secret(done, leaf)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"password": "wrong"}, "fe01.pfx: The password does not open the file"),
        ({"provider": "Contoso Provider"}, "is not known here"),
        ({"provider": "Microsoft Base DSS Cryptographic Provider"}, "does not take RSA keys"),
        ({"provider": "Microsoft Platform Crypto Provider"}, "does not take RSA keys"),
        ({"new_password": ""}, "is empty"),
        ({"path": "none.pfx"}, "none.pfx cannot be read"),
        ({"dest": "no/such/out.pfx"}, "There is no directory"),
        ({"mode": "rw"}, "option 'mode'"),
        ({"content": "AAAA"}, "mutually exclusive"),
        ({"encryption": "rc2"}, "tripledes-sha1, aes256-sha256"),
    ],
)
def test_bad_input_fails_with_the_way_out_and_writes_nothing(controller, given, leaf, arguments, said):
    before = given.read_bytes()
    done, result = convert(controller, **{"path": "fe01.pfx", "dest": "out.pfx", **arguments})
    assert done.exit_code == 2
    assert said in result["msg"]
    assert "Traceback" not in done.output
    assert not (controller.directory / "out.pfx").exists()
    assert given.read_bytes() == before
    assert_secret(done, leaf)
