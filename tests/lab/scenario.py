# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""A scenario: a YAML file that says which Windows hosts the lab simulates.

::

    lab:                          # defaults of all hosts
      domain: contoso.example
      user: Administrator         # the account that the inventory names
      password: "..."             # a text made up for the scenario
      connection: winrm           # winrm | psrp
      transport: basic            # basic | ntlm
      tls: false
      clock: 2026-03-01T12:00:00Z # default: now
      groups: {lync: [lync_frontends, edge]}   # groups of groups in the inventory
      replication: immediate      # of global Lync certificates; held: when a test calls lab.deployment.replicate()
    cas:
      - {id: contoso, subject: "CN=Contoso Issuing CA 1,DC=contoso,DC=example", crl: "http://..."}
    directory:                    # none unless it is given
      domain: corp.example.test   # default: the lab's
      administrators: [Administrator]          # accounts that may change Public Key Services; all others may read
      templates:
        - name: LyncWebServer     # cn
          display_name: Lync Web Server        # default: the name
          oid: 1.3.6...           # default: made from the name, the same as in certificates of this template
          schema: 4               # null: attribute absent
          private_key_flags: 0x06060000        # default: the usual ones of the schema version
          providers: [Microsoft Software Key Storage Provider]   # in order; stored as N,Name
          minimum_key_size: 2048
          key_spec: 1
          eku: [1.3.6.1.5.5.7.3.1]             # in both attributes from schema 2 on
          revision: [100, 4]
          enroll: [Domain Admins, S-1-5-11]    # who has Enroll; default: the administrators by their full control
          attributes: {flags: 131680, pKIKeyUsage: {base64: oAA=}, msPKI-RA-Policies: null}   # null removes
      cas:
        - {name: Contoso Issuing CA 1, host: ca01.corp.example.test, templates: [LyncWebServer]}
    adcs:                         # CAs that answer certreq; every host reaches them
      - id: issuing
        ca: contoso               # of cas: subject, key and CRL; default: the id
        name: Contoso Issuing CA 1               # the common name of its subject; it must be in directory: cas
        host: ca01                # a host of the scenario
        pend: false               # true: every request waits for an officer
        policy_message: ...       # added to "Issued"
        san_attribute: false      # true: EDITF_ATTRIBUTESUBJECTALTNAME2
        unreachable: false
        expired: false            # true: the CA's own certificate has expired
        clock_offset: 0           # days that the CA's clock is ahead of its host's
        garbage: other_key        # response, certificate, other_key, other_name: what is wrong with its answers
    hosts:
      - name: fe01                # {n} with "count: N" makes N hosts
        roles: [lync_frontends]   # groups in the inventory
        address: 127.0.1.1        # default: the next free one of 127.0.1.x
        os: 6.3.9600
        language: en              # en de fr es zh ja
        powershell: "4.0"         # 2.0 3.0 4.0 5.1
        framework: "4.8"          # .NET Framework; default: what Windows has from its setup; 2.0: without 3.5
        utc_offset: 0             # hours
        console: utf-8            # oem: console tools print in the OEM code page although the client asked for UTF-8
        connection: psrp          # as in lab
        transport: ntlm
        tls: true
        user: ..., password: ...  # of this host's account, when other than in lab
        inventory_password: ...   # a wrong one, to be refused
        offline: false            # true: nothing listens
        accounts: {auditor: {password: "...", administrator: false, lync_administrator: false}}
        lync:
          version: 2013           # 2010 2013 2015 2019
          pool: pool01.contoso.example
          roles: [...]
          cmdlets: true           # false: no management shell
          assignments: {Default: <certificate id or thumbprint>}
        domain_controller: false  # true: of the directory
        ad_tools: false           # true: a member with ldifde.exe
        variables: {name: value}  # of this host in the inventory
        deny: [registry]          # registry, certutil, lync, keys (no key can be made)
        disk_full: false          # true: no file and no key can be written
        clock_offset: 0           # days that the host's clock is ahead of the lab's
        untrusted: [contoso]      # cas whose certificate is not in Root; all others are
        faults: [{kind: cut_before, at: 4}]      # fields of lab.wire.faults.Fault
        max_envelope: 512000      # bytes; default: all output in one Receive, see lab.wire.shell
        stores:                   # CA, MY, REQUEST and ROOT are there unless given as null
          My:
            - id: default         # named in assignments
              subject: "CN=..."   # RFC 4514; default: the host's name
              san: [pool.contoso.example]
              algorithm: rsa2048  # rsa1024 ... rsa4096, p256, p384, p521, dsa1024
              signature: sha256   # sha1, md5, sha384, sha512, pss-sha256 ...
              validity: [-30, 335]             # days from the clock, or two dates
              eku: [1.3.6.1.5.5.7.3.1]         # null: no such extension
              cdp: []             # default: the issuer's
              template: WebServer # a v1 name; any other name or {name, display_name, oid} is a later one
              issuer: contoso     # default: the first of cas; self
              friendly_name: ...
              archived: false
              key:                # null: no private key
                holder: schannel  # lab.host.build.HOLDERS gives provider, type and spec
                provider: null    # any of these instead: provider, type, spec, container, flags, machine
                recorded: true    # false: no property 2
                missing: false    # true: the container is gone
                exportable: false # true; plaintext: a key of CNG may be exported in the clear, too
                access: default   # who may use it: lync (the services; what assigned ones have), default, or SDDL
              shared: ...         # a name: the other hosts that say it have the same certificate and key
              shared_key: ...     # a name: the other certificates that say it have the same key
              assigned: [Default, WebServicesInternal]
              defect: truncated   # flipped, garbled, empty
              key_name: ...       # of the registry key, when other than the thumbprint
            - {generate: 1000, subject: "CN=bulk{n}", holders: [schannel, cng]}
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import yaml

from . import pki, scenario_adcs, scenario_directory
from .directory.population import DirectoryPlan
from .host import cmd
from .host.build import Workshop, certificates
from .host.fields import Fields, ScenarioError
from .host.machine import OEM_CODE_PAGES, SUPPORTED_POWERSHELL, Account, Machine
from .host.store import without_key
from .lync.access import grant
from .lync.deployment import Replication
from .lync.journal import commanded
from .lync.role import LyncRole
from .powershell.remote import Runspace
from .wire.faults import Fault
from .wire.host import Execution

__all__ = ["HostPlan", "Scenario", "ScenarioError", "SimulatedHost", "load"]

_LYNC_VERSIONS = ("2010", "2013", "2015", "2019")
_DENIABLE = ("registry", "certutil", "lync", "keys")


class SimulatedHost:
    """A machine as the wire wants it (``lab.wire.host.Host``)."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.name = machine.name

    def password_of(self, user: str) -> str | None:
        """The password of an account."""
        account = self.machine.account(user)
        return account.password if account else None

    def execute(self, command_line: str, stdin: bytes, user: str) -> Execution:
        """Run a command line in cmd.exe."""
        with commanded(self.machine):
            return cmd.execute(self.machine, command_line, stdin, user)

    def open_runspace(self, user: str) -> Runspace:
        """A session of the PowerShell remoting endpoint."""
        return Runspace(self.machine, user)


@dataclass(frozen=True)
class HostPlan:
    """A host of a scenario: its machine, and how it is reached."""

    machine: Machine
    address: str
    groups: Sequence[str]
    user: str
    password: str
    """What the inventory says."""
    connection: str
    """The connection plugin: winrm or psrp."""
    transport: str
    tls: bool
    offline: bool = False
    faults: Sequence[Fault] = ()
    max_envelope: int | None = None
    domain_controller: bool = False
    ad_tools: bool = False
    variables: Mapping[str, Any] = field(default_factory=dict)
    """More variables of the host in the inventory."""


@dataclass(frozen=True)
class Scenario:
    """All hosts of a scenario and the groups of groups."""

    hosts: Sequence[HostPlan]
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    directory: DirectoryPlan | None = None
    adcs: scenario_adcs.Establishment = field(default_factory=scenario_adcs.Establishment)
    replication: Replication | None = None

    def inventory(self, endpoints: Mapping[str, tuple[str, int, str]]) -> dict[str, Any]:
        """The Ansible inventory; an offline host gets an address at which nothing listens.

        :param endpoints: address, port and scheme of each listening host by its name.
        """
        children: dict[str, Any] = {}
        for plan in self.hosts:
            name = plan.machine.name
            scheme = "https" if plan.tls else "http"
            address, port, scheme = endpoints.get(name, (plan.address, 5986 if plan.tls else 5985, scheme))
            variables = {
                "ansible_host": address,
                "ansible_port": port,
                "ansible_user": plan.user,
                "ansible_password": plan.password,
                **_connection_variables(plan, scheme),
                **plan.variables,
            }
            for group in plan.groups or ["ungrouped"]:
                known = any(name in members["hosts"] for members in children.values())
                children.setdefault(group, {"hosts": {}})["hosts"][name] = {} if known else variables
        for group, members in self.groups.items():
            present: dict[str, Any] = {member: {} for member in members if member in children}
            if present:
                children.setdefault(group, {})["children"] = present
        shared = {"ansible_connection": "winrm", "ansible_winrm_server_cert_validation": "ignore"}
        return {"all": {"vars": shared, "children": children}}


def _connection_variables(plan: HostPlan, scheme: str) -> dict[str, str]:
    if plan.connection == "winrm":
        return {"ansible_winrm_scheme": scheme, "ansible_winrm_transport": plan.transport}
    basic = plan.transport == "basic"
    return {
        "ansible_connection": "psrp",
        "ansible_psrp_protocol": scheme,
        "ansible_psrp_auth": plan.transport,
        "ansible_psrp_cert_validation": "ignore",
        # The plugin refuses Basic over http unless it is told to send its messages as they are.
        "ansible_psrp_message_encryption": "never" if basic else "auto",
    }


def load(path: Path) -> Scenario:
    """Read a scenario file.

    Raises:
        ScenarioError: it cannot be used.

    """
    try:
        data = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise ScenarioError(f"{path}: {exc}") from exc
    return parse(data, str(path))


def parse(data: object, origin: str) -> Scenario:
    """The same from data that has been read already."""
    top = Fields(data, origin)
    defaults = top.inner("lab") or Fields({}, f"{origin}: lab")
    clock = _clock(defaults)
    common = {name: defaults.take(name) for name in _SHARED_FIELDS if name in defaults}
    groups = {name: _members(members, origin) for name, members in defaults.named("groups").items()}
    replication = _replication(defaults)
    defaults.done()
    given = top.inner("directory")
    directory = scenario_directory.read(given, str(common.get("domain", "contoso.example"))) if given else None
    adcs = scenario_adcs.read(top.mappings("adcs"))
    authorities = _authorities(top.mappings("cas"), clock, scenario_adcs.expired(adcs))
    workshop = Workshop(authorities, pki.KeyPool(), clock)
    plans: list[HostPlan] = []
    for entry in top.mappings("hosts"):
        count = entry.number("count", 1)
        name = entry.text("name")
        if count > 1 and "{n}" not in name:
            raise ScenarioError(f"{entry.place}: a name for {count} hosts needs {{n}} in it")
        values = {key: entry.take(key) for key in _HOST_FIELDS if key in entry}
        entry.done()
        for number in range(1, count + 1):
            fields = Fields({**common, **values}, f"{entry.place} ({name})")
            plans.append(_host(fields, name.replace("{n}", f"{number:02}"), workshop, len(plans) + 1))
    top.done()
    _check_unique(plans, origin)
    if directory is None and any(plan.domain_controller or plan.ad_tools for plan in plans):
        raise ScenarioError(f"{origin}: a host with domain_controller or ad_tools needs a directory section")
    establishment = scenario_adcs.Establishment(adcs, authorities, directory)
    establishment.check([plan.machine.name for plan in plans])
    return Scenario(tuple(plans), groups, directory, establishment, replication)


_SHARED_FIELDS = ("domain", "user", "password", "connection", "transport", "tls")
_HOST_FIELDS = (
    *_SHARED_FIELDS,
    *("roles", "address", "os", "language", "powershell", "utc_offset", "console"),
    *("inventory_password", "offline", "accounts", "lync", "deny", "faults", "max_envelope", "stores"),
    *("disk_full", "clock_offset", "untrusted", "framework"),
    *("domain_controller", "ad_tools", "variables"),
)


def _replication(defaults: Fields) -> Replication | None:
    """Given, the global certificates of the start are replicated first."""
    if "replication" not in defaults:
        return None
    return "held" if defaults.text("replication", among=("immediate", "held")) == "held" else "immediate"


def _members(value: object, origin: str) -> Sequence[str]:
    return Fields({"groups": value}, f"{origin}: lab").texts("groups")


def _clock(defaults: Fields) -> datetime:
    value = defaults.take("clock")
    if value is None:
        return datetime.now(timezone.utc).replace(microsecond=0)
    if not isinstance(value, datetime):
        raise ScenarioError(f"{defaults.place}: clock must be a date with time, not {value!r}")
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


def _authorities(
    entries: Sequence[Fields], clock: datetime, expired: Collection[str]
) -> dict[str, tuple[pki.Authority, str | None]]:
    found: dict[str, tuple[pki.Authority, str | None]] = {}
    pool = pki.KeyPool()
    for entry in entries:
        identifier = entry.text("id")
        first, last = clock - timedelta(days=1500), clock + timedelta(days=-1 if identifier in expired else 3000)
        authority = pki.Authority(entry.text("subject"), pool, not_before=first, not_after=last)
        found[identifier] = (authority, entry.optional_text("crl"))
        entry.done()
    return found


def _host(entry: Fields, name: str, workshop: Workshop, number: int) -> HostPlan:
    user, password = entry.text("user", "Administrator"), entry.text("password", "")
    machine = Machine(
        name=name,
        domain=entry.text("domain", "contoso.example"),
        os_version=entry.text("os", "6.3.9600"),
        language=entry.text("language", "en", among=tuple(OEM_CODE_PAGES)),
        powershell=entry.text("powershell", "4.0", among=SUPPORTED_POWERSHELL),
        clock=workshop.clock + timedelta(days=entry.number("clock_offset", 0)),
        utc_offset=entry.number("utc_offset", 0),
        roles=entry.texts("roles"),
        deny=frozenset(entry.texts("deny", among=_DENIABLE)),
        disk_full=entry.flag("disk_full"),
        oem_console=entry.text("console", "utf-8", among=("utf-8", "oem")) == "oem",
        framework=entry.text("framework", ""),
    )
    if machine.os_version.count(".") != 2:
        raise ScenarioError(f"{entry.place}: os is {machine.os_version!r}; it must be a version such as 6.3.9600")
    machine.accounts = {**_accounts(entry)}
    machine.accounts.setdefault(user, Account(password))
    assigned, services = _stores(entry, machine, workshop)
    machine.lync = _lync(entry, machine, assigned)
    _let_services_use(entry, machine, services)
    plan = HostPlan(
        machine=machine,
        address=entry.text("address", f"127.0.{1 + (number - 1) // 250}.{(number - 1) % 250 + 1}"),
        groups=machine.roles,
        user=user,
        password=entry.text("inventory_password", machine.accounts[user].password),
        connection=entry.text("connection", "winrm", among=("winrm", "psrp")),
        transport=entry.text("transport", "basic", among=("basic", "ntlm")),
        tls=entry.flag("tls"),
        offline=entry.flag("offline"),
        faults=tuple(_fault(fault) for fault in entry.mappings("faults")),
        max_envelope=entry.number("max_envelope", 0) or None,
        domain_controller=entry.flag("domain_controller"),
        ad_tools=entry.flag("ad_tools"),
        variables=entry.named("variables"),
    )
    entry.done()
    return plan


def _accounts(entry: Fields) -> dict[str, Account]:
    accounts = {}
    for name, value in entry.named("accounts").items():
        given = Fields(value, f"{entry.place}: accounts: {name}")
        administrator = given.flag("administrator", True)
        accounts[name] = Account(given.text("password"), administrator, given.flag("lync_administrator", administrator))
        given.done()
    return accounts


def _stores(entry: Fields, machine: Machine, workshop: Workshop) -> tuple[list[tuple[str, str]], dict[str, bool]]:
    """Fill the stores of a machine.

    Returns the Lync usages with the thumbprints that they are assigned to, and by thumbprint whether the services may
    use the key, as far as the scenario says so.
    """
    assigned: list[tuple[str, str]] = []
    services: dict[str, bool] = {}
    machine.stores = {name: [] for name in ("CA", "MY", "REQUEST", "ROOT")}
    untrusted = entry.texts("untrusted", among=tuple(workshop.authorities))
    for identifier, (authority, _crl) in workshop.authorities.items():
        if identifier not in untrusted:
            machine.stores["ROOT"].append(without_key("", authority.certificate))
    given = Fields(entry.named("stores"), f"{entry.place}: stores")
    for name in given.names():
        held = machine.store(name)
        if given.removed(name):
            machine.stores.pop(held[0] if held else name, None)
            continue
        stored = held[1] if held else machine.stores.setdefault(name, [])
        for made in certificates(workshop, given.mappings(name), machine.fqdn):
            stored.append(made.stored)
            machine.hold_key(made.stored)
            if made.stored.issued:
                assigned += [(use, made.stored.issued.thumbprint) for use in made.assigned]
                if made.services is not None:
                    services[made.stored.issued.thumbprint] = made.services
    return assigned, services


def _let_services_use(entry: Fields, machine: Machine, services: dict[str, bool]) -> None:
    if machine.lync is None:
        if any(services.values()):
            raise ScenarioError(f"{entry.place}: the services of Lync may use a key, but the host has no lync")
        return
    assigned = {thumbprint: True for _use, thumbprint in machine.lync.assignments}
    for thumbprint, may in {**assigned, **services}.items():
        stored = machine.find(thumbprint)
        if may and stored:
            grant(machine, machine.container_of(stored.key))


def _lync(entry: Fields, machine: Machine, assigned: list[tuple[str, str]]) -> LyncRole | None:
    given = entry.inner("lync")
    if given is None:
        if assigned:
            raise ScenarioError(f"{entry.place}: a certificate is assigned, but the host has no lync")
        return None
    identifiers = {
        one.identifier: one.issued.thumbprint for held in machine.stores.values() for one in held if one.issued
    }
    for use, target in given.named("assignments").items():
        assigned.append((use, identifiers.get(str(target), str(target))))
    role = LyncRole(
        version=given.text("version", among=_LYNC_VERSIONS),
        roles=given.texts("roles"),
        cmdlets=given.flag("cmdlets", True),
        assignments=tuple(assigned),
        pool=given.optional_text("pool"),
    )
    given.done()
    return role


def _fault(entry: Fields) -> Fault:
    values = {name: entry.take(name) for name in ("kind", "at", "times", "operation", "seconds") if name in entry}
    entry.done()
    try:
        return Fault.from_dict(values)
    except ValueError as exc:
        raise ScenarioError(f"{entry.place}: {exc}") from exc


def _check_unique(plans: Sequence[HostPlan], origin: str) -> None:
    names = [plan.machine.name for plan in plans]
    for what, values in (("name", names), ("address", [plan.address for plan in plans])):
        for value in values:
            if values.count(value) > 1:
                raise ScenarioError(f"{origin}: two hosts have the {what} {value!r}")
