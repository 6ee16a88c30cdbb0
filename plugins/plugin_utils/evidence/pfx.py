# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PFX files (PKCS #12, RFC 7292): the provider that Windows wrote beside each key, and the certificates.

Windows puts the provider name (1.3.6.1.4.1.311.17.1) and the mark of a machine key (17.2) on the key bag as
attributes. It encrypts the key and the certificates, but leaves the safe around the key bags in clear, so that the
provider is readable without the password. Private keys are opened only to learn their public half and what they may be
used for.
"""

from __future__ import annotations

import hmac
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..providers.catalogue import classify
from ..record import (
    AT_KEYEXCHANGE,
    AT_SIGNATURE,
    CRYPT_MACHINE_KEYSET,
    Certificate,
    EvidenceError,
    Key,
    Problem,
    Reading,
    Source,
)
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
KEY_USAGE = "2.5.29.15"
LOCAL_KEY_ID = "1.2.840.113549.1.9.21"
SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
DATA = "1.2.840.113549.1.7.1"
NOT_ENCRYPTED = "no encryption"
_FRIENDLY_NAME = "1.2.840.113549.1.9.20"
_ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
_KEY_BAG = "1.2.840.113549.1.12.10.1.1"
_CERT_BAG = "1.2.840.113549.1.12.10.1.3"
_SECRET_BAG = "1.2.840.113549.1.12.10.1.5"
_SAFE_CONTENTS_BAG = "1.2.840.113549.1.12.10.1.6"
_X509_CERTIFICATE = "1.2.840.113549.1.9.22.1"
_PROTECTED_PASSWORD = "1.3.6.1.4.1.311.17.4"
"""szOID_PKCS_12_PROTECTED_PASSWORD_SECRET_BAG_TYPE_ID (wincrypt.h): the password, encrypted to domain principals."""
_MAC_DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
_ENCIPHERMENT, _SIGNATURES = 0x30, 0x86
"""The bits of a key usage (RFC 5280) for which PFXImportCertStore makes a key AT_KEYEXCHANGE or AT_SIGNATURE."""
_BIT_STRING, _FIRST_BITS = b"\x03", 3
"""Its tag, and where its bits begin: after the tag, the length and the number of unused bits."""
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


class WrongPassword(EvidenceError):
    """The password does not open the file."""


@dataclass
class KeyBag:
    """What a key bag says beside the key."""

    local_key_id: bytes | None
    key: Key
    notes: list[str]
    public_key: bytes | None = None
    """SubjectPublicKeyInfo; ``None`` when the key was not opened."""


@dataclass
class CertBag:
    """A certificate with what its bag says beside it."""

    der: bytes
    local_key_id: bytes | None = None
    friendly_name: str | None = None
    public_key: bytes | None = None


@dataclass
class Contents:
    """What was found in a file so far."""

    origin: str
    password: str | None = field(repr=False)
    keys: list[KeyBag] = field(default_factory=list)
    certificates: list[CertBag] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    sealed: bool = False
    """Whether a part of the file stayed unread for want of the password."""
    bundle: pkcs12.PKCS12KeyAndCertificates | None = field(default=None, repr=False)
    """The file as the library opened it."""
    refused: EvidenceError | None = None
    """Why the library did not open it with the password: :class:`WrongPassword`, or what it cannot read."""
    encryption: set[str] = field(default_factory=set)
    """What keys and certificates are encrypted with, as :func:`pbe.describe` names it, or NOT_ENCRYPTED."""
    mac: str | None = None
    """The digest of the MAC, as hashlib names it (its OID if unknown); ``None`` without a MAC."""
    protected: bool = False
    """Whether the file holds its password encrypted to principals of a domain."""

    def problem(self, message: str, remedy: str, place: str | None = None) -> None:
        """Add something that could not be read."""
        self.problems.append(Problem(self.origin, message, remedy, place))


def read_pfx(data: bytes, origin: str, password: str | None = None) -> Reading:
    """Read the keys and the certificates of a PFX file: one record for each key, and one for each other certificate.

    Without the password (or with a wrong one) the records tell what stands in clear: normally the provider. Never
    raises: what cannot be read is in ``problems``. Private keys appear nowhere.

    :param data: the file: DER or BER, or either of them in PEM or base64.
    :param origin: the name of the file, for messages.
    :param password: the password; an empty one counts as given.
    """
    contents = contents_of(data, origin, password)
    certificates = tuple(_records(contents))
    return Reading(certificates=certificates, problems=tuple(contents.problems))


def contents_of(data: bytes, origin: str, password: str | None) -> Contents:
    """The bags of a PFX file, as :func:`read_pfx` reads them. Never raises."""
    contents = Contents(origin, password)
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
            "Give the file that certutil -exportPFX or the export wizard wrote; openssl pkcs12 -export makes one of PEM"
            " files.",
        )
    elif not (contents.keys or contents.certificates or contents.problems):
        contents.problem("The PFX file holds no key and no certificate.", _EXPORT_AGAIN)
    return contents


def _read_file(encoded: bytes, contents: Contents) -> None:
    fields = asn1.elements(asn1.definite(encoded), "The PFX")
    kind, content = _content_info(asn1.only(fields, 1, "The authSafe"), "The authSafe")
    if kind != DATA:
        raise EvidenceError(
            f"The authSafe is of type {kind}: the file is protected by a signature, not by a password.",
            remedy="Export the file again with a password.",
        )
    authenticated = asn1.octets(content, "The authSafe")
    _open(encoded, contents)
    unread: list[EvidenceError] = []
    safes = asn1.elements(asn1.definite(authenticated), "The AuthenticatedSafe")
    for number, safe in enumerate(safes, 1):
        place = f"safe {number} of {len(safes)}"
        try:
            kind, content = _content_info(safe, "A safe")
            if kind == DATA:
                _read_safe(asn1.octets(content, "The safe"), contents, place)
            elif kind != _ENCRYPTED_DATA:
                raise EvidenceError(f"The safe is of the unknown type {kind}.", remedy=_EXPORT_AGAIN)
            else:
                _read_encrypted(content, contents, place)
        except pbe.UnsupportedEncryption as error:
            unread.append(error)
        except EvidenceError as error:
            contents.problems.append(error.as_problem(contents.origin, within=place))
    if contents.sealed and contents.password is None:
        what = "The certificates are" if contents.keys else "The contents are"
        contents.problem(f"{what} encrypted and no password was given.", _GIVE_PASSWORD)
    fits = _check_mac(fields[2:3], authenticated, contents)
    if contents.bundle:
        _add_bundle(contents.bundle, contents, unread)
    elif contents.password is not None:
        contents.refused = _refusal(contents, fits)
        contents.problems.append(contents.refused.as_problem(contents.origin))


def _open(encoded: bytes, contents: Contents) -> None:
    """Let the library open the file, which also checks its integrity."""
    if contents.password is None or not usable(contents.password):
        return
    # An empty password is encoded as two zero bytes or as nothing; programs differ.
    for candidate in (contents.password.encode(), *([None] if not contents.password else [])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                contents.bundle = pkcs12.load_pkcs12(encoded, candidate)
            except (ValueError, UnsupportedAlgorithm):
                continue
            return


def usable(password: str) -> bool:
    """Whether a file can have a password: there are no NULs in one, nor halves of characters."""
    return "\0" not in password and not any("\ud800" <= character <= "\udfff" for character in password)


def _refusal(contents: Contents, fits: bool) -> EvidenceError:
    if not fits:
        return WrongPassword("The password does not open the file, or the file is damaged.", remedy=_RIGHT_PASSWORD)
    return EvidenceError(
        f"The password fits, but this installation of cryptography and OpenSSL cannot read the file. It is encrypted"
        f" with {' and '.join(sorted(contents.encryption)) or 'an unknown algorithm'}.",
        remedy="Export the file again with AES-256 and SHA-256 (TripleDES-SHA1 works too), or use an installation that"
        " has the algorithm (OpenSSL 3 keeps RC2 and RC4 in its legacy provider).",
    )


def _check_mac(encoded: list[bytes], authenticated: bytes, contents: Contents) -> bool:
    """Note the digest of the MAC, and tell whether the MAC shows that the password fits."""
    if not encoded:
        return False
    what = "The MacData"
    fields = asn1.elements(encoded[0], what)
    info = asn1.elements(asn1.only(fields, 0, what), what)
    algorithm = asn1.oid(asn1.only(asn1.elements(asn1.only(info, 0, what), what), 0, what), what)
    contents.mac = _MAC_DIGESTS.get(algorithm, algorithm)
    password = contents.password
    if contents.bundle or algorithm not in _MAC_DIGESTS or password is None or not usable(password):
        return False
    count = asn1.integer(fields[2], what) if len(fields) > 2 else 1
    salt, digest = asn1.octets(asn1.only(fields, 1, what), what), asn1.octets(asn1.only(info, 1, what), what)
    return 1 <= count <= pbe.MOST_ITERATIONS and any(
        hmac.compare_digest(pbe.mac(authenticated, candidate, contents.mac, salt, count), digest)
        for candidate in (password, *([None] if not password else []))
    )


def _content_info(encoded: bytes, what: str) -> tuple[str, bytes]:
    fields = asn1.elements(encoded, what)
    content = asn1.elements(asn1.only(fields, 1, f"The content of {what}"), what)
    return asn1.oid(fields[0], what), asn1.only(content, 0, f"The content of {what}")


def _read_encrypted(encrypted_data: bytes, contents: Contents, place: str) -> None:
    what = "The EncryptedData"
    info = asn1.elements(asn1.only(asn1.elements(encrypted_data, what), 1, what), what)
    algorithm, ciphertext = asn1.only(info, 1, what), asn1.octets(asn1.only(info, 2, what), what)
    contents.encryption.add(pbe.describe(algorithm))
    if contents.bundle:
        _read_safe(pbe.decrypt(algorithm, ciphertext, contents.password or ""), contents, place, encrypted=True)
    else:
        contents.sealed = True


def _read_safe(encoded: bytes, contents: Contents, place: str, depth: int = 0, *, encrypted: bool = False) -> None:
    if depth > _DEEPEST_NESTING:
        raise EvidenceError("Bags are nested deeper than any program writes them.", remedy=_EXPORT_AGAIN)
    for number, bag in enumerate(asn1.elements(asn1.definite(encoded), "The SafeContents"), 1):
        try:
            fields = asn1.elements(bag, "A bag")
            kind = asn1.oid(asn1.only(fields, 0, "The bag type"), "The bag type")
            value = asn1.only(asn1.elements(asn1.only(fields, 1, "The bag value"), "A bag"), 0, "The bag value")
            if kind == SHROUDED_KEY_BAG:
                contents.encryption.add(pbe.describe(asn1.only(asn1.elements(value, "The key"), 0, "The key")))
            elif kind in (_KEY_BAG, _CERT_BAG) and not encrypted:
                contents.encryption.add(NOT_ENCRYPTED)
            if kind in (_KEY_BAG, SHROUDED_KEY_BAG):
                contents.keys.append(_key_bag(kind, value, fields[2:3], contents.password))
            elif kind == _CERT_BAG:
                contents.certificates += _cert_bag(value, fields[2:3])
            elif kind == _SAFE_CONTENTS_BAG:
                _read_safe(value, contents, f"{place}, bag {number}", depth + 1, encrypted=encrypted)
            elif kind == _SECRET_BAG:
                secret = asn1.only(asn1.elements(value, "The secret bag"), 0, "The secret bag")
                contents.protected |= asn1.oid(secret, "The type of the secret") == _PROTECTED_PASSWORD
        except EvidenceError as error:
            contents.problems.append(error.as_problem(contents.origin, within=f"{place}, bag {number}"))


def _key_bag(kind: str, value: bytes, attribute_sets: list[bytes], password: str | None) -> KeyBag:
    plain = value if kind == _KEY_BAG else _decrypted_key(value, password)
    public_key = _public_half(plain or value, None if plain else password)
    present = True if public_key else None
    notes: list[str] = []
    try:
        found = _attributes(attribute_sets)
        flags = CRYPT_MACHINE_KEYSET if LOCAL_MACHINE_KEYSET in found else None
        names = dict.fromkeys(asn1.text(name, "The provider name") for name in found.get(PROVIDER_NAME, ()))
        container = _friendly_name(found) if names else None
        local_key_id = _local_key_id(found)
        key_spec = _key_spec(found, plain)
    except EvidenceError as error:
        notes.append(f"The attributes of the key cannot be read: {error.message}")
        return KeyBag(None, Key(present=present), notes, public_key)
    kinds = {name: classify(name, None) for name in names}
    keys = tuple(
        Key(
            kind,
            provider=name or None,
            key_spec=key_spec if kind == "csp" else None,
            container=container,
            flags=flags,
            present=present,
        )
        for name, kind in kinds.items()
    )
    if not keys:
        notes.append(_NO_PROVIDER)
        key = Key(flags=flags, present=present)
    else:
        key = keys[0] if len(keys) == 1 else Key("ambiguous", flags=flags, present=present, candidates=keys)
    return KeyBag(local_key_id, key, notes, public_key)


def _key_spec(found: dict[str, tuple[bytes, ...]], plain: bytes | None) -> int | None:
    """The key specification that PFXImportCertStore gives a key of a CSP for its attribute szOID_KEY_USAGE.

    Windows and OpenSSL (``pkcs12 -export -keysig``) put the attribute beside the key, into its PKCS #8 structure; the
    reference of PFXImportCertStore speaks of the bag. ``None`` when there is none, which Windows takes for an exchange
    key if it is RSA.
    """
    values: tuple[bytes, ...] = ()
    for encoded in asn1.elements(plain, "The key")[3:4] if plain else ():
        values = _attributes([encoded]).get(KEY_USAGE, ())
    for value in values or found.get(KEY_USAGE, ()):
        usage = value[_FIRST_BITS] if value[:1] == _BIT_STRING and len(value) > _FIRST_BITS else 0
        if usage & (_ENCIPHERMENT | _SIGNATURES):
            return AT_KEYEXCHANGE if usage & _ENCIPHERMENT else AT_SIGNATURE
    return None


def _cert_bag(value: bytes, attribute_sets: list[bytes]) -> list[CertBag]:
    fields = asn1.elements(value, "The certificate bag")
    if asn1.oid(asn1.only(fields, 0, "The certificate type"), "The certificate type") != _X509_CERTIFICATE:
        return []
    content = asn1.elements(asn1.only(fields, 1, "The certificate"), "The certificate")
    certificate = CertBag(asn1.octets(asn1.only(content, 0, "The certificate"), "The certificate"))
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
    values = found.get(LOCAL_KEY_ID, ())
    return asn1.octets(values[0], "The localKeyID") if values else None


def _friendly_name(found: dict[str, tuple[bytes, ...]]) -> str | None:
    values = found.get(_FRIENDLY_NAME, ())
    return asn1.text(values[0], "The friendlyName") if values else None


def _decrypted_key(value: bytes, password: str | None) -> bytes | None:
    """The PrivateKeyInfo (PKCS #8) of a shrouded key; ``None`` when it cannot be decrypted here."""
    if password is None or not usable(password):
        return None
    try:
        algorithm, ciphertext = asn1.elements(value, "The key")[:2]
        return pbe.decrypt(algorithm, asn1.octets(ciphertext, "The key"), password)
    except (EvidenceError, ValueError):
        return None


def _public_half(value: bytes, password: str | None) -> bytes | None:
    """The SubjectPublicKeyInfo of a private key; ``None`` when the key cannot be opened."""
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


def _add_bundle(bundle: pkcs12.PKCS12KeyAndCertificates, contents: Contents, unread: list[EvidenceError]) -> None:
    """Add what only the library could decrypt: it knows RC2, which Windows used for certificates before 2019."""
    known = {certificate.der for certificate in contents.certificates}
    for member in filter(None, (bundle.cert, *bundle.additional_certs)):
        encoded = member.certificate.public_bytes(Encoding.DER)
        if encoded not in known:
            name = member.friendly_name.decode("utf-8", "replace") if member.friendly_name else None
            contents.certificates.append(CertBag(encoded, None, name, _public_key_of(encoded)))
    if bundle.key and unread:
        public_key = bundle.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if public_key not in {bag.public_key for bag in contents.keys}:
            contents.keys.append(KeyBag(None, Key(present=True), [_SEALED_ATTRIBUTES], public_key))
            contents.problems += [error.as_problem(contents.origin, within="the safe of the key") for error in unread]


def _records(contents: Contents) -> Iterator[Certificate]:
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


def _certificate_of(bag: KeyBag, certificates: list[CertBag]) -> CertBag | None:
    """The certificate with the public half of the key; where that is unknown, the one with the same localKeyID."""
    linked = [other for other in certificates if bag.local_key_id and other.local_key_id == bag.local_key_id]
    if bag.public_key is None:
        return linked[0] if linked else None
    fitting = [other for other in certificates if other.public_key == bag.public_key]
    return next((other for other in linked if other in fitting), fitting[0] if fitting else None)
