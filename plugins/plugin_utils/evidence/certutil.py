# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates from what ``certutil -store``, ``-v -store`` or ``-dump`` of a PFX printed, in any display language.

The text is read by its structure: banners with a number, the order of the lines, values of unmistakable form (names,
hexadecimal digits, names of providers). No translated label decides anything. Dates are left alone: they follow the
regional format of whoever ran the command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ..providers.catalogue import lookup
from ..record import Certificate, Problem, Reading, Source
from .certutil_identity import Identity, hash_of, identify, property_of, serial_number_of
from .certutil_key import Finding, Shape, find_key, provider_labels
from .certutil_text import (
    STORE_COMMAND,
    Footer,
    Line,
    assigned,
    failures,
    footer,
    is_prompt,
    labelled,
    read_lines,
)

FORMAT = "certutil"

_BANNER = re.compile(r"={5,}\s*(?P<title>[^=]*?[^=\s])\s*={5,}")
_STORE_VERBS = frozenset({"store", "viewstore", "verifystore", "delstore", "viewdelstore"})
"""Verbs that print no certificate only where the store has none."""
_CERTIFICATE_VERBS = _STORE_VERBS | {"dump", "exportpfx", "importpfx", "repairstore", "scinfo", "urlcache"}
"""Verbs that were seen to print certificates with their keys."""
_REVOCATION_LIST = re.compile(r"\b(?:CRL|CTL)\b")
_REQUEST = re.compile(r"\bPKCS\s?#?10\b|\b1\.3\.6\.1\.4\.1\.311\.13\.2\.2\b")
"""A dumped request: its type, or the attribute that names its provider."""


@dataclass
class _Block:
    """The lines of one certificate."""

    banner: Line | None = None
    title: str = ""
    lines: list[Line] = field(default_factory=list)
    file_dump: bool = False
    """Whether a second banner follows the first: an element of a PFX."""
    closed: bool = False
    """Whether anything follows; the last block of a text that was cut is open."""
    serial_labels: set[str] = field(default_factory=set)
    providers: set[str] = field(default_factory=set)
    """Labels of lines that look like a serial number, and the providers: a text without banners is split by them."""
    tests_repeated: bool = False
    """Whether the banner of the repeated tests was met; nothing new follows it."""

    @property
    def content(self) -> list[Line]:
        return [line for line in self.lines if line.body]

    @property
    def place(self) -> str | None:
        start = self.banner or next(iter(self.content), None)
        return start.place if start else None


def read_certutil(data: bytes, origin: str, *, elevated: bool = False) -> Reading:
    """Read a printout of certutil.

    Args:
        data: the text in any encoding of Windows.
        origin: the file or host it comes from, for messages.
        elevated: whether an administrator is known to have run the command. "Missing stored keyset" is printed to
            everybody else, too, whether the key is there or not.

    Returns:
        One certificate for each that could be told apart; a problem for a command that failed, for a block without
        anything to go by, and for a text that is something else. Never raises for bad input.

    """
    lines = read_lines(data)
    ends = [end for line in lines if (end := footer(line))]
    problems = list(failures(lines, origin))
    labels = provider_labels(lines)
    certificates = []
    requested = any(_REQUEST.search(line.text) for line in lines if not line.text.startswith("#"))
    remains: list[_Block] = []
    for block in _blocks(lines):
        if not block.content and block.banner is None:
            continue
        identity = identify(block.lines)
        start = 0 if identity.hash_line is None else identity.hash_line + 1
        finding = find_key(block.lines, start, _shape(block, identity), labels, elevated=elevated)
        if _is_revocation_list(block, identity, finding):
            continue
        if _is_certificate(block, identity, finding) and not (requested and not identity.hashed):
            certificates.append(_certificate(block, identity, finding, origin, ends))
        elif block.banner or _is_remains(block, identity, finding):
            remains.append(block)
    bannered = [block for block in remains if block.banner]
    if certificates:
        problems += [_remains_problem(block, origin) for block in bannered]
    elif requested:
        problems.append(_request_problem(origin))
    elif not problems and remains and (bannered or not _verb_of_something_else(ends)):
        problems += [_remains_problem(block, origin) for block in bannered or remains[:1]]
    elif not problems:
        problems += _nothing_found(data, ends, origin)
    return Reading(tuple(certificates), (), tuple(problems))


def _shape(block: _Block, identity: Identity) -> Shape:
    if identity.verbose:
        return "long"
    if block.file_dump:
        return "element"
    return "short" if block.banner or identity.hashed else "fragment"


def _blocks(lines: Sequence[Line]) -> Iterator[_Block]:
    block = _Block()
    for line in lines:
        banner = _BANNER.fullmatch(line.body)
        if line.text.startswith("#") or _is_rule(line.body):
            continue
        if banner and re.search(r"\d", banner["title"]):
            if block.banner and not block.content:
                block.file_dump = True
                continue
            block.closed = True
            yield block
            block = _Block(line, banner["title"])
        elif banner:
            block.tests_repeated = bool(block.content)
        elif footer(line) or is_prompt(line.text) or line.body == "---":
            block.closed = True
            yield block
            block = _Block()
        elif not block.tests_repeated:
            if block.banner is None and _starts_another(block, line):
                block.closed = True
                yield block
                block = _Block()
                _starts_another(block, line)
            block.lines.append(line)
    yield block


def _starts_another(block: _Block, line: Line) -> bool:
    """Whether a line of a text without banners belongs to the next certificate.

    A second serial number does; so does, in a smart card dump, an unindented line with another provider.
    """
    pair = labelled(line.text)
    if pair and serial_number_of(pair[1]) and not hash_of(line):
        again = pair[0] in block.serial_labels
        block.serial_labels.add(pair[0])
        return again
    provider = assigned(line.text)
    if not provider or not lookup(provider[1]):
        return False
    name = provider[1].casefold()
    other = not line.indent and bool(block.providers) and name not in block.providers
    block.providers.add(name)
    return other


def _is_rule(body: str) -> bool:
    return body.startswith("-----") and body.endswith("-----")


def _is_revocation_list(block: _Block, identity: Identity, finding: Finding) -> bool:
    """Whether the block is a CRL or CTL of the store: it has an issuer, no serial number before it and no key."""
    if block.banner is None:
        return False
    if _REVOCATION_LIST.search(block.title) or any(
        (match := hash_of(line)) and _REVOCATION_LIST.search(match["label"] + match["rest"]) for line in block.lines
    ):
        return True
    if finding.container_named or finding.hints.tells:
        return False
    return identity.serial_number is None and identity.names == 1


def _is_certificate(block: _Block, identity: Identity, finding: Finding) -> bool:
    recorded = any(key.provider or key.provider_type is not None for key in (finding.key, *finding.key.candidates))
    if identity.hashed or recorded:
        return True
    return block.banner is not None and identity.serial_number is not None


def _certificate(
    block: _Block, identity: Identity, finding: Finding, origin: str, ends: Sequence[Footer]
) -> Certificate:
    notes = identity.notes + finding.notes
    if not block.closed and not finding.hints.tells and not finding.container_named:
        notes += ("The text ends within this certificate: what it said of the key is missing.",)
    elif (
        block.banner is None
        and any(end.verb == "dump" for end in ends)
        and not (finding.hints.tells or finding.container_named)
    ):
        notes += ("This is the dump of a certificate file: it cannot tell where the private key is.",)
    if identity.serial_number is None and not identity.hashed:
        notes += ("This part of the dump does not say which certificate the key belongs to.",)
    return Certificate(
        key=finding.key,
        source=Source(FORMAT, origin, block.place),
        thumbprint=identity.thumbprint,
        subject=identity.subject,
        issuer=identity.issuer,
        serial_number=identity.serial_number,
        friendly_name=property_of(block.lines, "CERT_FRIENDLY_NAME_PROP_ID(11)") or None,
        archived=_archived(block, identity),
        template=identity.template,
        notes=notes,
    )


def _archived(block: _Block, identity: Identity) -> bool | None:
    """A word with an exclamation mark between banner and serial number says that the certificate is archived."""
    if any("CERT_ARCHIVED_PROP_ID(19)" in line.text for line in block.lines):
        return True
    if block.banner is None or identity.serial_line is None or block.file_dump:
        return None
    between = [line.body for line in block.lines[: identity.serial_line] if line.body]
    if any(text.endswith(("!", "！")) for text in between):
        return True
    return None if any(not (labelled(text) or assigned(text)) for text in between) else False


def _is_remains(block: _Block, identity: Identity, finding: Finding) -> bool:
    """Whether lines without a banner are what is left of a certificate's printout."""
    named = identity.serial_number is not None and identity.names > 0
    return named or finding.hints.tells or any("(sha1)" in line.text.lower() for line in block.lines)


def _remains_problem(block: _Block, origin: str) -> Problem:
    return Problem(
        origin,
        "This part of a certutil printout tells neither which certificate it is about nor a key provider.",
        f"Give the whole output: {STORE_COMMAND}",
        block.place,
    )


def _request_problem(origin: str) -> Problem:
    return Problem(
        origin,
        "This is the dump of a certificate request, not of a certificate store.",
        f"Give the request file itself (format csr), or the dump of the store: {STORE_COMMAND}",
    )


def _verb_of_something_else(ends: Sequence[Footer]) -> str | None:
    """The verb of a command that does not show certificates with their keys, when no other ran."""
    verbs = [end.verb for end in ends if end.verb]
    return verbs[-1] if verbs and not _CERTIFICATE_VERBS.intersection(verbs) else None


def _nothing_found(data: bytes, ends: Sequence[Footer], origin: str) -> list[Problem]:
    """Why a text has no certificate; nothing when the store is just empty."""
    other = _verb_of_something_else(ends)
    if any(end.succeeded and end.verb in _STORE_VERBS for end in ends):
        return []
    if not data.strip():
        message = "The text is empty."
    elif other:
        message = f"This is the output of certutil -{other}, which shows no certificates with their keys."
    elif ends:
        message = f"There is no certificate in this output of certutil: {ends[0].line.body}"
    else:
        message = "This is no output of certutil: no certificate, no banner and no closing line was found in it."
    return [Problem(origin, message, f"Run this on the host and give its output: {STORE_COMMAND}")]
