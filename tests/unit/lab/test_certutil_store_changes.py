# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of certutil that change stores and keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lab import pki
from lab.host.machine import Account, Machine
from lab.host.store import KeyReference, StoredCertificate, blob_of
from lab.powershell.errors import NotSimulated
from lab.tools import Call, Result, find_tool

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
FIRST, LAST = NOW - timedelta(days=100), NOW + timedelta(days=1000)
AUTHORITY = pki.Authority("CN=Fabrikam CA,O=Fabrikam", pki.KeyPool(), not_before=FIRST, not_after=LAST)
SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SOFTWARE = "Microsoft Software Key Storage Provider"
INF = r"C:\Windows\Temp\p.inf"


def _stored(name: str, key: KeyReference | None) -> StoredCertificate:
    issued = AUTHORITY.issue(pki.Wanted(f"CN={name}.fabrikam.example", FIRST, LAST))
    return StoredCertificate(name, issued.thumbprint, blob_of(issued, key, friendly_name=name), issued, key)


ONE = _stored("one", KeyReference(SCHANNEL, 12, 1, "te-1"))
TWO = _stored("two", KeyReference(SOFTWARE, 0, 0, "te-2"))


def _thumbprint(stored: StoredCertificate) -> str:
    assert stored.issued
    return stored.issued.thumbprint


def _machine(**values: Any) -> Machine:
    accounts = {"admin": Account("x"), "reader": Account("x", administrator=False)}
    stores: dict[str, list[StoredCertificate]] = {"CA": [], "MY": [ONE, TWO], "REQUEST": [], "ROOT": []}
    return Machine("FE01", domain="fabrikam.example", **{"accounts": accounts, "stores": stores, **values})


def _certutil(machine: Machine, *arguments: str, user: str = "admin") -> Result:
    tool = find_tool("certutil")
    assert tool
    return tool(Call(machine, arguments, user))


def _code(result: Result) -> int:
    return result.exit_code & 0xFFFFFFFF


class TestDelstore:
    def test_the_certificate_goes_and_the_key_stays(self) -> None:
        machine = _machine()
        result = _certutil(machine, "-delstore", "my", _thumbprint(ONE))
        assert result == Result(
            'my "Personal"\r\n'
            f"Deleting Certificate 0: CN=one.fabrikam.example:{_thumbprint(ONE).lower()}\r\n"
            "CertUtil: -delstore command completed successfully.\r\n"
        )
        assert machine.stores["MY"] == [TWO]
        assert machine.container_of(ONE.key) is not None

    def test_one_that_is_not_there_is_no_failure(self) -> None:
        machine = _machine()
        result = _certutil(machine, "-delstore", "Root", "00" * 20)
        assert result == Result(
            'Root "Trusted Root Certification Authorities"\r\nCertUtil: -delstore command completed successfully.\r\n'
        )

    def test_a_name_of_several_is_not_known(self) -> None:
        with pytest.raises(NotSimulated):
            _certutil(_machine(), "-delstore", "My", "fabrikam.example")


class TestDelkey:
    def test_the_container_goes(self) -> None:
        machine = _machine()
        result = _certutil(machine, "-csp", SCHANNEL, "-delkey", "te-1")
        assert result == Result("  te-1\r\nCertUtil: -delkey command completed successfully.\r\n")
        assert machine.container_of(ONE.key) is None
        assert machine.container_of(TWO.key) is not None
        listing = _certutil(machine, "-store", "My", _thumbprint(ONE)).stdout
        assert f"  Provider = {SCHANNEL}\r\nMissing stored keyset\r\n" in listing

    @pytest.mark.parametrize(("provider", "name"), [(SCHANNEL, "te-2"), (SOFTWARE, "te-1"), (SCHANNEL, "none")])
    def test_one_that_is_not_there(self, provider: str, name: str) -> None:
        result = _certutil(_machine(), "-delkey", "-csp", provider, name)
        assert _code(result) == 0x80090016
        assert result.stdout == (
            "CertUtil: -delkey command FAILED: 0x80090016 (-2146893802 NTE_BAD_KEYSET)\r\n"
            "CertUtil: Keyset does not exist\r\n"
        )


class TestRepairstore:
    def _repair(self, machine: Machine, lines: str, *options: str, user: str = "admin") -> Result:
        machine.files[INF] = f"[Properties]\r\n{lines}\r\n".encode()
        return _certutil(machine, "-f", *options, "-repairstore", "My", _thumbprint(ONE), INF, user=user)

    def test_properties_are_set_and_removed(self) -> None:
        machine = _machine()
        result = self._repair(machine, '11 = "{text}Lync, 2026"\r\n19 = Empty\r\n127 = "{hex}"\r\n_continue_ = "00 ff"')
        assert result.exit_code == 0
        assert "Archived!\r\n" in result.stdout
        assert result.stdout.endswith("CertUtil: -repairstore command completed successfully.\r\n")
        changed = machine.stores["MY"][0]
        assert (changed.friendly_name, changed.archived, changed.value_of(127)) == ("Lync, 2026", True, b"\x00\xff")
        assert machine.stores["MY"][1] == TWO
        self._repair(machine, "19 =\r\n127 =")
        assert machine.stores["MY"][0] == ONE.changed(11, changed.value_of(11))

    def test_property_2_names_a_key(self) -> None:
        machine = _machine()
        fields = ("Container=te-9&", f"Provider={SOFTWARE}&", "ProviderType=0&", "Flags=32&", "KeySpec=0")
        self._repair(machine, '2 = "{text}"\r\n' + "".join(f'_continue_ = "{field}"\r\n' for field in fields))
        assert machine.stores["MY"][0].key == KeyReference(SOFTWARE, 0, 0, "te-9")
        assert "Missing stored keyset" in _certutil(machine, "-store", "My", "0").stdout

    @pytest.mark.parametrize("flags", ["32", "0x20"])
    def test_property_2_in_a_store_of_any_name(self, flags: str) -> None:
        stores = {"MY": [ONE], "KeyProviderFormer": [ONE, TWO]}
        fields = ("Container=te=9 {x}&", f"Provider={SOFTWARE}&", "ProviderType=0&", f"Flags={flags}&", "KeySpec=0")
        lines = '[Properties]\r\n2 = "{text}"\r\n' + "".join(f'_continue_ = "{field}"\r\n' for field in fields)
        machine = _machine(stores=stores, files={INF: lines.encode("utf-16")})
        words = ("-f", "-silent", "-repairstore", "KeyProviderFormer", _thumbprint(ONE), INF)
        result = _certutil(machine, *words)
        assert result.exit_code == 0
        assert result.stdout.startswith("================ Certificate 0 ================\r\n")
        new = KeyReference(SOFTWARE, 0, 0, "te=9 {x}")
        assert machine.stores == {"MY": [ONE], "KeyProviderFormer": [ONE.with_key(new), TWO]}
        held = machine.stores["KeyProviderFormer"][0]
        assert held.blob == ONE.changed(2, new.property_value()).blob

    def test_a_host_that_passes_over_property_2(self) -> None:
        machine = _machine(repair_ignores_key=True)
        assert self._repair(machine, '2 = "{text}Container=te-9"\r\n11 = "{text}new"').exit_code == 0
        assert machine.stores["MY"][0] == ONE.changed(11, "new\0".encode("utf-16-le"))

    def test_a_key_in_several_containers(self) -> None:
        machine = _machine()
        held = machine.container_of(ONE.key)
        assert held
        machine.containers.add(replace(held, provider=SOFTWARE, name="copy"))
        with pytest.raises(NotSimulated, match="several"):
            _certutil(machine, "-repairstore", "My", _thumbprint(ONE))
        assert _certutil(machine, "-csp", SOFTWARE, "-repairstore", "My", _thumbprint(ONE)).exit_code == 0
        key = machine.stores["MY"][0].key
        assert key
        assert (key.provider, key.container) == (SOFTWARE, "copy")

    def test_without_a_file_the_key_is_found_by_the_public_key(self) -> None:
        machine = _machine()
        machine.stores["MY"][0] = ONE.with_key(None)
        assert "No key provider information" in _certutil(machine, "-store", "My", "0").stdout
        result = _certutil(machine, "-repairstore", "My", _thumbprint(ONE))
        assert "Encryption test passed" in result.stdout
        assert machine.stores["MY"][0].key == ONE.key

    def test_failures(self) -> None:
        machine = _machine()
        assert _code(_certutil(machine, "-repairstore", "My", "00" * 20, INF)) == 0x80090011
        assert _code(_certutil(machine, "-repairstore", "My", "0", r"C:\no.inf")) == 0x80070002
        assert _code(self._repair(machine, "[Other]")) == 0xE0000102
        assert machine.stores["MY"] == [ONE, TWO]


class TestAddstore:
    ROOT = AUTHORITY.certificate

    def test_a_root_is_added_once(self) -> None:
        machine = _machine(files={r"C:\root.cer": self.ROOT.certificate.public_bytes(Encoding.PEM)})
        head = 'Root "Trusted Root Certification Authorities"\r\nSignature matches Public Key\r\n'
        foot = "CertUtil: -addstore command completed successfully.\r\n"
        for verdict in ("added to", "already in"):
            result = _certutil(machine, "-addstore", "Root", r"C:\root.cer")
            assert result == Result(f'{head}Certificate "Fabrikam CA" {verdict} store.\r\n{foot}')
        (stored,) = machine.stores["ROOT"]
        assert stored.issued
        assert (stored.issued.der, stored.key_name, stored.key) == (self.ROOT.der, self.ROOT.thumbprint, None)

    def test_a_store_is_made_with_f_alone(self) -> None:
        machine = _machine(files={r"C:\root.cer": self.ROOT.der})
        result = _certutil(machine, "-addstore", "NTDS", r"C:\root.cer")
        assert _code(result) == 0x80070002
        assert result.stdout.startswith(
            "Cannot open existing Cert store.  Use -f option to force Cert store creation.\r\n"
            "CertUtil: -addstore command FAILED: 0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)\r\n"
        )
        assert _code(_certutil(machine, "-f", "-addstore", "NTDS", r"C:\root.cer", user="reader")) == 0x80070005
        assert "NTDS" not in machine.stores
        assert _certutil(machine, "-f", "-addstore", "NTDS", r"C:\root.cer").exit_code == 0
        assert len(machine.stores["NTDS"]) == 1

    def test_what_is_no_certificate(self) -> None:
        machine = _machine(files={r"C:\a.cer": b"x y"})
        assert _code(_certutil(machine, "-addstore", "Root", r"C:\a.cer")) == 0x8009310B
        assert _code(_certutil(machine, "-addstore", "Root", r"C:\b.cer")) == 0x80070002


class TestPrivateStores:
    """Stores of any name are listed, emptied and deleted as those of Windows are."""

    KEY = "HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\KeyProviderStaged"

    def _machine(self, **values: Any) -> Machine:
        return _machine(stores={"MY": [ONE], "KeyProviderStaged": [ONE]}, **values)

    def _reg(self, machine: Machine, *words: str, user: str = "admin") -> Result:
        tool = find_tool("reg.exe")
        assert tool
        return tool(Call(machine, words, user))

    def test_they_have_no_header(self) -> None:
        machine = self._machine()
        listing = _certutil(machine, "-store", "keyproviderstaged").stdout
        assert listing.startswith("================ Certificate 0 ================\r\n")
        result = _certutil(machine, "-delstore", "KeyProviderStaged", _thumbprint(ONE))
        assert result.stdout.startswith("Deleting Certificate 0: ")
        assert machine.stores == {"MY": [ONE], "KeyProviderStaged": []}
        assert machine.container_of(ONE.key) is not None
        assert _certutil(machine, "-csp", SCHANNEL, "-delkey", "te-1").exit_code == 0
        assert _code(_certutil(machine, "-delstore", "KeyProviderFormer", _thumbprint(ONE))) == 0x80070002

    def test_reg_deletes_one_whole(self) -> None:
        machine = self._machine()
        assert self._reg(machine, "query", f"{self.KEY}\\Certificates", "/s").exit_code == 0
        assert self._reg(machine, "DELETE", self.KEY.upper(), "/f") == Result(
            "The operation completed successfully.\r\n"
        )
        assert machine.stores == {"MY": [ONE]}
        missing = "ERROR: The system was unable to find the specified registry key or value.\r\n"
        for words in (("query", self.KEY), ("delete", self.KEY, "/f")):
            assert self._reg(machine, *words) == Result(stderr=missing, exit_code=1)

    @pytest.mark.parametrize(
        ("values", "user", "said"),
        [
            ({}, "reader", "ERROR: Access is denied.\r\n"),
            ({"language": "de"}, "reader", "FEHLER: Zugriff verweigert\r\n"),
            ({"deny": frozenset({"registry"})}, "admin", "ERROR: Access is denied.\r\n"),
        ],
    )
    def test_reg_delete_takes_an_administrator(self, values: dict[str, Any], user: str, said: str) -> None:
        machine = self._machine(**values)
        assert self._reg(machine, "delete", self.KEY, "/f", user=user) == Result(stderr=said, exit_code=1)
        assert machine.stores["KeyProviderStaged"] == [ONE]

    @pytest.mark.parametrize(
        "words", [(KEY,), (KEY, "/va", "/f"), (f"{KEY}\\Certificates", "/f"), ("HKLM\\SOFTWARE", "/f"), ()]
    )
    def test_what_else_reg_deletes_is_not_simulated(self, words: tuple[str, ...]) -> None:
        machine = self._machine()
        with pytest.raises(NotSimulated):
            self._reg(machine, "delete", *words)
        assert machine.stores["KeyProviderStaged"] == [ONE]


@pytest.mark.parametrize(
    "arguments",
    [
        ["-delstore", "My", "0"],
        ["-addstore", "Root", r"C:\root.cer"],
        ["-repairstore", "My", "0"],
        ["-csp", SCHANNEL, "-delkey", "te-1"],
    ],
)
def test_changes_take_an_administrator(arguments: list[str]) -> None:
    machine = _machine()
    result = _certutil(machine, *arguments, user="reader")
    assert _code(result) == 0x80070005
    assert "FAILED: 0x80070005 (WIN32: 5 ERROR_ACCESS_DENIED)\r\nCertUtil: Access is denied.\r\n" in result.stdout
    assert machine.stores["MY"] == [ONE, TWO]
    assert len(list(machine.containers)) == 2


@pytest.mark.parametrize("arguments", [["-addstore", "CA", r"C:\a.cer"], ["-repairstore", "My", "0", INF]])
def test_a_full_disk(arguments: list[str]) -> None:
    der = TestAddstore.ROOT.der
    machine = _machine(files={r"C:\a.cer": der, INF: b"[Properties]\r\n19=Empty\r\n"}, disk_full=True)
    assert _code(_certutil(machine, *arguments)) == 0x80070070
    assert (machine.stores["MY"], machine.stores["CA"]) == ([ONE, TWO], [])


def test_the_list_of_keys_is_known_when_it_is_empty() -> None:
    machine = _machine()
    assert _certutil(machine, "-csp", "Microsoft Strong Cryptographic Provider", "-key") == Result(
        "CertUtil: -key command completed successfully.\r\n"
    )
    with pytest.raises(NotSimulated):
        _certutil(machine, "-csp", SCHANNEL, "-key")
