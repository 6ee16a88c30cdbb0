# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Save objects as LDIF before they are changed, with a second file that puts them back."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..directory.entry import Entry
from ..directory.ldif import write_entries
from ..record import EvidenceError

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Backup:
    """The two files on the controller."""

    saved: str
    """The objects as they were."""
    restore: str
    """The change that puts them back."""

    def discard(self) -> None:
        """Remove the files of a change that was not made."""
        for path in (self.saved, self.restore):
            Path(path).unlink(missing_ok=True)

    def as_dict(self) -> dict[str, str]:
        """The ``backup`` mapping of results."""
        return {
            "path": self.saved,
            "restore_path": self.restore,
            "instructions": (
                f"To put everything back, copy {self.restore} to a domain controller and run there: "
                f"ldifde -i -f {os.path.basename(self.restore)} -j . "
                f"Or from here: ldapmodify -H ldaps://DC -D USER@DOMAIN -W -f {shlex.quote(self.restore)}"
            ),
        }


def save(directory: Path, name: str, entries: Sequence[Entry], restore: bytes, *, server: str, at: datetime) -> Backup:
    """Write both files; what is there already is never replaced.

    Args:
        directory: on the controller; made when missing.
        name: of the template, for the names of the files.
        entries: the objects as they were read.
        restore: LDIF that takes the change back.
        server: that they were read from.
        at: the moment, UTC, for the names and the heads of the files.

    Raises:
        EvidenceError: a file cannot be written; nothing has been changed then.
    """
    target = Path(os.path.abspath(directory))
    stem = f"{_file_name(name)}-{at:%Y%m%dT%H%M%SZ}"
    when = f"{at:%Y-%m-%d %H:%M:%S} UTC"
    comment = f"As read from {server} at {when}, before winpki.keyprovider.template changed it."
    head = f"# Puts back what winpki.keyprovider.template changed after {when}.\r\n# Whatever was edited since is lost."
    try:
        target.mkdir(parents=True, exist_ok=True)
        saved = _write_new(target, stem, ".ldf", write_entries(entries, comment=comment))
        put_back = _write_new(target, saved.stem, ".restore.ldf", head.encode("ascii") + b"\r\n\r\n" + restore)
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        why = "it is not a directory" if isinstance(exc, FileExistsError) else getattr(exc, "strerror", exc)
        raise EvidenceError(
            f"The backup cannot be written to {target}: {why}. Nothing was changed.",
            remedy="Give a directory of the controller that can be written (option 'backup_dir').",
        ) from exc
    return Backup(str(saved), str(put_back))


def _file_name(name: str) -> str:
    """A name for a file: unusual characters give way to a digest, so that no two templates share one."""
    plain = _UNSAFE.sub("_", name).lstrip(".") or "_"
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _write_new(directory: Path, stem: str, suffix: str, data: bytes) -> Path:
    for number in range(1, 1000):
        path = directory / f"{stem}{f'-{number}' if number > 1 else ''}{suffix}"
        try:
            with open(path, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except FileExistsError:
            if directory.is_dir():
                continue
            raise
        return path
    raise FileExistsError(17, "all names are taken", str(directory))
