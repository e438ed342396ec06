"""The gradient of a Gaussian process by the Cholesky form, against the textbook's formula.

For the negative log marginal likelihood ``|L⁻¹y|²/2 + Σ log L[i,i]``, ``L = chol(K)``, the gradient
by K is ``(K⁻¹ - αα')/2`` with ``α = K⁻¹y`` (Rasmussen and Williams, Gaussian Processes for Machine
Learning, 2006, equation 5.9 and algorithm 2.1).  To leading order, and whatever the number of
parameters of the kernel, that is

- the factorisation, n³/3;
- the inverse by it, 2n³/3;

n³ in all; the solves with y, the kernel and the traces ``Σ K̄ ∂K/∂θ`` are of order n².  The
Hessian by p parameters needs the p products ``K⁻¹ ∂K/∂θ`` beside, 2n³ each, whose inner products
``tr(K⁻¹ ∂K/∂θ K⁻¹ ∂K/∂φ)`` are of order n².  The classical pullback through the factor (Murray,
Differentiation of the Cholesky decomposition, arXiv 1602.07527, eq. 9; Seeger et al.,
Auto-differentiating linear algebra, arXiv 1710.08717, section 4.1), which is what a factor that
is used in other ways too costs, is 13/3 n³.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from test_counts import assert_within_a_percent, counted

import tcalc
from tcalc import gallery

PARAMETERS = ["ell", "v", "noise"]


def by_hand(n: int) -> Fraction:
    return Fraction(n**3)


@pytest.mark.parametrize("wrt", [*PARAMETERS, "X"])
def test_gradient_costs_one_inversion(wrt):
    f = tcalc.parse(gallery.load("gaussian_process").text)
    row = tcalc.cost(f, wrt, order=1, sizes={"n": 200, "d": 3}, modes=["cross-country"]).row()
    assert row.flops.coefficient("n", "n", "n") <= 1
    assert row.operations <= 1.25 * by_hand(200)


@pytest.mark.parametrize("n", [120, 200])
def test_gradient_does_no_more_operations_than_that(n):
    f = tcalc.parse(gallery.load("gaussian_process").text)
    d = 3
    data = gallery.make_data("gaussian_process", size="medium")
    data = {**data, "X": data["X"][:n], "y": data["y"][:n]}
    for wrt in PARAMETERS:
        found, _ = counted(tcalc.gradient(f, wrt), data)
        table = tcalc.cost(f, wrt, 1, sizes={"n": n, "d": d}, modes=["cross-country"])
        assert_within_a_percent(table.row().operations, found)
        assert found <= 1.25 * by_hand(n)


def test_hessian_costs_one_product_for_each_parameter():
    f = tcalc.parse(
        """tensor X[n,d], y[n], theta[3] positive
        K[i,j] = theta[2]*exp(-(X[i,k] - X[j,k])^2 / (2*theta[1]^2)) + theta[3]*delta[i,j]
        y'*(K\\y)/2 + logdet(K)/2"""
    )
    n, d = 120, 3
    H = tcalc.hessian(f, "theta")
    data = {
        "X": np.random.default_rng(0).normal(size=(n, d)),
        "y": np.ones(n),
        "theta": np.array([1.2, 1.1, 0.4]),
    }
    found, value = counted(H, data)
    table = tcalc.cost(f, "theta", 2, sizes={"n": n, "d": d}, modes=["cross-country"])
    assert_within_a_percent(table.row().operations, found)
    assert found <= 1.15 * (6 + 1) * n**3
    np.testing.assert_allclose(value, tcalc.evaluate(H, **data), rtol=1e-9)


def test_value_and_gradient_share_one_factorisation():
    f = tcalc.parse(gallery.load("gaussian_process").text)
    gradients = tcalc.gradient(f, PARAMETERS)
    source = tcalc.compile([f, *gradients.values()]).source_for(n=200, d=3)
    compute = source[
        source.index("def compute") : source.index("\n\n\n", source.index("def compute"))
    ]
    assert compute.count("factorise") + compute.count("cholesky(") == 1


def test_written_with_an_inverse_it_takes_one_inversion():
    # Equation 5.9: K⁻¹ - αα', from one factorisation.
    f = tcalc.parse("tensor K[n,n] spd, y[n]; y'*(K\\y)/2 + logdet(K)/2")
    row = tcalc.cost(f, "K", order=1, modes=["cross-country"]).row()
    assert str(row.flops.leading) == "n^3"
