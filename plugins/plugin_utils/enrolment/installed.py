# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks around an installation: which request a certificate answers, whether its key is where it should be, which name
it gets, and what may go with it when it is removed. No transport.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..evidence.armour import unwrap
from ..profiles.judge import judge_all
from ..profiles.model import Profile
from ..providers.catalogue import (
    PROV_RSA_AES,
    PROV_RSA_FULL,
    PROV_RSA_SCHANNEL,
    classify,
    lookup,
    provider_type_name,
)
from ..record import AT_KEYEXCHANGE, Certificate, Key, Problem
from .answer import CLOCK_TOLERANCE, chosen
from .keys import public_key_of
from .wish import EnrolmentError

SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
RSA_TYPES = (PROV_RSA_FULL, PROV_RSA_SCHANNEL, PROV_RSA_AES)

_IDENTITY = re.compile(r"[0-9a-f]{32}")
_COMMON_NAME = re.compile(r"(?:^|[,+])CN=((?:\\.|[^\\,+])+)", re.IGNORECASE)
_NUMBERED = re.compile(r" \([2-9]\)| \([1-9][0-9]+\)")
_UNSAFE = re.compile(r"[^\w .*@()-]")
_LONGEST_BASE = 190
_DATE = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Holdings:
    """What a host holds of certificates and requests."""

    my: tuple[Certificate, ...] = ()
    """The store My."""
    pending: tuple[Certificate, ...] = ()
    """The store REQUEST: a stand-in for each request that has not been answered, with its public key and provider."""
    saved: Mapping[str, bytes] | None = None
    """The saved request files by their identity."""
    clock: datetime | None = None
    """The host's clock, UTC."""
    problems: tuple[Problem, ...] = ()
    """Entries of the stores that cannot be read."""
    aside: tuple[Certificate, ...] = ()
    """What stands in other stores that were read as well; the source of each tells in which."""

    def saved_of(self, public_key: bytes) -> dict[str, bytes]:
        """The saved requests with a public key, by their identity; files that cannot be read are passed over."""
        return {
            identity: data
            for identity, data in (self.saved or {}).items()
            if _IDENTITY.fullmatch(identity) and any(_has_key(each.der, public_key) for each in unwrap(data).payloads)
        }


def find(certificates: Sequence[Certificate], thumbprint: str) -> Certificate | None:
    """The certificate with a thumbprint."""
    return next((held for held in certificates if held.thumbprint == thumbprint), None)


def with_key(certificates: Sequence[Certificate], public_key: bytes) -> Certificate | None:
    """The first certificate, or stand-in of a request, with a public key (SubjectPublicKeyInfo)."""
    return next((held for held in certificates if held.der is not None and _has_key(held.der, public_key)), None)


def leaf_of(certificates: Sequence[bytes], holdings: Holdings) -> tuple[bytes, tuple[bytes, ...]]:
    """Which of the given certificates is the one to install, and the others that belong above it.

    It is the one that has the key of a pending request or is installed with its key.

    Args:
        certificates: DER.
        holdings: what the host holds.

    Raises:
        EnrolmentError: none of them is.
    """
    for der in certificates:
        installed = any(held.der == der and held.key.kind != "unrecorded" for held in holdings.my)
        if installed or with_key(holdings.pending, public_key_of(der)):
            return chosen(certificates, public_key_of(der))
    waiting = ", ".join(held.subject or "(no subject)" for held in holdings.pending) or "none"
    what = "The certificate answers no pending request of this host and is not installed here with its key."
    if len(certificates) > 1:
        what = (
            f"None of the {len(certificates)} certificates answers a pending request of this host or is installed here"
            " with its key."
        )
    raise EnrolmentError(
        f"{what} Pending: {waiting}.",
        place="choice of the certificate",
        remedy="Install the certificate on the host that made its request. If the request was deleted there, its key is"
        " lost: make a new request (winpki.keyprovider.certificate_request).",
    )


def checked_provider(name: str) -> str:
    """The wished provider as the catalogue spells it.

    Raises:
        EnrolmentError: it is a key storage provider.
    """
    if classify(name, None) == "ksp" or not name.strip():
        raise EnrolmentError(
            f"{name!r} is {'a key storage provider (CNG)' if name.strip() else 'no provider'}; this module installs"
            " certificates whose keys are in legacy providers.",
            place="the option 'provider'",
            remedy="Name a legacy provider, such as Microsoft RSA SChannel Cryptographic Provider.",
        )
    known = lookup(name)
    return known.name if known else name.strip()


def key_faults(key: Key, provider: str) -> list[str]:
    """What is not as it should be with a key that is to be in a legacy provider; sentences, none when all is well."""
    recorded = key.provider or "no provider"
    if key.kind == "unrecorded":
        return ["No private key is recorded for it."]
    if key.kind != "csp":
        return [f"Its key is in {recorded} (kind {key.kind}), not in {provider}."]
    faults = []
    if recorded.casefold() != provider.casefold():
        faults.append(f"Its key is in {recorded}, not in {provider}.")
    else:
        known = lookup(provider)
        if known and known.provider_type is not None and key.provider_type != known.provider_type:
            wanted = provider_type_name(known.provider_type)
            faults.append(
                f"Its provider is recorded with type {key.provider_type}, not {known.provider_type} ({wanted})."
            )
    if key.key_spec != AT_KEYEXCHANGE:
        faults.append(f"Its key specification is {key.key_spec}, not {AT_KEYEXCHANGE} (AT_KEYEXCHANGE).")
    if not key.machine_keyset:
        faults.append("Its key belongs to a user and not to the computer.")
    return faults


def check_clocks(certificate: Certificate, *, at: datetime, host: datetime | None) -> None:
    """A certificate must be valid by the clocks of the controller and of the host before it is installed.

    Args:
        certificate: read from DER, which tells its validity.
        at: the controller's clock, aware.
        host: the host's; ``None`` when it is not known.

    Raises:
        EnrolmentError: it is not valid by one of them; the message tells both.
    """
    moments = [at, *([host] if host else [])]
    clocks = f"the controller's clock says {at.strftime(_DATE)}, " + (
        f"the host's {host.strftime(_DATE)}" if host else "the host's is not known"
    )
    before, after = certificate.not_before, certificate.not_after
    if before and any(moment + CLOCK_TOLERANCE < before for moment in moments):
        raise EnrolmentError(
            f"The certificate is valid from {before.strftime(_DATE)} on, which has not come yet: {clocks} (UTC)."
            " Nothing was installed.",
            place="validity of the certificate",
            remedy="Correct the clock that is wrong (w32tm /resync), or wait until then and run it again.",
        )
    if after and any(moment > after for moment in moments):
        raise EnrolmentError(
            f"The certificate was valid until {after.strftime(_DATE)}: {clocks} (UTC). Nothing was installed.",
            place="validity of the certificate",
            remedy="Correct the clock that is wrong (w32tm /resync), or request a new certificate.",
        )


def friendly_name_for(certificate: Certificate, wished: str | None, my: Sequence[Certificate]) -> str | None:
    """The friendly name that a certificate should get; ``None`` when the one it has may stay.

    Lync wants each friendly name to be unique in the computer's store. A name that is taken gets `` (2)`` behind it,
    and so on; upper and lower case do not matter.

    Args:
        certificate: as it is in the store.
        wished: the name asked for; else the one it has, else one from its subject.
        my: the certificates of the store.
    """
    taken = {
        held.friendly_name.casefold() for held in my if held.friendly_name and held.thumbprint != certificate.thumbprint
    }
    has = certificate.friendly_name
    base = wished or _UNSAFE.sub("", has or "").strip()[:_LONGEST_BASE] or _name_from(certificate)
    if has and has.casefold() not in taken:
        behind = has[len(wished) :] if wished and has.startswith(wished) else None
        if wished is None or behind == "" or (behind and _NUMBERED.fullmatch(behind)):
            return None
    name, number = base, 1
    while name.casefold() in taken:
        number += 1
        name = f"{base} ({number})"
    return name


def _name_from(certificate: Certificate) -> str:
    """A friendly name of characters that need no escaping anywhere."""
    found = _COMMON_NAME.search(certificate.subject or "")
    name = _UNSAFE.sub("", found[1]).strip() if found else ""
    if not name and certificate.details:
        dns = (alt[4:] for alt in certificate.details.subject_alt_names if alt.startswith("dns:"))
        name = next((_UNSAFE.sub("", each) for each in dns), "")
    return name or f"Certificate {(certificate.thumbprint or '')[:8]}"


def sharers(certificate: Certificate, holdings: Holdings) -> list[Certificate]:
    """Other certificates and pending requests that use the same key container."""
    own = _containers(certificate.key)
    return [
        held
        for held in (*holdings.my, *holdings.pending)
        if held.thumbprint != certificate.thumbprint and own & _containers(held.key)
    ]


def _containers(key: Key) -> set[tuple[str, str]]:
    return {place_of(one.provider, one.container) for one in (key, *key.candidates) if one.container is not None}


def place_of(provider: str | None, container: str) -> tuple[str, str]:
    """What tells a key container from all others.

    Microsoft's legacy providers for RSA have one set of containers: programs open a key of type 1 or 12 as one of type
    24 by the same name (RSACryptoServiceProviderProxy of the identity model extensions for .NET). To delete a container
    through one of them takes it away from all.
    """
    known = lookup(provider or "")
    shared = known is not None and not known.hardware and known.provider_type in RSA_TYPES
    return "" if shared else (provider or "").casefold(), container.casefold()


def removable_key(key: Key) -> tuple[tuple[str, str] | None, str]:
    """Provider and container of a key that may be deleted with its certificate, and a note when it may not.

    Keys in software are deleted: of legacy providers and of the Microsoft Software Key Storage Provider. What a name
    that nobody knows would delete, and where, is not known; smart cards, TPMs and security modules are left alone.
    """
    if key.kind == "unrecorded":
        return None, ""
    shown = f"the container {key.container!r} of {key.provider or 'an unnamed provider'}"
    if key.kind not in ("csp", "ksp") or not key.provider or not key.container:
        return None, f"The key was left: what the store records of it ({shown}, kind {key.kind}) does not identify it."
    known = lookup(key.provider)
    if known is None or (known.kind == "ksp" and known.name != SOFTWARE_KSP) or known.hardware:
        why = "its provider is not known here" if known is None else "its provider keeps keys in hardware"
        return None, f"The key was left, because {why}: {shown}."
    if not key.machine_keyset:
        return None, f"The key was left, because it belongs to a user and not to the computer: {shown}."
    return (key.provider, key.container), ""


def shown(
    certificates: Sequence[Certificate],
    wanted: str,
    profile: Profile,
    *,
    at: datetime,
) -> list[dict[str, Any]]:
    """One certificate of a store as it stands in a result, judged; an empty list when it is not there.

    Args:
        certificates: all of the store, among which friendly names must be unique.
        wanted: the thumbprint of the one.
        profile: what the product requires.
        at: the moment to judge the validity at, aware.
    """
    verdicts = judge_all(certificates, profile, at=at)
    return [
        {**certificate.as_dict(), "assignments": [], "verdict": verdict.as_dict()}
        for certificate, verdict in zip(certificates, verdicts, strict=True)
        if certificate.thumbprint == wanted
    ]


def _has_key(der: bytes, public_key: bytes) -> bool:
    """Whether a certificate or a request has a public key; a store may well hold some of algorithms not known here."""
    try:
        return public_key_of(der) == public_key
    except EnrolmentError:
        return False
