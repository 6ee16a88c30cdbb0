# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a conversion on a host, each with what it must leave behind."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from ..enrolment.conversion import Aside, in_provider, reference_text, same_container, target_key
from ..enrolment.hresult import explain
from ..enrolment.hresult import shown as shown_code
from ..enrolment.inf import properties_inf
from ..enrolment.installed import Holdings, find
from ..enrolment.key_access import for_readers, locked_out, parse_access, same_access, taken_over
from ..enrolment.wish import EnrolmentError
from ..host.connection import HostError, WindowsHost
from ..host.courier import carry
from ..record import Certificate
from .conversion_scripts import (
    FORMER,
    QUERY_ASIDE,
    STAGED,
    copy_key,
    drop_keys,
    give_access,
    look_at_key,
    record_key,
    resolve_accounts,
)
from .holdings import QUERY_STORES, reason_of, store_of, stores_of, words_of
from .installation import interrupted, run, set_properties

_EXPORT = "export of the key"
_IMPORT = "certutil -importPFX"
_LOOK = "looking at the key"
_ACCESS = "access to the private key"
_LINK = "certutil -repairstore"
_DROP = "removing what is not needed any more"

ERROR_INVALID_PASSWORD = 0x80070056

_ALLOW_EXPORT = 1
"""CngExportPolicies.AllowExport; of a key of a legacy provider the script gives 1 for exportable."""
_SID = re.compile(r"S-1-[0-9-]+", re.IGNORECASE)
_PASSWORD_BYTES = 24
_FORMER_WORKS = "The certificate uses its former key as before."


@dataclass(frozen=True)
class KeyFacts:
    """What a key says of itself."""

    exportable: bool
    access: str
    """Who may use it, SDDL; empty when that could not be learnt."""


def aside_of(holdings: Holdings, thumbprint: str) -> tuple[Aside, ...]:
    """The other keys of a certificate, with the store in which each is recorded."""
    names = {STAGED.casefold(): STAGED, FORMER.casefold(): FORMER}
    return tuple(
        Aside(names[store_of(held)], held)
        for held in holdings.aside
        if held.thumbprint == thumbprint and store_of(held) in names
    )


def look(host: WindowsHost, name: str, certificate: Certificate) -> KeyFacts:
    """Ask the key of a certificate of My whether it may be exported and who may use it.

    Raises:
        EnrolmentError: it could not be opened.
        HostError: the connection broke.
    """
    script = look_at_key("My", certificate.thumbprint or "", certificate.key)
    answer = carry(host, name, script)
    policy = answer.codes.get("exitpolicy")
    if policy is None:
        raise EnrolmentError(
            f"The key of {certificate.thumbprint} ({certificate.key.provider}) could not be opened on {name}:"
            f" {reason_of(answer)}. Nothing was changed.",
            place=_LOOK,
            remedy="Use an account that is a local administrator. If it is one and is denied access, the permissions of"
            " the key leave administrators out: add them (certificate console, Manage Private Keys). Else the key"
            " container is gone or damaged: request a new certificate. Keys of CNG also take .NET Framework 3.5 or"
            " later on the host.",
        )
    return KeyFacts(bool(policy & _ALLOW_EXPORT), answer.text("access"))


def wanted_access(
    host: WindowsHost, name: str, readers: Sequence[str], facts: KeyFacts, certificate: Certificate
) -> str:
    """Who is to be able to use the new key, as SDDL: the readers that were named, else those of the present key.

    Raises:
        EnrolmentError: it cannot be learnt, or an account is not known.
        HostError: the connection broke.
    """
    if readers:
        return for_readers(_resolved(host, name, readers))
    if not facts.access:
        raise EnrolmentError(
            f"Who may use the key of {certificate.thumbprint} on {name} cannot be learnt: its file is not where"
            f" {certificate.key.provider} keeps keys of the computer. Nothing was changed.",
            place=_ACCESS,
            remedy="Name the accounts that are to use the key in 'readers', such as S-1-5-20 (NETWORK SERVICE).",
        )
    access = parse_access(facts.access)
    if locked_out(access):
        raise EnrolmentError(
            f"Neither SYSTEM nor Administrators may use the key of {certificate.thumbprint} on {name}"
            f" ({facts.access}). Nothing was changed.",
            place=_ACCESS,
            remedy="Give Administrators the right to read it, or name the accounts that are to use the key in"
            " 'readers'.",
        )
    return taken_over(access)


def copy(host: WindowsHost, name: str, certificate: Certificate, provider: str, *, exportable: bool) -> Holdings:
    """Import a copy of the key under another provider, which no certificate of My uses yet.

    Raises:
        EnrolmentError: there is no copy, and no record of one.
        HostError: the connection broke; a second run finds what was done.
    """
    thumbprint = certificate.thumbprint or ""
    legacy = target_key(provider).kind == "csp"
    script = copy_key(thumbprint, provider, exchange=legacy, exportable=exportable)
    password = secrets.token_hex(_PASSWORD_BYTES).encode()
    unknown = f"Whether the key was copied is not known. {_FORMER_WORKS}"
    answer = run(host, name, f"{script}\n{QUERY_STORES}{QUERY_ASIDE}", password, unknown)
    try:
        after = stores_of(host, name, answer, aside=True)
    except HostError as exc:
        raise type(exc)(f"{exc.message} {unknown}", place=exc.place, remedy=exc.remedy) from exc
    copies = [one for one in aside_of(after, thumbprint) if one.store == STAGED]
    code = answer.codes.get("exitimport")
    if copies and code is not None:
        return after
    if "exitexport" not in answer.codes:
        raise EnrolmentError(
            f"Windows did not export the key of {thumbprint} on {name}: {reason_of(answer)}. {_FORMER_WORKS}",
            place=_EXPORT,
            remedy="Use an account that is a local administrator, and check the free space of the drive that has its"
            " profile. If the key may not be exported, request a new certificate.",
        )
    recorded = [one for one in aside_of(after, thumbprint) if same_container(one.key, certificate.key)]
    made = [one for one in copies if one not in recorded]
    state = " ".join(filter(None, (_FORMER_WORKS, give_up(host, name, thumbprint, made, recorded))))
    if code is None:
        raise interrupted(name, answer, _IMPORT, state)
    meaning, remedy = explain(code)
    if code == ERROR_INVALID_PASSWORD:
        meaning = "The password is the one that the file was written with a moment before."
        remedy = (
            "The known reason is a logon without the account's secrets, as over NTLM or Kerberos without delegation:"
            " connect with CredSSP, or with Kerberos and delegation."
        )
    raise EnrolmentError(
        f"It ended with {shown_code(code)} on {name}, and the key was not copied. {meaning} {words_of(answer)} {state}",
        place=_IMPORT,
        remedy=remedy or f"Check that {provider} is installed on the host (certutil -csplist), and run it again.",
    )


def grant(host: WindowsHost, name: str, key: Aside, sddl: str) -> str:
    """Let the accounts use a key that stands aside; what was read back, SDDL.

    Raises:
        EnrolmentError: what was read back is something else.
        HostError: the connection broke.
    """
    certificate = key.certificate
    script = give_access(key.store, certificate.thumbprint or "", sddl, key.key)
    answer = run(host, name, script, None, f"Whether the rights on the new key were set is not known. {_FORMER_WORKS}")
    found = answer.text("access")
    if not found or not same_access(found, sddl):
        raise EnrolmentError(
            f"The rights on the new key of {certificate.thumbprint} could not be set on {name}: wanted {sddl}, found"
            f" {found or 'nothing'}. {reason_of(answer) if answer.error else ''}".strip(),
            place=_ACCESS,
            remedy="Check that the account is a local administrator and may change permissions of files in"
            " C:\\ProgramData\\Microsoft\\Crypto.",
        )
    return found


def record(host: WindowsHost, name: str, thumbprint: str, store: str) -> None:
    """Record the present key of a certificate of My.

    Raises:
        EnrolmentError: it was not recorded.
        HostError: the connection broke.
    """
    answer = run(host, name, record_key(thumbprint, store), None, f"Nothing else was changed. {_FORMER_WORKS}")
    if answer.error or "exitrecorded" not in answer.codes:
        raise EnrolmentError(
            f"The present key of {thumbprint} could not be recorded in the store {store} of {name}:"
            f" {reason_of(answer)}. {_FORMER_WORKS}",
            place="recording the present key",
            remedy="Use an account that is a local administrator, and run it again.",
        )


def link(host: WindowsHost, name: str, certificate: Certificate, target: Certificate, provider: str) -> Holdings:
    """Let a certificate of My point to another of its keys.

    Args:
        host: where it is.
        name: its name, for messages.
        certificate: as it is in My.
        target: the same certificate, as it is recorded with the other key.
        provider: of the other key.

    Raises:
        EnrolmentError: it does not point there; it points to its former key again, or the message says otherwise.
        HostError: the connection broke.
    """
    thumbprint = certificate.thumbprint or ""
    after, said = set_properties(host, name, thumbprint, properties_inf(key=reference_text(target.key)), QUERY_ASIDE)
    held = find(after.my, thumbprint)
    if held and same_container(held.key, target.key) and not in_provider(held.key, provider):
        return after
    found = " ".join(in_provider(held.key, provider)) if held else "It is not in My any more."
    state = unlink(host, name, certificate)
    raise EnrolmentError(
        f"The certificate {thumbprint} on {name} could not be pointed to its new key. {found} {said} {state}",
        place=_LINK,
        remedy="Read what certutil said, and run it again; or request a new certificate.",
    )


def unlink(host: WindowsHost, name: str, certificate: Certificate) -> str:
    """Let a certificate of My point to the key that it had; what came of it, as a sentence."""
    thumbprint = certificate.thumbprint or ""
    try:
        inf = properties_inf(key=reference_text(certificate.key))
        after, said = set_properties(host, name, thumbprint, inf)
    except (EnrolmentError, HostError) as exc:
        return f"Whether it uses its former key is not known: {exc.message}"
    held = find(after.my, thumbprint)
    if held and same_container(held.key, certificate.key) and _provider(held) == _provider(certificate):
        return _FORMER_WORKS
    return (
        f"It does not point to its former key ({certificate.key.container} of {certificate.key.provider}): {said}"
    ).strip()


def drop(host: WindowsHost, name: str, thumbprint: str, keys: Sequence[tuple[Aside, bool]]) -> Holdings:
    """Remove records of keys that stand aside, each with or without its container, and what a cut run left.

    Raises:
        EnrolmentError: something is still there.
        HostError: the connection broke.
    """
    given = [(one.store, (one.key.provider or "", one.key.container or "") if gone else None) for one, gone in keys]
    script = f"{drop_keys(thumbprint, given)}\n{QUERY_STORES}{QUERY_ASIDE}"
    answer = run(host, name, script, None, "Whether keys that are not needed any more were removed is not known")
    after = stores_of(host, name, answer, aside=True)
    left = [one for one in aside_of(after, thumbprint) if any(one.store == each.store for each, _gone in keys)]
    if answer.error or left:
        kept = ", ".join(f"{one.key.container} of {one.key.provider}" for one in left) or "none"
        codes = ", ".join(f"{line} {shown_code(code)}" for line, code in answer.codes.items() if "key" in line and code)
        raise EnrolmentError(
            f"Keys of {thumbprint} that are not needed any more could not be removed from {name}: {kept}."
            f" {codes} {answer.error or words_of(answer)}",
            place=_DROP,
            remedy="The certificate works. Use an account that is a local administrator, and run it again.",
        )
    return after


def give_up(host: WindowsHost, name: str, thumbprint: str, copies: Sequence[Aside], records: Sequence[Aside]) -> str:
    """Remove a copy that does not do, the record that was made for it, and stores that are empty then; what came of it,
    as a sentence.
    """
    keys = [*((one, True) for one in copies), *((one, False) for one in records)]
    try:
        drop(host, name, thumbprint, keys)
    except (EnrolmentError, HostError) as exc:
        return f"What the run had made was not removed: {exc.message}"
    return "The copy of the key was removed." if copies else ""


def _resolved(host: WindowsHost, name: str, readers: Sequence[str]) -> list[str]:
    sids = {reader: reader.upper() for reader in readers if _SID.fullmatch(reader)}
    names = [reader for reader in readers if reader not in sids]
    if names:
        answer = carry(host, name, resolve_accounts(), "\n".join(names).encode())
        found = answer.text("sids").split(" ")
        for reader, sid in zip(names, found, strict=False):
            if _SID.fullmatch(sid):
                sids[reader] = sid
    missing = [reader for reader in readers if reader not in sids]
    if missing:
        named = ", ".join(f'"{reader}"' for reader in missing)
        raise EnrolmentError(
            f"{name} does not know the account{'s' if len(missing) > 1 else ''} {named}. Nothing was changed.",
            place="the option 'readers'",
            remedy="Give DOMAIN\\name, or the SID: names of built-in accounts are in the language of the host, and"
            " S-1-5-20 is NETWORK SERVICE everywhere.",
        )
    return [sids[reader] for reader in readers]


def _provider(certificate: Certificate) -> tuple[str, int | None]:
    return (certificate.key.provider or "").casefold(), certificate.key.provider_type
