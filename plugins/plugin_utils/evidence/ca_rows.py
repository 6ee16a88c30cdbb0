# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows that ``certutil -view`` prints of a CA database, by column, in any display language.

The schema at the top of the output names each column in English beside its translation. A text without it is read by
the English translations; what is not translated (PEM labels, names of request attributes) is found in any case.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .certutil_text import Line, labelled, numbers

_RULER = re.compile(r"\s*-{4,}(?:\s+-{4,}){2,}\s*")
_COLUMN = re.compile(r"\s+(?P<column>[A-Za-z]+(?:\.[A-Za-z]+)?)\s{2,}(?P<name>\S.*?)\s{2,}\S.*")
_ROW = re.compile(r"[^\s:：=\"-][^:：=\"]{0,40}?\s*[:：]")
_ROW_NUMBER = re.compile(r"\d+")
_PEM_BEGIN = re.compile(r"-----BEGIN [^-]+-----")
_PEM_END = re.compile(r"-----END [^-]+-----")
_EMPTY = "EMPTY"
_LONGEST_TEXT = 4096
"""Lines of a text column: the request attributes, the longest, have at most 32,768 characters."""
_LONGEST_FIELD = 1 << 20
"""Characters of a CSV field: a certificate or request in PEM is far shorter."""

ENGLISH: dict[str, str] = {
    "Request ID": "Request.RequestID",
    "Issued Request ID": "RequestID",
    "Binary Request": "Request.RawRequest",
    "Old Certificate": "Request.RawOldCertificate",
    "Request Attributes": "Request.RequestAttributes",
    "Request Type": "Request.RequestType",
    "Request Disposition": "Request.Disposition",
    "Requester Name": "Request.RequesterName",
    "Request Distinguished Name": "Request.DistinguishedName",
    "Request Common Name": "Request.CommonName",
    "Binary Precertificate": "Request.RawPrecertificate",
    "Binary Certificate": "RawCertificate",
    "Certificate Hash": "CertificateHash",
    "Certificate Template": "CertificateTemplate",
    "Serial Number": "SerialNumber",
    "Issued Distinguished Name": "DistinguishedName",
    "Issued Common Name": "CommonName",
}
"""Names of columns as Server 2022 shows them in English."""

_COLUMNS = frozenset(ENGLISH.values())


@dataclass
class Field:
    """One column of one row."""

    value: str
    pem: str = ""
    """The PEM block printed under it."""

    @property
    def text(self) -> str | None:
        """The string between quotation marks, or the plain value; ``None`` when the column is empty."""
        match = re.match(r'"(.*)"', self.value, re.DOTALL)
        found = (match[1] if match else self.value).strip()
        return None if found in ("", _EMPTY) else found

    @property
    def comment(self) -> str | None:
        """What follows the quotation marks: a template's display name after its identifier."""
        match = re.fullmatch(r'".*"\s+(\S.*)', self.value, re.DOTALL)
        return match[1] if match else None

    @property
    def number(self) -> int | None:
        """A number as ``0x15 (21) -- Revoked`` or, in CSV, as ``21``."""
        readings = numbers(self.value.strip('"').split(" -- ", maxsplit=1)[0])
        return readings[-1] if readings else None


@dataclass
class Row:
    """One row: columns by their English name, and the request attributes."""

    number: int
    fields: dict[str, Field] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    unnamed_pem: list[str] = field(default_factory=list)
    """PEM blocks of columns whose name was not understood, in order."""

    def text(self, *columns: str) -> str | None:
        """The first of these columns that has a text."""
        return next((found for name in columns if name in self.fields and (found := self.fields[name].text)), None)

    def number_of(self, *columns: str) -> int | None:
        """The first of these columns that has a number."""
        found = (self.fields[name].number for name in columns if name in self.fields)
        return next((number for number in found if number is not None), None)

    def pem(self, column: str, label_ending: str) -> str | None:
        """The PEM block of a column; without names of columns, the last one whose label ends so."""
        if column in self.fields and self.fields[column].pem:
            return self.fields[column].pem
        fitting = [block for block in self.unnamed_pem if block.partition("\n")[0].endswith(label_ending + "-----")]
        return fitting[-1] if fitting else None


@dataclass(frozen=True)
class Table:
    """All rows of a text."""

    rows: tuple[Row, ...] = ()
    recognized: bool = False
    """Whether the text is output of ``certutil -view`` at all; it may have no rows."""


def read_table(lines: Sequence[Line]) -> Table:
    """Read the rows of the list form or, when there are none, of the CSV form."""
    schema, begin = _schema(lines)
    rows: list[Row] = []
    index = begin
    while index < len(lines):
        if _is_row(lines, index):
            number = _ROW_NUMBER.search(lines[index].text)
            row = Row(int(number[0]) if number else len(rows) + 1)
            index = _fill(row, lines, index + 1, schema)
            rows.append(row)
        else:
            index += 1
    if rows or schema:
        return Table(tuple(rows), recognized=True)
    return _read_csv(lines)


def _schema(lines: Sequence[Line]) -> tuple[list[tuple[str, str]], int]:
    """Translated and English names of the columns in order, and where the rows may begin."""
    for index, line in enumerate(lines):
        if not _RULER.fullmatch(line.text):
            continue
        found = []
        for position in range(index + 1, len(lines)):
            match = _COLUMN.fullmatch(lines[position].text)
            if not match:
                break
            found.append((match["name"].strip(), match["column"]))
        if found:
            return found, index + 1 + len(found)
    return [], 0


def _is_row(lines: Sequence[Line], index: int) -> bool:
    """``Row 1:`` in any language: unindented, a number, nothing after the colon, an indented line next."""
    text = lines[index].text
    return (
        _ROW.fullmatch(text) is not None
        and len(_ROW_NUMBER.findall(text)) == 1
        and index + 1 < len(lines)
        and lines[index + 1].indent == 2
    )


def _fill(row: Row, lines: Sequence[Line], index: int, schema: list[tuple[str, str]]) -> int:
    """Read the columns of one row; returns the index of the line after it."""
    met: dict[str, int] = {}
    current: Field | None = None
    while index < len(lines):
        line = lines[index]
        if _is_row(lines, index) or line.text.startswith(("CertUtil:", "Certutil:")):
            return index
        pair = labelled(line.text)
        if _PEM_BEGIN.fullmatch(line.body):
            end = next((i for i in range(index, len(lines)) if _PEM_END.fullmatch(lines[i].body)), None)
            if end is None:
                return len(lines)
            block = "\n".join(part.body for part in lines[index : end + 1])
            if current is not None and not current.pem:
                current.pem = block
            else:
                row.unnamed_pem.append(block)
            index = end
        elif line.indent == 2 and pair:
            name, value = pair
            value, index = _whole(value, lines, index)
            column = _column(name, met, schema)
            current = Field(value) if column else None
            if column and current and column not in row.fields:
                row.fields[column] = current
        elif line.indent == 4 and pair and len(pair[1]) > 1 and pair[1][0] == pair[1][-1] == '"':
            row.attributes.setdefault(pair[0], pair[1][1:-1])
        index += 1
    return index


def _whole(value: str, lines: Sequence[Line], index: int) -> tuple[str, int]:
    """A text over several lines up to its closing quotation mark: nothing in it is a row or a column."""
    if not value.startswith('"') or '"' in value[1:]:
        return value, index
    for end in range(index + 1, min(len(lines), index + _LONGEST_TEXT)):
        if lines[end].text.endswith('"'):
            return "\n".join([value, *(line.text for line in lines[index + 1 : end + 1])]), end
    return value, index


def _column(name: str, met: dict[str, int], schema: list[tuple[str, str]]) -> str | None:
    """The English name of a column. Columns that share a translation are printed in the order of the schema."""
    if not schema:
        return ENGLISH.get(name)
    columns = [column for translated, column in schema if translated == name]
    turn = met.get(name, 0)
    met[name] = turn + 1
    return columns[turn] if turn < len(columns) else None


def _read_csv(lines: Sequence[Line]) -> Table:
    """``certutil -view ... csv``: a heading of translated names, then a record for each row."""
    printed = [line.text for line in lines if not line.text.startswith(("#", "CertUtil:"))]
    text = "\n".join(printed).strip()
    if not text.startswith('"') or max(map(len, printed)) > _LONGEST_FIELD:
        return Table()
    try:
        records = [record for record in csv.reader(io.StringIO(text), strict=True) if any(record)]
    except csv.Error:
        return Table()
    if not records:
        return Table()
    columns = [ENGLISH.get(name.strip(), name.strip()) for name in records[0]]
    rows = []
    for number, record in enumerate(records[1:], 1):
        row = Row(number)
        for column, value in zip(columns, record, strict=False):
            begin = _PEM_BEGIN.search(value)
            block = value[begin.start() :] if begin else ""
            row.fields[column] = Field(value, block)
            if block and column not in _COLUMNS:
                row.unnamed_pem.append(block)
        rows.append(row)
    # Where the heading is not in English, the blocks of PEM still tell what they are.
    recognized = not _COLUMNS.isdisjoint(columns) or any(row.unnamed_pem for row in rows)
    return Table(tuple(rows), recognized=True) if recognized else Table()
