# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit as all reports see it, its counts, and what stops a pipeline."""

from __future__ import annotations

from datetime import datetime

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.gate import stops
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.steps import (
    MOST_REASONS,
    SEE_TABLE,
    groups,
    steps,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.summary import summary
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.wording import (
    asides,
    certificate_name,
    headline,
    key_spec_text,
    provider_type_text,
    short_provider,
)


def test_summary_counts_verdicts_and_kinds(report):
    assert report.counts() == {
        "total": 5,
        "suitable": 1,
        "warning": 1,
        "undetermined": 1,
        "unsuitable": 2,
        "by_kind": {"csp": 2, "ksp": 2, "unrecorded": 1, "contradictory": 0, "ambiguous": 0},
    }


@pytest.mark.parametrize("verdict", [None, {}, {"status": None}, {"status": "fine"}])
def test_a_certificate_without_a_known_verdict_is_undetermined(verdict, make_certificate, make_report):
    certificate = make_certificate(verdict=verdict)
    assert summary([certificate])["undetermined"] == 1
    (item,) = make_report([{"host": "a", "certificates": [certificate]}]).items
    assert item.status == "undetermined"
    assert item.findings[0].reason == "No requirement was judged for this certificate."


def test_a_naive_moment_is_refused(make_report):
    with pytest.raises(ValueError, match="no time zone"):
        make_report([], generated_at=datetime(2025, 1, 1))


def test_the_moment_is_told_in_utc(report):
    assert report.generated_at.isoformat() == "2025-11-22T12:24:00+00:00"


def test_a_host_with_an_unknown_status_counts_as_failed(make_report):
    (host,) = make_report([{"host": "a", "status": "sleepy"}]).without_result()
    assert host.status == "failed"
    assert "sleepy" in host.message


def test_a_host_that_failed_without_a_message_gets_one(make_report):
    (host,) = make_report([{"host": "a", "status": "unreachable"}]).hosts
    assert host.message == "No reason was reported."


def test_deciding_findings_come_first(make_report, make_certificate):
    unknown = {"name": "key_size", "status": "unknown", "reason": "Not shown."}
    warning = {"name": "validity", "status": "warning", "reason": "Ends soon."}
    verdict = {"status": "warning", "requirements": [unknown, warning]}
    (item,) = make_report([{"host": "a", "certificates": [make_certificate(verdict=verdict)]}]).items
    assert [finding.name for finding in item.findings] == ["validity", "key_size"]
    assert [finding.name for finding in item.deciding] == ["validity"]
    assert [finding.name for finding in item.further] == ["key_size"]


def test_steps_gather_what_one_remedy_mends(report):
    todo = steps(report)
    assert [(step.status, step.remedy) for step in todo] == [
        ("unsuitable", "Request a certificate from a CSP template."),
        ("undetermined", "Open the key."),
        ("undetermined", "Export it again."),
        ("warning", "Use a longer key."),
    ]
    assert todo[0].hosts() == ("fe01", "fe02")
    assert len(todo[0].items) == 2
    assert len(todo[2].troubles) == 1


def test_groups_put_the_worst_first_and_share_texts(report):
    found = groups(report)
    assert [(group.status, len(group.items)) for group in found] == [
        ("unsuitable", 2),
        ("undetermined", 1),
        ("warning", 1),
        ("suitable", 1),
    ]
    assert found[0].findings[0].reason == "The product cannot use a KSP. The key is in a KSP."


def _expired(make_certificate, days):
    requirement = {
        "name": "validity",
        "status": "unmet",
        "actual": days,
        "reason": f"It ended on {days}.",
        "remedy": "R",
    }
    return make_certificate(days, verdict={"status": "unsuitable", "requirements": [requirement]})


@pytest.mark.parametrize(
    ("count", "reason"),
    [(1, "It ended on day 0."), (2, "It ended on day 0 or day 1."), (9, f"It ended on {SEE_TABLE}.")],
)
def test_reasons_that_differ_by_what_was_found_are_told_once(count, reason, make_report, make_certificate):
    certificates = [_expired(make_certificate, f"day {number}") for number in range(count)]
    (group,) = groups(make_report([{"host": "a", "certificates": certificates}]))
    assert group.findings[0].reason == reason
    assert group.findings[0].remedy == "R"


@pytest.mark.parametrize(("count", "expected"), [(MOST_REASONS, MOST_REASONS), (MOST_REASONS + 1, 1)])
def test_reasons_of_their_own_make_groups_while_they_are_few(count, expected, make_report, make_certificate):
    certificates = [
        make_certificate(
            verdict={"status": "unsuitable", "requirements": [{"name": "a", "status": "unmet", "reason": f"R{number}"}]}
        )
        for number in range(count)
    ]
    found = groups(make_report([{"host": "a", "certificates": certificates}]))
    assert len(found) == expected
    assert found[0].findings[0].reason == ("R0" if expected > 1 else None)


@pytest.mark.parametrize(
    ("fail_on", "expected"),
    [
        ("never", ["edge01", "med01"]),
        ("unsuitable", ["cng", "東京", "edge01", "med01"]),
        ("undetermined", ["cng", "東京", "lost", "damaged", "edge01", "med01"]),
        ("warning", ["cng", "weak", "東京", "lost", "damaged", "edge01", "med01"]),
    ],
)
def test_what_stops_a_pipeline(fail_on, expected, report):
    told = " ".join(f"{host}: {causes}" for host, causes in stops(report, fail_on).items())
    found = [part for part in ("cng", "weak", "東京", "lost", "damaged", "edge01", "med01") if part in told]
    assert found == expected


@pytest.mark.parametrize(
    ("fail_on", "hosts"),
    [
        ("never", ["edge01", "med01"]),
        ("unsuitable", ["fe01", "fe02", "edge01", "med01"]),
        ("warning", ["fe01", "fe02", "edge01", "med01"]),
    ],
)
def test_which_hosts_a_play_must_fail(fail_on, hosts, report):
    told = stops(report, fail_on)
    assert list(told) == hosts
    assert told["med01"] == "No result (failed): Access is denied. Use an administrator."


def test_a_long_list_of_causes_is_cut_with_its_length_told(make_report, make_certificate):
    certificates = [make_certificate(f"c{number}.contoso.com", "unsuitable") for number in range(13)]
    told = stops(make_report([{"host": "a", "certificates": certificates}]), "unsuitable")["a"]
    assert told.count("is unsuitable") == 10
    assert told.endswith("And 3 more: see the reports.")


def test_an_unknown_choice_names_the_known_ones(report):
    with pytest.raises(ValueError, match="never, unsuitable, undetermined, warning"):
        stops(report, "sometimes")


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ("CN=fe01.contoso.com,O=Contoso", "fe01.contoso.com"),
        ("C=US, O=Contoso, CN=fe01.contoso.com", "fe01.contoso.com"),
        (r"CN=Contoso\, Ltd,O=x", "Contoso, Ltd"),
        (r"CN=M\C3\BCnchen\ ,C=DE", "München"),
        ('CN="Contoso, ""the"" CA", C=US', 'Contoso, "the" CA'),
        (r"O=Foo\, CN=evil,CN=real", "real"),
        ("CN=a+OU=b", "a"),
        ("O=Contoso", "san.contoso.com"),
        (None, "san.contoso.com"),
    ],
)
def test_the_name_of_a_certificate(subject, name):
    assert certificate_name({"subject": subject, "subject_alt_names": ["dns:san.contoso.com"]}) == name


def test_a_certificate_without_any_name():
    assert certificate_name({"subject": "O=Contoso"}) == "O=Contoso"
    assert certificate_name({}) == "(no subject)"


@pytest.mark.parametrize(
    ("provider", "kind", "short"),
    [
        ("Microsoft RSA SChannel Cryptographic Provider", "csp", "RSA SChannel CSP"),
        ("Microsoft Enhanced Cryptographic Provider v1.0", "csp", "Enhanced CSP v1.0"),
        ("Microsoft Software Key Storage Provider", "ksp", "Software KSP"),
        ("Microsoft Platform Crypto Provider", "ksp", "Platform Crypto Provider (KSP)"),
        ("Acme\nBox", "ambiguous", "Acme Box"),
        (None, "unrecorded", "none recorded"),
        (None, "csp", "unnamed (csp)"),
    ],
)
def test_short_provider_names(provider, kind, short):
    assert short_provider({"provider": provider, "kind": kind}) == short


def test_numbers_are_told_with_their_names():
    assert provider_type_text({"provider_type": 12}) == "12 PROV_RSA_SCHANNEL"
    assert provider_type_text({"provider_type": 0}) == "0 CNG"
    assert provider_type_text({"provider_type": 99}) == "99"
    assert provider_type_text(None) is None
    assert key_spec_text({"key_spec": 1}) == "1 AT_KEYEXCHANGE"
    assert key_spec_text({"key_spec": 0}) == "0"
    assert key_spec_text({}) is None


@pytest.mark.parametrize(
    ("statuses", "kind", "answer"),
    [
        ([], "csp", "No certificate was read."),
        (["suitable"], "csp", "Lync Server 2013 can use the one certificate that was read."),
        (
            ["suitable", "suitable", "warning"],
            "csp",
            "Lync Server 2013 can use all 3 certificates that were read, but 1 has a warning.",
        ),
        (["suitable", "undetermined"], "csp", "1 of 2 certificates could not be judged for Lync Server 2013."),
        (
            ["unsuitable", "unsuitable"],
            "ksp",
            "2 of 2 certificates cannot be used by Lync Server 2013: re-request or convert them.",
        ),
        (
            ["unsuitable", "suitable"],
            "csp",
            "1 of 2 certificates cannot be used by Lync Server 2013: see what to do for it.",
        ),
    ],
)
def test_the_headline_answers(statuses, kind, answer, make_report, make_certificate):
    certificates = [make_certificate(f"c{number}", status, kind) for number, status in enumerate(statuses)]
    assert headline(make_report([{"host": "a", "certificates": certificates}])) == answer


def test_the_asides_tell_what_the_headline_leaves_out(report):
    assert asides(report) == [
        "1 of the unsuitable certificates is in use now.",
        "2 of 6 hosts gave no result, so nothing is known about their certificates.",
        "1 of 6 hosts was skipped.",
        "1 problem came up while reading the evidence.",
    ]


def test_hosts_may_be_judged_by_different_profiles(make_report, make_certificate):
    report = make_report(
        [
            {"host": "edge", "profile": "lync_2010", "product": "Lync Server 2010", "certificates": []},
            {
                "host": "fe",
                "profile": "sfb_2019",
                "product": "Skype for Business Server 2019",
                "certificates": [make_certificate("cng", "unsuitable", "ksp")],
            },
            {"host": "off", "status": "unreachable"},
        ]
    )
    assert report.profiles == ("lync_2010", "sfb_2019")
    assert [host.profile for host in report.hosts] == ["lync_2010", "sfb_2019", None]
    assert headline(report) == (
        "1 of 1 certificate cannot be used by the product of their host: re-request or convert it."
    )


def test_the_results_tell_the_product_and_not_the_option(make_report):
    report = make_report([{"host": "a", "profile": "scom", "product": "Operations Manager"}])
    assert (report.profile, report.product, report.hosts[0].profile) == ("scom", "Operations Manager", "scom")


def test_without_any_result_the_option_tells_the_product(make_report):
    report = make_report([{"host": "a", "status": "unreachable"}])
    assert (report.profile, report.product) == ("lync_2013", "Lync Server 2013")


def test_the_same_reason_is_told_once(make_report, make_certificate):
    certificates = [make_certificate(f"c{number}", "unsuitable") for number in range(3)]
    told = stops(make_report([{"host": "a", "certificates": certificates}]), "unsuitable")["a"]
    assert told.count("The product cannot use a KSP") == 1
    assert told.count("is unsuitable for the same reason.") == 2
