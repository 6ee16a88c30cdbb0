# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``certreq -new`` and ``-accept`` print on success.

English in transcripts of Windows 10 and Server 2016 to 2022. The same lines on a Windows in another language were not
found (a Czech guide shows the English one), so they stay English here.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from cryptography import x509

from ..host.machine import Machine
from ..host.messages import short_time
from ..host.store import Received
from .names import windows_name


def policy_header(machine: Machine) -> str:
    """The lines about the enrolment policy, seen before requests that name a template of the domain."""
    policy = uuid.uuid5(uuid.NAMESPACE_DNS, machine.domain)
    return f"Active Directory Enrollment Policy\n  {{{str(policy).upper()}}}\n  ldap:\n\n"


def request_created() -> str:
    """The last line of -new."""
    return "CertReq: Request Created\n"


def installed(machine: Machine, received: Received) -> str:
    """What -accept prints; releases before Windows 10 print nothing (unverified)."""
    if machine.os_release < (10, 0):
        return ""
    certificate = received.certificate
    digits = f"{certificate.serial_number:x}"

    def shown(moment: datetime) -> str:
        return short_time(machine.local(moment), machine.language)

    return (
        "\nInstalled Certificate:\n"
        f"  Serial Number: {digits.zfill(len(digits) + len(digits) % 2)}\n"
        f"  Subject: {windows_name(certificate.subject)}{_alternative_names(certificate)}\n"
        f"  NotBefore: {shown(certificate.not_valid_before_utc)}\n"
        f"  NotAfter: {shown(certificate.not_valid_after_utc)}\n"
        f"  Thumbprint: {received.thumbprint.lower()}\n"
    )


def _alternative_names(certificate: x509.Certificate) -> str:
    """In parentheses behind the subject, seen for a principal name; the form of DNS names is by analogy."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    shown = [f"DNS Name={name}" for name in names.get_values_for_type(x509.DNSName)]
    shown += [f"IP Address={address}" for address in names.get_values_for_type(x509.IPAddress)]
    return f" ({', '.join(shown)})" if shown else ""
