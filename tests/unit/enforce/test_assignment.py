# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Assigning a certificate to Lync usages: what is called, what is refused, and what a failure tells."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timezone

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.assignment import (
    AssignmentWish,
    assign_certificate,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.errors import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import (
    HostError,
    HostUnreachable,
    WindowsHost,
)
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from lab import pki
from lab.formats import serialized

NOW = datetime(2026, 6, 1, 12, tzinfo=timezone.utc)
START = datetime(2026, 5, 1, tzinfo=timezone.utc)
END = datetime(2028, 5, 1, tzinfo=timezone.utc)
SOON = "2026-07-31T04:00:00Z"
OLD = "A" * 40
COLUMNS = (
    *("Use", "Thumbprint", "Subject", "Issuer", "SerialNumber", "PreviousThumbprint"),
    *("AlternativeNames", "NotBefore", "NotAfter", "EffectiveDate"),
)
REPORT = r"C:\Users\svc\AppData\Local\winpki.keyprovider\reports\assign.html"
TOO_SMALL = "Command execution failed: The buffer supplied to a function was too small."
PARAMETERS = "Type Thumbprint Force Report Confirm"
LATER = f"{PARAMETERS} Identity EffectiveDate Roll"


class Shell:
    SHELL_FAMILY = "powershell"
    _IS_WINDOWS = True


class Answering:
    """A connection that encodes scripts itself and gives prepared answers, one after the other.

    To the script that lets a key sign it answers by itself.
    """

    transport = "other"
    _shell = Shell()
    key = None
    """The private key of the new certificate; None: Windows gives no key."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.scripts = []

    def exec_command(self, cmd, in_data=None, sudoable=True):
        if "SignData" in cmd:
            return 0, self.signed(in_data).encode(), b""
        self.scripts.append(cmd)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return 0, answer.encode(), b""

    def signed(self, data):
        if self.key is None:
            return "keyprovider exitfound 1\r\n"
        signature = self.key.sign(base64.b64decode(data), padding.PKCS1v15(), hashes.SHA1())
        return f"keyprovider exitfound 1\r\nkeyprovider signature {base64.b64encode(signature).decode()}\r\n"


@pytest.fixture(scope="module")
def issued():
    keys = pki.KeyPool(size=1)
    authority = pki.Authority("CN=Contoso CA", keys, not_before=START, not_after=END)
    wanted = pki.Wanted(
        subject="CN=pool01.contoso.example",
        not_before=START,
        not_after=END,
        subject_alt_names=("pool01.contoso.example", "sip.contoso.example"),
    )
    return authority.issue(wanted)


@pytest.fixture(scope="module")
def der(issued):
    return issued.der


@pytest.fixture(autouse=True)
def usable_key(issued, monkeypatch):
    monkeypatch.setattr(Answering, "key", issued.key)


@pytest.fixture(scope="module")
def new(der):
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


@pytest.fixture
def store(der, new):
    """What reg.exe prints of My with the new certificate in it."""

    def store(provider="Microsoft RSA SChannel Cryptographic Provider", kind=12, spec=1):
        key = serialized.key_prov_info("container", provider, kind, 0x20, spec)
        blob = serialized.element([(serialized.KEY_PROV_INFO, key)], der)
        return serialized.reg_query({new: blob}) + "keyprovider exitmy 0\r\nkeyprovider exitrequest 1\r\n"

    return store


def own(key, value=""):
    return f"keyprovider {key} {base64.b64encode(value.encode()).decode()}\r\n"


def table(assigned):
    if not assigned:
        return ""
    rows = []
    for use, given in assigned.items():
        thumbprint, date = given if isinstance(given, tuple) else (given, "")
        rows.append(",".join(f'"{cell}"' for cell in (use, thumbprint, "", "", "", "", "", "", "", date)))
    return "\n".join([",".join(f'"{name}"' for name in COLUMNS), *rows])


def read_back(local, everywhere=None):
    text = own("local", table(local))
    return text + ("" if everywhere is None else own("global", table(everywhere))) + "keyprovider end\r\n"


def seen(local, everywhere=None, *, parameters=LATER, version="Microsoft Lync Server 2013 (5.0.8308.0)"):
    return own("version", version) + own("parameters", parameters) + read_back(local, everywhere)


def called(local, everywhere=None, *, failure=None, inner=None, warnings=""):
    text = own("report", REPORT)
    text += own("failure", failure) if failure else ""
    text += own("inner", inner) if inner else ""
    return text + own("warnings", warnings) + read_back(local, everywhere)


def run(wish, *answers, check=False):
    connection = Answering(*answers)
    result = assign_certificate(WindowsHost(connection), "fe01", wish, check_only=check, at=NOW)
    return result, connection


def refusal(wish, *answers, expected=HostError):
    connection = Answering(*answers)
    with pytest.raises(expected) as caught:
        assign_certificate(WindowsHost(connection), "fe01", wish, check_only=False, at=NOW)
    assert not connection.answers, "an answer was not asked for"
    return caught.value, connection


def thumbprints(rows):
    return {row["type"]: row["thumbprint"] for row in rows}


@pytest.mark.parametrize("key", [None, pki.KeyPool(size=1).take("rsa2048")], ids=["missing", "other"])
def test_a_key_that_is_not_proven_is_not_assigned(store, new, monkeypatch, key):
    monkeypatch.setattr(Answering, "key", key)
    error, connection = refusal(
        AssignmentWish(("Default",), new), store() + seen({"Default": OLD}), expected=EnrolmentError
    )
    assert len(connection.scripts) == 1
    assert f"Nothing was assigned. Default is assigned to {OLD}." in error.message


def test_it_assigns_what_is_missing_and_reads_back(store, new):
    wish = AssignmentWish(("default", "WebServicesInternal"), new.lower())
    before = {"Default": OLD, "WebServicesInternal": new, "WebServicesExternal": OLD}
    result, connection = run(wish, store() + seen(before), called({**before, "Default": new}))
    assert result["changed"]
    assert thumbprints(result["before"]) == {"Default": OLD, "WebServicesInternal": new}
    assert thumbprints(result["after"]) == {"Default": new, "WebServicesInternal": new}
    assert result["report"] == REPORT
    assert "warnings" not in result
    assert f"Set-CsCertificate -Type 'Default' -Thumbprint '{new}' -Report" in connection.scripts[1]
    assert result["diff"][0]["before"].startswith(f"Default: {OLD}\n")
    assert result["diff"][0]["after"].startswith(f"Default: {new}\n")


def test_what_is_assigned_already_costs_one_command_and_changes_nothing(store, new):
    result, connection = run(AssignmentWish(("Default",), new), store() + seen({"Default": new}))
    assert not result["changed"]
    assert len(connection.scripts) == 1
    assert result["report"] is None
    assert result["before"] == result["after"]


def test_check_mode_shows_what_would_be(store, new):
    result, connection = run(AssignmentWish(("Default", "Internal"), new), store() + seen({"Default": OLD}), check=True)
    assert result["changed"]
    assert len(connection.scripts) == 1
    assert thumbprints(result["after"]) == {"Default": new, "Internal": new}
    assert result["after"][0]["alternative_names"] == ["pool01.contoso.example", "sip.contoso.example"]
    assert result["after"][0]["subject"] == "CN=pool01.contoso.example"
    assert result["diff"][0]["after"] == f"Default: {new}\nInternal: {new}\n"


def test_silence_is_no_success(store, new):
    told, _connection = refusal(
        AssignmentWish(("Default",), new), store() + seen({"Default": OLD}), called({"Default": OLD})
    )
    assert "Lync reported no error" in told.message
    assert f"Default is still assigned to {OLD}." in told.message


def test_an_error_is_no_failure_when_all_is_assigned(store, new):
    result, _connection = run(
        AssignmentWish(("Default",), new),
        store() + seen({"Default": OLD}),
        called({"Default": new}, failure="The report could not be written.", warnings="Be warned."),
    )
    assert result["changed"]
    assert result["warnings"] == ["Set-CsCertificate on fe01 warned: Be warned."]


def test_a_key_that_lync_cannot_use_is_explained(store, new):
    mine = store("Microsoft Software Key Storage Provider", 0, 0)
    told, _connection = refusal(
        AssignmentWish(("Default", "Internal"), new),
        mine + seen({"Default": OLD, "Internal": OLD}),
        called(
            {"Default": OLD, "Internal": OLD},
            failure=TOO_SMALL,
            inner="The buffer supplied to a function was too small.",
            warnings='Set-CsCertificate failed.\nDetailed results can be found at "x".',
        ),
    )
    assert "'Microsoft Software Key Storage Provider' (a key storage provider, CNG)" in told.message
    assert TOO_SMALL[:-1] in told.message
    assert "Set-CsCertificate failed" in told.message
    assert f"Default is still assigned to {OLD}; Internal is still assigned to {OLD}." in told.message
    assert REPORT in told.message
    assert "winpki.keyprovider.certificate_request" in told.remedy
    assert told.place == "Set-CsCertificate"


def test_check_mode_warns_of_such_a_key(store, new):
    mine = store("Microsoft Software Key Storage Provider", 0, 0)
    result, _connection = run(AssignmentWish(("Default",), new), mine + seen({"Default": OLD}), check=True)
    assert "cannot use such keys" in result["warnings"][0]


def test_a_half_done_assignment_is_told(store, new):
    told, _connection = refusal(
        AssignmentWish(("Default", "Internal", "External"), new),
        store() + seen({"Default": OLD, "Internal": OLD}),
        called({"Default": new, "Internal": OLD}, failure="Stopped"),
    )
    expected = f"Default is now assigned to {new}; Internal is still assigned to {OLD}; External has no certificate."
    assert expected in told.message
    assert "RTCUniversalServerAdmins" in told.remedy


def test_a_certificate_that_is_not_there_is_refused_before_the_call(store, new):
    told, connection = refusal(AssignmentWish(("Default",), "B" * 40), store() + seen({"Default": OLD}))
    assert "LocalMachine\\My" in told.message
    assert f"Default is assigned to {OLD}." in told.message
    assert len(connection.scripts) == 1


def test_what_lync_2010_lacks_is_refused_before_the_call(store, new):
    version = "Microsoft Lync Server 2010 (4.0.7577.0)"
    answer = store() + seen({"Default": OLD}, parameters=PARAMETERS, version=version)
    told, _connection = refusal(AssignmentWish(("Default",), new, effective_date=SOON, roll=True), answer)
    assert "does not know -EffectiveDate, -Roll" in told.message
    assert version in told.message
    told, _connection = refusal(AssignmentWish(("OAuthTokenIssuer",), new), answer)
    assert "does not know -Identity" in told.message


def test_lync_2010_is_assigned_without_what_it_lacks(store, new):
    _result, connection = run(
        AssignmentWish(("Default",), new),
        store() + seen({"Default": OLD}, parameters=PARAMETERS),
        called({"Default": new}),
    )
    assert f"-Thumbprint '{new}' -Report" in connection.scripts[1]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"types": ("Nonsense",)}, "no certificate type"),
        ({"types": ("Default",), "thumbprint": "12"}, "40 hexadecimal digits"),
        ({"types": ("Default",), "roll": True}, "-Roll works with -EffectiveDate only"),
        ({"types": ("Default",), "identity": "global"}, "Default cannot be assigned globally"),
        ({"types": ("Default",), "effective_date": "2026-07-31T04:00:00"}, "has no zone"),
        ({"types": ("Default",), "effective_date": "7/31/2026"}, "is not a date"),
        ({"types": ("Default",), "effective_date": "0001-01-01T00:00:00+14:00"}, "is not a date"),
    ],
)
def test_a_wish_that_is_wrong_never_reaches_the_host(wish, message):
    told, connection = refusal(AssignmentWish(**{"thumbprint": OLD, **wish}))
    assert message in told.message
    assert told.remedy
    assert connection.scripts == []


def test_a_date_that_has_passed_is_refused(store, new):
    told, _connection = refusal(
        AssignmentWish(("Default",), new, effective_date="2026-06-01T13:00:00+02:00"), store() + seen({"Default": OLD})
    )
    assert "2026-06-01T11:00:00Z has passed" in told.message


def test_a_date_that_has_passed_since_does_not_trouble_a_second_run(store, new):
    wish = AssignmentWish(("Default",), new, effective_date="2026-06-01T11:00:00Z", roll=True)
    result, _connection = run(wish, store() + seen({"Default": (new, "2026-06-01T11:00:00.0000000Z")}))
    assert not result["changed"]


def test_a_date_after_the_end_of_the_certificate_is_refused(store, new):
    wish = AssignmentWish(("Default",), new, effective_date="2028-05-01T00:00:00Z", roll=True)
    told, _connection = refusal(wish, store() + seen({"Default": OLD}))
    assert "ends on 2028-05-01T00:00:00Z" in told.message


def test_a_certificate_is_rolled(store, new):
    wish = AssignmentWish(("AudioVideoAuthentication",), new, effective_date="2026-07-31T06:00:00+02:00", roll=True)
    staged = {"AudioVideoAuthentication": (new, "2026-07-31T04:00:00.0000000Z")}
    result, connection = run(wish, store() + seen({"AudioVideoAuthentication": OLD}), called(staged))
    assert " -EffectiveDate $e -Roll -Report" in connection.scripts[1]
    assert result["after"][0]["effective_date"] == SOON
    again, _connection = run(wish, store() + seen(staged))
    assert not again["changed"]


def test_another_date_is_a_change(store, new):
    wish = AssignmentWish(("Default",), new, effective_date=SOON, roll=True)
    staged = {"Default": (new, "2026-08-31T04:00:00.0000000Z")}
    result, _connection = run(wish, store() + seen(staged), called({"Default": (new, "2026-07-31T04:00:00Z")}))
    assert result["changed"]


def test_a_staged_certificate_counts_as_assigned_with_a_warning(store, new):
    staged = {"Default": (new, "2026-08-31T04:00:00.0000000Z")}
    result, _connection = run(AssignmentWish(("Default",), new), store() + seen(staged))
    assert not result["changed"]
    assert "with effect from 2026-08-31T04:00:00Z only" in result["warnings"][0]


def test_beside_another_one_a_staged_certificate_is_not_in_force(store, new):
    staged = f'"Default","{new}","","","","","","","","2026-08-31T04:00:00.0000000Z"'
    both = own("local", f"{table({'Default': OLD})}\n{staged}") + "keyprovider end\r\n"
    answer = store() + own("version", "") + own("parameters", LATER) + both
    result, _connection = run(AssignmentWish(("Default",), new), answer, called({"Default": new}))
    assert result["changed"]
    assert "warnings" not in result


def test_global_and_local_types_are_two_calls(store, new):
    wish = AssignmentWish(("OAuthTokenIssuer", "Default"), new)
    result, connection = run(
        wish,
        store() + seen({"Default": OLD, "OAuthTokenIssuer": OLD}, {"OAuthTokenIssuer": OLD}),
        called({"Default": new, "OAuthTokenIssuer": OLD}, {"OAuthTokenIssuer": OLD}),
        called({"Default": new, "OAuthTokenIssuer": new}, {"OAuthTokenIssuer": new}),
    )
    assert f"-Type 'Default' -Thumbprint '{new}' -Report" in connection.scripts[1]
    assert f"-Type 'OAuthTokenIssuer' -Thumbprint '{new}' -Identity 'global' -Report" in connection.scripts[2]
    assert thumbprints(result["after"]) == {"Default": new, "OAuthTokenIssuer": new}
    assert result["after"][1]["identity"] == "global"


def test_what_is_global_counts_when_it_is_stored_there(store, new):
    result, _connection = run(
        AssignmentWish(("OAuthTokenIssuer",), new, identity="global"),
        store() + seen({"OAuthTokenIssuer": OLD}, {"OAuthTokenIssuer": OLD}),
        called({"OAuthTokenIssuer": OLD}, {"OAuthTokenIssuer": new}),
    )
    assert "not replicated to it yet" in result["warnings"][0]
    told, _connection = refusal(
        AssignmentWish(("OAuthTokenIssuer",), new),
        store() + seen({}, {"OAuthTokenIssuer": OLD}),
        called({"OAuthTokenIssuer": new}, {"OAuthTokenIssuer": OLD}, failure="Access is denied."),
    )
    assert "double hop" in told.remedy
    assert f"{OLD} (global)" in told.message


def test_a_central_store_out_of_reach_is_told_before_the_call(store, new):
    answer = store() + seen({"OAuthTokenIssuer": OLD}) + own("globalerror", "Cannot open database.")
    told, _connection = refusal(AssignmentWish(("OAuthTokenIssuer",), new), answer)
    assert "Cannot open database." in told.message
    assert "double hop" in told.remedy
    result, _connection = run(AssignmentWish(("Default",), new), answer, called({"Default": new}))
    assert result["changed"]


def test_a_connection_that_breaks_in_the_call_leaves_it_unknown(store, new):
    told, _connection = refusal(
        AssignmentWish(("Default",), new),
        store() + seen({"Default": OLD}),
        AnsibleConnectionFailure("reset by peer"),
        expected=HostUnreachable,
    )
    assert "whether it did is not known" in told.message
    assert "A second run finds what was done" in told.remedy


def test_what_lync_said_is_not_lost_when_it_cannot_be_read_back(store, new):
    cut = own("report", REPORT) + own("failure", TOO_SMALL) + own("error", "Get-CsCertificate: gone")
    told, _connection = refusal(AssignmentWish(("Default",), new), store() + seen({"Default": OLD}), cut)
    assert TOO_SMALL[:-1] in told.message
    assert "gone" in told.message


def test_a_host_without_lync_is_told(store, new):
    told, _connection = refusal(AssignmentWish(("Default",), new), store() + "keyprovider none\r\n")
    assert "neither the PowerShell module" in told.message


def test_who_may_not_read_the_assignments_is_told_that_nothing_was_changed(store, new):
    told, _connection = refusal(AssignmentWish(("Default",), new), store() + own("error", "Access is denied."))
    assert told.place == "Set-CsCertificate"
    assert told.message.endswith("Nothing was changed.")
    assert "RTCUniversalServerAdmins" in told.remedy


def test_a_global_certificate_that_is_refused_leads_to_its_key(store, new):
    told, _connection = refusal(
        AssignmentWish(("OAuthTokenIssuer",), new),
        store() + seen({}, {"OAuthTokenIssuer": OLD}),
        called({}, {"OAuthTokenIssuer": OLD}, failure="Key not valid for use in specified state."),
    )
    assert "exportable: true" in told.remedy
