# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``Get-CsCertificate`` of Lync Server and Skype for Business Server.

Reference: MicrosoftDocs/office-docs-powershell, Get-CsCertificate. It returns what is configured for use on the
local computer, for members of RTCUniversalServerAdmins; ``-Identity`` is not in Lync Server 2010. The properties and
their order are those of the sample in "Check Lync Server 2013 server certificates" (technet Dn725210). A usage that
is not configured gives nothing. The text of the refusal is unverified.
"""

from __future__ import annotations

from cryptography import x509

from ..host.machine import Machine
from ..tools.names import windows_name
from .commands import Invocation, command
from .values import DateTime, PSObject, items_of, to_text


@command("Get-CsCertificate")
def get_cs_certificate(invocation: Invocation) -> None:
    """Emit a CertificateReference for each usage."""
    session = invocation.session
    lync = session.machine.lync
    assert lync is not None
    given = [argument.name.lower() for argument in invocation.arguments if argument.name]
    if lync.version == "2010" and "identity" in given:
        message = "A parameter cannot be found that matches parameter name 'Identity'."
        category = "InvalidArgument: (:) [{0}], ParameterBindingException"
        raise invocation.error(
            message, "NamedParameterNotFound,Microsoft.Rtc.Management.Deployment.GetCertificateCmdlet", category
        )
    named = ["type", "netportid", "report"] if lync.version == "2010" else ["type", "netportid", "report", "identity"]
    bound = invocation.bind(named)
    account = session.machine.account(session.user)
    if "lync" in session.machine.deny or not (account and account.lync_administrator and account.administrator):
        raise invocation.error(
            "Access is denied.", "UnauthorizedAccess", "PermissionDenied: (:) [{0}], UnauthorizedAccessException"
        )
    wanted = [to_text(item).lower() for item in items_of(bound.named["type"])] if "type" in bound.named else None
    for use, thumbprint in lync.assignments:
        if wanted is None or use.lower() in wanted:
            invocation.sink.emit(_reference(session.machine, use, thumbprint))


def _reference(machine: Machine, use: str, thumbprint: str) -> PSObject:
    type_name = "Microsoft.Rtc.Management.Deployment.CertificateReference"
    held = machine.find(thumbprint)
    if held is None or held.issued is None:
        # What the cmdlet shows of a certificate that has left the store is unverified.
        names = ("Issuer", "NotAfter", "NotBefore", "SerialNumber", "Subject", "AlternativeNames")
        return PSObject(type_name, {**dict.fromkeys(names), "Thumbprint": thumbprint, "Use": use})
    certificate = held.issued.certificate
    return PSObject(
        type_name,
        {
            "Issuer": windows_name(certificate.issuer),
            "NotAfter": DateTime(machine.local(certificate.not_valid_after_utc)),
            "NotBefore": DateTime(machine.local(certificate.not_valid_before_utc)),
            "SerialNumber": _serial(certificate),
            "Subject": windows_name(certificate.subject),
            "AlternativeNames": _alternative_names(certificate),
            "Thumbprint": thumbprint,
            "Use": use,
        },
    )


def _serial(certificate: x509.Certificate) -> str:
    digits = f"{certificate.serial_number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def _alternative_names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name) for name in names.get_values_for_type(x509.DNSName)]
