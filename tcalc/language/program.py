"""The entry points: from the text of a program to nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from tcalc.errors import (
    ArgumentError,
    DimensionError,
    IndexNotationError,
    OrientationError,
    ParseError,
    Source,
    Span,
    counted,
)
from tcalc.expr import Const, Node, Var, build
from tcalc.expr.collector import collector_paused
from tcalc.expr.index_names import IndexNames
from tcalc.expr.reading import Reading
from tcalc.expr.traverse import postorder
from tcalc.language import derivatives, loops
from tcalc.language.algebra import NOWHERE, Algebra, Value
from tcalc.language.dimensions import Dimensions
from tcalc.language.elaborate import Elaborator, left_indices
from tcalc.language.loops import Unrolled
from tcalc.language.names import BUILT_IN, Names, check_parameters
from tcalc.language.parser import parse_statements
from tcalc.language.reading import reading
from tcalc.language.special import axes_by_subscripts
from tcalc.language.syntax import (
    Call,
    Definition,
    Expression,
    Gathered,
    Index,
    Name,
    Position,
    Result,
    Statement,
    children,
    walk,
)
from tcalc.language.tape import Slot, Tape
from tcalc.primitives.axis_names import handed_down
from tcalc.primitives.function import Function

_SIZED = ("ones", "zeros", "eye")


@dataclass(frozen=True, slots=True)
class Program:
    """A program, elaborated.

    Attributes:
        value: the node of its value.
        orientation: ``"row"`` or ``"column"`` for a vector, ``""`` for all else; it exists in
            the notation only.
        variables: its inputs by name, declared ones first, then guessed ones, each in the order
            of appearance.
        reading: the order in which its formulas name inputs.
        definitions: the nodes of the definitions that the value needs.
        guesses: for each undeclared name what it was taken for: ``"scalar"``, ``"vector"``,
            ``"matrix"``, or ``"tensor3"`` and so on.
        places: where the text calls the functions that its value needs.
        index_names: the names of the indices of axes, of inputs and of what it indexes.
    """

    value: Node
    orientation: Literal["", "row", "column"]
    variables: dict[str, Var]
    reading: Reading
    definitions: dict[str, Node]
    guesses: dict[str, str]
    places: dict[Node, Span]
    index_names: IndexNames


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a program by name, and what those that nothing declares were taken for."""

    variables: dict[str, Var]
    guesses: dict[str, str]


@dataclass(frozen=True, slots=True)
class Given:
    """A tensor that a program may name though it does not say how it is made."""

    node: Node
    row: bool = False


@collector_paused()
def parse(
    text: str,
    declarations: str = "",
    /,
    *,
    functions: Iterable[Function] = (),
    given: Mapping[str, Given] | None = None,
    **parameters: float,
) -> Program:
    """Parse and elaborate a program.

    `functions` are known by their names beside those of the language, and `given` are tensors by
    name.  `parameters` are names given as numbers, as ``T=200`` for the bounds of loops.  Raises
    a `tcalc.errors.TcalcError` that points into the text for whatever is wrong with it.

    >>> program = parse("sum(log(1 + exp(X*w)))", "X[m,n]")
    >>> program.value.dims, list(program.variables.values()), program.guesses
    ((), [X[m,n], w[n]], {'w': 'vector'})
    """
    source, declared = source_of(text, ""), source_of(declarations, "declarations")
    numbers = check_parameters(parameters, (text, declarations))
    known = {x.name: x for function in functions for x in (function, *function.companions)}
    return Compilation(source, declared, numbers, known, given or {}).run()


def inputs(text: str, declarations: str = "") -> Inputs:
    """What a program takes its names for, though it may be wrong.

    So that whoever shows an error can let the user say what a name is.  Axes of names that are
    not declared have sizes of their own.  Raises a `tcalc.errors.TcalcError` where the text is
    no program at all.

    >>> inputs("s^2*eye(n) + K", "K[n,n]")
    Inputs(variables={'K': K[n,n], 's': s[m]}, guesses={'s': 'vector'})
    """
    source, declared = source_of(text, ""), source_of(declarations, "declarations")
    return Compilation(source, declared, {}, {}, {}).inputs()


def parse_declarations(text: str) -> dict[str, Var]:
    """The variables of a text of declarations.

    >>> parse_declarations("X[m,n], y[m] positive, c")
    {'X': X[m,n], 'y': y[m], 'c': c[]}
    """
    names = Names(Dimensions(), {})
    declare(names, parse_statements(source_of(text, "declarations"), declarations=True))
    names.check_spaces()
    resolve = names.dimensions.resolve
    return {
        name: build.var(name, map(resolve, variable.dims), variable.properties)
        for name, variable in names.variables.items()
    }


def source_of(text: str, name: str) -> Source:
    """The text of a program (without a name), or of declarations."""
    if not isinstance(text, str):
        example = "X[m,n], K[n,n] spd, c" if name else "sum(exp(X*w))"
        raise ArgumentError(
            f"the {name or 'program'} must be a str, not {type(text).__name__}",
            hint=f"for example {example!r}",
        )
    return Source(text, name)


def declare(names: Names, statements: Iterable[Statement]) -> None:
    """Enter the variables that a program declares."""
    for statement in loops.declarations(tuple(statements)):
        for item in statement.items:
            names.declare(item)


class Compilation:
    """One run from text to nodes, in steps that other kinds of programs refine."""

    def __init__(
        self,
        source: Source,
        declared: Source,
        numbers: dict[str, Fraction],
        functions: Mapping[str, Function],
        given: Mapping[str, Given],
    ) -> None:
        self._source = source
        self._dimensions = Dimensions()
        self._names = Names(self._dimensions, numbers, functions)
        self._tape = Tape()
        self._algebra = Algebra(self._tape, self._dimensions)
        self._elaborator = Elaborator(self._algebra, self._names)
        self._counters: set[str] = set()
        self._slots: dict[str, Slot] = {}
        self._statements = parse_statements(source)
        declare(self._names, parse_statements(declared, declarations=True))
        self._given = given
        for name, tensor in given.items():
            self._give(name, tensor)

    def _give(self, name: str, tensor: Given) -> None:
        """Make a tensor known by a name, as a definition would."""
        span = Span(0, 0, 1, 1, self._source)
        self._names.defined[name] = span
        for dim in tensor.node.dims:
            for size in sorted(dim.names()):
                self._dimensions.rigid(size, span)
        match tensor.node:
            case Const(value=number, shape=()):
                value = self._algebra.number(number, span)
            case node:
                value = self._algebra.atom(self._tape.given(node), node.dims, span)
        self._elaborator.definitions[name] = value._replace(row=tensor.row)

    def run(self) -> Program:
        """The program."""
        live = self._live()
        try:
            for step in live[:-1]:
                self._elaborate(step)
            return self._finish(self._elaborate(live[-1]), [step.statement for step in live])
        except (DimensionError, IndexNotationError, OrientationError) as error:
            if error.span is not None:
                self._names.tell_guesses(error)
            raise

    def inputs(self) -> Inputs:
        """Its variables, as far as they are known without a look at what is done with them."""
        names = self._names
        parts = (part for step in self._live() for part in walk(step.statement.value))
        for part in parts:
            if not isinstance(part, Name) or part.steps or part.name in BUILT_IN:
                continue
            if self._is_free(part.name) and names.dimension(part.name) is None:
                names.variable(part.name, part.span)
        axes = [dim for variable in names.variables.values() for dim in variable.dims]
        self._dimensions.name_unknowns(axes, {*names.variables, *names.defined})
        return Inputs(self._variables(), dict(names.guesses))

    def _live(self) -> list[Unrolled]:
        """The statements that its value needs, surveyed, the one of the value last."""
        declare(self._names, self._statements)
        steps = loops.unroll(self._statements, self._names)
        script = loops.Script(steps, self._names)
        self._names.check_spaces()
        position = script.value
        if position is None:
            raise ParseError(
                "the program has no value",
                span=Span(0, 1, 1, 1, self._source),
                hint="its value is the last bare expression, or the last definition",
            )
        live = [script.steps[k] for k in script.live(position)]
        self._counters = {name for step in live for name in step.counters}
        self._survey(live)
        return live

    def _variables(self) -> dict[str, Var]:
        return {
            name: build.var(name, map(self._dimensions.resolve, found.dims), found.properties)
            for name, found in self._names.variables.items()
        }

    def _survey(self, live: Sequence[Unrolled]) -> None:
        """Collect what must be known before the first formula is elaborated."""
        for expression in dict.fromkeys(step.statement.value for step in live):
            for part in walk(expression):
                match part:
                    case Index(base=Name(name=name, steps=(), span=span), positions=positions):
                        if self._is_free(name) and name not in BUILT_IN:
                            self._names.used_with_brackets(name, len(positions), span)
                        self._names.positions |= _gathering(positions)
                    case Call(function="einsum", arguments=arguments):
                        for operand, order in axes_by_subscripts(arguments):
                            if self._is_free(operand.name) and operand.name not in BUILT_IN:
                                self._names.used_with_brackets(operand.name, order, operand.span)
                    case Call(function=function, arguments=arguments) if function in _SIZED:
                        self._survey_sizes(arguments)
                    case Call(function="split" | "onehot", arguments=(_, *sizes)):
                        self._survey_sizes(sizes)
            self._names.used |= _mentioned(expression)
        self._names.check_spaces()

    def _survey_sizes(self, sizes: Iterable[Expression]) -> None:
        """A name in ``ones(m,n)`` is a dimension, unless it is something else already."""
        for size in sizes:
            for part in walk(size):
                if isinstance(part, Name) and not part.steps and self._is_free(part.name):
                    self._dimensions.rigid(part.name, part.span)

    def _is_free(self, name: str) -> bool:
        names = self._names
        known = name in names.variables or name in names.defined
        return not known and name not in names.parameters and name not in self._counters

    def _elaborate(self, step: Unrolled) -> Value:
        """The value of a statement."""
        algebra, names, statement = self._algebra, self._names, step.statement
        if isinstance(statement, Definition) and len(statement.targets) > 1:
            return self._unpack(statement, step)
        left: tuple[str, ...] | None = None
        if isinstance(statement, Definition):
            left = left_indices(statement.targets[0].indices, names, step.counters)
        value = self._elaborator.formula(statement.value, left, step.counters)
        indices = value.names
        value = algebra.solid(algebra.concrete(value)._replace(names=(), occurrences=NOWHERE))
        if indices:
            self._elaborator.axes.note(value, indices)
        if isinstance(statement, Definition):
            self._elaborator.definitions[step.targets[0]] = value
        return value

    def _unpack(self, statement: Definition, step: Unrolled) -> Value:
        """``Q, R = qr(A)``; its value is the first result."""
        results = self._elaborator.outputs(statement.value, step.counters)
        if len(results) != len(statement.targets):
            raise ParseError(
                f"{len(statement.targets)} names for {counted(len(results), 'result')}",
                span=statement.span,
                hint="one name for each result",
            )
        for target, name, value in zip(statement.targets, step.targets, results, strict=True):
            if target.indices is not None:
                raise ParseError(
                    "results are unpacked to plain names",
                    span=target.span,
                    hint="index the names where they are used",
                )
            self._elaborator.definitions[name] = value
        return results[0]

    def _finish(self, result: Value, statements: Sequence[Definition | Result]) -> Program:
        """Settle the dimensions and make the nodes."""
        self._dimensions.settle()
        definitions = self._elaborator.definitions
        slots = {name: self._algebra.slot(value) for name, value in definitions.items()}
        self._slots.update(slots)
        value_slot = self._algebra.slot(result)
        needed = self._tape.needed([value_slot, *slots.values()])
        self._settle_sizes(needed)
        nodes = self._replayed(needed)
        known = self._elaborator.axes.index_names(nodes)
        if known:
            roots = [nodes[slot] for slot in (value_slot, *slots.values())]
            known = handed_down(postorder(roots), known)
        orientation: Literal["", "row", "column"] = ""
        if result.order == 1:
            orientation = "row" if result.row else "column"
        variables = self._variables()
        return Program(
            value=nodes[value_slot],
            orientation=orientation,
            variables=variables,
            reading=reading(statements, variables),
            definitions={
                name: nodes[slot] for name, slot in slots.items() if name not in self._given
            },
            guesses=dict(self._names.guesses),
            places=self._tape.places(nodes),
            index_names=known,
        )

    def _replayed(self, needed: Sequence[Slot]) -> dict[Slot, Node]:
        """The nodes of the steps that are needed."""
        return self._tape.replay(needed, self._dimensions.resolve)

    def _settle_sizes(self, needed: Sequence[Slot]) -> None:
        """Name the sizes that nobody named, and refuse those that no variable determines."""
        names = self._names
        axes = [dim for variable in names.variables.values() for dim in variable.dims]
        taken = {*names.variables, *names.defined, *names.parameters, *self._counters}
        self._dimensions.name_unknowns(axes, taken)
        resolved = [self._dimensions.resolve(dim) for dim in axes]
        resolved += [dim for tensor in self._given.values() for dim in tensor.node.dims]
        self._dimensions.require_known(
            self._tape.dims(needed), {name for dim in resolved for name in dim.names()}
        )
        self._elaborator.indexer.check_ranges()
        for variable in names.variables.values():
            for dim in map(self._dimensions.resolve, variable.dims):
                if dim.value is not None and dim.value < 1:
                    raise DimensionError(
                        f"an axis of `{variable.name}` would have size {dim}",
                        span=variable.span,
                        hint="declare the dimensions of the variable",
                    )


def _gathering(positions: Iterable[Position]) -> set[str]:
    """The names of tensors that stand, with indices or as slices, in these positions."""
    at = (position.at for position in positions if isinstance(position, Gathered))
    bases = (x.base if isinstance(x, Index) else x for x in at)
    return {x.name for x in bases if isinstance(x, Name)}


def _mentioned(expression: Expression) -> set[str]:
    """The names that a formula uses; a name that it only differentiates by is not used."""
    found: set[str] = set()
    pending = [expression]
    while pending:
        part = pending.pop()
        if isinstance(part, Name):
            found.add(part.name)
        elif isinstance(part, Call) and part.function in derivatives.FORMS:
            pending += part.arguments[:1]
        else:
            pending += children(part)
    return found
