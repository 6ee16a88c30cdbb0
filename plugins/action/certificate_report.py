# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""certificate_report: the audit of many hosts as JSON, CSV, JUnit XML, one HTML page and a table."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

from ansible.utils.display import Display

from ..plugin_utils.host.action import KeyProviderAction
from ..plugin_utils.profiles.library import load
from ..plugin_utils.record import EvidenceError
from ..plugin_utils.report.files import write_reports
from ..plugin_utils.report.gate import FAIL_ON, stops
from ..plugin_utils.report.hosts import play_entries
from ..plugin_utils.report.model import build_report
from ..plugin_utils.report.needs import needs_summary
from ..plugin_utils.report.needs_input import with_needs
from ..plugin_utils.report.table import render_table
from ..plugin_utils.report.template_input import template_section
from ..plugin_utils.version import COLLECTION_VERSION

display = Display()


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    _requires_connection = False

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "register": {"type": "str", "required": True},
        "hosts": {"type": "list", "elements": "str"},
        "dest": {"type": "path", "required": True},
        "profile": {"type": "str", "default": "lync_2013"},
        "title": {"type": "str"},
        "fail_on": {"type": "str", "choices": list(FAIL_ON), "default": "never"},
        "table": {"type": "bool", "default": True},
        "templates": {"type": "dict"},
        "needs_register": {"type": "str"},
        "pending_register": {"type": "str"},
        "failure_register": {"type": "str"},
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        if not arguments["dest"]:
            raise EvidenceError("The option 'dest' is empty.", remedy="Give the directory for the reports.")
        templates = None if arguments["templates"] is None else template_section(arguments["templates"])
        entries = play_entries(arguments["register"], arguments["hosts"], task_vars)
        if arguments["needs_register"]:
            entries = with_needs(
                entries,
                task_vars,
                needs_register=arguments["needs_register"],
                pending_register=arguments["pending_register"],
                failure_register=arguments["failure_register"],
            )
        # Results tell what they were judged by, by host; the option is for an audit without any.
        profile = None if any(entry["status"] == "ok" for entry in entries) else load(arguments["profile"])
        options = {"title": arguments["title"]} if arguments["title"] else {}
        report = build_report(
            entries,
            generated_at=datetime.now(timezone.utc),
            collection_version=COLLECTION_VERSION,
            profile=profile.name if profile else arguments["profile"],
            product=profile.title if profile else None,
            templates=templates,
            **options,
        )
        table = render_table(report, width=shutil.get_terminal_size((120, 24)).columns)
        # Standard error, so that a machine-readable callback keeps standard output for itself. First of all, so that
        # a directory that cannot be written does not cost the answer.
        shown = arguments["table"] and not self._task.no_log
        if shown:
            display.display(table, stderr=True)
        paths = {}
        if not self._task.check_mode:
            paths = write_reports(report, Path(arguments["dest"]), fail_on=arguments["fail_on"])
        if shown:
            for path in paths.values():
                display.display(path, stderr=True)
        return {
            "changed": True,
            "paths": paths,
            "summary": report.counts(),
            "template_summary": templates.counts() if templates and templates.status == "ok" else None,
            "needs_summary": needs_summary(report.needs) if report.needs else None,
            "stops": stops(report, arguments["fail_on"]),
            "table": table.splitlines(),
        }
