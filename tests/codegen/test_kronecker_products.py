"""Products with Kronecker products do not form them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tcalc

DECLARED = (
    "A[m,m], B[n,n], S[m,m] spd, R[n,n] spd, F[m,2], G[n,5], U[m,n], x[m*n], y[m*n], z[10],"
    " X[m*n,6], C[m*n,m*n]"
)
SIZES = {"m": 3, "n": 4}
FORMULAS = [
    "kron(A, B)*x",
    "kron(A, B)*X",
    "C*kron(A, B)",
    "X'*kron(A, B)*X",
    "kron(A, B)*inv(C)*x",
    "kron(A, B)*vec(U')",
    "kron(F, G)*z",
    "kron(A, B).*C",
    "diag(kron(A, B)*C)",
    "kron(A, B) \\ y",
    "inv(kron(A, B))",
    "sum(exp(kron(A, B)*x))",
    "norm2(kron(A, B)*x - y)^2",
    "norm2(kron(F, G)*z - y)^2",
    "x'*kron(A, B)*y",
    "tr(kron(A, B)*C)",
    "kron(x, y)'*kron(y, x)",
    "y'*(kron(S, R) \\ y) + logdet(kron(S, R))",
    "log(det(kron(A, B))^2)",
]


def arrays_of(f: tcalc.Expression) -> dict[str, Any]:
    random = np.random.default_rng(3)
    found = {}
    for name, x in f.variables.items():
        array = random.standard_normal([dim.evaluate(SIZES) for dim in x.dims])
        found[name] = array @ array.T + np.eye(len(array)) if "spd" in x.properties else array
    return found


@pytest.mark.parametrize("formula", FORMULAS)
def test_like_the_interpreter(formula: str) -> None:
    f = tcalc.parse(formula, DECLARED)
    arrays = arrays_of(f)
    wanted = [f]
    if not f.shape:
        wanted += [tcalc.gradient(f, name) for name in f.variables]
        wanted += [tcalc.hessian(f, name) for name in list(f.variables)[:2]]
    due = tcalc.evaluate(wanted, **arrays)
    found = tcalc.compile(wanted)(**arrays)
    for value, expected in zip(found, due, strict=True):
        scale = max(1, np.abs(expected).max())
        assert np.allclose(value, expected, rtol=1e-10, atol=1e-10 * scale)
    value = tcalc.compile(f, backend="c")(**arrays)
    assert np.allclose(value, due[0], rtol=1e-10)


@pytest.mark.parametrize(
    "formula",
    ["kron(A, B)*x", "norm2(kron(A, B)*x - y)^2", "sum(exp(kron(A, B)*x))", "kron(A, B) \\ y"],
)
def test_nothing_is_as_large_as_the_kronecker_product(formula: str) -> None:
    f = tcalc.parse(formula, DECLARED)
    wanted = [f, *([tcalc.gradient(f, name) for name in "ABx"] if not f.shape else [])]
    m, n = 30, 40
    assert tcalc.compile(wanted).peak_memory(m=m, n=n) < 8 * 12 * m * n


def test_the_likelihood_of_a_separable_covariance() -> None:
    f = tcalc.parse("y'*(kron(S, R) \\ y) + logdet(kron(S, R))", DECLARED)
    slopes = [tcalc.gradient(f, name) for name in "SR"]
    m, n = 30, 40
    for slope in slopes:
        assert tcalc.compile([f, slope]).peak_memory(m=m, n=n) < 8 * 16 * max(m, n) ** 2
    source = tcalc.compile(f).source_for(m=m, n=n)
    assert "factorise_spd(S" in source
    assert "factorise_spd(R" in source
