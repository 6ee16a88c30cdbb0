# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How objects and errors look when they are printed."""

from __future__ import annotations

import re
import textwrap

from ..host.machine import Machine
from ..host.messages import say
from .adsi import COLLECTION
from .errors import ErrorRecord, NotSimulated
from .streams import COMPRESSION_MODE
from .values import DateTime, PSObject, Value, to_culture_text, to_text

_WIDTH = 79
"""A console of 80 columns, the width of a shell without a window."""

_AS_TEXT = ("System.Exception", COMPRESSION_MODE, COLLECTION)
"""Types whose objects print their text, or are collections of texts; those of the others are tables and lists."""
_HIDDEN = {"Microsoft.Rtc.Management.Deployment.CertificateReference": ("EffectiveDate", "PreviousThumbprint")}
"""Properties that an object has and does not print: the sample of Lync Server 2013 is without them (Dn725210)."""


def output_lines(value: Value, machine: Machine) -> list[str]:
    """The lines that an object prints. An object of five properties or more is a list (about_Format.ps1xml)."""
    if value is None:
        return []
    if isinstance(value, ErrorRecord):
        return error_lines(value, machine)
    if isinstance(value, PSObject) and value.text is None:
        if len(value.properties) < 5:
            raise NotSimulated("the table that objects with few properties print; select and convert them instead")
        return _list(value, machine.language)
    if isinstance(value, dict | DateTime) or (isinstance(value, PSObject) and value.type_name not in _AS_TEXT):
        raise NotSimulated(f"the printed form of {value!r}")
    if isinstance(value, list | bytes):
        return [line for item in value for line in output_lines(item, machine)]
    return to_text(value).replace("\r\n", "\n").split("\n")


def _list(value: PSObject, language: str) -> list[str]:
    shown = {name: item for name, item in value.properties.items() if name not in _HIDDEN.get(value.type_name, ())}
    width = max(len(name) for name in shown)
    lines = [f"{name.ljust(width)} : {_shown(item, language)}" for name, item in shown.items()]
    return ["", *lines, ""]


def _shown(value: Value, language: str) -> str:
    if isinstance(value, list):
        shown = [to_culture_text(item, language) for item in value[:4]]
        return "{" + ", ".join(shown) + ("\u2026}" if len(value) > 4 else "}")
    return to_culture_text(value, language)


def output_text(value: Value, machine: Machine, encoding: str) -> bytes:
    """The bytes that an object prints to a redirected standard output."""
    return "".join(line + "\r\n" for line in output_lines(value, machine)).encode(encoding, "replace")


def error_lines(record: ErrorRecord, machine: Machine) -> list[str]:
    """The lines of an error, wrapped to the console.

    Message, position and the two lines of category and identifier, as in logs of Windows PowerShell 5.1; from 3.0 on
    the faulty text is underlined with tildes, 2.0 marks the place with ``<<<<``.
    """
    head = f"{record.source} : {record.message}" if record.source else record.message
    lines = textwrap.wrap(head, _WIDTH, break_long_words=True) or [""]
    lines += position_lines(record, machine)
    lines.append(f"    + CategoryInfo          : {record.category}")
    lines.append(f"    + FullyQualifiedErrorId : {record.error_id}")
    return [*(line.rstrip() for line in lines), " "]


def position_lines(record: ErrorRecord, machine: Machine) -> list[str]:
    """The lines that show where an error arose."""
    if not record.place:
        return []
    line, column, text = record.place
    head = say(machine.language, "position", line, column)
    faulty = re.split(r"[\s;|]", text[column - 1 :], maxsplit=1)[0]
    if machine.powershell_release >= (3, 0):
        return [head, f"+ {text}", "+ " + " " * (column - 1) + "~" * len(faulty)]
    return [head, f"+ {text[: column - 1]}{faulty} <<<< "]
