# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate stores out of an offline registry hive: a file SOFTWARE, or what ``reg save`` wrote.

The library ``regipy`` takes the hive apart. It gives up in many ways on damaged ones and passes over some damage in
silence, so what a key claims to have is counted against what could be read.
"""

from __future__ import annotations

import io
import logging
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from ..record import Certificate, EvidenceError, Problem, Reading, Source
from .serialized import REMEDY, read_entry

try:
    from regipy.registry import Cell, NKRecord
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None
    # Without a handler its complaints about damaged cells go to standard error.
    logging.getLogger("regipy").addHandler(logging.NullHandler())

_BASE_BLOCK = 4096
_SMALLEST_KEY = 80
_MOST_VALUES = 1024

_CONTAINERS = (
    ("Microsoft", "SystemCertificates"),
    ("Policies", "Microsoft", "SystemCertificates"),
    ("Microsoft", "EnterpriseCertificates"),
)
_SAVE = "reg save HKLM\\SOFTWARE software.hiv"
_ANOTHER = f"Give the file SOFTWARE of a Windows (System32\\config), or what this writes on the host: {_SAVE}"
_CLEAN = f"Take a copy that is consistent: {_SAVE}"


class _Store(NamedTuple):
    path: str
    name: str
    key: Any


def read_hive(data: bytes, origin: str, store: str | None = "MY") -> Reading:
    """Read the certificates of a store of the machine, or of all its stores. Never raises.

    Args:
        data: the whole hive.
        origin: the file, for messages.
        store: the name of the store; ``None`` for all.

    """
    if IMPORT_ERROR is not None:
        message = (
            f"The Python library regipy, which reads registry hives, is missing on the controller ({IMPORT_ERROR})."
        )
        return Reading(
            problems=(Problem(origin, message, "Install it for the Python that runs Ansible: pip install regipy"),)
        )
    hive = _Hive(data, origin)
    try:
        hive.check()
        hive.read(store)
    except EvidenceError as error:
        hive.problems.append(error.as_problem(origin))
    return Reading(tuple(hive.certificates), problems=tuple(hive.problems))


class _Hive:
    """One hive, and what was found in it so far."""

    def __init__(self, data: bytes, origin: str) -> None:
        self.certificates: list[Certificate] = []
        self.problems: list[Problem] = []
        self._data = data
        self._origin = origin

    def check(self) -> None:
        """Look at the base block: signature, sequence numbers, size and checksum.

        Raises:
            EvidenceError: it is no hive.
        """
        data = self._data
        if len(data) < _BASE_BLOCK + 32 or data[:4] != b"regf" or data[_BASE_BLOCK : _BASE_BLOCK + 4] != b"hbin":
            raise EvidenceError(
                f"This is not a registry hive, or only the beginning of one ({len(data)} bytes).",
                place="offset 0",
                remedy=_ANOTHER,
            )
        primary, secondary = struct.unpack_from("<II", data, 4)
        if primary != secondary:
            self._problem(
                "The hive was copied while it was in use: its last changes are in the log files beside it, "
                f"which are not read (sequence numbers {primary} and {secondary}).",
                "offset 4",
            )
        (size,) = struct.unpack_from("<I", data, 40)
        if _BASE_BLOCK + size > len(data):
            self._problem(f"The hive is cut short: of {_BASE_BLOCK + size} bytes there are {len(data)}.", "offset 40")
        checksum = 0
        for (part,) in struct.iter_unpack("<I", data[:508]):
            checksum ^= part
        (stored,) = struct.unpack_from("<I", data, 508)
        if stored != {0: 1, 0xFFFFFFFF: 0xFFFFFFFE}.get(checksum, checksum):
            self._problem(
                "The checksum of the hive's base block is wrong: it was damaged or half written.", "offset 508"
            )

    def read(self, store: str | None) -> None:
        """Read the certificates of one store or of all.

        Raises:
            EvidenceError: there is no such store.
        """
        stores = list(self._stores(self._root()))
        if not stores:
            name = self._data[48:112].decode("utf-16-le", "replace").partition("\0")[0]
            called = f" It calls itself {name}." if name else ""
            raise EvidenceError(f"The hive holds no certificate stores of a machine.{called}", remedy=_ANOTHER)
        chosen = [found for found in stores if store is None or found.name.casefold() == store.casefold()]
        if not chosen:
            names = ", ".join(sorted({found.name for found in stores}))
            raise EvidenceError(f"The hive has no certificate store {store}. It has: {names}.", remedy=_ANOTHER)
        for found in chosen:
            certificates = self._child(found.key, "Certificates", found.path)
            if certificates is not None:
                path = f"{found.path}\\{certificates.name}"
                for key in self._subkeys(certificates, path):
                    self._certificate(key, f"{path}\\{key.name}")

    def _problem(self, message: str, place: str) -> None:
        self.problems.append(Problem(self._origin, message, _CLEAN, place))

    def _root(self) -> Any:
        (offset,) = struct.unpack_from("<I", self._data, 36)
        place = _BASE_BLOCK + offset + 4
        if self._data[place : place + 2] != b"nk":
            raise EvidenceError("The root key of the hive is damaged.", place=f"offset {place}", remedy=_CLEAN)
        try:
            return NKRecord(Cell(cell_type="nk", offset=place + 2, size=0), io.BytesIO(self._data))
        except Exception as exc:  # whatever construct raises at the end of the data
            raise EvidenceError("The root key of the hive is damaged.", place=f"offset {place}", remedy=_CLEAN) from exc

    def _stores(self, root: Any) -> Iterator[_Store]:
        """The stores of a SOFTWARE hive, or of one that ``reg save`` made of SystemCertificates or of a store."""
        found = False
        for names in _CONTAINERS:
            key = root
            for position, name in enumerate(names):
                key = self._child(key, name, "\\".join(names[:position]) or "the root")
                if key is None:
                    break
            else:
                found = True
                path = "\\".join(names)
                for store in self._subkeys(key, path):
                    yield _Store(f"{path}\\{store.name}", store.name, store)
        if found:
            return
        if self._child(root, "Certificates", root.name) is not None:
            yield _Store(root.name, root.name, root)
            return
        for store in self._subkeys(root, root.name):
            if self._child(store, "Certificates", store.name) is not None:
                yield _Store(store.name, store.name, store)

    def _child(self, key: Any, name: str, path: str) -> Any:
        return next((child for child in self._subkeys(key, path) if child.name.casefold() == name.casefold()), None)

    def _subkeys(self, key: Any, path: str) -> list[Any]:
        """The subkeys that can be read; a problem tells when the key claims to have more."""
        claimed = key.subkey_count
        found: list[Any] = []
        with suppress(Exception):  # regipy, construct and struct have no common error
            found.extend(islice(key.iter_subkeys(), min(claimed, len(self._data) // _SMALLEST_KEY)))
        if len(found) != claimed:
            problem = Problem(self._origin, f"Of {claimed} subkeys {len(found)} can be read.", _CLEAN, path)
            if problem not in self.problems:
                self.problems.append(problem)
        return found

    def _certificate(self, key: Any, path: str) -> None:
        try:
            element = read_entry(_blob(key), Source("hive", self._origin, path), key.name)
        except EvidenceError as error:
            self.problems.append(error.as_problem(self._origin, within=path))
            return
        self.certificates.append(element.certificate)
        if element.defect:
            self.problems.append(element.defect.as_problem(self._origin, within=path))


def _blob(key: Any) -> bytes:
    try:
        for value in islice(key.iter_values(trim_values=False), _MOST_VALUES):
            if value.name.lower() == "blob" and isinstance(value.value, bytes):
                return value.value
    except Exception as exc:  # as above
        raise EvidenceError("The values of the key are damaged.", remedy=REMEDY) from exc
    raise EvidenceError("The key has no readable binary value Blob.", remedy=REMEDY)
