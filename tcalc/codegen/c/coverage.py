"""Which functions of the language have code in C: found by looking at what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Literal, TypeAlias

from tcalc.calculus import derivative, prepare
from tcalc.codegen.c.elementwise import is_expression
from tcalc.codegen.c.routines import has_code
from tcalc.errors import UnsupportedError
from tcalc.expr import build
from tcalc.expr.dims import shape
from tcalc.expr.nodes import Apply, Node, Var
from tcalc.expr.traverse import postorder
from tcalc.primitives.function import Form, Function, Kind
from tcalc.primitives.routines import routine_of
from tcalc.simplify.expand import expand

Coverage: TypeAlias = Literal["all", "value", "none"]
PARAMETER = Fraction(2)
"""The number that a form is tried with, where it takes one."""


@cache
def coverage(function: Function) -> Coverage:
    """Whether value and first derivatives have code in C, the value alone, or not even that."""
    covered: Coverage = "all"
    for form in function.forms:
        arguments, results = _applied(form)
        if not _written(prepare(results)):
            return "none"
        try:
            slopes = [derivative(y, [x]) for y in results for x in arguments]
        except UnsupportedError:  # it has none, in whatever language
            continue
        if not _written(slopes):
            covered = "value"
    return covered


def _applied(form: Form) -> tuple[Sequence[Var], Sequence[Node]]:
    """Inputs that a form takes, and its values of them."""
    if form.signature is None:
        letters = ["mn"] * form.arity
    else:
        letters = [pattern.letters for pattern in form.signature.inputs]
    arguments = [build.var(f"x{k}", shape(*axes)) for k, axes in enumerate(letters)]
    axes = [1] if form.kind in (Kind.REDUCTION, Kind.NORMALISATION) else []
    results = form.build(*[PARAMETER] * form.parameters, *arguments, *axes)
    return arguments, results if isinstance(results, tuple) else (results,)


def _written(roots: Sequence[Node]) -> bool:
    """Whether all that occurs in some expressions has code in C."""
    applied = [node for node in postorder(expand([*roots])) if isinstance(node, Apply)]
    routines = ((routine_of(node), len(node.args)) for node in applied)
    return all(has_code(routine) or is_expression(routine, n) for routine, n in routines)
