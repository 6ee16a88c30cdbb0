# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripted faults, counters and the control endpoint of the lab's WinRM server."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
import winrm
from lab.wire.echo import EchoHost
from lab.wire.faults import Fault
from lab.wire.server import LabServer, ListenerSpec
from winrm.exceptions import WinRMTransportError, WSManFaultError

STEPS = ["Create", "Command", "Receive", "Signal", "Delete"]


@pytest.fixture
def host() -> EchoHost:
    return EchoHost("fe01")


@pytest.fixture
def server(host: EchoHost) -> Iterator[LabServer]:
    with LabServer([ListenerSpec(host), ListenerSpec(EchoHost("fe02"))]) as lab:
        yield lab


def run(server: LabServer, transport: str = "plaintext", name: str = "fe01") -> bytes:
    address, port, scheme = server.endpoints[name]
    protocol = winrm.Protocol(
        f"{scheme}://{address}:{port}/wsman",
        transport,
        "admin",
        "Secret-1",
        proxy=None,
        server_cert_validation="ignore",
    )
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "hostname")
    stdout, _stderr, _code = protocol.get_command_output(shell, command)
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)
    return stdout


@pytest.mark.parametrize("transport", ["plaintext", "ntlm"])
@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_a_connection_is_cut_at_the_chosen_request(server, host, kind, at, transport):
    handshake = 3 if transport == "ntlm" else 0
    server.script_fault("fe01", Fault(kind, at=handshake + at))
    with pytest.raises(requests.exceptions.ConnectionError):
        run(server, transport)
    counts = server.counters()["fe01"]
    assert counts["requests"] == handshake + at
    assert [name for name in STEPS if name in counts["operations"]] == STEPS[:at]
    assert counts["faults"] == 1
    acted = at > 2 or (at == 2 and kind == "cut_after")
    assert counts["commands"] == acted
    assert run(server, transport) == b"hostname\n"


def test_a_cut_inside_the_handshake(server, host):
    server.script_fault("fe01", Fault("cut_before", at=2))
    with pytest.raises(requests.exceptions.ConnectionError):
        run(server, "ntlm")
    assert server.counters()["fe01"]["operations"] == {"Handshake": 2}
    assert host.calls == []


def test_a_fault_can_wait_for_an_operation(server):
    server.script_fault("fe01", Fault("cut_after", operation="Receive", at=2))
    assert run(server) == b"hostname\n"
    with pytest.raises(requests.exceptions.ConnectionError):
        run(server)
    assert server.counters()["fe01"]["operations"]["Receive"] == 2


def test_a_fault_strikes_as_often_as_told_and_only_its_host(server):
    server.script_fault("fe01", Fault("http_500", times=2))
    for _round in range(2):
        with pytest.raises(WinRMTransportError) as failure:
            run(server)
        assert (failure.value.code, server.counters()["fe02"]["faults"]) == (500, 0)
    assert run(server) == b"hostname\n"
    assert run(server, name="fe02") == b"hostname\n"
    assert server.counters()["fe01"]["faults"] == 2


@pytest.mark.parametrize("transport", ["plaintext", "ntlm"])
def test_a_quota_fault_carries_the_code_that_ansible_looks_for(server, host, transport):
    server.script_fault("fe01", Fault("quota", operation="Command"))
    with pytest.raises(WSManFaultError) as failure:
        run(server, transport)
    assert failure.value.wmierror_code == 0x803381A6
    assert host.calls == []


def test_a_delay_delays_one_request(server):
    server.script_fault("fe01", Fault("delay", operation="Command", seconds=0.4))
    begin = time.monotonic()
    run(server)
    middle = time.monotonic()
    run(server)
    assert middle - begin > 0.4
    assert middle - begin > time.monotonic() - middle


def test_cleared_faults_do_not_strike(server):
    server.script_fault("fe01", Fault("http_500"))
    server.clear_faults()
    assert run(server) == b"hostname\n"


@pytest.mark.parametrize(
    "values",
    [{"kind": "burn"}, {"kind": "delay", "seconds": -1}, {"kind": "delay", "at": 0}, {"kind": "delay", "times": 0}],
)
def test_an_impossible_fault_is_refused(values):
    with pytest.raises(ValueError, match=r"kind|begin"):
        Fault(**values)


def test_an_unknown_host_is_refused(server):
    with pytest.raises(KeyError):
        server.script_fault("nobody", Fault("http_500"))


def test_counters_begin_again_at_zero(server):
    run(server)
    assert server.counters()["fe01"]["requests"] == 5
    server.reset_counters()
    counts = server.counters()["fe01"]
    assert counts.pop("operations") == {}
    assert set(counts.values()) == {0}
    run(server)
    assert server.counters()["fe01"]["requests"] == 5


def test_bytes_are_those_of_the_requests_and_responses(server, monkeypatch):
    sent = []

    class Adapter(requests.adapters.HTTPAdapter):
        def send(self, request, **options):
            response = super().send(request, **options)
            sent.append((len(request.body), len(response.content)))
            return response

    monkeypatch.setattr(requests.sessions, "HTTPAdapter", Adapter)
    run(server)
    counts = server.counters()["fe01"]
    heads_in = counts["bytes_in"] - sum(request for request, _other in sent)
    heads_out = counts["bytes_out"] - sum(response for _other, response in sent)
    assert 5 * 150 < heads_in < 5 * 500
    assert 5 * 100 < heads_out < 5 * 200


class TestControl:
    def test_counters_can_be_read_and_reset(self, server):
        run(server)
        counts = requests.get(server.control_url + "/counters", timeout=5).json()
        assert counts == server.counters()
        assert counts["fe01"]["requests"] == 5
        assert requests.post(server.control_url + "/counters/reset", timeout=5).status_code == 200
        assert server.counters()["fe01"]["requests"] == 0

    def test_endpoints_are_listed(self, server):
        listed = requests.get(server.control_url + "/endpoints", timeout=5).json()
        assert listed == {name: list(endpoint) for name, endpoint in server.endpoints.items()}

    def test_faults_can_be_scripted_and_cleared(self, server):
        fault = {"host": "fe01", "kind": "cut_after", "at": 2}
        assert requests.post(server.control_url + "/faults", json=fault, timeout=5).status_code == 200
        with pytest.raises(requests.exceptions.ConnectionError):
            run(server)
        requests.post(server.control_url + "/faults", json=fault, timeout=5)
        requests.post(server.control_url + "/faults/clear", json={}, timeout=5)
        assert run(server) == b"hostname\n"

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ('{"host": "nobody", "kind": "quota"}', "nobody"),
            ('{"host": "fe01", "kind": "burn"}', "burn"),
            ('{"host": "fe01", "kind": "quota", "when": 3}', "when"),
            ('{"host": "fe01"}', "kind"),
            ('{"host": "fe01", "kind": "quota", "at": "3"}', "not supported"),
            ("[1]", "no JSON object"),
            ("{", "Expecting"),
        ],
    )
    def test_nonsense_is_refused_with_a_message(self, server, body, message):
        response = requests.post(server.control_url + "/faults", body, timeout=5)
        assert (response.status_code, message in response.json()["error"]) == (400, True)

    def test_unknown_routes_list_the_known(self, server):
        response = requests.get(server.control_url + "/", timeout=5)
        assert (response.status_code, "GET /counters" in response.json()["error"]) == (404, True)
