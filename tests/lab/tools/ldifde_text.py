# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ldifde.exe says, and the numbers it ends with.

English texts of a connection, an export, an import and a refused entry: transcripts in Microsoft's support articles
("Confidential attributes", "Schema update of AD LDS", "Remove a phantom") and AWS Directory Service, "Schema extension
errors", the latter also for a file with a wrong line. German: msxfaq.de, "LDIFDE" (an export). No transcript was found
of an empty or a refused search, other credentials, a refused bind, a wrong argument, a server or file that is not
there, nor of anything else in German: these are in the lab's own English words.

Exit code: the Win32 error that belongs to the LDAP result. Exchange's setup shows it: 8202 (noSuchAttribute, KB
948214), 8206 (busy) and 8245 (unwillingToPerform) stand in its reports beside the text of the result. The codes
of the other results are those of the ADSI LDAP provider ("Win32 error codes for ADSI", KB 232282), unverified for
ldifde; callers should read no more than zero or not.
"""

from __future__ import annotations

_TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "connecting": 'Connecting to "{0}"',
        "current_user": "Logging in as current user using SSPI",
        "given_user": 'Logging in as "{0}" of the domain "{1}" using SSPI',
        "exporting": "Exporting directory to file {0}",
        "searching": "Searching for entries...",
        "writing": "Writing out entries",
        "exported": "{0} entries exported",
        "none": "No Entries found",
        "importing": 'Importing directory from file "{0}"',
        "loading": "Loading entries",
        "modified_one": "1 entry modified successfully.",
        "modified": "{0} entries modified successfully.",
        "completed": "The command has completed successfully",
        "failed": "An error has occurred in the program",
        "add_error": "Add error on entry starting on line {0}: {1}",
        "search_error": "Search error: {0}",
        "bind_error": "The bind failed: {0}",
        "server_error": "The server side error is: {0} {1}",
        "extended_error": "The extended server error is:",
        "syntax": "There is a syntax error in the input file",
        "syntax_line": "Failed on line {0}.  The last token starts with '{1}'.",
        "unreadable": "Unable to read the import file.",
        "no_server": "The server cannot be reached.",
        "no_output": "The output file cannot be written.",
        "bad_argument": "Bad argument: {0}",
    },
    "de": {
        "connecting": 'Verbindung mit "{0}" wird hergestellt.',
        "current_user": "Anmelden als aktueller Benutzer unter Verwendung von SSPI",
        "exporting": "Das Verzeichnis wird in die Datei {0} exportiert.",
        "searching": "Es wird nach Einträgen gesucht...",
        "writing": "Die Einträge werden geschrieben",
        "exported": "{0} Einträge wurden exportiert.",
        "completed": "Der Befehl wurde einwandfrei durchgeführt.",
    },
}

RESULTS = {
    1: ("Operations Error", 8224),
    8: ("Strong Authentication Required", 8232),
    10: ("Referral", 8235),
    16: ("No Such Attribute", 8202),
    19: ("Constraint Violation", 8239),
    20: ("Attribute Or Value Exists", 8205),
    21: ("Invalid Syntax", 8203),
    32: ("No Such Object", 8240),
    34: ("Invalid DN Syntax", 8242),
    49: ("Invalid Credentials", 1326),
    50: ("Insufficient Rights", 5),
    51: ("Busy", 8206),
    53: ("Unwilling To Perform", 8245),
    64: ("Naming Violation", 8247),
    65: ("Object Class Violation", 8212),
    66: ("Not allowed on Non-leaf", 8213),
    67: ("Not allowed on RDN", 8214),
    68: ("Already Exists", 5010),
    87: ("Filter Error", 8254),
}
"""Of an LDAP result code: the text of the Windows LDAP library, and the exit code."""

SERVER_DOWN = 8250
"""ERROR_DS_SERVER_DOWN."""
INVALID_PARAMETER = 87
FILE_NOT_FOUND = 2
PATH_NOT_FOUND = 3
INVALID_DATA = 13
"""Win32 errors; that ldifde ends with these when it stops before any LDAP result is unverified."""

SERVER_ERRORS = {
    0x57: "The parameter is incorrect.",
    0x4DC: "The operation being requested was not performed because the user has not been authenticated.",
    0x200D: "The specified directory service attribute or value already exists.",
    0x2014: "The requested operation did not satisfy one or more constraints associated with the class of the object.",
    0x2015: "The directory service can perform the requested operation only on a leaf object.",
    0x2016: "The directory service cannot perform the requested operation on the RDN attribute of an object.",
    0x202B: "A referral was returned from the server.",
    0x2032: "An invalid dn syntax has been specified.",
    0x2071: "An attempt was made to add an object to the directory with a name that is already in use.",
    0x2076: "The attribute specified in the operation is not present on the object.",
    0x2081: "Multiple values were specified for an attribute that can have only one value.",
    0x2083: "The specified value already exists.",
    0x2085: "The attribute value cannot be removed because it is not present on the object.",
    0x208D: "Directory object not found.",
    0x208F: "The object name has bad syntax.",
    0x2098: "Insufficient access rights to perform the operation.",
    0x20B1: "The attribute cannot be modified because it is owned by the system.",
}
"""Texts of Win32 errors (MS-ERREF 2.2), by which the first number of a server's diagnostic is explained."""

USAGE = """\
ldifde [-i] [-f FileName] [-s ServerName] [-c String1 String2] [-v] [-j Path] [-t PortNumber] [-d BaseDN]
       [-r LDAPFilter] [-p Scope] [-l LDAPAttributeList] [-o LDAPAttributeList] [-g] [-m] [-n] [-k] [-u] [-h] [-y] [-x]
       [-a UserDistinguishedName Password] [-b UserName Domain Password] [-?]"""
"""The synopsis of Microsoft's page on the tool; the tool itself prints a longer help."""


def say(language: str, text: str, *arguments: object) -> str:
    """A text in a language, or in English where no transcript was found."""
    return _TEXTS.get(language, {}).get(text, _TEXTS["en"][text]).format(*arguments)


def result_text(code: int) -> str:
    """The LDAP library's text for a result code."""
    return RESULTS[code][0] if code in RESULTS else f"Error {code}"


def exit_code(code: int) -> int:
    """The exit code for an LDAP result code; 1 where the table has none."""
    return RESULTS[code][1] if code in RESULTS else 1


def server_lines(language: str, diagnostic: str) -> list[str]:
    """The lines that explain a server's diagnostic; without a number in front of it only the diagnostic."""
    if not diagnostic:
        return []
    lines = []
    number = diagnostic.partition(":")[0]
    if len(number) == 8 and all(digit in "0123456789abcdefABCDEF" for digit in number):
        value = int(number, 16)
        lines.append(say(language, "server_error", f"0x{value:x}", SERVER_ERRORS.get(value, "")).rstrip())
    return [*lines, say(language, "extended_error"), *diagnostic.rstrip("\n").split("\n")]
