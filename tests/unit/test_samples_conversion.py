# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real output about keys that were moved, imported and exported, against what conversion and the lab make of the like.

Lines are compared as they stand, with names and times masked. The transcripts are excerpts: what they leave out, and
what newer releases print beside what the lab has, is named at each comparison.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import datetime, timezone
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.audit.files import read_path
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.conversion import ConversionWish, convert
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.conversion import hindrance, reference_text
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.errors import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.hresult import explain, shown
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.key_access import parse_access, taken_over
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.pfx import open_pfx, rebuilt
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.x509 import certificate_from_der
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.profiles.library import load
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Source
from lab.formats.pfx import write_pfx
from lab.host.machine import Machine
from lab.tools import Call, Result, find_tool
from lab.tools.certutil_call import CertutilCall, CertutilFault, failed
from lab_host import LabHost, machine_with

pytestmark = [
    pytest.mark.samples,
    pytest.mark.skipif(
        not os.environ.get("KEYPROVIDER_SAMPLES"), reason="KEYPROVIDER_SAMPLES does not name the corpus"
    ),
]

SAMPLES = Path(os.environ.get("KEYPROVIDER_SAMPLES") or "samples-not-named")
CONCERNED = ("certreq/3[0-5]_*.txt", *(f"certutil_store/{number}_*.txt" for number in (16, 17, 22, 24, 25, 37)))

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
STORAGE = "Microsoft Software Key Storage Provider"
TPM = "Microsoft Platform Crypto Provider"
FILE = r"C:\Windows\Temp\key.pfx"

CODE = re.compile(r"\b0x[89][0-9a-f]{7}\b", re.IGNORECASE)
NAMED = re.compile(r"\b(0x[89][0-9a-f]{7}) \((?:WIN32: \d+ |-\d+ )?([A-Z_]+)\)")

# A part of the way out that fits what had happened.
WAYS_OUT = {
    0x80070056: "Correct the password",
    0x80090027: "keeps RSA keys in software",
    0x80090029: "keeps RSA keys in software",
    0x8009000B: "Request a new certificate",
    0x80090016: "certificate_info",
    0x80092004: "certificate_info",
}
# Of imports and conversions, too, but in none of these transcripts.
OTHER_WAYS_OUT = {
    0x80070005: "local administrator",
    0x80070070: "Free space",
    0x80090005: "Make or obtain the file again",
    0x8009000A: "keeps RSA keys in software",
    0x8009000F: "another container",
    0x80090010: "administrator",
    0x80090013: "certutil -csplist",
    0x80090019: "certutil -csplist",
    0x8009001B: "certutil -csplist",
    0x80092002: "Make or obtain the file again",
}

MASKS = [
    (r'^Certificate ".+" added to store\.$', 'Certificate "NAME" added to store.'),
    (r"^(=+ Certificate) \d+ (=+)$", r"\1 N \2"),
    (r"^((?:Serial Number|Issuer|Subject|Template|Cert Hash\(sha1\)| NotBefore| NotAfter): ).+", r"\1VALUE"),
    (r"^(\s*(?:Key Container =|Unique container name:|Simple container name:) ).+", r"\1NAME"),
    (r"(?<=0x80070056 \()WIN32: 86 ", ""),
]
"""The last one: the transcript with this code lacks the number that certutil puts before the name."""


def texts() -> list[tuple[str, str]]:
    return [
        (f"{path.parent.name}/{path.stem}", path.read_text("utf-8"))
        for pattern in CONCERNED
        for path in sorted(SAMPLES.glob(pattern))
    ]


def found(name: str) -> Path:
    (path,) = SAMPLES.glob(f"{name}_*.txt")
    return path


def blocks(name: str) -> list[list[str]]:
    """The outputs of a transcript, without the line about its source and the commands that were typed."""
    body = re.sub(r"\A# source:.*\n", "", found(name).read_text("utf-8"))
    outputs = []
    for block in re.split(r"^---$", body, flags=re.MULTILINE):
        lines = [line.rstrip() for line in block.strip("\n").split("\n")]
        typed = re.match(r"(?:[A-Z]:\\.*>)?certutil\b .*", lines[0], re.IGNORECASE)
        outputs.append(masked(lines[1:] if typed else lines))
    return outputs


def masked(lines: list[str]) -> list[str]:
    """Lines with their values masked, without empty ones before and after."""
    for pattern, replacement in MASKS:
        lines = [re.sub(pattern, replacement, line) for line in lines]
    return "\n".join(lines).strip("\n").split("\n")


def run(machine: Machine, *arguments: str) -> Result:
    tool = find_tool("certutil", machine)
    assert tool
    return tool(Call(machine, arguments, "Administrator"))


def said(result: Result) -> list[str]:
    """What certutil of the lab printed."""
    return masked(result.stdout.replace("\r\n", "\n").split("\n"))


def server(holder: str = "cng", **values: Any) -> Machine:
    """A host with one certificate; the values are those of its key."""
    certificate = {"id": "it", "subject": "CN=pool01.contoso.example", "key": {"holder": holder, **values}}
    return machine_with(certificate, os="10.0.17763", powershell="5.1")


def thumbprint_of(machine: Machine) -> str:
    (held,) = machine.stores["MY"]
    assert held.issued
    return held.issued.thumbprint


def imported(*words: str, password: str = "once", modifiers: str = "") -> Result:
    """The import of a PFX that another host exported."""
    source, target = server(exportable=True), server("schannel")
    issued, container = source.stores["MY"][0].issued, next(iter(source.containers))
    assert issued
    target.files[FILE] = write_pfx(
        *(container.key, issued.certificate),
        password="once",
        provider=STORAGE,
        machine_keyset=True,
        encryption="tripledes-sha1",
    )
    return run(target, "-f", "-p", password, *words, "-importPFX", FILE, *([modifiers] if modifiers else []))


def exported(machine: Machine) -> Result:
    return run(machine, "-f", "-p", "once", "-exportPFX", "My", thumbprint_of(machine), FILE)


def test_the_corpus_is_there() -> None:
    assert len(texts()) == 12


def test_every_code_has_a_way_out_that_fits() -> None:
    codes = {int(code, 16) for _name, text in texts() for code in CODE.findall(text)}
    assert codes == WAYS_OUT.keys()
    for code, words in (WAYS_OUT | OTHER_WAYS_OUT).items():
        meaning, remedy = explain(code)
        assert meaning.endswith("."), hex(code)
        assert words in remedy, hex(code)


def test_every_code_has_its_name() -> None:
    told = {(int(code, 16), name) for _name, text in texts() for code, name in NAMED.findall(text)}
    assert {code for code, _name in told} == WAYS_OUT.keys()
    for code, name in told:
        assert shown(code) == f"0x{code:08x} {name}"


def test_an_import() -> None:
    asked_for, not_asked_for = said(imported("-csp", SCHANNEL, modifiers="AT_KEYEXCHANGE")), said(imported())
    first, second = blocks("certreq/30")[:2]
    with_a_provider = blocks("certreq/33")[0]
    asked = with_a_provider.index("Enter PFX password:")
    assert asked_for == not_asked_for == first == with_a_provider[asked + 1 :]
    # Its last line was left out.
    assert first[0] == second[0] == 'Certificate "NAME" added to store.'


def test_imports_that_fail() -> None:
    not_exportable, exportable, wrong = blocks("certreq/30")[2:]
    assert said(imported("-csp", TPM, modifiers="NoExport")) == not_exportable
    assert said(imported("-csp", TPM)) == exportable
    # The text of the error was left out.
    assert said(imported(password=""))[:1] == wrong


def test_exports_that_fail() -> None:
    not_exportable, no_key, not_there = blocks("certreq/31")
    assert said(exported(server()))[-2:] == not_exportable
    assert said(exported(server(exportable=True, missing=True)))[-2:] == no_key
    # What had been asked for there is not known, so that the lab does not give it by itself.
    machine = server()
    call = CertutilCall("exportPFX", {}, (), Call(machine, (), "Administrator"))
    assert said(failed(call, CertutilFault(0x80092004))) == not_there


NEWER = [
    f"{SCHANNEL}: KeySpec=1",
    "AES256+RSAES_OAEP(RSA:AT_KEYEXCHANGE) test passed",
    "Signature test passed",
    "================ Begin force NCrypt ================",
    f"{SCHANNEL}: KeySpec=1",
    "AES256+RSAES_OAEP(RSA:CNG) test passed",
    "Encryption test passed (CNG)",
    "Signature test passed (CNG)",
    "----------------  End force NCrypt  ----------------",
]
"""Tests of the key that Server 2022 prints beside what Server 2019 and the lab do."""


def test_an_export_from_the_provider_that_lync_can_use() -> None:
    machine = machine_with(
        {"id": "it", "template": {"name": "Web", "display_name": "Web"}, "key": {"holder": "schannel"}},
        os="10.0.17763",
    )
    machine.containers.add(replace(next(iter(machine.containers)), exportable=True))
    (real,) = blocks("certreq/32")
    lines = said(exported(machine))
    rest = list(real)
    for line in lines:
        assert line in rest
        rest.remove(line)
    assert rest == NEWER
    assert [line for line in real if line in lines and line not in NEWER] == lines


def test_a_key_of_cng_is_exported_whose_plain_text_may_not_be() -> None:
    machine = server(exportable=True)
    real, lines = blocks("certreq/33")[1], said(exported(machine))
    assert "Private key is NOT plain text exportable" in real
    assert "Private key is NOT plain text exportable" in lines
    assert (lines[0], lines[-1]) == ('My "Personal"', real[-1])
    assert real[0] == 'my "Personal"'
    assert machine.files[FILE]


def test_a_key_that_is_linked_again() -> None:
    machine = server("schannel")
    lines = said(run(machine, "-f", "-csp", SCHANNEL, "-repairstore", "My", thumbprint_of(machine)))
    footer = "CertUtil: -repairstore command completed successfully."
    assert lines[-1] == blocks("certreq/33")[2][-1] == footer
    assert footer in found("certreq/35").read_text("utf-8")
    assert f"  Provider = {SCHANNEL}" in lines
    assert any(line.startswith("  Provider = ") for line in blocks("certreq/33")[2])


def test_a_container_that_is_not_there_any_more() -> None:
    machine = server()
    assert said(run(machine, "-csp", STORAGE, "-delkey", "gone")) == blocks("certreq/34")[3]


IMPORTS_THAT_FAIL = (0x80090027, 0x80090029, 0x80070056)


@pytest.mark.parametrize("code", IMPORTS_THAT_FAIL, ids=hex)
def test_a_conversion_whose_import_ends_so_tells_it_and_leaves_all_as_it_was(code, monkeypatch) -> None:
    told = {int(each, 16) for block in blocks("certreq/30") for line in block for each in CODE.findall(line)}
    assert told == set(IMPORTS_THAT_FAIL)

    def fails(call: CertutilCall) -> Result:
        raise CertutilFault(code)

    monkeypatch.setitem(import_module("lab.tools.certutil")._VERBS, "importPFX", fails)
    machine = server(exportable=True)
    before = list(machine.stores["MY"]), list(machine.containers)
    wish = ConversionWish(thumbprint=thumbprint_of(machine), profile=load("lync_2013"))
    with pytest.raises(EnrolmentError) as caught:
        convert(LabHost(machine), "fe01", wish, check=False, at=datetime.now(timezone.utc))
    assert f"It ended with {shown(code)} on fe01" in caught.value.message
    assert "The certificate uses its former key as before." in caught.value.message
    # It is no user's password here.
    assert ("CredSSP" if code == 0x80070056 else WAYS_OUT[code]) in caught.value.remedy
    assert (list(machine.stores["MY"]), list(machine.containers)) == before
    assert not [name for name in machine.stores if name.upper().startswith("KEYPROVIDER")]


DUMPS = {
    "certutil_store/16": ["Microsoft Enhanced Cryptographic Provider v1.0"],
    "certutil_store/17": ["Microsoft Strong Cryptographic Provider"],
    "certutil_store/22": [None, STORAGE],
    "certutil_store/25": [STORAGE],
    "certutil_store/37": [STORAGE, None],
}
"""What certutil said of PFX files; a certificate of the chain has no key."""


@pytest.mark.parametrize("name", DUMPS)
def test_the_dump_of_a_pfx_tells_the_provider_that_the_file_names(name) -> None:
    reading = read_path(found(name), format="auto", password=None)
    assert reading.problems == ()
    keys = [certificate.key for certificate in reading.certificates]
    assert [key.provider for key in keys] == DUMPS[name]
    # That it may not be exported in plain text keeps no key out of a file.
    assert {key.exportable for key in keys if key.provider} == {True}


@pytest.mark.parametrize("provider", sorted({name for names in DUMPS.values() for name in names if name}))
def test_a_file_that_names_such_a_provider_is_read_and_made_anew(provider) -> None:
    machine = server(exportable=True)
    (held,), (container,) = machine.stores["MY"], machine.containers
    assert held.issued
    data = write_pfx(container.key, held.issued.certificate, password="given", provider=provider, machine_keyset=True)
    opened = open_pfx(data, "given")
    assert opened.leaf.key.provider == provider
    made = rebuilt(opened, password="once", provider=SCHANNEL, encryption="tripledes-sha1")
    assert open_pfx(made, "once").leaf.key.provider == SCHANNEL


def test_a_key_that_virtualization_based_security_holds() -> None:
    path = found("certutil_store/24")
    text = path.read_text("utf-8")
    policy = int(re.findall(r"^  Export Policy: (\d+) ", text, re.MULTILINE)[0])
    (container,) = server("vsm", exportable=True).containers
    assert (container.isolated, container.export_policy) == (True, policy)
    access = parse_access(re.findall(r"^  Security Descr: (.+)$", text, re.MULTILINE)[0])
    assert [entry.sid for entry in access.entries] == ["SY", "BA"]
    assert taken_over(access) == "D:PAI(A;;0xd01f01ff;;;SY)(A;;0xd01f01ff;;;BA)"
    reading = read_path(path, format="auto", password=None)
    assert reading.certificates == ()
    (problem,) = reading.problems
    assert "certutil -key" in problem.message
    assert problem.remedy


def test_the_long_form_tells_what_a_conversion_writes() -> None:
    """Property 2: all five parts that certutil -repairstore takes are in the printout, and nothing else."""
    path = found("certutil_store/09")
    (certificate,) = read_path(path, format="auto", password=None).certificates
    parts = dict(part.split("=") for part in reference_text(certificate.key))
    assert parts.pop("Flags") == "0x20"  # of the computer; this key is a user's
    text = path.read_text("utf-8")
    fields = re.findall(r"^\s+(Key Container|Provider|ProviderType|Flags|KeySpec) = ([^\n]+?)(?: -- .*)?$", text, re.M)
    real = dict(fields)
    assert real.pop("Flags") == "0"
    assert {**parts, "Key Container": parts.pop("Container")} == real | {"Container": real["Key Container"]}


def test_the_key_of_a_user_is_not_moved() -> None:
    """The printout tells no algorithm, which is looked at first."""
    (held,) = server().stores["MY"]
    assert held.issued
    details = certificate_from_der(held.issued.der, source=Source("text", "here"), archived=False).details
    (of_a_user,) = read_path(found("certutil_store/09"), format="auto", password=None).certificates
    told = hindrance(replace(of_a_user, details=details))
    assert told
    assert "belongs to a user" in told.reason


def test_the_lines_of_keys_in_both_kinds_of_providers() -> None:
    machine = machine_with(
        {"id": "csp", "key": {"holder": "enhanced", "exportable": True}}, {"id": "cng", "key": {"holder": "cng"}}
    )
    lines = masked(found("certutil_store/04").read_text("utf-8").split("\n"))
    real, simulated = (
        [line for line in each if re.match("  |Private key|Encryption", line)]
        for each in (lines, said(run(machine, "-store", "My")))
    )
    assert len(real) == 9
    assert simulated == real
