# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The least change that makes a template one for legacy providers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.plan import plan_template
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.state import template_of
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.wanted import (
    TemplateError,
    Wanted,
    checked_key_size,
    checked_providers,
)
from template_objects import RSA_PROPERTIES, SCHANNEL, SOFTWARE_KSP, sample_entry, template_entry, values

DH = "Microsoft DH SChannel Cryptographic Provider"
STRONG = "Microsoft Strong Cryptographic Provider"


def planned(entry, **wanted):
    """The changes by attribute: what is new."""
    plan = plan_template(template_of(entry), Wanted(**wanted))
    return {change.attribute: change.new for change in plan.changes}


def test_schema_4_for_a_ksp_gets_the_flag_the_list_and_loses_the_properties():
    assert planned(template_entry()) == {
        "msPKI-Private-Key-Flag": values(0x06060100),
        "pKIDefaultCSPs": values(f"1,{SCHANNEL}"),
        "msPKI-RA-Application-Policies": (),
        "msPKI-Template-Minor-Revision": values(5),
    }


def test_a_template_that_is_right_needs_nothing():
    right = template_entry(
        msPKI_Private_Key_Flag=0x06060100, pKIDefaultCSPs=f"1,{SCHANNEL}", msPKI_RA_Application_Policies=None
    )
    assert planned(right) == {}
    assert planned(right, reenroll_holders=True) == {}


def test_the_outcome_of_a_plan_needs_no_further_plan():
    plan = plan_template(template_of(template_entry(pKIDefaultKeySpec=2)), Wanted())
    after = template_of(plan.outcome)
    assert (after.category, after.providers, after.key_spec) == ("csp", (SCHANNEL,), 1)
    assert plan_template(after, Wanted()).changes == ()


@pytest.mark.parametrize("flags", [0x06068010, 0x06060031, -0x79FA0000])
def test_bits_that_have_no_name_stay(flags):
    found = planned(template_entry(msPKI_Private_Key_Flag=flags))
    assert int(found["msPKI-Private-Key-Flag"][0]) == flags | 0x100


def test_the_flag_word_is_written_signed():
    found = planned(template_entry(msPKI_Private_Key_Flag=0x86060000))
    assert found["msPKI-Private-Key-Flag"] == values(0x86060100 - (1 << 32))


def test_the_alternate_signature_algorithm_goes_with_the_ksp():
    found = planned(template_entry(msPKI_Private_Key_Flag=0x06060050))
    assert found["msPKI-Private-Key-Flag"] == values(0x06060110)


def test_schema_2_gets_the_list_and_no_flag():
    entry = template_entry(
        msPKI_Template_Schema_Version=2,
        msPKI_Private_Key_Flag=0x01010040,
        pKIDefaultCSPs=[f"2,{DH}", f"1,{SCHANNEL}"],
        msPKI_RA_Application_Policies=None,
        pKIDefaultKeySpec=2,
    )
    assert planned(entry) == {
        "pKIDefaultCSPs": values(f"1,{SCHANNEL}"),
        "pKIDefaultKeySpec": values(1),
        "msPKI-Template-Minor-Revision": values(5),
    }


def test_policies_within_the_properties_stay_as_plain_values():
    text = RSA_PROPERTIES + "msPKI-RA-Application-Policies`PZPWSTR`1.3.6.1.4.1.311.20.2.1,1.3.6.1.5.5.7.3.2`"
    found = planned(template_entry(msPKI_RA_Application_Policies=text, msPKI_RA_Signature=1))
    assert found["msPKI-RA-Application-Policies"] == values(["1.3.6.1.4.1.311.20.2.1", "1.3.6.1.5.5.7.3.2"])


@pytest.mark.parametrize(
    ("usage", "expected"), [(b"\x88", b"\xa0"), (b"\xc8\x00", b"\xe0\x00"), (b"\x80", None), (b"\xa0", None)]
)
def test_elliptic_curves_become_rsa_of_2048_bits_that_enciphers_keys(usage, expected):
    entry = template_entry(
        msPKI_RA_Application_Policies=RSA_PROPERTIES.replace("RSA", "ECDH_P256"),
        msPKI_Minimal_Key_Size=256,
        pKIKeyUsage=usage,
    )
    found = planned(entry)
    assert found["msPKI-Minimal-Key-Size"] == values(2048)
    assert found.get("pKIKeyUsage") == (expected and (expected,))


def test_a_size_that_is_asked_for_wins_over_the_default():
    entry = template_entry(
        msPKI_RA_Application_Policies=RSA_PROPERTIES.replace("RSA", "ECDSA_P384"), msPKI_Minimal_Key_Size=384
    )
    assert planned(entry, minimum_key_size=4096)["msPKI-Minimal-Key-Size"] == values(4096)


@pytest.mark.parametrize(("exportable", "flags"), [(True, 0x06060110), (False, 0x06060100), (None, 0x06060100)])
def test_keys_are_exportable_as_asked(exportable, flags):
    assert planned(template_entry(), exportable=exportable)["msPKI-Private-Key-Flag"] == values(flags)


def test_wanted_providers_are_numbered_in_their_order():
    found = planned(template_entry(pKIDefaultKeySpec=2), providers=(STRONG, DH))
    assert found["pKIDefaultCSPs"] == values([f"1,{STRONG}", f"2,{DH}"])
    assert found["pKIDefaultKeySpec"] == values(1)


def test_the_key_specification_stays_where_no_schannel_provider_is_wanted():
    assert "pKIDefaultKeySpec" not in planned(template_entry(pKIDefaultKeySpec=2), providers=(STRONG,))


def test_the_order_of_the_values_in_the_directory_is_no_difference():
    entry = template_entry(
        msPKI_Private_Key_Flag=0x06060100,
        pKIDefaultCSPs=[f"2,{STRONG}", f"1, {SCHANNEL.lower()}"],
        msPKI_RA_Application_Policies=None,
    )
    assert planned(entry, providers=(SCHANNEL, STRONG)) == {}


def test_holders_enrol_again_by_the_major_revision():
    plan = plan_template(template_of(template_entry()), Wanted(reenroll_holders=True))
    revisions = {change.attribute: (change.old, change.new) for change in plan.changes if "evision" in change.attribute}
    assert revisions == {
        "revision": (values(100), values(101)),
        "msPKI-Template-Minor-Revision": (values(4), values(0)),
    }


@pytest.mark.parametrize("minor", [0, None])
def test_the_minor_revision_is_locked_too_when_it_is_0_or_absent(minor):
    plan = plan_template(
        template_of(template_entry(msPKI_Template_Minor_Revision=minor)), Wanted(reenroll_holders=True)
    )
    last = plan.modify.modifications[-1]
    assert (last.attribute, last.delete, last.add) == ("msPKI-Template-Minor-Revision", values(minor), values(0))


def test_a_revision_that_cannot_rise_is_refused():
    with pytest.raises(TemplateError, match="cannot be raised"):
        planned(template_entry(msPKI_Template_Minor_Revision=0x7FFFFFFF))


def test_each_change_takes_the_old_values_away():
    plan = plan_template(template_of(template_entry()), Wanted())
    taken = {row.attribute: row.delete for row in plan.modify.modifications}
    assert taken["pKIDefaultCSPs"] == values(f"1,{SOFTWARE_KSP}")
    assert taken["msPKI-Template-Minor-Revision"] == values(4)


@pytest.mark.parametrize("bit", [0x200, 0x400, 0x800, 0x1000, 0x2000, 0x4000, 0x100000, 0x200000])
def test_keys_in_a_tpm_or_of_hello_are_refused(bit):
    with pytest.raises(TemplateError, match=r"TPM or of Windows Hello"):
        planned(template_entry(msPKI_Private_Key_Flag=0x06060000 | bit))


def test_schema_3_fails_with_the_advice():
    with pytest.raises(TemplateError, match="schema version 3") as caught:
        planned(template_entry(msPKI_Template_Schema_Version=3))
    assert "schema_3=supersede" in caught.value.remedy
    assert "schema_3=downgrade" in caught.value.remedy


def test_schema_3_can_become_2():
    entry = template_entry(msPKI_Template_Schema_Version=3, msPKI_Private_Key_Flag=0x02020040)
    found = planned(entry, schema_3="downgrade")
    assert found["msPKI-Template-Schema-Version"] == values(2)
    assert found["msPKI-Private-Key-Flag"] == values(0x02020000)
    assert template_of(plan_template(template_of(entry), Wanted(schema_3="downgrade")).outcome).category == "csp"


@pytest.mark.parametrize("version", [0, 5])
def test_an_unknown_schema_version_is_refused(version):
    with pytest.raises(TemplateError, match="nobody documents"):
        planned(template_entry(msPKI_Template_Schema_Version=version))


SCHEMA_1 = {
    "msPKI_Template_Schema_Version": 1,
    "msPKI_Private_Key_Flag": 0,
    "msPKI_RA_Application_Policies": None,
}


def test_schema_1_is_accepted_when_the_wanted_provider_is_its_first_choice():
    entry = template_entry(pKIDefaultCSPs=[f"2,{DH}", f"1,{SCHANNEL}"], **SCHEMA_1)
    plan = plan_template(template_of(entry), Wanted())
    assert plan.changes == ()
    assert DH in " ".join(plan.notes)


@pytest.mark.parametrize(
    ("providers", "wanted", "reason"),
    [
        ([f"1,{STRONG}"], {}, STRONG),
        ([], {}, "any legacy provider"),
        ([f"2,{SCHANNEL}", f"1,{STRONG}"], {}, STRONG),
        ([f"1,{SCHANNEL}"], {"minimum_key_size": 4096}, "2048 bits"),
        ([f"1,{SCHANNEL}"], {"exportable": True}, "not exportable"),
    ],
)
def test_schema_1_is_refused_when_it_is_not_as_asked(providers, wanted, reason):
    with pytest.raises(TemplateError, match="cannot be edited") as caught:
        planned(template_entry(pKIDefaultCSPs=providers, **SCHEMA_1), **wanted)
    assert reason in caught.value.message
    assert "Duplicate it" in caught.value.remedy


def test_what_is_lost_is_told():
    text = RSA_PROPERTIES + "msPKI-Key-Security-Descriptor`PZPWSTR`D:P(A;;FA;;;SY)`"
    entry = template_entry(msPKI_RA_Application_Policies=text, msPKI_Private_Key_Flag=0x06060080)
    notes = " ".join(plan_template(template_of(entry), Wanted()).notes)
    for part in ("D:P(A;;FA;;;SY)", "SHA256", "REQUIRE_SAME_KEY_RENEWAL", "Windows 10"):
        assert part in notes


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([SOFTWARE_KSP], "key storage provider"),
        (["Fabrikam HSM Key Storage Provider"], "key storage provider"),
        ([SCHANNEL, SCHANNEL.upper()], "twice"),
        ([], "No provider"),
        ([" "], "cannot be the name"),
        (["Fabrikam\nCSP"], "cannot be the name"),
    ],
)
def test_provider_names_that_cannot_be_are_refused(given, message):
    with pytest.raises(TemplateError, match=message):
        checked_providers(given)


def test_an_unknown_provider_is_legal_with_a_warning():
    assert checked_providers(["microsoft rsa schannel cryptographic provider"]) == ((SCHANNEL,), ())
    names, warnings = checked_providers(["Fabrikam HSM CSP, Model 2"])
    assert names == ("Fabrikam HSM CSP, Model 2",)
    assert "Fabrikam HSM CSP, Model 2" in warnings[0]


@pytest.mark.parametrize("size", [0, -1, 384, 2047, 65536])
def test_sizes_that_no_rsa_key_has_are_refused(size):
    with pytest.raises(TemplateError, match="not a size"):
        checked_key_size(size)


@pytest.mark.samples
def test_the_corpus_is_planned_as_its_index_says():
    folder = os.environ.get("KEYPROVIDER_SAMPLES")
    if not folder:
        pytest.skip("KEYPROVIDER_SAMPLES does not name the corpus")
    index = json.loads((Path(folder) / "templates/INDEX.json").read_text())
    assert len(index) >= 78
    for sample in index:
        state = template_of(sample_entry(sample))
        try:
            found = planned(sample_entry(sample))
        except TemplateError:
            assert sample["plan"] is None, sample["name"]
            continue
        expected = {name: values(value) for name, value in (sample["plan"] or {}).items()}
        assert found == expected, (sample["name"], state)
