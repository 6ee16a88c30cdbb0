# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certutil.exe``: ``-store`` and ``-v -store`` of the machine's stores, and ``-csplist``.

Options stand before or after the verb (both seen in transcripts). All output is on stdout; the exit code is the
HRESULT. A key is opened for an administrator only: others get ``Missing stored keyset`` and exit code 0, the same as
for a key that is gone. A blob that Windows cannot read is not listed (unverified).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..formats import certutil_text as text
from ..host.machine import Machine
from ..host.messages import short_time
from ..host.store import StoredCertificate, unique_name
from ..powershell.errors import NotSimulated
from .base import Call, Result
from .names import windows_name

_NOT_FOUND = (0x80090011, "0x80090011 (-2146893807 NTE_NOT_FOUND)", "Object was not found.")
_NO_FILE = (
    0x80070002,
    "0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)",
    "The system cannot find the file specified.",
)
_DENIED = (0x80070005, "0x80070005 (WIN32: 5 ERROR_ACCESS_DENIED)", "Access is denied.")

_OPTIONS = ("v", "f", "q", "silent", "gmt", "seconds", "split")
_NO_FILE_PROVIDERS = ("smart card", "platform crypto", "ncipher", "luna", "yubi", "cavium")

_CSP_LIST: Sequence[tuple[str, str | None]] = (
    ("Microsoft Base Cryptographic Provider v1.0", "1 - PROV_RSA_FULL"),
    ("Microsoft Base DSS and Diffie-Hellman Cryptographic Provider", "13 - PROV_DSS_DH"),
    ("Microsoft Base DSS Cryptographic Provider", "3 - PROV_DSS"),
    ("Microsoft Base Smart Card Crypto Provider", "1 - PROV_RSA_FULL"),
    ("Microsoft DH SChannel Cryptographic Provider", "18 - PROV_DH_SCHANNEL"),
    ("Microsoft Enhanced Cryptographic Provider v1.0", "1 - PROV_RSA_FULL"),
    ("Microsoft Enhanced DSS and Diffie-Hellman Cryptographic Provider", "13 - PROV_DSS_DH"),
    ("Microsoft Enhanced RSA and AES Cryptographic Provider", "24 - PROV_RSA_AES"),
    ("Microsoft RSA SChannel Cryptographic Provider", "12 - PROV_RSA_SCHANNEL"),
    ("Microsoft Strong Cryptographic Provider", "1 - PROV_RSA_FULL"),
    ("Microsoft Software Key Storage Provider", None),
    ("Microsoft Passport Key Storage Provider", None),
    ("Microsoft Platform Crypto Provider", None),
    ("Microsoft Smart Card Key Storage Provider", None),
)


def certutil(call: Call) -> Result:
    """Run certutil."""
    verb, options, operands = _arguments(call.arguments)
    if verb == "csplist":
        return Result(_crlf(_csp_list(call.machine)))
    if verb != "store":
        raise NotSimulated(f"certutil -{verb}")
    style = text.Style(call.machine.language, call.machine.os_release)
    if not operands:
        raise NotSimulated("certutil -store without the name of a store")
    store = operands[0]
    held = call.machine.store(store)
    if held is None:
        return _failed(style, "store", "", _NO_FILE)
    header = text.store_header(style, store)
    if "certutil" in call.machine.deny or "registry" in call.machine.deny:
        return _failed(style, "store", header, _DENIED)
    wanted = operands[1] if len(operands) > 1 else None
    readable = [certificate for certificate in held[1] if certificate.issued]
    chosen = [(index, one) for index, one in enumerate(readable) if wanted is None or _matches(one, index, wanted)]
    if wanted is not None and not chosen:
        return _failed(style, "store", header, _NOT_FOUND)
    administrator = call.machine.is_administrator(call.user)
    blocks = [
        text.listing(style, _listed(call.machine, index, one, administrator), verbose="v" in options)
        for index, one in chosen
    ]
    return Result(_crlf(header + "\n".join(blocks) + text.footer(style, "store")))


def _arguments(words: Sequence[str]) -> tuple[str, list[str], list[str]]:
    verb = ""
    options: list[str] = []
    operands: list[str] = []
    for word in words:
        if word[:1] not in ("-", "/") or operands:
            operands.append(word)
        elif word[1:].lower() in _OPTIONS:
            options.append(word[1:].lower())
        elif verb:
            raise NotSimulated(f"certutil -{verb} {word}")
        else:
            verb = word[1:].lower()
    if not verb:
        raise NotSimulated("certutil without a verb")
    return verb, options, operands


def _failed(style: text.Style, verb: str, header: str, error: tuple[int, str, str]) -> Result:
    code, shown, message = error
    return Result(_crlf(header + text.failure(style, verb, shown, message)), exit_code=code - (1 << 32))


def _crlf(lines: str) -> str:
    return lines.replace("\n", "\r\n")


def _matches(stored: StoredCertificate, index: int, wanted: str) -> bool:
    """A certificate is named by its thumbprint, serial number, index or a part of its subject's common name."""
    assert stored.issued is not None
    certificate = stored.issued.certificate
    given = wanted.replace(" ", "").lower()
    if given in (stored.issued.thumbprint.lower(), f"{certificate.serial_number:x}", str(index)):
        return True
    return len(given) > 3 and given in windows_name(certificate.subject).replace(" ", "").lower()


def _listed(machine: Machine, index: int, stored: StoredCertificate, administrator: bool) -> text.Listed:
    assert stored.issued is not None
    certificate = stored.issued.certificate
    template = stored.template
    return text.Listed(
        index=index,
        certificate=certificate,
        subject=windows_name(certificate.subject) or "EMPTY",
        issuer=windows_name(certificate.issuer),
        not_before=short_time(machine.local(certificate.not_valid_before_utc), machine.language),
        not_after=short_time(machine.local(certificate.not_valid_after_utc), machine.language),
        key=_key_view(machine, stored, administrator),
        template_name=template.name if template else None,
        template_display=template.display_name if template else None,
        template_is_v1=bool(template and template.oid is None),
        archived=stored.archived,
    )


def _key_view(machine: Machine, stored: StoredCertificate, administrator: bool) -> text.KeyView | None:
    key = stored.key
    if key is None or (key.missing and not key.recorded):
        return None
    provider = (key.provider or "").lower()
    in_file = not any(part in provider for part in _NO_FILE_PROVIDERS)
    return text.KeyView(
        provider=key.provider,
        provider_type=key.provider_type,
        key_spec=key.key_spec,
        flags=key.flags,
        container=key.container,
        unique=unique_name(key.container, machine.guid) if in_file and key.container else None,
        opened=administrator and not key.missing,
        exportable=key.exportable,
        recorded=key.recorded,
    )


def _csp_list(machine: Machine) -> str:
    """Platform and Passport providers came with Windows 8 and 10; the list of the other releases is the same."""
    blocks = []
    for name, kind in _CSP_LIST:
        if ("Platform" in name and machine.os_release < (6, 2)) or (
            "Passport" in name and machine.os_release < (10, 0)
        ):
            continue
        blocks.append(f"Provider Name: {name}\n" + (f"Provider Type: {kind}\n" if kind else ""))
    style = text.Style(machine.language, machine.os_release)
    return "\n".join(blocks) + text.footer(style, "csplist")
