# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the result codes of LDAP mean for a person who works on certificate templates, whichever way they came."""

from __future__ import annotations

from . import errors

_MEANINGS: dict[int, tuple[str, str]] = {
    errors.OPERATIONS_ERROR: (
        "The directory did not carry out the operation (operationsError, 1); Active Directory gives this to a caller"
        " who has not logged on.",
        "Give an account of the domain.",
    ),
    3: (
        "The directory took too long (timeLimitExceeded, 3).",
        "Try again, or choose another domain controller.",
    ),
    4: (
        "The directory would not give so many objects (sizeLimitExceeded, 4).",
        "Ask for fewer objects, or choose another domain controller.",
    ),
    7: (
        "The directory does not offer this way of logging on (authMethodNotSupported, 7).",
        "Choose the other way of logging on.",
    ),
    errors.STRONGER_AUTH_REQUIRED: (
        "The directory demands a connection that is signed or encrypted (strongerAuthRequired, 8).",
        "Use LDAPS or StartTLS with a simple bind, or Kerberos with sign and seal over plain LDAP.",
    ),
    10: (
        "The directory points to another server (referral, 10): this one does not hold the object, or is a read-only"
        " domain controller (MS-ADTS 3.1.1.5.1.10).",
        "Name a writable domain controller of the forest whose templates are meant.",
    ),
    errors.NO_SUCH_ATTRIBUTE: (
        "A value that was to be replaced is no longer there, or the schema does not know the attribute"
        " (noSuchAttribute, 16): someone changed the object after it was read. This object was not changed.",
        "Run again: the object is read and judged anew.",
    ),
    17: (
        "The schema of the forest does not know the attribute (undefinedAttributeType, 17).",
        "Compare the schema version of the forest with what the template needs.",
    ),
    errors.CONSTRAINT_VIOLATION: (
        "The directory does not accept the value for this attribute (constraintViolation, 19).",
        "Correct the value.",
    ),
    errors.ATTRIBUTE_OR_VALUE_EXISTS: (
        "A value that was to be added is already there (attributeOrValueExists, 20): someone changed the object after"
        " it was read. This object was not changed.",
        "Run again: the object is read and judged anew.",
    ),
    21: (
        "The value does not fit the syntax of the attribute (invalidAttributeSyntax, 21).",
        "Correct the value.",
    ),
    errors.NO_SUCH_OBJECT: (
        "The object is not there (noSuchObject, 32): it was deleted or renamed meanwhile, or the account may not see"
        " it.",
        "Look at the templates of the forest, and run again.",
    ),
    34: (
        "The directory does not take this for a distinguished name (invalidDNSyntax, 34).",
        "Correct the name.",
    ),
    errors.INVALID_CREDENTIALS: (
        "The directory refused the account (invalidCredentials, 49).",
        "Correct the user name and the password.",
    ),
    errors.INSUFFICIENT_ACCESS_RIGHTS: (
        "The account has no right to write this object (insufficientAccessRights, 50). By default Enterprise Admins"
        " and the Domain Admins of the forest's root domain have it.",
        "Use an account that may write certificate templates, or have the right delegated on the object.",
    ),
    51: ("The directory is busy (busy, 51).", "Try again later."),
    52: ("The directory is not available (unavailable, 52).", "Try again later, or choose another domain controller."),
    errors.UNWILLING_TO_PERFORM: (
        "The directory declines the operation (unwillingToPerform, 53), for example because a value is not allowed.",
        "Read the server's own words.",
    ),
    65: (
        "The object would lack an attribute that its class demands, or have one that it forbids"
        " (objectClassViolation, 65).",
        "Correct the attributes.",
    ),
    errors.ENTRY_ALREADY_EXISTS: (
        "An object of this name is already there (entryAlreadyExists, 68).",
        "Choose another name, or look at the object that has it.",
    ),
}


def explain(code: int) -> tuple[str, str]:
    """What a result code of LDAP (RFC 4511, appendix A) means, and the way out; both whole sentences."""
    return _MEANINGS.get(
        code, (f"The directory answered with the LDAP result code {code}.", "Read the server's own words.")
    )
