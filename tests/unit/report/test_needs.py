# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report makes of the plans of the hosts, and of what is known of their pending requests."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.needs import PROGRESS, needs_summary
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.needs_input import with_needs

PENDING = {"default": {"status": "pending", "request_id": 7, "ca": "CA01\\CA", "reason": "It waits.", "csr_path": None}}


def joined(variables, *, entries=None, in_play=None, pending_register="pending"):
    """The entries of hosts with these variables."""
    names = list(variables)
    task_vars = {"hostvars": variables, "ansible_play_hosts": names if in_play is None else in_play}
    entries = entries or [{"host": name, "status": "ok", "certificates": [], "problems": []} for name in names]
    return with_needs(entries, task_vars, needs_register="plan", pending_register=pending_register)


def one(make_report, variables, **options):
    """The first host of a report of them."""
    return make_report(joined({"a": variables}, **options)).hosts[0]


def progress(host):
    return [need.progress for need in host.needs]


def test_a_need_is_pending_while_its_request_waits(make_report, make_need):
    plan = {"needs": [make_need("Default", state="request")]}
    (found,) = one(make_report, {"plan": plan, "pending": PENDING}).needs
    assert (found.progress, found.state) == ("pending", "request")
    assert (found.pending.request_id, found.pending.ca, found.pending.reason) == (7, "CA01\\CA", "It waits.")


@pytest.mark.parametrize("register", ["pending", None])
def test_the_pending_requests_are_read_where_they_are_asked_for(register, make_report, make_need):
    plan = {"needs": [make_need("Default", state="request")]}
    host = one(make_report, {"plan": plan, "pending": PENDING}, pending_register=register)
    assert progress(host) == ["pending" if register else "request"]


@pytest.mark.parametrize(
    ("state", "status"), [("satisfied", "pending"), ("assign", "pending"), ("request", "issued"), ("request", None)]
)
def test_what_was_remembered_of_a_request_that_is_answered_counts_for_nothing(state, status, make_report, make_need):
    variables = {"plan": {"needs": [make_need("Default", state=state)]}, "pending": {"default": {"status": status}}}
    assert progress(one(make_report, variables)) == [state]


@pytest.mark.parametrize("value", [17, "17", "", None, "none"])
def test_the_number_of_a_request_may_have_become_a_text(value, make_report, make_need):
    known = {"default": {"status": "pending", "request_id": value, "ca": ""}}
    (found,) = one(make_report, {"plan": {"needs": [make_need("Default", state="request")]}, "pending": known}).needs
    assert found.pending.request_id == (17 if str(value) == "17" else None)
    assert found.pending.ca is None


@pytest.mark.parametrize("variables", [{}, {"plan": None}, {"plan": {"skipped": True, "changed": False}}])
def test_of_a_host_without_a_plan_nothing_is_told(variables, make_report):
    host = one(make_report, variables)
    assert (host.needs, host.troubles, host.unplanned) == (None, (), False)


def test_a_host_that_needs_nothing_was_planned(make_report):
    host = one(make_report, {"plan": {"needs": []}})
    assert (host.needs, host.unplanned) == ((), False)


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ({"failed": True, "msg": "No Lync cmdlets."}, "The plan of the host was not made (failed): No Lync cmdlets."),
        ({"unreachable": True, "msg": "Gone."}, "The plan of the host was not made (unreachable): Gone."),
        ("text", "no result of lync_certificate_plan: it is a value of the type str"),
        ({"stdout": "x"}, "it has no 'needs'"),
        ({"needs": [5]}, "need 1 has no 'types'"),
        ({"needs": [{"types": "Default", "state": "request"}]}, "need 1 has no 'types'"),
        ({"needs": [{"types": ["Default"], "state": "done"}]}, "need 1 has the unknown state 'done'"),
        ({"needs": [{"types": ["Default"], "state": "waits", "reasons": "x"}]}, "the 'reasons' of need 1 are no list"),
    ],
)
def test_a_plan_that_cannot_be_read_is_a_problem_of_its_host(plan, told, make_report):
    host = one(make_report, {"plan": plan})
    assert (host.needs, host.unplanned) == (None, True)
    (trouble,) = host.troubles
    assert told in trouble.message


@pytest.mark.parametrize("known", ["text", ["default"], {"default": "text"}])
def test_pending_requests_that_cannot_be_read_are_a_problem_and_the_plan_is_shown(known, make_report, make_need):
    host = one(make_report, {"plan": {"needs": [make_need("Default", state="request")]}, "pending": known})
    assert progress(host) == ["request"]
    (trouble,) = host.troubles
    assert "'pending' of the host does not tell pending requests" in trouble.message


def test_a_host_that_left_the_play_is_told_to_be_out_of_date(make_report, make_need):
    variables = {"a": {"plan": {"needs": [make_need("Default")]}}, "b": {"plan": {"needs": []}}}
    first, second = make_report(joined(variables, in_play=["b"])).hosts
    assert progress(first) == ["satisfied"]
    assert [trouble.message for trouble in first.troubles] == [
        "The host left the play. What is told of it here was read before that."
    ]
    assert second.troubles == ()


def test_a_host_without_a_result_is_not_told_twice(make_report, make_need):
    entries = [{"host": "a", "status": "unreachable", "message": "Gone."}]
    host = one(make_report, {"plan": {"needs": [make_need("Default")]}}, entries=entries, in_play=[])
    assert (host.troubles, progress(host)) == ((), ["satisfied"])


@pytest.mark.parametrize(
    "variables", [{"failed": "Install: no space."}, {"plan": {"needs": []}, "failed": "Install: no space."}]
)
def test_a_step_that_failed_is_a_problem_of_its_host(variables):
    entries = [{"host": "fe01", "status": "ok", "certificates": [], "problems": []}]
    task_vars = {"hostvars": {"fe01": variables}, "ansible_play_batch": ["fe01"]}
    (host,) = with_needs(entries, task_vars, needs_register="plan", pending_register=None, failure_register="failed")
    assert [problem["message"] for problem in host["problems"]] == ["Install: no space."]


def test_problems_of_the_audit_stay(make_report):
    entries = [{"host": "a", "status": "ok", "problems": [{"message": "Damaged."}]}]
    host = one(make_report, {"plan": {"failed": True, "msg": "No."}}, entries=entries)
    assert [trouble.message for trouble in host.troubles] == [
        "Damaged.",
        "The plan of the host was not made (failed): No.",
    ]


def test_of_a_host_with_several_stores_the_needs_stand_once(make_report, make_need):
    entries = [{"host": "a", "status": "ok", "store": store} for store in ("My", "Root")]
    hosts = make_report(joined({"a": {"plan": {"needs": [make_need("Default")]}}}, entries=entries)).hosts
    assert [host.needs and len(host.needs) for host in hosts] == [1, None]


def test_needs_are_numbered_through_the_report(planned):
    assert [need.number for need in planned.needs] == list(range(1, 9))
    assert [need.host_number for need in planned.needs] == [1, 1, 1, 2, 2, 2, 2, 2]


def test_what_needs_a_person_comes_first(planned):
    assert [need.progress for need in planned.left()] == list(PROGRESS[:-1])


def test_needs_in_numbers(planned, report):
    assert needs_summary(planned.needs) == {"total": 8, **dict.fromkeys(PROGRESS, 1)}
    assert needs_summary(report.needs) == {"total": 0, **dict.fromkeys(PROGRESS, 0)}


def test_the_sentence_tells_what_is_left_and_what_is_not_known(planned, report, make_report, make_need):
    assert planned.needs_sentence() == (
        "7 of 8 certificates for Lync usages are not in place: 1 blocked, 1 pending, 1 waiting, 1 to request, 1 to "
        "convert, 1 to take over, 1 to assign."
    )
    assert report.needs_sentence() == ""
    good = {"plan": {"needs": [make_need("Default")]}}
    assert make_report(joined({"a": good})).needs_sentence() == "1 certificate for Lync usages: all in place."
    unknown = make_report(joined({"a": good, "b": {"plan": {"failed": True}}}))
    assert unknown.needs_sentence().endswith("all in place. Of 1 host nothing is known.")


def test_what_the_report_explains_at_the_certificate_is_told_by_what_was_found(planned):
    transfer = next(need for need in planned.needs if need.state == "transfer")
    assert transfer.told == (
        "key_provider: a KSP.",
        "The certificate is to be taken over from fe01 with its key.",
    )
    assert transfer.reasons == ("key_provider: The product cannot use a KSP. The key is in a KSP.",)


def moving(make_report, make_need, **changes):
    """The need of a host whose answer is a key that is moved."""
    values = {"current": "AA" * 20, "convert": "BB" * 20, "provider": "A CSP", "reasons": ["Old."], **changes}
    (found,) = one(make_report, {"plan": {"needs": [make_need("Default", **values)]}}).needs
    return found


def test_a_key_that_is_to_be_moved_is_told_with_its_certificate_and_where_to(make_report, make_need):
    other = moving(make_report, make_need, state="convert", repair="convert")
    same = moving(make_report, make_need, state="convert", repair="convert", convert="AA" * 20)
    assert other.told == ("Old.", "The key of BBBBBBBB is to be moved into A CSP.")
    assert (other.follows, other.target) == ("BB" * 20, "")
    assert (same.follows, same.target) == (None, "the same with its key moved")


def test_a_key_that_is_moved_when_nothing_can_be_requested_is_told_behind_the_request(make_report, make_need):
    need = moving(make_report, make_need, state="request", repair="request_or_convert")
    assert need.told == (
        "Old.",
        "A new certificate is to be requested.",
        "When none can be requested, the key of BBBBBBBB is to be moved into A CSP.",
    )
    assert (need.follows, need.target) == (None, "a new one")


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (
            {"request_id": 7, "ca": "CA01\\CA", "reason": "It waits."},
            ("Request 7 is at CA01\\CA.", "It waits."),
        ),
        (
            {"request_id": 7, "ca": "CA01\\CA", "reason": "Request 7 waits at CA01\\CA."},
            ("Request 7 waits at CA01\\CA.",),
        ),
        ({"ca": "CA01\\CA", "reason": "It waits."}, ("The request is at CA01\\CA.", "It waits.")),
        ({}, ("The request waits for its CA; the run after the answer goes on.",)),
        (
            {"reason": "No file holds it.", "csr_path": "/requests/a.csr"},
            ("No file holds it.", "The next run takes the answer of the CA from the directory of the request."),
        ),
    ],
)
def test_a_pending_request_is_told_once(known, told, make_report, make_need):
    variables = {
        "plan": {"needs": [make_need("Default", state="request", reasons=["Old."])]},
        "pending": {"default": {"status": "pending", **known}},
    }
    (found,) = one(make_report, variables).needs
    assert found.told == told
