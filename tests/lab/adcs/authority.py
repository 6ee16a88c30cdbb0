# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An enterprise CA on a host: its table of requests, what it does with a new one, and what its officers do.

MS-WCCE 3.2.1.4.2.1 and 3.2.2.6.2.1, MS-CSRA 3.1.4.1. The CA answers in English: of other languages no text was found.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import NameOID

from .. import pki
from ..directory.model import Directory
from ..host.machine import Machine
from . import access, policy, response
from .certificate import Made, Order, make
from .der import NotDer
from .model import CaAnswer, CaRefused, CaUnreachable, Disposition
from .request import Request, read
from .templates import CertificateTemplate, TemplateTable

PENDING, ISSUED, FAILED, DENIED = 9, 20, 30, 31
"""Request_Disposition (MS-CSRA 3.1.1.1.1)."""

Garbage = Literal["response", "certificate", "other_key", "other_name"]
GARBAGE: tuple[Garbage, ...] = ("response", "certificate", "other_key", "other_name")

RPC_S_SERVER_UNAVAILABLE = 0x800706BA
ACCESS_DENIED = 0x80070005
CRYPT_E_ASN1_BADTAG = 0x8009310B
NTE_BAD_SIGNATURE = 0x80090006
CERT_E_EXPIRED = 0x800B0101
BAD_REQUESTSTATUS = 0x80094003
PROPERTY_EMPTY = 0x80094004
ADMIN_DENIED_REQUEST = 0x80094014

_SHORTENED = (
    "The certificate validity period will be shorter than the {0} Certificate Template specifies, because the template "
    "validity period is longer than the maximum certificate validity period allowed by the CA.  Consider renewing the "
    "CA certificate, reducing the template validity period, or increasing the registry validity period."
)


@dataclass
class Row:
    """A row of the request table."""

    request_id: int
    raw_request: bytes
    attributes: Mapping[str, str]
    """Request attributes by name in lower case."""
    requester: str
    computer: bool
    submitted: datetime
    request: Request | None = None
    """None: it cannot be read."""
    disposition: int = PENDING
    status_code: int = 0
    message: str = ""
    resolved: datetime | None = None
    template: CertificateTemplate | None = None
    certificate: x509.Certificate | None = None
    der: bytes | None = None
    """The certificate."""

    @property
    def requested_common_name(self) -> str | None:
        """The first common name of the requested subject."""
        return common_name(self.request.pkcs10.subject) if self.request else None


class _Failed(Exception):
    """The CA cannot process a request; unlike a denial it cannot be submitted again."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def common_name(name: x509.Name) -> str | None:
    """The first common name of a name."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else None


@dataclass
class CertificationAuthority:
    """One CA. What is not an identity may be set while the lab runs."""

    name: str
    """The common name of its certificate."""
    identity: pki.Issued
    machine: Machine
    """The host on which it runs."""
    directory: Directory
    administrators: Collection[str]
    """Of the directory; see :mod:`lab.adcs.access`."""
    crl: str | None = None
    pend: bool = False
    """Every request waits for an officer (REQDISP_PENDINGFIRST)."""
    policy_message: str | None = None
    """What the policy module adds to the message of an issued certificate."""
    unreachable: bool = False
    garbage: Garbage | None = None
    """A scripted bad answer: a response that is no CMC, a certificate that is none, one of another key or name."""
    san_attribute: bool = False
    """EDITF_ATTRIBUTESUBJECTALTNAME2."""
    clock_offset: timedelta = timedelta()
    """How far the clock of the CA is ahead of the scenario's."""
    rows: list[Row] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    _pool: pki.KeyPool = field(default_factory=pki.KeyPool, repr=False)

    @property
    def config(self) -> str:
        r"""``HOST\CA name``."""
        return f"{self.machine.fqdn}\\{self.name}"

    @property
    def moment(self) -> datetime:
        """What the clock of the CA shows."""
        return self.machine.clock + self.clock_offset

    @property
    def templates(self) -> TemplateTable:
        """The templates of the directory."""
        return TemplateTable(self.directory)

    def reach(self) -> None:
        """Connect to the CA.

        Raises:
            CaUnreachable: it does not answer.
        """
        if self.unreachable:
            raise CaUnreachable(RPC_S_SERVER_UNAVAILABLE)

    def groups(self, requester: str, computer: bool) -> frozenset[str]:
        """The SIDs of an account and its groups."""
        return access.groups(requester, computer, self.administrators, self.templates.domain_sid)

    def submit(self, request: bytes, attributes: Mapping[str, str], requester: str, computer: bool) -> CaAnswer:
        """Take a request. Every one makes a row, also one that is denied or cannot be read.

        Raises:
            CaUnreachable: nothing was done.
        """
        self.reach()
        with self._lock:
            given = policy.parsed_attributes(attributes)
            row = Row(len(self.rows) + 1, request, given, requester, computer, submitted=self.moment)
            self.rows.append(row)
            self._process(row)
            return self._answer(row)

    def retrieve(self, request_id: int, requester: str) -> CaAnswer:
        """What became of a request. The administrators of the CA's host may ask for every one.

        An id that is unknown (0x80094004) or someone else's (0x80070005) gives a signed failure, too. After a denial
        the code is 0x80094014 whatever the reason was (MS-WCCE 3.2.1.4.2.1.3).

        Raises:
            CaUnreachable: nothing was done.
        """
        self.reach()
        with self._lock:
            try:
                row = self.row(request_id)
            except CaRefused as refused:
                return self._failure(request_id, refused.code, "The requested property value is empty.")
            if requester.casefold() != row.requester.casefold() and not self.machine.is_administrator(requester):
                return self._failure(request_id, ACCESS_DENIED, "Access is denied.")
            answer = self._answer(row)
            if row.disposition == DENIED:
                return self._failure(request_id, ADMIN_DENIED_REQUEST, row.message)
            return answer

    def row(self, request_id: int) -> Row:
        """A row by its request id.

        Raises:
            CaRefused: there is none.
        """
        for row in self.rows:
            if row.request_id == request_id:
                return row
        raise CaRefused(PROPERTY_EMPTY)

    def approve(self, request_id: int, officer: str | None = None) -> Row:
        """An officer has a pending or denied request processed again; nothing makes it wait then (MS-CSRA 3.1.4.1.3).

        :param officer: with his domain; default: the domain's Administrator.

        Raises:
            CaRefused: there is no such request, or its state does not allow this.
        """
        with self._lock:
            row = self.row(request_id)
            if row.disposition not in (PENDING, DENIED):
                raise CaRefused(BAD_REQUESTSTATUS)
            self._process(row, officer or self._administrator)
            return row

    def deny(self, request_id: int, officer: str | None = None) -> Row:
        """An officer denies a pending request (MS-CSRA 3.1.4.1.4).

        Raises:
            CaRefused: there is no such request, or it is not pending.
        """
        with self._lock:
            row = self.row(request_id)
            if row.disposition != PENDING:
                raise CaRefused(BAD_REQUESTSTATUS)
            self._resolve(row, DENIED, f"Denied by {officer or self._administrator}", ADMIN_DENIED_REQUEST)
            return row

    @property
    def _administrator(self) -> str:
        return f"{self.machine.netbios_domain}\\Administrator"

    def _process(self, row: Row, officer: str | None = None) -> None:
        """Decide on a request.

        :param officer: who had it processed again.
        """
        try:
            row.request = self._read(row.raw_request)
            template = self._checked(row, row.request)
            if officer is None and (self.pend or (template.schema > 1 and template.pends)):
                row.disposition, row.status_code, row.message = PENDING, 0, "Taken Under Submission"
                return
            made = self._issue(row, row.request, template)
        except _Failed as failed:
            self._resolve(row, FAILED, failed.message, failed.code)
        except policy.Denied as denied:
            self._resolve(row, DENIED, denied.message, denied.code)
        else:
            row.certificate, row.der = made.certificate, made.der
            further = [_SHORTENED.format(template.display_name) if made.shortened else None, self.policy_message]
            further.append(f"Resubmitted by {officer}" if officer else None)
            self._resolve(row, ISSUED, "  ".join(["Issued", *(text for text in further if text)]), 0)

    def _read(self, raw: bytes) -> Request:
        """Read a request. Texts: MS-WCCE, note 82; the code of a wrong signature is unverified."""
        try:
            request = read(raw)
        except NotDer as exc:
            raise _Failed(CRYPT_E_ASN1_BADTAG, "Error Parsing Request") from exc
        if not request.proves_possession:
            raise _Failed(NTE_BAD_SIGNATURE, "Error Verifying Request Signature or Signing Certificate")
        return request

    def _checked(self, row: Row, request: Request) -> CertificateTemplate:
        table = self.templates
        try:
            template = policy.template_of(request, row.attributes, table.all(), table.offered(self.name))
        except NotDer as exc:
            raise _Failed(CRYPT_E_ASN1_BADTAG, "Error Parsing Request") from exc
        row.template = template
        policy.check(request, template, self.groups(row.requester, row.computer))
        return template

    def _issue(self, row: Row, request: Request, template: CertificateTemplate) -> Made:
        """Sign. That a CA whose own certificate has expired fails here with this code is inferred: a CA that could not
        check the revocation of its own certificate said ``Error Constructing or Publishing Certificate`` (published
        transcript), and CERT_E_EXPIRED is what MS-WCCE names for a certificate out of its time.
        """
        own = self.identity.certificate
        if not own.not_valid_before_utc <= self.moment < own.not_valid_after_utc:
            raise _Failed(CERT_E_EXPIRED, "Error Constructing or Publishing Certificate")
        names = row.attributes.get("san") if self.san_attribute else None
        other_key = self._pool.take("rsa2048").public_key() if self.garbage == "other_key" else None
        other_name = x509.Name.from_rfc4514_string("CN=other.example") if self.garbage == "other_name" else None
        order = Order(
            number=row.request_id,
            requester=row.requester,
            computer=row.computer,
            domain=self.directory.domain,
            moment=self.moment,
            alternative_names=names,
            key=other_key,
            subject=other_name,
        )
        return make(self.identity, self.crl, request, template, order)

    def _resolve(self, row: Row, disposition: int, message: str, code: int) -> None:
        row.disposition, row.message, row.status_code, row.resolved = disposition, message, code, self.moment

    def _answer(self, row: Row) -> CaAnswer:
        if row.disposition == PENDING:
            waiting = (row.request_id, row.submitted)
            data = response.full_response(self.identity, response.PENDING, row.message, pending=waiting)
            return self._made("pending", row.request_id, 0, row.message, data)
        if row.disposition != ISSUED or row.der is None:
            return self._failure(row.request_id, row.status_code, row.message)
        certificate = b"No certificate\r\n" if self.garbage == "certificate" else row.der
        chain = (certificate, self.identity.der)
        data = response.full_response(
            self.identity, response.SUCCESS, row.message, certificate=certificate, chain=chain
        )
        return self._made("issued", row.request_id, 0, row.message, data, certificate, chain)

    def _failure(self, request_id: int, code: int, message: str) -> CaAnswer:
        data = response.full_response(self.identity, response.FAILED, message)
        return self._made("denied", request_id, code, message, data)

    def _made(
        self,
        disposition: Disposition,
        request_id: int,
        code: int,
        message: str,
        data: bytes,
        certificate: bytes | None = None,
        chain: tuple[bytes, ...] = (),
    ) -> CaAnswer:
        full = b"No response\r\n" if self.garbage == "response" else data
        return CaAnswer(disposition, request_id, code, message, certificate, chain, full)


class KnownAuthorities:
    """The CAs of a lab, all of which every host reaches (``Authorities`` of :mod:`lab.adcs.model`)."""

    def __init__(self, authorities: Iterable[CertificationAuthority]) -> None:
        self.all = tuple(authorities)

    def find(self, config: str) -> CertificationAuthority | None:
        r"""The CA of a configuration string in any case; its host by the full or the short name."""
        host, _between, name = config.partition("\\")
        for one in self.all:
            names = (one.machine.fqdn, one.machine.name.lower())
            if host.lower() in names and one.name.casefold() == name.casefold():
                return one
        return None

    def local(self, host: str) -> CertificationAuthority | None:
        """The CA that runs on a host (its NetBIOS name), or None."""
        return next((one for one in self.all if one.machine.name.casefold() == host.casefold()), None)
