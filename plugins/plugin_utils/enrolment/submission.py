# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done with a request, from what earlier runs left and from what the CA database says.

A request is identified by its encoding. What a CA answered to it is kept on the host that submitted it, so that a run
that was cut anywhere can be run again: a request with an answer is never submitted a second time, and one whose
submission may or may not have reached the CA is looked up in the CA's database first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ..evidence.armour import kind_of, unwrap
from ..evidence.ca_rows import read_table
from ..evidence.certutil_text import read_lines
from ..evidence.cmc import requests_within
from ..record import EvidenceError
from .answer import check_answer, chosen, read_certificates
from .errors import EnrolmentError
from .keys import public_key_of
from .names import is_oid
from .response import Response, read_response
from .wish import checked_template

try:
    from cryptography import x509
    from cryptography.x509.oid import NameOID
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None

Step = Literal["return", "retrieve", "look", "submit"]
"""Return what is kept; ask the CA what became of the request; look it up in the CA's database; submit it."""

_CONFIG = re.compile(r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?)\\(?P<name>\w[\w .,()&'+!#@-]{0,63})")
"""A host and the common name of a CA (at most 64 characters), or its sanitized form, which has ``!`` and ``#``."""
_RESTRICTION = re.compile(r"[A-Za-z0-9*][A-Za-z0-9 ._*-]{0,63}")
"""Common names that can stand in ``-restrict``, where a comma separates conditions."""
_ID_LINE = re.compile(
    r"[^:\uff1a\d]{1,60}[:\uff1a]\s*[\"\u00ab\u201c\u201e]?\s*([1-9][0-9]{0,9})\s*[\"\u00bb\u201d\u201c]?"
)
"""``RequestId: 29``, ``RequestId: "29"``, with ``Anforderungs-ID`` and the like; French has guillemets (seen)."""
_ACTIVE = re.compile(r"\s+Active\s+REG_SZ\s+(\S.*?)\s*")
_ISSUED, _PENDING = 20, 9
"""Dispositions of the CA database (CertView.h)."""


@dataclass(frozen=True)
class SubmissionOrder:
    """What is to be submitted, and how."""

    csr: bytes
    """PKCS#10 or CMC: DER, PEM with any label, or bare base64."""
    template: str | None = None
    """The name (cn) of a template; an OID is only compared by the CA with what stands in the request."""
    ca: str | None = None
    r"""``HOST\CA name``; ``None`` for the CA on the host of the task."""
    request_id: int | None = None
    """A request that was submitted elsewhere and is only to be retrieved."""
    admin_force_machine: bool = False
    """Submit as the computer account of the host."""
    wait: int = 0
    """Seconds to wait for a manager of the CA to approve."""
    poll: int = 30
    """Seconds between two questions while waiting."""
    resubmit: bool = False
    """Submit even when the outcome of an earlier submission cannot be found out."""


@dataclass(frozen=True)
class Asked:
    """A request as it is worked with."""

    der: bytes
    """As it is submitted."""
    pkcs10: bytes
    """The request itself; within ``der`` when that is CMC."""

    @property
    def identity(self) -> str:
        """The name of the directory of the submission: 32 hexadecimal digits."""
        return hashlib.sha256(self.der).hexdigest()[:32]

    @property
    def common_name(self) -> str | None:
        """The common name, when it can be searched for in a CA database."""
        names = x509.load_der_x509_csr(self.pkcs10).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        value = str(names[0].value) if names else ""
        return value if _RESTRICTION.fullmatch(value) else None


@dataclass(frozen=True)
class Kept:
    """What a host keeps of a submission."""

    directory: bool
    """Whether somebody began."""
    response: bytes | None = None
    certificate: bytes | None = None
    chain: bytes | None = None
    output: str = ""
    """What certreq said."""
    ca: str | None = None
    """To which CA it was submitted."""


@dataclass(frozen=True)
class Issued:
    """An issued certificate that answers the request."""

    certificate: bytes
    chain: tuple[bytes, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class InDatabase:
    """A row of the CA database with the request's key."""

    request_id: int
    disposition: Literal["issued", "pending"]


def asked(order: SubmissionOrder) -> Asked:
    """Check an order before anything is done with it.

    Raises:
        EnrolmentError: the request cannot be read, or a value does not keep to its alphabet.
    """
    if order.ca is not None:
        check_config(order.ca)
    if order.template is not None:
        checked_template(order.template)
    if order.request_id is not None and not 0 < order.request_id <= 0xFFFFFFFF:
        raise EnrolmentError(
            f"{order.request_id} is not the id of a request.",
            place="the option 'request_id'",
            remedy="Give the number that the CA shows for the request.",
        )
    if order.wait < 0 or order.poll < 1:
        raise EnrolmentError(
            f"A wait of {order.wait} seconds with {order.poll} seconds between two questions is not possible.",
            place="the options 'wait' and 'poll'",
            remedy="Give a wait of 0 or more and a poll of 1 or more.",
        )
    return read_request(order.csr)


def read_request(data: bytes) -> Asked:
    """The one request of a file.

    Raises:
        EnrolmentError: there is none, there are several, or it is damaged.
    """
    found = unwrap(data)
    requests = found.of_kind("pkcs10", "cmc")
    if len(requests) != 1:
        held = f" They hold: {found.labels()}." if found.labels() and not requests else ""
        number = f"{len(requests)} certificate requests, not one" if requests else "no certificate request"
        raise EnrolmentError(
            f"The {len(data)} bytes hold {number}.{held}",
            place="the option 'csr'",
            remedy="Give the request as winpki.keyprovider.certificate_request returns it.",
        )
    der = requests[0].der
    try:
        inner = der if requests[0].kind == "pkcs10" else _within(der)
        public_key_of(inner)
    except EvidenceError as exc:
        raise EnrolmentError(
            f"The request cannot be read: {exc.message}", place="the option 'csr'", remedy=exc.remedy
        ) from exc
    return Asked(der, inner)


def check_config(config: str) -> str:
    r"""A CA's configuration string, when it is one.

    Raises:
        EnrolmentError: it is not of the form ``HOST\CA name``.
    """
    if not _CONFIG.fullmatch(config) or config != config.strip():
        raise EnrolmentError(
            f"{config!r} is not the configuration string of a CA.",
            place="the option 'ca'",
            remedy=r"Give it as HOST\CA name, as certutil shows it behind 'Config:', such as"
            r" ca1.contoso.example\Contoso Issuing CA 1.",
        )
    return config


def same_ca(first: str, second: str) -> bool:
    """Whether two configuration strings name the same CA; the host may have its full name in one of them only."""
    (host, _between, name), (other_host, _as_well, other_name) = first.partition("\\"), second.partition("\\")
    hosts = {host.casefold(), other_host.casefold()}
    short = {each.partition(".")[0] for each in hosts}
    alike = len(hosts) == 1 or (len(short) == 1 and hosts & short)
    return bool(alike) and name.casefold() == other_name.casefold()


def local_config(computer: str, query: str) -> str | None:
    r"""The configuration string of the CA on a host; ``None`` when there is none.

    Args:
        computer: the name of the host.
        query: what ``reg.exe query ...\CertSvc\Configuration /v Active`` printed; names of values are not translated.

    Raises:
        EnrolmentError: there is one, but its name cannot be used.
    """
    active = next((match[1] for line in query.splitlines() if (match := _ACTIVE.fullmatch(line))), None)
    return check_config(f"{computer}\\{active}") if active and computer else None


def attributes(template: str | None) -> str | None:
    """The argument of ``-attrib``; ``None`` when there is nothing to say: an OID stands in the request itself."""
    return None if template is None or is_oid(template) else f"CertificateTemplate:{template}"


def next_step(kept: Kept, order: SubmissionOrder, request: Asked) -> tuple[Step, Response | None]:
    """What is to be done, and the answer that is kept, when it can be used."""
    response = usable_response(kept, request)
    if response is not None and response.status == "issued":
        return "return", response
    if order.request_id is not None or (response is not None and response.status == "pending"):
        return "retrieve", response
    if kept.directory and response is None and not order.resubmit:
        return "look", None
    return "submit", response


def usable_response(kept: Kept, request: Asked) -> Response | None:
    """The answer that is kept; ``None`` without one, and when it is damaged or answers another request."""
    try:
        response = read_response(kept.response or b"")
        if response.status == "issued":
            chosen(pool(kept, response), public_key_of(request.pkcs10))
    except EnrolmentError:
        return None
    return response


def pool(kept: Kept, response: Response) -> tuple[bytes, ...]:
    """All certificates that came with an answer, each once."""
    found = list(response.certificates)
    for data in (kept.certificate, kept.chain):
        try:
            found += read_certificates(data) if data else ()
        except EnrolmentError:
            continue  # the response has what is needed
    return tuple(dict.fromkeys(found))


def issued(kept: Kept, response: Response, request: Asked, *, at: datetime) -> Issued:
    """The certificate of an answer, checked against the request.

    Raises:
        EnrolmentError: it answers another key or other names, or is not valid.
    """
    certificate, chain = chosen(pool(kept, response), public_key_of(request.pkcs10))
    return Issued(certificate, chain, tuple(check_answer(certificate, request.pkcs10, at=at, chain=chain)))


def request_id_of(output: str) -> int | None:
    """The request id in what certreq said: the first line that has a label and one number. Only to be shown."""
    return next((int(match[1]) for line in output.splitlines() if (match := _ID_LINE.fullmatch(line.strip()))), None)


def restriction(common_name: str) -> str:
    """The argument of ``certutil -view -restrict`` for the rows of a common name."""
    return f"Request.CommonName={common_name}"


def find_rows(output: str, request: Asked) -> InDatabase | None:
    """The row of a request in what ``certutil -view`` printed: an issued one, else a pending one, the newest of them.

    Denied and failed rows led to no certificate, and revoked ones to none that can be used.

    Raises:
        EnrolmentError: the output is none of ``certutil -view``, or has a row that cannot be read: it may be the one.
    """
    table = read_table(read_lines(output.encode()))
    if not table.recognized:
        raise EnrolmentError("The output is none of certutil -view.", place="CA database")
    own = public_key_of(request.pkcs10)
    found: dict[int, list[int]] = {_ISSUED: [], _PENDING: []}
    for row in table.rows:
        number = row.number_of("Request.RequestID", "RequestID")
        disposition = row.number_of("Request.Disposition")
        pem = row.pem("Request.RawRequest", "CERTIFICATE REQUEST")
        if number is None or disposition is None or (disposition in found and not pem):
            raise EnrolmentError(f"Row {row.number} cannot be read.", place="CA database")
        if disposition in found and pem and _row_key(pem) == own:
            found[disposition].append(number)
    if found[_ISSUED]:
        return InDatabase(max(found[_ISSUED]), "issued")
    return InDatabase(max(found[_PENDING]), "pending") if found[_PENDING] else None


def _row_key(pem: str) -> bytes | None:
    try:
        return public_key_of(read_request(pem.encode("ascii", "replace")).pkcs10)
    except EnrolmentError:
        return None  # of another kind, so not ours


def _within(der: bytes) -> bytes:
    enclosed: Sequence[bytes] = [inner.pkcs10 for inner in requests_within(der).enclosed]
    if len(enclosed) != 1 or kind_of(enclosed[0]) != "pkcs10":
        raise EvidenceError(
            f"The CMC request holds {len(enclosed)} PKCS#10 requests, not one.",
            remedy="Make the request with RequestType = PKCS10.",
        )
    return enclosed[0]
