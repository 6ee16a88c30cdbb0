# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writer of offline registry hives (regf, version 1.5) with keys and binary values, all in one bin.

Layout: the base block of 4,096 bytes, then cells {i32 negative size, content} on multiples of eight; offsets count
from the end of the base block. Values above 16,344 bytes are divided into segments (``db``). What is written was
read back with hivexml and hivexget of libhivex.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

REG_BINARY = 3

_BASE_BLOCK = 4096
_BIN_HEADER = 32
_SEGMENT = 16344
_NOTHING = 0xFFFFFFFF
_COMPRESSED_NAME = 0x20
_ROOT_FLAGS = 0x2C
_WRITTEN = 133_500_000_000_000_000
"""A moment of 2024 as a FILETIME."""


@dataclass(frozen=True)
class HiveKey:
    """A registry key: its binary values and its subkeys, by name (Latin letters)."""

    values: Mapping[str, bytes] = field(default_factory=dict)
    subkeys: Mapping[str, HiveKey] = field(default_factory=dict)


def software_hive(entries: Mapping[str, bytes], store: str = "MY") -> bytes:
    """A SOFTWARE hive with one certificate store.

    :param entries: the name of each key (a thumbprint) and its blob.
    """
    certificates = HiveKey(subkeys={name: HiveKey({"Blob": blob}) for name, blob in entries.items()})
    branch = HiveKey(subkeys={"Certificates": certificates})
    for name in (store, "SystemCertificates", "Microsoft"):
        branch = HiveKey(subkeys={name: branch})
    return hive(branch)


def hive(root: HiveKey, *, name: str = "SOFTWARE", sequence: tuple[int, int] = (7, 7)) -> bytes:
    """A hive file.

    :param name: the file name that the base block records.
    :param sequence: primary and secondary sequence number; they differ in a hive whose log was not replayed.
    """
    cells = _Cells()
    security = cells.add(_security(_BIN_HEADER))
    root_offset = _key(cells, name, root, parent=0, security=security, flags=_ROOT_FLAGS)
    body = cells.bin()
    header = struct.pack(
        "<4sIIQIIIIIII64s",
        b"regf",
        *sequence,
        _WRITTEN,
        1,
        5,
        0,
        1,
        root_offset,
        len(body),
        1,
        name.encode("utf-16-le"),
    ).ljust(508, b"\0")
    return (header + struct.pack("<I", checksum(header))).ljust(_BASE_BLOCK, b"\0") + body


def checksum(header: bytes) -> int:
    """The exclusive or of the first 127 integers of a base block; 0 and 0xFFFFFFFF are never its value."""
    value = 0
    for (part,) in struct.iter_unpack("<I", header[:508]):
        value ^= part
    return {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(value, value)


class _Cells:
    """The cells of one bin."""

    def __init__(self) -> None:
        self._data = bytearray(_BIN_HEADER)

    def add(self, content: bytes) -> int:
        """Append an allocated cell and return its offset."""
        offset = len(self._data)
        size = (len(content) + 4 + 7) // 8 * 8
        self._data += struct.pack("<i", -size) + content.ljust(size - 4, b"\0")
        return offset

    def replace(self, offset: int, content: bytes) -> None:
        """Write anew the content of a cell that is large enough for it."""
        self._data[offset + 4 : offset + 4 + len(content)] = content

    def bin(self) -> bytes:
        """The bin, whose rest is one free cell."""
        rest = -len(self._data) % _BASE_BLOCK
        if rest:
            self._data += struct.pack("<i", rest).ljust(rest, b"\0")
        struct.pack_into("<4sIIQQI", self._data, 0, b"hbin", 0, len(self._data), 0, _WRITTEN, 0)
        return bytes(self._data)


def _security(offset: int) -> bytes:
    """A security cell that is its own neighbour, with an empty self-relative descriptor."""
    descriptor = struct.pack("<BBHIIII", 1, 0, 0x8000, 0, 0, 0, 0)
    return struct.pack("<2sHIIII", b"sk", 0, offset, offset, 1, len(descriptor)) + descriptor


def _key(cells: _Cells, name: str, key: HiveKey, *, parent: int, security: int, flags: int = _COMPRESSED_NAME) -> int:
    encoded = name.encode("latin-1")
    offset = cells.add(bytes(76 + len(encoded)))
    values = [_value(cells, value_name, data) for value_name, data in key.values.items()]
    subkeys = [
        (_key(cells, subkey_name, subkey, parent=offset, security=security), subkey_name)
        for subkey_name, subkey in sorted(key.subkeys.items(), key=lambda item: item[0].upper())
    ]
    subkey_list = _NOTHING
    if subkeys:
        leaf = b"".join(struct.pack("<I4s", place, subkey_name[:4].encode("latin-1")) for place, subkey_name in subkeys)
        subkey_list = cells.add(struct.pack("<2sH", b"lf", len(subkeys)) + leaf)
    value_list = cells.add(struct.pack(f"<{len(values)}I", *values)) if values else _NOTHING
    fixed = struct.pack(
        "<2sHQIIIIIIIIIIIIIIIHH",
        b"nk",
        flags,
        _WRITTEN,
        0,
        parent,
        len(subkeys),
        0,
        subkey_list,
        _NOTHING,
        len(values),
        value_list,
        security,
        _NOTHING,
        max((2 * len(subkey_name) for _place, subkey_name in subkeys), default=0),
        0,
        max((2 * len(value_name) for value_name in key.values), default=0),
        max((len(data) for data in key.values.values()), default=0),
        0,
        len(encoded),
        0,
    )
    cells.replace(offset, fixed + encoded)
    return offset


def _value(cells: _Cells, name: str, data: bytes) -> int:
    encoded = name.encode("latin-1")
    size = len(data)
    if size <= 4:
        place = int.from_bytes(data.ljust(4, b"\0"), "little")
        size |= 0x80000000
    elif size <= _SEGMENT:
        place = cells.add(data)
    else:
        # libhivex counts on four unused bytes behind each segment, which a full segment has by its alignment.
        segments = [cells.add(data[at : at + _SEGMENT] + bytes(4)) for at in range(0, len(data), _SEGMENT)]
        listed = cells.add(struct.pack(f"<{len(segments)}I", *segments))
        place = cells.add(struct.pack("<2sHI", b"db", len(segments), listed))
    return cells.add(struct.pack("<2sHIIIHH", b"vk", len(encoded), size, place, REG_BINARY, 1, 0) + encoded)
