# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams of .NET in memory, and the gzip stream that packs what is written to it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from ..host.machine import Machine
from .errors import DotNetError, NotSimulated
from .values import Instance, PSObject, Value, to_bytes, to_integer

COMPRESSION_MODE = "System.IO.Compression.CompressionMode"

_GZIP_HEADER = bytes.fromhex("1f8b0800000000000400")
"""No name, no time, extra flags 4, as in gzip data that .NET wrote (``H4sIAAAAAAAEA`` in base64)."""


class Stream(Instance):
    """A stream that can be written."""

    def write(self, data: bytes) -> None:
        """Take bytes."""
        raise NotImplementedError

    def close(self) -> None:
        """Take no more."""
        raise NotImplementedError

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """``Write(buffer, offset, count)``, ``Close()`` and ``Dispose()``."""
        lower = name.lower()
        if lower == "write" and len(arguments) == 3:
            return self.write(_part(to_bytes(arguments[0]), to_integer(arguments[1]), to_integer(arguments[2])))
        if lower in ("close", "dispose") and not arguments:
            return self.close()
        return super().call(name, arguments)


def _part(data: bytes, offset: int, count: int) -> bytes:
    if offset < 0 or count < 0:
        raise NotSimulated("a negative offset or count")
    if offset + count > len(data):
        message = (
            "Offset and length were out of bounds for the array or count is greater than the number of elements from "
            "index to the end of the source collection."
        )
        raise DotNetError("ArgumentException", message)
    return data[offset : offset + count]


class MemoryStream(Stream):
    """System.IO.MemoryStream, empty at first. It can be read when it is closed."""

    type_name = "System.IO.MemoryStream"

    def __init__(self) -> None:
        self._data = b""
        self._open = True

    def write(self, data: bytes) -> None:
        """Append bytes."""
        if not self._open:
            raise DotNetError("ObjectDisposedException", "Cannot access a closed Stream.")
        self._data += data

    def close(self) -> None:
        """Take no more."""
        self._open = False

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """``ToArray()`` besides those of any stream."""
        return self._data if name.lower() == "toarray" and not arguments else super().call(name, arguments)

    def property(self, name: str) -> Value:
        """``Length`` of an open stream."""
        return len(self._data) if name.lower() == "length" and self._open else super().property(name)


class LockedFile(Stream):
    """System.IO.FileStream of a file that it keeps for itself."""

    type_name = "System.IO.FileStream"

    def __init__(self, machine: Machine, path: str) -> None:
        self._machine = machine
        self._path = path

    def write(self, data: bytes) -> None:
        """Not known."""
        raise NotSimulated("writing to an opened file")

    def close(self) -> None:
        """Let go of the file; a second time it does nothing."""
        if self._machine.locked.get(self._path) is self:
            del self._machine.locked[self._path]


class GZipStream(Stream):
    """System.IO.Compression.GZipStream that compresses; it closes the stream below.

    Nothing written gives nothing at all, not even a header (comment in dotnet/corefx DeflateStream.cs on what the
    deflater of the .NET Framework did).
    """

    type_name = "System.IO.Compression.GZipStream"

    def __init__(self, below: Stream) -> None:
        self._below = below
        self._data = b""
        self._open = True

    def write(self, data: bytes) -> None:
        """Take bytes; what is packed so far stays in the deflater until the end."""
        if not self._open:
            raise DotNetError("ObjectDisposedException", "Cannot access a disposed object.")
        self._data += data

    def close(self) -> None:
        """Write the packed data."""
        if not self._open:
            return
        self._open = False
        if self._data:
            packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            packed = packer.compress(self._data) + packer.flush()
            check = zlib.crc32(self._data).to_bytes(4, "little")
            size = (len(self._data) & 0xFFFFFFFF).to_bytes(4, "little")
            self._below.write(_GZIP_HEADER + packed + check + size)
        self._below.close()


def construct(type_name: str, arguments: Sequence[Value]) -> Stream | None:
    """A new stream, by the name of its type in lower case without ``System``; None for another type.

    Raises:
        NotSimulated: another constructor of it.

    """
    if type_name not in ("io.memorystream", "io.compression.gzipstream"):
        return None
    if type_name == "io.memorystream" and not arguments:
        return MemoryStream()
    if type_name == "io.compression.gzipstream" and len(arguments) == 2:
        below, mode = arguments
        if isinstance(below, Stream) and isinstance(mode, PSObject) and mode.type_name == COMPRESSION_MODE:
            return GZipStream(below)
    raise NotSimulated(f"New-Object {type_name} with {len(arguments)} arguments")
