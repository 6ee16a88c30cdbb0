# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""certificate_file_info: which provider holds the key of each certificate in files on the controller."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

from ..plugin_utils.audit.files import judged, read_content, read_path
from ..plugin_utils.evidence.formats import FORMATS
from ..plugin_utils.host.action import KeyProviderAction
from ..plugin_utils.profiles.library import load
from ..plugin_utils.record import EvidenceError

MOST_TOLD = 3
"""How many problems the message of a failure tells."""


class ActionModule(KeyProviderAction):
    """The action behind the module of the same name."""

    _requires_connection = False

    ARGUMENT_SPEC: ClassVar[dict[str, Any]] = {
        "path": {"type": "path"},
        "content": {"type": "str"},
        "format": {"type": "str", "choices": list(FORMATS), "default": "auto"},
        "password": {"type": "str", "no_log": True},
        "profile": {"type": "str", "default": "lync_2013"},
    }
    CONSTRAINTS: ClassVar[dict[str, Any]] = {
        "mutually_exclusive": [("path", "content")],
        "required_one_of": [("path", "content")],
    }

    def perform(self, arguments: Mapping[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        profile = load(arguments["profile"])
        chosen = {"format": arguments["format"], "password": arguments["password"]}
        if arguments["path"] is not None:
            reading = read_path(Path(arguments["path"]), **chosen)
        else:
            reading = read_content(arguments["content"], **chosen)
        result = judged(reading, profile, at=datetime.now(timezone.utc))
        if result["problems"] and not reading.certificates and not reading.requests:
            result["failed"] = True
            told = [str(problem) for problem in reading.problems[:MOST_TOLD]]
            more = len(reading.problems) - len(told)
            result["msg"] = " ".join(told) + (f" And {more} more: see 'problems'." if more else "")
        if not reading.certificates and not reading.requests and not reading.problems:
            raise EvidenceError(
                f"{arguments['path'] or 'The content'} holds no certificate and no request.",
                remedy="Give a dump of a store that has certificates.",
            )
        return result
