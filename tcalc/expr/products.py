"""The constructor of products, and the way there to the normal form that `build` describes."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from itertools import chain
from typing import Any, TypeAlias

from tcalc.expr.canonical import arrange, is_rigid
from tcalc.expr.dims import Dim, Shape
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Const, Delta, Einsum, Node
from tcalc.expr.partition import Partition
from tcalc.expr.primitive import Labels
from tcalc.expr.sums import ONE, const, delta, ones, scale, zeros
from tcalc.records import dataclass

Subscript: TypeAlias = str | Sequence[Hashable]


def einsum(
    factors: Sequence[Node],
    subscripts: str | Sequence[Subscript],
    output: Subscript | None = None,
    dims: Mapping[Any, Dim] | None = None,
) -> Node:
    """The generic product ``C[output] = Σ Π factors[k][subscripts[k]]``, in normal form.

    Subscripts are strings of letters (``"ij,jk->ik"`` in one string, if liked) or sequences of
    labels.  A label repeated in the output means a diagonal; an output label that no factor has
    broadcasts over its dimension, given by `dims`.

    >>> from tcalc.expr.build import var
    >>> A = var("A", (Dim.of("m"), Dim.of("n")))
    >>> einsum([einsum([A], "ij->ji")], "ji->ij") is A
    True
    >>> einsum([A, delta(Dim.of("n"))], "ij,jk->ik") is A
    True
    """
    if isinstance(subscripts, str):
        left, _, right = subscripts.partition("->")
        output = right if output is None else output
        subscripts = left.split(",") if factors else []
    if output is None:
        raise ValueError("einsum needs the labels of its output")
    return open_product(factors, subscripts, output, dims).close()


def with_factors(node: Einsum, factors: Sequence[Node]) -> Node:
    """A product with other factors of the same shapes in place of its own.

    >>> from tcalc.expr.build import transpose, var
    >>> A, B = (var(name, (Dim.of("n"), Dim.of("n"))) for name in "AB")
    >>> with_factors(Einsum((A,), ((0, 1),), (1, 0), A.dims), [B]) is transpose(B)
    True
    """
    subscripts, output, shape = node.subscripts, node.output, node.dims
    fit = all(new.dims == old.dims for new, old in zip(factors, node.factors, strict=True))
    if not fit or not factors or any(map(_is_opened, factors)):
        return einsum(factors, subscripts, output, dict(zip(output, shape, strict=True)))
    # All that is left to do is to put factors in order: labels are known to fit.
    rank = {label: axis for axis, label in enumerate(output)}
    if not node.is_view:
        dims = dict(zip(output, shape, strict=True))
        return _view(*_arranged(factors, subscripts, rank, dims), output, shape)
    (core,), (row,) = factors, subscripts
    return _view(core, _best_axes(core, row, {x: rank[x] for x in row}), output, shape)


@dataclass(frozen=True, slots=True)
class OpenProduct:
    """A product before it is made a node: real factors over labels, and a coefficient.

    Unit tensors are eliminated: a label repeated in `output` stands for one.  `dims` has the
    dimension of every label.
    """

    coefficient: Fraction
    factors: tuple[Node, ...]
    subscripts: tuple[Labels, ...]
    output: Labels
    dims: Mapping[int, Dim]

    @property
    def shape(self) -> Shape:
        """The dimensions of the output."""
        return tuple([self.dims[label] for label in self.output])

    def close(self) -> Node:
        """The product as a node, in normal form."""
        shape = self.shape
        if not self.coefficient:
            return zeros(shape)
        if not self.factors and len(set(self.output)) == len(self.output):
            return const(self.coefficient, shape)
        core, row = _contraction(self)
        result = _view(core, row, self.output, shape)
        unscaled = self.coefficient is ONE or self.coefficient == 1
        return result if unscaled else scale(self.coefficient, result)


def open_product(
    factors: Sequence[Node],
    subscripts: Sequence[Subscript],
    output: Subscript,
    dims: Mapping[Any, Dim] | None = None,
) -> OpenProduct:
    """A product with its views opened, its unit tensors eliminated and its numbers collected."""
    found = _open_already(factors, subscripts, output, dims or {})
    return found or _Product().run(factors, subscripts, output, dims or {})


def _open_already(
    factors: Sequence[Node],
    subscripts: Sequence[Subscript],
    output: Subscript,
    dims: Mapping[Any, Dim],
) -> OpenProduct | None:
    """The product of real factors, permuted or scaled, as most are: only labels are numbered."""
    number: dict[Hashable, int] = {}
    found: list[Dim] = []
    kept: list[Node] = []
    rows: list[Labels] = []
    coefficient = ONE
    for factor, labels in zip(factors, subscripts, strict=True):
        if len(labels) != len(factor.dims):
            raise ValueError(f"{len(labels)} labels for a tensor of order {factor.order}")
        while _is_opened(factor):
            if isinstance(factor, Add):
                ((scalar, factor),) = factor.terms
                coefficient = scalar if coefficient is ONE else coefficient * scalar
            elif isinstance(factor, Einsum) and _is_permuted(factor):
                named = dict(zip(factor.output, labels, strict=True))
                labels = [named[axis] for axis in factor.subscripts[0]]
                (factor,) = factor.factors
            else:
                return None
        kept.append(factor)
        row: list[int] = []
        for label, dim in zip(labels, factor.dims, strict=True):
            place = number.get(label)
            if place is None:
                place = number[label] = len(found)
                found.append(dim)
            elif found[place] is not dim:
                raise ValueError(f"one label for the dimensions {found[place]} and {dim}")
            row.append(place)
        rows.append(tuple(row))
    if not rows or not number.keys() >= set(output):
        return None
    for label, dim in dims.items():
        if label in number and found[number[label]] is not dim:
            raise ValueError(f"one label for the dimensions {found[number[label]]} and {dim}")
    out = tuple([number[label] for label in output])
    return OpenProduct(coefficient, tuple(kept), tuple(rows), out, dict(enumerate(found)))


def _is_permuted(view: Einsum) -> bool:
    """Whether a view does nothing but take axes in another order."""
    return len(view.factors) == 1 and sorted(view.subscripts[0]) == sorted(view.output)


def _is_opened(factor: Node) -> bool:
    """Whether a factor is none in normal form: a view, a multiple, a number, a unit tensor."""
    kind = type(factor)
    if isinstance(factor, Einsum):
        return factor.is_view
    if isinstance(factor, Add):
        return len(factor.terms) == 1
    return kind is Const or kind is Delta


class _Product:
    """One product on its way to normal form: classes of labels, real factors, coefficient."""

    def __init__(self) -> None:
        self.number: dict[Hashable, int] = {}
        self.classes = Partition()
        self.dim: list[Dim | None] = []
        self.coefficient = ONE
        self.factors: list[Node] = []
        self.rows: list[Labels] = []

    def run(
        self,
        factors: Sequence[Node],
        subscripts: Sequence[Subscript],
        output: Subscript,
        dims: Mapping[Any, Dim],
    ) -> OpenProduct:
        pending: list[tuple[Node, list[int]]] = []
        for factor, labels in zip(factors, subscripts, strict=True):
            if len(labels) != factor.order:
                raise ValueError(f"{len(labels)} labels for a tensor of order {factor.order}")
            pending.append((factor, [self._label(label) for label in labels]))
        names = [self._label(label) for label in output]
        for label, dim in dims.items():
            if label in self.number:
                self._measure(self.number[label], dim)
        pending.reverse()
        while pending:
            self._take(*pending.pop(), pending)
        find = self.classes.find
        out = tuple(map(find, names))
        rows = [tuple(map(find, row)) for row in self.rows]
        self._carry_sizes(set(out).union(*rows))
        rows += [()] * (len(self.factors) - len(rows))
        used = {label: self._dim_of(label) for row in (out, *rows) for label in row}
        return OpenProduct(self.coefficient, tuple(self.factors), tuple(rows), out, used)

    def _label(self, name: Hashable) -> int:
        if name not in self.number:
            self.number[name] = self.classes.add()
            self.dim.append(None)
        return self.number[name]

    def _measure(self, label: int, dim: Dim) -> None:
        root = self.classes.find(label)
        known = self.dim[root]
        if known is None:
            self.dim[root] = dim
        elif known != dim:
            raise ValueError(f"one label for the dimensions {known} and {dim}")

    def _join(self, left: int, right: int) -> None:
        dims = [self.dim[self.classes.find(label)] for label in (left, right)]
        self.classes.join(left, right)
        for dim in dims:
            if dim is not None:
                self._measure(left, dim)

    def _take(self, factor: Node, labels: list[int], pending: list[tuple[Node, list[int]]]) -> None:
        """Absorb one factor: numbers and unit tensors vanish, views open, the rest is real."""
        for label, dim in zip(labels, factor.dims, strict=True):
            self._measure(label, dim)
        match factor:
            case Const(value=value):
                self.coefficient *= value
            case Delta():
                self._join(*labels)
            case Add(terms=((coefficient, inner),)):
                self.coefficient *= coefficient
                pending.append((inner, labels))
            case Einsum() if factor.is_view:
                local = dict(zip(factor.output, labels, strict=True))
                for inner, row in zip(factor.factors, factor.subscripts, strict=True):
                    pending.append((inner, [local[label] for label in row]))
            case _:
                self.factors.append(factor)
                self.rows.append(tuple(labels))

    def _dim_of(self, label: int) -> Dim:
        dim = self.dim[label]
        if dim is None:
            raise ValueError("an output label without a dimension")
        return dim

    def _carry_sizes(self, carried: set[int]) -> None:
        """A summed label that no factor has left counts its dimension: the node `size` makes."""
        for label, dim in enumerate(self.dim):
            if self.classes.find(label) != label or dim is None or label in carried:
                continue
            if dim.value is not None:
                self.coefficient *= dim.value
            else:
                self.factors.append(Einsum((ones((dim,)),), ((0,),), (), ()))


def _contraction(product: OpenProduct) -> tuple[Node | None, Labels]:
    """The contraction of the real factors, with the labels of its axes."""
    factors, subscripts = product.factors, product.subscripts
    if not factors:
        return None, ()
    rank: dict[int, int] = {}
    present = set(chain.from_iterable(subscripts))
    for position, label in enumerate(product.output):
        if label in present and label not in rank:
            rank[label] = position
    if len(factors) == 1 and present <= rank.keys():
        return factors[0], _best_axes(factors[0], subscripts[0], rank)
    return _arranged(factors, subscripts, rank, product.dims)


def _arranged(
    factors: Sequence[Node],
    subscripts: Sequence[Labels],
    rank: Mapping[int, int],
    dims: Mapping[int, Dim],
) -> tuple[Einsum, Labels]:
    """A contraction in canonical order, with the labels of its axes, which `rank` has."""
    ordered, rows, number = arrange(factors, subscripts, rank)
    kept = sorted(rank, key=number.__getitem__)
    shape = tuple([dims[label] for label in kept])
    output = tuple([number[label] for label in kept])
    return Einsum(ordered, rows, output, shape), tuple(kept)


def _best_axes(core: Node, row: Labels, rank: Mapping[int, int]) -> Labels:
    """The labels of a tensor's axes; of those that its symmetries allow, the first in the output.

    A product of equal or symmetric factors can have its axes exchanged in ways that only its
    factors tell: X X' in two axes, S[i,j] T[k] in the first two.
    """
    if len(set(row)) < len(row):
        if len(row) > 2 and symmetric_axes(core):
            turned = (*row[:-2], row[-1], row[-2])
            return min(row, turned, key=lambda labels: [rank[x] for x in labels])
        return row
    if isinstance(core, Einsum) and not is_rigid(core.factors):
        inner = dict(zip(core.output, row, strict=True))
        rows = [tuple(inner.get(x, -1 - x) for x in labels) for labels in core.subscripts]
        arranged = arrange(core.factors, rows, rank)
        if arranged.factors == core.factors and arranged.subscripts == core.subscripts:
            row = tuple(sorted(row, key=arranged.number.__getitem__))
    if len(row) > 1 and rank[row[-2]] > rank[row[-1]] and symmetric_axes(core):
        *lead, i, j = row
        return (*lead, j, i)
    return row


def _view(core: Node | None, row: Labels, out: Labels, dims: Shape) -> Node:
    """Put the axes of a core in the order of `out`, with unit tensors and broadcasts added."""
    distinct = set(out)
    if core is None and len(distinct) == len(out):
        return ones(dims)
    if core is not None and len(distinct) == len(out) == len(row) and distinct.issuperset(row):
        # Labels that all stand once are permuted, if that.
        if out == row:
            return core
        if len(set(row)) == len(row):
            axes = tuple(range(len(row)))
            return Einsum((core,), (axes,), tuple([row.index(label) for label in out]), dims)
    number: dict[int, int] = {}
    for label in row:
        number.setdefault(label, len(number))
    inside = tuple([number[label] for label in row])
    output: list[int] = []
    links: list[tuple[int, int, Dim]] = []
    seen: set[int] = set()
    count = len(number)
    for label, dim in zip(out, dims, strict=True):
        if label not in seen:
            seen.add(label)
            if label not in number:
                number[label] = count
                count += 1
            output.append(number[label])
        else:
            links.append((number[label], count, dim))
            output.append(count)
            count += 1
    factors: list[Node] = [] if core is None else [core]
    subscripts: list[Labels] = [] if core is None else [inside]
    for first, second, dim in sorted(links, key=lambda link: link[:2]):
        factors.append(delta(dim))
        subscripts.append((first, second))
    if core is None and len(links) == 1 and len(output) == 2:
        return delta(dims[0])
    return Einsum(tuple(factors), tuple(subscripts), tuple(output), dims)
