# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left to do for the Lync usages: table, JSON, CSV and JUnit XML. The page has a file of its own."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from xml.etree import ElementTree

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.csv_needs import NEED_COLUMNS, render_needs_csv
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.csv_report import render_csv
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.files import write_reports
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.gate import FAIL_ON, stops
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.json_report import render_json
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.junit import render_junit
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.table import render_table
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.table_needs import MOST_NEEDS

TITLE = "Lync usages, what is left:"


def test_the_table_has_a_paragraph_for_each_certificate_that_is_not_in_place(planned):
    lines = render_table(planned, 200).splitlines()
    start = lines.index(TITLE)
    short = {item.certificate["thumbprint"][:8] for item in planned.items}
    left = planned.left()
    current = [need.current[:8] if need.current else "nothing" for need in left]
    assert current[1] in short
    assert lines[start + 1 : start + 8] == [
        "BLOCKED  fe02: Default (CDCDCDCD): It cannot be used. Mend the cause.",
        f"PENDING  fe01: WebServicesExternal ({current[1]} -> a new one): Request 4711 is at CA01\\Contoso Issuing CA. "
        "The request waits for a manager of the CA.",
        "WAITING  fe02: OAuthTokenIssuer (nothing -> that of fe01): fe01 assigns it. The next run after that goes on.",
        "TO REQUEST  fe02: XmppServer (nothing -> a new one): Nothing is assigned to XmppServer. A new certificate is "
        "to be requested.",
        f"TO CONVERT  fe02: WebServicesInternal ({current[4]} -> the same with its key moved): key_provider: a KSP. "
        f"The key of {current[4]} is to be moved into A CSP.",
        f"TO TAKE OVER  fe02: AudioVideoAuthentication ({current[5]} -> ABABABAB): key_provider: a KSP. The "
        "certificate is to be taken over from fe01 with its key.",
        f"TO ASSIGN  fe01: OAuthTokenIssuer ({current[6]} -> {left[6].successor[:8]}): It ends on 2025-12-01, in 9 "
        "days. The certificate is in the store and is to be assigned.",
    ]
    assert lines[-1].startswith("7 of 8 certificates for Lync usages are not in place: 1 blocked, 1 pending")


def test_the_table_tells_in_one_line_that_all_is_in_place(make_report, make_need):
    lines = render_table(make_report([{"host": "a", "needs": [make_need("Default")]}]), 120).splitlines()
    assert lines[-1] == "1 certificate for Lync usages: all in place"
    assert TITLE not in lines


@pytest.mark.parametrize("needs", [None, []])
def test_the_table_without_needs_is_silent(needs, make_report, make_certificate):
    text = render_table(make_report([{"host": "a", "certificates": [make_certificate()], "needs": needs}]), 120)
    assert "Lync usages" not in text


def test_of_very_many_the_table_shows_the_most_urgent(make_report, make_need):
    needs = [make_need("Default", state="assign") for _number in range(MOST_NEEDS)]
    blocked = [make_need("Default", state="blocked")]
    text = render_table(make_report([{"host": "a", "needs": [*needs, *blocked]}]), 120)
    assert (text.count("\nTO ASSIGN  "), text.count("\nBLOCKED  ")) == (MOST_NEEDS - 1, 1)
    assert "\nNot shown: 1 certificate; the reports have all\n" in text


@pytest.mark.parametrize("width", [80, 81, 99, 120, 200])
@pytest.mark.parametrize("which", ["planned", "hostile_plan"])
def test_no_line_is_wider_than_the_terminal(width, which, request):
    text = render_table(request.getfixturevalue(which), width)
    text.encode("utf-8")
    assert TITLE in text
    assert not [each for each in text if unicodedata.category(each) in ("Cc", "Cf", "Cs") and each != "\n"]
    for line in text.splitlines():
        assert sum(2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in line) <= width
        assert line == line.rstrip()


def test_json_holds_the_plan_and_the_pending_requests(planned):
    first, second, *others = [host["needs"] for host in json.loads(render_json(planned))["hosts"]]
    assert [need["state"] for need in first] == ["satisfied", "request", "assign"]
    assert first[1] == {
        "name": "webservicesexternal",
        "types": ["WebServicesExternal"],
        "state": "request",
        "reasons": ["key_provider: The product cannot use a KSP. The key is in a KSP."],
        "current": planned.items[1].certificate["thumbprint"],
        "successor": None,
        "repair": None,
        "convert": None,
        "provider": None,
        "shared": None,
        "source_host": None,
        "pending": {
            "request_id": 4711,
            "ca": "CA01\\Contoso Issuing CA",
            "reason": "The request waits for a manager of the CA.",
            "csr_path": None,
        },
    }
    assert (second[0]["shared"], second[0]["source_host"], second[0]["pending"]) == ("global", "fe01", None)
    assert (second[4]["repair"], second[4]["convert"], second[4]["provider"]) == (
        "convert",
        planned.needs[7].current,
        "A CSP",
    )
    assert others == [None] * 4


def test_json_of_a_host_that_needs_nothing_is_no_null(make_report):
    hosts = json.loads(render_json(make_report([{"host": "a", "needs": []}, {"host": "b"}])))["hosts"]
    assert [host["needs"] for host in hosts] == [[], None]


def rows(report):
    return list(csv.DictReader(io.StringIO(render_needs_csv(report.needs), newline=""), strict=True))


def test_csv_has_a_row_for_each_need(planned):
    found = rows(planned)
    assert [(row["host"], row["progress"], row["state"]) for row in found] == [
        ("fe01", "in place", "satisfied"),
        ("fe01", "pending", "request"),
        ("fe01", "to assign", "assign"),
        ("fe02", "waiting", "waits"),
        ("fe02", "to take over", "transfer"),
        ("fe02", "to request", "request"),
        ("fe02", "blocked", "blocked"),
        ("fe02", "to convert", "convert"),
    ]
    assert tuple(found[0]) == NEED_COLUMNS
    assert (found[0]["usages"], found[0]["reason"]) == ("Default; WebServicesInternal", "")
    assert (found[1]["request_id"], found[1]["ca"]) == ("4711", "CA01\\Contoso Issuing CA")
    assert (found[4]["successor"], found[4]["source_host"]) == ("AB" * 20, "fe01")
    assert (found[7]["repair"], found[7]["convert"], found[7]["provider"]) == (
        "convert",
        planned.needs[7].current,
        "A CSP",
    )


def test_csv_cells_are_no_formulas(hostile_plan):
    found = rows(hostile_plan)
    assert len(found) == 16
    assert found[0]["current"].startswith("'=<script>")
    for row in found:
        assert not [cell for cell in row.values() if cell.startswith(tuple("=+-@\t\r\n"))]


def test_needs_csv_is_written_with_needs_only(planned, report, make_report, tmp_path):
    for number, each in enumerate((report, make_report([{"host": "a", "needs": []}]))):
        assert "needs.csv" not in write_reports(each, tmp_path / str(number), fail_on="never")
        assert not (tmp_path / str(number) / "needs.csv").exists()
    assert "needs.csv" in write_reports(planned, tmp_path, fail_on="never")
    assert (tmp_path / "needs.csv").read_bytes() == b"\xef\xbb\xbf" + render_needs_csv(planned.needs).encode()


def test_the_certificates_stay_as_they_are(planned, report):
    assert render_csv(planned) == render_csv(report)


def cases(report, fail_on="unsuitable"):
    root = ElementTree.fromstring(render_junit(report, fail_on=fail_on).encode("utf-8"))
    found = {}
    for suite in root:
        for case in suite.iter("testcase"):
            if case.get("name").startswith("Lync usages: "):
                found[suite.get("name"), case.get("name").removeprefix("Lync usages: ")] = case
    return found


@pytest.mark.parametrize("fail_on", FAIL_ON)
def test_junit_has_an_error_for_what_is_blocked_and_skips_what_is_under_way(fail_on, planned):
    assert {key: [child.tag for child in case] for key, case in cases(planned, fail_on).items()} == {
        ("fe01", "Default, WebServicesInternal"): ["system-out"],
        ("fe01", "WebServicesExternal"): ["skipped", "system-out"],
        ("fe01", "OAuthTokenIssuer"): ["skipped", "system-out"],
        ("fe02", "OAuthTokenIssuer"): ["skipped", "system-out"],
        ("fe02", "AudioVideoAuthentication"): ["skipped", "system-out"],
        ("fe02", "XmppServer"): ["skipped", "system-out"],
        ("fe02", "Default"): ["error"],
        ("fe02", "WebServicesInternal"): ["skipped", "system-out"],
    }


def test_junit_tells_request_certificates_and_reasons(planned):
    found = cases(planned)
    pending = found["fe01", "WebServicesExternal"]
    assert pending.get("classname") == "lync_2013.fe01"
    assert pending.find("skipped").get("message") == (
        "pending: Request 4711 is at CA01\\Contoso Issuing CA. The request waits for a manager of the CA."
    )
    for told in (
        "Progress: pending",
        f"Current certificate: {planned.needs[1].current}",
        "Next certificate: a new one",
        "Request: 4711",
        "CA: CA01\\Contoso Issuing CA",
        "Reason: key_provider: The product cannot use a KSP.",
    ):
        assert told in pending.find("system-out").text
    error = found["fe02", "Default"].find("error")
    assert (error.get("type"), error.get("message")) == ("blocked", "blocked: It cannot be used. Mend the cause.")
    moved = found["fe02", "WebServicesInternal"].find("system-out").text
    for told in (f"Key to move: {planned.needs[7].current}", "Key provider: A CSP"):
        assert told in moved
    assert f"Next certificate: {'AB' * 20}" in found["fe02", "AudioVideoAuthentication"].find("system-out").text


def test_junit_counts_the_needs(planned, report):
    totals = [ElementTree.fromstring(render_junit(each)) for each in (planned, report)]
    tests, errors = ([int(root.get(name)) for root in totals] for name in ("tests", "errors"))
    assert (tests[0] - tests[1], errors[0] - errors[1]) == (8, 1)
    suite = totals[0].find("testsuite")
    assert (suite.get("tests"), suite.get("skipped")) == ("6", "2")


def test_junit_of_hostile_needs_can_be_read(hostile_plan):
    assert len(cases(hostile_plan)) == 8


def test_needs_are_no_reason_to_stop(planned, report):
    assert [stops(planned, choice) for choice in FAIL_ON] == [stops(report, choice) for choice in FAIL_ON]
