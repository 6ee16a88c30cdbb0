# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be done in the directory for a template that is wanted, and what will be there then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..directory.change import Add, Change
from ..directory.naming import canonical
from ..template.duplicate import Duplicate, new_name_of, plan_duplicate
from ..template.exposure import exposures
from ..template.forest import Forest
from ..template.plan import AttributeChange, Plan, plan_template
from ..template.publication import Publication, plan_publication
from ..template.state import TemplateState, template_of
from ..template.wanted import TemplateError, Wanted
from ..template.wording import attribute_lines, value_texts


@dataclass(frozen=True)
class TemplateWish:
    """What a task asks for."""

    name: str
    wanted: Wanted
    publish_on: tuple[str, ...] | None
    withdraw_from_others: bool
    backup_dir: Path


@dataclass(frozen=True)
class Work:
    """What has to be done in the directory, and what will be there then."""

    before: TemplateState
    """The template that was asked for, as it is."""
    outcome: TemplateState
    """The template that CAs are to offer, as it is to be."""
    plan: Plan | None
    duplicate: Duplicate | None
    publication: Publication
    notes: tuple[str, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """In the order in which they have to be made."""
        own: tuple[Change, ...] = ()
        if self.plan and self.plan.changes:
            own = (self.plan.modify,)
        elif self.duplicate:
            own = self.duplicate.adds
        return own + self.publication.modifies

    @property
    def action(self) -> str:
        """``none``, ``modify``, ``duplicate`` or ``publish``."""
        if self.duplicate:
            return "duplicate"
        if self.plan and self.plan.changes:
            return "modify"
        return "publish" if self.changes else "none"

    def as_dict(self) -> dict[str, Any]:
        """The ``plan`` mapping of results."""
        return {
            "action": self.action,
            "template": self.outcome.name,
            "changes": [
                {
                    "attribute": change.attribute,
                    "before": value_texts(change.attribute, change.old),
                    "after": value_texts(change.attribute, change.new),
                    "reason": change.reason,
                }
                for change in (self.plan.changes if self.plan else ())
            ],
            "new_objects": [add.dn for add in (self.duplicate.adds if self.duplicate else ())],
            "publication": self.publication.as_dict(),
            "notes": list(self.notes),
        }


def plan_work(forest: Forest, wish: TemplateWish) -> Work:
    """Everything that has to be done for a wish.

    Raises:
        TemplateError: it cannot or may not be fulfilled.
    """
    before = forest.find(wish.name)
    plan: Plan | None = None
    duplicate: Duplicate | None = None
    if before.schema_version == 3 and wish.wanted.schema_3 == "supersede":
        successor = forest.by_name(new_name_of(before, wish.wanted))
        if successor is None:
            duplicate = plan_duplicate(forest, before, wish.wanted)
            outcome, notes = duplicate.state, duplicate.notes
        else:
            if before.name.casefold() not in (name.casefold() for name in successor.supersedes):
                raise TemplateError(
                    f"There is a template {successor.name!r} already, and it does not supersede {before.name!r}.",
                    place=successor.dn,
                    remedy="Give another new_name, or name that template itself.",
                )
            plan = plan_template(successor, wish.wanted)
    else:
        plan = plan_template(before, wish.wanted)
    if plan:
        outcome, notes = template_of(plan.outcome) if plan.changes else plan.state, plan.notes
    publication = plan_publication(forest.services, outcome.name, wish.publish_on, wish.withdraw_from_others)
    work = Work(before, outcome, plan, duplicate, publication, notes)
    return replace(work, notes=(*notes, *_consequences(forest, work)))


def _consequences(forest: Forest, work: Work) -> list[str]:
    """What a change does not reach, and what it takes until it is seen (MS-WCCE 3.2.2.8, 3.2.2.6.2.1.4.2)."""
    if not work.changes:
        return []
    found = []
    offering = published(forest, work)
    if offering:
        found.append(
            f"The CAs that offer the template ({', '.join(offering)}) keep it in memory: until they have seen the "
            "change they may deny requests with 0x80094807 (CERTSRV_E_BAD_TEMPLATE_VERSION). Restart-Service certsvc "
            "on a CA makes it read the templates anew."
        )
    else:
        found.append("No CA offers the template, so it has no effect until one does (publish_on).")
    old = [service for service in forest.published_on(work.before.name) if work.outcome.name != work.before.name]
    if old:
        found.append(
            f"The superseded template {work.before.name!r} is still offered by {', '.join(old)}, and clients may go on "
            f"choosing it. When nobody needs it any more, withdraw it there: certutil -SetCATemplates "
            f"-{work.before.name} on the CA."
        )
    if work.action in ("modify", "duplicate"):
        found.append(
            "Certificates that exist keep their keys, and the CA does not enforce providers: audit those that are "
            "enrolled from now on."
        )
    return found


def published(forest: Forest, work: Work) -> list[str]:
    """The CAs that offer the template once the plan is carried out."""
    gone = {service.name for service in work.publication.remove}
    kept = [name for name in forest.published_on(work.outcome.name) if name not in gone]
    return sorted([*kept, *(service.name for service in work.publication.add)], key=str.casefold)


def diff(work: Work) -> list[dict[str, str]]:
    """The attributes before and after, one element an object, as ``--diff`` prints it."""
    found = []
    for change in work.changes:
        if isinstance(change, Add):
            lines = "".join(attribute_lines(name, values) for name, values in change.attributes)
            found.append(_diff(change.dn, "", lines))
        elif work.plan and change.dn == work.plan.state.dn:
            rows = work.plan.changes
            found.append(_diff(change.dn, _lines(rows, new=False), _lines(rows, new=True)))
        else:
            values = [(row.attribute, row.delete, row.add) for row in change.modifications]
            before = "".join(attribute_lines(name, old) for name, old, new in values)
            after = "".join(attribute_lines(name, new) for name, old, new in values)
            found.append(_diff(change.dn, before, after))
    return found


def _lines(changes: Sequence[AttributeChange], *, new: bool) -> str:
    return "".join(attribute_lines(change.attribute, change.new if new else change.old) for change in changes)


def _diff(dn: str, before: str, after: str) -> dict[str, str]:
    return {"before_header": dn, "after_header": dn, "before": before, "after": after}


def refuse_exposure(work: Work) -> None:
    """Nothing that is written here may newly let a low-privileged account have a certificate in any name.

    Raises:
        TemplateError: the work would, by a duplicate or by publishing.
    """
    known = {found.name for found in exposures(work.plan.state)} if work.plan else set()
    for found in exposures(work.outcome):
        where = ", ".join(service.name for service in work.publication.add)
        # Whoever may enrol when that cannot be read may be everybody.
        grave = found.certain or not found.principals
        if grave and (work.duplicate or found.name not in known or where):
            what = f"publish it on {where}" if where else "write that"
            raise TemplateError(
                f"The template {work.outcome.name!r} would be open to {found.name}: {found.reason} "
                f"This module does not {what}.",
                place=work.outcome.dn,
                remedy=found.remedy,
            )


def warnings_of(forest: Forest, work: Work, wish: TemplateWish) -> list[str]:
    """What a person should know though it does not stand in the way."""
    told = [f"{work.outcome.name} ({risk.name}): {risk.reason} {risk.remedy}" for risk in exposures(work.outcome)]
    if wish.publish_on is not None:
        # A CA that cannot be read is left out of "all others".
        services = canonical(forest.services_container)
        unread = [problem for problem in forest.problems if canonical(problem.place or "")[1:] == services]
        told += [f"{problem.place}: {problem.message} It was left out of the publication." for problem in unread]
    return told
