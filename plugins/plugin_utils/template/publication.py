# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certification authorities offer a template."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..directory.change import Modify, adjusted
from ..directory.entry import Entry
from .schema import PUBLISHED
from .wanted import TemplateError


@dataclass(frozen=True)
class EnrolmentService:
    """A certification authority that the forest knows (pKIEnrollmentService, MS-WCCE 2.2.2.11.2)."""

    entry: Entry
    name: str
    host: str | None
    templates: tuple[str, ...]
    """The common names of the templates it offers."""

    def offers(self, template: str) -> bool:
        """Whether it offers a template."""
        return template.casefold() in (name.casefold() for name in self.templates)

    def is_called(self, name: str) -> bool:
        r"""Whether this is its name: the CA's own, ``host\\CA`` as in certutil -config, or the host's."""
        own = {self.name.casefold()}
        if self.host:
            hosts = (self.host.casefold(), self.host.partition(".")[0].casefold())
            own.update(hosts, (f"{host}\\{self.name.casefold()}" for host in hosts))
        return name.strip().casefold() in own

    def as_dict(self) -> dict[str, Any]:
        """The service as results show it."""
        return {"name": self.name, "host": self.host, "templates": list(self.templates)}


def service_of(entry: Entry) -> EnrolmentService:
    """The enrolment service of an object.

    Raises:
        DirectoryError: an attribute cannot be read.
    """
    return EnrolmentService(entry, entry.text("cn") or entry.dn, entry.text("dNSHostName"), entry.texts(PUBLISHED))


@dataclass(frozen=True)
class Publication:
    """What has to change for a template to be offered where it should be."""

    template: str
    add: tuple[EnrolmentService, ...] = ()
    remove: tuple[EnrolmentService, ...] = ()

    @property
    def modifies(self) -> tuple[Modify, ...]:
        """One operation a CA. Only this template's value is given or taken; others may write the attribute too."""
        given = tuple(_modify(service, adjusted(PUBLISHED, (), (self.template.encode(),))) for service in self.add)
        return given + tuple(_modify(service, adjusted(PUBLISHED, self._held(service), ())) for service in self.remove)

    def _held(self, service: EnrolmentService) -> tuple[bytes, ...]:
        return tuple(name.encode() for name in service.templates if name.casefold() == self.template.casefold())

    def as_dict(self) -> dict[str, list[str]]:
        """The names of the CAs that get the template and that lose it."""
        return {"add": [service.name for service in self.add], "remove": [service.name for service in self.remove]}


def _modify(service: EnrolmentService, modification: Any) -> Modify:
    return Modify(service.entry.dn, (modification,))


def plan_publication(
    services: Sequence[EnrolmentService], template: str, publish_on: Sequence[str] | None, withdraw_from_others: bool
) -> Publication:
    """Where a template has to be published and withdrawn.

    Args:
        services: all of the forest.
        template: its common name.
        publish_on: the CAs that are to offer it; ``None`` leaves publication alone.
        withdraw_from_others: whether all other CAs are to stop offering it.

    Raises:
        TemplateError: a name is that of no CA, or of several.
    """
    if publish_on is None:
        if withdraw_from_others:
            raise TemplateError(
                "Other CAs than which? The option 'publish_on' is not given.",
                place="option 'withdraw_from_others'",
                remedy="Name in publish_on the CAs that are to keep it; an empty list withdraws it everywhere.",
            )
        return Publication(template)
    wanted = {service.entry.dn: service for service in (_service(services, name) for name in publish_on)}
    others = [service for service in services if service.entry.dn not in wanted]
    return Publication(
        template,
        add=tuple(service for service in wanted.values() if not service.offers(template)),
        remove=tuple(service for service in others if withdraw_from_others and service.offers(template)),
    )


def _service(services: Sequence[EnrolmentService], name: str) -> EnrolmentService:
    found = [service for service in services if service.is_called(name)]
    if len(found) == 1:
        return found[0]
    known = [service.name for service in services]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    several = f"{name!r} is the name of {len(found)} CAs: {', '.join(service.name for service in found)}."
    raise TemplateError(
        several if found else f"The forest has no enterprise CA {name!r}.",
        place="option 'publish_on'",
        remedy=f"Give the name of the CA, not of its certificate. The forest has: {', '.join(known) or 'none'}.{hint}",
    )
