# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real clients, pywinrm and pypsrp, against the lab's WinRM server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import winrm
from lab.wire.echo import EchoHost
from lab.wire.host import Execution
from lab.wire.server import LabServer, ListenerSpec
from pypsrp.shell import Process, WinRS
from pypsrp.wsman import WSMan
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError

ACCOUNTS = {"admin": "Secret-1", "CONTOSO\\müller": "Paß wört €", "ops@fabrikam.example": "x"}
CASES = [("plain", "plaintext"), ("plain", "ntlm"), ("secure", "ssl"), ("secure", "ntlm")]


@pytest.fixture
def hosts() -> dict[str, EchoHost]:
    return {name: EchoHost(name, dict(ACCOUNTS)) for name in ("plain", "secure", "strict")}


@pytest.fixture
def server(hosts: dict[str, EchoHost]) -> Iterator[LabServer]:
    listeners = [
        ListenerSpec(hosts["plain"], address="127.0.1.1"),
        ListenerSpec(hosts["secure"], address="127.0.1.2", tls=True),
        ListenerSpec(hosts["strict"], address="127.0.1.3", allow_unencrypted=False),
    ]
    with LabServer(listeners) as lab:
        yield lab


def connect(
    server: LabServer, name: str, transport: str, user: str = "admin", password: str = "Secret-1", **options: object
) -> winrm.Protocol:
    address, port, scheme = server.endpoints[name]
    options = {"server_cert_validation": "ignore", "proxy": None} | options
    return winrm.Protocol(f"{scheme}://{address}:{port}/wsman", transport, user, password, **options)


def run(
    protocol: winrm.Protocol, command: str, *arguments: str, stdin: list[bytes] | None = None
) -> tuple[bytes, bytes, int]:
    shell = protocol.open_shell()
    identifier = protocol.run_command(shell, command, arguments, console_mode_stdin=stdin is None)
    for number, part in enumerate(stdin or [], 1):
        protocol.send_command_input(shell, identifier, part, end=number == len(stdin))
    output = protocol.get_command_output(shell, identifier)
    protocol.cleanup_command(shell, identifier)
    protocol.close_shell(shell)
    return output


@pytest.mark.parametrize(("name", "transport"), CASES)
def test_a_command_runs_with_its_arguments_and_user(server, hosts, name, transport):
    assert run(connect(server, name, transport), "reg", "query", "HKLM") == (b"reg query HKLM\n", b"", 0)
    assert hosts[name].calls == [("reg query HKLM", b"", "admin")]


@pytest.mark.parametrize(
    ("name", "transport", "requests"),
    [("plain", "plaintext", 5), ("secure", "ssl", 5), ("plain", "ntlm", 8), ("secure", "ntlm", 7)],
)
def test_one_command_costs_the_known_number_of_requests(server, name, transport, requests):
    run(connect(server, name, transport), "hostname")
    counts = server.counters()[name]
    operations = {"Create": 1, "Command": 1, "Receive": 1, "Signal": 1, "Delete": 1}
    if requests > 5:
        operations["Handshake"] = requests - 5
    assert (counts["requests"], counts["operations"], counts["commands"]) == (requests, operations, 1)
    assert counts["connections"] == 1
    assert counts["authentications"] == (1 if transport == "ntlm" else 5)
    assert counts["bytes_in"] > 5000
    assert counts["bytes_out"] > 2000


@pytest.mark.parametrize(("name", "transport"), CASES)
def test_stdin_arrives_whole_and_in_order(server, hosts, name, transport):
    parts = [bytes([65 + number]) * 200_000 for number in range(3)]
    output = run(connect(server, name, transport), "more", stdin=parts)
    assert hosts[name].calls[0][1] == b"".join(parts)
    assert output[0] == b"more\n" + b"".join(parts)


@pytest.mark.parametrize(("name", "transport"), CASES)
def test_large_output_comes_in_one_receive(server, hosts, name, transport):
    stdout, stderr = bytes(range(256)) * 4000, b"\r\n--Encrypted Boundary--\r\n" * 1000
    hosts[name].answer = Execution(stdout, stderr, 3)
    assert run(connect(server, name, transport), "dump") == (stdout, stderr, 3)
    assert server.counters()[name]["operations"]["Receive"] == 1


@pytest.mark.parametrize(("code", "seen"), [(0, 0), (1, 1), (-1, 4294967295), (-2147024894, 2147942402), (259, 259)])
def test_exit_codes_are_unsigned_on_the_wire(server, hosts, code, seen):
    hosts["plain"].answer = Execution(b"", b"", code)
    assert run(connect(server, "plain", "plaintext"), "x") == (b"", b"", seen)


@pytest.mark.parametrize(
    ("user", "password"), [("CONTOSO\\müller", "Paß wört €"), ("ops@fabrikam.example", "x"), ("admin", "Secret-1")]
)
@pytest.mark.parametrize("transport", ["plaintext", "ntlm"])
def test_the_host_sees_the_user_as_the_client_wrote_it(server, hosts, user, password, transport):
    credentials = (user.encode(), password.encode()) if transport == "plaintext" else (user, password)
    run(connect(server, "plain", transport, *credentials), "whoami")
    assert hosts["plain"].calls == [("whoami", b"", user)]


@pytest.mark.parametrize(("name", "transport"), CASES)
@pytest.mark.parametrize(("user", "password"), [("admin", "wrong"), ("nobody", "Secret-1"), ("admin", "")])
def test_wrong_credentials_are_rejected(server, hosts, name, transport, user, password):
    with pytest.raises(InvalidCredentialsError):
        run(connect(server, name, transport, user, password), "hostname")
    counts = server.counters()[name]
    assert (counts["authentications"], counts["commands"], hosts[name].calls) == (0, 0, [])
    assert counts["operations"] == {"Handshake": counts["requests"]}
    assert counts["rejected"] >= (1 if password or transport != "ntlm" else 0)


def test_without_allow_unencrypted_only_encrypted_messages_pass(server, hosts):
    assert run(connect(server, "strict", "ntlm"), "hostname")[0] == b"hostname\n"
    for transport, options in (("plaintext", {}), ("ntlm", {"message_encryption": "never"})):
        with pytest.raises(WinRMTransportError) as failure:
            run(connect(server, "strict", transport, **options), "hostname")
        assert failure.value.code == 500
    assert len(hosts["strict"].calls) == 1


def test_encrypted_messages_are_not_readable_on_the_wire(server, monkeypatch):
    protocol = connect(server, "plain", "ntlm")
    seen = []
    session = protocol.transport.build_session()
    send = session.send

    def listen(request, **options):
        response = send(request, **options)
        seen.append((bytes(request.body or b""), response.content))
        return response

    monkeypatch.setattr(session, "send", listen)
    run(protocol, "hostname")
    bodies = [body for pair in seen for body in pair if body]
    assert len(bodies) == 10
    assert not any(b"Envelope" in body for body in bodies)
    first = b"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\tOriginalContent: "
    second = b"\r\n--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n\x10\x00\x00\x00"
    assert all(body.startswith(first) and second in body for body in bodies)


def test_the_certificate_can_be_verified(server):
    protocol = connect(
        server, "secure", "ssl", server_cert_validation="validate", ca_trust_path=str(server.certificate_file)
    )
    assert run(protocol, "hostname")[0] == b"hostname\n"


def test_session_interface_works(server):
    address, port, _scheme = server.endpoints["plain"]
    session = winrm.Session(
        f"http://{address}:{port}/wsman",
        auth=("admin", "Secret-1"),
        transport="ntlm",
        proxy=None,
        server_cert_validation="ignore",
    )
    assert session.run_cmd("ipconfig", ["/all"]).std_out == b"ipconfig /all\n"


@pytest.mark.parametrize(
    ("name", "auth", "encryption"),
    [
        ("plain", "negotiate", "auto"),
        ("plain", "ntlm", "auto"),
        ("plain", "basic", "never"),
        ("secure", "negotiate", "auto"),
    ],
)
def test_pypsrp_runs_a_command(server, name, auth, encryption):
    address, port, scheme = server.endpoints[name]
    with WSMan(
        address, port=port, ssl=scheme == "https", username="admin", password="Secret-1", auth=auth,
        encryption=encryption, cert_validation=False, no_proxy=True,
    ) as wsman, WinRS(wsman) as shell:  # fmt: skip
        process = Process(shell, "certutil", ["-store", "My"])
        process.invoke()
        process.signal("http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/Terminate")
    assert (process.stdout, process.rc) == (b"certutil -store My\n", 0)


def test_many_hosts_serve_many_clients_at_once():
    hosts = [EchoHost(f"host{number}", answer=Execution(b"%d" % number * 100_000, b"", number)) for number in range(12)]
    with LabServer([ListenerSpec(host, address=f"127.0.2.{number}") for number, host in enumerate(hosts, 1)]) as server:

        def visit(number: int) -> tuple[bytes, bytes, int]:
            return run(connect(server, f"host{number}", "ntlm"), "x")

        with ThreadPoolExecutor(6) as pool:
            outputs = list(pool.map(visit, range(12)))
        assert outputs == [(b"%d" % number * 100_000, b"", number) for number in range(12)]
        assert {counts["requests"] for counts in server.counters().values()} == {8}


def test_a_host_never_runs_two_commands_at_once(server, hosts):
    running, most = [], []

    def execute(command_line: str, stdin: bytes, user: str) -> Execution:
        running.append(1)
        most.append(len(running))
        EchoHost.execute(EchoHost("inner", seconds=0.05), command_line, stdin, user)
        running.pop()
        return Execution(b"", b"", 0)

    hosts["plain"].execute = execute
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: run(connect(server, "plain", "plaintext"), "x"), range(4)))
    assert most == [1, 1, 1, 1]
