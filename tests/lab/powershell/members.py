# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties and methods of objects, and conversions."""

from __future__ import annotations

from collections.abc import Callable

from .adsi import COLLECTION, DirectoryEntry
from .errors import DotNetError, ErrorRecord, NotSimulated, PSError
from .session import Session
from .values import (
    DateTime,
    Instance,
    PSObject,
    Script,
    Value,
    to_bytes,
    to_culture_text,
    to_integer,
    to_text,
    truth,
)

UTF8 = PSObject(
    "System.Text.UTF8Encoding", {"EncodingName": "Unicode (UTF-8)", "CodePage": 65001}, "System.Text.UTF8Encoding"
)

_GUID_FORMS: dict[str, Callable[[str], str]] = {
    "n": lambda text: text.replace("-", ""),
    "d": lambda text: text,
    "b": lambda text: f"{{{text}}}",
    "p": lambda text: f"({text})",
}
_OPEN = (
    *("System.Management.Automation.PSCustomObject", "Selected.System.Management.Automation.PSCustomObject"),
    "Microsoft.Rtc.Management.Deployment.CertificateReference",
)
"""Types whose objects have the properties that were given to them and no others."""


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
            if target.type_name in _OPEN:
                return _absent(name, session)
            if lower in ("count", "length"):
                return _count_of_one(name, session)
            raise NotSimulated(f"the property {name} of {target.type_name}") from None
    if isinstance(target, Instance):
        return target.property(name)
    if isinstance(target, dict):
        own = {"keys": list(target), "values": list(target.values()), "count": len(target)}
        return next((value for key, value in target.items() if key.lower() == lower), own.get(lower))
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
    if lower in ("count", "length"):
        if isinstance(target, bytes):
            return len(target)
        return _count_of_one(name, session, 0 if target is None else 1)
    if target is None:
        return _absent(name, session)
    raise NotSimulated(f"the property {name} of {to_text(target)!r}")


def _absent(name: str, session: Session) -> None:
    if session.strict:
        message = f"The property '{name}' cannot be found on this object. Verify that the property exists."
        raise PSError(ErrorRecord(message, error_id="PropertyNotFoundStrict"))


def _count_of_one(name: str, session: Session, count: int = 1) -> int | None:
    """A single object has Count and Length from PowerShell 3.0 on (about_Properties), without strict mode."""
    if session.machine.powershell_release >= (3, 0) and not session.strict:
        return count
    _absent(name, session)
    return None


def _error_property(record: ErrorRecord, name: str) -> Value:
    if name == "exception":
        inner = record.inner and PSObject("System.Exception", {"Message": record.inner}, record.inner)
        return PSObject("System.Exception", {"Message": record.message, "InnerException": inner}, record.message)
    if name == "fullyqualifiederrorid":
        return record.error_id
    if name == "categoryinfo":
        return record.category
    raise NotSimulated(f"the property {name} of an error record")


def call(target: Value, name: str, arguments: list[Value], session: Session) -> Value:
    """``target.name(arguments)``.

    Raises:
        DotNetError: the method ends by an exception.
        PSError: there is no object.
        NotSimulated: a method that the lab does not know.

    """
    lower = name.lower()
    if target is None:
        message = "You cannot call a method on a null-valued expression."
        raise PSError(ErrorRecord(message, error_id="InvokeMethodOnNull"))
    if isinstance(target, Instance):
        return target.call(name, arguments)
    if lower == "tostring":
        return _string_of(target, arguments, session)
    if isinstance(target, DateTime) and lower == "touniversaltime":
        return target.universal()
    if isinstance(target, str):
        return _string_method(target, lower, arguments)
    if isinstance(target, PSObject) and target.type_name == UTF8.type_name and arguments:
        if lower == "getstring":
            return to_bytes(arguments[0]).decode("utf-8", "replace")
        if lower == "getbytes":
            return to_text(arguments[0]).encode()
    if isinstance(target, dict) and lower == "containskey":
        return any(key.lower() == to_text(arguments[0]).lower() for key in target)
    raise NotSimulated(f"the method {name}")


def _string_of(target: Value, arguments: list[Value], session: Session) -> str:
    """``target.ToString()``, or ``target.ToString(format)``."""
    if not arguments and not isinstance(target, list | bytes) and not _is(target, COLLECTION):
        return to_culture_text(target, session.machine.language)
    if isinstance(target, DateTime) and arguments:
        return target.formatted(to_text(arguments[0]))
    form = to_text(arguments[0]).lower() if arguments else ""
    if _is(target, "System.Guid") and form in _GUID_FORMS:
        return _GUID_FORMS[form](to_text(target))
    raise NotSimulated(f"ToString of {target!r} with {len(arguments)} arguments")


def _is(value: Value, type_name: str) -> bool:
    return isinstance(value, PSObject) and value.type_name == type_name


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
        parameter, message = "length", "Index and length must refer to a location within the string."
        if start > len(text):
            parameter, message = "startIndex", "startIndex cannot be larger than length of string."
        if start < 0 or length < 0 <= len(text) - start:
            raise NotSimulated("Substring with a negative argument")
        raise DotNetError("ArgumentOutOfRangeException", f"{message}\r\nParameter name: {parameter}")
    return text[start : start + length]


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
        is_enumeration = isinstance(value, PSObject) and "value__" in value.properties
        return to_integer(value.get("value__") if is_enumeration else value)
    if name in ("bool", "boolean", "switch"):
        return truth(value)
    if name in ("array", "object[]", "string[]"):
        found = value if isinstance(value, list) else [value]
        return [to_text(item) for item in found] if name == "string[]" else found
    if name == "byte[]":
        return to_bytes(value)
    if name in ("adsi", "directoryservices.directoryentry") and isinstance(value, str):
        return DirectoryEntry(session.machine, value)
    if name == "void":
        return None
    if name == "scriptblock" and isinstance(value, Script):
        return value
    raise NotSimulated(f"a conversion to [{type_name}] in a session of {session.machine.name}")
