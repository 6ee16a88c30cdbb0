# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take a certificate with its private key out of a host."""

from __future__ import annotations

import base64

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.export import export_pfx
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.transfer import (
    ImportWish,
    checked_pfx,
    import_pfx,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from installed_host import AT, KSP, SCHANNEL, FakeHost, Held, cng, failing, issued, key_in, pfx, stopping

PASSWORD = "Geheim: 1'2\"3 größer"


def exported(host, password=PASSWORD, thumbprint=None):
    return export_pfx(host, "fe01", thumbprint or issued().thumbprint, password)


def test_what_is_exported_can_be_imported_elsewhere():
    host = FakeHost(my=[Held(issued(), key_in(), "Pool")])
    result = exported(host)
    assert not result["changed"]
    assert result["key"]["provider"] == SCHANNEL
    assert "Geheim" not in repr(host.scripts)
    other = FakeHost()
    wish = ImportWish(pfx=checked_pfx(result["pfx"]), password=PASSWORD, profile=load("lync_2013"))
    assert import_pfx(other, "fe02", wish, check=False, at=AT)["thumbprint"] == result["thumbprint"]
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
