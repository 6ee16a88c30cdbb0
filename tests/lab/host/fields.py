# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading of a scenario's mappings: each value is asked for with its type, and what is left over is an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ScenarioError(Exception):
    """A scenario that cannot be used; the message names the place in the file."""


class Fields:
    """One mapping of a scenario and its place in it."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, Mapping):
            raise ScenarioError(f"{place} must be a mapping, not {value!r}")
        self.place = place
        self._left: dict[str, Any] = {str(key): item for key, item in value.items()}

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def names(self) -> list[str]:
        """What is left, by name."""
        return list(self._left)

    def removed(self, name: str) -> bool:
        """Whether the value is there and null; it is then taken."""
        return name in self._left and self._left[name] is None and self._left.pop(name) is None

    def take(self, name: str, default: Any = None) -> Any:
        """A value of any type."""
        return self._left.pop(name, default)

    def text(self, name: str, default: str | None = None, *, among: Sequence[str] = ()) -> str:
        """A text; without a default it must be there."""
        value = self._left.pop(name, default)
        if isinstance(value, float | int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise ScenarioError(f"{self.place}: {name} must be a text, not {value!r}")
        if among and value not in among:
            raise ScenarioError(f"{self.place}: {name} is {value!r}; it must be one of {', '.join(among)}")
        return value

    def optional_text(self, name: str) -> str | None:
        """A text or nothing."""
        if self.removed(name) or name not in self._left:
            return None
        return self.text(name)

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self._left.pop(name, default)
        if not isinstance(value, bool):
            raise ScenarioError(f"{self.place}: {name} must be true or false, not {value!r}")
        return value

    def number(self, name: str, default: int) -> int:
        """A whole number."""
        value = self._left.pop(name, default)
        if not isinstance(value, int) or isinstance(value, bool):
            raise ScenarioError(f"{self.place}: {name} must be a number, not {value!r}")
        return value

    def texts(self, name: str, default: Sequence[str] = (), *, among: Sequence[str] = ()) -> tuple[str, ...]:
        """A list of texts."""
        value = self._left.pop(name, list(default))
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ScenarioError(f"{self.place}: {name} must be a list of texts, not {value!r}")
        for item in value:
            if among and item not in among:
                raise ScenarioError(f"{self.place}: {name} holds {item!r}; known are {', '.join(among)}")
        return tuple(value)

    def mappings(self, name: str) -> list[Fields]:
        """A list of mappings."""
        value = self._left.pop(name, [])
        if not isinstance(value, list):
            raise ScenarioError(f"{self.place}: {name} must be a list, not {value!r}")
        return [Fields(item, f"{self.place}: {name}[{number}]") for number, item in enumerate(value)]

    def named(self, name: str) -> dict[str, Any]:
        """A mapping from names to anything."""
        value = self._left.pop(name, {})
        if not isinstance(value, Mapping):
            raise ScenarioError(f"{self.place}: {name} must be a mapping, not {value!r}")
        return {str(key): item for key, item in value.items()}

    def inner(self, name: str) -> Fields | None:
        """A mapping within this one, if it is there."""
        value = self._left.pop(name, None)
        return None if value is None else Fields(value, f"{self.place}: {name}")

    def done(self) -> None:
        """Complain of what nobody asked for."""
        if self._left:
            names = ", ".join(sorted(self._left))
            raise ScenarioError(f"{self.place}: unknown here: {names}")
