# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access control lists of files as SDDL (MS-DTYP 2.5.1), how Windows and .NET write them anew, and whom they let in.

What .NET shows of a list is not what was written: ``DiscretionaryAcl`` orders the entries of one kind by their SIDs,
puts those of one account together and drops those that say nothing (dotnet/runtime, ACL.cs, as in the .NET Framework).
Windows writes numbers as tokens, SIDs as aliases, and turns generic rights into those of files when a list is set. That
SetNamedSecurityInfo, by which .NET sets it, marks the list as inherited automatically (``AI``) is from published SDDL
(``D:PAI``), not from its reference.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ..powershell.errors import NotSimulated

FULL, READ, WRITE, EXECUTE = 0x1F01FF, 0x120089, 0x120116, 0x1200A0
READ_DATA = 0x1

_GENERIC = {0x10000000: FULL, 0x80000000: READ, 0x40000000: WRITE, 0x20000000: EXECUTE}
"""Generic rights (all, read, write, execute) as rights of a file (winnt.h)."""
_RIGHTS = {
    **{"FA": FULL, "FR": READ, "FW": WRITE, "FX": EXECUTE},
    **{"GA": 0x10000000, "GR": 0x80000000, "GW": 0x40000000, "GX": 0x20000000},
    **{"CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100},
    **{"SD": 0x10000, "RC": 0x20000, "WD": 0x40000, "WO": 0x80000},
}
_SINGLE = ("CC", "DC", "LC", "SW", "RP", "WP", "DT", "LO", "CR", "SD", "RC", "WD", "WO")
"""Rights of one bit in the order in which Windows joins them (``CCLCSWRPWPDTLOCRSDRCWDWO`` of services)."""
_ALIASES = {
    **{"WD": "S-1-1-0", "CO": "S-1-3-0", "CG": "S-1-3-1", "OW": "S-1-3-4", "NU": "S-1-5-2", "IU": "S-1-5-4"},
    **{"SU": "S-1-5-6", "AN": "S-1-5-7", "ED": "S-1-5-9", "PS": "S-1-5-10", "AU": "S-1-5-11", "RC": "S-1-5-12"},
    **{"SY": "S-1-5-18", "LS": "S-1-5-19", "NS": "S-1-5-20", "WR": "S-1-5-33", "BA": "S-1-5-32-544"},
    **{"BU": "S-1-5-32-545", "BG": "S-1-5-32-546", "PU": "S-1-5-32-547", "BO": "S-1-5-32-551"},
    **{"RU": "S-1-5-32-554", "RD": "S-1-5-32-555", "IS": "S-1-5-32-568", "AC": "S-1-15-2-1"},
}
_SHOWN = {sid: alias for alias, sid in _ALIASES.items()}
_OF_THE_DOMAIN = ("DA", "DG", "DU", "DD", "DC", "CA", "SA", "EA", "PA", "LA", "LG", "RS", "RO", "EK", "KA", "CN")
_FLAGS = ("OI", "CI", "NP", "IO", "ID")

_SDDL = re.compile(
    r"(?:O:(?P<owner>S-[-0-9]+|[A-Z]{2}))?(?:G:(?P<group>S-[-0-9]+|[A-Z]{2}))?"
    r"(?:D:(?P<control>(?:P|AR|AI)*)(?P<entries>(?:\([^()]*\))*))?(?:S:(?:P|AR|AI)*(?:\([^()]*\))*)?"
)
_SID = re.compile(r"S-1-[0-9]{1,15}(?:-[0-9]{1,10}){1,15}", re.IGNORECASE)
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]{1,8}")


class BadSddl(ValueError):
    """A text that is no SDDL."""

    def __init__(self, text: str, *, account: bool = False) -> None:
        super().__init__(text)
        self.account = account
        """What is wrong is the name of an account."""


@dataclass(frozen=True)
class Entry:
    """One entry."""

    allows: bool
    flags: tuple[str, ...]
    mask: int
    sid: str

    @property
    def rights(self) -> int:
        """What it gives or takes, generic rights as those of a file."""
        mask = self.mask
        for generic, meaning in _GENERIC.items():
            if mask & generic:
                mask = mask & ~generic | meaning
        return mask

    def __str__(self) -> str:
        kind = "A" if self.allows else "D"
        return f"({kind};{''.join(self.flags)};{_shown_rights(self.mask)};;;{_SHOWN.get(self.sid, self.sid)})"


@dataclass(frozen=True)
class Access:
    """A discretionary access control list."""

    entries: tuple[Entry, ...] = ()
    protected: bool = False
    """Nothing is inherited."""
    automatic: bool = False
    """``AI``."""

    def __str__(self) -> str:
        control = ("P" if self.protected else "") + ("AI" if self.automatic else "")
        return f"D:{control}" + "".join(str(entry) for entry in self.entries)

    def grants(self, sids: Collection[str], rights: int) -> bool:
        """Whether somebody with these SIDs has all of the rights: the first entry that names one of them decides.

        An entry for CREATOR OWNER and one that is only handed down let nobody in (MS-DTYP 2.5.3.2).
        """
        left = rights
        for entry in self.entries:
            if "IO" in entry.flags or entry.sid not in sids:
                continue
            if entry.allows:
                left &= ~entry.rights
            elif entry.rights & left:
                return False
            if not left:
                return True
        return False

    def allowing(self, sids: Sequence[str], mask: int) -> Access:
        """With an entry of this mask for each that has none of it yet."""
        missing = [sid for sid in sids if not any(entry.sid == sid and entry.mask == mask for entry in self.entries)]
        return replace(self, entries=(*self.entries, *(Entry(True, (), mask, sid) for sid in missing)))

    def of_file(self) -> Access:
        """With the rights of a file for generic ones, as a list that is set on one is stored."""
        return replace(self, entries=tuple(replace(entry, mask=entry.rights) for entry in self.entries))

    def ordered(self, *, container: bool) -> Access:
        """As .NET holds it, see the module.

        :param container: of a directory; in the list of a file what it says of inheritance goes.
        """
        entries = [kept for entry in self.entries if (kept := _inspected(entry, container)) is not None]
        inherited = [entry for entry in entries if "ID" in entry.flags]
        own = [entry for entry in entries if "ID" not in entry.flags]
        kinds = [entry.allows for entry in own]
        if kinds != sorted(kinds) or entries != [*own, *inherited]:
            return replace(self, entries=tuple(entries))
        merged: list[Entry] = []
        for entry in sorted(own, key=lambda one: (one.allows, _sid_order(one.sid))):
            last = merged[-1] if merged else None
            if last and (last.allows, last.flags, last.sid) == (entry.allows, entry.flags, entry.sid):
                merged[-1] = replace(last, mask=last.mask | entry.mask)
            else:
                merged.append(entry)
        return replace(self, entries=(*merged, *inherited))

    def handed_down(self, *, container: bool) -> tuple[Entry, ...]:
        """What a file or a directory within this directory inherits."""
        found = []
        for entry in self.entries:
            if ("CI" if container else "OI") in entry.flags:
                kept = ("OI", "CI") if container and "NP" not in entry.flags else ()
                flags = (*(flag for flag in entry.flags if flag in kept), "ID")
                found.append(replace(entry, flags=flags))
            elif container and "OI" in entry.flags and "NP" not in entry.flags:
                found.append(replace(entry, flags=("OI", "IO", "ID")))
        return tuple(found)


def parse(text: str) -> Access:
    """The list of an SDDL text.

    Raises:
        BadSddl: it is none.
        NotSimulated: it has no list, or one of a kind that the lab does not know.
    """
    found = _SDDL.fullmatch(text)
    if found is None:
        if "NO_ACCESS_CONTROL" in text:
            raise NotSimulated("a null access control list")
        raise BadSddl(text)
    if found["control"] is None:
        raise NotSimulated(f"SDDL without an access control list: {text!r}")
    entries = tuple(_entry(inner, text) for inner in re.findall(r"\(([^()]*)\)", found["entries"]))
    return Access(entries, found["control"].startswith("P"), "AI" in found["control"])


def sid_of(text: str) -> str | None:
    """A SID from its text or its alias; None when it is neither.

    Raises:
        NotSimulated: an alias whose SID depends on the domain.
    """
    if text.upper() in _OF_THE_DOMAIN:
        raise NotSimulated(f"the alias {text} of an account of the domain")
    if _SID.fullmatch(text):
        return text.upper()
    return _ALIASES.get(text.upper())


def _entry(inner: str, text: str) -> Entry:
    fields = inner.split(";")
    if len(fields) != 6:
        raise BadSddl(text)
    kind, flags, rights, *objects, account = (one.strip() for one in fields)
    if kind.upper() not in ("A", "D") or any(objects):
        raise NotSimulated(f"the entry ({inner})")
    pairs = tuple(flags[at : at + 2].upper() for at in range(0, len(flags), 2))
    if not set(pairs) <= set(_FLAGS):
        raise BadSddl(text)
    sid = sid_of(account)
    if sid is None:
        raise BadSddl(text, account=True)
    return Entry(kind.upper() == "A", tuple(flag for flag in _FLAGS if flag in pairs), _mask(rights, text), sid)


def _mask(rights: str, text: str) -> int:
    if _NUMBER.fullmatch(rights):
        return int(rights, 16)
    mask = 0
    for token in (rights[at : at + 2].upper() for at in range(0, len(rights), 2)):
        if token not in _RIGHTS:
            raise BadSddl(text)
        mask |= _RIGHTS[token]
    return mask


def _shown_rights(mask: int) -> str:
    """One token where there is one for the whole, tokens of single bits where these are enough, else hexadecimal."""
    for token, value in _RIGHTS.items():
        if value == mask:
            return token
    left, tokens = mask, ""
    for token in _SINGLE:
        if mask & _RIGHTS[token]:
            left &= ~_RIGHTS[token]
            tokens += token
    return tokens if tokens and not left else f"0x{mask:x}"


def _inspected(entry: Entry, container: bool) -> Entry | None:
    spread = {"OI", "CI"} & set(entry.flags)
    if not entry.mask or ("IO" in entry.flags and (not container or not spread)):
        return None
    if not container:
        return replace(entry, flags=tuple(flag for flag in entry.flags if flag == "ID"))
    return entry


def _sid_order(sid: str) -> tuple[int, ...]:
    """SecurityIdentifier.CompareTo: the authority, the number of sub-authorities, then these."""
    authority, *parts = (int(part) for part in sid.split("-")[2:])
    return (authority, len(parts), *parts)
