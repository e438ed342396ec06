"""Matrices that are singular up to rounding are refused on every route, badly scaled ones not."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc.errors import DomainError

RANDOM = np.random.default_rng(3)
DEFICIENT = "f = (a'*x)^4 + (b'*x)^4"
VECTORS = "a[n], b[n], x[n]"


def test_a_hessian_without_full_rank_is_refused_dense_factored_and_interpreted() -> None:
    f = tcalc.parse(DEFICIENT, VECTORS)
    step = tcalc.parse(f"{DEFICIENT}; hessian(f, x) \\ gradient(f, x)", VECTORS)
    data = {name: RANDOM.standard_normal(5) for name in "abx"}
    with pytest.raises(DomainError, match="singular"):
        tcalc.compile(step)(**data)
    with pytest.raises(DomainError, match="singular"):
        tcalc.evaluate(step, **data)
    H = tcalc.compile(tcalc.hessian(f, "x"), form="factored")(**data)
    with pytest.raises(DomainError, match="singular"):
        H.solve(tcalc.compile(tcalc.gradient(f, "x"))(**data))


@pytest.mark.parametrize("declared", ["b[n]", "A[n,n] symmetric, b[n]", "A[n,n] spd, b[n]"])
@pytest.mark.parametrize("text", ["A \\ b", "inv(A)"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rank_one_less(declared: str, text: str, dtype: type) -> None:
    run = tcalc.compile(tcalc.parse(text, declared if "b" in text else declared[:-6]))
    for n in (2, 5, 30):
        half = RANDOM.standard_normal((n, n - 1))
        A = half @ (half.T if "," in declared else RANDOM.standard_normal((n - 1, n)))
        A = ((A + A.T) / 2 if "," in declared else A).astype(dtype)
        with pytest.raises(DomainError, match=r"singular|not positive definite"):
            run(**({"A": A, "b": np.ones(n, dtype)} if "b" in text else {"A": A}))


@pytest.mark.parametrize("declared", ["b[n]", "A[n,n] symmetric, b[n]", "A[n,n] spd, b[n]"])
def test_units_are_no_reason_to_refuse(declared: str) -> None:
    core = np.array([[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 5.0]])
    units = np.array([1.0, 2.0**-70, 2.0**40])
    A = units[:, None] * core * units
    b = np.array([1.0, 2.0, 3.0])
    due = np.linalg.solve(core, b / units) / units
    f = tcalc.parse("A \\ b", declared)
    for found in (tcalc.compile(f)(A=A, b=b), tcalc.evaluate(f, A=A, b=b)):
        np.testing.assert_allclose(found, due, rtol=1e-14)


def test_units_are_no_reason_to_refuse_a_factored_hessian() -> None:
    f = tcalc.parse("x'*S*x/2 + y'*S*y/2", "S[n,n] symmetric, x[n], y[n]")
    units = np.array([1.0, 2.0**-70])
    S = units[:, None] * np.array([[2.0, 1.0], [1.0, 3.0]]) * units
    H = tcalc.compile(tcalc.hessian(f, "x"), form="factored")(S=S)
    due = np.linalg.solve([[2.0, 1.0], [1.0, 3.0]], 1 / units) / units
    np.testing.assert_allclose(H.solve(np.ones(2)), due, rtol=1e-14)


@pytest.mark.parametrize("declared", ["b[n]", "A[n,n] spd, b[n]"])
def test_a_kernel_with_a_little_noise_is_solved(declared: str) -> None:
    t = np.linspace(0, 1, 200)[:, None]
    A = np.exp(-50 * (t - t.T) ** 2) + 1e-12 * np.eye(200)
    run = tcalc.compile(tcalc.parse("A \\ b", declared))
    np.testing.assert_allclose(A @ run(A=A, b=np.ones(200)), 1, atol=1e-6)
