# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certutil -store``, ``certutil -v -store`` and ``certutil -csplist``.

A key is opened for an administrator only: others get ``Missing stored keyset`` and exit code 0, the same as for a key
that is gone. A blob that Windows cannot read is not listed (unverified).
"""

from __future__ import annotations

from ..formats import certutil_text as text
from ..host.keys import ALLOW_PLAINTEXT_EXPORT
from ..host.machine import Machine
from ..host.messages import short_time
from ..host.store import StoredCertificate, unique_name
from . import hresult
from .base import Result
from .certutil_call import CertutilCall, CertutilFault, chosen, done, opened_store
from .names import windows_name
from .providers import providers

_NO_FILE_PROVIDERS = ("smart card", "platform crypto", "ncipher", "luna", "yubi", "cavium")


def store(call: CertutilCall) -> Result:
    """``certutil [-v] -store STORE [ID]``."""
    header, certificates = opened_store(call)
    wanted = call.operands[1] if len(call.operands) > 1 else None
    found = chosen(certificates, wanted)
    if wanted is not None and not found:
        raise CertutilFault(hresult.NTE_NOT_FOUND, header)
    blocks = [listing(call, index, one, verbose="v" in call.options) for index, one in found]
    return done(call, header + "\n".join(blocks))


def listing(call: CertutilCall, index: int, stored: StoredCertificate, *, verbose: bool = False) -> str:
    """The lines of one certificate."""
    return text.listing(call.style, _listed(call.machine, index, stored, call.administrator), verbose=verbose)


def _listed(machine: Machine, index: int, stored: StoredCertificate, administrator: bool) -> text.Listed:
    assert stored.issued is not None
    certificate = stored.issued.certificate
    template = stored.template
    return text.Listed(
        index=index,
        certificate=certificate,
        subject=windows_name(certificate.subject) or "EMPTY",
        issuer=windows_name(certificate.issuer),
        not_before=short_time(machine.local(certificate.not_valid_before_utc), machine.language),
        not_after=short_time(machine.local(certificate.not_valid_after_utc), machine.language),
        key=_key_view(machine, stored, administrator),
        template_name=template.name if template else None,
        template_display=template.display_name if template else None,
        template_is_v1=bool(template and template.oid is None),
        archived=stored.archived,
    )


def _key_view(machine: Machine, stored: StoredCertificate, administrator: bool) -> text.KeyView | None:
    key = stored.key
    container = machine.container_of(key)
    if key is None or (container is None and not key.recorded):
        return None
    provider = (key.provider or "").lower()
    in_file = not any(part in provider for part in _NO_FILE_PROVIDERS)
    return text.KeyView(
        provider=key.provider,
        provider_type=key.provider_type,
        key_spec=key.key_spec,
        flags=key.flags,
        container=key.container,
        unique=unique_name(key.container, machine.guid, cng=key.is_cng) if in_file and key.container else None,
        opened=administrator and container is not None,
        exportable=bool(container and container.export_policy),
        plaintext=bool(container and (container.key_spec or container.export_policy & ALLOW_PLAINTEXT_EXPORT)),
        recorded=key.recorded,
    )


def csplist(call: CertutilCall) -> Result:
    """``certutil -csplist``."""
    blocks = [
        f"Provider Name: {provider.name}\n"
        + (f"Provider Type: {provider.kind} - {provider.label}\n" if provider.kind else "")
        for provider in providers(call.machine)
    ]
    return done(call, "\n".join(blocks))
