# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Lync or Skype for Business installation of a host, and what is assigned to its usages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .deployment import Deployment

LOCAL_GROUPS = (
    *("RTC Component Local Group", "RTC Local Administrators", "RTC Local Config Replicator"),
    *("RTC Local Read-only Administrators", "RTC Local User Administrators", "RTC Server Local Group"),
)
"""Local groups of a server. RTC Component Local Group is that of service accounts of trusted applications (Lync Server
2013 documentation), RTC Local Config Replicator is named in a support article on the share xds-replica; the others are
unverified."""


@dataclass(frozen=True)
class Assigned:
    """What a usage has.

    Two certificates are kept, the current and the previous one ("Assign a server-to-server authentication certificate",
    MicrosoftDocs/OfficeDocs-SkypeForBusiness). One that was rolled becomes current at its effective date, until then
    the previous one is in use ("Stage AV and OAuth certificates"). That the rolled one takes the place of the current
    one at once, with its date in the future, is unverified.
    """

    thumbprint: str
    effective: datetime | None = None
    """From when on it is used; None: from the start."""
    previous: str | None = None

    def in_force(self, now: datetime) -> str:
        """The thumbprint of the certificate that is in use at a moment."""
        if self.effective and self.effective > now and self.previous:
            return self.previous
        return self.thumbprint


@dataclass(frozen=True)
class PendingRequest:
    """A request of Request-CsCertificate that waits for a CA manager."""

    request_id: int
    config: str
    usages: tuple[str, ...]
    container: str
    friendly_name: str | None


@dataclass
class LyncRole:
    """One installation."""

    version: str
    """``2010``, ``2013``, ``2015`` or ``2019``."""
    roles: Sequence[str] = ()
    cmdlets: bool = True
    """False: the management shell is not installed."""
    assignments: Sequence[tuple[str, str]] = ()
    """(usage, thumbprint), in the order in which the cmdlet returns them; :meth:`assign` changes it."""
    pool: str | None = None
    """The FQDN of its pool; None: the server is alone and its own FQDN stands for it."""
    deployment: Deployment = field(default_factory=Deployment, repr=False)
    requests: list[PendingRequest] = field(default_factory=list)
    _details: dict[str, Assigned] = field(default_factory=dict, repr=False)

    @property
    def module(self) -> str:
        """``Lync`` up to 2013 (``Import-Module Lync`` in Microsoft's and others' scripts), then ``SkypeForBusiness``
        (MicrosoftDocs/OfficeDocs-SkypeForBusiness, management shell article).
        """
        return "Lync" if self.version in ("2010", "2013") else "SkypeForBusiness"

    def assigned(self) -> list[tuple[str, Assigned]]:
        """All usages that have a certificate, in order."""
        return [
            (use, self._details.get(use.lower(), Assigned(thumbprint.upper()))) for use, thumbprint in self.assignments
        ]

    def assign(self, use: str, assigned: Assigned) -> None:
        """Give a usage a certificate; one that has none yet comes last."""
        entry = (use, assigned.thumbprint)
        known = [name.lower() for name, _thumbprint in self.assignments]
        if use.lower() not in known:
            self.assignments = (*self.assignments, entry)
        else:
            self.assignments = tuple(
                (name, assigned.thumbprint) if name.lower() == use.lower() else (name, thumbprint)
                for name, thumbprint in self.assignments
            )
        self._details[use.lower()] = assigned
