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

import base64
import gzip
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from ..host.connection import Completed, WindowsHost, quote
from .diagnostics import first_failed, result_code
from .model import PUBLIC_KEY_SERVICES, Found

_OWN_LINE = re.compile(r"[.\s]*keyprovider ([a-z]+)(?: (\S*))?")
"""The dots with which ldifde shows its progress have no line end (seen in published sessions): one of our lines may
follow them."""
_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?")
_NETBIOS_NAME_LENGTH = 15
_STDIN_LINE = 1000
_SAID_AT_MOST = 600
_CONSTRAINED = (
    " Where AppLocker or App Control (WDAC) keeps PowerShell in Constrained Language Mode, which allows no methods of"
    " .NET, the script cannot run: use an account that is exempt, or set 'ldap_server' to reach the directory from the"
    " controller."
)
_AFTER_ACCESS_CHECK = (NO_SUCH_ATTRIBUTE, ATTRIBUTE_OR_VALUE_EXISTS, ENTRY_ALREADY_EXISTS)
"""Who may not write is told so and nothing else: with these, the account did arrive."""

# The scripts keep to what PowerShell 2.0 has. Base64 brings text and bytes through any console code page. A directory
# of its own holds all that ldifde writes, its log files too, and goes in any case.
_BEGIN = """\
$d=[IO.Path]::Combine([IO.Path]::GetTempPath(),'keyprovider-'+[Guid]::NewGuid().ToString('N'))
$f=$d+'\\{file}'
try{{
"""
_END = """\
}catch{'keyprovider error '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([string]$_))}
finally{if([IO.Directory]::Exists($d)){[IO.Directory]::Delete($d,$true)}}"""

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


@dataclass(frozen=True)
class _Transcript:
    """What a script printed."""

    told: Mapping[str, bytes]
    """The script's own lines, decoded."""
    exit_code: int | None
    """ldifde's; ``None`` when it did not run to its end."""
    said: str
    """ldifde's lines."""
    logged: str
    """What stood in ldif.err."""

    @property
    def everything(self) -> str:
        """All that ldifde told, wherever."""
        return f"{self.said}\n{self.logged}"

    def text(self, name: str) -> str:
        """One of the script's own lines as text; empty when it is missing."""
        return self.told.get(name, b"").decode("utf-8", "replace")

    @property
    def complaint(self) -> str:
        """What ldifde said, on one line, best of its errors alone; of a long text the end, where they stand."""
        words = " ".join(self.logged.split()) or " ".join(self.said.split())
        if not words:
            return "It said nothing."
        shown = words if len(words) <= _SAID_AT_MOST else "..." + words[-_SAID_AT_MOST:]
        return f"It said: {shown.rstrip('.')}."


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
            _BEGIN.format(file="export.ldf")
            + _EXPORT.format(
                root=quote(f"LDAP://{controller}/RootDSE" if controller else "LDAP://RootDSE"),
                server=quote(controller) if controller else "$s",
                base=quote(f"{PUBLIC_KEY_SERVICES},"),
                filter=quote(filter_text),
                attributes=quote(",".join(attributes)),
            )
            + _END
        )
        self._note_server(answer.text("server"), answer.text("computer"))
        self._check_that_it_ran(answer, "Nothing was read.")
        code = result_code(answer.everything, answer.exit_code)
        if answer.exit_code or code:
            raise self._refused(answer, "could not export the templates", code)
        entries = ldif.parse(self._exported(answer), origin=f"the export of ldifde.exe on {self._name}")
        if not entries:
            raise self._failure(
                f"ldifde.exe on {self._name} exported no object. {answer.complaint}",
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
        text = base64.b64encode(data)
        lines = [text[start : start + _STDIN_LINE] for start in range(0, len(text), _STDIN_LINE)]
        server = f" '-s' {quote(self._controller)}" if self._controller else ""
        answer = self._run(
            _BEGIN.format(file="import.ldf") + _IMPORT.format(server=server) + _END, b"\r\n".join([*lines, b""])
        )
        names = [change.dn for change in changes]
        self._check_that_it_ran(answer, "Look at the object before you run it again.", "; ".join(names))
        code = result_code(answer.everything, answer.exit_code)
        if not answer.exit_code and not code:
            return
        starts = [n for n, line in enumerate(ldif.decode(data).split("\r\n"), 1) if line.startswith("dn:")]
        failed = 0 if len(names) == 1 else first_failed(answer.everything, names, starts)
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

    def _run(self, script: str, stdin: bytes | None = None) -> _Transcript:
        return _read(self._host.run_script(script, stdin), self._name)

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

    def _check_that_it_ran(self, answer: _Transcript, consequence: str, place: str | None = None) -> None:
        error = " ".join(answer.text("error").split())
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
        if error or answer.exit_code is None:
            raise self._failure(
                f"The script around ldifde.exe did not run to its end on {self._name}"
                f"{': ' + error if error else '.'} {answer.complaint}",
                f"{consequence} Check the free space of the account's temporary directory and the host's event log."
                + ("" if error else _CONSTRAINED),
                place,
            )

    def _exported(self, answer: _Transcript) -> bytes:
        packed = answer.told.get("file")
        if packed is None:
            raise self._failure(
                f"ldifde.exe on {self._name} ended without an error, but wrote no file. {answer.complaint}",
                "Run ldifde.exe on the host by hand to see what it does.",
            )
        try:
            return gzip.decompress(packed)
        except (OSError, EOFError, zlib.error) as exc:
            raise self._failure(
                f"The export of ldifde.exe arrived damaged from {self._name} ({exc}).", "Run it again."
            ) from exc

    def _refused(self, answer: _Transcript, what: str, code: int | None, place: str | None = None) -> DirectoryError:
        meaning, remedy = explain(code) if code is not None else ("", "Read what ldifde said.")
        message = f"ldifde.exe on {self._name} {what} (exit code {answer.exit_code}). {meaning}"
        return self._failure(f"{message.strip()} {answer.complaint}", remedy, place, code)

    def _failure(self, message: str, remedy: str, place: str | None = None, code: int | None = None) -> DirectoryError:
        hop = "" if code in _AFTER_ACCESS_CHECK else self._double_hop
        remedies = (hop, remedy) if code == OPERATIONS_ERROR else (remedy, hop)
        return DirectoryError(message, place=place, remedy=" ".join(remedies).strip(), code=code)


def _read(completed: Completed, name: str) -> _Transcript:
    """Tell the script's own lines from ldifde's.

    Raises:
        DirectoryError: an own line is damaged.
    """
    told: dict[str, bytes] = {}
    exit_code: int | None = None
    said: list[str] = []
    for line in completed.stdout.decode("utf-8", "replace").splitlines():
        own = _OWN_LINE.fullmatch(line.strip())
        if own is None:
            said.append(line)
            continue
        key, value = own[1], own[2] or ""
        if key == "exit":
            exit_code = int(value) if re.fullmatch(r"-?[0-9]+", value) else None
        else:
            try:
                told[key] = base64.b64decode(value, validate=True)
            except ValueError as exc:
                raise DirectoryError(
                    f"The answer of {name} is damaged in its part {key!r}.", remedy="Run it again."
                ) from exc
    if completed.stderr.strip():
        said.append(Completed(completed.exit_code, b"", completed.stderr).complaint)
    errors = told.get("errors", b"")
    try:
        logged = ldif.decode(errors)
    except UnicodeDecodeError:
        logged = errors.decode("latin-1")
    return _Transcript(told, exit_code, "\n".join(said), logged)
