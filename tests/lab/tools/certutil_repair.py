# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certutil -repairstore``: the properties of a certificate, and the way to its key.

With an INF file its [Properties] are set and removed (the verb's own usage text: ``11 = "{text}name"``,
``19 = Empty``, ``19 =`` removes, ``2 = "{text}Container=...&Provider=...&ProviderType=...&Flags=...&KeySpec=..."``,
``127 = "{hex}00 01"``); the container that property 2 names is not opened for it. Without one the key is looked for in
the containers (of the provider of ``-csp``) and property 2 is written. The certificate is printed as ``-store`` prints
it (transcripts). Unverified: that an INF file leaves the key alone, and what the verb says or chooses when no container
or several hold the key.
"""

from __future__ import annotations

from ..formats import serialized
from ..host import files
from ..host.machine import ANSI_CODE_PAGES
from ..host.store import CRYPT_MACHINE_KEYSET, KeyReference, StoredCertificate
from ..pki import public_key_der
from ..powershell.errors import NotSimulated
from . import hresult, inf
from .base import Result
from .certutil_call import CertutilCall, CertutilFault, chosen, done, opened_store
from .certutil_store import listing
from .providers import find_provider

_DERIVED = (serialized.SHA1_HASH, serialized.MD5_HASH, serialized.CERTIFICATE)


def repairstore(call: CertutilCall) -> Result:
    """``certutil [-f] [-csp PROVIDER] -repairstore STORE ID [INF]``."""
    header, certificates = opened_store(call, change=True)
    if len(call.operands) not in (2, 3):
        raise NotSimulated("certutil -repairstore without a certificate")
    found = chosen(certificates, call.operands[1])
    if not found:
        raise CertutilFault(hresult.NTE_NOT_FOUND, header)
    if len(found) > 1 or "," in call.operands[1]:
        raise NotSimulated("certutil -repairstore of several certificates")
    ((index, old),) = found
    new = _with_properties(call, old, header) if len(call.operands) == 3 else _with_key(call, old)
    if call.machine.disk_full:
        raise CertutilFault(hresult.DISK_FULL, header)
    certificates[certificates.index(old)] = new
    return done(call, header + listing(call, index, new))


def _with_key(call: CertutilCall, stored: StoredCertificate) -> StoredCertificate:
    assert stored.issued is not None
    wanted = public_key_der(stored.issued.certificate)
    provider = call.value("csp")
    found = [
        held
        for held in call.machine.containers
        if held.machine and held.public_key == wanted
        if not provider or held.provider.casefold() == provider.casefold()
    ]
    if len(found) != 1:
        raise NotSimulated("certutil -repairstore of a certificate whose key is in no container, or in several")
    (held,) = found
    known = find_provider(call.machine, held.provider)
    return stored.with_key(KeyReference(held.provider, known.kind if known else 0, held.key_spec, held.name))


def _with_properties(call: CertutilCall, stored: StoredCertificate, header: str) -> StoredCertificate:
    try:
        data = files.read(call.machine, call.operands[2])
    except files.FileFault as fault:
        raise CertutilFault(hresult.FILE_NOT_FOUND, header) from fault
    try:
        read = inf.parse(data, ANSI_CODE_PAGES[call.machine.language])
    except inf.InfFault as fault:
        raise CertutilFault(fault.code, header) from fault
    lines = read.lines("Properties")
    if not lines:
        raise CertutilFault(hresult.INF_LINE_NOT_FOUND, header)
    for line in lines:
        number = int(line.key) if line.key.isdecimal() else 0
        if not number or number in _DERIVED:
            raise NotSimulated(f"certutil -repairstore with the property {line.key}")
        if number == serialized.KEY_PROV_INFO and call.machine.repair_ignores_key:
            continue
        stored = _changed(stored, number, line.text)
    return stored


def _changed(stored: StoredCertificate, number: int, text: str) -> StoredCertificate:
    if number == serialized.KEY_PROV_INFO:
        return stored.with_key(_reference(text) if text else None)
    if not text:
        return stored.changed(number, None)
    if text.lower() == "empty":
        return stored.changed(number, b"")
    encoding, _brace, value = text.partition("}")
    if encoding == "{hex":
        return stored.changed(number, bytes.fromhex(value))
    if encoding == "{text" and number == serialized.FRIENDLY_NAME:
        return stored.changed(number, serialized.text(value))
    raise NotSimulated(f"certutil -repairstore with the property {number} = {text}")


def _reference(text: str) -> KeyReference:
    fields = dict(pair.partition("=")[::2] for pair in text.removeprefix("{text}").split("&") if pair)
    known = {name.strip().lower(): value.strip() for name, value in fields.items()}
    if not text.startswith("{text}") or not known.keys() <= {
        "container",
        "provider",
        "providertype",
        "flags",
        "keyspec",
    }:
        raise NotSimulated(f"certutil -repairstore with the key {text}")
    return KeyReference(
        provider=known.get("provider"),
        provider_type=int(known.get("providertype", "0"), 0),
        key_spec=int(known.get("keyspec", "0"), 0),
        container=known.get("container"),
        flags=int(known.get("flags", str(CRYPT_MACHINE_KEYSET)), 0),
    )
