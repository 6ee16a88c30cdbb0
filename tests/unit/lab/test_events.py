# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host records of processes and scripts: command lines and script texts, and nothing of standard input."""

from __future__ import annotations

import base64

from lab.host import cmd
from lab.host.events import PROCESS_CREATED, SCRIPT_BLOCK, Event
from lab.host.machine import Account, Machine
from lab.powershell.remote import Runspace

POWERSHELL = "powershell -NoProfile -EncodedCommand "


def _machine() -> Machine:
    accounts = {"admin": Account("x")}
    return Machine("FE01", domain="fabrikam.example", accounts=accounts, stores={"MY": []})


def _encoded(script: str) -> str:
    return POWERSHELL + base64.b64encode(script.encode("utf-16-le")).decode()


def test_a_script_over_winrm() -> None:
    machine = _machine()
    script = "$p=@($input) -join '';& 'certutil.exe' '-store' 'My' $p"
    line = _encoded(script)
    cmd.execute(machine, line, b"from standard input", "FABRIKAM\\admin")
    user = "FABRIKAM\\admin"
    assert machine.events == [
        Event(PROCESS_CREATED, f"cmd.exe /C {line}", user),
        Event(PROCESS_CREATED, line, user),
        Event(SCRIPT_BLOCK, script, user),
        Event(PROCESS_CREATED, 'certutil.exe -store My "from standard input"', user),
    ]


def test_what_stays_on_standard_input_is_not_recorded() -> None:
    machine = _machine()
    execution = cmd.execute(machine, _encoded("(@($input) -join '').Length"), b"secret-0123", "admin")
    assert execution.stdout.strip() == b"11"
    assert len(machine.events) == 3
    assert not any("secret" in event.text for event in machine.events)


def test_a_script_that_comes_over_standard_input_is_a_script_block() -> None:
    machine = _machine()
    run = "&([ScriptBlock]::Create((@($input) -join '')))"
    assert cmd.execute(machine, _encoded(run), b"'a'+'b'", "admin").stdout.strip() == b"ab"
    invoke = "Invoke-Expression \"'c'+'d'\""
    assert cmd.execute(machine, _encoded(invoke), b"", "admin").stdout.strip() == b"cd"
    scripts = [event.text for event in machine.events if event.id == SCRIPT_BLOCK]
    assert scripts == [run, "'a'+'b'", invoke, "'c'+'d'"]


def test_a_script_that_starts_another() -> None:
    machine = _machine()
    inner = _encoded("1")
    cmd.execute(machine, _encoded(inner), b"", "admin")
    assert [event.text for event in machine.events][-3:] == [inner, inner, "1"]


def test_native_tools_and_builtins_of_cmd() -> None:
    machine = _machine()
    machine.files[r"C:\a.txt"] = b"a"
    cmd.execute(machine, "reg query HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\MY", b"", "admin")
    cmd.execute(machine, r"type C:\a.txt", b"", "admin")
    assert [event.text for event in machine.events] == [
        "cmd.exe /C reg query HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\MY",
        "reg query HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\MY",
        r"cmd.exe /C type C:\a.txt",
    ]


def test_the_remoting_endpoint() -> None:
    machine = _machine()
    script = "& 'whoami.exe' '/user'"
    Runspace(machine, "admin").run(script, ["an object of the client"], True)
    assert machine.events == [
        Event(SCRIPT_BLOCK, script, "admin"),
        Event(PROCESS_CREATED, "whoami.exe /user", "admin"),
    ]
