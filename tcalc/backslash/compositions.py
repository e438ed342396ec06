"""Blocks made of blocks: operators one after the other, and sums of operators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from tcalc.backslash.blocks import Block, Scalar, Text, number
from tcalc.expr import build
from tcalc.expr.dims import Shape
from tcalc.expr.nodes import Node


@dataclass(frozen=True, slots=True, eq=False)
class Composition(Block):
    """Operators one after the other, the last one first."""

    kind: ClassVar[str] = "composition"
    parts: tuple[Block, ...]
    rows: Shape
    columns: Shape

    def apply(self, x: Node) -> Node:
        for part in reversed(self.parts):
            x = part.apply(x)
        return x

    @property
    def adjoint(self) -> Block:
        turned = [part.adjoint for part in reversed(self.parts)]
        # Numbers stay in front.
        numbers = [part.over(self.columns) for part in turned if isinstance(part, Scalar)]
        return chain([*numbers, *(part for part in turned if not isinstance(part, Scalar))])

    def notation(self, text: Text) -> str:
        first, *rest = self.parts
        written = [_operand(part, text) for part in rest]
        if isinstance(first, Scalar) and not first.term.factors:
            return number(first.term.coefficient) + " ".join(written)
        return " ".join([_operand(first, text), *written])


@dataclass(frozen=True, slots=True, eq=False)
class Sum(Block):
    """A sum of operators of one shape."""

    kind: ClassVar[str] = "sum"
    parts: tuple[Block, ...]
    rows: Shape
    columns: Shape

    def apply(self, x: Node) -> Node:
        return build.add((1, part.apply(x)) for part in self.parts)

    @property
    def adjoint(self) -> Block:
        return total([part.adjoint for part in self.parts])

    def notation(self, text: Text) -> str:
        written = ""
        for part in self.parts:
            piece = part.notation(text)
            if not written:
                written = piece
            elif piece.startswith("-"):
                written += f" - {piece[1:]}"
            else:
                written += f" + {piece}"
        return written


def _operand(part: Block, text: Text) -> str:
    written = part.notation(text)
    return f"({written})" if isinstance(part, Sum) else written


def chain(parts: Sequence[Block]) -> Block:
    """Operators one after the other, the last one first."""
    if len(parts) == 1:
        return parts[0]
    flat = [x for part in parts for x in (part.parts if isinstance(part, Composition) else (part,))]
    return Composition(tuple(flat), flat[0].rows, flat[-1].columns)


def total(parts: Sequence[Block]) -> Block:
    """A sum of operators."""
    if len(parts) == 1:
        return parts[0]
    return Sum(tuple(parts), parts[0].rows, parts[0].columns)
