# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AD CS CA answered: the CMC full response that certreq writes as its fourth file (.rsp).

Structure: SignedData around a ResponseBody (RFC 5272 section 3.3), as MS-WCCE 3.2.1.4.2.1.4.8.2 fills it: a status
(id-cmc-statusInfo) and, when a certificate is returned, its SHA-1 hash among added attributes. The request id stands
in it only while the request is pending. Measurements of others on Server 2019 to 2025 found it so in every language.
Against the document, real responses hold no certificates unless one was issued, so none is required.

The signature is not checked: the file comes from the host that asked the CA.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..evidence import asn1
from ..evidence.armour import unwrap
from ..evidence.cmc import signed_data
from ..record import EvidenceError
from .errors import EnrolmentError

Status = Literal["issued", "pending", "denied"]

_PKI_RESPONSE = "1.3.6.1.5.5.7.12.3"
_STATUS_INFO = ("1.3.6.1.5.5.7.7.1", "1.3.6.1.5.5.7.7.25")
"""id-cmc-statusInfo and id-cmc-statusInfoV2; the fields that matter are alike."""
_ISSUED_CERT_HASH = "1.3.6.1.4.1.311.21.17"
_STATUSES: dict[int, Status] = {0: "issued", 2: "denied", 3: "pending"}
_TOKEN_BYTES = 4
_DEEPEST = 8
_INTEGER, _OID, _UTF8_STRING, _SEQUENCE = 0x02, 0x06, 0x0C, 0x30
_PLACE = "response of the CA"
_REMEDY = "Look at the request on the CA (certsrv.msc, or certutil -view); certutil -dump shows what the file holds."
_HRESULT = re.compile(r"\b0x(8[0-9a-f]{7})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Response:
    """What became of a request."""

    status: Status
    request_id: int | None
    """The CA tells it only while the request is pending."""
    certificate: bytes | None
    """DER. ``None`` unless issued, and where the response does not tell which of its certificates it is."""
    certificates: tuple[bytes, ...]
    """All certificates of the response, DER, in no certain order."""
    message: str
    """The disposition message, in the language of the CA; often empty."""
    fail_info: int | None
    """The CMC failure code (RFC 5272 section 6.1.4); CAs of Microsoft give none."""

    @property
    def hresult(self) -> int | None:
        """Of a denial, the code that the policy module wrote into its message; ``None`` when there is none."""
        found = _HRESULT.findall(self.message) if self.status == "denied" else []
        return int(found[-1], 16) if found else None


@dataclass(frozen=True)
class _StatusInfo:
    status: Status
    request_id: int | None
    message: str
    fail_info: int | None


def read_response(data: bytes) -> Response:
    """Read a full response: DER, PEM with any label, or bare base64.

    Raises:
        EnrolmentError: it is something else, or damaged.
    """
    if not data:
        raise _wrong("The file is empty.")
    payloads = unwrap(data).payloads
    if len(payloads) != 1:
        raise _wrong(f"The {len(data)} bytes are no CMC response.")
    if payloads[0].kind != "pkcs7":
        raise _wrong(f"The file holds no CMC response but: {payloads[0].kind or 'unknown data'}.")
    try:
        return _read(payloads[0].der)
    except EnrolmentError:
        raise
    except EvidenceError as exc:
        raise _wrong(exc.message) from exc


def _read(der: bytes) -> Response:
    signed = signed_data(der)
    if signed.content_type != _PKI_RESPONSE:
        raise _wrong(f"The file holds content of type {signed.content_type}, not a CMC response ({_PKI_RESPONSE}).")
    body = asn1.elements(signed.content, "The response body")
    statuses: list[_StatusInfo] = []
    hashes: list[bytes] = []
    for control in asn1.elements(asn1.only(body, 0, "The controlSequence"), "The controlSequence"):
        fields = asn1.elements(control, "A control of the response")
        kind = asn1.oid(asn1.only(fields, 1, "The type of a control"), "The type of a control")
        values = asn1.only(fields, 2, f"The value of control {kind}")
        if kind in _STATUS_INFO:
            statuses += [_status_info(value) for value in asn1.elements(values, "The status")]
        else:
            hashes += _hashes(control, 0)
    if not statuses:
        raise _wrong("The response tells no status.")
    info = statuses[0]
    if any(other.status != info.status for other in statuses):
        raise _wrong("The response tells several statuses that contradict each other.")
    certificate = _issued(signed.certificates, hashes) if info.status == "issued" else None
    return Response(info.status, info.request_id, certificate, signed.certificates, info.message, info.fail_info)


def _status_info(encoded: bytes) -> _StatusInfo:
    """``CMCStatusInfo`` (RFC 5272 appendix A): status, body list, then what is optional."""
    fields = asn1.elements(encoded, "The status")
    number = asn1.integer(asn1.only(fields, 0, "The number of the status"), "The number of the status")
    if number not in _STATUSES:
        raise _wrong(f"The response has the status {number}, which no CA of Microsoft gives.")
    status = _STATUSES[number]
    message, fail_info, request_id = "", None, None
    for field in fields[2:]:
        if field[0] == _UTF8_STRING:
            message = " ".join(asn1.text(field, "The status string").split())
        elif field[0] == _INTEGER:
            fail_info = asn1.integer(field, "The failure code")
        elif field[0] == _SEQUENCE and status == "pending":
            request_id = _request_id(field)
    if status == "pending" and request_id is None:
        raise _wrong("The response says that the request is pending, but does not tell its request id.")
    return _StatusInfo(status, request_id, message, fail_info)


def _request_id(pend_info: bytes) -> int:
    """The token of a pending request: its id, as a 32-bit number in little-endian order (measured by others)."""
    what = "The token of the pending request"
    token = asn1.octets(asn1.only(asn1.elements(pend_info, what), 0, what), what)
    if len(token) != _TOKEN_BYTES:
        raise _wrong(f"{what} has {len(token)} bytes, not {_TOKEN_BYTES}.")
    return int.from_bytes(token, "little")


def _hashes(encoded: bytes, depth: int) -> Iterator[bytes]:
    """The values of szOID_ISSUED_CERT_HASH, wherever they stand in a control.

    MS-WCCE describes the control around it as plain attributes, wincrypt.h (CMC_ADD_ATTRIBUTES_INFO) as attributes
    behind two more fields.
    """
    if not encoded or not encoded[0] & 0x20 or depth > _DEEPEST:
        return
    parts = asn1.elements(encoded, "A control of the response")
    named = parts and parts[0][0] == _OID and asn1.oid(parts[0], "The type of an attribute") == _ISSUED_CERT_HASH
    if named and len(parts) > 1:
        what = "The hash of the issued certificate"
        yield from (asn1.octets(value, what) for value in asn1.elements(parts[1], what))
        return
    for part in parts:
        yield from _hashes(part, depth + 1)


def _issued(certificates: tuple[bytes, ...], hashes: list[bytes]) -> bytes | None:
    if not certificates:
        raise _wrong("The response says that a certificate was issued, but holds none.")
    if not hashes:
        return certificates[0] if len(certificates) == 1 else None
    for certificate in certificates:
        if hashlib.sha1(certificate, usedforsecurity=False).digest() in hashes:
            return certificate
    raise _wrong(
        f"The response names an issued certificate with the thumbprint {hashes[0].hex().upper()}, but holds only"
        f" {len(certificates)} other(s)."
    )


def _wrong(message: str) -> EnrolmentError:
    return EnrolmentError(message, place=_PLACE, remedy=_REMEDY)
