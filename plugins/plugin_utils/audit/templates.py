# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the templates of a forest and judge them for a product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..access.model import Directory
from ..profiles.model import Profile
from ..report.summary import template_summary
from ..template.forest import Forest, forest_of
from ..template.judge import judge_template
from ..template.schema import READ_ATTRIBUTES, READ_FILTER


def read_forest(directory: Directory) -> Forest:
    """All templates, CAs and registered OIDs of a forest, in one search.

    Raises:
        DirectoryError: the directory could not be reached or read.
    """
    found = directory.search(READ_FILTER, READ_ATTRIBUTES)
    return forest_of(found.entries, found.configuration, found.server)


def audit_templates(directory: Directory, names: Sequence[str], profile: Profile) -> dict[str, Any]:
    """The result of template_info.

    Args:
        directory: the forest's.
        names: common names, OIDs or display names; all templates when empty.
        profile: what the product requires.

    Raises:
        TemplateError: a name is that of no template, or of several.
        DirectoryError: the directory could not be reached or read.
    """
    forest = read_forest(directory)
    chosen = {state.name: state for state in map(forest.find, names)} if names else {}
    templates = []
    for state in chosen.values() if names else forest.templates:
        templates.append(
            {
                **forest.shown(state),
                "verdict": judge_template(state, profile).as_dict(),
            }
        )
    return {
        "changed": False,
        "templates": templates,
        "problems": [problem.as_dict() for problem in forest.problems],
        "enrolment_services": [service.as_dict() for service in forest.services],
        "directory": {"server": forest.server, "configuration": forest.configuration},
        "summary": template_summary(templates),
        "product": profile.title,
    }
