# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate templates in report.html."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.html import render_html
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.html_parts import MOST_OPEN


def section_of(report):
    """The section of the page as elements: what the renderer writes is well-formed XML but for empty elements."""
    (text,) = re.findall(r'<section id="templates".*?</section>', render_html(report), re.S)
    return ElementTree.fromstring(text.replace("<wbr>", "").replace("<br>", "<br/>"))


def told(element):
    return " ".join(" ".join(element.itertext()).split())


def by_class(section, tag, name):
    return [element for element in section.iter(tag) if name in element.get("class", "").split()]


def row(section, number):
    return next(element for element in section.iter("tr") if element.get("id") == f"template{number}")


@pytest.fixture
def section(mixed):
    return section_of(mixed)


def test_the_page_without_templates_has_no_section_for_them(report):
    assert 'id="templates"' not in render_html(report)
    assert "#templates" not in render_html(report)


def test_the_section_stands_after_the_certificates_and_is_linked(mixed):
    text = render_html(mixed)
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", text)[-2:] == ["Certificates", "Certificate templates"]
    assert '<a href="#templates">Certificate templates</a>' in text
    assert "<dt>Templates</dt><dd>7</dd>" in text


def test_the_section_says_what_was_read_and_how_far_it_reaches(section):
    (about,) = by_class(section, "div", "about")
    assert told(about).startswith(
        "Forest corp.example, read from dc01.corp.example.test. 7 templates, 5 published by a CA. Judged for Lync "
        "Server 2013. A template steers the clients that follow it."
    )


def test_published_templates_come_first_and_the_worst_of_them(section):
    assert [told(heading) for heading in section.iter("h3")] == [
        "Exposed to abuse",
        "Templates with problems",
        "What to do about the templates",
        "× unsuitable : 2 published templates",
        "? undetermined : 1 published template",
        "! warning : 1 published template",
        "✓ suitable : 1 published template",
        "× unsuitable : 1 template that no CA offers",
        "✓ suitable : 1 template that no CA offers",
    ]


def test_a_row_tells_category_providers_in_order_flags_revision_and_publication(section):
    good = row(section, 1)
    assert [told(element) for element in good.find(".//ol")] == [
        "Microsoft RSA SChannel Cryptographic Provider",
        "Microsoft Enhanced Cryptographic Provider v1.0",
        "Acme Box",
    ]
    text = told(good)
    for each in (
        "Good Display",
        "Name: Good",
        "1.3.6.1.4.1.311.21.8.1.2.3",
        "Published on Contoso Issuing CA, Contoso CA 2",
        "Revision 100.4",
        "Schema version 4",
        "CA from Windows Server 2016",
        "Legacy cryptographic service provider (CSP)",
        "RSA, at least 2048 bits",
        "Key spec 1 AT_KEYEXCHANGE",
        "Private key: EXPORTABLE_KEY",
        "Enrollment: AUTO_ENROLLMENT",
        "Subject name: ENROLLEE_SUPPLIES_SUBJECT",
        "General: MACHINE_TYPE, IS_MODIFIED",
        "Purposes: 1.3.6.1.5.5.7.3.1",
    ):
        assert each in text
    assert "Key storage provider (KSP)" in told(row(section, 2))
    assert "Any of this category" in told(row(section, 5))
    assert "No CA offers the template, so it has no effect." in told(row(section, 6))
    assert told(row(section, 7).find("th")) == "UnusedToo No OID"


def test_exposures_and_contradictions_are_told_in_words_at_the_template(section):
    assert "! Exposed to ESC1" in told(row(section, 2))
    assert "! Inconsistent: The template asks for a CSP, but lists a KSP" in told(row(section, 3))
    exposures = [told(entry) for entry in by_class(section, "div", "alert")[0].iter("li")]
    assert exposures == [
        "ESC1: Ksp Display Authenticated Users can have a certificate in the name of anyone. What to do: Take Enroll "
        "from them. Open to: Authenticated Users (S-1-5-11) Source: https://example.com/esc1",
        "ESC1 (not certain): Lost Display Authenticated Users can have a certificate in the name of anyone. What to "
        "do: Take Enroll from them. Source: https://example.com/esc1",
    ]


def test_an_exposed_template_that_no_ca_offers_says_so(make_template, make_forest, with_templates):
    exposure = {"name": "ESC1", "certain": True, "reason": "R."}
    section = section_of(with_templates(make_forest(make_template("A", published_on=[], exposures=[exposure]))))
    assert told(section.find(".//li")) == "ESC1: A Display (not published) R."


def test_steps_are_told_once_and_rows_refer_to_them(section):
    steps = {element.get("id"): told(element) for element in section.iter("li") if element.get("id")}
    assert list(steps) == ["tstep1", "tstep2", "tstep3"]
    assert steps["tstep1"] == (
        "Make it a template for legacy providers. The template makes keys in a KSP. × unsuitable · 3 templates, 2 "
        "published: Ksp Display , KspToo Display , Unused Display"
    )
    assert [link.get("href") for link in row(section, 2).iter("a")] == ["#tstep1"]


def test_further_findings_are_named_in_the_row(make_template, make_forest, with_templates):
    requirements = [
        {"name": "enhanced_key_usage", "status": "unmet", "reason": "Usage.", "remedy": "Add it."},
        {"name": "key_size", "status": "warning", "reason": "Short.", "remedy": "Longer."},
        {"name": "key_spec", "status": "unknown", "reason": "Not shown."},
    ]
    verdict = {"status": "unsuitable", "requirements": requirements}
    section = section_of(with_templates(make_forest(make_template(verdict=verdict))))
    text = told(row(section, 1))
    assert "Also a warning: key size Not known: key spec What to do: 1 , 2 , 3" in text
    assert "Short." not in text


@pytest.mark.parametrize(("published", "folded"), [(MOST_OPEN, 1), (MOST_OPEN + 1, 2), (0, 0)])
def test_what_has_no_effect_is_folded(published, folded, make_template, make_forest, with_templates):
    templates = [make_template(f"P{number}") for number in range(published)]
    section = section_of(with_templates(make_forest(*templates, make_template("U", published_on=[]))))
    assert len(list(section.iter("details"))) == folded


def test_templates_that_were_not_read_are_told(unread):
    section = section_of(unread)
    (alert,) = by_class(section, "div", "alert")
    assert told(alert) == "Not read: failed dc01: access <denied>. Ask."
    assert not list(section.iter("table"))


@pytest.mark.parametrize("which", ["mixed", "hostile_templates", "unread"])
def test_the_page_is_sound_and_needs_neither_network_nor_script(which, request):
    text = render_html(request.getfixturevalue(which))
    text.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e\ud800]", text)
    body = ElementTree.fromstring(
        re.search(r"<body>.*</body>", text, re.S).group().replace("<wbr>", "").replace("<br>", "<br/>")
    )
    ids = [element.get("id") for element in body.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    for element in body.iter():
        assert element.tag not in ("script", "img", "iframe", "object")
        assert not [name for name in element.attrib if name.startswith("on")]
        target = element.get("href", "")
        assert not target or target.startswith("https://example.com/") or target.removeprefix("#") in ids
    headers = list(body.iter("th"))
    assert all(header.get("scope") in ("row", "col") for header in headers)
