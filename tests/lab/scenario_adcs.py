# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certification authorities of a scenario: from YAML to CAs on hosts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from . import pki
from .adcs.authority import GARBAGE, CertificationAuthority, KnownAuthorities, common_name
from .directory.model import Directory
from .directory.population import DirectoryPlan
from .host.fields import Fields, ScenarioError
from .host.machine import Machine


@dataclass(frozen=True)
class AuthorityPlan:
    """An entry of ``adcs``."""

    place: str
    identifier: str
    ca: str
    """Of ``cas``."""
    name: str | None
    host: str
    pend: bool = False
    policy_message: str | None = None
    unreachable: bool = False
    garbage: str | None = None
    expired: bool = False
    san_attribute: bool = False
    clock_offset: int = 0
    """Days."""


def read(entries: Sequence[Fields]) -> tuple[AuthorityPlan, ...]:
    """The plans of an ``adcs`` section.

    Raises:
        ScenarioError: an entry cannot be used.
    """
    return tuple(_plan(entry) for entry in entries)


def _plan(entry: Fields) -> AuthorityPlan:
    plan = AuthorityPlan(
        place=entry.place,
        identifier=entry.text("id"),
        ca=entry.text("ca", ""),
        name=entry.optional_text("name"),
        host=entry.text("host"),
        pend=entry.flag("pend"),
        policy_message=entry.optional_text("policy_message"),
        unreachable=entry.flag("unreachable"),
        garbage=entry.text("garbage", among=GARBAGE) if "garbage" in entry else None,
        expired=entry.flag("expired"),
        san_attribute=entry.flag("san_attribute"),
        clock_offset=entry.number("clock_offset", 0),
    )
    entry.done()
    return plan


def expired(plans: Sequence[AuthorityPlan]) -> frozenset[str]:
    """The ``cas`` whose own certificate shall have expired."""
    return frozenset(plan.ca or plan.identifier for plan in plans if plan.expired)


@dataclass(frozen=True)
class Establishment:
    """The CAs of a scenario with what they are made of."""

    plans: Sequence[AuthorityPlan] = ()
    identities: Mapping[str, tuple[pki.Authority, str | None]] | None = None
    """By identifier in ``cas``: the authority and its CRL distribution point."""
    directory: DirectoryPlan | None = None

    def check(self, hosts: Collection[str]) -> None:
        """Complain of what does not fit together.

        :param hosts: the names of all hosts.

        Raises:
            ScenarioError: an entry names something that is not there, or the directory does not know the CA.
        """
        held = set()
        for plan in self.plans:
            if self.directory is None:
                raise ScenarioError(f"{plan.place}: a CA of AD CS needs a directory section")
            name, _identity, _crl = self._identity(plan)
            if plan.host not in hosts:
                raise ScenarioError(f"{plan.place}: host {plan.host!r} is no host of the scenario")
            if plan.host in held:
                raise ScenarioError(f"{plan.place}: host {plan.host!r} has a CA already")
            held.add(plan.host)
            if name.casefold() not in {ca.name.casefold() for ca in self.directory.cas}:
                raise ScenarioError(f"{plan.place}: directory: cas has no {name!r}")

    def _identity(self, plan: AuthorityPlan) -> tuple[str, pki.Issued, str | None]:
        """The name of a CA, its certificate with key, and its CRL distribution point."""
        identities = self.identities or {}
        identifier = plan.ca or plan.identifier
        if identifier not in identities:
            raise ScenarioError(f"{plan.place}: ca {identifier!r} is none of {', '.join(identities) or 'no cas'}")
        authority, crl = identities[identifier]
        name = common_name(authority.name)
        if name is None or plan.name not in (None, name):
            raise ScenarioError(f"{plan.place}: name {plan.name!r} is not the common name of {identifier!r}, {name!r}")
        return name, authority.certificate, crl

    def establish(self, machines: Sequence[Machine], directory: Directory | None) -> KnownAuthorities:
        """Start the CAs and let every host reach them.

        :param directory: filled with what the scenario plans; needed when there are CAs.
        """
        started = []
        for plan in self.plans:
            assert directory is not None
            assert self.directory is not None
            name, identity, crl = self._identity(plan)
            authority = CertificationAuthority(
                name=name,
                identity=identity,
                machine=next(machine for machine in machines if machine.name == plan.host),
                directory=directory,
                administrators=self.directory.administrators,
                crl=crl,
                pend=plan.pend,
                policy_message=plan.policy_message,
                unreachable=plan.unreachable,
                garbage=next((kind for kind in GARBAGE if kind == plan.garbage), None),
                san_attribute=plan.san_attribute,
                clock_offset=timedelta(days=plan.clock_offset),
            )
            started.append(authority)
        known = KnownAuthorities(started)
        if started:
            for machine in machines:
                machine.authorities = known
        return known
