# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a directory says no with."""

from __future__ import annotations

from ..record import EvidenceError

OPERATIONS_ERROR = 1
STRONGER_AUTH_REQUIRED = 8
NO_SUCH_ATTRIBUTE = 16
CONSTRAINT_VIOLATION = 19
ATTRIBUTE_OR_VALUE_EXISTS = 20
NO_SUCH_OBJECT = 32
INVALID_CREDENTIALS = 49
INSUFFICIENT_ACCESS_RIGHTS = 50
UNWILLING_TO_PERFORM = 53
ENTRY_ALREADY_EXISTS = 68


class DirectoryError(EvidenceError):
    """A directory that could not be reached, read or changed.

    ``code`` is the LDAP result code (RFC 4511, appendix A) where one is known, whichever way the directory was
    reached; the constants of this module name those that callers tell apart.
    """

    def __init__(self, message: str, *, place: str | None = None, remedy: str = "", code: int | None = None) -> None:
        super().__init__(message, place=place, remedy=remedy)
        self.code = code
