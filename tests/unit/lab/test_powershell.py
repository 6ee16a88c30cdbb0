# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interpreter against what Windows PowerShell does, as its documentation and Ansible's use of it show."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from lab import pki
from lab.host import cmd
from lab.host.machine import Account, LyncRole, Machine
from lab.host.store import KeyReference, StoredCertificate, blob_of
from lab.wire.host import Execution

CALL = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
NOW = datetime(2026, 3, 1, 12, 30, tzinfo=timezone.utc)


def _stored() -> StoredCertificate:
    pool = pki.KeyPool()
    wanted = pki.Wanted(
        "CN=pool.contoso.example", NOW, NOW + timedelta(days=9), subject_alt_names=("a.example", "b.example")
    )
    key = KeyReference("Microsoft RSA SChannel Cryptographic Provider", 12, 1, "te-1")
    issued = pki.self_signed(wanted, pool)
    return StoredCertificate("one", issued.thumbprint, blob_of(issued, key), issued, key)


STORED = _stored()
assert STORED.issued
THUMBPRINT = STORED.issued.thumbprint


def _machine(powershell: str = "4.0", **values: Any) -> Machine:
    accounts = {"Administrator": Account("x"), "reader": Account("x", administrator=False, lync_administrator=False)}
    lync = LyncRole("2013", assignments=(("Default", THUMBPRINT), ("WebServicesInternal", THUMBPRINT)))
    fields: dict[str, Any] = {"lync": lync, "stores": {"MY": [STORED]}, "accounts": accounts, **values}
    return Machine("FE01", powershell=powershell, **fields)


def _encoded(script: str) -> str:
    return CALL + base64.b64encode(script.encode("utf-16-le")).decode()


def _run(script: str, machine: Machine | None = None, stdin: bytes = b"", user: str = "Administrator") -> Execution:
    return cmd.execute(machine or _machine(), _encoded(script), stdin, user)


def _out(script: str, machine: Machine | None = None, stdin: bytes = b"") -> str:
    execution = _run(script, machine, stdin)
    assert (execution.stderr, execution.exit_code) == (b"", 0)
    return execution.stdout.decode().replace("\r\n", "\n").removesuffix("\n")


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("'plain'", "plain"),
        ("'it''s'", "it's"),
        ("\u2018typographic\u2019", "typographic"),
        ("'a\u2019\u2019b'", "a\u2019b"),
        ("\u201cdouble $(1+2)\u201e", "double 3"),
        ('$x = "v"; "a $x b ${x}c `$x ""q"" $($x.Length)"', 'a v b vc $x "q" 1'),
        ("@'\nraw $x\n'@", "raw $x"),
        ("Write-Output one two", "one\ntwo"),
        ("echo a,b", "a\nb"),
        ("1..3 | ForEach-Object { $_ * 2 }", "2\n4\n6"),
        ("'b','a','B' | ? { $_ -eq 'b' }", "b\nB"),
        ("'{0:x8} {1}' -f 255, 'z'", "000000ff z"),
        ("('a','b') -join '+'", "a+b"),
        ("'  x '.Trim() + '!'", "x!"),
        ("if (1 -gt 2) { 'a' } elseif ('A' -ceq 'a') { 'b' } else { 'c' }", "c"),
        ('foreach ($i in 1,2) { "n$i" }', "n1\nn2"),
        ("try { throw 'bad' } catch { \"caught $_\" } finally { 'end' }", "caught bad\nend"),
        ("$null -eq $missing", "True"),
        ("-not ($true -and $false)", "True"),
        ("@(1).Count", "1"),
        ("'x' | Out-Null; 'y' # comment\n<# more #> 'z'", "y\nz"),
        ("& { 'block' }", "block"),
        ("Invoke-Expression \"'evaluated'\"", "evaluated"),
        ("[string]5 + 'a'", "5a"),
        ("'a' > $null; 'b'", "b"),
        ("'abc'.Substring(1, 2) -replace 'C', 'd'", "bd"),
        ("$h = @{a = 1; b = 'two'}; $h.b", "two"),
        ("New-Object PSObject -Property @{N='v'} | Select-Object N | ConvertTo-Csv -NoTypeInformation", '"N"\n"v"'),
        ("'a'`\n  -eq 'A'", "True"),
        ("$env:COMPUTERNAME", "FE01"),
        ("[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes('\u00fc'))", "w7w="),
        ("$PSVersionTable.PSVersion.Major", "4"),
    ],
)
def test_expressions_and_statements(script: str, printed: str) -> None:
    assert _out(script) == printed


def test_input_is_read_line_by_line() -> None:
    assert _out('$input | ForEach-Object { "<$_>" }', stdin="eins\r\nzw\u00f6lf\n".encode()) == "<eins>\n<zw\u00f6lf>"
    assert _out("($input | Out-String).Trim().Length", stdin=b"abc\n") == "3"


def test_a_stub_runs_a_script_from_standard_input() -> None:
    stub = "& ([scriptblock]::Create(($input | Out-String)))"
    assert _out(stub, stdin=b"$a = 'from'\r\n\"$a stdin\"\r\n") == "from stdin"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("certutil -store Nowhere", 1),
        ("certutil -store Nowhere; exit $LASTEXITCODE", -2147024894),
        ("certutil -store Nowhere; 'later'", 0),
        ("$x = certutil -store Nowhere", 1),
        ("hostname", 0),
        ("exit 7", 7),
        ("throw 'x'", 1),
        ("nosuchcommand", 1),
        ("nosuchcommand; exit $LASTEXITCODE", 0),
        ("$ErrorActionPreference = 'Stop'; nosuchcommand; exit 5", 1),
        ("nosuchcommand; exit 5", 5),
    ],
)
def test_exit_code(script: str, code: int) -> None:
    assert _run(script).exit_code == code


def test_a_nested_encoded_command_flattens_the_exit_code() -> None:
    """ansible-core 2.18 and older encodes a command again that is encoded already."""
    inner = _encoded("'in: ' + $input; certutil -store Nowhere | Out-Null; exit $LASTEXITCODE")
    execution = _run(inner, stdin=b"line\n")
    assert (execution.stdout, execution.exit_code) == (b"in: line\r\n", 1)


def test_ansibles_exit_code_epilogue() -> None:
    known = "Get-Variable LASTEXITCODE -ErrorAction SilentlyContinue"
    epilogue = f"If (-not $?) {{ If ({known}) {{ exit $LASTEXITCODE }} Else {{ exit 1 }} }}"
    assert _run(f"Set-StrictMode -Version Latest\ncertutil -store Nowhere\n{epilogue}").exit_code == -2147024894
    assert _run(f"Set-StrictMode -Version Latest\nnosuchcommand\n{epilogue}").exit_code == 1
    assert _run(f"Set-StrictMode -Version Latest\nhostname\n{epilogue}").exit_code == 0


def test_the_command_line_is_limited_to_8191_characters() -> None:
    line = _encoded("'" + "x" * 3000 + "'")
    padded = line.replace("PowerShell ", "PowerShell" + " " * (8191 - len(line) + 1))
    assert len(padded) == 8191
    assert cmd.execute(_machine(), padded, b"", "Administrator").exit_code == 0
    execution = cmd.execute(_machine(), padded.replace("PowerShell ", "PowerShell  ", 1), b"", "Administrator")
    assert (execution.stdout, execution.stderr, execution.exit_code) == (b"", b"The command line is too long.\r\n", 1)


def test_native_arguments_lose_double_quotes_and_empty_ones() -> None:
    assert b'MY "' not in _run("certutil -store ''").stdout
    assert _run("certutil -store ''").exit_code == 250, "an empty argument is dropped: no store is named"
    printed = _out("certutil '-store' 'M\"y'")
    assert printed.startswith('My "Personal"'), "the quote is lost on the way"


def test_errors_are_clixml_and_native_stderr_is_not() -> None:
    execution = _run("nosuchcommand")
    assert execution.stderr.startswith(b'#< CLIXML\r\n<Objs Version="1.1.0.1"')
    assert b"The term 'nosuchcommand' is not recognized" in execution.stderr
    key = "HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\Nowhere"
    message = b"ERROR: The system was unable to find the specified registry key or value.\r\n"
    assert _run(f"reg query {key}").stderr == message
    both = _run(f"reg query {key}; nosuchcommand").stderr
    assert both.startswith(message + b"#< CLIXML\r\n")
    assert _run(f"reg query {key} 2>$null").stderr == b""


def test_redirected_native_stderr_ends_a_script_under_stop() -> None:
    key = "HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\Nowhere"
    for redirection in ("2>&1", "2>$null"):
        execution = _run(f"$ErrorActionPreference = 'Stop'; reg query {key} {redirection}; 'not reached'")
        assert (execution.stdout, execution.exit_code) == (b"", 1)
    assert _out(f'$x = reg query {key} 2>&1; "got $x"').startswith("got ERROR: The system")


def test_a_pipe_to_a_native_command_is_ascii_by_default() -> None:
    from lab.powershell.native import _stdin
    from lab.powershell.session import Session

    assert _stdin(Session(_machine(), "Administrator"), ["\u00fcx"]) == b"?x\r\n"


def test_the_language_of_errors() -> None:
    german = _run("nosuchcommand", _machine(language="de")).stderr.decode()
    assert 'Die Benennung "nosuchcommand" wurde nicht als Name eines' in german
    assert "In Zeile:1 Zeichen:1" in german
    assert "\u767a\u751f\u5834\u6240" in _run("nosuchcommand", _machine(language="ja")).stderr.decode()


def test_newer_cmdlets_are_unknown_to_old_releases() -> None:
    script = "'a' | ConvertTo-Json -Compress"
    assert _out(script, _machine("3.0")) == '"a"'
    assert b"is not recognized" in _run(script, _machine("2.0")).stderr
    assert _out("('x').Count", _machine("3.0")) == "1"
    assert _out("'<' + ('x').Count + '>'", _machine("2.0")) == "<>"


@pytest.mark.parametrize(
    "script",
    [
        "while ($true) {}",
        "Get-ChildItem Cert:",
        "ipconfig",
        "[IO.File]::ReadAllText('x')",
        "'a' > file.txt",
        "1.5 + 1",
        "cmd /c ver",
    ],
)
def test_what_is_not_known_is_never_guessed(script: str) -> None:
    execution = _run(script)
    assert execution.exit_code == 250
    assert execution.stderr.startswith(b"not simulated: ")


def test_syntax_errors_run_nothing() -> None:
    execution = _run("'before'; if (")
    assert (execution.stdout, execution.exit_code) == (b"", 1)
    assert b"CLIXML" in execution.stderr


class TestLyncCmdlet:
    script = "Get-CsCertificate | Select-Object Use, Thumbprint | ConvertTo-Csv -NoTypeInformation"
    csv = f'"Use","Thumbprint"\n"Default","{THUMBPRINT}"\n"WebServicesInternal","{THUMBPRINT}"'

    def test_modules_load_by_themselves_from_3_0_on(self) -> None:
        assert _out(self.script, _machine("3.0")) == self.csv
        assert b"is not recognized" in _run(self.script, _machine("2.0")).stderr
        assert _out("Import-Module Lync; " + self.script, _machine("2.0")) == self.csv

    def test_the_module_has_another_name_from_2015_on(self) -> None:
        machine = _machine("5.1", lync=LyncRole("2015"))
        assert _out("(Get-Module -ListAvailable -Name Lync, SkypeForBusiness).Name", machine) == "SkypeForBusiness"
        assert _out("(Get-Module -ListAvailable -Name Lync, SkypeForBusiness | Select-Object -First 1).Name") == "Lync"
        assert b"was not loaded because no" in _run("Import-Module Lync", machine).stderr

    def test_loading_a_module_writes_progress_on_5_1(self) -> None:
        assert b'<Obj S="progress"' in _run("Import-Module Lync", _machine("5.1")).stderr
        assert _run("$ProgressPreference = 'SilentlyContinue'; Import-Module Lync", _machine("5.1")).stderr == b""

    def test_no_lync_no_cmdlet(self) -> None:
        for lync in (None, LyncRole("2013", cmdlets=False)):
            assert b"is not recognized" in _run("Get-CsCertificate", _machine(lync=lync)).stderr

    def test_only_members_of_the_administrators_group_may_ask(self) -> None:
        execution = _run('try { Get-CsCertificate } catch { "no: $_" }', user="reader")
        assert execution.stdout == b"no: Access is denied.\r\n"

    def test_times_are_printed_in_the_culture_of_the_host(self) -> None:
        shown = "'{0}' -f $_.NotBefore; $_.NotBefore.ToString('o'); \"$($_.NotBefore)\""
        script = f"Get-CsCertificate -Type Default | % {{ {shown} }}"
        assert _out(script).split("\n") == [
            "3/1/2026 12:30:00 PM",
            "2026-03-01T12:30:00.0000000+00:00",
            "03/01/2026 12:30:00",
        ]
        german = _out(script, _machine(language="de", utc_offset=1)).split("\n")
        assert german[:2] == ["01.03.2026 13:30:00", "2026-03-01T13:30:00.0000000+01:00"]
        assert _out("(Get-CsCertificate -Type Default).NotBefore.ToUniversalTime().ToString('o')").endswith(
            "12:30:00.0000000Z"
        )

    def test_2010_has_no_identity(self) -> None:
        machine = _machine(lync=LyncRole("2010"))
        assert b"matches parameter name 'Identity'" in _run(
            "Get-CsCertificate -Identity global", machine
        ).stderr.replace(b'_x000D__x000A_</S><S S="Error">', b" ")

    def test_unformatted_output_is_a_list(self) -> None:
        printed = _out("Get-CsCertificate -Type Default")
        assert "AlternativeNames : {a.example, b.example}\n" in printed
        assert "Issuer           : CN=pool.contoso.example\n" in printed
