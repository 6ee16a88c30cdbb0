# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice per certificate: a new one, the key of one that is there, or that when no new one can be had."""

from __future__ import annotations

import pytest
from crash_sweep import ISSUED, SCHANNEL
from lab.wire.faults import Fault

AV = "AudioVideoAuthentication"
STORAGE = "Microsoft Software Key Storage Provider"
DENIED = 31

SCENARIO = """
lab: {domain: contoso.example, user: Administrator, password: Lab-Pass-2026!, groups: {lync: [lync_frontends, edge]}}
cas: [{id: contoso, subject: "CN=Contoso CA", crl: "http://pki.contoso.example/ca.crl"}]
directory:
  administrators: [root]
  templates:
    - name: LyncWebServer
      private_key_flags: 0x06060110
      providers: [Microsoft RSA SChannel Cryptographic Provider]
      enroll: [Domain Users]
    - name: Restricted
      private_key_flags: 0x06060110
      providers: [Microsoft RSA SChannel Cryptographic Provider]
      enroll: [Domain Admins]
    - name: Approved
      private_key_flags: 0x06060110
      providers: [Microsoft RSA SChannel Cryptographic Provider]
      enroll: [Domain Users]
      attributes: {msPKI-Enrollment-Flag: 2}
  cas: [{name: Contoso CA, host: ca01.contoso.example, templates: [LyncWebServer, Restricted, Approved]}]
adcs: [{id: issuing, ca: contoso, name: Contoso CA, host: ca01}]
hosts:
  - {name: ca01, roles: [cas]}
  - name: fe01
    roles: [lync_frontends]
    lync: {version: 2013, pool: pool01.contoso.example, roles: [Registrar, WebServices]}
    stores:
      My:
        - {id: default, subject: CN=pool01.contoso.example, san: [pool01.contoso.example, fe01.contoso.example],
           template: {name: LyncWebServer}, friendly_name: Lync pool, key: {holder: cng, exportable: true},
           assigned: [Default, WebServicesInternal]}
        - {id: web, subject: CN=web.contoso.example, san: [web.contoso.example], template: {name: LyncWebServer},
           friendly_name: Lync web, key: {holder: KIND}, assigned: [WebServicesExternal]}
  - name: edge01
    roles: [edge]
    lync: {version: 2013, pool: edge.contoso.example, roles: [Edge]}
    stores: {My: [&av {id: av, shared: av, subject: CN=av.contoso.example, san: [av.contoso.example],
      template: {name: LyncWebServer}, friendly_name: Lync A/V, key: {holder: cng, exportable: true},
      assigned: [AudioVideoAuthentication]}]}
  - name: edge02
    roles: [edge]
    lync: {version: 2013, pool: edge.contoso.example, roles: [Edge]}
    stores: {My: [*av]}
"""

CONVERT = """
    - hosts: fe01
      gather_facts: false
      tasks:
        - ansible.builtin.import_role:
            name: winpki.keyprovider.lync_certificates
            tasks_from: convert
"""


@pytest.fixture
def lab(lab_of):
    """The key of fe01's certificate for the web services cannot be exported."""
    return lab_of(SCENARIO.replace("KIND", "cng"))


@pytest.fixture
def convert(controller):
    """Run the entry point of that name."""

    def run(lab, *arguments):
        (controller.directory / "site.yml").write_text(CONVERT, encoding="utf-8")
        return controller.run("ansible-playbook", "-i", str(lab.inventory_path), "site.yml", *arguments)

    return run


def used(lab, host, use="Default"):
    machine = lab.machine(host)
    return machine.find(dict(machine.lync.assignments)[use])


def left(machine):
    """Pending requests, and the files of our own."""
    return len(machine.store("REQUEST")[1]), [path for path in machine.files if path.lower().endswith((".pfx", ".csr"))]


def dispositions(lab):
    return [row.disposition for row in lab.authority("Contoso CA").rows]


def test_keys_are_moved_where_that_is_chosen_and_nothing_is_requested(lab, controller):
    old = used(lab, "fe01").issued.thumbprint
    only = [{"types": ["WebServicesExternal"], "repair": "request"}]
    done = controller.enforce(lab, "fe01", ca_host="ca01", repair="convert", requests=only, old="remove")
    assert done.exit_code == 0, done.output
    assert "TASK [winpki.keyprovider.lync_certificates : Move the key of a certificate that is there]" in done.output
    assert (used(lab, "fe01").issued.thumbprint, used(lab, "fe01").key.provider) == (old, SCHANNEL)
    assert used(lab, "fe01", "WebServicesExternal").key.provider == SCHANNEL
    assert dispositions(lab) == [ISSUED]
    assert [need["state"] for need in done.report()["hosts"][0]["needs"]] == ["satisfied", "satisfied"]
    kept = [container.provider for container in lab.machine("fe01").containers]
    assert kept.count(STORAGE) == 1
    again = controller.enforce(lab, "fe01", ca_host="ca01", repair="convert", requests=only, old="remove")
    assert (again.exit_code, again.changed_on("fe01")) == (0, 0), again.output


def test_the_former_key_goes_where_that_is_wanted(lab, controller):
    asked = [{"types": ["WebServicesExternal"], "repair": "request"}]
    done = controller.enforce(
        lab, "fe01", ca_host="ca01", repair="convert", requests=asked, old="remove", retire_source_key=True
    )
    assert done.exit_code == 0, done.output
    assert {container.provider for container in lab.machine("fe01").containers} == {SCHANNEL}


def test_the_entry_point_moves_what_can_be_moved_whatever_is_chosen_and_fails_for_the_rest(lab_of, convert):
    lab = lab_of(SCENARIO.replace("KIND", "tpm"))
    done = convert(lab, "-e", '{"lync_certificates_requests": [{"types": ["Default"], "repair": "request"}]}')
    assert done.exit_code == 2, done.output
    [told] = done.failures("fe01")
    assert "Its key is in the TPM" in told
    assert used(lab, "fe01").key.provider == SCHANNEL
    assert used(lab, "fe01", "WebServicesExternal").key.provider != SCHANNEL
    assert dispositions(lab) == []


def test_a_key_that_may_not_be_exported_is_left_and_the_message_says_what_to_do(lab, controller):
    done = controller.enforce(lab, "fe01", ca_host="ca01", repair="convert")
    assert done.exit_code == 2, done.output
    assert "may not be exported" in done.failures("fe01")[-1]
    assert used(lab, "fe01", "WebServicesExternal").key.provider == STORAGE
    assert left(lab.machine("fe01")) == (0, [])
    assert dispositions(lab) == []


def test_without_a_way_to_a_ca_keys_are_moved_and_what_is_left_fails(lab, controller):
    only = [{"types": ["WebServicesExternal"], "repair": "request"}]
    done = controller.enforce(lab, "fe01", repair="request_or_convert", requests=only)
    assert done.exit_code == 2, done.output
    assert used(lab, "fe01").key.provider == SCHANNEL
    assert used(lab, "fe01", "WebServicesExternal").key.provider == STORAGE
    assert "No way to a CA is given, so that the keys of" in done.output
    assert "there is no way to a CA" in done.failures("fe01")[-1]


def test_what_the_ca_denies_is_converted_and_no_request_is_left(lab, controller):
    old = used(lab, "fe01").issued.thumbprint
    asked = [{"types": ["Default", "WebServicesInternal"], "repair": "request_or_convert", "template": "Restricted"}]
    done = controller.enforce(lab, "fe01", ca_host="ca01", requests=asked)
    assert done.exit_code == 0, done.output
    assert (used(lab, "fe01").issued.thumbprint, used(lab, "fe01").key.provider) == (old, SCHANNEL)
    assert "because no certificate could be requested. Submit the request to AD CS" in done.output
    assert dispositions(lab) == [ISSUED, DENIED]
    assert left(lab.machine("fe01")) == (0, [])
    again = controller.enforce(lab, "fe01", ca_host="ca01", requests=asked)
    assert (again.exit_code, again.changed_on("fe01")) == (0, 0), again.output


def test_what_cannot_even_be_asked_for_is_converted(lab_of, controller):
    subject = """subject: 'CN=pool01.contoso.example,O=Contoso \\"Chat\\"', san"""
    lab = lab_of(SCENARIO.replace("KIND", "schannel").replace("subject: CN=pool01.contoso.example, san", subject))
    old = used(lab, "fe01").issued.thumbprint
    stopped = controller.enforce(lab, "fe01", ca_host="ca01")
    assert stopped.failures("fe01")[-1].startswith("Create the key and the request: ")
    done = controller.enforce(lab, "fe01", ca_host="ca01", repair="request_or_convert")
    assert done.exit_code == 0, done.output
    assert "because no certificate could be requested. Create the key and the request: " in done.output
    assert (used(lab, "fe01").issued.thumbprint, used(lab, "fe01").key.provider) == (old, SCHANNEL)
    assert (dispositions(lab), left(lab.machine("fe01"))) == ([], (0, []))


def test_a_ca_that_cannot_be_reached_is_reason_enough_and_no_request_is_left(lab_of, controller):
    lab = lab_of(
        SCENARIO.replace("KIND", "schannel").replace("host: ca01}]\nhosts", "host: ca01, unreachable: true}]\nhosts")
    )
    stopped = controller.enforce(lab, "fe01", ca_host="ca01")
    assert "0x800706ba" in stopped.failures("fe01")[-1]
    done = controller.enforce(lab, "fe01", ca_host="ca01", repair="request_or_convert")
    assert done.exit_code == 0, done.output
    assert used(lab, "fe01").key.provider == SCHANNEL
    assert (dispositions(lab), left(lab.machine("fe01"))) == ([], (0, []))


def test_a_denial_is_told_with_the_reason_why_no_key_was_moved(lab, controller):
    asked = [{"types": ["WebServicesExternal"], "repair": "request_or_convert", "template": "Restricted"}]
    done = controller.enforce(lab, "fe01", ca_host="ca01", requests=asked)
    assert done.exit_code == 2, done.output
    told = done.failures("fe01")[-1]
    assert "0x80094012" in told
    assert "was not moved instead: " in told
    assert "may not be exported" in told


def test_what_waits_for_a_manager_is_not_converted(lab, controller):
    asked = [{"types": ["Default", "WebServicesInternal"], "repair": "request_or_convert", "template": "Approved"}]
    done = controller.enforce(lab, "fe01", ca_host="ca01", requests=asked)
    assert done.exit_code == 0, done.output
    assert used(lab, "fe01").key.provider == STORAGE
    assert len(lab.machine("fe01").store("REQUEST")[1]) == 1


def test_what_may_have_reached_the_ca_is_not_converted(lab, controller):
    lab.server.script_fault("ca01", Fault("cut_after", at=2, times=100000))
    done = controller.enforce(lab, "fe01", ca_host="ca01", repair="request_or_convert")
    assert done.exit_code == 2, done.output
    assert done.failures("fe01")[-1].startswith("Stop where one may have been requested: Submit the request to AD CS")
    assert used(lab, "fe01").key.provider == STORAGE


def test_check_mode_tells_both_and_does_neither(lab, controller):
    done = controller.enforce(lab, "fe01", "--check", "--diff", ca_host="ca01", repair="request_or_convert")
    assert done.exit_code == 0, done.output
    assert f"the key of {used(lab, 'fe01').issued.thumbprint} is moved there instead." in done.output
    assert used(lab, "fe01").key.provider == STORAGE
    assert dispositions(lab) == []


def test_check_mode_of_a_conversion_asks_the_key_and_changes_nothing(lab, controller):
    only = [{"types": ["WebServicesExternal"], "repair": "request"}]
    done = controller.enforce(lab, "fe01", "--check", ca_host="ca01", repair="convert", requests=only)
    assert done.exit_code == 0, done.output
    assert done.changed_on("fe01") == 2  # the key, and the request of the other
    refused = controller.enforce(lab, "fe01", "--check", ca_host="ca01", repair="convert")
    assert "may not be exported" in refused.failures("fe01")[-1]
    assert used(lab, "fe01").key.provider == STORAGE


@pytest.mark.parametrize("serial", [1, 2])
def test_each_server_of_a_pool_moves_the_key_of_its_own_copy(lab, controller, serial):
    old = used(lab, "edge01", AV).issued.thumbprint
    done = controller.enforce(lab, "edge", repair="convert", serial=serial, old="remove")
    assert done.exit_code == 0, done.output
    for name in ("edge01", "edge02"):
        assert (used(lab, name, AV).issued.thumbprint, used(lab, name, AV).key.provider) == (old, SCHANNEL)
    again = controller.enforce(lab, "edge", repair="convert", serial=serial, old="remove")
    assert (again.exit_code, again.changed_on("edge01"), again.changed_on("edge02")) == (0, 0, 0), again.output


def test_a_server_of_a_pool_without_the_certificate_takes_it_over_once_the_key_is_moved(lab, controller):
    machine = lab.machine("edge02")
    own = dict(machine.lync.assignments)[AV]
    machine.stores["MY"][:] = []
    machine.lync.assignments = ()
    asked = [{"types": [AV], "subject": "CN=av.contoso.example", "subject_alt_names": ["av.contoso.example"]}]
    done = controller.enforce(lab, "edge", repair="convert", requests=asked)
    assert done.exit_code == 0, done.output
    assert (used(lab, "edge02", AV).issued.thumbprint, used(lab, "edge02", AV).key.provider) == (own, SCHANNEL)
