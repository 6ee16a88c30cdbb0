# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a CA as the scripts of a submission see them, with the responses of MS-WCCE 3.2.1.4.2.1.4.8.2."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
from datetime import datetime, timedelta, timezone

from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import (
    SCRIPT_LIMIT,
    Completed,
    HostUnreachable,
)
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

NOW = datetime(2025, 3, 1, 12, tzinfo=timezone.utc)
POOL = "pool01.contoso.example"
CONFIG = r"CA1\Contoso Issuing CA 1"
SAVED = r"C:\Users\deploy\AppData\Local\winpki.keyprovider\submissions\0"
RPC_DOWN = 0x800706BA


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


def issued_response(certificate=CERTIFICATE):
    return armoured(response(0, "Issued", certificates=(CA, certificate)))


def pending_response(number):
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
        self.says = ""

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
            said = f"keyprovider begun\n{self.says}Certificate Request Processor: Fehler\n"
            return f"{said}keyprovider exit {self.policy - (1 << 32)}\n"
        row = self.add({"issue": 20, "pend": 9, "deny": 31}[self.policy], request)
        output = f'Anforderungs-ID: {row.number}\r\nAnforderungs-ID: "{row.number}"\r\n'
        if cut == "unanswered":
            return ""
        if not self.without_response:
            code = self.answer(row, "response.rsp")
        self.files["output.txt"] = output.encode()
        return f"keyprovider begun\n{output}keyprovider exit {code}\n{self.told()}"

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
            self.files[name] = issued_response(self.certificate)
            self.files["certificate.cer"] = armoured(self.certificate)
            self.files["chain.p7b"] = base64.encodebytes(
                pkcs7.serialize_certificates([x509.load_der_x509_certificate(CA)], Encoding.DER)
            )
            return 0
        self.files[name] = pending_response(row.number) if row.disposition == 9 else DENIED
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
