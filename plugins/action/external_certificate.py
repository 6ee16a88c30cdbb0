# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""external_certificate: have any CA issue a certificate, by way of a directory on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

from ..plugin_utils.enforce.exchange import exchange_request
from ..plugin_utils.host.action import KeyProviderAction


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    _requires_connection = False

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "csr": {"type": "str", "required": True},
        "path": {"type": "path", "required": True},
        "name": {"type": "str", "required": True},
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        return exchange_request(
            arguments["csr"],
            Path(arguments["path"]),
            arguments["name"],
            check=bool(self._task.check_mode),
            at=datetime.now(timezone.utc),
        )
