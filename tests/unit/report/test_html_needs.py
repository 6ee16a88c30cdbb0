# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done and what is left to do for the Lync usages in report.html."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.html import render_html
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.html_parts import MOST_OPEN
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.style import stylesheet


def section_of(report):
    """The section of the page as elements: what the renderer writes is well-formed XML."""
    (text,) = re.findall(r'<section id="needs".*?</section>', render_html(report), re.S)
    return ElementTree.fromstring(text)


def told(element):
    return " ".join(" ".join(element.itertext()).split())


def row(section, number):
    return next(element for element in section.iter("tr") if element.get("id") == f"need{number}")


@pytest.fixture
def section(planned):
    return section_of(planned)


@pytest.mark.parametrize("needs", [None, []])
def test_the_page_without_needs_is_as_if_there_were_no_such_section(needs, make_report, make_certificate):
    text = render_html(make_report([{"host": "a", "certificates": [make_certificate()], "needs": needs}]))
    assert "needs" not in text
    assert "Lync usages" not in text


def test_the_section_stands_before_the_steps_and_is_linked(planned):
    text = render_html(planned)
    assert re.findall(r"<h2[^>]*>(.*?)</h2>", text) == [
        "The fleet",
        "Without a result",
        "Lync usages",
        "What to do",
        "Hosts",
        "Certificates",
    ]
    assert '<a href="#needs">Lync usages</a>' in text
    assert "<li>7 of 8 certificates for Lync usages are not in place: 1 blocked, 1 pending," in text


def test_when_all_is_in_place_the_head_of_the_page_does_not_warn(make_report, make_need):
    text = render_html(make_report([{"host": "a", "needs": [make_need("Default")]}]))
    assert text.count("for Lync usages") == 1
    assert "<p>1 certificate for Lync usages: all in place.</p>" in text
    assert "What is left" not in text


def test_what_is_left_comes_first_and_what_needs_a_person_before_the_rest(section):
    assert [told(heading) for heading in section.iter("h3")] == ["What is left", "In place"]
    left, done = section.iter("table")
    assert [told(found.find(".//span")) for found in left.find("tbody")] == [
        "× blocked",
        "… pending",
        "… waiting",
        "! to request",
        "! to convert",
        "! to take over",
        "! to assign",
    ]
    assert [told(found) for found in done.find("tbody")] == [
        "fe01 Default WebServicesInternal ✓ in place "
        f"{done.find('.//code').text} pool.contoso.com 2025-01-02 to 2027-01-02"
    ]


def test_a_pending_request_is_named_with_its_number_and_ca(section, planned):
    pending = row(section, 2)
    short = planned.needs[1].current[:8]
    assert told(pending) == (
        f"fe01 WebServicesExternal … pending Request 4711 CA: CA01\\Contoso Issuing CA {short} cng.contoso.com → a new "
        "one Request 4711 is at CA01\\Contoso Issuing CA. The request waits for a manager of the CA."
    )
    assert [link.get("href") for link in pending.iter("a")] == ["#h1", "#c2"]


def test_a_request_for_another_ca_is_named_with_its_file(make_report, make_need):
    pending = {"status": "pending", "request_id": None, "reason": "No answer.", "csr_path": "/requests/a.csr"}
    needs = [make_need("Default", state="request", pending=pending)]
    assert "… pending Request file: /requests/a.csr nothing assigned → a new one No answer. The next run" in told(
        row(section_of(make_report([{"host": "a", "needs": needs}])), 1)
    )


def test_thumbprints_lead_to_the_certificates_that_the_host_has(section, planned):
    assign, transfer = row(section, 3), row(section, 5)
    assert [link.get("href") for link in assign.iter("a")] == ["#h1", "#c3", "#c1"]
    assert [link.get("href") for link in transfer.iter("a")] == ["#h2", "#c4"]
    assert "→ ABABABAB key_provider: a KSP." in told(transfer)
    assert "→ the same with its key moved key_provider: a KSP. The key of" in told(row(section, 8))


def test_long_lists_are_folded(make_report, make_need):
    needs = [make_need("Default") for _number in range(MOST_OPEN + 1)]
    section = section_of(make_report([{"host": "a", "needs": [*needs, make_need("Default", state="blocked")]}]))
    assert [told(summary) for summary in section.iter("summary")] == [f"Show the {MOST_OPEN + 1} certificates"]


def test_each_row_has_a_cell_for_each_title(section):
    for table in section.iter("table"):
        titles = list(table.find("thead/tr"))
        assert all(title.get("scope") == "col" for title in titles)
        for found in table.find("tbody"):
            assert len(found) == len(titles)
            assert (found[0].tag, found[0].get("scope")) == ("th", "row")


@pytest.mark.parametrize("which", ["planned", "hostile_plan"])
def test_the_page_is_sound_and_needs_neither_network_nor_script(which, request):
    text = render_html(request.getfixturevalue(which))
    text.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e\ud800]", text)
    body = ElementTree.fromstring(re.search(r"<body>.*</body>", text, re.S).group().replace("<br>", "<br/>"))
    ids = [element.get("id") for element in body.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    for element in body.iter():
        assert element.tag not in ("script", "img", "iframe", "object")
        assert not [name for name in element.attrib if name.startswith("on")]
        target = element.get("href", "")
        assert not target or target.startswith("https://example.com/") or target.removeprefix("#") in ids


def test_the_styles_of_the_section_come_with_it():
    assert ".needs" not in stylesheet()
    assert stylesheet(needs=True).startswith(stylesheet())
    assert ".certs.needs td:last-child{grid-column:1/-1}" in stylesheet(needs=True)
