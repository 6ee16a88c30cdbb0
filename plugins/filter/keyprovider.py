# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters: the evidence readers and the judge for expressions."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from ansible.errors import AnsibleFilterError
from jinja2.runtime import Undefined

from ..plugin_utils.audit import expressions
from ..plugin_utils.profiles.model import ProfileError
from ..plugin_utils.record import EvidenceError


def _filter(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def guarded(*arguments: Any, **options: Any) -> Any:
        for value in (*arguments, *options.values()):
            if isinstance(value, Undefined):
                str(value)  # raises the error that names the variable
        try:
            return function(*arguments, **options)
        except (EvidenceError, ProfileError) as exc:
            raise AnsibleFilterError(f"winpki.keyprovider.{function.__name__}: {exc.message} {exc.remedy}") from exc

    return guarded


class FilterModule:
    """The filters of the collection."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name each filter; Ansible calls this."""
        return {
            name: _filter(getattr(expressions, name)) for name in ("certificates", "evidence", "requests", "verdict")
        }
