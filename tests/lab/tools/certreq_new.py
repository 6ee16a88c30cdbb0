# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certreq -new POLICYFILE REQUESTFILE``: a key in a provider, a request, and a pending certificate in REQUEST.

Reference: Microsoft, "certreq" (keys of [NewRequest], defaults: Software KSP, 2048 bits, SHA1); the attributes are
those of 41 decoded requests. The pending certificate ("dummy certificate", IX509Enrollment) is self-signed with the
subject and the key of the request; its friendly name passes to the certificate (ICertPropertyFriendlyName). Which
other properties it has, its serial number, its extensions and how long it is valid are unverified.

The name of the container, ``CertReq-`` and a GUID, was seen once, for a KSP. ``MachineKeySet`` is FALSE by default:
key and pending certificate are then the user's. Unverified: that ``-machine`` alone does the same as MachineKeySet,
and that an output file that exists is found only after the key was made (as -submit finds it after the CA issued).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from ..directory.model import DirectoryRole
from ..formats import request
from ..host.keys import KeyContainer
from ..host.machine import ANSI_CODE_PAGES, bare_name
from ..host.store import CRYPT_MACHINE_KEYSET, KeyReference, Received, StoredCertificate, blob_of
from ..powershell.errors import NotSimulated
from . import certreq_call, certreq_text, hresult, inf
from .base import Result
from .certreq_call import CertreqCall, CertreqFault
from .certreq_extensions import extensions
from .providers import Provider, find_provider
from .x500 import BadName, distinguished_name

_SECTION = "NewRequest"
_DEFAULT_PROVIDER = "Microsoft Software Key Storage Provider"
_KEYS = (
    *("subject", "x500nameflags", "keyspec", "keylength", "keyusage", "exportable", "machinekeyset", "providername"),
    *("providertype", "requesttype", "hashalgorithm", "keyalgorithm", "friendlyname", "silent", "smime"),
    *("suppressdefaults", "useexistingkeyset", "keycontainer"),
)
_KEY_SPECS = {"at_none": 0, "at_keyexchange": 1, "at_signature": 2, "0": 0, "1": 1, "2": 2}
_SEMICOLONS = 0x40000000
"""CERT_NAME_STR_SEMICOLON_FLAG."""
_NO_PLUS = 0x20000000
"""CERT_NAME_STR_NO_PLUS_FLAG."""
_SHORTEST, _LONGEST = 384, 16384
"""Bits of an RSA key in the enhanced providers and the KSP (documentation of the providers)."""


@dataclass(frozen=True)
class _Wish:
    """What the policy file asks for."""

    file: inf.Inf
    provider: Provider
    key_spec: int
    key_length: int
    hash_name: str
    subject: x509.Name
    exportable: bool
    machine: bool
    container: str
    friendly_name: str | None
    cmc: bool
    attributes: dict[str, str]


def new(arguments: CertreqCall) -> Result:
    """Run the verb.

    Raises:
        CertreqFault: it fails.
    """
    source, target = arguments.path(0), arguments.path(1)
    assert source is not None, "the dispatcher asks for both"
    assert target is not None, "the dispatcher asks for both"
    machine = arguments.machine
    try:
        file = inf.parse(certreq_call.read(arguments, source), ANSI_CODE_PAGES[machine.language])
    except inf.InfFault as fault:
        raise CertreqFault(fault.code) from fault
    wish = _wish(arguments, file)
    template = wish.attributes.get("certificatetemplate")
    if template is not None and machine.directory is not None:
        schema = _schema_of(machine.directory, template)
        if schema is None:
            if not arguments.flag("q"):
                raise NotSimulated("certreq -new waits for a window: the template was not found")
            return Result()  # no request is written, exit code 0 (dsccommunity/CertificateDsc issue 49)
        if schema < 3 and wish.provider.kind == 0:
            raise CertreqFault(hresult.NTE_PROV_TYPE_NOT_DEF)
    header = certreq_text.policy_header(machine) if template is not None else ""
    if (wish.machine and not machine.is_administrator(arguments.call.user)) or "keys" in machine.deny:
        raise CertreqFault(hresult.ACCESS_DENIED, header)
    if machine.disk_full:
        raise CertreqFault(hresult.DISK_FULL, header)
    key = rsa.generate_private_key(65537, wish.key_length)
    der = _request(arguments, wish, key)
    _keep(arguments, wish, key)
    data = der if arguments.flag("binary") else request.armoured(der).encode("ascii")
    certreq_call.write(arguments, target, data, header)
    return certreq_call.done(header + certreq_text.request_created())


def _wish(arguments: CertreqCall, file: inf.Inf) -> _Wish:
    if _SECTION.lower() not in file.sections:
        raise CertreqFault(hresult.INF_LINE_NOT_FOUND)
    lines = file.lines(_SECTION)
    if not lines:
        raise CertreqFault(hresult.INCORRECT_FUNCTION)
    unknown = [line.key for line in lines if line.key.lower() not in _KEYS]
    if unknown:
        raise NotSimulated(f"[NewRequest] with {', '.join(unknown)}")
    if _flag(file, "UseExistingKeySet"):
        raise NotSimulated("[NewRequest] with UseExistingKeySet")
    if _value(file, "KeyAlgorithm", "RSA").upper() != "RSA":
        raise NotSimulated("[NewRequest] with a KeyAlgorithm other than RSA")
    provider = _provider(arguments, file)
    kind = _value(file, "RequestType", "PKCS10").lower()
    if kind not in ("pkcs10", "1", "cmc", "3"):
        raise NotSimulated(f"[NewRequest] with RequestType {kind}")
    hash_name = _value(file, "HashAlgorithm", "sha1").lower()
    if hash_name not in request.HASH_NAMES:
        raise CertreqFault(hresult.NTE_BAD_ALGID)
    length = _number(file, "KeyLength", 2048)
    if not _SHORTEST <= length <= _LONGEST or length % 8:
        raise CertreqFault(hresult.NTE_BAD_LEN)
    if length < 1024:
        raise NotSimulated("an RSA key of less than 1024 bits")
    spec = _KEY_SPECS.get(_value(file, "KeySpec", "AT_KEYEXCHANGE").lower())
    if spec is None or (spec == 0 and provider.kind):
        raise CertreqFault(hresult.INVALID_PARAMETER)
    flags = _number(file, "X500NameFlags", 0)
    if flags & ~(_SEMICOLONS | _NO_PLUS):
        raise NotSimulated(f"X500NameFlags 0x{flags:08x}")
    try:
        subject = distinguished_name(
            _value(file, "Subject", ""), semicolons=bool(flags & _SEMICOLONS), plus=not flags & _NO_PLUS
        )
    except BadName as exc:
        raise CertreqFault(hresult.CRYPT_E_INVALID_X500_STRING) from exc
    friendly = file.line(_SECTION, "FriendlyName")
    return _Wish(
        file=file,
        provider=provider,
        key_spec=spec if provider.kind else 0,
        key_length=length,
        hash_name=hash_name,
        subject=subject,
        exportable=_flag(file, "Exportable"),
        machine=_flag(file, "MachineKeySet") or arguments.flag("machine"),
        container=_value(file, "KeyContainer", f"CertReq-{uuid.uuid4()}"),
        friendly_name=friendly.text if friendly else None,
        cmc=kind in ("cmc", "3"),
        attributes={line.key.lower(): line.text for line in file.lines("RequestAttributes")},
    )


def _value(file: inf.Inf, key: str, default: str) -> str:
    line = file.line(_SECTION, key)
    if line is None:
        return default
    if not line.quoted and "," in line.text:
        raise NotSimulated(f"{key} with a comma outside quotes")
    return line.text


def _flag(file: inf.Inf, key: str) -> bool:
    text = _value(file, key, "FALSE").lower()
    if text not in ("true", "false", "1", "0"):
        raise NotSimulated(f"[NewRequest] with {key} = {text}")
    return text in ("true", "1")


def _number(file: inf.Inf, key: str, default: int) -> int:
    text = _value(file, key, str(default))
    try:
        return int(text, 0)
    except ValueError as exc:
        raise NotSimulated(f"[NewRequest] with {key} = {text}") from exc


def _provider(arguments: CertreqCall, file: inf.Inf) -> Provider:
    """A name with blanks outside quotes is not found (dsccommunity/CertificateDsc issue 185).

    A type that is not the provider's: NTE_PROV_TYPE_NO_MATCH as CryptAcquireContext documents it, unverified here.
    """
    line = file.line(_SECTION, "ProviderName")
    name = line.text if line else _DEFAULT_PROVIDER
    known = find_provider(arguments.machine, name)
    if known is None or (line and not line.quoted and " " in name):
        raise CertreqFault(hresult.NTE_BAD_PROVIDER)
    if _number(file, "ProviderType", known.kind) != known.kind:
        raise CertreqFault(hresult.NTE_PROV_TYPE_NO_MATCH)
    if known.label not in ("", "PROV_RSA_FULL", "PROV_RSA_SCHANNEL", "PROV_RSA_AES"):
        raise NotSimulated(f"an RSA key in {known.name}")
    if any(part in known.name for part in ("Smart Card", "Passport", "Platform")):
        raise NotSimulated(f"a key in {known.name}")
    return known


def _schema_of(role: DirectoryRole, template: str) -> int | None:
    """The schema version of a template by its name or OID; None when the directory does not have it."""
    directory = role.directory
    base = f"CN=Certificate Templates,CN=Public Key Services,CN=Services,{directory.configuration}"
    attributes = ["cn", "msPKI-Cert-Template-OID", "msPKI-Template-Schema-Version"]
    for found in directory.search(
        directory.administrator, base, "one", "(objectClass=pKICertificateTemplate)", attributes
    ):
        held = {name.lower(): values for name, values in found.attributes.items()}
        names = [*held.get("cn", []), *held.get("mspki-cert-template-oid", [])]
        if template.casefold() in [name.decode().casefold() for name in names]:
            return int(held.get("mspki-template-schema-version", [b"1"])[0])
    return None


def _request(arguments: CertreqCall, wish: _Wish, key: rsa.RSAPrivateKey) -> bytes:
    machine = arguments.machine
    user = f"{machine.netbios_domain}\\{bare_name(arguments.call.user)}"
    client = (request.CLIENT_ID_CERTREQ, machine.fqdn, user, "certreq")
    name_values = {line.key: line.text for line in wish.file.lines("RequestAttributes")}
    der = request.pkcs10(
        key,
        wish.subject,
        provider=wish.provider.name,
        key_spec=wish.key_spec,
        os_version=f"{machine.os_version}.2",
        client=client,
        extensions=extensions(wish.file, key),
        name_values={} if wish.cmc else name_values,
        hash_name=wish.hash_name,
    )
    return request.cmc(der, key, client=client, reg_info=name_values) if wish.cmc else der


def _keep(arguments: CertreqCall, wish: _Wish, key: rsa.RSAPrivateKey) -> None:
    machine = arguments.machine
    if machine.containers.find(wish.provider.name, wish.container) is not None:
        raise CertreqFault(hresult.NTE_EXISTS)
    machine.containers.add(
        KeyContainer(wish.provider.name, wish.container, key, wish.key_spec, wish.exportable, machine=wish.machine)
    )
    dummy = (
        x509.CertificateBuilder()
        .subject_name(wish.subject)
        .issuer_name(wish.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(machine.clock)
        .not_valid_after(machine.clock + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    received = Received(dummy.public_bytes(Encoding.DER), dummy)
    flags = CRYPT_MACHINE_KEYSET if wish.machine else 0
    reference = KeyReference(wish.provider.name, wish.provider.kind, wish.key_spec, wish.container, flags)
    blob = blob_of(received, reference, friendly_name=wish.friendly_name)
    pending = StoredCertificate("", received.thumbprint, blob, received, reference)
    if wish.machine:
        machine.stores.setdefault("REQUEST", []).append(pending)
    else:
        machine.user_store(arguments.call.user, "REQUEST").append(pending)
