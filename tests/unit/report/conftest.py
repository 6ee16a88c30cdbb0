# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Audit results as the modules return them, with invented values, for every renderer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import (
    Certificate,
    Details,
    Key,
    Problem,
    PublicKey,
    Source,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.model import Report, build_report

AT = datetime(2025, 11, 22, 13, 24, tzinfo=timezone(timedelta(hours=1)))

HOSTILE = "<script>alert('1')</script>\"&\x00\x1b[31m\r\n=cmd|'/C calc'!A0 \ud800 \u202egnp \ufffe"

KEYS = {
    "csp": Key("csp", "Microsoft RSA SChannel Cryptographic Provider", 12, 1, "container-1", flags=0x20),
    "ksp": Key("ksp", "Microsoft Software Key Storage Provider", 0, 0, "container-2", flags=0x20),
    "unrecorded": Key(),
}

REQUIREMENTS: dict[str, list[dict[str, Any]]] = {
    "suitable": [],
    "unsuitable": [
        {
            "name": "key_provider",
            "status": "unmet",
            "expected": "a legacy CSP",
            "actual": "a KSP",
            "reason": "The product cannot use a KSP. The key is in a KSP.",
            "remedy": "Request a certificate from a CSP template.",
            "source": "https://example.com/rules?a=1&b=2",
            "confidence": "medium",
        }
    ],
    "undetermined": [
        {
            "name": "key_provider",
            "status": "unknown",
            "expected": "a legacy CSP",
            "actual": None,
            "reason": "No provider is recorded.",
            "remedy": "Open the key.",
            "source": "wincrypt.h",
            "confidence": "low",
        }
    ],
    "warning": [
        {
            "name": "key_size",
            "status": "warning",
            "expected": "2048 bits",
            "actual": "1024 bits",
            "reason": "The key has 1024 bits.",
            "remedy": "Use a longer key.",
            "source": "example.com",
            "confidence": "high",
        }
    ],
}


def certificate(
    name: str = "fe01.contoso.com", status: str = "suitable", kind: str = "csp", **changes: Any
) -> dict[str, Any]:
    """A certificate as a module returns it; the thumbprint follows from the name."""
    record = Certificate(
        key=KEYS[kind],
        source=Source("blob", "fe01"),
        thumbprint=hashlib.sha1(name.encode("utf-8", "replace")).hexdigest().upper(),
        subject=f"CN={name},O=Contoso",
        issuer="CN=Contoso Issuing CA",
        serial_number="00abcdef",
        not_before=datetime(2025, 1, 2, tzinfo=timezone.utc),
        not_after=datetime(2027, 1, 2, tzinfo=timezone.utc),
        friendly_name="Lync",
        details=Details(PublicKey("RSA", 2048), "sha256WithRSAEncryption", "1.2.3", "SHA256", (f"dns:{name}",)),
    ).as_dict()
    met = {"name": "validity", "status": "met", "expected": "valid", "actual": "valid", "reason": None}
    requirements = [*REQUIREMENTS[status], met]
    verdict = {"profile": "lync_2013", "status": status, "requirements": requirements}
    return {**record, "verdict": verdict, "assignments": [], **changes}


def fleet() -> list[dict[str, Any]]:
    """Four hosts with every verdict, a problem, a failed, an unreachable and a skipped host."""
    problem = Problem("fe02", "The blob is damaged.", "Export it again.", "HKLM\\...\\0123, offset 12").as_dict()
    return [
        {
            "host": "fe01",
            "status": "ok",
            "store": "My",
            "groups": ["front_ends"],
            "certificates": [
                certificate("pool.contoso.com", assignments=["Default", "WebServicesInternal"]),
                certificate("cng.contoso.com", "unsuitable", "ksp", assignments=["WebServicesExternal"]),
                certificate("weak.contoso.com", "warning"),
            ],
            "problems": [],
        },
        {
            "host": "fe02",
            "certificates": [
                certificate("東京.contoso.com", "unsuitable", "ksp"),
                certificate("lost.contoso.com", "undetermined", "unrecorded"),
            ],
            "problems": [problem],
        },
        {"host": "edge01", "status": "unreachable", "message": "The port is closed. Open it."},
        {"host": "med01", "status": "failed", "message": "Access is denied. Use an administrator."},
        {"host": "linux01", "status": "skipped", "message": "Not a Windows host."},
        {"host": "empty01", "status": "ok", "store": "My"},
    ]


def hostile_fleet() -> list[dict[str, Any]]:
    """A host on which every text is hostile, and one that failed with a hostile message."""
    requirement = dict.fromkeys(REQUIREMENTS["unsuitable"][0], HOSTILE)
    requirement["status"] = "unmet"
    requirement["source"] = 'javascript:alert(1) <b> https://example.com/"onclick=alert(1)><script>'
    key = {**KEYS["ksp"].as_dict(), "provider": f"+{HOSTILE}", "container": f"-{HOSTILE}"}
    evil = certificate(
        "x",
        key=key,
        subject=HOSTILE,
        issuer=f"@{HOSTILE}",
        thumbprint=f"\t{HOSTILE}",
        friendly_name="=1+1",
        subject_alt_names=[HOSTILE],
        notes=[HOSTILE],
        assignments=[HOSTILE],
        verdict={"profile": HOSTILE, "status": "unsuitable", "requirements": [requirement]},
    )
    problem = {"origin": HOSTILE, "place": HOSTILE, "message": HOSTILE, "remedy": HOSTILE}
    return [
        {"host": HOSTILE, "store": HOSTILE, "groups": [HOSTILE], "certificates": [evil, {}], "problems": [problem]},
        {"host": HOSTILE, "status": "failed", "message": HOSTILE},
    ]


def make(hosts: list[dict[str, Any]], **options: Any) -> Report:
    """A report of some hosts."""
    defaults: dict[str, Any] = {
        "generated_at": AT,
        "collection_version": "1.2.3",
        "profile": "lync_2013",
        "product": "Lync Server 2013",
    }
    return build_report(hosts, **{**defaults, **options})


@pytest.fixture
def make_certificate() -> Callable[..., dict[str, Any]]:
    return certificate


@pytest.fixture
def make_report() -> Callable[..., Report]:
    return make


@pytest.fixture
def report() -> Report:
    return make(fleet())


@pytest.fixture
def hostile() -> Report:
    return make(hostile_fleet())


@pytest.fixture
def nothing() -> Report:
    return make([])
