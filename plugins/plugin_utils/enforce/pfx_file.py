# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PFX files of the controller: rewrite one so that Windows puts its key into the wished provider.

Whatever happens, the file is the old one or the new one, and no half of either lies beside it.
"""

from __future__ import annotations

import base64
import os
import stat
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ..enrolment.conversion import checked_target
from ..enrolment.pfx import Encryption, OpenedPfx, check_new_password, open_pfx, rebuilt
from ..enrolment.wish import EnrolmentError
from ..evidence.armour import unwrap
from ..record import AT_SIGNATURE
from ..report.files import replace_file

LARGEST_PFX = 16 << 20
"""Bytes; a key with its chain has some thousand."""

_PRIVATE = 0o600
_PERMISSIONS = 0o777
_DEST = "the option 'dest'"
_OTHER_DEST = "Give a file in a directory of the controller that exists and can be written (option 'dest')."


@dataclass(frozen=True)
class FileWish:
    """What a PFX is to become."""

    password: str = field(repr=False)
    """Of the given file."""
    provider: str
    machine_keyset: bool
    encryption: Encryption
    new_password: str | None = field(default=None, repr=False)
    """Of the new file; that of the given one if ``None``."""
    friendly_name: str | None = None
    """Of the certificate; the one that it has if ``None``."""
    dest: Path | None = None
    """The file to write; without one the new file is part of the result."""
    mode: int = _PRIVATE
    backup: bool = False
    """Whether to keep a copy of what is overwritten."""

    @property
    def protection(self) -> str:
        """The password of the new file."""
        return self.password if self.new_password is None else self.new_password


@dataclass(frozen=True)
class _Present:
    """The file that stands at the destination."""

    data: bytes
    mode: int


def permissions(value: int | str) -> int:
    """The permissions of a file from an option: octal digits, or the number that YAML makes of 0600.

    Raises:
        EnrolmentError: it is neither.
    """
    try:
        mode = value if isinstance(value, int) else int(value, 8)
    except (TypeError, ValueError):
        mode = -1
    if isinstance(value, bool) or not 0 <= mode <= _PERMISSIONS:
        raise EnrolmentError(
            f"{value!r} does not give the permissions of a file.",
            place="the option 'mode'",
            remedy="Give octal digits in quotes, such as '0600'.",
        )
    return mode


def convert_file(given: Path | str, wish: FileWish, *, check: bool, at: datetime) -> dict[str, Any]:
    """Rewrite a PFX and return the result of ``certificate_file_convert``.

    Args:
        given: the file, or its base64.
        wish: what it is to become.
        check: write nothing.
        at: the moment, for the name of a copy that is kept.

    Raises:
        EnrolmentError: the file cannot be read or opened, the provider cannot take its key, or the new file cannot be
            written; what was at the destination stands there unchanged.
    """
    provider = checked_target(wish.provider)
    check_new_password(wish.protection)
    origin = str(given) if isinstance(given, Path) else "the option 'content'"
    data = _read(given) if isinstance(given, Path) else given.encode("utf-8", "surrogateescape")
    target = _target(wish.dest) if wish.dest else None
    in_place = target is not None and isinstance(given, Path) and target == Path(os.path.realpath(given))
    opened, password = _opened(data, wish, origin, in_place=in_place)
    present = _present(target) if target else _Present(data, wish.mode)
    settled = present is not None and _is_settled(present.data, opened, wish, provider)
    made = present.data if present and settled else _made(opened, wish, provider)
    other_mode = present is not None and present.mode != wish.mode
    result: dict[str, Any] = {
        "changed": not settled or other_mode,
        "thumbprint": opened.leaf.thumbprint,
        "certificates": [opened.leaf.as_dict()],
        "before": _described(opened),
        "after": _wished(wish, provider),
        "dest": str(wish.dest) if wish.dest else None,
        "backup_file": None,
    }
    if not settled or other_mode:
        before = {**result["before"], "friendly_name": opened.leaf.friendly_name}
        after = {**result["after"], "friendly_name": wish.friendly_name or opened.leaf.friendly_name}
        if password != wish.protection:
            before, after = {**before, "password": "(the former)"}, {**after, "password": "(the new)"}
        # A file that is as it should be differs in its permissions alone.
        before, origin = (after, str(wish.dest)) if settled else (before, origin)
        result["diff"] = [_difference((before, after), origin, present if target else None, wish)]
    if target is None:
        result["content"] = base64.b64encode(unwrap(made).payloads[0].der if settled else made).decode("ascii")
    elif not check and not settled:
        result["backup_file"] = _write(target, made, wish, present, at)
    elif not check and other_mode:
        _change_mode(target, wish.mode)
    return result


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise EnrolmentError(f"{path} is a directory.", place="the option 'path'", remedy="Give a PFX file.")
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_PFX:
            what = "is no regular file"
            if stat.S_ISREG(status.st_mode):
                what = f"has {status.st_size} bytes, more than any PFX (at most {LARGEST_PFX} are read)"
            raise EnrolmentError(f"{path} {what}.", place="the option 'path'", remedy="Give a PFX file.")
        return path.read_bytes()
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        raise EnrolmentError(
            f"The file {path} cannot be read: {getattr(exc, 'strerror', exc)}.",
            place="the option 'path'",
            remedy="Give a PFX file of the controller; a relative path starts where ansible was called.",
        ) from exc


def _opened(data: bytes, wish: FileWish, origin: str, *, in_place: bool) -> tuple[OpenedPfx, str]:
    """Open the given file; one that is rewritten in place may have the new password from an earlier run.

    Returns:
        The file, and the password that opened it.
    """
    try:
        return open_pfx(data, wish.password, origin), wish.password
    except EnrolmentError:
        if not in_place or wish.protection == wish.password:
            raise
        try:
            return open_pfx(data, wish.protection, origin), wish.protection
        except EnrolmentError:
            pass
        raise


def _target(path: Path) -> Path:
    """The file itself, where the destination is a link to it."""
    try:
        return Path(os.path.realpath(path))
    except (OSError, ValueError) as exc:  # ValueError: a NUL in the path
        raise EnrolmentError(f"There can be no file {str(path)!r}: {exc}.", place=_DEST, remedy=_OTHER_DEST) from exc


def _present(path: Path) -> _Present | None:
    """What is at the destination now; ``None`` when there is nothing.

    Raises:
        EnrolmentError: a file cannot stand there.
    """
    try:
        if not path.parent.is_dir():
            raise EnrolmentError(f"There is no directory {path.parent}.", place=_DEST, remedy=_OTHER_DEST)
        if not path.exists():
            return None
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise EnrolmentError(f"{path} is {what}.", place=_DEST, remedy=_OTHER_DEST)
        if status.st_size > LARGEST_PFX:
            raise EnrolmentError(
                f"{path} has more than {LARGEST_PFX} bytes and is no PFX; it was left as it is.",
                place=_DEST,
                remedy=_OTHER_DEST,
            )
        return _Present(path.read_bytes(), stat.S_IMODE(status.st_mode))
    except OSError as exc:
        raise EnrolmentError(
            f"The file {path} cannot be used: {exc.strerror}.", place=_DEST, remedy=_OTHER_DEST
        ) from exc


def _is_settled(data: bytes, wanted: OpenedPfx, wish: FileWish, provider: str) -> bool:
    """Whether a file is as it should be already: opened by the new password, with the same key and certificates."""
    try:
        held = open_pfx(data, wish.protection)
    except EnrolmentError:
        return False
    return (
        _same(held, wanted, wish)
        and _described(held) == _wished(wish, provider)
        and held.leaf.key.key_spec != AT_SIGNATURE
        and (wish.dest is None or unwrap(data).payloads[0].der == data)  # Windows reads no PEM and no base64
    )


def _same(held: OpenedPfx, wanted: OpenedPfx, wish: FileWish) -> bool:
    """Whether two files hold the same certificates with the same names; that of the key tells that the keys are."""
    return (
        held.leaf.der == wanted.leaf.der
        and {*held.chain, *held.others} == {*wanted.chain, *wanted.others}
        and held.names == wanted.names
        and held.leaf.friendly_name == (wish.friendly_name or wanted.leaf.friendly_name)
    )


def _made(opened: OpenedPfx, wish: FileWish, provider: str) -> bytes:
    """The new file, opened once more before anybody gets it."""
    made = rebuilt(
        opened,
        password=wish.protection,
        provider=provider,
        machine_keyset=wish.machine_keyset,
        encryption=wish.encryption,
        friendly_name=wish.friendly_name,
    )
    if not _is_settled(made, opened, wish, provider):
        raise EnrolmentError(
            "The new PFX does not hold what the old one held; it was not written.",
            place="the new PFX",
            remedy="Report it with what certificate_file_info says of the file (never with the file).",
        )
    return made


def _described(opened: OpenedPfx) -> dict[str, Any]:
    key = opened.leaf.key
    return {"provider": key.provider, "machine_keyset": bool(key.machine_keyset), "encryption": opened.encryption}


def _wished(wish: FileWish, provider: str) -> dict[str, Any]:
    return {"provider": provider, "machine_keyset": wish.machine_keyset, "encryption": wish.encryption}


def _difference(
    files: tuple[dict[str, Any], dict[str, Any]], origin: str, present: _Present | None, wish: FileWish
) -> dict[str, str]:
    before = _lines(files[0]) + (f"mode: {present.mode:04o}\n" if present else "")
    after = _lines(files[1]) + (f"mode: {wish.mode:04o}\n" if wish.dest else "")
    return {
        "before_header": origin,
        "after_header": str(wish.dest) if wish.dest else "the result 'content'",
        "before": before,
        "after": after,
    }


def _lines(described: dict[str, Any]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in described.items())


def _write(path: Path, data: bytes, wish: FileWish, present: _Present | None, at: datetime) -> str | None:
    """Replace a file; return the name of the copy that was kept of it."""
    copy = path.with_name(f"{path.name}.{os.getpid()}.{at:%Y-%m-%d@%H:%M:%S}~") if wish.backup and present else None
    try:
        if copy and present:
            replace_file(copy, present.data, _PRIVATE)
        try:
            replace_file(path, data, wish.mode)
        except BaseException:
            if copy:
                copy.unlink()
            raise
    except OSError as exc:
        raise EnrolmentError(
            f"The file {path} cannot be written: {exc.strerror}. It is as it was before.",
            place=_DEST,
            remedy=_OTHER_DEST,
        ) from exc
    return str(copy) if copy else None


def _change_mode(path: Path, mode: int) -> None:
    try:
        path.chmod(mode)
    except OSError as exc:
        raise EnrolmentError(
            f"The permissions of {path} cannot be changed: {exc.strerror}.", place=_DEST, remedy=_OTHER_DEST
        ) from exc
