# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certreq -new``: keys, requests, pending certificates, and the ways in which it fails."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lab.host import cmd
from lab.host.machine import Account, Machine
from lab.powershell.errors import NotSimulated
from lab.powershell.process import run_script
from lab.runtime import Lab
from lab.scenario import parse
from lab.tools import Call, Result, find_tool

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE = "Microsoft Software Key Storage Provider"
POLICY, REQUEST = r"C:\Windows\Temp\a.inf", r"C:\Windows\Temp\a.req"
CREATED = "CertReq: Request Created\r\n"
FIELDS = {
    "Subject": '"CN=pool01.fabrikam.example,O=Fabrikam,C=DE"',
    "KeySpec": "AT_KEYEXCHANGE",
    "KeyLength": "1024",
    "KeyUsage": "0xA0",
    "MachineKeySet": "TRUE",
    "ProviderName": f'"{SCHANNEL}"',
    "ProviderType": "12",
    "HashAlgorithm": "SHA256",
    "SMIME": "FALSE",
    "Silent": "TRUE",
}
EXTENSIONS = """[EnhancedKeyUsageExtension]
OID = 1.3.6.1.5.5.7.3.1
[Extensions]
2.5.29.17 = "{text}"
_continue_ = "dns=pool01.fabrikam.example&"
_continue_ = "ipaddress=10.0.0.1&"
1.3.6.1.4.1.311.21.7 = "{hex}30 04 06 02 2a 03"
"""


def _machine(**values: Any) -> Machine:
    accounts = {"admin": Account("x"), "reader": Account("x", administrator=False)}
    return Machine("FE01", domain="fabrikam.example", **{"accounts": accounts, "os_version": "10.0.17763", **values})


def _policy(rest: str = EXTENSIONS, **fields: str | None) -> bytes:
    lines = [f"{key} = {value}" for key, value in {**FIELDS, **fields}.items() if value is not None]
    return "\n".join(["[Version]", 'Signature="$Windows NT$"', "[NewRequest]", *lines, rest]).encode("cp1252")


def _certreq(machine: Machine, *arguments: str, user: str = "admin") -> Result:
    tool = find_tool("certreq.exe")
    assert tool
    return tool(Call(machine, arguments, user))


def _new(machine: Machine, policy: bytes | None = None, *options: str, user: str = "admin") -> Result:
    machine.files[POLICY] = _policy() if policy is None else policy
    return _certreq(machine, "-new", "-q", "-f", *options, POLICY, REQUEST, user=user)


def _code(result: Result) -> int:
    return result.exit_code & 0xFFFFFFFF


def _read(machine: Machine) -> x509.CertificateSigningRequest:
    return x509.load_pem_x509_csr(machine.files[REQUEST])


def _public(key: Any) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class TestRequest:
    def test_the_request_says_what_the_policy_file_says(self) -> None:
        machine = _machine()
        assert _new(machine) == Result(CREATED)
        assert machine.files[REQUEST].startswith(b"-----BEGIN NEW CERTIFICATE REQUEST-----\r\n")
        request = _read(machine)
        assert request.is_signature_valid
        assert request.subject.rfc4514_string() == "CN=pool01.fabrikam.example,O=Fabrikam,C=DE"
        assert request.signature_hash_algorithm is not None
        assert request.signature_hash_algorithm.name == "sha256"
        found = {one.oid.dotted_string: one for one in request.extensions}
        assert list(found) == ["2.5.29.14", "2.5.29.15", "2.5.29.37", "2.5.29.17", "1.3.6.1.4.1.311.21.7"]
        usage = found["2.5.29.15"]
        assert usage.critical
        assert (usage.value.digital_signature, usage.value.key_encipherment, usage.value.key_cert_sign) == (
            True,
            True,
            False,
        )
        assert found["2.5.29.17"].value.get_values_for_type(x509.DNSName) == ["pool01.fabrikam.example"]
        assert found["1.3.6.1.4.1.311.21.7"].value.public_bytes() == bytes.fromhex("300406022a03")

    @pytest.mark.parametrize(("provider", "kind", "spec"), [(SCHANNEL, "12", 1), (SOFTWARE, None, 0)])
    def test_its_attributes_name_provider_and_process(self, provider: str, kind: str | None, spec: int) -> None:
        machine = _machine()
        _new(machine, _policy(ProviderName=f'"{provider}"', ProviderType=kind), user=r"FABRIKAM\admin")
        der = _read(machine).public_bytes(Encoding.DER)
        assert bytes([0x02, 0x01, spec, 0x1E, 2 * len(provider)]) + provider.encode("utf-16-be") in der
        assert b"\x02\x01\x09\x0c\x15fe01.fabrikam.example\x0c\x0eFABRIKAM\\admin\x0c\x07certreq" in der
        assert b"\x16\x0c10.0.17763.2" in der

    def test_attributes_of_the_policy_file_become_name_and_value(self) -> None:
        machine = _machine()
        result = _new(machine, _policy("[RequestAttributes]\nCertificateTemplate = LyncWeb\n"))
        assert re.fullmatch(
            r"Active Directory Enrollment Policy\r\n  \{[0-9A-F-]{36}\}\r\n  ldap:\r\n\r\n" + CREATED, result.stdout
        )
        der = _read(machine).public_bytes(Encoding.DER)
        assert "CertificateTemplate".encode("utf-16-be") + b"\x1e\x0e" + "LyncWeb".encode("utf-16-be") in der

    def test_cmc_has_the_same_label(self) -> None:
        machine = _machine()
        _new(machine, _policy(RequestType="CMC"))
        lines = machine.files[REQUEST].decode().splitlines()
        assert (lines[0], lines[-1]) == (
            "-----BEGIN NEW CERTIFICATE REQUEST-----",
            "-----END NEW CERTIFICATE REQUEST-----",
        )
        assert base64.b64decode("".join(lines[1:-1]))[4:15] == bytes.fromhex("06092a864886f70d010702")

    def test_without_a_hash_it_signs_with_sha_1(self) -> None:
        machine = _machine()
        _new(machine, _policy(HashAlgorithm=None))
        algorithm = _read(machine).signature_hash_algorithm
        assert algorithm is not None
        assert algorithm.name == "sha1"


class TestPending:
    def test_key_and_pending_certificate_are_the_machines(self) -> None:
        machine = _machine(stores={"REQUEST": []})
        _new(machine, _policy(FriendlyName='"Lync 2026"', Exportable="TRUE"))
        (pending,) = machine.stores["REQUEST"]
        assert pending.issued
        certificate = pending.issued.certificate
        assert _public(certificate.public_key()) == _public(_read(machine).public_key())
        assert certificate.issuer == certificate.subject == _read(machine).subject
        assert pending.friendly_name == "Lync 2026"
        container = machine.container_of(pending.key)
        assert container is not None
        assert (container.provider, container.exportable, container.machine) == (SCHANNEL, True, True)
        assert container.public_key == _public(certificate.public_key())
        tool = find_tool("reg")
        assert tool
        key = r"HKLM\SOFTWARE\Microsoft\SystemCertificates\REQUEST\Certificates"
        assert pending.issued.thumbprint in tool(Call(machine, ["query", key, "/s"], "admin")).stdout

    def test_without_requests_the_registry_has_no_such_key(self) -> None:
        machine = _machine(stores={"REQUEST": [], "MY": []})
        key = r"reg query HKLM\SOFTWARE\Microsoft\SystemCertificates"
        assert b"SystemCertificates\\REQUEST\r\n" in cmd.execute(machine, key, b"", "admin").stdout
        assert cmd.execute(machine, key + r"\REQUEST\Certificates /s", b"", "admin").exit_code == 1

    def test_machine_key_set_is_false_by_default(self) -> None:
        machine = _machine()
        assert _new(machine, _policy(MachineKeySet=None), user="reader").exit_code == 0
        assert "REQUEST" not in machine.stores
        (pending,) = machine.user_store("reader", "Request")
        assert pending.key is not None
        assert pending.key.flags == 0
        assert [held.machine for held in machine.containers] == [False]

    def test_each_call_makes_another_key(self) -> None:
        machine = _machine()
        first, second = (_read(machine) for _number in range(2) if not _new(machine).exit_code)
        assert _public(first.public_key()) != _public(second.public_key())
        assert len(machine.stores["REQUEST"]) == len(list(machine.containers)) == 2


class TestFailures:
    @pytest.mark.parametrize(
        ("fields", "code", "name"),
        [
            ({"ProviderName": SCHANNEL}, 0x80090013, "NTE_BAD_PROVIDER"),
            ({"ProviderName": '"Contoso Provider"'}, 0x80090013, "NTE_BAD_PROVIDER"),
            ({"ProviderType": "1"}, 0x8009001B, "NTE_PROV_TYPE_NO_MATCH"),
            ({"HashAlgorithm": "SHA3"}, 0x80090008, "NTE_BAD_ALGID"),
            ({"KeyLength": "1025"}, 0x80090004, "NTE_BAD_LEN"),
            ({"Subject": '"pool01"'}, 0x80092023, "CRYPT_E_INVALID_X500_STRING"),
        ],
    )
    def test_of_the_policy_file(self, fields: dict[str, str], code: int, name: str) -> None:
        machine = _machine()
        result = _new(machine, _policy(**fields))
        assert _code(result) == code
        assert re.fullmatch(rf"Certificate Request Processor: .* 0x{code:08x} \(-\d+ {name}\)\r\n", result.stdout)
        assert (REQUEST in machine.files, list(machine.containers), machine.stores) == (False, [], {})

    def test_of_a_file_without_request(self) -> None:
        result = _new(_machine(), b"[Version]\r\n")
        assert result == Result(
            "Certificate Request Processor: INF file line not found 0xe0000102 (INF: -536870654)\r\n", "", -536870654
        )
        assert _code(_certreq(_machine(), "-new", "-q", r"C:\Windows\Temp\no.inf", REQUEST)) == 0x80070002

    @pytest.mark.parametrize(
        ("values", "user", "code"),
        [
            ({}, "reader", 0x80070005),
            ({"deny": frozenset({"keys"})}, "admin", 0x80070005),
            ({"disk_full": True}, "admin", 0x80070070),
        ],
    )
    def test_of_the_host_leave_nothing(self, values: dict[str, Any], user: str, code: int) -> None:
        machine = _machine(**values)
        assert _code(_new(machine, user=user)) == code
        assert (REQUEST in machine.files, list(machine.containers), machine.stores) == (False, [], {})

    def test_an_existing_file_needs_f(self) -> None:
        machine = _machine(files={REQUEST: b"old", POLICY: _policy()})
        assert _code(_certreq(machine, "-new", "-q", POLICY, REQUEST)) == 0x80070050
        assert machine.files[REQUEST] == b"old"
        with pytest.raises(NotSimulated, match="window"):
            _certreq(machine, "-new", POLICY, REQUEST)
        assert _certreq(machine, "-new", "-f", POLICY, REQUEST).exit_code == 0

    @pytest.mark.parametrize("arguments", [["-new", "-q", POLICY], ["-accept", "-q"], ["-retrieve", "-q"], ["-submit"]])
    def test_a_missing_path_waits_for_a_window(self, arguments: list[str]) -> None:
        with pytest.raises(NotSimulated, match="window"):
            _certreq(_machine(), *arguments)

    @pytest.mark.parametrize("arguments", [["-submit", "-retrieve", "7"], ["-submit -retrieve", "7"]])
    def test_two_verbs(self, arguments: list[str]) -> None:
        result = _certreq(_machine(), *arguments)
        assert result.stdout == "Unknown argument: -submit -retrieve\r\n"
        assert result.exit_code != 0

    def test_options_stand_before_or_after_the_verb(self) -> None:
        machine = _machine(files={POLICY: _policy()})
        assert _certreq(machine, "-machine", "-q", "-new", "-f", POLICY, REQUEST) == Result(CREATED)


DIRECTORY = {
    "directory": {
        "templates": [
            {"name": "Web2", "schema": 2, "providers": [SCHANNEL]},
            {"name": "Web4", "schema": 4, "providers": [SOFTWARE]},
        ]
    },
    "hosts": [{"name": "dc01", "domain_controller": True}],
}


@pytest.mark.parametrize(
    ("template", "provider", "code", "written"),
    [
        ("Web2", SCHANNEL, 0, True),
        ("web4", SOFTWARE, 0, True),
        ("Web2", SOFTWARE, 0x80090017, False),
        ("Nowhere", SCHANNEL, 0, False),
    ],
)
def test_a_template_is_looked_up_where_there_is_a_directory(
    template: str, provider: str, code: int, written: bool
) -> None:
    machine = Lab(parse(DIRECTORY, "test")).machine("dc01")
    fields = {"ProviderName": f'"{provider}"', "ProviderType": None}
    result = _new(
        machine, _policy(f"[RequestAttributes]\nCertificateTemplate={template}\n", **fields), user="Administrator"
    )
    assert (_code(result), REQUEST in machine.files) == (code, written)
    assert (not machine.stores["REQUEST"]) is not written


def test_a_script_finds_its_own_directory_again() -> None:
    machine = _machine()
    script = (
        "$r=[IO.Path]::Combine([Environment]::GetFolderPath('LocalApplicationData'),'keep')\n"
        "[void][IO.Directory]::CreateDirectory($r+'\\b')\n"
        "[void][IO.Directory]::CreateDirectory($r+'\\A\\c')\n"
        "foreach($p in [IO.Directory]::GetDirectories($r)){$p; [IO.Path]::GetFileName($p)}\n"
    )
    lines = run_script(machine, script, b"", "admin").stdout.decode().splitlines()
    root = r"C:\Users\admin\AppData\Local\keep"
    assert lines == [rf"{root}\A", "A", rf"{root}\b", "b"]
