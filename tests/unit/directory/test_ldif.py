# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""LDIF as ldifde.exe writes and reads it."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory import ldif
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.change import Add, Modification, Modify
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.entry import Entry
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import DirectoryError
from hypothesis import given
from hypothesis import strategies as st
from programs import program

SAMPLES = os.environ.get("KEYPROVIDER_SAMPLES")
FILES = (
    sorted([*Path(SAMPLES).glob("templates/**/*.ldf"), *Path(SAMPLES).glob("templates/**/*.ldif")]) if SAMPLES else []
)

EXPORT = """\
dn: CN=WebServerKsp,CN=Certificate Templates,CN=Public Key Services,CN=Services,CN=Con
 figuration,DC=contoso,DC=example
changetype: add
objectClass: top
objectClass: pKICertificateTemplate
cn: WebServerKsp
displayName: Prüfung
distinguishedName:\x20
 CN=WebServerKsp,CN=Certificate Templates
pKIKeyUsage:: oAA=
pKIExpirationPeriod::
 AEAepOhl
 +v8=
msPKI-Cert-Template-OID:
 1.3.6.1.4.1.311.21.8.1
msPKI-RA-Application-Policies:\x20
 msPKI-Asymmetric-Algorithm`PZPWSTR`RSA`msPKI-Hash-Algorithm`PZPW
 STR`SHA1`

dn: CN=OID,DC=contoso,DC=example
changetype: add
cn: OID

"""


def entry(text, **more):
    (found,) = ldif.parse(text.encode(more.pop("encoding", "utf-8")), origin="t.ldf")
    return found


@pytest.mark.parametrize(
    "data",
    [
        EXPORT.encode("utf-16"),
        b"\xfe\xff" + EXPORT.encode("utf-16-be"),
        EXPORT.encode("utf-8"),
        EXPORT.encode("utf-8-sig"),
        EXPORT.encode("cp1252"),
        EXPORT.replace("\n", "\r\n").encode("utf-16"),
        EXPORT.replace("\n", "\r\n").encode("cp1252"),
    ],
    ids=["utf-16-le", "utf-16-be", "utf-8", "utf-8 with mark", "ansi", "utf-16 with CRLF", "ansi with CRLF"],
)
def test_an_export_is_read_in_every_encoding(data):
    template, container = ldif.parse(data, origin="t.ldf")
    assert template.dn == (
        "CN=WebServerKsp,CN=Certificate Templates,CN=Public Key Services,CN=Services,CN=Configuration,"
        "DC=contoso,DC=example"
    )
    assert template.text("displayName") == "Prüfung"
    assert template.texts("objectClass") == ("top", "pKICertificateTemplate")
    assert template.text("distinguishedName") == "CN=WebServerKsp,CN=Certificate Templates"
    assert template.value("pKIKeyUsage") == b"\xa0\x00"
    assert template.value("pKIExpirationPeriod") == bytes.fromhex("00401ea4e865faff")
    assert template.text("msPKI-Cert-Template-OID") == "1.3.6.1.4.1.311.21.8.1"
    assert template.text("msPKI-RA-Application-Policies") == (
        "msPKI-Asymmetric-Algorithm`PZPWSTR`RSA`msPKI-Hash-Algorithm`PZPWSTR`SHA1`"
    )
    assert "changetype" not in template.attributes
    assert container == Entry("CN=OID,DC=contoso,DC=example", {"cn": (b"OID",)})


def test_values_of_an_attribute_gather_in_their_order_whatever_its_case():
    found = entry("dn: CN=a\npKIDefaultCSPs: 2,B\ncn: a\npkidefaultcsps: 1,A\n")
    assert found.attributes == {"pKIDefaultCSPs": (b"2,B", b"1,A"), "cn": (b"a",)}


@pytest.mark.parametrize("line", ["description:", "description: ", "description::", "description:: "])
def test_a_value_may_be_empty(line):
    assert entry(f"dn: CN=a\n{line}\n").attributes == {"description": (b"",)}


def test_comments_go_with_their_folded_lines():
    text = "# first\n  with more\nversion: 1\n\n# between\ndn: CN=a\n# within\n , still the comment\ncn: a\n#last"
    assert entry(text) == Entry("CN=a", {"cn": (b"a",)})


@pytest.mark.parametrize("text", ["", "\n\n", "version: 1\n", "# nothing\n", " \n"])
def test_a_file_may_hold_no_object(text):
    assert ldif.parse(text.encode(), origin="t.ldf") == []


def test_the_version_may_stand_right_before_the_first_record():
    assert entry("version: 1\ndn: CN=a\ncn: a\n").dn == "CN=a"


def test_a_distinguished_name_may_be_base64():
    encoded = base64.b64encode("CN=Prüfung".encode()).decode()
    assert entry(f"dn:: {encoded}\ncn: a\n").dn == "CN=Prüfung"


def test_line_separators_of_unicode_end_no_line():
    assert entry("dn: CN=a\ndescription: a\u2028cn: b\x85c\n").texts("description") == ("a\u2028cn: b\x85c",)


def test_binary_says_only_how_a_value_came():
    assert entry("dn: CN=a\nuserCertificate;binary:: AQI=\n").value("userCertificate") == b"\x01\x02"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("dn: CN=a\ncn: a\nmember;range=0-1499: CN=b\n", 3, "range"),
        ("dn: CN=a\nflags\n", 2, "not of the form"),
        ("dn: CN=a\n\ncn: a\n", 3, "'dn' is expected"),
        ("dn: CN=a\ncn: a\ndn: CN=b\n", 3, "second 'dn'"),
        ("dn: CN=a\nphoto:< file:///etc/passwd\n", 2, "another file"),
        ("dn: CN=a\ncn: a\npKIKeyUsage:: oA\n", 3, "base64"),
        ("dn: CN=a\ncn: a\npKIKeyUsage:: ü===\n", 3, "base64"),
        ("dn: CN=a\nchangetype: modify\nreplace: cn\ncn: b\n-\n", 2, "is a change"),
        ("dn: CN=a\nchangetype: delete\n", 2, "changetype: delete"),
        ("dn: CN=a\ncontrol: 1.2.3 true\nchangetype: add\n", 2, "is a change"),
        ("version: 2\n\ndn: CN=a\n", 1, "version 2"),
        ("# c\n folded\n\n  continues\n", 4, "continues"),
        ("dn:: /w==\n", 1, "not UTF-8"),
        ("dn: CN=a\ncn: a\n b\nün: c\n", 4, "not of the form"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text, line, words):
    with pytest.raises(DirectoryError, match=words) as caught:
        ldif.parse(text.encode(), origin="export.ldf")
    assert caught.value.place == f"export.ldf, line {line}"
    assert caught.value.remedy


def test_what_is_no_text_is_refused():
    with pytest.raises(DirectoryError, match="no text") as caught:
        ldif.parse(b"dn: \x81\x8d\x8f", origin="export.ldf")
    assert caught.value.place == "export.ldf"


@pytest.mark.samples
@pytest.mark.skipif(not SAMPLES, reason="KEYPROVIDER_SAMPLES does not name the corpus")
def test_the_corpus_is_there():
    assert len(FILES) >= 14


@pytest.mark.samples
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_real_exports_are_read(path):
    data = path.read_bytes()
    entries = ldif.parse(data, origin=path.name)
    assert entries
    for found in entries:
        assert found.dn.startswith(f"CN={found.text('cn')},")
        assert found.value("pKIKeyUsage")
        assert found.integer("msPKI-Template-Schema-Version") in (1, 2, 3, 4)
    assert ldif.parse(ldif.write_entries(entries), origin="again") == entries


@pytest.mark.samples
@pytest.mark.skipif(not SAMPLES, reason="KEYPROVIDER_SAMPLES does not name the corpus")
def test_an_export_in_the_ansi_code_page_keeps_its_umlauts():
    (found,) = ldif.parse((Path(SAMPLES) / "templates/tamemycerts/SpecialChars.ldf").read_bytes(), origin="x")
    assert set("äöü") <= set(found.text("displayName").lower())


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
values = st.one_of(st.binary(max_size=200), texts.map(str.encode))
names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True).filter(
    lambda name: name.lower() not in ("dn", "changetype", "control", "version")
)
attributes = st.lists(
    st.tuples(names, st.lists(values, min_size=1, max_size=3).map(tuple)),
    max_size=4,
    unique_by=lambda pair: pair[0].lower(),
)
entries = st.builds(lambda dn, pairs: Entry(dn, dict(pairs)), texts, attributes)


@given(st.lists(entries, max_size=3), st.none() | texts)
def test_what_is_written_is_read_again(written, comment):
    data = ldif.write_entries(written, comment=comment)
    assert data.isascii()
    assert ldif.parse(data, origin="t.ldf") == written


@given(st.lists(entries, max_size=3), st.sampled_from(["utf-16", "ascii"]))
def test_an_object_to_add_is_read_as_it_was_meant(written, encoding):
    changes = [Add(each.dn, tuple(each.attributes.items())) for each in written]
    assert ldif.parse(ldif.write_changes(changes, encoding=encoding), origin="t.ldf") == written


@given(texts, st.lists(values, min_size=1, max_size=3), st.sampled_from(["utf-16", "ascii"]))
def test_no_value_begins_a_line_or_a_record(dn, some, encoding):
    change = Modify(dn, (Modification("cn", tuple(some), tuple(some)),))
    lines = ldif.decode(ldif.write_changes([change], encoding=encoding)).split("\r\n")
    kinds = [line.partition(":")[0] for line in lines if not line.startswith(" ")]
    own = ["cn"] * len(some)
    assert kinds == ["dn", "changetype", "delete", *own, "-", "add", *own, "-", "", ""]
    assert all(line.isprintable() for line in lines)
    assert all(len(line) <= 76 for line in lines if not line.startswith("dn:"))


CHANGES = [
    Modify(
        "CN=Prüfung,CN=Certificate Templates,DC=contoso,DC=example",
        (
            Modification("pKIDefaultCSPs", (b"2,B", b"1,A"), (b"1,Microsoft RSA SChannel Cryptographic Provider",)),
            Modification("pKIKeyUsage", (b"\x88",), (b"\xa0\x00",)),
            Modification("msPKI-RA-Application-Policies", (b"x`y`z`",)),
            Modification("description", (), (" geändert: <ä>".encode(), "größer".encode())),
        ),
    ),
    Add("CN=b,DC=contoso,DC=example", (("objectClass", (b"top", b"msPKI-Enterprise-Oid")), ("cn", (b"b",)))),
]


def test_changes_for_ldifde():
    data = ldif.write_changes(CHANGES, encoding="utf-16")
    assert data.startswith(b"\xff\xfe")
    assert data[2:].decode("utf-16-le").split("\r\n") == [
        "dn: CN=Prüfung,CN=Certificate Templates,DC=contoso,DC=example",
        "changetype: modify",
        "delete: pKIDefaultCSPs",
        "pKIDefaultCSPs: 2,B",
        "pKIDefaultCSPs: 1,A",
        "-",
        "add: pKIDefaultCSPs",
        "pKIDefaultCSPs: 1,Microsoft RSA SChannel Cryptographic Provider",
        "-",
        "delete: pKIKeyUsage",
        "pKIKeyUsage:: iA==",
        "-",
        "add: pKIKeyUsage",
        "pKIKeyUsage:: oAA=",
        "-",
        "delete: msPKI-RA-Application-Policies",
        "msPKI-RA-Application-Policies: x`y`z`",
        "-",
        "add: description",
        f"description:: {base64.b64encode(' geändert: <ä>'.encode()).decode()}",
        "description: größer",
        "-",
        "",
        "dn: CN=b,DC=contoso,DC=example",
        "changetype: add",
        "objectClass: top",
        "objectClass: msPKI-Enterprise-Oid",
        "cn: b",
        "",
        "",
    ]


def test_changes_in_ascii_have_everything_else_as_base64():
    data = ldif.write_changes(CHANGES, encoding="ascii")
    assert data.isascii()
    dn = base64.b64encode(CHANGES[0].dn.encode()).decode()
    assert data.replace(b"\r\n ", b"").startswith(f"dn:: {dn}\r\nchangetype: modify\r\n".encode())
    assert f"description:: {base64.b64encode('größer'.encode()).decode()}\r\n".encode() in data


@pytest.mark.parametrize("encoding", ["utf-16", "ascii"])
@pytest.mark.parametrize("value", [" a", "a ", ":a", "<a", " ", "a\n", "a\r\n-", "\x00", "a\u2028b", "\ufeffa"])
def test_what_could_be_misread_is_base64(value, encoding):
    text = ldif.decode(ldif.write_changes([Add("CN=a", (("cn", (value.encode(),)),))], encoding=encoding))
    assert text.split("\r\n")[2] == f"cn:: {base64.b64encode(value.encode()).decode()}"


@pytest.mark.parametrize("value", ["", "a", "#a", "a:b", "a <b", "-", "x`y`z`", "1,Microsoft", "dn: x"])
def test_what_cannot_is_plain(value):
    text = ldif.write_changes([Add("CN=a", (("cn", (value.encode(),)),))], encoding="ascii").decode()
    assert text.split("\r\n")[2] == f"cn: {value}".strip()


def read_by_ldapmodify(data, tmp_path):
    """What ldapmodify would do, in its words; ``-n`` needs no server."""
    path = tmp_path / "changes.ldif"
    path.write_bytes(data)
    command = [program("ldapmodify", package="ldap-utils"), "-n", "-v", "-x", "-f", str(path)]
    done = subprocess.run(command, capture_output=True, env={"LDAPNOINIT": "1"}, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().splitlines()


def test_ldapmodify_reads_the_same_changes(tmp_path):
    told = read_by_ldapmodify(ldif.write_changes(CHANGES, encoding="ascii"), tmp_path)
    assert told == [
        "delete pKIDefaultCSPs:",
        "\t2,B",
        "\t1,A",
        "add pKIDefaultCSPs:",
        "\t1,Microsoft RSA SChannel Cryptographic Provider",
        "delete pKIKeyUsage:",
        "\tNOT ASCII (1 bytes)",
        "add pKIKeyUsage:",
        "\tNOT ASCII (2 bytes)",
        "delete msPKI-RA-Application-Policies:",
        "\tx`y`z`",
        "add description:",
        "\tNOT ASCII (16 bytes)",
        "\tNOT ASCII (8 bytes)",
        '!modifying entry "CN=Prüfung,CN=Certificate Templates,DC=contoso,DC=example"',
        "",
        "add objectClass:",
        "\ttop",
        "\tmsPKI-Enterprise-Oid",
        "add cn:",
        "\tb",
        '!adding new entry "CN=b,DC=contoso,DC=example"',
        "",
    ]


def test_a_replacement_clears_what_has_no_value(tmp_path):
    data = ldif.write_replacement("CN=a", [("flags", (b"1",)), ("cn", ())], comment="Put back\nwhat was, Prüfung")
    assert data.decode("ascii").split("\r\n") == [
        "# Put back",
        "# what was, Pr\\xfcfung",
        "",
        "dn: CN=a",
        "changetype: modify",
        "replace: flags",
        "flags: 1",
        "-",
        "replace: cn",
        "-",
        "",
        "",
    ]
    assert read_by_ldapmodify(data, tmp_path) == ["replace flags:", "\t1", "replace cn:", '!modifying entry "CN=a"', ""]


def test_deletions_keep_their_order(tmp_path):
    data = ldif.write_deletion(["CN=ä", "CN=b"], comment="Undo")
    told = read_by_ldapmodify(data, tmp_path)
    assert [line for line in told if line] == ['!deleting entry "CN=ä"', '!deleting entry "CN=b"']


@pytest.mark.parametrize("name", ["", "cn: a\r\ndescription", "c n", "-", "cn:", "ü"])
def test_what_cannot_be_an_attribute_is_not_written(name):
    with pytest.raises(DirectoryError, match="name of an attribute"):
        ldif.write_changes([Modify("CN=a", (Modification(name, (b"1",)),))], encoding="ascii")


def test_a_name_that_is_no_unicode_is_written_without_a_traceback():
    assert ldif.write_deletion(["CN=\ud800"]).startswith(b"dn:: ")
