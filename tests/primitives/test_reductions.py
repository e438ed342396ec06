"""Products with zeros, extrema with ties, norms at zero, infinities."""

from __future__ import annotations

import numpy as np
import pytest

from tcalc.calculus import derivative
from tcalc.expr import build, shape
from tcalc.interpret import evaluate
from tcalc.primitives.norms import norm1, norm2, norminf
from tcalc.primitives.reductions import largest, mean, prod, products_of_others, smallest
from tcalc.primitives.softmax import log_sum_exp, logsoftmax, logsumexp, soft_max

x = build.var("x", shape("n"))
X = build.var("X", shape("m", "n"))


def values(node, *by, **data):
    D = derivative(node, list(by)) if by else node
    sizes = {"n": len(data["x"])} if "x" in data else {}
    return evaluate([D], data, sizes)[0]


def test_derivatives_of_a_product_are_exact_at_zeros():
    at = np.array([2.0, 0.0, 3.0])
    np.testing.assert_array_equal(values(prod(x), x, x=at), [0, 6, 0])
    np.testing.assert_array_equal(values(prod(x), x, x, x=at), [[0, 3, 0], [3, 0, 2], [0, 2, 0]])
    np.testing.assert_array_equal(values(prod(x), x, x, x=np.zeros(2)), [[0, 1], [1, 0]])


def test_products_of_others_take_no_quotients():
    at = np.array([[[2.0, 0.0, 3.0], [0.0, 0.0, 5.0]]])
    np.testing.assert_array_equal(products_of_others(at, 1), [[[0, 6, 0], [0, 0, 0]]])
    np.testing.assert_array_equal(products_of_others(at + 1, 2)[0, 0, 0], 1 * 4 * 1 * 1 * 6)
    assert products_of_others(np.zeros((2, 0)), 1).shape == (2, 0)
    assert products_of_others(np.full((2, 1), 7.0), 1).tolist() == [[1], [1]]


@pytest.mark.parametrize("extremum", [largest, smallest])
def test_ties_share_the_derivative_evenly(extremum):
    np.testing.assert_array_equal(values(extremum(x), x, x=np.ones(4)), [0.25] * 4)
    rows = values(build.sum_all(extremum(X, 1)), X, X=np.array([[1.0, 1, 1], [2, 2, 2]]))
    np.testing.assert_allclose(rows, np.full((2, 3), 1 / 3))


def test_norms_at_zero():
    zero = np.zeros(3)
    for norm in (norm1, norm2, norminf):
        np.testing.assert_array_equal(values(norm(x), x, x=zero), zero)
    np.testing.assert_array_equal(values(norm2(x), x, x, x=zero), np.zeros((3, 3)))
    np.testing.assert_array_equal(values(norm2(x), x, x, x, x=zero), np.zeros((3, 3, 3)))


def test_norms_of_a_matrix_are_elementwise():
    at = np.array([[3.0, -4.0], [0.0, 12.0]])
    assert values(norm1(X), X=at) == 19
    assert values(norm2(X), X=at) == 13
    assert values(norminf(X), X=at) == 12


def test_mean_divides_by_the_size_of_what_it_takes():
    at = np.arange(6.0).reshape(2, 3)
    np.testing.assert_allclose(values(mean(X), X=at), 2.5)
    np.testing.assert_allclose(values(mean(X, 1), X=at), [1, 4])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exponential_sums_do_not_overflow(dtype):
    far = np.array([1e4, 1e4 - 1, -1e4], dtype)
    with np.errstate(over="raise", invalid="raise"):
        expected = 1e4 + np.log1p(np.exp(-1.0))
        np.testing.assert_allclose(log_sum_exp(far, (-1,)), expected, rtol=1e-6)
        share = 1 / (1 + np.exp(-1.0))
        np.testing.assert_allclose(soft_max(far, (-1,)), [share, 1 - share, 0], rtol=1e-5)
    assert soft_max(far, (-1,)).dtype == log_sum_exp(far, (-1,)).dtype == dtype


def test_logsumexp_of_infinities():
    inf = np.inf
    with np.errstate(all="ignore"):
        assert log_sum_exp(np.array([-inf, -inf]), (-1,)) == -inf
        assert log_sum_exp(np.array([-inf, 1.0]), (-1,)) == 1
        assert log_sum_exp(np.array([inf, 1.0]), (-1,)) == inf


def test_logsoftmax_is_the_logarithm_of_softmax():
    at = np.array([[1.0, 2.0], [0.5, -3.0]])
    np.testing.assert_allclose(values(logsoftmax(X), X=at), np.log(soft_max(at, (-1,))))


def test_too_many_axes_are_refused():
    with pytest.raises(ValueError, match="logsumexp over 2 axes of a tensor with 1"):
        logsumexp(x, 2)
