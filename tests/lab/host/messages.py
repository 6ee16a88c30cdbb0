# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Windows says in each display language, and how it prints times.

Each text was seen in real output: English throughout; German and Japanese ``reg.exe``, ``cmd.exe`` and PowerShell
texts in public logs and tests of other projects (Japanese ``reg query``: qiita hotta/9e28ff11bdd60cae6b21). A
language without a text here speaks English: that is the lab's ignorance, not a fact about Windows.
"""

from __future__ import annotations

from datetime import datetime

_TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "not_recognized": (
            "The term '{0}' is not recognized as the name of a cmdlet, function, script file, or operable program. "
            "Check the spelling of the name, or if a path was included, verify that the path is correct and try again."
        ),
        "position": "At line:{0} char:{1}",
        "too_long": "The command line is too long.",
        "unknown_command": (
            "'{0}' is not recognized as an internal or external command,\r\noperable program or batch file."
        ),
        "file_missing": "The system cannot find the file specified.",
        "reg_missing": "ERROR: The system was unable to find the specified registry key or value.",
        "reg_denied": "ERROR: Access is denied.",
        "reg_found": "End of search: {0} match(es) found.",
    },
    "de": {
        "not_recognized": (
            'Die Benennung "{0}" wurde nicht als Name eines Cmdlet, einer Funktion, einer Skriptdatei oder eines '
            "ausführbaren Programms erkannt. Überprüfen Sie die Schreibweise des Namens, oder ob der Pfad korrekt ist "
            "(sofern enthalten), und wiederholen Sie den Vorgang."
        ),
        "position": "In Zeile:{0} Zeichen:{1}",
        "too_long": "Die Befehlszeile ist zu lang.",
        "reg_missing": "FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden.",
        "reg_denied": "FEHLER: Zugriff verweigert",
    },
    "ja": {
        "not_recognized": (
            "用語 '{0}' は、コマンドレット、関数、スクリプト ファイル、"
            "または操作可能なプログラムの名前として認識されません。"
            "名前が正しく記述されていることを確認し、パスが含まれている場合はそのパスが正しいことを確認してから、"
            "再試行してください。"
        ),
        "position": "発生場所 行:{0} 文字:{1}",
        "too_long": "コマンド ラインが長すぎます。",
        "reg_missing": "エラー: 指定されたレジストリ キーまたは値が見つかりませんでした",
        "reg_denied": "エラー: アクセスが拒否されました。",
    },
}


def say(language: str, text: str, *arguments: object) -> str:
    """A text in a language, or in English where the lab has none."""
    return _TEXTS.get(language, {}).get(text, _TEXTS["en"][text]).format(*arguments)


def short_time(moment: datetime, language: str) -> str:
    """Date and time without seconds, as certutil prints them: the regional format of the host.

    English and German as in real certutil output; Japanese and Chinese by the default regional settings, unverified.
    """
    return _format(moment, language, seconds=False)


def general_time(moment: datetime, language: str) -> str:
    """Date and time with seconds: .NET's general format ``G`` in the culture of the host."""
    return _format(moment, language, seconds=True)


def _format(moment: datetime, language: str, *, seconds: bool) -> str:
    hour = moment.hour
    tail = f":{moment.second:02}" if seconds else ""
    if language == "en":
        half = "AM" if hour < 12 else "PM"
        return f"{moment.month}/{moment.day}/{moment.year} {hour % 12 or 12}:{moment.minute:02}{tail} {half}"
    if language == "de":
        return f"{moment.day:02}.{moment.month:02}.{moment.year} {hour:02}:{moment.minute:02}{tail}"
    if language in ("ja", "zh"):
        separator, padded = ("/", 2) if language == "ja" else ("/", 1)
        date = f"{moment.year}{separator}{moment.month:0{padded}}{separator}{moment.day:0{padded}}"
        return f"{date} {hour}:{moment.minute:02}{tail}"
    return f"{moment.day:02}/{moment.month:02}/{moment.year} {hour:02}:{moment.minute:02}{tail}"
