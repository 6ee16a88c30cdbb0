# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a template is to be, as a user asks for it."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..providers.catalogue import KSP_NAME_ENDING, lookup, names
from ..record import EvidenceError

RSA_SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"

Schema3 = Literal["fail", "supersede", "downgrade"]

SMALLEST_KEY = 512
LARGEST_KEY = 16384
_KEY_STEP = 8
"""Sizes of RSA keys that the Microsoft providers make (bits): CryptGenKey, wincrypt.h."""

_NUMBERED = re.compile(r"[0-9]+,")
_MISSPELT = 0.95
"""How near (difflib) an unknown name that begins with ``Microsoft`` is to a known one to be that one misspelt."""


class TemplateError(EvidenceError):
    """A template that cannot be made what was asked, or a wish that makes no sense. Nothing was changed."""


@dataclass(frozen=True)
class Wanted:
    """The state that is asked for. ``None`` leaves an attribute as it is."""

    providers: tuple[str, ...] = (RSA_SCHANNEL,)
    """In the order of their priority."""
    minimum_key_size: int | None = None
    """Bits."""
    exportable: bool | None = None
    schema_3: Schema3 = "fail"
    new_name: str | None = None
    new_display_name: str | None = None
    new_schema_version: Literal[2, 4] = 2
    reenroll_holders: bool = False


def checked_providers(given: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Provider names as Windows spells them, and warnings about those that are not known here.

    Raises:
        TemplateError: there is none, or one is a KSP, is named twice, is misspelt beyond doubt or cannot be a name.
    """
    found: list[str] = []
    warnings = []
    for name in given:
        text = name.strip()
        known = lookup(text)
        if not text or not writable(text):
            raise TemplateError(f"{name!r} cannot be the name of a provider.", place="option 'providers'", remedy=_LIST)
        if (known.kind == "ksp") if known else text.casefold().endswith(KSP_NAME_ENDING):
            raise TemplateError(
                f"{text!r} is a CNG key storage provider; a template for legacy providers cannot list it.",
                place="option 'providers'",
                remedy=_LIST,
            )
        if known is None:
            _refuse_mistaken(text)
            near = _near(text, 0.8)
            warnings.append(
                f"The provider {text!r} is not known here. {f'Did you mean {near[0]!r}? ' if near else ''}"
                "Names of third parties are legal, but a misspelt one leaves clients without a provider: compare it "
                "with certutil -csplist on the computers that enrol."
            )
        canonical = known.name if known else text
        if canonical.casefold() in (other.casefold() for other in found):
            raise TemplateError(
                f"{canonical!r} is named twice.", place="option 'providers'", remedy="Name each provider once."
            )
        found.append(canonical)
    if not found:
        raise TemplateError(
            "No provider is given: a template without a list allows any legacy provider.",
            place="option 'providers'",
            remedy=_LIST,
        )
    return tuple(found), tuple(warnings)


def _refuse_mistaken(name: str) -> None:
    """Refuse what no provider is called: a name cut off at a blank, with its number, or several in one text."""
    place = "option 'providers'"
    if _NUMBERED.match(name):
        raise TemplateError(
            f"{name!r} begins with a number, as values of pKIDefaultCSPs do.",
            place=place,
            remedy="Give the names alone; the order of the list numbers them.",
        )
    if "," in name and any(lookup(part.strip()) for part in name.split(",")):
        raise TemplateError(
            f"{name!r} is several names in one text.", place=place, remedy="Give a list with one name an element."
        )
    if not name.casefold().startswith("microsoft"):
        return
    known = [one for one in names("csp") if one.casefold().startswith(f"{name.casefold()} ")] or _near(name, _MISSPELT)
    if known:
        meant = RSA_SCHANNEL if RSA_SCHANNEL in known else known[0]
        raise TemplateError(
            f"{name!r} is no provider of Microsoft's.",
            place=place,
            remedy=f"Did you mean {meant!r}? With -e, a value that has blanks must be JSON: "
            '-e \'{"VARIABLE": ["NAME"]}\'.',
        )


def _near(name: str, cutoff: float) -> list[str]:
    titles = {one.casefold(): one for one in names("csp")}
    return [titles[one] for one in difflib.get_close_matches(name.casefold(), titles, n=1, cutoff=cutoff)]


def writable(text: str) -> bool:
    """Whether a text can be written into a name: no control characters, no halves of characters."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def checked_key_size(size: int | None) -> int | None:
    """A size in bits that RSA keys of the Microsoft providers can have.

    Raises:
        TemplateError: it is none.
    """
    if size is not None and (not SMALLEST_KEY <= size <= LARGEST_KEY or size % _KEY_STEP):
        raise TemplateError(
            f"{size} is not a size of RSA keys.",
            place="option 'minimum_key_size'",
            remedy=f"Give bits, {SMALLEST_KEY} to {LARGEST_KEY} in steps of {_KEY_STEP}, such as 2048.",
        )
    return size


_LIST = f"Give legacy providers, such as {RSA_SCHANNEL!r}, the default. Known here: {', '.join(names('csp'))}."
