# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SOAP envelopes of WS-Management: requests are read with the standard library's parser, replies are filled templates.

Sources: DSP0226 (WS-Management), MS-WSMV.
"""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

ENVELOPE = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
IDENTITY = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
SHELL_URI = SHELL + "/cmd"
POWERSHELL = "http://schemas.microsoft.com/powershell"
POWERSHELL_URI = POWERSHELL + "/Microsoft.PowerShell"
FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
CONTENT_TYPE = "application/soap+xml;charset=UTF-8"

OPERATIONS = {
    TRANSFER + "/Create": "Create",
    TRANSFER + "/Delete": "Delete",
    SHELL + "/Command": "Command",
    SHELL + "/Send": "Send",
    SHELL + "/Receive": "Receive",
    SHELL + "/Signal": "Signal",
}
"""The operations of shells by their action URI (MS-WSMV 3.1.4)."""

DEFAULT_TIMEOUT = 60.0
"""Seconds; MS-WSMV 3.1.4.1.6: without OperationTimeout MaxTimeoutms counts, and that is 60000 by default."""

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")

_HEAD = (
    f'<s:Envelope xml:lang="en-US" xmlns:s="{ENVELOPE}" xmlns:a="{ADDRESSING}" xmlns:x="{TRANSFER}" '
    f'xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd">'
    "<s:Header><a:Action>%s</a:Action><a:MessageID>uuid:%s</a:MessageID>"
    f"<a:To>{ADDRESSING}/role/anonymous</a:To>%s</s:Header><s:Body>"
)
_TAIL = b"</s:Body></s:Envelope>"


class MalformedEnvelope(Exception):
    """What was posted is no SOAP envelope."""


@dataclass(frozen=True)
class Envelope:
    """A request: its operation, its headers and the one element of its body."""

    operation: str
    """A value of OPERATIONS, "Identify", or "" for an action that no listed operation has."""
    action: str
    message_id: str
    resource_uri: str
    selectors: dict[str, str]
    options: dict[str, str]
    timeout: float
    """Seconds."""
    max_envelope: int | None
    body: ET.Element | None

    def element(self, name: str) -> ET.Element:
        """The element of the shell namespace inside the body; MalformedEnvelope when it is not there."""
        found = None if self.body is None else self.body.find(f"{{{SHELL}}}{name}")
        if found is None:
            raise MalformedEnvelope(f"{self.operation} without rsp:{name}")
        return found


def parse(data: bytes) -> Envelope:
    """Read a request. Raises MalformedEnvelope."""
    try:
        root = ET.fromstring(data)
    except ET.ParseError as exc:
        raise MalformedEnvelope(f"not XML: {exc}") from exc
    body = root.find(f"{{{ENVELOPE}}}Body")
    if body is not None and body.find(f"{{{IDENTITY}}}Identify") is not None:
        return Envelope("Identify", "", "", "", {}, {}, DEFAULT_TIMEOUT, None, body)
    header = root.find(f"{{{ENVELOPE}}}Header")
    if header is None or root.tag != f"{{{ENVELOPE}}}Envelope":
        raise MalformedEnvelope("no SOAP 1.2 envelope with a header")
    action = _text(header, ADDRESSING, "Action")
    size = _text(header, WSMAN, "MaxEnvelopeSize")
    return Envelope(
        OPERATIONS.get(action, ""),
        action,
        _text(header, ADDRESSING, "MessageID"),
        _text(header, WSMAN, "ResourceURI"),
        {node.get("Name", ""): (node.text or "").strip() for node in header.iter(f"{{{WSMAN}}}Selector")},
        {node.get("Name", ""): (node.text or "").strip() for node in header.iter(f"{{{WSMAN}}}Option")},
        seconds(_text(header, WSMAN, "OperationTimeout")),
        int(size) if size.isdecimal() else None,
        body,
    )


def seconds(duration: str) -> float:
    """An xs:duration without years and months; DEFAULT_TIMEOUT when it is empty or not understood."""
    match = _DURATION.fullmatch(duration)
    if match is None or not any(match.groups()):
        return DEFAULT_TIMEOUT
    days, hours, minutes, rest = (float(group or 0) for group in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def reply(action: str, relates_to: str, body: bytes) -> bytes:
    """A reply to the message ``relates_to`` around a finished body."""
    related = f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo>" if relates_to else ""
    head = _HEAD % (escape(action), new_id(), related)
    return head.encode() + body + _TAIL


def identify_reply(product_version: str) -> bytes:
    """IdentifyResponse (DSP0226 section 11)."""
    return (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{ENVELOPE}" xmlns:wsmid="{IDENTITY}"><s:Header/><s:Body>'
        f"<wsmid:IdentifyResponse><wsmid:ProtocolVersion>{WSMAN}</wsmid:ProtocolVersion>"
        "<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
        f"<wsmid:ProductVersion>{escape(product_version)}</wsmid:ProductVersion>"
        "</wsmid:IdentifyResponse></s:Body></s:Envelope>"
    ).encode()


def new_id() -> str:
    """A fresh GUID, in capitals as Windows writes them."""
    return str(uuid.uuid4()).upper()


def attribute(value: str) -> str:
    """``value`` as a quoted XML attribute value."""
    return quoteattr(value)


def _text(header: ET.Element, namespace: str, name: str) -> str:
    return (header.findtext(f"{{{namespace}}}{name}") or "").strip()
