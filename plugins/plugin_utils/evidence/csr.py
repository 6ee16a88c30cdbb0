# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate requests, PKCS#10 and CMC: which provider made the key, as Windows writes it into each request.

The enrolment attributes are described in MS-WCCE 2.2.2.7; their content was compared with 41 requests of Windows 10
to Server 2025. A request tells the provider at the time of the request, not where the key lives today.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, NamedTuple

from ..providers.catalogue import classify
from ..record import Details, Enrolment, EvidenceError, Key, Problem, Reading, Request, Source, Template
from . import asn1, der
from .armour import Payload, unwrap
from .asn1 import Attribute
from .cmc import Enclosed, requests_within
from .x509 import describe, extensions_of, require_cryptography, template_of

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None

NAME_VALUE_PAIR = "1.3.6.1.4.1.311.13.2.1"
CSP_PROVIDER = "1.3.6.1.4.1.311.13.2.2"
OS_VERSION = "1.3.6.1.4.1.311.13.2.3"
CLIENT_INFO = "1.3.6.1.4.1.311.21.20"

_DOTTED = re.compile(r"\d+(\.\d+)+")
_REMEDY = "Create the request again with certreq -new, or obtain the file again."


class _Told(NamedTuple):
    """What the attributes of a request tell."""

    keys: tuple[Key, ...]
    """The differing provider attributes."""
    template: Template | None
    enrolment: Enrolment


def read_csr(data: bytes, origin: str) -> Reading:
    """Read every certificate request in a file: DER, PEM with any label, or bare base64; PKCS#10 or CMC.

    Never raises: what cannot be read is in ``problems``.
    """
    found = unwrap(data)
    requests: list[Request] = []
    problems = [error.as_problem(origin) for label, error in found.damaged if _is_request(label)]
    for payload in found.payloads:
        if payload.kind not in ("pkcs10", "cmc") and not _is_request(payload.label):
            continue
        try:
            if payload.kind in ("cmc", "pkcs7"):
                _read_cmc(payload, origin, requests, problems)
            else:
                requests.append(_request(Enclosed(payload.der, None), "pkcs10", Source("csr", origin, payload.place)))
        except EvidenceError as error:
            problems.append(error.as_problem(origin, within=payload.place))
    if not requests and not problems:
        labels = found.labels()
        held = f" It holds: {labels}." if labels else ""
        problems.append(
            Problem(
                origin,
                f"There is no certificate request (PKCS#10 or CMC) in the {len(data)} bytes.{held}",
                "Give the file that certreq -new wrote, or leave the option 'format' at auto.",
            )
        )
    return Reading(requests=tuple(requests), problems=tuple(problems))


def _is_request(label: str | None) -> bool:
    return label is not None and label.endswith("CERTIFICATE REQUEST")


def _read_cmc(payload: Payload, origin: str, requests: list[Request], problems: list[Problem]) -> None:
    within = requests_within(payload.der)
    problems += [error.as_problem(origin, within=payload.place) for error in within.errors]
    for enclosed in within.enclosed:
        part = None if enclosed.body_part is None else f"CMC body part {enclosed.body_part}"
        place = ", ".join(filter(None, (payload.place, part))) or None
        try:
            requests.append(_request(enclosed, "cmc" if part else "pkcs10", Source("csr", origin, place)))
        except EvidenceError as error:
            problems.append(error.as_problem(origin, within=place))
    if not within.enclosed and not within.errors:
        problems.append(Problem(origin, "The CMC request holds no request for a certificate.", _REMEDY, payload.place))


def _request(enclosed: Enclosed, form: Literal["pkcs10", "cmc"], source: Source) -> Request:
    outer = asn1.elements(enclosed.pkcs10, "The PKCS#10 request")
    info = asn1.elements(asn1.only(outer, 0, "The CertificationRequestInfo"), "The CertificationRequestInfo")
    notes: list[str] = []
    try:
        subject = der.name(asn1.only(info, 1, "The subject"))
    except ValueError as exc:
        subject = None
        notes.append(f"The subject cannot be read: {exc}.")
    own = [attribute for part in info[3:4] for attribute in asn1.attributes(part, "The attributes of the request")]
    # What the CMC request says from outside stands behind what the signed PKCS#10 says itself.
    told = _told((*own, *enclosed.attributes), enclosed.name_values, notes)
    details, template = _encoded(enclosed.pkcs10, notes)
    if told.template:
        template = replace(template, name=template.name or told.template.name) if template else told.template
    return Request(
        key=_one(told.keys),
        source=source,
        form=form,
        subject=subject,
        template=template,
        details=details,
        enrolment=None if told.enrolment == Enrolment() else told.enrolment,
        notes=tuple(notes),
    )


def _told(attributes: Iterable[Attribute], name_values: Iterable[tuple[str, str]], notes: list[str]) -> _Told:
    """Read the enrolment attributes; one that cannot be read becomes a note."""
    keys: list[Key] = []
    enrolment = Enrolment()
    pairs = list(name_values)
    for kind, value in ((attribute.oid, value) for attribute in attributes for value in attribute.values):
        try:
            if kind == CSP_PROVIDER:
                keys.append(_key(value, notes))
            elif kind == OS_VERSION:
                enrolment = replace(enrolment, os_version=enrolment.os_version or asn1.text(value, "The OS version"))
            elif kind == CLIENT_INFO and enrolment.machine is None:
                client = asn1.elements(value, "The client information")
                machine, user, process = (asn1.text(part, "The client information") for part in client[1:4])
                enrolment = replace(enrolment, machine=machine, user=user, process=process)
            elif kind == NAME_VALUE_PAIR:
                name, content = (asn1.text(part, "A name-value pair") for part in asn1.elements(value, "A pair")[:2])
                pairs.append((name, content))
        except (EvidenceError, ValueError) as error:
            notes.append(f"The attribute {kind} cannot be read: {str(error).rstrip('.')}.")
            if kind == CSP_PROVIDER:
                keys.append(Key())
    named = [value for name, value in pairs if name.casefold() == "certificatetemplate" and value]
    template = None
    if named:
        template = Template(oid=named[0]) if _DOTTED.fullmatch(named[0]) else Template(name=named[0])
    return _Told(tuple(dict.fromkeys(keys)), template, enrolment)


def _key(value: bytes, notes: list[str]) -> Key:
    fields = asn1.elements(value, "The provider attribute")
    key_spec = asn1.integer(asn1.only(fields, 0, "The key specification"), "The key specification")
    provider = asn1.text(asn1.only(fields, 1, "The provider name"), "The provider name")
    if not provider:
        notes.append("The provider attribute holds an empty name.")
    return Key(classify(provider, None), provider=provider or None, key_spec=key_spec)


def _one(keys: tuple[Key, ...]) -> Key:
    """The key, when the attributes agree; an ambiguous one when they do not."""
    if not keys:
        return Key()
    return keys[0] if len(keys) == 1 else Key("ambiguous", candidates=keys)


def _encoded(pkcs10: bytes, notes: list[str]) -> tuple[Details | None, Template | None]:
    """What the library reads of the request; a refusal becomes a note, for the attributes are read without it."""
    require_cryptography()
    try:
        encoded = x509.load_der_x509_csr(pkcs10)
        extensions = extensions_of(encoded)
        details = describe(encoded, extensions)
    except (ValueError, x509.InvalidVersion) as exc:
        notes.append(f"Public key and extensions cannot be read: {str(exc).rstrip('.')}.")
        return None, None
    notes.extend(extensions.notes)
    if not _signature_holds(encoded):
        notes.append("The request's own signature does not verify: it was altered or damaged after signing.")
    return details, template_of(extensions.readable)


def _signature_holds(encoded: x509.CertificateSigningRequest) -> bool:
    """Whether the key of the request made its signature; taken as so where the library does not know the algorithm.

    ``is_signature_valid`` of cryptography 50 says no to every SHA-1 signature, which Windows makes for most CMC
    requests; the keys themselves still verify it.
    """
    try:
        if encoded.is_signature_valid:
            return True
        key, digest = encoded.public_key(), encoded.signature_hash_algorithm
        signature, body = encoded.signature, encoded.tbs_certrequest_bytes
        if not isinstance(digest, hashes.SHA1):
            return False
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, body, padding.PKCS1v15(), digest)
        elif isinstance(key, dsa.DSAPublicKey):
            key.verify(signature, body, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, body, ec.ECDSA(digest))
    except InvalidSignature:
        return False
    except (UnsupportedAlgorithm, ValueError):
        return True
    return True
