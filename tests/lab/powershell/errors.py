# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a script ends early."""

from __future__ import annotations

from dataclasses import dataclass

NOT_SIMULATED_EXIT = 250
"""The exit code by which a simulated host says that it does not know what Windows would do."""


class NotSimulated(Exception):
    """The script, the command line or the tool's arguments are outside what the lab knows of Windows."""


@dataclass(frozen=True)
class ErrorRecord:
    """A PowerShell error."""

    message: str
    source: str = ""
    """The command that failed, printed before the message."""
    error_id: str = "RuntimeException"
    category: str = "NotSpecified: (:) [], RuntimeException"
    place: tuple[int, int, str] | None = None
    """Line, column and text of the script line."""
    inner: str | None = None
    """The message of the exception within."""

    def __str__(self) -> str:
        return self.message


class PSError(Exception):
    """A terminating error."""

    def __init__(self, record: ErrorRecord) -> None:
        super().__init__(record.message)
        self.record = record


class Thrown(PSError):
    """An error raised by ``throw``: it ends the script, whatever the preference."""


class DotNetError(Exception):
    """An exception of a .NET method, by its type without the namespace."""

    def __init__(self, exception: str, message: str) -> None:
        super().__init__(message)
        self.exception = exception


def invocation_error(method: str, count: int, exception: str, message: str, release: tuple[int, int]) -> PSError:
    """What PowerShell makes of an exception of a method that was called with ``count`` arguments.

    The identifier is the type of the exception from 3.0 on and ``DotNetMethodException`` in 2.0 (transcripts of both).
    """
    text = f'Exception calling "{method}" with "{count}" argument(s): "{message}"'
    identifier = exception if release >= (3, 0) else "DotNetMethodException"
    category = "NotSpecified: (:) [], MethodInvocationException"
    return PSError(ErrorRecord(text, "", identifier, category, inner=message))


class SyntaxFault(Exception):
    """A script that PowerShell would refuse to parse."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class Exit(Exception):
    """The ``exit`` statement."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Return(Exception):
    """The ``return`` statement; what it returns has been emitted already."""


class Break(Exception):
    """The ``break`` statement."""


class Continue(Exception):
    """The ``continue`` statement."""
