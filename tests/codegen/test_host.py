"""What generated code for NumPy calls in place of the formulas of the primitives."""

import itertools

import numpy as np
import pytest

import tcalc
from tcalc.codegen.host import (
    log_sum_exp_in_place,
    lq_by_lapack,
    qr_by_lapack,
    soft_max_in_place,
)
from tcalc.codegen.solvers import factorise, log_determinant_factored, solve_triangle
from tcalc.primitives.qr import thin_lq, thin_qr
from tcalc.primitives.softmax import log_sum_exp, soft_max

SHAPES = [(1, 1), (5, 1), (4, 4), (7, 3), (90, 70), (3, 0), (0, 0), (192, 48), (300, 75)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_decompositions_by_lapack_are_the_same(shape, dtype):
    A = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    for fast, slow, matrix in ((qr_by_lapack, thin_qr, A), (lq_by_lapack, thin_lq, A.T)):
        before = matrix.copy()
        for ours, expected in zip(fast(matrix, where="f"), slow(matrix, where="f"), strict=True):
            assert ours.dtype == dtype
            np.testing.assert_allclose(ours, expected, atol=100 * np.finfo(dtype).eps)
        np.testing.assert_array_equal(matrix, before)


def test_tall_matrices_are_orthogonal_to_rounding():
    """Of columns nearly in one direction, as of others."""
    rng = np.random.default_rng(1)
    A = rng.standard_normal((400, 1)) + 1e-9 * rng.standard_normal((400, 64))
    Q, R = qr_by_lapack(A, where="f")
    np.testing.assert_allclose(Q.T @ Q, np.eye(64), rtol=0, atol=1e-14)
    np.testing.assert_allclose(Q @ R, A, rtol=0, atol=1e-13)
    assert (R.diagonal() > 0).all()
    np.testing.assert_array_equal(np.tril(R, -1), 0)


def test_stacks_and_what_is_not_finite():
    A = np.random.default_rng(0).standard_normal((2, 5, 3))
    A[1, 2, 0] = np.nan
    for ours, expected in zip(qr_by_lapack(A, where="f"), thin_qr(A, where="f"), strict=True):
        np.testing.assert_array_equal(ours, expected)
    tall = np.random.default_rng(0).standard_normal((200, 50))
    for bad, whole in itertools.product((np.nan, np.inf), (A[0], tall)):
        B = whole.copy()
        B[4, 2] = bad
        for ours, expected in zip(qr_by_lapack(B, where="f"), thin_qr(B, where="f"), strict=True):
            np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize(
    ("A", "message"),
    [
        (np.ones((4, 2)), "f: the matrix does not have full rank"),
        (np.ones((200, 50)), "f: the matrix does not have full rank"),
        (np.zeros((3, 3)), "f: the matrix does not have full rank"),
        (np.ones((2, 4)), "f: the matrix is wide, 2 by 4: use lq"),
        (np.ones((4, 2)) * 1j, "f: the matrix is complex, and should be real"),
    ],
)
def test_messages_are_the_same(A, message):
    for function in (qr_by_lapack, thin_qr):
        with pytest.raises(np.linalg.LinAlgError) as caught:
            function(A, where="f")
        assert str(caught.value) == message


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("lower", [False, True])
@pytest.mark.parametrize("shape", [(3,), (3, 2), (40, 120), (120, 40)])
def test_solves_with_triangles_are_right_for_rows_and_columns(shape, lower, transposed):
    rng = np.random.default_rng(0)
    n = shape[0]
    a = (np.tril if lower else np.triu)(rng.standard_normal((n, n))) + 4 * n**0.5 * np.eye(n)
    b = rng.standard_normal(shape)
    for right in (b, np.asfortranarray(b)):
        x = solve_triangle(a, right, lower, transposed, len(shape) > 1, where="f")
        np.testing.assert_allclose((a.T if transposed else a) @ x, b, atol=1e-12)
        np.testing.assert_array_equal(right, b)
    a[-1, -1] = 0
    with pytest.raises(np.linalg.LinAlgError, match="f: the matrix is singular"):
        solve_triangle(a, b, lower, transposed, len(shape) > 1, where="f")


def test_the_sign_of_a_determinant_counts_exchanges_and_negative_pivots():
    rng = np.random.default_rng(0)
    for _ in range(20):
        a = rng.standard_normal((5, 5))
        sign, value = np.linalg.slogdet(a)
        factors = factorise(a, where="f")
        if sign < 0:
            with pytest.raises(np.linalg.LinAlgError, match="the determinant is not positive"):
                log_determinant_factored(factors, where="f")
        else:
            np.testing.assert_allclose(log_determinant_factored(factors, where="f"), value)
    a[0, 0] = np.nan
    assert np.isnan(log_determinant_factored(factorise(a, where="f"), where="f"))


def test_small_matrices_are_multiplied_by_the_method():
    f = tcalc.parse("exp(A*B)", "A[n,m], B[m,n]")
    function = tcalc.compile(f)
    for n, operator in ((4, ".dot("), (70, " @ ")):
        rng = np.random.default_rng(0)
        A, B = rng.standard_normal((n, 3)), rng.standard_normal((3, n))
        np.testing.assert_allclose(function(A=A, B=B), np.exp(A @ B))
        assert operator in function.source
    again = tcalc.compile(f)
    again(A=A, B=B)
    assert again.source == function.source, "it depends on the sizes of earlier calls"
    stack = tcalc.compile(tcalc.parse("C[b,i,k] = A[b,i,j]*B[b,j,k]\nC", "A[b,n,m], B[b,m,p]"))
    A, B = rng.standard_normal((5, 2, 3)), rng.standard_normal((5, 3, 4))
    np.testing.assert_allclose(stack(A=A, B=B), A @ B)


def test_parts_are_added_only_where_something_lies_already():
    joined = tcalc.compile(tcalc.parse("concat(x, 2*y, x)", "x[n], y[m]"))
    x, y = np.array([1.0, 2.0]), np.array([3.0])
    assert joined(x=x, y=y).tolist() == [1, 2, 6, 1, 2]
    assert "+=" not in joined.source
    f = tcalc.parse("sum(x[1:2].^2) + sum(x[2:3].^2)", "x[n]")
    overlapping = tcalc.compile(tcalc.gradient(f, "x"))
    assert overlapping(x=np.array([1.0, 2.0, 3.0])).tolist() == [2, 8, 6]
    f = tcalc.parse("sum(x[1:m].^2) + x[3]^2 + sum(y)", "x[n], y[m]")
    unknown = tcalc.compile(tcalc.gradient(f, "x"))
    for m, expected in ((1, [2, 0, 6]), (3, [2, 4, 12])):
        assert unknown(x=np.array([1.0, 2.0, 3.0]), y=np.ones(m)).tolist() == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
@pytest.mark.parametrize("axes", [(-1,), (-2, -1)])
def test_exponentials_that_sum_to_one(dtype, axes):
    x = (300 * np.random.default_rng(0).standard_normal((5, 4, 3))).astype(dtype)
    for fast, slow in ((log_sum_exp_in_place, log_sum_exp), (soft_max_in_place, soft_max)):
        before = x.copy()
        found, expected = fast(x, axes), slow(x, axes)
        assert found.dtype == expected.dtype and found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype is np.float32 else 1e-13)
        np.testing.assert_array_equal(x, before)
    assert type(log_sum_exp_in_place(x[0, 0], (-1,))) is type(log_sum_exp(x[0, 0], (-1,)))


def test_the_logarithm_of_a_sum_of_infinite_exponentials():
    x = np.array([[np.inf, 1.0], [-np.inf, 2.0], [np.nan, 1.0]])
    np.testing.assert_array_equal(log_sum_exp_in_place(x[:2], (-1,)), [np.inf, 2.0])
    assert np.isnan(log_sum_exp_in_place(x[2:], (-1,))).all()


def test_the_sign_of_a_determinant_is_that_of_its_factors():
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 40):
        for _ in range(6):
            A = rng.standard_normal((n, n))
            sign, value = np.linalg.slogdet(A)
            factors = factorise(A, where="f")
            if sign > 0:
                np.testing.assert_allclose(log_determinant_factored(factors, where="f"), value)
            else:
                with pytest.raises(np.linalg.LinAlgError, match="the determinant is not positive"):
                    log_determinant_factored(factors, where="f")
