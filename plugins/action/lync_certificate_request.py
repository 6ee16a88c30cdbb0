# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""lync_certificate_request: request a certificate through Lync itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar

from ..plugin_utils.enforce.lync_request import LyncRequestWish, request_through_lync
from ..plugin_utils.host.action import KeyProviderAction


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "types": {"type": "list", "elements": "str", "required": True},
        "ca": {"type": "str", "required": True},
        "template": {"type": "str"},
        "friendly_name": {"type": "str"},
        "domain_names": {"type": "list", "elements": "str", "default": []},
        "key_length": {"type": "int"},
        "exportable": {"type": "bool"},
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        wish = LyncRequestWish(
            types=tuple(arguments["types"]),
            ca=arguments["ca"],
            template=arguments["template"],
            friendly_name=arguments["friendly_name"],
            domain_names=tuple(arguments["domain_names"]),
            key_length=arguments["key_length"],
            exportable=arguments["exportable"],
        )
        return request_through_lync(
            self.windows_host(),
            self.host_name(task_vars),
            wish,
            check_only=bool(self._task.check_mode),
            at=datetime.now(timezone.utc),
        )
