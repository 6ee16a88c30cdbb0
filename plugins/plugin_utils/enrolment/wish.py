# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked for: a certificate request as data, checked before anything is done with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ..providers.catalogue import (
    PROV_RSA_AES,
    PROV_RSA_FULL,
    PROV_RSA_SCHANNEL,
    PROVIDERS,
    Provider,
    classify,
    lookup,
)
from .errors import EnrolmentError
from .names import checked_alternative_name, common_name, is_oid, parse_subject, refuse_characters, subject_text

__all__ = [
    "RSA_SCHANNEL",
    "SERVER_AUTHENTICATION",
    "EnrolmentError",
    "RequestWish",
    "advice",
    "checked",
    "checked_friendly_name",
    "friendly_name_from",
    "provider_of",
]

RSA_SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
SERVER_AUTHENTICATION = "1.3.6.1.5.5.7.3.1"

KEY_LENGTHS = (1024, 2048, 3072, 4096, 8192, 16384)
"""Sizes that RSA providers of Windows make (steps of 8 bits would do, but no CA or product asks for others)."""
HASH_ALGORITHMS = ("SHA1", "SHA256", "SHA384", "SHA512")
"""As certreq calls them (certreq reference, HashAlgorithm), without those that are broken."""

_LYNC_KEY_LENGTHS = (1024, 2048, 4096)
"""Certificate requirements of Lync Server 2010 and 2013: key lengths that are supported."""
_RSA_TYPES = (PROV_RSA_FULL, PROV_RSA_SCHANNEL, PROV_RSA_AES)
_TEMPLATE_CHARACTERS = frozenset(" -_.()")
_LONGEST_TEMPLATE_NAME = 64
"""The upper bound of cn in the directory's schema."""
_FRIENDLY_NAME_CHARACTERS = frozenset(" '()*+,-./:@_")
_LONGEST_FRIENDLY_NAME = 200


@dataclass(frozen=True)
class RequestWish:
    """A certificate as it is wanted. Values are checked by ``checked`` before anything is done with them."""

    subject: str
    """RFC 4514, such as ``CN=pool01.contoso.example,O=Contoso``."""
    subject_alt_names: tuple[str, ...] = ()
    """DNS names and IP addresses; a set, the order does not matter."""
    template: str | None = None
    """The name (cn) or the OID of an AD CS template; ``None`` for other CAs."""
    provider: str = RSA_SCHANNEL
    key_length: int = 2048
    """Bits of the RSA key."""
    hash_algorithm: str = "SHA256"
    exportable: bool = False
    friendly_name: str | None = None
    extended_key_usage: tuple[str, ...] = (SERVER_AUTHENTICATION,)
    """OIDs."""


def checked(wish: RequestWish, *, force_provider: bool = False) -> RequestWish:
    """The wish in its normal form: names in lower case and sorted, the provider as Windows spells it.

    Two wishes for the same certificate have the same normal form.

    Args:
        wish: as it was given.
        force_provider: accept a key storage provider, and one that keeps keys in a card.

    Raises:
        EnrolmentError: a value is not allowed; ``place`` names the option.
    """
    return replace(
        wish,
        subject=subject_text(parse_subject(wish.subject)),
        subject_alt_names=tuple(sorted({checked_alternative_name(name) for name in wish.subject_alt_names})),
        template=None if wish.template is None else checked_template(wish.template),
        provider=_checked_provider(wish.provider, force=force_provider).name,
        key_length=_checked_key_length(wish.key_length),
        hash_algorithm=_checked_hash_algorithm(wish.hash_algorithm),
        friendly_name=None if wish.friendly_name is None else checked_friendly_name(wish.friendly_name),
        extended_key_usage=tuple(sorted({_checked_purpose(purpose) for purpose in wish.extended_key_usage})),
    )


def provider_of(wish: RequestWish) -> Provider:
    """The provider of a checked wish, as the catalogue has it.

    Raises:
        EnrolmentError: the catalogue does not have it.
    """
    return _known_provider(wish.provider)


def advice(wish: RequestWish) -> tuple[str, ...]:
    """What speaks against a checked wish that is allowed; whole sentences."""
    provider = provider_of(wish)
    found = []
    if provider.kind == "ksp":
        found.append(
            f"{provider.name} is a key storage provider (CNG): Lync Server 2010 and 2013 and Skype for Business Server "
            "2015 cannot use the key."
        )
    if provider.provider_type == PROV_RSA_FULL and wish.hash_algorithm != "SHA1":
        found.append(
            f"{provider.name} is of type 1 (PROV_RSA_FULL); providers of this type may not sign with "
            f"{wish.hash_algorithm}. Types 12 and 24 do."
        )
    if wish.hash_algorithm == "SHA1":
        found.append("SHA-1 is broken; CAs may refuse a request that is signed with it.")
    if wish.key_length < 2048:
        found.append(f"RSA keys of {wish.key_length} bits are too short by today's standards; CAs may refuse them.")
    elif wish.key_length not in _LYNC_KEY_LENGTHS:
        found.append(
            f"Lync Server documents support for key lengths of 1024, 2048 and 4096 bits, not of {wish.key_length}."
        )
    return tuple(found)


def checked_friendly_name(name: str) -> str:
    """A friendly name that can be written into an INF file.

    Raises:
        EnrolmentError: it cannot.
    """
    place = "friendly_name"
    refuse_characters(name, _FRIENDLY_NAME_CHARACTERS, place)
    if not name or name != name.strip() or len(name) > _LONGEST_FRIENDLY_NAME:
        raise EnrolmentError(
            f"A friendly name has 1 to {_LONGEST_FRIENDLY_NAME} characters and no blanks at its ends.",
            place=f"the option '{place}'",
            remedy="Correct the name.",
        )
    return name


def friendly_name_from(wish: RequestWish, date: str) -> str:
    """The friendly name of a checked wish: the one asked for, else its common name or first alternative name with a
    date. It is not unique yet.
    """
    if wish.friendly_name is not None:
        return wish.friendly_name
    base = common_name(parse_subject(wish.subject)) or next(iter(wish.subject_alt_names), "Certificate")
    plain = "".join(each for each in base if each.isalnum() or each in _FRIENDLY_NAME_CHARACTERS)
    return f"{plain[: _LONGEST_FRIENDLY_NAME // 2].strip()} {date}".strip()


def checked_template(template: str) -> str:
    r"""The name (cn) or the OID of a template, which can stand in an INF and in ``-attrib`` without adding anything.

    Raises:
        EnrolmentError: it can not.
    """
    place = "template"
    if re.fullmatch(r"[0-9.]+", template):
        if not is_oid(template):
            raise EnrolmentError(
                f"{template!r} is no OID.", place=f"the option '{place}'", remedy="Correct it, or give the name (cn)."
            )
        return template
    refuse_characters(template, _TEMPLATE_CHARACTERS, place)
    if not template or template != template.strip() or len(template) > _LONGEST_TEMPLATE_NAME:
        raise EnrolmentError(
            f"The name of a template has 1 to {_LONGEST_TEMPLATE_NAME} characters and no blanks at its ends.",
            place=f"the option '{place}'",
            remedy="Give the template's name (cn), not its display name, or its OID.",
        )
    return template


def _checked_provider(name: str, *, force: bool) -> Provider:
    if lookup(name) is None and classify(name, None) == "ksp":
        raise _provider_error(
            f"{name!a} is the name of a key storage provider (CNG) that is not known here.",
            f"Name a legacy provider, such as {RSA_SCHANNEL}.",
        )
    known = _known_provider(name)
    if known.kind == "ksp" and not force:
        raise _provider_error(
            f"{known.name} is a key storage provider (CNG), whose keys Lync Server cannot use.",
            f"Name a legacy provider, such as {RSA_SCHANNEL}; force_provider: true requests such a key nevertheless.",
        )
    if known.token and not force:
        raise _provider_error(
            f"{known.name} may ask a person for a card or a PIN, which no server can answer.",
            f"Name another provider, such as {RSA_SCHANNEL}; force_provider: true requests such a key nevertheless.",
        )
    if known.kind == "csp" and known.provider_type not in _RSA_TYPES:
        raise _provider_error(
            f"{known.name} is of type {known.provider_type} ({known.provider_type_name}) and makes no RSA key for key "
            "exchange.",
            f"Name a provider of type 12, 24 or 1, such as {RSA_SCHANNEL}.",
        )
    return known


def _known_provider(name: str) -> Provider:
    known = lookup(name)
    if known is None:
        fit = [each.name for each in PROVIDERS if each.provider_type in _RSA_TYPES and not each.token]
        raise _provider_error(
            f"The provider {name!a} is not known here, so that its type is not known either.",
            f"Name one of: {'; '.join(sorted(fit, key=lambda each: each != RSA_SCHANNEL))}.",
        )
    return known


def _checked_key_length(length: int) -> int:
    if length not in KEY_LENGTHS:
        raise EnrolmentError(
            f"RSA keys of {length} bits cannot be requested.",
            place="the option 'key_length'",
            remedy=f"Give one of {', '.join(map(str, KEY_LENGTHS))}; 2048 or 4096 are good for Lync Server.",
        )
    return length


def _checked_hash_algorithm(name: str) -> str:
    plain = name.upper().replace("-", "")
    if plain not in HASH_ALGORITHMS:
        raise EnrolmentError(
            f"The hash algorithm {name!a} cannot be requested.",
            place="the option 'hash_algorithm'",
            remedy=f"Give one of {', '.join(HASH_ALGORITHMS)}.",
        )
    return plain


def _checked_purpose(purpose: str) -> str:
    if not is_oid(purpose):
        raise EnrolmentError(
            f"{purpose!a} is no OID.",
            place="the option 'extended_key_usage'",
            remedy=f"Give OIDs in dotted form, such as {SERVER_AUTHENTICATION} (server authentication).",
        )
    return purpose


def _provider_error(message: str, remedy: str) -> EnrolmentError:
    return EnrolmentError(message, place="the option 'provider'", remedy=remedy)
