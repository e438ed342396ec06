"""Temporary matrices lie as the products read them that they meet in."""

import re

import numpy as np
import pytest
from generated import body

import tcalc

LAYERS = """
tensor X[b,n], A[h,n], c[h], s, B[h,h], C[k,h]
H = tanh(X*A' + vector(1)*c')
G = s .* relu(H*B')
norm2(G*C')^2 + sum(H)
"""


def layers(dtype: type = float) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    shapes = {"X": (4, 3), "A": (5, 3), "c": (5,), "s": (), "B": (5, 5), "C": (2, 5)}
    return {name: np.asarray(rng.standard_normal(s), dtype) for name, s in shapes.items()}


@pytest.mark.parametrize("wrt", ["X", "A", "c", "s", "B", "C"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(float, 1e-13), (np.float32, 3e-5)])
def test_layers_of_a_net_lie_one_below_the_other(wrt: str, dtype: type, tolerance: float) -> None:
    f = tcalc.parse(LAYERS)
    results = [f, tcalc.gradient(f, wrt)]
    function = tcalc.compile(results)
    found = function(**layers(dtype))
    source = body(function)
    # A product of two arguments, X A', remains, and one more for the weights after it.
    slow = re.findall(r"(?<!\.)\b(?:[A-Z]|t\d+)\.dot\((?:[A-Z]|t\d+)\.T\)", source)
    assert len(slow) <= (2 if wrt in ("B", "C") else 1)
    assert not re.search(r"= .*t\d+\.T \*|\* t\d+\.T|[-+] t\d+\.T", source)
    for array, expected in zip(found, tcalc.evaluate(results, **layers(dtype)), strict=True):
        assert array.dtype == dtype
        scale = abs(expected).max()
        np.testing.assert_allclose(array, expected, rtol=0, atol=tolerance * scale)


def test_a_long_sum_goes_along_what_is_in_memory_together() -> None:
    """As large sums do: it is how both factors lie that is not touched."""
    function = tcalc.compile(tcalc.gradient(tcalc.parse(LAYERS), "B"))
    short = function.source_for(b=4, n=3, h=5, k=2)
    long = function.source_for(b=2000, n=3, h=5, k=2)
    assert short != long
    assert re.search(r"\bt\d+ @ t\d+\.T\n", long)


def test_bound_weights_and_kept_memory() -> None:
    f = tcalc.parse(LAYERS)
    data = layers()
    results = [f, tcalc.gradient(f, "X")]
    expected = tcalc.evaluate(results, **data)
    bound = tcalc.compile(results).bind(A=data["A"], B=data["B"])
    kept = tcalc.compile(results, reuse=True)
    rest = {name: data[name] for name in "XcsC"}
    for _ in range(2):
        for found in (bound(**rest), kept(**data)):
            for array, right in zip(found, expected, strict=True):
                np.testing.assert_allclose(array, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("formula", ["(tanh(X*A') .* M)*B'", "(tanh(X*A') + M)*B'"])
def test_what_meets_an_argument_lies_as_that_does(formula: str) -> None:
    f = tcalc.parse(f"tensor X[b,n], A[h,n], B[h,h], M[b,h]\nnorm2({formula})^2")
    function = tcalc.compile(f)
    data = {name: array for name, array in layers().items() if name in "XAB"}
    data["M"] = np.arange(20.0).reshape(4, 5)
    assert function(**data) == pytest.approx(tcalc.evaluate(f, **data), rel=1e-13)
    assert "X.dot(A.T)" in body(function)


def test_a_matrix_that_is_read_both_ways_stays_as_it_is() -> None:
    """To turn it would gain one product, and lose another."""
    f = tcalc.parse("tensor X[n,n], B[n,n]\nP = sin(X*B')\nsum((P*B') .* cos(P'*B'))")
    function = tcalc.compile(f)
    rng = np.random.default_rng(3)
    data = {name: rng.standard_normal((3, 3)) for name in "XB"}
    assert function(**data) == pytest.approx(tcalc.evaluate(f, **data), rel=1e-13)
    assert "X.dot(B.T)" in body(function)


@pytest.mark.parametrize(
    ("sizes", "product"),
    [
        ({"n": 200, "m": 100, "k": 5}, 'B.copy("F") @ A.T'),
        ({"n": 20, "m": 100, "k": 5}, "B @ A.T.copy()"),
        ({"n": 20, "m": 10, "k": 5}, "B.dot(A.T)"),  # as many copies as multiplications
        ({"n": 300, "m": 300, "k": 300}, "B @ A.T"),
        ({"n": 9, "m": 9, "k": 900}, "B @ A.T"),
    ],
)
def test_a_small_argument_is_copied_where_two_meet(sizes: dict[str, int], product: str) -> None:
    f = tcalc.parse("tensor A[n,k], B[m,k]\ntanh(A*B')")
    function = tcalc.compile(f)
    rng = np.random.default_rng(4)
    data = {
        name: rng.standard_normal((sizes[x], sizes["k"]))
        for name, x in zip("AB", "nm", strict=True)
    }
    np.testing.assert_allclose(function(**data), np.tanh(data["A"] @ data["B"].T), rtol=1e-10)
    assert product in body(function)
