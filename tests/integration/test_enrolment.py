# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates requested in every way, installed, proven and assigned, over WinRM and PowerShell remoting."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from crash_sweep import AUTHORITY, ISSUED, SCENARIO, SCHANNEL
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from lab.lync.journal import states
from lab.runtime import Lab
from lab.wire.faults import Fault

PASSWORD = "Lab-Pass-2026!"
CONFIG = "ca01.contoso.example\\Contoso Issuing CA 1"
OTHER = "Fabrikam Public CA"
REQUESTS = [
    {"types": ["Default"], "subject_alt_names": ["pool01.contoso.example", "sip.contoso.example"]},
    {
        "types": ["WebServicesInternal"],
        "subject": "CN=web.contoso.example",
        "subject_alt_names": ["web.contoso.example", "meet.contoso.example"],
        "key_length": 4096,
        "friendly_name": "Lync web",
    },
]
POOL_NAMES = {"pool01.contoso.example", "sip.contoso.example"}


def ways(**variables: Any) -> dict[str, Any]:
    return {"variables": {f"lync_certificates_{name}": value for name, value in variables.items()}}


SERVERS: dict[str, dict[str, Any]] = {
    "old": {"os": "6.1.7601", "powershell": "2.0", "language": "de", "transport": "ntlm"},
    "remoting": {"connection": "psrp"},
    "machine": {**ways(request_way="direct", ca=CONFIG, admin_force_machine=True), "transport": "ntlm"},
    "extern": ways(request_way="external"),
    "lync": ways(request_way="lync", ca=CONFIG, request_template="LyncWebServer"),
    "approved": ways(request_template="LyncApproved"),
    "ending": ways(renew_before_days=30),
    "adopting": {},
    "asking": ways(requests=REQUESTS),
}
"""The Lync servers, and how each comes to its certificates."""
PENDING = ("extern", "approved")
AGAIN = ("old", "machine", "lync", "asking")
"""Servers that the playbook meets once more when all is done there; so it does those that are pending."""


def certificate(name: str, identifier: str, **more: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "subject": "CN=pool01.contoso.example,O=Contoso",
        "san": [*POOL_NAMES, f"{name}.contoso.example"],
        "template": {"name": "LyncWebServer"},
        "friendly_name": f"Lync {identifier}",
        **more,
    }


def server(name: str, **more: Any) -> dict[str, Any]:
    holder = "schannel" if name == "ending" else "cng"
    validity = [-300, 10] if name == "ending" else [-30, 335]
    held = [
        certificate(
            name, "pool", key={"holder": holder}, validity=validity, assigned=["Default", "WebServicesInternal"]
        )
    ]
    if name == "adopting":
        held.append(certificate(name, "ready", key={"holder": "schannel"}, validity=[-1, 364]))
    lync = {"version": 2013, "pool": "pool01.contoso.example", "roles": ["Registrar"]}
    return {"name": name, "roles": ["lync_frontends"], "lync": lync, "stores": {"My": held}, **more}


def scenario() -> str:
    compliant = {
        "private_key_flags": 0x06060110,
        "providers": [SCHANNEL],
        "enroll": ["Domain Users", "Domain Computers"],
    }
    templates = [
        {"name": "LyncWebServer", **compliant},
        {"name": "LyncApproved", **compliant, "attributes": {"msPKI-Enrollment-Flag": 2}},
    ]
    cas = {"contoso": (AUTHORITY, "ca01"), "fabrikam": (OTHER, "ca02")}
    return yaml.safe_dump(
        {
            "lab": {"domain": "contoso.example", "user": "Administrator", "password": PASSWORD},
            "cas": [
                {"id": one, "subject": f"CN={name}", "crl": f"http://pki.contoso.example/{one}.crl"}
                for one, (name, _host) in cas.items()
            ],
            "directory": {
                "templates": templates,
                "cas": [
                    {"name": name, "host": f"{host}.contoso.example", "templates": ["LyncWebServer", "LyncApproved"]}
                    for name, host in cas.values()
                ],
            },
            "adcs": [{"id": one, "host": host} for one, (_name, host) in cas.items()],
            "hosts": [
                *({"name": host, "roles": ["cas"]} for _name, host in cas.values()),
                *(server(name, **more) for name, more in SERVERS.items()),
            ],
        }
    )


def answer(lab: Lab, directory: Path) -> None:
    """Let the other CA answer what lies in the directory, as PKCS #7, beside files that are no answers."""
    for path in directory.glob("*.csr"):
        request = x509.load_pem_x509_csr(path.read_bytes()).public_bytes(Encoding.DER)
        done = lab.authority(OTHER).submit(request, {"CertificateTemplate": "LyncWebServer"}, "Administrator", False)
        chain = [x509.load_der_x509_certificate(one) for one in (done.certificate, *done.chain)]
        (directory / "from the CA.p7b").write_bytes(pkcs7.serialize_certificates(chain, Encoding.DER))
    (directory / "note.txt").write_text("The certificates are in from the CA.p7b.", encoding="utf-8")


def rows(lab: Lab, authority: str = AUTHORITY) -> list[int]:
    return [row.disposition for row in lab.authority(authority).rows]


def certificates(lab: Lab, name: str) -> dict[str, Any]:
    """What Lync uses on a server: its certificates in the store by their usages."""
    machine = lab.machine(name)
    return {use: machine.find(thumbprint) for use, thumbprint in machine.lync.assignments}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory, new_controller):
    """A lab on which the playbook ran three times, with what was between: on all servers, on some, on those pending."""
    path = tmp_path_factory.mktemp("ways") / "scenario.yml"
    path.write_text(scenario(), encoding="utf-8")
    controller = new_controller()
    with Lab.from_scenario(path) as lab:
        before = {name: lab.machine(name).lync.assignments for name in SERVERS}
        first = controller.enforce(lab, "lync_frontends", "--diff", ca_host="ca01")
        between = {name: lab.machine(name).lync.assignments for name in SERVERS}
        asked = rows(lab)
        for row in list(lab.authority(AUTHORITY).rows):
            if row.disposition != ISSUED:
                lab.authority(AUTHORITY).approve(row.request_id)
        answer(lab, controller.directory / "certificate_requests")
        second = controller.enforce(lab, ",".join([*AGAIN, *PENDING]), ca_host="ca01")
        third = controller.enforce(lab, ",".join(PENDING), ca_host="ca01")
        yield lab, (first, second, third), (before, between, asked)


def test_every_run_ends_well_and_a_run_after_the_last_changes_nothing(fleet):
    _lab, runs, _states = fleet
    assert [run.exit_code for run in runs] == [0, 0, 0], "".join(run.output for run in runs if run.exit_code)
    assert "Traceback" not in "".join(run.output for run in runs)
    for name in AGAIN:
        assert runs[1].changed_on(name) == 0
    for name in PENDING:
        assert (runs[1].changed_on(name) > 0, runs[2].changed_on(name)) == (True, 0)


@pytest.mark.parametrize("name", SERVERS)
def test_what_lync_uses_has_its_key_in_the_wanted_provider(fleet, name):
    lab, _runs, _states = fleet
    assert {flaw for _use, _thumbprint, flaw in states(lab.machine(name))} == {None}
    for stored in certificates(lab, name).values():
        assert stored.key.provider == SCHANNEL
        assert lab.machine(name).container_of(stored.key)
    assert lab.machine(name).store("REQUEST")[1] == []


@pytest.mark.parametrize("name", SERVERS)
def test_what_waits_for_somebody_keeps_the_old_certificate_until_then(fleet, name):
    _lab, runs, (before, between, _asked) = fleet
    assert (between[name] == before[name]) is (name in PENDING)
    assert not runs[0].failures(name)


def test_nothing_is_requested_twice(fleet):
    lab, _runs, (_before, _between, asked) = fleet
    requested = len(SERVERS) - len({"extern", "adopting"}) + len(REQUESTS) - 1
    assert len(asked) == requested
    assert rows(lab) == [ISSUED] * requested
    assert rows(lab, OTHER) == [ISSUED]


def test_the_computer_account_asks_where_that_was_wanted(fleet):
    lab, _runs, _states = fleet
    requesters = [row.requester for row in lab.authority(AUTHORITY).rows]
    assert requesters.count("CONTOSO\\MACHINE$") == 1


def test_what_is_pending_is_told_with_its_number_and_its_ca(fleet):
    lab, (first, _second, _third), _states = fleet
    told = " ".join(first.output.split())
    approved = [row for row in lab.authority(AUTHORITY).rows if row.template.name == "LyncApproved"]
    [number] = {row.request_id for row in approved}
    assert f"Request {number} waits for a manager of CA01\\\\{AUTHORITY}; run it again once it is issued" in told
    assert "extern-default-webservicesinternal.csr" in told


def test_a_good_certificate_in_the_store_is_assigned_and_none_is_requested(fleet):
    lab, _runs, _states = fleet
    assert {stored.identifier for stored in certificates(lab, "adopting").values()} == {"ready"}


def test_a_certificate_near_its_end_is_replaced_when_that_is_wanted(fleet):
    lab, _runs, (before, _between, _asked) = fleet
    [new] = {stored.key_name for stored in certificates(lab, "ending").values()}
    assert new not in {thumbprint for _use, thumbprint in before["ending"]}


def test_what_is_asked_for_is_what_comes(fleet):
    lab, _runs, _states = fleet
    held = certificates(lab, "asking")
    web = held["WebServicesInternal"].issued.certificate
    assert web.subject.rfc4514_string() == "CN=web.contoso.example"
    assert web.public_key().key_size == 4096
    names = web.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"web.contoso.example", "meet.contoso.example"}
    default = held["Default"].issued.certificate
    names = default.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == POOL_NAMES


def test_lync_never_lost_a_certificate_that_worked(fleet):
    assert fleet[0].deployment.journal.violations == []


def test_the_diff_shows_what_was_requested_and_what_was_assigned(fleet):
    _lab, (first, _second, _third), _states = fleet
    for line in ("+subject: CN=pool01.contoso.example,O=Contoso", "+status: issued", "+status: pending"):
        assert line in first.stdout
    assert "-Default: " in first.stdout
    assert "+Default: " in first.stdout


@pytest.fixture(scope="module")
def small():
    with Lab.from_scenario(SCENARIO) as lab:
        yield lab


POOL = {"subject": "CN=pool01.contoso.example", "subject_alt_names": ["pool01.contoso.example"]}
ASSIGNMENT = {"types": ["Default"], "thumbprint": "{{ r11.thumbprint }}"}
STEPS: list[tuple[str, dict[str, Any]]] = [
    ("certificate_request", {**POOL, "template": "LyncWebServer", "exportable": True}),
    ("adcs_certificate", {"csr": "{{ r2.csr }}", "template": "LyncWebServer", "ca": CONFIG}),
    ("external_certificate", {"csr": "{{ r2.csr }}", "path": "requests", "name": "fe01"}),
    ("certificate_install", {"certificate": "{{ r5.certificate }}", "chain": "{{ r5.chain }}"}),
    ("lync_certificate", ASSIGNMENT),
]
"""What is done three times: in check mode, indeed, and once more."""
READERS: list[tuple[str, dict[str, Any]]] = [
    ("lync_certificate_info", {}),
    ("lync_certificate_plan", {"requests": REQUESTS}),
    ("certificate_export", {"thumbprint": "{{ r11.thumbprint }}", "password": "Transfer-Pass-1"}),
]
OPTIONAL = {"changed", "failed", "diff", "warnings"}


@pytest.fixture(scope="module")
def steps(small, new_controller):
    """The results by module: of three times, or of one."""
    tasks: list[dict[str, Any]] = []
    for module, arguments in STEPS:
        where = {"delegate_to": "localhost"} if module == "external_certificate" else {}
        tasks += [{module: arguments, **where, "check_mode": True, "diff": True}]
        tasks += [{module: arguments, **where}] * 2
    results = new_controller().tasks(small, "fe01", [*tasks, *({module: arguments} for module, arguments in READERS)])
    found = {module: results[3 * number : 3 * number + 3] for number, (module, _arguments) in enumerate(STEPS)}
    return found | {module: [result] for (module, _arguments), result in zip(READERS, results[-3:], strict=True)}


@pytest.mark.parametrize("module", [module for module, _arguments in STEPS])
def test_check_mode_tells_and_changes_nothing_and_a_second_run_changes_nothing(steps, module):
    planned, done, again = steps[module]
    assert (planned["changed"], done["changed"], again["changed"]) == (True, True, False), again
    assert planned["diff"]
    assert all(difference["before"] != difference["after"] for difference in planned["diff"])


@pytest.mark.parametrize("module", [module for module, _arguments in (*STEPS, *READERS)])
def test_a_result_has_what_is_documented(steps, module):
    documented = importlib.import_module(f"ansible_collections.winpki.keyprovider.plugins.modules.{module}").RETURN
    for result in steps[module]:
        assert not result.get("failed"), result
        assert set(result) - OPTIONAL == set(yaml.safe_load(documented))


def test_what_is_installed_is_proven_and_read_back(steps):
    _planned, done, again = steps["certificate_install"]
    assert done["proof"] == again["proof"] == {"signed": True, "provider": SCHANNEL, "provider_type": 12, "key_spec": 1}
    [installed] = done["certificates"]
    assert installed["key"]["provider"] == SCHANNEL
    assert installed["verdict"]["status"] == "suitable"


def test_an_answer_of_any_form_is_taken_and_of_several_the_one_that_lasts_longest(small, controller):
    """The other files of the directory do no harm."""
    [made] = controller.tasks(small, "fe02", [{"certificate_request": POOL}])
    csr = x509.load_pem_x509_csr(made["csr"].encode()).public_bytes(Encoding.DER)
    issued = [submitted(small, csr) for _number in range(2)]
    loaded = [x509.load_der_x509_certificate(one.certificate) for one in issued]
    assert loaded[0].serial_number != loaded[1].serial_number
    chain = [x509.load_der_x509_certificate(one) for one in issued[0].chain]
    forms = {
        "pem": loaded[0].public_bytes(Encoding.PEM),
        "der": loaded[0].public_bytes(Encoding.DER),
        "p7b": pkcs7.serialize_certificates([*chain, loaded[0]], Encoding.PEM),
    }
    tasks: list[dict[str, Any]] = []
    for form, data in {**forms, "both": loaded[1].public_bytes(Encoding.PEM) + forms["pem"]}.items():
        directory = controller.directory / form
        directory.mkdir()
        (directory / "answer.bin").write_bytes(data)
        (directory / "other.cer").write_bytes(b"no certificate")
        arguments = {"csr": made["csr"], "path": str(directory), "name": "fe02"}
        tasks.append({"external_certificate": arguments, "delegate_to": "localhost"})
    for result in controller.tasks(small, "fe02", tasks):
        assert result["status"] == "issued", result
        assert result["certificate"].encode() in [one.public_bytes(Encoding.PEM) for one in loaded]
        assert [problem["origin"].rpartition("/")[2] for problem in result["problems"]] == ["other.cer"]


def submitted(lab: Lab, csr: bytes) -> Any:
    """What the CA says to a request that somebody submits by hand."""
    return lab.authority(AUTHORITY).submit(
        csr, {"CertificateTemplate": "LyncWebServer"}, "CONTOSO\\Administrator", False
    )


def test_a_request_that_was_submitted_by_hand_is_retrieved_by_its_number(small, controller):
    [made] = controller.tasks(small, "fe01", [{"certificate_request": {"subject": "CN=byhand.contoso.example"}}])
    number = submitted(small, x509.load_pem_x509_csr(made["csr"].encode()).public_bytes(Encoding.DER)).request_id
    before = len(rows(small))
    arguments = {"csr": made["csr"], "template": "LyncWebServer"}
    by_number, kept = controller.tasks(
        small, "ca01", [{"adcs_certificate": {**arguments, "request_id": number}}, {"adcs_certificate": arguments}]
    )
    assert (by_number["status"], by_number["request_id"], by_number["changed"]) == ("issued", number, True)
    assert (kept["certificate"], kept["changed"]) == (by_number["certificate"], False)
    assert len(rows(small)) == before


@pytest.mark.parametrize("cut", [Fault("cut_before", at=2, operation="Command"), Fault("cut_after", operation="Send")])
def test_a_connection_cut_while_the_ca_is_asked_is_told_and_the_next_run_asks_once(small, controller, cut):
    before = len(rows(small))
    [made] = controller.tasks(
        small, "edge01", [{"certificate_request": {"subject": f"CN={cut.operation}.contoso.example"}}]
    )
    asking = {"adcs_certificate": {"csr": made["csr"], "template": "LyncWebServer"}}
    small.server.script_fault("ca01", cut)
    [broken] = controller.tasks(small, "ca01", [asking])
    small.server.clear_faults()
    assert broken["unreachable"]
    assert "The connection to the host broke" in broken["msg"]
    assert "then run it again" in broken["msg"]
    [done] = controller.tasks(small, "ca01", [asking])
    assert done["status"] == "issued"
    assert rows(small)[before:] == [ISSUED]
