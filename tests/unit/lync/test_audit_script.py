# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Lync cmdlets printed behind the query of an audit."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import SCRIPT_LIMIT, HostError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.lync.assignments import (
    Assignment,
    read_assignments,
    split_output,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.lync.cmdlets import ASSIGNMENTS_SCRIPT

ROWS = (
    b'#keyprovider:lync:begin\r\n"Use","Thumbprint"\r\n"Default","AB12"\r\n"WebServicesInternal","ab 12"\r\n'
    b"#keyprovider:lync:end\r\n"
)


def test_usages_come_with_their_thumbprints():
    assert read_assignments(ROWS) == [Assignment("Default", "AB12"), Assignment("WebServicesInternal", "AB12")]


def test_a_host_without_the_cmdlets_has_no_assignments():
    assert read_assignments(b"#keyprovider:lync:none\r\n") is None


def test_nothing_assigned_is_an_answer():
    assert read_assignments(b"#keyprovider:lync:begin\r\n#keyprovider:lync:end\r\n") == []


def test_what_the_cmdlet_refused_is_told():
    with pytest.raises(HostError) as caught:
        read_assignments(b"#keyprovider:lync:failed\r\nAccess is\r\ndenied.\r\n")
    assert "Access is denied." in caught.value.message
    assert "RTCUniversalServerAdmins" in caught.value.remedy


def test_a_refusal_after_the_first_row_is_a_refusal():
    with pytest.raises(HostError, match="gone"):
        read_assignments(ROWS.replace(b"lync:end", b"lync:failed") + b"gone\r\n")


@pytest.mark.parametrize("cut", range(1, len(ROWS) - 2, 7))
def test_output_that_broke_off_is_never_taken_for_all_of_it(cut):
    with pytest.raises(HostError):
        read_assignments(ROWS[:cut])


def test_the_registry_and_the_cmdlet_share_one_output():
    assert split_output(b"HKEY...\r\n" + ROWS) == (b"HKEY...\r\n", ROWS)


def test_the_script_leaves_room_for_the_query_of_the_store():
    assert len(ASSIGNMENTS_SCRIPT) < SCRIPT_LIMIT - 200
