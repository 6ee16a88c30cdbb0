# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archive a certificate, or remove it together with its private key."""

from __future__ import annotations

import base64
import re
from datetime import timedelta

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.conversion_scripts import FORMER, STAGED
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.removal import (
    RemovalWish,
    archive,
    checked_thumbprint,
    remove,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import HostError, HostUnreachable
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.lync.cmdlets import COLUMNS
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from installed_host import AT, IDENTITY, KSP, SCHANNEL, FakeHost, Held, cng, csr_of, failing, issued, key_in, stopping
from lab.formats.serialized import reg_query

LYNC = load("lync_2013")
OLD = issued("old.contoso.example")


def holding(key=None, *more, **values):
    return FakeHost(my=[Held(OLD, key or key_in(container="te-old"), "Old"), *more], **values)


def wish(**values):
    return RemovalWish(values.pop("thumbprint", OLD.thumbprint), **values, at=AT)


def gone(host, *, check=False, **values):
    return remove(host, "fe01", wish(**values), check_mode=check)


def refused(host, **values):
    with pytest.raises(EnrolmentError) as caught:
        gone(host, **values)
    return caught.value


@pytest.mark.parametrize(
    ("key", "provider"), [(key_in(container="te-old"), SCHANNEL), (cng("te-old"), KSP)], ids=["csp", "ksp"]
)
def test_a_certificate_goes_with_its_key_which_goes_first(key, provider):
    host = holding(key)
    result = gone(host)
    assert result["changed"]
    assert result["removed"] == {
        "certificates": [OLD.thumbprint],
        "containers": [{"provider": provider, "container": "te-old"}],
        "requests": [],
    }
    assert (host.my, host.containers) == ([], set())
    assert host.changes == ["delkey", "delstore"]
    assert result["diff"][0]["after"] == ""
    assert "te-old" in result["diff"][0]["before"]


def test_what_is_gone_is_gone():
    host = holding()
    gone(host)
    host.steps.clear()
    result = gone(host)
    assert not result["changed"]
    assert result["removed"]["certificates"] == []
    assert host.steps == ["read"]


def test_check_mode_tells_the_same_and_changes_nothing():
    host = holding()
    predicted = gone(host, check=True)
    assert host.changes == []
    done = gone(host)
    assert predicted == done


def test_a_run_that_was_cut_after_the_key_was_deleted_is_finished():
    host = holding()
    host.containers.clear()
    assert gone(host)["changed"]
    assert host.my == []


def test_a_key_that_could_not_be_deleted_keeps_its_certificate():
    host = holding()
    host.faults["delkey"] = failing("keyprovider exitkey -2146893808\r\n")
    host.faults["delstore"] = failing("")
    error = refused(host)
    assert "0x80090010" in error.message
    assert "'te-old'" in error.message
    assert "was not removed" in error.message
    assert host.my
    assert "if($k -eq 0 -or $k -eq -2146893802)" in host.scripts[-1]


def test_the_key_can_be_left():
    host = holding()
    result = gone(host, remove_key=False)
    assert result["removed"]["containers"] == []
    assert host.containers
    assert host.changes == ["delstore"]


@pytest.mark.parametrize(
    ("key", "word"),
    [
        (key_in("Microsoft Base Smart Card Crypto Provider", 1), "hardware"),
        (key_in("Microsoft Platform Crypto Provider", 0, key_spec=0), "hardware"),
        (key_in("Fabrikam Cryptographic Provider", 1), "not known"),
        (key_in(SCHANNEL, 12, None), "does not identify"),
        (key_in(SCHANNEL, 0), "does not identify"),
        (key_in(flags=0), "belongs to a user"),
    ],
)
def test_keys_that_are_not_plainly_the_computers_own_are_left_with_a_note(key, word):
    host = holding(key)
    result = gone(host)
    assert host.changes == ["delstore"]
    assert word in result["warnings"][0]
    assert result["changed"]


def test_a_container_that_others_use_is_not_deleted():
    other = Held(issued(), key_in(SCHANNEL.upper(), container="TE-OLD"))
    for host in (holding(None, other), holding(request=[other])):
        error = refused(host)
        assert other.thumbprint in error.message
        assert host.changes == []
        assert gone(host, remove_key=False)["changed"]


def test_a_certificate_that_lync_uses_stays():
    host = holding()
    host.lync = f"{issued().thumbprint} {OLD.thumbprint.lower()}"
    error = refused(host)
    assert "Default" in error.message
    assert "Assign another certificate first" in error.remedy
    assert host.changes == []
    with pytest.raises(EnrolmentError, match="Default"):
        archive(host, "fe01", wish(), LYNC, check_mode=False)
    host.lync = issued().thumbprint
    assert gone(host)["changed"]


@pytest.mark.parametrize(("days", "used"), [(1, True), (-1, False)])
def test_a_certificate_stays_until_the_one_that_was_rolled_takes_its_place(days, used):
    host = holding()
    values = dict.fromkeys(COLUMNS, "") | {
        "Use": "Default",
        "Thumbprint": issued().thumbprint,
        "PreviousThumbprint": OLD.thumbprint,
        "EffectiveDate": (AT + timedelta(days=days)).isoformat(),
    }
    host.lync = issued().thumbprint
    told = base64.b64encode(f"{','.join(values)}\n{','.join(values.values())}\n".encode()).decode()
    host.faults["lync"] = failing(f"keyprovider local {told}\r\nkeyprovider end\r\n")
    if used:
        assert "Default" in refused(host).message
    else:
        assert gone(host)["changed"]


def test_when_lync_does_not_tell_nothing_is_removed():
    host = holding()
    for answer in (stopping("Access is denied."), failing("")):
        host.faults["lync"] = answer
        with pytest.raises(HostError, match="Whether Lync uses the certificate"):
            gone(host)
        assert host.changes == []


def test_global_assignments_that_cannot_be_read_are_told():
    host = holding()
    host.lync = ""
    host.faults["lync"] = lambda fake, script, data: (
        "keyprovider globalerror " + "QWNjZXNzIGlzIGRlbmllZC4=\r\n" + fake._lync(script, data)
    )
    assert "global assignments" in gone(host)["warnings"][0]


def test_a_pending_request_goes_with_its_key_and_its_file():
    host = FakeHost(request=[Held(OLD, key_in(container="te-old"))], saved={IDENTITY: csr_of(OLD)})
    result = gone(host, store="Request")
    assert result["removed"]["requests"] == [IDENTITY]
    assert (host.request, host.saved, host.containers) == ([], {}, set())
    assert "lync" not in host.steps
    assert result["diff"][0]["before_header"].startswith("Request\\")


def test_a_certificate_that_stays_after_all_is_told():
    host = holding()
    host.faults["delstore"] = failing("keyprovider exitstore -2147024891\r\n")
    error = refused(host)
    assert "still in My, without its key" in error.message
    assert "0x80070005" in error.message


@pytest.mark.parametrize("step", ["delkey", "delstore"])
def test_a_script_that_ends_early_is_told(step):
    host = holding()
    host.faults[step] = stopping("Out of memory.")
    assert "did not run to its end" in refused(host).message


def test_a_connection_that_breaks_tells_that_the_outcome_is_not_known():
    host = holding()

    def broken(fake, script, data):
        raise HostUnreachable("It broke.", remedy="Check the network.")

    host.faults["delstore"] = broken
    with pytest.raises(HostUnreachable, match="Whether the certificate was removed is not known"):
        gone(host)


def test_a_container_whose_name_cannot_be_passed_stops_everything():
    with pytest.raises(HostError, match="double quote"):
        gone(holding(key_in(container='a"b')))


def test_archiving_sets_the_property_and_reads_it_back():
    host = holding()
    predicted = archive(host, "fe01", wish(), LYNC, check_mode=True)
    assert host.changes == []
    done = archive(host, "fe01", wish(), LYNC, check_mode=False)
    assert done["changed"]
    assert done["certificates"][0]["archived"]
    assert predicted["diff"] == done["diff"]
    assert host.containers
    again = archive(host, "fe01", wish(), LYNC, check_mode=False)
    assert not again["changed"]
    assert again["diff"] == []


def test_archiving_that_did_not_happen_is_told():
    host = holding()
    host.faults["repair"] = failing("Zugriff verweigert\r\nkeyprovider exitrepair -2147024891\r\n")
    with pytest.raises(EnrolmentError, match=r"is not archived.*0x80070005.*Zugriff verweigert"):
        archive(host, "fe01", wish(), LYNC, check_mode=False)


def test_only_certificates_that_are_there_can_be_archived():
    with pytest.raises(EnrolmentError, match="holds no certificate"):
        archive(FakeHost(), "fe01", wish(), LYNC, check_mode=False)
    with pytest.raises(EnrolmentError, match="Only certificates of the store My"):
        archive(holding(), "fe01", wish(store="Request"), LYNC, check_mode=False)


def test_a_thumbprint_is_taken_however_it_was_copied():
    spaced = "\u200e" + " ".join(OLD.thumbprint[at : at + 2].lower() for at in range(0, 40, 2))
    assert checked_thumbprint(spaced) == OLD.thumbprint
    with pytest.raises(EnrolmentError, match="40 hexadecimal digits"):
        checked_thumbprint("'; exit")


class Converted(FakeHost):
    """A host with the stores in which conversions record other keys of certificates."""

    def __init__(self, my=(), former=(), staged=()):
        super().__init__(my=my)
        self.aside = {FORMER: list(former), STAGED: list(staged)}
        self.containers |= {(held.key.provider, held.key.container) for held in (*former, *staged)}
        self.done = []
        self.faults |= {"read": Converted._read, "delkey": Converted._delete_key, "delstore": Converted._forget}

    def _read(self, script, data):
        output = FakeHost._query(self, script, data)
        for store, stored in self.aside.items():
            if stored and f"\\{store}\\Certificates" in script:
                output += reg_query({held.thumbprint: held.blob for held in stored}, store)
        return f"{output}keyprovider exitaside 0\r\n"

    def _delete_key(self, script, data):
        for variable, value in re.findall(r"^(\$[vc])=('[^']+')$", script, re.MULTILINE):
            script = script.replace(f" {variable} ", f" {value} ").replace(f" {variable}\n", f" {value}\n")
        output = FakeHost._delkey(self, script, data)
        self.done.append(re.findall(r"'-delkey' '([^']+)'", script)[0])
        return output if "exitkeya" not in script else output.replace("exitkey ", "exitkeya ")

    def _forget(self, script, data):
        [(store, thumbprint)] = re.findall(r"'-delstore' '(\w+)' '(\w+)'", script)
        self.done.append(store)
        if store not in self.aside:
            return FakeHost._delstore(self, script, data)
        self.aside[store] = [held for held in self.aside[store] if held.thumbprint != thumbprint]
        return "keyprovider exitstorea 0\r\n"


NOW = Held(OLD, key_in(container="te-new"), "Old")
THEN = Held(OLD, cng("tq-old"), "Old")
FORMER_KEY = {"provider": KSP, "container": "tq-old"}
PRESENT_KEY = {"provider": SCHANNEL, "container": "te-new"}


def test_the_key_that_a_conversion_left_goes_before_the_certificate():
    host = Converted([NOW], [THEN])
    predicted = gone(host, check=True)
    assert host.done == []
    result = gone(host)
    assert predicted == result
    assert result["removed"]["containers"] == [FORMER_KEY, PRESENT_KEY]
    assert host.done == ["tq-old", FORMER, "te-new", "My"]
    assert (host.my, host.aside[FORMER], host.containers) == ([], [], set())
    assert [each["before_header"].split("\\")[0] for each in result["diff"]] == [FORMER, "My"]
    assert not gone(host)["changed"]


def test_a_record_of_the_key_in_use_goes_without_its_container_which_goes_with_the_certificate():
    host = Converted([NOW], [THEN], [Held(OLD, key_in(SCHANNEL.upper(), container="TE-NEW"))])
    result = gone(host)
    assert result["removed"]["containers"] == [FORMER_KEY, PRESENT_KEY]
    assert sorted(host.done[:-2]) == sorted(["tq-old", FORMER, STAGED])
    assert host.done[-2:] == ["te-new", "My"]


@pytest.mark.parametrize("cut", range(4))
def test_a_removal_that_was_cut_is_finished(cut):
    host = Converted([NOW], [THEN])
    whole = dict(host.faults)

    def cutting(step):
        def work(fake, script, data):
            if len(fake.done) == cut:
                raise HostUnreachable("It broke.", remedy="Check the network.")
            return step(fake, script, data)

        return work

    host.faults |= {name: cutting(whole[name]) for name in ("delkey", "delstore")}
    with pytest.raises(HostUnreachable, match="is not known"):
        gone(host)
    assert len(host.done) == cut
    assert host.my
    host.faults = whole
    assert gone(host)["changed"]
    assert (host.my, host.aside[FORMER], host.containers) == ([], [], set())


def test_what_stands_aside_goes_when_the_certificate_is_gone_already():
    host = Converted([], [THEN], [NOW])
    result = gone(host)
    assert result["changed"]
    assert result["removed"]["containers"] == [FORMER_KEY, PRESENT_KEY]
    assert host.containers == set()
    assert "My" not in host.done
    assert not gone(host)["changed"]


def test_keys_that_are_to_stay_lose_their_record_which_is_told():
    host = Converted([NOW], [THEN])
    result = gone(host, remove_key=False)
    assert host.done == [FORMER, "My"]
    assert result["removed"]["containers"] == []
    assert len(host.containers) == 2
    [warning] = result["warnings"]
    assert "'tq-old'" in warning
    assert KSP in warning
    assert "'remove_key'" in warning


@pytest.mark.parametrize("where", ["my", "former"])
def test_a_key_beside_the_certificate_that_others_use_stays(where):
    other = Held(issued(), cng("TQ-OLD"))
    host = Converted([NOW, other] if where == "my" else [NOW], [THEN] if where == "my" else [THEN, other])
    result = gone(host)
    assert (KSP, "tq-old") in host.containers
    assert result["removed"]["containers"] == [PRESENT_KEY]
    assert other.thumbprint in result["warnings"][0]
    assert host.aside[FORMER] == ([other] if where == "former" else [])


def test_the_former_key_of_another_certificate_is_not_deleted():
    other = Held(issued(), key_in(container="te-new"))
    host = Converted([NOW, Held(issued(), key_in(container="te-2"))], [other])
    assert other.thumbprint in refused(host).message
    assert host.done == []


def test_a_key_in_hardware_beside_the_certificate_is_left_with_a_note():
    host = Converted([NOW], [Held(OLD, key_in("Microsoft Platform Crypto Provider", 0, "tpm", key_spec=0))])
    result = gone(host)
    assert "hardware" in result["warnings"][0]
    assert host.done == [FORMER, "te-new", "My"]


def test_a_key_beside_the_certificate_that_could_not_be_deleted_keeps_both():
    host = Converted([NOW], [THEN])
    host.faults["delkey"] = failing("keyprovider exitkeya -2146893808\r\n")
    host.faults["delstore"] = failing("")
    error = refused(host)
    assert "0x80090010" in error.message
    assert "still in My" in error.message
    assert "'remove_key'" in error.remedy
    assert host.my


def test_what_was_removed_before_a_failure_is_told():
    host = Converted([NOW], [THEN])
    delete = host.faults["delstore"]
    host.faults["delstore"] = lambda fake, script, data: (
        delete(fake, script, data) if FORMER in script else "keyprovider exitstore -2147024891\r\n"
    )
    message = refused(host).message
    assert "still in My" in message
    assert "The key 'tq-old'" in message


def test_archiving_and_pending_requests_leave_what_stands_aside():
    host = Converted([NOW], [THEN])
    archive(host, "fe01", wish(), LYNC, check_mode=False)
    assert not gone(host, store="Request")["changed"]
    assert host.done == []
    assert host.aside[FORMER] == [THEN]


def test_each_script_takes_the_longest_name_of_a_container():
    """MAX_PATH characters (CryptAcquireContext), each of which has to be doubled."""
    stored = [Held(OLD, key_in(container=sign + "'" * 259)) for sign in "abc"]
    host = Converted(stored[:1], stored[1:2], stored[2:])
    done = "keyprovider exitkey 0\r\nkeyprovider exitkeya 0\r\n"
    host.faults["delkey"] = failing(done)
    assert len(gone(host)["removed"]["containers"]) == 3
