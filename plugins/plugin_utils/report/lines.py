# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One line a certificate, for the person who called a module by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .summary import status_of
from .wording import one_line


def verdict_lines(certificates: Iterable[Mapping[str, Any]]) -> list[str]:
    """One line a certificate for a person: verdict, subject, thumbprint, provider and the first reason against it."""
    return [_verdict_line(certificate) for certificate in certificates]


def _verdict_line(certificate: Mapping[str, Any]) -> str:
    key = certificate["key"]
    name = certificate["subject"] or "no subject shown"
    thumbprint = (certificate["thumbprint"] or "no thumbprint shown")[:8]
    provider = key["provider"] or f"provider {key['kind']}"
    reason = _deciding(status_of(certificate), certificate["verdict"]["requirements"])
    return one_line(f"{status_of(certificate)}: {name} ({thumbprint}), {provider}. {reason}")


def _deciding(status: str, requirements: Iterable[Mapping[str, Any]]) -> str:
    """Why a certificate has its verdict: the first reason, or the names of all that is not known."""
    wanted = {"unsuitable": "unmet", "warning": "warning", "undetermined": "unknown"}.get(status)
    found = [requirement for requirement in requirements if requirement["status"] == wanted]
    if wanted == "unknown" and found and found[0]["name"] != "key_provider":
        return f"Not shown by this evidence: {', '.join(requirement['name'] for requirement in found)}."
    return next((requirement["reason"] for requirement in found if requirement["reason"]), "")
