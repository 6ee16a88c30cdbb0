# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The requirements that a profile can make: their parameters, what a check can find, and what each finding means.

A profile overrides status, reason and remedy of single findings; what it leaves out is taken from here. Texts may hold
``{title}`` (the product), ``{expected}`` and ``{actual}``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from .verdict import Confidence, RequirementStatus

ParameterType = Literal["texts", "integers", "integer", "choice", "integer_by_text"]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a requirement, as a profile file may give it."""

    type: ParameterType
    default: Any
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Default:
    """What a finding means unless the profile says otherwise."""

    status: RequirementStatus
    reason: str | None = None
    remedy: str | None = None
    source: str | None = None
    """Of a fact about Windows; the requirement's own source when ``None``."""
    confidence: Confidence | None = None
    follows: str | None = None
    """Another finding whose status this one has where the profile gives none; ``met`` becomes ``warning``."""


@dataclass(frozen=True)
class Kind:
    """One requirement that a profile can make."""

    findings: Mapping[str, Default]
    expected: Callable[[Mapping[str, Any]], str]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


SERVER_AUTHENTICATION = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTHENTICATION = "1.3.6.1.5.5.7.3.2"
ANY_EXTENDED_KEY_USAGE = "2.5.29.37.0"
USAGE_NAMES = {
    SERVER_AUTHENTICATION: "server authentication",
    CLIENT_AUTHENTICATION: "client authentication",
    ANY_EXTENDED_KEY_USAGE: "any usage",
}

_NEW_REQUEST = (
    "Request a new certificate with the Microsoft RSA SChannel Cryptographic Provider, from a template whose "
    "provider category is legacy cryptographic service provider"
)
_MOVE_KEY = (
    _NEW_REQUEST
    + "; or, when the key is an exportable RSA key, move it there: winpki.keyprovider.certificate_convert, or by hand "
    + 'certutil -csp "Microsoft RSA SChannel Cryptographic Provider" -importpfx FILE AT_KEYEXCHANGE.'
)
_READ_STORE = "Read the host with the registry as source: it records the provider without opening the key."
_OPEN_KEY = "Run certutil -v -store My THUMBPRINT on the host, or the audit with probe_keys, to see where the key is."
_REQUEST_AGAIN = "Request a new certificate"
_NOT_SHOWN = Default(
    "unknown",
    "This evidence does not show it.",
    "Read the host with the registry as source, or give the certificate file itself.",
)
_MET = Default("met")


def _listed(values: Sequence[object], conjunction: str = "or") -> str:
    words = [str(value) for value in values]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def usage_text(oid: str) -> str:
    """An extended key usage with its name, where it has one here: ``1.3.6.1.5.5.7.3.1 (server authentication)``."""
    name = USAGE_NAMES.get(oid)
    return f"{oid} ({name})" if name else oid


def _expected_provider(parameters: Mapping[str, Any]) -> str:
    providers = parameters["providers"]
    return _listed(providers) if providers else "a legacy cryptographic service provider (CSP)"


def _expected_size(parameters: Mapping[str, Any]) -> str:
    text = f"RSA, {_listed(parameters['sizes'])} bits" if parameters["sizes"] else "RSA"
    text += f", at least {parameters['minimum']}"
    if parameters["recommended"] > parameters["minimum"]:
        text += f", recommended {parameters['recommended']} or more"
    return text


def _expected_usage(parameters: Mapping[str, Any]) -> str:
    conjunction = "and" if parameters["match"] == "all" else "or"
    return _listed([usage_text(oid) for oid in parameters["usages"]], conjunction)


def _fixed(text: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda parameters: text


KINDS: dict[str, Kind] = {
    "key_provider": Kind(
        parameters={"providers": Parameter("texts", ())},
        expected=_expected_provider,
        findings={
            "listed": _MET,
            "csp": Default(
                "warning",
                "{title} is known to work with {expected}. The key is in another legacy CSP: {actual}.",
                _MOVE_KEY,
            ),
            "unknown_csp": Default(
                "warning",
                "The recorded provider type says that {actual} is a legacy CSP, but the provider itself is not known "
                "here and is not proven with {title}.",
                "Ask the vendor of the provider whether it serves {title}, or use {expected}.",
            ),
            "default_csp": Default(
                "warning",
                "The record names no provider, only a type ({actual}): Windows takes the default provider of that type "
                "on this computer, which can change.",
                "Name the provider in the record: certutil -csp PROVIDER -repairstore My THUMBPRINT. "
                "{title} is known to work with {expected}.",
                "CryptAcquireContext (wincrypt.h): pszProvider NULL selects the default provider of the type",
                "high",
            ),
            "type_mismatch": Default(
                "warning",
                "The recorded type is not the type of this provider: {actual}. CryptAcquireContext refuses such a pair "
                "(NTE_PROV_TYPE_NO_MATCH, 0x8009001B).",
                "Write the record anew: certutil -csp PROVIDER -repairstore My THUMBPRINT.",
                "CryptAcquireContext (wincrypt.h): NTE_PROV_TYPE_NO_MATCH",
                "high",
            ),
            "token": Default(
                "warning",
                "The key is on a smart card or token ({actual}), which may ask for a card or a PIN: a service that "
                "runs without a person cannot answer.",
                _NEW_REQUEST + ".",
                "Smart Card Minidriver Specification: smart card providers ask the user for the PIN",
                "medium",
            ),
            "ksp": Default(
                "unmet",
                "{title} does not support keys in a CNG key storage provider. The key is in {actual}.",
                _MOVE_KEY,
            ),
            "presumed_ksp": Default(
                "unmet",
                "{actual} is taken for a CNG key storage provider by its name alone, since the evidence shows no "
                "provider type. {title} is documented with {expected}.",
                _READ_STORE,
                "the vendors' way of naming key storage providers, which nothing verifies",
                "low",
                follows="ksp",
            ),
            "unrecorded": Default(
                "unknown",
                "No key provider is recorded. That does not prove that there is no private key: Windows can find a key "
                "without the record.",
                _OPEN_KEY + " A lost record is written anew by certutil -repairstore My THUMBPRINT.",
                "CERT_KEY_PROV_INFO_PROP_ID (wincrypt.h) is optional; certutil finds CNG keys without it",
                "medium",
            ),
            "unrecorded_request": Default(
                "unknown",
                "The request names no key provider. Programs other than certreq and the Windows enrolment interfaces "
                "leave it out; the provider is then chosen where the certificate and key are imported.",
                "Look at the computer that made the request: certutil -store REQUEST.",
                "MS-WCCE 2.2.2.7.2 szOID_ENROLLMENT_CSP_PROVIDER is an optional attribute",
                "medium",
            ),
            "ambiguous": Default(
                "unknown",
                "The evidence does not tell one kind of provider: {actual}.",
                _OPEN_KEY,
            ),
            "contradictory": Default(
                "unknown",
                "The recorded provider type and the provider contradict each other: {actual}.",
                _OPEN_KEY + " Then write the record anew: certutil -csp PROVIDER -repairstore My THUMBPRINT.",
                "CRYPT_KEY_PROV_INFO (wincrypt.h): dwProvType 0 stands for a CNG key storage provider",
                "high",
            ),
        },
    ),
    "private_key": Kind(
        expected=_fixed("a private key beside the certificate"),
        findings={
            "opened": _MET,
            "recorded": Default("met", "A key is recorded; nobody opened it to see whether it is still there."),
            "missing": Default(
                "unmet",
                "{title} needs the private key. The key container on record was not found.",
                "Import the certificate with its key from a PFX file, or request a new one. If the key is there under "
                "another name: certutil -repairstore My THUMBPRINT.",
            ),
            "unclear": Default(
                "unknown",
                "The evidence does not show whether there is a private key.",
                _OPEN_KEY,
            ),
        },
    ),
    "key_algorithm": Kind(
        parameters={"algorithms": Parameter("texts", ("RSA",))},
        expected=lambda parameters: _listed(parameters["algorithms"]),
        findings={
            "listed": _MET,
            "ec": Default(
                "unmet",
                "{title} needs an {expected} key. The key is an elliptic-curve key ({actual}).",
                _REQUEST_AGAIN + " with an RSA key.",
            ),
            "other": Default(
                "unmet",
                "{title} needs an {expected} key. The key is of another algorithm: {actual}.",
                _REQUEST_AGAIN + " with an RSA key.",
            ),
            "not_shown": _NOT_SHOWN,
        },
    ),
    "key_size": Kind(
        parameters={
            "sizes": Parameter("integers", ()),
            "minimum": Parameter("integer", 1024),
            "recommended": Parameter("integer", 2048),
            "minimum_by_usage": Parameter("integer_by_text", {}),
        },
        expected=_expected_size,
        findings={
            "listed": _MET,
            "too_small": Default(
                "unmet",
                "{title} needs {expected}. The key has {actual}.",
                _REQUEST_AGAIN + " with a 2048-bit key.",
            ),
            "too_small_for_usage": Default(
                "unmet",
                "A usage that this certificate is assigned to needs a longer key. The key has {actual}.",
                _REQUEST_AGAIN + " with a 2048-bit key and assign it.",
            ),
            "below_recommended": Default(
                "warning",
                "{title} supports {expected}. The key has {actual}.",
                _REQUEST_AGAIN + " with a 2048-bit key.",
            ),
            "not_listed": Default(
                "warning",
                "{title} supports {expected}. The key has {actual}, which is not among the documented sizes.",
                _REQUEST_AGAIN + " with a key of a documented size.",
            ),
            "not_rsa": Default(
                "unknown",
                "The documented sizes are those of RSA keys. The key is of another algorithm: {actual}.",
                _REQUEST_AGAIN + " with an RSA key.",
            ),
            "not_shown": _NOT_SHOWN,
        },
    ),
    "signature_algorithm": Kind(
        parameters={"hashes": Parameter("texts", ("SHA1", "SHA224", "SHA256", "SHA384", "SHA512"))},
        expected=lambda parameters: f"a signature with {_listed(parameters['hashes'])}, not RSASSA-PSS",
        findings={
            "listed": _MET,
            "sha1": Default("met", "SHA-1 is supported but weak today; clients may refuse it."),
            "pss": Default(
                "unmet",
                "{title} does not support certificates signed with RSASSA-PSS. The signature is {actual}.",
                "Have the CA sign with PKCS #1 v1.5: clear the alternate signature format of the template and "
                "AlternateSignatureAlgorithm on the CA, then request a new certificate.",
            ),
            "weak": Default(
                "unmet",
                "{title} needs {expected}. The signature is {actual}, which is broken.",
                _REQUEST_AGAIN + " from a CA that signs with SHA-256.",
            ),
            "not_listed": Default(
                "warning",
                "{title} is documented with {expected}. The signature is {actual}.",
                _REQUEST_AGAIN + " from a CA that signs with SHA-256 and PKCS #1 v1.5.",
            ),
            "request_pss": Default(
                "warning",
                "The request is signed with RSASSA-PSS ({actual}). The CA decides how it signs the certificate, but a "
                "template that asks for this format in requests asks for it in certificates too.",
                "Clear the alternate signature format of the template or AlternateSignatureAlgorithm of the INF file.",
            ),
            "request_weak": Default(
                "warning",
                "The request is signed with a broken digest ({actual}). A CA may refuse it.",
                "Set HashAlgorithm = SHA256 in the INF file and make the request anew.",
            ),
            "not_shown": _NOT_SHOWN,
        },
    ),
    "enhanced_key_usage": Kind(
        parameters={
            "usages": Parameter("texts", (SERVER_AUTHENTICATION,)),
            "match": Parameter("choice", "all", ("all", "any")),
        },
        expected=_expected_usage,
        findings={
            "listed": _MET,
            "any_usage": Default(
                "warning",
                "{title} asks for {expected}. The certificate has no extended key usage extension: it is good for any "
                "usage, but does not name this one.",
                _REQUEST_AGAIN + " that names the usage.",
            ),
            "any_named": Default(
                "warning",
                "{title} asks for {expected}. The certificate names any usage (2.5.29.37.0) instead, which programs "
                "that look for the one usage do not find.",
                _REQUEST_AGAIN + " that names the usage.",
            ),
            "lacking": Default(
                "unmet",
                "{title} needs {expected}. The certificate is for {actual}.",
                _REQUEST_AGAIN + " that names the usage, for example from the Web Server template.",
            ),
            "not_shown": _NOT_SHOWN,
        },
    ),
    "crl_distribution_point": Kind(
        expected=_fixed("a CRL distribution point"),
        findings={
            "present": _MET,
            "absent": Default(
                "unmet",
                "{title} needs a CRL distribution point in every server certificate. This one has none.",
                "Add a CRL distribution point to the extensions of the CA and request a new certificate.",
            ),
            "not_shown": _NOT_SHOWN,
        },
    ),
    "validity": Kind(
        parameters={"warning_days": Parameter("integer", 30)},
        expected=lambda parameters: f"valid now and for {parameters['warning_days']} days more",
        findings={
            "valid": _MET,
            "expired": Default(
                "unmet",
                "The certificate has expired: {actual}.",
                _REQUEST_AGAIN + " and assign it.",
            ),
            "not_yet_valid": Default(
                "unmet",
                "The certificate is not valid yet: {actual}.",
                "Wait for the first day of its validity, or correct the clock.",
            ),
            "expiring": Default(
                "warning",
                "The certificate expires soon: {actual}.",
                _REQUEST_AGAIN + " and assign it before that day.",
            ),
            "not_shown": Default(
                "unknown",
                "This evidence shows no dates that can be read without knowing the regional format of the host.",
                "Read the host with the registry as source, or give the certificate file itself.",
            ),
        },
    ),
    "friendly_name": Kind(
        expected=_fixed("a friendly name that no other certificate of the store has"),
        findings={
            "unique": _MET,
            "shared": Default(
                "warning",
                "{title} needs friendly names that are unique in the computer store. Found more than once: {actual}.",
                "Give each certificate its own friendly name, or remove the certificate that is no longer used.",
            ),
            "not_shown": _NOT_SHOWN,
        },
    ),
    "key_spec": Kind(
        expected=_fixed("AT_KEYEXCHANGE (1)"),
        findings={
            "exchange": _MET,
            "signature": Default(
                "unmet",
                "{title} needs a key with {expected}. This one is {actual}: it can sign but not decrypt.",
                _REQUEST_AGAIN + " with KeySpec = AT_KEYEXCHANGE.",
            ),
            "other": Default(
                "unmet",
                "{title} needs a key with {expected}. Recorded is {actual}.",
                _REQUEST_AGAIN + " with KeySpec = AT_KEYEXCHANGE.",
            ),
            "not_shown": Default(
                "unknown",
                "This evidence does not show the key specification.",
                _READ_STORE,
            ),
        },
    ),
    "machine_keyset": Kind(
        expected=_fixed("a key container of the machine"),
        findings={
            "machine": _MET,
            "user": Default(
                "warning",
                "The key is recorded in a container of a user ({actual}). Services that run under another account do "
                "not find it.",
                "Import the certificate and its key into the computer store, or request it there "
                "(MachineKeySet = TRUE).",
            ),
        },
    ),
    "archived": Kind(
        expected=_fixed("not archived"),
        findings={
            "active": _MET,
            "archived": Default(
                "warning",
                "The certificate is marked as archived: a newer one has taken its place, and programs do not offer it.",
                "Use the certificate that replaced it.",
            ),
        },
    ),
}
"""All requirements by name, in the order in which results are listed."""

FIXED_UNKNOWN = frozenset({"unrecorded", "unrecorded_request", "ambiguous", "contradictory", "unclear", "not_shown"})
"""Findings that say that something is not known. A profile may turn them into ``unmet``, never into anything better."""
