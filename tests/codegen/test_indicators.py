"""Products with tensors of zeros and ones that data give: right, and never formed where large."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

import tcalc
from tcalc.expr import build, shape
from tcalc.primitives.onehot import onehot
from tcalc.printing import to_text
from tcalc.simplify.tidy import tidy

SIZES = {"n": 90, "m": 50, "k": 3, "p": 51, "b": 5, "l": 7}
"""So large that sums with such tensors are multiplied out."""

SMALL = {"n": 9, "m": 5, "k": 3, "p": 6, "b": 2, "l": 3}

LARGE = {"n": 100_000, "m": 10_000, "k": 8, "p": 2000, "b": 50, "l": 400}

DECLARED = (
    "X[m,k], V[p,k], W[k,k], a[m], c[p], x[m], A[n,m], B[n,k], y[n], g[n] integer, h[n] integer, "
    "s[n] integer, d[n] integer, q[b,l] integer"
)

POSITIONS = ("g", "h", "h1", "s", "d", "q")

MODELS = {
    "groups": ("r[i] = a[g[i]] - y[i]\nnorm2(r)^2", "a"),
    "embedding": ("E[b,l,k] = X[q[b,l],k]\nsum(exp(E))", "X"),
    "layer": ("E[i,l] = X[g[i],k]*W[k,l]\nsum(exp(E))", "X"),
    "factorisation": ("r[e] = X[g[e],k]*V[h[e],k] - y[e]\nnorm2(r)^2", "X"),
    "graph": ("r[e] = x[s[e]] - x[d[e]]\nnorm2(r)^2", "x"),
    "exponential": ("r[e] = x[s[e]] - x[d[e]]\nsum(exp(r))", "x"),
    "crossed": ("r[i] = a[g[i]] + c[h[i]] - y[i]\nsum(exp(r))", "a"),
    "quotient": ("r[i] = y[i]/a[g[i]]\nsum(r)", "a"),
    "triples": ("z[i,k] = X[g[i],k]*X[s[i],k]*X[d[i],k]\nsum(z)", "X"),
    "pairs": ("r[i] = a[g[i]]*a[d[i]] - y[i]\nsum(exp(r))", "a"),
    "totals": ("norm2(x - onehot(g)'*y)^2 + norm2(onehot(g, m)'*onehot(h)*c)^2", "c"),
    "slices": ("z[i] = a[g[i]]\nnorm2(z[2:4])^2*z[end]", "a"),
    "places": ("z[i] = X[g[i],1]*B[i,2]\nsum(z.^3)", "X"),
    "weights": ("r[i] = a[g[i]]*B[i,k]*W[k,l]*X[h1[i],l]\nnorm2(r)^2", "W"),
    "labels": ("L[i,j] = logsoftmax[j](A[i,j])\nz[i] = L[i,g[i]]\n-sum(z)", "A"),
}


def expressions(name: str) -> list[tcalc.Expression]:
    text, by = MODELS[name]
    f = tcalc.parse(text, DECLARED)
    return [
        f,
        *(tcalc.gradient(f, by, mode=mode) for mode in ("reverse", "forward")),
        tcalc.hvp(f, by, "v"),
    ]


def data(variables: dict[str, object], sizes: dict[str, int]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    found: dict[str, np.ndarray] = {}
    for name, x in variables.items():
        axes = [sizes[str(dim)] for dim in x.shape]
        if name in POSITIONS:
            found[name] = random.integers(1, sizes["p" if name == "h" else "m"] + 1, axes)
        else:
            found[name] = random.standard_normal(axes) / 4
    return found


def inputs(many: list[tcalc.Expression]) -> dict[str, object]:
    return {name: x for one in many for name, x in one.variables.items()}


@pytest.mark.parametrize(
    ("backend", "sizes"),
    [("numpy", SMALL), ("c", SMALL), ("numpy", SIZES)],
    ids=["small", "in C", "large sums"],
)
@pytest.mark.parametrize("name", MODELS)
def test_code_gives_what_the_interpreter_gives(
    name: str, backend: Literal["numpy", "c"], sizes: dict[str, int]
) -> None:
    many = expressions(name)
    if name != "labels" or sizes is SMALL:
        many.append(tcalc.hessian(many[0], MODELS[name][1]))
    given = data(inputs(many), sizes)
    used = [{v: given[v] for v in tcalc.compile(x).signature.names} for x in many]
    due = [tcalc.evaluate(x, **u) for x, u in zip(many, used, strict=True)]
    function = tcalc.compile(many, backend=backend)
    places = {x: array for x, array in given.items() if x in POSITIONS}
    rest = {x: array for x, array in given.items() if x not in places}
    for found in (function(**given), function.bind(**places)(**rest)):
        for mine, other in zip(found, due, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "labels"])
def test_nothing_as_large_as_rows_times_columns_is_formed(name: str) -> None:
    many = expressions(name)
    for x in (*many, many):
        function = tcalc.compile(x)
        sizes = {size: LARGE[size] for size in function.signature.sizes}
        assert "one_hot(" not in function.source_for(**sizes)
        assert function.peak_memory(**sizes) < 8 * 20 * LARGE["n"] * LARGE["k"]


@pytest.mark.parametrize("name", ["groups", "crossed", "factorisation", "layer", "embedding"])
def test_factored_hessians_are_held_by_their_diagonal(name: str) -> None:
    text, by = MODELS[name]
    H = tcalc.hessian(tcalc.parse(text, DECLARED), by)
    function = tcalc.compile(H, form="factored")
    sizes = {size: LARGE[size] for size in function.signature.sizes}
    assert function.peak_memory(**sizes) < 8 * 100 * LARGE["n"] * LARGE["k"]
    given = data(dict(H.variables), SMALL)
    np.testing.assert_allclose(
        function(**given).dense(), tcalc.evaluate(H, **given), rtol=1e-10, atol=1e-12
    )


def test_an_empty_list_of_positions_and_types() -> None:
    f = tcalc.parse("E[i,k] = X[g[i],k] - B[i,k]\nnorm2(E)^2", DECLARED)
    function = tcalc.compile([f, tcalc.gradient(f, "X")])
    value, gradient = function(X=np.ones((4, 3)), g=np.zeros(0, int), B=np.ones((0, 3)))
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros((4, 3)))
    for dtype in (np.float32, np.complex128):
        _, gradient = function(
            X=np.ones((4, 3), dtype), g=np.array([2, 2], dtype), B=np.zeros((2, 3), dtype)
        )
        assert gradient.dtype == dtype
        np.testing.assert_array_equal(gradient, 4 * np.outer([0, 1, 0, 0], np.ones(3)))


def test_two_places_of_one_row_are_the_same() -> None:
    (m,), (n,) = shape("m"), shape("n")
    S = onehot(build.var("g", (n,), ("integer",)), m)
    gram = tidy(build.einsum([S, S], "ij,ik->jk"))
    assert to_text(gram) == "diag(onehot(g, m)'*ones(n))"
    assert tidy(build.einsum([S], "ij->i")) is build.ones((n,))


@pytest.mark.slow
def test_a_gradient_takes_no_longer_than_by_hand() -> None:
    random = np.random.default_rng(0)
    n, m = 100_000, 10_000
    g, y, a = random.integers(1, m + 1, n), random.standard_normal(n), random.standard_normal(m)
    f = tcalc.parse("r[i] = a[g[i]] - y[i]\nnorm2(r)^2", "a[m], g[n] integer, y[n]")
    function = tcalc.compile([f, tcalc.gradient(f, "a")])

    def by_hand() -> tuple[float, np.ndarray]:
        places = g - 1
        r = a[places] - y
        return r @ r, 2 * np.bincount(places, r, m)

    def least(run: Callable[[], object]) -> float:
        found = []
        for _ in range(30):
            start = time.perf_counter()
            run()
            found.append(time.perf_counter() - start)
        return min(found)

    for mine, due in zip(function(a=a, g=g, y=y), by_hand(), strict=True):
        np.testing.assert_allclose(mine, due, rtol=1e-9, atol=1e-9)
    assert least(lambda: function(a=a, g=g, y=y)) < 3 * least(by_hand)
