# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""INF files for certreq and certutil, from a closed grammar: each value stands between quotes and holds nothing that
could end them.

Keys and values: Microsoft, "certreq" (``-new``, the sections NewRequest and Extensions); general INF syntax: "General
syntax rules for INF files". Not verified on Windows: that certreq reads a file in UTF-16 with a byte order mark, which
INF files may be and which is written only where ASCII does not suffice, and ``ipaddress=`` with an IPv6 address.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from ..evidence import der
from ..evidence.extensions import SUBJECT_ALT_NAME, TEMPLATE
from ..record import AT_KEYEXCHANGE
from .errors import EnrolmentError
from .names import Component, is_address, is_oid, parse_subject
from .wish import RequestWish, checked_friendly_name, provider_of

CERT_NAME_STR_SEMICOLON_FLAG = 0x40000000
CERT_NAME_STR_NO_PLUS_FLAG = 0x20000000
"""What certreq hands to CertStrToName (X500NameFlags): only semicolons separate, a plus sign does not."""

AT_NONE = 0
"""The key specification of keys that are not CryptoAPI's (certreq reference, KeySpec)."""

_DIGITAL_SIGNATURE_AND_KEY_ENCIPHERMENT = "0xA0"
_IDENTITY_LENGTH = 32
_MULTIPLE = "_continue_"
_NOT_QUOTABLE = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029"%]')

_Line = tuple[str, str]


def request_inf(wish: RequestWish, *, with_friendly_name: bool = True) -> bytes:
    """The file for ``certreq -new``.

    A template that is given by its name stays out: certreq would look it up in the directory and, with ``-q``, write
    no request when it does not find it; it goes along when the request is submitted. One that is given by its OID goes
    into the request as the extension from which the CA takes it (MS-WCCE 2.2.2.7.7.2).

    Args:
        wish: a checked one.
        with_friendly_name: whether the friendly name is in it, which makes no difference to the request.

    Raises:
        EnrolmentError: the wish was not checked and holds what cannot be written.
    """
    provider = provider_of(wish)
    components = parse_subject(wish.subject)
    flags = _name_flags(components)
    request: list[_Line] = [("Subject", _quoted(_subject(components, flags)))]
    if flags:
        request.append(("X500NameFlags", f"0x{flags:08x}"))
    request += [
        ("KeySpec", str(AT_NONE if provider.kind == "ksp" else AT_KEYEXCHANGE)),
        ("KeyLength", str(wish.key_length)),
        ("KeyUsage", _DIGITAL_SIGNATURE_AND_KEY_ENCIPHERMENT),
        ("Exportable", "TRUE" if wish.exportable else "FALSE"),
        ("MachineKeySet", "TRUE"),
        ("ProviderName", _quoted(provider.name)),
    ]
    if provider.provider_type is not None:
        request.append(("ProviderType", str(provider.provider_type)))
    request += [
        ("RequestType", "PKCS10"),
        ("HashAlgorithm", wish.hash_algorithm),
        ("SMIME", "FALSE"),
        ("Silent", "TRUE"),
    ]
    if with_friendly_name and wish.friendly_name is not None:
        request.append(("FriendlyName", _quoted(wish.friendly_name)))
    sections: list[tuple[str, list[_Line]]] = [
        ("Version", [("Signature", '"$Windows NT$"')]),
        ("NewRequest", request),
        ("EnhancedKeyUsageExtension", [("OID", oid) for oid in wish.extended_key_usage]),
        ("Extensions", _extensions(wish)),
    ]
    return _written([(name, lines) for name, lines in sections if lines])


def identity(wish: RequestWish) -> str:
    """What names a wish in the directory of requests: 32 hexadecimal digits.

    The friendly name is no part of it, for it holds the date of the request.

    Args:
        wish: a checked one.

    Raises:
        EnrolmentError: the wish was not checked and holds what cannot be written.
    """
    return hashlib.sha256(request_inf(wish, with_friendly_name=False)).hexdigest()[:_IDENTITY_LENGTH]


def properties_inf(
    friendly_name: str | None = None, archived: bool | None = None, key: Sequence[str] | None = None
) -> bytes:
    """The file for ``certutil -repairstore STORE ID FILE`` that sets properties of a certificate of a store.

    The form is that of certutil's usage text: 2 is CERT_KEY_PROV_INFO_PROP_ID, 11 is CERT_FRIENDLY_NAME_PROP_ID, 19 is
    CERT_ARCHIVED_PROP_ID, which ``Empty`` adds and an empty value removes.

    Args:
        friendly_name: the new name; ``None`` leaves it.
        archived: the new state; ``None`` leaves it.
        key: the parts of the reference to the private key, such as ``Container=...``; ``None`` leaves it.

    Raises:
        EnrolmentError: the name cannot be written.
    """
    lines: list[_Line] = []
    if key is not None:
        lines.append(("2", _quoted("{text}")))
        lines += [(_MULTIPLE, _quoted(f"{part}&")) for part in key[:-1]]
        lines.append((_MULTIPLE, _quoted(key[-1])))
    if friendly_name is not None:
        lines.append(("11", _quoted("{text}" + checked_friendly_name(friendly_name))))
    if archived is not None:
        lines.append(("19", "Empty" if archived else ""))
    return _written([("Properties", lines)])


def _name_flags(components: tuple[Component, ...]) -> int:
    comma = any("," in component.value for component in components)
    plus = any("+" in component.value for component in components)
    return (CERT_NAME_STR_SEMICOLON_FLAG if comma else 0) | (CERT_NAME_STR_NO_PLUS_FLAG if plus else 0)


def _subject(components: tuple[Component, ...], flags: int) -> str:
    separator = ";" if flags & CERT_NAME_STR_SEMICOLON_FLAG else ","
    return separator.join(f"{component.attribute.key}={component.value}" for component in components)


def _extensions(wish: RequestWish) -> list[_Line]:
    lines: list[_Line] = []
    if wish.subject_alt_names:
        lines.append((SUBJECT_ALT_NAME, _quoted("{text}")))
        for name in wish.subject_alt_names:
            kind = "ipaddress" if is_address(name) else "dns"
            lines.append((_MULTIPLE, _quoted(f"{kind}={name}&")))
    if wish.template is not None and is_oid(wish.template):
        value = der.encode(der.SEQUENCE, der.encode_oid(wish.template))
        lines += [(TEMPLATE, _quoted("{hex}")), (_MULTIPLE, _quoted(value.hex(" ")))]
    return lines


def _quoted(value: str) -> str:
    """A value between quotes.

    Raises:
        EnrolmentError: it holds what has a meaning there, or ends the line.
    """
    found = _NOT_QUOTABLE.search(value)
    if found:
        raise EnrolmentError(
            f"A value for an INF file holds the character U+{ord(found[0]):04X}.",
            place="INF file",
            remedy="Correct the value that holds it.",
        )
    return f'"{value}"'


def _written(sections: list[tuple[str, list[_Line]]]) -> bytes:
    """The file, with CRLF; ASCII where that suffices, else UTF-16LE with a byte order mark."""
    text = "\r\n".join(
        f"[{name}]\r\n" + "".join(f"{key} = {value}".rstrip() + "\r\n" for key, value in lines)
        for name, lines in sections
    )
    return text.encode("ascii") if text.isascii() else b"\xff\xfe" + text.encode("utf-16-le")
