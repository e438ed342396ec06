"""The syntax tree: what a program says, before anyone asks what it means.

Sums, products and bounds are flat, so that a sum of 50,000 terms is one node; parentheses, signs
and powers may nest as deep as the text does, and nothing may recurse over them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

from tcalc.errors import Span
from tcalc.records import dataclass


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Bound:
    """An integer known before anything runs: a sum of terms ``coefficient * name * name``.

    The name ``end`` is the size of the axis where the bound stands.
    """

    terms: tuple[tuple[int, tuple[str, ...]], ...]
    span: Span

    @property
    def name(self) -> str | None:
        """The name that it is, where it is nothing but a name."""
        match self.terms:
            case ((1, (name,)),):
                return name
        return None


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Range:
    """``start:stop`` in an index position, both ends included."""

    start: Bound
    stop: Bound
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Gathered:
    """Positions that are data, as ``g[i]`` in ``X[g[i],k]``."""

    at: Expression
    span: Span


Position: TypeAlias = Bound | Range | Gathered


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Number:
    value: Fraction
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Text:
    """A quoted text, which only einsum takes."""

    value: str
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Name:
    """A name, with the bounds in its braces: ``m{t+1}``."""

    name: str
    steps: tuple[Bound, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Paren:
    inner: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sum:
    """Terms with their signs, 1 or -1."""

    terms: tuple[tuple[int, Expression], ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Product:
    """The first factor, then operators and factors, read from the left."""

    first: Expression
    rest: tuple[tuple[str, Expression], ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Sign:
    sign: int
    operand: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Power:
    base: Expression
    exponent: Expression
    elementwise: bool
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Transpose:
    operand: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Index:
    base: Expression
    positions: tuple[Position, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Call:
    """``function[indices](arguments)``; `indices` is None where there are no brackets."""

    function: str
    indices: tuple[Position, ...] | None
    arguments: tuple[Expression, ...]
    name_span: Span
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison:
    operator: str
    left: Expression
    right: Expression
    span: Span


Expression: TypeAlias = (
    Number
    | Text
    | Name
    | Paren
    | Sum
    | Product
    | Sign
    | Power
    | Transpose
    | Index
    | Call
    | Comparison
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Declared:
    """One declared variable; its dimensions are made of names and integers."""

    name: str
    dims: tuple[Bound, ...]
    properties: tuple[tuple[str, Span], ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Declaration:
    items: tuple[Declared, ...]
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Target:
    """What stands on the left of ``=``; `indices` is None where there are no brackets."""

    name: Name
    indices: tuple[Position, ...] | None
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Definition:
    targets: tuple[Target, ...]
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Result:
    value: Expression
    span: Span


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Loop:
    """``for counter = start:step:stop``; `step` is None where it is not said, and 1 then."""

    counter: str
    counter_span: Span
    start: Bound
    stop: Bound
    step: Bound | None
    body: tuple[Statement, ...]
    span: Span


Statement: TypeAlias = Declaration | Definition | Result | Loop


def children(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly below one, in the order of the text."""
    match expression:
        case Number() | Text() | Name():
            return ()
        case Paren(inner=inner):
            return (inner,)
        case Sum(terms=terms):
            return tuple(term for _, term in terms)
        case Product(first=first, rest=rest):
            return (first, *(factor for _, factor in rest))
        case Sign(operand=operand) | Transpose(operand=operand):
            return (operand,)
        case Power(base=base, exponent=exponent):
            return (base, exponent)
        case Index(base=base, positions=positions):
            return (base, *(at.at for at in positions if isinstance(at, Gathered)))
        case Call(arguments=arguments):
            return arguments
        case Comparison(left=left, right=right):
            return (left, right)


def with_children(expression: Expression, parts: Sequence[Expression]) -> Expression:
    """The expression with others directly below it, in the order of `children`."""
    match expression:
        case Number() | Text() | Name():
            return expression
        case Paren():
            return replace(expression, inner=parts[0])
        case Sum(terms=terms):
            signs = (sign for sign, _ in terms)
            return replace(expression, terms=tuple(zip(signs, parts, strict=True)))
        case Product(rest=rest):
            operators = (operator for operator, _ in rest)
            factors = tuple(zip(operators, parts[1:], strict=True))
            return replace(expression, first=parts[0], rest=factors)
        case Sign() | Transpose():
            return replace(expression, operand=parts[0])
        case Power():
            return replace(expression, base=parts[0], exponent=parts[1])
        case Index(positions=positions):
            inner = iter(parts[1:])
            at = (replace(x, at=next(inner)) if isinstance(x, Gathered) else x for x in positions)
            return replace(expression, base=parts[0], positions=tuple(at))
        case Call():
            return replace(expression, arguments=tuple(parts))
        case Comparison():
            return replace(expression, left=parts[0], right=parts[1])


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Around:
    """What is to stand in place of an expression, around parts that are still to be changed."""

    expression: Expression


def rewritten(
    expression: Expression, change: Callable[[Expression], Expression | Around | None]
) -> Expression:
    """The expression with others in place of some below it, without recursion.

    `change` sees each before what is below it, and gives what is to stand in its place as it is;
    `Around` what is, for a look at the parts directly below that; or None for one further below.
    """
    done: dict[Expression, Expression] = {}
    around: dict[Expression, Expression] = {}
    stack = [expression]
    while stack:
        found = stack[-1]
        if found in done:
            stack.pop()
        elif found not in around:
            new = change(found)
            if new is None or isinstance(new, Around):
                around[found] = found if new is None else new.expression
                stack.extend(children(around[found]))
            else:
                done[found] = new
        else:
            parts = [done[part] for part in children(around[found])]
            done[found] = with_children(around[found], parts)
    return done[expression]


def changed(
    statements: Iterable[Statement], change: Callable[[Statement], Statement]
) -> tuple[Statement, ...]:
    """Statements changed one by one, those within loops too, without recursion.

    `change` sees them in the order of the text, a loop before what is within it.
    """
    found: list[Statement] = []
    open_: list[tuple[Iterator[Statement], list[Statement], Loop | None]] = []
    open_.append((iter(statements), found, None))
    while open_:
        rest, done, loop = open_[-1]
        statement = next(rest, None)
        if statement is not None:
            new = change(statement)
            if isinstance(new, Loop):
                open_.append((iter(new.body), [], new))
            else:
                done.append(new)
            continue
        open_.pop()
        if loop is not None:
            open_[-1][1].append(replace(loop, body=tuple(done)))
    return tuple(found)


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and all below it, in the order of the text, without recursion."""
    stack = [expression]
    while stack:
        found = stack.pop()
        yield found
        stack.extend(reversed(children(found)))


def unwrap(expression: Expression) -> Expression:
    """The expression without the parentheses around the whole of it."""
    while isinstance(expression, Paren):
        expression = expression.inner
    return expression
