# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PFX files opened and made anew; what is made is read by the library and by the lab's own reader."""

from __future__ import annotations

import base64
import traceback
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.pfx import Encryption, open_pfx, rebuilt
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.der import members
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.providers.catalogue import PROVIDERS
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from lab.formats import pfx_read
from lab.formats.asn1 import attribute, element, integer, octets, oid, sequence, set_of
from lab.formats.pfx import Entry, write_entries, write_pfx
from lab.pki import Authority, Issued, KeyPool, Wanted, self_signed

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
PASSWORD = "Sehr geheim ü1"
MACHINE_MARK = bytes.fromhex("300d06092b0601040182371102 3100")
BEGIN, END = datetime(2025, 1, 1, tzinfo=timezone.utc), datetime(2027, 1, 1, tzinfo=timezone.utc)
POOL = KeyPool(3)
ROOT = Authority("CN=Contoso Root CA", POOL, not_before=BEGIN, not_after=END)
ISSUER = Authority("CN=Contoso Issuing CA", POOL, not_before=BEGIN, not_after=END)


def wanted(name: str, key: str = "rsa2048", **more: Any) -> Wanted:
    return Wanted(f"CN={name}", BEGIN, END, key=key, **more)


LEAF = ISSUER.issue(wanted("fe01.contoso.example"))
INTERMEDIATE = ROOT.issue(wanted("Contoso Issuing CA", is_ca=True, extended_key_usage=None), key=ISSUER.certificate.key)
OTHER = self_signed(wanted("edge.contoso.example"), POOL)
CURVE = self_signed(wanted("curve.contoso.example", "p256"), POOL)


def windows_pfx(leaf: Issued = LEAF, **changes: Any) -> bytes:
    options: dict[str, Any] = {
        "password": PASSWORD,
        "provider": SOFTWARE_KSP,
        "machine_keyset": False,
        "friendly_name": "Lync default",
        "container": "le-6d1a",
        "chain": [ROOT.certificate.certificate, OTHER.certificate, INTERMEDIATE.certificate],
        **changes,
    }
    return write_pfx(leaf.key, leaf.certificate, **options)


def remade(data: bytes | None = None, **changes: Any) -> bytes:
    options: dict[str, Any] = {
        "password": PASSWORD,
        "provider": SCHANNEL,
        "encryption": "tripledes-sha1",
        **changes,
    }
    return rebuilt(open_pfx(data or windows_pfx(), PASSWORD), **options)


def private(issued: Issued) -> bytes:
    return issued.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def message(error: pytest.ExceptionInfo[EnrolmentError]) -> str:
    """What is told, with all that the exception drags along."""
    told = f"{error.value.place} {error.value.message} {error.value.remedy}"
    assert error.value.remedy.endswith(".")
    assert PASSWORD not in "".join(traceback.format_exception(error.value)) + told
    return told


@pytest.mark.parametrize("encryption", ["tripledes-sha1", "aes256-sha256"])
@pytest.mark.parametrize("encrypt_key_safe", [False, True])
def test_a_file_of_windows_is_opened_with_all_that_it_holds(encryption: Encryption, encrypt_key_safe: bool):
    opened = open_pfx(windows_pfx(encryption=encryption, encrypt_key_safe=encrypt_key_safe), PASSWORD, "fe01.pfx")
    assert opened.leaf.thumbprint == LEAF.thumbprint
    assert (opened.leaf.key.provider, opened.leaf.key.kind, opened.leaf.key.present) == (SOFTWARE_KSP, "ksp", True)
    assert (opened.leaf.friendly_name, opened.leaf.source.origin) == ("Lync default", "fe01.pfx")
    assert opened.chain == (INTERMEDIATE.der, ROOT.certificate.der)
    assert opened.others == (OTHER.der,)
    assert opened.encryption == encryption


def test_neither_key_nor_password_shows():
    opened = open_pfx(windows_pfx(), PASSWORD)
    secret = private(LEAF)[40:80]
    told = repr(opened) + str(opened) + repr(opened.leaf.as_dict())
    assert secret.hex() not in told.lower()
    assert repr(secret)[2:-1] not in told
    assert PASSWORD not in told
    assert "RSAPrivateKey" not in told


def open_ended(tag: int, *parts: bytes) -> bytes:
    """An element of indefinite length, as Network Security Services and Bouncy Castle write them."""
    return bytes([tag, 0x80]) + b"".join(parts) + b"\0\0"


def in_ber(data: bytes) -> bytes:
    version, content, mac = members(data, 0)
    kind, wrapped = members(content, 0)
    [authenticated] = members(members(wrapped, 0)[0], 0)
    pieces = octets(authenticated[:500]), octets(authenticated[500:])
    return open_ended(0x30, version, open_ended(0x30, kind, open_ended(0xA0, open_ended(0x24, *pieces))), mac)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(in_ber(windows_pfx()), id="BER"),
        pytest.param(base64.b64encode(in_ber(windows_pfx())), id="BER in base64"),
        pytest.param(base64.b64encode(windows_pfx()), id="base64"),
        pytest.param(
            b"-----BEGIN PKCS12-----\n" + base64.encodebytes(windows_pfx()) + b"-----END PKCS12-----\n", id="PEM"
        ),
    ],
)
def test_the_file_may_be_wrapped(data: bytes):
    assert open_pfx(data, PASSWORD).leaf.thumbprint == LEAF.thumbprint
    with pytest.raises(EnrolmentError, match="does not open"):
        open_pfx(data, "wrong")


def test_an_empty_password_opens():
    assert open_pfx(windows_pfx(password=""), "").leaf.thumbprint == LEAF.thumbprint


@pytest.mark.parametrize("encryption", ["tripledes-sha1", "aes256-sha256"])
@pytest.mark.parametrize("machine_keyset", [True, False])
def test_the_lab_reads_what_is_made(encryption: Encryption, machine_keyset: bool):
    data = remade(encryption=encryption, machine_keyset=machine_keyset, password="one-time")
    found = pfx_read.read_pfx(data, "one-time", aes=encryption == "aes256-sha256")
    [key] = found.keys
    assert (key.provider, key.machine_keyset, key.usage) == (SCHANNEL, machine_keyset, 0x10)
    assert key.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) == private(LEAF)
    assert {one.der for one in found.certificates} == {
        LEAF.der, INTERMEDIATE.der, ROOT.certificate.der, OTHER.der,
    }  # fmt: skip
    assert {one.friendly_name for one in found.certificates if one.der == LEAF.der} == {"Lync default"}
    assert (MACHINE_MARK in data) == machine_keyset
    assert "le-6d1a".encode("utf-16-be") not in data
    assert "Lync default".encode("utf-16-be") not in data  # the key bag is in clear and would show it


@pytest.mark.parametrize("encryption", ["tripledes-sha1", "aes256-sha256"])
def test_the_library_reads_what_is_made(encryption: Encryption):
    found = pkcs12.load_pkcs12(remade(encryption=encryption), PASSWORD.encode())
    assert found.key is not None
    assert found.cert is not None
    assert found.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) == private(LEAF)
    assert found.cert.certificate == LEAF.certificate
    assert found.cert.friendly_name == b"Lync default"
    assert len(found.additional_certs) == 3


def test_what_is_made_is_opened_again_and_is_the_same():
    opened = open_pfx(windows_pfx(), PASSWORD)
    again = open_pfx(remade(), PASSWORD)
    key = again.leaf.key
    assert (key.provider, key.machine_keyset, key.key_spec, key.container) == (SCHANNEL, True, 1, None)
    assert again.encryption == "tripledes-sha1"
    assert replace(again, leaf=opened.leaf, encryption=opened.encryption) == opened


def test_a_key_for_cng_gets_no_key_usage():
    data = remade(provider=SOFTWARE_KSP)
    [key] = pfx_read.read_pfx(data, PASSWORD, aes=False).keys
    assert (key.provider, key.usage) == (SOFTWARE_KSP, None)


def test_the_attributes_of_the_key_are_sorted_as_der_asks():
    _version, content, _mac = members(remade(), 0)
    safes = members(members(members(members(content, 0)[1], 0)[0][4:], 0)[1], 0)
    [bag] = members(members(safes[1], 0)[0][4:], 0)
    attributes = members(members(bag, 0)[2], 0)
    assert len(attributes) == 4
    assert attributes == sorted(attributes)


def test_the_provider_is_written_as_the_catalogue_spells_it():
    [key] = pfx_read.read_pfx(remade(provider=SCHANNEL.lower()), PASSWORD, aes=False).keys
    assert key.provider == SCHANNEL


def test_a_new_friendly_name_goes_to_the_certificate_of_the_key_alone():
    found = pfx_read.read_pfx(remade(friendly_name="Edge außen"), PASSWORD, aes=False)
    names = {one.der: one.friendly_name for one in found.certificates}
    assert names == {LEAF.der: "Edge außen", INTERMEDIATE.der: None, ROOT.certificate.der: None, OTHER.der: None}


def test_friendly_names_of_other_certificates_are_kept():
    protection = BestAvailableEncryption(PASSWORD.encode())
    named = [pkcs12.PKCS12Certificate(ROOT.certificate.certificate, "Wurzel ü".encode())]
    data = pkcs12.serialize_key_and_certificates(b"fe01", LEAF.key, LEAF.certificate, named, protection)
    found = pfx_read.read_pfx(remade(data), PASSWORD, aes=False)
    assert {one.friendly_name for one in found.certificates} == {"fe01", "Wurzel ü"}


def test_certificates_that_the_caller_leaves_out_are_not_written():
    opened = replace(open_pfx(windows_pfx(), PASSWORD), chain=(), others=())
    data = rebuilt(opened, password="x", provider=SCHANNEL, encryption="tripledes-sha1")
    assert [one.der for one in pfx_read.read_pfx(data, "x", aes=False).certificates] == [LEAF.der]


@pytest.mark.parametrize("algorithm", list(pkcs12.PBES))
@pytest.mark.parametrize("digest", [hashes.SHA1(), hashes.SHA256(), hashes.SHA512()])
def test_whatever_the_library_writes_is_opened(algorithm: pkcs12.PBES, digest: hashes.HashAlgorithm):
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(100).key_cert_algorithm(algorithm)
    protection = builder.hmac_hash(digest).build(PASSWORD.encode())
    data = pkcs12.serialize_key_and_certificates(
        None, LEAF.key, LEAF.certificate, [ISSUER.certificate.certificate], protection
    )
    opened = open_pfx(data, PASSWORD)
    assert (opened.leaf.thumbprint, opened.leaf.key.kind) == (LEAF.thumbprint, "unrecorded")
    assert opened.chain == (ISSUER.certificate.der,)


SOFTWARE_RSA = [
    one.name for one in PROVIDERS if not one.hardware and (one.provider_type in (1, 12, 24) or one.name == SOFTWARE_KSP)
]
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=80)


@settings(max_examples=15, deadline=None)
@given(
    provider=st.sampled_from(SOFTWARE_RSA),
    password=TEXTS,
    encryption=st.sampled_from(["tripledes-sha1", "aes256-sha256"]),
    machine_keyset=st.booleans(),
)
def test_any_provider_and_any_password(provider: str, password: str, encryption: Encryption, machine_keyset: bool):
    data = remade(provider=provider, password=password, encryption=encryption, machine_keyset=machine_keyset)
    [key] = pfx_read.read_pfx(data, password, aes=True).keys
    assert (key.provider, key.machine_keyset) == (provider, machine_keyset)
    assert open_pfx(data, password).leaf.key.provider == provider
    found = pkcs12.load_pkcs12(data, password.encode())
    assert found.cert is not None
    assert found.cert.certificate == LEAF.certificate


def test_a_password_may_be_long():
    password = "ü" * 3000
    assert open_pfx(remade(password=password), password).leaf.thumbprint == LEAF.thumbprint


def test_two_files_share_no_salt():
    first, second = (members(remade(), 0)[2] for _number in range(2))
    assert members(first, 0)[1] != members(second, 0)[1]


@pytest.mark.parametrize("password", ["wrong", "", "Sehr geheim ü1 ", "nul\0", "half\ud800"])
def test_a_wrong_password_is_told_as_such(password: str, capfd: pytest.CaptureFixture[str]):
    with pytest.raises(EnrolmentError) as error:
        open_pfx(windows_pfx(), password, "fe01.pfx")
    assert "password does not open the file" in message(error)
    assert error.value.place == "fe01.pfx"
    assert capfd.readouterr() == ("", "")  # the library prints a password with a NUL when it is given one


@pytest.mark.parametrize("data", [b"", b"no pfx", LEAF.der, windows_pfx()[:-40]])
def test_what_is_no_pfx_is_refused(data: bytes):
    with pytest.raises(EnrolmentError) as error:
        open_pfx(data, PASSWORD)
    assert message(error)


def test_several_keys_are_refused_with_their_number():
    entries = [Entry(one.key, one.certificate, SCHANNEL) for one in (LEAF, OTHER)]
    with pytest.raises(EnrolmentError, match="2 private keys") as error:
        open_pfx(write_entries(entries, password=PASSWORD), PASSWORD)
    assert "alone" in message(error)


def test_a_file_without_a_key_is_refused():
    protection = BestAvailableEncryption(PASSWORD.encode())
    data = pkcs12.serialize_key_and_certificates(None, None, LEAF.certificate, None, protection)
    with pytest.raises(EnrolmentError, match="no private key") as error:
        open_pfx(data, PASSWORD)
    assert message(error)


def test_a_key_joined_with_the_certificate_of_another_is_refused():
    with pytest.raises(EnrolmentError, match="does not match the certificate") as error:
        open_pfx(
            write_pfx(OTHER.key, LEAF.certificate, password=PASSWORD, provider=None, machine_keyset=False), PASSWORD
        )
    assert message(error)


@pytest.mark.parametrize("certificates", [[], [LEAF.certificate]])
def test_a_key_without_its_certificate_is_refused(certificates: list[Any]):
    data = write_pfx(
        OTHER.key, None, password=PASSWORD, provider=None, machine_keyset=False, chain=certificates
    )  # fmt: skip
    with pytest.raises(EnrolmentError, match=f"None of the {len(certificates)} certificates") as error:
        open_pfx(data, PASSWORD)
    assert message(error)


def test_the_certificate_that_the_file_joins_the_key_with_is_taken():
    longer = self_signed(Wanted("CN=longer", BEGIN, END.replace(year=2035)), POOL, LEAF.key)
    opened = open_pfx(windows_pfx(chain=[longer.certificate]), PASSWORD)
    assert opened.leaf.thumbprint == LEAF.thumbprint
    assert opened.others == (longer.der,)


def test_without_a_join_the_certificate_that_is_valid_longest_is_taken():
    longer = self_signed(Wanted("CN=longer", BEGIN, END.replace(year=2035)), POOL, LEAF.key)
    opened = open_pfx(windows_pfx(chain=[longer.certificate], local_key_ids=False), PASSWORD)
    assert opened.leaf.thumbprint == longer.thumbprint


def test_a_file_protected_by_a_signature_is_refused():
    info = sequence(oid("1.2.840.113549.1.7.2"), element(0xA0, sequence(integer(1))))
    with pytest.raises(EnrolmentError, match="protected by a signature") as error:
        open_pfx(sequence(integer(3), info), PASSWORD)
    assert message(error)


def test_a_file_protected_to_accounts_of_a_domain_is_told_as_such():
    """A secret bag of the type szOID_PKCS_12_PROTECTED_PASSWORD_SECRET_BAG_TYPE_ID (wincrypt.h); where it stands in
    files of Windows is not known.
    """
    secret = sequence(oid("1.3.6.1.4.1.311.17.4"), element(0xA0, octets(b"sealed")))
    bag = sequence(oid("1.2.840.113549.1.12.10.1.5"), element(0xA0, secret))
    safe = sequence(oid("1.2.840.113549.1.7.1"), element(0xA0, octets(sequence(bag))))
    version, content, mac = members(windows_pfx(password="made by Windows"), 0)
    [authenticated] = members(members(members(content, 0)[1], 0)[0], 0)
    both = octets(sequence(*members(authenticated, 0), safe))
    data = sequence(version, sequence(oid("1.2.840.113549.1.7.1"), element(0xA0, both)), mac)
    with pytest.raises(EnrolmentError, match="accounts of a domain") as error:
        open_pfx(data, PASSWORD)
    assert message(error)


@pytest.mark.parametrize("digest", ["tripledes-sha1", "aes256-sha256"])
def test_a_password_that_fits_is_told_apart_from_an_algorithm_that_is_missing(
    digest: Encryption, monkeypatch: pytest.MonkeyPatch
):
    def missing(*_arguments: object) -> None:
        raise ValueError("Invalid password or PKCS12 data")

    data = windows_pfx(encryption=digest)
    monkeypatch.setattr(pkcs12, "load_pkcs12", missing)
    with pytest.raises(EnrolmentError, match="The password fits") as error:
        open_pfx(data, PASSWORD)
    assert ("TripleDES" if digest == "tripledes-sha1" else "AES-256") in message(error)
    with pytest.raises(EnrolmentError, match="does not open"):
        open_pfx(data, "wrong")


@pytest.mark.parametrize(
    ("encryption", "named"), [("tripledes-sha1", "TripleDES with SHA-1"), ("aes256-sha256", "AES-256 with SHA-256")]
)
def test_an_algorithm_that_cannot_be_written_is_named(
    encryption: Encryption, named: str, monkeypatch: pytest.MonkeyPatch
):
    def missing(*_arguments: object) -> None:
        raise UnsupportedAlgorithm("PBESv1SHA1And3KeyTripleDESCBC is not supported")

    monkeypatch.setattr(pkcs12, "serialize_key_and_certificates", missing)
    with pytest.raises(EnrolmentError, match=named) as error:
        remade(encryption=encryption)
    assert "FIPS" in message(error)


REFUSED = [one.name for one in PROVIDERS if one.name not in SOFTWARE_RSA]


@pytest.mark.parametrize("provider", [*REFUSED, "Contoso Provider", ""])
def test_providers_that_take_no_rsa_key_from_a_file_are_refused(provider: str):
    with pytest.raises(EnrolmentError) as error:
        remade(provider=provider)
    assert repr(provider) in message(error)


def test_a_curve_key_goes_into_no_legacy_provider_but_into_cng():
    data = windows_pfx(CURVE, chain=[])
    opened = open_pfx(data, PASSWORD)
    with pytest.raises(EnrolmentError, match="no RSA key") as error:
        remade(data)
    assert SCHANNEL in message(error)
    made = open_pfx(remade(data, provider=SOFTWARE_KSP), PASSWORD)
    assert made.leaf.der == opened.leaf.der


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"password": ""}, "is empty"),
        ({"password": "a\0b"}, "NUL"),
        ({"password": "a\udcffb"}, "half a character"),
        ({"friendly_name": "a\0b"}, "friendly name"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(changes: dict[str, str], said: str):
    with pytest.raises(EnrolmentError, match=said) as error:
        remade(**changes)
    assert changes.get("password") in ("", None) or changes["password"] not in message(error)


def test_a_key_that_signs_only_by_its_bag_is_told():
    """The reference of PFXImportCertStore speaks of the attribute on the bag."""
    key = private(LEAF)
    usage = attribute("2.5.29.15", element(0x03, b"\x07\x80"))
    name = attribute("1.3.6.1.4.1.311.17.1", element(0x1E, SCHANNEL.encode("utf-16-be")))
    bag = sequence(oid("1.2.840.113549.1.12.10.1.1"), element(0xA0, key), set_of(usage, name))
    cert = sequence(oid("1.2.840.113549.1.9.22.1"), element(0xA0, octets(LEAF.der)))
    bags = sequence(bag, sequence(oid("1.2.840.113549.1.12.10.1.3"), element(0xA0, cert)))
    safe = sequence(oid("1.2.840.113549.1.7.1"), element(0xA0, octets(bags)))
    content = sequence(oid("1.2.840.113549.1.7.1"), element(0xA0, octets(sequence(safe))))
    opened = open_pfx(sequence(integer(3), content), "")
    assert opened.leaf.key.key_spec == 2
    assert opened.encryption == "no encryption; no MAC"
    made = rebuilt(opened, password="x", provider=SCHANNEL, encryption="tripledes-sha1")
    assert open_pfx(made, "x").leaf.key.key_spec == 1
