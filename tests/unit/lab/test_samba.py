# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the lab reads what the tools of OpenLDAP print, and where its domain controllers may listen."""

from __future__ import annotations

import errno
import socket

from lab.directory import samba_dc
from lab.directory.model import Object
from lab.directory.samba import parse_ldif

PRINTED = """\
dn: CN=Web,CN=Certificate Templates
cn: Web
pKIDefaultCSPs: 2,B
pKIDefaultCSPs: 1,A
displayName:: w5xtbMOkdXRl
description:
pKIKeyUsage:: oAA=

# refldaps://corp.example.test/CN=Elsewhere

dn:: Q049w5xtbMOkdXRl
# pagedresults: cookie=
"""


def test_printed_objects_are_read():
    assert list(parse_ldif(PRINTED)) == [
        Object(
            "CN=Web,CN=Certificate Templates",
            {
                "cn": [b"Web"],
                "pKIDefaultCSPs": [b"2,B", b"1,A"],
                "displayName": ["Ümläute".encode()],
                "description": [b""],
                "pKIKeyUsage": [b"\xa0\x00"],
            },
        ),
        Object("CN=Ümläute", {}),
    ]


def test_a_domain_controller_needs_root(monkeypatch):
    monkeypatch.setattr(samba_dc.os, "geteuid", lambda: 1000)
    assert "root" in str(samba_dc.reason_missing())


def test_a_program_that_is_missing_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(samba_dc.os, "geteuid", lambda: 0)
    monkeypatch.setattr(samba_dc.shutil, "which", lambda name: None if name == "ldapmodify" else f"/usr/bin/{name}")
    assert samba_dc.reason_missing() == "ldapmodify is not installed (Debian package ldap-utils)."


def test_an_address_in_use_is_not_taken(monkeypatch):
    def create_server(address):
        if address == ("127.77.3.2", 389):
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return socket.socket()

    monkeypatch.setattr(samba_dc.random, "sample", lambda population, count: [3, 5])
    monkeypatch.setattr(samba_dc.socket, "create_server", create_server)
    assert samba_dc.free_address() == "127.77.5.1"
