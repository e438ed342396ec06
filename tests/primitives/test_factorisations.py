"""Factorisations and matrix equations: conventions, gauges, ties, and arguments without a value."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from tcalc.calculus import derivative
from tcalc.calculus.accumulate import pushforward
from tcalc.calculus.derivative import unit
from tcalc.expr import Fact, build, shape
from tcalc.expr.facts import holds
from tcalc.interpret import evaluate
from tcalc.primitives.eigh import eigh, eigvalsh, gap
from tcalc.primitives.expm import expm, exponential_derivative, matrix_exponential
from tcalc.primitives.kron import kron, merge, split, vec
from tcalc.primitives.matrices import product, transpose
from tcalc.primitives.pinv import pinv
from tcalc.primitives.polar import normnuc, polar
from tcalc.primitives.qr import lq, qr
from tcalc.primitives.slogdet import logabsdet, slogdet
from tcalc.primitives.sqrtm import sqrtm, square_root
from tcalc.primitives.svd import svd
from tcalc.primitives.sylvester import (
    lyap,
    sylvester,
    sylvester_kronecker,
    sylvester_solve,
    sylvester_symmetric,
)

A = build.var("A", shape("n", "n"))
X = build.var("X", shape("m", "n"))
B = build.var("B", shape("b", "n", "n"))
C = build.var("C", shape("n", "n"))


def random(*numbers):
    return np.random.default_rng(0).standard_normal(numbers)


def directional(function, values, name, move, h=1e-3):
    def at(step):
        return evaluate([function], {**values, name: values[name] + step * move})[0]

    return (at(-2 * h) - 8 * at(-h) + 8 * at(h) - at(2 * h)) / (12 * h)


# Conventions.


@pytest.mark.parametrize("numbers", [(3, 3), (5, 3), (2, 4, 2)])
def test_qr_and_lq_have_positive_diagonals(numbers):
    M = random(*numbers)
    x = build.var("x", shape(*"bmn"[-len(numbers) :]))
    Q, R = evaluate(qr(x), {"x": M})
    np.testing.assert_allclose(Q @ R, M, atol=1e-14)
    assert (np.einsum("...ii->...i", R) > 0).all()
    y = build.var("y", shape(*"bmn"[-len(numbers) :]))
    L, P = evaluate(lq(y), {"y": M.swapaxes(-1, -2)})
    np.testing.assert_allclose(L @ P, M.swapaxes(-1, -2), atol=1e-14)
    assert (np.einsum("...ii->...i", L) > 0).all()
    assert holds(qr(x)[1], Fact.UPPER)
    assert holds(lq(x)[0], Fact.LOWER)


@pytest.mark.parametrize("numbers", [(4, 4), (5, 3), (3, 5)])
def test_svd_composes(numbers):
    U, s, V = evaluate(svd(X), {"X": random(*numbers)})
    np.testing.assert_allclose(U * s @ V.T, random(*numbers), atol=1e-14)
    assert (np.diff(s) <= 0).all()


def test_signs_of_eigenvectors_are_stable_where_components_are_equal():
    exchange = np.array([[2.0, 1.0], [1.0, 2.0]])
    (V,) = evaluate([eigh(A)[1]], {"A": exchange})
    np.testing.assert_allclose(V, np.array([[1, 1], [-1, 1]]) / np.sqrt(2))
    for seed in range(20):
        noise = 1e-9 * np.random.default_rng(seed).standard_normal((2, 2))
        (W,) = evaluate([eigh(A)[1]], {"A": exchange + noise})
        np.testing.assert_allclose(W, V, atol=1e-8)


def test_slogdet_of_negative_and_singular_matrices():
    s, l = evaluate(slogdet(A), {"A": np.diag([2.0, -3.0])})  # noqa: E741
    assert s == -1
    np.testing.assert_allclose(l, np.log(6))
    with np.errstate(all="ignore"):
        s, l = evaluate(slogdet(A), {"A": np.zeros((2, 2))})  # noqa: E741
    assert (s, l) == (0, -np.inf)


def test_kron_and_vec_are_those_of_numpy():
    Y = build.var("Y", shape("p", "q"))
    values = {"X": random(2, 3), "Y": random(4, 2)}
    (K,) = evaluate([kron(X, Y)], values)
    np.testing.assert_allclose(K, np.kron(values["X"], values["Y"]))
    (v,) = evaluate([vec(X)], values)
    np.testing.assert_allclose(v, values["X"].flatten(order="F"))
    assert split(merge(X, 1), X.dims) is X
    x, y = build.var("x", shape("m")), build.var("y", shape("n"))
    (k,) = evaluate([kron(x, y)], {"x": random(2), "y": random(3)})
    np.testing.assert_allclose(k, np.kron(random(2), random(3)))


# Gauges: functions that do not depend on signs and bases, where eigenvalues meet.


def test_projectors_have_derivatives_with_ties_inside_the_window():
    """The projector on two eigenvectors whose eigenvalues are equal, and the sum of these."""
    w, V = eigh(A)
    chosen = build.var("c", shape("n"), ["constant"])
    P = product("ki,i,li->kl", V, chosen, V)
    Q = np.linalg.qr(random(4, 4))[0]
    M = Q @ np.diag([1.0, 1.0, 3.0, 4.0]) @ Q.T
    values = {"A": (M + M.T) / 2, "c": np.array([1.0, 1.0, 0.0, 0.0])}
    move = random(4, 4)
    G = derivative(product("i,i->", chosen, w), [A])
    for function in (P, G):
        (J,) = evaluate([derivative(function, [A])], values)
        expected = directional(function, values, "A", move)
        np.testing.assert_allclose(np.tensordot(J, move, 2), expected, atol=1e-9)
    with pytest.raises(np.linalg.LinAlgError, match=r"eigh\(A\): eigenvalues .* higher derivative"):
        evaluate([derivative(P, [A, A])], values)


def test_gap_is_zero_at_ties():
    w = build.var("w", shape("n"))
    (F,) = evaluate([gap(w)], {"w": np.array([1.0, 1.0 + 1e-16, 3.0])})
    np.testing.assert_allclose(F, [[0, 0, 0.5], [0, 0, 0.5], [-0.5, -0.5, 0]])


@pytest.mark.parametrize("numbers", [(4, 2), (2, 4)])
def test_a_product_of_singular_factors_is_its_argument(numbers):
    U, s, V = svd(X)
    F = product("ir,r,jr->ij", U, s, V)
    assert derivative(F, [X]) is unit(X.dims)
    # The same by the derivatives of the factors, which do not know that they belong together.
    D = pushforward(F, {X: unit(X.dims)}, X.dims)
    H = pushforward(D, {X: unit(X.dims)}, X.dims)
    first, second = evaluate([D, H], {"X": random(*numbers)})
    size = numbers[0] * numbers[1]
    np.testing.assert_allclose(first.reshape(size, size), np.eye(size), atol=1e-12)
    np.testing.assert_allclose(second, 0, atol=1e-11)


# Routines for many sizes.


def test_exponential_agrees_with_scipy():
    for n, scale in ((1, 1), (4, 1e-8), (6, 1), (6, 30), (20, 5)):
        M = scale * random(n, n) / np.sqrt(n)
        reference = scipy.linalg.expm(M)
        found = matrix_exponential(M)
        np.testing.assert_allclose(found, reference, atol=1e-12 * np.abs(reference).max())
        E = random(n, n)
        frechet = scipy.linalg.expm_frechet(M, E, compute_expm=False)
        for factor in (1, 1e12):
            found = exponential_derivative(M, factor * E) / factor
            np.testing.assert_allclose(found, frechet, atol=1e-11 * np.abs(frechet).max())


@pytest.mark.parametrize("n", [1, 3, 30])
def test_square_roots_agree_with_scipy(n):
    M = random(n, n) / np.sqrt(n) + 3 * np.eye(n)
    root = square_root(np.stack([M, 100 * M]), where="it")
    np.testing.assert_allclose(root[0], scipy.linalg.sqrtm(M).real, atol=1e-12)
    np.testing.assert_allclose(root[1], 10 * root[0], atol=1e-11)


@pytest.mark.parametrize("kind", ["shared", "distinct", "large", "plain"])
def test_sylvester_routines_agree(kind):
    m, n = (30, 25) if kind == "large" else (4, 3)
    P, Q = random(2, m, m) / m + 2 * np.eye(m), random(2, n, n) / n + np.eye(n)
    R = random(2, m, n)
    if kind == "shared":
        P, Q = np.broadcast_to(P[0], P.shape), np.broadcast_to(Q[0], Q.shape)
    if kind == "plain":
        P, Q, R = P[0], Q[0], R[0]
    found = sylvester_solve(P, Q, R, where="it")
    np.testing.assert_allclose(P @ found + found @ Q, R, atol=1e-12)
    P, Q = P + P.swapaxes(-1, -2), Q + Q.swapaxes(-1, -2)
    found = sylvester_symmetric(P, Q, R, where="it")
    np.testing.assert_allclose(P @ found + found @ Q, R, atol=1e-12)
    if kind != "large":
        np.testing.assert_allclose(found, sylvester_kronecker(P, Q, R, where="it"), atol=1e-12)


def test_lyap_solves_its_equation():
    M, Q = random(3, 3) + 4 * np.eye(3), random(3, 3)
    S = build.var("S", shape("n", "n"), ["symmetric"])
    (Y,) = evaluate([lyap(A, C)], {"A": M, "C": Q})
    np.testing.assert_allclose(M @ Y + Y @ M.T, Q, atol=1e-13)
    assert holds(lyap(A, S), Fact.SYMMETRIC)
    assert holds(lyap(A, C), Fact.SYMMETRIC) is None


def test_pinv_at_a_matrix_that_lacks_rank():
    """Along matrices of one rank, A(t) = u(t) v(t)', the derivative is the formula's."""
    u, v, du, dv = random(4, 5)[:, :4], random(5, 3)[0], random(4, 3), random(3, 3)
    u, v, du, dv = u[0], v, du[:, 0], dv[0]

    def at(t):
        return np.outer(u + t * du, v + t * dv)

    (J,) = evaluate([derivative(pinv(X), [X])], {"X": at(0.0)})
    found = np.tensordot(J, np.outer(du, v) + np.outer(u, dv), 2)
    h = 1e-5
    expected = (np.linalg.pinv(at(h)) - np.linalg.pinv(at(-h))) / (2 * h)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


# Arguments without a value: the function and the fact that failed are named.

SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


@pytest.mark.parametrize(
    ("function", "matrix", "message"),
    [
        (lambda a: qr(a)[1], SINGULAR, r"qr\(A\): the matrix does not have full rank"),
        (lambda a: lq(a)[0], SINGULAR, r"lq\(A\): the matrix does not have full rank"),
        (polar, SINGULAR, r"polar\(A\): the matrix does not have full rank"),
        (lambda a: derivative(normnuc(a), [a]), SINGULAR, r"polar\(A\): .* full rank"),
        (lambda a: derivative(svd(a)[0], [a]), SINGULAR, r"svd\(A\): .* full rank"),
        (
            lambda a: derivative(logabsdet(a), [a]),
            np.zeros((2, 2)),
            r"inv\(A\): the matrix is singular",
        ),
        (sqrtm, np.diag([1.0, -1.0]), r"sqrtm\(A\): .* (negative|closed negative)"),
        (
            lambda a: lyap(a, a),
            np.diag([1.0, -1.0]),
            r"sylvester\(A, …, A\): A and -B have a common eigen",
        ),
    ],
)
def test_without_a_value_the_function_is_named(function, matrix, message):
    with pytest.raises(np.linalg.LinAlgError, match=message):
        evaluate([function(A)], {"A": matrix})


@pytest.mark.parametrize(
    ("function", "numbers", "message"),
    [
        (lambda a: qr(a)[0], (2, 3), r"qr\(X\): the matrix is wide, 2 by 3: use lq"),
        (lambda a: lq(a)[0], (3, 2), r"lq\(X\): the matrix is tall, 3 by 2: use qr"),
    ],
)
def test_matrices_of_the_wrong_shape(function, numbers, message):
    with pytest.raises(np.linalg.LinAlgError, match=message):
        evaluate([function(X)], {"X": random(*numbers)})
    with pytest.raises(ValueError, match=r"needs a matrix that is not (wide|tall)"):
        function(build.var("Y", shape(*numbers)))


@pytest.mark.parametrize("function", [expm, sqrtm, eigh, eigvalsh, slogdet, logabsdet])
def test_matrices_that_are_not_square(function):
    with pytest.raises(ValueError, match=r"needs a square matrix, not \[m,n\]"):
        function(X)


@pytest.mark.parametrize(
    "function",
    [
        expm, sqrtm, eigvalsh, lambda a: eigh(a)[1], logabsdet, lambda a: slogdet(a)[0], pinv,
        polar, normnuc, lambda a: qr(a)[0], lambda a: lq(a)[1], lambda a: svd(a)[2],
        lambda a: lyap(a, a), lambda a: sylvester(transpose(a), a, a),
    ],
)  # fmt: skip
def test_a_matrix_with_nan_spoils_no_other(function):
    M = random(2, 2) / 4 + np.diag([1.0, 2.0])
    sick = np.array([[1.0, 0.0], [0.0, np.nan]])
    (value,) = evaluate([function(B)], {"B": np.stack([M, sick])})
    (alone,) = evaluate([function(A)], {"A": M})
    np.testing.assert_allclose(value[0], alone, rtol=1e-13, atol=1e-14)
    assert np.isnan(value[1]).any()
