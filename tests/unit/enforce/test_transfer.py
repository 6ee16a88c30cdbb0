# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the certificate and the key of a PFX into the wished provider."""

from __future__ import annotations

import base64
from datetime import timedelta
from functools import cache

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.transfer import (
    ImportWish,
    checked_pfx,
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
from lab.formats.pfx import Entry, write_entries, write_pfx
from lab.formats.pfx_read import WrongPassword, read_pfx
from lab.pki import Wanted

LYNC = load("lync_2013")
PASSWORD = "Geheim: 1'2\"3 größer"
ROOT = authority().certificate.thumbprint
ISSUER = subordinate().certificate.thumbprint


def run(host, *, check=False, **values):
    wish = {"pfx": values.pop("pfx", None) or pfx(issued(), PASSWORD), "password": PASSWORD, "profile": LYNC, **values}
    return import_pfx(host, "fe02", ImportWish(**wish), check=check, at=AT)


def refused(host, **values):
    with pytest.raises(EnrolmentError) as caught:
        run(host, **values)
    return caught.value


@cache
def leaf_of_subordinate():
    return subordinate().issue(Wanted("CN=fe02.contoso.example", AT - timedelta(days=1), AT + timedelta(days=300)))


def chained(*more, root=True):
    """A PFX with an issuer and its root, and other certificates."""
    leaf = leaf_of_subordinate()
    issuers = [subordinate().certificate.certificate, *([authority().certificate.certificate] if root else [])]
    return write_entries([Entry(leaf.key, leaf.certificate, None)], password=PASSWORD, chain=[*more, *issuers])


def sent(host, number=1):
    """File and password, as a host got them."""
    data = base64.b64decode(b"".join(host.inputs[number].split()))
    return [base64.b64decode(part) for part in data.split(b":")[:2]]


@pytest.mark.parametrize("named", [SCHANNEL, ENHANCED, KSP, "Contoso HSM Key Storage Provider", None])
def test_a_pfx_is_imported_read_back_and_proven_whatever_provider_it_names(named):
    host = FakeHost()
    result = run(host, pfx=pfx(issued(), PASSWORD, named))
    [certificate] = result["certificates"]
    assert result["changed"]
    assert certificate["key"]["provider"] == SCHANNEL
    assert certificate["key"]["key_spec"] == 1
    assert certificate["friendly_name"] == "fe01.contoso.example"
    assert result["proof"]["signed"]
    assert host.steps == ["read", "import", "read", "sign"]
    assert "'MachineKeySet,PersistKeySet'" in host.scripts[1]


def test_a_second_run_changes_nothing():
    host = FakeHost()
    run(host, pfx=chained())
    host.steps.clear()
    again = run(host, pfx=chained())
    assert not again["changed"]
    assert again["proof"]["signed"]
    assert [link["added"] for link in again["chain"]] == [False, False]
    assert (host.changes, again["diff"]) == ([], [])


def test_check_mode_tells_the_same_and_changes_nothing():
    host = FakeHost()
    predicted = run(host, check=True, pfx=chained(), trust_root=True)
    assert host.changes == []
    done = run(host, pfx=chained(), trust_root=True)
    for key in ("thumbprint", "changed", "chain", "warnings"):
        assert predicted[key] == done[key], key
    for key in ("friendly_name", "subject"):
        assert predicted["certificates"][0][key] == done["certificates"][0][key]
    assert predicted["changed"]
    assert [one["before_header"] for one in predicted["diff"]] == [one["before_header"] for one in done["diff"]]


def test_the_users_password_stays_here_and_each_import_has_a_password_of_its_own():
    host = FakeHost()
    result = run(host, exportable=True)
    assert "'MachineKeySet,PersistKeySet,Exportable'" in host.scripts[1]
    made, password = sent(host)
    other = FakeHost()
    run(other)
    assert password != sent(other)[1]
    assert len(password) >= 40
    assert password.isalnum()
    everything = b"".join(host.inputs) + "".join(host.scripts).encode()
    for secret in (PASSWORD.encode(), base64.b64encode(PASSWORD.encode())):
        assert secret not in everything + made
    for secret in (PASSWORD, password.decode(), base64.b64encode(made).decode()):
        assert secret not in "".join(host.scripts)
        assert secret not in repr(result)


@pytest.mark.parametrize(
    ("build", "old_windows_reads_it"),
    [("7601", True), ("14393", True), ("16299", False), ("26100", False), (None, True)],
)
def test_the_host_gets_what_its_windows_can_read(build, old_windows_reads_it):
    host = FakeHost()
    host.build = build
    run(host)
    made, password = (part for part in sent(host))
    if old_windows_reads_it:
        read_pfx(made, password.decode(), aes=False)
    else:
        with pytest.raises(WrongPassword):
            read_pfx(made, password.decode(), aes=False)
        read_pfx(made, password.decode(), aes=True)


def test_issuers_go_to_the_store_of_cas_and_nothing_else_does():
    stranger = subordinate("CN=Contoso Other CA").certificate
    host = FakeHost()
    result = run(host, pfx=chained(stranger.certificate))
    assert host.issuers == {"CA": [ISSUER], "Root": [ROOT]}
    assert result["chain"] == [
        {"thumbprint": ISSUER, "subject": "CN=Contoso Server CA", "store": "CA", "added": True},
        {"thumbprint": ROOT, "subject": "CN=Contoso Issuing CA", "store": "Root", "added": False},
    ]
    assert [one["after_header"] for one in result["diff"]][1:] == [f"CA\\{ISSUER}"]
    assert result["warnings"] == []


def test_an_issuer_that_is_there_is_not_added_again():
    host = FakeHost()
    host.issuers["CA"].append(ISSUER)
    result = run(host, pfx=chained())
    assert [link["added"] for link in result["chain"]] == [False, False]
    assert host.issuers == {"CA": [ISSUER], "Root": [ROOT]}


def test_a_root_that_is_not_trusted_is_left_out_and_told():
    host = FakeHost()
    host.issuers["Root"].clear()
    result = run(host, pfx=chained())
    assert result["chain"][1] == {
        "thumbprint": ROOT,
        "subject": "CN=Contoso Issuing CA",
        "store": None,
        "added": False,
    }
    assert "does not trust the certificate" in result["warnings"][0]
    assert host.issuers["Root"] == []


def test_a_root_is_installed_when_that_is_wished_also_later():
    host = FakeHost()
    host.issuers["Root"].clear()
    run(host, pfx=chained())
    host.steps.clear()
    planned = run(host, pfx=chained(), trust_root=True, check=True)
    assert host.changes == []
    result = run(host, pfx=chained(), trust_root=True)
    assert host.changes == ["issuers"]
    assert (planned["changed"], planned["chain"]) == (True, result["chain"])
    assert result["changed"]
    assert host.issuers == {"CA": [ISSUER], "Root": [ROOT]}
    assert (result["chain"][1]["store"], result["chain"][1]["added"]) == ("Root", True)
    assert result["warnings"] == []
    assert not run(host, pfx=chained(), trust_root=True)["changed"]


def test_roots_are_not_read_when_the_file_holds_none():
    host = FakeHost()
    result = run(host, pfx=chained(root=False), trust_root=True)
    assert "'Root'" not in "".join(host.scripts)
    assert "no root to install" in result["warnings"][0]


def test_issuers_that_could_not_be_added_later_are_told():
    host = FakeHost()
    run(host, pfx=chained())
    host.issuers["CA"].clear()
    host.faults["issuers"] = stopping("Access is denied.")
    error = refused(host, pfx=chained())
    assert "'CN=Contoso Server CA' could not be put into CA of fe02: Access is denied." in error.message
    assert "certificate itself is installed" in error.message


def test_an_issuer_that_is_not_there_afterwards_is_told():
    host = FakeHost()
    host.faults["issuers"] = failing("")
    assert "could not be put into CA" in refused(host, pfx=chained()).message


@pytest.mark.parametrize(
    ("made", "word"),
    [
        (lambda: pfx(issued(), "another"), "password"),
        (lambda: b"garbage", "not a PFX"),
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
            "certificate",
        ),
        (lambda: pfx(issued("ec.contoso.example", key="p256"), PASSWORD), "EC"),
    ],
)
def test_a_pfx_that_will_not_do_never_reaches_the_host(made, word):
    host = FakeHost()
    error = refused(host, pfx=made())
    assert word in error.message
    assert error.remedy
    assert "'password'" not in error.message + error.remedy
    assert "Geheim" not in error.message + error.remedy
    assert host.steps == []


def test_another_provider_can_be_wished():
    host = FakeHost()
    assert run(host, provider=ENHANCED.upper())["proof"]["provider"] == ENHANCED


@pytest.mark.parametrize(
    ("provider", "word"),
    [
        (KSP, "key storage provider"),
        ("Microsoft Base Smart Card Crypto Provider", "does not take RSA keys from a file"),
        ("Contoso CSP", "is not known"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_a_provider_that_takes_no_keys_of_files_cannot_be_wished(provider, word, check):
    host = FakeHost()
    assert word in refused(host, provider=provider, check=check).message
    assert host.steps == []


@pytest.mark.parametrize(
    ("asked", "in_file", "name"),
    [
        (None, 'Größe 1 \u2014 "a"', 'Größe 1 \u2014 "a"'),
        ("Lync Edge", "From the file", "Lync Edge"),
        (None, None, "fe01.contoso.example"),
        (None, "Pool", "Pool (2)"),
    ],
)
def test_the_name_is_the_one_asked_for_else_that_of_the_file(asked, in_file, name):
    host = FakeHost(my=[Held(issued("other.contoso.example"), key_in(), "Pool")])
    made = write_pfx(
        issued().key,
        issued().certificate,
        password=PASSWORD,
        provider=None,
        machine_keyset=False,
        friendly_name=in_file,
        container="le-1",
    )
    assert run(host, pfx=made, friendly_name=asked)["certificates"][0]["friendly_name"] == name
    assert host.changes == ["import"]
    assert not run(host, pfx=made, friendly_name=asked)["changed"]


def test_a_certificate_that_is_not_valid_is_not_imported():
    host = FakeHost()
    host.clock = AT - timedelta(days=30)
    assert "not come yet" in refused(host).message
    host.clock = AT + timedelta(days=3000)
    assert "was valid until" in refused(host).message
    assert host.changes == []


def test_a_certificate_that_is_there_without_its_key_is_left_alone():
    host = FakeHost(my=[Held(issued(), None)])
    assert "without a key" in refused(host).message
    assert host.changes == []


@pytest.mark.parametrize("key", [cng(), key_in(ENHANCED, 1)])
def test_a_certificate_that_is_there_with_its_key_elsewhere_is_left_alone(key):
    host = FakeHost(my=[Held(issued(), key)])
    error = refused(host)
    assert key.provider in error.message
    assert "certificate_convert" in error.remedy
    assert host.changes == []


def test_an_import_into_another_provider_is_taken_back():
    host = FakeHost()
    host.import_provider = cng("imported")
    error = refused(host, pfx=chained())
    assert KSP in error.message
    assert "were taken back" in error.message
    assert "issuers" in error.message
    assert (host.my, host.containers) == ([], set())


def test_an_import_that_could_not_be_taken_back_is_told():
    host = FakeHost()
    host.import_provider = cng("imported")
    host.faults["delkey"] = failing("keyprovider exitkey -2146893808\r\n")
    host.faults["delstore"] = failing("")
    assert "could not be taken back" in refused(host).message


def test_what_windows_does_not_open_is_told_with_what_it_cannot_be():
    host = FakeHost()
    host.faults["import"] = stopping("Das angegebene Netzwerkkennwort ist falsch.")
    error = refused(host)
    assert "Netzwerkkennwort" in error.message
    assert "Nothing was imported" in error.message
    assert "neither is wrong" in error.message
    assert "CredSSP" in error.remedy
    assert "Geheim" not in error.message
    assert host.my == []


def test_what_cannot_be_put_into_the_store_is_told_with_the_key_that_may_be_left():
    host = FakeHost()
    host.faults["import"] = stopping(
        "Access is denied.", "keyprovider exitread 1\r\nkeyprovider container bGVmdA==\r\n"
    )
    error = refused(host)
    assert "left in the container 'left'" in error.message
    assert f'certutil -csp "{SCHANNEL}" -delkey "left"' in error.remedy


def test_a_host_that_could_not_be_read_to_the_end_gets_nothing():
    host = FakeHost()
    host.faults["read"] = failing("keyprovider exitmy 0\r\nkeyprovider exitrequest 1\r\n")
    assert "Nothing was changed" in refused(host).message
    assert host.changes == []


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


def test_a_wish_does_not_show_its_secrets():
    shown = repr(ImportWish(pfx=b"secret file", password=PASSWORD, profile=LYNC))
    assert "Geheim" not in shown
    assert "secret file" not in shown
