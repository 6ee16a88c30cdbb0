# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All templates of a forest: put together, and found by their names."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.entry import Entry
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.forest import forest_of
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.wanted import TemplateError
from template_objects import CONFIGURATION, SERVICES, oid_container, service_entry, template_entry, values

SERVER = "dc01.corp.example.test"
STRANGE = 'Web "Lync", (1)* + \\ f\u00fcr M\u00fcnchen'


def forest(*entries):
    return forest_of(entries, CONFIGURATION, SERVER)


def registration(oid, name="1.0123456789ABCDEF0123456789ABCDEF"):
    attributes = {
        "objectClass": values(["top", "msPKI-Enterprise-Oid"]),
        "cn": values(name),
        "msPKI-Cert-Template-OID": values(oid),
    }
    return Entry(f"CN={name},CN=OID,{SERVICES}", attributes)


def test_objects_are_told_apart_by_class_and_sorted_by_name():
    found = forest(
        template_entry("beta"),
        oid_container(),
        registration("1.2.3"),
        service_entry("CA 2", "ca02.corp.example.test", ["BETA"]),
        template_entry("Alpha"),
        service_entry("CA 1", "ca01.corp.example.test", ["Alpha", "beta"]),
    )
    assert [state.name for state in found.templates] == ["Alpha", "beta"]
    assert [service.name for service in found.services] == ["CA 1", "CA 2"]
    assert list(found.oids) == ["1.2.3"]
    assert found.oid_root == "1.3.6.1.4.1.311.21.8.11.12.13.14.15.16"
    assert found.published_on("Beta") == ("CA 1", "CA 2")
    assert found.problems == ()


def test_the_class_of_an_object_is_read_in_any_case():
    entry = template_entry("Alpha", objectClass=["top", "PKICERTIFICATETEMPLATE"])
    assert [state.name for state in forest(entry).templates] == ["Alpha"]


def test_containers_and_other_objects_are_passed_over():
    container = Entry(
        f"CN=Certificate Templates,{SERVICES}", {"objectClass": values(["top", "container"]), "cn": values("x")}
    )
    found = forest(container, Entry(SERVICES, {}))
    assert (found.templates, found.services, found.oid_root, found.problems) == ((), (), None, ())


def test_an_arc_is_that_of_the_container_alone():
    other = registration("1.9.9", "OID")  # an object within the container that has the container's name
    assert forest(other).oid_root is None
    assert list(forest(other).oids) == ["1.9.9"]


@pytest.mark.parametrize(
    "broken",
    [
        template_entry("Broken", msPKI_Private_Key_Flag="many"),
        template_entry("Broken", msPKI_Private_Key_Flag=[1, 2]),
        template_entry("Broken", pKIDefaultCSPs=b"1,\xff\xfe"),
        template_entry("Broken", cn=None),
        template_entry("Broken", pKIKeyUsage=[b"\xa0", b"\x80"]),
        template_entry("Broken", msPKI_RA_Application_Policies=b"\xff"),
        template_entry("Broken", revision=1 << 40),
        service_entry("Broken", b"\xff"),
        registration(["1.2", "1.3"]),
    ],
)
def test_an_object_that_cannot_be_read_hides_no_other(broken):
    found = forest(broken, template_entry("Alpha"), service_entry("CA 1", "ca01.corp.example.test", ["Alpha"]))
    assert [state.name for state in found.templates] == ["Alpha"]
    assert found.published_on("Alpha") == ("CA 1",)
    [problem] = found.problems
    assert problem.place == broken.dn
    assert problem.origin == SERVER


def test_a_damaged_descriptor_makes_no_template_unreadable():
    found = forest(template_entry("Alpha", nTSecurityDescriptor=b"damaged"))
    assert found.shown(found.find("Alpha"))["exposures"] == []


@pytest.mark.parametrize("wanted", [STRANGE, STRANGE.upper(), f" {STRANGE} ", "1.2.3.4", "Display: \u00c4 (1)"])
def test_a_template_is_found_by_name_identifier_and_display_name(wanted):
    entry = template_entry(STRANGE, msPKI_Cert_Template_OID="1.2.3.4", displayName="Display: \u00e4 (1)")
    assert forest(entry, template_entry("Alpha")).find(wanted).name == STRANGE


def test_a_name_goes_before_an_identifier_and_this_before_a_display_name():
    named = template_entry("1.2.3.4")
    identified = template_entry("Alpha", msPKI_Cert_Template_OID="1.2.3.4")
    titled = template_entry("Beta", displayName="1.2.3.4")
    assert forest(titled, identified, named).find("1.2.3.4").name == "1.2.3.4"
    assert forest(titled, identified).find("1.2.3.4").name == "Alpha"
    assert forest(titled).find("1.2.3.4").name == "Beta"


def test_two_templates_of_one_display_name_are_named():
    found = forest(template_entry("Alpha", displayName="Web"), template_entry("Beta", displayName="WEB"))
    with pytest.raises(TemplateError, match="2 templates have the display name 'web'") as caught:
        found.find("web")
    assert "Alpha, Beta" in caught.value.remedy


def test_two_templates_of_one_identifier_are_named():
    found = forest(*(template_entry(name, msPKI_Cert_Template_OID="1.2.3") for name in ("Alpha", "Beta")))
    with pytest.raises(TemplateError, match=r"2 templates have the OID '1\.2\.3'") as caught:
        found.find("1.2.3")
    assert "Alpha, Beta" in caught.value.remedy


@pytest.mark.parametrize("name", ["Broken", STRANGE, "#Broken", "Broken,CN=Alpha"])
def test_a_template_that_cannot_be_read_is_not_called_absent(name):
    found = forest(template_entry(name, msPKI_Private_Key_Flag="many"), template_entry("Alpha"))
    with pytest.raises(TemplateError, match="msPKI-Private-Key-Flag") as caught:
        found.find(name.upper())
    assert caught.value.place == found.problems[0].place
    assert found.find("Alpha").name == "Alpha"


def test_the_problem_of_another_object_is_not_told_for_a_template():
    found = forest(service_entry("Broken", b"\xff"))
    with pytest.raises(TemplateError, match="no template 'Broken'"):
        found.find("Broken")


@pytest.mark.parametrize(
    ("names", "wanted", "part"),
    [
        (["LyncWebServer", "Machine"], "LyncWebSever", "Near it: LyncWebServer."),
        (["LyncWebServer"], "lyncwebserver (disply)", "Near it: LyncWebServer."),
        (["Alpha", "Beta"], "*", "The forest has: Alpha, Beta."),
        ([f"T{number:02}" for number in range(20)], "zzz", "and 8 more."),
        ([], "Alpha", "The forest has no templates."),
    ],
)
def test_an_unknown_name_is_answered_with_near_ones(names, wanted, part):
    with pytest.raises(TemplateError, match="has no template") as caught:
        forest(*map(template_entry, names)).find(wanted)
    assert part in caught.value.remedy


@pytest.mark.parametrize("wanted", ["", " ", "*", "(cn=*)", "CN=Alpha", "Alpha,Beta"])
def test_no_pattern_finds_anything(wanted):
    with pytest.raises(TemplateError, match="has no template"):
        forest(template_entry("Alpha", displayName=None), template_entry("Beta")).find(wanted)
