# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of Lync usages."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import HostError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.lync.usages import canonical, checked_types


def test_case_does_not_matter_and_each_counts_once():
    assert checked_types(["default", "IPHONEAPNSERVICE", " Default "]) == ("Default", "iPhoneAPNService")


def test_an_unknown_one_is_told_with_all_there_are():
    with pytest.raises(HostError) as caught:
        checked_types(["Default", "ProxyFederation"])
    assert "'ProxyFederation'" in caught.value.message
    assert "WebServicesInternal" in caught.value.message
    assert "'types'" in caught.value.remedy


def test_none_is_an_error():
    with pytest.raises(HostError, match="No certificate type"):
        checked_types([])


def test_what_a_later_version_may_tell_stays_as_it_is():
    assert canonical("oauthtokenissuer") == "OAuthTokenIssuer"
    assert canonical("HologramService") == "HologramService"
