# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""WS-Management as the lab's WinRM server speaks it, where the clients' own functions do not reach."""

from __future__ import annotations

import base64
import socket
import time
import uuid
from collections.abc import Iterator

import pytest
import requests
import winrm
from lab.wire import soap
from lab.wire.echo import EchoHost
from lab.wire.host import Execution
from lab.wire.server import LabServer, ListenerSpec
from winrm.exceptions import WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError

SHELL_NOT_FOUND = 2150858843


@pytest.fixture
def host() -> EchoHost:
    return EchoHost("fe01")


@pytest.fixture
def server(host: EchoHost) -> Iterator[LabServer]:
    with LabServer([ListenerSpec(host, product_version="OS: 6.3.9600 SP: 0.0 Stack: 3.0")]) as lab:
        yield lab


def url(server: LabServer) -> str:
    address, port, scheme = server.endpoints["fe01"]
    return f"{scheme}://{address}:{port}/wsman"


def connect(server: LabServer, **options: object) -> winrm.Protocol:
    return winrm.Protocol(
        url(server), "plaintext", "admin", "Secret-1", proxy=None, server_cert_validation="ignore", **options
    )


def post(server: LabServer, body: str, **headers: str) -> requests.Response:
    content = {"Content-Type": "application/soap+xml;charset=UTF-8"} | headers
    return requests.post(url(server), body.encode(), auth=("admin", "Secret-1"), headers=content, timeout=10)


def envelope(action: str, *, resource: str = soap.SHELL_URI, size: int = 153600, body: str = "") -> str:
    return (
        f'<e:Envelope xmlns:e="{soap.ENVELOPE}" xmlns:a="{soap.ADDRESSING}" xmlns:w="{soap.WSMAN}" '
        f'xmlns:r="{soap.SHELL}">'
        f"<e:Header><a:Action>{action}</a:Action><a:MessageID>uuid:{uuid.uuid4()}</a:MessageID>"
        f"<w:ResourceURI>{resource}</w:ResourceURI><w:MaxEnvelopeSize>{size}</w:MaxEnvelopeSize></e:Header>"
        f"<e:Body>{body}</e:Body></e:Envelope>"
    )


IDENTIFY = (
    f'<s:Envelope xmlns:s="{soap.ENVELOPE}"><s:Header/><s:Body><i:Identify xmlns:i="{soap.IDENTITY}"/></s:Body>'
    "</s:Envelope>"
)
POWERSHELL_7 = "http://schemas.microsoft.com/powershell/PowerShell.7"
CREATE = soap.TRANSFER + "/Create"


def test_identify_tells_the_version_only_to_a_user(server):
    known = post(server, IDENTIFY)
    assert "<wsmid:ProductVersion>OS: 6.3.9600 SP: 0.0 Stack: 3.0<" in known.text
    anonymous = requests.post(url(server), IDENTIFY, headers={"WSMANIDENTIFY": "unauthenticated"}, timeout=10)
    assert (anonymous.status_code, "OS: 0.0.0 SP: 0.0 Stack: 3.0" in anonymous.text) == (200, True)
    assert requests.post(url(server), IDENTIFY, timeout=10).status_code == 401


def test_unauthorized_names_the_schemes_that_windows_names(server):
    response = requests.post(url(server), IDENTIFY, timeout=10)
    assert response.headers["WWW-Authenticate"] == 'Negotiate, Basic realm="WSMAN"'
    assert response.content == b""


def test_schemes_can_be_switched_off(host):
    with LabServer([ListenerSpec(host, basic=False)]) as server:
        assert requests.post(url(server), IDENTIFY, timeout=10).headers["WWW-Authenticate"] == "Negotiate"
        assert post(server, IDENTIFY).status_code == 401


@pytest.mark.parametrize("wrong", ["shell", "command"])
def test_unknown_shell_and_command_are_faults(server, wrong):
    protocol = connect(server)
    missing = str(uuid.uuid4())
    shell = missing if wrong == "shell" else protocol.open_shell()
    with pytest.raises(WSManFaultError) as failure:
        protocol.get_command_output(shell, missing)
    assert failure.value.wsman_fault_code == SHELL_NOT_FOUND
    assert failure.value.fault_subcode == "w:InvalidSelectors"
    assert missing in failure.value.response
    assert failure.value.code == 500


def test_a_deleted_shell_is_gone(server):
    protocol = connect(server)
    shell = protocol.open_shell()
    protocol.close_shell(shell)
    with pytest.raises(WSManFaultError) as failure:
        protocol.run_command(shell, "hostname")
    assert failure.value.wsman_fault_code == SHELL_NOT_FOUND


def test_a_terminated_command_is_gone(server):
    protocol = connect(server)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "hostname")
    protocol.cleanup_command(shell, command)
    with pytest.raises(WSManFaultError):
        protocol.get_command_output(shell, command)


def test_a_shell_belongs_to_its_user(server, host):
    host.accounts["other"] = "Secret-2"
    shell = connect(server).open_shell()
    stranger = winrm.Protocol(
        url(server), "plaintext", "other", "Secret-2", proxy=None, server_cert_validation="ignore"
    )
    with pytest.raises(WSManFaultError) as failure:
        stranger.run_command(shell, "hostname")
    assert failure.value.wsman_fault_code == 5


def test_a_slow_command_times_out_until_it_ends(server, host):
    host.seconds = 1.6
    protocol = connect(server, operation_timeout_sec=1, read_timeout_sec=5)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "ping")
    begin = time.monotonic()
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, command)
    assert time.monotonic() - begin > 0.9
    assert protocol.get_command_output(shell, command) == (b"ping\n", b"", 0)
    assert server.counters()["fe01"]["operations"]["Receive"] == 2
    assert len(host.calls) == 1


def test_a_command_waits_for_the_end_of_its_stdin(server, host):
    protocol = connect(server, operation_timeout_sec=1, read_timeout_sec=5)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "more", console_mode_stdin=False)
    protocol.send_command_input(shell, command, b"half")
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, command)
    assert host.calls == []
    protocol.send_command_input(shell, command, b" and half", end=True)
    assert protocol.get_command_output(shell, command)[0] == b"more\nhalf and half"
    with pytest.raises(WSManFaultError):
        protocol.send_command_input(shell, command, b"late", end=True)


def test_stdin_to_a_command_without_a_pipe_is_refused_not_lost(server):
    protocol = connect(server)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "more", console_mode_stdin=True)
    with pytest.raises(WSManFaultError, match="WINRS_CONSOLEMODE_STDIN"):
        protocol.send_command_input(shell, command, b"x", end=True)


def test_ctrl_c_ends_a_command_with_its_status(server, host):
    host.seconds = 0.5
    protocol = connect(server)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "ping")
    header = protocol.build_wsman_header(soap.SHELL + "/Signal", soap.SHELL_URI, shell)
    header["env:Body"] = {"rsp:Signal": {"@CommandId": command, "rsp:Code": soap.SHELL + "/signal/ctrl_c"}}
    protocol.send_message(winrm.protocol.xmltodict.unparse({"env:Envelope": header}))
    assert protocol.get_command_output(shell, command) == (b"", b"", 0xC000013A)


def test_a_broken_host_is_a_fault_that_says_so(server, host):
    def execute(command_line: str, stdin: bytes, user: str) -> Execution:
        raise LookupError("no such <tool>\x00")

    host.execute = execute
    protocol = connect(server)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "nonsense")
    with pytest.raises(WSManFaultError, match="LookupError: no such <tool>"):
        protocol.get_command_output(shell, command)


@pytest.mark.parametrize("limit", [8192, 153600, 1_000_000])
def test_output_is_split_to_the_smaller_envelope(host, limit):
    host.answer = Execution(bytes(range(256)) * 1200, b"e" * 70_000, 5)
    with LabServer([ListenerSpec(host, max_envelope=limit)]) as server:
        protocol = connect(server)
        sizes = []
        send = protocol.transport.send_message

        def measure(message):
            reply = send(message)
            sizes.append(len(reply))
            return reply

        protocol.transport.send_message = measure
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "dump")
        assert protocol.get_command_output(shell, command) == (host.answer.stdout, host.answer.stderr, 5)
        effective = min(limit, 153600)
        assert max(sizes) <= effective
        receives = server.counters()["fe01"]["operations"]["Receive"]
        encoded = len(base64.b64encode(host.answer.stdout + host.answer.stderr))
        least = -(-encoded // effective)
        assert least <= receives <= least * 1.4 + 1


def test_a_tiny_envelope_is_refused(server):
    response = post(server, envelope(CREATE, size=8191, body="<r:Shell/>"))
    assert response.status_code == 500
    assert "w:EncodingLimit" in response.text


@pytest.mark.parametrize(
    ("body", "subcode"),
    [
        (envelope("urn:none"), "a:ActionNotSupported"),
        (envelope(CREATE, resource=POWERSHELL_7), "a:DestinationUnreachable"),
        (envelope(CREATE), "w:SchemaValidationError"),
        (envelope(soap.SHELL + "/Command"), "w:InvalidSelectors"),
    ],
)
def test_what_the_lab_has_not_is_a_fault(server, body, subcode):
    response = post(server, body)
    assert (response.status_code, f"<s:Value>{subcode}</s:Value>" in response.text) == (500, True)


@pytest.mark.parametrize("body", ["no xml", "<a/>", f'<e:Envelope xmlns:e="{soap.ENVELOPE}"/>'])
def test_what_is_no_envelope_is_a_bad_request(server, body):
    assert post(server, body).status_code == 400


def test_other_paths_and_methods_are_refused(server):
    assert requests.post(url(server) + "x", timeout=10).status_code == 404
    assert requests.get(url(server), timeout=10).status_code == 405


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!", "Negotiate", "Negotiate AAAA", "Digest x", "Negotiate TlRMTVNTUAADAAAA"]
)
def test_a_damaged_authorization_is_rejected(server, header):
    response = requests.post(url(server), IDENTIFY, headers={"Authorization": header}, timeout=10)
    assert response.status_code == 401
    assert server.counters()["fe01"]["rejected"] == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"HELLO\r\n\r\n", b"400"),
        (b"POST /wsman HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"POST /wsman HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST /wsman HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", b"401"),
    ],
)
def test_http_is_answered_and_closed(server, sent, status):
    address, port, _scheme = server.endpoints["fe01"]
    with socket.create_connection((address, port), timeout=5) as client:
        client.sendall(sent)
        received = b"".join(iter(lambda: client.recv(4096), b""))
    assert received.startswith(b"HTTP/1.1 " + status)


def test_100_continue_is_sent_when_asked_for(server):
    address, port, _scheme = server.endpoints["fe01"]
    body = IDENTIFY.encode()
    head = (
        f"POST /wsman HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
        f"Authorization: Basic {base64.b64encode(b'admin:Secret-1').decode()}\r\n\r\n"
    )
    with socket.create_connection((address, port), timeout=5) as client:
        client.sendall(head.encode())
        assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert b"IdentifyResponse" in b"".join(iter(lambda: client.recv(4096), b""))


def test_an_encrypted_message_of_another_connection_is_a_bad_request(server):
    protocol = winrm.Protocol(url(server), "ntlm", "admin", "Secret-1", proxy=None, server_cert_validation="ignore")
    shell = protocol.open_shell()
    protocol.transport.session.close()
    with pytest.raises(WinRMTransportError) as failure:
        protocol.run_command(shell, "hostname")
    assert failure.value.code == 400


@pytest.mark.parametrize(
    ("text", "value"),
    [("PT20S", 20), ("PT60.000S", 60), ("PT1M30S", 90), ("P0DT0H0M5S", 5), ("P1DT1H", 90000), ("soon", 60), ("PT", 60)],
)
def test_durations(text, value):
    assert soap.seconds(text) == value


def test_two_listeners_of_one_name_are_refused(host):
    with pytest.raises(ValueError, match="same host name"):
        LabServer([ListenerSpec(host), ListenerSpec(host)])


def test_a_taken_port_is_told(server, host):
    with pytest.raises(OSError, match="in use"):
        LabServer([ListenerSpec(host, port=server.endpoints["fe01"].port)]).start()
