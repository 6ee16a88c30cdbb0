# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: one file for people. It needs no network and no script, and says so in its security policy.

Certificates stand in groups that share a verdict and its findings, so reasons, remedies and sources are told once
however many certificates they concern.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from .model import Finding, Host, Item, Report, Trouble
from .steps import Group, Step, groups, in_use, steps
from .style import stylesheet
from .summary import STATUSES
from .wording import (
    asides,
    certificate_name,
    headline,
    key_spec_text,
    plural,
    printable,
    provider_type_text,
    public_key_text,
)

MOST_OPEN = 25
"""A list with more entries is folded on the screen; print shows all of it."""

MOST_NAMED = 3
"""How many requirements the title of a group names."""

_CLASSES = {"unsuitable": "u", "undetermined": "q", "warning": "w", "suitable": "s"}
_SIGNS = {"unsuitable": "×", "undetermined": "?", "warning": "!", "suitable": "✓"}
_MEANINGS = {
    "unsuitable": "cannot be used",
    "undetermined": "could not be judged",
    "warning": "can be used, with a defect",
    "suitable": "can be used",
}
_HOST_WORDS = {"ok": "read", "failed": "failed", "unreachable": "unreachable", "skipped": "skipped"}
_ABBREVIATION = re.compile(r"\b(?:crl|cng|csp|ksp|san)\b")
_URL = re.compile(r"https?://[^\s<>\"'()]+[^\s<>\"'().,;:!?]")


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
        _steps_section(report, together),
        _hosts(report),
        _certificates(report, together),
        "</main>",
        f'<footer class="soft"><p>Made by the Ansible collection winpki.keyprovider {_e(report.collection_version)} '
        f"on {_moment(report)}. Confidence tells how well the source of a requirement is established.</p></footer>",
        "</body>\n</html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _e(text: object) -> str:
    return escape(printable(str(text)))


def _linked(text: str) -> str:
    """The text with its http(s) addresses as links; nothing else ever becomes one."""
    text = printable(text)
    parts: list[str] = []
    end = 0
    for match in _URL.finditer(text):
        address = escape(match.group())
        parts += [escape(text[end : match.start()]), f'<a href="{address}" rel="noreferrer">{address}</a>']
        end = match.end()
    return "".join(parts) + escape(text[end:])


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
        f'<link rel="icon" href="data:,">\n<title>{_e(report.title)}: {_e(report.product)}</title>\n'
        f"<style>\n{stylesheet()}</style>\n</head>"
    )


def _header(report: Report) -> str:
    more = "".join(f"<li>{_e(aside)}</li>" for aside in asides(report))
    facts = (
        ("Audited", _moment(report)),
        ("Profile", f"<code>{_e(report.profile)}</code>"),
        ("Hosts", str(len(report.hosts))),
        ("Certificates", str(len(report.items))),
    )
    sections = [("fleet", "Fleet")]
    if report.without_result() or report.troubles:
        sections.append(("attention", "Without a result"))
    if steps(report):
        sections.append(("steps", "What to do"))
    sections += [("hosts", "Hosts"), ("certificates", "Certificates")]
    return (
        f'<header>\n<p class="kicker">{_e(report.title)}</p>\n<h1>{_e(headline(report))}</h1>\n'
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
        f'<span class="{_CLASSES[status]}" style="flex-grow:{counts[status]}">{_SIGNS[status]}</span>'
        for status in shown
    )
    label = ", ".join(f"{counts[status]} {status}" for status in shown)
    totals = "".join(
        f"<li><b>{counts[status]}</b>{_verdict(status)}<br><small>{_MEANINGS[status]}</small></li>"
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
        f'<a class="{_CLASSES[item.status]}" href="#c{item.number}" '
        f'title="{item.status}: {_e(certificate_name(item.certificate))}">{_SIGNS[item.status]}</a>'
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
    return f'<li><a href="#h{host.number}">{_e(host.name)}</a><div>{"".join(cells)}</div></li>'


def _verdict(status: str) -> str:
    return f'<span class="v {_CLASSES[status]}">{_SIGNS[status]} {status}</span>'


def _attention(report: Report) -> str:
    missing, troubles = report.without_result(), report.troubles
    if not missing and not troubles:
        return ""
    parts = [
        '<section id="attention" aria-labelledby="attention-title">\n<h2 id="attention-title">Without a result</h2>'
    ]
    if missing:
        entries = "\n".join(
            f'<li><b><a href="#h{host.number}">{_e(host.name)}</a>: {host.status}</b>'
            f"<p>{_e(host.message or '')}</p></li>"
            for host in missing
        )
        parts.append(f'<div class="card alert">\n<h3>Hosts</h3>\n<ul>\n{entries}\n</ul>\n</div>')
    if troubles:
        entries = "\n".join(_trouble(trouble) for trouble in troubles)
        listed = _folded(f"<ul>\n{entries}\n</ul>", len(troubles), "problem")
        parts.append(f'<div class="card alert">\n<h3>Evidence with problems</h3>\n{listed}\n</div>')
    return "\n".join([*parts, "</section>"])


def _trouble(trouble: Trouble) -> str:
    place = "" if trouble.origin == trouble.host else f"{_e(trouble.origin)} "
    place += f"<code>{_e(trouble.place)}</code>" if trouble.place else ""
    return (
        f'<li><b><a href="#h{trouble.host_number}">{_e(trouble.host)}</a></b> <small>{place}</small>'
        f"<p>{_e(trouble.message)} {_e(trouble.remedy or '')}</p></li>"
    )


def _folded(content: str, count: int, noun: str) -> str:
    if count <= MOST_OPEN:
        return content
    return f"<details>\n<summary>Show the {plural(count, noun)}</summary>\n{content}\n</details>"


def _steps_section(report: Report, together: Sequence[Group]) -> str:
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
    on = _e(", ".join(hosts)) if len(hosts) <= 6 else plural(len(hosts), "host")
    numbers = sorted({groups_of[item.number] for item in step.items})
    links = " ".join(f'<a href="#g{number}">{number}</a>' for number in numbers)
    shown = f" · certificates in group {links}" if links else ""
    return (
        f"<li><div><p>{_e(step.remedy)}</p>\n<small>{_verdict(step.status)} · {' and '.join(extent)} · "
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
    about = [f"store {_e(host.store)}"] if host.store else []
    about += [f"profile {_e(host.profile)}"] if several_profiles and host.profile else []
    about += [_e(", ".join(host.groups))] if host.groups else []
    small = f"<small>{' · '.join(about)}</small>" if about else ""
    result = _HOST_WORDS[host.status]
    if host.status in ("failed", "unreachable"):
        result = f'<span class="note">{result}</span>'
    if host.message:
        result += f"<small>{_e(host.message)}</small>"
    none = f'<td class="n zero">{"0" if host.status == "ok" else "–"}</td>'
    numbers = "".join(
        f'<td class="n"><span class="v {_CLASSES[status]}">{counts[status]}</span></td>' if counts[status] else none
        for status in STATUSES
    )
    troubles = f'<td class="n note">{len(host.troubles)}</td>' if host.troubles else none
    return (
        f'<tr id="h{host.number}"><th scope="row">{_e(host.name)}{small}</th><td>{result}</td>{numbers}{troubles}</tr>'
    )


def _certificates(report: Report, together: Sequence[Group]) -> str:
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
            parts.append(f"<h3>{_verdict(last)}: {plural(counts[last], 'certificate')}</h3>")
        parts.append(_group(group, number))
    return "\n".join([*parts, "</section>"])


def _group(group: Group, number: int) -> str:
    names = [_requirement(finding.name) for finding in group.findings]
    if len(names) > MOST_NAMED:
        names = [*names[: MOST_NAMED - 1], f"{len(names) - MOST_NAMED + 1} more"]
    found = [_found(item, group) for item in group.items]
    rows = "\n".join(_row(item, text) for item, text in zip(group.items, found, strict=True))
    used = in_use(group.items)
    caption = plural(len(group.items), "certificate") + (f", {used} in use" if used else "")
    table = (
        f'<table class="certs">\n<caption>{caption}</caption>\n<thead><tr><th scope="col">Certificate</th>'
        '<th scope="col">Host, used for</th><th scope="col">Key</th>'
        f'<th scope="col">Valid{", found" if any(found) else ""}</th></tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>'
    )
    return (
        f'<article class="card group {_CLASSES[group.status]}" id="g{number}">\n'
        f"<h4>{number}. {_e(_listing(names) or 'All requirements met')}</h4>\n"
        + _panel(group.findings)
        + _folded(table, len(group.items), "certificate")
        + "\n</article>"
    )


def _listing(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _words(name: str) -> str:
    return _ABBREVIATION.sub(lambda match: match.group().upper(), name.replace("_", " ").strip())


def _requirement(name: str) -> str:
    words = _words(name)
    return words[:1].upper() + words[1:]


def _panel(findings: Sequence[Finding]) -> str:
    """The shared findings of a group; those with the same texts together."""
    alike: dict[tuple[str | None, ...], list[Finding]] = {}
    for finding in findings:
        texts = (finding.reason, finding.remedy, finding.source, finding.confidence)
        alike.setdefault(texts, []).append(finding)
    parts = []
    for same in alike.values():
        first = same[0]
        name = f"<b>{_e(_listing([_requirement(finding.name) for finding in same]))}:</b> " if len(findings) > 1 else ""
        lines = [f"<p>{name}{_e(first.reason)}</p>"] if first.reason else []
        if first.remedy:
            lines.append(f"<p><b>What to do:</b> {_e(first.remedy)}</p>")
        backing = (
            ("Required", "; ".join(finding.expected for finding in same if finding.expected)),
            ("Source", first.source),
            ("Confidence", first.confidence),
        )
        told = "<br>".join(f"{label}: {_linked(text)}" for label, text in backing if text)
        if told:
            lines.append(f'<p class="soft">{told}</p>')
        parts.append(f'<div class="finding">{"".join(lines)}</div>\n')
    return "".join(parts)


def _row(item: Item, found: str) -> str:
    certificate = item.certificate
    name = certificate_name(certificate)
    names = [str(text).removeprefix("dns:") for text in certificate.get("subject_alt_names") or ()]
    template = certificate.get("template") or {}
    more = (
        ("Friendly name", certificate.get("friendly_name")),
        ("Template", template.get("display_name") or template.get("name") or template.get("oid")),
        ("Issuer", certificate.get("issuer")),
    )
    about = _labelled(
        ("", certificate.get("subject") if certificate.get("subject") != name else None),
        ("SAN: ", ", ".join(names)),
        ("", " · ".join(f"{label}: {value}" for label, value in more if value)),
        *(("Note: ", note) for note in certificate.get("notes") or ()),
    )
    thumbprint = certificate.get("thumbprint")
    code = f"<code>{_e(thumbprint)}</code>" if thumbprint else "<small>Thumbprint unknown</small>"
    used = f"<b>{_e(', '.join(item.assignments))}</b>" if item.assignments else '<span class="none">–</span>'
    return (
        f'<tr id="c{item.number}"><th scope="row">{_e(name)}{about}{code}</th>'
        f'<td><a href="#h{item.host_number}">{_e(item.host)}</a><div>{used}</div></td>'
        f"<td>{_key(item)}</td><td>{_validity(item)}{found}</td></tr>"
    )


def _labelled(*facts: tuple[str, object]) -> str:
    return "".join(f"<small>{label}{_e(value)}</small>" for label, value in facts if value)


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
    return (_e(provider) if provider else '<span class="zero">no provider recorded</span>') + _labelled(
        ("", " · ".join(places)),
        ("Recorded: ", " / ".join(candidates)),
        ("", key.get("kind") if key.get("kind") in ("contradictory", "ambiguous") else None),
        ("", " · ".join(kinds)),
        ("Container: ", key.get("container")),
        ("", "key not found" if key.get("present") is False else None),
    )


def _validity(item: Item) -> str:
    ends = [str(item.certificate.get(name) or "")[:10] for name in ("not_before", "not_after")]
    if not any(ends):
        return '<span class="zero">validity unknown</span>'
    return f"{_e(ends[0] or '?')} to {_e(ends[1] or '?')}"


def _found(item: Item, group: Group) -> str:
    """What is special to this certificate: what was found, the texts that the group does not share, and the rest.

    The provider is left out: it stands in the column of the key.
    """
    parts: list[str] = []
    for finding, shared in zip(item.deciding, group.findings, strict=True):
        label = f"{_requirement(finding.name)}: " if len(group.findings) > 1 else ""
        if finding.actual and finding.actual != shared.actual and finding.name != "key_provider":
            parts.append(f"<div>{_e(label)}{_e(finding.actual)}</div>")
        own = (
            ("", finding.reason if shared.reason is None else None),
            ("What to do: ", finding.remedy if shared.remedy is None else None),
            ("Source: ", finding.source if shared.source is None else None),
            ("Confidence: ", finding.confidence if shared.confidence is None else None),
        )
        parts += [f"<small>{name}{_linked(text)}</small>" for name, text in own if text]
    for finding in item.further:
        if finding.status != "unknown":
            told = " ".join(text for text in (finding.reason, finding.remedy) if text) or finding.status
            parts.append(f"<small>Also {_e(_words(finding.name))}: {_e(told)}</small>")
    unknown = [_words(finding.name) for finding in item.further if finding.status == "unknown"]
    if unknown:
        parts.append(f"<small>Not known: {_e(_listing(unknown))}</small>")
    return "".join(parts)
