# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""templates.csv: one row a certificate template or problem, or one that says why there are none; as report.csv."""

from __future__ import annotations

from typing import Any

from .csv_report import csv_text, judged_cells
from .templates import TemplateItem, TemplateSection
from .wording import key_spec_text

TEMPLATE_COLUMNS = (
    "row",
    "forest",
    "server",
    "profile",
    "verdict",
    "published_on",
    "name",
    "display_name",
    "category",
    "providers",
    "schema_version",
    "revision",
    "key_algorithm",
    "minimum_key_size",
    "key_spec",
    "key_usage",
    "consistent",
    "inconsistencies",
    "private_key_flags",
    "minimum_ca",
    "minimum_client",
    "enrollment_flags",
    "subject_name_flags",
    "general_flags",
    "extended_key_usage",
    "application_policies",
    "signatures_required",
    "supersedes",
    "oid",
    "dn",
    "exposures",
    "exposed_to",
    "exposure_reason",
    "exposure_remedy",
    "origin",
    "place",
    "requirements",
    "found",
    "reason",
    "remedy",
    "source",
    "confidence",
)
"""The header. ``row`` is ``template``, ``problem`` or ``directory``; columns are only ever added at the end."""

_AS_GIVEN = (
    "name",
    "display_name",
    "category",
    "providers",
    "schema_version",
    "key_algorithm",
    "minimum_key_size",
    "key_usage",
    "consistent",
    "inconsistencies",
    "extended_key_usage",
    "application_policies",
    "signatures_required",
    "supersedes",
    "oid",
    "dn",
    "published_on",
)


def render_template_csv(section: TemplateSection) -> str:
    """Render templates.csv, to be written as :func:`csv_report.render_csv` says."""
    rows = [_of_template(item) for item in section.items]
    rows += [
        {
            "row": "problem",
            "origin": problem.origin,
            "place": problem.place,
            "reason": problem.message,
            "remedy": problem.remedy,
        }
        for problem in section.problems
    ]
    if section.status != "ok":
        rows.append({"row": "directory", "reason": section.message})
    common = {"forest": section.forest, "server": section.server}
    return csv_text(TEMPLATE_COLUMNS, ({**common, **row} for row in rows))


def _of_template(item: TemplateItem) -> dict[str, Any]:
    template = item.template
    private_key_flags = template.get("private_key_flags") or {}
    return {
        **{key: template.get(key) for key in _AS_GIVEN},
        "row": "template",
        "profile": template["verdict"].get("profile"),
        "verdict": item.status,
        "revision": item.revision,
        "key_spec": key_spec_text(template),
        "private_key_flags": item.flags("private_key_flags"),
        "minimum_ca": private_key_flags.get("minimum_ca"),
        "minimum_client": private_key_flags.get("minimum_client"),
        "enrollment_flags": item.flags("enrollment_flags"),
        "subject_name_flags": item.flags("subject_name_flags"),
        "general_flags": item.flags("general_flags"),
        "exposures": [exposure.title for exposure in item.exposures],
        "exposed_to": [principal for exposure in item.exposures for principal in exposure.principals],
        "exposure_reason": [exposure.reason for exposure in item.exposures if exposure.reason],
        "exposure_remedy": [exposure.remedy for exposure in item.exposures if exposure.remedy],
        **judged_cells(item),
    }
