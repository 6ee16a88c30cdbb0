# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate templates of a forest as all reports see them: verdicts, exposures, and what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..record import Problem
from .model import VERDICT_OF, Judged
from .steps import shared_reason
from .summary import STATUSES, template_summary
from .wording import one_line, plural

UNPUBLISHED = "No CA offers the template, so it has no effect."
"""Why the verdict on a template concerns nobody."""

CATEGORY_WORDS = {
    "csp": "Legacy cryptographic service provider (CSP)",
    "ksp": "Key storage provider (KSP)",
}

FLAG_WORDS = {
    "private_key_flags": "Private key",
    "enrollment_flags": "Enrollment",
    "subject_name_flags": "Subject name",
    "general_flags": "General",
}
"""The flag words of a template by their keys in results, as people call them."""

_URGENCY = ("exposed", *STATUSES)

_DOMAIN_COMPONENT = re.compile(r"(?:^|,)\s*DC=([^,]+)", re.I)


@dataclass(frozen=True)
class Exposure:
    """One way to abuse a template. Texts are as the result gives them."""

    name: str
    certain: bool
    """False when a condition of it could not be checked."""
    principals: tuple[str, ...]
    """Who can: name and SID."""
    reason: str | None
    remedy: str | None
    source: str | None

    @property
    def title(self) -> str:
        """Its name, with the doubt about it."""
        return self.name if self.certain else f"{self.name} (not certain)"


@dataclass(frozen=True)
class TemplateItem(Judged):
    """One template. Judged for what certificates will be that clients enrol by it."""

    template: Mapping[str, Any]
    """As in results, with ``verdict``, ``published_on`` and ``exposures``."""
    name: str
    exposures: tuple[Exposure, ...]

    @property
    def title(self) -> str:
        """What people call it: the display name, else the name."""
        return str(self.template.get("display_name") or self.name)

    @property
    def published_on(self) -> tuple[str, ...]:
        """The names of the CAs that offer it."""
        return tuple(map(str, self.template["published_on"]))

    @property
    def category(self) -> str:
        """``csp`` or ``ksp``."""
        return str(self.template["category"])

    @property
    def providers(self) -> tuple[str, ...]:
        """The names of the providers, first choice first; none when any of the category will do."""
        return tuple(map(str, self.template["providers"]))

    @property
    def inconsistencies(self) -> tuple[str, ...]:
        """What contradicts itself, as sentences."""
        return tuple(map(str, self.template.get("inconsistencies") or ()))

    @property
    def revision(self) -> str | None:
        """Major and minor revision, as the console shows them: ``100.4``."""
        revision = self.template.get("revision") or {}
        parts = [revision.get(part) for part in ("major", "minor")]
        return None if None in parts else ".".join(map(str, parts))

    @property
    def key_text(self) -> str:
        """Algorithm and size: ``RSA, at least 2048 bits``."""
        size = self.template.get("minimum_key_size")
        parts = (self.template.get("key_algorithm"), f"at least {size} bits" if size else "no minimum size")
        return ", ".join(str(part) for part in parts if part)

    def flags(self, word: str) -> tuple[str, ...]:
        """The names of the flags that are set in one of :data:`FLAG_WORDS`."""
        return tuple(map(str, (self.template.get(word) or {}).get("names") or ()))

    @property
    def compatibility(self) -> tuple[tuple[str, str], ...]:
        """The oldest systems that the template allows, each with what it is."""
        flags = self.template.get("private_key_flags") or {}
        found = (("CA from", flags.get("minimum_ca")), ("Clients from", flags.get("minimum_client")))
        return tuple((label, str(version)) for label, version in found if version)


@dataclass(frozen=True)
class TemplateSection:
    """All templates of a forest, or why they could not be read."""

    status: str
    """``ok``, ``failed`` or ``unreachable``."""
    message: str | None
    """Why there is no result; always there unless the status is ``ok``."""
    server: str | None
    """The domain controller that was read."""
    configuration: str | None
    """The distinguished name of the configuration naming context."""
    product: str | None
    """What the templates were judged for, as sentences name it."""
    items: tuple[TemplateItem, ...]
    problems: tuple[Problem, ...]

    @property
    def forest(self) -> str | None:
        """The DNS name of the forest, from the configuration naming context."""
        return ".".join(_DOMAIN_COMPONENT.findall(self.configuration or "")) or self.configuration

    @property
    def profile(self) -> str | None:
        """What the templates were judged by."""
        names = dict.fromkeys(item.template["verdict"].get("profile") for item in self.items)
        return ", ".join(str(name) for name in names if name) or None

    @property
    def origin(self) -> str:
        """Where they come from, in words: ``forest corp.example.test, read from dc01``."""
        parts = (self.forest and f"forest {self.forest}", self.server and f"read from {self.server}")
        return ", ".join(part for part in parts if part)

    @property
    def published(self) -> tuple[TemplateItem, ...]:
        """The templates that a CA offers."""
        return tuple(item for item in self.items if item.published_on)

    @property
    def unpublished(self) -> tuple[TemplateItem, ...]:
        """The templates that no CA offers."""
        return tuple(item for item in self.items if not item.published_on)

    def naming(self, certificate: Mapping[str, Any]) -> Mapping[str, Any]:
        """A certificate with its template as the forest names it, and the category that the template has now.

        Certificates name the templates of schema 2 and later by their OID alone.
        """
        named = certificate.get("template") or {}
        known = next(
            (item for item in self.items if named.get("oid") and item.template.get("oid") == named["oid"]), None
        )
        if known is None:
            return certificate
        forest = {"name": known.name, "display_name": known.template.get("display_name"), "category": known.category}
        return {**certificate, "template": {**named, **forest}}

    def counts(self) -> dict[str, Any]:
        """The ``summary`` of the templates."""
        return template_summary(item.template for item in self.items)

    def asides(self) -> list[str]:
        """What a reader of the report must not miss, one sentence each."""
        if self.status != "ok":
            return ["The certificate templates could not be read, so nothing is known about them."]
        told: list[str] = []
        published = self.published
        unsuitable = sum(1 for item in published if item.status == "unsuitable")
        if unsuitable:
            told.append(
                f"{unsuitable} of {plural(len(published), 'published certificate template')} "
                f"{'leads' if unsuitable == 1 else 'lead'} to certificates that {self.product or 'the product'} "
                "cannot use."
            )
        exposed = [item for item in published if item.exposures]
        if exposed:
            names = dict.fromkeys(exposure.name for item in exposed for exposure in item.exposures)
            told.append(
                f"{plural(len(exposed), 'published certificate template')} "
                f"{'is' if len(exposed) == 1 else 'are'} exposed to abuse ({', '.join(names)})."
            )
        if self.problems:
            told.append(f"{plural(len(self.problems), 'problem')} came up while reading the certificate templates.")
        return told


@dataclass(frozen=True)
class Advice:
    """One thing to do, why, and for which templates."""

    remedy: str
    """Empty when a reason came without one."""
    status: str
    """The worst verdict that it mends; ``exposed`` when it is for an exposure."""
    reasons: tuple[str, ...]
    """Each once; what was found and differs is left out of them, with :data:`steps.SEE_TABLE` in its place."""
    items: tuple[TemplateItem, ...]


def advice(items: Iterable[TemplateItem], *, exposures: bool) -> tuple[Advice, ...]:
    """What to do about templates, each remedy once.

    What concerns published templates comes first, of that the exposures, then the worst verdict, the most templates.

    Args:
        items: the templates.
        exposures: whether the remedies for exposures are among it.
    """
    found: dict[str, dict[int, TemplateItem]] = {}
    reasons: dict[str, dict[str, list[str]]] = {}
    ranks: dict[str, list[int]] = {}

    def note(item: TemplateItem, rank: int, reason: str | None, shared: str | None, remedy: str | None) -> None:
        key = one_line(remedy or shared or "")
        if key:
            found.setdefault(key, {})[item.number] = item
            reasons.setdefault(key, {}).setdefault(one_line(shared or ""), []).append(one_line(reason or ""))
            ranks.setdefault(key, []).append(rank)

    for item in items:
        for exposure in item.exposures if exposures else ():
            note(item, 0, exposure.reason, exposure.reason, exposure.remedy)
        for finding in item.findings:
            rank = _URGENCY.index(VERDICT_OF[finding.status])
            note(item, rank, finding.reason, shared_reason(finding), finding.remedy)
    built = (
        Advice(
            # A reason that stands alone is its own key.
            remedy="" if key in reasons[key] else key,
            status=_URGENCY[min(ranks[key])],
            reasons=tuple(own[0] if len(set(own)) == 1 else shared for shared, own in reasons[key].items() if shared),
            items=tuple(same.values()),
        )
        for key, same in found.items()
    )
    return tuple(
        sorted(
            built,
            key=lambda entry: (
                not any(item.published_on for item in entry.items),
                _URGENCY.index(entry.status),
                -len(entry.items),
                entry.remedy,
            ),
        )
    )


def numbers_by_template(todo: Iterable[Advice]) -> dict[int, list[int]]:
    """Which of the things to do, counted from 1, concern a template; by the number of the template."""
    numbers: dict[int, list[int]] = {}
    for number, entry in enumerate(todo, 1):
        for item in entry.items:
            numbers.setdefault(item.number, []).append(number)
    return numbers


@dataclass(frozen=True)
class Exposed:
    """An exposure and all templates that have it."""

    exposure: Exposure
    items: tuple[TemplateItem, ...]


def exposed_templates(items: Iterable[TemplateItem]) -> tuple[Exposed, ...]:
    """The exposures, equal ones once, those of published templates first, the certain ones before the others."""
    found: dict[Exposure, list[TemplateItem]] = {}
    for item in items:
        for exposure in item.exposures:
            found.setdefault(exposure, []).append(item)
    return tuple(
        sorted(
            (Exposed(exposure, tuple(same)) for exposure, same in found.items()),
            key=lambda entry: (not any(item.published_on for item in entry.items), not entry.exposure.certain),
        )
    )
