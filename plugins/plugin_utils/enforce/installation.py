# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the answer to a pending request: read, check, accept, read back, name, prove.

certreq takes the answer; whether it did, the store decides and not certreq's words. A certificate that is installed
already is only read back, so that a run that was cut can be run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ..enrolment.answer import check_answer, pkcs7, read_certificates, self_signed
from ..enrolment.hresult import explain
from ..enrolment.hresult import shown as shown_code
from ..enrolment.inf import properties_inf
from ..enrolment.installed import (
    Holdings,
    check_clocks,
    checked_provider,
    find,
    friendly_name_for,
    key_faults,
    leaf_of,
    shown,
    with_key,
)
from ..enrolment.keys import public_key_of
from ..enrolment.wish import RSA_SCHANNEL, EnrolmentError, checked_friendly_name
from ..evidence.armour import unwrap
from ..evidence.x509 import certificate_from_der
from ..host.connection import HostError, WindowsHost, quote
from ..host.courier import Answer, carry, caught, framed
from ..profiles.model import Profile
from ..record import Certificate, Source
from .holdings import QUERY_STORES, read_holdings, remove_saved, stores_of, words_of
from .proof import prove

NTE_BAD_KEYSET = 0x80090016
"""certutil -delkey of a container that is gone (winerror.h; seen on Server 2025)."""

_STEP = "certreq -accept"
_PROPERTIES = "certutil -repairstore"

_ACCEPT = """\
$b=[Convert]::FromBase64String((@($input) -join ''))
[void][IO.Directory]::CreateDirectory($d)
$f=$d+'\\answer.p7b'
[IO.File]::WriteAllBytes($f,$b)
& 'certreq.exe' '-accept' '-machine' '-q' $f
$a=$LASTEXITCODE
'keyprovider exitaccept '+$a
"""
_REPAIR = """\
$b=[Convert]::FromBase64String((@($input) -join ''))
[void][IO.Directory]::CreateDirectory($d)
$f=$d+'\\properties.inf'
[IO.File]::WriteAllBytes($f,$b)
& 'certutil.exe' '-f' '-silent' '-repairstore' 'My' {thumbprint} $f
'keyprovider exitrepair '+$LASTEXITCODE
"""


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where the key of a certificate is to be, and what the certificate is for."""

    profile: Profile
    provider: str = RSA_SCHANNEL
    friendly_name: str | None = None


@dataclass(frozen=True, kw_only=True)
class InstallWish(Target):
    """What is asked for when an issued certificate is to be installed."""

    certificate: bytes
    """PEM, DER, PKCS #7 or base64 of the latter two."""
    chain: tuple[bytes, ...] = ()
    """PEM."""
    accept_other_names: bool = False


@dataclass
class Outcome:
    """What came of it so far."""

    thumbprint: str
    before: Holdings
    after: Holdings
    planned: Certificate | None = None
    """The certificate as it would be, in check mode."""
    warnings: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    """The saved requests that were removed, or would be."""

    @property
    def installed(self) -> Certificate:
        """The certificate as it was read back, or as it would be.

        Raises:
            EnrolmentError: the store does not hold it any more.
        """
        found = self.planned or find(self.after.my, self.thumbprint)
        if found is None:
            raise EnrolmentError(
                f"The certificate {self.thumbprint} is not in the store My any more.",
                place="reading the certificate back",
                remedy="Somebody removed it meanwhile: install it again.",
            )
        return found


def install(host: WindowsHost, name: str, wish: InstallWish, *, check: bool, at: datetime) -> dict[str, Any]:
    """Install a certificate and return the result of ``certificate_install``.

    Args:
        host: the host whose request it answers.
        name: its name, for messages.
        wish: what is asked for.
        check: plan only.
        at: the controller's clock, UTC.

    Raises:
        EnrolmentError: the certificate cannot be installed here, or not as wished; tells what was done.
        HostError: the host could not be read, or the connection broke.
    """
    provider = check_target(wish)
    given = list(read_certificates(wish.certificate))
    given += [der for each in wish.chain for der in read_certificates(each)]
    before = read_holdings(host, name)
    leaf, chain = leaf_of(tuple(dict.fromkeys(given)), before)
    public_key = public_key_of(leaf)
    requests = before.saved_of(public_key)
    thumbprint = hashlib.sha1(leaf, usedforsecurity=False).hexdigest().upper()
    held = find(before.my, thumbprint)
    outcome = Outcome(thumbprint, before, before, requests=sorted(requests))
    if held and held.key.kind != "unrecorded":
        refuse_faults(name, held, provider, "It was installed before; nothing was done.")
        if requests and not check:
            _tidy(host, name, outcome)
    else:
        pending = _pending(name, thumbprint, with_key(before.pending, public_key), provider)
        issued = certificate_from_der(leaf, source=Source("pem", name), archived=False)
        check_clocks(issued, at=at, host=before.clock)
        if not wish.accept_other_names:
            outcome.warnings += _compared(leaf, chain, requests.values(), at)
        if check:
            # certreq hands the friendly name of the request on to the certificate.
            outcome.planned = replace(issued, key=pending.key, friendly_name=pending.friendly_name)
        else:
            # A root is trusted because somebody installed it, not because it came with an answer.
            issuers = [der for der in chain if not self_signed(der)]
            _accept(host, name, pkcs7((leaf, *issuers)), public_key, outcome)
            refuse_faults(name, outcome.installed, provider, "It was installed, and nothing uses it yet.")
    return finish(host, name, outcome, replace(wish, provider=provider), check=check, at=at)


def check_target(target: Target) -> str:
    """Check a target before anything is done; the provider as the catalogue spells it.

    Raises:
        EnrolmentError: the provider is a key storage provider, or the friendly name cannot be written.
    """
    if target.friendly_name is not None:
        checked_friendly_name(target.friendly_name)
    return checked_provider(target.provider)


def finish(
    host: WindowsHost,
    name: str,
    outcome: Outcome,
    target: Target,
    *,
    check: bool,
    at: datetime,
) -> dict[str, Any]:
    """Give the certificate its name, prove its key, and put the result together.

    Raises:
        EnrolmentError: the name could not be given, the key moved meanwhile, or it cannot be proven.
        HostError: the connection broke.
    """
    wanted = friendly_name_for(outcome.installed, target.friendly_name, outcome.after.my)
    if wanted is not None and check:
        outcome.planned = replace(outcome.installed, friendly_name=wanted)
    elif wanted is not None:
        _give_name(host, name, outcome, wanted)
        refuse_faults(name, outcome.installed, target.provider, "It was so after certutil -repairstore.")
    proof = None if check else prove(host, name, outcome.installed)
    certificate = outcome.installed
    others = [other for other in outcome.after.my if other.thumbprint != outcome.thumbprint]
    was, became = text_of(find(outcome.before.my, outcome.thumbprint)), text_of(certificate)
    return {
        "changed": was != became or bool(outcome.requests),
        "thumbprint": outcome.thumbprint,
        "certificates": shown([*others, certificate], outcome.thumbprint, target.profile, at=at),
        "proof": proof.as_dict() if proof else None,
        "removed": {"certificates": [], "containers": [], "requests": outcome.requests},
        "problems": [problem.as_dict() for problem in outcome.after.problems],
        "diff": differences(outcome.thumbprint, was, became, outcome.requests),
        "warnings": outcome.warnings,
    }


def refuse_faults(name: str, certificate: Certificate, provider: str, state: str) -> None:
    """A certificate must have its key where it was wished.

    Raises:
        EnrolmentError: it has not; ``state`` tells what was done.
    """
    faults = key_faults(certificate.key, provider)
    if faults:
        raise EnrolmentError(
            f"The certificate {certificate.thumbprint} in My of {name} is not as wished. {' '.join(faults)} {state}",
            place="reading the certificate back",
            remedy="Request a new certificate with the wished provider; certificates that are assigned now stay so.",
        )


def set_properties(host: WindowsHost, name: str, thumbprint: str, inf: bytes, aside: str = "") -> tuple[Holdings, str]:
    """Let certutil write properties of a certificate of My, and read the stores back.

    certutil documents the file as ``-repairstore STORE ID PropertyInfFile``.

    Args:
        host: where it is.
        name: the host's name, for messages.
        thumbprint: the certificate.
        inf: the properties.
        aside: statements that print further stores, and ``exitaside`` at their end.

    Returns:
        what was read back, and what to say when it is not as expected.

    Raises:
        EnrolmentError, HostError: the script did not run to its end, or the connection broke.
    """
    body = _REPAIR.format(thumbprint=quote(thumbprint)) + QUERY_STORES + aside
    answer = run(host, name, framed(body), inf, "Whether the properties were written is not known")
    code = answer.codes.get("exitrepair")
    if answer.error or code is None:
        raise interrupted(name, answer, _PROPERTIES, "The certificate itself is installed.")
    meaning, remedy = explain(code) if code else ("", "")
    return (
        stores_of(host, name, answer, aside=bool(aside)),
        f"certutil ended with {shown_code(code)}. {meaning} {words_of(answer) if code else ''} {remedy}".strip(),
    )


def run(host: WindowsHost, name: str, script: str, data: bytes | None, unknown: str) -> Answer:
    """Run a script that changes something; when the connection breaks, tell that its outcome is not known.

    Raises:
        HostError: the connection broke, or the answer arrived damaged.
    """
    try:
        return carry(host, name, script, data)
    except HostError as exc:
        remedy = f"{exc.remedy} A second run finds what was done and goes on.".strip()
        raise type(exc)(f"{exc.message} {unknown}.", remedy=remedy, place=exc.place) from exc


def interrupted(name: str, answer: Answer, step: str, state: str) -> EnrolmentError:
    """The error of a script that did not run to its end."""
    return EnrolmentError(
        f"The script around it did not run to its end on {name}: {(answer.error or words_of(answer)).rstrip('.')}."
        f" {state}",
        place=step,
        remedy="Check the free space of the drive that has the account's profile, the host's event log, and that the"
        " account is a local administrator; then run it again.",
    )


def text_of(certificate: Certificate | None) -> str:
    """A certificate as a diff shows it."""
    if certificate is None:
        return ""
    lines = {
        "subject": certificate.subject,
        "provider": certificate.key.provider,
        "container": certificate.key.container or (certificate.key.provider and "(Windows chooses its name)"),
        "friendly_name": certificate.friendly_name,
        "archived": bool(certificate.archived),
    }
    return "".join(f"{label}: {value}\n" for label, value in lines.items())


def differences(
    thumbprint: str, before: str, after: str, requests: Sequence[str], store: str = "My"
) -> list[dict[str, str]]:
    """The ``diff`` of a certificate and of saved requests that go."""
    place = f"{store}\\{thumbprint}"
    found = [(place, before, after)] if before != after else []
    found += [(f"saved request {identity}", "request.req\n", "") for identity in requests]
    return [
        {"before_header": header, "after_header": header, "before": old, "after": new} for header, old, new in found
    ]


def _pending(name: str, thumbprint: str, pending: Certificate | None, provider: str) -> Certificate:
    """The stand-in of the request, whose key must be where it was wished, as far as the store tells.

    Raises:
        EnrolmentError: there is none, or its key is elsewhere.
    """
    if pending is None:
        raise EnrolmentError(
            f"No pending request of {name} has the key of the certificate {thumbprint}.",
            place="choice of the certificate",
            remedy="Install the certificate on the host that made its request, or make a new request.",
        )
    faults = key_faults(pending.key, provider)
    if faults:
        raise EnrolmentError(
            f"The certificate answers a key in provider {pending.key.provider or '(none recorded)'} of {name}, which is"
            f" not as wished. {' '.join(faults)} Nothing was installed; the request is still pending.",
            place="the pending request",
            remedy="Make a new request with the wished provider, or name the provider of the key in 'provider'.",
        )
    return pending


def _compared(leaf: bytes, chain: Sequence[bytes], requests: Iterable[bytes], at: datetime) -> list[str]:
    """Compare the names with those of the saved request; what differs without harm.

    Raises:
        EnrolmentError: names are missing, or the certificate or its chain is not valid.
    """
    for data in requests:
        for payload in unwrap(data).of_kind("pkcs10"):
            return check_answer(leaf, payload.der, at=at, chain=chain)
    return ["The saved request is not there any more, so that the names of the certificate were not compared with it."]


def _accept(host: WindowsHost, name: str, answer_file: bytes, public_key: bytes, outcome: Outcome) -> None:
    removal = f"if($a -eq 0){{\n{remove_saved(outcome.requests)}}}\n" if outcome.requests else ""
    script = framed(_ACCEPT + QUERY_STORES + removal)
    answer = run(host, name, script, answer_file, "Whether the certificate was installed is not known")
    code = answer.codes.get("exitaccept")
    if code is None:
        unknown = "Whether the certificate was installed is not known; a second run finds out."
        state = "The certificate was not installed; the request is still pending." if answer.error else unknown
        raise interrupted(name, answer, _STEP, state)
    if answer.error and "exitmy" not in answer.codes:
        raise interrupted(name, answer, _STEP, "Whether the certificate was installed was not read back.")
    outcome.after = stores_of(host, name, answer)
    installed = find(outcome.after.my, outcome.thumbprint)
    if installed is None or installed.key.kind == "unrecorded":
        meaning, remedy = explain(code) if code else ("", "")
        waiting = with_key(outcome.after.pending, public_key) is not None
        told = (
            f"It ended with {shown_code(code)} on {name}, and the certificate {outcome.thumbprint} is",
            "not in My." if installed is None else "in My without a key.",
            meaning,
            words_of(answer),
            "The request is still pending." if waiting else "The request is not pending any more.",
        )
        raise EnrolmentError(
            " ".join(filter(None, told)), place=_STEP, remedy=remedy or "Read what certreq said, and run it again."
        )
    _note_requests(name, answer, outcome)


def _note_requests(name: str, answer: Answer, outcome: Outcome) -> None:
    """Saved requests are not needed any more; that they could not be removed is no failure."""
    removed = answer.codes.get("exitsaved", 0)
    if removed != len(outcome.requests):
        left = ", ".join(outcome.requests[removed:])
        outcome.warnings.append(f"Saved requests could not be removed on {name}: {left}. {answer.error}".strip())
        outcome.requests = outcome.requests[:removed]


def _tidy(host: WindowsHost, name: str, outcome: Outcome) -> None:
    """Remove saved requests that an earlier run left when it was cut after the installation."""
    script = caught(remove_saved(outcome.requests))
    _note_requests(name, run(host, name, script, None, "Whether saved requests were removed is not known"), outcome)


def _give_name(host: WindowsHost, name: str, outcome: Outcome, wanted: str) -> None:
    outcome.after, said = set_properties(host, name, outcome.thumbprint, properties_inf(friendly_name=wanted))
    held = find(outcome.after.my, outcome.thumbprint)
    if held is None or held.friendly_name != wanted:
        raise EnrolmentError(
            f"The certificate {outcome.thumbprint} is installed on {name}, but its friendly name is"
            f" {held.friendly_name if held else None!r} and not {wanted!r}. {said}",
            place=_PROPERTIES,
            remedy="Run it again, or give the name by hand in the certificate console.",
        )
