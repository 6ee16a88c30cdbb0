# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static members of the .NET types that scripts name, and ``New-Object``.

PowerShell 2.0 runs on the .NET Framework 2.0 to 3.5, PowerShell 3.0 and later on 4.x.
"""

from __future__ import annotations

import base64
import codecs
import ntpath
import re
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone

from ..host import files
from ..host.events import Event
from ..host.key_files import PROGRAM_DATA
from ..host.machine import bare_name
from . import cng, permissions, streams, x509
from .adsi import DirectoryEntry
from .errors import DotNetError, NotSimulated
from .members import UTF8, short, version
from .native import environment
from .parser import parse
from .session import Session
from .values import DateTime, PSObject, Script, TypeReference, Value, items_of, to_bytes, to_text, truth

Method = Callable[[Session, Sequence[Value]], Value]

_METHODS: dict[tuple[str, str, int], Method] = {**cng.METHODS, **permissions.METHODS}
_UTF8_NAMES = ("text.encoding", "text.utf8encoding")
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_ROUND_TRIP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,7})?(Z|[+-]\d\d:\d\d)")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")


def _method(type_name: str, name: str, *counts: int) -> Callable[[Method], Method]:
    """Register a method for the numbers of arguments that the lab knows."""

    def register(method: Method) -> Method:
        for count in counts:
            _METHODS[type_name, name, count] = method
        return method

    return register


def call(target: TypeReference, name: str, arguments: Sequence[Value], session: Session) -> Value:
    """``[type]::name(arguments)``; None where the method has no result.

    Raises:
        DotNetError, files.FileFault: the method ends by an exception.
        NotSimulated: the lab does not know the method.

    """
    require(target, session)
    method = _METHODS.get((short(target.name), name.lower(), len(arguments)))
    if method is None:
        raise NotSimulated(f"[{target.name}]::{name}() with {len(arguments)} arguments")
    return method(session, arguments)


def require(target: TypeReference, session: Session) -> None:
    """Check that a type is there.

    Raises:
        PSError: it is not.
    """
    try:
        cng.require(short(target.name), session, target.name)
    except cng.TypeMissing as missing:
        raise missing.literal from missing


@_method("scriptblock", "create", 1)
@_method("management.automation.scriptblock", "create", 1)
def _script(session: Session, arguments: Sequence[Value]) -> Value:
    session.machine.events.append(Event.script(to_text(arguments[0]), session.user))
    return Script(parse(to_text(arguments[0]))[0])


@_method("string", "isnullorempty", 1)
def _is_null_or_empty(session: Session, arguments: Sequence[Value]) -> Value:
    return not to_text(arguments[0])


@_method("string", "join", 2)
def _join(session: Session, arguments: Sequence[Value]) -> Value:
    return to_text(arguments[0]).join(to_text(item) for item in items_of(arguments[1]))


@_method("guid", "newguid", 0)
def _new_guid(session: Session, arguments: Sequence[Value]) -> Value:
    return PSObject("System.Guid", {}, str(uuid.uuid4()))


@_method("convert", "tobase64string", 1)
def _to_base64(session: Session, arguments: Sequence[Value]) -> Value:
    return base64.b64encode(to_bytes(_given(arguments[0], "inArray"))).decode()


@_method("convert", "frombase64string", 1)
def _from_base64(session: Session, arguments: Sequence[Value]) -> Value:
    """Blanks, tabs and line ends are passed over; the texts are those of the .NET Framework 2.0 and 4.x."""
    old = session.machine.powershell_release < (3, 0)
    text = re.sub(r"[ \t\r\n]", "", to_text(arguments[0]))
    if not _BASE64.fullmatch(text):
        message = (
            "The input is not a valid Base-64 string as it contains a non-base 64 character, more than two padding "
            "characters, or an illegal character among the padding characters. "
        )
        raise DotNetError("FormatException", "Invalid character in a Base-64 string." if old else message)
    if len(text) % 4:
        ending = "array." if old else "array or string."
        raise DotNetError("FormatException", f"Invalid length for a Base-64 char {ending}")
    return base64.b64decode(text)


def _given(value: Value, parameter: str) -> Value:
    if value is None:
        raise DotNetError("ArgumentNullException", f"Value cannot be null.\r\nParameter name: {parameter}")
    return value


@_method("datetime", "parse", 3)
def _parse_moment(session: Session, arguments: Sequence[Value]) -> Value:
    """The round-trip form ``o`` with a zone: Utc with Z, else Local in the time zone of the host (RoundtripKind)."""
    text, style = to_text(arguments[0]), to_text(arguments[2])
    if to_text(arguments[1]) or style.lower() != "roundtripkind":
        raise NotSimulated("[DateTime]::Parse other than of round-trip dates in the invariant culture")
    found = _ROUND_TRIP.fullmatch(text)
    try:
        moment = datetime.fromisoformat(found[1] + (found[2] or "")[:7]) if found else None
    except ValueError:
        moment = None
    if moment is None or found is None:
        if re.fullmatch(r"[\d\W]*T?[\d\W]*", text):
            raise NotSimulated(f"the date {text!r}")
        raise DotNetError("FormatException", "String was not recognized as a valid DateTime.")
    if found[3] == "Z":
        return DateTime(moment.replace(tzinfo=timezone.utc), True)
    sign = -1 if found[3][0] == "-" else 1
    offset = timedelta(hours=int(found[3][1:3]), minutes=int(found[3][4:6])) * sign
    return DateTime(session.machine.local(moment.replace(tzinfo=timezone(offset))))


@_method("io.path", "gettemppath", 0)
def _temporary_path(session: Session, arguments: Sequence[Value]) -> Value:
    """With a backslash at the end (GetTempPath)."""
    return environment(session.machine, session.user)["temp"] + "\\"


@_method("environment", "getfolderpath", 1)
def _folder_path(session: Session, arguments: Sequence[Value]) -> Value:
    r"""Without a backslash at the end. ``LocalApplicationData`` is in the profile of the user.

    Empty where the directory does not exist (reference of Environment.GetFolderPath).
    """
    folder = to_text(arguments[0])
    if folder.lower() == "commonapplicationdata":
        return PROGRAM_DATA
    if folder.lower() != "localapplicationdata":
        raise NotSimulated(f"[Environment]::GetFolderPath('{folder}')")
    if bare_name(session.user).lower() in session.machine.no_profile:
        return ""
    return environment(session.machine, session.user)["temp"].removesuffix("\\Temp")


@_method("io.path", "combine", 2)
def _combine(session: Session, arguments: Sequence[Value]) -> Value:
    first, second = (to_text(argument) for argument in arguments)
    if not second:
        return first
    if not first or second[0] in "\\/" or second[1:2] == ":":
        return second
    return first + second if first[-1] in "\\/:" else f"{first}\\{second}"


@_method("io.path", "getfilename", 1)
def _file_name(session: Session, arguments: Sequence[Value]) -> Value:
    return re.split(r"[\\/:]", to_text(arguments[0]))[-1]


@_method("io.file", "exists", 1)
def _file_exists(session: Session, arguments: Sequence[Value]) -> Value:
    path = to_text(arguments[0])
    return bool(path) and files.exists(session.machine, path)


@_method("io.file", "readallbytes", 1)
def _read_all_bytes(session: Session, arguments: Sequence[Value]) -> Value:
    return files.read(session.machine, to_text(arguments[0]))


@_method("io.file", "writeallbytes", 2)
def _write_all_bytes(session: Session, arguments: Sequence[Value]) -> Value:
    files.write(session.machine, to_text(arguments[0]), to_bytes(_given(arguments[1], "bytes")))


@_method("io.file", "readalltext", 1)
def _read_all_text(session: Session, arguments: Sequence[Value]) -> Value:
    """As the byte order mark says; without one UTF-8."""
    data = files.read(session.machine, to_text(arguments[0]))
    mark, encoding = next((pair for pair in _MARKS if data.startswith(pair[0])), (b"", "utf-8"))
    return data.removeprefix(mark).decode(encoding, "replace")


@_method("io.file", "writealltext", 2)
def _write_all_text(session: Session, arguments: Sequence[Value]) -> Value:
    """UTF-8 without a byte order mark."""
    files.write(session.machine, to_text(arguments[0]), to_text(arguments[1]).encode())


@_method("io.file", "delete", 1)
def _delete_file(session: Session, arguments: Sequence[Value]) -> Value:
    """No error where there is no such file, but one where there is no such directory."""
    full = files.full_path(to_text(arguments[0]))
    if not files.directory_exists(session.machine, ntpath.dirname(full)):
        raise files.FileFault(f"Could not find a part of the path '{full}'.", "DirectoryNotFoundException")
    files.remove(session.machine, full)


@_method("io.file", "move", 2)
def _move_file(session: Session, arguments: Sequence[Value]) -> Value:
    files.rename(session.machine, to_text(arguments[0]), to_text(arguments[1]))


@_method("io.file", "open", 4)
def _open_file(session: Session, arguments: Sequence[Value]) -> Value:
    """``OpenOrCreate``, ``ReadWrite``, ``None``: nobody else may open the file until it is closed."""
    path, *how = (to_text(argument) for argument in arguments)
    if [word.lower() for word in how] != ["openorcreate", "readwrite", "none"]:
        raise NotSimulated(f"[IO.File]::Open with {', '.join(how)}")
    full = files.full_path(path)
    if full.lower() in session.machine.locked:
        message = f"The process cannot access the file '{full}' because it is being used by another process."
        raise files.FileFault(message, "IOException")
    if not files.exists(session.machine, full):
        files.make_empty(session.machine, full)
    stream = streams.LockedFile(session.machine, full.lower())
    session.machine.locked[full.lower()] = stream
    return stream


@_method("io.directory", "exists", 1)
def _directory_exists(session: Session, arguments: Sequence[Value]) -> Value:
    path = to_text(arguments[0])
    return bool(path) and files.directory_exists(session.machine, path)


@_method("io.directory", "getdirectories", 1)
def _get_directories(session: Session, arguments: Sequence[Value]) -> Value:
    """The full paths of the directories in one, as NTFS orders them; the path is begun as it was given."""
    path = to_text(arguments[0])
    return [ntpath.join(path, name) for name in files.directories(session.machine, path)]


@_method("io.directory", "createdirectory", 1)
def _create_directory(session: Session, arguments: Sequence[Value]) -> Value:
    path = files.full_path(to_text(arguments[0]))
    files.make_directory(session.machine, path)
    return PSObject("System.IO.DirectoryInfo", {"FullName": path, "Name": ntpath.basename(path), "Exists": True}, path)


@_method("io.directory", "delete", 1, 2)
def _delete_directory(session: Session, arguments: Sequence[Value]) -> Value:
    files.remove_directory(session.machine, to_text(arguments[0]), recursive=truth(arguments[1:] and arguments[1]))


def property_of(target: TypeReference, name: str, session: Session) -> Value:
    """``[type]::name``.

    Raises:
        NotSimulated: the lab does not know it.

    """
    key = (short(target.name), name.lower())
    machine = session.machine
    if key in (("text.encoding", "utf8"), ("console", "outputencoding")):
        return UTF8
    if key == ("environment", "newline"):
        return "\r\n"
    if key == ("datetime", "utcnow"):
        return DateTime(machine.clock.astimezone(timezone.utc), True)
    if key == ("environment", "machinename"):
        return environment(machine, session.user)["computername"]
    if key == ("environment", "osversion"):
        return PSObject("System.OperatingSystem", {"Version": version(machine.os_version + ".0")})
    if key == ("io.compression.compressionmode", "compress"):
        return PSObject(streams.COMPRESSION_MODE, {}, "Compress")
    if key == ("globalization.cultureinfo", "invariantculture"):
        return PSObject("System.Globalization.CultureInfo", {"Name": ""}, "")
    if key == ("globalization.datetimestyles", "roundtripkind"):
        return PSObject("System.Globalization.DateTimeStyles", {}, "RoundtripKind")
    require(target, session)
    member = x509.enumeration_member(*key) or cng.member(*key)
    if member is not None:
        return member
    raise NotSimulated(f"[{target.name}]::{name}")


def assign(target: TypeReference, name: str, value: Value, session: Session) -> None:
    """``[type]::name = value``."""
    if (short(target.name), name.lower()) != ("console", "outputencoding"):
        raise NotSimulated(f"an assignment to [{target.name}]::{name}")
    if not (isinstance(value, PSObject) and value.type_name == UTF8.type_name):
        raise NotSimulated("a console encoding other than UTF-8")
    session.encoding = "utf-8"


def construct(type_name: str, arguments: Sequence[Value], session: Session) -> Value:
    """``New-Object type arguments``.

    Raises:
        cng.TypeMissing: this PowerShell does not have the type.
        NotSimulated: the lab does not know the type or this constructor.

    """
    name = short(type_name)
    cng.require(name, session, type_name)
    if name in _UTF8_NAMES:
        return UTF8
    if name in ("psobject", "management.automation.psobject") and not arguments:
        return PSObject("System.Management.Automation.PSCustomObject")
    if name == "directoryservices.directoryentry" and len(arguments) == 1:
        return DirectoryEntry(session.machine, to_text(arguments[0]))
    for made in (
        streams.construct(name, arguments),
        x509.construct(name, arguments, session),
        cng.construct(name, arguments),
        permissions.construct(name, arguments, session),
    ):
        if made is not None:
            return made
    raise NotSimulated(f"New-Object {type_name}")
