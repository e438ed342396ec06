"""Random formulas with indices against loops: which index is summed, and where.

The oracle reads the rule as it is stated.  It knows formulas as trees of its own, gives every
index of a term of the top level the innermost term that holds all its occurrences, and sums there
over arrays whose axes have names.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pytest

import tcalc

SIZE = 2
LETTERS = "ijkl"
TENSORS = {0: "ab", 1: "xyz", 2: "ABC", 3: "UV"}
DECLARED = "a, b, x[n], y[n], z[n], A[n,n], B[n,n], C[n,n], U[n,n,n], V[n,n,n]"
REDUCTIONS = {
    "sum": np.sum,
    "max": np.max,
    "mean": np.mean,
    "logsumexp": lambda a, axis: np.log(np.exp(a).sum(axis)),
}


@dataclass(frozen=True, eq=False)
class Tensor:
    name: str
    indices: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}[{','.join(self.indices)}]" if self.indices else self.name


@dataclass(frozen=True, eq=False)
class Group:
    """A sum in parentheses, or under a function, or a reduction over an index, or to a power."""

    inner: Sum
    function: str = ""
    index: str = ""
    exponent: int = 1

    @property
    def plain(self) -> bool:
        """Whether it is nothing but parentheses, which are no term of their own."""
        return not self.function and self.exponent == 1

    def __str__(self) -> str:
        brackets = f"[{self.index}]" if self.index else ""
        power = f"^{self.exponent}" if self.exponent > 1 else ""
        return f"{self.function}{brackets}({self.inner}){power}"


@dataclass(frozen=True, eq=False)
class Term:
    first: Tensor | Group
    rest: tuple[tuple[str, Tensor | Group], ...]

    @property
    def factors(self) -> Iterator[tuple[str, Tensor | Group]]:
        yield "*", self.first
        yield from self.rest

    def __str__(self) -> str:
        return str(self.first) + "".join(f"{operator}{x}" for operator, x in self.rest)


@dataclass(frozen=True, eq=False)
class Sum:
    terms: tuple[tuple[int, Term], ...]

    def __str__(self) -> str:
        text = "".join(f"{' - ' if sign < 0 else ' + '}{term}" for sign, term in self.terms)
        return text.removeprefix(" + ").strip()


Place: TypeAlias = Term | Tensor | Group
"""Where an index can be summed."""


def is_plain(factor: Tensor | Group) -> bool:
    return isinstance(factor, Group) and factor.plain


class Formulas:
    """Random formulas."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def sum(self, depth: int) -> Sum:
        number = self.random.choice((1, 1, 2))
        return Sum(tuple((self.random.choice((1, 1, -1)), self.term(depth)) for _ in range(number)))

    def term(self, depth: int) -> Term:
        rest = range(self.random.choice((0, 0, 1, 1, 2)))
        factors = ((self.random.choice("****/"), self.factor(depth)) for _ in rest)
        return Term(self.factor(depth), tuple(factors))

    def factor(self, depth: int) -> Tensor | Group:
        kind = self.random.random() if depth else 0
        if kind < 0.6:
            order = self.random.choice((0, 1, 1, 2, 2, 2, 3))
            indices = tuple(self.random.choice(LETTERS) for _ in range(order))
            return Tensor(self.random.choice(TENSORS[order]), indices)
        inner = self.sum(depth - 1)
        if kind < 0.7:
            return Group(inner)
        if kind < 0.82:
            return Group(inner, self.random.choice(("exp", "sin", "tanh")))
        if kind < 0.9:
            return Group(inner, exponent=self.random.choice((2, 3)))
        return Group(inner, self.random.choice(tuple(REDUCTIONS)), self.random.choice(LETTERS))


@dataclass(frozen=True, eq=False)
class Named:
    """An array whose axes have names."""

    names: tuple[str, ...]
    array: np.ndarray

    def over(self, names: tuple[str, ...]) -> np.ndarray:
        """The array with the axes of all these names, repeated along those that it lacks."""
        order = [self.names.index(name) for name in names if name in self.names]
        shape = [SIZE if name in self.names else 1 for name in names]
        return np.broadcast_to(self.array.transpose(order).reshape(shape), (SIZE,) * len(names))

    def without(self, gone: set[str]) -> Named:
        axes = tuple(k for k, name in enumerate(self.names) if name in gone)
        return Named(tuple(x for x in self.names if x not in gone), self.array.sum(axis=axes))


class NoSuchIndexError(Exception):
    """A reduction over an index that its argument has not."""


@dataclass
class Oracle:
    """The value of one term of the top level."""

    data: Mapping[str, np.ndarray]
    kept: frozenset[str]
    summed_in: dict[str, Place] = field(default_factory=dict)

    def value(self, term: Term) -> Named:
        places: dict[str, list[tuple[Place, ...]]] = {}
        self._find(term, (), frozenset(), places)
        for index, paths in places.items():
            common = [same[0] for same in zip(*paths, strict=False) if len(set(same)) == 1]
            if len(paths) > 1 and index not in self.kept and common:
                self.summed_in[index] = common[-1]
        return self._term(term)

    def _find(
        self,
        term: Term,
        above: tuple[Place, ...],
        own: frozenset[str],
        places: dict[str, list[tuple[Place, ...]]],
    ) -> None:
        path = above if not term.rest and is_plain(term.first) else (*above, term)
        for operator, factor in term.factors:
            # What a denominator is nothing else than is a term of it: A[i,i] is summed there.
            inside = (*path, factor) if operator == "/" and not is_plain(factor) else path
            if isinstance(factor, Tensor):
                for index in factor.indices:
                    if index not in own:
                        places.setdefault(index, []).append(inside)
            else:
                for _, inner in factor.inner.terms:
                    self._find(inner, inside, own | set(factor.index), places)

    def _term(self, term: Term) -> Named:
        value = Named((), np.asarray(1.0))
        for operator, factor in term.factors:
            other = self._summed(self._factor(factor), factor)
            names = tuple(dict.fromkeys(value.names + other.names))
            left, right = value.over(names), other.over(names)
            value = Named(names, left * right if operator == "*" else left / right)
        return self._summed(value, term)

    def _summed(self, value: Named, place: Place) -> Named:
        return value.without({x for x, where in self.summed_in.items() if where is place})

    def _sum(self, total: Sum) -> Named:
        values = [self._term(term) for _, term in total.terms]
        names = tuple(dict.fromkeys(name for value in values for name in value.names))
        signed = zip(total.terms, values, strict=True)
        return Named(names, sum(sign * value.over(names) for (sign, _), value in signed))

    def _factor(self, factor: Tensor | Group) -> Named:
        if isinstance(factor, Tensor):
            names = tuple(dict.fromkeys(factor.indices))
            text = f"{''.join(factor.indices)}->{''.join(names)}"
            return Named(names, np.einsum(text, self.data[factor.name]))
        inner = self._sum(factor.inner)
        if not factor.index:
            function = getattr(np, factor.function) if factor.function else np.asarray
            return Named(inner.names, function(inner.array) ** factor.exponent)
        if factor.index not in inner.names:
            raise NoSuchIndexError
        axis = inner.names.index(factor.index)
        rest = tuple(name for name in inner.names if name != factor.index)
        return Named(rest, REDUCTIONS[factor.function](inner.array, axis=axis))


def expected(total: Sum, left: tuple[str, ...], data: Mapping[str, np.ndarray]) -> np.ndarray:
    """The value of a definition with these indices on its left."""
    values = []
    for sign, term in total.terms:
        value = Oracle(data, frozenset(left)).value(term)
        value = value.without(set(value.names) - set(left))
        values.append(sign * value.over(left))
    return np.asarray(sum(values))


def programs(number: int) -> Iterator[tuple[str, Sum, tuple[str, ...]]]:
    for seed in range(number):
        formulas = Formulas(seed)
        total = formulas.sum(formulas.random.choice((1, 2, 2)))
        left = tuple(formulas.random.sample(LETTERS, formulas.random.choice((0, 0, 1, 2))))
        target = f"r[{','.join(left)}]" if left else "r"
        yield f"{target} = {total}", total, left


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_sums_are_where_the_rule_says():
    generator = np.random.default_rng(0)
    data = {
        name: generator.uniform(0.5, 1.5, (SIZE,) * order)
        for order, names in TENSORS.items()
        for name in names
    }
    compared = 0
    for text, total, left in programs(400):
        try:
            wanted = expected(total, left, data)
            program = tcalc.parse(text, DECLARED)
        except (NoSuchIndexError, tcalc.TcalcError):
            continue
        found = tcalc.evaluate(program, **{name: data[name] for name in program.variables})
        if np.all(np.isfinite(wanted)):
            np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-8, err_msg=text)
            compared += 1
    assert compared > 250
