# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""``certreq -submit`` and ``certreq -retrieve``.

Both print the request id twice and the outcome (transcripts; the id in German and French as another project saw it,
the rest of these languages is unknown and stays English) and write, as far as they are named, the certificate, its
chain (PKCS #7) and the CA's full response; without a name for the response it goes beside the certificate, with the
ending ``.rsp``. A request that waits or is denied leaves the response alone. All files are base64 between the lines
``BEGIN CERTIFICATE`` and ``END CERTIFICATE``, responses of a Server 2022 CA too (repository
tokentimerch/tokentimer-core; of the chain it is unverified), DER with ``-binary``. A file that is there already and
may not be replaced fails the call after the CA has done its part (the same project: 0x80070050 for the response).

The caller is the user, or with ``-AdminForceMachine`` the computer, which takes an administrator. A user who came
over the network without credentials to hand on is nobody to a CA on another host: access denied (the error of such a
submission in PKISolutions/PSPKI issue 245).
"""

from __future__ import annotations

import ntpath
import re

from ..adcs.model import AuthorityService, CaAnswer, CaRefused, CaUnreachable
from ..adcs.response import chain_file
from ..formats.request import armoured
from ..host.machine import bare_name
from ..powershell.errors import NotSimulated
from ..wire.host import NetworkLogon
from . import hresult
from .base import Result
from .certreq_call import CertreqCall, CertreqFault, done, read, write
from .encodings import NoCertificates, decoded

_OPTIONS = ("config", "attrib", "q", "f", "binary", "adminforcemachine", "any", "rpc")
_ID_LINES = {
    "en": ("RequestId: {0}", 'RequestId: "{0}"'),
    "de": ("Anforderungs-ID: {0}", 'Anforderungs-ID: "{0}"'),
    "fr": ("IDDemande : {0}", "IDDemande : \u00ab {0} \u00bb"),
}
"""The second line of each was seen, of the first only the English one."""
_PAIR_END = re.compile(r"\\n|\n")


def submit(arguments: CertreqCall) -> Result:
    """Hand a request to a CA.

    Raises:
        CertreqFault: the call ends with an HRESULT.
    """
    _check_options(arguments)
    path = arguments.path(0)
    assert path is not None
    try:
        request = decoded(read(arguments, path))
    except NoCertificates as exc:
        # The code was published for a certreq that could not read its input; whether the CA saw it is unverified.
        raise CertreqFault(hresult.CRYPT_E_ASN1_BADTAG) from exc
    authority = _authority(arguments)
    requester, computer = _requester(arguments, authority)
    try:
        answer = authority.submit(request, _attributes(arguments.value("attrib")), requester, computer)
    except (CaUnreachable, CaRefused) as fault:
        raise CertreqFault(fault.code) from fault
    return _outcome(arguments, answer)


def retrieve(arguments: CertreqCall) -> Result:
    """Ask a CA what became of a request. Its id is decimal or, after ``0x``, hexadecimal.

    Raises:
        CertreqFault: the call ends with an HRESULT.
        NotSimulated: the first operand is a serial number.
    """
    _check_options(arguments)
    given = arguments.operands[0]
    if not re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}|[0-9]{1,9}", given):
        raise NotSimulated(f"certreq -retrieve {given}")
    authority = _authority(arguments)
    requester, _computer = _requester(arguments, authority)
    try:
        answer = authority.retrieve(int(given, 16 if given[:2].lower() == "0x" else 10), requester)
    except (CaUnreachable, CaRefused) as fault:
        raise CertreqFault(fault.code) from fault
    return _outcome(arguments, answer)


def _check_options(arguments: CertreqCall) -> None:
    strange = [name for name in arguments.options if name not in _OPTIONS]
    if strange:
        raise NotSimulated(f"certreq -{arguments.verb} -{strange[0]}")


def _attributes(given: str | None) -> dict[str, str]:
    r"""Pairs ``Name:Value``; the two characters ``\n`` stand between them (Microsoft, "certreq"). A pair without colon
    is passed over (MS-WCCE 3.2.1.4.2.1.2).
    """
    pairs = (piece.partition(":") for piece in _PAIR_END.split(given or ""))
    return {name: value for name, colon, value in pairs if colon}


def _authority(arguments: CertreqCall) -> AuthorityService:
    """The CA that is meant.

    A host that is not there or runs no CA does not answer (0x800706BA). A CA that is called by another name refuses
    with 0x80070057 (MS-WCCE 3.2.1.4.2.1; certutil -ping said so, too). ``-config -`` is the CA of this host; without
    one its error is that of certutil: no more data (unverified for certreq). Without ``-config`` and without a CA of
    its own a host shows a window.
    """
    known, machine = arguments.machine.authorities, arguments.machine
    config = arguments.value("config")
    if config in (None, "-"):
        local = known.local(machine.name) if known else None
        if local is None and config is None:
            raise NotSimulated(f"certreq -{arguments.verb} waits for a window in which a CA is chosen")
        if local is None:
            raise CertreqFault(hresult.NO_MORE_ITEMS)
        return local
    found = known.find(config) if known and config else None
    if found is not None:
        return found
    host, _between, name = (config or "").partition("\\")
    there = known.local(host.partition(".")[0]) if known else None
    raise CertreqFault(hresult.INVALID_PARAMETER if there or not name else hresult.RPC_S_SERVER_UNAVAILABLE)


def _requester(arguments: CertreqCall, authority: AuthorityService) -> tuple[str, bool]:
    """Who asks, and whether that is the computer."""
    machine, user = arguments.machine, arguments.call.user
    if arguments.flag("adminforcemachine"):
        if not machine.is_administrator(user):
            raise CertreqFault(hresult.ACCESS_DENIED)
        return f"{machine.netbios_domain}\\{machine.name.upper()}$", True
    local = machine.authorities.local(machine.name) if machine.authorities else None
    if isinstance(user, NetworkLogon) and authority is not local:
        raise CertreqFault(hresult.ACCESS_DENIED)
    return f"{machine.netbios_domain}\\{bare_name(user)}", False


def _outcome(arguments: CertreqCall, answer: CaAnswer) -> Result:
    """Print the outcome and write the files: the certificate first, the response last (the order is unverified)."""
    lines = _ID_LINES.get(arguments.machine.language, _ID_LINES["en"])
    said = "".join(line.format(answer.request_id) + "\n" for line in lines)
    if answer.disposition == "issued":
        said += f"Certificate retrieved(Issued) {answer.message}\n"
    elif answer.disposition == "pending":
        said += f"Certificate request is pending: {answer.message} (0)\n"
    else:
        meaning = f"{hresult.meaning(answer.code)} {hresult.shown(answer.code)}"
        said += f"Certificate not issued (Denied) {answer.message} {meaning}\n"
    certificate, chain = arguments.path(1), arguments.path(2)
    if answer.certificate is not None and certificate is not None:
        write(arguments, certificate, _encoded(arguments, answer.certificate), said)
        if chain is not None:
            write(arguments, chain, _encoded(arguments, chain_file(answer.chain)), said)
    full = arguments.path(3)
    if full is None and certificate is not None:
        full = ntpath.splitext(certificate)[0] + ".rsp"
    if full is not None:
        write(arguments, full, _encoded(arguments, answer.full_response), said)
    result = done(said)
    return Result(result.stdout, result.stderr, hresult.signed(answer.code))


def _encoded(arguments: CertreqCall, data: bytes) -> bytes:
    return data if arguments.flag("binary") else armoured(data, "CERTIFICATE").encode()
