# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writer of serialized certificate stores: elements (registry blobs), .sst files, ``reg query`` and ``reg export``.

Layout: MS-GPEF 2.2.1.1.1.1 (element and its properties), MS-GPEF 2.2.1.1.1.1.1 and MS-BPAU 2.2.2.1.1 (property 2),
MS-OSHARED 2.3.2.5 (store file). All integers are little-endian and unsigned.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

KEY_PROV_INFO = 2
SHA1_HASH = 3
MD5_HASH = 4
FRIENDLY_NAME = 11
SIGNATURE_HASH = 15
ARCHIVED = 19
KEY_IDENTIFIER = 20
SUBJECT_PUBLIC_KEY_MD5 = 25
CERTIFICATE = 32
REQUEST_ORIGINATOR = 71
PUBLIC_KEY_BITS = 92

REGISTRY_ROOT = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SystemCertificates"

_HEADER_LENGTH = 28
_PARAMETER_LENGTH = 16
_EXPORT_LINE = 77


def _padded(data: bytes) -> bytes:
    """Zeros up to the next multiple of eight: seen in each property 2 that comes from a real Windows."""
    return data + bytes(-len(data) % 8)


def text(value: str) -> bytes:
    """A string as the store holds it: UTF-16LE with its terminating NUL (friendly name, description, originator)."""
    return value.encode("utf-16-le", "surrogatepass") + b"\0\0"


def key_prov_info(
    container: str | None,
    provider: str | None,
    provider_type: int,
    flags: int,
    key_spec: int,
    parameters: Sequence[tuple[int, bytes, int]] = (),
) -> bytes:
    """The value of property 2 (CERT_KEY_PROV_INFO_PROP_ID).

    Seven integers, the parameter entries, the container name, the provider name, the parameters' data; each string and
    each datum is padded to eight bytes. ``None`` gives the offset 0, the null pointer of CRYPT_KEY_PROV_INFO.

    :param parameters: (id, data, flags) of each provider parameter; empty data is written as offset 0, length 0.
    """
    entries_offset = _HEADER_LENGTH if parameters else 0
    offset = _HEADER_LENGTH + _PARAMETER_LENGTH * len(parameters)
    tail = b""
    offsets = []
    for name in (container, provider):
        if name is None:
            offsets.append(0)
        else:
            offsets.append(offset + len(tail))
            tail += _padded(text(name))
    entries = b""
    for identifier, data, parameter_flags in parameters:
        place = offset + len(tail) if data else 0
        entries += struct.pack("<4I", identifier, place, len(data), parameter_flags)
        tail += _padded(data)
    header = struct.pack("<7I", *offsets, provider_type, flags, len(parameters), entries_offset, key_spec)
    return header + entries + tail


def element(properties: Sequence[tuple[int, bytes]], der: bytes) -> bytes:
    """One certificate with its properties, the certificate (property 32) last as real Windows writes it."""
    records = [*properties, (CERTIFICATE, der)]
    return b"".join(struct.pack("<3I", number, 1, len(value)) + value for number, value in records)


def sst(elements: Sequence[bytes]) -> bytes:
    """A serialized store file: version 0, the signature CERT, the elements, an end record of zeros."""
    return bytes(4) + b"CERT" + b"".join(elements) + bytes(12)


def certificates_key(store: str = "MY") -> str:
    """The registry key below which the certificates of a store of the machine lie."""
    return f"{REGISTRY_ROOT}\\{store}\\Certificates"


def reg_value(name: str, kind: str, value: str) -> str:
    """One value as ``reg query`` prints it: four blanks before each of name, type and data."""
    return f"    {name}    {kind}    {value}\r\n"


def reg_query(entries: Mapping[str, bytes], store: str = "MY") -> str:
    """What ``reg query KEY /s`` prints for the certificates of a store.

    :param entries: the name of each subkey (a thumbprint) and its blob, in the order of printing.
    :returns: text with CRLF: an empty line before each key and one after the last; a blob is one line, however long.
    """
    root = certificates_key(store)
    blocks = (
        f"\r\n{root}\\{name}\r\n" + reg_value("Blob", "REG_BINARY", blob.hex().upper())
        for name, blob in entries.items()
    )
    return "".join(blocks) + "\r\n"


def _export_hex(name: str, blob: bytes) -> str:
    line = f'"{name}"=hex:'
    lines = []
    for position, byte in enumerate(blob):
        digits = f"{byte:02x}" + ("," if position < len(blob) - 1 else "")
        if len(line) + len(digits) > _EXPORT_LINE:
            lines.append(line + "\\")
            line = "  "
        line += digits
    return "\r\n".join([*lines, line])


def reg_export(entries: Mapping[str, bytes], store: str = "MY") -> bytes:
    """What ``reg export`` writes for a store: UTF-16LE with byte order mark, CRLF, lower-case hexadecimal.

    Lines are at most 78 characters, continued with a backslash and two blanks.
    """
    keys = [f"[{REGISTRY_ROOT}\\{store}]\r\n", f"[{certificates_key(store)}]\r\n"]
    for name, blob in entries.items():
        keys.append(f"[{certificates_key(store)}\\{name}]\r\n" + _export_hex("Blob", blob) + "\r\n")
    return ("\ufeffWindows Registry Editor Version 5.00\r\n\r\n" + "\r\n".join(keys) + "\r\n").encode("utf-16-le")
