# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PFX files (PKCS #12, RFC 7292): the provider that Windows wrote beside each key, and the certificates.

Windows puts the provider name (1.3.6.1.4.1.311.17.1) and the mark of a machine key (17.2) on the key bag as
attributes. It encrypts the key and the certificates, but leaves the safe around the key bags in clear, so that the
provider is readable without the password. Private keys are opened only to learn their public half.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..providers.catalogue import classify
from ..record import CRYPT_MACHINE_KEYSET, Certificate, EvidenceError, Key, Problem, Reading, Source
from . import asn1, pbe
from .armour import unwrap
from .x509 import certificate_from_der, require_cryptography

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_der_private_key,
        pkcs12,
    )
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None

PROVIDER_NAME = "1.3.6.1.4.1.311.17.1"
LOCAL_MACHINE_KEYSET = "1.3.6.1.4.1.311.17.2"
_FRIENDLY_NAME = "1.2.840.113549.1.9.20"
_LOCAL_KEY_ID = "1.2.840.113549.1.9.21"
_DATA = "1.2.840.113549.1.7.1"
_ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
_KEY_BAG = "1.2.840.113549.1.12.10.1.1"
_SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
_CERT_BAG = "1.2.840.113549.1.12.10.1.3"
_SAFE_CONTENTS_BAG = "1.2.840.113549.1.12.10.1.6"
_X509_CERTIFICATE = "1.2.840.113549.1.9.22.1"
_DEEPEST_NESTING = 4

_GIVE_PASSWORD = "Give the password of the file in the option 'password' (an empty one as well)."
_RIGHT_PASSWORD = "Give the right password in the option 'password', or export the file again."
_EXPORT_AGAIN = "Export the file again on Windows."
_NO_PROVIDER = (
    "The file does not name a provider. PFXImportCertStore then puts an RSA key into the Microsoft Enhanced "
    "Cryptographic Provider v1.0, unless the importing program prefers CNG or names a provider (certutil -csp)."
)
_SEALED_ATTRIBUTES = "The key's attributes, and with them its provider, could not be decrypted."
_NO_KEY = "The file holds no private key for this certificate."
_UNMATCHED = "None of the private keys in the file could be matched to this certificate."
_NO_CERTIFICATE = "No certificate in the file belongs to this key."
_SEALED_CERTIFICATE = (
    "The certificate of this key was not read: the file holds none that is readable without its password."
)


@dataclass
class _KeyBag:
    """What a key bag says beside the key."""

    local_key_id: bytes | None
    key: Key
    notes: list[str]
    public_key: bytes | None = None
    """SubjectPublicKeyInfo; ``None`` when the key was not opened."""


@dataclass
class _CertBag:
    der: bytes
    local_key_id: bytes | None = None
    friendly_name: str | None = None
    public_key: bytes | None = None


@dataclass
class _Contents:
    """What was found in a file so far."""

    origin: str
    password: str | None
    keys: list[_KeyBag] = field(default_factory=list)
    certificates: list[_CertBag] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    sealed: bool = False
    """Whether a part of the file stayed unread for want of the password."""

    def problem(self, message: str, remedy: str, place: str | None = None) -> None:
        self.problems.append(Problem(self.origin, message, remedy, place))


def read_pfx(data: bytes, origin: str, password: str | None = None) -> Reading:
    """Read the keys and the certificates of a PFX file: one record for each key, and one for each other certificate.

    Without the password (or with a wrong one) the records tell what stands in clear: normally the provider. Never
    raises: what cannot be read is in ``problems``. Private keys appear nowhere.

    :param data: the file: DER or BER, or either of them in PEM or base64.
    :param origin: the name of the file, for messages.
    :param password: the password; an empty one counts as given.
    """
    contents = _Contents(origin, password)
    payloads = unwrap(data).of_kind("pfx")
    for payload in payloads:
        try:
            require_cryptography()
            _read_file(payload.der, contents)
        except EvidenceError as error:
            contents.problems.append(error.as_problem(origin, within=payload.place))
    if not payloads:
        contents.problem(
            f"The {len(data)} bytes are not a PFX file (PKCS #12).",
            "Give the file that certutil -exportPFX or the export wizard wrote.",
        )
    elif not (contents.keys or contents.certificates or contents.problems):
        contents.problem("The PFX file holds no key and no certificate.", _EXPORT_AGAIN)
    certificates = tuple(_records(contents))
    return Reading(certificates=certificates, problems=tuple(contents.problems))


def _read_file(encoded: bytes, contents: _Contents) -> None:
    fields = asn1.elements(asn1.definite(encoded), "The PFX")
    kind, content = _content_info(asn1.only(fields, 1, "The authSafe"), "The authSafe")
    if kind != _DATA:
        raise EvidenceError(
            f"The authSafe is of type {kind}: the file is protected by a signature, not by a password.",
            remedy="Export the file again with a password.",
        )
    bundle = _open(encoded, contents)
    unread: list[EvidenceError] = []
    safes = asn1.elements(asn1.definite(asn1.octets(content, "The authSafe")), "The AuthenticatedSafe")
    for number, safe in enumerate(safes, 1):
        place = f"safe {number} of {len(safes)}"
        try:
            kind, content = _content_info(safe, "A safe")
            if kind == _DATA:
                _read_safe(asn1.octets(content, "The safe"), contents, place)
            elif kind != _ENCRYPTED_DATA:
                raise EvidenceError(f"The safe is of the unknown type {kind}.", remedy=_EXPORT_AGAIN)
            elif bundle:
                _read_safe(_decrypted(content, contents.password or ""), contents, place)
            else:
                contents.sealed = True
        except pbe.UnsupportedEncryption as error:
            unread.append(error)
        except EvidenceError as error:
            contents.problems.append(error.as_problem(contents.origin, within=place))
    if contents.sealed and contents.password is None:
        what = "The certificates are" if contents.keys else "The contents are"
        contents.problem(f"{what} encrypted and no password was given.", _GIVE_PASSWORD)
    if bundle:
        _add_bundle(bundle, contents, unread)


def _open(encoded: bytes, contents: _Contents) -> pkcs12.PKCS12KeyAndCertificates | None:
    """Let the library open the file, which also checks its integrity; ``None`` without a password that fits."""
    if contents.password is None:
        return None
    # An empty password is encoded as two zero bytes or as nothing; programs differ.
    for candidate in (contents.password.encode(), *([None] if not contents.password else [])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return pkcs12.load_pkcs12(encoded, candidate)
            except (ValueError, UnsupportedAlgorithm):
                continue
    contents.problem("The password does not open the file, or the file is damaged.", _RIGHT_PASSWORD)
    return None


def _content_info(encoded: bytes, what: str) -> tuple[str, bytes]:
    fields = asn1.elements(encoded, what)
    content = asn1.elements(asn1.only(fields, 1, f"The content of {what}"), what)
    return asn1.oid(fields[0], what), asn1.only(content, 0, f"The content of {what}")


def _decrypted(encrypted_data: bytes, password: str) -> bytes:
    what = "The EncryptedData"
    info = asn1.elements(asn1.only(asn1.elements(encrypted_data, what), 1, what), what)
    return pbe.decrypt(asn1.only(info, 1, what), asn1.octets(asn1.only(info, 2, what), what), password)


def _read_safe(encoded: bytes, contents: _Contents, place: str, depth: int = 0) -> None:
    if depth > _DEEPEST_NESTING:
        raise EvidenceError("Bags are nested deeper than any program writes them.", remedy=_EXPORT_AGAIN)
    for number, bag in enumerate(asn1.elements(asn1.definite(encoded), "The SafeContents"), 1):
        try:
            fields = asn1.elements(bag, "A bag")
            kind = asn1.oid(asn1.only(fields, 0, "The bag type"), "The bag type")
            value = asn1.only(asn1.elements(asn1.only(fields, 1, "The bag value"), "A bag"), 0, "The bag value")
            if kind in (_KEY_BAG, _SHROUDED_KEY_BAG):
                contents.keys.append(_key_bag(kind, value, fields[2:3], contents.password))
            elif kind == _CERT_BAG:
                contents.certificates += _cert_bag(value, fields[2:3])
            elif kind == _SAFE_CONTENTS_BAG:
                _read_safe(value, contents, f"{place}, bag {number}", depth + 1)
        except EvidenceError as error:
            contents.problems.append(error.as_problem(contents.origin, within=f"{place}, bag {number}"))


def _key_bag(kind: str, value: bytes, attribute_sets: list[bytes], password: str | None) -> _KeyBag:
    public_key = _public_half(value, None if kind == _KEY_BAG else password, shrouded=kind != _KEY_BAG)
    present = True if public_key else None
    notes: list[str] = []
    try:
        found = _attributes(attribute_sets)
        flags = CRYPT_MACHINE_KEYSET if LOCAL_MACHINE_KEYSET in found else None
        names = dict.fromkeys(asn1.text(name, "The provider name") for name in found.get(PROVIDER_NAME, ()))
        container = _friendly_name(found) if names else None
        local_key_id = _local_key_id(found)
    except EvidenceError as error:
        notes.append(f"The attributes of the key cannot be read: {error.message}")
        return _KeyBag(None, Key(present=present), notes, public_key)
    keys = tuple(
        Key(classify(name, None), provider=name or None, container=container, flags=flags, present=present)
        for name in names
    )
    if not keys:
        notes.append(_NO_PROVIDER)
        key = Key(flags=flags, present=present)
    else:
        key = keys[0] if len(keys) == 1 else Key("ambiguous", flags=flags, present=present, candidates=keys)
    return _KeyBag(local_key_id, key, notes, public_key)


def _cert_bag(value: bytes, attribute_sets: list[bytes]) -> list[_CertBag]:
    fields = asn1.elements(value, "The certificate bag")
    if asn1.oid(asn1.only(fields, 0, "The certificate type"), "The certificate type") != _X509_CERTIFICATE:
        return []
    content = asn1.elements(asn1.only(fields, 1, "The certificate"), "The certificate")
    certificate = _CertBag(asn1.octets(asn1.only(content, 0, "The certificate"), "The certificate"))
    certificate.public_key = _public_key_of(certificate.der)
    found = _attributes(attribute_sets)
    certificate.local_key_id, certificate.friendly_name = _local_key_id(found), _friendly_name(found)
    return [certificate]


def _attributes(attribute_sets: list[bytes]) -> dict[str, tuple[bytes, ...]]:
    found: dict[str, tuple[bytes, ...]] = {}
    for encoded in attribute_sets:
        for attribute in asn1.attributes(encoded, "the bag attributes"):
            found[attribute.oid] = found.get(attribute.oid, ()) + attribute.values
    return found


def _local_key_id(found: dict[str, tuple[bytes, ...]]) -> bytes | None:
    values = found.get(_LOCAL_KEY_ID, ())
    return asn1.octets(values[0], "The localKeyID") if values else None


def _friendly_name(found: dict[str, tuple[bytes, ...]]) -> str | None:
    values = found.get(_FRIENDLY_NAME, ())
    return asn1.text(values[0], "The friendlyName") if values else None


def _public_half(value: bytes, password: str | None, *, shrouded: bool) -> bytes | None:
    """The SubjectPublicKeyInfo of a private key; ``None`` when the key cannot be opened."""
    if shrouded and password is None:
        return None
    try:
        key = load_der_private_key(value, password.encode() if password is not None else None)
        return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _public_key_of(certificate: bytes) -> bytes | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            key = x509.load_der_x509_certificate(certificate).public_key()
            return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        except (ValueError, x509.InvalidVersion, UnsupportedAlgorithm):
            return None


def _add_bundle(bundle: pkcs12.PKCS12KeyAndCertificates, contents: _Contents, unread: list[EvidenceError]) -> None:
    """Add what only the library could decrypt: it knows RC2, which Windows used for certificates before 2019."""
    known = {certificate.der for certificate in contents.certificates}
    for member in filter(None, (bundle.cert, *bundle.additional_certs)):
        encoded = member.certificate.public_bytes(Encoding.DER)
        if encoded not in known:
            name = member.friendly_name.decode("utf-8", "replace") if member.friendly_name else None
            contents.certificates.append(_CertBag(encoded, None, name, _public_key_of(encoded)))
    if bundle.key and unread:
        public_key = bundle.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if public_key not in {bag.public_key for bag in contents.keys}:
            contents.keys.append(_KeyBag(None, Key(present=True), [_SEALED_ATTRIBUTES], public_key))
            contents.problems += [error.as_problem(contents.origin, within="the safe of the key") for error in unread]


def _records(contents: _Contents) -> Iterator[Certificate]:
    rest = list(contents.certificates)
    unmatched = False
    for number, bag in enumerate(contents.keys, 1):
        source = Source("pfx", contents.origin, f"key {number} of {len(contents.keys)}")
        certificate = _certificate_of(bag, contents.certificates)
        if certificate is None:
            unmatched = True
            reason = _SEALED_CERTIFICATE if contents.sealed and not contents.certificates else _NO_CERTIFICATE
            yield Certificate(key=bag.key, source=source, notes=(*bag.notes, reason))
            continue
        rest = [other for other in rest if other is not certificate]
        try:
            yield certificate_from_der(
                certificate.der,
                source=source,
                key=bag.key,
                friendly_name=certificate.friendly_name,
                notes=tuple(bag.notes),
            )
        except EvidenceError as error:
            contents.problems.append(error.as_problem(contents.origin, within=source.place))
            yield Certificate(key=bag.key, source=source, notes=(*bag.notes, error.message))
    for number, certificate in enumerate(rest, 1):
        source = Source("pfx", contents.origin, f"certificate {number} without a key")
        notes = (_UNMATCHED if unmatched else _NO_KEY,)
        try:
            yield certificate_from_der(
                certificate.der, source=source, friendly_name=certificate.friendly_name, notes=notes
            )
        except EvidenceError as error:
            contents.problems.append(error.as_problem(contents.origin, within=source.place))


def _certificate_of(bag: _KeyBag, certificates: list[_CertBag]) -> _CertBag | None:
    """The certificate with the public half of the key; where that is unknown, the one with the same localKeyID."""
    linked = [other for other in certificates if bag.local_key_id and other.local_key_id == bag.local_key_id]
    if bag.public_key is None:
        return linked[0] if linked else None
    fitting = [other for other in certificates if other.public_key == bag.public_key]
    return next((other for other in linked if other in fitting), fitting[0] if fitting else None)
