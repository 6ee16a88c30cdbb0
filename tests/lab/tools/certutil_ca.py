# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""The verbs of ``certutil.exe`` for a CA: ``-ping``, ``-CATemplates``, ``-resubmit`` and ``-deny``.

They speak to the CA of ``-config``, or to that of this host. To see or decide requests takes an administrator of the
CA's host (its officers as installed: Administrators, Domain Admins, Enterprise Admins, of which the lab has the
first); others get access denied, the computer of another host too (measured for ``-view`` by the repository
tokentimerch/tokentimer-core). A user who came over the network without credentials is refused by a CA on another
host, and everywhere by the domain controller that ``-CATemplates`` asks (a published transcript: 0x800704dc).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from ..adcs import access
from ..adcs.authority import CertificationAuthority, Row
from ..adcs.model import CaRefused, CaUnreachable
from ..directory.descriptors import AUTO_ENROLL, ENROLL
from ..host.machine import bare_name
from ..powershell.errors import NotSimulated
from ..wire.host import NetworkLogon
from . import hresult
from .base import Result
from .certutil_call import CertutilCall, CertutilFault, done, failed


def ping(call: CertutilCall) -> Result:
    """Whether a CA answers, in the words of transcripts of Server 2022 and of other projects' tests.

    Raises:
        CertutilFault: it does not.
    """
    config = call.value("config")
    authority = _find(call, config) if config else _local(call)
    head = f"Connecting to {authority.config if authority else config} ...\n"
    code = hresult.RPC_S_SERVER_UNAVAILABLE
    if authority is not None:
        try:
            authority.reach()
        except CaUnreachable as fault:
            code = fault.code
        else:
            return done(call, f'{head}Server "{authority.name}" ICertRequest2 interface is alive (15ms)\n')
    elif _runs_a_ca(call, config or ""):
        code = hresult.INVALID_PARAMETER
    tail = f"Server could not be reached: {hresult.meaning(code)} {hresult.shown(code)} -- (15ms)\n\n"
    raise CertutilFault(code, head + tail)


def ca_templates(call: CertutilCall) -> Result:
    """The templates that the CA offers, and what the caller may do with each (transcripts of two releases)."""
    named, user = replace(call, verb="CATemplates"), call.call.user
    try:
        authority = _authority(call)
        if isinstance(user, NetworkLogon) and not (call.machine.directory and call.machine.directory.controller):
            raise CertutilFault(hresult.NOT_AUTHENTICATED)
    except CertutilFault as fault:
        return failed(named, fault)
    offered = {name.casefold() for name in authority.templates.offered(authority.name)}
    who = authority.groups(user, computer=False)
    lines = []
    for template in authority.templates.all():
        if template.name.casefold() not in offered:
            continue
        said = "Access is denied."
        if access.grants(template.descriptor, ENROLL, who):
            automatic = access.grants(template.descriptor, AUTO_ENROLL, who)
            said = "Auto-Enroll" if automatic else "Auto-Enroll: Access is denied."
        lines.append(f"{template.name}: {template.display_name} -- {said}\n")
    return done(named, "".join(lines))


def resubmit(call: CertutilCall) -> Result:
    """An officer has a request processed again. ``Certificate issued.`` and the message that the CA then keeps were
    published; what is printed when the CA denies it is unverified.

    Raises:
        CertutilFault: the CA refuses, or it denies the request.
    """
    authority = officer_of(call)
    row = _act(call, authority.approve)
    if row.status_code:
        raise CertutilFault(row.status_code)
    return done(call, "Certificate issued.\n")


def deny(call: CertutilCall) -> Result:
    """An officer denies a request; the output is unverified.

    Raises:
        CertutilFault: the CA refuses.
    """
    _act(call, officer_of(call).deny)
    return done(call, "")


def _act(call: CertutilCall, action: Callable[[int, str], Row]) -> Row:
    if len(call.operands) != 1 or not re.fullmatch(r"[0-9]{1,9}", call.operands[0]):
        raise NotSimulated(f"certutil -{call.verb} {' '.join(call.operands)}")
    try:
        return action(int(call.operands[0]), f"{call.machine.netbios_domain}\\{bare_name(call.call.user)}")
    except CaRefused as refused:
        raise CertutilFault(refused.code) from refused


def _local(call: CertutilCall) -> CertificationAuthority:
    """The CA of the host; without one the tool's complaint, a line that the failure's own lines follow.

    Raises:
        CertutilFault: there is none.
    """
    known = call.machine.authorities
    found = known.local(call.machine.name) if known else None
    if not isinstance(found, CertificationAuthority):
        raise CertutilFault(hresult.NO_MORE_ITEMS, "CertUtil: No local Certification Authority; use -config option\n")
    return found


def _find(call: CertutilCall, config: str) -> CertificationAuthority | None:
    found = call.machine.authorities.find(config) if call.machine.authorities else None
    return found if isinstance(found, CertificationAuthority) else None


def _runs_a_ca(call: CertutilCall, config: str) -> bool:
    host = config.partition("\\")[0].partition(".")[0]
    return bool(call.machine.authorities and call.machine.authorities.local(host))


def _authority(call: CertutilCall) -> CertificationAuthority:
    """The CA that is meant, if it answers.

    Raises:
        CertutilFault: it does not, or there is none.
    """
    config = call.value("config")
    found = _find(call, config) if config else _local(call)
    if found is None:
        there = _runs_a_ca(call, config or "")
        raise CertutilFault(hresult.INVALID_PARAMETER if there else hresult.RPC_S_SERVER_UNAVAILABLE)
    try:
        found.reach()
    except CaUnreachable as fault:
        raise CertutilFault(fault.code) from fault
    return found


def officer_of(call: CertutilCall) -> CertificationAuthority:
    """The CA that is meant, if the caller administers its host.

    Raises:
        CertutilFault: he does not, or the CA cannot be asked.
    """
    found = _authority(call)
    foreign = isinstance(call.call.user, NetworkLogon) and found.machine is not call.machine
    if foreign or not found.machine.is_administrator(call.call.user):
        raise CertutilFault(hresult.ACCESS_DENIED)
    return found
