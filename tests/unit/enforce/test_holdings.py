# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reading that broke off is none: a pending request that was not seen would be made once more."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.holdings import read_holdings
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import Completed, HostError
from installed_host import AT, IDENTITY, FakeHost, Held, csr_of, issued, key_in


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
