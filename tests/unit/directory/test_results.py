# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Result codes in words."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory import errors
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.results import explain

NAMED = {name: value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}


@pytest.mark.parametrize("name", NAMED)
def test_every_code_with_a_name_is_explained_under_it(name):
    meaning, remedy = explain(NAMED[name])
    assert f"{name.replace('_', '').casefold()}, {NAMED[name]})" in meaning.casefold()
    assert meaning.endswith(".")
    assert remedy.endswith(".")


def test_a_code_without_an_explanation_is_told_as_it_is():
    meaning, remedy = explain(80)
    assert "80" in meaning
    assert remedy
