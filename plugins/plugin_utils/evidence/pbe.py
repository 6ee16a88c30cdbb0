# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Password-based decryption of the parts of a PFX file that hold attributes, and the MAC of the file.

``cryptography`` opens a PFX as a whole but tells nothing of its bag attributes, so a safe that is encrypted together
with its key bags has to be decrypted here: PBES2 with PBKDF2 (RFC 8018), and Triple DES with the key derivation of
PKCS #12 (RFC 7292 appendix B). These are the two that Windows writes and accepts.
"""

from __future__ import annotations

import hashlib
import hmac

from ..record import EvidenceError
from . import asn1

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None

_PBES2 = "1.2.840.113549.1.5.13"
_PBKDF2 = "1.2.840.113549.1.5.12"
_PKCS12_TRIPLE_DES = "1.2.840.113549.1.12.1.3"
_DES_EDE3_CBC = "1.2.840.113549.3.7"
_AES_CBC = {"2.16.840.1.101.3.4.1.2": 16, "2.16.840.1.101.3.4.1.22": 24, "2.16.840.1.101.3.4.1.42": 32}
_HMAC_SHA1 = "1.2.840.113549.2.7"
_PRF = {
    _HMAC_SHA1: "sha1",
    "1.2.840.113549.2.9": "sha256",
    "1.2.840.113549.2.10": "sha384",
    "1.2.840.113549.2.11": "sha512",
}
MOST_ITERATIONS = 5_000_000
"""Of a key derivation; a file that asks for more is not worked on."""
_KEY, _IV, _MAC = 1, 2, 3
_NAMES = {
    "1.2.840.113549.1.12.1.1": "RC4-128",
    "1.2.840.113549.1.12.1.2": "RC4-40",
    _PKCS12_TRIPLE_DES: "TripleDES",
    "1.2.840.113549.1.12.1.4": "TripleDES with two keys",
    "1.2.840.113549.1.12.1.5": "RC2-128",
    "1.2.840.113549.1.12.1.6": "RC2-40",
}
_SCHEMES = {
    _DES_EDE3_CBC: "TripleDES",
    "1.2.840.113549.3.2": "RC2",
    **{name: f"AES-{8 * size}" for name, size in _AES_CBC.items()},
}
_WHAT = "The encryption algorithm"
_EXPORT_AGAIN = "Export the file again with AES-256 and SHA-256 (TripleDES-SHA1 works too)."


class UnsupportedEncryption(EvidenceError):
    """The algorithm is one that is not decrypted here; this says nothing of the password."""


def decrypt(algorithm: bytes, ciphertext: bytes, password: str) -> bytes:
    """Decrypt the content of an EncryptedData.

    :param algorithm: the encoded AlgorithmIdentifier.
    :param ciphertext: the encrypted content.
    :param password: the password as a person types it.

    :raises UnsupportedEncryption: the algorithm is not known here, or asks for an absurd number of iterations.
    :raises EvidenceError: the password does not fit, or the parameters are damaged.
    """
    fields = asn1.elements(algorithm, _WHAT)
    name = asn1.oid(asn1.only(fields, 0, _WHAT), _WHAT)
    if name == _PBES2:
        decipher = _pbes2(asn1.elements(asn1.only(fields, 1, _WHAT), _WHAT), password)
    elif name == _PKCS12_TRIPLE_DES:
        salt, count = _salt_and_count(asn1.elements(asn1.only(fields, 1, _WHAT), _WHAT))
        key, vector = (_pkcs12_kdf(password, salt, count, purpose, size) for purpose, size in ((_KEY, 24), (_IV, 8)))
        decipher = Cipher(TripleDES(key), modes.CBC(vector))
    else:
        raise UnsupportedEncryption(f"It is encrypted with {name}, which is not supported.", remedy=_EXPORT_AGAIN)
    try:
        decryptor = decipher.decryptor()
        padded = decryptor.update(ciphertext) + decryptor.finalize()
    except ValueError:
        padded = b""
    block = 16 if isinstance(decipher.algorithm, algorithms.AES) else 8
    count = padded[-1] if padded else 0
    if not 1 <= count <= block or padded[-count:] != bytes([count]) * count:
        raise EvidenceError("The password does not fit.", remedy="Give the right password in the option 'password'.")
    return padded[:-count]


def describe(algorithm: bytes) -> str:
    """The name of an encryption: ``TripleDES``, ``RC2-40``, ``AES-256 (PBES2, sha256)``; else its dotted OID.

    :param algorithm: the encoded AlgorithmIdentifier.

    :raises EvidenceError: it is damaged.
    """
    fields = asn1.elements(algorithm, _WHAT)
    name = asn1.oid(asn1.only(fields, 0, _WHAT), _WHAT)
    if name != _PBES2:
        return _NAMES.get(name, name)
    parts = asn1.elements(asn1.only(fields, 1, _WHAT), _WHAT)
    derivation, scheme = (asn1.elements(asn1.only(parts, place, _WHAT), _WHAT) for place in (0, 1))
    scheme_name = asn1.oid(asn1.only(scheme, 0, _WHAT), _WHAT)
    parameters = asn1.elements(asn1.only(derivation, 1, _WHAT), _WHAT)
    return f"{_SCHEMES.get(scheme_name, scheme_name)} (PBES2, {_prf(parameters)[1]})"


def mac(content: bytes, password: str | None, digest: str, salt: bytes, count: int) -> bytes:
    """The HMAC over the AuthenticatedSafe (RFC 7292 section 4 and appendix A).

    :param content: the content octets of the authSafe.
    :param password: as a person types it; ``None`` for none at all, which some programs write for an empty one.
    :param digest: as hashlib names it.
    :param salt: the macSalt.
    :param count: the iterations.
    """
    size = hashlib.new(digest, usedforsecurity=False).digest_size
    return hmac.digest(_pkcs12_kdf(password, salt, count, _MAC, size, digest), content, digest)


def _pbes2(parameters: list[bytes], password: str) -> Cipher[modes.CBC]:
    derivation = asn1.elements(asn1.only(parameters, 0, _WHAT), _WHAT)
    scheme = asn1.elements(asn1.only(parameters, 1, _WHAT), _WHAT)
    derivation_name = asn1.oid(asn1.only(derivation, 0, _WHAT), _WHAT)
    scheme_name = asn1.oid(asn1.only(scheme, 0, _WHAT), _WHAT)
    if derivation_name != _PBKDF2:
        raise UnsupportedEncryption(f"Its key is derived with {derivation_name}, not PBKDF2.", remedy=_EXPORT_AGAIN)
    if scheme_name != _DES_EDE3_CBC and scheme_name not in _AES_CBC:
        raise UnsupportedEncryption(f"It is encrypted with {scheme_name}, not AES-CBC.", remedy=_EXPORT_AGAIN)
    vector = asn1.octets(asn1.only(scheme, 1, _WHAT), _WHAT)
    fields = asn1.elements(asn1.only(derivation, 1, _WHAT), _WHAT)
    salt, count = _salt_and_count(fields)
    prf, digest = _prf(fields)
    if prf not in _PRF:
        raise UnsupportedEncryption(f"PBKDF2 runs with {prf}, which is not supported.", remedy=_EXPORT_AGAIN)
    key = hashlib.pbkdf2_hmac(digest, password.encode(), salt, count, _AES_CBC.get(scheme_name, 24))
    try:
        if scheme_name == _DES_EDE3_CBC:
            return Cipher(TripleDES(key), modes.CBC(vector))
        return Cipher(algorithms.AES(key), modes.CBC(vector))
    except ValueError as exc:
        raise EvidenceError("The initialization vector has a wrong size.", remedy=_EXPORT_AGAIN) from exc


def _prf(fields: list[bytes]) -> tuple[str, str]:
    """The OID of the pseudorandom function of PBKDF2 parameters, and the name of its digest (the OID if unknown)."""
    name = _HMAC_SHA1
    if fields and fields[-1][0] == 0x30:
        name = asn1.oid(asn1.only(asn1.elements(fields[-1], _WHAT), 0, _WHAT), _WHAT)
    return name, _PRF.get(name, name)


def _salt_and_count(fields: list[bytes]) -> tuple[bytes, int]:
    salt = asn1.octets(asn1.only(fields, 0, _WHAT), _WHAT)
    count = asn1.integer(asn1.only(fields, 1, _WHAT), _WHAT)
    if not 1 <= count <= MOST_ITERATIONS:
        raise UnsupportedEncryption(
            f"The key derivation asks for {count} iterations; at most {MOST_ITERATIONS} are done here.",
            remedy=_EXPORT_AGAIN,
        )
    return salt, count


def _pkcs12_kdf(password: str | None, salt: bytes, count: int, purpose: int, size: int, digest: str = "sha1") -> bytes:
    """Derive ``size`` bytes (RFC 7292 appendix B.2); a password is a BMPString with its NUL."""
    hash_of = getattr(hashlib, digest)
    block = hash_of(usedforsecurity=False).block_size
    secret = b"" if password is None else password.encode("utf-16-be") + b"\0\0"
    state = bytearray(_repeated(salt, block) + _repeated(secret, block))
    derived = b""
    while len(derived) < size:
        hashed = bytes([purpose]) * block + bytes(state)
        for _round in range(count):
            hashed = hash_of(hashed, usedforsecurity=False).digest()
        derived += hashed
        addend = int.from_bytes(_repeated(hashed, block)[:block], "big") + 1
        for start in range(0, len(state), block):
            total = int.from_bytes(state[start : start + block], "big") + addend
            state[start : start + block] = (total % (1 << 8 * block)).to_bytes(block, "big")
    return derived[:size]


def _repeated(value: bytes, block: int) -> bytes:
    """``value`` repeated until it fills whole blocks; nothing stays nothing."""
    size = -(-len(value) // block) * block
    return (value * (size // len(value) + 1))[:size] if value else b""
