# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``Get-CsCertificate`` and ``Get-CsServerVersion`` of Lync Server and Skype for Business Server.

Reference: MicrosoftDocs/office-docs-powershell. Get-CsCertificate returns what is configured for use on the
local computer, for members of RTCUniversalServerAdmins; ``-Identity global`` what is stored for the whole deployment.
The properties and their order are those of the sample in "Check Lync Server 2013 server certificates" (technet
Dn725210); EffectiveDate and PreviousThumbprint, from 2013 on, are unverified. A usage that is not configured gives
nothing.
"""

from __future__ import annotations

from cryptography import x509

from ..host.machine import Machine
from ..lync import rules
from ..lync.role import Assigned
from ..tools.names import windows_name
from . import lync_request, lync_set
from .commands import Invocation, command
from .errors import NotSimulated
from .lync_common import bind, require_administrator, role_of, usages, write_report
from .values import DateTime, PSObject
from .x509 import serial_number

_REGISTERED = (lync_request, lync_set)
"""Imported for the cmdlets that they register."""


@command("Get-CsCertificate")
def get_cs_certificate(invocation: Invocation) -> None:
    """Emit a CertificateReference for each usage."""
    role = role_of(invocation)
    bound = bind(invocation)
    require_administrator(invocation)
    assigned = role.assigned()
    if "identity" in bound.named or bound.rest:
        identity = bound.text("identity") or str(bound.rest[0])
        if identity.lower() != "global" or role.version == "2010":
            raise NotSimulated(f"Get-CsCertificate -Identity {identity}")
        role.deployment.join(invocation.session.machine)
        assigned = role.deployment.global_assignments()
    wanted = [use.lower() for use in usages(bound)] if "type" in bound.named else None
    if bound.text("report"):
        write_report(invocation, bound.text("report"), "Success")
    for use, one in assigned:
        if wanted is None or use.lower() in wanted:
            invocation.sink.emit(_reference(invocation.session.machine, use, one, role.version != "2010"))


def _reference(machine: Machine, use: str, assigned: Assigned, later: bool) -> PSObject:
    type_name = "Microsoft.Rtc.Management.Deployment.CertificateReference"
    effective = DateTime(machine.local(assigned.effective)) if assigned.effective else None
    staged = {"EffectiveDate": effective, "PreviousThumbprint": assigned.previous} if later else {}
    last = {"Thumbprint": assigned.thumbprint, **staged, "Use": use}
    held = machine.find(assigned.thumbprint)
    if held is None or held.issued is None:
        # What the cmdlet shows of a certificate that has left the store is unverified.
        names = ("Issuer", "NotAfter", "NotBefore", "SerialNumber", "Subject", "AlternativeNames")
        return PSObject(type_name, {**dict.fromkeys(names), **last})
    certificate = held.issued.certificate
    return PSObject(
        type_name,
        {
            "Issuer": windows_name(certificate.issuer),
            "NotAfter": DateTime(machine.local(certificate.not_valid_after_utc)),
            "NotBefore": DateTime(machine.local(certificate.not_valid_before_utc)),
            "SerialNumber": serial_number(certificate),
            "Subject": windows_name(certificate.subject),
            "AlternativeNames": _alternative_names(certificate),
            **last,
        },
    )


def _alternative_names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name) for name in names.get_values_for_type(x509.DNSName)]


@command("Get-CsServerVersion")
def get_cs_server_version(invocation: Invocation) -> None:
    """Emit the product, its base version and the kind of licence as one text. Anyone may ask (unverified)."""
    bind(invocation)
    invocation.sink.emit(rules.product(role_of(invocation).version))
