# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""msPKI-RA-Application-Policies: a list of OIDs, or properties of the key with the OIDs among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class IssuancePolicies:
    """What the attribute holds (MS-CRTD 2.23)."""

    oids: tuple[str, ...]
    """The application policies that a signature on a request must carry."""
    properties: Mapping[str, str]
    """Of the triplet syntax: value by name (``msPKI-Asymmetric-Algorithm``: ``RSA``); empty for a list of OIDs."""
    has_properties: bool
    """Whether a value is in the triplet syntax."""
