# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and requests from rows of a CA database, as ``certutil -view`` prints them.

A row tells which provider made the key when the certificate was requested: in the request attribute
RequestCSPProvider and in the request itself. Where the key lives today it cannot tell.
"""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Literal

from ..providers.catalogue import classify
from ..record import Certificate, Enrolment, EvidenceError, Key, Problem, Reading, Request, Source, Template
from .ca_rows import Row, read_table
from .certutil_text import failures, read_lines
from .csr import read_csr
from .x509 import certificate_from_der

FORMAT = "ca_view"

ENROLMENT_ONLY = (
    "This is the provider at the time of enrolment: a key that was moved to another provider since then "
    "leaves no trace in the CA database."
)
_NO_PROVIDER = (
    "This selection of columns does not tell the provider; print whole rows or add Request.RawRequest to -out."
)
_COMMAND = 'certutil -view -restrict "Disposition=20" > FILE'
_REQUEST_REMEDY = "Print the row again: certutil -view -restrict RequestID=N"
_WITHOUT_CERTIFICATE = frozenset({8, 9, 30, 31})
"""Dispositions of rows whose certificate was not issued: active, pending, failed, denied (CertView.h)."""
_OID = re.compile(r"\d+(?:\.\d+){3,}")
_REQUEST_FORMAT = 0xFF00
_CMC_FORMAT = 0x0400
"""CR_IN_CMC within CR_IN_FORMATMASK of the request type (CertCli.h)."""


def read_ca_view(data: bytes, origin: str) -> Reading:
    """Read the rows of ``certutil -view``, whole ones, a selection of columns, or CSV.

    Args:
        data: the text in any encoding of Windows.
        origin: the file or host it comes from, for messages.

    Returns:
        A certificate for each row with one, a request for each row that is pending or was refused; a problem for what
        cannot be read. Never raises for bad input.

    """
    lines = read_lines(data)
    table = read_table(lines)
    readings = [_read_row(row, origin) for row in table.rows if not _is_hidden(row)]
    problems = list(failures(lines, origin))
    hidden = [row.number for row in table.rows if _is_hidden(row)]
    if hidden:
        shown = ", ".join(map(str, hidden[:10])) + (" and more" if len(hidden) > 10 else "")
        message = f"{len(hidden)} row(s) tell neither of a certificate nor of a request: {shown}."
        problems.append(Problem(origin, message, f"Print whole rows: {_COMMAND}"))
    if not table.recognized and not problems:
        message = "The text is empty." if not data.strip() else "This is no output of certutil -view: it has no rows."
        problems.append(Problem(origin, message, f"Run this on the CA and give its output: {_COMMAND}"))
    return Reading(
        tuple(certificate for reading in readings for certificate in reading.certificates),
        tuple(request for reading in readings for request in reading.requests),
        tuple(problem for reading in readings for problem in reading.problems) + tuple(problems),
    )


def _is_hidden(row: Row) -> bool:
    if row.pem("Request.RawRequest", "CERTIFICATE REQUEST") or row.pem("RawCertificate", "BEGIN CERTIFICATE"):
        return False
    if row.number_of("Request.Disposition") in _WITHOUT_CERTIFICATE:
        return True
    told = ("CertificateHash", "SerialNumber", "CertificateTemplate", "CommonName", "DistinguishedName")
    return row.text(*told) is None


def _read_row(row: Row, origin: str) -> Reading:
    source = Source(FORMAT, origin, f"row {row.number}")
    request, notes = _request(row, origin, source)
    enrolment = _enrolment(row, request)
    key, more = _key(row, request)
    notes += more
    certificate = row.pem("RawCertificate", "BEGIN CERTIFICATE")
    refused = row.number_of("Request.Disposition") in _WITHOUT_CERTIFICATE
    if not certificate and (refused or (request and not row.text("CertificateHash", "SerialNumber"))):
        if request is None:
            return Reading(problems=tuple(Problem(origin, note, _REQUEST_REMEDY, source.place) for note in notes))
        template = request.template or _template(row)
        found = replace(
            request, key=key, source=source, enrolment=enrolment, template=template, form=_form(row, request)
        )
        return Reading(requests=(replace(found, notes=request.notes + notes),))
    if certificate:
        try:
            read = certificate_from_der(_der(certificate), source=source, key=key, notes=notes, enrolment=enrolment)
        except EvidenceError as error:
            problem = error.as_problem(origin, within=source.place)
            return Reading((_from_columns(row, source, key, notes, enrolment),), (), (problem,))
        return Reading((_with_template(read, _template(row)),))
    return Reading((_from_columns(row, source, key, notes, enrolment),))


def _request(row: Row, origin: str, source: Source) -> tuple[Request | None, tuple[str, ...]]:
    """The request that the row holds, with a note for each defect of it."""
    pem = row.pem("Request.RawRequest", "CERTIFICATE REQUEST")
    if not pem:
        return None, ()
    reading = read_csr(pem.encode("ascii", "replace"), origin)
    notes = tuple(f"The request in {source.place} cannot be read: {problem.message}" for problem in reading.problems)
    return (reading.requests[0] if reading.requests else None), notes


def _key(row: Row, request: Request | None) -> tuple[Key, tuple[str, ...]]:
    """The provider at enrolment, from the request attribute and from the request."""
    name = row.attributes.get("RequestCSPProvider") or None
    attribute = Key(kind=classify(name, None), provider=name) if name else None
    own = request.key if request and (request.key.provider or request.key.candidates) else None
    if attribute is None and own is None:
        return Key(), ((_NO_PROVIDER,) if request is None else ("The request names no provider.",))
    if attribute is None or own is None:
        return (attribute or own or Key()), (ENROLMENT_ONLY,)
    if own.provider and own.provider.casefold() == (attribute.provider or "").casefold():
        return own, (ENROLMENT_ONLY,)
    note = f"The CA recorded the provider {attribute.provider!r}, the request itself names {own.provider!r}."
    return Key(kind="ambiguous", candidates=(attribute, *(own.candidates or (own,)))), (note, ENROLMENT_ONLY)


def _enrolment(row: Row, request: Request | None) -> Enrolment | None:
    told = request.enrolment if request and request.enrolment else Enrolment()
    found = replace(
        told,
        request_id=row.number_of("Request.RequestID", "RequestID"),
        disposition=row.number_of("Request.Disposition"),
        requester=row.text("Request.RequesterName"),
        os_version=row.attributes.get("RequestOSVersion") or told.os_version,
    )
    return None if found == Enrolment() else found


def _from_columns(
    row: Row, source: Source, key: Key, notes: tuple[str, ...], enrolment: Enrolment | None
) -> Certificate:
    digits = re.sub(r"\s", "", row.text("CertificateHash") or "")
    serial = re.sub(r"\s", "", row.text("SerialNumber") or "").lower()
    common_name = row.text("CommonName")
    return Certificate(
        key=key,
        source=source,
        thumbprint=digits.upper() if re.fullmatch(r"[0-9a-fA-F]{40}", digits) else None,
        subject=row.text("DistinguishedName") or (f"CN={common_name}" if common_name else None),
        serial_number=serial if re.fullmatch(r"[0-9a-f]+", serial) else None,
        template=_template(row),
        enrolment=enrolment,
        notes=notes,
    )


def _template(row: Row) -> Template | None:
    """The column: a name for templates of schema 1, else an identifier with the display name beside it."""
    value = row.text("CertificateTemplate")
    if value is None:
        return None
    display = row.fields["CertificateTemplate"].comment
    return (
        Template(oid=value, display_name=display)
        if _OID.fullmatch(value)
        else Template(name=value, display_name=display)
    )


def _with_template(certificate: Certificate, column: Template | None) -> Certificate:
    """Complete what the certificate says of its template by what the CA says."""
    if column is None or certificate.template is None:
        return certificate if column is None else replace(certificate, template=column)
    told = certificate.template
    if told.oid and column.oid and told.oid != column.oid:
        return certificate
    return replace(
        certificate,
        template=replace(told, name=told.name or column.name, display_name=told.display_name or column.display_name),
    )


def _form(row: Row, request: Request) -> Literal["pkcs10", "cmc"]:
    kind = row.number_of("Request.RequestType")
    return "cmc" if kind is not None and kind & _REQUEST_FORMAT == _CMC_FORMAT else request.form


def _der(pem: str) -> bytes:
    body = "".join(line for line in pem.splitlines() if not line.startswith("-----"))
    try:
        return base64.b64decode(body, validate=True)
    except ValueError as exc:
        raise EvidenceError(f"The certificate of the row is not base64: {exc}.", remedy=_REQUEST_REMEDY) from exc
