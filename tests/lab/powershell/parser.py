# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statements, pipelines and commands of a script (Windows PowerShell Language Specification 3.0, chapter 8)."""

from __future__ import annotations

import re

from .errors import NotSimulated, SyntaxFault
from .expressions import ExpressionParser
from .nodes import (
    Assignment,
    Block,
    Command,
    Expandable,
    Expression,
    ExpressionElement,
    ForEach,
    If,
    Leave,
    Literal,
    Parameter,
    Pipeline,
    Redirection,
    Statement,
    Try,
)
from .scanner import DASHES, DOUBLE_QUOTES, SINGLE_QUOTES

_KEYWORD = re.compile(r"([A-Za-z]+)(?=[\s({;]|$)")
_KNOWN_KEYWORDS = {"if", "foreach", "try", "exit", "throw", "return", "break", "continue"}
_FOREIGN_KEYWORDS = {
    *("begin", "process", "end", "function", "filter", "param", "while", "do", "for", "switch", "trap", "data"),
    *("class", "enum", "using", "workflow", "dynamicparam", "parallel", "sequence", "inlinescript"),
}
_REDIRECTION = re.compile(r"([1-6*]?)(>>?)(?:(&1)|[ \t]*(\$null\b|[^\s;|)}]+))", re.I)
_PARAMETER = re.compile(rf"[{DASHES}]([A-Za-z?][\w?-]*)(:?)")
_ASSIGN = re.compile(r"([+\-*/%]?=)(?!=)")
_WORD_END = " \t\r\n;|(){},&"


def parse(text: str) -> tuple[Block, Parser]:
    """The tree of a script, and the parser, which knows the places in it.

    Raises:
        SyntaxFault: PowerShell would refuse the script.
        NotSimulated: the script uses a statement that the lab does not know.

    """
    parser = Parser(text)
    block = parser.block("")
    if parser.at < len(text):
        raise SyntaxFault(f"Unexpected token '{parser.peek()}' in expression or statement.", parser.at)
    return block, parser


class Parser(ExpressionParser):
    """The recursive descent over statements."""

    def block(self, end: str) -> Block:
        """Statements up to ``end``, which is passed; up to the end of the text if it is empty."""
        statements: list[Statement] = []
        while True:
            self.blanks(lines=True)
            while self.accept(";"):
                self.blanks(lines=True)
            if end and self.accept(end):
                return Block(tuple(statements))
            if not self.peek():
                if end:
                    raise SyntaxFault(f"Missing closing '{end}' in statement block.", self.at)
                return Block(tuple(statements))
            if not end and self.peek() in ")}":
                return Block(tuple(statements))
            statements.append(self.statement())

    def statement(self) -> Statement:
        """One statement."""
        self.blanks(lines=True)
        keyword = _KEYWORD.match(self.text, self.at)
        word = keyword.group(1).lower() if keyword else ""
        if word in _FOREIGN_KEYWORDS:
            raise NotSimulated(f"the statement '{word}'")
        if keyword is None or word not in _KNOWN_KEYWORDS:
            return self._pipeline_or_assignment()
        position = self.at
        self.at = keyword.end()
        if word == "if":
            return self._if()
        if word == "foreach":
            return self._foreach()
        if word == "try":
            return self._try()
        self.blanks()
        value = None if self._at_end() or word in ("break", "continue") else self.pipeline()
        return Leave(word, value, position)

    def _at_end(self) -> bool:
        return not self.peek() or self.peek() in "\r\n;})|"

    def _braces(self) -> Block:
        self.blanks(lines=True)
        self.expect("{")
        return self.block("}")

    def _next_keyword(self, *words: str) -> str | None:
        """Pass over one of the words if it comes next, line ends aside."""
        start = self.at
        self.blanks(lines=True)
        found = _KEYWORD.match(self.text, self.at)
        if found and found.group(1).lower() in words:
            self.at = found.end()
            return found.group(1).lower()
        self.at = start
        return None

    def _if(self) -> If:
        clauses = []
        otherwise = None
        word: str | None = "if"
        while word:
            if word == "else":
                otherwise = self._braces()
                break
            self.blanks(lines=True)
            self.expect("(")
            condition = self.pipeline()
            self.blanks(lines=True)
            self.expect(")")
            clauses.append((condition, self._braces()))
            word = self._next_keyword("elseif", "else")
        return If(tuple(clauses), otherwise)

    def _foreach(self) -> ForEach:
        self.blanks()
        self.expect("(")
        self.blanks(lines=True)
        name = self.variable()
        if name is None or self._next_keyword("in") is None:
            raise SyntaxFault("Missing variable name after foreach.", self.at)
        items = self.pipeline()
        self.blanks(lines=True)
        self.expect(")")
        return ForEach(name, items, self._braces())

    def _try(self) -> Try:
        body = self._braces()
        handler = cleanup = None
        if self._next_keyword("catch"):
            self.blanks(lines=True)
            if self.peek() == "[":
                raise NotSimulated("catch with an exception type")
            handler = self._braces()
        if self._next_keyword("finally"):
            cleanup = self._braces()
        if handler is None and cleanup is None:
            raise SyntaxFault("The Try statement is missing its Catch or Finally block.", self.at)
        return Try(body, handler, cleanup)

    def _pipeline_or_assignment(self) -> Statement:
        position = self.at
        first = self._element()
        self.blanks()
        if isinstance(first, ExpressionElement) and not first.redirections:
            operator = self.match(_ASSIGN)
            if operator:
                self.blanks(lines=True)
                return Assignment(first.expression, operator.group(1), self.statement(), position)
        return self._further(first, position)

    def pipeline(self) -> Statement:
        """A pipeline or an assignment within parentheses."""
        self.blanks(lines=True)
        return self._pipeline_or_assignment()

    def _further(self, first: Command | ExpressionElement, position: int) -> Pipeline:
        elements = [first]
        self.blanks()
        while self.peek() == "|" and self.peek(2) != "||":
            self.at += 1
            self.blanks(lines=True)
            elements.append(self._element())
            self.blanks()
        if self.peek() == "&" or self.peek(2) == "||":
            raise SyntaxFault(
                f"The token '{self.peek(2)}' is not a valid statement separator in this version.", self.at
            )
        return Pipeline(tuple(elements), position)

    def _element(self) -> Command | ExpressionElement:
        position = self.at
        if self.peek() in ("&", ".") and self.text[self.at + 1 : self.at + 2] in (" ", "\t", "$", "(", "{", *QUOTES):
            self.at += 1
            self.blanks()
            return self._command(self._argument(), position)
        if self.starts_expression():
            expression = self.expression()
            return ExpressionElement(expression, self._redirections(), position)
        return self._command(self._word(), position)

    def _redirections(self) -> tuple[Redirection, ...]:
        found = []
        self.blanks()
        while redirection := self._redirection():
            found.append(redirection)
            self.blanks()
        return tuple(found)

    def _redirection(self) -> Redirection | None:
        match = self.match(_REDIRECTION)
        if not match:
            return None
        stream, _between, merge, target = match.groups()
        if merge:
            if stream not in ("2", "*"):
                raise NotSimulated(f"the redirection {match.group()!r}")
            return Redirection(stream, "&1")
        if target.lower() != "$null":
            raise NotSimulated("redirection to a file")
        return Redirection(stream or "1", "null")

    def _command(self, name: Expression, position: int) -> Command:
        arguments: list[Expression | Parameter] = []
        redirections: list[Redirection] = []
        while True:
            self.blanks()
            if self._at_end() or (self.peek() == "&" and self.peek(2) != "&1"):
                return Command(name, tuple(arguments), tuple(redirections), position)
            redirection = self._redirection()
            if redirection:
                redirections.append(redirection)
            else:
                arguments.append(self._command_argument())

    def _command_argument(self) -> Expression | Parameter:
        start = self.at
        if self.peek(3) == "--%":
            raise NotSimulated("the stop-parsing token --%")
        parameter = self.match(_PARAMETER)
        if parameter and (self._at_end() or self.peek() in " \t," or parameter.group(2)):
            text = self.text[start : self.at]
            if not parameter.group(2):
                return Parameter(text, parameter.group(1), None)
            self.blanks()
            return Parameter(text, parameter.group(1), self._list())
        self.at = start
        return self._list()

    def _list(self) -> Expression:
        """An argument, or several with commas between them."""
        items = [self._argument()]
        while True:
            start = self.at
            self.blanks()
            if not self.accept(","):
                self.at = start
                break
            self.blanks(lines=True)
            items.append(self._argument())
        return items[0] if len(items) == 1 else self.array(items)

    def _argument(self) -> Expression:
        character = self.peek()
        if character == "$" or character in ("(", "{") or self.peek(2) in ("@(", "@{"):
            start = self.at
            value = self.postfix()
            if self._at_end() or self.peek() in " \t,&>":
                return value
            self.at = start
        elif character in QUOTES or self.peek(2) in ("@'", '@"'):
            start = self.at
            return self.postfix()
        return self._word()

    def _word(self) -> Expression:
        """A word without quotes: a literal, or an expandable string if variables stand in it."""
        parts: list[str | Expression] = []
        start = self.at
        while self.peek() and self.peek() not in _WORD_END:
            character = self.peek()
            if character == "`":
                self.at += 1
                parts.append(self.escaped())
            elif character in SINGLE_QUOTES:
                parts.append(self.single_quoted())
            elif character in DOUBLE_QUOTES:
                inner = self.double_quoted()
                parts.extend(inner.parts if isinstance(inner, Expandable) else [str(inner.value)])
            elif character == "$":
                parts.append(self.dollar() or "$")
                if parts[-1] == "$":
                    self.at += 1
            else:
                self.at += 1
                parts.append(character)
        if self.at == start:
            raise SyntaxFault(f"Unexpected token '{self.peek()}' in expression or statement.", self.at)
        if all(isinstance(part, str) for part in parts):
            word = "".join(str(part) for part in parts)
            return Literal(int(word) if re.fullmatch(r"-?\d{1,10}", self.text[start : self.at]) else word, bare=True)
        return Expandable(tuple(parts))


QUOTES = (*SINGLE_QUOTES, *DOUBLE_QUOTES)
