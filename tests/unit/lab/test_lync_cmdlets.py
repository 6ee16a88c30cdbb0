# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get- and Set-CsCertificate of the lab: what is assigned, what is refused and how, by release."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from lab import pki
from lab.host.machine import Account, Machine
from lab.host.store import KeyReference, StoredCertificate, blob_of
from lab.lync.role import LyncRole
from lab.scenario import SimulatedHost
from lab.wire.host import Execution

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc)
CALL = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
POOL = pki.KeyPool()
HOLDERS = {
    "schannel": ("Microsoft RSA SChannel Cryptographic Provider", 12, 1),
    "cng": ("Microsoft Software Key Storage Provider", 0, 0),
}
TOO_SMALL = "Command execution failed: The buffer supplied to a function was too small."


def _stored(name: str, holder: str = "schannel", days: int = 9, **key: Any) -> StoredCertificate:
    wanted = pki.Wanted(f"CN={name}.contoso.example", NOW - timedelta(days=5), NOW + timedelta(days=days))
    issued = pki.self_signed(wanted, POOL)
    reference = KeyReference(*HOLDERS[holder], f"te-{name}", **key)
    return StoredCertificate(name, issued.thumbprint, blob_of(issued, reference), issued, reference)


OLD, NEW = _stored("old"), _stored("new", exportable=True)
CNG, GONE, EXPIRED = _stored("cng", "cng"), _stored("gone", missing=True), _stored("expired", days=-1)


def _thumbprint(stored: StoredCertificate) -> str:
    assert stored.issued
    return stored.issued.thumbprint


def _machine(version: str = "2013", name: str = "FE01", **values: Any) -> Machine:
    accounts = {
        "Administrator": Account("x"),
        "reader": Account("x", lync_administrator=False),
        "limited": Account("x", administrator=False),
    }
    assigned = (("Default", _thumbprint(OLD)), ("WebServicesInternal", _thumbprint(OLD)))
    given: dict[str, Any] = {
        "powershell": "2.0",
        "clock": NOW,
        "stores": {"MY": [OLD, NEW, CNG, GONE, EXPIRED]},
        "lync": LyncRole(version, assignments=assigned),
        **values,
    }
    return Machine(name, accounts=accounts, **given)


def _run(script: str, machine: Machine, user: str = "Administrator") -> Execution:
    module = machine.lync.module if machine.lync else ""
    encoded = base64.b64encode(f"Import-Module {module}\n{script}".encode("utf-16-le")).decode()
    return SimulatedHost(machine).execute(CALL + encoded, b"", user)


def _out(script: str, machine: Machine, user: str = "Administrator") -> list[str]:
    execution = _run(script, machine, user)
    assert (execution.stderr, execution.exit_code) == (b"", 0)
    return execution.stdout.decode().splitlines()


def _set(stored: StoredCertificate | str, types: str = "Default", more: str = "") -> str:
    thumbprint = stored if isinstance(stored, str) else _thumbprint(stored)
    return f"Set-CsCertificate -Type {types} -Thumbprint '{thumbprint}' -Confirm:$false {more}"


def _caught(script: str) -> str:
    return (
        "$ErrorActionPreference='Stop';$WarningPreference='SilentlyContinue';try{"
        + script
        + "}catch{$_.Exception.Message}"
    )


def _assigned(machine: Machine) -> dict[str, str]:
    assert machine.lync
    names = {_thumbprint(one): one.identifier for one in (OLD, NEW, CNG, GONE, EXPIRED)}
    return {use: names[thumbprint] for use, thumbprint in machine.lync.assignments}


class TestSet:
    @pytest.mark.parametrize("types", ["Default,WebServicesInternal", "'default','webservicesinternal'"])
    def test_it_assigns_and_outputs_nothing(self, types: str) -> None:
        machine = _machine()
        assert _out(_set(NEW, types), machine) == []
        assert _assigned(machine) == {"Default": "new", "WebServicesInternal": "new"}
        rows = _out("Get-CsCertificate|Select-Object Use,Thumbprint|ConvertTo-Csv -NoTypeInformation", machine)
        assert rows == [
            '"Use","Thumbprint"',
            f'"Default","{_thumbprint(NEW)}"',
            f'"WebServicesInternal","{_thumbprint(NEW)}"',
        ]

    def test_a_further_usage_comes_last(self) -> None:
        machine = _machine()
        _out(_set(NEW, "AudioVideoAuthentication"), machine)
        assert list(_assigned(machine)) == ["Default", "WebServicesInternal", "AudioVideoAuthentication"]

    def test_the_previous_certificate_is_kept(self) -> None:
        machine = _machine()
        _out(_set(NEW), machine)
        assert _out("(Get-CsCertificate -Type Default).PreviousThumbprint", machine) == [_thumbprint(OLD)]
        _out(_set(NEW), machine)
        assert _out("(Get-CsCertificate -Type Default).PreviousThumbprint", machine) == [_thumbprint(OLD)]

    @pytest.mark.parametrize(
        ("stored", "said"),
        [
            (CNG, TOO_SMALL),
            (GONE, "Command execution failed: Keyset does not exist"),
            ("AB" * 20, f'Command execution failed: Cannot find certificate "{"AB" * 20}" in the local machine store.'),
        ],
    )
    def test_what_cannot_be_assigned_changes_nothing(self, stored: StoredCertificate | str, said: str) -> None:
        machine = _machine()
        assert _out(_caught(_set(stored)), machine) == [said]
        assert _assigned(machine) == {"Default": "old", "WebServicesInternal": "old"}

    @pytest.mark.parametrize(("version", "taken"), [("2010", False), ("2013", False), ("2015", False), ("2019", True)])
    def test_cng_by_release(self, version: str, taken: bool) -> None:
        machine = _machine(version)
        assert _out(_caught(_set(CNG)), machine) == ([] if taken else [TOO_SMALL])

    def test_a_failure_warns_and_leaves_a_report(self) -> None:
        machine = _machine()
        script = _set(
            CNG,
            more="-ErrorAction SilentlyContinue -ErrorVariable e -WarningVariable w -WarningAction SilentlyContinue",
        )
        first, second, error = _out(script + ";$w|ForEach-Object{$_.Message};[string]$e[0]", machine)
        assert first == "Set-CsCertificate failed."
        assert error == TOO_SMALL
        path = second.split('"')[1]
        assert path.startswith("C:\\Users\\Administrator\\AppData\\Local\\Temp\\Set-CsCertificate-")
        assert path.endswith(".html")
        assert "too small" in machine.files[path].decode("utf-16")
        assert second == f'Detailed results can be found at "{path}".'

    def test_warnings_are_serialized_to_standard_error(self) -> None:
        execution = _run(_set(CNG), _machine())
        assert b'<S S="warning">Set-CsCertificate failed.' in execution.stderr
        assert b"ProcessingFailed,Microsoft.Rtc.Management.Deployment.SetCertificateCmdlet" in execution.stderr.replace(
            b'_x000D__x000A_</S><S S="Error">', b""
        )

    def test_a_report_is_written_where_it_is_wanted(self) -> None:
        machine = _machine()
        _out(_set(NEW, more=r"-Report 'C:\Windows\Temp\r.html'"), machine)
        assert r"C:\Windows\Temp\r.html" in machine.files

    def test_an_expired_certificate_is_assigned_with_a_warning(self) -> None:
        machine = _machine()
        script = _set(EXPIRED, more="-WarningVariable w -WarningAction SilentlyContinue")
        assert _out(script + ";$w.Count", machine) == ["1"]
        assert _assigned(machine)["Default"] == "expired"

    def test_what_if_changes_nothing(self) -> None:
        machine = _machine()
        (line,) = _out(_set(NEW, more="-WhatIf"), machine)
        assert line.startswith("What if: Performing operation")
        assert _assigned(machine)["Default"] == "old"

    @pytest.mark.parametrize("user", ["reader", "limited"])
    def test_only_lync_administrators_may(self, user: str) -> None:
        machine = _machine()
        assert _out(_caught(_set(NEW)), machine, user) == ["Access is denied."]
        assert _assigned(machine)["Default"] == "old"

    def test_archived_certificates_are_not_found(self) -> None:
        machine = _machine(stores={"MY": [OLD, NEW.changed(19, b"")]})
        assert "Cannot find certificate" in _out(_caught(_set(NEW)), machine)[0]


class TestParameters:
    @pytest.mark.parametrize(
        ("script", "name"),
        [
            (_set(NEW, more="-Identity global"), "Identity"),
            (_set(NEW, more="-Roll"), "Roll"),
            (_set(NEW, more="-EffectiveDate $x"), "EffectiveDate"),
            ("Set-CsCertificate -Path x -Password y", "Path"),
            ("Get-CsCertificate -Identity global", "Identity"),
        ],
    )
    def test_2010_lacks_them(self, script: str, name: str) -> None:
        caught = "try{" + script + "}catch{$_.Exception.Message;$_.FullyQualifiedErrorId}"
        message, identifier = _out(caught, _machine("2010"))
        assert message == f"A parameter cannot be found that matches parameter name '{name}'."
        assert identifier.startswith("NamedParameterNotFound,")

    @pytest.mark.parametrize(("version", "known"), [("2010", "False"), ("2013", "True"), ("2019", "True")])
    def test_get_command_tells_them(self, version: str, known: str) -> None:
        machine = _machine(version)
        script = "$p=(Get-Command Set-CsCertificate).Parameters;$p.ContainsKey('roll');@($p.Keys) -contains 'Identity'"
        assert _out(script + ";$p.ContainsKey('Thumbprint')", machine) == [known, known, "True"]

    @pytest.mark.parametrize(("version", "use"), [("2013", "ProxyFederation"), ("2010", "OAuthTokenIssuer")])
    def test_unknown_types_are_refused(self, version: str, use: str) -> None:
        (line,) = _out(_caught(_set(NEW, use)), _machine(version))
        assert line.startswith(f"Cannot bind parameter 'Type'. Cannot convert value \"{use}\"")

    @pytest.mark.parametrize(
        ("version", "product"),
        [("2013", "Microsoft Lync Server 2013 (5.0.8308.0)"), ("2019", "Skype for Business Server 2019")],
    )
    def test_the_version_is_a_text(self, version: str, product: str) -> None:
        (line,) = _out("Get-CsServerVersion", _machine(version))
        assert line.startswith(product)


class TestRoll:
    later = NOW + timedelta(days=2)
    parsed = (
        "[DateTime]::Parse('2026-03-03T12:30:00Z',[Globalization.CultureInfo]::InvariantCulture,"
        "[Globalization.DateTimeStyles]::RoundtripKind)"
    )

    def test_the_old_one_stays_in_force_until_the_date(self) -> None:
        machine = _machine(utc_offset=1)
        _out(f"$d={self.parsed};" + _set(NEW, more="-EffectiveDate $d -Roll"), machine)
        assert machine.lync
        assigned = dict(machine.lync.assigned())["Default"]
        assert assigned.in_force(NOW) == _thumbprint(OLD)
        assert assigned.in_force(self.later) == _thumbprint(NEW)
        shown = (
            "$c=Get-CsCertificate -Type Default;$c.EffectiveDate.ToUniversalTime().ToString('o');$c.PreviousThumbprint"
        )
        assert _out(shown, machine) == ["2026-03-03T12:30:00.0000000Z", _thumbprint(OLD)]

    def test_the_old_one_that_goes_too_early_is_written_down(self) -> None:
        machine = _machine()
        assert machine.lync
        _out(f"$d={self.parsed};" + _set(NEW, more="-EffectiveDate $d -Roll"), machine)
        machine.stores["MY"].remove(OLD)
        _out("'x'", machine)
        found = machine.lync.deployment.journal.violations
        assert {(one.use, one.thumbprint) for one in found} == {
            ("Default", _thumbprint(OLD)),
            ("WebServicesInternal", _thumbprint(OLD)),
        }

    def test_it_needs_a_date(self) -> None:
        machine = _machine()
        assert "EffectiveDate" in _out(_caught(_set(NEW, more="-Roll")), machine)[0]
        assert _assigned(machine)["Default"] == "old"


class TestDates:
    parse = (
        "[DateTime]::Parse('{}',[Globalization.CultureInfo]::InvariantCulture,"
        "[Globalization.DateTimeStyles]::RoundtripKind).ToString('o')"
    )

    @pytest.mark.parametrize(
        ("text", "printed"),
        [
            ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00.0000000Z"),
            ("2026-11-22T10:00:00.5000000Z", "2026-11-22T10:00:00.5000000Z"),
            ("2026-11-22T10:00:00+00:00", "2026-11-22T11:00:00.0000000+01:00"),
        ],
    )
    def test_the_round_trip_form(self, text: str, printed: str) -> None:
        assert _out(self.parse.format(text), _machine(utc_offset=1)) == [printed]

    def test_other_words_are_no_date(self) -> None:
        script = "try{" + self.parse.format("next week") + "}catch{$_.Exception.InnerException.Message}"
        assert _out(script, _machine()) == ["String was not recognized as a valid DateTime."]

    def test_other_forms_are_not_guessed(self) -> None:
        assert _run(self.parse.format("22.11.2026"), _machine()).exit_code == 250
