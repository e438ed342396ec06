"""SciPy's sparse matrices as arguments: taken in products, refused by name elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy
from scipy import sparse

import tcalc
from tcalc.errors import ArgumentError, TcalcError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 5)) * (RNG.random((12, 5)) < 0.4)
DATA: dict[str, Any] = {
    "X": X,
    "y": np.sign(RNG.normal(size=12)),
    "w": RNG.normal(size=5),
    "B": RNG.normal(size=(5, 3)),
}
SCIPY = tuple(map(int, scipy.__version__.split(".")[:2]))
KINDS = [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.coo_array, sparse.dia_array]


def both(expressions: Any, kind: Any = sparse.csr_array, **data: Any) -> None:
    """Compare dense and sparse X."""
    fun = tcalc.compile(expressions)
    names = [name for name in fun.signature.names if name in DATA]
    given = {**{name: DATA[name] for name in names}, **data}
    due = fun(**given)
    found = fun(**{**given, "X": kind(given["X"])})
    for mine, other in zip(found, due, strict=True):
        assert type(mine) is type(other)
        assert mine.dtype == other.dtype
        tolerance = 1e-12 if other.dtype == float else 1e-5
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_logistic_regression_with_all_derivatives(kind: Any) -> None:
    f = tcalc.parse("sum(log(1 + exp(-y .* (X*w)))) + 3*(w'*w)", "X[m,n], y[m], w[n]")
    both([f, tcalc.gradient(f, "w"), tcalc.hessian(f, "w")], kind)


@pytest.mark.parametrize(
    "text",
    [
        "X*w",
        "X'*y",
        "X'*X",
        "X*X'",
        "X'*diag(y)*X",
        "X*diag(w)*X'",
        "X*B",
        "B'*X'",
        "2*X*w - y",
        "y'*X*w",
        "sum(X)",
        "X*vector(1)",
        "vector(1)'*X",
        "-X",
        "X'",
        "diag(y)*X",
        "(X*w)./y",
        "tril(ones(m,m))*X",
        "triu(ones(m,m),1)*X",
        "X*tril(ones(n,n))",
        "cumsum(X')",
        "diag(y)*X + y*w'",
        "y*w' - 2*tril(ones(m,m))*X",
    ],
)
def test_products(text: str) -> None:
    expression = tcalc.parse(text, "X[m,n], y[m], w[n], B[n,k]")
    both([expression])
    single = {name: array.astype(np.float32) for name, array in DATA.items()}
    both([expression], **{k: single[k] for k in expression.variables})


def test_partial_likelihood_with_all_derivatives() -> None:
    # The Hessian has the running sums of rows of X, which are dense.
    f = tcalc.parse("sum(X*w - log(cumsum(exp(X*w))))", "X[m,n], w[n]")
    both([f, tcalc.gradient(f, "w"), tcalc.hessian(f, "w")])
    fun = tcalc.compile(tcalc.hessian(f, "w"))
    bound = fun.bind(X=sparse.csc_array(X))
    np.testing.assert_allclose(bound(w=DATA["w"]), fun(X=X, w=DATA["w"]), rtol=1e-12)


@pytest.mark.parametrize(
    "text", ["sum(exp(X))", "X + X.*X", "sum(abs(X))", "X[2,3]", "X .* sin(y*w')"]
)
def test_other_uses_are_refused_by_name(text: str) -> None:
    fun = tcalc.compile(tcalc.parse(text, "X[m,n], y[m], w[n]"))
    given = {name: DATA[name] for name in fun.signature.names}
    fun(**given)
    with pytest.raises(ArgumentError, match="X is a sparse matrix"):
        fun(**{**given, "X": sparse.csr_array(X)})
    fun(**given)


def test_what_is_refused_is_named_in_the_hint() -> None:
    fun = tcalc.compile(tcalc.parse("x'*inv(A)*x", "A[n,n], x[n]"))
    with pytest.raises(ArgumentError) as caught:
        fun(A=sparse.eye_array(3).tocsr(), x=np.ones(3))
    assert caught.value.hint == "give a dense array: A.toarray()"


@pytest.mark.skipif(SCIPY < (1, 15), reason="sparse arrays have at most two axes")
def test_sparse_arrays_of_more_axes_are_refused_by_name() -> None:
    fun = tcalc.compile(tcalc.parse("T[i,j,k]*x[k]*y[j]*z[i]", "T[m,n,p], x[p], y[n], z[m]"))
    T = sparse.coo_array(np.ones((2, 3, 4)))
    with pytest.raises(ArgumentError, match="T is a sparse array with 3 axes"):
        fun(T=T, x=np.ones(4), y=np.ones(3), z=np.ones(2))


def test_sparse_data_are_bound_and_checked() -> None:
    f = tcalc.parse("norm2(X*w - y)^2", "X[m,n], y[m], w[n]")
    fun = tcalc.compile([f, tcalc.gradient(f, "w")])
    given = {name: DATA[name] for name in "Xyw"}
    bound = fun.bind(X=sparse.csr_matrix(X), y=DATA["y"])
    for _ in range(2):
        for mine, due in zip(bound(w=DATA["w"]), fun(**given), strict=True):
            np.testing.assert_allclose(mine, due, rtol=1e-12)
    with pytest.raises(ArgumentError, match=r"X has the shape \(12, 5\)|w has the shape \(4,\)"):
        fun(X=sparse.csr_matrix(X), y=DATA["y"], w=np.ones(4))
    strict = tcalc.compile(f, check_finite=True)
    with pytest.raises(ArgumentError, match="X has values"):
        strict(**{**given, "X": sparse.csr_matrix(X * np.nan)})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["L-BFGS-B", "newton", "trust-ncg", "trust-exact"])
def test_problems_take_them_as_data(kind: Any, method: str) -> None:
    f = tcalc.parse("sum(log(1 + exp(-y.*(X*w)))) + norm2(w)^2/2", "X[m,n], y[m], w[n]")
    sparse_data = {"X": kind(X), "y": DATA["y"]}
    found = tcalc.problem(f, "w", sparse_data, constraints=[]).minimize(method)
    due = tcalc.problem(f, "w", {**sparse_data, "X": X}).minimize(method)
    assert found.success
    np.testing.assert_allclose(found.x, due.x, rtol=1e-9)


def test_problems_look_at_what_sparse_data_hold() -> None:
    f = tcalc.parse("norm2(X*w - y)^2", "X[m,n], y[m], w[n]")
    wrong = sparse.csr_array(np.where(X == 0, 0, np.nan))
    with pytest.raises(ArgumentError, match="X has entries that are not finite"):
        tcalc.problem(f, "w", {"X": wrong, "y": DATA["y"]})
    with pytest.raises(ArgumentError, match="in other ways than products"):
        g = tcalc.parse("sum(exp(X)*w)", "X[m,n], w[n]")
        tcalc.problem(g, "w", {"X": sparse.csr_array(X)}).minimize()
    start = tcalc.problem(tcalc.parse("sum(log(X*w))", "X[m,n], w[n]"), "w", {"X": sparse.eye(3)})
    with pytest.raises(TcalcError, match=r"log\(X\*w\) is not"):
        start.minimize()
