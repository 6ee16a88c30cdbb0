# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate files: PEM, DER and PKCS #7 bags. They tell all about a certificate but where its key lives."""

from __future__ import annotations

from ..record import Certificate, EvidenceError, Problem, Reading, Source
from .armour import Payload, unwrap
from .cmc import signed_data
from .der import span
from .x509 import certificate_from_der

_LABELS = ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE", "PKCS7", "PKCS #7 SIGNED DATA", "CMS")
_NO_PROVIDER = "A certificate file does not tell which provider holds the private key; read the store of the host."
_PRIVATE_KEY = "The file also holds a private key, which was not read."


def read_pem(data: bytes, origin: str) -> Reading:
    """Read every certificate of a PEM, DER or PKCS #7 file (.cer, .crt, .pem, .p7b, and the .rsp of certreq).

    Never raises: what cannot be read is in ``problems``. Blocks of other kinds are passed over.
    """
    found = unwrap(data)
    certificates: list[Certificate] = []
    problems = [error.as_problem(origin) for label, error in found.damaged if label in _LABELS]
    notes = (_NO_PROVIDER, _PRIVATE_KEY) if found.private_keys else (_NO_PROVIDER,)
    for payload in found.payloads:
        if payload.kind not in ("certificate", "pkcs7") and (payload.kind or payload.label not in _LABELS):
            continue
        try:
            for der, place in _encoded(payload):
                try:
                    source = Source("pem", origin, place)
                    certificates.append(certificate_from_der(der, source=source, notes=notes))
                except EvidenceError as error:
                    problems.append(error.as_problem(origin, within=place))
        except EvidenceError as error:
            problems.append(error.as_problem(origin, within=payload.place))
    if not certificates and not problems:
        held = f" It holds: {found.labels()}." if found.labels() else ""
        held += " It holds a private key, which was not read." if found.private_keys else ""
        problems.append(
            Problem(
                origin,
                f"There is no certificate in the {len(data)} bytes.{held}",
                "Give the file that holds the certificate (.cer, .crt, .pem or .p7b).",
            )
        )
    return Reading(certificates=tuple(certificates), problems=tuple(problems))


def _encoded(payload: Payload) -> list[tuple[bytes, str | None]]:
    """The certificates of one structure with their places."""
    if payload.kind != "pkcs7":
        return [(_untrusted(payload), payload.place)]
    bag = signed_data(payload.der).certificates
    return [
        (der, ", ".join(filter(None, (payload.place, f"certificate {number} of {len(bag)}"))))
        for number, der in enumerate(bag, 1)
    ]


def _untrusted(payload: Payload) -> bytes:
    """The certificate alone: OpenSSL puts what it trusts it for behind it (BEGIN TRUSTED CERTIFICATE)."""
    if payload.label != "TRUSTED CERTIFICATE":
        return payload.der
    try:
        return payload.der[: span(payload.der, 0)[1]]
    except ValueError:
        return payload.der
