# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written down twice must agree."""

from __future__ import annotations

import importlib
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


def test_no_file_of_code_is_longer_than_500_lines():
    code = [*TOP.glob("plugins/**/*.py"), *TOP.glob("tests/**/*.py"), *TOP.glob("bench/*.py")]
    assert [path for path in code if len(path.read_text().splitlines()) > 500] == []
