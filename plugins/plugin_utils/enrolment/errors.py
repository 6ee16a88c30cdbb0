# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The failure of this room."""

from __future__ import annotations

from ..record import EvidenceError


class EnrolmentError(EvidenceError):
    """A request that cannot be made or an answer that cannot be taken; ``place`` names the step, ``remedy`` the way."""
