"""Cross products, skew matrices and the permutation symbol."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from compilers import COMPILER

import tcalc
from tcalc.errors import DimensionError, IndexNotationError

BACKENDS: list[Any] = ["numpy", *(["c"] if COMPILER else [])]
X, Y = np.arange(12.0).reshape(4, 3) ** 1.5, np.cos(np.arange(12.0)).reshape(4, 3)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("program", "declared"), [("cross(x, y)", "x[3], y[3]"), ("cross(x, y)", "x[n,3], y[n,3]")]
)
def test_cross_products_are_those_of_numpy(program: str, declared: str, backend: Any) -> None:
    f = tcalc.parse(program, declared)
    x, y = (X, Y) if "n" in declared else (X[1], Y[1])
    value, jacobian = tcalc.compile([f, tcalc.jacobian(f, "x")], backend=backend)(x=x, y=y)
    np.testing.assert_allclose(value, np.cross(x, y), atol=1e-13)
    direction = np.sin(x)
    moved = np.tensordot(jacobian, direction, direction.ndim)
    np.testing.assert_allclose(moved, np.cross(direction, y), atol=1e-13)
    assert tcalc.check(f, "x") and tcalc.check(f, "y")


@pytest.mark.parametrize(
    ("program", "wrt", "expected"),
    [
        ("cross(x, y)", "x", "-skew(y)"),
        ("cross(x, y)", "y", "skew(x)"),
        ("norm2(cross(x, y) - z)^2", "x", "2*skew(y)*(skew(x)*y - z)"),
        ("cross(x, A*x)", "x", "skew(x)*A - skew(A*x)"),
        ("x'*cross(y, z)", "y", "skew(z)*x"),
        ("cross(x, x) + y", "y", "eye(3)"),
        ("skew(x)'*y", "y", "-skew(x)"),
        ("cross(cross(x, x), y) + x", "x", "eye(3)"),
        ("cross(-x, 2*y)", "y", "-2*skew(x)"),
    ],
)
def test_derivatives_are_skew_matrices(program: str, wrt: str, expected: str) -> None:
    f = tcalc.parse(program, "x[3], y[3], z[3], A[3,3]")
    found = tcalc.derivative(f, wrt)
    assert str(found) == expected
    again = tcalc.parse(str(found), "x[3], y[3], z[3], A[3,3]")
    data = {"x": X[1], "y": Y[1], "z": Y[2], "A": Y[:3] + 1}
    numbers = [
        tcalc.evaluate(g, **{name: data[name] for name in g.variables}) for g in (found, again)
    ]
    np.testing.assert_allclose(*numbers, atol=1e-12)


def test_the_permutation_symbol_is_the_skew_matrices_of_the_unit_vectors() -> None:
    symbol = tcalc.evaluate(tcalc.parse("-skew(eye(3))"))
    assert symbol[0, 1, 2] == symbol[1, 2, 0] == symbol[2, 0, 1] == 1
    assert symbol[0, 2, 1] == symbol[2, 1, 0] == symbol[1, 0, 2] == -1
    assert np.abs(symbol).sum() == 6
    f = tcalc.parse("c[i] = -skew(eye(3))[i,j,k]*x[j]*y[k]", "x[3], y[3]")
    np.testing.assert_allclose(tcalc.evaluate(f, x=X[1], y=Y[1]), np.cross(X[1], Y[1]))


def test_the_curl_of_a_field() -> None:
    field = "F = stack(x[2]*x[3], sin(x[1]), x[1]*x[2]^2); J = jacobian(F, x)"
    f = tcalc.parse(field + "; c[i] = -skew(eye(3))[i,j,k]*J[k,j]", "x[3]")
    a, b, c = x = np.array([0.3, 0.7, -1.2])
    found = tcalc.compile(f)(x=x)
    np.testing.assert_allclose(found, [2 * a * b, b - b**2, np.cos(a) - c])


def test_vectors_of_three_elements_are_guessed_and_demanded() -> None:
    assert str(tcalc.parse("skew(w)*p").variables["w"].shape) == "(Dim(3),)"
    with pytest.raises(DimensionError, match="`skew` takes vectors of three elements"):
        tcalc.parse("skew(x)", "x[4]")
    with pytest.raises(DimensionError, match="not a matrix and a column"):
        tcalc.parse("cross(X, y)", "X[n,3], y[3]")
    with pytest.raises(IndexNotationError, match="takes whole tensors"):
        tcalc.parse("cross(x[i], y[i])")
