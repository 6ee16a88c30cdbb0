# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one entry to all evidence that comes as bytes: what format it is, and the reader for it.

The content decides. Names of files lie (a .cer may hold a PFX, a .txt anything), so the ending is only asked when the
content fits nothing, which lets the reader of the named format say what is damaged.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from pathlib import PurePath

from ..record import EvidenceError, Problem, Reading
from . import ca_view, certutil, csr, hive, pem, pfx, registry, serialized
from .armour import Unwrapped, unwrap
from .ca_rows import read_table
from .certutil_text import read_lines
from .text import decode

_READERS: dict[str, Callable[[bytes, str], Reading]] = {
    "certutil": certutil.read_certutil,
    "reg_query": registry.read_reg_query,
    "reg_export": registry.read_reg_export,
    "sst": serialized.read_sst,
    "blob": serialized.read_blob,
    "hive": hive.read_hive,
    "csr": csr.read_csr,
    "pfx": pfx.read_pfx,
    "pem": pem.read_pem,
    "ca_view": ca_view.read_ca_view,
}

FORMATS: tuple[str, ...] = ("auto", *_READERS)
"""The values of the option ``format``."""

_OF_KIND = {"certificate": "pem", "pkcs7": "pem", "pkcs10": "csr", "cmc": "csr", "pfx": "pfx"}

_OF_ENDING = {
    ".reg": "reg_export",
    ".sst": "sst",
    ".blob": "blob",
    ".hiv": "hive",
    ".hive": "hive",
    ".csr": "csr",
    ".req": "csr",
    ".p10": "csr",
    ".pfx": "pfx",
    ".p12": "pfx",
    ".pem": "pem",
    ".crt": "pem",
    ".cer": "pem",
    ".der": "pem",
    ".p7b": "pem",
    ".p7c": "pem",
}

# Every pattern is bounded in its line: any file may come here, and one long line of JSON must not take minutes.
_REG_EXPORT = re.compile(r"^[ \t]*(?:Windows Registry Editor Version|REGEDIT4|\[-?HKEY_[A-Z_]+\\)", re.MULTILINE)
_REG_QUERY = re.compile(r"^[ \t]*(?:\\\\[^\\\s]{1,255}\\)?HKEY_[A-Z_]+\\", re.MULTILINE)
_STORE_KEY = re.compile(r"^[^\n]{0,255}\\(?:System|Enterprise)Certificates(?:\\|\s)", re.MULTILINE | re.IGNORECASE)
# Column names of the CA database are not translated; their localized names beside them are.
_VIEW_SCHEMA = re.compile(
    r"^[ \t]+(?:Request\.[A-Z]\w+|RequestID|RawCertificate|CertificateHash|CertificateTemplate|SerialNumber)"
    r"[ \t]{2,}\S",
    re.MULTILINE,
)
_VIEW_ROW = re.compile(r"^\S{1,40} \d+\s?[:：][ \t]*\r?\n  \S[^\n]{0,80}?[:：]", re.MULTILINE)
_CSV = re.compile(r'(?:\s|#[^\n]*\n)*"')
_CERTUTIL_BANNER = re.compile(r"^[ \t]*={5,} [^=\n]{0,80}\d ={5,}\s*$", re.MULTILINE)
_CERTUTIL_END = re.compile(r"^[ \t]*CertUtil: -", re.MULTILINE | re.IGNORECASE)
_CERTUTIL = re.compile(
    r"^[ \t]*CertUtil: "
    r"|CERT_\w{1,60}_PROP_ID"
    r"|=[ \t]+\S[^\n]{0,90}?(?:Cryptographic|Key Storage|Crypto) Provider"
    r"|\(sha1\)[^\n]{0,40}?(?:[0-9a-f]{2} ?){20}"
    r'|^[ \t]*[^\s"]{1,80} "[^"\n]{1,80}"[ \t]*\r?$',
    re.MULTILINE | re.IGNORECASE,
)


def detect(data: bytes, name: str = "") -> str | None:
    """The format of evidence (one of :data:`FORMATS` but ``auto``), or ``None`` when it is none of them.

    :param data: the whole content.
    :param name: the name of the file, whose ending is asked last.
    """
    return next(iter(_candidates(data, name)), None)


def read(data: bytes, origin: str, *, format: str = "auto", password: str | None = None) -> Reading:
    """Read evidence of any format. Never raises: what cannot be read is in ``problems``.

    :param data: the whole content.
    :param origin: the name of the file or the host, for messages.
    :param format: one of :data:`FORMATS`; ``auto`` recognizes it.
    :param password: for PFX files.
    """
    if format not in FORMATS:
        return _nothing(
            origin, f"The format '{format}' is not known.", f"Set the option 'format' to one of: {', '.join(FORMATS)}."
        )
    if not data.strip():
        return _nothing(
            origin, "The file is empty." if not data else "The file holds only blanks.", "Write or export it again."
        )
    formats = _candidates(data, origin) if format == "auto" else [format]
    if not formats:
        return _nothing(
            origin,
            f"The {len(data)} bytes are none of the known kinds of evidence.",
            f"Give other evidence, or name its format in the option 'format': {', '.join(FORMATS[1:])}.",
        )
    reading = Reading()
    for name in formats:
        try:
            reading += pfx.read_pfx(data, origin, password) if name == "pfx" else _READERS[name](data, origin)
        except EvidenceError as error:
            reading += Reading(problems=(error.as_problem(origin),))
    return Reading(reading.certificates, reading.requests, tuple(dict.fromkeys(reading.problems)))


def _nothing(origin: str, message: str, remedy: str) -> Reading:
    return Reading(problems=(Problem(origin, message, remedy),))


def _candidates(data: bytes, name: str) -> list[str]:
    """The format; several for a PEM file with requests beside certificates, or the output of more than one tool."""
    found = _of_binary(data) or _of_text(data)
    if not found:
        ending = _OF_ENDING.get(PurePath(name.replace("\\", "/")).suffix.lower())
        return [ending] if ending and data.strip() else []
    return found


def _of_binary(data: bytes) -> list[str]:
    if data.startswith(b"regf"):
        return ["hive"]
    if data.startswith(b"\0\0\0\0CERT"):
        return ["sst"]
    if len(data) >= 12:
        identifier, reserved, _length = struct.unpack_from("<III", data)
        # A property record: a small id, then 1 (MS-GPEF 2.2.1.1.1.1). Whether the records reach exactly to the end
        # is for the reader to say, which knows the offset where they do not.
        if 0 < identifier < 0x10000 and reserved == 1:
            return ["blob"]
    return []


def _of_text(data: bytes) -> list[str]:
    """The format of text, or of DER, for the same structures come in both."""
    found = unwrap(data)
    if any(payload.place is None for payload in found.payloads):
        return _of_structures(found)
    characters = decode(data)
    if _REG_EXPORT.search(characters):
        return ["reg_export"]
    if _VIEW_SCHEMA.search(characters):
        return ["ca_view"]
    if _REG_QUERY.search(characters):
        # One file may hold what both tools said of a host; certutil -getreg names keys, too, but never of a store.
        told = _CERTUTIL_BANNER.search(characters) or (
            _CERTUTIL_END.search(characters) and not _STORE_KEY.search(characters)
        )
        registry_told = _STORE_KEY.search(characters) or not told
        return [name for name, held in (("reg_query", registry_told), ("certutil", told)) if held]
    if _CERTUTIL_BANNER.search(characters):
        return ["certutil"]
    # Rows of the CA database hold PEM blocks, so they are recognized before PEM.
    if _VIEW_ROW.search(characters) or (_CSV.match(characters) and read_table(read_lines(data)).recognized):
        return ["ca_view"]
    structures = _of_structures(found)
    if structures:
        return structures
    return ["certutil"] if _CERTUTIL.search(characters) else []


def _of_structures(found: Unwrapped) -> list[str]:
    formats = {_OF_KIND[payload.kind] for payload in found.payloads if payload.kind}
    for label in [label for label, _error in found.damaged] + [
        payload.label for payload in found.payloads if not payload.kind and payload.label
    ]:
        formats.add("csr" if label.endswith("CERTIFICATE REQUEST") else "pem")
    if found.private_keys and not formats:
        formats.add("pem")
    return [name for name in ("csr", "pfx", "pem") if name in formats]
