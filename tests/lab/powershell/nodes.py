# SPDX-FileCopyrightText: winpki.keyprovider contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax tree of a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Literal:
    value: object
    bare: bool = False
    """True for a word without quotes."""


@dataclass(frozen=True)
class Expandable:
    """A string with variables and subexpressions in it."""

    parts: Sequence[str | Expression]


@dataclass(frozen=True)
class Variable:
    name: str
    """In lower case; ``env:name`` for the environment."""


@dataclass(frozen=True)
class Unary:
    operator: str
    operand: Expression


@dataclass(frozen=True)
class Binary:
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class ArrayLiteral:
    items: Sequence[Expression]


@dataclass(frozen=True)
class ArrayExpression:
    body: Block


@dataclass(frozen=True)
class SubExpression:
    body: Block


@dataclass(frozen=True)
class Parenthesis:
    statement: Statement


@dataclass(frozen=True)
class HashLiteral:
    pairs: Sequence[tuple[Expression, Statement]]


@dataclass(frozen=True)
class ScriptBlock:
    body: Block


@dataclass(frozen=True)
class TypeName:
    name: str


@dataclass(frozen=True)
class Cast:
    type_name: str
    operand: Expression


@dataclass(frozen=True)
class Index:
    target: Expression
    index: Expression


@dataclass(frozen=True)
class Member:
    target: Expression
    name: str
    static: bool


@dataclass(frozen=True)
class MethodCall:
    target: Expression
    name: str
    arguments: Sequence[Expression]
    static: bool


Expression = (
    Literal
    | Expandable
    | Variable
    | Unary
    | Binary
    | ArrayLiteral
    | ArrayExpression
    | SubExpression
    | Parenthesis
    | HashLiteral
    | ScriptBlock
    | TypeName
    | Cast
    | Index
    | Member
    | MethodCall
)


@dataclass(frozen=True)
class Parameter:
    """``-Name`` or ``-Name:value`` among a command's arguments, as typed."""

    text: str
    name: str
    value: Expression | None


@dataclass(frozen=True)
class Redirection:
    stream: str
    """``1``, ``2`` or ``*``."""
    target: str
    """``null`` or ``&1``."""


@dataclass(frozen=True)
class Command:
    name: Expression
    arguments: Sequence[Expression | Parameter]
    redirections: Sequence[Redirection]
    position: int


@dataclass(frozen=True)
class ExpressionElement:
    """An expression as an element of a pipeline."""

    expression: Expression
    redirections: Sequence[Redirection]
    position: int


@dataclass(frozen=True)
class Pipeline:
    elements: Sequence[Command | ExpressionElement]
    position: int


@dataclass(frozen=True)
class Assignment:
    target: Expression
    operator: str
    value: Statement
    position: int


@dataclass(frozen=True)
class If:
    clauses: Sequence[tuple[Statement, Block]]
    otherwise: Block | None


@dataclass(frozen=True)
class ForEach:
    variable: str
    items: Statement
    body: Block


@dataclass(frozen=True)
class Try:
    body: Block
    handler: Block | None
    cleanup: Block | None


@dataclass(frozen=True)
class Leave:
    """``exit``, ``throw``, ``return``, ``break`` or ``continue``."""

    kind: str
    value: Statement | None
    position: int


Statement = Pipeline | Assignment | If | ForEach | Try | Leave


@dataclass(frozen=True)
class Block:
    statements: Sequence[Statement]
