# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``Request-CsCertificate -New``, ``-List`` and ``-Retrieve``.

Reference: MicrosoftDocs/office-docs-powershell, Request-CsCertificate. It outputs nothing but with -List and says what
it issued only with -Verbose; -List knows the requests that it made itself. The properties of a listed request are
unverified but for RequestId and CertificateUses, which a public deployment script reads. Without -CaAccount it uses
the credentials of the logged-on user: a network logon has none for the CA, which refuses it (the text of certreq's
refusal: PSPKI issue 245).
"""

from __future__ import annotations

from ..adcs.model import AuthorityService, CaAnswer, CaRefused, CaUnreachable
from ..host.keys import KeyContainer
from ..host.machine import Machine, bare_name
from ..lync import enrolment
from ..lync.role import PendingRequest
from ..wire.host import NetworkLogon
from .commands import Bound, Invocation, command
from .errors import NotSimulated
from .lync_common import (
    LyncFailure,
    bind,
    fail,
    only_shows,
    require_administrator,
    role_of,
    usages,
    write_report,
)
from .values import PSObject, to_integer, truth

_UNSUPPORTED_TEMPLATE = 0x80094800
_NOT_SIMULATED = ("output", "keyalg", "clienteku", "computerfqdn", "clear", "netportid", "allsipdomain")
_SIZES = (1024, 2048, 4096)
_NO_REQUEST = (0x80070005, 0x80094004)
"""The request is someone else's, or the CA does not know it."""
_TEXTS = {
    0x80070005: "Access is denied.",
    0x800706BA: "The RPC server is unavailable.",
    _UNSUPPORTED_TEMPLATE: "The requested certificate template is not supported by this CA.",
}
"""Messages of HRESULTs (winerror.h)."""


@command("Request-CsCertificate")
def request_cs_certificate(invocation: Invocation) -> None:
    """Request, list or retrieve."""
    bound = bind(invocation)
    require_administrator(invocation)
    for name in _NOT_SIMULATED:
        if name in bound.named:
            raise NotSimulated(f"Request-CsCertificate -{name}")
    try:
        if bound.flag("list"):
            _list(invocation, bound)
        elif bound.flag("retrieve"):
            _retrieve(invocation, bound)
        elif bound.flag("new"):
            _new(invocation, bound)
        else:
            raise NotSimulated("Request-CsCertificate without -New, -List or -Retrieve")
    except LyncFailure as failure:
        return fail(invocation, bound, failure)
    if bound.text("report"):
        write_report(invocation, bound.text("report"), "Success")
    return None


def _new(invocation: Invocation, bound: Bound) -> None:
    machine, role = invocation.session.machine, role_of(invocation)
    if "type" not in bound.named or "ca" not in bound.named:
        raise NotSimulated("Request-CsCertificate -New without -Type and -CA")
    if only_shows(invocation, bound, bound.text("ca")):
        return
    size = to_integer(bound.named.get("keysize", 2048))
    if size not in _SIZES:
        raise LyncFailure(f"The key size {size} is not valid.")
    further = [name.strip() for name in bound.text("domainname").split(",")]
    wish = enrolment.Wish(
        names=enrolment.names_of(machine, usages(bound), further),
        template=bound.text("template") or enrolment.DEFAULT_TEMPLATE,
        friendly_name=bound.text("friendlyname") or None,
        key_size=size,
        exportable=truth(bound.named.get("privatekeyexportable", False)),
    )
    provider = enrolment.provider_of(role.deployment.directory, wish.template)
    if provider is None:
        raise _failure(_UNSUPPORTED_TEMPLATE)
    authority = _authority(machine, bound.text("ca"))
    requester = _requester(invocation, bound)
    container = enrolment.make_key(machine, provider, wish)
    request = enrolment.request_of(machine, container, wish, requester)
    try:
        answer = authority.submit(request, {"CertificateTemplate": wish.template}, requester, False)
    except (CaUnreachable, CaRefused) as refusal:
        # That the key of a request that never reached the CA is removed is unverified.
        machine.containers.remove(container.provider, container.name)
        raise _failure(refusal.code) from refusal
    if answer.disposition == "pending":
        enrolment.keep_request(machine, container, wish)
        role.requests.append(
            PendingRequest(
                answer.request_id, authority.config, tuple(usages(bound)), container.name, wish.friendly_name
            )
        )
        return
    _take(machine, container, answer, wish.friendly_name)


def _take(machine: Machine, container: KeyContainer, answer: CaAnswer, friendly_name: str | None) -> None:
    """Install what was issued.

    Raises:
        LyncFailure: it was denied.
    """
    if answer.certificate is None:
        machine.containers.remove(container.provider, container.name)
        raise LyncFailure(f"The request {answer.request_id} was denied. {answer.message} (0x{answer.code:08x})")
    enrolment.install(machine, container, answer.certificate, friendly_name)


def _requests(invocation: Invocation, bound: Bound) -> list[PendingRequest]:
    wanted = to_integer(bound.named["requestid"]) if "requestid" in bound.named else None
    return [one for one in role_of(invocation).requests if wanted is None or one.request_id == wanted]


def _list(invocation: Invocation, bound: Bound) -> None:
    for one in _requests(invocation, bound):
        shown = {
            "RequestId": one.request_id,
            "CA": one.config,
            "CertificateUses": list(one.usages),
            "Status": "Pending",
        }
        invocation.sink.emit(PSObject("System.Management.Automation.PSCustomObject", shown))


def _retrieve(invocation: Invocation, bound: Bound) -> None:
    machine, role = invocation.session.machine, role_of(invocation)
    for one in _requests(invocation, bound):
        requester = _requester(invocation, bound)
        try:
            answer = _authority(machine, one.config).retrieve(one.request_id, requester)
        except (CaUnreachable, CaRefused) as refusal:
            raise _failure(refusal.code) from refusal
        if answer.disposition == "pending":
            continue
        if answer.disposition == "denied" and answer.code in _NO_REQUEST:
            raise _failure(answer.code)
        role.requests.remove(one)
        container = next((held for held in machine.containers if held.name == one.container), None)
        if container is None:
            raise LyncFailure("Keyset does not exist", "CryptographicException")
        _take(machine, container, answer, one.friendly_name)


def _authority(machine: Machine, config: str) -> AuthorityService:
    found = machine.authorities.find(config) if machine.authorities else None
    if found is None:
        raise _failure(0x800706BA)
    return found


def _requester(invocation: Invocation, bound: Bound) -> str:
    r"""``DOMAIN\user`` of the caller.

    Raises:
        LyncFailure: he logged on without credentials for a third machine.
    """
    if "caaccount" in bound.named:
        raise NotSimulated("Request-CsCertificate -CaAccount")
    if isinstance(invocation.session.user, NetworkLogon):
        raise _failure(0x80070005)
    return f"{invocation.session.machine.netbios_domain}\\{bare_name(invocation.session.user)}"


def _failure(code: int) -> LyncFailure:
    text = _TEXTS.get(code, "The certification authority refused the request.")
    return LyncFailure(f"{text} (Exception from HRESULT: 0x{code:08X})", "COMException")
