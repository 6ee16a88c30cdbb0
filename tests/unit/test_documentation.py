# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written down twice must agree."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml
from ansible_collections.winpki.keyprovider.plugins.doc_fragments import directory
from ansible_collections.winpki.keyprovider.plugins.doc_fragments.attributes import ModuleDocFragment
from ansible_collections.winpki.keyprovider.plugins.plugin_utils import version
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.formats import FORMATS
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import builtin_names

BASE = "ansible_collections.winpki.keyprovider.plugins"
TOP = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (TOP / "plugins/modules").glob("*.py"))


def documented_options(name):
    documentation = yaml.safe_load(importlib.import_module(f"{BASE}.modules.{name}").DOCUMENTATION)
    options = dict(documentation["options"])
    if "winpki.keyprovider.attributes.profile" in documentation["extends_documentation_fragment"]:
        options.update(yaml.safe_load(ModuleDocFragment.PROFILE)["options"])
    if "winpki.keyprovider.directory" in documentation["extends_documentation_fragment"]:
        options.update(yaml.safe_load(directory.ModuleDocFragment.DOCUMENTATION)["options"])
    return options


@pytest.mark.parametrize("name", MODULES)
def test_options_are_documented_as_they_are_checked(name):
    spec = importlib.import_module(f"{BASE}.action.{name}").ActionModule.ARGUMENT_SPEC
    options = documented_options(name)
    assert set(options) == set(spec)
    for option, rules in spec.items():
        for key in ("type", "default", "choices", "required", "elements"):
            assert options[option].get(key) == rules.get(key), f"{option}: {key}"


@pytest.mark.parametrize("name", MODULES)
def test_each_module_is_thin(name):
    source = (TOP / "plugins/action" / f"{name}.py").read_text()
    assert len(source.splitlines()) < 100


def test_the_version_is_the_one_of_the_collection():
    assert yaml.safe_load((TOP / "galaxy.yml").read_text())["version"] == version.COLLECTION_VERSION


def test_every_profile_is_named_in_the_documentation():
    text = ModuleDocFragment.PROFILE + (TOP / "docs/profiles.md").read_text()
    for name in builtin_names():
        assert f"V({name})" in text
        assert f"`{name}`" in text


def test_filters_know_the_same_formats():
    for name in ("certificates", "evidence", "requests"):
        documentation = yaml.safe_load((TOP / "plugins/filter" / f"{name}.yml").read_text())
        assert documentation["DOCUMENTATION"]["options"]["format"]["choices"] == list(FORMATS)


def test_the_role_has_a_default_for_each_documented_variable():
    role = TOP / "roles/lync_certificates"
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    documented = {}
    for entry in specs.values():
        for name, rules in entry["options"].items():
            assert documented.setdefault(name, rules) == rules, name
    required = {name for name, rules in documented.items() if rules.get("required")}
    assert required == {"lync_certificates_template"}
    assert {name: rules["default"] for name, rules in documented.items() if name not in required} == defaults


def test_the_action_groups_hold_the_modules():
    groups = yaml.safe_load((TOP / "meta/runtime.yml").read_text())["action_groups"]
    platforms = {name: importlib.import_module(f"{BASE}.modules.{name}").DOCUMENTATION for name in MODULES}
    platforms = {name: yaml.safe_load(text)["attributes"]["platform"]["platforms"] for name, text in platforms.items()}
    assert groups.pop("all") == MODULES
    assert groups.pop("windows") == [name for name in MODULES if platforms[name] == "windows"]
    assert groups.pop("directory") == [name for name in MODULES if "template" in name]
    assert groups.pop("lync") == [name for name in MODULES if name.startswith("lync_")]
    assert not groups


def test_the_readme_and_the_changelog_name_every_module():
    fragments = " ".join(path.read_text() for path in sorted((TOP / "changelogs/fragments").glob("*.yml")))
    readme = (TOP / "README.md").read_text()
    for name in MODULES:
        assert f"`{name}`" in readme, name
    later = set(MODULES) - {"certificate_info", "certificate_file_info", "certificate_report"}
    assert {name for name in later if not re.search(rf"\b{name}\b", fragments)} == set()


def test_the_guides_name_variables_that_there_are():
    specs = yaml.safe_load((TOP / "roles/lync_certificates/meta/argument_specs.yml").read_text())["argument_specs"]
    known = {name for entry in specs.values() for name in entry["options"]}
    playbooks = " ".join(path.read_text() for path in (TOP / "playbooks").glob("*.yml"))
    known |= set(re.findall(r"lync_certificates_\w+(?= \| default)", playbooks))
    guides = [TOP / "README.md", *(TOP / "docs").glob("*.md")]
    named = {name for path in guides for name in re.findall(r"\blync_certificates_\w+", path.read_text())}
    assert named <= known, named - known


def test_no_file_of_code_is_longer_than_500_lines():
    code = [*TOP.glob("plugins/**/*.py"), *TOP.glob("tests/**/*.py"), *TOP.glob("bench/*.py")]
    assert [path for path in code if len(path.read_text().splitlines()) > 500] == []
