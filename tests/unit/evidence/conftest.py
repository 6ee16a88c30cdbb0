# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and serialized certificates for the tests of the readers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from lab import pki
from lab.formats import serialized
from programs import program

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"

NOT_BEFORE = datetime(2025, 3, 1, 8, 30, tzinfo=timezone.utc)
NOT_AFTER = datetime(2027, 3, 1, 8, 30, tzinfo=timezone.utc)


@pytest.fixture(scope="session")
def key_pool() -> pki.KeyPool:
    return pki.KeyPool(size=1)


@pytest.fixture(scope="session")
def authority(key_pool: pki.KeyPool) -> pki.Authority:
    name = "CN=Contoso Issuing CA 1,DC=contoso,DC=example"
    return pki.Authority(name, key_pool, not_before=NOT_BEFORE, not_after=NOT_AFTER)


@pytest.fixture(scope="session")
def issue(authority: pki.Authority) -> Callable[..., bytes]:
    """Issue a certificate for a host; keywords as for ``lab.pki.Wanted``."""

    def issue(host: str = "www.contoso.example", **wanted: Any) -> bytes:
        values: dict[str, Any] = {
            "subject": f"CN={host},O=Contoso",
            "not_before": NOT_BEFORE,
            "not_after": NOT_AFTER,
            "subject_alt_names": (host,),
        }
        return authority.issue(pki.Wanted(**{**values, **wanted})).der

    return issue


@pytest.fixture(scope="session")
def blob() -> Callable[..., bytes]:
    """Serialize a certificate as Windows does; ``None`` for ``key`` leaves out the property 2."""

    def blob(
        der: bytes,
        key: bytes | None = serialized.key_prov_info("lync-container", SCHANNEL, 12, 0x20, 1),
        friendly_name: str | None = "Lync",
        more: tuple[tuple[int, bytes], ...] = (),
    ) -> bytes:
        properties: list[tuple[int, bytes]] = []
        if key is not None:
            properties.append((serialized.KEY_PROV_INFO, key))
        properties.append((serialized.SHA1_HASH, hashlib.sha1(der, usedforsecurity=False).digest()))
        if friendly_name is not None:
            properties.append((serialized.FRIENDLY_NAME, serialized.text(friendly_name)))
        return serialized.element([*properties, *more], der)

    return blob


@pytest.fixture(scope="session")
def store(issue: Callable[..., bytes], blob: Callable[..., bytes]) -> dict[str, bytes]:
    """Three blobs by thumbprint, as the registry holds them."""
    certificates = [issue(f"host{number}.contoso.example") for number in range(3)]
    return {hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(): blob(der) for der in certificates}


@pytest.fixture(scope="session")
def samples() -> Path:
    """The directory of the samples, which are not part of the repository."""
    directory = os.environ.get("KEYPROVIDER_SAMPLES")
    if not directory:
        pytest.skip("KEYPROVIDER_SAMPLES does not name the directory of the samples")
    return Path(directory)


@pytest.fixture(scope="session")
def sample(samples: Path) -> Callable[[str], bytes]:
    """Read a sample by its path without ending."""

    def sample(name: str) -> bytes:
        return (samples / f"{name}.txt").read_bytes()

    return sample


@pytest.fixture(scope="session")
def openssl() -> str:
    """The program; where it is not installed, the test is skipped."""
    return program("openssl", package="openssl")
