# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real output of certreq and certutil, requests and stores, against what enrolment and the lab make of the like.

Lines are compared as they stand, with their values masked: numbers, names, times. Codes and their texts are values
that the lab must have right, so that they stay.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.errors import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.hresult import explain, shown
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.keys import public_key_of
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.requested import only_request, request_pem
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.armour import unwrap
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lab import pki
from lab.formats import request as requests
from lab.runtime import Lab
from lab.scenario import parse
from lab.tools import Call, Result, certreq_call, find_tool, hresult
from lab.wire.host import NetworkLogon

pytestmark = [
    pytest.mark.samples,
    pytest.mark.skipif(
        not os.environ.get("KEYPROVIDER_SAMPLES"), reason="KEYPROVIDER_SAMPLES does not name the corpus"
    ),
]

SAMPLES = Path(os.environ.get("KEYPROVIDER_SAMPLES") or "samples-not-named")
REQUESTS = sorted((SAMPLES / "csr").glob("*.txt"))
STORED = sorted((SAMPLES / "certstore/winlike").glob("*.bin"))
TRANSCRIPTS = sorted((SAMPLES / "certreq").glob("*.txt"))

CA = "Contoso Issuing CA 1"
CONFIG = f"ca01.contoso.example\\{CA}"
INF, REQ, CER = (f"C:\\Windows\\Temp\\web.{ending}" for ending in ("inf", "req", "cer"))
POLICY = """[NewRequest]
Subject = "CN=pool01.contoso.example"
MachineKeySet = TRUE
ProviderName = "Microsoft RSA SChannel Cryptographic Provider"
[RequestAttributes]
CertificateTemplate = Web
"""
ENCODED_CERTIFICATE = 32
ONE_YEAR = {"pKIExpirationPeriod": {"base64": "AEA5hy7h/v8="}}

CODE = re.compile(r"\b0x[89][0-9a-f]{7}\b", re.IGNORECASE)
"""An HRESULT of an error; flags of other output have the highest bit clear."""
NAMED = re.compile(r"\b(0x[89][0-9a-f]{7}) \((?:WIN32: \d+|WinHttp: \d+|ASN: \d+|-\d+) (\w+)\)")

MASKS = [
    (r"\{[0-9A-F-]{36}\}", "{GUID}"),
    (r"^Connecting to .+ \.\.\.$", "Connecting to CONFIG ..."),
    (r'^Server ".+" ', 'Server "CA" '),
    (r"\(\d+ms\)", "(TIME)"),
    (r"^[\w-]+: [^:]+ -- (?=Auto-Enroll|Access)", "NAME: DISPLAY -- "),
    (r"^(  (?:Serial Number|Subject|NotBefore|NotAfter|Thumbprint): ).+", r"\1VALUE"),
    (r"^Deleting Certificate \d+: .+:[0-9a-f]{40}$", "Deleting Certificate INDEX: SUBJECT:THUMBPRINT"),
    (r"^(RequestId|Anforderungs-ID): (\"?)\d+(\"?)$", r"\1: \2ID\3"),
    (r"^IDDemande : \u00ab \d+ \u00bb$", "IDDemande : \u00ab ID \u00bb"),
    (r"^(Row|Maximum Row Index:) \d+", r"\1 N"),
    (r"^\d+ Rows$", "N Rows"),
    (r"^ *\d+ (.*), Total Size = \d+, Max Size = \d+, Ave Size = \d+$", r"N \1, TOTALS"),
    (r": \d+/\d+/\d{4} \d+:\d\d [AP]M$", ": DATE"),
    (r": 0x[0-9a-f]+(?: \(\d+\))?$", ": NUMBER"),
]


def blocks(name: str) -> list[list[str]]:
    """The outputs of a transcript, without the line about its source and the commands that were typed."""
    text = next(path for path in TRANSCRIPTS if path.name.startswith(name)).read_text("utf-8")
    body = re.sub(r"\A# source:.*\n", "", text)
    found = []
    for block in re.split(r"^---$", body, flags=re.MULTILINE):
        lines = [line.rstrip() for line in block.strip("\n").split("\n")]
        typed = re.match(r"(PS )?([A-Z]:\\.*>)?\s*cert(req|util)\b .*", lines[0])
        found.append(lines[1:] if typed else lines)
    return found


def masked(lines: list[str]) -> list[str]:
    """Lines with their values masked, without empty ones before and after: transcripts differ in them."""
    result = []
    for line in lines:
        for pattern, replacement in MASKS:
            line = re.sub(pattern, replacement, line)
        result.append(line)
    return "\n".join(result).strip("\n").split("\n")


def said(result: Result) -> list[str]:
    """What a tool of the lab printed."""
    return masked(result.stdout.replace("\r\n", "\n").split("\n"))


@pytest.fixture(scope="module")
def windows() -> Callable[..., Any]:
    """A CA, a domain controller and a member; keywords change the CA or the hosts."""
    key = pki.KeyPool().take("rsa2048")
    provider = "Microsoft RSA SChannel Cryptographic Provider"
    csr = requests.pkcs10(key, x509.Name.from_rfc4514_string("CN=pool01.contoso.example"), provider=provider)

    def build(language: str = "en", **adcs: Any) -> Lab:
        templates = [
            {"name": "Web", "display_name": "Web Server", "enroll": ["Domain Admins"], "attributes": ONE_YEAR},
            {"name": "Other", "display_name": "Other Server", "enroll": ["S-1-5-11"], "attributes": ONE_YEAR},
        ]
        accounts = {"reader": {"password": "y", "administrator": False}}
        host = {"language": language, "os": "10.0.17763", "powershell": "5.1", "accounts": accounts}
        data = {
            "lab": {"domain": "contoso.example", "password": "x"},
            "cas": [{"id": "issuing", "subject": f"CN={CA},DC=contoso,DC=example"}],
            "directory": {
                "templates": templates,
                "cas": [{"name": CA, "host": "ca01.contoso.example", "templates": ["Web", "Other"]}],
            },
            "adcs": [{"id": "issuing", "host": "ca01", **adcs}],
            "hosts": [
                {"name": "ca01", **host},
                {"name": "fe01", **host, "stores": {"My": [{}], "CA": [{"key": None}]}},
                {"name": "dc01", "domain_controller": True},
            ],
        }
        lab = Lab(parse(data, "samples.yml"))
        lab.machine("fe01").files[INF] = POLICY.encode()
        lab.machine("fe01").files[REQ] = requests.armoured(csr).encode()
        return lab

    return build


def run(lab: Lab, tool: str, *arguments: str, host: str = "fe01", user: str = "Administrator") -> Result:
    machine = lab.machine(host)
    found = find_tool(tool, machine)
    assert found
    return found(Call(machine, arguments, user))


def submit(lab: Lab, template: str = "Web", user: str = "Administrator") -> Result:
    attribute = f"CertificateTemplate:{template}"
    return run(lab, "certreq", "-submit", "-q", "-f", "-config", CONFIG, "-attrib", attribute, REQ, CER, user=user)


def test_the_corpus_is_there() -> None:
    assert len(TRANSCRIPTS) >= 40
    assert len(REQUESTS) >= 41
    assert len(STORED) >= 14


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_every_code_of_a_transcript_is_explained(path: Path) -> None:
    text = path.read_text("utf-8")
    for code in CODE.findall(text):
        meaning, remedy = explain(int(code, 16))
        assert meaning.endswith("."), code
        assert remedy.endswith("."), code
    for code, name in NAMED.findall(text):
        assert shown(int(code, 16)) == f"{code.lower()} {ALIASES.get(name, name)}"


ALIASES = {"ERROR_INVALID_PARAMETER": "E_INVALIDARG"}
"""winerror.h gives 0x80070057 and 0x80070005 names of their own; certutil shows those of the Win32 errors."""


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_a_request_of_windows_is_taken_or_refused_for_its_form(path: Path) -> None:
    data = path.read_bytes()
    if path.name.startswith("cmc"):
        with pytest.raises(EnrolmentError, match="holds cmc"):
            only_request(data)
        (payload,) = unwrap(data).payloads
        with pytest.raises(EnrolmentError, match="neither a PKCS #10 request nor a certificate"):
            public_key_of(payload.der)
        return
    der = only_request(data)
    encoded = x509.load_der_x509_csr(der)
    assert public_key_of(der) == encoded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert only_request(request_pem(der).encode()) == der
    assert x509.load_pem_x509_csr(request_pem(der).encode()) == encoded


def encoded_certificate(blob: bytes) -> bytes:
    """The certificate of a serialized one: the record with the number 32 of identifier, 1, length, value."""
    at = 0
    while at < len(blob):
        identifier, _one, length = struct.unpack_from("<III", blob, at)
        if identifier == ENCODED_CERTIFICATE:
            return blob[at + 12 : at + 12 + length]
        at += 12 + length
    raise ValueError("no certificate")


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem[:8])
def test_a_stored_certificate_tells_its_key(path: Path) -> None:
    der = encoded_certificate(path.read_bytes())
    encoded = x509.load_der_x509_certificate(der)
    assert public_key_of(der) == encoded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def test_new_prints_the_policy_and_one_line(windows) -> None:
    found = said(run(windows(), "certreq", "-new", "-q", "-f", INF, REQ))
    assert found == masked(blocks("01")[0]) == masked(blocks("06")[0][:5])


def test_an_issued_request(windows) -> None:
    assert said(submit(windows())) == masked(blocks("01")[1]) == masked(blocks("06")[0][5:])


def test_an_issued_request_with_a_message_of_the_policy_module(windows) -> None:
    issued = blocks("03")[0]
    message = issued[-1].partition("Issued  ")[2]
    assert said(submit(windows(policy_message=message))) == masked(issued)


def test_a_pending_request(windows) -> None:
    assert said(submit(windows(pend=True))) == masked(blocks("04")[0])


def test_a_denied_request(windows) -> None:
    """The codes that the lab's CA denies with are others than the one of the transcript."""
    result = submit(windows(), user="reader")
    code, text = 0x80094012, hresult.meaning(0x80094012)
    expected = masked(blocks("05")[0])
    sentence, number = re.fullmatch(r".*Policy Module (The .+\.) (0x[0-9a-f]{8} \(.+\))", expected[-1]).groups()
    expected[-1] = expected[-1].replace(sentence, text).replace(number, hresult.shown(code))
    assert said(result)[-1] == expected[-1]
    assert result.exit_code & 0xFFFFFFFF == code


@pytest.mark.parametrize(("language", "line"), [("en", 0), ("de", 1), ("fr", 2)])
def test_the_line_of_the_id_in_other_languages(windows, language, line) -> None:
    assert said(submit(windows(language)))[1] == masked(blocks("08")[0])[line]


def test_an_accepted_certificate(windows) -> None:
    lab = windows()
    assert run(lab, "certreq", "-new", "-q", "-f", INF, REQ).exit_code == 0
    assert submit(lab).exit_code == 0
    assert said(run(lab, "certreq", "-accept", "-machine", "-q", CER)) == masked(blocks("01")[2])


def test_the_line_of_a_failure(windows) -> None:
    told = [line for block in blocks("09") for line in block]
    known = {code: line for line in told if (code := _code_of(line)) in KNOWN_TO_THE_LAB}
    assert set(known) == KNOWN_TO_THE_LAB
    for code, line in known.items():
        assert said(certreq_call.failed(certreq_call.CertreqFault(code))) == [line]
    assert "Unknown argument: -submit -any" in told
    assert said(run(windows(), "certreq", "-submit -any")) == ["Unknown argument: -submit -any"]


KNOWN_TO_THE_LAB = {0x8009310B, 0x80090013, 0x800B0109}
"""The others of the transcript came from a web service and from CertEnroll itself, which the lab does not have."""


def _code_of(line: str) -> int:
    found = CODE.search(line)
    return int(found[0], 16) if found else 0


def test_a_ca_that_answers_a_ping(windows) -> None:
    found = said(run(windows(), "certutil", "-config", CONFIG, "-ping"))
    assert found == masked(blocks("20")[0])
    assert found == masked([line for line in blocks("42")[0] if re.match("Connecting|Server|CertUtil: -ping", line)])


@pytest.mark.parametrize(("sample", "config"), [("21", f"nobody.contoso.example\\{CA}"), ("22", "ca01\\Another CA")])
def test_a_ca_that_does_not_answer_a_ping(windows, sample, config) -> None:
    expected = masked(blocks(sample)[0])
    # The transcript of the unavailable server lacks a parenthesis that its own first line has.
    expected = [line + ")" * (line.count("(") - line.count(")")) for line in expected]
    assert said(run(windows(), "certutil", "-config", config, "-ping")) == expected


def test_a_host_without_a_ca(windows) -> None:
    found = said(run(windows(), "certutil", "-ping"))
    assert [line for line in found if "FAILED" not in line] == masked(blocks("23")[0])


def test_the_templates_of_a_ca(windows) -> None:
    real = {line for name in ("26", "39", "40") for line in masked(blocks(name)[0]) if line != "(...)"}
    lab = windows()
    seen = {
        line
        for user in ("Administrator", "reader")
        for line in said(run(lab, "certutil", "-config", CONFIG, "-CATemplates", user=user))
    }
    assert seen == real


def test_the_templates_without_credentials_to_hand_on(windows) -> None:
    """The transcript is one of -Template, which asks the same domain controller."""
    expected = [line.replace("-Template", "-CATemplates") for line in blocks("11")[0][3:]]
    found = run(windows(), "certutil", "-config", CONFIG, "-CATemplates", user=NetworkLogon("Administrator"))
    assert said(found) == expected


def test_a_deleted_certificate(windows) -> None:
    lab = windows()
    for block, store in enumerate(("my", "CA")):
        certificates = lab.machine("fe01").stores[store.upper()]
        thumbprint = certificates[0].issued.thumbprint
        assert said(run(lab, "certutil", "-delstore", store, thumbprint)) == masked(blocks("34")[block])
        assert not certificates


def test_a_deleted_key(windows) -> None:
    lab = windows()
    containers = lab.machine("fe01").containers
    held = next(iter(containers))
    containers.remove(held.provider, held.name)
    containers.add(replace(held, name="myDemoCA"))
    listed, gone = (said(run(lab, "certutil", "-csp", held.provider, "-delkey", "myDemoCA")) for _time in range(2))
    assert listed == masked(blocks("34")[2])
    assert gone == masked(blocks("34")[3])


def test_rows_of_the_database(windows) -> None:
    lab = windows()
    assert submit(lab).exit_code == 0
    columns = "RequestID,CommonName,Request.RequesterName,CertificateTemplate,NotAfter"
    found = run(lab, "certutil", "-view", "-restrict", "Disposition=20", "-out", columns, host="ca01")
    real = blocks("46")[0]
    second = real.index("Row 2:")
    one_row = masked([*real[:second], *real[real.index("Maximum Row Index: 4") :]])
    assert [_without_texts(line) for line in said(found)] == [_without_texts(line) for line in one_row]


def _without_texts(line: str) -> str:
    """A line of a row with its text masked, and with the name of its template."""
    return re.sub(r': "[^"]+"(?: .+)?$', ": TEXT", line)


def test_codes_as_both_tools_show_them() -> None:
    told = {code: text for path in TRANSCRIPTS for code, text in SHOWN.findall(path.read_text("utf-8"))}
    known = {code: text for code, text in told.items() if _known(int(code, 16))}
    assert len(known) >= 8
    for code, text in known.items():
        assert hresult.shown(int(code, 16)) == f"{code} ({text})"


SHOWN = re.compile(r"\b(0x[0-9a-f]{8}) \(((?:WIN32|ASN|-)[^)\n]+)\)")


def _known(code: int) -> bool:
    try:
        return bool(hresult.meaning(code))
    except KeyError:
        return False
