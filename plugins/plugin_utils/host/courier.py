# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that bring files to native tools and their answers back, over any connection.

PowerShell is only the courier. A script prints lines of its own, which begin with ``keyprovider``, among what the tools
print in the language of the host::

    keyprovider NAME BASE64      bytes, such as a file
    keyprovider exitNAME NUMBER  the exit code of a tool

Base64 brings text and bytes through any console code page. The scripts keep to what PowerShell 2.0 has.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

from .connection import Completed, HostError, WindowsHost

IN_A_TEMPORARY_DIRECTORY = (
    "$d=[IO.Path]::Combine([IO.Path]::GetTempPath(),'keyprovider-'+[Guid]::NewGuid().ToString('N'))\n"
)
"""Makes ``$d`` the name of a directory of the script's own, which :func:`framed` removes in any case."""

KEPT = (
    "$($l=[Environment]::GetFolderPath('LocalApplicationData');if(!$l){throw 'The account has no profile'};"
    "$l+'\\winpki.keyprovider')"
)
"""The expression of the directory in which later runs find what earlier ones did: in the profile of the account, which
other users that are not administrators cannot write.

For an account whose profile is not loaded or not complete Windows names no such directory (reference of
Environment.GetFolderPath: empty when it does not exist). What is left would be a path from wherever the process
happens to be, so that ends the script.
"""

_LOCK = (
    "try{$k=[IO.File]::Open($d+'\\lock','OpenOrCreate','ReadWrite','None')}"
    'catch{throw "Another run may be at work on it: $_"}\n'
)

_OWN_LINE = re.compile(r"[.\s]*keyprovider ([a-z]+)(?: (\S*))?")
"""The dots with which ldifde shows its progress have no line end (seen in published sessions): one of our lines may
follow them."""
_NUMBER = re.compile(r"-?[0-9]+")
_STDIN_LINE = 1000
_SAID_AT_MOST = 600


@dataclass(frozen=True)
class Answer:
    """What a script printed."""

    told: Mapping[str, bytes]
    """The script's own lines, decoded."""
    codes: Mapping[str, int]
    """The exit codes of the tools by the names of their lines: ``exit``, ``exitnew``; unsigned 32-bit numbers."""
    said: str
    """The lines of the tools, those of standard error behind the others."""

    def text(self, name: str) -> str:
        """One of the script's own lines as text; empty when it is missing."""
        return self.told.get(name, b"").decode("utf-8", "replace")

    @property
    def error(self) -> str:
        """What ended the script early, on one line; empty when nothing did."""
        return " ".join(self.text("error").split())

    @property
    def complaint(self) -> str:
        """What the tools said, as a sentence; of a long text the end, where errors stand."""
        return complaint_of(self.said)


def complaint_of(text: str) -> str:
    """What a tool said, on one line and as a sentence; of a long text the end, where errors stand."""
    words = " ".join(text.split())
    if not words:
        return "It said nothing."
    shown = words if len(words) <= _SAID_AT_MOST else "..." + words[-_SAID_AT_MOST:]
    return f"It said: {shown.rstrip('.')}."


def framed(body: str, directory: str = IN_A_TEMPORARY_DIRECTORY) -> str:
    """A script around statements: what ends them early becomes the line ``error``, and ``$d`` is removed.

    Args:
        body: statements that work in the directory ``$d``, which they make themselves.
        directory: the statement that sets ``$d``.
    """
    return (
        f"{directory}try{{\n{body}"
        "}catch{'keyprovider error '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([string]$_))}\n"
        "finally{if([IO.Directory]::Exists($d)){[IO.Directory]::Delete($d,$true)}}"
    )


def caught(body: str) -> str:
    """A script around statements that keep their files: what ends them early becomes the line ``error``."""
    return (
        f"try{{\n{body}"
        "}catch{'keyprovider error '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([string]$_))}"
    )


def locked(directory: str, body: str, *, afterwards: str = "") -> str:
    """A script around statements that keep their files, and that no other run may execute at the same time.

    The file ``lock`` stays open meanwhile. Windows closes it when the process ends, however it does: a run whose
    connection broke holds it as long as its tool is still at work on the host, and no longer.

    Args:
        directory: the statement that sets ``$d``, the directory, which is made here.
        body: the statements.
        afterwards: statements for the end, however it comes, without the lock.
    """
    statements = caught(f"{directory}[void][IO.Directory]::CreateDirectory($d)\n{_LOCK}{body}")
    return f"$k=$null\n{statements}\nfinally{{if($k){{$k.Close()\n{afterwards}}}}}"


def as_input(data: bytes) -> bytes:
    """Bytes as the input of a script that reads them with ``[Convert]::FromBase64String((@($input) -join ''))``."""
    text = base64.b64encode(data)
    lines = [text[start : start + _STDIN_LINE] for start in range(0, len(text), _STDIN_LINE)]
    return b"\r\n".join([*lines, b""])


def carry(host: WindowsHost, name: str, script: str, data: bytes | None = None) -> Answer:
    """Run a script and read its answer.

    Args:
        host: where it runs.
        name: the host's name, for messages.
        script: at most :data:`~.connection.SCRIPT_LIMIT` characters.
        data: bytes that the script reads from its input, see :func:`as_input`.

    Raises:
        HostError: the script is too long, or a line of its own arrived damaged.
        HostUnreachable: the connection broke.
    """
    return read_answer(host.run_script(script, None if data is None else as_input(data)), name)


def read_answer(completed: Completed, name: str) -> Answer:
    """Tell a script's own lines from those of the tools.

    Raises:
        HostError: a line of its own is damaged.
    """
    told: dict[str, bytes] = {}
    codes: dict[str, int] = {}
    said: list[str] = []
    for line in completed.stdout.decode("utf-8", "replace").splitlines():
        own = _OWN_LINE.fullmatch(line.strip())
        if own is None:
            said.append(line)
            continue
        key, value = own[1], own[2] or ""
        if key.startswith("exit"):
            if _NUMBER.fullmatch(value):
                codes[key] = int(value) & 0xFFFFFFFF
            continue
        try:
            told[key] = base64.b64decode(value, validate=True)
        except ValueError as exc:
            raise HostError(f"The answer of {name} is damaged in its part {key!r}.", remedy="Run it again.") from exc
    if completed.stderr.strip():
        # An empty line ends the last value of reg.exe, whose lines a console may have wrapped; psrp cuts off reg's own.
        said += ["", Completed(completed.exit_code, b"", completed.stderr).complaint]
    return Answer(told, codes, "\n".join(said))
