# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a domain controller says with a result code other than 0.

The form is a Win32 error in hexadecimal, the kind of error, a DSID that differs with every build, and the problem.
The texts below were published with real ones:

- 16, 20, 32, an unknown attribute: AWS Directory Service, "Schema extension errors" (transcripts of ldifde).
- 16 for an attribute that is absent as a whole: an LDAP client's comment (0x2076, problem 1001).
- 19 for several values at once where one is allowed (MS-ADTS 3.1.1.5.1.1): ldapwiki, LDAP_CONSTRAINT_VIOLATION
  (0x2081, which is ERROR_DS_SINGLE_VALUE_CONSTRAINT). A value added to the one that is there gives 20 with the same
  Win32 error: write-up of an attempt to set msDS-SupersededManagedAccountLink twice; Samba 4.17 also answers 20.
- 21 for a number: write-up of a tool that sets the flags of a template ("Error in attribute conversion operation").
- 50: Microsoft, "Confidential attributes" (transcript of ldifde, 0x2098).
- 68: Microsoft, "Schema update of AD LDS" (transcript of ldifde, 0x2071).
- 1 for the anonymous, 49: many transcripts of ldapsearch and JNDI.

The others (34, 64 to 67, and 19 for an attribute of the system) have the same form; their Win32 errors are those of
MS-ERREF 2.2 for the case, their DSIDs are made up.
"""

from __future__ import annotations

from .model import DirectoryFault

OPERATIONS_ERROR = 1
NO_SUCH_ATTRIBUTE = 16
CONSTRAINT_VIOLATION = 19
ATTRIBUTE_OR_VALUE_EXISTS = 20
INVALID_SYNTAX = 21
NO_SUCH_OBJECT = 32
INVALID_DN_SYNTAX = 34
INVALID_CREDENTIALS = 49
INSUFFICIENT_ACCESS_RIGHTS = 50
NAMING_VIOLATION = 64
OBJECT_CLASS_VIOLATION = 65
NOT_ALLOWED_ON_NON_LEAF = 66
NOT_ALLOWED_ON_RDN = 67
ENTRY_ALREADY_EXISTS = 68

_VERSION = "v4563"
"""Windows Server 2019, 10.0.17763, in hexadecimal."""


def not_bound() -> DirectoryFault:
    """The anonymous caller asks for more than rootDSE."""
    text = "In order to perform this operation a successful bind must be completed on the connection."
    return DirectoryFault(OPERATIONS_ERROR, f"000004DC: LdapErr: DSID-0C090A5C, comment: {text}, data 0, {_VERSION}")


def wrong_password() -> DirectoryFault:
    """The bind failed: 52e is ERROR_LOGON_FAILURE."""
    return DirectoryFault(
        INVALID_CREDENTIALS,
        f"80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 52e, {_VERSION}",
    )


def denied() -> DirectoryFault:
    """The caller may not write."""
    return DirectoryFault(
        INSUFFICIENT_ACCESS_RIGHTS, "00002098: SecErr: DSID-03151656, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0"
    )


def _attribute(code: int, number: str, dsid: str, problem: str, name: str) -> DirectoryFault:
    text = f"{number}: AtrErr: {dsid}, #1:\n\t0: {number}: {dsid}, problem {problem}, data 0, Att 0 ({name})"
    return DirectoryFault(code, text)


def missing_attribute(name: str) -> DirectoryFault:
    """An attribute is to be removed that the object has not."""
    return _attribute(NO_SUCH_ATTRIBUTE, "00002076", "DSID-030F1BC2", "1001 (NO_ATTRIBUTE_OR_VAL)", name)


def missing_value(name: str) -> DirectoryFault:
    """A value is to be removed that the attribute has not."""
    return _attribute(NO_SUCH_ATTRIBUTE, "00002085", "DSID-03152367", "1001 (NO_ATTRIBUTE_OR_VAL)", name)


def present_value(name: str) -> DirectoryFault:
    """A value is to be added that is there already."""
    return _attribute(ATTRIBUTE_OR_VALUE_EXISTS, "00002083", "DSID-03151830", "1006 (ATT_OR_VALUE_EXISTS)", name)


def single_value(name: str) -> DirectoryFault:
    """A value is added to an attribute that takes one and has it."""
    return _attribute(ATTRIBUTE_OR_VALUE_EXISTS, "00002081", "DSID-03151830", "1006 (ATT_OR_VALUE_EXISTS)", name)


def several_values(name: str) -> DirectoryFault:
    """Several values at once for an attribute that takes one."""
    return _attribute(CONSTRAINT_VIOLATION, "00002081", "DSID-031513A5", "1005 (CONSTRAINT_ATT_TYPE)", name)


def unknown_attribute() -> DirectoryFault:
    """The schema has no attribute of this name."""
    text = "comment: Error in attribute conversion operation"
    return DirectoryFault(NO_SUCH_ATTRIBUTE, f"00000057: LdapErr: DSID-0C090D8A, {text}, data 0, {_VERSION}")


def wrong_syntax() -> DirectoryFault:
    """A value that is not of the attribute's syntax."""
    text = "comment: Error in attribute conversion operation"
    return DirectoryFault(INVALID_SYNTAX, f"00000057: LdapErr: DSID-0C090FC7, {text}, data 0, {_VERSION}")


def system_only(name: str) -> DirectoryFault:
    """An attribute that only the directory writes."""
    return _attribute(CONSTRAINT_VIOLATION, "000020B1", "DSID-030F1187", "1005 (CONSTRAINT_ATT_TYPE)", name)


def no_object(best_match: str) -> DirectoryFault:
    """There is no such object, or no parent for a new one."""
    text = "0000208D: NameErr: DSID-03100238, problem 2001 (NO_OBJECT), data 0, best match of:"
    return DirectoryFault(NO_SUCH_OBJECT, f"{text}\n\t'{best_match}'")


def bad_name(dn: str) -> DirectoryFault:
    """A text that is no distinguished name."""
    text = "0000208F: NameErr: DSID-03100225, problem 2006 (BAD_NAME), data 8350, best match of:"
    return DirectoryFault(INVALID_DN_SYNTAX, f"{text}\n\t'{dn}'")


def object_exists() -> DirectoryFault:
    """There is an object of this name."""
    return DirectoryFault(ENTRY_ALREADY_EXISTS, "00002071: UpdErr: DSID-0305030D, problem 6005 (ENTRY_EXISTS), data 0")


def wrong_class() -> DirectoryFault:
    """A new object without a class, or with one that is not known."""
    return DirectoryFault(
        OBJECT_CLASS_VIOLATION, "00002014: UpdErr: DSID-0305020D, problem 6002 (OBJ_CLASS_VIOLATION), data 0"
    )


def has_children() -> DirectoryFault:
    """An object with children cannot be deleted without the tree-delete control."""
    return DirectoryFault(
        NOT_ALLOWED_ON_NON_LEAF, "00002015: UpdErr: DSID-031A121B, problem 6003 (CANT_ON_NON_LEAF), data 0"
    )


def naming_attribute(name: str) -> DirectoryFault:
    """The attribute that names an object is changed by renaming it."""
    return DirectoryFault(
        NOT_ALLOWED_ON_RDN, f"00002016: UpdErr: DSID-031A1261, problem 6004 (CANT_ON_RDN), data 0, Att 3 ({name})"
    )


def wrong_naming_value() -> DirectoryFault:
    """The naming attribute of a new object is given and differs from its name."""
    return DirectoryFault(
        NAMING_VIOLATION, "00002037: NameErr: DSID-0305109C, problem 2005 (NAMING_VIOLATION), data 0, best match of:"
    )
