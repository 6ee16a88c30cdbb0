# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that could inject or make no sense: each is refused by name before anything is done."""

from __future__ import annotations

import ssl

import pytest
from crash_sweep import AUTHORITY, SCENARIO, SCHANNEL
from lab.runtime import Lab

CONFIG = f"ca01.contoso.example\\{AUTHORITY}"
STORAGE = "Microsoft Software Key Storage Provider"


def request(said, **values):
    return "certificate_request", {"subject": "CN=pool01.contoso.example", **values}, said


def submission(said, **values):
    return "adcs_certificate", {"csr": "{{ r0.csr }}", "template": "LyncWebServer", **values}, said


def installation(said, **values):
    return "certificate_install", values, said


def exchange(said, **values):
    return "external_certificate", {"csr": "{{ r0.csr }}", "path": "requests", "name": "fe01", **values}, said


BAD = [
    request("the option 'subject': The character U+000A", subject="CN=a\nb"),
    request("the option 'subject': The character U+000D", subject="CN=a\r\n[Extensions]"),
    request("U+0022", subject='CN=a"b'),
    request("U+0025 (%)", subject="CN=%path%"),
    request("U+003B", subject="CN=a;OU=b"),
    request("a plus sign", subject="CN=a+OU=b"),
    request("the option 'subject'", subject="CN=a=b"),
    request("'b', which has no equals sign", subject="CN=a,b"),
    request("U+000A", subject="CN=a\\0AExportable"),
    request("U+0022", subject="CN=a\\22b"),
    request("U+202E", subject="CN=\u202eelpmaxe"),
    request("'FOO', which cannot be requested", subject="CN=a,FOO=b"),
    request("The subject is empty", subject=""),
    request("of 64 at most", subject=f"CN={'a' * 65}"),
    request("is no DNS name", subject_alt_names=["a.example&dns=evil.example"]),
    request("is no DNS name", subject_alt_names=["dns=evil.example"]),
    request("is no DNS name", subject_alt_names=["upn=admin@contoso.example"]),
    request("is no DNS name", subject_alt_names=["a.example\n_continue_"]),
    request("is no DNS name", subject_alt_names=['a".example']),
    request("is no DNS name", subject_alt_names=["a;b.example"]),
    request("is no DNS name", subject_alt_names=["%a%.example"]),
    request("is no DNS name", subject_alt_names=["a.example,b.example"]),
    request("xn--", subject_alt_names=["b\u00fccher.example"]),
    request("is no IP address", subject_alt_names=["ip:192.0.2.300"]),
    request("U+005C", template="LyncWebServer\\nSAN:dns=evil.example"),
    request("U+000A", template="LyncWebServer\nSAN:dns=evil.example"),
    request("U+003A", template="CertificateTemplate:LyncWebServer"),
    request("U+0026", template="LyncWebServer&SAN"),
    request("is no OID", template="1.3.6."),
    request("U+000A", friendly_name="a\nExportable = TRUE"),
    request("U+0022", friendly_name='a"b'),
    request("U+0025", friendly_name="%a%"),
    request("1 to 200 characters", friendly_name=""),
    request("force_provider", provider=STORAGE),
    request("not known here", provider="Contoso Key Storage Provider", force_provider=True),
    request(f"Name one of: {SCHANNEL};", provider="Contoso Cryptographic Provider"),
    request("not known here", provider='x"\r\nKeyLength = 512'),
    request("may ask a person for a card", provider="Microsoft Base Smart Card Crypto Provider"),
    request("makes no RSA key", provider="Microsoft DH SChannel Cryptographic Provider"),
    request("512 bits cannot be requested", key_length=512),
    request("must be one of", hash_algorithm="MD5"),
    request("is no OID", extended_key_usage=["1.3.6.1.5.5.7.3.1&1.3.6.1.5.5.7.3.2"]),
    request("Unsupported parameters", subject_alt_name=["a.example"]),
    submission("the option 'template': The character U+005C", template="LyncWebServer\\nSAN:dns=evil.example"),
    submission("U+000A", template="LyncWebServer\nSAN:dns=evil.example"),
    submission("U+003A", template="a:b"),
    submission("not the configuration string", ca="ca01.contoso.example"),
    submission("not the configuration string", ca=f'{CONFIG}" -attrib "SAN:dns=evil.example'),
    submission("not the configuration string", ca=f"{CONFIG}\n"),
    submission("not the configuration string", ca="-config\\x"),
    submission("hold no certificate request.", csr="garbage"),
    submission("hold 2 certificate requests, not one", csr="{{ r0.csr }}{{ r0.csr }}"),
    submission("hold no certificate request.", csr="{{ r0.csr[:300] }}"),
    submission("is not the id of a request", request_id=-1),
    submission("The CA has no value for this", request_id=99),
    submission("A wait of -1 seconds", wait=-1),
    submission("0x800706ba RPC_S_SERVER_UNAVAILABLE", ca=f"nowhere.contoso.example\\{AUTHORITY}"),
    submission("0x80070057 E_INVALIDARG", ca="ca01.contoso.example\\Contoso Issuing CA 2"),
    installation("There is no certificate in the 7 bytes", certificate="garbage"),
    installation("CERTIFICATE REQUEST", certificate="{{ r0.csr }}"),
    installation("answers no pending request of this host", certificate="{{ issuer }}"),
    installation("is a key storage provider", certificate="{{ issuer }}", provider=STORAGE),
    installation("U+0022", certificate="{{ issuer }}", friendly_name='a"b'),
    installation("Did you mean lync_20", certificate="{{ issuer }}", profile="lync_2031"),
    installation("mutually exclusive", certificate="{{ issuer }}", pfx="AAAA", pfx_password="secret"),
    installation("The PFX is not base64", pfx="!!", pfx_password="secret"),
    installation("not a PFX file", pfx="AAAA", pfx_password="secret"),
    installation("40 hexadecimal digits", thumbprint="A'; exit", state="absent"),
    installation("Lync on fe01 uses the certificate", thumbprint="{{ assigned }}", state="absent"),
    installation("Lync on fe01 uses the certificate", thumbprint="{{ assigned }}", state="archived"),
    exchange("is not the name of a file", name="../fe01"),
    exchange("is not the name of a file", name="a\nb"),
    exchange("hold no certificate request.", csr="garbage"),
    exchange("it is not a directory", path="tasks.yml"),
]


def snapshot(lab):
    machine = lab.machine("fe01")
    return (
        machine.lync.assignments,
        [entry.key_name for name in ("REQUEST", "My") for entry in machine.store(name)[1]],
        [container.name for container in machine.containers],
        [path for path in machine.files if "keyprovider" in path.lower()],
    )


@pytest.fixture(scope="module")
def lab():
    with Lab.from_scenario(SCENARIO) as running:
        yield running


@pytest.fixture(scope="module")
def refused(lab, new_controller):
    """The results of all bad values, and what fe01 had before and after."""
    controller = new_controller()
    tasks = []
    for module, arguments, _said in BAD:
        task = {module: arguments}
        if module == "adcs_certificate":
            task["delegate_to"] = "ca01"
        if module == "external_certificate":
            task["delegate_to"] = "localhost"
        tasks.append(task)
    assigned = dict(lab.machine("fe01").lync.assignments)["Default"]
    values = {"issuer": ssl.DER_cert_to_PEM_cert(lab.authority(AUTHORITY).identity.der), "assigned": assigned}
    variables = [part for name, value in values.items() for part in ("-e", f"{name}={value!r}")]
    good = {"certificate_request": {"subject": "CN=pool01.contoso.example", "template": "LyncWebServer"}}
    controller.tasks(lab, "fe01", [good])
    before = snapshot(lab)
    results = controller.tasks(lab, "fe01", [good, *tasks], *variables)
    return results[1:], before, snapshot(lab), controller.directory


@pytest.mark.parametrize("number", range(len(BAD)), ids=[f"{case[0]}-{case[2]}" for case in BAD])
def test_a_bad_value_is_refused_by_name(refused, number):
    result = refused[0][number]
    assert result["failed"]
    assert not result["changed"]
    assert BAD[number][2] in result["msg"]
    assert "secret" not in result["msg"]
    assert len(result["msg"]) < 700


def test_nothing_is_left_of_what_was_refused(lab, refused):
    _results, before, after, directory = refused
    assert after == before
    assert lab.authority(AUTHORITY).rows == []
    assert not [path for path in lab.machine("ca01").files if "submissions\\" in path.rstrip("\\")]
    assert not (directory / "requests").exists()
