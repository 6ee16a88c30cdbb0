# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where and how a directory is reached by LDAP, as the options say it; what is not safe is refused here."""

from __future__ import annotations

import ipaddress
import re
import ssl
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from ..directory.errors import DirectoryError

Security = Literal["ldaps", "starttls", "sasl"]

LDAP_PORT = 389
LDAPS_PORT = 636
GLOBAL_CATALOGUE_PORTS = (3268, 3269)
"""MS-ADTS 3.1.1.3.1.10"""

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?")
_SERVER_FORMS = "Give ldap_server as NAME, NAME:PORT, ldaps://NAME or ldap://NAME."


@dataclass(frozen=True)
class Endpoint:
    """A server whose options have been checked."""

    host: str
    """A name or an address, without brackets."""
    port: int
    security: Security

    @property
    def tls(self) -> bool:
        """Whether the connection is protected by TLS, from the start or after StartTLS."""
        return self.security != "sasl"

    @property
    def uri(self) -> str:
        """As libldap takes it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ldaps' if self.security == 'ldaps' else 'ldap'}://{host}:{self.port}"


@dataclass(frozen=True)
class LdapServer:
    """What the options say of the server and of the account."""

    server: str
    """``NAME``, ``NAME:PORT``, ``ldap://NAME[:PORT]`` or ``ldaps://NAME[:PORT]``."""
    port: int | None = None
    security: Security | None = None
    """``None``: LDAPS with a simple bind, sign and seal of SASL with Kerberos."""
    auth: Literal["simple", "kerberos"] = "simple"
    user: str | None = None
    """``user@domain``, ``DOMAIN\\user`` or a distinguished name (MS-ADTS 5.1.1.1.1)."""
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    """PEM; ``None``: what libldap is set up to trust."""
    validate_certs: bool = True
    timeout: int = 30
    """Seconds for the connection, and for each operation."""

    def endpoint(self) -> Endpoint:
        """The server to reach.

        Raises:
            DirectoryError: the options contradict each other, or would send a password in clear.
        """
        scheme, host, port = self._parts()
        security = self._security(scheme)
        self._check_account(security)
        if self.timeout < 1:
            raise self._refused("ldap_timeout is less than one second.", "Give a whole number of seconds.")
        return Endpoint(host, port or (LDAPS_PORT if security == "ldaps" else LDAP_PORT), security)

    def check_ca_file(self) -> None:
        """Make sure that the file of trusted certificates can be used.

        Raises:
            DirectoryError: it cannot be read, or holds no certificate.
        """
        if self.ca_file is None or not self.validate_certs:
            return
        try:
            ssl.create_default_context(cafile=self.ca_file)
        except OSError as exc:
            reason = "it holds no certificate in PEM form" if isinstance(exc, ssl.SSLError) else exc.strerror
            raise DirectoryError(
                f"The file of trusted certificates cannot be used: {reason}.",
                place=self.ca_file,
                remedy="Give as ldap_ca_file a PEM file with the certificate of the authority that signed the domain"
                " controller's.",
            ) from exc

    def _parts(self) -> tuple[str, str, int | None]:
        text = self.server.strip()
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = "", text
        if scheme not in ("", "ldap", "ldaps"):
            raise self._refused(f"{scheme}:// is no way to a directory.", _SERVER_FORMS)
        try:
            if ipaddress.ip_address(rest).version == 6:
                rest = f"[{rest}]"
        except ValueError:
            pass
        try:
            split = urlsplit(f"//{rest}")
            host, port = split.hostname or "", split.port
        except ValueError:
            raise self._refused("ldap_server does not name a server and a port.", _SERVER_FORMS) from None
        if split.path not in ("", "/") or split.query or split.fragment or "@" in split.netloc:
            raise self._refused("ldap_server holds more than a server and a port.", _SERVER_FORMS)
        if not _HOST_NAME.fullmatch(host) and ":" not in host:
            raise self._refused("ldap_server does not name a server.", _SERVER_FORMS)
        if port is not None and self.port not in (None, port):
            raise self._refused(f"ldap_server names port {port}, ldap_port {self.port}.", "Give one of them.")
        port = self.port if port is None else port
        if port is not None and not 0 < port < 65536:
            raise self._refused(f"{port} is not a port.", "Give a number from 1 to 65535, or none.")
        if port in GLOBAL_CATALOGUE_PORTS:
            raise self._refused(
                f"Port {port} is that of the global catalogue, which takes no changes and lacks some attributes.",
                "Leave the port out, or give that of LDAP (389) or LDAPS (636).",
            )
        return scheme, host, port

    def _security(self, scheme: str) -> Security:
        if scheme == "ldaps":
            if self.security not in (None, "ldaps"):
                raise self._refused(
                    f"ldaps:// and ldap_security {self.security} contradict each other.", "Leave ldap_security out."
                )
            return "ldaps"
        if scheme == "ldap" and self.security == "ldaps":
            raise self._refused("ldap:// and ldap_security ldaps contradict each other.", "Write ldaps://.")
        if self.auth == "kerberos":
            return self.security or "sasl"
        if self.security == "sasl" or (scheme == "ldap" and self.security is None):
            raise self._refused(
                "A simple bind without TLS would send the password in clear.",
                "Set ldap_security to starttls, use ldaps://, or set ldap_auth to kerberos.",
            )
        return self.security or "ldaps"

    def _check_account(self, security: Security) -> None:
        if self.auth == "kerberos":
            if self.user or self.password:
                raise self._refused(
                    "With Kerberos the ticket cache of the controller says who logs on; ldap_user and ldap_password"
                    " would not be used.",
                    "Leave them out and get a ticket with kinit, or set ldap_auth to simple.",
                )
        elif not self.user or not self.password:
            missing = "ldap_password" if self.user else "ldap_user"
            # RFC 4513 5.1.2: servers take a name without a password for an anonymous bind and report success.
            raise self._refused(
                f"{missing} is empty; the directory would take that for an anonymous logon.",
                "Give ldap_user and ldap_password, or set ldap_auth to kerberos.",
            )

    def _refused(self, message: str, remedy: str) -> DirectoryError:
        # Who writes a password into a URL shall not find it in a log.
        return DirectoryError(message, place=self.server.rpartition("@")[2], remedy=remedy)
