# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence as it is met in the field: excerpts, several tools in one file, other languages, other programs' files."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.certutil import read_certutil
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.formats import detect, read
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.pem import read_pem
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.pfx import read_pfx
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Certificate
from lab.formats.pfx import write_pfx
from lab.formats.request import armoured, pkcs10
from lab.formats.serialized import reg_query
from lab.pki import KeyPool, Wanted, self_signed

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
STRONG = "Microsoft Strong Cryptographic Provider"
KSP = "Microsoft Software Key Storage Provider"
SHA1 = "2b" * 20
WEB = self_signed(
    Wanted(
        "CN=web.fabrikam.example", datetime(2025, 1, 1, tzinfo=timezone.utc), datetime(2027, 1, 1, tzinfo=timezone.utc)
    ),
    KeyPool(1),
)
STORE = f"""\
My "Personal"
================ Certificate 0 ================
Serial Number: 4b00000012
Issuer: CN=Fabrikam Issuing CA
Subject: CN=pool.fabrikam.example
Cert Hash(sha1): {SHA1}
  Provider = {STRONG}
Encryption test passed
CertUtil: -store command completed successfully.
"""


def only(text: str) -> Certificate:
    reading = read_certutil(text.encode(), "dump.txt")
    assert reading.problems == ()
    (certificate,) = reading.certificates
    return certificate


def duration(data: bytes) -> float:
    """Processor seconds to find that this is no evidence, the best of three."""
    best = float("inf")
    for _round in range(3):
        start = time.process_time()
        assert detect(data) is None
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize(
    ("before", "unit", "after"),
    [
        (b"", b'{"name": "value = other", ', b""),
        (b"", b"a = b; ", b""),
        (b"x\n", b"\n", b"x"),
        (b"===== ", b"1", b""),
        (b"", b"(sha1)", b""),
        (b"", b"CERT_", b""),
    ],
    ids=["json", "script", "blank lines", "digits", "hashes", "constants"],
)
def test_the_time_for_text_of_another_program_grows_with_its_length_only(before: bytes, unit: bytes, after: bytes):
    """Eight times the text took 64 times as long when a pattern began anew at each place."""
    short, long = (before + unit * (size // len(unit)) + after for size in (40_000, 320_000))
    assert duration(long) < 24 * max(duration(short), 0.002)


@pytest.mark.parametrize("certutil_first", [True, False])
def test_a_file_with_the_output_of_reg_and_certutil_yields_both(store: dict[str, bytes], *, certutil_first: bool):
    registry = "C:\\>reg query HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\MY /s\n" + reg_query(store)
    parts = [STORE, registry] if certutil_first else [registry, STORE]
    reading = read("\n".join(parts).encode(), "host.txt")
    assert reading.problems == ()
    assert {certificate.thumbprint for certificate in reading} == {*store, SHA1.upper()}


def test_a_remote_registry_is_recognized(store: dict[str, bytes]):
    remote = reg_query(store).replace("HKEY_LOCAL_MACHINE", "\\\\FE01\\HKEY_LOCAL_MACHINE")
    assert {certificate.thumbprint for certificate in read(remote.encode(), "fe01.txt")} == set(store)


def test_certutil_that_shows_a_registry_value_is_certutil():
    text = (
        "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\CertSvc\\Configuration\\Fabrikam CA\\AuditFilter:\n"
        "  AuditFilter REG_DWORD = 7f (127)\n"
        "CertUtil: -getreg command completed successfully.\n"
    )
    (problem,) = read(text.encode(), "ca.txt").problems
    assert "certutil -getreg" in problem.message


def test_the_hash_of_the_signature_is_no_serial_number():
    certificate = only(f"""\
Cert Hash(md5): {"3c" * 16}
Cert Hash(sha1): {SHA1}
Signature Hash: {"4d" * 32}

  CERT_KEY_PROV_INFO_PROP_ID(2):
    Key Container = le-0001
    Provider = {KSP}
    ProviderType = 0
    Flags = 20 (32)
    KeySpec = 0 -- XCN_AT_NONE
""")
    assert (certificate.thumbprint, certificate.serial_number) == (SHA1.upper(), None)
    assert certificate.key.kind == "ksp"


def test_a_printout_without_its_serial_number_is_still_a_certificate_and_no_revocation_list():
    certificate = only(f"""\
================ Certificate 0 ================
Subject: CN=pool.fabrikam.example
Cert Hash(sha1): {SHA1}
  Key Container = lync-1
  Provider = {SCHANNEL}
""")
    assert (certificate.subject, certificate.issuer) == ("CN=pool.fabrikam.example", None)
    assert certificate.key.provider == SCHANNEL


def test_a_printout_with_the_issuer_alone_does_not_give_it_as_the_subject():
    certificate = only(
        f"==== Certificate 0 =====\nSerial Number: 4b12\nIssuer: CN=Fabrikam CA\nCert Hash(sha1): {SHA1}\n"
        f"  Provider = {STRONG}\nEncryption test passed\n"
        "CertUtil: -store command completed successfully.".replace("====", "=====")
    )
    assert (certificate.subject, certificate.issuer) == (None, "CN=Fabrikam CA")


def test_one_name_under_a_translated_label_is_told_and_not_guessed():
    certificate = only(f"""\
================ Сертификат 0 ================
Издатель: CN=Fabrikam CA
Хэш сертификата(sha1): {SHA1}
  Контейнер ключа = lync-1
  Поставщик = {STRONG}
""")
    assert (certificate.subject, certificate.issuer) == (None, None)
    assert any("CN=Fabrikam CA" in note for note in certificate.notes)
    assert certificate.key.provider == STRONG


@pytest.mark.parametrize(
    ("said", "exportable", "present"),
    [
        ("A chave privada NÃO é exportável\nTeste de assinatura aprovado", False, True),
        ("Êxito no teste de criptografia", True, True),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp850", "cp1252"])
def test_portuguese_is_understood(said: str, exportable: bool, present: bool, encoding: str):
    text = f"""\
My "Pessoal"
================ Certificado 0 ================
Número de Série: 4b00000012
Emissor: CN=AC Fabrikam
 NotBefore: 11/11/2025 18:00
 NotAfter: 11/11/2027 18:00
Requerente: CN=pool.fabrikam.example
Certificado não raiz
Hash Cert(sha1): {SHA1}
  Contêiner da chave = lync-1
  Nome de contêiner exclusivo: {"5e" * 16}_f0a99c17-76d3-498a-97de-2992c06105fd
  Provider = {SCHANNEL}
{said}
CertUtil: -store : comando concluído com êxito.
"""
    (certificate,) = read_certutil(text.encode(encoding), "dump.txt").certificates
    key = certificate.key
    assert (key.provider, key.exportable, key.present) == (SCHANNEL, exportable, present)
    assert (key.container, key.unique_container) == ("lync-1", "5e" * 16 + "_f0a99c17-76d3-498a-97de-2992c06105fd")


def test_portuguese_without_a_provider_is_understood():
    certificate = only(f"""\
================ Certificado 0 ================
Número de Série: 4b00000012
Emissor: CN=AC Fabrikam
Requerente: CN=AC Fabrikam
Hash Cert(sha1): {SHA1}
Nenhuma informação de provedor de chave
Não é possível localizar o certificado e a chave privada para decodificação.
CertUtil: -store : comando concluído com êxito.
""")
    assert (certificate.key.kind, certificate.notes) == ("unrecorded", ())


def test_a_trusted_certificate_of_openssl_is_read(issue: Callable[..., bytes]):
    der = issue("www.fabrikam.example")
    trust = bytes.fromhex("300c300a06082b06010505070301")
    for label, expected in (("TRUSTED CERTIFICATE", 1), ("CERTIFICATE", 0)):
        reading = read_pem(armoured(der + trust, label).encode(), "trusted.pem")
        assert len(reading.certificates) == expected
        assert len(reading.problems) == 1 - expected


def test_a_key_without_a_certificate_is_not_called_sealed():
    data = write_pfx(WEB.key, None, password="x", provider=SCHANNEL, machine_keyset=True)
    (certificate,) = read_pfx(data, "key.pfx", "x").certificates
    assert certificate.key.provider == SCHANNEL
    assert certificate.notes == ("No certificate in the file belongs to this key.",)


@pytest.mark.parametrize("data", [b'""', b'"",""\n""', b'# rows\n""\n'])
def test_a_table_of_empty_cells_is_no_evidence(data: bytes):
    assert detect(data) is None
    assert len(read(data, "rows.csv").problems) == 1
    assert len(read(data, "rows.csv", format="ca_view").problems) == 1


def test_rows_as_csv_under_a_translated_heading_are_read_by_their_pem():
    request = armoured(pkcs10(WEB.key, WEB.certificate.subject, provider=KSP)).strip()
    certificate = armoured(WEB.der, "CERTIFICATE").strip()
    text = f'"Anforderungs-ID","Binäre Anforderung","Binärzertifikat"\n"0x4","{request}","{certificate}"\n'
    (found,) = read(text.encode(), "rows.csv").certificates
    assert (found.thumbprint, found.key.provider, found.key.kind) == (WEB.thumbprint, KSP, "ksp")


@pytest.mark.parametrize(("field", "place"), [(0, "offset 12"), (4, "offset 16")])
def test_a_name_outside_of_its_property_is_told_at_its_pointer(blob: Callable[..., bytes], field: int, place: str):
    data = bytearray(blob(WEB.der))
    data[12 + field : 16 + field] = (0xFF0004).to_bytes(4, "little")
    reading = read(bytes(data), "damaged.blob")
    assert [certificate.key.kind for certificate in reading] == ["unrecorded"]
    assert [problem.place for problem in reading.problems] == [place]
