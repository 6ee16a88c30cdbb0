# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the answer to a pending request: read, check, accept, read back, name, prove."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.installation import InstallWish, install
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import HostError, HostUnreachable
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from installed_host import (
    AT,
    ENHANCED,
    IDENTITY,
    KSP,
    SCHANNEL,
    FakeHost,
    Held,
    authority,
    cng,
    csr_of,
    failing,
    issued,
    key_in,
    pem,
    stopping,
    subordinate,
)
from lab.pki import Wanted

LYNC = load("lync_2013")


def waiting(certificate=None, key=None, **values):
    """A host with a pending request and its saved file."""
    certificate = certificate or issued()
    host = FakeHost(
        request=[Held(certificate, key or key_in(), "Pool")], saved={IDENTITY: csr_of(certificate)}, **values
    )
    host.clock = AT
    return host


def run(host, certificate=None, *, check=False, **wish):
    data = wish.pop("data", None) or pem(certificate or issued())
    wish.setdefault("chain", (pem(authority().certificate),))
    return install(host, "fe01", InstallWish(certificate=data, profile=LYNC, **wish), check=check, at=AT)


def refused(host, certificate=None, **wish):
    with pytest.raises(EnrolmentError) as caught:
        run(host, certificate, **wish)
    return caught.value


def test_an_answer_is_accepted_read_back_and_proven():
    host = waiting()
    result = run(host)
    [certificate] = result["certificates"]
    assert result["changed"]
    assert result["thumbprint"] == certificate["thumbprint"] == issued().thumbprint
    assert (certificate["key"]["kind"], certificate["key"]["provider"]) == ("csp", SCHANNEL)
    assert certificate["friendly_name"] == "Pool"
    assert certificate["verdict"]["profile"] == "lync_2013"
    assert result["proof"] == {"signed": True, "provider": SCHANNEL, "provider_type": 12, "key_spec": 1}
    assert result["removed"] == {"certificates": [], "containers": [], "requests": [IDENTITY]}
    assert host.saved == {}
    assert host.ca == []
    assert host.steps == ["read", "accept", "read", "tidy", "sign"]
    assert [row["before"] for row in result["diff"]] == ["", "request.req\n"]


def test_a_second_run_only_reads_back():
    host = waiting()
    run(host)
    host.steps.clear()
    result = run(host)
    assert not result["changed"]
    assert result["diff"] == []
    assert result["proof"]["signed"]
    assert host.changes == []


def test_a_run_that_was_cut_after_the_installation_is_finished():
    host = FakeHost(my=[Held(issued(), key_in(), "Pool")], saved={IDENTITY: csr_of(issued())})
    result = run(host)
    assert result["changed"]
    assert result["removed"]["requests"] == [IDENTITY]
    assert host.changes == ["tidy"]


def test_check_mode_tells_the_same_and_changes_nothing():
    host = waiting()
    predicted = run(host, check=True)
    assert host.changes == []
    assert host.saved
    done = run(host)
    for key in ("changed", "thumbprint", "removed", "diff"):
        assert predicted[key] == done[key], key
    assert predicted["proof"] is None
    assert predicted["certificates"][0]["key"] == done["certificates"][0]["key"]


def test_a_bag_with_the_chain_is_taken_and_the_leaf_found_in_it():
    host = waiting()
    result = run(host, data=pem(authority().certificate) + pem(issued()), chain=())
    assert result["thumbprint"] == issued().thumbprint


def test_issuers_go_along_but_no_root_and_nothing_that_did_not_issue_it():
    stranger = subordinate("CN=Contoso Other CA").certificate
    leaf = subordinate().issue(Wanted("CN=fe01.contoso.example", AT - timedelta(days=1), AT + timedelta(days=300)))
    host = FakeHost(request=[Held(leaf, key_in(), "Pool")])
    chain = (pem(authority().certificate), pem(stranger), pem(subordinate().certificate))
    run(host, leaf, chain=chain)
    assert host.ca == ["CN=Contoso Server CA"]


def test_a_certificate_for_another_key_is_refused_before_anything_is_done():
    host = waiting()
    error = refused(host, issued("other.contoso.example"))
    assert "answers a pending request" in error.message
    assert "CN=fe01.contoso.example" in error.message
    assert host.changes == []


def test_a_request_with_its_key_elsewhere_is_not_answered():
    for key, provider in ((key_in(ENHANCED, 1), ENHANCED), (cng(), KSP)):
        host = waiting(key=key)
        error = refused(host)
        assert f"answers a key in provider {provider}" in error.message
        assert host.changes == []


def test_another_provider_can_be_wished():
    host = waiting(key=key_in(ENHANCED, 1))
    assert run(host, provider=ENHANCED.upper())["certificates"][0]["key"]["provider"] == ENHANCED


def test_a_key_storage_provider_cannot():
    host = waiting()
    assert "key storage provider" in refused(host, provider=KSP).message
    assert host.steps == []


def test_a_certificate_that_lacks_names_is_refused_unless_told_otherwise():
    host = FakeHost(
        request=[Held(issued(), key_in(), "Pool")],
        saved={IDENTITY: csr_of(issued(), "fe01.contoso.example", "sip.contoso.example")},
    )
    assert "sip.contoso.example" in refused(host).message
    assert host.changes == []
    assert run(host, accept_other_names=True)["changed"]


def test_without_the_saved_request_the_names_cannot_be_compared_and_that_is_told():
    host = FakeHost(request=[Held(issued(), key_in(), "Pool")])
    result = run(host)
    assert "were not compared" in result["warnings"][0]
    assert result["removed"]["requests"] == []


@pytest.mark.parametrize(
    ("days", "host_clock", "word"),
    [
        ({"begins": 2, "ends": 300}, 0, "not come yet"),
        ({"begins": -300, "ends": -2}, 0, "was valid until"),
        ({}, -30, "not come yet"),
        ({}, 4000, "was valid until"),
    ],
)
def test_a_certificate_that_is_not_valid_by_both_clocks_is_refused(days, host_clock, word):
    certificate = issued(**days)
    host = waiting(certificate)
    host.clock = AT + timedelta(days=host_clock)
    error = refused(host, certificate)
    assert word in error.message
    assert AT.strftime("%Y-%m-%dT%H:%M:%SZ") in error.message
    assert host.clock.strftime("%Y-%m-%dT%H:%M:%SZ") in error.message
    assert host.changes == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (-2146762487, ("0x800b0109", "root of the chain is not trusted", "still pending")),
        (-2146885628, ("0x80092004", "No pending request", "still pending")),
        (0, ("0x00000000", "not in My", "still pending")),
    ],
)
def test_what_certreq_refuses_is_explained_and_the_request_stays(code, words):
    host = waiting()
    host.faults["accept"] = failing(f"Texte allemand\r\nkeyprovider exitaccept {code}\r\n")
    host.faults["tidy"] = failing("")
    error = refused(host)
    for word in words:
        assert word in error.message
    assert error.remedy
    assert host.request
    assert "if($a -eq 0)" in host.scripts[1]


def test_an_exit_code_of_failure_does_not_count_against_what_is_in_the_store():
    host = waiting()
    host.faults["accept"] = lambda fake, script, data: fake._accept(script, data).replace(
        "exitaccept 0", "exitaccept -2146762487"
    )
    assert run(host)["proof"]["signed"]


def test_a_script_that_ends_early_tells_the_state():
    host = waiting()
    host.faults["accept"] = stopping("There is not enough space on the disk.")
    error = refused(host)
    assert "not enough space" in error.message
    assert "still pending" in error.message


def test_a_connection_that_breaks_tells_that_the_outcome_is_not_known():
    host = waiting()

    def broken(fake, script, data):
        raise HostUnreachable("It broke.", remedy="Check the network.")

    host.faults["accept"] = broken
    with pytest.raises(
        HostUnreachable, match=r"It broke\. Whether the certificate was installed is not known"
    ) as caught:
        run(host)
    assert "second run" in caught.value.remedy


def test_a_key_that_ends_elsewhere_is_told():
    host = waiting()

    def astray(fake, script, data):
        fake.request[0] = Held(fake.request[0].issued, cng(), "Pool")
        return fake._accept(script, data)

    host.faults["accept"] = astray
    error = refused(host)
    assert KSP in error.message
    assert "was installed, and nothing uses it yet" in error.message


def test_an_installed_certificate_with_its_key_elsewhere_is_refused():
    host = FakeHost(my=[Held(issued(), cng(), "Pool")])
    assert f"Its key is in {KSP}" in refused(host).message
    assert host.changes == []


def test_a_certificate_without_a_key_in_my_gets_its_key_from_the_request():
    host = waiting(my=[Held(issued(), None)])
    host.faults["accept"] = lambda fake, script, data: (fake.my.clear(), fake._accept(script, data))[1]
    assert run(host)["certificates"][0]["key"]["provider"] == SCHANNEL


def test_a_certificate_without_a_key_and_without_a_request_is_refused():
    assert "answers no pending request" in refused(FakeHost(my=[Held(issued(), None)]), chain=()).message


def test_a_friendly_name_that_is_taken_gets_a_number():
    other = Held(issued("other.contoso.example"), key_in(container="te-2"), "POOL")
    host = waiting(my=[other])
    result = run(host)
    assert result["certificates"][0]["friendly_name"] == "Pool (2)"
    assert "repair" in host.changes
    host.steps.clear()
    again = run(host)
    assert not again["changed"]
    assert host.changes == []


def test_a_wished_friendly_name_is_given_and_kept():
    host = waiting()
    predicted = run(host, check=True, friendly_name="Lync 2026")
    assert predicted["certificates"][0]["friendly_name"] == "Lync 2026"
    assert run(host, friendly_name="Lync 2026")["certificates"][0]["friendly_name"] == "Lync 2026"
    assert not run(host, friendly_name="Lync 2026")["changed"]
    assert run(host, friendly_name="Another")["changed"]


def test_a_friendly_name_that_could_inject_never_reaches_the_host():
    host = waiting()
    refused(host, friendly_name='a"\r\n[Strings]')
    assert host.steps == []


def test_a_name_that_was_not_taken_is_told_with_what_is_there():
    host = waiting()
    host.faults["repair"] = failing("keyprovider exitrepair -2146893807\r\n")
    error = refused(host, friendly_name="Lync 2026")
    assert "is installed on fe01" in error.message
    assert "0x80090011" in error.message


def test_a_repair_that_moves_the_key_is_seen():
    host = waiting()

    def moving(fake, script, data):
        told = fake._repair(script, data)
        fake.my = [Held(held.issued, cng(), held.friendly_name) for held in fake.my]
        return told

    host.faults["repair"] = moving
    assert "It was so after certutil -repairstore" in refused(host, friendly_name="New").message


def test_a_saved_request_that_cannot_be_removed_is_a_warning():
    host = waiting()
    host.faults["tidy"] = stopping("The file is in use.")
    result = run(host)
    assert "The file is in use" in result["warnings"][0]
    assert result["removed"]["requests"] == []
    assert result["changed"]


def test_directories_of_other_names_are_left_alone():
    host = FakeHost(request=[Held(issued(), key_in(), "Pool")], saved={"..": csr_of(issued()), "a'b": csr_of(issued())})
    assert run(host)["removed"]["requests"] == []
    assert all("..'" not in script for script in host.scripts)


def test_a_host_whose_store_cannot_be_read_is_told():
    host = waiting()
    host.faults["read"] = failing("keyprovider exitmy 1\r\nkeyprovider exitrequest 1\r\n")
    with pytest.raises(HostError, match="could not read the certificate store"):
        run(host)


def test_silence_is_no_answer():
    host = waiting()
    host.faults["read"] = failing("")
    with pytest.raises(HostError, match="did not run to its end"):
        run(host)


def test_garbage_is_no_certificate():
    with pytest.raises(EnrolmentError):
        run(waiting(), data=b"not a certificate")


def test_no_name_of_the_tools_language_decides():
    host = waiting()
    host.faults["accept"] = lambda fake, script, data: "Fehler: 0x80092004\r\n" + fake._accept(script, data)
    assert run(host)["changed"]
