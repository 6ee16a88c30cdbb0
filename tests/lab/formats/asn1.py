# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The DER that the writers of requests and PFX files need."""

from __future__ import annotations

from pyasn1.codec.der import encoder
from pyasn1.type import char, univ


def element(tag: int, *parts: bytes) -> bytes:
    """An element with a tag of one octet around the joined parts."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def sequence(*parts: bytes) -> bytes:
    return element(0x30, *parts)


def set_of(*parts: bytes) -> bytes:
    """A SET OF with its members in the order of their encodings, as DER asks and Windows writes them."""
    return element(0x31, *sorted(parts))


def oid(dotted: str) -> bytes:
    return bytes(encoder.encode(univ.ObjectIdentifier(dotted)))


def integer(value: int) -> bytes:
    return bytes(encoder.encode(univ.Integer(value)))


def octets(value: bytes) -> bytes:
    return element(0x04, value)


def bmp(value: str) -> bytes:
    return bytes(encoder.encode(char.BMPString(value)))


def utf8(value: str) -> bytes:
    return bytes(encoder.encode(char.UTF8String(value)))


def ia5(value: str) -> bytes:
    return bytes(encoder.encode(char.IA5String(value)))


def attribute(dotted: str, *values: bytes) -> bytes:
    return sequence(oid(dotted), set_of(*values))
