# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certutil -importPFX`` and ``-exportPFX``: where keys and certificates go, and what is refused."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12
from lab import pki
from lab.formats.pfx import write_pfx
from lab.formats.pfx_read import read_pfx
from lab.host import cmd
from lab.host.keys import KeyContainer
from lab.host.machine import Account, Machine
from lab.host.store import KeyReference, StoredCertificate, blob_of, without_key
from lab.powershell.errors import NotSimulated
from lab.tools import Call, Result, find_tool

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
FIRST, LAST = NOW - timedelta(days=100), NOW + timedelta(days=1000)
ROOT = pki.Authority("CN=Fabrikam Root,O=Fabrikam", pki.KeyPool(), not_before=FIRST, not_after=LAST)
ISSUED = ROOT.issue(pki.Wanted("CN=lync.fabrikam.example", FIRST, LAST))
OTHER = ROOT.issue(pki.Wanted("CN=chain.fabrikam.example", FIRST, LAST))
CURVE = ROOT.issue(pki.Wanted("CN=curve.fabrikam.example", FIRST, LAST, key="p256"))
SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
ENHANCED = "Microsoft Enhanced Cryptographic Provider v1.0"
AES = "Microsoft Enhanced RSA and AES Cryptographic Provider"
SOFTWARE = "Microsoft Software Key Storage Provider"
PLATFORM = "Microsoft Platform Crypto Provider"
FILE = r"C:\Windows\Temp\key.pfx"
ADDED = 'Certificate "lync.fabrikam.example" added to store.\r\n'
DONE = "\r\nCertUtil: -importPFX command completed successfully.\r\n"


def _stored(key: KeyReference, **properties: Any) -> StoredCertificate:
    return StoredCertificate("lync", ISSUED.thumbprint, blob_of(ISSUED, key, **properties), ISSUED, key)


def _machine(*certificates: StoredCertificate, **values: Any) -> Machine:
    accounts = {"admin": Account("x"), "reader": Account("x", administrator=False)}
    stores: dict[str, list[StoredCertificate]] = {"CA": [], "MY": list(certificates), "ROOT": [], "Aside": []}
    return Machine("FE01", domain="fabrikam.example", **{"accounts": accounts, "stores": stores, **values})


def _pfx(issued: pki.Issued = ISSUED, **values: Any) -> bytes:
    given = {"password": "once", "provider": SOFTWARE, "machine_keyset": True, "encryption": "tripledes-sha1"}
    return write_pfx(issued.key, issued.certificate, **{**given, **values})


def _import(machine: Machine, *words: str, user: str = "admin", data: bytes | None = None) -> Result:
    """An import with the password of the file; the words stand before the file, those with a ``+`` behind it."""
    machine.files.setdefault(FILE, data or _pfx())
    before, after = [word for word in words if word[0] != "+"], [word[1:] for word in words if word[0] == "+"]
    options, operands = [word for word in before if word != "Aside"], [word for word in before if word == "Aside"]
    return _certutil(machine, "-p", "once", *options, "-importPFX", *operands, FILE, *after, user=user)


def _certutil(machine: Machine, *arguments: str, user: str = "admin") -> Result:
    tool = find_tool("certutil")
    assert tool
    return tool(Call(machine, arguments, user))


def _key(machine: Machine) -> KeyContainer:
    (container,) = machine.containers
    return container


def _names(machine: Machine) -> list[tuple[str, str]]:
    return sorted((held.provider, held.name) for held in machine.containers)


def _code(result: Result) -> int:
    return result.exit_code & 0xFFFFFFFF


class TestNameOfTheContainer:
    """What PFXImportCertStore was measured to do with the friendly name of the key bag."""

    def test_the_name_in_the_file_when_it_is_free(self) -> None:
        machine = _machine()
        machine.containers.add(KeyContainer(SOFTWARE, "lync", ISSUED.key, 0))
        _import(machine, "-csp", SCHANNEL, data=_pfx(container="lync"))
        assert _names(machine) == [(SCHANNEL, "lync"), (SOFTWARE, "lync")]

    def test_a_guid_when_any_rsa_csp_has_it(self) -> None:
        machine = _machine()
        machine.containers.add(KeyContainer(ENHANCED, "lync", OTHER.key, 1))
        _import(machine, "-csp", SCHANNEL, data=_pfx(container="lync"))
        held = machine.containers.find(SCHANNEL, "lync")
        assert held is not None
        assert held.key is OTHER.key
        assert len(_names(machine)) == 2

    def test_force_overwrites_it(self) -> None:
        machine = _machine()
        machine.containers.add(KeyContainer(ENHANCED, "lync", OTHER.key, 1))
        _import(machine, "-f", "-csp", SCHANNEL, data=_pfx(container="lync"))
        assert _names(machine) == [(SCHANNEL, "lync")]


class TestImport:
    def test_a_key_goes_into_the_provider_that_is_asked_for(self) -> None:
        machine = _machine()
        result = _import(machine, "-f", "-csp", SCHANNEL.upper(), "Aside", "+AT_KEYEXCHANGE,NoExport")
        assert result == Result(ADDED + DONE)
        assert (machine.stores["MY"], machine.stores["ROOT"]) == ([], [])
        (stored,) = machine.stores["Aside"]
        key = _key(machine)
        assert machine.container_of(stored.key) is key
        assert stored.key == KeyReference(SCHANNEL, 12, 1, key.name, exportable=False)
        assert (key.machine, key.exportable, key.public_key) == (True, False, pki.public_key_der(ISSUED.certificate))
        assert stored.friendly_name is None

    @pytest.mark.parametrize(
        ("provider", "words", "expected"),
        [
            (SOFTWARE, (), (SOFTWARE, 0)),
            (None, (), (ENHANCED, 1)),
            (SCHANNEL, ("-csp", SOFTWARE), (SOFTWARE, 0)),
            (SOFTWARE, ("-csp", AES, "+at_signature"), (AES, 2)),
        ],
    )
    def test_provider_and_key_specification(
        self, provider: str | None, words: tuple[str, ...], expected: tuple[str, int]
    ) -> None:
        machine = _machine()
        assert _import(machine, *words, data=_pfx(provider=provider)).exit_code == 0
        key = _key(machine)
        assert (key.provider, key.key_spec) == expected
        assert key.exportable
        assert machine.stores["MY"][0].key is not None

    def test_each_import_has_a_container_of_its_own(self) -> None:
        machine = _machine(_stored(KeyReference(SOFTWARE, 0, 0, "te-1")))
        _import(machine, "-csp", SCHANNEL, "Aside")
        _import(machine, "-csp", SCHANNEL, "-f", "Aside")
        assert len({key.name for key in machine.containers}) == 3

    def test_what_is_in_the_store_is_replaced_by_what_the_file_holds(self) -> None:
        old = _stored(KeyReference(SOFTWARE, 0, 0, "te-1"), friendly_name="Lync")
        machine = _machine(old)
        with pytest.raises(NotSimulated, match="without -f"):
            _import(machine)
        assert machine.stores["MY"] == [old]
        assert len(list(machine.containers)) == 1
        assert _import(machine, "-f", "-csp", SCHANNEL).exit_code == 0
        (new,) = machine.stores["MY"]
        assert (new.friendly_name, new.issued) == (None, ISSUED)
        assert new.key is not None
        assert new.key.provider == SCHANNEL
        machine.files[FILE] = _pfx(friendly_name="From the file")
        _import(machine, "-f")
        assert machine.stores["MY"][0].friendly_name == "From the file"

    @pytest.mark.parametrize(("modifiers", "ca", "root"), [((), 1, 1), (("+NoRoot",), 1, 0), (("+NOCHAIN",), 0, 0)])
    def test_the_chain(self, modifiers: tuple[str, ...], ca: int, root: int) -> None:
        machine = _machine()
        data = _pfx(chain=[OTHER.certificate, ROOT.certificate.certificate])
        assert _import(machine, *modifiers, data=data).stdout.startswith(ADDED)
        assert (len(machine.stores["CA"]), len(machine.stores["ROOT"])) == (ca, root)
        _import(machine, "-f", *modifiers)
        assert (len(machine.stores["CA"]), len(machine.stores["ROOT"])) == (ca, root)

    def test_a_file_in_aes_takes_windows_10_1709(self) -> None:
        data = _pfx(encryption="aes256-sha256")
        assert _import(_machine(os_version="10.0.17763"), data=data).exit_code == 0
        assert _code(_import(_machine(os_version="10.0.14393"), data=data)) == 0x80070056

    def test_options_stand_behind_the_verb_too(self) -> None:
        machine = _machine(files={FILE: _pfx()})
        assert _certutil(machine, "-importPFX", "-f", "-p", "once", "My", FILE, "NoRoot") == Result(ADDED + DONE)


class TestRefusals:
    def _nothing_changed(self, machine: Machine) -> bool:
        return not list(machine.containers) and not any(machine.stores.values())

    def test_a_wrong_password(self) -> None:
        machine = _machine(files={FILE: _pfx()})
        result = _certutil(machine, "-p", "other", "-importPFX", FILE)
        assert _code(result) == 0x80070056
        assert result.stdout == (
            "CertUtil: -importPFX command FAILED: 0x80070056 (WIN32: 86 ERROR_INVALID_PASSWORD)\r\n"
            "CertUtil: The specified network password is not correct.\r\n"
        )
        assert self._nothing_changed(machine)

    def test_an_empty_password_is_lost_and_the_next_word_taken_for_it(self) -> None:
        machine = _machine(files={FILE: _pfx(password="My")})
        script = f"& certutil.exe '-importPFX' '-p' '' 'My' '{FILE}' 'NoRoot'"
        encoded = base64.b64encode(script.encode("utf-16-le")).decode()
        execution = cmd.execute(machine, f"powershell -EncodedCommand {encoded}", b"", "admin")
        assert execution.stdout.decode() == ADDED + DONE

    @pytest.mark.parametrize(
        ("values", "words", "user", "code"),
        [
            ({}, (), "reader", 0x80070005),
            ({"deny": frozenset({"keys"})}, (), "admin", 0x80070005),
            ({"deny": frozenset({"certutil"})}, (), "admin", 0x80070005),
            ({"disk_full": True}, ("-f",), "admin", 0x80070070),
            ({}, ("-csp", "Fabrikam Provider"), "admin", 0x80090013),
            ({"os_version": "10.0.17763"}, ("-csp", PLATFORM), "admin", 0x80090029),
            ({"os_version": "10.0.17763"}, ("-csp", PLATFORM, "+NoExport"), "admin", 0x80090027),
        ],
    )
    def test_codes(self, values: dict[str, Any], words: tuple[str, ...], user: str, code: int) -> None:
        machine = _machine(**values)
        assert _code(_import(machine, *words, user=user)) == code
        assert self._nothing_changed(machine)

    def test_a_file_that_is_not_there(self) -> None:
        assert _code(_certutil(_machine(), "-p", "x", "-importPFX", FILE)) == 0x80070002

    @pytest.mark.parametrize(
        ("words", "data"),
        [
            (("-csp", SOFTWARE, "+AT_KEYEXCHANGE"), _pfx()),
            (("-csp", SCHANNEL), _pfx(CURVE)),
            (("-csp", "Microsoft Base DSS Cryptographic Provider"), _pfx()),
            (("-csp", "Microsoft Base Smart Card Crypto Provider"), _pfx()),
            (("-csp", "KSP"), _pfx()),
            (("+NoCert",), _pfx()),
            (("+AT_KEYEXCHANGE,AT_SIGNATURE",), _pfx()),
            (("+Sign",), _pfx()),
            ((), _pfx(provider="Fabrikam Provider")),
            ((), b"no pfx"),
            (("-user",), _pfx()),
        ],
    )
    def test_what_is_not_known_of_windows(self, words: tuple[str, ...], data: bytes) -> None:
        machine = _machine()
        with pytest.raises(NotSimulated):
            _import(machine, *words, data=data)
        assert self._nothing_changed(machine)

    def test_without_a_password_it_would_ask(self) -> None:
        with pytest.raises(NotSimulated, match="asks for the password"):
            _certutil(_machine(files={FILE: _pfx()}), "-importPFX", FILE)

    def test_a_store_that_does_not_exist(self) -> None:
        machine = _machine()
        del machine.stores["Aside"]
        with pytest.raises(NotSimulated, match="does not exist"):
            _import(machine, "Aside")

    def test_a_host_that_does_otherwise_than_asked(self) -> None:
        machine = _machine(importing_provider=SOFTWARE)
        assert _import(machine, "-csp", SCHANNEL, "+AT_KEYEXCHANGE").exit_code == 0
        key, stored = _key(machine), machine.stores["MY"][0]
        assert (key.provider, key.key_spec) == (SOFTWARE, 0)
        assert stored.key is not None
        assert (stored.key.provider, stored.key.provider_type) == (SOFTWARE, 0)


class TestExport:
    def _export(self, machine: Machine, *words: str, user: str = "admin") -> Result:
        return _certutil(machine, *words, "-p", "secret", "-exportPFX", "My", ISSUED.thumbprint, FILE, user=user)

    @pytest.mark.parametrize(("provider", "kind", "spec"), [(SCHANNEL, 12, 1), (SOFTWARE, 0, 0)])
    def test_the_way_by_hand(self, provider: str, kind: int, spec: int) -> None:
        machine = _machine(_stored(KeyReference(provider, kind, spec, "te-1", exportable=True), friendly_name="Lync"))
        machine.stores["ROOT"].append(without_key("", ROOT.certificate))
        result = self._export(machine)
        assert result.stdout.startswith('My "Personal"\r\n================ Certificate 0 ================\r\n')
        assert result.stdout.endswith("\r\nCertUtil: -exportPFX command completed successfully.\r\n")
        content = read_pfx(machine.files[FILE], "secret", aes=False)
        assert content.keys[0].provider == provider
        assert [one.der for one in content.certificates] == [ISSUED.der, ROOT.certificate.der]
        key, certificate, _chain = pkcs12.load_key_and_certificates(machine.files[FILE], b"secret")
        assert key is not None
        assert certificate == ISSUED.certificate
        assert [(one.path, one.data) for one in machine.written] == [(FILE, machine.files[FILE])]
        assert _certutil(machine, "-f", "-p", "secret", "-csp", AES, "-importPFX", FILE, "NoRoot").exit_code == 0
        (stored,) = machine.stores["MY"]
        assert stored.key is not None
        assert (stored.key.provider, stored.friendly_name) == (AES, "Lync")

    def test_a_file_that_is_there_takes_f(self) -> None:
        machine = _machine(_stored(KeyReference(SCHANNEL, 12, 1, "te-1", exportable=True)), files={FILE: b"old"})
        assert _code(self._export(machine)) == 0x80070050
        assert machine.files[FILE] == b"old"
        assert self._export(machine, "-f").exit_code == 0

    @pytest.mark.parametrize(
        ("key", "user", "code", "name"),
        [
            (KeyReference(SCHANNEL, 12, 1, "te-1"), "admin", 0x8009000B, "NTE_BAD_KEY_STATE"),
            (KeyReference(SCHANNEL, 12, 1, "te-1", missing=True), "admin", 0x80090016, "NTE_BAD_KEYSET"),
            (KeyReference(SCHANNEL, 12, 1, "te-1", exportable=True), "reader", 0x80090016, "NTE_BAD_KEYSET"),
        ],
    )
    def test_refusals(self, key: KeyReference, user: str, code: int, name: str) -> None:
        machine = _machine(_stored(key))
        result = self._export(machine, user=user)
        assert _code(result) == code
        assert f"CertUtil: -exportPFX command FAILED: 0x{code:08x} ({code - (1 << 32)} {name})\r\n" in result.stdout
        assert FILE not in machine.files

    def test_one_that_is_not_there(self) -> None:
        assert _code(self._export(_machine())) == 0x80090011
