# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one template what is wanted: read, plan, save, apply, read back, verify."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..access.model import Directory
from ..audit.templates import read_forest
from ..directory.change import Add, Change, Modify
from ..directory.entry import Entry
from ..directory.errors import (
    ATTRIBUTE_OR_VALUE_EXISTS,
    CONSTRAINT_VIOLATION,
    NO_SUCH_ATTRIBUTE,
    DirectoryError,
)
from ..directory.ldif import write_changes, write_deletion, write_replacement
from ..directory.naming import canonical
from ..host.connection import HostError
from ..template import schema
from ..template.duplicate import Duplicate, new_name_of, plan_duplicate
from ..template.exposure import exposures
from ..template.forest import Forest
from ..template.plan import AttributeChange, Plan, plan_template
from ..template.publication import Publication, plan_publication
from ..template.state import TemplateState, template_of
from ..template.wanted import TemplateError, Wanted, checked_key_size, checked_providers
from ..template.wording import attribute_lines, value_texts
from .backup import Backup, save

_OVERTAKEN = (NO_SUCH_ATTRIBUTE, CONSTRAINT_VIOLATION, ATTRIBUTE_OR_VALUE_EXISTS)
"""What a directory answers when a value to be taken is gone, a second value of a single-valued attribute appeared, or
a value to be given is there already."""


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


def enforce_template(directory: Directory, wish: TemplateWish, *, check: bool, at: datetime) -> dict[str, Any]:
    """Do it and return the result of the module, ``diff`` and ``warnings`` with it.

    Args:
        directory: the forest's.
        wish: what is asked for.
        check: plan only.
        at: the moment, UTC, for the names of the backup files.

    Raises:
        TemplateError: the wish cannot or may not be fulfilled; nothing was changed.
        DirectoryError: the directory could not be read or changed, or holds something else afterwards.
    """
    providers, warnings = checked_providers(wish.wanted.providers)
    size = checked_key_size(wish.wanted.minimum_key_size)
    wish = replace(wish, wanted=replace(wish.wanted, providers=providers, minimum_key_size=size))
    forest = read_forest(directory)
    work = plan_work(forest, wish)
    _refuse_exposure(work)
    result: dict[str, Any] = {
        "changed": bool(work.changes),
        "before": forest.shown(work.before),
        "plan": work.as_dict(),
        "backup": None,
        "diff": diff(work),
    }
    if told := [*warnings, *_warnings(forest, work, wish)]:
        result["warnings"] = told
    if not work.changes or check:
        result["after"] = {**forest.shown(work.outcome), "published_on": _published(forest, work)}
        return result
    backup = _save(forest, work, wish.backup_dir, at)
    result["backup"] = backup.as_dict()
    after = _apply(directory, forest, work, backup)
    result["after"] = after.shown(after.find(work.outcome.name))
    return result


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
    offering = _published(forest, work)
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


def _refuse_exposure(work: Work) -> None:
    """Nothing that is written here may newly let a low-privileged account have a certificate in any name."""
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


def _warnings(forest: Forest, work: Work, wish: TemplateWish) -> list[str]:
    told = [f"{work.outcome.name} ({risk.name}): {risk.reason} {risk.remedy}" for risk in exposures(work.outcome)]
    if wish.publish_on is not None:
        # A CA that cannot be read is left out of "all others".
        services = canonical(forest.services_container)
        unread = [problem for problem in forest.problems if canonical(problem.place or "")[1:] == services]
        told += [f"{problem.place}: {problem.message} It was left out of the publication." for problem in unread]
    return told


def _published(forest: Forest, work: Work) -> list[str]:
    """The CAs that offer the template once the plan is carried out."""
    gone = {service.name for service in work.publication.remove}
    kept = [name for name in forest.published_on(work.outcome.name) if name not in gone]
    return sorted([*kept, *(service.name for service in work.publication.add)], key=str.casefold)


def _save(forest: Forest, work: Work, directory: Path, at: datetime) -> Backup:
    services = (*work.publication.add, *work.publication.remove)
    entries = [work.plan.state.entry if work.plan else work.before.entry, *(service.entry for service in services)]
    return save(directory, work.before.name, entries, _restore(work), server=forest.server, at=at)


def _restore(work: Work) -> bytes:
    """What takes the changes back, in the order in which they are made.

    An import ends at the first record that fails, and what was not done cannot be taken back: so all that was done
    stands before it, however far the change came.
    """
    text = b""
    if work.plan and work.plan.changes:
        text = write_replacement(work.plan.state.dn, [_old(change) for change in work.plan.changes])
    elif work.duplicate:
        text = write_deletion([add.dn for add in work.duplicate.adds])
    return text + write_changes([_reversed(modify) for modify in work.publication.modifies], encoding="ascii")


def _reversed(modify: Modify) -> Modify:
    return Modify(
        modify.dn, tuple(replace(row, delete=row.add, add=row.delete) for row in reversed(modify.modifications))
    )


def _old(change: AttributeChange) -> tuple[str, tuple[bytes, ...]]:
    """The value to put back; the minor revision rises once more, because clients and CAs keep what they saw."""
    if change.attribute == schema.MINOR_REVISION and change.new:
        return change.attribute, (str(int(change.new[0]) + 1).encode(),)
    if change.attribute == schema.MAJOR_REVISION:
        return change.attribute, change.new
    return change.attribute, change.old


def _apply(directory: Directory, before: Forest, work: Work, backup: Backup) -> Forest:
    try:
        directory.apply(work.changes)
    except DirectoryError as exc:
        raise _told(exc, directory, before, work, backup) from exc
    except HostError as exc:
        raise _unknown(exc, backup) from exc
    try:
        after = read_forest(directory)
    except (DirectoryError, HostError) as exc:
        raise _unknown(exc, backup) from exc
    wrong = _differences(after, work)
    if wrong:
        raise DirectoryError(
            f"The directory took the change, but holds something else now: {' '.join(wrong)}",
            place=work.outcome.dn,
            remedy="Look for another administrator or for replication, then run it again. "
            + backup.as_dict()["instructions"],
        )
    return after


def _unknown(exc: DirectoryError | HostError, backup: Backup) -> DirectoryError | HostError:
    """The error of a connection that broke when the change was on its way, or before it was read back."""
    message = f"{exc.message} Whether the template was changed is not known."
    remedy = f"{exc.remedy} A second run finds what was done and goes on. {backup.as_dict()['instructions']}"
    return type(exc)(message, remedy=remedy, place=exc.place)


def _told(exc: DirectoryError, directory: Directory, before: Forest, work: Work, backup: Backup) -> DirectoryError:
    """The error of a change with what it left behind, which only another look can tell."""
    try:
        after = read_forest(directory)
    except (DirectoryError, HostError):
        left = f"Whether anything was changed could not be read. {backup.as_dict()['instructions']}"
    else:
        refused = canonical(exc.place) if exc.place and exc.code is not None else None
        done = [change for change in work.changes if canonical(change.dn) != refused and _is_done(after, change)]
        if done:
            left = f"Done before it failed: {', '.join(change.dn for change in done)}."
            left += f" {backup.as_dict()['instructions']}"
        elif exc.code is not None and after.server == before.server:
            left = "Nothing was changed."
            backup.discard()
        else:
            # Without an answer the change may still be on its way; another domain controller may be behind.
            left = f"Nothing had changed when {after.server} was read again."
        if exc.code in _OVERTAKEN:
            left = f"{_changed_meanwhile(before, after, [each for each in work.changes if each not in done])} {left}"
    return DirectoryError(f"{exc.message} {left}", place=exc.place or work.outcome.dn, remedy=exc.remedy, code=exc.code)


def _changed_meanwhile(before: Forest, after: Forest, changes: Sequence[Change]) -> str:
    """Which attributes somebody else changed between the reading and changes that were not made."""
    objects = _entries(after)
    changed = []
    for change in changes:
        old, new = _entries(before).get(canonical(change.dn)), objects.get(canonical(change.dn))
        if isinstance(change, Modify) and old and new:
            changed += [
                f"{row.attribute} is {_values(row.attribute, new.values(row.attribute))} now, "
                f"it was {_values(row.attribute, old.values(row.attribute))}."
                for row in change.modifications
                if set(old.values(row.attribute)) != set(new.values(row.attribute))
            ]
    return f"Somebody changed the object meanwhile: {' '.join(changed)}" if changed else ""


def _values(attribute: str, values: Sequence[bytes]) -> str:
    return ", ".join(value_texts(attribute, values)) or "absent"


def _differences(after: Forest, work: Work) -> list[str]:
    """What is not as planned. Of the template's own attributes no value may be there that somebody else added."""
    entry = _entries(after).get(canonical(work.plan.state.dn)) if work.plan else None
    wrong = [
        f"{row.attribute} is {_values(row.attribute, entry.values(row.attribute))}, "
        f"not {_values(row.attribute, row.new)}."
        for row in (work.plan.changes if work.plan else ())
        if entry and set(entry.values(row.attribute)) != set(row.new)
    ]
    return wrong or [f"{change.dn} is not as planned." for change in work.changes if not _is_done(after, change)]


def _is_done(forest: Forest, change: Change) -> bool:
    """Whether the directory holds what a change wrote. Descriptors are left out: the server adds inherited rights."""
    entry = _entries(forest).get(canonical(change.dn))
    if entry is None:
        return False
    if isinstance(change, Add):
        skipped = (schema.SECURITY_DESCRIPTOR.casefold(), "objectclass")
        return all(
            set(entry.values(name)) == set(values)
            for name, values in change.attributes
            if name.casefold() not in skipped and name in schema.READ_ATTRIBUTES
        )
    return all(
        set(row.add) <= set(entry.values(row.attribute))
        and not (set(row.delete) - set(row.add)) & set(entry.values(row.attribute))
        for row in change.modifications
    )


def _entries(forest: Forest) -> dict[tuple[str, ...], Entry]:
    found = [state.entry for state in forest.templates] + [service.entry for service in forest.services]
    return {canonical(entry.dn): entry for entry in (*found, *forest.oids.values())}
