# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Request-CsCertificate of the lab against a small CA: where the key is made, what is asked, what comes of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lab.adcs.model import AuthorityService, CaAnswer, CaRefused, CaUnreachable, Disposition
from lab.host.machine import Machine
from lab.runtime import Lab
from lab.scenario import SimulatedHost, parse
from lab.wire.host import NetworkLogon

CALL = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "
CA = "ca01.contoso.example\\Contoso Issuing CA 1"
SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
STRONG = "Microsoft Strong Cryptographic Provider"
KSP = "Microsoft Software Key Storage Provider"
SIGNER = rsa.generate_private_key(65537, 2048)


@dataclass
class SmallAuthority:
    """Signs whatever it gets, or does what ``disposition`` says."""

    machine: Machine
    config: str = CA
    disposition: Disposition = "issued"
    fault: Exception | None = None
    asked: list[tuple[x509.CertificateSigningRequest, Mapping[str, str], str]] = field(default_factory=list)

    def submit(self, request: bytes, attributes: Mapping[str, str], requester: str, computer: bool) -> CaAnswer:
        if self.fault:
            raise self.fault
        self.asked.append((x509.load_der_x509_csr(request), dict(attributes), requester))
        return self.retrieve(len(self.asked), requester)

    def retrieve(self, request_id: int, requester: str) -> CaAnswer:
        if self.disposition != "issued":
            code = 0x80094012 if self.disposition == "denied" else 0
            return CaAnswer(self.disposition, request_id, code, "Denied by Policy Module", None, (), b"")
        request = self.asked[request_id - 1][0]
        now = self.machine.clock
        builder = x509.CertificateBuilder(
            x509.Name.from_rfc4514_string("CN=Contoso CA"),
            request.subject,
            request.public_key(),
            request_id,
            (now - timedelta(days=1)).replace(tzinfo=None),
            (now + timedelta(days=9)).replace(tzinfo=None),
        )
        der = builder.sign(SIGNER, hashes.SHA256()).public_bytes(Encoding.DER)
        return CaAnswer("issued", request_id, 0, "Issued", der, (der,), b"")


@dataclass
class Reach:
    """One CA within reach."""

    authority: SmallAuthority

    def find(self, config: str) -> AuthorityService | None:
        return self.authority if config.lower() == self.authority.config.lower() else None

    def local(self, host: str) -> AuthorityService | None:
        return None

    @property
    def all(self) -> Sequence[AuthorityService]:
        return [self.authority]


@pytest.fixture
def lab() -> Lab:
    templates: list[dict[str, Any]] = [
        {"name": "Legacy2", "schema": 2, "providers": [STRONG, SCHANNEL]},
        {"name": "Legacy4", "schema": 4, "private_key_flags": 0x06060100, "providers": [SCHANNEL]},
        {"name": "Modern", "schema": 4, "providers": [KSP]},
        {"name": "Modern3", "schema": 3, "private_key_flags": 0x02020100},
    ]
    front_end = {"name": "fe01", "lync": {"version": 2013, "pool": "pool01.contoso.example"}}
    data = {
        "lab": {"user": "Administrator", "password": "x"},
        "directory": {"templates": templates},
        "hosts": [front_end, {"name": "dc01", "domain_controller": True}],
    }
    made = Lab(parse(data, "test"))
    machine = made.machine("fe01")
    machine.authorities = Reach(SmallAuthority(machine))
    return made


def _authority(machine: Machine) -> SmallAuthority:
    assert isinstance(machine.authorities, Reach)
    return machine.authorities.authority


def _out(machine: Machine, script: str, user: str = "Administrator") -> list[str]:
    encoded = base64.b64encode(("Import-Module Lync\n" + script).encode("utf-16-le")).decode()
    execution = SimulatedHost(machine).execute(CALL + encoded, b"", user)
    assert (execution.stderr, execution.exit_code) == (b"", 0)
    return execution.stdout.decode().splitlines()


def _request(more: str = "", template: str = "Legacy4") -> str:
    call = (
        f"Request-CsCertificate -New -Type Default,WebServicesInternal -CA '{CA}' -Template {template} "
        f"-FriendlyName 'Lync 2026' -Confirm:$false {more} -ErrorAction Stop -WarningAction SilentlyContinue"
    )
    return "try{" + call + "}catch{$_.Exception.Message}"


@pytest.mark.parametrize(
    ("template", "provider", "kind"),
    [("Legacy2", STRONG, 1), ("Legacy4", SCHANNEL, 12), ("Modern", KSP, 0), ("Modern3", KSP, 0)],
)
def test_the_template_alone_decides_the_provider(lab: Lab, template: str, provider: str, kind: int) -> None:
    machine = lab.machine("fe01")
    assert _out(machine, _request(template=template)) == []
    (stored,) = machine.stores["MY"]
    assert stored.key is not None
    assert (stored.key.provider, stored.key.provider_type) == (provider, kind)
    assert stored.friendly_name == "Lync 2026"
    container = machine.container_of(stored.key)
    assert container is not None
    assert stored.issued is not None
    assert container.key.public_key() == stored.issued.certificate.public_key()


def test_names_come_from_pool_server_and_the_caller(lab: Lab) -> None:
    machine = lab.machine("fe01")
    _out(
        machine,
        _request("-DomainName 'sip.contoso.example, pool01.contoso.example' -KeySize 4096 -PrivateKeyExportable $true"),
    )
    (request, attributes, requester) = _authority(machine).asked[0]
    assert request.subject.rfc4514_string() == "CN=pool01.contoso.example"
    names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [
        "pool01.contoso.example",
        "fe01.contoso.example",
        "sip.contoso.example",
    ]
    key = request.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size == 4096
    assert attributes == {"CertificateTemplate": "Legacy4"}
    assert requester == "CONTOSO\\Administrator"
    assert [container.exportable for container in machine.containers] == [True]


def test_a_pending_request_stays_and_is_retrieved(lab: Lab) -> None:
    machine = lab.machine("fe01")
    _authority(machine).disposition = "pending"
    assert _out(machine, _request()) == []
    assert machine.stores["MY"] == []
    assert [one.friendly_name for one in machine.stores["REQUEST"]] == ["Lync 2026"]
    assert _out(machine, "Request-CsCertificate -List|ForEach-Object{[string]$_.RequestId+' '+$_.CertificateUses}") == [
        "1 Default WebServicesInternal"
    ]
    _out(machine, "Request-CsCertificate -Retrieve")
    assert machine.stores["MY"] == []
    _authority(machine).disposition = "issued"
    _out(machine, "Request-CsCertificate -Retrieve -RequestId 1")
    assert [one.friendly_name for one in machine.stores["MY"]] == ["Lync 2026"]
    assert machine.stores["REQUEST"] == []
    assert _out(machine, "@(Request-CsCertificate -List).Count") == ["0"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (CaUnreachable(0x800706BA), "The RPC server is unavailable. (Exception from HRESULT: 0x800706BA)"),
        (CaRefused(0x80070005), "Access is denied. (Exception from HRESULT: 0x80070005)"),
    ],
)
def test_a_ca_that_does_nothing_leaves_nothing(lab: Lab, fault: Exception, said: str) -> None:
    machine = lab.machine("fe01")
    _authority(machine).fault = fault
    assert _out(machine, _request()) == [f"Command execution failed: {said}"]
    assert list(machine.containers) == []


def test_a_denial_is_told(lab: Lab) -> None:
    machine = lab.machine("fe01")
    _authority(machine).disposition = "denied"
    (line,) = _out(machine, _request())
    assert "0x80094012" in line
    assert machine.stores["MY"] == []


def test_an_unknown_template_and_ca(lab: Lab) -> None:
    machine = lab.machine("fe01")
    assert "0x80094800" in _out(machine, _request(template="Nothing"))[0]
    assert "0x800706BA" in _out(machine, _request().replace("ca01", "ca02"))[0]
    assert _authority(machine).asked == []


def test_a_network_logon_has_no_credentials_for_the_ca(lab: Lab) -> None:
    machine = lab.machine("fe01")
    (line,) = _out(machine, _request(), NetworkLogon("Administrator"))
    assert "Access is denied." in line
    assert _authority(machine).asked == []
    assert list(machine.containers) == []


def test_there_is_no_parameter_for_the_provider(lab: Lab) -> None:
    script = "(Get-Command Request-CsCertificate).Parameters.Keys -like '*prov*'"
    assert _out(lab.machine("fe01"), script) == []
