# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the crash sweep runs, and what must hold after a run that was cut and after the undisturbed one behind it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

from lab.formats.pfx import write_pfx
from lab.host.access import parse
from lab.host.machine import Machine
from lab.host.store import KeyReference, StoredCertificate
from lab.lync.access import services
from lab.pki import Issued, KeyPool, Wanted, self_signed
from lab.runtime import Lab

TOP = Path(__file__).parents[1]
SCENARIO = TOP / "tests/lab/scenarios/enrolment.yml"
CONVERSION = TOP / "tests/lab/scenarios/conversion.yml"
AUTHORITY = "Contoso Issuing CA 1"
SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
STORAGE = "Microsoft Software Key Storage Provider"
SETTINGS: dict[str, Any] = {
    "lync_certificates_directory_host": "dc01",
    "lync_certificates_ca_host": "ca01",
    "lync_certificates_template": "LyncWebServer",
    "lync_certificates_old": "remove",
}
ISSUED = 20
"""A row's disposition in the CA's database."""
PFX_PASSWORD = "Of the file 1'2"

_ALWAYS = ("S-1-5-18", "S-1-5-32-544")
"""SYSTEM and Administrators."""
CREATOR_OWNER = "S-1-3-0"
"""Who makes a file below a directory gets what is said of it there; of a file it says nothing."""
_CNG = "held by a key storage provider"
_FORMER = "KEYPROVIDERFORMER"


@dataclass(frozen=True)
class Standing:
    """How a server stood before the first run."""

    assignments: frozenset[tuple[str, str]]
    readers: Mapping[str, frozenset[str]]
    """The SIDs that could use the key of each certificate of My, by thumbprint; of those without a key it has none."""
    in_cng: frozenset[str]
    """The certificates whose keys a key storage provider held."""


@dataclass(frozen=True)
class Flow:
    """One playbook on some servers."""

    servers: tuple[str, ...]
    scenario: Path
    ended: Callable[[Lab, Flow, Mapping[str, Standing]], list[str]]
    """What is wrong after the run behind the one that was cut."""
    cut: Callable[[Lab, Flow, Mapping[str, Standing]], list[str]] = lambda _lab, _flow, _before: []
    """What is wrong after the one that was cut."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[Mapping[str, Any], ...] = ()
    """Of a playbook of its own; empty: it is the enforce playbook."""
    with_pfx: bool = False
    """It is given the PFX of :func:`new_pfx`."""
    asked: tuple[str, ...] = ("dc01", "ca01")
    """Other hosts whose requests are cut, too."""

    @property
    def variables(self) -> dict[str, Any]:
        """The extra variables of the playbook."""
        given = {"pfx": new_pfx(), "pfx_password": PFX_PASSWORD} if self.with_pfx else {}
        return {"lync_certificates_hosts": ",".join(self.servers), **self.settings, **given}


def standings(lab: Lab, flow: Flow) -> dict[str, Standing]:
    """How the servers of a flow stand."""
    return {name: standing(lab.machine(name)) for name in flow.servers}


def standing(machine: Machine) -> Standing:
    """How a server stands."""
    readers, in_cng = {}, set()
    for stored in machine.stores["MY"]:
        assert stored.issued is not None
        found = _readers(machine, stored.key)
        if found is not None:
            readers[stored.issued.thumbprint] = found
        if stored.key and stored.key.is_cng:
            in_cng.add(stored.issued.thumbprint)
    return Standing(_assigned(machine), readers, frozenset(in_cng))


def _assigned(machine: Machine) -> frozenset[tuple[str, str]]:
    return frozenset(machine.lync.assignments if machine.lync else ())


def _readers(machine: Machine, key: KeyReference | None) -> frozenset[str] | None:
    """Who of those that matter may use a key; None when there is none."""
    container = machine.container_of(key)
    if container is None:
        return None
    asked = (*_ALWAYS, *(services(machine).values() if machine.lync else ()))
    named = {entry.sid for entry in parse(container.access).entries}
    return frozenset(sid for sid in {*asked, *named} - {CREATOR_OWNER} if machine.may_use(container, sid))


def violations(lab: Lab, flow: str = "front_end") -> list[str]:
    """What must not be after the runs of a flow that replaces certificates."""
    return _replaced(lab, FLOWS[flow], {})


def _replaced(lab: Lab, flow: Flow, _before: Mapping[str, Standing]) -> list[str]:
    servers = [lab.machine(name) for name in flow.servers]
    wrong = [text for machine in servers for text in (*_assignments(machine), *_leftovers(machine))]
    return [*wrong, *_stopped(lab, flow), *_shared(servers), *_issued(lab), *_leftovers(lab.machine("ca01"))]


def _stopped(lab: Lab, flow: Flow) -> list[str]:
    """No usage that worked stopped working, at any moment."""
    return [str(one) for one in lab.deployment.journal.violations if one.host in flow.servers]


def _shared(servers: list[Machine]) -> list[str]:
    """All servers have the same certificate for A/V authentication."""
    thumbprints = {
        thumbprint
        for machine in servers
        for use, thumbprint in (machine.lync.assignments if machine.lync else ())
        if use == "AudioVideoAuthentication"
    }
    return [f"the pool has {len(thumbprints)} certificates for A/V authentication"] if len(thumbprints) > 1 else []


def _assignments(machine: Machine) -> list[str]:
    """Each usage has a certificate in the store whose key is there and in the wanted provider."""
    wrong = []
    assert machine.lync is not None
    for use, thumbprint in machine.lync.assignments:
        stored = machine.find(thumbprint)
        key = stored.key if stored else None
        if stored is None or key is None:
            wrong.append(f"{use} is assigned to {thumbprint}, which is not there with a key")
        elif key.provider != SCHANNEL:
            wrong.append(f"{use} has its key in {key.provider}")
        elif machine.containers.find(key.provider, key.container) is None:
            wrong.append(f"{use} has no key container")
    return wrong


def _issued(lab: Lab, *wanted: int) -> list[str]:
    """The CA has these requests and no others: without any, one that it issued."""
    rows = [row.disposition for row in lab.authority(AUTHORITY).rows]
    return [] if rows == [*(wanted or (ISSUED,))] else [f"the CA has requests with the dispositions {rows}"]


def _leftovers(machine: Machine) -> list[str]:
    """No pending request, no key without a certificate, no file of ours that is not known to stay."""
    wrong = []
    pending = machine.store("REQUEST")
    if pending and pending[1]:
        wrong.append(f"{machine.name} has {len(pending[1])} pending requests")
    named = {
        ((one.key.provider or "").casefold(), (one.key.container or "").casefold())
        for held in machine.stores.values()
        for one in held
        if one.key
    }
    for container in machine.containers:
        if (container.provider.casefold(), container.name.casefold()) not in named:
            wrong.append(f"{machine.name} has the key container {container.name} without a certificate")
    for path in machine.files:
        kept, _mark, beneath = path.lower().partition("\\winpki.keyprovider\\")[2].partition("\\")
        left = bool(beneath) if kept == "requests" else kept == "conversion" and beneath not in ("", "lock")
        if left or "keyprovider-" in path.lower() or path.lower().endswith(".pfx"):
            wrong.append(f"{machine.name} has the file {path}")
    return wrong


def working(machine: Machine, before: Standing, thumbprint: str) -> list[str]:
    """A certificate is in My once, and has its key in a container that those can use who could use its former one."""
    held = [one for one in machine.stores["MY"] if one.issued and one.issued.thumbprint == thumbprint]
    if len(held) != 1:
        return [f"{thumbprint} is {len(held)} times in My of {machine.name}"]
    flaw = _flaw(machine, held[0])
    if flaw:
        return [f"{thumbprint} of {machine.name} {flaw}"]
    lost = before.readers.get(thumbprint, frozenset()) - (_readers(machine, held[0].key) or frozenset())
    return [f"{', '.join(sorted(lost))} cannot use the key of {thumbprint} of {machine.name}"] if lost else []


def _flaw(machine: Machine, stored: StoredCertificate) -> str:
    container = machine.container_of(stored.key)
    assert stored.issued is not None
    if container is None:
        return "names no key container that is there"
    if container.key.public_key() != stored.issued.certificate.public_key():
        return "has the key of another certificate"
    assert stored.key is not None
    known = (stored.key.key_spec, bool(stored.key.provider_type)) == (container.key_spec, bool(container.key_spec))
    return "" if known else "has its key with another key specification"


def _kept(lab: Lab, flow: Flow, before: Mapping[str, Standing]) -> list[str]:
    """What holds at each moment of a flow that keeps the certificates: all work, and stand where they stood.

    A certificate that was in CNG may go back there when a step fails, which Lync 2013 takes for one that stopped.
    """
    wrong = []
    for name, stood in before.items():
        machine = lab.machine(name)
        journal = [one for one in lab.deployment.journal.violations if one.host == name]
        wrong += [str(one) for one in journal if one.thumbprint not in stood.in_cng or _CNG not in one.reason]
        if _assigned(machine) != stood.assignments:
            wrong.append(f"the assignments of {name} are others")
        for thumbprint in stood.readers:
            wrong += working(machine, stood, thumbprint)
        wrong += _exposed(machine)
    return wrong


def _exposed(machine: Machine) -> list[str]:
    """Each PFX that was ever written lay where SYSTEM and Administrators alone could read it."""
    wrong = []
    for written in machine.written:
        allowed = {entry.sid for entry in parse(written.access).entries if entry.allows}
        if written.path.lower().endswith(".pfx") and not allowed <= set(_ALWAYS):
            wrong.append(f"{written.path} of {machine.name} was readable by {', '.join(sorted(allowed))}")
    return wrong


def _converted(lab: Lab, flow: Flow, before: Mapping[str, Standing]) -> list[str]:
    """The keys that were in CNG are in the legacy provider, and nothing else has changed."""
    retired = bool(flow.settings.get("lync_certificates_retire_source_key"))
    wrong = [*_kept(lab, flow, before)]
    if lab.authority(AUTHORITY).rows:
        wrong += _issued(lab, 0)
    for name, stood in before.items():
        machine = lab.machine(name)
        wrong += [
            *_assignments(machine),
            *_leftovers(machine),
            *_stores(machine, frozenset() if retired else stood.in_cng),
        ]
        wanted = len(stood.readers) + (0 if retired else len(stood.in_cng))
        found = len(list(machine.containers))
        if found != wanted:
            wrong.append(f"{name} has {found} key containers and not {wanted}")
        for thumbprint in stood.in_cng:
            key = getattr(machine.find(thumbprint), "key", None)
            if key and (key.provider, key.provider_type, key.key_spec) != (SCHANNEL, 12, 1):
                wrong.append(f"{thumbprint} of {name} has {key.provider}, {key.provider_type}, {key.key_spec}")
    return wrong


def _stores(machine: Machine, former: frozenset[str]) -> list[str]:
    """Of our own stores there is only that of the former keys, and nothing else in it."""
    ours = {
        name.upper(): frozenset(one.issued.thumbprint for one in held if one.issued)
        for name, held in machine.stores.items()
        if name.upper().startswith("KEYPROVIDER")
    }
    return [] if ours == ({_FORMER: former} if former else {}) else [f"{machine.name} has the stores {ours}"]


def _import_cut(lab: Lab, flow: Flow, before: Mapping[str, Standing]) -> list[str]:
    """The new certificate is there and works, or it is not there; the others work as before."""
    wrong = [*_kept(lab, flow, before)]
    for name, stood in before.items():
        machine = lab.machine(name)
        if machine.find(new_certificate().thumbprint):
            wrong += working(machine, stood, new_certificate().thumbprint)
    return wrong


def _imported(lab: Lab, flow: Flow, before: Mapping[str, Standing]) -> list[str]:
    """The new certificate is there once, its key in the legacy provider, and no file was ever written."""
    wrong = [*_kept(lab, flow, before)]
    for name, stood in before.items():
        machine = lab.machine(name)
        wrong += [*working(machine, stood, new_certificate().thumbprint), *_leftovers(machine)]
        key = getattr(machine.find(new_certificate().thumbprint), "key", None)
        if key and (key.provider, key.provider_type, key.key_spec) != (SCHANNEL, 12, 1):
            wrong.append(f"the new certificate of {name} has {key.provider}, {key.provider_type}, {key.key_spec}")
        found, wanted = len(list(machine.containers)), len(stood.readers) + 1
        if found != wanted:
            wrong.append(f"{name} has {found} key containers and not {wanted}")
        wrong += [f"{one.path} was written on {name}" for one in machine.written if one.path.lower().endswith(".pfx")]
    return wrong


@cache
def new_certificate() -> Issued:
    """The certificate that is installed from a PFX."""
    now = datetime.now(timezone.utc)
    wanted = Wanted("CN=new.contoso.example", now - timedelta(days=1), now + timedelta(days=300))
    return self_signed(wanted, KeyPool(1))


@cache
def new_pfx() -> str:
    """Its PFX in base64, which names a key storage provider."""
    issued = new_certificate()
    made = write_pfx(*(issued.key, issued.certificate), password=PFX_PASSWORD, provider=STORAGE, machine_keyset=True)
    return base64.b64encode(made).decode()


_CONVERT: dict[str, Any] = {"lync_certificates_ca_host": "ca01", "lync_certificates_repair": "convert"}

FLOWS: dict[str, Flow] = {
    "front_end": Flow(("fe01",), SCENARIO, _replaced, settings=SETTINGS),
    "pool": Flow(("edge01", "edge02"), SCENARIO, _replaced, settings=SETTINGS),
    "convert": Flow(
        *(("fe01",), CONVERSION, _converted, _kept),
        settings={**_CONVERT, "lync_certificates_retire_source_key": True},
    ),
    "convert_keep": Flow(("fe01",), CONVERSION, _converted, _kept, settings=_CONVERT),
    "import": Flow(
        *(("fe01",), CONVERSION, _imported, _import_cut),
        tasks=({"winpki.keyprovider.certificate_install": {"pfx": "{{ pfx }}", "pfx_password": "{{ pfx_password }}"}},),
        with_pfx=True,
        asked=(),
    ),
}
"""A server with a certificate of its own, two that share one with its key; the keys of a server moved, its former keys
deleted or kept; a PFX installed."""
