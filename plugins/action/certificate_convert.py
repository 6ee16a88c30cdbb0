# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""certificate_convert: move the key of a certificate of a Windows host into another provider."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar

from ..plugin_utils.enforce.conversion import ConversionWish, convert
from ..plugin_utils.enforce.removal import checked_thumbprint
from ..plugin_utils.enrolment.wish import RSA_SCHANNEL
from ..plugin_utils.host.action import KeyProviderAction
from ..plugin_utils.profiles.library import load


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "thumbprint": {"type": "str", "required": True},
        "provider": {"type": "str", "default": RSA_SCHANNEL},
        "exportable": {"type": "bool", "default": True},
        "retire_source_key": {"type": "bool", "default": False},
        "readers": {"type": "list", "elements": "str", "default": []},
        "profile": {"type": "str", "default": "lync_2013"},
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        wish = ConversionWish(
            thumbprint=checked_thumbprint(arguments["thumbprint"]),
            profile=load(arguments["profile"]),
            provider=arguments["provider"],
            exportable=arguments["exportable"],
            retire_source_key=arguments["retire_source_key"],
            readers=tuple(reader.strip() for reader in arguments["readers"]),
        )
        return convert(
            self.windows_host(),
            self.host_name(task_vars),
            wish,
            check=bool(self._task.check_mode),
            at=datetime.now(timezone.utc),
        )
