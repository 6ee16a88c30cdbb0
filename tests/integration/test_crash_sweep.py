# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The crash sweep, thinned: a cut about each step of the enforce run. ``make sweep`` takes all of them."""

from __future__ import annotations

import crash_sweep
import pytest
from crash_sweep import Case
from lab.runtime import Lab

STEPS = 7
"""How many of the cuts of each flow are taken."""


@pytest.fixture(scope="module", params=list(crash_sweep.FLOWS))
def undisturbed(request, tmp_path_factory):
    """A flow, and how many requests a run of it makes of each host. It ends well, and the next changes nothing."""
    flow = request.param
    with Lab.from_scenario(crash_sweep.SCENARIO) as lab:
        lab.reset_counters()
        first = crash_sweep.enforce(lab, tmp_path_factory.mktemp("undisturbed"), flow)
        requests = crash_sweep.requests(lab, flow)
        assert first.exit_code == 0, first.output
        assert crash_sweep.violations(lab, flow) == []
        second = crash_sweep.enforce(lab, tmp_path_factory.mktemp("again"), flow)
        assert (second.exit_code, second.changed) == (0, 0), second.output
        assert crash_sweep.violations(lab, flow) == []
    return flow, requests


@pytest.mark.parametrize("step", range(STEPS))
def test_after_a_cut_a_second_run_ends_well(undisturbed, step, tmp_path):
    flow, requests = undisturbed
    cases = [case for case in crash_sweep.cases(flow, requests) if case.host != "dc01"]
    case = cases[(2 * step + 1) * len(cases) // (2 * STEPS)]

    _first, second, wrong = crash_sweep.swept(case, tmp_path)

    assert not wrong, f"{case}: {wrong}\n{second.output}"


def test_the_sweep_can_see_what_is_wrong(tmp_path):
    with Lab.from_scenario(crash_sweep.SCENARIO) as lab:
        assert "Default has its key in Microsoft Software Key Storage Provider" in crash_sweep.violations(lab)
        crash_sweep.enforce(lab, tmp_path)
        machine = lab.machine("fe01")
        stored = machine.find(dict(machine.lync.assignments)["Default"])
        machine.containers.remove(stored.key.provider, stored.key.container)
        lab.authority(crash_sweep.AUTHORITY).rows.append(lab.authority(crash_sweep.AUTHORITY).rows[0])

        wrong = crash_sweep.violations(lab)

    assert "Default has no key container" in wrong
    assert any(text.startswith("the CA has requests") for text in wrong)


def test_every_request_is_cut_before_and_after():
    cases = crash_sweep.cases("front_end", {"dc01": 1, "ca01": 0, "fe01": 2})

    assert cases == [
        Case("front_end", "dc01", 1, "cut_before"),
        Case("front_end", "dc01", 1, "cut_after"),
        Case("front_end", "fe01", 1, "cut_before"),
        Case("front_end", "fe01", 1, "cut_after"),
        Case("front_end", "fe01", 2, "cut_before"),
        Case("front_end", "fe01", 2, "cut_after"),
    ]
