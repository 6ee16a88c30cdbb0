# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Lync server needs: for each of its usages the certificate that it should have, and the next step towards it.

A need comes from what is assigned now (one for each certificate, with all usages that share it) or from what a user
asks for. Everything is decided from what is observed on the host, so that a run that broke off is simply begun again:
a certificate that answers a need and lies in the store is assigned and not requested once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any, Literal

from ..profiles.verdict import RequirementResult, Verdict
from ..providers.catalogue import lookup
from ..record import Certificate, Key, Source, Template
from .wish import RSA_SCHANNEL, SERVER_AUTHENTICATION, EnrolmentError, RequestWish, checked

State = Literal["satisfied", "assign", "convert", "request", "transfer", "waits", "blocked"]
Shared = Literal["pool", "global"]
Repair = Literal["request", "convert", "request_or_convert"]
"""How a need is met that nothing in the store meets: by a new certificate, by another place for the key of one that is
there, or so when none can be requested."""

SHARED_USAGES: Mapping[str, Shared] = {"AudioVideoAuthentication": "pool", "OAuthTokenIssuer": "global"}
"""Usages with one certificate and one private key for several servers: all Edge Servers of a pool (Lync Server 2013
deployment, "Request certificates for audio/video authentication"), and all servers of the deployment, to which the
Central Management store replicates it ("Managing server-to-server authentication (OAuth)")."""

_POOL_NAMED = ("Default",)
"""Usages whose certificate has the pool's FQDN as its subject ("Certificate requirements for internal servers")."""
_ANY_PURPOSE = "2.5.29.37.0"
_RSA_SIZES = (1024, 2048, 4096)


@dataclass(frozen=True)
class Held:
    """A certificate of the store My with its verdict and the usages that it is assigned to."""

    certificate: Certificate
    verdict: Verdict
    usages: tuple[str, ...] = ()
    converted: Verdict | None = None
    """The verdict on it with its key in the wished provider; ``None`` when no conversion is thought of."""


@dataclass(frozen=True)
class Asked:
    """What a user asks for some usages instead of what is assigned now; ``None`` leaves it as it is."""

    types: tuple[str, ...]
    subject: str | None = None
    subject_alt_names: tuple[str, ...] | None = None
    template: str | None = None
    template_oid: str | None = None
    """The OID of the template, when ``template`` is its name: certificates of later templates hold only the OID."""
    key_length: int | None = None
    exportable: bool | None = None
    friendly_name: str | None = None
    extended_key_usage: tuple[str, ...] | None = None
    repair: Repair | None = None


@dataclass(frozen=True)
class Terms:
    """What holds for all needs of a host."""

    provider: str = RSA_SCHANNEL
    key_length: int = 2048
    """The least size of new keys in bits."""
    hash_algorithm: str = "SHA256"
    template: str | None = None
    """The template for new requests instead of the one of the certificate in use: its name (cn) or its OID."""
    renew_before_days: int = 0
    replace_warnings: bool = False
    """Whether a verdict of ``warning`` is reason enough, too."""
    pool: str | None = None
    """The FQDN of the pool, when it is not the subject of the certificate that Default has now."""
    asked: tuple[Asked, ...] = ()
    repair: Repair = "request"

    @property
    def converts(self) -> bool:
        """Whether a conversion is an answer to any need."""
        return any(repair not in (None, "request") for repair in (self.repair, *(one.repair for one in self.asked)))


@dataclass(frozen=True)
class Need:
    """One certificate that the host should have."""

    name: str
    """Its usages in lower case, joined by hyphens; good for a file name."""
    types: tuple[str, ...]
    subject: str
    subject_alt_names: tuple[str, ...]
    template: str | None
    template_oid: str | None
    """What certificates are compared by; ``None`` unless a template was asked for by its OID."""
    provider: str
    key_length: int
    hash_algorithm: str
    exportable: bool
    friendly_name: str | None
    extended_key_usage: tuple[str, ...]
    state: State
    repair: Repair = "request"
    reasons: tuple[str, ...] = ()
    """Why it is in this state; whole sentences."""
    current: str | None = None
    """The thumbprint of the certificate that is assigned now, one of them when there are several."""
    successor: str | None = None
    """The thumbprint of the certificate that answers the need and is to be assigned."""
    convert: str | None = None
    """The thumbprint of the certificate that answers the need once its key is in the wished provider."""
    shared: Shared | None = None
    source_host: str | None = None
    """Where a shared certificate is requested or comes from; ``None`` when the certificate is the host's own."""

    @property
    def names(self) -> frozenset[str]:
        """All names that the certificate must hold, in lower case."""
        return frozenset({*common_names(self.subject), *(name.lower() for name in self.subject_alt_names)})

    def as_dict(self) -> dict[str, Any]:
        """The need as it stands in a result."""
        result = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}
        result["identity"] = "global" if self.shared == "global" else None
        return result


def plan_needs(held: Sequence[Held], terms: Terms, *, at: datetime) -> tuple[Need, ...]:
    """All needs of a host, in the order of its certificates; what is asked for stands at the end.

    Of conversions this knows nothing yet: :func:`~.needs_repair.repaired` does.

    Args:
        held: the certificates of its store My.
        terms: what holds for all of them.
        at: now, aware.

    Raises:
        EnrolmentError: what is asked for contradicts itself or lacks a name.
    """
    asked_for = _asked_types(terms.asked)
    needs = []
    for one in held:
        types = tuple(use for use in one.usages if use.casefold() not in asked_for)
        if types:
            needs.append(_stated(_derived(one.certificate, types, terms), held, terms, at))
    pool = terms.pool or _pool_of(held)
    for asked in terms.asked:
        _check_asked(asked)
        need = _asked(asked, held, terms)
        _check_pool(need, pool)
        needs.append(_stated(need, held, terms, at))
    return tuple(needs)


def superseded(
    held: Sequence[Held], needs: Sequence[Need], elsewhere: frozenset[str], terms: Terms, *, at: datetime
) -> tuple[str, ...]:
    """The thumbprints of certificates whose place another has taken: for nothing assigned, for no other names and
    purposes than a certificate that is assigned and good, older than it, and to be replaced by the terms themselves.

    Args:
        held: the certificates of the store.
        needs: the needs of the host.
        elsewhere: thumbprints that other servers still have assigned.
        terms: what holds for all needs.
        at: now, aware.
    """
    by_thumbprint = {one.certificate.thumbprint: one.certificate for one in held}
    placed = [by_thumbprint[need.current] for need in needs if need.state == "satisfied" and need.current]
    kept = {*elsewhere, *(need.convert for need in needs)}
    found = []
    for one in held:
        certificate = one.certificate
        if one.usages or certificate.thumbprint is None or certificate.thumbprint in kept:
            continue
        if flaws(one, terms, at) and any(_follows(new, certificate) for new in placed):
            found.append(certificate.thumbprint)
    return tuple(found)


def common_names(subject: str | None) -> tuple[str, ...]:
    """The common names of an RFC 4514 name that have the form of a host name, in lower case."""
    parts = (part.partition("=") for part in (subject or "").split(","))
    values = (value.strip().lower() for kind, _equals, value in parts if kind.strip().upper() == "CN")
    return tuple(value for value in values if "." in value and " " not in value)


def unmet(result: RequirementResult) -> str:
    """A requirement that a certificate does not meet, as the reasons of a need tell it."""
    return f"{result.name}: {result.reason or result.expected}"


def names_of(certificate: Certificate) -> frozenset[str]:
    """The host names and addresses that a certificate holds, in lower case."""
    alternative = certificate.details.subject_alt_names if certificate.details else ()
    found = {name.partition(":")[2].lower() for name in alternative if name.startswith(("dns:", "ip:"))}
    return frozenset({*found, *common_names(certificate.subject)})


def faults(one: Held, need: Need, terms: Terms, at: datetime) -> list[str]:
    """Why a certificate does not meet a need."""
    found = flaws(one, terms, at)
    if not has_names_and_template(one.certificate, need):
        missing = ", ".join(sorted(need.names - names_of(one.certificate)))
        found.append(f"It lacks the names {missing}." if missing else "It was issued from another template.")
    return found


def flaws(one: Held, terms: Terms, at: datetime) -> list[str]:
    """Why a certificate is to be replaced, whatever it is needed for."""
    certificate = one.certificate
    bad = ("unmet", "warning") if terms.replace_warnings else ("unmet",)
    found = [unmet(result) for result in one.verdict.requirements if result.status in bad]
    # Days before the end are the user's to choose; the profile's warning is for those who look.
    left = moment_of(certificate.not_after) - at
    if certificate.not_after and timedelta() < left < timedelta(days=terms.renew_before_days):
        found.append(f"It ends on {certificate.not_after:%Y-%m-%d}, in {left.days} days.")
    return found


def has_names_and_template(certificate: Certificate, need: Need) -> bool:
    """Whether a certificate holds all names of a need and comes from its template, as far as one was asked for.
    Further names do no harm: many CAs add some.
    """
    oid = certificate.template.oid if certificate.template else None
    return need.names <= names_of(certificate) and (need.template_oid is None or need.template_oid == oid)


def has_key_in(certificate: Certificate, provider: str) -> bool:
    """Whether the key of a certificate is in a provider that is known here."""
    wanted = lookup(provider)
    held = lookup(certificate.key.provider or "")
    return wanted is not None and wanted == held


def moment_of(moment: datetime | None) -> datetime:
    """A moment to compare by; one that is not known comes before all others."""
    return moment or datetime.min.replace(tzinfo=timezone.utc)


def _derived(certificate: Certificate, types: tuple[str, ...], terms: Terms) -> Need:
    """The need that a certificate in use stands for."""
    details = certificate.details
    size = details.public_key.size if details and details.public_key.algorithm == "RSA" else None
    held = certificate.template or Template()
    usage = (details.extended_key_usage if details else None) or (SERVER_AUTHENTICATION,)
    alternative = details.subject_alt_names if details else ()
    shared = _shared(types)
    return Need(
        name="-".join(types).lower(),
        types=types,
        subject=certificate.subject or "",
        subject_alt_names=tuple(
            sorted({name.partition(":")[2].lower() for name in alternative if name.startswith(("dns:", "ip:"))})
        ),
        template=terms.template or held.name or held.oid,
        template_oid=None,
        provider=terms.provider,
        key_length=max(terms.key_length, size if size in _RSA_SIZES else 0),
        hash_algorithm=terms.hash_algorithm,
        exportable=shared is not None,
        friendly_name=None,
        extended_key_usage=usage if SERVER_AUTHENTICATION in usage else (*usage, SERVER_AUTHENTICATION),
        state="request",
        repair=terms.repair,
        current=certificate.thumbprint,
        shared=shared,
    )


def _is_oid(text: str) -> bool:
    return text.replace(".", "").isdigit() and "." in text


def _shared(types: Sequence[str]) -> Shared | None:
    kinds = [kind for use, kind in SHARED_USAGES.items() if use.casefold() in (one.casefold() for one in types)]
    return kinds[0] if kinds else None


def _asked_types(asked: Sequence[Asked]) -> frozenset[str]:
    seen: set[str] = set()
    for one in asked:
        for use in one.types:
            if use.casefold() in seen:
                raise EnrolmentError(
                    f"The usage {use} is asked for twice.", remedy="Name each usage in one of the requests only."
                )
            seen.add(use.casefold())
    return frozenset(seen)


def _check_asked(asked: Asked) -> None:
    """What a user gives is checked before anything is requested, for this need and for the others.

    Raises:
        EnrolmentError: a value cannot stand in a request.
    """
    nothing = RequestWish("CN=-")
    given = RequestWish(
        subject=asked.subject or nothing.subject,
        subject_alt_names=asked.subject_alt_names or (),
        template=asked.template,
        key_length=asked.key_length or nothing.key_length,
        friendly_name=asked.friendly_name,
        extended_key_usage=asked.extended_key_usage or nothing.extended_key_usage,
    )
    try:
        checked(given)
    except EnrolmentError as exc:
        raise EnrolmentError(
            f"{exc.message} Nothing was requested.",
            place=f"the request for {', '.join(asked.types)}, {exc.place}",
            remedy=exc.remedy,
        ) from exc


def _asked(asked: Asked, held: Sequence[Held], terms: Terms) -> Need:
    """The need that a user asks for, with what he leaves open taken from the certificate in use."""
    wanted = {use.casefold() for use in asked.types}
    current = next((one.certificate for one in held if wanted & {use.casefold() for use in one.usages}), None)
    if current is None and not asked.subject:
        raise EnrolmentError(
            f"Nothing is assigned to {', '.join(asked.types)}, and the request names no subject.",
            remedy="Give the subject and the subject alternative names of the certificate.",
        )
    nothing = Certificate(Key(), Source("registry", ""))
    base = _derived(current or nothing, asked.types, terms)
    template_oid = asked.template_oid
    if template_oid is None and asked.template and _is_oid(asked.template):
        template_oid = asked.template
    names = asked.subject_alt_names
    if names is None and asked.subject:
        names = tuple(sorted({*base.subject_alt_names, *common_names(asked.subject)}))
    return replace(
        base,
        subject=asked.subject or base.subject,
        template=asked.template or base.template,
        template_oid=template_oid,
        subject_alt_names=base.subject_alt_names if names is None else tuple(sorted(name.lower() for name in names)),
        key_length=asked.key_length or base.key_length,
        exportable=base.exportable if asked.exportable is None else asked.exportable,
        friendly_name=asked.friendly_name,
        extended_key_usage=asked.extended_key_usage or base.extended_key_usage,
        repair=asked.repair or base.repair,
    )


def _pool_of(held: Sequence[Held]) -> str | None:
    """The pool's FQDN, which is the subject of the certificate for Default."""
    for one in held:
        if "Default" in one.usages:
            return next(iter(common_names(one.certificate.subject)), None)
    return None


def _check_pool(need: Need, pool: str | None) -> None:
    if pool and any(use in _POOL_NAMED for use in need.types) and pool.lower() not in need.names:
        raise EnrolmentError(
            f"The names of the certificate that is wanted for {', '.join(need.types)} lack that of the pool, {pool}: "
            f"they are {', '.join(sorted(need.names)) or 'none'}. Nothing was requested.",
            remedy="Add the pool's FQDN to the names, or correct the option 'pool'.",
        )


def _stated(need: Need, held: Sequence[Held], terms: Terms, at: datetime) -> Need:
    """The need with its state."""
    assigned = [one for one in held if any(use in need.types for use in one.usages)]
    bare = [use for use in need.types if not any(use in one.usages for one in assigned)]
    faulty = [one for one in assigned if faults(one, need, terms, at)]
    reasons = dict.fromkeys(fault for one in faulty for fault in faults(one, need, terms, at))
    if bare:
        reasons[f"Nothing is assigned to {', '.join(bare)}."] = None
    need = replace(need, reasons=tuple(reasons))
    if assigned:
        need = replace(need, current=(faulty or assigned)[0].certificate.thumbprint)
    if not reasons:
        return replace(need, state="satisfied")
    answers = [one for one in held if not one.certificate.archived and has_names_and_template(one.certificate, need)]
    good = [one for one in answers if not faults(one, need, terms, at) and has_key_in(one.certificate, need.provider)]
    if good:
        best = max(good, key=lambda one: (moment_of(one.certificate.not_before), one.certificate.thumbprint or ""))
        return replace(need, state="assign", successor=best.certificate.thumbprint)
    since = max((moment_of(one.certificate.not_before) for one in assigned), default=moment_of(None))
    for one in answers:
        # A request would yield the same once more.
        later = moment_of(one.certificate.not_before) > since and moment_of(one.certificate.not_after) > at
        if later and not one.usages and has_key_in(one.certificate, need.provider):
            told = " ".join(faults(one, need, terms, at))
            return replace(
                need,
                state="blocked",
                reasons=(
                    f"Certificate {one.certificate.thumbprint} answers it and cannot be used: {told} Mend the cause "
                    "(the CA, its template, or what is asked for), then remove that certificate.",
                ),
            )
    return replace(need, state="request")


def _follows(new: Certificate, old: Certificate) -> bool:
    """Whether a certificate is an older one issued anew: for the same subject, all its names and all its purposes.

    The rest belongs to somebody else: what has a name of the server and serves clients as the identity of a device
    does, and self-signed certificates as a WinRM listener has.
    """
    names = names_of(old)
    if not names or old.details is None or old.details.self_signed:
        return False
    return (
        _named(old) == _named(new)
        and names <= names_of(new)
        and _purposes(old) <= _purposes(new)
        and moment_of(new.not_before) > moment_of(old.not_before)
    )


def _named(certificate: Certificate) -> tuple[str, ...]:
    """The host names of the subject, or the subject as it is when it holds none."""
    return common_names(certificate.subject) or (certificate.subject or "",)


def _purposes(certificate: Certificate) -> frozenset[str]:
    """The extended key usages of a certificate; any purpose when it names none (RFC 5280, 4.2.1.12)."""
    named = certificate.details.extended_key_usage if certificate.details else None
    return frozenset(named or (_ANY_PURPOSE,))
