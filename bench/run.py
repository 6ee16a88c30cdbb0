# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the audit, the templates, the enforce run and conversions, as ratios within one run where time is concerned.

It writes bench/results/latest.json and latest.md. Run it through ``make bench``. Titles of sections as arguments choose
what is measured; it is printed then, and nothing is written. Exit code 1 when a bound is exceeded.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import converting
import enforcing
import fleet
import parsing
import templates

RESULTS = Path(__file__).parent / "results"


@dataclass
class Row:
    """One measured figure and what it must not exceed."""

    name: str
    value: float | None
    """``None`` when it could not be measured here; ``detail`` says why."""
    bound: float | None
    unit: str
    detail: str = ""

    @property
    def kept(self) -> bool:
        """Whether the bound holds; without a bound it does."""
        return self.bound is None or self.value is None or self.value <= self.bound


def requests() -> list[Row]:
    """HTTP requests of one audited host, by the number of its certificates."""
    rows = []
    for transport, bound in (("basic", 5), ("ntlm", None)):
        for certificates in (1, 40, 200):
            with tempfile.TemporaryDirectory() as directory:
                scenario = fleet.scenario(hosts=1, certificates=certificates, transport=transport)
                counters = fleet.audit_once(Path(directory), scenario)
            rows.append(
                Row(
                    f"requests, {transport}, {certificates} certificates",
                    counters["requests"],
                    bound,
                    "HTTP requests a host",
                    f"{counters['bytes_out']:,} bytes from the host; role audit, with assignments",
                )
            )
    with tempfile.TemporaryDirectory() as directory:
        scenario = fleet.scenario(hosts=1, certificates=200, transport="basic", max_envelope=512000)
        counters = fleet.audit_once(Path(directory), scenario)
    rows.append(
        Row(
            "requests, basic, 200 certificates, answers cut to the client's envelope size",
            counters["requests"],
            None,
            "HTTP requests a host",
            "as MS-WSMV lets a real host do; pywinrm asks for at most 153,600 bytes",
        )
    )
    return rows


def fleet_time() -> list[Row]:
    """50 hosts with 40 certificates each, forks 10, against the same playbook with only raw: hostname."""
    with tempfile.TemporaryDirectory() as directory:
        times = fleet.compare(Path(directory), fleet.scenario(hosts=50, certificates=40, transport="basic"), rounds=5)
    raw, audit = statistics.median(times["raw"]), statistics.median(times["audit"])
    ratios = [audit_time / raw_time for raw_time, audit_time in zip(times["raw"], times["audit"], strict=True)]
    return [
        Row(
            "50 hosts x 40 certificates, forks 10",
            round(statistics.median(ratios), 3),
            1.15,
            "x raw: hostname",
            f"medians of 5 interleaved rounds: raw {raw:.2f} s, certificate_info {audit:.2f} s; "
            f"ratios {min(ratios):.2f} to {max(ratios):.2f}. The simulated hosts answer at once, so this compares the "
            "controller's work alone; most of the audit's is Ansible's handling of the returned certificates",
        )
    ]


def parse_time() -> list[Row]:
    """Records from blobs against bare cryptography on the same certificates, and linearity."""
    rows = []
    per_certificate = {}
    for count in (10, 100, 1000, 10000):
        measured = parsing.compare(count)
        per_certificate[count] = measured.records / count
        rows.append(
            Row(
                f"records from {count:,} blobs",
                round(measured.records / measured.bare, 2),
                2.5,
                "x bare cryptography",
                f"{measured.records / count * 1e6:.0f} and {measured.bare / count * 1e6:.0f} us a certificate",
            )
        )
    rows.append(
        Row(
            "10,000 against 10 blobs, per certificate",
            round(per_certificate[10000] / per_certificate[10], 2),
            1.5,
            "x",
            "1 is linear",
        )
    )
    return rows


def template_requests() -> list[Row]:
    """HTTP requests and commands of template_info, by the number of templates, and commands of a conversion."""
    rows = []
    for count in (1, 20, 80):
        with tempfile.TemporaryDirectory() as directory:
            counters = templates.over_winrm(Path(directory), count, {"winpki.keyprovider.template_info": {}})
        detail = f"{counters['bytes_out']:,} bytes from the host"
        name = f"template_info, basic, {count} templates"
        rows.append(Row(f"requests of {name}", counters["requests"], 5, "HTTP requests", detail))
        rows.append(Row(f"commands of {name}", counters["commands"], 1, "commands"))
    task = {"winpki.keyprovider.template": {"name": templates.FOR_A_KSP}}
    with tempfile.TemporaryDirectory() as directory:
        counters = templates.over_winrm(Path(directory), 80, task)
    rows.append(
        Row(
            "commands of a conversion, one of 80 templates",
            counters["commands"],
            3,
            "commands",
            f"export, import, read-back; {counters['requests']} HTTP requests",
        )
    )
    return rows


def template_time() -> list[Row]:
    """From an export of ldifde to judged templates: linearity."""
    best = templates.judge((10, 80), rounds=10)
    each = {count: seconds / count for count, seconds in best.items()}
    return [
        Row(
            "80 against 10 templates, per template: LDIF parsed, read, judged",
            round(each[80] / each[10], 2),
            1.5,
            "x",
            f"1 is linear; {each[80] * 1e6:.0f} and {each[10] * 1e6:.0f} us a template, offered by two CAs",
        )
    ]


def template_ways() -> list[Row]:
    """template_info over LDAP and over WinRM from the same real directory, with 80 templates."""
    name = "template_info over LDAP, 80 templates"
    reason = templates.reason_missing()
    if reason:
        return [Row(name, None, None, "", reason)]
    with tempfile.TemporaryDirectory() as directory:
        found = templates.both_ways(Path(directory), 80, rounds=5)
    ldap, winrm = found.seconds["ldap"], found.seconds["winrm"]
    ratios = [first / second for first, second in zip(ldap, winrm, strict=True)]
    return [
        Row(f"searches of {name}", found.searches, 1, "searches", "beside the reading of the RootDSE"),
        Row(
            f"{name}, against WinRM",
            round(statistics.median(ratios), 2),
            None,
            "x template_info over WinRM",
            f"medians of 5 interleaved rounds: LDAPS {statistics.median(ldap):.2f} s, WinRM "
            f"{statistics.median(winrm):.2f} s; ratios {min(ratios):.2f} to {max(ratios):.2f}. Both read one Samba AD "
            "DC, WinRM through the lab's ldifde; most of either is the start of ansible-playbook",
        ),
    ]


def enforce() -> list[Row]:
    """What the enforce playbook asks of each host, and how long a run takes that finds all done."""
    with tempfile.TemporaryDirectory() as directory:
        found = enforcing.measure(Path(directory), rounds=5)
    rows = []
    for name, counted in (("replaces a certificate", found.first), ("finds all done", found.second)):
        for host, counters in counted.items():
            rows.append(
                Row(
                    f"enforce, {host}, a run that {name}",
                    counters["requests"],
                    None,
                    "HTTP requests",
                    f"{counters['commands']} commands; Basic",
                )
            )
    rows.append(
        Row(
            "enforce that finds all done, against the audit playbook",
            round(enforcing.median(found), 2),
            None,
            "x the audit playbook",
            f"5 interleaved rounds, {min(found.ratios):.2f} to {max(found.ratios):.2f}; it audits twice and plans",
        )
    )
    return rows


def conversions() -> list[Row]:
    """What moving and importing keys asks of a server, and how long the enforce playbook takes that moves keys."""
    with tempfile.TemporaryDirectory() as directory:
        counted = converting.tasks(Path(directory))
        found = converting.enforced(Path(directory), rounds=5)
    counted["enforce, a run that moves two keys and deletes the former ones"] = found[0].first
    counted["enforce, a run that finds them moved"] = found[0].second
    rows = [
        Row(name, counters["requests"], None, "HTTP requests", f"{counters['commands']} commands; Basic")
        for name, counters in counted.items()
    ]
    for name, ratios in (
        ("moves two keys", [each.moving for each in found]),
        ("finds them moved", [each.done for each in found]),
    ):
        rows.append(
            Row(
                f"enforce that {name}, against the audit playbook",
                round(statistics.median(ratios), 2),
                None,
                "x the audit playbook",
                f"{len(ratios)} servers, {min(ratios):.2f} to {max(ratios):.2f}; it audits twice and plans",
            )
        )
    return rows


def machine() -> dict[str, object]:
    """The machine and the versions that the figures belong to."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    names = ("ansible-core", "pywinrm", "cryptography", "pyspnego")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def main() -> int:
    """Measure all and write the results, or the sections that are named; print them."""
    sections: dict[str, Callable[[], list[Row]]] = {
        "Requests": requests,
        "A fleet": fleet_time,
        "Parsing": parse_time,
        "Requests for templates": template_requests,
        "Parsing of templates": template_time,
        "Two ways to templates": template_ways,
        "Enforce": enforce,
        "Conversion": conversions,
    }
    chosen = sys.argv[1:] or list(sections)
    if not sections.keys() >= set(chosen):
        raise SystemExit(f"The sections are {', '.join(sections)}.")
    started = time.monotonic()
    rows = []
    for title in chosen:
        print(f"{title} ...", file=sys.stderr)
        rows += sections[title]()
    about = machine()
    stamp = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    data = {"made": stamp, "machine": about, "rows": [{**asdict(row), "kept": row.kept} for row in rows]}
    lines = [
        "# Results of `make bench`",
        "",
        f"{stamp}, " + ", ".join(f"{key} {value}" for key, value in about.items()),
        "",
        "| measured | figure | bound | kept | detail |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        bound = "" if row.bound is None else f"{row.bound:g}"
        kept = "" if row.bound is None else ("yes" if row.kept else "**no**")
        figure = "not measured" if row.value is None else f"{row.value:g} {row.unit}"
        lines.append(f"| {row.name} | {figure} | {bound} | {kept} | {row.detail} |")
    text = "\n".join(lines) + "\n"
    if not sys.argv[1:]:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "latest.json").write_text(json.dumps(data, indent=2) + "\n")
        (RESULTS / "latest.md").write_text(text)
    print(text)
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
