"""The model of costs against operations that are really done, on arrays that count them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from counting import operations
from problems import PROBLEMS, Problem

import tcalc
from tcalc import gallery
from tcalc.calculus import PLAIN

each_problem = pytest.mark.parametrize("name", PROBLEMS)


def counted(
    expression: tcalc.Expression, data: dict[str, Any], **options: Any
) -> tuple[float, Any]:
    """The operations of compiled code, and its result."""
    function: Any = tcalc.compile(expression, **options)
    sizes = sizes_of(expression, data)
    known = function.signature.sizes
    source = function.source_for(**{name: sizes[name] for name in known})
    arguments = {argument.name: data[argument.name] for argument in function.signature.arguments}
    return operations(source, arguments)


def sizes_of(expression: tcalc.Expression, data: dict[str, Any]) -> dict[str, int]:
    return {
        str(dim): size
        for name, variable in expression.variables.items()
        for dim, size in zip(variable.dims, np.shape(data[name]), strict=True)
        if dim.is_name
    }


def assert_within_a_percent(model: int | None, found: float) -> None:
    assert model is not None
    assert abs(model - found) <= 0.01 * found, (model, found)


@each_problem
@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("order", [1, 2])
def test_compiled_code_does_the_operations_of_the_model(name: str, size: str, order: int) -> None:
    problem: Problem = PROBLEMS[name]
    sizes = getattr(problem, size)
    data = problem.data(sizes)
    derivative = tcalc.derivative(problem.function, *[problem.wrt] * order)
    found, result = counted(derivative, data)
    table = tcalc.cost(problem.function, problem.wrt, order, sizes=sizes, modes=["cross-country"])
    assert_within_a_percent(table.row().operations, found)
    np.testing.assert_allclose(result, tcalc.compile(derivative)(**data), rtol=1e-9, atol=1e-12)


ITERATIVE = {"markov_chain", "lyapunov_cost"}
"""Models whose work depends on the data: steps of squaring, a Schur form."""


@pytest.mark.parametrize("name", [name for name in gallery.names() if name not in ITERATIVE])
def test_the_gallery_does_the_operations_of_the_model(name: str) -> None:
    # Sizes are so small in some that terms of lower order, not counted for LAPACK, show.
    model = gallery.load(name)
    f = tcalc.parse(model.text)
    data = gallery.make_data(name, size="medium")
    sizes = sizes_of(f, data)
    found, _ = counted(tcalc.jacobian(f, model.wrt[0]), data)
    table = tcalc.cost(f, model.wrt[0], 1, sizes=sizes, modes=["cross-country"])
    assert table.row().operations == pytest.approx(found, rel=0.02, abs=1)


@pytest.mark.parametrize("mode", PLAIN)
def test_plain_modes_run_as_they_are_counted(mode: str) -> None:
    problem = PROBLEMS["logistic regression"]
    data = problem.data(problem.small)
    derivative = tcalc.hessian(problem.function, problem.wrt, mode=mode)
    found, _ = counted(derivative, data, reorder=False)
    planned, _ = counted(derivative, data)
    table = tcalc.cost(problem.function, problem.wrt, sizes=problem.small, modes=[mode])
    assert_within_a_percent(table.row(mode).operations, found)
    assert planned < found


@pytest.mark.parametrize("name", ["matrix factorisation", "two-sided product"])
def test_factored_forms_do_the_operations_of_the_model(name: str) -> None:
    problem = PROBLEMS[name]
    data = problem.data(problem.large)
    table = tcalc.cost(problem.function, problem.wrt, sizes=problem.large, modes=["cross-country"])
    hessian = tcalc.hessian(problem.function, problem.wrt)
    found, _ = counted(hessian, data, form="factored")
    assert_within_a_percent(table.row(form="factored").operations, found)
