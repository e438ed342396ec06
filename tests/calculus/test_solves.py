"""Tensor solves along the structure of a Hessian, against dense ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc.expr.nodes import Apply
from tcalc.expr.traverse import postorder
from tcalc.primitives.inverse import Inverse

SIZES = {"m": 4, "n": 5, "k": 2, "p": 6, "q": 7}
MASKED = "U[m,k], V[n,k], T[m,n], O[m,n] nonnegative"
SIDES = "X[m,n], S[m,m] spd, R[n,n] spd"
FACTORS = "U[m,k], V[n,k], T[m,n], c"

# What is solved with, and how large its matrices are: the dimensions of what is inverted.
STEPS = [
    ("norm2(U*V' - T)^2", FACTORS, "U", ["k,k"], "U - T*V*inv(V'*V)"),
    ("norm2(U*V' - T)^2", FACTORS, "V", ["k,k"], "V - T'*U*inv(U'*U)"),
    ("norm2(U*V' - T)^2 + c^2*norm2(U)^2", FACTORS, "U", ["k,k"], None),
    ("sum(O.*(U*V' - T).^2)", MASKED, "U", ["m,k,k"], None),
    ("sum(O.*(U*V' - T).^2) + norm2(U)^2", MASKED, "U", ["m,k,k"], None),
    ("norm2(B*X*A')^2/2 + sum(X)", "B[p,m], X[m,n], A[q,n]", "X", ["m,m", "n,n"], None),
    ("sum(exp(X).*Y)", "X[m,n], Y[m,n]", "X", [], "ones(m, n)"),
    ("logdet(K)", "K[n,n]", "K", ["n,n"], None),
    ("tr(X'*S*X) + sum(exp(X))", "X[m,n], S[m,m] spd", "X", ["n,m,m"], None),
    ("tr(X'*S*X) + tr(X*R*X') + norm2(X)^2", SIDES, "X", [], None),
    ("sum(exp(X)) + sum(X)^2", "X[m,n]", "X", ["m,n,m,n"], None),
]


def data(f: tcalc.Expression) -> dict[str, Any]:
    generator = np.random.default_rng(7)
    found = {}
    for name, variable in f.variables.items():
        array = generator.uniform(0.2, 1.5, [dim.evaluate(SIZES) for dim in variable.dims])
        found[name] = array @ array.T if "spd" in variable.properties else array
    return found


def inverted(f: tcalc.Expression) -> list[str]:
    """The dimensions of what is solved with, apart from the inverses in the function itself."""
    nodes = (x for x in postorder([f.node]) if isinstance(x, Apply))
    found = [x.args[0] for x in nodes if isinstance(x.primitive, Inverse)]
    return sorted({",".join(map(str, x.dims)) for x in found})


@pytest.mark.parametrize(("text", "declared", "wrt", "matrices", "formula"), STEPS)
def test_newton_steps(
    text: str, declared: str, wrt: str, matrices: list[str], formula: str | None
) -> None:
    f = tcalc.parse(text, declared)
    step = tcalc.parse(f"f = {text}; hessian(f, {wrt}) \\ gradient(f, {wrt})", declared)
    assert inverted(step) == matrices
    values = data(f)
    g = tcalc.evaluate(tcalc.gradient(f, wrt), **values)
    H = tcalc.evaluate(tcalc.hessian(f, wrt), **values).reshape(g.size, g.size)
    expected = np.linalg.solve(H, g.reshape(-1)).reshape(g.shape)
    np.testing.assert_allclose(tcalc.evaluate(step, **values), expected, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(tcalc.compile(step)(**values), expected, rtol=1e-8, atol=1e-9)
    if formula is not None:
        assert step.text() == formula


def test_the_code_of_a_factorisation_solves_with_a_small_matrix() -> None:
    text = "f = norm2(U*V' - T)^2; hessian(f, U) \\ gradient(f, U)"
    step = tcalc.compile(tcalc.parse(text, FACTORS))
    source = step.source_for(m=1000, n=1000, k=10)
    assert "= V.T @ V\n" in source and ".T.copy()" not in source and "np.zeros" not in source
    assert step.peak_memory(m=1000, n=1000, k=10) < 40e6  # m·n numbers a few times, not (m·k)²


def test_a_singular_part_is_told() -> None:
    text = "f = norm2(U*V' - T)^2; hessian(f, U) \\ gradient(f, U)"
    step = tcalc.compile(tcalc.parse(text, FACTORS))
    values = {"U": np.ones((3, 2)), "V": np.ones((4, 2)), "T": np.ones((3, 4))}
    with pytest.raises(tcalc.TcalcError, match=r"inv\(V'\*V\): the matrix is singular"):
        step(**values)
    masked = "f = sum(O.*(U*V' - T).^2); hessian(f, U) \\ gradient(f, U)"
    V = np.random.default_rng(0).standard_normal((4, 2))
    weights = np.ones((3, 4))
    weights[1] = 0
    block = r"inv\(O\[i,p\]\*V\[p,j\]\*V\[p,l\]\): the matrix is singular at \[2\]"
    with pytest.raises(tcalc.TcalcError, match=block):
        tcalc.compile(tcalc.parse(masked, MASKED))(**{**values, "V": V, "O": weights})


def test_a_solve_can_be_differentiated_again() -> None:
    text = "f = norm2(U*V' - T)^2; sum(hessian(f, U) \\ gradient(f, U))"
    f = tcalc.parse(text, FACTORS)
    assert tcalc.check(f, "V", data=data(f))


def test_a_kronecker_sum_is_a_sylvester_equation() -> None:
    text = "f = tr(X'*S*X) + tr(X*R*X') + sum(X); hessian(f, X) \\ gradient(f, X)"
    step = tcalc.parse(text, "X[m,n], S[m,m] spd, R[n,n] spd")
    assert "sylvester(" in step.text()
    assert tcalc.compile(step).peak_memory(m=300, n=200) < 8 * 300 * 200 * 20


# A Hessian that is diagonal, of a vector and of a matrix, and a diagonal matrix.
DIAGONAL = [
    ("f = sum(x.^3); hessian(f, x) \\ gradient(f, x)", "x[n]", "x", (400,), 0.5),
    ("f = sum(X.^3); hessian(f, X) \\ gradient(f, X)", "X[m,n]", "X", (20, 20), 0.5),
    ("f = sum(x.^2)/2; hessian(f, x) \\ gradient(f, x)", "x[n]", "x", (400,), 1.0),
    ("(diag(x) + 2*eye(n)) \\ (x + 2*vector(1))", "x[n]", "x", (400,), None),
]


@pytest.mark.parametrize(("text", "declared", "name", "shape", "factor"), DIAGONAL)
def test_a_diagonal_is_divided_by_and_no_matrix_is_formed(
    text: str, declared: str, name: str, shape: tuple[int, ...], factor: float | None
) -> None:
    step = tcalc.compile(tcalc.parse(text, declared))
    x = np.random.default_rng(3).uniform(0.5, 1.5, shape)
    expected = np.ones(shape) if factor is None else factor * x
    np.testing.assert_allclose(step(**{name: x}), expected, rtol=1e-14)
    sizes = {"n": shape[-1], "m": shape[0]}
    known = {size: sizes[size] for size in step.signature.sizes}
    assert step.peak_memory(**known) <= 8 * 6 * x.size


@pytest.mark.parametrize(
    ("text", "declared", "values", "place"),
    [
        (DIAGONAL[0][0], "x[n]", {"x": [1.0, 0.0, 2.0]}, "[2]"),
        (DIAGONAL[1][0], "X[m,n]", {"X": [[1.0, 2.0], [0.0, 2.0]]}, "[2, 1]"),
        (DIAGONAL[3][0], "x[n]", {"x": [-2.0, 0.0]}, "[1]"),
    ],
)
def test_a_zero_on_a_diagonal_is_told_with_its_place(
    text: str, declared: str, values: dict[str, Any], place: str
) -> None:
    step = tcalc.parse(text, declared)
    with pytest.raises(tcalc.TcalcError, match="singular") as caught:
        tcalc.compile(step)(**values)
    assert place in str(caught.value)
    with pytest.raises(tcalc.TcalcError, match="singular"):
        tcalc.evaluate(step, **values)


SYMMETRIC = [
    ("logdet(K)", "-K"),
    ("norm2(K)^2", "K"),
    ("sum(exp(K))", None),
    ("logdet(K) + tr(inv(K)*S)", None),
    ("norm2(A*K - S)^2", None),
    ("tr(K^3)", None),
]


@pytest.mark.parametrize("properties", ["spd", "symmetric"])
@pytest.mark.parametrize(("text", "formula"), SYMMETRIC)
def test_steps_of_symmetric_matrices_are_symmetric(
    text: str, formula: str | None, properties: str
) -> None:
    # The Hessian takes skew matrices to zero, so that the system is one over symmetric matrices.
    declared = f"K[n,n] {properties}, S[n,n] spd, A[n,n]"
    f = tcalc.parse(text, declared)
    step = tcalc.parse(f"H = hessian({text}, K); H \\ gradient({text}, K)", declared)
    generator = np.random.default_rng(2)
    values = {}
    for name in f.variables:
        matrix = generator.standard_normal((3, 3))
        values[name] = matrix if name == "A" else matrix @ matrix.T + np.eye(3)
    H = tcalc.evaluate(tcalc.hessian(f, "K"), **values).reshape(9, 9)
    g = tcalc.evaluate(tcalc.gradient(f, "K"), **values).reshape(9)
    expected = (np.linalg.pinv(H) @ g).reshape(3, 3)
    given = {name: values[name] for name in step.variables}
    np.testing.assert_allclose(tcalc.evaluate(step, **given), expected, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(tcalc.compile(step)(**given), expected, rtol=1e-7, atol=1e-9)
    if formula is not None:
        assert step.text() == formula
