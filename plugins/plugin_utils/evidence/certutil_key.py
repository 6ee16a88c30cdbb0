# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The private key in the lines that certutil prints for one certificate.

A key is found by names of providers, which are not translated, by the constant CERT_KEY_PROV_INFO_PROP_ID(2) of
``-v``, and by position: container, its other name, provider, type, flags, key specification, in this order.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ..providers.catalogue import classify, lookup
from ..record import Key
from .certutil_text import Line, assigned, labelled, numbers
from .certutil_wording import Hints, hints_of

PROPERTY = re.compile(r"\b[A-Z0-9_]+_PROP_ID\(\d+\)")
"""The heading of a certificate property in ``-v``; the names are constants of wincrypt.h and not translated."""

Shape = Literal["short", "element", "long", "fragment"]
"""The short form of a store, an element of a PFX (a provider without container), the long form (``-v``, in which many
lines look alike), and lines of which nothing is known: in the last two, a place alone makes no line a provider."""

PROVIDER_LABELS = frozenset({"Provider"})
"""What the provider is called in English; other languages are learned from lines with a known provider."""

_KEY_PROV_INFO = "CERT_KEY_PROV_INFO_PROP_ID(2)"
_UNIQUE_NAME = re.compile(r"[0-9a-f]{32}_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
"""A key file's name: hash of the container's name and the machine's GUID."""
_OPENED_WITH = re.compile(r"(?P<provider>[^:=]{1,90}?)\s*:\s*KeySpec\s*=\s*(?P<key_spec>[0-9a-fA-F]{1,8})")
"""Printed by Server 2019 and later when the key was opened."""
_DETAIL = re.compile(r"\(?(?:[A-Z0-9_]+ -- [0-9a-fA-F]+(?: \(\d+\))?|0x[0-9a-fA-F]+ \(\d+\))\)?")
"""What a number before it means: ``CRYPT_MACHINE_KEYSET -- 20 (32)``."""
_ALGORITHM_PARAMETER = re.compile(r"(?:PP|KP)_[A-Z]+")
_LOST_BREAK = re.compile(r"(.+? Provider(?: v\d\.\d)?)(?=[A-Z][a-z]+ )")


@dataclass(frozen=True)
class _Mention:
    """One place that names a provider."""

    provider: str | None
    provider_type: tuple[int, ...] = ()
    """Both readings of a bare number."""
    flags: int | None = None
    key_spec: int | None = None
    names: tuple[tuple[str, str], ...] = ()
    """Names of the container: label and value, in the order of printing."""


@dataclass(frozen=True)
class Finding:
    """What the lines of one certificate say of its key."""

    key: Key
    notes: tuple[str, ...] = ()
    hints: Hints = field(default_factory=Hints)
    container_named: bool = False
    """Whether any line names a container or a provider."""


def provider_labels(lines: Sequence[Line]) -> frozenset[str]:
    """What this text calls a provider, from the lines whose provider is known."""
    pairs = (assigned(line.text) for line in lines)
    return PROVIDER_LABELS | {label for label, value in filter(None, pairs) if lookup(value)}


def find_key(
    lines: Sequence[Line], start: int, shape: Shape, labels: Collection[str], *, elevated: bool = False
) -> Finding:
    """Read the key from the lines of one certificate.

    Args:
        lines: all lines of the certificate.
        start: the first line after the certificate's hash, where certutil tells about the key.
        shape: what form the lines have.
        labels: what the text calls a provider.
        elevated: whether an administrator ran the command, so that a key that is not found is not there.

    """
    mentions = _mentions(lines, start, shape, labels)
    hints = hints_of(lines[start:], verbose=shape == "long")
    key, notes = _merge(mentions)
    if hints.by_silence and _in_hardware(mentions):
        # A card or module prints no word about export in some versions and never lets the key out.
        hints = replace(hints, exportable=None)
    if hints.without_provider and key.provider:
        notes += (
            f"certutil says that the certificate records no key provider, and found a matching key in {key.provider!r} "
            "all the same; programs that go by the record do not find it. "
            "certutil -repairstore My THUMBPRINT would record it.",
        )
        found = replace(key, exportable=hints.exportable, present=hints.present)
        key = Key(kind="ambiguous", candidates=(Key(), found))
    elif hints.without_provider and hints.present:
        notes += ("The certificate records no key provider, yet certutil used a private key that belongs to it.",)
    if key.provider and hints.missing and not hints.present:
        gone = elevated and hints.keyset_missing and not _in_hardware(mentions)
        hints = replace(hints, present=False if gone else None)
        doubt = ", or its card or module is not there, or the user who ran certutil may not open it; run it elevated"
        notes += (f"certutil says {hints.missing!r}: the key is gone{'' if gone else doubt}.",)
    if hints.failure and not hints.present:
        notes += (f"certutil could not use the key: {hints.failure}",)
    key = replace(key, exportable=hints.exportable, present=hints.present)
    named = any(mention.provider or mention.names for mention in mentions)
    return Finding(key, notes, hints, container_named=named)


def _in_hardware(mentions: Sequence[_Mention]) -> bool:
    return any((known := lookup(mention.provider or "")) and known.hardware for mention in mentions)


def _mentions(lines: Sequence[Line], start: int, shape: Shape, labels: Collection[str]) -> list[_Mention]:
    found: list[_Mention] = []
    taken: set[int] = set()
    for index, line in enumerate(lines):
        if _KEY_PROV_INFO in line.text:
            mention, used = _recorded(lines, index + 1, labels)
            found.append(mention)
            taken.update(used)
    pairs = [
        (index, pair)
        for index in range(start, len(lines))
        if index not in taken and (pair := assigned(lines[index].text))
    ]
    providers = [index for index, (label, value) in pairs if lookup(_clean(value)) or (label in labels and value)]
    if not providers and not found and shape in ("short", "element"):
        # A container may be called 1 or cafe; nothing else stands first.
        named = [
            (index, pair)
            for place, (index, pair) in enumerate(pairs)
            if pair[1] and (place == 0 or not _is_number(pair[1]))
        ]
        if len(named) >= 2:
            providers = [named[1][0]]
        elif shape == "element":
            providers = [index for index, _pair in named]
        else:
            found += [_Mention(None, names=(pair,)) for _index, pair in named]
    found += [_around(lines, index, start, labels, any_name=shape != "long") for index in providers]
    for line in lines[start:]:
        opened = _OPENED_WITH.fullmatch(line.body)
        if opened and opened["provider"] not in labels:
            found.append(_Mention(opened["provider"], key_spec=int(opened["key_spec"], 16)))
    return found


def _recorded(lines: Sequence[Line], start: int, labels: Collection[str]) -> tuple[_Mention, set[int]]:
    """The property 2 as ``-v`` prints it: its lines have a fixed order."""
    end = next((index for index in range(start, len(lines)) if PROPERTY.search(lines[index].text)), len(lines))
    pairs = [(index, pair) for index in range(start, end) if (pair := assigned(lines[index].text))]
    provider_at: int | None = None
    for position, (index, (label, value)) in enumerate(pairs[:2]):
        if lookup(_clean(value)) or label in labels or (position == 1 and not _is_number(value)):
            provider_at = index
            break
    if provider_at is not None:
        mention = _around(lines, provider_at, start, labels, end, any_name=True)
        return mention, {index for index, _pair in pairs if index <= provider_at}
    if not pairs:
        return _Mention(None), set()
    index, name = pairs[0]
    values = _numbers_from(lines, pairs[1][0], end) if len(pairs) > 1 else {}
    return _Mention(None, *_number_fields(values), names=(name,) if not _absent(name[1]) else ()), {index}


def _around(
    lines: Sequence[Line], at: int, first: int, labels: Collection[str], end: int | None = None, *, any_name: bool
) -> _Mention:
    """A provider's line with the numbers after it and the container's names before or, failing that, after it."""
    end = len(lines) if end is None else end
    pair = assigned(lines[at].text)
    provider = _clean(pair[1]) if pair else ""
    names = _names_before(lines, at, first, labels, any_name=any_name) or _names_after(lines, at, end)
    return _Mention(
        None if _absent(provider) else provider,
        *_number_fields(_numbers_from(lines, at + 1, end)),
        names=tuple(name for name in names if not _absent(name[1])),
    )


def _names_before(
    lines: Sequence[Line], at: int, first: int, labels: Collection[str], *, any_name: bool
) -> list[tuple[str, str]]:
    """``Key Container = ...`` and perhaps ``... container name: ...`` right before the provider.

    ``any_name`` admits a name that looks like a number; the long form has numbers there, too.
    """
    found: list[tuple[str, str]] = []
    for index in range(at - 1, first - 1, -1):
        if not lines[index].body:
            continue
        name = assigned(lines[index].text)
        if name:
            admitted = name[1] and (any_name or not _is_number(name[1])) and name[0] not in labels
            return [name, *found] if admitted else found
        name = _name_line(lines, index)
        if name is None or found:
            break
        found = [name]
    return found


def _names_after(lines: Sequence[Line], at: int, end: int) -> list[tuple[str, str]]:
    """Names after the provider and its numbers: ``-scinfo`` and the opened key of ``-v`` have them there."""
    found: list[tuple[str, str]] = []
    for index in range(at + 1, end):
        line = lines[index]
        name = assigned(line.text)
        if not line.body or _DETAIL.fullmatch(line.body) or (name and _is_number(name[1])):
            continue
        if found and _UNIQUE_NAME.fullmatch(line.body):
            continue  # the value of the line before
        if name is None or found or not name[1] or lookup(_clean(name[1])):
            name = _name_line(lines, index)
        if name is None or len(found) == 2 or line.indent < lines[at].indent:
            break
        found.append(name)
    return found


def _numbers_from(lines: Sequence[Line], start: int, end: int) -> dict[str, tuple[int, ...]]:
    """Type, flags and key specification that follow a provider, by order; translated labels do not matter."""
    fields: dict[str, tuple[int, ...]] = {}
    order = ["provider_type", "flags", "key_spec"]
    for line in lines[start:end]:
        if not line.body or _DETAIL.fullmatch(line.body):
            continue
        pair = assigned(line.text)
        if pair is None:
            # ``-scinfo`` and ``-v`` print the other name of the container only after the type.
            break
        label, value = pair
        if _ALGORITHM_PARAMETER.fullmatch(label) or not _is_number(value) or not order:
            break
        name = "key_spec" if label.casefold() == "keyspec" else order[0]
        fields[name] = numbers(value)
        order = order[order.index(name) + 1 :]
    return fields


def _number_fields(values: dict[str, tuple[int, ...]]) -> tuple[tuple[int, ...], int | None, int | None]:
    return (
        values.get("provider_type", ()),
        next(iter(values.get("flags", ())), None),
        next(iter(values.get("key_spec", ())), None),
    )


def _name_line(lines: Sequence[Line], index: int) -> tuple[str, str] | None:
    """A container's name on a line ``label: name``; the name may stand on the next line."""
    pair = labelled(lines[index].text)
    if pair is None or "(sha1)" in lines[index].text or PROPERTY.search(lines[index].text):
        return None
    label, value = pair
    following = lines[index + 1].body if index + 1 < len(lines) else ""
    if not value and _UNIQUE_NAME.fullmatch(following):
        return label, following
    if not value or re.search(r"\b0x[0-9a-fA-F]{8}\b|KeySpec=", value) or ": " in value:
        return None
    return label, value


def _merge(mentions: Sequence[_Mention]) -> tuple[Key, tuple[str, ...]]:
    """One key of all mentions; an ambiguous one with candidates when they differ."""
    merged: list[_Mention] = []
    for mention in mentions:
        for position, other in enumerate(merged):
            if _same(mention, other):
                merged[position] = _Mention(
                    other.provider or mention.provider,
                    other.provider_type or mention.provider_type,
                    other.flags if other.flags is not None else mention.flags,
                    other.key_spec if other.key_spec is not None else mention.key_spec,
                    other.names or mention.names,
                )
                break
        else:
            merged.append(mention)
    if not merged:
        return Key(), ()
    keys = [_as_key(mention) for mention in merged]
    if len(keys) > 1:
        names = " and ".join(f"{key.provider!r} (type {key.provider_type})" for key in keys)
        return Key(kind="ambiguous", candidates=tuple(keys)), (f"The dump names two providers for one key: {names}.",)
    key = keys[0]
    notes: tuple[str, ...] = ()
    if key.kind == "ambiguous":
        notes = (
            f"The provider {key.provider!r} is not known here and the dump does not tell its type; "
            "certutil -v -store My prints it.",
        )
    return key, notes


def _same(one: _Mention, other: _Mention) -> bool:
    if (one.provider or "").casefold() != (other.provider or "").casefold() and one.provider and other.provider:
        return False
    types = set(one.provider_type), set(other.provider_type)
    return not (all(types) and types[0].isdisjoint(types[1]))


def _as_key(mention: _Mention) -> Key:
    provider_type = _provider_type(mention)
    kind = classify(mention.provider, provider_type)
    container, unique = _container(mention, csp=kind == "csp")
    return Key(
        kind=kind,
        provider=mention.provider,
        provider_type=provider_type,
        key_spec=mention.key_spec,
        container=container,
        unique_container=unique,
        flags=mention.flags,
    )


def _provider_type(mention: _Mention) -> int | None:
    """The type is printed in hexadecimal; the decimal reading wins only where the catalogue confirms it alone."""
    known = lookup(mention.provider) if mention.provider else None
    if known and known.provider_type in mention.provider_type:
        return known.provider_type
    return mention.provider_type[0] if mention.provider_type else None


def _container(mention: _Mention, *, csp: bool) -> tuple[str | None, str | None]:
    """Container and unique (file) name. Which line has which depends on the provider, and is told by the value's form.

    Observed: for the SChannel CSP and for keys of users the first line has the unique name and the second the real one,
    for CNG it is the other way round; Azure's virtual machines print a CSP key the CNG way.
    """
    values = [value for _label, value in mention.names]
    unique = next((value for value in values if _UNIQUE_NAME.fullmatch(value)), None)
    others = [value for value in values if value != unique]
    if len(others) < 2:
        return (others[0] if others else None), unique
    first, second = others[:2]
    label = mention.names[1][0].casefold()
    if label.startswith("simple") or (csp and not label.startswith("unique")):
        return second, first
    return first, second


def _is_number(value: str) -> bool:
    return bool(numbers(value))


def _absent(value: str) -> bool:
    return not value or value == "(null)"


def _clean(value: str) -> str:
    """The provider's name; where a publication lost the line breaks, what follows it is cut off."""
    if lookup(value):
        return value
    match = _LOST_BREAK.match(value)
    return match[1] if match else value
