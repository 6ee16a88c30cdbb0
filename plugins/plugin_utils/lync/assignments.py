# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate Lync uses for what, as its cmdlets tell it."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..host.connection import HostError, WindowsHost
from ..host.courier import Answer, carry
from .cmdlets import AUDIT_MARK, COLUMNS, reading_script
from .usages import canonical

ADMINISTRATION = "Use an account that is a member of RTCUniversalServerAdmins and a local administrator"
DOUBLE_HOP = (
    "What is global lies in the Central Management store on another computer, and Windows hands the account of a WinRM "
    "session on only with CredSSP or Kerberos delegation (the double hop): connect with one of them, or run it on the "
    "server that holds the store."
)

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)")
_NEVER = 1
"""The year of DateTime.MinValue, which stands for no date."""


@dataclass(frozen=True)
class Assignment:
    """One Lync usage (``Default``, ``WebServicesInternal``...) and the certificate assigned to it."""

    use: str
    thumbprint: str


@dataclass(frozen=True)
class Assigned:
    """The same with all that Get-CsCertificate tells. Moments are aware, UTC; ``None`` where it tells none."""

    type: str
    thumbprint: str
    subject: str | None = None
    issuer: str | None = None
    serial_number: str | None = None
    """Lower-case hexadecimal digits, as records hold it."""
    alternative_names: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None
    effective_date: datetime | None = None
    previous_thumbprint: str | None = None
    """The certificate before it, which counts until the effective date and validates old tokens after it."""
    identity: str | None = None
    """``global``, or ``None`` for what holds on this computer."""

    def uses(self, thumbprint: str, at: datetime) -> bool:
        """Whether the usage has this certificate, or has it until the effective date of a rolled one.

        Args:
            thumbprint: in upper case.
            at: now, aware.
        """
        staged = self.effective_date is not None and self.effective_date > at
        return thumbprint == self.thumbprint or (staged and thumbprint == self.previous_thumbprint)

    def as_dict(self) -> dict[str, Any]:
        """An element of ``assignments`` in the public interface."""
        return {
            "type": self.type,
            "thumbprint": self.thumbprint,
            "subject": self.subject,
            "issuer": self.issuer,
            "serial_number": self.serial_number,
            "alternative_names": list(self.alternative_names),
            "not_before": _iso(self.not_before),
            "not_after": _iso(self.not_after),
            "effective_date": _iso(self.effective_date),
            "previous_thumbprint": self.previous_thumbprint,
            "identity": self.identity,
        }


@dataclass(frozen=True)
class LyncState:
    """What a Lync server told about itself."""

    version: str
    """As Get-CsServerVersion words it; empty when it did not."""
    parameters: tuple[str, ...]
    """Those that the cmdlet in question has in this version."""
    assigned: tuple[Assigned, ...]
    """First what holds on this computer, in the order of Get-CsCertificate, then what is global and differs."""
    global_error: str = ""
    """Why the global assignments could not be read."""

    def has(self, parameter: str) -> bool:
        """Whether the cmdlet has a parameter."""
        return parameter.casefold() in (name.casefold() for name in self.parameters)

    def of(self, types: Sequence[str]) -> tuple[Assigned, ...]:
        """The assignments of these types."""
        return tuple(one for one in self.assigned if one.type in types)


def split_output(stdout: bytes) -> tuple[bytes, bytes]:
    """Divide the output of a script that ends with :data:`~.cmdlets.ASSIGNMENTS_SCRIPT`: what came before, and its own
    part.
    """
    before, mark, after = stdout.partition(AUDIT_MARK.encode())
    return before, mark + after


def read_assignments(output: bytes) -> list[Assignment] | None:
    """Read the part that :data:`~.cmdlets.ASSIGNMENTS_SCRIPT` printed; ``None`` when the host has no Lync cmdlets.

    Raises:
        HostError: the cmdlets failed, or their output broke off.
    """
    lines = output.decode("utf-8", "replace").splitlines()
    marks = [line.strip() for line in lines if line.startswith(AUDIT_MARK)]
    if AUDIT_MARK + "none" in marks:
        return None
    if AUDIT_MARK + "failed" in marks:
        start = next(number for number, line in enumerate(lines) if line.startswith(AUDIT_MARK + "failed"))
        said = " ".join(" ".join(lines[start + 1 :]).split())
        raise HostError(
            f"Get-CsCertificate failed. It said: {(said or 'nothing').rstrip('.')}.",
            remedy=f"{ADMINISTRATION}; to look at certificates without what Lync uses, set 'assignments' to false.",
        )
    if AUDIT_MARK + "begin" not in marks or AUDIT_MARK + "end" not in marks:
        raise HostError(
            "The output of Get-CsCertificate broke off.",
            remedy="Run Get-CsCertificate on the host by hand to see why, or set 'assignments' to false.",
        )
    rows = csv.DictReader(lines[lines.index(AUDIT_MARK + "begin") + 1 : lines.index(AUDIT_MARK + "end")])
    return [
        Assignment(row["Use"], row["Thumbprint"].replace(" ", "").upper())
        for row in rows
        if row.get("Use") and row.get("Thumbprint")
    ]


def read_state(host: WindowsHost, name: str) -> LyncState:
    """Ask a host for its version and its assignments. One command.

    Raises:
        HostError: it has no Lync cmdlets, or they failed.
    """
    answer = carry(host, name, reading_script())
    check(answer, name)
    return state_of(answer, name)


def check(answer: Answer, name: str) -> None:
    """See that a script of :mod:`.cmdlets` ran to its end.

    Raises:
        HostError: the host has no Lync cmdlets, one failed, or the output broke off.
    """
    if "none" in answer.told:
        raise HostError(
            f"{name} has neither the PowerShell module Lync nor SkypeForBusiness.",
            remedy="Name a Lync server or a Skype for Business server, or install the administrative tools (Core "
            "Components) on the host.",
        )
    if answer.error:
        raise HostError(
            f"The Lync cmdlets failed on {name}. They said: {answer.error.rstrip('.')}.",
            remedy=f"{ADMINISTRATION}.",
        )
    if "end" not in answer.told:
        raise HostError(
            f"The script around the Lync cmdlets did not run to its end on {name}. {answer.complaint}",
            remedy="Run Get-CsCertificate on the host by hand to see why; in Constrained Language Mode (AppLocker, App "
            "Control) the script cannot run.",
        )


def said_by_lync(answer: Answer) -> str:
    """What a cmdlet told when it failed, its warnings behind it, as a sentence."""
    parts = [answer.text(name) for name in ("failure", "inner", "warnings")]
    words = [" ".join(part.split()).rstrip(".") for part in parts]
    said = ". ".join(dict.fromkeys(word for word in words if word))
    return f"Lync said: {said}." if said else "Lync reported no error."


def state_of(answer: Answer, name: str) -> LyncState:
    """What a script of :mod:`.cmdlets` that ran to its end told of the server.

    Raises:
        HostError: the assignments arrived damaged.
    """
    here = _rows(answer.text("local"), name, None)
    everywhere = _rows(answer.text("global"), name, "global")
    # One that is global and in force here is told once, as what it is.
    common = {(one.type, one.thumbprint) for one in everywhere}
    return LyncState(
        answer.text("version").strip(),
        tuple(answer.text("parameters").split()),
        (*(one for one in here if (one.type, one.thumbprint) not in common), *everywhere),
        " ".join(answer.text("globalerror").split()),
    )


def _rows(text: str, name: str, identity: str | None) -> list[Assigned]:
    found = []
    for row in csv.DictReader(text.splitlines()):
        if any(row.get(column) is None for column in COLUMNS):
            raise HostError(f"The answer of Get-CsCertificate on {name} arrived damaged.", remedy="Run it again.")
        thumbprint = row["Thumbprint"].replace(" ", "").upper()
        if row["Use"] and thumbprint:
            found.append(
                Assigned(
                    canonical(row["Use"]),
                    thumbprint,
                    subject=row["Subject"] or None,
                    issuer=row["Issuer"] or None,
                    serial_number=row["SerialNumber"].replace(" ", "").lower() or None,
                    alternative_names=tuple(row["AlternativeNames"].split()),
                    not_before=_moment(row["NotBefore"], name),
                    not_after=_moment(row["NotAfter"], name),
                    effective_date=_moment(row["EffectiveDate"], name),
                    previous_thumbprint=row["PreviousThumbprint"].replace(" ", "").upper() or None,
                    identity=identity,
                )
            )
    return found


def _moment(text: str, name: str) -> datetime | None:
    if not text:
        return None
    found = _MOMENT.fullmatch(text)
    try:
        moment = datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%S") if found else None
    except ValueError:
        moment = None
    if moment is None:
        raise HostError(f"{name} told a date that is none: {text!r}.", remedy="Run it again.")
    return None if moment.year == _NEVER else moment.replace(tzinfo=timezone.utc)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")
