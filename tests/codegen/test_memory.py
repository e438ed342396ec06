"""What programs hold, and when they let go."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

import tcalc
from tcalc import runtime
from tcalc.expr import build, shape
from tcalc.expr.nodes import Node
from tcalc.primitives.trigonometric import sin
from tcalc.runtime import Options

x = build.var("x", shape("n"))


def chain(length: int) -> Node:
    node: Node = x
    for _ in range(length):
        node = sin(node)
    return node


def test_large_temporaries_are_dropped_by_name_and_small_ones_are_not() -> None:
    fun = runtime.compile(chain(4))
    assert "del" not in fun.source_for(n=100)
    square = build.outer(chain(2), chain(2))
    # After the last statement all are gone with the call.
    assert "del" not in runtime.compile(square).source_for(n=5000)
    source = runtime.compile(sin(square)).source_for(n=5000)
    assert "t2 = t1[:, None] * t1\n    del t1\n    np.sin(t2, out=t2)\n" in source


def test_peak_memory_is_predicted() -> None:
    n = 200_000
    fun = runtime.compile(chain(10))
    fun(x=np.ones(3))
    predicted = fun.peak_memory(n=n)
    assert predicted == n * 8  # each sine is written over the last
    given: dict[str, Any] = {"x": np.ones(n)}
    fun(**given)
    tracemalloc.start()
    fun(**given)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert abs(measured - predicted) < 0.1 * predicted


def test_a_long_chain_does_not_hold_all_its_steps() -> None:
    fun = runtime.compile([chain(3000), build.sum_all(chain(2500))])
    given = {"x": np.ones(1000)}
    result, _ = fun(**given)
    due = np.ones(1000)
    for _ in range(3000):
        due = np.sin(due)
    np.testing.assert_allclose(result, due)
    tracemalloc.start()
    fun(**given)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert measured < 10 * 8000


def test_a_function_may_keep_its_memory_between_calls() -> None:
    n = 100_000
    fun = runtime.compile([chain(3), build.add([(1, chain(2)), (1, x)])], Options(reuse=True))
    ones, zeros = np.ones(n), np.zeros(n)
    first = fun(x=ones)
    value = first[0][0]
    tracemalloc.start()
    second = fun(x=zeros)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert measured < 0.1 * n * 8
    assert all(a is b for a, b in zip(first, second, strict=True))
    assert value == pytest.approx(np.sin(np.sin(np.sin(1.0))), rel=1e-14)
    assert not first[0].any()
    other = fun(x=np.zeros(n + 1))
    assert not np.shares_memory(first[0], other[0])


def test_kept_zeros_are_written_once() -> None:
    fun = runtime.compile(build.einsum([sin(x)], ["i"], "ii"), Options(reuse=True))
    for shift in (0.0, 1.0):
        values = np.arange(100.0) + shift
        np.testing.assert_allclose(fun(x=values), np.diag(np.sin(values)), rtol=1e-13)
    assert "np.zeros((n, n), dtype)" in fun.source.partition("def workspace")[2]
    assert "zeros" not in fun.source.partition("def compute")[2].partition("def workspace")[0]


@pytest.mark.parametrize(
    "text", ["logdet(exp(a)*K + tanh(K))", "norm2(inv(exp(a)*K + tanh(K)))", "sum(chol(exp(a)*K))"]
)
def test_kept_memory_that_a_factorisation_lies_in_is_no_others(text: str) -> None:
    from tcalc import compile as compile_expressions
    from tcalc import gradient, parse

    f = parse(text, "K[n,n] spd, a")
    several = [f, gradient(f, "K")]
    root = np.random.default_rng(0).standard_normal((50, 60)) / 10
    K = root @ root.T + np.eye(50)
    due = compile_expressions(several)(K=K, a=0.5)
    kept = compile_expressions(several, reuse=True)
    for _ in range(2):
        for mine, other in zip(kept(K=K, a=0.5), due, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-12)


def test_predictions_hold_for_larger_programs() -> None:
    from tcalc import compile as compile_expressions
    from tcalc import gradient, hessian, parse

    rng = np.random.default_rng(0)
    m, n = 3000, 400
    f = parse("sum(log(1 + exp(-y .* (X*w))))", "X[m,n], y[m], w[n]")
    fun = compile_expressions([f, gradient(f, "w"), hessian(f, "w")])
    given = {"X": rng.normal(size=(m, n)), "y": np.ones(m), "w": np.zeros(n)}
    fun(**given)
    tracemalloc.start()
    results = fun(**given)
    measured = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(results) == 3
    assert abs(measured - fun.peak_memory(m=m, n=n)) < 0.1 * measured


def test_the_words_for_products_follow_the_sizes_whichever_come_first() -> None:
    cases = [
        (
            "H[i,j,k] = X[j,i] + exp(Y[k,i])\nH",
            "X[n,n], Y[n,n]",
            {5: "t1.T\n", 12: "t1.T.copy()\n"},
        ),
        ("A'*A", "A[n,n]", {30: "A.T.dot(A)", 40: "A.T @ A"}),
        ("A*B", "A[n,n], B[n,n]", {60: "A.dot(B)", 70: "A @ B"}),
    ]
    for text, declarations, due in cases:
        f = tcalc.parse(text, declarations)
        for order in (list(due), list(due)[::-1]):
            function = tcalc.compile(f)
            for n in order:
                assert due[n] in function.source_for(n=n)


def test_what_a_function_returns_anew_is_written_over() -> None:
    function = tcalc.compile(tcalc.parse("sum(sqrt(softmax(X) + 1))", "X[m,n]"))
    X = np.random.default_rng(0).standard_normal((40, 50))
    before = X.copy()
    expected = np.sqrt(np.exp(X) / np.exp(X).sum(axis=1, keepdims=True) + 1).sum()
    np.testing.assert_allclose(function(X=X), expected)
    np.testing.assert_array_equal(X, before)
    assert "t1 += 1\n    np.sqrt(t1, out=t1)\n" in function.source
