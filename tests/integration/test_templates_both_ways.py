# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two ways to one real directory, a Samba AD DC: the same is read, planned, done and read back."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access.ldap_server import LdapDirectory, LdapServer
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import DirectoryError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.template import enforce_template
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.work import TemplateWish
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.wanted import Wanted
from lab.directory.population import CaPlan, DirectoryPlan, TemplatePlan, populate
from lab.runtime import Lab
from programs import program

SCENARIO = Path(__file__).parents[1] / "lab/scenarios/templates.yml"
WAYS = ("ldifde", "ldap", "kerberos")
PLAY = """
- hosts: dc01
  gather_facts: false
  module_defaults:
    group/winpki.keyprovider.directory: "{{ way }}"
  tasks:
    - winpki.keyprovider.template_info:
      register: before
    - winpki.keyprovider.template:
        name: "{{ item }}"
        schema_3: "{{ schema_3 }}"
        publish_on: [Second CA]
      loop: "{{ names }}"
      register: changed
      ignore_errors: true
    - winpki.keyprovider.template_info:
      register: after
    - ansible.builtin.copy:
        content: "{{ {'before': before, 'changed': changed, 'after': after} | to_json }}"
        dest: "{{ result }}"
        mode: "0600"
      delegate_to: localhost
      vars: {ansible_connection: local}
"""

pytestmark = pytest.mark.usefixtures("python_ldap")


@pytest.fixture(scope="module")
def lab(samba):
    """A domain controller with ldifde.exe in front of the real directory."""
    text = SCENARIO.read_text("utf-8")
    assert "user: Administrator" in text
    scenario = samba.ca_path.parent / "scenario.yml"
    editor = samba.caller("editor")
    text = text.replace("user: Administrator", "user: editor").replace("Lab-Pass-2026!", editor.password)
    scenario.write_text(text.replace("Editor-Pass-2026!", editor.password), "utf-8")
    with Lab.from_scenario(scenario, directory=samba.directory) as running:
        yield running
    samba.directory.clear()


@pytest.fixture
def options(samba):
    """The options of the modules for each way, and the environment of the controller."""
    editor = samba.caller("editor")
    simple = {
        "ldap_server": samba.address,
        "ldap_user": f"{editor.user}@{samba.directory.domain}",
        "ldap_password": editor.password,
        "ldap_ca_file": str(samba.ca_path),
    }

    def of(way):
        if way == "kerberos":
            program("kinit", package="krb5-user")
            return {"ldap_server": samba.address, "ldap_auth": "kerberos"}, samba.ticket(editor)
        return ({} if way == "ldifde" else simple), {}

    return of


@pytest.fixture
def both_ways(controller, samba, lab, options):
    """Run the play each way on the same templates; what it found, by way."""

    def run(plan, schema_3="fail", ways=WAYS):
        results = {}
        (controller.directory / "play.yml").write_text(PLAY, "utf-8")
        for way in ways:
            populate(samba.directory, plan)
            result = controller.directory / f"{way}.json"
            given, environment = options(way)
            variables = {
                "way": given,
                "names": [template.name for template in plan.templates],
                "schema_3": schema_3,
                "result": str(result),
            }
            (controller.directory / "variables.yml").write_text(yaml.safe_dump(variables), "utf-8")
            arguments = ("-i", str(lab.inventory_path), "play.yml", "-e", "@variables.yml")
            done = controller.run("ansible-playbook", *arguments, **environment)
            assert done.exit_code == 0, done.output
            assert "Traceback" not in done.output
            results[way] = json.loads(result.read_text("utf-8"))
            results[way]["stored"] = stored(samba)
        return results

    return run


def stored(samba):
    """All templates as the directory itself shows them, but for what differs in each run."""
    base = f"CN=Certificate Templates,CN=Public Key Services,CN=Services,{samba.directory.configuration}"
    found = samba.directory.search(samba.administrator, base, "one", "(objectClass=pKICertificateTemplate)", None)
    ignored = {"objectGUID", "whenCreated", "whenChanged", "uSNCreated", "uSNChanged"}
    return {
        one.attributes["cn"][0].decode(): {name: sorted(v) for name, v in one.attributes.items() if name not in ignored}
        for one in found
    }


def comparable(changed):
    """The result of the loop without the files of the backup and Ansible's own words."""
    kept = ("changed", "before", "after", "plan")
    return [
        {"item": one["item"], "failed": one.get("failed", False), **{key: one[key] for key in kept if key in one}}
        for one in changed["results"]
    ]


def plan_of(templates):
    return DirectoryPlan(
        "corp.example.test",
        templates=templates,
        cas=[CaPlan("First CA", "ca1.corp.example.test", ["LyncWebServer"]), CaPlan("Second CA", "ca2.example.test")],
    )


def assert_the_same(results):
    first = results[WAYS[0]]
    for way, found in results.items():
        for key in ("templates", "summary", "enrolment_services", "problems"):
            assert found["before"][key] == first["before"][key], (way, key)
            assert found["after"][key] == first["after"][key], (way, key)
        assert comparable(found["changed"]) == comparable(first["changed"]), way
        assert found["stored"] == first["stored"], way


@pytest.mark.parametrize("schema_3", ["supersede", "downgrade"])
def test_the_scenario_is_changed_the_same(both_ways, lab, schema_3):
    plan = plan_of(lab.scenario.directory.templates)
    results = both_ways(plan, schema_3)
    assert_the_same(results)
    found = {one["item"]: one for one in results["ldap"]["changed"]["results"]}
    assert found["LyncWebServer"]["after"]["category"] == "csp"
    assert found["WebServer2008"]["after"]["category"] == "csp"
    assert found["AttestedDevice"]["failed"]
    assert found["OpenClient"]["failed"]  # open to ESC1, so not published


@pytest.mark.samples
def test_the_corpus_is_changed_the_same_and_as_its_index_says(both_ways):
    folder = os.environ.get("KEYPROVIDER_SAMPLES")
    if not folder:
        pytest.skip("KEYPROVIDER_SAMPLES does not name the corpus")
    index = json.loads((Path(folder) / "templates/INDEX.json").read_text("utf-8"))
    results = both_ways(plan_of([sample_plan(sample) for sample in index]), ways=("ldifde", "ldap"))
    assert_the_same(results)
    states = {one["name"]: one for one in results["ldap"]["before"]["templates"]}
    outcomes = {one["item"]: one for one in results["ldap"]["changed"]["results"]}
    for sample in index:
        name, held = sample["name"], results["ldap"]["stored"][sample["name"]]
        assert states[name]["category"] == ("ksp" if sample["state"].startswith("ksp") else "csp"), name
        if sample["plan"] is None:
            assert outcomes[name]["failed"], name
        for attribute, value in (sample["plan"] or {}).items():
            if not refused_for_esc1(outcomes[name]):
                values = value if isinstance(value, list) else [value]
                assert held.get(attribute, []) == sorted(str(one).encode() for one in values), (name, attribute)


def refused_for_esc1(outcome):
    return outcome.get("failed") and "ESC1" in outcome["msg"]


def sample_plan(sample):
    """A template with exactly the attributes that the corpus's index lists, and nothing of the lab's own."""
    octets = ("pKIKeyUsage",)
    given = {
        name: [base64.b64decode(value)] if name in octets else [str(one).encode() for one in as_list(value)]
        for name, value in sample["attrs"].items()
    }
    absent = dict.fromkeys(("pKIDefaultCSPs", "pKIKeyUsage", "pKIExtendedKeyUsage", "msPKI-RA-Application-Policies"))
    absent["msPKI-Certificate-Application-Policy"] = None
    return TemplatePlan(name=sample["name"], attributes={**absent, **given})


def as_list(value):
    return value if isinstance(value, list) else [value]


def test_the_restore_file_puts_a_template_back_by_ldapmodify(controller, samba, lab, options):
    populate(samba.directory, plan_of(lab.scenario.directory.templates))
    before = stored(samba)["EdgeECDH"]
    wish = {"name": "EdgeECDH", "publish_on": ["Second CA"], **options("ldap")[0]}
    result = controller.module("template", "localhost", wish)[1]
    assert stored(samba)["EdgeECDH"] != before
    editor = samba.caller("editor")
    password = controller.directory / "password"
    password.write_text(editor.password, "utf-8")
    command = [program("ldapmodify", package="ldap-utils"), "-x", "-H", f"ldaps://{samba.address}", "-y", str(password)]
    command += ["-D", f"{editor.user}@{samba.directory.domain}", "-f", result["backup"]["restore_path"]]
    subprocess.run(command, env={**os.environ, "LDAPTLS_CACERT": str(samba.ca_path)}, check=True, capture_output=True)
    after = stored(samba)["EdgeECDH"]
    assert after.pop("msPKI-Template-Minor-Revision") != before.pop("msPKI-Template-Minor-Revision")
    assert after == before


def test_a_change_by_somebody_else_is_kept_over_winrm(controller, samba, lab):
    populate(samba.directory, plan_of(lab.scenario.directory.templates))
    samba.directory.before_change = lambda: somebody_changes(samba)
    result = controller.module("template", "dc01", {"name": "LyncWebServer"}, "-i", str(lab.inventory_path))[1]
    assert "msPKI-Template-Minor-Revision is 77 now" in result["msg"]
    assert stored(samba)["LyncWebServer"]["msPKI-Template-Minor-Revision"] == [b"77"]


def test_a_change_by_somebody_else_is_kept_over_ldap(samba, lab, tmp_path):
    populate(samba.directory, plan_of(lab.scenario.directory.templates))
    editor = samba.caller("editor")
    user = f"{editor.user}@{samba.directory.domain}"
    server = LdapServer(samba.address, user=user, password=editor.password, ca_file=str(samba.ca_path))
    with closing(InterruptedDirectory(server)) as directory:
        directory.interrupt = lambda: somebody_changes(samba)
        wish = TemplateWish("LyncWebServer", Wanted(), None, False, tmp_path)
        with pytest.raises(DirectoryError, match="msPKI-Template-Minor-Revision is 77 now") as caught:
            enforce_template(directory, wish, check=False, at=datetime.now(timezone.utc))
    assert caught.value.code == 16
    assert stored(samba)["LyncWebServer"]["msPKI-Template-Minor-Revision"] == [b"77"]


class InterruptedDirectory(LdapDirectory):
    """Lets somebody else in between the reading and the change."""

    interrupt = staticmethod(lambda: None)

    def apply(self, changes):
        self.interrupt()
        super().apply(changes)


def somebody_changes(samba):
    dn = f"CN=LyncWebServer,CN=Certificate Templates,{samba.directory.public_key_services}"
    samba.directory.modify(samba.administrator, dn, [("replace", "msPKI-Template-Minor-Revision", [b"77"])])
