# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""certreq -submit and -retrieve, and certutil and reg on the CA's host: files, exit codes and output."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7
from lab import pki
from lab.formats import request as requests
from lab.host.machine import Machine
from lab.powershell.errors import NotSimulated
from lab.runtime import Lab
from lab.scenario import parse
from lab.tools import Call, Result, find_tool
from lab.wire.host import NetworkLogon

CA = "Contoso Issuing CA 1"
CONFIG = f"ca01.corp.example.test\\{CA}"
TEMP = "C:\\Windows\\Temp"
REQ, CER, P7B, RSP = (f"{TEMP}\\web.{ending}" for ending in ("req", "cer", "p7b", "rsp"))
KEY = pki.KeyPool().take("rsa2048")
NAME = x509.Name.from_rfc4514_string("CN=pool.corp.example.test")
REQUEST = requests.pkcs10(KEY, NAME, provider="Microsoft RSA SChannel Cryptographic Provider")
ONE_YEAR = {"pKIExpirationPeriod": {"base64": "AEA5hy7h/v8="}}
WEB = {"name": "Web", "display_name": "Web Server", "enroll": ["Domain Admins"], "attributes": ONE_YEAR}
MEMBER = {"name": "Member", "enroll": ["Domain Computers", "S-1-5-11"], "attributes": ONE_YEAR}


def _lab(language: str = "en", **adcs: Any) -> Lab:
    accounts = {"operator": {"password": "y"}, "reader": {"password": "z", "administrator": False}}
    hosts = [{"name": name, "accounts": accounts, "language": language} for name in ("ca01", "fe01")]
    data = {
        "lab": {"domain": "corp.example.test", "password": "x"},
        "cas": [{"id": "issuing", "subject": f"CN={CA},DC=corp,DC=example,DC=test"}],
        "directory": {
            "templates": [WEB, MEMBER],
            "cas": [{"name": CA, "host": "ca01.corp.example.test", "templates": ["Web", "Member"]}],
        },
        "adcs": [{"id": "issuing", "name": CA, "host": "ca01", **adcs}],
        "hosts": [*hosts, {"name": "dc01", "domain_controller": True}],
    }
    lab = Lab(parse(data, "test.yml"))
    for host in ("ca01", "fe01"):
        lab.machine(host).files[REQ] = requests.armoured(REQUEST).encode()
    return lab


def _run(machine: Machine, tool: str, *arguments: str, user: str = "Administrator") -> Result:
    found = find_tool(tool, machine)
    assert found
    return found(Call(machine, arguments, user))


def _submit(machine: Machine, *options: str, template: str = "Web", user: str = "Administrator") -> Result:
    attribute = f"CertificateTemplate:{template}"
    paths = (REQ, CER, P7B, RSP)
    return _run(
        machine, "certreq", "-submit", "-q", "-config", CONFIG, "-attrib", attribute, *options, *paths, user=user
    )


def _code(result: Result) -> int:
    return result.exit_code & 0xFFFFFFFF


def _pem(machine: Machine, path: str) -> bytes:
    text = machine.files[path].decode("ascii")
    found = re.fullmatch(r"-----BEGIN CERTIFICATE-----\r\n(([^\r\n]{1,64}\r\n)+)-----END CERTIFICATE-----\r\n", text)
    assert found, text
    return base64.b64decode(found[1])


def test_an_issued_request_leaves_certificate_chain_and_response() -> None:
    lab = _lab()
    machine = lab.machine("fe01")
    result = _submit(machine)
    assert result.stdout == 'RequestId: 1\r\nRequestId: "1"\r\nCertificate retrieved(Issued) Issued\r\n'
    assert (result.exit_code, result.stderr) == (0, "")
    der = _pem(machine, CER)
    certificate = x509.load_der_x509_certificate(der)
    assert certificate.public_key() == KEY.public_key()
    chain = pkcs7.load_der_pkcs7_certificates(_pem(machine, P7B))
    assert {one.subject for one in chain} == {certificate.subject, certificate.issuer}
    assert der in _pem(machine, RSP)
    (row,) = lab.authority(CA).rows
    assert (row.requester, row.raw_request, row.der) == ("CORP\\Administrator", REQUEST, der)


def test_binary_files_are_der() -> None:
    machine = _lab().machine("fe01")
    assert _code(_submit(machine, "-binary")) == 0
    assert all(machine.files[path][:1] == b"\x30" for path in (CER, P7B, RSP))


def test_a_message_of_the_policy_stands_behind_issued() -> None:
    machine = _lab(policy_message="0x80094004, The Enrollee (CORP\\fe01) has no E-Mail name.").machine("fe01")
    result = _submit(machine)
    assert "Certificate retrieved(Issued) Issued  0x80094004, The Enrollee" in result.stdout
    assert result.exit_code == 0


def test_a_pending_request_exits_with_0_and_leaves_the_response_alone() -> None:
    lab = _lab(pend=True)
    machine = lab.machine("fe01")
    result = _submit(machine)
    assert result.stdout.endswith("Certificate request is pending: Taken Under Submission (0)\r\n")
    assert result.exit_code == 0
    assert [path in machine.files for path in (CER, P7B, RSP)] == [False, False, True]
    lab.authority(CA).approve(1)
    assert _code(_run(machine, "certreq", "-retrieve", "-q", "-config", CONFIG, "0x1", CER, P7B, RSP)) == 0x80070050
    result = _run(machine, "certreq", "-retrieve", "-q", "-f", "-config", CONFIG, "1", CER, P7B, RSP)
    assert result.stdout.endswith("Certificate retrieved(Issued) Issued  Resubmitted by CORP\\Administrator\r\n")
    assert x509.load_der_x509_certificate(_pem(machine, CER)).public_key() == KEY.public_key()


@pytest.mark.parametrize(
    ("template", "user", "code", "name"),
    [
        ("Nowhere", "Administrator", 0x80094800, "-2146875392 CERTSRV_E_UNSUPPORTED_CERT_TYPE"),
        ("Web", "operator", 0x80094012, "-2146877422 CERTSRV_E_TEMPLATE_DENIED"),
    ],
)
def test_a_denied_request_exits_with_its_code(template: str, user: str, code: int, name: str) -> None:
    machine = _lab().machine("fe01")
    result = _submit(machine, template=template, user=user)
    assert _code(result) == code
    assert "Certificate not issued (Denied) Denied by Policy Module " in result.stdout
    assert result.stdout.endswith(f"0x{code:08x} ({name})\r\n")
    assert [path in machine.files for path in (CER, P7B, RSP)] == [False, False, True]


def test_a_ca_that_does_not_answer_leaves_nothing() -> None:
    lab = _lab(unreachable=True)
    machine = lab.machine("fe01")
    result = _submit(machine)
    assert result.stdout == (
        "Certificate Request Processor: The RPC server is unavailable. "
        "0x800706ba (WIN32: 1722 RPC_S_SERVER_UNAVAILABLE)\r\n"
    )
    assert _code(result) == 0x800706BA
    assert not {CER, P7B, RSP} & set(machine.files)
    assert not lab.authority(CA).rows


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ("ca09.corp.example.test\\Contoso Issuing CA 1", 0x800706BA),
        ("CA01\\Fabrikam CA", 0x80070057),
        ("CA01\\contoso issuing ca 1", 0),
        ("-", 0x80070103),
    ],
)
def test_which_ca_is_meant(config: str, code: int) -> None:
    machine = _lab().machine("fe01")
    paths = (REQ, CER, P7B, RSP)
    result = _run(machine, "certreq", "-q", "-attrib", "CertificateTemplate:Web", "-config", config, *paths)
    assert _code(result) == code


def test_on_the_cas_own_host_no_config_is_needed() -> None:
    lab = _lab()
    arguments = ("certreq", "-submit", "-q", "-attrib", "CertificateTemplate:Web", REQ, CER, P7B)
    assert _run(lab.machine("ca01"), *arguments, f"{TEMP}\\1.rsp").exit_code == 0
    assert _run(lab.machine("ca01"), *arguments, f"{TEMP}\\2.rsp", "-f", "-config", "-").exit_code == 0
    with pytest.raises(NotSimulated, match="waits for a window in which a CA is chosen"):
        _run(lab.machine("fe01"), *arguments, f"{TEMP}\\1.rsp")


def test_a_missing_path_opens_a_window() -> None:
    with pytest.raises(NotSimulated, match="waits for a window"):
        _run(_lab().machine("fe01"), "certreq", "-submit", "-q", "-config", CONFIG, REQ)


def test_without_a_path_the_response_lies_beside_the_certificate_and_may_be_in_the_way() -> None:
    lab = _lab()
    machine = lab.machine("fe01")
    arguments = ("certreq", "-submit", "-q", "-config", CONFIG, "-attrib", "CertificateTemplate:Web", REQ)
    assert _run(machine, *arguments, f"{TEMP}\\a.cer").exit_code == 0
    assert f"{TEMP}\\a.rsp" in machine.files
    result = _run(machine, *arguments, f"{TEMP}\\a.crt")
    assert _code(result) == 0x80070050
    assert "RequestId: 2\r\n" in result.stdout
    assert [row.disposition for row in lab.authority(CA).rows] == [20, 20]
    with pytest.raises(NotSimulated, match="may it replace"):
        _run(machine, *(word for word in arguments if word != "-q"), f"{TEMP}\\b\\..\\a.cer")


def test_a_user_without_credentials_to_hand_on_reaches_the_local_ca_alone() -> None:
    lab = _lab()
    user = NetworkLogon("CORP\\Administrator")
    result = _submit(lab.machine("fe01"), user=user)
    assert (_code(result), lab.authority(CA).rows) == (0x80070005, [])
    assert RSP not in lab.machine("fe01").files
    assert _submit(lab.machine("ca01"), user=user).exit_code == 0
    result = _submit(lab.machine("fe01"), "-AdminForceMachine", template="Member", user=user)
    assert result.exit_code == 0
    assert [row.requester for row in lab.authority(CA).rows] == ["CORP\\Administrator", "CORP\\FE01$"]
    assert lab.authority(CA).rows[1].computer


def test_the_computer_asks_for_an_administrator_only() -> None:
    machine = _lab().machine("fe01")
    assert _code(_submit(machine, "-adminforcemachine", template="Member", user="reader")) == 0x80070005
    assert _submit(machine, template="Member", user="reader").exit_code == 0


@pytest.mark.parametrize("data", [REQUEST, base64.b64encode(REQUEST), requests.armoured(REQUEST).encode()])
def test_a_request_comes_in_every_form(data: bytes) -> None:
    machine = _lab().machine("fe01")
    machine.files[REQ] = data
    assert _submit(machine).exit_code == 0


def test_what_is_no_request_is_not_sent() -> None:
    lab = _lab()
    lab.machine("fe01").files[REQ] = b"no request"
    assert _code(_submit(lab.machine("fe01"))) == 0x8009310B
    del lab.machine("fe01").files[REQ]
    assert _code(_submit(lab.machine("fe01"))) == 0x80070002
    assert not lab.authority(CA).rows


def test_a_backslash_n_parts_attributes() -> None:
    lab = _lab(san_attribute=True)
    _submit(lab.machine("fe01"), template="Web\\nSAN:dns=other.example.test\\n-c c: x\\nnothing")
    assert lab.authority(CA).rows[0].attributes == {
        "certificatetemplate": "Web",
        "san": "dns=other.example.test",
        "cc": "x",
    }


@pytest.mark.parametrize(
    ("language", "line"),
    [("de", 'Anforderungs-ID: "1"'), ("fr", "IDDemande : \u00ab 1 \u00bb"), ("ja", 'RequestId: "1"')],
)
def test_the_line_of_the_request_id_is_translated(language: str, line: str) -> None:
    result = _submit(_lab(language).machine("fe01"))
    assert line in result.stdout.split("\r\n")


def test_retrieve_tells_unknown_and_foreign_requests_apart() -> None:
    machine = (lab := _lab()).machine("fe01")
    _submit(machine, "-adminforcemachine", template="Member")

    def retrieve(number: str, user: str) -> int:
        return _code(
            _run(machine, "certreq", "-retrieve", "-q", "-f", "-config", CONFIG, number, CER, P7B, RSP, user=user)
        )

    assert retrieve("7", "operator") == 0x80094004
    assert retrieve("1", "reader") == 0x80070005
    assert retrieve("1", "operator") == 0
    lab.authority(CA).unreachable = True
    assert retrieve("1", "operator") == 0x800706BA


def test_certutil_ping() -> None:
    lab = _lab()
    ok = _run(lab.machine("ca01"), "certutil", "-ping")
    assert ok.stdout == (
        f'Connecting to {CONFIG} ...\r\nServer "{CA}" ICertRequest2 interface is alive (15ms)\r\n'
        "CertUtil: -ping command completed successfully.\r\n"
    )
    assert _run(lab.machine("fe01"), "certutil", "-config", CONFIG, "-ping").exit_code == 0
    assert _code(_run(lab.machine("fe01"), "certutil", "-config", "CA01\\Other", "-ping")) == 0x80070057
    none = _run(lab.machine("fe01"), "certutil", "-ping")
    assert none.stdout.startswith("CertUtil: No local Certification Authority; use -config option\r\n")
    assert _code(none) == 0x80070103
    lab.authority(CA).unreachable = True
    gone = _run(lab.machine("ca01"), "certutil", "-ping")
    assert "Server could not be reached: The RPC server is unavailable. 0x800706ba (WIN32: 1722 " in gone.stdout
    assert _code(gone) == 0x800706BA


def test_certutil_catemplates_shows_what_the_caller_may() -> None:
    lab = _lab()
    machine = lab.machine("ca01")
    done = "CertUtil: -CATemplates command completed successfully.\r\n"
    administrator = _run(machine, "certutil", "-CATemplates")
    assert administrator.stdout == f"Web: Web Server -- Auto-Enroll\r\nMember: Member -- Auto-Enroll\r\n{done}"
    other = _run(machine, "certutil", "-CATemplates", user="operator")
    assert other.stdout == (
        f"Web: Web Server -- Access is denied.\r\nMember: Member -- Auto-Enroll: Access is denied.\r\n{done}"
    )
    far = _run(machine, "certutil", "-CATemplates", user=NetworkLogon("Administrator"))
    assert _code(far) == 0x800704DC
    assert "CertUtil: -CATemplates command FAILED: 0x800704dc (WIN32: 1244 ERROR_NOT_AUTHENTICATED)" in far.stdout


def test_certutil_resubmit_and_deny() -> None:
    lab = _lab(pend=True)
    machine = lab.machine("ca01")
    for _number in range(2):
        _submit(machine, "-f")
    issued = _run(machine, "certutil", "-resubmit", "1")
    assert issued.stdout == "Certificate issued.\r\nCertUtil: -resubmit command completed successfully.\r\n"
    assert _run(machine, "certutil", "-deny", "2").exit_code == 0
    assert [row.disposition for row in lab.authority(CA).rows] == [20, 31]
    assert lab.authority(CA).rows[1].message == "Denied by CORP\\Administrator"
    assert _code(_run(machine, "certutil", "-deny", "1")) == 0x80094003
    assert _code(_run(machine, "certutil", "-resubmit", "9")) == 0x80094004
    for number in ("1", "9"):
        assert _code(_run(machine, "certutil", "-resubmit", number, user="reader")) == 0x80070005
    result = _run(machine, "certreq", "-retrieve", "-q", "-f", "2", CER, P7B, RSP)
    assert _code(result) == 0x80094014
    assert "Certificate not issued (Denied) Denied by CORP\\Administrator " in result.stdout


def _view(machine: Machine, restrict: str, out: str, user: str = "Administrator") -> Result:
    return _run(machine, "certutil", "-view", "-restrict", restrict, "-out", out, user=user)


def test_certutil_view() -> None:
    lab = _lab()
    machine = lab.machine("ca01")
    _submit(machine)
    _submit(machine, "-f", template="Nowhere")
    out = (
        "RequestID,Request.Disposition,Request.StatusCode,Request.RequesterName,CommonName,CertificateTemplate,NotAfter"
    )
    shown = _view(machine, "Request.CommonName=POOL.corp.example.test,Disposition=20", out)
    assert shown.exit_code == 0
    lines = shown.stdout.split("\r\n")
    assert lines[0] == "Schema:"
    assert lines[3] == "  RequestID                     Issued Request ID             Long    4 -- Indexed"
    row = lines[lines.index("Row 1:") + 1 :]
    assert row[:5] == [
        "  Issued Request ID: 0x1",
        "  Request Disposition: 0x14 (20) -- Issued",
        "  Request Status Code: 0x0 (WIN32: 0) -- The operation completed successfully.",
        '  Requester Name: "CORP\\Administrator"',
        '  Issued Common Name: "pool.corp.example.test"',
    ]
    assert row[5] == f'  Certificate Template: "{pki.template_oid("Web")}" Web Server'
    assert "Maximum Row Index: 1" in lines
    assert lines[-2] == "CertUtil: -view command completed successfully."
    denied = _view(machine, "RequestID>1", "Request.Disposition,Request.StatusCode,NotAfter").stdout
    assert "  Request Disposition: 0x1f (31) -- Denied\r\n" in denied
    assert "  Request Status Code: 0x80094800 (-2146875392 CERTSRV_E_UNSUPPORTED_CERT_TYPE) -- The requested" in denied
    assert "  Certificate Expiration Date: EMPTY\r\n" in denied
    assert "\r\n0 Rows\r\n" in _view(machine, "Disposition=9", "RequestID").stdout
    assert "\r\n0 Rows\r\n" in _view(machine, "Request.CommonName=other", "RequestID").stdout
    assert _code(_view(machine, "Disposition=9", "RequestID", user="reader")) == 0x80070005


def test_certutil_view_gives_the_request_as_it_came() -> None:
    lab = _lab()
    _submit(lab.machine("fe01"))
    shown = _view(lab.machine("ca01"), "RequestID=1", "Request.RawRequest").stdout
    label = "NEW CERTIFICATE REQUEST"
    found = re.search(
        rf"  Binary Request:\r\n-----BEGIN {label}-----\r\n(.*?)-----END {label}-----\r\n\r\n", shown, re.S
    )
    assert found
    assert base64.b64decode(found[1]) == REQUEST


def test_the_registry_names_the_local_ca() -> None:
    lab = _lab()
    key = r"HKLM\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration"
    shown = _run(lab.machine("ca01"), "reg", "query", key, "/v", "Active")
    assert shown.stdout == (
        rf"{key}".replace("HKLM", "\r\nHKEY_LOCAL_MACHINE") + f"\r\n    Active    REG_SZ    {CA}\r\n\r\n"
    )
    assert _run(lab.machine("fe01"), "reg", "query", key, "/v", "Active").exit_code == 1
