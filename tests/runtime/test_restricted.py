"""Hessians by variables of a declared structure are maps within that structure."""

from __future__ import annotations

import pickle
from itertools import product

import numpy as np
import pytest

import tcalc
from tcalc.errors import DomainError

RANDOM = np.random.default_rng(3)
N = 4


def _spd():
    A = RANDOM.standard_normal((N, N))
    return A @ A.T + np.eye(N)


S, K, A = _spd(), _spd(), RANDOM.standard_normal((6, N))

CASES = {
    "Kronecker square": ("logdet(S)", "S[n,n] spd", {"S": S}, "part by part: 4 × 4, 4 × 4"),
    "unit": ("norm2(S-K)^2", "S[n,n] symmetric, K[n,n]", {"S": S, "K": K}, "unit"),
    "diagonal": ("sum(exp(S))", "S[n,n] symmetric", {"S": S}, "diagonal of 16"),
    "Kronecker sum": ("norm2(A*S)^2", "S[n,n] symmetric, A[m,n]", {"S": S, "A": A}, "Sylvester"),
    "low rank": ("norm2(S)^4 + sum(S.^4)", "S[n,n] symmetric", {"S": S}, "rank 1"),
    "no structure": ("norm2(S*S-K)^2", "S[n,n] symmetric, K[n,n]", {"S": S, "K": K}, "10 × 10"),
    "indefinite": ("tr(K*inv(S))+logdet(S)", "S[n,n] spd, K[n,n]", {"S": S, "K": K}, "10 × 10"),
    "lower": ("norm2(L*K-A)^2", "L[n,n] lower, K[n,n], A[n,n]", {"L": np.tril(S), "K": K}, "10"),
    "upper": ("norm2(U*K)^2", "U[n,n] upper, K[n,n]", {"U": np.triu(S), "K": K}, "10 × 10"),
    "only a diagonal": ("norm2(D*K)^2", "D[n,n] diagonal, K[n,n]", {"D": np.diag(S[0])}, "4 × 4"),
    "stack": ("sum[b](logdet(B)[b])", "B[b,n,n] spd", {"B": np.stack([S, K])}, "20 × 20"),
}
"""A function of one variable, the first of its declarations; data; and a part of the route."""


def _hessian(case):
    text, declared, data, route = CASES[case]
    data = {"K": K, "A": K, **data}
    f = tcalc.parse(text, declared)
    name = declared[0]
    compiled = tcalc.compile([tcalc.gradient(f, name), tcalc.hessian(f, name)], form="factored")
    return f, name, {x: data[x] for x in f.variables}, compiled, route


def _basis(kind, shape):
    """An orthonormal basis of the tensors of a structure, as rows."""
    *lead, n, _ = shape
    units = []
    for place in product(*map(range, lead)):
        for i, j in product(range(n), repeat=2):
            unit = np.zeros(shape)
            unit[(*place, i, j)] = 1
            if kind in ("symmetric", "spd"):
                unit[(*place, j, i)] = 1
            allowed = {"lower": i >= j, "upper": i <= j, "diagonal": i == j}.get(kind, i >= j)
            if allowed:
                units.append(unit.reshape(-1) / np.linalg.norm(unit))
    return np.array(units)


@pytest.fixture(params=CASES)
def case(request):
    return request.param


def test_the_solution_is_the_one_within_the_structure(case):
    f, name, data, compiled, route = _hessian(case)
    gradient, H = compiled(**data)
    step = H.solve(gradient)
    assert route in H.route
    assert H.route.startswith("within")
    basis = _basis(f.variables[name].properties[0], step.shape)
    dense = tcalc.evaluate(tcalc.hessian(f, name), **data).reshape(2 * [step.size])
    expected = np.linalg.solve(basis @ dense @ basis.T, basis @ gradient.reshape(-1)) @ basis
    np.testing.assert_allclose(step.reshape(-1), expected, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(H @ step, gradient, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(H.solve(gradient, "dense"), step, rtol=1e-9, atol=1e-9)
    residual = H @ H.solve(gradient, "iterative") - gradient
    assert np.linalg.norm(residual) <= 1e-6 * np.linalg.norm(gradient)
    many = H.solve(np.stack([gradient, 2 * gradient], axis=-1))
    np.testing.assert_allclose(many, np.stack([step, 2 * step], axis=-1), rtol=1e-9)


def test_determinant_and_eigenvalues_are_those_within_the_structure(case):
    f, name, data, compiled, _ = _hessian(case)
    _, H = compiled(**data)
    basis = _basis(f.variables[name].properties[0], H.rows)
    matrix = basis @ H.dense().reshape(2 * [basis.shape[1]]) @ basis.T
    sign, logarithm = np.linalg.slogdet(matrix)
    assert H.logdet() == pytest.approx((sign, logarithm), rel=1e-9)
    np.testing.assert_allclose(H.eigvalsh(), np.linalg.eigvalsh(matrix), rtol=1e-9, atol=1e-9)
    assert H.trace() == pytest.approx(H.eigvalsh().sum())


def test_the_language_gives_the_same_step(case):
    _, name, data, compiled, *_ = _hessian(case)
    gradient, H = compiled(**data)
    text, declared, *_ = CASES[case]
    step = tcalc.parse(f"f = {text}; hessian(f, {name}) \\ gradient(f, {name})", declared)
    expected = tcalc.compile(step)(**data)
    np.testing.assert_allclose(H.solve(gradient), expected, rtol=1e-8, atol=1e-9)


def test_a_newton_step_of_a_large_covariance_forms_nothing():
    n = 60
    factor = RANDOM.standard_normal((n, n))
    S = factor @ factor.T / n + np.eye(n)
    f = tcalc.parse("logdet(S)", "S[n,n] spd")
    functions = [tcalc.gradient(f, "S"), tcalc.hessian(f, "S")]
    gradient, H = tcalc.compile(functions, form="factored", memory_limit=2**20)(S=S)
    np.testing.assert_allclose(H.solve(gradient), -S, rtol=1e-9, atol=1e-9)
    w = np.linalg.eigvalsh(np.linalg.inv(S))
    values = [-w[i] * w[j] for i in range(n) for j in range(i + 1)]
    np.testing.assert_allclose(H.eigvalsh(), np.sort(values), rtol=1e-9)
    sign, logarithm = H.logdet()
    assert (sign, logarithm) == (1.0, pytest.approx(np.log(np.abs(values)).sum()))


def test_a_right_hand_side_beside_the_structure_has_no_solution():
    _, _, data, compiled, _ = _hessian("Kronecker square")
    gradient, H = compiled(**data)
    with pytest.raises(DomainError, match="right-hand side is not symmetric"):
        H.solve(gradient + np.triu(np.ones((N, N)), 1))


def test_the_structure_survives_pickling_and_adjoints():
    f, name, data, _, _ = _hessian("Kronecker square")
    H = pickle.loads(pickle.dumps(tcalc.hessian(f, name)))
    tensor = tcalc.compile(H, form="factored")(**data)
    for same in (pickle.loads(pickle.dumps(tensor)), tensor.T):
        np.testing.assert_allclose(same.solve(K), tensor.solve(K))
        assert same.route == tensor.route
