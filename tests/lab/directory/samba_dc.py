# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Samba AD DC for tests: its own directory, its own addresses of the loopback network, its own certificates.

with SambaDomainController(Path("dc"), accounts=[Account("reader", "Reader-Passw0rd")]) as controller:
    controller.directory.search(controller.caller("reader"), ...)

Seen with Samba 4.17 on Debian 12: ``interfaces`` with an address of 127/8 and that mask, together with ``bind
interfaces only``, makes it listen on that address alone, so domain controllers do not get into each other's way; no
option moves the ports. With ``--interactive`` it ends by itself when its standard input is a pipe that closes, so
none outlives its tests.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ..pki import Authority, Issued, KeyPool, Wanted
from .model import Caller
from .samba import SambaDirectory

PROGRAMS = {"samba": "samba", "samba-tool": "samba", "ldapsearch": "ldap-utils", "ldapmodify": "ldap-utils"}
"""What is needed, and the Debian package that has it."""

HOST = "dc1"
START_SECONDS = 60
STOP_SECONDS = 20


@dataclass(frozen=True)
class Account:
    """A user of the domain."""

    name: str
    password: str
    groups: tuple[str, ...] = ()
    """Beside Domain Users."""


class SambaError(Exception):
    """A domain controller that could not be made or did not start."""


def reason_missing() -> str | None:
    """Why no domain controller can run here, as a sentence; ``None`` when it can."""
    if os.geteuid() != 0:
        return "A Samba AD DC needs root, for its ports."
    for program, package in PROGRAMS.items():
        if not shutil.which(program):
            return f"{program} is not installed (Debian package {package})."
    return None


def free_address() -> str:
    """An address of the loopback network, and one after it, on which nothing serves LDAP."""
    for number in random.sample(range(1, 250), 100):
        address = f"127.77.{number}.1"
        try:
            for candidate in (address, _next(address)):
                with socket.create_server((candidate, 389)):
                    pass
        except OSError:
            continue
        return address
    raise SambaError("No address of 127.77.0.0/16 is free at port 389.")


class SambaDomainController:
    """A domain of one controller, running from entry to exit of the context."""

    def __init__(
        self,
        directory: Path,
        *,
        address: str | None = None,
        realm: str = "CORP.EXAMPLE.TEST",
        administrator_password: str = "Passw0rd!Passw0rd",
        accounts: Sequence[Account] = (),
    ) -> None:
        self._top = directory
        self._accounts = {account.name: account for account in accounts}
        self._process: subprocess.Popen[bytes] | None = None
        self._output = directory / "samba.out"
        self.address = address or free_address()
        self.unnamed_address = _next(self.address)
        """Leads to the same controller, but its certificate does not name it."""
        self.realm = realm
        self.administrator = Caller("Administrator", administrator_password)
        self.ca_path = directory / "tls/ca.pem"
        self.foreign_ca_path = directory / "tls/foreign-ca.pem"
        """A certification authority that has nothing to do with this domain."""
        self.krb5_config = directory / "krb5.conf"
        self.server = f"{HOST}.{realm.lower()}"
        self.directory = SambaDirectory(
            address=self.address,
            realm=realm,
            server=self.server,
            administrator=self.administrator,
            ca_path=self.ca_path,
        )

    def caller(self, name: str) -> Caller:
        """One of the accounts."""
        account = self._accounts[name]
        return Caller(account.name, account.password)

    def ticket(self, caller: Caller) -> dict[str, str]:
        """Get a Kerberos ticket (kinit); return the variables that make a process use it."""
        environment = self.environment_without_ticket(caller.user)
        done = subprocess.run(
            ["kinit", f"{caller.user}@{self.realm}"],
            input=caller.password + "\n",
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        if done.returncode:
            raise SambaError(f"kinit: {done.stderr.strip()}")
        return environment

    def environment_without_ticket(self, name: str = "nobody") -> dict[str, str]:
        """The variables that make a process use a ticket cache of its own, and this domain."""
        return {"KRB5_CONFIG": str(self.krb5_config), "KRB5CCNAME": f"FILE:{self._top / f'{name}.ccache'}"}

    def start(self) -> None:
        """Make the domain at the first call; serve it.

        Raises:
            SambaError: with what the programs said.
        """
        configuration = self._top / "etc/smb.conf"
        try:
            if not configuration.exists():
                self._provision()
            with self._output.open("wb") as output:
                self._process = subprocess.Popen(
                    ["samba", "--interactive", "--no-process-group", "--model=single", f"--configfile={configuration}"],
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            self._wait_until_it_serves(self._process)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, and what it may have left of its process group."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            if process.stdin:
                process.stdin.close()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def __enter__(self) -> SambaDomainController:
        self.start()
        return self

    def __exit__(self, *details: object) -> None:
        self.stop()

    def _provision(self) -> None:
        for name in ("log", "tls"):
            (self._top / name).mkdir(parents=True, exist_ok=True)
        empty = self._top / "empty.conf"
        empty.touch()
        options = {
            "interfaces": f"{self.address}/8 {self.unnamed_address}/8",
            "bind interfaces only": "yes",
            "server services": "ldap,cldap,kdc",
            "log file": self._top / "log/samba.log",
            "pid directory": self._top,
            "ncalrpc dir": self._top / "ncalrpc",
            "winbindd socket directory": self._top / "winbindd",
            "ntp signd socket directory": self._top / "ntp_signd",
            "usershare path": "",
            "tls keyfile": self._top / "tls/key.pem",
            "tls certfile": self._top / "tls/certificate.pem",
            "tls cafile": self.ca_path,
        }
        self._write_certificates()
        self._tool(
            *("domain", "provision", "--server-role=dc", "--dns-backend=NONE", "--quiet"),
            *(f"--configfile={empty}", f"--targetdir={self._top}", f"--host-ip={self.address}"),
            *(f"--realm={self.realm}", f"--domain={self.realm.partition('.')[0]}", f"--host-name={HOST}"),
            f"--adminpass={self.administrator.password}",
            *(f"--option={name}={value}" for name, value in options.items()),
        )
        for name in (self.server, self.address):
            # The service list leaves out samba_spnupdate; the address makes Kerberos work without resolving names.
            self._offline("spn", "add", f"ldap/{name}", f"{HOST.upper()}$")
        for account in self._accounts.values():
            self._offline("user", "create", account.name, account.password)
            for group in account.groups:
                self._offline("group", "addmembers", group, account.name)
        self.krb5_config.write_text(
            f"[libdefaults]\ndefault_realm = {self.realm}\ndns_lookup_realm = false\ndns_lookup_kdc = false\n"
            "dns_canonicalize_hostname = false\nrdns = false\nudp_preference_limit = 1\n"
            f"[realms]\n{self.realm} = {{\nkdc = {self.address}\n}}\n",
            encoding="utf-8",
        )

    def _write_certificates(self) -> None:
        now = datetime.now(timezone.utc)
        start, end = now - timedelta(days=1), now + timedelta(days=7)
        pool = KeyPool()
        authority = Authority("CN=Directory Test CA", pool, not_before=start, not_after=end)
        foreign = Authority("CN=Foreign Test CA", pool, not_before=start, not_after=end)
        names = (self.server, "localhost", self.address)
        server = authority.issue(Wanted(f"CN={self.server}", start, end, subject_alt_names=names))
        self.ca_path.write_bytes(_pem(authority.certificate))
        self.foreign_ca_path.write_bytes(_pem(foreign.certificate))
        (self._top / "tls/certificate.pem").write_bytes(_pem(server))
        key = self._top / "tls/key.pem"
        key.touch(mode=0o600)  # Samba does not use a key that others could read.
        key.write_bytes(server.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def _offline(self, *arguments: str) -> None:
        self._tool(*arguments, f"--configfile={self._top / 'etc/smb.conf'}", "-H", str(self._top / "private/sam.ldb"))

    def _tool(self, *arguments: str) -> None:
        done = subprocess.run(["samba-tool", *arguments], capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise SambaError(f"samba-tool {arguments[0]} {arguments[1]}: {(done.stderr or done.stdout).strip()}")

    def _wait_until_it_serves(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        waiting = [(address, port) for address in (self.address, self.unnamed_address) for port in (88, 389, 636)]
        while waiting:
            if process.poll() is not None:
                raise SambaError(f"samba ended with {process.returncode}: {self._said()}")
            if time.monotonic() > deadline:
                raise SambaError(f"samba does not serve {waiting}: {self._said()}")
            try:
                socket.create_connection(waiting[0], timeout=1).close()
                del waiting[0]
            except OSError:
                time.sleep(0.05)

    def _said(self) -> str:
        return self._output.read_text("utf-8", "replace")[-2000:]


def _next(address: str) -> str:
    head, _dot, last = address.rpartition(".")
    return f"{head}.{int(last) + 1}"


def _pem(issued: Issued) -> bytes:
    return issued.certificate.public_bytes(Encoding.PEM)
