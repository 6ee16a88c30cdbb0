# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registered result of template_info, checked and made ready for the reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..record import EvidenceError, Problem
from .hosts import not_done
from .model import NO_REASON, findings_of
from .summary import CATEGORIES, status_of
from .templates import Exposure, TemplateItem, TemplateSection
from .wording import text_of

Shape = type | list["Shape"] | dict[str, "Shape"]
"""What a value must be: of a type, a list of such, or a mapping with such keys."""

_FLAGS: dict[str, Shape] = {"names": [str]}
_TEMPLATE: dict[str, Shape] = {
    "name": str,
    "display_name": str,
    "dn": str,
    "oid": str,
    "schema_version": int,
    "category": str,
    "providers": [str],
    "any_provider": bool,
    "consistent": bool,
    "inconsistencies": [str],
    "key_spec": int,
    "minimum_key_size": int,
    "key_algorithm": str,
    "key_usage": [str],
    "private_key_flags": {**_FLAGS, "minimum_ca": str, "minimum_client": str},
    "enrollment_flags": _FLAGS,
    "subject_name_flags": _FLAGS,
    "general_flags": _FLAGS,
    "revision": {"major": int, "minor": int},
    "extended_key_usage": [str],
    "application_policies": [str],
    "signatures_required": int,
    "supersedes": [str],
    "published_on": [str],
    "exposures": [{"name": str, "certain": bool, "principals": [{"sid": str, "name": str}]}],
    "verdict": {"profile": str, "status": str, "requirements": [{}]},
}
_RESULT: dict[str, Shape] = {
    "templates": [_TEMPLATE],
    "problems": [{}],
    "directory": {"server": str, "configuration": str},
    "product": str,
}
_NEEDED = ("name", "category", "providers", "published_on", "verdict")
"""What no report can do without. The other keys may be absent or null."""

_REMEDY = "Give the variable that template_info registered (option 'templates')."


def template_section(result: Any) -> TemplateSection | None:
    """The templates for ``build_report`` from the registered result of template_info; ``None`` for a skipped task.

    Raises:
        EvidenceError: the value is no such result.
    """
    if not isinstance(result, Mapping):
        raise _not_a_result(f"it is {_kind(result)}")
    outcome = not_done(result)
    if outcome:
        status, message = outcome
        return None if status == "skipped" else _section(status, message, {})
    if result.get("templates") is None:
        raise _not_a_result("it has no 'templates'")
    _check(result, _RESULT, "")
    for number, template in enumerate(result["templates"], 1):
        missing = [key for key in _NEEDED if template.get(key) is None]
        if missing:
            name = template.get("name")
            raise _not_a_result(f"template {number}{f' ({name})' if name else ''} has no {missing[0]!r}")
        if template["category"] not in CATEGORIES:
            raise _not_a_result(f"template {number} has the unknown category {template['category']!r}")
    return _section("ok", None, result)


def _section(status: str, message: str | None, result: Mapping[str, Any]) -> TemplateSection:
    directory = result.get("directory") or {}
    server = text_of(directory.get("server"))
    return TemplateSection(
        status=status,
        message=message,
        server=server,
        configuration=text_of(directory.get("configuration")),
        product=text_of(result.get("product")),
        items=tuple(_item(number, template) for number, template in enumerate(result.get("templates") or (), 1)),
        problems=tuple(
            Problem(
                origin=text_of(problem.get("origin")) or server or "directory",
                message=text_of(problem.get("message")) or NO_REASON,
                remedy=text_of(problem.get("remedy")) or "",
                place=text_of(problem.get("place")),
            )
            for problem in result.get("problems") or ()
        ),
    )


def _item(number: int, template: Mapping[str, Any]) -> TemplateItem:
    return TemplateItem(
        number=number,
        status=status_of(template),
        findings=findings_of(template, "template"),
        template=template,
        name=str(template["name"]),
        exposures=tuple(
            Exposure(
                name=text_of(exposure.get("name")) or "exposure",
                certain=bool(exposure.get("certain")),
                principals=tuple(map(_principal, exposure.get("principals") or ())),
                reason=text_of(exposure.get("reason")),
                remedy=text_of(exposure.get("remedy")),
                source=text_of(exposure.get("source")),
            )
            for exposure in template.get("exposures") or ()
        ),
    )


def _principal(principal: Mapping[str, Any]) -> str:
    name, sid = text_of(principal.get("name")), text_of(principal.get("sid"))
    return f"{name} ({sid})" if name and sid else name or sid or "unnamed"


def _check(value: Any, shape: Shape, place: str) -> None:
    """Refuse a value of the wrong type, however deep it lies. Null is let through: what is needed is checked apart."""
    if value is None:
        return
    if isinstance(shape, dict):
        if not isinstance(value, Mapping):
            raise _not_a_result(f"{place} is {_kind(value)} and no dictionary")
        for key, part in shape.items():
            _check(value.get(key), part, f"{place}.{key}" if place else key)
    elif isinstance(shape, list):
        if not isinstance(value, (list, tuple)):
            raise _not_a_result(f"{place} is {_kind(value)} and no list")
        for number, element in enumerate(value):
            if element is None:
                raise _not_a_result(f"{place}[{number}] is null")
            _check(element, shape[0], f"{place}[{number}]")
    elif not isinstance(value, shape):
        raise _not_a_result(f"{place} is {_kind(value)} and no {_NAMES[shape]}")


_NAMES = {str: "text", int: "number", bool: "truth value"}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, Mapping):
        return "a dictionary"
    kinds = ((str, "text"), ((int, float), "a number"), ((list, tuple), "a list"), (type(None), "null"))
    return next((name for kind, name in kinds if isinstance(value, kind)), f"of the type {type(value).__name__}")


def _not_a_result(why: str) -> EvidenceError:
    return EvidenceError(f"The option 'templates' is no result of template_info: {why}.", remedy=_REMEDY)
