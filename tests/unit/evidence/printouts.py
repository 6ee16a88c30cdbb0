# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Printouts of certutil for the tests of its reader. All names and numbers are invented."""

from __future__ import annotations

from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.certutil import read_certutil
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Certificate

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
STRONG = "Microsoft Strong Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
SMART_CARD_CSP = "Microsoft Base Smart Card Crypto Provider"
SHA1 = "0a1b2c3d4e5f60718293a4b5c6d7e8f900112233"
SPACED = " ".join(SHA1[at : at + 2] for at in range(0, 40, 2))
THUMBPRINT = SHA1.upper()
SERIAL = "6100000002f7a1b2c3d4e5f607000000000002"
FILE_NAME = "a547eac941e3a6e7ae8e70257435eee5_01234567-89ab-cdef-0123-456789abcdef"
ISSUER = "CN=Contoso Issuing CA, DC=contoso, DC=example"
SUBJECT = "CN=pool01.contoso.example"
DONE = "CertUtil: -store command completed successfully."

SCHANNEL_KEY = (
    f"  Key Container = {FILE_NAME}",
    "  Simple container name: te-ContosoWeb-42",
    f"  Provider = {SCHANNEL}",
    "Private key is NOT exportable",
    "Encryption test passed",
)
KSP_KEY = (
    "  Key Container = te-ContosoWeb-42",
    f"  Unique container name: {FILE_NAME}",
    f"  Provider = {SOFTWARE_KSP}",
    "Encryption test passed",
)

VERBOSE = f"""\
================ Certificate 0 ================
X509 Certificate:
Version: 3
Serial Number: {SERIAL}
Signature Algorithm:
    Algorithm ObjectId: 1.2.840.113549.1.1.11 sha256RSA
    Algorithm Parameters:
    05 00
Issuer:
    CN=Contoso Issuing CA
    DC=contoso
    DC=example
  Name Hash(sha1): 1111111111111111111111111111111111111111
  Name Hash(md5): 22222222222222222222222222222222

 NotBefore: 1/2/2026 8:00 AM
 NotAfter: 1/2/2028 8:00 AM

Subject:
    CN=pool01.contoso.example
  Name Hash(sha1): 3333333333333333333333333333333333333333
  Name Hash(md5): 44444444444444444444444444444444

Public Key Length: 2048 bits
Public Key: UnusedBits = 0
    0000  30 82 01 0a 02 82 01 01  00 dd 61 3c 7a 60 5e df
Certificate Extensions: 2
    1.3.6.1.4.1.311.21.7: Flags = 0, Length = 2f
    Certificate Template Information
        Template=Contoso Web(1.3.6.1.4.1.311.21.8.7.8.9)
        Major Version Number=100
        Minor Version Number=5

    2.5.29.31: Flags = 0, Length = 2f
    CRL Distribution Points
        [1]CRL Distribution Point
             Distribution Point Name:
                  Full Name:
                       URL=http://pki.contoso.example/ca.crl

Non-root Certificate
Key Id Hash(rfc-sha1): 5555555555555555555555555555555555555555
Key Id Hash(sha1): 6666666666666666666666666666666666666666
Key Id Hash(md5): 77777777777777777777777777777777
Key Id Hash(sha256): 8888888888888888888888888888888888888888888888888888888888888888
Cert Hash(md5): 99999999999999999999999999999999
Cert Hash(sha1): {SHA1}
Cert Hash(sha256): aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
Signature Hash: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb

  CERT_KEY_PROV_INFO_PROP_ID(2):
    Key Container = {FILE_NAME}
    Simple container name: te-ContosoWeb-42
    Provider = PROVIDER
    ProviderType = TYPE
    Flags = 20 (32)
      CRYPT_MACHINE_KEYSET -- 20 (32)
    KeySpec = 1 -- AT_KEYEXCHANGE

  CERT_FRIENDLY_NAME_PROP_ID(11):
    Contoso pool 2026

  CERT_SHA1_HASH_PROP_ID(3):
    {SHA1}

  CERT_ACCESS_STATE_PROP_ID(14):
    AccessState = 6
      CERT_ACCESS_STATE_SYSTEM_STORE_FLAG -- 2
  Provider = OPENED
  ProviderType = AGAIN
  Simple container name: te-ContosoWeb-42
  RSA
    PP_KEYSTORAGE = 1
      CRYPT_SEC_DESCR -- 1
    KP_PERMISSIONS = PERMISSIONS
      CRYPT_ENCRYPT -- 1

  D:PAI(A;;GAGR;;;BA)(A;;GAGR;;;SY)

    Allow Full Control  BUILTIN\\Administrators

Encryption test passed
{DONE}
"""


def certificate(
    *key: str,
    number: int = 0,
    issuer: str = ISSUER,
    subject: str = SUBJECT,
    kind: tuple[str, ...] = ("Non-root Certificate",),
    template: str | None = "ContosoWeb, Contoso Web Server",
    sha1: str = SHA1,
) -> str:
    """One certificate of the short English form; ``key`` are the lines after the hash."""
    return "\n".join(
        [
            f"================ Certificate {number} ================",
            f"Serial Number: {SERIAL}",
            f"Issuer: {issuer}",
            " NotBefore: 1/2/2026 8:00 AM",
            " NotAfter: 1/2/2028 8:00 AM",
            f"Subject: {subject}",
            *kind,
            *([] if template is None else [f"Template: {template}"]),
            f"Cert Hash(sha1): {sha1}",
            *key,
        ]
    )


def store(*blocks: str, last: str = DONE) -> bytes:
    """The short form of a whole store; ``last`` is the line that ends it."""
    return "\n".join(['My "Personal"', "\n\n".join(blocks), last, ""]).encode()


def verbose(
    provider: str = SCHANNEL,
    number: str = "c (12)",
    opened: str | None = None,
    again: str | None = None,
    permissions: str = "3b (59)",
) -> bytes:
    """The long form: the recorded provider and type, and those with which the key was ``opened`` (None: the same)."""
    text = VERBOSE.replace("= PROVIDER", f"= {provider}").replace("= TYPE", f"= {number}")
    text = text.replace("= OPENED", f"= {opened or provider}").replace("= AGAIN", f"= {again or number}")
    return text.replace("= PERMISSIONS", f"= {permissions}").encode()


def only(data: bytes) -> Certificate:
    """The one certificate of a printout that gives no problem."""
    reading = read_certutil(data, "fe01.txt")
    assert reading.problems == (), reading.problems
    (found,) = reading.certificates
    return found
