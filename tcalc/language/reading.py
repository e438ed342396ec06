"""The order in which a program names its inputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

from tcalc.expr.reading import Reading
from tcalc.language.syntax import (
    Definition,
    Expression,
    Index,
    Name,
    Product,
    Result,
    Transpose,
    children,
)


def reading(statements: Sequence[Definition | Result], inputs: Iterable[str]) -> Reading:
    """How the value, the last statement, reads with definitions in the places of their names."""
    definitions: defaultdict[str, dict[Expression, None]] = defaultdict(dict)
    for statement in statements:
        if isinstance(statement, Definition):
            for target in statement.targets:
                definitions[target.name.name].setdefault(statement.value)
    known = set(inputs)
    names: dict[str, None] = {}
    neighbours: set[tuple[str, str]] = set()
    pending = [statements[-1].value]
    while pending:
        match pending.pop():
            case Name(name=name) if name in known:
                names.setdefault(name)
            case Name(name=name):
                pending.extend(reversed(definitions.pop(name, {})))
            case part:
                if isinstance(part, Product):
                    called = [_named(factor) for factor in children(part)]
                    neighbours.update(pair for pair in pairwise(called) if known.issuperset(pair))
                pending.extend(reversed(children(part)))
    return Reading(tuple(names), frozenset(neighbours))


def _named(factor: Expression) -> str:
    """The name of a factor that is one, be it transposed or indexed."""
    while isinstance(factor, Transpose | Index):
        factor = children(factor)[0]
    return factor.name if isinstance(factor, Name) else ""
