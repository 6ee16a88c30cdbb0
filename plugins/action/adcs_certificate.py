# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""adcs_certificate: have an AD CS CA issue a certificate for a request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, ClassVar

from ..plugin_utils.enforce.submission import submit_request
from ..plugin_utils.enrolment.submission import SubmissionOrder
from ..plugin_utils.host.action import KeyProviderAction


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "csr": {"type": "str", "required": True},
        "template": {"type": "str"},
        "ca": {"type": "str"},
        "request_id": {"type": "int"},
        "admin_force_machine": {"type": "bool", "default": False},
        "wait": {"type": "int", "default": 0},
        "poll": {"type": "int", "default": 30},
        "resubmit": {"type": "bool", "default": False},
        "fail_on_denied": {"type": "bool", "default": True},
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        order = SubmissionOrder(
            csr=arguments["csr"].encode(),
            template=arguments["template"],
            ca=arguments["ca"],
            request_id=arguments["request_id"],
            admin_force_machine=arguments["admin_force_machine"],
            wait=arguments["wait"],
            poll=arguments["poll"],
            resubmit=arguments["resubmit"],
        )
        result = submit_request(
            self.windows_host(),
            self.host_name(task_vars),
            order,
            check=bool(self._task.check_mode),
            at=datetime.now(timezone.utc),
        )
        if result["status"] == "denied" and arguments["fail_on_denied"]:
            # The result stays with the failure, so that a rescue block can tell one denial from another.
            result["failed"] = True
            result["msg"] = f"{self.host_name(task_vars)}, submission: {result['reason']} {result['remedy']}"
        return result
