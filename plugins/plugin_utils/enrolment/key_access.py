# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may use a private key: the access control list of the file that holds it, as SDDL. No transport.

The list of the file decides who can use a key of Microsoft's software providers; administrators grant the use of one
there. SDDL is MS-DTYP 2.5.1: entries ``(type;flags;rights;object;inherited object;account)``, accounts as SIDs or as
aliases of two letters, rights as tokens or as a number.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .errors import EnrolmentError

SYSTEM = "S-1-5-18"
ADMINISTRATORS = "S-1-5-32-544"

_STAND_INS = ("S-1-3-0", "S-1-3-1")
"""CREATOR OWNER and CREATOR GROUP: placeholders (MS-DTYP 2.4.2.4), for which a new object gets its owner and its group
(2.5.3.4). No account has them, so that such an entry gives nobody anything; fresh keys of CNG were seen with one.
"""

_STEP = "access to the private key"
_READERS = "the option 'readers'"
_REMEDY = "Name the accounts that are to use the key as SIDs in the option 'readers' (S-1-5-20 is NETWORK SERVICE)."

_FULL, _READ, _WRITE, _EXECUTE = 0x1F01FF, 0x120089, 0x120116, 0x1200A0
_READ_DATA = 0x1
_GENERIC = {0x10000000: _FULL, 0x80000000: _READ, 0x40000000: _WRITE, 0x20000000: _EXECUTE}
"""What the generic rights (all, read, write, execute) mean for a file ("Generic Access Rights", winnt.h).

Published lists of machine keys hold them beside the others (0xd01f01ff for all, 0x80120089 for read), and what was
asked for as 0x120089 was seen to be read back as 0x80120089.
"""

# MS-DTYP 2.5.1.1, sddl.h: generic, standard, file, registry key and directory object rights.
_RIGHTS = {
    **{"GA": 0x10000000, "GR": 0x80000000, "GW": 0x40000000, "GX": 0x20000000},
    **{"RC": 0x20000, "SD": 0x10000, "WD": 0x40000, "WO": 0x80000},
    **{"FA": _FULL, "FR": _READ, "FW": _WRITE, "FX": _EXECUTE},
    **{"KA": 0xF003F, "KR": 0x20019, "KW": 0x20006, "KX": 0x20019},
    **{"CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100},
}

# MS-DTYP 2.5.1.1 and 2.4.2.4; aliases of accounts whose SID depends on the domain or the host stand as they are.
_ALIASES = {
    **{"WD": "S-1-1-0", "CO": "S-1-3-0", "CG": "S-1-3-1", "OW": "S-1-3-4"},
    **{"NU": "S-1-5-2", "IU": "S-1-5-4", "SU": "S-1-5-6", "AN": "S-1-5-7", "ED": "S-1-5-9", "PS": "S-1-5-10"},
    **{"AU": "S-1-5-11", "RC": "S-1-5-12", "SY": SYSTEM, "LS": "S-1-5-19", "NS": "S-1-5-20", "WR": "S-1-5-33"},
    **{"BA": ADMINISTRATORS, "BU": "S-1-5-32-545", "BG": "S-1-5-32-546", "PU": "S-1-5-32-547"},
    **{"AO": "S-1-5-32-548", "SO": "S-1-5-32-549", "PO": "S-1-5-32-550", "BO": "S-1-5-32-551"},
    **{"RE": "S-1-5-32-552", "RU": "S-1-5-32-554", "RD": "S-1-5-32-555", "NO": "S-1-5-32-556"},
    **{"MU": "S-1-5-32-558", "LU": "S-1-5-32-559", "IS": "S-1-5-32-568", "CY": "S-1-5-32-569"},
    **{"ER": "S-1-5-32-573", "CD": "S-1-5-32-574", "RA": "S-1-5-32-575", "ES": "S-1-5-32-576"},
    **{"MS": "S-1-5-32-577", "HA": "S-1-5-32-578", "AA": "S-1-5-32-579", "RM": "S-1-5-32-580"},
    **{"AC": "S-1-15-2-1"},
}

_NAMES = {
    "S-1-1-0": "Everyone",
    "S-1-2-0": "LOCAL",
    "S-1-3-0": "CREATOR OWNER",
    "S-1-5-2": "NETWORK",
    "S-1-5-4": "INTERACTIVE",
    "S-1-5-6": "SERVICE",
    "S-1-5-7": "ANONYMOUS LOGON",
    "S-1-5-11": "Authenticated Users",
    "S-1-5-15": "This Organization",
    SYSTEM: "SYSTEM",
    "S-1-5-19": "LOCAL SERVICE",
    "S-1-5-20": "NETWORK SERVICE",
    ADMINISTRATORS: "Administrators",
    "S-1-5-32-545": "Users",
    "S-1-5-32-546": "Guests",
    "S-1-5-32-554": "Pre-Windows 2000 Compatible Access",
    "S-1-5-32-568": "IIS_IUSRS",
    "S-1-15-2-1": "ALL APPLICATION PACKAGES",
    "S-1-15-2-2": "ALL RESTRICTED APPLICATION PACKAGES",
    **{"DA": "Domain Admins", "EA": "Enterprise Admins", "LA": "Administrator"},
}
"""English names by SID (MS-DTYP 2.4.2.4), or by alias where the SID depends on the domain or the host."""

_EVERYBODY = frozenset(
    {
        *("S-1-1-0", "S-1-2-0", "S-1-5-2", "S-1-5-4", "S-1-5-7", "S-1-5-11", "S-1-5-15"),
        *("S-1-5-32-545", "S-1-5-32-546", "S-1-5-32-554", "S-1-15-2-1", "S-1-15-2-2"),
    }
)
_EVERYBODY_IN_DOMAIN = {
    "501": "Guest",
    "513": "Domain Users",
    "514": "Domain Guests",
    "515": "Domain Computers",
}
"""By the last part of the SID of a domain (MS-DTYP 2.4.2.4)."""

_DACL = re.compile(
    r"(?:O:(?:S-[0-9A-Fx-]+?|[A-Z]{2}))?(?:G:(?:S-[0-9A-Fx-]+?|[A-Z]{2}))?"
    r"D:(?P<flags>(?:P|AR|AI)*)(?P<entries>(?:\([^()]*\))*)(?:S:.*)?",
    re.DOTALL,
)
_NULL_DACL = re.compile(r"D:(?:P|AR|AI)*NO_ACCESS_CONTROL")
_SID = re.compile(r"S-1-[0-9]{1,15}(?:-[0-9]{1,10}){1,15}")
_DOMAIN_SID = re.compile(r"S-1-5-21-[0-9]+-[0-9]+-[0-9]+-([0-9]+)")
_ALIAS = re.compile(r"[A-Z]{2}")
_FLAGS = re.compile(r"(?:OI|CI|NP|IO|ID)*")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]{1,8}")
_TYPES = {"A": "allow", "D": "deny"}
_FIELDS = 6
_MOST_RIGHTS = 0xFFFFFFFF


@dataclass(frozen=True)
class AccessEntry:
    """One entry of the list, with its fields as they stand in SDDL."""

    type: str
    """``A`` allows, ``D`` denies."""
    flags: str
    """Where it comes from and who inherits it, such as ``ID``."""
    rights: str
    sid: str
    """A SID, or an alias of two letters."""


@dataclass(frozen=True)
class KeyAccess:
    """Who may do what with a key, in the order in which Windows asks."""

    entries: tuple[AccessEntry, ...]


def parse_access(sddl: str) -> KeyAccess:
    """The access control list of a key's file.

    Entries that only children of the object would inherit (``IO``) say nothing about the object and are left out.

    Args:
        sddl: as ``GetSecurityDescriptorSddlForm('Access')`` writes it.

    Raises:
        EnrolmentError: who may use the key cannot be learnt: there is no list, nobody is in it, or an entry cannot be
            read or is of a kind that the file of a key should not have.
    """
    text = sddl.strip()
    if _NULL_DACL.search(text):
        raise _unknown("the file of the key has no access control list, so that everybody may use the key")
    parts = _DACL.fullmatch(text)
    if parts is None:
        raise _unknown(f"its access control list cannot be read ({text[:200]!a})")
    entries = (_entry(each) for each in re.findall(r"\(([^()]*)\)", parts["entries"]))
    access = KeyAccess(tuple(entry for entry in entries if "IO" not in _pairs(entry.flags)))
    if not access.entries:
        raise _unknown("its access control list is empty, so that nobody may use the key")
    return access


def taken_over(access: KeyAccess) -> str:
    """The list for the file of the new key, as SDDL: the same entries, and none that the directory hands down.

    Entries for CREATOR OWNER and CREATOR GROUP are left out: the creator of the new key is another, and gets nothing by
    them.
    """
    return "D:PAI" + "".join(
        f"({entry.type};;{entry.rights};;;{entry.sid})"
        for entry in access.entries
        if _resolved(entry.sid) not in _STAND_INS
    )


def for_readers(sids: Sequence[str]) -> str:
    """The list for a key that SYSTEM and Administrators manage and others read, which is what using a key takes.

    Args:
        sids: the others.

    Raises:
        EnrolmentError: one is no SID, or stands for everybody.
    """
    readers = dict.fromkeys(_checked_reader(each) for each in sids)
    return "D:PAI(A;;FA;;;SY)(A;;FA;;;BA)" + "".join(
        f"(A;;FR;;;{sid})" for sid in readers if sid not in (SYSTEM, ADMINISTRATORS)
    )


def same_access(first: str, second: str) -> bool:
    """Whether two lists in SDDL give the same rights to the same accounts.

    Windows writes a list in its own way: aliases for SIDs, tokens or hexadecimal digits for rights, entries for one
    account together, generic rights as those of a file. The order matters only between entries that allow and entries
    that deny.

    Raises:
        EnrolmentError: one cannot be read, see :func:`parse_access`.
    """
    return _runs(parse_access(first)) == _runs(parse_access(second))


def locked_out(access: KeyAccess) -> bool:
    """Whether neither SYSTEM nor Administrators may read the key, so that nobody who manages the host can use it."""
    return not any(_reads(access, sid) for sid in (SYSTEM, ADMINISTRATORS))


def accounts(access: KeyAccess) -> list[dict[str, Any]]:
    """The entries for results and messages, each with ``sid``, ``name``, ``rights`` and ``type``.

    ``rights`` is ``read``, ``full``, or the rights as SDDL; ``name`` is that of accounts that are the same everywhere.
    """
    words = {_FULL: "full", _READ: "read"}
    found = []
    for entry in access.entries:
        sid = _resolved(entry.sid)
        found.append(
            {
                "sid": sid,
                "name": _NAMES.get(sid),
                "rights": words.get(_mask(entry.rights), entry.rights),
                "type": _TYPES[entry.type],
            }
        )
    return found


def _entry(text: str) -> AccessEntry:
    fields = text.split(";")
    if fields[0] not in _TYPES or len(fields) > _FIELDS or any(fields[3:5]):
        raise _unknown(f"the entry ({text}) is of a kind that the file of a key should not have")
    if len(fields) != _FIELDS:
        raise _unknown(f"the entry ({text}) cannot be read")
    kind, flags, rights, _object, _inherited, sid = fields
    known = _FLAGS.fullmatch(flags) and (_SID.fullmatch(sid) or _ALIAS.fullmatch(sid))
    if not known or not _mask(rights):
        raise _unknown(f"the entry ({text}) cannot be read")
    return AccessEntry(kind, flags, rights, sid)


def _mask(rights: str) -> int:
    """The rights as those of a file, in a number; 0 when they cannot be read."""
    mask = 0
    if _NUMBER.fullmatch(rights):
        mask = int(rights, 16)
    else:
        for token in _pairs(rights):
            if token not in _RIGHTS:
                return 0
            mask |= _RIGHTS[token]
    for generic, meaning in _GENERIC.items():
        if mask & generic:
            mask = mask & ~generic | meaning
    return mask


def _pairs(text: str) -> list[str]:
    return [text[at : at + 2] for at in range(0, len(text), 2)]


def _resolved(sid: str) -> str:
    return _ALIASES.get(sid, sid)


def _runs(access: KeyAccess) -> list[tuple[str, dict[str, int]]]:
    """Neighbouring entries of one type together, the rights of each account united."""
    runs: list[tuple[str, dict[str, int]]] = []
    for entry in access.entries:
        if not runs or runs[-1][0] != entry.type:
            runs.append((entry.type, {}))
        rights = runs[-1][1]
        sid = _resolved(entry.sid)
        rights[sid] = rights.get(sid, 0) | _mask(entry.rights)
    return runs


def _reads(access: KeyAccess, sid: str) -> bool:
    for entry in access.entries:
        account = _resolved(entry.sid)
        concerned = account == sid or (entry.type == "D" and account in _EVERYBODY)
        if concerned and _mask(entry.rights) & _READ_DATA:
            return entry.type == "A"
    return False


def _checked_reader(text: str) -> str:
    sid = text.strip()
    if not _SID.fullmatch(sid) or any(int(part) > _MOST_RIGHTS for part in sid.split("-")[3:]):
        raise EnrolmentError(f"{text!a} is no SID.", place=_READERS, remedy="Give the whole SID, such as S-1-5-20.")
    domain = _DOMAIN_SID.fullmatch(sid)
    in_domain = _EVERYBODY_IN_DOMAIN.get(domain[1]) if domain else None
    if in_domain or sid in _EVERYBODY:
        raise EnrolmentError(
            f"{sid} ({in_domain or _NAMES[sid]}) stands for everybody or nearly so, and a private key is not for them.",
            place=_READERS,
            remedy="Name the accounts of the services alone, such as S-1-5-20 (NETWORK SERVICE) or the groups that the"
            " product made.",
        )
    return sid


def _unknown(why: str) -> EnrolmentError:
    return EnrolmentError(f"Who may use the private key cannot be learnt: {why}.", place=_STEP, remedy=_REMEDY)
