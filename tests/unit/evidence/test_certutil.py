# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Printouts of certutil in several languages, encodings and states of damage. All names and numbers are invented."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.evidence.certutil import read_certutil
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Certificate, Template
from hypothesis import given, settings
from hypothesis import strategies as st

SCHANNEL = "Microsoft RSA SChannel Cryptographic Provider"
STRONG = "Microsoft Strong Cryptographic Provider"
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
SMART_CARD_CSP = "Microsoft Base Smart Card Crypto Provider"
SHA1 = "0a1b2c3d4e5f60718293a4b5c6d7e8f900112233"
SPACED = " ".join(SHA1[at : at + 2] for at in range(0, 40, 2))
THUMBPRINT = SHA1.upper()
SERIAL = "6100000002f7a1b2c3d4e5f607000000000002"
FILE_NAME = "a547eac941e3a6e7ae8e70257435eee5_01234567-89ab-cdef-0123-456789abcdef"
ISSUER = "CN=Contoso Issuing CA, DC=contoso, DC=example"
SUBJECT = "CN=pool01.contoso.example"
DONE = "CertUtil: -store command completed successfully."


def certificate(
    *key: str,
    number: int = 0,
    head: tuple[str, ...] = (),
    issuer: str = ISSUER,
    subject: str = SUBJECT,
    kind: tuple[str, ...] = ("Non-root Certificate",),
    template: str | None = "ContosoWeb, Contoso Web Server",
    sha1: str = SHA1,
) -> str:
    """One certificate of the short English form; ``key`` are the lines after the hash."""
    return "\n".join(
        [
            f"================ Certificate {number} ================",
            *head,
            f"Serial Number: {SERIAL}",
            f"Issuer: {issuer}",
            " NotBefore: 1/2/2026 8:00 AM",
            " NotAfter: 1/2/2028 8:00 AM",
            f"Subject: {subject}",
            *kind,
            *([] if template is None else [f"Template: {template}"]),
            f"Cert Hash(sha1): {sha1}",
            *key,
        ]
    )


def store(*blocks: str, last: str = DONE) -> bytes:
    return "\n".join(['My "Personal"', "\n\n".join(blocks), last, ""]).encode()


def only(data: bytes) -> Certificate:
    reading = read_certutil(data, "fe01.txt")
    assert reading.problems == ()
    (found,) = reading.certificates
    return found


SCHANNEL_KEY = (
    f"  Key Container = {FILE_NAME}",
    "  Simple container name: te-ContosoWeb-42",
    f"  Provider = {SCHANNEL}",
    "Private key is NOT exportable",
    "Encryption test passed",
)
KSP_KEY = (
    "  Key Container = te-ContosoWeb-42",
    f"  Unique container name: {FILE_NAME}",
    f"  Provider = {SOFTWARE_KSP}",
    "Encryption test passed",
)


def test_the_short_form_tells_certificate_key_and_place():
    found = only(store(certificate(*SCHANNEL_KEY)))
    assert (found.thumbprint, found.serial_number) == (THUMBPRINT, SERIAL)
    assert (found.issuer, found.subject) == (ISSUER, SUBJECT)
    assert (found.not_before, found.not_after) == (None, None)
    assert found.template == Template(name="ContosoWeb", display_name="Contoso Web Server")
    assert found.archived is False
    assert (found.source.format, found.source.origin, found.source.place) == ("certutil", "fe01.txt", "line 2")
    assert (found.key.kind, found.key.provider, found.key.provider_type) == ("csp", SCHANNEL, None)
    assert (found.key.container, found.key.unique_container) == ("te-ContosoWeb-42", FILE_NAME)
    assert (found.key.exportable, found.key.present) == (False, True)
    assert found.notes == ()


def test_a_cng_key_names_its_container_the_other_way_round():
    key = only(store(certificate(*KSP_KEY))).key
    assert (key.kind, key.provider) == ("ksp", SOFTWARE_KSP)
    assert (key.container, key.unique_container) == ("te-ContosoWeb-42", FILE_NAME)
    assert (key.exportable, key.present) == (True, True)


@pytest.mark.parametrize(
    ("provider", "container", "unique"),
    [
        pytest.param("Contoso SChannel Cryptographic Provider", "second", "first", id="labelled simple"),
        pytest.param(SMART_CARD_CSP, "second", "first", id="CSP"),
        pytest.param("Contoso Key Storage Provider", "first", "second", id="KSP"),
    ],
)
def test_container_names_without_the_form_of_a_file_name_go_by_the_kind_of_provider(provider, container, unique):
    label = "Simple container name" if "Contoso S" in provider else "Anderer Name"
    lines = ("  Container = first", f"  {label}: second", f"  Provider = {provider}")
    key = only(store(certificate(*lines))).key
    assert (key.container, key.unique_container) == (container, unique)


def test_a_machine_that_prints_a_csp_key_the_cng_way_is_understood():
    lines = ("  Key Container = {AB12}", f"  Unique container name: {FILE_NAME}", f"  Provider = {STRONG}")
    key = only(store(certificate(*lines))).key
    assert (key.kind, key.container, key.unique_container) == ("csp", "{AB12}", FILE_NAME)


GERMAN = f"""\
My "Eigene Zertifikate"
================ Zertifikat 3 ================
Archiviert!
Seriennummer: {SERIAL}
Aussteller: {ISSUER}
 Nicht vor: 02.01.2026 08:00
 Nicht nach: 02.01.2028 08:00
Antragsteller: {SUBJECT}
Kein Stammzertifikat
Vorlage: ContosoWeb
Zertifikathash(sha1): {SHA1}
  Schlüsselcontainer = te-ContosoWeb-42
  Eindeutiger Containername: {FILE_NAME}
  Anbieter = {SOFTWARE_KSP}
Der private Schlüssel ist NICHT exportierbar
Verschlüsselungstest wurde durchgeführt
CertUtil: -store-Befehl wurde erfolgreich ausgeführt.
"""
FRENCH = f"""\
My "Personnel"
================ Certificat 3 ================
Archivé !
Numéro de série\u00a0: {SERIAL}
Émetteur: {ISSUER}
 NotBefore\u00a0: 02/01/2026 08:00
 NotAfter\u00a0: 02/01/2028 08:00
Objet: {SUBJECT}
Il ne s’agit pas d’un certificat racine
Modèle: ContosoWeb
Hach. cert. (sha1)\u00a0: {SPACED}
  Conteneur de clé\u00a0= te-ContosoWeb-42
  Nom de conteneur unique\u00a0: {FILE_NAME}
  Fournisseur = {SOFTWARE_KSP}
Mot qui parle peut-être de l’exportation
Test de chiffrement réussi
CertUtil: -store La commande s’est terminée correctement.
"""
JAPANESE = f"""\
My "個人"
================ 証明書 3 ================
アーカイブ済み！
シリアル番号: {SERIAL}
発行者: {ISSUER}
 この日以降: 2026/01/02 8:00
 この日以前: 2028/01/02 8:00
サブジェクト: {SUBJECT}
ルート証明書ではありません
テンプレート: ContosoWeb
証明書ハッシュ(sha1): {SHA1}
  キー コンテナー = te-ContosoWeb-42
  一意のコンテナー名: {FILE_NAME}
  プロバイダー = {SOFTWARE_KSP}
何かのテスト
CertUtil: -store コマンドは正常に完了しました。
"""
RUSSIAN = f"""\
My "Личное"
================ Сертификат 3 ================
В архиве!
Серийный номер: {SERIAL}
Издатель: {ISSUER}
 NotBefore: 02.01.2026 08:00
 NotAfter: 02.01.2028 08:00
Субъект: {SUBJECT}
Не корневой сертификат
Шаблон: ContosoWeb
Хеш сертификата(sha1): {SHA1}
  Контейнер ключа = te-ContosoWeb-42
  Уникальное имя контейнера: {FILE_NAME}
  Поставщик = {SOFTWARE_KSP}
Что-то о проверке
CertUtil: -store — команда успешно выполнена.
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "native"])
@pytest.mark.parametrize(
    ("text", "native", "exportable", "present"),
    [
        pytest.param(GERMAN, "cp850", False, True, id="German"),
        pytest.param(FRENCH, "cp1252", None, True, id="French"),
        pytest.param(JAPANESE, "cp932", None, None, id="Japanese"),
        pytest.param(RUSSIAN, "cp866", None, None, id="Russian"),
    ],
)
def test_every_language_and_encoding_gives_the_same_certificate(text, native, exportable, present, encoding):
    data = text.replace("\n", "\r\n").encode(native if encoding == "native" else encoding, "replace")
    found = only(data)
    assert (found.thumbprint, found.serial_number) == (THUMBPRINT, SERIAL)
    assert (found.issuer, found.subject) == (ISSUER, SUBJECT)
    assert found.template == Template(name="ContosoWeb")
    assert (found.key.kind, found.key.provider) == ("ksp", SOFTWARE_KSP)
    assert (found.key.container, found.key.unique_container) == ("te-ContosoWeb-42", FILE_NAME)
    assert (found.key.exportable, found.key.present) == (exportable, present)
    if not (encoding == "native" and text is JAPANESE):  # the full-width mark does not survive the wrong code page
        assert found.archived is True


def test_french_read_through_an_oem_code_page_keeps_container_and_provider():
    key = only(FRENCH.replace("\u00a0", "\ufffd").replace("é", "\ufffd").encode()).key
    assert (key.container, key.provider, key.present) == ("te-ContosoWeb-42", SOFTWARE_KSP, True)


def test_silence_about_export_counts_only_where_every_word_is_understood():
    understood = FRENCH.replace("Mot qui parle peut-être de l’exportation\n", "")
    assert only(understood.encode()).key.exportable is True
    assert only(FRENCH.encode()).key.exportable is None


def test_silence_about_export_means_nothing_for_a_hardware_provider():
    key = only(store(certificate(f"  Provider = {SMART_CARD_CSP}", "Encryption test passed"))).key
    assert (key.exportable, key.present) == (None, True)


def test_a_key_that_leaves_encrypted_only_is_exportable():
    key = only(
        store(certificate(*KSP_KEY[:3], "Private key is NOT plain text exportable", "Signature test passed"))
    ).key
    assert (key.exportable, key.present) == (True, True)


def test_a_missing_keyset_is_not_taken_for_a_lost_key():
    found = only(store(certificate(*SCHANNEL_KEY[:3], "Missing stored keyset")))
    assert (found.key.kind, found.key.present, found.key.exportable) == ("csp", None, None)
    assert "Missing stored keyset" in found.notes[0]
    assert "elevated" in found.notes[0]


@pytest.mark.parametrize(
    ("provider", "line", "present"),
    [
        pytest.param(SCHANNEL, "Missing stored keyset", False, id="gone"),
        pytest.param(SMART_CARD_CSP, "Missing stored keyset", None, id="the card may be elsewhere"),
        pytest.param(SCHANNEL, "Cannot find the certificate and private key for decryption.", None, id="signature key"),
        pytest.param(SCHANNEL, "Encryption test passed", True, id="there"),
    ],
)
def test_an_administrator_who_does_not_find_a_key_knows_that_it_is_gone(provider, line, present):
    text = store(certificate("  Key Container = x", f"  Provider = {provider}", line))
    (found,) = read_certutil(text, "x", elevated=True).certificates
    assert found.key.present is present


def test_a_failed_test_is_told_and_a_passed_one_settles_it():
    failed = "Encryption test FAILED: Access is denied. 0x80070005 (WIN32: 5)"
    assert failed in only(store(certificate(*SCHANNEL_KEY[:3], failed))).notes[0]
    assert only(store(certificate(*SCHANNEL_KEY[:3], failed, "Signature test passed"))).notes == ()


def test_a_certificate_without_provider_is_unrecorded():
    lines = ("No key provider information", "Cannot find the certificate and private key for decryption.")
    key = only(store(certificate(*lines))).key
    assert (key.kind, key.provider, key.present) == ("unrecorded", None, None)


def test_a_key_found_without_a_record_is_ambiguous_and_explained():
    lines = (
        "No key provider information",
        f"  Provider = {SCHANNEL}",
        "  Simple container name: x",
        "Signature test passed",
    )
    found = only(store(certificate(*lines)))
    assert found.key.kind == "ambiguous"
    assert [(key.kind, key.provider) for key in found.key.candidates] == [("unrecorded", None), ("csp", SCHANNEL)]
    assert "-repairstore" in found.notes[0]


def test_a_key_used_without_any_provider_is_told():
    found = only(store(certificate("No key provider information", "Signature test passed")))
    assert (found.key.kind, found.key.present) == ("unrecorded", True)
    assert "records no key provider" in found.notes[0]


def test_an_unknown_provider_is_found_by_its_place_and_not_classified():
    found = only(store(certificate("  Schlüsselcontainer = c1", "  Anbieter = Fabrikam Token CSP")))
    assert (found.key.kind, found.key.provider, found.key.container) == ("ambiguous", "Fabrikam Token CSP", "c1")
    assert "Fabrikam Token CSP" in found.notes[0]


def test_an_unknown_provider_alone_is_found_by_the_label_of_its_neighbours():
    reading = read_certutil(
        store(
            certificate("  Behälter = c1", f"  Anbieter = {SCHANNEL}"),
            certificate("  Anbieter = Fabrikam Key Storage Provider", number=1),
            certificate("  Behälter = c2", number=2),
        ),
        "x",
    )
    keys = [(found.key.kind, found.key.provider, found.key.container) for found in reading]
    assert keys == [("csp", SCHANNEL, "c1"), ("ksp", "Fabrikam Key Storage Provider", None), ("unrecorded", None, "c2")]


def test_the_key_specification_of_newer_releases_is_read_and_repeated_tests_are_one_key():
    found = only(
        store(
            certificate(
                *SCHANNEL_KEY[:3],
                f"{SCHANNEL}: KeySpec=1",
                "AES256+RSAES_OAEP(RSA:AT_KEYEXCHANGE) test passed",
                "Encryption test passed",
                "================ Begin force NCrypt ================",
                f"  Provider = {SOFTWARE_KSP}",
                "Encryption test passed (CNG)",
                "----------------  End force NCrypt  ----------------",
            )
        )
    )
    assert (found.key.kind, found.key.provider, found.key.key_spec) == ("csp", SCHANNEL, 1)
    assert found.key.exportable is True


def test_several_certificates_keep_their_keys_and_places():
    reading = read_certutil(store(certificate(*SCHANNEL_KEY), certificate(*KSP_KEY, number=1)), "x")
    assert [(found.key.provider, found.source.place) for found in reading] == [
        (SCHANNEL, "line 2"),
        (SOFTWARE_KSP, "line 17"),
    ]


@pytest.mark.parametrize(
    ("kind", "template", "expected"),
    [
        pytest.param(("Non-root Certificate",), "", None, id="empty"),
        pytest.param(("Non-root Certificate",), None, None, id="absent"),
        pytest.param(("CA Version: V0.0",), None, None, id="CA version alone"),
        pytest.param(
            ("Non-root Certificate",), "1.3.6.1.4.1.311.21.8.1.2", Template(oid="1.3.6.1.4.1.311.21.8.1.2"), id="OID"
        ),
        pytest.param(
            ("Non-root Certificate",),
            "1.3.6.1.4.1.311.21.8.1.2, Contoso Web",
            Template(oid="1.3.6.1.4.1.311.21.8.1.2", display_name="Contoso Web"),
            id="OID and name",
        ),
        pytest.param(
            ("Certificate Template Name (Certificate Type): SubCA", "CA Version: V1.0", "Non-root Certificate"),
            None,
            Template(name="SubCA"),
            id="version 1 only",
        ),
    ],
)
def test_the_template_is_found_by_its_place(kind, template, expected):
    assert only(store(certificate(*SCHANNEL_KEY, kind=kind, template=template))).template == expected


@pytest.mark.parametrize(
    ("template", "expected"), [(None, None), ("CA, Root", Template(name="CA", display_name="Root"))]
)
def test_the_line_that_calls_a_root_a_root_is_no_template(template, expected):
    kind = ("CA Version: V0.0", "Signature matches Public Key", "Root Certificate: Subject matches Issuer")
    found = only(store(certificate("No key provider information", subject=ISSUER, kind=kind, template=template)))
    assert found.template == expected


def test_a_certificate_without_subject_is_read():
    found = only(store(certificate(*SCHANNEL_KEY, subject="EMPTY (DNS Name=pool01.contoso.example)")))
    assert (found.issuer, found.subject) == (ISSUER, None)


def test_a_hash_of_the_wrong_length_gives_no_thumbprint_but_a_note():
    found = only(store(certificate(*SCHANNEL_KEY, sha1=SHA1 + "a")))
    assert found.thumbprint is None
    assert "41 characters" in found.notes[0]
    assert found.key.kind == "csp"


VERBOSE = f"""\
================ Certificate 0 ================
X509 Certificate:
Version: 3
Serial Number: {SERIAL}
Signature Algorithm:
    Algorithm ObjectId: 1.2.840.113549.1.1.11 sha256RSA
    Algorithm Parameters:
    05 00
Issuer:
    CN=Contoso Issuing CA
    DC=contoso
    DC=example
  Name Hash(sha1): 1111111111111111111111111111111111111111
  Name Hash(md5): 22222222222222222222222222222222

 NotBefore: 1/2/2026 8:00 AM
 NotAfter: 1/2/2028 8:00 AM

Subject:
    CN=pool01.contoso.example
  Name Hash(sha1): 3333333333333333333333333333333333333333
  Name Hash(md5): 44444444444444444444444444444444

Public Key Length: 2048 bits
Public Key: UnusedBits = 0
    0000  30 82 01 0a 02 82 01 01  00 dd 61 3c 7a 60 5e df
Certificate Extensions: 2
    1.3.6.1.4.1.311.21.7: Flags = 0, Length = 2f
    Certificate Template Information
        Template=Contoso Web(1.3.6.1.4.1.311.21.8.7.8.9)
        Major Version Number=100
        Minor Version Number=5

    2.5.29.31: Flags = 0, Length = 2f
    CRL Distribution Points
        [1]CRL Distribution Point
             Distribution Point Name:
                  Full Name:
                       URL=http://pki.contoso.example/ca.crl

Non-root Certificate
Key Id Hash(rfc-sha1): 5555555555555555555555555555555555555555
Key Id Hash(sha1): 6666666666666666666666666666666666666666
Key Id Hash(md5): 77777777777777777777777777777777
Key Id Hash(sha256): 8888888888888888888888888888888888888888888888888888888888888888
Cert Hash(md5): 99999999999999999999999999999999
Cert Hash(sha1): {SHA1}
Cert Hash(sha256): aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
Signature Hash: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb

  CERT_KEY_PROV_INFO_PROP_ID(2):
    Key Container = {FILE_NAME}
    Simple container name: te-ContosoWeb-42
    Provider = PROVIDER
    ProviderType = TYPE
    Flags = 20 (32)
      CRYPT_MACHINE_KEYSET -- 20 (32)
    KeySpec = 1 -- AT_KEYEXCHANGE

  CERT_FRIENDLY_NAME_PROP_ID(11):
    Contoso pool 2026

  CERT_SHA1_HASH_PROP_ID(3):
    {SHA1}

  CERT_ACCESS_STATE_PROP_ID(14):
    AccessState = 6
      CERT_ACCESS_STATE_SYSTEM_STORE_FLAG -- 2
  Provider = OPENED
  ProviderType = AGAIN
  Simple container name: te-ContosoWeb-42
  RSA
    PP_KEYSTORAGE = 1
      CRYPT_SEC_DESCR -- 1
    KP_PERMISSIONS = PERMISSIONS
      CRYPT_ENCRYPT -- 1

  D:PAI(A;;GAGR;;;BA)(A;;GAGR;;;SY)

    Allow Full Control  BUILTIN\\Administrators

Encryption test passed
{DONE}
"""


def verbose(provider=SCHANNEL, number="c (12)", opened=None, again=None, permissions="3b (59)") -> bytes:
    text = VERBOSE.replace("= PROVIDER", f"= {provider}").replace("= TYPE", f"= {number}")
    text = text.replace("= OPENED", f"= {opened or provider}").replace("= AGAIN", f"= {again or number}")
    return text.replace("= PERMISSIONS", f"= {permissions}").encode()


def test_the_long_form_tells_the_whole_record_of_one_key():
    found = only(verbose())
    assert (found.thumbprint, found.serial_number, found.friendly_name) == (THUMBPRINT, SERIAL, "Contoso pool 2026")
    assert (found.issuer, found.subject) == (ISSUER, SUBJECT)
    assert found.template == Template("1.3.6.1.4.1.311.21.8.7.8.9", None, "Contoso Web", 100, 5)
    key = found.key
    assert (key.kind, key.provider, key.provider_type, key.key_spec) == ("csp", SCHANNEL, 12, 1)
    assert (key.flags, key.machine_keyset) == (0x20, True)
    assert (key.container, key.unique_container) == ("te-ContosoWeb-42", FILE_NAME)
    assert (key.exportable, key.present) == (False, True)
    assert key.candidates == ()


def test_the_long_form_is_read_without_the_property_that_repeats_the_hash():
    text = verbose().decode().replace(f"  CERT_SHA1_HASH_PROP_ID(3):\n    {SHA1}\n", "")
    assert only(text.encode()).thumbprint == THUMBPRINT


def test_the_long_form_without_its_banner_is_one_certificate():
    text = verbose().decode().partition("\n")[2]
    found = only(text.encode())
    assert (found.thumbprint, found.serial_number, found.key.provider_type) == (THUMBPRINT, SERIAL, 12)


def test_translated_labels_of_the_long_form_do_not_matter():
    text = verbose().decode()
    for english, other in (
        ("Key Container", "密钥容器"),
        ("Simple container name", "简单容器名称"),
        ("ProviderType", "提供程序类型"),
        ("Provider ", "提供程序 "),
        ("Flags = 20", "标志 = 20"),
        ("Cert Hash", "证书哈希"),
        ("Issuer:", "颁发者:"),
        ("Subject:", "使用者:"),
    ):
        text = text.replace(english, other)
    found = only(text.encode("utf-16"))
    assert (found.thumbprint, found.issuer, found.subject) == (THUMBPRINT, ISSUER, SUBJECT)
    key = found.key
    assert (key.provider, key.provider_type, key.flags, key.key_spec) == (SCHANNEL, 12, 0x20, 1)
    assert (key.container, key.unique_container, key.exportable) == ("te-ContosoWeb-42", FILE_NAME, False)


@pytest.mark.parametrize(
    ("provider", "printed", "provider_type", "kind"),
    [
        pytest.param(SCHANNEL, "c", 12, "csp", id="old release"),
        pytest.param(SCHANNEL, "12", 12, "csp", id="copied in decimal"),
        pytest.param("Microsoft DH SChannel Cryptographic Provider", "12", 18, "csp", id="hexadecimal 12 is 18"),
        pytest.param("Microsoft Enhanced RSA and AES Cryptographic Provider", "18 (24)", 24, "csp", id="AES"),
        pytest.param("Fabrikam Token CSP", "18", 24, "csp", id="unknown name"),
        pytest.param("Fabrikam Token Thing", "0", 0, "ksp", id="unknown name, type 0"),
        pytest.param(SOFTWARE_KSP, "1", 1, "contradictory", id="KSP with a type"),
    ],
)
def test_the_provider_type_is_hexadecimal(provider, printed, provider_type, kind):
    key = only(verbose(provider, printed)).key
    assert (key.kind, key.provider, key.provider_type, key.flags) == (kind, provider, provider_type, 0x20)


def test_a_key_opened_with_another_type_than_recorded_is_ambiguous():
    key = only(verbose(STRONG, "1", again="0")).key
    assert (key.kind, [other.kind for other in key.candidates]) == ("ambiguous", ["csp", "contradictory"])


def test_a_key_opened_in_another_provider_than_recorded_is_ambiguous():
    found = only(verbose(opened=SOFTWARE_KSP, again="0"))
    assert found.key.kind == "ambiguous"
    assert [key.provider for key in found.key.candidates] == [SCHANNEL, SOFTWARE_KSP]
    assert SCHANNEL in found.notes[0]


@pytest.mark.parametrize(("permissions", "exportable"), [("3f (63)", True), ("3b", False)])
def test_key_permissions_tell_whether_a_csp_key_can_be_exported(permissions, exportable):
    assert only(verbose(permissions=permissions)).key.exportable is exportable


@pytest.mark.parametrize(
    ("flag", "exportable"), [("NCRYPT_ALLOW_EXPORT_FLAG -- 1", True), ("(NCRYPT_ALLOW_EXPORT_FLAG -- 1)", False)]
)
def test_the_export_policy_tells_whether_a_cng_key_can_be_exported(flag, exportable):
    text = verbose(SOFTWARE_KSP, "0").decode().replace("KP_PERMISSIONS = 3b (59)", flag)
    assert only(text.encode()).key.exportable is exportable


def test_a_long_form_that_is_cut_before_the_hash_has_no_thumbprint():
    text = verbose().decode()
    found = only(text[: text.index("Key Id Hash(md5)")].encode())
    assert found.thumbprint is None
    assert found.key.kind == "unrecorded"
    assert "ends within" in found.notes[0]


def test_a_record_without_provider_name_keeps_its_type():
    text = verbose(number="1").decode().replace(f"    Provider = {SCHANNEL}\n", "").replace("  Provider = ", "  RSA")
    key = only(text.encode()).key
    assert (key.kind, key.provider, key.provider_type) == ("csp", None, 1)


PFX = f"""\
Enter PFX password:
================ Certificate 0 ================
================ Begin Nesting Level 1 ================
Element 0:
Serial Number: {SERIAL}
Issuer: {ISSUER}
 NotBefore: 1/2/2026 8:00 AM
 NotAfter: 1/2/2028 8:00 AM
Subject: {SUBJECT}
Non-root Certificate
Cert Hash(sha1): {SHA1}
----------------  End Nesting Level 1  ----------------
  Provider = Fabrikam Key Storage Provider
Private key is NOT plain text exportable
Signature test passed

================ Certificate 1 ================
================ Begin Nesting Level 1 ================
Element 1:
Serial Number: 01
Issuer: {ISSUER}
 NotBefore: 1/2/2026 8:00 AM
 NotAfter: 1/2/2028 8:00 AM
Subject: {ISSUER}
Signature matches Public Key
Root Certificate: Subject matches Issuer
Cert Hash(sha1): {SHA1[::-1]}
----------------  End Nesting Level 1  ----------------
No key provider information
Cannot find the certificate and private key for decryption.
CertUtil: -dump command completed successfully.
"""


def test_banners_of_nesting_are_no_certificates():
    reading = read_certutil(PFX.encode(), "x.txt")
    assert reading.problems == ()
    assert [(found.thumbprint, found.key.kind, found.key.provider) for found in reading] == [
        (THUMBPRINT, "ksp", "Fabrikam Key Storage Provider"),
        (SHA1[::-1].upper(), "unrecorded", None),
    ]
    assert reading.certificates[0].key.container is None


def test_translated_banners_of_nesting_are_no_certificates_either():
    text = (
        PFX.replace("Begin Nesting Level", "开始嵌套等级")
        .replace("Certificate ", "证书 ")
        .replace("End Nesting", "结束")
    )
    assert [found.source.place for found in read_certutil(text.encode(), "x")] == ["line 2", "line 17"]


def test_revocation_lists_of_a_store_are_no_certificates():
    crl = f"""================ CRL 0 ================
Issuer: {ISSUER}
 ThisUpdate: 1/2/2026 8:00 AM
CRL Entries: 1
  Serial Number: 1b5190f73724399c9254cd424637996a
CRL Hash(sha1): {SHA1}"""
    other = crl.replace("CRL 0", "Sperrliste 1").replace("CRL Hash", "Hash der Liste").replace("CRL Entries", "Zahl")
    reading = read_certutil(store(certificate("No key provider information"), crl, other), "x")
    assert len(reading.certificates) == 1
    assert reading.problems == ()


LONG_ISSUER = "CN=Contoso Issuing Certification Authority Nr 1, OU=Trust Services, O=Contoso Ltd, C=DE"
LONG_OID = "1.3.6.1.4.1.311.21.8.1234567.1234567.12345678.1234567.1234567.123.1234567.12345678"


def console(text: str, columns: int) -> bytes:
    """The text as a console of that width gives it when it is copied."""
    lines = [line[at : at + columns] for line in text.splitlines() for at in range(0, max(len(line), 1), columns)]
    return "\r\n".join(lines).encode()


WRAPPED = console(
    store(certificate(*SCHANNEL_KEY, issuer=LONG_ISSUER, template=f"{LONG_OID}, Contoso Web", sha1=SPACED)).decode(), 80
)


def test_lines_that_a_console_wrapped_are_whole_again():
    found = only(WRAPPED)
    assert found.issuer == LONG_ISSUER
    assert found.template == Template(oid=LONG_OID, display_name="Contoso Web")
    assert (found.key.container, found.key.unique_container) == ("te-ContosoWeb-42", FILE_NAME)


def test_a_console_counts_two_columns_for_an_east_asian_character():
    line = "発行者: CN=" + "x" * 69 + "yyy"
    text = JAPANESE.replace(f"発行者: {ISSUER}", line[:77] + "\n" + line[77:])
    text = text.replace(f"  一意のコンテナー名: {FILE_NAME}\n", "")
    assert only(text.encode()).issuer == "CN=" + "x" * 69 + "yyy"


def test_a_line_of_80_columns_is_left_alone_where_longer_lines_stand():
    subject = "CN=" + "x" * 68
    found = only(store(certificate(*SCHANNEL_KEY, subject=subject)))
    assert len(f"Subject: {subject}") == 80
    assert found.subject == subject


def test_prompts_comments_and_a_second_command_do_not_disturb():
    text = "\n".join(
        [
            "# copied by hand",
            "PS C:\\Windows\\system32> certutil -store My",
            certificate(*SCHANNEL_KEY),
            DONE,
            "*Evil-WinRM* PS C:\\Users\\jens> certutil -store -user My",
            'My "Personal"',
            certificate(*KSP_KEY),
            DONE,
        ]
    )
    assert [found.key.kind for found in read_certutil(text.encode(), "x")] == ["csp", "ksp"]


def test_lost_indentation_and_added_blank_lines_do_not_disturb():
    text = "\n\n".join(line.strip() for line in certificate(*SCHANNEL_KEY).splitlines())
    key = only(text.encode()).key
    assert (key.kind, key.container, key.unique_container, key.exportable) == (
        "csp",
        "te-ContosoWeb-42",
        FILE_NAME,
        False,
    )


def test_lines_without_banners_are_split_where_the_serial_number_repeats():
    lines = f"Serial Number: {SERIAL}\n  Provider = {SCHANNEL}\nSerial Number: 02\n  Provider = {SOFTWARE_KSP}\n"
    reading = read_certutil(lines.encode(), "x")
    assert [(found.serial_number, found.key.kind) for found in reading] == [(SERIAL, "csp"), ("02", "ksp")]


def test_a_dump_that_is_cut_within_a_certificate_says_so():
    (found,) = read_certutil(store(certificate(), last=""), "x").certificates
    assert "ends within" in found.notes[0]


def test_a_banner_with_nothing_under_it_is_a_problem_that_hides_nothing():
    reading = read_certutil(store(certificate(*SCHANNEL_KEY), "================ Certificate 1 ====="), "x")
    assert len(reading.certificates) == 1
    (problem,) = reading.problems
    assert problem.place == "line 17"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (
            "CertUtil: -store command FAILED: 0x80090011 (-2146893807 NTE_NOT_FOUND)",
            "0x80090011",
            "nothing in the store",
        ),
        ("CertUtil: -store-Befehl ist fehlgeschlagen: 0x80070002 (WIN32: 2)", "0x80070002", "does not exist"),
        ("CertUtil: -store コマンド エラーです: 0x80070005 (WIN32: 5)", "0x80070005", "denied"),
        ("CertUtil: -store failed: 0x8000FFFF (E_UNEXPECTED)", "0x8000ffff", "certutil -error"),
    ],
)
def test_a_failed_command_is_told_by_its_code(line, code, words):
    reading = read_certutil(f'My "Personal"\n{line}\nCertUtil: because.\n'.encode(), "fe01")
    assert reading.certificates == ()
    (problem,) = reading.problems
    assert code in problem.message
    assert words in str(problem)
    assert (problem.origin, problem.place) == ("fe01", "line 2")


def test_an_empty_store_is_neither_certificate_nor_problem():
    for last in (DONE, "CertUtil: -store-Befehl wurde erfolgreich ausgeführt.", "CertUtil: -store 命令成功完成。"):
        reading = read_certutil(f'My "Personal"\n{last}\n'.encode(), "x")
        assert (reading.certificates, reading.problems) == ((), ())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("Directory of C:\\\n\n01/02/2026  08:00 AM  <DIR>  pki\n", "no output of certutil"),
        ("CertUtil: -ping command completed successfully.\n", "certutil -ping"),
        ("CertUtil: No local Certification Authority; use -config option\n", "No local Certification Authority"),
        ("ChainFlags = NOTHING (0x40000000)\n  Element.dwInfoStatus = SOME (0x100)\n", "no output of certutil"),
        (f"PKCS10 Certificate Request:\n  Provider = {SCHANNEL}\n  KeySpec = 1\n", "request"),
        ("Hash de cert(sha1): \nProveedor = \n", "neither which certificate"),
        ("\x00\x01\x02\x03", "no output of certutil"),
    ],
)
def test_a_text_without_certificates_is_one_problem_with_the_command_to_run(text, words):
    reading = read_certutil(text.encode(), "x.txt")
    assert reading.certificates == ()
    (problem,) = reading.problems
    assert words in problem.message
    assert "certutil -store My" in problem.remedy


def test_a_request_that_was_accepted_is_no_dump_of_a_store():
    text = f"Installed Certificate:\n  Serial Number: {SERIAL}\n  Subject: {SUBJECT}\n  Thumbprint: {SHA1}\n"
    assert read_certutil(text.encode(), "x").certificates == ()


def test_the_dump_of_a_certificate_file_says_that_it_cannot_tell_the_key():
    text = certificate().replace("================ Certificate 0 ================\n", "X509 Certificate:\n")
    found = only((text + "\nCertUtil: -dump command completed successfully.\n").encode())
    assert found.key.kind == "unrecorded"
    assert "certificate file" in found.notes[0]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_damage_never_raises_and_never_gives_a_key_another_known_provider(data):
    text = bytearray(data.draw(st.sampled_from([store(certificate(*SCHANNEL_KEY)), verbose(), PFX.encode(), WRAPPED])))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text) - 1))
        if data.draw(st.booleans()):
            text[at] = data.draw(st.integers(0, 255))
        else:
            del text[at : at + data.draw(st.integers(1, 200))]
        if not text:
            break
    for found in read_certutil(bytes(text), "x"):
        assert found.key.provider != SOFTWARE_KSP
        assert found.as_dict()


_PIECES = st.sampled_from(
    [
        "=====",
        " = ",
        ": ",
        "(sha1)",
        "CN=",
        "0x80070002",
        "CertUtil: -store",
        SCHANNEL,
        "CERT_KEY_PROV_INFO_PROP_ID(2):",
        "\n",
        "  ",
        "20 (32)",
        SHA1,
        "-----",
        "KeySpec=1",
        "\r\n",
        "Certificate 0",
        "\u00a0",
        "1",
    ]
)


@given(st.one_of(st.binary(max_size=300), st.lists(_PIECES, max_size=60).map(lambda parts: "".join(parts).encode())))
@settings(max_examples=300, deadline=None)
def test_noise_never_raises(noise):
    for problem in read_certutil(noise, "x").problems:
        assert problem.message
        assert problem.remedy
