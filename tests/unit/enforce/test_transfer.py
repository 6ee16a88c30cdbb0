# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a certificate with its private key from one host to another."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.transfer import (
    ImportWish,
    checked_pfx,
    export_pfx,
    import_pfx,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import HostUnreachable
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from installed_host import (
    AT,
    ENHANCED,
    KSP,
    SCHANNEL,
    FakeHost,
    Held,
    authority,
    cng,
    failing,
    issued,
    key_in,
    pfx,
    stopping,
    subordinate,
)
from lab.formats.pfx import Entry, write_entries
from lab.pki import Wanted

LYNC = load("lync_2013")
PASSWORD = "Geheim: 1'2\"3 größer"


def run(host, *, check=False, **values):
    wish = {"pfx": values.pop("pfx", None) or pfx(issued(), PASSWORD), "password": PASSWORD, "profile": LYNC, **values}
    return import_pfx(host, "fe02", ImportWish(**wish), check=check, at=AT)


def refused(host, **values):
    with pytest.raises(EnrolmentError) as caught:
        run(host, **values)
    return caught.value


def test_a_pfx_is_imported_read_back_named_and_proven():
    host = FakeHost()
    result = run(host)
    [certificate] = result["certificates"]
    assert result["changed"]
    assert certificate["key"]["provider"] == SCHANNEL
    assert certificate["friendly_name"] == "fe01.contoso.example"
    assert result["proof"]["signed"]
    assert host.changes == ["import", "repair"]
    assert "'MachineKeySet,PersistKeySet'" in host.scripts[1]


def test_a_second_run_changes_nothing():
    host = FakeHost()
    run(host)
    host.steps.clear()
    assert not run(host)["changed"]
    assert host.changes == []


def test_check_mode_tells_the_same_and_changes_nothing():
    host = FakeHost()
    predicted = run(host, check=True)
    assert host.changes == []
    done = run(host)
    assert predicted["thumbprint"] == done["thumbprint"]
    assert predicted["certificates"][0]["friendly_name"] == done["certificates"][0]["friendly_name"]
    assert predicted["changed"]


def test_password_and_key_are_on_no_command_line_and_in_no_result():
    host = FakeHost()
    result = run(host, exportable=True)
    assert "'MachineKeySet,PersistKeySet,Exportable'" in host.scripts[1]
    for script in host.scripts:
        assert "Geheim" not in script
        assert base64.b64encode(PASSWORD.encode()).decode() not in script
    assert "Geheim" not in repr(result)


def test_issuers_go_to_the_store_of_cas_and_nothing_else_does():
    issuer, stranger = subordinate().certificate, subordinate("CN=Contoso Other CA").certificate
    leaf = subordinate().issue(Wanted("CN=fe02.contoso.example", AT - timedelta(days=1), AT + timedelta(days=300)))
    made = write_entries(
        [Entry(leaf.key, leaf.certificate, SCHANNEL, True)],
        password=PASSWORD,
        chain=[authority().certificate.certificate, stranger.certificate, issuer.certificate],
    )
    host = FakeHost()
    run(host, pfx=made)
    assert f"@('{issuer.thumbprint}') -contains" in host.scripts[1]
    assert authority().certificate.thumbprint not in host.scripts[1]


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (lambda: pfx(issued(), "another"), "password does not open"),
        (lambda: b"garbage", "not a PFX"),
        (lambda: pfx(issued(), PASSWORD, KSP), KSP),
        (lambda: pfx(issued(), PASSWORD, ENHANCED), ENHANCED),
        (lambda: pfx(issued(), PASSWORD, None), "the file names none"),
        (lambda: write_entries([], password=PASSWORD, chain=[issued().certificate]), "no private key"),
        (
            lambda: write_entries(
                [
                    Entry(one.key, one.certificate, SCHANNEL, True)
                    for one in (issued(), issued("other.contoso.example"))
                ],
                password=PASSWORD,
            ),
            "2 private keys",
        ),
        (
            lambda: write_entries(
                [Entry(issued().key, issued("other.contoso.example").certificate, SCHANNEL, True)], password=PASSWORD
            ),
            "No certificate in the PFX belongs",
        ),
        (lambda: pfx(issued("ec.contoso.example", key="p256"), PASSWORD), "takes RSA keys"),
    ],
)
def test_a_pfx_that_will_not_do_never_reaches_the_host(made, word):
    host = FakeHost()
    error = refused(host, pfx=made())
    assert word in error.message
    assert error.remedy
    assert host.steps == []


def test_another_provider_can_be_wished():
    host = FakeHost()
    host.import_provider = key_in(ENHANCED, 1, "imported")
    assert run(host, pfx=pfx(issued(), PASSWORD, ENHANCED), provider=ENHANCED)["proof"]["provider"] == ENHANCED


def test_a_certificate_that_is_not_valid_is_not_imported():
    host = FakeHost()
    host.clock = AT - timedelta(days=30)
    assert "not come yet" in refused(host).message
    assert host.changes == []


def test_a_certificate_that_is_there_without_its_key_is_left_alone():
    host = FakeHost(my=[Held(issued(), None)])
    assert "without a key" in refused(host).message
    assert host.changes == []


def test_a_certificate_that_is_there_with_its_key_elsewhere_is_left_alone():
    host = FakeHost(my=[Held(issued(), cng())])
    assert KSP in refused(host).message
    assert host.changes == []


def test_an_import_into_another_provider_is_taken_back():
    host = FakeHost()
    host.import_provider = cng("imported")
    error = refused(host)
    assert KSP in error.message
    assert "were taken back" in error.message
    assert (host.my, host.containers) == ([], set())


def test_an_import_that_could_not_be_taken_back_is_told():
    host = FakeHost()
    host.import_provider = cng("imported")
    host.faults["delkey"] = failing("keyprovider exitkey -2146893808\r\n")
    host.faults["delstore"] = failing("")
    assert "could not be taken back" in refused(host).message


def test_what_windows_does_not_open_is_told():
    host = FakeHost()
    host.faults["import"] = stopping("Das angegebene Netzwerkkennwort ist falsch.")
    error = refused(host)
    assert "Netzwerkkennwort" in error.message
    assert "Nothing was imported" in error.message
    assert "Geheim" not in error.message


def test_what_cannot_be_put_into_the_store_is_told_with_the_key_that_may_be_left():
    host = FakeHost()
    host.faults["import"] = stopping(
        "Access is denied.", "keyprovider exitread 1\r\nkeyprovider container bGVmdA==\r\n"
    )
    error = refused(host)
    assert "left in the container 'left'" in error.message
    assert f'certutil -csp "{SCHANNEL}" -delkey "left"' in error.remedy


def test_a_connection_that_breaks_tells_that_the_outcome_is_not_known():
    host = FakeHost()

    def broken(fake, script, data):
        raise HostUnreachable("It broke.")

    host.faults["import"] = broken
    with pytest.raises(HostUnreachable, match="Whether the PFX was imported is not known"):
        run(host)


def test_base64_may_have_line_ends_but_must_be_base64():
    assert checked_pfx("AAEC\nAwQF\r\n") == bytes(range(6))
    with pytest.raises(EnrolmentError, match="not base64"):
        checked_pfx("***")


def exported(host, password=PASSWORD, thumbprint=None):
    return export_pfx(host, "fe01", thumbprint or issued().thumbprint, password)


def test_what_is_exported_can_be_imported_elsewhere():
    host = FakeHost(my=[Held(issued(), key_in(), "Pool")])
    result = exported(host)
    assert not result["changed"]
    assert result["key"]["provider"] == SCHANNEL
    assert "Geheim" not in repr(host.scripts)
    other = FakeHost()
    assert run(other, pfx=checked_pfx(result["pfx"]))["thumbprint"] == result["thumbprint"]
    assert host.changes == []


@pytest.mark.parametrize(
    ("host", "fault", "word"),
    [
        (FakeHost(), None, "holds no certificate"),
        (FakeHost(my=[Held(issued(), cng())]), None, KSP),
        (FakeHost(my=[Held(issued(), None)]), None, "no provider"),
        (
            FakeHost(my=[Held(issued(), key_in())]),
            stopping("Key not valid for use in specified state."),
            "Key not valid",
        ),
        (FakeHost(my=[Held(issued(), key_in())]), failing("keyprovider exitfound 0\r\n"), "does not show"),
        (FakeHost(my=[Held(issued(), key_in())]), failing(""), "did not run to its end"),
    ],
)
def test_what_cannot_be_exported_is_told(host, fault, word):
    if fault:
        host.faults["export"] = fault
    with pytest.raises(EnrolmentError, match=word) as caught:
        exported(host)
    assert caught.value.remedy


def test_a_pfx_without_the_key_is_seen_on_the_controller():
    host = FakeHost(my=[Held(issued(), key_in())])
    stranger = base64.b64encode(pfx(issued("other.contoso.example"), PASSWORD)).decode()
    host.faults["export"] = failing(f"keyprovider exitfound 1\r\nkeyprovider pfx {stranger}\r\n")
    with pytest.raises(EnrolmentError, match="cannot be used"):
        exported(host)


def test_an_empty_password_protects_nothing():
    host = FakeHost(my=[Held(issued(), key_in())])
    with pytest.raises(EnrolmentError, match="password is empty"):
        exported(host, "")
    assert host.steps == []
