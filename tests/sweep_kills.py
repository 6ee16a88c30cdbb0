# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends processes of a simulated host in the middle of a script, as a power cut or the end of a job does.

A process that is ended runs nothing more, no ``finally`` either. Its files are closed by Windows; what it had printed
may have reached the client. Counted are the statements of all scripts of the host, those in blocks too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lab.host.machine import Machine
from lab.powershell import process
from lab.powershell.errors import Exit
from lab.powershell.interpreter import Interpreter
from lab.powershell.nodes import Statement
from lab.powershell.session import Sink

_KILLED = 1
"""The exit code that TerminateProcess was given by taskkill."""


class Watch:
    """Counts the statements that run on a machine and ends the process at one of them.

    :param at: its number, from 1 on; 0 ends none.
    :param when: or the first one at which this holds.
    :param then: called when the process has ended.
    """

    def __init__(
        self, at: int = 0, when: Callable[[], bool] | None = None, then: Callable[[], None] | None = None
    ) -> None:
        self.statements = 0
        self.struck = False
        self._at = at
        self._when = when
        self._then = then

    def ends(self) -> bool:
        """Whether the process ends before its next statement."""
        self.statements += 1
        if self.struck or not (self.statements == self._at or (self._when and self._when())):
            return False
        self.struck = True
        if self._then:
            self._then()
        return True


class _Mortal(Interpreter):
    """A script whose process may end."""

    ended = False

    def statement(self, statement: Statement, sink: Sink) -> None:
        watch = _WATCHES.get(id(self.session.machine))
        if watch and not self.ended and watch.ends():
            self.ended = True
            self.session.variables.clear()  # the streams that keep files for themselves
        if self.ended:
            raise Exit(_KILLED)
        super().statement(statement, sink)


_WATCHES: dict[int, Watch] = {}
_LOCK = threading.Lock()


@contextmanager
def watched(machine: Machine, watch: Watch) -> Iterator[Watch]:
    """Let scripts of a machine run under watch."""
    with _LOCK:
        _WATCHES[id(machine)] = watch
        process.Interpreter = _Mortal
    try:
        yield watch
    finally:
        with _LOCK:
            del _WATCHES[id(machine)]
            if not _WATCHES:
                process.Interpreter = Interpreter
