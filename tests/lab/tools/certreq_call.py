# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call of ``certreq.exe`` after its arguments have been told apart, and how all its verbs fail."""

from __future__ import annotations

import ntpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..host import files
from ..host.machine import Machine, bare_name
from ..powershell.errors import NotSimulated
from . import hresult
from .base import Call, Result


@dataclass(frozen=True)
class CertreqCall:
    """One start of certreq."""

    verb: str
    """Without its dash, in lower case; ``submit`` when none was given."""
    options: Mapping[str, str | bool] = field(default_factory=dict)
    """By name without dash, in lower case: True, or the value of an option that takes one."""
    operands: Sequence[str] = ()
    call: Call = field(kw_only=True)

    @property
    def machine(self) -> Machine:
        """The host."""
        return self.call.machine

    def flag(self, name: str) -> bool:
        """Whether an option without a value was given."""
        return name in self.options

    def value(self, name: str) -> str | None:
        """The value of an option, None when it was not given."""
        value = self.options.get(name)
        return value if isinstance(value, str) else None

    def path(self, number: int) -> str | None:
        """An operand as a full path; the current directory is the user's profile. None when it was not given."""
        if number >= len(self.operands):
            return None
        return full_path(self.call, self.operands[number])


class CertreqFault(Exception):
    """The call ends with an HRESULT."""

    def __init__(self, code: int, before: str = "") -> None:
        super().__init__(f"0x{code:08x}")
        self.code = code
        self.before = before
        """What was printed before, with line feeds."""


def full_path(call: Call, given: str) -> str:
    """A path from the current directory, which is the user's profile."""
    return ntpath.normpath(ntpath.join(rf"C:\Users\{bare_name(call.user)}", given))


def done(text: str) -> Result:
    """Success; the lines have line feeds."""
    return Result(text.replace("\n", "\r\n"))


def failed(fault: CertreqFault) -> Result:
    """``Certificate Request Processor: ...`` on stdout and the HRESULT as exit code (transcripts)."""
    line = f"Certificate Request Processor: {hresult.meaning(fault.code)} {hresult.shown(fault.code)}\n"
    return Result((fault.before + line).replace("\n", "\r\n"), exit_code=hresult.signed(fault.code))


def read(arguments: CertreqCall, path: str) -> bytes:
    """The bytes of an input file.

    Raises:
        CertreqFault: it cannot be read.
    """
    try:
        return files.read(arguments.machine, path)
    except files.FileFault as fault:
        raise CertreqFault(_CODES[fault.exception]) from fault


def write(arguments: CertreqCall, path: str, data: bytes, before: str = "") -> None:
    """Write an output file. One that exists needs ``-f``; without it a window asks, and under ``-q`` the call fails.

    Raises:
        CertreqFault: the file exists, or it cannot be written.
        NotSimulated: certreq waits for a window.
    """
    if files.exists(arguments.machine, path) and not arguments.flag("f"):
        if not arguments.flag("q"):
            raise NotSimulated(f"certreq -{arguments.verb} waits for a window: may it replace {path}?")
        raise CertreqFault(hresult.FILE_EXISTS, before)
    try:
        files.write(arguments.machine, path, data)
    except files.FileFault as fault:
        raise CertreqFault(_CODES[fault.exception], before) from fault


_CODES = {
    "FileNotFoundException": hresult.FILE_NOT_FOUND,
    "DirectoryNotFoundException": hresult.PATH_NOT_FOUND,
    "UnauthorizedAccessException": hresult.ACCESS_DENIED,
    "IOException": hresult.DISK_FULL,
}
