# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every reader of evidence produces: certificates, requests and problems.

Nothing here knows where the evidence came from or what a product requires of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

KeyKind = Literal["csp", "ksp", "unrecorded", "contradictory", "ambiguous"]

CRYPT_MACHINE_KEYSET = 0x20
"""dwFlags bit of CRYPT_KEY_PROV_INFO: the key container belongs to the machine (wincrypt.h)."""

AT_KEYEXCHANGE = 1
AT_SIGNATURE = 2


@dataclass(frozen=True)
class Key:
    """Where a private key is recorded to live (CRYPT_KEY_PROV_INFO, or what stands in for it).

    ``None`` means that the evidence does not tell. ``kind`` is decided by
    ``providers.catalogue.classify``; readers never guess it themselves.
    """

    kind: KeyKind = "unrecorded"
    provider: str | None = None
    provider_type: int | None = None
    key_spec: int | None = None
    container: str | None = None
    unique_container: str | None = None
    flags: int | None = None
    exportable: bool | None = None
    present: bool | None = None
    """Whether the key was found when somebody opened it; ``None`` when nobody tried."""
    candidates: tuple[Key, ...] = ()
    """The records that contradict each other, when ``kind`` is ``ambiguous``."""

    @property
    def machine_keyset(self) -> bool | None:
        """Whether the container belongs to the machine; ``None`` when the flags are unknown."""
        return None if self.flags is None else bool(self.flags & CRYPT_MACHINE_KEYSET)

    def as_dict(self) -> dict[str, Any]:
        """The ``key`` mapping of the public interface."""
        result: dict[str, Any] = {
            "kind": self.kind,
            "provider": self.provider,
            "provider_type": self.provider_type,
            "key_spec": self.key_spec,
            "container": self.container,
            "unique_container": self.unique_container,
            "flags": self.flags,
            "machine_keyset": self.machine_keyset,
            "exportable": self.exportable,
            "present": self.present,
        }
        if self.candidates:
            result["candidates"] = [candidate.as_dict() for candidate in self.candidates]
        return result


@dataclass(frozen=True)
class Source:
    """The evidence that a record was read from, so that a person can find it again."""

    format: str
    """One of the values of the ``format`` option, for example ``blob`` or ``certutil``."""
    origin: str
    """The file or the host."""
    place: str | None = None
    """The registry key, line, element or row within the origin."""

    def as_dict(self) -> dict[str, Any]:
        """The ``source`` mapping of the public interface."""
        return {"format": self.format, "origin": self.origin, "place": self.place}


@dataclass(frozen=True)
class Template:
    """The certificate template named in a certificate or a request."""

    oid: str | None = None
    name: str | None = None
    display_name: str | None = None
    major_version: int | None = None
    minor_version: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """The ``template`` mapping of the public interface."""
        return {
            "oid": self.oid,
            "name": self.name,
            "display_name": self.display_name,
            "major_version": self.major_version,
            "minor_version": self.minor_version,
        }


@dataclass(frozen=True)
class PublicKey:
    """The subject's public key. ``size`` is in bits; ``curve`` is set for elliptic curves only."""

    algorithm: str
    """``RSA``, ``EC``, ``DSA``, ``Ed25519``, ``Ed448``, or a dotted OID when nobody here knows it."""
    size: int | None = None
    curve: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The ``public_key`` mapping of the public interface."""
        return {"algorithm": self.algorithm, "size": self.size, "curve": self.curve}


@dataclass(frozen=True)
class Details:
    """What only the encoded certificate or request can tell; absent when the evidence was text."""

    public_key: PublicKey
    signature_algorithm: str
    """Short name such as ``sha256WithRSAEncryption`` or ``RSASSA-PSS``; the dotted OID when unknown."""
    signature_oid: str
    signature_hash: str | None
    """``SHA1``, ``SHA256``, ``MD5``...; ``None`` when the signature has no separate digest."""
    subject_alt_names: tuple[str, ...] = ()
    """``dns:host``, ``ip:192.0.2.1``, ``email:a@b``, ``upn:a@b``, ``uri:...``, ``dirname:...``, ``other:OID``."""
    extended_key_usage: tuple[str, ...] | None = None
    """Dotted OIDs in the order of the extension; ``None`` when the extension is absent (any usage)."""
    key_usage: tuple[str, ...] | None = None
    """Names as in RFC 5280 (``digitalSignature``...); ``None`` when the extension is absent."""
    crl_distribution_points: tuple[str, ...] = ()
    """The URLs; a distribution point without a URL counts as ``""``."""
    is_ca: bool = False
    self_signed: bool = False
    """Whether issuer and subject are the same name (the signature is not checked)."""

    def as_dict(self) -> dict[str, Any]:
        """The details as they stand in a result, merged into the certificate."""
        return {
            "public_key": self.public_key.as_dict(),
            "signature_algorithm": self.signature_algorithm,
            "signature_oid": self.signature_oid,
            "signature_hash": self.signature_hash,
            "subject_alt_names": list(self.subject_alt_names),
            "extended_key_usage": None if self.extended_key_usage is None else list(self.extended_key_usage),
            "key_usage": None if self.key_usage is None else list(self.key_usage),
            "crl_distribution_points": list(self.crl_distribution_points),
            "is_ca": self.is_ca,
            "self_signed": self.self_signed,
        }


_NO_DETAILS: dict[str, Any] = {
    "public_key": None,
    "signature_algorithm": None,
    "signature_oid": None,
    "signature_hash": None,
    "subject_alt_names": None,
    "extended_key_usage": None,
    "key_usage": None,
    "crl_distribution_points": None,
    "is_ca": None,
    "self_signed": None,
}


@dataclass(frozen=True)
class Enrolment:
    """What the CA or the request says about the moment of enrolment."""

    request_id: int | None = None
    disposition: int | None = None
    """In the CA database: 9 pending, 12 foreign, 15 CA certificate, 20 issued, 21 revoked, 30 failed, 31 denied."""
    requester: str | None = None
    machine: str | None = None
    user: str | None = None
    process: str | None = None
    os_version: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The ``enrolment`` mapping of the public interface."""
        return {
            "request_id": self.request_id,
            "disposition": self.disposition,
            "requester": self.requester,
            "machine": self.machine,
            "user": self.user,
            "process": self.process,
            "os_version": self.os_version,
        }


@dataclass(frozen=True)
class Certificate:
    """One certificate as the evidence shows it. Text evidence leaves most fields ``None``."""

    key: Key
    source: Source
    thumbprint: str | None = None
    """SHA-1 over the DER encoding, 40 upper-case hexadecimal digits."""
    subject: str | None = None
    """RFC 4514 when read from DER; as printed when read from text. The same for the issuer."""
    issuer: str | None = None
    serial_number: str | None = None
    """Lower-case hexadecimal digits, as certutil prints it (an even number of them)."""
    not_before: datetime | None = None
    """Aware, UTC. ``None`` for text evidence: its dates are in the regional format of the host."""
    not_after: datetime | None = None
    friendly_name: str | None = None
    archived: bool | None = None
    template: Template | None = None
    details: Details | None = None
    enrolment: Enrolment | None = None
    notes: tuple[str, ...] = ()
    """Defects of the evidence that do not hinder the reading; whole sentences."""
    der: bytes | None = field(default=None, repr=False)
    """The certificate itself. Not part of a result."""

    def as_dict(self) -> dict[str, Any]:
        """The certificate as it stands in a result (without verdict and assignments)."""
        result: dict[str, Any] = {
            "thumbprint": self.thumbprint,
            "subject": self.subject,
            "issuer": self.issuer,
            "serial_number": self.serial_number,
            "not_before": _iso(self.not_before),
            "not_after": _iso(self.not_after),
            "friendly_name": self.friendly_name,
            "archived": self.archived,
            "template": self.template.as_dict() if self.template else None,
        }
        result.update(self.details.as_dict() if self.details else _NO_DETAILS)
        if self.enrolment:
            result["enrolment"] = self.enrolment.as_dict()
        result["key"] = self.key.as_dict()
        result["source"] = self.source.as_dict()
        result["notes"] = list(self.notes)
        return result


@dataclass(frozen=True)
class Request:
    """A certificate request: what was asked for, and the provider named in it at that time."""

    key: Key
    source: Source
    form: Literal["pkcs10", "cmc"]
    subject: str | None = None
    template: Template | None = None
    details: Details | None = None
    enrolment: Enrolment | None = None
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The request as it stands in a result (without a verdict)."""
        result: dict[str, Any] = {
            "form": self.form,
            "subject": self.subject,
            "template": self.template.as_dict() if self.template else None,
        }
        result.update(self.details.as_dict() if self.details else _NO_DETAILS)
        result["enrolment"] = self.enrolment.as_dict() if self.enrolment else None
        result["key"] = self.key.as_dict()
        result["source"] = self.source.as_dict()
        result["notes"] = list(self.notes)
        return result


@dataclass(frozen=True)
class Problem:
    """Something that could not be read or done: where, what, and the way out."""

    origin: str
    """The file or the host."""
    message: str
    remedy: str
    place: str | None = None
    """Offset, line, registry key, element or row."""

    def as_dict(self) -> dict[str, Any]:
        """The problem as it stands in a result."""
        return {"origin": self.origin, "place": self.place, "message": self.message, "remedy": self.remedy}

    def __str__(self) -> str:
        where = f"{self.origin}, {self.place}" if self.place else self.origin
        return f"{where}: {self.message} {self.remedy}"


@dataclass(frozen=True)
class Reading:
    """All that one piece of evidence yielded. One bad element never hides the others."""

    certificates: tuple[Certificate, ...] = ()
    requests: tuple[Request, ...] = ()
    problems: tuple[Problem, ...] = ()

    def __add__(self, other: Reading) -> Reading:
        return Reading(
            self.certificates + other.certificates,
            self.requests + other.requests,
            self.problems + other.problems,
        )

    def __iter__(self) -> Iterator[Certificate]:
        return iter(self.certificates)


class EvidenceError(Exception):
    """A piece of evidence that cannot be read. Carries the place and the way out.

    Readers of single elements raise it; readers of whole files turn it into a :class:`Problem`.
    """

    def __init__(self, message: str, *, place: str | None = None, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.remedy = remedy

    def as_problem(self, origin: str, *, within: str | None = None) -> Problem:
        """The same as a :class:`Problem` of ``origin``; ``within`` stands before the place."""
        place = ", ".join(part for part in (within, self.place) if part) or None
        return Problem(origin, self.message, self.remedy, place)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
