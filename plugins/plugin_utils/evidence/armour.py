# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a file to the DER structures in it: DER itself, PEM with any label, or bare base64.

What a structure is, its bytes decide: ``certutil -encode`` writes BEGIN CERTIFICATE around whatever it is given, and
certreq writes BEGIN NEW CERTIFICATE REQUEST around PKCS#10 and CMC alike.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Literal

from ..record import EvidenceError
from .text import decode

Kind = Literal["certificate", "pkcs10", "cmc", "pkcs7", "pfx"]


def _shape(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL)


_LENGTH = rb"(?:[\x00-\x80]|\x81.|\x82..|\x83...|\x84....)"
_SEQUENCE = rb"\x30" + _LENGTH
_ID_DATA = rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
_ID_SIGNED_DATA = rb"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"
_DIGESTS = rb"\x02\x01.\x31" + _LENGTH + rb".{0,80}?"
_SIGNED_DATA = _SEQUENCE + _ID_SIGNED_DATA + rb"\xa0" + _LENGTH + _SEQUENCE + _DIGESTS + _SEQUENCE
_PKCS10 = _SEQUENCE + _SEQUENCE + rb"\x02\x01\x00\x30(?:\x00\x30|" + _LENGTH + rb"\x31)"
_SHAPES: tuple[tuple[Kind, re.Pattern[bytes]], ...] = (
    # id-cct-PKIData: a full CMC request (RFC 5272).
    ("cmc", _shape(_SIGNED_DATA + rb"\x06\x08\x2b\x06\x01\x05\x05\x07\x0c\x02")),
    # id-data around a PKCS#10: a renewal request of certreq with RequestType = PKCS7 (MS-WCCE 2.2.2.6).
    ("cmc", _shape(_SIGNED_DATA + _ID_DATA + rb"\xa0" + _LENGTH + rb"\x04" + _LENGTH + _PKCS10)),
    ("pkcs7", _shape(_SEQUENCE + _ID_SIGNED_DATA)),
    ("pfx", _shape(_SEQUENCE + rb"\x02\x01\x03\x30")),
    ("pkcs10", _shape(_PKCS10)),
    ("certificate", _shape(_SEQUENCE + _SEQUENCE + rb"(?:\xa0" + _LENGTH + rb")?\x02")),
)

_BEGIN = re.compile(r"-----BEGIN ([^-]+)-----")
_END = re.compile(r"-----END ([^-]+)-----")
_HEADER = re.compile(r"[A-Za-z0-9-]+: ")
_BASE64 = re.compile(r"[A-Za-z0-9+/=]+")


@dataclass(frozen=True)
class Payload:
    """One structure of a file."""

    der: bytes
    kind: Kind | None
    """What the bytes look like from their beginning; ``None`` when they look like nothing known."""
    label: str | None = None
    """The PEM label."""
    place: str | None = None
    """``PEM block at line N``; ``None`` when the structure is the whole file."""


@dataclass(frozen=True)
class Unwrapped:
    """All the structures of a file, the blocks that could not be decoded, and the keys that were left alone."""

    payloads: tuple[Payload, ...] = ()
    damaged: tuple[tuple[str, EvidenceError], ...] = ()
    """The label and what is wrong."""
    private_keys: int = 0
    """PEM blocks with a private key; their content is not even decoded."""

    def of_kind(self, *kinds: Kind) -> list[Payload]:
        """The structures of these kinds, in the order of the file."""
        return [payload for payload in self.payloads if payload.kind in kinds]

    def labels(self) -> str:
        """The labels found, for a message."""
        return ", ".join(dict.fromkeys(payload.label for payload in self.payloads if payload.label))


def kind_of(der: bytes) -> Kind | None:
    """What a DER (or BER) structure is, judged by its first bytes, so that a cut-off one is still recognized."""
    for kind, shape in _SHAPES:
        if shape.match(der):
            return kind
    return None


def unwrap(data: bytes) -> Unwrapped:
    """Find the structures in a file."""
    kind = kind_of(data)
    if kind is not None:
        return Unwrapped((Payload(data, kind),))
    characters = decode(data)
    found = _pem(characters)
    if found.payloads or found.damaged or found.private_keys:
        return found
    bare = _bare_base64(characters)
    return Unwrapped((Payload(bare, kind_of(bare)),)) if bare and kind_of(bare) else Unwrapped()


def _pem(characters: str) -> Unwrapped:
    payloads: list[Payload] = []
    damaged: list[tuple[str, EvidenceError]] = []
    private_keys = 0
    label, start, body = "", 0, [""]
    for number, line in enumerate(characters.splitlines(), 1):
        begin, end = _BEGIN.search(line), _END.search(line)
        if begin:
            if label:
                damaged.append((label, _unfinished(label, start)))
            label, start, body = begin[1].strip(), number, []
        elif end and label:
            if "PRIVATE KEY" in label:
                private_keys += 1
            else:
                place = f"PEM block at line {start}"
                try:
                    der = base64.b64decode("".join(body), validate=True)
                    payloads.append(Payload(der, kind_of(der), label, place))
                except ValueError:
                    damaged.append((label, _no_base64(label, place)))
            label = ""
        elif label and not _HEADER.match(line):
            body.append(line.strip())
    if label:
        damaged.append((label, _unfinished(label, start)))
    return Unwrapped(tuple(payloads), tuple(damaged), private_keys)


def _bare_base64(characters: str) -> bytes | None:
    lines = [line.strip() for line in characters.splitlines() if not line.startswith("#")]
    joined = "".join(lines)
    if not _BASE64.fullmatch(joined):
        return None
    try:
        return base64.b64decode(joined, validate=True)
    except ValueError:
        return None


def _unfinished(label: str, line: int) -> EvidenceError:
    return EvidenceError(
        f"The {label} block has no END line.",
        place=f"PEM block at line {line}",
        remedy="The file was cut short; obtain it again.",
    )


def _no_base64(label: str, place: str) -> EvidenceError:
    return EvidenceError(
        f"The {label} block is not valid base64.", place=place, remedy="The block is damaged; obtain the file again."
    )
