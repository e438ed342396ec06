"""The examples of Akyürek, Edelman, Wang, *Backpropagation through Back Substitution*, reproduced.

Path weights by one triangular solve, the scalar and the matrix multilayer perceptron: the blocks
as they stand there, and the derivative as ``g' (I - L)^{-1} D`` in both bracketings.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.linalg import solve_triangular

import tcalc
from tcalc.interpret import evaluate
from tcalc.linearization import Linearization

PATHS = "u = a*x; v = b*u + c*x; d*u + e*v"
SCALAR_NET = "x1 = tanh(w1*x0 + b1); x2 = tanh(w2*x1 + b2); x3 = tanh(w3*x2 + b3); (x3 - y)^2/2"
MATRIX_NET = """
X1 = tanh(W1*X0 + B1)
X2 = tanh(W2*X1 + B2)
X3 = tanh(W3*X2 + B3)
norm2(X3 - Y)^2/2
"""
MATRICES = "X0[n,b], Y[n,b], W1[n,n], W2[n,n], W3[n,n], B1[n,b], B2[n,b], B3[n,b]"
WEIGHTS = ["W1", "B1", "W2", "B2", "W3", "B3"]


def scalars(names: str) -> str:
    return ", ".join(f"{name}[]" for name in names.split())


def random_data(f: tcalc.Expression, seed: int = 0, **sizes: int) -> dict[str, Any]:
    generator = np.random.default_rng(seed)
    return {
        name: generator.standard_normal([dim.evaluate(sizes) for dim in variable.dims])
        for name, variable in f.variables.items()
    }


def block_matrices(lin: Linearization, data: dict[str, Any], **sizes: int) -> tuple[Any, Any]:
    """``I - L`` and ``D`` as dense matrices."""
    system = lin.system

    def count(node: Any) -> int:
        return int(np.prod([dim.evaluate(sizes) for dim in node.dims], dtype=int))

    def matrix(row: Any, column: Any) -> Any:
        block = system.blocks.get((row, column))
        if block is None:
            return np.zeros((count(row), count(column)))
        (dense,) = evaluate([block.dense()], data, sizes)
        return dense.reshape(count(row), count(column))

    L = np.block([[matrix(v, u) for u in system.vertices] for v in system.vertices])
    D = np.block([[matrix(v, p) for p in system.inputs] for v in system.vertices])
    return np.eye(len(L)) - L, D


def test_path_weights_by_one_triangular_solve() -> None:
    f = tcalc.parse(PATHS, scalars("x a b c d e"))
    lin = tcalc.linearize(f, "x")
    notation = {(e.row, e.column): e.notation for e in lin.entries}
    assert notation == {
        ("u", "x"): "a",
        ("v", "x"): "c",
        ("v", "u"): "b",
        ("f", "u"): "d",
        ("f", "v"): "e",
    }
    data = dict(zip("xabcde", (1.0, 2.0, 3.0, 5.0, 7.0, 11.0), strict=True))
    lower, right = block_matrices(lin, data)
    # Each path from x to f has the product of its edges as its weight.
    a, b, c, d, e = (data[name] for name in "abcde")
    weight = a * d + a * b * e + c * e
    g = np.array([0.0, 0.0, 1.0])
    forward = g @ solve_triangular(lower, right, lower=True, unit_diagonal=True)
    backward = solve_triangular(lower, g, lower=True, unit_diagonal=True, trans=1) @ right
    assert forward == backward == [weight]
    assert tcalc.evaluate(lin.forward(x="one")["f"], **data, one=1.0) == weight
    assert tcalc.evaluate(lin.reverse()["x"], **data) == weight


def test_the_scalar_perceptron() -> None:
    f = tcalc.parse(SCALAR_NET, scalars("x0 y w1 b1 w2 b2 w3 b3"))
    lin = tcalc.linearize(f, ["w1", "b1", "w2", "b2", "w3", "b3"])
    notation = {(e.row, e.column): e.notation for e in lin.entries}
    for i in (1, 2, 3):
        assert notation[f"x{i}", f"w{i}"] == f"(1 - x{i}^2)*x{i - 1}"
        assert notation[f"x{i}", f"b{i}"] == f"(1 - x{i}^2)"
    for i in (2, 3):
        assert notation[f"x{i}", f"x{i - 1}"] == f"(1 - x{i}^2)*w{i}"
    assert notation["f", "x3"] == "(x3 - y)"
    assert len(notation) == 9
    assert all("#" not in line for line in str(lin).splitlines())


def test_the_matrix_perceptron() -> None:
    f = tcalc.parse(MATRIX_NET, MATRICES)
    lin = tcalc.linearize(f, WEIGHTS)
    assert list(lin.vertices) == ["X1", "X2", "X3", "f"]
    notation = {(e.row, e.column): e.notation for e in lin.entries}
    for i in (1, 2, 3):
        assert notation[f"X{i}", f"W{i}"] == f"diag(1 - X{i}.^2) (X{i - 1}' ⊗ I)"
        assert notation[f"X{i}", f"B{i}"] == f"diag(1 - X{i}.^2)"
    for i in (2, 3):
        assert notation[f"X{i}", f"X{i - 1}"] == f"diag(1 - X{i}.^2) (I ⊗ W{i})"
    assert notation["f", "X3"] == "⟨X3 - Y, ·⟩"
    # Lower bidiagonal: each layer depends on the one before it and on its own weights.
    lower = {pair for pair in notation if pair[1] not in WEIGHTS}
    assert lower == {(after, before) for before, after in pairwise(lin.vertices)}


def test_the_matrix_perceptron_as_text() -> None:
    text = str(tcalc.linearize(tcalc.parse(MATRIX_NET, MATRICES), WEIGHTS))
    for line in (
        "  dX1 = diag(1 - X1.^2) (X0' ⊗ I) dW1 + diag(1 - X1.^2) dB1",
        "  X2_bar = (I ⊗ W3') diag(1 - X3.^2) X3_bar",
        "  W1_bar = (X0 ⊗ I) diag(1 - X1.^2) X1_bar",
        "  X2  -diag(1 - X2.^2) (I ⊗ W2)  I                          .             .",
    ):
        assert line in text.splitlines()


@pytest.mark.parametrize("steps", ["definitions", "functions", "operations"])
def test_solving_the_dense_system_gives_the_gradient(steps: str) -> None:
    f = tcalc.parse(MATRIX_NET, MATRICES)
    sizes = {"n": 3, "b": 2}
    data = random_data(f, **sizes)
    lin = tcalc.linearize(f, WEIGHTS, steps=steps)
    lower, right = block_matrices(lin, data, **sizes)
    assert np.array_equal(lower, np.tril(lower)) and np.all(np.diag(lower) == 1)
    gradients = tcalc.gradient(f, WEIGHTS)
    expected = np.concatenate([np.ravel(tcalc.evaluate(g, **data)) for g in gradients.values()])
    g = np.zeros(len(lower))
    g[-1] = 1
    np.testing.assert_allclose(np.linalg.solve(lower.T, g) @ right, expected, atol=1e-12)
    np.testing.assert_allclose(g @ np.linalg.solve(lower, right), expected, atol=1e-12)


def test_a_product_is_the_vertex_that_the_user_named() -> None:
    # The product A*X*B is kept as the transpose of another one, of which Z.*Y is made, too.
    f = tcalc.parse("Y = A*X*B; Z = tanh(Y); W = Z.*Y; sum(W)", "A[n,n], X[n,n], B[n,n]")
    lin = tcalc.linearize(f, "X")
    assert list(lin.vertices) == ["Y", "Z", "W", "f"]
    lines = str(lin).splitlines()
    assert "  W = Y.*Z" in lines or "  W = Z.*Y" in lines
    assert "  dY = (B' ⊗ A) dX" in lines
    assert "  dW = diag(Z) dY + diag(Y) dZ" in lines
    data = random_data(f, n=3)
    lower, right = block_matrices(lin, data, n=3)
    expected = np.ravel(tcalc.evaluate(tcalc.gradient(f, "X"), **data))
    np.testing.assert_allclose(np.linalg.solve(lower, right)[-1], expected, atol=1e-12)
