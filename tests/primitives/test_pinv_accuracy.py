"""Derivatives of pinv lose the digits of its value: the condition number, and not its square."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import tcalc

DIGITS = 60
DECLARED = "A[m,n], D[m,n], E[m,n], B[n,m]"


def _exactly(x):
    return mpmath.matrix(np.asarray(x).tolist())


def _second_derivative(A, D, E):
    """Of ``(A'A)^-1 A'``, or of ``A' (AA')^-1``, along D and E, by the product rule."""
    if A.rows < A.cols:
        return _second_derivative(A.T, D.T, E.T).T
    G = (A.T * A) ** -1
    along = [X.T * A + A.T * X for X in (D, E)]
    both = D.T * E + E.T * D
    once = [-G * X * G for X in along]
    twice = -G * both * G - once[1] * along[0] * G - G * along[0] * once[1]
    return twice * A.T + once[0] * E.T + once[1] * D.T


def _hessian(A, B):
    """Of the sum of the products with B."""
    units = []
    for k in range(A.size):
        unit = np.zeros(A.shape)
        unit.flat[k] = 1
        units.append(_exactly(unit))
    H = np.zeros((A.size, A.size))
    for i, D in enumerate(units):
        for j, E in enumerate(units[: i + 1]):
            second = _second_derivative(_exactly(A), D, E)
            H[i, j] = H[j, i] = mpmath.fdot(second, _exactly(B))
    return H.reshape(A.shape * 2)


def _given(m, n, condition):
    rng = np.random.default_rng(0)
    k = min(m, n)
    U, V = (np.linalg.qr(rng.standard_normal((size, k)))[0] for size in (m, n))
    A = U * np.geomspace(1, 1 / condition, k) @ V.T
    D, E = rng.standard_normal((2, m, n))
    return {"A": A, "D": D, "E": E, "B": rng.standard_normal((n, m))}


@pytest.mark.parametrize("condition", [1e2, 1e5, 1e8])
@pytest.mark.parametrize(("m", "n"), [(4, 2), (2, 4), (3, 3)])
def test_second_derivatives_lose_the_condition_number_once(m, n, condition):
    given = _given(m, n, condition)
    A, D, E, B = given.values()
    F = tcalc.parse("pinv(A)", DECLARED)
    f = tcalc.parse("sum(B.*pinv(A))", DECLARED)
    modes = ("forward", "reverse", "cross-country", "least-degree", "tensor-order")
    along = tcalc.jvp(F, "A", "E")
    with mpmath.workdps(DIGITS):
        H = _hessian(A, B)
        twice = np.array(_second_derivative(*map(_exactly, (A, D, E))).tolist(), float)
    HE = np.tensordot(H, E, 2)
    asked = [
        (tcalc.jvp(along, "A", "D"), twice.reshape(n, m)),
        (tcalc.vjp(along, "A", "B"), HE),
        (tcalc.jvp(tcalc.vjp(F, "A", "B"), "A", "E"), HE),
        (tcalc.hvp(f, "A", "E"), HE),
        *((tcalc.hessian(f, "A", mode=mode), H) for mode in modes),
    ]
    run = tcalc.compile([expression for expression, _ in asked])
    allowed = 30 * condition * np.finfo(float).eps
    for found, (_, due) in zip(run(**given), asked, strict=True):
        assert np.linalg.norm(found - due) <= allowed * np.linalg.norm(due)


def _third_derivative(A, D, E, F):
    """The second one differentiated along F, by differences with far more digits than are asked."""
    with mpmath.workdps(4 * DIGITS):
        h = mpmath.mpf(10) ** -DIGITS
        ahead, behind = (_second_derivative(A + s * h * F, D, E) for s in (1, -1))
        return (ahead - behind) / (2 * h)


@pytest.mark.parametrize("condition", [1e2, 1e5, 1e8])
@pytest.mark.parametrize(("m", "n"), [(4, 2), (2, 4), (3, 3)])
def test_third_derivatives_lose_the_condition_number_once(m, n, condition):
    given = _given(m, n, condition)
    A, D, E, B = given.values()
    given["F"] = F = np.random.default_rng(1).standard_normal((m, n))
    declared = f"{DECLARED}, F[m,n]"
    P = tcalc.parse("pinv(A)", declared)
    f = tcalc.parse("sum(B.*pinv(A))", declared)
    due = np.array(_third_derivative(*map(_exactly, (A, D, E, F))).tolist(), float).reshape(n, m)
    asked = [
        (tcalc.jvp(tcalc.jvp(tcalc.jvp(P, "A", "D"), "A", "E"), "A", "F"), due),
        (tcalc.jvp(tcalc.hvp(f, "A", "E"), "A", "F"), None),
        (tcalc.gradient(tcalc.jvp(tcalc.jvp(f, "A", "E"), "A", "F"), "A"), None),
        (tcalc.jvp(tcalc.vjp(tcalc.jvp(P, "A", "F"), "A", "B"), "A", "E"), None),
        (tcalc.hvp(tcalc.jvp(f, "A", "F"), "A", "E"), None),
    ]
    found = tcalc.compile([expression for expression, _ in asked])(**given)
    allowed = 100 * condition * np.finfo(float).eps
    assert np.linalg.norm(found[0] - due) <= allowed * np.linalg.norm(due)
    for one in found[1:]:
        size = np.linalg.norm(one)
        assert np.vdot(one, D) == pytest.approx(np.vdot(due, B), abs=allowed * size)
        assert np.linalg.norm(one - found[1]) <= allowed * size


def test_fourth_derivatives_agree_in_all_modes():
    given = _given(3, 2, 10.0)
    declared = f"{DECLARED}, F[m,n]"
    given["F"] = np.random.default_rng(1).standard_normal((3, 2))
    f = tcalc.parse("sum(B.*pinv(A))", declared)
    third = tcalc.jvp(tcalc.jvp(tcalc.jvp(f, "A", "D"), "A", "E"), "A", "F")
    fourth = [tcalc.jvp(third, "A", "D"), tcalc.gradient(third, "A")]
    along, gradient = tcalc.compile(fourth)(**given)
    assert along == pytest.approx(np.vdot(gradient, given["D"]), rel=1e-9)
    ahead, behind = (
        tcalc.compile(third)(**{**given, "A": given["A"] + s * 1e-4 * given["D"]}) for s in (1, -1)
    )
    assert along == pytest.approx((ahead - behind) / 2e-4, rel=1e-4)
