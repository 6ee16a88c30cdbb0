# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""lync_certificate_info: which certificate Lync uses for what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..plugin_utils.host.action import KeyProviderAction
from ..plugin_utils.lync.assignments import read_state
from ..plugin_utils.lync.usages import checked_types


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {"types": {"type": "list", "elements": "str"}}

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        types = None if arguments["types"] is None else checked_types(arguments["types"])
        state = read_state(self.windows_host(), self.host_name(task_vars))
        found = state.assigned if types is None else state.of(types)
        result: dict[str, Any] = {
            "assignments": [one.as_dict() for one in found],
            "version": state.version,
            "parameters": list(state.parameters),
        }
        if state.global_error:
            result["warnings"] = [f"What is assigned globally could not be read: {state.global_error}"]
        return result
