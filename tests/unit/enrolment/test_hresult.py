# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the codes of certreq and certutil mean."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment import hresult
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.hresult import explain, shown

NAMES = {
    0x80094800: "CERTSRV_E_UNSUPPORTED_CERT_TYPE",
    0x80094801: "CERTSRV_E_NO_CERT_TYPE",
    0x80094802: "CERTSRV_E_TEMPLATE_CONFLICT",
    0x80094803: "CERTSRV_E_SUBJECT_ALT_NAME_REQUIRED",
    0x80094004: "CERTSRV_E_PROPERTY_EMPTY",
    0x80094011: "CERTSRV_E_ENROLL_DENIED",
    0x80094012: "CERTSRV_E_TEMPLATE_DENIED",
    0x80094014: "CERTSRV_E_ADMIN_DENIED_REQUEST",
    0x80094809: "CERTSRV_E_SIGNATURE_POLICY_REQUIRED",
    0x8009480A: "CERTSRV_E_SIGNATURE_COUNT",
    0x80094811: "CERTSRV_E_KEY_LENGTH",
    0x80094812: "CERTSRV_E_SUBJECT_EMAIL_REQUIRED",
    0x80070002: "ERROR_FILE_NOT_FOUND",
    0x80070003: "ERROR_PATH_NOT_FOUND",
    0x80070005: "E_ACCESSDENIED",
    0x80070050: "ERROR_FILE_EXISTS",
    0x80070057: "E_INVALIDARG",
    0x80070070: "ERROR_DISK_FULL",
    0x800704DC: "ERROR_NOT_AUTHENTICATED",
    0x800706BA: "RPC_S_SERVER_UNAVAILABLE",
    0x800706BF: "RPC_S_CALL_FAILED_DNE",
    0x80072EE2: "ERROR_WINHTTP_TIMEOUT",
    0x8009000B: "NTE_BAD_KEY_STATE",
    0x80090011: "NTE_NOT_FOUND",
    0x80090013: "NTE_BAD_PROVIDER",
    0x80090016: "NTE_BAD_KEYSET",
    0x80090017: "NTE_PROV_TYPE_NOT_DEF",
    0x80091007: "CRYPT_E_HASH_VALUE",
    0x80092004: "CRYPT_E_NOT_FOUND",
    0x8009310B: "CRYPT_E_ASN1_BADTAG",
    0x800B0101: "CERT_E_EXPIRED",
    0x800B0109: "CERT_E_UNTRUSTEDROOT",
}
"""MS-ERREF 2.1.1 and 2.2; Win32 errors as HRESULTs with facility 7."""


@pytest.mark.parametrize(("code", "name"), NAMES.items())
def test_a_code_is_shown_as_certutil_shows_it(code, name):
    assert shown(code) == f"0x{code:08x} {name}"
    assert shown(code - (1 << 32)) == shown(code)
    assert explain(code - (1 << 32)) == explain(code)


@pytest.mark.parametrize("code", hresult._TABLE)
def test_every_code_is_explained_in_whole_sentences(code):
    for text in explain(code):
        assert text[0].isupper()
        assert text.endswith(".")
        assert "  " not in text
    assert code >> 31 == 1


def test_what_is_unknown_is_not_explained():
    assert explain(0x80041234) == ("", "")
    assert shown(0x80041234) == "0x80041234"
    assert explain(0) == ("", "")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0x80094800, "publish_on"),
        (0x80094012, "Grant Enroll"),
        (0x80094811, "key_length"),
        (0x800706BA, "certsvc"),
        (0x80070005, "admin_force_machine"),
        (0x800704DC, "double hop"),
        (0x80092004, "host that made the request"),
    ],
)
def test_the_remedy_names_what_a_user_can_do(code, words):
    assert words in explain(code)[1]
