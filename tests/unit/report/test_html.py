# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: its structure, what it says, and that evidence cannot break out of it."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.html import render_html
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.html_parts import MOST_OPEN
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.style import PAIRS, PALETTES, stylesheet

VOID = {"meta", "link", "br", "wbr"}


class Page(HTMLParser):
    """The elements of a page with their attributes and the text below them; fails on wrong nesting."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[int] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert len({name for name, _value in attrs}) == len(attrs)
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self.open.append(len(self.elements) - 1)

    def handle_endtag(self, tag):
        assert self.elements[self.open.pop()][0] == tag

    def handle_data(self, data):
        for index in self.open:
            self.elements[index][2].append(data)

    def all(self, tag, **attributes):
        return [
            (found, " ".join("".join(text).split()))
            for name, found, text in self.elements
            if name == tag and all(found.get(key.rstrip("_")) == value for key, value in attributes.items())
        ]


@pytest.fixture
def page(report):
    return Page(render_html(report))


def test_the_answer_is_the_first_heading(page):
    assert page.all("h1")[0][1] == "2 of 5 certificates cannot be used by Lync Server 2013: re-request or convert them."
    assert page.all("title")[0][1] == "Key providers of certificates: Lync Server 2013"
    assert page.all("html")[0][0] == {"lang": "en"}
    assert page.all("time")[0] == ({"datetime": "2025-11-22T12:24:00Z"}, "2025-11-22 12:24 UTC")


def test_the_page_is_sound(page):
    assert page.all("meta", charset="utf-8")
    assert page.all("meta", name="viewport")
    levels = [int(tag[1]) for tag, _attributes, _text in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _tag, attributes, _text in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    targets = [attributes["href"] for attributes, _text in page.all("a") if attributes["href"].startswith("#")]
    assert {target[1:] for target in targets} <= set(ids)
    assert all(attributes.get("scope") in ("row", "col") for attributes, _text in page.all("th"))


def test_sections_stand_in_the_order_of_need(page):
    assert [text for _attributes, text in page.all("h2")] == [
        "The fleet",
        "Without a result",
        "What to do",
        "Hosts",
        "Certificates",
    ]


@pytest.mark.parametrize("which", ["report", "hostile", "nothing"])
def test_the_page_needs_neither_network_nor_script(which, request):
    text = render_html(request.getfixturevalue(which))
    page = Page(text)
    assert not page.all("script")
    assert not page.all("img")
    assert [attributes["href"] for attributes, _text in page.all("link")] == ["data:,"]
    assert "url(" not in text
    assert "@import" not in text
    (policy,) = page.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy[0]["content"].startswith("default-src 'none'")
    handlers = [name for _tag, attributes, _text in page.elements for name in attributes if name.startswith("on")]
    assert not handlers


def test_hostile_evidence_stays_text(hostile):
    text = render_html(hostile)
    text.encode("utf-8")
    page = Page(text)
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e\ud800]", text)
    hrefs = [attributes["href"] for attributes, _text in page.all("a")]
    assert all(re.fullmatch(r"#[a-z]+\d*|https://example\.com/", href) for href in hrefs)
    assert "javascript:alert(1) <b> https://example.com" in page.all("p", class_="soft")[0][1]
    assert any("<script>alert('1')</script>" in name for _attributes, name in page.all("th"))


def test_the_map_has_a_cell_for_each_certificate(page, report):
    (fleet,) = page.all("ul", class_="map")
    cells = [(attributes, text) for attributes, text in page.all("a") if "title" in attributes]
    assert len(cells) == len(report.items)
    assert [(attributes["class"], text) for attributes, text in cells[:3]] == [("u", "×"), ("w", "!"), ("s", "✓")]
    assert cells[0][0] == {"class": "u", "href": "#c2", "title": "unsuitable: cng.contoso.com"}
    for told in ("no result: unreachable", "no result: failed", "skipped", "no certificates", "1 problem"):
        assert told in fleet[1]


def test_the_bar_is_described(page):
    ((stacked, _text),) = page.all("div", class_="bar")
    assert stacked["role"] == "img"
    assert stacked["aria-label"] == "2 unsuitable, 1 undetermined, 1 warning, 1 suitable"


def test_hosts_show_counts_and_failures(page):
    rows = {attributes["id"]: text for attributes, text in page.all("tr") if "id" in attributes}
    assert rows["h1"] == "fe01store My · front_endsread10110"
    assert rows["h3"] == "edge01unreachableThe port is closed. Open it.–––––"
    assert [text for _attributes, text in page.all("tr", id="h6")] == ["empty01store Myread00000"]


def test_certificates_show_what_matters(page, report):
    ((_attributes, row),) = page.all("tr", id="c2")
    for told in (
        "cng.contoso.com",
        "CN=cng.contoso.com,O=Contoso",
        "SAN: cng.contoso.com",
        "WebServicesExternal",
        "Microsoft Software Key Storage Provider",
        "type 0 CNG · key spec 0",
        "RSA 2048",
        "Container: container-2",
        "2025-01-02 to 2027-01-02",
        report.items[1].certificate["thumbprint"],
    ):
        assert told in row
    group = page.all("article")[0][1]
    for told in (
        "The product cannot use a KSP.",
        "What to do: Request a certificate from a CSP template.",
        "Required: a legacy CSP",
        "Source: https://example.com/rules?a=1&b=2",
        "Confidence: medium",
        "2 certificates, 1 in use",
    ):
        assert told in group
    assert page.all("a", href="https://example.com/rules?a=1&b=2")


def test_the_worst_certificates_come_first(page):
    assert [text for _attributes, text in page.all("h3")][-4:] == [
        "× unsuitable: 2 certificates",
        "? undetermined: 1 certificate",
        "! warning: 1 certificate",
        "✓ suitable: 1 certificate",
    ]


def test_what_is_special_to_a_certificate_is_told_in_its_row(make_report, make_certificate):
    requirements = [
        {"name": "validity", "status": "unmet", "actual": "ended in May", "reason": "It ended: ended in May."},
        {"name": "key_size", "status": "warning", "reason": "Short.", "remedy": "Longer."},
        {"name": "crl_distribution_point", "status": "unknown", "reason": "Not shown."},
    ]
    other = [{**requirements[0], "actual": "ended in June", "reason": "It ended: ended in June."}]
    certificates = [
        make_certificate(name, verdict={"status": "unsuitable", "requirements": found})
        for name, found in (("a", requirements), ("b", other))
    ]
    page = Page(render_html(make_report([{"host": "h", "certificates": certificates}])))
    ((_attributes, row),) = page.all("tr", id="c1")
    assert "ended in May" in row
    assert "Also key size: Short. Longer." in row
    assert "Not known: CRL distribution point" in row
    assert "It ended: ended in May or ended in June." in page.all("article")[0][1]


@pytest.mark.parametrize(("count", "folded"), [(MOST_OPEN, 0), (MOST_OPEN + 1, 1)])
def test_long_lists_are_folded_and_printed(count, folded, make_report, make_certificate):
    certificates = [make_certificate(f"c{number}") for number in range(count)]
    page = Page(render_html(make_report([{"host": "a", "certificates": certificates}])))
    assert len(page.all("details")) == folded
    assert re.search(r"@media print\{.*details::details-content\{content-visibility:visible", stylesheet(), re.S)


def test_texts_of_requirements_are_told_once_however_many_certificates(make_report, make_certificate):
    def size(count):
        certificates = [make_certificate(f"c{number}.contoso.com", "unsuitable", "ksp") for number in range(count)]
        return render_html(make_report([{"host": "a", "certificates": certificates}]))

    assert size(100).count("The product cannot use a KSP.") == 1
    assert (len(size(1100)) - len(size(100))) / 1000 < 1100


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", PALETTES)
@pytest.mark.parametrize(("front", "back"), PAIRS)
def test_texts_have_contrast(mode, front, back):
    lighter, darker = sorted((luminance(PALETTES[mode][name]) for name in (front, back)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_both_modes_define_all_colours_that_the_layout_uses():
    used = set(re.findall(r"var\(--([a-z-]+)\)", stylesheet()))
    assert used == set(PALETTES["light"])
    assert set(PALETTES["light"]) == set(PALETTES["dark"])
    assert "@media screen and (prefers-color-scheme:dark)" in stylesheet()
