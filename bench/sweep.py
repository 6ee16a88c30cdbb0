# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole crash sweep: each HTTP request of the enforce run cut, before and after the host acted; figures in results.

``FLOW`` or ``FLOW:N`` as arguments take that flow alone, or the cuts of every Nth request of each host. It ends with 1
when a pair of runs left something wrong.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import crash_sweep
from crash_sweep import Case, Run
from lab.runtime import Lab

RESULTS = Path(__file__).parent / "results"


def swept(case: Case) -> tuple[Case, Run, list[str]]:
    """One case in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        first, _second, wrong = crash_sweep.swept(case, Path(directory))
    return case, first, wrong


def main() -> int:
    """Run all cases and write the figures."""
    chosen = [argument.partition(":") for argument in sys.argv[1:]] or [(flow, "", "") for flow in crash_sweep.FLOWS]
    every = {flow: int(number or 1) for flow, _colon, number in chosen}
    counted = {}
    for flow in every:
        with tempfile.TemporaryDirectory() as directory, Lab.from_scenario(crash_sweep.SCENARIO) as lab:
            lab.reset_counters()
            undisturbed = crash_sweep.enforce(lab, Path(directory), flow)
            counted[flow] = crash_sweep.requests(lab, flow)
        if undisturbed.exit_code:
            print(undisturbed.output, file=sys.stderr)
            return 1
    cases = []
    for flow, requests in counted.items():
        cases += [case for case in crash_sweep.cases(flow, requests) if case.number % every[flow] == 0]
    ends: dict[tuple[str, str, str], Counter[str]] = {}
    bad: list[str] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (case, first, wrong) in enumerate(pool.map(swept, cases), 1):
            row = ends.setdefault((case.flow, case.host, case.kind), Counter())
            row["cases"] += 1
            row["noticed"] += first.exit_code != 0
            row["wrong"] += bool(wrong)
            bad += [f"{case}: {text}" for text in wrong]
            print(f"{number} of {len(cases)} {case} {'; '.join(wrong) or 'ok'}", flush=True)
    RESULTS.joinpath("sweep.md").write_text(_table(ends, bad, every), encoding="utf-8")
    return 1 if bad else 0


def _table(ends: dict[tuple[str, str, str], Counter[str]], bad: list[str], every: dict[str, int]) -> str:
    lines = [
        "# The crash sweep",
        "",
        "Made by `make sweep`. The enforce playbook (template, request, install, assign, remove what was replaced) is",
        "cut at one HTTP request and run again undisturbed, for each request of an undisturbed run. `front_end` is a",
        "server with a certificate of its own, `pool` are two that share one and its key.",
        *(
            f"Of `{flow}` only every {number}th request of each host was cut."
            for flow, number in every.items()
            if number > 1
        ),
        "",
        "| flow | host | cut | cases | first run failed | wrong after the second run |",
        "|---|---|---|---|---|---|",
    ]
    for (flow, host, kind), row in ends.items():
        when = kind.replace("cut_", "") + " the host acted"
        lines.append(f"| {flow} | {host} | {when} | {row['cases']} | {row['noticed']} | {row['wrong']} |")
    lines += [
        "",
        "Wrong would be: a usage without a certificate whose key is there and in the SChannel provider; a moment in",
        "between in which a usage that worked did not; more or less than one request at the CA; two certificates in",
        "the pool; a pending request; a key container without a certificate; a file that is not told to stay; a",
        "second run that fails.",
        *(["", *(f"- {text}" for text in bad)] if bad else []),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
