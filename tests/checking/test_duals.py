"""Dual numbers have the tangents of every primitive, by no rule of differentiation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg

import tcalc
from tcalc.checking.duals import duals, extrapolated_difference
from tcalc.checking.kinks import kinks
from tcalc.errors import DomainError
from tcalc.expr.traverse import postorder

RANDOM = np.random.default_rng(0)
A = RANDOM.standard_normal((4, 4)) + np.diag([1.0, 3.0, 5.0, 7.0])
T = RANDOM.standard_normal((5, 3)) + np.eye(5, 3) * [2.0, 4.0, 6.0]
P = A @ A.T + np.eye(4)

EXACT = {
    "abs(A)": A,
    "relu(A)": A,
    "sign(A)": A,
    "max(A)": A,
    "maxshare(A)": A,
    "chol(A)": P,
    "eigvalsh(A)": P,
    "svdvals(A)": T,
    "normnuc(A)": T,
    "polar(A)": T,
    "polar(A')": T,
    "pinv(A)": T,
    "sqrtm(A)": P,
    "logabsdet(A)": -A,
    "expm(A)": A,
    "inv(A)": A,
    "Q, R = qr(A); Q*R.^2": T,
    "L, Q = lq(A'); L*Q": T,
    "w, V = eigh(A); V*diag(exp(-w))*V'*ones(4)": P,
    "U, s, V = svd(A); U*diag(s.^2)*V'": T,
    "where(A < 1, A.^2, 2*A - 1)": A,
    "atan2(A, A.^2 + 1)": A,
}


@pytest.mark.parametrize("program", EXACT)
def test_tangents_equal_the_derivative_times_the_direction(program):
    value = EXACT[program]
    f = tcalc.parse(program, f"A[{value.shape[0]},{value.shape[1]}]")
    move = RANDOM.standard_normal(value.shape)
    found = duals([f.node], {"A": value}, {f.variables["A"]: move}, {})
    assert found.extrapolated == ()
    expected = tcalc.evaluate(tcalc.jvp(f, "A", "E"), A=value, E=move)
    scale = max(1.0, np.abs(expected).max())
    tangent = found.tangents[f.node]
    np.testing.assert_allclose(tangent / scale, expected / scale, rtol=0, atol=1e-12)
    assert kinks(postorder([f.node]), found) == []


def test_what_has_no_exact_way_is_extrapolated_and_told_of():
    f = tcalc.parse("sum(logm(A))", "A[4,4] spd")
    found = duals([f.node], {"A": P}, {f.variables["A"]: np.eye(4)}, {})
    assert len(found.extrapolated) == 1
    # d/dt log(A + tI) = (A + tI)^-1
    np.testing.assert_allclose(found.tangents[f.node], np.linalg.inv(P).sum(), rtol=1e-10)


def test_extrapolated_differences_keep_within_the_domain():
    at, along = np.array([0.01, 2.0]), np.array([1.0, -1.0])

    def f(t):
        x = at + t * along
        if (x <= 0).any():
            raise np.linalg.LinAlgError("outside")
        return np.log(x)

    found = extrapolated_difference(f, [at], [along])
    np.testing.assert_allclose(found, along / at, rtol=1e-10)
    with pytest.raises(DomainError, match="no value near"):
        extrapolated_difference(lambda t: np.array(np.nan), [at], [along])


def test_the_equations_of_eigenvalues_that_meet_have_no_tangent():
    f = tcalc.parse("w, V = eigh(A); V", "A[3,3]")
    move = RANDOM.standard_normal((3, 3))
    found = duals([f.node], {"A": np.eye(3)}, {f.variables["A"]: move}, {})
    assert [node.primitive.name for node in found.singular] == ["eigh"]


def test_large_matrices_are_extrapolated():
    n = 25
    S = RANDOM.standard_normal((n, n))
    S, E = S + S.T + np.diag(np.arange(n) * 20.0), np.eye(n)[::-1]
    f = tcalc.parse("w, V = eigh(A); V", f"A[{n},{n}]")
    found = duals([f.node], {"A": S}, {f.variables["A"]: E}, {})
    assert found.extrapolated
    w, V = linalg.eigh(S)
    tangent = found.tangents[f.node]
    # V' dV has (V' E V)[j,i] / (w[i] - w[j]) off the diagonal, whatever the signs of V.
    (value,) = (found.values[f.node],)
    M = value.T @ E @ value
    gaps = w[None, :] - w[:, None] + np.eye(n)
    expected = value @ (M / gaps * (1 - np.eye(n)))
    np.testing.assert_allclose(tangent, expected, atol=1e-9)
    assert V.shape == (n, n)


@pytest.mark.parametrize(
    ("program", "value"),
    [
        ("abs(x)", [0.0, 1.0]),
        ("relu(x)", [0.0, 1.0]),
        ("sign(x)", [0.0, 1.0]),
        ("step(x)", [1.0, 0.0]),
        ("max(x)", [1.0, 1.0]),
        ("max(x, 1)", [1.0, 3.0]),
        ("norm2(x)", [0.0, 0.0]),
        ("where(x < 1, x, 2*x - 1)", [1.0, 5.0]),
        ("where(x < 1, x, 2*x)", [1.0, 5.0]),
    ],
)
def test_kinks_and_jumps_are_found(program, value):
    f = tcalc.parse(program, "x[2]")
    beside = np.add(value, [0.1, 0.2])
    for at, expected in ((np.array(value), 1), (beside, 0)):
        found = duals([f.node], {"x": at}, {f.variables["x"]: np.array([1.0, -2.0])}, {})
        assert len(kinks(postorder([f.node]), found)) == expected
