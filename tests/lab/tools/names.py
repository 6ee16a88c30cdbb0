# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinguished names as Windows prints them."""

from __future__ import annotations

from cryptography import x509
from cryptography.x509.oid import NameOID

_LABELS = {
    NameOID.COMMON_NAME: "CN",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.LOCALITY_NAME: "L",
    NameOID.STATE_OR_PROVINCE_NAME: "S",
    NameOID.COUNTRY_NAME: "C",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.EMAIL_ADDRESS: "E",
}


def windows_name(name: x509.Name) -> str:
    """CertNameToStr with CERT_X500_NAME_STR reversed, as certutil and .NET print: the most specific part first.

    A value with a comma, a plus sign, a quote or a blank at an end stands in double quotes.
    """
    return ", ".join(
        f"{_LABELS.get(part.oid, 'OID.' + part.oid.dotted_string)}={_quoted(str(part.value))}"
        for part in reversed(list(name))
    )


def _quoted(value: str) -> str:
    if value != value.strip() or any(character in value for character in ',+="\r\n<>#;'):
        return '"' + value.replace('"', '""') + '"'
    return value
