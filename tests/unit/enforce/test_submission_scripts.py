# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts that keep files on a host, run by the lab's PowerShell and tools: requests and submissions."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.request import request_certificate
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.submission import submit_request
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.submission import (
    SubmissionOrder,
    read_request,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError, RequestWish
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import HostError, WindowsHost
from cryptography import x509
from lab import pki
from lab.formats import request as requests
from lab.host import cmd, files
from lab.powershell.streams import LockedFile
from lab.runtime import Lab
from lab.scenario import parse
from lab.tools import certreq_submit, hresult
from lab.tools.certreq_call import CertreqFault

AT = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
CA = "Contoso Issuing CA 1"
KEPT = r"C:\Users\Administrator\AppData\Local\winpki.keyprovider"
CSR = requests.pkcs10(
    pki.KeyPool().take("rsa2048"),
    x509.Name.from_rfc4514_string("CN=pool.contoso.example"),
    provider="Microsoft RSA SChannel Cryptographic Provider",
)
DIRECTORY = rf"{KEPT}\submissions\{hashlib.sha256(CSR).hexdigest()[:32]}"
WISH = RequestWish("CN=pool.contoso.example", ("pool.contoso.example",))
WEB = {"name": "Web", "enroll": ["Domain Admins"], "attributes": {"pKIExpirationPeriod": {"base64": "AEA5hy7h/v8="}}}


class Shell:
    SHELL_FAMILY = "powershell"
    _IS_WINDOWS = True


class Console:
    """A connection that starts PowerShell on a machine of the lab; ``meanwhile`` happens before the n-th start."""

    transport = "other"
    _shell = Shell()

    def __init__(self, machine):
        self.machine = machine
        self.scripts = []
        self.meanwhile = {}

    def exec_command(self, script, in_data=None, sudoable=True):
        self.scripts.append(script)
        self.meanwhile.get(len(self.scripts), lambda: None)()
        encoded = base64.b64encode(script.encode("utf-16-le")).decode()
        line = f"PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand {encoded}"
        done = cmd.execute(self.machine, line, in_data or b"", "Administrator")
        assert b"not simulated" not in done.stderr, done.stderr
        return done.exit_code, done.stdout, done.stderr


def lab_with(powershell, system, **adcs):
    hosts = [{"name": name, "powershell": powershell, "os": system, "language": "de"} for name in ("ca01", "fe01")]
    data = {
        "lab": {"domain": "contoso.example", "password": "x", "clock": AT},
        "cas": [{"id": "issuing", "subject": f"CN={CA},DC=contoso,DC=example"}],
        "directory": {
            "templates": [WEB],
            "cas": [{"name": CA, "host": "ca01.contoso.example", "templates": ["Web"]}],
        },
        "adcs": [{"id": "issuing", "name": CA, "host": "ca01", **adcs}],
        "hosts": [*hosts, {"name": "dc01", "domain_controller": True}],
    }
    return Lab(parse(data, "test.yml"))


@pytest.fixture(params=[("2.0", "6.1.7601"), ("5.1", "10.0.17763")], ids=["2008r2", "2019"])
def windows(request):
    return request.param


@pytest.fixture
def lab(windows):
    return lab_with(*windows)


def submit(console, **options):
    order = SubmissionOrder(csr=requests.armoured(CSR).encode(), template="Web", **options)
    return submit_request(WindowsHost(console), "ca01", order, check=False, at=AT, pause=lambda seconds: None)


def ask(console):
    return request_certificate(WindowsHost(console), "fe01", WISH, check=False, at=AT)


def kept_open(machine, path):
    """The lock that the process of another run has; it is free when the stream is closed or forgotten."""
    files.make_directory(machine, path.rpartition("\\")[0])
    files.make_empty(machine, path)
    machine.locked[path.lower()] = stream = LockedFile(machine, path.lower())
    return stream


def rows(lab):
    return lab.authority(CA).rows


def test_a_request_is_submitted_once_and_its_lock_is_free_afterwards(lab):
    machine = lab.machine("ca01")
    assert submit(Console(machine))["status"] == "issued"
    assert submit(Console(machine))["changed"] is False
    assert len(rows(lab)) == 1
    assert not machine.locked


def test_a_submission_that_is_still_under_way_is_not_doubled(lab):
    """A connection broke, and certreq of the first run still waits for the CA."""
    machine = lab.machine("ca01")
    stream = kept_open(machine, rf"{DIRECTORY}\lock")
    before = dict(machine.files)
    with pytest.raises(HostError, match="Another run") as caught:
        submit(Console(machine))
    assert "Wait until other runs" in caught.value.remedy
    assert machine.files == before
    assert rows(lab) == []
    stream.close()
    assert submit(Console(machine))["status"] == "issued"


def test_an_answer_that_came_since_the_decision_is_not_asked_for_again(lab):
    machine = lab.machine("ca01")
    console = Console(machine)
    console.meanwhile[2] = lambda: submit(Console(machine))
    with pytest.raises(HostError, match="Another run got an answer meanwhile"):
        submit(console)
    assert len(rows(lab)) == 1
    assert submit(Console(machine))["status"] == "issued"
    assert len(rows(lab)) == 1


def test_what_could_not_be_retrieved_leaves_the_answer_that_is_kept(windows):
    lab = lab_with(*windows, pend=True)
    machine = lab.machine("ca01")
    assert submit(Console(machine))["status"] == "pending"
    lab.authority(CA).approve(1)
    kept = {name: data for name, data in machine.files.items() if name.startswith(DIRECTORY)}
    machine.disk_full = True
    with pytest.raises(HostError, match="Request 1 could not be retrieved"):
        submit(Console(machine))
    assert kept.items() - {(rf"{DIRECTORY}\output.txt", kept[rf"{DIRECTORY}\output.txt"])} <= machine.files.items()
    machine.disk_full = False
    assert submit(Console(machine))["status"] == "issued"
    assert len(rows(lab)) == 1


def test_an_empty_answer_does_not_take_the_place_of_the_one_that_is_kept(windows, monkeypatch):
    """A full disk leaves an empty file where certreq began to write the response."""
    lab = lab_with(*windows, pend=True)
    machine = lab.machine("ca01")
    submit(Console(machine))
    kept = machine.files[rf"{DIRECTORY}\response.rsp"]

    def empty(arguments, answer):
        files.make_empty(machine, arguments.path(3))
        raise CertreqFault(hresult.DISK_FULL)

    monkeypatch.setattr(certreq_submit, "_outcome", empty)
    with pytest.raises(HostError, match="0x80070070"):
        submit(Console(machine))
    assert machine.files[rf"{DIRECTORY}\response.rsp"] == kept
    monkeypatch.undo()
    assert submit(Console(machine))["status"] == "pending"


def test_a_full_disk_after_the_ca_issued_does_not_make_it_issue_again(lab, monkeypatch):
    machine = lab.machine("ca01")
    console = Console(machine)
    outcome = certreq_submit._outcome

    def full_meanwhile(arguments, answer):
        machine.disk_full = True
        return outcome(arguments, answer)

    monkeypatch.setattr(certreq_submit, "_outcome", full_meanwhile)
    with pytest.raises((HostError, EnrolmentError)):
        submit(console)
    monkeypatch.undo()
    machine.disk_full = False
    assert submit(Console(machine))["status"] == "issued"
    assert len(rows(lab)) == 1


def test_a_request_that_another_run_makes_is_not_made_twice(lab):
    machine = lab.machine("fe01")
    console = Console(machine)
    console.meanwhile[2] = lambda: ask(Console(machine))
    with pytest.raises(EnrolmentError, match="Another run made the request meanwhile"):
        ask(console)
    assert len(machine.stores["REQUEST"]) == 1
    assert ask(Console(machine))["reused"]


def test_a_request_that_is_being_made_is_waited_for(lab):
    machine = lab.machine("fe01")
    identity = ask(Console(lab_with("5.1", "10.0.17763").machine("fe01")))["identity"]
    stream = kept_open(machine, rf"{KEPT}\requests\{identity}\lock")
    with pytest.raises(EnrolmentError, match="Another run may be at work"):
        ask(Console(machine))
    assert not machine.stores.get("REQUEST")
    assert files.exists(machine, rf"{KEPT}\requests\{identity}\lock")
    stream.close()
    assert ask(Console(machine))["csr"]


@pytest.mark.parametrize(("host", "work"), [("ca01", submit), ("fe01", ask)])
def test_an_account_without_a_profile_is_told_so_and_nothing_is_done(lab, host, work):
    machine = lab.machine(host)
    machine.no_profile = frozenset({"administrator"})
    before = dict(machine.files)
    with pytest.raises((HostError, EnrolmentError), match="The account has no profile"):
        work(Console(machine))
    assert machine.files == before
    assert not machine.stores.get("REQUEST")
    assert rows(lab) == []


@pytest.mark.parametrize("wrong", [99, 2])
def test_a_wrong_request_id_leaves_the_pending_request_as_it_is(windows, wrong):
    """99 is unknown to the CA, 2 is a request of somebody else that was denied."""
    lab = lab_with(*windows, pend=True)
    machine, authority = lab.machine("ca01"), lab.authority(CA)
    assert submit(Console(machine))["status"] == "pending"
    authority.submit(CSR, {"CertificateTemplate": "Web"}, "CONTOSO\\Administrator", False)
    authority.deny(2)
    if wrong == 2:
        assert submit(Console(machine), request_id=2)["status"] == "denied"
    else:
        with pytest.raises(HostError, match="Request 99 could not be retrieved") as caught:
            submit(Console(machine), request_id=99)
        assert "Nothing was changed" in caught.value.message
    authority.approve(1)
    assert submit(Console(machine))["request_id"] == 1
    assert len(rows(lab)) == 2


def test_a_wrong_request_id_leaves_nothing_where_nothing_was(lab):
    machine = lab.machine("ca01")
    with pytest.raises(HostError, match="CERTSRV_E_PROPERTY_EMPTY"):
        submit(Console(machine), request_id=99)
    assert not [path for path in machine.files if path.startswith(DIRECTORY)]


def test_the_host_of_the_ca_may_be_given_with_its_short_name(windows):
    lab = lab_with(*windows, pend=True)
    machine = lab.machine("ca01")
    submit(Console(machine))
    assert submit(Console(machine), ca=rf"ca01.contoso.example\{CA}")["status"] == "pending"
    with pytest.raises(HostError, match="was submitted to") as caught:
        submit(Console(machine), ca=rf"ca02.contoso.example\{CA}")
    assert DIRECTORY in caught.value.remedy
    lab.authority(CA).approve(1)
    submit(Console(machine))
    with pytest.raises(HostError, match="was submitted to"):
        submit(Console(machine), ca=rf"ca02.contoso.example\{CA}")


@pytest.mark.parametrize("wrong", [{"disk_full": True}, {"deny": frozenset({"keys"})}])
def test_where_no_request_is_made_no_file_of_it_is_left(lab, wrong):
    machine = lab.machine("fe01")
    vars(machine).update(wrong)
    with pytest.raises(EnrolmentError, match="on fe01"):
        ask(Console(machine))
    assert [path for path in machine.files if "\\requests\\" in path] in ([], [f"{KEPT}\\requests\\"])


def test_a_pending_request_with_other_options_is_named(lab):
    machine = lab.machine("fe01")
    first = ask(Console(machine))
    wish = replace(WISH, key_length=4096)
    second = request_certificate(WindowsHost(Console(machine)), "fe01", wish, check=False, at=AT)
    [told] = second["warnings"]
    assert first["request_thumbprint"] in told
    assert first["key"]["container"] in told
    assert "state absent" in told
    assert ask(Console(machine))["warnings"] == []


def test_a_pending_request_is_told_with_its_number_and_its_ca(windows):
    machine = lab_with(*windows, pend=True).machine("ca01")
    result = submit(Console(machine))
    assert result["reason"].startswith(rf"Request 1 waits for a manager of CA01\{CA}; run it again")


def test_a_certificate_with_other_names_is_issued_anew_when_the_directory_is_removed(windows):
    lab = lab_with(*windows, garbage="other_name")
    machine, authority = lab.machine("ca01"), lab.authority(CA)
    with pytest.raises(EnrolmentError) as caught:
        submit(Console(machine))
    assert DIRECTORY in caught.value.message
    assert "remove that directory on ca01" in caught.value.remedy
    authority.garbage = None
    with pytest.raises(EnrolmentError):
        submit(Console(machine))
    for path in [path for path in machine.files if path.startswith(DIRECTORY)]:
        del machine.files[path]
    assert submit(Console(machine))["status"] == "issued"


def test_what_cannot_be_asked_for_is_refused_before_the_host_is_asked(lab):
    console = Console(lab.machine("fe01"))
    with pytest.raises(EnrolmentError, match="Nothing was done on fe01"):
        request_certificate(WindowsHost(console), "fe01", replace(WISH, template="a\nb"), check=False, at=AT)
    assert console.scripts == []


@pytest.mark.parametrize(
    ("data", "told"), [(b"x", "no certificate request."), (None, "2 certificate requests, not one")]
)
def test_what_is_not_one_request_is_told_with_its_number(data, told):
    armoured = requests.armoured(CSR).encode()
    with pytest.raises(EnrolmentError, match=told):
        read_request(armoured + armoured if data is None else data)


def test_a_ca_that_does_not_know_the_pending_request_is_not_taken_for_a_denial(windows):
    """As when its database was restored from a backup of the day before: nothing is submitted again by itself."""
    lab = lab_with(*windows, pend=True)
    machine, authority = lab.machine("ca01"), lab.authority(CA)
    submit(Console(machine))
    forgotten = authority.rows[:]
    authority.rows.clear()
    for _run in range(2):
        with pytest.raises(HostError, match=r"Request 1 could not be retrieved.*CERTSRV_E_PROPERTY_EMPTY") as caught:
            submit(Console(machine))
        assert f"remove {DIRECTORY}" in caught.value.message
    assert rows(lab) == []
    authority.rows += forgotten
    authority.approve(1)
    assert submit(Console(machine))["status"] == "issued"
