"""Functions that a signature cannot describe: open sums, constants, einsum, branches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from math import prod
from typing import TYPE_CHECKING

from tcalc.errors import DimensionError, IndexNotationError, ParseError, UnsupportedError, counted
from tcalc.expr import Dim, Node, build
from tcalc.language import matrix
from tcalc.language.algebra import Value
from tcalc.language.dimensions import Side
from tcalc.language.einstein import Scope
from tcalc.language.functions import (
    applied,
    bracket_names,
    require_arguments,
    require_names,
    takes_whole_tensors,
)
from tcalc.language.names import Counters
from tcalc.language.syntax import (
    Call,
    Comparison,
    Expression,
    Name,
    Number,
    Power,
    Product,
    Sum,
    Text,
    unwrap,
)
from tcalc.primitives import REGISTRY
from tcalc.primitives.kron import merge, split
from tcalc.primitives.onehot import onehot
from tcalc.primitives.piecewise import Where
from tcalc.primitives.skew import SPACE, cross, skew

if TYPE_CHECKING:
    from tcalc.language.elaborate import Elaborator
    from tcalc.language.tasks import Handler, Task


def _sum(elaborator: Elaborator, call: Call, scope: Scope) -> Task:
    """``sum(x)``, ``sum[j](X[i,j])``: axes dropped from a product that is still open."""
    algebra = elaborator.algebra
    names = bracket_names(elaborator.names, call, scope) if call.indices is not None else ()
    require_arguments(call, 1, "over one axis: sum[j](X[i,j])")
    value = yield elaborator.content(call.arguments[0], scope.keeping(names))
    value = algebra.concrete(value)
    if names:
        require_names(value, names, call)
    elif value.names:
        names = tuple(name for name in value.names if name not in scope.kept)
        _require_inside(value, names, call, scope)
    if value.names:
        gone = [k for k, name in enumerate(value.names) if name in names]
    else:
        gone = list(range(value.order))
    seen = {name: times for name, times in value.occurrences.items() if name not in names}
    total = algebra.without(value, gone)
    return total._replace(span=call.span, row=False, variable_axes=0, occurrences=seen)


def _require_inside(value: Value, names: tuple[str, ...], call: Call, scope: Scope) -> None:
    """``sum(X[i,j])`` takes all indices that stand nowhere else; others it must be told."""
    for name in names:
        if value.occurrences.get(name) != scope.totals.get(name):
            raise IndexNotationError(
                f"`sum` must be told whether it takes index {name}, which stands outside too",
                span=call.span,
                hint=f"sum[{name}](...)",
            )


def _trace(elaborator: Elaborator, call: Call, scope: Scope) -> Task:
    """``tr(A*B)`` is one product: two axes made one, and summed."""
    require_arguments(call, 1)
    value = yield elaborator.content(call.arguments[0], scope)
    if value.names or value.order != 2:
        return applied(elaborator.algebra, REGISTRY["tr"], [value], (), call)[0]
    square = "only a square matrix has a trace"
    joined = elaborator.algebra.diagonal(value, 0, 1, square)
    total = elaborator.algebra.without(joined, [0])
    return total._replace(span=call.span, variable_axes=0)


def _transpose(elaborator: Elaborator, call: Call, scope: Scope) -> Task:
    require_arguments(call, 1)
    value = yield elaborator.content(call.arguments[0], scope)
    return matrix.transposed(value, call.span, elaborator.algebra)


def _filled(elaborator: Elaborator, call: Call, scope: Scope, *, order: int) -> Task:
    """``vector(s)`` and ``matrix(s)``: all entries ``s``, of the size that is wanted."""
    require_arguments(call, 1)
    value = yield elaborator.content(call.arguments[0], scope)
    if value.order:
        raise DimensionError(
            f"`{call.function}` takes a scalar, not {value.kind}",
            span=call.span,
            hint=f"{call.function}(1) has all its entries 1",
        )
    algebra = elaborator.algebra
    dims = tuple(algebra.dimensions.unknown(call.span) for _ in range(order))
    ones = algebra.atom(algebra.tape.constant(1, dims), dims, call.span)
    return algebra.fuse(ones, value, (), "", call.span)


def _constant(elaborator: Elaborator, call: Call, scope: Scope, *, number: int) -> Task:
    """``ones(m,n)`` and ``zeros(m,n)``."""
    algebra = elaborator.algebra
    dims = tuple(_size(elaborator, size, scope.counters) for size in call.arguments)
    if not dims:
        return algebra.number(number, call.span)._replace(elastic=True)
    return algebra.atom(algebra.tape.constant(number, dims), dims, call.span)
    yield


def _eye(elaborator: Elaborator, call: Call, scope: Scope) -> Task:
    sizes = [_size(elaborator, size, scope.counters) for size in call.arguments]
    if len(sizes) > 2:
        raise ParseError(
            f"`eye` takes one size, not {len(sizes)}",
            span=call.span,
            hint="eye(n), or eye where the size is inferred",
        )
    sides = [Side(dim, part.span) for dim, part in zip(sizes, call.arguments, strict=True)]
    for other in sides[1:]:
        square = "the unit matrix is square"
        elaborator.algebra.dimensions.equate(sides[0], other, square, call.span)
    return elaborator.indexer.unit_matrix(call.span, sizes[0] if sizes else None)
    yield


def _onehot(elaborator: Elaborator, call: Call, scope: Scope) -> Task:
    """``onehot(g, m)``: for each position a row of m zeros and ones; the size may be inferred."""
    algebra = elaborator.algebra
    if not 1 <= len(call.arguments) <= 2:
        raise ParseError(
            f"`onehot` takes positions and a size, not {counted(len(call.arguments), 'argument')}",
            span=call.span,
            hint="onehot(g, m), or onehot(g) where the size is inferred",
        )
    value = yield from _whole_tensor(elaborator, call, scope)
    if len(call.arguments) == 2:
        dim = _size(elaborator, call.arguments[1], scope.counters)
    else:
        dim = algebra.dimensions.unknown(call.span)
    slot = algebra.tape.call(onehot, [algebra.slot(value)], dims=(dim,), span=call.span)
    return algebra.atom(slot, (*value.dims, dim), call.span)


def _split(elaborator: Elaborator, call: Call, scope: Scope) -> Task:
    """``split(x, m, n)``: the last axis split in two, the first running slowly; more in pairs."""
    algebra = elaborator.algebra
    if len(call.arguments) < 3 or len(call.arguments) % 2 == 0:
        raise ParseError(
            "`split` takes a tensor, and two sizes for each axis that is split",
            span=call.span,
            hint="split(x, m, n) makes an m by n matrix of a vector of m*n elements",
        )
    value = yield from _whole_tensor(elaborator, call, scope)
    sizes = tuple(_size(elaborator, part, scope.counters) for part in call.arguments[1:])
    pairs = len(sizes) // 2
    _require_axes(value, pairs, call)
    kept = value.order - pairs
    for k in range(pairs):
        axis = Side(value.dims[kept + k], value.span)
        merged = Side(sizes[2 * k] * sizes[2 * k + 1], call.span)
        message = "`split`: the sizes multiply to that of the axis"
        algebra.dimensions.equate(axis, merged, message, call.span)

    def split_axes(node: Node, *dims: Dim) -> Node:
        return split(node, dims)

    slot = algebra.tape.call(split_axes, [algebra.slot(value)], dims=sizes, span=call.span)
    return algebra.atom(slot, (*value.dims[:kept], *sizes), call.span)


def _merge(elaborator: Elaborator, call: Call, scope: Scope, *, pairs: int) -> Task:
    """``merge(A)``: the last two axes made one, the first running slowly; undoes `split`."""
    algebra = elaborator.algebra
    require_arguments(call, 1)
    value = yield from _whole_tensor(elaborator, call, scope)
    _require_axes(value, 2 * pairs, call)
    cut = value.order - 2 * pairs
    dims = [value.dims[k] * value.dims[k + 1] for k in range(cut, value.order, 2)]

    def merge_axes(node: Node) -> Node:
        return merge(node, pairs)

    slot = algebra.tape.call(merge_axes, [algebra.slot(value)], span=call.span)
    return algebra.atom(slot, (*value.dims[:cut], *dims), call.span)


def _in_space(
    elaborator: Elaborator, call: Call, scope: Scope, *, build: Callable[..., Node], count: int
) -> Task:
    """``skew(x)`` and ``cross(x, y)``: vectors of three elements, perhaps many of them."""
    algebra = elaborator.algebra
    require_arguments(call, count)
    values: list[Value] = []
    for argument in call.arguments:
        value = yield elaborator.content(argument, scope)
        if value.names:
            raise takes_whole_tensors(call)
        values.append(algebra.concrete(value))
    first = values[0]
    for value in values:
        if not value.order or value.order != first.order:
            given = " and ".join(each.kind for each in values)
            raise DimensionError(
                f"`{call.function}` takes vectors of three elements, not {given}", span=call.span
            )
        three = Side(SPACE, call.span)
        message = f"`{call.function}` takes vectors of three elements"
        algebra.dimensions.equate(Side(value.dims[-1], value.span), three, message, call.span)
        for one, other in zip(first.dims[:-1], value.dims[:-1], strict=True):
            sides = Side(one, first.span), Side(other, value.span)
            algebra.dimensions.equate(*sides, message, call.span)
    slot = algebra.tape.call(build, [algebra.slot(value) for value in values], span=call.span)
    lead = first.dims[:-1]
    return algebra.atom(slot, (*lead, SPACE, *[SPACE] * (2 - count)), call.span)


def _whole_tensor(
    elaborator: Elaborator, call: Call, scope: Scope
) -> Generator[Task, Value, Value]:
    """The first argument, which has no indices."""
    value = yield elaborator.content(call.arguments[0], scope)
    if value.names:
        raise takes_whole_tensors(call)
    return elaborator.algebra.concrete(value)


def _require_axes(value: Value, least: int, call: Call) -> None:
    if value.order < least:
        raise DimensionError(
            f"`{call.function}` of {value.kind}, which has too few axes",
            span=call.span,
            hint="split(x, m, n) of a vector, merge(A) of a matrix",
        )


def _size(elaborator: Elaborator, expression: Expression, counters: Counters) -> Dim:
    """A dimension written as an argument: names, numbers, and sums of products of these."""
    expression = unwrap(expression)
    terms = expression.terms if isinstance(expression, Sum) else ((1, expression),)
    total = Dim.of(0)
    for sign, term in terms:
        product = Dim.of(sign)
        match term:
            case Product(first=first, rest=rest) if all(operator == "*" for operator, _ in rest):
                factors = (first, *(factor for _, factor in rest))
            case _:
                factors = (term,)
        for factor in factors:
            product = product * _size_atom(elaborator, factor, counters)
        total = total + product
    if total.value is not None and total.value < 1:
        raise DimensionError(
            "a size is at least 1",
            span=expression.span,
            hint="a size is a name or a positive integer",
        )
    return total


MOST_FACTORS = 9
"""The largest power of a name that is a size."""


def _size_atom(elaborator: Elaborator, expression: Expression, counters: Counters) -> Dim:
    match unwrap(expression):
        case Number(value=value) if value.denominator == 1:
            return Dim.of(int(value))
        case Name(name=name, steps=()):
            known = elaborator.names.size(name, counters)
            if known is not None:
                return known
        case Call(
            function="min", indices=None, arguments=(Name() | Number(), Name() | Number()) as two
        ):
            left, right = (_size_atom(elaborator, part, counters) for part in two)
            return Dim.minimum(left, right)
        case Power(base=Name() as base, exponent=Number(value=times)) if (
            times.denominator == 1 and 1 <= times <= MOST_FACTORS
        ):
            return prod([_size_atom(elaborator, base, counters)] * int(times), start=Dim.of(1))
    raise ParseError(
        "a size is a name or an integer, or made of these by `+`, `-`, `*`, `^`",
        span=expression.span,
        hint="for example ones(m, n-1)",
    )


def _where(elaborator: Elaborator, call: Call, scope: Scope) -> Task:
    """``where(l < r, a, b)``."""
    require_arguments(call, 3)
    condition = unwrap(call.arguments[0])
    if not isinstance(condition, Comparison):
        raise UnsupportedError(
            "the first argument of where() is one comparison",
            span=condition.span,
            hint="where(x < y, a, b) takes a where x < y, else b",
        )
    values: list[Value] = []
    for part in (condition.left, condition.right, *call.arguments[1:]):
        value = yield elaborator.content(part, scope)
        values.append(value)
    indices = {name for value in values for name in value.names}
    for part in (condition.left, condition.right):
        elaborator.refuse_index(part, indices, scope.counters)

    def where(*nodes: Node) -> Node:
        return build.apply(Where(condition.operator), *nodes)

    return elaborator.algebra.mapped(where, values, call.span)


def _einsum(elaborator: Elaborator, call: Call, scope: Scope) -> Task:
    """``einsum("ij,jk->ik", A, B)``."""
    text = call.arguments[0] if call.arguments else None
    if not isinstance(text, Text):
        raise ParseError(
            "the first argument of einsum is a text",
            span=call.span,
            hint='einsum("ij,jk->ik", A, B)',
        )
    inputs, output = _subscripts(text, len(call.arguments) - 1)
    algebra = elaborator.algebra
    product = algebra.number(1, call.span)
    letters = ""
    for subscript, argument in zip(inputs, call.arguments[1:], strict=True):
        value = yield elaborator.region(argument, None, scope.counters)
        value = algebra.concrete(value)._replace(span=argument.span)
        if value.order != len(subscript):
            labels = counted(len(subscript), "axis", "axes")
            raise DimensionError(
                f"`{subscript}` labels {labels}, and this is {value.kind}",
                span=argument.span,
                hint="one letter for each axis",
            ).mention("its subscript", text.span)
        elaborator.axes.note(value, subscript)
        own = ""
        for letter in subscript:
            message = f"einsum: label {letter}"
            if letter in own:
                first = own.index(letter)
                value = algebra.diagonal(value, first, len(own), message)
            else:
                own += letter
        shared = [(letters.index(letter), k) for k, letter in enumerate(own) if letter in letters]
        product = algebra.fuse(product, value, shared, f"einsum `{text.value}`", call.span)
        letters += "".join(letter for letter in own if letter not in letters)
    return algebra.arranged(product, [letters.index(letter) for letter in output])


def _subscripts(text: Text, operands: int) -> tuple[list[str], str]:
    """The labels of the operands and of the output.

    Without an arrow the output has, as in NumPy, the labels that occur once, in alphabetical order.
    """
    compact = "".join(text.value.split())
    left, arrow, output = compact.partition("->")
    if not arrow:
        output = "".join(sorted(x for x in left if x.isalpha() and left.count(x) == 1))
    inputs = left.split(",") if operands or left else []
    error: str | None = None
    hint = 'for example einsum("ij,jk->ik", A, B)'
    labels = "".join(inputs) + output
    if "..." in compact:
        error = "subscripts name every axis"
        hint = f'axes of a batch have letters too: "{_with_letters(compact)}"'
    elif labels and not labels.isalpha():
        error = "subscripts are letters, commas and at most one arrow"
    elif len(inputs) != operands:
        error = f"subscripts for {counted(len(inputs), 'operand')}, and {operands or 'none'} given"
    elif len(set(output)) < len(output):
        error, hint = "a label stands twice in the output", "multiply with delta[i,j] instead"
    elif not set(output) <= set("".join(inputs)):
        error = "a label of the output is in no operand"
    if error is not None:
        raise IndexNotationError(error, span=text.span, hint=hint)
    return inputs, output


def _with_letters(subscripts: str) -> str:
    """The subscripts with a letter of its own for an ellipsis.

    >>> _with_letters("...ij,...jk->...ik")
    'bij,bjk->bik'
    """
    free = next(letter for letter in "bnpqrstuvwxyzacdefghijklm" if letter not in subscripts)
    return subscripts.replace("...", free)


def axes_by_subscripts(arguments: tuple[Expression, ...]) -> list[tuple[Name, int]]:
    """The names among the operands of an einsum, with the number of axes that it labels."""
    if not arguments or not isinstance(arguments[0], Text):
        return []
    try:
        inputs, _ = _subscripts(arguments[0], len(arguments) - 1)
    except IndexNotationError:
        return []  # told when the call is elaborated
    operands = zip(arguments[1:], inputs, strict=True)
    return [
        (operand, len(labels))
        for operand, labels in operands
        if isinstance(operand, Name) and not operand.steps
    ]


FORMS: Mapping[str, Handler] = {
    "sum": _sum,
    "tr": _trace,
    "transpose": _transpose,
    "vector": partial(_filled, order=1),
    "matrix": partial(_filled, order=2),
    "ones": partial(_constant, number=1),
    "zeros": partial(_constant, number=0),
    "eye": _eye,
    "where": _where,
    "einsum": _einsum,
    "onehot": _onehot,
    "split": _split,
    "merge": partial(_merge, pairs=1),
    "merge2": partial(_merge, pairs=2),
    "skew": partial(_in_space, build=skew, count=1),
    "cross": partial(_in_space, build=cross, count=2),
}
