# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One powershell.exe: a script in, output and exit code out.

Exit code: what ``exit`` says; 1 when the script ends by an error or its last statement failed (``$?`` is false, so
also after a native command that did not end with 0); else 0 (measured: PowerShell flattens a native
command's code to 0 or 1).
"""

from __future__ import annotations

from ..host.events import Event
from ..host.machine import Machine
from ..wire.host import Execution
from . import cmdlets, filesystem, lync
from .errors import NOT_SIMULATED_EXIT, Break, Continue, ErrorRecord, Exit, NotSimulated, PSError, Return, SyntaxFault
from .interpreter import Interpreter
from .nodes import Block
from .parser import Parser, parse
from .session import Session

_REGISTERED = (cmdlets, filesystem, lync)
"""Imported for the cmdlets that they register."""


def run_script(machine: Machine, script: str, stdin: bytes, user: str) -> Execution:
    """Run a script to its end."""
    session = Session(machine, user, stdin)
    machine.events.append(Event.script(script, user))
    try:
        block, source = parse(script)
        code = _run(session, Interpreter(session, source), block)
    except SyntaxFault as fault:
        session.show(parse_error(script, fault))
        code = 1
    except NotSimulated as exc:
        complaint = f"not simulated: {exc}\r\n".encode()
        return Execution(b"".join(session.output), complaint, NOT_SIMULATED_EXIT)
    return Execution(b"".join(session.output), session.standard_error(), code)


def parse_error(script: str, fault: SyntaxFault) -> ErrorRecord:
    """The error of a script that cannot be parsed."""
    place = Parser(script).position(min(fault.position, len(script)))
    category = "ParserError: (:) [], ParentContainsErrorRecordException"
    return ErrorRecord(fault.message, "", "ParserError", category, place)


def _run(session: Session, interpreter: Interpreter, block: Block) -> int:
    try:
        interpreter.run(block, session)
    except Exit as leave:
        return leave.code
    except PSError as error:
        session.error_targets.clear()
        session.show(error.record)
        return 1
    except (Return, Break, Continue):
        pass
    return 0 if session.succeeded else 1
