# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print which certificates Lync used before an enforce run and uses after it, from the two reports of the run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Certificate = dict[str, Any]


def in_use(report: Path) -> dict[tuple[str, str], Certificate]:
    """The certificate of each host and usage in a report."""
    return {
        (host["host"], usage): certificate
        for host in json.loads(report.read_text("utf-8"))["hosts"]
        for certificate in host["certificates"]
        for usage in certificate["assignments"]
    }


def told(certificate: Certificate) -> str:
    """Verdict, thumbprint, provider, and what is not met."""
    verdict, provider = certificate["verdict"], certificate["key"]["provider"] or "no provider"
    unmet = [one["name"] for one in verdict["requirements"] if one["status"] == "unmet"]
    why = f"; not met: {', '.join(unmet)}" if unmet else ""
    return f"{verdict['status']:<12} {certificate['thumbprint'][:8]}  {provider}{why}"


def main(directory: Path) -> None:
    """Print the table of a report directory that holds ``before``."""
    before, after = in_use(directory / "before/report.json"), in_use(directory / "report.json")
    rows: dict[tuple[str, str, str], list[str]] = {}
    for (host, usage), was in before.items():
        if (now := after.get((host, usage))) is not None and now["thumbprint"] != was["thumbprint"]:
            rows.setdefault((host, told(was), told(now)), []).append(usage)
    print(f"\n{sum(map(len, rows.values()))} of {len(before)} usages of Lync have another certificate now:")
    for (host, was, now), usages in rows.items():
        print(f"{host}: {', '.join(usages)}\n    was  {was}\n    is   {now}")
    left = sum(certificate["verdict"]["status"] == "unsuitable" for certificate in after.values())
    print(f"{left} of {len(after)} usages have a certificate that the product cannot use.")
    print("The replaced certificates are still in the stores; lync_certificates_old=archive or =remove retires them.")


main(Path(sys.argv[1]))
