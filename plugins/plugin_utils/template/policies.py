# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""msPKI-RA-Application-Policies: a list of OIDs, or properties of the key with the OIDs among them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .schema import RA_APPLICATION_POLICIES

ASYMMETRIC_ALGORITHM = "msPKI-Asymmetric-Algorithm"
HASH_ALGORITHM = "msPKI-Hash-Algorithm"
KEY_SECURITY_DESCRIPTOR = "msPKI-Key-Security-Descriptor"

_DELIMITER = "`"
_TYPES = {
    RA_APPLICATION_POLICIES: "PZPWSTR",
    ASYMMETRIC_ALGORITHM: "PZPWSTR",
    KEY_SECURITY_DESCRIPTOR: "PZPWSTR",
    "msPKI-Symmetric-Algorithm": "PZPWSTR",
    "msPKI-Symmetric-Key-Length": "DWORD",
    HASH_ALGORITHM: "PZPWSTR",
    "msPKI-Key-Usage": "DWORD",
}
"""The type of each property (MS-CRTD 2.23.2)."""
_OID = re.compile(r"[0-2](\.[0-9]+)+")
_NUMBER = re.compile(r"[0-9]{1,10}")


@dataclass(frozen=True)
class IssuancePolicies:
    """What the attribute holds (MS-CRTD 2.23)."""

    oids: tuple[str, ...]
    """The application policies that a signature on a request must carry."""
    properties: Mapping[str, str]
    """Of the triplet syntax: value by name (``msPKI-Asymmetric-Algorithm``: ``RSA``); empty for a list of OIDs.
    The OIDs among them are in ``oids`` alone."""
    has_properties: bool
    """Whether a value is in the triplet syntax."""
    has_plain_values: bool = False
    """Whether a value is not in the triplet syntax."""
    notes: tuple[str, ...] = ()
    """What is not as MS-CRTD 2.23 says, each a sentence."""


def parse(values: Sequence[str]) -> IssuancePolicies:
    """Read the values of msPKI-RA-Application-Policies, in either syntax (MS-CRTD 2.23.1, 2.23.2) or both.

    A triplet is ``Name`Type`Value` `` with the last grave accent missing from some real values. What cannot be read
    becomes a note.
    """
    oids: list[str] = []
    properties: dict[str, str] = {}
    notes: list[str] = []
    for value in values:
        if _DELIMITER in value:
            oids += _read_triplets(value, properties, notes)
        else:
            oids += _read_oids([value], notes)
    triplets = [_DELIMITER in value for value in values]
    return IssuancePolicies(
        oids=tuple(dict.fromkeys(oids)),
        properties=properties,
        has_properties=any(triplets),
        has_plain_values=not all(triplets),
        notes=tuple(notes),
    )


def _read_triplets(value: str, properties: dict[str, str], notes: list[str]) -> list[str]:
    parts = value.split(_DELIMITER)
    if not parts[-1]:
        parts.pop()
    rest = len(parts) % 3
    if rest:
        left = _DELIMITER.join(parts[-rest:])
        notes.append(f"{RA_APPLICATION_POLICIES} ends with {_shown(left)}, which is no whole property.")
    oids: list[str] = []
    for position in range(0, len(parts) - rest, 3):
        name, kind, content = parts[position : position + 3]
        expected = _TYPES.get(name)
        if expected is None:
            notes.append(f"{RA_APPLICATION_POLICIES} names the property {_shown(name)}, which MS-CRTD does not know.")
        elif kind != expected:
            notes.append(f"The property {name} is of the type {_shown(kind)}; {expected} is expected.")
        elif kind == "DWORD" and not _NUMBER.fullmatch(content):
            notes.append(f"The property {name} holds {_shown(content)}, which is no number.")
        if name == RA_APPLICATION_POLICIES:
            oids += _read_oids(content.split(","), notes)
        elif name in properties:
            notes.append(f"The property {_shown(name)} is given twice; the first one is shown.")
        else:
            properties[name] = content
    return oids


def _read_oids(texts: Sequence[str], notes: list[str]) -> list[str]:
    oids = []
    for text in (text.strip() for text in texts):
        if _OID.fullmatch(text):
            oids.append(text)
        else:
            notes.append(f"{RA_APPLICATION_POLICIES} holds {_shown(text)}, which is no object identifier.")
    return oids


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
