"""Systems and decompositions in C, of matrices of all kinds: values and errors are as ever."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from beside_numpy import outcome, pair, same
from compilers import needs_compiler
from guarded import guarded

import tcalc

SYSTEMS = "inv(A)*b", "logdet(A)", "inv(S)*b", "logdet(S)", "chol(S)", "inv(L)*b", "inv(D)*b"
MATRICES = "A[n,n], S[n,n] symmetric, L[n,n] lower, D[n,n] diagonal, b[n]"


def _matrices() -> Iterator[tuple[str, Any]]:
    rng = np.random.default_rng(5)
    Q = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    yield "regular", Q * [1.0, 2.0, 3.0, 4.0] @ Q.T
    yield "negative definite", -(Q * [1.0, 2.0, 3.0, 4.0]) @ Q.T
    yield "indefinite", Q * [1.0, -2.0, 3.0, 4.0] @ Q.T
    yield "two negative", Q * [1.0, -2.0, -3.0, 4.0] @ Q.T
    yield "nearly singular", Q * [1.0, 1.0, 1.0, 1e-14] @ Q.T
    yield "badly scaled", np.diag([1e-9, 1.0, 1e9, 3.0])
    yield "ill-conditioned", Q * [1.0, 1.0, 1.0, 1e-7] @ Q.T
    yield "singular up to rounding", Q * [1.0, 1.0, 1.0, 0.0] @ Q.T
    yield "singular", np.ones((4, 4))
    yield "zero", np.zeros((4, 4))
    yield "permutation", np.eye(4)[[1, 2, 3, 0]]
    yield "tiny", 1e-150 * (Q * [1.0, 2.0, 3.0, 4.0] @ Q.T)
    yield "huge", 1e150 * (Q * [1.0, 2.0, 3.0, 4.0] @ Q.T)
    for value in (np.nan, np.inf):
        for place in ((0, 0), (3, 3), (0, 3), (3, 0), (2, 1)):
            spoilt = Q * [1.0, 2.0, 3.0, 4.0] @ Q.T
            spoilt[place] = value
            yield f"{value} at {place}", spoilt


@cache
def system(text: str) -> tuple[Any, Any]:
    return pair(text, MATRICES)


def require_the_same(text: str) -> None:
    """A program has the same values and errors in C, at matrices that are more or less regular."""
    both = system(text)
    for about, matrix in _matrices():
        with np.errstate(all="ignore"):
            symmetric = np.triu(matrix) + np.triu(matrix, 1).T
            arrays = {
                "A": matrix,
                "S": symmetric,
                "L": np.tril(matrix),
                "D": np.where(np.eye(4) > 0, matrix, 0),
                "b": np.array([1.0, 2.0, -1.0, 0.5]),
            }
            given = {name: arrays[name] for name in both[0].signature.names}
            outcomes = [outcome(f, given) for f in both]
        same(*outcomes, about=f"{text}, {about}", tolerance=1e-6)


@needs_compiler
@pytest.mark.parametrize("text", SYSTEMS)
def test_systems_have_values_and_errors_as_ever(text: str) -> None:
    require_the_same(text)


@needs_compiler
@pytest.mark.parametrize(
    "text",
    [
        *("svdvals(A)", "eigvalsh(S)", "det(A)", "Q, R = qr(A); Q + R", "M, Q = lq(A); M + Q"),
        *("e, U = eigh(S); U*e", "U, s, V = svd(A); U*diag(s)*V'", "gradient(sum(eigvalsh(S)), S)"),
        *("inv(D)", "inv(L)", "inv(A)", "tril(A)*b", "norm2(A)", "gradient(logdet(S), S)"),
        *("logabsdet(A)", "s, l = slogdet(A); s + l", "gradient(logabsdet(A), A)"),
    ],
)
def test_decompositions_and_inverses_have_values_and_errors_as_ever(text: str) -> None:
    require_the_same(text)


@needs_compiler
def test_systems_of_single_precision() -> None:
    Q = np.linalg.qr(np.random.default_rng(6).normal(size=(4, 4)))[0]
    for least in (1.0, 1e-3, 1e-9, 0.0, -1.0):
        matrix = (Q * [1.0, 1.0, 1.0, least] @ Q.T).astype(np.float32)
        matrix = np.triu(matrix) + np.triu(matrix, 1).T
        arrays = {"A": matrix, "S": matrix, "b": np.ones(4, np.float32)}
        for text in SYSTEMS[:5]:
            both = system(text)
            given = {name: arrays[name] for name in both[0].signature.names}
            outcomes = [outcome(f, given) for f in both]
            same(*outcomes, about=f"{text}, {least}", tolerance=1e-2)


@needs_compiler
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(
    "text",
    [
        "Q, R = qr(A); norm2(z - Q*(Q'*z))^2 + sum(log(diag(R)))",
        "M, Q = lq(A'); norm2(z - Q'*(Q*z))^2 + sum(log(diag(M)))",
        "Q, R = qr(A); sum(exp(Q'*z))",
    ],
)
def test_factors_that_are_applied_have_values_and_errors_as_ever(text: str, kind: type) -> None:
    both = pair(text, "A[m,n], z[m]")
    rng = np.random.default_rng(7)
    tolerance = 1e-3 if kind is np.float32 else 1e-10
    for m, n in ((90, 12), (30, 30), (5000, 2), (12, 30)):
        A, z = rng.normal(size=(m, n)).astype(kind), rng.normal(size=m).astype(kind)
        cases = {"regular": A, "of a view": A[::-1], "in columns": np.asfortranarray(A)}
        cases |= {"zero": 0 * A, "tiny": 1e-30 * A, "without full rank": np.ones_like(A)}
        for value in (np.nan, np.inf):
            for place in ((0, 0), (m - 1, n - 1)):
                cases[f"{value} at {place}"] = A.copy()
                cases[f"{value} at {place}"][place] = value
        for about, given in cases.items():
            with np.errstate(all="ignore"):
                outcomes = [outcome(f, {"A": given, "z": z}) for f in both]
            same(*outcomes, about=f"{text}, {m} by {n}, {about}", tolerance=tolerance)
        assert not 12 <= n <= m or "reflect(" in both[0].source


@needs_compiler
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 9, 40])
def test_matrices_that_only_look_singular_are_not_given_up(n: int, kind: type) -> None:
    """Those in units of all sizes; and those of which cancellation takes some digits."""
    rng = np.random.default_rng(n)
    Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    units, least = np.geomspace(1, 1e6, n), 1e-3 if kind is np.float32 else 1e-8
    matrices = {
        "inv(A)*b": [Q * units, units[:, None] * Q, Q],
        "inv(S)*b": [np.diag(units), Q * np.geomspace(1, least, n) @ Q.T],
        "logdet(S)": [np.diag(units), Q * np.geomspace(1, least, n) @ Q.T],
    }
    for text, found in matrices.items():
        both = pair(text, "A[n,n], S[n,n] spd, b[n]")
        for matrix in found:
            arrays = {"A": matrix, "S": (matrix + matrix.T) / 2, "b": np.ones(n)}
            arrays = {name: arrays[name].astype(kind) for name in both[0].signature.names}
            results = guarded(both[0], **arrays)
            assert results is not None
            tolerance = 1e-2 if kind is np.float32 else 1e-6
            same(results, both[1](**arrays), tolerance=tolerance)


@needs_compiler
def test_stacks_with_one_singular_matrix() -> None:
    f = [tcalc.parse(x, "W[k,n,n], b[n]") for x in ("inv(W)[q,i,j]*b[j]", "logdet(W)[q]")]
    both = [tcalc.compile(f, backend=x) for x in ("c", "numpy")]
    W = np.array([np.eye(3), 2 * np.eye(3) + 0.1, np.diag([1.0, 2.0, 3.0])])
    factors = [1.0, 0.0, 1.0], [1.0, 1.0, -1.0], [1.0, np.nan, 1.0], [np.inf, 1.0, 1.0]
    with np.errstate(all="ignore"):
        for spoilt in (W, *(W * np.reshape(x, (3, 1, 1)) for x in factors)):
            same(*(outcome(x, {"W": spoilt, "b": np.ones(3)}) for x in both))


@needs_compiler
def test_errors_of_bound_matrices_are_told_as_ever() -> None:
    both = pair("inv(S)*b + logdet(S)*b", "S[n,n] spd, b[n]")
    for S in (np.eye(3), np.zeros((3, 3)), np.ones((3, 3)), -np.eye(3)):
        outcomes = [outcome(lambda b, f=f, S=S: f.bind(S=S)(b=b), {"b": np.ones(3)}) for f in both]
        same(*outcomes)
