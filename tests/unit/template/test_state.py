# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the attributes of a template to its state."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import DirectoryError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.state import template_of
from hypothesis import given
from hypothesis import strategies as st

SAMPLES = os.environ.get("KEYPROVIDER_SAMPLES")
INDEX = json.loads((Path(SAMPLES) / "templates/INDEX.json").read_text("utf-8")) if SAMPLES else []

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
DH = "Microsoft DH SChannel Cryptographic Provider"
SOFTWARE = "Microsoft Software Key Storage Provider"
LEGACY = 0x100
ECDH = "msPKI-Asymmetric-Algorithm`PZPWSTR`ECDH_P256`msPKI-Hash-Algorithm`PZPWSTR`SHA256`"


@pytest.mark.samples
@pytest.mark.skipif(not SAMPLES, reason="KEYPROVIDER_SAMPLES does not name the corpus")
def test_the_corpus_is_there():
    assert len(INDEX) >= 78


@pytest.mark.samples
@pytest.mark.parametrize("sample", INDEX, ids=lambda sample: sample["name"])
def test_real_templates_are_what_the_index_says(sample, make_entry):
    attributes = dict(sample["attrs"])
    if "pKIKeyUsage" in attributes:
        attributes["pKIKeyUsage"] = base64.b64decode(attributes["pKIKeyUsage"])
    state = template_of(make_entry(attributes, sample["name"]))
    assert state.label == sample["state"]
    assert state.consistent
    left_over = any("left in msPKI-RA-Application-Policies" in note for note in sample["notes"])
    assert any("2.23.1" in sentence for sentence in state.inconsistencies) is left_over
    assert len(state.inconsistencies) == left_over
    shown = state.as_dict()
    assert shown["private_key_flags"]["value"] == sample["attrs"]["msPKI-Private-Key-Flag"]
    assert shown["extended_key_usage"] == sample["attrs"].get("pKIExtendedKeyUsage", [])
    assert json.loads(json.dumps(shown)) == shown


@pytest.mark.parametrize(
    ("schema", "flags", "listed", "label"),
    [
        (1, 0, [f"1,{SCHANNEL}"], "legacy-pinned"),
        (1, LEGACY, [f"1,{SCHANNEL}", f"2,{DH}"], "legacy-listed"),
        (1, 0, [], "legacy-any"),
        (None, 0, [f"1,{SCHANNEL}"], "legacy-pinned"),
        (2, 0, [f"1,{DH}"], "legacy-listed"),
        (2, LEGACY, [], "legacy-any"),
        (2, 0x06060000, [], "legacy-any"),
        (3, 0, [f"1,{SOFTWARE}"], "ksp-listed"),
        (3, 0, [], "ksp-any"),
        (3, LEGACY, [], "ksp-any"),
        (4, LEGACY, [f"1,{SCHANNEL}"], "legacy-pinned"),
        (4, LEGACY, [f"1,{SCHANNEL.upper()}"], "legacy-pinned"),
        (4, LEGACY, [], "legacy-any"),
        (4, 0, [f"1,{SOFTWARE}"], "ksp-listed"),
        (4, 0x06060010, [], "ksp-any"),
        (5, 0, [], "ksp-any"),
        (5, LEGACY, [], "legacy-any"),
        (0, 0, [], "legacy-any"),
    ],
)
def test_what_decides_the_category(make_template, schema, flags, listed, label):
    state = make_template(
        {"msPKI-Template-Schema-Version": schema, "msPKI-Private-Key-Flag": flags, "pKIDefaultCSPs": listed}
    )
    assert state.label == label
    assert state.category == ("ksp" if label.startswith("ksp") else "csp")
    assert state.any_provider is (not listed)
    assert state.schema_version == (1 if schema is None else schema)


@pytest.mark.parametrize(
    ("flags", "name", "consistent", "part"),
    [
        (LEGACY, SOFTWARE, False, "which is a key storage provider"),
        (LEGACY, SOFTWARE.lower(), False, "which is a key storage provider"),
        (0, SCHANNEL, False, "which is a legacy cryptographic service provider"),
        (LEGACY, "Fabrikam HSM Key Storage Provider", False, "presumed by its name"),
        (0, "Fabrikam HSM Key Storage Provider", True, None),
        (LEGACY, "Fabrikam HSM CSP", True, None),
        (0, "Fabrikam HSM CSP", True, None),
        (0, SOFTWARE, True, None),
    ],
)
def test_a_provider_of_the_other_kind(make_template, flags, name, consistent, part):
    state = make_template({"msPKI-Private-Key-Flag": flags, "pKIDefaultCSPs": [f"1,{name}"]})
    assert state.consistent is consistent
    assert len(state.inconsistencies) == (0 if consistent else 1)
    if part:
        assert part in state.inconsistencies[0]
        assert name in state.inconsistencies[0]


@pytest.mark.parametrize(
    ("values", "providers", "notes"),
    [
        ([f"2,{DH}", f"1,{SCHANNEL}"], (SCHANNEL, DH), 0),
        ([f"10,{DH}", f"9,{SCHANNEL}"], (SCHANNEL, DH), 0),
        ([f"2, {DH}", f" 1 , {SCHANNEL} "], (SCHANNEL, DH), 0),
        (["1,Fabrikam, Inc. CSP"], ("Fabrikam, Inc. CSP",), 0),
        ([SCHANNEL, f"7,{DH}"], (DH, SCHANNEL), 1),
        ([f"x,{SCHANNEL}"], (f"x,{SCHANNEL}",), 1),
        (["1,", f"2,{DH}"], (DH,), 1),
        ([f"1,{SCHANNEL}", f"1,{DH}"], (SCHANNEL, DH), 1),
        ([f"{'9' * 5000},{DH}", f"1,{SCHANNEL}"], (SCHANNEL, f"{'9' * 5000},{DH}"), 1),
    ],
)
def test_the_order_of_providers(make_template, values, providers, notes):
    state = make_template({"pKIDefaultCSPs": values})
    assert state.providers == providers
    assert len(state.inconsistencies) == notes
    assert state.consistent


@pytest.mark.parametrize(
    ("attributes", "part"),
    [
        ({"msPKI-RA-Application-Policies": ECDH}, "MS-CRTD 2.23.1"),
        ({"msPKI-Private-Key-Flag": 0, "pKIDefaultCSPs": [], "msPKI-RA-Application-Policies": "1.2.3"}, "2.23.2"),
        ({"msPKI-RA-Application-Policies": "nonsense"}, "'nonsense'"),
        ({"msPKI-Certificate-Application-Policy": ["1.3.6.1.5.5.7.3.2"]}, "differ"),
        ({"msPKI-Template-Schema-Version": 2}, "USE_LEGACY_PROVIDER"),
        ({"msPKI-Template-Schema-Version": 3, "pKIDefaultCSPs": []}, "USE_LEGACY_PROVIDER"),
        ({"msPKI-Template-Schema-Version": 5}, "schema version 5 is not known"),
        ({"msPKI-Template-Schema-Version": -1}, "schema version -1 is not known"),
    ],
)
def test_what_contradicts_itself(make_template, attributes, part):
    state = make_template(attributes)
    assert len(state.inconsistencies) == 1
    assert part in state.inconsistencies[0]
    assert state.consistent


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"msPKI-Certificate-Application-Policy": None},
        {"pKIExtendedKeyUsage": None},
        {
            "pKIExtendedKeyUsage": ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"],
            "msPKI-Certificate-Application-Policy": ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
        },
        {"msPKI-RA-Application-Policies": "1.3.6.1.4.1.311.20.2.1"},
        {"msPKI-Private-Key-Flag": 0, "pKIDefaultCSPs": [], "msPKI-RA-Application-Policies": ECDH},
    ],
)
def test_what_does_not(make_template, attributes):
    assert make_template(attributes).inconsistencies == ()


@pytest.mark.parametrize(
    ("flags", "algorithm"),
    [(0, "ECDH_P256"), (LEGACY, "RSA")],
)
def test_left_over_properties_do_not_name_the_algorithm(make_template, flags, algorithm):
    state = make_template(
        {"msPKI-Private-Key-Flag": flags, "pKIDefaultCSPs": [], "msPKI-RA-Application-Policies": ECDH}
    )
    assert state.algorithm == algorithm


def test_a_template_as_results_show_it(make_template):
    state = make_template(
        {
            "displayName": "Contoso Web (\u00fc)",
            "msPKI-Cert-Template-OID": "1.3.6.1.4.1.311.21.8.1.2",
            "msPKI-Supersede-Templates": ["OldWeb"],
            "msPKI-RA-Application-Policies": "1.3.6.1.4.1.311.20.2.1",
            "msPKI-RA-Signature": 1,
            "msPKI-Certificate-Name-Flag": 2181038080,
        }
    )
    assert state.as_dict() == {
        "name": "ContosoWeb",
        "display_name": "Contoso Web (\u00fc)",
        "dn": state.entry.dn,
        "oid": "1.3.6.1.4.1.311.21.8.1.2",
        "schema_version": 4,
        "category": "csp",
        "providers": [SCHANNEL],
        "any_provider": False,
        "consistent": True,
        "inconsistencies": [],
        "key_spec": 1,
        "minimum_key_size": 2048,
        "key_algorithm": "RSA",
        "key_usage": ["digitalSignature", "keyEncipherment"],
        "private_key_flags": {
            "value": 101056768,
            "hex": "0x06060100",
            "names": ["USE_LEGACY_PROVIDER"],
            "minimum_ca": "Windows Server 2016",
            "minimum_client": "Windows 10 or Windows Server 2016",
        },
        "enrollment_flags": {"value": 0, "hex": "0x00000000", "names": []},
        "subject_name_flags": {
            "value": -2113929216,
            "hex": "0x82000000",
            "names": ["SUBJECT_ALT_REQUIRE_UPN", "SUBJECT_REQUIRE_DIRECTORY_PATH"],
        },
        "general_flags": {
            "value": 131649,
            "hex": "0x00020241",
            "names": ["0x00000001", "MACHINE_TYPE", "ADD_TEMPLATE_NAME", "IS_MODIFIED"],
        },
        "revision": {"major": 100, "minor": 3},
        "extended_key_usage": ["1.3.6.1.5.5.7.3.1"],
        "application_policies": ["1.3.6.1.5.5.7.3.1"],
        "issuance": {"application_policies": ["1.3.6.1.4.1.311.20.2.1"], "properties": {}},
        "signatures_required": 1,
        "supersedes": ["OldWeb"],
    }


def test_a_template_of_windows_2000_has_few_attributes(make_entry):
    state = template_of(make_entry({"flags": 66113, "revision": 4}, "WebServer"))
    assert (state.schema_version, state.label) == (1, "legacy-any")
    assert state.oid is None
    assert state.display_name is None
    assert state.minimum_key_size is None
    assert state.key_spec is None
    assert (state.major_revision, state.minor_revision) == (4, 0)
    assert state.inconsistencies == ()


@pytest.mark.parametrize(
    ("flags", "attested", "hello"),
    [
        (0x06060010, False, False),
        (0x06062400, True, False),
        (0x06061000, True, False),
        (0x06064000, True, False),
        (0x06060200, True, False),
        (0x06160000, False, True),
        (0x06260000, False, True),
    ],
)
def test_keys_of_a_tpm_or_of_hello(make_template, flags, attested, hello):
    state = make_template({"msPKI-Private-Key-Flag": flags, "pKIDefaultCSPs": []})
    assert (state.is_attested, state.is_hello) == (attested, hello)


@pytest.mark.parametrize(
    ("name_flags", "supplies"), [(1, True), (0x10000, True), (0x10001, True), (8, False), (-2113929216, False)]
)
def test_who_supplies_the_subject(make_template, name_flags, supplies):
    assert make_template({"msPKI-Certificate-Name-Flag": name_flags}).enrollee_supplies_subject is supplies


def test_who_approves(make_template):
    assert make_template({"msPKI-Enrollment-Flag": 0x22}).requires_approval
    assert not make_template({"msPKI-Enrollment-Flag": 0x20}).requires_approval


@pytest.mark.parametrize(
    ("attributes", "part"),
    [
        ({"msPKI-Private-Key-Flag": "many"}, "msPKI-Private-Key-Flag"),
        ({"msPKI-Private-Key-Flag": 1 << 32}, "msPKI-Private-Key-Flag"),
        ({"msPKI-Minimal-Key-Size": [1024, 2048]}, "msPKI-Minimal-Key-Size"),
        ({"pKIDefaultCSPs": [b"1,\xfc"]}, "pKIDefaultCSPs"),
        ({"pKIKeyUsage": [b"\xa0", b"\x80"]}, "pKIKeyUsage"),
        ({"cn": None}, "cn"),
    ],
)
def test_an_attribute_that_cannot_be_read(make_template, attributes, part):
    with pytest.raises(DirectoryError, match=part) as raised:
        make_template(attributes)
    assert "CN=ContosoWeb" in str(raised.value.place)
    assert raised.value.remedy


NAMES = (
    "flags",
    "revision",
    "msPKI-Template-Schema-Version",
    "msPKI-Private-Key-Flag",
    "pKIDefaultCSPs",
    "pKIKeyUsage",
    "msPKI-RA-Application-Policies",
    "displayName",
    "nTSecurityDescriptor",
)
VALUES = st.one_of(
    st.binary(max_size=40), st.integers(-(1 << 33), 1 << 33).map(lambda number: str(number).encode()), st.just(b"1,`")
)


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(VALUES, min_size=1, max_size=3)))
def test_any_attributes_are_read_or_refused(make_entry, attributes):
    entry = make_entry(attributes)
    try:
        state = template_of(entry)
    except DirectoryError:
        return
    assert json.loads(json.dumps(state.as_dict()))["dn"] == entry.dn
