# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of a scenario: from YAML to what the directory shall hold."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from .directory import descriptors
from .directory.embedded import EmbeddedDirectory
from .directory.model import Directory, DirectoryFault, DirectoryRole
from .directory.population import CaPlan, DirectoryPlan, TemplatePlan, populate, signed
from .host.fields import Fields, ScenarioError
from .host.machine import DOMAIN_SID, Machine


def read(given: Fields, domain: str) -> DirectoryPlan:
    """The plan of a ``directory`` section.

    :param domain: the domain of the lab, taken where the section names none.

    Raises:
        ScenarioError: it cannot be used.
    """
    plan = DirectoryPlan(
        domain=given.text("domain", domain),
        administrators=given.texts("administrators", ("Administrator",)),
        templates=tuple(_template(entry) for entry in given.mappings("templates")),
        cas=tuple(_ca(entry) for entry in given.mappings("cas")),
    )
    given.done()
    _check_unique([template.name for template in plan.templates], f"{given.place}: templates")
    _check_unique([ca.name for ca in plan.cas], f"{given.place}: cas")
    return plan


def _check_unique(found: Sequence[str], place: str) -> None:
    folded = [name.casefold() for name in found]
    for name in found:
        if folded.count(name.casefold()) > 1:
            raise ScenarioError(f"{place}: two have the name {name!r}")


def _template(entry: Fields) -> TemplatePlan:
    schema = None if entry.removed("schema") else entry.number("schema", 4)
    if schema is not None and schema not in (1, 2, 3, 4):
        raise ScenarioError(f"{entry.place}: schema is {schema}; it must be 1, 2, 3, 4 or null")
    revision = entry.take("revision", [100, 1])
    if not isinstance(revision, list) or len(revision) != 2 or not all(isinstance(part, int) for part in revision):
        raise ScenarioError(f"{entry.place}: revision must be two numbers, not {revision!r}")
    enroll = entry.texts("enroll") if "enroll" in entry else None
    for name in enroll or ():
        try:
            descriptors.principal(name, DOMAIN_SID)
        except descriptors.UnknownPrincipal as exc:
            raise ScenarioError(f"{entry.place}: enroll: {exc}") from exc
    plan = TemplatePlan(
        name=entry.text("name"),
        display_name=entry.optional_text("display_name"),
        oid=entry.optional_text("oid"),
        schema=schema,
        private_key_flags=entry.number("private_key_flags", 0) if "private_key_flags" in entry else None,
        providers=entry.texts("providers"),
        minimum_key_size=entry.number("minimum_key_size", 2048),
        key_spec=entry.number("key_spec", 1),
        eku=entry.texts("eku", ("1.3.6.1.5.5.7.3.1",)),
        revision=(revision[0], revision[1]),
        enroll=enroll,
        attributes={
            name: None if value is None else _values(value, f"{entry.place}: attributes: {name}")
            for name, value in entry.named("attributes").items()
        },
    )
    entry.done()
    return plan


def _values(value: object, place: str) -> list[bytes]:
    """Numbers, texts, truth values and ``{base64: ...}``, alone or in a list."""
    if isinstance(value, list):
        return [one for item in value for one in _values(item, place)]
    if isinstance(value, bool):
        return [b"TRUE" if value else b"FALSE"]
    if isinstance(value, int):
        return [str(signed(value)).encode()]
    if isinstance(value, str):
        return [value.encode()]
    if isinstance(value, Mapping) and list(value) == ["base64"]:
        try:
            return [base64.b64decode(str(value["base64"]), validate=True)]
        except binascii.Error as exc:
            raise ScenarioError(f"{place}: {value['base64']!r} is not base64") from exc
    raise ScenarioError(f"{place}: {value!r} is no number, text, truth value or base64")


def _ca(entry: Fields) -> CaPlan:
    plan = CaPlan(entry.text("name"), entry.text("host"), entry.texts("templates"))
    entry.done()
    return plan


def establish(plan: DirectoryPlan, members: Sequence[tuple[Machine, bool]], directory: Directory | None) -> Directory:
    """Fill a directory and tell the hosts of it.

    :param members: domain controllers (true) and hosts with the AD DS tools.
    :param directory: the one to fill; None makes an embedded one, whose accounts are those of the hosts.

    Raises:
        ScenarioError: the directory refuses an object of the plan.
    """
    if directory is None:
        controllers = [machine for machine, controller in members if controller]
        accounts: dict[str, str] = {}
        for machine, _controller in sorted(members, key=lambda member: member[1]):
            accounts |= {name: account.password for name, account in machine.accounts.items()}
        directory = EmbeddedDirectory(
            plan.domain,
            server=controllers[0].fqdn if controllers else None,
            administrators=plan.administrators,
            accounts=accounts,
        )
    try:
        populate(directory, plan)
    except DirectoryFault as fault:
        raise ScenarioError(f"directory: {fault}") from fault
    for machine, controller in members:
        machine.directory = DirectoryRole(directory, controller)
    return directory
