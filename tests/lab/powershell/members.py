# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties and methods of objects, and the few .NET types that scripts name."""

from __future__ import annotations

import base64
from collections.abc import Callable

from .errors import ErrorRecord, NotSimulated, PSError
from .parser import parse
from .session import Session
from .values import DateTime, PSObject, Script, TypeReference, Value, to_culture_text, to_integer, to_text, truth

UTF8 = PSObject(
    "System.Text.UTF8Encoding", {"EncodingName": "Unicode (UTF-8)", "CodePage": 65001}, "System.Text.UTF8Encoding"
)
_UTF8_NAMES = ("text.encoding", "text.utf8encoding")


def short(type_name: str) -> str:
    """A type name without the namespace System, in lower case."""
    return type_name.lower().removeprefix("system.")


def property_of(target: Value, name: str, session: Session) -> Value:
    """``target.name``.

    Raises:
        PSError: strict mode and no such property.
        NotSimulated: a property of a .NET type that the lab does not know.

    """
    lower = name.lower()
    if isinstance(target, PSObject):
        try:
            return target.get(name)
        except KeyError:
            return _absent(name, session)
    if isinstance(target, dict):
        return next((value for key, value in target.items() if key.lower() == lower), None)
    if isinstance(target, list):
        if lower in ("count", "length"):
            return len(target)
        if session.machine.powershell_release < (3, 0):
            return _absent(name, session)
        found = [property_of(item, name, session) for item in target]
        return [item for item in found if item is not None]
    if isinstance(target, str) and lower == "length":
        return len(target)
    if isinstance(target, ErrorRecord):
        return _error_property(target, lower)
    if isinstance(target, DateTime) and lower in ("year", "month", "day", "hour", "minute", "second"):
        return getattr(target.moment, lower)
    if lower in ("count", "length") and not isinstance(target, bytes):
        # A single object has Count and Length from PowerShell 3.0 on (about_Properties).
        if session.machine.powershell_release >= (3, 0):
            return 0 if target is None else 1
        return _absent(name, session)
    if isinstance(target, bytes) and lower in ("count", "length"):
        return len(target)
    if target is None:
        return _absent(name, session)
    raise NotSimulated(f"the property {name} of {to_text(target)!r}")


def _absent(name: str, session: Session) -> None:
    if session.strict:
        message = f"The property '{name}' cannot be found on this object. Verify that the property exists."
        raise PSError(ErrorRecord(message, error_id="PropertyNotFoundStrict"))


def _error_property(record: ErrorRecord, name: str) -> Value:
    if name == "exception":
        return PSObject("System.Exception", {"Message": record.message}, record.message)
    if name == "fullyqualifiederrorid":
        return record.error_id
    if name == "categoryinfo":
        return record.category
    raise NotSimulated(f"the property {name} of an error record")


def call(target: Value, name: str, arguments: list[Value], session: Session) -> Value:
    """``target.name(arguments)``."""
    lower = name.lower()
    if target is None:
        message = "You cannot call a method on a null-valued expression."
        raise PSError(ErrorRecord(message, error_id="InvokeMethodOnNull"))
    if lower == "tostring":
        if isinstance(target, DateTime) and arguments:
            return target.formatted(to_text(arguments[0]))
        if isinstance(target, int) and arguments:
            raise NotSimulated("ToString of a number with a format")
        return to_culture_text(target, session.machine.language)
    if isinstance(target, DateTime) and lower == "touniversaltime":
        return target.universal()
    if isinstance(target, str):
        return _string_method(target, lower, arguments)
    if isinstance(target, PSObject) and target.type_name == UTF8.type_name and arguments:
        if lower == "getstring":
            return bytes(arguments[0]).decode("utf-8", "replace")
        if lower == "getbytes":
            return to_text(arguments[0]).encode()
    if isinstance(target, dict) and lower == "containskey":
        return any(key.lower() == to_text(arguments[0]).lower() for key in target)
    raise NotSimulated(f"the method {name}")


def _string_method(text: str, name: str, arguments: list[Value]) -> Value:
    words = [to_text(argument) for argument in arguments]
    characters = "".join(words) or None
    plain: dict[str, Callable[[], Value]] = {
        "trim": lambda: text.strip(characters),
        "trimstart": lambda: text.lstrip(characters),
        "trimend": lambda: text.rstrip(characters),
        "toupper": text.upper,
        "tolower": text.lower,
        "toupperinvariant": text.upper,
        "tolowerinvariant": text.lower,
        "replace": lambda: text.replace(words[0], words[1]),
        "startswith": lambda: text.startswith(words[0]),
        "endswith": lambda: text.endswith(words[0]),
        "contains": lambda: words[0] in text,
        "indexof": lambda: text.find(words[0]),
        "split": lambda: _split(text, words),
        "substring": lambda: _substring(text, arguments),
    }
    if name not in plain:
        raise NotSimulated(f"the string method {name}")
    return plain[name]()


def _split(text: str, words: list[str]) -> list[str]:
    """String.Split(char[]): any of the characters divides (Windows PowerShell binds a string to them)."""
    parts = [""]
    for character in text:
        if character in words[0]:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _substring(text: str, arguments: list[Value]) -> str:
    start = to_integer(arguments[0])
    length = to_integer(arguments[1]) if len(arguments) > 1 else len(text) - start
    if start < 0 or length < 0 or start + length > len(text):
        message = 'Exception calling "Substring": "Index and length must refer to a location within the string."'
        raise PSError(ErrorRecord(message, error_id="ArgumentOutOfRangeException"))
    return text[start : start + length]


def static_property(target: TypeReference, name: str, session: Session) -> Value:
    """``[type]::name``."""
    key = (short(target.name), name.lower())
    machine = session.machine
    if key in (("text.encoding", "utf8"), ("console", "outputencoding")):
        return UTF8
    if key == ("environment", "newline"):
        return "\r\n"
    if key == ("environment", "machinename"):
        return machine.name.upper()
    if key == ("environment", "osversion"):
        return PSObject("System.OperatingSystem", {"Version": version(machine.os_version + ".0")})
    raise NotSimulated(f"[{target.name}]::{name}")


def assign_static(target: TypeReference, name: str, value: Value, session: Session) -> None:
    """``[type]::name = value``."""
    if (short(target.name), name.lower()) != ("console", "outputencoding"):
        raise NotSimulated(f"an assignment to [{target.name}]::{name}")
    if not (isinstance(value, PSObject) and value.type_name == UTF8.type_name):
        raise NotSimulated("a console encoding other than UTF-8")
    session.encoding = "utf-8"


def call_static(target: TypeReference, name: str, arguments: list[Value]) -> Value:
    """``[type]::name(arguments)``."""
    key = (short(target.name), name.lower())
    words = [to_text(argument) for argument in arguments]
    if key in (("scriptblock", "create"), ("management.automation.scriptblock", "create")):
        return Script(parse(words[0])[0])
    if key == ("convert", "frombase64string"):
        return base64.b64decode(words[0])
    if key == ("convert", "tobase64string"):
        return base64.b64encode(bytes(arguments[0])).decode()
    if key == ("string", "isnullorempty"):
        return not words[0]
    if key == ("string", "join"):
        return words[0].join(to_text(item) for item in arguments[1])
    raise NotSimulated(f"[{target.name}]::{name}()")


def version(text: str) -> PSObject:
    """A System.Version."""
    parts = [int(part) for part in text.split(".")]
    names = ("Major", "Minor", "Build", "Revision")
    padded = [*parts, -1, -1, -1, -1]
    return PSObject("System.Version", dict(zip(names, padded, strict=False)), text)


def cast(type_name: str, value: Value, session: Session) -> Value:
    """``[type]value``."""
    name = short(type_name)
    if name == "string":
        return to_text(value)
    if name in ("int", "int32", "int64", "long"):
        return to_integer(value)
    if name in ("bool", "boolean", "switch"):
        return truth(value)
    if name in ("array", "object[]", "string[]"):
        found = value if isinstance(value, list) else [value]
        return [to_text(item) for item in found] if name == "string[]" else found
    if name == "void":
        return None
    if name == "scriptblock" and isinstance(value, Script):
        return value
    raise NotSimulated(f"a conversion to [{type_name}] in a session of {session.machine.name}")


def new_object(type_name: str, arguments: list[Value]) -> Value:
    """``New-Object type``."""
    if short(type_name) in _UTF8_NAMES:
        return UTF8
    if short(type_name) in ("psobject", "management.automation.psobject") and not arguments:
        return PSObject("System.Management.Automation.PSCustomObject")
    raise NotSimulated(f"New-Object {type_name}")
