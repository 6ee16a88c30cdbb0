# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new template that supersedes one for key storage providers."""

from __future__ import annotations

import re

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import DirectoryError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.ldif import parse, write_changes
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.naming import canonical
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.duplicate import new_name_of, plan_duplicate
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.forest import forest_of
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.state import template_of
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.wanted import TemplateError, Wanted
from template_objects import (
    CONFIGURATION,
    RSA_PROPERTIES,
    SCHANNEL,
    SERVICES,
    oid_container,
    template_entry,
    values,
)

OWN = "1.3.6.1.4.1.311.21.8.11.12.13.14.15.16"
"""The arc of the forest."""


def old(name="WebServer2008", **attributes):
    return template_entry(
        name, **{"msPKI_Template_Schema_Version": 3, "msPKI_Private_Key_Flag": 0x02020000, **attributes}
    )


def forest(*entries, container=True):
    return forest_of([*([oid_container()] if container else []), *entries], CONFIGURATION, "dc01.corp.example.test")


def duplicate(entry, *others, **wanted):
    return plan_duplicate(forest(entry, *others), template_of(entry), Wanted(schema_3="supersede", **wanted))


def written(add):
    return dict(add.attributes)


@pytest.mark.parametrize(
    "name",
    [
        'Web "Lync" Server',
        "Web, Lync",
        "Web (Lync)",
        "Web*",
        "Web\\Lync",
        "Web+Lync;<a>=#b",
        "#Web",
        "Web/Lync",
        "Webserver f\u00fcr M\u00fcnchen",
        "\u8a3c\u660e\u66f8",
        "x" * 64,
        "1",
        "CN=Web,CN=Other",
    ],
)
def test_a_new_name_may_hold_any_character(name):
    made = duplicate(old(), new_name=name)
    dn = made.adds[-1].dn
    assert canonical(dn) == (f"cn={name}".casefold(), *canonical(f"CN=Certificate Templates,{SERVICES}"))
    assert made.state.name == name
    for encoding in ("utf-16", "ascii"):
        entries = parse(write_changes(made.adds, encoding=encoding), origin="changes")
        assert [entry.dn for entry in entries] == [add.dn for add in made.adds]
        assert entries[-1].text("cn") == name
        assert entries[-1].attributes == written(made.adds[-1])


@pytest.mark.parametrize(
    "name", ["x" * 65, "WEBSERVER2008", "a\nb", "a\x00b", "\x7f", " ", "lone \ud800 surrogate", "a\x85b"]
)
def test_a_new_name_that_cannot_be_is_refused(name):
    with pytest.raises(TemplateError, match="cannot be the name") as caught:
        duplicate(old(), new_name=name)
    assert caught.value.place == "option 'new_name'"


@pytest.mark.parametrize("title", ["a\nb", "lone \ud800 surrogate", "x" * 257])
def test_a_new_display_name_that_cannot_be_is_refused(title):
    with pytest.raises(TemplateError, match="display name") as caught:
        duplicate(old(), new_display_name=title)
    assert caught.value.place == "option 'new_display_name'"


def test_the_default_name_must_fit_too():
    with pytest.raises(TemplateError, match="cannot be the name") as caught:
        new_name_of(template_of(old("x" * 60)), Wanted())
    assert caught.value.place == "option 'new_name'"


def test_names_that_are_not_given_follow_those_of_the_source():
    made = duplicate(old())
    assert (made.state.name, made.state.display_name) == (
        "WebServer2008LegacyCSP",
        "WebServer2008 (display) (legacy CSP)",
    )
    assert duplicate(old(displayName=None)).state.display_name == "WebServer2008 (legacy CSP)"


def test_the_new_template_is_written_as_the_console_writes_one():
    made = duplicate(old(flags=0x10240, msPKI_RA_Application_Policies=RSA_PROPERTIES), new_name="WebServerLync")
    attributes = written(made.adds[-1])
    assert attributes["objectClass"] == values(["top", "pKICertificateTemplate"])
    assert attributes["flags"] == values(0x20240)
    assert attributes["revision"] == values(100)
    assert attributes["msPKI-Template-Minor-Revision"] == values(2)
    assert attributes["msPKI-Template-Schema-Version"] == values(2)
    assert attributes["msPKI-Supersede-Templates"] == values("WebServer2008")
    assert attributes["pKIDefaultCSPs"] == values(f"1,{SCHANNEL}")
    assert "msPKI-RA-Application-Policies" not in attributes


def test_the_identifier_is_registered_as_that_of_a_template():
    registration, template = duplicate(old()).adds
    attributes = written(registration)
    oid = written(template)["msPKI-Cert-Template-OID"]
    assert attributes["msPKI-Cert-Template-OID"] == oid
    assert attributes["flags"] == values(1)
    assert attributes["displayName"] == written(template)["displayName"]
    name = registration.dn.removesuffix(f",CN=OID,{SERVICES}")
    last = oid[0].decode().rpartition(".")[2]
    assert re.fullmatch(rf"CN={last}\.[0-9A-F]{{32}}", name)


def test_identifiers_differ_by_name_and_forest_and_not_by_run():
    first, again, other = (
        duplicate(old(), new_name=name).state.oid for name in ("WebServerLync", "webserverlync", "WebServerLync2")
    )
    assert first == again != other
    assert first.startswith(f"{OWN}.")


def test_the_identifier_of_another_template_is_not_taken():
    taken = duplicate(old()).state.oid
    thief = template_entry("Thief", msPKI_Cert_Template_OID=taken)
    made = duplicate(old(), thief)
    assert made.state.oid != taken
    assert made.state.oid.startswith(f"{OWN}.")
    assert len(made.adds) == 2


def test_a_registration_that_a_run_left_behind_is_taken_up():
    entry = old()
    registration = duplicate(entry).adds[0]
    left = parse(write_changes([registration], encoding="ascii"), origin="changes")
    again = duplicate(entry, *left)
    assert [add.dn for add in again.adds] == [duplicate(entry).adds[1].dn]
    assert again.state.oid == duplicate(entry).state.oid


def test_without_an_arc_of_the_forest_nothing_is_made():
    entry = old()
    with pytest.raises(TemplateError, match="no object identifier of its own") as caught:
        plan_duplicate(forest(entry, container=False), template_of(entry), Wanted())
    assert caught.value.place == f"CN=OID,{SERVICES}"


@pytest.mark.parametrize("descriptor", [None, b"damaged", b"\x01\x00\x04\x80" + bytes(16)])
def test_permissions_that_cannot_be_read_or_let_everybody_in_are_not_copied_blindly(descriptor):
    entry = old(nTSecurityDescriptor=descriptor)
    if descriptor and len(descriptor) == 20:  # without a list everybody may do everything; that is what is copied
        assert duplicate(entry).state.entry.values("nTSecurityDescriptor") != ()
        return
    with pytest.raises((TemplateError, DirectoryError)):
        duplicate(entry)


@pytest.mark.parametrize("bit", [0x200, 0x400, 0x800, 0x1000, 0x2000, 0x4000, 0x100000, 0x200000])
def test_keys_in_a_tpm_or_of_hello_are_refused(bit):
    with pytest.raises(TemplateError, match="TPM or of Windows Hello"):
        duplicate(old(msPKI_Private_Key_Flag=0x02020000 | bit))


@pytest.mark.parametrize(
    ("version", "flags", "expected"),
    [
        (2, 0x02020040, 0x02020000),
        (4, 0x02020050, 0x04040110),
        (4, 0x06060000, 0x06060100),
        (4, 0x00000000, 0x04040100),
        (4, 0x86060000, 0x86060100 - (1 << 32)),
        (4, -1 & ~0x307E00, 0xFFCF81BF - (1 << 32)),
    ],
)
def test_the_flags_are_those_of_the_new_schema(version, flags, expected):
    made = duplicate(old(msPKI_Private_Key_Flag=flags), new_schema_version=version)
    assert written(made.adds[-1])["msPKI-Private-Key-Flag"] == values(expected)


@pytest.mark.parametrize(
    ("usage", "policies"), [(["1.2.3", "1.2.4"], None), (None, ["1.2.3", "1.2.4"]), (["1.2.3"], ["1.2.3"])]
)
def test_both_attributes_of_the_purposes_are_in_step(usage, policies):
    made = duplicate(old(pKIExtendedKeyUsage=usage, msPKI_Certificate_Application_Policy=policies))
    attributes = written(made.adds[-1])
    assert attributes["pKIExtendedKeyUsage"] == attributes["msPKI-Certificate-Application-Policy"]
    assert attributes["pKIExtendedKeyUsage"] == values(usage or policies)


def test_no_purpose_stays_no_purpose():
    made = duplicate(old(pKIExtendedKeyUsage=None, msPKI_Certificate_Application_Policy=None))
    assert made.state.purposes == ()


def test_what_a_signature_must_carry_is_taken_over_whole():
    text = RSA_PROPERTIES + "msPKI-RA-Application-Policies`PZPWSTR`1.3.6.1.4.1.311.20.2.1,1.2.3`"
    made = duplicate(old(msPKI_RA_Application_Policies=text, msPKI_RA_Signature=1, msPKI_RA_Policies="1.2.3.4"))
    attributes = written(made.adds[-1])
    assert attributes["msPKI-RA-Application-Policies"] == values(["1.3.6.1.4.1.311.20.2.1", "1.2.3"])
    assert attributes["msPKI-RA-Policies"] == values("1.2.3.4")
    assert attributes["msPKI-RA-Signature"] == values(1)


@pytest.mark.parametrize(
    "policy", ["agents", "1.3.6.1.4.1.311.20.2.1,agents", "1.3.6.1.4.1.311.20.2.1;1.2.3", "1.2.3`left"]
)
def test_what_a_signature_must_carry_is_not_guessed(policy):
    text = RSA_PROPERTIES + f"msPKI-RA-Application-Policies`PZPWSTR`{policy}`"
    with pytest.raises(TemplateError, match="cannot be read for certain"):
        duplicate(old(msPKI_RA_Application_Policies=text, msPKI_RA_Signature=1))
    assert duplicate(old(msPKI_RA_Application_Policies=text)).state.category == "csp"


def test_an_object_of_the_new_name_that_cannot_be_read_is_told_before_anything_is_made():
    hidden = template_entry("Web, Lync", msPKI_Private_Key_Flag="many")
    with pytest.raises(TemplateError, match="msPKI-Private-Key-Flag"):
        duplicate(old(), hidden, new_name="web, lync")
