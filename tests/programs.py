# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that some tests need: the test is skipped where one is missing, or fails where it is required."""

from __future__ import annotations

import os
import shutil

import pytest


def program(*names: str, package: str) -> str:
    """The path of the first of these programs that is installed.

    Without one the test is skipped with the reason, or fails if KEYPROVIDER_REQUIRE (a list with commas) names the
    Debian package.
    """
    for name in names:
        if found := shutil.which(name):
            return found
    reason = f"{names[0]} is not installed (Debian package {package})"
    if package in os.environ.get("KEYPROVIDER_REQUIRE", "").split(","):
        pytest.fail(reason)
    pytest.skip(reason)
