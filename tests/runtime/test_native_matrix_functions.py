"""Functions of matrices and matrix equations in C, at matrices of all kinds, in both precisions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from beside_numpy import outcome, pair, same
from compilers import needs_compiler
from guarded import guarded

DECLARED = "A[n,n], B[m,m], C[n,m], Q[n,n], S[n,n] symmetric, R[m,m] symmetric"
CASES = [
    *("sylvester(A, B, C)", "sylvester(S, R, C)", "lyap(A, Q)", "lyap(S, Q)"),
    *("sylvester(A, A, Q)", "sylvester(A', A, Q)", "sylvester(S, A, Q)", "sylvester(A, B', C)"),
    *("expm(A)", "expm(S)", "expm(A, Q)", "expm(A, Q, Q')", "expm(A', S, Q)", "expm(A, Q, Q, A)"),
    *("pinv(A)", "pinv(A*C)", "polar(A)", "polar(C'*A)", "normnuc(A)", "normnuc(C'*A)"),
    *("sqrtm(A)", "sqrtm(S)", "logm(S)", "powm(-1/2, S)", "powm(5, S)", "powm(1/3, A)"),
    *("adj(A)", "cofactors(A')", "cofactors2(A)", "cofactors3(S)"),
    *("logm(S, Q)", "powm(1/3, A, Q)", "powm(5, S, Q)", "logm(S, Q, A)", "powm(-1, A, Q, Q', S)"),
]

pytestmark = needs_compiler


def orthogonal(n: int) -> Any:
    return np.linalg.qr(np.random.default_rng(n).normal(size=(n, n)))[0]


def _matrices() -> Iterator[tuple[str, Any]]:
    """Those of order 4 at which functions of matrices may have no value, or lose digits."""
    Q, T = orthogonal(4), np.triu(np.random.default_rng(8).normal(size=(4, 4)), 1)
    yield "positive", Q * [1.0, 2.0, 3.0, 4.0] @ Q.T
    yield "negative", -(Q * [1.0, 2.0, 3.0, 4.0]) @ Q.T
    yield "eigenvalues that cancel", Q * [1.0, -1.0, 3.0, 4.0] @ Q.T
    yield "complex eigenvalues", np.kron(np.eye(2), [[1.0, 2.0], [-2.0, 1.0]]) + T
    yield "imaginary eigenvalues", np.kron(np.diag([1.0, 2.0]), [[0.0, 1.0], [-1.0, 0.0]])
    yield "defective", 2 * np.eye(4) + np.eye(4, k=1)
    yield "nilpotent", T
    yield "far from normal", 100 * T + np.diag([1.0, 2.0, 3.0, 4.0])
    yield "badly scaled", np.diag([1e-9, 1.0, 1e9, 3.0]) + 1e-9 * T
    yield "nearly singular", Q * [1.0, 1.0, 1.0, 1e-14] @ Q.T
    yield "singular", Q * [1.0, 2.0, 3.0, 0.0] @ Q.T
    yield "of rank 1", np.ones((4, 4))
    yield "zero", np.zeros((4, 4))
    yield "small", 1e-9 * (Q * [1.0, 2.0, 3.0, 4.0] @ Q.T)
    yield "large", 30 * Q * [1.0, 2.0, 3.0, 4.0] @ Q.T
    for value in (np.nan, np.inf):
        yield f"with {value}", np.where(np.eye(4, k=1) > 0, value, Q)


@cache
def both(text: str) -> tuple[Any, Any]:
    return pair(text, DECLARED)


def arrays_of(names: Any, matrix: Any) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    other = np.diag([1.0, 2.0, 5.0]) + 0.1 * rng.normal(size=(3, 3))
    arrays = {
        "A": matrix,
        "S": np.triu(matrix) + np.triu(matrix, 1).T,
        "B": other,
        "R": other + other.T,
        "C": rng.normal(size=(4, 3)),
        "Q": rng.normal(size=(4, 4)),
    }
    return {name: arrays[name] for name in names}


@pytest.mark.parametrize("text", CASES)
def test_values_and_errors_are_as_ever(text: str) -> None:
    functions = both(text)
    for about, matrix in _matrices():
        with np.errstate(all="ignore"):
            given = arrays_of(functions[0].signature.names, matrix)
            outcomes = [outcome(f, given) for f in functions]
        same(*outcomes, about=f"{text}, {about}", tolerance=1e-6)


@pytest.mark.parametrize("text", CASES)
def test_values_of_single_precision(text: str) -> None:
    functions = both(text)
    matrix = orthogonal(4) * [1.0, 2.0, 3.0, 4.0] @ orthogonal(4).T + np.triu(np.ones((4, 4)), 1)
    given = arrays_of(functions[0].signature.names, matrix)
    (due,) = functions[1](**given)
    (found,) = functions[0](**{x: v.astype(np.float32) for x, v in given.items()})
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, due, rtol=1e-3, atol=1e-4 * np.abs(due).max())


@pytest.mark.parametrize("text", CASES)
def test_c_gives_the_values_of_regular_matrices_itself(text: str) -> None:
    """NumPy's code does not run in its place, and all memory is within its bounds."""
    functions = both(text)
    for matrix in (orthogonal(4) * [1.0, 2.0, 3.0, 4.0] @ orthogonal(4).T, 2 * np.eye(4)):
        given = arrays_of(functions[0].signature.names, matrix)
        found = guarded(functions[0], **given)
        assert found is not None
        np.testing.assert_allclose(found[0], functions[1](**given)[0], rtol=1e-9, atol=1e-9)


STACKS = ["sylvester(W, V, W)[q,i,j]", "sylvester(W, W, V)[q,i,j]", "lyap(V, W)[q,i,j]"]


@pytest.mark.parametrize("text", STACKS)
def test_stacks_of_matrices_of_which_one_is_spoilt(text: str) -> None:
    functions = pair(text, "W[k,n,n], V[k,n,n]")
    rng = np.random.default_rng(4)
    W, V = rng.normal(size=(2, 3, 4, 4)) / 4 + 3 * np.eye(4)
    found = guarded(functions[0], W=W, V=V)
    assert found is not None
    same(found, functions[1](W=W, V=V), tolerance=1e-9)
    for factor in (0.0, np.nan, np.inf):
        spoilt = {"W": W * np.reshape([1.0, factor, 1.0], (3, 1, 1)), "V": V}
        with np.errstate(all="ignore"):
            same(*(outcome(f, spoilt) for f in functions), about=f"{text}, {factor}")


@pytest.mark.parametrize("sizes", [(1, 1), (2, 1), (1, 3), (3, 2), (5, 7), (40, 33)], ids=str)
def test_equations_of_all_sizes_with_their_gradients(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(sizes))
    m, n = sizes
    arrays = {
        "A": rng.normal(size=(m, m)) / m**0.5 + 3 * np.eye(m),
        "B": rng.normal(size=(n, n)) / n**0.5 + 3 * np.eye(n),
        "C": rng.normal(size=(m, n)),
    }
    functions = pair("norm2(sylvester(A, B, C))^2", "A[m,m], B[n,n], C[m,n]", "A B C")
    found = guarded(functions[0], **arrays)
    assert found is not None
    same([x[()] for x in found], functions[1](**arrays))
