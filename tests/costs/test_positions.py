"""What derivatives of elements taken at positions cost: what belongs to each place is added up."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from compilers import needs_compiler
from counting import operations

import tcalc
from tcalc.calculus import MODES, prepare
from tcalc.codegen.lower import lower
from tcalc.codegen.work import flops

DECLARED = (
    "a[m], b[q], X[m,k], Z[q,k], W[k,k], B[n,k], y[n], w[k], "
    "g[n] integer, h[n] integer, s[n] integer, d[n] integer"
)

FEW = {"n": 600, "m": 6, "q": 5, "k": 3}
"""So many rows that each pair of places has many."""

MANY = {"n": 10_000, "m": 100, "q": 50, "k": 4}

MODELS = {
    "edges": ("z[i] = a[s[i]] - a[d[i]]; sum(exp(z))", "a"),
    "pairs": ("z[i] = a[s[i]]*a[d[i]] - y[i]; sum(exp(z))", "a"),
    "crossed": ("z[i] = a[g[i]]*b[h[i]]*y[i]; sum(exp(z))", "a"),
    "triples": ("z[i,k] = X[g[i],k]*X[s[i],k]*X[d[i],k]; sum(z)", "X"),
    "factors": ("z[i] = X[g[i],k]*Z[h[i],k] - y[i]; norm2(z)^2", "X"),
    "three factors": ("z[i] = a[g[i]]*b[h[i]]*B[i,k]*w[k]; sum(exp(z))", "a"),
    "bilinear form": ("z[i] = X[g[i],k]*W[k,l]*Z[h[i],l]; sum(exp(z))", "W"),
    "layer": ("E[i,l] = tanh(X[g[i],k]*W[k,l]); norm2(E*w - y)^2", "W"),
}


def data(variables: Any, sizes: dict[str, int]) -> dict[str, Any]:
    random = np.random.default_rng(4)
    highest = {"h": sizes["q"]}
    return {
        name: random.integers(1, highest.get(name, sizes["m"]) + 1, sizes["n"])
        if name in "ghsd"
        else random.standard_normal([dim.evaluate(sizes) for dim in variable.dims]) / 4
        for name, variable in variables.items()
    }


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", MODELS)
def test_hessians_take_a_few_operations_for_each_row(name: str, mode: Any) -> None:
    text, by = MODELS[name]
    f = tcalc.parse(text, DECLARED)
    n, m, k = (MANY[x] for x in "nmk")
    result = {"a": m * m, "X": (m * k) ** 2, "W": k**4}[by]
    passes = 10 * n * (k**2 if name == "layer" else k)
    # In forward mode the Hessian by W is a product of Jacobians that have k^2 elements a row.
    products = 2 * k**4 * (n if mode == "forward" and by == "W" else m)
    program = lower(prepare([tcalc.hessian(f, by, mode=mode).node]), MANY)
    assert flops(program).evaluate(MANY) <= passes + 8 * result + products


def test_elements_of_a_small_table_are_taken_from_it() -> None:
    # X Z', of which elements are taken, without a product for each row: an operation for each to
    # look at either position, a difference, and a sum.
    f = tcalc.parse(MODELS["factors"][0], DECLARED)
    gradient = tcalc.gradient(f, "X")
    function = tcalc.compile(gradient)
    used = {name: gradient.variables[name] for name in function.signature.names}
    found, _ = operations(function.source_for(**FEW), data(used, FEW))
    n, m, q, k = (FEW[x] for x in "nmqk")
    assert found <= 4 * n + 4 * m * q * k + m * k
    # Of a large one few elements are: 2 k for each row, and the sums.
    many = {**FEW, "m": 300, "q": 200}
    found, _ = operations(function.source_for(**many), data(used, many))
    assert found <= 4 * n * k + 4 * n + 300 * k


@pytest.mark.parametrize("backend", ["numpy", pytest.param("c", marks=needs_compiler)])
@pytest.mark.parametrize("name", MODELS)
def test_values_are_those_of_the_interpreter(name: str, backend: Literal["numpy", "c"]) -> None:
    text, by = MODELS[name]
    f = tcalc.parse(text, DECLARED)
    others = [x for x in ("b", "Z", "w") if x in f.variables]
    many = [
        *(f, tcalc.gradient(f, by), tcalc.hvp(f, by, "v")),
        *(tcalc.hessian(f, by, mode=mode) for mode in ("cross-country", "forward")),
        *(tcalc.derivative(f, by, other) for other in others),
    ]
    variables = {name: x for one in many for name, x in one.variables.items()}
    given = data(variables, FEW)
    results = tcalc.compile(many, backend=backend)(**given)
    for one, found in zip(many, results, strict=True):
        due = tcalc.evaluate(one, **{x: given[x] for x in one.variables})
        np.testing.assert_allclose(found, due, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("text", ["J'*diag(y)*J", "J'*J", "(J'*J + eye(m))\\(J'*y)"])
def test_jacobians_that_programs_multiply_are_not_formed(text: str) -> None:
    f = tcalc.parse(f"z[i] = a[g[i]]*B[i,k]*w[k]; J = jacobian(exp(z), a); {text}", DECLARED)
    sizes = {"n": 100_000, "m": 100, "k": 4}
    function = tcalc.compile(f)
    assert function.peak_memory(**sizes) < 8 * 10 * sizes["n"]
    small = {**sizes, "n": 300, "q": 5}
    given = data(f.variables, small)
    np.testing.assert_allclose(function(**given), tcalc.evaluate(f, **given), rtol=1e-9)
