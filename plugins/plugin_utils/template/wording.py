# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attribute values as a person reads them: flags by name, octets in hexadecimal."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from . import flags
from .schema import GENERAL_FLAGS, KEY_USAGE, PRIVATE_KEY_FLAG, SECURITY_DESCRIPTOR

_FLAG_WORDS = {
    PRIVATE_KEY_FLAG.casefold(): flags.PRIVATE_KEY_FLAGS,
    "mspki-enrollment-flag": flags.ENROLLMENT_FLAGS,
    "mspki-certificate-name-flag": flags.SUBJECT_NAME_FLAGS,
    GENERAL_FLAGS.casefold(): flags.GENERAL_FLAGS,
}
_OCTETS = (SECURITY_DESCRIPTOR.casefold(), "pkiexpirationperiod", "pkioverlapperiod")


def value_text(attribute: str, value: bytes) -> str:
    """One value as text, for results and diffs."""
    name = attribute.casefold()
    if name in _FLAG_WORDS:
        return _flags_text(name, value)
    if name == KEY_USAGE.casefold():
        return f"{value.hex()} ({', '.join(flags.key_usage_names(value)) or 'none'})"
    text = value.decode("utf-8", "replace")
    if name in _OCTETS or "\ufffd" in text or any(ord(character) < 0x20 for character in text):
        return base64.b64encode(value).decode("ascii")
    return text


def _flags_text(name: str, value: bytes) -> str:
    try:
        number = int(value)
    except ValueError:
        return value.decode("utf-8", "replace")
    shown = flags.describe(number, _FLAG_WORDS[name])
    words = list(shown["names"])
    if name == PRIVATE_KEY_FLAG.casefold():
        versions = (("CA from", flags.minimum_ca(number)), ("clients from", flags.minimum_client(number)))
        words += [f"{label} {version}" for label, version in versions if version]
    return f"{shown['value']} = {shown['hex']} ({', '.join(words) or 'none'})"


def value_texts(attribute: str, values: Sequence[bytes]) -> list[str]:
    """All values of an attribute as text."""
    return [value_text(attribute, value) for value in values]


def attribute_lines(attribute: str, values: Sequence[bytes]) -> str:
    """An attribute as lines of a diff: one a value, none when it is absent."""
    return "".join(f"{attribute}: {text}\n" for text in value_texts(attribute, values))
