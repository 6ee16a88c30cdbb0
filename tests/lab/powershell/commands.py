# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which commands a session knows, and how their parameters are bound."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..lync import rules
from .errors import ErrorRecord, NotSimulated, PSError
from .native import Argument
from .session import Session, Sink
from .values import PSObject, Value, to_text, truth

if TYPE_CHECKING:
    from .interpreter import Interpreter

ALIASES = {
    "%": "ForEach-Object",
    "?": "Where-Object",
    "where": "Where-Object",
    "foreach": "ForEach-Object",
    "select": "Select-Object",
    "sort": "Sort-Object",
    "echo": "Write-Output",
    "write": "Write-Output",
    "iex": "Invoke-Expression",
    "ipmo": "Import-Module",
    "gmo": "Get-Module",
    "gcm": "Get-Command",
    "gv": "Get-Variable",
    "ri": "Remove-Item",
    "rm": "Remove-Item",
    "rmdir": "Remove-Item",
    "rd": "Remove-Item",
    "del": "Remove-Item",
    "erase": "Remove-Item",
}

SINCE = {"convertto-json": (3, 0), "convertfrom-json": (3, 0), "get-ciminstance": (3, 0), "get-filehash": (4, 0)}
"""The first release with a cmdlet, where that is later than 2.0."""

_COMMON = {
    **{"erroraction": "ea", "warningaction": "wa", "verbose": "vb", "debug": "db"},
    **{"errorvariable": "ev", "warningvariable": "wv", "outvariable": "ov", "outbuffer": "ob"},
}
"""The common parameters of PowerShell 2.0 with their aliases (about_CommonParameters)."""
COMMON_PARAMETERS = (
    *("Verbose", "Debug", "ErrorAction", "WarningAction", "ErrorVariable", "WarningVariable"),
    *("OutVariable", "OutBuffer"),
)
_CMDLET = re.compile(r"[A-Za-z]+-[A-Za-z]\w*\Z")


@dataclass(frozen=True)
class Bound:
    """Parameters by their full name in lower case; ``rest`` are the values bound by position."""

    named: dict[str, Value]
    rest: list[Value]

    def text(self, name: str, default: str = "") -> str:
        """A parameter as text."""
        return to_text(self.named[name]) if name in self.named else default

    def flag(self, name: str) -> bool:
        """A switch."""
        return truth(self.named.get(name, False))


@dataclass
class Invocation:
    """One call of a cmdlet."""

    name: str
    interpreter: Interpreter
    arguments: Sequence[Argument]
    values: list[Value] | None
    """What the pipeline gives; None if the cmdlet is first."""
    sink: Sink
    place: tuple[int, int, str]
    action: str | None = field(default=None)
    warning_action: str | None = field(default=None)
    _kept: dict[str, list[Value]] = field(default_factory=dict)
    """What -ErrorVariable and -WarningVariable collect."""

    @property
    def session(self) -> Session:
        """The session of the script."""
        return self.interpreter.session

    @property
    def input(self) -> list[Value]:
        """What the pipeline gives; nothing if the cmdlet is first."""
        return self.values or []

    def bind(self, named: Sequence[str] = (), switches: Sequence[str] = ()) -> Bound:
        """Bind the arguments. A parameter may be shortened as far as it stays unambiguous.

        Raises:
            NotSimulated: a parameter that the lab does not know for this cmdlet.

        """
        found: dict[str, Value] = {}
        rest: list[Value] = []
        waiting = None
        for argument in self.arguments:
            if argument.name is None:
                if waiting:
                    found[waiting] = argument.value
                    waiting = None
                else:
                    rest.append(argument.value)
                continue
            name = self._parameter(argument.name.lower(), [*named, *switches])
            if argument.has_value:
                found[name] = argument.value
            elif name in switches or name in ("verbose", "debug"):
                found[name] = True
            else:
                waiting = name
        if waiting:
            message = f"Missing an argument for parameter '{waiting}'. Specify a parameter and try again."
            raise self.error(message, "MissingArgument", "InvalidArgument: (:) [{0}], ParameterBindingException")
        self.action = to_text(found.pop("erroraction")).lower() if "erroraction" in found else None
        self.warning_action = to_text(found.pop("warningaction")).lower() if "warningaction" in found else None
        for kind in ("errorvariable", "warningvariable"):
            if kind in found:
                self._kept[kind] = self._collector(to_text(found.pop(kind)))
        if "outvariable" in found or "outbuffer" in found:
            raise NotSimulated("-OutVariable and -OutBuffer")
        return Bound(found, rest)

    def _collector(self, variable: str) -> list[Value]:
        """The array list of a variable: a new one, unless ``+`` stands before its name."""
        name = variable.removeprefix("+").lower()
        held = self.session.variables.get(name)
        if not (variable.startswith("+") and isinstance(held, list)):
            held = self.session.variables[name] = []
        return held

    def _parameter(self, given: str, known: Sequence[str]) -> str:
        candidates = [name for name in (*known, *_COMMON) if name == given] or [
            name for name in (*known, *_COMMON) if name.startswith(given) or _COMMON.get(name) == given
        ]
        if len(candidates) != 1:
            raise NotSimulated(f"the parameter -{given} of {self.name}")
        return candidates[0]

    def error(
        self,
        message: str,
        identifier: str,
        category: str = "NotSpecified: (:) [{0}], Exception",
        inner: str | None = None,
    ) -> PSError:
        """An error of this cmdlet."""
        return PSError(ErrorRecord(message, self.name, identifier, category.format(self.name), self.place, inner))

    def fail(self, message: str, identifier: str, category: str = "NotSpecified: (:) [{0}], Exception") -> None:
        """A non-terminating error of this cmdlet."""
        record = self.error(message, identifier, category).record
        self.keep(record)
        self.session.report(record, self.action)

    def keep(self, record: ErrorRecord) -> None:
        """Put an error into the variable of -ErrorVariable; one that ends the cmdlet, too."""
        held = self._kept.get("errorvariable")
        if held is not None and not any(item is record for item in held):
            held.append(record)

    def warn(self, message: str) -> None:
        """A warning of this cmdlet."""
        if "warningvariable" in self._kept:
            warning = PSObject("System.Management.Automation.WarningRecord", {"Message": message}, message)
            self._kept["warningvariable"].append(warning)
        self.session.warn(message, self.warning_action)


Handler = Callable[[Invocation], None]
COMMANDS: dict[str, Handler] = {}
"""The cmdlets by their name in lower case."""


def command(name: str) -> Callable[[Handler], Handler]:
    """Register a cmdlet."""

    def register(handler: Handler) -> Handler:
        COMMANDS[name.lower()] = handler
        return handler

    return register


def module_of(name: str, session: Session) -> str | None:
    """The module that has to be loaded for a cmdlet; None for those that are always there."""
    lync = session.machine.lync
    if lync and lync.cmdlets and name.lower() in LYNC_CMDLETS:
        return lync.module
    return None


LYNC_CMDLETS = tuple(name.lower() for name in rules.CMDLETS)


def find_command(name: str, session: Session) -> str | None:
    """The name of the cmdlet that ``name`` calls, loading its module where PowerShell does so by itself (3.0 on).

    None: it is no cmdlet of this host.

    Raises:
        NotSimulated: Windows may have the cmdlet and the lab has not.

    """
    full = ALIASES.get(name.lower(), name)
    lower = full.lower()
    release = session.machine.powershell_release
    if lower in SINCE and release < SINCE[lower]:
        return None
    if lower in COMMANDS and lower not in LYNC_CMDLETS:
        return full
    if "-cs" in lower and _CMDLET.match(full):
        module = module_of(full, session)
        if module is None:
            if session.machine.lync and session.machine.lync.cmdlets:
                raise NotSimulated(f"the cmdlet {name}")
            return None
        if module not in session.modules:
            if release < (3, 0):
                return None
            load_module(module, session)
        return full
    if _CMDLET.match(full):
        raise NotSimulated(f"the cmdlet {name}")
    return None


def load_module(module: str, session: Session) -> None:
    """Load a module."""
    if module not in session.modules:
        session.modules.add(module)
        session.progress("Preparing modules for first use.")
