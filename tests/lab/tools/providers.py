# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The key providers of a Windows installation, in the order of ``certutil -csplist`` (transcripts)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..host.machine import Machine


@dataclass(frozen=True)
class Provider:
    """A CSP with its type, or a KSP with type 0."""

    name: str
    kind: int = 0
    label: str = ""
    """The name of the type in wincrypt.h."""


_PROVIDERS = (
    Provider("Microsoft Base Cryptographic Provider v1.0", 1, "PROV_RSA_FULL"),
    Provider("Microsoft Base DSS and Diffie-Hellman Cryptographic Provider", 13, "PROV_DSS_DH"),
    Provider("Microsoft Base DSS Cryptographic Provider", 3, "PROV_DSS"),
    Provider("Microsoft Base Smart Card Crypto Provider", 1, "PROV_RSA_FULL"),
    Provider("Microsoft DH SChannel Cryptographic Provider", 18, "PROV_DH_SCHANNEL"),
    Provider("Microsoft Enhanced Cryptographic Provider v1.0", 1, "PROV_RSA_FULL"),
    Provider("Microsoft Enhanced DSS and Diffie-Hellman Cryptographic Provider", 13, "PROV_DSS_DH"),
    Provider("Microsoft Enhanced RSA and AES Cryptographic Provider", 24, "PROV_RSA_AES"),
    Provider("Microsoft RSA SChannel Cryptographic Provider", 12, "PROV_RSA_SCHANNEL"),
    Provider("Microsoft Strong Cryptographic Provider", 1, "PROV_RSA_FULL"),
    Provider("Microsoft Software Key Storage Provider"),
    Provider("Microsoft Passport Key Storage Provider"),
    Provider("Microsoft Platform Crypto Provider"),
    Provider("Microsoft Smart Card Key Storage Provider"),
)


def providers(machine: Machine) -> Iterator[Provider]:
    """Platform and Passport providers came with Windows 8 and 10; the list of the other releases is the same."""
    for provider in _PROVIDERS:
        if "Platform" in provider.name and machine.os_release < (6, 2):
            continue
        if "Passport" in provider.name and machine.os_release < (10, 0):
            continue
        yield provider


def find_provider(machine: Machine, name: str) -> Provider | None:
    """A provider by its name in any case (names of CSPs are keys of the registry)."""
    return next((one for one in providers(machine) if one.name.casefold() == name.casefold()), None)
