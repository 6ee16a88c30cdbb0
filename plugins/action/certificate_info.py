# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""certificate_info: which provider holds the key of each certificate of a Windows store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar

from ..plugin_utils.audit.certificates import Wish, audit_store
from ..plugin_utils.host.action import KeyProviderAction
from ..plugin_utils.profiles.library import load

DEFAULT_PROFILE = "lync_2013"

load(DEFAULT_PROFILE)  # here, in the parent of all workers, and not in each of them


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "store": {"type": "str", "default": "My"},
        "thumbprints": {"type": "list", "elements": "str", "default": []},
        "profile": {"type": "str", "default": DEFAULT_PROFILE},
        "assignments": {"type": "bool", "default": False},
        "source": {"type": "str", "choices": ["registry", "certutil"], "default": "registry"},
        "probe_keys": {"type": "bool", "default": False},
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        wish = Wish(
            store=arguments["store"],
            thumbprints=tuple(arguments["thumbprints"]),
            assignments=arguments["assignments"],
            source=arguments["source"],
            probe_keys=arguments["probe_keys"],
        )
        profile = load(arguments["profile"])
        now = datetime.now(timezone.utc)
        return audit_store(self.windows_host(), self.host_name(task_vars), wish, profile, at=now)
