"""Matrices that C functions read once, in bands of rows, for several products."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from compilers import needs_compiler
from guarded import guarded
from hypothesis import given
from random_graphs import agree_in_c, graphs, law

import tcalc
from tcalc.codegen.c import bands
from tcalc.expr.nodes import Node

DECLARED = "X[m,n], Y[m,n], W[n,m], y[m], z[m], v[n], w[n], a"
SIZES = {"m": 29, "n": 4}
JOINED = {
    "a least-squares gradient": "X'*(X*w - y)",
    "a logistic loss": "[sum(log(1 + exp(-y.*(X*w)))), X'*(y./(1 + exp(y.*(X*w))))]",
    "a product with a Hessian": "X'*((y.^2 + 1).*(X*v)) + v",
    "two vectors": "X'*(exp(X*w).*(X*v))",
    "two matrices": "Y'*tanh(X*w) + X'*cos(Y*v)",
    "sums behind it": "a*X'*(X*w - y)*sum(exp(X*w))",
    "steps before it": "X'*(exp(z).*(X*w) - norm2(y)*y)",
    "a transpose in memory": "W'*sin(W*y)",
}
APART = {
    "one product alone": "X*w - y",
    "the sum of all elements first": "X'*(exp(X*w)/sum(exp(X*w)))",
    "another axis": "X*(X'*y)",
    "the columns of another": "W*sin(W'*w)",
    "the second needs the first whole": "X*(X'*(X*w))",
}


@pytest.fixture(autouse=True)
def small_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "LARGE", 1)
    monkeypatch.setattr(bands, "BAND", 7 * 4)


def compiled(text: str, backend: Any) -> Any:
    parts = text[1:-1].split("), ") if text.startswith("[") else [text]
    if len(parts) > 1:
        parts[0] += ")"
    roots = [tcalc.parse(part, DECLARED) for part in parts]
    return tcalc.compile(roots, backend)


def arrays_for(function: Any, seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    arguments = function.signature.arguments
    return {x.name: rng.standard_normal([d.evaluate(SIZES) for d in x.dims]) for x in arguments}


@needs_compiler
@pytest.mark.parametrize("text", (JOINED | APART).values(), ids=JOINED | APART)
def test_like_numpys_code(text: str) -> None:
    fun, other = (compiled(text, backend) for backend in ("c", "numpy"))
    arrays = arrays_for(fun)
    due = other(**arrays)
    for mine, value in zip(fun(**arrays), due, strict=True):
        np.testing.assert_allclose(mine, value, rtol=1e-11, atol=1e-12)
    inside = guarded(fun, **arrays)
    assert inside is not None
    for part, value in zip(inside, due, strict=True):
        np.testing.assert_allclose(part[()], value, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("text", JOINED.values(), ids=JOINED)
def test_what_is_joined(text: str) -> None:
    source = compiled(text, "c").source_for(**SIZES)
    assert len(re.findall(r"for \(int start\d* = 0; ", source)) >= 1


@pytest.mark.parametrize("text", APART.values(), ids=APART)
def test_what_stands_apart(text: str) -> None:
    source = compiled(text, "c").source_for(**SIZES)
    # Of three products, the last two of which are of one matrix, the last ones may be joined.
    most = 1 if text == APART["the second needs the first whole"] else 0
    assert len(re.findall(r"for \(int start\d* = 0; ", source)) <= most


def test_small_matrices_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bands, "LARGE", 1 << 19)
    text = JOINED["a least-squares gradient"]
    assert "start" not in compiled(text, "c").source_for(**SIZES)
    assert "start" in compiled(text, "c").source_for(m=10_000, n=100)


@needs_compiler
@law(12)
@given(graphs())
def test_random_graphs(roots: list[Node]) -> None:
    agree_in_c(roots, {"m": 9, "n": 4, "k": 2})
