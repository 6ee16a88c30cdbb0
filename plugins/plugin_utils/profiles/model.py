# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Profiles: what a product requires of a certificate, and how a mapping from a file becomes one."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast, get_args

from .kinds import FIXED_UNKNOWN, KINDS, Kind, Parameter
from .verdict import Confidence, RequirementResult, RequirementStatus

STATUSES: tuple[str, ...] = get_args(RequirementStatus)
CONFIDENCES: tuple[str, ...] = get_args(Confidence)

_PROFILE_KEYS = ("name", "title", "products", "extends", "omit", "source", "confidence", "requirements")
_REQUIREMENT_KEYS = ("name", "source", "confidence", "expected", "note", "findings")
_FINDING_KEYS = ("status", "reason", "remedy", "source", "confidence")


class ProfileError(Exception):
    """A profile that does not exist or that is not written as a profile. Carries the place and the way out."""

    def __init__(self, message: str, *, place: str | None = None, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.remedy = remedy

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.message} {self.remedy}".strip()


@dataclass(frozen=True)
class Finding:
    """What one finding of a check means in a profile. Texts still hold their placeholders."""

    status: RequirementStatus
    reason: str | None
    remedy: str | None
    source: str
    confidence: Confidence


@dataclass(frozen=True, eq=False)
class Requirement:
    """One requirement of a profile."""

    name: str
    title: str
    """Of the product, for the texts."""
    parameters: Mapping[str, Any]
    expected: str
    findings: Mapping[str, Finding]
    source: str
    confidence: Confidence

    def result(self, finding: str, actual: str | None) -> RequirementResult:
        """The result that a finding of the check leads to. Equal ones are shared."""
        return _result(self, finding, actual)


@dataclass(frozen=True, eq=False)
class Profile:
    """What a product requires of a certificate."""

    name: str
    title: str
    products: tuple[str, ...]
    requirements: tuple[Requirement, ...]
    origin: str
    """The file."""
    definition: Mapping[str, Any]
    """The mapping it was made from, with what it extends merged in."""

    def requirement(self, name: str) -> Requirement | None:
        """The requirement of that name; ``None`` when the profile does not make it."""
        return next((requirement for requirement in self.requirements if requirement.name == name), None)


@lru_cache(maxsize=8192)
def _result(requirement: Requirement, finding: str, actual: str | None) -> RequirementResult:
    meaning = requirement.findings[finding]
    texts = {"title": requirement.title, "expected": requirement.expected, "actual": actual or "not shown"}
    return RequirementResult(
        name=requirement.name,
        status=meaning.status,
        expected=requirement.expected,
        actual=actual,
        reason=meaning.reason.format_map(texts) if meaning.reason else None,
        remedy=meaning.remedy.format_map(texts) if meaning.remedy and meaning.status != "met" else None,
        source=meaning.source,
        confidence=meaning.confidence,
    )


def profile_from_mapping(
    mapping: Mapping[str, Any], *, origin: str, resolve: Callable[[str], Profile] | None = None
) -> Profile:
    """Make a profile of what a profile file holds.

    Args:
        mapping: the keys ``name``, ``title``, ``products``, ``extends``, ``omit``, ``source``, ``confidence`` and
            ``requirements``; docs and the built-in profiles show their use.
        origin: the file, for messages; also the source of a requirement that names none.
        resolve: gives the profile that ``extends`` names.

    Raises:
        ProfileError: a key or a value is not one of those allowed; names the file, the key and what is allowed.

    """
    definition = _merged(mapping, origin, resolve)
    title = _text(definition, "title", origin)
    requirements = definition["requirements"]
    return Profile(
        name=_text(definition, "name", origin),
        title=title,
        products=_texts(definition.get("products", ()), f"{origin}, products"),
        requirements=tuple(_requirement(requirements[name], title, origin) for name in KINDS if name in requirements),
        origin=origin,
        definition=definition,
    )


def _merged(mapping: object, origin: str, resolve: Callable[[str], Profile] | None) -> dict[str, Any]:
    keys = _mapping(mapping, origin)
    _check_keys(keys, _PROFILE_KEYS, origin)
    base: dict[str, Any] = {"requirements": {}}
    if "extends" in keys:
        name = _text(keys, "extends", origin)
        if resolve is None:
            raise ProfileError("Nothing can be extended here.", place=f"{origin}, extends", remedy="Leave the key out.")
        try:
            base = {**resolve(name).definition}
        except ProfileError as exc:
            raise ProfileError(exc.message, place=exc.place or f"{origin}, extends", remedy=exc.remedy) from exc
    omitted = set(_texts(keys.get("omit", ()), f"{origin}, omit"))
    for name in sorted(omitted - set(base["requirements"])):
        raise ProfileError(
            f"There is no requirement {name!r} to omit.",
            place=f"{origin}, omit",
            remedy=_allowed(base["requirements"], name),
        )
    requirements = {name: value for name, value in base["requirements"].items() if name not in omitted}
    for number, item in enumerate(_sequence(keys.get("requirements", ()), f"{origin}, requirements"), start=1):
        place = f"{origin}, requirements, element {number}"
        requirement = dict(_mapping(item, place))
        name = _text(requirement, "name", place)
        if name not in KINDS:
            raise ProfileError(f"Unknown requirement {name!r}.", place=f"{place}, name", remedy=_allowed(KINDS, name))
        requirement.setdefault("source", keys.get("source", origin))
        if "confidence" in keys:
            requirement.setdefault("confidence", keys["confidence"])
        requirements[name] = _overlaid(requirements.get(name, {}), requirement, f"{origin}, {name}")
    if not requirements:
        raise ProfileError(
            "A profile without a requirement judges nothing.",
            place=f"{origin}, requirements",
            remedy="List at least one requirement, or extend a profile.",
        )
    result = {**base, **{key: value for key, value in keys.items() if key not in ("extends", "omit")}}
    result["requirements"] = requirements
    result.setdefault("title", result.get("name"))
    return result


def _overlaid(base: Mapping[str, Any], own: Mapping[str, Any], place: str) -> dict[str, Any]:
    """The keys of ``own`` over those of ``base``, and the same within each finding."""
    findings = {name: dict(value) for name, value in base.get("findings", {}).items()}
    for name, value in _mapping(own.get("findings", {}), f"{place}, findings").items():
        given = dict(_mapping(value, f"{place}, findings, {name}"))
        if name in findings:
            # What is said of another rule than the one given here must not stand beside it.
            given = {**findings[name], "source": own["source"], **given}
        findings[name] = given
    return {**base, **own, "findings": findings}


def _requirement(keys: Mapping[str, Any], title: str, origin: str) -> Requirement:
    name = str(keys["name"])
    place = f"{origin}, {name}"
    kind = KINDS[name]
    _check_keys(keys, (*_REQUIREMENT_KEYS, *kind.parameters), place)
    parameters = {
        key: _parameter(keys[key], parameter, f"{place}, {key}") if key in keys else parameter.default
        for key, parameter in kind.parameters.items()
    }
    source = _text(keys, "source", place)
    confidence = cast(Confidence, _choice(keys.get("confidence", "medium"), CONFIDENCES, f"{place}, confidence"))
    expected = _text(keys, "expected", place) if "expected" in keys else kind.expected(parameters)
    note = _template(keys, "note", place) if "note" in keys else None
    return Requirement(
        name=name,
        title=title,
        parameters=parameters,
        expected=expected,
        findings=_findings(kind, keys.get("findings", {}), source, confidence, note, place),
        source=source,
        confidence=confidence,
    )


def _findings(
    kind: Kind, given: Mapping[str, Any], source: str, confidence: Confidence, note: str | None, place: str
) -> dict[str, Finding]:
    _check_keys(given, kind.findings, f"{place}, findings")
    result: dict[str, Finding] = {}
    for name, default in kind.findings.items():
        keys = given.get(name, {})
        here = f"{place}, findings, {name}"
        _check_keys(keys, _FINDING_KEYS, here)
        statuses = ("unknown", "unmet") if name in FIXED_UNKNOWN else STATUSES
        inherited = default.status
        if default.follows:
            inherited = result[default.follows].status
            inherited = "warning" if inherited == "met" else inherited
        status = cast(RequirementStatus, _choice(keys.get("status", inherited), statuses, f"{here}, status"))
        reason = _template(keys, "reason", here) if "reason" in keys else default.reason
        if status == "met" and default.status != "met" and "reason" not in keys:
            reason = None  # the reason why it is not met
        if note and status in ("warning", "unmet"):
            reason = f"{reason} {note}" if reason else note
        result[name] = Finding(
            status=status,
            reason=reason,
            remedy=_template(keys, "remedy", here) if "remedy" in keys else default.remedy,
            source=_text(keys, "source", here) if "source" in keys else default.source or source,
            confidence=cast(
                Confidence,
                _choice(keys.get("confidence", default.confidence or confidence), CONFIDENCES, f"{here}, confidence"),
            ),
        )
    return result


def _parameter(value: object, parameter: Parameter, place: str) -> Any:
    if parameter.type == "texts":
        return _texts(value, place)
    if parameter.type == "choice":
        return _choice(value, parameter.choices, place)
    if parameter.type == "integer":
        return _integer(value, place)
    if parameter.type == "integers":
        return tuple(_integer(item, place) for item in _sequence(value, place))
    return {str(key): _integer(item, f"{place}, {key}") for key, item in _mapping(value, place).items()}


def _check_keys(keys: Mapping[str, Any], allowed: Iterable[str], place: str) -> None:
    names = list(allowed)
    for key in keys:
        if key not in names:
            raise ProfileError(f"Unknown key {key!r}.", place=place, remedy=_allowed(names, str(key)))


def _allowed(names: Iterable[str], wrong: str) -> str:
    known = list(names)
    near = difflib.get_close_matches(wrong, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"Allowed: {', '.join(known)}.{hint}"


def _mapping(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ProfileError(f"Expected keys and values, found {_shown(value)}.", place=place)
    return value


def _sequence(value: object, place: str) -> list[Any] | tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ProfileError(f"Expected a list, found {_shown(value)}.", place=place)
    return value


def _texts(value: object, place: str) -> tuple[str, ...]:
    for item in _sequence(value, place):
        if not isinstance(item, str):
            raise ProfileError(f"Expected a list of texts, found {_shown(item)} in it.", place=place)
    return tuple(cast("list[str]", value))


def _integer(value: object, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ProfileError(f"Expected a whole number of zero or more, found {_shown(value)}.", place=place)
    return value


def _choice(value: object, choices: tuple[str, ...], place: str) -> str:
    if value not in choices:
        raise ProfileError(f"Found {_shown(value)}.", place=place, remedy=_allowed(choices, str(value)))
    return str(value)


def _text(keys: Mapping[str, Any], key: str, place: str) -> str:
    value = keys.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ProfileError(f"Expected a text, found {_shown(value)}.", place=f"{place}, {key}")
    return value.strip()


def _template(keys: Mapping[str, Any], key: str, place: str) -> str:
    text = _text(keys, key, place)
    try:
        text.format_map({"title": "", "expected": "", "actual": ""})
    except (KeyError, ValueError, IndexError, AttributeError) as exc:
        raise ProfileError(
            f"A placeholder in the text cannot be filled: {exc}.",
            place=f"{place}, {key}",
            remedy="Allowed: {title}, {expected}, {actual}; write {{ and }} for braces.",
        ) from exc
    return text


def _shown(value: object) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {value!r}"
