# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a request what was wished? It is read and compared before it leaves the host.

Requests of Windows tell the provider of their key themselves (MS-WCCE 2.2.2.7.2, szOID_ENROLLMENT_CSP_PROVIDER).
"""

from __future__ import annotations

import base64
import textwrap

from ..evidence.armour import kind_of, unwrap
from ..evidence.csr import read_csr
from ..evidence.x509 import require_cryptography
from ..providers.catalogue import lookup
from ..record import AT_KEYEXCHANGE, Details, Request
from .errors import EnrolmentError
from .names import is_address, is_oid, parse_subject
from .wish import RequestWish, provider_of

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None

_STEP = "comparing the request with what was asked for"
_REMEDY = "Look at the request with certutil -dump on the host, and at policies there that change requests."
_PEM_WIDTH = 64


def only_request(data: bytes) -> bytes:
    """The one PKCS #10 request of a file that certreq wrote, DER.

    Raises:
        EnrolmentError: the file holds none, several, or one of another form.
    """
    payloads = unwrap(data).payloads
    if len(payloads) != 1 or payloads[0].kind != "pkcs10":
        held = ", ".join(payload.kind or "something unknown" for payload in payloads) or "nothing that can be read"
        raise EnrolmentError(
            f"The request file of {len(data)} bytes should hold one PKCS #10 request and holds {held}.",
            place=_STEP,
            remedy=_REMEDY,
        )
    return payloads[0].der


def request_pem(der: bytes) -> str:
    """A request as PEM (RFC 7468), with the label and the line ends that programs of all systems take."""
    lines = textwrap.wrap(base64.b64encode(der).decode("ascii"), _PEM_WIDTH)
    return "\n".join(["-----BEGIN CERTIFICATE REQUEST-----", *lines, "-----END CERTIFICATE REQUEST-----", ""])


def check_csr(der: bytes, wish: RequestWish) -> None:
    """Compare a request with a wish.

    Args:
        der: the request.
        wish: a checked one.

    Raises:
        EnrolmentError: it is no PKCS #10 request, its signature does not hold, or it differs from the wish; the message
            tells every difference.
    """
    require_cryptography()
    reading = read_csr(der, "request")
    if kind_of(der) != "pkcs10" or len(reading.requests) != 1 or reading.problems:
        told = " ".join(problem.message for problem in reading.problems) or "It has another form."
        raise EnrolmentError(f"The request is no readable PKCS #10 request. {told}", place=_STEP, remedy=_REMEDY)
    (request,) = reading.requests
    if request.details is None:
        raise EnrolmentError(
            f"The request cannot be read whole. {' '.join(request.notes)}", place=_STEP, remedy=_REMEDY
        )
    found = [*_key_differences(request, request.details, wish), *_content_differences(request, request.details, wish)]
    if not _signature_holds(der):
        found.append("Its signature was not made by its own key with PKCS #1 v1.5.")
    if found:
        raise EnrolmentError(f"The request is not what was asked for. {' '.join(found)}", place=_STEP, remedy=_REMEDY)


def _key_differences(request: Request, details: Details, wish: RequestWish) -> list[str]:
    found = []
    wanted = provider_of(wish)
    named = request.key.provider
    if named is None:
        found.append("It does not tell the provider of its key.")
    elif lookup(named) != wanted:
        found.append(f"Its key was made by {named}, not by {wanted.name}.")
    if wanted.kind == "csp" and named is not None and request.key.key_spec != AT_KEYEXCHANGE:
        found.append(f"Its key specification is {request.key.key_spec}, not {AT_KEYEXCHANGE} (AT_KEYEXCHANGE).")
    key = details.public_key
    if key.algorithm != "RSA" or key.size != wish.key_length:
        found.append(f"Its key is {key.algorithm} with {key.size} bits, not RSA with {wish.key_length}.")
    if details.signature_hash != wish.hash_algorithm or not details.signature_algorithm.endswith("WithRSAEncryption"):
        found.append(
            f"It is signed with {details.signature_algorithm}, not with {wish.hash_algorithm.lower()}WithRSAEncryption."
        )
    return found


def _content_differences(request: Request, details: Details, wish: RequestWish) -> list[str]:
    found = []
    if not same_subject(request.subject, wish.subject):
        found.append(f"Its subject is {request.subject!r}, not {wish.subject!r}.")
    names = {name.lower() for name in details.subject_alt_names}
    wanted = {f"{'ip' if is_address(name) else 'dns'}:{name}" for name in wish.subject_alt_names}
    if names != wanted:
        found.append(f"Its alternative names are {_listed(names)}, not {_listed(wanted)}.")
    purposes = set(details.extended_key_usage or ())
    if purposes != set(wish.extended_key_usage):
        found.append(f"Its extended key usages are {_listed(purposes)}, not {_listed(set(wish.extended_key_usage))}.")
    template = wish.template if wish.template and is_oid(wish.template) else None
    told = (request.template.oid or request.template.name) if request.template else None
    if told != template:
        found.append(f"The template within it is {told or 'none'}, not {template or 'none'}.")
    if details.is_ca:
        found.append("It asks for the certificate of a CA.")
    return found


def same_subject(first: str | None, second: str) -> bool:
    """Whether two RFC 4514 texts have the same components. Their order is not compared: X500NameFlags and templates
    turn it around.
    """
    if first is None:
        return False
    try:
        return sorted(parse_subject(first)) == sorted(parse_subject(second))
    except EnrolmentError:
        return first == second


def _signature_holds(der: bytes) -> bool:
    encoded = x509.load_der_x509_csr(der)
    try:
        key, digest = encoded.public_key(), encoded.signature_hash_algorithm
        if not isinstance(key, rsa.RSAPublicKey) or digest is None:
            return False
        key.verify(encoded.signature, encoded.tbs_certrequest_bytes, padding.PKCS1v15(), digest)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _listed(values: set[str]) -> str:
    return ", ".join(sorted(values)) or "none"
