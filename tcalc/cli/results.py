"""Derivatives of a program with the names they go by, and how they are shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import click

import tcalc
from tcalc.calculus import Mode, compression, factored_terms
from tcalc.cli import progress
from tcalc.cli.source import Program, guesses
from tcalc.codegen.options import Backend
from tcalc.errors import ArgumentError, DimensionError
from tcalc.expression import Expression
from tcalc.printing import Cse
from tcalc.requirements import require_sizes

if TYPE_CHECKING:
    from tcalc.recurrences import Recurrence

Form: TypeAlias = Literal["auto", "matrix", "einstein", "latex", "mathml"]
"""The formats that are notation."""
Format: TypeAlias = Form | Literal["python", "json"]

MUCH_SMALLER = 10
"""A factored form is mentioned where it takes this many times less memory than the dense one."""

LONGEST_OPERATOR = 300
"""The most characters of an operator form that is printed: it names no common parts."""


@dataclass(frozen=True, slots=True)
class Result:
    """The value of a program (`wrt` is empty) or a derivative of it, by each of `wrt` in turn."""

    wrt: tuple[str, ...]
    scalar: bool
    expression: Expression
    simplify: bool = field(default=True, kw_only=True)
    """Whether it is simplified where it is written."""

    @property
    def kind(self) -> str:
        """What it is called: value, gradient, Jacobian, Hessian or derivative."""
        match len(self.wrt), self.scalar:
            case 0, _:
                return "value"
            case 1, True:
                return "gradient"
            case 1, False:
                return "Jacobian"
            case 2, True:
                return "Hessian"
        return "derivative"

    @property
    def title(self) -> str:
        """Its kind and its variables: ``gradient by w``, ``Hessian by U, V``."""
        if not self.wrt:
            return self.kind
        twice = self.kind == "Hessian" and len(set(self.wrt)) == 1
        return f"{self.kind} by {', '.join(self.wrt[:1] if twice else self.wrt)}"


def derive(program: Program, wrt: Sequence[str], order: int, mode: Mode) -> list[Result]:
    """The derivatives of one order by all choices of the variables; order 0 is the value."""
    value = program.expression
    scalar = not value.shape
    if order == 1:
        found = tcalc.jacobian(value, list(dict.fromkeys(wrt)), mode=mode)
        progress.about([result.node for result in found.values()])
        return [Result((name,), scalar, result) for name, result in found.items()]
    choices = combinations_with_replacement(dict.fromkeys(wrt), order)
    results = [
        Result(names, scalar, tcalc.derivative(value, *names, mode=mode) if names else value)
        for names in choices
    ]
    progress.about([result.expression.node for result in results])
    return results


def present(
    program: Program,
    results: Sequence[Result],
    form: Format,
    cse: Cse,
    sizes: Mapping[str, int],
    **more: Any,
) -> str:
    """The results in any of the formats; `more` is what JSON says besides."""
    if sizes and form != "python":
        raise click.UsageError("--sizes are hints for --format python, and change no formula.")
    require_sizes(program.expression, sizes)
    match form:
        case "json":
            return document(program, results, cse, **more)
        case "python":
            return source(results, sizes)
    return show(results, form, cse)


def show(results: Sequence[Result], form: Form, cse: Cse) -> str:
    """The results as text, in one of the formats; several carry their variables before them."""
    if len(results) == 1:
        return _with_notes(results[0], form, cse)
    shown: list[str] = []
    for result in results:
        text = _with_notes(result, form, cse)
        shown.append(f"{','.join(result.wrt)}:{chr(10) if chr(10) in text else ' '}{text}")
    return "\n".join(shown)


def _with_notes(result: Result, form: Form, cse: Cse) -> str:
    """A result and what else is to be said of it, as comments of the language."""
    text = formula(result, form, cse)
    if form in ("latex", "mathml"):
        return text
    operator = result.expression.operator()
    if operator is not None and len(operator) > LONGEST_OPERATOR:
        operator = None
    found = {"operator": operator, "factored": factored(result)}
    notes = [f"# {name}: {note}" for name, note in found.items() if note is not None]
    return "\n".join([text, *notes])


def factored(result: Result) -> str | None:
    """One line on the factored form of a derivative, where it is much smaller; else None."""
    node = result.expression.node
    plain = result.expression.lead is None or result.kind == "gradient"
    if plain or compression(node) < MUCH_SMALLER:
        return None
    terms = factored_terms(node)
    cores = list(dict.fromkeys(core for term in terms for core in term.factors if core.dims))
    if not terms or (not cores and node.order < 3):
        return None  # zeros, or a multiple of the unit matrix
    shapes = ", ".join(f"[{','.join(map(str, core.dims))}]" for core in cores)
    what = "a number" if not cores else f"the core{'s' * (len(cores) > 1)} {shapes}"
    dense = ",".join(result.expression.shape)
    return f'{what} instead of [{dense}], by tcalc.compile(..., form="factored")'


def formula(result: Result, form: Form = "auto", cse: Cse = "auto") -> str:
    """A result in one of the formats that are notation."""
    expression, simplify = result.expression, result.simplify
    match form:
        case "latex":
            return expression.latex(cse=cse, simplify=simplify)
        case "mathml":
            return expression.mathml(cse=cse, simplify=simplify)
        case "matrix" if len(expression.shape) > 2:
            raise DimensionError(
                f"matrix notation has no tensors of order {len(expression.shape)}",
                hint="--format einstein has them",
            )
        case "matrix" | "einstein" | "auto":
            return expression.text(form, cse=cse, simplify=simplify)


def source(
    results: Sequence[Result],
    sizes: Mapping[str, int],
    backend: Backend = "numpy",
    form: Literal["dense", "factored", "auto"] = "dense",
) -> str:
    """One module for all results; tuned for the given sizes, right for all.

    A C file is right for the given sizes alone: raises `ArgumentError` where one is missing.
    """
    expressions = [result.expression for result in results]
    single = expressions[0] if len(expressions) == 1 else expressions
    compiled = tcalc.compile(single, backend, form=form)
    if backend == "c":
        missing = [name for name in compiled.signature.sizes if name not in sizes]
        if missing:
            raise ArgumentError(
                f"a C file is for fixed sizes, and {', '.join(missing)} "
                f"{'is' if len(missing) == 1 else 'are'} not given",
                hint=f"--sizes {','.join(f'{name}=10' for name in missing)}",
            )
    return compiled.source_for(**sizes) if sizes else compiled.source


def document(program: Program, results: Sequence[Result], cse: Cse, **more: Any) -> str:
    """The results as a JSON document, with all notations."""
    return dump(
        {**describe(program), **more, "results": [_entry(result, cse) for result in results]}
    )


def describe(program: Program) -> dict[str, Any]:
    """What a JSON document says of the program itself."""
    return {"program": program.text, **inputs(program.expression)}


def inputs(expression: Expression | Recurrence) -> dict[str, Any]:
    """What a JSON document says of the variables of a program."""
    return {
        "variables": [
            {
                "name": name,
                "dims": [str(dim) for dim in variable.dims],
                "properties": list(variable.properties),
            }
            for name, variable in expression.variables.items()
        ],
        "guesses": guesses(expression),
    }


def heading(result: Result) -> dict[str, Any]:
    """What a JSON document says of a result before its content."""
    return {
        "kind": result.kind.lower(),
        "wrt": list(result.wrt),
        "dims": list(result.expression.shape),
    }


def dump(content: Any) -> str:
    """JSON for people and machines: indented, in Unicode where standard output has it."""
    text = json.dumps(content, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return json.dumps(content, indent=2)
    return text


def _entry(result: Result, cse: Cse) -> dict[str, Any]:
    expression = result.expression
    return {
        **heading(result),
        "matrix": formula(result, "matrix", cse) if len(expression.shape) <= 2 else None,
        "einstein": formula(result, "einstein", cse),
        "latex": formula(result, "latex", cse),
        "operator": expression.operator(),
        "factored": factored(result),
    }
