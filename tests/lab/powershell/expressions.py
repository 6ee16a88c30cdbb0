# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions of a script, by falling precedence (about_Operator_Precedence)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .errors import NotSimulated, SyntaxFault
from .nodes import (
    ArrayExpression,
    ArrayLiteral,
    Binary,
    Block,
    Cast,
    Expandable,
    Expression,
    HashLiteral,
    Index,
    Literal,
    Member,
    MethodCall,
    Parenthesis,
    ScriptBlock,
    SubExpression,
    TypeName,
    Unary,
    Variable,
)
from .scanner import DASHES, DOUBLE_QUOTES, SINGLE_QUOTES, Scanner

if TYPE_CHECKING:
    from .nodes import Statement

_LOGICAL = ("and", "or", "xor")
_COMPARISON = (
    *("eq", "ne", "gt", "ge", "lt", "le", "like", "notlike", "match", "notmatch", "contains", "notcontains"),
    *("in", "notin", "replace", "split", "join", "is", "isnot", "as"),
)
_OPERATOR = re.compile(rf"[{DASHES}]([a-z]+)(?=[\s('\"$@\[\u2018-\u201e-]|$)", re.I)
_TYPE = re.compile(r"\[([A-Za-z_][\w.]*(?:\[\])?)\]")
_NAME = re.compile(r"\w+")
_HASH_KEY = re.compile(r"\w+")


class ExpressionParser(Scanner):
    """The recursive descent over expressions; a subclass knows statements."""

    _commas = True

    def block(self, end: str) -> Block:
        """Statements up to ``end``."""
        raise NotImplementedError

    def pipeline(self) -> Statement:
        """A pipeline."""
        raise NotImplementedError

    def statement(self) -> Statement:
        """A statement."""
        raise NotImplementedError

    def starts_expression(self) -> bool:
        """Whether an expression, and no command, begins here."""
        character = self.peek()
        if character and (character in "$({[," or character in SINGLE_QUOTES or character in DOUBLE_QUOTES):
            return True
        if self.peek(2) in ("@(", "@{", "@'", '@"') or character == "!":
            return True
        if character and character in DASHES:
            return bool(re.compile(rf"[{DASHES}](not|join|split|\d|\$|\()", re.I).match(self.text, self.at))
        return bool(re.compile(r"(0x[0-9a-f]+|\d+(\.\d+)?)(?![\w\\/:-]|\.\w)", re.I).match(self.text, self.at))

    def expression(self, *, commas: bool = True) -> Expression:
        """An expression of any precedence; ``commas`` is false where they divide arguments and build no array."""
        outside, self._commas = self._commas, commas
        found = self._binary(_LOGICAL, self._comparison)
        self._commas = outside
        return found

    def array(self, items: Sequence[Expression]) -> ArrayLiteral:
        """An array of the items."""
        return ArrayLiteral(tuple(items))

    def _dash_operator(self, names: Sequence[str]) -> str | None:
        start = self.at
        self.blanks()
        found = self.match(_OPERATOR)
        if found:
            word = found.group(1).lower()
            for candidate in (word, word[1:] if word[0] in "ci" else ""):
                if candidate in names and (candidate == word or candidate in _COMPARISON):
                    self.blanks(lines=True)
                    return ("c" if word[0] == "c" and candidate != word else "") + candidate
        self.at = start
        return None

    def _symbol_operator(self, symbols: str) -> str | None:
        start = self.at
        self.blanks()
        character = self.peek()
        following = self.text[self.at + 1 : self.at + 2]
        if character and character in symbols and following != "=" and not (character == "-" and following.isalpha()):
            self.at += 1
            self.blanks(lines=True)
            return character
        self.at = start
        return None

    def _binary(self, names: Sequence[str], parse: Callable[[], Expression]) -> Expression:
        left = parse()
        while operator := self._dash_operator(names):
            left = Binary(operator, left, parse())
        return left

    def _comparison(self) -> Expression:
        return self._binary(_COMPARISON, self._additive)

    def _additive(self) -> Expression:
        left = self._multiplicative()
        while operator := self._symbol_operator("+-"):
            left = Binary(operator, left, self._multiplicative())
        return left

    def _multiplicative(self) -> Expression:
        left = self._format()
        while operator := self._symbol_operator("*/%"):
            left = Binary(operator, left, self._format())
        return left

    def _format(self) -> Expression:
        return self._binary(("f",), self._range)

    def _range(self) -> Expression:
        left = self._unary()
        start = self.at
        self.blanks()
        if self.peek(2) == "..":
            self.at += 2
            self.blanks()
            return Binary("..", left, self._unary())
        self.at = start
        return left

    def _unary(self) -> Expression:
        self.blanks()
        if self.accept("!"):
            return Unary("not", self._unary())
        operator = self._dash_operator(("not", "join", "split", "bnot"))
        if operator == "bnot":
            raise NotSimulated("-bnot")
        if operator:
            return Unary(operator, self._unary())
        if self.peek() == "-" and self.text[self.at + 1 : self.at + 2] not in ("", " "):
            self.at += 1
            return Unary("-", self._unary())
        return self._comma()

    def _comma(self) -> Expression:
        if self._commas and self.accept(","):
            self.blanks(lines=True)
            return self.array([self._cast()])
        items = [self._cast()]
        while self._commas:
            start = self.at
            self.blanks()
            if not self.accept(","):
                self.at = start
                break
            self.blanks(lines=True)
            items.append(self._cast())
        return items[0] if len(items) == 1 else self.array(items)

    def _cast(self) -> Expression:
        start = self.at
        found = self.match(_TYPE)
        if found:
            place = self.at
            self.blanks()
            if self.peek() and (self.peek() in "$('\"@[" or self.peek().isdigit() or self.peek() in DOUBLE_QUOTES):
                return Cast(found.group(1).lower(), self._cast())
            self.at = place
        self.at = start
        return self.postfix()

    def postfix(self) -> Expression:
        """A primary expression with its members, indexes and method calls."""
        value = self._primary()
        while True:
            if self.peek(2) == "::":
                self.at += 2
                value = self._member(value, static=True)
            elif self.peek() == "." and re.match(r"\w", self.text[self.at + 1 : self.at + 2] or " "):
                self.at += 1
                value = self._member(value, static=False)
            elif self.peek() == "[" and not isinstance(value, Literal):
                self.at += 1
                self.blanks(lines=True)
                index = self.expression()
                self.blanks(lines=True)
                self.expect("]")
                value = Index(value, index)
            elif self.peek(2) in ("++", "--"):
                raise NotSimulated("the operators ++ and --")
            else:
                return value

    def _member(self, target: Expression, *, static: bool) -> Expression:
        found = self.match(_NAME)
        if not found:
            raise SyntaxFault("Missing property name after reference operator.", self.at)
        if not self.accept("("):
            return Member(target, found.group(), static)
        arguments: list[Expression] = []
        self.blanks(lines=True)
        if not self.accept(")"):
            # Each argument is a whole expression (Windows PowerShell Language Specification 3.0, argument-expression).
            arguments.append(self.expression(commas=False))
            self.blanks(lines=True)
            while self.accept(","):
                self.blanks(lines=True)
                arguments.append(self.expression(commas=False))
                self.blanks(lines=True)
            self.expect(")")
        return MethodCall(target, found.group(), tuple(arguments), static)

    def _primary(self) -> Expression:
        character = self.peek()
        if character == "$":
            found = self.dollar()
            if found is None:
                raise SyntaxFault("Unexpected token '$' in expression or statement.", self.at)
            return found
        here = self.here_string()
        if here is not None:
            return Literal(here)
        if self.peek(2) == '@"':
            raise NotSimulated("expandable here-strings")
        if character and character in SINGLE_QUOTES:
            return Literal(self.single_quoted())
        if character and character in DOUBLE_QUOTES:
            return self.double_quoted()
        if self.accept("@("):
            return ArrayExpression(self.block(")"))
        if self.accept("@{"):
            return self._hash()
        if self.accept("("):
            statement = self.pipeline()
            self.blanks(lines=True)
            self.expect(")")
            return Parenthesis(statement)
        if self.accept("{"):
            return ScriptBlock(self.block("}"))
        type_name = self.match(_TYPE)
        if type_name:
            return TypeName(type_name.group(1).lower())
        number = self.number()
        if number is None:
            raise SyntaxFault(f"Unexpected token '{self.peek()}' in expression or statement.", self.at)
        return Literal(number)

    def dollar(self) -> Expression | None:
        """A subexpression or a variable; None if the dollar sign begins neither."""
        if self.accept("$("):
            return SubExpression(self.block(")"))
        name = self.variable()
        return None if name is None else Variable(name)

    def double_quoted(self) -> Literal | Expandable:
        """A double-quoted string."""
        start = self.at
        self.at += 1
        parts: list[str | Expression] = []
        text = ""
        while self.at < len(self.text):
            character = self.peek()
            if character in DOUBLE_QUOTES:
                self.at += 1
                if not (self.peek() and self.peek() in DOUBLE_QUOTES):
                    return Expandable((*parts, text)) if parts else Literal(text)
                text += self.peek()
                self.at += 1
            elif character == "`":
                self.at += 1
                text += self.escaped()
            elif character == "$" and (found := self.dollar()) is not None:
                parts += [text, found]
                text = ""
            else:
                text += character
                self.at += 1
        raise SyntaxFault('The string is missing the terminator: ".', start)

    def _hash(self) -> HashLiteral:
        pairs: list[tuple[Expression, Statement]] = []
        while True:
            self.blanks(lines=True)
            while self.accept(";"):
                self.blanks(lines=True)
            if self.accept("}"):
                return HashLiteral(tuple(pairs))
            word = self.match(_HASH_KEY)
            key: Expression = Literal(word.group()) if word else self.postfix()
            self.blanks()
            self.expect("=")
            self.blanks(lines=True)
            pairs.append((key, self.statement()))
