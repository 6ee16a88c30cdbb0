# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""certificate_install: a certificate with its key in the wished provider of a Windows host, or gone from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar

from ..plugin_utils.enforce.installation import InstallWish, install
from ..plugin_utils.enforce.removal import RemovalWish, archive, checked_thumbprint, remove
from ..plugin_utils.enforce.transfer import ImportWish, checked_pfx, import_pfx
from ..plugin_utils.enrolment.wish import RSA_SCHANNEL
from ..plugin_utils.host.action import KeyProviderAction
from ..plugin_utils.profiles.library import load


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "certificate": {"type": "str"},
        "chain": {"type": "list", "elements": "str"},
        "pfx": {"type": "str", "no_log": True},
        "pfx_password": {"type": "str", "no_log": True},
        "provider": {"type": "str", "default": RSA_SCHANNEL},
        "profile": {"type": "str", "default": "lync_2013"},
        "friendly_name": {"type": "str"},
        "thumbprint": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "archived", "absent"], "default": "present"},
        "store": {"type": "str", "choices": ["My", "Request"], "default": "My"},
        "remove_key": {"type": "bool", "default": True},
        "accept_other_names": {"type": "bool", "default": False},
        "exportable": {"type": "bool", "default": False},
        "trust_root": {"type": "bool", "default": False},
    }
    CONSTRAINTS: ClassVar[dict[str, Any]] = {
        "mutually_exclusive": [("certificate", "pfx", "thumbprint"), ("chain", "pfx")],
        "required_by": {"pfx": "pfx_password"},
        "required_if": [
            ("state", "present", ("certificate", "pfx"), True),
            ("state", "archived", ("thumbprint",)),
            ("state", "absent", ("thumbprint",)),
        ],
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        return {"chain": [], **self._result(arguments, task_vars)}

    def _result(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        check = bool(self._task.check_mode)
        at = datetime.now(timezone.utc)
        profile = load(arguments["profile"])
        host, name = self.windows_host(), self.host_name(task_vars)
        if arguments["state"] != "present":
            removal = RemovalWish(
                thumbprint=checked_thumbprint(arguments["thumbprint"]),
                store=arguments["store"],
                remove_key=arguments["remove_key"],
                at=at,
            )
            if arguments["state"] == "archived":
                return archive(host, name, removal, profile, check_mode=check)
            return remove(host, name, removal, check_mode=check)
        target = {
            "profile": profile,
            "provider": arguments["provider"],
            "friendly_name": arguments["friendly_name"] or None,
        }
        if arguments["pfx"] is not None:
            wish = ImportWish(
                pfx=checked_pfx(arguments["pfx"]),
                password=arguments["pfx_password"],
                exportable=arguments["exportable"],
                trust_root=arguments["trust_root"],
                **target,
            )
            return import_pfx(host, name, wish, check=check, at=at)
        answer = InstallWish(
            certificate=arguments["certificate"].encode(),
            chain=tuple(each.encode() for each in arguments["chain"] or ()),
            accept_other_names=arguments["accept_other_names"],
            **target,
        )
        return install(host, name, answer, check=check, at=at)
