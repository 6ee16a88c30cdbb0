# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lync usages in report.html: what is left to do, beginning with what needs a person; then what is in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .html_parts import e, folded, labelled, validity
from .model import Item, Report
from .needs import PROGRESS_WORDS, SHORT, Need
from .wording import certificate_name, plural

_CLASSES = {"blocked": "u", "pending": "q", "waits": "q", "satisfied": "s"}
_SIGNS = {"blocked": "×", "pending": "…", "waits": "…", "satisfied": "✓"}
"""What is not among them is a step that is to be made."""

Certificates = Mapping[tuple[int, str], Item]
"""By the number of the host and the thumbprint."""


def needs_section(report: Report) -> str:
    """The section of the page; nothing when no host has needs."""
    if not report.needs:
        return ""
    certificates = {
        (item.host_number, str(item.certificate["thumbprint"])): item
        for item in report.items
        if item.certificate.get("thumbprint")
    }
    left = report.left()
    done = tuple(need for need in report.needs if need.progress == "satisfied")
    parts = [
        '<section id="needs" aria-labelledby="needs-title">\n<h2 id="needs-title">Lync usages</h2>',
        f'<div class="about"><p>{e(report.needs_sentence())}</p></div>',
    ]
    for title, last, needs in (("What is left", "Why, and what next", left), ("In place", "Valid", done)):
        if needs:
            parts.append(f'<div class="card">\n<h3>{title}</h3>\n{_table(needs, last, certificates)}\n</div>')
    return "\n".join([*parts, "</section>"])


def _table(needs: Sequence[Need], last: str, certificates: Certificates) -> str:
    rows = "\n".join(_row(need, certificates) for need in needs)
    table = (
        f'<table class="certs needs">\n<caption>{plural(len(needs), "certificate")}</caption>\n<thead><tr>'
        '<th scope="col">Host, usages</th><th scope="col">Progress</th><th scope="col">Certificate</th>'
        f'<th scope="col">{last}</th></tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>'
    )
    return folded(table, len(needs), "certificate")


def _row(need: Need, certificates: Certificates) -> str:
    usages = "".join(f"<div>{e(usage)}</div>" for usage in need.types)
    last = "".join(f"<p>{e(text)}</p>" for text in need.told)
    if need.progress == "satisfied":
        item = certificates.get((need.host_number, need.current or ""))
        last = validity(item.certificate if item else {})
    return (
        f'<tr id="need{need.number}"><th scope="row"><a href="#h{need.host_number}">{e(need.host)}</a>{usages}</th>'
        f"<td>{_progress(need)}</td><td>{_change(need, certificates)}</td><td>{last}</td></tr>"
    )


def _progress(need: Need) -> str:
    shown = (
        f'<span class="v {_CLASSES.get(need.progress, "w")}">'
        f"{_SIGNS.get(need.progress, '!')} {PROGRESS_WORDS[need.progress]}</span>"
    )
    pending = need.pending
    if pending is None:
        return shown
    request = labelled(("Request ", pending.request_id), ("CA: ", pending.ca), ("Request file: ", pending.csr_path))
    return shown + request


def _change(need: Need, certificates: Certificates) -> str:
    target = _named(need.host_number, need.follows, certificates) if need.follows else e(need.target)
    now = _named(need.host_number, need.current, certificates) if need.current else "nothing assigned"
    return f"<div>{now}</div>" + (f"<div>→ {target}</div>" if target else "")


def _named(host_number: int, thumbprint: str, certificates: Certificates) -> str:
    """A short thumbprint, with the name of the certificate and the way to it where the host has it."""
    code = f"<code>{e(thumbprint[:SHORT])}</code>"
    item = certificates.get((host_number, thumbprint))
    if item is None:
        return code
    return f'<a href="#c{item.number}">{code}</a> {e(certificate_name(item.certificate))}'
