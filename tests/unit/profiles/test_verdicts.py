# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole stores, requests, and how a verdict follows from the results."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.judge import judge, judge_all, judge_request
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.verdict import (
    RequirementResult,
    overall_status,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import (
    Certificate,
    Details,
    Key,
    PublicKey,
    Request,
    Source,
)

AT = datetime(2026, 6, 1, 12, 0, tzinfo=timezone.utc)
SERVER = "1.3.6.1.5.5.7.3.1"
CLIENT = "1.3.6.1.5.5.7.3.2"

SCHANNEL = Key("csp", "Microsoft RSA SChannel Cryptographic Provider", 12, key_spec=1, flags=0x20)
STRONG = Key("csp", "Microsoft Strong Cryptographic Provider", 1, key_spec=1, flags=0x20)
SOFTWARE_KSP = Key("ksp", "Microsoft Software Key Storage Provider", 0, key_spec=0, flags=0x20)

DETAILS = Details(
    public_key=PublicKey("RSA", 2048),
    signature_algorithm="sha256WithRSAEncryption",
    signature_oid="1.2.840.113549.1.1.11",
    signature_hash="SHA256",
    extended_key_usage=(SERVER,),
    crl_distribution_points=("http://pki.contoso.example/ca.crl",),
)

GOOD = Certificate(
    key=SCHANNEL,
    source=Source("blob", "fe01"),
    thumbprint="A" * 40,
    not_before=AT - timedelta(days=100),
    not_after=AT + timedelta(days=300),
    friendly_name="Lync Default",
    archived=False,
    details=DETAILS,
)


def verdict_on(certificate, profile="lync_2013"):
    return judge(certificate, load(profile), at=AT)


def result_of(verdict, name):
    return next((result for result in verdict.requirements if result.name == name), None)


def numbered(*friendly_names, origin="fe01"):
    return [
        replace(GOOD, thumbprint=f"{number:040X}", friendly_name=name, source=Source("blob", origin))
        for number, name in enumerate(friendly_names)
    ]


def friendly_name_statuses(certificates):
    verdicts = judge_all(certificates, load("lync_2013"), at=AT)
    return [result_of(verdict, "friendly_name").status for verdict in verdicts]


def test_a_friendly_name_used_twice_is_told_on_both():
    assert friendly_name_statuses(numbered("Web", "Default", "Web")) == ["warning", "met", "warning"]


def test_certificates_without_a_friendly_name_do_not_collide():
    assert friendly_name_statuses(numbered(None, None, "", "")) == ["met"] * 4


def test_the_same_friendly_name_on_two_hosts_does_not_collide():
    assert friendly_name_statuses(numbered("Web") + numbered("Web", origin="fe02")) == ["met", "met"]


def test_the_same_certificate_found_twice_does_not_collide_with_itself():
    assert friendly_name_statuses(numbered("Web") * 2) == ["met", "met"]


def test_certificates_without_a_thumbprint_still_collide():
    nameless = [replace(certificate, thumbprint=None) for certificate in numbered("Web", "Web")]
    assert friendly_name_statuses(nameless) == ["warning", "warning"]


def test_without_the_rest_of_the_store_the_friendly_name_is_left_out():
    assert result_of(verdict_on(GOOD), "friendly_name") is None


def test_judge_all_keeps_the_order_and_passes_the_assignments_on():
    short = replace(DETAILS, public_key=PublicKey("RSA", 1024))
    certificates = [
        replace(GOOD, details=short, thumbprint=f"{number:040X}", friendly_name=None) for number in range(2)
    ]
    verdicts = judge_all(
        certificates, load("sfb_2015"), at=AT, assignments={certificates[1].thumbprint: ["OAuthTokenIssuer"]}
    )
    assert [verdict.status for verdict in verdicts] == ["warning", "unsuitable"]
    assert judge_all([], load("sfb_2015"), at=AT) == []


def simple(name, status):
    return RequirementResult(name, status, "", None, None, None, "", "high")


@pytest.mark.parametrize(
    ("provider", "others", "status"),
    [
        ("met", ["met"], "suitable"),
        ("met", ["met", "warning"], "warning"),
        ("met", ["unknown"], "undetermined"),
        ("met", ["warning", "unknown"], "warning"),
        ("met", ["unknown", "warning", "unmet"], "unsuitable"),
        ("warning", ["unknown"], "warning"),
        ("unmet", ["unknown"], "unsuitable"),
        ("unknown", ["met"], "undetermined"),
        ("unknown", ["warning"], "undetermined"),
        ("unknown", ["unmet"], "unsuitable"),
    ],
)
def test_the_verdict_follows_from_the_results(provider, others, status):
    results = [simple("key_provider", provider), *(simple("validity", other) for other in others)]
    assert overall_status(results) == status
    assert overall_status(reversed(results)) == status


def test_nothing_judged_is_undetermined():
    assert overall_status([]) == "undetermined"


def test_a_verdict_looks_as_the_interface_says():
    assert verdict_on(replace(GOOD, key=STRONG)).as_dict()["requirements"][0] == {
        "name": "key_provider",
        "status": "warning",
        "expected": "Microsoft RSA SChannel Cryptographic Provider",
        "actual": "Microsoft Strong Cryptographic Provider (type 1, PROV_RSA_FULL)",
        "reason": result_of(verdict_on(replace(GOOD, key=STRONG)), "key_provider").reason,
        "remedy": result_of(verdict_on(replace(GOOD, key=STRONG)), "key_provider").remedy,
        "source": "field reports on Microsoft Strong Cryptographic Provider; nothing documented",
        "confidence": "low",
    }
    verdict = verdict_on(GOOD).as_dict()
    assert list(verdict) == ["profile", "status", "requirements"]
    assert (verdict["profile"], verdict["status"]) == ("lync_2013", "suitable")


REQUEST = Request(
    key=replace(SCHANNEL, flags=None),
    source=Source("csr", "fe01.req"),
    form="pkcs10",
    subject="CN=fe01.contoso.example",
    details=DETAILS,
)


def request_results(request, profile="lync_2013"):
    verdict = judge_request(request, load(profile), at=AT)
    return verdict.status, {result.name: result.status for result in verdict.requirements}


def test_a_request_is_judged_by_what_it_can_answer():
    assert request_results(REQUEST) == (
        "suitable",
        {
            "key_provider": "met",
            "key_algorithm": "met",
            "key_size": "met",
            "enhanced_key_usage": "met",
            "key_spec": "met",
        },
    )


def test_a_request_for_a_ksp_key_is_unsuitable():
    status, results = request_results(replace(REQUEST, key=replace(SOFTWARE_KSP, flags=None)))
    assert (status, results["key_provider"]) == ("unsuitable", "unmet")


def test_a_request_that_names_no_provider_says_so():
    verdict = judge_request(replace(REQUEST, key=Key()), load("lync_2013"), at=AT)
    assert verdict.status == "undetermined"
    assert "The request names no key provider" in result_of(verdict, "key_provider").reason
    assert result_of(verdict, "key_spec") is None


def test_a_request_leaves_the_usage_to_the_template_unless_it_names_one():
    status, results = request_results(replace(REQUEST, details=replace(DETAILS, extended_key_usage=None)))
    assert (status, "enhanced_key_usage" in results) == ("suitable", False)
    status, results = request_results(replace(REQUEST, details=replace(DETAILS, extended_key_usage=(CLIENT,))))
    assert (status, results["enhanced_key_usage"]) == ("unsuitable", "unmet")


@pytest.mark.parametrize(
    ("oid", "digest"), [("1.2.840.113549.1.1.10", "SHA256"), ("1.2.840.113549.1.1.4", "MD5")], ids=["pss", "md5"]
)
def test_a_request_signed_in_a_way_that_foretells_trouble_is_warned_of(oid, digest):
    details = replace(DETAILS, signature_oid=oid, signature_hash=digest)
    status, results = request_results(replace(REQUEST, details=details))
    assert (status, results["signature_algorithm"]) == ("warning", "warning")


def test_a_request_that_shows_no_details_is_not_suitable():
    status, results = request_results(replace(REQUEST, details=None))
    assert (status, results["key_size"]) == ("undetermined", "unknown")
    assert "enhanced_key_usage" not in results
