# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory by LDAP from the controller, with python-ldap (libldap and the SASL library of the system)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from ..directory.change import Add, Change, Modify
from ..directory.entry import Entry
from ..directory.errors import DirectoryError
from .ldap_endpoint import Endpoint, LdapServer
from .ldap_failure import check_it_answers, failure
from .model import PUBLIC_KEY_SERVICES, Found

try:
    import ldap
    import ldap.sasl
    from ldap.controls import RequestControl, SimplePagedResultsControl
except ImportError as exc:
    IMPORT_ERROR: ImportError | None = exc
else:
    IMPORT_ERROR = None

__all__ = ["LdapDirectory", "LdapServer"]

PAGE_SIZE = 500
"""Objects in one answer; a domain controller gives 1,000 at most (MaxPageSize, MS-ADTS 3.1.1.3.4.6)."""

SMALLEST_STRENGTH = 56
"""Bits that SASL must encrypt with; anything above 1 demands encryption beside the signature."""

SD_FLAGS = "1.2.840.113556.1.4.801"
_OWNER_GROUP_DACL = bytes.fromhex("3003020107")
"""Without this value of the control, a security descriptor is given with its SACL: to nobody but those who may read
the audit settings (MS-ADTS 3.1.1.3.4.1.11)."""


class LdapDirectory:
    """A forest's directory (:class:`.model.Directory`); it connects when it is first asked."""

    def __init__(self, server: LdapServer) -> None:
        self._server = server
        self._handle: Any = None
        self._endpoint: Endpoint | None = None
        self._configuration = ""
        self._name = ""

    def search(self, filter_text: str, attributes: Sequence[str]) -> Found:
        """All objects below :data:`.model.PUBLIC_KEY_SERVICES` that match a filter (RFC 4515), page by page.

        Raises:
            DirectoryError: the directory could not be reached or read.
        """
        handle, endpoint = self._connection()
        base = f"{PUBLIC_KEY_SERVICES},{self._configuration}"
        paging = SimplePagedResultsControl(True, size=PAGE_SIZE, cookie="")
        controls = [paging]
        if any(name.casefold() == "ntsecuritydescriptor" for name in attributes):
            controls.append(RequestControl(SD_FLAGS, True, _OWNER_GROUP_DACL))
        spelling = {name.casefold(): name for name in attributes}
        entries: list[Entry] = []
        while True:
            try:
                number = handle.search_ext(
                    base, ldap.SCOPE_SUBTREE, filter_text, list(attributes), serverctrls=controls
                )
                _kind, found, _number, answers = handle.result3(number, timeout=self._server.timeout)
            except (ldap.LDAPError, ValueError) as exc:
                raise self._failure(exc, endpoint, base) from exc
            # A search reference has no name; what other servers hold is not asked for.
            entries += [_entry(dn, values, spelling) for dn, values in found if dn is not None]
            paging.cookie = next((item.cookie for item in answers if item.controlType == paging.controlType), "")
            if not paging.cookie:
                return Found(tuple(entries), self._configuration, self._name)

    def apply(self, changes: Sequence[Change]) -> None:
        """Do changes one after the other; the first that fails ends it.

        Raises:
            DirectoryError: with the LDAP result code where one is known; ``place`` is the object's name.
        """
        handle, endpoint = self._connection()
        for change in changes:
            try:
                if isinstance(change, Add):
                    handle.add_ext_s(change.dn, [(name, list(values)) for name, values in change.attributes])
                else:
                    handle.modify_ext_s(change.dn, _operations(change))
            except (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT) as exc:
                error = self._failure(exc, endpoint, change.dn)
                raise DirectoryError(
                    f"{error.message} Whether the change was made is not known.",
                    place=change.dn,
                    remedy=f"Look at the object first. {error.remedy}",
                ) from exc
            except (ldap.LDAPError, ValueError) as exc:
                raise self._failure(exc, endpoint, change.dn) from exc

    def close(self) -> None:
        """Give up the connection, if there is one."""
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(ldap.LDAPError):
                handle.unbind_ext_s()

    def _connection(self) -> tuple[Any, Endpoint]:
        if self._handle is None or self._endpoint is None:
            self._endpoint = self._server.endpoint()
            if IMPORT_ERROR is not None:
                raise DirectoryError(
                    "The Python library python-ldap, which speaks LDAP, is missing on the controller"
                    f" ({IMPORT_ERROR}).",
                    place=self._endpoint.uri,
                    remedy="Install it for the Python that runs Ansible: pip install python-ldap (on Debian its build"
                    " needs gcc, python3-dev, libldap-dev and libsasl2-dev; python3-ldap is ready-made).",
                )
            if self._endpoint.tls:
                self._server.check_ca_file()
            check_it_answers(self._server, self._endpoint)
            self._open(self._endpoint)
        return self._handle, self._endpoint

    def _open(self, endpoint: Endpoint) -> None:
        self._handle = ldap.initialize(endpoint.uri)
        try:
            self._set_options(endpoint)
            if endpoint.security == "starttls":
                self._handle.start_tls_s()
            if self._server.auth == "kerberos":
                self._handle.sasl_interactive_bind_s("", ldap.sasl.gssapi())
            else:
                self._handle.simple_bind_s(self._server.user, self._server.password)
            found = self._handle.search_ext_s(
                "", ldap.SCOPE_BASE, "(objectClass=*)", ["configurationNamingContext", "dnsHostName"]
            )
        except (ldap.LDAPError, ValueError) as exc:
            raise self._failure(exc, endpoint, None) from exc
        root = Entry("", {name: tuple(values) for _dn, root in found for name, values in root.items()})
        configuration = root.text("configurationNamingContext")
        if not configuration:
            self.close()
            raise DirectoryError(
                "The server does not name a configuration naming context, so it is no domain controller of Active"
                " Directory.",
                place=endpoint.uri,
                remedy="Name a domain controller as ldap_server.",
            )
        self._configuration = configuration
        self._name = root.text("dnsHostName") or endpoint.host

    def _failure(self, exception: Exception, endpoint: Endpoint, place: str | None) -> DirectoryError:
        error = failure(exception, self._server, endpoint, place=place)
        if error.code is None or place is None:
            self.close()  # The connection may be of no more use; the next call makes a new one.
        return error

    def _set_options(self, endpoint: Endpoint) -> None:
        options = [
            (ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3),
            (ldap.OPT_REFERRALS, ldap.OPT_OFF),
            (ldap.OPT_NETWORK_TIMEOUT, float(self._server.timeout)),
            (ldap.OPT_TIMEOUT, float(self._server.timeout)),
        ]
        if endpoint.tls:
            checked = self._server.validate_certs
            options.append((ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND if checked else ldap.OPT_X_TLS_NEVER))
            if checked and self._server.ca_file:
                options.append((ldap.OPT_X_TLS_CACERTFILE, self._server.ca_file))
            options.append((ldap.OPT_X_TLS_NEWCTX, 0))  # Makes the settings before it take effect.
        if self._server.auth == "kerberos":
            # The service is asked for by the name in ldap_server, not by what the address resolves to.
            options.append((ldap.OPT_X_SASL_NOCANON, ldap.OPT_ON))
            # Active Directory refuses a second protection within TLS (MS-ADTS 5.1.1.1.2).
            strength = (ldap.OPT_X_SASL_SSF_MAX, 0) if endpoint.tls else (ldap.OPT_X_SASL_SSF_MIN, SMALLEST_STRENGTH)
            options.append(strength)
        for option, value in options:
            self._handle.set_option(option, value)


def _entry(dn: str, values: dict[str, list[bytes]], spelling: dict[str, str]) -> Entry:
    return Entry(dn, {spelling.get(name.casefold(), name): tuple(found) for name, found in values.items()})


def _operations(change: Modify) -> list[tuple[int, str, list[bytes]]]:
    operations: list[tuple[int, str, list[bytes]]] = []
    for item in change.modifications:
        if item.delete:
            operations.append((ldap.MOD_DELETE, item.attribute, list(item.delete)))
        if item.add:
            operations.append((ldap.MOD_ADD, item.attribute, list(item.add)))
    return operations
