# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quoting and calling over a connection."""

from __future__ import annotations

import base64

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host import connection as tested
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import (
    SCRIPT_LIMIT,
    HostError,
    HostUnreachable,
    WindowsHost,
    native_call,
    quote,
)


class Shell:
    SHELL_FAMILY = "powershell"
    _IS_WINDOWS = True


class Recorder:
    def __init__(self, transport="winrm", answer=(0, b"", b""), shell=None):
        self.transport = transport
        self._shell = shell or Shell()
        self.answer = answer
        self.sent = []
        self.inputs = []

    def exec_command(self, cmd, in_data=None, sudoable=True):
        self.sent.append(cmd)
        self.inputs.append(in_data)
        return self.answer


def decoded(command):
    """The script in an encoded command line."""
    call, _blank, script = command.rpartition(" ")
    assert call == "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand"
    return base64.b64decode(script).decode("utf-16-le")


@pytest.mark.parametrize("quote_mark", ["'", "\u2018", "\u2019", "\u201a", "\u201b"])
def test_each_mark_that_powershell_takes_for_a_single_quote_is_doubled(quote_mark):
    assert quote(f"a{quote_mark}b; exit") == f"'a{quote_mark}{quote_mark}b; exit'"


@pytest.mark.parametrize("bad", ["", 'a"b', "a\nb", "a\x00b", "\u201cx\u201d", "a\tb"])
def test_an_argument_that_would_not_arrive_is_refused(bad):
    with pytest.raises(HostError):
        quote(bad)


def test_dollar_percent_and_semicolon_are_left_to_the_single_quotes():
    assert native_call("reg.exe", "$(x);%y%") == "& 'reg.exe' '$(x);%y%'"


def test_the_exit_code_of_the_command_is_asked_for():
    connection = Recorder("psrp")
    WindowsHost(connection).run("whoami.exe", "/groups")
    assert decoded(connection.sent[0]) == "& 'whoami.exe' '/groups'\nexit $LASTEXITCODE"


def test_a_negative_exit_code_is_the_hresult():
    connection = Recorder(answer=(-2146893807, b"", b""))
    assert WindowsHost(connection).run("certutil.exe", "-store").exit_code == 0x80090011


@pytest.mark.parametrize(
    ("transport", "release"),
    [("psrp", (2, 16)), ("ssh", (2, 18)), ("winrm", (2, 19)), ("ssh", (2, 21)), ("ansible.builtin.ssh", (2, 21))],
)
def test_a_connection_that_takes_an_encoded_script_gets_one(monkeypatch, transport, release):
    monkeypatch.setattr(tested, "RELEASE", release)
    connection = Recorder(transport)
    WindowsHost(connection).run_script("'it''s -EncodedCommand \u00fc'", b"QUJD\r\n")
    assert decoded(connection.sent[0]) == "'it''s -EncodedCommand \u00fc'"
    assert connection.inputs == [b"QUJD\r\n"]


@pytest.mark.parametrize(
    ("transport", "release"), [("ssh", (2, 17)), ("winrm", (2, 18)), ("ansible.builtin.winrm", (2, 16)), ("x", (2, 21))]
)
def test_a_connection_that_encodes_itself_gets_the_script(monkeypatch, transport, release):
    monkeypatch.setattr(tested, "RELEASE", release)
    connection = Recorder(transport)
    WindowsHost(connection).run_script("$input", b"QUJD\r\n")
    assert connection.sent == ["$input"]
    assert connection.inputs == [b"QUJD\r\n"]


@pytest.mark.parametrize("transport", ["winrm", "psrp", "ssh"])
def test_a_script_without_input_is_sent_without(transport):
    connection = Recorder(transport)
    WindowsHost(connection).run_script("hostname")
    assert connection.inputs == [None]


def test_a_script_that_cmd_would_cut_is_refused():
    with pytest.raises(HostError, match="8,191"):
        WindowsHost(Recorder()).run_script("#" * (SCRIPT_LIMIT + 1))


def test_the_longest_script_fits_in_a_command_line():
    connection = Recorder("psrp")
    WindowsHost(connection).run_script("#" * SCRIPT_LIMIT)
    assert len(connection.sent[0]) < 8191


def test_a_host_that_is_not_windows_is_named_with_the_way_out():
    class Posix:
        SHELL_FAMILY = "sh"

    with pytest.raises(HostError) as caught:
        WindowsHost(Recorder("ssh", shell=Posix()))
    assert "'sh'" in caught.value.message
    assert "ansible_connection" in caught.value.remedy


def test_what_a_command_complained_is_one_line():
    connection = Recorder(answer=(1, b"", b"ERROR: no\r\nsuch key\r\n"))
    assert WindowsHost(connection).run("reg.exe").complaint == "ERROR: no such key"


@pytest.mark.parametrize(
    "record",
    [
        "reg.exe : ERROR: no\r\nAt line:1 char:1\r\n+ & 'reg.exe'\r\n+ ~~~\r\n    + CategoryInfo : NotSpecified\r\n",
        "reg.exe : ERROR: no\r\n    + CategoryInfo : NotSpecified\r\n    + FullyQualifiedErrorId : X\r\n",
    ],
)
def test_of_an_error_record_the_message_is_told(record):
    connection = Recorder(answer=(1, b"", record.encode()))
    assert WindowsHost(connection).run("reg.exe").complaint == "reg.exe : ERROR: no"


@pytest.mark.parametrize("stdin", [None, b"QUJD\r\n"])
def test_what_the_plugin_says_of_a_lost_connection_reaches_who_has_to_tell_what_was_done(stdin):
    class Lost(Recorder):
        def exec_command(self, cmd, in_data=None, sudoable=True):
            raise AnsibleConnectionFailure("Failed to connect to the host via ssh: Connection reset by peer")

    with pytest.raises(HostUnreachable, match="Connection reset by peer") as caught:
        WindowsHost(Lost("ssh")).run_script("hostname", stdin)
    assert caught.value.remedy
