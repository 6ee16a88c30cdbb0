# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What some tests need of the machine: a test is skipped where it is missing, or fails where it is required."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def missing(reason: str, package: str) -> NoReturn:
    """Skip the test with this reason, or fail it if KEYPROVIDER_REQUIRE (a list with commas) names the package."""
    if package in os.environ.get("KEYPROVIDER_REQUIRE", "").split(","):
        pytest.fail(reason)
    pytest.skip(reason)


def program(*names: str, package: str) -> str:
    """The path of the first of these programs that is installed; without one of them the test is :func:`missing` it.

    ``package`` is the Debian package.
    """
    for name in names:
        if found := shutil.which(name):
            return found
    missing(f"{names[0]} is not installed (Debian package {package})", package)
