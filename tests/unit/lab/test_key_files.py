# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of keys, access control lists as .NET reads and sets them, names of accounts, keys that Lync may use."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from lab import pki
from lab.host import cmd, files
from lab.host.access import BadSddl, parse
from lab.host.key_files import path_of
from lab.host.keys import FRESH_CNG, FRESH_LEGACY, KeyContainer
from lab.host.machine import Account, Machine
from lab.host.store import KeyReference, StoredCertificate, blob_of, unique_name
from lab.lync.access import grant, unusable
from lab.lync.deployment import form
from lab.lync.role import LyncRole
from lab.powershell.errors import NotSimulated
from lab.scenario import parse as scenario
from lab.wire.host import Execution

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc)
CALL = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
DSS = "Microsoft Enhanced DSS and Diffie-Hellman Cryptographic Provider"
KSP = "Microsoft Software Key Storage Provider"
POOL = pki.KeyPool()
CRYPTO = "C:\\ProgramData\\Microsoft\\Crypto"
SDDL = ".GetSecurityDescriptorSddlForm('Access')"


def _stored(name: str, provider: str = KSP, kind: int = 0, **key: Any) -> StoredCertificate:
    wanted = pki.Wanted(f"CN={name}.contoso.example", NOW - timedelta(days=1), NOW + timedelta(days=9))
    issued = pki.self_signed(wanted, POOL)
    reference = KeyReference(provider, kind, 1 if kind else 0, f"te-{name}", **key)
    return StoredCertificate(name, issued.thumbprint, blob_of(issued, reference), issued, reference)


def _machine(*certificates: StoredCertificate, **values: Any) -> Machine:
    accounts = {"Administrator": Account("x"), "reader": Account("x", administrator=False)}
    stores = {"MY": list(certificates)}
    return Machine("FE01", accounts=accounts, clock=NOW, stores=stores, **{"powershell": "2.0", **values})


def _run(script: str, machine: Machine, user: str = "Administrator") -> Execution:
    return cmd.execute(machine, CALL + base64.b64encode(script.encode("utf-16-le")).decode(), b"", user)


def _out(script: str, machine: Machine, user: str = "Administrator") -> list[str]:
    execution = _run(script, machine, user)
    assert (execution.stderr, execution.exit_code) == (b"", 0)
    return execution.stdout.decode().splitlines()


def _said(script: str, machine: Machine, user: str = "Administrator") -> str:
    return "\n".join(_out(f"try{{{script}}}catch{{[string]$_}}", machine, user))


def _security(sddl: str, kind: str = "File") -> str:
    return f"$a=New-Object Security.AccessControl.{kind}Security;$a.SetSecurityDescriptorSddlForm('{sddl}','Access');"


def _path(machine: Machine, number: int = 0) -> str:
    path = path_of(machine, list(machine.containers)[number])
    assert path
    return path


class TestKeyFiles:
    @pytest.mark.parametrize(
        ("provider", "kind", "folder", "access"),
        [
            (SCHANNEL, 12, "RSA\\MachineKeys", FRESH_LEGACY),
            (DSS, 13, "DSS\\MachineKeys", FRESH_LEGACY),
            (KSP, 0, "Keys", FRESH_CNG),
        ],
    )
    def test_where_the_file_of_a_key_is(self, provider: str, kind: int, folder: str, access: str) -> None:
        machine = _machine(_stored("a", provider, kind))
        path = rf"{CRYPTO}\{folder}\{unique_name('te-a', machine.guid, cng=folder == 'Keys')}"
        combined = "[IO.Path]::Combine([Environment]::GetFolderPath('CommonApplicationData'),'Microsoft\\Crypto')"
        tells = f"{combined};[IO.File]::Exists('{path.upper()}');[IO.File]::GetAccessControl('{path}'){SDDL}"
        assert _out(tells, machine) == [CRYPTO, "True", access]
        assert not machine.files
        machine.containers.remove(provider, "te-a")
        assert _out(f"[IO.File]::Exists('{path}')", machine) == ["False"]

    @pytest.mark.parametrize(
        "stored",
        [
            _stored("user", flags=0),
            _stored("tpm", "Microsoft Platform Crypto Provider"),
            _stored("card", "Microsoft Base Smart Card Crypto Provider", 1),
            _stored("hsm", "nCipher Security World Key Storage Provider"),
        ],
    )
    def test_keys_without_a_file_of_the_machine(self, stored: StoredCertificate) -> None:
        machine = _machine(stored)
        (container,) = machine.containers
        assert path_of(machine, container) is None

    def test_its_content_is_not_simulated(self) -> None:
        machine = _machine(_stored("a"))
        for call in ("ReadAllBytes('{0}')", "WriteAllText('{0}','x')", "Delete('{0}')"):
            assert _run(f"[IO.File]::{call.format(_path(machine))}", machine).exit_code == 250
        assert _out(f"[IO.Directory]::Exists('{CRYPTO}\\Keys')", machine) == ["True"]


class TestLists:
    @pytest.mark.parametrize(
        ("given", "read"),
        [
            ("D:P(A;;FA;;;SY)(A;;FA;;;BA)", "D:PAI(A;;FA;;;SY)(A;;FA;;;BA)"),
            ("D:PAI(A;;0xd01f01ff;;;SY)(A;;0x80120089;;;NS)", "D:PAI(A;;FA;;;SY)(A;;FR;;;NS)"),
            ("D:P(A;;0x1f01ff;;;S-1-5-18)(A;;0x120089;;;S-1-5-20)", "D:PAI(A;;FA;;;SY)(A;;FR;;;NS)"),
            ("D:P(A;;0x1200a9;;;S-1-5-21-1-2-3-1001)", "D:PAI(A;;0x1200a9;;;S-1-5-21-1-2-3-1001)"),
            # By SID, whatever the order was, and what one account has in one entry.
            (
                "D:P(A;;FR;;;S-1-5-21-1-2-3-9)(A;;FA;;;BA)(A;;FR;;;NS)",
                "D:PAI(A;;FR;;;NS)(A;;FA;;;BA)(A;;FR;;;S-1-5-21-1-2-3-9)",
            ),
            ("D:P(A;;FR;;;NS)(A;;FA;;;SY)(A;;FW;;;NS)", "D:PAI(A;;FA;;;SY)(A;;0x12019f;;;NS)"),
            ("D:P(D;;FR;;;NS)(A;;FA;;;BA)(A;;FA;;;SY)", "D:PAI(D;;FR;;;NS)(A;;FA;;;SY)(A;;FA;;;BA)"),
            ("D:P(A;;FA;;;SY)(D;;FR;;;NS)", "D:PAI(A;;FA;;;SY)(D;;FR;;;NS)"),
            ("D:P(A;OICI;FA;;;SY)(A;OICIIO;FA;;;BA)", "D:PAI(A;;FA;;;SY)"),
            ("D:(A;;FA;;;BA)", "D:AI(A;;FA;;;BA)"),
            ("D:P(A;;CCLCRC;;;NS)", "D:PAI(A;;CCLCRC;;;NS)"),
            ("D:P", "D:PAI"),
        ],
    )
    def test_what_is_read_back_is_not_what_was_written(self, given: str, read: str) -> None:
        machine = _machine(_stored("a"))
        path = _path(machine)
        script = f"[IO.File]::SetAccessControl('{path}',$a);[IO.File]::GetAccessControl('{path}'){SDDL}"
        assert _out(_security(given) + script, machine) == [read]
        (container,) = machine.containers
        assert parse(container.access).ordered(container=False) == parse(read)

    def test_an_object_that_was_not_changed_changes_nothing(self) -> None:
        machine = _machine(_stored("a"))
        path = _path(machine)
        new = f"$a=New-Object Security.AccessControl.FileSecurity;[IO.File]::SetAccessControl('{path}',$a)"
        for script in (new, f"[IO.File]::SetAccessControl('{path}',[IO.File]::GetAccessControl('{path}'))"):
            assert _out(script, machine) == []
        assert next(iter(machine.containers)).access == FRESH_CNG

    def test_all_sections(self) -> None:
        machine = _machine(_stored("a", SCHANNEL, 12))
        script = f"[IO.File]::GetAccessControl('{_path(machine)}').GetSecurityDescriptorSddlForm('All')"
        assert _out(script, machine) == [f"O:BAG:SY{FRESH_LEGACY}"]

    @pytest.mark.parametrize(
        ("sddl", "message"),
        [
            ("D:P(A;;FA;;;SY", "The SDDL form of a security descriptor object is invalid."),
            ("D:P(A;;XX;;;SY)", "The SDDL form of a security descriptor object is invalid."),
            ("hello", "The SDDL form of a security descriptor object is invalid."),
            ("D:P(A;;FA;;;ZZ)", "The SDDL string contains an invalid sid or a sid that cannot be translated."),
        ],
    )
    def test_what_is_no_sddl(self, sddl: str, message: str) -> None:
        called = 'Exception calling "SetSecurityDescriptorSddlForm" with "2" argument(s): '
        assert _said(_security(sddl), _machine()) == f'{called}"{message}\nParameter name: sddlForm"'

    @pytest.mark.parametrize("sddl", ["D:NO_ACCESS_CONTROL", "D:P(OA;;CR;;;SY)", "O:BAG:SY", "D:P(A;;FA;;;DA)"])
    def test_what_the_lab_does_not_know(self, sddl: str) -> None:
        assert _run(_security(sddl), _machine()).exit_code == 250
        with pytest.raises(NotSimulated):
            parse(sddl)

    @pytest.mark.parametrize("call", ["GetAccessControl('{}')", "SetAccessControl('{}',$a)"])
    def test_a_file_that_is_not_there_and_a_user_without_the_right(self, call: str) -> None:
        machine = _machine(_stored("a"))
        ways = [
            (rf"{CRYPTO}\Keys\nothing", "Administrator", rf"{CRYPTO}\Keys\nothing"),
            (r"C:\none\nothing", "Administrator", "Method failed with unexpected error code 3."),
            (_path(machine), "reader", "Attempted to perform an unauthorized operation."),
        ]
        for path, user, message in ways:
            said = _said(_security("D:P(A;;FA;;;SY)") + f"[IO.File]::{call.format(path)}", machine, user)
            assert said.endswith(f'argument(s): "{message}"')

    def test_who_is_let_in(self) -> None:
        access = parse("D:P(D;;FW;;;NS)(A;;FR;;;NS)(A;IO;FA;;;LS)(A;;GA;;;CO)(A;;0x80000000;;;S-1-5-21-1-2-3-9)")
        assert access.grants(["S-1-5-20"], 0x1)
        assert not access.grants(["S-1-5-20"], 0x3)
        assert not access.grants(["S-1-5-19", "S-1-5-32-544"], 0x1)
        assert access.grants(["S-1-5-21-1-2-3-9", "S-1-1-0"], 0x120089)
        assert not parse("D:P(D;;FR;;;NS)(A;;FA;;;NS)").grants(["S-1-5-20"], 0x1)
        assert parse("D:P(A;;FA;;;NS)(D;;FR;;;NS)").grants(["S-1-5-20"], 0x1)
        assert not parse("D:P").grants(["S-1-5-18"], 1)
        for text in ("", "D:P(A;;FA;;;SY) ", "D:P(A;ZZ;FA;;;SY)", "D:P(A;;FA;;SY)"):
            with pytest.raises((BadSddl, NotSimulated)):
                parse(text)


class TestDirectories:
    ONLY = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
    WHERE = r"C:\Users\Administrator\AppData\Local\kept"

    def _create(self, sddl: str) -> str:
        one = f"$a=New-Object Security.AccessControl.DirectorySecurity;$a.SetSecurityDescriptorSddlForm('{sddl}');"
        return one + rf"[void][IO.Directory]::CreateDirectory('{self.WHERE}\one',$a);"

    def test_what_is_written_into_it_is_for_those_alone(self) -> None:
        machine = _machine()
        write = rf"[IO.File]::WriteAllText('{self.WHERE}\one\key.pfx','secret');"
        gone = rf"[IO.Directory]::Delete('{self.WHERE}\one',$true)"
        shown = rf"[IO.Directory]::GetAccessControl('{self.WHERE}\one'){SDDL};"
        assert _out(self._create(self.ONLY) + shown + write + gone, machine) == [self.ONLY]
        (written,) = machine.written
        assert (written.path, written.data) == (rf"{self.WHERE}\one\key.pfx", b"secret")
        access = parse(written.access)
        assert access.grants(["S-1-5-32-544"], 0x1F01FF)
        assert {entry.sid for entry in access.entries} == {"S-1-5-18", "S-1-5-32-544"}
        assert list(machine.access) == [self.WHERE.lower()], (
            "what is gone leaves no list, the directory above has it, too"
        )

    def test_without_inheritance_a_file_gets_that_of_the_process(self) -> None:
        machine = _machine()
        write = rf"[IO.File]::WriteAllText('{self.WHERE}\one\a','x')"
        _out(self._create("D:P(A;;FA;;;BA)") + write, machine)
        assert machine.written[0].access == "D:(A;;FA;;;SY)(A;;FA;;;BA)"

    def test_one_that_exists_keeps_its_own(self) -> None:
        machine = _machine()
        _out(rf"[void][IO.Directory]::CreateDirectory('{self.WHERE}\one')", machine)
        before = files.access_of(machine, rf"{self.WHERE}\one")
        _out(self._create(self.ONLY), machine)
        assert files.access_of(machine, rf"{self.WHERE}\one") == before
        assert machine.user_sid("Administrator") in before

    def test_where_nothing_was_set(self) -> None:
        machine = _machine()
        reader = machine.user_sid("reader")
        profile = parse(files.access_of(machine, r"C:\Users\reader\AppData\Local\Temp\a"))
        assert profile.grants([reader], 1)
        assert not profile.grants([machine.user_sid("Administrator"), "S-1-5-32-545"], 1)
        assert parse(files.access_of(machine, r"C:\any\a")).grants(["S-1-5-32-545"], 1)
        assert not parse(files.access_of(machine, r"C:\Windows\Temp\a")).grants(["S-1-5-32-545"], 1)

    def test_a_file_that_gets_another_name_keeps_its_list(self) -> None:
        machine = _machine()
        script = self._create(self.ONLY) + rf"[IO.File]::WriteAllText('{self.WHERE}\one\a','x');"
        _out(script + rf"[IO.File]::Move('{self.WHERE}\one\a','{self.WHERE}\b')", machine)
        assert [written.path[-1] for written in machine.written] == ["a", "b"]
        assert files.access_of(machine, rf"{self.WHERE}\b") == machine.written[0].access

    def test_a_file_of_its_own(self) -> None:
        machine = _machine()
        path = r"C:\Users\Administrator\AppData\Local\Temp\a"
        script = f"[IO.File]::WriteAllText('{path}','x');{_security('D:P(A;;FA;;;SY)')}"
        shown = f"[IO.File]::GetAccessControl('{path}'){SDDL}"
        assert _out(f"{script}[IO.File]::SetAccessControl('{path}',$a);{shown}", machine) == ["D:PAI(A;;FA;;;SY)"]
        assert _run(script + f"[IO.Directory]::CreateDirectory('{self.WHERE}',$a)", machine).exit_code == 250


class TestNames:
    def _sid(self, name: str, machine: Machine) -> str:
        return _said(
            f"(New-Object Security.Principal.NTAccount '{name}')"
            ".Translate([Security.Principal.SecurityIdentifier]).Value",
            machine,
        )

    @pytest.mark.parametrize(
        ("language", "name", "sid"),
        [
            ("en", r"NT AUTHORITY\NETWORK SERVICE", "S-1-5-20"),
            ("en", "network service", "S-1-5-20"),
            ("ja", r"BUILTIN\Administrators", "S-1-5-32-544"),
            ("de", r"NT-AUTORITÄT\NETZWERKDIENST", "S-1-5-20"),
            ("de", "Administratoren", "S-1-5-32-544"),
            ("fr", r"AUTORITE NT\SERVICE RÉSEAU", "S-1-5-20"),
            ("es", r"BUILTIN\Administradores", "S-1-5-32-544"),
        ],
    )
    def test_well_known_names_are_spelled_in_the_language_of_windows(self, language: str, name: str, sid: str) -> None:
        assert self._sid(name, _machine(language=language)) == sid

    @pytest.mark.parametrize(
        ("language", "name"),
        [("de", r"NT AUTHORITY\NETWORK SERVICE"), ("en", "Jeder"), ("en", "S-1-5-20"), ("en", r"OTHER\reader")],
    )
    def test_names_that_nobody_knows(self, language: str, name: str) -> None:
        said = self._sid(name, _machine(language=language))
        assert '"Some or all identity references could not be translated."' in said

    def test_accounts_and_local_groups(self) -> None:
        machine = _machine(lync=LyncRole("2013"))
        for name in ("reader", r"CONTOSO\reader", "reader@contoso.example"):
            assert self._sid(name, machine) == machine.user_sid("reader")
        group = self._sid(r"FE01\RTC Component Local Group", machine)
        assert group == machine.local_groups["RTC Component Local Group"]
        assert group.startswith(machine.sid + "-")
        assert "could not be translated" in self._sid("RTC Component Local Group", _machine())
        assert Machine("FE02").sid != machine.sid

    def test_sids_as_text(self) -> None:
        script = "(New-Object Security.Principal.SecurityIdentifier '{}').Value"
        machine = _machine()
        assert [_said(script.format(text), machine) for text in ("S-1-5-20", "BA")] == ["S-1-5-20", "S-1-5-32-544"]
        assert _said(script.format("S-1-x"), machine) == (
            'Exception calling ".ctor" with "1" argument(s): "Value was invalid.\nParameter name: sddlForm"'
        )
        assert "zero length" in _said("New-Object Security.Principal.NTAccount ''", machine)


class TestLync:
    def _pool(self, **key: Any) -> Machine:
        entry = {"id": "a", "key": {"holder": "schannel", **key}, "assigned": ["Default"]}
        hosts = [{"name": "fe01", "lync": {"version": "2013"}, "stores": {"My": [entry, {"id": "b"}]}}]
        return scenario({"hosts": hosts}, "test").hosts[0].machine

    def test_services_may_use_the_key_of_an_assigned_certificate(self) -> None:
        machine = self._pool()
        assigned, other = (machine.container_of(one.key) for one in machine.stores["MY"])
        assert assigned
        assert other
        assert machine.may_use(assigned, "S-1-5-20")
        assert machine.may_use(assigned, machine.local_groups["RTC Component Local Group"])
        assert not machine.may_use(other, "S-1-5-20")
        assert unusable(machine) == []

    @pytest.mark.parametrize("access", ["default", "D:P(A;;FA;;;SY)(A;;FA;;;BA)"])
    def test_unless_the_scenario_says_otherwise(self, access: str) -> None:
        machine = self._pool(access=access)
        found = unusable(machine)
        assert len(found) == 3
        assert found[0].startswith("Default: NETWORK SERVICE cannot use the key of ")

    def test_a_key_that_is_gone_is_of_no_use(self) -> None:
        assert len(unusable(self._pool(missing=True))) == 3

    def test_everybody_is_everybody(self) -> None:
        assert unusable(self._pool(access="D:P(A;;FA;;;SY)(A;;FR;;;WD)")) == []

    def test_set_cs_certificate_grants_it(self) -> None:
        machine = self._pool()
        form([machine], None, None)
        other = machine.stores["MY"][1]
        assert other.issued
        call = f"Import-Module Lync;Set-CsCertificate -Type Default -Thumbprint {other.issued.thumbprint}"
        before = machine.container_of(other.key)
        _out(call + " -WhatIf", machine, "Administrator")
        assert machine.container_of(other.key) == before
        _out(call, machine)
        container = machine.container_of(other.key)
        assert container
        assert container.access == FRESH_LEGACY + "".join(
            f"(A;;0x80120089;;;{sid})"
            for sid in (
                "NS",
                machine.local_groups["RTC Component Local Group"],
                machine.local_groups["RTC Server Local Group"],
            )
        )
        assert unusable(machine) == []
        grant(machine, container)
        assert machine.container_of(other.key) == container, "once is enough"

    def test_replication_grants_it_to_the_services_of_each_server(self) -> None:
        oauth = {"id": "oauth", "key": {"exportable": True}, "assigned": ["OAuthTokenIssuer"]}
        hosts = [
            {"name": "fe01", "lync": {"version": "2013"}, "stores": {"My": [oauth]}},
            {"name": "fe02", "lync": {"version": "2013"}, "stores": {"My": []}},
        ]
        one, other = (plan.machine for plan in scenario({"hosts": hosts}, "test").hosts)
        form([one, other], "immediate", None)
        assert (unusable(one), unusable(other)) == ([], [])
        (container,) = other.containers
        assert not any(sid in container.access for sid in one.local_groups.values())


def test_a_key_that_somebody_made_is_for_system_and_administrators() -> None:
    for spec, access in ((0, FRESH_CNG), (1, FRESH_LEGACY)):
        container = KeyContainer(KSP, "a", POOL.take("rsa2048"), spec)
        assert container.access == access
        machine = _machine()
        assert machine.may_use(container, "S-1-5-32-544")
        assert not machine.may_use(container, *machine.sids_of("reader"))
