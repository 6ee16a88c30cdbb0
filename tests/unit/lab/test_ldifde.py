# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ldifde.exe of the lab: its files, its texts, its exit codes."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from lab.directory import ldif
from lab.directory.embedded import EmbeddedDirectory
from lab.directory.model import DirectoryRole, Object
from lab.directory.population import DirectoryPlan, TemplatePlan, populate
from lab.host.machine import Account, Machine
from lab.powershell.errors import NotSimulated
from lab.tools import Call, Result, find_tool
from lab.wire.host import NetworkLogon

TEMP = "C:\\Windows\\Temp"
DN = "CN=WebV4,CN=Certificate Templates,CN=Public Key Services,CN=Services,CN=Configuration,DC=corp,DC=example,DC=test"
BUMP = f"dn: {DN}\r\nchangetype: modify\r\nreplace: revision\r\nrevision: 101\r\n-\r\n\r\n"


def _machine(controller: bool = True, **values: Any) -> Machine:
    accounts = {"admin": Account("one"), "reader": Account("two", administrator=False)}
    directory = EmbeddedDirectory(
        "corp.example.test",
        administrators=["admin"],
        accounts={name: account.password for name, account in accounts.items()},
    )
    templates = [TemplatePlan("WebV4", providers=["Microsoft Software Key Storage Provider"]), TemplatePlan("Büro")]
    populate(directory, DirectoryPlan("corp.example.test", templates=templates))
    name = "dc01" if controller else "admin01"
    return Machine(
        name,
        domain="corp.example.test",
        accounts=accounts,
        directory=DirectoryRole(directory, controller),
        **values,
    )


def _run(machine: Machine, *arguments: str, user: str = "admin") -> Result:
    tool = find_tool("ldifde.exe", machine)
    assert tool
    return tool(Call(machine, arguments, user))


def _import(machine: Machine, content: str | bytes, *more: str, user: str = "admin") -> Result:
    machine.files[f"{TEMP}\\in.ldf"] = content.encode("cp1252") if isinstance(content, str) else content
    return _run(machine, "-i", "-f", f"{TEMP}\\in.ldf", "-j", TEMP, *more, user=user)


def _export(machine: Machine, *more: str, user: str = "admin") -> str:
    result = _run(machine, "-f", f"{TEMP}\\out.ldf", "-j", TEMP, *more, user=user)
    assert result.exit_code == 0, result.stdout
    return machine.files[f"{TEMP}\\out.ldf"].decode("cp1252")


def _value(machine: Machine, attribute: str) -> list[bytes]:
    role = machine.directory
    assert role
    (found,) = role.directory.search(role.directory.administrator, DN, "base", "(cn=*)", [attribute])
    return found.attributes.get(attribute, [])


def test_the_tool_is_there_where_the_directory_is() -> None:
    assert find_tool("ldifde", _machine()) is not None
    assert find_tool("ldifde", Machine("fe01")) is None
    assert find_tool("ldifde") is None


class TestExport:
    def test_what_it_says(self) -> None:
        machine = _machine()
        out = f"{TEMP}\\out.ldf"
        result = _run(machine, "/F", out, "-d", DN, "-p", "Base", "-l", "cn, revision", "-j", TEMP)
        assert result.stdout.split("\r\n") == [
            'Connecting to "dc01.corp.example.test"',
            "Logging in as current user using SSPI",
            f"Exporting directory to file {out}",
            "Searching for entries...",
            "Writing out entries.",
            "1 entries exported",
            "",
            "The command has completed successfully",
            "",
        ]
        assert machine.files[out].decode() == f"dn: {DN}\r\nchangetype: add\r\ncn: WebV4\r\nrevision: 100\r\n\r\n"
        assert machine.files[f"{TEMP}\\ldif.log"].decode() == result.stdout
        assert f"{TEMP}\\ldif.err" not in machine.files

    def test_german_windows(self) -> None:
        result = _run(_machine(language="de"), "-f", f"{TEMP}\\o", "-d", DN)
        assert "1 Einträge wurden exportiert." in result.stdout
        assert "Der Befehl wurde einwandfrei durchgeführt." in result.stdout

    def test_long_lines_are_folded_behind_the_name(self) -> None:
        lines = _export(_machine(), "-d", DN).split("\r\n")
        assert lines[0] == f"dn: {DN}"
        at = lines.index("distinguishedName: ")
        assert lines[at + 1] == " " + DN[:78]
        assert "".join(line[1:] for line in lines[at + 1 : at + 3]) == DN
        assert "pKIKeyUsage:: oAA=" in lines
        assert max(len(line) for line in lines[1:]) <= 79

    def test_ansi_has_base64_where_unicode_has_the_text(self) -> None:
        machine = _machine()
        wanted = "(&(displayName=B\\c3\\bcro)(pKIKeyUsage=*))"
        options = ("-d", "#configurationNamingContext", "-r", wanted, "-l", "displayName,pKIKeyUsage")
        ansi = _export(machine, *options)
        assert f"displayName:: {base64.b64encode('Büro'.encode()).decode()}" in ansi
        assert ansi.startswith("dn:: ")
        _export(machine, *options, "-u")
        data = machine.files[f"{TEMP}\\out.ldf"]
        assert data.startswith(b"\xff\xfe")
        text = data.decode("utf-16")
        assert "displayName: Büro\r\n" in text
        assert "pKIKeyUsage:: oAA=\r\n" in text

    def test_the_console_can_be_the_file(self) -> None:
        result = _run(_machine(), "-f", "con", "-d", "", "-p", "base", "-l", "configurationNamingContext")
        assert "configurationNamingContext: CN=Configuration,DC=corp,DC=example,DC=test" in result.stdout

    def test_attributes_can_be_left_out(self) -> None:
        content = _export(_machine(), "-d", DN, "-o", "WHENchanged,cn", "-n")
        assert "whenChanged" not in content
        assert "\r\ncn:" not in content
        assert "::" not in content

    def test_nothing_found_is_no_error(self) -> None:
        machine = _machine()
        result = _run(machine, "-f", f"{TEMP}\\none.ldf", "-r", "(cn=nothing)")
        assert result.exit_code == 0
        assert "No Entries found" in result.stdout
        assert f"{TEMP}\\none.ldf" not in machine.files

    @pytest.mark.parametrize(
        ("more", "code", "text"),
        [
            (("-d", "CN=Nowhere,DC=corp,DC=example,DC=test"), 8240, "No Such Object"),
            (("-r", "(cn="), 8254, "Filter Error"),
            (("-s", "other.example"), 8250, "cannot be reached"),
            (("-b", "admin", "CORP", "wrong"), 1326, "Invalid Credentials"),
            (("-z",), 87, "Bad argument: -z"),
            (("-p", "deep"), 87, "Bad argument: -p"),
            (("-d",), 87, "Bad argument: -d"),
        ],
    )
    def test_refusals(self, more: tuple[str, ...], code: int, text: str) -> None:
        result = _run(_machine(), "-f", f"{TEMP}\\x.ldf", *more)
        assert result.exit_code == code
        assert text in result.stdout
        assert "wrong" not in result.stdout

    def test_a_directory_that_does_not_exist(self) -> None:
        assert _run(_machine(), "-f", "C:\\Nowhere\\x.ldf", "-d", DN).exit_code == 3

    @pytest.mark.parametrize("more", [("-v",), ("-a", "CN=x", "y"), ("-b", "admin", "CORP", "*"), ("-t", "636")])
    def test_what_is_not_simulated_says_so(self, more: tuple[str, ...]) -> None:
        with pytest.raises(NotSimulated, match="ldifde"):
            _run(_machine(), "-f", "con", *more)


class TestImport:
    def test_a_modify(self) -> None:
        machine = _machine()
        result = _import(machine, BUMP)
        assert result.exit_code == 0
        assert result.stdout.split("\r\n")[2:] == [
            f'Importing directory from file "{TEMP}\\in.ldf"',
            "Loading entries..",
            "1 entry modified successfully.",
            "",
            "The command has completed successfully",
            "",
        ]
        assert _value(machine, "revision") == [b"101"]

    def test_all_kinds_of_record_in_one_file(self) -> None:
        machine = _machine()
        new = DN.replace("WebV4", "New")
        content = (
            "version: 1\r\n# a comment\r\n that goes on\r\n"
            f"dn: {new}\r\nobjectClass: pKICertificateTemplate\r\ndisplayName:\r\n  New\r\n one\r\n"
            "pKIKeyUsage:: oAA=\r\n\r\n\r\n"
            f"{BUMP.replace('replace: revision', 'REPLACE: pKIDefaultCSPs{n}-{n}replace: Revision')}"
            f"dn:: {base64.b64encode(DN.replace('WebV4', 'Büro').encode()).decode()}\r\nchangetype: delete\r\n"
        ).replace("{n}", "\r\n")
        result = _import(machine, content)
        assert "3 entries modified successfully." in result.stdout, result.stdout
        assert _value(machine, "revision") == [b"101"]
        assert _value(machine, "pKIDefaultCSPs") == []
        exported = _export(machine, "-r", "(objectClass=pKICertificateTemplate)", "-l", "displayName,pKIKeyUsage")
        assert "displayName: Newone\r\n" in exported
        assert exported.count("dn:") == 2

    @pytest.mark.parametrize("mark", [b"\xff\xfe", b""])
    def test_a_unicode_file(self, mark: bytes) -> None:
        machine = _machine()
        content = BUMP.replace("revision: 101", "displayName: Büro 漢字").replace(
            "replace: revision", "replace: displayName"
        )
        result = _import(machine, mark + content.encode("utf-16-le"), *([] if mark else ["-u"]))
        assert result.exit_code == 0
        assert _value(machine, "displayName") == ["Büro 漢字".encode()]

    def test_an_export_can_be_imported_where_it_names_no_system_attributes(self) -> None:
        machine = _machine()
        content = _export(machine, "-d", DN, "-o", "objectGUID,whenCreated,whenChanged,uSNCreated,uSNChanged")
        result = _import(machine, content, "-c", "WebV4", "Copy")
        assert result.exit_code == 0, result.stdout
        assert "CN=Copy," in _export(machine, "-r", "(cn=Copy)")

    def test_a_refused_record_ends_it_with_published_texts(self) -> None:
        machine = _machine()
        second = BUMP.replace("replace: revision", "delete: revision").replace("101", "7")
        result = _import(machine, "\r\n" + BUMP + second + BUMP.replace("101", "102"))
        assert result.exit_code == 8202
        assert result.stdout.split("\r\n")[3:] == [
            "Loading entries..",
            "Add error on entry starting on line 8: No Such Attribute",
            "The server side error is: 0x2085 The attribute value cannot be removed because it is not present on the"
            " object.",
            "The extended server error is:",
            "00002085: AtrErr: DSID-03152367, #1:",
            "\t0: 00002085: DSID-03152367, problem 1001 (NO_ATTRIBUTE_OR_VAL), data 0, Att 0 (revision)",
            "",
            "1 entry modified successfully.",
            "An error has occurred in the program",
            "",
        ]
        assert _value(machine, "revision") == [b"101"], "the first was done, the third was not"
        assert machine.files[f"{TEMP}\\ldif.err"].decode().startswith(f"Entry DN: {DN}\r\nAdd error on entry")

    def test_no_right_to_write(self) -> None:
        result = _import(_machine(), BUMP, user="CORP\\reader")
        assert result.exit_code == 5
        assert "Add error on entry starting on line 1: Insufficient Rights" in result.stdout
        assert "The server side error is: 0x2098 Insufficient access rights to perform the operation." in result.stdout
        assert _import(_machine(), BUMP, "-b", "admin", "CORP", "one", user="reader").exit_code == 0

    def test_k_goes_on_after_what_exists(self) -> None:
        machine = _machine()
        add = f"dn: {DN}\r\nchangetype: add\r\nobjectClass: pKICertificateTemplate\r\n\r\n"
        assert _import(machine, add + BUMP).exit_code == 5010
        assert _value(machine, "revision") == [b"100"]
        assert _import(machine, add + BUMP, "-k").exit_code == 0
        assert _value(machine, "revision") == [b"101"]

    @pytest.mark.parametrize(
        ("content", "line", "token"),
        [
            ("nonsense\r\n", 1, "n"),
            (BUMP.replace("-\r\n", ""), 5, ""),
            (BUMP.replace("revision: 101", "flags: 101"), 4, "f"),
            (BUMP.replace("modify", "moddn"), 2, "m"),
            (BUMP.replace("replace", "increment"), 3, "i"),
            (BUMP.replace(": 101", ":: *"), 4, "*"),
            (BUMP + "cn: x\r\n", 7, "c"),
        ],
    )
    def test_a_line_that_is_not_ldif(self, content: str, line: int, token: str) -> None:
        machine = _machine()
        result = _import(machine, content)
        assert result.exit_code == 13
        assert f"Failed on line {line}.  The last token starts with '{token}'." in result.stdout
        assert _value(machine, "revision") == ([b"101"] if content.startswith(BUMP) else [b"100"])

    def test_a_file_that_is_not_there_or_empty(self) -> None:
        machine = _machine()
        assert _run(machine, "-i", "-f", f"{TEMP}\\nothing.ldf").exit_code == 2
        assert "Unable to read the import file." in _import(machine, "").stdout


class TestSecondHop:
    def test_a_password_can_be_handed_on(self) -> None:
        machine = _machine(controller=False)
        assert _run(machine, "-f", "con", "-d", DN).stdout.startswith('Connecting to "dc01.corp.example.test"')
        assert _import(machine, BUMP).exit_code == 0

    def test_an_ntlm_logon_is_anonymous_to_the_domain_controller(self) -> None:
        machine = _machine(controller=False)
        user = NetworkLogon("CORP\\admin")
        result = _run(machine, "-f", "con", "-d", DN, user=user)
        assert result.exit_code == 8224
        assert "a successful bind must be completed on the connection" in result.stdout
        assert _import(machine, BUMP, user=user).exit_code == 8224
        assert _run(machine, "-f", "con", "-d", "", "-p", "base", user=user).exit_code == 0

    def test_on_the_domain_controller_there_is_no_second_hop(self) -> None:
        assert _run(_machine(), "-f", "con", "-d", DN, user=NetworkLogon("admin")).exit_code == 0

    def test_other_credentials_help(self) -> None:
        machine = _machine(controller=False)
        options = ("-f", "con", "-d", DN, "-b", "admin", "CORP", "one")
        assert _run(machine, *options, user=NetworkLogon("reader")).exit_code == 0


def test_values_that_need_base64() -> None:
    values = [b" x", b"x ", b":x", b"<x", b"a\r\nb", b"\xff", b"x", b""]
    entry = Object("CN=a,DC=b", {"description": values})
    lines = ldif.written(entry, unicode=False).split("\r\n")[2:-2]
    assert [line.startswith("description::") for line in lines] == [True] * 6 + [False] * 2
    (record,) = ldif.records(ldif.written(entry, unicode=False))
    assert record.attributes["description"] == values
