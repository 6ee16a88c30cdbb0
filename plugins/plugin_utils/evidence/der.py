# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The little DER that the certificate library does not give: elements, and names as RFC 4514 strings.

Names are rendered here because a store of thousands repeats the same components, which are worth remembering, and
because old certificates hold TeletexString values in Latin-1, which the library refuses.
"""

from __future__ import annotations

import re
from functools import lru_cache

SEQUENCE = 0x30
OID = 0x06

_ATTRIBUTES = {
    "2.5.4.3": "CN",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.6": "C",
    "2.5.4.9": "STREET",
    "0.9.2342.19200300.100.1.25": "DC",
    "0.9.2342.19200300.100.1.1": "UID",
}
"""RFC 4514 section 3: the attribute types that have a short name; all others stand as dotted OIDs."""

_EIGHT_BIT = frozenset((0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1A))
"""NumericString, PrintableString, TeletexString, IA5String, both times, VisibleString: ASCII by their definition,
but issuers have put UTF-8 and, above all into TeletexString, Latin-1 into them."""
_WIDE = {0x0C: "utf-8", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}
"""UTF8String, UniversalString, BMPString."""
_SPECIAL = re.compile(r'[\\"+,;<>\0]|\A[# ]| \Z')
_MARKED = re.compile(r'[\\"+,;<>\0]')


def span(data: bytes, at: int) -> tuple[int, int]:
    """Where the content of the element at an offset starts and ends. Tags above 30 do not occur in what is read here.

    Raises:
        ValueError: the element does not fit into the data.
    """
    start = at + 2
    if start > len(data):
        raise ValueError(f"no DER element at offset {at}")
    length = data[at + 1]
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[at + 2 : start], "big")
    end = start + length
    if end > len(data):
        raise ValueError(f"the DER element at offset {at} is longer than the data")
    return start, end


def members(data: bytes, at: int) -> list[bytes]:
    """The encoded elements within the constructed element at an offset.

    Raises:
        ValueError: they do not fill it exactly.
    """
    at, end = span(data, at)
    found = []
    while at < end:
        _start, following = span(data, at)
        found.append(data[at:following])
        at = following
    if at > end:
        raise ValueError(f"the DER element before offset {at} is longer than the one around it")
    return found


def encode(tag: int, *parts: bytes) -> bytes:
    """A DER element of the joined parts."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def dotted(content: bytes) -> str:
    """The content of an OBJECT IDENTIFIER in dotted form.

    Raises:
        ValueError: the last number is not complete.
    """
    if not content or content[-1] & 0x80:
        raise ValueError("an object identifier is incomplete")
    numbers: list[int] = []
    value = 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(value)
            value = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def encode_oid(value: str) -> bytes:
    """An OBJECT IDENTIFIER element from its dotted form."""
    first, second, *others = map(int, value.split("."))
    content = b""
    for number in (40 * first + second, *others):
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(0x80 | number & 0x7F)
        content += bytes(reversed(digits))
    return encode(OID, content)


def string(encoded: bytes) -> str | None:
    """The value of a string element; ``None`` for a tag that is no string. Undecodable bytes become U+FFFD.

    Raises:
        ValueError: the bytes are not an element.
    """
    start, end = span(encoded, 0)
    content = encoded[start:end]
    if encoded[0] in _WIDE:
        return content.decode(_WIDE[encoded[0]], "replace")
    if encoded[0] not in _EIGHT_BIT:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


@lru_cache(maxsize=4096)
def name(encoded: bytes) -> str:
    """A DER encoded Name as an RFC 4514 string, most specific component first.

    Raises:
        ValueError: the bytes are not a Name.
    """
    return ",".join([_component(component) for component in reversed(members(encoded, 0))])


@lru_cache(maxsize=4096)
def _component(encoded: bytes) -> str:
    return "+".join([_attribute(attribute) for attribute in members(encoded, 0)])


def _attribute(encoded: bytes) -> str:
    oid, value = members(encoded, 0)
    text = string(value)
    rendered = "#" + value[span(value, 0)[0] :].hex() if text is None else _escaped(text)
    return f"{_attribute_type(oid)}={rendered}"


@lru_cache(maxsize=256)
def _attribute_type(encoded: bytes) -> str:
    oid = dotted(encoded[2:])
    return _ATTRIBUTES.get(oid, oid)


def _escaped(value: str) -> str:
    """Escape a value as RFC 4514 section 2.4 asks."""
    if not _SPECIAL.search(value):
        return value
    value = _MARKED.sub(lambda found: "\\00" if found[0] == "\0" else "\\" + found[0], value)
    if value.startswith("#") or (value.startswith(" ") and len(value) > 1):
        value = "\\" + value
    if value.endswith(" "):
        value = value[:-1] + "\\ "
    return value
