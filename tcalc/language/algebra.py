"""Values of the elaboration, and the generic product that both notations share.

A value is a product that is still open: a coefficient times factors over labels, some of which
are its axes.  So the product of many matrices, a trace of it, or a sum over an index becomes one
einsum, and a transpose costs nothing.  Matrix notation knows an axis by its position, Einstein
notation by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import count
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from tcalc.errors import DimensionError, IndexNotationError, LimitError, OrientationError, Span
from tcalc.expr import Dim, Node
from tcalc.language.dimensions import Dimensions, Side
from tcalc.language.tape import Slot, Tape
from tcalc.primitives.selection import window

Factor: TypeAlias = tuple[Slot, tuple[int, ...]]

ONE = Dim.of(1)

NOWHERE: Mapping[str, int] = MappingProxyType({})

LONGEST_PRODUCT = 8
"""Beyond that many factors a product is built, and goes on as one factor."""

LONGEST_FRACTION = 4096
"""Beyond that many bits an exact number is replaced by the nearest double."""


class Value(NamedTuple):
    """What an expression denotes.

    `axes` are labels, each carried by a factor, with their `dims`; `names` are the indices of the
    axes in Einstein notation, and empty in matrix notation, where `row` tells a row from a
    column.  `occurrences` counts how often each index stands in the text.  `variable_axes` is the
    number of axes of the variable of a derivative, and `within` the slot of that variable where it
    was declared symmetric, diagonal or triangular, and so are both ends of the derivative.  An
    `elastic` value is a scalar that stands for a tensor of whatever shape is wanted: a bare
    ``ones`` or ``zeros``.
    """

    coefficient: Fraction
    factors: tuple[Factor, ...]
    axes: tuple[int, ...]
    dims: tuple[Dim, ...]
    span: Span
    names: tuple[str, ...] = ()
    row: bool = False
    occurrences: Mapping[str, int] = NOWHERE
    variable_axes: int = 0
    within: Slot | None = None
    elastic: bool = False

    @property
    def order(self) -> int:
        return len(self.axes)

    @property
    def number(self) -> Fraction | None:
        """The number that the value is, where it is nothing else."""
        return None if self.factors or self.elastic else self.coefficient

    @property
    def kind(self) -> str:
        """What it is, for messages."""
        match self.order:
            case 0:
                return "a scalar"
            case 1:
                return "a row" if self.row else "a column"
            case 2:
                return "a matrix"
        return f"a tensor of order {self.order}"


class Algebra:
    """Makes values, by writing on the tape and equating dimensions."""

    def __init__(self, tape: Tape, dimensions: Dimensions) -> None:
        self.tape = tape
        self.dimensions = dimensions
        #: The indices of the formula to which a number is added at some position.
        self.moved: frozenset[str] = frozenset()
        self._labels = count()

    def fresh(self, number: int) -> tuple[int, ...]:
        """That many new labels."""
        return tuple(next(self._labels) for _ in range(number))

    def number(self, value: Fraction | int, span: Span) -> Value:
        """An exact number, rounded to a double where it has grown absurdly long."""
        exact = value if isinstance(value, Fraction) else Fraction(value)
        if exact.numerator.bit_length() + exact.denominator.bit_length() > LONGEST_FRACTION:
            try:
                exact = Fraction(repr(float(exact)))
            except OverflowError:
                raise LimitError(
                    "a number beyond the range of doubles",
                    span=span,
                    hint="the largest double is near 1.8e308",
                ) from None
        return Value(exact, (), (), (), span)

    def atom(self, slot: Slot, dims: Sequence[Dim], span: Span) -> Value:
        """The tensor of a slot, as a column if it is a vector."""
        axes = self.fresh(len(dims))
        return Value(Fraction(1), ((slot, axes),), axes, tuple(dims), span)

    def core(self, value: Value) -> tuple[Fraction, Slot]:
        """The value as a coefficient and a slot whose axes are those of the value."""
        if not value.factors:
            return value.coefficient, self.tape.constant(1)
        if len(value.factors) == 1 and value.factors[0][1] == value.axes:
            return value.coefficient, value.factors[0][0]
        return value.coefficient, self.tape.einsum(value.factors, value.axes, span=value.span)

    def slot(self, value: Value) -> Slot:
        """The value built as one tensor."""
        if not value.factors:
            return self.tape.constant(value.coefficient)
        coefficient, slot = self.core(value)
        return slot if coefficient == 1 else self.tape.add([(coefficient, slot)], value.span)

    def solid(self, value: Value) -> Value:
        """The value as a single factor, so that all its uses share one tensor."""
        if not value.factors:
            return value
        if len(value.factors) == 1 and sorted(value.factors[0][1]) == sorted(value.axes):
            return value
        coefficient, slot = self.core(value)
        return value._replace(coefficient=coefficient, factors=((slot, value.axes),))

    def again(self, value: Value, span: Span) -> Value:
        """A solid value for another use: new labels, another place in the text."""
        mapping = dict(zip(value.axes, self.fresh(value.order), strict=True))
        return _rename(value, mapping)._replace(span=span)

    def concrete(self, value: Value) -> Value:
        """The value with an elastic one made a vector."""
        if not value.elastic:
            return value
        dim = self.dimensions.unknown(value.span)
        slot = self.tape.constant(value.coefficient, (dim,))
        return self.atom(slot, (dim,), value.span)

    # Products

    def fuse(
        self, left: Value, right: Value, shared: Iterable[tuple[int, int]], message: str, span: Span
    ) -> Value:
        """The product with pairs of axes identified; all axes stay, those of the left first."""
        if len(left.factors) + len(right.factors) > LONGEST_PRODUCT:
            left, right = self.solid(left), self.solid(right)
        mapping: dict[int, int] = {}
        for i, j in shared:
            here, there = Side(left.dims[i], left.span), Side(right.dims[j], right.span)
            self.dimensions.equate(here, there, message, span)
            mapping[right.axes[j]] = left.axes[i]
        rest = [k for k, axis in enumerate(right.axes) if axis not in mapping]
        right_renamed = _rename(right, mapping)
        return Value(
            self.number(left.coefficient * right.coefficient, span).coefficient,
            left.factors + right_renamed.factors,
            left.axes + tuple(right.axes[k] for k in rest),
            left.dims + tuple(right.dims[k] for k in rest),
            span,
            occurrences=merge(left.occurrences, right.occurrences),
        )

    def without(self, value: Value, positions: Iterable[int]) -> Value:
        """The value summed over axes, given by position."""
        gone = set(positions)
        return self.arranged(value, [k for k in range(value.order) if k not in gone])

    def arranged(self, value: Value, positions: Sequence[int]) -> Value:
        """The value with these axes, in that order; the others are summed."""
        return value._replace(
            axes=tuple(value.axes[k] for k in positions),
            dims=tuple(value.dims[k] for k in positions),
            names=tuple(value.names[k] for k in positions) if value.names else (),
        )

    def diagonal(self, value: Value, i: int, j: int, message: str) -> Value:
        """Two axes made one, which stays in the place of the first."""
        left, right = Side(value.dims[i], value.span), Side(value.dims[j], value.span)
        self.dimensions.equate(left, right, message, value.span)
        joined = _rename(value, {value.axes[j]: value.axes[i]})
        return self.arranged(joined, [k for k in range(value.order) if k != j])

    def sliced(self, value: Value, axis: int, start: Dim, stop: Dim) -> Value:
        """The part of an axis from one position to another."""
        dim = value.dims[axis]
        slot = self.tape.call(window, dims=(start, stop, dim), span=value.span)
        (label,) = self.fresh(1)
        factor = (slot, (label, value.axes[axis]))
        return value._replace(
            factors=(*value.factors, factor),
            axes=(*value.axes[:axis], label, *value.axes[axis + 1 :]),
            dims=(*value.dims[:axis], stop - start + 1, *value.dims[axis + 1 :]),
        )

    def within_reach(self, values: Sequence[Value]) -> list[Value]:
        """The values where an index that is moved, ``x[i+1]``, goes as far in one as in the other.

        Beside ``x[i+1]`` it ends one position earlier in ``x[i]``, which then has its part.
        """
        ends: dict[str, Dim] = {}
        for value in values if self.moved else ():
            for name, dim in zip(value.names, value.dims, strict=True):
                if name in self.moved and self._goes_further(ends.setdefault(name, dim), dim):
                    ends[name] = dim
        cut = list(values)
        for k, value in enumerate(values):
            for axis, name in enumerate(value.names if ends else ()):
                if name in ends and self._goes_further(value.dims[axis], ends[name]):
                    cut[k] = self.sliced(cut[k], axis, ONE, ends[name])
        return cut

    def within_reach_of_both(self, value: Value, name: str, i: int, j: int) -> Value:
        """The same for two axes that have one index, ``A[i,i+1]``."""
        for long, short in ((i, j), (j, i)):
            if name in self.moved and self._goes_further(value.dims[long], value.dims[short]):
                return self.sliced(value, long, ONE, value.dims[short])
        return value

    def _goes_further(self, dim: Dim, other: Dim) -> bool:
        """Whether a dimension is known to be some positions longer than another, or a size."""
        room = self.dimensions.resolve(dim - other)
        if room.value is not None or self.dimensions.unknown_in(room):
            return (room.value or 0) > 0
        return all(times > 0 for _, times in room.terms)

    # Tensors of one shape

    def aligned(self, values: Sequence[Value], span: Span) -> tuple[Value, list[Slot]]:
        """Slots of one shape for the values, scalars and missing indices broadcast.

        The first result has that shape, names and orientation, and no factors.
        """
        cores, shape = self._aligned_cores(values, span)
        slots = [
            slot if coefficient == 1 else self.tape.add([(coefficient, slot)], span)
            for coefficient, slot in cores
        ]
        return shape, slots

    def added(self, terms: Sequence[tuple[int, Value]], span: Span) -> Value:
        """A sum of values with signs."""
        if len(terms) == 1 and terms[0][0] == 1:
            return terms[0][1]
        if not any(value.factors for _, value in terms):
            total = self.number(sum((s * v.coefficient for s, v in terms), Fraction(0)), span)
            return total._replace(elastic=any(value.elastic for _, value in terms))
        _refuse_mixture([value for _, value in terms])
        cores, shape = self._aligned_cores([value for _, value in terms], span)
        signed = [(sign * c, slot) for (sign, _), (c, slot) in zip(terms, cores, strict=True)]
        slot = self.tape.add(signed, span)
        return shape._replace(factors=((slot, shape.axes),))

    def mapped(self, function: Callable[..., Node], values: Sequence[Value], span: Span) -> Value:
        """A function of tensors of one shape, applied element by element."""
        if not any(value.order for value in values):
            values = [self.concrete(value) for value in values]
        shape, slots = self.aligned(values, span)
        slot = self.tape.call(function, slots, span=span)
        return shape._replace(factors=((slot, shape.axes),))

    def slot_like(self, value: Value, shape: Value) -> Slot:
        """The indexed value built with all the indices of a shape, in their order."""
        places = [shape.names.index(name) for name in value.names]
        coefficient, slot = self._spread(value, places, shape)
        return slot if coefficient == 1 else self.tape.add([(coefficient, slot)], value.span)

    def _aligned_cores(
        self, values: Sequence[Value], span: Span
    ) -> tuple[list[tuple[Fraction, Slot]], Value]:
        if any(value.names for value in values):
            values = self.within_reach(values)
            shape = self.common_indices(values, span)
            wanted = [[shape.names.index(name) for name in value.names] for value in values]
        else:
            shape = self.common_shape(values, span)
            wanted = [list(range(value.order)) for value in values]
        pairs = zip(values, wanted, strict=True)
        return [self._spread(value, places, shape) for value, places in pairs], shape

    def _spread(self, value: Value, places: Sequence[int], shape: Value) -> tuple[Fraction, Slot]:
        """The value with its axes at those places of a shape, broadcast along the others."""
        if not value.factors:
            return value.coefficient, self.tape.constant(1, shape.dims)
        if list(places) == list(range(shape.order)):
            return self.core(value)
        at = dict(zip(places, value.axes, strict=True))
        labels = self.fresh(shape.order)
        output = [at.get(k, labels[k]) for k in range(shape.order)]
        broadcast = {labels[k]: shape.dims[k] for k in range(shape.order) if k not in at}
        slot = self.tape.einsum(value.factors, output, broadcast, value.span)
        return value.coefficient, slot

    def common_indices(self, values: Sequence[Value], span: Span) -> Value:
        found: dict[str, Side] = {}
        for value in values:
            require_indices(value)
            for name, dim in zip(value.names, value.dims, strict=True):
                side = Side(dim, value.span)
                other = found.setdefault(name, side)
                self.dimensions.equate(other, side, f"index {name} has two ranges", span)
        if len(values) > 1 and any(name.startswith(SLICE) for name in found):
            raise IndexNotationError(
                "a slice among index names cannot be added or compared",
                span=span,
                hint="name its axes, X[i,k] for X[i,:], A[2:3,1:end][i,j] for A[2:3,1:end]; "
                "a function takes one in brackets, norm2[k](X[i,k] - X[j,k])",
            )
        occurrences = merge(*(value.occurrences for value in values))
        dims = tuple(side.dim for side in found.values())
        axes = self.fresh(len(dims))
        return Value(Fraction(1), (), axes, dims, span, tuple(found), occurrences=occurrences)

    def common_shape(self, values: Sequence[Value], span: Span) -> Value:
        occurrences = merge(*(value.occurrences for value in values))
        tensors = [value for value in values if value.order]
        if not tensors:
            return Value(Fraction(1), (), (), (), span, occurrences=occurrences)
        first = tensors[0]
        for other in tensors[1:]:
            if other.order != first.order:
                raise _different_orders(first, other, span)
            if other.row != first.row:
                raise _different_orientations(first, other, span)
            for here, there in zip(first.dims, other.dims, strict=True):
                left, right = Side(here, first.span), Side(there, other.span)
                self.dimensions.equate(left, right, "two shapes that must be equal", span)
        axes = self.fresh(first.order)
        return Value(
            Fraction(1), (), axes, first.dims, span, row=first.row, occurrences=occurrences
        )


SLICE = "~"
"""How the name of an axis begins that a slice left without one."""


def merge(*counts: Mapping[str, int]) -> Mapping[str, int]:
    """Occurrences added up."""
    some = [one for one in counts if one]
    if len(some) < 2:
        return some[0] if some else NOWHERE
    total: dict[str, int] = {}
    for one in some:
        for name, times in one.items():
            total[name] = total.get(name, 0) + times
    return total


def require_indices(value: Value, left: Sequence[str] = ()) -> None:
    """Refuse a tensor without indices where there are some, `left` among them as wanted."""
    if value.order and not value.names:
        letters = ",".join("ijklpq"[: value.order]) if value.order <= 6 else "i,j,..."
        letters = ",".join(left) if len(left) == value.order else letters
        text = value.span.text
        shown = text if text.isidentifier() else "(...)"
        raise IndexNotationError(
            f"{value.kind} without indices among indexed terms",
            span=value.span,
            hint=f"name its axes, for example {shown}[{letters}]; only scalars need none",
        )


def _refuse_mixture(terms: Sequence[Value]) -> None:
    """Terms with and without indices mix only where the one without is a scalar."""
    if any(term.occurrences and (term.names or not term.order) for term in terms):
        for term in terms:
            if not term.occurrences:
                require_indices(term)


def _rename(value: Value, mapping: Mapping[int, int]) -> Value:
    if not mapping:
        return value
    factors = tuple(
        (slot, tuple(mapping.get(label, label) for label in labels))
        for slot, labels in value.factors
    )
    axes = tuple(mapping.get(label, label) for label in value.axes)
    return value._replace(factors=factors, axes=axes)


def _different_orders(first: Value, other: Value, span: Span) -> DimensionError:
    error = DimensionError(f"{first.kind} and {other.kind} have different shapes", span=span)
    error.mention(f"this is {first.kind}", first.span)
    error.mention(f"this is {other.kind}", other.span)
    vector, tensor = sorted((first, other), key=lambda value: value.order)
    if vector.order != 1 or tensor.order != 2:
        return error.advise("only a scalar is broadcast; with indices, any axis: A[i,j,k] + x[k]")
    text = vector.span.text.removesuffix("'" if vector.row else "")
    x = text if text.isidentifier() else "x"
    return error.advise(
        f"only a scalar is broadcast: ones*{x}' has {x} in every row, {x}*ones' in every column"
    )


def _different_orientations(first: Value, other: Value, span: Span) -> OrientationError:
    error = OrientationError("a row and a column do not fit element by element", span=span)
    error.mention(f"this is {first.kind}", first.span)
    error.mention(f"this is {other.kind}", other.span)
    return error.advise("transpose one of them with `'`, or take the outer product x*y'")
