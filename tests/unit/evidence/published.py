# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person read in published printouts of certutil about stores, keys and PFX files.

The printouts themselves are not part of the repository.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from unit.evidence.printouts import SCHANNEL, SMART_CARD_CSP, SOFTWARE_KSP, STRONG

ENHANCED = "Microsoft Enhanced Cryptographic Provider v1.0"
SMART_CARD_KSP = "Microsoft Smart Card Key Storage Provider"
LAB = "_f0a99c17-76d3-498a-97de-2992c06105fd"
LAB_CA = "CN=CVI Issuing CA 1, DC=corp, DC=cvilab, DC=local"
LAB_ROOT = "CN=CVI Root CA, DC=corp, DC=cvilab, DC=local"
LAB_CA_SHA1 = "5137A597DE2C3085EC5816C7F11EDC18CFCDBAF8"
LAB_CA_SERIAL = "5800000002f7714edc7f317c46000000000002"

# Of each certificate: thumbprint, serial number, subject, key, and more fields to compare.
Row: TypeAlias = tuple[str | None, str | None, str | None, dict[str, Any], dict[str, Any]]


def csp(provider: str, **more: Any) -> dict[str, Any]:
    return {"kind": "csp", "provider": provider, **more}


def ksp(provider: str = SOFTWARE_KSP, **more: Any) -> dict[str, Any]:
    return {"kind": "ksp", "provider": provider, **more}


# File (without ending) -> its certificates.
STORES: dict[str, list[Row]] = {
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
            csp(SMART_CARD_CSP, container="15bd7cfb-834d-4fc7-1ab00abc49c6ec3", exportable=False, present=True),
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
                SMART_CARD_CSP,
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
}
