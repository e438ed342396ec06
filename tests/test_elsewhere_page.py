"""The page for those who come from elsewhere tells the truth."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from sessions import run_sessions

import tcalc

PAGE = (Path(__file__).parents[1] / "docs" / "elsewhere.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", PAGE, re.MULTILINE)
DECLARED = "A[n,n], B[n,n], X[m,n], T[k,n,n], x[n], y[n], z[m], c, u[3], v[3], g[n] integer"


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    sizes = {"A": (3, 3), "B": (3, 3), "X": (2, 3), "x": 3, "y": 3, "z": 2, "u": 3, "v": 3}
    drawn = {name: random.standard_normal(shape) for name, shape in sizes.items()}
    roots = random.standard_normal((4, 3, 3))
    return {**drawn, "T": roots @ roots.swapaxes(1, 2), "c": 0.5, "g": np.array([2, 1, 2])}


def test_there_is_a_table():
    assert len(ROWS) > 25


@pytest.mark.parametrize(("ours", "theirs"), ROWS)
def test_rows_mean_the_same(ours, theirs, data):
    f = tcalc.parse(ours, DECLARED)
    expected = eval(theirs, {"np": np, **data})
    np.testing.assert_allclose(tcalc.evaluate(f, **data), expected, rtol=1e-12)


def test_sessions():
    assert run_sessions(PAGE, "elsewhere.md") > 15


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("A*B", "A @ B"),
        ("A^2", "A @ A"),
        ("A/B", "A @ np.linalg.inv(B)"),
        ("exp(A)", "np.exp(A)"),
        ("sum(A)", "A.sum()"),
        ("max(A)", "A.max()"),
        ("cumsum(A)", "np.cumsum(A, axis=1)"),
        ("norm1(A)", "abs(A).sum()"),
        ("norm2(A)", "np.sqrt((A**2).sum())"),
        ("norminf(A)", "abs(A).max()"),
        ("normspec(A)", "np.linalg.norm(A, 2)"),
        ("normnuc(A)", "np.linalg.norm(A, 'nuc')"),
        ("chol(K)", "np.linalg.cholesky(K)"),
        ("U, s, V = svd(A); V*diag(s.^2)*V'", "A.T @ A"),
        ("split(vec(A), n, n)", "A.T"),
    ],
)
def test_what_means_something_else(ours, theirs, data):
    K = data["T"][0]
    f = tcalc.parse(ours, f"{DECLARED}, K[n,n] spd")
    expected = eval(theirs, {"np": np, "K": K, **data})
    np.testing.assert_allclose(tcalc.evaluate(f, K=K, **data), expected, rtol=1e-10, atol=1e-12)
