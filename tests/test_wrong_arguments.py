"""Arguments of the public functions that are of another kind than they should be."""

from __future__ import annotations

import pytest

import tcalc
from tcalc.errors import ArgumentError

f = tcalc.parse("norm2(X*w - y)^2", "X[m,n], w[n], y[m]")
DATA = {"X": [[1.0]], "y": [1.0]}


@pytest.mark.parametrize(
    "call",
    [
        lambda: tcalc.parse(3),
        lambda: tcalc.parse("x", functions=[3]),
        lambda: tcalc.gradient(f, None),
        lambda: tcalc.derivative(f, "w", mode=3),
        lambda: tcalc.compile(None),
        lambda: tcalc.compile(f, backend=3, form="sparse"),
        lambda: tcalc.check(f, "w", order="2"),
        lambda: tcalc.check(f, "w", directions=0),
        lambda: tcalc.check(f, "w", sizes={"m": "2"}),
        lambda: tcalc.cost(f, "w", order="2"),
        lambda: tcalc.cost(f, "w", sizes={"m": 2.5}),
        lambda: tcalc.cost(f, 3),
        lambda: tcalc.linearize(f, 3),
        lambda: tcalc.hvp(f, "w", several=1.5),
        lambda: tcalc.jvp(f, "w", 3),
        lambda: tcalc.vjp(f, "w", ["a", "b"]),
        lambda: tcalc.problem(f, [], DATA),
        lambda: tcalc.elementwise(3, 3, 3),
        lambda: tcalc.from_sympy("x"),
        lambda: tcalc.combine(3, a=f),
        lambda: f[0],
        lambda: f ** "a",
    ],
)
def test_what_is_of_the_wrong_kind_is_refused(call):
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.message
