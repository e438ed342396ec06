"""Einstein notation: every tensor as its element at named indices.

Where sums happen is ruled by the language (section 3): an index that is not on the left and
occurs twice or more is summed at the innermost term that contains all its occurrences.  Every
sum here gets an index of its own within a top-level term; where the rule would not put the sum
in its place, it is written out, ``sum[i](exp(x[i]))``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import field
from fractions import Fraction
from itertools import chain
from typing import assert_never

from tcalc.expr.dims import Dim
from tcalc.expr.facts import symmetric_axes
from tcalc.expr.nodes import Add, Apply, Const, Delta, Einsum, Node, Var
from tcalc.expr.primitive import Labels
from tcalc.primitives.elementwise import Elementwise
from tcalc.primitives.onehot import is_onehot
from tcalc.primitives.power import Power as PowerOf
from tcalc.primitives.reductions import Reduction
from tcalc.primitives.selection import UnitVector, is_unit_vector
from tcalc.primitives.shifts import Shifts, ends, shifts_of
from tcalc.printing.chains import Cut, cuts_of
from tcalc.printing.formula import (
    Call,
    Formula,
    Indexed,
    Number,
    Power,
    Product,
    ShiftedAt,
    Sum,
    Symbol,
    fold,
    indices_at,
    is_element,
    is_index,
    number,
    parts,
    product,
    times_once_more,
)
from tcalc.printing.matrix import MatrixNotation
from tcalc.printing.writer import (
    WHOLE,
    Writer,
    Writing,
    call,
    eye,
    indexed,
    is_pow,
    ones,
    position,
    power_of,
    raised,
    size_of,
)
from tcalc.records import dataclass


@dataclass(slots=True, eq=False)
class _Quotient:
    """A product as it is written: its factors above and below, and where each stands first."""

    above: list[Formula] = field(default_factory=list)
    below: list[Formula] = field(default_factory=list)
    first: dict[tuple[Node, Labels], int] = field(default_factory=dict)


class EinsteinNotation:
    """Writes elements of tensors; whole tensors only as arguments of linear algebra."""

    def __init__(self, writer: Writer, indices: Iterator[str], left: Sequence[str] = ()) -> None:
        self.writer = writer
        self.left = left
        self.indices = indices
        self.matrix = MatrixNotation(writer)
        self._seen: dict[int, Mapping[str, int]] = {}

    def element(self, node: Node, at: tuple[str, ...]) -> Writing:
        """The element of a node at given indices, names or integers."""
        name = self.writer.defined.get(node)
        if name is not None:
            return indexed(Symbol(name), at)
        match node:
            case Var(name=name):
                return indexed(Symbol(name), at)
            case Const(value=value):
                return number(value)
            case Delta():
                # ``delta[i,i]`` would make of i an index that is summed.
                return number(Fraction(1)) if at[0] == at[1] else Indexed(eye(node.dims[0]), at)
            case Add(terms=terms):
                written: list[tuple[Fraction, Formula]] = []
                for coefficient, term in terms:
                    written += [(coefficient, (yield self.element(term, at)))]
                return self.writer.linear(written)
            case Einsum():
                return (yield self._product(node, at))
            case Apply():
                return (yield self._apply(node, at))
            case _:
                assert_never(node)

    def _product(self, node: Einsum, at: tuple[str, ...]) -> Writing:
        places = list(zip(node.factors, node.subscripts, strict=True))
        sizes = {x: dim for f, row in places for x, dim in zip(row, f.dims, strict=True)}
        carried = {x for f, row in places if not isinstance(f, Const) for x in row}
        names = _positions(places) | dict(zip(node.output, at, strict=True))
        summed: dict[str, Dim] = {}
        quotient = _Quotient()
        gone = self._gathered(node, names, summed, quotient.above)
        for factor, row, ranges in self._sliced(node):
            if isinstance(factor, Const):
                # A ones tensor stands here for the size of a summed dimension.
                quotient.above += [size_of(sizes[label]) for label in row if label not in carried]
                continue
            if is_unit_vector(factor) and row[0] not in node.output:
                continue
            if (factor, row) in gone:
                continue
            for label in row:
                if label not in names:
                    names[label] = next(self.indices)
                    summed[names[label]] = sizes[label]
            place = tuple(names[label] for label in row)
            if ranges:
                sliced = Indexed(Symbol(self._name(factor)), ranges)
                quotient.above.append(Indexed(sliced, place))
            else:
                yield from self._enter(factor, row, place, quotient)
        for index, dim in list(summed.items()):
            written = (*quotient.above, *quotient.below)
            if not any(index in self.occurrences(factor) for factor in written):
                quotient.above.append(size_of(dim))  # the factor is the same at all indices
                del summed[index]
        return self._sum_over(tuple(summed), quotient.above, quotient.below)

    def _gathered(
        self,
        node: Einsum,
        names: dict[int, str],
        summed: dict[str, Dim],
        beside: list[Formula],
    ) -> set[tuple[Node, Labels]]:
        """The factors that say at which positions others have their elements, ``X[g[i],k]``.

        Their summed labels are named by these positions; what these need stands `beside`.
        """
        gone: set[tuple[Node, Labels]] = set()
        places = list(zip(node.factors, node.subscripts, strict=True))
        sizes = {x: dim for f, row in places for x, dim in zip(row, f.dims, strict=True)}
        uses = Counter(chain.from_iterable(set(row) for _, row in places))
        for factor, row in places:
            if not is_onehot(factor) or len(row) < 2:
                continue
            *rows, long = row
            if long in (*rows, *node.output, *names):
                continue
            shifts = shifts_of(factor)
            name = self._name(factor.args[0])
            if not (name or shifts) or uses[long] == 1:
                continue
            for label in rows:
                if label not in names:
                    names[label] = next(self.indices)
                    summed[names[label]] = sizes[label]
            at = [names[x] for x in rows]
            if shifts:
                names[long], units, own = self._shifted(shifts, at)
                beside += units
                summed |= own
            elif any(isinstance(x, ShiftedAt) for x in at):
                continue  # positions that are data are at indices themselves
            else:
                names[long] = f"{name}[{','.join(at)}]"
            gone.add((factor, row))
        return gone

    def _enter(
        self, factor: Node, row: Labels, at: tuple[str, ...], quotient: _Quotient
    ) -> Generator[Writing, Formula, None]:
        """Write a factor at these indices: above, below, or as one more power of what is there."""
        if symmetric_axes(factor) and at[-1] in self.left and at[-2] not in self.left:
            at = (*at[:-2], at[-1], at[-2])
        base, exponent = power_of(factor)
        above, first = quotient.above, quotient.first.get((factor, row))
        if exponent < 0 and factor not in self.writer.defined:
            inner = yield self.element(base, at)
            quotient.below.append(raised(inner, -exponent, elementwise=False))
        elif first is not None and exponent == 1 and not isinstance(above[first], Indexed):
            above[first] = times_once_more(above[first])
        else:
            quotient.first[factor, row] = len(above)
            above.append((yield self.element(factor, at)))

    def _name(self, node: Node) -> str:
        """The name of an input or of a definition; empty for anything else."""
        return node.name if isinstance(node, Var) else self.writer.defined.get(node, "")

    def _sliced(self, node: Einsum) -> Iterator[tuple[Node, Labels, tuple[str, ...]]]:
        """The factors of a product with their labels, and the ranges of those that are sliced."""
        factors = list(zip(node.factors, node.subscripts, strict=True))
        cuts = {
            label: cut
            for label, cut in cuts_of(factors, node.output).items()
            if cut.label is not None
            and any(label in row and self._name(factor) for factor, row in factors)
        }
        gone = {cut.place for cut in cuts.values()}
        for k, (factor, row) in enumerate(factors):
            if k not in gone and not cuts.keys() & set(row):
                yield factor, row, ()
            elif k not in gone:
                ranges = tuple(cuts[x].at if x in cuts else WHOLE for x in row)
                yield factor, tuple(_left_of(cuts, x) for x in row), ranges

    def _sum_over(
        self, summed: tuple[str, ...], above: list[Formula], below: list[Formula]
    ) -> Formula:
        """The product of factors, with the sums written out that the language would misplace."""
        explicit = tuple(index for index in summed if not self._natural(index, above, below))
        if not explicit:
            return self._quotient(above, below)
        # The factors without these indices stay outside.
        inside = [f for f in above if set(explicit) & self.occurrences(f).keys()]
        within = [f for f in below if set(explicit) & self.occurrences(f).keys()]
        core = Call("sum", (self._quotient(inside, within),), over=explicit)
        kept = [f for f in above if f not in inside]
        return self._quotient([*kept, core], [f for f in below if f not in within])

    def _quotient(self, above: Sequence[Formula], below: Sequence[Formula]) -> Formula:
        top = self.writer.along(above, self._indices, self.left)
        return product(Fraction(1), top, divisors=self.writer.scalars(below))

    def _indices(self, formula: Formula) -> list[str]:
        return list(self.occurrences(formula))

    def _apply(self, node: Apply, at: tuple[str, ...]) -> Writing:
        primitive = node.primitive
        if isinstance(primitive, PowerOf):
            base = yield self.element(node.args[0], at)
            size = raised(base, abs(primitive.exponent), elementwise=False)
            if primitive.exponent > 0:
                return size
            return product(Fraction(1), divisors=(size,))
        if is_pow(node):
            below = yield self.element(node.args[0], at)
            return Power(below, (yield self.element(node.args[1], at)))
        if isinstance(primitive, Elementwise):
            args: list[Formula] = []
            for argument in node.args:
                args += [(yield self.element(argument, at))]
            return call(node, args)
        if isinstance(primitive, Reduction):
            (argument,) = node.args
            lead = argument.order - primitive.axes
            over = at[lead:] if primitive.keeps else self._fresh(primitive.axes)
            apart = len(set(over)) == len(over) and not set(over) & set(at[:lead])
            if apart and all(map(is_index, over)):
                inner = yield self.element(argument, at[:lead] + over)
                ranges = dict(zip(over, argument.dims[lead:], strict=True))
                seen = self.occurrences(inner)
                missing = {index: dim for index, dim in ranges.items() if index not in seen}
                return call(node, [repeated(inner, missing) if missing else inner], over)
        if isinstance(primitive, UnitVector):
            (place,) = at
            index = position(primitive.index, primitive.dim)
            return Indexed(eye(primitive.dim), (place, index))
        if (shifts := shifts_of(node)) is not None:
            place, units, own = self._shifted(shifts, at[:-1])
            unit = Indexed(eye(shifts.size), (place, at[-1]))
            return self._sum_over(tuple(own), [*units, unit], [])
        whole = yield self.matrix.whole(node)
        return indexed(self.writer.noted(node, whole), at)

    def _shifted(
        self, shifts: Shifts, at: Sequence[str]
    ) -> tuple[ShiftedAt, list[Formula], dict[str, Dim]]:
        """The position that some positions are shifted to, factors with it, and their indices.

        What is no index, and makes no sum of indices, is the position of an index of its own:
        ``eye(n)[2,j]*x[j+k-1]``.
        """
        place = _composed(shifts, at)
        if place is not None:
            return place, [], {}
        own: dict[str, Dim] = {}
        units: list[Formula] = []
        plain: list[str] = []
        for x, dim in zip(at, shifts.dims, strict=True):
            plain.append(x if is_index(x) and x not in plain else next(self.indices))
            if plain[-1] != x:
                own[plain[-1]] = dim
                units.append(Indexed(eye(dim), (x, plain[-1])))
        terms = dict(zip(plain, shifts.coefficients, strict=True))
        return _shifted_at(terms, shifts.offset, shifts.size, shifts.dims), units, own

    def _fresh(self, count: int) -> tuple[str, ...]:
        return tuple(next(self.indices) for _ in range(count))

    # Where the language sums.

    def occurrences(self, formula: Formula) -> Mapping[str, int]:
        """How often each index stands in a formula."""
        known = self._seen.get(id(formula))
        if known is not None:
            return known
        self.writer.keep(formula)
        if is_element(formula):
            counts = self._seen[id(formula)] = _count(formula, [])
            return counts
        return fold(formula, _count, self._seen)

    def _natural(self, index: str, above: Sequence[Formula], below: Sequence[Formula]) -> bool:
        """Whether the language sums an index over the quotient of these factors by itself."""
        top = [factor for factor in above if index in self.occurrences(factor)]
        bottom = [factor for factor in below if index in self.occurrences(factor)]
        if bottom and not any(self._is_above(index, factor) for factor in top):
            return False  # all their denominators become one
        if len(top) + len(bottom) != 1:
            return bool(top)  # a denominator that holds all occurrences would be summed itself
        if bottom:
            return False  # likewise
        (formula,) = top
        if isinstance(formula, Sum) and len(above) + len(below) == 1:
            return False  # it would lose its parentheses
        if self.occurrences(formula)[index] == 1:
            return False
        return isinstance(formula, Indexed) or self._spread(index, formula)

    def _is_above(self, index: str, formula: Formula) -> bool:
        """Whether an index stands in a factor outside of its denominator."""
        if isinstance(formula, Product):
            numerator = (*formula.scalars, *formula.body)
            return any(index in self.occurrences(factor) for factor in numerator)
        return True

    def _spread(self, index: str, formula: Formula) -> bool:
        """Whether no single term inside a factor holds all occurrences of an index."""
        if isinstance(formula, Product) or (isinstance(formula, Call) and index in formula.over):
            return False
        inner = [part for part in parts(formula) if index in self.occurrences(part)]
        if len(inner) != 1 or isinstance(formula, Sum):
            return len(inner) > 1
        (content,) = inner
        return isinstance(content, Sum) and self._spread(index, content)


def _positions(places: Sequence[tuple[Node, Labels]]) -> dict[int, str]:
    """The positions that unit vectors put in the place of labels."""
    found: dict[int, str] = {}
    for factor, row in places:
        match factor:
            case Apply(primitive=UnitVector(index=index, dim=dim)):
                found.setdefault(row[0], position(index, dim))
    return found


def _composed(shifts: Shifts, at: Sequence[str]) -> ShiftedAt | None:
    """The sum of indices that some positions are shifted to, if the language reads it so."""
    terms: dict[str, int] = {}
    sizes: dict[str, Dim] = {}
    offset = shifts.offset
    for coefficient, x, dim in zip(shifts.coefficients, at, shifts.dims, strict=True):
        inner: Sequence[tuple[int, str]]
        if isinstance(x, ShiftedAt) and x.number is not None:
            inner = x.terms
            sizes |= zip(x.indices, x.dims, strict=True)
            offset = offset + x.number * coefficient
        elif is_index(x):
            inner = [(1, x)]
            sizes[x] = dim
        else:
            return None
        for times, name in inner:
            terms[name] = terms.get(name, 0) + times * coefficient
    ones_only = all(abs(times) == 1 for times in terms.values())
    if 0 in terms.values() or [*terms.values()] == [1]:
        return None
    dims = tuple(sizes[name] for name in terms)
    # Sums of indices themselves go from the beginning of the axis to its end.
    if ones_only and ends([*terms.values()], offset, dims) != (Dim.of(1), shifts.size):
        return None
    return _shifted_at(terms, offset, shifts.size, dims)


def _shifted_at(
    terms: Mapping[str, int], offset: Dim, size: Dim, dims: tuple[Dim, ...]
) -> ShiftedAt:
    """A sum of indices and an offset."""
    # From the end on where nothing but the size of the axis is in it, a name or a number that the
    # indices are subtracted from.
    backwards = all(times < 0 for times in terms.values())
    rest = (offset - size).value if size.value is None or backwards else None
    text = str(offset) if rest is None else f"end{rest:+d}" if rest else "end"
    multiples = [(times, name) for name, times in terms.items()]
    return ShiftedAt(multiples, text.replace(" ", ""), dims, offset)


def repeated(value: Formula, over: Mapping[str, Dim]) -> Formula:
    """A formula times a tensor of ones with further axes."""
    if isinstance(value, Number) and value.value == 0:
        return Indexed(Call("zeros", tuple(map(size_of, over.values()))), tuple(over))
    return product(Fraction(1), (value, Indexed(ones(*over.values()), tuple(over))))


def _left_of(cuts: Mapping[int, Cut], label: int) -> int:
    """The label of an axis after it was cut."""
    left = cuts[label].label if label in cuts else label
    return label if left is None else left


def _count(formula: Formula, inner: list[Mapping[str, int]]) -> Mapping[str, int]:
    total: dict[str, int] = {}
    if isinstance(formula, Indexed):
        for name in indices_at(*formula.positions):
            total[name] = total.get(name, 0) + 1
    for counts in inner:
        for name, times in counts.items():
            total[name] = total.get(name, 0) + times
    return total
