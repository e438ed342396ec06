"""Einstein notation: which index is summed, and where.

In a term of the top level, an index that occurs twice or more and is not kept (it stands neither
on the left nor in the brackets of a reduction) is summed over the innermost term that contains
all its occurrences: a term of the content of parentheses, of a function argument, of the base or
exponent of a power, of a denominator, or of the top level.  The content of parentheses that is a
sum of several terms is not one term: ``(X[i,k] - X[j,k])^2`` has ``k`` once in each, so ``k`` is
free in both, and summed over the term around the power.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import field, replace
from functools import partial

from tcalc.errors import DimensionError, IndexNotationError, Span, counted
from tcalc.expr import Dim
from tcalc.language.algebra import NOWHERE, SLICE, Algebra, Value, merge, require_indices
from tcalc.language.dimensions import Dimensions, Side
from tcalc.language.habits import INDICES
from tcalc.language.names import Counters, Names
from tcalc.language.syntax import (
    Bound,
    Call,
    Expression,
    Gathered,
    Index,
    Position,
    Range,
    children,
    walk,
)
from tcalc.primitives.onehot import onehot
from tcalc.primitives.selection import unit
from tcalc.primitives.shifts import ends, shifted
from tcalc.records import dataclass

CLOSED = frozenset({"einsum", "gradient", "jacobian", "hessian", "derivative"})
"""Functions whose arguments are formulas of their own: no index of theirs is seen outside."""


NOTHING: Mapping[Position, Value] = {}
"""No positions that are data."""


_HOW_FAR = (
    "how far {0} goes must follow from another tensor with that index, or be said: ones(m)[{0}], "
    "as a factor"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression must know of its surroundings.

    `kept` are the indices that must not be summed here, `totals` the occurrences of each index in
    the whole term of the top level, `counters` the counters of the loops around.
    """

    counters: Counters
    kept: frozenset[str] = frozenset()
    totals: Mapping[str, int] = field(default_factory=dict)

    @property
    def indices(self) -> Set[str]:
        """The names that are those of indices."""
        return self.kept | self.totals.keys()

    def keeping(self, names: tuple[str, ...]) -> Scope:
        """The same with more indices that must not be summed."""
        return replace(self, kept=self.kept | set(names))


def occurrences(
    expression: Expression, names: Names, counters: Counters, stays: Callable[[str], bool]
) -> dict[str, int]:
    """How often each index stands in a term.

    The index of a reduction belongs to it, and counts once where the function `stays` on it, as
    softmax does, and not at all otherwise.
    """
    found: dict[str, int] = {}
    alone: set[str] | None = None  # looked for once, where there are sums of indices at all
    pending: list[tuple[Expression, frozenset[str]]] = [(expression, frozenset())]
    while pending:
        part, own = pending.pop()
        match part:
            case Index(positions=positions):
                # What is indexed is a formula of its own: its indices are not seen outside.
                seen = names_in(positions, names, counters)
                if any(map(_has_sum, positions)):
                    alone = _alone(expression, names, counters) if alone is None else alone
                    seen += shifted_names(positions, names, counters, alone)
                pending += [(at.at, own) for at in positions if isinstance(at, Gathered)]
            case Call(function=function, indices=indices, arguments=arguments):
                bound = names_in(indices or (), names, counters)
                seen = bound if stays(function) else ()
                if function not in CLOSED:
                    pending += [(argument, own | set(bound)) for argument in arguments]
            case _:
                seen = ()
                pending += [(child, own) for child in children(part)]
        for name in seen:
            if name not in own:
                found[name] = found.get(name, 0) + 1
    return found


def moved(
    terms: Iterable[Expression],
    left: Iterable[str],
    names: Names,
    counters: Counters,
    stays: Callable[[str], bool],
) -> dict[int | None, set[str]]:
    """The indices to which a number is added at some position of a formula: i of ``x[i+1]``.

    The index of a reduction belongs to it, as in `occurrences`: such are told by the `id` of the
    call, the others by None.
    """
    found: dict[int | None, set[str]] = {None: set()}
    for term in terms:
        sums: list[tuple[Bound, dict[str, int]]] = []
        pending: list[tuple[Expression, dict[str, int]]] = [(term, {})]
        while pending:
            part, own = pending.pop()
            match part:
                case Index(positions=positions):
                    bounds = (x for x in positions if isinstance(x, Bound) and _has_sum(x))
                    sums += [(bound, own) for bound in bounds]
                    inner = [at.at for at in positions if isinstance(at, Gathered)]
                case Call(function=function, indices=indices, arguments=arguments):
                    if indices and not stays(function):
                        own = own | dict.fromkeys(names_in(indices, names, counters), id(part))
                    inner = [*arguments] if function not in CLOSED else []
                case _:
                    inner = [*children(part)]
            pending += [(x, own) for x in inner]
        alone = _alone(term, names, counters).union(left) if sums else set()
        for bound, own in sums:
            shifts = names.shifts(bound, counters, alone | own.keys())
            if (*shifts.values(),) == (1,):
                (name,) = shifts
                found.setdefault(own.get(name), set()).add(name)
    return found


def names_in(positions: tuple[Position, ...], names: Names, counters: Counters) -> tuple[str, ...]:
    """The index names among some positions, repetitions included."""
    return tuple(
        position.name
        for position in positions
        if isinstance(position, Bound)
        and position.name is not None
        and names.is_index(position, counters)
    )


def shifted_names(
    positions: tuple[Position, ...], names: Names, counters: Counters, alone: Collection[str]
) -> tuple[str, ...]:
    """The names of indices in positions that are sums of them, each once for each position.

    Those that stand `alone` at positions too are indices, even if sizes have their names.
    """
    bounds = (position for position in positions if isinstance(position, Bound))
    return tuple(name for bound in bounds for name in names.shifts(bound, counters, alone))


def _has_sum(position: Position) -> bool:
    """Whether a position has names in it and is more than a name."""
    if not isinstance(position, Bound) or position.name is not None:
        return False
    return any(names for _, names in position.terms)


def _alone(expression: Expression, names: Names, counters: Counters) -> set[str]:
    """The indices that stand alone at positions of an expression."""
    indexed = (part for part in walk(expression) if isinstance(part, Index))
    return {name for x in indexed for name in names_in(x.positions, names, counters)}


def close(value: Value, scope: Scope, algebra: Algebra) -> Value:
    """The value of a whole term, summed over the indices that have all occurrences in it."""
    done = [
        position
        for position, name in enumerate(value.names)
        if name not in scope.kept
        and value.occurrences.get(name, 0) >= 2
        and value.occurrences[name] == scope.totals.get(name)
    ]
    return algebra.without(value, done) if done else value


def keep_only(value: Value, left: tuple[str, ...], algebra: Algebra) -> Value:
    """The value of a term summed over all indices that are not on the left."""
    if left:
        require_indices(value, left)
    for name in value.names:
        if name.startswith(SLICE):
            raise IndexNotationError(
                "a slice among index names has no name on the left",
                span=value.span,
                hint="name its axes: A[2:3,1:end][i,j]",
            )
    gone = [k for k, name in enumerate(value.names) if name not in left]
    return algebra.without(value, gone) if gone else value


def multiplied(left: Value, right: Value, span: Span, algebra: Algebra) -> Value:
    """The product of two indexed values, element by element along the indices they share."""
    for value in (left, right):
        require_indices(value)
    left, right = algebra.within_reach([left, right])
    if all(any(name.startswith(SLICE) for name in value.names) for value in (left, right)):
        raise IndexNotationError(
            "a product of slices among index names",
            span=span,
            hint="name the axes that belong together: A[i,k]*B[k,j]",
        )
    shared = [
        (left.names.index(name), k) for k, name in enumerate(right.names) if name in left.names
    ]
    message = "an index has two ranges"
    if len(shared) == 1:
        message = f"index {right.names[shared[0][1]]} has two ranges"
    product = algebra.fuse(left, right, shared, message, span)
    rest = tuple(name for name in right.names if name not in left.names)
    return product._replace(names=left.names + rest)


def wrong_number(positions: int, value: Value, span: Span) -> IndexNotationError:
    """The error about another number of positions than a tensor has axes."""
    return IndexNotationError(
        f"{counted(positions, 'index', 'indices')} for {value.kind}, which needs {value.order}",
        span=span,
        hint="a row is A[1,:], a column A[:,1]"
        if positions == 1 and value.order == 2
        else "each axis has its index, and a scalar none; a whole axis is `:`",
    )


class Indexer:
    """Applies index positions to tensors: names, elements, ranges."""

    def __init__(self, algebra: Algebra, names: Names) -> None:
        self._algebra = algebra
        self._names = names
        self._dimensions: Dimensions = algebra.dimensions
        self._slices = 0
        self._checks: list[tuple[Dim, Dim, str, Span]] = []

    def index(
        self,
        value: Value,
        positions: tuple[Position, ...],
        scope: Scope,
        span: Span,
        gathered: Mapping[Position, Value] = NOTHING,
    ) -> Value:
        """``value[positions]``, for a value in matrix notation.

        `gathered` has the values of the positions that are data.
        """
        for position in positions:
            if isinstance(position, Bound) and (hint := INDICES.get(position.name or "")):
                message = f"`{position.name}` is no index"
                raise IndexNotationError(message, span=position.span, hint=hint)
        if len(positions) != value.order:
            raise wrong_number(len(positions), value, span)
        labels: list[str] = []
        seen: dict[str, int] = {}
        for position in positions:
            if isinstance(position, Gathered):
                at = gathered[position]
                value = self._gather(value, len(labels), at)
                labels += at.names or map(self._slice_name, range(at.order))
                seen = dict(merge(seen, at.occurrences))
                continue
            if isinstance(position, Bound) and position.name is None:
                shifts = self._names.shifts(position, scope.counters, scope.indices)
                if shifts:
                    value = self._shift(value, len(labels), position, shifts, scope)
                    labels += shifts
                    seen = dict(merge(seen, dict.fromkeys(shifts, 1)))
                    continue
            value, label = self._select(value, len(labels), position, scope.counters)
            labels.append(label)
            seen[label] = seen.get(label, 0) + 1
        seen.pop("", None)
        value = self._without_elements(value, labels)
        labels = [label for label in labels if label]
        value, names = self._joined(value, labels, span)
        if all(name.startswith(SLICE) for name in names):
            return value._replace(span=span, row=False, names=(), occurrences=NOWHERE)
        return value._replace(span=span, row=False, names=names, occurrences=seen)

    def delta(
        self,
        positions: tuple[Position, ...],
        scope: Scope,
        span: Span,
        gathered: Mapping[Position, Value] = NOTHING,
    ) -> Value:
        """``delta[i,j]``, and its elements and rows."""
        if len(positions) != 2:
            raise IndexNotationError(
                f"{counted(len(positions), 'index', 'indices')} for delta, which needs 2",
                span=span,
                hint="a unit tensor of higher order is a product of delta[i,j]",
            )
        return self.index(self.unit_matrix(span), positions, scope, span, gathered)

    def unit_matrix(self, span: Span, dim: Dim | None = None) -> Value:
        """The unit matrix, of a size still to be found unless it is given."""
        if dim is None:
            dim = self._dimensions.unknown(span)
        return self._algebra.atom(self._algebra.tape.delta(dim), (dim, dim), span)

    def _select(
        self, value: Value, axis: int, position: Bound | Range, counters: Counters
    ) -> tuple[Value, str]:
        """Put one position on an axis; the name of the axis then, empty for an element."""
        dim = value.dims[axis]
        if isinstance(position, Bound):
            if position.name is not None and self._names.is_index(position, counters):
                self._refuse_data(position.name, position.span)
                return value, position.name
            index = self._names.position(position, counters, dim)
            self._check(index, dim, position.span)
            return self._element(value, axis, index), ""
        start = self._names.position(position.start, counters, dim)
        stop = self._names.position(position.stop, counters, dim)
        self._check(start, dim, position.start.span)
        self._check(stop, dim, position.stop.span)
        self._checks.append((start, stop, "the range {0}:{1} is empty", position.span))
        return self._algebra.sliced(value, axis, start, stop), self._slice_name()

    def _slice_name(self, _: int = 0) -> str:
        """The name of an axis that a slice leaves without one."""
        self._slices += 1
        return f"{SLICE}{self._slices}"

    def _refuse_data(self, name: str, span: Span) -> None:
        """Refuse the name of positions that are data where it would be that of an index."""
        found = self._names.variables.get(name)
        if found is None or "integer" not in found.properties:
            return
        inside = ",".join("ijklpq"[: len(found.dims)])
        hint = f"positions that are data have indices too: {name}[{inside}]; "
        hint += f"all of them are {name}[{','.join(':' * len(found.dims))}]"
        raise IndexNotationError(
            f"`{name}` would be an index here, and not the input `{name}`",
            span=span,
            hint=hint if found.dims else f"the element at such a position is onehot({name})'*x",
        )

    def _gather(self, value: Value, axis: int, at: Value) -> Value:
        """The elements of an axis at positions that are data; the axis becomes theirs."""
        dim = value.dims[axis]
        slot = self._algebra.tape.call(onehot, [self._algebra.slot(at)], (dim,), span=at.span)
        labels = self._algebra.fresh(at.order)
        factor = (slot, (*labels, value.axes[axis]))
        return value._replace(
            factors=(*value.factors, factor),
            axes=(*value.axes[:axis], *labels, *value.axes[axis + 1 :]),
            dims=(*value.dims[:axis], *at.dims, *value.dims[axis + 1 :]),
        )

    def _shift(
        self,
        value: Value,
        axis: int,
        position: Bound,
        shifts: Mapping[str, int],
        scope: Scope,
    ) -> Value:
        """The elements of an axis at sums of indices, ``x[i+k-1]``; the axis becomes theirs.

        They run as far as the axis goes: sums of several from its beginning to its end.
        """
        dim, span = value.dims[axis], position.span
        rest = (term for term in position.terms if not shifts.keys() & {*term[1]})
        beside = replace(position, terms=tuple(rest))
        offset = self._names.position(beside, scope.counters, dim)
        coefficients = (*shifts.values(),)
        if coefficients == (1,):
            self._check(offset + 1, dim, span)
            if (room := (dim - offset).value) is not None and room < 1:
                self.check_ranges()  # now, as no tensor can have the size that the slice would have
            if offset.value is not None and offset.value < 0:
                raise IndexNotationError(
                    f"the positions begin at {offset + 1}",
                    span=span,
                    hint="indices count from 1: x[i] - 2*x[i+1] + x[i+2] for "
                    "x[i-1] - 2*x[i] + x[i+1]",
                )
            return self._algebra.sliced(value, axis, offset + 1, dim)
        # The newest unknown is solved for: rather the size of a free index than that of a filter.
        free = [name in scope.kept or scope.totals.get(name, 0) < 2 for name in shifts]
        places = sorted(range(len(free)), key=free.__getitem__)
        names, unknown = [*shifts], {}
        for place in places:
            unknown[place] = self._dimensions.unknown(span, _HOW_FAR.format(names[place]))
        dims = [unknown[place] for place in range(len(free))]
        for name, size in zip(shifts, dims, strict=True):
            no_room = f"no room for the index {name}, which would go from {{0}} to {{1}}"
            self._checks.append((Dim.of(1), size, no_room, span))
        low, high = ends(coefficients, offset, dims)
        whole, one = Side(dim, value.span), Dim.of(1)
        if all(abs(x) == 1 for x in coefficients):
            if len(dims) > 1:
                self._dimensions.equate(Side(high, span), whole, "the last position", span)
            self._require_first(low, position, shifts)
        self._checks.append((one, low, "the first position, {1}, is below {0}", span))
        self._checks.append((high, dim, "the last position, {0}, is beyond {1}", span))
        slot = self._algebra.tape.call(
            partial(shifted, coefficients), dims=(offset, dim, *dims), span=span
        )
        labels = self._algebra.fresh(len(dims))
        factor = (slot, (*labels, value.axes[axis]))
        return value._replace(
            factors=(*value.factors, factor),
            axes=(*value.axes[:axis], *labels, *value.axes[axis + 1 :]),
            dims=(*value.dims[:axis], *dims, *value.dims[axis + 1 :]),
        )

    def _require_first(self, low: Dim, position: Bound, shifts: Mapping[str, int]) -> None:
        """Make the lowest position of a sum of indices the first one of its axis."""
        span = position.span
        # The first position is lower the longer the indices are that are subtracted.
        sizes = dict.fromkeys(self._dimensions.unknown_in(low), Dim.of(1))
        highest = low.substitute(sizes).value
        if low.value is None and highest is not None and highest < 1:
            raise IndexNotationError(
                "the positions begin below 1",
                span=span,
                hint="indices count from 1: with w[m], x[i-k+m] begins at 1, and x[end+1-i] goes "
                "backwards",
            )
        if low.value is not None and low.value != 1:
            sums = "+".join(shifts)
            raise IndexNotationError(
                f"the positions begin at {low}",
                span=span,
                hint=f"indices count from 1: {sums}-{len(shifts) - 1} begins at 1; for a part of "
                f"the axis, slice it: x[2:end][{sums}-{len(shifts) - 1}]",
            )
        if low.value is None:
            first = Side(Dim.of(1), span)
            self._dimensions.equate(Side(low, span), first, "the first position", span)

    def _element(self, value: Value, axis: int, index: Dim) -> Value:
        dim = value.dims[axis]
        slot = self._algebra.tape.call(unit, dims=(index, dim), span=value.span)
        factor = (slot, (value.axes[axis],))
        return value._replace(factors=(*value.factors, factor))

    def _without_elements(self, value: Value, labels: list[str]) -> Value:
        gone = [axis for axis, label in enumerate(labels) if not label]
        return self._algebra.without(value, gone) if gone else value

    def _joined(self, value: Value, labels: list[str], span: Span) -> tuple[Value, tuple[str, ...]]:
        """The value with repeated names made one axis."""
        names: list[str] = []
        for label in labels:
            if label in names:
                axis = len(names)
                first = names.index(label)
                message = f"index {label} has two ranges"
                value = self._algebra.within_reach_of_both(value, label, first, axis)
                value = self._algebra.diagonal(value._replace(span=span), first, axis, message)
            else:
                names.append(label)
        return value, tuple(names)

    def _check(self, index: Dim, dim: Dim, span: Span) -> None:
        self._checks.append((Dim.of(1), index, "index {1} is below {0}", span))
        self._checks.append((index, dim, "index {0} is beyond the last one, {1}", span))

    def check_ranges(self) -> None:
        """Refuse elements and slices that lie outside, as far as sizes are known."""
        for low, high, complaint, span in self._checks:
            room = self._dimensions.resolve(high - low).value
            if room is not None and room < 0:
                shown = (self._dimensions.show(dim) for dim in (low, high))
                raise DimensionError(
                    complaint.format(*shown),
                    span=span,
                    hint="indices count from 1 to `end`; a range includes both its ends",
                )
