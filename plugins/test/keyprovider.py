# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tests: kinds of providers, and whether a product can use a certificate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from jinja2.runtime import Undefined

from ..plugin_utils.audit.expressions import is_kind, is_suitable_for
from ..plugin_utils.profiles.model import ProfileError
from ..plugin_utils.record import EvidenceError


def _test(name: str, function: Callable[..., bool], *fixed: str) -> Callable[..., bool]:
    def guarded(value: Any, *arguments: Any) -> bool:
        for given in (value, *arguments):
            if isinstance(given, Undefined):
                str(given)  # raises the error that names the variable
        try:
            return function(value, *arguments, *fixed)
        except (EvidenceError, ProfileError) as exc:
            raise AnsibleFilterError(f"winpki.keyprovider.{name}: {exc.message} {exc.remedy}") from exc

    return guarded


class TestModule:
    """The tests of the collection."""

    def tests(self) -> dict[str, Callable[..., bool]]:
        """Name each test; Ansible calls this."""
        return {
            "csp": _test("csp", is_kind, "csp"),
            "ksp": _test("ksp", is_kind, "ksp"),
            "suitable_for": _test("suitable_for", is_suitable_for),
        }
