# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The enforce playbook on one server: what it asks of each host, and how long a run that finds all done takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import crash_sweep
from lab.runtime import Lab

_AUDIT = {"lync_certificates_hosts": "fe01", "lync_certificates_directory_host": "dc01"}


@dataclass(frozen=True)
class Figures:
    """What was counted and timed."""

    first: Mapping[str, Mapping[str, int]]
    """Requests and commands of the run that replaced a certificate, by host."""
    second: Mapping[str, Mapping[str, int]]
    """Those of the run after it."""
    ratios: list[float]
    """The time of a run that finds all done, in terms of the audit playbook's on the same server."""


def measure(directory: Path, rounds: int) -> Figures:
    """Run the playbook twice, then compare it with the audit, interleaved."""
    with Lab.from_scenario(crash_sweep.SCENARIO) as lab:
        counted = []
        for number in (1, 2):
            lab.reset_counters()
            done = crash_sweep.enforce(lab, directory)
            if done.exit_code:
                raise SystemExit(f"run {number} ended with {done.exit_code}:\n{done.output}")
            counted.append({host: lab.counters(host) for host in ("fe01", "ca01", "dc01")})
        ratios = []
        for _round in range(rounds):
            start = time.perf_counter()
            crash_sweep.enforce(lab, directory)
            middle = time.perf_counter()
            crash_sweep.play(lab, directory, "audit", _AUDIT)
            ratios.append((middle - start) / (time.perf_counter() - middle))
    return Figures(counted[0], counted[1], ratios)


def median(figures: Figures) -> float:
    """The middle one of the ratios."""
    return statistics.median(figures.ratios)
