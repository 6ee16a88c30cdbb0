# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that a private key is there, can be used, and belongs to its certificate.

A registry blob tells where a key should be, and tools tell in words that it is. Here the key signs bytes that nobody
could know before, and the public key in the certificate verifies the signature on the controller.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from ..enrolment.wish import EnrolmentError
from ..evidence.x509 import require_cryptography
from ..host.connection import WindowsHost, quote
from ..host.courier import Answer, carry, caught
from ..record import Certificate

try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None

_PURPOSE = b"winpki.keyprovider: proof that this private key can be used\0"
"""Stands before the random bytes, so that no signature made here is one of another protocol."""
_NONCE_SIZE = 32
_STEP = "proof of the private key"
_SHA1_DIGEST_INFO = bytes.fromhex("3021300906052b0e03021a05000414")
"""What stands before the digest (RFC 8017 section 9.2, note 1)."""

OPEN_CERTIFICATE = """\
$s=New-Object Security.Cryptography.X509Certificates.X509Store({store},'LocalMachine')
$s.Open('ReadOnly')
$e=$s.Certificates.Find('FindByThumbprint',{thumbprint},$false)
'keyprovider exitfound '+$e.Count
"""
"""Finds a certificate of a store as ``$e``; ``exitfound`` is the number of those found. .NET Framework 2.0 has it all;
the store does not show archived certificates unless it is opened so."""

# A CNG key leaves PrivateKey empty: its getter ends with "Invalid provider type specified" (0x80090014), which
# PowerShell swallows.
_SIGN = (
    "$n=[Convert]::FromBase64String((@($input) -join ''))\n"
    + OPEN_CERTIFICATE
    + """\
if($e.Count -eq 1){{
$k=$e[0].PrivateKey
if($k){{
$i=$k.CspKeyContainerInfo
'keyprovider provider '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($i.ProviderName))
'keyprovider exittype '+[int]$i.ProviderType
'keyprovider exitspec '+[int]$i.KeyNumber
'keyprovider signature '+[Convert]::ToBase64String($k.SignData($n,'SHA1'))
}}
}}
"""
)

# .NET Framework 4.6 has it.
_SIGN_CNG = (
    "$n=[Convert]::FromBase64String((@($input) -join ''))\n"
    + OPEN_CERTIFICATE
    + """\
if($e.Count -eq 1){{
$k=[Security.Cryptography.X509Certificates.RSACertificateExtensions]::GetRSAPrivateKey($e[0])
if($k){{
'keyprovider provider '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($k.Key.Provider.Provider))
$g=$k.SignData($n,[Security.Cryptography.HashAlgorithmName]::SHA1,[Security.Cryptography.RSASignaturePadding]::Pkcs1)
'keyprovider signature '+[Convert]::ToBase64String($g)
}}
}}
"""
)


@dataclass(frozen=True)
class Proof:
    """A key that signed, and what the provider that did it says of itself."""

    provider: str
    provider_type: int | None
    key_spec: int | None

    def as_dict(self) -> dict[str, Any]:
        """The ``proof`` mapping of the public interface."""
        return {
            "signed": True,
            "provider": self.provider,
            "provider_type": self.provider_type,
            "key_spec": self.key_spec,
        }


def prove(host: WindowsHost, name: str, certificate: Certificate, store: str = "My", *, cng: bool = False) -> Proof:
    """Let the key of a certificate sign, and verify the signature with the certificate's public key.

    The signature is RSASSA-PKCS1-v1_5 with SHA-1, which every legacy provider has; those of type 1 do not know SHA-2.
    That is safe here: the signed bytes begin with a text of this collection and are chosen by nobody but the
    controller, so that no collision can be turned to anything.

    The library recovers what was signed and is not asked to verify: it does not verify signatures with SHA-1 where the
    system forbids it, as Red Hat Enterprise Linux 9 does (UnsupportedAlgorithm; reports of PGPy and python-fido2).

    Args:
        host: where the certificate is.
        name: the host's name, for messages.
        certificate: as it was read from the store.
        store: where it is.
        cng: let a key of CNG sign, which takes .NET Framework 4.6; without it, one fails.

    Raises:
        EnrolmentError: the key could not sign, or what it signed does not belong to the certificate.
        HostError: the answer arrived damaged, or the connection broke.
    """
    require_cryptography()
    thumbprint = certificate.thumbprint or ""
    data = _PURPOSE + secrets.token_bytes(_NONCE_SIZE)
    script = _SIGN_CNG if cng else _SIGN
    answer = carry(host, name, caught(script.format(store=quote(store), thumbprint=quote(thumbprint))), data)
    signature = answer.told.get("signature")
    if not signature:
        raise _unproven(answer, name, certificate)
    if not _verifies(certificate, signature, data):
        raise EnrolmentError(
            f"The private key that {name} uses for {thumbprint} does not belong to the certificate: what it signed does"
            " not verify with the certificate's public key.",
            place=_STEP,
            remedy="Do not use the certificate. Remove it (state: absent) and request a new one.",
        )
    return Proof(answer.text("provider"), answer.codes.get("exittype"), answer.codes.get("exitspec"))


def _verifies(certificate: Certificate, signature: bytes, data: bytes) -> bool:
    if certificate.der is None:
        return False
    key = x509.load_der_x509_certificate(certificate.der).public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        signed = key.recover_data_from_signature(signature, padding.PKCS1v15(), None)
    except InvalidSignature:
        return False
    return signed == _SHA1_DIGEST_INFO + hashlib.sha1(data, usedforsecurity=False).digest()


def _unproven(answer: Answer, name: str, certificate: Certificate) -> EnrolmentError:
    thumbprint, key = certificate.thumbprint, certificate.key
    recorded = key.provider or "no provider"
    if answer.error:
        return EnrolmentError(
            f"The private key of {thumbprint} could not be used on {name} (recorded in {recorded}): "
            f"{answer.error.rstrip('.')}.",
            place=_STEP,
            remedy="Use an account that is a local administrator of the host. If it is, the key container is damaged or"
            " gone: request a new certificate.",
        )
    found = answer.codes.get("exitfound")
    if found is None:
        return EnrolmentError(
            f"The script that lets the key of {thumbprint} sign did not run to its end on {name}. {answer.complaint}",
            place=_STEP,
            remedy="Where AppLocker or App Control (WDAC) keeps PowerShell in Constrained Language Mode, which allows"
            " no methods of .NET, the script cannot run: use an account that is exempt.",
        )
    if found != 1:
        return EnrolmentError(
            f"The certificate {thumbprint} is not to be found in the store My of {name}"
            f"{' (it is archived)' if certificate.archived else ''}.",
            place=_STEP,
            remedy="Run it again; the store may have changed meanwhile.",
        )
    if key.kind == "ksp":
        return EnrolmentError(
            f"The private key of {thumbprint} on {name} is in {recorded}, a key storage provider (CNG): programs for"
            " legacy providers cannot use it.",
            place=_STEP,
            remedy="Request a certificate whose key is in a legacy provider, or convert this one.",
        )
    return EnrolmentError(
        f"Windows gives no private key for {thumbprint} on {name}, though one is recorded in {recorded}.",
        place=_STEP,
        remedy="Check that the account is a local administrator and that the key container is there"
        f" (certutil -store My {thumbprint}); if the key is lost, request a new certificate.",
    )
