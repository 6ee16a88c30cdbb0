# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate templates: read and changed over WinRM, parsed and judged in process, read over LDAP."""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import fleet
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access.ldap_server import LdapDirectory, LdapServer
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access.model import PUBLIC_KEY_SERVICES, Found
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.audit.templates import audit_templates
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory import ldif
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.schema import READ_ATTRIBUTES, READ_FILTER
from lab.directory import samba_dc
from lab.directory.embedded import EmbeddedDirectory
from lab.directory.ldif import encoded, written
from lab.directory.model import Caller, Directory
from lab.directory.population import CaPlan, DirectoryPlan, many_templates, populate
from lab.runtime import Lab
from lab.scenario import parse

DOMAIN = "corp.example.test"
FOR_A_KSP = "Department004Web"
"""Of many_templates."""

_PROFILE = "lync_2013"
_ACCOUNT = samba_dc.Account("editor", "Bench-Passw0rd", ("Enterprise Admins",))


def plan(count: int) -> DirectoryPlan:
    """Templates of four kinds, all of them offered by two CAs."""
    templates = many_templates(count)
    names = [template.name for template in templates]
    cas = [CaPlan(f"Contoso Issuing CA {number}", f"ca{number}.{DOMAIN}", names) for number in (1, 2)]
    return DirectoryPlan(DOMAIN, templates=templates, cas=cas)


@contextmanager
def _lab(count: int, directory: Directory | None = None, account: Caller | None = None) -> Iterator[Lab]:
    account = account or Caller("Administrator", "bench-only")
    definition = {
        "lab": {"domain": DOMAIN, "user": account.user, "password": account.password, "transport": "basic"},
        "directory": {},
        "hosts": [{"name": "dc01", "domain_controller": True}],
    }
    with Lab(parse(definition, "bench"), directory=directory) as lab:
        populate(lab.directory, plan(count))
        yield lab


def over_winrm(directory: Path, count: int, task: dict[str, Any]) -> dict[str, Any]:
    """The counters of a domain controller after one task, with so many templates in its directory."""
    playbook = fleet.playbook(directory / "play.yml", task)
    with _lab(count) as lab:
        fleet.run(directory, "-i", str(lab.inventory_path), str(playbook))
        return lab.counters("dc01")


class _Exported:
    """A directory whose search reads an export of ldifde again each time."""

    def __init__(self, count: int) -> None:
        source = EmbeddedDirectory(DOMAIN)
        populate(source, plan(count))
        self._configuration = source.configuration
        base = f"{PUBLIC_KEY_SERVICES},{source.configuration}"
        found = source.search(source.administrator, base, "sub", READ_FILTER, READ_ATTRIBUTES)
        text = "".join(written(entry, unicode=True) for entry in found)
        self._data = encoded(text, unicode=True, code_page="cp1252")

    def search(self, _filter_text: str, _attributes: Sequence[str]) -> Found:
        entries = ldif.parse(self._data, origin="bench")
        return Found(tuple(entries), self._configuration, f"dc01.{DOMAIN}")


def judge(counts: Sequence[int], *, rounds: int) -> dict[int, float]:
    """Seconds to parse an export, read and judge its templates, by their number; the best of interleaved rounds."""
    profile = load(_PROFILE)
    exports = {count: _Exported(count) for count in counts}
    best = dict.fromkeys(counts, float("inf"))
    gc.collect()
    for _round in range(rounds):
        for count, exported in exports.items():
            repeats = max(counts) // count
            started = time.perf_counter()
            for _repeat in range(repeats):
                result = audit_templates(exported, (), profile)
            best[count] = min(best[count], (time.perf_counter() - started) / repeats)
            _check(result, count)
    return best


@dataclass
class Compared:
    """The two ways to the templates of one real directory."""

    searches: int
    """LDAP searches of one reading over LDAP, without the one of the RootDSE."""
    seconds: dict[str, list[float]]
    """Of a playbook with template_info, by way, in turns."""


def reason_missing() -> str | None:
    """Why LDAP cannot be measured here, as a sentence; ``None`` when it can."""
    try:
        importlib.import_module("ldap")
    except ImportError as exc:
        return f"python-ldap is not installed ({exc})."
    return samba_dc.reason_missing()


def both_ways(directory: Path, count: int, *, rounds: int) -> Compared:
    """Read templates of a Samba AD DC over LDAPS, and over WinRM by the lab's ldifde in front of it."""
    with samba_dc.SambaDomainController(directory / "dc", accounts=[_ACCOUNT]) as controller:
        user = f"{_ACCOUNT.name}@{controller.directory.domain}"
        options = {
            "ldap_server": controller.address,
            "ldap_user": user,
            "ldap_password": _ACCOUNT.password,
            "ldap_ca_file": str(controller.ca_path),
        }
        server = LdapServer(controller.address, user=user, password=_ACCOUNT.password, ca_file=str(controller.ca_path))
        tasks = {
            "winrm": {"winpki.keyprovider.template_info": {}},
            "ldap": {"winpki.keyprovider.template_info": options},
        }
        with _lab(count, controller.directory, controller.caller(_ACCOUNT.name)) as lab:
            searches = _searches(server, count)
            return Compared(searches, fleet.in_turns(directory, lab.inventory_path, tasks, rounds=rounds))


def _searches(server: LdapServer, count: int) -> int:
    ldap = importlib.import_module("ldap")
    kind = importlib.import_module("ldap.ldapobject").SimpleLDAPObject
    counted = mock.patch.object(kind, "search_ext", autospec=True, side_effect=kind.search_ext)
    with counted as search, closing(LdapDirectory(server)) as directory:
        result = audit_templates(directory, (), load(_PROFILE))
    _check(result, count)
    return sum(call.args[2] != ldap.SCOPE_BASE for call in search.call_args_list)


def _check(result: Mapping[str, Any], count: int) -> None:
    if len(result["templates"]) != count or result["problems"]:
        raise SystemExit(f"{len(result['templates'])} templates of {count} were read: {result['problems']}")
