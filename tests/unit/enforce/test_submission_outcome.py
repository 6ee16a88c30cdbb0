# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be taken for "nothing was submitted": each of these would make a CA issue a second certificate."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.submission import submit_request
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.submission import SubmissionOrder
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import HostError
from unit.enforce.ca_host import CONFIG, CSR, NOW, Host, armoured


def run(host):
    order = SubmissionOrder(csr=armoured(CSR, "NEW CERTIFICATE REQUEST"), template="LyncWeb")
    return submit_request(host, "ca1", order, check=False, at=NOW)


def failure(host):
    with pytest.raises(HostError) as caught:
        run(host)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("code", [0x80070005, 0x80070057])
def test_a_code_behind_the_id_of_a_request_does_not_tell_that_nothing_was_submitted(code):
    """The tool ends with it, too, when it may not write the certificate that the CA has issued."""
    host = Host(policy=code)
    host.says = 'Anforderungs-ID: 7\nAnforderungs-ID: "7"\n'
    assert "not known" in failure(host).message
    assert host.files is not None
    host.add(20)
    host.policy = "issue"
    assert run(host)["status"] == "issued"
    assert host.asked == ["read", "submit", "read", "view", "retrieve"]
    assert len(host.rows) == 1


@pytest.mark.parametrize(
    "hidden", ["Anforderungs-ID:", "Anforderungsdisposition:", "Bin\u00e4re Anforderung:\n-----BEGIN"]
)
def test_a_row_that_cannot_be_read_may_be_the_one(hidden):
    host = Host()
    host.files = {"ca.txt": CONFIG.encode()}
    host.add(20)
    view = host.view
    host.view = lambda *given: view(*given).replace(f"  {hidden}", "  xyz:" + hidden.partition("\n")[1])
    assert "Row 1 cannot be read" in failure(host).message
    assert host.asked == ["read", "view"]
    assert len(host.rows) == 1


def test_a_run_beside_another_removes_nothing_of_it():
    host = Host()
    host.submit = lambda *given: Host.own("error", b"Another run may be at work on it: used by another process.")
    error = failure(host)
    assert "Nothing was submitted by this run" in error.message
    assert "other runs" in error.remedy
    assert host.asked == ["read", "submit"]
