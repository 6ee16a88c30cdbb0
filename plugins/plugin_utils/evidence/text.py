# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of a text file of Windows to characters, whatever tool or console wrote it."""

from __future__ import annotations

import codecs

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(data: bytes) -> str:
    """Decode text by its byte order mark, else as UTF-16LE, UTF-8 or, last, Windows-1252.

    The last resort never fails: a console's OEM code page cannot be told from the bytes, and all that
    is decided on (provider names, digits, hexadecimal) is ASCII in each of them.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if len(data) >= 4 and data[1:8:2].count(0) == len(data[1:8:2]):
        return data.decode("utf-16-le", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
