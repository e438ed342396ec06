"""Section 4: derivatives as expressions of the language."""

from __future__ import annotations

import numpy as np
from language_cases import check, refused

from tcalc.errors import DimensionError, IndexNotationError, ParseError, UnknownNameError
from tcalc.language import parse

RIDGE = "f = norm2(X*w - y)^2/2 + norm2(w)^2/2\n"


def normal(X):
    return X.T @ X + np.eye(X.shape[1])


def test_a_gradient_has_the_shape_of_the_variable():
    check(RIDGE + "gradient(f, w)", lambda X, w, y: X.T @ (X @ w - y) + w)
    assert parse(RIDGE + "gradient(f, w)").orientation == "column"


def test_a_hessian():
    check(RIDGE + "hessian(f, w)", lambda X: normal(X))
    check("hessian(x'*A*y, x, y)", lambda A: A)


def test_the_axes_of_a_jacobian_are_those_of_the_output_then_of_the_variable():
    check("jacobian(A*x, x)", lambda A: A)
    check("derivative(x'*A*x, A)", lambda x: np.outer(x, x))
    check(
        "derivative(A*x, A, x)",
        lambda A: np.einsum("ik,jl->ikjl", np.eye(3), np.eye(4)).transpose(0, 1, 2, 3),
        "A[m,n], x[n]",
    )


def test_a_newton_step():
    check(
        RIDGE + "hessian(f, w) \\ gradient(f, w)",
        lambda X, w, y: np.linalg.solve(normal(X), X.T @ (X @ w - y) + w),
    )


def test_a_solve_over_the_axes_of_the_variable():
    text = "f = norm2(W - Y)^2 + sum(W)^2; H = hessian(f, W); H \\ gradient(f, W)"

    def expected(W, Y):
        size = W.size
        H = 2 * np.eye(size) + 2 * np.ones((size, size))
        g = 2 * (W - Y) + 2 * W.sum()
        return np.linalg.solve(H, g.ravel()).reshape(W.shape)

    check(text, expected)
    check("J = jacobian(W.*Y, W); (J) \\ Y", lambda W, Y: np.ones(W.shape), "W[m,n], Y[m,n]")


def test_derivatives_take_indexed_formulas():
    check("gradient(x[i]*x[i], x)", lambda x: 2 * x)
    check("jacobian(exp(x[i]), x)", lambda x: np.diag(np.exp(x)))
    check("z[i] = gradient(x[j]*A[j,k]*x[k], x)[i]", lambda x, A: (A + A.T) @ x)


def test_the_shape_is_known_before_the_sizes_are():
    check("g = gradient(w'*v, w)\ng'*u", lambda v, u: v @ u, "u[n]")


def test_symmetric_variables():
    check(
        "gradient(x'*S*y, S)",
        lambda x, y: (np.outer(x, y) + np.outer(y, x)) / 2,
        "S[n,n] symmetric",
    )


def test_by_what():
    refused("y = 2*x\ngradient(sum(y), y)", UnknownNameError, (2, 18), "declare it")
    refused("gradient(sum(x), z)", UnknownNameError, (1, 18), "declare it")
    refused("gradient(sum(x), 2*x)", ParseError, (1, 18))
    check("gradient(sum(x), z)", lambda z: 0 * z, "z[n]")


def test_of_what():
    refused("gradient(2*x, x)", DimensionError, (1, 1), "jacobian")
    refused("hessian(2*x, x)", DimensionError, (1, 1), "jacobian")
    refused("gradient(x)", ParseError, (1, 1), "gradient(f, x)")
    refused("gradient[i](sum(x), x)", IndexNotationError, (1, 1), "index the result")


def test_a_solve_needs_as_many_axes_as_the_variable_has():
    refused("jacobian(W*x, W) \\ x", DimensionError, (1, 1), "as many axes")
    refused("hessian(norm2(W)^2, W) \\ a", DimensionError, (1, 1))
