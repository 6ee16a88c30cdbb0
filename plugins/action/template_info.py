# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""template_info: which certificate templates lead to which kind of key provider."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any, ClassVar

from ..plugin_utils.access.choose import DIRECTORY_CONSTRAINTS, DIRECTORY_SPEC, directory_of, unchecked
from ..plugin_utils.audit.templates import audit_templates
from ..plugin_utils.host.action import KeyProviderAction
from ..plugin_utils.profiles.library import load


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "names": {"type": "list", "elements": "str", "default": []},
        "profile": {"type": "str", "default": "lync_2013"},
        **DIRECTORY_SPEC,
    }
    CONSTRAINTS: ClassVar[dict[str, Any]] = DIRECTORY_CONSTRAINTS

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        profile = load(arguments["profile"])
        with closing(directory_of(arguments, self.windows_host, self.host_name(task_vars))) as directory:
            result = audit_templates(directory, arguments["names"], profile)
        return {**result, "warnings": unchecked(arguments)}
