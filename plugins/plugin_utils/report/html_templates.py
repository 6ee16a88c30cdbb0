# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate templates in report.html, in groups like the certificates; those that a CA offers come first.

What to do is told once for all, with numbers that the rows refer to: one template often has several findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..record import Problem
from .html_parts import (
    MOST_OPEN,
    article,
    e,
    folded,
    labelled,
    linked,
    listing,
    requirement,
    verdict,
    words,
)
from .steps import Group, alike
from .templates import (
    CATEGORY_WORDS,
    FLAG_WORDS,
    UNPUBLISHED,
    Advice,
    Exposed,
    TemplateItem,
    TemplateSection,
    advice,
    exposed_templates,
    numbers_by_template,
)
from .wording import key_spec_text, plural

MOST_LINKED = 12
"""A step for more templates gives their number only; their rows refer to it."""

_IN_COLUMNS = ("key_provider", "key_algorithm", "key_size", "key_spec", "enhanced_key_usage")
_USAGES = ("extended_key_usage", "application_policies")
_REACH = (
    "A template steers the clients that follow it. A CA does not enforce providers, and certificates that exist keep "
    "their keys whatever becomes of the template."
)


def templates_section(section: TemplateSection) -> str:
    """The section of the page."""
    parts = [
        '<section id="templates" aria-labelledby="templates-title">\n'
        '<h2 id="templates-title">Certificate templates</h2>',
        _about(section),
    ]
    if section.status != "ok":
        parts.append(_alert(f"Not read: {section.status}", f"<p>{e(section.message or '')}</p>"))
        return "\n".join([*parts, "</section>"])
    todo = advice(section.items, exposures=False)
    numbers = numbers_by_template(todo)
    parts += [_exposures(exposed_templates(section.items)), _problems(section.problems), _steps(todo)]
    number = 1
    # What has no effect does not push what has out of sight.
    for items, most_open in (
        (section.published, MOST_OPEN),
        (section.unpublished, 0 if section.published else MOST_OPEN),
    ):
        last = ""
        for group in alike(items):
            if group.status != last:
                last = group.status
                parts.append(f"<h3>{verdict(last)}: {_counted([item for item in items if item.status == last])}</h3>")
            parts.append(_group(group, number, numbers, most_open=most_open))
            number += 1
    return "\n".join([*(part for part in parts if part), "</section>"])


def _about(section: TemplateSection) -> str:
    told = [f"{section.origin[:1].upper()}{section.origin[1:]}."] if section.origin else []
    if section.status == "ok":
        offered = len(section.published)
        told.append(f"{plural(len(section.items), 'template')}, {offered or 'none'} published by a CA.")
    if section.product:
        told.append(f"Judged for {section.product}.")
    return f'<div class="about"><p>{e(" ".join(told))}</p><p class="soft">{_REACH}</p></div>'


def _counted(items: Sequence[TemplateItem]) -> str:
    if items[0].published_on:
        return plural(len(items), "published template")
    return f"{plural(len(items), 'template')} that no CA offers"


def _alert(title: str, content: str) -> str:
    return f'<div class="card alert">\n<h3>{e(title)}</h3>\n{content}\n</div>'


def _exposures(entries: Sequence[Exposed]) -> str:
    if not entries:
        return ""
    listed = "\n".join(_exposure(entry) for entry in entries)
    return _alert("Exposed to abuse", f"<ul>\n{listed}\n</ul>")


def _exposure(entry: Exposed) -> str:
    exposure = entry.exposure
    names = ", ".join(
        f'<a href="#template{item.number}">{e(item.title)}</a>{"" if item.published_on else " (not published)"}'
        for item in entry.items
    )
    backing = (("Open to", ", ".join(exposure.principals)), ("Source", exposure.source))
    told = "<br>".join(f"{label}: {linked(text)}" for label, text in backing if text)
    return (
        f"<li><b>{e(exposure.title)}: {names}</b>"
        + (f"<p>{e(exposure.reason)}</p>" if exposure.reason else "")
        + (f"<p><b>What to do:</b> {e(exposure.remedy)}</p>" if exposure.remedy else "")
        + (f'<p class="soft">{told}</p>' if told else "")
        + "</li>"
    )


def _problems(problems: Sequence[Problem]) -> str:
    if not problems:
        return ""
    entries = "\n".join(
        f"<li><b>{e(problem.origin)}</b> <small>{f'<code>{e(problem.place)}</code>' if problem.place else ''}</small>"
        f"<p>{e(problem.message)} {e(problem.remedy)}</p></li>"
        for problem in problems
    )
    return _alert("Templates with problems", folded(f"<ul>\n{entries}\n</ul>", len(problems), "problem"))


def _steps(todo: Sequence[Advice]) -> str:
    if not todo:
        return ""
    entries = "\n".join(_step(number, entry) for number, entry in enumerate(todo, 1))
    return f'<h3>What to do about the templates</h3>\n<div class="card">\n<ol class="steps">\n{entries}\n</ol>\n</div>'


def _step(number: int, entry: Advice) -> str:
    count = len(entry.items)
    offered = sum(1 for item in entry.items if item.published_on)
    names = ", ".join(f'<a href="#template{item.number}">{e(item.title)}</a>' for item in entry.items)
    extent = f"{plural(count, 'template')}, {offered or 'none'} published"
    why = "".join(f'<p class="soft">{e(reason)}</p>' for reason in entry.reasons)
    return (
        f'<li id="tstep{number}"><div>{f"<p>{e(entry.remedy)}</p>" if entry.remedy else ""}{why}\n'
        f"<small>{verdict(entry.status)} · {extent}{f': {names}' if count <= MOST_LINKED else ''}</small></div></li>"
    )


def _group(group: Group[TemplateItem], number: int, steps: Mapping[int, Sequence[int]], *, most_open: int) -> str:
    count = len(group.items)
    found = [_found(item, group, steps.get(item.number, ())) for item in group.items]
    rows = "\n".join(_row(item, text) for item, text in zip(group.items, found, strict=True))
    table = (
        f'<table class="certs templates">\n<caption>{plural(count, "template")}</caption>\n<thead><tr>'
        '<th scope="col">Template</th><th scope="col">Publication</th><th scope="col">Providers, key</th>'
        f'<th scope="col">Flags{", found" if any(found) else ""}</th></tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>'
    )
    return article(group, number, "tgroup", folded(table, count, "template", most_open=most_open))


def _row(item: TemplateItem, found: str) -> str:
    template = item.template
    about = labelled(
        ("Name: ", item.name if item.name != item.title else None),
        ("Supersedes: ", ", ".join(map(str, template.get("supersedes") or ()))),
    )
    marks = "".join(f'<small class="note">! Exposed to {e(exposure.title)}</small>' for exposure in item.exposures)
    marks += "".join(f'<small class="note">! Inconsistent: {e(text)}</small>' for text in item.inconsistencies)
    oid = template.get("oid")
    code = f"<code>{e(oid)}</code>" if oid else "<small>No OID</small>"
    return (
        f'<tr id="template{item.number}"><th scope="row">{e(item.title)}{about}{marks}{code}</th>'
        f"<td>{_publication(item)}</td><td>{_key(item)}</td><td>{_flags(item)}{found}</td></tr>"
    )


def _publication(item: TemplateItem) -> str:
    offered = f"Published on <b>{e(', '.join(item.published_on))}</b>" if item.published_on else UNPUBLISHED
    return offered + labelled(
        ("Revision ", item.revision),
        ("Schema version ", item.template.get("schema_version")),
        *((f"{label} ", version) for label, version in item.compatibility),
    )


def _key(item: TemplateItem) -> str:
    providers = "".join(f"<li>{e(name)}</li>" for name in item.providers)
    listed = f'<ol class="order">{providers}</ol>' if providers else "<div>Any of this category</div>"
    key_spec = key_spec_text(item.template)
    return f"<b>{CATEGORY_WORDS[item.category]}</b>{listed}" + labelled(("", item.key_text), ("Key spec ", key_spec))


def _flags(item: TemplateItem) -> str:
    words = "".join(
        f"<small>{label}: {_breakable(', '.join(item.flags(word)) or 'none')}</small>"
        for word, label in FLAG_WORDS.items()
    )
    usages = [str(oid) for key in _USAGES for oid in item.template.get(key) or ()]
    return words + labelled(("Purposes: ", ", ".join(dict.fromkeys(usages)) or "any"))


def _breakable(names: str) -> str:
    """Names of flags, which are long, as text that a narrow column breaks at the underscores."""
    return e(names).replace("_", "_<wbr>")


def _found(item: TemplateItem, group: Group[TemplateItem], steps: Sequence[int]) -> str:
    """What no column shows: what was found for other requirements, further ones by name, and the steps."""
    parts = [
        f"<div>{e(requirement(finding.name))}: {e(finding.actual)}</div>"
        for finding, shared in zip(item.deciding, group.findings, strict=True)
        if finding.actual and finding.actual != shared.actual and finding.name not in _IN_COLUMNS
    ]
    for status, label in (("unmet", "Also not met"), ("warning", "Also a warning"), ("unknown", "Not known")):
        names = [words(finding.name) for finding in item.further if finding.status == status]
        if names:
            parts.append(f"<small>{label}: {e(listing(names))}</small>")
    if steps:
        links = ", ".join(f'<a href="#tstep{number}">{number}</a>' for number in steps)
        parts.append(f"<small>What to do: {links}</small>")
    return "".join(parts)
