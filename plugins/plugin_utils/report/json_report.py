# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.json: everything, for programs.

The shape, which ``schema_version`` counts; keys may be added within a version, never renamed, removed or retyped::

    schema_version       1
    collection           "winpki.keyprovider"
    collection_version   text
    title                text
    profile              text; several with commas when the hosts differ
    product              text, likewise; the profile's name when the product is not known
    generated_at         "2025-11-22T12:24:00Z"
    headline             the answer in one sentence
    summary
      hosts              {total, ok, failed, unreachable, skipped}
      certificates       {total, suitable, warning, undetermined, unsuitable, by_kind: {csp, ksp, ...}}
      problems           number
    hosts                a list, in the order of the audit
      - host, status     ok | failed | unreachable | skipped
        message          why there is no result, with the way out; null for ok
        store, groups    text or null; list of text
        profile          what its certificates were judged by; null when nothing tells
        summary          as summary.certificates, for this host
        certificates     as certificate_info returns them, with verdict and assignments
        problems         [{origin, place, message, remedy}]
        needs            what its Lync usages need, one element a certificate; null when nobody asked, or
                         when nothing tells (then a problem says why)
          - name, types, state, reasons, current, successor, repair, convert, provider, shared, source_host
                         as lync_certificate_plan returns them
            pending      {request_id, ca, reason, csr_path} of a request that waits for its CA, each may be null; null
                         for the others
    steps                what to do, most urgent first
      - remedy, status, certificates, hosts   text, verdict, number, list of names
    templates            the certificate templates; null when nobody asked for them
      status             ok | failed | unreachable
      message            why there is no result; null for ok
      directory          {server, configuration}, texts or null
      summary            {total, suitable, warning, undetermined, unsuitable, by_category: {csp, ksp}, exposed,
                         unpublished}
      items              as template_info returns them
      problems           [{origin, place, message, remedy}]
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from .model import HOST_STATUSES, Report
from .steps import steps
from .templates import TemplateSection
from .wording import headline

SCHEMA_VERSION = 1

_SURROGATES = re.compile("[\ud800-\udfff]")


def render_json(report: Report) -> str:
    """Render report.json; the text can be encoded as UTF-8 whatever the evidence held."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "collection": "winpki.keyprovider",
        "collection_version": report.collection_version,
        "title": report.title,
        "profile": report.profile,
        "product": report.product,
        "generated_at": report.generated_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "headline": headline(report),
        "summary": {
            "hosts": {
                "total": len(report.hosts),
                **{
                    status: sum(1 for host in report.hosts if host.status == status)
                    for status in reversed(HOST_STATUSES)
                },
            },
            "certificates": report.counts(),
            "problems": len(report.troubles),
        },
        "hosts": [
            {
                "host": host.name,
                "status": host.status,
                "message": host.message,
                "store": host.store,
                "profile": host.profile,
                "groups": list(host.groups),
                "summary": host.counts(),
                "certificates": [item.certificate for item in host.items],
                "problems": [
                    {
                        "origin": trouble.origin,
                        "place": trouble.place,
                        "message": trouble.message,
                        "remedy": trouble.remedy,
                    }
                    for trouble in host.troubles
                ],
                "needs": None if host.needs is None else [need.as_dict() for need in host.needs],
            }
            for host in report.hosts
        ],
        "steps": [
            {
                "remedy": step.remedy,
                "status": step.status,
                "certificates": len(step.items),
                "hosts": list(step.hosts()),
            }
            for step in steps(report)
        ],
        "templates": _templates(report.templates) if report.templates else None,
    }
    return json.dumps(_plain(document), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _templates(section: TemplateSection) -> dict[str, Any]:
    return {
        "status": section.status,
        "message": section.message,
        "directory": {"server": section.server, "configuration": section.configuration},
        "summary": section.counts(),
        "items": [item.template for item in section.items],
        "problems": [problem.as_dict() for problem in section.problems],
    }


def _plain(value: Any) -> Any:
    """The value with nothing in it but what JSON knows; lone surrogates become U+FFFD."""
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    return _SURROGATES.sub("\ufffd", str(value))
