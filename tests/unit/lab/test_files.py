# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a simulated host."""

from __future__ import annotations

import pytest
from lab.host import cmd, files
from lab.host.machine import Machine
from lab.powershell.errors import NotSimulated

TEMPORARY = r"C:\Users\Ops\AppData\Local\Temp"


@pytest.fixture
def machine() -> Machine:
    return Machine("DC01")


def test_a_file_is_found_in_any_case_and_form(machine):
    files.write(machine, r"C:\Windows\Temp\One.txt", b"first")
    files.write(machine, r"c:/windows/TEMP\.\one.TXT", b"second")
    assert machine.files == {r"C:\Windows\Temp\One.txt": b"second"}
    assert files.read(machine, r"C:\WINDOWS\x\..\temp\\ONE.TXT") == b"second"
    assert (files.exists(machine, r"c:\windows\temp\one.txt"), files.exists(machine, r"c:\windows\temp")) == (
        True,
        False,
    )
    files.remove(machine, r"c:\windows\temp\one.txt")
    files.remove(machine, r"c:\windows\temp\one.txt")
    assert machine.files == {}


@pytest.mark.parametrize("path", ["C:\\", r"C:\Windows", r"c:\windows\temp", "C:\\Windows\\Temp\\", TEMPORARY])
def test_directories_that_are_there_from_the_start(machine, path):
    assert files.directory_exists(machine, path)


@pytest.mark.parametrize("path", [r"C:\Window", r"C:\Windows\Temporary", r"D:\\", r"C:\Users\Ops\AppData\Local\Temp\x"])
def test_others_are_not(machine, path):
    assert not files.directory_exists(machine, path)


def test_a_directory_comes_and_goes(machine):
    files.make_directory(machine, TEMPORARY + r"\a\b")
    files.make_directory(machine, TEMPORARY.upper() + r"\A\B")
    files.write(machine, TEMPORARY + r"\a\b\file", b"")
    assert files.directory_exists(machine, TEMPORARY + "\\a\\")
    with pytest.raises(files.FileFault, match=r"The directory is not empty\.") as caught:
        files.remove_directory(machine, TEMPORARY + r"\a", recursive=False)
    assert caught.value.exception == "IOException"
    files.remove_directory(machine, TEMPORARY + r"\a\b", recursive=True)
    assert machine.files == {TEMPORARY + "\\a\\": b""}
    files.remove_directory(machine, TEMPORARY + r"\a", recursive=False)
    assert machine.files == {}


def test_a_directory_outlives_the_files_that_a_fixture_put_there(machine):
    machine.files[r"C:\export\one.ldf"] = b"x"
    assert files.directory_exists(machine, r"c:\EXPORT")
    files.remove(machine, r"C:\export\one.ldf")
    assert files.directory_exists(machine, r"c:\EXPORT")


@pytest.mark.parametrize(
    ("path", "exception", "message"),
    [
        (r"C:\Windows\none", "FileNotFoundException", r"Could not find file 'C:\Windows\none'."),
        (r"C:\none\none", "DirectoryNotFoundException", r"Could not find a part of the path 'C:\none\none'."),
        (r"D:\none", "DirectoryNotFoundException", r"Could not find a part of the path 'D:\none'."),
        (r"C:\Windows", "UnauthorizedAccessException", r"Access to the path 'C:\Windows' is denied."),
    ],
)
def test_what_cannot_be_read(machine, path, exception, message):
    with pytest.raises(files.FileFault) as caught:
        files.read(machine, path)
    assert (caught.value.exception, str(caught.value)) == (exception, message)


@pytest.mark.parametrize("path", [r"C:\none\x", r"E:\x", r"C:\Windows", r"C:\Windows\Temp\f\x"])
def test_what_cannot_be_written(machine, path):
    machine.files[r"C:\Windows\Temp\f"] = b"x"
    with pytest.raises(files.FileFault):
        files.write(machine, path, b"")
    assert machine.files == {r"C:\Windows\Temp\f": b"x"}


def test_a_directory_has_no_name_of_a_file_and_a_drive(machine):
    machine.files[r"C:\Windows\Temp\f"] = b"x"
    with pytest.raises(files.FileFault, match="because a file or directory with the same name already exists"):
        files.make_directory(machine, r"c:\windows\temp\F")
    with pytest.raises(files.FileFault, match="Could not find a part of the path"):
        files.make_directory(machine, r"X:\a")
    with pytest.raises(files.FileFault, match="Could not find a part of the path"):
        files.remove_directory(machine, r"C:\none", recursive=True)


@pytest.mark.parametrize(
    "path",
    ["", "file.txt", r"\file.txt", r"C:file.txt", r"\\server\share\f", r"\\?\C:\f", r"C:\a*", r"C:\a.", r"C:\a \b",
     r"C:\file:stream", "C:\\" + "x" * 260, r"HKLM:\SOFTWARE"],
)  # fmt: skip
def test_paths_that_windows_would_change_or_refuse_are_not_simulated(machine, path):
    with pytest.raises(NotSimulated):
        files.exists(machine, path)


def test_nothing_removes_what_was_there_from_the_start(machine):
    with pytest.raises(NotSimulated):
        files.remove_directory(machine, r"C:\Windows\Temp", recursive=True)


def test_type_of_cmd_prints_files(machine):
    files.write(machine, r"C:\Windows\Temp\a", b"content")
    printed = cmd.execute(machine, r"type C:\WINDOWS\Temp\A", b"", "ops")
    missing = cmd.execute(machine, r"type C:\Windows\Temp\b", b"", "ops")
    assert (printed.stdout, printed.exit_code) == (b"content", 0)
    assert (missing.stderr, missing.exit_code) == (b"The system cannot find the file specified.\r\n", 1)


def test_a_full_disk_leaves_an_empty_file(machine):
    machine.disk_full = True
    with pytest.raises(files.FileFault, match=r"^There is not enough space on the disk\.\r\n$") as caught:
        files.write(machine, r"C:\Windows\Temp\a", b"text")
    assert caught.value.exception == "IOException"
    assert files.read(machine, r"C:\Windows\Temp\a") == b""


def test_the_directories_in_one(machine):
    machine.files.update({r"C:\a\Two\deep\file": b"", "C:\\a\\one\\": b"", r"C:\a\file": b""})
    assert files.directories(machine, r"c:\A") == ["one", "Two"]
    with pytest.raises(files.FileFault):
        files.directories(machine, r"C:\a\three")
    with pytest.raises(NotSimulated):
        files.directories(machine, r"C:\Windows")
