# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""lync_certificate: assign a certificate to Lync usages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar

from ..plugin_utils.enforce.assignment import AssignmentWish, assign_certificate
from ..plugin_utils.host.action import KeyProviderAction


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "types": {"type": "list", "elements": "str", "required": True},
        "thumbprint": {"type": "str", "required": True},
        "identity": {"type": "str", "choices": ["global"]},
        "effective_date": {"type": "str"},
        "roll": {"type": "bool", "default": False},
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        wish = AssignmentWish(
            types=tuple(arguments["types"]),
            thumbprint=arguments["thumbprint"],
            identity=arguments["identity"],
            effective_date=arguments["effective_date"],
            roll=arguments["roll"],
        )
        return assign_certificate(
            self.windows_host(),
            self.host_name(task_vars),
            wish,
            check_only=bool(self._task.check_mode),
            at=datetime.now(timezone.utc),
        )
