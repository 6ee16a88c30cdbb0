# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say how a directory is reached, and the way they choose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..directory.errors import DirectoryError
from ..host.connection import HostError, WindowsHost
from .ldap_server import LdapDirectory, LdapServer
from .ldifde import LdifdeDirectory
from .model import Directory

DIRECTORY_SPEC: dict[str, dict[str, Any]] = {
    "domain_controller": {"type": "str"},
    "ldap_server": {"type": "str"},
    "ldap_port": {"type": "int"},
    "ldap_security": {"type": "str", "choices": ["ldaps", "starttls", "sasl"]},
    "ldap_auth": {"type": "str", "choices": ["simple", "kerberos"], "default": "simple"},
    "ldap_user": {"type": "str"},
    "ldap_password": {"type": "str", "no_log": True},
    "ldap_ca_file": {"type": "path"},
    "ldap_validate_certs": {"type": "bool", "default": True},
    "ldap_timeout": {"type": "int", "default": 30},
}
"""Argument specification, shared by the modules that work in the directory."""

DIRECTORY_CONSTRAINTS: dict[str, Any] = {"mutually_exclusive": [["domain_controller", "ldap_server"]]}


_OF_LDAP_ALONE = ("ldap_user", "ldap_password", "ldap_port", "ldap_security", "ldap_ca_file")


def unchecked(arguments: Mapping[str, Any]) -> list[str]:
    """Warnings about a server whose certificate is not checked."""
    if not arguments["ldap_server"] or arguments["ldap_validate_certs"] or arguments["ldap_auth"] == "kerberos":
        return []
    return [
        f"The certificate of {arguments['ldap_server']} is not checked (ldap_validate_certs): whoever answers in its "
        "place gets the password."
    ]


def directory_of(arguments: Mapping[str, Any], host: Callable[[], WindowsHost], name: str) -> Directory:
    """The directory that the options lead to: LDAP from the controller with ``ldap_server``, else ldifde on the host.

    Args:
        arguments: checked by :data:`DIRECTORY_SPEC`.
        host: gives the task's host; called only when the way goes over it.
        name: of that host, for messages.

    Raises:
        DirectoryError: the options contradict each other.
        HostError: the host is not a Windows host.
    """
    if not arguments["ldap_server"]:
        given = [name for name in _OF_LDAP_ALONE if arguments[name] is not None]
        if given or arguments["ldap_auth"] == "kerberos":
            raise DirectoryError(
                f"{', '.join(given) or 'ldap_auth'} is given, but no 'ldap_server'.",
                remedy="Name the domain controller in ldap_server, or leave the options of LDAP out to use ldifde.exe "
                "on the task's host.",
            )
        try:
            return LdifdeDirectory(host(), name, arguments["domain_controller"])
        except HostError as exc:
            remedy = (
                f"Run it on a domain controller, or set 'ldap_server' to reach the directory from here. {exc.remedy}"
            )
            raise HostError(exc.message, remedy=remedy, place=exc.place) from exc
    return LdapDirectory(
        LdapServer(
            server=arguments["ldap_server"],
            port=arguments["ldap_port"],
            security=arguments["ldap_security"],
            auth=arguments["ldap_auth"],
            user=arguments["ldap_user"],
            password=arguments["ldap_password"],
            ca_file=arguments["ldap_ca_file"],
            validate_certs=arguments["ldap_validate_certs"],
            timeout=arguments["ldap_timeout"],
        )
    )
