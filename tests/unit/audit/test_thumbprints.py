# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Thumbprints as people copy them."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.audit.certificates import normalise_thumbprint
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import EvidenceError

THUMBPRINT = "0B39296603F19E2BEDD1551512EA152251EE0A92"
PAIRS = [THUMBPRINT[at : at + 2] for at in range(0, 40, 2)]


@pytest.mark.parametrize(
    "text",
    [
        THUMBPRINT.lower(),
        ":".join(PAIRS),
        "-".join(PAIRS),
        "\u200e" + " ".join(PAIRS).lower() + " \n",
        "\ufeff" + "\u00a0".join(PAIRS) + "\u200b",
    ],
)
def test_what_stands_between_the_digits_is_dropped(text):
    assert normalise_thumbprint(text) == THUMBPRINT


@pytest.mark.parametrize(
    "text", ["", " ", "zz", "0x" + THUMBPRINT, "SHA1 Fingerprint=" + ":".join(PAIRS), "\u0661" * 40]
)
def test_what_is_no_thumbprint_is_refused_by_name(text):
    with pytest.raises(EvidenceError) as caught:
        normalise_thumbprint(text)
    assert repr(text) in caught.value.message
    assert "thumbprints" in caught.value.remedy
