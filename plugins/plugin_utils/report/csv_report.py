# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.csv: one row a certificate, a problem, or a host that has neither; RFC 4180 with a header.

A cell that a spreadsheet would take for a formula (it begins with ``=``, ``+``, ``-``, ``@``, a tab, a carriage return
or a line feed, or with a full-width form of the signs) gets an apostrophe before it, as OWASP advises against CSV
injection; programs that need the plain value read report.json.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .model import Host, Item, Judged, Report, Trouble
from .wording import key_spec_text, printable, provider_type_text, public_key_text

COLUMNS = (
    "row",
    "host",
    "host_status",
    "store",
    "profile",
    "verdict",
    "assignments",
    "subject",
    "subject_alt_names",
    "thumbprint",
    "provider",
    "key_kind",
    "provider_type",
    "key_spec",
    "container",
    "machine_keyset",
    "exportable",
    "key_present",
    "public_key",
    "signature_algorithm",
    "not_before",
    "not_after",
    "issuer",
    "serial_number",
    "friendly_name",
    "template",
    "origin",
    "place",
    "requirements",
    "found",
    "reason",
    "remedy",
    "source",
    "confidence",
    "notes",
)
"""The header. ``row`` is ``certificate``, ``problem`` or ``host``; columns are only ever added at the end."""

_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_BETWEEN = "; "


def render_csv(report: Report) -> str:
    """Render report.csv. Written as ``utf-8-sig`` Excel shows names of every language right."""
    return csv_text(COLUMNS, (row for host in report.hosts for row in _of_host(host)))


def csv_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """A table as the text of a file: header, and rows in which absent values are empty cells."""
    output = io.StringIO(newline="")
    writer = csv.DictWriter(output, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({column: _cell(value) for column, value in row.items()})
    return output.getvalue()


def judged_cells(judged: Judged) -> dict[str, Any]:
    """The findings about a certificate or a template, each different text once."""
    findings = judged.findings
    return {
        "requirements": [f"{finding.name}={finding.status}" for finding in findings],
        "found": _distinct(finding.actual for finding in findings),
        "reason": _distinct(finding.reason for finding in findings),
        "remedy": _distinct(finding.remedy for finding in findings),
        "source": _distinct(finding.source for finding in findings),
        "confidence": _distinct(finding.confidence for finding in findings),
    }


def _of_host(host: Host) -> Iterator[dict[str, Any]]:
    common = {"host": host.name, "host_status": host.status, "store": host.store, "profile": host.profile}
    if host.status != "ok" or not (host.items or host.troubles):
        reason = host.message or "The host answered; it has no certificate in this store."
        yield {**common, "row": "host", "reason": reason}
    for item in host.items:
        yield {**common, **_of_item(item)}
    for trouble in host.troubles:
        yield {**common, **_of_trouble(trouble)}


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        value = _BETWEEN.join(str(part) for part in value)
    text = printable(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _of_trouble(trouble: Trouble) -> dict[str, Any]:
    return {
        "row": "problem",
        "origin": trouble.origin,
        "place": trouble.place,
        "reason": trouble.message,
        "remedy": trouble.remedy,
    }


def _of_item(item: Item) -> dict[str, Any]:
    certificate = item.certificate
    key = certificate.get("key") or {}
    source = certificate.get("source") or {}
    template = certificate.get("template") or {}
    return {
        "row": "certificate",
        "verdict": item.status,
        "assignments": item.assignments,
        "subject": certificate.get("subject"),
        "subject_alt_names": certificate.get("subject_alt_names"),
        "thumbprint": certificate.get("thumbprint"),
        "provider": key.get("provider"),
        "key_kind": key.get("kind"),
        "provider_type": provider_type_text(key),
        "key_spec": key_spec_text(key),
        "container": key.get("container"),
        "machine_keyset": key.get("machine_keyset"),
        "exportable": key.get("exportable"),
        "key_present": key.get("present"),
        "public_key": public_key_text(certificate),
        "signature_algorithm": certificate.get("signature_algorithm"),
        "not_before": certificate.get("not_before"),
        "not_after": certificate.get("not_after"),
        "issuer": certificate.get("issuer"),
        "serial_number": certificate.get("serial_number"),
        "friendly_name": certificate.get("friendly_name"),
        "template": template.get("name") or template.get("display_name") or template.get("oid"),
        "origin": source.get("origin"),
        "place": source.get("place"),
        **judged_cells(item),
        "notes": certificate.get("notes"),
    }


def _distinct(texts: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))
