# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reg.exe and certutil answered, and why they did not."""

from __future__ import annotations

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.audit.store import (
    certificates_key,
    check_answer,
    check_certutil,
    query_statement,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import Completed, HostError

ROOT = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates"
LISTING = f"\r\n{ROOT}\\CA\r\n{ROOT}\\MY\r\n{ROOT}\\Root\r\n".encode()
OK = Completed(0, f"\r\n{ROOT}\\MY\\Certificates\\AB\r\n".encode(), b"")
REFUSED = Completed(1, b"", "FEHLER: Zugriff verweigert\r\n".encode("cp850"))


class Host:
    """Answers by the beginning of the command."""

    def __init__(self, answers):
        self.answers = answers

    def run(self, *arguments):
        line = " ".join(arguments)
        for beginning, answer in self.answers:
            if line.startswith(beginning):
                return answer
        return Completed(1, b"", b"")


def listing(*more):
    return Host([*more, ("reg.exe query HKLM\\SOFTWARE\\Microsoft\\SystemCertificates", Completed(0, LISTING, b""))])


def test_an_answer_with_keys_is_taken():
    assert check_answer(listing(), "My", OK) is OK.stdout


def test_a_store_that_does_not_exist_is_told_with_those_that_do():
    with pytest.raises(HostError, match=r"no certificate store 'WebHosting'.*CA, MY, Root"):
        check_answer(listing(), "WebHosting", Completed(1, b"", b""))


def test_a_store_is_found_whatever_its_case():
    with pytest.raises(HostError, match="could not read"):
        check_answer(
            listing(("reg.exe query HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\my", REFUSED)), "my", REFUSED
        )


@pytest.mark.parametrize(
    ("groups", "hint"),
    [
        (b'"BUILTIN\\Users","Alias","S-1-5-32-545",""', "not a local administrator"),
        (b'"VORDEFINIERT\\Administratoren","Alias","S-1-5-32-544",""', "is a local administrator"),
        (b"", "Check that the host is Windows"),
    ],
)
def test_a_refusal_is_explained_by_the_groups_of_the_account(groups, hint):
    host = listing(
        ("whoami.exe", Completed(0, groups, b"")),
        ("reg.exe query HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\MY", REFUSED),
    )
    with pytest.raises(HostError) as caught:
        check_answer(host, "MY", REFUSED)
    assert hint in caught.value.remedy
    assert "Zugriff" in caught.value.message


def test_silence_is_not_taken_for_an_empty_store():
    with pytest.raises(HostError, match="could not list"):
        check_answer(Host([]), "My", Completed(0, b"", b""))


def test_a_store_without_certificates_is_empty():
    assert check_answer(listing(), "Root", Completed(0, b"\r\n", b"")) == b"\r\n"


def test_a_store_whose_certificates_key_is_missing_is_empty():
    inner = f"\r\n{ROOT}\\Root\\CRLs\r\n{ROOT}\\Root\\CTLs\r\n".encode()
    host = listing(("reg.exe query HKLM\\SOFTWARE\\Microsoft\\SystemCertificates\\Root", Completed(0, inner, b"")))
    assert check_answer(host, "Root", Completed(1, b"", b"ERROR")) == b""


@pytest.mark.parametrize("name", ["", "My\\Certificates", "a/b", 'a"b', " My", "a*", "x" * 65, "a\nb"])
def test_what_cannot_be_the_name_of_a_store_never_reaches_the_host(name):
    with pytest.raises(HostError, match="not the name"):
        query_statement(name)


def test_a_quote_in_the_name_of_a_store_ends_nothing():
    assert query_statement("a'; exit").startswith("& 'reg.exe' 'query' 'HKLM\\")
    assert "a''; exit\\Certificates'" in query_statement("a'; exit")


def test_the_key_of_a_store():
    assert certificates_key("My") == r"HKLM\SOFTWARE\Microsoft\SystemCertificates\My\Certificates"


def test_certutil_that_failed_is_told_with_its_hresult():
    with pytest.raises(HostError, match="0x80070005"):
        check_certutil(listing(), "My", Completed(0x80070005, b"", b"denied"))


def test_certutil_without_its_footer_is_not_trusted():
    with pytest.raises(HostError, match="certutil"):
        check_certutil(listing(), "My", Completed(0, b"", b"not recognized"))
