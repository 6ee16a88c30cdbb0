# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Request-CsCertificate does: a key where the template says, a request, and what the CA makes of it.

The cmdlet has no parameter for the provider (its reference). The provider follows from the template as MS-WCCE
3.1.2.4.2.2.2.2 says: a legacy template names CSPs in their order, any other leads to a KSP; that the cmdlet takes the
first CSP is unverified. Without ``-Template`` it takes Web Server ("Request certificates from a public CA", gg398811,
Lync Server 2013); that this template names the SChannel provider first is what a forest has from the start.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ..directory.model import Directory
from ..formats.request import pkcs10
from ..host.keys import KeyContainer
from ..host.machine import Machine
from ..host.store import KeyReference, Received, StoredCertificate, blob_of
from ..powershell.errors import NotSimulated
from ..tools.providers import find_provider

DEFAULT_TEMPLATE = "WebServer"
_SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
_SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
_USE_LEGACY_PROVIDER = 0x100


@dataclass(frozen=True)
class Wish:
    """What the caller asks for."""

    names: tuple[str, ...]
    """The first is the subject's common name; all of them are alternative names."""
    template: str
    friendly_name: str | None
    key_size: int
    exportable: bool


def provider_of(directory: Directory | None, template: str) -> str | None:
    """The provider that a template leads to; None when the directory does not have it."""
    if directory is None:
        return _SCHANNEL if template.lower() == DEFAULT_TEMPLATE.lower() else None
    base = f"CN=Certificate Templates,CN=Public Key Services,CN=Services,{directory.configuration}"
    wanted = ["cn", "pKIDefaultCSPs", "msPKI-Template-Schema-Version", "msPKI-Private-Key-Flag"]
    for entry in directory.search(directory.administrator, base, "one", "(objectClass=pKICertificateTemplate)", wanted):
        held = {name: [value.decode() for value in values] for name, values in entry.attributes.items()}
        if held["cn"][0].lower() == template.lower():
            return _provider(held)
    return None


def _provider(held: Mapping[str, Sequence[str]]) -> str:
    schema = int(held.get("msPKI-Template-Schema-Version", ["1"])[0])
    flags = int(held.get("msPKI-Private-Key-Flag", ["0"])[0])
    if schema > 2 and not (schema == 4 and flags & _USE_LEGACY_PROVIDER):
        return _SOFTWARE_KSP
    pairs = [value.partition(",")[::2] for value in held.get("pKIDefaultCSPs", [])]
    return min(pairs, key=lambda pair: int(pair[0]))[1] if pairs else _SCHANNEL


def make_key(machine: Machine, provider: str, wish: Wish) -> KeyContainer:
    """A new RSA key in a new container.

    Raises:
        NotSimulated: a provider that the host does not have, or a host on which no key can be made.
    """
    found = find_provider(machine, provider)
    if found is None or "keys" in machine.deny or machine.disk_full:
        raise NotSimulated(f"Request-CsCertificate where no key can be made in {provider}")
    container = KeyContainer(
        provider=found.name,
        name=f"te-{wish.template}-{uuid.uuid4()}",
        key=rsa.generate_private_key(65537, wish.key_size),
        key_spec=1 if found.kind else 0,
        exportable=wish.exportable,
    )
    machine.containers.add(container)
    return container


def request_of(machine: Machine, container: KeyContainer, wish: Wish, user: str) -> bytes:
    """The PKCS#10 request, DER."""
    names = x509.SubjectAlternativeName([x509.DNSName(name) for name in wish.names])
    extension: x509.Extension[x509.ExtensionType] = x509.Extension(names.oid, False, names)
    return pkcs10(
        container.key,
        _subject(wish),
        provider=container.provider,
        key_spec=container.key_spec,
        os_version=f"{machine.os_version}.2",
        client=(5, machine.fqdn, user, "powershell.exe"),
        extensions=[extension],
    )


def _subject(wish: Wish) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wish.names[0])])


def reference(machine: Machine, container: KeyContainer) -> KeyReference:
    """What property 2 says of a container."""
    found = find_provider(machine, container.provider)
    return KeyReference(
        container.provider,
        found.kind if found else 0,
        container.key_spec,
        container.name,
        exportable=container.exportable,
    )


def install(machine: Machine, container: KeyContainer, der: bytes, friendly_name: str | None) -> None:
    """Put an issued certificate into My with its key, and take the request out of REQUEST."""
    received = Received.read(der)
    key = reference(machine, container)
    blob = blob_of(received, key, friendly_name=friendly_name)
    _store(machine, "MY").append(StoredCertificate("", received.thumbprint, blob, received, key))
    waiting = _store(machine, "REQUEST")
    waiting[:] = [one for one in waiting if not (one.key and one.key.container == container.name)]


def keep_request(machine: Machine, container: KeyContainer, wish: Wish) -> None:
    """Put the placeholder of a request into the store REQUEST: a certificate that its own key signed."""
    subject = _subject(wish)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(container.key.public_key())
        .serial_number(uuid.uuid4().int >> 1)
        .not_valid_before(machine.clock)
        .not_valid_after(machine.clock + timedelta(days=365))
        .sign(_rsa(container), hashes.SHA256())
    )
    received = Received.read(certificate.public_bytes(Encoding.DER))
    key = reference(machine, container)
    blob = blob_of(received, key, friendly_name=wish.friendly_name)
    _store(machine, "REQUEST").append(StoredCertificate("", received.thumbprint, blob, received, key))


def _rsa(container: KeyContainer) -> rsa.RSAPrivateKey:
    if not isinstance(container.key, rsa.RSAPrivateKey):
        raise NotSimulated("Request-CsCertificate with a key other than RSA")
    return container.key


def _store(machine: Machine, name: str) -> list[StoredCertificate]:
    held = machine.store(name)
    return held[1] if held else machine.stores.setdefault(name, [])


def names_of(machine: Machine, usages: Sequence[str], further: Sequence[str]) -> tuple[str, ...]:
    """The names of a request: pool and server, then those that the caller adds.

    The cmdlet derives them from the topology: the pool's FQDN is the subject, web services add simple URLs and the web
    FQDNs, Default the SIP domains. The lab has no topology beyond pool and server.
    """
    role = machine.lync
    pool = (role.pool if role else None) or machine.fqdn
    edge = all(use.lower() in ("accessedgeexternal", "dataedgeexternal", "internal") for use in usages)
    names = [pool] if edge else [pool, machine.fqdn]
    return tuple(dict.fromkeys(name.lower() for name in [*names, *further] if name))
