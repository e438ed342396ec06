"""Solves with a diagonal plus low rank, and determinants: small where the sizes make it pay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc.codegen.lowrank import low_rank_solves
from tcalc.expr import build, shape
from tcalc.primitives.exponential import exp
from tcalc.primitives.inverse import inv

SUMS = [
    ("sum(exp(x)) + norm2(A*x)^2", "A[k,n], x[n]"),
    ("sum(exp(x)) + (a'*x)^4", "a[n], x[n]"),
    ("norm2(x)^2 + sum(log(1 + exp(A*x)))", "A[k,n], x[n]"),
    ("c*norm2(x)^2 + sum(log(1 + exp(A*x)))", "A[k,n], x[n], c positive"),
]
SIZES = {"n": 60, "k": 3}


def data(f: tcalc.Expression, sizes: dict[str, int]) -> dict[str, Any]:
    generator = np.random.default_rng(11)
    return {
        name: generator.uniform(-1, 1, [dim.evaluate(sizes) for dim in variable.dims])
        if name != "c"
        else np.asarray(0.7)
        for name, variable in f.variables.items()
    }


@pytest.mark.parametrize(("text", "declared"), SUMS)
@pytest.mark.parametrize("sizes", [SIZES, {"n": 6, "k": 5}], ids=["small rank", "large rank"])
def test_the_step_is_that_of_the_dense_hessian(
    text: str, declared: str, sizes: dict[str, int]
) -> None:
    f = tcalc.parse(text, declared)
    step = tcalc.parse(f"f = {text}; hessian(f, x) \\ gradient(f, x)", declared)
    values = data(f, sizes)
    g = tcalc.evaluate(tcalc.gradient(f, "x"), **values)
    H = tcalc.evaluate(tcalc.hessian(f, "x"), **values)
    np.testing.assert_allclose(
        tcalc.compile(step)(**values), np.linalg.solve(H, g), rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize(("text", "declared"), SUMS)
def test_no_large_matrix_is_made_for_a_small_rank(text: str, declared: str) -> None:
    step = tcalc.parse(f"f = {text}; hessian(f, x) \\ gradient(f, x)", declared)
    fun = tcalc.compile(step)
    wide = {"n": 10_000} if "k" not in declared else {"n": 10_000, "k": 3}
    assert fun.peak_memory(**wide) < 8 * 10_000 * 30
    if "k" in wide:
        assert fun.peak_memory(n=1000, k=900) > 8 * 1000 * 1000


def test_a_diagonal_of_unknown_sign_is_not_divided_by() -> None:
    """c may be 0, and the matrix regular all the same."""
    text = "f = c*norm2(x)^2 + norm2(A*x)^2; hessian(f, x) \\ gradient(f, x)"
    step = tcalc.parse(text, "A[k,n], x[n], c")
    A = np.vstack([np.eye(4), np.ones((1, 4))])
    x = np.arange(4.0)
    np.testing.assert_allclose(tcalc.compile(step)(A=A, x=x, c=0.0), x, atol=1e-12)
    assert tcalc.compile(step).peak_memory(n=1000, k=3) > 8 * 1000 * 1000


def test_solves_with_many_columns() -> None:
    f = tcalc.parse("(diag(exp(x)) + U*V') \\ B", "x[n], U[n,k], V[n,k], B[n,p]")
    values = data(f, {**SIZES, "p": 4})
    matrix = np.diag(np.exp(values["x"])) + values["U"] @ values["V"].T
    found = tcalc.compile(f)(**values)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, values["B"]), rtol=1e-9)
    left = tcalc.parse("C / (diag(exp(x)) + U*V')", "x[n], U[n,k], V[n,k], C[p,n]")
    found = tcalc.compile(left)(**{k: v for k, v in values.items() if k != "B"}, C=values["B"].T)
    np.testing.assert_allclose(found, values["B"].T @ np.linalg.inv(matrix), rtol=1e-9)


EVIDENCE = "logdet(diag(d) + U*U') + b'*inv(diag(d) + U*U')*b"
DETERMINANTS = [
    ("logdet(diag(d) + U*U')", "d", 1),
    ("logdet(diag(d) + U*V')", "U", 1),
    ("logdet(diag(d) - b*b'/100)", "b", 2),
    ("logdet(c*eye(n) + 2*U*U')", "c", 1),
    ("tr(inv(diag(d) + U*U'))", "d", 1),
    (EVIDENCE, "d", 1),
    (EVIDENCE, "U", 1),
    (EVIDENCE, "d", 2),
    (EVIDENCE, "U", 2),
]


@pytest.mark.parametrize(("text", "wrt", "order"), DETERMINANTS)
def test_determinants_and_their_derivatives(text: str, wrt: str, order: int) -> None:
    f = tcalc.parse(text, "d[n] positive, U[n,k], V[n,k], b[n], c positive")
    expressions = [f, tcalc.derivative(f, *[wrt] * order)]
    values = data(f, SIZES) | {"d": np.linspace(1.0, 3.0, 60)}
    values = {name: values[name] for name in f.variables}
    if "V" in values:
        values["V"] = values["U"] + values["V"] / 10
    fun = tcalc.compile(expressions)
    for found, expected in zip(fun(**values), tcalc.evaluate(expressions, **values), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)
    if order == 1:
        wide = {"n": 10_000, "k": 3} if "U" in values else {"n": 10_000}
        assert fun.peak_memory(**wide) < 8 * 10_000 * 30


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_a_determinant_that_is_not_positive_is_an_error(scale: float) -> None:
    f = tcalc.parse("logdet(diag(d) - b*b')", "d[n] positive, b[n]")
    fun = tcalc.compile(f)
    with pytest.raises(tcalc.TcalcError, match=r"logdet\(.*determinant is not positive"):
        fun(d=np.ones(50), b=scale * np.ones(50))


def test_a_low_rank_is_seen_through_sums_and_products_used_here_alone() -> None:
    shapes = {"x": "n", "b": "n", "A": "nn", "B": "nk", "C": "kn"}
    x, b, A, B, C = (build.var(name, shape(*dims)) for name, dims in shapes.items())
    D = build.einsum([exp(x)], "i->ii")
    inner = build.einsum([B, C], "ij,jk->ik")
    product = build.einsum([A, inner], "ij,jk->ik")
    nested = build.sum_of(D, build.scale(2, build.sum_of(D, build.scale(3, product))))
    solve = build.einsum([inv(nested), b], "ij,j->i")
    sizes = {"n": 300, "k": 100}
    (new,), asked = low_rank_solves([solve], sizes)
    assert asked
    assert new is not solve
    # What others need as well is formed, and then its factors are not looked at.
    shared = build.sum_of(solve, build.einsum([inner], "ii->i"))
    assert low_rank_solves([shared], sizes) == ([shared], True)
