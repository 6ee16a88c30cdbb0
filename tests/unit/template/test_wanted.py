# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wishes that people write by mistake: half a provider's name, a list in one text, a new name that nothing gets."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.plan import legacy_changes, plan_template
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.state import template_of
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.wanted import (
    TemplateError,
    Wanted,
    checked_providers,
)
from template_objects import SCHANNEL, template_entry


@pytest.mark.parametrize(
    "name",
    [
        "Microsoft",  # what is left of a name with blanks after -e variable=Microsoft RSA SChannel ...
        "Microsoft RSA SChannel",
        "microsoft rsa schannel cryptographic",
        "Microsoft RSA SChannel Cryptographic Provder",
        "Microsoft RSA SChanel Cryptographic Provider",
    ],
)
def test_a_misspelt_name_of_microsofts_is_refused_with_the_right_one(name):
    with pytest.raises(TemplateError, match="no provider of Microsoft's") as caught:
        checked_providers([name])
    assert f"'{SCHANNEL}'" in caught.value.remedy


def test_another_name_that_begins_so_is_legal_with_a_warning():
    name = "Microsoft Fabrikam Cryptographic Provider"
    names, [warning] = checked_providers([name])
    assert names == (name,)
    assert "not known here" in warning


def test_a_near_name_of_a_third_party_is_proposed():
    names, [warning] = checked_providers(["eToken Base Cryptographic Provder"])
    assert names == ("eToken Base Cryptographic Provder",)
    assert "Did you mean 'eToken Base Cryptographic Provider'?" in warning


@pytest.mark.parametrize("name", [f"1,{SCHANNEL}", "2,Fabrikam HSM CSP"])
def test_a_number_before_the_name_is_refused(name):
    with pytest.raises(TemplateError, match="begins with a number") as caught:
        checked_providers([name])
    assert "order of the list" in caught.value.remedy


def test_several_known_names_in_one_text_are_refused():
    with pytest.raises(TemplateError, match="several names"):
        checked_providers([f"{SCHANNEL}, Microsoft DH SChannel Cryptographic Provider"])


def test_the_default_is_the_first_that_is_proposed():
    with pytest.raises(TemplateError) as caught:
        checked_providers([])
    assert caught.value.remedy.startswith(f"Give legacy providers, such as '{SCHANNEL}'")


def test_a_new_name_is_refused_where_no_template_is_made():
    state = template_of(template_entry("LyncWebServer"))
    for schema_3 in ("fail", "supersede", "downgrade"):
        with pytest.raises(TemplateError, match="schema version 4") as caught:
            plan_template(state, Wanted(schema_3=schema_3, new_name="LyncLegacy"))
        assert caught.value.place == "option 'new_name'"
    assert plan_template(state, Wanted(schema_3="supersede", new_name="lyncwebserver")).changes


def test_a_smaller_key_than_before_is_told():
    state = template_of(template_entry("LyncWebServer", msPKI_Minimal_Key_Size=4096))
    assert any("4096 to 1024 bits" in note for note in plan_template(state, Wanted(minimum_key_size=1024)).notes)
    assert not any("bits" in note for note in plan_template(state, Wanted(minimum_key_size=8192)).notes)
    assert not any("bits" in note for note in plan_template(state, Wanted()).notes)


def test_the_clients_that_a_note_names_are_those_of_the_new_template():
    entry = template_entry("Web", msPKI_Template_Schema_Version=3, msPKI_Private_Key_Flag=0x03030000)
    notes = " ".join(legacy_changes(template_of(entry), Wanted(), 4)[1])
    assert "only Windows 8 or Windows Server 2012 and later" in notes
    assert "stay as they are" not in notes
    notes = " ".join(legacy_changes(template_of(entry), Wanted(), 2)[1])
    assert "only Windows 7 or Windows Server 2008 R2 and later enrol by the template; they stay as they are." in notes


def test_the_hash_of_requests_is_not_taken_for_that_of_certificates():
    notes = " ".join(plan_template(template_of(template_entry("Web")), Wanted()).notes)
    assert "certificates have that of the CA" in notes
    assert "lost" not in notes
