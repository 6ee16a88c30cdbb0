# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts around the Lync cmdlets."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.holdings import QUERY_STORES
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import SCRIPT_LIMIT, HostError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.lync import cmdlets
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.lync.usages import TYPES

THUMBPRINT = "0123456789ABCDEF0123456789ABCDEF01234567"
REPORT = "assign-20260731T040000Z-01234567-global.html"
WHEN = datetime(2026, 7, 31, 6, tzinfo=timezone(timedelta(hours=2)))
LOCAL = [name for name in TYPES if name != "OAuthTokenIssuer"]

SCRIPTS = {
    "reading": QUERY_STORES + cmdlets.reading_script(),
    "assigning": cmdlets.assigning_script(LOCAL, THUMBPRINT, REPORT, effective_date=WHEN, roll=True),
    "global": cmdlets.assigning_script(
        ["OAuthTokenIssuer"], THUMBPRINT, REPORT, everywhere=True, effective_date=WHEN, roll=True
    ),
    "looking": QUERY_STORES + cmdlets.looking_script(),
    "requesting": cmdlets.requesting_script(TYPES, cmdlets.REQUEST_VALUES, REPORT, key_length=2048, exportable=False)
    + QUERY_STORES,
    "retrieving": cmdlets.retrieving_script(REPORT) + QUERY_STORES,
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_longest_script_fits(name):
    assert len(SCRIPTS[name]) < SCRIPT_LIMIT


@pytest.mark.parametrize("name", SCRIPTS)
def test_nothing_newer_than_powershell_2_stands_in_it(name):
    later = r"ConvertTo-Json|ConvertFrom-Json|\[PSCustomObject\]|\[ordered\]|-notin\b|-in\b|\$PSItem"
    assert not re.search(later, SCRIPTS[name])


def test_a_date_is_one_moment_whatever_its_zone():
    script = cmdlets.assigning_script(["Default"], THUMBPRINT, REPORT, effective_date=WHEN)
    assert "'2026-07-31T04:00:00+00:00'" in script
    assert " -EffectiveDate $e" in script
    assert "-Roll" not in script
    assert "-Identity 'global' -Report" not in script


def test_nothing_asks_a_person():
    for name in ("assigning", "requesting", "retrieving"):
        assert "-Confirm:$false" in SCRIPTS[name]


def test_only_what_was_given_becomes_a_parameter():
    script = cmdlets.requesting_script(["Default"], ["CA", "DomainName"], REPORT)
    assert "-CA $v[0] -DomainName $v[3] -Report" in script
    assert "-PrivateKeyExportable" not in script
    assert "-PrivateKeyExportable $true" in cmdlets.requesting_script(["Default"], ["CA"], REPORT, exportable=True)


@pytest.mark.parametrize(
    ("types", "thumbprint", "report"),
    [
        (["Default'; calc; '"], THUMBPRINT, REPORT),
        ([], THUMBPRINT, REPORT),
        (["Default"], THUMBPRINT.lower(), REPORT),
        (["Default"], THUMBPRINT + "\n", REPORT),
        (["Default"], THUMBPRINT, "..\\a.html"),
    ],
)
def test_only_closed_alphabets_reach_a_script(types, thumbprint, report):
    with pytest.raises(HostError):
        cmdlets.assigning_script(types, thumbprint, report)


def test_a_line_end_would_make_one_value_two():
    with pytest.raises(HostError, match="line end"):
        cmdlets.request_input(["ca\\CA", "a\nb", "", ""])
