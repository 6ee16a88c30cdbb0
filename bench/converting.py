# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys moved and imported on one server: what each task asks of it, and how long the enforce playbook takes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import crash_sweep
import fleet
from lab.runtime import Lab
from sweep_flows import CONVERSION, PFX_PASSWORD, new_pfx

FLOW = "convert"
"""The enforce playbook moves the two keys of a front end that are in CNG, and deletes the former ones."""

_SERVER = "fe01"
_AUDIT = {"lync_certificates_hosts": _SERVER}
_CONVERT, _INSTALL = "winpki.keyprovider.certificate_convert", "winpki.keyprovider.certificate_install"


@dataclass(frozen=True)
class Round:
    """One server, whose keys are moved once."""

    first: Mapping[str, int]
    """The counters of the server in the run that moved the keys."""
    second: Mapping[str, int]
    """Those of the run after it."""
    moving: float
    """The time of the first run, in terms of the audit playbook's on the same server."""
    done: float
    """That of the second one."""


def tasks(directory: Path) -> dict[str, Mapping[str, int]]:
    """The counters of the server after one task each, in the order in which they ran."""
    with Lab.from_scenario(CONVERSION) as lab:
        held = lab.machine(_SERVER).stores["MY"]
        thumbprint = next(one.issued.thumbprint for one in held if one.issued and one.key and one.key.is_cng)
        move = {"thumbprint": thumbprint}
        install = {_INSTALL: {"pfx": new_pfx(), "pfx_password": PFX_PASSWORD}}
        counted = {}
        for name, task in (
            ("certificate_convert that moves a key", {_CONVERT: move}),
            ("certificate_convert that finds it moved", {_CONVERT: move}),
            ("certificate_convert that deletes the former key", {_CONVERT: {**move, "retire_source_key": True}}),
            ("certificate_install of a PFX", install),
            ("certificate_install that finds it installed", install),
        ):
            playbook = fleet.playbook(directory / "play.yml", task)
            lab.reset_counters()
            fleet.run(directory, "-i", str(lab.inventory_path), "--limit", _SERVER, str(playbook))
            counted[name] = lab.counters(_SERVER)
    return counted


def enforced(directory: Path, rounds: int) -> list[Round]:
    """Move the keys of a new server each round, look at what was done, and audit it."""
    return [_round(directory) for _number in range(rounds)]


def _round(directory: Path) -> Round:
    with Lab.from_scenario(CONVERSION) as lab:
        seconds, counted = [], []
        for number in (1, 2):
            lab.reset_counters()
            started = time.perf_counter()
            done = crash_sweep.enforce(lab, directory, FLOW)
            seconds.append(time.perf_counter() - started)
            if done.exit_code or bool(done.changed) == (number == 2):
                raise SystemExit(f"run {number} ended with {done.exit_code}, {done.changed} changes:\n{done.output}")
            counted.append(lab.counters(_SERVER))
        started = time.perf_counter()
        audit = crash_sweep.play(lab, directory, "audit", _AUDIT)
        elapsed = time.perf_counter() - started
        if audit.exit_code:
            raise SystemExit(audit.output)
    return Round(*counted, *(each / elapsed for each in seconds))
