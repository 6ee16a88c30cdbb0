# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""junit.xml: one test suite a host, one test case a certificate, so that a pipeline's page shows the audit.

Certificate templates have a suite of their own. What a host needs for its Lync usages has a case for each certificate
in the suite of the host: ``error`` when it is blocked, for that stops the way to it whatever the verdicts, ``skipped``
while it is pending, waits or is yet to be done, with the number of the request in the message.

The shape is that of junit-10.xsd of the Jenkins xUnit plugin: ``failure`` is a verdict that stops the pipeline,
``error`` a host or a piece of evidence without result, ``skipped`` what could not be judged and does not stop it,
``system-out`` everything there is to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree

from ..record import Problem
from .gate import failing_statuses
from .model import Host, Item, Judged, Report, Trouble
from .needs import PROGRESS_WORDS, Need
from .templates import CATEGORY_WORDS, FLAG_WORDS, UNPUBLISHED, TemplateItem, TemplateSection
from .wording import certificate_name, key_spec_text, one_line, printable, provider_type_text

TEMPLATE_SUITE = "certificate templates"


def render_junit(report: Report, *, fail_on: str = "unsuitable") -> str:
    """Render junit.xml.

    Args:
        report: the audit.
        fail_on: which verdicts are failures, as in :func:`gate.stops`. Errors stay errors with every choice.

    Raises:
        ValueError: ``fail_on`` is none of :data:`gate.FAIL_ON`.
    """
    failing = failing_statuses(fail_on)
    root = ElementTree.Element("testsuites", {"name": one_line(report.title)})
    for host in report.hosts:
        root.append(_host_suite(report, host, failing))
    if report.templates:
        root.append(_template_suite(report, report.templates, failing))
    totals = {name: sum(int(suite.get(name, "0")) for suite in root) for name in ("tests", "failures", "errors")}
    root.attrib.update({**{name: str(total) for name, total in totals.items()}, "time": "0"})
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


class _Suite:
    """A test suite in the making."""

    def __init__(self, report: Report, name: str, class_name: str, properties: Mapping[str, str | None]) -> None:
        self._report = report
        self._class_name = one_line(class_name)
        self._used: Counter[str] = Counter()
        self._element = ElementTree.Element("testsuite", {"name": one_line(name)})
        holder = ElementTree.SubElement(self._element, "properties")
        for key, value in {**properties, "collection_version": report.collection_version}.items():
            if value:
                ElementTree.SubElement(holder, "property", {"name": key, "value": one_line(value)})

    def case(self, name: str) -> ElementTree.Element:
        """A new test case; those of the same name are numbered."""
        name = one_line(name)
        self._used[name] += 1
        if self._used[name] > 1:
            name += f" ({self._used[name]})"
        attributes = {"name": name, "classname": self._class_name, "time": "0"}
        return ElementTree.SubElement(self._element, "testcase", attributes)

    def finished(self, hostname: str) -> ElementTree.Element:
        """The suite with its counts."""
        self._element.attrib.update(
            {
                "tests": str(len(self._element.findall("testcase"))),
                "failures": str(len(self._element.findall("testcase/failure"))),
                "errors": str(len(self._element.findall("testcase/error"))),
                "skipped": str(len(self._element.findall("testcase/skipped"))),
                "time": "0",
                "timestamp": self._report.generated_at.strftime("%Y-%m-%dT%H:%M:%S"),
                "hostname": one_line(hostname),
            }
        )
        return self._element


def _host_suite(report: Report, host: Host, failing: tuple[str, ...]) -> ElementTree.Element:
    class_name = f"{host.profile}.{host.name}" if host.profile else host.name
    suite = _Suite(report, host.name, class_name, {"profile": host.profile, "store": host.store})
    if host.status != "ok":
        _host_outcome(suite.case("host"), host)
    for item in host.items:
        _outcome(suite.case(_item_name(item)), item, "certificate", _item_text(item), failing)
    for trouble in host.troubles:
        _trouble_outcome(suite.case(f"problem: {trouble.origin} {trouble.place or ''}"), trouble)
    for need in host.needs or ():
        _need_outcome(suite.case(f"Lync usages: {need.usages}"), need)
    return suite.finished(host.name)


def _template_suite(report: Report, section: TemplateSection, failing: tuple[str, ...]) -> ElementTree.Element:
    class_name = f"{section.profile}.{TEMPLATE_SUITE}" if section.profile else TEMPLATE_SUITE
    suite = _Suite(
        report,
        TEMPLATE_SUITE,
        class_name,
        {"profile": section.profile, "forest": section.forest, "server": section.server},
    )
    if section.status != "ok":
        _told(suite.case("directory"), "error", section.status, section.message or "", printable(section.message or ""))
    for item in section.items:
        case = suite.case(item.name)
        if item.published_on:
            _outcome(case, item, "template", _template_text(item), failing)
        else:
            ElementTree.SubElement(case, "skipped", {"message": UNPUBLISHED})
            ElementTree.SubElement(case, "system-out").text = _template_text(item)
    for problem in section.problems:
        _trouble_outcome(suite.case(f"problem: {problem.origin} {problem.place or ''}"), problem)
    return suite.finished(section.server or section.forest or TEMPLATE_SUITE)


def _host_outcome(case: ElementTree.Element, host: Host) -> None:
    if host.status == "skipped":
        ElementTree.SubElement(case, "skipped", {"message": one_line(host.message or "")})
    else:
        _told(case, "error", host.status, host.message or "", printable(host.message or ""))


def _trouble_outcome(case: ElementTree.Element, trouble: Trouble | Problem) -> None:
    lines = [trouble.message, f"Where: {trouble.origin}" + (f", {trouble.place}" if trouble.place else "")]
    if trouble.remedy:
        lines.append(f"What to do: {trouble.remedy}")
    _told(case, "error", "problem", trouble.message, printable("\n".join(lines)))


def _need_outcome(case: ElementTree.Element, need: Need) -> None:
    pending = need.pending
    facts = (
        ("Progress", PROGRESS_WORDS[need.progress]),
        ("Current certificate", need.current),
        ("Next certificate", need.follows or need.target),
        ("Key to move", need.convert),
        ("Key provider", need.convert and need.provider),
        ("Request", pending and pending.request_id),
        ("CA", pending and pending.ca),
        ("Request file", pending and pending.csr_path),
        *(("Reason", reason) for reason in need.reasons),
    )
    text = printable("\n".join(_lines(facts)))
    message = f"{PROGRESS_WORDS[need.progress]}: {' '.join(need.told)}"
    if need.progress == "blocked":
        _told(case, "error", "blocked", message, text)
        return
    if need.progress != "satisfied":
        ElementTree.SubElement(case, "skipped", {"message": one_line(message)})
    ElementTree.SubElement(case, "system-out").text = text


def _outcome(case: ElementTree.Element, item: Judged, noun: str, text: str, failing: tuple[str, ...]) -> None:
    message = next((finding.reason for finding in item.findings if finding.reason), None)
    message = message or f"The {noun} is {item.status}."
    if item.status in failing:
        _told(case, "failure", item.status, message, text)
        return
    if item.status == "undetermined":
        ElementTree.SubElement(case, "skipped", {"message": one_line(message)})
    ElementTree.SubElement(case, "system-out").text = text


def _told(case: ElementTree.Element, tag: str, kind: str, message: str, text: str) -> None:
    ElementTree.SubElement(case, tag, {"type": kind, "message": one_line(message)}).text = text


def _item_name(item: Item) -> str:
    thumbprint = item.certificate.get("thumbprint")
    return f"{certificate_name(item.certificate)} {str(thumbprint)[:8] if thumbprint else '(no thumbprint)'}"


def _item_text(item: Item) -> str:
    certificate = item.certificate
    key = certificate.get("key") or {}
    source = certificate.get("source") or {}
    facts = (
        ("Verdict", item.status),
        ("Used for", ", ".join(item.assignments)),
        ("Subject", certificate.get("subject")),
        ("Thumbprint", certificate.get("thumbprint")),
        ("Provider", key.get("provider")),
        ("Provider type", provider_type_text(key)),
        ("Key spec", key_spec_text(key)),
        ("Container", key.get("container")),
        ("Valid until", certificate.get("not_after")),
        ("Evidence", ", ".join(str(source[part]) for part in ("origin", "place") if source.get(part))),
    )
    return _text(facts, item)


def _template_text(item: TemplateItem) -> str:
    template = item.template
    facts = (
        ("Verdict", item.status),
        ("Display name", template.get("display_name")),
        ("Published on", ", ".join(item.published_on) or "no CA"),
        ("Category", CATEGORY_WORDS[item.category]),
        ("Providers", ", ".join(item.providers) or "any of the category"),
        ("Key", item.key_text),
        ("Key spec", key_spec_text(template)),
        ("Schema version", template.get("schema_version")),
        ("Revision", item.revision),
        *((f"{label} flags", ", ".join(item.flags(word))) for word, label in FLAG_WORDS.items()),
        *item.compatibility,
        ("OID", template.get("oid")),
        ("DN", template.get("dn")),
        *(("Inconsistent", sentence) for sentence in item.inconsistencies),
        *(
            (f"Exposed to {exposure.title}", f"{exposure.reason or ''} {exposure.remedy or ''}")
            for exposure in item.exposures
        ),
    )
    return _text(facts, item)


def _text(facts: Iterable[tuple[str, object]], item: Judged) -> str:
    """All there is to say: the facts, then what was found about each requirement."""
    lines = _lines(facts)
    for finding in item.findings:
        lines.append("")
        lines.append(f"Requirement {finding.name}: {finding.status}")
        for name, text in (
            ("Required", finding.expected),
            ("Found", finding.actual),
            ("Reason", finding.reason),
            ("What to do", finding.remedy),
            ("Source", finding.source),
            ("Confidence", finding.confidence),
        ):
            if text:
                lines.append(f"  {name}: {one_line(text)}")
    return printable("\n".join(lines))


def _lines(facts: Iterable[tuple[str, object]]) -> list[str]:
    return [f"{name}: {one_line(str(value))}" for name, value in facts if value]
