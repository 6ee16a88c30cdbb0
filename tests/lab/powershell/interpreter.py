# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a script: statements, pipelines and expressions."""

from __future__ import annotations

from collections.abc import Sequence

from ..host.files import FileFault
from . import members, native, operators, statics
from .commands import COMMANDS, Invocation, find_command
from .errors import (
    Break,
    Continue,
    DotNetError,
    ErrorRecord,
    Exit,
    NotSimulated,
    PSError,
    Return,
    Thrown,
    invocation_error,
)
from .nodes import (
    ArrayExpression,
    ArrayLiteral,
    Assignment,
    Binary,
    Block,
    Cast,
    Command,
    Expandable,
    Expression,
    ExpressionElement,
    ForEach,
    HashLiteral,
    If,
    Index,
    Leave,
    Literal,
    Member,
    MethodCall,
    Parameter,
    Parenthesis,
    Pipeline,
    Redirection,
    ScriptBlock,
    Statement,
    SubExpression,
    Try,
    TypeName,
    Unary,
    Variable,
)
from .scanner import Scanner
from .session import Collector, Nowhere, Session, Sink
from .values import PSObject, Script, TypeReference, Value, collapse, items_of, to_integer, to_text, truth

_UNSET = object()


class Interpreter:
    """One script in one session."""

    def __init__(self, session: Session, source: Scanner) -> None:
        self.session = session
        self._source = source

    def run(self, block: Block, sink: Sink) -> None:
        """Run the statements of a block.

        A terminating error of a statement ends that statement only, unless a ``try`` stands around it or the
        preference is Stop (about_Try_Catch_Finally, about_Preference_Variables).
        """
        for statement in block.statements:
            try:
                self.statement(statement, sink)
            except PSError as error:
                if self.session.trying or self.session.preference == "stop" or isinstance(error, Thrown):
                    raise
                self.session.succeeded = False
                if self.session.preference not in ("silentlycontinue", "ignore"):
                    self.session.show(error.record)

    def statement(self, statement: Statement, sink: Sink) -> None:
        """Run one statement."""
        if isinstance(statement, Pipeline):
            self._pipeline(statement, sink)
        elif isinstance(statement, Assignment):
            self._assign(statement)
        elif isinstance(statement, If):
            self._if(statement, sink)
        elif isinstance(statement, ForEach):
            self._foreach(statement, sink)
        elif isinstance(statement, Try):
            self._try(statement, sink)
        else:
            self._leave(statement, sink)

    def _if(self, statement: If, sink: Sink) -> None:
        for condition, body in statement.clauses:
            if truth(self._value(condition)):
                return self.run(body, sink)
        if statement.otherwise:
            self.run(statement.otherwise, sink)
        return None

    def _foreach(self, statement: ForEach, sink: Sink) -> None:
        items = self._value(statement.items)
        if items is None and self.session.machine.powershell_release >= (3, 0):
            return
        for item in items_of(items):
            self.session.variables[statement.variable] = item
            try:
                self.run(statement.body, sink)
            except Continue:
                continue
            except Break:
                break

    def _try(self, statement: Try, sink: Sink) -> None:
        try:
            self.session.trying += 1
            try:
                self.run(statement.body, sink)
            finally:
                self.session.trying -= 1
        except PSError as error:
            if statement.handler is None:
                raise
            outer = self.session.variables.get("_")
            self.session.variables["_"] = error.record
            self.session.succeeded = False
            self.run(statement.handler, sink)
            self.session.variables["_"] = outer
        finally:
            if statement.cleanup:
                self.run(statement.cleanup, sink)

    def _leave(self, statement: Leave, sink: Sink) -> None:
        if statement.kind == "exit":
            code = self._value(statement.value) if statement.value else 0
            raise Exit(to_integer(code))
        if statement.kind == "throw":
            value = self._value(statement.value) if statement.value else "ScriptHalted"
            if isinstance(value, ErrorRecord):
                raise Thrown(value)
            text = to_text(value)
            category = f"OperationStopped: ({text}:String) [], RuntimeException"
            raise Thrown(ErrorRecord(text, "", text, category, self._source.position(statement.position)))
        if statement.kind == "return":
            if statement.value:
                self.statement(statement.value, sink)
            raise Return
        raise Break if statement.kind == "break" else Continue

    def _collect(self, statement: Statement) -> list[Value]:
        collector = Collector(self.session.encoding)
        self.statement(statement, collector)
        return collector.items

    def _value(self, statement: Statement) -> Value:
        """The value of a statement. An expression keeps an empty or one-element array, a command does not."""
        if isinstance(statement, Pipeline) and len(statement.elements) == 1:
            element = statement.elements[0]
            if isinstance(element, ExpressionElement) and not element.redirections:
                value = self.evaluate(element.expression)
                self.session.succeeded = True
                return value
        return collapse(self._collect(statement))

    def _assign(self, statement: Assignment) -> None:
        value = self._value(statement.value)
        target = statement.target
        if isinstance(target, Member) and target.static and statement.operator == "=":
            reference = self.evaluate(target.target)
            if isinstance(reference, TypeReference):
                return statics.assign(reference, target.name, value, self.session)
        if isinstance(target, Cast) and isinstance(target.operand, Variable):
            value, target = members.cast(target.type_name, value, self.session), target.operand
        if not isinstance(target, Variable) or target.name.startswith("env:"):
            raise NotSimulated("an assignment to something other than a variable")
        if statement.operator != "=":
            before = self.evaluate(target)
            value = self._operate(statement.operator[0], before, value)
        self.session.variables[target.name] = value
        return None

    def _pipeline(self, pipeline: Pipeline, sink: Sink) -> None:
        values: list[Value] | None = None
        last = len(pipeline.elements) - 1
        for number, element in enumerate(pipeline.elements):
            target: Sink = sink if number == last else Collector(self.session.encoding)
            if isinstance(element, ExpressionElement):
                if number:
                    raise NotSimulated("an expression that is not first in its pipeline")
                result = self.evaluate(element.expression)
                self.session.succeeded = True
                if not any(item.target == "null" and item.stream in "1*" for item in element.redirections):
                    for item in items_of(result) if result is not None else []:
                        target.emit(item)
            else:
                self.session.succeeded = True
                self._command(element, values, target)
            values = target.items if isinstance(target, Collector) and number != last else None

    def _command(self, command: Command, values: list[Value] | None, sink: Sink) -> None:
        streams = {redirection.stream: redirection for redirection in command.redirections}
        if "*" in streams and self.session.machine.powershell_release < (3, 0):
            raise PSError(ErrorRecord("Unexpected token '*' in expression or statement."))
        everything = streams.get("*")
        out = Nowhere() if _drops(streams.get("1")) or _drops(everything) else sink
        errors = streams.get("2") or everything
        name = self.evaluate(command.name)
        place = self._source.position(command.position)
        if errors:
            self.session.error_targets.append(out if errors.target == "&1" else Nowhere())
        try:
            self._invoke(name, command.arguments, native.Context(values, out, place, errors is not None))
        finally:
            if errors:
                self.session.error_targets.pop()

    def _invoke(self, name: Value, arguments: Sequence[Expression | Parameter], context: native.Context) -> None:
        if isinstance(name, Script):
            return self.script(name, context.sink, context.values)
        text = to_text(name)
        evaluated = [self._argument(argument) for argument in arguments]
        found = find_command(text, self.session)
        if found:
            invocation = Invocation(found, self, evaluated, context.values, context.sink, context.place)
            try:
                return COMMANDS[found.lower()](invocation)
            except PSError as error:
                invocation.keep(error.record)
                raise
        return native.run(self.session, text, evaluated, context)

    def _argument(self, argument: Expression | Parameter) -> native.Argument:
        if isinstance(argument, Parameter):
            value = _UNSET if argument.value is None else self.evaluate(argument.value)
            return native.Argument(
                argument.text, argument.name, None if value is _UNSET else value, value is not _UNSET
            )
        return native.Argument(None, None, self.evaluate(argument), True)

    def script(self, script: Script, sink: Sink, values: list[Value] | None = None, item: Value = _UNSET) -> None:
        """Run a script block with a ``$input`` of its own, or with ``$_``."""
        before = self.session.variables.get("_", _UNSET)
        if item is _UNSET:
            self.session.inputs.append(values or [])
        else:
            self.session.variables["_"] = item
        try:
            self.run(script.body, sink)
        except Return:
            pass
        finally:
            if item is _UNSET:
                self.session.inputs.pop()
            elif before is _UNSET:
                self.session.variables.pop("_", None)
            else:
                self.session.variables["_"] = before

    def evaluate(self, node: Expression) -> Value:
        """The value of an expression."""
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Expandable):
            return "".join(part if isinstance(part, str) else to_text(self.evaluate(part)) for part in node.parts)
        if isinstance(node, Variable):
            return self._variable(node.name)
        if isinstance(node, Parenthesis):
            return self._value(node.statement)
        if isinstance(node, SubExpression | ArrayExpression):
            collector = Collector(self.session.encoding)
            self.run(node.body, collector)
            return collector.items if isinstance(node, ArrayExpression) else collapse(collector.items)
        if isinstance(node, ArrayLiteral):
            return [self.evaluate(item) for item in node.items]
        if isinstance(node, HashLiteral):
            return {to_text(self.evaluate(key)): self._value(value) for key, value in node.pairs}
        if isinstance(node, ScriptBlock):
            return Script(node.body)
        if isinstance(node, TypeName):
            return TypeReference(node.name)
        if isinstance(node, Cast):
            return members.cast(node.type_name, self.evaluate(node.operand), self.session)
        if isinstance(node, Unary):
            return self._unary(node)
        if isinstance(node, Binary):
            return self._binary(node)
        if isinstance(node, Index):
            return _index(self.evaluate(node.target), self.evaluate(node.index))
        return self._reach(node)

    def _reach(self, node: Member | MethodCall) -> Value:
        target = self.evaluate(node.target)
        if node.static and not isinstance(target, TypeReference):
            raise NotSimulated("a static member of an object")
        if isinstance(node, MethodCall):
            arguments = [self.evaluate(argument) for argument in node.arguments]
            try:
                if isinstance(target, TypeReference):
                    return statics.call(target, node.name, arguments, self.session)
                return members.call(target, node.name, arguments, self.session)
            except (DotNetError, FileFault) as fault:
                release = self.session.machine.powershell_release
                raise invocation_error(node.name, len(arguments), fault.exception, str(fault), release) from fault
        if isinstance(target, TypeReference):
            return statics.property_of(target, node.name, self.session)
        return members.property_of(target, node.name, self.session)

    def _unary(self, node: Unary) -> Value:
        value = self.evaluate(node.operand)
        if node.operator == "not":
            return not truth(value)
        if node.operator == "-":
            return -to_integer(value)
        if node.operator == "join":
            return "".join(to_text(item) for item in items_of(value))
        return to_text(value).split()

    def _binary(self, node: Binary) -> Value:
        if node.operator in ("and", "or", "xor"):
            left = truth(self.evaluate(node.left))
            if node.operator == "and" and not left:
                return False
            if node.operator == "or" and left:
                return True
            right = truth(self.evaluate(node.right))
            return left != right if node.operator == "xor" else right
        return self._operate(node.operator, self.evaluate(node.left), self.evaluate(node.right))

    def _operate(self, operator: str, left: Value, right: Value) -> Value:
        machine = self.session.machine
        return operators.apply(operator, left, right, machine.language, machine.powershell_release)

    def _variable(self, name: str) -> Value:
        session = self.session
        known = {"null": None, "true": True, "false": False, "?": session.succeeded}
        if name in known:
            return known[name]
        if name in session.variables:
            return session.variables[name]
        if name == "input":
            return session.read_input()
        if name.startswith("env:"):
            return native.environment(session.machine, session.user).get(name[4:])
        if name == "psversiontable":
            return {"PSVersion": members.version(session.machine.powershell)}
        if name in ("erroractionpreference", "progresspreference", "warningpreference"):
            return "Continue"
        if session.strict:
            message = f"The variable '${name}' cannot be retrieved because it has not been set."
            raise PSError(ErrorRecord(message, error_id="VariableIsUndefined"))
        return None


def _drops(redirection: Redirection | None) -> bool:
    return redirection is not None and redirection.target == "null"


def _index(target: Value, index: Value) -> Value:
    if isinstance(target, dict):
        return next((value for key, value in target.items() if key.lower() == to_text(index).lower()), None)
    if isinstance(target, list | str | bytes):
        if isinstance(index, list):
            return [_index(target, one) for one in index]
        place = to_integer(index)
        return target[place] if -len(target) <= place < len(target) else None
    if target is None:
        message = "Cannot index into a null array."
        raise PSError(ErrorRecord(message, error_id="NullArray"))
    if isinstance(target, PSObject | int | bool):
        return target if to_integer(index) == 0 else None
    raise NotSimulated(f"an index into {to_text(target)!r}")
