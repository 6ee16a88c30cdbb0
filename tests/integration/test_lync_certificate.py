# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates assigned to Lync and requested by Lync itself, and what Lync or this collection refuses."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from crash_sweep import AUTHORITY, ISSUED, SCENARIO, SCHANNEL
from lab.runtime import Lab

CONFIG = f"ca01.contoso.example\\{AUTHORITY}"
PENDING = 9
MORE = """\
  - name: fe03
    roles: [lync_frontends]
    lync: {version: 2013, pool: pool01.contoso.example, roles: [Registrar]}
    stores: &stores
      My:
        - {id: good, subject: CN=pool01.contoso.example, friendly_name: good, assigned: [Default, WebServicesInternal]}
        - {id: storage, subject: CN=pool01.contoso.example, friendly_name: storage, key: {holder: cng}}
        - {id: next, subject: CN=pool01.contoso.example, friendly_name: next}
        - {id: oauth, subject: CN=contoso.example, friendly_name: oauth, key: {exportable: true}}
  - name: fe2010
    roles: [lync_frontends]
    lync: {version: 2010, pool: pool01.contoso.example, roles: [Registrar]}
    powershell: "2.0"
    stores: *stores
  - name: weak
    roles: [lync_frontends]
    accounts: {Administrator: {password: Lab-Pass-2026!, administrator: true, lync_administrator: false}}
    lync: {version: 2013, pool: pool01.contoso.example, roles: [Registrar]}
    stores: *stores
  - name: plain
    roles: [others]
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    path = tmp_path_factory.mktemp("lync") / "scenario.yml"
    path.write_text(SCENARIO.read_text("utf-8").rstrip() + "\n" + MORE, encoding="utf-8")
    with Lab.from_scenario(path) as running:
        yield running


def thumbprint(lab, host, identifier):
    stored = next(one for one in lab.machine(host).store("My")[1] if one.identifier == identifier)
    return stored.issued.thumbprint


def assign(thumb, *types, **more):
    return {"lync_certificate": {"types": list(types or ("Default",)), "thumbprint": thumb, **more}}


def assigning(said, **values):
    return "lync_certificate", {"types": ["Default"], "thumbprint": "{{ good }}", **values}, said


def requesting(said, **values):
    return "lync_certificate_request", {"types": ["Default"], "ca": CONFIG, "template": "LyncApproved", **values}, said


def planning(said, **request):
    return "lync_certificate_plan", {"requests": [{"types": ["Default"], **request}]}, said


BAD = [
    assigning("'Defaults' is no certificate type", types=["Defaults"]),
    assigning("is no certificate type", types=["Default; Remove-Item C:\\"]),
    assigning("is no certificate type", types=["Default','Internal"]),
    assigning("is no certificate type", types=["Default\nInternal"]),
    assigning("No certificate type is named", types=[]),
    assigning("40 hexadecimal digits", thumbprint="A'; calc #"),
    assigning("has no certificate " + "A" * 40, thumbprint="A" * 40),
    assigning("cannot be assigned globally", identity="global"),
    assigning("must be one of: global", identity="site:1"),
    assigning("nothing to roll to", roll=True),
    assigning("has no zone", effective_date="2036-07-31T06:00:00"),
    assigning("is not a date", effective_date="tomorrow"),
    assigning("has passed", effective_date="2020-01-01T00:00:00Z", types=["WebServicesExternal"]),
    assigning("before the date", effective_date="2099-01-01T00:00:00Z"),
    requesting("is no certificate type", types=["x"]),
    requesting("does not name a CA", ca="ca01.contoso.example"),
    requesting("does not name a CA", ca='ca01\\CA"; calc'),
    requesting("does not name a CA", ca="ca01\\CA\nb"),
    requesting("is not the name of a certificate template", template="$(calc)"),
    requesting("is not the name of a certificate template", template="a\nb"),
    requesting("takes a template by its name", template="1.3.6.1.4.1.311.21.8.1.2.3"),
    requesting("cannot be a friendly name", friendly_name="a\nb"),
    requesting("is not a DNS name", domain_names=["a.example,b.example"]),
    requesting("is not a DNS name", domain_names=["$(calc).example"]),
    requesting("makes no key of 3072 bits", key_length=3072),
    requesting("The CA does not issue this template", template="NoSuchTemplate"),
    requesting("the double hop", ca="nowhere.contoso.example\\No CA", template="LyncWebServer"),
    planning("lack that of the pool, pool01", subject="CN=x.example", subject_alt_names=["x.example"]),
    planning("the request for Default, the option 'subject_alt_names'", subject_alt_names=["a&dns=b.example"]),
    planning("the request for Default, the option 'subject'", subject='CN="x"'),
    planning("the request for Default, the option 'template'", template="a\\nSAN:dns=b.example"),
    planning("'Defaults' is no certificate type", types=["Defaults"]),
    planning("names no subject", types=["XmppServer"]),
]


def snapshot(lab, host):
    machine = lab.machine(host)
    names = [stored.key_name for name in ("My", "REQUEST") for stored in machine.store(name)[1]]
    return machine.lync.assignments, names, [container.name for container in machine.containers]


@pytest.fixture(scope="module")
def refused(lab, new_controller):
    """The results of all bad values, and what the server had before and after."""
    before = snapshot(lab, "fe03")
    good = thumbprint(lab, "fe03", "next")
    tasks = [{module: arguments} for module, arguments, _said in BAD]
    results = new_controller().tasks(lab, "fe03", tasks, "-e", f"good={good}")
    return results, before, snapshot(lab, "fe03"), list(lab.authority(AUTHORITY).rows)


@pytest.mark.parametrize("number", range(len(BAD)), ids=[f"{case[0]}-{case[2]}" for case in BAD])
def test_a_bad_value_is_refused_by_name(refused, number):
    result = refused[0][number]
    assert result["failed"]
    assert not result["changed"]
    assert BAD[number][2] in result["msg"]
    assert len(result["msg"]) < 1300


def test_nothing_is_left_of_what_was_refused(refused):
    _results, before, after, requests = refused
    assert after == before
    assert requests == []


@pytest.fixture(scope="module")
def assigned(lab, new_controller, refused):
    """What came of a storage key, of a good certificate (planned, assigned, again), and of one from a date on."""
    good, storage, later = (thumbprint(lab, "fe03", one) for one in ("good", "storage", "next"))
    date = (datetime.now(timezone.utc) + timedelta(days=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rolled = assign(good, "Default", roll=True, effective_date=date)
    both = assign(later, "Default", "WebServicesInternal")
    tasks = [assign(storage), {**both, "check_mode": True, "diff": True}, both, both, rolled, rolled]
    return new_controller().tasks(lab, "fe03", tasks), (good, storage, later, date)


def test_a_storage_key_is_refused_by_lync_and_the_old_assignment_is_proven(lab, assigned):
    (failed, *_others), (good, storage, _later, _date) = assigned
    for part in (
        f"Lync did not assign certificate {storage} to Default on fe03",
        "a key storage provider, CNG",
        "The buffer supplied to a function was too small",
        f"Default is still assigned to {good}",
        f"Request the certificate anew with a key in '{SCHANNEL}'",
    ):
        assert part in failed["msg"]
    report = failed["msg"].partition('can be found at "')[2].partition('"')[0]
    assert report in lab.machine("fe03").files


def test_a_good_certificate_is_planned_and_assigned_once(assigned):
    (_failed, planned, done, again, *_rolled), (good, _storage, later, _date) = assigned
    assert (planned["changed"], done["changed"], again["changed"]) == (True, True, False)
    for result in (planned, done):
        assert [one["thumbprint"] for one in result["before"]] == [good, good]
        assert [one["thumbprint"] for one in result["after"]] == [later, later]
    [difference] = planned["diff"]
    assert difference["before"] == f"Default: {good}\nWebServicesInternal: {good}\n"
    assert difference["after"] == f"Default: {later}\nWebServicesInternal: {later}\n"


def test_a_certificate_can_be_staged_for_a_date(lab, assigned):
    *_others, rolled, again = assigned[0]
    good, _storage, later, date = assigned[1]
    [staged] = rolled["after"]
    assert (staged["thumbprint"], staged["previous_thumbprint"], staged["effective_date"]) == (good, later, date)
    assert (rolled["changed"], again["changed"]) == (True, False)
    assert lab.deployment.journal.violations == []


def test_a_global_certificate_comes_to_all_servers(lab, controller):
    fixed, new = thumbprint(lab, "fe03", "next"), thumbprint(lab, "fe03", "oauth")
    old = dict(lab.machine("fe01").lync.assignments)["OAuthTokenIssuer"]
    tasks = [
        assign(one, "OAuthTokenIssuer", **more)
        for one, more in ((fixed, {"identity": "global"}), (new, {}), (new, {"identity": "global"}))
    ]
    refused, done, again = controller.tasks(lab, "fe03", tasks)
    assert f"OAuthTokenIssuer is still assigned to {old} (global)" in refused["msg"]
    assert "has to be exportable" in refused["msg"]
    assert (done["changed"], again["changed"]) == (True, False)
    assert [(one["thumbprint"], one["identity"]) for one in done["after"]] == [(new, "global")]
    assert dict(lab.machine("fe01").lync.assignments)["OAuthTokenIssuer"] == new


def test_lync_2010_is_not_asked_for_what_it_does_not_know(lab, controller):
    new = thumbprint(lab, "fe2010", "next")
    before = lab.machine("fe2010").lync.assignments
    *refused, done = controller.tasks(
        lab,
        "fe2010",
        [
            assign(new, "OAuthTokenIssuer", identity="global"),
            assign(new, effective_date="2027-07-31T06:00:00Z"),
            assign(new, roll=True, effective_date="2027-07-31T06:00:00Z"),
            assign(new),
        ],
    )
    for result, parameters in zip(refused, ("-Identity", "-EffectiveDate", "-EffectiveDate, -Roll"), strict=True):
        assert f"does not know {parameters}. Nothing was changed." in result["msg"]
        assert "Lync Server 2010" in result["msg"]
    assert [one["before"] for one in refused if "before" in one] == []
    assert dict(before)["Default"] == done["before"][0]["thumbprint"]
    assert done["after"][0]["thumbprint"] == new


def test_who_may_not_administer_lync_is_told_so(lab, controller):
    before = snapshot(lab, "weak")
    new = thumbprint(lab, "weak", "next")
    tasks = [
        {"lync_certificate_info": {}},
        {"lync_certificate_plan": {}},
        assign(new),
        {"lync_certificate_request": {"types": ["Default"], "ca": CONFIG}},
        {"certificate_install": {"thumbprint": thumbprint(lab, "weak", "good"), "state": "absent"}},
    ]
    for result in controller.tasks(lab, "weak", tasks):
        assert "Access is denied" in result["msg"]
        assert "RTCUniversalServerAdmins" in result["msg"]
    assert snapshot(lab, "weak") == before


def test_a_host_without_lync_is_told_so(lab, controller):
    tasks = [{"lync_certificate_info": {}}, assign("A" * 40)]
    for result in controller.tasks(lab, "plain", tasks):
        assert "plain has neither the PowerShell module Lync nor SkypeForBusiness" in result["msg"]


def test_what_lync_requests_from_a_template_for_storage_keys_is_refused_and_named(lab, controller):
    before = snapshot(lab, "fe02")
    request = {"lync_certificate_request": {"types": ["Default"], "ca": CONFIG, "template": "LyncWebServer"}}
    [result] = controller.tasks(lab, "fe02", [request])
    after = snapshot(lab, "fe02")
    [left] = set(after[1]) - set(before[1])
    for part in (f"certificate {left}", "It was not assigned", "Make the template one for legacy providers"):
        assert part in result["msg"]
    assert "'LyncWebServer'" in result["msg"]
    assert after[0] == before[0]


def test_what_lync_requests_may_wait_for_a_manager_and_is_not_requested_again(lab, controller):
    authority = lab.authority(AUTHORITY)
    known = len(authority.rows)
    request = {
        "lync_certificate_request": {
            "types": ["Internal"],
            "ca": CONFIG,
            "template": "LyncApproved",
            "domain_names": ["edge.contoso.example"],
        }
    }
    planned, first, second = controller.tasks(lab, "edge01", [{**request, "check_mode": True}, request, request])
    assert (planned["changed"], planned["status"]) == (True, None)
    assert (first["changed"], first["status"]) == (True, "pending")
    assert (second["changed"], second["status"]) == (False, "pending")
    assert [row.disposition for row in authority.rows[known:]] == [PENDING]
    authority.approve(authority.rows[-1].request_id)
    [done] = controller.tasks(lab, "edge01", [request])
    assert (done["changed"], done["status"]) == (True, "issued")
    assert done["key"]["provider"] == SCHANNEL
    assert lab.machine("edge01").find(done["thumbprint"])
    assert [row.disposition for row in authority.rows[known:]] == [ISSUED]
