"""The laws that every primitive obeys; `enrolled` has the cases."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from enrolled import SIZES, Case, cases, is_analytic, lettered
from running import run

from tcalc.calculus import derivative, jvp, vjp
from tcalc.expr import Fact, build
from tcalc.expr.facts import holds
from tcalc.expr.nodes import Apply, Const, Node
from tcalc.expr.properties import PROPERTIES
from tcalc.interpret import evaluate
from tcalc.primitives.hyperbolic import tanh

CASES = cases()
every_case = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])


@every_case
def test_shape(case: Case) -> None:
    for sizes in SIZES:
        values = case.data(sizes)
        for node in (case.result, *case.first):
            (value,) = evaluate([node], values, sizes)
            assert value.shape == tuple(dim.evaluate(sizes) for dim in node.dims)


@every_case
def test_it_takes_complex_numbers_or_is_not_analytic(case: Case) -> None:
    sizes = SIZES[1]
    for node in case.applications():
        args = [x + 0j for x in evaluate(node.args, case.data(sizes), sizes)]
        if not node.primitive.analytic or not args:
            continue
        try:
            node.primitive.evaluate(*args)
        except TypeError as error:
            pytest.fail(
                f"{node.primitive!r} is to be analytic, and its code takes no complex numbers: "
                f"write one that does, or say analytic=False ({error})"
            )


@every_case
def test_first_derivative(case: Case) -> None:
    for sizes in SIZES:
        for x, D in zip(case.arguments, case.first, strict=True):
            _check(case.result, D, x, case.data(sizes), sizes)


@every_case
def test_second_derivative(case: Case) -> None:
    for sizes in SIZES[:3]:
        for D, row in zip(case.first, case.second, strict=True):
            for x, H in zip(case.arguments, row, strict=True):
                _check(D, H, x, case.data(sizes), sizes)


@every_case
def test_third_derivative(case: Case) -> None:
    sizes = SIZES[1]
    for H in (H for row in case.second for H in row):
        for x in case.arguments:
            _check(H, derivative(H, [x]), x, case.data(sizes), sizes)


@every_case
def test_second_derivatives_commute(case: Case) -> None:
    lead = case.result.order
    values, sizes = case.data(SIZES[2]), SIZES[2]
    for i, j in itertools.product(range(len(case.arguments)), repeat=2):
        (H,) = evaluate([case.second[i][j]], values, sizes)
        (G,) = evaluate([case.second[j][i]], values, sizes)
        split = lead + case.arguments[i].order
        axes = (*range(lead), *range(split, H.ndim), *range(lead, split))
        np.testing.assert_allclose(H.transpose(axes), G, rtol=1e-8, atol=1e-9)


@every_case
def test_pushforward_and_pullback_are_adjoint(case: Case) -> None:
    sizes = SIZES[2]
    for x in case.arguments:
        y_bar, dx = build.var("y_bar", case.result.dims), build.var("dx", x.dims)
        forward, backward = jvp(case.result, {x: dx}), vjp(case.result, x, y_bar)
        left = build.sum_all(build.hadamard(y_bar, forward))
        right = build.sum_all(build.hadamard(backward, dx))
        generator = np.random.default_rng(1)
        values = case.data(sizes)
        for node in (y_bar, dx):
            numbers = tuple(dim.evaluate(sizes) for dim in node.dims)
            values[node.name] = generator.standard_normal(numbers)
        a, b = evaluate([left, right], values, sizes)
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@every_case
def test_inside_a_composition(case: Case) -> None:
    """``Σ tanh(p(c x))²``, by the scalar c and by x, to second order."""
    c = build.var("c", ())
    inner = [build.hadamard(c, x) for x in case.arguments]
    outer = tanh(case.build(*inner))
    f = build.sum_all(build.hadamard(outer, outer))
    sizes = SIZES[2]
    values = {**case.data(sizes), "c": np.array(1.05)}
    x = case.arguments[-1]
    for first, second in ((c, x), (x, c)):
        gradient = derivative(f, [first])
        _check(f, gradient, first, values, sizes)
        _check(gradient, derivative(gradient, [second]), second, values, sizes)


@every_case
def test_facts_are_true(case: Case) -> None:
    sizes = SIZES[2]
    seen = 0
    for properties in [(), *((p,) for p in PROPERTIES)]:
        letters = ("nn",) * len(case.letters) if case.elementwise else case.letters
        args = [
            build.var(f"x{k}", lettered(axes), properties if _suits(axes, properties) else ())
            for k, axes in enumerate(letters)
        ]
        node = case.build(*args)
        generator = np.random.default_rng(3)
        values = {
            x.name: _with(x.properties, generator, tuple(d.evaluate(sizes) for d in x.dims), maker)
            for x, maker in zip(args, case.makers, strict=True)
        }
        given = case.data(sizes)
        values |= {x.name: given[x.name] for k, x in enumerate(args) if case.of_positions(k)}
        try:
            with np.errstate(all="ignore"):
                (value,) = evaluate([node], values, sizes)
        except np.linalg.LinAlgError:
            continue
        if np.all(np.isfinite(value)):
            seen += 1
            for fact in Fact:
                if holds(node, fact) is True:
                    assert _is_true(fact, value), f"{fact} with {properties}"
    assert seen


@every_case
def test_routine_agrees_with_evaluation(case: Case) -> None:
    for sizes in SIZES[::2]:
        values = case.data(sizes)
        for node in case.applications():
            args = evaluate(node.args, values, sizes)
            expected = evaluate([node], values, sizes)[0]
            _agree(node, _picked(node, run(node, args, sizes)), expected, 1e-12)
            single = [x.astype(np.float32) for x in args]
            found = _picked(node, run(node, single, sizes, np.float32))
            assert np.asarray(found).dtype == np.float32 or not args, node.primitive
            with np.errstate(all="ignore"):
                rounded = evaluate([node], values, sizes)[0]
            _agree(node, found, rounded, 2e-3)
            if node.primitive.analytic and args:
                # Zeros stay zeros, so that triangles stay triangles.
                step = [x + 1e-20j * np.cos(x) * (x != 0) for x in args]
                found, expected = run(node, step, sizes), node.primitive.evaluate(*step)
                _agree(node, np.imag(found) * 1e20, np.imag(expected) * 1e20, 1e-9)


@every_case
def test_nan_in_data_gives_nan(case: Case) -> None:
    sizes = SIZES[2]
    for k, x in enumerate(case.arguments):
        if case.of_positions(k):
            continue  # nothing is at a position that is none
        values = case.data(sizes)
        values[x.name][(0,) * x.order] = np.nan
        (value,) = evaluate([case.result], values, sizes)  # without a warning
        compared = case.id.startswith("where")
        assert compared or np.isnan(value).any()


def _picked(node: Apply, value: Any) -> Any:
    return value[node.output] if node.primitive.outputs > 1 else value


def _agree(node: Node, found: Any, expected: Any, tolerance: float) -> None:
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(
        found, expected, rtol=tolerance, atol=tolerance * scale, err_msg=repr(node)
    )


def _check(F: Node, D: Node, x: Any, values: dict[str, Any], sizes: dict[str, int]) -> None:
    """`D`, contracted with a direction, against five-point differences and the complex step."""
    here = values[x.name]
    move = np.random.default_rng(2).standard_normal(here.shape)
    value, full = evaluate([F, D], values, sizes)
    found = np.tensordot(full, move, axes=here.ndim)
    if isinstance(D, Const) and D.value == 0:
        found = np.zeros_like(value)

    def at(step: complex) -> Any:
        return evaluate([F], {**values, x.name: here + step * move}, sizes)[0]

    h = 3e-4
    differences = (at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h)
    scale = 1 + np.max(np.abs(differences), initial=0) + np.max(np.abs(value), initial=0)
    np.testing.assert_allclose(found, differences, rtol=0, atol=1e-8 * scale)
    if is_analytic(F, x):
        np.testing.assert_allclose(found, np.imag(at(1e-20j)) * 1e20, rtol=1e-9, atol=1e-12 * scale)


def _suits(axes: str, properties: tuple[str, ...]) -> bool:
    entrywise = {"positive", "nonnegative", "integer", "constant"}
    return set(properties) <= entrywise or (len(axes) >= 2 and axes[-1] == axes[-2])


def _with(properties: tuple[str, ...], generator: Any, numbers: Any, maker: Any) -> Any:
    x = maker(generator, numbers)
    match properties:
        case ("symmetric",):
            return x + x.swapaxes(-1, -2)
        case ("psd",):
            return x @ x.swapaxes(-1, -2)
        case ("spd",):
            return x @ x.swapaxes(-1, -2) + np.eye(numbers[-1])
        case ("diagonal",):
            return np.where(np.eye(numbers[-1]), x, 0)
        case ("lower",):
            return np.tril(x)
        case ("upper",):
            return np.triu(x)
        case ("orthogonal",):
            return np.linalg.qr(x)[0]
        case ("positive",) | ("nonnegative",):
            return np.abs(x)
        case ("integer",):
            return np.ceil(np.abs(x))
    return x


def _is_true(fact: Fact, x: Any) -> bool:
    x_t = x.swapaxes(-1, -2) if x.ndim >= 2 else x
    match fact:
        case Fact.SYMMETRIC:
            return np.allclose(x, x_t)
        case Fact.PSD:
            return np.allclose(x, x_t) and bool(np.all(np.linalg.eigvalsh(x) >= -1e-10))
        case Fact.SPD:
            return np.allclose(x, x_t) and bool(np.all(np.linalg.eigvalsh(x) > 0))
        case Fact.DIAGONAL:
            return np.allclose(x, x * np.eye(x.shape[-1]))
        case Fact.LOWER:
            return np.allclose(x, np.tril(x))
        case Fact.UPPER:
            return np.allclose(x, np.triu(x))
        case Fact.ORTHOGONAL:
            return np.allclose(x @ x_t, np.eye(x.shape[-1]))
        case Fact.NONNEGATIVE:
            return bool(np.all(x >= 0))
        case Fact.POSITIVE:
            return bool(np.all(x > 0))
        case Fact.INTEGER:
            return np.allclose(x, np.round(x))
        case Fact.CONSTANT:
            return True
        case Fact.UNIT_VECTOR:
            return x.ndim == 1 and bool(np.sum(x == 1) == 1 and np.count_nonzero(x) == 1)
