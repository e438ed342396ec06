"""A product in matrix notation, by reduction of its label graph.

Labels are vertices, factors of order two edges, factors of order one weights.  Summed labels are
eliminated one by one:

    degree two     A[a,l] d[l] B[l,b]  ->  A*diag(d)*B
    a leaf         A[a,l] d[l]         ->  A*d, a weight on a
    alone          x[l] y[l]           ->  x'*y, a scalar;  x[l] -> sum(x)
    a loop         A[l,l]              ->  tr(A), or diag(A) where l has other uses
    parallel       A[a,b] B[a,b]       ->  A.*B

and what is left, at most two output labels and their weights, is the result.  Chains are kept as
sequences of matrices, so that they can be read from either end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from tcalc.expr.dims import Dim
from tcalc.expr.nodes import Add, Const, Delta, Einsum, Node
from tcalc.primitives.onehot import is_onehot
from tcalc.printing.chains import (
    Cut,
    Edge,
    Link,
    Weight,
    cuts_of,
    divisors_collected,
    flip,
    is_ones,
    linear,
    link_of,
    opened,
    weight_of,
)
from tcalc.printing.formula import (
    Call,
    Formula,
    Product,
    Sum,
    Transpose,
    number,
    product,
    signed,
    times_once_more,
)
from tcalc.printing.phrases import Phrases, column, element, masked, masks_among, outer
from tcalc.printing.writer import (
    WHOLE,
    NoMatrixFormError,
    Writer,
    Writing,
    eye,
    indexed,
    power_of,
    raised,
    size_of,
)
from tcalc.simplify.flatten import is_contraction

ONE = Fraction(1)


class Network:
    """One product on its way to a formula."""

    def __init__(
        self,
        writer: Writer,
        form: Callable[[Node], Writing],
        whole: Callable[[Node], Writing],
    ) -> None:
        self.writer = writer
        self.phrases = Phrases(writer)
        self.form = form
        self.whole = whole
        self.scalars: list[Formula] = []
        self.places: dict[Node, int] = {}  # of scalar factors, in `scalars`
        self.divisors: list[Formula] = []
        self.sums: dict[int, Formula] = {}  # of scalars that are sums, over how many numbers
        self.weights: dict[int, list[Weight]] = {}
        self.edges: list[Edge] = []
        self.dims: dict[int, Dim] = {}

    def write(self, node: Einsum) -> Writing:
        core, output = opened(node, self.writer)
        same: dict[int, int] = {}
        for factor, row in core:
            if isinstance(factor, Delta):
                same[max(row)] = min(row)
        for label, dim in zip(output, node.dims, strict=True):
            self._see(same.get(label, label), dim)
        out = [same.get(label, label) for label in output]
        real = [
            (factor, tuple(same.get(label, label) for label in row))
            for factor, row in divisors_collected(core)
            if not isinstance(factor, Delta)
        ]
        if _needs_indices(real, out):
            raise NoMatrixFormError("elements at positions that are data, among others")
        cuts = cuts_of(real, out)
        gone = {cut.place for cut in cuts.values()}
        for place, (factor, row) in enumerate(real):
            if cuts.keys() & set(row) and place not in gone:
                yield from self._take_slice(factor, row, cuts)
            elif place not in gone:
                yield from self._take(factor, row)
        inner = set(self.dims) - set(out)
        while inner:
            self._loops(inner)
            if not inner:
                break
            self._eliminate(self._next(inner), inner)
        self._loops(inner)
        return self._result(out)

    def _see(self, label: int, dim: Dim) -> None:
        self.dims[label] = dim
        self.weights.setdefault(label, [])

    def _take_slice(self, factor: Node, row: tuple[int, ...], cuts: Mapping[int, Cut]) -> Writing:
        """Enter elements, a row or a range of a factor."""
        at = [cuts[x].at if x in cuts else WHOLE for x in row]
        labels: list[int] = []
        for label, dim in zip(row, factor.dims, strict=True):
            cut = cuts.get(label)
            if cut is None:
                self._see(label, dim)
                labels.append(label)
            elif cut.label is not None:
                self._see(cut.label, cut.dim)
                labels.append(cut.label)
        if len(labels) > 2:
            raise NoMatrixFormError(f"a factor of order {len(labels)}")
        whole_factor = self.whole(factor) if factor.order > 2 else self.form(factor)
        formula = indexed((yield whole_factor), at)
        match labels:
            case [label]:
                self.weights[label].append(Weight((), formula))
            case [start, stop]:
                dims = (self.dims[start], self.dims[stop])
                turned = isinstance(formula, Transpose)
                core = formula.base if isinstance(formula, Transpose) else formula
                link = Link(core, transposed=turned, dims=dims)
                self.edges.append(Edge(start, stop, (link,)))
            case _:
                self.scalars.append(formula)
        return formula

    def _take(self, factor: Node, row: tuple[int, ...]) -> Writing:
        """Enter a factor into the graph; its parts are written by whoever drives."""
        for label, dim in zip(row, factor.dims, strict=True):
            self._see(label, dim)
        base, exponent = power_of(factor)
        inverse: Formula | None = None
        coefficient = ONE
        if isinstance(factor, Const):
            return number(ONE)  # ones: only their dimensions count
        if exponent < 0 and factor not in self.writer.defined:
            inverse = raised((yield self.form(base)), -exponent, elementwise=bool(row))
            formula: Formula = product(ONE, elementwise=True, over=(inverse,))
        else:
            formula = yield self.form(factor)
            if row and isinstance(factor, Add):
                coefficient, formula = _without_number(formula)
                if coefficient != 1:
                    self.scalars.append(number(coefficient))
        match row:
            case ():
                if inverse is not None:
                    self.divisors.append(inverse)
                elif is_contraction(factor) or exponent != 1 or factor not in self.places:
                    self.places[factor] = len(self.scalars)
                    self.scalars.append(formula)
                else:
                    place = self.places[factor]
                    self.scalars[place] = times_once_more(self.scalars[place])
            case (label,):
                self.weights[label].append(weight_of(factor, formula, inverse))
            case (start, stop):
                link = link_of(factor, formula, inverse)
                if isinstance(factor, Add) and isinstance(formula, Sum) and not link.symmetric:
                    most = self.writer.transposes(formula)
                    if self.writer.primes_of_turned(factor) <= most:
                        turned = yield self.form(self.writer.turned_sum(factor))
                        outside, turned = _without_number(turned)
                        if outside == coefficient and self.writer.transposes(turned) <= most:
                            link = replace(link, turned=turned)
                self.edges.append(Edge(start, stop, (link,)))
            case _:
                raise NoMatrixFormError(f"a factor of order {len(row)}")
        return formula

    # Elimination of summed labels.

    def _at(self, label: int) -> list[Edge]:
        return [edge for edge in self.edges if label in (edge.start, edge.stop)]

    def _next(self, inner: set[int]) -> int:
        """The summed label that is easiest to eliminate: few neighbours, few edges, weights.

        Where there is a diagonal already, another one may follow: ``norm2(diag(A*B))^2``.
        """

        def ease(label: int) -> tuple[bool, int, int, bool, int]:
            edges, weights = self._at(label), self.weights[label]
            neighbours = {edge.other(label) for edge in edges}
            diagonal = any(weight.loop for weight in weights)
            return diagonal, len(neighbours), len(edges), not weights, label

        return min(inner, key=ease)

    def _eliminate(self, label: int, inner: set[int]) -> None:
        edges = self._at(label)
        weights = self.weights[label]
        if len(edges) > 2 or self._joins_rows(label, edges):
            self._merge_parallel(label)
            edges = self._at(label)
            if len(edges) > 2:
                raise NoMatrixFormError("a sum over an index of three factors")
        inner.discard(label)
        self.edges = [edge for edge in self.edges if edge not in edges]
        del self.weights[label]
        match edges:
            case []:
                self._scalar(weights, self.dims[label])
            case [edge]:
                self._leaf(edge, label, weights, inner)
            case [left, right]:
                start, stop = left.other(label), right.other(label)
                middle = self.phrases.diagonal(weights)
                chain = (*left.from_(start), *middle, *right.from_(label))
                self.edges.append(Edge(start, stop, chain))

    def _joins_rows(self, label: int, edges: list[Edge]) -> bool:
        """Whether ``(A.*B)*x`` and ``tril(A)*x`` say it, where ``diag(A*diag(x)*B')`` would do."""
        if len(edges) != 2 or edges[0].other(label) != edges[1].other(label):
            return False
        masks = any(len(x.chain) == 1 and x.chain[0].mask is not None for x in edges)
        return masks or bool(self.weights[label])

    def _leaf(self, edge: Edge, label: int, weights: list[Weight], inner: set[int]) -> None:
        other = edge.other(label)
        chain = edge.from_(other)
        if not weights and other in inner and not self.weights[other] and not self._at(other):
            # Nothing else at either end: the sum of all elements.
            inner.discard(other)
            del self.weights[other]
            body = self.phrases.either_way(edge.chain)
            self.sums[len(self.scalars)] = size_of(self.dims[label] * self.dims[other])
            self.scalars.append(Call("sum", (product(ONE, (), body),)))
            return
        if len(weights) == 1 and weights[0].unit:
            self.weights[other].append(Weight((), column(chain, weights[0].unit)))
            return
        end = self.phrases.vector(weights, self.dims[label])
        if len(weights) == 1 and weights[0].inverse is None:
            self.weights[other].append(Weight((*chain, *weights[0].chain), weights[0].end))
        else:
            self.weights[other].append(Weight(chain, end))

    def _loops(self, inner: set[int]) -> None:
        """Edges from a label to itself: traces, or diagonals."""
        for edge in [edge for edge in self.edges if edge.start == edge.stop]:
            self.edges.remove(edge)
            label = edge.start
            if label in inner and not self.weights[label] and not self._at(label):
                inner.discard(label)
                del self.weights[label]
                self.scalars.append(self.phrases.trace(edge.chain))
            else:
                body = self.phrases.either_way(edge.chain)
                diagonal = Call("diag", (product(ONE, (), body),))
                self.weights[label].append(Weight((), diagonal, loop=edge.chain))

    def _merge_parallel(self, label: int) -> None:
        """Parallel edges at a label become one, element by element."""
        groups: dict[int, list[Edge]] = {}
        for edge in self._at(label):
            groups.setdefault(edge.other(label), []).append(edge)
        for other, edges in groups.items():
            if len(edges) > 1:
                self.edges = [edge for edge in self.edges if edge not in edges]
                merged = self.phrases.hadamard([edge.from_(label) for edge in edges])
                self.edges.append(Edge(label, other, merged))

    def _scalar(self, weights: list[Weight], dim: Dim) -> None:
        """A label that is left with its weights alone."""
        units = [w for w in weights if w.unit]
        if units:
            rest = [w for w in weights if w is not units[0]]
            if not rest:
                return
            self.scalars.append(element(self.phrases.vector(rest, dim), units[0].unit))
            return
        if not weights:
            self.scalars.append(size_of(dim))
            return
        plain = [w for w in weights if w.inverse is None]
        if len(weights) == 2 and len(plain) == 2:
            self.scalars.append(self.phrases.inner(*plain))
            return
        if len(weights) == 1 and weights[0].chain and is_ones(weights[0].end):
            body = self.phrases.either_way(weights[0].chain)
            self.scalars.append(Call("sum", (product(ONE, (), body),)))
            return
        vector = self.phrases.vector(weights, dim)
        form = self._quadratic_form(weights, dim)
        if form is not None:
            self.scalars.append(form)
            return
        negative, rest_of = signed(vector)
        total: Formula = Call("sum", (rest_of,))
        if not negative:
            self.sums[len(self.scalars)] = size_of(dim)
        self.scalars.append(Sum(((True, total),)) if negative else total)

    def _quadratic_form(self, weights: list[Weight], dim: Dim) -> Formula | None:
        """``(x.*y)'*A*(x.*y)``, where `_scalar` has the element-wise product on both sides."""
        chained = [w for w in weights if w.chain and w.inverse is None]
        if len(chained) != 1:
            return None
        end = self.phrases.vector([w for w in weights if w is not chained[0]], dim)
        if self.writer.text(end) != self.writer.text(chained[0].end):
            return None
        return self.phrases.inner(Weight((), end), chained[0])

    # The result.

    def _result(self, out: list[int]) -> Formula:
        if not out:
            return self._scaled(())
        if len(out) == 1:
            return self._scaled(self._single(out[0]).body)
        start, stop = out
        if start == stop:
            weights = self.weights[start]
            if not weights:
                return self._scaled((eye(self.dims[start]),))
            (diagonal,) = self.phrases.diagonal(weights)
            return self._scaled((diagonal.formula,))
        chains = [edge.from_(start) for edge in self.edges]
        masks = masks_among(chains)
        if chains and len(masks) == len(chains) and any(self.weights[label] for label in out):
            x, y = (self._single(label) for label in out)
            formula = masked(product(ONE, (), outer(x, y)), masks)
            return self._scaled((formula,))
        if chains:
            left, right = (self.phrases.diagonal(self.weights[label]) for label in out)
            chain = (*left, *self.phrases.hadamard(chains), *right)
            turned = sum(link.transposed for link in chain)
            if turned > 1 and not any(link.transposed for link in flip(chain)):
                # (A*B*C)' for C'*B'*A'
                whole_chain = product(ONE, (), linear(flip(chain)))
                straight = product(ONE, (), linear(chain))
                if 1 + self.writer.transposes(whole_chain) < self.writer.transposes(straight):
                    return self._scaled((Transpose(whole_chain),))
            return self._scaled(linear(chain))
        x, y = (self._single(label) for label in out)
        return self._scaled(outer(x, y))

    def _single(self, label: int) -> Weight:
        """All weights of a label as one."""
        weights = self.weights[label]
        if len(weights) == 1 and weights[0].inverse is None:
            return weights[0]
        return Weight((), self.phrases.vector(weights, self.dims[label]))

    def _scaled(self, body: tuple[Formula, ...]) -> Formula:
        if self.sums and self.divisors:
            self._take_means()
        whole = product(
            ONE,
            self.writer.scalars(self.scalars),
            body,
            divisors=self.writer.scalars(self.divisors),
        )
        return self.writer.with_sign_inside(whole)

    def _take_means(self) -> None:
        """``sum(x)/n`` as ``mean(x)``."""
        for place, count in self.sums.items():
            total, size = self.scalars[place], self.writer.text(count)
            for divisor in self.divisors:
                if isinstance(total, Call) and self.writer.text(divisor) == size:
                    self.divisors.remove(divisor)
                    self.scalars[place] = replace(total, name="mean")
                    break


def _needs_indices(factors: Sequence[tuple[Node, tuple[int, ...]]], out: Sequence[int]) -> bool:
    """Whether data say where elements of some factors are, and rows of these meet by one index.

    ``U[g[i],k]*V[h[i],k]`` would be a diagonal, and ``A[i,g[i]]`` too.
    """
    for k, (factor, row) in enumerate(factors):
        if is_onehot(factor) and row[-1] not in out:
            others = [set(r) for j, (_, r) in enumerate(factors) if j != k]
            beside = [r for r in others if not r.isdisjoint(row[:-1])]
            if any(row[-1] in r for r in beside):
                return True
            if len(beside) + any(x in out for x in row[:-1]) > 1 and any(
                len(r) > 1 for r in beside
            ):
                return True
    return False


def _without_number(formula: Formula) -> tuple[Fraction, Formula]:
    """The number of a sum whose terms were found to be alike, and the sum without it."""
    match formula:
        case Product(coefficient, scalars, body, elementwise, over, divisors) if coefficient != 1:
            rest = product(
                ONE, scalars, body, elementwise=elementwise, over=over, divisors=divisors
            )
            return coefficient, rest
    return ONE, formula
