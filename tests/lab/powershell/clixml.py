# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Error and progress records on standard error.

Started with ``-EncodedCommand`` and a redirected stderr, Windows PowerShell writes its own streams as CLIXML behind
the line ``#< CLIXML`` (shape as in logs of other projects and as Ansible's shell plugin reads it). What native
commands write to stderr goes there as it is, before or after that block in the order of writing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_HEADER = b"#< CLIXML\r\n"
_OPEN = '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]|_(?=x[0-9A-Fa-f]{4}_)")


@dataclass(frozen=True)
class Record:
    """One line of a stream (``Error``, ``warning``), or an activity of the stream ``progress``."""

    stream: str
    text: str


def _encoded(text: str) -> str:
    return _CONTROL.sub(lambda match: f"_x{ord(match.group()):04X}_", escape(text))


def _xml(record: Record, number: int) -> str:
    if record.stream != "progress":
        return f'<S S="{record.stream}">{_encoded(record.text)}_x000D__x000A_</S>'
    return (
        f'<Obj S="progress" RefId="{number}"><TN RefId="{number}"><T>System.Management.Automation.PSCustomObject</T>'
        '<T>System.Object</T></TN><MS><I64 N="SourceId">1</I64><PR N="Record">'
        f"<AV>{_encoded(record.text)}</AV><AI>0</AI><Nil /><PI>-1</PI><PC>-1</PC><T>Completed</T><SR>-1</SR><SD> </SD>"
        "</PR></MS></Obj>"
    )


def render(parts: Sequence[bytes | Record]) -> bytes:
    """Standard error: bytes as they are, each run of records as one CLIXML document."""
    result = b""
    document = ""
    headed = False
    for number, part in enumerate([*parts, b""]):
        if isinstance(part, Record):
            document += _xml(part, number)
            continue
        if document:
            result += (b"" if headed else _HEADER) + f"{_OPEN}{document}</Objs>".encode()
            headed, document = True, ""
        result += part
    return result
