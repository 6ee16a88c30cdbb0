# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Known ways to abuse a template. Now ESC1 alone: a certificate for client authentication in the name of anyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..directory.errors import DirectoryError
from ..profiles.kinds import ANY_EXTENDED_KEY_USAGE, CLIENT_AUTHENTICATION
from . import flags
from .descriptor import enrollment_rights, is_low_privileged, well_known
from .schema import SECURITY_DESCRIPTOR
from .state import TemplateState

AUTHENTICATING = frozenset(
    {
        CLIENT_AUTHENTICATION,
        ANY_EXTENDED_KEY_USAGE,
        "1.3.6.1.4.1.311.20.2.2",  # smart card logon
        "1.3.6.1.5.2.3.4",  # PKINIT client authentication (RFC 4556)
    }
)
"""Purposes with which a domain controller takes a certificate for logon."""

_SOURCE = (
    'SpecterOps, "Certified Pre-Owned" (2021), ESC1; MS-WCCE 3.2.2.6.2.1.4.5.9; conditions as in the documentation of '
    "Certipy"
)
_REMEDY = (
    "Build the subject from Active Directory, let a CA manager approve requests, require an authorized signature, or "
    "take Enroll from all but the accounts that need it."
)
_REMEDY_SCHEMA_1 = (
    "Take Enroll from all but the accounts that need it: templates of schema version 1 allow no other change. Where "
    "more is needed, duplicate the template and withdraw it from the CAs."
)
_REMEDY_UNKNOWN = "Read the templates with an account that may read their permissions."


@dataclass(frozen=True)
class Exposure:
    """One way to abuse a template."""

    name: str
    """As the literature numbers it: ``ESC1``."""
    certain: bool
    """Whether all its conditions are known to hold. Whether a CA offers the template is not one of them here."""
    principals: tuple[tuple[str, str | None], ...]
    """SID and name (``None`` when it is not well known) of those who can; none when that is not known."""
    reason: str
    remedy: str
    source: str

    def as_dict(self) -> dict[str, Any]:
        """One element of ``exposures`` of the public interface."""
        return {
            "name": self.name,
            "certain": self.certain,
            "principals": [{"sid": sid, "name": name} for sid, name in self.principals],
            "reason": self.reason,
            "remedy": self.remedy,
            "source": self.source,
        }


def exposures(state: TemplateState) -> tuple[Exposure, ...]:
    """How a template can be abused by accounts without special rights.

    ESC1: the enrollee supplies the subject, nobody approves or countersigns the request, the certificate serves
    client authentication, and a low-privileged account may enrol. NO_SECURITY_EXTENSION does not matter to it: of an
    enrollee who supplies the subject the CA takes the security extension from the request too (MS-WCCE 2.2.2.7.7.4).

    Approval and signatures bind the CA for schema versions 2 to 4 only (MS-WCCE 3.2.2.6.2.1.4); MS-CRTD 2.18 and 2.26
    make no difference between versions. In a template of version 1 they therefore make the finding uncertain but do
    not take it away.
    """
    guarded = state.requires_approval or state.signatures_required > 0
    if not (state.enrollee_supplies_subject and _authenticates(state)) or (guarded and state.schema_version > 1):
        return ()
    enrollees = _enrollees(state)
    doubts = []
    if enrollees is None:
        doubts.append("who may enrol is not known, because the permissions of the template could not be read.")
    if not state.name_flags & flags.ENROLLEE_SUPPLIES_SUBJECT:
        doubts.append(
            "only ENROLLEE_SUPPLIES_SUBJECT_ALT_NAME is set, which the CA is to ignore (MS-WCCE 3.2.2.6.2.1.4.5.9)."
        )
    if guarded:
        doubts.append("the approval or signature it asks for is not specified to bind the CA in schema version 1.")
    principals = tuple((sid, well_known(sid)) for sid in enrollees or () if is_low_privileged(sid))
    if enrollees is not None and not principals:
        return ()
    who = ", ".join(name or sid for sid, name in principals) or "Whoever may enrol"
    reason = (
        f"{who} can have a certificate for client authentication in the name of anyone from every CA that offers it"
    )
    remedy = _REMEDY_SCHEMA_1 if state.schema_version == 1 else _REMEDY
    return (
        Exposure(
            name="ESC1",
            certain=not doubts,
            principals=principals,
            reason=f"{reason}. Not certain: {' '.join(doubts)}" if doubts else f"{reason}.",
            remedy=f"{_REMEDY_UNKNOWN} {remedy}" if enrollees is None else remedy,
            source=_SOURCE,
        ),
    )


def _authenticates(state: TemplateState) -> bool:
    return not state.purposes or not AUTHENTICATING.isdisjoint(state.purposes)


def _enrollees(state: TemplateState) -> tuple[str, ...] | None:
    """The SIDs that may enrol; ``None`` when the descriptor is not there or cannot be read."""
    try:
        descriptor = state.entry.value(SECURITY_DESCRIPTOR)
        return None if descriptor is None else enrollment_rights(descriptor).enroll
    except DirectoryError:
        return None
