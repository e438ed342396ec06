"""What a worker can do: one function for each request of the API.

All of tcalc that the web form uses is used here.  Texts of users are parsed by tcalc's own parser
and nothing else; numbers are computed by the reference interpreter on random data of small sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, combinations_with_replacement
from math import isfinite
from typing import Any, Literal

import tcalc
from tcalc import gallery
from tcalc.checking import check_derivative
from tcalc.errors import ArgumentError, LimitError
from tcalc.expression import Expression
from tcalc.language.names import PROPERTIES

from . import schemas
from .complaints import of_tcalc

MOST_RESULTS = 24
"""Derivatives by all choices of several variables soon become very many."""

Kind = Literal["gradient", "Jacobian", "Hessian", "derivative"]


@dataclass(frozen=True, slots=True)
class Derivative:
    """A derivative, the variables it is by, and what it is the last derivative of."""

    wrt: tuple[str, ...]
    expression: Expression
    below: Expression

    @property
    def kind(self) -> Kind:
        lead = self.expression.lead or 0
        inner = sum(self.below.variables[name].order for name in self.wrt[:-1])
        scalar = lead == inner
        if len(self.wrt) == 1:
            return "gradient" if scalar else "Jacobian"
        return "Hessian" if scalar and len(self.wrt) == 2 else "derivative"

    @property
    def title(self) -> str:
        return f"{self.kind} by {', '.join(self.wrt)}"


# A page asks for several things about one formula in a row.
@lru_cache(maxsize=32)
def program(formula: str, declarations: str) -> Expression:
    """The value of a program."""
    return tcalc.parse(formula, declarations)


@lru_cache(maxsize=64)
def derivative(formula: str, declarations: str, wrt: tuple[str, ...], mode: str) -> Expression:
    """A derivative of a program, by each of the variables in turn."""
    return tcalc.derivative(program(formula, declarations), *wrt, mode=mode)


def derivatives(request: schemas.Differentiation) -> Iterator[Derivative]:
    """The derivatives that a request asks for, one after the other."""
    by = list(dict.fromkeys(request.wrt))
    choose = combinations if request.mixed and request.order > 1 else combinations_with_replacement
    choices = list(choose(by, request.order))
    if not choices:
        raise ArgumentError(
            "a mixed derivative is by different variables", hint="choose two variables or more"
        )
    if len(choices) > MOST_RESULTS:
        raise LimitError(
            f"these are {len(choices)} derivatives; the limit is {MOST_RESULTS}",
            hint="choose fewer variables",
        )
    for wrt in choices:
        expression = derivative(request.formula, request.declarations, wrt, request.mode)
        below = (
            derivative(request.formula, request.declarations, wrt[:-1], request.mode)
            if wrt[1:]
            else program(request.formula, request.declarations)
        )
        yield Derivative(wrt, expression, below)


def parse(request: schemas.Program) -> schemas.Parsed:
    """What a program is, or why it is none."""
    try:
        value = program(request.formula, request.declarations)
        shown = value.mathml(cse=False)
    except tcalc.TcalcError as error:
        return schemas.Parsed(error=of_tcalc(error))
    variables = [
        schemas.Variable(
            name=name,
            dims=[str(dim) for dim in variable.dims],
            properties=list(variable.properties),
            guessed=name in value.guesses,
        )
        for name, variable in value.variables.items()
    ]
    return schemas.Parsed(dims=list(value.shape), variables=variables, mathml=shown)


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
    function = tcalc.compile([value, *(x.expression for x in found)], backend=request.backend)
    known = function.signature.sizes
    sizes = {name: size for name, size in request.sizes.items() if name in known}
    return schemas.Code(
        source=function.source_for(**sizes),
        filename=f"{found[0].kind.lower()}.py",
        returns=["value", *(x.title for x in found)],
    )


def check(request: schemas.CheckRequest) -> schemas.Checks:
    """Each derivative against differences of the one below it, on random data."""
    return schemas.Checks(checks=[_check(found, request.seed) for found in derivatives(request)])


def _check(found: Derivative, seed: int) -> schemas.Check:
    variable = found.below.variables[found.wrt[-1]]
    try:
        report = check_derivative(
            found.below.node,
            found.expression.node,
            variable,
            order=len(found.wrt),
            seed=seed,
        )
    except tcalc.TcalcError as error:
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

    def step(line: Any) -> schemas.Step:
        return schemas.Step(
            name=line.name, formula=line.formula, mathml=line.mathml(), reason=line.reason
        )

    return schemas.Explanation(
        values=list(map(step, found.values)),
        cotangents=list(map(step, found.cotangents)),
        result=step(found.result),
    )


@lru_cache(maxsize=1)
def examples() -> schemas.Examples:
    """The gallery, with the declarations of each program apart from its formula."""
    return schemas.Examples(
        examples=list(map(_example, gallery.models())), properties=list(PROPERTIES)
    )


def _example(model: gallery.Model) -> schemas.Example:
    lines = model.program.splitlines()
    declared = [line.removeprefix("tensor ") for line in lines if line.startswith("tensor ")]
    rest = "\n".join(line for line in lines if not line.startswith("tensor "))
    return schemas.Example(
        name=model.name,
        title=model.title,
        about=model.about,
        source=model.source,
        group="MatrixCalculus.org" if model.source == "MatrixCalculus.org" else "Models",
        formula=rest.strip(),
        declarations=", ".join(declared),
        wrt=list(model.wrt),
    )
