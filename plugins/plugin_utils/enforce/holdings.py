# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a host holds of certificates and requests, with one script and without touching a key."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

from ..audit.store import check_answer, query_statement
from ..enrolment.installed import Holdings
from ..evidence.registry import read_reg_query
from ..host.connection import Completed, HostError, WindowsHost
from ..host.courier import KEPT, Answer, carry, caught, complaint_of
from ..record import Certificate, Reading

_STORE = re.compile(r"\\SystemCertificates\\([^\\]+)\\Certificates\\", re.IGNORECASE)
_STORE_LINE = re.compile(r"HKEY_LOCAL_MACHINE\\|\s+Blob\s+REG_")

QUERY_STORES = (
    f"{query_statement('My')}\n"
    "'keyprovider exitmy '+$LASTEXITCODE\n"
    f"{query_statement('REQUEST')}\n"
    "'keyprovider exitrequest '+$LASTEXITCODE\n"
)
"""The statements that print the stores My and REQUEST; what they print is told apart by the names of the keys."""

_REQUESTS_AND_CLOCK = (
    f"$r=[IO.Path]::Combine({KEPT},'requests')\n"
    "if([IO.Directory]::Exists($r)){\n"
    "$t=''\n"
    "foreach($p in [IO.Directory]::GetDirectories($r)){\n"
    "$f=$p+'\\request.req'\n"
    "if([IO.File]::Exists($f)){"
    "$t+=[IO.Path]::GetFileName($p)+':'+[Convert]::ToBase64String([IO.File]::ReadAllBytes($f))+' '}\n"
    "}\n"
    "'keyprovider saved '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($t))\n"
    "}\n"
    "'keyprovider clock '+"
    "[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([DateTime]::UtcNow.ToString('s')))\n"
)
"""All saved requests in one line, and the clock as the format ``s`` writes it in every culture: the last line, without
which something may be missing."""


def remove_saved(identities: Sequence[str]) -> str:
    """The statements that remove the directories of saved requests, whose names are 32 hexadecimal digits.

    They print ``removed`` with the number of those that are there no more.
    """
    if not identities:
        return ""
    names = ",".join(f"'{identity}'" for identity in identities)
    return (
        "$m=0\n"
        f"foreach($q in @({names})){{\n"
        f"$p=[IO.Path]::Combine([IO.Path]::Combine({KEPT},'requests'),$q)\n"
        "if([IO.Directory]::Exists($p)){[IO.Directory]::Delete($p,$true)}\n"
        "$m+=1\n"
        "}\n"
        "'keyprovider exitsaved '+$m\n"
    )


def read_holdings(host: WindowsHost, name: str, aside: str = "") -> Holdings:
    """Read the stores My and REQUEST, the saved requests and the clock of a host.

    Args:
        host: the host.
        name: its name, for messages and as the origin of the records.
        aside: statements that print further stores.

    Raises:
        HostError: the store My cannot be read, or the script did not run to its end.
    """
    answer = carry(host, name, caught(QUERY_STORES + aside + _REQUESTS_AND_CLOCK))
    if answer.error:
        raise HostError(
            f"The certificates and saved requests of {name} could not be read: {answer.error.rstrip('.')}.",
            place="reading the host",
            remedy="Check the profile directory of the account on the host, then run it again. Nothing was changed.",
        )
    stores = stores_of(host, name, answer)
    if "clock" not in answer.told:
        raise _broken_off(name, answer)
    return replace(stores, saved=_saved(answer, name), clock=clock_of(answer))


def stores_of(host: WindowsHost, name: str, answer: Answer, *, aside: bool = False) -> Holdings:
    """The stores My and REQUEST as :data:`QUERY_STORES` printed them.

    REQUEST is empty when it cannot be read: reg.exe ends with 1 for a key that does not exist, as that of a host that
    never made a request, and My, which has the same permissions, could be read.

    Args:
        host: the host.
        name: its name, for messages and as the origin of the records.
        answer: what the script printed.
        aside: whether further stores were printed behind them, with ``exitaside`` as the last line.

    Raises:
        HostError: My cannot be read, or something is missing.
    """
    code = answer.codes.get("exitmy")
    if code is None or "exitrequest" not in answer.codes or (aside and "exitaside" not in answer.codes):
        raise _broken_off(name, answer)
    check_answer(host, "My", Completed(code, answer.said.encode(), b""))
    reading = read_reg_query(answer.said, name) if "HKEY_LOCAL_MACHINE\\" in answer.said else Reading()
    return Holdings(
        my=tuple(held for held in reading if store_of(held) == "my"),
        pending=tuple(held for held in reading if store_of(held) == "request"),
        problems=reading.problems,
        aside=tuple(held for held in reading if store_of(held) not in ("my", "request")),
    )


def _broken_off(name: str, answer: Answer) -> HostError:
    """The error of a script whose last line is missing: what it told is not all that there is."""
    return HostError(
        f"The script that reads the certificate stores did not run to its end on {name}. {words_of(answer)}",
        place="reading the host",
        remedy="Where AppLocker or App Control (WDAC) keeps PowerShell in Constrained Language Mode, which allows"
        " no methods of .NET, the script cannot run: use an account that is exempt. Else run it again.",
    )


def words_of(answer: Answer) -> str:
    """What the tools of a script said, as a sentence, without the stores that reg.exe printed."""
    return complaint_of("\n".join(line for line in answer.said.splitlines() if not _STORE_LINE.match(line)))


def reason_of(answer: Answer) -> str:
    """What ended a script early, else what its tools said, without the full stop."""
    return (answer.error or words_of(answer)).rstrip(".")


def store_of(held: Certificate) -> str:
    """The name of the store that a record was read from, in lower case."""
    found = _STORE.search(held.source.place or "")
    return found[1].casefold() if found else "my"


def _saved(answer: Answer, name: str) -> dict[str, bytes]:
    saved = {}
    for entry in answer.text("saved").split():
        identity, _colon, data = entry.partition(":")
        try:
            saved[identity] = base64.b64decode(data, validate=True)
        except binascii.Error as exc:
            raise HostError(
                f"The saved request {identity!r} of {name} arrived damaged.", remedy="Run it again."
            ) from exc
    return saved


def clock_of(answer: Answer) -> datetime | None:
    """The host's clock, UTC, from the line ``clock``; ``None`` when it does not tell one."""
    try:
        return datetime.strptime(answer.text("clock"), "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
