# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking DER apart: elements with tags of one octet, as requests have them (ITU-T X.690)."""

from __future__ import annotations

from typing import NamedTuple

from pyasn1.codec.der import decoder
from pyasn1.error import PyAsn1Error
from pyasn1.type import univ

SEQUENCE = 0x30
SET = 0x31


class NotDer(ValueError):
    """It cannot be taken apart, or holds something else than expected."""


class Element(NamedTuple):
    """One element: its tag, its content and both together."""

    tag: int
    content: bytes
    encoded: bytes


def elements(data: bytes) -> list[Element]:
    """The elements that follow each other in ``data``.

    Raises:
        NotDer: it is cut short, or has a length that DER does not have.
    """
    found = []
    at = 0
    while at < len(data):
        if len(data) < at + 2:
            raise NotDer("an element is cut short")
        tag, size, start = data[at], data[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            size, start = int.from_bytes(data[start : start + count], "big"), start + count
            if not 0 < count < 5 or size < 0x80:
                raise NotDer("a length is not in the form of DER")
        if len(data) < start + size:
            raise NotDer("an element is cut short")
        found.append(Element(tag, data[start : start + size], data[at : start + size]))
        at = start + size
    return found


def only(data: bytes, tag: int) -> bytes:
    """The content of the one element that ``data`` is.

    Raises:
        NotDer: it is none, or more, or of another tag.
    """
    found = elements(data)
    if len(found) != 1 or found[0].tag != tag:
        raise NotDer(f"there is not one element of tag {tag:#04x}")
    return found[0].content


def members(element: Element, tag: int = SEQUENCE) -> list[Element]:
    """What a SEQUENCE, or an element of another tag, holds.

    Raises:
        NotDer: it is of another tag.
    """
    if element.tag != tag:
        raise NotDer(f"tag {element.tag:#04x} stands where {tag:#04x} is expected")
    return elements(element.content)


def oid(element: Element) -> str:
    """The dotted form of an object identifier.

    Raises:
        NotDer: it is none.
    """
    try:
        value, rest = decoder.decode(element.encoded, asn1Spec=univ.ObjectIdentifier())
    except PyAsn1Error as exc:
        raise NotDer(str(exc)) from exc
    if rest:
        raise NotDer("something follows an object identifier")
    return str(value)


def integer(element: Element) -> int:
    """An INTEGER.

    Raises:
        NotDer: it is none.
    """
    if element.tag != 0x02 or not element.content:
        raise NotDer("an INTEGER is expected")
    return int.from_bytes(element.content, "big", signed=True)


def text(element: Element) -> str:
    """A BMPString, UTF8String, IA5String or PrintableString.

    Raises:
        NotDer: it is none of them.
    """
    encodings = {0x1E: "utf-16-be", 0x0C: "utf-8", 0x16: "ascii", 0x13: "ascii"}
    if element.tag not in encodings:
        raise NotDer(f"tag {element.tag:#04x} is no text")
    try:
        return element.content.decode(encodings[element.tag])
    except UnicodeDecodeError as exc:
        raise NotDer(str(exc)) from exc
