# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""The files in which Microsoft's software providers keep the keys of the machine.

Keys of CSPs lie in ``%ALLUSERSPROFILE%\Microsoft\Crypto\RSA\MachineKeys``, those of the Software KSP in
``%ALLUSERSPROFILE%\Microsoft\Crypto\Keys`` ("Key Storage and Retrieval", CNG). The name is that of
:func:`~.store.unique_name`. Keys that SYSTEM made for itself lie elsewhere (``SystemKeys``, ``RSA\S-1-5-18``); the lab
has none. Keys of DSS providers lie in ``Crypto\DSS\MachineKeys``.

A file is no entry of ``machine.files``: it is there as long as its container, and its access control list is that of
the key.
"""

from __future__ import annotations

import ntpath

from .keys import SOFTWARE_KSP, KeyContainer
from .machine import Machine
from .store import unique_name

PROGRAM_DATA = "C:\\ProgramData"
_CNG = PROGRAM_DATA + "\\Microsoft\\Crypto\\Keys"
_LEGACY = PROGRAM_DATA + "\\Microsoft\\Crypto\\RSA\\MachineKeys"
_DSS = PROGRAM_DATA + "\\Microsoft\\Crypto\\DSS\\MachineKeys"


def path_of(machine: Machine, container: KeyContainer) -> str | None:
    """The file of a key; None for keys of users and those that no software provider holds."""
    if not container.machine or container.in_hardware:
        return None
    if container.key_spec:
        folder = _DSS if "dss" in container.provider.casefold().split() else _LEGACY
    elif container.provider.casefold() == SOFTWARE_KSP.casefold():
        folder = _CNG
    else:
        return None
    return f"{folder}\\{unique_name(container.name, machine.guid, cng=not container.key_spec)}"


def container_at(machine: Machine, full: str) -> KeyContainer | None:
    """The container whose key a file holds.

    :param full: the path as :func:`~.files.full_path` gives it.
    """
    if not ntpath.dirname(full).lower().startswith(PROGRAM_DATA.lower()):
        return None
    for container in machine.containers:
        path = path_of(machine, container)
        if path and path.lower() == full.lower():
            return container
    return None
