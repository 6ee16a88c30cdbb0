# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the wire asks of a simulated Windows host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Execution:
    """What one command left behind.

    ``exit_code`` may be signed or unsigned; the wire sends the unsigned 32-bit decimal, as Windows does (a failed
    process shows as 2147942501, not as -2147024795, in rgl/packer-plugin-windows-update issue 78).
    """

    stdout: bytes
    stderr: bytes
    exit_code: int


class Host(Protocol):
    """A simulated host.

    The wire never runs two commands of one host at the same time. ``execute`` runs in worker threads, ``password_of``
    in the thread of the server; an exception of ``execute`` reaches the client as a WS-Management fault.
    """

    name: str

    def password_of(self, user: str) -> str | None:
        r"""The password of the account, or ``None`` when there is no such account.

        ``user`` is what the client sent: ``DOMAIN\user``, ``user@domain`` or ``user``.
        """

    def execute(self, command_line: str, stdin: bytes, user: str) -> Execution:
        """Run the command line that cmd.exe gets behind ``/c``: Command and Arguments, joined by single blanks.

        ``stdin`` is everything that was sent, up to the end of the stream.
        """
