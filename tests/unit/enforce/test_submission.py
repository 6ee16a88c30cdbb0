# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Submitting a request: which script is run in which state, what becomes of it, and that none is submitted twice."""

from __future__ import annotations

import contextlib
import ssl
from datetime import timedelta

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.submission import submit_request
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.errors import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.submission import SubmissionOrder
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import HostError
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.enforce.ca_host import (
    CA,
    CERTIFICATE,
    CONFIG,
    CSR,
    NOW,
    POOL,
    RPC_DOWN,
    SAVED,
    Host,
    armoured,
    make_certificate,
    make_request,
)

LONG_OID = "1.3.6.1.4.1.311.21.8.10183246.7735162.4019331.11892735.15550294.73.6629174.12805611"
"""Of the length that Windows gives the OIDs of new templates."""


def run(host, *, check=False, at=NOW, pause=lambda seconds: None, **options):
    order = SubmissionOrder(**{"csr": armoured(CSR, "NEW CERTIFICATE REQUEST"), "template": "LyncWeb", **options})
    return submit_request(host, "ca1", order, check=check, at=at, pause=pause)


def failure(host, **options):
    with pytest.raises((HostError, EnrolmentError)) as caught:
        run(host, **options)
    assert caught.value.remedy
    assert "ca1" in caught.value.place or "option" in caught.value.place
    return caught.value


def test_a_new_request_is_submitted_and_its_certificate_returned():
    host = Host()
    result = run(host)
    assert host.asked == ["read", "submit"]
    assert (result["status"], result["changed"], result["request_id"]) == ("issued", True, 7)
    assert ssl.PEM_cert_to_DER_cert(result["certificate"]) == CERTIFICATE
    assert [ssl.PEM_cert_to_DER_cert(issuer) for issuer in result["chain"]] == [CA]
    assert (result["ca"], result["saved"], result["hresult"]) == (CONFIG, SAVED, None)
    assert result["diff"][0]["before"] == "status: not_submitted\n"


def test_what_is_issued_is_returned_again_from_what_is_kept():
    host = Host()
    first = run(host)
    second = run(host)
    assert host.asked[2:] == ["read"]
    assert second["changed"] is False
    for same in ("status", "request_id", "certificate", "chain", "ca", "saved"):
        assert first[same] == second[same]
    assert len(host.rows) == 1


def test_a_pending_request_is_retrieved_and_never_submitted_again():
    host = Host(policy="pend")
    assert run(host)["status"] == "pending"
    again = run(host)
    assert (again["status"], again["changed"], again["request_id"]) == ("pending", False, 7)
    host.rows[0].disposition = 20
    result = run(host)
    assert (result["status"], result["changed"], result["request_id"]) == ("issued", True, 7)
    assert run(host)["changed"] is False
    assert host.asked == ["read", "submit", "read", "retrieve", "read", "retrieve", "read"]
    assert len(host.rows) == 1


def test_a_denial_is_told_with_its_code_and_what_helps():
    host = Host(policy="deny")
    result = run(host)
    assert (result["status"], result["hresult"], result["request_id"]) == ("denied", "0x80094014", 7)
    assert "CONTOSO\\manager" in result["reason"]
    assert "CERTSRV_E_ADMIN_DENIED_REQUEST" in result["reason"]
    assert result["remedy"]
    assert result["certificate"] is None


def test_a_denied_request_is_submitted_anew():
    host = Host(policy="deny")
    assert [run(host)["changed"] for number in range(2)] == [True, True]
    host.policy = "issue"
    assert run(host)["status"] == "issued"
    assert host.asked == ["read", "submit"] * 3


def test_a_pending_request_that_a_manager_denied_is_told_and_then_submitted_anew():
    host = Host(policy="pend")
    run(host)
    host.rows[0].disposition = 31
    denied = run(host)
    assert (denied["status"], denied["changed"], denied["hresult"]) == ("denied", True, "0x80094014")
    assert run(host)["status"] == "pending"
    assert host.asked[-1] == "submit"


@pytest.mark.parametrize("code", [0x80094012, 0x80094800, 0x80094811])
def test_a_denial_without_a_response_file_is_one_too(code):
    host = Host(policy=code)
    result = run(host)
    assert (result["status"], result["hresult"], result["saved"]) == ("denied", f"0x{code:08x}", None)
    assert host.files is None
    assert host.asked == ["read", "submit", "remove"]


@pytest.mark.parametrize("code", [0x800706BA, 0x800706BF, 0x80070005, 0x800704DC, 0x80094011])
def test_where_nothing_was_submitted_the_next_run_submits(code):
    host = Host(policy=code)
    error = failure(host)
    assert f"0x{code:08x}" in error.message
    assert "Nothing was submitted" in error.message
    assert host.files is None
    host.policy = "issue"
    assert run(host)["status"] == "issued"


@pytest.mark.parametrize("code", [0x80070005, 0x800704DC])
def test_access_denied_explains_the_double_hop(code):
    remedy = failure(Host(policy=code)).remedy
    for words in ("double hop", "delegate_to", "CredSSP", "admin_force_machine"):
        assert words in remedy
    assert "administrator" in failure(Host(policy=code), admin_force_machine=True).remedy


@pytest.mark.parametrize("code", [0x80070050, 0x80070070, 0x800706BE, 0x80041234])
def test_a_failure_with_an_unknown_outcome_is_looked_up_next_time(code):
    host = Host(policy=code)
    assert "not known" in failure(host).message
    assert host.files is not None
    host.add(20)
    host.policy = "issue"
    assert run(host)["status"] == "issued"
    assert host.asked == ["read", "submit", "read", "view", "retrieve"]
    assert len(host.rows) == 1


def test_success_without_a_response_file_is_none():
    host = Host()
    host.without_response = True
    assert "no response file" in failure(host).message
    host.without_response = False
    assert run(host)["status"] == "issued"
    assert len(host.rows) == 1


@pytest.mark.parametrize(
    ("dispositions", "expected", "number"),
    [
        ([], "submit", None),
        ([30, 31], "submit", None),
        ([21], "submit", None),
        ([9], "retrieve", 7),
        ([20], "retrieve", 7),
        ([31, 20, 9], "retrieve", 8),
        ([20, 20], "retrieve", 8),
    ],
)
def test_a_submission_that_was_cut_is_looked_up_in_the_database(dispositions, expected, number):
    host = Host()
    host.files = {"request.req": b"", "ca.txt": CONFIG.encode()}
    for disposition in dispositions:
        host.add(disposition)
    host.add(20, make_request("somebody else"))
    result = run(host)
    assert host.asked == ["read", "view", expected]
    if number:
        assert result["request_id"] == number


def test_a_damaged_response_counts_as_none():
    host = Host()
    host.files = {"response.rsp": b"garbage", "ca.txt": CONFIG.encode()}
    host.add(20)
    assert run(host)["status"] == "issued"
    assert host.asked == ["read", "view", "retrieve"]


def test_where_the_database_cannot_be_read_nothing_is_submitted():
    host = Host()
    host.files = {}
    host.may_view = False
    error = failure(host)
    assert host.asked == ["read", "view"]
    assert "E_ACCESSDENIED" in error.message
    assert "resubmit: true" in error.remedy
    assert run(host, resubmit=True)["status"] == "issued"


def test_a_request_without_a_plain_common_name_cannot_be_looked_up():
    host = Host()
    host.files = {}
    strange = make_request(common_name="a,Disposition=20")
    error = failure(host, csr=armoured(strange, "CERTIFICATE REQUEST"))
    assert "resubmit" in error.remedy
    assert host.asked == ["read"]


def test_a_garbage_response_is_kept_and_not_submitted_again():
    host = Host()
    host.answer = lambda row, name: host.files.update({name: b"garbage"}) or 0
    assert "not submitted again" in failure(host).message
    assert failure(host)
    assert host.asked == ["read", "submit", "read", "view", "retrieve"]
    assert len(host.rows) == 1


def test_a_certificate_for_another_key_is_refused():
    host = Host()
    host.certificate = make_certificate("other")
    for step in ("submit", "view"):
        error = failure(host)
        assert host.asked[-1] == step or host.asked[-2] == step
        assert "public key" in error.message
        assert SAVED in error.message
    assert len(host.rows) == 1


def test_a_certificate_without_the_names_is_refused_each_time():
    host = Host()
    host.certificate = make_certificate(subject="other.contoso.example")
    assert POOL in failure(host).message
    assert POOL in failure(host).message
    assert host.asked == ["read", "submit", "read"]


def test_a_certificate_from_the_future_is_refused():
    host = Host()
    host.certificate = make_certificate(begin=NOW + timedelta(hours=1))
    assert "not valid yet" in failure(host).message
    assert run(host, at=NOW + timedelta(hours=2))["status"] == "issued"
    assert len(host.rows) == 1


def test_waiting_asks_again_until_a_manager_approves():
    host = Host(policy="pend")
    host.certificate = make_certificate(begin=NOW + timedelta(seconds=60))
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            host.rows[0].disposition = 20

    result = run(host, wait=100, poll=30, pause=pause)
    assert result["status"] == "issued"
    assert pauses == [30, 30, 30]
    assert host.asked == ["read", "submit", "retrieve", "retrieve", "retrieve"]


def test_waiting_ends_and_the_request_stays_pending():
    pauses = []
    result = run(Host(policy="pend"), wait=70, poll=30, pause=pauses.append)
    assert (result["status"], result["changed"], pauses) == ("pending", True, [30, 30, 10])


def test_the_time_that_was_waited_counts_for_the_clock():
    host = Host(policy="pend")
    host.certificate = make_certificate(begin=NOW + timedelta(seconds=900))

    def pause(seconds):
        host.rows[0].disposition = 20

    assert run(host, wait=1800, poll=1200, pause=pause)["status"] == "issued"


def test_a_request_made_elsewhere_is_retrieved_by_its_id():
    host = Host()
    host.add(20)
    result = run(host, request_id=7)
    assert (result["status"], result["changed"], result["request_id"]) == ("issued", True, 7)
    assert run(host, request_id=7)["changed"] is False
    assert host.asked == ["read", "retrieve", "read"]


def test_an_id_of_another_request_is_refused_and_leaves_nothing():
    host = Host()
    host.certificate = make_certificate("other")
    host.add(20, make_request("other"))
    assert "another key" in failure(host, request_id=7).message
    assert host.files is None


def test_an_unknown_id_is_told():
    error = failure(Host(), request_id=99)
    assert "CERTSRV_E_PROPERTY_EMPTY" in error.message
    assert "request_id" in error.remedy


def test_a_ca_that_is_down_leaves_a_pending_request_as_it_is():
    host = Host(policy="pend")
    run(host)
    host.policy = RPC_DOWN
    assert "RPC_S_SERVER_UNAVAILABLE" in failure(host).message
    host.policy = "pend"
    assert run(host)["status"] == "pending"
    assert len(host.rows) == 1


@pytest.mark.parametrize("policy", ["issue", "pend", "deny"])
def test_check_mode_submits_nothing(policy):
    host = Host(policy=policy)
    result = run(host, check=True)
    assert (result["status"], result["changed"], result["certificate"]) == ("not_submitted", True, None)
    run(host)
    before = [*host.rows], {**host.files}
    again = run(host, check=True)
    assert host.asked == ["read", "read", "submit", "read"]
    assert again["changed"] is (policy == "deny")
    assert again["status"] == {"issue": "issued", "pend": "pending", "deny": "not_submitted"}[policy]
    assert before == ([*host.rows], host.files)


@pytest.mark.parametrize(("dispositions", "status"), [([], "not_submitted"), ([9], "pending"), ([20], "issued")])
def test_check_mode_looks_into_the_database_at_most(dispositions, status):
    host = Host()
    host.files = {}
    for disposition in dispositions:
        host.add(disposition)
    result = run(host, check=True)
    assert (result["status"], result["changed"]) == (status, True)
    assert result["request_id"] == (7 if dispositions else None)
    assert host.asked == ["read", "view"]


def test_the_command_line_gives_every_path_and_no_prompt():
    host = Host()
    run(host, admin_force_machine=True)
    script = host.scripts[1]
    assert "'-submit' '-q' '-f' '-AdminForceMachine' '-config' 'CA1\\Contoso Issuing CA 1'" in script
    assert " '-attrib' 'CertificateTemplate:LyncWeb' " in script
    files = ("request.req", "certificate.cer", "chain.p7b", "response.rsp")
    assert " ".join(f"($d+'\\{file}')" for file in files) in script
    assert host.files["request.req"].startswith(b"-----BEGIN CERTIFICATE REQUEST-----\r\n")


@pytest.mark.parametrize("template", [None, "1.3.6.1.4.1.311.21.8.1.2.3", LONG_OID])
def test_without_a_name_the_template_stands_in_the_request(template):
    host = Host()
    run(host, template=template)
    assert "-attrib" not in host.scripts[1]


def test_a_given_ca_is_asked_without_looking_for_a_local_one():
    host = Host(local_ca=None)
    result = run(host, ca="ca2.contoso.example\\Contoso CA (2)")
    assert result["ca"] == "ca2.contoso.example\\Contoso CA (2)"
    assert "reg.exe" not in host.scripts[0]


def test_without_a_ca_on_the_host_the_remedy_says_how_to_give_one():
    host = Host(local_ca=None)
    assert "HOST\\CA name" in failure(host).remedy
    assert host.asked == ["read"]


def test_a_pending_request_stays_with_its_ca():
    host = Host(policy="pend")
    run(host)
    assert CONFIG in failure(host, ca="ca2\\Other CA").remedy
    assert host.asked == ["read", "submit", "read"]


@pytest.mark.parametrize(
    "ca",
    [
        "",
        "CA1",
        "CA1\\",
        "\\Contoso",
        "-",
        'CA1\\a"b',
        "CA1\\a\nb",
        "CA1\\a\\b",
        "CA1\\-x",
        "c a\\b",
        "CA1\\a ",
        "x\\a;b",
    ],
)
def test_what_is_no_ca_never_reaches_the_host(ca):
    host = Host()
    assert "configuration string" in failure(host, ca=ca).message
    assert host.asked == []


@pytest.mark.parametrize(
    "template",
    [
        "",
        " Web",
        "Web\\nSAN:dns=evil.example",
        "Web:x",
        "Web&y",
        'Web"',
        "Web\nSAN",
        "Web'",
        "a" * 65,
        "Web;x",
        "W\u2019",
    ],
)
def test_no_template_can_add_an_attribute(template):
    host = Host()
    assert failure(host, template=template).place == "the option 'template'"
    assert host.asked == []


@pytest.mark.parametrize("options", [{"request_id": 0}, {"request_id": -1}, {"wait": -1}, {"poll": 0}])
def test_numbers_out_of_range_are_refused(options):
    assert "option" in failure(Host(), **options).place


@pytest.mark.parametrize("csr", [b"", b"hello", armoured(CERTIFICATE), armoured(CSR, "CERTIFICATE REQUEST") * 2])
def test_what_is_no_request_never_reaches_the_host(csr):
    host = Host()
    assert failure(host, csr=csr).place == "the option 'csr'"
    assert host.asked == []


@pytest.mark.parametrize("prepared", ["", "keyprovider error WmVyc3TDtnJ0\n", "keyprovider directory QzpcWA==\n"])
def test_what_is_kept_must_be_readable(prepared):
    host = Host()
    host.read = lambda script: prepared
    assert failure(host).place == "ca1, reading"


def test_a_full_disk_before_the_submission_leaves_nothing():
    host = Host()
    error = Host.own("error", "Es steht nicht genug Speicherplatz zur Verf\u00fcgung.".encode())
    host.submit = lambda *given: f"keyprovider begun\n{error}"
    error = failure(host)
    assert "Nothing was submitted" in error.message
    assert "Speicherplatz" in error.message
    assert host.asked == ["read", "submit", "remove"]


@pytest.mark.parametrize("said", ["", "keyprovider exit 0\nkeyprovider error WA==\n"])
def test_a_script_that_broke_off_leaves_an_unknown_outcome(said):
    host = Host()
    host.submit = lambda *given: said
    assert "not known" in failure(host).message
    assert host.asked == ["read", "submit"]


CUTS = ("before", "begun", "unanswered", "after")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("issue", "pend", "deny", RPC_DOWN)),
            st.dictionaries(st.integers(1, 3), st.sampled_from(CUTS), max_size=2),
            st.booleans(),
        ),
        max_size=6,
    )
)
def test_wherever_runs_are_cut_one_certificate_is_issued(runs):
    host = Host()
    for policy, cuts, approve in runs:
        host.policy = policy
        host.cut = {len(host.asked) + number: cut for number, cut in cuts.items()}
        with contextlib.suppress(HostError):
            run(host)
        if approve:
            for row in host.rows:
                row.disposition = 20 if row.disposition == 9 else row.disposition
    host.cut = {}
    host.policy = "issue"
    result = run(host)
    if result["status"] == "pending":
        host.rows[-1].disposition = 20
        result = run(host)
    if result["status"] == "denied":
        result = run(host)
    assert result["status"] == "issued"
    assert len(host.issued) == 1
    assert run(host)["changed"] is False
