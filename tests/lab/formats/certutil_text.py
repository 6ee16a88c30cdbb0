# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``certutil -store`` and ``certutil -v -store`` print, by display language and release of Windows.

Evidence: English from Server 2008 R2 to 2022 transcripts; German, French and Simplified Chinese from one transcript
each and Spanish from fragments, so a label that those do not show stays English here. Japanese is UNVERIFIED: only
the store header, "signature matches" and the footer were seen in real output (of ``certutil -addstore``), four labels
in the tests of another project; no real Japanese ``-store`` output was found. Provider names are never translated.
The long form leaves out the dump of the certificate itself, which ``-v`` prints between header and properties.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_ENGLISH = {
    "certificate": "================ Certificate {0} ================",
    "archived": "Archived!",
    "serial": "Serial Number: ",
    "issuer": "Issuer: ",
    "not_before": " NotBefore: ",
    "not_after": " NotAfter: ",
    "subject": "Subject: ",
    "template_v1": "Certificate Template Name (Certificate Type): ",
    "matches": "Signature matches Public Key",
    "root": "Root Certificate: Subject matches Issuer",
    "not_root": "Non-root Certificate",
    "template": "Template: ",
    "hash": "Cert Hash(sha1): ",
    "container": "  Key Container = ",
    "unique": "  Unique container name: ",
    "simple": "  Simple container name: ",
    "provider": "  Provider = ",
    "not_exportable": "Private key is NOT exportable",
    "not_plain": "Private key is NOT plain text exportable",
    "encryption": "Encryption test passed",
    "signature": "Signature test passed",
    "missing": "Missing stored keyset",
    "no_provider": "No key provider information",
    "no_key": "Cannot find the certificate and private key for decryption.",
    "done": "CertUtil: -{0} command completed successfully.",
    "failed": "CertUtil: -{0} command FAILED: {1}",
    "store_my": "Personal",
    "store_root": "Trusted Root Certification Authorities",
    "store_ca": "Intermediate Certification Authorities",
}
_LABELS: dict[str, Mapping[str, str]] = {
    "en": _ENGLISH,
    "de": {
        "certificate": "================ Zertifikat {0} ================",
        "serial": "Seriennummer: ",
        "issuer": "Aussteller: ",
        "not_before": " Nicht vor: ",
        "not_after": " Nicht nach: ",
        "subject": "Antragsteller: ",
        "not_root": "Kein Stammzertifikat",
        "template": "Vorlage: ",
        "hash": "Zertifikathash(sha1): ",
        "container": "  Schlüsselcontainer = ",
        "unique": "  Eindeutiger Containername: ",
        "provider": "  Anbieter = ",
        "not_exportable": "Der private Schlüssel ist NICHT exportierbar",
        "encryption": "Verschlüsselungstest wurde durchgeführt",
        "done": "CertUtil: -{0}-Befehl wurde erfolgreich ausgeführt.",
        "failed": "CertUtil: -{0}-Befehl ist fehlgeschlagen: {1}",
        "store_my": "Eigene Zertifikate",
    },
    "fr": {
        "certificate": "================ Certificat {0} ================",
        "serial": "Numéro de série\u00a0: ",
        "issuer": "Émetteur: ",
        "not_before": " NotBefore\u00a0: ",
        "not_after": " NotAfter\u00a0: ",
        "subject": "Objet: ",
        "not_root": "Il ne s\u2019agit pas d\u2019un certificat racine",
        "hash": "Hach. cert. (sha1)\u00a0: ",
        "container": "  Conteneur de clé\u00a0= ",
        "provider": "  Fournisseur = ",
        "encryption": "Test de chiffrement réussi",
        "done": "CertUtil: -{0} La commande s\u2019est terminée correctement.",
        "store_my": "Personnel",
    },
    "es": {
        "hash": "Hash de cert(sha1): ",
        "container": "  Contenedor de claves = ",
        "provider": "  Proveedor = ",
        "encryption": "Prueba de cifrado correcta",
        "signature": "Se ha pasado la prueba de firma",
        "missing": "Falta el conjunto de claves almacenado",
    },
    "zh": {
        "certificate": "================ 证书 {0} ================",
        "serial": "序列号: ",
        "issuer": "颁发者: ",
        "subject": "使用者: ",
        "not_root": "非根证书",
        "hash": "证书哈希(sha1): ",
        "container": "  密钥容器 = ",
        "provider": "  提供程序 = ",
        "not_plain": "无法以纯文本方式导出私钥",
        "no_provider": "没有密钥提供程序信息",
        "no_key": "找不到解密的证书和私钥。",
    },
    "ja": {
        "certificate": "================ 証明書 {0} ================",
        "issuer": "発行者: ",
        "subject": "サブジェクト: ",
        "matches": "署名は公開キーと一致します",
        "hash": "証明書ハッシュ(sha1): ",
        "done": "CertUtil: -{0} コマンドは正常に完了しました。",
        "store_root": "信頼されたルート証明機関",
    },
}
_KEY_SPECS = {0: "XCN_AT_NONE", 1: "AT_KEYEXCHANGE", 2: "AT_SIGNATURE"}


@dataclass(frozen=True)
class KeyView:
    """What certutil learns of a key. ``opened`` is False when the key is gone or the user may not open it."""

    provider: str | None
    provider_type: int
    key_spec: int
    flags: int
    container: str | None
    unique: str | None
    """The name of the key's file; None for keys that are in no file (smart card, TPM, hardware modules)."""
    opened: bool
    exportable: bool
    plaintext: bool
    """Of a key of CNG: whether it may be exported without encryption."""
    recorded: bool = True
    """False: found by its identifier although the store holds no property 2."""


@dataclass(frozen=True)
class Listed:
    """One certificate of a listing, its names and times already in the form of the host."""

    index: int
    certificate: x509.Certificate
    subject: str
    issuer: str
    not_before: str
    not_after: str
    key: KeyView | None
    template_name: str | None = None
    template_display: str | None = None
    template_is_v1: bool = False
    archived: bool = False


@dataclass(frozen=True)
class Style:
    """Language and release that decide the form. ``release`` is the version of Windows."""

    language: str
    release: tuple[int, ...]

    def text(self, label: str, *arguments: object) -> str:
        """A label in the language, in English where the lab has none."""
        return _LABELS.get(self.language, {}).get(label, _ENGLISH[label]).format(*arguments)

    def digits(self, data: bytes) -> str:
        """A hash: up to Windows 8 in pairs with blanks, later without."""
        return data.hex(" ") if self.release < (6, 3) else data.hex()


def store_header(style: Style, store: str) -> str:
    """The first line: the store's name as typed and its display name; nothing for stores without one."""
    known = f"store_{store.lower()}"
    return f'{store} "{style.text(known)}"\n' if known in _ENGLISH else ""


def listing(style: Style, entry: Listed, *, verbose: bool) -> str:
    """The lines of one certificate, without the blank line between certificates."""
    certificate = entry.certificate
    digits = f"{certificate.serial_number:x}"
    lines = [style.text("certificate", entry.index)]
    if entry.archived:
        lines.append(style.text("archived"))
    lines += [
        style.text("serial") + digits.zfill(len(digits) + len(digits) % 2),
        style.text("issuer") + entry.issuer,
        style.text("not_before") + entry.not_before,
        style.text("not_after") + entry.not_after,
        style.text("subject") + entry.subject,
    ]
    if entry.template_is_v1 and entry.template_name:
        lines.append(style.text("template_v1") + entry.template_name)
    if certificate.subject == certificate.issuer:
        lines += [style.text("matches"), style.text("root")]
    else:
        lines.append(style.text("not_root"))
    if entry.template_name:
        display = f", {entry.template_display}" if entry.template_display else ""
        lines.append(style.text("template") + entry.template_name + display)
    sha1 = hashlib.sha1(certificate.public_bytes(Encoding.DER), usedforsecurity=False).digest()
    lines.append(style.text("hash") + style.digits(sha1))
    if verbose:
        lines += ["", *_properties(style, entry.key, sha1)]
    lines += _key_lines(style, entry.key)
    return "\n".join(lines) + "\n"


def _names(style: Style, key: KeyView) -> list[str]:
    """A CSP's container shows its file first and its name second, a CNG key the other way round.

    An unprivileged user sees the first line only.
    """
    if key.provider_type == 0 or key.unique is None:
        lines = [style.text("container") + _or_null(key.container)]
        second = style.text("unique") + key.unique if key.unique else None
    else:
        lines = [style.text("container") + key.unique]
        second = style.text("simple") + _or_null(key.container)
    if second and key.opened:
        lines.append(second)
    return [*lines, style.text("provider") + _or_null(key.provider)]


def _or_null(name: str | None) -> str:
    """A null name, as seen for a container in a Chinese listing."""
    return "(null)" if name is None else name


def _key_lines(style: Style, key: KeyView | None) -> list[str]:
    if key is None:
        return [style.text("no_provider"), style.text("no_key")]
    lines = _names(style, key)
    if not key.recorded:
        # A hand-typed transcript shows container and provider behind this line; its layout is unverified.
        if not key.opened:
            return [style.text("no_provider"), style.text("missing")]
        lines = [style.text("no_provider"), *lines]
    if not key.opened:
        return [*lines, style.text("missing")]
    if not key.exportable:
        lines.append(style.text("not_exportable"))
    elif not key.plaintext:
        lines.append(style.text("not_plain"))
    return [*lines, style.text("signature" if key.key_spec == 2 else "encryption")]


def _properties(style: Style, key: KeyView | None, sha1: bytes) -> list[str]:
    """The property blocks of ``-v``: numbers are hexadecimal, from Windows 8.1 on with the decimal in parentheses."""
    lines = []
    if key and key.recorded:
        old = style.release < (6, 3)
        flags = f"{key.flags:x}" if old or key.flags < 10 else f"{key.flags:x} ({key.flags})"
        spec = key.key_spec & 0xFFFFFFFF
        named = f"{spec:x}" if old or spec not in _KEY_SPECS else f"{spec:x} -- {_KEY_SPECS[spec]}"
        lines += ["  CERT_KEY_PROV_INFO_PROP_ID(2):", *(f"  {line}" for line in _names(style, key))]
        lines += [f"    ProviderType = {key.provider_type:x}", f"    Flags = {flags}"]
        if key.flags & 0x20 and not old:
            lines.append("      CRYPT_MACHINE_KEYSET -- 20 (32)")
        lines += [f"    KeySpec = {named}", ""]
    return [*lines, "  CERT_SHA1_HASH_PROP_ID(3):", f"    {style.digits(sha1)}", ""]


def footer(style: Style, verb: str) -> str:
    """The last line after success."""
    return style.text("done", verb) + "\n"


def failure(style: Style, verb: str, code: str, message: str) -> str:
    """The last two lines after failure; the message is Windows' own text of the error."""
    return f"{style.text('failed', verb, code)}\nCertUtil: {message}\n"
