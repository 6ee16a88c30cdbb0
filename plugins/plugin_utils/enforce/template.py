# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make one template what is wanted: read, plan, save, apply, read back, verify."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..access.model import Directory
from ..audit.templates import read_forest
from ..directory.change import Modify
from ..directory.ldif import write_changes, write_deletion, write_replacement
from ..template import schema
from ..template.forest import Forest
from ..template.plan import AttributeChange
from ..template.wanted import checked_key_size, checked_providers
from .backup import Backup, save
from .carry_out import carry_out
from .work import TemplateWish, Work, diff, plan_work, published, refuse_exposure, warnings_of


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
    refuse_exposure(work)
    result: dict[str, Any] = {
        "changed": bool(work.changes),
        "before": forest.shown(work.before),
        "plan": work.as_dict(),
        "backup": None,
        "diff": diff(work),
    }
    if told := [*warnings, *warnings_of(forest, work, wish)]:
        result["warnings"] = told
    if not work.changes or check:
        result["after"] = {**forest.shown(work.outcome), "published_on": published(forest, work)}
        return result
    backup = _save(forest, work, wish.backup_dir, at)
    result["backup"] = backup.as_dict()
    after = carry_out(directory, forest, work, backup)
    result["after"] = after.shown(after.find(work.outcome.name))
    return result


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
