# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certutil -importPFX`` and ``-exportPFX``.

Form of the calls and modifiers: reference of certutil. Outputs and codes: transcripts and threads of other projects
(the CN line, a blank line, the footer; 0x80070056 for a wrong password; 0x8009000b for a key that may not be exported;
0x80090029 for a key that is to be exportable in the TPM and, on Windows 10, 0x80090027 for one that is not: README of
glueckkanja-pki/TPMImport). What the provider, the key specification and the encryption of a file lead to:
PFXImportCertStore. That ``-csp`` overrides the provider of the file: Microsoft's instructions for Dynamics 365.

Unverified: the name of the new container (here as PFXImportCertStore chooses it; after an import with ``-csp`` into the
KSP of a vendor a published session shows the name with a GUID behind it), that ``-f`` overwrites a container of that
name, how two operands are told apart, the lines for chain certificates and the stores that these go to, the order of
the checks, and what ``-f`` leaves of a certificate that is in the store already: the lab keeps nothing but what the
file holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from ..formats.pfx import write_pfx
from ..formats.pfx_read import NoPfx, PfxContent, PfxKey, WrongPassword, read_pfx
from ..host import files
from ..host.keys import PLATFORM_KSP, SMART_CARD_PROVIDERS, SOFTWARE_KSP, KeyContainer
from ..host.store import CRYPT_MACHINE_KEYSET, KeyReference, Received, StoredCertificate, blob_of, without_key
from ..pki import public_key_der
from ..powershell.errors import NotSimulated
from . import hresult
from .base import Result
from .certutil_call import CertutilCall, CertutilFault, chosen, done, opened_store
from .certutil_change import short_name
from .certutil_store import listing
from .providers import Provider, find_provider

_ENHANCED = "Microsoft Enhanced Cryptographic Provider v1.0"
_RSA_TYPES = (1, 12, 24)
_SPECS = {"at_keyexchange": 1, "at_signature": 2}
_IMPORT = {*_SPECS, "noexport", "nochain", "noroot"}
_EXPORT = {"nochain", "noroot"}
_MODIFIERS = (
    *(*_IMPORT, "exportencrypted", "nocert", "protect", "protecthigh", "noprotect", "pkcs8", "vsm"),
    *("friendlyname", "keydescription", "keyfriendlyname", "extendedproperties", "exportparameters"),
    *("cryptoalgorithm", "encryptcert", "noencryptcert"),
)
_WINDOWS_11 = (10, 0, 22000)
_DIGITAL_SIGNATURE, _KEY_OR_DATA_ENCIPHERMENT = 0x80, 0x30


def importpfx(call: CertutilCall) -> Result:
    """``certutil [-f] -p PASSWORD [-csp PROVIDER] -importPFX [STORE] FILE [MODIFIERS]``: into the machine's keyset.

    Raises:
        CertutilFault: the import fails; nothing is left of it.
    """
    operands, modifiers = _operands(call, _IMPORT)
    if len(operands) not in (1, 2):
        raise NotSimulated(f"certutil -importPFX {' '.join(call.operands)}")
    name, path = ("My", operands[0]) if len(operands) == 1 else operands
    content = _read(call, path)
    if not call.administrator or call.machine.deny & {"certutil", "registry", "keys"}:
        raise CertutilFault(hresult.ACCESS_DENIED)
    store = call.machine.store(name)
    if store is None:
        raise NotSimulated(f"certutil -importPFX into the store {name}, which does not exist")
    containers = [_container(call, key, modifiers) for key in content.keys]
    references = {one.public_key: _reference(call, one) for one in containers}
    own, chain = _certificates(content, references, modifiers)
    if any(one.issued and one.issued.der in own for one in store[1]) and "f" not in call.options:
        raise NotSimulated("certutil -importPFX of a certificate that is in the store, without -f")
    if call.machine.disk_full:
        raise CertutilFault(hresult.DISK_FULL)
    for container in containers:
        call.machine.containers.add(container)
    output = ""
    for der, friendly_name in own.items():
        received = Received.read(der)
        reference = references[public_key_der(received.certificate)]
        _put(store[1], received, reference, friendly_name)
        output += f'Certificate "{short_name(received)}" added to store.\n'
    for received in chain:
        output += _put_authority(call, received)
    return done(call, f"{output}\n")


def _operands(call: CertutilCall, simulated: set[str]) -> tuple[list[str], dict[str, str]]:
    """The operands before the modifiers, and these by name in lower case."""
    operands = list(call.operands)
    last = operands[-1].split(",") if len(operands) > 1 else []
    pairs = [(name.strip().lower(), value) for name, _sign, value in (part.partition("=") for part in last)]
    if not pairs or not all(name in _MODIFIERS for name, _value in pairs):
        return operands, {}
    modifiers = dict(pairs)
    if not modifiers.keys() <= simulated or _SPECS.keys() <= modifiers.keys():
        raise NotSimulated(f"certutil -{call.verb} with {operands[-1]}")
    return operands[:-1], modifiers


def _read(call: CertutilCall, path: str) -> PfxContent:
    password = call.value("p")
    if password is None:
        raise NotSimulated("certutil -importPFX without -p, which asks for the password on the console")
    try:
        data = files.read(call.machine, path)
    except files.FileFault as fault:
        raise CertutilFault(hresult.FILE_NOT_FOUND) from fault
    try:
        content = read_pfx(data, password, aes=call.machine.reads_aes_pfx)
    except WrongPassword as fault:
        raise CertutilFault(hresult.INVALID_PASSWORD) from fault
    except NoPfx as fault:
        raise NotSimulated("certutil -importPFX of a file that is no PFX") from fault
    if not content.keys:
        raise NotSimulated("certutil -importPFX of a file without a key")
    return content


def _container(call: CertutilCall, key: PfxKey, modifiers: Mapping[str, str]) -> KeyContainer:
    """The new container for a key of the file, not yet in place."""
    provider, exportable = _provider(call, key), "noexport" not in modifiers
    wanted = next((spec for name, spec in _SPECS.items() if name in modifiers), None)
    if provider.name == PLATFORM_KSP:
        _refuse_tpm(call, key, exportable)
    if provider.kind and (provider.kind not in _RSA_TYPES or not isinstance(key.key, rsa.RSAPrivateKey)):
        raise NotSimulated(f"certutil -importPFX of a key for which {provider.name} is not made")
    if (not provider.kind and provider.name != SOFTWARE_KSP) or provider.name in SMART_CARD_PROVIDERS:
        raise NotSimulated(f"certutil -importPFX into {provider.name}")
    if not provider.kind and wanted is not None:
        raise NotSimulated("certutil -importPFX into a key storage provider with a key specification")
    if call.machine.importing_provider is not None:
        other = find_provider(call.machine, call.machine.importing_provider)
        provider = other or Provider(call.machine.importing_provider)
    spec = (wanted or _key_spec(key.usage)) if provider.kind else 0
    name = call.machine.containers.name_for(provider.name, key.container, overwrite="f" in call.options)
    return KeyContainer(provider.name, name, key.key, spec, exportable, machine=True)


def _provider(call: CertutilCall, key: PfxKey) -> Provider:
    given = call.value("csp")
    provider = find_provider(call.machine, given or key.provider or _ENHANCED)
    if provider is None and given and given.lower() not in ("ksp", "tpm", "nt", "*"):
        raise CertutilFault(hresult.NTE_BAD_PROVIDER)
    if provider is None:
        raise NotSimulated(f"certutil -importPFX into {given or key.provider}")
    return provider


def _refuse_tpm(call: CertutilCall, key: PfxKey, exportable: bool) -> None:
    """Windows 8 and 8.1 answer as Windows 10 does (unverified); recent builds of Windows 11 take an RSA key."""
    if isinstance(key.key, rsa.RSAPrivateKey) and exportable:
        raise CertutilFault(hresult.NTE_NOT_SUPPORTED)
    if isinstance(key.key, rsa.RSAPrivateKey) and call.machine.os_release < _WINDOWS_11:
        raise CertutilFault(hresult.NTE_INVALID_PARAMETER)


def _key_spec(usage: int | None) -> int:
    only_signs = usage is not None and usage & _DIGITAL_SIGNATURE and not usage & _KEY_OR_DATA_ENCIPHERMENT
    return 2 if only_signs else 1


def _reference(call: CertutilCall, container: KeyContainer) -> KeyReference:
    provider = find_provider(call.machine, container.provider)
    kind = provider.kind if provider else 0
    return KeyReference(
        container.provider,
        kind,
        container.key_spec,
        container.name,
        CRYPT_MACHINE_KEYSET,
        exportable=container.exportable,
    )


def _certificates(
    content: PfxContent, references: Mapping[bytes, KeyReference], modifiers: Mapping[str, str]
) -> tuple[dict[bytes, str | None], list[Received]]:
    """The certificates with a key and their friendly names, and those of the chain that are wanted."""
    own: dict[bytes, str | None] = {}
    chain: list[Received] = []
    for entry in content.certificates:
        received = Received.read(entry.der)
        if public_key_der(received.certificate) in references:
            own[entry.der] = entry.friendly_name
        elif "nochain" not in modifiers and not ("noroot" in modifiers and _is_root(received.certificate)):
            chain.append(received)
    if {public_key_der(Received.read(der).certificate) for der in own} != references.keys():
        raise NotSimulated("certutil -importPFX of a key without a certificate")
    return own, chain


def _is_root(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def _put(held: list[StoredCertificate], received: Received, key: KeyReference, friendly_name: str | None) -> None:
    blob = blob_of(received, key, friendly_name=friendly_name)
    for number, one in enumerate(held):
        if one.issued and one.issued.der == received.der:
            held[number] = replace(one, blob=blob, key=key, archived=False)
            return
    held.append(StoredCertificate("", received.thumbprint, blob, received, key))


def _put_authority(call: CertutilCall, received: Received) -> str:
    held = call.machine.stores.setdefault("ROOT" if _is_root(received.certificate) else "CA", [])
    known = any(one.issued and one.issued.der == received.der for one in held)
    if not known:
        held.append(without_key("", received))
    return f'Certificate "{short_name(received)}" {"already in" if known else "added to"} store.\n'


def exportpfx(call: CertutilCall) -> Result:
    """``certutil [-f] -p PASSWORD -exportPFX [STORE] ID FILE [MODIFIERS]``: Triple-DES, with the chain that is there.

    Raises:
        CertutilFault: there is no such certificate, or its key may not be exported or used.
    """
    operands, modifiers = _operands(call, _EXPORT)
    if len(operands) not in (2, 3) or call.value("p") is None:
        raise NotSimulated(f"certutil -exportPFX {' '.join(call.operands)}")
    name, wanted, path = ("My", *operands) if len(operands) == 2 else operands
    header, certificates = opened_store(replace(call, operands=(name, wanted)))
    found = chosen(certificates, wanted)
    if not found:
        raise CertutilFault(hresult.NTE_NOT_FOUND, header)
    if len(found) > 1 or found[0][1].key is None:
        raise NotSimulated("certutil -exportPFX of several certificates, or of one without a key")
    ((index, stored),) = found
    printed = header + listing(call, index, stored)
    container = call.machine.container_of(stored.key)
    if container is None or (container.machine and not call.administrator):
        raise CertutilFault(hresult.NTE_BAD_KEYSET, printed)
    if not container.export_policy:
        raise CertutilFault(hresult.NTE_BAD_KEY_STATE, printed)
    if files.exists(call.machine, path) and "f" not in call.options:
        raise CertutilFault(hresult.FILE_EXISTS, printed)
    assert stored.issued is not None
    data = write_pfx(
        container.key,
        stored.issued.certificate,
        password=call.value("p") or "",
        provider=container.provider,
        machine_keyset=container.machine,
        friendly_name=stored.friendly_name,
        encryption="tripledes-sha1",
        chain=_chain(call, stored.issued.certificate, modifiers),
        container=container.name,
    )
    try:
        files.write(call.machine, path, data)
    except files.FileFault as fault:
        code = hresult.DISK_FULL if call.machine.disk_full else hresult.PATH_NOT_FOUND
        raise CertutilFault(code, printed) from fault
    return done(call, printed)


def _chain(call: CertutilCall, leaf: x509.Certificate, modifiers: Mapping[str, str]) -> Sequence[x509.Certificate]:
    known = [
        one.issued.certificate
        for name in ("CA", "ROOT")
        for one in call.machine.stores.get(name, ())
        if one.issued is not None
    ]
    chain: list[x509.Certificate] = []
    at = leaf
    while "nochain" not in modifiers and not _is_root(at):
        issuer = next((one for one in known if one.subject == at.issuer and one not in chain), None)
        if issuer is None or ("noroot" in modifiers and _is_root(issuer)):
            break
        chain.append(issuer)
        at = issuer
    return chain
