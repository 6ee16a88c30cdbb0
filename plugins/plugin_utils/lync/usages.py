# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Lync uses certificates for: the types of the certificate cmdlets, and their names in any case."""

from __future__ import annotations

from collections.abc import Iterable

from ..host.connection import HostError

TYPES = (
    *("AccessEdgeExternal", "AudioVideoAuthentication", "DataEdgeExternal", "Default", "External", "Internal"),
    *("iPhoneAPNService", "iPadAPNService", "MPNService", "PICWebService", "ProvisionService"),
    *("WebServicesExternal", "WebServicesInternal", "WsFedTokenTransfer", "OAuthTokenIssuer", "XmppServer"),
)
"""The certificate types of Set-CsCertificate's reference (MicrosoftDocs/office-docs-powershell), and the two that only
articles name: OAuthTokenIssuer (Stage AV and OAuth certificates) and XmppServer (Edge certificates)."""

GLOBAL_TYPES = ("OAuthTokenIssuer",)
"""Those of which one certificate serves all servers; it is kept in the Central Management store (same articles)."""

_BY_NAME = {name.casefold(): name for name in TYPES}


def canonical(name: str) -> str:
    """A type as the reference spells it; one that it does not name stays as it is."""
    return _BY_NAME.get(name.strip().casefold(), name)


def checked_types(names: Iterable[str], option: str = "types") -> tuple[str, ...]:
    """Types as the reference spells them, each once, in the given order.

    Raises:
        HostError: one is unknown, or there is none; the host was not asked.
    """
    found: dict[str, None] = {}
    for name in names:
        known = _BY_NAME.get(name.strip().casefold())
        if known is None:
            raise HostError(
                f"{name!r} is no certificate type of Lync. There are: {', '.join(TYPES)}.",
                remedy=f"Correct the option {option!r}.",
            )
        found[known] = None
    if not found:
        raise HostError("No certificate type is named.", remedy=f"Name at least one in the option {option!r}.")
    return tuple(found)
