# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a simulated host. Paths are absolute, with a drive letter, in any case."""

from __future__ import annotations

from .machine import Machine


class FileFault(Exception):
    """A file that cannot be read or written, in the words of .NET."""


def read(machine: Machine, path: str) -> bytes:
    """The content of a file.

    Raises:
        FileFault: there is none.
    """
    raise NotImplementedError


def write(machine: Machine, path: str, data: bytes) -> None:
    """Make or replace a file.

    Raises:
        FileFault: its directory does not exist, or the disk is full.
    """
    raise NotImplementedError


def exists(machine: Machine, path: str) -> bool:
    """Whether there is a file (not a directory) of this path."""
    raise NotImplementedError


def remove(machine: Machine, path: str) -> None:
    """Remove a file; nothing happens when there is none."""
    raise NotImplementedError


def directory_exists(machine: Machine, path: str) -> bool:
    """Whether there is a directory of this path."""
    raise NotImplementedError


def make_directory(machine: Machine, path: str) -> None:
    """Make a directory and those above it."""
    raise NotImplementedError


def remove_directory(machine: Machine, path: str, *, recursive: bool) -> None:
    """Remove a directory.

    Raises:
        FileFault: it is not empty and ``recursive`` is false, or it does not exist.
    """
    raise NotImplementedError
