# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""HRESULTs as certreq and certutil print them: code, number and name in parentheses, Windows' own text of the error.

Names and texts: winerror.h as Microsoft documents it. Texts stay English on every host: their translations were not
seen. A code of FACILITY_WIN32 shows the number of the Win32 error, a code of ASN.1 its own, all others the signed
decimal (transcripts of both tools).
"""

from __future__ import annotations

INCORRECT_FUNCTION = 0x00000001
FILE_NOT_FOUND = 0x80070002
PATH_NOT_FOUND = 0x80070003
ACCESS_DENIED = 0x80070005
FILE_EXISTS = 0x80070050
INVALID_PASSWORD = 0x80070056
INVALID_PARAMETER = 0x80070057
DISK_FULL = 0x80070070
NO_MORE_ITEMS = 0x80070103
NOT_AUTHENTICATED = 0x800704DC
RPC_S_SERVER_UNAVAILABLE = 0x800706BA
NTE_BAD_LEN = 0x80090004
NTE_BAD_ALGID = 0x80090008
NTE_BAD_KEY_STATE = 0x8009000B
NTE_EXISTS = 0x8009000F
NTE_NOT_FOUND = 0x80090011
NTE_BAD_PROVIDER = 0x80090013
NTE_BAD_KEYSET = 0x80090016
NTE_PROV_TYPE_NOT_DEF = 0x80090017
NTE_PROV_TYPE_NO_MATCH = 0x8009001B
NTE_INVALID_PARAMETER = 0x80090027
NTE_NOT_SUPPORTED = 0x80090029
CRYPT_E_NOT_FOUND = 0x80092004
CRYPT_E_INVALID_X500_STRING = 0x80092023
CRYPT_E_ASN1_BADTAG = 0x8009310B
CERT_E_UNTRUSTEDROOT = 0x800B0109
CERT_E_CHAINING = 0x800B010A
INF_LINE_NOT_FOUND = 0xE0000102

_KNOWN = {
    0x00000001: ("ERROR_INVALID_FUNCTION", "Incorrect function."),
    0x80070002: ("ERROR_FILE_NOT_FOUND", "The system cannot find the file specified."),
    0x80070003: ("ERROR_PATH_NOT_FOUND", "The system cannot find the path specified."),
    0x80070005: ("ERROR_ACCESS_DENIED", "Access is denied."),
    0x8007000D: ("ERROR_INVALID_DATA", "The data is invalid."),
    0x80070050: ("ERROR_FILE_EXISTS", "The file exists."),
    0x80070056: ("ERROR_INVALID_PASSWORD", "The specified network password is not correct."),
    0x80070057: ("ERROR_INVALID_PARAMETER", "The parameter is incorrect."),
    0x80070070: ("ERROR_DISK_FULL", "There is not enough space on the disk."),
    0x80070103: ("ERROR_NO_MORE_ITEMS", "No more data is available."),
    0x800706BA: ("RPC_S_SERVER_UNAVAILABLE", "The RPC server is unavailable."),
    0x800706BF: ("RPC_S_CALL_FAILED_DNE", "The remote procedure call failed and did not execute."),
    0x800704DC: (
        "ERROR_NOT_AUTHENTICATED",
        "The operation being requested was not performed because the user has not been authenticated.",
    ),
    0x80090004: ("NTE_BAD_LEN", "Bad Length."),
    0x80090005: ("NTE_BAD_DATA", "Bad Data."),
    0x80090006: ("NTE_BAD_SIGNATURE", "Invalid Signature."),
    0x80090008: ("NTE_BAD_ALGID", "Invalid algorithm specified."),
    0x80090009: ("NTE_BAD_FLAGS", "Invalid flags specified."),
    0x8009000B: ("NTE_BAD_KEY_STATE", "Key not valid for use in specified state."),
    0x8009000F: ("NTE_EXISTS", "Object already exists."),
    0x80090011: ("NTE_NOT_FOUND", "Object was not found."),
    0x80090013: ("NTE_BAD_PROVIDER", "Invalid provider specified."),
    0x80090014: ("NTE_BAD_PROV_TYPE", "Invalid provider type specified."),
    0x80090016: ("NTE_BAD_KEYSET", "Keyset does not exist"),
    0x80090017: ("NTE_PROV_TYPE_NOT_DEF", "Provider type not defined."),
    0x8009001B: ("NTE_PROV_TYPE_NO_MATCH", "Provider type does not match registered value."),
    0x80090027: ("NTE_INVALID_PARAMETER", "The parameter is incorrect."),
    0x80090029: ("NTE_NOT_SUPPORTED", "The requested operation is not supported."),
    0x80092004: ("CRYPT_E_NOT_FOUND", "Cannot find object or property."),
    0x80092023: (
        "CRYPT_E_INVALID_X500_STRING",
        "The string contains an invalid X500 name attribute key, oid, value or delimiter.",
    ),
    0x8009310B: ("CRYPT_E_ASN1_BADTAG", "ASN1 bad tag value met."),
    0x800B0101: (
        "CERT_E_EXPIRED",
        "A required certificate is not within its validity period when verifying against the current system clock or "
        "the timestamp in the signed file.",
    ),
    0x800B0109: (
        "CERT_E_UNTRUSTEDROOT",
        "A certificate chain processed but terminated in a root certificate which is not trusted by the trust "
        "provider.",
    ),
    0x800B010A: ("CERT_E_CHAINING", "A certificate chain could not be built to a trusted root authority."),
    0x80094001: ("CERTSRV_E_BAD_REQUESTSUBJECT", "The request subject name is invalid or too long."),
    0x80094003: ("CERTSRV_E_BAD_REQUESTSTATUS", "The request's current status does not allow this operation."),
    0x80094004: ("CERTSRV_E_PROPERTY_EMPTY", "The requested property value is empty."),
    0x80094012: (
        "CERTSRV_E_TEMPLATE_DENIED",
        "The permissions on the certificate template do not allow the current user to enroll for this type of "
        "certificate.",
    ),
    0x80094014: (
        "CERTSRV_E_ADMIN_DENIED_REQUEST",
        "The request was denied by a certificate manager or CA administrator.",
    ),
    0x80094800: (
        "CERTSRV_E_UNSUPPORTED_CERT_TYPE",
        "The requested certificate template is not supported by this CA.",
    ),
    0x80094801: ("CERTSRV_E_NO_CERT_TYPE", "The request contains no certificate template information."),
    0x80094802: (
        "CERTSRV_E_TEMPLATE_CONFLICT",
        "The request contains conflicting certificate template information.",
    ),
    0x80094807: (
        "CERTSRV_E_BAD_TEMPLATE_VERSION",
        "The request was made for a certificate template version that is not supported by this CA.",
    ),
    0x80094811: (
        "CERTSRV_E_KEY_LENGTH",
        "The public key does not meet the minimum size required by the specified certificate template.",
    ),
    0xE0000000: ("", "Expected INF file section name"),
    0xE0000001: ("", "Invalid INF file section name line"),
    0xE0000003: ("", "INF file syntax error"),
    0xE0000102: ("", "INF file line not found"),
}


def meaning(code: int) -> str:
    """The text of a code.

    Raises:
        KeyError: the lab does not have it.
    """
    return _KNOWN[code & 0xFFFFFFFF][1]


def shown(code: int) -> str:
    """``0x80090013 (-2146893805 NTE_BAD_PROVIDER)``.

    Raises:
        KeyError: the lab does not have the code.
    """
    code &= 0xFFFFFFFF
    name = _KNOWN[code][0]
    facility, number = code >> 16 & 0x1FFF, code & 0xFFFF
    if code < 0x10000:
        return f"0x{code:x} (WIN32: {code})"
    if code >> 28 == 0xE:
        return f"0x{code:08x} (INF: {code - (1 << 32)})"
    if facility == 7:
        return f"0x{code:08x} (WIN32: {number} {name})"
    if name.startswith("CRYPT_E_ASN1_"):
        return f"0x{code:08x} (ASN: {number - 0x3000} {name})"
    return f"0x{code:08x} ({code - (1 << 32)} {name})"


def signed(code: int) -> int:
    """A code as a process returns it."""
    code &= 0xFFFFFFFF
    return code - (1 << 32) if code & 0x80000000 else code
