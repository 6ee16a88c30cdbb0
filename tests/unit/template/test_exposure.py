# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which templates let anyone have a certificate in any name."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.exposure import exposures

ENROLL = "0e10c968-78fb-11d2-90d4-00c04f79dc55"
AUTO_ENROLL = "a05b8cc2-17bc-4802-a710-e7c15ab866a2"
DOMAIN = "S-1-5-21-1-2-3"
USERS = f"{DOMAIN}-513"
SERVERS = f"{DOMAIN}-1104"

SERVER = "1.3.6.1.5.5.7.3.1"
CLIENT = "1.3.6.1.5.5.7.3.2"
LOGON = "1.3.6.1.4.1.311.20.2.2"
PKINIT = "1.3.6.1.5.2.3.4"
ANY = "2.5.29.37.0"


@pytest.fixture
def make_exposed(make_template, make_descriptor, make_ace):
    """An ESC1 template, open to Domain Users, with some attributes given anew."""

    def make_exposed(attributes=None, sids=(USERS,)):
        return make_template(
            {
                "pKIExtendedKeyUsage": [CLIENT],
                "msPKI-Certificate-Application-Policy": [CLIENT],
                "nTSecurityDescriptor": make_descriptor([make_ace(sid, 0x100, ENROLL) for sid in sids]),
                **(attributes or {}),
            }
        )

    return make_exposed


def test_all_conditions_together(make_exposed):
    (found,) = exposures(make_exposed(sids=(SERVERS, USERS, "S-1-5-11")))
    assert found.certain
    shown = found.as_dict()
    assert set(shown) == {"name", "certain", "principals", "reason", "remedy", "source"}
    assert shown["name"] == "ESC1"
    assert shown["principals"] == [
        {"sid": USERS, "name": "Domain Users"},
        {"sid": "S-1-5-11", "name": "Authenticated Users"},
    ]
    assert shown["reason"].startswith("Domain Users, Authenticated Users can have a certificate")
    assert "Certified Pre-Owned" in shown["source"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"msPKI-Certificate-Name-Flag": 0x02000000},
        {"msPKI-Certificate-Name-Flag": 0x8},
        {"msPKI-Enrollment-Flag": 0x2},
        {"msPKI-RA-Signature": 1},
        {"pKIExtendedKeyUsage": [SERVER], "msPKI-Certificate-Application-Policy": [SERVER]},
    ],
)
def test_one_condition_less(make_exposed, attributes):
    assert exposures(make_exposed(attributes)) == ()


@pytest.mark.parametrize("sids", [(), (SERVERS,), (f"{DOMAIN}-512", "S-1-5-9", "S-1-5-32-544")])
def test_other_groups_are_no_exposure(make_exposed, sids):
    assert exposures(make_exposed(sids=sids)) == ()


@pytest.mark.parametrize(
    ("usages", "policies"),
    [
        ([CLIENT], [CLIENT]),
        ([SERVER, LOGON], None),
        ([SERVER], [PKINIT]),
        ([ANY], [ANY]),
        (None, [CLIENT]),
        (None, None),
    ],
)
def test_what_serves_for_logon(make_exposed, usages, policies):
    (found,) = exposures(
        make_exposed({"pKIExtendedKeyUsage": usages, "msPKI-Certificate-Application-Policy": policies})
    )
    assert found.certain


def test_a_policy_other_than_logon_is_not_any_usage(make_exposed):
    attributes = {"pKIExtendedKeyUsage": None, "msPKI-Certificate-Application-Policy": [SERVER]}
    assert exposures(make_exposed(attributes)) == ()


def test_the_security_extension_makes_no_difference(make_exposed):
    assert exposures(make_exposed({"msPKI-Enrollment-Flag": 0x80000})) == exposures(make_exposed())


@pytest.mark.parametrize("descriptor", [None, b"", b"\x01\x00\x04\x80 and no more of it"])
def test_without_readable_permissions_it_is_not_certain(make_exposed, descriptor):
    (found,) = exposures(make_exposed({"nTSecurityDescriptor": descriptor}))
    assert not found.certain
    assert found.principals == ()
    assert "who may enrol is not known" in found.reason
    assert "may read their permissions" in found.remedy


def test_alternative_names_alone_are_for_the_ca_to_ignore(make_exposed):
    (found,) = exposures(make_exposed({"msPKI-Certificate-Name-Flag": 0x10000}))
    assert not found.certain
    assert "ENROLLEE_SUPPLIES_SUBJECT_ALT_NAME" in found.reason
    assert found.principals == ((USERS, "Domain Users"),)


@pytest.mark.parametrize(
    ("guard", "certain"), [({}, True), ({"msPKI-Enrollment-Flag": 2}, False), ({"msPKI-RA-Signature": 1}, False)]
)
def test_in_schema_version_1_approval_is_not_specified_to_bind(make_exposed, guard, certain):
    (found,) = exposures(make_exposed({"msPKI-Template-Schema-Version": 1, "msPKI-Private-Key-Flag": 0, **guard}))
    assert found.certain is certain
    assert "schema version 1 allow no other change" in found.remedy
    assert ("not specified to bind" in found.reason) is (not certain)


def test_autoenroll_and_write_are_not_enroll(make_template, make_descriptor, make_ace):
    aces = [make_ace(USERS, 0x100, AUTO_ENROLL), make_ace(USERS, 0x40020)]
    attributes = {"pKIExtendedKeyUsage": [CLIENT], "nTSecurityDescriptor": make_descriptor(aces)}
    assert exposures(make_template(attributes)) == ()
