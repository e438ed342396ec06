"""Every primitive in single precision: values and derivatives up to the third order.

The data are rounded to float32 and taken as they are, so that what is measured is the rounding of
the computation alone.  Everything is computed in float32, compared with the interpreter in
float64, and may differ by `ROUNDINGS` units of rounding of the largest element of the result: the
data are well conditioned (condition numbers up to about ten), and most errors are below two units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from enrolled import SIZES, Case, cases

import tcalc
from tcalc.calculus import jvp, vjp
from tcalc.expr import build
from tcalc.expr.nodes import Node
from tcalc.interpret import evaluate
from tcalc.runtime.compiled import compile as compile_nodes

CASES = cases()
ROUNDINGS = 50


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_derivatives_in_single_precision(case: Case) -> None:
    sizes = SIZES[2]
    directions = {x: build.var(f"d{x.name}", x.dims) for x in case.arguments}
    y_bar = build.var("y_bar", case.result.dims)
    roots: list[Node] = [case.result]
    for _ in range(3):
        roots.append(jvp(roots[-1], directions))
    roots += [vjp(case.result, x, y_bar) for x in case.arguments]
    inputs = [*case.arguments, *directions.values(), y_bar]
    single = _rounded(case, inputs, sizes)
    found = compile_nodes(roots, variables=inputs)(**single)
    double = {name: array.astype(np.float64) for name, array in single.items()}
    for order, (one, other) in enumerate(zip(found, evaluate(roots, double, sizes), strict=True)):
        assert one.dtype == np.float32
        scale = float(np.max(np.abs(other), initial=0))
        allowed = ROUNDINGS * np.finfo(np.float32).eps * scale
        np.testing.assert_allclose(one, other, rtol=0, atol=allowed, err_msg=f"result {order}")


def _rounded(case: Case, inputs: list[Any], sizes: dict[str, int]) -> dict[str, Any]:
    values = case.data(sizes)
    generator = np.random.default_rng(1)
    for x in inputs[len(case.arguments) :]:
        values[x.name] = generator.standard_normal(tuple(d.evaluate(sizes) for d in x.dims))
    return {name: np.asarray(array, np.float32) for name, array in values.items()}


@pytest.mark.parametrize(
    "text",
    ["where(sum(x) > 0, n, 2)", "where(sum(x) > 9, sum(x), mean(x))", "where(n > 2, n, 0)*x"],
)
def test_a_choice_between_sizes_has_the_type_of_the_arguments(text):
    f = tcalc.parse(text, "x[n]")
    x = np.array([1, -2, 3], np.float32)
    found = tcalc.compile(f)(x=x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, tcalc.evaluate(f, x=x), rtol=1e-6)


@pytest.mark.parametrize("argument", ["2", "0.3", "n", "pi"])
@pytest.mark.parametrize("name", ["xlogy", "pow", "logaddexp", "atan2", "max", "min"])
def test_functions_of_a_number_and_an_array_have_the_type_of_the_array(name, argument):
    for text in (f"{name}(c, {argument})", f"{name}({argument}, exp(x))"):
        f = tcalc.parse(text, "c positive, x[n]")
        for wrt in f.variables:
            expressions = [f, tcalc.jacobian(f, wrt), tcalc.derivative(f, wrt, wrt)]
            data = {"c": np.float32(0.7), "x": np.array([0.5, -0.2], np.float32)}
            for expression in expressions:
                found = tcalc.compile(expression)(**data)
                assert np.asarray(found).dtype == np.float32, (text, str(expression))
