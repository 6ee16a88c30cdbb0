# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's own way into the real directory: what other tests stand on."""

from __future__ import annotations

import pytest
from lab.directory.model import Caller, DirectoryFault

TEMPLATE = {"objectClass": [b"top", b"pKICertificateTemplate"], "pKIDefaultCSPs": [b"1,A", b"2,B"]}
EVERYTHING = "(objectClass=*)"


@pytest.fixture
def directory(samba):
    yield samba.directory
    samba.directory.clear()
    samba.directory.before_change = None


@pytest.fixture
def web(directory):
    dn = f'CN=Web\\, \\"Ümläute\\",CN=Certificate Templates,{directory.public_key_services}'
    directory.add(directory.administrator, dn, TEMPLATE)
    return dn


def refused(call, *arguments):
    with pytest.raises(DirectoryFault) as caught:
        call(*arguments)
    return caught.value


def read(directory, dn, caller=None, attributes=("pKIDefaultCSPs",)):
    return directory.search(caller or directory.administrator, dn, "base", EVERYTHING, attributes)[0].attributes


def test_the_domain_is_known_by_its_names(samba, directory):
    root = directory.search(
        directory.administrator, "", "base", EVERYTHING, ["configurationNamingContext", "dnsHostName"]
    )
    assert root[0].attributes == {
        "configurationNamingContext": [directory.configuration.encode()],
        "dnsHostName": [directory.server.encode()],
    }


def test_an_object_is_changed_as_a_whole_or_not_at_all(directory, web):
    directory.modify(
        directory.administrator, web, [("delete", "pKIDefaultCSPs", [b"1,A"]), ("add", "revision", [b"7"])]
    )
    fault = refused(
        directory.modify,
        directory.administrator,
        web,
        [("add", "pKIDefaultCSPs", [b"3,C"]), ("delete", "revision", [b"8"])],
    )
    assert fault.code == 16
    assert fault.diagnostic
    assert read(directory, web, attributes=None).items() >= {"pKIDefaultCSPs": [b"2,B"], "revision": [b"7"]}.items()
    directory.modify(directory.administrator, web, [("replace", "pKIDefaultCSPs", []), ("delete", "revision", [])])
    assert not read(directory, web, attributes=["pKIDefaultCSPs", "revision"])


def test_an_object_that_is_gone_or_there_already_is_told(directory, web):
    assert refused(directory.add, directory.administrator, web, TEMPLATE).code == 68
    directory.delete(directory.administrator, web)
    assert refused(directory.delete, directory.administrator, web).code == 32
    assert refused(read, directory, web).code == 32


def test_each_caller_has_his_own_rights(samba, directory, web):
    reader = samba.caller("reader")
    assert read(directory, web, reader)
    assert refused(directory.modify, reader, web, [("add", "revision", [b"7"])]).code == 50
    directory.modify(samba.caller("editor"), web, [("add", "revision", [b"7"])])
    assert refused(read, directory, web, Caller("reader", "wrong")).code == 49
    assert refused(read, directory, web, Caller("", "")).code == 1


def test_a_security_descriptor_is_given_to_those_who_may_read_the_audit_settings(samba, directory, web):
    assert "nTSecurityDescriptor" in read(directory, web, attributes=["nTSecurityDescriptor"])
    assert "nTSecurityDescriptor" not in read(directory, web, samba.caller("reader"), ["nTSecurityDescriptor"])


def test_something_can_happen_between_a_look_and_a_change(samba, directory, web):
    directory.before_change = lambda: directory.delete(directory.administrator, web)
    directory.modify(directory.administrator, web, [("add", "revision", [b"7"])])
    assert refused(directory.modify, samba.caller("editor"), web, [("add", "pKIDefaultCSPs", [b"3,C"])]).code == 32
    assert directory.before_change is None
