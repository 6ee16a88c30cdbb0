# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports go one way, and the lab and the plugins do not know each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
UTILS = TOP / "plugins/plugin_utils"

# What each room may import of the others, beside itself and record.py.
MAY_IMPORT = {
    "providers": set(),
    "evidence": {"providers"},
    "profiles": {"providers"},
    "report": {"providers"},
    "directory": set(),
    "template": {"directory", "profiles", "providers"},
    "host": {"profiles"},
    "access": {"directory", "host"},
    "lync": {"host"},
    "enrolment": {"evidence", "profiles", "providers"},
    "audit": {"access", "evidence", "host", "lync", "profiles", "providers", "report", "template"},
    "enforce": {
        *("access", "audit", "directory", "enrolment", "evidence", "host", "lync", "profiles", "providers", "report"),
        "template",
    },
}
PURE = ("providers", "evidence", "profiles", "report", "directory", "template", "enrolment")


def imports(path: Path) -> set[str]:
    """The modules that a file names in its imports, relative ones with their dots."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    return found


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_from_those_before_it(room):
    allowed = MAY_IMPORT[room] | {"record", "record_input"}
    for path in (UTILS / room).glob("*.py"):
        others = {name[2:].split(".", maxsplit=1)[0] for name in imports(path) if name.startswith("..")}
        assert others <= allowed, f"{path.name} imports {others - allowed}"


@pytest.mark.parametrize("room", PURE)
def test_a_pure_room_knows_nothing_of_ansible(room):
    for path in (UTILS / room).glob("*.py"):
        assert not {name for name in imports(path) if name.split(".")[0] == "ansible"}, path.name


def test_only_the_host_room_and_the_actions_know_ansible():
    for path in (TOP / "plugins").rglob("*.py"):
        if {name for name in imports(path) if name.split(".")[0] == "ansible"}:
            room = path.relative_to(TOP / "plugins").parts
            assert room[0] in ("action", "filter", "test") or room[:2] == ("plugin_utils", "host"), path


def test_the_lab_knows_nothing_of_the_plugins():
    for path in (TOP / "tests/lab").rglob("*.py"):
        assert "ansible_collections" not in path.read_text(encoding="utf-8"), path


def test_the_plugins_know_nothing_of_the_lab():
    for path in (TOP / "plugins").rglob("*.py"):
        assert not {name for name in imports(path) if name.split(".")[0] == "lab"}, path
