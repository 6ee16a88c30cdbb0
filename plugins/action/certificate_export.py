# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""certificate_export: a certificate of a Windows host with its private key, as a PFX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ..plugin_utils.enforce.export import export_pfx
from ..plugin_utils.enforce.removal import checked_thumbprint
from ..plugin_utils.host.action import KeyProviderAction


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "thumbprint": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        thumbprint = checked_thumbprint(arguments["thumbprint"])
        return export_pfx(self.windows_host(), self.host_name(task_vars), thumbprint, arguments["password"])
