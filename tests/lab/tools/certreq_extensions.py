# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The extensions that a policy file asks for, and those that certreq adds.

Reference: Microsoft, "certreq": [NewRequest] KeyUsage, [EnhancedKeyUsageExtension], [Extensions] with the encodings
``{text}``, ``{hex}`` and plain base64, and the line ``Critical``. A request of certreq of Windows 11 begins with the
subject key identifier and has a critical key usage. The S/MIME capabilities that certreq adds unless ``SMIME`` is
FALSE are left out here.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtensionOID, ObjectIdentifier

from ..formats.asn1 import element
from ..pki import application_policies
from ..powershell.errors import NotSimulated
from . import hresult, inf
from .certreq_call import CertreqFault
from .x500 import BadName, alternative_names

_APPLICATION_POLICIES = "1.3.6.1.4.1.311.21.10"
_EXTENDED_KEY_USAGE = ExtensionOID.EXTENDED_KEY_USAGE.dotted_string
_ALTERNATIVE_NAME = ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string


def extensions(file: inf.Inf, key: rsa.RSAPrivateKey) -> list[x509.Extension[x509.ExtensionType]]:
    """All extensions of the request.

    Raises:
        CertreqFault: a value is not of the form that its extension has.
        NotSimulated: an extension that the lab does not encode.
    """
    critical = {
        oid.strip()
        for line in file.lines("Extensions")
        if line.key.lower() == "critical"
        for oid in line.text.split(",")
    }
    found = {value.oid.dotted_string: (value, is_critical) for value, is_critical in _wanted(file, key)}
    return [
        x509.Extension(value.oid, is_critical or oid in critical, value) for oid, (value, is_critical) in found.items()
    ]


def _wanted(file: inf.Inf, key: rsa.RSAPrivateKey) -> Iterator[tuple[x509.ExtensionType, bool]]:
    suppressed = file.line("NewRequest", "SuppressDefaults")
    if suppressed is None or suppressed.text.lower() != "true":
        yield x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
    usage = file.line("NewRequest", "KeyUsage")
    if usage is not None:
        yield _key_usage(usage.text), True
    oids = [line.text for line in file.lines("EnhancedKeyUsageExtension") if line.key.lower() == "oid"]
    if oids:
        yield _usages(oids), False
    for line in file.lines("Extensions"):
        if line.key.lower() != "critical":
            yield _extension(line.key, line.text), False


def _key_usage(text: str) -> x509.UnrecognizedExtension:
    """The number holds the first octet of the bit string, and the second (decipherOnly) above it."""
    try:
        bits = int(text, 0)
    except ValueError as exc:
        raise NotSimulated(f"[NewRequest] with KeyUsage = {text}") from exc
    octets = bytes([bits & 0xFF]) if bits <= 0xFF else bits.to_bytes(2, "little")
    unused = (octets[-1] & -octets[-1]).bit_length() - 1 if octets[-1] else 0
    return x509.UnrecognizedExtension(ExtensionOID.KEY_USAGE, element(0x03, bytes([unused]), octets))


def _usages(oids: list[str]) -> x509.ExtendedKeyUsage:
    try:
        return x509.ExtendedKeyUsage([ObjectIdentifier(oid.strip()) for oid in oids if oid.strip()])
    except ValueError as exc:
        raise CertreqFault(hresult.INVALID_PARAMETER) from exc


def _extension(oid: str, text: str) -> x509.ExtensionType:
    if text.lower().startswith("{text}"):
        value = text[len("{text}") :]
        if oid == _ALTERNATIVE_NAME:
            try:
                return alternative_names(value)
            except BadName as exc:
                raise CertreqFault(hresult.INVALID_PARAMETER) from exc
        if oid == _EXTENDED_KEY_USAGE:
            return _usages(value.split(","))
        if oid == _APPLICATION_POLICIES:
            return application_policies([one.strip() for one in value.split(",") if one.strip()])
        raise NotSimulated(f"[Extensions] {oid} as text")
    try:
        if text.lower().startswith("{hex}"):
            encoded = bytes.fromhex(text[len("{hex}") :])
        elif text.startswith("{"):
            raise NotSimulated(f"[Extensions] {oid} = {text}")
        else:
            encoded = base64.b64decode(text, validate=True)
        return x509.UnrecognizedExtension(ObjectIdentifier(oid), encoded)
    except (ValueError, binascii.Error) as exc:
        raise CertreqFault(hresult.INVALID_PARAMETER) from exc
