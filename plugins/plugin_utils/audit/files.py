# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit files on the controller: what a colleague mailed, a dump, an export, a hive."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from ..evidence.formats import detect, read
from ..profiles.judge import judge_all, judge_request
from ..profiles.model import Profile
from ..record import EvidenceError, Problem, Reading
from ..report.lines import verdict_lines
from ..report.summary import summary

LARGEST_FILE = 512 * 1024 * 1024
"""Bytes; a SOFTWARE hive has some hundred million. More is a mistake, not evidence."""


def read_path(path: Path, *, format: str, password: str | None) -> Reading:
    """Read a file, or every file below a directory in the order of their names.

    Raises:
        EvidenceError: there is no such path, or the directory holds no file.
    """
    if path.is_dir():
        files = list(_files_below(path))
        if not files:
            raise EvidenceError(
                f"The directory {path} holds no file.", remedy="Give a file, or a directory that holds evidence."
            )
        reading = Reading()
        for file in files:
            reading += _read_file(file, format, password)
        return reading
    if not path.exists():
        raise EvidenceError(
            f"There is no file or directory {path} on the controller.",
            remedy="Correct the option 'path'; a relative path starts where ansible was called.",
        )
    return _read_file(path, format, password)


def read_content(content: str, *, format: str, password: str | None) -> Reading:
    """Read evidence given as text, or as the base64 of bytes (what ``ansible.builtin.slurp`` returns)."""
    try:
        data = base64.b64decode(content, validate=True)
    except ValueError:
        data = b""
    if not data or (format == "auto" and detect(data) is None):
        data = content.encode("utf-8", "surrogateescape")
    return read(data, "content", format=format, password=password)


def judged(reading: Reading, profile: Profile, *, at: datetime) -> dict[str, Any]:
    """The result of ``certificate_file_info`` for a reading."""
    certificates = [
        {**certificate.as_dict(), "verdict": verdict.as_dict()}
        for certificate, verdict in zip(
            reading.certificates, judge_all(reading.certificates, profile, at=at), strict=True
        )
    ]
    requests = [
        {**request.as_dict(), "verdict": judge_request(request, profile, at=at).as_dict()}
        for request in reading.requests
    ]
    return {
        "profile": profile.name,
        "product": profile.title,
        "certificates": certificates,
        "requests": requests,
        "problems": [problem.as_dict() for problem in reading.problems],
        "summary": summary(certificates),
        "verdicts": verdict_lines(certificates),
    }


def _files_below(directory: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(folder, name)


def _read_file(path: Path, format: str, password: str | None) -> Reading:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return _unread(path, "This is no regular file but a pipe, a socket or a device.", "Leave it out.")
        if status.st_size > LARGEST_FILE:
            return _unread(path, f"The file has {status.st_size} bytes, more than any evidence has.", "Leave it out.")
        data = path.read_bytes()
    except OSError as exc:
        return _unread(path, f"The file cannot be read: {exc.strerror}.", "Check the file and its permissions.")
    return read(data, str(path), format=format, password=password)


def _unread(path: Path, message: str, remedy: str) -> Reading:
    return Reading(problems=(Problem(str(path), message, remedy),))
