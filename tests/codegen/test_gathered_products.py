"""Products in sums are made together, where that pays."""

import re

import numpy as np
import pytest
from generated import body
from scipy import sparse

import tcalc
from tcalc.codegen.placement import written
from tcalc.codegen.program import Placed, Slice, Sum, View
from tcalc.codegen.tensor import Builder
from tcalc.expr import shape
from tcalc.expr.dims import Dim

RECURRENT = """
tensor W[n,n], X[6,n], h0[n]
h{0} = h0
for t = 1:6
    h{t}[i] = tanh(W[i,j]*h{t-1}[j] + X[t,i])
end
h{6}'*h{6}
"""
PRODUCTS = "2*sin(A)*cos(B) + (cos(A)*sin(B))' + v*v' - sin(C)*cos(D)"


def recurrent_data(n: int, dtype: type) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    data = {
        "W": rng.standard_normal((n, n)) / np.sqrt(n),
        "X": 0.3 * rng.standard_normal((6, n)),
        "h0": rng.standard_normal(n),
    }
    return {name: array.astype(dtype) for name, array in data.items()}


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-4), (np.float64, 1e-12)])
def test_the_gradient_and_the_hessian_of_a_recurrent_net(dtype: type, tolerance: float) -> None:
    f = tcalc.parse(RECURRENT)
    data = recurrent_data(9, dtype)
    for derivative, products in ((tcalc.gradient(f, "W"), 1), (tcalc.hessian(f, "W"), 2)):
        function = tcalc.compile(derivative)
        found = function(**data)
        assert found.dtype == dtype
        assert body(function).count("  # a sum of ") == products
        expected = tcalc.evaluate(derivative, **data)
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * abs(expected).max())


def test_a_coefficient_of_all_terms_is_multiplied_in_once() -> None:
    function = tcalc.compile(tcalc.gradient(tcalc.parse(RECURRENT), "W"))
    function(**recurrent_data(5, float))
    source = body(function)
    assert source.count(" 2 * ") == 1
    assert re.search(r"t44 = .*  # a sum of 6 products\n    t45 = 2 \* t44\n    return t45", source)


def test_a_large_sum_of_two_outer_products() -> None:
    f = tcalc.parse("a*b' - 2*c*d' + E", "a[m], b[n], c[m], d[n], E[m,n]")
    function = tcalc.compile(f)
    rng = np.random.default_rng(0)
    for m, n, gathered in ((5, 6, False), (80, 90, True), (3, 9000, False)):
        a, c = rng.standard_normal((2, m))
        b, d = rng.standard_normal((2, n))
        E = rng.standard_normal((m, n))
        found = function(a=a, b=b, c=c, d=d, E=E)
        assert ("a sum of 2 products" in body(function)) == gathered
        np.testing.assert_allclose(found, np.outer(a, b) - 2 * np.outer(c, d) + E, atol=1e-13)


@pytest.mark.parametrize(("m", "k", "gathered"), [(6, 3, True), (60, 3, True), (40, 50, False)])
def test_products_of_matrices_of_different_lengths(m: int, k: int, gathered: bool) -> None:
    function = tcalc.compile(tcalc.parse(PRODUCTS, "A[m,k], B[k,m], C[m,2], D[2,m], v[m]"))
    rng = np.random.default_rng(0)
    A, B, v = rng.standard_normal((m, k)), rng.standard_normal((k, m)), rng.standard_normal(m)
    C, D = rng.standard_normal((m, 2)), rng.standard_normal((2, m))
    expected = 2 * np.sin(A) @ np.cos(B) + (np.cos(A) @ np.sin(B)).T
    expected += np.outer(v, v) - np.sin(C) @ np.cos(D)
    np.testing.assert_allclose(function(A=A, B=B, C=C, D=D, v=v), expected, atol=1e-12)
    assert ("a sum of 4 products" in body(function)) == gathered
    bound = function.bind(A=A, B=B, C=C)
    np.testing.assert_allclose(bound(D=D, v=v), expected, atol=1e-12)
    # What is computed once for all calls is not made with what each call needs.
    assert "a sum of" not in body(bound)


def test_a_kernel_of_a_device_adds_outer_products_by_itself() -> None:
    gradient = tcalc.gradient(tcalc.parse(RECURRENT), "W")
    source = tcalc.compile(gradient, backend="cupy").source
    assert "a sum of " not in source
    assert "a sum of 6 products" in tcalc.compile(gradient).source


def test_sparse_matrices_are_multiplied_one_by_one() -> None:
    f = tcalc.parse("A*B*A' + B*A' + A*C + C'*A' + C", "A[n,n], B[n,n], C[n,n]")
    rng = np.random.default_rng(0)
    A, B, C = rng.standard_normal((3, 5, 5))
    expected = A @ B @ A.T + B @ A.T + A @ C + C.T @ A.T + C
    function = tcalc.compile(f)
    for given in (A, sparse.csr_array(A)):
        np.testing.assert_allclose(function(A=given, B=B, C=C), expected, atol=1e-12)


def test_sums_over_axes_in_another_order_are_added_as_they_lie() -> None:
    f = tcalc.parse(
        "H[i,j,k,l] = a[j]*B[i,k,l] + c[j]*D[i,k,l] + a[i]*exp(B[j,k,l])\nH",
        "a[n], c[n], B[n,n,n], D[n,n,n]",
    )
    rng = np.random.default_rng(0)
    a, c = rng.standard_normal((2, 9))
    B, D = rng.standard_normal((2, 9, 9, 9))
    function = tcalc.compile(f)
    expected = np.einsum("j,ikl->ijkl", a, B) + np.einsum("j,ikl->ijkl", c, D)
    expected += np.einsum("i,jkl->ijkl", a, np.exp(B))
    np.testing.assert_allclose(function(a=a, c=c, B=B, D=D), expected, atol=1e-13)
    assert body(function).count("a sum of 2 products") == 1


def test_rows_one_after_the_other_are_written_whatever_the_sizes() -> None:
    dims = shape("m", "n")
    n = dims[1]
    row = View.of(Builder().filled(0, (n,)))
    m = Dim.of("m")
    indices = [Dim.of(0), Slice(Dim.of(1), m), m + 1, Slice(m + 2, m)]
    parts = tuple(Placed(1, row, (index, None), (0,)) for index in indices)
    assert written(Sum(dims, (), parts, spans=False)) == [True] * 4
    assert written(Sum(dims, (), parts[::-1], spans=False)) == [True] * 4
    twice = (*parts, parts[1])
    assert written(Sum(dims, (), twice, spans=False)) == [True] * 4 + [False]
