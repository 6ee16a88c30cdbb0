# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking ASN.1 values apart without losing the encoding of their parts.

Signatures and thumbprints are computed over the bytes as they came, so a constructed value is divided into the raw
encodings of its elements and only primitive values are decoded. pyasn1 does both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..record import EvidenceError

try:
    from pyasn1.codec.ber import decoder
    from pyasn1.type import char, tag, univ
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None

_REMEDY = "The file is damaged or was cut short; obtain it again."
_MAX_DEPTH = 32


class Attribute(NamedTuple):
    """An attribute type with the raw encodings of its values."""

    oid: str
    values: tuple[bytes, ...]


def elements(encoded: bytes, what: str) -> list[bytes]:
    """The raw encodings of the elements of a constructed value with any tag of one octet.

    :raises EvidenceError: ``encoded`` is no constructed value; the message names ``what``.
    """
    _require_library()
    if not encoded or not encoded[0] & 0x20:
        raise EvidenceError(f"{what} is not a constructed ASN.1 value.", remedy=_REMEDY)
    outer = tag.Tag(encoded[0] & 0xC0, tag.tagFormatConstructed, encoded[0] & 0x1F)
    schema = univ.SequenceOf(componentType=univ.Any(), tagSet=tag.TagSet((), outer))
    return [bytes(element) for element in _decode(encoded, what, schema)]


def oid(encoded: bytes, what: str) -> str:
    """The dotted form of an OBJECT IDENTIFIER; :class:`EvidenceError` when it is none."""
    return str(_primitive(encoded, what, "ObjectIdentifier"))


def integer(encoded: bytes, what: str) -> int:
    """The value of an INTEGER; :class:`EvidenceError` when it is none."""
    return int(_primitive(encoded, what, "Integer"))


def octets(encoded: bytes, what: str) -> bytes:
    """The content of an OCTET STRING, in one piece or several, also under an implicit context tag.

    :raises EvidenceError: ``encoded`` is no octet string.
    """
    if encoded and encoded[0] & 0xC0 == 0x80:
        encoded = bytes([0x04 | (encoded[0] & 0x20)]) + encoded[1:]
    return bytes(_primitive(encoded, what, "OctetString"))


def text(encoded: bytes, what: str) -> str:
    """The characters of any ASN.1 character string, without trailing NULs.

    :raises EvidenceError: ``encoded`` is no character string, or its bytes are not valid in its character set.
    """
    _require_library()
    value = _decode(encoded, what)
    if not isinstance(value, char.AbstractCharacterString):
        raise EvidenceError(f"{what} is not a character string.", remedy=_REMEDY)
    try:
        return str(value).rstrip("\0")
    except (UnicodeError, ValueError) as exc:
        raise EvidenceError(f"{what} holds bytes that its character set does not have.", remedy=_REMEDY) from exc


def attributes(encoded: bytes, what: str) -> list[Attribute]:
    """The members of a SET OF Attribute (X.501), also under an implicit context tag.

    :raises EvidenceError: the set, or one attribute in it, is malformed.
    """
    result = []
    for number, member in enumerate(elements(encoded, what), 1):
        parts = elements(member, f"Attribute {number} of {what}")
        if len(parts) < 2:
            raise EvidenceError(f"Attribute {number} of {what} has no values.", remedy=_REMEDY)
        name = oid(parts[0], f"The type of attribute {number} of {what}")
        result.append(Attribute(name, tuple(elements(parts[1], f"The values of attribute {name}"))))
    return result


def only(parts: list[bytes], index: int, what: str) -> bytes:
    """The element at ``index``; :class:`EvidenceError` naming ``what`` when there are too few."""
    if index >= len(parts):
        raise EvidenceError(f"{what} is missing.", remedy=_REMEDY)
    return parts[index]


def definite(encoded: bytes) -> bytes:
    """The same value with every indefinite length replaced by a definite one.

    Network Security Services and Bouncy Castle write PFX files in BER with indefinite lengths. The contents of octet
    strings stay as they are.

    :raises EvidenceError: a length reaches beyond the end, or the nesting is deeper than any real file has.
    """
    value, _end = _definite(encoded, 0, 0)
    return value


def _definite(encoded: bytes, start: int, depth: int) -> tuple[bytes, int]:
    header = encoded[start : start + 2]
    if len(header) < 2 or depth > _MAX_DEPTH:
        raise EvidenceError("The ASN.1 structure ends in the middle.", place=f"offset {start}", remedy=_REMEDY)
    body = start + 2
    if header[1] == 0x80:
        parts = []
        while encoded[body : body + 2] != b"\0\0":
            part, body = _definite(encoded, body, depth + 1)
            parts.append(part)
        content = b"".join(parts)
        return header[:1] + _length(len(content)) + content, body + 2
    size = header[1]
    if size > 0x80:
        body += size & 0x7F
        size = int.from_bytes(encoded[start + 2 : body], "big")
    if body + size > len(encoded):
        raise EvidenceError("The ASN.1 structure ends in the middle.", place=f"offset {start}", remedy=_REMEDY)
    return encoded[start : body + size], body + size


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits


def _primitive(encoded: bytes, what: str, kind: str) -> Any:
    _require_library()
    value = _decode(encoded, what)
    if not isinstance(value, getattr(univ, kind)):
        raise EvidenceError(f"{what} has an unexpected ASN.1 type.", remedy=_REMEDY)
    return value


def _decode(encoded: bytes, what: str, schema: Any = None) -> Any:
    try:
        value, _rest = decoder.decode(encoded, asn1Spec=schema)
    except Exception as exc:  # pyasn1 lets IndexError, TypeError and others escape on damaged input
        raise EvidenceError(f"{what} is not valid ASN.1.", remedy=_REMEDY) from exc
    return value


def _require_library() -> None:
    if IMPORT_ERROR is not None:
        raise EvidenceError(
            "The Python library pyasn1 is missing, without which requests and PFX files cannot be read.",
            remedy="Install it on the controller: pip install pyasn1",
        ) from IMPORT_ERROR
