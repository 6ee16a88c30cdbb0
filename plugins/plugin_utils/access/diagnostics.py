# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The LDAP result code behind what a tool of Windows tells in the words of its display language.

Two things are the same in every language: the diagnostic message of the domain controller, which begins with a Windows
error code of eight hexadecimal digits (MS-ADTS 3.1.1.3.1.9) and in practice goes on with the ``problem`` and its
number, and the Windows error code that the tool itself prints as ``0x``. Seen in public reports:
``00002098: SecErr: DSID-03151656, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0`` and ``0x2098`` (a support article on
ldifde), ``00002083: AtrErr: DSID-03151904, #1: 0: 00002083: DSID-03151904, problem 1006 (ATT_OR_VALUE_EXISTS)``,
``00002071: UpdErr: ... problem 6005 (ENTRY_EXISTS)``, ``0000208D: NameErr: ... problem 2001 (NO_OBJECT)``,
``0000202B: RefErr: DSID-0310082F, data 0, 1 access points``, ``000004DC: LdapErr: ...`` (a search without a bind).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_PROBLEMS = {
    1001: 16,  # NO_ATTRIBUTE_OR_VAL
    1002: 21,  # INVALID_ATT_SYNTAX
    1003: 17,  # UNDEFINED_ATT_TYPE
    1005: 19,  # CONSTRAINT_ATT_TYPE
    1006: 20,  # ATT_OR_VALUE_EXISTS
    2001: 32,  # NO_OBJECT
    4001: 48,  # INAPPROPRIATE_AUTH
    4002: 49,  # INVALID_CREDENTS
    4003: 50,  # INSUFF_ACCESS_RIGHTS
    5001: 51,  # BUSY
    5002: 52,  # UNAVAILABLE
    5003: 53,  # WILL_NOT_PERFORM
    6001: 64,  # NAME_VIOLATION
    6002: 65,  # OBJ_CLASS_VIOLATION
    6005: 68,  # ENTRY_EXISTS
}
"""The numbers are those of MS-DRSR 4.1.1.1.26; the result codes are those of RFC 4511 with the same meaning."""

_WINDOWS_ERRORS = {
    0x5: 50,  # ERROR_ACCESS_DENIED
    0x4DC: 1,  # ERROR_NOT_AUTHENTICATED
    0x52E: 49,  # ERROR_LOGON_FAILURE
    0x200A: 16,  # ERROR_DS_NO_ATTRIBUTE_OR_VALUE
    0x200D: 20,  # ERROR_DS_ATTRIBUTE_OR_VALUE_EXISTS
    0x200E: 51,  # ERROR_DS_BUSY
    0x200F: 52,  # ERROR_DS_UNAVAILABLE
    0x2014: 65,  # ERROR_DS_OBJ_CLASS_VIOLATION
    0x2020: 1,  # ERROR_DS_OPERATIONS_ERROR
    0x2028: 8,  # ERROR_DS_STRONG_AUTH_REQUIRED
    0x202B: 10,  # ERROR_DS_REFERRAL
    0x202F: 19,  # ERROR_DS_CONSTRAINT_VIOLATION
    0x2030: 32,  # ERROR_DS_NO_SUCH_OBJECT
    0x2032: 34,  # ERROR_DS_INVALID_DN_SYNTAX
    0x2035: 53,  # ERROR_DS_UNWILLING_TO_PERFORM
    0x2071: 68,  # ERROR_DS_OBJ_STRING_NAME_EXISTS
    0x2076: 16,  # ERROR_DS_ATT_IS_NOT_ON_OBJ
    0x2083: 20,  # ERROR_DS_ATT_VAL_ALREADY_EXISTS
    0x2084: 16,  # ERROR_DS_CANT_REM_MISSING_ATT
    0x2085: 16,  # ERROR_DS_CANT_REM_MISSING_ATT_VAL
    0x208D: 32,  # ERROR_DS_OBJ_NOT_FOUND
    0x2098: 50,  # ERROR_DS_INSUFF_ACCESS_RIGHTS
}
"""MS-ERREF 2.2; which of them a modify gives with which result code is in MS-ADTS 3.1.1.5.3 (16 with 0x2085 and
0x2076, 20 with 0x2083)."""

_FIRST_OF_DIRECTORY = 0x2000

_PROBLEM = re.compile(r"[0-9A-F]{8}: .{0,200}?problem ([0-9]{4}) \(", re.DOTALL)
_DIAGNOSTIC = re.compile(r"\b([0-9A-F]{8}): ")
_PRINTED = re.compile(r"\b0x([0-9A-Fa-f]{1,8})\b")


def result_code(text: str, exit_code: int | None = None) -> int | None:
    """The LDAP result code (RFC 4511, appendix A); ``None`` when no number of the text tells it.

    Without one in the text, an exit code that is an error of the directory service decides: ldifde was seen to end with
    8202, 8206 and 8245 for the results 16, 51 and 53 (reports of Exchange's setup, KB 948214).
    """
    for problem in _PROBLEM.findall(text):
        if int(problem) in _PROBLEMS:
            return _PROBLEMS[int(problem)]
    for pattern in (_DIAGNOSTIC, _PRINTED):
        for number in pattern.findall(text):
            if int(number, 16) in _WINDOWS_ERRORS:
                return _WINDOWS_ERRORS[int(number, 16)]
    return _WINDOWS_ERRORS.get(exit_code) if exit_code is not None and exit_code > _FIRST_OF_DIRECTORY else None


def first_failed(text: str, names: Sequence[str], starts: Sequence[int]) -> int | None:
    """Which record of an import failed: its position in ``names``; ``None`` when ldifde did not say.

    ldif.err has the object's name at the end of a line (``Entry DN: CN=...``). The console has the line on which the
    record begins, one of ``starts``, in the line before that with the Windows error code (``Add error on entry
    starting on line 1: ...``). Neither has a language.
    """
    lines = text.splitlines()
    named = [position for position, name in enumerate(names) if any(_ends_with(line, name) for line in lines)]
    if len(named) == 1:
        return named[0]
    for before, line in pairwise(lines):
        if _PRINTED.search(line):
            for number in re.findall(r"[0-9]+", before):
                if int(number) in starts:
                    return starts.index(int(number))
            return None
    return None


def _ends_with(line: str, name: str) -> bool:
    return line.rstrip() == name or line.rstrip().endswith(f" {name}")
