# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What certutil says after it tried a private key: whether it is there and whether it can be exported.

These sentences are translated. The table has only those that were seen in a printout of certutil; in any other language
the answer is that it is not known. Nothing about the provider rests on them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .certutil_text import Line, assigned, labelled

Meaning = Literal["not_exportable", "encrypted_export", "passed", "verified", "missing", "no_decryption", "no_provider"]

_WORDING: tuple[tuple[str, Meaning, str], ...] = (
    # Server 2016 to 2022, and the Windows 8 documentation of signing with an HSM.
    ("en", "not_exportable", "Private key is NOT exportable"),
    ("en", "encrypted_export", "Private key is NOT plain text exportable"),
    ("en", "passed", "Encryption test passed"),
    ("en", "passed", "Signature test passed"),
    # Smart card information (-scinfo), which says nothing of export.
    ("en", "verified", "Private key verifies"),
    ("en", "missing", "Missing stored keyset"),
    ("en", "no_decryption", "Cannot find the certificate and private key for decryption"),
    ("en", "no_provider", "No key provider information"),
    # Labels captured on a German Windows Server, in the tests of a certificate renewal program (tokentimer-core).
    ("de", "not_exportable", "Der private Schlüssel ist NICHT exportierbar"),
    ("de", "passed", "Verschlüsselungstest wurde durchgeführt"),
    # The Root store of a French Windows (saltstack/salt issue 55024); the passed test as in tokentimer-core.
    ("fr", "passed", "Test de chiffrement réussi"),
    ("fr", "no_decryption", "Impossible de trouver le certificat et la clé privée pour le déchiffrement"),
    ("fr", "no_provider", "Aucune information sur le fournisseur de clé"),
    # A Splunk server's printout, and a program that matches the output of a Spanish Windows.
    ("es", "passed", "Se ha pasado la prueba de firma"),
    ("es", "passed", "Prueba de cifrado correcta"),
    ("es", "missing", "Falta el conjunto de claves almacenado"),
    # certutil -user -store My of a Brazilian Windows, quoted in a program that collects certificates.
    ("pt", "not_exportable", "A chave privada NÃO é exportável"),
    ("pt", "passed", "Êxito no teste de criptografia"),
    ("pt", "passed", "Teste de assinatura aprovado"),
    ("pt", "no_decryption", "Não é possível localizar o certificado e a chave privada para decodificação"),
    ("pt", "no_provider", "Nenhuma informação de provedor de chave"),
    # The PFX dump of an Italian Windows, in the tests of a library of Appcelerator.
    ("it", "passed", "Verifica firma riuscita"),
    # PFX dumps of a Simplified Chinese Windows Server 2022, and certutil -user -store quoted by its user.
    ("zh", "not_exportable", "私钥不能导出"),
    ("zh", "encrypted_export", "无法以纯文本方式导出私钥"),
    ("zh", "passed", "通过了加密测试"),
    ("zh", "no_decryption", "找不到解密的证书和私钥"),
    ("zh", "no_provider", "没有密钥提供程序信息"),
)

_SPEAKS_OF_EXPORT = {language for language, meaning, _words in _WORDING if meaning == "not_exportable"}
"""The languages in which silence means that the key can be exported."""

_EXPORT_POLICY = re.compile(r"Export Policy\s*[=:]\s*(?:0x)?([0-9a-fA-F]+)\b.*")
_EXPORT_FLAG = re.compile(r"(\(?)NCRYPT_ALLOW_(?:PLAINTEXT_)?EXPORT_FLAG -- [12]\b.*")
_KEY_PERMISSIONS = re.compile(r"KP_PERMISSIONS\s*=\s*([0-9a-fA-F]+)\b.*")
_CRYPT_EXPORT = 0x4
"""The bit of KP_PERMISSIONS that lets a CSP export the key (wincrypt.h)."""
_ALLOW_EXPORT = 0x1 | 0x2
"""NCRYPT_ALLOW_EXPORT_FLAG, NCRYPT_ALLOW_PLAINTEXT_EXPORT_FLAG (ncrypt.h)."""
_PROBE = re.compile(r"AES256\+|[^:=]+: KeySpec=")
"""Lines about a test that stay English in what was seen."""
_CODE = re.compile(r"\b0x8[0-9a-fA-F]{7}\b")


def _pattern(words: str) -> re.Pattern[str]:
    """Match the words, also when a wrong code page damaged the letters beyond ASCII."""
    latin = all(ord(character) < 0x250 for character in words)
    return re.compile("".join(".{1,3}" if latin and ord(c) > 127 else re.escape(c) for c in words))


_PATTERNS = tuple((language, meaning, _pattern(words)) for language, meaning, words in _WORDING)


@dataclass(frozen=True)
class Hints:
    """What can be told of a key beside its provider; ``None`` means that it cannot."""

    exportable: bool | None = None
    by_silence: bool = False
    """Whether ``exportable`` rests on the missing word that it is not."""
    present: bool | None = None
    missing: str | None = None
    """The line that says that the key was not found."""
    keyset_missing: bool = False
    """Whether that line is about the container itself, not about a use of the key."""
    failure: str | None = None
    """A line with the error code of a failed test."""
    without_provider: bool = False
    """Whether certutil says that the certificate records no provider."""
    tells: bool = False
    """Whether any line says anything."""


def hints_of(lines: Sequence[Line], *, verbose: bool) -> Hints:
    """Read the lines about the test of the key.

    Args:
        lines: the lines after the certificate's hash, or all lines of a long dump.
        verbose: whether this is the long form, whose flags tell in every language.

    """
    said: dict[Meaning, str] = {}
    languages: set[str] = set()
    understood = True
    failure: str | None = None
    policy: bool | None = None
    for line in lines:
        if not line.body:
            continue
        known = [(language, meaning) for language, meaning, pattern in _PATTERNS if pattern.search(line.body)]
        if known:
            said.update((meaning, line.body) for _language, meaning in known)
            languages.update(language for language, _meaning in known)
        elif _CODE.search(line.body):
            failure = line.body
        elif not (line.indent or assigned(line.text) or labelled(line.text) or _PROBE.match(line.body)):
            understood = False
        policy = _policy(line.body, policy)
    present = True if "passed" in said or "verified" in said or policy is not None else None
    exportable = _exportable(said, policy)
    by_silence = exportable is None and "passed" in said and _silence_tells(languages, understood, verbose)
    return Hints(
        exportable=True if by_silence else exportable,
        by_silence=by_silence,
        present=present,
        missing=said.get("missing") or (said.get("no_decryption") if "passed" not in said else None),
        keyset_missing="missing" in said,
        failure=failure,
        without_provider="no_provider" in said,
        tells=bool(said) or policy is not None or failure is not None,
    )


def _silence_tells(languages: set[str], understood: bool, verbose: bool) -> bool:
    """Whether the missing word "not exportable" may be taken for "exportable"."""
    return bool(languages & _SPEAKS_OF_EXPORT) or (understood and not verbose)


def _exportable(said: dict[Meaning, str], policy: bool | None) -> bool | None:
    """Whether the key can leave in a PFX. "NOT plain text exportable" forbids the bare key alone."""
    if "not_exportable" in said:
        return False
    if "encrypted_export" in said:
        return True
    return policy


def _policy(body: str, policy: bool | None) -> bool | None:
    """The export permission that ``-v`` prints once it has opened the key, in constants or bits."""
    permissions = _KEY_PERMISSIONS.fullmatch(body)
    if permissions:
        return bool(int(permissions[1], 16) & _CRYPT_EXPORT)
    export_policy = _EXPORT_POLICY.fullmatch(body)
    if export_policy:
        return bool(int(export_policy[1], 16) & _ALLOW_EXPORT)
    flag = _EXPORT_FLAG.match(body)
    if flag:
        return bool(policy) or not flag[1]
    return policy
