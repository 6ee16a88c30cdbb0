# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cryptographic service providers (CSP) and CNG key storage providers (KSP) known by name.

A name decides nothing alone: CRYPT_KEY_PROV_INFO records a provider type beside it, and a type of zero says that the
key is in a KSP (CRYPT_KEY_PROV_INFO, wincrypt.h). :func:`classify` weighs the two. The key specification is left out
on purpose: CNG keys are recorded with 0, with 0xFFFFFFFF and, for keys of certification authorities, with 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..record import KeyKind

CNG_PROVIDER_TYPE = 0
"""dwProvType of a key in a KSP."""

PROV_RSA_FULL = 1
PROV_RSA_SCHANNEL = 12
PROV_RSA_AES = 24

KSP_NAME_ENDING = "key storage provider"
"""How vendors name their KSPs. A convention, not a rule of Windows."""

PROVIDER_TYPES: dict[int, str] = {
    1: "PROV_RSA_FULL",
    2: "PROV_RSA_SIG",
    3: "PROV_DSS",
    4: "PROV_FORTEZZA",
    5: "PROV_MS_EXCHANGE",
    6: "PROV_SSL",
    12: "PROV_RSA_SCHANNEL",
    13: "PROV_DSS_DH",
    14: "PROV_EC_ECDSA_SIG",
    15: "PROV_EC_ECNRA_SIG",
    16: "PROV_EC_ECDSA_FULL",
    17: "PROV_EC_ECNRA_FULL",
    18: "PROV_DH_SCHANNEL",
    20: "PROV_SPYRUS_LYNKS",
    21: "PROV_RNG",
    22: "PROV_INTEL_SEC",
    23: "PROV_REPLACE_OWF",
    24: "PROV_RSA_AES",
}
"""CSP types by number (wincrypt.h)."""


@dataclass(frozen=True)
class Provider:
    """One provider as Windows registers it."""

    name: str
    kind: Literal["csp", "ksp"]
    provider_type: int | None
    """dwProvType of a CSP; ``None`` for a KSP, which has no type."""
    schannel: bool
    """Whether it is a CSP made for SChannel (types PROV_RSA_SCHANNEL and PROV_DH_SCHANNEL)."""
    hardware: bool
    """Whether it keeps keys in a smart card, a TPM or a hardware security module."""
    source: str
    """Where the name and the type were seen."""
    token: bool = False
    """Whether a use of the key may ask a person for a card, a PIN or a gesture."""
    note: str | None = None

    @property
    def provider_type_name(self) -> str | None:
        """The type as wincrypt.h names it; ``None`` for a KSP."""
        return None if self.provider_type is None else provider_type_name(self.provider_type)


_CSPLIST = "certutil -csplist of Windows 8 to Server 2022; Cryptographic Provider Names (wincrypt.h)"
_WINCRYPT = "Cryptographic Provider Names and CSP types (wincrypt.h)"
_SECURE_BOOT = (
    "https://learn.microsoft.com/windows-hardware/manufacture/desktop/"
    "secure-boot-key-generation-and-signing-using-hsm--example (certutil -csplist)"
)
_NCRYPT = "CNG Key Storage Providers (ncrypt.h); certutil -csplist of Windows 8 to Server 2022"


def _csp(
    name: str,
    provider_type: int,
    source: str = _CSPLIST,
    *,
    hardware: bool = False,
    token: bool = False,
    note: str | None = None,
) -> Provider:
    schannel = provider_type in (PROV_RSA_SCHANNEL, 18)
    return Provider(name, "csp", provider_type, schannel, hardware or token, source, token, note)


def _ksp(
    name: str, source: str = _NCRYPT, *, hardware: bool = False, token: bool = False, note: str | None = None
) -> Provider:
    return Provider(name, "ksp", None, False, hardware or token, source, token, note)


PROVIDERS: tuple[Provider, ...] = (
    _csp("Microsoft Base Cryptographic Provider v1.0", 1),
    _csp("Microsoft Strong Cryptographic Provider", 1),
    _csp("Microsoft Enhanced Cryptographic Provider v1.0", 1),
    _csp("Microsoft Base Smart Card Crypto Provider", 1, token=True),
    _csp("Microsoft RSA Signature Cryptographic Provider", 2, _WINCRYPT),
    _csp("Microsoft Base DSS Cryptographic Provider", 3),
    _csp("Microsoft Exchange Cryptographic Provider v1.0", 5, _WINCRYPT),
    _csp("Microsoft RSA SChannel Cryptographic Provider", 12),
    _csp("Microsoft Base DSS and Diffie-Hellman Cryptographic Provider", 13),
    _csp("Microsoft Enhanced DSS and Diffie-Hellman Cryptographic Provider", 13),
    _csp("Microsoft DH SChannel Cryptographic Provider", 18),
    _csp("Microsoft Enhanced RSA and AES Cryptographic Provider", 24),
    _ksp("Microsoft Software Key Storage Provider"),
    _ksp("Microsoft Platform Crypto Provider", hardware=True, note="The key is in the TPM and cannot be exported."),
    _ksp("Microsoft Smart Card Key Storage Provider", token=True),
    _ksp("Microsoft Passport Key Storage Provider", token=True, note="Windows Hello keys of a user."),
    _csp("Luna Cryptographic Services for Microsoft Windows", 1, _SECURE_BOOT, hardware=True),
    _csp("Luna SChannel Cryptographic Services for Microsoft Windows", 12, _SECURE_BOOT, hardware=True),
    _csp("Luna enhanced RSA and AES provider for Microsoft Windows", 24, _SECURE_BOOT, hardware=True),
    _ksp("SafeNet Key Storage Provider", _SECURE_BOOT, hardware=True),
    _csp("eToken Base Cryptographic Provider", 1, "signtool /csp examples of certification authorities", token=True),
    _ksp("SafeNet Smart Card Key Storage Provider", "signtool /csp examples of certification authorities", token=True),
    _csp(
        "nCipher Enhanced Cryptographic Provider", 1, "CryptAcquireContext calls in published programs", hardware=True
    ),
    _ksp("nCipher Security World Key Storage Provider", _SECURE_BOOT, hardware=True),
    _ksp("Securosys Primus HSM Key Storage Provider", "certutil -store of an offline CA", hardware=True),
    _ksp(
        "Utimaco CryptoServer Key Storage Provider",
        "certutil -csp examples and CngProvider tests of users",
        hardware=True,
    ),
    _ksp("Cavium Key Storage Provider", "certutil -repairstore of an AWS CloudHSM client (SDK 3)", hardware=True),
    _ksp("CloudHSM Key Storage Provider", "users' scripts for AWS CloudHSM (SDK 5)", hardware=True),
    _ksp("YubiHSM Key Storage Provider", "YubiHSM 2 user guide (docs.yubico.com)", hardware=True),
)

_ALIASES: dict[str, str] = {
    # Windows XP registered the AES provider under this name.
    "Microsoft Enhanced RSA and AES Cryptographic Provider (Prototype)": (
        "Microsoft Enhanced RSA and AES Cryptographic Provider"
    ),
}


def _fold(name: str) -> str:
    return name.strip().casefold()


_BY_NAME: dict[str, Provider] = {_fold(provider.name): provider for provider in PROVIDERS}
_BY_NAME.update({_fold(alias): _BY_NAME[_fold(name)] for alias, name in _ALIASES.items()})


def lookup(name: str) -> Provider | None:
    """The provider of that name, whatever its case (tools write both SChannel and Schannel); ``None`` when unknown."""
    return _BY_NAME.get(_fold(name))


def names(kind: Literal["csp", "ksp"] | None = None) -> tuple[str, ...]:
    """The names of all known providers, or of those of one kind, in the order of the catalogue."""
    return tuple(provider.name for provider in PROVIDERS if kind in (None, provider.kind))


def provider_type_name(provider_type: int) -> str:
    """What wincrypt.h calls a dwProvType: ``PROV_RSA_FULL``; ``CNG`` for 0 and ``type N`` for an unknown one."""
    if provider_type == CNG_PROVIDER_TYPE:
        return "CNG"
    return PROVIDER_TYPES.get(provider_type, f"type {provider_type}")


def classify(provider: str | None, provider_type: int | None) -> KeyKind:
    """Which kind of provider a recorded name and dwProvType (either may be missing) stand for.

    ``ambiguous`` is the answer when a name that nobody knows stands without a type; an empty name counts as none.
    A name that ends in "Key Storage Provider" counts as a KSP by the vendors' convention, which nothing verifies.
    """
    name = _fold(provider) if provider else ""
    known = _BY_NAME.get(name)
    if provider_type is None:
        if not name:
            return "unrecorded"
        if known:
            return known.kind
        return "ksp" if name.endswith(KSP_NAME_ENDING) else "ambiguous"
    recorded: Literal["csp", "ksp"] = "ksp" if provider_type == CNG_PROVIDER_TYPE else "csp"
    return recorded if known is None or known.kind == recorded else "contradictory"
