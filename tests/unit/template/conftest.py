# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates and security descriptors for the tests of the template room."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.entry import Entry
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.state import TemplateState, template_of

CONTAINER = "CN=Certificate Templates,CN=Public Key Services,CN=Services,CN=Configuration,DC=contoso,DC=example"

WEB_SERVER: dict[str, Any] = {
    "flags": 131649,
    "revision": 100,
    "msPKI-Template-Schema-Version": 4,
    "msPKI-Template-Minor-Revision": 3,
    "msPKI-Private-Key-Flag": 0x06060100,
    "pKIDefaultCSPs": ["1,Microsoft RSA SChannel Cryptographic Provider"],
    "pKIDefaultKeySpec": 1,
    "pKIKeyUsage": b"\xa0\x00",
    "msPKI-Minimal-Key-Size": 2048,
    "msPKI-RA-Signature": 0,
    "msPKI-Enrollment-Flag": 0,
    "msPKI-Certificate-Name-Flag": 1,
    "pKIExtendedKeyUsage": ["1.3.6.1.5.5.7.3.1"],
    "msPKI-Certificate-Application-Policy": ["1.3.6.1.5.5.7.3.1"],
}
"""A duplicate of Web Server for legacy providers, pinned to the RSA SChannel provider."""


def octets(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="session")
def make_entry() -> Callable[..., Entry]:
    """An object with the attributes given: single values or lists of numbers, texts or octets; ``None`` for absent."""

    def make_entry(attributes: Mapping[str, Any], name: str = "ContosoWeb") -> Entry:
        values = {
            attribute: tuple(map(octets, value)) if isinstance(value, list | tuple) else (octets(value),)
            for attribute, value in {"cn": name, **attributes}.items()
            if value is not None and value != []
        }
        return Entry(f"CN={name},{CONTAINER}", values)

    return make_entry


@pytest.fixture(scope="session")
def make_template(make_entry: Callable[..., Entry]) -> Callable[..., TemplateState]:
    """The state of a web server template with some attributes given anew."""

    def make_template(attributes: Mapping[str, Any] | None = None) -> TemplateState:
        return template_of(make_entry({**WEB_SERVER, **(attributes or {})}))

    return make_template


def sid_octets(text: str) -> bytes:
    authority, *parts = (int(part) for part in text.removeprefix("S-1-").split("-"))
    return bytes([1, len(parts)]) + authority.to_bytes(6, "big") + struct.pack(f"<{len(parts)}I", *parts)


@pytest.fixture(scope="session")
def make_ace() -> Callable[..., bytes]:
    """An entry that allows or denies; with ``right`` (or ``inherited``) an object entry, its GUID among the octets."""

    def make_ace(
        sid: str, mask: int, right: str | None = None, *, deny: bool = False, flags: int = 0, inherited: bool = False
    ) -> bytes:
        body = struct.pack("<I", mask)
        kind = 1 if deny else 0
        if right or inherited:
            kind += 5
            body += struct.pack("<I", (1 if right else 0) | (2 if inherited else 0))
            body += uuid.UUID(right).bytes_le if right else b""
            body += uuid.uuid5(uuid.NAMESPACE_DNS, "contoso.example").bytes_le if inherited else b""
        body += sid_octets(sid)
        return struct.pack("<BBH", kind, flags, 4 + len(body)) + body

    return make_ace


@pytest.fixture(scope="session")
def make_descriptor() -> Callable[..., bytes]:
    """A self-relative descriptor with these entries; ``None`` for no list at all."""

    def make_descriptor(aces: Sequence[bytes] | None, owner: str | None = "S-1-5-21-1-2-3-519") -> bytes:
        owned = sid_octets(owner) if owner else b""
        listed = b""
        if aces is not None:
            body = b"".join(aces)
            listed = struct.pack("<BBHHH", 4, 0, 8 + len(body), len(aces), 0) + body
        offsets = (20 if owned else 0, 0, 0, 20 + len(owned) if listed else 0)
        return struct.pack("<BBHIIII", 1, 0, 0x8004, *offsets) + owned + listed

    return make_descriptor
