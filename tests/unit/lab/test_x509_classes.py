# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of .NET in the interpreter: what scripts read, prove, export and import, and what Windows refuses."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from lab import pki
from lab.formats.pfx import write_pfx
from lab.formats.pfx_read import NoPfx, WrongPassword, read_pfx
from lab.host import cmd
from lab.host.machine import Account, Machine
from lab.host.store import KeyReference, StoredCertificate, blob_of
from lab.wire.host import Execution

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc)
CALL = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
AES = "Microsoft Enhanced RSA and AES Cryptographic Provider"
KSP = "Microsoft Software Key Storage Provider"
ENHANCED = "Microsoft Enhanced Cryptographic Provider v1.0"
POOL = pki.KeyPool()
SPACE = "Security.Cryptography.X509Certificates"


def _stored(name: str, provider: str, kind: int, **key: Any) -> StoredCertificate:
    wanted = pki.Wanted(f"CN={name}.contoso.example", NOW - timedelta(days=1), NOW + timedelta(days=9))
    issued = pki.self_signed(wanted, POOL)
    reference = KeyReference(provider, kind, 1 if kind else 0, f"te-{name}", **key)
    blob = blob_of(issued, reference, friendly_name=f"Friend {name}")
    return StoredCertificate(name, issued.thumbprint, blob, issued, reference)


def _machine(*certificates: StoredCertificate, **values: Any) -> Machine:
    accounts = {"Administrator": Account("x"), "reader": Account("x", administrator=False)}
    stores = {"MY": list(certificates), "ROOT": []}
    return Machine("FE01", accounts=accounts, clock=NOW, stores=stores, **{"powershell": "2.0", **values})


def _run(script: str, machine: Machine, stdin: bytes = b"", user: str = "Administrator") -> Execution:
    return cmd.execute(machine, CALL + base64.b64encode(script.encode("utf-16-le")).decode(), stdin, user)


def _out(script: str, machine: Machine, stdin: bytes = b"", user: str = "Administrator") -> list[str]:
    execution = _run(script, machine, stdin, user)
    assert (execution.stderr, execution.exit_code) == (b"", 0)
    return execution.stdout.decode().splitlines()


def _opened(thumbprint: str, flags: str = "ReadOnly") -> str:
    return (
        f"$s=New-Object {SPACE}.X509Store('My','LocalMachine');$s.Open('{flags}');"
        f"$c=$s.Certificates.Find('FindByThumbprint','{thumbprint}',$false)[0];"
    )


def _thumbprint(stored: StoredCertificate) -> str:
    assert stored.issued
    return stored.issued.thumbprint


class TestStore:
    good = _stored("good", SCHANNEL, 12)

    @pytest.mark.parametrize(
        "construction",
        [
            f"New-Object {SPACE}.X509Store('My','LocalMachine')",
            f"New-Object -TypeName System.{SPACE}.X509Store -ArgumentList 'My','LocalMachine'",
            f"New-Object {SPACE}.X509Store 'My',([{SPACE}.StoreLocation]::LocalMachine)",
        ],
    )
    def test_what_a_certificate_tells(self, construction: str) -> None:
        script = (
            f"$s={construction};$s.Open('ReadOnly');$c=@($s.Certificates);$c.Count;$c[0].Thumbprint;$c[0].Subject;"
            "$c[0].FriendlyName;$c[0].HasPrivateKey;[Convert]::ToBase64String($c[0].RawData);$s.Close()"
        )
        assert self.good.issued
        assert _out(script, _machine(self.good)) == [
            "1",
            self.good.issued.thumbprint,
            "CN=good.contoso.example",
            "Friend good",
            "True",
            base64.b64encode(self.good.issued.der).decode(),
        ]

    def test_find_takes_any_case_and_finds_nothing_else(self) -> None:
        machine = _machine(self.good)
        script = (
            _opened("00" * 20)
            + f"$s.Certificates.Find('FindByThumbprint','{_thumbprint(self.good).lower()}',$false).Count"
        )
        assert _out(script.replace("[0]", ""), machine) == ["1"]

    def test_a_closed_store_shows_nothing(self) -> None:
        script = f"$s=New-Object {SPACE}.X509Store('My','LocalMachine');@($s.Certificates).Count"
        assert _out(script, _machine(self.good)) == ["0"]

    def test_archived_certificates_are_shown_on_request(self) -> None:
        machine = _machine(self.good.changed(19, b""))
        count = f"$s=New-Object {SPACE}.X509Store('My','LocalMachine');$s.Open('{{}}');$s.Certificates.Count"
        assert _out(count.format("ReadOnly"), machine) == ["0"]
        assert _out(count.format("ReadOnly, IncludeArchived"), machine) == ["1"]

    def test_remove_leaves_the_key(self) -> None:
        machine = _machine(self.good)
        assert _out(_opened(_thumbprint(self.good), "ReadWrite") + "$s.Remove($c)", machine) == []
        assert machine.stores["MY"] == []
        assert len(list(machine.containers)) == 1

    def test_open_makes_a_store_that_does_not_exist(self) -> None:
        machine = _machine(self.good)
        script = _opened(_thumbprint(self.good)) + (
            f"$n=New-Object {SPACE}.X509Store('KeyProviderFormer','LocalMachine');$n.Open('ReadWrite');$n.Add($c);"
            "$n.Certificates.Count;$n.Close()"
        )
        assert _out(script, machine) == ["1"]
        assert machine.stores == {"MY": [self.good], "ROOT": [], "KeyProviderFormer": [self.good]}

    def test_a_store_that_does_not_exist_is_empty_and_stays_away(self) -> None:
        machine = _machine()
        opened = "$n=New-Object %s.X509Store('KeyProviderFormer','LocalMachine');$n.Open('%s');$n.Certificates.Count"
        caught = "try{%s}catch{$_.Exception.InnerException.Message.Trim()}"
        assert _out(opened % (SPACE, "ReadOnly,IncludeArchived"), machine) == ["0"]
        gone = "The system cannot find the file specified."
        assert _out(caught % (opened % (SPACE, "ReadWrite,OpenExistingOnly")), machine) == [gone]
        denied = "Access is denied."
        assert _out(caught % (opened % (SPACE, "ReadWrite")), machine, user="reader") == [denied]
        assert _run(opened % (SPACE, "MaxAllowed"), machine).exit_code == 250
        assert "KeyProviderFormer" not in machine.stores

    def test_writing_needs_a_store_for_writing_and_an_administrator(self) -> None:
        machine = _machine(self.good)
        caught = "try{%s}catch{$_.Exception.InnerException.Message.Trim()}"
        remove = _opened(_thumbprint(self.good)) + "$s.Remove($c)"
        assert _out(caught % remove, machine) == ["Access is denied."]
        assert _out(caught % _opened("0", "ReadWrite"), machine, user="reader") == ["Access is denied."]
        assert len(machine.stores["MY"]) == 1


class TestPrivateKey:
    good = _stored("good", SCHANNEL, 12, exportable=True)
    cng = _stored("cng", KSP, 0)
    gone = _stored("gone", SCHANNEL, 12, missing=True)
    aes = _stored("aes", AES, 24)

    def test_it_signs(self) -> None:
        script = _opened(_thumbprint(self.good)) + (
            "[Convert]::ToBase64String($c.PrivateKey.SignData([byte[]](1,2,3),'SHA1'));"
            "$i=$c.PrivateKey.CspKeyContainerInfo;$i.ProviderName;$i.ProviderType;[string]$i.KeyNumber;[int]$i.KeyNumber;"
            "$i.KeyContainerName;$i.MachineKeyStore;$i.Exportable;$i.UniqueKeyContainerName -like '*_*'"
        )
        signature, *told = _out(script, _machine(self.good))
        assert told == [SCHANNEL, "12", "Exchange", "1", "te-good", "True", "True", "True"]
        assert self.good.issued
        public = self.good.issued.certificate.public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        public.verify(base64.b64decode(signature), b"\1\2\3", padding.PKCS1v15(), hashes.SHA1())

    def test_sha2_needs_the_provider_of_type_24(self) -> None:
        script = "$c.PrivateKey.SignData([byte[]](1,2),'SHA256').Count"
        assert _out(_opened(_thumbprint(self.aes)) + script, _machine(self.aes)) == ["256"]
        strong = _stored("strong", "Microsoft Strong Cryptographic Provider", 1)
        refused = "try{" + _opened(_thumbprint(strong)) + script + "}catch{$_.Exception.InnerException.Message.Trim()}"
        assert _out(refused, _machine(strong)) == ["Invalid algorithm specified."]

    @pytest.mark.parametrize(
        ("stored", "user", "reason"),
        [
            (cng, "Administrator", "Invalid provider type specified."),
            (gone, "Administrator", "Keyset does not exist"),
            (good, "reader", "Keyset does not exist"),
        ],
    )
    def test_the_property_is_null_and_the_method_tells_why(
        self, stored: StoredCertificate, user: str, reason: str
    ) -> None:
        script = _opened(_thumbprint(stored)) + (
            "$c.HasPrivateKey;$c.PrivateKey -eq $null;"
            "try{$c.get_PrivateKey()}catch{$_.Exception.InnerException.Message.Trim()}"
        )
        assert _out(script, _machine(stored), user=user) == ["True", "True", reason]


class TestPfx:
    good = _stored("good", SCHANNEL, 12, exportable=True)
    cng = _stored("cng", KSP, 0, exportable=True)
    kept = _stored("kept", SCHANNEL, 12)

    def test_an_export_names_the_provider_and_travels(self) -> None:
        source, target = _machine(self.good), _machine()
        export = "[Convert]::ToBase64String($c.Export('Pfx','secret'))"
        (text,) = _out(_opened(_thumbprint(self.good)) + export, source)
        data = base64.b64decode(text)
        key, certificate, _chain = pkcs12.load_key_and_certificates(data, b"secret")
        assert key is not None
        assert self.good.issued
        assert certificate == self.good.issued.certificate
        assert _out(self._import("MachineKeySet,PersistKeySet,Exportable"), target, text.encode()) == ["1", "True"]
        (container,) = target.containers
        assert (container.provider, container.key_spec, container.exportable, container.machine) == (
            SCHANNEL,
            1,
            True,
            True,
        )
        assert container.name == "te-good"
        (stored,) = target.stores["MY"]
        assert stored.friendly_name == "Friend good"
        assert target.container_of(stored.key) is container
        _out(self._import("MachineKeySet,PersistKeySet,Exportable"), target, text.encode())
        assert sorted(held.name[0] for held in target.containers) == ["t", "{"], "a name that is taken gives a GUID"

    def _import(self, flags: str) -> str:
        return (
            "$b=[Convert]::FromBase64String((@($input) -join ''));"
            f"$n=New-Object {SPACE}.X509Certificate2Collection;$n.Import($b,'secret','{flags}');"
            f"$s=New-Object {SPACE}.X509Store('My','LocalMachine');$s.Open('ReadWrite');"
            "foreach($x in $n){$s.Add($x)};$n.Count;$n[0].HasPrivateKey;$s.Close()"
        )

    def _file(self, **values: Any) -> bytes:
        assert self.good.issued
        given = {"password": "secret", "provider": None, "machine_keyset": False, "encryption": "tripledes-sha1"}
        data = write_pfx(self.good.issued.key, self.good.issued.certificate, **{**given, **values})
        return base64.b64encode(data)

    @pytest.mark.parametrize(
        ("named", "provider", "spec"), [(None, ENHANCED, 1), (KSP, KSP, 0), (AES, AES, 1), (SCHANNEL, SCHANNEL, 1)]
    )
    def test_the_key_bag_decides_the_provider(self, named: str | None, provider: str, spec: int) -> None:
        machine = _machine()
        _out(self._import("MachineKeySet,PersistKeySet"), machine, self._file(provider=named))
        (container,) = machine.containers
        assert (container.provider, container.key_spec, container.exportable) == (provider, spec, False)

    def test_what_may_not_be_exported_is_not(self) -> None:
        script = "try{" + _opened(_thumbprint(self.kept)) + "$c.Export('Pfx','x')}catch{$_.Exception.Message}"
        (line, _rest) = _out(script, _machine(self.kept))
        assert line == 'Exception calling "Export" with "2" argument(s): "Key not valid for use in specified state.'

    def test_a_cng_key_can_be_exported(self) -> None:
        script = _opened(_thumbprint(self.cng)) + "[Convert]::ToBase64String($c.Export('Pfx','x'))"
        (text,) = _out(script, _machine(self.cng))
        assert read_pfx(base64.b64decode(text), "x", aes=False).keys[0].provider == KSP

    @pytest.mark.parametrize(
        ("values", "release", "reason"),
        [
            ({"password": "other"}, "10.0.17763", "The specified network password is not correct."),
            ({"encryption": "aes256-sha256"}, "10.0.14393", "The specified network password is not correct."),
            ({"encryption": "aes256-sha256"}, "10.0.17763", None),
        ],
    )
    def test_what_an_import_refuses(self, values: dict[str, Any], release: str, reason: str | None) -> None:
        machine = _machine(os_version=release)
        script = (
            "try{" + self._import("MachineKeySet,PersistKeySet") + "}catch{$_.Exception.InnerException.Message.Trim()}"
        )
        printed = _out(script, machine, self._file(**values))
        assert printed == ([reason] if reason else ["1", "True"])
        assert len(list(machine.containers)) == (0 if reason else 1)

    def test_only_administrators_may_import_for_the_machine(self) -> None:
        script = (
            "try{" + self._import("MachineKeySet,PersistKeySet") + "}catch{$_.Exception.InnerException.Message.Trim()}"
        )
        assert _out(script, _machine(), self._file(), user="reader") == ["Access is denied."]

    def test_a_constructor_takes_bytes(self) -> None:
        assert self.good.issued
        read = "$b=[Convert]::FromBase64String((@($input) -join ''));"
        script = read + f"(New-Object {SPACE}.X509Certificate2(,$b)).Thumbprint"
        assert _out(script, _machine(), base64.b64encode(self.good.issued.der)) == [self.good.issued.thumbprint]
        script = (
            read + f"(New-Object {SPACE}.X509Certificate2($b,'secret','MachineKeySet, PersistKeySet')).HasPrivateKey"
        )
        assert _out(script, _machine(), self._file()) == ["True"]
        wrong = "try{" + script + "}catch{$_.Exception.Message}"
        (line, _rest) = _out(wrong, _machine(), self._file(password="x"))
        assert line.startswith('Exception calling ".ctor" with "3" argument(s): "The specified network')

    def test_a_key_that_would_go_with_its_object_is_not_simulated(self) -> None:
        execution = _run(self._import("MachineKeySet"), _machine(), self._file())
        assert execution.exit_code == 250


class TestPfxReader:
    good = _stored("good", SCHANNEL, 12)

    @pytest.mark.parametrize("encrypt", [False, True])
    @pytest.mark.parametrize("encryption", ["tripledes-sha1", "aes256-sha256"])
    def test_what_the_writer_wrote(self, encrypt: bool, encryption: Any) -> None:
        assert self.good.issued
        data = write_pfx(
            self.good.issued.key,
            self.good.issued.certificate,
            password="p\u00e4ss",
            provider=SCHANNEL,
            machine_keyset=True,
            friendly_name="name",
            encrypt_key_safe=encrypt,
            encryption=encryption,
        )
        content = read_pfx(data, "p\u00e4ss", aes=True)
        assert content.keys[0].key.public_key() == self.good.issued.key.public_key()
        assert content.keys[0][1:] == (SCHANNEL, True, None, None)
        assert content.certificates == [(self.good.issued.der, "name")]
        with pytest.raises(WrongPassword):
            read_pfx(data, "pass", aes=True)

    @pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x03\x02\x01\x03", b"no pfx at all", b"\x30\x80\x00\x00"])
    def test_other_bytes_are_no_pfx(self, data: bytes) -> None:
        with pytest.raises(NoPfx):
            read_pfx(data, "x", aes=True)
