# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts around an installation, run by the lab's PowerShell and tools."""

from __future__ import annotations

import base64

import pytest
import yaml
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.export import export_pfx
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.installation import InstallWish, install
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.removal import RemovalWish, archive, remove
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.transfer import (
    ImportWish,
    checked_pfx,
    import_pfx,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import WindowsHost
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from installed_host import AT, IDENTITY, SCHANNEL, authority, csr_of, issued, key_in, pem
from lab import scenario
from lab.host import cmd, files
from lab.host.keys import KeyContainer
from lab.host.store import StoredCertificate, blob_of, without_key

LYNC = load("lync_2013")
KEPT = rf"C:\Users\Administrator\AppData\Local\winpki.keyprovider\requests\{IDENTITY}"
PASSWORD = "p'ö:\"$x"
SCENARIO = """
lab: {{password: x, clock: {clock}}}
cas: [{{id: contoso, subject: CN=Contoso}}]
hosts:
  - name: fe01
    powershell: "{powershell}"
    os: {os}
    language: de
    lync: {{version: 2013}}
    stores:
      My:
        - id: pool
          subject: CN=pool.contoso.example
          key: {{holder: schannel, exportable: true}}
          assigned: [Default]
        - {{id: old, subject: CN=old.contoso.example, key: {{holder: cng}}}}
"""


class Shell:
    SHELL_FAMILY = "powershell"
    _IS_WINDOWS = True


class Console:
    """A connection that starts PowerShell on a machine of the lab."""

    transport = "other"
    _shell = Shell()

    def __init__(self, machine):
        self.machine = machine

    def exec_command(self, script, in_data=None, sudoable=True):
        encoded = base64.b64encode(script.encode("utf-16-le")).decode()
        line = f"PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand {encoded}"
        done = cmd.execute(self.machine, line, in_data or b"", "Administrator")
        assert b"not simulated" not in done.stderr, done.stderr
        return done.exit_code, done.stdout, done.stderr


@pytest.fixture(params=[("2.0", "6.1.7601"), ("5.1", "10.0.17763")], ids=["2008r2", "2019"])
def machine(request):
    powershell, system = request.param
    text = SCENARIO.format(powershell=powershell, os=system, clock=AT.strftime("%Y-%m-%dT%H:%M:%SZ"))
    machine = scenario.parse(yaml.safe_load(text), "test").hosts[0].machine
    machine.stores["ROOT"].append(without_key("", authority().certificate))
    return machine


def on(machine):
    return WindowsHost(Console(machine))


def request_of(machine, certificate):
    """A pending request as certreq leaves it, with its saved file."""
    key = key_in()
    machine.containers.add(KeyContainer(key.provider, key.container, certificate.key, key.key_spec))
    blob = blob_of(certificate, key, friendly_name="Pool")
    machine.stores.setdefault("REQUEST", []).append(
        StoredCertificate("", certificate.thumbprint, blob, certificate, key)
    )
    files.make_directory(machine, KEPT)
    files.write(machine, KEPT + r"\request.req", csr_of(certificate))


def thumbprint_of(machine, identifier):
    return next(one.issued.thumbprint for one in machine.store("My")[1] if one.identifier == identifier)


def test_an_answer_is_accepted_and_proven_and_the_next_run_changes_nothing(machine):
    request_of(machine, issued())
    wish = InstallWish(
        certificate=pem(issued()), chain=(pem(authority().certificate),), profile=LYNC, friendly_name="Größe 1"
    )
    result = install(on(machine), "fe01", wish, check=False, at=AT)
    assert result["certificates"][0]["friendly_name"] == "Größe 1"
    assert result["proof"] == {"signed": True, "provider": SCHANNEL, "provider_type": 12, "key_spec": 1}
    assert result["removed"]["requests"] == [IDENTITY]
    assert machine.stores["REQUEST"] == []
    assert not files.directory_exists(machine, KEPT)
    assert not [path for path in machine.files if "keyprovider-" in path]
    assert not install(on(machine), "fe01", wish, check=False, at=AT)["changed"]


def test_a_root_that_is_not_trusted_leaves_the_request(machine):
    request_of(machine, issued())
    machine.stores["ROOT"].clear()
    wish = InstallWish(certificate=pem(issued()), chain=(pem(authority().certificate),), profile=LYNC)
    with pytest.raises(EnrolmentError, match=r"0x800b010a.*still pending"):
        install(on(machine), "fe01", wish, check=False, at=AT)
    assert machine.stores["REQUEST"]
    assert files.exists(machine, KEPT + r"\request.req")


def test_a_certificate_goes_to_another_host_and_away_again(machine):
    exported = export_pfx(on(machine), "fe01", thumbprint_of(machine, "pool"), PASSWORD)
    text = SCENARIO.format(powershell="2.0", os="6.1.7601", clock=AT.strftime("%Y-%m-%dT%H:%M:%SZ"))
    other = scenario.parse(yaml.safe_load(text.replace("fe01", "fe02")), "test").hosts[0].machine
    before = len(list(other.containers))
    wish = ImportWish(pfx=checked_pfx(exported["pfx"]), password=PASSWORD, profile=LYNC, exportable=True)
    result = import_pfx(on(other), "fe02", wish, check=False, at=AT)
    assert result["changed"]
    assert result["proof"]["provider"] == SCHANNEL
    assert not import_pfx(on(other), "fe02", wish, check=False, at=AT)["changed"]
    gone = remove(on(other), "fe02", RemovalWish(result["thumbprint"]), check_mode=False)
    assert len(gone["removed"]["containers"]) == 1
    assert len(list(other.containers)) == before


def test_what_lync_uses_stays_and_what_it_does_not_use_goes(machine):
    with pytest.raises(EnrolmentError, match="for Default"):
        remove(on(machine), "fe01", RemovalWish(thumbprint_of(machine, "pool")), check_mode=False)
    old = RemovalWish(thumbprint_of(machine, "old"))
    assert archive(on(machine), "fe01", old, LYNC, check_mode=False)["certificates"][0]["archived"]
    assert not archive(on(machine), "fe01", old, LYNC, check_mode=False)["changed"]
    assert remove(on(machine), "fe01", old, check_mode=False)["changed"]
    assert len(list(machine.containers)) == 1
    assert not remove(on(machine), "fe01", old, check_mode=False)["changed"]
