"""What a worker can do: one function for each request of the API.

Texts of users are parsed by tcalc's own parser and nothing else; numbers are computed by the
reference interpreter on random data of small sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, combinations_with_replacement
from math import isfinite
from time import monotonic
from typing import Literal, get_args

import tcalc
from tcalc import Expression
from tcalc.errors import ArgumentError, DomainError, LimitError, UnsupportedError
from tcalc.typing import Cost, Inputs, Line, Mode

from . import schemas
from .failures import of_tcalc

MODES: tuple[Mode, ...] = get_args(Mode)

MOST_NODES = 400
"""A picture of the page can be scrolled."""

MOST_TERMS = 4
"""Terms of a polynomial that are shown of a cost."""

ANSWERED_WITHIN = 0.5
"""Seconds after which an answer tells the costs that are counted so far."""


@dataclass(frozen=True, slots=True)
class Derivative:
    """A derivative, the variables it is by, and what it is the last derivative of."""

    wrt: tuple[str, ...]
    kind: schemas.Kind
    expression: Expression
    below: Expression

    @property
    def title(self) -> str:
        """What it is called: gradient by w."""
        return f"{self.kind} by {', '.join(self.wrt)}"


# A page asks for several things about one formula in a row.
@lru_cache(maxsize=32)
def program(formula: str, declarations: str) -> Expression:
    """The value of a program."""
    return tcalc.parse(formula, declarations)


@lru_cache(maxsize=64)
def derivative(formula: str, declarations: str, wrt: tuple[str, ...], mode: Mode) -> Expression:
    """A derivative of a program, by each of the variables in turn."""
    return tcalc.derivative(program(formula, declarations), *wrt, mode=mode)


def choices(request: schemas.Differentiation) -> list[tuple[str, ...]]:
    """The variables of each derivative that a request asks for."""
    by = list(dict.fromkeys(request.wrt))
    choose = combinations if request.mixed and request.order > 1 else combinations_with_replacement
    found = list(choose(by, request.order))
    if not found:
        raise ArgumentError(
            "a mixed derivative is by different variables", hint="choose two variables or more"
        )
    if len(found) > schemas.MOST_RESULTS:
        raise LimitError(
            f"these are {len(found)} derivatives; the limit is {schemas.MOST_RESULTS}",
            hint="choose fewer variables",
        )
    return found


def kind_of(value: Expression, order: int) -> schemas.Kind:
    """What the derivative of a value is called."""
    if order == 1:
        return "Jacobian" if value.shape else "gradient"
    return "Hessian" if order == 2 and not value.shape else "derivative"


def derivatives(request: schemas.ModedRequest) -> Iterator[Derivative]:
    """The derivatives that a request asks for, one after the other."""
    text = (request.formula, request.declarations)
    value = program(*text)
    kind = kind_of(value, request.order)
    for wrt in choices(request):
        expression = derivative(*text, wrt, request.mode)
        below = derivative(*text, wrt[:-1], request.mode) if wrt[1:] else value
        yield Derivative(wrt, kind, expression, below)


def parse(request: schemas.Program) -> schemas.Parsed:
    """What a program is, or why it is none."""
    try:
        value = program(request.formula, request.declarations)
        return schemas.Parsed(
            dims=list(value.shape),
            variables=_variables(value),
            text=value.text(),
            latex=value.latex(),
            mathml=value.mathml(),
        )
    except tcalc.TcalcError as error:
        return schemas.Parsed(error=of_tcalc(error), variables=_variables_of_wrong(request))


def _variables_of_wrong(request: schemas.Program) -> list[schemas.Variable]:
    """What the names in a wrong program are taken for, so that the user can say otherwise."""
    for declarations in (request.declarations, ""):  # it may be these that are wrong
        with suppress(tcalc.TcalcError):
            return _variables(tcalc.inputs(request.formula, declarations))
    return []


def _variables(found: Expression | Inputs) -> list[schemas.Variable]:
    return [
        schemas.Variable(
            name=name,
            dims=[str(dim) for dim in variable.dims],
            properties=list(variable.properties),
            guessed=name in found.guesses,
        )
        for name, variable in found.variables.items()
    ]


def differentiate(request: schemas.DerivativeRequest) -> schemas.Derivatives:
    """Derivatives in the notations asked for."""
    cse: Literal["auto"] | bool = "auto" if request.cse is None else request.cse
    write: Mapping[schemas.Notation, Callable[[Expression], str]] = {
        "text": lambda x: x.text(cse=cse),
        "einstein": lambda x: x.text("einstein", cse),
        "latex": lambda x: x.latex(cse=cse),
        "mathml": lambda x: x.mathml(cse=cse),
        "einstein_mathml": lambda x: x.mathml("einstein", cse),
    }
    results = [
        schemas.Result(
            wrt=list(found.wrt),
            kind=found.kind,
            dims=list(found.expression.shape),
            operator=found.expression.operator(),
            **{notation: write[notation](found.expression) for notation in request.notations},
        )
        for found in derivatives(request)
    ]
    return schemas.Derivatives(results=results)


def write_code(request: schemas.CodeRequest) -> schemas.Code:
    """A module for the value and the derivatives."""
    found = list(derivatives(request))
    value = program(request.formula, request.declarations)
    expressions = [value, *(x.expression for x in found)]
    try:
        function = tcalc.compile(expressions, backend=request.backend)
        known = function.signature.sizes
        sizes = {name: size for name, size in request.sizes.items() if name in known}
        source = function.source_for(**sizes)
    except ModuleNotFoundError as error:
        raise UnsupportedError(f"{error.name} is not installed where this page is served") from None
    return schemas.Code(
        source=source,
        filename=f"{found[0].kind.lower()}.py",
        returns=["value", *(x.title for x in found)],
    )


def cost(request: schemas.CostRequest) -> schemas.Costs:
    """Operations and memory of each derivative in all modes, dense and factored."""
    value = program(request.formula, request.declarations)
    dims = [dim for variable in value.variables.values() for dim in variable.dims]
    names = {name for dim in dims for name in dim.names()}
    given = {name: size for name, size in request.sizes.items() if name in names}
    kind = kind_of(value, request.order)
    told = schemas.Costs(
        sizes=given,
        modes=list(MODES),
        tables=[schemas.CostTable(wrt=list(wrt), kind=kind, costs=[]) for wrt in choices(request)],
    )
    rows = [(table, mode) for table in told.tables for mode in MODES]
    began = monotonic()
    for at, (table, mode) in enumerate(rows[request.start :], request.start):
        if at > request.start and monotonic() - began > ANSWERED_WITHIN:
            told.next = at
            break
        found = tcalc.cost(value, table.wrt, sizes=given, modes=[mode])
        told.sizes = dict(sorted(found.sizes.items()))
        table.costs += map(_cost, found)
    return told


def _cost(row: Cost) -> schemas.Cost:
    return schemas.Cost(
        mode=row.mode,
        form=row.form,
        nodes=row.nodes,
        order=row.order,
        flops=row.flops.text(MOST_TERMS),
        memory=row.memory.text(MOST_TERMS),
        operations=row.operations,
        bytes=row.bytes,
    )


def check(request: schemas.CheckRequest) -> schemas.Checks:
    """Each derivative, or what is claimed to be it, against differences of the one below it."""
    found = list(derivatives(request))
    if request.claim is not None and len(found) > 1:
        raise ArgumentError(
            f"a claim is about one derivative, and these are {len(found)}",
            hint="choose one variable",
        )
    return schemas.Checks(checks=[_check(one, request.seed, request.claim) for one in found])


def _check(found: Derivative, seed: int, claim: str | None) -> schemas.Check:
    """How a derivative fares, or what somebody else has found it to be."""
    checked = found.expression if claim is None else claim
    try:
        report = tcalc.check(found.below, found.wrt[-1], claim=checked, seed=seed)
    except tcalc.TcalcError as error:
        if claim is not None and not isinstance(error, DomainError):
            # Its place is one in the claim, which is not the formula.
            where = "in the claim: " if error.span else ""
            raise ArgumentError(f"{where}{error.message}", hint=error.hint) from None
        return schemas.Check(wrt=list(found.wrt), passed=None, reason=error.message)
    return schemas.Check(
        wrt=list(found.wrt),
        passed=report.passed,
        error=report.error if isfinite(report.error) else None,
        tolerance=report.tolerance,
        method=report.method,
        directions=report.directions,
        sizes=dict(report.sizes),
    )


def explain(request: schemas.ExplainRequest) -> schemas.Explanation:
    """A gradient derived step by step."""
    found = tcalc.explain(program(request.formula, request.declarations), request.wrt)
    return schemas.Explanation(
        values=list(map(_step, found.values)),
        cotangents=list(map(_step, found.cotangents)),
        result=_step(found.result),
    )


def _step(line: Line) -> schemas.Step:
    return schemas.Step(
        name=line.name, formula=line.formula, mathml=line.mathml(), reason=line.reason
    )


def draw(request: schemas.DrawRequest) -> schemas.Picture:
    """The graph of the derivatives, as they were derived."""
    found = list(derivatives(request))
    title = "; ".join(x.title for x in found)
    try:
        svg = tcalc.draw([x.expression for x in found], title=title, limit=MOST_NODES)
    except LimitError as error:
        hint = "draw fewer derivatives, or those of a part of the function"
        raise LimitError(error.message, hint=hint) from None
    return schemas.Picture(svg=svg)
