# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a request once: find it again, make it, compare it, and take back what is not as wished."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.request import request_certificate
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.inf import identity, request_inf
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import (
    EnrolmentError,
    RequestWish,
    checked,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import (
    Completed,
    HostError,
    HostUnreachable,
)
from cryptography import x509
from installed_host import AT, ENHANCED, IDENTITY, KSP, SCHANNEL, FakeHost, Held, cng, issued, key_in
from lab.formats.request import armoured, pkcs10
from lab.pki import KeyPool, Wanted, self_signed

WISH = RequestWish("CN=pool01.contoso.example,O=Contoso", ("FE01.contoso.example", "pool01.contoso.example"))
NORMAL = checked(WISH)
NAME = identity(NORMAL)
DATED = f"pool01.contoso.example {AT:%Y-%m-%d}"


def stand_in(subject=WISH.subject):
    """The certificate that certreq puts into REQUEST, each with a key of its own."""
    return self_signed(Wanted(subject, AT, AT + timedelta(days=365)), KeyPool(1))


def csr(key, *, subject=WISH.subject, names=NORMAL.subject_alt_names, provider=SCHANNEL, key_spec=1, **values):
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")])
    extensions = [x509.Extension(value.oid, False, value) for value in (alternative, usage)]
    name = x509.Name.from_rfc4514_string(subject)
    der = pkcs10(key, name, provider=provider, key_spec=key_spec, extensions=extensions, **values)
    return armoured(der).encode()


class Host(FakeHost):
    """The host with certreq -new. What is told of the request and the key can be changed."""

    def __init__(self, **values):
        super().__init__(**values)
        self.code = 0
        self.key = key_in(container="made")
        self.request_values = {}
        self.writes = True
        self.stands_in = True
        self.stops = ""
        self.started = ""
        self.groups = b""
        self.infs = []

    def run(self, *arguments):
        if arguments[0] == "whoami.exe":
            return Completed(0, self.groups, b"")
        return super().run(*arguments)

    def run_script(self, script, stdin=None):
        if "'-new'" not in script:
            return super().run_script(script, stdin)
        assert len(script) <= 2900
        self.steps.append("new")
        (name,) = re.findall(r"'requests'\),'([0-9a-f]{32})'", script)
        self.saved.pop(name, None)
        data = base64.b64decode(b"".join(stdin.split()))
        self.infs.append(data)
        if self.stops:
            error = base64.b64encode(self.stops.encode()).decode()
            return Completed(0, f"{self.started}keyprovider error {error}\r\n".encode(), b"")
        text = data.decode("ascii")
        made = stand_in()
        if self.stands_in:
            friendly_name = re.search(r'FriendlyName = "(.*)"', text)[1]
            self.request.append(Held(made, self.key, friendly_name))
            self.containers.add((self.key.provider, self.key.container))
        output = f"CertReq: whatever it says\r\nkeyprovider exitnew {self.code}\r\n"
        if self.writes:
            self.saved[name] = csr(made.key, **self.request_values)
            output += f"keyprovider req {base64.b64encode(self.saved[name]).decode()}\r\n"
        return Completed(0, (output + self._query("", b"")).encode(), b"")


def run(host, wish=WISH, *, check=False, **values):
    return request_certificate(host, "fe01", wish, check=check, at=AT, **values)


def refused(host, wish=WISH, **values):
    with pytest.raises(EnrolmentError) as caught:
        run(host, wish, **values)
    assert caught.value.remedy
    return caught.value


def nothing_left(host):
    assert host.request == []
    assert host.containers == set()
    assert host.saved == {}


def test_a_request_is_made_compared_and_given_out():
    host = Host()
    result = run(host)
    (held,) = host.request
    assert result["changed"]
    assert not result["reused"]
    assert result["request_thumbprint"] == held.thumbprint
    assert result["identity"] == NAME
    assert result["key"] | {"exportable": None} == {
        **{"kind": "csp", "provider": SCHANNEL, "provider_type": 12, "key_spec": 1, "container": "made"},
        **{"unique_container": None, "flags": 32, "machine_keyset": True, "exportable": None, "present": None},
    }
    assert x509.load_pem_x509_csr(result["csr"].encode()).public_key() == held.issued.key.public_key()
    assert result["friendly_name"] == held.friendly_name == DATED
    assert result["subject_alt_names"] == ["fe01.contoso.example", "pool01.contoso.example"]
    assert host.infs == [request_inf(replace(NORMAL, friendly_name=DATED))]
    assert host.steps == ["read", "new"]
    (change,) = result["diff"]
    assert change["before"] == ""
    assert f"provider: {SCHANNEL}\n" in change["after"]


def test_a_second_run_gives_out_the_same_request():
    host = Host()
    first = run(host)
    host.steps.clear()
    names = ("pool01.contoso.example", "fe01.contoso.example")
    second = run(host, replace(WISH, subject_alt_names=names, template="WebServer", friendly_name="Other"))
    assert not second["changed"]
    assert second["reused"]
    assert second["diff"] == []
    for key in ("csr", "request_thumbprint", "key", "identity", "friendly_name"):
        assert second[key] == first[key], key
    assert host.steps == ["read"]
    assert run(host, check=True)["csr"] == first["csr"]


def test_another_wish_makes_another_request():
    host = Host()
    run(host)
    host.key = key_in(container="second")
    result = run(host, replace(WISH, exportable=True))
    assert result["changed"]
    assert len(host.request) == 2
    assert result["leftovers"] == []
    assert result["friendly_name"] == f"{DATED} (2)"


def test_check_mode_makes_nothing():
    host = Host()
    result = run(host, check=True)
    assert result["changed"]
    assert (result["csr"], result["key"], result["request_thumbprint"]) == (None, None, None)
    assert result["diff"] == run(host)["diff"]
    assert host.steps == ["read", "read", "new"]


def test_a_saved_request_that_is_no_longer_pending_is_replaced():
    host = Host(saved={NAME: csr(stand_in().key)})
    result = run(host)
    assert result["changed"]
    assert x509.load_pem_x509_csr(host.saved[NAME]).public_key() == host.request[0].issued.key.public_key()


@pytest.mark.parametrize("data", [b"", b"damaged", b"-----BEGIN NEW CERTIFICATE REQUEST-----\r\nMII"])
def test_a_saved_request_that_cannot_be_read_is_replaced(data):
    assert run(Host(saved={NAME: data}))["changed"]


def test_a_friendly_name_is_unique_among_certificates_and_requests():
    taken = [
        Held(issued(), key_in(container="a"), DATED),
        Held(issued("other"), key_in(container="b"), f"{DATED} (2)".upper()),
    ]
    assert run(Host(my=taken))["friendly_name"] == f"{DATED} (3)"
    assert run(Host(my=taken), replace(WISH, friendly_name="Pool"))["friendly_name"] == "Pool"
    taken = [Held(issued(), key_in(container="a"), "pool")]
    assert run(Host(request=taken), replace(WISH, friendly_name="Pool"))["friendly_name"] == "Pool (2)"


def test_a_bad_wish_is_refused_before_the_host_is_asked():
    host = Host()
    refused(host, replace(WISH, subject="CN=a\r\nb"))
    refused(host, replace(WISH, provider=KSP))
    assert host.steps == []


def test_a_forced_key_storage_provider():
    host = Host()
    host.key = cng("made")
    host.request_values = {"provider": KSP, "key_spec": 0}
    result = run(host, replace(WISH, provider=KSP), force_provider=True)
    assert result["key"]["kind"] == "ksp"
    assert result["warnings"]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (key_in(ENHANCED, 1, "made"), ENHANCED),
        (key_in(SCHANNEL, 1, "made"), "type 1"),
        (key_in(container="made", key_spec=2), "key specification is 2"),
        (cng("made"), "kind ksp"),
    ],
)
def test_a_key_that_is_elsewhere_is_taken_back(key, said):
    host = Host()
    host.key = key
    error = refused(host)
    assert said in error.message
    assert "removed again" in error.message
    nothing_left(host)


def test_the_key_of_a_user_is_not_accepted_and_left_where_it_is():
    host = Host()
    host.key = key_in(container="made", flags=0)
    error = refused(host)
    assert "belongs to a user" in error.message
    assert "The key was left" in error.message
    assert host.request == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"provider": KSP, "key_spec": 0}, KSP),
        ({"names": ("fe01.contoso.example",)}, "alternative names"),
        ({"subject": "CN=pool02.contoso.example"}, "subject"),
        ({"hash_name": "sha1"}, "sha1"),
    ],
)
def test_a_request_that_is_not_as_wished_is_taken_back(values, said):
    host = Host()
    host.request_values = values
    error = refused(host)
    assert said in error.message
    assert "removed again" in error.message
    nothing_left(host)


def test_a_request_that_was_cut_before_it_was_compared_is_compared_by_the_next_run():
    made = stand_in()
    held = Held(made, key_in(ENHANCED, 1, "made"), "Pool")
    host = Host(request=[held], saved={NAME: csr(made.key)})
    assert "Nothing was changed" in refused(host, check=True).message
    assert host.changes == []
    assert ENHANCED in refused(host).message
    nothing_left(host)


def test_what_cannot_be_taken_back_is_named_with_the_commands():
    host = Host()
    host.key = key_in(ENHANCED, 1, "made")
    host.faults["delkey"] = lambda *_ignored: "keyprovider exitkey -2147024891\r\n!stop"
    error = refused(host)
    (held,) = host.request
    for text in (held.thumbprint, f'certutil -csp "{ENHANCED}" -delkey "made"', "certutil -delstore REQUEST"):
        assert text in error.message


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (-2147024784, "disk"),
        (-2146893805, "provider"),
        (0x80090008, "algorithm"),
        (0x8009FFFF, "0x8009ffff"),
    ],
)
def test_certreq_that_failed_is_explained(code, said):
    host = Host()
    host.code, host.writes, host.stands_in = code, False, False
    error = refused(host)
    assert said in f"{error.message} {error.remedy}".lower()
    assert "No pending request was left" in error.message
    assert "whatever it says" in error.message


def test_certreq_that_failed_after_it_made_a_key_leaves_none():
    host = Host()
    host.code, host.writes = -2147024784, False
    assert "removed again" in refused(host).message
    nothing_left(host)


def test_a_request_that_certreq_wrote_before_it_failed_is_not_used():
    host = Host()
    host.code = -2146893805
    assert "0x80090013" in refused(host).message
    nothing_left(host)


def test_certreq_may_end_without_an_error_and_write_nothing():
    host = Host()
    host.writes = False
    assert "wrote no request" in refused(host).message
    nothing_left(host)


def test_a_request_without_an_entry_in_the_store_is_refused():
    host = Host()
    host.stands_in = False
    assert "no entry with its key" in refused(host).message


def test_a_pending_request_of_somebody_else_is_never_taken_back():
    other = Held(stand_in(), key_in(container="other"), "Other")
    host = Host(request=[other])
    host.code, host.writes, host.stands_in = -2146893805, False, False
    refused(host)
    assert host.request == [other]
    assert host.changes == ["new"]


def test_what_certreq_said_is_told_without_the_stores():
    host = Host(request=[Held(stand_in(), key_in(container="other"), "Other")])
    host.code, host.writes, host.stands_in = -2146893805, False, False
    message = refused(host).message
    assert "It said: CertReq: whatever it says. No pending" in message


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        (b'"Users","Alias","S-1-5-32-545"', "Use an account that is a local administrator"),
        (b'"Administrators","Alias","S-1-5-32-544"', "is a local administrator"),
        (b"", "Use an account"),
    ],
)
def test_access_denied_is_told_by_the_groups_of_the_account(groups, said):
    host = Host()
    host.code, host.writes, host.stands_in = -2147024891, False, False
    host.groups = groups
    assert said in refused(host).remedy


def test_a_script_that_ends_early_tells_that_nothing_is_known():
    host = Host()
    host.stops = "There is not enough space on the disk."
    error = refused(host)
    assert "not enough space" in error.message
    assert "Nothing was made" in error.message


def test_a_certreq_that_did_not_come_back_leaves_the_outcome_open():
    host = Host()
    host.stops = "The pipeline has been stopped."
    host.started = "keyprovider started\r\n"
    assert "second run" in refused(host).message


def test_a_connection_that_breaks_leaves_the_outcome_open():
    class Breaking(Host):
        def run_script(self, script, stdin=None):
            if "'-new'" in script:
                super().run_script(script, stdin)
                raise HostUnreachable("The connection broke.", remedy="Look.")
            return super().run_script(script, stdin)

    host = Breaking()
    with pytest.raises(HostError, match="not known"):
        run(host)
    host.__class__ = Host
    result = run(host)
    assert result["reused"]
    assert len(host.request) == 1


def test_a_request_without_a_saved_file_is_named_and_only_removed_when_asked():
    lost = Held(stand_in(), key_in(container="lost"), "Lost")
    other = Held(stand_in("CN=other.contoso.example"), key_in(container="other"), "Other")
    kept = stand_in()
    waiting = Held(kept, key_in(container="waiting"), "Waiting")
    host = Host(request=[lost, other, waiting], saved={IDENTITY: csr(kept.key)})
    result = run(host)
    expected = {
        **{"thumbprint": lost.thumbprint, "subject": WISH.subject, "friendly_name": "Lost"},
        **{"provider": SCHANNEL, "container": "lost"},
    }
    assert result["leftovers"] == [expected]
    assert expected["thumbprint"] in result["warnings"][-1]
    assert lost in host.request
    planned = run(host, check=True, remove_leftovers=True)
    assert lost in host.request
    result = run(host, remove_leftovers=True)
    assert planned["removed"] == result["removed"] == [expected]
    assert result["leftovers"] == []
    assert result["changed"]
    assert result["reused"]
    assert planned["diff"] == result["diff"]
    assert lost not in host.request
    assert (SCHANNEL, "lost") not in host.containers
    assert {other, waiting} <= set(host.request)
