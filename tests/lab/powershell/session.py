# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of one powershell.exe process, and where its output goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ..host.machine import Machine
from . import clixml
from .errors import ErrorRecord, NotSimulated, PSError
from .formatting import error_lines, output_text
from .values import Value, to_text

_FREE_IN_1252 = (0x81, 0x8D, 0x8F, 0x90, 0x9D)


class Sink(Protocol):
    """Takes the output of a pipeline."""

    def emit(self, value: Value) -> None:
        """Take one object."""

    def native(self, output: bytes) -> None:
        """Take what a native command wrote to standard output."""


class Collector:
    """Keeps the output as objects: a native command's output becomes lines of text."""

    def __init__(self, encoding: str) -> None:
        self.items: list[Value] = []
        self._encoding = encoding

    def emit(self, value: Value) -> None:
        """Take one object."""
        self.items.append(value)

    def native(self, output: bytes) -> None:
        """Take a native command's output."""
        self.items += native_lines(output, self._encoding)


class Nowhere:
    """Drops all output."""

    def emit(self, value: Value) -> None:
        """Drop an object."""

    def native(self, output: bytes) -> None:
        """Drop bytes."""


def decoded(output: bytes, encoding: str) -> str:
    """Bytes as .NET decodes them. It gives the five bytes that code page 1252 leaves free the character of their number
    (MultiByteToWideChar; Unicode's best-fit table for 1252); Python does not decode them.
    """
    if encoding != "cp1252":
        return output.decode(encoding, "replace")
    return "".join(bytes([byte]).decode("latin-1" if byte in _FREE_IN_1252 else encoding) for byte in output)


def native_lines(output: bytes, encoding: str) -> list[str]:
    """A native command's output as PowerShell reads it: lines without their ends, in [Console]::OutputEncoding."""
    text = decoded(output, encoding).replace("\r\n", "\n").replace("\r", "\n")
    if not text:
        return []
    return text.removesuffix("\n").split("\n")


@dataclass
class Session:
    """The process."""

    machine: Machine
    user: str
    stdin: bytes = b""
    variables: dict[str, Value] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    succeeded: bool = True
    """The variable ``$?``."""
    strict: bool = False
    trying: int = 0
    """How many try statements are being run."""
    output: list[bytes] = field(default_factory=list)
    errors: list[bytes | clixml.Record] = field(default_factory=list)
    error_targets: list[Sink] = field(default_factory=list)
    """Where a redirection sends error records; the innermost last."""
    encoding: str = "utf-8"
    """[Console]::OutputEncoding; WinRS clients choose code page 65001 for the console."""
    assemblies: set[str] = field(default_factory=set)
    """What the script has loaded, in lower case."""
    inputs: list[list[Value] | None] = field(init=False)
    """What ``$input`` gives the script and each script block that is being run in it, the innermost last; None once
    it was read."""

    def __post_init__(self) -> None:
        self.inputs = [self.input_values()]

    @property
    def console_encoding(self) -> str:
        """What the console tools that it starts write."""
        return self.machine.console_encoding

    @property
    def is_remote(self) -> bool:
        """Whether it runs in the remoting endpoint, which has no console."""
        return False

    def host_line(self, text: str) -> None:
        """A line past any pipeline: standard output of the process."""
        self.emit(text)

    def emit(self, value: Value) -> None:
        """Print an object: the session is the sink of its script."""
        self.output.append(output_text(value, self.machine, self.encoding))

    def native(self, output: bytes) -> None:
        """A native command that is last in its pipeline writes to the process's own standard output."""
        self.output.append(output)

    @property
    def preference(self) -> str:
        """``$ErrorActionPreference`` in lower case."""
        return to_text(self.variables.get("erroractionpreference", "Continue")).lower()

    def report(self, record: ErrorRecord, action: str | None = None) -> None:
        """A non-terminating error.

        Raises:
            PSError: the preference is Stop.

        """
        action = action or self.preference
        self.succeeded = False
        if action == "stop":
            raise PSError(record)
        if action not in ("silentlycontinue", "ignore"):
            self.show(record)

    def show(self, record: ErrorRecord) -> None:
        """Write an error record to the error stream."""
        if self.error_targets:
            self.error_targets[-1].emit(record)
        else:
            self.errors += [clixml.Record("Error", line) for line in error_lines(record, self.machine)]

    def warn(self, message: str, action: str | None = None) -> None:
        """A warning, shown as the preference says.

        Raises:
            NotSimulated: the preference is other than Continue, SilentlyContinue and Ignore.

        """
        wanted = action or to_text(self.variables.get("warningpreference", "Continue")).lower()
        if wanted not in ("continue", "silentlycontinue", "ignore"):
            raise NotSimulated(f"the warning preference {wanted}")
        if wanted == "continue":
            self.show_warning(message)

    def show_warning(self, message: str) -> None:
        """Write to the warning stream. The host serializes it to a redirected stderr (PowerShell source,
        ConsoleHostUserInterface.WriteWarningLine).
        """
        self.errors.append(clixml.Record("warning", message))

    def progress(self, activity: str) -> None:
        """A progress record. Windows PowerShell serializes it to a redirected stderr, as a module's first load does."""
        wanted = to_text(self.variables.get("progresspreference", "Continue")).lower() == "continue"
        if wanted and self.machine.powershell_release >= (5, 1):
            self.errors.append(clixml.Record("progress", activity))

    def read_input(self) -> list[Value]:
        """``$input``: an enumerator, which is at its end when it was enumerated (about_Automatic_Variables).

        Raises:
            NotSimulated: the script asks for it once more, and what it gives depends on what was done with it before.

        """
        values, self.inputs[-1] = self.inputs[-1], None
        if values is None:
            raise NotSimulated("$input for the second time")
        return values

    def input_values(self) -> list[Value]:
        """Standard input as ``$input`` gives it: lines, read as UTF-8 (code page 65001)."""
        return native_lines(self.stdin, "utf-8")

    def standard_error(self) -> bytes:
        """All that the process wrote to standard error."""
        return clixml.render(self.errors)
