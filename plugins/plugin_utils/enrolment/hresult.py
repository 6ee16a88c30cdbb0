# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HRESULTs of certreq and certutil mean for a person who wants a certificate.

Names and values: MS-ERREF 2.1.1 and 2.2, winerror.h. When a CA gives which: MS-WCCE 3.2.2.6.2.1; which were seen with
certreq: measurements of others on Server 2019 to 2025, published sessions. Which were seen with PFX files: published
sessions; imports into the TPM, README and issue 34 of glueckkanja-pki/TPMImport; a file with AES on Server 2016,
issue 27035 of openssl and pull request 582 of ansible.windows; a file that could not be opened, issue 4214 of
wixtoolset.
"""

from __future__ import annotations

from typing import NamedTuple

_PUBLISH = (
    "Publish the template on the CA (winpki.keyprovider.template with publish_on), check its name (the common name,"
    " not the display name), and wait for replication between the domain controllers when it was made just now."
)
_ENROLL = (
    "Grant Enroll and Read on the template to the account that submits; with admin_force_machine that is the computer"
    " account of the host."
)
_REQUEST_CERTIFICATES = (
    "Grant Request Certificates in the security of the CA to the account that submits, and check that the account is"
    " authenticated at the CA."
)
_HOP = (
    "Windows hands the account of a WinRM session on to another computer only with CredSSP or Kerberos delegation (the"
    " double hop): run the task on the CA host itself (delegate_to), connect with CredSSP or delegation, or set"
    " admin_force_machine to submit as the computer account."
)
_CA_SERVICE = (
    "Check that the CA host is up, that its service certsvc runs, that its name resolves, and that RPC (TCP 135 and the"
    " dynamic ports) reaches it from the host of the task."
)
_SIGNED = (
    "The template wants the signature of an enrolment agent: use a template that wants none, since a server certificate"
    " is requested without one."
)
_BUILT_FROM_DIRECTORY = (
    "The template builds names from the directory: set its subject to 'Supply in the request', or complete the account"
    " in the directory."
)
_AGAIN = "Run it again; if it stays so, read the event log of the host."
_NEW_REQUEST = "Make a new request (winpki.keyprovider.certificate_request) and submit that."
_NAMES = "Correct the subject and the alternative names of the request."
_KEY = "Look at the key with winpki.keyprovider.certificate_info, and request a new certificate when it is lost."
_TRUST = "Install the certificates of the CA's chain on the host: the root in Root, the others in CA."
_PROVIDER = "Name a provider that the host has (certutil -csplist), spelled as it is shown there."
_SOFTWARE = (
    "Name a provider that the host has (certutil -csplist) and that keeps RSA keys in software, such as Microsoft RSA"
    " SChannel Cryptographic Provider."
)
_FILE = "Make or obtain the file again, and compare what arrived with what was sent."
_REVOCATION = (
    "Check that the CRLs of the CA's chain are published, not expired, and reachable from the computer that checks;"
    " run certutil -verify -urlfetch on the CA certificate there."
)
_ARCHIVAL = "Use a template without archival of the private key (request handling)."


class _Entry(NamedTuple):
    name: str
    meaning: str
    remedy: str


_TABLE: dict[int, _Entry] = {
    # Win32 errors.
    0x80070002: _Entry("ERROR_FILE_NOT_FOUND", "A file, or a value of the registry, is not there.", _AGAIN),
    0x80070003: _Entry("ERROR_PATH_NOT_FOUND", "A directory is not there.", _AGAIN),
    0x80070005: _Entry(
        "E_ACCESSDENIED",
        "Access was denied: the account may not do this, or did not arrive at the CA as itself.",
        f"On the host itself, use an account that is a local administrator. {_REQUEST_CERTIFICATES} {_HOP}",
    ),
    0x8007000D: _Entry("ERROR_INVALID_DATA", "The data is invalid.", _NEW_REQUEST),
    0x8007000E: _Entry("E_OUTOFMEMORY", "The memory did not suffice.", "Free memory on the host, and run it again."),
    0x80070020: _Entry("ERROR_SHARING_VIOLATION", "Another program holds the file open.", _AGAIN),
    0x80070050: _Entry(
        "ERROR_FILE_EXISTS",
        "A file that was to be written exists already; certreq may give this after the CA has issued.",
        "Look in the CA database whether the request was issued before it is submitted again.",
    ),
    0x80070056: _Entry(
        "ERROR_INVALID_PASSWORD",
        "The password is not that of the file. Windows before Server 2019 also says so of a file with AES.",
        "Correct the password; or give older Windows a file with TripleDES and SHA-1"
        " (winpki.keyprovider.certificate_file_convert).",
    ),
    0x80070057: _Entry(
        "E_INVALIDARG",
        "An argument is wrong.",
        "Check the configuration string of the CA (HOST\\CA name) and the request.",
    ),
    0x80070070: _Entry(
        "ERROR_DISK_FULL", "The disk of the host is full.", "Free space on the host's system drive, and run it again."
    ),
    0x80070103: _Entry(
        "ERROR_NO_MORE_ITEMS",
        "Nothing more was found; certutil gives this where no CA is known.",
        "Name the CA (ca: HOST\\CA name).",
    ),
    0x80070422: _Entry("ERROR_SERVICE_DISABLED", "The service is disabled.", _CA_SERVICE),
    0x80070424: _Entry("ERROR_SERVICE_DOES_NOT_EXIST", "The service is not installed.", _CA_SERVICE),
    0x80070426: _Entry("ERROR_SERVICE_NOT_ACTIVE", "The service has not been started.", _CA_SERVICE),
    0x80070490: _Entry("ERROR_NOT_FOUND", "The element was not found.", _AGAIN),
    0x800704C7: _Entry("ERROR_CANCELLED", "The operation was cancelled.", "Run it again."),
    0x800704DC: _Entry("ERROR_NOT_AUTHENTICATED", "The account arrived without credentials.", _HOP),
    0x8007052E: _Entry("ERROR_LOGON_FAILURE", "The account could not be logged on.", "Correct the account."),
    0x80070525: _Entry(
        "ERROR_NO_SUCH_USER", "The account is not known.", "Use an account of the domain of the CA or one it trusts."
    ),
    0x8007054B: _Entry(
        "ERROR_NO_SUCH_DOMAIN",
        "The domain is not there or could not be reached.",
        "Use an account of the domain, on a member of the domain.",
    ),
    0x800706BA: _Entry("RPC_S_SERVER_UNAVAILABLE", "The CA cannot be reached: no RPC server answers.", _CA_SERVICE),
    0x800706BB: _Entry("RPC_S_SERVER_TOO_BUSY", "The CA is too busy to answer.", "Try again later."),
    0x800706BE: _Entry("RPC_S_CALL_FAILED", "The connection to the CA broke during the call.", _CA_SERVICE),
    0x800706BF: _Entry("RPC_S_CALL_FAILED_DNE", "The call to the CA failed and was not carried out.", _CA_SERVICE),
    0x800706D3: _Entry("RPC_S_UNKNOWN_AUTHN_SERVICE", "The CA does not know this way of logging on.", _HOP),
    0x800706D9: _Entry("EPT_S_NOT_REGISTERED", "The computer answers, but no CA on it.", _CA_SERVICE),
    0x80070721: _Entry("RPC_S_SEC_PKG_ERROR", "The account could not be authenticated at the CA.", _HOP),
    0x80072020: _Entry("ERROR_DS_OPERATIONS_ERROR", "The directory refused a caller who has not logged on.", _HOP),
    0x80072030: _Entry("ERROR_DS_NO_SUCH_OBJECT", "The directory does not have the object.", _PUBLISH),
    0x8007203A: _Entry(
        "ERROR_DS_SERVER_DOWN",
        "No domain controller answers.",
        "Check that the host reaches a domain controller, and run it again.",
    ),
    0x80072098: _Entry("ERROR_DS_INSUFF_ACCESS_RIGHTS", "The directory denied access.", _ENROLL),
    0x80072EE2: _Entry(
        "ERROR_WINHTTP_TIMEOUT",
        "A web server (enrolment web service, CRL or AIA location) did not answer in time.",
        "Check the network and the proxy of the host (netsh winhttp show proxy).",
    ),
    0x80072EE7: _Entry(
        "ERROR_WINHTTP_NAME_NOT_RESOLVED", "The name of a web server does not resolve.", "Check the DNS of the host."
    ),
    0x80072EFD: _Entry(
        "ERROR_WINHTTP_CANNOT_CONNECT",
        "A web server cannot be reached.",
        "Check the network and the proxy of the host (netsh winhttp show proxy).",
    ),
    # COM.
    0x80040154: _Entry("REGDB_E_CLASSNOTREG", "A component of Windows is not registered.", _AGAIN),
    0x80080005: _Entry("CO_E_SERVER_EXEC_FAILURE", "A COM server could not be started.", _CA_SERVICE),
    # Key providers.
    0x80090003: _Entry("NTE_BAD_KEY", "The key is bad.", _NEW_REQUEST),
    0x80090004: _Entry("NTE_BAD_LEN", "The provider does not take a key or a signature of this length.", _SOFTWARE),
    0x80090005: _Entry("NTE_BAD_DATA", "The data is bad: a file is damaged, or not what it should be.", _FILE),
    0x80090006: _Entry("NTE_BAD_SIGNATURE", "The signature is invalid.", _NEW_REQUEST),
    0x80090008: _Entry(
        "NTE_BAD_ALGID",
        "The provider does not know the algorithm.",
        "Choose a hash algorithm that the provider has: SHA-2 needs a provider of type 12 or 24.",
    ),
    0x80090009: _Entry("NTE_BAD_FLAGS", "The provider does not take these flags.", _PROVIDER),
    0x8009000A: _Entry(
        "NTE_BAD_TYPE",
        "The provider does not take this kind of key: so end imports of elliptic curves into the TPM.",
        _SOFTWARE,
    ),
    0x8009000B: _Entry(
        "NTE_BAD_KEY_STATE",
        "The key cannot be used so: it was made or imported as not exportable.",
        "Request a new certificate with an exportable key where the key must be moved.",
    ),
    0x8009000D: _Entry("NTE_NO_KEY", "The key is not there.", _KEY),
    0x8009000F: _Entry("NTE_EXISTS", "A key container of this name exists already.", "Choose another container."),
    0x80090010: _Entry(
        "NTE_PERM", "Access to the key was denied.", "Use an account that is administrator of the host."
    ),
    0x80090011: _Entry("NTE_NOT_FOUND", "The object was not found.", "Check the thumbprint and the store."),
    0x80090013: _Entry("NTE_BAD_PROVIDER", "The provider named is not valid.", _PROVIDER),
    0x80090014: _Entry("NTE_BAD_PROV_TYPE", "The type of the provider is not valid.", _PROVIDER),
    0x80090016: _Entry("NTE_BAD_KEYSET", "The key container is not there, or the account may not open it.", _KEY),
    0x80090017: _Entry(
        "NTE_PROV_TYPE_NOT_DEF",
        "The type of the provider is not defined: provider and template are of different kinds (legacy and CNG).",
        "Make the template one for legacy providers (winpki.keyprovider.template), or name the template only when the"
        " request is submitted.",
    ),
    0x80090019: _Entry("NTE_KEYSET_NOT_DEF", "The provider is not installed on the host.", _PROVIDER),
    0x8009001B: _Entry(
        "NTE_PROV_TYPE_NO_MATCH",
        "The type of the provider is not the one that the host has on record for it.",
        "Compare provider and type with what certutil -csplist shows on the host.",
    ),
    0x8009001D: _Entry("NTE_PROVIDER_DLL_FAIL", "The provider could not be loaded.", _PROVIDER),
    0x80090020: _Entry("NTE_FAIL", "The provider failed internally.", _AGAIN),
    0x80090022: _Entry(
        "NTE_SILENT_CONTEXT",
        "The provider would have to ask somebody at the screen.",
        "Choose a provider that asks nothing, and a template without strong key protection.",
    ),
    0x80090027: _Entry(
        "NTE_INVALID_PARAMETER",
        "The provider does not take a parameter: so end imports into the TPM on older Windows.",
        _SOFTWARE,
    ),
    0x80090028: _Entry(
        "NTE_BUFFER_TOO_SMALL",
        "The buffer supplied to a function was too small: so end programs for legacy providers that meet a CNG key.",
        "Request a certificate whose key lives in a legacy provider.",
    ),
    0x80090029: _Entry(
        "NTE_NOT_SUPPORTED",
        "The provider does not support this: so end imports into the TPM of keys that are to be exportable.",
        _SOFTWARE,
    ),
    # Messages and stores.
    0x80091007: _Entry(
        "CRYPT_E_HASH_VALUE",
        "The hash of a message is not the one it states: the file is damaged.",
        "Obtain the certificate again.",
    ),
    0x80092002: _Entry("CRYPT_E_BAD_ENCODE", "A file is not what it should be, or it is damaged.", _FILE),
    0x80092004: _Entry(
        "CRYPT_E_NOT_FOUND",
        "What was looked for is not there. No pending request on this host has the key, where an answer of a CA was to"
        " be installed; elsewhere a certificate is not there, or its key.",
        "Install an answer on the host that made the request, and with the key that made it. Look at a certificate and"
        " its key with winpki.keyprovider.certificate_info; request a new one when the key is lost.",
    ),
    0x80092009: _Entry("CRYPT_E_NO_MATCH", "Nothing that fits was found.", "Check the thumbprint and the store."),
    0x80092010: _Entry("CRYPT_E_REVOKED", "A certificate is revoked.", _NEW_REQUEST),
    0x80092012: _Entry("CRYPT_E_NO_REVOCATION_CHECK", "Revocation could not be checked.", _REVOCATION),
    0x80092013: _Entry("CRYPT_E_REVOCATION_OFFLINE", "No CRL could be obtained to check revocation.", _REVOCATION),
    0x80092021: _Entry("CRYPT_E_INVALID_PRINTABLE_STRING", "A name holds characters it must not.", _NAMES),
    0x80092022: _Entry("CRYPT_E_INVALID_IA5_STRING", "An alternative name holds characters it must not.", _NAMES),
    0x80092023: _Entry("CRYPT_E_INVALID_X500_STRING", "The subject is no valid X.500 name.", _NAMES),
    0x80093102: _Entry("CRYPT_E_ASN1_EOD", "The request or certificate ends too early.", _NEW_REQUEST),
    0x8009310B: _Entry("CRYPT_E_ASN1_BADTAG", "This is no request or certificate, or it is damaged.", _NEW_REQUEST),
    # The CA.
    0x80094001: _Entry("CERTSRV_E_BAD_REQUESTSUBJECT", "The subject is invalid or too long.", _NAMES),
    0x80094002: _Entry("CERTSRV_E_NO_REQUEST", "The CA has no such request.", "Check request_id and ca."),
    0x80094003: _Entry(
        "CERTSRV_E_BAD_REQUESTSTATUS", "The state of the request does not allow this.", "Look at the request on the CA."
    ),
    0x80094004: _Entry(
        "CERTSRV_E_PROPERTY_EMPTY",
        "The CA has no value for this; certreq -retrieve gives it for a request id that the CA does not know.",
        "Check request_id and ca.",
    ),
    0x80094005: _Entry(
        "CERTSRV_E_INVALID_CA_CERTIFICATE", "The CA's own certificate is invalid.", "Renew the certificate of the CA."
    ),
    0x80094006: _Entry("CERTSRV_E_SERVER_SUSPENDED", "The CA is suspended while it is restored.", "Try again later."),
    0x80094009: _Entry(
        "CERTSRV_E_RESTRICTEDOFFICER",
        "The account may not manage certificates of this requester or template.",
        "Use an account whose restrictions on the CA allow it.",
    ),
    0x8009400A: _Entry("CERTSRV_E_KEY_ARCHIVAL_NOT_CONFIGURED", "The CA does not archive keys.", _ARCHIVAL),
    0x8009400B: _Entry("CERTSRV_E_NO_VALID_KRA", "The CA has no valid key recovery agent.", _ARCHIVAL),
    0x8009400F: _Entry("CERTSRV_E_NO_DB_SESSIONS", "The CA has no database session free.", "Try again later."),
    0x80094011: _Entry(
        "CERTSRV_E_ENROLL_DENIED", "The account may not request certificates from this CA.", _REQUEST_CERTIFICATES
    ),
    0x80094012: _Entry("CERTSRV_E_TEMPLATE_DENIED", "The account has no right to enrol for this template.", _ENROLL),
    0x80094013: _Entry(
        "CERTSRV_E_DOWNLEVEL_DC_SSL_OR_UPGRADE",
        "The CA got no secure connection to a domain controller.",
        "Check the domain controllers that the CA uses.",
    ),
    0x80094014: _Entry(
        "CERTSRV_E_ADMIN_DENIED_REQUEST",
        "A manager of the CA denied the request.",
        "Ask the managers of the CA for the reason; a new run submits the request again.",
    ),
    0x80094015: _Entry("CERTSRV_E_NO_POLICY_SERVER", "No enrolment policy server is known.", "Name the CA (ca)."),
    0x80094016: _Entry(
        "CERTSRV_E_WEAK_SIGNATURE_OR_KEY",
        "The CA refuses the signature or the key as too weak.",
        "Request with key_length 2048 or more and hash_algorithm SHA256.",
    ),
    0x80094017: _Entry(
        "CERTSRV_E_KEY_ATTESTATION_NOT_SUPPORTED",
        "The template wants an attested key, which this request does not have.",
        "Use a template without key attestation: keys of legacy providers cannot be attested.",
    ),
    0x80094800: _Entry(
        "CERTSRV_E_UNSUPPORTED_CERT_TYPE",
        "The CA does not issue this template: it is not published there, does not exist, or the CA cannot read it.",
        _PUBLISH,
    ),
    0x80094801: _Entry(
        "CERTSRV_E_NO_CERT_TYPE",
        "The request names no template, and an enterprise CA issues nothing without one.",
        "Name the template (template), here or in the request.",
    ),
    0x80094802: _Entry(
        "CERTSRV_E_TEMPLATE_CONFLICT",
        "The request itself and its attributes name different templates.",
        "Name the template only once: leave 'template' out when it stands in the request.",
    ),
    0x80094803: _Entry("CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED", "The template wants alternative names.", _NAMES),
    0x80094804: _Entry("CERTSRV_E_ARCHIVED_KEY_REQUIRED", "The template wants the private key.", _ARCHIVAL),
    0x80094805: _Entry("CERTSRV_E_SMIME_REQUIRED", "The template wants S/MIME capabilities.", _NEW_REQUEST),
    0x80094806: _Entry("CERTSRV_E_BAD_RENEWAL_SUBJECT", "The renewal has another subject.", _NEW_REQUEST),
    0x80094807: _Entry(
        "CERTSRV_E_BAD_TEMPLATE_VERSION",
        "The request was made from a newer version of the template than the CA knows.",
        "Wait for replication, or run certutil -pulse on the CA, and run it again.",
    ),
    0x80094808: _Entry("CERTSRV_E_TEMPLATE_POLICY_REQUIRED", "The template wants a policy that is missing.", _SIGNED),
    0x80094809: _Entry("CERTSRV_E_SIGNATURE_POLICY_REQUIRED", "The request lacks an authorized signature.", _SIGNED),
    0x8009480A: _Entry("CERTSRV_E_SIGNATURE_COUNT", "The request lacks a signature that is required.", _SIGNED),
    0x8009480B: _Entry("CERTSRV_E_SIGNATURE_REJECTED", "A signature of the request was rejected.", _SIGNED),
    0x8009480C: _Entry("CERTSRV_E_ISSUANCE_POLICY_REQUIRED", "A signature lacks an issuance policy.", _SIGNED),
    0x8009480D: _Entry("CERTSRV_E_SUBJECT_UPN_REQUIRED", "The account has no UPN.", _BUILT_FROM_DIRECTORY),
    0x8009480E: _Entry("CERTSRV_E_SUBJECT_DIRECTORY_GUID_REQUIRED", "The account has no GUID.", _BUILT_FROM_DIRECTORY),
    0x8009480F: _Entry("CERTSRV_E_SUBJECT_DNS_REQUIRED", "The account has no DNS name.", _BUILT_FROM_DIRECTORY),
    0x80094810: _Entry("CERTSRV_E_ARCHIVED_KEY_UNEXPECTED", "The template takes no private key.", _NEW_REQUEST),
    0x80094811: _Entry(
        "CERTSRV_E_KEY_LENGTH",
        "The key is shorter than the template allows.",
        "Request with a greater key_length, or lower minimum_key_size of the template (winpki.keyprovider.template).",
    ),
    0x80094812: _Entry("CERTSRV_E_SUBJECT_EMAIL_REQUIRED", "The account has no e-mail address.", _BUILT_FROM_DIRECTORY),
    0x80094813: _Entry("CERTSRV_E_UNKNOWN_CERT_TYPE", "The CA's list of templates names unknown ones.", _PUBLISH),
    0x80094814: _Entry("CERTSRV_E_CERT_TYPE_OVERLAP", "Two templates overlap.", "Use another template."),
    0x80094815: _Entry(
        "CERTSRV_E_TOO_MANY_SIGNATURES", "The request has more signatures than the template allows.", _NEW_REQUEST
    ),
    # Trust.
    0x800B0101: _Entry(
        "CERT_E_EXPIRED",
        "A certificate of the chain is expired or not yet valid by the clock of the computer that checks.",
        "Compare the clocks of the host and the CA, and look at the validity of the CA's certificate.",
    ),
    0x800B0109: _Entry("CERT_E_UNTRUSTEDROOT", "The root of the chain is not trusted.", _TRUST),
    0x800B010A: _Entry("CERT_E_CHAINING", "The chain cannot be built to a trusted root.", _TRUST),
    0x800B010C: _Entry("CERT_E_REVOKED", "A certificate of the chain is revoked.", "Use another CA."),
    0x800B010E: _Entry("CERT_E_REVOCATION_FAILURE", "Revocation could not be checked.", _REVOCATION),
    0x800B0112: _Entry("CERT_E_UNTRUSTEDCA", "A CA of the chain is not trusted.", _TRUST),
}


def explain(code: int) -> tuple[str, str]:
    """What an HRESULT means and the way out, both whole sentences; two empty texts when nothing is known of it.

    Args:
        code: the code, signed or unsigned.
    """
    entry = _TABLE.get(code & 0xFFFFFFFF)
    return (entry.meaning, entry.remedy) if entry else ("", "")


def shown(code: int) -> str:
    """An HRESULT as certutil shows it, with its name when it is known: ``0x80094012 CERTSRV_E_TEMPLATE_DENIED``."""
    entry = _TABLE.get(code & 0xFFFFFFFF)
    return f"0x{code & 0xFFFFFFFF:08x}" + (f" {entry.name}" if entry else "")
