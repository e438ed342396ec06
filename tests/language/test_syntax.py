"""Expressions rewritten from above, at any depth."""

from __future__ import annotations

from tcalc.errors import Span
from tcalc.language.syntax import (
    Around,
    Bound,
    Expression,
    Gathered,
    Index,
    Name,
    Sign,
    rewritten,
    walk,
)

SPAN = Span(0, 1, 1, 1)


def name(text: str) -> Name:
    return Name(text, (), SPAN)


def nested(depth: int) -> Expression:
    """``Y[t, Y[t, … x]]``."""
    found: Expression = name("x")
    for _ in range(depth):
        at = Bound(((1, ("t",)),), SPAN), Gathered(found, SPAN)
        found = Index(name("Y"), at, SPAN)
    return found


def names(expression: Expression) -> list[str]:
    return [part.name for part in walk(expression) if isinstance(part, Name)]


def at_first_position(part: Expression) -> Expression | Around | None:
    """``Y[t, …]`` as ``y[…]``, and x as z."""
    match part:
        case Index(positions=(Bound(), *rest)):
            return Around(Index(name("y"), tuple(rest), part.span))
        case Name(name="x"):
            return name("z")
    return None


def test_parts_within_what_was_replaced_are_changed_too() -> None:
    before = nested(3)
    after = rewritten(before, at_first_position)
    assert names(after) == ["y", "y", "y", "z"]
    assert names(before) == ["Y", "Y", "Y", "x"]
    indices = [part for part in walk(after) if isinstance(part, Index)]
    assert [len(part.positions) for part in indices] == [1, 1, 1]


def test_what_stands_around_parts_is_not_changed_again() -> None:
    def sign(part: Expression) -> Around | None:
        return Around(Sign(-1, part.operand, SPAN)) if isinstance(part, Sign) else None

    found = rewritten(Sign(1, Sign(1, name("x"), SPAN), SPAN), sign)
    assert [part.sign for part in walk(found) if isinstance(part, Sign)] == [-1, -1]


def test_what_stands_as_it_is_is_not_looked_into() -> None:
    assert names(rewritten(nested(1), lambda part: nested(2) if part is not None else None)) == [
        *("Y", "Y", "x")
    ]


def test_depth_is_no_limit() -> None:
    assert names(rewritten(nested(20_000), at_first_position)) == ["y"] * 20_000 + ["z"]
