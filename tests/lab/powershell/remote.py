# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runspace of the PowerShell remoting endpoint (wsmprovhost.exe): a script in, objects and error records out.

It has no console. A console tool gets one of its own with the OEM code page; .NET, which finds none, decodes the
tool's output with the ANSI code page (PowerShell issue 15128, said there of Windows PowerShell too). So what a tool
prints beyond ASCII arrives garbled where the two code pages differ. A module that is loaded and the last exit code
outlive a script, its variables only without a scope of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..host.events import Event
from ..host.machine import ANSI_CODE_PAGES, OEM_CODE_PAGES, Machine
from ..lync.journal import commanded
from ..wire.host import ScriptError, ScriptResult
from .adsi import COLLECTION
from .errors import NOT_SIMULATED_EXIT, Break, Continue, ErrorRecord, Exit, NotSimulated, PSError, Return, SyntaxFault
from .formatting import position_lines
from .interpreter import Interpreter
from .parser import parse
from .process import parse_error
from .session import Session, native_lines
from .values import PSObject, Value


@dataclass
class RemoteSession(Session):
    """One script in a runspace."""

    values: Sequence[Value] = ()
    """What ``$input`` gives."""
    objects: list[str | int] = field(default_factory=list)
    records: list[ErrorRecord] = field(default_factory=list)
    host_lines: list[str] = field(default_factory=list)

    @property
    def console_encoding(self) -> str:
        """The OEM code page of the machine."""
        return OEM_CODE_PAGES[self.machine.language]

    @property
    def is_remote(self) -> bool:
        """It is."""
        return True

    def emit(self, value: Value) -> None:
        """Send an object.

        Raises:
            NotSimulated: it is not text or a number, and PowerShell would take it apart into its properties.

        """
        if isinstance(value, PSObject) and value.type_name == COLLECTION:
            value = value.text
        if not isinstance(value, str | int):
            raise NotSimulated(f"{type(value).__name__} as output of a remote script; make it text")
        self.objects.append(value)

    def native(self, output: bytes) -> None:
        """Send a native command's output as lines."""
        self.objects += native_lines(output, self.encoding)

    def show(self, record: ErrorRecord) -> None:
        """Write an error record to the error stream."""
        if self.error_targets:
            self.error_targets[-1].emit(record)
        else:
            self.records.append(record)

    def show_warning(self, message: str) -> None:
        """Write to the warning stream; the lab's endpoint does not send it, Ansible's psrp plugin does not read it."""

    def host_line(self, text: str) -> None:
        """Write a line to the host of the client."""
        self.host_lines.append(text)

    def input_values(self) -> list[Value]:
        """The objects that the client sent."""
        return list(self.values)


class Runspace:
    """A runspace as the wire wants it (``lab.wire.host.Runspace``)."""

    def __init__(self, machine: Machine, user: str) -> None:
        self._machine = machine
        self._user = user
        self._modules: set[str] = set()
        self._variables: dict[str, Value] = {}

    @property
    def powershell(self) -> str:
        """The version of the machine."""
        return self._machine.powershell

    def run(self, script: str, values: Sequence[object], local_scope: bool) -> ScriptResult:
        """Run a script to its end."""
        with commanded(self._machine):
            return self._run(script, values, local_scope)

    def _run(self, script: str, values: Sequence[object], local_scope: bool) -> ScriptResult:
        session = RemoteSession(
            self._machine,
            self._user,
            modules=self._modules,
            variables=dict(self._variables) if local_scope else self._variables,
            encoding=ANSI_CODE_PAGES[self._machine.language],
            values=values,
        )
        self._machine.events.append(Event.script(script, self._user))
        exit_code: int | None = None
        failure: ErrorRecord | None = None
        try:
            block, source = parse(script)
            Interpreter(session, source).run(block, session)
        except Exit as leave:
            exit_code = leave.code
        except SyntaxFault as fault:
            failure = parse_error(script, fault)
        except PSError as error:
            failure = error.record
        except NotSimulated as exc:
            exit_code, failure = NOT_SIMULATED_EXIT, ErrorRecord(f"not simulated: {exc}")
        except (Return, Break, Continue):
            pass
        if "lastexitcode" in session.variables:
            self._variables["lastexitcode"] = session.variables["lastexitcode"]
        return ScriptResult(
            session.objects,
            [self._error(record) for record in session.records],
            session.host_lines,
            exit_code,
            self._error(failure) if failure else None,
        )

    def _error(self, record: ErrorRecord) -> ScriptError:
        position = "\r\n".join(position_lines(record, self._machine))
        return ScriptError(record.message, record.source, record.error_id, record.category, position)
