# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running lab: the hosts of a scenario behind a real WinRM server, and the inventory that reaches them.

with Lab.from_scenario(Path("demo.yml")) as lab:
run(["ansible-playbook", "-i", str(lab.inventory_path), ...])
assert lab.counters("fe01")["requests"] == 5
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Literal

import yaml

from . import scenario_directory
from .adcs.authority import CertificationAuthority
from .directory.model import Directory
from .host.machine import Machine
from .lync.deployment import form
from .scenario import HostPlan, Scenario, SimulatedHost, load
from .wire.server import LabServer, ListenerSpec

SCENARIOS = Path(__file__).parent / "scenarios"


class Lab:
    """The hosts of a scenario, listening from entry to exit of the context."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        ports: Literal["real", "free"] = "free",
        control_port: int = 0,
        directory: Directory | None = None,
    ) -> None:
        """The lab of a scenario that has been read.

        :param directory: takes the place of the embedded directory and is filled with what the scenario plans.

        Raises:
            ScenarioError: the directory refuses what the scenario plans.
        """
        self.scenario = scenario
        self._forest: Directory | None = None
        if scenario.directory is not None:
            members = [
                (plan.machine, plan.domain_controller)
                for plan in scenario.hosts
                if plan.domain_controller or plan.ad_tools
            ]
            self._forest = scenario_directory.establish(scenario.directory, members, directory)
        self._authorities = scenario.adcs.establish([plan.machine for plan in scenario.hosts], self._forest)
        self.deployment = form([plan.machine for plan in scenario.hosts], scenario.replication, self._forest)
        """What the Lync servers share, with the journal of what stopped working on them."""
        self.server = LabServer(
            [_listener(plan, ports) for plan in scenario.hosts if not plan.offline], control_port=control_port
        )
        self._directory = tempfile.TemporaryDirectory(prefix="lab-")
        self.inventory_path = Path(self._directory.name) / "inventory.yml"

    @classmethod
    def from_scenario(
        cls,
        path: Path,
        *,
        ports: Literal["real", "free"] = "free",
        control_port: int = 0,
        directory: Directory | None = None,
    ) -> Lab:
        """The lab of a scenario file, or of the name of one that comes with the lab.

        :param directory: takes the place of the embedded directory and is filled with what the scenario plans.

        Raises:
            ScenarioError: the file cannot be used.

        """
        known = SCENARIOS / f"{path}.yml"
        scenario = load(known if known.is_file() else path)
        return cls(scenario, ports=ports, control_port=control_port, directory=directory)

    @property
    def directory(self) -> Directory:
        """The directory of the scenario.

        Raises:
            LookupError: it has none.
        """
        if self._forest is None:
            raise LookupError("the scenario has no directory")
        return self._forest

    @property
    def inventory(self) -> str:
        """The Ansible inventory as YAML."""
        endpoints = {name: (end.address, end.port, end.scheme) for name, end in self.server.endpoints.items()}
        return yaml.safe_dump(self.scenario.inventory(endpoints), sort_keys=False, allow_unicode=True)

    def machine(self, name: str) -> Machine:
        """The machine of a host by its name."""
        return next(plan.machine for plan in self.scenario.hosts if plan.machine.name == name)

    def authority(self, name: str) -> CertificationAuthority:
        """A CA by the common name of its certificate.

        Raises:
            LookupError: the scenario has none of this name.
        """
        for authority in self._authorities.all:
            if authority.name == name:
                return authority
        raise LookupError(f"the scenario has no CA {name!r}")

    def counters(self, host: str) -> dict[str, Any]:
        """What a host has counted since the start or the last reset."""
        return self.server.counters()[host]

    def reset_counters(self) -> None:
        """Begin all counts at zero."""
        self.server.reset_counters()

    def start(self) -> Lab:
        """Listen, arm the scripted faults, write the inventory."""
        self.server.start()
        for plan in self.scenario.hosts:
            for fault in plan.faults:
                self.server.script_fault(plan.machine.name, fault)
        self.inventory_path.write_text(self.inventory, "utf-8")
        return self

    def stop(self) -> None:
        """Close all and remove the inventory."""
        self.server.stop()
        self._directory.cleanup()

    def __enter__(self) -> Lab:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()


def _listener(plan: HostPlan, ports: str) -> ListenerSpec:
    """Server 2008 R2 has WinRM 2.0 as installed, later releases 3.0."""
    machine = plan.machine
    stack = "2.0" if machine.os_release < (6, 2) else "3.0"
    port = 0 if ports == "free" else (5986 if plan.tls else 5985)
    return ListenerSpec(
        SimulatedHost(machine),
        address=plan.address,
        port=port,
        tls=plan.tls,
        max_envelope=plan.max_envelope,
        product_version=f"OS: {machine.os_version} SP: 0.0 Stack: {stack}",
    )
