# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""template: make a certificate template one for legacy providers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

from ..plugin_utils.access.choose import DIRECTORY_CONSTRAINTS, DIRECTORY_SPEC, directory_of, unchecked
from ..plugin_utils.enforce.template import enforce_template
from ..plugin_utils.enforce.work import TemplateWish
from ..plugin_utils.host.action import KeyProviderAction
from ..plugin_utils.template.wanted import RSA_SCHANNEL, Wanted


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "name": {"type": "str", "required": True},
        "providers": {"type": "list", "elements": "str", "default": [RSA_SCHANNEL]},
        "minimum_key_size": {"type": "int"},
        "exportable": {"type": "bool"},
        "schema_3": {"type": "str", "choices": ["fail", "supersede", "downgrade"], "default": "fail"},
        "new_name": {"type": "str"},
        "new_display_name": {"type": "str"},
        "new_schema_version": {"type": "int", "choices": [2, 4], "default": 2},
        "reenroll_holders": {"type": "bool", "default": False},
        "publish_on": {"type": "list", "elements": "str"},
        "withdraw_from_others": {"type": "bool", "default": False},
        "backup_dir": {"type": "path", "default": "template_backups"},
        **DIRECTORY_SPEC,
    }
    CONSTRAINTS: ClassVar[dict[str, Any]] = DIRECTORY_CONSTRAINTS

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        wish = TemplateWish(
            name=arguments["name"],
            wanted=Wanted(
                providers=tuple(arguments["providers"]),
                minimum_key_size=arguments["minimum_key_size"],
                exportable=arguments["exportable"],
                schema_3=arguments["schema_3"],
                new_name=arguments["new_name"],
                new_display_name=arguments["new_display_name"],
                new_schema_version=arguments["new_schema_version"],
                reenroll_holders=arguments["reenroll_holders"],
            ),
            publish_on=None if arguments["publish_on"] is None else tuple(arguments["publish_on"]),
            withdraw_from_others=arguments["withdraw_from_others"],
            backup_dir=Path(arguments["backup_dir"]),
        )
        with closing(directory_of(arguments, self.windows_host, self.host_name(task_vars))) as directory:
            result = enforce_template(directory, wish, check=bool(self._task.check_mode), at=datetime.now(timezone.utc))
        return {**result, "warnings": [*unchecked(arguments), *result.get("warnings", ())]}
