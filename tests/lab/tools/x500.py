# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinguished names and alternative names in the texts of an INF file."""

from __future__ import annotations

import ipaddress
import re

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from ..formats.asn1 import utf8
from ..powershell.errors import NotSimulated

_KEYS = {
    "cn": NameOID.COMMON_NAME,
    "ou": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "o": NameOID.ORGANIZATION_NAME,
    "l": NameOID.LOCALITY_NAME,
    "s": NameOID.STATE_OR_PROVINCE_NAME,
    "st": NameOID.STATE_OR_PROVINCE_NAME,
    "c": NameOID.COUNTRY_NAME,
    "dc": NameOID.DOMAIN_COMPONENT,
    "e": NameOID.EMAIL_ADDRESS,
    "street": NameOID.STREET_ADDRESS,
    "sn": NameOID.SURNAME,
    "g": NameOID.GIVEN_NAME,
    "t": NameOID.TITLE,
}
_PRINCIPAL_NAME = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
_PART = re.compile(r'\s*(?P<key>[A-Za-z][\w.]*|[0-9.]+)\s*=\s*(?P<value>"(?:[^"]|"")*"|[^"]*?)\s*')


class BadName(ValueError):
    """A text that is no name."""


def distinguished_name(text: str, *, semicolons: bool = False, plus: bool = True) -> x509.Name:
    """CertStrToName: parts divided by commas or semicolons, a value with one of them in quotes.

    The part that stands first is encoded last, as requests of certreq show it.

    :param semicolons: CERT_NAME_STR_SEMICOLON_FLAG: only semicolons divide.
    :param plus: whether a plus sign divides the values of one part; not with CERT_NAME_STR_NO_PLUS_FLAG.

    Raises:
        BadName: it is none.
        NotSimulated: a part with several values.
    """
    parts = []
    for piece in _divided(text, ";" if semicolons else ",;"):
        match = _PART.fullmatch(piece)
        if match is None:
            raise BadName(piece)
        value = match["value"]
        if value.startswith('"'):
            value = value[1:-1].replace('""', '"')
        elif plus and "+" in value:
            raise NotSimulated("a relative name of several values")
        try:
            oid = _KEYS.get(match["key"].lower()) or ObjectIdentifier(match["key"].lower().removeprefix("oid."))
            parts.append(x509.NameAttribute(oid, value))
        except ValueError as exc:
            raise BadName(piece) from exc
    return x509.Name(reversed(parts))


def _divided(text: str, dividers: str) -> list[str]:
    pieces, inside = [""], False
    for character in text:
        inside ^= character == '"'
        if character in dividers and not inside:
            pieces.append("")
        else:
            pieces[-1] += character
    return [piece for piece in pieces if piece.strip()]


def alternative_names(text: str) -> x509.SubjectAlternativeName:
    """``dns=a.example&ipaddress=10.0.0.1&``: every ampersand divides.

    Raises:
        BadName: an unknown kind, or a value that is not of its kind.
        NotSimulated: a kind that the lab does not encode.
    """
    names: list[x509.GeneralName] = []
    for pair in text.split("&"):
        if not pair.strip():
            continue
        kind, sign, value = pair.partition("=")
        try:
            names.append(_general_name(kind.strip().lower(), value.strip()))
        except ValueError as exc:
            raise BadName(pair) from exc
        if not sign:
            raise BadName(pair)
    return x509.SubjectAlternativeName(names)


def _general_name(kind: str, value: str) -> x509.GeneralName:
    if kind == "dns":
        return x509.DNSName(value)
    if kind == "ipaddress":
        return x509.IPAddress(ipaddress.ip_address(value))
    if kind == "email":
        return x509.RFC822Name(value)
    if kind == "url":
        return x509.UniformResourceIdentifier(value)
    if kind == "upn":
        return x509.OtherName(_PRINCIPAL_NAME, utf8(value))
    if kind in ("directoryname", "registeredid", "guid"):
        raise NotSimulated(f"an alternative name of the kind {kind}")
    raise BadName(kind)
