# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done and what is left to do for the Lync usages of each host, as the plan of the host tells it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .wording import one_line, plural, text_of

PLAN_STATES = ("blocked", "waits", "request", "convert", "transfer", "assign", "satisfied")
"""The states in results of lync_certificate_plan."""

PROGRESS = ("blocked", "pending", "waits", "request", "convert", "transfer", "assign", "satisfied")
"""How far a certificate is, what needs a person first: the states of the plan, and ``pending`` for a request that
waits for its CA."""

PROGRESS_WORDS = {
    "blocked": "blocked",
    "pending": "pending",
    "waits": "waiting",
    "request": "to request",
    "convert": "to convert",
    "transfer": "to take over",
    "assign": "to assign",
    "satisfied": "in place",
}

SHORT = 8
"""How many digits of a thumbprint a reader needs to find the certificate."""

_NEXT = {
    "waits": "The next run after that goes on.",
    "request": "A new certificate is to be requested.",
    "convert": "The key of {convert} is to be moved into {provider}.",
    "transfer": "The certificate is to be taken over from {source_host} with its key.",
    "assign": "The certificate is in the store and is to be assigned.",
}

_OR_CONVERT = "When none can be requested, the key of {convert} is to be moved into {provider}."


@dataclass(frozen=True)
class Pending:
    """A request that waits for its CA."""

    request_id: int | None
    """The number that the CA gave it."""
    ca: str | None
    """``HOST\\NAME``; ``None`` when it waits in a directory for any CA."""
    reason: str | None
    csr_path: str | None
    """The file of the request on the controller, for another CA."""

    @property
    def told(self) -> tuple[str, ...]:
        """Where it is, why it waits, and what comes next, in whole sentences."""
        named = f"Request {self.request_id}" if self.request_id else "The request"
        where = f"{named} is at {self.ca or 'the CA'}." if self.request_id or self.ca else ""
        if self.reason and named in self.reason and (self.ca or "") in self.reason:
            where = ""
        after = "The next run takes the answer of the CA from the directory of the request." if self.csr_path else ""
        why = self.reason or "The request waits for its CA; the run after the answer goes on."
        return tuple(filter(None, (where, why, after)))

    def as_dict(self) -> dict[str, Any]:
        """The request as it stands in report.json."""
        return dict(vars(self))


@dataclass(frozen=True)
class Need:
    """One certificate that a host should have for some of its Lync usages."""

    host: str
    host_number: int
    number: int
    """Counts the needs of the report from 1."""
    name: str
    types: tuple[str, ...]
    """The usages that share the certificate."""
    state: str
    """One of :data:`PLAN_STATES`."""
    reasons: tuple[str, ...]
    """As the plan has them."""
    brief: tuple[str, ...]
    """Likewise, with what was found in place of what the findings about the certificates of the host explain."""
    current: str | None
    """The thumbprint of the certificate that is assigned now."""
    successor: str | None
    """The thumbprint of the certificate that is to be assigned."""
    repair: str | None
    """Whether a new certificate is requested or the key of one that is there is moved, as it was asked for."""
    convert: str | None
    """The thumbprint of the certificate whose key is to be moved, or can be when none can be requested."""
    provider: str | None
    """Where keys are to be."""
    shared: str | None
    source_host: str | None
    pending: Pending | None
    """Only while the state is ``request``."""

    @property
    def progress(self) -> str:
        """One of :data:`PROGRESS`."""
        return "pending" if self.pending else self.state

    @property
    def usages(self) -> str:
        """The usages on one line."""
        return one_line(", ".join(self.types))

    @property
    def follows(self) -> str | None:
        """The thumbprint of the certificate that follows the one of now, when it is another and known."""
        moved = self.convert if self.progress == "convert" and self.convert != self.current else None
        return self.successor or moved

    @property
    def target(self) -> str:
        """What follows the certificate of now, in words, when no thumbprint tells; empty when nothing does."""
        if self.follows or self.progress in ("satisfied", "blocked"):
            return ""
        if self.progress == "convert":
            return "the same with its key moved"
        return f"that of {self.source_host}" if self.progress == "waits" and self.source_host else "a new one"

    @property
    def told(self) -> tuple[str, ...]:
        """Why it is not further, and what comes next, in whole sentences; empty when all is well."""
        if self.progress == "satisfied":
            return ()
        if self.pending:
            return self.pending.told
        after = [_NEXT.get(self.progress, "")]
        if self.progress == "request" and self.convert:
            after.append(_OR_CONVERT)
        names = {
            "source_host": self.source_host or "the server that has it",
            "convert": self.convert[:SHORT] if self.convert else "the certificate",
            "provider": self.provider or "the wished provider",
        }
        return tuple(filter(None, (*self.brief, *(text.format(**names) for text in after))))

    def as_dict(self) -> dict[str, Any]:
        """The need as it stands in report.json."""
        return {
            "name": self.name,
            "types": list(self.types),
            "state": self.state,
            "reasons": list(self.reasons),
            "current": self.current,
            "successor": self.successor,
            "repair": self.repair,
            "convert": self.convert,
            "provider": self.provider,
            "shared": self.shared,
            "source_host": self.source_host,
            "pending": self.pending.as_dict() if self.pending else None,
        }


def by_urgency(needs: Iterable[Need]) -> tuple[Need, ...]:
    """The needs as a list of what is left has them: what needs a person first, then in the order of the report."""
    return tuple(sorted(needs, key=lambda need: (PROGRESS.index(need.progress), need.number)))


def needs_summary(needs: Iterable[Need]) -> dict[str, int]:
    """The needs in numbers: ``total``, and one count for each of :data:`PROGRESS`."""
    seen = Counter(need.progress for need in needs)
    return {"total": seen.total(), **{progress: seen[progress] for progress in PROGRESS}}


def needs_sentence(needs: Sequence[Need]) -> str:
    """How far the hosts are, in one sentence."""
    counts = needs_summary(needs)
    every = f"{plural(counts['total'], 'certificate')} for Lync usages"
    missing = counts["total"] - counts["satisfied"]
    if not missing:
        return f"{every}: all in place."
    told = ", ".join(
        f"{counts[progress]} {PROGRESS_WORDS[progress]}"
        for progress in PROGRESS
        if counts[progress] and progress != "satisfied"
    )
    return f"{missing} of {every} {'is' if missing == 1 else 'are'} not in place: {told}."


def build_needs(
    planned: Sequence[Mapping[str, Any]],
    *,
    host: str,
    host_number: int,
    before: int,
    explained: Mapping[str, str],
) -> tuple[Need, ...]:
    """The needs of a host for a report.

    Args:
        planned: ``needs`` as lync_certificate_plan returns them, each with ``pending``: what is known of its request
            (``status``, ``request_id``, ``ca``, ``reason``, ``csr_path``), or ``None``.
        host: the name of the host.
        host_number: its number in the report.
        before: how many needs the hosts before it have.
        explained: what the report explains at the certificates of the host, as reasons tell it, and the short form.
    """
    return tuple(_need(data, host, host_number, number, explained) for number, data in enumerate(planned, before + 1))


def _need(data: Mapping[str, Any], host: str, host_number: int, number: int, explained: Mapping[str, str]) -> Need:
    reasons = tuple(str(reason) for reason in data.get("reasons") or ())
    return Need(
        host=host,
        host_number=host_number,
        number=number,
        name=text_of(data.get("name")) or "need",
        types=tuple(str(name) for name in data["types"]),
        state=str(data["state"]),
        reasons=reasons,
        brief=tuple(_shortened(reason, explained) for reason in reasons),
        current=text_of(data.get("current")),
        successor=text_of(data.get("successor")),
        repair=text_of(data.get("repair")),
        convert=text_of(data.get("convert")),
        provider=text_of(data.get("provider")),
        shared=text_of(data.get("shared")),
        source_host=text_of(data.get("source_host")),
        pending=_pending(data),
    )


def _shortened(reason: str, explained: Mapping[str, str]) -> str:
    for full, short in explained.items():
        reason = reason.replace(full, short)
    return reason


def _pending(data: Mapping[str, Any]) -> Pending | None:
    """The request that waits; what was remembered of one that is answered by now counts for nothing."""
    request = data.get("pending") or {}
    if data["state"] != "request" or request.get("status") != "pending":
        return None
    number = str(request.get("request_id"))
    return Pending(
        request_id=int(number) if number.isdecimal() else None,
        ca=text_of(request.get("ca")),
        reason=text_of(request.get("reason")),
        csr_path=text_of(request.get("csr_path")),
    )
