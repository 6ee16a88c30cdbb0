# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory through ldifde.exe on a Windows host: a domain controller, or a member with the AD DS tools.

PowerShell carries a file to or from ldifde and tells its exit code; lines that begin with ``keyprovider`` are the
script's own, all others ldifde's, in the language of the host. Nothing is decided on ldifde's words: the result code
comes from the numbers that the domain controller gives.

Unverified on Windows: that ldifde ends with 0 on success and with another code on every failure (Microsoft documents
neither), what it writes into ldif.err and in which encoding, and how it counts the lines of an import.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Sequence

from ..directory import ldif
from ..directory.change import Change
from ..directory.errors import (
    ATTRIBUTE_OR_VALUE_EXISTS,
    ENTRY_ALREADY_EXISTS,
    NO_SUCH_ATTRIBUTE,
    OPERATIONS_ERROR,
    DirectoryError,
)
from ..directory.results import explain
from ..host.connection import WindowsHost, quote
from ..host.courier import Answer, carry, complaint_of, framed
from .diagnostics import first_failed, result_code
from .model import PUBLIC_KEY_SERVICES, Found

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?")
_NETBIOS_NAME_LENGTH = 15
_CONSTRAINED = (
    " Where AppLocker or App Control (WDAC) keeps PowerShell in Constrained Language Mode, which allows no methods of"
    " .NET, the script cannot run: use an account that is exempt, or set 'ldap_server' to reach the directory from the"
    " controller."
)
_AFTER_ACCESS_CHECK = (NO_SUCH_ATTRIBUTE, ATTRIBUTE_OR_VALUE_EXISTS, ENTRY_ALREADY_EXISTS)
"""Who may not write is told so and nothing else: with these, the account did arrive."""

# A directory of its own holds all that ldifde writes, its log files too.
_EXPORT_FILE = "$f=$d+'\\export.ldf'\n"
_IMPORT_FILE = "$f=$d+'\\import.ldf'\n"

# The server is named to ldifde, so that it is the one whose RootDSE was read; the script stops without a name, because
# Windows PowerShell drops an empty argument.
_EXPORT = """\
$r=[ADSI]{root}
$c=[string]$r.configurationNamingContext
$s=[string]$r.dnsHostName
if(-not $c){{throw 'RootDSE gave no configurationNamingContext.'}}
if(-not $s){{throw 'RootDSE gave no dnsHostName.'}}
'keyprovider configuration '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($c))
'keyprovider server '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($s))
'keyprovider computer '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([Environment]::MachineName))
[void][IO.Directory]::CreateDirectory($d)
& 'ldifde.exe' '-f' $f '-u' '-j' $d '-s' {server} '-d' ({base}+$c) '-p' 'SubTree' '-r' {filter} '-l' {attributes}
'keyprovider exit '+$LASTEXITCODE
if([IO.File]::Exists($f)){{
$b=[IO.File]::ReadAllBytes($f)
$m=New-Object IO.MemoryStream
$z=New-Object IO.Compression.GZipStream($m,[IO.Compression.CompressionMode]::Compress)
$z.Write($b,0,$b.Length)
$z.Close()
'keyprovider file '+[Convert]::ToBase64String($m.ToArray())
}}
"""
_IMPORT = """\
$b=[Convert]::FromBase64String((@($input) -join ''))
[void][IO.Directory]::CreateDirectory($d)
[IO.File]::WriteAllBytes($f,$b)
& 'ldifde.exe' '-i' '-u' '-f' $f '-j' $d{server}
'keyprovider exit '+$LASTEXITCODE
$e=$d+'\\ldif.err'
if([IO.File]::Exists($e)){{'keyprovider errors '+[Convert]::ToBase64String([IO.File]::ReadAllBytes($e))}}
"""


class LdifdeDirectory:
    """The forest of a Windows host, read and changed with its ldifde.exe."""

    def __init__(self, host: WindowsHost, name: str, domain_controller: str | None = None) -> None:
        """Take the host of a task and its name; ``domain_controller`` is asked instead of the one Windows chooses.

        Raises:
            DirectoryError: ``domain_controller`` is no host name.
        """
        if domain_controller is not None and not _HOST_NAME.fullmatch(domain_controller):
            raise DirectoryError(
                f"{domain_controller!r} is not the name of a domain controller.",
                remedy="Give a host name alone, such as dc1.contoso.example.",
            )
        self._host = host
        self._name = name
        self._controller = domain_controller
        self._double_hop = ""

    def search(self, filter_text: str, attributes: Sequence[str]) -> Found:
        """All objects below the Public Key Services container that match; the container itself should.

        Raises:
            DirectoryError: ldifde did not run or failed, or its export cannot be read. No object at all is a failure.
            HostError: the filter and the attributes make the script too long, or the connection broke.
        """
        controller = self._controller
        answer = self._run(
            _EXPORT_FILE
            + _EXPORT.format(
                root=quote(f"LDAP://{controller}/RootDSE" if controller else "LDAP://RootDSE"),
                server=quote(controller) if controller else "$s",
                base=quote(f"{PUBLIC_KEY_SERVICES},"),
                filter=quote(filter_text),
                attributes=quote(",".join(attributes)),
            )
        )
        self._note_server(answer.text("server"), answer.text("computer"))
        self._check_that_it_ran(answer, "Nothing was read.")
        code = result_code(_everything(answer), _exit_code(answer))
        if _exit_code(answer) or code:
            raise self._refused(answer, "could not export the templates", code)
        entries = ldif.parse(self._exported(answer), origin=f"the export of ldifde.exe on {self._name}")
        if not entries:
            raise self._failure(
                f"ldifde.exe on {self._name} exported no object. {_complaint(answer)}",
                "Use an account of the forest that may read the Public Key Services container.",
            )
        return Found(tuple(entries), answer.text("configuration"), answer.text("server"))

    def apply(self, changes: Sequence[Change]) -> None:
        """Import changes; ldifde stops at the first that fails.

        Raises:
            DirectoryError: ldifde did not run or failed; ``place`` is the object whose change failed, or all of them
                when ldifde did not name it.
            HostError: the connection broke.
        """
        if not changes:
            return
        data = ldif.write_changes(changes, encoding="utf-16")
        server = f" '-s' {quote(self._controller)}" if self._controller else ""
        answer = self._run(_IMPORT_FILE + _IMPORT.format(server=server), data)
        names = [change.dn for change in changes]
        self._check_that_it_ran(answer, "Look at the object before you run it again.", "; ".join(names))
        code = result_code(_everything(answer), _exit_code(answer))
        if not _exit_code(answer) and not code:
            return
        starts = [n for n, line in enumerate(ldif.decode(data).split("\r\n"), 1) if line.startswith("dn:")]
        failed = 0 if len(names) == 1 else first_failed(_everything(answer), names, starts)
        if failed is None:
            raise self._refused(
                answer,
                "did not make all changes; those before the one that failed were made",
                code,
                "; ".join(names),
            )
        before = f"; made before it: {', '.join(names[:failed])}" if failed else ""
        raise self._refused(answer, f"could not make the change{before}", code, names[failed])

    def close(self) -> None:
        """Nothing stays open."""

    def _run(self, statements: str, data: bytes | None = None) -> Answer:
        return carry(self._host, self._name, framed(statements), data)

    def _note_server(self, server: str, computer: str) -> None:
        """Remember which domain controller answered: changes go to the same, and on a member a hop may be missing."""
        if self._controller is None and _HOST_NAME.fullmatch(server):
            self._controller = server
        own = server.partition(".")[0][:_NETBIOS_NAME_LENGTH]  # MachineName is the NetBIOS name
        if server and computer and own.casefold() != computer.casefold():
            self._double_hop = (
                f"{self._name} is not the domain controller that answered ({server}): Windows hands the account of a "
                "WinRM session on to another computer only with CredSSP or Kerberos delegation (the double hop), so "
                "ldifde may have come there without one. Run the task on a domain controller, connect with CredSSP or "
                "delegation, or set 'ldap_server' to reach the directory from the controller."
            )

    def _check_that_it_ran(self, answer: Answer, consequence: str, place: str | None = None) -> None:
        error = answer.error
        if error and "ldifde.exe" in error.casefold():
            raise self._failure(
                f"ldifde.exe could not be started on {self._name}: {error}",
                "The host is no domain controller and has no AD DS tools: run the task on a domain controller, install "
                "the AD DS tools (RSAT-AD-Tools), or set 'ldap_server' to reach the directory from the controller.",
                place,
            )
        if error and "server" not in answer.told and place is None:
            raise self._failure(
                f"No domain controller told {self._name} where the forest keeps its configuration: {error}",
                "Check that the host is a member of the domain and reaches a domain controller, and that the account "
                "is one of the domain; or set 'ldap_server' to reach the directory from the controller.",
            )
        if error or _exit_code(answer) is None:
            raise self._failure(
                f"The script around ldifde.exe did not run to its end on {self._name}"
                f"{': ' + error if error else '.'} {_complaint(answer)}",
                f"{consequence} Check the free space of the account's temporary directory and the host's event log."
                + ("" if error else _CONSTRAINED),
                place,
            )

    def _exported(self, answer: Answer) -> bytes:
        packed = answer.told.get("file")
        if packed is None:
            raise self._failure(
                f"ldifde.exe on {self._name} ended without an error, but wrote no file. {_complaint(answer)}",
                "Run ldifde.exe on the host by hand to see what it does.",
            )
        try:
            return gzip.decompress(packed)
        except (OSError, EOFError, zlib.error) as exc:
            raise self._failure(
                f"The export of ldifde.exe arrived damaged from {self._name} ({exc}).", "Run it again."
            ) from exc

    def _refused(self, answer: Answer, what: str, code: int | None, place: str | None = None) -> DirectoryError:
        meaning, remedy = explain(code) if code is not None else ("", "Read what ldifde said.")
        message = f"ldifde.exe on {self._name} {what} (exit code {_exit_code(answer)}). {meaning}"
        return self._failure(f"{message.strip()} {_complaint(answer)}", remedy, place, code)

    def _failure(self, message: str, remedy: str, place: str | None = None, code: int | None = None) -> DirectoryError:
        hop = "" if code in _AFTER_ACCESS_CHECK else self._double_hop
        remedies = (hop, remedy) if code == OPERATIONS_ERROR else (remedy, hop)
        return DirectoryError(message, place=place, remedy=" ".join(remedies).strip(), code=code)


def _exit_code(answer: Answer) -> int | None:
    """ldifde's, as PowerShell shows it; ``None`` when it did not run to its end."""
    code = answer.codes.get("exit")
    return code if code is None or code < 1 << 31 else code - (1 << 32)


def _logged(answer: Answer) -> str:
    """What stood in ldif.err."""
    errors = answer.told.get("errors", b"")
    try:
        return ldif.decode(errors)
    except UnicodeDecodeError:
        return errors.decode("latin-1")


def _everything(answer: Answer) -> str:
    """All that ldifde told, wherever."""
    return f"{answer.said}\n{_logged(answer)}"


def _complaint(answer: Answer) -> str:
    """What ldifde said, best of its errors alone."""
    return complaint_of(_logged(answer).strip() or answer.said)
