# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds of every plan and every duplicate, whatever the template looks like."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.entry import Entry
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import DirectoryError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.descriptor import enrollment_rights
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.duplicate import plan_duplicate
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.exposure import exposures
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.forest import forest_of
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.plan import plan_template
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.state import template_of
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.wanted import (
    TemplateError,
    Wanted,
    checked_providers,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from template_objects import (
    ADMINISTRATORS_ONLY,
    CONFIGURATION,
    SCHANNEL,
    SOFTWARE_KSP,
    MemoryDirectory,
    oid_container,
    template_entry,
)

MANY = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much],  # refusals are no plans, and many templates are refused
)

STRONG = "Microsoft Strong Cryptographic Provider"
AGENT = "1.3.6.1.4.1.311.20.2.1"

EVERYONE_ENROLLS = bytes.fromhex(
    # Self-relative, no owner; one entry that allows Everyone (S-1-1-0) everything.
    "010004800000000000000000000000001400000002001c000100000000001400ff010f00010100000000000100000000"
)

WRITTEN = {
    "msPKI-Private-Key-Flag",
    "pKIDefaultCSPs",
    "msPKI-RA-Application-Policies",
    "pKIDefaultKeySpec",
    "msPKI-Minimal-Key-Size",
    "pKIKeyUsage",
    "msPKI-Template-Schema-Version",
    "revision",
    "msPKI-Template-Minor-Revision",
}
"""All that docs/templates.md says may change in a template."""
LEGACY, ALTERNATE, EXPORTABLE, VERSIONS = 0x100, 0x40, 0x10, 0x0F0F0000
BOUND = 0x7E00 | 0x300000
"""Attestation and Windows Hello (MS-CRTD 2.27)."""

names = st.one_of(
    st.sampled_from([SCHANNEL, SCHANNEL.upper(), STRONG, SOFTWARE_KSP, "Fabrikam HSM CSP"]),
    st.sampled_from(["Fabrikam Key Storage Provider", "Microsoft DH SChannel Cryptographic Provider"]),
    st.text(max_size=12),
)
elements = st.one_of(
    st.builds(
        lambda number, comma, name: f"{number}{comma}{name}",
        st.integers(0, 12),
        st.sampled_from([",", ", ", " ,"]),
        names,
    ),
    names,
)
triplets = st.builds(
    lambda parts, last: "`".join(part for triplet in parts for part in triplet) + last,
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "msPKI-Asymmetric-Algorithm",
                    "msPKI-RA-Application-Policies",
                    "mspki-ra-application-policies",
                    "msPKI-Hash-Algorithm",
                    "msPKI-Key-Usage",
                    "other",
                ]
            ),
            st.sampled_from(["PZPWSTR", "DWORD"]),
            st.sampled_from(["RSA", "rsa", "ECDH_P256", "DSA", AGENT, f"{AGENT},1.2.3", "policy", "", "SHA256", "2"]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["`", "", "`left"]),
)
policies = st.lists(
    st.one_of(triplets, st.sampled_from([AGENT, "1.2.3", "policy"]), st.text(alphabet="`1.,ab", min_size=1)),
    unique=True,
    max_size=3,
)
words = st.one_of(
    st.sampled_from([None, 0, 0x01010000, 0x02020000, 0x06060000, 0x06060100, 0x86060040, 0x06062000, -1]),
    st.integers(-(1 << 31), (1 << 32) - 1).map(lambda word: word & ~BOUND),
)
revisions = st.sampled_from([None, 0, 1, 4, 100, 101, 0x7FFFFFFE, 0x7FFFFFFF, -1])
sizes = st.one_of(st.sampled_from([None, 0, 256, 384, 521, 512, 1024, 2048, 4096]), st.integers(-9, 20000))
purposes = st.lists(
    st.sampled_from(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0", AGENT]), unique=True, max_size=3
)


@st.composite
def templates(draw, versions=(None, 0, 1, 2, 3, 4, 5, -1)):
    version = draw(st.sampled_from(versions))
    return template_entry(
        msPKI_Template_Schema_Version=version,
        msPKI_Private_Key_Flag=draw(words),
        pKIDefaultCSPs=[value for value in draw(st.lists(elements, unique=True, max_size=4)) if value],
        msPKI_RA_Application_Policies=draw(policies),
        msPKI_RA_Signature=draw(st.sampled_from([None, 0, 0, 1, 2, -1])),
        msPKI_RA_Policies=draw(st.sampled_from([None, "1.2.3.4"])),
        pKIDefaultKeySpec=draw(st.sampled_from([None, 0, 1, 2])),
        pKIKeyUsage=draw(st.one_of(st.none(), st.binary(min_size=1, max_size=3))),
        msPKI_Minimal_Key_Size=draw(sizes),
        revision=draw(revisions),
        msPKI_Template_Minor_Revision=draw(revisions),
        msPKI_Enrollment_Flag=draw(st.one_of(st.none(), st.integers(0, 0xFFFFF))),
        msPKI_Certificate_Name_Flag=draw(st.sampled_from([None, 0, 1, 0x10000, -2113929216, -2113929215])),
        flags=draw(st.sampled_from([None, 131649, 66113, -1])),
        pKIExtendedKeyUsage=draw(purposes),
        msPKI_Certificate_Application_Policy=draw(purposes),
        nTSecurityDescriptor=draw(
            st.sampled_from(
                [ADMINISTRATORS_ONLY, EVERYONE_ENROLLS, EVERYONE_ENROLLS, ADMINISTRATORS_ONLY, None, b"damaged"]
            )
        ),
    )


@st.composite
def wishes(draw, **fixed):
    given_names = draw(
        st.lists(
            st.sampled_from(
                [SCHANNEL, STRONG, "Fabrikam HSM CSP, Model 2", "Microsoft DH SChannel Cryptographic Provider"]
            ),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    return Wanted(
        **{
            "providers": checked_providers(given_names)[0],
            "minimum_key_size": draw(st.sampled_from([None, 512, 2048, 4096])),
            "exportable": draw(st.sampled_from([None, True, False])),
            "schema_3": draw(st.sampled_from(["downgrade", "downgrade", "downgrade", "fail", "supersede"])),
            "reenroll_holders": draw(st.booleans()),
            **fixed,
        }
    )


def planned(entry, wanted):
    """The plan; no other error than a refusal may come."""
    try:
        return plan_template(template_of(entry), wanted)
    except (TemplateError, DirectoryError):
        assume(False)


def number(entry, name):
    return entry.integer(name) or 0


@MANY
@given(templates(), wishes())
def test_a_template_is_planned_or_refused_with_the_reason(entry, wanted):
    before = dict(entry.attributes)
    refusal = None
    try:
        plan = plan_template(template_of(entry), wanted)
        assert all(note.endswith(".") for note in plan.notes)
    except (TemplateError, DirectoryError) as exc:
        refusal = exc
    assert refusal is None or (refusal.message and refusal.place and refusal.remedy)
    assert entry.attributes == before


@MANY
@given(templates(), wishes())
def test_the_outcome_is_legacy_with_exactly_the_wanted_providers(entry, wanted):
    plan = planned(entry, wanted)
    after = template_of(plan.outcome)
    assert after.category == "csp"
    if after.schema_version == 1:
        assert plan.changes == ()
        return
    assert [name.casefold() for name in after.providers] == [name.casefold() for name in wanted.providers]
    assert after.consistent
    assert not after.issuance.has_properties
    assert plan_template(after, wanted).changes == ()


@MANY
@given(templates((2, 3, 4)), wishes())
def test_the_list_can_be_read_in_one_way_only(entry, wanted):
    held = planned(entry, wanted).outcome.texts("pKIDefaultCSPs")
    priorities = [int(value.partition(",")[0]) for value in held]
    assert len(set(priorities)) == len(held) == len(wanted.providers)


@MANY
@given(templates(), wishes())
def test_nothing_else_changes(entry, wanted):
    plan = planned(entry, wanted)
    after = plan.outcome
    changed = {
        name for name in {*entry.attributes, *after.attributes} if set(entry.values(name)) != set(after.values(name))
    }
    assert changed <= WRITTEN
    assert changed <= {change.attribute for change in plan.changes}
    if not plan.changes:
        return
    allowed = EXPORTABLE if wanted.exportable is not None else 0
    if entry.integer("msPKI-Template-Schema-Version") >= 3:
        allowed |= ALTERNATE
    if entry.integer("msPKI-Template-Schema-Version") >= 4:
        allowed |= LEGACY
    flags = number(entry, "msPKI-Private-Key-Flag") ^ number(after, "msPKI-Private-Key-Flag")
    assert flags & 0xFFFFFFFF & ~allowed == 0
    written = after.text("msPKI-Private-Key-Flag")
    if "msPKI-Private-Key-Flag" in changed:
        assert -(1 << 31) <= int(written) < 1 << 31
    assert plan.state.entry is entry


@MANY
@given(templates((2, 3, 4)), wishes())
def test_the_revision_rises_by_one(entry, wanted):
    plan = planned(entry, wanted)
    assume(plan.changes)
    before, after = plan.state, template_of(plan.outcome)
    rise = after.major_revision - before.major_revision, after.minor_revision - before.minor_revision
    if wanted.reenroll_holders:
        assert (rise[0], after.minor_revision) == (1, 0)
    else:
        assert rise == (0, 1)


@MANY
@given(templates((2, 3, 4)), wishes())
def test_a_modify_gives_the_outcome_and_takes_all_that_was_there(entry, wanted):
    plan = planned(entry, wanted)
    assume(plan.changes)
    rows = plan.modify.modifications
    assert len({row.attribute for row in rows}) == len(rows)
    for row in rows:
        assert row.delete == entry.values(row.attribute)
        assert row.delete or row.add
    directory = MemoryDirectory([entry])
    directory.apply([plan.modify])
    held = directory.entries[entry.dn]
    assert {name.casefold(): set(values) for name, values in held.attributes.items()} == {
        name.casefold(): set(values) for name, values in plan.outcome.attributes.items()
    }


@MANY
@given(templates((2, 3, 4)), wishes(), st.sampled_from(sorted(WRITTEN)))
def test_a_change_by_somebody_else_of_what_is_written_stops_it(entry, wanted, attribute):
    plan = planned(entry, wanted)
    assume(attribute in {row.attribute for row in plan.modify.modifications if row.delete})
    directory = MemoryDirectory([Entry(entry.dn, {**entry.attributes, attribute: (b"77",)})])
    with pytest.raises(DirectoryError):
        directory.apply([plan.modify])


@MANY
@given(templates(), wishes())
def test_no_exposure_is_new(entry, wanted):
    plan = planned(entry, wanted)
    before = {(found.name, found.principals, found.certain) for found in exposures(plan.state)}
    assert {(found.name, found.principals, found.certain) for found in exposures(template_of(plan.outcome))} <= before


@MANY
@given(templates((2, 3, 4)), wishes())
def test_a_signature_that_is_required_has_to_carry_no_less_than_before(entry, wanted):
    plan = planned(entry, wanted)
    before, after = plan.state, template_of(plan.outcome)
    assert after.signatures_required == before.signatures_required
    assert set(after.issuance.oids) >= set(before.issuance.oids)
    if before.signatures_required > 0 and before.issuance.has_properties:
        assert not any("no object identifier" in note for note in before.issuance.notes)
        assert not any(name.casefold() == "mspki-ra-application-policies" for name in before.issuance.properties)


@MANY
@given(templates((2, 3, 4)), wishes(minimum_key_size=None))
def test_no_smaller_rsa_key_becomes_possible(entry, wanted):
    plan = planned(entry, wanted)
    before, after = plan.state.minimum_key_size, template_of(plan.outcome).minimum_key_size
    assert (after or 0) >= (before or 0)
    assert after in (before, 2048)


def forest_with(*entries):
    return forest_of([oid_container(), *entries], CONFIGURATION, "dc01.corp.example.test")


def duplicated(entry, wanted):
    """The forest and the duplicate; no other error than a refusal may come."""
    forest = forest_with(entry)
    try:
        return forest, plan_duplicate(forest, template_of(entry), wanted)
    except (TemplateError, DirectoryError):
        assume(False)


successors = wishes(schema_3="supersede").flatmap(
    lambda wanted: st.sampled_from([2, 4]).map(
        lambda version: Wanted(**{**vars(wanted), "new_name": "Successor", "new_schema_version": version})
    )
)


@MANY
@given(templates((3,)), successors)
def test_a_duplicate_is_legacy_and_its_own(entry, wanted):
    forest, duplicate = duplicated(entry, wanted)
    new, source = duplicate.state, duplicate.source
    assert (new.schema_version, new.category) == (wanted.new_schema_version, "csp")
    assert [name.casefold() for name in new.providers] == [name.casefold() for name in wanted.providers]
    assert (new.consistent, new.issuance.has_properties) == (True, False)
    assert new.oid
    assert new.oid.startswith(f"{forest.oid_root}.")
    assert new.oid != source.oid
    assert new.supersedes == (source.name,)
    assert not new.general_flags & 0x10000
    assert not new.private_key_flags & BOUND
    assert plan_template(new, wanted).changes == ()


@MANY
@given(templates((3,)), successors)
def test_a_duplicate_serves_and_demands_what_its_source_does(entry, wanted):
    duplicate = duplicated(entry, wanted)[1]
    new, source = duplicate.state, duplicate.source
    assert set(new.purposes) == set(source.purposes)
    if not source.extended_key_usage or not source.application_policies:
        assert new.extended_key_usage == new.application_policies
    for name in (
        "msPKI-Enrollment-Flag",
        "msPKI-Certificate-Name-Flag",
        "msPKI-RA-Signature",
        "msPKI-RA-Policies",
        "msPKI-Certificate-Policy",
        "pKIMaxIssuingDepth",
        "pKICriticalExtensions",
        "pKIExpirationPeriod",
        "pKIOverlapPeriod",
    ):
        assert new.entry.values(name) == entry.values(name)
    assert set(new.issuance.oids) >= set(source.issuance.oids)
    allowed = LEGACY | ALTERNATE | EXPORTABLE | (VERSIONS if wanted.new_schema_version == 4 else 0)
    assert (new.private_key_flags ^ source.private_key_flags) & 0xFFFFFFFF & ~allowed == 0
    if wanted.new_schema_version == 4:
        assert new.private_key_flags & 0x000F0000 >= 0x00040000
        assert new.private_key_flags & 0x0F000000 >= 0x04000000


@MANY
@given(templates((3,)), successors)
def test_a_duplicate_lets_in_the_same(entry, wanted):
    new = duplicated(entry, wanted)[1].state
    rights = enrollment_rights(entry.value("nTSecurityDescriptor"))
    assert enrollment_rights(new.entry.value("nTSecurityDescriptor")) == replace(rights, owner=None)
    control = struct.unpack_from("<H", new.entry.value("nTSecurityDescriptor"), 2)[0]
    assert control & 0x10 == 0  # no system list, which only holders of a privilege may write
    before = {(found.name, found.principals) for found in exposures(template_of(entry))}
    assert {(found.name, found.principals) for found in exposures(new)} <= before


@MANY
@given(templates((3,)), successors)
def test_a_duplicate_is_added_after_its_identifier_and_once(entry, wanted):
    duplicate = duplicated(entry, wanted)[1]
    assert len(duplicate.adds) == 2
    for add in duplicate.adds:
        assert add.attributes[0][0] == "objectClass"
        assert all(values for name, values in add.attributes)
        assert len({name.casefold() for name, values in add.attributes}) == len(add.attributes)
    directory = MemoryDirectory([oid_container(), entry])
    directory.apply(duplicate.adds[:1])
    again = plan_duplicate(forest_with(*directory.entries.values()), template_of(entry), wanted)
    assert again.adds == duplicate.adds[1:]


@pytest.mark.parametrize(
    ("algorithm", "size", "expected"),
    [
        ("DSA", 1024, 2048),
        ("DSA", 3072, 3072),
        ("DH", 4096, 4096),
        ("rsa", 1024, 1024),
        ("ECDH_P521", 521, 2048),
        ("RSA", 4096, 4096),
    ],
)
def test_the_size_of_another_algorithm_is_raised_and_never_lowered(algorithm, size, expected):
    entry = template_entry(
        msPKI_RA_Application_Policies=f"msPKI-Asymmetric-Algorithm`PZPWSTR`{algorithm}`", msPKI_Minimal_Key_Size=size
    )
    assert template_of(plan_template(template_of(entry), Wanted()).outcome).minimum_key_size == expected


@pytest.mark.parametrize(("key_spec", "accepted"), [(1, True), (None, True), (2, False)])
def test_schema_1_for_signatures_is_not_one_for_schannel(key_spec, accepted):
    entry = template_entry(
        msPKI_Template_Schema_Version=1,
        msPKI_Private_Key_Flag=0,
        msPKI_RA_Application_Policies=None,
        pKIDefaultCSPs=f"1,{SCHANNEL}",
        pKIDefaultKeySpec=key_spec,
    )
    if accepted:
        assert plan_template(template_of(entry), Wanted()).changes == ()
    else:
        with pytest.raises(TemplateError, match="its key specification is 2"):
            plan_template(template_of(entry), Wanted())


@pytest.mark.parametrize(
    "held",
    [[f"1,{SCHANNEL}", f"1,{STRONG}"], [f"1,{STRONG}", f"1,{SCHANNEL}"], [f"1,{SCHANNEL}", STRONG], [SCHANNEL, STRONG]],
)
def test_a_list_whose_order_is_open_is_written_anew(held):
    entry = template_entry(msPKI_Private_Key_Flag=0x06060100, pKIDefaultCSPs=held, msPKI_RA_Application_Policies=None)
    plan = plan_template(template_of(entry), Wanted(providers=(SCHANNEL, STRONG)))
    assert plan.outcome.texts("pKIDefaultCSPs") == (f"1,{SCHANNEL}", f"2,{STRONG}")


@pytest.mark.parametrize("name", ["Fabrikam\ud800CSP", "Fabrikam\x85CSP"])
def test_a_provider_name_that_cannot_be_written_is_refused(name):
    with pytest.raises(TemplateError, match="cannot be the name of a provider"):
        checked_providers([name])
