# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certification authorities offer a template."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.change import Modification, Modify
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import DirectoryError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.publication import (
    plan_publication,
    service_of,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.wanted import TemplateError
from template_objects import MemoryDirectory, service_entry, values

ONE = service_entry("Contoso Issuing CA 1", "ca01.corp.example.test", ["Machine", "LyncWeb"])
TWO = service_entry("Contoso, Ltd. (CA) 2", "ca02.corp.example.test", ["lyncweb"])
THREE = service_entry("Contoso Issuing CA 3", "ca03.corp.example.test")
SERVICES = tuple(map(service_of, (ONE, TWO, THREE)))


def plan(publish_on, template="LyncWeb", withdraw=False, services=SERVICES):
    return plan_publication(services, template, publish_on, withdraw)


@pytest.mark.parametrize(
    "name",
    [
        "Contoso Issuing CA 3",
        "contoso issuing ca 3",
        " Contoso Issuing CA 3 ",
        "ca03.corp.example.test",
        "CA03.CORP.EXAMPLE.TEST",
        "ca03",
        "ca03.corp.example.test\\Contoso Issuing CA 3",
        "ca03\\Contoso Issuing CA 3",
    ],
)
def test_a_ca_goes_by_its_own_name_its_host_and_both(name):
    assert plan((name,)).as_dict() == {"add": ["Contoso Issuing CA 3"], "remove": []}


@pytest.mark.parametrize(
    "name",
    ["", "*", "Contoso", "ca01\\Contoso Issuing CA 3", "ca03/Contoso Issuing CA 3", "\\Contoso Issuing CA 3"],
)
def test_other_names_are_those_of_no_ca(name):
    with pytest.raises(TemplateError, match="no enterprise CA") as caught:
        plan((name,))
    assert "Contoso Issuing CA 1, Contoso, Ltd. (CA) 2, Contoso Issuing CA 3" in caught.value.remedy


def test_a_near_name_is_proposed():
    with pytest.raises(TemplateError) as caught:
        plan(("Contoso Isuing CA 3",))
    assert "Did you mean 'Contoso Issuing CA 3'?" in caught.value.remedy


def test_a_host_of_two_cas_names_neither():
    services = tuple(service_of(service_entry(name, "ca01.corp.example.test")) for name in ("Old CA", "New CA"))
    with pytest.raises(TemplateError, match="the name of 2 CAs: Old CA, New CA"):
        plan(("ca01.corp.example.test",), services=services)
    assert plan(("ca01\\New CA",), services=services).as_dict()["add"] == ["New CA"]


def test_a_ca_without_a_host_goes_by_its_name():
    service = service_of(service_entry("Contoso Issuing CA 4", None))
    assert plan(("Contoso Issuing CA 4",), services=(service,)).as_dict()["add"] == ["Contoso Issuing CA 4"]


def test_a_forest_without_cas_says_so():
    with pytest.raises(TemplateError) as caught:
        plan(("ca01",), services=())
    assert "The forest has: none." in caught.value.remedy


@pytest.mark.parametrize(
    "publish_on", [None, ("Contoso Issuing CA 1",), ("ca01\\Contoso Issuing CA 1", "ca02.corp.example.test")]
)
def test_what_is_so_already_is_left_alone(publish_on):
    assert plan(publish_on).modifies == ()


def test_one_ca_by_two_of_its_names_is_one():
    found = plan(("Contoso Issuing CA 3", "ca03.corp.example.test"))
    assert found.modifies == (Modify(THREE.dn, (Modification("certificateTemplates", (), values("LyncWeb")),)),)


def test_others_lose_the_template_as_they_spell_it():
    found = plan(("Contoso Issuing CA 3",), withdraw=True)
    assert found.as_dict() == {
        "add": ["Contoso Issuing CA 3"],
        "remove": ["Contoso Issuing CA 1", "Contoso, Ltd. (CA) 2"],
    }
    assert [row for modify in found.modifies for row in modify.modifications] == [
        Modification("certificateTemplates", (), values("LyncWeb")),
        Modification("certificateTemplates", values("LyncWeb"), ()),
        Modification("certificateTemplates", values("lyncweb"), ()),
    ]


def test_an_empty_list_withdraws_everywhere():
    assert plan((), withdraw=True).as_dict()["remove"] == ["Contoso Issuing CA 1", "Contoso, Ltd. (CA) 2"]
    assert plan(()).modifies == ()


def test_withdrawing_needs_to_know_from_whom():
    with pytest.raises(TemplateError, match="publish_on"):
        plan(None, withdraw=True)


def test_only_this_template_changes_and_a_second_plan_is_empty():
    directory = MemoryDirectory([ONE, TWO, THREE])
    directory.apply(plan(("Contoso Issuing CA 3",), withdraw=True).modifies)
    held = [service_of(directory.entries[entry.dn]) for entry in (ONE, TWO, THREE)]
    assert [service.templates for service in held] == [("Machine",), (), ("LyncWeb",)]
    assert plan(("Contoso Issuing CA 3",), withdraw=True, services=held).modifies == ()


def test_what_somebody_else_published_meanwhile_stays():
    directory = MemoryDirectory([ONE, TWO, THREE])
    changes = plan(("Contoso Issuing CA 3",), withdraw=True).modifies
    directory.modify(ONE.dn, [("certificateTemplates", (), values("WebServer"))])
    directory.apply(changes)
    assert service_of(directory.entries[ONE.dn]).templates == ("Machine", "WebServer")


@pytest.mark.parametrize("name", ['Web "1", (2)*', "Web\\Lync", "Webserver f\u00fcr M\u00fcnchen"])
def test_any_name_of_a_template_is_published_as_it_is(name):
    [modify] = plan(("Contoso Issuing CA 3",), template=name).modifies
    assert modify.modifications[0].add == (name.encode(),)


def test_a_service_that_cannot_be_read_is_an_error():
    with pytest.raises(DirectoryError, match="dNSHostName"):
        service_of(service_entry("Contoso Issuing CA 5", ["a.example.test", "b.example.test"]))
