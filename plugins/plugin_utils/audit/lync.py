# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lync and Skype for Business cmdlets: the one place that needs more PowerShell than a call."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from ..host.connection import HostError

_MARK = "#keyprovider:lync:"

ASSIGNMENTS_SCRIPT = f"""\
try {{
$m = Get-Module -ListAvailable -Name Lync, SkypeForBusiness | Select-Object -First 1
if ($m) {{
Import-Module $m.Name -ErrorAction Stop
'{_MARK}begin'
Get-CsCertificate -ErrorAction Stop | Select-Object Use, Thumbprint | ConvertTo-Csv -NoTypeInformation
'{_MARK}end'
}} else {{ '{_MARK}none' }}
}} catch {{ '{_MARK}failed'; "$_" }}
"""
"""Prints what Get-CsCertificate knows, as CSV between marks.

ConvertTo-Csv is in PowerShell 2.0, ConvertTo-Json is not. Only the usage and the thumbprint are asked for:
the dates would be printed in the locale of the server. The parameter ``-Identity`` is not used; Lync 2010 lacks it.
"""


@dataclass(frozen=True)
class Assignment:
    """One Lync usage (``Default``, ``WebServicesInternal``...) and the certificate assigned to it."""

    use: str
    thumbprint: str


def split_output(stdout: bytes) -> tuple[bytes, bytes]:
    """Divide the output of a script that ends with :data:`ASSIGNMENTS_SCRIPT`: what came before, and its own part."""
    before, mark, after = stdout.partition(_MARK.encode())
    return before, mark + after


def read_assignments(output: bytes) -> list[Assignment] | None:
    """Read the part that :data:`ASSIGNMENTS_SCRIPT` printed; ``None`` when the host has no Lync cmdlets.

    Raises:
        HostError: the cmdlets failed, or their output broke off.
    """
    lines = output.decode("utf-8", "replace").splitlines()
    marks = [line.strip() for line in lines if line.startswith(_MARK)]
    if _MARK + "none" in marks:
        return None
    if _MARK + "failed" in marks:
        start = next(number for number, line in enumerate(lines) if line.startswith(_MARK + "failed"))
        said = " ".join(" ".join(lines[start + 1 :]).split())
        raise HostError(
            f"Get-CsCertificate failed. It said: {(said or 'nothing').rstrip('.')}.",
            remedy="Use an account that is a member of RTCUniversalServerAdmins and a local administrator, or set "
            "'assignments' to false.",
        )
    if _MARK + "begin" not in marks or _MARK + "end" not in marks:
        raise HostError(
            "The output of Get-CsCertificate broke off.",
            remedy="Run Get-CsCertificate on the host by hand to see why, or set 'assignments' to false.",
        )
    rows = csv.DictReader(lines[lines.index(_MARK + "begin") + 1 : lines.index(_MARK + "end")])
    return [
        Assignment(row["Use"], row["Thumbprint"].replace(" ", "").upper())
        for row in rows
        if row.get("Use") and row.get("Thumbprint")
    ]
