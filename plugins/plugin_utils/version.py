# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version of the collection; a test holds it equal to galaxy.yml."""

from __future__ import annotations

COLLECTION_VERSION = "0.1.0"
