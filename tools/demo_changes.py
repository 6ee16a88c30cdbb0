# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print which certificates Lync used before an enforce run and uses after it, from the two reports of the run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Certificate = dict[str, Any]
Rows = dict[tuple[str, str, str], list[str]]


def hosts_of(report: Path) -> list[dict[str, Any]]:
    """The hosts of a report."""
    found: list[dict[str, Any]] = json.loads(report.read_text("utf-8"))["hosts"]
    return found


def in_use(report: Path) -> dict[tuple[str, str], Certificate]:
    """The certificate of each host and usage in a report."""
    return {
        (host["host"], usage): certificate
        for host in hosts_of(report)
        for certificate in host["certificates"]
        for usage in certificate["assignments"]
    }


def told(certificate: Certificate) -> str:
    """Verdict, thumbprint, provider, and what is not met."""
    verdict, provider = certificate["verdict"], certificate["key"]["provider"] or "no provider"
    unmet = [one["name"] for one in verdict["requirements"] if one["status"] == "unmet"]
    why = f"; not met: {', '.join(unmet)}" if unmet else ""
    return f"{verdict['status']:<12} {certificate['thumbprint'][:8]}  {provider}{why}"


def print_rows(rows: Rows, total: int, what: str) -> None:
    """What usages had and have."""
    print(f"\n{sum(map(len, rows.values()))} of {total} usages of Lync have {what} now:")
    for (host, was, now), usages in rows.items():
        print(f"{host}: {', '.join(usages)}\n    was  {was}\n    is   {now}")


def print_former(report: Path) -> None:
    """The keys that conversions have left."""
    keys = [(host["host"], one) for host in hosts_of(report) for one in host["certificates"]]
    print(f"\n{len(keys)} former keys are still on the servers, recorded in the store KeyProviderFormer:")
    for host, certificate in keys:
        key = certificate["key"]
        print(f"{host}: {certificate['thumbprint'][:8]}  {key['container']} of {key['provider']}")
    print("certificate_convert deletes them with retire_source_key, or goes back to them; see docs/conversion.md.")
    print("Services that have a former key open may go on with it until they are restarted.")


def main(directory: Path, former: Path | None = None) -> None:
    """Print the tables of a report directory that holds ``before``, and of a report of the former keys."""
    before, after = in_use(directory / "before/report.json"), in_use(directory / "report.json")
    replaced: Rows = {}
    moved: Rows = {}
    for (host, usage), was in before.items():
        now = after.get((host, usage))
        if now is None:
            continue
        if now["thumbprint"] != was["thumbprint"]:
            replaced.setdefault((host, told(was), told(now)), []).append(usage)
        elif now["key"]["provider"] != was["key"]["provider"]:
            moved.setdefault((host, told(was), told(now)), []).append(usage)
    if replaced or not moved:
        print_rows(replaced, len(before), "another certificate")
    if moved:
        print_rows(moved, len(before), "the same certificate with its key in another provider")
    left = sum(certificate["verdict"]["status"] == "unsuitable" for certificate in after.values())
    print(f"{left} of {len(after)} usages have a certificate that the product cannot use.")
    if replaced:
        print("The replaced certificates are still there; lync_certificates_old=archive or =remove retires them.")
    if former:
        print_former(former)


main(*map(Path, sys.argv[1:]))
