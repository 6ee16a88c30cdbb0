# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Printouts of certutil in several languages, encodings and code pages."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.record import Template
from unit.evidence.printouts import (
    FILE_NAME,
    ISSUER,
    SERIAL,
    SHA1,
    SOFTWARE_KSP,
    SPACED,
    SUBJECT,
    THUMBPRINT,
    only,
)

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
Il ne s\u2019agit pas d\u2019un certificat racine
Modèle: ContosoWeb
Hach. cert. (sha1)\u00a0: {SPACED}
  Conteneur de clé\u00a0= te-ContosoWeb-42
  Nom de conteneur unique\u00a0: {FILE_NAME}
  Fournisseur = {SOFTWARE_KSP}
Mot qui parle peut-être de l\u2019exportation
Test de chiffrement réussi
CertUtil: -store La commande s\u2019est terminée correctement.
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
    understood = FRENCH.replace("Mot qui parle peut-être de l\u2019exportation\n", "")
    assert only(understood.encode()).key.exportable is True
    assert only(FRENCH.encode()).key.exportable is None


def test_a_console_counts_two_columns_for_an_east_asian_character():
    line = "発行者: CN=" + "x" * 69 + "yyy"
    text = JAPANESE.replace(f"発行者: {ISSUER}", line[:77] + "\n" + line[77:])
    text = text.replace(f"  一意のコンテナー名: {FILE_NAME}\n", "")
    assert only(text.encode()).issuer == "CN=" + "x" * 69 + "yyy"
