# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why LDAP failed, in words that lead to the remedy.

libldap says of a certificate that is not trusted no more than of a server that is not there; so after a failure the way
to the server is gone once more with Python's own means, up to the TLS handshake and without logging on.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import Any

from ..directory import errors
from ..directory.errors import DirectoryError
from ..directory.results import explain
from .ldap_endpoint import Endpoint, LdapServer

SERVER_DOWN = -1
LOCAL_ERROR = -2
TIMEOUT = -5
AUTH_UNKNOWN = -6
CONNECT_ERROR = -11

_START_TLS = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
"""The extended request of RFC 4511, 4.14.1, as message 1."""

_WRONG_NAME = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""

_LAB_ONLY = "ldap_validate_certs=false switches the check off, which is for a lab only."

_LOGON_FAILURES = {
    "525": ("There is no such account.", "Correct ldap_user."),
    "52e": (
        "User name or password is wrong.",
        "Correct them; Active Directory takes user@domain, DOMAIN\\user or a distinguished name, not the name alone.",
    ),
    "530": ("The account may not log on at this time.", "Use another account, or change its logon hours."),
    "531": ("The account may not log on from this computer.", "Use another account."),
    "532": ("The password has expired.", "Change the password."),
    "533": ("The account is disabled.", "Enable the account, or use another."),
    "701": ("The account has expired.", "Use another account."),
    "773": ("The password must be changed before the first logon.", "Change the password."),
    "775": ("The account is locked out.", "Wait or unlock the account, and correct the password."),
    "80090346": (
        "The domain controller demands channel binding, which was not given.",
        "Set ldap_auth to kerberos and ldap_security to sasl, or use LDAPS with a simple bind.",
    ),
}
"""What stands after "data" in the diagnostic of Active Directory: Win32 error codes (MS-ERREF 2.2) in hexadecimal, the
last one SEC_E_BAD_BINDINGS."""

_KERBEROS_FAILURES = (
    (
        ("no kerberos credentials", "credentials cache", "no credentials"),
        "There is no Kerberos ticket for the account that runs Ansible.",
        "Get one with kinit on the controller; KRB5CCNAME names the ticket cache.",
    ),
    (("ticket expired",), "The Kerberos ticket has expired.", "Get a new one with kinit on the controller."),
    (
        ("not found in kerberos database",),
        "Kerberos knows no service ldap of this name.",
        "Give ldap_server as the full name of the domain controller, as its service principal names spell it.",
    ),
    (
        ("cannot find kdc", "cannot contact any kdc", "cannot resolve"),
        "No Kerberos server of the realm was reached.",
        "Check the realm in krb5.conf and the way to the domain controller at port 88.",
    ),
    (("clock skew",), "The clocks of controller and domain controller differ too much.", "Set the clocks."),
)
"""Parts of the messages of MIT Kerberos 1.20, in lower case."""


def failure(
    exception: Exception, server: LdapServer, endpoint: Endpoint, *, place: str | None = None
) -> DirectoryError:
    """The error for people that an ``ldap.LDAPError`` stands for, or a ``ValueError`` of python-ldap.

    ``place`` is the object that was being read or changed; without one it happened while connecting and logging on.
    """
    details: dict[str, Any] = exception.args[0] if exception.args and isinstance(exception.args[0], dict) else {}
    # python-ldap 3.4 raises TIMEOUT without details when an answer does not come.
    code = details.get("result", TIMEOUT if type(exception).__name__ == "TIMEOUT" else 0)
    # After a failure that libldap notices by itself, "info" may be left from an earlier operation.
    information = details.get("info") if code > 0 or place is None else None
    said = " ".join(str(information or details.get("desc") or exception).split())
    if code in (SERVER_DOWN, CONNECT_ERROR):
        return _unreachable(server, endpoint)
    if code == TIMEOUT:
        return DirectoryError(
            f"The directory did not answer within {server.timeout} seconds.",
            place=place or endpoint.uri,
            remedy="Try again, choose another domain controller, or raise ldap_timeout.",
        )
    if code < 0 and place is None and server.auth == "kerberos":
        return _kerberos(code, said, endpoint)
    if place is None and code == errors.INVALID_CREDENTIALS:
        meaning, remedy = _logon(said, server)
    elif place is None and code == errors.STRONGER_AUTH_REQUIRED and endpoint.tls and server.auth == "kerberos":
        meaning = "The directory does not accept Kerberos within TLS (strongerAuthRequired, 8)."
        remedy = "Set ldap_security to sasl: Kerberos then signs and encrypts by itself."
    elif code > 0:
        meaning, remedy = explain(code)
    else:
        meaning, remedy = "The LDAP library could not do it.", "Read the library's own words."
    return DirectoryError(
        f"{meaning} The answer was: {said}", place=place or endpoint.uri, remedy=remedy, code=code if code > 0 else None
    )


def _logon(said: str, server: LdapServer) -> tuple[str, str]:
    meaning, remedy = explain(errors.INVALID_CREDENTIALS)
    if server.auth == "kerberos":
        remedy = "Get a new ticket with kinit on the controller."
    data = re.search(r"\bdata ([0-9a-f]+)", said)
    if data and data[1] in _LOGON_FAILURES:
        reason, remedy = _LOGON_FAILURES[data[1]]
        meaning = f"{meaning} {reason}"
    return meaning, remedy


def _kerberos(code: int, said: str, endpoint: Endpoint) -> DirectoryError:
    if code == AUTH_UNKNOWN:
        return DirectoryError(
            f"The SASL library of the controller does not offer GSSAPI. It said: {said}",
            place=endpoint.uri,
            remedy="Install its module for Kerberos (Debian package libsasl2-modules-gssapi-mit).",
        )
    for parts, meaning, remedy in _KERBEROS_FAILURES:
        if any(part in said.lower() for part in parts):
            return DirectoryError(f"{meaning} Kerberos said: {said}", place=endpoint.uri, remedy=remedy)
    return DirectoryError(
        f"Logging on with Kerberos failed: {said}",
        place=endpoint.uri,
        remedy="Compare klist, krb5.conf and the service principal names of the domain controller.",
    )


def check_it_answers(server: LdapServer, endpoint: Endpoint) -> None:
    """Make sure that a server comes to an end with the TLS handshake, whichever.

    libldap 2.5 with GnuTLS was seen to wait for ever, and busily, for one that accepts the connection (or StartTLS)
    and then keeps silent.

    Raises:
        DirectoryError: it does not answer in time.
    """
    if not endpoint.tls:
        return
    with _connected(server, endpoint) as connection:
        try:
            _shake_hands(connection, server, endpoint, checked=False)
        except TimeoutError as exc:
            raise _no_tls(server, endpoint, exc) from exc
        except OSError:
            return  # libldap fails at it too, and that is explained then


def _connected(server: LdapServer, endpoint: Endpoint) -> socket.socket:
    try:
        return socket.create_connection((endpoint.host, endpoint.port), timeout=server.timeout)
    except socket.gaierror as exc:
        message = f"The name {endpoint.host} cannot be resolved: {exc.strerror}."
        remedy = "Correct ldap_server, or the name resolution of the controller."
    except TimeoutError:
        message = f"{endpoint.host} does not answer at port {endpoint.port} within {server.timeout} seconds."
        remedy = "Check the name, the port and the firewalls between the controller and the domain controller."
    except OSError as exc:
        message = f"{endpoint.host} cannot be reached at port {endpoint.port}: {exc.strerror or exc}."
        remedy = "Check the name, the port, and that the domain controller is running."
    raise DirectoryError(message, place=endpoint.uri, remedy=remedy)


def _context(server: LdapServer, *, checked: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.ca_file if checked else None)
    if not checked:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _shake_hands(connection: socket.socket, server: LdapServer, endpoint: Endpoint, *, checked: bool) -> None:
    if endpoint.security == "starttls":
        connection.sendall(_START_TLS)
        connection.recv(4096)
    _context(server, checked=checked).wrap_socket(connection, server_hostname=endpoint.host).close()


def _unreachable(server: LdapServer, endpoint: Endpoint) -> DirectoryError:
    try:
        connection = _connected(server, endpoint)
    except DirectoryError as error:
        return error
    with connection:
        try:
            if endpoint.tls:
                _shake_hands(connection, server, endpoint, checked=server.validate_certs)
        except OSError as exc:
            return _no_tls(server, endpoint, exc)
    return _broken(server, endpoint)


def _no_tls(server: LdapServer, endpoint: Endpoint, exc: OSError) -> DirectoryError:
    remedy = "Check that the port speaks TLS as ldap_security says, and that the domain controller has a certificate."
    if isinstance(exc, ssl.SSLCertVerificationError) and exc.verify_code in _WRONG_NAME:
        message = f"The certificate of the domain controller is for another name: {exc.verify_message}"
        remedy = f"Give as ldap_server a name that is in the certificate. {_LAB_ONLY}"
    elif isinstance(exc, ssl.SSLCertVerificationError):
        message = f"The certificate of the domain controller is not trusted: {exc.verify_message}"
        remedy = f"Give as ldap_ca_file the certificate of the authority that signed it. {_LAB_ONLY}"
    elif isinstance(exc, TimeoutError):
        message = f"{endpoint.host} did not finish the TLS handshake within {server.timeout} seconds"
    else:
        reason = exc.reason if isinstance(exc, ssl.SSLError) else exc.strerror
        message = f"TLS with {endpoint.host} failed: {reason or exc}"
    return DirectoryError(f"{message.rstrip('.')}.", place=endpoint.uri, remedy=remedy)


def _broken(server: LdapServer, endpoint: Endpoint) -> DirectoryError:
    """Python came through where libldap did not."""
    if endpoint.tls and server.validate_certs and not server.ca_file:
        return DirectoryError(
            "The connection to the directory broke, though Python trusts the certificate of the domain controller.",
            place=endpoint.uri,
            remedy="Try again with ldap_ca_file, so that libldap trusts the same authorities.",
        )
    return DirectoryError(
        "The connection to the directory broke.",
        place=endpoint.uri,
        remedy="Try again; then check that LDAP is what the port speaks, and the events of the domain controller.",
    )
