# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archive a certificate, or remove it together with its private key.

The key container goes first: the certificate in the store is the only record of which container is its own, so that a
run that was cut between the two finds it again. Keys that a conversion has left beside it go before it, each with its
record.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Literal

from ..audit.certificates import normalise_thumbprint
from ..enrolment.conversion import Aside, same_container
from ..enrolment.hresult import explain
from ..enrolment.hresult import shown as shown_code
from ..enrolment.inf import properties_inf
from ..enrolment.installed import Holdings, find, removable_key, sharers, shown
from ..enrolment.keys import public_key_of
from ..enrolment.wish import EnrolmentError
from ..host.connection import HostError, WindowsHost, native_call, quote
from ..host.courier import Answer, carry, caught
from ..lync.assignments import ADMINISTRATION, check, state_of
from ..lync.cmdlets import reading_script
from ..profiles.model import Profile
from ..record import Certificate, EvidenceError
from .conversion_scripts import QUERY_ASIDE
from .conversion_steps import aside_of, drop
from .holdings import QUERY_STORES, read_holdings, remove_saved, stores_of, words_of
from .installation import NTE_BAD_KEYSET, differences, interrupted, run, set_properties, text_of

_STEP = "removal"

# PowerShell shows an exit code as a signed number. The certificate stays when its container could not be removed.
_DELETE = """\
$k=0
{delete_key}
if($k -eq 0 -or $k -eq {gone}){{
& 'certutil.exe' '-delstore' {store} {thumbprint}
'keyprovider exitstore '+$LASTEXITCODE
{saved}}}
"""
_DELETE_KEY = """\
{call}
$k=$LASTEXITCODE
'keyprovider exitkey '+$k
"""


@dataclass(frozen=True)
class RemovalWish:
    """What is asked for when a certificate is to be archived or removed."""

    thumbprint: str
    """40 upper-case hexadecimal digits."""
    store: Literal["My", "Request"] = "My"
    remove_key: bool = True
    at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    """Now, aware."""


def checked_thumbprint(text: str) -> str:
    """A thumbprint as records hold it, from however it was copied.

    Raises:
        EnrolmentError: it is not 40 hexadecimal digits.
    """
    try:
        return normalise_thumbprint(text)
    except EvidenceError as exc:
        raise EnrolmentError(
            exc.message, remedy="Correct the option 'thumbprint'; blanks and colons between the digits do not matter."
        ) from exc


def archive(host: WindowsHost, name: str, wish: RemovalWish, profile: Profile, *, check_mode: bool) -> dict[str, Any]:
    """Archive a certificate of My and return the result of ``certificate_install``.

    Programs do not see an archived certificate; it and its key stay. certutil documents the property 19 for it.

    Raises:
        EnrolmentError: there is no such certificate, Lync uses it, or it could not be archived.
        HostError: the host could not be read, or the connection broke.
    """
    if wish.store != "My":
        raise EnrolmentError(
            "Only certificates of the store My can be archived.",
            place="archiving",
            remedy="Leave 'store' out; a pending request is removed with 'state' absent.",
        )
    before = read_holdings(host, name)
    held = find(before.my, wish.thumbprint)
    if held is None:
        raise EnrolmentError(
            f"The store My of {name} holds no certificate {wish.thumbprint}.",
            place="archiving",
            remedy="Correct the option 'thumbprint', or set 'state' to absent.",
        )
    warnings: list[str] = []
    after, became = before, held
    if not held.archived:
        warnings = refuse_used(host, name, wish.thumbprint, at=wish.at)
        became = replace(held, archived=True)
        if not check_mode:
            after, said = set_properties(host, name, wish.thumbprint, properties_inf(archived=True))
            found = find(after.my, wish.thumbprint)
            if found is None or not found.archived:
                raise EnrolmentError(
                    f"The certificate {wish.thumbprint} of {name} is not archived. {said}",
                    place="archiving",
                    remedy="Use an account that is a local administrator, and run it again.",
                )
            became = found
    others = [other for other in after.my if other.thumbprint != wish.thumbprint]
    return {
        **_result(wish, after, warnings),
        "changed": not held.archived,
        "certificates": shown([*others, became], wish.thumbprint, profile, at=wish.at),
        "diff": differences(wish.thumbprint, text_of(held), text_of(became), []),
    }


def remove(host: WindowsHost, name: str, wish: RemovalWish, *, check_mode: bool) -> dict[str, Any]:
    """Remove a certificate of My, or a pending request, and return the result of ``certificate_install``.

    Raises:
        EnrolmentError: Lync uses it, another certificate uses its key, or it could not be removed; tells what was done.
        HostError: the host could not be read, or the connection broke.
    """
    before = read_holdings(host, name, QUERY_ASIDE)
    held = find(before.my if wish.store == "My" else before.pending, wish.thumbprint)
    aside = aside_of(before, wish.thumbprint) if wish.store == "My" else ()
    if held is None and not aside:
        return {**_result(wish, before, []), "changed": False, "certificates": [], "diff": []}
    warnings = refuse_used(host, name, wish.thumbprint, at=wish.at) if wish.store == "My" else []
    container = None
    if held and wish.remove_key:
        container, note = removable_key(held.key)
        warnings += [note] if note else []
        _refuse_shared(name, held, before, deleting=container is not None)
    others = [(one, _other_container(one, held, before, wish, warnings)) for one in aside]
    requests = sorted(before.saved_of(public_key_of(held.der))) if wish.store == "Request" and held and held.der else []
    after = before if check_mode else _carried_out(host, name, wish, held, container, others, requests)
    result = _result(wish, after, warnings)
    gone = dict.fromkeys(each for each in (*(other for _one, other in others), container) if each)
    result["removed"] = {
        "certificates": [wish.thumbprint],
        "containers": [{"provider": provider, "container": each} for provider, each in gone],
        "requests": requests,
    }
    stores = [(one.store, one.certificate) for one in aside] + ([(wish.store, held)] if held else [])
    diff = [
        each for store, one in stores for each in differences(wish.thumbprint, text_of(one), "", [], store)
    ] + differences(wish.thumbprint, "", "", requests)
    return {**result, "changed": True, "certificates": [], "diff": diff}


def take_back(host: WindowsHost, name: str, certificate: Certificate) -> str:
    """Remove a certificate that was imported just now, with its key; what came of it, as a sentence."""
    container, note = removable_key(certificate.key)
    thumbprint = certificate.thumbprint or ""
    script = caught(_statements("My", thumbprint, container, [])) + f"\n{QUERY_STORES}"
    try:
        after = stores_of(host, name, carry(host, name, script))
    except HostError as exc:
        return f"Whether it was taken back is not known: {exc.message}"
    if find(after.my, thumbprint) is not None:
        return f"It could not be taken back: {thumbprint} is still in My."
    return f"The certificate was taken back. {note}".strip() if note else "The certificate and its key were taken back."


def refuse_used(host: WindowsHost, name: str, thumbprint: str, *, at: datetime) -> list[str]:
    """Nothing that Lync uses is taken away.

    Args:
        host: where it is.
        name: its name, for messages.
        thumbprint: the certificate.
        at: now, aware.

    Returns:
        warnings: that the global assignments could not be read.

    Raises:
        EnrolmentError: Lync uses the certificate.
        HostError: there are Lync cmdlets, but they did not tell.
    """
    answer = carry(host, name, reading_script())
    if "none" in answer.told:
        return []
    try:
        check(answer, name)
        state = state_of(answer, name)
    except HostError as exc:
        raise HostError(
            f"Whether Lync uses the certificate {thumbprint} could not be read. {exc.message} Nothing was changed.",
            place=_STEP,
            remedy=f"{ADMINISTRATION}, and run it again.",
        ) from exc
    usages = [one.type for one in state.assigned if one.uses(thumbprint, at)]
    if usages:
        raise EnrolmentError(
            f"Lync on {name} uses the certificate {thumbprint} for {', '.join(usages)}. Nothing was changed.",
            place=_STEP,
            remedy="Assign another certificate first (winpki.keyprovider.lync_certificate).",
        )
    if state.global_error:
        return [f"The global assignments of Lync could not be read on {name}: {state.global_error.rstrip('.')}."]
    return []


def _sharers(certificate: Certificate, holdings: Holdings) -> str:
    """The other certificates that use the same container, or have used it before a conversion."""
    others = sharers(certificate, replace(holdings, my=(*holdings.my, *holdings.aside)))
    return ", ".join(dict.fromkeys(f"{other.thumbprint} ({other.subject or 'no subject'})" for other in others))


def _refuse_shared(name: str, held: Certificate, holdings: Holdings, *, deleting: bool) -> None:
    shared = _sharers(held, holdings) if deleting else ""
    if shared:
        raise EnrolmentError(
            f"The key container {held.key.container!r} of {held.thumbprint} on {name} is used by others, too: {shared}."
            " Nothing was removed.",
            place=_STEP,
            remedy="Set 'remove_key' to false to remove the certificate alone, or remove the others first.",
        )


def _other_container(
    one: Aside, held: Certificate | None, holdings: Holdings, wish: RemovalWish, warnings: list[str]
) -> tuple[str, str] | None:
    """The container of a key beside that of the certificate, when it is to go; a warning tells why it stays."""
    if held and same_container(one.key, held.key):
        return None
    container, note = removable_key(one.key)
    if container is None:
        warnings += [note] if note else []
        return None
    shared = _sharers(one.certificate, holdings)
    if wish.remove_key and not shared:
        return container
    why = f"because others use it, too: {shared}" if shared else "as 'remove_key' says; nothing records it any more"
    warnings.append(
        f"Another key of the certificate, which a conversion left in the container {container[1]!r} of {container[0]},"
        f" was kept, {why}."
    )
    return None


def _carried_out(
    host: WindowsHost,
    name: str,
    wish: RemovalWish,
    held: Certificate | None,
    container: tuple[str, str] | None,
    others: list[tuple[Aside, tuple[str, str] | None]],
    requests: list[str],
) -> Holdings:
    """Remove the other keys, then the certificate, which tells a run that comes after a cut what is left."""
    after = Holdings()
    told = ""
    for one, other in others:
        try:
            # One at a time: the names of two containers may be longer than a script can be.
            after = drop(host, name, wish.thumbprint, [(one, other is not None)])
        except EnrolmentError as exc:
            state = f" The certificate {wish.thumbprint} is still in My." if held else ""
            raise EnrolmentError(
                f"{exc.message}{told}{state}",
                place=exc.place,
                remedy="Use an account that is a local administrator, and run it again; or set 'remove_key' to false to"
                " remove the certificate and its records alone.",
            ) from exc
        told += (
            f" The {'key' if other else 'record of the key'} {one.key.container!r} of {one.key.provider} was removed."
        )
    if held is None:
        return after
    try:
        return _delete(host, name, wish, held, container, requests)
    except EnrolmentError as exc:
        raise EnrolmentError(f"{exc.message}{told}", place=exc.place, remedy=exc.remedy) from exc


def _statements(store: str, thumbprint: str, container: tuple[str, str] | None, requests: list[str]) -> str:
    delete_key = ""
    if container:
        delete_key = _DELETE_KEY.format(call=native_call("certutil.exe", "-csp", container[0], "-delkey", container[1]))
    return _DELETE.format(
        delete_key=delete_key,
        gone=NTE_BAD_KEYSET - (1 << 32),
        store=quote(store),
        thumbprint=quote(thumbprint),
        saved=remove_saved(requests),
    )


def _delete(
    host: WindowsHost,
    name: str,
    wish: RemovalWish,
    held: Certificate,
    container: tuple[str, str] | None,
    requests: list[str],
) -> Holdings:
    script = caught(_statements(wish.store, wish.thumbprint, container, requests)) + f"\n{QUERY_STORES}"
    answer = run(host, name, script, None, "Whether the certificate was removed is not known")
    key_code = answer.codes.get("exitkey")
    if container and key_code not in (0, NTE_BAD_KEYSET):
        raise _key_kept(name, held, answer, key_code)
    code = answer.codes.get("exitstore")
    if code is None:
        raise interrupted(name, answer, _STEP, "The certificate is still there; its key may be gone.")
    after = stores_of(host, name, answer)
    if find(after.my if wish.store == "My" else after.pending, wish.thumbprint) is not None:
        meaning, remedy = explain(code) if code else ("", "")
        raise EnrolmentError(
            f"certutil -delstore ended with {shown_code(code)} on {name}, and {wish.thumbprint} is still in"
            f" {wish.store}{', without its key' if container else ''}. {meaning} {words_of(answer)}",
            place=_STEP,
            remedy=remedy or "Run it again.",
        )
    return after


def _key_kept(name: str, held: Certificate, answer: Answer, code: int | None) -> EnrolmentError:
    where = f"the container {held.key.container!r} of {held.key.provider}"
    if code is None:
        return interrupted(name, answer, "certutil -delkey", f"The certificate is still there; so may be {where}.")
    meaning, remedy = explain(code)
    return EnrolmentError(
        f"certutil -delkey ended with {shown_code(code)} on {name} for {where}. {meaning} {words_of(answer)} The"
        f" certificate {held.thumbprint} was not removed.",
        place=_STEP,
        remedy=remedy or "Read what certutil said; set 'remove_key' to false to remove the certificate alone.",
    )


def _result(wish: RemovalWish, holdings: Holdings, warnings: list[str]) -> dict[str, Any]:
    return {
        "thumbprint": wish.thumbprint,
        "proof": None,
        "removed": {"certificates": [], "containers": [], "requests": []},
        "problems": [problem.as_dict() for problem in holdings.problems],
        "warnings": warnings,
    }
