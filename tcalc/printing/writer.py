"""What both notations share: walks without recursion, the order of reading, calls.

A notation is a set of generators: to have a part written, it yields the generator for the part
and is sent the formula.  `Writer.run` drives them with a stack of its own, so that depth costs
memory and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypeAlias

from tcalc.expr import build
from tcalc.expr.dims import Dim, Shape, as_read
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.index_names import AxisNames, IndexNames
from tcalc.expr.nodes import Add, Apply, Node, Var
from tcalc.expr.primitive import Style
from tcalc.primitives.exponential import pow_
from tcalc.primitives.power import Power as PowerOf
from tcalc.primitives.reductions import Reduction
from tcalc.printing.formula import (
    ONE,
    Call,
    Formula,
    Indexed,
    Number,
    Power,
    Product,
    Sum,
    Symbol,
    Transpose,
    fold,
    is_element,
    number,
    product,
    scaled,
    signed,
)
from tcalc.printing.text import Set, text_of
from tcalc.simplify.coefficients import shared_decimal

Writing: TypeAlias = "Generator[Writing, Formula, Formula]"

Axes: TypeAlias = "tuple[AxisNames, Shape]"
"""The names of indices on the axes of a tensor, and their sizes."""

WHOLE = ":"
"""All positions of an axis."""

_WORD = re.compile(r"[^\W\d]\w*")


class NoMatrixFormError(Exception):
    """Matrix notation cannot say this; Einstein notation can.  The message is what it is."""


class NeedsNameError(Exception):
    """A tensor that stands where only a name can: it must be defined first."""

    def __init__(self, node: Node) -> None:
        self.node = node


class Writer:
    """One page: names of definitions, the order of the user's variables, texts for comparing.

    `axis_names` are the names that indices have had on axes of tensors, and `axes` the same by the
    texts of those that are written; `neighbours` are variables that follow each other in products
    of the program.
    """

    def __init__(
        self,
        order: Iterable[str] = (),
        axis_names: IndexNames | None = None,
        neighbours: Collection[tuple[str, str]] = (),
    ) -> None:
        self.neighbours = frozenset(neighbours)
        self.rank: dict[str, int] = {}
        self.axis_names = axis_names or {}
        self.axes: dict[str, Axes] = {
            x.name: (names, x.dims) for x, names in self.axis_names.items() if isinstance(x, Var)
        }
        self.defined: dict[Node, str] = {}
        self._turned: dict[Node, Node] = {}
        self.next_page(order)

    def next_page(self, names: Iterable[str] = ()) -> None:
        """Forget the texts compared so far; further names come after those known."""
        for name in names:
            self.rank.setdefault(name, len(self.rank))
        self._texts: dict[int, Set] = {}
        self._weights: dict[int, tuple[int, int, int]] = {}
        self._readings: dict[int, tuple[Any, ...]] = {}
        self._kept: list[Formula] = []
        self.sums: dict[Node, Formula] = {}

    def run(self, task: Writing) -> Formula:
        """The formula that a generator returns, its parts written first."""
        stack = [task]
        answer: Formula | None = None
        trouble: NoMatrixFormError | None = None
        while stack:
            try:
                if trouble is not None:
                    asked = stack[-1].throw(trouble)
                else:
                    asked = next(stack[-1]) if answer is None else stack[-1].send(answer)
                stack.append(asked)
                answer = trouble = None
            except StopIteration as done:
                stack.pop()
                answer, trouble = done.value, None
            except NoMatrixFormError as raised:
                # Whoever asked for the part may know another way to write it.
                stack.pop()
                trouble = raised
        if trouble is not None:
            try:
                raise trouble
            finally:
                del trouble  # its traceback has this frame: they would wait for the collector
        assert answer is not None
        return answer

    def text(self, formula: Formula) -> str:
        if is_element(formula):
            return text_of(formula)
        known = self._texts.get(id(formula))
        if known is not None:
            return known.text
        self.keep(formula)
        return text_of(formula, self._texts)

    def keep(self, formula: Formula) -> None:
        """Let a formula live as long as the page: its identity is a key."""
        self._kept.append(formula)

    def noted(self, node: Node, formula: Formula) -> Formula:
        """A tensor that is written whole, with the names of its axes kept by its text."""
        if node in self.axis_names:
            self.axes[self.text(formula)] = (self.axis_names[node], node.dims)
        return formula

    def _weight(self, formula: Formula) -> tuple[int, int, int]:
        """Calls and powers, transposes, and symbols in a formula."""
        if is_element(formula):
            return _ELEMENT
        known = self._weights.get(id(formula))
        if known is not None:
            return known
        self.keep(formula)
        return fold(formula, _weigh, self._weights)

    def transposes(self, formula: Formula) -> int:
        """How many transposes a formula has."""
        return self._weight(formula)[1]

    def turned_sum(self, node: Add) -> Node:
        """A sum of matrices with its terms transposed."""
        turned = self._turned.get(node)
        if turned is None:
            turned = build.add((c, build.transpose(x)) for c, x in node.terms)
            self._turned[node], self._turned[turned] = turned, node
        return turned

    def primes_of_turned(self, node: Add) -> int:
        """The fewest transposes that a sum has with its terms transposed: those of its matrices."""
        plain = (x for x in node.operands if isinstance(x, Var) or x in self.defined)
        return sum(not symmetric_axes(x) for x in plain)

    def ranks(self, formula: Formula) -> tuple[int, ...]:
        """The places in the user's program of the names in a formula, in the order of reading."""
        far = len(self.rank)
        if isinstance(formula, Call) and formula.style is Style.SYMBOL:
            return (-1,)
        words: list[str] = _WORD.findall(self.text(formula))
        return tuple(self.rank.get(word, far) for word in words)

    def reading(self, formula: Formula) -> tuple[Any, ...]:
        """How late a term or factor is read: polynomials first, then as in the user's program."""
        known = self._readings.get(id(formula))
        if known is None:
            calls, transposes, size = self._weight(formula)
            plain, text = isinstance(formula, Number), self.text(formula)
            known = (calls > 0, transposes, self.ranks(formula), size, plain, text)
            self._readings[id(formula)] = known
        return known

    def simplicity(self, formula: Formula) -> tuple[Any, ...]:
        """Which of two ways to write a thing reads better: fewer transposes, then as the user."""
        _, transposes, size = self._weight(formula)
        text = self.text(formula)
        alike = sum(pair in self.neighbours for pair in pairwise(_WORD.findall(text)))
        return (transposes, -alike, self.ranks(formula), size, text)

    def linear(self, terms: Sequence[tuple[Fraction, Formula]]) -> Formula:
        """A sum of multiples of formulas; what all coefficients share stands in front.

        And a decimal by which the others are shorter: ``0.8*(x + 0.03*x.^2)``.
        Tensors that differ by where the parentheses of their products were read alike, and add up.
        """
        if len(terms) > 1:
            terms = self._added_up(terms)
        sizes = {abs(c) for c, _ in terms}
        size = sizes.pop() if len(sizes) == 1 else shared_decimal([c for c, _ in terms], 2)
        if len(terms) == 1 or size == 1:
            return self.sum([scaled(c, formula) for c, formula in terms])
        whole = self.sum([scaled(c / size, formula) for c, formula in terms])
        if isinstance(whole, Sum) and all(negative for negative, _ in whole.terms):
            size, whole = -size, Sum(tuple((False, term) for _, term in whole.terms))
        return scaled(size, whole)

    def _added_up(
        self, terms: Sequence[tuple[Fraction, Formula]]
    ) -> Sequence[tuple[Fraction, Formula]]:
        found: dict[str, tuple[Fraction, Formula]] = {}
        for c, formula in terms:
            known = found.get(text := self.text(formula))
            found[text] = (c if known is None else c + known[0], formula)
        fewer = len(found) < len(terms) and all(c for c, _ in found.values())
        return list(found.values()) if fewer else terms

    def sum(self, terms: Sequence[Formula]) -> Formula:
        """A sum with its positive terms first, nested sums opened."""
        found: list[tuple[bool, Formula]] = []
        for term in terms:
            found += term.terms if isinstance(term, Sum) else [(False, term)]
        if len(found) > 1:
            found.sort(key=self._place)
        if len(found) != 1 or found[0][0]:
            return self.with_sign_inside(Sum(tuple(found)))
        return found[0][1]

    def with_sign_inside(self, formula: Formula) -> Formula:
        """``-(a + b - c)*x`` as ``(c - a - b)*x`` where no term is positive otherwise."""
        match formula:
            case Sum(terms=terms) if all(negative for negative, _ in terms):
                for k, (_, term) in enumerate(terms):
                    turned = self._with_turned_sum(term)
                    if turned is not None:
                        rest = (*terms[:k], *terms[k + 1 :])
                        return Sum(((False, turned), *rest)) if rest else turned
        return formula

    def _with_turned_sum(self, term: Formula) -> Formula | None:
        """A product with the sign of a sum in it turned, if that sum has nearly as many minuses."""
        if not isinstance(term, Product):
            return None
        before = (*term.scalars, *term.body)
        for k, factor in enumerate(before):
            if not isinstance(factor, Sum) or len(before) == 1:
                continue  # -(a + b - c)/d stays
            minuses = sum(negative for negative, _ in factor.terms)
            if minuses < len(factor.terms) - minuses <= 2 * minuses:
                other = self.sum([f if neg else Sum(((True, f),)) for neg, f in factor.terms])
                new = (*before[:k], other, *before[k + 1 :])
                cut = len(term.scalars)
                return replace(term, scalars=new[:cut], body=new[cut:])
        return None

    def _place(self, signed_term: tuple[bool, Formula]) -> tuple[Any, ...]:
        """Positive terms first, of these numbers; but of negative ones last, ``v - n - 1``.

        Indices that are summed have placeholders as yet, which begin with ``_``: they come after
        those of the result, as their letters will, ``A[i,j] + A[j,i]``.
        """
        negative, term = signed_term
        number = isinstance(term, Number)
        *how, text = self.reading(term)
        return (negative, number if negative else not number, *how, text.replace("_", "~"))

    def along(
        self,
        factors: Sequence[Formula],
        indices: Callable[[Formula], Sequence[str]],
        left: Sequence[str],
    ) -> tuple[Formula, ...]:
        """Indexed factors in an order that follows the indices, as a chain of matrices does."""
        if len(factors) < 2:
            return tuple(factors)
        waiting: list[tuple[Formula, Sequence[str], tuple[Any, ...]]] = []
        for factor in factors:
            reading = self.reading(factor)
            waiting.append((factor, indices(factor), (not isinstance(factor, Indexed), reading)))
        waiting.sort(key=lambda item: item[2][1])
        found = [factor for factor, names, _ in waiting if not names]
        waiting = [item for item in waiting if item[1]]
        reached = list(left[:1])
        while waiting:
            following = [item for item in waiting if not set(reached).isdisjoint(item[1])]
            best = min(following or waiting, key=lambda item: _link(item[1], item[2], reached))
            waiting.remove(best)
            found.append(best[0])
            reached = [at for at in best[1] if at not in reached] or reached
        return tuple(found)

    def scalars(self, factors: Sequence[Formula]) -> tuple[Formula, ...]:
        return tuple(sorted(factors, key=self.reading)) if len(factors) > 1 else tuple(factors)


def _link(
    names: Sequence[str], reading: tuple[Any, ...], reached: Sequence[str]
) -> tuple[Any, ...]:
    """How well a factor follows one that has reached some indices."""
    apart, (*late, text) = reading
    linked = [names.index(at) for at in reached if at in names]
    first = next((k for k, at in enumerate(reached) if at in names), 0)
    return (apart, linked, late, first, text)


_ELEMENT = (0, 0, 2)
"""What the element of a tensor with a name weighs, as most factors with indices do."""


def _weigh(formula: Formula, inner: list[tuple[int, int, int]]) -> tuple[int, int, int]:
    calls = transposes = 0
    size = 1
    for inside in inner:
        calls += inside[0]
        transposes += inside[1]
        size += inside[2]
    match formula:
        case Indexed() | Symbol():
            pass
        case Call(style=Style.SYMBOL):
            pass
        case Call():
            calls += 1
        case Power(exponent=exponent):
            calls += not isinstance(exponent, Number) or exponent.value.denominator != 1
        case Transpose():
            transposes += 1
        case Product(divisors=divisors, over=over) if divisors or over:
            calls += 1
    return calls, transposes, size


def raised(base: Formula, exponent: Fraction, *, elementwise: bool) -> Formula:
    """A positive power of a formula."""
    if exponent == 1:
        return base
    if exponent == Fraction(1, 2):
        return Call("sqrt", (base,), r"\sqrt", Style.ROOT)
    match base:
        case Power(base=Call(style=Style.NORM) as root, exponent=Number(value=inner)) if (
            not elementwise
        ):
            return Power(root, number(inner * exponent), elementwise=False)
    return Power(base, number(exponent), elementwise)


def norm(inner: Formula, mark: str) -> Formula:
    """The Euclidean norm, marked ``2``; of a matrix it is Frobenius', marked ``F``."""
    return Call("norm2", (inner,), style=Style.NORM, mark=mark)


def power_of(node: Node) -> tuple[Node, Fraction]:
    """A node as base and exponent; every node is its own first power."""
    if isinstance(node, Apply) and isinstance(node.primitive, PowerOf):
        return node.args[0], node.primitive.exponent
    return node, ONE


def call(node: Apply, args: Sequence[Formula], over: tuple[str, ...] = ()) -> Formula:
    """The application of a primitive to written arguments."""
    notation = node.primitive.notation(node)
    # The axes of a reduction are shown by its indices, if at all.
    literals = () if isinstance(node.primitive, Reduction) else notation.parameters
    return Call(
        notation.name or node.primitive.name,
        (*map(Symbol, literals), *(x for k, x in enumerate(args) if k not in notation.hidden)),
        notation.latex,
        notation.style,
        notation.mark,
        over,
        len(literals) if notation.latex else 0,
    )


def is_pow(node: Apply) -> bool:
    """Whether a node is a power with an exponent of its own."""
    return node.primitive == pow_


def size_of(dim: Dim) -> Formula:
    """A dimension as a number in a formula."""
    if dim.value is not None:
        return number(dim.value)
    if dim.is_name:
        return Symbol(str(dim))
    terms: list[tuple[bool, Formula]] = []
    for monomial, coefficient in as_read(dim.terms):
        factors = tuple(Symbol(name) for name in monomial)
        term = product(Fraction(coefficient), factors)
        terms.append(signed(term))
    return Sum(tuple(terms)) if len(terms) > 1 or terms[0][0] else terms[0][1]


def position(index: Dim, dim: Dim) -> str:
    """A 1-based position on an axis, from the end where it is not a number."""
    if index.value is not None:
        return str(index.value)
    back = (dim - index).value
    if back is not None:
        return f"end-{back}" if back else "end"
    return str(index)


def span(start: Dim, stop: Dim, dim: Dim) -> str:
    """A range of positions, both ends included."""
    return f"{position(start, dim)}:{position(stop, dim)}"


def ones(*dims: Dim) -> Formula:
    return Call("ones", tuple(map(size_of, dims)))


def eye(dim: Dim) -> Formula:
    return Call("eye", (size_of(dim),))


def triangle(formula: Formula, offset: int, *, upper: bool = False) -> Formula:
    """The entries on and below the diagonal that a mask's `offset` says; above, of its transpose.

    A mask that stands transposed has its diagonal on the other side.
    """
    place = -offset if upper else offset
    arguments = (formula, number(place)) if place else (formula,)
    return Call("triu" if upper else "tril", arguments)


def indexed(base: Formula, positions: Sequence[str]) -> Formula:
    """An element or slice; without positions the formula itself."""
    if isinstance(base, Transpose) and len(positions) == 2:
        turned = Indexed(base.base, tuple(reversed(positions)))
        # A'[i,j] is A[j,i], and A'[:,2] is A[2,:]; but A'[:,2:3] is A[2:3,:]'
        return Transpose(turned) if all(":" in at for at in positions) else turned
    return Indexed(base, tuple(positions)) if positions else base
