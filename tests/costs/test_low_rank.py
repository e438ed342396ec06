"""A diagonal plus a product of low rank: no derivative of a form or determinant has n squares."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc.calculus import prepare
from tcalc.codegen.lower import lower
from tcalc.codegen.work import flops

DECLARED = "U[n,k], d[n] positive, y[n], S[n,n] symmetric"

K = "(U*U' + diag(d))"

LIKELIHOODS = {
    "form": f"y'*({K}\\y)",
    "determinant": f"logdet{K}",
    "both": f"y'*({K}\\y) + logdet{K}",
}


def derivative(text: str, wrt: str, kind: str) -> tcalc.Expression:
    f = tcalc.parse(text, DECLARED)
    return tcalc.gradient(f, wrt) if kind == "gradient" else tcalc.hvp(f, wrt, "v")


@pytest.mark.parametrize("kind", ["gradient", "hvp"])
@pytest.mark.parametrize("wrt", ["U", "d"])
@pytest.mark.parametrize("name", LIKELIHOODS)
def test_gradients_and_directions(name: str, wrt: str, kind: str) -> None:
    function = tcalc.compile(derivative(LIKELIHOODS[name], wrt, kind))
    sizes = {"n": 100_000, "k": 10}
    assert function.peak_memory(**sizes) <= 8 * 12 * sizes["n"] * sizes["k"]


@pytest.mark.parametrize("kind", ["gradient", "hvp"])
@pytest.mark.parametrize("wrt", ["U", "d"])
@pytest.mark.parametrize("text", [*LIKELIHOODS.values(), f"tr({K}\\S)"])
def test_values(text: str, wrt: str, kind: str) -> None:
    expression = derivative(text, wrt, kind)
    function = tcalc.compile(expression)
    random = np.random.default_rng(2)
    n, k = 40, 3
    S = random.standard_normal((n, n))
    data = {"U": random.standard_normal((n, k)), "d": random.random(n) + 1, "S": S + S.T}
    data |= {"y": random.standard_normal(n)}
    data["v"] = random.standard_normal(data[wrt].shape)
    given = {name: data[name] for name in function.signature.names}
    due = tcalc.evaluate(expression, **given)
    np.testing.assert_allclose(function(**given), due, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("kind", "most"), [("gradient", 10), ("hvp", 50)])
def test_a_trace_takes_products_with_few_columns(kind: str, most: int) -> None:
    # Of factor analysis: S U and the like, in n² k, and no matrix of order n is factorised.
    sizes = {"n": 1000, "k": 5}
    program = lower(prepare([derivative(f"tr({K}\\S)", "U", kind).node]), sizes)
    assert flops(program).evaluate(sizes) <= most * 1000**2 * 5
    assert flops(program).coefficient("n", "n", "n") == 0
