"""Functions of the registry of `tcalc.primitives`, applied to values.

The registry describes each function by its forms and their signatures; one application per kind
of form serves them all, so that a new primitive needs nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, assert_never

from tcalc.errors import (
    DimensionError,
    IndexNotationError,
    LanguageError,
    ParseError,
    counted,
)
from tcalc.expr import Dim
from tcalc.expr import build as nodes
from tcalc.expr.nodes import Apply
from tcalc.language.algebra import Algebra, Value
from tcalc.language.catalogue import BY_NAME
from tcalc.language.dimensions import Side
from tcalc.language.einstein import Scope, names_in
from tcalc.language.habits import arguments_hint
from tcalc.language.matrix import reciprocal
from tcalc.language.names import Names
from tcalc.language.syntax import Bound, Call, Index, Name, Position
from tcalc.language.tape import Slot
from tcalc.primitives import Form, Function, Kind, Pattern
from tcalc.primitives.function import OfScalar
from tcalc.primitives.piecewise import abs_


def bracket_names(names: Names, call: Call, scope: Scope) -> tuple[str, ...]:
    """The indices in the brackets of a function, which must be names."""
    positions = call.indices or ()
    found = names_in(positions, names, scope.counters)
    if len(found) < len(positions) or len(set(found)) < len(found) or call.indices == ():
        raise IndexNotationError(
            f"`{call.function}[...]` takes names of indices, each once",
            span=call.span,
            hint=f"for example {call.function}[j](X[i,j])",
        )
    return found


def require_arguments(call: Call, number: int, hint: str = "") -> None:
    """Refuse a call with another number of arguments."""
    given = len(call.arguments)
    if given != number:
        wanted = counted(number, "argument")
        raise ParseError(
            f"`{call.function}` takes {wanted}, not {given}",
            span=call.span,
            hint=arguments_hint(call.function, given)
            or hint
            or f"{call.function}: {BY_NAME[call.function].summary}",
        )


def applied(
    algebra: Algebra,
    function: Function,
    values: Sequence[Value],
    names: tuple[str, ...],
    call: Call,
) -> list[Value]:
    """The results of a registered function, over the indices in its brackets if there are any."""
    form = _form(function, values, call)
    if names:
        return [_over_names(algebra, form, values[0], names, call)]
    match form.kind:
        case Kind.ELEMENTWISE:
            build = partial(form.build, *_parameters(form, values, call))
            return [algebra.mapped(build, values[form.cuts[1]], call.span)]
        case Kind.NORMALISATION:
            return [_coupled(algebra, form, values[0], call)]
        case _ if function.of_scalar is not None and not values[0].order:
            return [_of_scalar(algebra, function.of_scalar, values[0], call)]
        case Kind.REDUCTION:
            return [_over_all(algebra, form, values[0], call)]
        case Kind.TENSOR:
            return _tensors(algebra, form, values, call)
        case _:
            assert_never(form.kind)


def _of_scalar(algebra: Algebra, what: OfScalar, value: Value, call: Call) -> Value:
    """A function of tensors, of a scalar."""
    match what:
        case OfScalar.ITSELF:
            return value._replace(span=call.span)
        case OfScalar.ABSOLUTE:
            return algebra.mapped(abs_, [value], call.span)
        case OfScalar.RECIPROCAL:
            return reciprocal(value._replace(span=call.span), call.span, algebra)
        case _:
            assert_never(what)


def _form(function: Function, values: Sequence[Value], call: Call) -> Form:
    """The form that takes these arguments, or the one whose complaint says most."""
    fitting = [form for form in function.forms if form.arity + form.parameters == len(values)]
    if not fitting:
        raise _wrong_number(function, len(values), call)
    for form in fitting:
        orders = [value.order for value in values[form.cuts[1]]]
        if form.kind is not Kind.TENSOR or form.accepts(orders):
            return form
    return fitting[0]


def result_names(function: Function) -> tuple[str, ...]:
    """The customary names of the results of a function that has several."""
    form = function.forms[0]
    assert form.signature is not None
    inputs = enumerate(form.signature.inputs)
    first, *_ = form.build(*(nodes.var(f"x{k}", map(Dim.of, each.letters)) for k, each in inputs))
    assert isinstance(first, Apply)
    return first.primitive.output_names


def _wrong_number(function: Function, given: int, call: Call) -> LanguageError:
    wanted = " or ".join(map(str, function.arities))
    noun = "argument" if wanted == "1" else "arguments"
    name = call.function
    over_axes = (Kind.REDUCTION, Kind.NORMALISATION)
    if habit := arguments_hint(function.name, given):
        hint = habit
    elif any(form.kind in over_axes for form in function.forms) and given:
        hint = f"over one axis: {name}[j](X[i,j])"
    else:
        hint = f"{function.name}: {function.summary}"
    return ParseError(f"`{name}` takes {wanted} {noun}, not {given}", span=call.span, hint=hint)


def _parameters(form: Form, values: Sequence[Value], call: Call) -> list[object]:
    given = values[form.cuts[0]]
    for value in given:
        if value.number is None:
            place, example = ("last", "A, 2") if form.trailing else ("first", "2, A")
            raise ParseError(
                f"`{call.function}` takes a number {place}",
                span=value.span,
                hint=f"write it as it is: `{call.function}({example})`",
            )
    return [value.number for value in given]


def _over_all(algebra: Algebra, form: Form, value: Value, call: Call) -> Value:
    """A reduction of the whole tensor."""
    _refuse_indices(value, call, whole=True)
    value = algebra.concrete(value)
    if value.order:
        slot, axes = algebra.slot(value), value.order
    else:
        # A scalar is a vector with one entry.
        (label,) = algebra.fresh(1)
        vector = algebra.tape.einsum(
            [(algebra.slot(value), ())], (label,), {label: Dim.of(1)}, call.span
        )
        slot, axes = vector, 1
    reduced = algebra.tape.call(lambda node: form.build(node, axes), [slot], span=call.span)
    return algebra.atom(reduced, (), call.span)


def _coupled(algebra: Algebra, form: Form, value: Value, call: Call) -> Value:
    """A normalisation of the last axis, or of all."""
    _refuse_indices(value, call, whole=form.whole)
    value = algebra.concrete(value)
    if not value.order:
        raise DimensionError(
            f"`{call.function}` of a scalar", span=call.span, hint="it takes a vector, or more axes"
        )
    axes = value.order if form.whole else 1
    slot = algebra.tape.call(
        lambda node: form.build(node, axes), [algebra.slot(value)], span=call.span
    )
    return algebra.atom(slot, value.dims, call.span)._replace(row=value.row)


def _refuse_indices(value: Value, call: Call, *, whole: bool) -> None:
    if value.names:
        hint = f"{call.function}[{value.names[-1]}](...)"
        if whole and len(value.names) > 1:
            hint += f", or of all elements {call.function}[{','.join(value.names)}](...)"
        raise IndexNotationError(
            f"`{call.function}` must be told which index it takes", span=call.span, hint=hint
        )


def _over_names(
    algebra: Algebra, form: Form, value: Value, names: tuple[str, ...], call: Call
) -> Value:
    """A reduction or normalisation over the indices in brackets."""
    if form.kind not in (Kind.REDUCTION, Kind.NORMALISATION):
        raise IndexNotationError(
            f"`{call.function}` takes no index in brackets",
            span=call.span,
            hint="to index the result, write the brackets behind the call",
        )
    require_names(value, names, call)
    places = [k for k, name in enumerate(value.names) if name not in names]
    order = [*places, *(value.names.index(name) for name in names)]
    moved = algebra.arranged(value, order)
    slot = algebra.tape.call(
        lambda node: form.build(node, len(names)), [algebra.slot(moved)], span=call.span
    )
    seen = {name: times for name, times in value.occurrences.items() if name not in names}
    if form.kind is Kind.REDUCTION:
        kept = len(places)
        made = algebra.atom(slot, moved.dims[:kept], call.span)
        return made._replace(names=moved.names[:kept], occurrences=seen)
    made = algebra.atom(slot, moved.dims, call.span)._replace(names=moved.names)
    back = algebra.arranged(made, [order.index(k) for k in range(value.order)])
    return back._replace(occurrences={**seen, **dict.fromkeys(names, 1)})


def require_names(value: Value, names: tuple[str, ...], call: Call) -> None:
    """Refuse brackets with an index that the argument does not have."""
    for name in names:
        if name not in value.names:
            raise IndexNotationError(
                f"index {name} of `{call.function}[{','.join(names)}]` is no index of its argument",
                span=call.span,
                hint="index the argument: " + f"{call.function}[{names[0]}](x[{names[0]}])",
            )


def _tensors(algebra: Algebra, form: Form, values: Sequence[Value], call: Call) -> list[Value]:
    """The results of a function of whole tensors, by its signature."""
    signature = form.signature
    assert signature is not None
    parameters = _parameters(form, values, call)
    tensors = [algebra.concrete(value) for value in values[form.cuts[1]]]
    leading: tuple[str, ...] = ()
    if any(value.names for value in tensors):
        leading = _leading_names(form, tensors, call)
    batch = signature.batch([value.order for value in tensors])
    if batch is None:
        raise _misfit(form, tensors, call)
    sizes: dict[str | int, Side] = {}
    for value, pattern in zip(tensors, signature.inputs, strict=True):
        keys = [*range(value.order - len(pattern.letters)), *pattern.letters]
        for key, dim in zip(keys, value.dims, strict=True):
            side = Side(dim, value.span)
            message = f"`{call.function}` ({_shape_text(form)})"
            algebra.dimensions.equate(sizes.setdefault(key, side), side, message, call.span)
    build = partial(form.build, *parameters)
    slots: list[Slot] = [algebra.slot(value) for value in tensors]
    results: list[Value] = []
    for output, pattern in enumerate(signature.outputs):
        keys = [*(range(batch) if pattern.batched else ()), *pattern.letters]
        if all(key in sizes for key in keys):
            dims = [sizes[key].dim for key in keys]
        else:
            dims = _own_dims(build, tensors, output, algebra)
        slot = algebra.tape.call(build, slots, output=output, span=call.span)
        results.append(algebra.atom(slot, dims, call.span))
    if leading:
        seen = {name: tensors[0].occurrences.get(name, 1) for name in leading}
        results = [value._replace(names=leading, occurrences=seen) for value in results]
    return results


def _own_dims(
    build: Callable[..., Any], tensors: Sequence[Value], output: int, algebra: Algebra
) -> list[Dim]:
    """The dimensions of a result that has sizes of its own, as those of `kron` and `svd` are."""
    samples = [
        nodes.var(f"x{k}", map(algebra.dimensions.resolve, value.dims))
        for k, value in enumerate(tensors)
    ]
    found = build(*samples)
    return list((found[output] if isinstance(found, tuple) else found).dims)


def takes_whole_tensors(call: Call) -> IndexNotationError:
    """The error for an argument with indices where these say nothing."""
    whole, positions = "...", "i,j"
    match call.arguments[0]:
        case Index(base=Name(name=name), positions=given) if not any(map(_is_number, given)):
            named = [at.name if isinstance(at, Bound) else None for at in given]
            letters = (letter for letter in "ijklpqrs" if letter not in named)
            whole, positions = name, ",".join([at or next(letters, "i") for at in named])
    return IndexNotationError(
        f"`{call.function}` takes whole tensors",
        span=call.span,
        hint=f"index the call instead: {call.function}({whole})[{positions}]",
    )


def _is_number(position: Position) -> bool:
    return isinstance(position, Bound) and position.name is None


def _leading_names(form: Form, tensors: Sequence[Value], call: Call) -> tuple[str, ...]:
    """The batch indices of an indexed argument, whose last axes are the matrix."""
    signature = form.signature
    assert signature is not None
    if len(tensors) > 1 or any(pattern.letters for pattern in signature.outputs):
        raise takes_whole_tensors(call)
    value, letters = tensors[0], signature.inputs[0].letters
    return value.names[: max(0, value.order - len(letters))]


_WORDS = ("a scalar", "a vector", "a matrix")


def _shape_text(form: Form) -> str:
    assert form.signature is not None
    return " and ".join(map(_shape_word, form.signature.inputs))


def _shape_word(pattern: Pattern) -> str:
    letters = pattern.letters
    if len(letters) == 2 and letters[0] == letters[1]:
        return "a square matrix"
    return _WORDS[len(letters)] if len(letters) < len(_WORDS) else f"axes [{','.join(letters)}]"


def _misfit(form: Form, tensors: Sequence[Value], call: Call) -> DimensionError:
    given = " and ".join(value.kind for value in tensors)
    error = DimensionError(
        f"`{call.function}` takes {_shape_text(form)}, not {given}", span=call.span
    )
    if any(value.names for value in tensors):
        error.advise("its last two indices are the matrix; an index that occurs twice is summed")
    for argument, value in zip(call.arguments, tensors, strict=True):
        if value.order == 0:
            error.mention("this is a number", argument.span)
    if call.function == "dot" and all(value.order == 2 for value in tensors):
        error.advise("the scalar product of matrices is tr(A'*B)")
    return error.advise("`tcalc functions` says what each function takes")
