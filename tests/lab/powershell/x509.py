# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates of the .NET Framework: X509Store, X509Certificate2 and its collection.

Texts of failures are those of HRESULTs, which .NET gives with their line end (transcripts, such as issue 6 of
brianary/scripts for ``get_PrivateKey()``). Which provider a PFX leads to: PFXImportCertStore. Unverified: what
``Add`` keeps of a certificate that is in the store already, the order of an imported collection, and that a caller
without rights on a machine key hears that the keyset does not exist (certutil says so to one who is no administrator).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from cryptography import x509

from ..formats.pfx import write_pfx
from ..formats.pfx_read import NoPfx, WrongPassword, read_pfx
from ..host.store import KeyReference, Received, StoredCertificate, blob_of
from ..pki import public_key_der
from ..tools.names import windows_name
from . import x509_keys
from .errors import DotNetError, NotSimulated
from .session import Session
from .values import DateTime, Instance, PSObject, Value, to_bytes, to_text, truth
from .x509_keys import crypto_error

NAMESPACE = "Security.Cryptography.X509Certificates"

ENUMERATIONS = {
    "storelocation": ("StoreLocation", ("LocalMachine", "CurrentUser")),
    "storename": ("StoreName", ("My", "Root", "CertificateAuthority")),
    "openflags": ("OpenFlags", ("ReadOnly", "ReadWrite", "MaxAllowed", "OpenExistingOnly", "IncludeArchived")),
    "x509findtype": ("X509FindType", ("FindByThumbprint",)),
    "x509contenttype": ("X509ContentType", ("Pfx", "Pkcs12", "Cert")),
    "x509keystorageflags": (
        "X509KeyStorageFlags",
        ("DefaultKeySet", "UserKeySet", "MachineKeySet", "Exportable", "UserProtected", "PersistKeySet"),
    ),
}
"""Enumerations by their name in lower case: its spelling, and the members that the lab knows."""

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.S)


def members(value: Value, enumeration: str) -> set[str]:
    """The members of an enumeration value, in lower case; PowerShell makes one of a text with commas.

    Raises:
        NotSimulated: one that the lab does not know.
    """
    found = {part.strip().lower() for part in to_text(value).split(",")}
    known = {name.lower() for name in ENUMERATIONS[enumeration][1]}
    if not found <= known:
        raise NotSimulated(f"{ENUMERATIONS[enumeration][0]} {to_text(value)}")
    return found


class Certificate(Instance):
    """System.Security.Cryptography.X509Certificates.X509Certificate2."""

    type_name = f"System.{NAMESPACE}.X509Certificate2"

    def __init__(self, session: Session, stored: StoredCertificate) -> None:
        if stored.issued is None:
            raise NotSimulated("a certificate that cannot be read")
        self.stored = stored
        self.certificate: x509.Certificate = stored.issued.certificate
        self.der = stored.issued.der
        self.thumbprint = stored.issued.thumbprint
        self._session = session

    @property
    def key(self) -> KeyReference | None:
        """Property 2."""
        return self.stored.key if self.stored.key and self.stored.key.recorded else None

    def property(self, name: str) -> Value:
        """A property. An exception of the getter is swallowed by PowerShell, which gives null."""
        machine, lower = self._session.machine, name.lower()
        if lower == "privatekey":
            try:
                return self._private_key()
            except DotNetError:
                return None
        known: dict[str, Value] = {
            "thumbprint": self.thumbprint,
            "hasprivatekey": self.key is not None,
            "rawdata": self.der,
            "subject": windows_name(self.certificate.subject),
            "issuer": windows_name(self.certificate.issuer),
            "serialnumber": serial_number(self.certificate),
            "friendlyname": self.stored.friendly_name or "",
            "archived": self.stored.archived,
            "notbefore": DateTime(machine.local(self.certificate.not_valid_before_utc)),
            "notafter": DateTime(machine.local(self.certificate.not_valid_after_utc)),
        }
        return known[lower] if lower in known else super().property(name)

    def _private_key(self) -> Value:
        return None if self.key is None else x509_keys.acquire(self._session, self.key)

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """``Export(type[, password])`` and the getters as methods."""
        lower = name.lower()
        if lower == "get_privatekey" and not arguments:
            return self._private_key()
        if lower in ("getrawcertdata", "getcerthashstring") and not arguments:
            return self.der if lower == "getrawcertdata" else self.thumbprint
        if lower in ("reset", "dispose") and not arguments:
            return None
        if lower == "export" and len(arguments) in (1, 2):
            return self._export(members(arguments[0], "x509contenttype"), arguments[1:])
        return super().call(name, arguments)

    def _export(self, kind: set[str], password: Sequence[Value]) -> bytes:
        """The certificate, or a PFX as Windows writes one by default: Triple-DES, with the provider on the key bag."""
        if kind == {"cert"}:
            return self.der
        if self.key is None:
            raise NotSimulated("the export of a PFX without a key")
        container = x509_keys.exported(self._session, self.key)
        return write_pfx(
            container.key,
            self.certificate,
            password=_password(password),
            provider=container.provider,
            machine_keyset=container.machine,
            friendly_name=self.stored.friendly_name,
            encryption="tripledes-sha1",
            container=container.name,
        )


class Collection(list[Value], Instance):
    """X509Certificate2Collection: an array for the pipeline and for indexes, with methods of its own."""

    type_name = f"System.{NAMESPACE}.X509Certificate2Collection"

    def __init__(self, session: Session, certificates: Sequence[Certificate] = ()) -> None:
        super().__init__(certificates)
        self._session = session

    def property(self, name: str) -> Value:
        """``Count``; from PowerShell 3.0 on also a property of all members."""
        if name.lower() in ("count", "length"):
            return len(self)
        if self._session.machine.powershell_release < (3, 0):
            return None
        return [one.property(name) for one in self]

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """``Find``, ``Add``, ``Import``."""
        lower = name.lower()
        if lower == "find" and len(arguments) == 3:
            if members(arguments[0], "x509findtype") != {"findbythumbprint"} or truth(arguments[2]):
                raise NotSimulated("Find other than FindByThumbprint without validation")
            wanted = to_text(arguments[1]).replace(" ", "").upper()
            return Collection(self._session, [one for one in self if one.thumbprint == wanted])
        if lower == "add" and len(arguments) == 1 and isinstance(arguments[0], Certificate):
            self.append(arguments[0])
            return len(self) - 1
        if lower == "import" and len(arguments) in (1, 3):
            self.extend(imported(self._session, arguments))
            return None
        return Instance.call(self, name, arguments)


class Store(Instance):
    """System.Security.Cryptography.X509Certificates.X509Store.

    ``Open`` makes a store that does not exist unless OpenExistingOnly is set (reference of OpenFlags). ReadOnly opens
    the registry for reading alone (CERT_STORE_READONLY_FLAG of CertOpenStore): the lab then shows an empty store and
    makes none, which is unverified.
    """

    type_name = f"System.{NAMESPACE}.X509Store"

    def __init__(self, session: Session, name: str, location: str) -> None:
        self._session = session
        self._name = {"certificateauthority": "CA"}.get(name.lower(), name)
        self._location = location
        self._flags: set[str] | None = None

    def property(self, name: str) -> Value:
        """``Certificates``, copies without the archived ones unless these were asked for; ``Name`` and ``Location``."""
        lower = name.lower()
        if lower in ("name", "location"):
            return self._name if lower == "name" else self._location
        if lower != "certificates":
            return super().property(name)
        shown = [
            Certificate(self._session, stored)
            for stored in (self._held() if self._flags is not None else [])
            if stored.issued and ("includearchived" in (self._flags or ()) or not stored.archived)
        ]
        return Collection(self._session, shown)

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """``Open``, ``Add``, ``Remove`` and ``Close``."""
        lower = name.lower()
        if lower == "open" and len(arguments) == 1:
            self._open(members(arguments[0], "openflags"))
            return None
        if lower in ("close", "dispose") and not arguments:
            self._flags = None
            return None
        if lower in ("add", "remove") and len(arguments) == 1 and isinstance(arguments[0], Certificate):
            return self._change(arguments[0], adds=lower == "add")
        return super().call(name, arguments)

    def _open(self, flags: set[str]) -> None:
        if self._is_machine():
            machine = self._session.machine
            missing = machine.store(self._name) is None
            if missing and "openexistingonly" in flags:
                raise crypto_error("The system cannot find the file specified.")
            if "readwrite" in flags and not self._is_administrator():
                raise crypto_error("Access is denied.")
            if missing and "maxallowed" in flags:
                raise NotSimulated(f"MaxAllowed of the store {self._name}, which does not exist")
            if missing and "readwrite" in flags:
                machine.stores[self._name] = []
        self._flags = flags

    def _change(self, certificate: Certificate, *, adds: bool) -> None:
        if self._flags is None:
            raise DotNetError("CryptographicException", "The X509 certificate store has not been opened.")
        if "readwrite" not in self._flags and not ("maxallowed" in self._flags and self._is_administrator()):
            raise crypto_error("Access is denied.")
        held = self._held()
        places = [
            number
            for number, stored in enumerate(held)
            if stored.issued and stored.issued.thumbprint == certificate.thumbprint
        ]
        if not adds:
            for number in reversed(places):
                del held[number]
        elif places:
            held[places[0]] = certificate.stored
        else:
            held.append(certificate.stored)

    def _is_machine(self) -> bool:
        return self._location == "LocalMachine"

    def _is_administrator(self) -> bool:
        return self._session.machine.is_administrator(self._session.user)

    def _held(self) -> list[StoredCertificate]:
        machine = self._session.machine
        if not self._is_machine():
            return machine.user_store(self._session.user, self._name)
        found = machine.store(self._name)
        if found is None and "readwrite" in (self._flags or ()):
            raise NotSimulated(f"the store {self._name}, which was deleted while it was open")
        return found[1] if found else []


def serial_number(certificate: x509.Certificate) -> str:
    """Hexadecimal with an even number of digits."""
    digits = f"{certificate.serial_number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def imported(session: Session, arguments: Sequence[Value]) -> list[Certificate]:
    """The certificates of ``(bytes)`` or ``(bytes, password, flags)``; the keys of a PFX are in their containers then.

    Raises:
        DotNetError: the bytes are nothing that Windows knows, the password is wrong, or the keys cannot be stored.
    """
    data = to_bytes(arguments[0])
    found = _PEM.search(data)
    try:
        return [_plain(session, base64.b64decode(found[1]) if found else data)]
    except ValueError:
        pass
    if len(arguments) != 3:
        raise NotSimulated("a PFX without password and storage flags, or bytes that are no certificate")
    flags = members(arguments[2], "x509keystorageflags")
    try:
        content = read_pfx(data, _password(arguments[1:2]), aes=session.machine.reads_aes_pfx)
    except NoPfx as exc:
        raise crypto_error("Cannot find the requested object.") from exc
    except WrongPassword as exc:
        raise crypto_error("The specified network password is not correct.") from exc
    keys = x509_keys.stored(session, content.keys, flags)
    result = []
    for entry in content.certificates:
        received = Received.read(entry.der)
        key = keys.get(public_key_der(received.certificate))
        blob = blob_of(received, key, friendly_name=entry.friendly_name)
        result.append(Certificate(session, StoredCertificate("", received.thumbprint, blob, received, key)))
    return result


def _plain(session: Session, der: bytes) -> Certificate:
    received = Received.read(der)
    return Certificate(session, StoredCertificate("", received.thumbprint, blob_of(received, None), received))


def _password(given: Sequence[Value]) -> str:
    if given and not isinstance(given[0], str | None):
        raise NotSimulated("a password that is not a text")
    return given[0] or "" if given else ""


def construct(type_name: str, arguments: Sequence[Value], session: Session) -> Value:
    """A new object, by the name of its type in lower case without ``System``; None for another type.

    Raises:
        DotNetError: the constructor fails.
        NotSimulated: another constructor of it.
    """
    space, _dot, name = type_name.rpartition(".")
    if space != NAMESPACE.lower():
        return None
    if name == "x509store" and len(arguments) in (1, 2):
        location = to_text(arguments[1]) if len(arguments) == 2 else "CurrentUser"
        chosen = members(location, "storelocation")
        return Store(session, to_text(arguments[0]), "LocalMachine" if "localmachine" in chosen else "CurrentUser")
    if name == "x509certificate2collection" and not arguments:
        return Collection(session)
    if name in ("x509certificate2", "x509certificate") and len(arguments) in (1, 3):
        found = imported(session, arguments)
        # Of a PFX with a chain the one with a key is taken (X509Certificate2 documentation: the end entity).
        return next((one for one in found if one.key), found[0])
    raise NotSimulated(f"New-Object {type_name} with {len(arguments)} arguments")


def enumeration_member(type_name: str, member: str) -> Value:
    """``[enumeration]::member``, by the type's name in lower case without ``System``; None for another type."""
    space, _dot, name = type_name.rpartition(".")
    if space != NAMESPACE.lower() or name not in ENUMERATIONS:
        return None
    spelled, known = ENUMERATIONS[name]
    for one in known:
        if one.lower() == member.lower():
            return PSObject(f"System.{NAMESPACE}.{spelled}", {}, one)
    return None
