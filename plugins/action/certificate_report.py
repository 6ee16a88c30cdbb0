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
from ..plugin_utils.report.files import write_reports
from ..plugin_utils.report.gate import FAIL_ON, stops
from ..plugin_utils.report.hosts import host_entry
from ..plugin_utils.report.model import build_report
from ..plugin_utils.report.table import render_table
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
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        hostvars = task_vars.get("hostvars", {})
        names = arguments["hosts"]
        if names is None:
            names = task_vars.get("ansible_play_hosts_all", [])
        entries = [
            host_entry(name, hostvars[name].get(arguments["register"]), hostvars[name].get("group_names", []))
            for name in names
        ]
        profile = load(arguments["profile"])
        options = {"title": arguments["title"]} if arguments["title"] else {}
        report = build_report(
            entries,
            generated_at=datetime.now(timezone.utc),
            collection_version=COLLECTION_VERSION,
            profile=profile.name,
            product=profile.title,
            **options,
        )
        table = render_table(report, width=max(80, min(shutil.get_terminal_size((120, 24)).columns, 200)))
        paths = {}
        if not self._task.check_mode:
            paths = write_reports(report, Path(arguments["dest"]), fail_on=arguments["fail_on"])
        if arguments["table"]:
            # Standard error, so that a machine-readable callback keeps standard output for itself.
            display.display(table, stderr=True)
            for path in paths.values():
                display.display(path, stderr=True)
        return {
            "changed": True,
            "paths": paths,
            "summary": report.counts(),
            "stops": stops(report, arguments["fail_on"]),
            "table": table.splitlines(),
        }
