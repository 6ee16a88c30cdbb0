# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host that answers the scripts around an installation by what stands in them, for tests without the lab."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import cache

from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import SCRIPT_LIMIT, Completed
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.lync.cmdlets import COLUMNS
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7
from lab.formats.pfx import write_pfx
from lab.formats.pfx_read import WrongPassword, read_pfx
from lab.formats.serialized import reg_query
from lab.host.store import KeyReference, blob_of
from lab.pki import Authority, Issued, KeyPool, Wanted, public_key_der

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
ENHANCED = "Microsoft Enhanced Cryptographic Provider v1.0"
KSP = "Microsoft Software Key Storage Provider"
AT = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
IDENTITY = "0123456789abcdef0123456789abcdef"


@cache
def authority() -> Authority:
    """The CA of the tests."""
    return Authority(
        "CN=Contoso Issuing CA",
        KeyPool(),
        not_before=AT - timedelta(days=400),
        not_after=AT + timedelta(days=4000),
    )


@cache
def issued(
    name: str = "fe01.contoso.example", *, begins: int = -1, ends: int = 365, key: str = "rsa2048", sans: str = ""
) -> Issued:
    """A certificate for a name, valid for some days around the moment of the tests; each has a key of its own."""
    made = Authority(
        "CN=Contoso Issuing CA", KeyPool(1), not_before=AT - timedelta(days=400), not_after=AT + timedelta(days=4000)
    )
    made._issued = authority()._issued
    names = tuple(sans.split()) or (name,)
    return made.issue(
        Wanted(f"CN={name}", AT + timedelta(days=begins), AT + timedelta(days=ends), key, subject_alt_names=names)
    )


@cache
def subordinate(name: str = "CN=Contoso Server CA") -> Authority:
    """A CA beneath that of the tests."""
    begins, ends = AT - timedelta(days=300), AT + timedelta(days=3000)
    made = Authority(name, KeyPool(1), not_before=begins, not_after=ends)
    made._issued = authority().issue(Wanted(name, begins, ends, extended_key_usage=None, is_ca=True))
    return made


def key_in(provider: str = SCHANNEL, kind: int = 12, container: str | None = "te-1", **values: int) -> KeyReference:
    """The property 2 of a certificate."""
    return KeyReference(provider, kind, values.pop("key_spec", 1), container, **values)


def cng(container: str = "tq-1") -> KeyReference:
    """The property 2 of a key in the software KSP."""
    return key_in(KSP, 0, container, key_spec=0)


def csr_of(certificate: Issued, *names: str) -> bytes:
    """The request that a certificate answers, as certreq writes it."""
    wanted = names or (certificate.certificate.subject.rfc4514_string().removeprefix("CN="),)
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(certificate.certificate.subject)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in wanted]), critical=False)
        .sign(certificate.key, hashes.SHA256())
    )
    return request.public_bytes(Encoding.PEM).replace(b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST")


def pem(certificate: Issued) -> bytes:
    """PEM."""
    return certificate.certificate.public_bytes(Encoding.PEM)


def pfx(certificate: Issued, password: str = "p", provider: str | None = SCHANNEL, chain: bool = True) -> bytes:
    """A PFX as Windows exports it."""
    return write_pfx(
        certificate.key,
        certificate.certificate,
        password=password,
        provider=provider,
        machine_keyset=True,
        chain=[authority().certificate.certificate] if chain else [],
    )


@dataclass(frozen=True)
class Held:
    """A certificate in a store."""

    issued: Issued
    key: KeyReference | None
    friendly_name: str | None = None
    archived: bool = False

    @property
    def thumbprint(self) -> str:
        return self.issued.thumbprint

    @property
    def blob(self) -> bytes:
        return blob_of(self.issued, self.key, friendly_name=self.friendly_name, archived=self.archived)


def _told(name: str, data: bytes | str) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return f"keyprovider {name} {base64.b64encode(raw).decode()}\r\n"


Step = Callable[["FakeHost", str, bytes], str]


class FakeHost:
    """Windows as far as these scripts need it. ``faults`` replaces what a step does, by the name of the step."""

    def __init__(
        self, my: Sequence[Held] = (), request: Sequence[Held] = (), saved: Mapping[str, bytes] | None = None
    ) -> None:
        self.my = list(my)
        self.request = list(request)
        self.saved = dict(saved or {})
        self.ca: list[str] = []
        self.issuers: dict[str, list[str]] = {"CA": [], "Root": [authority().certificate.thumbprint]}
        """The thumbprints in the stores CA and Root."""
        self.clock = AT
        self.build: str | None = "9600"
        self.lync: str | None = None
        self.containers = {(held.key.provider, held.key.container) for held in (*my, *request) if held.key}
        self.steps: list[str] = []
        self.scripts: list[str] = []
        self.inputs: list[bytes] = []
        self.faults: dict[str, Step] = {}
        self.import_provider: KeyReference | None = None
        """Where an import puts the key instead of where the file says."""

    @property
    def changes(self) -> list[str]:
        """The steps that change something."""
        return [step for step in self.steps if step not in ("read", "sign", "lync", "export")]

    def find(self, thumbprint: str) -> Held | None:
        """A certificate of My."""
        return next((held for held in self.my if held.thumbprint == thumbprint), None)

    def run(self, *arguments: str) -> Completed:
        """A native command of its own: the listing of stores after a query that gave nothing."""
        line = " ".join(arguments)
        root = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SystemCertificates"
        if line.endswith("SystemCertificates"):
            return Completed(0, f"\r\n{root}\\My\r\n{root}\\REQUEST\r\n".encode(), b"")
        return Completed(1, b"", b"ERROR")

    def run_script(self, script: str, stdin: bytes | None = None) -> Completed:
        """Do what a script says, in the order in which it says it."""
        assert len(script) <= SCRIPT_LIMIT
        data = base64.b64decode(b"".join((stdin or b"").split()))
        self.scripts.append(script)
        self.inputs.append(stdin or b"")
        output = ""
        for mark, name, step in (
            ("Get-CsCertificate", "lync", FakeHost._lync),
            ("'-accept'", "accept", FakeHost._accept),
            ("'-repairstore'", "repair", FakeHost._repair),
            ("SignData", "sign", FakeHost._sign),
            ("$c.Import(", "import", FakeHost._import),
            ("$i.Import(", "issuers", FakeHost._issuers),
            (".Export('Pfx'", "export", FakeHost._export),
            ("'-delkey'", "delkey", FakeHost._delkey),
            ("'-delstore'", "delstore", FakeHost._delstore),
            ("'query'", "read", FakeHost._query),
            ("exitsaved", "tidy", FakeHost._tidy),
        ):
            if mark in script:
                self.steps.append(name)
                output += self.faults.get(name, step)(self, script, data)
                if "!stop" in output:
                    # What stands behind the try statement still runs.
                    output = output.replace("!stop", "")
                    if script.endswith("exitrequest '+$LASTEXITCODE\n") and name != "read":
                        output += FakeHost._query(self, script, data)
                    break
        return Completed(0, output.encode(), b"")

    def _lync(self, script: str, data: bytes) -> str:
        if self.lync is None:
            return "keyprovider none\r\n"
        rest = "," * (len(COLUMNS) - 2)
        rows = f"{','.join(COLUMNS)}\n" + "".join(f"Default,{used}{rest}\n" for used in self.lync.split())
        return _told("version", "5.0") + _told("parameters", "") + _told("local", rows) + "keyprovider end\r\n"

    def _accept(self, script: str, data: bytes) -> str:
        bag = pkcs7.load_der_pkcs7_certificates(data)
        for held in self.request:
            for leaf in bag:
                if held.issued.certificate.public_key() != leaf.public_key():
                    continue
                self.request.remove(held)
                self.my.append(replace(held, issued=Issued(leaf.public_bytes(Encoding.DER), leaf, held.issued.key)))
                self.ca += [each.subject.rfc4514_string() for each in bag if each != leaf]
                return "\r\nInstalled Certificate:\r\nkeyprovider exitaccept 0\r\n"
        return "keyprovider exitaccept -2146885628\r\n"

    def _repair(self, script: str, data: bytes) -> str:
        text = data.decode("utf-16") if data.startswith(b"\xff\xfe") else data.decode("ascii")
        thumbprint = re.findall(r"'-repairstore' 'My' '(\w+)'", script)[0]
        for number, held in enumerate(self.my):
            if held.thumbprint == thumbprint:
                name = re.search(r'11 = "\{text\}(.*)"', text)
                archived = held.archived or "19 = Empty" in text
                self.my[number] = replace(
                    held, friendly_name=name[1] if name else held.friendly_name, archived=archived
                )
        return "keyprovider exitrepair 0\r\n"

    def _sign(self, script: str, data: bytes) -> str:
        found = self.find(re.findall(r"'FindByThumbprint','(\w+)'", script)[0])
        if found is None or found.archived:
            return "keyprovider exitfound 0\r\n"
        if found.key is None or not found.key.provider_type:
            return "keyprovider exitfound 1\r\n"
        signature = found.issued.key.sign(data, padding.PKCS1v15(), hashes.SHA1())
        return (
            "keyprovider exitfound 1\r\n"
            + _told("provider", found.key.provider or "")
            + f"keyprovider exittype {found.key.provider_type}\r\nkeyprovider exitspec {found.key.key_spec}\r\n"
            + _told("signature", signature)
        )

    def _import(self, script: str, data: bytes) -> str:
        encoded, password = (base64.b64decode(part) for part in data.split(b":")[:2])
        try:
            content = read_pfx(encoded, password.decode(), aes=int(self.build or 0) >= 16299)
        except WrongPassword:
            return _told("error", "Das angegebene Netzwerkkennwort ist falsch.") + "!stop"
        [key], [certificate] = content.keys, content.certificates
        loaded = x509.load_der_x509_certificate(certificate.der)
        assert public_key_der(loaded) == key.key.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        assert key.machine_keyset
        kinds = {SCHANNEL: 12, ENHANCED: 1}
        made = self.import_provider or key_in(key.provider or ENHANCED, kinds[key.provider or ENHANCED], "imported")
        self.my.append(Held(Issued(certificate.der, loaded, key.key), made, certificate.friendly_name))
        self.containers.add((made.provider, made.container))
        return "keyprovider exitread 1\r\n" + _told("container", made.container or "")

    def _issuers(self, script: str, data: bytes) -> str:
        for name, part in zip(("CA", "Root"), data.split(b":")[2:], strict=True):
            if f"('{name}','LocalMachine')\n$s.Open('ReadWrite')" in script:
                found = [base64.b64decode(one, validate=True) for one in part.split(b",")]
                self.issuers[name] += [hashlib.sha1(der).hexdigest().upper() for der in found]
        return ""

    def _export(self, script: str, data: bytes) -> str:
        found = self.find(re.findall(r"'FindByThumbprint','(\w+)'", script)[0])
        assert found
        made = pfx(found.issued, data.decode(), found.key.provider, chain=False)
        return "keyprovider exitfound 1\r\n" + _told("pfx", made)

    def _delkey(self, script: str, data: bytes) -> str:
        provider, container = re.findall(r"'-csp' '([^']+)' '-delkey' '([^']+)'", script)[0]
        if (provider, container) not in self.containers:
            return "keyprovider exitkey -2146893802\r\n"
        self.containers.remove((provider, container))
        return f"\r\n  {container}\r\nkeyprovider exitkey 0\r\n"

    def _delstore(self, script: str, data: bytes) -> str:
        store, thumbprint = re.findall(r"'-delstore' '(\w+)' '(\w+)'", script)[0]
        stored = self.my if store == "My" else self.request
        stored[:] = [held for held in stored if held.thumbprint != thumbprint]
        return "keyprovider exitstore 0\r\n"

    def _tidy(self, script: str, data: bytes) -> str:
        identities = re.findall(r"'([0-9a-f]{32})'", script)
        for identity in identities:
            self.saved.pop(identity, None)
        return f"keyprovider exitsaved {len(identities)}\r\n"

    def _query(self, script: str, data: bytes) -> str:
        output = ""
        for store, stored in (("My", self.my), ("REQUEST", self.request)):
            output += reg_query({held.thumbprint: held.blob for held in stored}, store) if stored else ""
            output += f"keyprovider exit{store.lower()} {0 if stored or store == 'My' else 1}\r\n"
        for name, thumbprints in self.issuers.items():
            if f"('{name}','LocalMachine')\n$s.Open('ReadOnly')" in script:
                output += _told(name.lower(), " ".join(thumbprints))
        if "CurrentBuild" in script and self.build:
            output += _told(
                "build", f" HKEY_LOCAL_MACHINE\\...\\CurrentVersion     CurrentBuild    REG_SZ    {self.build} "
            )
        if "UtcNow" in script:
            entries = (f"{name}:{base64.b64encode(content).decode()} " for name, content in self.saved.items())
            output += _told("saved", "".join(entries))
            output += _told("clock", self.clock.strftime("%Y-%m-%dT%H:%M:%S"))
        return output


def failing(text: str) -> Step:
    """A step that does nothing and prints a text."""
    return lambda host, script, data: text


def stopping(message: str, before: str = "") -> Step:
    """A step in which the script ends early."""
    return lambda host, script, data: before + _told("error", message) + "!stop"
