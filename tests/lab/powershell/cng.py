# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys of CNG as the .NET Framework gives them: CngKey, RSACng, and what belongs to them.

CngKey is in System.Core of .NET Framework 3.5, which PowerShell 2.0 does not load by itself: scripts for 2.0 say so of
HashSet, another type of that assembly. RSACertificateExtensions is in System.Core of 4.6.

Evidence: the references of CngKey, CngExportPolicies (``None`` is not exportable: dotnet-api-docs pull request 9632)
and RSACertificateExtensions; "Keyset does not exist" of CngKey.Open in dotnet/runtime pull request 119124; "Access
denied." of RSACng without the right to read the key in aspnet/DataProtection issue 215, there when it decrypts.
Unverified: that the Software KSP refuses to open such a key at once; what the smart card KSP says without a reader (the
text is that of SCARD_E_NO_READERS_AVAILABLE, 0x8010002E); CngKey.Open for providers that are no KSPs. GetRSAPrivateKey
gives an RSACng for keys of CSPs too (dataplat/dbatools issue 10713); scripts here do not ask for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from ..host.keys import PASSPORT_KSP, SMART_CARD_PROVIDERS, KeyContainer
from ..host.store import KeyReference, unique_name
from ..tools.providers import find_provider
from . import x509
from .errors import DotNetError, ErrorRecord, NotSimulated, PSError
from .session import Session
from .values import Instance, PSObject, Value, to_bytes, to_text
from .x509_keys import crypto_error

Method = Callable[[Session, Sequence[Value]], Value]

_SPACE = "security.cryptography."
_POLICIES = ("AllowExport", "AllowPlaintextExport", "AllowArchiving", "AllowPlaintextArchiving")
_HASHES: dict[str, hashes.HashAlgorithm] = {
    **{"SHA1": hashes.SHA1(), "SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()},
}
_SINCE: dict[str, tuple[int, ...]] = {
    **{f"{_SPACE}{name}": (3, 5) for name in ("cngkey", "cngprovider", "cngkeyopenoptions", "cngexportpolicies")},
    **{f"{_SPACE}{name}": (4, 6) for name in ("rsasignaturepadding", "hashalgorithmname", "rsacng")},
    f"{_SPACE}x509certificates.rsacertificateextensions": (4, 6),
}
"""The .NET Framework with a type, by its name in lower case without ``System``. HashAlgorithmName and
RSASignaturePadding are in mscorlib."""
_SYSTEM_CORE = "system.core"
_NEEDS_SYSTEM_CORE = (3, 5)


class TypeMissing(Exception):
    """A type that this PowerShell does not find."""

    def __init__(self, session: Session, name: str) -> None:
        super().__init__(name)
        self._old = session.machine.powershell_release < (3, 0)
        self._newest = session.machine.powershell_release >= (5, 1)

    @property
    def literal(self) -> PSError:
        """The error of ``[type]``, in the words of 2.0, 3.0 and 5.1 (transcripts)."""
        ending = ": make sure that the assembly containing this type is loaded."
        if not self._old:
            ending = "." if self._newest else ". Make sure that the assembly that contains this type is loaded."
        category = f"InvalidOperation: ({self}:TypeName) [], RuntimeException"
        return PSError(ErrorRecord(f"Unable to find type [{self}]{ending}", "", "TypeNotFound", category))

    @property
    def construction(self) -> str:
        """What New-Object says; of 2.0 "make sure", later "verify that" (PowerShell documentation of DSC)."""
        ending = "make sure" if self._old else "verify that"
        return f"Cannot find type [{self}]: {ending} the assembly containing this type is loaded."


def require(name: str, session: Session, spelled: str) -> None:
    """Check that a type is there.

    :param name: in lower case, without ``System``.
    :param spelled: as the script has it; of a type literal the lab keeps no capital letters.

    Raises:
        TypeMissing: it is not.
    """
    since = _SINCE.get(name)
    if since is None:
        return
    loads = session.machine.powershell_release >= (3, 0) or _SYSTEM_CORE in session.assemblies
    if session.machine.dotnet < since or (since == _NEEDS_SYSTEM_CORE and not loads):
        raise TypeMissing(session, spelled)


def _load(session: Session, arguments: Sequence[Value]) -> Value:
    """Null and no error where there is no such assembly (reference of LoadWithPartialName)."""
    name = to_text(arguments[0])
    if name.lower() != _SYSTEM_CORE:
        raise NotSimulated(f"[Reflection.Assembly]::LoadWithPartialName('{name}')")
    if session.machine.dotnet < (3, 5):
        return None
    session.assemblies.add(_SYSTEM_CORE)
    number = "3.5.0.0" if session.machine.powershell_release < (3, 0) else "4.0.0.0"
    full = f"System.Core, Version={number}, Culture=neutral, PublicKeyToken=b77a5c561934e089"
    return PSObject("System.Reflection.Assembly", {"FullName": full, "GlobalAssemblyCache": True}, full)


class CngKey(Instance):
    """System.Security.Cryptography.CngKey."""

    type_name = "System.Security.Cryptography.CngKey"

    def __init__(self, session: Session, container: KeyContainer) -> None:
        self._session = session
        self._container = container

    def property(self, name: str) -> Value:
        """What the key says of itself."""
        container = self._container
        known: dict[str, Callable[[], Value]] = {
            "exportpolicy": lambda: _export_policy(container.export_policy),
            "keyname": lambda: container.name,
            "uniquename": lambda: unique_name(container.name, self._session.machine.guid, cng=not container.key_spec),
            "keysize": lambda: container.key.key_size,
            "provider": lambda: cng_provider(container.provider),
            "ismachinekey": lambda: container.machine,
            "isephemeral": lambda: False,
            "algorithm": lambda: _algorithm(container),
            "algorithmgroup": lambda: _group(container),
        }
        return known[name.lower()]() if name.lower() in known else super().property(name)

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """``Dispose``."""
        if name.lower() == "dispose" and not arguments:
            return None
        return super().call(name, arguments)


class RsaCng(Instance):
    """System.Security.Cryptography.RSACng on a key."""

    type_name = "System.Security.Cryptography.RSACng"

    def __init__(self, session: Session, container: KeyContainer, key: rsa.RSAPrivateKey) -> None:
        self._of = CngKey(session, container)
        self._key = key

    def property(self, name: str) -> Value:
        """``Key`` and ``KeySize``."""
        lower = name.lower()
        if lower in ("key", "keysize"):
            return self._of if lower == "key" else self._key.key_size
        return super().property(name)

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """``SignData(bytes, hash, padding)`` with PKCS#1 v1.5."""
        lower = name.lower()
        if lower == "signdata" and len(arguments) == 3:
            chosen = _HASHES.get(to_text(arguments[1]).upper())
            if chosen is None or to_text(arguments[2]) != "Pkcs1":
                raise NotSimulated(f"SignData with {to_text(arguments[1])} and {to_text(arguments[2])}")
            return self._key.sign(to_bytes(arguments[0]), padding.PKCS1v15(), chosen)
        if lower in ("dispose", "clear") and not arguments:
            return None
        return super().call(name, arguments)


def cng_provider(name: str) -> PSObject:
    """A CngProvider."""
    return PSObject("System.Security.Cryptography.CngProvider", {"Provider": name}, name)


def _export_policy(value: int) -> PSObject:
    names = [name for bit, name in enumerate(_POLICIES) if value >> bit & 1]
    text = ", ".join(names) or "None"
    return PSObject("System.Security.Cryptography.CngExportPolicies", {"value__": value}, text)


def _group(container: KeyContainer) -> PSObject:
    name = "RSA" if isinstance(container.key, rsa.RSAPrivateKey) else "ECDSA"
    return PSObject("System.Security.Cryptography.CngAlgorithmGroup", {"AlgorithmGroup": name}, name)


def _algorithm(container: KeyContainer) -> PSObject:
    name = "RSA"
    if isinstance(container.key, ec.EllipticCurvePrivateKey):
        name = f"ECDSA_P{container.key.key_size}"
    return PSObject("System.Security.Cryptography.CngAlgorithm", {"Algorithm": name}, name)


def _open(session: Session, arguments: Sequence[Value]) -> Value:
    """``CngKey.Open(name, provider[, options])``; without ``MachineKey`` among the options a key of the user."""
    options = {part.strip().lower() for part in to_text(arguments[2]).split(",")} if len(arguments) == 3 else set()
    if not options <= {"none", "machinekey", "silent", "userkey"}:
        raise NotSimulated(f"CngKeyOpenOptions {to_text(arguments[2])}")
    provider, name = to_text(arguments[1]), to_text(arguments[0])
    if not name:
        raise DotNetError("ArgumentNullException", "Value cannot be null.\r\nParameter name: keyName")
    return CngKey(session, opened(session, provider, name, machine="machinekey" in options))


def opened(session: Session, provider: str, name: str, *, machine: bool) -> KeyContainer:
    """The container of a KSP by its name.

    Raises:
        DotNetError: it is not there, or the caller may not use it.
        NotSimulated: the provider is no KSP that the lab knows.
    """
    known = find_provider(session.machine, provider)
    held = session.machine.container_named(provider, name)
    if provider.casefold() == PASSPORT_KSP.casefold() or (known and known.kind) or (known is None and held is None):
        raise NotSimulated(f"CngKey.Open with the provider {provider}")
    if provider.casefold() in (smart_card.casefold() for smart_card in SMART_CARD_PROVIDERS):
        raise crypto_error("Cannot find a smart card reader.")
    if held is None or held.machine != machine:
        raise crypto_error("Keyset does not exist")
    if held.machine and not session.machine.may_use(held, *session.machine.sids_of(session.user)):
        raise crypto_error("Access denied.")
    return held


def _rsa_private_key(session: Session, arguments: Sequence[Value]) -> Value:
    """Null for a certificate without a key and for one whose key is not RSA."""
    certificate = arguments[0]
    if not isinstance(certificate, x509.Certificate):
        raise NotSimulated("GetRSAPrivateKey of something other than a certificate")
    key: KeyReference | None = certificate.key
    if key is None:
        return None
    if not key.is_cng:
        raise NotSimulated("GetRSAPrivateKey of a key of a CSP")
    if not isinstance(certificate.certificate.public_key(), rsa.RSAPublicKey):
        return None
    container = opened(session, key.provider or "", key.container or "", machine=bool(key.flags & 0x20))
    if not isinstance(container.key, rsa.RSAPrivateKey):
        raise NotSimulated("a key container with a key of another kind than the certificate's")
    return RsaCng(session, container, container.key)


METHODS: dict[tuple[str, str, int], Method] = {
    ("reflection.assembly", "loadwithpartialname", 1): _load,
    (f"{_SPACE}cngkey", "open", 2): _open,
    (f"{_SPACE}cngkey", "open", 3): _open,
    (f"{_SPACE}x509certificates.rsacertificateextensions", "getrsaprivatekey", 1): _rsa_private_key,
}
"""Static methods by type, name and number of arguments."""


def construct(type_name: str, arguments: Sequence[Value]) -> Value:
    """A new object, by the name of its type in lower case without ``System``; None for another type.

    Raises:
        NotSimulated: another constructor of it.
    """
    if type_name != f"{_SPACE}cngprovider":
        return None
    if len(arguments) != 1:
        raise NotSimulated(f"New-Object {type_name} with {len(arguments)} arguments")
    if arguments[0] is None or not to_text(arguments[0]):
        raise DotNetError("ArgumentNullException", "Value cannot be null.\r\nParameter name: provider")
    return cng_provider(to_text(arguments[0]))


def member(type_name: str, name: str) -> Value:
    """``[type]::name``; None for another type."""
    if type_name == f"{_SPACE}hashalgorithmname" and name in (known.lower() for known in _HASHES):
        return PSObject("System.Security.Cryptography.HashAlgorithmName", {"Name": name.upper()}, name.upper())
    if type_name == f"{_SPACE}rsasignaturepadding" and name == "pkcs1":
        return PSObject("System.Security.Cryptography.RSASignaturePadding", {"Mode": "Pkcs1"}, "Pkcs1")
    return None
