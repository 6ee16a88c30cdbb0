# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Lync cmdlets have in common: parameters by release, the caller's rights, reports and failures.

A cmdlet of the deployment family that fails writes a report, two warnings and an error "Command execution failed: ..."
with the identifier ``ProcessingFailed`` (transcript of Test-CsReplica in "Testing replication", Lync Server 2013).
Unverified: the words of what these cmdlets themselves find wrong, and that the error does not end a script by itself.
"""

from __future__ import annotations

import ntpath
import uuid
from html import escape

from ..host import files
from ..lync import rules
from ..lync.role import LyncRole
from .commands import Bound, Invocation
from .errors import NotSimulated
from .native import environment
from .values import items_of, to_text


class LyncFailure(Exception):
    """What a cmdlet ends with; ``exception`` is the .NET type of it without its namespace."""

    def __init__(self, message: str, exception: str = "InvalidOperationException") -> None:
        super().__init__(message)
        self.exception = exception


def role_of(invocation: Invocation) -> LyncRole:
    """The installation on which a cmdlet runs."""
    role = invocation.session.machine.lync
    assert role is not None
    return role


def bind(invocation: Invocation) -> Bound:
    """Bind the parameters that the cmdlet has in the release of the host.

    Raises:
        PSError: a parameter that it does not have.
    """
    name = next(known for known in rules.CMDLETS if known.lower() == invocation.name.lower())
    known = rules.parameters(name, role_of(invocation).version)
    lacking = [one.name.lower() for one in rules.CMDLETS[name] if one not in known]
    for argument in invocation.arguments:
        given = (argument.name or "").lower()
        if given in lacking:
            message = f"A parameter cannot be found that matches parameter name '{argument.name}'."
            category = "InvalidArgument: (:) [{0}], ParameterBindingException"
            raise invocation.error(message, _identifier(name, "NamedParameterNotFound"), category)
    valued = [one.name.lower() for one in known if not one.switch]
    bound = invocation.bind(valued, [one.name.lower() for one in known if one.switch])
    _check_types(invocation, name, bound)
    return bound


def _check_types(invocation: Invocation, name: str, bound: Bound) -> None:
    if "type" not in bound.named:
        return
    known = [kind.lower() for kind in rules.certificate_types(role_of(invocation).version)]
    for given in usages(bound):
        if given.lower() not in known:
            message = (
                f"Cannot bind parameter 'Type'. Cannot convert value \"{given}\" to type "
                '"Microsoft.Rtc.Management.Deployment.CertType" due to invalid enumeration values.'
            )
            category = "InvalidArgument: (:) [{0}], ParameterBindingException"
            raise invocation.error(message, _identifier(name, "CannotConvertArgumentNoMessage"), category)


def _identifier(name: str, kind: str) -> str:
    return f"{kind},Microsoft.Rtc.Management.Deployment.{rules.CLASSES[name]}"


def usages(bound: Bound) -> list[str]:
    """The values of ``-Type``."""
    return [to_text(item) for item in items_of(bound.named["type"])]


def require_administrator(invocation: Invocation) -> None:
    """Refuse a caller who is no member of RTCUniversalServerAdmins, or no local administrator.

    "Check Lync Server 2013 server certificates" (technet Dn725210) says so; the text of the refusal is unverified.

    Raises:
        PSError: he is not.
    """
    machine = invocation.session.machine
    account = machine.account(invocation.session.user)
    if "lync" in machine.deny or not (account and account.lync_administrator and account.administrator):
        raise invocation.error(
            "Access is denied.", "UnauthorizedAccess", "PermissionDenied: (:) [{0}], UnauthorizedAccessException"
        )


def fail(invocation: Invocation, bound: Bound, failure: LyncFailure) -> None:
    """Write the report, the warnings and the error of a cmdlet that failed."""
    name = invocation.name
    path = bound.text("report") or ntpath.join(
        environment(invocation.session.machine, invocation.session.user)["temp"], f"{name}-{uuid.uuid4()}.html"
    )
    write_report(invocation, path, f"Error: {failure}")
    invocation.warn(f"{name} failed.")
    invocation.warn(f'Detailed results can be found at "{path}".')
    category = f"InvalidOperation: (:) [{{0}}], {failure.exception}"
    invocation.fail(f"Command execution failed: {failure}", _identifier(name, "ProcessingFailed"), category)


def write_report(invocation: Invocation, path: str, result: str) -> None:
    """An HTML file with the outcome; the real one's layout is not known to the lab.

    Raises:
        NotSimulated: it cannot be written; what the cmdlet does then is unknown.
    """
    text = f"<html><head><title>{escape(invocation.name)}</title></head><body><p>{escape(result)}</p></body></html>"
    try:
        files.write(invocation.session.machine, path, text.encode("utf-16"))
    except files.FileFault as fault:
        raise NotSimulated(f"{invocation.name} -Report {path}: {fault}") from fault


def only_shows(invocation: Invocation, bound: Bound, target: str) -> bool:
    """Say what would be done, with ``-WhatIf``; that the target is named so is unverified.

    Raises:
        NotSimulated: the cmdlet would ask for confirmation, and nobody answers.
    """
    if bound.flag("confirm"):
        raise NotSimulated(f"{invocation.name} -Confirm")
    if not bound.flag("whatif"):
        return False
    words = (
        ("the operation", "target")
        if invocation.session.machine.powershell_release >= (3, 0)
        else ("operation", "Target")
    )
    invocation.session.host_line(f'What if: Performing {words[0]} "{invocation.name}" on {words[1]} "{target}".')
    return True
