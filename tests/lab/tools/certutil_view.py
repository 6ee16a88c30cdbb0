# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certutil -view -restrict ... -out ...``: rows of a CA's database.

Shape: transcripts of Server 2022 (schema, rows, totals; numbers from 10 on with their decimal form, binary columns as
base64 between lines). Unverified: the sizes in the totals, the form of a status code other than 0, and that texts are
compared without regard to case.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..adcs.authority import Row, common_name
from ..formats.request import armoured
from ..host.messages import short_time
from ..powershell.errors import NotSimulated
from . import hresult
from .base import Result
from .certutil_ca import officer_of
from .certutil_call import CertutilCall, done

Value = str | int | bytes | datetime | None

_CONDITION = re.compile(r"\s*([\w. ]+?)\s*(==|>=|<=|=|>|<)\s*(.*?)\s*")
_OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "==": operator.eq,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


_DISPOSITIONS = {9: "Taken Under Submission", 20: "Issued", 30: "Error", 31: "Denied"}
"""``Issued`` and ``Denied`` were seen; the other two are unverified."""


@dataclass(frozen=True)
class _Column:
    """A column of the database: its schema line, and its value in a row (None: ``EMPTY``)."""

    name: str
    label: str
    kind: str
    size: str
    value: Callable[[Row], Value]


def _template(row: Row) -> str | None:
    if row.template is None:
        return None
    return row.template.oid if row.template.schema > 1 else row.template.name


_COLUMNS = {
    column.name.casefold(): column
    for column in (
        _Column("Request.RequestID", "Request ID", "Long", "4 -- Indexed", lambda row: row.request_id),
        _Column("Request.RawRequest", "Binary Request", "Binary", "65536", lambda row: row.raw_request),
        _Column("Request.StatusCode", "Request Status Code", "Long", "4", lambda row: row.status_code),
        _Column("Request.Disposition", "Request Disposition", "Long", "4 -- Indexed", lambda row: row.disposition),
        _Column(
            *("Request.DispositionMessage", "Request Disposition Message", "String", "8192"), lambda row: row.message
        ),
        _Column(
            *("Request.SubmittedWhen", "Request Submission Date", "Date", "8 -- Indexed"), lambda row: row.submitted
        ),
        _Column("Request.ResolvedWhen", "Request Resolution Date", "Date", "8 -- Indexed", lambda row: row.resolved),
        _Column("Request.RequesterName", "Requester Name", "String", "2048 -- Indexed", lambda row: row.requester),
        _Column(
            *("Request.CommonName", "Request Common Name", "String", "8192"), lambda row: row.requested_common_name
        ),
        _Column("RequestID", "Issued Request ID", "Long", "4 -- Indexed", lambda row: row.request_id),
        _Column("RawCertificate", "Binary Certificate", "Binary", "16384", lambda row: row.der),
        _Column("CertificateTemplate", "Certificate Template", "String", "254 -- Indexed", _template),
        _Column(
            *("SerialNumber", "Serial Number", "String", "128 -- Indexed"),
            lambda row: f"{row.certificate.serial_number:038x}" if row.certificate else None,
        ),
        _Column(
            *("NotAfter", "Certificate Expiration Date", "Date", "8 -- Indexed"),
            lambda row: row.certificate.not_valid_after_utc if row.certificate else None,
        ),
        _Column(
            *("CommonName", "Issued Common Name", "String", "8192 -- Indexed"),
            lambda row: common_name(row.certificate.subject) if row.certificate else None,
        ),
    )
}


def view(call: CertutilCall) -> Result:
    """The rows that meet all conditions of ``-restrict``, with the columns of ``-out``.

    Raises:
        CertutilFault: access is denied, or the CA cannot be asked.
        NotSimulated: another form of the verb.
    """
    wanted = call.value("out")
    if wanted is None or call.operands:
        raise NotSimulated("certutil -view without -out, or with a table")
    authority = officer_of(call)
    columns = [_column(name) for name in wanted.split(",")]
    conditions = [_condition(text) for text in (call.value("restrict") or "").split(",") if text.strip()]
    rows = [row for row in authority.rows if all(condition(row) for condition in conditions)]
    lines = ["Schema:", "  Column Name                   Localized Name                Type    MaxLength"]
    lines.append(f"  {'-' * 28}  {'-' * 28}  {'-' * 6}  {'-' * 9}")
    lines += [f"  {column.name:<28}  {column.label:<28}  {column.kind:<6}  {column.size}" for column in columns]
    sizes = []
    for number, row in enumerate(rows, start=1):
        lines += ["", f"Row {number}:"]
        for column in columns:
            value = column.value(row)
            sizes.append(_size(value))
            lines += _shown(call, column, row, value)
    lines += ["", f"Maximum Row Index: {len(rows)}", "", f"{len(rows)} Rows"]
    lines += [_total(sizes, "Row Properties"), _total([], "Request Attributes"), _total([], "Certificate Extensions")]
    lines.append(_total(sizes, "Total Fields"))
    return done(call, "\n".join(lines) + "\n")


def _column(name: str) -> _Column:
    """A column by its name, without ``Request.`` too, or by its label."""
    folded = name.strip().casefold()
    found = _COLUMNS.get(folded) or _COLUMNS.get(f"request.{folded}")
    found = found or next((one for one in _COLUMNS.values() if one.label.casefold() == folded), None)
    if found is None:
        raise NotSimulated(f"certutil -view: the column {name}")
    return found


def _condition(text: str) -> Callable[[Row], bool]:
    matched = _CONDITION.fullmatch(text)
    if not matched:
        raise NotSimulated(f"certutil -view -restrict {text}")
    column, compare, given = _column(matched[1]), matched[2], matched[3].strip('"')
    if column.kind == "Long":
        number = int(given, 0)
        return lambda row: isinstance(value := column.value(row), int) and _OPERATORS[compare](value, number)
    if column.kind != "String" or compare not in ("=", "=="):
        raise NotSimulated(f"certutil -view -restrict {text}")
    folded = given.replace("\\\\", "\\").casefold()
    return lambda row: isinstance(value := column.value(row), str) and value.casefold() == folded


def _shown(call: CertutilCall, column: _Column, row: Row, value: Value) -> list[str]:
    if value is None:
        return [f"  {column.label}: EMPTY"]
    if isinstance(value, bytes):
        label = "NEW CERTIFICATE REQUEST" if column.name == "Request.RawRequest" else "CERTIFICATE"
        return [f"  {column.label}:", *armoured(value, label).split("\r\n")]
    if isinstance(value, datetime):
        return [f"  {column.label}: {short_time(call.machine.local(value), call.machine.language)}"]
    if isinstance(value, str):
        named = ""
        if column.name == "CertificateTemplate" and row.template and row.template.schema > 1:
            named = f" {row.template.display_name}"
        return [f'  {column.label}: "{value}"{named}']
    if column.name == "Request.StatusCode":
        if not value:
            return [f"  {column.label}: 0x0 (WIN32: 0) -- The operation completed successfully."]
        return [f"  {column.label}: {hresult.shown(value)} -- {hresult.meaning(value)}"]
    number = f"0x{value:x}" if value < 10 else f"0x{value:x} ({value})"
    meaning = f" -- {_DISPOSITIONS[value]}" if column.name == "Request.Disposition" else ""
    return [f"  {column.label}: {number}{meaning}"]


def _size(value: Value) -> int:
    if isinstance(value, str):
        return 2 * len(value) + 2
    return len(value) if isinstance(value, bytes) else 0 if value is None else 8 if isinstance(value, datetime) else 4


def _total(sizes: Sequence[int], what: str) -> str:
    average = sum(sizes) // len(sizes) if sizes else 0
    return f"{len(sizes):4} {what}, Total Size = {sum(sizes)}, Max Size = {max(sizes, default=0)}, Ave Size = {average}"
