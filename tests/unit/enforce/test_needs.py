# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at a Lync server and tell what it needs, in data and in lines for people."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.conversion_scripts import FORMER, STAGED
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.needs import plan_host
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.needs import Asked, Terms
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import RSA_SCHANNEL, EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import Completed, HostError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from installed_host import AT, Held, authority, cng, key_in
from lab.formats.serialized import reg_query
from lab.pki import Wanted

LYNC = load("lync_2013")
KSP = "key_provider: Microsoft Software Key Storage Provider (type 0, CNG)."


def held(key, name="fe01.contoso.example", begins=-1, ends=365, crl=("http://pki.contoso.example/ca.crl",)):
    """A certificate of the store, valid from and to so many days about the moment of the tests."""
    wanted = Wanted(
        f"CN={name}",
        AT + timedelta(days=begins),
        AT + timedelta(days=ends),
        subject_alt_names=(name,),
        crl_distribution_points=crl,
    )
    made = authority().issue(wanted)
    return Held(made, key, made.thumbprint)


OLD = held(cng(), begins=-300)
NEW = held(key_in())


class LyncServer:
    """Answers the scripts of a look: the store, what ``used`` assigns by usage, and what conversions left."""

    def __init__(self, *store, lync=None, aside=None, **used):
        self.store = store
        self.aside = aside or {}
        self.lync = lync
        self.used = used
        self.scripts = []

    def run_script(self, script, stdin=None):
        self.scripts.append(script)
        rows = "".join(f'"{use}","{one.thumbprint}"\r\n' for use, one in self.used.items())
        said = self.lync or f'begin\r\n"Use","Thumbprint"\r\n{rows}#keyprovider:lync:end'
        store = reg_query({one.thumbprint: one.blob for one in self.store}, "My")
        if FORMER in script:
            for name, kept in self.aside.items():
                store += reg_query({one.thumbprint: one.blob for one in kept}, name)
            ends = (
                "keyprovider exitmy 0\r\nkeyprovider exitrequest 1\r\nkeyprovider exitaside 0\r\nkeyprovider clock\r\n"
            )
            return Completed(0, f"{store}{ends}".encode(), b"")
        return Completed(0, f"{store}#keyprovider:lync:{said}\r\n".encode(), b"")


def plan(host, peers=None, **terms):
    return plan_host(host, "fe01", Terms(**terms), LYNC, peers or {}, at=AT)


def short(one):
    return f"{one.thumbprint[:8]}..."


def test_a_certificate_that_lync_cannot_use_is_one_short_line_and_a_need_with_all_reasons():
    host = LyncServer(OLD, Default=OLD, WebServicesInternal=OLD)
    result = plan(host)
    assert result["lines"] == [
        f"Default, WebServicesInternal (now {short(OLD)}): a new certificate is needed. {KSP}",
    ]
    [need] = result["needs"]
    assert (need["state"], need["current"], need["types"]) == (
        "request",
        OLD.thumbprint,
        ["Default", "WebServicesInternal"],
    )
    assert "cannot use a key in a CNG key storage provider" in need["reasons"][0]
    assert result["lync"]
    assert len(host.scripts) == 1


def test_a_good_certificate_of_the_store_is_to_be_assigned():
    result = plan(LyncServer(OLD, NEW, Default=OLD))
    assert result["lines"] == [f"Default (now {short(OLD)}): {short(NEW)} is to be assigned. {KSP}"]
    assert result["needs"][0]["successor"] == NEW.thumbprint


def test_what_was_replaced_stands_behind_what_is_needed():
    result = plan(LyncServer(OLD, NEW, Default=NEW))
    assert result["superseded"] == [OLD.thumbprint]
    assert result["lines"] == [f"Default (now {short(NEW)}): nothing to do.", f"{short(OLD)} has been replaced."]
    assert plan(LyncServer(OLD, NEW, Default=NEW), {"fe02": [{"current": OLD.thumbprint}]})["superseded"] == []


def test_each_line_tells_what_was_found_at_its_own_certificate():
    first = held(key_in(), "a.contoso.example", begins=-300, ends=-10)
    second = held(key_in(), "b.contoso.example", begins=-300, ends=-20)
    lines = plan(LyncServer(first, second, Default=first, WebServicesInternal=second))["lines"]
    assert lines == [
        f"Default (now {short(first)}): a new certificate is needed. validity: valid until 2026-02-19T12:00:00Z.",
        f"WebServicesInternal (now {short(second)}): a new certificate is needed. "
        "validity: valid until 2026-02-09T12:00:00Z.",
    ]


def test_why_no_certificate_can_be_requested_is_told_of_the_one_that_is_in_the_way():
    wrong = held(key_in(), crl=())
    [line] = plan(LyncServer(OLD, wrong, Default=OLD))["lines"]
    assert line.startswith(f"Default (now {short(OLD)}): no certificate can be requested. ")
    assert f"Certificate {wrong.thumbprint} answers it and cannot be used: crl_distribution_point: none. Mend" in line
    assert KSP not in line


def test_who_waits_for_whom_and_who_takes_over_is_told():
    host = LyncServer(OLD, AudioVideoAuthentication=OLD)
    other = plan(host)["needs"]
    [waits] = plan(host, {"edge01": other, "fe01": other})["lines"]
    assert waits == (
        f"AudioVideoAuthentication (now {short(OLD)}): waits for edge01. {KSP} edge01 is to request it for the pool."
    )
    placed = [{**other[0], "state": "satisfied", "current": NEW.thumbprint}]
    [transfer] = plan(host, {"edge01": placed, "fe01": other})["lines"]
    assert transfer == (
        f"AudioVideoAuthentication (now {short(OLD)}): {short(NEW)} is to be taken over from edge01. {KSP}"
    )


def test_a_key_that_is_to_be_moved_is_told_with_where_to():
    [line] = plan(LyncServer(OLD, Default=OLD), repair="convert")["lines"]
    assert line == f"Default (now {short(OLD)}): the key of {short(OLD)} is to be moved into {RSA_SCHANNEL}. {KSP}"
    result = plan(LyncServer(OLD, Default=OLD), repair="request_or_convert")
    assert result["lines"] == [
        f"Default (now {short(OLD)}): a new certificate is needed; if none can be requested, the key of {short(OLD)} "
        f"is to be moved into {RSA_SCHANNEL}. {KSP}"
    ]
    [need] = result["needs"]
    assert (need["state"], need["repair"], need["convert"]) == ("request", "request_or_convert", OLD.thumbprint)


def test_why_no_key_can_be_moved_is_told_in_short():
    ended = held(cng(), begins=-300, ends=-10)
    [line] = plan(LyncServer(ended, Default=ended), repair="convert")["lines"]
    when = "validity: valid until 2026-02-19T12:00:00Z."
    assert line == (
        f"Default (now {short(ended)}): no key can be moved into {RSA_SCHANNEL}. {KSP} {when} Moving the key of "
        f"{ended.thumbprint} into {RSA_SCHANNEL} would not do, because a conversion keeps the certificate as it is: "
        f"{when} Request a new certificate (repair: request)."
    )


def test_when_another_certificate_comes_nearer_that_in_use_is_told_in_short_all_the_same():
    ended = held(cng(), begins=-300, ends=-10, crl=())
    in_tpm = held(key_in("Microsoft Platform Crypto Provider", 0, "tpm", key_spec=0))
    [line] = plan(LyncServer(ended, in_tpm, Default=ended), repair="convert")["lines"]
    assert f"{RSA_SCHANNEL}. {KSP} " in line
    assert f" The key of {in_tpm.thumbprint} cannot be moved into {RSA_SCHANNEL}. " in line


def test_the_friendly_names_of_the_store_count_after_a_conversion_as_before():
    twins = [replace(held(cng(), name), friendly_name="Pool") for name in ("a.contoso.example", "b.contoso.example")]
    host = LyncServer(*twins, Default=twins[0])
    assert plan(host, repair="convert")["needs"][0]["state"] == "convert"
    [need] = plan(host, repair="convert", replace_warnings=True)["needs"]
    assert need["state"] == "blocked"
    assert "friendly_name" in need["reasons"][-1]


def test_a_provider_that_takes_no_keys_is_refused_when_keys_are_to_be_moved():
    host = LyncServer(OLD, Default=OLD)
    assert plan(host, provider="Acme Box")["needs"][0]["state"] == "request"
    with pytest.raises(EnrolmentError, match="'Acme Box' is not known here"):
        plan(host, provider="Acme Box", repair="convert")


def test_a_copy_of_the_pools_certificate_has_its_key_moved_and_is_not_assigned_before():
    host = LyncServer(OLD, AudioVideoAuthentication=OLD)
    [other] = plan(host)["needs"]
    known = {"edge01": [{**other, "state": "satisfied"}], "fe01": [other]}
    assert [plan(host, known, repair=repair)["needs"][0]["state"] for repair in ("convert", "request")] == [
        "convert",
        "blocked",
    ]


def test_a_usage_without_a_certificate_needs_one():
    asked = Asked(("XmppServer",), subject="CN=xmpp.contoso.example")
    [line] = plan(LyncServer(OLD), asked=(asked,))["lines"]
    assert line == "XmppServer: a new certificate is needed. Nothing is assigned to XmppServer."


def test_a_host_without_lync_needs_nothing_unless_it_is_asked_for():
    host = LyncServer(OLD, lync="none")
    nothing = ("needs", "superseded", "unfinished", "former_keys", "problems", "lines")
    assert plan(host) == {"lync": False, **{key: [] for key in nothing}}
    with pytest.raises(HostError, match="no Lync cmdlets") as caught:
        plan(host, asked=(Asked(("Default",), subject="CN=fe01.contoso.example"),))
    assert "leave it out" in caught.value.remedy


def test_what_conversions_left_is_told_of_keys_that_are_where_they_should_be():
    left = {FORMER: [replace(NEW, key=cng()), OLD], STAGED: [NEW]}
    host = LyncServer(NEW, OLD, Default=NEW, aside=left)
    result = plan(host, repair="convert")
    assert (result["unfinished"], result["former_keys"]) == ([NEW.thumbprint], [NEW.thumbprint])
    kept = plan(LyncServer(NEW, Default=NEW, aside={FORMER: [replace(NEW, key=cng())]}), repair="request_or_convert")
    assert (kept["unfinished"], kept["former_keys"]) == ([], [NEW.thumbprint])
    asked = plan(LyncServer(NEW, Default=NEW, aside=left))
    assert (asked["unfinished"], asked["former_keys"]) == ([], [])


def test_a_server_that_does_not_tell_its_assignments_has_no_plan():
    with pytest.raises(HostError, match="Access is denied") as caught:
        plan(LyncServer(OLD, lync="failed\r\nAccess is denied."))
    assert caught.value.place == "Get-CsCertificate"
    assert "RTCUniversalServerAdmins" in caught.value.remedy
