# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One check for each requirement: look at a record and name the finding. What a finding means is the profile's affair.

A check answers with the finding and with what it saw, or with ``None`` where the question does not arise: an archived
flag, the owner of the key container and the other friendly names of a store are known for some evidence only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from ..providers.catalogue import lookup, provider_type_name
from ..record import AT_KEYEXCHANGE, AT_SIGNATURE, Certificate, Key, Request
from .kinds import ANY_EXTENDED_KEY_USAGE, usage_text
from .model import Requirement

Found = tuple[str, str | None] | None

RSASSA_PSS = "1.2.840.113549.1.1.10"
BROKEN_HASHES = ("MD2", "MD4", "MD5")

_CA_NOTE = "; the certificate is that of a certification authority"


@dataclass(frozen=True)
class Context:
    """What a check may know beside the record."""

    at: datetime
    friendly_names: Mapping[str, int] | None = None
    assignments: Sequence[str] = ()


def key_provider(record: Certificate | Request, requirement: Requirement, context: Context) -> Found:
    """Which provider holds the key."""
    key = record.key
    if key.kind == "unrecorded":
        return ("unrecorded_request" if isinstance(record, Request) else "unrecorded"), None
    if key.kind == "ambiguous":
        return "ambiguous", _candidates_text(key)
    finding = _provider_finding(key.kind, key.provider, key.provider_type, requirement)
    return finding, _provider_text(key.provider, key.provider_type)


@lru_cache(maxsize=1024)
def _provider_finding(kind: str, provider: str | None, provider_type: int | None, requirement: Requirement) -> str:
    if kind == "contradictory":
        return "contradictory"
    known = lookup(provider) if provider else None
    if kind == "ksp":
        if known is None and provider_type is None:
            return "presumed_ksp"
        finding = "ksp"
    elif known is None:
        return "unknown_csp" if provider else "default_csp"
    elif provider_type not in (None, known.provider_type):
        return "type_mismatch"
    else:
        listed = {name.casefold() for name in requirement.parameters["providers"]}
        finding = "listed" if known.name.casefold() in listed else "csp"
    if known is not None and known.token and requirement.findings[finding].status != "unmet":
        return "token"
    return finding


@lru_cache(maxsize=1024)
def _provider_text(provider: str | None, provider_type: int | None) -> str:
    if provider_type is None:
        return provider or "no provider recorded"
    return f"{provider or 'no provider named'} (type {provider_type}, {provider_type_name(provider_type)})"


def _candidates_text(key: Key) -> str:
    if key.candidates:
        return "; ".join(_provider_text(each.provider, each.provider_type) for each in key.candidates)
    return f"{_provider_text(key.provider, key.provider_type)}, a name that is not known and stands without a type"


def private_key(record: Certificate | Request, requirement: Requirement, context: Context) -> Found:
    """Whether there is a private key. That of a request is still on the computer that made it."""
    if isinstance(record, Request):
        return None
    key = record.key
    if key.present is False:
        return "missing", "the recorded key was not found"
    if key.present:
        return "opened", "the key was opened"
    if key.kind in ("csp", "ksp"):
        return "recorded", "recorded, not opened"
    return "unclear", None


def key_algorithm(record: Certificate | Request, requirement: Requirement, context: Context) -> Found:
    """The algorithm of the key."""
    if record.details is None:
        return "not_shown", None
    public_key = record.details.public_key
    algorithm = public_key.algorithm
    actual = f"{algorithm} {public_key.curve}" if public_key.curve else algorithm
    if algorithm in requirement.parameters["algorithms"]:
        return "listed", actual
    return ("ec" if algorithm == "EC" else "other"), actual


def key_size(record: Certificate | Request, requirement: Requirement, context: Context) -> Found:
    """The size of an RSA key."""
    if record.details is None:
        return "not_shown", None
    public_key = record.details.public_key
    if public_key.algorithm != "RSA":
        return "not_rsa", public_key.algorithm
    size = public_key.size
    if size is None:
        return "not_shown", None
    parameters = requirement.parameters
    actual = f"{size} bits"
    if size < parameters["minimum"]:
        return "too_small", actual
    by_usage = parameters["minimum_by_usage"]
    wanting = [usage for usage in context.assignments if size < by_usage.get(usage, 0)]
    if wanting:
        return "too_small_for_usage", f"{actual}; {', '.join(f'{each} needs {by_usage[each]}' for each in wanting)}"
    if parameters["sizes"] and size not in parameters["sizes"]:
        return "not_listed", actual
    return ("below_recommended" if size < parameters["recommended"] else "listed"), actual


def signature_algorithm(record: Certificate | Request, requirement: Requirement, context: Context) -> Found:
    """How the certificate is signed. A request is signed by itself, so only what it foretells is told."""
    details = record.details
    if isinstance(record, Request):
        if details is None:
            return None
        if details.signature_oid == RSASSA_PSS:
            return "request_pss", details.signature_algorithm
        return ("request_weak", details.signature_algorithm) if _hash(details.signature_hash) in BROKEN_HASHES else None
    if details is None:
        return "not_shown", None
    if details.signature_oid == RSASSA_PSS:
        return "pss", details.signature_algorithm
    digest = _hash(details.signature_hash)
    if digest in BROKEN_HASHES:
        return "weak", details.signature_algorithm
    if digest not in requirement.parameters["hashes"]:
        return "not_listed", details.signature_algorithm
    return ("sha1" if digest == "SHA1" else "listed"), details.signature_algorithm


def _hash(name: str | None) -> str | None:
    return name.upper().replace("-", "") if name else None


def enhanced_key_usage(record: Certificate | Request, requirement: Requirement, context: Context) -> Found:
    """What the key may be used for. A request that leaves it out leaves it to the template of the CA."""
    details = record.details
    if details is None:
        return None if isinstance(record, Request) else ("not_shown", None)
    usages = details.extended_key_usage
    if usages is None:
        if isinstance(record, Request):
            return None
        return "any_usage", "no extension" + (_CA_NOTE if details.is_ca else "")
    actual = _usages_text(usages) + (_CA_NOTE if details.is_ca else "")
    wanted = requirement.parameters["usages"]
    hits = [usage in usages for usage in wanted]
    if any(hits) if requirement.parameters["match"] == "any" else all(hits):
        return "listed", actual
    return ("any_named" if ANY_EXTENDED_KEY_USAGE in usages else "lacking"), actual


@lru_cache(maxsize=256)
def _usages_text(usages: tuple[str, ...]) -> str:
    return ", ".join(usage_text(oid) for oid in usages) or "no usage at all"


def crl_distribution_point(record: Certificate | Request, requirement: Requirement, context: Context) -> Found:
    """Whether the certificate says where its CRL is."""
    if isinstance(record, Request):
        return None
    if record.details is None:
        return "not_shown", None
    points = record.details.crl_distribution_points
    if not points:
        return "absent", "none"
    return "present", next((url for url in points if url), "a distribution point without a URL")


def validity(record: Certificate | Request, requirement: Requirement, context: Context) -> Found:
    """Whether the certificate is valid now, and for how long."""
    if isinstance(record, Request):
        return None
    first, last = record.not_before, record.not_after
    if last is not None and last < context.at:
        return "expired", f"valid until {_moment(last)}"
    if first is not None and first > context.at:
        return "not_yet_valid", f"valid from {_moment(first)}"
    if first is None or last is None:
        return "not_shown", None
    left = last - context.at
    if left < timedelta(days=requirement.parameters["warning_days"]):
        return "expiring", f"valid until {_moment(last)}, {left.days} days left"
    return "valid", f"valid until {_moment(last)}"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def friendly_name(record: Certificate | Request, requirement: Requirement, context: Context) -> Found:
    """Whether another certificate of the store has the same friendly name. No name at all collides with none."""
    if isinstance(record, Request) or context.friendly_names is None:
        return None
    name = record.friendly_name
    if not name:
        # Text evidence leaves out the name, not only certificates that have none.
        return ("not_shown", None) if name is None and record.details is None else ("unique", "none")
    return ("shared" if context.friendly_names.get(name, 0) > 1 else "unique"), name


def key_spec(record: Certificate | Request, requirement: Requirement, context: Context) -> Found:
    """The key specification of a CSP key. CNG keys have none, and without a record there is nothing to specify."""
    key = record.key
    if key.kind in ("ksp", "unrecorded"):
        return None
    spec = key.key_spec
    if spec is None:
        return None if isinstance(record, Request) else ("not_shown", None)
    if spec == AT_KEYEXCHANGE:
        return "exchange", "AT_KEYEXCHANGE (1)"
    if spec == AT_SIGNATURE:
        return "signature", "AT_SIGNATURE (2)"
    return "other", f"KeySpec {spec}"


def machine_keyset(record: Certificate | Request, requirement: Requirement, context: Context) -> Found:
    """Whether the key container belongs to the machine."""
    machine = record.key.machine_keyset
    if machine is None:
        return None
    return ("machine", "machine") if machine else ("user", f"flags 0x{record.key.flags:X}")


def archived(record: Certificate | Request, requirement: Requirement, context: Context) -> Found:
    """Whether the certificate is marked as archived."""
    if isinstance(record, Request) or record.archived is None:
        return None
    return ("archived", "archived") if record.archived else ("active", "not archived")


CHECKS: dict[str, Callable[[Certificate | Request, Requirement, Context], Found]] = {
    "key_provider": key_provider,
    "private_key": private_key,
    "key_algorithm": key_algorithm,
    "key_size": key_size,
    "signature_algorithm": signature_algorithm,
    "enhanced_key_usage": enhanced_key_usage,
    "crl_distribution_point": crl_distribution_point,
    "validity": validity,
    "friendly_name": friendly_name,
    "key_spec": key_spec,
    "machine_keyset": machine_keyset,
    "archived": archived,
}
"""The check of each requirement that a profile can make."""
