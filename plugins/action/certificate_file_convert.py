# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""certificate_file_convert: name the provider in a PFX file of the controller that Windows is to put its key into."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

from ..plugin_utils.enforce.pfx_file import FileWish, convert_file, permissions
from ..plugin_utils.host.action import KeyProviderAction
from ..plugin_utils.template.wanted import RSA_SCHANNEL


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    _requires_connection = False

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "path": {"type": "path"},
        "content": {"type": "str"},
        "password": {"type": "str", "required": True, "no_log": True},
        "provider": {"type": "str", "default": RSA_SCHANNEL},
        "machine_keyset": {"type": "bool", "default": True},
        "encryption": {"type": "str", "choices": ["tripledes-sha1", "aes256-sha256"], "default": "tripledes-sha1"},
        "dest": {"type": "path"},
        "new_password": {"type": "str", "no_log": True},
        "friendly_name": {"type": "str"},
        "mode": {"type": "raw", "default": "0600"},
        "backup": {"type": "bool", "default": False},
    }
    CONSTRAINTS: ClassVar[dict[str, Any]] = {
        "mutually_exclusive": [("path", "content")],
        "required_one_of": [("path", "content")],
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        wish = FileWish(
            password=arguments["password"],
            provider=arguments["provider"],
            machine_keyset=arguments["machine_keyset"],
            encryption=arguments["encryption"],
            new_password=arguments["new_password"],
            friendly_name=arguments["friendly_name"],
            dest=None if arguments["dest"] is None else Path(arguments["dest"]),
            mode=permissions(arguments["mode"]),
            backup=arguments["backup"],
        )
        given = arguments["content"] if arguments["path"] is None else Path(arguments["path"])
        return convert_file(given, wish, check=bool(self._task.check_mode), at=datetime.now(timezone.utc))
