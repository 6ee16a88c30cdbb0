# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reading that broke off is none: a pending request that was not seen would be made once more."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.holdings import read_holdings, stores_of
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import Completed, HostError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.courier import read_answer
from installed_host import AT, IDENTITY, FakeHost, Held, csr_of, issued, key_in
from lab.formats.serialized import reg_query


class Partial(FakeHost):
    """A host whose PowerShell is ended before it printed a line."""

    def __init__(self, last, **values):
        super().__init__(**values)
        self.last = last

    def run_script(self, script, stdin=None):
        done = super().run_script(script, stdin)
        text, found, _rest = done.stdout.decode().partition(f"keyprovider {self.last} ")
        assert found
        return Completed(1, text.encode(), b"")


def waiting(kind=FakeHost, **values):
    held = Held(issued(), key_in(), "Pool")
    return kind(request=[held], saved={IDENTITY: csr_of(issued())}, **values)


def test_what_a_host_holds():
    found = read_holdings(waiting(), "fe01")
    assert [entry.thumbprint for entry in found.pending] == [issued().thumbprint]
    assert list(found.saved) == [IDENTITY]
    assert found.clock == AT


@pytest.mark.parametrize("last", ["exitmy", "exitrequest", "saved", "clock"])
def test_a_script_that_ended_early_tells_nothing(last):
    with pytest.raises(HostError, match="did not run to its end on fe01") as caught:
        read_holdings(waiting(Partial, last=last), "fe01")
    assert "Blob" not in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("end", ["\r\n\r\n", "\r\n", ""])
def test_a_complaint_of_reg_is_no_part_of_the_last_certificate(end):
    """Over psrp comes what was printed without the empty lines that end it, and the complaint by itself."""
    held = Held(issued(), key_in(), "Pool")
    printed = "keyprovider exitmy 0\r\nkeyprovider exitrequest 1\r\n" + reg_query({held.thumbprint: held.blob}, "Aside")
    complaint = b"reg.exe : ERROR: The system was unable to find the specified registry key or value."
    host = FakeHost()
    found = stores_of(host, "fe01", read_answer(Completed(0, (printed.rstrip() + end).encode(), complaint), "fe01"))
    assert [one.thumbprint for one in found.aside] == [held.thumbprint]
    assert not found.problems
