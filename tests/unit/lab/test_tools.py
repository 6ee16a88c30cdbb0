# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The native tools against the shape of real output."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import pytest
from lab import pki
from lab.host import cmd
from lab.host.machine import Account, Machine
from lab.host.store import KeyReference, StoredCertificate, blob_of, damaged
from lab.tools import Call, Result, find_tool

FIRST, LAST = datetime(2026, 5, 22, 17, 45, tzinfo=timezone.utc), datetime(2027, 4, 25, 7, 36, tzinfo=timezone.utc)
POOL = pki.KeyPool()
AUTHORITY = pki.Authority("CN=Fabrikam CA,DC=fabrikam,DC=example", POOL, not_before=FIRST, not_after=LAST)
KEY = r"HKLM\SOFTWARE\Microsoft\SystemCertificates\My\Certificates"


def _stored(
    name: str, key: KeyReference | None, template: pki.Template | None = None, **values: Any
) -> StoredCertificate:
    wanted = pki.Wanted(f"CN={name}.fabrikam.example", FIRST, LAST, template=template)
    issued = AUTHORITY.issue(wanted)
    return StoredCertificate(name, issued.thumbprint, blob_of(issued, key), issued, key, template, **values)


SCHANNEL = _stored(
    "schannel",
    KeyReference("Microsoft RSA SChannel Cryptographic Provider", 12, 1, "te-Web-1"),
    pki.Template("WebServer"),
)
CNG = _stored(
    "cng",
    KeyReference("Microsoft Software Key Storage Provider", 0, 2, "te-Web-2", exportable=True),
    pki.Template("Web2", "Web Two", "1.3.6.1.4.1.311.21.8.1"),
)
CARD = _stored("card", KeyReference("Microsoft Base Smart Card Crypto Provider", 1, 1, "15bd7cfb", 0), archived=True)
GONE = _stored("gone", KeyReference("Microsoft Strong Cryptographic Provider", 1, 1, "lost", missing=True))
BARE = _stored("bare", None)


def _machine(**values: Any) -> Machine:
    accounts = {"admin": Account("x"), "reader": Account("x", administrator=False)}
    fields: dict[str, Any] = {
        "stores": {"MY": [SCHANNEL, CNG, CARD, GONE, BARE], "ROOT": []},
        "accounts": accounts,
        **values,
    }
    return Machine("SRV01", domain="fabrikam.example", **fields)


def _call(tool: str, *arguments: str, machine: Machine | None = None, user: str = "admin") -> Result:
    found = find_tool(tool)
    assert found
    return found(Call(machine or _machine(), arguments, user))


def _blocks(output: str) -> list[list[str]]:
    return [block.strip().split("\r\n") for block in re.split(r"=+ \S+ \d+ =+\r\n", output)[1:]]


def test_tools_have_many_names() -> None:
    for name in ("reg", "REG.exe", r"C:\Windows\System32\reg.exe", r"%SystemRoot%\System32\reg.exe"):
        assert find_tool(name) is find_tool("reg")
    assert find_tool(r"C:\Temp\reg.exe") is None


class TestReg:
    def test_a_store_is_one_block_a_certificate(self) -> None:
        result = _call("reg", "query", KEY, "/s")
        blocks = result.stdout.split("\r\n\r\n")
        assert result.stdout.startswith(
            "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SystemCertificates\\My\\Certificates\\"
        )
        assert blocks[-1] == ""
        assert len(blocks) == 6
        assert f"    Blob    REG_BINARY    {CNG.blob.hex().upper()}" in result.stdout
        assert result.stdout.isascii()

    def test_the_key_is_repeated_as_typed_and_found_in_any_case(self) -> None:
        result = _call("reg", "query", KEY.lower())
        assert result.stdout.startswith(
            "\r\nHKEY_LOCAL_MACHINE\\software\\microsoft\\systemcertificates\\my\\certificates\\"
        )

    def test_subkeys_are_listed_by_name(self) -> None:
        result = _call("reg", "query", r"HKLM\SOFTWARE\Microsoft\SystemCertificates")
        root = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates"
        assert result.stdout == f"\r\n{root}\\MY\r\n{root}\\ROOT\r\n"

    def test_one_value(self) -> None:
        result = _call("reg", "query", f"{KEY}\\{CNG.key_name}", "/v", "blob")
        assert result.stdout.split("\r\n")[2] == f"    Blob    REG_BINARY    {CNG.blob.hex().upper()}"
        assert _call("reg", "query", f"{KEY}\\{CNG.key_name}", "/v", "other").exit_code == 1

    @pytest.mark.parametrize(
        ("language", "missing", "denied"),
        [
            (
                "en",
                "ERROR: The system was unable to find the specified registry key or value.",
                "ERROR: Access is denied.",
            ),
            (
                "de",
                "FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden.",
                "FEHLER: Zugriff verweigert",
            ),
            (
                "ja",
                "エラー: 指定されたレジストリ キーまたは値が見つかりませんでした",
                "エラー: アクセスが拒否されました。",
            ),
        ],
    )
    def test_failure_is_exit_code_1_and_a_localized_line(self, language: str, missing: str, denied: str) -> None:
        key = r"HKLM\SOFTWARE\Microsoft\SystemCertificates\Nowhere\Certificates"
        assert _call("reg", "query", key, "/s", machine=_machine(language=language)) == Result("", missing + "\r\n", 1)
        refusing = _machine(language=language, deny=frozenset({"registry"}))
        assert _call("reg", "query", KEY, "/s", machine=refusing) == Result("", denied + "\r\n", 1)

    def test_everybody_may_read(self) -> None:
        assert _call("reg", "query", KEY, "/s", user="reader") == _call("reg", "query", KEY, "/s")

    def test_an_empty_store_prints_nothing(self) -> None:
        assert _call("reg", "query", KEY.replace("My", "Root"), "/s") == Result()


class TestCertutilStore:
    def test_a_csp_key_shows_its_file_first_and_a_cng_key_its_name(self) -> None:
        output = _call("certutil", "-store", "My").stdout
        schannel, cng, *_others = _blocks(output)
        assert output.startswith('My "Personal"\r\n================ Certificate 0 ================\r\n')
        assert re.fullmatch(r"  Key Container = [0-9a-f]{32}_[0-9a-f-]{36}", schannel[-5])
        assert schannel[-4:] == [
            "  Simple container name: te-Web-1",
            "  Provider = Microsoft RSA SChannel Cryptographic Provider",
            "Private key is NOT exportable",
            "Encryption test passed",
        ]
        assert cng[-4] == "  Key Container = te-Web-2"
        assert re.fullmatch(r"  Unique container name: [0-9a-f]{32}_[0-9a-f-]{36}", cng[-3])
        assert cng[-1] == "Signature test passed", "key spec 2, exportable"

    def test_the_lines_of_a_certificate(self) -> None:
        schannel, cng, card, gone, bare = _blocks(_call("certutil", "-store", "My").stdout)
        assert SCHANNEL.issued
        assert schannel[:8] == [
            f"Serial Number: {SCHANNEL.issued.certificate.serial_number:x}",
            "Issuer: CN=Fabrikam CA, DC=fabrikam, DC=example",
            " NotBefore: 5/22/2026 5:45 PM",
            " NotAfter: 4/25/2027 7:36 AM",
            "Subject: CN=schannel.fabrikam.example",
            "Certificate Template Name (Certificate Type): WebServer",
            "Non-root Certificate",
            "Template: WebServer",
        ]
        assert schannel[8] == f"Cert Hash(sha1): {SCHANNEL.issued.thumbprint.lower()}"
        assert "Template: Web2, Web Two" in cng
        assert card[0] == "Archived!"
        assert not any("container name" in line for line in card), "a smart card key is in no file"
        assert gone[-1] == "Missing stored keyset"
        assert bare[-3:] == [
            "No key provider information",
            "Cannot find the certificate and private key for decryption.",
            "CertUtil: -store command completed successfully.",
        ]

    def test_a_plain_user_cannot_open_any_key_and_still_ends_with_0(self) -> None:
        result = _call("certutil", "-store", "My", user="reader")
        assert result.exit_code == 0
        assert result.stdout.count("Missing stored keyset") == 4
        assert "Simple container name" not in result.stdout

    def test_one_certificate_by_thumbprint_serial_or_index(self) -> None:
        assert CNG.issued
        for name in (CNG.issued.thumbprint, f"{CNG.issued.certificate.serial_number:x}", "1"):
            (block,) = _blocks(_call("certutil", "-store", "My", name).stdout)
            assert "Subject: CN=cng.fabrikam.example" in block

    def test_failures_carry_the_hresult(self) -> None:
        absent = _call("certutil", "-store", "My", "00" * 20)
        assert absent.exit_code & 0xFFFFFFFF == 0x80090011
        assert absent.stdout == (
            'My "Personal"\r\nCertUtil: -store command FAILED: 0x80090011 (-2146893807 NTE_NOT_FOUND)\r\n'
            "CertUtil: Object was not found.\r\n"
        )
        nowhere = _call("certutil", "-store", "Nowhere")
        assert nowhere.exit_code == -2147024894
        assert nowhere.stdout.startswith("CertUtil: -store command FAILED: 0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)")

    def test_german(self) -> None:
        output = _call("certutil", "-store", "My", machine=_machine(language="de", utc_offset=2)).stdout
        _first, cng, *_others = _blocks(output)
        assert output.startswith(
            'My "Eigene Zertifikate"\r\n================ Zertifikat 0 ================\r\nSeriennummer: '
        )
        assert " Nicht vor: 22.05.2026 19:45" in cng
        assert "  Schlüsselcontainer = te-Web-2" in cng
        assert "  Anbieter = Microsoft Software Key Storage Provider" in cng
        assert output.endswith("CertUtil: -store-Befehl wurde erfolgreich ausgeführt.\r\n")

    def test_french_has_no_break_spaces(self) -> None:
        output = _call("certutil", "-store", "My", machine=_machine(language="fr")).stdout
        assert "Hach. cert. (sha1)\u00a0: " in output
        assert "  Conteneur de clé\u00a0= te-Web-2" in output

    def test_old_releases_print_hashes_in_pairs(self) -> None:
        assert CNG.issued
        spaced = bytes.fromhex(CNG.issued.thumbprint).hex(" ")
        assert (
            f"Cert Hash(sha1): {spaced}\r\n"
            in _call("certutil", "-store", "My", machine=_machine(os_version="6.1.7601")).stdout
        )

    def test_the_long_form_tells_type_flags_and_key_spec(self) -> None:
        new = _call("certutil", "-v", "-store", "My", "0").stdout
        assert "    ProviderType = c\r\n    Flags = 20 (32)\r\n      CRYPT_MACHINE_KEYSET -- 20 (32)\r\n" in new
        assert "    KeySpec = 1 -- AT_KEYEXCHANGE\r\n" in new
        assert new.count("  Provider = Microsoft RSA SChannel") == 2
        old = _call("certutil", "-v", "-store", "My", "0", machine=_machine(os_version="6.1.7601")).stdout
        assert "    Flags = 20\r\n    KeySpec = 1\r\n" in old

    def test_a_blob_that_cannot_be_read_is_not_listed(self) -> None:
        broken = StoredCertificate("broken", "AA", damaged(CNG.blob, "truncated"), None)
        machine = _machine(stores={"MY": [broken, BARE]})
        assert len(_blocks(_call("certutil", "-store", "My", machine=machine).stdout)) == 1
        assert "\\AA\r\n" in _call("reg", "query", KEY, "/s", machine=machine).stdout


def test_csplist_depends_on_the_release() -> None:
    new = _call("certutil", "-csplist", machine=_machine(os_version="10.0.17763")).stdout
    old = _call("certutil", "-csplist", machine=_machine(os_version="6.1.7601")).stdout
    assert (
        "Provider Name: Microsoft RSA SChannel Cryptographic Provider\r\nProvider Type: 12 - PROV_RSA_SCHANNEL\r\n\r\n"
        in new
    )
    assert "Microsoft Platform Crypto Provider" in new
    assert "Microsoft Platform Crypto Provider" not in old


def test_whoami_and_hostname() -> None:
    assert _call("hostname").stdout == "SRV01\r\n"
    assert _call("whoami").stdout == "fabrikam\\admin\r\n"
    groups = _call("whoami", "/groups", "/fo", "csv", "/nh").stdout
    assert groups.startswith(
        '"Everyone","Well-known group","S-1-1-0","Mandatory group, Enabled by default, Enabled group"\r\n'
    )
    assert '"S-1-5-32-544"' in groups
    assert '"S-1-5-32-544"' not in _call("whoami", "/groups", "/fo", "csv", user="reader").stdout
    assert re.search(r'"S-1-5-21-[\d-]+"\r\n$', _call("whoami", "/user", "/fo", "csv", "/nh").stdout)


class TestConsole:
    def test_output_is_utf_8_because_winrs_clients_choose_it(self) -> None:
        output = cmd.execute(_machine(language="de"), "certutil -store My", b"", "admin").stdout
        assert "Schlüsselcontainer" in output.decode("utf-8")

    def test_an_oem_console_damages_umlauts(self) -> None:
        output = cmd.execute(_machine(language="de", oem_console=True), "certutil -store My", b"", "admin").stdout
        assert "Schl\ufffdsselcontainer" in output.decode("utf-8", "replace")
        assert "Schlüsselcontainer" in output.decode("cp850")

    def test_plain_commands(self) -> None:
        machine = _machine(files={r"C:\x.txt": b"text\r\n"})
        assert cmd.execute(machine, r"type C:\x.txt", b"", "admin").stdout == b"text\r\n"
        assert cmd.execute(machine, r"type C:\y.txt", b"", "admin").exit_code == 1
        unknown = cmd.execute(machine, "nosuch thing", b"", "admin")
        assert unknown.stderr.startswith(b"'nosuch' is not recognized as an internal or external command,\r\n")
        assert cmd.execute(machine, "hostname & hostname", b"", "admin").exit_code == 250
