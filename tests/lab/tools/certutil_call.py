# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call of ``certutil.exe`` after its arguments have been told apart, and how all its verbs end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..formats import certutil_text as text
from ..host.machine import Machine
from ..host.store import StoredCertificate
from ..powershell.errors import NotSimulated
from . import hresult
from .base import Call, Result
from .names import windows_name


@dataclass(frozen=True)
class CertutilCall:
    """One start of certutil."""

    verb: str
    options: Mapping[str, str | bool]
    """By name without dash, in lower case: True, or the value of an option that takes one."""
    operands: Sequence[str]
    call: Call

    @property
    def machine(self) -> Machine:
        """The host."""
        return self.call.machine

    @property
    def administrator(self) -> bool:
        """Whether the user may change the stores and open the keys of the machine."""
        return self.machine.is_administrator(self.call.user)

    @property
    def style(self) -> text.Style:
        """Language and release of the host."""
        return text.Style(self.machine.language, self.machine.os_release)

    def value(self, name: str) -> str | None:
        """The value of an option, None when it was not given."""
        value = self.options.get(name)
        return value if isinstance(value, str) else None


class CertutilFault(Exception):
    """The verb ends with an HRESULT; ``before`` was printed until then, with line feeds."""

    def __init__(self, code: int, before: str = "") -> None:
        super().__init__(f"0x{code:08x}")
        self.code = code
        self.before = before


def done(call: CertutilCall, output: str) -> Result:
    """Success with the last line that says so."""
    return Result(_crlf(output + text.footer(call.style, call.verb)))


def failed(call: CertutilCall, fault: CertutilFault) -> Result:
    """The two last lines after a failure, and the HRESULT as exit code."""
    lines = text.failure(call.style, call.verb, hresult.shown(fault.code), hresult.meaning(fault.code))
    return Result(_crlf(fault.before + lines), exit_code=hresult.signed(fault.code))


def _crlf(lines: str) -> str:
    return lines.replace("\n", "\r\n")


def opened_store(call: CertutilCall, *, change: bool = False) -> tuple[str, list[StoredCertificate]]:
    """The header that names the store of the first operand, and its certificates.

    :param change: whether certificates are to be added, removed or altered, which administrators may.

    Raises:
        CertutilFault: there is no such store, or access is denied.
    """
    if not call.operands:
        raise NotSimulated(f"certutil -{call.verb} without the name of a store")
    held = call.machine.store(call.operands[0])
    if held is None:
        raise CertutilFault(hresult.FILE_NOT_FOUND)
    header = text.store_header(call.style, call.operands[0])
    denied = "certutil" in call.machine.deny or "registry" in call.machine.deny
    if denied or (change and not call.administrator):
        raise CertutilFault(hresult.ACCESS_DENIED, header)
    return header, held[1]


def chosen(certificates: Sequence[StoredCertificate], wanted: str | None) -> list[tuple[int, StoredCertificate]]:
    """Certificates with their index in the listing; one that Windows cannot read has none."""
    readable = [certificate for certificate in certificates if certificate.issued]
    return [(index, one) for index, one in enumerate(readable) if wanted is None or _matches(one, index, wanted)]


def _matches(stored: StoredCertificate, index: int, wanted: str) -> bool:
    """A certificate is named by its thumbprint, serial number, index or a part of its subject's common name."""
    assert stored.issued is not None
    certificate = stored.issued.certificate
    given = wanted.replace(" ", "").lower()
    if given in (stored.issued.thumbprint.lower(), f"{certificate.serial_number:x}", str(index)):
        return True
    return len(given) > 3 and given in windows_name(certificate.subject).replace(" ", "").lower()
