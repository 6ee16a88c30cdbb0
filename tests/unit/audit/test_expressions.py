# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What expressions may pass, and what they get."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.filter.keyprovider import FilterModule
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.audit.expressions import (
    certificates,
    evidence,
    verdict,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import EvidenceError
from ansible_collections.winpki.keyprovider.plugins.test import keyprovider as tests_of_the_collection
from jinja2 import StrictUndefined, UndefinedError

STORE = """\
================ Certificate 0 ================
Serial Number: 1a2b3c
Issuer: CN=Contoso Issuing CA 1
Subject: CN=www.contoso.example
Cert Hash(sha1): 1111111111111111111111111111111111111111
  Provider = Microsoft Strong Cryptographic Provider
CertUtil: -store command completed successfully.
"""


def test_requirements_can_be_added_to_a_list():
    (certificate,) = certificates(STORE)
    judged_again = verdict(certificate, "exchange")
    assert certificate["verdict"]["requirements"] + judged_again["requirements"] + []


@pytest.mark.parametrize("profile", [None, 5, ["lync_2013"]])
def test_a_profile_that_is_no_text_is_told_so(profile):
    (certificate,) = certificates(STORE)
    with pytest.raises(EvidenceError, match="A profile is given by its name or its file"):
        verdict(certificate, profile)


def test_a_password_that_is_no_text_is_told_so():
    with pytest.raises(EvidenceError, match="password must be text, not int"):
        evidence(STORE, password=1234)


@pytest.mark.parametrize("name", ["certificates", "evidence", "requests", "verdict"])
def test_a_filter_names_the_variable_that_is_undefined(name):
    with pytest.raises(UndefinedError, match="'dump' is undefined"):
        FilterModule().filters()[name](StrictUndefined(name="dump"))


@pytest.mark.parametrize("name", ["csp", "ksp", "suitable_for"])
def test_a_test_names_the_variable_that_is_undefined(name):
    with pytest.raises(UndefinedError, match="'found' is undefined"):
        tests_of_the_collection.TestModule().tests()[name](StrictUndefined(name="found"))
