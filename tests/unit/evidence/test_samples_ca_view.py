# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published views of CA databases, each with what a person read in it.

The files are not part of the repository: KEYPROVIDER_SAMPLES names the directory that holds certreq.
"""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.ca_view import ENROLMENT_ONLY, read_ca_view
from unit.evidence.printouts import SCHANNEL
from unit.evidence.published import ENHANCED

pytestmark = pytest.mark.samples

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


def test_whole_rows_of_a_ca_database_tell_the_provider_at_enrolment(sample):
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


def test_selected_columns_of_a_ca_database_name_no_provider(sample):
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


def test_rows_without_request_id_are_read_by_their_templates(sample):
    reading = read_ca_view(sample("certreq/47_view_templates_ws2022"), "ca.txt")
    assert reading.problems == ()
    assert [found.template and (found.template.oid, found.template.display_name) for found in reading] == [
        (f"{OID}.13096150.8214139", "CVI-WebServer"),
        (f"{OID}.16756659.8111121", "CVI Service Account"),
        *[(f"{OID}.1.32", "OCSP Response Signing")] * 3,
        *[(f"{OID}.13096150.8214139", "CVI-WebServer")] * 3,
    ]
    assert {found.enrolment for found in reading} == {None}
