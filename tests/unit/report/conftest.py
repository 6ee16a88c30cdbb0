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
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.report.template_input import template_section

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


TEMPLATE_REQUIREMENTS: dict[str, list[dict[str, Any]]] = {
    **REQUIREMENTS,
    "unsuitable": [
        {
            "name": "key_provider",
            "status": "unmet",
            "expected": "a legacy CSP",
            "actual": "a KSP",
            "reason": "The template makes keys in a KSP.",
            "remedy": "Make it a template for legacy providers.",
            "source": "https://example.com/templates?a=1&b=2",
            "confidence": "high",
        }
    ],
}

ESC1: dict[str, Any] = {
    "name": "ESC1",
    "certain": True,
    "principals": [{"sid": "S-1-5-11", "name": "Authenticated Users"}],
    "reason": "Authenticated Users can have a certificate in the name of anyone.",
    "remedy": "Take Enroll from them.",
    "source": "https://example.com/esc1",
}


def flag_word(*names: str) -> dict[str, Any]:
    """A flag word as template_info shows it, whatever its value."""
    return {"value": 16, "hex": "0x00000010", "names": list(names)}


def template(name: str = "LyncWeb", status: str = "suitable", **changes: Any) -> dict[str, Any]:
    """A certificate template as template_info returns it; offered by a CA unless the changes say otherwise."""
    csp = status != "unsuitable"
    provider = KEYS["csp" if csp else "ksp"].provider
    return {
        "name": name,
        "display_name": f"{name} Display",
        "dn": f"CN={name},CN=Certificate Templates,CN=Public Key Services,CN=Services,CN=Configuration,DC=corp",
        "oid": "1.3.6.1.4.1.311.21.8.1.2.3",
        "schema_version": 4,
        "category": "csp" if csp else "ksp",
        "providers": [provider],
        "any_provider": False,
        "consistent": True,
        "inconsistencies": [],
        "key_spec": 1,
        "minimum_key_size": 2048,
        "key_algorithm": "RSA",
        "key_usage": ["digitalSignature", "keyEncipherment"],
        "private_key_flags": {
            **flag_word("EXPORTABLE_KEY"),
            "minimum_ca": "Windows Server 2016",
            "minimum_client": "Windows 10",
        },
        "enrollment_flags": flag_word("AUTO_ENROLLMENT"),
        "subject_name_flags": flag_word("ENROLLEE_SUPPLIES_SUBJECT"),
        "general_flags": flag_word("MACHINE_TYPE", "IS_MODIFIED"),
        "revision": {"major": 100, "minor": 4},
        "extended_key_usage": ["1.3.6.1.5.5.7.3.1"],
        "application_policies": ["1.3.6.1.5.5.7.3.1"],
        "issuance": {"application_policies": [], "properties": {}},
        "signatures_required": 0,
        "supersedes": [],
        "published_on": ["Contoso Issuing CA"],
        "exposures": [],
        "verdict": {"profile": "lync_2013", "status": status, "requirements": TEMPLATE_REQUIREMENTS[status]},
        **changes,
    }


def forest(*templates: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The registered result of template_info."""
    return {
        "changed": False,
        "failed": False,
        "templates": list(templates),
        "problems": [],
        "enrolment_services": [],
        "directory": {"server": "dc01.corp.example.test", "configuration": "CN=Configuration,DC=corp,DC=example"},
        "product": "Lync Server 2013",
        **changes,
    }


def mixed_forest() -> dict[str, Any]:
    """Templates with every verdict, exposed and inconsistent ones, two that no CA offers, and a problem."""
    problem = Problem("dc01", "The flags are no number.", "Repair the attribute.", "CN=Broken").as_dict()
    broken = "The template asks for a CSP, but lists a KSP: clients cannot enrol with it."
    listed = [KEYS["csp"].provider, "Microsoft Enhanced Cryptographic Provider v1.0", "Acme Box"]
    return forest(
        template("Good", providers=listed, published_on=["Contoso Issuing CA", "Contoso CA 2"]),
        template("Ksp", "unsuitable", exposures=[ESC1]),
        template("KspToo", "unsuitable", consistent=False, inconsistencies=[broken]),
        template("Lost", "undetermined", exposures=[{**ESC1, "certain": False, "principals": []}]),
        template("Short", "warning", providers=[], any_provider=True),
        template("Unused", "unsuitable", published_on=[]),
        template("UnusedToo", "suitable", published_on=[], oid=None, display_name=None, schema_version=1),
        problems=[problem],
    )


def hostile_forest() -> dict[str, Any]:
    """A forest in which every text is hostile."""
    requirement = {**dict.fromkeys(REQUIREMENTS["unsuitable"][0], HOSTILE), "status": "unmet"}
    exposure = {**dict.fromkeys(ESC1, HOSTILE), "certain": False, "principals": [{"sid": HOSTILE, "name": HOSTILE}]}
    flags = {**flag_word(HOSTILE), "minimum_ca": HOSTILE, "minimum_client": HOSTILE}
    texts = dict.fromkeys(("display_name", "dn", "oid", "key_algorithm"), HOSTILE)
    listed = ("providers", "inconsistencies", "extended_key_usage", "supersedes", "published_on")
    lists = {key: [f"={HOSTILE}"] for key in listed}
    words = ("private_key_flags", "enrollment_flags", "subject_name_flags", "general_flags")
    verdict = {"profile": HOSTILE, "status": "unsuitable", "requirements": [requirement]}
    evil = template(HOSTILE, exposures=[exposure], **texts, **lists, **dict.fromkeys(words, flags), verdict=verdict)
    return forest(
        evil,
        evil,
        {**evil, "published_on": []},
        problems=[{"origin": HOSTILE, "place": HOSTILE, "message": HOSTILE, "remedy": HOSTILE}],
        directory={"server": HOSTILE, "configuration": HOSTILE},
        product=HOSTILE,
    )


def need(*types: str, **changes: Any) -> dict[str, Any]:
    """A need of a Lync server as lync_certificate_plan returns it, with what the reports do not read left out."""
    defaults = {"state": "satisfied", "reasons": [], "current": None, "successor": None, "shared": None}
    return {"name": "-".join(types).lower(), "types": list(types), **defaults, "source_host": None, **changes}


def thumbprint(name: str) -> str:
    """The thumbprint of the certificate of that name."""
    return certificate(name)["thumbprint"]


CNG = "key_provider: The product cannot use a KSP. The key is in a KSP."
"""The reason of a plan that tells what the findings of a certificate explain."""

SUBMITTED = {
    "status": "pending",
    "request_id": 4711,
    "ca": "CA01\\Contoso Issuing CA",
    "reason": "The request waits for a manager of the CA.",
}


def planned_fleet() -> list[dict[str, Any]]:
    """The fleet with a plan for two hosts in which every state occurs, one request pending and one to be made."""
    hosts = fleet()
    hosts[0]["needs"] = [
        need("Default", "WebServicesInternal", current=thumbprint("pool.contoso.com")),
        need(
            "WebServicesExternal",
            state="request",
            reasons=[CNG],
            current=thumbprint("cng.contoso.com"),
            pending=SUBMITTED,
        ),
        need(
            "OAuthTokenIssuer",
            state="assign",
            reasons=["It ends on 2025-12-01, in 9 days."],
            current=thumbprint("weak.contoso.com"),
            successor=thumbprint("pool.contoso.com"),
        ),
    ]
    hosts[1]["needs"] = [
        need("OAuthTokenIssuer", state="waits", reasons=["fe01 assigns it."], shared="global", source_host="fe01"),
        need(
            "AudioVideoAuthentication",
            state="transfer",
            current=thumbprint("東京.contoso.com"),
            successor="AB" * 20,
            reasons=[CNG],
            shared="pool",
            source_host="fe01",
        ),
        need("XmppServer", state="request", reasons=["Nothing is assigned to XmppServer."]),
        need("Default", state="blocked", reasons=["It cannot be used. Mend the cause."], current="CD" * 20),
        need(
            "WebServicesInternal",
            state="convert",
            reasons=[CNG],
            current=thumbprint("東京.contoso.com"),
            repair="convert",
            convert=thumbprint("東京.contoso.com"),
            provider="A CSP",
        ),
    ]
    return hosts


def hostile_needs() -> list[dict[str, Any]]:
    """Needs in which every text is hostile."""
    texts = dict.fromkeys(
        ("name", "current", "successor", "repair", "convert", "provider", "shared", "source_host"), f"={HOSTILE}"
    )
    evil = {**need(), **texts, "types": [HOSTILE, HOSTILE], "reasons": [HOSTILE]}
    pending = {**dict.fromkeys(("request_id", "ca", "reason", "csr_path"), f"={HOSTILE}"), "status": "pending"}
    states = ("blocked", "waits", "request", "convert", "transfer", "assign", "satisfied")
    return [*({**evil, "state": state} for state in states), {**evil, "state": "request", "pending": pending}]


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
def make_template() -> Callable[..., dict[str, Any]]:
    return template


@pytest.fixture
def make_forest() -> Callable[..., dict[str, Any]]:
    return forest


@pytest.fixture
def with_templates() -> Callable[..., Report]:
    """A report of the fleet with the templates of a result of template_info."""
    return lambda result, **options: make(fleet(), templates=template_section(result), **options)


@pytest.fixture
def mixed() -> Report:
    """A report of the fleet with templates of every sort."""
    return make(fleet(), templates=template_section(mixed_forest()))


@pytest.fixture
def hostile_templates() -> Report:
    return make(hostile_fleet(), templates=template_section(hostile_forest()))


@pytest.fixture
def unread() -> Report:
    """A report whose templates could not be read."""
    return make(fleet(), templates=template_section({"failed": True, "msg": "dc01: access <denied>. Ask."}))


@pytest.fixture
def make_need() -> Callable[..., dict[str, Any]]:
    return need


@pytest.fixture
def planned() -> Report:
    """A report of the fleet with needs of every sort."""
    return make(planned_fleet())


@pytest.fixture
def hostile_plan() -> Report:
    hosts = hostile_fleet()
    return make([{**hosts[0], "needs": hostile_needs()}, {**hosts[1], "needs": hostile_needs()}])


@pytest.fixture
def report() -> Report:
    return make(fleet())


@pytest.fixture
def hostile() -> Report:
    return make(hostile_fleet())


@pytest.fixture
def nothing() -> Report:
    return make([])
