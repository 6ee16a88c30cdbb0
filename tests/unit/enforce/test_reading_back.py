# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory that cannot be read again after a change: what is told then."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import DirectoryError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.template import enforce_template
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.work import TemplateWish
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import HostError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.wanted import Wanted
from template_objects import MemoryDirectory, oid_container, template_entry

WISH = ("LyncWebServer", Wanted(), None, False)


class Fading(MemoryDirectory):
    """A directory that answers the first search only."""

    def __init__(self, loss, refusal=None):
        super().__init__([oid_container(), template_entry()])
        self.loss, self.refusal = loss, refusal

    def search(self, filter_text, attributes):
        if self.searches:
            raise self.loss
        return super().search(filter_text, attributes)

    def apply(self, changes):
        if self.refusal:
            raise self.refusal
        super().apply(changes)


LOSSES = [
    DirectoryError("The server went away.", remedy="Try again."),
    HostError("The host went away.", remedy="Wait."),
]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_a_change_that_cannot_be_read_back_is_told_with_the_way_back(loss, tmp_path):
    directory = Fading(loss)
    with pytest.raises(type(loss)) as caught:
        enforce_template(directory, TemplateWish(*WISH, tmp_path), check=False, at=datetime.now(timezone.utc))
    assert loss.message in caught.value.message
    assert "not known" in caught.value.message
    [restore] = tmp_path.glob("*.restore.ldf")
    assert str(restore) in caught.value.remedy
    assert len(directory.applied) == 1


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
def test_a_refusal_is_told_when_the_directory_cannot_be_read_again(loss, tmp_path: Path):
    directory = Fading(loss, DirectoryError("The server broke off.", code=52))
    with pytest.raises(DirectoryError, match=r"The server broke off\..*could not be read") as caught:
        enforce_template(directory, TemplateWish(*WISH, tmp_path), check=False, at=datetime.now(timezone.utc))
    assert caught.value.code == 52
    [restore] = tmp_path.glob("*.restore.ldf")
    assert str(restore) in caught.value.message
