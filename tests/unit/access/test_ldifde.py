# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ldifde.exe on a Windows host: what is sent to it, and what its answers mean."""

from __future__ import annotations

import base64
import gzip

import pytest
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.access.ldifde import LdifdeDirectory
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory import ldif
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.change import Add, Modification, Modify
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.entry import Entry
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.directory.errors import DirectoryError
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.host.connection import (
    SCRIPT_LIMIT,
    HostError,
    WindowsHost,
)
from ansible_collections.winpki.keyprovider.plugins.plugin_utils.template.schema import READ_ATTRIBUTES, READ_FILTER

CONFIGURATION = "CN=Configuration,DC=contoso,DC=example"
CONTAINER = f"CN=Certificate Templates,CN=Public Key Services,CN=Services,{CONFIGURATION}"
DN = f"CN=Web,{CONTAINER}"
ENTRIES = (Entry(CONTAINER, {"cn": (b"Certificate Templates",)}), Entry(DN, {"displayName": ("Prüfung".encode(),)}))
CHANGE = Modify(DN, (Modification("pKIDefaultCSPs", (b"1,A",), ("1,Größe".encode(),)),))

EXPORTED = """\
Connecting to "dc1.contoso.example"
Logging in as current user using SSPI
Exporting directory to file C:\\Temp\\keyprovider-0\\export.ldf
Searching for entries...
Writing out entries..
2 entries exported

The command has completed successfully
"""
EXPORTED_IN_GERMAN = """\
Verbindung mit "dc1.contoso.example" wird hergestellt.
Anmelden als aktueller Benutzer unter Verwendung von SSPI
Das Verzeichnis wird in die Datei C:\\Temp\\keyprovider-0\\export.ldf exportiert.
Es wird nach Einträgen gesucht...
Die Einträge werden geschrieben..
2 Einträge wurden exportiert.

Der Befehl wurde einwandfrei durchgeführt.
"""
IMPORTING = """\
Connecting to "dc1.contoso.example"
Logging in as current user using SSPI
Importing directory from file "C:\\Temp\\keyprovider-0\\import.ldf"
Loading entries.
"""
REFUSED = """\
Add error on entry starting on line {line}: {name}
The server side error is: {number} {text}
The extended server error is:
{diagnostic}
"""


def refused(name, number, text, diagnostic, line=1):
    return IMPORTING + REFUSED.format(line=line, name=name, number=number, text=text, diagnostic=diagnostic)


DENIED = refused(
    "Insufficient Rights",
    "0x2098",
    "Insufficient access rights to perform the operation.",
    "00002098: SecErr: DSID-03150F94, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0",
)
NO_VALUE = (
    "00002085: AtrErr: DSID-030F1CE0, #1:\n\t0: 00002085: DSID-030F1CE0, "
    "problem 1001 (NO_ATTRIBUTE_OR_VAL), data 0, Att 9056c (pKIDefaultCSPs)"
)
EXISTS = "00002071: UpdErr: DSID-0305038D, problem 6005 (ENTRY_EXISTS), data 0"


class Shell:
    SHELL_FAMILY = "powershell"
    _IS_WINDOWS = True


class Answering:
    """A connection that encodes scripts itself and gives prepared answers, the last one again and again."""

    transport = "other"
    _shell = Shell()

    def __init__(self, *answers):
        self.answers = list(answers)
        self.scripts = []
        self.inputs = []

    def exec_command(self, cmd, in_data=None, sudoable=True):
        self.scripts.append(cmd)
        self.inputs.append(in_data)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        stdout, stderr = answer if isinstance(answer, tuple) else (answer, "")
        return 0, stdout.replace("\n", "\r\n").encode(), stderr.encode()


def own(key, value):
    data = value if isinstance(value, bytes) else value.encode()
    return f"keyprovider {key} {base64.b64encode(data).decode()}\n"


def export(entries=ENTRIES, *, said=EXPORTED, exit_code="0", server="dc1.contoso.example", computer="DC1", data=None):
    if data is None and entries is not None:
        data = gzip.compress(ldif.decode(ldif.write_entries(entries)).encode("utf-16"))
    return (
        own("configuration", CONFIGURATION)
        + own("server", server)
        + own("computer", computer)
        + said
        + (f"keyprovider exit {exit_code}\n" if exit_code is not None else "")
        + (own("file", data) if data is not None else "")
    )


def imported(said="", exit_code="0", errors=None):
    text = f"{said}keyprovider exit {exit_code}\n"
    return text + (own("errors", errors) if errors is not None else "")


def directory(*answers, controller=None):
    connection = Answering(*answers)
    return LdifdeDirectory(WindowsHost(connection), "ca1", controller), connection


def failure_of_search(answer):
    with pytest.raises(DirectoryError) as caught:
        directory(answer)[0].search("(cn=a)", ["cn"])
    return caught.value


def failure_of_apply(answer, changes=(CHANGE,), searched=None):
    reached, _connection = directory(*([searched] if searched else []), answer)
    if searched:
        reached.search("(cn=a)", ["cn"])
    with pytest.raises(DirectoryError) as caught:
        reached.apply(changes)
    return caught.value


@pytest.mark.parametrize("said", [EXPORTED, EXPORTED_IN_GERMAN, ""])
def test_an_export_is_read_whatever_the_language(said):
    found = directory(export(said=said))[0].search("(cn=a)", ["cn"])
    assert found.entries == ENTRIES
    assert found.configuration == CONFIGURATION
    assert found.server == "dc1.contoso.example"


def test_a_search_is_one_command():
    reached, connection = directory(export())
    reached.search(READ_FILTER, READ_ATTRIBUTES)
    reached.close()
    (script,) = connection.scripts
    assert connection.inputs == [None]
    assert f"'-r' '{READ_FILTER}' '-l' '{','.join(READ_ATTRIBUTES)}'" in script
    assert "('CN=Public Key Services,CN=Services,'+$c) '-p' 'SubTree'" in script
    assert "[ADSI]'LDAP://RootDSE'" in script
    assert "'-s' $s " in script


def test_the_script_for_a_named_domain_controller_fits_too():
    reached, connection = directory(export(), controller="dc-with-a-long-name.emea.contoso.example")
    reached.search(READ_FILTER, READ_ATTRIBUTES)
    (script,) = connection.scripts
    assert "[ADSI]'LDAP://dc-with-a-long-name.emea.contoso.example/RootDSE'" in script
    assert "'-s' 'dc-with-a-long-name.emea.contoso.example' " in script
    assert len(script) < SCRIPT_LIMIT - 200


def test_a_script_that_would_be_too_long_is_refused_before_it_is_sent():
    reached, connection = directory(export())
    with pytest.raises(HostError, match="limit"):
        reached.search("(cn=" + "a" * SCRIPT_LIMIT + ")", ["cn"])
    assert connection.scripts == []


def test_a_quote_in_a_filter_ends_nothing():
    reached, connection = directory(export())
    reached.search("(cn='; exit)", ["cn"])
    assert "'(cn=''; exit)'" in connection.scripts[0]


@pytest.mark.parametrize("name", ["dc1'; exit", "dc1/", "-i", "dc1:389", "", "dc 1", "dc1\n", "LDAP://dc1"])
def test_what_is_no_host_name_never_reaches_the_host(name):
    with pytest.raises(DirectoryError, match="not the name of a domain controller"):
        directory(export(), controller=name)


def test_changes_go_to_the_server_that_was_read():
    reached, connection = directory(export(), imported())
    reached.search("(cn=a)", ["cn"])
    reached.apply([CHANGE])
    assert "-j' $d '-s' 'dc1.contoso.example'\n" in connection.scripts[1]


def test_changes_without_a_search_leave_the_choice_to_windows():
    reached, connection = directory(imported())
    reached.apply([CHANGE])
    assert "'-j' $d\n" in connection.scripts[0]


def test_changes_travel_as_base64_in_short_lines():
    many = [Modify(f"CN=T{number},{CONTAINER}", CHANGE.modifications) for number in range(40)]
    reached, connection = directory(imported(IMPORTING))
    reached.apply(many)
    (sent,) = connection.inputs
    assert sent.isascii()
    assert max(len(line) for line in sent.splitlines()) <= 1000
    assert base64.b64decode(sent) == ldif.write_changes(many, encoding="utf-16")


def test_no_change_is_no_command():
    reached, connection = directory(imported())
    reached.apply([])
    assert connection.scripts == []


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (DENIED, 50, "Insufficient Rights"),
        (refused("No Such Attribute", "0x2085", "The attribute value cannot be removed.", NO_VALUE), 16, "not changed"),
        (
            refused(
                "No Such Object",
                "0x208d",
                "Directory object not found.",
                "0000208D: NameErr: x, problem 2001 (NO_OBJECT)",
            ),
            32,
            "0x208d",
        ),
        (refused("Already Exists", "0x2071", "A name that is already in use.", EXISTS), 68, "ENTRY_EXISTS"),
        (
            refused("Attribute Or Value Exists", "0x2083", "The value exists.", "00002083: AtrErr: DSID-03151904, #1:"),
            20,
            "0x2083",
        ),
        (
            refused("Referral", "0x202b", "A referral was returned.", "0000202B: RefErr: DSID-0310082F, data 0"),
            10,
            "RefErr",
        ),
        (
            refused(
                "Unzureichende Rechte",
                "0x2098",
                "Nicht genügend Rechte.",
                "00002098: SecErr: problem 4003 (INSUFF_ACCESS_RIGHTS)",
            ),
            50,
            "Rechte",
        ),
        ("00000005: SecErr: DSID-031A1256, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0\n", 50, "SecErr"),
        ("0000001F: SvcErr: DSID-031A1254, problem 5003 (WILL_NOT_PERFORM), data 0\n", 53, "SvcErr"),
        ("The server side error is: 0x2098\n", 50, "0x2098"),
        ("An error without a number\n", None, "without a number"),
        ("", None, "said nothing"),
    ],
)
def test_the_result_code_comes_from_what_has_no_language(said, code, words):
    failure = failure_of_apply(imported(said, "8"))
    assert failure.code == code
    assert failure.place == DN
    assert words in failure.message
    assert "ca1" in failure.message
    assert "exit code 8" in failure.message
    assert failure.remedy


def test_a_refused_change_says_what_right_is_missing():
    failure = failure_of_apply(imported(DENIED, "8"))
    assert "Enterprise Admins" in failure.message
    assert "delegated" in failure.remedy


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "cp1252", "utf-16-le"])
def test_the_log_of_errors_tells_the_code_too(encoding):
    failure = failure_of_apply(imported("Fehler\n", "1", f"Einträge\r\n{NO_VALUE}".encode(encoding)))
    assert failure.code == 16
    assert "Einträge" in failure.message


def test_what_the_log_says_is_not_said_twice():
    failure = failure_of_apply(imported(DENIED, "5", DENIED.encode()))
    assert failure.message.count("INSUFF_ACCESS_RIGHTS") == 1


def test_a_refusal_on_standard_error_is_heard():
    failure = failure_of_apply((imported("", "1"), DENIED))
    assert failure.code == 50


def test_a_refusal_counts_more_than_an_exit_code_of_0():
    assert failure_of_apply(imported(DENIED, "0")).code == 50


def test_a_refusal_counts_more_than_a_file():
    assert failure_of_search(export(said=UNBOUND)).code == 1


def test_of_a_long_complaint_the_end_is_told():
    failure = failure_of_apply(imported("x y\n" * 1000 + DENIED, "1"))
    assert "INSUFF_ACCESS_RIGHTS" in failure.message
    assert len(failure.message) < 1200


CHANGES = [
    Add(f"CN=1.A,CN=OID,{CONFIGURATION}", (("objectClass", (b"top",)), ("displayName", (b"long " * 40 + b"end",)))),
    CHANGE,
    Modify(f"CN=CA,{CONFIGURATION}", (Modification("certificateTemplates", (), (b"Web",)),)),
]


def line_of(position):
    lines = ldif.decode(ldif.write_changes(CHANGES, encoding="utf-16")).split("\r\n")
    return [number for number, line in enumerate(lines, 1) if line.startswith("dn: ")][position]


def test_of_several_changes_the_one_that_failed_is_named():
    said = refused("Insufficient Rights", "0x2098", "No.", EXISTS, line=line_of(1)) + "1 entry modified successfully.\n"
    failure = failure_of_apply(imported(said, "8"), CHANGES)
    assert failure.place == DN
    assert f"made before it: {CHANGES[0].dn}" in failure.message
    assert CHANGES[2].dn not in failure.message


def test_the_first_of_several_changes_had_none_before_it():
    failure = failure_of_apply(imported(refused("No", "0x2098", "No.", EXISTS, line=1), "8"), CHANGES)
    assert failure.place == CHANGES[0].dn
    assert "before" not in failure.message


def test_the_log_of_errors_names_the_object():
    errors = f"Entry DN: {DN}\r\nAdd error on entry starting on line 999: No\r\n".encode("cp1252")
    failure = failure_of_apply(imported("0x2098\n", "8", errors), CHANGES)
    assert failure.place == DN


def test_a_container_is_not_taken_for_an_object_in_it():
    errors = f"Entry DN: CN=x,{DN}\r\n".encode()
    failure = failure_of_apply(imported("0x2098\n", "8", errors), CHANGES)
    assert DN in failure.place.split("; ")


@pytest.mark.parametrize(("exit_code", "code"), [("8202", 16), ("8245", 53), ("5", None), ("1", None)])
def test_an_exit_code_of_the_directory_service_tells_the_result(exit_code, code):
    assert failure_of_apply(imported("Fehler\n", exit_code)).code == code


def test_where_ldifde_names_no_change_all_are_named():
    failure = failure_of_apply(imported("0x2098\n", "8"), CHANGES)
    assert failure.place == "; ".join(change.dn for change in CHANGES)
    assert "those before the one that failed were made" in failure.message


@pytest.mark.parametrize("answer", ["", "\n", "keyprovider exit \n", "keyprovider exit\n", "nonsense\n"])
def test_silence_is_not_success(answer):
    assert "did not run to its end" in failure_of_apply(answer).message
    assert "did not run to its end" in failure_of_search(answer).message


def test_what_stood_on_standard_error_is_told_when_the_script_did_not_run():
    failure = failure_of_search(("", "Cannot create type. Only core types are supported in this language mode."))
    assert "language mode" in failure.message
    for words in ("Constrained Language Mode", "AppLocker", "ldap_server"):
        assert words in failure.remedy


@pytest.mark.parametrize("exit_code", ["1", "8224", "-1073741515"])
def test_an_exit_code_other_than_0_is_a_failure(exit_code):
    assert f"exit code {exit_code}" in failure_of_search(export(exit_code=exit_code)).message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (export(None), "wrote no file"),
        (export([]), "exported no object"),
        (export(data=gzip.compress(b"\xff\xfe")), "exported no object"),
        (export(data=b""), "exported no object|damaged"),
        (export(data=b"not gzip"), "damaged"),
        (export(data=gzip.compress(b"dn: CN=a\ncn: a\n")[:-4]), "damaged"),
        (export(data=gzip.compress(b"dn: CN=a\nnonsense\n")), "not of the form"),
        (export() + "keyprovider file AAA\n", "damaged in its part 'file'"),
    ],
)
def test_an_export_that_cannot_be_used_is_a_failure(answer, words):
    with pytest.raises((DirectoryError, HostError), match=words):
        directory(answer)[0].search("(cn=a)", ["cn"])


def test_what_cannot_be_parsed_is_told_with_host_and_line():
    failure = failure_of_search(export(data=gzip.compress(b"dn: CN=a\nnonsense\n")))
    assert failure.place == "the export of ldifde.exe on ca1, line 2"


@pytest.mark.parametrize(
    "error",
    [
        "The term 'ldifde.exe' is not recognized as the name of a cmdlet.",
        'Die Benennung "ldifde.exe" wurde nicht als Name eines Cmdlet erkannt.',
    ],
)
def test_a_host_without_ldifde_is_told_what_to_install(error):
    for failure in (
        failure_of_search(export(None, said="", exit_code=None) + own("error", error)),
        failure_of_apply(own("error", error)),
    ):
        assert "could not be started" in failure.message
        assert error in failure.message
        assert "domain controller" in failure.remedy
        assert "RSAT" in failure.remedy
        assert "ldap_server" in failure.remedy


def test_a_host_outside_a_domain_is_told_apart():
    failure = failure_of_search(own("error", "Die angegebene Domäne ist nicht vorhanden."))
    assert "No domain controller told ca1" in failure.message
    assert "Domäne" in failure.message
    assert "member of the domain" in failure.remedy


def test_a_full_disk_is_told():
    failure = failure_of_apply(own("error", "There is not enough space on the disk."))
    assert "not enough space" in failure.message
    assert failure.place == DN
    assert "Look at the object" in failure.remedy


UNBOUND = "000004DC: LdapErr: DSID-0C090A5C, comment: a successful bind must be completed, data 0, v4563\n"


def test_on_a_member_the_double_hop_is_explained():
    failure = failure_of_search(export(None, said=UNBOUND, exit_code="1", computer="CA1"))
    assert failure.code == 1
    for word in ("double hop", "dc1.contoso.example", "CredSSP", "delegation", "ldap_server"):
        assert word in failure.remedy


def test_on_a_member_it_is_explained_for_changes_too():
    failure = failure_of_apply(imported(DENIED, "8"), searched=export(computer="CA1"))
    assert "double hop" in failure.remedy


def test_where_the_account_did_arrive_it_is_not():
    said = refused("No Such Attribute", "0x2085", "x", NO_VALUE)
    failure = failure_of_apply(imported(said, "8"), searched=export(computer="CA1"))
    assert failure.code == 16
    assert "double hop" not in failure.remedy


@pytest.mark.parametrize(
    ("server", "computer"),
    [("dc1.contoso.example", "DC1"), ("a-very-long-name-of-a-dc.contoso.example", "A-VERY-LONG-NAM")],
)
def test_a_domain_controller_knows_itself(server, computer):
    failure = failure_of_search(export(said=UNBOUND, exit_code="1", server=server, computer=computer))
    assert "double hop" not in failure.remedy


def test_dots_of_progress_before_an_own_line_do_not_hide_it():
    reader = directory(export().replace("keyprovider exit", "....keyprovider exit"))[0]
    assert reader.search("(cn=*)", ["cn"]).entries == ENTRIES
