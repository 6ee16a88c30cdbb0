# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts in the runspaces of a simulated host, and how they differ from those in powershell.exe."""

from __future__ import annotations

from typing import Any

import pytest
from lab.host.machine import Account, LyncRole, Machine
from lab.powershell.remote import Runspace
from lab.scenario import parse
from lab.wire.host import ScriptResult


def runspace(**values: Any) -> Runspace:
    fields = {"powershell": "4.0", "stores": {"MY": [], "CA": [], "ROOT": []}, "accounts": {"ops": Account("x")}}
    return Runspace(Machine("FE01", **fields | values), "ops")


def run(script: str, given: tuple[object, ...] = (), **values: Any) -> ScriptResult:
    return runspace(**values).run(script, given, True)


QUERY = r"reg.exe query HKLM\SOFTWARE\Microsoft\SystemCertificates"
MISSING = QUERY + r"\None"


@pytest.mark.parametrize(
    ("script", "given", "output"),
    [
        ("'one'; 2; $true", (), ["one", 2, True]),
        ("$input | Out-String", ("a\nb",), ["a\r\nb\r\n"]),
        ('foreach ($one in $input) { "<$one>" }', ("a\nb", 5), ["<a\nb>", "<5>"]),
        ("$PSVersionTable.PSVersion.Major", (), [4]),
    ],
)
def test_output_is_objects(script, given, output):
    assert run(script, given) == ScriptResult(output, [], [])


def test_a_native_command_gives_lines_and_its_exit_code():
    result = run(QUERY + "; exit $LASTEXITCODE")
    assert [line.rpartition("\\")[2] for line in result.output if line] == ["CA", "MY", "ROOT"]
    assert (result.exit_code, result.errors, result.failure) == (0, [], None)


def test_standard_error_of_a_native_command_becomes_error_records():
    result = run(MISSING + "; exit $LASTEXITCODE")
    assert (result.output, result.exit_code) == ([], 1)
    assert result.errors[0].error_id == "NativeCommandError"
    assert (result.errors[0].command, result.errors[0].message[:5]) == ("reg.exe", "ERROR")


def test_such_a_record_ends_the_script_when_the_preference_is_stop():
    result = run(f"$ErrorActionPreference = 'Stop'; {MISSING}; 'after'")
    assert (result.output, result.exit_code) == ([], None)
    assert result.failure is not None
    assert "ERROR" in result.failure.message


def test_the_exit_code_outlives_a_script_and_a_local_variable_does_not():
    remote = runspace()
    remote.run("$mine = 1; " + MISSING, (), True)
    assert remote.run('"$mine|$LASTEXITCODE"', (), True).output == ["|1"]
    remote.run("$mine = 2", (), False)
    assert remote.run('"$mine"', (), True).output == ["2"]


def test_a_module_stays_loaded():
    remote = runspace(powershell="2.0", lync=LyncRole("2010"))
    assert remote.run("Get-CsCertificate", (), True).errors
    remote.run("Import-Module Lync", (), True)
    assert remote.run("Get-CsCertificate", (), True).errors == []


@pytest.mark.parametrize(
    ("language", "name", "read"),
    [
        ("en", "Zürich", "Z\x81rich"),
        ("de", "Größe", "Gr\u201d\xe1e"),
        ("fr", "Été", "\x90t\u201a"),
        ("ja", "会議", "会議"),
    ],
)
def test_a_tool_prints_in_the_oem_code_page_and_is_read_in_that_of_ansi(language, name, read):
    store = {"My": [{"subject": f"CN={name}", "issuer": "self"}]}
    machine = parse({"hosts": [{"name": "a", "language": language, "stores": store}]}, "test").hosts[0].machine
    result = Runspace(machine, "Administrator").run("certutil.exe -store My", (), True)
    assert f"CN={read}" in "\n".join(map(str, result.output))


def test_an_unknown_command_does_not_end_the_script():
    result = run("nonsense.exe; 'after'")
    assert result.output == ["after"]
    assert "nonsense.exe" in result.errors[0].position
    assert result.errors[0].category.startswith("ObjectNotFound: (nonsense.exe:String)")


def test_throw_and_a_script_that_cannot_be_parsed_fail():
    thrown, broken = run("'a'; throw 'enough'; 'b'"), run("if (")
    assert thrown.failure is not None
    assert (thrown.output, thrown.failure.message) == (["a"], "enough")
    assert broken.failure is not None
    assert broken.failure.error_id == "ParserError"


def test_write_host_goes_past_the_pipeline():
    result = run("$kept = Write-Host 'told'; 'done'")
    assert (result.output, result.host_lines) == (["done"], ["told"])


@pytest.mark.parametrize(
    "script", ["powershell.exe -EncodedCommand MQA=", "New-Object PSObject -Property @{a = 1}", "Get-Process"]
)
def test_what_is_not_simulated_says_so(script):
    result = run(script)
    assert result.exit_code == 250
    assert result.failure is not None
    assert result.failure.message.startswith("not simulated")
