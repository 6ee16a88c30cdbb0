# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's own winrm connection against the lab's WinRM server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.release import __version__
from lab.wire.echo import EchoHost
from lab.wire.faults import Fault
from lab.wire.host import Execution
from lab.wire.server import LabServer, ListenerSpec

RELEASE = tuple(int(part) for part in __version__.split(".")[:2])


def raw(server: LabServer, name: str, transport: str, directory: Path, password: str = "Secret-1") -> tuple[int, str]:
    address, port, scheme = server.endpoints[name]
    variables = {
        "ansible_connection": "winrm",
        "ansible_user": "admin",
        "ansible_password": password,
        "ansible_port": port,
        "ansible_winrm_scheme": scheme,
        "ansible_winrm_transport": transport,
        "ansible_winrm_server_cert_validation": "ignore",
    }
    variables_file = directory / "variables.json"
    variables_file.write_text(json.dumps(variables))
    configuration = directory / "ansible.cfg"
    configuration.touch()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(configuration),
        "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
        "no_proxy": "*",
    }
    command = [sys.executable, "-m", "ansible", "adhoc", "all", "-i", f"{address},", "-e", f"@{variables_file}"]
    done = subprocess.run(
        [*command, "-m", "ansible.builtin.raw", "-a", "hostname"],
        env=environment, cwd=directory, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("tls", "transport", "requests"),
    [(False, "basic", 5), (False, "ntlm", 8), (True, "basic", 5), (True, "ntlm", 7)],
)
def test_raw_runs_a_command(tmp_path, tls, transport, requests):
    host = EchoHost("fe01", answer=Execution("FE01-Grüße\r\n".encode(), b"", 0))
    with LabServer([ListenerSpec(host, address="127.0.1.1", tls=tls)]) as server:
        code, output = raw(server, "fe01", transport, tmp_path)
        assert (code, "FE01-Grüße" in output) == (0, True), output
        assert server.counters()["fe01"]["requests"] == requests
    ((command_line, stdin, user),) = host.calls
    assert command_line.lower().startswith("powershell -noprofile")
    assert (stdin, user) == (b"", "admin")


def test_a_wrong_password_makes_the_host_unreachable(tmp_path):
    with LabServer([ListenerSpec(EchoHost("fe01"))]) as server:
        code, output = raw(server, "fe01", "ntlm", tmp_path, password="wrong")
    assert (code, "UNREACHABLE" in output, "credentials were rejected" in output) == (4, True, True), output


def test_a_quota_fault_makes_ansible_open_a_new_shell(tmp_path):
    with LabServer([ListenerSpec(EchoHost("fe01"))]) as server:
        server.script_fault("fe01", Fault("quota", operation="Command"))
        code, output = raw(server, "fe01", "basic", tmp_path)
        operations = server.counters()["fe01"]["operations"]
    if RELEASE < (2, 18):  # earlier releases give up
        assert code != 0
        assert "maximum number of concurrent operations" in output
        return
    assert code == 0, output
    assert operations == {"Create": 2, "Command": 2, "Receive": 1, "Signal": 1, "Delete": 2}
