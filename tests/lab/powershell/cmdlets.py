# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cmdlets of Windows PowerShell itself, each with the parameters that scripts around native commands use."""

from __future__ import annotations

import json
from typing import Any

from ..host.events import Event
from ..lync import rules
from ..tools import find_tool
from .cng import TypeMissing
from .commands import COMMON_PARAMETERS, Invocation, command, find_command, load_module, module_of
from .errors import Break, DotNetError, NotSimulated
from .formatting import output_lines
from .members import property_of
from .parser import parse
from .session import Collector
from .statics import construct
from .values import PSObject, Script, Value, items_of, to_culture_text, to_integer, to_text, truth

_METADATA = "System.Management.Automation.ParameterMetadata"


@command("Write-Output")
def _write_output(invocation: Invocation) -> None:
    bound = invocation.bind(["inputobject"])
    values = [bound.named["inputobject"], *bound.rest] if "inputobject" in bound.named else bound.rest
    for value in values or invocation.input:
        for item in items_of(value):
            invocation.sink.emit(item)


@command("Write-Host")
def _write_host(invocation: Invocation) -> None:
    """Goes to the host, past any pipeline."""
    bound = invocation.bind(["object"])
    text = " ".join(to_text(value) for value in [*bound.rest, bound.named.get("object", [])]).strip()
    invocation.session.host_line(text)


@command("Write-Error")
def _write_error(invocation: Invocation) -> None:
    bound = invocation.bind(["message"])
    message = bound.text("message") or to_text(bound.rest[0] if bound.rest else "")
    invocation.fail(
        message, "Microsoft.PowerShell.Commands.WriteErrorException", "NotSpecified: (:) [{0}], WriteErrorException"
    )


@command("Write-Warning")
def _write_warning(invocation: Invocation) -> None:
    bound = invocation.bind(["message"])
    for item in [bound.named["message"]] if "message" in bound.named else bound.rest or invocation.input:
        invocation.warn(to_text(item))


@command("Out-Null")
def _out_null(invocation: Invocation) -> None:
    invocation.bind()


@command("Out-String")
def _out_string(invocation: Invocation) -> None:
    bound = invocation.bind(["width"], ["stream"])
    lines = [line for value in invocation.input for line in output_lines(value, invocation.session.machine)]
    if bound.flag("stream"):
        for line in lines:
            invocation.sink.emit(line)
    else:
        invocation.sink.emit("".join(line + "\r\n" for line in lines))


@command("ForEach-Object")
def _for_each(invocation: Invocation) -> None:
    bound = invocation.bind(["process"])
    script = bound.named.get("process", bound.rest[0] if bound.rest else None)
    if not isinstance(script, Script):
        raise NotSimulated("ForEach-Object without a script block")
    try:
        for item in invocation.input:
            invocation.interpreter.script(script, invocation.sink, item=item)
    except Break as exc:
        raise NotSimulated("break in ForEach-Object") from exc


@command("Where-Object")
def _where(invocation: Invocation) -> None:
    bound = invocation.bind(["filterscript"])
    script = bound.named.get("filterscript", bound.rest[0] if bound.rest else None)
    if not isinstance(script, Script):
        raise NotSimulated("Where-Object without a script block")
    for item in invocation.input:
        collector = Collector(invocation.session.encoding)
        invocation.interpreter.script(script, collector, item=item)
        if truth(collector.items):
            invocation.sink.emit(item)


@command("Select-Object")
def _select(invocation: Invocation) -> None:
    bound = invocation.bind(["property", "first", "last", "skip", "expandproperty"])
    items = invocation.input
    if "skip" in bound.named:
        items = items[to_integer(bound.named["skip"]) :]
    if "first" in bound.named:
        items = items[: to_integer(bound.named["first"])]
    if "last" in bound.named:
        items = items[-to_integer(bound.named["last"]) :]
    wanted = items_of(bound.named.get("property", bound.rest[0] if bound.rest else []))
    expand = bound.text("expandproperty")
    for item in items:
        if expand:
            for value in items_of(property_of(item, expand, invocation.session)):
                invocation.sink.emit(value)
        elif wanted:
            invocation.sink.emit(_selected(item, wanted, invocation))
        else:
            invocation.sink.emit(item)


def _selected(item: Value, wanted: list[Value], invocation: Invocation) -> PSObject:
    chosen: dict[str, Value] = {}
    for one in wanted:
        if isinstance(one, dict):
            parts = {key.lower()[0]: value for key, value in one.items()}
            name, script = to_text(parts.get("n", parts.get("l"))), parts.get("e")
            if not isinstance(script, Script):
                raise NotSimulated("a calculated property without a script block")
            collector = Collector(invocation.session.encoding)
            invocation.interpreter.script(script, collector, item=item)
            chosen[name] = collector.items[0] if len(collector.items) == 1 else (collector.items or None)
        elif to_text(one) == "*" and isinstance(item, PSObject):
            chosen.update(item.properties)
        else:
            name = to_text(one)
            held = (
                next((key for key in item.properties if key.lower() == name.lower()), name)
                if isinstance(item, PSObject)
                else name
            )
            chosen[held] = property_of(item, name, invocation.session)
    return PSObject("Selected.System.Management.Automation.PSCustomObject", chosen)


@command("Sort-Object")
def _sort(invocation: Invocation) -> None:
    bound = invocation.bind(["property"], ["descending", "unique"])
    name = bound.text("property") or (to_text(bound.rest[0]) if bound.rest else "")

    def key(item: Value) -> str:
        return to_text(property_of(item, name, invocation.session) if name else item).lower()

    items = sorted(invocation.input, key=key, reverse=bound.flag("descending"))
    if bound.flag("unique"):
        items = list({key(item): item for item in items}.values())
    for item in items:
        invocation.sink.emit(item)


@command("ConvertTo-Csv")
def _convert_to_csv(invocation: Invocation) -> None:
    """Every value quoted, a null value empty; the line ``#TYPE`` unless -NoTypeInformation is given."""
    bound = invocation.bind(["delimiter", "inputobject"], ["notypeinformation"])
    delimiter = bound.text("delimiter", ",")
    header: list[str] | None = None
    for item in invocation.input:
        if not isinstance(item, PSObject):
            raise NotSimulated("ConvertTo-Csv of something other than selected objects")
        if header is None:
            header = list(item.properties)
            if not bound.flag("notypeinformation"):
                invocation.sink.emit(f"#TYPE {item.type_name}")
            invocation.sink.emit(delimiter.join(_csv_cell(name) for name in header))
        cells = [_csv_value(property_of(item, name, invocation.session), invocation) for name in header]
        invocation.sink.emit(delimiter.join(cells))


def _csv_cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _csv_value(value: Value, invocation: Invocation) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return _csv_cell("System.Object[]")
    return _csv_cell(to_culture_text(value, invocation.session.machine.language))


@command("ConvertTo-Json")
def _convert_to_json(invocation: Invocation) -> None:
    bound = invocation.bind(["depth", "inputobject"], ["compress"])
    values = [bound.named["inputobject"]] if "inputobject" in bound.named else invocation.input
    if not bound.flag("compress"):
        raise NotSimulated("ConvertTo-Json without -Compress (its indentation differs by release)")
    data = [_json(value) for value in values]
    text = json.dumps(data[0] if len(data) == 1 else data, separators=(",", ":"), ensure_ascii=False)
    for character in "'<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")  # JavaScriptSerializer, up to 5.1
    invocation.sink.emit(text)


def _json(value: Value) -> Any:
    if isinstance(value, PSObject) and value.text is None:
        return {name: _json(item) for name, item in value.properties.items()}
    if isinstance(value, dict):
        return {name: _json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    raise NotSimulated(f"ConvertTo-Json of {to_text(value)!r}")


@command("Get-Module")
def _get_module(invocation: Invocation) -> None:
    bound = invocation.bind(["name"], ["listavailable"])
    session = invocation.session
    names = items_of(bound.named.get("name", bound.rest[0] if bound.rest else None))
    lync = session.machine.lync
    there = {lync.module} if lync and lync.cmdlets else set()
    if names == [None] and bound.flag("listavailable"):
        raise NotSimulated("Get-Module -ListAvailable without -Name")
    found = there if bound.flag("listavailable") else there & session.modules
    for name in names:
        for module in sorted(found):
            if name is None or to_text(name).lower() == module.lower():
                invocation.sink.emit(PSObject("System.Management.Automation.PSModuleInfo", {"Name": module}, module))


@command("Import-Module")
def _import_module(invocation: Invocation) -> None:
    bound = invocation.bind(["name"], ["passthru", "force", "disablenamechecking"])
    lync = invocation.session.machine.lync
    names = items_of(bound.named.get("name", bound.rest[0] if bound.rest else invocation.input))
    for name in names:
        text = to_text(name)
        if lync and lync.cmdlets and text.lower() == lync.module.lower():
            load_module(lync.module, invocation.session)
            continue
        message = (
            f"The specified module '{text}' was not loaded because no valid module file was found in any module "
            "directory."
        )
        identifier = "Modules_ModuleNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand"
        invocation.fail(message, identifier, f"ResourceUnavailable: ({text}:String) [{{0}}], FileNotFoundException")


@command("Get-Command")
def _get_command(invocation: Invocation) -> None:
    bound = invocation.bind(["name", "commandtype", "module"])
    session = invocation.session
    for name in items_of(bound.named.get("name", bound.rest[0] if bound.rest else None)):
        text = to_text(name)
        module = module_of(text, session)
        # Get-Command lists the cmdlets of modules that are not loaded from 3.0 on, without loading them.
        known = module and (module in session.modules or session.machine.powershell_release >= (3, 0))
        if known or find_tool(text, session.machine) or (module is None and find_command(text, session)):
            invocation.sink.emit(_command_info(text, invocation))
        else:
            category = f"ObjectNotFound: ({text}:String) [{{0}}], CommandNotFoundException"
            invocation.fail(
                _not_found(text, invocation),
                "CommandNotFoundException,Microsoft.PowerShell.Commands.GetCommandCommand",
                category,
            )


def _command_info(name: str, invocation: Invocation) -> PSObject:
    """A command; of the Lync cmdlets also the parameters, a dictionary without regard to case."""
    properties: dict[str, Value] = {"Name": name}
    lync = invocation.session.machine.lync
    cmdlet = next((known for known in rules.CMDLETS if known.lower() == name.lower()), None)
    if lync and cmdlet:
        own = [parameter.name for parameter in rules.parameters(cmdlet, lync.version)]
        named = {one: PSObject(_METADATA, {"Name": one}, _METADATA) for one in [*own, *COMMON_PARAMETERS]}
        properties = {"Name": cmdlet, "Parameters": named}
    return PSObject("System.Management.Automation.CommandInfo", properties, properties["Name"])


def _not_found(name: str, invocation: Invocation) -> str:
    from .native import not_recognized

    return not_recognized(invocation.session.machine, name, invocation.place).record.message


@command("Get-Variable")
def _get_variable(invocation: Invocation) -> None:
    bound = invocation.bind(["name"], ["valueonly"])
    name = bound.text("name") or to_text(bound.rest[0] if bound.rest else "")
    variables = invocation.session.variables
    if name.lower() in variables:
        value = variables[name.lower()]
        shown = PSObject("System.Management.Automation.PSVariable", {"Name": name, "Value": value}, name)
        invocation.sink.emit(value if bound.flag("valueonly") else shown)
        return
    message = f"Cannot find a variable with the name '{name}'."
    identifier = "VariableNotFound,Microsoft.PowerShell.Commands.GetVariableCommand"
    invocation.fail(message, identifier, f"ObjectNotFound: ({name}:String) [{{0}}], ItemNotFoundException")


@command("Set-StrictMode")
def _set_strict_mode(invocation: Invocation) -> None:
    bound = invocation.bind(["version"], ["off"])
    invocation.session.strict = not bound.flag("off")


@command("Invoke-Expression")
def _invoke_expression(invocation: Invocation) -> None:
    bound = invocation.bind(["command"])
    given = bound.named.get("command", bound.rest[0] if bound.rest else None)
    for text in invocation.input if given is None else [given]:
        invocation.session.machine.events.append(Event.script(to_text(text), invocation.session.user))
        invocation.interpreter.run(parse(to_text(text))[0], invocation.sink)


@command("New-Object")
def _new_object(invocation: Invocation) -> None:
    bound = invocation.bind(["typename", "argumentlist", "property"])
    rest = list(bound.rest)
    name = to_text(bound.named["typename"] if "typename" in bound.named else rest.pop(0) if rest else None)
    given = bound.named["argumentlist"] if "argumentlist" in bound.named else rest.pop(0) if rest else []
    properties = bound.named.get("property")
    if isinstance(properties, dict):
        invocation.sink.emit(PSObject("System.Management.Automation.PSCustomObject", dict(properties)))
        return
    if rest:
        raise NotSimulated(f"New-Object with the further argument {to_text(rest[0])!r}")
    arguments = items_of(given)
    try:
        invocation.sink.emit(construct(name, arguments, invocation.session))
    except TypeMissing as missing:
        raise invocation.error(
            missing.construction,
            "TypeNotFound,Microsoft.PowerShell.Commands.NewObjectCommand",
            "InvalidType: (:) [{0}], PSArgumentException",
        ) from missing
    except DotNetError as error:
        message = f'Exception calling ".ctor" with "{len(arguments)}" argument(s): "{error}"'
        identifier = "ConstructorInvokedThrowException,Microsoft.PowerShell.Commands.NewObjectCommand"
        raise invocation.error(
            message, identifier, "InvalidOperation: (:) [{0}], MethodInvocationException", inner=str(error)
        ) from error
