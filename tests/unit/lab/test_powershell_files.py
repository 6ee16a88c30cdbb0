# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts that work with files, streams, standard input and the root DSE, on every PowerShell and both endpoints."""

from __future__ import annotations

import base64
import gzip
import ntpath
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import winrm
from lab.directory.model import DirectoryRole
from lab.host import files
from lab.host.machine import SUPPORTED_POWERSHELL, Account, Machine
from lab.powershell import native
from lab.powershell.process import run_script
from lab.powershell.remote import Runspace
from lab.scenario import SimulatedHost
from lab.tools import Call, Result
from lab.wire.server import LabServer, ListenerSpec
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

PROLOGUE = r"""$d=[IO.Path]::Combine([IO.Path]::GetTempPath(),'lab-'+[Guid]::NewGuid().ToString('N'))
"""
EPILOGUE = r"""}catch{'error '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([string]$_))}
finally{if([IO.Directory]::Exists($d)){[IO.Directory]::Delete($d,$true)}}
"""
EXPORT = (
    PROLOGUE
    + r"""$f=$d+'\export.ldf'
try{
$r=[ADSI]'LDAP://RootDSE'
$c=[string]$r.configurationNamingContext
if(-not $c){throw 'RootDSE gave no configurationNamingContext.'}
'configuration '+$c
'server '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([string]$r.dnsHostName))
'computer '+[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes([Environment]::MachineName))
[void][IO.Directory]::CreateDirectory($d)
& 'ldifde.exe' '-f' $f '-u' '-j' $d '-d' ('CN=Public Key Services,CN=Services,'+$c) '-p' 'SubTree' '-l' 'cn,displayName'
'exit '+$LASTEXITCODE
if([IO.File]::Exists($f)){
$b=[IO.File]::ReadAllBytes($f)
$m=New-Object IO.MemoryStream
$z=New-Object IO.Compression.GZipStream($m,[IO.Compression.CompressionMode]::Compress)
$z.Write($b,0,$b.Length)
$z.Close()
'file '+[Convert]::ToBase64String($m.ToArray())
}
"""
    + EPILOGUE
)
IMPORT = (
    PROLOGUE
    + r"""$f=$d+'\import.ldf'
try{
$b=[Convert]::FromBase64String((@($input) -join ''))
[void][IO.Directory]::CreateDirectory($d)
[IO.File]::WriteAllBytes($f,$b)
& 'ldifde.exe' '-i' '-u' '-f' $f '-j' $d
'exit '+$LASTEXITCODE
$e=$d+'\ldif.err'
if([IO.File]::Exists($e)){'errors '+[Convert]::ToBase64String([IO.File]::ReadAllBytes($e))}
"""
    + EPILOGUE
)
CONFIGURATION = "CN=Configuration,DC=contoso,DC=example"
CONTENT = "dn: CN=Größe\r\nchangetype: add\r\n".encode("utf-16")
PAYLOAD = base64.b64encode(CONTENT * 40).decode()


class Entries:
    """What the root DSE needs of a directory."""

    domain = "contoso.example"
    configuration = CONFIGURATION
    server = "DC01.contoso.example"


class Ldifde:
    """A stand-in for the tool: keeps its calls, writes or reads the file, and leaves its error file."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.imported = b""
        self.content: bytes | None = CONTENT
        self.errors = b""
        self.exit_code = 0

    def __call__(self, call: Call) -> Result:
        words = list(call.arguments)
        self.calls.append(words)
        path, log = words[words.index("-f") + 1], words[words.index("-j") + 1]
        if "-i" in words:
            self.imported = files.read(call.machine, path)
        elif self.content is not None:
            files.write(call.machine, path, self.content)
        if self.errors:
            files.write(call.machine, log + "\\ldif.err", self.errors)
        files.write(call.machine, log + "\\ldif.log", b"log")
        return Result("Connecting\r\n", "warning\r\n", self.exit_code)


@pytest.fixture
def ldifde(monkeypatch: pytest.MonkeyPatch) -> Ldifde:
    tool = Ldifde()
    known = native.find_tool
    monkeypatch.setattr(native, "find_tool", lambda name, host: tool if name == "ldifde.exe" else known(name, host))
    return tool


@pytest.fixture
def no_ldifde(monkeypatch: pytest.MonkeyPatch) -> None:
    known = native.find_tool
    monkeypatch.setattr(native, "find_tool", lambda name, host: None if name == "ldifde.exe" else known(name, host))
    monkeypatch.setattr(native, "is_windows_tool", lambda name: False)


def machine_of(powershell: str, *, directory: bool = True, **values: Any) -> Machine:
    entries: Any = Entries()
    role = DirectoryRole(entries, controller=True) if directory else None
    accounts = {"Administrator": Account("Secret-1")}
    return Machine("dc01", powershell=powershell, directory=role, accounts=accounts, **values)


Run = Callable[[Machine, str, str], list[str]]


def in_process(machine: Machine, script: str, given: str) -> list[str]:
    execution = run_script(machine, script, given.encode(), "Administrator")
    assert execution.exit_code == 0, execution.stderr
    return execution.stdout.decode().splitlines()


def in_runspace(machine: Machine, script: str, given: str) -> list[str]:
    result = Runspace(machine, "Administrator").run(script, [given] if given else [], True)
    assert (result.failure, result.exit_code) == (None, None)
    return [str(item) for item in result.output]


def over_winrm(machine: Machine, script: str, given: str) -> list[str]:
    with LabServer([ListenerSpec(SimulatedHost(machine))]) as server:
        address, port, scheme = server.endpoints[machine.name]
        protocol = winrm.Protocol(f"{scheme}://{address}:{port}/wsman", "plaintext", "Administrator", "Secret-1")
        shell = protocol.open_shell()
        command = "PowerShell -NoProfile -NonInteractive -EncodedCommand "
        encoded = base64.b64encode(script.encode("utf-16-le")).decode()
        identifier = protocol.run_command(shell, command + encoded, [], console_mode_stdin=False)
        protocol.send_command_input(shell, identifier, given.encode(), end=True)
        stdout, stderr, code = protocol.get_command_output(shell, identifier)
        protocol.cleanup_command(shell, identifier)
        protocol.close_shell(shell)
    assert code == 0, stderr
    return stdout.decode().splitlines()


def over_psrp(machine: Machine, script: str, given: str) -> list[str]:
    with LabServer([ListenerSpec(SimulatedHost(machine))]) as server:
        address, port, _scheme = server.endpoints[machine.name]
        connection = WSMan(
            address, port=port, ssl=False, username="Administrator", password="Secret-1", auth="basic",
            encryption="never", no_proxy=True,
        )  # fmt: skip
        with RunspacePool(connection) as pool:
            pipeline = PowerShell(pool)
            pipeline.add_script(script, use_local_scope=True)
            return [str(item) for item in pipeline.invoke(input=given or None)]


@pytest.fixture(params=[in_process, in_runspace, over_winrm, over_psrp], ids=lambda run: run.__name__)
def run(request: pytest.FixtureRequest) -> Run:
    return request.param


@pytest.fixture(params=SUPPORTED_POWERSHELL)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """A host; whatever a test does on it, nothing is left of it."""
    host = machine_of(request.param)
    yield host
    assert host.files == {}


def unpacked(line: str) -> bytes:
    return base64.b64decode(line.partition(" ")[2])


def test_an_export_arrives_packed(machine, run, ldifde):
    lines = run(machine, EXPORT, "")
    assert lines[0] == f"configuration {CONFIGURATION}"
    assert [unpacked(line) for line in lines[1:3]] == [b"DC01.contoso.example", b"DC01"]
    assert lines[3:5] == ["Connecting", "exit 0"]
    assert gzip.decompress(unpacked(lines[5])) == CONTENT
    ((_f, path, *rest),) = ldifde.calls
    folder = ntpath.dirname(path)
    assert ntpath.dirname(folder) == r"C:\Users\Administrator\AppData\Local\Temp"
    assert (len(ntpath.basename(folder)), ntpath.basename(path)) == (len("lab-") + 32, "export.ldf")
    services = f"CN=Public Key Services,CN=Services,{CONFIGURATION}"
    assert rest == ["-u", "-j", folder, "-d", services, "-p", "SubTree", "-l", "cn,displayName"]


def test_an_import_takes_standard_input(machine, run, ldifde):
    ldifde.errors, ldifde.exit_code = b"Add error", 8224
    lines = run(machine, IMPORT, PAYLOAD[:700] + "\n" + PAYLOAD[700:] + "\n")
    assert ldifde.imported == CONTENT * 40
    assert lines[:2] == ["Connecting", "exit 8224"]
    assert unpacked(lines[2]) == b"Add error"


@pytest.mark.parametrize(
    "reading",
    ["@($input) -join ''", "$i", "@($input)|Out-String", "$input | Out-String", "[string]::Join('', @($input))"],
)
def test_ways_to_read_standard_input(machine, ldifde, reading):
    script = IMPORT.replace("@($input) -join ''", reading)
    script = "$i=@($input)|Out-String\n" + script if reading == "$i" else script
    assert in_process(machine, script, PAYLOAD + "\r\n")[-1] == "exit 0"
    assert in_runspace(machine, script, PAYLOAD + "\r\n")[-1] == "exit 0"
    assert ldifde.imported == CONTENT * 40


def test_an_empty_file_gives_an_empty_stream(machine, ldifde):
    ldifde.content = b""
    assert in_process(machine, EXPORT, "")[-1] == "file "


def test_no_file_gives_no_line(machine, run, ldifde):
    ldifde.content, ldifde.exit_code = None, -1
    assert run(machine, EXPORT, "")[-1] == "exit -1"


@pytest.mark.parametrize("script", [EXPORT, IMPORT])
def test_a_command_that_is_not_there_is_caught(machine, run, script, no_ldifde):
    *_before, line = run(machine, script, PAYLOAD)
    assert line.startswith("error ")
    assert unpacked(line).startswith(b"The term 'ldifde.exe' is not recognized as the name of a cmdlet, function, ")


def test_an_exception_of_a_method_is_caught(machine, run, ldifde):
    *_before, line = run(machine, IMPORT, "A?==")
    new = (
        "The input is not a valid Base-64 string as it contains a non-base 64 character, more than two padding "
        "characters, or an illegal character among the padding characters. "
    )
    inner = "Invalid character in a Base-64 string." if machine.powershell == "2.0" else new
    assert unpacked(line).decode() == f'Exception calling "FromBase64String" with "1" argument(s): "{inner}"'
    assert ldifde.calls == []


def test_a_file_that_is_gone_is_caught_after_the_directory_was_made(machine, ldifde):
    ldifde.content = None
    lines = in_process(machine, EXPORT.replace("if([IO.File]::Exists($f))", "if($true)"), "")
    message = unpacked(lines[-1]).decode()
    assert message.startswith(
        'Exception calling "ReadAllBytes" with "1" argument(s): "Could not find file \'C:\\Users\\'
    )
    assert message.endswith("\\export.ldf'.\"")


def test_exit_in_try_runs_finally(machine, ldifde):
    script = EXPORT.replace("'exit '+$LASTEXITCODE", "'before'; exit 7").replace("finally{", "finally{'cleaned';")
    execution = run_script(machine, script, b"", "Administrator")
    assert (execution.stdout.decode().splitlines()[-2:], execution.exit_code) == (["before", "cleaned"], 7)
    result = Runspace(machine, "Administrator").run(script, (), True)
    assert (result.output[-2:], result.exit_code) == (["before", "cleaned"], 7)


def test_standard_error_of_a_command_is_no_exception(machine, ldifde):
    assert run_script(machine, EXPORT, b"", "Administrator").stderr == b"warning\r\n"
    result = Runspace(machine, "Administrator").run(EXPORT, (), True)
    assert [error.message for error in result.errors] == ["warning"]


def test_a_host_without_a_domain_controller_gives_null(run, ldifde):
    for powershell in SUPPORTED_POWERSHELL:
        host = machine_of(powershell, directory=False)
        (line,) = run(host, EXPORT, "")
        assert unpacked(line) == b"RootDSE gave no configurationNamingContext."
        (line,) = run(host, EXPORT.replace("$c=[string]", "$r.RefreshCache(); $c=[string]"), "")
        assert unpacked(line).decode() == (
            'The following exception occurred while retrieving member "RefreshCache": '
            '"The specified domain either does not exist or could not be contacted.\r\n"'
        )
        assert host.files == {}


@pytest.mark.parametrize("server", ["", "dc01.CONTOSO.example/", "DC01/", "contoso.example/"])
def test_the_root_dse(server):
    script = f"""$r=[ADSI]'LDAP://{server}rootDSE'
    $r.RefreshCache(); [string]$r.defaultNamingContext; 'LDAP://' + $r.ROOTDOMAINNAMINGCONTEXT; $r.dnsHostName
    $r.configurationNamingContext.Value; -not $r.dnsHostName; ([DirectoryServices.DirectoryEntry]'LDAP://RootDSE').dnsHostName
    (New-Object System.DirectoryServices.DirectoryEntry('LDAP://RootDSE')).dnsHostName"""
    base, name = "DC=contoso,DC=example", "DC01.contoso.example"
    assert in_process(machine_of("2.0"), script, "") == [
        base, f"LDAP://{base}", name, CONFIGURATION, "False", name, name,
    ]  # fmt: skip


TEMPORARY = "$t=[IO.Path]::GetTempPath();"


@pytest.mark.parametrize(
    ("script", "printed"),
    [
        ("[Guid]::NewGuid().ToString('N') -match '^[0-9a-f]{32}$'", ["True"]),
        ("[Guid]::NewGuid().ToString('B').Length; \"$([Guid]::NewGuid())\".Length", ["38", "36"]),
        ("[IO.Path]::Combine('C:\\a\\','b'); [IO.Path]::Combine('C:\\a','b'); [IO.Path]::Combine('x','C:\\b')",
         ["C:\\a\\b", "C:\\a\\b", "C:\\b"]),
        ("[IO.Path]::Combine('C:\\a' , 'b-' + 'c' +\n 'd')", ["C:\\a\\b-cd"]),
        ("'abc'.Replace('a','x'+'y')", ["xybc"]),
        ("'abc'.Substring((1,2)[0], @(2,1)[1])", ["b"]),
        ("[string]::Join('+', ('a','b'))", ["a+b"]),
        ("$b=[Convert]::FromBase64String(' /w A='); $b.Length; $b[0]; $b", ["2", "255", "255", "0"]),
        ("$b=[Convert]::FromBase64String(''); $b.Length; if($b){'some'}else{'none'}", ["0", "none"]),
        ("[Convert]::ToBase64String((65,66)); [Convert]::ToBase64String([byte[]]@(67))", ["QUI=", "Qw=="]),
        ("'['+[string]$null+']'; -not ''; -not [string]$missing", ["[]", "True", "True"]),
        (TEMPORARY + "$t.EndsWith('\\Temp\\'); [IO.Directory]::Exists($t); [IO.File]::Exists($t)",
         ["True", "True", "False"]),
        ("[IO.File]::Exists(''); [IO.Directory]::Exists($null)", ["False", "False"]),
        (TEMPORARY + "$f=$t+'a.txt'; [IO.File]::WriteAllText($f,'Gr\u00f6\u00dfe'); "
         "[IO.File]::ReadAllBytes($f).Length; [IO.File]::ReadAllText($f); Test-Path $f; "
         "[IO.File]::Delete($f); Test-Path -LiteralPath $f",
         ["7", "Gr\u00f6\u00dfe", "True", "False"]),
        (TEMPORARY + "$f=$t+'a'; [IO.File]::WriteAllBytes($f,(0xff,0xfe,65,0)); [IO.File]::ReadAllText($f); del $f",
         ["A"]),
        (TEMPORARY + "$d=$t+'x'; [void][IO.Directory]::CreateDirectory($d+'\\y'); Test-Path $d -PathType Container; "
         "Test-Path $d -PathType Leaf; Remove-Item $d -Recurse -Force; Test-Path $d", ["True", "False", "False"]),
        ("$i=[IO.Directory]::CreateDirectory('C:\\Windows\\Temp\\q'); $i.FullName; ri -LiteralPath $i.FullName",
         ["C:\\Windows\\Temp\\q"]),
        ("[Environment]::MachineName; $env:COMPUTERNAME", ["DC01", "DC01"]),
        ("& { @($input).Count }; 1,2 | & { @($input).Count }; @($input).Count", ["0", "2", "3"]),
        ("[void]'x'; [void][Guid]::NewGuid(); 'y'", ["y"]),
        ("try{throw 'text'}catch{$_.Exception.Message}finally{'end'}", ["text", "end"]),
    ],
)  # fmt: skip
def test_expressions(machine, script, printed):
    assert in_process(machine, script, "a\nb\nc\n") == printed


@pytest.mark.parametrize(
    ("script", "exception", "message"),
    [
        ("[IO.File]::ReadAllBytes('C:\\none\\f')", "DirectoryNotFoundException",
         'Exception calling "ReadAllBytes" with "1" argument(s): "Could not find a part of the path \'C:\\none\\f\'."'),
        ("[IO.File]::WriteAllBytes('C:\\Windows\\Temp\\f',$null)", "ArgumentNullException",
         'Exception calling "WriteAllBytes" with "2" argument(s): "Value cannot be null.\r\nParameter name: bytes"'),
        ("[IO.File]::Delete('C:\\none\\f')", "DirectoryNotFoundException",
         'Exception calling "Delete" with "1" argument(s): "Could not find a part of the path \'C:\\none\\f\'."'),
        ("[IO.Directory]::Delete('C:\\none', $true)", "DirectoryNotFoundException",
         'Exception calling "Delete" with "2" argument(s): "Could not find a part of the path \'C:\\none\'."'),
        ("'abc'.Substring(2,2)", "ArgumentOutOfRangeException",
         'Exception calling "Substring" with "2" argument(s): "Index and length must refer to a location within the '
         'string.\r\nParameter name: length"'),
        ("$m=New-Object IO.MemoryStream; $m.Close(); $m.Write((1,2),0,2)", "ObjectDisposedException",
         'Exception calling "Write" with "3" argument(s): "Cannot access a closed Stream."'),
    ],
)  # fmt: skip
def test_exceptions_of_methods(machine, script, exception, message):
    shown = '; "$_"; $_.FullyQualifiedErrorId'
    identifier = "DotNetMethodException" if machine.powershell == "2.0" else exception
    printed = "\n".join(in_process(machine, f"try{{{script}}}catch{{'caught'{shown}}}", ""))
    assert printed == f"caught\n{message}\n{identifier}".replace("\r\n", "\n")


def test_an_exception_that_nobody_catches_ends_its_statement_only(machine):
    execution = run_script(machine, "$x=[IO.File]::ReadAllBytes('C:\\f'); 'after'", b"", "Administrator")
    assert execution.stdout == b"after\r\n"
    assert b'Exception calling "ReadAllBytes" with "1" argument(s)' in execution.stderr


def test_remove_item_of_nothing_is_an_error(machine):
    execution = run_script(machine, "Remove-Item C:\\Windows\\none; 'after'", b"", "Administrator")
    assert execution.stdout == b"after\r\n"
    assert b"PathNotFound,Microsoft.PowerShell.Commands.RemoveItemCommand" in execution.stderr


def test_the_name_of_a_computer_has_fifteen_characters():
    host = Machine("a-very-long-host-name", powershell="2.0")
    assert in_process(host, "[Environment]::MachineName", "") == ["A-VERY-LONG-HOS"]


OPEN = "$l=[IO.File]::Open('C:\\Windows\\Temp\\lock','OpenOrCreate','ReadWrite','None')"


def test_a_file_that_is_kept_is_free_when_it_is_closed_or_its_process_ends(machine):
    machine.disk_full = True
    assert in_process(machine, f"{OPEN}; 'first'", "") == ["first"]
    assert in_process(machine, f"{OPEN}; $l.Close(); {OPEN}; 'again'", "") == ["again"]
    shown = in_process(machine, f"{OPEN}; $k=$l; try{{{OPEN}}}catch{{[string]$_}}", "")
    assert shown[0].endswith('because it is being used by another process."')
    assert files.read(machine, "C:\\Windows\\Temp\\lock") == b""
    machine.files.clear()


def test_a_file_gets_another_name_on_a_full_disk(machine):
    files.write(machine, "C:\\Windows\\Temp\\a", b"1")
    files.write(machine, "C:\\Windows\\Temp\\b", b"2")
    machine.disk_full = True
    move = "[IO.File]::Move('C:\\Windows\\Temp\\a','C:\\Windows\\Temp\\{0}')"
    in_process(machine, move.format("c"), "")
    assert files.read(machine, "C:\\Windows\\Temp\\c") == b"1"
    assert not files.exists(machine, "C:\\Windows\\Temp\\a")
    files.rename(machine, "C:\\Windows\\Temp\\c", "C:\\Windows\\Temp\\a")
    shown = in_process(machine, f"try{{{move.format('b')}}}catch{{[string]$_}}", "")
    assert "already exists" in " ".join(shown)
    assert files.read(machine, "C:\\Windows\\Temp\\b") == b"2"
    machine.files.clear()


def test_a_user_without_a_profile_has_no_directory_for_data():
    host = machine_of("2.0")
    host.no_profile = frozenset({"administrator"})
    script = "'<'+[Environment]::GetFolderPath('LocalApplicationData')+'>'"
    assert run_script(host, script, b"", "CONTOSO\\Administrator").stdout == b"<>\r\n"


@pytest.mark.parametrize(
    "script",
    [
        "[ADSI]'LDAP://CN=x,DC=contoso,DC=example'",
        "[ADSI]'WinNT://dc01'",
        "([ADSI]'LDAP://other/RootDSE').dnsHostName",
        "([ADSI]'LDAP://RootDSE').supportedControl",
        "([ADSI]'LDAP://RootDSE').dnsHostName.ToString()",
        "[IO.File]::ReadAllText('relative')",
        "[IO.File]::Open('C:\\f')",
        "[IO.Path]::Combine('a','b','c')",
        "[IO.Directory]::CreateDirectory('C:\\Windows\\Temp')",
        "[Guid]::NewGuid()",
        "New-Object IO.StreamReader('C:\\f')",
        "New-Object IO.Compression.GZipStream((New-Object IO.MemoryStream),'Decompress')",
        "(New-Object IO.MemoryStream).Position",
        "@($input) -join ''; @($input)",
        "Test-Path C:\\Windows\\*",
        "Test-Path HKLM:\\SOFTWARE",
        "Get-Content C:\\f",
    ],
)
def test_what_is_not_known_is_never_guessed(script):
    execution = run_script(machine_of("5.1"), script, b"", "Administrator")
    assert (execution.exit_code, execution.stderr[:15]) == (250, b"not simulated: ")
