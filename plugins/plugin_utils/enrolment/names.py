# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in requests: subjects as RFC 4514 texts, DNS names and addresses, from closed alphabets.

certreq hands the subject to CertStrToName (certreq reference, X500NameFlags). What that function, an INF file and a
directory each take for syntax has no place in a value: it is refused here, so that nothing has to be escaped there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from ..evidence import der
from .errors import EnrolmentError

_UTF8_STRING = 0x0C
_SET = 0x31


class Attribute(NamedTuple):
    """An attribute type as certreq knows it."""

    key: str
    """What CertStrToName calls it."""
    oid: str
    longest: int
    """Its upper bound (RFC 5280 appendix A.1, RFC 4519), which AD CS enforces unless told otherwise."""


class Component(NamedTuple):
    """One relative distinguished name of a subject."""

    attribute: Attribute
    value: str


_ATTRIBUTES = (
    Attribute("CN", "2.5.4.3", 64),
    Attribute("O", "2.5.4.10", 64),
    Attribute("OU", "2.5.4.11", 64),
    Attribute("L", "2.5.4.7", 128),
    Attribute("S", "2.5.4.8", 128),
    Attribute("C", "2.5.4.6", 2),
    Attribute("STREET", "2.5.4.9", 128),
    Attribute("DC", "0.9.2342.19200300.100.1.25", 63),
    Attribute("E", "1.2.840.113549.1.9.1", 128),
)
_BY_NAME = {name: attribute for attribute in _ATTRIBUTES for name in (attribute.key, attribute.oid)}
_BY_NAME.update({"ST": _BY_NAME["S"], "EMAIL": _BY_NAME["E"], "EMAILADDRESS": _BY_NAME["E"]})

_PLAIN = frozenset("'()+,-./:&@*!? _")
"""ASCII characters beside letters and digits that stand for themselves: in an INF value between quotes, and in a name
whose separators are told by X500NameFlags."""
_STRICT = {
    "C": re.compile(r"[A-Za-z]{2}"),
    "DC": re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?"),
    "E": re.compile(r"[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+"),
}

_ESCAPED = re.compile(r'\\(?:([0-9A-Fa-f]{2})|([ "#+,;<=>\\]))')
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9.]+|.*:.*")
_LONGEST_DNS_NAME = 253
_OID = re.compile(r"(?:[01]\.(?:[0-9]|[1-3][0-9])|2\.(?:0|[1-9][0-9]{0,9}))(?:\.(?:0|[1-9][0-9]{0,38})){1,30}")


def refuse_characters(text: str, plain: Iterable[str], option: str) -> None:
    """Accept letters and digits of the Basic Multilingual Plane and some other characters.

    Args:
        text: what was given.
        plain: the other characters.
        option: for the message.

    Raises:
        EnrolmentError: the text holds another one, which is shown by its number.
    """
    for character in text:
        if character in plain or (character.isascii() and character.isalnum()):
            continue
        letter = unicodedata.category(character)[0] in "LM" or unicodedata.category(character) == "Nd"
        if character.isascii() or ord(character) > 0xFFFF or not letter:
            raise EnrolmentError(
                f"The character U+{ord(character):04X}{f' ({character})' if character.isprintable() else ''} is not"
                " safe in a request.",
                place=f"the option '{option}'",
                remedy="Leave the character out: letters, digits, blanks and "
                f"{' '.join(sorted(set(plain) - {' '}))} can be used.",
            )


def parse_subject(text: str) -> tuple[Component, ...]:
    """Take an RFC 4514 text apart, most specific component first, and check each value.

    Blanks around separators, which RFC 2253 allowed, are passed over.

    Raises:
        EnrolmentError: it is no such text, has an attribute type that certreq does not know, several attributes in one
            component, or a value that cannot be written safely.
    """
    components = tuple(_component(part) for part in _parts(text))
    if not components:
        raise _subject_error("The subject is empty.", "Give a subject, such as CN=pool01.contoso.example.")
    return components


def subject_text(components: Iterable[Component]) -> str:
    """A subject as the rest of the collection writes it: RFC 4514, most specific component first."""
    encoded = [
        der.encode(
            _SET,
            der.encode(
                der.SEQUENCE,
                der.encode_oid(component.attribute.oid),
                der.encode(_UTF8_STRING, component.value.encode()),
            ),
        )
        for component in components
    ]
    return der.name(der.encode(der.SEQUENCE, *reversed(encoded)))


def common_name(components: Iterable[Component]) -> str | None:
    """The first common name of a subject."""
    return next((component.value for component in components if component.attribute.key == "CN"), None)


def checked_alternative_name(text: str) -> str:
    """A DNS name in lower case or an IP address in its canonical form; ``dns:`` and ``ip:`` may stand before it.

    Raises:
        EnrolmentError: it is neither.
    """
    kind, _colon, rest = text.partition(":")
    name = rest if kind.lower() in ("dns", "ip") else text
    address = _address(name)
    if kind.lower() == "ip" or (address and kind.lower() != "dns"):
        if address is None:
            raise _name_error(text, "is no IP address", "Give it as in 192.0.2.1 or 2001:db8::1.")
        return str(address)
    return _dns_name(name, text)


def is_address(name: str) -> bool:
    """Whether a checked alternative name is an IP address."""
    return _address(name) is not None


def is_oid(text: str) -> bool:
    """Whether a text is an object identifier in dotted form."""
    return _OID.fullmatch(text) is not None


def _parts(text: str) -> list[tuple[str, str]]:
    """The texts before and behind the equals sign of each component, the latter without its escapes."""
    found: list[tuple[str, str]] = []
    key, value, kept, at, in_value = "", "", 0, 0, False
    while text.strip() and at <= len(text):
        escaped = _ESCAPED.match(text, at) if in_value else None
        character = text[at : at + 1]
        if escaped:
            value, at = _unescaped(text, at, value)
            kept = len(value)
            continue
        if character in ("", ","):
            if not in_value:
                raise _subject_error(f"The subject holds {key.strip()!a}, which has no equals sign.")
            found.append((key.strip(), value[:kept] + value[kept:].rstrip(" ")))
            key, value, kept, in_value = "", "", 0, False
        elif not in_value:
            in_value = character == "="
            key += "" if in_value else character
        elif character == "+":
            raise _subject_error(
                "The subject holds a plus sign, which joins several attributes in one component.",
                "Give each attribute its own component; for the character itself write \\+.",
            )
        elif character in '"\\;<=>':
            raise _subject_error(
                f"The subject holds the character U+{ord(character):04X} ({character}) within a value.",
                "Write the value without this character.",
            )
        elif character != " " or value:
            value += character
        at += 1
    return found


def _unescaped(text: str, at: int, value: str) -> tuple[str, int]:
    """The value with the escaped characters at an offset behind it, and the offset behind them."""
    octets = bytearray()
    while (escaped := _ESCAPED.match(text, at)) is not None:
        octets += bytes.fromhex(escaped[1]) if escaped[1] else escaped[2].encode()
        at = escaped.end()
    try:
        return value + octets.decode(), at
    except UnicodeDecodeError as exc:
        raise _subject_error("The subject holds escaped bytes that are not UTF-8.") from exc


def _component(part: tuple[str, str]) -> Component:
    key, value = part
    attribute = _BY_NAME.get(key.upper().removeprefix("OID."))
    if attribute is None:
        known = ", ".join(attribute.key for attribute in _ATTRIBUTES)
        raise _subject_error(
            f"The subject holds the attribute type {key!a}, which cannot be requested.", f"Use only {known}."
        )
    _check_value(attribute, value)
    return Component(attribute, value)


def _check_value(attribute: Attribute, value: str) -> None:
    if not value or value != value.strip():
        raise _subject_error(
            f"The value of {attribute.key} in the subject is empty or has blanks at its ends.",
            "Give the value without them, or leave the component out.",
        )
    refuse_characters(value, _PLAIN, "subject")
    strict = _STRICT.get(attribute.key)
    if strict and not strict.fullmatch(value):
        raise _subject_error(f"{value!a} cannot be the value of {attribute.key}.", "Correct the value.")
    if len(value) > attribute.longest:
        raise _subject_error(
            f"The value of {attribute.key} in the subject has {len(value)} characters, of {attribute.longest} at most.",
            "Shorten it. A DNS name that is too long for CN can stand in subject_alt_names alone.",
        )


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def _dns_name(name: str, given: str) -> str:
    lower = name.lower()
    if not name.isascii():
        raise _name_error(given, "has characters beyond ASCII", "Give it in its xn-- form (punycode, RFC 5891).")
    if _NUMERIC.fullmatch(name):
        raise _name_error(given, "is neither a DNS name nor an IP address", "Correct it.")
    labels = lower.split(".")
    if labels[0] == "*" and len(labels) > 2:
        labels = labels[1:]
    if not all(_LABEL.fullmatch(label) for label in labels) or len(lower) > _LONGEST_DNS_NAME:
        raise _name_error(
            given,
            "is no DNS name",
            "Give one name an element: labels of 1 to 63 letters, digits, hyphens and underscores, no dot at the end,"
            " 253 characters at most; a wildcard as in *.contoso.example.",
        )
    return lower


def _subject_error(message: str, remedy: str = "") -> EnrolmentError:
    return EnrolmentError(
        message,
        place="the option 'subject'",
        remedy=remedy or "Write it as RFC 4514 says, such as CN=pool01.contoso.example,O=Contoso.",
    )


def _name_error(given: str, what: str, remedy: str) -> EnrolmentError:
    return EnrolmentError(f"{given!a} {what}.", place="the option 'subject_alt_names'", remedy=remedy)
