# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be asked for, in which form it is kept, and how the rest is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.names import parse_subject, subject_text
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.enrolment.wish import (
    EnrolmentError,
    RequestWish,
    advice,
    checked,
    friendly_name_from,
)
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

WISH = RequestWish("CN=pool01.contoso.example")
SOFTWARE_KSP = "Microsoft Software Key Storage Provider"


def refused(**changes):
    with pytest.raises(EnrolmentError) as caught:
        checked(replace(WISH, **changes))
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("CN=pool01.contoso.example,O=Contoso", "CN=pool01.contoso.example,O=Contoso"),
        (" cn = a , o=Contoso  Ltd ", "CN=a,O=Contoso  Ltd"),
        ("CN=a,ST=Bavaria,street=Main 1", "CN=a,ST=Bavaria,STREET=Main 1"),
        ("CN=a,S=Bavaria", "CN=a,ST=Bavaria"),
        (r"CN=a,O=Contoso\, Ltd.", r"CN=a,O=Contoso\, Ltd."),
        (r"CN=a,O=R\+D \26 Co", r"CN=a,O=R\+D & Co"),
        (r"CN=a,O=M\C3\BCller", "CN=a,O=M\u00fcller"),
        ("2.5.4.3=a,1.2.840.113549.1.9.1=pki@contoso.example", "CN=a,1.2.840.113549.1.9.1=pki@contoso.example"),
        ("CN=a,DC=contoso,DC=example", "CN=a,DC=contoso,DC=example"),
    ],
)
def test_a_subject_has_one_normal_form(given_text, kept):
    assert checked(replace(WISH, subject=given_text)).subject == kept
    assert checked(replace(WISH, subject=kept)).subject == kept


@pytest.mark.parametrize(
    "subject",
    [
        *("", "  ", "pool01", "CN", "CN=", "CN=a,", ",CN=a", "CN=a,,O=b", "=a", "CN= ", r"CN=\20a", "CN=a\\ ", "X=a"),
        *("serialNumber=1", "2.5.4.5=1", "CN=a+O=b", 'CN="a"', "CN=a;O=b", "CN=a=b", "CN=a<b", "CN=#0401", "CN=a\\"),
        *("CN=a%b", "CN=%x%", "CN=a\nO=b", "CN=a\r\n[RequestAttributes]", "CN=a\tb", "CN=a\x00", r"CN=a\0AO=b"),
        *(r"CN=a\22", r"CN=a\3Bb", r"CN=a\=b", r"CN=a\\", "CN=a\u2028b", "CN=a\u201cb", "CN=a\U0001f600", r"CN=\FF"),
        *("C=DEU", "C=1", "DC=a.b", "E=nobody", "CN=" + "a" * 65, "CN=a\u00a0b", "CN=a\ufeffb", "CN=a\u200eb"),
    ],
)
def test_a_subject_that_could_add_to_the_request_is_refused(subject):
    assert refused(subject=subject).place == "the option 'subject'"


def test_a_refused_character_is_shown_by_its_number():
    assert "U+0022" in refused(subject=r"CN=a\22b").message
    assert "U+2028" in refused(subject="CN=a\u2028b").message


def test_a_subject_reads_as_the_library_reads_it():
    text = r"CN=pool01.contoso.example,OU=R\+D,O=Contoso\, Ltd.,C=GB"
    assert subject_text(parse_subject(text)) == text
    assert [(part.attribute.oid, part.value) for part in reversed(parse_subject(text))] == [
        (attribute.oid.dotted_string, attribute.value) for attribute in x509.Name.from_rfc4514_string(text)
    ]


def test_alternative_names_are_a_set():
    names = ("FE01.Contoso.example", "dns:fe01.contoso.example", "*.contoso.example", "IP:10.0.0.1", "2001:DB8:0::1")
    assert checked(replace(WISH, subject_alt_names=names)).subject_alt_names == (
        "*.contoso.example",
        "10.0.0.1",
        "2001:db8::1",
        "fe01.contoso.example",
    )


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            " ",
            "a b",
            "a&dns=b",
            "a.example&upn=x",
            "a\nb",
            'a"',
            "a;b",
            "a%b%",
            "a.example.",
            ".a",
            "a..b",
            "-a.b",
        ),
        *(
            "a-.b",
            "*",
            "*.example",
            "a.*.example",
            "w*.contoso.example",
            "**.a.b",
            "10.0.0.300",
            "10.0.0",
            "1",
            "fe80::1%1",
        ),
        *(
            "ip:fe01",
            "dns:10.0.0.1",
            "email:a@b.example",
            "upn:a@b",
            "http://a.example",
            "m\u00fcller.example",
            "\u0661.b",
        ),
        *("a" * 64 + ".example", ".".join(["a" * 60] * 5), "a\u3002b", "a=b", "a{text}"),
    ],
)
def test_an_alternative_name_that_is_none_is_refused(name):
    assert refused(subject_alt_names=("fe01.contoso.example", name)).place == "the option 'subject_alt_names'"


def test_an_internationalized_name_is_to_be_given_in_punycode():
    assert "xn--" in refused(subject_alt_names=("m\u00fcller.example",)).remedy


@pytest.mark.parametrize(
    "template", ["WebServer", "Lync Web Server (v2)", "1.3.6.1.4.1.311.21.8.1.2", "Vorlage_\u00fc"]
)
def test_a_template_is_given_by_name_or_oid(template):
    assert checked(replace(WISH, template=template)).template == template


@pytest.mark.parametrize(
    "template",
    [
        "",
        " a",
        "a" * 65,
        'a"',
        "a\\nSAN:dns=b",
        "a:b",
        "a&b",
        "a%b",
        "a;b",
        "a\nb",
        "1.2",
        "1",
        "3.1.2.3",
        "1.40.2.3",
        "1..2.3",
    ],
)
def test_a_template_that_could_add_an_attribute_is_refused(template):
    assert refused(template=template).place == "the option 'template'"


def test_a_provider_has_its_canonical_spelling():
    wish = checked(replace(WISH, provider=" microsoft rsa schannel cryptographic provider"))
    assert wish.provider == "Microsoft RSA SChannel Cryptographic Provider"


@pytest.mark.parametrize(
    "provider",
    [
        *(SOFTWARE_KSP, "Microsoft Platform Crypto Provider", "Contoso Key Storage Provider", "Contoso Provider", ""),
        *("Microsoft Base Smart Card Crypto Provider", "Microsoft DH SChannel Cryptographic Provider"),
        *("Microsoft Base DSS Cryptographic Provider", "Microsoft RSA Signature Cryptographic Provider"),
    ],
)
def test_a_provider_that_makes_no_key_for_lync_is_refused(provider):
    assert refused(provider=provider).place == "the option 'provider'"


def test_a_key_storage_provider_can_be_forced_with_advice():
    wish = checked(replace(WISH, provider=SOFTWARE_KSP.upper()), force_provider=True)
    assert wish.provider == SOFTWARE_KSP
    assert any("CNG" in sentence for sentence in advice(wish))


@pytest.mark.parametrize(
    "provider", ["Contoso Key Storage Provider", "Contoso Provider", "Microsoft DH SChannel Cryptographic Provider"]
)
def test_force_does_not_make_a_provider_known_or_an_rsa_one(provider):
    with pytest.raises(EnrolmentError):
        checked(replace(WISH, provider=provider), force_provider=True)


@pytest.mark.parametrize("length", [0, 512, 1023, 2047, 4097, 32768])
def test_a_key_length_that_nobody_makes_is_refused(length):
    assert refused(key_length=length).place == "the option 'key_length'"


def test_allowed_wishes_with_a_catch_are_told():
    assert advice(checked(WISH)) == ()
    assert len(advice(checked(replace(WISH, key_length=1024, hash_algorithm="SHA1")))) == 2
    assert "3072" in advice(checked(replace(WISH, key_length=3072)))[0]
    assert "type 1" in advice(checked(replace(WISH, provider="Microsoft Strong Cryptographic Provider")))[0]


def test_the_hash_algorithm_is_one_that_holds():
    assert checked(replace(WISH, hash_algorithm="sha-384")).hash_algorithm == "SHA384"
    assert refused(hash_algorithm="MD5").place == "the option 'hash_algorithm'"


@pytest.mark.parametrize("purpose", ["", "serverAuth", "1.3.6.1.5.5.7.3.1\n", "1.3", "1.3.6.1.5.5.7.3.01"])
def test_purposes_are_oids(purpose):
    assert refused(extended_key_usage=(purpose,)).place == "the option 'extended_key_usage'"


@pytest.mark.parametrize("name", ["", " a", "a" * 201, 'a"', "a\nb", "a%b", "a;b", "a\\", "{text}", "a\u2019"])
def test_a_friendly_name_that_could_end_its_line_is_refused(name):
    assert refused(friendly_name=name).place == "the option 'friendly_name'"


def test_a_friendly_name_comes_from_the_names_unless_given():
    assert friendly_name_from(checked(WISH), "2026-11-22") == "pool01.contoso.example 2026-11-22"
    other = checked(RequestWish("O=Contoso", ("fe01.contoso.example",)))
    assert friendly_name_from(other, "2026-11-22") == "fe01.contoso.example 2026-11-22"
    assert friendly_name_from(replace(WISH, friendly_name="Pool"), "2026-11-22") == "Pool"


@given(st.text())
def test_whatever_is_accepted_as_a_subject_is_kept_as_it_is(text):
    try:
        components = parse_subject("CN=" + text)
    except EnrolmentError:
        return
    assert parse_subject(subject_text(components)) == components


def test_an_unknown_provider_is_answered_with_those_that_can_be_named():
    error = refused(provider="Contoso Cryptographic Provider")
    offered = error.remedy.removeprefix("Name one of: ").rstrip(".").split("; ")
    assert offered[0] == "Microsoft RSA SChannel Cryptographic Provider"
    assert len(offered) > 3
    for name in offered:
        assert checked(replace(WISH, provider=name)).provider == name


@pytest.mark.parametrize("option", ["subject", "template", "friendly_name"])
def test_an_unsafe_character_is_told_once_with_its_option(option):
    error = refused(**{option: "CN=a%b" if option == "subject" else "a%b"})
    assert error.place == f"the option '{option}'"
    assert error.message == "The character U+0025 (%) is not safe in a request."
