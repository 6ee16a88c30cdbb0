# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of CNG in the interpreter: what they tell of themselves, what signs, what leaves in a PFX file and what not."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lab import pki
from lab.formats.pfx_read import read_pfx
from lab.host import cmd
from lab.host.machine import Account, Machine
from lab.host.store import KeyReference, StoredCertificate, blob_of, unique_name
from lab.runtime import SCENARIOS
from lab.scenario import ScenarioError, load, parse
from lab.wire.host import Execution

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc)
CALL = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
KSP = "Microsoft Software Key Storage Provider"
TPM = "Microsoft Platform Crypto Provider"
CARD = "Microsoft Smart Card Key Storage Provider"
HSM = "nCipher Security World Key Storage Provider"
POOL = pki.KeyPool()
SPACE = "Security.Cryptography"
LOAD = "[void][Reflection.Assembly]::LoadWithPartialName('System.Core');"
RELEASES = [("2.0", "6.1.7601"), ("4.0", "6.3.9600"), ("5.1", "10.0.14393")]
ONLY_SYSTEM = "D:P(A;;FA;;;SY)"


def _stored(name: str, provider: str = KSP, algorithm: str = "rsa2048", **key: Any) -> StoredCertificate:
    wanted = pki.Wanted(f"CN={name}.contoso.example", NOW - timedelta(days=1), NOW + timedelta(days=9), key=algorithm)
    issued = pki.self_signed(wanted, POOL)
    kind = 12 if provider == SCHANNEL else 0
    reference = KeyReference(provider, kind, 1 if kind else 0, f"te-{name}", **key)
    return StoredCertificate(name, issued.thumbprint, blob_of(issued, reference), issued, reference)


def _machine(*certificates: StoredCertificate, powershell: str = "2.0", **values: Any) -> Machine:
    accounts = {"Administrator": Account("x"), "reader": Account("x", administrator=False)}
    system = {"os_version": dict(RELEASES)[powershell], **values}
    return Machine(
        "FE01", accounts=accounts, clock=NOW, stores={"MY": list(certificates)}, powershell=powershell, **system
    )


def _run(script: str, machine: Machine, stdin: bytes = b"", user: str = "Administrator") -> Execution:
    return cmd.execute(machine, CALL + base64.b64encode(script.encode("utf-16-le")).decode(), stdin, user)


def _out(script: str, machine: Machine, stdin: bytes = b"", user: str = "Administrator") -> list[str]:
    execution = _run(script, machine, stdin, user)
    assert (execution.stderr, execution.exit_code) == (b"", 0)
    return execution.stdout.decode().splitlines()


def _said(script: str, machine: Machine, user: str = "Administrator") -> str:
    return " ".join(_out(f"try{{{script}}}catch{{[string]$_}}", machine, user=user))


def _key(name: str = "te-a", provider: str = KSP, options: str | None = "MachineKey") -> str:
    opened = f"'{name}',(New-Object {SPACE}.CngProvider '{provider}')" + (f",'{options}'" if options else "")
    return f"$k=[{SPACE}.CngKey]::Open({opened});"


def _certificate(stored: StoredCertificate) -> str:
    return (
        f"$s=New-Object {SPACE}.X509Certificates.X509Store('My','LocalMachine');$s.Open('ReadOnly');"
        f"$c=$s.Certificates.Find('FindByThumbprint','{stored.issued.thumbprint if stored.issued else ''}',$false)[0];"
    )


class TestCngKey:
    @pytest.mark.parametrize(("powershell", "system"), RELEASES)
    def test_what_a_key_tells(self, powershell: str, system: str) -> None:
        machine = _machine(_stored("a", exportable=True), powershell=powershell)
        told = (
            "[int]$k.ExportPolicy;[string]$k.ExportPolicy;$k.UniqueName;$k.KeyName;$k.KeySize;"
            "$k.Provider.Provider;$k.AlgorithmGroup.AlgorithmGroup;$k.Algorithm.Algorithm;$k.IsMachineKey"
        )
        assert _out(LOAD + _key() + told, machine) == [
            *("1", "AllowExport", unique_name("te-a", machine.guid, cng=True), "te-a", "2048"),
            *(KSP, "RSA", "RSA", "True"),
        ]
        assert machine.os_version == system

    @pytest.mark.parametrize(
        ("provider", "key", "policy"),
        [
            (KSP, {}, "0 None"),
            (KSP, {"exportable": True}, "1 AllowExport"),
            (KSP, {"exportable": True, "plaintext": True}, "3 AllowExport, AllowPlaintextExport"),
            (KSP, {"exportable": True, "isolated": True}, "0 None"),
            (TPM, {"exportable": True}, "0 None"),
            (HSM, {"exportable": True}, "1 AllowExport"),
        ],
    )
    def test_its_export_policy(self, provider: str, key: dict[str, Any], policy: str) -> None:
        machine = _machine(_stored("a", provider, **key), powershell="5.1")
        assert _out(_key(provider=provider) + "''+[int]$k.ExportPolicy+' '+$k.ExportPolicy", machine) == [policy]

    def test_a_key_of_an_elliptic_curve(self) -> None:
        machine = _machine(_stored("a", algorithm="p256"), powershell="4.0")
        assert _out(_key() + "$k.Algorithm.Algorithm;$k.AlgorithmGroup.AlgorithmGroup;$k.KeySize", machine) == [
            *("ECDSA_P256", "ECDSA", "256")
        ]

    @pytest.mark.parametrize(
        ("script", "reason"),
        [
            (_key("te-b"), "Keyset does not exist"),
            (_key("te-a", options=None), "Keyset does not exist"),
            (_key("te-user"), "Keyset does not exist"),
            (_key("te-card", CARD), "Cannot find a smart card reader."),
            (_key("te-locked"), "Access denied."),
        ],
    )
    def test_a_key_that_cannot_be_opened(self, script: str, reason: str) -> None:
        machine = _machine(
            *(_stored("a"), _stored("user", flags=0), _stored("card", CARD), _stored("locked", access=ONLY_SYSTEM)),
            powershell="4.0",
        )
        count = script.count(",'MachineKey'") + 2
        assert _said(script, machine).startswith(f'Exception calling "Open" with "{count}" argument(s): "{reason}')

    def test_a_user_opens_their_own_keys_and_not_those_of_the_machine(self) -> None:
        machine = _machine(_stored("a"), _stored("user", flags=0), powershell="4.0")
        assert "Access denied." in _said(_key(), machine, "reader")
        assert _out(_key("te-user", options=None) + "$k.IsMachineKey", machine, user="reader") == ["False"]

    def test_what_the_lab_does_not_know_of_it(self) -> None:
        for provider in (SCHANNEL, "Unknown Provider", "Microsoft Passport Key Storage Provider"):
            assert _run(_key(provider=provider), _machine(_stored("a"), powershell="5.1")).exit_code == 250


class TestTypes:
    def test_powershell_2_loads_the_assembly_when_it_is_told_to(self) -> None:
        machine = _machine(_stored("a"))
        expected = f"Cannot find type [{SPACE}.CngProvider]: make sure the assembly containing this type is loaded."
        assert _said(_key(), machine) == expected
        assert _said(f"[{SPACE}.CngKey]::Open('a','b')", machine).startswith("Unable to find type [")
        assert _out(LOAD + _key() + "$k.KeyName", machine) == ["te-a"]

    def test_a_host_without_dotnet_3_5_has_no_such_assembly(self) -> None:
        machine = _machine(_stored("a"), framework="2.0")
        assert _out("$l=[Reflection.Assembly]::LoadWithPartialName('System.Core');$l -eq $null", machine) == ["True"]
        assert "CngProvider]: make sure" in _said(LOAD + _key(), machine)

    def test_later_releases_have_loaded_it(self) -> None:
        for powershell in ("4.0", "5.1"):
            assert _out(_key() + "$k.KeyName", _machine(_stored("a"), powershell=powershell)) == ["te-a"]

    @pytest.mark.parametrize(
        ("powershell", "values", "ending"),
        [
            ("2.0", {}, ": make sure that the assembly containing this type is loaded."),
            ("4.0", {}, ". Make sure that the assembly that contains this type is loaded."),
            ("4.0", {"framework": "4.8"}, None),
            ("5.1", {}, None),
            ("5.1", {"os_version": "6.3.9600"}, "."),
        ],
    )
    def test_which_release_has_the_extensions_of_4_6(
        self, powershell: str, values: dict[str, Any], ending: str | None
    ) -> None:
        stored = _stored("a")
        script = f"$r=[{SPACE}.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($c);$r.KeySize"
        said = _said(_certificate(stored) + script, _machine(stored, powershell=powershell, **values))
        assert said == "2048" if ending is None else said.endswith(f"rsacertificateextensions]{ending}")

    def test_what_windows_has_from_its_setup(self) -> None:
        found = {
            release: Machine("a", os_version=release, powershell="5.1").dotnet
            for release in ("6.1.7601", "6.2.9200", "6.3.9600", "10.0.14393", "10.0.17763", "10.0.20348", "10.0.26100")
        }
        assert list(found.values()) == [*[(4, 5, 2)] * 3, (4, 6, 2), (4, 7, 2), (4, 8), (4, 8)]
        assert Machine("a", os_version="6.3.9600", powershell="2.0").dotnet == (3, 5)


class TestRsaCng:
    SIGN = (
        f"$k=[{SPACE}.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($c);$k.Key.Provider.Provider;"
        f"$g=$k.SignData([byte[]](1,2,3),[{SPACE}.HashAlgorithmName]::SHA1,[{SPACE}.RSASignaturePadding]::Pkcs1);"
        "[Convert]::ToBase64String($g)"
    )

    @pytest.mark.parametrize("provider", [KSP, TPM])
    def test_it_signs(self, provider: str) -> None:
        stored = _stored("a", provider)
        told, signature = _out(_certificate(stored) + self.SIGN, _machine(stored, powershell="5.1"))
        assert told == provider
        public = stored.issued.certificate.public_key() if stored.issued else None
        assert isinstance(public, rsa.RSAPublicKey)
        public.verify(base64.b64decode(signature), bytes([1, 2, 3]), padding.PKCS1v15(), hashes.SHA1())

    @pytest.mark.parametrize(
        ("stored", "reason"),
        [
            (_stored("gone", missing=True), "Keyset does not exist"),
            (_stored("locked", access=ONLY_SYSTEM), "Access denied."),
            (_stored("card", CARD), "Cannot find a smart card reader."),
        ],
    )
    def test_what_cannot_sign(self, stored: StoredCertificate, reason: str) -> None:
        said = _said(_certificate(stored) + self.SIGN, _machine(stored, powershell="5.1"))
        assert f'"GetRSAPrivateKey" with "1" argument(s): "{reason}' in said

    def test_null_for_what_has_no_rsa_key(self) -> None:
        null = f"[{SPACE}.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($c) -eq $null"
        for stored in (_stored("a", algorithm="p256"), _stored("b", recorded=False)):
            assert _out(_certificate(stored) + null, _machine(stored, powershell="5.1")) == ["True"]

    def test_keys_of_legacy_providers_are_not_simulated(self) -> None:
        stored = _stored("a", SCHANNEL)
        assert _run(_certificate(stored) + self.SIGN, _machine(stored, powershell="5.1")).exit_code == 250


class TestExport:
    EXPORT = "[Convert]::ToBase64String($c.Export('Pfx','secret'))"

    @pytest.mark.parametrize("key", [{"exportable": True}, {"exportable": True, "plaintext": True}])
    @pytest.mark.parametrize("powershell", ["2.0", "5.1"])
    def test_allow_export_is_enough_and_the_file_names_the_provider(self, key: dict[str, Any], powershell: str) -> None:
        stored = _stored("a", **key)
        (text,) = _out(_certificate(stored) + self.EXPORT, _machine(stored, powershell=powershell))
        content = read_pfx(base64.b64decode(text), "secret", aes=False)
        assert [(found.provider, found.machine_keyset) for found in content.keys] == [(KSP, True)]

    @pytest.mark.parametrize(
        "stored",
        [
            _stored("kept"),
            _stored("isolated", exportable=True, isolated=True),
            _stored("tpm", TPM, exportable=True),
            _stored("card", CARD, exportable=True),
            _stored("kept-schannel", SCHANNEL),
        ],
        ids=lambda stored: stored.identifier,
    )
    def test_what_is_not_exportable(self, stored: StoredCertificate) -> None:
        said = _said(_certificate(stored) + self.EXPORT, _machine(stored, powershell="5.1"))
        assert '"Key not valid for use in specified state.' in said

    def test_whoever_may_not_use_the_key_cannot_export_it(self) -> None:
        stored = _stored("a", exportable=True, access=ONLY_SYSTEM)
        assert '"Keyset does not exist' in _said(_certificate(stored) + self.EXPORT, _machine(stored))


class TestLegacy:
    TELL = "$i=$c.PrivateKey.CspKeyContainerInfo;'['+$i.UniqueKeyContainerName+'] '+[int]$i.Exportable"

    def test_a_list_without_administrators_takes_the_key_from_them(self) -> None:
        free, locked = _stored("a", SCHANNEL, exportable=True), _stored("b", SCHANNEL, access=ONLY_SYSTEM)
        machine = _machine(free, locked)
        assert _out(_certificate(free) + self.TELL, machine) == [f"[{unique_name('te-a', machine.guid, cng=False)}] 1"]
        assert _out(_certificate(locked) + self.TELL, machine) == ["[] 0"]
        assert "Keyset does not exist" in _said(_certificate(locked) + "$c.get_PrivateKey()", machine)

    def test_a_list_may_let_in_one_user_alone(self) -> None:
        stored = _stored("a", SCHANNEL, access=f"D:P(A;;FR;;;{_machine().user_sid('reader')})")
        machine = _machine(stored)
        assert _out(_certificate(stored) + "$c.PrivateKey.KeySize", machine, user="reader") == ["2048"]
        assert "Keyset does not exist" in _said(_certificate(stored) + "$c.get_PrivateKey()", machine)


class TestScenario:
    def test_one_key_of_every_class(self) -> None:
        machine = next(
            plan.machine for plan in load(SCENARIOS / "conversion.yml").hosts if plan.machine.name == "keys01"
        )
        held = {one.identifier: machine.container_of(one.key) for one in machine.stores["MY"]}
        policies = {name: container.export_policy for name, container in held.items() if container}
        assert {name for name, container in held.items() if container is None} == {"gone", "bare"}
        assert {name: policies[name] for name in ("cng", "plaintext", "kept", "vsm", "tpm", "hsm", "passport")} == {
            **{"cng": 1, "plaintext": 3, "kept": 0, "vsm": 0, "tpm": 0, "hsm": 1, "passport": 0}
        }
        first, second = (one for one in machine.stores["MY"] if one.identifier in ("first", "second"))
        assert machine.container_of(first.key) is machine.container_of(second.key)
        assert first.issued
        assert second.issued
        assert pki.public_key_der(first.issued.certificate) == pki.public_key_der(second.issued.certificate)
        assert first.issued.thumbprint != second.issued.thumbprint

    def test_the_edge_servers_share_one_certificate(self) -> None:
        machines = {plan.machine.name: plan.machine for plan in load(SCENARIOS / "conversion.yml").hosts}
        (one, other) = (
            next(held for held in machines[name].stores["MY"] if held.identifier == "av")
            for name in ("edge01", "edge02")
        )
        assert one.issued is other.issued
        assert one.key.container != other.key.container
        assert machines["edge02"].container_of(other.key)

    @pytest.mark.parametrize("key", [{"exportable": "always"}, {"access": "nobody"}, {"access": "lync"}])
    def test_what_a_scenario_cannot_say(self, key: dict[str, Any]) -> None:
        with pytest.raises(ScenarioError, match=r"exportable must be|access is|has no lync"):
            parse({"hosts": [{"name": "a", "stores": {"My": [{"key": key}]}}]}, "test")
