# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that a private key is there, can be used, and belongs to its certificate."""

from __future__ import annotations

import base64
from types import SimpleNamespace

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce import proof
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.holdings import read_holdings
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.proof import prove
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from installed_host import KSP, SCHANNEL, FakeHost, Held, cng, failing, issued, key_in, stopping


def holding(key=None, certificate=None, **values):
    return FakeHost(my=[Held(certificate or issued(), key or key_in(), "Pool", **values)])


def proven(host):
    return prove(host, "fe01", read_holdings(host, "fe01").my[0])


def refused(host):
    with pytest.raises(EnrolmentError) as caught:
        proven(host)
    return caught.value


def test_a_signature_that_verifies_is_a_proof():
    assert proven(holding()).as_dict() == {
        "signed": True,
        "provider": SCHANNEL,
        "provider_type": 12,
        "key_spec": 1,
    }


def test_every_proof_signs_something_else_that_says_what_it_is_for():
    host = holding()
    proven(host)
    proven(host)
    signed = [base64.b64decode(b"".join(data.split())) for data in host.inputs if data]
    assert len(set(signed)) == 2
    assert all(len(data) >= 48 and data.startswith(b"winpki.keyprovider") for data in signed)


def test_the_key_of_another_certificate_is_no_proof():
    host = holding()
    stranger = issued("other.contoso.example")
    host.faults["sign"] = lambda fake, script, data: FakeHost(my=[Held(stranger, key_in())])._sign(
        script.replace(issued().thumbprint, stranger.thumbprint), data
    )
    error = refused(host)
    assert "does not belong to the certificate" in error.message
    assert "Do not use" in error.remedy


def test_a_signature_made_before_is_no_proof():
    host = holding()
    host.faults["sign"] = lambda fake, script, data: fake._sign(script, b"something else")
    assert "does not belong" in refused(host).message


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda signature: signature[:-1] + bytes([signature[-1] ^ 1]),
        lambda signature: signature[:-1],
        lambda signature: b"\0" + signature,
        lambda signature: signature + b"\0",
        lambda signature: b"\xff" * len(signature),
        lambda signature: bytes(len(signature)),
    ],
    ids=["another", "short", "zero before", "zero behind", "above the modulus", "zero"],
)
def test_a_signature_that_is_not_exactly_one_is_no_proof(spoilt):
    host = holding()

    def sign(fake, script, data):
        whole = fake._sign(script, data)
        [text] = [line.split()[2] for line in whole.splitlines() if line.startswith("keyprovider signature")]
        return whole.replace(text, base64.b64encode(spoilt(base64.b64decode(text))).decode())

    host.faults["sign"] = sign
    assert "does not verify" in refused(host).message


class Strict(rsa.RSAPublicKey):
    """A key of a library that verifies nothing with SHA-1."""

    def __init__(self, key):
        self._key = key

    def recover_data_from_signature(self, signature, padding, algorithm):
        assert algorithm is None
        return self._key.recover_data_from_signature(signature, padding, algorithm)

    def verify(self, *given):
        raise UnsupportedAlgorithm("sha1 is not supported by this backend for RSA signing.")


Strict.__abstractmethods__ = frozenset()


def test_a_library_that_refuses_sha_1_is_not_asked(monkeypatch):
    load = proof.x509.load_der_x509_certificate
    strict = SimpleNamespace(
        load_der_x509_certificate=lambda der: SimpleNamespace(public_key=lambda: Strict(load(der).public_key()))
    )
    monkeypatch.setattr(proof, "x509", strict)
    assert proven(holding()).provider == SCHANNEL


def test_a_key_of_another_algorithm_is_no_proof():
    certificate = issued("ec.contoso.example", key="p256")
    host = holding(certificate=certificate)
    host.faults["sign"] = failing("keyprovider exitfound 1\r\nkeyprovider signature AAAA\r\n")
    assert "does not verify" in refused(host).message


def test_a_cng_key_gives_none_and_is_named():
    error = refused(holding(cng()))
    assert KSP in error.message
    assert "key storage provider" in error.message


def test_a_key_that_windows_does_not_give_is_told():
    host = holding()
    host.faults["sign"] = failing("keyprovider exitfound 1\r\n")
    error = refused(host)
    assert "gives no private key" in error.message
    assert SCHANNEL in error.message


def test_an_archived_certificate_is_not_shown():
    assert "it is archived" in refused(holding(archived=True)).message


def test_what_the_provider_said_is_told():
    host = holding()
    host.faults["sign"] = stopping("Schlüsselsatz ist nicht vorhanden.", "keyprovider exitfound 1\r\n")
    error = refused(host)
    assert "Schlüsselsatz ist nicht vorhanden" in error.message
    assert "local administrator" in error.remedy


def test_silence_is_no_proof():
    host = holding()
    host.faults["sign"] = failing("")
    assert "did not run to its end" in refused(host).message
