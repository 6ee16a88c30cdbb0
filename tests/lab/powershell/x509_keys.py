# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys of certificates as the .NET Framework gives them: RSACryptoServiceProvider, for keys of CSPs alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from ..formats.pfx_read import PfxKey
from ..host.keys import KeyContainer
from ..host.store import CRYPT_MACHINE_KEYSET, KeyReference, unique_name
from ..tools.providers import Provider, find_provider
from .errors import DotNetError, NotSimulated
from .session import Session
from .values import Instance, PSObject, Value, to_bytes, to_text

_ENHANCED = "Microsoft Enhanced Cryptographic Provider v1.0"
_KEY_NUMBERS = {1: "Exchange", 2: "Signature"}
_SHA2: dict[str, hashes.HashAlgorithm] = {
    "SHA256": hashes.SHA256(),
    "SHA384": hashes.SHA384(),
    "SHA512": hashes.SHA512(),
}
_PROV_RSA_FULL, _PROV_RSA_AES = 1, 24
_DIGITAL_SIGNATURE, _KEY_OR_DATA_ENCIPHERMENT = 0x80, 0x30


def crypto_error(message: str) -> DotNetError:
    """A CryptographicException with the text of an HRESULT, which ends with a line end."""
    return DotNetError("CryptographicException", message + "\r\n")


def container_of(session: Session, key: KeyReference) -> KeyContainer:
    """The container of a key.

    Raises:
        DotNetError: it is gone, or the caller has no right to it.
    """
    machine = session.machine
    container = machine.container_of(key)
    if container is None or (container.machine and not machine.may_use(container, *machine.sids_of(session.user))):
        raise crypto_error("Keyset does not exist")
    return container


def exported(session: Session, key: KeyReference) -> KeyContainer:
    """The container of a key that may leave it in a PFX file.

    AllowExport is enough ("NOT plain text exportable" keys were exported so, transcripts of certutil -exportPFX). That
    keys in hardware and isolated ones fail with the same text as others is unverified; it is NTE_BAD_KEY_STATE, which
    PFXExportCertStoreEx was seen to give for a key of a third party's CSP, too.

    Raises:
        DotNetError: it may not, or :func:`container_of` fails.
    """
    container = container_of(session, key)
    if not container.export_policy:
        raise crypto_error("Key not valid for use in specified state.")
    return container


def acquire(session: Session, key: KeyReference) -> RsaKey:
    """What ``X509Certificate2.PrivateKey`` gives.

    Raises:
        DotNetError: a KSP holds the key, or :func:`container_of` fails.
    """
    if key.is_cng:
        raise crypto_error("Invalid provider type specified.")
    return RsaKey(session, key, container_of(session, key))


class RsaKey(Instance):
    """System.Security.Cryptography.RSACryptoServiceProvider on a container."""

    type_name = "System.Security.Cryptography.RSACryptoServiceProvider"

    def __init__(self, session: Session, reference: KeyReference, container: KeyContainer) -> None:
        if not isinstance(container.key, rsa.RSAPrivateKey):
            raise NotSimulated("a private key of a CSP that is not RSA")
        self._session = session
        self._reference = reference
        self._container = container
        self._key: rsa.RSAPrivateKey = container.key

    def property(self, name: str) -> Value:
        """``KeySize``, ``PublicOnly``, ``PersistKeyInCsp`` and ``CspKeyContainerInfo``."""
        lower = name.lower()
        if lower == "keysize":
            return self._key.key_size
        if lower == "publiconly":
            return False
        if lower == "persistkeyincsp":
            return True
        if lower == "cspkeycontainerinfo":
            return self._info()
        return super().property(name)

    def _info(self) -> PSObject:
        reference, container = self._reference, self._container
        number = PSObject(
            "System.Security.Cryptography.KeyNumber",
            {"value__": container.key_spec},
            _KEY_NUMBERS.get(container.key_spec, to_text(container.key_spec)),
        )
        return PSObject(
            "System.Security.Cryptography.CspKeyContainerInfo",
            {
                "MachineKeyStore": container.machine,
                "ProviderName": reference.provider,
                "ProviderType": reference.provider_type,
                "KeyContainerName": container.name,
                "UniqueKeyContainerName": unique_name(
                    container.name, self._session.machine.guid, cng=not container.key_spec
                ),
                "KeyNumber": number,
                "Exportable": bool(container.export_policy),
                "Accessible": True,
                "HardwareDevice": False,
                "Removable": False,
                "Protected": False,
            },
        )

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """``SignData(bytes, hash)``: PKCS#1 v1.5, the bytes in the order of the standard."""
        lower = name.lower()
        if lower == "signdata" and len(arguments) == 2:
            return self._key.sign(to_bytes(arguments[0]), padding.PKCS1v15(), self._hash(to_text(arguments[1])))
        if lower in ("clear", "dispose") and not arguments:
            return None
        return super().call(name, arguments)

    def _hash(self, name: str) -> hashes.HashAlgorithm:
        """SHA-1 with every CSP; SHA-2 with those of type 24, not with those of type 1 (NTE_BAD_ALGID)."""
        if name.upper() == "SHA1":
            return hashes.SHA1()
        if name.upper() in _SHA2 and self._reference.provider_type == _PROV_RSA_AES:
            return _SHA2[name.upper()]
        if name.upper() in _SHA2 and self._reference.provider_type == _PROV_RSA_FULL:
            raise crypto_error("Invalid algorithm specified.")
        raise NotSimulated(f"SignData with {name} in a provider of type {self._reference.provider_type}")


def stored(session: Session, keys: Sequence[PfxKey], flags: set[str]) -> Mapping[bytes, KeyReference]:
    """Put the keys of a PFX into new containers; the references by public key.

    The provider that the key bag names, else the Enhanced provider; the key specification by the key usage attribute,
    else AT_KEYEXCHANGE (PFXImportCertStore).

    Raises:
        DotNetError: the caller may not, or the key cannot be written.
    """
    machine = session.machine
    found: dict[bytes, KeyReference] = {}
    for key in keys:
        if "persistkeyset" not in flags:
            raise NotSimulated("a PFX without PersistKeySet, whose keys go when the object does")
        if "machinekeyset" not in flags and not ("userkeyset" not in flags and key.machine_keyset):
            raise NotSimulated("a PFX for the keyset of the user")
        if "keys" in machine.deny or not machine.is_administrator(session.user):
            raise crypto_error("Access is denied.")
        if machine.disk_full:
            raise crypto_error("There is not enough space on the disk.")
        provider = find_provider(machine, key.provider or _ENHANCED)
        if provider is None:
            raise NotSimulated(f"a PFX that names the provider {key.provider}")
        if provider.kind and not isinstance(key.key, rsa.RSAPrivateKey):
            raise NotSimulated("a key other than RSA for a CSP")
        name, spec = machine.containers.name_for(provider.name, key.container), _key_spec(provider, key.usage)
        container = KeyContainer(provider.name, name, key.key, spec, "exportable" in flags, machine=True)
        machine.containers.add(container)
        found[container.public_key] = KeyReference(
            provider.name, provider.kind, spec, name, CRYPT_MACHINE_KEYSET, exportable=container.exportable
        )
    return found


def _key_spec(provider: Provider, usage: int | None) -> int:
    if not provider.kind:
        return 0
    only_signs = usage is not None and usage & _DIGITAL_SIGNATURE and not usage & _KEY_OR_DATA_ENCIPHERMENT
    return 2 if only_signs else 1
