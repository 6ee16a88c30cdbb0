# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the reports to a directory of the controller."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ..record import EvidenceError
from .csv_needs import render_needs_csv
from .csv_report import render_csv
from .csv_templates import render_template_csv
from .html import render_html
from .json_report import render_json
from .junit import render_junit
from .model import Report


def write_reports(report: Report, directory: Path, *, fail_on: str) -> dict[str, str]:
    """Write the reports, templates.csv and needs.csv only where there are such; return their absolute paths by name.

    Each file is replaced at once, so that a pipeline never collects half a report.

    Raises:
        EvidenceError: the directory cannot be made or written.
    """
    texts = {
        "report.json": render_json(report),
        "report.csv": render_csv(report),
        "junit.xml": render_junit(report, fail_on=fail_on),
        "report.html": render_html(report),
    }
    if report.templates:
        texts["templates.csv"] = render_template_csv(report.templates)
    if report.needs:
        texts["needs.csv"] = render_needs_csv(report.needs)
    target = Path(os.path.abspath(directory))
    path = target
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = target / name
            # The byte order mark tells a spreadsheet that the names are UTF-8.
            replace_file(path, text.encode("utf-8-sig" if name.endswith(".csv") else "utf-8", "replace"))
    except OSError as exc:
        # mkdir says "File exists" where a file stands in the place of the directory.
        why = "it is not a directory" if isinstance(exc, FileExistsError) else exc.strerror
        raise EvidenceError(
            f"The reports cannot be written to {path}: {why}.",
            remedy="Give a directory of the controller that can be written (option 'dest').",
        ) from exc
    return {name: str(target / name) for name in texts}


def replace_file(path: Path, data: bytes, mode: int | None = None) -> None:
    """Write the whole file or none: who looks never finds half of it, and nobody else can read what is not finished.

    Args:
        path: the file.
        data: what stands in it then.
        mode: its permissions; those that a new file gets if ``None``.

    Raises:
        OSError: it cannot be written.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask() if mode is None else mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
