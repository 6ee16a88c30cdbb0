# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Lync server told of its version and its assignments."""

from __future__ import annotations

import base64
from datetime import datetime, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import HostError, WindowsHost
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.lync.assignments import Assigned, read_state

THUMBPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"
OTHER = THUMBPRINT[::-1]
HEADER = (
    '"Use","Thumbprint","Subject","Issuer","SerialNumber","PreviousThumbprint","AlternativeNames","NotBefore",'
    '"NotAfter","EffectiveDate"'
)
ROW = (
    f'"webservicesinternal","{THUMBPRINT.lower()}","CN=pool, O=""Größe""","CN=CA","0A1B",,'
    '"sip.contoso.example web.contoso.example","2026-01-05T08:00:00.0000000Z","2027-01-05T08:00:00.1234567Z",'
)


class Shell:
    SHELL_FAMILY = "powershell"
    _IS_WINDOWS = True


class Answering:
    """A connection that encodes scripts itself and gives one prepared answer."""

    transport = "other"
    _shell = Shell()

    def __init__(self, answer):
        self.answer = answer
        self.scripts = []

    def exec_command(self, cmd, in_data=None, sudoable=True):
        self.scripts.append(cmd)
        return 0, self.answer.replace("\n", "\r\n").encode(), b""


def own(key, value=""):
    return f"keyprovider {key} {base64.b64encode(value.encode()).decode()}\n"


def table(*rows):
    return "\n".join([HEADER, *rows]) if rows else ""


def told(local="", everywhere=None, version="Microsoft Lync Server 2013 (5.0.8308.0)", end=True):
    text = own("version", version) + own("parameters", "Type Thumbprint Identity") + own("local", local)
    if everywhere is not None:
        text += own("global", everywhere)
    return text + ("keyprovider end\n" if end else "")


def state(answer):
    return read_state(WindowsHost(Answering(answer)), "fe01")


def failure(answer):
    with pytest.raises(HostError) as caught:
        state(answer)
    return caught.value


def test_all_that_the_cmdlet_tells_is_read():
    found = state(told(table(ROW)))
    assert found.version == "Microsoft Lync Server 2013 (5.0.8308.0)"
    assert found.has("identity")
    assert not found.has("Roll")
    assert found.assigned == (
        Assigned(
            "WebServicesInternal",
            THUMBPRINT,
            subject='CN=pool, O="Größe"',
            issuer="CN=CA",
            serial_number="0a1b",
            alternative_names=("sip.contoso.example", "web.contoso.example"),
            not_before=datetime(2026, 1, 5, 8, tzinfo=timezone.utc),
            not_after=datetime(2027, 1, 5, 8, tzinfo=timezone.utc),
        ),
    )
    assert found.assigned[0].as_dict()["not_after"] == "2027-01-05T08:00:00Z"


def test_it_is_one_command():
    connection = Answering(told())
    read_state(WindowsHost(connection), "fe01")
    assert len(connection.scripts) == 1


def test_nothing_assigned_is_an_answer():
    assert state(told()).assigned == ()


def test_what_is_global_and_in_force_here_is_told_once():
    row = f'"OAuthTokenIssuer","{THUMBPRINT}",,,,,,,,'
    old = f'"OAuthTokenIssuer","{OTHER}",,,,,,,,'
    assert [one.identity for one in state(told(table(row), table(row))).assigned] == ["global"]
    lagging = state(told(table(old), table(row))).assigned
    assert [(one.thumbprint, one.identity) for one in lagging] == [(OTHER, None), (THUMBPRINT, "global")]


def test_a_date_that_was_never_set_is_none():
    row = f'"Default","{THUMBPRINT}",,,,"{OTHER}",,,,"0001-01-01T00:00:00.0000000Z"'
    (found,) = state(told(table(row))).assigned
    assert found.effective_date is None
    assert found.previous_thumbprint == OTHER


def test_the_global_ones_may_be_out_of_reach():
    found = state(told(table(ROW)) + own("globalerror", "Access is\r\ndenied."))
    assert found.global_error == "Access is denied."
    assert len(found.assigned) == 1


def test_a_host_without_lync_is_told():
    found = failure("keyprovider none\n")
    assert "neither the PowerShell module Lync nor SkypeForBusiness" in found.message
    assert "fe01" in found.message


def test_a_refusal_names_the_group():
    found = failure(own("error", "Access is\r\ndenied."))
    assert "Access is denied." in found.message
    assert "RTCUniversalServerAdmins" in found.remedy


def test_output_without_its_end_is_never_taken_for_all_of_it():
    assert "did not run to its end" in failure(told(table(ROW), end=False)).message
    assert "did not run to its end" in failure("").message


@pytest.mark.parametrize("row", ['"Default"', f'"Default","{THUMBPRINT}",,,,,,"12/28/2026",,'])
def test_a_damaged_row_is_not_passed_over(row):
    assert failure(told(table(row))).remedy == "Run it again."
