# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table for the terminal."""

from __future__ import annotations

import unicodedata

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.table import render_table


def columns(text):
    """What a terminal needs for a text without combining characters."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def big_fleet(make_certificate):
    usages = ["AccessEdgeExternal", "DataEdgeExternal", "AudioVideoAuthentication"]
    return [
        {
            "host": f"{name}.{'x' * 40}.contoso.com",
            "certificates": [
                make_certificate("東京エッジサーバー" * 6, "unsuitable", "ksp", assignments=usages),
                make_certificate("a" * 300, "undetermined", "unrecorded"),
            ],
            "problems": [{"origin": "o" * 300, "place": "漢字" * 90, "message": "m", "remedy": "r"}],
        }
        for name in ("edge-tokyo", "edge-osaka")
    ]


@pytest.mark.parametrize("width", [80, 81, 99, 120, 200])
@pytest.mark.parametrize("which", ["report", "hostile", "nothing", "big"])
def test_no_line_is_wider_than_the_terminal(width, which, request, make_report, make_certificate):
    report = make_report(big_fleet(make_certificate)) if which == "big" else request.getfixturevalue(which)
    for line in render_table(report, width).splitlines():
        assert columns(line) <= width
        assert line == line.rstrip()


@pytest.mark.parametrize(("asked", "given"), [(10, 80), (500, 200)])
def test_the_width_is_brought_into_its_bounds(asked, given, make_report, make_certificate):
    report = make_report(big_fleet(make_certificate))
    assert render_table(report, asked) == render_table(report, given)


def test_columns_are_aligned_for_wide_characters(report):
    lines = render_table(report, 120).splitlines()
    header = next(line for line in lines if line.startswith("Host "))
    start = header.index("Thumb")
    japanese = next(line for line in lines if "東京" in line)
    latin = next(line for line in lines if "cng.contoso" in line)
    thumbprints = [item.certificate["thumbprint"][:8] for item in report.items]
    assert columns(japanese[: japanese.index(thumbprints[3])]) == start
    assert columns(latin[: latin.index(thumbprints[1])]) == start


def test_each_certificate_has_one_line(report):
    text = render_table(report, 120)
    for item in report.items:
        (line,) = [line for line in text.splitlines() if item.certificate["thumbprint"][:8] in line]
        assert line.startswith(item.host)
    assert "fe01  UNSUITABLE    Software KSP      cng.contoso.com" in text
    assert "Default, WebServicesInternal" in text


def test_the_line_names_the_steps_below(report):
    lines = render_table(report, 120).splitlines()
    line = next(line for line in lines if "cng.contoso" in line)
    number = line.split()[-1]
    assert f" {number}. Request a certificate from a CSP template. (2 certificates; fe01, fe02)" in lines


def test_uses_that_do_not_fit_are_counted(make_report, make_certificate):
    uses = ["Default", "WebServicesInternal", "WebServicesExternal"]
    hosts = [{"host": "h" * 30, "certificates": [make_certificate("c" * 60, assignments=uses)]}]
    assert "Default +2" in render_table(make_report(hosts), 86)


def test_domains_give_way_before_hosts_are_cut(make_report, make_certificate):
    hosts = [
        {"host": f"{name}.corp.contoso.com", "certificates": [make_certificate("c" * 60)]} for name in ("a1", "a2")
    ]
    text = render_table(make_report(hosts), 80)
    assert "\na1  " in text
    assert "\na2  " in text
    hosts[1]["host"] = "a1.fabrikam.com"
    assert "\na1  " not in render_table(make_report(hosts), 80)


def test_hosts_without_result_problems_and_totals_are_told(report):
    lines = render_table(report, 120).splitlines()
    assert "edge01  UNREACHABLE  The port is closed. Open it." in lines
    assert "med01  FAILED  Access is denied. Use an administrator." in lines
    assert "linux01  SKIPPED  Not a Windows host." in lines
    assert "empty01  no certificates  store My" in lines
    assert any(line.startswith("fe02  PROBLEM  HKLM\\...\\0123, offset 12: The blob is damaged.") for line in lines)
    assert " ".join(lines[-2:]) == (
        "5 certificates on 6 hosts: 2 unsuitable, 1 undetermined, 1 warning, 1 suitable, 1 problem, "
        "2 hosts without result, 1 host skipped"
    )


def test_nothing_reaches_the_terminal_but_text(hostile):
    text = render_table(hostile, 100)
    assert not [
        character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Cs") and character != "\n"
    ]
    text.encode("utf-8")


def test_of_very_many_certificates_each_host_shows_its_worst(make_report, make_certificate):
    hosts = [
        {
            "host": host,
            "certificates": [
                make_certificate(f"{host}-{status}-{number}", status)
                for number in range(90)
                for status in ("suitable", "unsuitable", "warning")
            ],
        }
        for host in ("a", "b")
    ]
    text = render_table(make_report(hosts), 120)
    assert (text.count("\na     UNSUITABLE"), text.count("\nb     UNSUITABLE")) == (90, 90)
    assert (text.count("\na     WARNING"), text.count("\nb     WARNING")) == (10, 10)
    assert "\na  170 certificates left out here, all in the reports: 80 warning, 90 suitable\n" in text
    assert text.rstrip().endswith(
        "540 certificates on 2 hosts: 180 unsuitable, 0 undetermined, 180 warning, 180 suitable"
    )


def test_profiles_that_differ_are_told_with_their_hosts(make_report, make_certificate):
    hosts = [
        {"host": "fe01", "profile": "lync_2013", "certificates": [make_certificate()]},
        {"host": "edge01", "profile": "lync_2010", "certificates": [make_certificate()]},
        {"host": "fe02", "profile": "lync_2013", "certificates": [make_certificate()]},
    ]
    assert render_table(make_report(hosts), 120).splitlines()[1:3] == ["lync_2013: fe01, fe02", "lync_2010: edge01"]
