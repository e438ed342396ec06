"""What single models of the gallery are there to show."""

from __future__ import annotations

import numpy as np
import pytest

import tcalc
from tcalc import gallery
from tcalc.gallery.data import orthonormal


def evidence(name, data):
    """The value of a model of Bayesian regression, and its gradients by alpha, beta and X."""
    f = tcalc.parse(gallery.load(name).text)
    return tcalc.compile([f, *(tcalc.gradient(f, by) for by in ("alpha", "beta", "X"))])(**data)


def regression(condition, dtype):
    """Data, exact in float32, with singular values of X from 1 down to 1/condition."""
    rng = np.random.default_rng(0)
    X = orthonormal(rng, 40, 6) * np.geomspace(1, 1 / condition, 6) @ orthonormal(rng, 6, 6)
    y = X @ rng.standard_normal(6) + 0.1 * rng.standard_normal(40)
    data = {"X": X, "y": y, "alpha": 1e-2 / condition**2, "beta": 1.0}
    return {name: np.asarray(array, np.float32).astype(dtype) for name, array in data.items()}


def worst_error(found, expected):
    pairs = zip(found, expected, strict=True)
    return max(np.max(np.abs(a - b)) / np.max(np.abs(b)) for a, b in pairs)


@pytest.mark.parametrize("condition", [1e1, 1e3, 1e4, 1e5])
def test_bayesian_regression_by_lq_is_accurate_in_single_precision(condition):
    exact = evidence("bayes_lq", regression(condition, np.float64))
    single = evidence("bayes_lq", regression(condition, np.float32))
    assert all(np.asarray(array).dtype == np.float32 for array in single)
    # Of Cholesky's factor it would be the square of the condition.
    assert worst_error(single, exact) < condition * np.finfo(np.float32).eps


def test_bayesian_regression_by_cholesky_agrees_in_double_precision():
    data = regression(1e4, np.float64)
    assert worst_error(evidence("bayes_cholesky", data), evidence("bayes_lq", data)) < 1e-6


@pytest.mark.parametrize("condition", [1e4, 1e5])
def test_bayesian_regression_by_cholesky_fails_in_single_precision(condition):
    exact = evidence("bayes_lq", regression(condition, np.float64))
    try:
        single = evidence("bayes_cholesky", regression(condition, np.float32))
    except tcalc.TcalcError as error:
        assert "not positive definite" in str(error)
    else:
        assert worst_error(single, exact) > 0.1


def test_bayesian_regression_by_cholesky_loses_digits_before_it_fails():
    exact = evidence("bayes_lq", regression(1e3, np.float64))
    assert worst_error(evidence("bayes_cholesky", regression(1e3, np.float32)), exact) > 1e-3


def test_the_whole_jacobian_of_an_inverse():
    data = gallery.make_data("inverse", size="medium")
    assert data["A"].shape == (40, 40)
    jacobian = tcalc.compile(tcalc.jacobian(tcalc.parse(gallery.load("inverse").text), "A"))
    Y = np.linalg.inv(data["A"])
    expected = -np.einsum("ik,lj->ijkl", Y, Y)
    np.testing.assert_allclose(jacobian(**data), expected, atol=1e-12 * np.max(np.abs(expected)))


def test_the_derivative_of_an_entry_of_an_inverse_by_a_scalar():
    f = tcalc.parse("(C*inv(A + x*B))[end,end]", "A[n,n], B[n,n], C[n,n], x")
    assert tcalc.gradient(f, "x").shape == ()
    data = gallery.make_data("entry_of_inverse", size="medium")
    A, B, C, x = (data[name] for name in "ABCx")
    Y = np.linalg.inv(A + x * B)
    found = tcalc.compile(tcalc.gradient(f, "x"))(**data)
    np.testing.assert_allclose(found, -(C @ Y @ B @ Y)[-1, -1], rtol=1e-10)


def test_principal_components_do_not_depend_on_the_basis():
    data = gallery.make_data("pca")
    f = tcalc.parse(gallery.load("pca").text)
    run = tcalc.compile([f, tcalc.gradient(f, "X")])
    turn = orthonormal(np.random.default_rng(1), 3, 3)
    value, gradient = run(**data)
    turned_value, turned_gradient = run(X=data["X"] @ turn, Z=data["Z"] @ turn)
    np.testing.assert_allclose(turned_value, value, rtol=1e-12)
    np.testing.assert_allclose(turned_gradient, gradient @ turn, atol=1e-12)


def test_a_gaussian_process_has_the_gradient_of_the_textbook():
    """Rasmussen, Williams 2006, equation 5.9."""
    data = gallery.make_data("gaussian_process")
    X, y, ell, v, noise = (data[name] for name in ("X", "y", "ell", "v", "noise"))
    squares = np.sum((X[:, None] - X[None]) ** 2, axis=2)
    kernel = v * np.exp(-squares / (2 * ell**2))
    inverse = np.linalg.inv(kernel + noise * np.eye(len(y)))
    weights = np.outer(inverse @ y, inverse @ y) - inverse
    by = {"ell": kernel * squares / ell**3, "v": kernel / v, "noise": np.eye(len(y))}
    f = tcalc.parse(gallery.load("gaussian_process").text)
    for name, derivative in by.items():
        found = tcalc.evaluate(tcalc.gradient(f, name), **data)
        np.testing.assert_allclose(found, -np.sum(weights * derivative) / 2, rtol=1e-12)


def test_principal_components_have_a_hessian_at_both_sizes():
    f = tcalc.parse(gallery.load("pca").text)
    fun = tcalc.compile(tcalc.hessian(f, "X"))
    for size in ("small", "medium"):
        assert np.isfinite(fun(**gallery.make_data("pca", size=size))).all()
