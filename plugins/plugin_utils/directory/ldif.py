# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""LDIF (RFC 2849): objects read from it, objects and changes written to it, as ldifde.exe and ldapmodify have it."""

from __future__ import annotations

import base64
import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

from .change import Add, Change
from .entry import Entry
from .errors import DirectoryError

Encoding = Literal["utf-16", "ascii"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(?:;[A-Za-z0-9.=*-]+)*")
_LINE = re.compile(rf"({_NAME.pattern}):([:<]?) *(.*)", re.DOTALL)
_LINE_END = re.compile(r"\r?\n")
_WIDTH = 76
_END_OF_LINE = "\r\n"


class _Line(NamedTuple):
    """A line after unfolding; ``number`` is that of its first line in the file."""

    number: int
    text: str


def decode(data: bytes) -> str:
    """The text of a file of ldifde: by its byte order mark, else UTF-8 if it is that, else Windows-1252.

    ldifde writes UTF-16LE with a mark for ``-u``, else the ANSI code page; which one that is, the file does not say.

    Raises:
        UnicodeDecodeError: it is none of these.
    """
    if data.startswith(codecs.BOM_UTF8):
        return data.decode("utf-8-sig")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    if data[1:2] == b"\0":
        return data.decode("utf-16-le")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def parse(data: bytes, *, origin: str) -> list[Entry]:
    """The objects of an LDIF file; ``changetype: add`` counts as one, since ldifde exports so.

    Raises:
        DirectoryError: it is no LDIF, or one of other changes; ``place`` is ``origin, line N``.
    """
    try:
        text = decode(data)
    except UnicodeDecodeError as exc:
        raise DirectoryError(
            f"The file is no text in UTF-16, UTF-8 or Windows-1252 ({exc.reason} at byte {exc.start}).",
            place=origin,
            remedy="Export it again with ldifde.exe -u.",
        ) from exc
    entries: list[Entry] = []
    record: list[_Line] = []
    first = True
    for line in (*_unfolded(text, origin), _Line(0, "")):
        if line.text:
            if first and _is_version(line, origin):
                first = False
                continue
            first = False
            record.append(line)
        elif record:
            entries.append(_entry(record, origin))
            record = []
    return entries


def _unfolded(text: str, origin: str) -> Iterator[_Line]:
    """Lines without folds and comments; an empty one ends a record."""
    number, parts = 0, [""]
    for position, line in enumerate(_LINE_END.split(text), 1):
        if line.startswith(" "):
            if parts[0]:
                parts.append(line[1:])
                continue
            if line.strip():
                raise _wrong(origin, position, "The line continues a line before it, but there is none.")
            line = ""
        if not parts[0].startswith("#"):
            yield _Line(number, "".join(parts))
        number, parts = position, [line]
    if not parts[0].startswith("#"):
        yield _Line(number, "".join(parts))


def _is_version(line: _Line, origin: str) -> bool:
    name, value = _split(line, origin)
    if name.casefold() != "version":
        return False
    if value != b"1":
        raise _wrong(origin, line.number, f"The file is LDIF of version {value.decode('utf-8', 'replace')}, not 1.")
    return True


def _entry(record: Sequence[_Line], origin: str) -> Entry:
    name, value = _split(record[0], origin)
    if name.casefold() != "dn":
        raise _wrong(origin, record[0].number, f"A record begins with {name!r}; 'dn' is expected.")
    try:
        dn = value.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _wrong(origin, record[0].number, "The distinguished name is not UTF-8.") from exc
    spelled: dict[str, str] = {}
    gathered: dict[str, list[bytes]] = {}
    for line in record[1:]:
        name, value = _split(line, origin)
        folded = name.casefold()
        if folded == "changetype" and value.lower() == b"add":
            continue
        if folded in ("changetype", "control"):
            raise _wrong(
                origin,
                line.number,
                f"The record is a change ({line.text}), not the content of an object.",
                "Give an export of the object.",
            )
        if folded == "dn":
            raise _wrong(origin, line.number, "A second 'dn' stands in the record; an empty line is missing before it.")
        name = _without_options(name, line, origin)
        gathered.setdefault(spelled.setdefault(name.casefold(), name), []).append(value)
    return Entry(dn, {name: tuple(values) for name, values in gathered.items()})


def _without_options(name: str, line: _Line, origin: str) -> str:
    """The name without ``;binary``, which only says how a value was sent (RFC 4522)."""
    base, *options = name.split(";")
    if any(option.casefold().startswith("range=") for option in options):
        raise _wrong(
            origin,
            line.number,
            f"{name!r} holds only a part of the values of {base} (range retrieval): the object is incomplete.",
            "Read the attribute whole, page after page.",
        )
    return ";".join([base, *(option for option in options if option.casefold() != "binary")])


def _split(line: _Line, origin: str) -> tuple[str, bytes]:
    found = _LINE.fullmatch(line.text)
    if not found:
        raise _wrong(origin, line.number, f"{line.text[:60]!r} is not of the form 'attribute: value'.")
    name, kind, text = found.groups()
    if kind == "<":
        raise _wrong(
            origin, line.number, f"The value of {name} is in another file (':<').", "Write the value into the file."
        )
    if not kind:
        return name, text.encode("utf-8")
    try:
        return name, base64.b64decode(text.rstrip(" "), validate=True)
    except ValueError as exc:
        raise _wrong(origin, line.number, f"The value of {name} is not valid base64.") from exc


def _wrong(
    origin: str, number: int, message: str, remedy: str = "The file is damaged or no LDIF; export it again."
) -> DirectoryError:
    return DirectoryError(message, place=f"{origin}, line {number}", remedy=remedy)


def write_entries(entries: Iterable[Entry], *, comment: str | None = None) -> bytes:
    """Objects as content records in ASCII, which any tool reads; everything else is base64.

    Raises:
        DirectoryError: an attribute's name cannot be one.
    """
    records = ([_name(entry.dn, "ascii"), *_attributes(entry.attributes.items(), "ascii")] for entry in entries)
    return _file(records, "ascii", comment)


def write_changes(changes: Sequence[Change], *, encoding: Encoding) -> bytes:
    """Changes as change records.

    ``utf-16`` is for ``ldifde -i -u``: UTF-16LE with a byte order mark, in which only values that are no plain text
    are base64. ``ascii`` is for any tool: all that is not ASCII is base64, the distinguished name too.

    Raises:
        DirectoryError: an attribute's name cannot be one.
    """
    return _file([_change(change, encoding) for change in changes], encoding, None)


def write_replacement(
    dn: str, attributes: Sequence[tuple[str, tuple[bytes, ...]]], *, comment: str | None = None
) -> bytes:
    """A change in ASCII that gives attributes of one object these values whatever they are now; none clears.

    Raises:
        DirectoryError: an attribute's name cannot be one.
    """
    lines = _head(dn, "modify", "ascii")
    for name, values in attributes:
        lines += _modification("replace", name, values, "ascii")
    return _file([lines], "ascii", comment)


def write_deletion(dns: Sequence[str], *, comment: str | None = None) -> bytes:
    """Changes in ASCII that delete objects, in this order."""
    return _file([_head(dn, "delete", "ascii") for dn in dns], "ascii", comment)


def _change(change: Change, encoding: Encoding) -> list[str]:
    if isinstance(change, Add):
        return [*_head(change.dn, "add", encoding), *_attributes(change.attributes, encoding)]
    lines = _head(change.dn, "modify", encoding)
    for modification in change.modifications:
        if modification.delete:
            lines += _modification("delete", modification.attribute, modification.delete, encoding)
        if modification.add:
            lines += _modification("add", modification.attribute, modification.add, encoding)
    return lines


def _head(dn: str, change_type: str, encoding: Encoding) -> list[str]:
    return [_name(dn, encoding), f"changetype: {change_type}"]


def _name(dn: str, encoding: Encoding) -> str:
    # Never folded: so it stands in every export of ldifde that was seen, which folds values.
    return _unfolded_line("dn", dn.encode("utf-8", "surrogatepass"), encoding)


def _attributes(attributes: Iterable[tuple[str, tuple[bytes, ...]]], encoding: Encoding) -> list[str]:
    return [_line(name, value, encoding) for name, values in attributes for value in values]


def _modification(operation: str, name: str, values: Sequence[bytes], encoding: Encoding) -> list[str]:
    return [_line(operation, name.encode(), encoding), *(_line(name, value, encoding) for value in values), "-"]


def _line(name: str, value: bytes, encoding: Encoding) -> str:
    line = _unfolded_line(name, value, encoding)
    rest = range(_WIDTH, len(line), _WIDTH - 1)
    return f"{_END_OF_LINE} ".join([line[:_WIDTH], *(line[start : start + _WIDTH - 1] for start in rest)])


def _unfolded_line(name: str, value: bytes, encoding: Encoding) -> str:
    if not _NAME.fullmatch(name):
        raise DirectoryError(f"{name!r} cannot be the name of an attribute.", remedy="Correct the name.")
    text = _plain(value, encoding)
    if text is None:
        return f"{name}:: {base64.b64encode(value).decode('ascii')}"
    return f"{name}: {text}" if text else f"{name}:"


def _plain(value: bytes, encoding: Encoding) -> str | None:
    """The value as it can stand in a line, ``None`` when it must be base64.

    More is base64 than RFC 2849 demands: whatever is not printable, line separators of Unicode among it.
    """
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not text.isprintable() or text[:1] in (" ", ":", "<") or text.endswith(" "):
        return None
    return text if encoding == "utf-16" or text.isascii() else None


def _file(records: Iterable[Sequence[str]], encoding: Encoding, comment: str | None) -> bytes:
    lines = [f"# {line}".rstrip() for line in (comment or "").splitlines()]
    if lines:
        lines.append("")
    for record in records:
        lines += [*record, ""]
    text = "".join(line + _END_OF_LINE for line in lines)
    if encoding == "utf-16":
        return codecs.BOM_UTF16_LE + text.encode("utf-16-le")
    return text.encode("ascii", "backslashreplace")
