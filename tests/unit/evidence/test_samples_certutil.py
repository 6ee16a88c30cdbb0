# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published printouts of certutil, each with what a person read in it.

The files are not part of the repository: KEYPROVIDER_SAMPLES names the directory that holds certutil_store and certreq.
"""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.certutil import read_certutil
from unit.evidence.printouts import SCHANNEL
from unit.evidence.published import STORES, Row, csp, ksp

pytestmark = pytest.mark.samples

# File (without ending) -> its certificates.
EXPECTED: dict[str, list[Row]] = {
    **STORES,
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


@pytest.mark.parametrize("name", EXPECTED)
def test_a_printout_says_what_a_person_reads_in_it(name, sample):
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
def test_a_printout_without_certificates_is_one_problem(name, sample):
    reading = read_certutil(sample(name), name)
    assert reading.certificates == ()
    (problem,) = reading.problems
    assert PROBLEMS[name] in problem.message
    assert problem.remedy


def test_every_printout_of_a_store_is_covered(samples):
    files = {f"certutil_store/{path.stem}" for path in (samples / "certutil_store").glob("*.txt")}
    assert files - set(EXPECTED) - set(PROBLEMS) == set()
