# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records from blobs, against bare ``cryptography`` on the same certificates."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from functools import lru_cache

import fleet
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.serialized import read_element
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Source
from cryptography import x509


@dataclass
class Measured:
    """Seconds for all certificates, the best of several rounds."""

    records: float
    bare: float


@lru_cache(maxsize=1)
def _material() -> list[tuple[bytes, bytes]]:
    """10,000 different blobs with the certificate in each."""
    return fleet.blobs(10000)


def _bare(certificates: list[bytes]) -> float:
    started = time.perf_counter()
    for der in certificates:
        list(x509.load_der_x509_certificate(der).extensions)
    return time.perf_counter() - started


def _records(blobs: list[bytes]) -> float:
    source = Source("blob", "bench")
    started = time.perf_counter()
    for blob in blobs:
        read_element(blob, source)
    return time.perf_counter() - started


def compare(count: int) -> Measured:
    """Measure both ways with ``count`` certificates, interleaved, best of the rounds."""
    material = _material()[:count]
    blobs = [blob for blob, _der in material]
    certificates = [der for _blob, der in material]
    repeats = max(1, 1000 // count)
    rounds = 5
    records = bare = float("inf")
    gc.collect()
    for _round in range(rounds):
        bare = min(bare, sum(_bare(certificates) for _round in range(repeats)) / repeats)
        records = min(records, sum(_records(blobs) for _round in range(repeats)) / repeats)
    return Measured(records, bare)
