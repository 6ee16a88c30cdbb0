# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""``ldifde.exe``: export and import of a directory's objects (Microsoft, "Ldifde").

Everything is on stdout, and in ``ldif.log`` in the directory of ``-j``, by default the current one; an import that
fails also leaves ``ldif.err``. Records are done one after the other and the first failure ends the import; ``-k`` goes
on after "already exists" and violated constraints. A search with ``-f con`` is written to stdout. ``-d`` and ``-c``
take ``#configurationNamingContext``, ``#schemaNamingContext`` and ``#defaultNamingContext``.

Who asks: the user of the session. On a member host whose user did not hand over a password (NTLM) the connection is
anonymous (inferred from what Windows does at the second hop). Where texts and exit codes come from:
:mod:`lab.tools.ldifde_text`.
"""

from __future__ import annotations

import ntpath
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..directory import filters, ldif
from ..directory.model import Caller, Directory, DirectoryFault
from ..host import files
from ..host.machine import ANSI_CODE_PAGES, Machine, bare_name
from ..powershell.errors import NotSimulated
from ..wire.host import NetworkLogon
from . import ldifde_text as text
from .base import Call, Result

_FLAGS = ("i", "g", "n", "k", "u", "h", "y", "x")
"""g (no paging), h (sign and seal), y (lazy commit) and x (deleted objects, of which there are none) change nothing."""
_VALUED = {"f": 1, "s": 1, "c": 2, "j": 1, "t": 1, "d": 1, "r": 1, "p": 1, "l": 1, "o": 1, "b": 3}
_NOT_SIMULATED = ("v", "m", "a", "q", "w", "e", "$")
_SCOPES = {"base": "base", "onelevel": "one", "subtree": "sub"}
_IGNORED_WITH_K = (19, 20, 65, 68)


class _Stop(Exception):
    """The tool ends early with lines and an exit code."""

    def __init__(self, code: int, *lines: str) -> None:
        super().__init__(*lines)
        self.code = code
        self.lines = list(lines)


@dataclass
class _Run:
    """One start of the tool."""

    call: Call
    directory: Directory
    flags: set[str] = field(default_factory=set)
    values: dict[str, list[str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    @property
    def machine(self) -> Machine:
        return self.call.machine

    @property
    def unicode(self) -> bool:
        return "u" in self.flags

    @property
    def code_page(self) -> str:
        return ANSI_CODE_PAGES[self.machine.language]

    def value(self, switch: str, default: str = "") -> str:
        return self.values.get(switch, [default])[0]

    def say(self, name: str, *arguments: object) -> str:
        return text.say(self.machine.language, name, *arguments)

    def print(self, name: str, *arguments: object) -> None:
        self.lines.append(self.say(name, *arguments))

    def path(self, given: str) -> str:
        """A path from the current directory, which is the user's profile."""
        return ntpath.normpath(ntpath.join(rf"C:\Users\{bare_name(self.call.user)}", given))

    def context(self, given: str) -> str:
        """A name, or the context that a keyword stands for."""
        root = self.directory.configuration.partition(",")[2]
        known = {
            "#configurationnamingcontext": self.directory.configuration,
            "#schemanamingcontext": f"CN=Schema,{self.directory.configuration}",
            "#defaultnamingcontext": root,
        }
        return known.get(given.lower(), given)


def ldifde(call: Call) -> Result:
    """Run ldifde."""
    role = call.machine.directory
    assert role is not None, "the tool is not found on a host without a directory"
    run = _Run(call, role.directory)
    try:
        _read_arguments(run)
    except _Stop as stop:
        return Result(_output(stop.lines), exit_code=stop.code)
    code = 0
    try:
        caller = _connect(run)
        if "i" in run.flags:
            _import(run, caller)
        else:
            _export(run, caller)
        run.lines.append("")
        run.print("completed")
    except _Stop as stop:
        run.lines += stop.lines
        code = stop.code
    _log(run, "ldif.log", run.lines)
    return Result(_output(run.lines), exit_code=code)


def _output(lines: Sequence[str]) -> str:
    return "".join(line + "\r\n" for line in lines)


def _log(run: _Run, name: str, lines: Sequence[str]) -> None:
    """A log in the directory of ``-j``; nothing when there is no such directory (unverified)."""
    folder = run.path(run.value("j", "."))
    if files.directory_exists(run.machine, folder):
        files.write(run.machine, ntpath.join(folder, name), _output(lines).encode(run.code_page, "replace"))


def _read_arguments(run: _Run) -> None:
    words = list(run.call.arguments)
    while words:
        word = words.pop(0)
        switch = word[1:].lower()
        if word[:1] not in ("-", "/") or switch not in (*_FLAGS, *_VALUED, *_NOT_SIMULATED, "?"):
            raise _Stop(text.INVALID_PARAMETER, run.say("bad_argument", word), *text.USAGE.split("\n"))
        if switch in _NOT_SIMULATED:
            raise NotSimulated(f"ldifde -{switch}")
        if switch == "?":
            raise _Stop(0, *text.USAGE.split("\n"))
        if switch in _FLAGS:
            run.flags.add(switch)
        elif len(words) < _VALUED[switch]:
            raise _Stop(text.INVALID_PARAMETER, run.say("bad_argument", word), *text.USAGE.split("\n"))
        else:
            run.values[switch] = [words.pop(0) for _count in range(_VALUED[switch])]
    if "f" not in run.values or run.value("p", "subtree").lower() not in _SCOPES:
        raise _Stop(text.INVALID_PARAMETER, run.say("bad_argument", "-p" if "f" in run.values else "-f"))
    if run.value("t", "389") not in ("389", "3268"):
        raise NotSimulated(f"ldifde -t {run.value('t')}")


def _connect(run: _Run) -> Caller:
    """Who asks, when the server is one that the host can reach.

    Raises:
        _Stop: there is no such server.
    """
    role = run.machine.directory
    assert role is not None
    domain_controller = run.machine.fqdn if role.controller else run.directory.server.lower()
    known = {domain_controller, run.directory.server.lower(), run.directory.domain.lower()}
    known |= {name.partition(".")[0] for name in (domain_controller, run.directory.server.lower())}
    if role.controller:
        known |= {"localhost", "127.0.0.1", "."}
    server = run.value("s", domain_controller)
    run.print("connecting", server)
    if server.lower() not in known:
        raise _Stop(text.SERVER_DOWN, run.say("no_server"))
    if "b" in run.values:
        user, domain, password = run.values["b"]
        if password == "*":
            raise NotSimulated("ldifde -b, which asks for the password")
        run.print("given_user", user, domain)
        return Caller(user, password)
    run.print("current_user")
    account = run.machine.account(run.call.user)
    if account is None or (isinstance(run.call.user, NetworkLogon) and not role.controller):
        return Caller("", "")
    return Caller(bare_name(run.call.user), account.password)


def _export(run: _Run, caller: Caller) -> None:
    root = run.directory.configuration.partition(",")[2]
    base = run.context(run.value("d", root))
    listed = [name.strip() for name in run.value("l").split(",") if name.strip()]
    run.print("exporting", run.value("f"))
    run.print("searching")
    scope = _SCOPES[run.value("p", "subtree").lower()]
    wanted = run.value("r", "(objectClass=*)")
    try:
        filters.compiled(wanted)  # the client library reads it before any server does
        found = run.directory.search(caller, base, scope, wanted, listed or None)
    except DirectoryFault as fault:
        name = "bind_error" if fault.code == 49 else "search_error"
        stop = _failure(run, fault, run.say(name, text.result_text(fault.code)))
        raise _Stop(stop.code, *stop.lines, run.say("failed")) from fault
    if not found:
        run.print("none")
        return
    without = [name.strip().lower() for name in run.value("o").split(",")]
    content = "".join(
        ldif.written(entry, unicode=run.unicode, without=without, binary="n" not in run.flags) for entry in found
    )
    for old, new in _replacements(run).items():
        content = content.replace(old, new)
    if run.value("f").lower().rstrip(":") == "con":
        run.lines += content.split("\r\n")[:-1]
    else:
        _write(run, run.value("f"), ldif.encoded(content, unicode=run.unicode, code_page=run.code_page))
    run.lines.append(run.say("writing") + "." * len(found))
    run.print("exported", len(found))


def _write(run: _Run, path: str, data: bytes) -> None:
    try:
        files.write(run.machine, run.path(path), data)
    except files.FileFault as fault:
        raise _Stop(text.PATH_NOT_FOUND, run.say("no_output"), run.say("failed")) from fault


def _replacements(run: _Run) -> dict[str, str]:
    if "c" not in run.values:
        return {}
    old, new = run.values["c"]
    return {run.context(old): run.context(new)}


def _import(run: _Run, caller: Caller) -> None:
    run.print("importing", run.value("f"))
    try:
        data = files.read(run.machine, run.path(run.value("f")))
    except files.FileFault as fault:
        raise _Stop(text.FILE_NOT_FOUND, run.say("unreadable"), run.say("failed")) from fault
    if not data:
        raise _Stop(text.INVALID_DATA, run.say("unreadable"), run.say("failed"))
    content = ldif.decoded(data, unicode=run.unicode, code_page=run.code_page)
    done = tried = 0
    place = len(run.lines)
    try:
        for record in ldif.records(content, _replacements(run)):
            tried += 1
            done += _applied(run, caller, record)
    except ldif.LdifFault as fault:
        lines = [run.say("syntax"), run.say("syntax_line", fault.line, fault.token)]
        raise _ended(run, _Stop(text.INVALID_DATA, *lines), done) from fault
    except _Stop as stop:
        raise _ended(run, stop, done) from stop
    finally:
        run.lines.insert(place, run.say("loading") + "." * (done + 1))
    run.print(*_modified(done))


def _modified(done: int) -> tuple[str] | tuple[str, int]:
    return ("modified_one",) if done == 1 else ("modified", done)


def _applied(run: _Run, caller: Caller, record: ldif.Record) -> bool:
    """Do one record; false when it failed and ``-k`` passes over that."""
    try:
        if record.changetype == "add":
            run.directory.add(caller, record.dn, record.attributes)
        elif record.changetype == "modify":
            run.directory.modify(caller, record.dn, record.operations)
        else:
            run.directory.delete(caller, record.dn)
    except DirectoryFault as fault:
        if "k" in run.flags and fault.code in _IGNORED_WITH_K:
            return False
        if fault.code == 49:
            raise _failure(run, fault, run.say("bind_error", text.result_text(fault.code))) from fault
        # It says "Add error" whatever the record was to do (transcripts of refused modifies).
        first = run.say("add_error", record.line, text.result_text(fault.code))
        raise _failure(run, fault, f"Entry DN: {record.dn}", first) from fault
    return True


def _failure(run: _Run, fault: DirectoryFault, *lines: str) -> _Stop:
    return _Stop(text.exit_code(fault.code), *lines, *text.server_lines(run.machine.language, fault.diagnostic))


def _ended(run: _Run, stop: _Stop, done: int) -> _Stop:
    """The end of a failed import: what the console shows, and ldif.err with the name of the object."""
    failed = run.say("failed")
    _log(run, "ldif.err", [*stop.lines, failed])
    shown = [line for line in stop.lines if not line.startswith("Entry DN: ")]
    return _Stop(stop.code, *shown, "", run.say(*_modified(done)), failed)
