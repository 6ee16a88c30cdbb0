# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PFX files (PKCS #12, RFC 7292) opened, and made anew with the provider that Windows is to put the key into.

PFXImportCertStore puts a key where the attributes of its bag say: into the provider named there, for the machine when
it is marked so. ``cryptography`` opens files and encrypts new ones, but knows no such attributes. They stand in clear
around the encrypted key, so that they can be added afterwards; then the MAC of the file is computed anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..evidence import asn1, pbe
from ..evidence.der import encode, encode_oid, members
from ..evidence.pfx import (
    DATA,
    KEY_USAGE,
    LOCAL_KEY_ID,
    LOCAL_MACHINE_KEYSET,
    NOT_ENCRYPTED,
    PROVIDER_NAME,
    SHROUDED_KEY_BAG,
    CertBag,
    Contents,
    WrongPassword,
    contents_of,
    usable,
)
from ..evidence.x509 import certificate_from_der, require_cryptography
from ..providers.catalogue import classify
from ..record import Certificate, EvidenceError, Source
from .answer import chosen
from .conversion import checked_target
from .installed import SOFTWARE_KSP
from .keys import public_key_of
from .wish import EnrolmentError

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat, PublicFormat, pkcs12
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None

Encryption = Literal["tripledes-sha1", "aes256-sha256"]

ITERATIONS = 10_000
"""Of the key derivations; Windows writes 2,000."""

_DESCRIBED: dict[tuple[frozenset[str], str | None], str] = {
    (frozenset({"TripleDES"}), "sha1"): "tripledes-sha1",
    (frozenset({"AES-256 (PBES2, sha256)"}), "sha256"): "aes256-sha256",
}
_DIGESTS: dict[Encryption, tuple[str, str]] = {
    "tripledes-sha1": ("sha1", "1.3.14.3.2.26"),
    "aes256-sha256": ("sha256", "2.16.840.1.101.3.4.2.1"),
}
_ALGORITHMS: dict[Encryption, str] = {
    "tripledes-sha1": "TripleDES with SHA-1",
    "aes256-sha256": "AES-256 with SHA-256",
}
_SALT_BYTES = 20
_KEY_EXCHANGE = bytes.fromhex("03020410")
"""A key usage with dataEncipherment alone; ``openssl pkcs12 -export -keyex`` writes the same."""

_SEQUENCE, _SET, _EXPLICIT, _OCTETS, _INTEGER, _BMP = 0x30, 0x31, 0xA0, 0x04, 0x02, 0x1E
_NULL = b"\x05\x00"

_EXPORT_ALONE = "Export the certificate alone with its private key, into a file of its own."


@dataclass(frozen=True)
class OpenedPfx:
    """A PFX with one private key. The key itself shows nowhere."""

    leaf: Certificate
    """The certificate of the key; its ``key`` is what the file says of it."""
    chain: tuple[bytes, ...] = field(repr=False)
    """DER of its issuers in the file, the nearest first, a self-signed root last."""
    others: tuple[bytes, ...] = field(repr=False)
    """DER of the other certificates of the file."""
    encryption: str
    """One of :data:`Encryption`, else what it is encrypted with, in words."""
    names: Mapping[bytes, str] = field(repr=False)
    """The friendly names of chain and others, by their DER."""
    _key: Any = field(repr=False, compare=False)


def open_pfx(data: bytes, password: str, origin: str = "the PFX") -> OpenedPfx:
    """Open a PFX that holds one private key and its certificate.

    Args:
        data: DER or BER, or either of them in PEM or base64.
        password: as a person types it; may be empty.
        origin: the file, for messages.

    Raises:
        EnrolmentError: it is no PFX or damaged, the password is wrong, an algorithm is missing here, it holds no key or
            several, or no certificate of the key.
    """
    contents = contents_of(data, origin, password)
    _refuse_unread(contents)
    bundle = contents.bundle
    key = bundle.key if bundle else None
    if key is None:
        raise EnrolmentError(
            "The file holds no private key.",
            place=origin,
            remedy="Export the certificate again together with its private key, as a PFX.",
        )
    own = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if len(contents.keys) != 1 or contents.keys[0].public_key not in (None, own):
        raise EnrolmentError(
            f"The file holds {max(len(contents.keys), 2)} private keys, and it is not said which of them is meant.",
            place=origin,
            remedy=_EXPORT_ALONE,
        )
    (bag,) = contents.keys
    certificates = {certificate.der: certificate for certificate in reversed(contents.certificates)}
    leaves = _leaves(origin, own, bag.local_key_id, list(certificates.values()))
    issuers = [der for der, certificate in certificates.items() if certificate.public_key != own]
    leaf, chain = chosen([*leaves, *issuers], public_key_of(leaves[0]))
    try:
        record = certificate_from_der(
            leaf,
            source=Source("pfx", origin, "key 1 of 1"),
            key=bag.key,
            friendly_name=certificates[leaf].friendly_name,
            notes=tuple(bag.notes),
        )
    except EvidenceError as exc:
        raise EnrolmentError(exc.message, place=origin, remedy=exc.remedy) from exc
    written = {certificate.der: None for certificate in contents.certificates}
    return OpenedPfx(
        leaf=record,
        chain=chain,
        others=tuple(der for der in written if der not in (leaf, *chain)),
        encryption=_encryption_of(contents),
        _key=key,
        names={der: one.friendly_name for der, one in certificates.items() if one.friendly_name and der != leaf},
    )


def rebuilt(
    opened: OpenedPfx,
    *,
    password: str,
    provider: str,
    machine_keyset: bool = True,
    encryption: Encryption,
    friendly_name: str | None = None,
) -> bytes:
    """The same key and certificates as a new PFX, whose key bag says where Windows is to put the key.

    A key for a legacy provider gets the usage by which PFXImportCertStore chooses AT_KEYEXCHANGE. Its reference
    speaks of the bag, where the usage stands here; OpenSSL and Windows write it into the encrypted key, which the
    library cannot. Where there is none, Windows chooses the same for RSA keys (same reference), so that it does not
    matter whether it looks at the bag. A usage within the old key, such as one for signatures alone, is not taken over.

    The bag gets no friendlyName. Windows writes the name of the key container there, and an import that meets a
    container of that name needs leave to overwrite it (PKCS12_ALLOW_OVERWRITE_KEY, PFXImportCertStore): this key must
    never replace the one in CNG or another server's copy. Without it Windows names the container itself, as it does for
    files of OpenSSL.

    Args:
        opened: the key and the certificates; of these, ``leaf``, ``chain`` and ``others`` are written.
        password: protects the new file; not empty.
        provider: where the key is to go: a legacy provider for RSA keys in software, or the Microsoft Software Key
            Storage Provider.
        machine_keyset: mark the key as the machine's.
        encryption: what Windows up to Server 2016 reads is ``tripledes-sha1`` alone.
        friendly_name: of the certificate of the key; the one in the old file if ``None``.

    Raises:
        EnrolmentError: the provider cannot take the key from a file, the password is not usable, or an algorithm is
            missing here.
    """
    name = checked_target(provider)
    _check_key(opened._key, name)
    check_new_password(password)
    if friendly_name and not usable(friendly_name):
        raise EnrolmentError(
            f"The friendly name {friendly_name!r} holds a NUL or half a character.",
            place="the new PFX",
            remedy="Give a name of whole characters.",
        )
    serialized = _serialized(opened, password, encryption, friendly_name or opened.leaf.friendly_name)
    added = [_attribute(PROVIDER_NAME, encode(_BMP, name.encode("utf-16-be")))]
    if machine_keyset:
        added.append(_attribute(LOCAL_MACHINE_KEYSET))
    if classify(name, None) == "csp":
        added.append(_attribute(KEY_USAGE, _KEY_EXCHANGE))
    version, content, *_mac = members(serialized, 0)
    authenticated = _with_attributes(asn1.octets(members(members(content, 0)[1], 0)[0], "The authSafe"), added)
    return encode(_SEQUENCE, version, _data(authenticated), _mac_data(authenticated, password, encryption))


def check_new_password(password: str) -> None:
    """Refuse a password that no new file gets.

    Raises:
        EnrolmentError: it is empty, or holds what no password can hold.
    """
    if not password:
        raise EnrolmentError(
            "The password of the new PFX is empty, and would protect the key from nobody.",
            place="the new PFX",
            remedy="Give another one (option 'new_password').",
        )
    if not usable(password):
        raise EnrolmentError(
            "The password of the new PFX holds a NUL or half a character, which no PFX can have.",
            place="the new PFX",
            remedy="Give a password of whole characters.",
        )


def _refuse_unread(contents: Contents) -> None:
    """Refuse a file of which anything could not be read: what is not seen cannot be carried over."""
    if not contents.problems:
        return
    if isinstance(contents.refused, WrongPassword) and contents.protected:
        raise EnrolmentError(
            "The file is protected to accounts of a domain: Windows made its password, or keeps it encrypted to them,"
            " and the given one does not open the file.",
            place=contents.origin,
            remedy="Export it again on Windows with a password (Export-PfxCertificate -Password), or give the password"
            " that was set beside the accounts.",
        )
    if isinstance(contents.refused, WrongPassword):
        raise EnrolmentError(
            contents.refused.message,
            place=contents.origin,
            remedy="Give the password of this very file, or export the file again.",
        )
    problem = contents.problems[0]
    place = f"{contents.origin}, {problem.place}" if problem.place else contents.origin
    raise EnrolmentError(problem.message, place=place, remedy=problem.remedy)


def _leaves(origin: str, own: bytes, local_key_id: bytes | None, certificates: list[CertBag]) -> list[bytes]:
    """The certificates of the key, DER; those alone that the file links to it, if it links any."""
    linked = [other for other in certificates if local_key_id and other.local_key_id == local_key_id]
    fitting = [other.der for other in certificates if other.public_key == own]
    if linked and not any(other.der in fitting for other in linked):
        raise EnrolmentError(
            "The private key does not match the certificate that the file joins it with (the same localKeyID): their"
            " public keys differ.",
            place=origin,
            remedy="Make the file anew from the key and the certificate that was issued for it.",
        )
    if not fitting:
        raise EnrolmentError(
            f"None of the {len(certificates)} certificates in the file has the public key of its private key.",
            place=origin,
            remedy="Make the file anew, with the certificate that was issued for this key.",
        )
    return [other.der for other in linked if other.der in fitting] or fitting


def _encryption_of(contents: Contents) -> str:
    if known := _DESCRIBED.get((frozenset(contents.encryption), contents.mac)):
        return known
    used = sorted(contents.encryption - {NOT_ENCRYPTED}) + sorted(contents.encryption & {NOT_ENCRYPTED})
    return f"{' and '.join(used)}; {f'MAC with {contents.mac}' if contents.mac else 'no MAC'}"


def _check_key(key: Any, provider: str) -> None:
    if isinstance(key, rsa.RSAPrivateKey):
        return
    if provider == SOFTWARE_KSP and isinstance(key, ec.EllipticCurvePrivateKey):
        return
    kind = type(key).__name__.removesuffix("PrivateKey").removesuffix("Private")
    takes = "RSA and elliptic curve keys" if provider == SOFTWARE_KSP else "RSA keys"
    raise EnrolmentError(
        f"The private key is no RSA key ({kind}), and {provider} takes {takes}.",
        place="the option 'provider'",
        remedy="Request a certificate with an RSA key, which legacy providers can hold.",
    )


def _serialized(opened: OpenedPfx, password: str, encryption: Encryption, friendly_name: str | None) -> bytes:
    """The file as the library writes it: keys and certificates encrypted, without Microsoft's attributes."""
    require_cryptography()
    others = [
        pkcs12.PKCS12Certificate(_loaded(der), opened.names[der].encode() if der in opened.names else None)
        for der in (*opened.chain, *opened.others)
    ]
    try:
        cipher = {
            "tripledes-sha1": pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC,
            "aes256-sha256": pkcs12.PBES.PBESv2SHA256AndAES256CBC,
        }[encryption]
        digest = hashes.SHA1() if encryption == "tripledes-sha1" else hashes.SHA256()
        builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(ITERATIONS)
        protection = builder.key_cert_algorithm(cipher).hmac_hash(digest).build(password.encode())
        return pkcs12.serialize_key_and_certificates(
            friendly_name.encode() if friendly_name else None,
            opened._key,
            _loaded(opened.leaf.der or b""),
            others,
            protection,
        )
    except UnsupportedAlgorithm as exc:
        raise EnrolmentError(
            f"This installation of cryptography and OpenSSL cannot encrypt a PFX with {_ALGORITHMS[encryption]}, as a"
            " controller in FIPS mode cannot with TripleDES.",
            place="the new PFX",
            remedy="Run it on a controller that can, or choose the other encryption if the importing Windows reads it.",
        ) from exc


def _loaded(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def _with_attributes(authenticated: bytes, added: list[bytes]) -> bytes:
    """An AuthenticatedSafe with these attributes on its key bag, beside the localKeyID alone."""
    safes = []
    for safe in members(authenticated, 0):
        kind, content = members(safe, 0)
        if kind == encode_oid(DATA):
            bags = members(asn1.octets(members(content, 0)[0], "The safe"), 0)
            safe = _data(encode(_SEQUENCE, *(_attributed(bag, added) for bag in bags)))
        safes.append(safe)
    return encode(_SEQUENCE, *safes)


def _attributed(bag: bytes, added: list[bytes]) -> bytes:
    kind, value, *attributes = members(bag, 0)
    if kind != encode_oid(SHROUDED_KEY_BAG):
        return bag
    kept = [
        attribute
        for attribute in (members(attributes[0], 0) if attributes else [])
        if members(attribute, 0)[0] == encode_oid(LOCAL_KEY_ID)
    ]
    # DER sorts the members of a SET OF (X.690 section 11.6).
    return encode(_SEQUENCE, kind, value, encode(_SET, *sorted([*kept, *added])))


def _attribute(name: str, *values: bytes) -> bytes:
    return encode(_SEQUENCE, encode_oid(name), encode(_SET, *values))


def _data(content: bytes) -> bytes:
    return encode(_SEQUENCE, encode_oid(DATA), encode(_EXPLICIT, encode(_OCTETS, content)))


def _mac_data(authenticated: bytes, password: str, encryption: Encryption) -> bytes:
    """The MacData of RFC 7292 section 4."""
    digest, oid = _DIGESTS[encryption]
    salt = secrets.token_bytes(_SALT_BYTES)
    value = pbe.mac(authenticated, password, digest, salt, ITERATIONS)
    algorithm = encode(_SEQUENCE, encode_oid(oid), _NULL)
    count = encode(_INTEGER, ITERATIONS.to_bytes(ITERATIONS.bit_length() // 8 + 1, "big"))
    return encode(_SEQUENCE, encode(_SEQUENCE, algorithm, encode(_OCTETS, value)), encode(_OCTETS, salt), count)
