# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit one store of a host: ask, read the evidence, judge, and put the result together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..evidence.certutil import read_certutil
from ..evidence.registry import read_reg_query
from ..host.connection import Completed, HostError, WindowsHost, native_call
from ..lync.assignments import Assignment, read_assignments, split_output
from ..lync.cmdlets import ASSIGNMENTS_SCRIPT
from ..profiles.judge import judge_all
from ..profiles.model import Profile
from ..profiles.verdict import Verdict
from ..record import Certificate, EvidenceError, Problem, Reading
from ..report.lines import verdict_lines
from ..report.summary import summary
from .store import certificates_key, check_answer, check_certutil, is_administrator, query_statement

_BETWEEN_DIGITS = re.compile("[\\s:\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff-]")
"""Blanks, colons, hyphens, and what is invisible and copied along."""
_THUMBPRINT = re.compile(r"[0-9A-F]{40}\Z")


@dataclass(frozen=True)
class Wish:
    """What the options of ``certificate_info`` ask for."""

    store: str = "My"
    thumbprints: tuple[str, ...] = ()
    assignments: bool = False
    source: str = "registry"
    probe_keys: bool = False


@dataclass(frozen=True)
class Observed:
    """A store as it was found."""

    certificates: Sequence[Certificate]
    verdicts: Sequence[Verdict]
    """Of the certificates, in their order."""
    usages: Mapping[str, Sequence[str]]
    """What Lync uses a certificate for, by thumbprint, in the order of Get-CsCertificate."""
    problems: Sequence[Problem]
    lync: bool
    """Whether the Lync cmdlets answered."""


def audit_store(host: WindowsHost, origin: str, wish: Wish, profile: Profile, *, at: datetime) -> dict[str, Any]:
    """Read a store, judge each certificate and return the result of ``certificate_info``.

    One command does it; ``probe_keys`` adds one. Nothing on the host is changed.

    Raises:
        EvidenceError: what should be a thumbprint is none; the host was not asked.
        HostError: the store could not be read at all.
    """
    wanted = {normalise_thumbprint(text): text for text in wish.thumbprints}
    seen = observe_store(host, origin, wish, profile, at=at)
    problems = list(seen.problems)
    results = [
        {
            **certificate.as_dict(),
            "assignments": seen.usages.get(certificate.thumbprint or "", []),
            "verdict": verdict.as_dict(),
        }
        for certificate, verdict in zip(seen.certificates, seen.verdicts, strict=True)
    ]
    if wanted:
        results, more = _only(origin, wish.store, wanted, results)
        problems += more
    result: dict[str, Any] = {
        "store": wish.store,
        "profile": profile.name,
        "product": profile.title,
        "certificates": results,
        "problems": [problem.as_dict() for problem in problems],
        "summary": summary(results),
        "verdicts": verdict_lines(results),
    }
    if wish.assignments:
        result["lync"] = seen.lync
    return result


def observe_store(host: WindowsHost, origin: str, wish: Wish, profile: Profile, *, at: datetime) -> Observed:
    """Read a store and judge each certificate; ``thumbprints`` of the wish is left out of account.

    Raises:
        HostError: the store could not be read at all.
    """
    answer, lync_output = _ask(host, wish)
    if wish.source == "certutil":
        reading = read_certutil(check_certutil(host, wish.store, answer), origin)
    else:
        output = check_answer(host, wish.store, answer)
        reading = read_reg_query(output, origin) if output.strip() else Reading()
    certificates, problems = list(reading.certificates), list(reading.problems)
    if wish.probe_keys:
        certificates, more = _probe(host, origin, wish.store, certificates)
        problems += more
    assigned: Sequence[Assignment] | None = None
    if wish.assignments:
        assigned, more = _assignments(origin, lync_output, certificates)
        problems += more
    usages = usages_by_thumbprint(assigned or ())
    verdicts = judge_all(certificates, profile, at=at, assignments=usages)
    return Observed(certificates, verdicts, usages, problems, assigned is not None)


def normalise_thumbprint(text: str) -> str:
    """A thumbprint as records hold it.

    The certificate dialogue of Windows shows blanks between the digits and lets people copy an invisible
    U+200E before the first one; both are dropped.

    Raises:
        EvidenceError: it is not 40 hexadecimal digits.
    """
    digits = _BETWEEN_DIGITS.sub("", text).upper()
    if not _THUMBPRINT.match(digits):
        raise EvidenceError(
            f"{text!r} is not the SHA-1 thumbprint of a certificate, which has 40 hexadecimal digits.",
            remedy="Correct the option 'thumbprints'; blanks, colons and hyphens between the digits do not matter.",
        )
    return digits


def usages_by_thumbprint(assigned: Iterable[Assignment]) -> Mapping[str, list[str]]:
    """The Lync usages of each thumbprint, in the order of Get-CsCertificate."""
    usages: dict[str, list[str]] = {}
    for assignment in assigned:
        usages.setdefault(assignment.thumbprint, []).append(assignment.use)
    return usages


def _ask(host: WindowsHost, wish: Wish) -> tuple[Completed, bytes]:
    if wish.source == "certutil":
        certificates_key(wish.store)
        statement = native_call("certutil.exe", "-store", wish.store)
    else:
        statement = query_statement(wish.store)
    if not wish.assignments:
        return host.run_script(statement + "\nexit $LASTEXITCODE"), b""
    answer = host.run_script(f"{statement}\n$rc = $LASTEXITCODE\n{ASSIGNMENTS_SCRIPT}exit $rc")
    own, lync_output = split_output(answer.stdout)
    return replace(answer, stdout=own), lync_output


def _assignments(
    origin: str, output: bytes, certificates: Sequence[Certificate]
) -> tuple[Sequence[Assignment] | None, list[Problem]]:
    try:
        assigned = read_assignments(output)
    except HostError as exc:
        return None, [Problem(origin, exc.message, exc.remedy, "Get-CsCertificate")]
    if assigned is None:
        return None, []
    there = {certificate.thumbprint for certificate in certificates}
    return assigned, [
        Problem(
            origin,
            f"Lync usage {assignment.use} is assigned to {assignment.thumbprint}, which is not in the store.",
            "Assign a certificate that the store holds (Set-CsCertificate), or put that one back.",
            "Get-CsCertificate",
        )
        for assignment in assigned
        if assignment.thumbprint not in there
    ]


def _probe(
    host: WindowsHost, origin: str, store: str, certificates: Sequence[Certificate]
) -> tuple[list[Certificate], list[Problem]]:
    """Let certutil open each key; its answer about a missing key counts for an administrator only."""
    answer = host.run("certutil.exe", "-store", store)
    try:
        output = check_certutil(host, store, answer)
    except HostError as exc:
        return list(certificates), [Problem(origin, exc.message, exc.remedy, exc.place)]
    elevated = bool(is_administrator(host))
    probed = {found.thumbprint: found for found in read_certutil(output, origin, elevated=elevated)}
    result: list[Certificate] = []
    problems: list[Problem] = []
    if certificates and not elevated:
        problems.append(
            Problem(
                origin,
                "Whether the keys are there could not be probed: the account is not a local administrator, and to "
                "others certutil says of every key that it is missing.",
                "Use an account that is a local administrator, or set 'probe_keys' to false.",
                f"certutil -store {store}",
            )
        )
    for certificate in certificates:
        found = probed.get(certificate.thumbprint)
        if found is None:
            problems.append(
                Problem(
                    origin,
                    f"certutil did not show certificate {certificate.thumbprint}, so its key was not probed.",
                    "Run the audit again; the store may have changed meanwhile.",
                    f"certutil -store {store}",
                )
            )
            result.append(certificate)
            continue
        key = replace(certificate.key, present=found.key.present, exportable=found.key.exportable)
        notes = certificate.notes + tuple(note for note in found.notes if note not in certificate.notes)
        result.append(replace(certificate, key=key, notes=notes))
    return result, problems


def _only(
    origin: str, store: str, wanted: Mapping[str, str], results: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """The results with the wanted thumbprints, and a problem for each that is not there.

    ``wanted`` holds the thumbprints as they were given, by their normal form.
    """
    there = {result["thumbprint"] for result in results}
    problems = [
        Problem(
            origin,
            f"The store {store!r} holds no certificate with the thumbprint {text!r}.",
            "Correct the option 'thumbprints' or 'store'.",
            certificates_key(store),
        )
        for thumbprint, text in wanted.items()
        if thumbprint not in there
    ]
    return [result for result in results if result["thumbprint"] in wanted], problems
