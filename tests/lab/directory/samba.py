# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of a real Samba AD DC, by the command line tools of OpenLDAP (Debian package ldap-utils).

Every call is a connection of its own over LDAPS with a simple bind as the caller. The tools end with the result code
that the server gave.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from .model import Caller, DirectoryFault, Object, Operation

CONTAINERS = ("CN=Certificate Templates", "CN=OID", "CN=Enrollment Services")
"""Below CN=Public Key Services; the provisioned domain has them, empty."""

# "ldap_modify: No such attribute (16)" with "additional info: ...", but "Operations error (1)" with "Additional
# information: ..." when a search fails (ldap-utils 2.5).
_RESULT = re.compile(r"^.*\((-?\d+)\)\s*$", re.MULTILINE)
_DIAGNOSTIC = re.compile(r"^\s*[Aa]dditional info(?:rmation)?: (.*)", re.MULTILINE)


class SambaDirectory:
    """What the lab asks of a directory (:class:`lab.directory.model.Directory`), asked of a Samba AD DC."""

    def __init__(self, *, address: str, realm: str, server: str, administrator: Caller, ca_path: Path) -> None:
        self.domain = realm.lower()
        self.server = server
        self.administrator = administrator
        self.before_change: Callable[[], None] | None = None
        self._uri = f"ldaps://{address}"
        self._ca_path = ca_path
        self.configuration = "CN=Configuration," + ",".join(f"DC={label}" for label in self.domain.split("."))

    @property
    def public_key_services(self) -> str:
        """The container of everything that concerns certificates."""
        return f"CN=Public Key Services,CN=Services,{self.configuration}"

    def search(
        self, caller: Caller, base: str, scope: str, filter_text: str, attributes: Sequence[str] | None
    ) -> list[Object]:
        """Objects of any number; a security descriptor only when it is named."""
        names = ["*"] if attributes is None else list(attributes) or ["1.1"]
        options = ["-LLL", "-o", "ldif-wrap=no", "-b", base, "-s", scope]
        if scope != "base":
            options += ["-E", "pr=500/noprompt"]
        found = self._run("ldapsearch", caller, [*options, "--", filter_text, *names])
        return list(parse_ldif(found))

    def modify(self, caller: Caller, dn: str, operations: Sequence[Operation]) -> None:
        """One atomic modify."""
        self._change(caller, _modify_record(dn, operations))

    def add(self, caller: Caller, dn: str, attributes: Mapping[str, Sequence[bytes]]) -> None:
        """A new object."""
        self._change(caller, _add_record(dn, attributes))

    def delete(self, caller: Caller, dn: str) -> None:
        """Remove an object without children."""
        self._change(caller, _delete_record(dn))

    def populate(self, objects: Sequence[Object]) -> None:
        """Add many objects in one go, as the administrator."""
        if objects:
            self._change(self.administrator, "\n".join(_add_record(item.dn, item.attributes) for item in objects))

    def clear(self) -> None:
        """Remove all templates, OID objects and enrolment services, as the administrator."""
        found = [
            item.dn
            for container in CONTAINERS
            for item in self.search(
                self.administrator, f"{container},{self.public_key_services}", "one", "(objectClass=*)", []
            )
        ]
        if found:
            self._change(self.administrator, "\n".join(_delete_record(dn) for dn in found))

    def _change(self, caller: Caller, ldif: str) -> None:
        if caller != self.administrator and self.before_change:
            hook, self.before_change = self.before_change, None
            hook()
        self._run("ldapmodify", caller, [], ldif)

    def _run(self, program: str, caller: Caller, options: Sequence[str], text: str = "") -> str:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "LDAPTLS_CACERT": str(self._ca_path),
            "LDAPTLS_REQCERT": "demand",
        }
        with self._identity(caller) as identity:
            done = subprocess.run(
                [program, "-x", "-H", self._uri, *identity, *options],
                input=text,
                env=environment,
                capture_output=True,
                encoding="utf-8",
                timeout=60,
                check=False,
            )
        if done.returncode == 0:
            return done.stdout
        result = _RESULT.search(done.stderr)
        if result is None:
            raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr.strip()}")
        diagnostic = _DIAGNOSTIC.search(done.stderr)
        raise DirectoryFault(int(result[1]), diagnostic[1].strip() if diagnostic else "")

    @contextmanager
    def _identity(self, caller: Caller) -> Iterator[list[str]]:
        """Options that name the caller; his password stands in a file that only the owner can read."""
        if not caller.user:
            yield []
            return
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write(caller.password)
            file.flush()
            yield ["-D", f"{caller.user}@{self.domain}", "-y", file.name]


def parse_ldif(text: str) -> Iterator[Object]:
    """Content records of LDIF (RFC 2849) with lines that are not folded."""
    current: Object | None = None
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line:
            if current:
                yield current
            current = None
            continue
        name, _colon, rest = line.partition(":")
        value = base64.b64decode(rest[1:]) if rest.startswith(":") else rest.removeprefix(" ").encode()
        if name == "dn":
            current = Object(value.decode())
        elif current:
            current.attributes.setdefault(name, []).append(value)
    if current:
        yield current


def _line(name: str, value: bytes) -> str:
    return f"{name}:: {base64.b64encode(value).decode()}\n"


def _add_record(dn: str, attributes: Mapping[str, Sequence[bytes]]) -> str:
    lines = [_line(name, value) for name, values in attributes.items() for value in values]
    return _line("dn", dn.encode()) + "changetype: add\n" + "".join(lines)


def _delete_record(dn: str) -> str:
    return _line("dn", dn.encode()) + "changetype: delete\n"


def _modify_record(dn: str, operations: Sequence[Operation]) -> str:
    parts = [
        f"{kind}: {name}\n" + "".join(_line(name, value) for value in values) + "-\n"
        for kind, name, values in operations
    ]
    return _line("dn", dn.encode()) + "changetype: modify\n" + "".join(parts)
