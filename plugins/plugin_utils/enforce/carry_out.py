# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out what has to be done, look again, and tell what came of it."""

from __future__ import annotations

from collections.abc import Sequence

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
from ..directory.naming import canonical
from ..host.connection import HostError
from ..template import schema
from ..template.forest import Forest
from ..template.wording import value_texts
from .backup import Backup
from .work import Work

_OVERTAKEN = (NO_SUCH_ATTRIBUTE, CONSTRAINT_VIOLATION, ATTRIBUTE_OR_VALUE_EXISTS)
"""What a directory answers when a value to be taken is gone, a second value of a single-valued attribute appeared, or
a value to be given is there already."""


def carry_out(directory: Directory, before: Forest, work: Work, backup: Backup) -> Forest:
    """Make the changes, read the forest back and compare.

    Raises:
        DirectoryError: a change was refused, or the directory holds something else afterwards; tells what was done and
            the way back. Of a change of which nothing was done the backup is removed.
        HostError: the connection broke, so that what was done is not known.
    """
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
