# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a LocalMachine certificate store of a host, without touching a key."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..host.connection import Completed, HostError, WindowsHost, native_call

SYSTEM_CERTIFICATES = r"HKLM\SOFTWARE\Microsoft\SystemCertificates"
"""Where Windows keeps the LocalMachine stores: one key a store, one key ``Certificates\\<SHA-1>`` a certificate."""

_STORE_NAME = re.compile(r"[^\\/\"*?<>|\x00-\x1f]{1,64}\Z")
_SUB_KEY = re.compile(rb"^HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SystemCertificates\\([^\\\r\n]+)\r?$", re.M | re.I)
_ADMINISTRATORS = b"S-1-5-32-544"


def certificates_key(store: str) -> str:
    """The registry key that holds the certificates of a store.

    Raises:
        HostError: the name cannot be one of a store.
    """
    if not _STORE_NAME.match(store) or store != store.strip():
        raise HostError(
            f"{store!r} is not the name of a certificate store.",
            remedy="Give the name of a store in LocalMachine alone, such as My, Root, CA or 'Remote Desktop'.",
        )
    return rf"{SYSTEM_CERTIFICATES}\{store}\Certificates"


def query_statement(store: str) -> str:
    """The PowerShell statement that prints every certificate of a store.

    Raises:
        HostError: the name cannot be one of a store.
    """
    return native_call("reg.exe", "query", certificates_key(store), "/s")


def check_answer(host: WindowsHost, store: str, answer: Completed) -> bytes:
    """Return the output of ``reg query`` when it can be trusted, else find out why it cannot.

    reg.exe ends with 1 for a key that does not exist and for one that may not be read, and says which only in
    the display language, so the names of the existing stores and the groups of the account decide.

    Raises:
        HostError: the store does not exist, may not be read, or reg.exe did not answer.
    """
    if answer.exit_code == 0 and b"HKEY_LOCAL_MACHINE\\" in answer.stdout:
        return answer.stdout
    stores = store_names(host)
    if not stores:
        raise HostError(
            f"reg.exe could not list the certificate stores of the host. {_said(answer)}",
            place=SYSTEM_CERTIFICATES,
            remedy=_access_remedy(host),
        )
    if store.casefold() not in (name.casefold() for name in stores):
        raise HostError(
            f"The host has no certificate store {store!r} in LocalMachine. It has: {', '.join(stores)}.",
            place=certificates_key(store),
            remedy="Correct the option 'store'.",
        )
    if answer.exit_code == 0:
        return answer.stdout
    parent = host.run("reg.exe", "query", certificates_key(store).rpartition("\\")[0])
    if parent.exit_code == 0 and b"\\Certificates" not in parent.stdout:
        return b""
    raise HostError(
        f"reg.exe could not read the certificate store {store!r} (exit code {answer.exit_code}). {_said(answer)}",
        place=certificates_key(store),
        remedy=_access_remedy(host),
    )


def check_certutil(host: WindowsHost, store: str, answer: Completed) -> bytes:
    """Return the output of ``certutil -store`` when it can be trusted.

    Raises:
        HostError: certutil failed or did not answer; the message carries its HRESULT.
    """
    if answer.exit_code == 0 and b"CertUtil:" in answer.stdout:
        return answer.stdout
    stores = store_names(host)
    if stores and store.casefold() not in (name.casefold() for name in stores):
        raise HostError(
            f"The host has no certificate store {store!r} in LocalMachine. It has: {', '.join(stores)}.",
            place=certificates_key(store),
            remedy="Correct the option 'store'.",
        )
    raise HostError(
        f"certutil.exe could not read the certificate store {store!r} (exit code 0x{answer.exit_code:08x}). "
        f"{_said(answer)}",
        place=f"certutil -store {store}",
        remedy=_access_remedy(host),
    )


def store_names(host: WindowsHost) -> Sequence[str]:
    """The names of the LocalMachine stores; empty when they cannot be listed."""
    listing = host.run("reg.exe", "query", SYSTEM_CERTIFICATES)
    return [name.decode("utf-8", "replace") for name in _SUB_KEY.findall(listing.stdout)]


def is_administrator(host: WindowsHost) -> bool | None:
    """Whether the account of the connection is a local administrator; ``None`` when whoami does not answer."""
    groups = host.run("whoami.exe", "/groups", "/fo", "csv", "/nh")
    if b"S-1-" not in groups.stdout:
        return None
    return _ADMINISTRATORS in groups.stdout


def _access_remedy(host: WindowsHost) -> str:
    administrator = is_administrator(host)
    if administrator is False:
        return "The account is not a local administrator of the host: use one that is."
    if administrator:
        return f"The account is a local administrator: look at the permissions of {SYSTEM_CERTIFICATES} on the host."
    return "Check that the host is Windows, that reg.exe is on its path, and that the account may read HKLM."


def _said(answer: Completed) -> str:
    return f"It said: {answer.complaint.rstrip('.') or 'nothing'}."
