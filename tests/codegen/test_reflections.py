"""Thin factors that only meet vectors: applied, not formed, with the same values and errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc.primitives.reflectors import reflected, reflectors

EVIDENCE = """
{factors}
z = concat(sqrt(beta)*y, zeros(d))
logdets = 2*sum(log(diag(T))) - d*log(alpha) - n*log(beta)
(norm2(z - {projected})^2 + logdets + n*log(2*pi)) / 2
"""
PROGRAMS = {
    "lq": EVIDENCE.format(
        factors="T, Q = lq(concat[2](sqrt(beta)*X', sqrt(alpha)*eye(d)))", projected="Q'*(Q*z)"
    ),
    "qr": EVIDENCE.format(
        factors="Q, T = qr(concat[1](sqrt(beta)*X, sqrt(alpha)*eye(d)))", projected="Q*(Q'*z)"
    ),
}
INPUTS = "X[n,d], y[n], alpha positive, beta positive"
MODES = ("reverse", "forward", "cross-country")


def data(n: int = 90, d: int = 40, condition: float = 1.0) -> dict[str, Any]:
    random = np.random.default_rng(n)
    left, _ = np.linalg.qr(random.standard_normal((n, d)))
    right, _ = np.linalg.qr(random.standard_normal((d, d)))
    X = left * np.geomspace(1, 1 / condition, d) @ right
    y = X @ random.standard_normal(d) + 0.1 * random.standard_normal(n)
    return {"X": X, "y": y, "alpha": 0.5 / condition**2, "beta": 1.4}


def forms(fun: Any) -> bool:
    return "reflected(" not in fun.source


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("wrt", ["alpha", "beta", "y"])
def test_first_order(program: str, mode: str, wrt: str) -> None:
    f = tcalc.parse(PROGRAMS[program], INPUTS)
    g = tcalc.gradient(f, wrt, mode=mode)
    fun = tcalc.compile([f, g])
    for got, expression in zip(fun(**data()), (f, g), strict=True):
        want = tcalc.evaluate(expression, **data())
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)
    assert not forms(fun)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("mode", MODES)
def test_second_order(program: str, mode: str) -> None:
    f = tcalc.parse(PROGRAMS[program], INPUTS)
    pairs = [("alpha", "alpha"), ("alpha", "beta"), ("beta", "beta")]
    found = [tcalc.hessian(f, *pair, mode=mode) for pair in pairs]
    for hessian in found:
        fun = tcalc.compile(hessian)
        want = tcalc.evaluate(hessian, **data())
        np.testing.assert_allclose(fun(**data()), want, rtol=1e-8)
    if mode == "reverse":
        assert not any(forms(tcalc.compile(x)) for x in found)


@pytest.mark.parametrize("condition", [1e2, 1e5, 1e8])
@pytest.mark.parametrize("wrt", ["alpha", "beta"])
def test_no_digits_are_lost(condition: float, wrt: str) -> None:
    """Errors are those of a formed factor: rounding times the condition number, not its square."""
    given = data(condition=condition)
    f = tcalc.parse(PROGRAMS["lq"], INPUTS)
    _, got = tcalc.compile([f, tcalc.gradient(f, wrt)])(**given)
    size = np.linalg.svd(given["X"], compute_uv=False) ** 2
    alpha, beta = given["alpha"], given["beta"]
    # Bishop, 3.5.1, along singular vectors: with an explained part m'm and effective parameters
    left, values, right = np.linalg.svd(given["X"], full_matrices=False)
    weights = right.T @ (beta * values * (left.T @ given["y"]) / (beta * size + alpha))
    residual = given["y"] - given["X"] @ weights
    n, d = given["X"].shape
    if wrt == "alpha":
        want = (weights @ weights + np.sum(1 / (beta * size + alpha)) - d / alpha) / 2
    else:
        want = (residual @ residual + np.sum(size / (beta * size + alpha)) - n / beta) / 2
    np.testing.assert_allclose(got, want, rtol=100 * condition * 2.0**-52)


def test_messages_are_those_of_the_factorisation() -> None:
    f = tcalc.parse("Q, R = qr(A); norm2(z - Q*(Q'*z))^2", "A[m,n], z[m]")
    fun = tcalc.compile(f)
    random = np.random.default_rng(0)
    A, z = random.standard_normal((30, 12)), random.standard_normal(30)
    assert not forms(fun)
    np.testing.assert_allclose(fun(A=A, z=z), tcalc.evaluate(f, A=A, z=z), rtol=1e-12)
    A[:, 3] = A[:, 5]
    with pytest.raises(tcalc.errors.DomainError, match=r"qr\(A.*full rank"):
        fun(A=A, z=z)
    with pytest.raises(tcalc.errors.DomainError, match="is wide, 12 by 30: use lq"):
        fun(A=A.T, z=z[:12])
    wide = tcalc.compile(tcalc.parse("L, Q = lq(A); norm2(Q*z)", "A[m,n], z[n]"))
    with pytest.raises(tcalc.errors.DomainError, match="is tall, 30 by 12: use qr"):
        wide(A=A, z=z[:12])
    A[4, 4] = np.nan
    assert np.isnan(fun(A=A, z=z))


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(9, 4), (50, 33), (70, 70), (5, 1), (3, 0)])
def test_the_factors_are_those_of_the_decomposition(
    wide: bool, kind: type, shape: tuple[int, int]
) -> None:
    random = np.random.default_rng(1)
    m, n = shape
    A = random.standard_normal(shape).astype(kind)
    T, *parts = reflectors(A.T if wide else A, wide, where="qr")
    R = T.T if wide else T
    rounding = 50 * np.finfo(kind).eps
    Q = np.array([reflected(*parts, e, False) for e in np.eye(n, dtype=kind)]).reshape(n, m).T
    np.testing.assert_allclose(Q @ R, A, atol=rounding * 10)
    np.testing.assert_allclose(Q.T @ Q, np.eye(n), atol=rounding)
    assert (np.diagonal(R) > 0).all()
    assert not np.tril(R, -1).any()
    x = random.standard_normal(m).astype(kind)
    seen = reflected(*parts, x, True)
    np.testing.assert_allclose(seen, Q.T @ x, atol=rounding * 10)
    assert seen.dtype == R.dtype == kind


def test_where_the_factor_is_formed() -> None:
    """Where it is a result or meets matrices, where A is bound, and where it is small."""
    inputs = "A[m,n], z[m], Z[m,k]"
    for text in ("Q, R = qr(A); Q", "Q, R = qr(A); Q'*Z", "Q, R = qr(A); (Q'*z)'*(Q'*Z)"):
        f = tcalc.parse(text, inputs)
        assert forms(tcalc.compile(f)), text
    f = tcalc.parse("Q, R = qr(A); norm2(z - Q*(Q'*z))^2", "A[m,n], z[m]")
    A, z = np.random.default_rng(0).standard_normal((90, 12)), np.ones(90)
    fun = tcalc.compile(f)
    bound = fun.bind(A=A)
    np.testing.assert_allclose(bound(z=z), fun(A=A, z=z), rtol=1e-12)
    assert forms(bound)
    assert not forms(fun)
    for small in (A[:, :3], A[:30]):
        fun(A=small, z=z[: len(small)])
        assert forms(fun)


def test_a_factor_of_what_another_factor_makes() -> None:
    text = "Q, R = qr(A); P, S = qr(diag(Q'*z) + B); w = P'*(R*(Q'*z)); sum(w .* log(diag(S)))"
    f = tcalc.parse(text, "A[m,n], B[n,n], z[m]")
    random = np.random.default_rng(2)
    given = {"A": random.standard_normal((60, 24)), "B": random.standard_normal((24, 24))}
    given["z"] = random.standard_normal(60)
    fun = tcalc.compile(f)
    np.testing.assert_allclose(fun(**given), tcalc.evaluate(f, **given), rtol=1e-11)
    assert not forms(fun)
    assert "qr_by_lapack(" not in fun.source
