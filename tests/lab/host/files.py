# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""The files of a simulated host. Paths are absolute, with a drive letter, in any case.

``machine.files`` holds a file by its path and a directory that was made by its path with a backslash at the end. The
directories above a file that a fixture puts there need no entry; ``C:\``, ``C:\Windows``, ``C:\Windows\Temp`` and
the temporary directory of every user exist from the start and are never removed.

The list of who may read a file or directory is what was set on it, else what it inherits (:func:`access_of`). Those of
the directories that exist from the start are simplified from what Windows has after its setup. The files of keys are
those of :mod:`.key_files`.
"""

from __future__ import annotations

import ntpath
import re

from ..powershell.errors import NotSimulated
from . import key_files
from .access import Access, parse
from .machine import Machine, Written

_FROM_THE_START = re.compile(
    r"c:|c:\\windows|c:\\windows\\(system32|temp)|c:\\users(\\[^\\]+(\\appdata(\\local(\\temp)?)?)?)?"
    r"|c:\\programdata(\\microsoft(\\crypto(\\keys|\\rsa(\\machinekeys)?|\\dss(\\machinekeys)?)?)?)?",
    re.I,
)
_SYSTEM_AND_ADMINISTRATORS = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
_EVERYWHERE = _SYSTEM_AND_ADMINISTRATORS + "(A;OICI;0x1200a9;;;BU)"
_OF_A_PROCESS = "D:(A;;FA;;;SY)(A;;FA;;;BA)"
"""What a new file gets where it inherits nothing: the list in the token of an administrator, simplified."""
_PROFILE = re.compile(r"c:\\users\\([^\\]+)", re.I)
_KNOWN_FORM = re.compile(r"[A-Za-z]:(\\[^\\/:*?\"<>|\x00-\x1f]*[^\\/:*?\"<>|\x00-\x1f .])*\\?")
_LONGEST = 247
"""Characters; from here on directories, and from 260 on files, depend on the release and its settings (MAX_PATH)."""


class FileFault(Exception):
    """A file that cannot be read or written, in the words of .NET."""

    def __init__(self, message: str, exception: str) -> None:
        super().__init__(message)
        self.exception = exception
        """The type of the exception, without its namespace."""


def read(machine: Machine, path: str) -> bytes:
    """The content of a file.

    Raises:
        FileFault: there is none.

    """
    full = full_path(path)
    _refuse_key(machine, full)
    held = _held(machine, full)
    if held is None:
        _refuse_directory(machine, full)
        _need_parent(machine, full)
        raise FileFault(f"Could not find file '{full}'.", "FileNotFoundException")
    return machine.files[held]


def write(machine: Machine, path: str, data: bytes) -> None:
    """Make or replace a file. On a full disk an empty one is left: it is made or cut before the first byte is written.

    Raises:
        FileFault: its directory does not exist, or the disk is full.

    """
    full = full_path(path)
    _refuse_key(machine, full)
    _refuse_directory(machine, full)
    _need_parent(machine, full)
    if machine.disk_full:
        machine.files[_held(machine, full) or full] = b""
        raise FileFault("There is not enough space on the disk.\r\n", "IOException")
    machine.files[_held(machine, full) or full] = data
    machine.written.append(Written(full, data, access_of(machine, full)))


def make_empty(machine: Machine, path: str) -> None:
    """Make a file without content, for which there is room on a full disk too (its entry is in the file table).

    Raises:
        FileFault: its directory does not exist.

    """
    full = full_path(path)
    _refuse_directory(machine, full)
    _need_parent(machine, full)
    machine.files[full] = b""


def rename(machine: Machine, source: str, target: str) -> None:
    """Give a file another name, on the same drive: that needs no space. It keeps its access control list.

    Raises:
        FileFault: there is no such file or directory, or the name is taken.

    """
    full = full_path(target)
    data = read(machine, source)
    _need_parent(machine, full)
    if _held(machine, full) is not None or directory_exists(machine, full + "\\"):
        raise FileFault("Cannot create a file when that file already exists.\r\n", "IOException")
    access = access_of(machine, source)
    remove(machine, source)
    machine.files[full] = data
    machine.access[full.lower()] = access
    machine.written.append(Written(full, data, access))


def exists(machine: Machine, path: str) -> bool:
    """Whether there is a file (not a directory) of this path."""
    full = full_path(path)
    return _held(machine, full) is not None or key_files.container_at(machine, full) is not None


def remove(machine: Machine, path: str) -> None:
    """Remove a file; nothing happens when there is none.

    Raises:
        FileFault: it is a directory.

    """
    full = full_path(path)
    _refuse_key(machine, full)
    _refuse_directory(machine, full)
    held = _held(machine, full)
    if held is not None:
        _drop(machine, full, [held])


def directory_exists(machine: Machine, path: str) -> bool:
    """Whether there is a directory of this path."""
    full = full_path(path)
    return _FROM_THE_START.fullmatch(full) is not None or bool(_beneath(machine, full))


def directories(machine: Machine, path: str) -> list[str]:
    """The names of the directories in one, in the order of NTFS: by their upper-case letters.

    Raises:
        FileFault: there is no such directory.
        NotSimulated: one in which Windows itself has directories.

    """
    full = full_path(path)
    if not directory_exists(machine, full):
        raise _no_part(full)
    if _FROM_THE_START.fullmatch(full) and not full.lower().endswith("\\temp"):
        raise NotSimulated(f"the directories in {full}")
    below = [held[len(full) + 1 :] for held in _beneath(machine, full)]
    names = {name.partition("\\")[0].upper(): name.partition("\\")[0] for name in below if "\\" in name}
    return [names[upper] for upper in sorted(names)]


def make_directory(machine: Machine, path: str, access: str | None = None) -> None:
    """Make a directory and those above it; one that exists stays as it is.

    :param access: SDDL for each that is made; the reference of CreateDirectory with a DirectorySecurity does not say
        that one which exists keeps its own, the source of the .NET Framework does.

    Raises:
        FileFault: there is no such drive, or a file has the path.

    """
    full = full_path(path)
    if _held(machine, full) is not None:
        message = f'Cannot create "{full}" because a file or directory with the same name already exists.'
        raise FileFault(message, "IOException")
    drive, *names = full.split("\\")
    if not directory_exists(machine, drive + "\\"):
        raise _no_part(full)
    for number in range(1, len(names) + 1):
        step = "\\".join([drive, *names[:number]])
        if _held(machine, step) is not None:
            raise NotSimulated(f"a directory beneath the file {step}")
        if not directory_exists(machine, step):
            machine.files[step + "\\"] = b""
            if access is not None:
                machine.access[step.lower()] = access


def access_of(machine: Machine, path: str) -> str:
    """Who may do what with a file or a directory, SDDL; of one that is not there, what it would inherit.

    Raises:
        NotSimulated: a path that the lab does not know.
    """
    full = full_path(path)
    container = key_files.container_at(machine, full)
    if container is not None:
        return container.access
    return str(_access(machine, full, container=directory_exists(machine, full)))


def set_access(machine: Machine, path: str, access: Access) -> None:
    """Set the list of a file or a directory that is there, as SetNamedSecurityInfo does."""
    full = full_path(path)
    stored = str(Access(access.of_file().entries, access.protected, automatic=True))
    container = key_files.container_at(machine, full)
    if container is not None:
        machine.containers.give(container, stored)
    else:
        machine.access[full.lower()] = stored


def _access(machine: Machine, full: str, *, container: bool) -> Access:
    own = parse(machine.access.get(full.lower()) or _from_the_start(machine, full) or "D:")
    if own.protected or any("ID" in entry.flags for entry in own.entries):
        return own
    above = ntpath.dirname(full).removesuffix("\\")
    if above == full:
        return parse(_EVERYWHERE)
    inherited = _access(machine, above, container=True).handed_down(container=container)
    if not own.entries and not inherited:
        return parse(_OF_A_PROCESS)
    return Access((*own.entries, *inherited), automatic=bool(inherited))


def _from_the_start(machine: Machine, full: str) -> str | None:
    lower = full.lower()
    profile = _PROFILE.fullmatch(full)
    if profile:
        return f"{_SYSTEM_AND_ADMINISTRATORS}(A;OICI;FA;;;{machine.user_sid(profile[1])})"
    known = {
        "c:\\windows": _EVERYWHERE,
        "c:\\windows\\temp": _SYSTEM_AND_ADMINISTRATORS + "(A;OICIIO;FA;;;CO)(A;CI;0x100026;;;BU)",
    }
    if lower.startswith(f"{key_files.PROGRAM_DATA.lower()}\\microsoft\\crypto\\"):
        # "Default permissions for the MachineKeys folders", KB 278381: this folder only.
        return "D:P(A;;FA;;;BA)(A;;0x12019f;;;WD)"
    return known.get(lower)


def remove_directory(machine: Machine, path: str, *, recursive: bool) -> None:
    """Remove a directory.

    Raises:
        FileFault: it is not empty and ``recursive`` is false, or it does not exist.

    """
    full = full_path(path)
    if _held(machine, full) is not None:
        raise FileFault("The directory name is invalid.\r\n", "IOException")
    if not directory_exists(machine, full):
        raise _no_part(full)
    if _FROM_THE_START.fullmatch(full):
        raise NotSimulated(f"the removal of {full}")
    held = _beneath(machine, full)
    if not recursive and any(name.lower() != full.lower() + "\\" for name in held):
        raise FileFault("The directory is not empty.\r\n", "IOException")
    _drop(machine, full, held)


def full_path(path: str) -> str:
    r"""The path as .NET names it in its messages; a drive alone is ``C:``.

    Raises:
        NotSimulated: a relative path, a share, a device, or one that Windows changes or refuses.

    """
    full = ntpath.normpath(path)
    if not ntpath.splitdrive(full)[1].startswith("\\") or not _KNOWN_FORM.fullmatch(full) or len(full) > _LONGEST:
        raise NotSimulated(f"the path {path!r}")
    return full.removesuffix("\\")


def _held(machine: Machine, full: str) -> str | None:
    return next((held for held in machine.files if held.lower() == full.lower()), None)


def _beneath(machine: Machine, full: str) -> list[str]:
    """What is held in a directory, at any depth, and the entry of the directory itself."""
    return [held for held in machine.files if held.lower().startswith(full.lower() + "\\")]


def _drop(machine: Machine, full: str, held: list[str]) -> None:
    """Remove entries; the directory in which they were stays."""
    for name in held:
        del machine.files[name]
        machine.access.pop(name.lower().removesuffix("\\"), None)
    parent = ntpath.dirname(full)
    if not directory_exists(machine, parent):
        machine.files[parent + "\\"] = b""


def _refuse_key(machine: Machine, full: str) -> None:
    if key_files.container_at(machine, full) is not None:
        raise NotSimulated("the content of the file of a key, and its removal")


def _refuse_directory(machine: Machine, full: str) -> None:
    if directory_exists(machine, full + "\\"):
        raise FileFault(f"Access to the path '{full}' is denied.", "UnauthorizedAccessException")


def _need_parent(machine: Machine, full: str) -> None:
    if not directory_exists(machine, ntpath.dirname(full)):
        raise _no_part(full)


def _no_part(full: str) -> FileFault:
    return FileFault(f"Could not find a part of the path '{full}'.", "DirectoryNotFoundException")
