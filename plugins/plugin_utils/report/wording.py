# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words that the reports for people share: names, short forms, the headline, and text made harmless."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..providers.catalogue import provider_type_name

if TYPE_CHECKING:
    from .model import Report

_COMMON_NAME = re.compile(
    r"(?:^|(?<!\\)[,+;]|\r?\n)\s*CN=\s*(?:\"((?:[^\"]|\"\")*)\"|((?:\\.|[^\\,+;\r\n])*))", re.I | re.S
)
_ESCAPED = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.S)

_UNPRINTABLE = re.compile(
    # C0 and C1 controls without tab, line feed and carriage return; lone surrogates; the characters that turn the
    # direction of text or hide in it (Unicode bidirectional controls, zero-width marks, BOM); non-characters of the BMP
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]"
)
_BLANKS = re.compile(r"\s+")

_SHORT_ENDINGS = (
    (re.compile(r"\bKey Storage Provider\b", re.I), "KSP"),
    (re.compile(r"\bCryptographic Provider\b", re.I), "CSP"),
)

_KEY_SPECS = {1: "AT_KEYEXCHANGE", 2: "AT_SIGNATURE"}


def printable(text: str) -> str:
    """Replace what no report may hold (controls, lone surrogates, hidden marks) by U+FFFD; line ends and tabs stay.

    What is left is legal in XML 1.0 and can be encoded as UTF-8.
    """
    return _UNPRINTABLE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Printable text on one line, with single blanks."""
    return _BLANKS.sub(" ", printable(text)).strip()


def text_of(value: Any) -> str | None:
    """Text for a person: ``None`` for nothing, lists joined, everything else as ``str`` gives it."""
    if value is None or value == "" or value == []:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(str(part) for part in value)
    return str(value)


def plural(count: int, noun: str) -> str:
    """A number with its noun: ``1 host``, ``2 hosts``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def certificate_name(certificate: Mapping[str, Any]) -> str:
    """What people call a certificate: its common name, else the first alternative name, else the whole subject."""
    subject = str(certificate.get("subject") or "")
    match = _COMMON_NAME.search(subject)
    if match:
        quoted, plain = match.groups()
        name = quoted.replace('""', '"') if quoted is not None else _ESCAPED.sub(_unescape, plain).strip()
        if name:
            return name
    for alternative in certificate.get("subject_alt_names") or ():
        return str(alternative).partition(":")[2] or str(alternative)
    return subject or str(certificate.get("friendly_name") or "") or "(no subject)"


def _unescape(match: re.Match[str]) -> str:
    # RFC 4514, 2.4: a backslash before two hexadecimal digits is one octet of UTF-8, before another character that one.
    octets, character = match.groups()
    return character if octets is None else bytes.fromhex(octets.replace("\\", "")).decode("utf-8", "replace")


def short_provider(key: Mapping[str, Any] | None) -> str:
    """A provider as a narrow column can hold it: ``Software KSP``, ``RSA SChannel CSP``; ``none recorded``."""
    key = key or {}
    provider = one_line(str(key.get("provider") or ""))
    kind = str(key.get("kind") or "unrecorded")
    if not provider:
        return "none recorded" if kind == "unrecorded" else f"unnamed ({kind})"
    short = provider.removeprefix("Microsoft ")
    for pattern, abbreviation in _SHORT_ENDINGS:
        short = pattern.sub(abbreviation, short)
    if kind in ("csp", "ksp") and kind.upper() not in short:
        short += f" ({kind.upper()})"
    return short


def provider_type_text(key: Mapping[str, Any] | None) -> str | None:
    """The provider type with its name: ``12 PROV_RSA_SCHANNEL``, ``0 CNG``; ``None`` when unknown."""
    number = (key or {}).get("provider_type")
    if not isinstance(number, int):
        return None
    name = provider_type_name(number)
    return str(number) if name.startswith("type ") else f"{number} {name}"


def key_spec_text(key: Mapping[str, Any] | None) -> str | None:
    """The key specification with its name: ``1 AT_KEYEXCHANGE``; ``None`` when unknown."""
    number = (key or {}).get("key_spec")
    if number is None:
        return None
    return f"{number} {_KEY_SPECS[number]}" if number in _KEY_SPECS else str(number)


def public_key_text(certificate: Mapping[str, Any]) -> str | None:
    """Algorithm with size or curve: ``RSA 2048``, ``EC secp256r1``; ``None`` when the evidence does not tell."""
    public_key = certificate.get("public_key")
    if not public_key:
        return None
    return " ".join(
        str(part) for part in (public_key["algorithm"], public_key.get("curve") or public_key.get("size")) if part
    )


def template_text(certificate: Mapping[str, Any]) -> str | None:
    """The template that a certificate names, and what it leads to now, as far as the forest was read."""
    template = certificate.get("template") or {}
    name = template.get("display_name") or template.get("name") or template.get("oid")
    kind = {"csp": "legacy CSP", "ksp": "key storage provider"}.get(str(template.get("category")))
    return f"{name} (leads to a {kind} now)" if name and kind else name


def headline(report: Report) -> str:
    """The answer in one sentence."""
    counts = report.counts()
    total = counts["total"]
    if not total:
        return "No certificate was read."
    of = f"{counts['unsuitable']} of {plural(total, 'certificate')}"
    one_product = len(report.products) == 1
    product = report.product if one_product else "the product of their host"
    subject = report.product if one_product else "The products of the hosts"
    if counts["unsuitable"]:
        held = cng_held(report)
        way = "re-request or convert" if held == counts["unsuitable"] else "see what to do for"
        them = "it" if counts["unsuitable"] == 1 else "them"
        return f"{of} cannot be used by {product}: {way} {them}."
    if counts["undetermined"]:
        return f"{counts['undetermined']} of {plural(total, 'certificate')} could not be judged for {product}."
    if counts["warning"]:
        return (
            f"{subject} can use {_all(total)}, "
            f"but {counts['warning']} {'has' if counts['warning'] == 1 else 'have'} a warning."
        )
    return f"{subject} can use {_all(total)}."


def cng_held(report: Report) -> int:
    """How many certificates are unsuitable for their provider, a CNG key storage provider."""
    return sum(
        1
        for item in report.items
        if item.status == "unsuitable"
        and (item.certificate.get("key") or {}).get("kind") == "ksp"
        and any(finding.name == "key_provider" for finding in item.deciding)
    )


def _all(total: int) -> str:
    if total <= 2:
        return "the one certificate that was read" if total == 1 else "both certificates that were read"
    return f"all {total} certificates that were read"


def asides(report: Report) -> list[str]:
    """What the headline leaves out and a reader must not miss, one sentence each."""
    told: list[str] = []
    held = cng_held(report)
    if 0 < held < report.counts()["unsuitable"]:
        told.append(
            f"{held} of them {'has its' if held == 1 else 'have their'} key in a CNG key storage provider: "
            f"re-request or convert {'that one' if held == 1 else 'those'}."
        )
    in_use = sum(1 for item in report.items if item.status == "unsuitable" and item.assignments)
    if in_use:
        told.append(f"{in_use} of the unsuitable certificates {'is' if in_use == 1 else 'are'} in use now.")
    missing = len(report.without_result())
    if missing:
        told.append(
            f"{missing} of {plural(len(report.hosts), 'host')} gave no result, so nothing is known about "
            f"{'its' if missing == 1 else 'their'} certificates."
        )
    skipped = sum(1 for host in report.hosts if host.status == "skipped")
    if skipped:
        told.append(f"{skipped} of {plural(len(report.hosts), 'host')} {'was' if skipped == 1 else 'were'} skipped.")
    troubles = len(report.troubles)
    if troubles:
        told.append(f"{plural(troubles, 'problem')} came up while reading the evidence.")
    if report.left():
        told.append(report.needs_sentence())
    if report.templates:
        told += report.templates.asides()
    return told
