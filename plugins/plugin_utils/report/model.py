# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of a fleet as all reports see it: hosts, their certificates, findings and problems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from .needs import Need, build_needs, by_urgency, needs_sentence
from .summary import status_of, summary
from .wording import plural, text_of

if TYPE_CHECKING:
    from .templates import TemplateSection

HOST_STATUSES = ("failed", "unreachable", "skipped", "ok")
"""What may have become of a host, worst first."""

FINDING_STATUSES = ("unmet", "unknown", "warning")
"""The states of a requirement that make a finding, worst first."""

VERDICT_OF = {"unmet": "unsuitable", "unknown": "undetermined", "warning": "warning"}
"""The verdict that a finding leads to when it decides."""

NO_REASON = "No reason was reported."


@dataclass(frozen=True)
class Finding:
    """A requirement that a certificate or a template does not plainly meet. Texts are as the profile gives them."""

    name: str
    status: str
    """One of :data:`FINDING_STATUSES`."""
    expected: str | None = None
    actual: str | None = None
    reason: str | None = None
    remedy: str | None = None
    source: str | None = None
    confidence: str | None = None


@dataclass(frozen=True)
class Judged:
    """What a profile judged, with the verdict on it."""

    number: int
    """Counts its like in the report from 1."""
    status: str
    """One of :data:`summary.STATUSES`."""
    findings: tuple[Finding, ...]
    """Those that decide the verdict first, then the worst first; empty when all is well."""

    @property
    def deciding(self) -> tuple[Finding, ...]:
        """The findings that lead to the verdict."""
        return tuple(finding for finding in self.findings if VERDICT_OF[finding.status] == self.status)

    @property
    def further(self) -> tuple[Finding, ...]:
        """The findings that are not what the verdict comes from."""
        return tuple(finding for finding in self.findings if VERDICT_OF[finding.status] != self.status)


@dataclass(frozen=True)
class Item(Judged):
    """One certificate of a host. The number goes on from host to host."""

    host: str
    host_number: int
    certificate: Mapping[str, Any]
    """As in results: ``record.Certificate.as_dict()`` with ``verdict`` and ``assignments``."""

    @property
    def assignments(self) -> tuple[str, ...]:
        """What the product uses the certificate for; empty when for nothing, or when nobody asked."""
        return tuple(str(usage) for usage in self.certificate.get("assignments") or ())


@dataclass(frozen=True)
class Trouble:
    """Evidence that could not be read, or a step that failed: where, what and the way out."""

    host: str
    host_number: int
    origin: str
    place: str | None
    message: str
    remedy: str | None


@dataclass(frozen=True)
class Host:
    """One audited host."""

    name: str
    number: int
    """Counts the hosts of the report from 1, in the order they were given in."""
    status: str
    """One of :data:`HOST_STATUSES`."""
    message: str | None
    """Why there is no result, with the way out; always there unless the status is ``ok``."""
    store: str | None
    profile: str | None
    """What its certificates were judged by; ``None`` when nothing tells and other hosts differ."""
    groups: tuple[str, ...]
    items: tuple[Item, ...]
    troubles: tuple[Trouble, ...]
    needs: tuple[Need, ...] | None
    """What its Lync usages need; ``None`` when nobody asked, or when nothing tells."""
    unplanned: bool
    """Whether somebody asked, and nothing tells."""

    def counts(self) -> dict[str, Any]:
        """The ``summary`` of the host's certificates."""
        return summary(item.certificate for item in self.items)


@dataclass(frozen=True)
class Report:
    """Everything that a report shows."""

    title: str
    profiles: tuple[str, ...]
    """What the certificates were judged by, each name once, in the order of the hosts; at least one."""
    products: tuple[str, ...]
    """The names of the products that the profiles stand for, as a sentence can hold them, in the same order."""
    generated_at: datetime
    """UTC."""
    collection_version: str
    hosts: tuple[Host, ...]
    templates: TemplateSection | None = None
    """The certificate templates; ``None`` when nobody asked for them."""

    @property
    def profile(self) -> str:
        """The profiles as one text."""
        return ", ".join(self.profiles)

    @property
    def product(self) -> str:
        """The products as one text."""
        return ", ".join(self.products)

    @property
    def items(self) -> tuple[Item, ...]:
        """The certificates of all hosts."""
        return tuple(item for host in self.hosts for item in host.items)

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """The problems of all hosts."""
        return tuple(trouble for host in self.hosts for trouble in host.troubles)

    @property
    def needs(self) -> tuple[Need, ...]:
        """The needs of all hosts."""
        return tuple(need for host in self.hosts for need in host.needs or ())

    def left(self) -> tuple[Need, ...]:
        """The needs that are not in place: what needs a person first, then in the order of the hosts."""
        return tuple(need for need in by_urgency(self.needs) if need.progress != "satisfied")

    def needs_sentence(self) -> str:
        """How far the Lync usages of all hosts are, in one sentence; empty when there are none."""
        if not self.needs:
            return ""
        unplanned = sum(1 for host in self.hosts if host.unplanned)
        return needs_sentence(self.needs) + (f" Of {plural(unplanned, 'host')} nothing is known." if unplanned else "")

    def without_result(self) -> tuple[Host, ...]:
        """The hosts that should have given a result and did not (failed or unreachable)."""
        return tuple(host for host in self.hosts if host.status in ("failed", "unreachable"))

    def counts(self) -> dict[str, Any]:
        """The ``summary`` of all certificates."""
        return summary(item.certificate for item in self.items)


def build_report(
    hosts: Sequence[Mapping[str, Any]],
    *,
    generated_at: datetime,
    collection_version: str,
    profile: str,
    title: str = "Key providers of certificates",
    product: str | None = None,
    templates: TemplateSection | None = None,
) -> Report:
    """Put the results of an audit together.

    Args:
        hosts: one mapping a host (or a host and store): ``host``; ``status`` (ok, failed, unreachable, skipped);
            ``message``, why there is no result; ``certificates`` and ``problems`` as the modules return them;
            ``store``; ``profile`` with ``product``, its name in sentences; ``groups``; ``needs`` and
            ``unplanned`` as :func:`needs_input.with_needs` gives them. Only ``host`` must be there.
            A status that is none of these counts as failed.
        generated_at: the moment of the audit; must be aware of its time zone.
        collection_version: of the collection that made the report.
        profile: the name of the profile that the verdicts come from, for hosts that do not tell.
        title: stands at the top of the page and in the tab of the browser.
        product: the name of that product in sentences; the profile's name when not given.
        templates: what :func:`template_input.template_section` made of the certificate templates.

    Raises:
        ValueError: ``generated_at`` has no time zone.
    """
    if generated_at.tzinfo is None:
        raise ValueError("generated_at has no time zone: pass an aware datetime such as datetime.now(timezone.utc).")
    products: dict[str, str] = {}
    for data in hosts:
        if (data.get("status") or "ok") == "ok":
            judged_by = text_of(data.get("profile"))
            products.setdefault(judged_by or profile, (text_of(data.get("product")) if judged_by else product) or "")
    products = products or {profile: product or ""}
    profiles = tuple(products)
    built: list[Host] = []
    before = needs_before = 0
    for number, data in enumerate(hosts, 1):
        if templates:
            data = {**data, "certificates": [templates.naming(one) for one in data.get("certificates") or ()]}
        built.append(_host(number, data, before, needs_before, profiles[0] if len(profiles) == 1 else None))
        before += len(built[-1].items)
        needs_before += len(built[-1].needs or ())
    return Report(
        title=title,
        profiles=profiles,
        products=tuple(title or name for name, title in products.items()),
        generated_at=generated_at.astimezone(timezone.utc),
        collection_version=collection_version,
        hosts=tuple(built),
        templates=templates,
    )


def _host(number: int, data: Mapping[str, Any], before: int, needs_before: int, profile: str | None) -> Host:
    name = text_of(data.get("host")) or "(unnamed host)"
    status = data.get("status") or "ok"
    message = text_of(data.get("message"))
    if status not in HOST_STATUSES:
        message = message or f"The host has the unknown status {status!r}."
        status = "failed"
    if status != "ok" and not message:
        message = NO_REASON
    items = tuple(
        Item(
            host=name,
            host_number=number,
            number=before + index,
            certificate=certificate,
            status=status_of(certificate),
            findings=findings_of(certificate, "certificate"),
        )
        for index, certificate in enumerate(data.get("certificates") or (), 1)
    )
    needs = None
    if data.get("needs") is not None:
        told = _explained(items)
        needs = build_needs(data["needs"], host=name, host_number=number, before=needs_before, explained=told)
    return Host(
        name=name,
        number=number,
        status=status,
        message=message,
        store=text_of(data.get("store")),
        profile=text_of(data.get("profile")) or profile,
        groups=tuple(str(group) for group in data.get("groups") or ()),
        items=items,
        troubles=tuple(
            Trouble(
                host=name,
                host_number=number,
                origin=text_of(problem.get("origin")) or name,
                place=text_of(problem.get("place")),
                message=text_of(problem.get("message")) or NO_REASON,
                remedy=text_of(problem.get("remedy")),
            )
            for problem in data.get("problems") or ()
        ),
        needs=needs,
        unplanned=bool(data.get("unplanned")),
    )


def _explained(items: Sequence[Item]) -> dict[str, str]:
    """What a plan says of the findings about certificates at length, and what was found alone."""
    return {
        f"{finding.name}: {finding.reason or finding.expected}": f"{finding.name}: {finding.actual}."
        for item in items
        for finding in item.findings
        if finding.actual
    }


def findings_of(judged: Mapping[str, Any], noun: str) -> tuple[Finding, ...]:
    """The findings about a certificate or a template, as results show it, in the order of :attr:`Judged.findings`.

    Args:
        judged: what has the ``verdict``.
        noun: what it is called in a sentence.
    """
    verdict = judged.get("verdict") or {}
    found = [
        Finding(
            name=text_of(requirement.get("name")) or "requirement",
            status=text_of(requirement.get("status")) or "unknown",
            expected=text_of(requirement.get("expected")),
            actual=text_of(requirement.get("actual")),
            reason=text_of(requirement.get("reason")),
            remedy=text_of(requirement.get("remedy")),
            source=text_of(requirement.get("source")),
            confidence=text_of(requirement.get("confidence")),
        )
        for requirement in verdict.get("requirements") or ()
    ]
    found = [finding for finding in found if finding.status in FINDING_STATUSES]
    status = status_of(judged)
    if not found and status == "undetermined":
        found.append(
            Finding(
                name="verdict",
                status="unknown",
                reason=f"No requirement was judged for this {noun}.",
                remedy="Run the audit again with a profile that judges it.",
            )
        )
    return tuple(
        sorted(
            found,
            key=lambda finding: (VERDICT_OF[finding.status] != status, FINDING_STATUSES.index(finding.status)),
        )
    )
