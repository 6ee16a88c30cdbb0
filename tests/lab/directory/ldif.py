# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""LDIF as ldifde.exe writes and reads it.

Written (seen in exports that others published): CRLF; a value with a character beyond ASCII as base64 unless the file
is Unicode, octet strings as base64; a line that would be longer than 79 characters is broken right behind ``name:``
and again after every 78 characters, each further line with a blank before it; the line of the name (``dn``) stays
whole in the exports that were seen. Exactly when a line counts as too long is not known.

Read: a modify block ends with a line ``-``, the last one too; a file is Unicode when it begins with the mark FF FE or
``-u`` says so, else it is in the ANSI code page (Microsoft, "LDIF scripts").
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from . import schema
from .model import Object, Operation

WIDTH = 78


class LdifFault(Exception):
    """A file that is not LDIF, with the line and the first character of what was not understood."""

    def __init__(self, line: int, token: str) -> None:
        super().__init__(f"line {line}: {token}")
        self.line = line
        self.token = token[:1]


@dataclass
class Record:
    """One record of a file: what is to be done with an object."""

    line: int
    """Where it begins, counted from 1."""
    dn: str
    changetype: str
    """``add``, ``modify`` or ``delete``."""
    attributes: dict[str, list[bytes]] = field(default_factory=dict)
    operations: list[Operation] = field(default_factory=list)


def written(entry: Object, *, unicode: bool, without: Sequence[str] = (), binary: bool = True) -> str:
    """An object as a record that would add it, with the empty line behind it.

    :param without: attributes to leave out, in lower case.
    :param binary: false leaves out what is base64 because it is no text.
    """
    lines = [_line("dn", entry.dn.encode("utf-8"), unicode=unicode, folded=False), "changetype: add\r\n"]
    for name, values in entry.attributes.items():
        if name.lower() in without or (not binary and _is_binary(name)):
            continue
        lines += [_line(name, value, unicode=unicode) for value in values]
    return "".join(lines) + "\r\n"


def _is_binary(name: str) -> bool:
    known = schema.attribute(name)
    return bool(known and known.syntax in ("octet", "sd", "sid"))


def _line(name: str, value: bytes, *, unicode: bool, folded: bool = True) -> str:
    text = None if _is_binary(name) else _plain(value, unicode=unicode)
    head = f"{name}: " if text is not None else f"{name}:: "
    body = text if text is not None else base64.b64encode(value).decode("ascii")
    if not folded or len(head) + len(body) <= WIDTH + 1:
        return f"{head}{body}\r\n"
    pieces = [body[at : at + WIDTH] for at in range(0, len(body), WIDTH)]
    return head + "\r\n" + "".join(f" {piece}\r\n" for piece in pieces)


def _plain(value: bytes, *, unicode: bool) -> str | None:
    """A value as it stands in the file; ``None`` if it has to be base64."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    control = any(ord(character) < 0x20 or ord(character) == 0x7F for character in text)
    if control or (not unicode and not text.isascii()) or text[:1] in (" ", ":", "<") or text[-1:] == " ":
        return None
    return text


def encoded(text: str, *, unicode: bool, code_page: str) -> bytes:
    """The content of a file."""
    return b"\xff\xfe" + text.encode("utf-16-le") if unicode else text.encode(code_page, "replace")


def decoded(data: bytes, *, unicode: bool, code_page: str) -> str:
    """The text of a file."""
    if data.startswith(b"\xff\xfe"):
        return data[2:].decode("utf-16-le", "replace")
    return data.decode("utf-16-le" if unicode else code_page, "replace")


def records(text: str, replaced: Mapping[str, str] | None = None) -> Iterator[Record]:
    """The records of a file, one after the other; a fault shows when its line is reached.

    :param replaced: texts to put in the place of others, in names and values that are not base64.

    Raises:
        LdifFault: a line that cannot be understood.
    """
    block: list[tuple[int, str]] = []
    for number, line in _logical(text):
        for old, new in (replaced or {}).items():
            line = line.replace(old, new)
        if line:
            block.append((number, line))
        elif block:
            yield _record(block)
            block = []
    if block:
        yield _record(block)


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, with those that go on put together; the number is that of the first."""
    held: tuple[int, str] | None = None
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if line.startswith(" ") and held is not None:
            held = (held[0], held[1] + line[1:])
            continue
        if held is not None and not held[1].startswith("#") and not held[1].lower().startswith("version:"):
            yield held
        held = (number, line)
    if held is not None and not held[1].startswith("#"):
        yield held


def _record(block: Sequence[tuple[int, str]]) -> Record:
    start = block[0][0]
    name, dn = _parsed(*block[0])
    if name != "dn":
        raise LdifFault(start, block[0][1])
    rest = list(block[1:])
    changetype = "add"
    if rest and rest[0][1].lower().startswith("changetype:"):
        number, line = rest.pop(0)
        changetype = _parsed(number, line)[1].decode().lower()
        if changetype not in ("add", "modify", "delete"):
            raise LdifFault(number, line.partition(":")[2].strip())
    record = Record(start, dn.decode("utf-8", "replace"), changetype)
    if changetype == "modify":
        record.operations = _operations(rest, start)
    elif changetype == "delete" and rest:
        raise LdifFault(*rest[0])
    else:
        for number, line in rest:
            attribute, value = _parsed(number, line)
            record.attributes.setdefault(attribute, []).append(value)
    return record


def _operations(lines: Sequence[tuple[int, str]], start: int) -> list[Operation]:
    found: list[Operation] = []
    held: tuple[str, str, list[bytes]] | None = None
    last = start
    for last, line in lines:
        if line == "-":
            if held is None:
                raise LdifFault(last, line)
            found.append(held)
            held = None
            continue
        name, value = _parsed(last, line)
        if held is not None:
            if name.lower() != held[1].lower():
                raise LdifFault(last, line)
            held[2].append(value)
        elif name.lower() in ("add", "delete", "replace"):
            held = (name.lower(), value.decode("utf-8", "replace"), [])
        else:
            raise LdifFault(last, line)
    if held is not None:
        raise LdifFault(last + 1, "")
    return found


def _parsed(number: int, line: str) -> tuple[str, bytes]:
    name, colon, value = line.partition(":")
    if not colon or not name or not all(character.isalnum() or character in "-;." for character in name):
        raise LdifFault(number, line)
    name = "dn" if name.lower() == "dn" else name
    if not value.startswith(":"):
        return name, value.lstrip(" ").encode("utf-8")
    try:
        return name, base64.b64decode(value[1:].strip(), validate=True)
    except binascii.Error as exc:
        raise LdifFault(number, value[1:].strip()) from exc
