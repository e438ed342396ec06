"""Random programs: value, derivatives, code and print, each against another way to get it."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_programs import DECLARED, SIZES, Program, data, programs

import tcalc
from tcalc import calculus, interpret
from tcalc.checking import check_derivative
from tcalc.expr.nodes import Node
from tcalc.expr.traverse import variables
from tcalc.printing.program import written
from tcalc.simplify import normal, tidy_all

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

LARGEST = 1e4


def law(examples: int) -> Any:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    return settings(
        max_examples=examples, deadline=None, derandomize=True, suppress_health_check=checks
    )


def agree(found: Any, due: Any, tolerance: float = 1e-9) -> None:
    scale = max(1.0, float(np.abs(due).max(initial=0)))
    np.testing.assert_allclose(found, due, rtol=0, atol=tolerance * scale)


def parsed(program: Program, sizes: dict[str, int]) -> tuple[tcalc.Expression, dict[str, Any]]:
    """The program and arrays for it, if its value is neither huge nor without an input."""
    f, values = tcalc.parse(program.text, DECLARED), data(sizes)
    assume(variables([f.node]))
    due = program.value(values | sizes)
    assume(np.all(np.isfinite(due)) and np.abs(due).max(initial=0) < LARGEST)
    agree(interpret.evaluate([f.node], values, sizes)[0], due)
    return f, values


def differentiated(
    f: tcalc.Expression, values: dict[str, Any], sizes: dict[str, int], choice: Any, order: int
) -> tuple[list[str], list[Node]]:
    """Names of inputs, and the derivatives up to that order by them, in some mode."""
    names = [node.name for node in variables([f.node])]
    wrt = [choice.draw(st.sampled_from(names)) for _ in range(order)]
    mode = choice.draw(st.sampled_from(calculus.MODES))
    inputs = [f.variables[name] for name in wrt]
    return wrt, [calculus.derivative(f.node, inputs[: k + 1], mode) for k in range(order)]


@law(120)
@given(programs, st.sampled_from(SIZES), st.data())
def test_modes_agree_with_each_other_and_with_differences(program, sizes, choice):
    f, values = parsed(program, sizes)
    order = 2 if f.node.order == 0 else 1
    names = [node.name for node in variables([f.node])]
    wrt = [f.variables[choice.draw(st.sampled_from(names))] for _ in range(order)]
    below = calculus.derivative(f.node, wrt[:-1])
    found = [calculus.derivative(f.node, wrt, mode) for mode in calculus.MODES]
    first, *others = interpret.evaluate(found, values, sizes)
    for other in others:
        agree(other, first)
    given_values = {name: values[name] for name in f.variables}
    report = check_derivative(
        below,
        found[0],
        wrt[-1],
        order=order,
        data=given_values,
        inputs=tuple(f.variables.values()),
        sizes=sizes,
        directions=1,
    )
    agree(report.error * min(1.0, float(np.abs(first).max(initial=0))), 0, 1e-5)


@law(80)
@given(programs, st.sampled_from(SIZES), st.data())
def test_code_and_simplification_keep_the_values(program, sizes, choice):
    f, values = parsed(program, sizes)
    _, made = differentiated(f, values, sizes, choice, 2 if f.node.order == 0 else 1)
    roots = [f.node, *made]
    due = interpret.evaluate(roots, values, sizes)
    ways = {
        "prepared": interpret.evaluate(calculus.prepare(roots), values, sizes),
        "tidied": interpret.evaluate(tidy_all(roots), values, sizes),
        "compiled": tcalc.compile([f.with_node(root) for root in roots])(**values),
    }
    for found in ways.values():
        for mine, other in zip(found, due, strict=True):
            agree(mine, other, 1e-8)


@law(80)
@given(programs, st.sampled_from(SIZES), st.data())
def test_what_is_printed_reads_back_the_same(program, sizes, choice):
    f, values = parsed(program, sizes)
    _, made = differentiated(f, values, sizes, choice, 1)
    for root in (f.node, *made):
        (due,) = interpret.evaluate([root], values, sizes)
        for notation, simplify in product(("auto", "einstein"), (True, False)):
            text = f.with_node(root).text(notation, simplify=simplify)
            again = tcalc.parse(text, DECLARED)
            agree(interpret.evaluate([again.node], values, sizes)[0], due, 1e-8)
            if simplify:
                assert normal([again.node]) == normal(written([root], "auto", notation)[0]), text
