# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``Set-CsCertificate -Thumbprint``: assigns a certificate of the store My to usages.

Reference: MicrosoftDocs/office-docs-powershell, Set-CsCertificate: it outputs nothing, ``-Roll`` fails without
``-EffectiveDate``. A certificate whose key a KSP holds fails with "The buffer supplied to a function was too small."
(Perficient 2013-12-09; masteringlync.com 2014-12-09, which also tells that Lync Server 2010 took such certificates and
failed later: the lab refuses them there, too). ``-Identity global`` goes with OAuthTokenIssuer (OfficeDocs-
SkypeForBusiness issue 278). The services get the right to use the key (:mod:`lab.lync.access`). The texts of the other
refusals and their order are unverified.
"""

from __future__ import annotations

from datetime import datetime

from ..host.store import StoredCertificate
from ..lync import rules
from ..lync.access import grant
from ..lync.deployment import GLOBAL_USAGES
from ..lync.role import Assigned
from ..pki import public_key_der
from .commands import Bound, Invocation, command
from .errors import NotSimulated
from .lync_common import (
    LyncFailure,
    bind,
    fail,
    only_shows,
    require_administrator,
    role_of,
    usages,
    write_report,
)
from .values import DateTime


@command("Set-CsCertificate")
def set_cs_certificate(invocation: Invocation) -> None:
    """Assign, or fail and leave everything as it was."""
    bound = bind(invocation)
    if "thumbprint" not in bound.named or "type" not in bound.named or bound.rest:
        raise NotSimulated("Set-CsCertificate without -Thumbprint and -Type")
    if "netportid" in bound.named or "path" in bound.named or "password" in bound.named or "reference" in bound.named:
        raise NotSimulated("Set-CsCertificate with -NetportId, -Path, -Password or -Reference")
    require_administrator(invocation)
    role = role_of(invocation)
    machine = invocation.session.machine
    try:
        effective = _effective(bound)
        is_global = _scope(bound, role.version)
        stored = _certificate(invocation, bound)
        if is_global:
            _check_replicable(invocation, stored)
    except LyncFailure as failure:
        return fail(invocation, bound, failure)
    if only_shows(invocation, bound, bound.text("thumbprint")):
        return None
    assert stored.issued is not None
    if stored.issued.certificate.not_valid_after_utc < machine.clock and not bound.flag("force"):
        invocation.warn("The certificate has expired.")  # that it is assigned all the same is unverified
    grant(machine, machine.container_of(stored.key))
    before = {use.lower(): assigned for use, assigned in role.assigned()}
    for use in usages(bound):
        held = before.get(use.lower())
        previous = held.in_force(machine.clock) if held else None
        if previous == stored.issued.thumbprint:
            previous = held.previous if held else None
        # Without -EffectiveDate the moment of the call; that the cmdlet shows it then is unverified.
        assigned = Assigned(stored.issued.thumbprint, effective or machine.clock, previous)
        if is_global:
            role.deployment.assign(machine, _spelled(use, role.version), assigned)
        else:
            role.assign(_spelled(use, role.version), assigned)
    if bound.text("report"):
        write_report(invocation, bound.text("report"), "Success")
    return None


def _spelled(use: str, version: str) -> str:
    return next(known for known in rules.certificate_types(version) if known.lower() == use.lower())


def _effective(bound: Bound) -> datetime | None:
    if "effectivedate" not in bound.named:
        if bound.flag("roll"):
            raise LyncFailure("The EffectiveDate parameter is required when the Roll parameter is specified.")
        return None
    value = bound.named["effectivedate"]
    if not isinstance(value, DateTime):
        raise NotSimulated("-EffectiveDate of something other than a DateTime: its text depends on the culture")
    return value.moment


def _scope(bound: Bound, version: str) -> bool:
    """Whether the assignment is global."""
    kinds = {use.lower() in GLOBAL_USAGES for use in usages(bound)}
    if "identity" not in bound.named:
        if True in kinds:
            raise LyncFailure("The certificate type OAuthTokenIssuer can only be assigned at the global scope.")
        return False
    if bound.text("identity").lower() != "global" or kinds != {True}:
        raise NotSimulated(f"Set-CsCertificate -Identity {bound.text('identity')} for these types in {version}")
    return True


def _certificate(invocation: Invocation, bound: Bound) -> StoredCertificate:
    machine = invocation.session.machine
    stored = machine.find(bound.text("thumbprint"))
    if stored is None or stored.issued is None or stored.archived:
        message = f'Cannot find certificate "{bound.text("thumbprint")}" in the local machine store.'
        raise LyncFailure(message)
    key = stored.key if stored.key and stored.key.recorded else None
    if key and key.is_cng and not rules.takes_cng(role_of(invocation).version):
        raise LyncFailure("The buffer supplied to a function was too small.", "CryptographicException")
    container = machine.container_of(key)
    if container is None or container.public_key != public_key_der(stored.issued.certificate):
        raise LyncFailure("Keyset does not exist", "CryptographicException")
    return stored


def _check_replicable(invocation: Invocation, stored: StoredCertificate) -> None:
    """The key travels to the other servers; that one which cannot be exported is refused at once is unverified."""
    container = invocation.session.machine.container_of(stored.key)
    if container is None or not container.exportable:
        raise LyncFailure("Key not valid for use in specified state.", "CryptographicException")
