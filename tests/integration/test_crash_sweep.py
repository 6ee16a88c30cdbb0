# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The crash sweep, thinned: disturbances about each step of the flows. ``make sweep`` takes all of them."""

from __future__ import annotations

import crash_sweep
import pytest
from crash_sweep import Case, Undisturbed
from lab.runtime import Lab
from sweep_flows import FLOWS, SCHANNEL, standings, violations
from sweep_kills import Watch, watched

TAKEN = {
    "front_end": (("cut_before", "cut_after"), 7),
    "pool": (("cut_before", "cut_after"), 7),
    "convert": (("cut_before", "cut_after"), 4),
    "import": (("cut_before", "cut_after"), 2),
}
"""Of each flow: the kinds, and how many are taken."""
USES = ("Default", "WebServicesExternal", "OAuthTokenIssuer")
CONVERSIONS = "C:\\Users\\Administrator\\AppData\\Local\\winpki.keyprovider\\conversion"
STEPS = [(flow, step) for flow, (_kinds, steps) in TAKEN.items() for step in range(steps)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """How a flow goes without a disturbance; each is run when it is first asked for."""
    known: dict[str, Undisturbed] = {}

    def run(flow: str) -> Undisturbed:
        if flow not in known:
            known[flow] = crash_sweep.undisturbed(flow, tmp_path_factory.mktemp("undisturbed"))
        return known[flow]

    return run


@pytest.mark.parametrize(("flow", "step"), STEPS)
def test_after_a_cut_a_second_run_ends_well(undisturbed, flow, step, tmp_path):
    kinds, steps = TAKEN[flow]
    cases = [case for case in crash_sweep.cases(undisturbed(flow), kinds) if case.host != "dc01"]
    case = cases[(2 * step + 1) * len(cases) // (2 * steps)]

    _first, second, wrong = crash_sweep.swept(case, tmp_path, thrice=flow == "convert" and step == 0)

    assert not wrong, f"{case}: {wrong}\n{second.output}"


def staged(machine) -> bool:
    return any(name.upper() == "KEYPROVIDERSTAGED" and held for name, held in machine.stores.items())


@pytest.mark.parametrize("imported", [False, True], ids=["exported", "imported"])
@pytest.mark.parametrize("lost", [False, True], ids=["alone", "with_the_connection"])
def test_a_process_that_ends_while_the_file_is_there_leaves_it_to_the_next_run(tmp_path, imported, lost):
    flow = FLOWS["convert"]
    with Lab.from_scenario(flow.scenario) as lab:
        before = standings(lab, flow)
        machine = lab.machine("fe01")
        watch = Watch(
            when=lambda: staged(machine) == imported and bool(pfx_files(machine)),
            then=(lambda: crash_sweep.lose(lab, "fe01")) if lost else None,
        )
        with watched(machine, watch):
            first = crash_sweep.enforce(lab, tmp_path, "convert")
        assert (watch.struck, first.exit_code) == (True, 2), first.output
        assert len(pfx_files(machine)) == 1
        assert flow.cut(lab, flow, before) == []
        lab.server.clear_faults()

        second = crash_sweep.enforce(lab, tmp_path, "convert")

        assert second.exit_code == 0, second.output
        assert flow.ended(lab, flow, before) == []


def pfx_files(machine) -> list[str]:
    return [path for path in machine.files if path.lower().endswith(".pfx")]


def test_the_sweep_can_see_what_is_wrong(tmp_path):
    with Lab.from_scenario(crash_sweep.SCENARIO) as lab:
        assert "Default has its key in Microsoft Software Key Storage Provider" in violations(lab)
        crash_sweep.enforce(lab, tmp_path)
        machine = lab.machine("fe01")
        stored = machine.find(dict(machine.lync.assignments)["Default"])
        machine.containers.remove(stored.key.provider, stored.key.container)
        lab.authority(crash_sweep.AUTHORITY).rows.append(lab.authority(crash_sweep.AUTHORITY).rows[0])

        wrong = violations(lab)

    assert "Default has no key container" in wrong
    assert any(text.startswith("the CA has requests") for text in wrong)


def test_the_sweep_can_see_what_is_wrong_with_a_conversion():
    flow = FLOWS["convert"]
    with Lab.from_scenario(flow.scenario) as lab:
        before = standings(lab, flow)
        machine = lab.machine("fe01")
        assert flow.cut(lab, flow, before) == []
        pool, external, oauth = (dict(machine.lync.assignments)[use] for use in USES)
        container = machine.container_of(machine.find(pool).key)
        machine.containers.give(container, "D:P(A;;FA;;;SY)(A;;FA;;;BA)")
        machine.stores["MY"].append(machine.find(external))
        machine.containers.remove(SCHANNEL, machine.find(oauth).key.container)
        machine.lync.assignments = machine.lync.assignments[1:]
        machine.files[f"{CONVERSIONS}\\0123\\key.pfx"] = b""
        machine.stores["KeyProviderStaged"] = []

        wrong = " ".join(flow.cut(lab, flow, before))
        left = " ".join(flow.ended(lab, flow, before))

    assert "S-1-5-20" in wrong
    for text in (
        f"cannot use the key of {pool}",
        f"{external} is 2 times in My",
        f"{oauth} of fe01 names no key container",
        "the assignments of fe01 are others",
    ):
        assert text in wrong, text
    for text in (
        "has the file C:",
        "has the stores {'KEYPROVIDERSTAGED'",
        "has Microsoft Software Key Storage",
        "2 key",
    ):
        assert text in left, text


def test_every_request_is_cut_before_and_after_and_every_statement_is_an_end():
    found = Undisturbed("front_end", {"dc01": 1, "ca01": 0, "fe01": 2}, {}, {"fe01": 1})

    assert crash_sweep.cases(found, ("cut_before", "cut_after", "killed", "crashed")) == [
        Case("front_end", "fe01", 1, "killed"),
        Case("front_end", "fe01", 1, "crashed"),
        Case("front_end", "dc01", 1, "cut_before"),
        Case("front_end", "dc01", 1, "cut_after"),
        Case("front_end", "fe01", 1, "cut_before"),
        Case("front_end", "fe01", 1, "cut_after"),
        Case("front_end", "fe01", 2, "cut_before"),
        Case("front_end", "fe01", 2, "cut_after"),
    ]
