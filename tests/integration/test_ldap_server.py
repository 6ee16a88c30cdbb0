# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way over LDAP, against a real Samba AD DC."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access import ldap_server
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access.ldap_server import LdapDirectory, LdapServer
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory import errors
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.change import (
    Add,
    Modification,
    Modify,
    adjusted,
    replaced,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.naming import equals, rdn
from lab.directory.model import Object
from programs import program

pytestmark = pytest.mark.usefixtures("python_ldap")

FLAG = "msPKI-Private-Key-Flag"
CSPS = "pKIDefaultCSPs"
MINOR = "msPKI-Template-Minor-Revision"
SECURITY = "nTSecurityDescriptor"
TEMPLATES = "(objectClass=pKICertificateTemplate)"
SCHANNEL = b"1,Microsoft RSA SChannel Cryptographic Provider"

DIFFICULT_NAMES = [
    "Quote \"double\" and 'single'",
    "Comma, plus + semicolon; equals=",
    "Parentheses (all) of ) them (",
    "Asterisk * and *",
    "Ümläute ß € 證書",
    "Back\\slash\\2a and \\",
    "#leading number sign",
    " leading and trailing blank ",
    "<angle> & ampersand | bar ! not",
]


@pytest.fixture(autouse=True)
def empty(samba):
    yield
    samba.directory.clear()
    samba.directory.before_change = None


@pytest.fixture
def options(samba):
    """LDAPS and a simple bind as one who may write."""
    editor = samba.caller("editor")
    return LdapServer(
        samba.address,
        user=f"{editor.user}@{samba.directory.domain}",
        password=editor.password,
        ca_file=str(samba.ca_path),
        timeout=20,
    )


@pytest.fixture
def connect():
    opened = []

    def connected(options):
        opened.append(LdapDirectory(options))
        return opened[-1]

    yield connected
    for directory in opened:
        directory.close()


@pytest.fixture
def templates(samba):
    """Distinguished names of templates, by their common names."""
    container = f"CN=Certificate Templates,{samba.directory.public_key_services}"
    return lambda name: f"{rdn('CN', name)},{container}"


def attributes(**more):
    return {
        "objectClass": [b"top", b"pKICertificateTemplate"],
        "displayName": [b"Web Server"],
        "msPKI-Template-Schema-Version": [b"4"],
        FLAG: [b"101056528"],
        CSPS: [b"2,Fabrikam Key Storage Provider", b"1,Microsoft Software Key Storage Provider"],
        MINOR: [b"3"],
        **more,
    }


def added(dn, **more):
    return Add(dn, tuple((name, tuple(values)) for name, values in attributes(**more).items()))


@pytest.fixture
def web(samba, templates):
    """A template that is there."""
    dn = templates("Web")
    samba.directory.populate([Object(dn, attributes())])
    return dn


def refusal(call, *arguments):
    with pytest.raises(errors.DirectoryError) as caught:
        call(*arguments)
    return caught.value


@pytest.mark.parametrize("security", ["ldaps", "starttls"])
def test_a_simple_bind_reads_within_tls(samba, options, connect, web, security):
    found = connect(replace(options, security=security)).search(TEMPLATES, ["cn", FLAG.lower()])
    assert [entry.dn for entry in found.entries] == [web]
    assert found.entries[0].attributes == {"cn": (b"Web",), FLAG.lower(): (b"101056528",)}
    assert found.configuration == samba.directory.configuration
    assert found.server == samba.server


def test_kerberos_signs_and_encrypts(samba, options, connect, web, monkeypatch):
    program("kinit", package="krb5-user")
    for name, value in samba.ticket(samba.caller("editor")).items():
        monkeypatch.setenv(name, value)
    directory = connect(replace(options, auth="kerberos", user=None, password=None, ca_file=None))
    assert len(directory.search(TEMPLATES, ["cn"]).entries) == 1
    directory.apply([Modify(web, (replaced(MINOR, [b"3"], [b"4"]),))])
    assert directory.search(TEMPLATES, [MINOR]).entries[0].integer(MINOR) == 4


def test_kerberos_within_tls_is_what_this_server_refuses(samba, options, connect, monkeypatch):
    program("kinit", package="krb5-user")
    for name, value in samba.ticket(samba.caller("editor")).items():
        monkeypatch.setenv(name, value)
    error = refusal(
        connect(replace(options, auth="kerberos", security="ldaps", user=None, password=None)).search, TEMPLATES, ["cn"]
    )
    assert error.code == errors.STRONGER_AUTH_REQUIRED
    assert "ldap_security to sasl" in error.remedy


def test_kerberos_without_a_ticket_names_kinit(samba, options, connect, monkeypatch):
    for name, value in samba.environment_without_ticket().items():
        monkeypatch.setenv(name, value)
    error = refusal(connect(replace(options, auth="kerberos", user=None, password=None)).search, TEMPLATES, ["cn"])
    assert "no Kerberos ticket" in error.message
    assert "kinit" in error.remedy


def test_kerberos_for_a_name_without_a_service_says_so(samba, options, connect, monkeypatch):
    program("kinit", package="krb5-user")
    for name, value in samba.ticket(samba.caller("editor")).items():
        monkeypatch.setenv(name, value)
    error = refusal(
        connect(replace(options, server=samba.unnamed_address, auth="kerberos", user=None, password=None)).search,
        TEMPLATES,
        ["cn"],
    )
    assert "no service ldap of this name" in error.message
    assert "full name of the domain controller" in error.remedy


@pytest.mark.parametrize("security", ["ldaps", "starttls"])
def test_a_certificate_of_a_foreign_authority_is_not_trusted(samba, options, connect, security):
    error = refusal(
        connect(replace(options, security=security, ca_file=str(samba.foreign_ca_path))).search, TEMPLATES, ["cn"]
    )
    assert "not trusted" in error.message
    assert "ldap_ca_file" in error.remedy


@pytest.mark.parametrize("security", ["ldaps", "starttls"])
def test_a_certificate_for_another_name_is_refused(samba, options, connect, security):
    error = refusal(
        connect(replace(options, security=security, server=samba.unnamed_address)).search, TEMPLATES, ["cn"]
    )
    assert "for another name" in error.message
    assert samba.unnamed_address in error.message
    assert "ldap_server" in error.remedy


def test_without_a_file_the_systems_authorities_are_trusted(options, connect):
    assert "not trusted" in refusal(connect(replace(options, ca_file=None)).search, TEMPLATES, ["cn"]).message


@pytest.mark.parametrize("security", ["ldaps", "starttls"])
def test_a_certificate_that_is_not_checked_is_taken(samba, options, connect, web, security):
    unchecked = replace(
        options,
        security=security,
        server=samba.unnamed_address,
        ca_file=str(samba.foreign_ca_path),
        validate_certs=False,
    )
    assert len(connect(unchecked).search(TEMPLATES, ["cn"]).entries) == 1


def test_the_check_of_one_connection_does_not_leak_into_another(options, connect, samba, web):
    connect(replace(options, validate_certs=False)).search(TEMPLATES, ["cn"])
    foreign = connect(replace(options, ca_file=str(samba.foreign_ca_path)))
    assert "not trusted" in refusal(foreign.search, TEMPLATES, ["cn"]).message
    assert len(connect(options).search(TEMPLATES, ["cn"]).entries) == 1


@pytest.mark.parametrize("security", ["ldaps", "starttls"])
def test_a_wrong_password_is_told_apart(options, connect, security):
    wrong = replace(options, security=security, password="Wr0ng-secret-word")
    error = refusal(connect(wrong).search, TEMPLATES, ["cn"])
    assert error.code == errors.INVALID_CREDENTIALS
    assert "User name or password is wrong" in error.message
    assert "Wr0ng-secret-word" not in f"{error} {error.message} {error.remedy} {error.__cause__!r} {wrong!r}"


def test_a_user_without_his_domain_is_told_the_forms(options, connect):
    error = refusal(connect(replace(options, user="editor")).search, TEMPLATES, ["cn"])
    assert error.code == errors.INVALID_CREDENTIALS
    assert "user@domain" in error.remedy


def test_a_plain_user_reads_all_but_writes_nothing(samba, options, connect, web):
    reader = samba.caller("reader")
    directory = connect(replace(options, user=f"CORP\\{reader.user}", password=reader.password))
    found = directory.search(TEMPLATES, ["cn", SECURITY])
    assert found.entries[0].value(SECURITY)
    error = refusal(directory.apply, [Modify(web, (replaced(MINOR, [b"3"], [b"4"]),))])
    assert error.code == errors.INSUFFICIENT_ACCESS_RIGHTS
    assert error.place == web
    assert "no right to write" in error.message


def test_a_value_that_someone_changed_meanwhile_is_not_overwritten(samba, options, connect, web):
    directory = connect(options)
    directory.search(TEMPLATES, [FLAG])
    samba.directory.modify(samba.administrator, web, [("replace", FLAG, [b"16"])])
    error = refusal(
        directory.apply,
        [Modify(web, (replaced(CSPS, attributes()[CSPS], [SCHANNEL]), replaced(FLAG, [b"101056528"], [b"101056784"])))],
    )
    assert error.code == errors.NO_SUCH_ATTRIBUTE
    assert "after it was read" in error.message
    entry = directory.search(TEMPLATES, [FLAG, CSPS]).entries[0]
    assert entry.value(FLAG) == b"16"
    assert SCHANNEL not in entry.values(CSPS)


def test_an_object_deleted_meanwhile_is_told(samba, options, connect, web):
    directory = connect(options)
    directory.search(TEMPLATES, [MINOR])
    samba.directory.delete(samba.administrator, web)
    error = refusal(directory.apply, [Modify(web, (replaced(MINOR, [b"3"], [b"4"]),))])
    assert (error.code, error.place) == (errors.NO_SUCH_OBJECT, web)


def test_an_object_is_added_once(options, connect, templates):
    directory = connect(options)
    directory.apply([added(templates("Twice"))])
    error = refusal(directory.apply, [added(templates("Twice"))])
    assert error.code == errors.ENTRY_ALREADY_EXISTS


def test_the_first_failure_ends_the_changes(options, connect, templates, web):
    directory = connect(options)
    missing = Modify(templates("Missing"), (replaced(MINOR, [b"3"], [b"4"]),))
    refusal(directory.apply, [added(templates("First")), missing, Modify(web, (replaced(MINOR, [b"3"], [b"4"]),))])
    found = {entry.text("cn"): entry.integer(MINOR) for entry in directory.search(TEMPLATES, ["cn", MINOR]).entries}
    assert found == {"First": 3, "Web": 3}


def test_values_taken_and_given_in_one_modify_may_overlap(options, connect, web):
    both = [b"2,Fabrikam Key Storage Provider", b"1,Microsoft Software Key Storage Provider"]
    directory = connect(options)
    directory.apply([Modify(web, (replaced(CSPS, both, both[1:]),))])
    assert directory.search(TEMPLATES, [CSPS]).entries[0].values(CSPS) == (both[1],)


def test_only_what_differs_leaves_the_values_of_others(samba, options, connect, web):
    samba.directory.modify(samba.administrator, web, [("add", CSPS, [b"3,Contoso Key Storage Provider"])])
    directory = connect(options)
    directory.apply([Modify(web, (adjusted(CSPS, attributes()[CSPS], [*attributes()[CSPS], SCHANNEL]),))])
    assert len(directory.search(TEMPLATES, [CSPS]).entries[0].values(CSPS)) == 4


def test_a_value_that_is_already_there_is_told(options, connect, web):
    error = refusal(connect(options).apply, [Modify(web, (Modification(CSPS, (), tuple(attributes()[CSPS][:1])),))])
    assert error.code == errors.ATTRIBUTE_OR_VALUE_EXISTS


@pytest.mark.parametrize("name", DIFFICULT_NAMES)
def test_a_difficult_name_is_added_found_and_changed_and_nothing_else(options, connect, templates, web, name):
    directory = connect(options)
    directory.apply([added(templates(name), displayName=[name.encode()])])
    for attribute in ("cn", "displayName"):
        found = directory.search(equals(attribute, name), ["cn", "displayName"])
        assert [entry.text("displayName") for entry in found.entries] == [name]
    directory.apply([Modify(found.entries[0].dn, (replaced(MINOR, [b"3"], [b"4"]),))])
    directory.apply([Modify(templates(name), (replaced(MINOR, [b"4"], [b"5"]),))])
    minors = {entry.dn: entry.integer(MINOR) for entry in directory.search(TEMPLATES, [MINOR]).entries}
    assert minors == {web: 3, found.entries[0].dn: 5}


def test_more_objects_than_a_page_holds_are_all_found(samba, options, connect, templates, monkeypatch):
    monkeypatch.setattr(ldap_server, "PAGE_SIZE", 3)
    samba.directory.populate([Object(templates(f"Many{number}"), attributes()) for number in range(8)])
    found = connect(options).search(TEMPLATES, ["cn"])
    assert sorted(entry.text("cn") for entry in found.entries) == [f"Many{number}" for number in range(8)]


def test_a_security_descriptor_is_copied_to_a_new_object(samba, options, connect, templates, web):
    directory = connect(options)
    copied = directory.search(TEMPLATES, [SECURITY]).entries[0].values(SECURITY)
    directory.apply([added(templates("Copy"), **{SECURITY: copied})])
    found = directory.search(equals("cn", "Copy"), [SECURITY]).entries[0]
    assert found.values(SECURITY) == copied


def test_a_connection_serves_again_after_it_was_closed(options, connect, web):
    directory = connect(options)
    directory.search(TEMPLATES, ["cn"])
    directory.close()
    assert len(directory.search(TEMPLATES, ["cn"]).entries) == 1


def cut(directory):
    with socket.fromfd(directory._handle.fileno(), socket.AF_INET, socket.SOCK_STREAM) as held:
        held.shutdown(socket.SHUT_RDWR)


def test_a_connection_that_broke_is_told_and_the_next_call_makes_a_new_one(options, connect, web):
    directory = connect(options)
    directory.search(TEMPLATES, ["cn"])
    cut(directory)
    assert "broke" in refusal(directory.search, TEMPLATES, ["cn"]).message
    assert len(directory.search(TEMPLATES, ["cn"]).entries) == 1


def test_a_connection_that_broke_at_a_change_leaves_it_uncertain_and_says_so(options, connect, web):
    directory = connect(options)
    directory.search(TEMPLATES, ["cn"])
    cut(directory)
    error = refusal(directory.apply, [Modify(web, (replaced(MINOR, [b"3"], [b"4"]),))])
    assert "not known" in error.message
    assert error.place == web
    assert "Look at the object" in error.remedy


def test_a_server_that_does_not_listen_is_told(samba, options, connect):
    error = refusal(connect(replace(options, port=640)).search, TEMPLATES, ["cn"])
    assert error.place == f"ldaps://{samba.address}:640"
    assert "Connection refused" in error.message


@pytest.mark.parametrize("security", ["ldaps", "starttls"])
def test_a_port_that_speaks_something_else_is_told(samba, options, connect, security):
    port = 389 if security == "ldaps" else 636
    error = refusal(connect(replace(options, security=security, port=port, timeout=2)).search, TEMPLATES, ["cn"])
    assert "TLS" in error.message
    assert "ldap_security" in error.remedy


@pytest.mark.parametrize("security", ["ldaps", "starttls"])
def test_a_server_that_keeps_silent_is_given_up(options, connect, security):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        local = replace(options, server="127.0.0.1", port=silent.getsockname()[1], security=security, timeout=1)
        error = refusal(connect(local).search, TEMPLATES, ["cn"])
    assert "within 1 seconds" in error.message
    assert error.remedy


def test_a_password_is_never_sent_in_clear(options, connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        clear = replace(options, server=f"ldap://127.0.0.1:{listener.getsockname()[1]}", timeout=1)
        assert "in clear" in refusal(connect(clear).search, TEMPLATES, ["cn"]).message
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
