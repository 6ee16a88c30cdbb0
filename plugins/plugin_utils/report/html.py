# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: one file for people. It needs no network and no script, and says so in its security policy.

Certificates stand in groups that share a verdict and its findings, so reasons, remedies and sources are told once
however many certificates they concern.
"""

from __future__ import annotations

from collections.abc import Sequence

from .html_needs import needs_section
from .html_parts import (
    CLASSES,
    SIGNS,
    article,
    e,
    folded,
    labelled,
    linked,
    listing,
    requirement,
    validity,
    verdict,
    words,
)
from .html_templates import templates_section
from .model import Host, Item, Report, Trouble
from .steps import Group, Step, groups, in_use, steps
from .style import stylesheet
from .summary import STATUSES
from .wording import (
    asides,
    certificate_name,
    headline,
    key_spec_text,
    plural,
    provider_type_text,
    public_key_text,
    template_text,
)

_MEANINGS = {
    "unsuitable": "cannot be used",
    "undetermined": "could not be judged",
    "warning": "can be used, with a defect",
    "suitable": "can be used",
}
_HOST_WORDS = {"ok": "read", "failed": "failed", "unreachable": "unreachable", "skipped": "skipped"}


def render_html(report: Report) -> str:
    """Render report.html, to be written as UTF-8."""
    together = groups(report)
    parts = [
        _head(report),
        "<body>",
        _header(report),
        "<main>",
        _fleet(report),
        _attention(report),
        needs_section(report),
        _steps_section(report, together),
        _hosts(report),
        _certificates(report, together),
        templates_section(report.templates) if report.templates else "",
        "</main>",
        f'<footer class="soft"><p>Made by the Ansible collection winpki.keyprovider {e(report.collection_version)} '
        f"on {_moment(report)}. Confidence tells how well the source of a requirement is established.</p></footer>",
        "</body>\n</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _moment(report: Report) -> str:
    at = report.generated_at
    return f'<time datetime="{at:%Y-%m-%dT%H:%M:%SZ}">{at:%Y-%m-%d %H:%M} UTC</time>'


def _head(report: Report) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        'img-src data:">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f'<link rel="icon" href="data:,">\n<title>{e(report.title)}: {e(report.product)}</title>\n'
        f"<style>\n{stylesheet(needs=bool(report.needs))}</style>\n</head>"
    )


def _header(report: Report) -> str:
    more = "".join(f"<li>{e(aside)}</li>" for aside in asides(report))
    facts = [
        ("Audited", _moment(report)),
        ("Profile", f"<code>{e(report.profile)}</code>"),
        ("Hosts", str(len(report.hosts))),
        ("Certificates", str(len(report.items))),
    ]
    if report.templates and report.templates.status == "ok":
        facts.append(("Templates", str(len(report.templates.items))))
    sections = [("fleet", "Fleet")]
    if report.without_result() or report.troubles:
        sections.append(("attention", "Without a result"))
    if report.needs:
        sections.append(("needs", "Lync usages"))
    if steps(report):
        sections.append(("steps", "What to do"))
    sections += [("hosts", "Hosts"), ("certificates", "Certificates")]
    if report.templates:
        sections.append(("templates", "Certificate templates"))
    return (
        f'<header>\n<p class="kicker">{e(report.title)}</p>\n<h1>{e(headline(report))}</h1>\n'
        + (f'<ul class="asides">{more}</ul>\n' if more else "")
        + '<dl class="facts">'
        + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts)
        + '</dl>\n<nav class="jump" aria-label="Sections">'
        + " ".join(f'<a href="#{anchor}">{name}</a>' for anchor, name in sections)
        + "</nav>\n</header>"
    )


def _fleet(report: Report) -> str:
    counts = report.counts()
    shown = [status for status in STATUSES if counts[status]]
    segments = "".join(
        f'<span class="{CLASSES[status]}" style="flex-grow:{counts[status]}">{SIGNS[status]}</span>' for status in shown
    )
    label = ", ".join(f"{counts[status]} {status}" for status in shown)
    totals = "".join(
        f"<li><b>{counts[status]}</b>{verdict(status)}<br><small>{_MEANINGS[status]}</small></li>"
        for status in STATUSES
    )
    return (
        '<section id="fleet" aria-labelledby="fleet-title">\n<h2 id="fleet-title">The fleet</h2>\n<div class="card">\n'
        + (f'<div class="bar" role="img" aria-label="{label}">{segments}</div>\n' if segments else "")
        + f'<ul class="totals">{totals}</ul>\n<ul class="map">\n'
        + "\n".join(_map_row(host) for host in report.hosts)
        + "\n</ul>\n</div>\n</section>"
    )


def _map_row(host: Host) -> str:
    cells = [
        f'<a class="{CLASSES[item.status]}" href="#c{item.number}" '
        f'title="{item.status}: {e(certificate_name(item.certificate))}">{SIGNS[item.status]}</a>'
        for item in sorted(host.items, key=lambda item: STATUSES.index(item.status))
    ]
    if host.status == "skipped":
        cells.append('<span class="soft">skipped</span>')
    elif host.status != "ok":
        cells.append(f'<span class="note">no result: {host.status}</span>')
    elif not host.items:
        cells.append('<span class="soft">no certificates</span>')
    if host.troubles:
        cells.append(f'<span class="note">{plural(len(host.troubles), "problem")}</span>')
    return f'<li><a href="#h{host.number}">{e(host.name)}</a><div>{"".join(cells)}</div></li>'


def _attention(report: Report) -> str:
    missing, troubles = report.without_result(), report.troubles
    if not missing and not troubles:
        return ""
    parts = [
        '<section id="attention" aria-labelledby="attention-title">\n<h2 id="attention-title">Without a result</h2>'
    ]
    if missing:
        entries = "\n".join(
            f'<li><b><a href="#h{host.number}">{e(host.name)}</a>: {host.status}</b><p>{e(host.message or "")}</p></li>'
            for host in missing
        )
        parts.append(f'<div class="card alert">\n<h3>Hosts</h3>\n<ul>\n{entries}\n</ul>\n</div>')
    if troubles:
        entries = "\n".join(_trouble(trouble) for trouble in troubles)
        listed = folded(f"<ul>\n{entries}\n</ul>", len(troubles), "problem")
        parts.append(f'<div class="card alert">\n<h3>Evidence with problems</h3>\n{listed}\n</div>')
    return "\n".join([*parts, "</section>"])


def _trouble(trouble: Trouble) -> str:
    place = "" if trouble.origin == trouble.host else f"{e(trouble.origin)} "
    place += f"<code>{e(trouble.place)}</code>" if trouble.place else ""
    return (
        f'<li><b><a href="#h{trouble.host_number}">{e(trouble.host)}</a></b> <small>{place}</small>'
        f"<p>{e(trouble.message)} {e(trouble.remedy or '')}</p></li>"
    )


def _steps_section(report: Report, together: Sequence[Group[Item]]) -> str:
    todo = steps(report)
    if not todo:
        return ""
    groups_of = {item.number: number for number, group in enumerate(together, 1) for item in group.items}
    entries = "\n".join(_step(step, groups_of) for step in todo)
    return (
        '<section id="steps" aria-labelledby="steps-title">\n<h2 id="steps-title">What to do</h2>\n'
        f'<div class="card">\n<ol class="steps">\n{entries}\n</ol>\n</div>\n</section>'
    )


def _step(step: Step, groups_of: dict[int, int]) -> str:
    hosts = step.hosts()
    extent = []
    if step.items:
        used = in_use(step.items)
        extent.append(plural(len(step.items), "certificate") + (f", {used} in use" if used else ""))
    if step.troubles:
        extent.append(plural(len(step.troubles), "problem"))
    on = e(", ".join(hosts)) if len(hosts) <= 6 else plural(len(hosts), "host")
    numbers = sorted({groups_of[item.number] for item in step.items})
    links = " ".join(f'<a href="#g{number}">{number}</a>' for number in numbers)
    shown = f" · certificates in group {links}" if links else ""
    return (
        f"<li><div><p>{e(step.remedy)}</p>\n<small>{verdict(step.status)} · {' and '.join(extent)} · "
        f"{on}{shown}</small></div></li>"
    )


def _hosts(report: Report) -> str:
    columns = "".join(
        f'<th scope="col" class="n">{name}</th>' for name in (*(status.capitalize() for status in STATUSES), "Problems")
    )
    several = len(report.profiles) > 1
    rows = "\n".join(_host(host, several) for host in report.hosts)
    return (
        '<section id="hosts" aria-labelledby="hosts-title">\n<h2 id="hosts-title">Hosts</h2>\n<div class="card">\n'
        '<table class="hosts">\n<thead><tr><th scope="col">Host</th><th scope="col">Result</th>'
        f"{columns}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>\n</div>\n</section>"
    )


def _host(host: Host, several_profiles: bool) -> str:
    counts = host.counts()
    about = [f"store {e(host.store)}"] if host.store else []
    about += [f"profile {e(host.profile)}"] if several_profiles and host.profile else []
    about += [e(", ".join(host.groups))] if host.groups else []
    small = f"<small>{' · '.join(about)}</small>" if about else ""
    result = _HOST_WORDS[host.status]
    if host.status in ("failed", "unreachable"):
        result = f'<span class="note">{result}</span>'
    if host.message:
        result += f"<small>{e(host.message)}</small>"
    none = f'<td class="n zero">{"0" if host.status == "ok" else "–"}</td>'
    numbers = "".join(
        f'<td class="n"><span class="v {CLASSES[status]}">{counts[status]}</span></td>' if counts[status] else none
        for status in STATUSES
    )
    troubles = f'<td class="n note">{len(host.troubles)}</td>' if host.troubles else none
    return (
        f'<tr id="h{host.number}"><th scope="row">{e(host.name)}{small}</th><td>{result}</td>{numbers}{troubles}</tr>'
    )


def _certificates(report: Report, together: Sequence[Group[Item]]) -> str:
    parts = [
        '<section id="certificates" aria-labelledby="certificates-title">\n'
        '<h2 id="certificates-title">Certificates</h2>'
    ]
    if not together:
        parts.append("<p>No certificate was read.</p>")
    counts = report.counts()
    last = ""
    for number, group in enumerate(together, 1):
        if group.status != last:
            last = group.status
            parts.append(f"<h3>{verdict(last)}: {plural(counts[last], 'certificate')}</h3>")
        parts.append(_group(group, number))
    return "\n".join([*parts, "</section>"])


def _group(group: Group[Item], number: int) -> str:
    found = [_found(item, group) for item in group.items]
    rows = "\n".join(_row(item, text) for item, text in zip(group.items, found, strict=True))
    used = in_use(group.items)
    caption = plural(len(group.items), "certificate") + (f", {used} in use" if used else "")
    table = (
        f'<table class="certs">\n<caption>{caption}</caption>\n<thead><tr><th scope="col">Certificate</th>'
        '<th scope="col">Host, used for</th><th scope="col">Key</th>'
        f'<th scope="col">Valid{", found" if any(found) else ""}</th></tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>'
    )
    return article(group, number, "g", folded(table, len(group.items), "certificate"))


def _row(item: Item, found: str) -> str:
    certificate = item.certificate
    name = certificate_name(certificate)
    names = [str(text).removeprefix("dns:") for text in certificate.get("subject_alt_names") or ()]
    more = (
        ("Friendly name", certificate.get("friendly_name")),
        ("Template", template_text(certificate)),
        ("Issuer", certificate.get("issuer")),
    )
    about = labelled(
        ("", certificate.get("subject") if certificate.get("subject") != name else None),
        ("SAN: ", ", ".join(names)),
        ("", " · ".join(f"{label}: {value}" for label, value in more if value)),
        *(("Note: ", note) for note in certificate.get("notes") or ()),
    )
    thumbprint = certificate.get("thumbprint")
    code = f"<code>{e(thumbprint)}</code>" if thumbprint else "<small>Thumbprint unknown</small>"
    used = f"<b>{e(', '.join(item.assignments))}</b>" if item.assignments else '<span class="none">–</span>'
    return (
        f'<tr id="c{item.number}"><th scope="row">{e(name)}{about}{code}</th>'
        f'<td><a href="#h{item.host_number}">{e(item.host)}</a><div>{used}</div></td>'
        f"<td>{_key(item)}</td><td>{validity(item.certificate)}{found}</td></tr>"
    )


def _key(item: Item) -> str:
    key = item.certificate.get("key") or {}
    provider_type, key_spec = provider_type_text(key), key_spec_text(key)
    places = [f"type {provider_type}"] if provider_type else []
    places += [f"key spec {key_spec}"] if key_spec else []
    kinds = [
        str(part) for part in (public_key_text(item.certificate), item.certificate.get("signature_algorithm")) if part
    ]
    candidates = [str(candidate.get("provider") or "unnamed") for candidate in key.get("candidates") or ()]
    provider = key.get("provider")
    return (e(provider) if provider else '<span class="zero">no provider recorded</span>') + labelled(
        ("", " · ".join(places)),
        ("Recorded: ", " / ".join(candidates)),
        ("", key.get("kind") if key.get("kind") in ("contradictory", "ambiguous") else None),
        ("", " · ".join(kinds)),
        ("Container: ", key.get("container")),
        ("", "key not found" if key.get("present") is False else None),
    )


def _found(item: Item, group: Group[Item]) -> str:
    """What is special to this certificate: what was found, the texts that the group does not share, and the rest.

    The provider is left out: it stands in the column of the key.
    """
    parts: list[str] = []
    for finding, shared in zip(item.deciding, group.findings, strict=True):
        label = f"{requirement(finding.name)}: " if len(group.findings) > 1 else ""
        if finding.actual and finding.actual != shared.actual and finding.name != "key_provider":
            parts.append(f"<div>{e(label)}{e(finding.actual)}</div>")
        own = (
            ("", finding.reason if shared.reason is None else None),
            ("What to do: ", finding.remedy if shared.remedy is None else None),
            ("Source: ", finding.source if shared.source is None else None),
            ("Confidence: ", finding.confidence if shared.confidence is None else None),
        )
        parts += [f"<small>{name}{linked(text)}</small>" for name, text in own if text]
    for finding in item.further:
        if finding.status != "unknown":
            told = " ".join(text for text in (finding.reason, finding.remedy) if text) or finding.status
            parts.append(f"<small>Also {e(words(finding.name))}: {e(told)}</small>")
    unknown = [words(finding.name) for finding in item.further if finding.status == "unknown"]
    if unknown:
        parts.append(f"<small>Not known: {e(listing(unknown))}</small>")
    return "".join(parts)
