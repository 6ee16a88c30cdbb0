# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Serialized certificates: the value ``Blob`` of a registry store, and the elements of an .sst file.

An element is a sequence of records {property id, reserved, length, bytes} (MS-GPEF 2.2.1.1.1.1); the property 2,
CERT_KEY_PROV_INFO_PROP_ID, names the provider of the private key (MS-GPEF 2.2.1.1.1.1.1, MS-BPAU 2.2.2.1.1). All
integers are little-endian and unsigned. Reading them opens no key.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from ..providers.catalogue import classify
from ..record import Certificate, EvidenceError, Key, Problem, Reading, Source
from .x509 import certificate_from_der

KEY_PROV_INFO = 2
SHA1_HASH = 3
FRIENDLY_NAME = 11
ARCHIVED = 19
CERTIFICATE = 32

_kind = lru_cache(maxsize=256)(classify)

_CONTENTS = {CERTIFICATE: "certificate", 33: "CRL", 34: "CTL", 35: "key identifier"}
"""The properties that are the element itself; in a store file each of them ends its element."""

_RECORD = struct.Struct("<3I")
_KEY_PROV_INFO = struct.Struct("<7I")
_PARAMETER_SIZE = 16
_SIGNATURE = b"\0\0\0\0CERT"
_END = bytes(_RECORD.size)
_NO_KEY = Key()

REMEDY = "Obtain the evidence again; if it stays damaged, compare it with what certutil -store says on the host."


class Element(NamedTuple):
    """A certificate with the defect that kept its key from being read, if any."""

    certificate: Certificate
    defect: EvidenceError | None


class _Records(NamedTuple):
    """Where the records of one element lie: offset and end of each value."""

    content: int
    """The property that is the element itself; 0 when it is missing."""
    start: int
    end: int
    keys: list[tuple[int, int]]
    sha1: tuple[int, int] | None
    friendly_name: tuple[int, int] | None
    archived: bool
    reserved: bool
    """Whether a record's second integer is not 1, as it is in all real data."""
    following: int
    """The offset behind the element."""


def read_element(data: bytes, source: Source) -> Certificate:
    """Read one serialized certificate.

    A property 2 that is damaged becomes a note and leaves the key ``unrecorded``.

    Raises:
        EvidenceError: the records or the certificate are damaged, or it is no certificate; the place is an offset.
    """
    return read_entry(data, source).certificate


def read_entry(data: bytes, source: Source, key_name: str | None = None) -> Element:
    """Read the value ``Blob`` of one registry key.

    Args:
        data: the value.
        source: where it stands.
        key_name: the last part of the registry key, which should be the thumbprint.

    Raises:
        EvidenceError: the records or the certificate are damaged, or it is no certificate; the place is an offset.
    """
    return _element(data, _records(data, 0, in_file=False), source, key_name)


def read_blob(data: bytes, origin: str) -> Reading:
    """Read a file that holds one serialized certificate. Never raises."""
    source = Source("blob", origin)
    try:
        found = read_entry(data, source)
    except EvidenceError as error:
        return Reading(problems=(error.as_problem(origin),))
    return Reading((found.certificate,), problems=(found.defect.as_problem(origin),) if found.defect else ())


def read_sst(data: bytes, origin: str) -> Reading:
    """Read a serialized store file (MS-OSHARED 2.3.2.5). Never raises.

    CRLs, CTLs and key identifiers are passed over; a store of nothing else is a problem that says so.
    """
    if not data.startswith(_SIGNATURE):
        message = (
            f"This is not a serialized certificate store: its {len(data)} bytes do not begin with version 0 and CERT."
        )
        return Reading(problems=(Problem(origin, message, "Give a file with the ending .sst.", "offset 0"),))
    certificates: list[Certificate] = []
    problems: list[Problem] = []
    others: Counter[str] = Counter()
    at = len(_SIGNATURE)
    number = 0
    while data[at : at + len(_END)] != _END:
        number += 1
        place = f"element {number} at offset {at}"
        try:
            records = _records(data, at, in_file=True)
        except EvidenceError as error:
            problems.append(error.as_problem(origin, within=place))
            break
        at = records.following
        if records.content != CERTIFICATE:
            others[_CONTENTS[records.content]] += 1
            continue
        try:
            found = _element(data, records, Source("sst", origin, place), None)
        except EvidenceError as error:
            problems.append(error.as_problem(origin, within=place))
            continue
        certificates.append(found.certificate)
        if found.defect:
            problems.append(found.defect.as_problem(origin, within=place))
    if others and not certificates and not problems:
        held = ", ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in sorted(others.items()))
        problems.append(
            Problem(
                origin, f"The store holds no certificate, only {held}.", "Export the store that holds certificates."
            )
        )
    return Reading(tuple(certificates), problems=tuple(problems))


def _records(data: bytes, at: int, *, in_file: bool) -> _Records:
    """Divide an element into its records, of which those that are not needed here are passed over.

    In a store file the element ends at its content; a registry value is one element, and its content may stand
    anywhere. Zeros behind it are padding.
    """
    content = start = end = 0
    keys: list[tuple[int, int]] = []
    sha1 = friendly_name = None
    archived = reserved = False
    size = len(data)
    while at + 12 <= size:
        identifier, one, length = _RECORD.unpack_from(data, at)
        if not identifier:
            break
        value = at + 12
        following = value + length
        if following > size:
            raise EvidenceError(
                f"The record of property {identifier} claims {length} bytes, of which {size - value} are there.",
                place=f"offset {at}",
                remedy=REMEDY,
            )
        reserved = reserved or one != 1
        if identifier == KEY_PROV_INFO:
            keys.append((value, following))
        elif identifier == SHA1_HASH:
            sha1 = (value, following)
        elif identifier == FRIENDLY_NAME:
            friendly_name = (value, following)
        elif identifier == ARCHIVED:
            archived = True
        elif identifier in _CONTENTS:
            if content:
                raise EvidenceError(
                    f"A second content, a {_CONTENTS[identifier]}, stands in the element of a {_CONTENTS[content]}.",
                    place=f"offset {at}",
                    remedy="Give one element, or the whole store as an .sst file.",
                )
            content, start, end = identifier, value, following
            if in_file:
                return _Records(content, start, end, keys, sha1, friendly_name, archived, reserved, following)
        at = following
    if in_file or data.count(0, at) != size - at:
        left = size - at
        raise EvidenceError(
            f"Here begins no whole record; {left} bytes are left."
            if left
            else "The data is cut short: its end is missing.",
            place=f"offset {at}",
            remedy=REMEDY,
        )
    return _Records(content, start, end, keys, sha1, friendly_name, archived, reserved, size)


def _element(data: bytes, records: _Records, source: Source, key_name: str | None) -> Element:
    if records.content != CERTIFICATE:
        held = (
            f"a {_CONTENTS[records.content]} and no certificate" if records.content else "no certificate (property 32)"
        )
        raise EvidenceError(f"The {len(data)} bytes hold {held}.", place="offset 0", remedy=REMEDY)
    notes: tuple[str, ...] = ()
    defect = None
    try:
        key = _key(data, records.keys)
    except EvidenceError as error:
        key = _NO_KEY
        defect = error
        notes = (f"The key provider information cannot be read ({error.place}): {error.message}",)
    name = None
    if records.friendly_name:
        start, end = records.friendly_name
        name = data[start:end].decode("utf-16-le", "replace").partition("\0")[0]
    try:
        certificate = certificate_from_der(
            data[records.start : records.end],
            source=source,
            key=key,
            friendly_name=name,
            archived=records.archived,
            notes=notes,
        )
    except EvidenceError as error:
        raise EvidenceError(error.message, place=f"offset {records.start}", remedy=error.remedy) from error
    return Element(_compared(certificate, data, records, key_name), defect)


def _compared(certificate: Certificate, data: bytes, records: _Records, key_name: str | None) -> Certificate:
    """Note where the store names another thumbprint than the certificate has."""
    thumbprint = certificate.thumbprint
    notes: list[str] = []
    if records.sha1:
        start, end = records.sha1
        stored = data[start:end].hex().upper()
        if stored != thumbprint:
            notes.append(f"The store records the SHA-1 {stored or 'of no bytes'}, the certificate's is {thumbprint}.")
    if key_name is not None and key_name.upper() != thumbprint:
        notes.append(f"The registry key is named {key_name}, the certificate's SHA-1 is {thumbprint}.")
    if records.reserved:
        notes.append("The reserved field of a record is not 1, as it is in every store that Windows writes.")
    return replace(certificate, notes=certificate.notes + tuple(notes)) if notes else certificate


def _key(data: bytes, values: list[tuple[int, int]]) -> Key:
    """The key that the property 2 tells of; two that differ make it ambiguous."""
    if not values:
        return _NO_KEY
    keys = [_key_prov_info(data, start, end) for start, end in values]
    if keys.count(keys[0]) == len(keys):
        return keys[0]
    return Key("ambiguous", candidates=tuple(dict.fromkeys(keys)))


def _key_prov_info(data: bytes, start: int, end: int) -> Key:
    """Read a CRYPT_KEY_PROV_INFO, whose pointers are offsets from its start."""
    if end - start < _KEY_PROV_INFO.size:
        raise EvidenceError(
            f"The property 2 has {end - start} bytes, {_KEY_PROV_INFO.size} is the least.",
            place=f"offset {start}",
            remedy=REMEDY,
        )
    container_at, provider_at, provider_type, flags, count, parameters_at, key_spec = _KEY_PROV_INFO.unpack_from(
        data, start
    )
    if count and not _KEY_PROV_INFO.size <= parameters_at <= end - start - count * _PARAMETER_SIZE:
        raise EvidenceError(
            f"The {count} provider parameters of the property 2 lie outside of it.",
            place=f"offset {start + 20}",
            remedy=REMEDY,
        )
    provider = _name(data, start, end, 4, provider_at) if provider_at else None
    return Key(
        _kind(provider, provider_type),
        provider,
        provider_type,
        key_spec,
        _name(data, start, end, 0, container_at) if container_at else None,
        flags=flags,
    )


def _name(data: bytes, start: int, end: int, field: int, pointer: int) -> str | None:
    """The UTF-16LE string that the pointer in a field points to, up to its NUL; real Windows pads behind it."""
    at = start + pointer
    nul = data.find(b"\0\0", at, end)
    while nul - at & 1 and nul > 0:
        nul = data.find(b"\0\0", nul + 1, end)
    if pointer < _KEY_PROV_INFO.size or nul < 0:
        raise EvidenceError(
            "A name in the property 2 lies outside of it or has no end.", place=f"offset {start + field}", remedy=REMEDY
        )
    try:
        return data[at:nul].decode("utf-16-le") or None
    except UnicodeDecodeError:
        raise EvidenceError("A name in the property 2 is not UTF-16.", place=f"offset {at}", remedy=REMEDY) from None
