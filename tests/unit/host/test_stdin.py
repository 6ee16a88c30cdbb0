# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which script arrives and what it finds in ``$input``, over Ansible's own connections to the lab's WinRM server."""

from __future__ import annotations

import ast
import base64
from collections.abc import Iterator

import pytest
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader
from ansible.utils.display import Display
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import WindowsHost
from lab.wire.echo import EchoHost
from lab.wire.server import LabServer, ListenerSpec

TEXT = base64.b64encode(bytes(range(256)) * 20)
LINES = b"\r\n".join([TEXT[:1000], TEXT[1000:2000], TEXT[2000:], b""])


@pytest.fixture
def host() -> EchoHost:
    return EchoHost("fe01")


@pytest.fixture
def server(host: EchoHost) -> Iterator[LabServer]:
    with LabServer([ListenerSpec(host)]) as lab:
        yield lab


@pytest.fixture
def connect(server: LabServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "*")
    address, port, scheme = server.endpoints["fe01"]
    opened = []

    def connect(transport: str) -> WindowsHost:
        own = {
            "winrm": {"transport": ["basic"]},
            "psrp": {"auth": "basic", "message_encryption": "never", "cert_validation": "ignore"},
        }
        plugin = connection_loader.get(transport, PlayContext())
        common = {"remote_addr": address, "remote_user": "admin", "remote_password": "Secret-1", "port": port}
        plugin.set_options(
            var_options={"_extras": {}},
            direct={**common, **own[transport], "scheme" if transport == "winrm" else "protocol": scheme},
        )
        opened.append(plugin)
        return WindowsHost(plugin)

    yield connect
    for plugin in opened:
        plugin.close()


def test_over_winrm_it_is_the_standard_input_of_the_process(connect, host):
    connect("winrm").run_script("$input", LINES)
    ((_command, stdin, _user),) = host.calls
    assert stdin == LINES


def test_over_winrm_a_script_with_the_word_for_encoded_ones_arrives(connect, host):
    connect("winrm").run_script("'a -EncodedCommand b & hostname'")
    ((command, _stdin, _user),) = host.calls
    assert base64.b64decode(command.split()[-1]).decode("utf-16-le") == "'a -EncodedCommand b & hostname'"


def test_over_psrp_it_is_text_and_no_array_of_bytes(connect):
    done = connect("psrp").run_script("$input", LINES)
    script, *given = done.stdout.decode().split("\r\n")
    assert script == "$input"
    lines = [line for text in given if text for line in ast.literal_eval(text).splitlines()]
    assert lines == LINES.decode().splitlines()


@pytest.mark.parametrize("transport", ["winrm", "psrp"])
def test_nothing_deprecated_is_called(connect, monkeypatch, transport):
    told = []
    monkeypatch.setattr(Display, "deprecated", lambda _display, msg, *_args, **_more: told.append(msg))
    connect(transport).run_script("$input", LINES)
    assert told == []


@pytest.mark.parametrize("transport", ["winrm", "psrp"])
def test_a_script_without_input_waits_for_none(connect, host, transport):
    done = connect(transport).run_script("hostname")
    assert done.exit_code == 0
    assert all(stdin == b"" for _command, stdin, _user in host.calls)
