# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole crash sweep: each HTTP request cut, before and after the host acted; figures in results.

Arguments choose flows: ``FLOW``, ``FLOW:N`` for every Nth place of each host, ``FLOW:N:KIND`` for one kind of
disturbance (``killed`` and ``crashed`` end a process at a statement). It ends with 1 when a pair of runs left
something wrong.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, get_args

import crash_sweep
from crash_sweep import FLOWS, Case, Kind, Run, Undisturbed

RESULTS = Path(__file__).parent / "results"
CUTS: tuple[Kind, ...] = ("cut_before", "cut_after")
KILLED = "convert:5:killed"
"""Processes ended at statements, which are many."""
WHEN = {
    "cut_before": "connection, before the host acted",
    "cut_after": "connection, after the host acted",
    "killed": "process at a statement",
    "crashed": "process at a statement, and the connection for good",
}


class Choice(NamedTuple):
    """What is taken of a flow."""

    flow: str
    every: int
    kinds: tuple[Kind, ...]


def choice(argument: str) -> Choice:
    """Read an argument.

    Raises:
        ValueError: there is no such flow or kind.
    """
    flow, number, kind = (*argument.split(":"), "", "")[:3]
    if flow not in FLOWS:
        raise ValueError(f"{flow!r} is none of {', '.join(FLOWS)}")
    kinds = tuple(known for known in get_args(Kind) if known == kind) if kind else CUTS
    if not kinds:
        raise ValueError(f"{kind!r} is none of {', '.join(get_args(Kind))}")
    return Choice(flow, int(number or 1), kinds)


def swept(case: Case) -> tuple[Case, Run, list[str]]:
    """One case in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory:
        first, _second, wrong = crash_sweep.swept(case, Path(directory))
    return case, first, wrong


def main() -> int:
    """Run all cases and write the figures."""
    try:
        chosen = [choice(argument) for argument in sys.argv[1:] or (*FLOWS, KILLED)]
        found = {}
        for flow in dict.fromkeys(one.flow for one in chosen):
            with tempfile.TemporaryDirectory() as directory:
                found[flow] = crash_sweep.undisturbed(flow, Path(directory))
    except (ValueError, AssertionError) as exc:
        print(exc, file=sys.stderr)
        return 1
    cases = [
        case for one in chosen for case in crash_sweep.cases(found[one.flow], one.kinds) if case.number % one.every == 0
    ]
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
    RESULTS.joinpath("sweep.md").write_text(_table(ends, bad, chosen, list(found.values())), encoding="utf-8")
    return 1 if bad else 0


def _table(
    ends: dict[tuple[str, str, str], Counter[str]],
    bad: list[str],
    chosen: Sequence[Choice],
    found: Sequence[Undisturbed],
) -> str:
    lines = [
        "# The crash sweep",
        "",
        "Made by `make sweep`. A run is disturbed at one place and run again undisturbed, for each place of an",
        "undisturbed run. The flows `front_end` and `pool` request certificates by the enforce playbook (template,",
        "request, install, assign, remove what was replaced) for a server with one of its own and for two that share",
        "one and its key. `convert` and `convert_keep` let that playbook move two keys of a server out of CNG, and",
        "delete the former keys or keep them. `import` installs a PFX.",
        *(
            f"Of `{one.flow}` only every {one.every}th place of each host was taken ({', '.join(one.kinds)})."
            for one in chosen
            if one.every > 1
        ),
        "",
        "| flow | host | requests | commands | statements of scripts |",
        "|---|---|---|---|---|",
        *(
            f"| {one.flow} | {host} | {one.requests[host]} | {one.commands[host]} | {one.statements.get(host, '')} |"
            for one in found
            for host in one.requests
        ),
        "",
        "| flow | host | what ends | cases | first run failed | wrong |",
        "|---|---|---|---|---|---|",
    ]
    for (flow, host, kind), row in ends.items():
        lines.append(f"| {flow} | {host} | {WHEN[kind]} | {row['cases']} | {row['noticed']} | {row['wrong']} |")
    lines += [
        "",
        "Wrong after the second run would be: a usage without a certificate whose key is there and in the SChannel",
        "provider; a moment in between in which a usage that worked did not; more or fewer requests at the CA than",
        "certificates were needed; two certificates in the pool; a pending request; a key container without a",
        "certificate; a file that is not told to stay; a second run that fails. Of a conversion and an import also,",
        "after each of the two runs: a certificate that is not in My exactly once with its own key; an account that",
        "could use its key and cannot; an assignment that changed; a PFX that was written where others than SYSTEM",
        "and Administrators could read it; and after the second: a key with another provider, type or specification",
        "than asked for, a key container too many, and a store of the collection's own that is not told to stay.",
        *(["", *(f"- {text}" for text in bad)] if bad else []),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
