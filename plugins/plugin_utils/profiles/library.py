# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find and read profiles: the built-in ones beside this file, and those that a user wrote."""

from __future__ import annotations

import difflib
import json
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from .model import Profile, ProfileError, profile_from_mapping

try:
    import yaml
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None

_SUFFIXES = (".yml", ".yaml", ".json")
_DIRECTORY = Path(__file__).parent


@cache
def builtin_names() -> tuple[str, ...]:
    """The names of the built-in profiles, sorted."""
    return tuple(sorted(path.stem for path in _DIRECTORY.glob("*.yml")))


def load(name_or_path: str) -> Profile:
    """The built-in profile of that name, or the one in that YAML or JSON file (which may extend a built-in one).

    Raises:
        ProfileError: there is no such profile or file, or the file does not hold a profile.

    """
    if name_or_path in builtin_names():
        return _builtin(name_or_path)
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() not in _SUFFIXES and not path.is_file():
        near = difflib.get_close_matches(name_or_path, builtin_names(), n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise ProfileError(
            f"There is no profile {name_or_path!r}.",
            remedy=f"{hint}Known profiles: {', '.join(builtin_names())}. Or give a file: NAME.yml or NAME.json.",
        )
    try:
        state = path.stat()
    except (OSError, ValueError) as exc:
        raise ProfileError(
            f"The profile file {path} cannot be read: {getattr(exc, 'strerror', exc)}.",
            remedy=f"Correct the path, or use one of the built-in profiles: {', '.join(builtin_names())}.",
        ) from exc
    return _from_file(path.absolute(), state.st_mtime_ns, state.st_size)


@cache
def _builtin(name: str) -> Profile:
    if name not in builtin_names():
        near = difflib.get_close_matches(name, builtin_names(), n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ProfileError(
            f"There is no built-in profile {name!r} to extend.",
            remedy=f"Known profiles: {', '.join(builtin_names())}.{hint}",
        )
    path = _DIRECTORY / f"{name}.yml"
    return profile_from_mapping(_content(path, path.name), origin=path.name, resolve=_builtin)


@lru_cache(maxsize=32)
def _from_file(path: Path, modified: int, size: int) -> Profile:
    """The profile of a file in one of its states: a changed file is read again."""
    content = _content(path, str(path))
    if isinstance(content, dict):
        content.setdefault("name", path.stem)
    return profile_from_mapping(content, origin=str(path), resolve=_builtin)


def _content(path: Path, origin: str) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ProfileError(
            f"The profile file cannot be read: {exc}.",
            place=origin,
            remedy="Write it as UTF-8 text and make it readable.",
        ) from exc
    if path.suffix.lower() == ".json":
        try:
            return json.loads(text)
        except ValueError as exc:
            raise ProfileError(f"This is not JSON: {exc}.", place=origin, remedy="Correct it at that place.") from exc
    if IMPORT_ERROR is not None:
        raise ProfileError(
            f"The library PyYAML is missing: {IMPORT_ERROR}.", place=origin, remedy="Install it: pip install PyYAML."
        )
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError) as exc:  # ValueError: a date that does not exist
        raise ProfileError(
            f"This is not YAML: {' '.join(str(exc).split())}.", place=origin, remedy="Correct it at that place."
        ) from exc
