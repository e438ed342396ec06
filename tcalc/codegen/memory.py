"""What a program holds, when it may let go, and what it may write over.

A value that nobody reads any more gives its memory to the result of the last statement that reads
it, where that works element by element; arrays below `WORTHWHILE` elements do so only where a copy
is saved.  What belongs to the caller is never written to: an argument, a part of one, a result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from math import prod
from typing import Concatenate, ParamSpec, TypeVar, cast

from tcalc.codegen.program import (
    Argument,
    Call,
    Derived,
    Diagonal,
    EinSum,
    Factorise,
    Fold,
    FromFactor,
    Fused,
    MatMul,
    Memory,
    Operation,
    Pick,
    Product,
    Program,
    Rows,
    Solve,
    Solver,
    Spread,
    Statement,
    Sum,
    TensorDot,
    Total,
    Triangle,
    Value,
    View,
)
from tcalc.expr.dims import Shape
from tcalc.primitives.routines import Embedded, Template

P = ParamSpec("P")
T = TypeVar("T")

LARGE = 1 << 12
"""The elements from which on a temporary is dropped when it is no longer needed.

So the next one takes its memory while that is in the processor's cache.  Temporaries that are all
let go at the end of a call are given back to the system, and its pages made anew in each call.
"""

LONG = 2000
"""The statements from which on names are given on, so that no chain holds all its steps."""

WORTHWHILE = 1 << 10
"""The elements from which on element-wise steps write over what they no longer need."""


def count(dims: Shape, sizes: Mapping[str, int]) -> int:
    """The number of elements of an array."""
    return prod(dim.evaluate(sizes) for dim in dims)


def renamed(operation: Operation) -> Value | None:
    """The value that an operation only gives another name, if it does so."""
    match operation:
        case Factorise(matrix=view, solver=Solver.LOWER | Solver.UPPER):
            return view.value
        case _:
            return None


def shared(operation: Operation) -> Value | None:
    """The value whose memory the result of an operation may be a part of."""
    match operation:
        case Pick(source=source) | Diagonal(source=source) | Rows(source=source):
            return source
        case Spread(source=view) | Fold(source=view):
            return view.value
        case Factorise(matrix=view) if not _is_copied(operation):
            return view.value
        case FromFactor(factor=factor, kind=Derived.CHOLESKY):
            return factor
        case _:
            return None


def _is_copied(operation: Factorise) -> bool:
    """Whether LAPACK makes a new array of the matrix, unless it may take its place."""
    return operation.solver in (Solver.SPD, Solver.GENERAL) and len(operation.matrix.dims) == 2


def remembered(
    analysis: Callable[Concatenate[Program, P], T],
) -> Callable[Concatenate[Program, P], T]:
    """An analysis of a program, and of sizes if it takes any, that is made once for both."""

    @wraps(analysis)
    def asked(program: Program, /, *args: P.args, **kwargs: P.kwargs) -> T:
        sizes = cast("tuple[Mapping[str, int], ...]", args)
        key = (analysis, *(tuple(x.items()) for x in sizes))
        if key not in program.found:
            program.found[key] = analysis(program, *args, **kwargs)
        found: T = program.found[key]
        return found

    return asked


@remembered
def last_uses(program: Program) -> dict[int, list[Value]]:
    """For each statement, by its place, the temporaries that nobody reads after it.

    A value and its views share their memory, which is freed with the last of them.
    """
    first = {
        statement.results[0]: source
        for statement in program.statements
        if (source := renamed(statement.operation)) is not None
    }
    kept = {first.get(output.view.value, output.view.value) for output in program.outputs}
    last: dict[int, list[Value]] = {}
    for place in range(len(program.statements) - 1, -1, -1):
        for value in dict.fromkeys(first.get(x, x) for x in program.statements[place].reads):
            if value not in kept:
                kept.add(value)
                if value.memory in (Memory.FRESH, Memory.REPEATED):
                    last.setdefault(place, []).append(value)
    return last


@remembered
def owned(program: Program) -> Callable[[Value], Shape | None]:
    """A function that tells the shape of a temporary; None for views and numbers."""
    shapes: dict[Value, Shape | None] = {}
    for statement in program.statements:
        operation = statement.operation
        if isinstance(operation, Factorise) and _is_copied(operation):
            shapes[statement.results[0]] = operation.matrix.dims
        elif shared(operation) is not None:
            shapes.update(dict.fromkeys(statement.results, None))
    return lambda value: shapes.get(value, value.dims) if value.memory is Memory.FRESH else None


@remembered
def counter(program: Program, sizes: Mapping[str, int]) -> Callable[[Value], int]:
    """A function that counts the elements of a temporary; views and numbers take none."""
    known: dict[Shape, int] = {}
    counts: dict[Value, int] = {}
    shape = owned(program)

    def elements(value: Value) -> int:
        found = counts.get(value)
        if found is None:
            dims = shape(value)
            if dims is not None and dims not in known:
                known[dims] = count(dims, sizes)
            found = counts[value] = 0 if dims is None else known[dims]
        return found

    return elements


@remembered
def holds_large(program: Program, sizes: Mapping[str, int]) -> bool:
    """Whether any temporary is so large that it is dropped with its last use."""
    elements = counter(program, sizes)
    return any(elements(x) >= LARGE for s in program.statements for x in s.results)


def reuses_names(program: Program) -> bool:
    """Whether temporaries that are no longer needed give their names, and so their memory, on."""
    return len(program.statements) > LONG


def dropped(program: Program, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """The numbers of the temporaries that are dropped as soon as they are not needed."""
    if not holds_large(program, sizes):
        return ()
    elements = counter(program, sizes)
    return tuple(
        value.number
        for values in last_uses(program).values()
        for value in values
        if elements(value) >= LARGE
    )


def lifetimes(
    program: Program, lender_of: Callable[[Operation], Value | None] = shared
) -> dict[Value, int]:
    """For each value the last statement that reads it or what shares its memory, by its place.

    `lender_of` tells whose memory the result of an operation is a part of.  Results live on after
    the last statement.
    """
    source: dict[Value, Value] = {}
    final: dict[Value, int] = {}
    for place, statement in enumerate(program.statements):
        if (lender := lender_of(statement.operation)) is not None:
            source.update(dict.fromkeys(statement.results, source.get(lender, lender)))
        for value in statement.reads:
            final[value] = final[source.get(value, value)] = place
    for output in program.outputs:
        value = output.view.value
        final[value] = final[source.get(value, value)] = len(program.statements)
    return final


@remembered
def overwritten(program: Program, sizes: Mapping[str, int]) -> dict[int, Value]:
    """For statements, by their places, the operand whose memory the result takes over."""
    if not program.in_place:
        return {}
    elements = counter(program, sizes)
    places = [k for k, s in enumerate(program.statements) if _pays(s, elements, program.device)]
    if not places:
        return {}
    own = {x for s in program.statements if _owns(s) for x in s.results}
    kept = {x for s in program.statements[: program.prepared] for x in s.results}
    final = lifetimes(program)
    found: dict[int, Value] = {}
    for place in places:
        statement = program.statements[place]
        for view in _candidates(statement.operation):
            value = view.value
            if value not in own or final[value] > place or not view.plain:
                continue
            if place >= program.prepared and value in kept:
                continue
            fits = is_opaque(statement.operation) or value.dims == statement.results[0].dims
            if fits and (elements(value) >= WORTHWHILE or _saves_copy(statement.operation)):
                found[place] = value
                break
    return found


def _pays(statement: Statement, elements: Callable[[Value], int], device: bool) -> bool:
    """Whether to write the result over an operand is worth looking for one that is large enough."""
    operation = statement.operation
    if device or _saves_copy(operation):
        return _saves_copy(operation)
    values = statement.reads if is_opaque(operation) else statement.results
    return elements(values[0]) >= WORTHWHILE


def is_opaque(operation: Operation) -> bool:
    """Whether what is read or made is a factorisation, whose memory has no shape of its own."""
    return isinstance(operation, Factorise | FromFactor)


def _owns(statement: Statement) -> bool:
    """Whether the result is an array with memory of its own, of the type of the program."""
    if not statement.results[0].dims and not isinstance(statement.operation, Factorise):
        return False
    match statement.operation:
        case Factorise() as operation:
            return _is_copied(operation)
        case Product() | Sum() | MatMul() | TensorDot() | EinSum() | Total() | Triangle() | Solve():
            return True
        case FromFactor(kind=kind):
            return kind is Derived.INVERSE
        case Call(routine=Template() | Embedded(fresh=True)) | Fused():
            return True
        case _:
            return False


def _candidates(operation: Operation) -> list[View]:
    """The operands whose memory could hold the result: those that are read once."""
    match operation:
        case Product(factors=factors, divisors=divisors):
            views = [*factors, *divisors]
        case Sum(addends=addends, placed=placed, spans=True):
            views = [x.view for x in addends]
            placed_too = {x.view.value for x in placed}
            views = [view for view in views if view.value not in placed_too]
        case Call(routine=Template() as routine, arguments=arguments):
            views = list(arguments) if by_elements(routine) else []
        case Factorise(matrix=matrix):
            return [matrix] if _is_copied(operation) else []
        case FromFactor(kind=Derived.INVERSE, factor=factor, solver=Solver.SPD | Solver.GENERAL):
            return [View.of(factor)]
        case _:
            return []
    reads = Counter(view.value for view in views)
    return [view for view in views if reads[view.value] == 1]


def by_elements(routine: Template) -> bool:
    """Whether a function is known to work element by element, and may end in an operand's memory.

    A reciprocal is a division of 1.0.
    """
    text = routine.text
    return routine.ufunc or text == "1.0 / {0}" or text.startswith("1.0 / np.")


def _saves_copy(operation: Operation) -> bool:
    """Whether the result would begin as a copy of the operand."""
    match operation:
        case Sum(addends=(addend,), placed=placed):
            return addend.coefficient == 1 and bool(placed)
        case _:
            return False


def peak(program: Program, sizes: Mapping[str, int]) -> int:
    """The most elements that temporaries and results take at one time, arguments not counted."""
    return sum(map(counter(program, sizes), held_at_peak(program, sizes)))


def held_at_peak(program: Program, sizes: Mapping[str, int], least: int = LARGE) -> list[Value]:
    """The temporaries and results that are there when together they take most.

    Those with at least `least` elements are dropped with their last use.
    """
    last = last_uses(program)
    taken = overwritten(program, sizes)
    reused = reuses_names(program)
    elements = counter(program, sizes)
    # For each place what is made there, and what is gone, by then and afterwards.
    made: list[Sequence[Value]] = []
    over: list[Sequence[Value]] = []
    gone: list[Sequence[Value]] = []
    for place, statement in enumerate(program.statements):
        own = statement.results if not isinstance(statement.operation, Argument) else ()
        made.append(own)
        over.append([taken[place]] if place in taken else [])
        done = [value for value in last.get(place, ()) if value is not taken.get(place)]
        gone.append([value for value in done if reused or elements(value) >= least])
    held = highest = where = 0
    for place, parts in enumerate(zip(made, over, gone, strict=True)):
        new, replaced, dropped = (sum(map(elements, values)) for values in parts)
        held += new - replaced
        if held > highest:
            highest, where = held, place
        held -= dropped
    alive: dict[Value, None] = {}
    for place in range(where + 1 if made else 0):
        alive.update(dict.fromkeys(made[place]))
        lost = [*over[place], *(gone[place] if place < where else ())]
        for value in lost:
            alive.pop(value, None)
    return list(alive)
