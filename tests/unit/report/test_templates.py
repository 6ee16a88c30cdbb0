# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered result of template_info as the reports take it: what is refused, counted, and to be done."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import EvidenceError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.gate import FAIL_ON, stops
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.html import render_html
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.steps import SEE_TABLE
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.template_input import template_section
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.templates import advice, exposed_templates
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.wording import asides


@pytest.mark.parametrize(
    ("result", "why"),
    [
        ("text", "it is text"),
        ([], "it is a list"),
        ({}, "it has no 'templates'"),
        ({"templates": None}, "it has no 'templates'"),
        ({"results": [], "changed": False}, "it has no 'templates'"),
        ({"templates": "x"}, "templates is text and no list"),
        ({"templates": {"a": 1}}, "templates is a dictionary and no list"),
        ({"templates": [None]}, r"templates\[0\] is null"),
        ({"templates": ["LyncWeb"]}, r"templates\[0\] is text and no dictionary"),
        ({"templates": [{}]}, "template 1 has no 'name'"),
        ({"templates": [], "problems": ["x"]}, r"problems\[0\] is text and no dictionary"),
        ({"templates": [], "directory": "dc01"}, "directory is text and no dictionary"),
        ({"templates": [], "product": 5}, "product is a number and no text"),
    ],
)
def test_what_is_no_result_is_refused_by_the_name_of_the_option(result, why):
    with pytest.raises(EvidenceError, match=f"The option 'templates' is no result of template_info: {why}") as caught:
        template_section(result)
    assert "template_info" in caught.value.remedy


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": 5}, r"templates\[1\].name is a number and no text"),
        ({"verdict": None}, r"template 2 \(LyncWeb\) has no 'verdict'"),
        ({"verdict": "suitable"}, r"templates\[1\].verdict is text and no dictionary"),
        ({"verdict": {"requirements": ["x"]}}, r"templates\[1\].verdict.requirements\[0\] is text and no dictionary"),
        ({"verdict": {"profile": ["x"]}}, r"templates\[1\].verdict.profile is a list and no text"),
        ({"published_on": "CA"}, r"templates\[1\].published_on is text and no list"),
        ({"published_on": [1]}, r"templates\[1\].published_on\[0\] is a number and no text"),
        ({"published_on": None}, r"template 2 \(LyncWeb\) has no 'published_on'"),
        ({"category": "hsm"}, "template 2 has the unknown category 'hsm'"),
        ({"providers": {}}, r"templates\[1\].providers is a dictionary and no list"),
        ({"exposures": [{"principals": ["S-1-5-11"]}]}, r"exposures\[0\].principals\[0\] is text and no dictionary"),
        ({"private_key_flags": 16}, r"templates\[1\].private_key_flags is a number and no dictionary"),
        ({"general_flags": {"names": "x"}}, r"templates\[1\].general_flags.names is text and no list"),
        ({"revision": "100.4"}, r"templates\[1\].revision is text and no dictionary"),
        ({"minimum_key_size": "2048"}, r"templates\[1\].minimum_key_size is text and no number"),
    ],
)
def test_what_is_wrong_within_a_template_is_named_with_its_place(changes, why, make_template, make_forest):
    with pytest.raises(EvidenceError, match=why):
        template_section(make_forest(make_template("First"), make_template(**changes)))


def test_a_template_may_lack_what_no_report_depends_on(make_template, make_forest, with_templates):
    kept = ("name", "category", "providers", "published_on", "verdict")
    bare = {key: value for key, value in make_template().items() if key in kept}
    (item,) = with_templates(make_forest(bare)).templates.items
    assert (item.title, item.revision, item.key_text) == ("LyncWeb", None, "no minimum size")
    (item,) = with_templates(make_forest({**bare, **dict.fromkeys(set(make_template()) - set(kept))})).templates.items
    assert item.revision is None


def test_a_result_may_hold_tuples_for_lists(make_template, make_forest):
    tuples = make_template(providers=("A", "B"), published_on=("CA",), exposures=())
    (item,) = template_section({**make_forest(), "templates": (tuples,)}).items
    assert item.providers == ("A", "B")


@pytest.mark.parametrize(
    ("result", "status", "message"),
    [
        ({"failed": True, "msg": "No right."}, "failed", "No right."),
        ({"failed": True, "msg": "No right.", "templates": []}, "failed", "No right."),
        ({"failed": True}, "failed", "No message."),
        ({"unreachable": True, "msg": "No route."}, "unreachable", "No route. Check address"),
    ],
)
def test_a_read_that_failed_is_told(result, status, message, with_templates):
    report = with_templates(result)
    assert (report.templates.status, report.templates.items) == (status, ())
    assert report.templates.message.startswith(message)
    assert "The certificate templates could not be read, so nothing is known about them." in asides(report)


def test_a_read_that_was_skipped_is_as_none():
    assert template_section({"changed": False, "skipped": True, "skip_reason": "Conditional result was False"}) is None


def test_the_summary_is_that_of_template_info(mixed):
    assert mixed.templates.counts() == {
        "total": 7,
        "suitable": 2,
        "warning": 1,
        "undetermined": 1,
        "unsuitable": 3,
        "by_category": {"csp": 4, "ksp": 3},
        "exposed": 2,
        "unpublished": 2,
    }


@pytest.mark.parametrize(
    ("configuration", "forest"),
    [
        ("CN=Configuration,DC=corp,DC=contoso,DC=example", "corp.contoso.example"),
        ("cn=Configuration, dc=corp", "corp"),
        ("CN=Configuration", "CN=Configuration"),
        (None, None),
    ],
)
def test_the_forest_is_named_as_in_the_dns(configuration, forest, make_forest):
    assert template_section(make_forest(directory={"configuration": configuration})).forest == forest


def test_the_asides_tell_what_templates_lead_to_and_what_is_exposed(mixed, report):
    assert asides(mixed)[len(asides(report)) :] == [
        "2 of 5 published certificate templates lead to certificates that Lync Server 2013 cannot use.",
        "2 published certificate templates are exposed to abuse (ESC1).",
        "1 problem came up while reading the certificate templates.",
    ]


def test_what_no_ca_offers_makes_no_aside(make_template, make_forest, with_templates, report):
    exposed = make_template(status="unsuitable", published_on=[], exposures=[{"name": "ESC1", "certain": True}])
    assert asides(with_templates(make_forest(exposed))) == asides(report)


def test_what_to_do_is_told_once_and_in_the_order_of_need(mixed):
    todo = advice(mixed.templates.items, exposures=True)
    assert [(entry.status, entry.remedy, [item.name for item in entry.items]) for entry in todo] == [
        ("exposed", "Take Enroll from them.", ["Ksp", "Lost"]),
        ("unsuitable", "Make it a template for legacy providers.", ["Ksp", "KspToo", "Unused"]),
        ("undetermined", "Open the key.", ["Lost"]),
        ("warning", "Use a longer key.", ["Short"]),
    ]
    assert [entry.status for entry in advice(mixed.templates.items, exposures=False)] == [
        "unsuitable",
        "undetermined",
        "warning",
    ]


def _judged(make_template, name, *requirements, **changes):
    verdict = {"profile": "lync_2013", "status": "unsuitable", "requirements": list(requirements)}
    return make_template(name, verdict=verdict, **changes)


def test_what_concerns_no_published_template_comes_last(make_template, make_forest):
    worse = {"name": "a", "status": "unmet", "reason": "R1", "remedy": "Worse, not published."}
    better = {"name": "b", "status": "warning", "reason": "R2", "remedy": "Better, published."}
    section = template_section(
        make_forest(_judged(make_template, "X", worse, published_on=[]), _judged(make_template, "Y", better))
    )
    assert [entry.remedy for entry in advice(section.items, exposures=True)] == [
        "Better, published.",
        "Worse, not published.",
    ]


def test_reasons_that_differ_by_what_was_found_are_one(make_template, make_forest):
    def finding(usage):
        return {"name": "u", "status": "unmet", "actual": usage, "reason": f"It is for {usage}.", "remedy": "Add it."}

    section = template_section(
        make_forest(
            _judged(make_template, "A", finding("mail")),
            _judged(make_template, "B", finding("files")),
            _judged(make_template, "C", {**finding("x"), "reason": "It is odd."}),
        )
    )
    (entry,) = advice(section.items, exposures=True)
    assert entry.reasons == (f"It is for {SEE_TABLE}.", "It is odd.")


def test_a_reason_without_a_remedy_is_told_too(make_template, make_forest):
    alone = {"name": "u", "status": "unmet", "reason": "It cannot be."}
    section = template_section(make_forest(_judged(make_template, "A", alone), _judged(make_template, "B", alone)))
    (entry,) = advice(section.items, exposures=True)
    assert (entry.remedy, entry.reasons, len(entry.items)) == ("", ("It cannot be.",), 2)


def test_equal_exposures_are_one_and_certain_ones_first(make_template, make_forest):
    certain = {"name": "ESC1", "certain": True, "reason": "R", "principals": [{"sid": "S-1-1-0", "name": None}]}
    doubtful = {**certain, "certain": False}
    section = template_section(
        make_forest(
            make_template("A", exposures=[certain], published_on=[]),
            make_template("B", exposures=[doubtful]),
            make_template("C", exposures=[{**certain, "reason": "Other"}]),
            make_template("D", exposures=[doubtful]),
        )
    )
    found = exposed_templates(section.items)
    assert [(entry.exposure.title, [item.name for item in entry.items]) for entry in found] == [
        ("ESC1", ["C"]),
        ("ESC1 (not certain)", ["B", "D"]),
        ("ESC1", ["A"]),
    ]
    assert found[0].exposure.principals == ("S-1-1-0",)


@pytest.mark.parametrize("fail_on", FAIL_ON)
def test_templates_stop_no_host(fail_on, mixed, unread, report):
    assert stops(mixed, fail_on) == stops(unread, fail_on) == stops(report, fail_on)


def test_a_template_without_a_known_verdict_is_undetermined(make_template, make_forest):
    (item,) = template_section(make_forest(make_template(verdict={"status": "fine"}))).items
    assert item.status == "undetermined"
    assert item.findings[0].reason == "No requirement was judged for this template."


def test_a_certificate_is_shown_with_its_template_as_the_forest_has_it(make_report, make_certificate, make_template):
    oid = "1.3.6.1.4.1.311.21.8.1.2.3"
    forest = {"templates": [make_template("LyncWeb", "unsuitable", oid=oid, display_name="Lync Web", category="ksp")]}
    certificates = [make_certificate(template={"oid": oid, "name": None, "major_version": 100}), make_certificate()]
    report = make_report([{"host": "fe01", "certificates": certificates}], templates=template_section(forest))
    named = report.items[0].certificate["template"]
    assert (named["name"], named["category"], named["major_version"]) == ("LyncWeb", "ksp", 100)
    assert "Template: Lync Web (leads to a key storage provider now)" in render_html(report)
    assert report.items[1].certificate == certificates[1]


def test_a_certificate_of_an_unknown_template_stays_as_it_is(make_report, make_certificate, make_template):
    certificate = make_certificate(template={"oid": "1.2.3", "name": None})
    section = template_section({"templates": [make_template(oid=None)]})
    [item] = make_report([{"host": "fe01", "certificates": [certificate]}], templates=section).items
    assert item.certificate == certificate
