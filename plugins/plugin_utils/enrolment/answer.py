# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate that answers a request, whatever form a CA gives it in, and whether it may be taken."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from ..evidence.csr import read_csr
from ..evidence.pem import read_pem
from ..evidence.x509 import certificate_from_der, require_cryptography
from ..record import Certificate, EvidenceError, Request, Source
from .errors import EnrolmentError
from .keys import public_key_of, same_key
from .requested import same_subject

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.hazmat.primitives.serialization import pkcs7 as _pkcs7
    from cryptography.x509.oid import NameOID
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None

CLOCK_TOLERANCE = timedelta(minutes=5)
"""The difference between clocks that Kerberos tolerates by default."""

_ORIGIN = "answer of the CA"
_CLOCKS = (
    "Set the clocks of the CA and of the Ansible controller right (w32tm, NTP), and run it again when the time has"
    " come; the certificate is kept."
)
_AGAIN = "Have the CA issue a certificate for this request anew, or make a new request."


def read_certificates(data: bytes) -> tuple[bytes, ...]:
    """Every certificate of a file, DER, each once: PEM with one or many, DER, PKCS#7 (also a response), bare base64.

    Raises:
        EnrolmentError: there is none, or none can be read.
    """
    reading = read_pem(data, _ORIGIN)
    found = dict.fromkeys(certificate.der for certificate in reading.certificates if certificate.der)
    if not found:
        problem = reading.problems[0]
        raise EnrolmentError(problem.message, place=problem.place or _ORIGIN, remedy=problem.remedy)
    return tuple(found)


def has_key(certificate: bytes, public_key: bytes) -> bool:
    """Whether a certificate (DER) has a public key; one whose key cannot be read has not.

    Args:
        certificate: DER.
        public_key: SubjectPublicKeyInfo, DER.
    """
    try:
        return public_key_of(certificate) == public_key
    except EnrolmentError:
        return False


def chosen(certificates: Sequence[bytes], public_key: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """The certificate with a public key, and its chain.

    Args:
        certificates: DER, in any order.
        public_key: SubjectPublicKeyInfo, DER.

    Returns:
        Of several with the key, the one that is valid longest; its issuers one after the other as far as they are
        there, a self-signed root last.

    Raises:
        EnrolmentError: none has the key.
    """
    leaves = [certificate for certificate in certificates if has_key(certificate, public_key)]
    if not leaves:
        subjects = ", ".join(repr(_read(certificate).subject) for certificate in certificates) or "none"
        raise EnrolmentError(
            f"No certificate answers the request: none has its public key. Certificates seen: {subjects}.",
            place=_ORIGIN,
            remedy="Take the certificate that was issued for this very request; one for an earlier request has another"
            " key.",
        )
    leaf = max(leaves, key=lambda certificate: _loaded(certificate).not_valid_after_utc)
    chain: list[bytes] = []
    current = leaf
    while issuer := _issuer_of(current, [other for other in certificates if other not in (leaf, *chain)]):
        chain.append(issuer)
        current = issuer
    return leaf, tuple(chain)


def self_signed(certificate: bytes) -> bool:
    """Whether a certificate (DER) names itself as its issuer, as a root does."""
    loaded = _loaded(certificate)
    return loaded.issuer == loaded.subject


def pkcs7(certificates: Sequence[bytes]) -> bytes:
    """Certificates as a SignedData without signers (.p7b), DER.

    Raises:
        EnrolmentError: one of them is none.
    """
    return _pkcs7.serialize_certificates([_loaded(certificate) for certificate in certificates], Encoding.DER)


def check_answer(certificate: bytes, csr: bytes, *, at: datetime, chain: Sequence[bytes] = ()) -> list[str]:
    """Whether a certificate answers a request and can be used now.

    Args:
        certificate: DER.
        csr: PKCS#10, DER.
        at: the moment by the clock of the controller, UTC.
        chain: its issuers, DER.

    Returns:
        What differs from the request without harm, as whole sentences.

    Raises:
        EnrolmentError: the certificate has another key or lacks names, or it or an issuer is not valid now.
    """
    if not same_key(certificate, csr):
        raise EnrolmentError(
            f"The certificate {_read(certificate).subject!r} answers another request: its public key differs.",
            place=_ORIGIN,
            remedy="Give the certificate that was issued for this very request.",
        )
    answered = _read(certificate)
    notes = _compare_names(answered, _loaded(certificate), _request(csr), _loaded_csr(csr))
    _check_validity(answered, at)
    for issuer in chain:
        _check_issuer(_read(issuer), at)
    return notes


def _issuer_of(certificate: bytes, others: Sequence[bytes]) -> bytes | None:
    """The one that signed a certificate; of a CA certificate that was renewed with its key, the one valid longest."""
    signed = _loaded(certificate)
    if signed.issuer == signed.subject:
        return None
    issuers = [other for other in others if _signed_by(signed, _loaded(other))]
    return max(issuers, key=lambda other: _loaded(other).not_valid_after_utc, default=None)


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _compare_names(
    answered: Certificate, certificate: x509.Certificate, request: Request, csr: x509.CertificateSigningRequest
) -> list[str]:
    given = {name.casefold() for name in answered.details.subject_alt_names} if answered.details else set()
    wanted = {name.casefold() for name in request.details.subject_alt_names} if request.details else set()
    # A name in the subject alone counts as asked for; CAs often repeat it among the alternative names.
    common = {f"dns:{name.casefold()}" for name in _common_names(csr.subject)}
    held = given | {f"dns:{name.casefold()}" for name in _common_names(certificate.subject)}
    if missing := sorted((wanted - given) | (common - held)):
        raise EnrolmentError(
            f"The certificate {answered.subject!r} lacks names of its request: {', '.join(missing)}.",
            place=_ORIGIN,
            remedy="On AD CS, let the template take its subject from the request ('Supply in the request'); with"
            f" another CA, ask for the missing names. {_AGAIN}",
        )
    notes = []
    if added := sorted(given - wanted - common):
        notes.append(f"The certificate has names that were not asked for: {', '.join(added)}.")
    if not same_subject(answered.subject, request.subject or ""):
        notes.append(f"The CA changed the subject from {request.subject!r} to {answered.subject!r}.")
    return notes


def _check_validity(certificate: Certificate, at: datetime) -> None:
    if certificate.not_before and certificate.not_before > at + CLOCK_TOLERANCE:
        raise EnrolmentError(
            f"The certificate {certificate.subject!r} is not valid yet: it begins at {_moment(certificate.not_before)}"
            f" by the clock of the CA, and the controller's clock says {_moment(at)}.",
            place=_ORIGIN,
            remedy=_CLOCKS,
        )
    if certificate.not_after and certificate.not_after <= at:
        raise EnrolmentError(
            f"The certificate {certificate.subject!r} has expired: it ended at {_moment(certificate.not_after)}, and"
            f" the controller's clock says {_moment(at)}.",
            place=_ORIGIN,
            remedy=f"Check the controller's clock. {_AGAIN}",
        )


def _check_issuer(issuer: Certificate, at: datetime) -> None:
    if issuer.not_after and issuer.not_after <= at:
        raise EnrolmentError(
            f"The CA certificate {issuer.subject!r} in the chain has expired: it ended at {_moment(issuer.not_after)},"
            f" and the controller's clock says {_moment(at)}.",
            place=_ORIGIN,
            remedy="Check the controller's clock; else renew the certificate of the CA, and have it issue anew.",
        )


def _common_names(name: x509.Name) -> set[str]:
    return {str(attribute.value) for attribute in name.get_attributes_for_oid(NameOID.COMMON_NAME)}


def _read(certificate: bytes) -> Certificate:
    try:
        return certificate_from_der(certificate, source=Source("pem", _ORIGIN))
    except EvidenceError as exc:
        raise EnrolmentError(exc.message, place=_ORIGIN, remedy=exc.remedy) from exc


def _request(csr: bytes) -> Request:
    reading = read_csr(csr, "request")
    if not reading.requests:
        problem = reading.problems[0]
        raise EnrolmentError(problem.message, place="request", remedy=problem.remedy)
    return reading.requests[0]


def _loaded(certificate: bytes) -> x509.Certificate:
    require_cryptography()
    try:
        return x509.load_der_x509_certificate(certificate)
    except ValueError as exc:
        raise EnrolmentError(f"A certificate cannot be read: {exc}.", place=_ORIGIN, remedy=_AGAIN) from exc


def _loaded_csr(csr: bytes) -> x509.CertificateSigningRequest:
    try:
        return x509.load_der_x509_csr(csr)
    except ValueError as exc:
        raise EnrolmentError(
            f"The request cannot be read: {exc}.", place="request", remedy="Make a new request."
        ) from exc


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"
