# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real client pypsrp against the PowerShell remoting endpoint of the lab's WinRM server."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from lab.wire import soap
from lab.wire.echo import EchoHost, EchoRunspace
from lab.wire.host import ScriptError, ScriptResult
from lab.wire.server import LabServer, ListenerSpec
from pypsrp.complex_objects import PSInvocationState
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.host import PSHost, PSHostUserInterface
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.shell import SignalCode
from pypsrp.wsman import WSMan

SELECTORS = 0x8033805B
UNSUPPORTED = 0x80338042
INVALID_BODY = 0x80338027
ACCESS_DENIED = 5


@pytest.fixture
def host() -> EchoHost:
    return EchoHost("fe01", {"admin": "Secret-1", "other": "Secret-2"})


@pytest.fixture
def server(host: EchoHost) -> Iterator[LabServer]:
    with LabServer([ListenerSpec(host)]) as lab:
        yield lab


def connect(server: LabServer, *, user: str = "admin", password: str = "Secret-1", **options: object) -> WSMan:
    address, port, scheme = server.endpoints["fe01"]
    options = {"auth": "basic", "encryption": "never", "cert_validation": False, "no_proxy": True} | options
    return WSMan(address, port=port, ssl=scheme == "https", username=user, password=password, **options)


def open_pool(server: LabServer, **options: object) -> RunspacePool:
    user_interface = PSHostUserInterface()
    pool = RunspacePool(connect(server, **options), host=PSHost(None, None, False, "test", None, user_interface, None))
    pool.open()
    return pool


def begin(pool: RunspacePool, script: str, given: object = None) -> PowerShell:
    pipeline = PowerShell(pool)
    pipeline.add_script(script, use_local_scope=True)
    pipeline.begin_invoke(input=given)
    return pipeline


def run(pool: RunspacePool, script: str, given: object = None) -> PowerShell:
    pipeline = begin(pool, script, given)
    pipeline.end_invoke()
    return pipeline


@pytest.mark.parametrize(
    ("tls", "auth", "encryption"),
    [
        (False, "basic", "never"),
        (False, "ntlm", "auto"),
        (False, "negotiate", "always"),
        (True, "basic", "auto"),
        (True, "ntlm", "auto"),
    ],
)
def test_a_script_runs_over_every_transport(host, tls, auth, encryption):
    with LabServer([ListenerSpec(host, tls=tls, allow_unencrypted=encryption == "never")]) as server:
        pool = open_pool(server, auth=auth, encryption=encryption)
        pipeline = run(pool, "'Grüße €'")
        pool.close()
    assert (pipeline.output, pipeline.had_errors, pool.host.rc) == (["'Grüße €'"], False, None)


def test_a_script_takes_the_requests_that_windows_needs(server):
    pool = open_pool(server)
    run(pool, "1")
    pool.close()
    counters = server.counters()["fe01"]
    assert counters["operations"] == {"Create": 1, "Receive": 3, "Command": 1, "Delete": 1}
    assert counters["commands"] == 1


@pytest.mark.parametrize(("powershell", "protocol"), [("2.0", "2.1"), ("3.0", "2.2"), ("4.0", "2.2"), ("5.1", "2.3")])
def test_each_powershell_speaks_its_version_of_the_protocol(server, host, powershell, protocol):
    host.powershell = powershell
    pool = open_pool(server)
    assert pool.protocol_version == protocol
    assert run(pool, "same").output == ["same"]


@pytest.mark.parametrize("given", ["one\ntwo ü", b"\x00\xff", 5, True])
def test_input_reaches_the_script_as_the_object_it_was(server, given):
    assert run(open_pool(server), "$input", given).output == ["$input", repr(given)]


def test_a_script_of_many_fragments_arrives_whole(server):
    script = "x" * 1_500_000
    given = "y" * 600_000
    assert run(open_pool(server), script, given).output == [script, repr(given)]


def test_what_a_script_leaves_arrives(server, host):
    place = "At line:1 char:1\r\n+ nonsense"
    category = "ObjectNotFound: (tool.exe:String) [x], Missing"
    missing = ScriptError("no nonsense", "tool.exe", "NotFound", category, place)
    host.script_answer = ScriptResult(["text", 7], [missing], ["past the pipeline"], -2146885628)
    pool = open_pool(server)
    pipeline = run(pool, "nonsense")
    assert pipeline.output == ["text", 7]
    assert (pipeline.state, pipeline.had_errors) == (PSInvocationState.COMPLETED, False)
    assert pool.host.rc == -2146885628
    assert pool.host.ui.stdout == ["past the pipeline\r\n"]
    (error,) = pipeline.streams.error
    assert (str(error), error.command_name, error.fq_error) == ("no nonsense", "tool.exe", "NotFound")
    assert error.message == category
    assert error.invocation_position_message == place


def test_an_error_that_ends_the_script_fails_the_pipeline(server, host):
    host.script_answer = ScriptResult(["before"], failure=ScriptError("thrown"))
    pipeline = run(open_pool(server), "throw")
    assert (pipeline.output, pipeline.state, pipeline.had_errors) == (["before"], PSInvocationState.FAILED, True)
    assert [str(error) for error in pipeline.streams.error] == ["thrown"]


def test_a_pool_runs_one_script_after_the_other(server):
    pool = open_pool(server)
    for number in range(3):
        pipeline = run(pool, str(number))
        assert pipeline.output == [str(number)]
        pipeline.state = PSInvocationState.RUNNING  # as Ansible's plugin does before it begins the next one
        pipeline.stop()
    assert server.counters()["fe01"]["operations"]["Signal"] == 3


def test_a_slow_script_times_out_until_it_ends(server, host):
    host.seconds = 1.6
    pool = open_pool(server, operation_timeout=1, read_timeout=5)
    assert run(pool, "slow").output == ["slow"]
    assert server.counters()["fe01"]["operations"]["Receive"] == 4
    assert server.counters()["fe01"]["commands"] == 1


def test_a_running_script_can_be_stopped(server, host):
    host.seconds = 1.0
    pool = open_pool(server)
    pipeline = begin(pool, "slow")
    pool.shell.signal(SignalCode.PS_CTRL_C, pipeline.id)
    assert pipeline.end_invoke() == []
    assert pipeline.state == PSInvocationState.STOPPED
    assert str(pipeline.streams.error[0]) == "The pipeline has been stopped."


def test_a_pipeline_that_was_closed_is_gone(server):
    pool = open_pool(server)
    pipeline = run(pool, "1")
    pipeline.close()
    with pytest.raises(WSManFaultError) as caught:
        pool.shell.receive("stdout", command_id=pipeline.id)
    assert caught.value.code == SELECTORS


def test_a_closed_pool_is_gone(server):
    pool = open_pool(server)
    shell_id, selectors = pool.id, pool.shell._selector_set
    pool.close()
    assert shell_id
    with pytest.raises(WSManFaultError) as caught:
        pool.connection.delete(soap.POWERSHELL_URI, selector_set=selectors)
    assert caught.value.code == SELECTORS


def test_a_pool_belongs_to_its_user(server):
    pool = open_pool(server)
    pool.connection = pool.shell.wsman = connect(server, user="other", password="Secret-2")
    with pytest.raises(WSManFaultError) as caught:
        begin(pool, "1")
    assert caught.value.code == ACCESS_DENIED


def test_a_wrong_password_opens_nothing(server):
    with pytest.raises(AuthenticationError):
        open_pool(server, password="wrong")


def test_a_broken_host_is_a_fault_that_says_so(server, monkeypatch):
    def broken(*arguments: object) -> ScriptResult:
        raise LookupError("no such <tool>")

    monkeypatch.setattr(EchoRunspace, "run", broken)
    with pytest.raises(WSManFaultError, match="LookupError: no such <tool>"):
        run(open_pool(server), "1")


@pytest.mark.parametrize("local", [True, False])
def test_the_scope_that_the_client_wants_reaches_the_host(server, monkeypatch, local):
    monkeypatch.setattr(EchoRunspace, "run", lambda _self, script, values, local_scope: ScriptResult([local_scope]))
    pipeline = PowerShell(open_pool(server))
    pipeline.add_script("1", use_local_scope=local)
    assert pipeline.invoke() == [local]


@pytest.mark.parametrize("limit", [8192, 153600, 1_000_000])
def test_output_is_split_to_the_smaller_envelope(host, limit):
    host.script_answer = ScriptResult(["line " + "x" * 90] * 3000 + ["long " + "y" * 300_000], exit_code=3)
    sizes = []
    with LabServer([ListenerSpec(host, max_envelope=limit)]) as server:
        pool = open_pool(server)
        send = pool.connection.transport.send

        def measure(message: bytes, **options: object) -> bytes:
            reply = send(message, **options)
            sizes.append(len(reply))
            return reply

        pool.connection.transport.send = measure
        pipeline = run(pool, "dump")
        assert pipeline.output == host.script_answer.output
        assert pool.host.rc == 3
    assert max(sizes) <= min(limit, 512_000)
    assert len(sizes) > sum(sizes) // 512_000


def test_what_is_no_psrp_is_refused(server):
    pool = open_pool(server)
    for data in (b"", b"\x00" * 5, b"\x00" * 7 + b"\x09" + b"\x00" * 8 + b"\x03" + b"\x00\x00\x00\x04junk"):
        with pytest.raises(WSManFaultError) as caught:
            pool.shell.command("", [base64.b64encode(data).decode() or "*"])
        assert caught.value.code == INVALID_BODY


def test_pipelines_other_than_one_script_are_refused(server):
    pool = open_pool(server)
    cmdlet, arguments, two = PowerShell(pool), PowerShell(pool), PowerShell(pool)
    cmdlet.add_cmdlet("Get-Process")
    arguments.add_script("param($a)").add_argument(1)
    two.add_script("1").add_script("2")
    for pipeline in (cmdlet, arguments, two):
        with pytest.raises(WSManFaultError) as caught:
            pipeline.invoke()
        assert caught.value.code == UNSUPPORTED
    with pytest.raises(WSManFaultError, match="PublicKeyEvent"):
        pool.exchange_keys()
    assert run(pool, "still there").output == ["still there"]
