# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which certificate some lines of certutil are about: serial number, names, hash, template.

All by form and order. The short form of a dump has the serial number, the issuer, the dates, the subject, what the
certificate is, its template and its hash; the long form (``-v``) spreads names over lines and has many hashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..providers.catalogue import lookup
from ..record import Template
from .certutil_key import PROPERTY
from .certutil_text import LONGEST_LINE, Line, labelled

_RDN = re.compile(r"(?:OID\.)?(?!URL=|KeyID=|KeySpec=|Template=)(?:[A-Za-z][A-Za-z]*|\d+(?:\.\d+)+)=")
_EMPTY_NAME = re.compile(r"EMPTY(?: \(.*\))?")
"""What certutil prints for a certificate without a subject."""
_HASH = re.compile(
    r"(?P<label>[^:：]*?)\((?P<algorithm>(?:[a-z]+-)?(?:sha\d+|md\d)(?:-hex)?)\)(?P<rest>[^:：]*?)\s*[:：]\s*(?P<value>.*)",
    re.IGNORECASE,
)
_CA_VERSION = re.compile(r"V\d+\.\d+")
_OID = re.compile(r"\d+(?:\.\d+){3,}")


@dataclass(frozen=True)
class Identity:
    """What tells the certificate itself, and where its part about the key begins."""

    serial_number: str | None
    names: int
    """How many names of the certificate were found: issuer and subject make two."""
    issuer: str | None
    subject: str | None
    thumbprint: str | None
    hashed: bool
    """Whether there is a hash of the certificate, readable or not."""
    hash_line: int | None
    template: Template | None
    verbose: bool
    serial_line: int | None
    notes: tuple[str, ...]


def identify(lines: Sequence[Line]) -> Identity:
    """Tell the certificate from its lines; what they do not say stays ``None``."""
    names = list(_names(lines))
    verbose = any(several for _index, _name, several in names) or any(PROPERTY.search(line.text) for line in lines)
    # The serial number stands before the names and the hashes; the hash of the signature looks like one.
    first_hash = next((index for index, line in enumerate(lines) if hash_of(line)), len(lines))
    first_name = min(names[0][0] if names else len(lines), first_hash)
    hash_line, value = _certificate_hash(lines, verbose=verbose)
    value = property_of(lines, "CERT_SHA1_HASH_PROP_ID(3)") or value
    if hash_line is not None and not verbose:
        names = [name for name in names if name[0] < hash_line]
    serial = next(
        (
            (index, found)
            for index, line in enumerate(lines[:first_name])
            if (pair := labelled(line.text)) and (found := serial_number_of(pair[1]))
        ),
        None,
    )
    issuer, subject, unclear = _issuer_and_subject(lines, names[:2])
    thumbprint, notes = _thumbprint(value)
    return Identity(
        serial_number=serial[1] if serial else None,
        names=len(names[:2]),
        issuer=issuer,
        subject=subject,
        thumbprint=thumbprint,
        hashed=bool(value),
        hash_line=hash_line,
        template=_template_extension(lines) if verbose else _template(lines, names, hash_line),
        verbose=verbose,
        serial_line=serial[0] if serial else None,
        notes=unclear + notes,
    )


def _issuer_and_subject(
    lines: Sequence[Line], names: Sequence[tuple[int, str | None, bool]]
) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Which name is whose: by the order of printing, unless one is missing; then the English label must tell."""
    if len(names) == 2:
        return names[0][1], names[1][1], ()
    if not names or names[0][1] is None:
        return None, None, ()
    index, name, _several = names[0]
    label = (labelled(lines[index].text) or ("", ""))[0]
    if label == "Subject":
        return None, name, ()
    if label == "Issuer":
        return name, None, ()
    return None, None, (f"Of issuer and subject only one is printed, which does not tell whose it is: {name!r}.",)


def _names(lines: Sequence[Line]) -> Iterator[tuple[int, str | None, bool]]:
    """Lines with a distinguished name: index, name, and whether it is spread over several lines (``-v``)."""
    for index, line in enumerate(lines):
        pair = labelled(line.text)
        if pair is None or lookup(pair[0]):
            continue
        value = pair[1]
        following = lines[index + 1].body if index + 1 < len(lines) else ""
        if _RDN.match(value):
            yield index, value, False
        elif _EMPTY_NAME.fullmatch(value):
            yield index, None, False
        elif not value and (_RDN.match(following) or _EMPTY_NAME.fullmatch(following)):
            parts: list[str] = []
            while index + 1 + len(parts) < len(lines) and _RDN.match(body := lines[index + 1 + len(parts)].body):
                parts.append(body)
            yield index, ", ".join(parts) or None, True


def serial_number_of(value: str) -> str | None:
    """A serial number: whole bytes in hexadecimal, also spaced. ``Version: 3`` is none."""
    digits = value.replace(" ", "")
    if len(digits) % 2 or not re.fullmatch(r"[0-9a-fA-F]{2,64}", digits):
        return None
    return digits.lower() if re.fullmatch(r"\S+|\S\S(?: \S\S)+", value) else None


def hash_of(line: Line) -> re.Match[str] | None:
    """A line with a hash: the groups ``label``, ``algorithm``, ``rest`` (before the colon) and ``value``."""
    return _HASH.fullmatch(line.body) if len(line.text) <= LONGEST_LINE else None


def _certificate_hash(lines: Sequence[Line], *, verbose: bool) -> tuple[int | None, str]:
    """Line and value of the certificate's SHA-1 among all hashes.

    The short form has one. The long form has hashes of names and keys, too: the certificate's is the one in the line
    after an MD5 under the same label (for keys and names the order is the other way round).
    """
    chosen: tuple[int | None, str] = (None, "")
    md5_label: str | None = None
    for index, line in enumerate(lines):
        if not line.body:
            continue
        match = hash_of(line)
        algorithm = match["algorithm"].lower() if match else ""
        label = match["label"].strip() if match else None
        if match and algorithm == "sha1" and match["value"] and (not verbose or label == md5_label):
            chosen = index, match["value"]
        md5_label = label if algorithm == "md5" else None
    return chosen


def _thumbprint(value: str) -> tuple[str | None, tuple[str, ...]]:
    digits = re.sub(r"\s", "", value)
    if not digits:
        return None, ()
    if re.fullmatch(r"[0-9a-fA-F]{40}", digits):
        return digits.upper(), ()
    return None, (
        f"The printed SHA-1 hash {digits!r} has {len(digits)} characters instead of 40 hexadecimal digits, "
        "so the thumbprint is not known.",
    )


def property_of(lines: Sequence[Line], name: str) -> str:
    """The first line of a property's value in ``-v``."""
    for index, line in enumerate(lines[:-1]):
        following = lines[index + 1].body
        if name in line.text and not PROPERTY.search(following):
            return following
    return ""


def _template(
    lines: Sequence[Line], names: Sequence[tuple[int, str | None, bool]], hash_line: int | None
) -> Template | None:
    """The template in the short form, by its place.

    After the subject come, where they apply: the template of a version 1 template, the CA version, whether the
    signature matches, whether it is a root, and, right before the hash, the template again.
    """
    if len(names) < 2 or hash_line is None:
        return None
    zone = [line for line in lines[names[1][0] + 1 : hash_line] if line.body]
    pairs = [labelled(line.text) for line in zone]
    version_1 = pairs[0] if pairs and pairs[0] and "(" in pairs[0][0] else None
    last = pairs[-1] if pairs else None
    if last and _CA_VERSION.fullmatch(last[1]):
        last = None
    if (
        last
        and names[0][1] == names[1][1]
        and (len(pairs) < 2 or pairs[-2] is None or _CA_VERSION.fullmatch(pairs[-2][1]))
    ):
        # A root: the last line says so, unless another line with a label stands before it.
        last = None
    named = _template_from(last[1]) if last else None
    if version_1 and version_1[1]:
        named = replace(named, name=named.name or version_1[1]) if named else Template(name=version_1[1])
    return named


def _template_from(value: str) -> Template | None:
    """``name``, ``name, display name``, ``OID`` or ``OID, display name``."""
    first, _comma, display = (part.strip() for part in value.partition(","))
    if not first:
        return None
    if _OID.fullmatch(first):
        return Template(oid=first, display_name=display or None)
    return Template(name=first, display_name=display or None)


def _template_extension(lines: Sequence[Line]) -> Template | None:
    """The template in the long form: the extensions szOID_CERTIFICATE_TEMPLATE and szOID_ENROLL_CERTTYPE_EXTENSION."""
    found: Template | None = None
    for index, line in enumerate(lines):
        following = [part.body for part in lines[index + 1 : index + 5]]
        if line.body.startswith("1.3.6.1.4.1.311.21.7:") and len(following) == 4:
            name, _sign, value = following[1].partition("=")
            major, minor = (part.rpartition("=")[2] for part in following[2:])
            match = re.fullmatch(r"(.*?)\s*\((\d+(?:\.\d+)+)\)", value)
            oid = match[2] if match else value
            if name and _OID.fullmatch(oid):
                found = Template(
                    oid=oid,
                    name=found.name if found else None,
                    display_name=match[1] if match else None,
                    major_version=int(major) if major.isdecimal() else None,
                    minor_version=int(minor) if minor.isdecimal() else None,
                )
        elif line.body.startswith("1.3.6.1.4.1.311.20.2:") and len(following) > 1 and following[1]:
            found = replace(found or Template(), name=following[1])
    return found
