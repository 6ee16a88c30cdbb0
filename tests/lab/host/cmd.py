# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""cmd.exe of a simulated host, and the start of powershell.exe.

WinRM hands every command line to cmd.exe (WINRS_SKIP_CMD_SHELL is FALSE). A command line of more than 8,191
characters ends with exit code 1 and a message on stderr (measured on Windows by other projects, in several
languages).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from ..powershell.errors import NOT_SIMULATED_EXIT, NotSimulated
from ..powershell.native import split_command_line
from ..powershell.process import run_script
from ..tools import Call, find_tool, is_windows_tool
from ..wire.host import Execution
from . import files
from .events import Event
from .machine import Machine
from .messages import say

COMMAND_LINE_LIMIT = 8191

_POWERSHELL = ("powershell", "powershell.exe", r"c:\windows\system32\windowspowershell\v1.0\powershell.exe")
_OPERATORS = re.compile(r"[&|<>^%]")
_SWITCHES = ("noprofile", "noninteractive", "nologo", "sta", "mta")
_VALUED = ("executionpolicy", "outputformat", "inputformat", "windowstyle", "version")


def execute(machine: Machine, command_line: str, stdin: bytes, user: str) -> Execution:
    """Run what WinRM hands to cmd.exe (winrshost.exe starts ``cmd.exe /C`` with the line, as process lists show)."""
    machine.events.append(Event.process(f"cmd.exe /C {command_line}", user))
    if len(command_line) > COMMAND_LINE_LIMIT:
        return _complain(machine, say(machine.language, "too_long"), 1)
    try:
        return _run(machine, command_line.strip(), stdin, user)
    except NotSimulated as exc:
        return Execution(b"", f"not simulated: {exc}\r\n".encode(), NOT_SIMULATED_EXIT)


def _complain(machine: Machine, message: str, code: int) -> Execution:
    return Execution(b"", f"{message}\r\n".encode(machine.console_encoding, "replace"), code)


def _run(machine: Machine, line: str, stdin: bytes, user: str) -> Execution:
    if not line:
        return Execution(b"", b"", 0)
    if _OPERATORS.search(re.sub(r'"[^"]*"', "", line)):
        raise NotSimulated("operators and variables of cmd.exe")
    name, *words = split_command_line(line)
    if name.lower() in _POWERSHELL:
        machine.events.append(Event.process(line, user))
        return powershell_process(machine, words, stdin, user)
    if name.lower() == "type":
        return _type(machine, words)
    tool = find_tool(name, machine)
    if tool is None:
        if is_windows_tool(name) or name.lower() in (
            "echo",
            "set",
            "dir",
            "ver",
            "cd",
            "if",
            "for",
            "call",
            "del",
            "copy",
        ):
            raise NotSimulated(f"the command {name}")
        return _complain(machine, say(machine.language, "unknown_command", name), 1)
    machine.events.append(Event.process(line, user))
    result = tool(Call(machine, words, user, stdin))
    encoding = machine.console_encoding
    return Execution(
        result.stdout.encode(encoding, "replace"), result.stderr.encode(encoding, "replace"), result.exit_code
    )


def _type(machine: Machine, words: Sequence[str]) -> Execution:
    """The builtin that a raw command reaches on ansible-core 2.19 and 2.20 (seen in its winrm plugin)."""
    output = b""
    for word in words:
        if not files.exists(machine, word):
            return _complain(machine, say(machine.language, "file_missing"), 1)
        output += files.read(machine, word)
    return Execution(output, b"", 0)


def powershell_process(machine: Machine, words: Sequence[str], stdin: bytes, user: str) -> Execution:
    """Start powershell.exe with ``-EncodedCommand``, as Ansible does.

    Raises:
        NotSimulated: another form of its command line.

    """
    rest = list(words)
    while rest:
        option = rest.pop(0)
        name = option[1:].lower() if option[:1] in "-/" else ""
        if name in _SWITCHES:
            continue
        if name in _VALUED and rest:
            rest.pop(0)
        elif name in ("encodedcommand", "e", "ec", "enc") and len(rest) == 1:
            return run_script(machine, _decoded(rest[0]), stdin, user)
        else:
            raise NotSimulated(f"powershell.exe {option}")
    raise NotSimulated("powershell.exe without a command")


def _decoded(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise NotSimulated("an -EncodedCommand that is not base64 of UTF-16LE") from exc
