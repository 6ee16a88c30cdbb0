# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which keys can be moved into another provider, and how far a conversion has come. No transport."""

from __future__ import annotations

from dataclasses import dataclass

from ..providers.catalogue import lookup
from ..record import AT_KEYEXCHANGE, CRYPT_MACHINE_KEYSET, Certificate, Key
from .installed import RSA_TYPES, SOFTWARE_KSP, place_of
from .wish import EnrolmentError

_REQUEST_ANEW = "Request a new certificate whose key is made in the wished provider (certificate_request, or the role)."


@dataclass(frozen=True)
class Hindrance:
    """Why a key cannot be moved, and what to do instead; whole sentences."""

    reason: str
    remedy: str = _REQUEST_ANEW


@dataclass(frozen=True)
class Aside:
    """Another key of a certificate, recorded in a store beside My."""

    store: str
    certificate: Certificate
    """The certificate as that store has it, with the other key."""

    @property
    def key(self) -> Key:
        """The other key."""
        return self.certificate.key


def checked_target(name: str) -> str:
    """The provider that a key is to be moved to, as the catalogue spells it.

    Raises:
        EnrolmentError: it is not known, keeps keys in hardware, or takes no RSA keys for AT_KEYEXCHANGE.
    """
    known = lookup(name)
    fits = known is not None and not known.hardware and (known.provider_type in RSA_TYPES or known.name == SOFTWARE_KSP)
    if known is None or not fits:
        what = "is not known here" if known is None else "does not take RSA keys from a file"
        raise EnrolmentError(
            f"The provider {name!r} {what}.",
            place="the option 'provider'",
            remedy="Name one for RSA keys in software, such as Microsoft RSA SChannel Cryptographic Provider.",
        )
    return known.name


def target_key(provider: str) -> Key:
    """The key as the store records it after a conversion; Windows chooses the name of the container.

    Args:
        provider: as the catalogue spells it.
    """
    known = lookup(provider)
    kind = known.provider_type if known else None
    if kind is None:
        return Key("ksp", provider, 0, 0, flags=CRYPT_MACHINE_KEYSET)
    return Key("csp", provider, kind, AT_KEYEXCHANGE, flags=CRYPT_MACHINE_KEYSET)


def hindrance(certificate: Certificate) -> Hindrance | None:
    """Why the key of a certificate cannot be moved into another provider; ``None`` when the store tells no reason.

    Whether it may be exported is not in the store: the key itself has to be asked.

    Args:
        certificate: as it was read from the store My.
    """
    key = certificate.key
    where = key.provider or "an unnamed provider"
    if key.kind == "unrecorded":
        return Hindrance(
            "The store records no private key for it.",
            f"If its key is on the host all the same, certutil -repairstore My {certificate.thumbprint} records it;"
            " then run it again. Else request a new certificate.",
        )
    if key.kind in ("ambiguous", "contradictory") or not key.provider or not key.container:
        return Hindrance(f"What the store records of its key ({where}, kind {key.kind}) does not identify the key.")
    algorithm = certificate.details.public_key.algorithm if certificate.details else None
    if algorithm != "RSA":
        return Hindrance(
            f"It is no RSA key ({algorithm or 'of an unknown algorithm'}); legacy providers that programs use take RSA"
            " keys."
        )
    if not key.machine_keyset:
        return Hindrance(
            "Its key belongs to a user and not to the computer, so that services cannot use it.",
        )
    known = lookup(key.provider)
    if known is None:
        return Hindrance(
            f"Its key is in {where}, which is not known here: whether and how it gives keys away is not known."
        )
    if "smart card" in known.name.lower():
        return Hindrance(f"Its key is in a smart card, or in a virtual one in the TPM ({where}), and cannot leave it.")
    if known.name == "Microsoft Platform Crypto Provider":
        return Hindrance(f"Its key is in the TPM ({where}) and cannot leave it.")
    if known.hardware:
        return Hindrance(f"Its key is in hardware ({where}) and cannot leave it.")
    if certificate.archived:
        return Hindrance(
            "It is archived, and Windows does not show archived certificates to programs.",
            "Use the certificate that replaced it; or show it to programs again, then run it again:"
            f" certutil -f -repairstore My {certificate.thumbprint} FILE, where FILE holds the lines [Properties] and"
            " 19 =",
        )
    return None


def reference_text(key: Key) -> tuple[str, ...]:
    """The parts of property 2 as certutil takes them in an INF file: ``Container=...`` and so on.

    Raises:
        EnrolmentError: a name holds what the form has no way to write.
    """
    for part in (key.container, key.provider):
        if not part or any(sign in part for sign in '&"%=;') or not part.isprintable():
            raise EnrolmentError(
                f"The key reference {part!r} cannot be written into an INF file.",
                place="the key of the certificate",
                remedy="Request a new certificate instead.",
            )
    return (
        f"Container={key.container}",
        f"Provider={key.provider}",
        f"ProviderType={key.provider_type or 0}",
        f"Flags={CRYPT_MACHINE_KEYSET:#x}",
        f"KeySpec={key.key_spec or 0}",
    )


def same_container(first: Key, second: Key) -> bool:
    """Whether two references name the same container, be it through two providers that share it."""
    return place_of(first.provider, first.container or "") == place_of(second.provider, second.container or "")


def in_provider(key: Key, provider: str) -> list[str]:
    """What is not as it should be with a key that is to be in a provider; whole sentences, none when all is well.

    Args:
        key: as the store records it.
        provider: as the catalogue spells it.
    """
    wanted = target_key(provider)
    recorded = key.provider or "no provider"
    if key.kind == "unrecorded":
        return ["No private key is recorded for it."]
    if key.kind != wanted.kind or recorded.casefold() != provider.casefold():
        return [f"Its key is in {recorded} (kind {key.kind}), not in {provider}."]
    faults = []
    if key.provider_type != wanted.provider_type:
        faults.append(f"Its provider is recorded with type {key.provider_type}, not {wanted.provider_type}.")
    if key.key_spec != wanted.key_spec and wanted.kind == "csp":
        faults.append(f"Its key specification is {key.key_spec}, not {AT_KEYEXCHANGE} (AT_KEYEXCHANGE).")
    if not key.machine_keyset:
        faults.append("Its key belongs to a user and not to the computer.")
    return faults
