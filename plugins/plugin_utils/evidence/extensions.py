# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extensions of certificates and requests that a verdict or a reader needs.

One that cannot be read is told, and permits nothing: an unreadable extended key usage is an empty list of purposes,
not an absent extension.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from typing import Any, NamedTuple

from ..record import Template
from .der import SEQUENCE, dotted, encode, encode_oid, members, span, string
from .der import name as rfc4514

with suppress(ImportError):  # x509.require_cryptography tells of it
    from cryptography import x509

SUBJECT_ALT_NAME = "2.5.29.17"
KEY_USAGE = "2.5.29.15"
BASIC_CONSTRAINTS = "2.5.29.19"
CRL_DISTRIBUTION_POINTS = "2.5.29.31"
EXTENDED_KEY_USAGE = "2.5.29.37"
TEMPLATE = "1.3.6.1.4.1.311.21.7"
"""szOID_CERTIFICATE_TEMPLATE: identifier and version of a template of schema 2 and later (MS-WCCE 2.2.2.7.7.2)."""
TEMPLATE_NAME = "1.3.6.1.4.1.311.20.2"
"""szOID_ENROLL_CERTTYPE_EXTENSION: the common name of a template of schema 1 (MS-WCCE 2.2.2.7.7.1)."""
_UPN = encode_oid("1.3.6.1.4.1.311.20.2.3")
_TEXT_NAMES = {0x81: "email:", 0x82: "dns:", 0x86: "uri:"}

_KEY_USAGES = (
    ("digital_signature", "digitalSignature"),
    ("content_commitment", "nonRepudiation"),
    ("key_encipherment", "keyEncipherment"),
    ("data_encipherment", "dataEncipherment"),
    ("key_agreement", "keyAgreement"),
    ("key_cert_sign", "keyCertSign"),
    ("crl_sign", "cRLSign"),
)
_KEY_AGREEMENT_USAGES = (("encipher_only", "encipherOnly"), ("decipher_only", "decipherOnly"))


class Extensions(NamedTuple):
    """The extensions of a certificate or a request that matter here, read once."""

    readable: Mapping[str, Any]
    """By dotted OID, as the field of :class:`Details` or as a :class:`Template`."""
    unreadable: Mapping[str, str]
    """By dotted OID, why it cannot be read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each extension that cannot be read."""
        return tuple(
            f"The extension {oid} ({_READERS[oid].name}) cannot be read: {defect}."
            for oid, defect in self.unreadable.items()
        )

    def values(self) -> Mapping[str, Any]:
        """The readable ones, and what permits nothing for the others."""
        if not self.unreadable:
            return self.readable
        return {**self.readable, **{oid: _READERS[oid].unreadable for oid in self.unreadable}}


def read_extensions(data: bytes, at: int) -> Extensions:
    """Read those of the Extensions (RFC 5280 section 4.1) at an offset that matter here.

    Raises:
        ValueError: the sequence is damaged. A damaged extension within it is only ``unreadable``.
    """
    readable: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    at, end = span(data, at)
    while at + 1 < end:
        following = at + 2 + data[at + 1] if data[at + 1] < 0x80 else span(data, at)[1]
        encoded = data[at:following]
        at = following
        oid, value, defect = _REMEMBERED.get(encoded) or _read(encoded)
        if oid is None:
            continue
        if oid in readable or oid in unreadable:
            readable.pop(oid, None)
            unreadable[oid] = "it occurs more than once"
        elif defect is None:
            readable[oid] = value
        else:
            unreadable[oid] = defect
    if at != end:
        raise ValueError(f"the extension before offset {at} is longer than all of them")
    return Extensions(readable, unreadable)


_Extension = tuple[str | None, Any, str | None]
"""Dotted OID, or ``None`` when it does not matter here; value; why it cannot be read."""

_OTHER: _Extension = (None, None, None)
_REMEMBERED: dict[bytes, _Extension] = {}
"""Most extensions are the same in all certificates of a template."""
_MOST_REMEMBERED = 4096


def _read(encoded: bytes) -> _Extension:
    start, end = span(encoded, 0)
    oid = _ENCODED_OIDS.get(encoded[start : start + 2 + encoded[start + 1]]) if end > start + 1 else None
    extension = _OTHER
    if oid is not None:
        try:
            extension = (oid, _READERS[oid].read(encoded), None)
        except (ValueError, x509.UnsupportedGeneralNameType) as exc:
            extension = (oid, None, reason(exc))
    if len(_REMEMBERED) >= _MOST_REMEMBERED:
        _REMEMBERED.clear()
    _REMEMBERED[encoded] = extension
    return extension


def template_of(extensions: Mapping[str, Any]) -> Template | None:
    """The certificate template that readable extensions name; ``None`` when they name none."""
    named: Template | None = extensions.get(TEMPLATE_NAME)
    versioned: Template | None = extensions.get(TEMPLATE)
    return replace(versioned, name=named.name) if versioned and named else versioned or named


def _general_names(encoded: bytes) -> tuple[str, ...]:
    """The names of a subjectAltName (RFC 5280 section 4.2.1.6).

    The library reads an extension whole or not at all and knows no x400Address and no ediPartyName.
    """
    *_oid_and_critical, value = members(encoded, 0)
    return tuple([_general_name(member) for member in members(value, span(value, 0)[0])])


def _general_name(encoded: bytes) -> str:
    tag = encoded[0]
    content = encoded[span(encoded, 0)[0] :]
    kind = _TEXT_NAMES.get(tag)
    if kind is not None:
        return kind + content.decode("ascii")
    if tag == 0x87:
        return f"ip:{ip_address(content)}"
    if tag == 0xA4:
        return "dirname:" + rfc4514(content)
    if tag == 0xA0:
        oid, value = members(encoded, 0)
        principal = string(value[span(value, 0)[0] :]) if oid == _UPN else None
        return "other:" + dotted(oid[2:]) if principal is None else "upn:" + principal
    return "rid:" + dotted(content) if tag == 0x88 else f"other:[{tag & 0x1F}]"


def _purposes(encoded: bytes) -> tuple[str, ...]:
    return tuple(purpose.dotted_string for purpose in _parsed(encoded))


def _key_usage(encoded: bytes) -> tuple[str, ...]:
    usage = _parsed(encoded)
    names = [name for attribute, name in _KEY_USAGES if getattr(usage, attribute)]
    if usage.key_agreement:
        names += [name for attribute, name in _KEY_AGREEMENT_USAGES if getattr(usage, attribute)]
    return tuple(names)


def _distribution_points(encoded: bytes) -> tuple[str, ...]:
    urls: list[str] = []
    for point in _parsed(encoded):
        names = [name.value for name in point.full_name or () if isinstance(name, x509.UniformResourceIdentifier)]
        urls += names or [""]
    return tuple(urls)


def _is_ca(encoded: bytes) -> bool:
    return bool(_parsed(encoded).ca)


def _template(encoded: bytes) -> Template:
    value = _parsed(encoded)
    return Template(
        oid=value.template_id.dotted_string, major_version=value.major_version, minor_version=value.minor_version
    )


def _template_name(encoded: bytes) -> Template:
    name = string(_parsed(encoded).value)
    if name is None:
        raise ValueError("it holds no character string")
    return Template(name=name)


def _parsed(encoded: bytes) -> Any:
    """The library's value of an extension, read as the only one of a certificate made for it."""
    (extension,) = x509.load_der_x509_certificate(_carrier(encoded)).extensions
    return extension.value


class _Reader(NamedTuple):
    name: str
    read: Callable[[bytes], Any]
    unreadable: Any
    """The value that permits nothing."""


_READERS = {
    SUBJECT_ALT_NAME: _Reader("subjectAltName", _general_names, ()),
    KEY_USAGE: _Reader("keyUsage", _key_usage, ()),
    BASIC_CONSTRAINTS: _Reader("basicConstraints", _is_ca, False),
    CRL_DISTRIBUTION_POINTS: _Reader("cRLDistributionPoints", _distribution_points, ()),
    EXTENDED_KEY_USAGE: _Reader("extKeyUsage", _purposes, ()),
    TEMPLATE: _Reader("certificate template", _template, None),
    TEMPLATE_NAME: _Reader("certificate template name", _template_name, None),
}
_ENCODED_OIDS = {encode_oid(oid): oid for oid in _READERS}


_ALGORITHM = bytes.fromhex("300d06092a864886f70d01010b0500")
_NOBODY = b"\x30\x00"
_MOMENT = b"\x17\x0d000101000000Z"
_BODY = b"".join(
    (
        bytes.fromhex("a003020102020101"),
        _ALGORITHM,
        _NOBODY,
        encode(SEQUENCE, _MOMENT, _MOMENT),
        _NOBODY,
        encode(SEQUENCE, _ALGORITHM, b"\x03\x01\x00"),
    )
)
_SIGNATURE = _ALGORITHM + b"\x03\x01\x00"


def _carrier(extension: bytes) -> bytes:
    """A certificate with one extension and otherwise empty."""
    body = encode(SEQUENCE, _BODY, encode(0xA3, encode(SEQUENCE, extension)))
    return encode(SEQUENCE, body, _SIGNATURE)


def reason(exc: Exception) -> str:
    """What an exception says, as a part of a sentence."""
    return (str(exc) or type(exc).__name__).strip().rstrip(".")
