# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.json, report.csv and junit.xml, parsed back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import EvidenceError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.csv_report import COLUMNS, render_csv
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.files import write_reports
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.json_report import render_json
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.junit import render_junit

# Attributes and children that junit-10.xsd allows, the required attributes with an exclamation mark.
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {"name!", "tests!", "failures!", "errors!", "skipped", "time", "timestamp", "hostname"},
    "properties": set(),
    "property": {"name!", "value!"},
    "testcase": {"name!", "classname", "time"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase"},
    "properties": {"property"},
    "testcase": {"failure", "error", "skipped", "system-out"},
}


def test_json_holds_everything(report):
    document = json.loads(render_json(report))
    assert document["schema_version"] == 1
    assert document["generated_at"] == "2025-11-22T12:24:00Z"
    assert (document["profile"], document["product"]) == ("lync_2013", "Lync Server 2013")
    assert document["summary"]["hosts"] == {"total": 6, "ok": 3, "failed": 1, "unreachable": 1, "skipped": 1}
    assert document["summary"]["certificates"] == report.counts()
    assert document["summary"]["problems"] == 1
    first, second, third = document["hosts"][:3]
    assert first["summary"]["unsuitable"] == 1
    assert first["certificates"] == [dict(item.certificate) for item in report.hosts[0].items]
    assert second["problems"][0]["place"] == "HKLM\\...\\0123, offset 12"
    assert third == {
        "host": "edge01",
        "status": "unreachable",
        "message": "The port is closed. Open it.",
        "store": None,
        "profile": "lync_2013",
        "groups": [],
        "summary": {**report.hosts[2].counts(), "total": 0},
        "certificates": [],
        "problems": [],
        "needs": None,
    }
    assert document["steps"][0]["hosts"] == ["fe01", "fe02"]


def test_json_can_be_written_whatever_the_evidence_held(hostile):
    text = render_json(hostile)
    document = json.loads(text.encode("utf-8"))
    assert "<script>" in document["hosts"][0]["certificates"][0]["subject"]
    assert "東京" not in text


def test_json_keeps_names_readable(report):
    assert "東京.contoso.com" in render_json(report)


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def test_csv_has_a_row_for_everything(report):
    found = rows(render_csv(report))
    assert [(row["row"], row["host"], row["verdict"]) for row in found] == [
        ("certificate", "fe01", "suitable"),
        ("certificate", "fe01", "unsuitable"),
        ("certificate", "fe01", "warning"),
        ("certificate", "fe02", "unsuitable"),
        ("certificate", "fe02", "undetermined"),
        ("problem", "fe02", ""),
        ("host", "edge01", ""),
        ("host", "med01", ""),
        ("host", "linux01", ""),
        ("host", "empty01", ""),
    ]
    unsuitable = found[1]
    assert tuple(unsuitable) == COLUMNS
    assert unsuitable["assignments"] == "WebServicesExternal"
    assert unsuitable["provider"] == "Microsoft Software Key Storage Provider"
    assert unsuitable["provider_type"] == "0 CNG"
    assert unsuitable["requirements"] == "key_provider=unmet"
    assert unsuitable["remedy"] == "Request a certificate from a CSP template."
    assert unsuitable["source"] == "https://example.com/rules?a=1&b=2"
    assert unsuitable["machine_keyset"] == "yes"
    assert found[0]["assignments"] == "Default; WebServicesInternal"
    assert found[5]["reason"] == "The blob is damaged."
    assert found[7]["reason"] == "Access is denied. Use an administrator."


def test_csv_lines_end_as_rfc_4180_says(report):
    text = render_csv(report)
    assert text.endswith("\r\n")
    assert text.replace("\r\n", "").count("\n") == 0


def test_csv_cells_are_no_formulas(hostile):
    for row in rows(render_csv(hostile)):
        for cell in row.values():
            assert not cell.startswith(tuple("=+-@\t\r\n"))
    cells = rows(render_csv(hostile))[0]
    assert cells["friendly_name"] == "'=1+1"
    assert cells["provider"].startswith("'+<script>")
    assert cells["container"].startswith("'-")
    assert cells["issuer"].startswith("'@")
    assert cells["thumbprint"].startswith("'\t")


def test_csv_leaves_harmless_cells_alone(report):
    assert "'" not in render_csv(report)


def test_hostile_csv_keeps_its_rows_and_can_be_written(hostile):
    text = render_csv(hostile)
    text.encode("utf-8")
    assert [row["row"] for row in rows(text)] == ["certificate", "certificate", "problem", "host"]


def suites(report, **options):
    root = ElementTree.fromstring(render_junit(report, **options).encode("utf-8"))
    return root, {suite.get("name"): suite for suite in root}


def outcomes(suite):
    return [[child.tag for child in case] for case in suite.iter("testcase")]


@pytest.mark.parametrize(
    ("fail_on", "first", "second"),
    [
        (
            "never",
            [["system-out"], ["system-out"], ["system-out"]],
            [["system-out"], ["skipped", "system-out"], ["error"]],
        ),
        (
            "unsuitable",
            [["system-out"], ["failure"], ["system-out"]],
            [["failure"], ["skipped", "system-out"], ["error"]],
        ),
        ("undetermined", [["system-out"], ["failure"], ["system-out"]], [["failure"], ["failure"], ["error"]]),
        ("warning", [["system-out"], ["failure"], ["failure"]], [["failure"], ["failure"], ["error"]]),
    ],
)
def test_junit_outcomes_follow_the_choice(fail_on, first, second, report):
    _root, found = suites(report, fail_on=fail_on)
    assert outcomes(found["fe01"]) == first
    assert outcomes(found["fe02"]) == second
    assert outcomes(found["edge01"]) == [["error"]]
    assert outcomes(found["med01"]) == [["error"]]
    assert outcomes(found["linux01"]) == [["skipped"]]
    assert outcomes(found["empty01"]) == []


def test_junit_names_and_texts(report):
    _root, found = suites(report)
    case = found["fe01"].findall("testcase")[1]
    thumbprint = report.items[1].certificate["thumbprint"]
    assert case.get("name") == f"cng.contoso.com {thumbprint[:8]}"
    assert case.get("classname") == "lync_2013.fe01"
    failure = case.find("failure")
    assert failure.get("type") == "unsuitable"
    assert failure.get("message") == "The product cannot use a KSP. The key is in a KSP."
    for told in (thumbprint, "WebServicesExternal", "What to do: Request a certificate", "https://example.com/rules"):
        assert told in failure.text
    assert "What to do: Export it again." in found["fe02"].find("testcase/error").text


@pytest.mark.parametrize("which", ["report", "hostile", "nothing"])
def test_junit_counts_and_shape(which, request):
    root, _found = suites(request.getfixturevalue(which))
    for element in root.iter():
        allowed = {name.rstrip("!") for name in ATTRIBUTES[element.tag]}
        required = {name[:-1] for name in ATTRIBUTES[element.tag] if name.endswith("!")}
        assert required <= set(element.attrib) <= allowed
        assert {child.tag for child in element} <= CHILDREN.get(element.tag, set())
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests")) == len(cases)
        assert len({case.get("name") for case in cases}) == len(cases)
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(count)) == len(suite.findall(f"testcase/{tag}"))
    assert int(root.get("tests")) == len(root.findall("testsuite/testcase"))
    assert int(root.get("failures")) == len(root.findall("testsuite/testcase/failure"))
    assert int(root.get("errors")) == len(root.findall("testsuite/testcase/error"))


def test_junit_tells_twins_apart(make_report, make_certificate):
    twins = [make_certificate(), make_certificate()]
    _root, found = suites(make_report([{"host": "a", "certificates": twins}]))
    first, second = (case.get("name") for case in found["a"].iter("testcase"))
    assert second == f"{first} (2)"


def test_junit_refuses_an_unknown_choice(report):
    with pytest.raises(ValueError, match="choose one of never"):
        render_junit(report, fail_on="always")


def test_each_host_tells_its_own_profile_in_every_report(make_report, make_certificate):
    hosts = [
        {"host": "fe01", "profile": "lync_2013", "certificates": [make_certificate("one")]},
        {"host": "edge01", "profile": "lync_2010", "certificates": [make_certificate("two")]},
        {"host": "off", "status": "unreachable"},
    ]
    report = make_report(hosts)
    assert [host["profile"] for host in json.loads(render_json(report))["hosts"]] == ["lync_2013", "lync_2010", None]
    rows = list(csv.DictReader(io.StringIO(render_csv(report))))
    assert [row["profile"] for row in rows] == ["lync_2013", "lync_2010", ""]
    cases = ElementTree.fromstring(render_junit(report)).iter("testcase")
    assert [case.get("classname") for case in cases] == ["lync_2013.fe01", "lync_2010.edge01", "off"]


def test_a_spreadsheet_is_told_that_the_names_are_utf_8(make_report, tmp_path):
    paths = write_reports(make_report([{"host": "東京"}]), tmp_path, fail_on="never")
    assert Path(paths["report.csv"]).read_bytes().startswith(b"\xef\xbb\xbfrow,")
    assert Path(paths["report.json"]).read_bytes().startswith(b"{")


@pytest.mark.parametrize(
    ("directory", "named", "why"),
    [("file", "file", "it is not a directory"), ("taken", "taken/report.json", "Is a directory")],
)
def test_what_cannot_be_written_is_named(make_report, tmp_path, directory, named, why):
    (tmp_path / "file").write_text("")
    (tmp_path / "taken/report.json").mkdir(parents=True)
    with pytest.raises(EvidenceError, match=why) as caught:
        write_reports(make_report([]), tmp_path / directory, fail_on="never")
    assert f"{tmp_path / named}:" in caught.value.message
