# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""``reg.exe query`` over the keys that the lab knows: the certificate stores of the machine, the product name, the CA.
``reg.exe delete`` of one of the stores.

The value ``Active`` of the CA service's configuration is the sanitized name of the CA (MS-WCCE 3.1.1.4.1.1), which for
the names of the lab is the name itself.

Shape of the output: real ``reg query`` transcripts (four blanks between columns, an empty line before each key with
values and after the last one, subkeys listed by their full name). Errors: exit code 1 and one line on stderr.
Users may read HKLM\SOFTWARE\Microsoft\SystemCertificates; only ``deny: [registry]`` refuses it. Administrators alone
may change it. A key goes with all that is in it; the line after success was seen in English, its translations not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..formats import serialized
from ..host.machine import Machine
from ..host.messages import say
from ..powershell.errors import NotSimulated
from .base import Call, Result

_ROOTS = {"hklm": "HKEY_LOCAL_MACHINE", "hkey_local_machine": "HKEY_LOCAL_MACHINE"}
_FOREIGN_ROOTS = ("hkcu", "hkcr", "hku", "hkcc", "hkey_")
_STORES = "SOFTWARE\\Microsoft\\SystemCertificates"
_SERVICES = "SYSTEM\\CurrentControlSet\\Services"
_CERTSVC = f"{_SERVICES}\\CertSvc\\Configuration"
_VERSION = "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"


@dataclass
class Key:
    """A registry key: values as (name, type, printed data), and subkeys in order."""

    values: list[tuple[str, str, str]] = field(default_factory=list)
    keys: dict[str, Key] = field(default_factory=dict)


def _tree(machine: Machine) -> Key:
    """HKEY_LOCAL_MACHINE as far as the lab has it."""
    stores = Key()
    for name, certificates in sorted(machine.stores.items(), key=lambda item: item[0].upper()):
        held = Key()
        # The subkeys of a key are kept in the order of their names.
        for certificate in sorted(certificates, key=lambda one: one.key_name.upper()):
            held.keys[certificate.key_name] = Key([("Blob", "REG_BINARY", certificate.blob.hex().upper())])
        stores.keys[name] = Key([], {"Certificates": held, "CRLs": Key(), "CTLs": Key()})
        if name.upper() == "REQUEST" and not certificates:
            # The subkey comes with the first request; whether it outlives the last one is unverified.
            del stores.keys[name].keys["Certificates"]
    version = Key([("CurrentVersion", "REG_SZ", ".".join(machine.os_version.split(".")[:2]))])
    version.values.append(("CurrentBuild", "REG_SZ", machine.os_version.split(".")[2]))
    root = Key()
    _put(root, _STORES, stores)
    _put(root, _VERSION, version)
    _put(root, _SERVICES, Key())
    local = machine.authorities.local(machine.name) if machine.authorities else None
    if local is not None:
        name = local.config.partition("\\")[2]
        _put(root, _CERTSVC, Key([("Active", "REG_SZ", name)], {name: Key()}))
    return root


def _put(root: Key, path: str, key: Key) -> None:
    *parents, name = path.split("\\")
    for parent in parents:
        root = root.keys.setdefault(parent, Key())
    root.keys[name] = key


def _find(root: Key, path: str) -> Key | None:
    """A key by its path in any case."""
    for part in path.split("\\"):
        found = _held(root.keys, part)
        if found is None:
            return None
        root = root.keys[found]
    return root


def _held(keys: Mapping[str, Key], name: str) -> str | None:
    return next((held for held in keys if held.lower() == name.lower()), None)


def reg(call: Call) -> Result:
    """``reg query KEY [/s] [/v NAME] [/reg:32|/reg:64]``, ``reg delete KEY /f``."""
    if [word.lower() for word in call.arguments[:1]] == ["delete"]:
        return _delete(call)
    verb, path, recursive, value = _arguments(call)
    if verb != "query":
        raise NotSimulated(f"reg {verb}")
    root, _between, rest = path.rstrip("\\").partition("\\")
    if root.lower() not in _ROOTS:
        if root.lower().startswith(_FOREIGN_ROOTS):
            raise NotSimulated(f"the registry root {root}")
        return Result(stderr='ERROR: Invalid key name.\r\nType "REG QUERY /?" for usage.\r\n', exit_code=1)
    language = call.machine.language
    known = any(
        rest.lower().startswith(prefix.lower()) or prefix.lower().startswith(rest.lower())
        for prefix in (_STORES, _VERSION, _CERTSVC)
    )
    if not known:
        raise NotSimulated(f"the registry key {path}")
    if "registry" in call.machine.deny and rest.lower().startswith(_STORES.lower()):
        return Result(stderr=say(language, "reg_denied") + "\r\n", exit_code=1)
    found = _find(_tree(call.machine), rest) if rest else None
    if found is None:
        return Result(stderr=say(language, "reg_missing") + "\r\n", exit_code=1)
    full = f"{_ROOTS[root.lower()]}\\{rest}"  # reg.exe repeats the key as typed, not as the registry spells it
    key = found
    if value is not None:
        return _one_value(call, full, key, value)
    return Result(_recursive(full, key) + "\r\n" if recursive and _has_values(key) else _flat(full, key, recursive))


def _delete(call: Call) -> Result:
    options = {word.lower() for word in call.arguments[2:]}
    path = call.arguments[1] if len(call.arguments) > 1 else ""
    root, _between, rest = path.rstrip("\\").partition("\\")
    parent, _between, name = rest.rpartition("\\")
    if "/f" not in options or not options <= {"/f", "/reg:64", "/reg:32"}:
        raise NotSimulated("reg delete without /f, or with other options")
    if root.lower() not in _ROOTS or parent.lower() != _STORES.lower():
        raise NotSimulated(f"reg delete {path}")
    machine = call.machine
    found = machine.store(name)
    if "registry" in machine.deny or (found and not machine.is_administrator(call.user)):
        return Result(stderr=say(machine.language, "reg_denied") + "\r\n", exit_code=1)
    if found is None:
        return Result(stderr=say(machine.language, "reg_missing") + "\r\n", exit_code=1)
    del machine.stores[found[0]]
    return Result("The operation completed successfully.\r\n")


def _arguments(call: Call) -> tuple[str, str, bool, str | None]:
    words = list(call.arguments)
    if len(words) < 2 or "/?" in words:
        raise NotSimulated("the usage text of reg.exe")
    recursive, value = False, None
    rest = words[2:]
    while rest:
        option = rest.pop(0).lower()
        if option == "/s":
            recursive = True
        elif option == "/v" and rest:
            value = rest.pop(0)
        elif option not in ("/reg:64", "/reg:32"):  # the stores are shared by both views (WOW64 shared keys)
            raise NotSimulated(f"reg {words[0]} {option}")
    return words[0].lower(), words[1], recursive, value


def _one_value(call: Call, full: str, key: Key, value: str) -> Result:
    found = next((held for held in key.values if held[0].lower() == value.lower()), None)
    if found is None:
        return Result(stderr=say(call.machine.language, "reg_missing") + "\r\n", exit_code=1)
    return Result(f"\r\n{full}\r\n{serialized.reg_value(*found)}\r\n")


def _has_values(key: Key) -> bool:
    return bool(key.values) or any(_has_values(below) for below in key.keys.values())


def _block(full: str, key: Key) -> str:
    return f"\r\n{full}\r\n" + "".join(serialized.reg_value(*value) for value in key.values) if key.values else ""


def _recursive(full: str, key: Key) -> str:
    return _block(full, key) + "".join(_recursive(f"{full}\\{name}", below) for name, below in key.keys.items())


def _flat(full: str, key: Key, recursive: bool) -> str:
    if recursive:
        return ""
    return _block(full, key) + "\r\n" + "".join(f"{full}\\{name}\r\n" for name in key.keys)
