"""Positions that are sums of indices: convolutions, Toeplitz and Hankel matrices, strides."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import tcalc
from tcalc.errors import (
    ArgumentError,
    DimensionError,
    IndexNotationError,
    TcalcError,
    UnknownNameError,
)
from tests.language.language_cases import refused

SIZES = {"n": 7, "m": 3, "h": 6, "w": 5, "p": 3, "q": 2, "s": 2, "c": 3, "o": 4, "r": 4}


def arrays_of(f: tcalc.Expression) -> dict[str, Any]:
    """Data for an expression, the same whatever other tests have run."""
    random = np.random.default_rng(7)
    return {
        name: random.standard_normal([dim.evaluate(SIZES) for dim in x.dims])
        for name, x in f.variables.items()
    }


def convolved(X: Any, W: Any) -> Any:
    """A layer of a convolutional net, from the windows of its input."""
    seen = sliding_window_view(X, W.shape[2:], axis=(2, 3))
    return np.einsum("scijkl,ockl->soij", seen, W)


VALUES = {
    "correlation": ("x[i+k-1]*w[k]", "x[n], w[m]", lambda x, w: np.correlate(x, w)),
    "convolution": ("x[i-k+m]*w[k]", "x[n], w[m]", lambda x, w: np.convolve(x, w, "valid")),
    "a net's layer": (
        "Y[s,o,i,j] = X[s,c,i+k-1,j+l-1]*W[o,c,k,l]; Y",
        "X[s,c,h,w], W[o,c,p,q]",
        convolved,
    ),
    "every second": (
        "x[2*i+k-2]*w[k]*v[i]",
        "x[2*m+1], w[3], v[m]",
        lambda x, w, v: np.correlate(x, w)[::2] @ v,
    ),
    "holes in the filter": (
        "x[i+2*k-2]*w[k]*v[i]",
        "x[n], w[m], v[n-2*m+2]",
        lambda x, w, v: sum(x[2 * k : 2 * k + 3] @ v * w[k] for k in range(3)),
    ),
    "backwards": ("x[end+1-i]*y[i]", "x[n], y[n]", lambda x, y: x[::-1] @ y),
    "from the second on": ("x[i+1]*y[i]", "x[n], y[n-1]", lambda x, y: x[1:] @ y),
    "a Toeplitz matrix": (
        "T[i,j] = c[i-j+m]; T*x",
        "c[2*m-1], x[m]",
        lambda c, x: np.array([[c[i - j + 2] for j in range(3)] for i in range(3)]) @ x,
    ),
    "along a diagonal": (
        "s[i] = X[i+k-1,k]; s",
        "X[n,m]",
        lambda X: np.array([sum(X[i + k, k] for k in range(3)) for i in range(5)]),
    ),
    "windows of a formula": (
        "(A*x)[i+k-1]*w[k]",
        "A[n,n], x[n], w[m]",
        lambda A, x, w: np.correlate(A @ x, w),
    ),
    "the greatest in each window": (
        "z[i] = max[k](x[i+k-1]*v[k]); z",
        "x[n], v[m]",
        lambda x, v: (sliding_window_view(x, 3) * v).max(axis=1),
    ),
}


@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("title", VALUES)
def test_values(title: str, backend: tcalc.typing.Backend) -> None:
    text, declarations, due = VALUES[title]
    f = tcalc.parse(text, declarations)
    arrays = arrays_of(f)
    values = due(*arrays.values())
    assert np.allclose(tcalc.compile(f, backend=backend)(**arrays), values, rtol=1e-12, atol=1e-12)
    assert np.allclose(tcalc.evaluate(f, **arrays), values, rtol=1e-12, atol=1e-12)


FUNCTIONS = {
    "a layer": (
        "Y[s,o,i,j] = X[s,c,i+k-1,j+l-1]*W[o,c,k,l] + b[o]; sum(tanh(Y))",
        "X[s,c,h,w], W[o,c,p,q], b[o]",
    ),
    "a blind deconvolution": ("norm2[i](y[i] - x[i-k+m]*w[k])^2", "x[n], w[m], y[n-m+1]"),
    "a Toeplitz system": (
        "T[i,j] = c[i-j+m]; log(norm2(T*x)^2 + logdet(T*T' + eye(m)))",
        "c[2*m-1], x[m]",
    ),
    "a Hankel matrix": ("H[i,j] = c[i+j-1]; tr(inv(H*H' + eye(m)))", "c[2*m-1], x[m]"),
    "palindromes": ("z[i] = x[end+1-i]; (z'*A*x)^2", "x[n], A[n,n]"),
    "pooling": ("v[i]*softmax[k](x[2*i+k-2])*w[k]", "x[2*m+1], w[3], v[m]"),
    "differences of windows": ("(x[i+k-1] - x[i+l-1])^2*S[k,l]*v[i]", "x[n], S[m,m], v[n-m+1]"),
    "an autoregression": (
        "e[i] = y[m+1:end][i] - a[k]*y[1:end-1][i-k+m]; sum(e.^2)",
        "y[n], a[m]",
    ),
    "the greatest": ("max[i,k](x[i+k-1]*w[k])", "x[n], w[m]"),
}


@pytest.mark.parametrize("title", FUNCTIONS)
def test_derivatives(title: str) -> None:
    f = tcalc.parse(*FUNCTIONS[title])
    for name in f.variables:
        sizes = dict.fromkeys(("s", "c", "o"), 1) if title == "a layer" else {}
        report = tcalc.check(f, name, order=2, sizes=sizes)
        assert report.passed, report
    arrays = arrays_of(f)
    name = next(iter(f.variables))
    slopes = [tcalc.gradient(f, name, mode=x) for x in ("reverse", "forward", "cross-country")]
    results = [tcalc.compile(x)(**arrays) for x in slopes]
    results.append(tcalc.compile(slopes[0], backend="c")(**arrays))
    for found in results:
        assert np.allclose(found, results[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("title", FUNCTIONS)
def test_what_is_printed_is_the_same_again(title: str) -> None:
    text, declarations = FUNCTIONS[title]
    f = tcalc.parse(text, declarations)
    arrays = arrays_of(f)
    for name in f.variables:
        for derivative in (tcalc.gradient(f, name), tcalc.hessian(f, name)):
            printed = derivative.einstein()
            again = tcalc.parse(printed, declarations)
            assert np.allclose(
                tcalc.evaluate(again, **arrays), tcalc.evaluate(derivative, **arrays), atol=1e-10
            ), printed
            assert derivative.latex().strip()
            assert derivative.mathml().strip()


ELEMENTS = {
    "a net of two layers": (
        "A[c,i] = tanh(X[d,i+k-1]*V[c,d,k] + b[c]); y[i] = A[c,i+l-1]*W[c,l]; sum(exp(y))",
        "X[r,n], V[q,r,m], b[q], W[q,p]",
    ),
    "one window": ("y[i] = exp(x[i+k-1]*w[k]); y[2]*y[end]", "x[n], w[m]"),
    "windows that data choose": (
        "y[i] = exp(x[i+k-1]*w[k]); y[g[j]]*v[j]",
        "x[n], w[m], v[p], g[p] integer",
    ),
    "windows of what data choose": (
        "y[i] = sin(x[g[i]]); sum(exp(y[i+k-1]*v[k]))",
        "x[n], v[q], g[p] integer",
    ),
    "backwards twice": (
        "y[i] = exp(x[end+1-i]*v[i]); z[i] = sin(y[end+1-i])*v[i]; sum(z.^2)",
        "x[n], v[n]",
    ),
    "every second of every second": (
        "y[i] = exp(x[2*i-1])*u[i]; sin(y[2*j-1])*v[j]",
        "x[n], u[r], v[q]",
    ),
    "an index in two sums": (
        "A[i,k] = exp(x[i+k-1]*w[k]); A[j+l-1,l]*w[l]*w[j]",
        "x[3*m-2], w[m]",
    ),
    "an index that cancels": (
        "A[i,k] = exp(x[i-k+m]*w[k]); A[j+l-1,l]*w[l]*w[j]",
        "x[3*m-2], w[m]",
    ),
    "an element of a Gram matrix": (
        "H[i,k] = x[i+k-1]*ones(m)[k]; G = H'*H; logdet(G) + G[1,2]*w[1]",
        "x[n], w[m]",
    ),
    "pooling twice": (
        "y[i] = max[k](x[2*i+k-2]*ones(2)[k]*w[i]); z[i] = max[k](y[i+k-1]*v[k]); sum(z.^2)",
        "x[2*m], w[m], v[2]",
    ),
}


@pytest.mark.parametrize("title", ELEMENTS)
def test_elements_at_sums_of_indices_of_what_has_windows_itself(title: str) -> None:
    text, declarations = ELEMENTS[title]
    f = tcalc.parse(text, declarations)
    arrays = arrays_of(f) | {"g": np.array([2, 1, 2])}
    arrays = {name: arrays[name] for name in f.variables}
    for name in arrays.keys() - {"g"}:
        for g in (f, tcalc.gradient(f, name)):
            due = tcalc.compile(g)(**arrays)
            again = tcalc.parse(str(g), declarations)
            assert np.allclose(tcalc.evaluate(again, **arrays), due, rtol=1e-10, atol=1e-12), str(g)


def test_formulas() -> None:
    f = tcalc.parse("y[i] = x[i+k-1]*w[k]; sum(y.^2)", "x[n], w[m]")
    assert str(tcalc.gradient(f, "w")) == "2*x[i+k-1]*x[i+l-1]*w[l]"
    assert str(tcalc.hessian(f, "w")) == "T[k,l] = 2*x[i+k-1]*x[i+l-1]*ones(m)[l]"
    assert str(tcalc.gradient(f, "x")) == "2*eye(n)[j+k-1,i]*x[j+l-1]*w[l]*w[k]"
    assert "x_{i + k - 1}" in tcalc.hessian(f, "w").latex()
    layers = "y[i] = relu(x[i+k-1]*w[k]); z[j] = y[j+l-1]*v[l]; z"
    assert str(tcalc.parse(layers, "x[n], w[m], v[p]")) == "relu(x[j+l+k-2]*w[k])*v[l]"
    second = tcalc.parse("y[i] = exp(x[i+k-1]*w[k]); y[2]", "x[n], w[m]")
    assert str(second) == "exp(x[i+k-1]*w[k]*eye(n - m + 1)[2,i])"
    assert str(tcalc.parse("x[i+1]*y[i]", "x[n], y[n-1]")) == "x[2:end]'*y"


def test_windows_are_not_formed_as_matrices_of_the_size_of_the_signal() -> None:
    f = tcalc.parse("y[i] = x[i+k-1]*w[k]; sum(y.^2)", "x[n], w[m]")
    both = [f, tcalc.gradient(f, "w"), tcalc.gradient(f, "x")]
    n, m = 1000, 10
    compiled = tcalc.compile(both)
    assert compiled.peak_memory(n=n, m=m) < 8 * 6 * n * m
    assert "places_of" not in compiled.source
    random = np.random.default_rng(7)
    x, w = random.standard_normal(100_000), random.standard_normal(50)
    value, by_w, by_x = compiled(x=x, w=w)
    y = np.correlate(x, w)
    assert np.isclose(value, y @ y)
    assert np.allclose(by_x, 2 * np.convolve(y, w))
    assert np.allclose(by_w, 2 * sliding_window_view(x, 50).T @ y)


def test_single_precision_stays() -> None:
    f = tcalc.parse("y[i] = x[i+k-1]*w[k]; sum(y.^2)", "x[n], w[m]")
    arrays = {name: np.float32(x) for name, x in arrays_of(f).items()}
    for backend in ("numpy", "c"):
        found = tcalc.compile([tcalc.gradient(f, x) for x in "xw"], backend=backend)(**arrays)
        assert [x.dtype for x in found] == [np.float32] * 2


def test_in_loops() -> None:
    text = """h{0} = zeros(n - m + 1)
    for t = 1:T
        h{t}[i] = tanh(h{t-1}[i] + X[t,i+k-1]*w[k])
    end
    norm2(h{T})^2"""
    declarations = "X[T,n], w[m]"
    unrolled = tcalc.parse(text, declarations, T=4)
    arrays = arrays_of(unrolled)
    due = tcalc.compile([unrolled, tcalc.gradient(unrolled, "w")])(**arrays)
    for backend in ("numpy", "c"):
        kept = tcalc.recurrence(text, declarations, backend=backend)
        found = kept.value_and_gradient("w")(**arrays)
        assert np.allclose(found[0], due[0])
        assert np.allclose(found[1], due[1])


def test_sizes_that_nobody_declared() -> None:
    for text in ("y[i] = x[i+k-1]*w[k]; y", "x[i-k+3]*w[k]*w[3]", "y[j] = w[k]*x[k+j-1]; sum(y)"):
        f = tcalc.parse(text)
        assert all(dim.is_name or dim.value for x in f.variables.values() for dim in x.dims)
        assert tcalc.evaluate(f, x=[1.0, 2.0, 3.0, 4.0], w=[1.0, 1.0, 2.0]) is not None


def test_an_index_with_the_name_of_a_size() -> None:
    f = tcalc.parse("y[i] = x[i+m-1]*w[m]; sum(y.^2)", "x[n], w[m]")
    other = tcalc.parse("y[i] = x[i+k-1]*w[k]; sum(y.^2)", "x[n], w[m]")
    assert f.node is other.node
    assert str(tcalc.parse("y[i] = x[i+m-1]; sum(y)", "x[n], w[m]")) == "sum(x[m:end])"


DIFFERENCES = {
    "d[i] = x[i+1] - x[i]; d": ("x[n]", lambda x: np.diff(x)),
    "d[i] = x[i] - 2*x[i+1] + x[i+2]; d": ("x[n]", lambda x: np.diff(x, 2)),
    "(x[i+1] - x[i])^2": ("x[n]", lambda x: np.sum(np.diff(x) ** 2)),
    "sum[i](w[i]*exp(x[i+1] - x[i]))": ("x[n], w[n]", lambda x, w: w[:-1] @ np.exp(np.diff(x))),
    "x[i]*A[i,i+1]*x[i+2]": (
        "x[n], A[n,n]",
        lambda x, A: np.sum(x[:-2] * np.diag(A, 1)[:-1] * x[2:]),
    ),
    "A[i+1,i]": ("A[n,n]", lambda A: np.trace(A, -1)),
    "x[i+1]*y[i] + x[i]*z[i]": ("x[n], y[n], z[n-1]", lambda x, y, z: x[1:] @ y[:-1] + x[:-1] @ z),
    "x[i]*z[i] + x[i+1]*y[i]": ("x[n], z[n-1], y[n]", lambda x, z, y: x[:-1] @ z + x[1:] @ y[:-1]),
    "y[i]*z[i]*x[i+1]": ("y[n], z[n-1], x[n]", lambda y, z, x: np.sum(y[:-1] * z * x[1:])),
    "sum[m](x[m+2]*x[m+1]) + sum(w)": (
        "x[n], w[m]",
        lambda x, w: x[2:] @ x[1:-1] + np.sum(w),
    ),
    "G[i,j] = U[i+1,j] - U[i,j+1]; G": ("U[n,m]", lambda U: U[1:, :-1] - U[:-1, 1:]),
    "x[i]*z[i]*x[i+1]": ("x[n], z[n-1]", lambda x, z: np.sum(x[:-1] * z * x[1:])),
    "d[i] = x[i+m] - x[i]; d*w'": (
        "x[n], w[m]",
        lambda x, w: np.outer(x[len(w) :] - x[: -len(w)], w),
    ),
    "max[i](x[i+1]/x[i])": ("x[n]", lambda x: np.max(x[1:] / x[:-1])),
    "(B*x)[i+1]*x[i] - x'*x": ("x[n], B[n,n]", lambda x, B: (B @ x)[1:] @ x[:-1] - x @ x),
}


@pytest.mark.parametrize("text", DIFFERENCES)
def test_an_index_goes_as_far_as_all_its_positions(text: str) -> None:
    declarations, due = DIFFERENCES[text]
    f = tcalc.parse(text, declarations)
    arrays = {name: np.abs(x) for name, x in arrays_of(f).items()}
    values = due(*arrays.values())
    assert np.allclose(tcalc.evaluate(f, **arrays), values)
    assert np.allclose(tcalc.compile(f)(**arrays), values)
    assert str(tcalc.parse(str(f), declarations)) == str(f)
    assert tcalc.check(f, next(iter(f.variables))).passed


def test_what_a_slice_leaves_out_is_not_seen() -> None:
    x = np.array([1.0, 2.0, 3.0, 0.0])
    for text, due in (("x[i+1]/x[i]", 3.5), ("x[i+1]*log(x[i])", np.log(8)), ("log(x)[1]", 0)):
        f = tcalc.parse(text, "x[n]")
        with np.errstate(divide="ignore"):
            assert np.isclose(tcalc.evaluate(f, x=x), due)
            assert np.isclose(tcalc.compile(f)(x=x), due)


def test_other_formulas_are_as_strict_as_before() -> None:
    # Only where a number is added to an index, and in that formula.
    refused("s = x[i+1]*x[i]; a[i]*b[i]*s", DimensionError, (1, 18), "", "a[n], b[n-1], x[n]")
    refused("a[i]*b[i]*sum[i](x[i+1]*x[i])", DimensionError, (1, 1), "", "a[n], b[n-1], x[n]")
    refused(
        "sum[i](x[i+1]*x[i]) + sum[i](a[i]*b[i])", DimensionError, (1, 30), "", "a[n], b[n-1], x[n]"
    )
    refused("(a[j]*x[i+1])[i]*b[i]", IndexNotationError, (1, 1), "", "a[n], b[n-1], x[n]")


def test_what_is_refused() -> None:
    begins = refused("x[i+k]*w[k]", IndexNotationError, (1, 3), "i+k-1 begins at 1")
    assert begins.message == "the positions begin at 2"
    refused("x[i*k]*w[k]", UnknownNameError, (1, 3), "one small letter")
    refused("x[T-1]", UnknownNameError, (1, 3), "sizes are declared")
    refused("y[i+1] = x[i]; sum(y)", IndexNotationError, (1, 3), "number the definitions")
    refused("x[i+1] - y[i]", DimensionError, (1, 1), "declared as n - 1", "x[n], y[m]")
    refused("x[i-1] - 2*x[i]", IndexNotationError, (1, 3), "x[i] - 2*x[i+1]", "x[n]")
    refused("a[i]*b[i]*x[j+1]", DimensionError, (1, 1), "", "a[n], b[n-1], x[n]")
    refused("x[i+k-1]*w[k]*v[i]", DimensionError, (1, 1), "n - m + 1", "x[n], w[m], v[p]")
    refused("x[2*i]*v[i]", DimensionError, (1, 3), "count from 1", "x[5], v[3]")
    refused("x[i+k-1]", DimensionError, (1, 3), "ones(m)[i], as a factor", "x[n]")
    refused("x[2*i+k-2]*w[k]", DimensionError, (1, 3), "ones(m)[i]", "x[n], w[m]")
    for below in ("x[i-k]*w[k]", "x[-i]*w[i]"):
        below_one = refused(below, IndexNotationError, (1, 3), "x[i-k+m]", "x[n], w[m]")
        assert below_one.message == "the positions begin below 1"
    longer = refused("x[i+k-1]*w[k]", DimensionError, (1, 3), "", "x[3], w[5]")
    assert longer.message == "no room for the index i, which would go from 1 to -1"
    beyond = refused("x[i+n]*v[i]", DimensionError, (1, 3), "`end`", "x[n], v[m]")
    assert beyond.message == "index n + 1 is beyond the last one, n"


def test_windows_are_checked_at_more_than_one_element() -> None:
    f = tcalc.parse("y[i] = x[i+k-1]*w[k]; sum(y.^2)", "x[n], w[m]")
    assert min(tcalc.check(f, "w").sizes.values()) > 1


def test_sizes_that_do_not_fit() -> None:
    f = tcalc.parse("sum(exp(x[i+k-1]*w[k]))", "x[n], w[m]")
    with pytest.raises(ArgumentError, match="no positions on an axis of 2"):
        tcalc.compile(f)(x=[1.0, 2.0], w=[1.0, 2.0, 3.0])
    with pytest.raises(TcalcError, match="no positions on an axis of 2"):
        tcalc.evaluate(f, x=[1.0, 2.0], w=[1.0, 2.0, 3.0])
    strides = tcalc.parse("x[2*i]*v[i]", "x[n], v[m]")
    with pytest.raises(ArgumentError, match="the positions 2 to 6 are not all among 1 to 5"):
        tcalc.compile(strides)(x=np.ones(5), v=np.ones(3))
    assert float(tcalc.compile(strides)(x=np.arange(6.0), v=np.ones(3))) == 9
