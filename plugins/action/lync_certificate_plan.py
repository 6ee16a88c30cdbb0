# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""lync_certificate_plan: which certificates a Lync server needs, and the next step towards each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar

from ..plugin_utils.enforce.needs import plan_host
from ..plugin_utils.enrolment.needs import Asked, Terms
from ..plugin_utils.enrolment.wish import RSA_SCHANNEL
from ..plugin_utils.host.action import KeyProviderAction
from ..plugin_utils.lync.usages import checked_types
from ..plugin_utils.profiles.library import load

_REPAIRS = ["request", "convert", "request_or_convert"]
_REQUEST_SPEC: dict[str, Any] = {
    "types": {"type": "list", "elements": "str", "required": True},
    "subject": {"type": "str"},
    "subject_alt_names": {"type": "list", "elements": "str"},
    "template": {"type": "str"},
    "template_oid": {"type": "str"},
    "key_length": {"type": "int"},
    "exportable": {"type": "bool"},
    "friendly_name": {"type": "str"},
    "extended_key_usage": {"type": "list", "elements": "str"},
    "repair": {"type": "str", "choices": _REPAIRS},
}


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "profile": {"type": "str", "default": "lync_2013"},
        "provider": {"type": "str", "default": RSA_SCHANNEL},
        "key_length": {"type": "int", "default": 2048},
        "hash_algorithm": {"type": "str", "choices": ["SHA1", "SHA256", "SHA384", "SHA512"], "default": "SHA256"},
        "template": {"type": "str"},
        "renew_before_days": {"type": "int", "default": 0},
        "replace": {"type": "str", "choices": ["unsuitable", "warning"], "default": "unsuitable"},
        "repair": {"type": "str", "choices": _REPAIRS, "default": "request"},
        "pool": {"type": "str"},
        "requests": {"type": "list", "elements": "dict", "options": _REQUEST_SPEC, "default": []},
        "peers": {"type": "dict", "default": {}},
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        terms = Terms(
            provider=arguments["provider"],
            key_length=arguments["key_length"],
            hash_algorithm=arguments["hash_algorithm"],
            template=arguments["template"],
            renew_before_days=arguments["renew_before_days"],
            replace_warnings=arguments["replace"] == "warning",
            pool=arguments["pool"],
            repair=arguments["repair"],
            asked=tuple(_asked(given) for given in arguments["requests"]),
        )
        name = self.host_name(task_vars)
        profile = load(arguments["profile"])
        peers = arguments["peers"]
        return plan_host(self.windows_host(), name, terms, profile, peers, at=datetime.now(timezone.utc))


def _asked(given: Mapping[str, Any]) -> Asked:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return Asked(**{**values, "types": checked_types(given["types"], "requests")})
