# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published printouts of certutil, each with what a person read in it.

The files are not part of the repository: KEYPROVIDER_SAMPLES names the directory that holds certutil_store and certreq.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.ca_view import ENROLMENT_ONLY, read_ca_view
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.certutil import read_certutil

pytestmark = pytest.mark.samples

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
STRONG = "Microsoft Strong Cryptographic Provider"
ENHANCED = "Microsoft Enhanced Cryptographic Provider v1.0"
SMART_CARD = "Microsoft Base Smart Card Crypto Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
SMART_CARD_KSP = "Microsoft Smart Card Key Storage Provider"
LAB = "_f0a99c17-76d3-498a-97de-2992c06105fd"
LAB_CA = "CN=CVI Issuing CA 1, DC=corp, DC=cvilab, DC=local"
LAB_ROOT = "CN=CVI Root CA, DC=corp, DC=cvilab, DC=local"
LAB_CA_SHA1 = "5137A597DE2C3085EC5816C7F11EDC18CFCDBAF8"
LAB_CA_SERIAL = "5800000002f7714edc7f317c46000000000002"


def csp(provider: str, **more: Any) -> dict[str, Any]:
    return {"kind": "csp", "provider": provider, **more}


def ksp(provider: str = SOFTWARE_KSP, **more: Any) -> dict[str, Any]:
    return {"kind": "ksp", "provider": provider, **more}


# File (without ending) -> for each certificate: thumbprint, serial number, subject, key, and more fields to compare.
EXPECTED: dict[str, list[tuple[str | None, str | None, str | None, dict[str, Any], dict[str, Any]]]] = {
    "certutil_store/01_en_ws2019_missing_keyset_archived_nonadmin_winrm": [
        (
            "82AD1E0C20A332C8D6ADAC3E5EA243204B85D3A7",
            "472cb6148184a9894f6d4d2587b1b165",
            "CN=certificate-DC01-CA, DC=certificate, DC=htb",
            ksp(container="certificate-DC01-CA", present=None, exportable=None),
            {"archived": True, "template": None, "note": "Missing stored keyset"},
        ),
        (
            "779A97B1D8E492B5BAFEBC02338845FFDFF76AD2",
            "5800000002ca70ea4e42f218a6000000000002",
            "CN=DC01.certificate.htb",
            csp(
                SCHANNEL,
                container=None,
                unique_container="46f11b4056ad38609b08d1dea6880023_7989b711-2e3f-4107-9aae-fb8df2e3b958",
                present=None,
                exportable=None,
            ),
            {
                "archived": False,
                "template": ("DomainController", "Domain Controller"),
                "note": "Missing stored keyset",
                "issuer": "CN=Certificate-LTD-CA, DC=certificate, DC=htb",
            },
        ),
    ],
    "certutil_store/03_en_azurevm_enhanced_csp_with_unique_container_name": [
        (
            "E6CC21E72B8357BD5A0990DB7DED3421F3F8B9AA",
            "40d7e4a080d857b7418f88e767a9c405",
            "DC=Windows Azure CRP Certificate Generator",
            csp(
                ENHANCED,
                container="{BCFFCA5D-B870-4CC2-A8E9-10A641CA58D0}",
                unique_container="8e5a57f198ccf38cb4e07149dcca663d_55a42ce9-5197-498f-a203-54bfba68824d",
                exportable=False,
                present=True,
            ),
            {"archived": False, "template": None, "place": "line 4"},
        )
    ],
    "certutil_store/04_en_user_store_csp_and_cng_mixed": [
        (
            "A50337AB015D5612B7DC4C1E759D201E74CC2A93",
            "32000000265259d0069fa6f205000000000026",
            "E=winfed@deverett.info, CN=WinFed, OU=Users, OU=Corp, DC=corp, DC=deverett, DC=info",
            csp(
                ENHANCED,
                container="te-User-c7bcc4bd-0498-4411-af44-da2257f54387",
                unique_container="a890fd7fbbfc072f8fe045e680c501cf_5834bfa9-1c4a-44a8-a128-c2267f712336",
                exportable=True,
                present=True,
            ),
            {"template": ("User", None)},
        ),
        (
            "37378A1B06DCEF1B4D4753F7D21E4F20B18FBFEC",
            "367fbdd7e6e4103dec9b91f93959ac56",
            "CN=WinFed@deverett.info",
            ksp(
                container="31685cae-af6f-48fb-ac37-845c69b4c097",
                unique_container="bf4097e20d4480b8d6ebc139c9360f02_5834bfa9-1c4a-44a8-a128-c2267f712336",
                exportable=False,
                present=True,
            ),
            {"template": None},
        ),
    ],
    "certutil_store/06_en_v_cng_ca_key_keyspec2": [
        (
            None,
            None,
            None,
            ksp(
                provider_type=0,
                key_spec=2,
                flags=0x20,
                container="Contoso CA",
                unique_container="944d5680c0c53e2295b1cb4f50ba2b71_6e4d3030-8aae-40f0-9282-d69ccdd4ff34",
            ),
            {"note": "does not say which certificate"},
        )
    ],
    "certutil_store/07_en_v_thirdparty_ksp_ncipher_win8era": [
        (
            "37ED7C3EEE76A2D0423AE31A169F74D03C7F342C",
            None,
            None,
            ksp(
                "nCipher Security World Key Storage Provider",
                provider_type=0,
                key_spec=0,
                flags=0x20,
                container="PKContainer",
                unique_container=None,
                exportable=False,
                present=True,
            ),
            {},
        )
    ],
    "certutil_store/09_en_v_user_cng_software_ksp": [
        (
            "1ABB2AD73583007E9DE803291960146D94AD9A52",
            None,
            None,
            ksp(
                provider_type=0,
                key_spec=0,
                flags=0,
                container="te-0125d557-d02e-41dc-8476-36f189060ce9",
                unique_container="b59b1bf435f36edf92e0609b0f6826a0_a1b49e9a-fc4c-4d42-a1f8-12bc38b17eb7",
            ),
            {"friendly_name": "CustomRoot"},
        )
    ],
    "certutil_store/11_en_smartcard_csp_wrapped_template_oid": [
        (
            "B4B8D389B4673890824D33D4EAFD48D70F2E0DD8",
            "000abcf000000000000f",
            "CN=Toto",
            csp(SMART_CARD, container="15bd7cfb-834d-4fc7-1ab00abc49c6ec3", exportable=False, present=True),
            {
                "oid": "1.3.6.1.4.1.311.21.8.1276197.7416986.11292289.4105614.6793517.173.6633251.14043945",
                "issuer": "CN=Foo, DC=Bar, DC=Baz",
            },
        )
    ],
    # The card's key under the CSP, where it works, and under the KSP, where it could not be opened.
    "certutil_store/15_en_scinfo_smartcard": [
        (
            None,
            None,
            None,
            csp(
                SMART_CARD,
                provider_type=1,
                key_spec=2,
                flags=1,
                container="CFC2BAB12D160BF78F203DDC1E78D95A7E7D644",
                present=True,
                exportable=None,
            ),
            {"note": "does not say which certificate", "place": "line 2"},
        ),
        (None, None, None, ksp(SMART_CARD_KSP, present=None), {"place": "line 15"}),
    ],
    "certutil_store/16_en_pfx_dump_enhanced_csp_rsa_unknown": [
        (
            "E381D47ADD695BE611BCBA60A8ABD9B8A6517DF5",
            "1e0000000ade3ece4cab59050800000000000a",
            "CN=Ryan.Cooper, CN=Users, DC=sequel, DC=htb",
            csp(ENHANCED, container=None, present=True, exportable=True),
            {"template": ("UserAuthentication", None)},
        )
    ],
    "certutil_store/17_en_pfx_dump_strong_csp": [
        (
            "E3EB7B7CC1E2B601486BF8A733887A54CDAB8ED6",
            "7b4a0e2af6f40eae4d91b3b7ff05a4ce",
            "CN=iothubx509device1, O=TEST, C=US",
            csp(STRONG, container=None, present=True),
            {"template": None, "place": "line 3"},
        )
    ],
    "certutil_store/18_de_cng_store_fixture": [
        (
            "AABBCCDDEEFF00112233445566778899AABBCCDD",
            "1a2b3c4d5e",
            "CN=www.example.com",
            ksp(
                container="tokentimer-job-1-abcd1234",
                unique_container="a11a37ef57bb64c3f31f8f99421d1550_e64079bf-f1d8-450e-ba59-2f4d921306df",
                exportable=False,
                present=True,
            ),
            {"template": ("TTWebServer", None), "issuer": "CN=Test Root CA"},
        )
    ],
    "certutil_store/22_zh_pfx_dump_cng_fragments": [
        (
            "3C34E356C7FC17F5ACF04824BC587C6C623951A2",
            "6c8f1dc727c7117f7baf853ac980f9cd",
            "CN=ISRG Root X2, O=Internet Security Research Group, C=US",
            {"kind": "unrecorded", "provider": None},
            {"issuer": "CN=ISRG Root X1, O=Internet Security Research Group, C=US", "template": None},
        ),
        (
            "EFBA8A811B958121514C9700400E06451AFF3517",
            "0000",
            "CN=*.lanxun.pro",
            ksp(exportable=True, present=None, container=None),
            {"issuer": "CN=YE1, O=Let's Encrypt, C=US"},
        ),
    ],
    "certutil_store/25_en_pfx_dump_dotnet_devcert": [
        (
            "15E7C744FA1C8A17EECCFC51D30624D8AFA0934E",
            "63284dd039e22cc1",
            "CN=localhost",
            ksp(exportable=True, present=True),
            {"template": None},
        )
    ],
    "certutil_store/30_en_ws2022_schannel_machine_notexportable": [
        (
            "E0046EA8C9D051F976C47FF60246CF3F488AD4F8",
            "44000000030d20ca71500ba5c4000000000003",
            "CN=PKI-SRV01.corp.cvilab.local",
            csp(
                SCHANNEL,
                container="te-CVI-WebServer-f00259a7-e599-4167-965d-0298e0b61c88",
                unique_container="a547eac941e3a6e7ae8e70257435eee5" + LAB,
                exportable=False,
                present=True,
            ),
            {"template": ("CVI-WebServer", None), "issuer": LAB_CA, "archived": False, "place": "line 3"},
        )
    ],
    "certutil_store/31_en_ws2022_enhanced_csp_two_certs_one_exportable": [
        (
            "B5DDA40E3B765BDEDF01097556F48D3B8A68A194",
            "4400000007863dfe0d5e577c07000000000007",
            "CN=PKI Admin, OU=PKI Admins, DC=corp, DC=cvilab, DC=local",
            csp(ENHANCED, exportable=False, present=True),
            {"template": ("CVI-CodeSigning", "CVI Code Signing")},
        ),
        (
            "43A58496D237B3E0E1E463172F4D64E87B59DAD7",
            "44000000037e0d3eab46eb59db000000000003",
            "CN=PKI Admin, OU=PKI Admins, DC=corp, DC=cvilab, DC=local",
            csp(ENHANCED, container="te-User-0455faea-aad8-4f05-9ff5-04eb4c136e90", exportable=True, present=True),
            {"template": ("User", None)},
        ),
    ],
    "certutil_store/32_en_ws2022_serviceaccount_enhanced_csp_exportable": [
        (
            "7BFF83B595815DD3EC80E4E658B4B73CB67A7E1E",
            "440000000911304cdb8a83f133000000000009",
            "CN=Svc Autoenroll, OU=Service Accounts, DC=corp, DC=cvilab, DC=local",
            csp(ENHANCED, exportable=True, present=True),
            {"template": ("CVI-ServiceAccount", "CVI Service Account")},
        )
    ],
    "certutil_store/33_en_ws2022_codesigning_user_store": [
        (
            "7FA17DBE13F3C0F3FF3E60AF8528C4EDB48D96CE",
            "4400000005b4922c2e24e100eb000000000005",
            "CN=PKI Admin",
            csp(ENHANCED, exportable=False, present=True),
            {"template": ("CVICodeSigning", "CVI Code Signing")},
        ),
        (
            "4F2AA3DF007C2193E719A7BFE75CF98523636D54",
            "4400000004b742b5daba3d4deb000000000004",
            "CN=PKI Admin",
            csp(ENHANCED, exportable=True, present=True),
            {"oid": "1.3.6.1.4.1.311.21.8.15886664.4298044.8996776.14853544.7902291.169.5191136.12906913"},
        ),
    ],
    "certutil_store/34_en_ws2022_ocsp_signing_cng_machine": [
        (
            "23F6CB9AD02185A3C33F3A7B1B2EF71622150FCB",
            "440000000ba5579effd72b412500000000000b",
            "CN=PKI-SRV01.corp.cvilab.local",
            ksp(
                container="te-OCSPResponseSigning-151f19a3-0da7-46cb-b941-68950767d92e",
                unique_container="afc01196953219ab9274d1ddfb19d695" + LAB,
                exportable=False,
                present=True,
            ),
            {"template": ("OCSPResponseSigning", "OCSP Response Signing")},
        )
    ],
    "certutil_store/35_en_ws2022_ca_store_no_key_provider_info": [
        (
            LAB_CA_SHA1,
            LAB_CA_SERIAL,
            LAB_CA,
            {"kind": "unrecorded", "provider": None, "present": None},
            {"template": ("SubCA", "Subordinate Certification Authority"), "issuer": LAB_ROOT},
        )
    ],
    "certutil_store/36_en_ws2022_root_store": [
        (
            "B805E6AB548F6E7C57D3989F61DE7FE6A51031D1",
            "26373e51a6ab669340c47caef2232ce1",
            LAB_ROOT,
            {"kind": "unrecorded", "provider": None, "present": None},
            {"template": None, "issuer": LAB_ROOT},
        )
    ],
    "certutil_store/37_en_ws2022_p12_dump_cng_ca_key": [
        (
            LAB_CA_SHA1,
            LAB_CA_SERIAL,
            LAB_CA,
            ksp(exportable=True, present=True),
            {"template": ("SubCA", "Subordinate Certification Authority")},
        ),
        (
            "B805E6AB548F6E7C57D3989F61DE7FE6A51031D1",
            "26373e51a6ab669340c47caef2232ce1",
            LAB_ROOT,
            {"kind": "unrecorded", "provider": None},
            {"template": None},
        ),
    ],
    "certutil_store/39_en_ws2022_TRANSCRIBED_ca_cng_and_schannel": [
        (
            LAB_CA_SHA1,
            LAB_CA_SERIAL,
            LAB_CA,
            ksp(container="CVI Issuing CA 1", unique_container="b52f658bb3f263e6f529f3a0187c63bc" + LAB, present=True),
            {"template": ("SubCA", "Subordinate Certification Authority")},
        ),
        (
            None,
            "440000000a0d2ff137199552aa00000000000a",
            "CN=CVI-WebServer",
            csp(
                SCHANNEL,
                container="te-CVI-WebServer-70056b4a-5fd1-4994-977c-bb8fe0ba5d78",
                unique_container="a330acdeaad10128a9b113d1e949ce6a" + LAB,
                exportable=False,
                present=True,
            ),
            {"template": ("CVI-WebServer", None), "note": "40 hexadecimal digits"},
        ),
    ],
    # Says that no provider is recorded, and names one in which a matching key was found.
    "certutil_store/40_en_TRANSCRIBED_missing_key_association_property": [
        (
            LAB_CA_SHA1,
            LAB_CA_SERIAL,
            LAB_CA,
            {"kind": "ambiguous", "provider": None, "present": True, "candidate": SOFTWARE_KSP},
            {"template": ("SubCA", "Subordinate Certification Authority"), "note": "records no key provider"},
        )
    ],
    "certreq/32_exportpfx_ok_schannel_force_ncrypt": [
        (
            "13130C25703D1CE0C0BE731A53A1769002295015",
            "5d0000000d7398e1869fbe277b00000000000d",
            "CN=fakeuser",
            csp(
                SCHANNEL,
                key_spec=1,
                container="tq-TBFCWebServer-ad55562d-8bba-462e-9503-f08d35cfd69f",
                exportable=True,
                present=True,
            ),
            {"template": ("TBFCWebServer", "TBFC Web Server")},
        )
    ],
    "certreq/33_importpfx_csp_exportpfx_repairstore_thirdparty_ksp": [
        (
            None,
            None,
            None,
            ksp(
                "Securosys Primus HSM Key Storage Provider",
                container="myDemoCA-5727d8fe-7fce-4c02-9af0-7d0b4de67a2f",
                exportable=True,
                present=True,
            ),
            {},
        ),
        (
            None,
            None,
            None,
            ksp(
                "Securosys Primus HSM Key Storage Provider",
                container="myDemoCA",
                key_spec=0,
                exportable=None,
                present=True,
            ),
            {},
        ),
    ],
    "certreq/35_repairstore_cloudhsm_linebreaks_lost": [
        (
            None,
            None,
            None,
            ksp(
                "Cavium Key Storage Provider",
                container="CertReq-39c04db0-6aa9-4310-93db-db0d9669f42c",
                exportable=False,
                present=True,
            ),
            {},
        )
    ],
}

# File -> what the only problem says.
PROBLEMS: dict[str, str] = {
    "certutil_store/14_en_not_found_and_delstore_nothing_deleted": "0x80090011",
    "certutil_store/20_es_fragments": "neither which certificate it is about nor a key provider",
    "certutil_store/23_ru_fragments": "neither which certificate it is about nor a key provider",
    "certutil_store/24_en_vsm_isolated_key_tail": "certutil -key",
    "certutil_store/38_en_viewstore_file_not_found": "0x80070002",
    "certreq/38_fr_dump_pkcs10_schannel_csr": "certificate request",
    "certreq/20_ping_ok": "certutil -ping",
    "certreq/28_csplist": "certutil -csplist",
    "certreq/41_template_v_ws2022_crypto_providers": "certutil -template",
    "certreq/49_verify_valid_ws2022": "certutil -verify",
    "certreq/23_no_local_ca": "No local Certification Authority",
}


def sample(name: str) -> bytes:
    directory = os.environ.get("KEYPROVIDER_SAMPLES")
    if not directory:
        pytest.skip("KEYPROVIDER_SAMPLES does not name the directory of the samples")
    return (Path(directory) / f"{name}.txt").read_bytes()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_printout_says_what_a_person_reads_in_it(name):
    reading = read_certutil(sample(name), name)
    assert reading.problems == ()
    assert len(reading.certificates) == len(EXPECTED[name])
    for found, (thumbprint, serial_number, subject, key, more) in zip(reading, EXPECTED[name], strict=True):
        assert (found.thumbprint, found.serial_number, found.subject) == (thumbprint, serial_number, subject)
        expected = dict(key)
        candidate = expected.pop("candidate", None)
        assert {field: getattr(found.key, field) for field in expected} == expected
        if candidate:
            assert candidate in [other.provider for other in found.key.candidates]
        template = found.template
        if "template" in more:
            assert (template and (template.name, template.display_name)) == more["template"]
        if "oid" in more:
            assert template is not None
            assert (template.oid, template.name) == (more["oid"], None)
        for field in ("archived", "issuer", "friendly_name"):
            if field in more:
                assert getattr(found, field) == more[field]
        if "place" in more:
            assert found.source.place == more["place"]
        assert bool(found.notes) == ("note" in more) or (thumbprint or serial_number) is None
        assert any(more.get("note", "") in note for note in (*found.notes, ""))


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_printout_without_certificates_is_one_problem(name):
    reading = read_certutil(sample(name), name)
    assert reading.certificates == ()
    (problem,) = reading.problems
    assert PROBLEMS[name] in problem.message
    assert problem.remedy


def test_every_printout_of_a_store_is_covered():
    directory = os.environ.get("KEYPROVIDER_SAMPLES")
    if not directory:
        pytest.skip("KEYPROVIDER_SAMPLES does not name the directory of the samples")
    files = {f"certutil_store/{path.stem}" for path in (Path(directory) / "certutil_store").glob("*.txt")}
    assert files - set(EXPECTED) - set(PROBLEMS) == set()


OID = "1.3.6.1.4.1.311.21.8.15886664.4298044.8996776.14853544.7902291.169"

# Request id, thumbprint, serial number, provider, key specification, template (OID without its root, display name).
ROWS = [
    row.split(";")
    for row in (
        f"4;4F2AA3DF007C2193E719A7BFE75CF98523636D54;4400000004b742b5daba3d4deb000000000004;{ENHANCED};1;5191136.12906913;",
        f"5;7FA17DBE13F3C0F3FF3E60AF8528C4EDB48D96CE;4400000005b4922c2e24e100eb000000000005;{ENHANCED};2;7887297.16107480;"
        "CVI Code Signing",
        f"6;9BC01368C2627526BBA49F2169509598075AF76A;4400000006ef8822623405f57a000000000006;{ENHANCED};1;5191136.12906913;",
        f"7;25D01594A2BC5BC3CED2D1259923A420EEA76E4A;44000000077b992849f1d2f20e000000000007;{ENHANCED};1;5191136.12906913;",
        f"14;AC13703970997B7325D96FDA865DDD9C987C69A0;440000000ef02bb109f34551ad00000000000e;{SCHANNEL};1;13096150.8214139;"
        "CVI-WebServer",
        f"19;631A3D3AB79EAD1E2908024B11ACC235B32C5E34;44000000130e1e92ae5f7a0764000000000013;{ENHANCED};2;6277873.9755026;",
    )
]


def test_whole_rows_of_a_ca_database_tell_the_provider_at_enrolment():
    reading = read_ca_view(sample("certreq/48_view_full_rows_with_RequestCSPProvider_ws2022"), "ca.txt")
    assert reading.problems == ()
    assert reading.requests == ()
    found = []
    for certificate in reading:
        assert certificate.enrolment is not None
        assert certificate.template is not None
        assert (certificate.enrolment.disposition, certificate.enrolment.os_version) == (21, "10.0.20348.2")
        assert certificate.key.kind == "csp"
        assert certificate.notes == (ENROLMENT_ONLY,)
        assert certificate.details is not None
        template = certificate.template
        fields = (
            certificate.enrolment.request_id,
            certificate.thumbprint,
            certificate.serial_number,
            certificate.key.provider,
            certificate.key.key_spec,
            (template.oid or "").removeprefix(OID + "."),
            template.display_name or "",
        )
        found.append([str(field) for field in fields])
    assert found == ROWS
    assert [certificate.source.place for certificate in reading] == [f"row {number}" for number in range(1, 7)]


def test_selected_columns_of_a_ca_database_name_no_provider():
    reading = read_ca_view(sample("certreq/46_view_restrict_out_columns_ws2022"), "ca.txt")
    assert reading.problems == ()
    assert [
        (found.enrolment and found.enrolment.request_id, found.subject, found.template and found.template.display_name)
        for found in reading
    ] == [
        (11, "CN=PKI-SRV01.corp.cvilab.local", "OCSP Response Signing"),
        (12, "CN=PKI-SRV01.corp.cvilab.local", "OCSP Response Signing"),
        (13, "CN=PKI-SRV01.corp.cvilab.local", "OCSP Response Signing"),
        (17, "CN=CVI Issuing CA 1-Xchg", None),
    ]
    last = reading.certificates[-1]
    assert last.template is not None
    assert (last.template.name, last.template.oid) == ("CAExchange", None)
    assert last.enrolment is not None
    assert last.enrolment.requester == "CORP\\PKI-SRV01$"
    assert {found.key.kind for found in reading} == {"unrecorded"}


def test_rows_without_request_id_are_read_by_their_templates():
    reading = read_ca_view(sample("certreq/47_view_templates_ws2022"), "ca.txt")
    assert reading.problems == ()
    assert [found.template and (found.template.oid, found.template.display_name) for found in reading] == [
        (f"{OID}.13096150.8214139", "CVI-WebServer"),
        (f"{OID}.16756659.8111121", "CVI Service Account"),
        *[(f"{OID}.1.32", "OCSP Response Signing")] * 3,
        *[(f"{OID}.13096150.8214139", "CVI-WebServer")] * 3,
    ]
    assert {found.enrolment for found in reading} == {None}
