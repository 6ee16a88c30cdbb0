# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Native commands in a script: how Windows PowerShell 5.1 and older starts them and takes what they give.

Arguments: an empty one is dropped, an embedded double quote is not escaped and so is lost to the command's C runtime
(PowerShell issue 1995). Standard error: untouched it goes to the process's own; redirected, and always in
the remoting endpoint, each line becomes an error record, which ends the script when ``$ErrorActionPreference`` is Stop
(PowerShell issues 3996 and 4002).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..host.events import Event
from ..host.machine import Machine, bare_name
from ..host.messages import say
from ..tools import Call, find_tool, is_windows_tool
from .errors import ErrorRecord, NotSimulated, PSError
from .session import Session, Sink, native_lines
from .values import Value, to_text

_POWERSHELL = ("powershell", "powershell.exe", r"c:\windows\system32\windowspowershell\v1.0\powershell.exe")


@dataclass(frozen=True)
class Argument:
    """An argument of a command: a value, or a parameter with or without one."""

    text: str | None
    name: str | None
    value: Value
    has_value: bool


@dataclass(frozen=True)
class Context:
    """Where a command stands."""

    values: list[Value] | None
    """What the pipeline gives it; None if it is first."""
    sink: Sink
    place: tuple[int, int, str]
    errors_redirected: bool


def run(session: Session, name: str, arguments: Sequence[Argument], context: Context) -> None:
    """Run a native command.

    Raises:
        NotSimulated: Windows has the command and the lab has not.
        PSError: there is no such command, or its stderr ends the script.

    """
    bare = name.lower()
    nested = bare in _POWERSHELL
    tool = find_tool(name, session.machine)
    if tool is None and not nested:
        if is_windows_tool(name):
            raise NotSimulated(f"the command {name}")
        raise not_recognized(session.machine, name, context.place)
    line = " ".join(quoted(word) for word in words_of(arguments))
    words = split_command_line(line)
    stdin = _stdin(session, context.values)
    if nested and session.is_remote:
        raise NotSimulated("powershell.exe in the remoting endpoint")
    session.machine.events.append(Event.process(f"{name} {line}".rstrip(), session.user))
    if nested:
        from ..host.cmd import powershell_process  # the two start each other

        execution = powershell_process(
            session.machine, words, session.stdin if context.values is None else stdin, session.user
        )
        stdout, stderr, code = execution.stdout, execution.stderr, execution.exit_code
    else:
        assert tool is not None
        result = tool(Call(session.machine, words, session.user, stdin))
        encoding = session.console_encoding
        stdout, stderr = result.stdout.encode(encoding, "replace"), result.stderr.encode(encoding, "replace")
        code = result.exit_code
    code = (code & 0xFFFFFFFF) - (1 << 32 if code & 0x80000000 else 0)
    session.variables["lastexitcode"] = code
    context.sink.native(stdout)
    _standard_error(session, name, stderr, context)
    session.succeeded = code == 0


def _standard_error(session: Session, name: str, stderr: bytes, context: Context) -> None:
    if not context.errors_redirected and not session.is_remote:
        if stderr:
            session.errors.append(stderr)
        return
    for number, line in enumerate(native_lines(stderr, session.encoding)):
        identifier = "NativeCommandError" if number == 0 else "NativeCommandErrorMessage"
        category = f"NotSpecified: ({line}:String) [], RemoteException"
        record = ErrorRecord(line, name if number == 0 else "", identifier, category, None if number else context.place)
        if session.preference == "stop":
            raise PSError(record)
        session.show(record)


def _stdin(session: Session, values: list[Value] | None) -> bytes:
    """Objects that are piped to a native command, as lines in ``$OutputEncoding``: ASCII by default up to 5.1."""
    if values is None:
        return b""
    if "outputencoding" in session.variables:
        return "".join(to_text(value) + "\r\n" for value in values).encode("utf-8")
    return "".join(to_text(value) + "\r\n" for value in values).encode("ascii", "replace")


def words_of(arguments: Sequence[Argument]) -> list[str]:
    """The arguments as text; an array gives several."""
    words: list[str] = []
    for argument in arguments:
        prefix = argument.text or ""
        if argument.text is not None and not argument.has_value:
            words.append(prefix)
        elif isinstance(argument.value, list):
            words += [to_text(item) for item in argument.value]
        else:
            words.append(prefix + to_text(argument.value))
    return words


def quoted(word: str) -> str:
    """A word in the command line that Windows PowerShell builds: quoted if blanks are in it, nothing escaped."""
    if any(character.isspace() for character in word) and not word.startswith('"'):
        return f'"{word}"'
    return word


def split_command_line(line: str) -> list[str]:
    """The arguments of a command line by the rules of the Microsoft C runtime."""
    words: list[str] = []
    word: str | None = None
    inside = False
    at = 0
    while at < len(line):
        character = line[at]
        if character == "\\":
            end = at
            while end < len(line) and line[end] == "\\":
                end += 1
            count = end - at
            if line[end : end + 1] == '"':
                word = (word or "") + "\\" * (count // 2)
                if count % 2:
                    word += '"'
                    end += 1
            else:
                word = (word or "") + "\\" * count
            at = end
            continue
        if character == '"':
            inside = not inside
            word = word or ""
        elif character in " \t" and not inside:
            if word is not None:
                words.append(word)
            word = None
        else:
            word = (word or "") + character
        at += 1
    return words if word is None else [*words, word]


def not_recognized(machine: Machine, name: str, place: tuple[int, int, str]) -> PSError:
    """The error for a command that does not exist."""
    message = say(machine.language, "not_recognized", name)
    category = f"ObjectNotFound: ({name}:String) [], CommandNotFoundException"
    return PSError(ErrorRecord(message, name, "CommandNotFoundException", category, place))


def environment(machine: Machine, user: str) -> Mapping[str, str]:
    """The environment variables that scripts ask for."""
    bare = bare_name(user)
    return {
        "computername": machine.name.upper()[:15],
        "userdomain": machine.netbios_domain,
        "userdnsdomain": machine.domain.upper(),
        "username": bare,
        "systemroot": r"C:\Windows",
        "windir": r"C:\Windows",
        "systemdrive": "C:",
        "temp": rf"C:\Users\{bare}\AppData\Local\Temp",
        "tmp": rf"C:\Users\{bare}\AppData\Local\Temp",
        "processor_architecture": "AMD64",
    }
