# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked for: a certificate request as data, and the failures of this room."""

from __future__ import annotations

from dataclasses import dataclass

from ..record import EvidenceError

RSA_SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SERVER_AUTHENTICATION = "1.3.6.1.5.5.7.3.1"


class EnrolmentError(EvidenceError):
    """A request that cannot be made or an answer that cannot be taken; ``place`` names the step, ``remedy`` the way."""


@dataclass(frozen=True)
class RequestWish:
    """A certificate as it is wanted. Values are checked by ``checked`` before anything is done with them."""

    subject: str
    """RFC 4514, such as ``CN=pool01.contoso.example,O=Contoso``."""
    subject_alt_names: tuple[str, ...] = ()
    """DNS names and IP addresses; a set, the order does not matter."""
    template: str | None = None
    """The name (cn) or the OID of an AD CS template; ``None`` for other CAs."""
    provider: str = RSA_SCHANNEL
    key_length: int = 2048
    """Bits of the RSA key."""
    hash_algorithm: str = "SHA256"
    exportable: bool = False
    friendly_name: str | None = None
    extended_key_usage: tuple[str, ...] = (SERVER_AUTHENTICATION,)
    """OIDs."""
