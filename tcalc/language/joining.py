"""``stack`` and ``concat``, along an axis given by number or by the name of an index.

``concat(x, y)`` joins along the first axis, ``concat[2](A, B)`` along the second,
``concat[i](a[i], b[i])`` along ``i``.  ``stack(x, y)`` makes a new first axis, ``stack[2](x, y)`` a
second one, ``stack[k](a[i], b[i])`` one named ``k``.  Both are sums of products with windows and
columns of a unit matrix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from tcalc.errors import DimensionError, IndexNotationError, ParseError
from tcalc.expr import Dim
from tcalc.language.algebra import Algebra, Value
from tcalc.language.dimensions import Side
from tcalc.language.einstein import Scope
from tcalc.language.functions import require_names
from tcalc.language.names import Names
from tcalc.language.syntax import Bound, Call
from tcalc.language.tape import Slot
from tcalc.primitives.selection import unit, window

if TYPE_CHECKING:
    from tcalc.language.elaborate import Elaborator
    from tcalc.language.tasks import Handler, Task


def _stack(elaborator: Elaborator, call: Call, scope: Scope) -> Task:
    algebra = elaborator.algebra
    axis = _axis(elaborator.names, call, scope)
    values: list[Value] = []
    for argument in call.arguments:
        value = yield elaborator.content(argument, scope)
        values.append(algebra.concrete(value))
    shape, slots = algebra.aligned(values, call.span)
    _check_axis(axis, shape, shape.order + 1, call)
    count = Dim.of(len(slots))
    place = shape.order if isinstance(axis, str) else axis - 1
    labels = algebra.fresh(shape.order + 1)
    core = labels[:place] + labels[place + 1 :]
    terms: list[tuple[Fraction, Slot]] = []
    for k, slot in enumerate(slots, start=1):
        unit_vector = algebra.tape.call(unit, dims=(Dim.of(k), count), span=call.span)
        factors = [(slot, core), (unit_vector, (labels[place],))]
        terms.append((Fraction(1), algebra.tape.einsum(factors, labels)))
    dims = (*shape.dims[:place], count, *shape.dims[place:])
    result = algebra.atom(algebra.tape.add(terms), dims, call.span)
    if not isinstance(axis, str):
        return result
    occurrences = {**shape.occurrences, axis: 1}
    return result._replace(names=(*shape.names, axis), occurrences=occurrences)


def _concat(elaborator: Elaborator, call: Call, scope: Scope) -> Task:
    algebra = elaborator.algebra
    axis = _axis(elaborator.names, call, scope)
    inner = scope.keeping((axis,)) if isinstance(axis, str) else scope
    values: list[Value] = []
    for argument in call.arguments:
        value = yield elaborator.content(argument, inner)
        values.append(algebra.concrete(value))
    if isinstance(axis, str):
        return _concat_named(algebra, axis, values, call)
    first = values[0]
    for value in values:
        if value.order != first.order or value.names or not value.order:
            raise DimensionError(
                f"concat of {first.kind} and {value.kind}",
                span=value.span,
                hint="its arguments are tensors of one order; stack() joins scalars",
            )
    _check_axis(axis, first, first.order, call)
    place = axis - 1
    others = [k for k in range(first.order) if k != place]
    for value in values[1:]:
        for k in others:
            left, right = Side(first.dims[k], first.span), Side(value.dims[k], value.span)
            algebra.dimensions.equate(left, right, f"concat: axis {k + 1}", call.span)
    joined = _joined(algebra, values, place, call)
    return joined._replace(row=all(value.row for value in values))


def _concat_named(algebra: Algebra, axis: str, values: Sequence[Value], call: Call) -> Value:
    """Along an index: the other indices are aligned first, missing ones broadcast."""
    rests: list[Value] = []
    for value in values:
        require_names(value, (axis,), call)
        place = value.names.index(axis)
        order = [k for k in range(value.order) if k != place]
        rests.append(algebra.arranged(value, order)._replace(factors=()))
    shape = algebra.common_indices(rests, call.span)
    aligned: list[Value] = []
    for value in values:
        along = value.dims[value.names.index(axis)]
        target = shape._replace(
            names=(*shape.names, axis),
            dims=(*shape.dims, along),
            axes=(*shape.axes, *algebra.fresh(1)),
        )
        slot = algebra.slot_like(value, target)
        aligned.append(algebra.atom(slot, target.dims, value.span))
    joined = _joined(algebra, aligned, shape.order, call)
    seen = {name: times for name, times in shape.occurrences.items() if name != axis}
    return joined._replace(names=(*shape.names, axis), occurrences={**seen, axis: 1})


def _joined(algebra: Algebra, values: Sequence[Value], place: int, call: Call) -> Value:
    """Tensors joined along the axis at `place`: each times a window of the whole."""
    total = Dim.of(0)
    for value in values:
        total = total + value.dims[place]
    start = Dim.of(1)
    terms: list[tuple[Fraction, Slot]] = []
    for value in values:
        stop = start + value.dims[place] - 1
        part = algebra.tape.call(window, dims=(start, stop, total), span=call.span)
        (label,) = algebra.fresh(1)
        output = (*value.axes[:place], label, *value.axes[place + 1 :])
        factors = [(algebra.slot(value), value.axes), (part, (value.axes[place], label))]
        terms.append((Fraction(1), algebra.tape.einsum(factors, output, span=call.span)))
        start = stop + 1
    first = values[0]
    dims = (*first.dims[:place], total, *first.dims[place + 1 :])
    return algebra.atom(algebra.tape.add(terms), dims, call.span)


def _axis(names: Names, call: Call, scope: Scope) -> str | int:
    """The axis in the brackets: the name of an index, or a number; the first by default."""
    if not call.arguments:
        raise ParseError(
            f"`{call.function}` of nothing", span=call.span, hint=f"{call.function}(x, y)"
        )
    if call.indices is None:
        return 1
    if len(call.indices) != 1 or not isinstance(call.indices[0], Bound):
        raise IndexNotationError(
            f"`{call.function}` takes one axis", span=call.span, hint=f"{call.function}[2](x, y)"
        )
    bound = call.indices[0]
    if bound.name is not None and names.is_index(bound, scope.counters):
        return bound.name
    return names.integer(bound, scope.counters, "the number of an axis")


def _check_axis(axis: str | int, shape: Value, last: int, call: Call) -> None:
    if isinstance(axis, str):
        if axis in shape.names or (shape.order and not shape.names):
            raise IndexNotationError(
                f"`{call.function}[{axis}]` needs arguments with indices, and {axis} new",
                span=call.span,
                hint=f"for example {call.function}[{axis}](a[i], b[i])",
            )
    elif shape.names:
        raise IndexNotationError(
            f"`{call.function}` of indexed arguments needs the name of an index",
            span=call.span,
            hint=f"for example {call.function}[k](a[i], b[i])",
        )
    elif not 1 <= axis <= last:
        raise DimensionError(
            f"there is no axis {axis}: 1 to {last}",
            span=call.span,
            hint="axes count from 1; stack has one more than its arguments",
        )


FORMS: Mapping[str, Handler] = {"stack": _stack, "concat": _concat}
