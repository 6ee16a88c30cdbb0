# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""certificate_request: make a key in a chosen provider, and a request for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar

from ..plugin_utils.enforce.request import request_certificate
from ..plugin_utils.enrolment.wish import HASH_ALGORITHMS, RSA_SCHANNEL, SERVER_AUTHENTICATION, RequestWish
from ..plugin_utils.host.action import KeyProviderAction


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "subject": {"type": "str", "required": True},
        "subject_alt_names": {"type": "list", "elements": "str", "default": []},
        "template": {"type": "str"},
        "provider": {"type": "str", "default": RSA_SCHANNEL},
        "force_provider": {"type": "bool", "default": False},
        "key_length": {"type": "int", "default": 2048},
        "hash_algorithm": {"type": "str", "choices": list(HASH_ALGORITHMS), "default": "SHA256"},
        "exportable": {"type": "bool", "default": False},
        "friendly_name": {"type": "str"},
        "extended_key_usage": {"type": "list", "elements": "str", "default": [SERVER_AUTHENTICATION]},
        "remove_leftovers": {"type": "bool", "default": False},
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        wish = RequestWish(
            subject=arguments["subject"],
            subject_alt_names=tuple(arguments["subject_alt_names"]),
            template=arguments["template"],
            provider=arguments["provider"],
            key_length=arguments["key_length"],
            hash_algorithm=arguments["hash_algorithm"],
            exportable=arguments["exportable"],
            friendly_name=arguments["friendly_name"],
            extended_key_usage=tuple(arguments["extended_key_usage"]),
        )
        return request_certificate(
            self.windows_host(),
            self.host_name(task_vars),
            wish,
            check=bool(self._task.check_mode),
            at=datetime.now(timezone.utc),
            force_provider=arguments["force_provider"],
            remove_leftovers=arguments["remove_leftovers"],
        )
