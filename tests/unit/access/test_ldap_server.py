# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options for LDAP lead to, and what failures say; the real directory is in the integration tests."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access import ldap_server
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access.ldap_failure import (
    AUTH_UNKNOWN,
    LOCAL_ERROR,
    TIMEOUT,
    check_it_answers,
    failure,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access.ldap_server import LdapDirectory, LdapServer
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.change import Modification, Modify
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import DirectoryError

SECRET = "Str0ng-secret-word"
SIMPLE = LdapServer("dc1.example.test", user="operator@example.test", password=SECRET)
KERBEROS = LdapServer("dc1.example.test", auth="kerberos")


class Failed(Exception):
    """Shaped as the exceptions of python-ldap are."""

    def __init__(self, result, info=""):
        super().__init__({"result": result, "desc": "described", "info": info})


@pytest.mark.parametrize(
    ("server", "uri"),
    [
        (SIMPLE, "ldaps://dc1.example.test:636"),
        (replace(SIMPLE, server="DC1.example.test:10636"), "ldaps://dc1.example.test:10636"),
        (replace(SIMPLE, port=10636), "ldaps://dc1.example.test:10636"),
        (replace(SIMPLE, security="starttls"), "ldap://dc1.example.test:389"),
        (replace(SIMPLE, server="ldaps://dc1.example.test/"), "ldaps://dc1.example.test:636"),
        (replace(SIMPLE, server="ldap://dc1.example.test", security="starttls"), "ldap://dc1.example.test:389"),
        (replace(SIMPLE, server="ldaps://dc1:10636", port=10636), "ldaps://dc1:10636"),
        (replace(SIMPLE, server="192.0.2.7"), "ldaps://192.0.2.7:636"),
        (replace(SIMPLE, server="2001:db8::7"), "ldaps://[2001:db8::7]:636"),
        (replace(SIMPLE, server="[2001:db8::7]:10636"), "ldaps://[2001:db8::7]:10636"),
        (KERBEROS, "ldap://dc1.example.test:389"),
        (replace(KERBEROS, server="ldap://dc1.example.test"), "ldap://dc1.example.test:389"),
        (replace(KERBEROS, server="ldaps://dc1.example.test"), "ldaps://dc1.example.test:636"),
        (replace(KERBEROS, security="starttls"), "ldap://dc1.example.test:389"),
    ],
)
def test_the_options_lead_to_a_server(server, uri):
    endpoint = server.endpoint()
    assert endpoint.uri == uri
    assert endpoint.tls == (server.auth == "simple" or server.security == "starttls" or uri.startswith("ldaps"))


@pytest.mark.parametrize(
    ("server", "message"),
    [
        (replace(SIMPLE, security="sasl"), "in clear"),
        (replace(SIMPLE, server="ldap://dc1.example.test"), "in clear"),
        (replace(SIMPLE, password=""), "ldap_password is empty.*anonymous"),
        (replace(SIMPLE, password=None), "ldap_password is empty"),
        (replace(SIMPLE, user=""), "ldap_user is empty"),
        (replace(KERBEROS, user="operator"), "ticket cache"),
        (replace(KERBEROS, password=SECRET), "ticket cache"),
        (replace(SIMPLE, server="ldaps://dc1.example.test", security="starttls"), "contradict"),
        (replace(SIMPLE, server="ldap://dc1.example.test", security="ldaps"), "contradict"),
        (replace(SIMPLE, server="ldapi:///var/run/ldapi"), "no way to a directory"),
        (replace(SIMPLE, server="ldaps://dc1.example.test/DC=example"), "more than a server"),
        (replace(SIMPLE, server="ldaps://someone@dc1.example.test"), "more than a server"),
        (replace(SIMPLE, server="dc1.example.test:many"), "a server and a port"),
        (replace(SIMPLE, server=f"ldaps://someone:{SECRET}@dc1.example.test"), "more than a server"),
        (replace(SIMPLE, server=f"someone:{SECRET}@dc1.example.test:636"), "more than a server"),
        (replace(SIMPLE, server=f"https://someone:{SECRET}@dc1.example.test"), "no way to a directory"),
        (replace(SIMPLE, server="dc1.example.test:636", port=10636), "names port 636, ldap_port 10636"),
        (replace(SIMPLE, port=3269), "global catalogue"),
        (replace(KERBEROS, server="ldap://dc1.example.test:3268"), "global catalogue"),
        (replace(SIMPLE, server="dc1.example.test:0"), "0 is not a port"),
        (replace(SIMPLE, port=70000), "70000 is not a port"),
        (replace(SIMPLE, server=""), "does not name a server"),
        (replace(SIMPLE, server="dc1 dc2"), "does not name a server"),
        (replace(SIMPLE, server="-H"), "does not name a server"),
        (replace(SIMPLE, timeout=0), "less than one second"),
    ],
)
def test_options_that_are_unsafe_or_contradictory_are_refused(server, message):
    with pytest.raises(DirectoryError, match=message) as caught:
        server.endpoint()
    assert caught.value.remedy
    assert SECRET not in f"{caught.value} {caught.value.remedy} {caught.value.place}"


def test_the_password_is_not_shown():
    assert SECRET not in repr(SIMPLE)


def test_a_file_of_certificates_is_looked_at_before_it_is_used(tmp_path):
    path = tmp_path / "ca.pem"
    server = replace(SIMPLE, ca_file=str(path))
    with pytest.raises(DirectoryError, match="No such file") as caught:
        server.check_ca_file()
    assert caught.value.place == str(path)
    path.write_text("not a certificate", encoding="utf-8")
    with pytest.raises(DirectoryError, match="no certificate in PEM form"):
        server.check_ca_file()
    replace(server, validate_certs=False).check_ca_file()


@pytest.mark.parametrize(
    "use",
    [
        lambda directory: directory.search("(cn=Web)", ["cn"]),
        lambda directory: directory.apply([Modify("CN=Web", (Modification("cn"),))]),
    ],
)
def test_the_library_that_is_missing_is_named_when_it_is_needed(monkeypatch, use):
    monkeypatch.setattr(ldap_server, "IMPORT_ERROR", ImportError("No module named 'ldap'"))
    directory = LdapDirectory(SIMPLE)
    with pytest.raises(DirectoryError, match="python-ldap") as caught:
        use(directory)
    assert "pip install python-ldap" in caught.value.remedy
    assert "libsasl2-dev" in caught.value.remedy
    directory.close()


@pytest.mark.parametrize(
    ("data", "meaning"),
    [
        ("525", "no such account"),
        ("52e", "password is wrong"),
        ("532", "password has expired"),
        ("533", "disabled"),
        ("773", "must be changed"),
        ("775", "locked out"),
        ("80090346", "channel binding"),
    ],
)
def test_the_reason_of_a_refused_logon_is_read_from_the_answer(data, meaning):
    info = f"80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data {data}, v4563"
    error = failure(Failed(49, info), SIMPLE, SIMPLE.endpoint())
    assert error.code == 49
    assert meaning in error.message
    assert error.place == "ldaps://dc1.example.test:636"


def test_a_refused_logon_without_a_known_reason_is_told_too():
    error = failure(Failed(49, "data 12345"), KERBEROS, KERBEROS.endpoint())
    assert "kinit" in error.remedy
    assert "12345" in error.message


@pytest.mark.parametrize(
    ("info", "meaning"),
    [
        ("(Server ldap/dc9@EXAMPLE.TEST not found in Kerberos database)", "no service ldap"),
        ("(Ticket expired)", "has expired"),
        ('(Cannot find KDC for realm "EXAMPLE.TEST")', "No Kerberos server"),
        ("(Clock skew too great)", "clocks"),
        ("(Etwas anderes)", "Etwas anderes"),
    ],
)
def test_failures_of_kerberos_are_explained(info, meaning):
    error = failure(
        Failed(LOCAL_ERROR, f"SASL(-1): generic failure: GSSAPI Error: {info}"), KERBEROS, KERBEROS.endpoint()
    )
    assert meaning in error.message
    assert info in error.message
    assert error.code is None
    assert error.remedy


def test_a_sasl_library_without_kerberos_names_the_package():
    error = failure(Failed(AUTH_UNKNOWN, "SASL(-4): no mechanism available"), KERBEROS, KERBEROS.endpoint())
    assert "libsasl2-modules-gssapi-mit" in error.remedy


def test_an_operation_that_takes_too_long_names_its_object():
    error = failure(Failed(TIMEOUT), SIMPLE, SIMPLE.endpoint(), place="CN=Web")
    assert (error.place, error.code) == ("CN=Web", None)
    assert "30 seconds" in error.message


def test_an_answer_that_does_not_come_is_told_as_that():
    # python-ldap 3.4 raises it without the dictionary that its other exceptions have.
    without_details = type("TIMEOUT", (Exception,), {})()
    for place in (None, "CN=Web"):
        error = failure(without_details, KERBEROS, KERBEROS.endpoint(), place=place)
        assert "did not answer within 30 seconds" in error.message
        assert error.place == (place or "ldap://dc1.example.test:389")


HALF_OPEN = bytes.fromhex("300c02010178070a010004000400")
"""A server's yes to StartTLS."""


def test_a_server_that_promises_tls_and_keeps_silent_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held = []

        def promise():
            connection = listener.accept()[0]
            held.append(connection)
            connection.recv(100)
            connection.sendall(HALF_OPEN)

        thread = threading.Thread(target=promise)
        thread.start()
        server = replace(SIMPLE, server="127.0.0.1", port=listener.getsockname()[1], security="starttls", timeout=1)
        with pytest.raises(DirectoryError, match="did not finish the TLS handshake within 1 seconds"):
            check_it_answers(server, server.endpoint())
        thread.join()
        held[0].close()


def test_what_an_earlier_operation_left_is_not_taken_for_the_reason():
    error = failure(Failed(-7, "left from before"), SIMPLE, SIMPLE.endpoint(), place="CN=Web")
    assert "left from before" not in error.message
    assert "described" in error.message
