# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All templates of a forest with the CAs that offer them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..directory.entry import Entry
from ..directory.errors import DirectoryError
from ..directory.naming import canonical, rdn
from ..record import Problem
from .exposure import exposures
from .publication import EnrolmentService, service_of
from .schema import OID_CLASS, OID_CONTAINER, SERVICE_CLASS, TEMPLATE_CLASS, TEMPLATE_OID, TEMPLATES_CONTAINER
from .state import TemplateState, template_of
from .wanted import TemplateError

_MANY = 12
"""Names shown when a template is not found and none is near."""


@dataclass(frozen=True)
class Forest:
    """What the Public Key Services of a forest hold, as far as templates go."""

    server: str
    """The domain controller that was read."""
    configuration: str
    """The distinguished name of the configuration naming context."""
    templates: tuple[TemplateState, ...]
    """In the order of their names."""
    services: tuple[EnrolmentService, ...]
    oids: Mapping[str, Entry]
    """The objects that register object identifiers (msPKI-Enterprise-Oid), by OID."""
    oid_root: str | None
    """The arc that the forest's own OIDs start with."""
    problems: tuple[Problem, ...]
    """Objects that could not be read."""

    def published_on(self, template: str) -> tuple[str, ...]:
        """The names of the CAs that offer a template."""
        return tuple(service.name for service in self.services if service.offers(template))

    def shown(self, state: TemplateState) -> dict[str, Any]:
        """A template as results show it, but for a verdict."""
        return {
            **state.as_dict(),
            "published_on": list(self.published_on(state.name)),
            "exposures": [exposure.as_dict() for exposure in exposures(state)],
        }

    def by_name(self, name: str) -> TemplateState | None:
        """The template of a common name."""
        return next((state for state in self.templates if state.name.casefold() == name.casefold()), None)

    def find(self, wanted: str) -> TemplateState:
        """The template of a common name, an OID or a display name, looked for in this order.

        Raises:
            TemplateError: there is none, or the display name is that of several.
        """
        name = wanted.strip()
        exact = self.by_name(name)
        if exact:
            return exact
        self.refuse_unreadable(name)
        for what, title in (("OID", _oid), ("display name", _display_name)):
            found = [state for state in self.templates if name and title(state) == name.casefold()]
            if len(found) == 1:
                return found[0]
            if found:
                raise TemplateError(
                    f"{len(found)} templates have the {what} {wanted!r}.",
                    place=self.templates_container,
                    remedy=f"Give the name: {', '.join(state.name for state in found)}.",
                )
        raise TemplateError(
            f"The forest has no template {wanted!r}.",
            place=self.templates_container,
            remedy=f"Give the name, the display name or the OID. {self._near(name)}",
        )

    def refuse_unreadable(self, name: str) -> None:
        """Tell of a template that is there but could not be read.

        Raises:
            TemplateError: the one of this common name is such.
        """
        wanted = canonical(f"{rdn('CN', name)},{self.templates_container}")
        for problem in self.problems:
            if problem.place and canonical(problem.place) == wanted:
                raise TemplateError(problem.message, place=problem.place, remedy=problem.remedy or "")

    def _near(self, name: str) -> str:
        titles = {title.casefold(): state.name for state in self.templates for title in _titles(state)}
        near = dict.fromkeys(titles[title] for title in difflib.get_close_matches(name.casefold(), titles, n=5))
        if near:
            return f"Near it: {', '.join(near)}."
        names = [state.name for state in self.templates]
        more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
        return f"The forest has: {', '.join(names[:_MANY])}{more}." if names else "The forest has no templates."

    @property
    def templates_container(self) -> str:
        """The distinguished name of the container of all templates."""
        return f"{TEMPLATES_CONTAINER},CN=Public Key Services,CN=Services,{self.configuration}"

    @property
    def services_container(self) -> str:
        """The distinguished name of the container of the enterprise CAs."""
        return f"CN=Enrollment Services,CN=Public Key Services,CN=Services,{self.configuration}"

    @property
    def oid_container(self) -> str:
        """The distinguished name of the container of the forest's OIDs."""
        return f"{OID_CONTAINER},CN=Public Key Services,CN=Services,{self.configuration}"


def forest_of(entries: Iterable[Entry], configuration: str, server: str) -> Forest:
    """Put the objects of a forest together. One that cannot be read becomes a problem and hides no other."""
    templates: list[TemplateState] = []
    services: list[EnrolmentService] = []
    oids: dict[str, Entry] = {}
    problems: list[Problem] = []
    oid_root = None
    for entry in entries:
        classes = {value.decode("utf-8", "replace").casefold() for value in entry.values("objectClass")}
        try:
            if TEMPLATE_CLASS.casefold() in classes:
                templates.append(template_of(entry))
            elif SERVICE_CLASS.casefold() in classes:
                services.append(service_of(entry))
            elif oid := entry.text(TEMPLATE_OID):
                # The container of the OIDs is itself an msPKI-Enterprise-Oid and holds the forest's own arc.
                if entry.dn.casefold().startswith(f"{OID_CONTAINER},cn=public key services,".casefold()):
                    oid_root = oid
                elif OID_CLASS.casefold() in classes:
                    oids[oid] = entry
        except DirectoryError as exc:
            problems.append(exc.as_problem(server))
    return Forest(
        server=server,
        configuration=configuration,
        templates=tuple(sorted(templates, key=lambda state: state.name.casefold())),
        services=tuple(sorted(services, key=lambda service: service.name.casefold())),
        oids=oids,
        oid_root=oid_root,
        problems=tuple(problems),
    )


def _oid(state: TemplateState) -> str:
    return state.oid or ""


def _display_name(state: TemplateState) -> str:
    return (state.display_name or "").casefold()


def _titles(state: TemplateState) -> tuple[str, ...]:
    return (state.name, state.display_name) if state.display_name else (state.name,)
