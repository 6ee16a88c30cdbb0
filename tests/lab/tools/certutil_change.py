# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certutil -addstore``, ``-delstore``, ``-key`` and ``-delkey``.

Shapes of ``-delstore`` and ``-delkey``: transcripts of Server releases from 2019 on. ``-delstore`` ends with 0 also
when the certificate is not there, and leaves the key container where it is. That each needs an administrator is
certain, the code 0x80070005 for ``-delkey`` is not. ``-addstore`` makes a store that does not exist with ``-f`` alone,
and says so (a thread of Microsoft Q&A about the store NTDS).
"""

from __future__ import annotations

from cryptography.x509.oid import NameOID

from ..host import files
from ..host.store import Received, without_key
from ..pki import Issued
from ..powershell.errors import NotSimulated
from . import encodings, hresult
from .base import Result
from .certutil_call import CertutilCall, CertutilFault, chosen, done, opened_store
from .names import windows_name


def delstore(call: CertutilCall) -> Result:
    """``certutil -delstore STORE ID``."""
    header, certificates = opened_store(call, change=True)
    if len(call.operands) != 2:
        raise NotSimulated("certutil -delstore without a certificate")
    found = chosen(certificates, call.operands[1])
    if len(found) > 1:
        raise NotSimulated(f"certutil -delstore of several certificates ({call.operands[1]})")
    output = header
    for index, one in found:
        assert one.issued is not None
        certificates.remove(one)
        subject = windows_name(one.issued.certificate.subject)
        output += f"Deleting Certificate {index}: {subject}:{one.issued.thumbprint.lower()}\n"
    return done(call, output)


def addstore(call: CertutilCall) -> Result:
    """``certutil [-f] -addstore STORE FILE`` for a file with one certificate.

    The lines are those of transcripts of imports into Root and CA.
    """
    if len(call.operands) != 2:
        raise NotSimulated("certutil -addstore without a file")
    _make_store(call)
    header, certificates = opened_store(call, change=True)
    try:
        found = encodings.certificates(files.read(call.machine, call.operands[1]))
    except files.FileFault as fault:
        raise CertutilFault(hresult.FILE_NOT_FOUND, header) from fault
    except encodings.NoCertificates as fault:
        raise CertutilFault(hresult.CRYPT_E_ASN1_BADTAG, header) from fault
    if len(found) != 1:
        raise NotSimulated("certutil -addstore of a file with several certificates")
    received = Received.read(found[0])
    own_issuer = received.certificate.subject == received.certificate.issuer
    if call.operands[0].lower() == "root" and not own_issuer and "f" not in call.options:
        raise NotSimulated("certutil -addstore Root of a certificate that is no root, without -f")
    if call.machine.disk_full:
        raise CertutilFault(hresult.DISK_FULL, header)
    output = header + ("Signature matches Public Key\n" if own_issuer else "")
    known = any(one.issued and one.issued.der == received.der for one in certificates)
    if not known:
        certificates.append(without_key("", received))
    verdict = "already in store" if known and "f" not in call.options else "added to store"
    return done(call, output + f'Certificate "{short_name(received)}" {verdict}.\n')


def _make_store(call: CertutilCall) -> None:
    name = call.operands[0]
    if call.machine.store(name) is not None:
        return
    if "f" not in call.options:
        raise CertutilFault(
            hresult.FILE_NOT_FOUND, "Cannot open existing Cert store.  Use -f option to force Cert store creation.\n"
        )
    if not call.administrator:
        raise CertutilFault(hresult.ACCESS_DENIED)
    call.machine.stores[name] = []


def short_name(received: Received | Issued) -> str:
    """The common name; where there is none, the subject (unverified)."""
    subject = received.certificate.subject
    names = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else windows_name(subject)


def delkey(call: CertutilCall) -> Result:
    """``certutil -csp PROVIDER -delkey CONTAINER``: a container of the machine, whoever points to it."""
    provider = call.value("csp")
    if provider is None or len(call.operands) != 1:
        raise NotSimulated("certutil -delkey without -csp or without a container")
    if not call.administrator:
        raise CertutilFault(hresult.ACCESS_DENIED)
    name = call.operands[0]
    held = call.machine.container_named(provider, name)
    if held is None or not held.machine:
        raise CertutilFault(hresult.NTE_BAD_KEYSET)
    call.machine.containers.remove(held.provider, name)
    return done(call, f"  {held.name}\n")


def key(call: CertutilCall) -> Result:
    """``certutil -csp PROVIDER -key``: only the line after an empty list is known."""
    provider = call.value("csp")
    if provider is None or call.operands:
        raise NotSimulated("certutil -key without -csp or with a container")
    if any(held.provider.casefold() == provider.casefold() for held in call.machine.containers):
        raise NotSimulated("the list of certutil -key")
    return done(call, "")
