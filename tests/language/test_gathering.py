"""Positions that are data: ``X[g[i],k]``, what it means and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from language_cases import refused

import tcalc
from tcalc.errors import (
    ArgumentError,
    IndexNotationError,
    ParseError,
)
from tcalc.expr.traverse import postorder
from tcalc.language import parse
from tcalc.primitives.onehot import positions_among

RNG = np.random.default_rng(0)
DATA = {
    "X": RNG.standard_normal((4, 3)),
    "a": RNG.standard_normal(4),
    "A": RNG.standard_normal((5, 4)),
    "C": RNG.standard_normal((4, 4)),
    "g": np.array([1, 4, 2, 4, 1]),
    "h": np.array([3, 3, 1, 2, 4]),
    "Q": np.array([[1, 2, 3], [4, 4, 1]]),
    "y": RNG.standard_normal(5),
    "q": np.array([2, 1, 4, 3]),
    "p": np.array([3, 1]),
}
DECLARED = (
    "X[m,k], a[m], A[n,m], C[m,m], g[n] integer, h[n] integer, Q[b,l] integer, y[n], q[m] integer, "
    "p[s] integer"
)
G, H = DATA["g"] - 1, DATA["h"] - 1
X, A, C, Q = DATA["X"], DATA["A"], DATA["C"], DATA["Q"] - 1


def value(text: str) -> np.ndarray:
    return np.asarray(tcalc.evaluate(tcalc.parse(text, DECLARED), **DATA))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("z[i] = a[g[i]]", DATA["a"][G]),
        ("Z[i,k] = X[g[i],k]", X[G]),
        ("Z[k,i] = X[g[i],k]", X[G].T),
        ("X[g[i],k]*y[i]", X[G].T @ DATA["y"]),
        ("r[e] = X[g[e],k]*X[h[e],k] - y[e]", (X[G] * X[H]).sum(1) - DATA["y"]),
        ("Z[b,t,k] = X[Q[b,t],k]", X[Q]),
        ("z[i] = A[i,g[i]]", A[np.arange(5), G]),
        ("A[i,g[i]]", A[np.arange(5), G].sum()),  # i occurs twice
        ("Z[i,j] = C[g[i],h[j]]", C[np.ix_(G, H)]),
        ("z[i] = C[g[i],h[i]]", C[G, H]),
        ("z[i] = a[q[g[i]]]", DATA["a"][DATA["q"][G] - 1]),
        ("f[i] = q[g[i]]\nz[i] = a[f[i]]", DATA["a"][DATA["q"][G] - 1]),
        ("a[g[2]] + a[g[end]]", DATA["a"][3] + DATA["a"][0]),
        ("a[g[:]] - y", DATA["a"][G] - DATA["y"]),
        ("X[g[2:3],:]", X[G[1:3]]),
        ("a[2:end][p[:]]", DATA["a"][[3, 1]]),
        ("(X*X')[g[i],h[i]]", (X @ X.T)[G, H].sum()),
        ("f[j] = delta[g[i],j]*y[i]*a[j]", np.bincount(G, DATA["y"], 4) * DATA["a"]),
        ("onehot(g, m)'*y", np.bincount(G, DATA["y"], 4)),
        ("onehot(Q, m)", np.eye(4)[Q]),
        ("norm2(a - onehot(g)'*y)^2", np.sum((DATA["a"] - np.bincount(G, DATA["y"], 4)) ** 2)),
    ],
)
def test_the_elements_at_the_positions(text: str, expected: np.ndarray) -> None:
    np.testing.assert_allclose(value(text), expected, rtol=1e-12)


def test_positions_that_nothing_declares_are_integers() -> None:
    program = parse("r[e] = U[u[e],k]*V[v[e],k] - y[e]")
    assert [x for x, found in program.variables.items() if "integer" in found.properties] == [
        "u",
        "v",
    ]


def test_a_loop_takes_one_position_after_the_other() -> None:
    loop = "s{0} = 0\nfor t = 1:3\n s{t} = s{t-1} + a[g[t]]\nend\ns{3}"
    np.testing.assert_allclose(value(loop), DATA["a"][G[:3]].sum(), rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "at", "message", "hint"),
    [
        ("a[y[i]]", (1, 3), "not known to be", "tensor y[n] integer"),
        ("a[g]", (1, 3), "would be an index", "g[i]"),
        ("X[Q,k]", (1, 3), "would be an index", "Q[:,:]"),
        ("z[g[i]] = y[i]\nz", (1, 3), "names of indices", "added up"),
        ("max[g[i]](X[i,k])", (1, 1), "names of indices", "max[j]"),
        ("onehot(g[i], m)", (1, 1), "whole tensors", "onehot(g)[i]"),
        ("a[q[y[i]]]", (1, 5), "not known to be", "tensor y[n] integer"),
        ("r = g/2\na[r[i]]", (2, 3), "not known to be", "tensor p[n] integer"),
        ("r = g + y\na[r[i]]", (2, 3), "not known to be", "tensor y[n] integer"),
    ],
)
def test_what_is_refused(text: str, at: tuple[int, int], message: str, hint: str) -> None:
    error = refused(text, IndexNotationError, at, hint, DECLARED)
    assert message in error.message


def test_positions_that_are_computed_have_a_name() -> None:
    refused("a[g[i]+1]", ParseError, (1, 7), "p = g + 1", DECLARED)


@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("declared", ["a[m], y[T], g[T] integer", "a[m], y[T]"])
def test_positions_are_others_in_each_step_of_a_loop_that_is_kept(
    declared: str, backend: str
) -> None:
    text = "s{0} = 0\nfor t = 1:T\n s{t} = s{t-1} + y[t]*a[g[t]]^2\nend\ns{T}"
    kept = tcalc.recurrence(text, declared, backend=backend)
    data = {"a": [1.0, 2.0, 4.0], "g": [1, 3, 3, 1], "y": [1.0, 1.0, 1.0, 1.0]}
    value, slope = kept.value_and_gradient("a")(**data)
    assert value == 34
    np.testing.assert_array_equal(slope, [4, 0, 16])
    with pytest.raises(ArgumentError, match=r"g\[t\] is 4, .* in step t = 2"):
        kept(**data | {"g": [1, 4, 3, 1]})


@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([1, 0, 1, 1, 1], "g[2] is 0"),
        ([1, 1, 1, 5, 1], "g[4] is 5"),
        ([1, 1, np.nan, 1, 1], "g[3] is nan"),
        ([1, 1, 1, 1, np.inf], "g[5] is inf"),
    ],
)
def test_positions_that_do_not_exist_are_refused_by_name(
    backend: str, given: list[float], told: str
) -> None:
    function = tcalc.compile(tcalc.parse("z[i] = a[g[i]]", DECLARED), backend=backend)
    with pytest.raises(ArgumentError) as caught:
        function(a=DATA["a"], g=given)
    assert told in caught.value.message
    assert "from 1 to 4" in caught.value.message
    assert "count from 1" in caught.value.hint


def test_the_interpreter_refuses_them_too() -> None:
    with pytest.raises(ArgumentError, match=r"onehot\(g\): position\[1\] is 0, .* 1 to 4"):
        tcalc.evaluate(tcalc.parse("z[i] = a[g[i]]", DECLARED), a=DATA["a"], g=[0, 1, 1, 1, 1])


def test_positions_that_are_computed_in_many_steps() -> None:
    steps = "q{0} = g; for t = 1:60; q{t} = (q{t-1} + 1).*q{t-1}; end; p = q{60}"
    f = tcalc.parse(f"{steps}; z[i] = a[p[i]]", "a[m], g[n] integer")
    assert positions_among(postorder([f.node])) == {f.variables["g"]: [f.variables["a"].dims[0]]}


def test_single_precision_must_tell_the_positions_apart() -> None:
    function = tcalc.compile(tcalc.parse("z[i] = a[g[i]]", "a[m], g[n] integer"))
    a, g = np.zeros(2**24 + 1, np.float32), np.array([1.0], np.float32)
    with pytest.raises(ArgumentError, match="single precision") as caught:
        function(a=a, g=g)
    assert caught.value.hint == "give them in double precision"
    with pytest.raises(ArgumentError, match="single precision"):
        function(a=a, g=np.array([1]))
    assert function(a=a, g=np.array([2.0**24 + 1])).dtype == np.float64
