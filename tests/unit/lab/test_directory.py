# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The embedded directory against what Active Directory answers."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence

import pytest
from lab.directory import descriptors, names
from lab.directory.embedded import EmbeddedDirectory
from lab.directory.model import Caller, DirectoryFault, Object, Operation
from lab.directory.population import CaPlan, DirectoryPlan, TemplatePlan, many_templates, populate

ADMINISTRATOR, READER = Caller("CORP\\Administrator", "secret"), Caller("reader@corp.example.test", "other")
ODD = 'Büro "West", Web (neu) *\\ 1'
KSP, SCHANNEL = "Microsoft Software Key Storage Provider", "Microsoft RSA SChannel Cryptographic Provider"


@pytest.fixture
def forest() -> EmbeddedDirectory:
    directory = EmbeddedDirectory(
        "corp.example.test", accounts={"administrator": "secret", "Reader": "other"}, server="dc01.corp.example.test"
    )
    plan = DirectoryPlan(
        "corp.example.test",
        templates=[
            TemplatePlan("WebV4", "Web Four", providers=[KSP], enroll=["Domain Admins", "Authenticated Users"]),
            TemplatePlan("Legacy", schema=2, providers=[SCHANNEL, "Other"]),
            TemplatePlan(ODD, attributes={"mspki-certificate-name-flag": [b"-2113929216"], "revision": None}),
        ],
        cas=[CaPlan("CA, One", "ca01.corp.example.test", ["WebV4"])],
    )
    populate(directory, plan)
    return directory


def _templates(directory: EmbeddedDirectory) -> str:
    return f"CN=Certificate Templates,CN=Public Key Services,CN=Services,{directory.configuration}"


def _search(directory: EmbeddedDirectory, text: str, attributes: Sequence[str] | None = ("cn",)) -> list[Object]:
    return directory.search(READER, directory.configuration, "sub", text, attributes)


def _modify(directory: EmbeddedDirectory, *operations: Operation, caller: Caller = ADMINISTRATOR) -> None:
    directory.modify(caller, f"cn=webv4,{_templates(directory)}", operations)


def _read(directory: EmbeddedDirectory, name: str = "WebV4") -> dict[str, list[bytes]]:
    (found,) = directory.search(READER, f"CN={name},{_templates(directory)}", "base", "(objectClass=*)", None)
    return found.attributes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(cn=webV4)", {"WebV4"}),
        ("(&(objectClass=pKICertificateTemplate)(!(msPKI-Template-Schema-Version=2)))", {"WebV4", ODD}),
        ("(|(cn=WebV4)(&(displayName=*aC*)(pKIDefaultCSPs=*)))", {"WebV4", "Legacy"}),
        (r"(cn=B\c3\bcro \22West\22, Web \28neu\29 \2a\5c 1)", {ODD}),
        (r"(cn=*\2a*)", {ODD}),
        ("(pKIDefaultCSPs=1,microsoft rsa schannel*)", {"Legacy"}),
        ("(pKIDefaultCSPs=1,*Key*Provider)", {"WebV4"}),
        ("(msPKI-Certificate-Name-Flag<=-1)", {ODD}),
        ("(&(objectCategory=pKICertificateTemplate)(msPKI-Template-Schema-Version>=4))", {"WebV4", ODD}),
        ("(msPKI-Private-Key-Flag:1.2.840.113556.1.4.803:=16777216)", {"Legacy"}),
        (r"(pKIKeyUsage=\a0\00)", {"WebV4", "Legacy", ODD}),
        ("(!(noSuchAttribute=1))", set()),
        ("(&(!(revision=*))(objectClass=pKICertificateTemplate))", {ODD}),
        ("objectClass=pKIEnrollmentService", {"CA, One"}),
    ],
)
def test_filters(forest: EmbeddedDirectory, text: str, found: set[str]) -> None:
    assert {entry.attributes["cn"][0].decode() for entry in _search(forest, text)} == found


@pytest.mark.parametrize("text", ["", "(cn=", "(cn=a))", "(&)", "cn", r"(cn=\zz)", "(cn=a)(cn=b)", "((cn=a))", "(=a)"])
def test_a_bad_filter_is_refused_by_the_client_library(forest: EmbeddedDirectory, text: str) -> None:
    with pytest.raises(DirectoryFault) as caught:
        _search(forest, text)
    assert caught.value.code == 87


def test_scopes_and_the_object_itself(forest: EmbeddedDirectory) -> None:
    base = _templates(forest)
    counts = {
        scope: len(forest.search(READER, base, scope, "(objectClass=*)", None)) for scope in ("base", "one", "sub")
    }
    assert counts == {"base": 1, "one": 3, "sub": 4}
    held = _read(forest)
    assert held["distinguishedName"] == [f"CN=WebV4,{base}".encode()]
    assert held["objectCategory"] == [f"CN=PKI-Certificate-Template,CN=Schema,{forest.configuration}".encode()]
    assert {"objectGUID", "whenChanged", "instanceType", "name"} <= set(held)
    assert len(held["objectGUID"][0]) == 16
    assert "nTSecurityDescriptor" not in held


def test_escapes_in_a_name_come_back_as_ad_writes_them(forest: EmbeddedDirectory) -> None:
    (found,) = _search(forest, r"(cn=*neu*)")
    assert found.dn == f'CN=Büro \\"West\\"\\, Web (neu) *\\\\ 1,{_templates(forest)}'
    spelled = found.dn.replace("ü", "\\C3\\BC").replace("\\,", "\\2c")
    assert forest.search(READER, spelled.lower(), "base", "(cn=*)", ["cn"])[0].dn == found.dn


@pytest.mark.parametrize(
    ("operation", "code", "diagnostic"),
    [
        (("delete", "msPKI-RA-Policies", []), 16, "00002076: AtrErr"),
        (("delete", "msPKI-Private-Key-Flag", [b"1"]), 16, "00002085: AtrErr"),
        (("add", "pKIDefaultCSPs", [b"1,microsoft software key storage provider"]), 20, "00002083: AtrErr"),
        (("add", "msPKI-Private-Key-Flag", [b"1"]), 20, "00002081: AtrErr"),
        (("replace", "revision", [b"1", b"2"]), 19, "00002081: AtrErr"),
        (("replace", "msPKI-Asymmetric-Algorithm", [b"RSA"]), 16, "00000057: LdapErr"),
        (("replace", "msPKI-Certificate-Name-Flag", [b"2181038080"]), 21, "00000057: LdapErr"),
        (("replace", "revision", [b"x"]), 21, "00000057: LdapErr"),
        (("replace", "objectGUID", [b"x" * 16]), 19, "000020B1: AtrErr"),
        (("replace", "cn", [b"Other"]), 67, "00002016: UpdErr"),
    ],
)
def test_a_refused_part_undoes_the_whole_modify(
    forest: EmbeddedDirectory, operation: Operation, code: int, diagnostic: str
) -> None:
    before = _read(forest)
    with pytest.raises(DirectoryFault) as caught:
        _modify(forest, ("replace", "displayName", [b"Changed"]), operation)
    assert caught.value.code == code
    assert caught.value.diagnostic.startswith(diagnostic)
    assert _read(forest) == before


def test_an_optimistic_lock(forest: EmbeddedDirectory) -> None:
    old, new = b"101056512", b"101056784"
    lock: list[Operation] = [("delete", "msPKI-Private-Key-Flag", [old]), ("add", "mspki-private-key-flag", [new])]
    forest.before_change = lambda: _modify(
        forest, ("replace", "msPKI-Private-Key-Flag", [b"0"]), caller=forest.administrator
    )
    with pytest.raises(DirectoryFault) as caught:
        _modify(forest, *lock)
    assert caught.value.code == 16
    _modify(forest, ("replace", "msPKI-Private-Key-Flag", [old]), ("replace", "msPKI-RA-Policies", []))
    _modify(forest, *lock)
    held = _read(forest)
    assert held["msPKI-Private-Key-Flag"] == [new]
    assert "msPKI-RA-Policies" not in held


def test_objects_come_and_go(forest: EmbeddedDirectory) -> None:
    dn = f"CN=New,{_templates(forest)}"
    content: dict[str, list[bytes]] = {"objectClass": [b"top", b"pKICertificateTemplate"], "flags": [b"1"]}
    forest.add(ADMINISTRATOR, dn, content)
    refused = {
        68: lambda: forest.add(ADMINISTRATOR, dn.lower(), content),
        32: lambda: forest.add(ADMINISTRATOR, f"CN=Child,CN=Nobody,{_templates(forest)}", content),
        65: lambda: forest.add(ADMINISTRATOR, f"CN=Other,{_templates(forest)}", {"objectClass": [b"unknown"]}),
        64: lambda: forest.add(ADMINISTRATOR, f"CN=Other,{_templates(forest)}", {**content, "cn": [b"Different"]}),
        19: lambda: forest.add(ADMINISTRATOR, f"CN=Other,{_templates(forest)}", {**content, "objectGUID": [b"1" * 16]}),
        66: lambda: forest.delete(ADMINISTRATOR, _templates(forest)),
        34: lambda: forest.delete(ADMINISTRATOR, "nonsense"),
    }
    for code, attempt in refused.items():
        with pytest.raises(DirectoryFault) as caught:
            attempt()
        assert caught.value.code == code
    forest.delete(ADMINISTRATOR, dn)
    with pytest.raises(DirectoryFault, match="NO_OBJECT") as caught:
        forest.delete(ADMINISTRATOR, dn)
    assert caught.value.code == 32
    assert _templates(forest) in caught.value.diagnostic, "the best match"


def test_who_may_do_what(forest: EmbeddedDirectory) -> None:
    dn = f"CN=WebV4,{_templates(forest)}"
    for caller, code in (
        (READER, 50),
        (Caller("reader", "wrong"), 49),
        (Caller("nobody", "x"), 49),
        (Caller("", ""), 1),
    ):
        with pytest.raises(DirectoryFault) as caught:
            forest.modify(caller, dn, [("replace", "flags", [b"0"])])
        assert caught.value.code == code
    with pytest.raises(DirectoryFault) as caught:
        forest.modify(ADMINISTRATOR, f"CN=Services,{forest.configuration}", [("replace", "displayName", [b"x"])])
    assert caught.value.code == 50
    with pytest.raises(DirectoryFault, match="a successful bind must be completed"):
        forest.search(Caller("", ""), forest.configuration, "base", "(objectClass=*)", None)
    (root,) = forest.search(Caller("", ""), "", "base", "(objectClass=*)", ["configurationNamingContext"])
    assert root.attributes == {"configurationNamingContext": [forest.configuration.encode()]}


def test_the_security_descriptor_is_for_administrators_who_name_it(forest: EmbeddedDirectory) -> None:
    dn = f"CN=WebV4,{_templates(forest)}"

    def asked(caller: Caller, attributes: list[str] | None) -> bool:
        (found,) = forest.search(caller, dn, "base", "(objectClass=*)", attributes)
        return "nTSecurityDescriptor" in found.attributes

    assert asked(ADMINISTRATOR, ["*", "ntsecuritydescriptor"])
    assert not asked(ADMINISTRATOR, None)
    assert not asked(ADMINISTRATOR, ["*"])
    assert not asked(READER, ["nTSecurityDescriptor"])


def test_who_may_enroll_stands_in_the_descriptor() -> None:
    domain = "S-1-5-21-1-2-3"
    data = descriptors.template_descriptor(domain, ["Domain Admins", "S-1-5-11"], ["Domain Computers"])
    _revision, _pad, control, owner, group, sacl, dacl = struct.unpack_from("<BBHIIII", data)
    assert (control, sacl) == (0x8404, 0)
    assert {descriptors.sid_text(data[place:]) for place in (owner, group)} == {f"{domain}-519"}
    size, count = struct.unpack_from("<HH", data, dacl + 2)
    found, at = [], dacl + 8
    for _number in range(count):
        kind, _flags, length, mask = struct.unpack_from("<BBHI", data, at)
        right = uuid.UUID(bytes_le=data[at + 12 : at + 28]) if kind == 5 else None
        found.append((str(right)[:8], mask, descriptors.sid_text(data[at + (28 if kind == 5 else 8) :])))
        at += length
    assert at == dacl + size == owner
    assert found == [
        ("0e10c968", 0x100, f"{domain}-512"),
        ("0e10c968", 0x100, "S-1-5-11"),
        ("a05b8cc2", 0x100, f"{domain}-515"),
        ("None", 0xF01FF, f"{domain}-512"),
        ("None", 0xF01FF, f"{domain}-519"),
        ("None", 0x20094, "S-1-5-11"),
    ]
    with pytest.raises(descriptors.UnknownPrincipal, match="Nobody"):
        descriptors.principal("Nobody", domain)


def test_a_population_takes_the_place_of_the_one_before(forest: EmbeddedDirectory) -> None:
    populate(forest, DirectoryPlan("corp.example.test", templates=many_templates(80)))
    found = _search(forest, "(objectClass=pKICertificateTemplate)", None)
    assert len(found) == len({entry.attributes["msPKI-Cert-Template-OID"][0] for entry in found}) == 80
    assert len(_search(forest, "(objectClass=msPKI-Enterprise-Oid)")) == 80
    assert not _search(forest, "(objectClass=pKIEnrollmentService)")
    kinds = {
        (entry.attributes["msPKI-Template-Schema-Version"][0], len(entry.attributes["pKIDefaultCSPs"]))
        for entry in found
    }
    assert kinds == {(b"4", 1), (b"4", 2), (b"2", 2)}


def test_population_writes_what_the_schema_version_asks_for(forest: EmbeddedDirectory) -> None:
    ksp, legacy = _read(forest), _read(forest, "Legacy")
    assert ksp["msPKI-Private-Key-Flag"] == [b"101056512"]
    assert b"msPKI-Asymmetric-Algorithm`PZPWSTR`RSA`" in ksp["msPKI-RA-Application-Policies"][0]
    assert "msPKI-RA-Application-Policies" not in legacy
    assert set(legacy["pKIDefaultCSPs"]) == {f"1,{SCHANNEL}".encode(), b"2,Other"}
    (twin,) = _search(forest, "(&(objectClass=msPKI-Enterprise-Oid)(displayName=Web Four))", None)
    assert twin.attributes["msPKI-Cert-Template-OID"] == ksp["msPKI-Cert-Template-OID"]
    (ca,) = _search(forest, "(objectClass=pKIEnrollmentService)", None)
    assert ca.attributes["certificateTemplates"] == [b"WebV4"]


@pytest.mark.parametrize(
    "value", ["plain", "with, comma", "+plus", " blank ", "#hash", 'quo"te', "back\\slash", "a=b", "<tag>", "ü", " "]
)
def test_names_survive(value: str) -> None:
    dn = names.rdn("CN", value) + ",DC=example"
    assert names.parts(dn) == [("CN", value), ("DC", "example")]
