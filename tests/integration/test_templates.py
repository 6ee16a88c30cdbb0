# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates read and changed by ldifde.exe over WinRM, against the lab's embedded directory."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from lab.directory.model import Caller
from lab.directory.population import DirectoryPlan, many_templates, populate
from lab.host import files
from lab.runtime import Lab
from lab.tools import Call, find_tool

SCENARIO = Path(__file__).parents[1] / "lab/scenarios/templates.yml"
SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
ODD_NAME = 'Büro "West", Web (neu) *\\ 1'
SOMEBODY = Caller("editor", "Editor-Pass-2026!")


@pytest.fixture
def lab():
    with Lab.from_scenario(SCENARIO) as running:
        yield running


@pytest.fixture(scope="module")
def shared():
    """For tests that only read."""
    with Lab.from_scenario(SCENARIO) as running:
        yield running


@pytest.fixture
def run(controller):
    """Run a module ad hoc on a host of a lab; returns the command and the result."""

    def runner(lab, name, arguments, *options, host="dc01"):
        return controller.module(name, host, arguments, "-i", str(lab.inventory_path), *options)

    return runner


def stored(lab, name):
    """The attributes of a template as the directory holds them."""
    base = f"CN=Certificate Templates,CN=Public Key Services,CN=Services,{lab.directory.configuration}"
    found = lab.directory.search(lab.directory.administrator, base, "one", "(objectClass=pKICertificateTemplate)", None)
    return next((one for one in found if one.attributes["cn"] == [name.encode()]), None)


def as_user(name, password):
    return ["-e", f"ansible_user={name}", "-e", f"ansible_password={password}"]


def left_on(lab, host="dc01"):
    return [path for path in lab.machine(host).files if "keyprovider" in path.lower()]


def test_all_templates_are_read_and_judged(run, shared):
    done, result = run(shared, "template_info", {})
    assert done.exit_code == 0
    found = {template["name"]: template for template in result["templates"]}
    assert len(found) == 12
    statuses = {name: template["verdict"]["status"] for name, template in found.items()}
    assert statuses["LyncPinned"] == "suitable"
    assert statuses["LyncListed"] == "warning"
    assert {statuses[name] for name in ("LyncWebServer", "WebServer2008", "EdgeECDH", "Contradictory")} == {
        "unsuitable"
    }
    assert found["LyncWebServer"]["published_on"] == ["Contoso Issuing CA 1", "Contoso Issuing CA 2"]
    assert found["LyncPinned"]["published_on"] == []
    assert [one["name"] for one in found["OpenClient"]["exposures"]] == ["ESC1"]
    assert found["EdgeECDH"]["key_algorithm"] == "ECDH_P256"
    assert not found["Contradictory"]["consistent"]
    assert result["summary"]["total"] == 12
    assert result["directory"]["server"] == "dc01.corp.example.test"


def test_eighty_templates_take_five_requests(run, lab):
    populate(lab.directory, DirectoryPlan("corp.example.test", templates=many_templates(80)))
    lab.reset_counters()
    result = run(lab, "template_info", {})[1]
    assert len(result["templates"]) == 80
    assert lab.counters("dc01")["requests"] == 5
    assert lab.counters("dc01")["commands"] == 1


def test_a_change_is_one_export_one_import_and_one_read_back(run, lab):
    lab.reset_counters()
    result = run(lab, "template", {"name": "LyncWebServer"})[1]
    assert result["changed"]
    assert lab.counters("dc01")["commands"] == 3
    assert stored(lab, "LyncWebServer").attributes["pKIDefaultCSPs"] == [f"1,{SCHANNEL}".encode()]
    assert stored(lab, "LyncWebServer").attributes["msPKI-Private-Key-Flag"] == [b"%d" % 0x06060110]
    assert left_on(lab) == []


def test_a_second_run_changes_nothing_and_reads_once(run, lab):
    run(lab, "template", {"name": "LyncWebServer"})
    lab.reset_counters()
    done, result = run(lab, "template", {"name": "LyncWebServer"})
    assert not result["changed"]
    assert lab.counters("dc01")["commands"] == 1
    assert len(list((done.directory / "template_backups").iterdir())) == 2


def test_check_mode_changes_nothing_and_tells_all(run, lab):
    before = stored(lab, "EdgeECDH").attributes
    done, result = run(lab, "template", {"name": "EdgeECDH"}, "--check")
    assert result["changed"]
    assert stored(lab, "EdgeECDH").attributes == before
    assert not (done.directory / "template_backups").exists()
    assert result["after"]["minimum_key_size"] == 2048
    assert result["after"]["key_usage"] == ["digitalSignature", "keyEncipherment"]


def test_the_diff_shows_attributes_with_their_flags_by_name(controller, shared):
    arguments = ("-i", str(shared.inventory_path), "-m", "winpki.keyprovider.template", "-a", "name=EdgeECDH")
    done = controller.run("ansible", "dc01", *arguments, "--check", "--diff")
    assert re.search(r"^--- before: CN=EdgeECDH,", done.stdout, re.M), done.stdout
    [old] = re.findall(r"^-(msPKI-Private-Key-Flag: 101056512 .*)", done.stdout, re.M)
    [new] = re.findall(r"^\+(msPKI-Private-Key-Flag: 101056768 .*)", done.stdout, re.M)
    assert "USE_LEGACY_PROVIDER" in new
    assert "USE_LEGACY_PROVIDER" not in old
    assert re.search(r"^-pKIKeyUsage: 88 \(digitalSignature, keyAgreement\)", done.stdout, re.M)


def test_the_restore_file_puts_a_template_back(run, lab):
    before = stored(lab, "EdgeECDH").attributes
    result = run(lab, "template", {"name": "EdgeECDH", "publish_on": ["Contoso Issuing CA 2"]})[1]
    assert stored(lab, "EdgeECDH").attributes != before
    machine = lab.machine("dc01")
    files.write(machine, "C:\\Windows\\Temp\\restore.ldf", Path(result["backup"]["restore_path"]).read_bytes())
    arguments = ["-i", "-f", "C:\\Windows\\Temp\\restore.ldf", "-j", "C:\\Windows\\Temp"]
    ldifde = find_tool("ldifde", machine)
    assert ldifde(Call(machine, arguments, "Administrator")).exit_code == 0
    after = stored(lab, "EdgeECDH").attributes
    assert after.pop("msPKI-Template-Minor-Revision") != before.pop("msPKI-Template-Minor-Revision")
    ignored = {"whenChanged", "uSNChanged"}
    assert {name: value for name, value in after.items() if name not in ignored} == {
        name: value for name, value in before.items() if name not in ignored
    }


def test_somebody_elses_change_is_told_and_kept(run, lab):
    dn = stored(lab, "LyncWebServer").dn
    theirs = [("replace", "msPKI-Template-Minor-Revision", [b"9"]), ("replace", "msPKI-RA-Signature", [b"1"])]
    lab.directory.before_change = lambda: lab.directory.modify(lab.directory.administrator, dn, theirs)
    done, result = run(lab, "template", {"name": "LyncWebServer"})
    assert done.exit_code != 0
    assert "msPKI-Template-Minor-Revision is 9 now, it was 4." in result["msg"]
    assert "Nothing was changed." in result["msg"]
    assert stored(lab, "LyncWebServer").attributes["msPKI-RA-Signature"] == [b"1"]
    assert left_on(lab) == []


def test_a_template_deleted_meanwhile_is_an_error(run, lab):
    dn = stored(lab, "LyncWebServer").dn
    lab.directory.before_change = lambda: lab.directory.delete(lab.directory.administrator, dn)
    done, result = run(lab, "template", {"name": "LyncWebServer"})
    assert done.exit_code == 2
    assert "noSuchObject, 32" in result["msg"]


def test_an_account_without_the_right_is_told_so(run, lab):
    before = stored(lab, "LyncWebServer").attributes
    result = run(lab, "template", {"name": "LyncWebServer"}, *as_user("reader", "Reader-Pass-2026!"))[1]
    assert "insufficientAccessRights, 50" in result["msg"]
    assert "Nothing was changed." in result["msg"]
    assert stored(lab, "LyncWebServer").attributes == before


def test_a_reader_sees_everything_but_permissions(run, shared):
    result = run(shared, "template_info", {"names": ["OpenClient"]}, *as_user("reader", "Reader-Pass-2026!"))[1]
    [exposure] = result["templates"][0]["exposures"]
    assert not exposure["certain"]


def test_a_member_with_the_tools_works_when_it_can_go_on(run, shared):
    assert run(shared, "template_info", {}, host="admin01")[1]["summary"]["total"] == 12


def test_the_double_hop_is_explained_where_it_bites(run, shared):
    result = run(shared, "template_info", {}, "-e", "ansible_winrm_transport=ntlm", host="admin01")[1]
    assert "admin01 is not the domain controller" in result["msg"]
    assert "double hop" in result["msg"]
    assert "ldap_server" in result["msg"]


def test_a_host_without_the_tools_is_told_so(run, shared):
    done, result = run(shared, "template_info", {}, host="fe01")
    assert done.exit_code == 2
    assert "ldap_server" in result["msg"]


def test_a_name_with_every_special_character_is_one_name(run, lab):
    others = {name: stored(lab, name).attributes for name in ("LyncWebServer", "WebServer2008")}
    result = run(lab, "template", {"name": ODD_NAME, "publish_on": ["Contoso Issuing CA 2"]})[1]
    assert result["changed"]
    assert result["after"]["name"] == ODD_NAME
    assert result["after"]["published_on"] == ["Contoso Issuing CA 1", "Contoso Issuing CA 2"]
    assert result["after"]["supersedes"] == ["IntranetWeb", "WebServer2008"]
    assert {name: stored(lab, name).attributes for name in others} == others


@pytest.mark.parametrize("name", ["*", "LyncWebServer)(cn=*", 'x"; calc; "', "$(calc)", "a'b`c"])
def test_a_name_injects_nothing(run, shared, name):
    result = run(shared, "template", {"name": name})[1]
    assert "The forest has no template" in result["msg"]
    assert stored(shared, "LyncWebServer").attributes["msPKI-Template-Minor-Revision"] == [b"4"]


@pytest.mark.parametrize("new_name", ["WebServerLync", 'Lync "Web", (2026) \\ * Ü'])
def test_schema_3_is_superseded_once(run, lab, new_name):
    wish = {
        "name": "WebServer2008",
        "schema_3": "supersede",
        "new_name": new_name,
        "publish_on": ["Contoso Issuing CA 1"],
    }
    before = stored(lab, "WebServer2008").attributes
    result = run(lab, "template", wish)[1]
    assert result["after"]["supersedes"] == ["WebServer2008"]
    assert result["after"]["category"] == "csp"
    assert stored(lab, "WebServer2008").attributes == before
    new = stored(lab, new_name).attributes
    assert new["msPKI-Cert-Template-OID"] != before["msPKI-Cert-Template-OID"]
    assert not run(lab, "template", wish)[1]["changed"]


def test_over_psrp_it_is_the_same(run, lab_of):
    lab = lab_of(
        SCENARIO.read_text("utf-8").replace("  user: Administrator", "  user: Administrator\n  connection: psrp")
    )
    assert run(lab, "template_info", {})[1]["summary"]["total"] == 12
    assert run(lab, "template", {"name": ODD_NAME})[1]["changed"]
    assert not run(lab, "template", {"name": ODD_NAME})[1]["changed"]
    assert left_on(lab) == []


@pytest.mark.parametrize("powershell", ["2.0", "3.0"])
def test_an_old_german_domain_controller_is_the_same(run, lab_of, powershell):
    text = SCENARIO.read_text("utf-8").replace('powershell: "5.1"', f'powershell: "{powershell}"\n    language: de')
    lab = lab_of(text)
    assert run(lab, "template", {"name": ODD_NAME})[1]["changed"]
    result = run(lab, "template", {"name": "LyncListed"}, *as_user("reader", "Reader-Pass-2026!"))[1]
    assert "insufficientAccessRights, 50" in result["msg"]


@pytest.mark.parametrize("at", range(1, 13))
@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_a_cut_connection_is_made_good_by_the_next_run(run, controller, lab_of, kind, at):
    text = SCENARIO.read_text("utf-8").replace(
        "    domain_controller: true", f"    domain_controller: true\n    faults: [{{kind: {kind}, at: {at}}}]"
    )
    lab = lab_of(text)
    arguments = ("-i", str(lab.inventory_path), "-m", "winpki.keyprovider.template", "-a", "name=LyncWebServer")
    first = controller.run("ansible", "dc01", *arguments)
    assert "Traceback" not in first.output
    again = run(lab, "template", {"name": "LyncWebServer"})[1]
    assert again["after"]["category"] == "csp"
    assert stored(lab, "LyncWebServer").attributes["msPKI-Template-Minor-Revision"] == [b"5"]
    assert left_on(lab) == []
    if first.exit_code and not again["changed"]:
        assert "run it again" in first.output
        assert ".restore.ldf" in first.output


def play(controller, lab, playbook, *variables):
    extra = [part for variable in variables for part in ("-e", variable)]
    return controller.run("ansible-playbook", "-i", str(lab.inventory_path), f"winpki.keyprovider.{playbook}", *extra)


def test_the_audit_reports_templates(controller, shared):
    done = play(
        controller, shared, "audit", "lync_certificates_directory_host=dc01", "lync_certificates_hosts=lync_frontends"
    )
    assert done.exit_code == 0, done.output
    section = done.report()["templates"]
    assert section["summary"]["total"] == 12
    assert "LyncWebServer" in done.report("report.html")
    assert "LyncWebServer" in done.report("junit.xml")
    assert "Lync" in done.report("templates.csv")


def test_without_a_way_to_the_directory_templates_are_left_out(controller, shared):
    done = play(controller, shared, "audit", "lync_certificates_hosts=lync_frontends")
    assert done.exit_code == 0, done.output
    assert done.report()["templates"] is None


def test_a_directory_that_does_not_answer_is_reported_and_hides_no_certificate(controller, shared):
    done = play(
        controller, shared, "audit", "lync_certificates_directory_host=fe01", "lync_certificates_hosts=lync_frontends"
    )
    assert done.report()["templates"]["status"] == "failed"
    assert len(done.report()["hosts"]) == 2
    assert done.exit_code == 2, "an audit that lacks what was asked for is no success"
    assert "The certificate templates were not read: No domain controller told fe01" in done.stdout
    assert "Traceback" not in done.output


def test_the_role_makes_the_template_right_and_audits(controller, lab):
    role = {"name": "winpki.keyprovider.lync_certificates"}
    variables = {
        "directory_host": "dc01",
        "template": "LyncWebServer",
        "template_minimum_key_size": 4096,
        "template_exportable": False,
        "template_publish_on": [],
        "template_withdraw_from_others": True,
    }
    playbook = controller.directory / "template.yml"
    written = {
        "hosts": "lync_frontends",
        "gather_facts": False,
        "vars": {f"lync_certificates_{name}": value for name, value in variables.items()},
        "tasks": [{"import_role": {**role, "tasks_from": entry}} for entry in ("template", "audit")],
    }
    playbook.write_text(json.dumps([written]), encoding="utf-8")
    arguments = ("-i", str(lab.inventory_path), str(playbook))
    done = controller.run("ansible-playbook", *arguments)
    assert done.exit_code == 0, done.output
    attributes = stored(lab, "LyncWebServer").attributes
    assert attributes["msPKI-Private-Key-Flag"] == [b"%d" % 0x06060100]
    assert attributes["msPKI-Minimal-Key-Size"] == [b"4096"]
    names = {item["name"]: item for item in done.report()["templates"]["items"]}
    assert names["LyncWebServer"]["category"] == "csp"
    assert names["LyncWebServer"]["published_on"] == []
    assert "changed=1" in done.stdout
    told = done.stdout.partition("how to put it back")[2].partition("TASK")[0]
    for part in ("pKIDefaultCSPs", "USE_LEGACY_PROVIDER", "Contoso Issuing CA 1", ".restore.ldf", "keep their keys"):
        assert part in told, "without -v and --diff"
    again = controller.run("ansible-playbook", *arguments)
    assert [again.changed_on(name) for name in ("fe01", "fe02")] == [0, 0]


def test_enforce_without_a_way_to_the_directory_says_what_to_set(controller, shared):
    done = play(controller, shared, "enforce", "lync_certificates_template=LyncWebServer")
    assert done.exit_code == 2
    assert "lync_certificates_directory_host" in done.output
