# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certification authority: its policy, its certificates and its responses, read by other programs than its own."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtensionOID
from lab import pki
from lab.adcs import request as ca_request
from lab.adcs.authority import CertificationAuthority
from lab.adcs.model import CaAnswer, CaRefused, CaUnreachable
from lab.formats import request as requests
from lab.formats.asn1 import attribute, bmp, sequence
from lab.runtime import Lab
from lab.scenario import ScenarioError, parse
from programs import program
from pyasn1.codec.der import decoder
from pyasn1.type import char, univ, useful

CLOCK = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
POOL = pki.KeyPool()
KEY = POOL.take("rsa2048")
ADMINISTRATOR, SERVER = "CORP\\Administrator", "CORP\\FE01$"
ONE_YEAR, FIVE_YEARS = "AEA5hy7h/v8=", "AEAepOhl+v8="


def _template(name: str, enroll: str, validity: str = ONE_YEAR, flags: int = 0, **values: Any) -> dict[str, Any]:
    attributes = {
        "pKIExpirationPeriod": {"base64": validity},
        "msPKI-Enrollment-Flag": flags,
        **values.pop("attributes", {}),
    }
    return {"name": name, "enroll": [enroll], "attributes": attributes, **values}


TEMPLATES = [
    _template("Web", "Domain Admins", revision=[100, 4]),
    _template("Member", "Domain Computers", attributes={"msPKI-Certificate-Name-Flag": 0x08000000}),
    _template("Old", "Authenticated Users", schema=1, revision=[4, 1]),
    _template("Waiting", "Authenticated Users", flags=2),
    _template("Hidden", "Authenticated Users"),
    _template("Short", "Authenticated Users", minimum_key_size=1024, schema=2),
    _template("Long", "Authenticated Users", FIVE_YEARS),
]


def _lab(**adcs: Any) -> Lab:
    data = {
        "lab": {"domain": "corp.example.test", "password": "x", "clock": CLOCK},
        "cas": [
            {
                "id": "issuing",
                "subject": "CN=Contoso Issuing CA 1,DC=corp,DC=example,DC=test",
                "crl": "http://pki.example.test/ca1.crl",
            }
        ],
        "directory": {
            "templates": TEMPLATES,
            "cas": [
                {
                    "name": "Contoso Issuing CA 1",
                    "host": "ca01.corp.example.test",
                    "templates": ["web", "Member", "Old", "Waiting", "Short", "Long", "Deleted"],
                }
            ],
        },
        "adcs": [{"id": "issuing", "host": "ca01", **adcs}],
        "hosts": [{"name": "ca01"}, {"name": "fe01"}],
    }
    return Lab(parse(data, "test.yml"))


def _authority(**adcs: Any) -> CertificationAuthority:
    return _lab(**adcs).authority("Contoso Issuing CA 1")


@pytest.fixture
def openssl() -> str:
    """The program; where it is not installed, the test is skipped."""
    return program("openssl", package="openssl")


@pytest.fixture
def samples() -> Path:
    """The directory of the samples; where it is not named, the test is skipped."""
    directory = os.environ.get("KEYPROVIDER_SAMPLES")
    if not directory:
        pytest.skip("KEYPROVIDER_SAMPLES does not name the directory of the samples")
    return Path(directory)


@pytest.fixture(scope="module")
def ca() -> CertificationAuthority:
    return _authority()


def _request(subject: str = "CN=pool.corp.example.test", *, key: pki.PrivateKey = KEY, **values: Any) -> bytes:
    values.setdefault("provider", "Microsoft RSA SChannel Cryptographic Provider")
    return requests.pkcs10(key, x509.Name.from_rfc4514_string(subject), **values)


def _extension(value: x509.ExtensionType, critical: bool = False) -> x509.Extension[x509.ExtensionType]:
    return x509.Extension(value.oid, critical, value)


SAN = x509.SubjectAlternativeName([x509.DNSName("pool.corp.example.test"), x509.DNSName("web.corp.example.test")])


def _submit(
    ca: CertificationAuthority, template: str | None, request: bytes | None = None, requester: str = ADMINISTRATOR
) -> CaAnswer:
    given = {"CertificateTemplate": template} if template else {}
    return ca.submit(request or _request(), given, requester, requester.endswith("$"))


def _issued(answer: CaAnswer) -> x509.Certificate:
    assert answer.disposition == "issued", f"0x{answer.code:08x} {answer.message}"
    assert answer.certificate
    return x509.load_der_x509_certificate(answer.certificate)


def _name_extension(name: str) -> x509.Extension[x509.ExtensionType]:
    return _extension(x509.UnrecognizedExtension(pki.TEMPLATE_NAME, bmp(name)))


def _oid_extension(ca: CertificationAuthority, name: str, major: int = 100) -> x509.Extension[x509.ExtensionType]:
    template = next(one for one in ca.templates.all() if one.name == name)
    return _extension(pki.template_extension(pki.Template(name, None, template.oid, major, 1)))


def test_a_certificate_holds_what_request_and_template_give(ca: CertificationAuthority) -> None:
    names = _extension(SAN)
    certificate = _issued(_submit(ca, "Web", _request(extensions=[names])))
    own = ca.identity.certificate
    certificate.verify_directly_issued_by(own)
    assert certificate.subject.rfc4514_string() == "CN=pool.corp.example.test"
    assert certificate.public_key() == KEY.public_key()
    held = certificate.extensions
    assert [extension.oid.dotted_string for extension in held] == [
        *("2.5.29.15", "2.5.29.14", "2.5.29.17", "2.5.29.35", "2.5.29.31", "1.3.6.1.5.5.7.1.1"),
        *("1.3.6.1.4.1.311.21.7", "2.5.29.37", "1.3.6.1.4.1.311.21.10"),
    ]
    assert [extension.oid for extension in held if extension.critical] == [ExtensionOID.KEY_USAGE]
    assert b"\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x05\xa0" in certificate.tbs_certificate_bytes
    assert held.get_extension_for_class(x509.SubjectAlternativeName).value == SAN
    key_identifier = own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert held.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == key_identifier
    template = held.get_extension_for_class(x509.MSCertificateTemplate).value
    oid = x509.ObjectIdentifier(pki.template_oid("Web"))
    assert template == x509.MSCertificateTemplate(oid, major_version=100, minor_version=4)


def test_times_and_serial_number_have_the_form_of_ad_cs(ca: CertificationAuthority) -> None:
    answer = _submit(ca, "Web")
    certificate = _issued(answer)
    assert certificate.not_valid_before_utc == CLOCK - timedelta(minutes=10)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=365)
    serial = certificate.serial_number.to_bytes(19, "big")
    assert serial[0] & 0xF0
    assert not serial[0] & 0x80
    assert serial[1:5] == serial[-4:] == answer.request_id.to_bytes(4, "big")
    assert serial[13:15] == b"\0\0"


def test_a_certificate_of_a_v1_template_names_it(ca: CertificationAuthority) -> None:
    held = _issued(_submit(ca, "Old")).extensions
    assert held.get_extension_for_oid(pki.TEMPLATE_NAME).value == x509.UnrecognizedExtension(
        pki.TEMPLATE_NAME, bmp("Old")
    )
    assert not {"1.3.6.1.4.1.311.21.7", "1.3.6.1.4.1.311.21.10"} & {one.oid.dotted_string for one in held}


def test_a_validity_that_the_ca_does_not_allow_is_cut_and_told(ca: CertificationAuthority) -> None:
    answer = _submit(ca, "Long")
    certificate = _issued(answer)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=730)
    assert answer.message.startswith("Issued  The certificate validity period will be shorter than the Long ")


def test_a_certificate_does_not_outlive_its_ca() -> None:
    ca = _authority(clock_offset=2990)
    certificate = _issued(_submit(ca, "Web"))
    assert certificate.not_valid_after_utc == ca.identity.certificate.not_valid_after_utc


def test_without_enrollee_supplied_subject_the_names_come_from_the_account(ca: CertificationAuthority) -> None:
    certificate = _issued(_submit(ca, "Member", _request("CN=evil", extensions=[_extension(SAN)]), SERVER))
    assert certificate.subject.rfc4514_string() == "CN=fe01.corp.example.test"
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName("fe01.corp.example.test")]


@pytest.mark.parametrize("place", ["attribute", "pair", "name", "oid", "cmc"])
def test_the_template_is_found_wherever_a_request_names_it(ca: CertificationAuthority, place: str) -> None:
    given: dict[str, Any] = {
        "pair": {"name_values": {"CertificateTemplate": "Web"}},
        "name": {"extensions": [_name_extension("web")]},
        "oid": {"extensions": [_oid_extension(ca, "Web")]},
    }
    request = _request(**given.get(place, {}))
    if place == "cmc":
        request = requests.cmc(request, KEY, reg_info={"CertificateTemplate": "Web"})
    _issued(_submit(ca, "WEB" if place == "attribute" else None, request))
    assert ca.rows[-1].template
    assert ca.rows[-1].template.name == "Web"


def test_an_attribute_that_cmc_adds_names_the_template(ca: CertificationAuthority) -> None:
    pair = attribute("1.3.6.1.4.1.311.13.2.1", sequence(bmp("CertificateTemplate"), bmp("Old")))
    _issued(_submit(ca, None, requests.cmc(_request(), KEY, added_attributes=[pair])))


def test_a_request_that_names_two_templates_conflicts(ca: CertificationAuthority) -> None:
    request = _request(extensions=[_oid_extension(ca, "Web")])
    assert _submit(ca, "Old", request).code == 0x80094802
    assert _submit(ca, "Nowhere", request).code == 0x80094802
    assert _submit(ca, "Web", _request(extensions=[_name_extension("Web"), _oid_extension(ca, "Web")])).code == 0


@pytest.mark.parametrize(
    ("template", "requester", "code"),
    [
        (None, ADMINISTRATOR, 0x80094801),
        ("Nowhere", ADMINISTRATOR, 0x80094800),
        ("Hidden", ADMINISTRATOR, 0x80094800),
        ("Deleted", ADMINISTRATOR, 0x80094800),
        ("Web", "CORP\\operator", 0x80094012),
        ("Web", SERVER, 0x80094012),
        ("Member", "CORP\\operator", 0x80094012),
    ],
)
def test_what_policy_denies(ca: CertificationAuthority, template: str | None, requester: str, code: int) -> None:
    answer = _submit(ca, template, requester=requester)
    assert (answer.disposition, answer.code, answer.certificate) == ("denied", code, None)
    row = ca.rows[-1]
    assert (row.disposition, row.status_code, row.requester) == (31, code, requester)
    assert answer.message.startswith("Denied by Policy Module")


def test_full_control_holds_the_right_to_enroll(ca: CertificationAuthority) -> None:
    assert _submit(ca, "Member").code == 0


def test_a_short_key_is_denied(ca: CertificationAuthority) -> None:
    request = _request(key=POOL.take("rsa1024"))
    assert _submit(ca, "Web", request).code == 0x80094811
    assert _submit(ca, "Short", request).code == 0


def test_a_newer_version_of_the_template_is_denied(ca: CertificationAuthority) -> None:
    assert _submit(ca, None, _request(extensions=[_oid_extension(ca, "Web", major=101)])).code == 0x80094807


def test_a_subject_or_a_name_must_be_there(ca: CertificationAuthority) -> None:
    assert _submit(ca, "Web", _request("")).code == 0x80094001
    assert not list(_issued(_submit(ca, "Web", _request("", extensions=[_extension(SAN)]))).subject)


def test_the_san_attribute_counts_only_where_the_ca_takes_it() -> None:
    given = {"CertificateTemplate": "Web", "SAN": "dns=a.example.test&ipaddress=192.0.2.7"}
    for accepted in (False, True):
        certificate = _issued(_authority(san_attribute=accepted).submit(_request(), given, ADMINISTRATOR, False))
        held = [one for one in certificate.extensions if isinstance(one.value, x509.SubjectAlternativeName)]
        assert bool(held) is accepted
    assert [str(name.value) for name in held[0].value] == ["a.example.test", "192.0.2.7"]


def test_a_template_is_offered_as_soon_as_the_directory_says_so() -> None:
    lab = _lab()
    ca, directory = lab.authority("Contoso Issuing CA 1"), lab.directory
    services = f"CN=Public Key Services,CN=Services,{directory.configuration}"
    dn = f"CN=Contoso Issuing CA 1,CN=Enrollment Services,{services}"
    directory.modify(directory.administrator, dn, [("add", "certificateTemplates", [b"Hidden"])])
    assert _submit(ca, "Hidden").code == 0


def test_a_wrong_signature_and_an_unreadable_request_fail_in_a_row_of_their_own(ca: CertificationAuthority) -> None:
    broken = bytearray(_request())
    broken[-1] ^= 1
    assert _submit(ca, "Web", bytes(broken)).code == 0x80090006
    assert ca.rows[-1].disposition == 30
    assert _submit(ca, "Web", b"\x30\x03\x02\x01\x07").code == 0x8009310B
    assert (ca.rows[-1].disposition, ca.rows[-1].requested_common_name) == (30, None)
    with pytest.raises(CaRefused, match="0x80094003"):
        ca.approve(ca.rows[-1].request_id)


def test_real_requests_are_read_and_prove_possession(samples: Path) -> None:
    files = sorted((samples / "csr").glob("*.txt"))
    assert len(files) > 40
    for file in files:
        found = re.search(r"-----BEGIN[^-]+-----(.*?)-----END", file.read_text("utf-8"), re.S)
        assert found
        read = ca_request.read(base64.b64decode(found[1]))
        assert read.proves_possession, file.name
        assert read.key_bits >= 256


@pytest.mark.parametrize("pended_by", ["template", "ca"])
def test_a_pending_request_waits_for_an_officer(pended_by: str) -> None:
    ca = _authority(pend=pended_by == "ca")
    answer = _submit(ca, "Waiting" if pended_by == "template" else "Web")
    assert (answer.disposition, answer.code, answer.message) == ("pending", 0, "Taken Under Submission")
    assert ca.rows[0].disposition == 9
    assert ca.retrieve(1, ADMINISTRATOR).disposition == "pending"
    ca.approve(1, "CORP\\officer")
    answer = ca.retrieve(1, ADMINISTRATOR)
    assert answer.message == "Issued  Resubmitted by CORP\\officer"
    assert _issued(answer).public_key() == KEY.public_key()
    with pytest.raises(CaRefused, match="0x80094003"):
        ca.deny(1)


def test_an_officer_denies_and_may_think_again() -> None:
    ca = _authority(pend=True)
    _submit(ca, "Web")
    ca.deny(1, "CORP\\officer")
    answer = ca.retrieve(1, ADMINISTRATOR)
    assert (answer.disposition, answer.code, answer.message) == ("denied", 0x80094014, "Denied by CORP\\officer")
    ca.approve(1)
    assert ca.retrieve(1, ADMINISTRATOR).disposition == "issued"
    with pytest.raises(CaRefused, match="0x80094004"):
        ca.approve(2)


def test_only_the_requester_and_the_hosts_administrators_may_retrieve() -> None:
    ca = _authority()
    _submit(ca, "Member", requester=SERVER)
    assert ca.retrieve(1, "corp\\fe01$").disposition == "issued"
    assert ca.retrieve(1, ADMINISTRATOR).disposition == "issued"
    assert ca.retrieve(1, "CORP\\FE02$").code == 0x80070005
    assert ca.retrieve(2, ADMINISTRATOR).code == 0x80094004


def test_an_expired_ca_signs_nothing() -> None:
    ca = _authority(expired=True)
    answer = _submit(ca, "Web")
    assert (answer.disposition, answer.code, ca.rows[0].disposition) == ("denied", 0x800B0101, 30)
    assert _submit(_authority(clock_offset=4000), "Web").code == 0x800B0101


def test_an_unreachable_ca_makes_no_row() -> None:
    ca = _authority(unreachable=True)
    with pytest.raises(CaUnreachable, match="0x800706ba"):
        _submit(ca, "Web")
    assert not ca.rows
    ca.unreachable = False
    assert _submit(ca, "Web").request_id == 1


def _public(key: Any) -> bytes:
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def test_scripted_bad_answers(ca: CertificationAuthority) -> None:
    request = _request(extensions=[_extension(SAN)])
    other_key = _issued(_submit(_authority(garbage="other_key"), "Web", request))
    assert _public(other_key.public_key()) != _public(KEY.public_key())
    other_name = _issued(_submit(_authority(garbage="other_name"), "Web", request))
    assert other_name.subject.rfc4514_string() == "CN=other.example"
    assert other_name.public_key() == KEY.public_key()
    damaged = _submit(_authority(garbage="certificate"), "Web", request).certificate
    assert damaged
    with pytest.raises(ValueError, match="error"):
        x509.load_der_x509_certificate(damaged)
    response = _submit(_authority(garbage="response"), "Web", request)
    assert response.full_response[:1] != b"\x30"
    assert _issued(response)


def _verified(ca: CertificationAuthority, answer: CaAnswer, folder: Path) -> tuple[bytes, str]:
    """The signed content, after openssl has checked the signature, and what openssl says of the message."""
    (folder / "ca.pem").write_bytes(ca.identity.certificate.public_bytes(Encoding.PEM))
    (folder / "response").write_bytes(answer.full_response)
    command = ["openssl", "cms", "-verify", "-inform", "DER", "-in", "response", "-out", "content", "-purpose", "any"]
    command += ["-CAfile", "ca.pem", "-certfile", "ca.pem", "-no_check_time", "-binary"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    shown = ["openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", "response"]
    printed = subprocess.run(shown, cwd=folder, check=True, capture_output=True, text=True).stdout
    return (folder / "content").read_bytes(), printed


def _controls(content: bytes) -> list[tuple[int, str, Any]]:
    body, rest = decoder.decode(content, asn1Spec=univ.SequenceOf(componentType=univ.Any()))
    assert not rest
    encoded, cms, other = (bytes(part) for part in body)
    assert cms == other == b"\x30\x00"
    controls, rest = decoder.decode(encoded)
    assert not rest
    return [(int(control[0]), str(control[1]), control[2][0]) for control in controls]


@pytest.mark.usefixtures("openssl")
def test_the_response_to_an_issued_request(ca: CertificationAuthority, tmp_path: Path) -> None:
    answer = _submit(ca, "Web")
    content, printed = _verified(ca, answer, tmp_path)
    status, added = _controls(content)
    assert status[:2] == (1, "1.3.6.1.5.5.7.7.1")
    assert [int(status[2][0]), [int(part) for part in status[2][1]], str(status[2][2])] == [0, [1], "Issued"]
    assert len(status[2]) == 3
    assert added[:2] == (2, "1.3.6.1.4.1.311.10.10.1")
    assert (int(added[2][0]), [int(part) for part in added[2][1]]) == (0, [1])
    (held,) = added[2][2]
    assert str(held[0]) == "1.3.6.1.4.1.311.21.17"
    assert answer.certificate
    assert bytes(held[1][0]) == hashlib.sha1(answer.certificate, usedforsecurity=False).digest()
    assert "eContentType: id-cct-PKIResponse (1.3.6.1.5.5.7.12.3)" in printed
    assert "d.issuerAndSerialNumber" in printed
    bag = printed.partition("certificates:")[2].partition("crls:")[0]
    assert bag.count("d.certificate") == 2
    pem = ["openssl", "pkcs7", "-inform", "DER", "-in", "response", "-print_certs"]
    found = subprocess.run(pem, cwd=tmp_path, check=True, capture_output=True).stdout
    assert {one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(found)} == set(answer.chain)


@pytest.mark.usefixtures("openssl")
def test_the_response_to_a_pending_request(tmp_path: Path) -> None:
    ca = _authority(pend=True)
    for _number in range(258):
        ca.rows.append(ca.rows[0]) if ca.rows else _submit(ca, "Web")
    answer = _submit(ca, "Web")
    assert answer.request_id == 259
    content, printed = _verified(ca, answer, tmp_path)
    ((_number, _kind, status),) = _controls(content)
    assert [int(status[0]), [int(part) for part in status[1]]] == [3, [1]]
    assert isinstance(status[2], char.UTF8String)
    assert str(status[2]) == "Taken Under Submission"
    assert bytes(status[3][0]) == bytes.fromhex("03010000")
    assert status[3][1] == useful.GeneralizedTime("20260301120000Z")
    assert printed.partition("certificates:")[2].split()[0] == "<ABSENT>"


@pytest.mark.usefixtures("openssl")
def test_the_response_to_a_denied_request_says_neither_code_nor_failinfo(
    ca: CertificationAuthority, tmp_path: Path
) -> None:
    content, printed = _verified(ca, _submit(ca, "Web", requester=SERVER), tmp_path)
    ((_number, _kind, status),) = _controls(content)
    assert [type(part) for part in status.values()] == [univ.Integer, univ.SequenceOf, char.UTF8String]
    assert (int(status[0]), str(status[2])) == (2, "Denied by Policy Module")
    assert printed.partition("certificates:")[2].split()[0] == "<ABSENT>"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"host": "nowhere"}, "host 'nowhere' is no host"),
        ({"ca": "other"}, "ca 'other' is none of issuing"),
        ({"name": "Fabrikam CA"}, "is not the common name"),
        ({"garbage": "all"}, "garbage is 'all'"),
        ({"colour": "red"}, "unknown here: colour"),
    ],
)
def test_complaints_about_a_scenario(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ScenarioError, match=complaint):
        _lab(**change)


def test_a_ca_needs_a_directory_that_knows_it() -> None:
    entry = {"id": "issuing", "host": "ca01"}
    data: dict[str, Any] = {
        "cas": [{"id": "issuing", "subject": "CN=CA 1"}],
        "adcs": [entry],
        "hosts": [{"name": "ca01"}],
    }
    with pytest.raises(ScenarioError, match="needs a directory section"):
        parse(data, "test.yml")
    with pytest.raises(ScenarioError, match="directory: cas has no 'CA 1'"):
        parse({**data, "directory": {"cas": []}}, "test.yml")
    with pytest.raises(LookupError, match="no CA 'CA 1'"):
        Lab(parse({"hosts": []}, "test.yml")).authority("CA 1")
