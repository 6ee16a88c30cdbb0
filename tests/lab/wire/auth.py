# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is at the other end of a connection: Basic, and Negotiate with NTLM (raw or inside SPNEGO).

Basic is checked with every request, Negotiate once for a connection, as http.sys does. Channel bindings are not
checked. Windows names ``Negotiate`` and ``Basic realm="WSMAN"`` in its 401 (jborean93/omi issue 29); the scheme
``NTLM`` is not offered but taken. pyspnego's NTLM acceptor knows accounts only from the file that NTLM_USER_FILE
names, so each step gets a file with the one account that is asked for.
"""

from __future__ import annotations

import base64
import binascii
import os
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hmac import compare_digest

import spnego
from spnego.exceptions import SpnegoError

from .host import Host, NetworkLogon

_ENVIRONMENT = threading.Lock()
_NTLM_AUTHENTICATE = b"NTLMSSP\x00\x03\x00\x00\x00"


@dataclass(frozen=True)
class Schemes:
    """What a listener accepts."""

    basic: bool
    negotiate: bool

    def challenges(self) -> list[tuple[str, str]]:
        """The WWW-Authenticate headers of a 401."""
        offered = ["Negotiate"] if self.negotiate else []
        if self.basic:
            offered.append('Basic realm="WSMAN"')
        return [("WWW-Authenticate", value) for value in offered]


@dataclass(frozen=True)
class Outcome:
    """What came of one request: a user, or a 401; either way with headers for the response."""

    user: str | None
    headers: list[tuple[str, str]]
    rejected: bool = False
    """Credentials were given and are wrong."""
    fresh: bool = False
    """The user was established by this request."""


class Authenticator:
    """The authentication state of one connection."""

    def __init__(self, host: Host, schemes: Schemes) -> None:
        self._host = host
        self._schemes = schemes
        self._pending: spnego.ContextProxy | None = None
        self.context: spnego.ContextProxy | None = None
        """The security context that encrypts, once Negotiate is through."""
        self._user: str | None = None

    def check(self, authorization: str | None) -> Outcome:
        """Judge a request by its Authorization header."""
        if authorization is None:
            return Outcome(self._user, [] if self._user else self._schemes.challenges())
        scheme, _between, value = authorization.partition(" ")
        try:
            token = base64.b64decode(value.strip(), validate=True)
        except binascii.Error:
            return self._reject()
        if not token:
            return self._reject()
        if scheme.lower() == "basic" and self._schemes.basic:
            return self._basic(token)
        if scheme.lower() in ("negotiate", "ntlm") and self._schemes.negotiate:
            return self._negotiate(scheme, token)
        return self._reject()

    def _basic(self, token: bytes) -> Outcome:
        try:
            user, _between, password = token.decode("utf-8").partition(":")
        except UnicodeDecodeError:
            user, _between, password = token.decode("latin-1").partition(":")
        expected = self._host.password_of(user)
        if expected is None or not compare_digest(expected.encode(), password.encode()):
            return self._reject()
        return Outcome(user, [], fresh=True)

    def _negotiate(self, scheme: str, token: bytes) -> Outcome:
        user = ntlm_user(token)
        password = self._host.password_of(user) if user else None
        account = _account_line(user, password) if user and password is not None else ""
        try:
            with _ntlm_accounts(account):
                if self._pending is None:
                    self._pending = spnego.server(protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate)
                answer = self._pending.step(token)
        except (SpnegoError, ValueError, struct.error):
            self._pending = None
            return self._reject()
        headers = []
        if answer:
            headers.append(("WWW-Authenticate", f"{scheme} {base64.b64encode(answer).decode()}"))
        if not self._pending.complete:
            return Outcome(None, headers)
        self.context, self._pending = self._pending, None
        self._user = NetworkLogon(user) if user else None
        return Outcome(self._user, headers, fresh=True)

    def _reject(self) -> Outcome:
        return Outcome(None, self._schemes.challenges(), rejected=True)


def ntlm_user(token: bytes) -> str | None:
    """The account of an AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3), bare or inside SPNEGO; ``None`` for other tokens."""
    start = token.find(_NTLM_AUTHENTICATE)
    if start < 0 or len(token) < start + 64:
        return None
    message = token[start:]
    encoding = "utf-16-le" if message[60] & 1 else "latin-1"

    def text(position: int) -> str:
        length = int.from_bytes(message[position : position + 2], "little")
        offset = int.from_bytes(message[position + 4 : position + 8], "little")
        return message[offset : offset + length].decode(encoding, "replace")

    domain, user = text(28), text(36)
    return f"{domain}\\{user}" if domain else user


def _account_line(user: str, password: str) -> str:
    """DOMAIN:USER:PASSWORD. Raises ValueError when a part holds a colon or a line break, which the file cannot hold."""
    domain, _between, name = user.rpartition("\\")
    if any(":" in part or len(part.splitlines()) > 1 for part in (domain, name, password)):
        raise ValueError(
            f"{user}: an account of the lab that uses NTLM has no colon or line break in name and password"
        )
    return f"{domain}:{name}:{password}\n"


@contextmanager
def _ntlm_accounts(lines: str) -> Iterator[None]:
    """Let pyspnego's acceptor know these accounts."""
    with _ENVIRONMENT, tempfile.NamedTemporaryFile() as accounts:
        accounts.write(lines.encode())
        accounts.flush()
        before = os.environ.get("NTLM_USER_FILE")
        os.environ["NTLM_USER_FILE"] = accounts.name
        try:
            yield
        finally:
            if before is None:
                del os.environ["NTLM_USER_FILE"]
            else:
                os.environ["NTLM_USER_FILE"] = before
