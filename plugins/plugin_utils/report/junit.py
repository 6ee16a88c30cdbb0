# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""junit.xml: one test suite a host, one test case a certificate, so that a pipeline's page shows the audit.

The shape is that of junit-10.xsd of the Jenkins xUnit plugin: ``failure`` is a verdict that stops the pipeline,
``error`` a host or a piece of evidence without result, ``skipped`` what could not be judged and does not stop it,
``system-out`` everything there is to say.
"""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from .gate import failing_statuses
from .model import Host, Item, Report, Trouble
from .wording import certificate_name, key_spec_text, one_line, printable, provider_type_text


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
        root.append(_suite(report, host, failing))
    totals = {name: sum(int(suite.get(name, "0")) for suite in root) for name in ("tests", "failures", "errors")}
    root.attrib.update({**{name: str(total) for name, total in totals.items()}, "time": "0"})
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _suite(report: Report, host: Host, failing: tuple[str, ...]) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", {"name": one_line(host.name)})
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (
        ("profile", host.profile),
        ("store", host.store),
        ("collection_version", report.collection_version),
    ):
        if value:
            ElementTree.SubElement(properties, "property", {"name": name, "value": one_line(value)})
    class_name = one_line(f"{host.profile}.{host.name}" if host.profile else host.name)
    used: Counter[str] = Counter()

    def case(name: str) -> ElementTree.Element:
        name = one_line(name)
        used[name] += 1
        if used[name] > 1:
            name += f" ({used[name]})"
        return ElementTree.SubElement(suite, "testcase", {"name": name, "classname": class_name, "time": "0"})

    if host.status != "ok":
        _host_outcome(case("host"), host)
    for item in host.items:
        _item_outcome(case(_item_name(item)), item, failing)
    for trouble in host.troubles:
        _trouble_outcome(case(f"problem: {trouble.origin} {trouble.place or ''}"), trouble)
    suite.attrib.update(
        {
            "tests": str(len(suite.findall("testcase"))),
            "failures": str(len(suite.findall("testcase/failure"))),
            "errors": str(len(suite.findall("testcase/error"))),
            "skipped": str(len(suite.findall("testcase/skipped"))),
            "time": "0",
            "timestamp": report.generated_at.strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": one_line(host.name),
        }
    )
    return suite


def _host_outcome(case: ElementTree.Element, host: Host) -> None:
    if host.status == "skipped":
        ElementTree.SubElement(case, "skipped", {"message": one_line(host.message or "")})
    else:
        _told(case, "error", host.status, host.message or "", printable(host.message or ""))


def _trouble_outcome(case: ElementTree.Element, trouble: Trouble) -> None:
    lines = [trouble.message, f"Where: {trouble.origin}" + (f", {trouble.place}" if trouble.place else "")]
    if trouble.remedy:
        lines.append(f"What to do: {trouble.remedy}")
    _told(case, "error", "problem", trouble.message, printable("\n".join(lines)))


def _item_outcome(case: ElementTree.Element, item: Item, failing: tuple[str, ...]) -> None:
    message = next((finding.reason for finding in item.findings if finding.reason), None)
    message = message or f"The certificate is {item.status}."
    text = _item_text(item)
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
    lines = [f"{name}: {one_line(str(value))}" for name, value in facts if value]
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
