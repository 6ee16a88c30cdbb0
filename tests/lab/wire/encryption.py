# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted messages of Negotiate over http (MS-WSMV 2.2.9.1.1).

The body is multipart/encrypted with two parts. The lines inside a part begin with a TAB, and Length counts the plain
text plus the padding of the security context.
"""

from __future__ import annotations

import re
import struct

import spnego
from spnego.exceptions import SpnegoError

PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
CONTENT_TYPE = f'multipart/encrypted;protocol="{PROTOCOL}";boundary="Encrypted Boundary"'

_BOUNDARY = b"--Encrypted Boundary"
_PAYLOAD = b"Content-Type: application/octet-stream\r\n"
_LENGTH = re.compile(rb"Length=(\d+)")


class DecryptionError(Exception):
    """The message was not encrypted with the security context of this connection, or is damaged."""


def is_encrypted(content_type: str) -> bool:
    """Whether a Content-Type header announces an encrypted message."""
    return content_type.lower().startswith("multipart/encrypted")


def decrypt(context: spnego.ContextProxy, body: bytes) -> bytes:
    """The SOAP message inside an encrypted body. Raises DecryptionError."""
    start = body.find(_PAYLOAD)
    end = body.rfind(_BOUNDARY + b"--")
    declared = _LENGTH.search(body[: max(start, 0)])
    if start < 0 or end < start or declared is None:
        raise DecryptionError("the two parts of an encrypted message were not found")
    payload = body[start + len(_PAYLOAD) : end]
    if len(payload) < 4:
        raise DecryptionError("the encrypted part is shorter than its length field")
    (size,) = struct.unpack_from("<I", payload)
    try:
        message = context.unwrap_winrm(payload[4 : 4 + size], payload[4 + size :])
    except SpnegoError as exc:
        raise DecryptionError(str(exc)) from exc
    if len(message) != int(declared[1]):
        raise DecryptionError(f"Length says {int(declared[1])} bytes, the message has {len(message)}")
    return message


def encrypt(context: spnego.ContextProxy, message: bytes) -> bytes:
    """The body that carries ``message`` encrypted; its type is CONTENT_TYPE."""
    header, data, padding = context.wrap_winrm(message)
    return b"".join(
        (
            _BOUNDARY,
            f"\r\n\tContent-Type: {PROTOCOL}\r\n".encode(),
            f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(message) + padding}\r\n".encode(),
            _BOUNDARY,
            b"\r\n\t" + _PAYLOAD,
            struct.pack("<I", len(header)),
            header,
            data,
            _BOUNDARY + b"--\r\n",
        )
    )
