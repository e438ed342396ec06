"""Every model of the gallery: value, gradient and Hessian by every route are the same tensor.

Routes: every mode, the reference interpreter and compiled code, JAX and the complex
step on functions written by hand.  A derivative by several variables has all its blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pytest
from numerical import first, second, second_with_kinks
from oracles import ORACLES

import tcalc
from tcalc import gallery
from tcalc.calculus import MODES

REFERENCE = "reverse"

each_model = pytest.mark.parametrize("name", gallery.names())

MATRIX_CALCULUS = [model.name for model in gallery.models() if "MatrixCalculus" in model.source]


@dataclass(frozen=True)
class Derivatives:
    """A model's value, first and second derivatives, by the tuple of variables."""

    expressions: Mapping[tuple[str, ...], tcalc.Expression]
    values: Mapping[tuple[str, ...], Any]


def derive(text: str, wrt: Iterable[str], mode: str) -> dict[tuple[str, ...], tcalc.Expression]:
    f = tcalc.parse(text)
    found = {(): f}
    for order in (1, 2):
        for names in combinations_with_replacement(wrt, order):
            found[names] = tcalc.derivative(f, *names, mode=mode)
    return found


@cache
def model_derivatives(name: str, mode: str = REFERENCE) -> Derivatives:
    model = gallery.load(name)
    expressions = derive(model.text, model.wrt, mode)
    values = tcalc.evaluate(list(expressions.values()), **gallery.make_data(name))
    return Derivatives(expressions, dict(zip(expressions, values, strict=True)))


def assert_close(
    found: Any, expected: Any, tolerance: float, what: object, tensor: Any = None
) -> None:
    """Equal within a tolerance, relative to the largest entry expected, or to that of `tensor`.

    What is zero has to be zero within the tolerance itself.
    """
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape, what
    scale = np.max(np.abs(expected if tensor is None else tensor), initial=0.0)
    error = np.max(np.abs(found - expected), initial=0.0) / (scale if scale > tolerance else 1.0)
    assert error <= tolerance, f"{what}: relative error {error:.1e}"


@each_model
@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != REFERENCE])
def test_the_modes_agree(name, mode):
    found = model_derivatives(name, mode).values
    for wrt, expected in model_derivatives(name).values.items():
        assert_close(found[wrt], expected, 1e-12, wrt)


@each_model
@pytest.mark.parametrize("mode", MODES)
def test_compiled_code_equals_the_interpreter(name, mode):
    derivatives = model_derivatives(name, mode)
    run = tcalc.compile(list(derivatives.expressions.values()))
    data = gallery.make_data(name)
    for wrt, found in zip(derivatives.expressions, run(**data), strict=True):
        assert_close(found, derivatives.values[wrt], 1e-12, wrt)


@each_model
def test_jax_agrees(name, jax):
    model, data, oracle = gallery.load(name), gallery.make_data(name), ORACLES[name]

    def f(inputs):
        return oracle(jax.numpy, **{**data, **inputs})

    def all_three(inputs):
        return f(inputs), jax.jacrev(f)(inputs), jax.jacfwd(jax.jacrev(f))(inputs)

    inputs = {name: data[name] for name in model.wrt}
    # The code runs once: to optimise it would take most of the test's time.
    options = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    run = jax.jit(all_three).lower(inputs).compile(compiler_options=options)
    value, jacobian, hessian = run(inputs)
    for wrt, found in model_derivatives(name).values.items():
        match wrt:
            case ():
                assert_close(found, value, 1e-10, "value")
            case (by,):
                assert_close(found, jacobian[by], 1e-10, wrt)
            case (by, then):
                assert_close(found, hessian[by][then], 1e-10, wrt)


@each_model
def test_numerical_differences_agree(name):
    model, data, oracle = gallery.load(name), gallery.make_data(name), ORACLES[name]
    rng = np.random.default_rng(1)
    derivatives = model_derivatives(name).values
    assert_close(derivatives[()], oracle(np, **data), 1e-12, "value")

    def along(moves, *steps):
        values = dict(data)
        for (variable, direction), step in zip(moves, steps, strict=True):
            values[variable] = values[variable] + step * direction
        return oracle(np, **values)

    for wrt, found in derivatives.items():
        if not wrt:
            continue
        moves = [(variable, unit_direction(rng, data[variable].shape)) for variable in wrt]
        contracted = found
        for _, direction in reversed(moves):
            contracted = np.tensordot(contracted, direction, axes=direction.ndim)
        f = partial(along, moves)
        if len(wrt) == 1:
            assert_close(contracted, first(f), 1e-12, wrt, found)
        elif model.smooth:
            assert_close(contracted, second(f), 1e-12, wrt, found)
        else:
            assert_close(contracted, second_with_kinks(f), 1e-8, wrt, found)


def unit_direction(rng, shape):
    direction = rng.standard_normal(shape)
    return direction / np.linalg.norm(direction)


@pytest.mark.parametrize("name", MATRIX_CALCULUS)
def test_undeclared_names_are_guessed_as_matrixcalculus_does(name):
    model = gallery.load(name)
    formula = model.program.splitlines()[-1]
    value = tcalc.parse(formula)
    assert set(value.guesses) == set(gallery.make_data(name))
    bare = tcalc.derivative(value, model.wrt[0])
    found = tcalc.evaluate(bare, **gallery.make_data(name))
    assert_close(found, model_derivatives(name).values[model.wrt[:1]], 1e-12, formula)


def test_the_documented_examples_of_matrixcalculus_are_all_there():
    documented = {
        "0.5*x'*A*x",
        "A*exp(x)",
        "(y.*v)'*x",
        "a^b",
        "norm1(A*x-y)",
        "norm2(A*x-y)^2",
        "sum(log(exp(-y.*(X*w)) + vector(1)))",
        "tr(A*X'*B*X*C)",
        "log(det(inv(X)))",
        "sin(x)'*y",
    }
    assert documented == {gallery.load(name).program.splitlines()[-1] for name in MATRIX_CALCULUS}


def test_the_gradient_of_a_trace_is_printed_in_matrix_notation():
    text = str(tcalc.gradient(tcalc.parse("tr(A*X'*B*X*C)"), "X"))
    assert set(text.split(" + ")) == {"B*X*C*A", "B'*X*A'*C'"}
