"""Inverses by structure, determinants of singular matrices, and matrices without a value."""

from __future__ import annotations

import numpy as np
import pytest

from tcalc.calculus import derivative
from tcalc.expr import Fact, build, shape
from tcalc.expr.facts import holds
from tcalc.interpret import evaluate
from tcalc.primitives.cholesky import chol, growth_of_solution, trisolve
from tcalc.primitives.determinant import adj, det
from tcalc.primitives.inverse import inv, left_divide, structure
from tcalc.primitives.logdet import logdet
from tcalc.primitives.matrices import tril, triu

A = build.var("A", shape("n", "n"))
B = build.var("B", shape("b", "n", "n"))
x = build.var("x", shape("n"))


def test_structure_of_an_argument():
    assert structure(A) is None
    for property_, fact in (
        ("spd", Fact.SPD),
        ("lower", Fact.LOWER),
        ("upper", Fact.UPPER),
        ("diagonal", Fact.DIAGONAL),
    ):
        M = build.var("M", shape("n", "n"), [property_])
        assert structure(M) is fact
        assert holds(inv(M), fact)
    assert structure(chol(A)) is Fact.LOWER
    assert structure(build.transpose(chol(A))) is Fact.UPPER


SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
INDEFINITE = np.array([[1.0, 2.0], [2.0, 1.0]])


@pytest.mark.parametrize(
    ("function", "matrix", "message"),
    [
        (inv, np.zeros((2, 2)), r"inv\(.*\): the matrix is singular"),
        (
            lambda a: trisolve(a, a),
            np.array([[1.0, 0], [1, 0]]),
            r"inv\(.*\): the matrix is singular",
        ),
        (chol, INDEFINITE, r"chol\(.*\): the matrix is not positive definite"),
        (logdet, np.zeros((2, 2)), r"logdet\(.*\): the determinant is not positive"),
        (logdet, INDEFINITE, r"logdet\(.*\): the determinant is not positive"),
    ],
)
def test_without_a_value_the_function_is_named(function, matrix, message):
    with pytest.raises(np.linalg.LinAlgError, match=message):
        evaluate([function(A)], {"A": matrix})
    with pytest.raises(np.linalg.LinAlgError, match=message):
        evaluate([function(B)], {"B": np.stack([np.eye(2), matrix])})


@pytest.mark.parametrize("function", [inv, chol, logdet, adj])
def test_a_matrix_with_nan_spoils_no_other(function):
    sick = np.full((2, 2), np.nan)
    stack = np.stack([np.eye(2), sick, np.array([[0.0, 0.0], [0.0, np.nan]])])
    with np.errstate(all="ignore"):
        (value,) = evaluate([function(B)], {"B": stack})
        (alone,) = evaluate([function(A)], {"A": np.eye(2)})
        (ill,) = evaluate([function(A)], {"A": stack[2]})
    np.testing.assert_allclose(value[0], alone)
    assert np.isnan(value[1]).all()
    assert np.isnan(ill).any()


def test_the_determinant_is_differentiable_at_singular_matrices():
    C = np.array([[4.0, -2.0], [-2.0, 1.0]])
    np.testing.assert_allclose(evaluate([derivative(det(A), [A])], {"A": SINGULAR})[0], C)
    (H,) = evaluate([derivative(det(A), [A, A])], {"A": SINGULAR})
    # det = ad - bc
    expected = np.zeros((2, 2, 2, 2))
    expected[0, 0, 1, 1] = expected[1, 1, 0, 0] = 1
    expected[0, 1, 1, 0] = expected[1, 0, 0, 1] = -1
    np.testing.assert_allclose(H, expected, atol=1e-14)
    zero = np.zeros((3, 3))
    (T,) = evaluate([derivative(det(A), [A, A, A])], {"A": zero})
    assert T[0, 0, 1, 1, 2, 2] == pytest.approx(1)
    assert T[0, 1, 1, 0, 2, 2] == pytest.approx(-1)
    assert T[0, 1, 1, 2, 2, 0] == pytest.approx(1)
    assert not np.any(evaluate([derivative(det(A), [A, A])], {"A": zero})[0])


def test_adjugate_times_matrix_is_determinant():
    M = np.random.default_rng(1).standard_normal((4, 4))
    C, d = evaluate([adj(A), det(A)], {"A": M})
    np.testing.assert_allclose(C @ M, d * np.eye(4), atol=1e-12)


def test_chol_acts_on_the_symmetric_part():
    M = np.random.default_rng(2).uniform(-0.5, 0.5, (3, 3)) + 3 * np.eye(3)
    (L,) = evaluate([chol(A)], {"A": M})
    np.testing.assert_allclose(L @ L.T, (M + M.T) / 2)
    (G,) = evaluate([derivative(build.sum_all(chol(A)), [A])], {"A": M})
    np.testing.assert_allclose(G, G.T)


@pytest.mark.parametrize("n", [2, 5, 25])
def test_the_norm_of_an_inverse_is_found_where_one_eigenvalue_is_small(n):
    for seed in range(30):
        half = np.random.default_rng(seed).standard_normal((n, n - 1))
        M = half @ half.T + 1e-13 * np.eye(n)
        L, scale = np.linalg.cholesky(M), np.sqrt(M.diagonal())
        root = np.linalg.inv(L) * scale
        norm = np.abs(root.T @ root).sum(axis=1).max()
        assert norm / 2 <= growth_of_solution(L, scale) <= norm * 1.01


def test_solves():
    generator = np.random.default_rng(3)
    M, v = generator.standard_normal((3, 3)), generator.standard_normal(3)
    data = {"A": M, "x": v}
    np.testing.assert_allclose(evaluate([left_divide(A, x)], data)[0], np.linalg.solve(M, v))
    np.testing.assert_allclose(evaluate([trisolve(A, x)], data)[0], np.linalg.solve(np.tril(M), v))
    H = build.var("H", shape("m", "n", "m", "n"))
    G = build.var("G", shape("m", "n"))
    T, g = generator.standard_normal((2, 3, 2, 3)), generator.standard_normal((2, 3))
    solution = build.einsum([inv(H, 2), G], "mnij,ij->mn")
    np.testing.assert_allclose(
        evaluate([solution], {"H": T, "G": g})[0], np.linalg.tensorsolve(T, g)
    )


def test_triangles():
    X = build.var("X", shape("m", "n"))
    M = np.arange(1.0, 13.0).reshape(3, 4)
    for function, expected in ((tril, np.tril), (triu, np.triu)):
        np.testing.assert_array_equal(evaluate([function(X)], {"X": M})[0], expected(M))
        np.testing.assert_array_equal(evaluate([function(X)], {"X": M.T})[0], expected(M.T))
    L = build.var("L", shape("n", "n"), ["lower"])
    assert tril(L) is L


def test_matrices_must_be_square():
    X = build.var("X", shape("m", "n"))
    for function, name in ((inv, "inv"), (det, "det"), (logdet, "logdet"), (chol, "chol")):
        with pytest.raises(ValueError, match=rf"{name} needs a square matrix, not \[m,n\]"):
            function(X)
