# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certreq -accept``: answers in all forms, chains, and what stays after a failure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from lab import pki
from lab.formats.asn1 import oid
from lab.formats.request import signed_data
from lab.host.machine import Account, Machine
from lab.host.store import without_key
from lab.tools import Call, Result, find_tool

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
FIRST, LAST = NOW - timedelta(days=100), NOW + timedelta(days=1000)
POOL = pki.KeyPool()
ROOT = pki.Authority("CN=Fabrikam Root", POOL, not_before=FIRST, not_after=LAST)
ISSUING = ROOT.issue(pki.Wanted("CN=Fabrikam Issuing", FIRST, LAST, extended_key_usage=None, is_ca=True))
PROVIDER = "Microsoft RSA SChannel Cryptographic Provider"
ANSWER = r"C:\Windows\Temp\answer"
POLICY = f"""[NewRequest]
Subject = "CN=pool01.fabrikam.example"
KeyLength = 1024
MachineKeySet = {{}}
ProviderName = "{PROVIDER}"
FriendlyName = "Lync 2026"
"""


def _machine(trusted: bool = True, machine_keys: bool = True, **values: Any) -> Machine:
    """A host with a pending request."""
    accounts = {"admin": Account("x"), "reader": Account("x", administrator=False)}
    machine = Machine(
        "FE01", domain="fabrikam.example", os_version="10.0.17763", accounts=accounts, clock=NOW, **values
    )
    machine.stores = {"CA": [], "MY": [], "REQUEST": [], "ROOT": []}
    if trusted:
        machine.stores["ROOT"].append(without_key("", ROOT.certificate))
    machine.files[r"C:\a.inf"] = POLICY.format("TRUE" if machine_keys else "FALSE").encode()
    assert _certreq(machine, "-new", "-q", r"C:\a.inf", r"C:\a.req").exit_code == 0
    return machine


def _certreq(machine: Machine, *arguments: str, user: str = "admin") -> Result:
    tool = find_tool("certreq")
    assert tool
    return tool(Call(machine, arguments, user))


def _issued(machine: Machine, *extensions: x509.ExtensionType, key: Any = None) -> x509.Certificate:
    """The certificate of the last request."""
    request = x509.load_pem_x509_csr(machine.files[r"C:\a.req"])
    assert isinstance(ISSUING.key, rsa.RSAPrivateKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(ISSUING.certificate.subject)
        .public_key(key or request.public_key())
        .serial_number(0x4400000002)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=365))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, False)
    return builder.sign(ISSUING.key, hashes.SHA256())


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def _chain(certificate: x509.Certificate) -> list[x509.Certificate]:
    return [ROOT.certificate.certificate, certificate, ISSUING.certificate]


def _response(certificates: Sequence[x509.Certificate]) -> bytes:
    """A SignedData as a CMC full response is one."""
    key = POOL.take("rsa2048")
    return signed_data(oid("1.3.6.1.5.5.7.12.3"), b"\x30\x00", key, [_der(one) for one in certificates])


def _accept(machine: Machine, answer: bytes, *options: str, user: str = "admin") -> Result:
    machine.files[ANSWER] = answer
    return _certreq(machine, "-accept", "-q", *options, ANSWER, user=user)


def _code(result: Result) -> int:
    return result.exit_code & 0xFFFFFFFF


@pytest.mark.parametrize("form", ["der", "pem", "base64", "p7b", "p7b in pem", "response", "response in pem"])
def test_every_form_of_an_answer_is_installed(form: str) -> None:
    machine = _machine()
    (pending,) = machine.stores["REQUEST"]
    certificate = _issued(machine)
    if form in ("der", "pem", "base64"):
        machine.stores["CA"].append(without_key("", ISSUING))
        answer = _der(certificate)
    elif form.startswith("p7b"):
        answer = pkcs7.serialize_certificates(_chain(certificate), Encoding.DER)
    else:
        answer = _response(_chain(certificate))
    if form.endswith("pem"):
        label = b"CERTIFICATE" if form == "pem" else b"PKCS7"
        answer = b"-----BEGIN %s-----\r\n%s-----END %s-----\r\n" % (label, base64.encodebytes(answer), label)
    elif form == "base64":
        answer = base64.encodebytes(answer)
    result = _accept(machine, answer, "-machine")
    assert result.exit_code == 0
    assert machine.stores["REQUEST"] == []
    (stored,) = machine.stores["MY"]
    assert stored.issued
    assert (stored.issued.der, stored.friendly_name, stored.key) == (_der(certificate), "Lync 2026", pending.key)
    assert machine.container_of(stored.key) is not None
    assert [one.issued.der for one in machine.stores["CA"] if one.issued] == [ISSUING.der], "no root, and once"
    assert len(machine.stores["ROOT"]) == 1


def test_what_it_prints_depends_on_the_release() -> None:
    machine = _machine()
    machine.stores["CA"].append(without_key("", ISSUING))
    certificate = _issued(machine, x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.DNSName("b.example")]))
    machine.utc_offset = 1
    lines = _accept(machine, _der(certificate)).stdout.split("\r\n")
    assert lines[:7] == [
        "",
        "Installed Certificate:",
        "  Serial Number: 4400000002",
        "  Subject: CN=pool01.fabrikam.example (DNS Name=a.example, DNS Name=b.example)",
        "  NotBefore: 3/1/2026 1:00 PM",
        "  NotAfter: 3/1/2027 1:00 PM",
        f"  Thumbprint: {certificate.fingerprint(hashes.SHA1()).hex()}",
    ]
    old = _machine()
    old.os_version = "6.3.9600"
    old.stores["CA"].append(without_key("", ISSUING))
    assert _accept(old, _der(_issued(old))) == Result()


@pytest.mark.parametrize(
    ("extension", "shown"),
    [
        (x509.UnrecognizedExtension(pki.TEMPLATE_NAME, b"\x1e\x06\0W\0e\0b"), "Web"),
        (x509.MSCertificateTemplate(x509.ObjectIdentifier("1.3.6.1.4.1.311.21.8.7"), 100, 1), "1.3.6.1.4.1.311.21.8.7"),
    ],
)
def test_the_listing_shows_key_and_template(extension: x509.ExtensionType, shown: str) -> None:
    machine = _machine()
    machine.stores["CA"].append(without_key("", ISSUING))
    _accept(machine, _der(_issued(machine, extension)))
    tool = find_tool("certutil")
    assert tool
    output = tool(Call(machine, ["-store", "My"], "admin")).stdout
    assert f"Template: {shown}\r\n" in output
    assert f"  Provider = {PROVIDER}\r\nPrivate key is NOT exportable\r\nEncryption test passed\r\n" in output


def _stays(machine: Machine, result: Result, code: int) -> None:
    assert _code(result) == code
    assert result.stdout.startswith("Certificate Request Processor: ")
    assert f"0x{code:08x} (" in result.stdout
    assert (len(machine.stores["REQUEST"]), machine.stores["MY"], machine.stores["CA"]) == (1, [], [])


def test_a_chain_to_an_unknown_root() -> None:
    machine = _machine(trusted=False)
    answer = pkcs7.serialize_certificates(_chain(_issued(machine)), Encoding.DER)
    _stays(machine, _accept(machine, answer, "-machine"), 0x800B0109)


def test_a_chain_with_a_gap() -> None:
    machine = _machine()
    _stays(machine, _accept(machine, _der(_issued(machine)), "-machine"), 0x800B010A)


def test_an_issuer_of_the_same_name_is_not_enough() -> None:
    machine = _machine()
    forged = ROOT.issue(pki.Wanted("CN=Fabrikam Issuing", FIRST, LAST, key="p256", extended_key_usage=None, is_ca=True))
    answer = pkcs7.serialize_certificates([_issued(machine), forged.certificate], Encoding.DER)
    _stays(machine, _accept(machine, answer, "-machine"), 0x800B010A)


def test_a_certificate_of_another_key() -> None:
    machine = _machine()
    other = _issued(machine, key=POOL.take("rsa2048").public_key())
    _stays(machine, _accept(machine, pkcs7.serialize_certificates(_chain(other), Encoding.DER)), 0x80092004)


@pytest.mark.parametrize("answer", [b"", b"hello", b"\x30\x03\x02\x01\x07", b"\x30\x82\x01"])
def test_what_is_no_certificate(answer: bytes) -> None:
    machine = _machine()
    _stays(machine, _accept(machine, answer, "-machine"), 0x8009310B)


def test_a_response_without_certificates() -> None:
    machine = _machine()
    _stays(machine, _accept(machine, _response([])), 0x80092004)


def test_a_key_that_is_gone() -> None:
    machine = _machine()
    (held,) = machine.containers
    machine.containers.remove(held.provider, held.name)
    answer = pkcs7.serialize_certificates(_chain(_issued(machine)), Encoding.DER)
    _stays(machine, _accept(machine, answer), 0x80090016)


@pytest.mark.parametrize("options", [[], ["-machine"]])
def test_who_is_no_administrator_changes_nothing_of_the_machine(options: list[str]) -> None:
    machine = _machine()
    answer = pkcs7.serialize_certificates(_chain(_issued(machine)), Encoding.DER)
    _stays(machine, _accept(machine, answer, *options, user="reader"), 0x80070005)


def test_a_full_disk() -> None:
    machine = _machine()
    machine.files[ANSWER] = pkcs7.serialize_certificates(_chain(_issued(machine)), Encoding.DER)
    machine.disk_full = True
    _stays(machine, _certreq(machine, "-accept", "-q", ANSWER), 0x80070070)


def test_the_second_time_there_is_no_request() -> None:
    machine = _machine()
    answer = pkcs7.serialize_certificates(_chain(_issued(machine)), Encoding.DER)
    assert _accept(machine, answer).exit_code == 0
    assert _code(_accept(machine, answer)) == 0x80092004
    assert len(machine.stores["MY"]) == 1


def test_a_request_of_the_user_is_not_the_machines() -> None:
    machine = _machine(machine_keys=False)
    answer = pkcs7.serialize_certificates(_chain(_issued(machine)), Encoding.DER)
    assert _code(_accept(machine, answer, "-machine")) == 0x80092004
    assert _code(_accept(machine, answer, user="reader")) == 0x80092004
    assert _accept(machine, answer).exit_code == 0
    assert machine.stores["MY"] == []
    assert len(machine.user_store("admin", "My")) == 1
