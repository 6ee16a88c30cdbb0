# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Submitting a request: which script is run in which state, what becomes of it, and that none is submitted twice."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import ssl
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enforce.submission import submit_request
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.errors import EnrolmentError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.submission import SubmissionOrder
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import (
    SCRIPT_LIMIT,
    Completed,
    HostError,
    HostUnreachable,
)
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2025, 3, 1, 12, tzinfo=timezone.utc)
POOL = "pool01.contoso.example"
CONFIG = r"CA1\Contoso Issuing CA 1"
SAVED = r"C:\Users\deploy\AppData\Local\winpki.keyprovider\submissions\0"
RPC_DOWN = 0x800706BA
TEMPLATE_DENIED = 0x80094012


def key(name):
    return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def make_name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def make_request(holder="server", common_name=POOL):
    builder = x509.CertificateSigningRequestBuilder().subject_name(make_name(common_name))
    return builder.sign(key(holder), None).public_bytes(Encoding.DER)


def make_certificate(holder="server", *, subject=POOL, issuer="ca", begin=NOW - timedelta(minutes=10)):
    return (
        x509.CertificateBuilder()
        .subject_name(make_name(subject))
        .issuer_name(make_name(issuer))
        .public_key(key(holder).public_key())
        .serial_number(int.from_bytes(hashlib.sha256(f"{holder}{subject}".encode()).digest()[:8], "big"))
        .not_valid_before(begin)
        .not_valid_after(NOW + timedelta(days=700))
        .sign(key(issuer), None)
        .public_bytes(Encoding.DER)
    )


CSR = make_request()
CERTIFICATE = make_certificate()
CA = make_certificate("ca", subject="ca")


def tlv(tag, *parts):
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


STATUS_INFO = bytes.fromhex("06082b06010505070701")
PKI_RESPONSE = bytes.fromhex("06082b06010505070c03")
SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")


def response(number, message="", *, request_id=None, certificates=()):
    pending = b"" if request_id is None else tlv(0x30, tlv(4, request_id.to_bytes(4, "little")), tlv(0x18, b"2025Z"))
    info = tlv(0x30, tlv(2, bytes([number])), tlv(0x30, tlv(2, b"\1")), tlv(0x0C, message.encode()), pending)
    body = tlv(0x30, tlv(0x30, tlv(0x30, tlv(2, b"\1"), STATUS_INFO, tlv(0x31, info))), tlv(0x30), tlv(0x30))
    held = tlv(0xA0, *certificates) if certificates else b""
    signed = tlv(0x30, tlv(2, b"\3"), tlv(0x31), tlv(0x30, PKI_RESPONSE, tlv(0xA0, tlv(4, body))), held, tlv(0x31))
    return tlv(0x30, SIGNED_DATA, tlv(0xA0, signed))


def armoured(der, label="CERTIFICATE"):
    return ssl.DER_cert_to_PEM_cert(der).replace("CERTIFICATE", label).encode()


def ISSUED(certificate=CERTIFICATE):
    return armoured(response(0, "Issued", certificates=(CA, certificate)))


def PENDING(number):
    return armoured(response(3, "Taken Under Submission", request_id=number))


DENIED = armoured(response(2, "Denied by CONTOSO\\manager"))

VIEW = """\
Schema:
  Column Name                   Localized Name                Type    MaxLength
  ----------------------------  ----------------------------  ------  ---------
  Request.RequestID             Anforderungs-ID               Long    4 -- Indexed
  Request.Disposition           Anforderungsdisposition       Long    4 -- Indexed
  Request.RawRequest            Bin\u00e4re Anforderung             Binary  65536

{rows}Maximaler Zeilenindex: {count}

CertUtil: -view-Befehl wurde erfolgreich ausgef\u00fchrt.
"""
ROW = """\
Zeile {number}:
  Anforderungs-ID: 0x{id:x} ({id})
  Anforderungsdisposition: 0x{disposition:x} ({disposition}) -- x
  Bin\u00e4re Anforderung:
{request}

"""


class Row:
    def __init__(self, number, request, disposition):
        self.number, self.request, self.disposition = number, request, disposition


class Host:
    """A host and a CA as the scripts see them; what they say is in German."""

    def __init__(self, *, policy="issue", local_ca="Contoso Issuing CA 1"):
        self.policy = policy
        self.local_ca = local_ca
        self.files = None
        self.rows = []
        self.asked = []
        self.scripts = []
        self.cut = {}
        self.may_view = True
        self.certificate = CERTIFICATE
        self.without_response = False

    @property
    def issued(self):
        return [row for row in self.rows if row.disposition == 20]

    def add(self, disposition, request=CSR):
        self.rows.append(Row(len(self.rows) + 7, request, disposition))
        return self.rows[-1]

    def run_script(self, script, stdin=None):
        assert len(script) <= SCRIPT_LIMIT
        self.scripts.append(script)
        kind = next((word for word in ("-submit", "-retrieve", "-view") if f"'{word}'" in script), None)
        kind = kind or ("remove" if "[IO.Directory]::Delete" in script else "read")
        self.asked.append(kind.lstrip("-"))
        cut = self.cut.get(len(self.asked))
        if cut == "before":
            raise HostUnreachable("cut", remedy="again")
        lines = {"-submit": self.submit, "-retrieve": self.retrieve, "-view": self.view}.get(kind)
        if lines:
            text = lines(script, stdin, cut)
        elif kind == "remove":
            self.files = None
            text = ""
        else:
            text = self.read(script)
        if cut:
            raise HostUnreachable("cut", remedy="again")
        return Completed(0, text.replace("\n", "\r\n").encode(), b"")

    @staticmethod
    def own(name, data):
        return f"keyprovider {name} {base64.b64encode(data).decode()}\n"

    def told(self):
        names = {"response": "response.rsp", "certificate": "certificate.cer", "chain": "chain.p7b"}
        names |= {"output": "output.txt", "ca": "ca.txt"}
        files = self.files or {}
        return "".join(self.own(name, files[file]) for name, file in names.items() if file in files)

    def read(self, script):
        text = self.own("directory", SAVED.encode()) + self.own("computer", b"CA1")
        text += self.own("kept", b"1") if self.files is not None else ""
        if "reg.exe" in script:
            key = "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration"
            text += f"\n{key}\n    Active    REG_SZ    {self.local_ca}\n\n" if self.local_ca else ""
        return text + self.told() + "keyprovider exit 0\n"

    def submit(self, script, stdin, cut):
        self.files = {name: data for name, data in (self.files or {}).items() if name == "request.req"}
        self.files["ca.txt"] = re.search(r"'-config' '([^']*)'", script)[1].encode()
        sent = base64.b64decode(b"".join(stdin.split()))
        self.files["request.req"] = sent
        if cut == "begun":
            return ""
        request = base64.b64decode(b"".join(sent.splitlines()[1:-1]))
        code, output = 0, ""
        if isinstance(self.policy, int):
            return f"Certificate Request Processor: Fehler\nkeyprovider exit {self.policy - (1 << 32)}\n"
        row = self.add({"issue": 20, "pend": 9, "deny": 31}[self.policy], request)
        output = f'Anforderungs-ID: {row.number}\r\nAnforderungs-ID: "{row.number}"\r\n'
        if cut == "unanswered":
            return ""
        if not self.without_response:
            code = self.answer(row, "response.rsp")
        self.files["output.txt"] = output.encode()
        return f"{output}keyprovider exit {code}\n{self.told()}"

    def retrieve(self, script, stdin, cut):
        number = int(re.search(r" '(\d+)' \(", script)[1])
        row = next((row for row in self.rows if row.number == number), None)
        if self.policy == RPC_DOWN or row is None:
            return f"keyprovider exit {(RPC_DOWN if row else 0x80094004) - (1 << 32)}\n"
        self.files = self.files if self.files is not None else {}
        code = self.answer(row, "response.rsp")
        self.files["ca.txt"] = re.search(r"'-config' '([^']*)'", script)[1].encode()
        self.files["output.txt"] = f"RequestId: {number}".encode()
        return f"keyprovider exit {code}\nkeyprovider retrieved MQ==\n{self.told()}"

    def answer(self, row, name):
        if row.disposition == 20:
            self.files[name] = ISSUED(self.certificate)
            self.files["certificate.cer"] = armoured(self.certificate)
            self.files["chain.p7b"] = base64.encodebytes(
                pkcs7.serialize_certificates([x509.load_der_x509_certificate(CA)], Encoding.DER)
            )
            return 0
        self.files[name] = PENDING(row.number) if row.disposition == 9 else DENIED
        return 0 if row.disposition == 9 else 0x80094014 - (1 << 32)

    def view(self, script, stdin, cut):
        if not self.may_view:
            return f"CertUtil: -view FEHLER\nkeyprovider exit {0x80070005 - (1 << 32)}\n"
        common_name = re.search(r"'-restrict' 'Request\.CommonName=([^']*)'", script)[1]
        assert common_name == POOL
        label = "NEW CERTIFICATE REQUEST"
        rows = "".join(
            ROW.format(
                number=number,
                id=row.number,
                disposition=row.disposition,
                request=armoured(row.request, label).decode().strip(),
            )
            for number, row in enumerate(self.rows, 1)
        )
        return VIEW.format(rows=rows, count=len(self.rows)) + "keyprovider exit 0\n"


def run(host, *, check=False, at=NOW, pause=lambda seconds: None, **options):
    order = SubmissionOrder(**{"csr": armoured(CSR, "NEW CERTIFICATE REQUEST"), "template": "LyncWeb", **options})
    return submit_request(host, "ca1", order, check=check, at=at, pause=pause)


def failure(host, **options):
    with pytest.raises((HostError, EnrolmentError)) as caught:
        run(host, **options)
    assert caught.value.remedy
    assert "ca1" in caught.value.place or "option" in caught.value.place
    return caught.value


def test_a_new_request_is_submitted_and_its_certificate_returned():
    host = Host()
    result = run(host)
    assert host.asked == ["read", "submit"]
    assert (result["status"], result["changed"], result["request_id"]) == ("issued", True, 7)
    assert ssl.PEM_cert_to_DER_cert(result["certificate"]) == CERTIFICATE
    assert [ssl.PEM_cert_to_DER_cert(issuer) for issuer in result["chain"]] == [CA]
    assert (result["ca"], result["saved"], result["hresult"]) == (CONFIG, SAVED, None)
    assert result["diff"][0]["before"] == "status: not_submitted\n"


def test_what_is_issued_is_returned_again_from_what_is_kept():
    host = Host()
    first = run(host)
    second = run(host)
    assert host.asked[2:] == ["read"]
    assert second["changed"] is False
    for same in ("status", "request_id", "certificate", "chain", "ca", "saved"):
        assert first[same] == second[same]
    assert len(host.rows) == 1


def test_a_pending_request_is_retrieved_and_never_submitted_again():
    host = Host(policy="pend")
    assert run(host)["status"] == "pending"
    again = run(host)
    assert (again["status"], again["changed"], again["request_id"]) == ("pending", False, 7)
    host.rows[0].disposition = 20
    result = run(host)
    assert (result["status"], result["changed"], result["request_id"]) == ("issued", True, 7)
    assert run(host)["changed"] is False
    assert host.asked == ["read", "submit", "read", "retrieve", "read", "retrieve", "read"]
    assert len(host.rows) == 1


def test_a_denial_is_told_with_its_code_and_what_helps():
    host = Host(policy="deny")
    result = run(host)
    assert (result["status"], result["hresult"], result["request_id"]) == ("denied", "0x80094014", 7)
    assert "CONTOSO\\manager" in result["reason"]
    assert "CERTSRV_E_ADMIN_DENIED_REQUEST" in result["reason"]
    assert result["remedy"]
    assert result["certificate"] is None


def test_a_denied_request_is_submitted_anew():
    host = Host(policy="deny")
    assert [run(host)["changed"] for number in range(2)] == [True, True]
    host.policy = "issue"
    assert run(host)["status"] == "issued"
    assert host.asked == ["read", "submit"] * 3


def test_a_pending_request_that_a_manager_denied_is_told_and_then_submitted_anew():
    host = Host(policy="pend")
    run(host)
    host.rows[0].disposition = 31
    denied = run(host)
    assert (denied["status"], denied["changed"], denied["hresult"]) == ("denied", True, "0x80094014")
    assert run(host)["status"] == "pending"
    assert host.asked[-1] == "submit"


@pytest.mark.parametrize("code", [0x80094012, 0x80094800, 0x80094811])
def test_a_denial_without_a_response_file_is_one_too(code):
    host = Host(policy=code)
    result = run(host)
    assert (result["status"], result["hresult"], result["saved"]) == ("denied", f"0x{code:08x}", None)
    assert host.files is None
    assert host.asked == ["read", "submit", "remove"]


@pytest.mark.parametrize("code", [0x800706BA, 0x800706BF, 0x80070005, 0x800704DC, 0x80094011])
def test_where_nothing_was_submitted_the_next_run_submits(code):
    host = Host(policy=code)
    error = failure(host)
    assert f"0x{code:08x}" in error.message
    assert "Nothing was submitted" in error.message
    assert host.files is None
    host.policy = "issue"
    assert run(host)["status"] == "issued"


@pytest.mark.parametrize("code", [0x80070005, 0x800704DC])
def test_access_denied_explains_the_double_hop(code):
    remedy = failure(Host(policy=code)).remedy
    for words in ("double hop", "delegate_to", "CredSSP", "admin_force_machine"):
        assert words in remedy
    assert "administrator" in failure(Host(policy=code), admin_force_machine=True).remedy


@pytest.mark.parametrize("code", [0x80070050, 0x80070070, 0x800706BE, 0x80041234])
def test_a_failure_with_an_unknown_outcome_is_looked_up_next_time(code):
    host = Host(policy=code)
    assert "not known" in failure(host).message
    assert host.files is not None
    host.add(20)
    host.policy = "issue"
    assert run(host)["status"] == "issued"
    assert host.asked == ["read", "submit", "read", "view", "retrieve"]
    assert len(host.rows) == 1


def test_success_without_a_response_file_is_none():
    host = Host()
    host.without_response = True
    assert "no response file" in failure(host).message
    host.without_response = False
    assert run(host)["status"] == "issued"
    assert len(host.rows) == 1


@pytest.mark.parametrize(
    ("dispositions", "expected", "number"),
    [
        ([], "submit", None),
        ([30, 31], "submit", None),
        ([21], "submit", None),
        ([9], "retrieve", 7),
        ([20], "retrieve", 7),
        ([31, 20, 9], "retrieve", 8),
        ([20, 20], "retrieve", 8),
    ],
)
def test_a_submission_that_was_cut_is_looked_up_in_the_database(dispositions, expected, number):
    host = Host()
    host.files = {"request.req": b"", "ca.txt": CONFIG.encode()}
    for disposition in dispositions:
        host.add(disposition)
    host.add(20, make_request("somebody else"))
    result = run(host)
    assert host.asked == ["read", "view", expected]
    if number:
        assert result["request_id"] == number


def test_a_damaged_response_counts_as_none():
    host = Host()
    host.files = {"response.rsp": b"garbage", "ca.txt": CONFIG.encode()}
    host.add(20)
    assert run(host)["status"] == "issued"
    assert host.asked == ["read", "view", "retrieve"]


def test_where_the_database_cannot_be_read_nothing_is_submitted():
    host = Host()
    host.files = {}
    host.may_view = False
    error = failure(host)
    assert host.asked == ["read", "view"]
    assert "E_ACCESSDENIED" in error.message
    assert "resubmit: true" in error.remedy
    assert run(host, resubmit=True)["status"] == "issued"


def test_a_request_without_a_plain_common_name_cannot_be_looked_up():
    host = Host()
    host.files = {}
    strange = make_request(common_name="a,Disposition=20")
    error = failure(host, csr=armoured(strange, "CERTIFICATE REQUEST"))
    assert "resubmit" in error.remedy
    assert host.asked == ["read"]


def test_a_garbage_response_is_kept_and_not_submitted_again():
    host = Host()
    host.answer = lambda row, name: host.files.update({name: b"garbage"}) or 0
    assert "not submitted again" in failure(host).message
    assert failure(host)
    assert host.asked == ["read", "submit", "read", "view", "retrieve"]
    assert len(host.rows) == 1


def test_a_certificate_for_another_key_is_refused():
    host = Host()
    host.certificate = make_certificate("other")
    for step in ("submit", "view"):
        error = failure(host)
        assert host.asked[-1] == step or host.asked[-2] == step
        assert "public key" in error.message
        assert SAVED in error.message
    assert len(host.rows) == 1


def test_a_certificate_without_the_names_is_refused_each_time():
    host = Host()
    host.certificate = make_certificate(subject="other.contoso.example")
    assert POOL in failure(host).message
    assert POOL in failure(host).message
    assert host.asked == ["read", "submit", "read"]


def test_a_certificate_from_the_future_is_refused():
    host = Host()
    host.certificate = make_certificate(begin=NOW + timedelta(hours=1))
    assert "not valid yet" in failure(host).message
    assert run(host, at=NOW + timedelta(hours=2))["status"] == "issued"
    assert len(host.rows) == 1


def test_waiting_asks_again_until_a_manager_approves():
    host = Host(policy="pend")
    host.certificate = make_certificate(begin=NOW + timedelta(seconds=60))
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            host.rows[0].disposition = 20

    result = run(host, wait=100, poll=30, pause=pause)
    assert result["status"] == "issued"
    assert pauses == [30, 30, 30]
    assert host.asked == ["read", "submit", "retrieve", "retrieve", "retrieve"]


def test_waiting_ends_and_the_request_stays_pending():
    pauses = []
    result = run(Host(policy="pend"), wait=70, poll=30, pause=pauses.append)
    assert (result["status"], result["changed"], pauses) == ("pending", True, [30, 30, 10])


def test_the_time_that_was_waited_counts_for_the_clock():
    host = Host(policy="pend")
    host.certificate = make_certificate(begin=NOW + timedelta(seconds=900))

    def pause(seconds):
        host.rows[0].disposition = 20

    assert run(host, wait=1800, poll=1200, pause=pause)["status"] == "issued"


def test_a_request_made_elsewhere_is_retrieved_by_its_id():
    host = Host()
    host.add(20)
    result = run(host, request_id=7)
    assert (result["status"], result["changed"], result["request_id"]) == ("issued", True, 7)
    assert run(host, request_id=7)["changed"] is False
    assert host.asked == ["read", "retrieve", "read"]


def test_an_id_of_another_request_is_refused_and_leaves_nothing():
    host = Host()
    host.certificate = make_certificate("other")
    host.add(20, make_request("other"))
    assert "another key" in failure(host, request_id=7).message
    assert host.files is None


def test_an_unknown_id_is_told():
    error = failure(Host(), request_id=99)
    assert "CERTSRV_E_PROPERTY_EMPTY" in error.message
    assert "request_id" in error.remedy


def test_a_ca_that_is_down_leaves_a_pending_request_as_it_is():
    host = Host(policy="pend")
    run(host)
    host.policy = RPC_DOWN
    assert "RPC_S_SERVER_UNAVAILABLE" in failure(host).message
    host.policy = "pend"
    assert run(host)["status"] == "pending"
    assert len(host.rows) == 1


@pytest.mark.parametrize("policy", ["issue", "pend", "deny"])
def test_check_mode_submits_nothing(policy):
    host = Host(policy=policy)
    result = run(host, check=True)
    assert (result["status"], result["changed"], result["certificate"]) == ("not_submitted", True, None)
    run(host)
    before = [*host.rows], {**host.files}
    again = run(host, check=True)
    assert host.asked == ["read", "read", "submit", "read"]
    assert again["changed"] is (policy == "deny")
    assert again["status"] == {"issue": "issued", "pend": "pending", "deny": "not_submitted"}[policy]
    assert before == ([*host.rows], host.files)


@pytest.mark.parametrize(("dispositions", "status"), [([], "not_submitted"), ([9], "pending"), ([20], "issued")])
def test_check_mode_looks_into_the_database_at_most(dispositions, status):
    host = Host()
    host.files = {}
    for disposition in dispositions:
        host.add(disposition)
    result = run(host, check=True)
    assert (result["status"], result["changed"]) == (status, True)
    assert result["request_id"] == (7 if dispositions else None)
    assert host.asked == ["read", "view"]


def test_the_command_line_gives_every_path_and_no_prompt():
    host = Host()
    run(host, admin_force_machine=True)
    script = host.scripts[1]
    assert "'-submit' '-q' '-f' '-AdminForceMachine' '-config' 'CA1\\Contoso Issuing CA 1'" in script
    assert " '-attrib' 'CertificateTemplate:LyncWeb' " in script
    files = ("request.req", "certificate.cer", "chain.p7b", "response.rsp")
    assert " ".join(f"($d+'\\{file}')" for file in files) in script
    assert host.files["request.req"].startswith(b"-----BEGIN CERTIFICATE REQUEST-----\r\n")


@pytest.mark.parametrize("template", [None, "1.3.6.1.4.1.311.21.8.1.2.3"])
def test_without_a_name_the_template_stands_in_the_request(template):
    host = Host()
    run(host, template=template)
    assert "-attrib" not in host.scripts[1]


def test_a_given_ca_is_asked_without_looking_for_a_local_one():
    host = Host(local_ca=None)
    result = run(host, ca="ca2.contoso.example\\Contoso CA (2)")
    assert result["ca"] == "ca2.contoso.example\\Contoso CA (2)"
    assert "reg.exe" not in host.scripts[0]


def test_without_a_ca_on_the_host_the_remedy_says_how_to_give_one():
    host = Host(local_ca=None)
    assert "HOST\\CA name" in failure(host).remedy
    assert host.asked == ["read"]


def test_a_pending_request_stays_with_its_ca():
    host = Host(policy="pend")
    run(host)
    assert CONFIG in failure(host, ca="ca2\\Other CA").remedy
    assert host.asked == ["read", "submit", "read"]


@pytest.mark.parametrize(
    "ca",
    [
        "",
        "CA1",
        "CA1\\",
        "\\Contoso",
        "-",
        'CA1\\a"b',
        "CA1\\a\nb",
        "CA1\\a\\b",
        "CA1\\-x",
        "c a\\b",
        "CA1\\a ",
        "x\\a;b",
    ],
)
def test_what_is_no_ca_never_reaches_the_host(ca):
    host = Host()
    assert "configuration string" in failure(host, ca=ca).message
    assert host.asked == []


@pytest.mark.parametrize(
    "template",
    [
        "",
        " Web",
        "Web\\nSAN:dns=evil.example",
        "Web:x",
        "Web&y",
        'Web"',
        "Web\nSAN",
        "Web'",
        "a" * 65,
        "Web;x",
        "W\u2019",
    ],
)
def test_no_template_can_add_an_attribute(template):
    host = Host()
    assert failure(host, template=template).place == "the option 'template'"
    assert host.asked == []


@pytest.mark.parametrize("options", [{"request_id": 0}, {"request_id": -1}, {"wait": -1}, {"poll": 0}])
def test_numbers_out_of_range_are_refused(options):
    assert "option" in failure(Host(), **options).place


@pytest.mark.parametrize("csr", [b"", b"hello", armoured(CERTIFICATE), armoured(CSR, "CERTIFICATE REQUEST") * 2])
def test_what_is_no_request_never_reaches_the_host(csr):
    host = Host()
    assert failure(host, csr=csr).place == "the option 'csr'"
    assert host.asked == []


@pytest.mark.parametrize("prepared", ["", "keyprovider error WmVyc3TDtnJ0\n", "keyprovider directory QzpcWA==\n"])
def test_what_is_kept_must_be_readable(prepared):
    host = Host()
    host.read = lambda script: prepared
    assert failure(host).place == "ca1, reading"


def test_a_full_disk_before_the_submission_leaves_nothing():
    host = Host()
    host.submit = lambda *given: Host.own("error", "Es steht nicht genug Speicherplatz zur Verf\u00fcgung.".encode())
    error = failure(host)
    assert "Nothing was submitted" in error.message
    assert "Speicherplatz" in error.message
    assert host.asked == ["read", "submit", "remove"]


@pytest.mark.parametrize("said", ["", "keyprovider exit 0\nkeyprovider error WA==\n"])
def test_a_script_that_broke_off_leaves_an_unknown_outcome(said):
    host = Host()
    host.submit = lambda *given: said
    assert "not known" in failure(host).message
    assert host.asked == ["read", "submit"]


CUTS = ("before", "begun", "unanswered", "after")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("issue", "pend", "deny", RPC_DOWN)),
            st.dictionaries(st.integers(1, 3), st.sampled_from(CUTS), max_size=2),
            st.booleans(),
        ),
        max_size=6,
    )
)
def test_wherever_runs_are_cut_one_certificate_is_issued(runs):
    host = Host()
    for policy, cuts, approve in runs:
        host.policy = policy
        host.cut = {len(host.asked) + number: cut for number, cut in cuts.items()}
        with contextlib.suppress(HostError):
            run(host)
        if approve:
            for row in host.rows:
                row.disposition = 20 if row.disposition == 9 else row.disposition
    host.cut = {}
    host.policy = "issue"
    result = run(host)
    if result["status"] == "pending":
        host.rows[-1].disposition = 20
        result = run(host)
    if result["status"] == "denied":
        result = run(host)
    assert result["status"] == "issued"
    assert len(host.issued) == 1
    assert run(host)["changed"] is False
