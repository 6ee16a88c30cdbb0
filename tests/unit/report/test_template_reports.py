# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate templates in each report: table, JSON, CSV and JUnit XML. The page has a file of its own."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from xml.etree import ElementTree

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.csv_report import render_csv
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.csv_templates import (
    TEMPLATE_COLUMNS,
    render_template_csv,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.files import write_reports
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.json_report import render_json
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.junit import TEMPLATE_SUITE, render_junit
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.table import render_table
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.table_templates import MOST_TEMPLATES


def table(report, width=120):
    lines = render_table(report, width).splitlines()
    return lines[next(number for number, line in enumerate(lines) if line.startswith("Certificate templates")) :]


def test_the_table_shows_what_is_published_and_counts_the_rest(mixed):
    lines = table(mixed)
    assert lines[0] == "Certificate templates (forest corp.example, read from dc01.corp.example.test): lync_2013"
    names = [line.split()[1] for line in lines if line.startswith(("UN", "WARN", "suit"))]
    assert names == ["Ksp", "KspToo", "Lost", "Short", "Good"]
    assert " ".join(next(line for line in lines if " KspToo " in line).split()) == (
        "UNSUITABLE KspToo KSP v4 Software KSP 100.4 2048 Contoso Issuing CA 2"
    )
    assert "Not shown: 2 templates that no CA offers (1 unsuitable, 1 suitable); the reports have all" in lines
    assert lines[-1] == (
        "5 of 7 certificate templates published: 2 unsuitable, 1 undetermined, 1 warning, 1 suitable, 2 exposed, "
        "1 problem"
    )


def test_the_table_tells_exposures_contradictions_and_problems(mixed):
    lines = table(mixed)
    assert "EXPOSED  Ksp: ESC1, open to Authenticated Users (S-1-5-11)" in lines
    assert "EXPOSED  Lost: ESC1 (not certain)" in lines
    assert any(line.startswith("INCONSISTENT  KspToo: The template asks for a CSP, but lists a KSP") for line in lines)
    assert "PROBLEM  dc01, CN=Broken: The flags are no number. Repair the attribute." in lines


def test_the_table_tells_reason_and_remedy_once_with_the_numbers_of_the_rows(mixed):
    lines = table(mixed)
    start = lines.index("What to do about the templates:")
    assert lines[start + 1 : start + 5] == [
        " 1. Authenticated Users can have a certificate in the name of anyone. Take Enroll from them. (Ksp, Lost)",
        " 2. The template makes keys in a KSP. Make it a template for legacy providers. (Ksp, KspToo)",
        " 3. No provider is recorded. Open the key. (Lost)",
        " 4. The key has 1024 bits. Use a longer key. (Short)",
    ]
    assert next(line for line in lines if " Lost " in line).endswith(" 1,3")


def test_as_many_providers_are_named_as_there_is_room_for(mixed):
    assert any("RSA SChannel CSP, Enhanced CSP v1.0, Acme Box" in line for line in table(mixed, 200))
    assert any(" Good " in line and " RSA SChannel CSP +2 " in line for line in table(mixed, 120))
    assert any(" Short " in line and " any " in line for line in table(mixed, 80))


def test_what_no_ca_offers_has_a_line_when_no_ca_offers_any(make_template, make_forest, with_templates):
    lines = table(with_templates(make_forest(make_template("Only", published_on=[]))))
    assert any(line.startswith("suitable  Only") for line in lines)
    assert not any("that no CA offers" in line for line in lines)
    assert lines[-1] == "1 certificate template, none published: 1 suitable"


def test_a_long_list_of_templates_shows_the_worst(make_template, make_forest, with_templates):
    many = [make_template(f"T{number:03}") for number in range(MOST_TEMPLATES)]
    lines = table(with_templates(make_forest(*many, make_template("Worst", "unsuitable"))))
    assert sum(line.startswith("suitable  ") for line in lines) == MOST_TEMPLATES - 1
    assert sum(line.startswith("UNSUITABLE  Worst") for line in lines) == 1
    assert "Not shown: 1 template more (1 suitable); the reports have all" in lines


def test_many_reasons_for_one_remedy_are_not_all_in_the_table(make_template, make_forest, with_templates):
    templates = [
        make_template(
            f"T{number}",
            verdict={
                "status": "unsuitable",
                "requirements": [{"name": "a", "status": "unmet", "reason": f"Reason {number}.", "remedy": "Mend it."}],
            },
        )
        for number in range(4)
    ]
    text = "\n".join(table(with_templates(make_forest(*templates)), 200))
    assert " 1. Reason 0. Reason 1. And 2 more reasons, see the reports. Mend it. (4 templates)" in text


@pytest.mark.parametrize("empty", [True, False])
def test_a_forest_without_templates_and_one_that_was_not_read(empty, unread, make_forest, with_templates):
    lines = table(with_templates(make_forest()) if empty else unread)
    if empty:
        assert "No template was read." in lines
        assert lines[-1] == "0 certificate templates, none published"
    else:
        assert "FAILED  dc01: access <denied>. Ask." in lines
        assert lines[-1] == "No certificate templates: they could not be read"


@pytest.mark.parametrize("width", [80, 81, 99, 120, 200])
@pytest.mark.parametrize("which", ["mixed", "hostile_templates", "unread", "big"])
def test_no_line_is_wider_than_the_terminal(width, which, request, make_template, make_forest, with_templates):
    if which == "big":
        long = make_template(
            "東京" * 40,
            "unsuitable",
            providers=["p" * 90, "q" * 90],
            published_on=["認証局" * 20] * 3,
            schema_version=4,
        )
        report = with_templates(make_forest(*[{**long, "name": f"{long['name']}{number}"} for number in range(9)]))
    else:
        report = request.getfixturevalue(which)
    text = render_table(report, width)
    text.encode("utf-8")
    assert not [each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Cs") and each != "\n"]
    for line in text.splitlines():
        assert sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in line) <= width
        assert line == line.rstrip()


def test_json_holds_all_templates_as_given(mixed):
    found = json.loads(render_json(mixed))["templates"]
    assert (found["status"], found["message"]) == ("ok", None)
    assert found["directory"] == {
        "server": "dc01.corp.example.test",
        "configuration": "CN=Configuration,DC=corp,DC=example",
    }
    assert found["summary"] == mixed.templates.counts()
    assert found["items"] == [dict(item.template) for item in mixed.templates.items]
    assert found["problems"] == [
        {
            "origin": "dc01",
            "place": "CN=Broken",
            "message": "The flags are no number.",
            "remedy": "Repair the attribute.",
        }
    ]


def test_json_tells_a_failed_read_from_none(unread, report):
    found = json.loads(render_json(unread))["templates"]
    assert (found["status"], found["message"], found["items"]) == ("failed", "dc01: access <denied>. Ask.", [])
    assert json.loads(render_json(report))["templates"] is None
    assert json.loads(render_json(report))["schema_version"] == 1


def rows(section):
    return list(csv.DictReader(io.StringIO(render_template_csv(section), newline=""), strict=True))


def test_csv_has_a_row_for_each_template_and_problem(mixed):
    found = rows(mixed.templates)
    assert [(row["row"], row["name"], row["verdict"]) for row in found] == [
        ("template", "Good", "suitable"),
        ("template", "Ksp", "unsuitable"),
        ("template", "KspToo", "unsuitable"),
        ("template", "Lost", "undetermined"),
        ("template", "Short", "warning"),
        ("template", "Unused", "unsuitable"),
        ("template", "UnusedToo", "suitable"),
        ("problem", "", ""),
    ]
    good, ksp = found[:2]
    assert tuple(good) == TEMPLATE_COLUMNS
    assert good["providers"].startswith("Microsoft RSA SChannel Cryptographic Provider; Microsoft Enhanced")
    assert good["published_on"] == "Contoso Issuing CA; Contoso CA 2"
    assert (good["forest"], good["server"]) == ("corp.example", "dc01.corp.example.test")
    assert (good["revision"], good["key_spec"], good["schema_version"]) == ("100.4", "1 AT_KEYEXCHANGE", "4")
    assert (good["general_flags"], good["minimum_ca"]) == ("MACHINE_TYPE; IS_MODIFIED", "Windows Server 2016")
    assert (good["consistent"], found[2]["consistent"]) == ("yes", "no")
    assert (ksp["exposures"], ksp["exposed_to"]) == ("ESC1", "Authenticated Users (S-1-5-11)")
    assert ksp["exposure_remedy"] == "Take Enroll from them."
    assert (ksp["requirements"], ksp["reason"]) == ("key_provider=unmet", "The template makes keys in a KSP.")
    assert (found[5]["published_on"], found[7]["reason"]) == ("", "The flags are no number.")


def test_csv_says_why_there_are_no_templates(unread):
    (row,) = rows(unread.templates)
    assert (row["row"], row["reason"]) == ("directory", "dc01: access <denied>. Ask.")


def test_csv_cells_are_no_formulas(hostile_templates):
    found = rows(hostile_templates.templates)
    assert [row["row"] for row in found] == ["template", "template", "template", "problem"]
    assert found[0]["providers"].startswith("'=<script>")
    for row in found:
        assert not [cell for cell in row.values() if cell.startswith(tuple("=+-@\t\r\n"))]


def test_the_certificates_stay_as_they_are(mixed, report):
    assert render_csv(mixed) == render_csv(report)


def test_templates_csv_is_written_with_templates_only(mixed, unread, report, tmp_path):
    without = write_reports(report, tmp_path, fail_on="never")
    assert "templates.csv" not in without
    assert not (tmp_path / "templates.csv").exists()
    for number, each in enumerate((mixed, unread)):
        paths = write_reports(each, tmp_path / str(number), fail_on="never")
        assert set(paths) == {*without, "templates.csv"}
        text = (tmp_path / str(number) / "templates.csv").read_bytes()
        assert text == b"\xef\xbb\xbf" + render_template_csv(each.templates).encode()


def suite_of(report, fail_on="unsuitable"):
    root = ElementTree.fromstring(render_junit(report, fail_on=fail_on).encode("utf-8"))
    (found,) = [suite for suite in root if suite.get("name") == TEMPLATE_SUITE]
    return found


@pytest.mark.parametrize(
    ("fail_on", "failures"),
    [
        ("never", []),
        ("unsuitable", ["Ksp", "KspToo"]),
        ("undetermined", ["Ksp", "KspToo", "Lost"]),
        ("warning", ["Ksp", "KspToo", "Lost", "Short"]),
    ],
)
def test_junit_has_a_case_for_each_template_with_failures_by_the_choice(fail_on, failures, mixed):
    suite = suite_of(mixed, fail_on)
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert list(cases) == [*(item.name for item in mixed.templates.items), "problem: dc01 CN=Broken"]
    assert [name for name, case in cases.items() if case.find("failure") is not None] == failures
    skipped = {
        name: case.find("skipped").get("message") for name, case in cases.items() if case.find("skipped") is not None
    }
    assert skipped.pop("Lost", "No provider is recorded.") == "No provider is recorded."
    assert skipped == dict.fromkeys(("Unused", "UnusedToo"), "No CA offers the template, so it has no effect.")
    assert [name for name, case in cases.items() if case.find("error") is not None] == ["problem: dc01 CN=Broken"]


def test_junit_tells_everything_about_a_template(mixed):
    suite = suite_of(mixed)
    assert (suite.get("hostname"), suite.get("tests"), suite.get("errors")) == ("dc01.corp.example.test", "8", "1")
    case = suite.findall("testcase")[1]
    assert (case.get("name"), case.get("classname")) == ("Ksp", "lync_2013.certificate templates")
    failure = case.find("failure")
    assert failure.get("message") == "The template makes keys in a KSP."
    for told in (
        "Display name: Ksp Display",
        "Published on: Contoso Issuing CA",
        "Providers: Microsoft Software Key Storage Provider",
        "Revision: 100.4",
        "General flags: MACHINE_TYPE, IS_MODIFIED",
        "CA from: Windows Server 2016",
        "Exposed to ESC1: Authenticated Users can have",
        "What to do: Make it a template for legacy providers.",
    ):
        assert told in failure.text
    assert "Providers: any of the category" in suite.findall("testcase")[4].find("system-out").text


def test_junit_tells_a_failed_read_as_an_error(unread):
    (case,) = suite_of(unread, "never").iter("testcase")
    assert (case.get("name"), case.find("error").get("type")) == ("directory", "failed")
    assert case.find("error").get("message") == "dc01: access <denied>. Ask."


def test_junit_without_templates_has_no_suite_for_them(report):
    root = ElementTree.fromstring(render_junit(report))
    assert [suite.get("name") for suite in root] == [host.name for host in report.hosts]
