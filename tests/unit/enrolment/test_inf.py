# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""INF files: what is wished stands in them, and nothing else. They are read here by the rules of "General syntax rules
for INF files" and of CertStrToName, written down anew.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.inf import (
    identity,
    properties_inf,
    request_inf,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import (
    EnrolmentError,
    RequestWish,
    checked,
)
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

WISH = checked(RequestWish("CN=pool01.contoso.example", ("fe01.contoso.example", "10.0.0.1")))
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"
TEMPLATE_OID = "1.3.6.1.4.1.311.21.8.1234567.99"


def read_inf(data: bytes) -> dict[str, list[tuple[str, str]]]:
    """Sections with their keys and values in order; strict: only the two forms of a value that are clear."""
    text = data[2:].decode("utf-16-le") if data.startswith(b"\xff\xfe") else data.decode("ascii")
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    sections: dict[str, list[tuple[str, str]]] = {}
    current: list[tuple[str, str]] = []
    for line in text.split("\r\n"):
        if not line:
            continue
        assert len(line) < 4096
        if line.startswith("["):
            assert line.endswith("]")
            assert line[1:-1].casefold() not in (name.casefold() for name in sections)
            current = sections.setdefault(line[1:-1], [])
            continue
        key, equals, value = line.partition("=")
        assert equals
        value = value.strip()
        if value.startswith('"'):
            assert value.endswith('"')
            assert '"' not in value[1:-1]
            value = value[1:-1]
        else:
            assert re.fullmatch(r"[A-Za-z0-9.]*", value)
        assert "%" not in value
        current.append((key.strip(), value))
    return sections


def read_x500(text: str, flags: int) -> list[tuple[str, str]]:
    """CertStrToName: the separators that the flags leave, blanks around keys and values passed over."""
    assert '"' not in text
    assert not flags & ~0x60000000
    separators = ";" if flags & 0x40000000 else ",;"
    separators += "" if flags & 0x20000000 else "+"
    parts = re.split(f"[{re.escape(separators)}]", text)
    found = []
    for part in parts:
        key, equals, value = part.partition("=")
        assert equals
        assert not value.strip().startswith("#")
        found.append((key.strip(), value.strip()))
    return found


def read_names(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    text = "".join(value for key, value in lines if key == "_continue_")
    return [tuple(token.split("=", 1)) for token in text.split("&") if token]


def values(wish: RequestWish) -> dict[str, str]:
    lines = read_inf(request_inf(wish))["NewRequest"]
    assert len({key.casefold() for key, _value in lines}) == len(lines)
    return dict(lines)


def test_a_request_for_the_default_provider():
    assert request_inf(replace(WISH, friendly_name="Pool")) == (
        b'[Version]\r\nSignature = "$Windows NT$"\r\n\r\n'
        b'[NewRequest]\r\nSubject = "CN=pool01.contoso.example"\r\n'
        b"KeySpec = 1\r\nKeyLength = 2048\r\nKeyUsage = 0xA0\r\n"
        b"Exportable = FALSE\r\nMachineKeySet = TRUE\r\n"
        b'ProviderName = "Microsoft RSA SChannel Cryptographic Provider"\r\nProviderType = 12\r\n'
        b"RequestType = PKCS10\r\nHashAlgorithm = SHA256\r\nSMIME = FALSE\r\nSilent = TRUE\r\n"
        b'FriendlyName = "Pool"\r\n\r\n'
        b"[EnhancedKeyUsageExtension]\r\nOID = 1.3.6.1.5.5.7.3.1\r\n\r\n"
        b'[Extensions]\r\n2.5.29.17 = "{text}"\r\n_continue_ = "ipaddress=10.0.0.1&"\r\n'
        b'_continue_ = "dns=fe01.contoso.example&"\r\n'
    )


def test_a_key_storage_provider_has_neither_type_nor_key_specification():
    found = values(checked(replace(WISH, provider=SOFTWARE_KSP), force_provider=True))
    assert found["ProviderName"] == SOFTWARE_KSP
    assert found["KeySpec"] == "0"
    assert "ProviderType" not in found


def test_commas_and_plus_signs_stand_for_themselves():
    found = values(checked(replace(WISH, subject=r"CN=a,O=Contoso\, Ltd.,OU=R\+D")))
    assert found["Subject"] == "CN=a;O=Contoso, Ltd.;OU=R+D"
    assert found["X500NameFlags"] == "0x60000000"


def test_other_than_ascii_makes_the_file_utf_16():
    data = request_inf(checked(replace(WISH, subject="CN=a,O=M\u00fcller")))
    assert data.startswith(b"\xff\xfe[\0V\0")
    assert dict(read_inf(data)["NewRequest"])["Subject"] == "CN=a,O=M\u00fcller"


def test_a_template_stands_in_the_request_only_by_its_oid():
    assert request_inf(checked(replace(WISH, template="WebServer"))) == request_inf(WISH)
    lines = read_inf(request_inf(checked(replace(WISH, template=TEMPLATE_OID))))["Extensions"]
    (_key, encoding), (_more, value) = lines[-2:]
    assert (lines[-2][0], encoding) == ("1.3.6.1.4.1.311.21.7", "{hex}")
    encoded = bytes.fromhex(value)
    # CertificateTemplateOID ::= SEQUENCE { templateID OBJECT IDENTIFIER, ... }, MS-WCCE 2.2.2.7.7.2,
    # which is what the library writes for an extension that is a sequence of one OID.
    assert encoded == x509.ExtendedKeyUsage([x509.ObjectIdentifier(TEMPLATE_OID)]).public_bytes()


def test_the_identity_is_that_of_the_request():
    assert re.fullmatch("[0-9a-f]{32}", identity(WISH))
    assert identity(replace(WISH, friendly_name="Pool")) == identity(WISH)
    assert identity(checked(replace(WISH, subject_alt_names=("DNS:FE01.contoso.example", "10.0.0.1")))) == identity(
        WISH
    )
    for change in ({"exportable": True}, {"key_length": 4096}, {"subject": "CN=other"}, {"hash_algorithm": "SHA384"}):
        assert identity(checked(replace(WISH, **change))) != identity(WISH)


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        ({"friendly_name": "Pool (2)"}, [("11", "{text}Pool (2)")]),
        ({"archived": True}, [("19", "Empty")]),
        ({"archived": False}, [("19", "")]),
        ({"friendly_name": "M\u00fcller", "archived": True}, [("11", "{text}M\u00fcller"), ("19", "Empty")]),
    ],
)
def test_properties_of_a_certificate(wanted, lines):
    assert read_inf(properties_inf(**wanted)) == {"Properties": lines}


@pytest.mark.parametrize("name", ["", 'a"', "a\r\n19 = Empty", "%x%", "a;b"])
def test_a_friendly_name_cannot_set_another_property(name):
    with pytest.raises(EnrolmentError):
        properties_inf(name)


@pytest.mark.parametrize("change", [{"friendly_name": 'a"\r\n[Extensions]'}, {"subject_alt_names": ('a" ',)}])
def test_what_was_not_checked_is_not_written_either(change):
    with pytest.raises(EnrolmentError):
        request_inf(replace(WISH, **change))


LETTERS = st.characters(codec="utf-8", exclude_categories=["Cs"])
TEXTS = st.one_of(
    st.text(LETTERS, max_size=20),
    st.text(alphabet="aZ9 ,+;=\"'%&\\\r\n[]{}#.-_*:/()", max_size=20),
    st.sampled_from(["contoso.example", "Contoso, Ltd.", "R+D & Co", "%Subject%", '"', "\\", "x\r\nSilent = FALSE"]),
)
ESCAPES = str.maketrans({character: "\\" + character for character in ',+"\\<>;='})
SUBJECTS = st.lists(
    st.tuples(st.sampled_from(["CN", "O", "OU", "L", "S", "STREET", "DC", "C", "E"]), TEXTS), min_size=1
)


@settings(max_examples=400, deadline=None)
@given(
    subject=SUBJECTS,
    names=st.lists(
        st.one_of(TEXTS, st.ip_addresses().map(str), st.from_regex(r"[a-z0-9-]{1,9}\.example", fullmatch=True))
    ),
    template=st.one_of(st.none(), TEXTS),
    friendly_name=st.one_of(st.none(), TEXTS),
    purposes=st.lists(st.sampled_from(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3\r\n.6"])),
)
def test_whatever_is_accepted_is_in_the_file_and_nothing_else(subject, names, template, friendly_name, purposes):
    text = ",".join(f"{key}={value.translate(ESCAPES)}" for key, value in subject)
    wished = []
    # One bad value would refuse the whole wish; each is tried alone first.
    for change in (
        {"subject": text},
        {"template": template},
        {"friendly_name": friendly_name},
        *({"subject_alt_names": (name,)} for name in names),
        *({"extended_key_usage": (purpose,)} for purpose in purposes),
    ):
        try:
            checked(replace(WISH, **change))
        except EnrolmentError:
            continue
        wished.append(change)
    wish = WISH
    for change in wished:
        if "subject_alt_names" in change:
            change = {"subject_alt_names": (*wish.subject_alt_names, *change["subject_alt_names"])}
        wish = checked(replace(wish, **change))
    read = read_inf(request_inf(wish))
    expected = dict(values(replace(WISH, friendly_name=None)))
    found = dict(read["NewRequest"])
    flags = int(found.pop("X500NameFlags", "0"), 16)
    components = read_x500(found.pop("Subject"), flags)
    if {"subject": text} in wished:
        assert components == [(key, value.strip(" ")) for key, value in subject]
    assert found.pop("FriendlyName", None) == wish.friendly_name
    del expected["Subject"]
    assert found == expected
    assert [value for _key, value in read["EnhancedKeyUsageExtension"]] == list(wish.extended_key_usage)
    extensions = read["Extensions"]
    if "1.3.6.1.4.1.311.21.7" in dict(extensions):
        assert set(wish.template or "x") <= set("0123456789.")
        extensions = extensions[:-2]
    assert extensions[0] == ("2.5.29.17", "{text}")
    assert {key for key, _value in extensions[1:]} == {"_continue_"}
    assert {value for _kind, value in read_names(extensions)} == set(wish.subject_alt_names)
    assert set(read) == {"Version", "NewRequest", "EnhancedKeyUsageExtension", "Extensions"}
