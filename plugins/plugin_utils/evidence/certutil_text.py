# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all printouts of certutil have in common: lines, labels, numbers and the closing word.

Labels are translated, so nothing here knows one. Not translated are: the program's name and the verb in the last line,
error codes, constants of the Windows headers, names of providers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from ..record import Problem
from .text import decode

STORE_COMMAND = "certutil -store My > FILE"
"""What to run to get a dump that says where the keys are."""

LONGEST_LINE = 4096
"""Longer lines are not looked at: certutil prints no label with so long a value."""

_CONSOLE_WIDTHS = (80, 120)
"""Columns of the consoles of Windows before and since version 10."""

_NUMBER = re.compile(r"(?:0x)?(?P<hex>[0-9a-fA-F]{1,8})(?:\s+\((?P<decimal>-?\d+)\))?(?:\s+--.*)?")
_FOOTER = re.compile(r"certutil\s*:\s*(?:-(?P<verb>[a-z]+))?(?P<rest>.*)", re.IGNORECASE)
_HRESULT = re.compile(r"\b0x([0-9a-f]{8})\b(?:\s*\(([^)]*)\))?", re.IGNORECASE)
_PROMPT = re.compile(r"(?:\*Evil-WinRM\*\s+)?(?:PS\s+)?[A-Za-z]:\\[^>\"]*>|>?\s*certutil(?:\.exe)?\s+-", re.IGNORECASE)
_LABEL = re.compile(r"(?P<label>[^:：=]{1,90}?)\s*[:：](?:\s+(?P<value>.*))?")
_ASSIGNMENT = re.compile(r"(?P<label>[^:：=]{1,90}?)\s*=(?:\s+(?P<value>.*))?")

_FAILURES: dict[int, tuple[str, str]] = {
    0x80090011: (
        "nothing in the store has the given serial number, thumbprint or name",
        "Leave out the certificate id to list the whole store: certutil -store My",
    ),
    0x80070002: (
        "the store or file does not exist here (the enterprise view says so of an empty store, too)",
        "Check the name of the store (My is the personal one) and whether -user, -enterprise or -service is meant.",
    ),
    0x80070005: ("access was denied", "Run certutil in an elevated prompt."),
    0x80070056: ("the password is wrong", "Give the password of the PFX file with -p."),
    0x80070057: ("a parameter is not valid", "Check the command line: options stand before the verb."),
    0x800704DC: (
        "the logon cannot prove itself to another computer (double hop)",
        "Log on to the host itself, or with CredSSP or Kerberos delegation.",
    ),
    0x800706BA: ("the certification authority cannot be reached", "Check the name given with -config and the network."),
    0x8009000B: ("the key is not exportable", "Run certutil -store instead: it needs no export."),
    0x80090016: ("the key container does not exist", "Run certutil -store My in an elevated prompt."),
    0x80092004: ("no such object or property", "Leave out the certificate id to list the whole store."),
}
"""What the codes mean that certutil ends with when it reads stores (winerror.h)."""


@dataclass(frozen=True)
class Line:
    """One line of the text; a line that the console had wrapped is whole again."""

    number: int
    """1-based, of the first part."""
    text: str
    """Without blanks at the end."""

    @property
    def body(self) -> str:
        """The text without indentation."""
        return self.text.strip()

    @property
    def indent(self) -> int:
        """How many blanks and tabs come first."""
        return len(self.text) - len(self.text.lstrip())

    @property
    def place(self) -> str:
        """Where it stands, for a :class:`Source` or a :class:`Problem`."""
        return f"line {self.number}"


@dataclass(frozen=True)
class Footer:
    """A line ``CertUtil: ...``: how the command ended."""

    line: Line
    verb: str | None
    """Lower case, without the hyphen; ``None`` in a line that only explains."""
    hresult: int | None
    """The error code; ``None`` when the command succeeded."""

    @property
    def succeeded(self) -> bool:
        """Whether it is the last line of a command that did its work."""
        return self.verb is not None and self.hresult is None


def read_lines(data: bytes) -> list[Line]:
    """Decode the text and undo what a console did to long lines.

    Some console captures are cut at the width of the window (seen in published smart card dumps at 80 columns);
    redirected output is not. A text with a longer line was not wrapped.
    """
    raw = [part.rstrip() for part in re.split(r"\r*\n|\r", decode(data).replace("\x00", ""))]
    printed = [part for part in raw if not part.startswith("#")]
    width = max((columns(part) for part in printed), default=0)
    lines: list[Line] = []
    joined = False
    for number, text in enumerate(raw, 1):
        before = lines[-1] if lines else None
        if (
            before
            and width in _CONSOLE_WIDTHS
            and text
            and columns(raw[number - 2]) == width
            and not is_prompt(raw[number - 2])
            and (joined or not _begins_anew(text))
        ):
            lines[-1] = Line(before.number, before.text + text)
            joined = columns(text) == width
            continue
        joined = False
        lines.append(Line(number, text))
    return lines


def columns(text: str) -> int:
    """How many columns of a console the text takes; East Asian characters take two."""
    if text.isascii():
        return len(text)
    return len(text) + sum(unicodedata.east_asian_width(character) in "WF" for character in text)


def is_prompt(text: str) -> bool:
    """Whether the line is a command prompt or a typed certutil command."""
    return _PROMPT.match(text) is not None


def labelled(text: str) -> tuple[str, str] | None:
    """Label and value of a line ``label: value``; the value may be empty."""
    match = _LABEL.fullmatch(text.strip()) if len(text) <= LONGEST_LINE else None
    return (match["label"].strip(), (match["value"] or "").strip()) if match else None


def assigned(text: str) -> tuple[str, str] | None:
    """Label and value of a line ``label = value``.

    French puts U+00A0 before the sign, which a wrong code page turns into any other character: it is left on the label.
    """
    match = _ASSIGNMENT.fullmatch(text.strip()) if len(text) <= LONGEST_LINE else None
    return (match["label"].strip(), (match["value"] or "").strip()) if match else None


def numbers(value: str) -> tuple[int, ...]:
    """What a printed number can mean: certutil prints hexadecimal, newer releases add the decimal in parentheses.

    ``20 (32)`` is 32. A bare ``20`` is 32, too, but a person who copies may have written decimal: the second value.
    Not a number: empty.
    """
    match = _NUMBER.fullmatch(value.strip())
    if not match:
        return ()
    hexadecimal = int(match["hex"], 16)
    if match["decimal"] is None and match["hex"].isdecimal() and not value.strip().startswith("0x"):
        return (hexadecimal, int(match["hex"]))
    return (hexadecimal,)


def footer(line: Line) -> Footer | None:
    """How the command ended, when this line says so."""
    match = _FOOTER.fullmatch(line.body)
    if not match:
        return None
    code = _HRESULT.search(match["rest"])
    return Footer(line, match["verb"].lower() if match["verb"] else None, int(code[1], 16) if code else None)


def failures(lines: Sequence[Line], origin: str) -> tuple[Problem, ...]:
    """One problem for each command in the text that failed, by its error code, whatever the language."""
    found = []
    for line in lines:
        end = footer(line)
        if end is None or end.hresult is None:
            continue
        command = f"certutil -{end.verb}" if end.verb else "certutil"
        meaning, remedy = _FAILURES.get(end.hresult, ("", "Look the code up: certutil -error CODE"))
        code = _HRESULT.search(line.body)
        name = f" ({code[2]})" if code and code[2] else ""
        message = f"{command} failed with 0x{end.hresult:08x}{name}" + (f": {meaning}." if meaning else ".")
        found.append(Problem(origin, message, remedy, line.place))
    return tuple(found)


def _begins_anew(text: str) -> bool:
    """Whether the line looks like one that certutil printed from its beginning."""
    return (
        text.startswith(("=", "-", "CertUtil"))
        or labelled(text) is not None
        or assigned(text) is not None
        or is_prompt(text)
    )
