# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certreq -accept FILE``: a certificate takes the place of its pending one and gets its key.

Reference: Microsoft, "certreq" (a certificate, a chain or a full response; ``-user`` and ``-machine`` are needed only
when no pending request matches) and IX509Enrollment::InstallResponse: without restrictions that are lifted there must
be a pending certificate, from which the key is taken, and a chain that ends at a trusted root; end entities go to the
personal store and CA certificates to the store of CAs. CERT_E_UNTRUSTEDROOT was seen (dsccommunity/CertificateDsc
issue 224); CERT_E_CHAINING, when an issuer is missing, is Microsoft's word on InstallResponse (knowledge base).
Unverified: that CRYPT_E_NOT_FOUND is the code when no pending certificate matches, that validity is not looked at, that
a pending certificate whose key is gone ends with NTE_BAD_KEYSET, and that no other properties are written than 2 and
11 beside those that every certificate has.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from .. import pki
from ..adcs import der
from ..host.machine import Machine
from ..host.store import Received, StoredCertificate, blob_of, without_key
from ..pki import Issued, public_key_der
from . import certreq_call, certreq_text, encodings, hresult
from .base import Result
from .certreq_call import CertreqCall, CertreqFault


def accept(arguments: CertreqCall) -> Result:
    """Run the verb.

    Raises:
        CertreqFault: it fails; the pending certificate stays.
    """
    machine = arguments.machine
    source = arguments.path(0)
    assert source is not None, "the dispatcher asks for it"
    received = _received(certreq_call.read(arguments, source))
    administrator = machine.is_administrator(arguments.call.user)
    if arguments.flag("machine") and not administrator:
        raise CertreqFault(hresult.ACCESS_DENIED)
    mine = [machine.user_store(arguments.call.user, name) for name in ("REQUEST", "MY", "CA")]
    machines = [machine.stores.setdefault(name, []) for name in ("REQUEST", "MY", "CA")]
    places = [machines] if arguments.flag("machine") else [mine] if arguments.flag("user") else [mine, machines]
    for place in places:
        request, my, authorities = place
        found = _match(request, received)
        if found is None:
            continue
        if place is machines and not administrator:
            raise CertreqFault(hresult.ACCESS_DENIED)
        pending, certificate = found
        if machine.container_of(pending.key) is None:
            raise CertreqFault(hresult.NTE_BAD_KEYSET)
        chain = _chain(machine, certificate, received)
        if machine.disk_full:
            raise CertreqFault(hresult.DISK_FULL)
        request.remove(pending)
        _install(my, certificate, pending)
        _add_authorities(authorities, [one for one in chain if one in received])
        return certreq_call.done(certreq_text.installed(machine, certificate))
    raise CertreqFault(hresult.CRYPT_E_NOT_FOUND)


def _received(data: bytes) -> list[Received]:
    try:
        return [Received.read(one) for one in encodings.certificates(data)]
    except (encodings.NoCertificates, ValueError) as exc:
        raise CertreqFault(hresult.CRYPT_E_ASN1_BADTAG) from exc


def _match(
    request: Sequence[StoredCertificate], received: Sequence[Received]
) -> tuple[StoredCertificate, Received] | None:
    """The pending certificate and the received one that have the same public key."""
    for pending in request:
        for certificate in received:
            if pending.issued and public_key_der(pending.issued.certificate) == public_key_der(certificate.certificate):
                return pending, certificate
    return None


def _chain(machine: Machine, leaf: Received, received: Sequence[Received]) -> list[Received | Issued]:
    """The issuers of a certificate up to a trusted root, from the file and from the stores CA and Root.

    Raises:
        CertreqFault: one is missing, or the root is not in the store Root.
    """
    roots = _certificates(machine, "ROOT")
    known = [*received, *_certificates(machine, "CA"), *roots]
    chain: list[Received | Issued] = []
    at: Received | Issued = leaf
    while at.certificate.issuer != at.certificate.subject:
        issuer = next((one for one in known if _issued_by(at.certificate, one.certificate)), None)
        if issuer is None or issuer in chain:
            raise CertreqFault(hresult.CERT_E_CHAINING)
        chain.append(issuer)
        at = issuer
    if not any(root.der == at.der for root in roots):
        raise CertreqFault(hresult.CERT_E_UNTRUSTEDROOT)
    return chain


def _certificates(machine: Machine, store: str) -> list[Received | Issued]:
    held = machine.store(store)
    return [one.issued for one in held[1] if one.issued] if held else []


def _issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """By name and signature; by name alone where the signature's algorithm cannot be checked here."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    except UnsupportedAlgorithm:
        return True
    return True


def _install(my: list[StoredCertificate], received: Received, pending: StoredCertificate) -> None:
    """A copy that is in the store already is replaced."""
    key = pending.key
    blob = blob_of(received, key, friendly_name=pending.friendly_name)
    stored = StoredCertificate("", received.thumbprint, blob, received, key, _template(received.certificate))
    my[:] = [one for one in my if one.issued is None or one.issued.der != received.der]
    my.append(stored)


def _template(certificate: x509.Certificate) -> pki.Template | None:
    """A v1 template by its name, a later one by its OID: its name would have to come from the directory."""
    found = {one.oid: one.value for one in certificate.extensions}
    by_name, by_oid = found.get(pki.TEMPLATE_NAME), found.get(pki.TEMPLATE_INFORMATION)
    if isinstance(by_oid, x509.MSCertificateTemplate):
        oid = by_oid.template_id.dotted_string
        return pki.Template(oid, oid=oid)
    if isinstance(by_name, x509.UnrecognizedExtension):
        return pki.Template(der.text(der.elements(by_name.value)[0]))
    return None


def _add_authorities(store: list[StoredCertificate], chain: Sequence[Received | Issued]) -> None:
    for one in chain:
        own_issuer = one.certificate.issuer == one.certificate.subject
        if not own_issuer and not any(held.issued and held.issued.der == one.der for held in store):
            store.append(without_key("", one))
